//! What all functions of two numbers have in common: y = f(a, b), entry by entry, with NumPy's
//! broadcasting for two dimensions.
//!
//! Along each dimension the operands must agree, or one of them has a single row or column, which then
//! stands for all. The gradient of an operand that was stretched is summed over what it stood for.

use crate::Float;
use crate::linalg::simd::vectorize;
use crate::linalg::{PIECE, reduce, row_or_rows};
use crate::tape::{Args, Backward, Forward, Operand, Operation, Shape, Tape, Var};

/// A function of two numbers and its gradients; [`Broadcast`] makes an operation of it.
///
/// dy may be infinite or NaN: what [`Unary::backward`](super::Unary::backward) says of branches and
/// quotients holds here as well.
///
/// ```
/// use tapegrad::ops::{Binary, Broadcast, pass_if};
/// use tapegrad::Tape;
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
/// }
///
/// let mut tape = Tape::new();
/// let a = tape.variable_slice(2, 2, &[1.0, -2.0, 3.0, -4.0]);
/// let mask = tape.constant_slice(1, 2, &[1.0, 0.0]);
/// let y = tape.broadcast(&Broadcast(Masked), a, mask);
/// tape.backward_with(y, |dy| dy.fill(f64::INFINITY));
/// assert_eq!(tape.grad_slice(a), [f64::INFINITY, 0.0, f64::INFINITY, 0.0]);
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
}

/// What an operand holds, and its shape.
type Value<'a, T> = (&'a [T], Shape);

/// The general case; beside it that of 1×1 would set up room on the stack that it does not need.
#[inline(never)]
fn forward_of_many<T: Float, B: Binary<T>>(
    (a, sa): Value<'_, T>,
    (b, sb): Value<'_, T>,
    y: &mut [T],
    sy: Shape,
) {
    if y.is_empty() {
        return;
    }
    vectorize(
        y.len(),
        #[inline(always)]
        || {
            if sa == sb {
                pairs(y.iter_mut(), Piece::Many(a), Piece::Many(b), |y, a, b| *y = B::value(a, b));
            } else if sb == Shape::SCALAR {
                pairs(y.iter_mut(), Piece::Many(a), Piece::One(b[0]), |y, a, b| *y = B::value(a, b));
            } else if sa == Shape::SCALAR {
                pairs(y.iter_mut(), Piece::One(a[0]), Piece::Many(b), |y, a, b| *y = B::value(a, b));
            } else {
                let (mut a, mut b) = (Stretched::new(a, sa, sy), Stretched::new(b, sb, sy));
                let len = row_or_rows(sy.cols);
                for (i, y) in y.chunks_mut(len).enumerate() {
                    let (a, b) = (a.piece(i * len, y.len()), b.piece(i * len, y.len()));
                    pairs(y.iter_mut(), a, b, |y, a, b| *y = B::value(a, b));
                }
            }
        },
    );
}

/// The general case; beside it that of 1×1 would set up room on the stack that it does not need.
#[inline(never)]
fn backward_of_many<T: Float, B: Binary<T>>(mut cx: Backward<'_, T>, a: &Operand<'_, T>, b: &Operand<'_, T>) {
    if a.needed {
        add_terms(&mut cx, 0, (a, b), B::backward_a);
    }
    if b.needed {
        add_terms(&mut cx, 1, (a, b), B::backward_b);
    }
}

/// Adds term(a, b, dy) to the gradient of operand `k`, summed over all that each of its entries stood
/// for.
#[inline(always)]
fn add_terms<T: Float>(
    cx: &mut Backward<'_, T>,
    k: usize,
    (a, b): (&Operand<'_, T>, &Operand<'_, T>),
    term: impl Fn(T, T, T) -> T,
) {
    let (a, b, sa, sb, dy) = (a.x, b.x, a.shape, b.shape, cx.dy());
    if dy.is_empty() {
        cx.add_constant(k, T::ZERO);
    } else if sa == sb {
        cx.add_zip3(k, a, b, dy, term);
    } else if sb == Shape::SCALAR {
        let b = b[0];
        match k {
            0 => cx.add_zip(0, a, dy, move |a, dy| term(a, b, dy)),
            _ => cx.add_constant(1, reduce(a, dy, move |a, dy| term(a, b, dy))),
        }
    } else if sa == Shape::SCALAR {
        let a = a[0];
        match k {
            0 => cx.add_constant(0, reduce(b, dy, move |b, dy| term(a, b, dy))),
            _ => cx.add_zip(1, b, dy, move |b, dy| term(a, b, dy)),
        }
    } else {
        add_stretched(cx, k, term);
    }
}

