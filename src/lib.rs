//! tapegrad
pub mod data;
pub mod error;
pub mod float;
pub mod linalg;
pub mod rng;
pub use data::{Batches, Dataset};
pub use error::{Error, Result};
pub use float::Float;
