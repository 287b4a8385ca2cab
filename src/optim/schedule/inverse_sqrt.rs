use std::fmt;

use super::{Schedule, check_lr, check_steps};
use crate::Result;

/// η·√(k/(k + t)): falls like 1/√t, on a time scale of k steps; with k = 1 it is η/√(t + 1).
///
/// The rate of stochastic subgradient descent on convex functions whose error is of order 1/√t:
/// Nemirovski, Juditsky, Lan and Shapiro, *Robust Stochastic Approximation Approach to Stochastic
/// Programming*, SIAM J. Optim. 19, 2009.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InverseSqrt {
    lr: f64,
    scale: u64,
}

impl InverseSqrt {
    /// From `lr` at step 0 to `lr`/2 at step 3·`scale`.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `lr` is negative or not finite, or `scale` is 0.
    pub fn new(lr: f64, scale: u64) -> Result<Self> {
        Ok(InverseSqrt { lr: check_lr("lr", lr)?, scale: check_steps("scale", scale)? })
    }
}

impl Schedule for InverseSqrt {
    fn lr(&self, step: u64) -> f64 {
        let k = self.scale as f64;
        self.lr * (k / (k + step as f64)).sqrt()
    }
}

impl fmt::Display for InverseSqrt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inverse_sqrt lr={:?} scale={}", self.lr, self.scale)
    }
}
