//! The Laplacian kernel.

use super::{Kernel, KernelSettings, Pairwise};
use crate::linalg::simd::vectorize;
use crate::settings::{Range, check, shown};
use crate::{Float, Result};

/// k(x, y) = exp(−γ‖x − y‖₁), with the sum of absolute differences.
///
/// Not smooth where a coordinate agrees. Takes n²d additions, which no matrix product does for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Laplacian {
    gamma: f64,
}

impl Laplacian {
    /// With γ > 0.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if it is not finite and above 0.
    pub fn new(gamma: f64) -> Result<Self> {
        Ok(Laplacian { gamma: check::<f64>("gamma", gamma, Range::POSITIVE)? })
    }

    /// γ.
    pub fn gamma(&self) -> f64 {
        self.gamma
    }
}

impl<T: Float> Kernel<T> for Laplacian {
    fn name(&self) -> String {
        format!("laplacian γ={}", shown(self.gamma))
    }

    fn pairwise(&self) -> Pairwise {
        Pairwise::ManhattanDistance
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

    fn settings(&self) -> Option<(&'static str, KernelSettings)> {
        Some(("laplacian", KernelSettings { gamma: self.gamma, ..KernelSettings::default() }))
    }
}
