//! Data: IDX files, datasets, batches, preprocessing and synthetic sets.
pub mod idx;
