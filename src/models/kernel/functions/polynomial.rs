//! The polynomial kernel.

use super::{Kernel, Pairwise, not_negative_in, positive, positive_in};
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
        if !(offset.is_finite() && offset >= 0.0) {
            return Err(Error::setting("offset", format!("{offset}: must be finite and not below 0")));
        }
        Ok(Polynomial { degree, gamma: positive("gamma", gamma)?, offset })
    }
}

impl<T: Float> Kernel<T> for Polynomial {
    fn name(&self) -> String {
        format!("polynomial d={} γ={} c₀={}", self.degree, self.gamma, self.offset)
    }

    fn pairwise(&self) -> Pairwise {
        Pairwise::InnerProduct
    }

    fn check(&self) -> Result<()> {
        positive_in::<T>("gamma", self.gamma)?;
        not_negative_in::<T>("offset", self.offset)
    }

    fn apply(&self, values: &mut [T], _: T, _: &[T]) {
        let (gamma, offset) = (T::of(self.gamma), T::of(self.offset));
        let degree = self.degree as i32;
        values.iter_mut().for_each(|v| *v = Float::powi(gamma * *v + offset, degree));
    }
}
