use std::fmt;

use super::{Schedule, check_lr, check_steps};
use crate::Result;

/// η₀ + (η₁ − η₀)·t/T up to step T, and η₁ from there on; up or down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    lr: f64,
    last: f64,
    steps: u64,
}

impl Linear {
    /// From `lr` at step 0 to `last` at step `steps`.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if a rate is negative or not finite, or `steps` is 0.
    pub fn new(lr: f64, last: f64, steps: u64) -> Result<Self> {
        Ok(Linear {
            lr: check_lr("lr", lr)?,
            last: check_lr("last", last)?,
            steps: check_steps("steps", steps)?,
        })
    }
}

impl Schedule for Linear {
    fn lr(&self, step: u64) -> f64 {
        let t = step.min(self.steps) as f64 / self.steps as f64;
        // Weighted, not lr + (last − lr)·t: both ends are hit exactly. Rounding may step over them in between.
        let (low, high) = (self.lr.min(self.last), self.lr.max(self.last));
        (self.lr * (1.0 - t) + self.last * t).clamp(low, high)
    }
}

impl fmt::Display for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linear lr={:?} last={:?} steps={}", self.lr, self.last, self.steps)
    }
}
