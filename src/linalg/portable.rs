//! The kernels as plain loops, for CPUs on which those of the library are not safe: see
//! [`kernels_are_safe`](super::cpu::kernels_are_safe).
//!
//! Every entry of a product is a chain of a multiply and an add each, in the order of the inner index, so
//! that its bits do not depend on how the work is cut or on the vectors that the compiler uses.

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, MatMut, MatRef};
use nalgebra::{DMatrix, DVector, SVD, SymmetricEigen};

use crate::Float;

/// Entries of a row that are summed side by side.
const COLUMNS: usize = 32;
/// Rows of B that are copied at a time: 64·32 numbers stay in the nearest cache.
const DEPTH: usize = 64;

/// Which entries of a product are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    All,
    /// Those on and below the diagonal; the others are left as they are.
    Lower,
}

/// C ← scale·A·B, or C ← C + scale·A·B.
pub fn product<T: Float>(
    mut c: MatMut<'_, T>,
    part: Part,
    accum: Accum,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    scale: T,
) {
    let (rows, columns, depth) = (c.nrows(), c.ncols(), a.ncols());
    assert!(a.nrows() == rows && b.nrows() == depth && b.ncols() == columns, "product: shapes do not fit");
    for first in (0..columns).step_by(COLUMNS) {
        let width = COLUMNS.min(columns - first);
        let top = if part == Part::Lower { first } else { 0 };
        // How many entries of row i in this strip are wanted.
        let wanted = |i: usize| if part == Part::Lower { width.min(i - first + 1) } else { width };
        if accum == Accum::Replace {
            for i in top..rows {
                (0..wanted(i)).for_each(|j| c[(i, first + j)] = T::ZERO);
            }
        }
        for start in (0..depth).step_by(DEPTH) {
            let height = DEPTH.min(depth - start);
            let mut block = [[T::ZERO; COLUMNS]; DEPTH];
            for (l, row) in block[..height].iter_mut().enumerate() {
                (0..width).for_each(|j| row[j] = b[(start + l, first + j)]);
            }
            for i in top..rows {
                let mut sums = [T::ZERO; COLUMNS];
                (0..wanted(i)).for_each(|j| sums[j] = c[(i, first + j)]);
                for (l, row) in block[..height].iter().enumerate() {
                    let factor = scale * a[(i, start + l)];
                    for (sum, x) in sums.iter_mut().zip(row) {
                        *sum += factor * *x;
                    }
                }
                (0..wanted(i)).for_each(|j| c[(i, first + j)] = sums[j]);
            }
        }
    }
}

/// A solve up to this size is done entry by entry; larger ones are halved, so that most work is products.
const LEAF: usize = 32;

/// B ← L⁻¹·B, L lower triangular.
pub fn solve_lower<T: Float>(l: MatRef<'_, T>, mut b: MatMut<'_, T>) {
    let n = l.nrows();
    if n > LEAF {
        let middle = (n / 2).next_multiple_of(16);
        let (l11, _, l21, l22) = l.split_at(middle, middle);
        let (mut b1, mut b2) = b.split_at_row_mut(middle);
        solve_lower(l11, b1.rb_mut());
        product(b2.rb_mut(), Part::All, Accum::Add, l21, b1.rb(), -T::ONE);
        return solve_lower(l22, b2);
    }
    for j in 0..b.ncols() {
        for i in 0..n {
            let sum = (0..i).fold(b[(i, j)], |sum, k| sum - l[(i, k)] * b[(k, j)]);
            b[(i, j)] = sum / l[(i, i)];
        }
    }
}

