//! Softmax, its logarithm, and log-sum-exp, per row.

use super::{Op, pass_if};
use crate::Float;
use crate::linalg::simd::{self, vectorize};
use crate::linalg::{dot, reduce, sum};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Sum, Tape, Var};

/// # Softmax
/// And its logarithm, per row.
impl<T: Float> Tape<T> {
    /// pᵢⱼ = e^(xᵢⱼ) / Σₗ e^(xᵢₗ) in every row i of m×n: m×n.
    ///
    /// An entry of −∞ gets probability 0; a row of nothing but −∞ has no distribution and gives NaN. A single
    /// entry of +∞ gets probability 1; several of them give NaN.
    /// Backward: dxᵢ = pᵢ ∘ (dyᵢ − ⟨pᵢ, dyᵢ⟩). Where p is 0, as behind a mask, so is dx, and dy counts for
    /// nothing, even if it is infinite.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn softmax(&mut self, x: impl Into<Var>) -> Var {
        let x = x.into();
        let shape = self.shape_for("softmax", x);
        self.apply(Op::Softmax.get(), &[x], shape, Args::NONE)
    }

    /// ln softmax in every row of m×n: m×n, exact also where the probability is near 0 or 1.
    ///
    /// An entry of −∞ stays −∞; a row of nothing but −∞ gives NaN. Beside a single entry of +∞, which becomes
    /// 0, all others become −∞; several of them give NaN.
    /// Backward: dxᵢ = dyᵢ − pᵢ·Σⱼ dyᵢⱼ.
    #[track_caller]
    pub fn log_softmax(&mut self, x: impl Into<Var>) -> Var {
        let x = x.into();
        let shape = self.shape_for("log_softmax", x);
        self.apply(Op::LogSoftmax.get(), &[x], shape, Args::NONE.saving(shape.numel() + shape.rows))
    }

    /// ln Σⱼ e^(xᵢⱼ) of every row i of m×n: m×1.
    ///
    /// A row without entries, or with nothing but −∞, gives −∞ and gets the gradient 0. One with +∞ gives +∞,
    /// and sends the gradient there; from several it is NaN.
    /// Backward: dxᵢ = pᵢ·dyᵢ, with the softmax p; 0 where p is 0.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.constant_slice(1, 2, &[1000.0, 1000.0]);
    /// let y = tape.logsumexp(x);
    /// assert_eq!(tape.item(y), 1000.0 + std::f64::consts::LN_2);
    /// ```
    #[track_caller]
    pub fn logsumexp(&mut self, x: impl Into<Var>) -> Var {
        let x = x.into();
        let shape = self.shape_for("logsumexp", x);
        self.apply(Op::LogSumExp.get(), &[x], Shape::new(shape.rows, 1), Args::NONE.saving(shape.numel()))
    }
}

/// What [`softmax_rows`] knows about a row besides its softmax.
#[derive(Clone, Copy)]
pub(super) struct RowSum<T> {
    /// The largest entry; 0 where that is −∞ or NaN, and where it is +∞ beside NaN.
    pub shift: T,
    /// ln Σ e^(x − shift).
    pub ln: T,
    /// Position of the first of the largest entries.
    pub top: usize,
    /// Probability of all other entries together: exact, where 1 − p would not be.
    pub rest: T,
}

impl<T: Float> RowSum<T> {
    /// x − shift for an entry x: 0 of the largest, even if that is +∞.
    #[inline(always)]
    pub fn shifted(&self, x: T) -> T {
        if x == self.shift { T::ZERO } else { x - self.shift }
    }
}

/// The most rows, and about as many entries, that are worked on at a time.
const ROWS: usize = 64;
const ENTRIES: usize = 2048;

/// p ← softmax(x) in every row, of which `each` is told: its number, sums, x and p.
///
/// Works on several rows at a time, since rows are often short: as many exponentials side by side as
/// there are classes would leave most of a vector idle, and the logarithm of one sum all of it.
pub(super) fn softmax_rows<T: Float>(
    x: &[T],
    shape: Shape,
    p: &mut [T],
    mut each: impl FnMut(usize, RowSum<T>, &[T], &mut [T]),
) {
    let empty = RowSum { shift: T::ZERO, ln: -T::INFINITY, top: 0, rest: T::ZERO };
    let cols = shape.cols;
    if cols == 0 {
        (0..shape.rows).for_each(|i| each(i, empty, &[], &mut []));
        return;
    }
    let mut sums = [empty; ROWS];
    let rows = (ENTRIES / cols).clamp(1, ROWS);
    for (block, (x, p)) in x.chunks(rows * cols).zip(p.chunks_mut(rows * cols)).enumerate() {
        softmax_block(x, cols, p, &mut sums);
        let (first, sums, each) = (block * rows, &sums, &mut each);
        vectorize(
            x.len(),
            #[inline(always)]
            move || {
                let of_rows = x.chunks_exact(cols).zip(p.chunks_exact_mut(cols)).zip(sums);
                for (i, ((x, p), sums)) in of_rows.enumerate() {
                    each(first + i, *sums, x, p);
                }
            },
        );
    }
}

