//! Matrices whose entries are so large or so small that products of them leave the range of the type.

use std::borrow::Cow;

use nalgebra::{DMatrix, DVector};

use crate::{Error, Float, Result};

/// By which power of two a matrix is divided before it is decomposed.
pub(super) struct Scale {
    /// Of two; 0 where the entries are good as they are, and not a bit changes.
    exponent: i32,
}

impl Scale {
    /// For a matrix of these entries: products of three of them occur on the way.
    pub fn of<'a, T: Float>(entries: impl Iterator<Item = &'a T>) -> Scale {
        let largest = entries.fold(0.0f64, |m, x| Float::max(m, x.to_f64().abs()));
        let safe = if size_of::<T>() == 4 { 30 } else { 300 };
        let exponent = if largest == 0.0 { 0 } else { libm::ilogb(largest) };
        // 2¹⁰⁷⁴ is no f64, so the exponent stops at −1000.
        Scale { exponent: if exponent.abs() <= safe { 0 } else { exponent.max(-1000) } }
    }

    /// The matrix to decompose.
    pub fn apply<'a, T: Float>(&self, a: &'a DMatrix<T>) -> Cow<'a, DMatrix<T>> {
        if self.exponent == 0 {
            return Cow::Borrowed(a);
        }
        Cow::Owned(a.map(|x| times_power(x, -self.exponent)))
    }

    /// Makes the values of the matrix itself from those of the one that was decomposed.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if one of them, `what`, leaves the range of `T`.
    pub fn undo<T: Float>(&self, what: &str, values: &mut DVector<T>) -> Result<()> {
        if self.exponent == 0 {
            return Ok(());
        }
        values.iter_mut().for_each(|value| *value = times_power(*value, self.exponent));
        if values.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(Error::NonFinite(format!("{what} leaves the range of {}", T::NAME)))
    }
}

/// x·2ᵉ.
fn times_power<T: Float>(x: T, e: i32) -> T {
    T::of(libm::scalbn(x.to_f64(), e))
}
