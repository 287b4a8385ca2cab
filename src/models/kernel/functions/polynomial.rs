//! The polynomial kernel.

use super::{Kernel, KernelSettings, Pairwise};
use crate::settings::{Range, check, shown};
use crate::{Error, Float, Result};

/// k(x, y) = (γ⟨x, y⟩ + c₀)^d: all products of up to d features (exactly d where c₀ = 0).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polynomial {
    degree: u32,
    gamma: f64,
    offset: f64,
}

impl Polynomial {
    /// With the degree d ≥ 1, γ > 0 and c₀ ≥ 0.
    ///
    /// # Errors
    /// [`Error::Setting`] if one is outside its range or not finite: for a negative c₀ the kernel is not
    /// positive semi-definite.
    pub fn new(degree: u32, gamma: f64, offset: f64) -> Result<Self> {
        if degree == 0 || degree > 64 {
            return Err(Error::setting("degree", format!("{degree}: must be from 1 to 64")));
        }
        check::<f64>("offset", offset, Range::NOT_NEGATIVE)?;
        Ok(Polynomial { degree, gamma: check::<f64>("gamma", gamma, Range::POSITIVE)?, offset })
    }
}

impl<T: Float> Kernel<T> for Polynomial {
    fn name(&self) -> String {
        format!("polynomial d={} γ={} c₀={}", self.degree, shown(self.gamma), shown(self.offset))
    }

    fn pairwise(&self) -> Pairwise {
        Pairwise::InnerProduct
    }

    fn check(&self) -> Result<()> {
        check::<T>("gamma", self.gamma, Range::POSITIVE)?;
        check::<T>("offset", self.offset, Range::NOT_NEGATIVE).map(drop)
    }

    fn apply(&self, values: &mut [T], _: T, _: &[T]) {
        let (gamma, offset) = (T::of(self.gamma), T::of(self.offset));
        let degree = self.degree as i32;
        values.iter_mut().for_each(|v| *v = Float::powi(gamma * *v + offset, degree));
    }

    fn settings(&self) -> Option<(&'static str, KernelSettings)> {
        Some((
            "polynomial",
            KernelSettings {
                degree: self.degree,
                gamma: self.gamma,
                offset: self.offset,
                ..KernelSettings::default()
            },
        ))
    }
}
