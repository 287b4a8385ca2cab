//! What networks are made of: the contract of a module, layers and containers of them, initial weights, losses.

mod activation;
mod batch_norm;
pub(crate) mod buffers;
mod conv2d;
mod dropout;
mod image_pool;
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
pub use conv2d::Conv2d;
pub use dropout::Dropout;
pub use image_pool::Pool;
pub use init::Init;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use loss::{Batch, Loss};
pub use mode::Mode;
pub(crate) use module::image_behind;
pub use module::{Module, ModuleExt, visit_part};
pub use norm::{Norm, NormLayer};
pub use sequential::{Residual, Sequential};
pub use summary::{NodeSummary, Summary};
