use std::fmt;

use super::cosine::half_cosine;
use super::{Schedule, check_lr, check_min, check_steps};
use crate::Result;

/// SGDR: half a cosine from η₀ towards η₁ in T steps, then from η₀ again in mT steps, then in m²T, …
///
/// Loshchilov and Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*, arXiv:1608.03983,
/// equation 5; m is their T_mult. The step after the last of a cycle is a restart at η₀, so that η₁
/// itself is approached and not reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmRestarts {
    lr: f64,
    min: f64,
    first: u64,
    multiplier: u64,
}

impl WarmRestarts {
    /// From `lr` towards `min`, the first cycle of `first` steps, each next one `multiplier` times as
    /// long as the one before.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if a rate is negative or not finite, `min` is above
    /// `lr`, or `first` or `multiplier` is 0.
    pub fn new(lr: f64, min: f64, first: u64, multiplier: u64) -> Result<Self> {
        let lr = check_lr("lr", lr)?;
        Ok(WarmRestarts {
            lr,
            min: check_min(min, lr)?,
            first: check_steps("first", first)?,
            multiplier: check_steps("multiplier", multiplier)?,
        })
    }

    /// The step within its cycle, and the length of that.
    fn place(&self, step: u64) -> (u64, u64) {
        if self.multiplier == 1 {
            return (step % self.first, self.first);
        }
        // Cycles grow at least twofold: 64 rounds at most.
        let (mut within, mut length) = (step, self.first);
        while within >= length {
            within -= length;
            length = length.saturating_mul(self.multiplier);
        }
        (within, length)
    }
}

impl Schedule for WarmRestarts {
    fn lr(&self, step: u64) -> f64 {
        let (within, length) = self.place(step);
        half_cosine(self.lr, self.min, within, length)
    }
}

impl fmt::Display for WarmRestarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WarmRestarts { lr, min, first, multiplier } = self;
        write!(f, "sgdr lr={lr:?} min={min:?} first={first} multiplier={multiplier}")
    }
}
