//! The Cholesky factor of a symmetric positive definite matrix.

use nalgebra::{DMatrix, DVector};

use super::gemm::product;
use super::product::Into;
use super::simd::vectorize;
use super::threads::join;
use super::triangular::{add_square, solve_lower, solve_upper};
use super::view::{View, ViewMut};
use crate::text::count;
use crate::{Error, Float, Result};

/// A matrix up to this size is factored column by column.
const LEAF: usize = 32;

/// Right-hand sides go to the threads in pieces of so many.
const BLOCK: usize = 128;

/// A = L·Lᵀ with L lower triangular, in the memory of A.
///
/// The recursive form of the algorithm (Gustavson, "Recursion leads to automatic variable blocking for
/// dense linear-algebra algorithms", 1997): factor the leading half, solve for the rows below, subtract
/// their product from the other half, factor that. How it is cut depends on the size only, so the number
/// of threads does not change a bit.
///
/// ```
/// use nalgebra::dmatrix;
/// use tapegrad::linalg::Cholesky;
///
/// let cholesky = Cholesky::new(dmatrix![4.0, 2.0; 2.0, 5.0])?;
/// assert_eq!(cholesky.l(), &dmatrix![2.0, 0.0; 1.0, 2.0]);
/// assert!((cholesky.log_determinant() - 16f64.ln()).abs() < 1e-15);
/// let mut b = dmatrix![8.0; 9.0];
/// cholesky.solve_in_place(&mut b);
/// assert!((b - dmatrix![11.0 / 8.0; 5.0 / 4.0]).abs().max() < 1e-15);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cholesky<T: Float> {
    l: DMatrix<T>,
}

impl<T: Float> Cholesky<T> {
    /// Factors `a`, of which only the lower triangle is read. Takes n³/6 multiply-adds and O(n) memory
    /// besides `a`.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] at the first pivot that is not above n·ε·aᵢᵢ, ε being
    /// [`Float::EPSILON`]: the rounding errors of the pivot are as large, so none of its digits is right,
    /// and a matrix that is singular in exact arithmetic would pass by chance.
    ///
    /// # Panics
    /// If `a` is not square.
    #[track_caller]
    pub fn new(a: DMatrix<T>) -> Result<Self> {
        T::cholesky(a)
    }

    #[track_caller]
    pub(super) fn factored(mut a: DMatrix<T>) -> Result<Self> {
        assert!(a.is_square(), "Cholesky: the matrix is {}×{}", a.nrows(), a.ncols());
        let n = a.nrows();
        let noise = T::of(n as f64) * T::EPSILON;
        let diagonal: Vec<T> = a.diagonal().iter().copied().collect();
        let floor: Vec<T> = diagonal.iter().map(|x| noise * x.abs()).collect();
        let view = ViewMut::by_columns(a.as_mut_slice(), n, n);
        factor(view, &floor, 0).map_err(|(pivot, value)| {
            let typical = diagonal.iter().map(|x| x.to_f64().abs()).sum::<f64>() / n as f64;
            let needed = Float::max(2.0 * value.abs(), T::EPSILON.to_f64().sqrt() * typical);
            let hint = if needed == 0.0 {
                "its diagonal is zero, as for samples whose features are all 0".into()
            } else if needed.is_finite() {
                format!("add {needed:.1e} or more to the diagonal (K + nλI: λ ≥ {:.1e})", needed / n as f64)
            } else {
                "an entry is NaN, infinite, or too large to be squared".into()
            };
            Error::NotPositiveDefinite { pivot, value, hint }
        })?;
        for j in 1..n {
            a.as_mut_slice()[j * n..j * n + j].fill(T::ZERO);
        }
        Ok(Cholesky { l: a })
    }

    /// L; zero above the diagonal.
    pub fn l(&self) -> &DMatrix<T> {
        &self.l
    }

    /// n.
    pub fn size(&self) -> usize {
        self.l.nrows()
    }

    /// ln det A = 2·Σ ln Lᵢᵢ.
    pub fn log_determinant(&self) -> f64 {
        2.0 * self.l.diagonal().iter().map(|x| Float::ln(x.to_f64())).sum::<f64>()
    }

