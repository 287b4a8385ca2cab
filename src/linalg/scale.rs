//! Matrices brought to entries near 1 before they are decomposed: products of them stay in range, and what is
//! negligible can be told by itself.

use std::borrow::Cow;

use nalgebra::{DMatrix, DVector};

use crate::{Error, Float, Result};

/// By which power of two a matrix is divided before it is decomposed.
pub(super) struct Scale {
    /// Of two. But for numbers at the lower end of the range, no digit changes.
    exponent: i32,
}

impl Scale {
    /// For a matrix of these entries: the largest comes to between 1 and 2.
    pub fn of<'a, T: Float>(entries: impl Iterator<Item = &'a T>) -> Scale {
        let largest = entries.fold(0.0f64, |m, x| Float::max(m, x.to_f64().abs()));
        Scale { exponent: if largest == 0.0 { 0 } else { libm::ilogb(largest) } }
    }

    /// The matrix to decompose.
    pub fn apply<'a, T: Float>(&self, a: &'a DMatrix<T>) -> Cow<'a, DMatrix<T>> {
        if self.exponent == 0 {
            return Cow::Borrowed(a);
        }
        let by = Power::new(-self.exponent);
        Cow::Owned(a.map(|x| by.times(x)))
    }

    /// The same for numbers.
    pub fn apply_to<T: Float>(&self, numbers: &mut [T]) {
        let by = Power::new(-self.exponent);
        numbers.iter_mut().for_each(|x| *x = by.times(*x));
    }

    /// Makes the values of the matrix itself from those of the one that was decomposed.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if one of them, `what`, leaves the range of `T`.
    pub fn undo<T: Float>(&self, what: &str, values: &mut DVector<T>) -> Result<()> {
        if self.exponent == 0 {
            return Ok(());
        }
        let by = Power::new(self.exponent);
        values.iter_mut().for_each(|value| *value = by.times(*value));
        if values.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(Error::NonFinite(format!("{what} leaves the range of {}", T::NAME)))
    }
}

/// 2ᵉ as two factors: one alone, such as 2¹⁰⁷⁴, may be no f64.
struct Power([f64; 2]);

impl Power {
    fn new(e: i32) -> Power {
        Power([e / 2, e - e / 2].map(|e| libm::scalbn(1.0, e)))
    }

    fn times<T: Float>(&self, x: T) -> T {
        T::of(x.to_f64() * self.0[0] * self.0[1])
    }
}