/// B ← U⁻¹·B, U upper triangular.
pub fn solve_upper<T: Float>(u: MatRef<'_, T>, mut b: MatMut<'_, T>) {
    let n = u.nrows();
    if n > LEAF {
        let middle = (n / 2).next_multiple_of(16);
        let (u11, u12, _, u22) = u.split_at(middle, middle);
        let (mut b1, mut b2) = b.split_at_row_mut(middle);
        solve_upper(u22, b2.rb_mut());
        product(b1.rb_mut(), Part::All, Accum::Add, u12, b2.rb(), -T::ONE);
        return solve_upper(u11, b1);
    }
    for j in 0..b.ncols() {
        for i in (0..n).rev() {
            let sum = (i + 1..n).fold(b[(i, j)], |sum, k| sum - u[(i, k)] * b[(k, j)]);
            b[(i, j)] = sum / u[(i, i)];
        }
    }
}

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

    fn view(a: &DMatrix<f64>) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(a.as_slice(), a.nrows(), a.ncols())
    }

    fn view_mut(a: &mut DMatrix<f64>) -> MatMut<'_, f64> {
        let (rows, columns) = a.shape();
        MatMut::from_column_major_slice_mut(a.as_mut_slice(), rows, columns)
    }

    #[test]
    fn products_of_every_form() {
        for (m, k, n) in [(0, 3, 2), (3, 0, 2), (1, 1, 1), (5, 64, 32), (33, 65, 31), (70, 130, 97)] {
            let (a, b, start) = (whole(m, k, 7), whole(k, n, 5), whole(m, n, 3));
            let expected = &a * &b;
            for (accum, scale) in [(Accum::Replace, 1.0), (Accum::Add, 1.0), (Accum::Add, -1.0)] {
                let before = if accum == Accum::Add { start.clone() } else { DMatrix::zeros(m, n) };
                let right = before + &expected * scale;
                let mut c = if accum == Accum::Add { start.clone() } else { start.map(|_| f64::NAN) };
                product(view_mut(&mut c), Part::All, accum, view(&a), view(&b), scale);
                assert_eq!(c, right, "{m}×{k}×{n}");
                // Everything transposed: other strides on all sides.
                let (at, bt) = (a.transpose(), b.transpose());
                let mut ct = if accum == Accum::Add { start.transpose() } else { DMatrix::zeros(n, m) };
                let c = view_mut(&mut ct).transpose_mut();
                product(c, Part::All, accum, view(&at).transpose(), view(&bt).transpose(), scale);
                assert_eq!(ct.transpose(), right, "{m}×{k}×{n}, transposed");
            }
        }
    }

    #[test]
    fn the_lower_part_leaves_the_upper_one() {
        for n in [0, 1, 31, 33, 70] {
            let a = whole(n, 90, 7);
            let square = &a * a.transpose();
            for accum in [Accum::Replace, Accum::Add] {
                let mut c = DMatrix::from_element(n, n, 4.0);
                product(view_mut(&mut c), Part::Lower, accum, view(&a), view(&a).transpose(), -1.0);
                let start = if accum == Accum::Add { 4.0 } else { 0.0 };
                let right = |i, j| if i < j { 4.0 } else { start - square[(i, j)] };
                assert_eq!(c, DMatrix::from_fn(n, n, right));
            }
        }
    }

    #[test]
    fn solves_undo_products() {
        for n in [0, 1, 2, 31, 33, 100, 200] {
            // Unit triangular with small entries: well conditioned.
            let l = DMatrix::from_fn(n, n, |i, j| match i.cmp(&j) {
                std::cmp::Ordering::Less => 0.0,
                std::cmp::Ordering::Equal => 2.0,
                std::cmp::Ordering::Greater => (((i * 7 + j * 3) % 5) as f64 - 2.0) / n as f64,
            });
            for columns in [0, 1, 40] {
                let x = whole(n, columns, 5);
                let mut b = &l * &x;
                solve_lower(view(&l), view_mut(&mut b));
                assert!((&b - &x).iter().all(|e| e.abs() < 1e-12), "{n}");
                let mut b = l.transpose() * &x;
                solve_upper(view(&l).transpose(), view_mut(&mut b));
                assert!((&b - &x).iter().all(|e| e.abs() < 1e-12), "{n}");
                // Right-hand sides that lie in rows.
                let mut b = (&l * &x).transpose();
                solve_lower(view(&l), view_mut(&mut b).transpose_mut());
                assert!((b.transpose() - &x).iter().all(|e| e.abs() < 1e-12), "{n}");
            }
        }
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
