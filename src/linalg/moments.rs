//! Means, and what is left when they are taken away, without the rounding of the mean itself.
//!
//! **Method**: the corrected two-pass algorithm (Chan, Golub and LeVeque, "Algorithms for Computing the
//! Sample Variance", The American Statistician 37, 1983). A mean is rounded to the type, and is off by c; the
//! plain sum of squares then holds n·c² too much, which is all there is where the numbers are large and
//! close. Here Σ(x − mean) tells c, and c is taken away from every x − mean before anything is squared.
//! The mean is found from the first number on, x₀ + Σ(x − x₀)/n: equal numbers give exactly that number, and
//! exactly 0 for what is left.

use std::cell::Cell;

use super::column_sums::{WIDE, column_sums_in_turn, row_or_rows};
use super::simd::vectorize;
use super::sum::{map_and_square_within, reduce_within};
use crate::Float;

/// What [`centre`] finds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments<T> {
    /// The mean of the numbers; NaN of none.
    pub mean: T,
    /// A power of two: 1, or less where a difference or its square would leave the range of the type.
    pub scale: T,
    /// Σ of the squares of what was left, which is (x − mean)·`scale`.
    pub squares: T,
}

/// `centred` ← (x − mean)·scale, where scale is 1 unless the numbers are huge. Of equal numbers exactly 0.
///
/// Three passes over the numbers and no memory of its own. Where a number is infinite or NaN, so is the result.
pub(crate) fn centre<T: Float>(x: &[T], centred: &mut [T]) -> Moments<T> {
    vectorize(
        x.len(),
        #[inline(always)]
        || centre_within(x, centred),
    )
}

/// [`centre`] for what is compiled for the CPU's vectors already, and has many short rows.
#[inline(always)]
pub(crate) fn centre_within<T: Float>(x: &[T], centred: &mut [T]) -> Moments<T> {
    let n = T::of(x.len() as f64);
    let Some(&first) = x.first() else {
        return Moments { mean: T::NAN, scale: T::ONE, squares: T::ZERO };
    };
    if let ([_], [d]) = (x, &mut *centred) {
        // Nothing is left of it, or NaN.
        *d = if first.is_finite() { T::ZERO } else { T::NAN };
        return Moments { mean: first + *d, scale: T::ONE, squares: *d * *d };
    }
    let mean = first
        + reduce_within(
            x,
            x,
            #[inline(always)]
            |x, _| x - first,
        ) / n;
    let correction = reduce_within(
        x,
        x,
        #[inline(always)]
        |x, _| x - mean,
    ) / n;
    let squares = map_and_square_within(
        x,
        centred,
        #[inline(always)]
        move |x| (x - mean) - correction,
    );
    if !squares.is_finite()
        && let Some(moments) = centre_huge(x, centred)
    {
        return moments;
    }
    Moments { mean: mean + correction, scale: T::ONE, squares }
}

/// The same of numbers whose squares leave the range of the type; none where one of them is infinite or NaN.
#[cold]
#[inline(never)]
fn centre_huge<T: Float>(x: &[T], centred: &mut [T]) -> Option<Moments<T>> {
    let scaled = Huge::of(x.iter().copied())?;
    centred.iter_mut().zip(x).for_each(|(d, x)| *d = T::of(scaled.centred(*x)));
    Some(Moments {
        mean: T::of(scaled.mean / scaled.scale),
        scale: T::of(scaled.scale),
        squares: T::of(scaled.squares),
    })
}

