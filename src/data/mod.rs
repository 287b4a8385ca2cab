//! Data: IDX files, CSV tables, datasets, batches, preprocessing and synthetic sets.
//!
//! A [`Dataset`] holds samples as rows and shares them: a subset, a split and a standardised copy all
//! point at the same features, which may be a mapped file. Bytes become numbers only where
//! [`Dataset::gather`] writes a batch. [`Batches`] says which rows come when.
//!
//! Deliberately absent: augmentation, and everything that would have to stream because it does not
//! fit into memory.

mod affine;
mod ascii;
mod batches;
mod dataset;
mod gather;
pub mod idx;
mod mnist;
pub mod preprocess;
mod split;
pub mod synthetic;
pub mod table;

pub use affine::Affine;
pub use ascii::ascii_image;
pub use batches::Batches;
pub use dataset::{Dataset, Features};
pub use mnist::write_mnist;
pub use table::Table;
