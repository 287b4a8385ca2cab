use std::fmt;

use super::{Schedule, check_lr, check_min, check_steps};
use crate::{Float, Result};

/// η₁ + ½(η₀ − η₁)(1 + cos πt/T) up to step T, and η₁ from there on.
///
/// Loshchilov and Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*, arXiv:1608.03983,
/// without the restarts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    lr: f64,
    min: f64,
    steps: u64,
}

impl Cosine {
    /// From `lr` at step 0 to `min` at step `steps`.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if a rate is negative or not finite, `min` is above
    /// `lr`, or `steps` is 0.
    pub fn new(lr: f64, min: f64, steps: u64) -> Result<Self> {
        let lr = check_lr("lr", lr)?;
        Ok(Cosine { lr, min: check_min(min, lr)?, steps: check_steps("steps", steps)? })
    }
}

impl Schedule for Cosine {
    fn lr(&self, step: u64) -> f64 {
        half_cosine(self.lr, self.min, step.min(self.steps), self.steps)
    }
}

/// The rate after `step` of `steps` steps from `lr` to `min`.
pub(super) fn half_cosine(lr: f64, min: f64, step: u64, steps: u64) -> f64 {
    // min + (lr − min) need not be lr.
    if step == 0 {
        return lr;
    }
    let angle = std::f64::consts::PI * (step as f64 / steps as f64);
    (min + 0.5 * (lr - min) * (1.0 + Float::cos(angle))).min(lr)
}

impl fmt::Display for Cosine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cosine lr={:?} min={:?} steps={}", self.lr, self.min, self.steps)
    }
}
