//! What networks are made of: initial weights, activations by name, the affine layer.

mod activation;
mod init;
mod linear;

pub use activation::Activation;
pub use init::Init;
pub use linear::Linear;
