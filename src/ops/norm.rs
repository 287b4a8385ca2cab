//! Lengths: over all entries, over the rows, over the columns.

use super::reduce::{Over, column_sums, rows_of};
use super::{Op, pass_if};
use crate::Float;
use crate::linalg::norm_squared;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Tape, Var};

/// # Norms
/// Over all entries, the rows, the columns.
impl<T: Float> Tape<T> {
    /// ‖x‖ = √Σ xᵢⱼ² over all entries: 1×1. Of no entries: 0.
    ///
    /// Exact to a few units in the last place also where a square would leave the range of the type. ∞ if an
    /// entry is infinite, NaN if one is NaN.
    /// Backward: dx = x/‖x‖·dy, and 0 at the origin: the subgradient of least length, where
    /// `sqrt(sum(square(x)))` has NaN. Where an entry is infinite, its own gradient is NaN, ∞/∞, and that of
    /// the finite ones 0.
    ///
    /// # Panics
    /// If `x` is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.variable_slice(2, 2, &[3.0, 4.0, 0.0, 0.0]);
    /// let all = tape.norm(x);
    /// let each = tape.norm_cols(x);
    /// assert_eq!((tape.item(all), tape.value_slice(each)), (5.0, &[5.0, 0.0][..]));
    /// tape.backward_with(each, |dy| dy.fill(1.0));
    /// assert_eq!(tape.grad_slice(x), [0.6, 0.8, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn norm(&mut self, x: impl Into<Var>) -> Var {
        self.norm_over(Op::Norm, Over::All, x)
    }

    /// The length of each column of m×n, over its m rows: 1×n. Of no rows: 0.
    ///
    /// Backward: dxᵢⱼ = xᵢⱼ/yⱼ·dyⱼ, and 0 for a column of zeros.
    #[track_caller]
    pub fn norm_rows(&mut self, x: impl Into<Var>) -> Var {
        self.norm_over(Op::NormRows, Over::Rows, x)
    }

    /// The length of each row of m×n, over its n columns: m×1. Of no columns: 0.
    ///
    /// Backward: dxᵢⱼ = xᵢⱼ/yᵢ·dyᵢ, and 0 for a row of zeros.
    #[track_caller]
    pub fn norm_cols(&mut self, x: impl Into<Var>) -> Var {
        self.norm_over(Op::NormCols, Over::Cols, x)
    }

    #[track_caller]
    fn norm_over(&mut self, op: Op, over: Over, x: impl Into<Var>) -> Var {
        let (op, x) = (op.get(), x.into());
        let shape = self.shape_under(op, x);
        let to = over.shape(shape);
        self.apply(op, &[x], to, Args::NONE.saving(to.numel()))
    }
}

/// Saves the lengths once more, those beyond the type times [`SHRUNK`].
pub(super) struct Norm {
    pub name: &'static str,
    pub over: Over,
}

/// 2⁻³³: the length of 2⁶⁴ numbers is at most 2³² times the largest.
const SHRUNK: f64 = 1.0 / (1u64 << 33) as f64;

/// √squares of `n` numbers, or anew where some of their squares may have left the range of the type; and the
/// same to save.
#[inline(always)]
fn length<T: Float>(squares: T, n: usize, x: impl Iterator<Item = T> + Clone) -> (T, T) {
    // What each of the squares loses below the smallest normal number is a rounding of it at most.
    if squares > T::MIN_POSITIVE * T::of(n as f64) && squares.is_finite() {
        let y = squares.sqrt();
        (y, y)
    } else {
        scaled_length(x)
    }
}

/// [`length`], with every entry divided by the largest first; the sum is taken in `f64`.
#[cold]
fn scaled_length<T: Float>(x: impl Iterator<Item = T> + Clone) -> (T, T) {
    let mut largest = T::ZERO;
    for x in x.clone() {
        if x.is_nan() {
            return (T::NAN, T::NAN);
        }
        largest = largest.max(x.abs());
    }
    if largest == T::ZERO || largest == T::INFINITY {
        return (largest, largest);
    }
    let largest = largest.to_f64();
    let share = Float::sqrt(x.map(|x| x.to_f64() / largest).map(|x| x * x).sum::<f64>());
    let y = T::of(largest * share);
    (y, if y.is_finite() { y } else { T::of(largest * SHRUNK * share) })
}

/// x/y·dy for an entry x of length y, which was saved as `saved`.
#[inline(always)]
fn share<T: Float>(x: T, y: T, saved: T, dy: T) -> T {
    let x = if saved < y { x * T::of(SHRUNK) } else { x };
    pass_if(x != T::ZERO || y.is_nan(), x / saved * dy)
}

