//! Models: what turns samples into predictions, and what it takes to train them.

mod autoencoder;
mod compiled;
mod conjugate_gradients;
mod conv_autoencoder;
mod convolutional;
mod generate;
mod gpt;
pub mod kernel;
pub mod linear;
mod logistic;
mod mlp;
mod network;
pub mod ntk;
mod pool;
mod predictor;
mod saved;
mod trunk;
mod vit;

pub use autoencoder::Autoencoder;
pub(crate) use compiled::Compiled;
pub use conv_autoencoder::ConvAutoencoder;
pub use convolutional::{Cnn, LeNet};
pub use generate::{Generation, Sampling, generate};
pub use gpt::Gpt;
pub use logistic::{Derivatives, LogisticOptions, LogisticRegression, Scheme};
pub use mlp::Mlp;
pub use network::{Network, NetworkBuilder};
pub use predictor::{Fitted, Inputs, Predictor, Rows, Scores, Task};
pub use saved::{Notes, Saved, load, notes, save, save_run};
pub use trunk::Trunk;
pub use vit::Vit;
