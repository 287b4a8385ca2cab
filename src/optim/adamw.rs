//! AdamW: Adam with decoupled weight decay.

use super::adam::Moments;
use super::{Rule, Step};
use crate::{Float, Result};

/// θ ← θ − ηλθ, then the step of [`Adam`](super::Adam) from the gradient without decay.
///
/// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019 (arXiv:1711.05101),
/// algorithm 2, with the decay multiplied by the rate, as PyTorch has it. Unlike in Adam, the decay of
/// a number does not depend on how large its gradients are.
#[derive(Clone, Copy, Debug)]
pub struct AdamW(Moments);

impl AdamW {
    /// AdamW with 0 ≤ `beta1`, `beta2` < 1 and `eps` > 0.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if one is outside, or `eps` so small that it is zero
    /// as an `f32`.
    pub fn new(beta1: f64, beta2: f64, eps: f64) -> Result<Self> {
        Ok(AdamW(Moments::new(beta1, beta2, eps)?))
    }
}

/// β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸. The decay is the [`Optimizer`](super::Optimizer)'s to set; PyTorch's
/// default is 0.01.
impl Default for AdamW {
    fn default() -> Self {
        AdamW(Moments::DEFAULT)
    }
}

impl<T: Float> Rule<T> for AdamW {
    fn name(&self) -> &'static str {
        "adamw"
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
        self.0.update(step, 0.0, step.lr * step.weight_decay, values, grads, state)
    }
}
