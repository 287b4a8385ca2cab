//! Models: what turns samples into predictions, and what it takes to train them.

pub mod kernel;
pub mod linear;
mod logistic;
mod mlp;
pub mod ntk;

pub use logistic::{Derivatives, LogisticOptions, LogisticRegression, Scheme};
pub use mlp::Mlp;