/// For each column j of m×`means.len()`, row-major: `means`ⱼ, `centred` ← x − meansⱼ, and `squares`ⱼ ← Σ of
/// their squares over the m rows, divided by `divisor`; ∞ where that leaves the range of the type. Of no rows: NaN,
/// and 0/`divisor`.
///
/// A column of equal numbers gives exactly 0. Three passes over the numbers and no memory of its own.
///
/// # Panics
/// If the lengths do not fit.
pub(crate) fn centre_columns<T: Float>(
    x: &[T],
    centred: &mut [T],
    means: &mut [T],
    squares: &mut [T],
    divisor: T,
) {
    let cols = means.len();
    assert!(x.len() == centred.len() && squares.len() == cols, "centre_columns: the lengths differ");
    if x.is_empty() {
        means.fill(T::NAN);
        return squares.fill(T::ZERO / divisor);
    }
    let (m, first) = (T::of((x.len() / cols) as f64), &x[..cols]);
    if x.len() == cols {
        for j in 0..cols {
            let moments = centre(&x[j..=j], &mut centred[j..=j]);
            (means[j], squares[j]) = (moments.mean, moments.squares / divisor);
        }
        return;
    }
    sums_of_columns(
        x.len(),
        Cell::from_mut(means).as_slice_of_cells(),
        |j| first[j],
        #[inline(always)]
        |start, part, first| {
            part.iter_mut().zip(&x[start..]).zip(first).for_each(|((sum, x), first)| *sum += *x - *first);
        },
    );
    means.iter_mut().zip(first).for_each(|(mean, first)| *mean = *first + *mean / m);
    let sums = Cell::from_mut(&mut *squares).as_slice_of_cells();
    sums_of_columns(
        x.len(),
        sums,
        |j| means[j],
        #[inline(always)]
        |start, part, means| {
            let centred = &mut centred[start..][..part.len()];
            for (((sum, d), x), mean) in part.iter_mut().zip(centred).zip(&x[start..]).zip(means) {
                *d = *x - *mean;
                *sum += *d;
            }
        },
    );
    sums.iter().for_each(|sum| sum.set(sum.get() / m));
    means.iter_mut().zip(sums).for_each(|(mean, correction)| *mean += correction.get());
    sums_of_columns(
        x.len(),
        sums,
        |j| sums[j].get(),
        #[inline(always)]
        |start, part, corrections| {
            let centred = &mut centred[start..][..part.len()];
            for ((sum, d), correction) in part.iter_mut().zip(centred).zip(corrections) {
                *d -= *correction;
                *sum += *d * *d;
            }
        },
    );
    for j in 0..cols {
        let column = x[j..].iter().step_by(cols).copied();
        let sum = squares[j];
        squares[j] = sum / divisor;
        if !sum.is_finite()
            && let Some(scaled) = Huge::of(column.clone())
        {
            means[j] = T::of(scaled.mean / scaled.scale);
            squares[j] = T::of(scaled.squares / divisor.to_f64() / scaled.scale / scaled.scale);
            for (d, x) in centred[j..].iter_mut().step_by(cols).zip(column) {
                *d = T::of(scaled.centred(x) / scaled.scale);
            }
        }
    }
}

/// The sum of each column. `add(start, part, known)` adds the terms from number `start` on to `part`, where `known`
/// has what `of_column` says of the column of each. `of_column` may read `sums`: it is asked about a column before
/// the new sum is written there.
#[inline(always)]
fn sums_of_columns<T: Float>(
    len: usize,
    sums: &[Cell<T>],
    of_column: impl Fn(usize) -> T,
    mut add: impl FnMut(usize, &mut [T], &[T; WIDE]),
) {
    let cols = sums.len();
    let (mut known, stride) = ([T::ZERO; WIDE], row_or_rows(cols));
    column_sums_in_turn(
        len,
        cols,
        #[inline(always)]
        |start, part| {
            if start < stride {
                // The first row, or rows, of other columns than before.
                known.iter_mut().zip(start..stride).for_each(|(known, at)| *known = of_column(at % cols));
            }
            add(start, part, &known);
        },
        #[inline(always)]
        |column, part| sums[column..].iter().zip(part).for_each(|(sum, x)| sum.set(*x)),
    );
}

/// The moments of numbers so large that plain sums leave the range of the type: in `f64`, of x·scale.
pub(crate) struct Huge {
    /// A power of two.
    pub scale: f64,
    /// Of x·scale.
    pub mean: f64,
    /// Σ of the squares of [`centred`](Self::centred).
    pub squares: f64,
}

impl Huge {
    /// `None` where a number is infinite or NaN.
    #[cold]
    pub fn of<T: Float>(x: impl Iterator<Item = T> + Clone) -> Option<Huge> {
        let (mut largest, mut n) = (0.0f64, 0.0);
        for x in x.clone() {
            if !x.is_finite() {
                return None;
            }
            largest = Float::max(largest, x.to_f64().abs());
            n += 1.0;
        }
        let mut scale = 1.0;
        while largest * scale > 1.0 {
            scale *= 0.5;
        }
        let mean = x.clone().map(|x| x.to_f64() * scale / n).sum::<f64>();
        let mean = mean + x.clone().map(|x| (x.to_f64() * scale - mean) / n).sum::<f64>();
        let squares = x.map(|x| x.to_f64() * scale - mean).map(|d| d * d).sum();
        Some(Huge { scale, mean, squares })
    }