    /// B ← A⁻¹·B, for n×c right-hand sides.
    ///
    /// # Panics
    /// If `b` does not have n rows.
    #[track_caller]
    pub fn solve_in_place(&self, b: &mut DMatrix<T>) {
        self.check(b);
        self.forward(b.as_mut_slice());
        self.backward(b.as_mut_slice());
    }

    /// B ← L⁻¹·B.
    ///
    /// # Panics
    /// If `b` does not have n rows.
    #[track_caller]
    pub fn solve_lower_in_place(&self, b: &mut DMatrix<T>) {
        self.check(b);
        self.forward(b.as_mut_slice());
    }

    /// B ← L⁻ᵀ·B.
    ///
    /// # Panics
    /// If `b` does not have n rows.
    #[track_caller]
    pub fn solve_upper_in_place(&self, b: &mut DMatrix<T>) {
        self.check(b);
        self.backward(b.as_mut_slice());
    }

    /// The diagonal of A⁻¹: (A⁻¹)ᵢᵢ = Σₖ (L⁻¹)ₖᵢ², n³/6 multiply-adds, in blocks of columns.
    pub fn inverse_diagonal(&self) -> DVector<T> {
        let mut out = DVector::zeros(self.size());
        inverse_norms(self.view(), 0, out.as_mut_slice());
        out
    }

    /// The columns from `start` to `end` of A⁻¹, column-major, from row `start` on.
    pub(crate) fn inverse_columns(&self, start: usize, end: usize) -> Vec<T> {
        let (rows, columns) = (self.size() - start, end - start);
        let mut out = vec![T::ZERO; rows * columns];
        for i in 0..columns {
            out[i * rows + i] = T::ONE;
        }
        // Column i of L⁻¹ is zero above row i, and the rows of L⁻ᵀ·B from `start` on take none above.
        let l = self.view().get(start.., start..);
        solve_columns(&mut out, rows, &|b| solve_lower(l, b));
        solve_columns(&mut out, rows, &|b| solve_upper(l.transpose(), b));
        out
    }

    /// The lower triangle of Lᵀ·L; above it lies something else.
    pub(crate) fn transposed_product(&self) -> DMatrix<T> {
        let n = self.size();
        let mut out = DMatrix::<T>::zeros(n, n);
        let l = self.view();
        for start in (0..n).step_by(2 * BLOCK) {
            let end = n.min(start + 2 * BLOCK);
            let out = ViewMut::by_columns(out.as_mut_slice(), n, n);
            // L is zero above row `start` in these columns.
            let below = l.get(start.., ..end);
            let left = l.get(start.., start..end).transpose();
            product(out.get(start..end, ..end), Into::Replace, left, below);
        }
        out
    }

    /// B ← L⁻¹·B; `b` is column-major, or the rows of Bᵀ one behind the other.
    pub(crate) fn forward(&self, b: &mut [T]) {
        T::solve_lower(self, b);
    }

    fn backward(&self, b: &mut [T]) {
        T::solve_upper(self, b);
    }

    pub(super) fn forward_of(&self, b: &mut [T]) {
        solve_columns(b, self.size(), &|b| solve_lower(self.view(), b));
    }

    pub(super) fn backward_of(&self, b: &mut [T]) {
        solve_columns(b, self.size(), &|b| solve_upper(self.view().transpose(), b));
    }

    fn view(&self) -> View<'_, T> {
        View::by_columns(self.l.as_slice(), self.size(), self.size())
    }

    #[track_caller]
    fn check(&self, b: &DMatrix<T>) {
        assert!(
            b.nrows() == self.size(),
            "Cholesky: a {0}×{0} matrix, but {1}×{2} right-hand sides",
            self.size(),
            b.nrows(),
            b.ncols()
        );
    }
}

