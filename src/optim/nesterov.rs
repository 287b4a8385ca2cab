//! Nesterov's accelerated gradient.

use super::{Rule, Step, check_beta};
use crate::linalg::simd::vectorize;
use crate::{Float, Result};

/// v ← βv + g, θ ← θ − η(g + βv), where g ← g + λθ with weight decay λ.
///
/// Nesterov, Soviet Math. Dokl. 27 (1983), in the form of Sutskever et al., "On the importance of
/// initialization and momentum in deep learning", ICML 2013, section 2, rewritten as Bengio et al.
/// (arXiv:1212.0901, section 3.5) do: θ here is the point at which the gradient is taken, so that it
/// is never taken anywhere but at the parameters. PyTorch has the same form, the rate outside of v.
#[derive(Clone, Copy, Debug)]
pub struct Nesterov {
    beta: f64,
}

impl Nesterov {
    /// Momentum with 0 ≤ `beta` < 1.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `beta` is outside.
    pub fn new(beta: f64) -> Result<Self> {
        Ok(Nesterov { beta: check_beta::<f64>("beta", beta)? })
    }
}

/// β = 0.9.
impl Default for Nesterov {
    fn default() -> Self {
        Nesterov { beta: 0.9 }
    }
}

impl<T: Float> Rule<T> for Nesterov {
    fn name(&self) -> &'static str {
        "nesterov"
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
                    let g = *g + decay * *x;
                    *v = beta * *v + g;
                    *x -= lr * (g + beta * *v);
                }
            },
        );
    }
}
