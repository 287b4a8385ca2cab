//! Data: IDX files, CSV tables, NumPy's arrays, PNG images, texts, datasets, batches, preprocessing and synthetic sets.
//!
//! A [`Dataset`] holds samples as rows and shares them: a subset, a split and a standardised copy all
//! point at the same features, which may be a [mapped file](idx::ReadOptions::map_above). Bytes become
//! numbers only where [`Dataset::gather`] writes a batch. [`Batches`] says which rows come when.
//!
//! Memory whose size data decides is asked for: too much of it is [`Error::Memory`](crate::Error::Memory)
//! where a function can return an error, and a panic that says so elsewhere, but never an abort.
//!
//! [`Augment`] changes images at random while they are gathered.
//!
//! Deliberately absent: everything that would have to stream because it does not fit into memory.

mod affine;
mod ascii;
mod augment;
mod batches;
mod columns;
mod compiled;
mod dataset;
mod features;
mod gather;
pub mod idx;
mod mnist;
pub mod npy;
mod pair;
#[cfg(feature = "png")]
mod png;
pub mod preprocess;
mod split;
pub mod synthetic;
pub mod table;
mod text;
mod told;
mod weights;

pub use affine::Affine;
pub use ascii::ascii_image;
pub use augment::{Augment, Augmenter};
pub use batches::Batches;
pub use columns::write_columns;
pub(crate) use compiled::Compiled;
pub use dataset::Dataset;
pub use features::Features;
pub use mnist::write_mnist;
pub use table::Table;
pub use text::{BYTES, Text};
pub(crate) use weights::{Weighing, check_weights, over_mean, unequal_over_mean};