/// Factors in place; index and value of the first pivot not above its floor otherwise.
fn factor<T: Float>(mut a: ViewMut<'_, T>, floor: &[T], first: usize) -> Result<(), (usize, f64)> {
    let n = a.nrows();
    if n <= LEAF {
        return factor_leaf(a, floor, first);
    }
    let middle = (n / 2).next_multiple_of(16);
    let [mut a11, _, mut a21, mut a22] = a.rb_mut().split_at(middle, middle);
    factor(a11.rb_mut(), &floor[..middle], first)?;
    solve_right(a11.rb(), a21.rb_mut());
    add_square(a22.rb_mut(), Into::Subtract, a21.rb());
    factor(a22, &floor[middle..], first + middle)
}

/// Each entry takes its products from the first column on, each product and each difference rounded. The diagonal is the
/// pivot over its root as well, which is not always the root to the last bit.
fn factor_leaf<T: Float>(mut a: ViewMut<'_, T>, floor: &[T], first: usize) -> Result<(), (usize, f64)> {
    let n = a.nrows();
    // Its columns, beside one another.
    let mut columns = [[T::ZERO; LEAF]; LEAF];
    for (j, column) in columns[..n].iter_mut().enumerate() {
        (j..n).for_each(|i| column[i] = a[(i, j)]);
    }
    let failed = vectorize(
        n * n * n,
        #[inline(always)]
        || factor_columns(&mut columns[..n], floor),
    );
    for (j, column) in columns[..n].iter().enumerate() {
        (j..n).for_each(|i| a[(i, j)] = column[i]);
    }
    failed.map_err(|(j, pivot)| (first + j, pivot))
}

/// As [`factor_leaf`], for columns that lie beside one another.
#[inline(always)]
fn factor_columns<T: Float>(columns: &mut [[T; LEAF]], floor: &[T]) -> Result<(), (usize, f64)> {
    for j in 0..columns.len() {
        let (before, rest) = columns.split_at_mut(j);
        // A copy, so that it stays in registers. What is above the diagonal or below the last row is computed as well; no
        // entry that counts depends on it.
        let mut column = rest[0];
        for other in before.iter() {
            let factor = other[j];
            for (x, y) in column.iter_mut().zip(other) {
                *x -= *y * factor;
            }
        }
        let pivot = column[j];
        // A NaN is not above the floor either; infinity is no number to go on with.
        if !(pivot > floor[j] && Float::is_finite(pivot)) {
            return Err((j, pivot.to_f64()));
        }
        let root = Float::sqrt(pivot);
        for x in &mut column {
            *x /= root;
        }
        rest[0] = column;
    }
    Ok(())
}

/// X ← X·L⁻ᵀ.
fn solve_right<T: Float>(l: View<'_, T>, mut x: ViewMut<'_, T>) {
    let (rows, n) = (x.nrows(), l.nrows());
    if n > BLOCK {
        let middle = (n / 2).next_multiple_of(16);
        let [l11, _, l21, l22] = l.split_at(middle, middle);
        let (mut x1, mut x2) = x.rb_mut().split_at_col(middle);
        solve_right(l11, x1.rb_mut());
        product(x2.rb_mut(), Into::Subtract, x1.rb(), l21.transpose());
        solve_right(l22, x2);
    } else if rows > BLOCK {
        let (x1, x2) = x.split_at_row((rows / 2).next_multiple_of(16));
        join(|| solve_right(l, x1), || solve_right(l, x2));
    } else {
        solve_lower(l, x.transpose());
    }
}

/// C ← C + AᵀA, the lower triangle, for the row-major b×n matrix `a`.
///
/// # Panics
/// If `c` is not n×n or `a` does not have rows of n numbers.
#[track_caller]
pub(crate) fn add_gram<T: Float>(c: &mut DMatrix<T>, a: &[T]) {
    let n = c.ncols();
    assert!(
        c.is_square() && a.len().is_multiple_of(n.max(1)),
        "add_gram: {} for n = {n}",
        count(a.len(), "number")
    );
    let a = View::by_rows(a, a.len() / n.max(1), n);
    add_square(ViewMut::by_columns(c.as_mut_slice(), n, n), Into::Add, a.transpose());
}

