//! AdaGrad: rates that fall with the sum of all past squares.

use super::{Rule, Step, Watch, check_eps};
use crate::linalg::simd::vectorize;
use crate::{Float, Result};

/// s ← s + g², θ ← θ − ηg/(√s + ε), where g ← g + λθ with weight decay λ.
///
/// Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
/// Optimization", JMLR 12 (2011), section 1.3, with a diagonal matrix. ε stands outside the root, and s
/// begins at zero, as in PyTorch.
///
/// s has to hold g² itself: in `f32` a gradient of 2·10¹⁹ is beyond it, and the step an error.
#[derive(Clone, Copy, Debug)]
pub struct AdaGrad {
    eps: f64,
}

impl AdaGrad {
    /// AdaGrad with `eps` > 0.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `eps` is not finite, or so small that it is zero
    /// as an `f32`.
    pub fn new(eps: f64) -> Result<Self> {
        Ok(AdaGrad { eps: check_eps::<f64>(eps)? })
    }
}

/// ε = 10⁻¹⁰.
impl Default for AdaGrad {
    fn default() -> Self {
        AdaGrad { eps: 1e-10 }
    }
}

impl<T: Float> Rule<T> for AdaGrad {
    fn name(&self) -> &'static str {
        "adagrad"
    }

    fn settings(&self) -> Vec<(&'static str, f64)> {
        vec![("eps", self.eps)]
    }

    fn check(&self) -> Result<()> {
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
        vectorize(
            values.len(),
            #[inline(always)]
            || {
                let mut watch = Watch::<T>::new();
                for ((x, g), s) in values.iter_mut().zip(grads).zip(state) {
                    let g = *g + decay * *x;
                    *s += g * g;
                    watch.see(*s);
                    *x -= lr * g / (s.sqrt() + eps);
                }
                watch.all_finite()
            },
        )
    }
}
