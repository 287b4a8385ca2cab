//! What networks are made of: initial weights, activations by name, the affine layer, normalisation.

mod activation;
mod batch_norm;
mod init;
mod layer_norm;
mod linear;
mod mode;
mod norm;

pub use activation::Activation;
pub use batch_norm::BatchNorm;
pub use init::Init;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use mode::Mode;
pub use norm::{Norm, NormLayer};
