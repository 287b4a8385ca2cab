//! Running sums: down the rows and along the columns.

use super::Op;
use super::reduce::Over::{self, Cols, Rows};
use crate::Float;
use crate::linalg::PIECE;
use crate::linalg::simd::vectorize;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Running sums
/// Down the rows, along the columns.
impl<T: Float> Tape<T> {
    /// Running sums down the rows of m×n, each column on its own: yᵢⱼ = x₀ⱼ + … + xᵢⱼ, m×n. This is `cumsum`
    /// with axis 0 in NumPy and dimension 0 in PyTorch. The last row is [`sum_rows`](Tape::sum_rows).
    ///
    /// The sum runs in `f64`, and what each addition rounds away is added up next to it and goes into every
    /// result (Ogita, Rump & Oishi, *Accurate Sum and Dot Product*, 2005, algorithm Sum2). So a result of `f32`
    /// is rounded once, however many numbers go into it. In `f64` the error of yᵢⱼ is at most about
    /// ε·|yᵢⱼ| + (iε)²·Σ|x|. A plain running sum has iε·Σ|x|: of a million equal numbers of `f32`, three digits
    /// are left.
    ///
    /// Backward: the running sum from the end, dxᵢⱼ = dyᵢⱼ + … + dyₘ₋₁ⱼ, summed in the same way.
    ///
    /// # Panics
    /// If `x` is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.variable_slice(2, 3, &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
    /// let down = tape.cumsum_rows(x);
    /// let along = tape.cumsum_cols(x);
    /// assert_eq!(tape.value_slice(down), [1.0, 2.0, 3.0, 11.0, 22.0, 33.0]);
    /// assert_eq!(tape.value_slice(along), [1.0, 3.0, 6.0, 10.0, 30.0, 60.0]);
    /// tape.backward_with(along, |dy| dy.fill(1.0));
    /// assert_eq!(tape.grad_slice(x), [3.0, 2.0, 1.0, 3.0, 2.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn cumsum_rows(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::CumsumRows.get(), x, Args::NONE)
    }

    /// Running sums along the columns of m×n, each row on its own: yᵢⱼ = xᵢ₀ + … + xᵢⱼ, m×n. This is `cumsum`
    /// with axis 1 in NumPy and dimension 1 in PyTorch. The last column is [`sum_cols`](Tape::sum_cols).
    ///
    /// The error is that of [`cumsum_rows`](Tape::cumsum_rows), with j in place of i.
    ///
    /// Backward: the running sum from the end, dxᵢⱼ = dyᵢⱼ + … + dyᵢₙ₋₁.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn cumsum_cols(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::CumsumCols.get(), x, Args::NONE)
    }
}

pub(super) struct Cumsum {
    pub name: &'static str,
    pub over: Over,
}

/// Adds `x` to a sum, and what is rounded away to `lost`; returns the sum with what was lost.
#[inline(always)]
fn add<T: Float>(sum: &mut f64, lost: &mut f64, x: T) -> T {
    let (before, x) = (*sum, x.to_f64());
    *sum = before + x;
    // Knuth's TwoSum: the exact error, whichever of the two is larger.
    let added = *sum - before;
    *lost += (before - (*sum - added)) + (x - added);
    // Beyond the range of the type nothing can be said about the error: it is ∞ − ∞.
    T::of(if sum.is_finite() { *sum + *lost } else { *sum })
}

/// Calls `put(at, sums)` with the running sums of x, where `sums` belong to the entries from `at` on. With
/// `from_end`, they run from the last row or column to the first.
#[inline(always)]
fn running_sums<T: Float>(
    x: &[T],
    shape: Shape,
    over: Over,
    from_end: bool,
    mut put: impl FnMut(usize, &[T]),
) {
    let Shape { rows, cols } = shape;
    let place = |i: usize, n: usize| if from_end { n - 1 - i } else { i };
    if let Cols = over {
        for (row, x) in x.chunks_exact(cols.max(1)).enumerate() {
            let (mut sum, mut lost) = (0.0, 0.0);
            for j in (0..cols).map(|j| place(j, cols)) {
                put(row * cols + j, &[add(&mut sum, &mut lost, x[j])]);
            }
        }
        return;
    }
    // Many columns at a time, so that each row is read as it lies.
    for left in (0..cols).step_by(PIECE) {
        let width = PIECE.min(cols - left);
        let (mut sums, mut lost, mut results) = ([0.0; PIECE], [0.0; PIECE], [T::ZERO; PIECE]);
        for i in (0..rows).map(|i| place(i, rows)) {
            let at = i * cols + left;
            let state = sums.iter_mut().zip(&mut lost).zip(&mut results);
            for (((sum, lost), result), x) in state.zip(&x[at..][..width]) {
                *result = add(sum, lost, *x);
            }
            put(at, &results[..width]);
        }
    }
}

impl<T: Float> Operation<T> for Cumsum {
    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        let y = cx.y();
        vectorize(
            x.len(),
            #[inline(always)]
            || {
                running_sums(x, shape, self.over, false, |at, sums| {
                    y[at..][..sums.len()].copy_from_slice(sums)
                })
            },
        );
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, shape) = (cx.dy(), cx.y_shape());
        cx.add_at(
            0,
            #[inline(always)]
            |mut dx| {
                running_sums(dy, shape, self.over, true, |at, sums| dx.part(at, sums.len()).add_slice(sums));
            },
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        cx.add_with(0, |tape| {
            let along = matches!(self.over, Cols);
            let dy = if along { tape.transpose(dy) } else { dy };
            let turned: Vec<usize> = (0..tape.shape(dy).rows).rev().collect();
            let from_end = tape.gather_rows(dy, &turned);
            let sums = tape.cumsum_rows(from_end);
            let sums = tape.gather_rows(sums, &turned);
            if along { tape.transpose(sums) } else { sums }
        });
    }
}