impl<T: Float> Operation<T> for Norm {
    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        let (y, saved) = cx.y_and_saved();
        let of = |x: &[T]| length(norm_squared(x), x.len(), x.iter().copied());
        match self.over {
            Over::All => (y[0], saved[0]) = of(x),
            Over::Cols => {
                let each = y.iter_mut().zip(saved).zip(rows_of(x, shape));
                each.for_each(|((y, saved), row)| (*y, *saved) = of(row));
            }
            Over::Rows => {
                column_sums(x, y, |x| x * x);
                for (j, (y, saved)) in y.iter_mut().zip(saved).enumerate() {
                    let column = x.iter().skip(j).step_by(shape.cols).copied();
                    (*y, *saved) = length(*y, shape.rows, column);
                }
            }
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (x, shape, y, saved, dy) = (cx.x(0), cx.shape(0), cx.y(), cx.saved(), cx.dy());
        let row = |i: usize| &x[i * shape.cols..][..shape.cols];
        match self.over {
            Over::All => cx.add_map(0, x, |x| share(x, y[0], saved[0], dy[0])),
            Over::Cols => {
                cx.add_rows(
                    0,
                    #[inline(always)]
                    |i, mut dx| {
                        dx.add_map(
                            row(i),
                            #[inline(always)]
                            |x| share(x, y[i], saved[i], dy[i]),
                        )
                    },
                );
            }
            Over::Rows => cx.add_rows(
                0,
                #[inline(always)]
                |i, mut dx| {
                    let x = row(i);
                    dx.add_each(
                        #[inline(always)]
                        |j| share(x[j], y[j], saved[j], dy[j]),
                    );
                },
            ),
        }
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (x, y, dy, saved) = (cx.x(0), cx.y(), cx.dy(), cx.saved());
        cx.add_with(0, |tape| {
            let (mut x, mut length) = (x, y);
            let factor = |(saved, y): (&T, &T)| if saved < y { T::of(SHRUNK) } else { T::ONE };
            let factors: Vec<T> = saved.iter().zip(tape.value_slice(y)).map(factor).collect();
            if factors.iter().any(|factor| *factor != T::ONE) {
                // The direction is that of the numbers made smaller, as in the backward pass.
                let to = tape.shape(y);
                let factors = tape.constant_slice(to.rows, to.cols, &factors);
                x = tape.mul(x, factors);
                length = match self.over {
                    Over::All => tape.norm(x),
                    Over::Rows => tape.norm_rows(x),
                    Over::Cols => tape.norm_cols(x),
                };
            }
            // At the origin there is no direction, and a divisor of 0 would be one of the second derivatives.
            let one = tape.scalar(T::ONE);
            let divisor = tape.chosen(length, |y| y != T::ZERO, length, one);
            let direction = tape.div(x, divisor);
            let direction = tape.kept(length, |y| y != T::ZERO, direction);
            let term = tape.mul(direction, dy);
            if !tape.some(dy, |dy| !dy.is_finite()) {
                return term;
            }
            // An entry of 0 passes nothing on, whatever comes from above, unless the length is NaN.
            let passed = tape.kept(x, |x| x != T::ZERO, term);
            tape.chosen(direction, T::is_nan, term, passed)
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check_op, filled, value_and_grad};
    use crate::tape::Var;
    use crate::{Float, Tape};

    type Op<T> = fn(&mut Tape<T>, Var) -> Var;

    fn ops<T: Float>() -> [Op<T>; 3] {
        [|t, x| t.norm(x), |t, x| t.norm_rows(x), |t, x| t.norm_cols(x)]
    }

    #[test]
    fn gradients() {
        for op in ops() {
            for (m, n) in [(1, 1), (3, 4), (1, 7), (70, 2), (2, 70), (0, 3), (2, 0), (0, 0)] {
                check_op(&[filled(m, n)], |t, x| op(t, x[0]));
            }
        }
    }

    /// Figures worked out by hand from the formulas, in f64.
    #[test]
    fn reference_figures() {
        let x = [1.0, -2.0, 2.0, 4.0, 0.0, -3.0];
        let run = |op: Op<f64>, upstream: &[f64]| {
            let mut tape = Tape::new();
            let x = tape.variable_slice(2, 3, &x);
            let y = op(&mut tape, x);
            tape.backward_slice(y, upstream);
            (tape.value_slice(y).to_vec(), tape.grad_slice(x).to_vec())
        };
        let close = |found: Vec<f64>, expected: &[f64]| {
            assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() < 1e-15, "{found:?}");
            }
        };
        let [all, rows, cols] = ops();
        let (y, dx) = run(all, &[1.5]);
        close(y, &[5.830951894845301]);
        close(
            dx,
            &[
                0.2572478777137633,
                -0.5144957554275266,
                0.5144957554275266,
                1.0289915108550531,
                0.0,
                -0.7717436331412898,
            ],
        );
        let (y, dx) = run(rows, &[1.0, -1.0, 0.5]);
        close(y, &[4.123105625617661, 2.0, 3.605551275463989]);
        close(
            dx,
            &[0.24253562503633297, 1.0, 0.2773500981126146, 0.9701425001453319, 0.0, -0.4160251471689219],
        );
        let (y, dx) = run(cols, &[3.0, 10.0]);
        close(y, &[3.0, 5.0]);
        close(dx, &[1.0, -2.0, 2.0, 8.0, 0.0, -6.0]);
    }