/// Gives the columns of `b`, `n` numbers each, to the threads in pieces.
fn solve_columns<T: Float>(b: &mut [T], n: usize, solve: &(impl Fn(ViewMut<'_, T>) + Sync)) {
    let columns = b.len().checked_div(n).unwrap_or(0);
    if columns > BLOCK {
        let (b1, b2) = b.split_at_mut((columns / 2).next_multiple_of(16) * n);
        join(|| solve_columns(b1, n, solve), || solve_columns(b2, n, solve));
    } else if columns > 0 {
        solve(ViewMut::by_columns(b, n, columns));
    }
}

/// Σₖ (L⁻¹)ₖᵢ² for the columns i from `first` on.
fn inverse_norms<T: Float>(l: View<'_, T>, first: usize, out: &mut [T]) {
    let columns = out.len();
    if columns > BLOCK {
        let (out1, out2) = out.split_at_mut((columns / 2).next_multiple_of(16));
        let second = first + out1.len();
        return join(|| inverse_norms(l, first, out1), || inverse_norms(l, second, out2));
    }
    // Column i of L⁻¹ is zero above row i.
    let rows = l.nrows() - first;
    let mut columns_of_inverse = vec![T::ZERO; rows * columns];
    for i in 0..columns {
        columns_of_inverse[i * rows + i] = T::ONE;
    }
    let view = ViewMut::by_columns(&mut columns_of_inverse, rows, columns);
    solve_lower(l.get(first.., first..), view);
    for (out, column) in out.iter_mut().zip(columns_of_inverse.chunks_exact(rows.max(1))) {
        *out = super::norm_squared(column);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::with_threads;

    /// B·Bᵀ + n·I with whole numbers in B.
    fn positive_definite(n: usize) -> DMatrix<f64> {
        let b = DMatrix::from_fn(n, n, |i, j| ((i * 31 + j * 17 + i * j) % 13) as f64 - 6.0);
        &b * b.transpose() + DMatrix::identity(n, n) * n as f64
    }

    #[test]
    fn rebuilds_solves_and_inverts() {
        for n in [0, 1, 2, 31, 33, 129, 300] {
            let a = positive_definite(n);
            let mut lower = a.clone();
            // What lies above the diagonal is not read.
            for j in 0..n {
                (0..j).for_each(|i| lower[(i, j)] = f64::NAN);
            }
            let cholesky = Cholesky::new(lower).unwrap();
            let size = a.abs().sum().max(1.0);
            let rebuilt = cholesky.l() * cholesky.l().transpose();
            assert!((&rebuilt - &a).abs().sum() < 1e-14 * size, "{n}");
            for columns in [0, 1, 3, 200] {
                let x = DMatrix::from_fn(n, columns, |i, j| ((i * 7 + j * 3) % 11) as f64 - 5.0);
                let mut b = &a * &x;
                cholesky.solve_in_place(&mut b);
                assert!((b - x).abs().iter().all(|e| *e < 1e-10), "{n} {columns}");
            }
            let Some(inverse) = a.clone().try_inverse() else { panic!("{n}") };
            let diagonal = cholesky.inverse_diagonal();
            assert!((0..n).all(|i| (diagonal[i] / inverse[(i, i)] - 1.0).abs() < 1e-11), "{n}");
            for (start, end) in [(0, n), (n / 2, n), (n / 3, n / 2)] {
                let columns = cholesky.inverse_columns(start, end);
                for (j, column) in (start..end).zip(columns.chunks_exact((n - start).max(1))) {
                    let near = |(i, v): (usize, &f64)| (v - inverse[(start + i, j)]).abs() < 1e-11;
                    assert!(column.iter().enumerate().all(near), "{n} {start} {end}");
                }
            }
            let expected = cholesky.l().transpose() * cholesky.l();
            let product = cholesky.transposed_product();
            assert!(
                (0..n).all(|j| (j..n).all(|i| (product[(i, j)] - expected[(i, j)]).abs() < 1e-12 * size))
            );
            if let Some(reference) = nalgebra::Cholesky::new(a) {
                let determinant: f64 = reference.l().diagonal().iter().map(|x| 2.0 * x.ln()).sum();
                assert!((cholesky.log_determinant() - determinant).abs() <= 1e-12 * determinant.abs());
            }
        }
    }

    /// A leaf as it is defined, to the last bit.
    #[test]
    fn a_leaf_takes_its_products_in_order() {
        for n in [1, 2, 5, 31, LEAF] {
            let a = positive_definite(n) / 3.0;
            let mut l = DMatrix::zeros(n, n);
            for j in 0..n {
                let rest = |i: usize| (0..j).fold(a[(i, j)], |rest, k| rest - l[(i, k)] * l[(j, k)]);
                let column: Vec<f64> = (j..n).map(rest).collect();
                let root = column[0].sqrt();
                (j..n).zip(column).for_each(|(i, rest)| l[(i, j)] = rest / root);
            }
            assert!(Cholesky::new(a).unwrap().l() == &l, "{n}");
        }
    }

    #[test]
    fn of_nothing_and_of_one_number() {
        for n in [0, 1] {
            let cholesky = Cholesky::new(DMatrix::from_element(n, n, 4.0)).unwrap();
            assert_eq!((cholesky.size(), cholesky.log_determinant()), (n, n as f64 * Float::ln(4.0)));
            for columns in [0, 1, 3] {
                let mut b = DMatrix::from_element(n, columns, 8.0);
                cholesky.solve_lower_in_place(&mut b);
                cholesky.solve_upper_in_place(&mut b);
                assert_eq!(b, DMatrix::from_element(n, columns, 2.0));
                cholesky.solve_in_place(&mut b);
                assert_eq!(b, DMatrix::from_element(n, columns, 0.5));
            }
            assert_eq!(cholesky.inverse_diagonal(), DVector::from_element(n, 0.25));
            assert_eq!(cholesky.inverse_columns(0, n), vec![0.25; n]);
            assert_eq!(cholesky.transposed_product(), DMatrix::from_element(n, n, 4.0));
            for rows in [0, 1, 2] {
                let mut c = DMatrix::from_element(n, n, 1.0);
                add_gram(&mut c, &vec![3.0; rows * n]);
                assert_eq!(c, DMatrix::from_element(n, n, 1.0 + 9.0 * rows as f64));
            }
        }
    }

    #[test]
    fn names_the_pivot() {
        let mut a = positive_definite(100);
        let last = 70;
        a[(last, last)] = -3.0;
        let Err(Error::NotPositiveDefinite { pivot, value, hint }) = Cholesky::new(a) else { panic!() };
        assert!(pivot == last && value < -3.0 && hint.contains("λ ≥"), "{pivot} {value} {hint}");
        for bad in [f64::NAN, f64::INFINITY] {
            let result = Cholesky::new(DMatrix::from_element(1, 1, bad));
            assert!(matches!(result, Err(Error::NotPositiveDefinite { pivot: 0, .. })));
        }
        let Err(Error::NotPositiveDefinite { hint, .. }) = Cholesky::new(DMatrix::<f64>::zeros(3, 3)) else {
            panic!()
        };
        assert!(hint.contains("diagonal is zero"), "{hint}");
        // Rank 1: exact arithmetic would give a pivot of zero, rounding may give a positive one.
        let v = DMatrix::from_fn(50, 1, |i, _| (i as f64 + 1.0).sqrt());
        let result = Cholesky::new(&v * v.transpose());
        assert!(matches!(result, Err(Error::NotPositiveDefinite { pivot: 1, .. })));
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let a = positive_definite(500);
        let run = |threads| {
            with_threads(threads, || {
                let cholesky = Cholesky::new(a.clone()).unwrap();
                let mut b = a.clone();
                cholesky.solve_in_place(&mut b);
                (cholesky.inverse_diagonal(), b, cholesky)
            })
        };
        let (one, three) = (run(1), run(3));
        assert_eq!((one.0, one.1, one.2.l), (three.0, three.1, three.2.l));
    }
}