/// [`softmax_rows`] for at most [`ROWS`] rows.
fn softmax_block<T: Float>(x: &[T], cols: usize, p: &mut [T], sums: &mut [RowSum<T>; ROWS]) {
    vectorize(
        x.len(),
        #[inline(always)]
        move || {
            // Short rows leave most of a vector idle: their exponentials are computed side by side, all in one go.
            let wide = cols >= 64;
            let (mut max, mut others) = ([T::ZERO; ROWS], [T::ZERO; ROWS]);
            for (i, (x, p)) in x.chunks_exact(cols).zip(p.chunks_exact_mut(cols)).enumerate() {
                let top = first_of_largest(x);
                let shift = if x[top].is_finite() { x[top] } else { T::ZERO };
                if wide {
                    for (p, x) in p.iter_mut().zip(x) {
                        *p = (*x - shift).exp_below_zero();
                    }
                } else {
                    for (p, x) in p.iter_mut().zip(x) {
                        *p = *x - shift;
                    }
                }
                max[i] = x[top];
                (sums[i].top, sums[i].shift) = (top, shift);
            }
            if !wide {
                for p in p.iter_mut() {
                    *p = p.exp_below_zero();
                }
            }
            for (i, p) in p.chunks_exact_mut(cols).enumerate() {
                // The largest term stands apart, so that the digits of a small rest are kept.
                let top = sums[i].top;
                let peak = std::mem::replace(&mut p[top], T::ZERO);
                others[i] = sum(p);
                p[top] = peak;
                let total = peak + others[i];
                // At least 1. It is 0 where all entries are −∞, and NaN where one is NaN: p is NaN then. A row with +∞
                // holds anything here, and is written anew below.
                let inverse = T::ONE / total;
                for p in p.iter_mut() {
                    *p = p.over(total, inverse);
                }
                sums[i].rest = others[i] / total;
            }
            let n = x.len() / cols;
            for others in &mut others[..n] {
                *others = others.ln_1p();
            }
            for i in 0..n {
                // The largest term is 1, with the logarithm 0, unless it is not finite.
                sums[i].ln = (max[i] - sums[i].shift) + others[i];
            }
            for (i, (x, p)) in x.chunks_exact(cols).zip(p.chunks_exact_mut(cols)).enumerate() {
                if max[i] == T::INFINITY {
                    sums[i] = softmax_of_infinity(x, p, sums[i].top);
                }
            }
        },
    );
}

/// The limit of the softmax as entry `top` goes to +∞: all for it, nothing for the others. NaN where one of
/// those is +∞ as well, or NaN.
#[cold]
fn softmax_of_infinity<T: Float>(x: &[T], p: &mut [T], top: usize) -> RowSum<T> {
    let shift = if x.iter().any(|x| x.is_nan()) { T::ZERO } else { T::INFINITY };
    if shift == T::INFINITY && x.iter().filter(|x| **x == T::INFINITY).count() == 1 {
        p.fill(T::ZERO);
        p[top] = T::ONE;
        return RowSum { shift, ln: T::ZERO, top, rest: T::ZERO };
    }
    p.fill(T::NAN);
    RowSum { shift, ln: T::NAN, top, rest: T::NAN }
}

