//! Adam: running means of the gradient and of its square.

use super::{Rule, Step, Watch, check_beta, check_eps, split};
use crate::linalg::simd::vectorize;
use crate::{Float, Result};

/// m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², θ ← θ − ηm̂/(√v̂ + ε) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ),
/// where t is the number of the step, and g ← g + λθ with weight decay λ.
///
/// Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015 (arXiv:1412.6980),
/// algorithm 1. ε stands outside the root.
///
/// g² and v̂ need not be numbers of the type: v and √v̂ are held wherever they are. In `f32` and with β₂ = 0.999
/// gradients up to some 5·10²⁰ are; beyond, the step is an error.
#[derive(Clone, Copy, Debug)]
pub struct Adam(Moments);

impl Adam {
    /// Adam with 0 ≤ `beta1`, `beta2` < 1 and `eps` > 0.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if one is outside, or `eps` so small that it is zero
    /// as an `f32`.
    pub fn new(beta1: f64, beta2: f64, eps: f64) -> Result<Self> {
        Ok(Adam(Moments::new(beta1, beta2, eps)?))
    }
}

/// β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸.
impl Default for Adam {
    fn default() -> Self {
        Adam(Moments::DEFAULT)
    }
}

impl<T: Float> Rule<T> for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn settings(&self) -> Vec<(&'static str, f64)> {
        self.0.settings()
    }

    fn check(&self) -> Result<()> {
        self.0.check::<T>()
    }

    fn buffers(&self) -> usize {
        2
    }

    fn corrections(&self, count: u64) -> [f64; 2] {
        self.0.corrections(count)
    }

    fn update(&self, step: &Step, values: &mut [T], grads: &[T], state: &mut [T]) {
        self.update_watched(step, values, grads, state);
    }

    fn update_watched(&self, step: &Step, values: &mut [T], grads: &[T], state: &mut [T]) -> bool {
        self.0.update(step, step.weight_decay, 0.0, values, grads, state)
    }
}

/// What Adam and AdamW share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    beta1: f64,
    beta2: f64,
    eps: f64,
}

impl Moments {
    pub const DEFAULT: Moments = Moments { beta1: 0.9, beta2: 0.999, eps: 1e-8 };

    pub fn new(beta1: f64, beta2: f64, eps: f64) -> Result<Self> {
        Ok(Moments {
            beta1: check_beta::<f64>("beta1", beta1)?,
            beta2: check_beta::<f64>("beta2", beta2)?,
            eps: check_eps::<f64>(eps)?,
        })
    }

    /// As [`Rule::check`].
    pub fn check<T: Float>(&self) -> Result<()> {
        check_beta::<T>("beta1", self.beta1)?;
        check_beta::<T>("beta2", self.beta2)?;
        check_eps::<T>(self.eps)?;
        Ok(())
    }

    pub fn settings(&self) -> Vec<(&'static str, f64)> {
        vec![("beta1", self.beta1), ("beta2", self.beta2), ("eps", self.eps)]
    }

    /// 1/(1−β₁ᵗ) and 1/(1−β₂ᵗ).
    pub fn corrections(&self, count: u64) -> [f64; 2] {
        [self.beta1, self.beta2].map(|beta| 1.0 / (1.0 - Float::powf(beta, count as f64)))
    }

    /// The step with coupled decay `l2` (g ← g + `l2`·θ) and decoupled decay `shrink`
    /// (θ ← θ − `shrink`·θ, first), and whether v is finite.
    #[inline(always)]
    pub fn update<T: Float>(
        &self,
        step: &Step,
        l2: f64,
        shrink: f64,
        values: &mut [T],
        grads: &[T],
        state: &mut [T],
    ) -> bool {
        let (lr, eps) = (T::of(step.lr), T::of(self.eps));
        let (l2, shrink) = (T::of(l2), T::of(shrink));
        let (beta1, rest1) = (T::of(self.beta1), T::of(1.0 - self.beta1));
        let beta2 = T::of(self.beta2);
        // (1−β₂)g² fits where g² alone may not, and √v̂ where v̂ does not.
        let (rest2, part) = split::<T>(1.0 - self.beta2);
        let correction1 = T::of(step.corrections[0]);
        let (correction2, grow) = split::<T>(step.corrections[1]);
        let (m, v) = state.split_at_mut(values.len());
        vectorize(
            values.len(),
            #[inline(always)]
            || {
                let mut watch = Watch::<T>::new();
                for (((x, g), m), v) in values.iter_mut().zip(grads).zip(m).zip(v) {
                    let g = *g + l2 * *x;
                    *m = beta1 * *m + rest1 * g;
                    let h = part * g;
                    *v = beta2 * *v + rest2 * (h * h);
                    watch.see(*v);
                    let (mean, square) = (correction1 * *m, correction2 * *v);
                    *x = *x - shrink * *x - lr * mean / (grow * square.sqrt() + eps);
                }
                watch.all_finite()
            },
        )
    }
}
