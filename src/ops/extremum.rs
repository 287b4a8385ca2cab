//! The larger and the smaller of two operands, and the maximum over a matrix.

use super::broadcast::entry;
use super::reduce::{Over, rows_of};
use super::{Binary, Op, pass_if};
use crate::Float;
use crate::linalg::simd::vectorize;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Extrema
/// The larger and the smaller of two, and the largest entry.
impl<T: Float> Tape<T> {
    /// The larger of a and b, entry by entry, broadcast as [`add`](Tape::add). NaN if either is.
    ///
    /// The gradient goes to the larger one; where both are equal, half of it to each, as in PyTorch.
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    #[track_caller]
    pub fn maximum(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        self.broadcast(Op::Maximum.get(), a, b)
    }

    /// The smaller of a and b, entry by entry, broadcast as [`add`](Tape::add). NaN if either is.
    ///
    /// The gradient goes to the smaller one; where both are equal, half of it to each, as in PyTorch.
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    #[track_caller]
    pub fn minimum(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        self.broadcast(Op::Minimum.get(), a, b)
    }

    /// The largest of all entries: 1×1. NaN if any is.
    ///
    /// Backward: the gradient goes to the first of the largest entries, row by row.
    ///
    /// # Panics
    /// If `x` is stale, or there are no entries: nothing has no maximum. So for the other two.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.variable_slice(2, 2, &[1.0, 5.0, 5.0, 2.0]);
    /// let y = tape.max(x);
    /// tape.backward(y);
    /// assert_eq!(tape.item(y), 5.0);
    /// assert_eq!(tape.grad_slice(x), [0.0, 1.0, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn max(&mut self, x: impl Into<Var>) -> Var {
        self.largest(Op::Max, Over::All, x)
    }

    /// The largest entry of each column of m×n, over its rows: 1×n. NaN if any is.
    ///
    /// Backward: the gradient goes to the first of the largest entries of the column.
    ///
    /// # Panics
    /// If `x` is stale, or has no rows.
    #[track_caller]
    pub fn max_rows(&mut self, x: impl Into<Var>) -> Var {
        self.largest(Op::MaxRows, Over::Rows, x)
    }

    /// The largest entry of each row of m×n, over its columns: m×1. NaN if any is.
    ///
    /// Backward: the gradient goes to the first of the largest entries of the row.
    ///
    /// # Panics
    /// If `x` is stale, or has no columns.
    #[track_caller]
    pub fn max_cols(&mut self, x: impl Into<Var>) -> Var {
        self.largest(Op::MaxCols, Over::Cols, x)
    }

    #[track_caller]
    fn largest(&mut self, op: Op, over: Over, x: impl Into<Var>) -> Var {
        let (op, x) = (op.get(), x.into());
        let shape = self.shape_under(op, x);
        assert!(over.count(shape) > 0, "{}: {x} is {shape}, and nothing has no maximum", op.name());
        self.apply(op, &[x], over.shape(shape), Args::NONE)
    }
}

/// All of dy for the winner, half of it for each where both are equal, nothing for the loser.
#[inline(always)]
fn share<T: Float>(wins: bool, ties: bool, dy: T) -> T {
    pass_if(wins || ties, if ties { T::of(0.5) * dy } else { dy })
}

/// The [`share`] of each operand; `wins` says which of two numbers is the value.
fn record_shares<T: Float>(cx: &mut Recorder<'_, T>, wins: impl Fn(T, T) -> bool) {
    let (a, b, y, dy) = (cx.x(0), cx.x(1), cx.y(), cx.dy());
    let (sa, sb) = (cx.shape(0), cx.shape(1));
    for k in [0, 1] {
        cx.add_with(k, |tape| {
            let (Shape { rows, cols }, a, b) = (tape.shape(y), tape.value_slice(a), tape.value_slice(b));
            let shares: Vec<T> = (0..rows * cols)
                .map(|i| {
                    let (a, b) = (a[entry(sa, i, cols)], b[entry(sb, i, cols)]);
                    let own = if k == 0 { wins(a, b) } else { wins(b, a) };
                    share(own, a == b, T::ONE)
                })
                .collect();
            let shares = tape.constant_slice(rows, cols, &shares);
            tape.slope_times(shares, dy)
        });
    }
}

