//! Gram matrices: K(X, X), its lower triangle alone, and blocks of K(X, Y).

use nalgebra::DMatrix;

use super::functions::{Kernel, Pairwise};
use super::samples::{Rows, Samples};
use crate::Float;
use crate::linalg::simd::vectorize;
use crate::linalg::threads::join;
use crate::linalg::{Mat, gemm, reduce};

/// Numbers that one thread works on at a time.
const PART: usize = 16_384;

/// Rows of K(X, X) that are made at a time.
const ROWS: usize = 256;

/// The n×n matrix K(X, X), exactly symmetric.
///
/// Distances come from one product, ‖x‖² + ‖y‖² − 2⟨x, y⟩, clamped at 0; their error is some ε·‖x‖², so
/// data far from the origin for its spread should be centred. The diagonal is exact: k at distance 0.
/// Only one half is computed.
pub fn gram<T: Float>(kernel: &dyn Kernel<T>, x: &Samples<T>) -> DMatrix<T> {
    let mut k = gram_lower(kernel, x);
    k.fill_upper_triangle_with_lower_triangle();
    k
}

/// The m×n matrix K(X, Y).
///
/// # Panics
/// If the numbers of features differ.
#[track_caller]
pub fn cross_gram<T: Float>(kernel: &dyn Kernel<T>, x: &Samples<T>, y: &Samples<T>) -> DMatrix<T> {
    let mut rows = vec![T::ZERO; x.len() * y.len()];
    cross_block(kernel, x.rows(), y.rows(), &mut rows);
    DMatrix::from_row_slice(x.len(), y.len(), &rows)
}

/// k(x, x) for every sample.
pub(crate) fn gram_diagonal<T: Float>(kernel: &dyn Kernel<T>, x: Rows<'_, T>) -> Vec<T> {
    let value = |norm: &T| {
        let mut value = [same(kernel, *norm)];
        kernel.apply(&mut value, *norm, &[*norm]);
        value[0]
    };
    x.norms.iter().map(value).collect()
}

/// The pairwise quantity of a sample with itself.
fn same<T: Float>(kernel: &dyn Kernel<T>, norm: T) -> T {
    if kernel.pairwise() == Pairwise::InnerProduct { norm } else { T::ZERO }
}

/// The lower triangle of K(X, X); zero above.
pub(crate) fn gram_lower<T: Float>(kernel: &dyn Kernel<T>, x: &Samples<T>) -> DMatrix<T> {
    let n = x.len();
    let mut k = DMatrix::<T>::zeros(n, n);
    let mut block = vec![T::ZERO; ROWS.min(n) * n];
    for start in (0..n).step_by(ROWS) {
        let end = n.min(start + ROWS);
        let (here, right) = (x.rows().range(start..end), x.rows().range(start..n));
        let block = &mut block[..(end - start) * (n - start)];
        pairs(kernel.pairwise(), here, right, block);
        // Row i of the upper triangle is column i of the lower one.
        let columns = &mut k.as_mut_slice()[start * n..end * n];
        let width = n - start;
        for_rows(columns, n, 0, &|i, column: &mut [T]| {
            let (norms, values) = (&right.norms[i..], &mut column[start + i..]);
            values.copy_from_slice(&block[i * width + i..(i + 1) * width]);
            finish(kernel, values, here.norms[i], norms);
            let mut diagonal = [same(kernel, norms[0])];
            kernel.apply(&mut diagonal, norms[0], &norms[..1]);
            values[0] = diagonal[0];
        });
    }
    k
}

/// K(X, Y), row-major, into `out`.
#[track_caller]
pub(crate) fn cross_block<T: Float>(kernel: &dyn Kernel<T>, x: Rows<'_, T>, y: Rows<'_, T>, out: &mut [T]) {
    let (d, e) = (x.features, y.features);
    assert!(d == e, "kernel: samples of {d} features against samples of {e}");
    pairs(kernel.pairwise(), x, y, out);
    for_rows(out, y.len(), 0, &|i, row: &mut [T]| finish(kernel, row, x.norms[i], y.norms));
}

/// ⟨x, y⟩, or ‖x − y‖₁, row-major.
fn pairs<T: Float>(kind: Pairwise, x: Rows<'_, T>, y: Rows<'_, T>, out: &mut [T]) {
    let d = x.features;
    if kind == Pairwise::ManhattanDistance {
        for_rows(out, y.len(), 0, &|i, row: &mut [T]| {
            let a = x.row(i);
            for (value, b) in row.iter_mut().zip(y.values.chunks_exact(d)) {
                *value = reduce(
                    a,
                    b,
                    #[inline(always)]
                    |a, b| (a - b).abs(),
                );
            }
        });
    } else {
        gemm(out, false, Mat::new(x.values, x.len(), d), Mat::new(y.values, y.len(), d).t());
    }
}

/// From what [`pairs`] left to kernel values.
fn finish<T: Float>(kernel: &dyn Kernel<T>, values: &mut [T], x_norm: T, y_norms: &[T]) {
    if kernel.pairwise() == Pairwise::SquaredDistance {
        let two = T::of(2.0);
        vectorize(
            values.len(),
            #[inline(always)]
            || {
                for (v, y_norm) in values.iter_mut().zip(y_norms) {
                    *v = (x_norm + *y_norm - two * *v).max(T::ZERO);
                }
            },
        );
    }
    kernel.apply(values, x_norm, y_norms);
}

/// Calls `work` with number and contents of every row of `width` numbers, on all threads.
pub(crate) fn for_rows<T: Float>(
    out: &mut [T],
    width: usize,
    first: usize,
    work: &(impl Fn(usize, &mut [T]) + Sync),
) {
    let rows = out.len().checked_div(width).unwrap_or(0);
    if rows > 1 && out.len() > PART {
        let (upper, lower) = out.split_at_mut(rows / 2 * width);
        join(|| for_rows(upper, width, first, work), || for_rows(lower, width, first + rows / 2, work));
    } else {
        out.chunks_exact_mut(width.max(1)).enumerate().for_each(|(i, row)| work(first + i, row));
    }
}
