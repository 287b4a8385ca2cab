//! tapegrad
pub mod error;
pub mod float;
pub mod linalg;
pub mod models;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod rng;
pub mod tape;
pub use error::{Error, Result};
pub use float::Float;
pub use tape::{Args, Backward, Forward, Operation, Param, Shape, Tape, Var, check_gradient};