/// Where the largest entry stands, the first of several. NaN is passed over, except as the first entry.
#[inline(always)]
fn first_of_largest<T: Float>(x: &[T]) -> usize {
    const LANES: usize = 16;
    let larger = |a: T, b: T| if b > a { b } else { a };
    let (blocks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [x[0]; LANES];
    for block in blocks {
        lanes = simd::lanes(lanes, block, larger);
    }
    let max = rest.iter().chain(&lanes).fold(x[0], |max, x| larger(max, *x));
    // Whole blocks first: the entries of one are compared side by side, without a branch after each.
    let found = |block: &[T; LANES]| block.iter().fold(false, |found, x| found | (*x == max));
    let start = blocks.iter().position(found).unwrap_or(blocks.len()) * LANES;
    x[start..].iter().position(|x| *x == max).map_or(0, |at| start + at)
}

pub(super) struct Softmax;
impl<T: Float> Operation<T> for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        softmax_rows(x, shape, cx.y(), |_, _, _, _| ());
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (y, dy, cols) = (cx.y(), cx.dy(), cx.y_shape().cols);
        cx.add_rows(
            0,
            #[inline(always)]
            |i, mut dx| {
                let (y, dy) = (&y[i * cols..][..cols], &dy[i * cols..][..cols]);
                let mut mean = dot(y, dy);
                if !mean.is_finite() {
                    mean = reduce(y, dy, |y, dy| pass_if(y != T::ZERO, y * dy));
                }
                if (mean * T::of(1024.0)).is_finite() {
                    dx.add_zip(
                        y,
                        dy,
                        #[inline(always)]
                        |y, dy| pass_if(y != T::ZERO, y * (dy - mean)),
                    );
                } else {
                    // The difference may leave the range where the product with y does not: of halves.
                    let (half, two) = (T::of(0.5), T::of(2.0));
                    let term = |y: T, dy: T| y * (half * dy - half * mean) * two;
                    dx.add_zip(
                        y,
                        dy,
                        #[inline(always)]
                        |y, dy| pass_if(y != T::ZERO, term(y, dy)),
                    );
                }
            },
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (y, dy) = (cx.y(), cx.dy());
        cx.add_with(0, |tape| {
            let product = tape.slope_times(y, dy);
            let mean = tape.sum_cols(product);
            if !tape.some(mean, |mean| !(mean * T::of(1024.0)).is_finite()) {
                let rest = tape.sub(dy, mean);
                return tape.slope_times(y, rest);
            }
            // As in the backward pass: of halves, where the difference may leave the range.
            let (dy, mean) = (tape.scale(dy, T::of(0.5)), tape.scale(mean, T::of(0.5)));
            let rest = tape.sub(dy, mean);
            let half = tape.slope_times(y, rest);
            tape.scale(half, T::of(2.0))
        });
    }
}

/// Saves the softmax, and behind it, for every row, the probability of all entries but the likeliest.
pub(super) struct LogSoftmax;
impl<T: Float> Operation<T> for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        let (y, saved) = cx.y_and_saved();
        let (p, rests) = saved.split_at_mut(shape.numel());
        softmax_rows(
            x,
            shape,
            p,
            #[inline(always)]
            |i, row, x, _| {
                rests[i] = row.rest;
                for (y, x) in y[i * shape.cols..][..shape.cols].iter_mut().zip(x) {
                    *y = row.shifted(*x) - row.ln;
                }
            },
        );
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (shape, dy) = (cx.y_shape(), cx.dy());
        let (p, rests) = cx.saved().split_at(shape.numel());
        cx.add_rows(
            0,
            #[inline(always)]
            |i, mut dx| {
                let row = i * shape.cols..(i + 1) * shape.cols;
                let (p, dy, rest) = (&p[row.clone()], &dy[row], rests[i]);
                let total = sum(dy);
                if rest < T::of(0.5) {
                    add_beside_likeliest(p, dy, rest, total, &mut dx);
                } else if total.is_finite() {
                    dx.add_zip(
                        p,
                        dy,
                        #[inline(always)]
                        |p, dy| dy - p * total,
                    );
                } else {
                    dx.add_zip(
                        p,
                        dy,
                        #[inline(always)]
                        |p, dy| dy - pass_if(p != T::ZERO, p * total),
                    );
                }
            },
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (x, dy) = (cx.x(0), cx.dy());
        cx.add_with(0, |tape| {
            let (p, total) = (tape.softmax(x), tape.sum_cols(dy));
            let part = tape.slope_times(p, total);
            let term = tape.sub(dy, part);
            let likely = |p: T| p > T::of(0.5);
            if !tape.some(p, likely) {
                return term;
            }
            // As in the backward pass: of an entry with more than half of the probability, that of all others is exact.
            let (of_others, dy_of_others) =
                (tape.kept(p, |p| !likely(p), p), tape.kept(p, |p| !likely(p), dy));
            let (rest, others) = (tape.sum_cols(of_others), tape.sum_cols(dy_of_others));
            let (gain, loss) = (tape.slope_times(rest, dy), tape.mul(p, others));
            let of_likeliest = tape.sub(gain, loss);
            tape.chosen(p, likely, of_likeliest, term)
        });
    }
}

/// The same where one entry has more than half of the probability: dy − p·Σdy would lose its digits there. 1 − p is
/// `rest`; where that is 0, dy of this entry is ignored.
#[inline(always)]
fn add_beside_likeliest<T: Float>(p: &[T], dy: &[T], rest: T, total: T, dx: &mut Sum<'_, T>) {
    let half = T::of(0.5);
    dx.add_zip(
        p,
        dy,
        #[inline(always)]
        |p, dy| if p > half { T::ZERO } else { dy - pass_if(p != T::ZERO, p * total) },
    );
    // NaN beside it has no likeliest.
    let Some(top) = p.iter().position(|p| *p > half) else { return };
    let others = sum(&dy[..top]) + sum(&dy[top + 1..]);
    dx.add(top, pass_if(rest != T::ZERO, dy[top] * rest) - p[top] * others);
}

