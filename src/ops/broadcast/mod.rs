//! What all functions of two numbers have in common: y = f(a, b), entry by entry, with NumPy's
//! broadcasting for two dimensions.
//!
//! Along each dimension the operands must agree, or one of them has a single row or column, which then
//! stands for all. The gradient of an operand that was stretched is summed over what it stood for.

mod stretched;

use crate::Float;
use crate::linalg::simd::vectorize;
use crate::linalg::{LANES, PIECE, add_to_lanes, block_of, parts, reduce_lanes, sum_of_lanes};
use crate::tape::{Args, Backward, Forward, Operand, Operation, Recorder, Shape, Tape, Var};
use stretched::{Pair, Value, pairs};

/// A function of two numbers and its gradients; [`Broadcast`] makes an operation of it.
///
/// dy may be infinite or NaN: what [`Unary::backward`](super::Unary::backward) says of branches and
/// quotients holds here as well.
///
/// ```
/// use tapegrad::ops::{Binary, Broadcast, pass_if};
/// use tapegrad::{Recorder, Tape};
///
/// /// a where b is positive, and 0 elsewhere.
/// struct Masked;
///
/// impl Binary<f64> for Masked {
///     const NAME: &'static str = "masked";
///     fn value(a: f64, b: f64) -> f64 {
///         if b > 0.0 { a } else { 0.0 }
///     }
///     fn backward_a(_: f64, b: f64, dy: f64) -> f64 {
///         pass_if(b > 0.0, dy)
///     }
///     fn backward_b(_: f64, _: f64, _: f64) -> f64 {
///         0.0
///     }
///     // Only for gradients of gradients. What it was stretched over is summed.
///     fn record(mut cx: Recorder<'_, f64>) {
///         let (b, dy) = (cx.x(1), cx.dy());
///         cx.add_with(0, |tape| tape.scope(|s| s.var(b).relu().select(dy, s.number(0.0)).var()));
///     }
/// }
///
/// let mut tape = Tape::new();
/// let a = tape.variable_slice(2, 2, &[1.0, -2.0, 3.0, -4.0]);
/// let mask = tape.constant_slice(1, 2, &[1.0, 0.0]);
/// let y = tape.broadcast(&Broadcast(Masked), a, mask);
/// tape.backward_with(y, |dy| dy.fill(f64::INFINITY));
/// assert_eq!(tape.grad_slice(a), [f64::INFINITY, 0.0, f64::INFINITY, 0.0]);
///
/// let infinite = tape.constant_slice(2, 2, &[f64::INFINITY; 4]);
/// let recorded = tape.gradient_with(y, infinite, &[a])[0];
/// assert_eq!(tape.value_slice(recorded), tape.grad_slice(a));
/// ```
pub trait Binary<T: Float>: Sync {
    /// The name in messages: that of the method.
    const NAME: &'static str;

    /// f(a, b).
    fn value(a: T, b: T) -> T;

    /// ∂f/∂a·dy.
    fn backward_a(a: T, b: T, dy: T) -> T;

    /// ∂f/∂b·dy.
    fn backward_b(a: T, b: T, dy: T) -> T;

    /// Both as operations: see [`Operation::record`].
    fn record(cx: Recorder<'_, T>) {
        cx.none()
    }
}

/// The operation that applies a [`Binary`] function to every pair of entries, stretching single rows
/// and columns.
pub struct Broadcast<B>(pub B);

impl<T: Float, B: Binary<T>> Operation<T> for Broadcast<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let ((a, sa), (b, sb), sy) = (cx.operand(0), cx.operand(1), cx.y_shape());
        let y = cx.y();
        if let ([y], [a], [b]) = (&mut *y, a, b) {
            // Nothing to set up: this is half of the time where every value is 1×1.
            *y = B::value(*a, *b);
            return;
        }
        forward_of_many::<T, B>((a, sa), (b, sb), y, sy);
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (a, b) = (cx.operand(0), cx.operand(1));
        if let ([x], [z], [dy]) = (a.x, b.x, cx.dy()) {
            if a.needed {
                cx.add_to_scalar(&a, B::backward_a(*x, *z, *dy));
            }
            if b.needed {
                cx.add_to_scalar(&b, B::backward_b(*x, *z, *dy));
            }
            return;
        }
        backward_of_many::<T, B>(cx, &a, &b);
    }

    fn record(&self, cx: Recorder<'_, T>) {
        B::record(cx);
    }
}

