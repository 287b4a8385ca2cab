//! RMSProp: rates by a running mean of squares.

use super::{Rule, Step, Watch, check_beta, check_eps, split};
use crate::linalg::simd::vectorize;
use crate::{Float, Result};

/// v ← ρv + (1−ρ)g², θ ← θ − ηg/√(v + ε), where g ← g + λθ with weight decay λ.
///
/// Tieleman and Hinton, "Lecture 6.5: rmsprop", Coursera: Neural Networks for Machine Learning (2012).
/// ε stands inside the root; PyTorch has it outside.
#[derive(Clone, Copy, Debug)]
pub struct RmsProp {
    rho: f64,
    eps: f64,
}

impl RmsProp {
    /// RMSProp with 0 ≤ `rho` < 1 and `eps` > 0.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if one is outside, or `eps` so small that it is zero
    /// as an `f32`.
    pub fn new(rho: f64, eps: f64) -> Result<Self> {
        Ok(RmsProp { rho: check_beta::<f64>("rho", rho)?, eps: check_eps::<f64>(eps)? })
    }
}

/// ρ = 0.9, ε = 10⁻⁸.
impl Default for RmsProp {
    fn default() -> Self {
        RmsProp { rho: 0.9, eps: 1e-8 }
    }
}

impl<T: Float> Rule<T> for RmsProp {
    fn name(&self) -> &'static str {
        "rmsprop"
    }

    fn settings(&self) -> Vec<(&'static str, f64)> {
        vec![("rho", self.rho), ("eps", self.eps)]
    }

    fn check(&self) -> Result<()> {
        check_beta::<T>("rho", self.rho)?;
        check_eps::<T>(self.eps)?;
        Ok(())
    }

    fn buffers(&self) -> usize {
        1
    }

    fn update(&self, step: &Step, values: &mut [T], grads: &[T], state: &mut [T]) {
        self.update_watched(step, values, grads, state);
    }

    fn update_watched(&self, step: &Step, values: &mut [T], grads: &[T], state: &mut [T]) -> bool {
        let (lr, decay, eps) = (T::of(step.lr), T::of(step.weight_decay), T::of(self.eps));
        let rho = T::of(self.rho);
        // (1−ρ)g² fits where g² alone may not.
        let (rest, part) = split::<T>(1.0 - self.rho);
        vectorize(
            values.len(),
            #[inline(always)]
            || {
                let mut watch = Watch::<T>::new();
                for ((x, g), v) in values.iter_mut().zip(grads).zip(state) {
                    let g = *g + decay * *x;
                    let h = part * g;
                    *v = rho * *v + rest * (h * h);
                    watch.see(*v);
                    *x -= lr * g / (*v + eps).sqrt();
                }
                watch.all_finite()
            },
        )
    }
}