/// [`add_terms`] where a row or a column is stretched: the result has several rows and columns.
#[inline(always)]
fn add_stretched<T: Float>(cx: &mut Backward<'_, T>, k: usize, term: impl Fn(T, T, T) -> T) {
    let (own, sy, dy) = (cx.shape(k), cx.y_shape(), cx.dy());
    let (mut a, mut b) = (Stretched::new(cx.x(0), cx.shape(0), sy), Stretched::new(cx.x(1), cx.shape(1), sy));
    let (cols, len) = (sy.cols, row_or_rows(sy.cols));
    if own.rows == 1 {
        return cx.add_column_sums(
            k,
            dy.len(),
            #[inline(always)]
            |start, part| {
                let (a, b) = (a.piece(start, part.len()), b.piece(start, part.len()));
                pairs(part.iter_mut().zip(&dy[start..]), a, b, |(sum, dy), a, b| *sum += term(a, b, *dy));
            },
        );
    }
    let Some(mut dx) = cx.sum(k) else { return };
    if own.cols == cols {
        return vectorize(
            dy.len(),
            #[inline(always)]
            move || {
                for (i, dy) in dy.chunks(len).enumerate() {
                    let (a, b) = (a.piece(i * len, dy.len()), b.piece(i * len, dy.len()));
                    let mut dx = dx.part(i * len, dy.len());
                    match (a, b) {
                        (Piece::Many(a), Piece::Many(b)) => dx.add_zip3(a, b, dy, &term),
                        (Piece::Many(a), Piece::One(b)) => dx.add_zip(a, dy, |a, dy| term(a, b, dy)),
                        (Piece::One(a), Piece::Many(b)) => dx.add_zip(b, dy, |b, dy| term(a, b, dy)),
                        (Piece::One(_), Piece::One(_)) => unreachable!("{ALL_COLUMNS}"),
                    }
                }
            },
        );
    }
    if len == cols {
        for (i, dy) in dy.chunks(len).enumerate() {
            match (a.piece(i * len, dy.len()), b.piece(i * len, dy.len())) {
                (Piece::Many(a), Piece::One(b)) => dx.add(i, reduce(a, dy, |a, dy| term(a, b, dy))),
                (Piece::One(a), Piece::Many(b)) => dx.add(i, reduce(b, dy, |b, dy| term(a, b, dy))),
                _ => unreachable!("{ALL_COLUMNS}, and the other is this one"),
            }
        }
        return;
    }
    // Several short rows at once.
    vectorize(
        dy.len(),
        #[inline(always)]
        move || {
            for (i, dy) in dy.chunks(len).enumerate() {
                let (a, b) = (a.piece(i * len, dy.len()), b.piece(i * len, dy.len()));
                let mut terms = [T::ZERO; PIECE];
                pairs(terms.iter_mut().zip(dy), a, b, |(to, dy), a, b| *to = term(a, b, *dy));
                // Column by column: a loop over a short row costs more.
                let mut sums = [T::ZERO; PIECE / 2];
                for j in 0..cols {
                    let column = terms[j..dy.len()].iter().step_by(cols);
                    sums.iter_mut().zip(column).for_each(|(sum, x)| *sum += *x);
                }
                let rows = dy.len() / cols;
                dx.part(i * len / cols, rows).add_slice(&sums[..rows]);
            }
        },
    );
}

/// Why no loop is needed for two operands of one column each.
const ALL_COLUMNS: &str = "one of the operands has all columns";

/// An operand as it stands in a result of several rows and columns.
struct Stretched<'a, T> {
    x: &'a [T],
    shape: Shape,
    cols: usize,
    /// Stretched, as many rows as [`row_or_rows`] says, where rows are short.
    tile: [T; PIECE],
}

/// What an operand has for a part of the result: a number for each of its numbers, or one for all.
enum Piece<'a, T> {
    Many(&'a [T]),
    One(T),
}

impl<'a, T: Float> Stretched<'a, T> {
    #[inline(always)]
    fn new(x: &'a [T], shape: Shape, result: Shape) -> Self {
        let (cols, mut tile) = (result.cols, [T::ZERO; PIECE]);
        let len = row_or_rows(cols);
        if shape.rows == 1 && len != cols {
            tile[..len].chunks_mut(cols).for_each(|row| row.copy_from_slice(x));
        }
        Stretched { x, shape, cols, tile }
    }

    /// What stands for the `len` numbers of the result from `start` on, row-major: a part of one row,
    /// or whole rows where they are short.
    #[inline(always)]
    fn piece(&mut self, start: usize, len: usize) -> Piece<'_, T> {
        let (x, cols) = (self.x, self.cols);
        let several_rows = row_or_rows(cols) != cols;
        if self.shape.rows != 1 && self.shape.cols == cols {
            Piece::Many(&x[start..][..len])
        } else if self.shape.rows == 1 && several_rows {
            Piece::Many(&self.tile[..len])
        } else if self.shape.rows == 1 {
            Piece::Many(&x[start % cols..][..len])
        } else if several_rows {
            let rows = &x[start / cols..];
            for j in 0..cols {
                self.tile[j..len].iter_mut().step_by(cols).zip(rows).for_each(|(to, x)| *to = *x);
            }
            Piece::Many(&self.tile[..len])
        } else {
            Piece::One(x[start / cols])
        }
    }
}

/// f(y, a, b) for each y with what the operands have for it.
#[inline(always)]
fn pairs<T: Float, Y>(y: impl Iterator<Item = Y>, a: Piece<'_, T>, b: Piece<'_, T>, f: impl Fn(Y, T, T)) {
    match (a, b) {
        (Piece::Many(a), Piece::Many(b)) => y.zip(a.iter().zip(b)).for_each(|(y, (a, b))| f(y, *a, *b)),
        (Piece::Many(a), Piece::One(b)) => y.zip(a).for_each(|(y, a)| f(y, *a, b)),
        (Piece::One(a), Piece::Many(b)) => y.zip(b).for_each(|(y, b)| f(y, a, *b)),
        (Piece::One(_), Piece::One(_)) => unreachable!("{ALL_COLUMNS}"),
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