/// The two of them, for the table.
pub(super) const ROWS: Cumsum = Cumsum { name: "cumsum_rows", over: Rows };
pub(super) const COLS: Cumsum = Cumsum { name: "cumsum_cols", over: Cols };

#[cfg(test)]
mod tests {
    use crate::ops::testing::{UPSTREAM, check_op, feasible, filled};
    use crate::tape::Var;
    use crate::{Float, Tape};

    type Op<T> = fn(&mut Tape<T>, Var) -> Var;

    #[test]
    fn gradients() {
        let ops: [Op<f64>; 2] = [|t, x| t.cumsum_rows(x), |t, x| t.cumsum_cols(x)];
        for op in ops {
            for (m, n) in [(1, 1), (3, 4), (1, 7), (7, 1), (5, 3), (0, 3), (2, 0), (0, 0)] {
                check_op(&[filled(m, n)], |t, x| op(t, x[0]));
            }
            // More columns than are summed at a time.
            if feasible(2 * 131) {
                check_op(&[filled(2, 131)], |t, x| op(t, x[0]));
            }
        }
    }

    /// Figures of NumPy 2.4: `np.cumsum(x, axis)` of the 4×3 matrix `filled(4, 3)`, and for the gradient
    /// `np.flip(np.cumsum(np.flip(upstream, axis), axis), axis)`.
    #[test]
    fn figures_of_numpy() {
        let down = [
            [-0.45, 0.88606798, 0.12213596],
            [-1.19179606, 1.4803399, -0.14752414],
            [-2.22538818, 1.78281576, -0.7089803],
            [-1.45077636, 1.69349556, -1.56223252],
        ];
        let d_down = [
            [-0.089224, -1.133496, 2.222232],
            [-0.679224, -0.387428, 2.104368],
            [-1.56102, 0.066844, 1.694708],
            [-0.634612, 0.22932, 0.993252],
        ];
        let along = [
            [-0.45, 0.43606798, 0.55820394],
            [-0.74179606, -0.14752414, -0.41718424],
            [-1.03359212, -0.73111626, -1.29257242],
            [0.77461182, 0.68529162, -0.1679606],
        ];
        let d_along = [
            [-0.038204, -0.628204, 0.117864],
            [0.837184, -0.044612, 0.40966],
            [-0.387428, 0.53898, 0.701456],
            [0.58796, 1.222572, 0.993252],
        ];
        let check = |op: Op<f64>, value: [[f64; 3]; 4], gradient: [[f64; 3]; 4]| {
            let mut tape = Tape::new();
            let x = tape.variable(&filled(4, 3));
            let y = op(&mut tape, x);
            tape.backward_slice(y, &UPSTREAM);
            for (found, right) in [(tape.value_slice(y), value), (tape.grad_slice(x), gradient)] {
                for (found, right) in found.iter().zip(right.as_flattened()) {
                    assert!((found - right).abs() < 4e-15, "{found}, not {right}");
                }
            }
        };
        check(|t, x| t.cumsum_rows(x), down, d_down);
        check(|t, x| t.cumsum_cols(x), along, d_along);
    }

    /// A plain running sum of so many numbers of `f32` is off by 10⁻³ and more.
    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn many_entries_keep_their_digits() {
        const MANY: usize = 1_000_000;
        let check = |found: &[f32], from_end: bool| {
            for (i, found) in found.iter().enumerate() {
                let count = if from_end { MANY - i } else { i + 1 };
                let right = f64::from(0.1f32) * count as f64;
                assert!((f64::from(*found) / right - 1.0).abs() < 1.3e-7, "{found}, not {right}, at {i}");
            }
        };
        let ops: [(usize, usize, Op<f32>); 2] =
            [(MANY, 1, |t, x| t.cumsum_rows(x)), (1, MANY, |t, x| t.cumsum_cols(x))];
        for (rows, cols, op) in ops {
            let mut tape = Tape::<f32>::default();
            let x = tape.variable_with(rows, cols, |x| x.fill(0.1));
            let y = op(&mut tape, x);
            tape.backward_with(y, |dy| dy.fill(0.1));
            check(tape.value_slice(y), false);
            check(tape.grad_slice(x), true);
        }
    }

    #[test]
    fn what_is_infinite_stays_so() {
        fn run<T: Float>(x: [T; 4]) -> Vec<T> {
            let mut tape = Tape::<T>::default();
            let x = tape.constant_slice(1, 4, &x);
            let y = tape.cumsum_cols(x);
            tape.value_slice(y).to_vec()
        }
        let inf = f64::INFINITY;
        assert_eq!(run([1.0, inf, 2.0, 3.0]), [1.0, inf, inf, inf]);
        assert_eq!(run([3e38f32, 3e38, 1.0, 1.0]), [3e38, f32::INFINITY, f32::INFINITY, f32::INFINITY]);
        let y = run([1.0, -inf, inf, 3.0]);
        assert!(y[..2] == [1.0, -inf] && y[2].is_nan() && y[3].is_nan(), "{y:?}");
    }
}
