//! Spectral decomposition of a symmetric matrix.

use super::first_not_finite;
use faer::MatRef;
use nalgebra::{DMatrix, DVector};

use super::cpu::kernels_are_safe;
use super::portable;
use super::scale::Scale;
use crate::{Error, Float, Result};

/// A = V·diag(λ)·Vᵀ of a symmetric matrix.
#[derive(Clone, Debug)]
pub struct SymmetricEigen<T: Float> {
    /// λ, in ascending order.
    pub values: DVector<T>,
    /// The orthonormal eigenvectors, one a column, in the order of `values`.
    pub vectors: DMatrix<T>,
}

/// Eigenvalues and eigenvectors of a symmetric matrix, of which only the lower triangle is read.
///
/// The sign of each vector is fixed: its entry of largest magnitude is positive.
///
/// # Errors
/// [`Error::NonFinite`] if an entry is NaN or infinite, an eigenvalue leaves the range of `T`, or the iteration does
/// not converge.
///
/// # Panics
/// If `a` is not square.
pub fn symmetric_eigen<T: Float>(a: &DMatrix<T>) -> Result<SymmetricEigen<T>> {
    assert!(a.is_square(), "symmetric_eigen: the matrix is {}×{}", a.nrows(), a.ncols());
    if let Some(at) = first_not_finite(a.as_slice()) {
        let (row, col) = (at % a.nrows(), at / a.nrows());
        return Err(Error::NonFinite(format!("symmetric_eigen: entry ({row}, {col}) is {}", a[at])));
    }
    let n = a.nrows();
    if n == 0 {
        // The library asks for scratch memory of n − 1.
        return Ok(SymmetricEigen { values: DVector::zeros(0), vectors: DMatrix::zeros(0, 0) });
    }
    let failed = |why: String| Error::NonFinite(format!("symmetric_eigen: no convergence at n = {n}{why}"));
    let lower = (0..n).flat_map(|j| a.as_slice()[j * n + j..(j + 1) * n].iter());
    let scale = Scale::of(lower);
    let a = &*scale.apply(a);
    let (mut values, mut vectors) = if kernels_are_safe() {
        let a = MatRef::from_column_major_slice(a.as_slice(), n, n);
        let (values, vectors) = T::symmetric_eigen(a).map_err(|why| failed(format!(": {why}")))?;
        (DVector::from_vec(values), DMatrix::from_vec(n, n, vectors))
    } else {
        portable::symmetric_eigen(a).ok_or_else(|| failed(String::new()))?
    };
    scale.undo("symmetric_eigen: an eigenvalue", &mut values)?;
    for mut column in vectors.column_iter_mut() {
        let largest = column.iter().fold(T::ZERO, |m, x| if x.abs() > m.abs() { *x } else { m });
        if largest < T::ZERO {
            column.iter_mut().for_each(|x| *x = -*x);
        }
    }
    Ok(SymmetricEigen { values, vectors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rebuilds_the_matrix() {
        for n in [0, 1, 2, 7, 40] {
            let b = DMatrix::<f64>::from_fn(n, n, |i, j| ((i * 31 + j * 17) % 13) as f64 - 6.0);
            let a = &b + b.transpose();
            let SymmetricEigen { values, vectors } = symmetric_eigen(&a).unwrap();
            let rebuilt = &vectors * DMatrix::from_diagonal(&values) * vectors.transpose();
            assert!((rebuilt - &a).abs().max() < 1e-11 || n == 0);
            assert!((vectors.transpose() * &vectors - DMatrix::identity(n, n)).abs().max() < 1e-12 || n == 0);
            assert!(values.as_slice().is_sorted());
        }
    }

    #[test]
    fn huge_and_tiny_numbers() {
        for scale in [1e-200, 1e200] {
            let a = DMatrix::from_row_slice(2, 2, &[2.0 * scale, scale, scale, 2.0 * scale]);
            let SymmetricEigen { values, vectors } = symmetric_eigen(&a).unwrap();
            assert!((values[0] / scale - 1.0).abs() < 1e-14 && (values[1] / scale / 3.0 - 1.0).abs() < 1e-14);
            assert!((vectors[(0, 1)] - 0.5f64.sqrt()).abs() < 1e-14, "{vectors}");
        }
        let SymmetricEigen { values, vectors } = symmetric_eigen(&DMatrix::from_element(1, 1, -3.0)).unwrap();
        assert_eq!((values[0], vectors[0]), (-3.0, 1.0));
    }

    #[test]
    fn at_the_ends_of_the_range() {
        fn check<T: Float>(entries: [f64; 3], expected: [f64; 2], tolerance: f64) {
            let [a, b, c] = entries.map(T::of);
            let found = symmetric_eigen(&DMatrix::from_row_slice(2, 2, &[a, b, b, c])).unwrap().values;
            for (found, right) in found.iter().zip(expected) {
                let error = (found.to_f64() - right).abs() / expected[1];
                assert!(error < tolerance, "{found:e}, not {right:e}");
            }
        }
        check::<f32>([2e-38, 1e-38, 2e-38], [1e-38, 3e-38], 1e-6);
        check::<f64>([2e-310, 1e-310, 2e-310], [1e-310, 3e-310], 1e-12);
        check::<f32>([1.7e38, 1.7e38, 1.7e38], [0.0, 3.4e38], 1e-6);
        for n in [2, 3] {
            let error = symmetric_eigen(&DMatrix::from_element(n, n, 3e38f32)).unwrap_err().to_string();
            assert!(error.contains("leaves the range of f32"), "{error}");
            let tiny = symmetric_eigen(&DMatrix::from_element(n, n, 1e-40f32)).unwrap();
            assert!((tiny.values[n - 1] / (n as f32 * 1e-40) - 1.0).abs() < 1e-3, "{}", tiny.values);
        }
    }

    #[test]
    fn a_nan_is_an_error() {
        let a = DMatrix::from_element(2, 2, f64::NAN);
        assert!(matches!(symmetric_eigen(&a), Err(Error::NonFinite(_))));
    }
}
