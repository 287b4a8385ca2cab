//! Spectral and singular value decompositions by nalgebra, for CPUs on which the kernels of the library are not safe: see
//! [`kernels_are_safe`](super::cpu::kernels_are_safe).

use nalgebra::{DMatrix, DVector, SVD, SymmetricEigen};

use crate::Float;

/// Steps of the iteration for each eigenvalue, of which two or three are usual.
const STEPS: usize = 100;

/// Eigenvalues in ascending order, and eigenvectors as columns, of the symmetric matrix whose lower triangle
/// is that of `a`; computed in `f64`. `None` if the iteration does not converge.
pub fn symmetric_eigen<T: Float>(a: &DMatrix<T>) -> Option<(DVector<T>, DMatrix<T>)> {
    let n = a.nrows();
    if n == 0 {
        return Some((DVector::zeros(0), DMatrix::zeros(0, 0)));
    }
    let full = DMatrix::from_fn(n, n, |i, j| a[(i.max(j), i.min(j))].to_f64());
    let found = SymmetricEigen::try_new(full, f64::EPSILON, STEPS.saturating_mul(n))?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| found.eigenvalues[*i].total_cmp(&found.eigenvalues[*j]));
    let values = DVector::from_fn(n, |i, _| T::of(found.eigenvalues[order[i]]));
    let vectors = DMatrix::from_fn(n, n, |i, j| T::of(found.eigenvectors[(i, order[j])]));
    Some((values, vectors))
}

/// Singular values in descending order with U and V of the thin decomposition, computed in `f64`. `None` if the
/// iteration does not converge.
pub fn thin_svd<T: Float>(a: &DMatrix<T>) -> Option<(DMatrix<T>, DVector<T>, DMatrix<T>)> {
    let (m, n) = a.shape();
    let k = m.min(n);
    if k == 0 {
        return Some((DMatrix::zeros(m, 0), DVector::zeros(0), DMatrix::zeros(n, 0)));
    }
    let full = a.map(|x| x.to_f64());
    let found = SVD::try_new(full, true, true, f64::EPSILON, STEPS.saturating_mul(k))?;
    let (u, v) = (found.u?, found.v_t?.transpose());
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|i, j| found.singular_values[*j].total_cmp(&found.singular_values[*i]));
    let column = |from: &DMatrix<f64>, rows| DMatrix::from_fn(rows, k, |i, j| T::of(from[(i, order[j])]));
    let values = DVector::from_fn(k, |i, _| T::of(found.singular_values[order[i]]));
    Some((column(&u, m), values, column(&v, n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small whole numbers, so that every order of summation gives the same result.
    fn whole(rows: usize, columns: usize, step: usize) -> DMatrix<f64> {
        DMatrix::from_fn(rows, columns, |i, j| (((i * 31 + j) * step) % 17) as f64 - 8.0)
    }

    #[test]
    fn eigenvalues_of_kinds() {
        let ones = DMatrix::from_element(20, 20, 1.0);
        let spread = DMatrix::from_fn(30, 30, |i, j| if i == j { 10f64.powi(i as i32 - 15) } else { 0.0 });
        let kinds = [DMatrix::zeros(0, 0), DMatrix::zeros(5, 5), DMatrix::identity(40, 40), ones, spread];
        let hilbert = DMatrix::from_fn(12, 12, |i, j| 1.0 / (i + j + 1) as f64);
        let tiny = whole(9, 9, 7).map(|x| x * 1e-300);
        let huge = whole(9, 9, 7).map(|x| x * 1e300);
        for a in kinds.into_iter().chain([hilbert, tiny, huge, whole(1, 1, 7), whole(60, 60, 5)]) {
            let n = a.nrows();
            let a = DMatrix::from_fn(n, n, |i, j| a[(i.max(j), i.min(j))]);
            // What lies above the diagonal is not read.
            let lower = DMatrix::from_fn(n, n, |i, j| if i < j { f64::NAN } else { a[(i, j)] });
            let (values, vectors) = symmetric_eigen(&lower).unwrap();
            let size = a.iter().fold(f64::MIN_POSITIVE, |m, x| m.max(x.abs()));
            // Divided before the product, which would leave the range.
            let rebuilt = &vectors * DMatrix::from_diagonal(&values.map(|x| x / size)) * vectors.transpose();
            let error = |x: DMatrix<f64>| x.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            assert!(error(rebuilt - a.map(|x| x / size)) < 1e-12 * (n + 1) as f64, "{n}");
            assert!(error(vectors.transpose() * &vectors - DMatrix::identity(n, n)) < 1e-12, "{n}");
            assert!(values.as_slice().is_sorted());
        }
    }

    #[test]
    fn the_singular_values_rebuild_the_matrix() {
        for (m, n) in [(0, 3), (1, 1), (1, 5), (5, 1), (7, 7), (40, 6), (6, 40)] {
            let a = whole(m, n, 7);
            let (u, values, v) = thin_svd(&a).unwrap();
            let k = m.min(n);
            assert_eq!((u.shape(), values.len(), v.shape()), ((m, k), k, (n, k)));
            assert!(values.iter().rev().is_sorted());
            if k > 0 {
                let identity = DMatrix::identity(k, k);
                assert!((&u * DMatrix::from_diagonal(&values) * v.transpose() - &a).abs().max() < 1e-11);
                assert!((v.transpose() * &v - &identity).abs().max() < 1e-12);
            }
        }
    }
}
