//! Stochastic gradient descent.

use super::{Rule, Step};
use crate::Float;
use crate::linalg::simd::vectorize;

/// θ ← θ − ηg, where g ← g + λθ with weight decay λ.
///
/// Robbins and Monro, "A Stochastic Approximation Method", Ann. Math. Statist. 22 (1951).
#[derive(Clone, Copy, Debug, Default)]
pub struct Sgd;

impl<T: Float> Rule<T> for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn buffers(&self) -> usize {
        0
    }

    fn update(&self, step: &Step, values: &mut [T], grads: &[T], _: &mut [T]) {
        let (lr, decay) = (T::of(step.lr), T::of(step.weight_decay));
        vectorize(
            values.len(),
            #[inline(always)]
            || {
                for (x, g) in values.iter_mut().zip(grads) {
                    *x -= lr * (*g + decay * *x);
                }
            },
        );
    }
}