pub(super) struct Maximum;
impl<T: Float> Binary<T> for Maximum {
    const NAME: &'static str = "maximum";
    #[inline(always)]
    fn value(a: T, b: T) -> T {
        if a > b || a.is_nan() { a } else { b }
    }
    #[inline(always)]
    fn backward_a(a: T, b: T, dy: T) -> T {
        share(a > b, a == b, dy)
    }
    #[inline(always)]
    fn backward_b(a: T, b: T, dy: T) -> T {
        share(b > a, a == b, dy)
    }

    fn record(mut cx: Recorder<'_, T>) {
        record_shares(&mut cx, |a, b| a > b);
    }
}

pub(super) struct Minimum;
impl<T: Float> Binary<T> for Minimum {
    const NAME: &'static str = "minimum";
    #[inline(always)]
    fn value(a: T, b: T) -> T {
        if a < b || a.is_nan() { a } else { b }
    }
    #[inline(always)]
    fn backward_a(a: T, b: T, dy: T) -> T {
        share(a < b, a == b, dy)
    }
    #[inline(always)]
    fn backward_b(a: T, b: T, dy: T) -> T {
        share(b < a, a == b, dy)
    }

    fn record(mut cx: Recorder<'_, T>) {
        record_shares(&mut cx, |a, b| a < b);
    }
}

pub(super) struct Max {
    pub name: &'static str,
    pub over: Over,
}

/// The larger of two; NaN once it was met.
#[inline(always)]
pub(super) fn larger<T: Float>(so_far: T, x: T) -> T {
    if (x > so_far) | x.is_nan() { x } else { so_far }
}

/// Whether `x` is the maximum `y`, for which NaN counts as well.
#[inline(always)]
pub(super) fn attains<T: Float>(x: T, y: T) -> bool {
    // Without a branch: in pools it is asked for many numbers side by side.
    (x == y) | (x.is_nan() & y.is_nan())
}