    #[test]
    fn the_gradient_at_the_origin_is_zero() {
        for op in ops() {
            for upstream in [1.0, f64::INFINITY, f64::NAN] {
                let mut tape = Tape::new();
                let x = tape.variable_slice(2, 2, &[0.0, -0.0, 0.0, 0.0]);
                let y = op(&mut tape, x);
                tape.backward_with(y, |dy| dy.fill(upstream));
                assert!(tape.value_slice(y).iter().all(|y| *y == 0.0));
                assert_eq!(tape.grad_slice(x), [0.0; 4]);
            }
        }
        // A column and a row of zeros beside others.
        let mut tape = Tape::new();
        let x = tape.variable_slice(2, 2, &[0.0, 0.0, 0.0, 2.0]);
        let (rows, cols) = (tape.norm_rows(x), tape.norm_cols(x));
        for y in [rows, cols] {
            assert_eq!(tape.value_slice(y), [0.0, 2.0]);
            tape.backward_with(y, |dy| dy.fill(1.0));
            assert_eq!(tape.grad_slice(x), [0.0, 0.0, 0.0, 1.0]);
        }
        // Built of single operations it is NaN there, as the doc of sqrt says.
        let (_, dx) = value_and_grad(&[0.0, 0.0], |t, x| {
            let squares = t.square(x);
            let sum = t.sum(squares);
            t.sqrt(sum)
        });
        assert!(dx.iter().all(|dx| dx.is_nan()));
    }

    /// 3, 4 and 5 times so much: of each size, in all three forms.
    fn scaled<T: Float>(sizes: &[T]) {
        for &size in sizes {
            for op in ops() {
                for flat in [true, false] {
                    let mut tape = Tape::<T>::default();
                    let entries = [T::of(3.0) * size, T::of(-4.0) * size];
                    let (rows, cols) = if flat { (1, 2) } else { (2, 1) };
                    let x = tape.variable_slice(rows, cols, &entries);
                    let y = op(&mut tape, x);
                    tape.backward_with(y, |dy| dy.fill(T::ONE));
                    let close = |found: T, expected: f64, tolerance: f64| {
                        assert!((found.to_f64() / expected - 1.0).abs() < tolerance, "{found:e}, {size:e}");
                    };
                    let dx = tape.grad_slice(x);
                    let (tolerance, size) = (4.0 * T::EPSILON.to_f64(), size.to_f64());
                    if tape.value_slice(y).len() == 1 {
                        close(tape.item(y), 5.0 * size, tolerance);
                        close(dx[0], 0.6, tolerance);
                        close(dx[1], -0.8, tolerance);
                    } else {
                        close(tape.value_slice(y)[1], 4.0 * size, tolerance);
                        assert_eq!(dx[1], -T::ONE);
                    }
                }
            }
        }
    }

    #[test]
    fn large_and_small_entries() {
        scaled::<f32>(&[1e20, 6e37, 1e-12, 1e-20, 1e-30, 1e-38, f32::from_bits(1)]);
        scaled::<f64>(&[1e160, 3e307, 1e-150, 1e-160, 1e-300, f64::from_bits(1)]);
    }

    #[test]
    fn beyond_the_type_and_not_a_number() {
        // The length is 4.24e38, which f32 does not hold; the direction it does.
        let mut tape = Tape::<f32>::default();
        let x = tape.variable_slice(1, 3, &[3e38, -3e38, 0.0]);
        let y = tape.norm(x);
        tape.backward(y);
        assert_eq!(tape.item(y), f32::INFINITY);
        let expected = [0.70710677f32, -0.70710677, 0.0];
        assert!(tape.grad_slice(x).iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));

        let inf = f64::INFINITY;
        let (y, dx) = value_and_grad(&[1.0, inf], |t, x| t.norm(x));
        assert!(y[0] == inf && dx[0] == 0.0 && dx[1].is_nan());
        let (y, dx) = value_and_grad(&[0.0, f64::NAN, inf], |t, x| t.norm(x));
        assert!(y[0].is_nan() && dx.iter().all(|dx| dx.is_nan()));
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn many_entries() {
        let mut tape = Tape::<f32>::default();
        let x = tape.constant_with(1_000_000, 1, |x| x.fill(0.1));
        for y in [tape.norm(x), tape.norm_rows(x)] {
            assert!((tape.item(y) / 100.0 - 1.0).abs() < 1e-6, "{}", tape.item(y));
        }
    }
}
