//! The Matérn kernel of smoothness 3/2.

use super::{Kernel, KernelSettings, Pairwise, check_length_scale, matern};
use crate::settings::{Range, check, shown};
use crate::{Float, Result};

/// k(x, y) = (1 + √3·r/ℓ)·exp(−√3·r/ℓ) with r = ‖x − y‖.
///
/// Once differentiable (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, eq. 4.17).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matern32 {
    length_scale: f64,
}

impl Matern32 {
    /// With ℓ > 0.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if it is not finite and above 0.
    pub fn new(length_scale: f64) -> Result<Self> {
        Ok(Matern32 { length_scale: check::<f64>("length_scale", length_scale, Range::POSITIVE)? })
    }

    /// ℓ.
    pub fn length_scale(&self) -> f64 {
        self.length_scale
    }
}

impl<T: Float> Kernel<T> for Matern32 {
    fn name(&self) -> String {
        format!("matern32 ℓ={}", shown(self.length_scale))
    }

    fn pairwise(&self) -> Pairwise {
        Pairwise::SquaredDistance
    }

    fn check(&self) -> Result<()> {
        check_length_scale::<T>(self.length_scale)
    }

    fn apply(&self, values: &mut [T], _: T, _: &[T]) {
        let scale = T::of(3f64.sqrt() / self.length_scale);
        matern(
            values,
            scale,
            #[inline(always)]
            |s| T::ONE + s,
        );
    }

    fn settings(&self) -> Option<(&'static str, KernelSettings)> {
        Some(("matern32", KernelSettings { length_scale: self.length_scale, ..KernelSettings::default() }))
    }
}
