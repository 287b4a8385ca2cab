//! Gram matrices: K(X, X), its lower triangle alone, and blocks of K(X, Y).

use nalgebra::DMatrix;

use super::functions::{Kernel, Pairwise};
use super::samples::{Rows, Samples};
use crate::linalg::simd::vectorize;
use crate::linalg::threads::join;
use crate::linalg::{Mat, gemm, reduce};
use crate::memory::filled;
use crate::text::count;
use crate::{Error, Float, Result};

/// Numbers that one thread works on at a time.
const PART: usize = 16_384;

/// Rows of K(X, X) that are made at a time.
const ROWS: usize = 256;

/// The n×n matrix K(X, X), exactly symmetric.
///
/// Squared distances come from one product, ‖x‖² + ‖y‖² − 2⟨x, y⟩, which cancels for samples that lie close
/// together for their norms: where it is less than 1/64 of ‖x‖² + ‖y‖² it is summed anew as Σ (xᵢ − yᵢ)², so
/// that its relative error stays below some 64ε wherever the origin lies. Equal samples are at distance 0
/// exactly. Data whose spread is below an eighth of its distance from the origin takes this way for all
/// pairs, and several times as long: [`Standardize`](crate::data::preprocess::Standardize) saves that. Only
/// one half is computed.
///
/// # Panics
/// If a setting of the kernel is [outside `T`](Kernel::check), or there is no memory for n² numbers.
#[track_caller]
pub fn gram<T: Float>(kernel: &dyn Kernel<T>, x: &Samples<T>) -> DMatrix<T> {
    check(kernel);
    let mut k = gram_lower(kernel, x).unwrap_or_else(|error| panic!("gram: {error}"));
    k.fill_upper_triangle_with_lower_triangle();
    k
}

/// The m×n matrix K(X, Y), its distances as in [`gram`].
///
/// # Panics
/// If the numbers of features differ, or a setting of the kernel is [outside `T`](Kernel::check).
#[track_caller]
pub fn cross_gram<T: Float>(kernel: &dyn Kernel<T>, x: &Samples<T>, y: &Samples<T>) -> DMatrix<T> {
    check(kernel);
    let mut rows = vec![T::ZERO; x.len() * y.len()];
    cross_block(kernel, x.rows(), y.rows(), &mut rows);
    DMatrix::from_row_slice(x.len(), y.len(), &rows)
}

#[track_caller]
fn check<T: Float>(kernel: &dyn Kernel<T>) {
    if let Err(error) = kernel.check() {
        panic!("gram, {}: {error}", kernel.name());
    }
}

