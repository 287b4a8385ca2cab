use std::fmt;

use super::{Schedule, check_lr};
use crate::Result;

/// η, always.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant {
    lr: f64,
}

impl Constant {
    /// The rate `lr`.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if it is negative or not finite.
    pub fn new(lr: f64) -> Result<Self> {
        Ok(Constant { lr: check_lr("lr", lr)? })
    }
}

impl Schedule for Constant {
    fn lr(&self, _: u64) -> f64 {
        self.lr
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "constant lr={:?}", self.lr)
    }
}
