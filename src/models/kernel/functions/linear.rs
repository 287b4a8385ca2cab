//! The linear kernel.

use super::{Kernel, KernelSettings, Pairwise};
use crate::Float;

/// k(x, y) = ⟨x, y⟩: ridge regression without intercept, in its dual form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearKernel;

impl<T: Float> Kernel<T> for LinearKernel {
    fn name(&self) -> String {
        "linear".into()
    }

    fn pairwise(&self) -> Pairwise {
        Pairwise::InnerProduct
    }

    fn apply(&self, _: &mut [T], _: T, _: &[T]) {}

    fn settings(&self) -> Option<(&'static str, KernelSettings)> {
        Some(("linear", KernelSettings::default()))
    }
}
