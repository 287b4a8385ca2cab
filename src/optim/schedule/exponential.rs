use std::fmt;

use super::{Schedule, check_decay, check_lr, check_steps};
use crate::text::count;
use crate::{Error, Float, Result};

/// η·γᵗ: a straight line on a logarithmic scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    lr: f64,
    gamma: f64,
    /// The step at which the rate is to be this one, to the bit.
    last: Option<(u64, f64)>,
}

impl Exponential {
    /// From `lr`, times `gamma` after each step.
    ///
    /// # Errors
    /// [`Error::Setting`] if `lr` is negative or not finite, or `gamma` is not in (0, 1].
    pub fn new(lr: f64, gamma: f64) -> Result<Self> {
        Ok(Exponential { lr: check_lr("lr", lr)?, gamma: check_decay("gamma", gamma)?, last: None })
    }

    /// From `lr` at step 0 to `last` at step `steps`, and on: γ = (last/lr)^(1/steps).
    ///
    /// # Errors
    /// [`Error::Setting`] if `lr` is negative or not finite, `last` is not in (0, lr], or `steps` is 0; if `last`
    /// is so much less that γ is 0.
    /// If both rates are 0, so is every other.
    pub fn over(lr: f64, last: f64, steps: u64) -> Result<Self> {
        let (lr, steps) = (check_lr("lr", lr)?, check_steps("steps", steps)?);
        if lr == 0.0 && last == 0.0 {
            return Exponential::new(0.0, 1.0);
        }
        if !(last > 0.0 && last <= lr) {
            return Err(Error::setting("last", format!("{last:?} is not in the range 0 < last ≤ {lr:?}")));
        }
        let gamma = Float::powf(last / lr, 1.0 / steps as f64);
        if gamma == 0.0 {
            let why =
                format!("{last:?} is too small a part of {lr:?} to be reached in {}", count(steps, "step"));
            return Err(Error::setting("last", why));
        }
        Ok(Exponential { last: Some((steps, last)), ..Exponential::new(lr, gamma.min(1.0))? })
    }
}

impl Schedule for Exponential {
    fn lr(&self, step: u64) -> f64 {
        // The power is rounded: from the nearer end, and not past it.
        match self.last {
            Some((steps, last)) if step >= steps => last * Float::powf(self.gamma, (step - steps) as f64),
            Some((_, last)) => (self.lr * Float::powf(self.gamma, step as f64)).max(last),
            None => self.lr * Float::powf(self.gamma, step as f64),
        }
    }
}

impl fmt::Display for Exponential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exponential lr={:?} gamma={:?}", self.lr, self.gamma)
    }
}
