use std::fmt;

use super::{Schedule, check_decay, check_lr, check_steps};
use crate::{Float, Result};

/// η·γ^⌊t/s⌋: a fraction γ of the rate after every s steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepDecay {
    lr: f64,
    gamma: f64,
    every: u64,
}

impl StepDecay {
    /// From `lr`, times `gamma` after `every` steps each.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `lr` is negative or not finite, `gamma` is not in
    /// (0, 1], or `every` is 0.
    pub fn new(lr: f64, gamma: f64, every: u64) -> Result<Self> {
        Ok(StepDecay {
            lr: check_lr("lr", lr)?,
            gamma: check_decay("gamma", gamma)?,
            every: check_steps("every", every)?,
        })
    }
}

impl Schedule for StepDecay {
    fn lr(&self, step: u64) -> f64 {
        self.lr * Float::powf(self.gamma, (step / self.every) as f64)
    }
}

impl fmt::Display for StepDecay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step lr={:?} gamma={:?} every={}", self.lr, self.gamma, self.every)
    }
}