/// The general case; beside it that of 1×1 would set up room on the stack that it does not need.
#[inline(never)]
fn forward_of_many<T: Float, B: Binary<T>>(a: Value<'_, T>, b: Value<'_, T>, y: &mut [T], sy: Shape) {
    if y.is_empty() {
        return;
    }
    if a.1 == b.1 {
        let (a, b) = (a.0, b.0);
        // By far the most frequent, and on all threads.
        return parts::by_rows(
            y.len(),
            y.len(),
            parts::Rows { numbers: y, cols: 1 },
            &|first, parts::Rows { numbers: y, .. }| {
                let (a, b) = (&a[first..][..y.len()], &b[first..][..y.len()]);
                vectorize(
                    y.len(),
                    #[inline(always)]
                    || {
                        for (y, (a, b)) in y.iter_mut().zip(a.iter().zip(b)) {
                            *y = B::value(*a, *b);
                        }
                    },
                );
            },
        );
    }
    let mut tiles = [[T::ZERO; PIECE]; 2];
    let (mut pair, stride) = Pair::new(a, b, &[], sy, &mut tiles);
    vectorize(
        y.len(),
        #[inline(always)]
        || {
            for (i, y) in y.chunks_mut(stride).enumerate() {
                let (a, b) = pair.pieces(i * stride, y.len());
                pairs(
                    y.iter_mut(),
                    a,
                    b,
                    #[inline(always)]
                    |y, a, b| *y = B::value(a, b),
                );
            }
        },
    );
}

/// The general case; beside it that of 1×1 would set up room on the stack that it does not need.
#[inline(never)]
fn backward_of_many<T: Float, B: Binary<T>>(mut cx: Backward<'_, T>, a: &Operand<'_, T>, b: &Operand<'_, T>) {
    if a.shape == b.shape {
        // By far the most frequent, and without the checks of the others.
        let dy = cx.dy();
        cx.add_zip3(0, a.x, b.x, dy, B::backward_a);
        return cx.add_zip3(1, a.x, b.x, dy, B::backward_b);
    }
    if a.needed {
        let of_a = Kernels {
            write: |pair, part, out| write_terms(pair, part, out, B::backward_a),
            sum: |rows, lanes| sum_terms(rows, lanes, |a, b, dy| B::backward_a(a, b, dy)),
        };
        add_terms(&mut cx, 0, (a, b), &of_a);
    }
    if b.needed {
        let of_b = Kernels {
            write: |pair, part, out| write_terms(pair, part, out, B::backward_b),
            sum: |rows, lanes| sum_terms(rows, lanes, |b, a, dy| B::backward_b(a, b, dy)),
        };
        add_terms(&mut cx, 1, (a, b), &of_b);
    }
}

