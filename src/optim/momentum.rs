//! Gradient descent with momentum.

use super::{Rule, Step, check_beta};
use crate::linalg::simd::vectorize;
use crate::{Float, Result};

/// v ← βv + g, θ ← θ − ηv, where g ← g + λθ with weight decay λ.
///
/// The heavy ball of Polyak, "Some methods of speeding up the convergence of iteration methods",
/// USSR Comput. Math. Math. Phys. 4 (1964). The rate stands outside of v, as in PyTorch, so that a new
/// rate acts at once. Under a constant gradient the steps grow towards ηg/(1−β).
#[derive(Clone, Copy, Debug)]
pub struct Momentum {
    beta: f64,
}

impl Momentum {
    /// Momentum with 0 ≤ `beta` < 1.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `beta` is outside.
    pub fn new(beta: f64) -> Result<Self> {
        Ok(Momentum { beta: check_beta::<f64>("beta", beta)? })
    }
}

/// β = 0.9.
impl Default for Momentum {
    fn default() -> Self {
        Momentum { beta: 0.9 }
    }
}

impl<T: Float> Rule<T> for Momentum {
    fn name(&self) -> &'static str {
        "momentum"
    }

    fn settings(&self) -> Vec<(&'static str, f64)> {
        vec![("beta", self.beta)]
    }

    fn check(&self) -> Result<()> {
        check_beta::<T>("beta", self.beta)?;
        Ok(())
    }

    fn buffers(&self) -> usize {
        1
    }

    fn update(&self, step: &Step, values: &mut [T], grads: &[T], state: &mut [T]) {
        let (lr, decay, beta) = (T::of(step.lr), T::of(step.weight_decay), T::of(self.beta));
        vectorize(
            values.len(),
            #[inline(always)]
            || {
                for ((x, g), v) in values.iter_mut().zip(grads).zip(state) {
                    *v = beta * *v + (*g + decay * *x);
                    *x -= lr * *v;
                }
            },
        );
    }
}
