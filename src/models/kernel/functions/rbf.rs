//! The Gaussian kernel.

use super::{Kernel, KernelSettings, Pairwise};
use crate::linalg::simd::vectorize;
use crate::settings::{Range, check, shown};
use crate::{Float, Result};

/// k(x, y) = exp(−γ‖x − y‖²).
///
/// Smooth of any order. With the standard deviation σ of the bell, γ = 1/(2σ²).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rbf {
    gamma: f64,
}

impl Rbf {
    /// With γ > 0.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if it is not finite and above 0.
    pub fn new(gamma: f64) -> Result<Self> {
        Ok(Rbf { gamma: check::<f64>("gamma", gamma, Range::POSITIVE)? })
    }

    /// γ.
    pub fn gamma(&self) -> f64 {
        self.gamma
    }
}

impl<T: Float> Kernel<T> for Rbf {
    fn name(&self) -> String {
        format!("rbf γ={}", shown(self.gamma))
    }

    fn pairwise(&self) -> Pairwise {
        Pairwise::SquaredDistance
    }

    fn check(&self) -> Result<()> {
        check::<T>("gamma", self.gamma, Range::POSITIVE).map(drop)
    }

    fn apply(&self, values: &mut [T], _: T, _: &[T]) {
        let gamma = T::of(self.gamma);
        vectorize(
            values.len(),
            #[inline(always)]
            move || {
                for v in values {
                    *v = (-gamma * *v).exp();
                }
            },
        );
    }

    fn gaussian_gamma(&self) -> Option<f64> {
        Some(self.gamma)
    }

    fn settings(&self) -> Option<(&'static str, KernelSettings)> {
        Some(("rbf", KernelSettings { gamma: self.gamma, ..KernelSettings::default() }))
    }
}