impl<T: Float> Operation<T> for Max {
    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        let y = cx.y();
        let of_slice = |x: &[T]| x.iter().fold(x[0], |max, x| larger(max, *x));
        match self.over {
            Over::All => y[0] = of_slice(x),
            Over::Cols => y.iter_mut().zip(rows_of(x, shape)).for_each(|(y, row)| *y = of_slice(row)),
            Over::Rows => {
                y.copy_from_slice(&x[..shape.cols]);
                vectorize(x.len(), || {
                    for row in rows_of(x, shape).skip(1) {
                        y.iter_mut().zip(row).for_each(|(y, x)| *y = larger(*y, *x));
                    }
                });
            }
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (x, shape, y, dy) = (cx.x(0), cx.shape(0), cx.y(), cx.dy());
        // Searched for a second time: an f32 could not hold every position.
        let first = |x: &[T], y: T| x.iter().position(|x| attains(*x, y));
        cx.add_at(0, |mut dx| match self.over {
            Over::All => {
                if let Some(at) = first(x, y[0]) {
                    dx.add(at, dy[0]);
                }
            }
            Over::Cols => {
                for (i, row) in rows_of(x, shape).enumerate() {
                    if let Some(j) = first(row, y[i]) {
                        dx.add(i * shape.cols + j, dy[i]);
                    }
                }
            }
            Over::Rows => {
                for j in 0..shape.cols {
                    let mut column = (j..x.len()).step_by(shape.cols);
                    if let Some(at) = column.find(|&at| attains(x[at], y[j])) {
                        dx.add(at, dy[j]);
                    }
                }
            }
        });
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (x, y, dy) = (cx.x(0), cx.y(), cx.dy());
        let shape = cx.shape(0);
        cx.add_with(0, |tape| {
            let (x, y, mut first) = (tape.value_slice(x), tape.value_slice(y), vec![T::ZERO; shape.numel()]);
            let mut found = vec![false; y.len()];
            for (at, x) in x.iter().enumerate() {
                let to = match self.over {
                    Over::All => 0,
                    Over::Rows => at % shape.cols,
                    Over::Cols => at / shape.cols,
                };
                if !found[to] && attains(*x, y[to]) {
                    (found[to], first[at]) = (true, T::ONE);
                }
            }
            let first = tape.mask_with(shape.rows, shape.cols, |to| to.copy_from_slice(&first));
            let zero = tape.scalar(T::ZERO);
            tape.select(first, dy, zero)
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled, value_and_grad};

    #[test]
    fn gradients_of_two_operands() {
        let shapes = [(3, 4), (1, 4), (3, 1), (1, 1)];
        for a in shapes {
            for b in shapes {
                let inputs = [filled(a.0, a.1), filled(b.0, b.1).map(|x| 0.13 - x)];
                check_op(&inputs, |t, x| t.maximum(x[0], x[1]));
                check_op(&inputs, |t, x| t.minimum(x[0], x[1]));
            }
        }
        for (a, b) in [((0, 3), (1, 3)), ((2, 0), (2, 1))] {
            check_op(&[filled(a.0, a.1), filled(b.0, b.1)], |t, x| t.maximum(x[0], x[1]));
            check_op(&[filled(a.0, a.1), filled(b.0, b.1)], |t, x| t.minimum(x[0], x[1]));
        }
    }

    #[test]
    fn ties_are_halved() {
        let mut tape = Tape::new();
        let a = tape.variable_slice(1, 3, &[1.0, 2.0, 3.0]);
        let b = tape.variable_slice(1, 1, &[2.0]);
        let y = tape.maximum(a, b);
        tape.backward_with(y, |dy| dy.fill(1.0));
        assert_eq!(tape.value_slice(y), [2.0, 2.0, 3.0]);
        assert_eq!((tape.grad_slice(a), tape.grad_slice(b)), (&[0.0, 0.5, 1.0][..], &[1.5][..]));
        let y = tape.minimum(a, b);
        tape.backward_with(y, |dy| dy.fill(1.0));
        assert_eq!(tape.value_slice(y), [1.0, 2.0, 2.0]);
        assert_eq!((tape.grad_slice(a), tape.grad_slice(b)), (&[1.0, 0.5, 0.0][..], &[1.5][..]));
        // An operand against itself gets both halves.
        let (_, dx) = value_and_grad(&[0.3], |t, x| t.maximum(x, x));
        assert_eq!(dx, [1.0]);
    }

    #[test]
    fn gradients_of_the_maximum() {
        for (m, n) in [(1, 1), (3, 4), (7, 5), (1, 40)] {
            check_op(&[filled(m, n)], |t, x| t.max(x[0]));
        }
        for (m, n) in [(1, 1), (3, 4), (40, 2), (2, 0)] {
            check_op(&[filled(m, n)], |t, x| t.max_rows(x[0]));
            check_op(&[filled(n, m)], |t, x| t.max_cols(x[0]));
        }
    }

    #[test]
    fn the_first_of_equal_maxima() {
        let x = [1.0, 4.0, 4.0, 4.0, 0.0, 4.0];
        let grad = |f: fn(&mut Tape, crate::Var) -> crate::Var| {
            let mut tape = Tape::new();
            let x = tape.variable_slice(3, 2, &x);
            let y = f(&mut tape, x);
            tape.backward_with(y, |dy| dy.fill(1.0));
            tape.grad_slice(x).to_vec()
        };
        assert_eq!(grad(|t, x| t.max(x)), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(grad(|t, x| t.max_rows(x)), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(grad(|t, x| t.max_cols(x)), [0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn infinities_and_nan() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        assert_eq!(value_and_grad(&[-inf, -inf], |t, x| t.max(x)), (vec![-inf], vec![1.0, 0.0]));
        assert_eq!(value_and_grad(&[0.0, inf], |t, x| t.max(x)), (vec![inf], vec![0.0, 1.0]));
        for x in [[1.0, nan, 2.0], [nan, 1.0, 2.0], [1.0, 2.0, nan]] {
            let (y, dx) = value_and_grad(&x, |t, x| t.max(x));
            assert!(y[0].is_nan());
            assert_eq!(dx, x.map(|x| if x.is_nan() { 1.0 } else { 0.0 }));
        }
        let mut tape = Tape::new();
        let (a, b) = (tape.constant_slice(1, 2, &[nan, 1.0]), tape.constant_slice(1, 2, &[1.0, nan]));
        for y in [tape.maximum(a, b), tape.minimum(a, b)] {
            assert!(tape.value_slice(y).iter().all(|y| y.is_nan()));
        }
    }

    #[test]
    #[should_panic(expected = "max_rows: v0 is 0×3, and nothing has no maximum")]
    fn of_no_rows() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(0, 3));
        tape.max_rows(x);
    }

    #[test]
    #[should_panic(expected = "max: v0 is 2×0, and nothing has no maximum")]
    fn of_no_entries() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 0));
        tape.max(x);
    }
}
