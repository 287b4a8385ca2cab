//! The thin singular value decomposition.

mod jacobi;

use nalgebra::{DMatrix, DVector};

use super::first_not_finite;
use super::scale::Scale;
use crate::{Error, Float, Result};

/// A = U·diag(s)·Vᵀ of an m×n matrix, with k = min(m, n) columns in U and V.
#[derive(Clone, Debug)]
pub struct ThinSvd<T: Float> {
    /// m×k, orthonormal columns.
    pub u: DMatrix<T>,
    /// s, in descending order, none below 0.
    pub values: DVector<T>,
    /// n×k, orthonormal columns.
    pub v: DMatrix<T>,
}

/// The thin singular value decomposition, backward stable: it is that of a matrix within a few roundings of
/// ‖A‖ of A. Takes O(m·n·k) multiply-adds. The bits are the same on every machine and at any number of threads.
///
/// The signs are fixed: the entry of largest magnitude in each column of V is positive.
///
/// By a QR decomposition; rotations then make the columns of R orthogonal, from a start where they nearly are.
///
/// # Errors
/// [`Error::NonFinite`] if an entry is NaN or infinite, a singular value leaves the range of `T`, or the iteration
/// does not converge.
pub fn thin_svd<T: Float>(a: &DMatrix<T>) -> Result<ThinSvd<T>> {
    T::thin_svd(a)
}

pub(super) fn thin_svd_of<T: Float>(a: &DMatrix<T>) -> Result<ThinSvd<T>> {
    let (m, n) = a.shape();
    if let Some(at) = first_not_finite(a.as_slice()) {
        let (row, col) = (at % m, at / m);
        return Err(Error::NonFinite(format!("thin_svd: entry ({row}, {col}) is {}", a[at])));
    }
    let k = m.min(n);
    let scale = Scale::of(a.iter());
    let a = &*scale.apply(a);
    // Of a wide matrix, the transpose is decomposed.
    let (tall, wide) = if m < n { (a.transpose(), true) } else { (a.clone(), false) };
    let [left, values, right] = jacobi::decompose(tall.data.into(), m.max(n), k)?;
    let [left, right] = if wide { [right, left] } else { [left, right] };
    let (mut u, mut v) = (DMatrix::from_vec(m, k, left), DMatrix::from_vec(n, k, right));
    let mut values = DVector::from_vec(values);
    scale.undo("thin_svd: a singular value", &mut values)?;
    for j in 0..k {
        let largest = v.column(j).iter().fold(T::ZERO, |m, x| if x.abs() > m.abs() { *x } else { m });
        if largest < T::ZERO {
            u.column_mut(j).iter_mut().chain(v.column_mut(j).iter_mut()).for_each(|x| *x = -*x);
        }
    }
    Ok(ThinSvd { u, values, v })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rebuilds_the_matrix() {
        for (m, n) in [(0, 3), (3, 0), (1, 1), (1, 5), (5, 1), (7, 7), (40, 6), (6, 40), (120, 70)] {
            let a = DMatrix::<f64>::from_fn(m, n, |i, j| ((i * 31 + j * 17 + i * j) % 13) as f64 - 6.0);
            let ThinSvd { u, values, v } = thin_svd(&a).unwrap();
            let k = m.min(n);
            assert_eq!((u.shape(), values.len(), v.shape()), ((m, k), k, (n, k)));
            assert!(values.iter().all(|s| *s >= 0.0) && values.iter().rev().is_sorted());
            if k > 0 {
                let identity = DMatrix::identity(k, k);
                assert!((&u * DMatrix::from_diagonal(&values) * v.transpose() - &a).abs().max() < 1e-11);
                assert!((u.transpose() * &u - &identity).abs().max() < 1e-13);
                assert!((v.transpose() * &v - &identity).abs().max() < 1e-13);
            }
        }
    }

    #[test]
    fn huge_and_tiny_numbers() {
        fn check<T: Float>(scales: &[f64]) {
            let unit = DMatrix::from_row_slice(3, 2, &[2.0, 1.0, 1.0, 2.0, 0.5, -1.0]);
            let expected = thin_svd(&unit).unwrap();
            for scale in scales {
                let ThinSvd { u, values, v } = thin_svd(&unit.map(|x| T::of(x * scale))).unwrap();
                let off = |a: T, b: f64| (a.to_f64() - b).abs() > 8.0 * T::EPSILON.to_f64();
                for (s, right) in values.iter().zip(&expected.values) {
                    assert!(
                        (s.to_f64() / scale / right - 1.0).abs() < 8.0 * T::EPSILON.to_f64(),
                        "{scale:e}: {s}"
                    );
                }
                assert!(!u.iter().zip(&expected.u).any(|(a, b)| off(*a, *b)), "{scale:e}: {u}");
                assert!(!v.iter().zip(&expected.v).any(|(a, b)| off(*a, *b)), "{scale:e}: {v}");
            }
        }
        check::<f64>(&[1e300, 1e150, 1.0, 1e-150, 1e-290]);
        check::<f32>(&[1e37, 1e15, 1.0, 1e-15, 1e-30]);
        let beyond = thin_svd(&DMatrix::from_element(2, 2, 1e308)).unwrap_err().to_string();
        assert_eq!(beyond, "thin_svd: a singular value leaves the range of f64");
    }

    #[test]
    fn a_nan_is_an_error() {
        let mut a = DMatrix::<f64>::zeros(3, 2);
        a[(2, 1)] = f64::NAN;
        let error = thin_svd(&a).unwrap_err().to_string();
        assert_eq!(error, "thin_svd: entry (2, 1) is NaN");
    }
}