/// All of a backward pass that is compiled for each function, and each of its operands, anew.
struct Kernels<T> {
    /// See [`write_terms`].
    write: fn(&mut Pair<'_, T>, Part, &mut [T]),
    /// See [`sum_terms`].
    sum: fn(Rows<'_, T>, &mut [[T; LANES]]),
}

/// Which terms of a gradient are wanted, and where they go: `width` from number `from` on, from `from + stride` on,
/// and so on before number `end`.
struct Part {
    from: usize,
    end: usize,
    stride: usize,
    width: usize,
    /// How far on the next ones go; 0 puts all of them in the same place.
    step: usize,
    /// Whether they are added to what is there.
    add: bool,
}

/// Writes terms to `out`, or adds them to it.
#[inline(always)]
fn write_terms<T: Float>(pair: &mut Pair<'_, T>, part: Part, out: &mut [T], term: impl Fn(T, T, T) -> T) {
    let (all, Part { from, end, stride, width, step, add }) = (pair.dy, part);
    vectorize(
        all.len(),
        #[inline(always)]
        move || {
            for (i, start) in (from..end).step_by(stride).enumerate() {
                let dy = &all[start..][..width.min(all.len() - start)];
                let out = out[i * step..][..dy.len()].iter_mut().zip(dy);
                let (a, b) = pair.pieces(start, dy.len());
                if add {
                    pairs(
                        out,
                        a,
                        b,
                        #[inline(always)]
                        |(sum, dy), a, b| *sum += term(a, b, *dy),
                    );
                } else {
                    pairs(
                        out,
                        a,
                        b,
                        #[inline(always)]
                        |(to, dy), a, b| *to = term(a, b, *dy),
                    );
                }
            }
        },
    );
}

/// What is summed row by row: term(x, other, dy), where `x` has one number for each row, and the rows of `other` begin
/// `step` numbers apart.
struct Rows<'a, T> {
    x: &'a [T],
    other: &'a [T],
    step: usize,
    dy: &'a [T],
    cols: usize,
}

/// The partial sums of each row, in the order of [`reduce_lanes`].
#[inline(always)]
fn sum_terms<T: Float>(rows: Rows<'_, T>, lanes: &mut [[T; LANES]], term: impl Fn(T, T, T) -> T) {
    let Rows { x, other, step, dy, cols } = rows;
    vectorize(
        dy.len(),
        #[inline(always)]
        move || {
            for (i, (x, lanes)) in x.iter().zip(lanes).enumerate() {
                let (x, other, dy) = (*x, &other[i * step..][..cols], &dy[i * cols..][..cols]);
                *lanes = [T::ZERO; LANES];
                add_to_lanes(
                    lanes,
                    other,
                    dy,
                    #[inline(always)]
                    |other, dy| term(x, other, dy),
                );
            }
        },
    );
}

/// Adds the terms of `kernels` to the gradient of operand `k`, summed over all that each of its entries stood for.
#[inline(never)]
fn add_terms<T: Float>(
    cx: &mut Backward<'_, T>,
    k: usize,
    (a, b): (&Operand<'_, T>, &Operand<'_, T>),
    kernels: &Kernels<T>,
) {
    let (own, sy, dy) = (cx.shape(k), cx.y_shape(), cx.dy());
    if dy.is_empty() {
        return cx.add_constant(k, T::ZERO);
    }
    let mut tiles = [[T::ZERO; PIECE]; 2];
    let (mut pair, stride) = Pair::new((a.x, a.shape), (b.x, b.shape), dy, sy, &mut tiles);
    let (x, other) = if k == 0 { (a.x, b.x) } else { (b.x, a.x) };
    let (n, cols) = (dy.len(), sy.cols);
    if own == sy {
        let Some((dx, add)) = cx.dx(k) else { return };
        (kernels.write)(&mut pair, Part { from: 0, end: n, stride, width: stride, step: stride, add }, dx);
    } else if own == Shape::SCALAR {
        cx.add_constant(k, sum_of_row(kernels, x[0], other, dy));
    } else if own.rows == 1 {
        cx.add_column_blocks(k, n, &mut |from, end, out| {
            (kernels.write)(&mut pair, Part { from, end, stride, width: out.len(), step: 0, add: true }, out);
        });
    } else if stride == cols {
        let Some(mut dx) = cx.sum(k) else { return };
        // The other operand is a row that is stretched, or has all rows.
        let step = if other.len() == cols { 0 } else { cols };
        sum_rows(kernels, Rows { x, other, step, dy, cols }, |i, sum| dx.add(i, sum));
    } else {
        let Some(mut dx) = cx.sum(k) else { return };
        // Several short rows at once.
        let mut terms = [T::ZERO; PIECE];
        for start in (0..n).step_by(stride) {
            let terms = &mut terms[..stride.min(n - start)];
            let end = start + terms.len();
            (kernels.write)(
                &mut pair,
                Part { from: start, end, stride, width: stride, step: 0, add: false },
                terms,
            );
            // Column by column: a loop over a short row costs more.
            let mut sums = [T::ZERO; PIECE / 2];
            for j in 0..cols {
                let column = terms[j..].iter().step_by(cols);
                sums.iter_mut().zip(column).for_each(|(sum, x)| *sum += *x);
            }
            let rows = terms.len() / cols;
            dx.part(start / cols, rows).add_slice(&sums[..rows]);
        }
    }
}

/// Σ of the terms of one number of an operand with those that the other one has for it, and their dy.
fn sum_of_row<T: Float>(kernels: &Kernels<T>, x: T, other: &[T], dy: &[T]) -> T {
    reduce_lanes(dy.len(), |from, to, lanes| {
        let rows = Rows { x: &[x], other: &other[from..to], step: 0, dy: &dy[from..to], cols: to - from };
        (kernels.sum)(rows, std::slice::from_mut(lanes));
    })
}

/// The same for each row; `add` gets its number and the sum.
fn sum_rows<T: Float>(kernels: &Kernels<T>, rows: Rows<'_, T>, mut add: impl FnMut(usize, T)) {
    let Rows { x, other, step, dy, cols } = rows;
    if cols > block_of::<T>() {
        for (i, dy) in dy.chunks(cols).enumerate() {
            add(i, sum_of_row(kernels, x[i], &other[i * step..][..cols], dy));
        }
        return;
    }
    // Several at a time: a call for each costs as much as summing a hundred numbers.
    let mut lanes = [[T::ZERO; LANES]; 8];
    for first in (0..x.len()).step_by(lanes.len()) {
        let some = lanes.len().min(x.len() - first);
        let lanes = &mut lanes[..some];
        let (x, dy) = (&x[first..][..some], &dy[first * cols..][..some * cols]);
        (kernels.sum)(Rows { x, other: &other[first * step..], step, dy, cols }, lanes);
        vectorize(
            dy.len(),
            #[inline(always)]
            || lanes.iter_mut().enumerate().for_each(|(i, lanes)| add(first + i, sum_of_lanes(lanes))),
        );
    }
}

/// The shape of a ∘ b, or `None` where the shapes do not fit.
pub(crate) fn broadcast_shape(a: Shape, b: Shape) -> Option<Shape> {
    let side = |a: usize, b: usize| match (a, b) {
        (a, b) if a == b => Some(a),
        (1, b) => Some(b),
        (a, 1) => Some(a),
        _ => None,
    };
    Some(Shape::new(side(a.rows, b.rows)?, side(a.cols, b.cols)?))
}

/// Where in an operand stands what the number `at` of a result with that many columns is of.
pub(super) fn entry(operand: Shape, at: usize, cols: usize) -> usize {
    let row = if operand.rows == 1 { 0 } else { at / cols };
    row * operand.cols + if operand.cols == 1 { 0 } else { at % cols }
}

/// # Functions of two numbers
/// For operations of your own.
impl<T: Float> Tape<T> {
    /// Appends an operation of two operands with the shape rule of [`add`](Tape::add), such as [`Broadcast`] of
    /// a function of your own.
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    #[track_caller]
    pub fn broadcast(&mut self, op: &'static dyn Operation<T>, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        let (a, b) = (a.into(), b.into());
        let ((sa, da), (sb, db)) = (self.operand(op, a), self.operand(op, b));
        let Some(shape) = broadcast_shape(sa, sb) else {
            panic!(
                "{}: {a} is {sa} but {b} is {sb} (rows and columns must agree, or be 1 on one side)",
                op.name()
            )
        };
        self.append(op, &[a, b], da || db, shape, Args::NONE, [])
    }
}
