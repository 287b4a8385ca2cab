//! Targets at a common scale, so that a fit does not depend on theirs.

use nalgebra::DMatrix;

use super::samples::Samples;
use crate::text::count;
use crate::{Error, Float, Result};

/// An error unless there is a finite row of targets for each sample, and one column at least.
pub(super) fn check_targets<T: Float>(x: &Samples<T>, y: &DMatrix<T>) -> Result<()> {
    if y.nrows() != x.len() {
        return Err(Error::Data(format!(
            "{} of targets for {}",
            count(y.nrows(), "row"),
            count(x.len(), "sample")
        )));
    }
    if y.ncols() == 0 {
        return Err(Error::Data("there are no targets".into()));
    }
    if let Some(at) = y.iter().position(|v| !v.is_finite()) {
        let (row, column) = (at % y.nrows(), at / y.nrows());
        return Err(Error::Data(format!("row {row}, column {column}: the target is {}", y[at])));
    }
    Ok(())
}

/// The power of two of each column of the targets, by which all fits divide: a fit is linear in the targets,
/// but their squares and products with the kernel leave the range of the numbers long before they do. A
/// power of two changes no bit of what stays within it.
#[derive(Clone, Debug)]
pub(super) struct Scales {
    exponents: Vec<i32>,
}

impl Scales {
    /// Those that bring the largest magnitude of each column to between 1 and 2; 1 for a column of zeros.
    pub fn of<T: Float>(y: &DMatrix<T>) -> Scales {
        let exponent = |largest: f64| if largest > 0.0 { libm::ilogb(largest) } else { 0 };
        let largest = |column: &[T]| column.iter().fold(0.0, |m, v| Float::max(m, v.to_f64().abs()));
        Scales { exponents: y.as_slice().chunks(y.nrows().max(1)).map(|c| exponent(largest(c))).collect() }
    }

    /// Y with every column divided by its power of two.
    pub fn divide<T: Float>(&self, y: &DMatrix<T>) -> DMatrix<T> {
        DMatrix::from_fn(y.nrows(), y.ncols(), |i, j| scaled(y[(i, j)], -self.exponents[j]))
    }

    /// Every column multiplied by its power of two again.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if a column leaves the range of `T`, or becomes 0.
    pub fn multiply<T: Float>(&self, what: &str, x: &mut DMatrix<T>) -> Result<()> {
        for (j, (mut column, exponent)) in x.column_iter_mut().zip(&self.exponents).enumerate() {
            let was_zero = column.iter().all(|v| *v == T::ZERO);
            column.iter_mut().for_each(|v| *v = scaled(*v, *exponent));
            let is_zero = column.iter().all(|v| *v == T::ZERO);
            if column.iter().any(|v| !v.is_finite()) || (is_zero && !was_zero) {
                let why = format!("{what} of column {j} leave the range of {}: scale the targets", T::NAME);
                return Err(Error::NonFinite(why));
            }
        }
        Ok(())
    }

    /// The exponent of the largest scale among columns that are not all 0.
    pub fn largest<T: Float>(&self, y: &DMatrix<T>) -> i32 {
        let columns = y.column_iter().zip(&self.exponents);
        let exponents = columns.filter(|(column, _)| column.iter().any(|v| *v != T::ZERO)).map(|(_, e)| *e);
        exponents.max().unwrap_or(0)
    }

    /// The exponent of each column.
    pub fn exponents(&self) -> &[i32] {
        &self.exponents
    }
}

/// x·2ᵉ, rounded once.
fn scaled<T: Float>(x: T, exponent: i32) -> T {
    T::of(libm::scalbn(x.to_f64(), exponent))
}

#[cfg(test)]
mod tests {
    use nalgebra::dmatrix;

    use super::*;

    #[test]
    fn there_and_back_at_every_scale() {
        let y = dmatrix![1e200, -3e-200, 0.0, 5e-324; -0.5e200, 1e-200, 0.0, 0.0];
        let scales = Scales::of(&y);
        let mut x = scales.divide(&y);
        assert!(x.column_iter().enumerate().all(|(j, c)| j == 2 || (1.0..2.0).contains(&c.amax())), "{x}");
        scales.multiply("x", &mut x).unwrap();
        assert_eq!(x, y);
        assert_eq!(Scales::of(&dmatrix![1.0, -1.0; 1.0, 1.0]).exponents(), [0, 0]);
        assert_eq!(scales.largest(&y), 664);
        x *= 1e150;
        let error = scales.multiply("the weights", &mut x).unwrap_err();
        assert_eq!(error.to_string(), "the weights of column 0 leave the range of f64: scale the targets");
    }
}