/// An error unless `T` holds the settings of the kernel, distances of the samples if it is a kernel of those, and
/// k(x, x) of every sample. Since
/// |k(x, y)|² ≤ k(x, x)·k(y, y), it holds all of K(X, X) then.
pub(super) fn check_kernel<T: Float>(kernel: &dyn Kernel<T>, x: &Samples<T>) -> Result<()> {
    kernel.check()?;
    // ‖x − y‖² ≤ 4·max ‖x‖², and what is infinite would pass for far apart, whatever γ is.
    let largest = x.rows().norms.iter().copied().fold(T::ZERO, Float::max);
    if kernel.pairwise() == Pairwise::SquaredDistance && !(T::of(4.0) * largest).is_finite() {
        return Err(Error::NonFinite(format!(
            "{}: squared distances of the samples may leave the range of {}: scaled features or f64 may help",
            kernel.name(),
            T::NAME
        )));
    }
    let diagonal = gram_diagonal(kernel, x.rows());
    match diagonal.iter().position(|value| !value.is_finite()) {
        None if diagonal.iter().all(|value| *value == T::ZERO) && !x.are_zero() => {
            Err(Error::NonFinite(format!(
                "{}: k(x, x) of every sample is 0 in {}, though the samples are not: larger settings, scaled \
                 features or f64 may help",
                kernel.name(),
                T::NAME
            )))
        }
        None => Ok(()),
        Some(row) => Err(Error::NonFinite(format!(
            "{}: k(x, x) of row {row} is {} in {}: smaller settings, scaled features or f64 may help",
            kernel.name(),
            diagonal[row],
            T::NAME
        ))),
    }
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
///
/// # Errors
/// [`Error::Memory`](crate::Error::Memory) if the machine has none for it.
pub(crate) fn gram_lower<T: Float>(kernel: &dyn Kernel<T>, x: &Samples<T>) -> Result<DMatrix<T>> {
    T::gram_lower(kernel, x)
}

pub fn gram_lower_of<T: Float>(kernel: &dyn Kernel<T>, x: &Samples<T>) -> Result<DMatrix<T>> {
    let n = x.len();
    let mut k = DMatrix::from_vec(n, n, filled(n.saturating_mul(n), T::ZERO, "the kernel matrix")?);
    let mut block = filled(ROWS.min(n) * n, T::ZERO, "rows of the kernel matrix")?;
    for start in (0..n).step_by(ROWS) {
        let end = n.min(start + ROWS);
        let (here, right) = (x.rows().range(start..end), x.rows().range(start..n));
        let block = &mut block[..(end - start) * (n - start)];
        pairs(kernel.pairwise(), here, right, block);
        // Row i of the upper triangle is column i of the lower one.
        let columns = &mut k.as_mut_slice()[start * n..end * n];
        let width = n - start;
        for_rows(columns, n, 0, &|i, column: &mut [T]| {
            let (others, values) = (right.range(i..right.len()), &mut column[start + i..]);
            values.copy_from_slice(&block[i * width + i..(i + 1) * width]);
            finish(kernel, values, here.range(i..i + 1), others);
            let norm = here.norms[i];
            let mut diagonal = [same(kernel, norm)];
            kernel.apply(&mut diagonal, norm, &[norm]);
            values[0] = diagonal[0];
        });
    }
    Ok(k)
}

/// K(X, Y), row-major, into `out`.
#[track_caller]
pub(crate) fn cross_block<T: Float>(kernel: &dyn Kernel<T>, x: Rows<'_, T>, y: Rows<'_, T>, out: &mut [T]) {
    T::cross_block(kernel, x, y, out);
}

#[track_caller]
pub fn cross_block_of<T: Float>(kernel: &dyn Kernel<T>, x: Rows<'_, T>, y: Rows<'_, T>, out: &mut [T]) {
    let (d, e) = (x.features, y.features);
    assert!(d == e, "kernel: samples of {} against samples of {e}", count(d, "feature"));
    pairs(kernel.pairwise(), x, y, out);
    for_rows(out, y.len(), 0, &|i, row: &mut [T]| finish(kernel, row, x.range(i..i + 1), y));
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

/// From what [`pairs`] left of the one sample `x` with all of `y` to kernel values.
fn finish<T: Float>(kernel: &dyn Kernel<T>, values: &mut [T], x: Rows<'_, T>, y: Rows<'_, T>) {
    if kernel.pairwise() == Pairwise::SquaredDistance {
        squared_distances(values, x, y);
    }
    kernel.apply(values, x.norms[0], y.norms);
}

/// Below this share of ‖x‖² + ‖y‖² a squared distance is summed anew: what is left of the difference has lost
/// six bits. Of 8·10⁶ pairs of MNIST images none is, and smoothed and scaled to length 1, as they are trained
/// on, one in 8000.
const CLOSE: f64 = 1.0 / 64.0;

/// Pairs that are looked over together for one that is close.
const CHUNK: usize = 64;

/// From ⟨x, yⱼ⟩ to ‖x − yⱼ‖², for one sample `x`.
fn squared_distances<T: Float>(values: &mut [T], x: Rows<'_, T>, y: Rows<'_, T>) {
    let (x_norm, two, share) = (x.norms[0], T::of(2.0), T::of(CLOSE));
    vectorize(
        values.len(),
        #[inline(always)]
        || {
            for (chunk, values) in values.chunks_mut(CHUNK).enumerate() {
                let norms = &y.norms[chunk * CHUNK..][..values.len()];
                // Not the other way round: where the sum overflows, nothing is above it, and a NaN is not.
                let far = |value: T, y_norm: T| value > share * (x_norm + y_norm);
                let mut all_far = true;
                for (v, y_norm) in values.iter_mut().zip(norms) {
                    *v = x_norm + *y_norm - two * *v;
                    all_far &= far(*v, *y_norm);
                }
                if all_far {
                    continue;
                }
                for (j, (v, y_norm)) in values.iter_mut().zip(norms).enumerate() {
                    if !far(*v, *y_norm) {
                        *v = squared_distance(x.values, y.row(chunk * CHUNK + j));
                    }
                }
            }
        },
    );
}

/// Σ (aᵢ − bᵢ)².
#[inline(always)]
fn squared_distance<T: Float>(a: &[T], b: &[T]) -> T {
    let term = |a: T, b: T| (a - b) * (a - b);
    // Adding up the partial sums of a short row would take longer than the row.
    if a.len() < 16 { a.iter().zip(b).map(|(a, b)| term(*a, *b)).sum() } else { reduce(a, b, term) }
}

/// Calls `work` with number and contents of every row of `width` numbers, on all threads.
pub(crate) fn for_rows<T: Float>(
    out: &mut [T],
    width: usize,
    first: usize,
    work: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    let rows = out.len().checked_div(width).unwrap_or(0);
    if rows > 1 && out.len() > PART {
        let (upper, lower) = out.split_at_mut(rows / 2 * width);
        join(|| for_rows(upper, width, first, work), || for_rows(lower, width, first + rows / 2, work));
    } else {
        out.chunks_exact_mut(width.max(1)).enumerate().for_each(|(i, row)| work(first + i, row));
    }
}