    /// x·scale − mean.
    pub fn centred<T: Float>(&self, x: T) -> f64 {
        x.to_f64() * self.scale - self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: Float>(x: &[T]) -> (Moments<T>, Vec<T>) {
        let mut centred = vec![T::NAN; x.len()];
        (centre(x, &mut centred), centred)
    }

    /// The same numbers as each column of a matrix: the same moments as alone.
    #[track_caller]
    fn check<T: Float>(x: &[T], mean: f64, squares: f64, tolerance: f64) {
        let close = |found: T, expected: f64| {
            let found = found.to_f64();
            assert!(
                found == expected || (found / expected - 1.0).abs() <= tolerance,
                "{found:e}, not {expected:e}"
            );
        };
        let (moments, _) = of(x);
        close(moments.mean, mean);
        close(moments.squares, squares * moments.scale.to_f64() * moments.scale.to_f64());
        for cols in [1, 3, 40, 130] {
            let matrix: Vec<T> = x.iter().flat_map(|x| std::iter::repeat_n(*x, cols)).collect();
            let (mut centred, mut means, mut sums) =
                (vec![T::NAN; matrix.len()], vec![T::NAN; cols], vec![T::NAN; cols]);
            centre_columns(&matrix, &mut centred, &mut means, &mut sums, T::ONE);
            means.iter().for_each(|found| close(*found, mean));
            sums.iter().for_each(|found| close(*found, T::of(squares).to_f64()));
            let (moments, alone) = of(x);
            for (i, d) in centred.iter().enumerate() {
                let alone = alone[i / cols] / moments.scale;
                assert!((*d - alone).abs().to_f64() <= tolerance * alone.abs().to_f64() || *d == alone);
            }
        }
    }

    #[test]
    fn equal_numbers_leave_nothing() {
        for n in [1, 2, 5, 33, 1000, 10_000] {
            for x in [525_029.94f32, 54_321.12, -0.1, 1e20, 3e38, f32::MIN_POSITIVE] {
                let (moments, centred) = of(&vec![x; n]);
                assert_eq!((moments.mean, moments.squares), (x, 0.0), "{n} times {x}");
                assert!(centred.iter().all(|d| *d == 0.0));
            }
            check(&vec![54_321.12f32; n.min(1000)], f64::from(54_321.12f32), 0.0, 0.0);
            check(&vec![1e14 + 0.1; n.min(1000)], 1e14 + 0.1, 0.0, 0.0);
        }
    }

    /// Right values by exact rational arithmetic, of the numbers as they are rounded to the type.
    #[test]
    fn numbers_that_are_large_and_close() {
        let x = [54_321.12f32, 54_321.13, 54_321.14];
        check(&x, 54_321.130208333336, 0.000_193_277_994_791_666_66, 1e-6);
        check(&[1e14, 1e14 + 1.0], 1e14 + 0.5, 0.5, 1e-15);
        // One unit in the last place away from 999 others.
        let mut x = [525_029.94f32; 1000];
        x[700] = f32::from_bits(x[0].to_bits() + 1);
        check(&x, 525_029.9375625, 0.003_902_343_75, 2e-6);
        // The first is far from all others.
        let mut x: Vec<f64> = (0..100).map(|i| f64::from(i % 5)).collect();
        x[0] = 1e12;
        check(&x, 10_000_000_002.0, 9.89999999996e23, 1e-14);
    }

    #[test]
    fn numbers_whose_squares_leave_the_range() {
        check(&[1e20f32, -1e20, 2e20, 0.0], 5e19, 5e40, 1e-6);
        check(&[3e38f32, -3e38], 0.0, 1.8e77, 1e-6);
        check(&[3e38f32, 3e38, 3e38, 2e38, -3e38, 3e38], 1.8333333254250675e38, 2.883333341647641e77, 1e-6);
        let (moments, centred) = of(&[1e200, -1e200, 2e200, 0.0]);
        let deviation = (moments.squares / 4.0).sqrt() / moments.scale;
        assert!((deviation / 1.118033988749895e200 - 1.0).abs() < 1e-15, "{deviation:e}");
        assert!((centred[2] / moments.scale / 1.5e200 - 1.0).abs() < 1e-15);
    }

    #[test]
    fn of_nothing_and_of_what_is_not_finite() {
        let (moments, _) = of::<f64>(&[]);
        assert!(moments.mean.is_nan() && moments.squares == 0.0);
        for x in [f64::INFINITY, f64::NAN] {
            let (moments, _) = of(&[1.0, x]);
            assert!(moments.squares.is_nan());
        }
    }
}
