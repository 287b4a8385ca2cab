//! What networks are made of: the contract of a module, layers and containers of them, initial weights, losses.

mod activation;
mod batch_norm;
pub(crate) mod buffers;
mod dropout;
mod init;
mod layer_norm;
mod linear;
pub mod loss;
mod mode;
mod module;
mod norm;
pub(crate) mod restore;
mod sequential;
mod summary;

pub use activation::Activation;
pub use batch_norm::BatchNorm;
pub use dropout::Dropout;
pub use init::Init;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use loss::{Batch, Loss};
pub use mode::Mode;
pub use module::{Module, ModuleExt, visit_part};
pub use norm::{Norm, NormLayer};
pub use sequential::{Residual, Sequential};
pub use summary::{NodeSummary, Summary};