pub(super) struct LogSumExp;
impl<T: Float> Operation<T> for LogSumExp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        let (y, p) = cx.y_and_saved();
        softmax_rows(x, shape, p, |i, RowSum { shift, ln, .. }, _, p| {
            y[i] = if shift == T::INFINITY { shift } else { shift + ln };
            if y[i] == -T::INFINITY {
                p.fill(T::ZERO);
            }
        });
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (p, dy, cols) = (cx.saved(), cx.dy(), cx.shape(0).cols);
        cx.add_rows(
            0,
            #[inline(always)]
            |i, mut dx| {
                dx.add_map(
                    &p[i * cols..][..cols],
                    #[inline(always)]
                    |p| pass_if(p != T::ZERO, p * dy[i]),
                )
            },
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (x, y, dy) = (cx.x(0), cx.y(), cx.dy());
        cx.add_with(0, |tape| {
            let empty = |y: T| y == -T::INFINITY;
            if !tape.some(y, empty) {
                let p = tape.softmax(x);
                return tape.slope_times(p, dy);
            }
            // A row of nothing but −∞ has no softmax, and gets nothing.
            let x = tape.kept(y, |y| !empty(y), x);
            let p = tape.softmax(x);
            let p = tape.kept(y, |y| !empty(y), p);
            tape.slope_times(p, dy)
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled, value_and_grad};
    use crate::tape::Var;

    type Op = fn(&mut Tape, Var) -> Var;

    const ALL: [Op; 3] = [|t, x| t.softmax(x), |t, x| t.log_softmax(x), |t, x| t.logsumexp(x)];

    #[test]
    fn gradients() {
        for op in ALL {
            for (m, n) in [(1, 1), (3, 4), (2, 40), (0, 3), (2, 0)] {
                check_op(&[filled(m, n) * 2.0], |t, x| op(t, x[0]));
            }
        }
    }

    #[test]
    fn large_inputs_stay_finite() {
        let x = [1e300, -1e300, 1e300, 0.0];
        let (p, dp) = value_and_grad(&x, |t, x| t.softmax(x));
        assert_eq!(p, [0.5, 0.0, 0.5, 0.0]);
        assert_eq!(dp, [0.0; 4]);
        let (_, dx) = value_and_grad(&x, |t, x| t.log_softmax(x));
        assert_eq!(dx, [-1.0, 1.0, -1.0, 1.0]);
        let (y, dx) = value_and_grad(&x, |t, x| t.logsumexp(x));
        assert_eq!((y[0], dx), (1e300, vec![0.5, 0.0, 0.5, 0.0]));
    }

    #[test]
    fn an_upstream_gradient_at_the_end_of_the_range() {
        let mut tape = Tape::<f32>::default();
        let x = tape.variable_slice(1, 2, &[9f32.ln(), 0.0]);
        let y = tape.softmax(x);
        tape.backward_slice(y, &[-3e38, 3e38]);
        for (dx, right) in tape.grad_slice(x).iter().zip([-5.4e37, 5.4e37]) {
            assert!((dx / right - 1.0).abs() < 1e-5, "{dx:e}, not {right:e}");
        }
    }

    #[test]
    fn a_near_certain_class_keeps_its_digits() {
        let (y, _) = value_and_grad(&[50.0, 0.0], |t, x| t.log_softmax(x));
        assert!((y[0] / -libm::exp(-50.0) - 1.0).abs() < 1e-15, "{}", y[0]);
        assert_eq!(y[1], -50.0);
    }

    #[test]
    fn minus_infinity_is_probability_zero() {
        let inf = f64::INFINITY;
        let (p, dp) = value_and_grad(&[-inf, 1.0, 1.0], |t, x| t.softmax(x));
        assert_eq!((p, dp), (vec![0.0, 0.5, 0.5], vec![0.0; 3]));
        let (y, dx) = value_and_grad(&[-inf, 1.0, 1.0], |t, x| t.log_softmax(x));
        assert_eq!((y[0], dx), (-inf, vec![1.0, -0.5, -0.5]));
        let (y, dx) = value_and_grad(&[-inf, 2.0], |t, x| t.logsumexp(x));
        assert_eq!((y, dx), (vec![2.0], vec![0.0, 1.0]));
        let (y, dx) = value_and_grad(&[-inf, -inf], |t, x| t.logsumexp(x));
        assert_eq!((y, dx), (vec![-inf], vec![0.0, 0.0]));
        let (p, _) = value_and_grad(&[-inf, -inf], |t, x| t.softmax(x));
        assert!(p.iter().all(|p| p.is_nan()));
    }

    #[test]
    fn rows_without_entries() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 0));
        let y = tape.logsumexp(x);
        assert_eq!(tape.value_slice(y), [-f64::INFINITY; 2]);
    }
}
