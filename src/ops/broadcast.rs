//! What all functions of two numbers have in common: y = f(a, b), entry by entry, with NumPy's
//! broadcasting for two dimensions.
//!
//! Along each dimension the operands must agree, or one of them has a single row or column, which then
//! stands for all. The gradient of an operand that was stretched is summed over what it stood for.

use crate::Float;
use crate::linalg::simd::vectorize;
use crate::tape::{Args, Backward, Forward, Operation, Shape, Tape, Var};

/// A function of two numbers and its partial derivatives; [`Broadcast`] makes an operation of it.
pub trait Binary<T: Float>: Sync {
    /// The name in messages: that of the method.
    const NAME: &'static str;

    /// f(a, b).
    fn value(a: T, b: T) -> T;

    /// ∂f/∂a.
    fn slope_a(a: T, b: T) -> T;

    /// ∂f/∂b.
    fn slope_b(a: T, b: T) -> T;
}

/// The operation that applies a [`Binary`] function to every pair of entries, stretching single rows
/// and columns.
pub struct Broadcast<B>(pub B);

impl<T: Float, B: Binary<T>> Operation<T> for Broadcast<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (a, b, sa, sb) = (cx.x(0), cx.x(1), cx.shape(0), cx.shape(1));
        let cols = cx.y_shape().cols;
        let y = cx.y();
        if y.is_empty() {
            return;
        }
        // Equal shapes are one long row.
        let flat = Shape::new(1, y.len());
        let (sa, sb, cols) = if sa == sb { (flat, flat, y.len()) } else { (sa, sb, cols) };
        vectorize(
            y.len(),
            #[inline(always)]
            || {
                for (i, y) in y.chunks_mut(cols).enumerate() {
                    match (stretch(a, sa, i, cols), stretch(b, sb, i, cols)) {
                        (Row::Full(a), Row::Full(b)) => {
                            y.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (a, b))| *y = B::value(*a, *b));
                        }
                        (Row::Full(a), Row::One(b)) => {
                            y.iter_mut().zip(a).for_each(|(y, a)| *y = B::value(*a, b));
                        }
                        (Row::One(a), Row::Full(b)) => {
                            y.iter_mut().zip(b).for_each(|(y, b)| *y = B::value(a, *b));
                        }
                        (Row::One(a), Row::One(b)) => y.fill(B::value(a, b)),
                    }
                }
            },
        );
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (a, b, dy) = (cx.x(0), cx.x(1), cx.dy());
        if cx.shape(0) == cx.shape(1) {
            cx.add_zip3(0, a, b, dy, |a, b, dy| B::slope_a(a, b) * dy);
            cx.add_zip3(1, a, b, dy, |a, b, dy| B::slope_b(a, b) * dy);
        } else {
            add_stretched(&mut cx, 0, |a, b, dy| B::slope_a(a, b) * dy);
            add_stretched(&mut cx, 1, |a, b, dy| B::slope_b(a, b) * dy);
        }
    }
}

/// Row `i` of an operand as it stands in the result.
enum Row<'a, T> {
    Full(&'a [T]),
    One(T),
}

#[inline(always)]
fn stretch<T: Float>(x: &[T], shape: Shape, i: usize, cols: usize) -> Row<'_, T> {
    if x.len() == 1 {
        return if cols == 1 { Row::Full(x) } else { Row::One(x[0]) };
    }
    let i = if shape.rows == 1 { 0 } else { i };
    if shape.cols == 1 && cols != 1 { Row::One(x[i]) } else { Row::Full(&x[i * cols..][..cols]) }
}

/// Adds term(a, b, dy) to the gradient of operand `k`, summed over the rows and columns for which one
/// of its entries stood, in the order of the rows.
#[inline(always)]
fn add_stretched<T: Float>(cx: &mut Backward<'_, T>, k: usize, term: impl Fn(T, T, T) -> T) {
    let (a, b, sa, sb, dy) = (cx.x(0), cx.x(1), cx.shape(0), cx.shape(1), cx.dy());
    let (own, cols) = (cx.shape(k), cx.y_shape().cols);
    if dy.is_empty() {
        return cx.add_constant(k, T::ZERO);
    }
    cx.add_at(k, |mut dx| {
        for (i, dy) in dy.chunks(cols).enumerate() {
            let (a, b) = (stretch(a, sa, i, cols), stretch(b, sb, i, cols));
            let own_row = if own.rows == 1 { 0 } else { i };
            if own.cols == cols {
                let mut dx = dx.part(own_row * cols, cols);
                match (a, b) {
                    (Row::Full(a), Row::Full(b)) => dx.add_zip3(a, b, dy, &term),
                    (Row::Full(a), Row::One(b)) => dx.add_zip(a, dy, |a, dy| term(a, b, dy)),
                    (Row::One(a), Row::Full(b)) => dx.add_zip(b, dy, |b, dy| term(a, b, dy)),
                    (Row::One(a), Row::One(b)) => dx.add_zip(dy, dy, |dy, _| term(a, b, dy)),
                }
            } else {
                let total = match (a, b) {
                    (Row::Full(a), Row::One(b)) => row_sum(a, dy, |a, dy| term(a, b, dy)),
                    (Row::One(a), Row::Full(b)) => row_sum(b, dy, |b, dy| term(a, b, dy)),
                    (Row::One(a), Row::One(b)) => row_sum(dy, dy, |dy, _| term(a, b, dy)),
                    (Row::Full(a), Row::Full(b)) => {
                        (0..cols).fold(T::ZERO, |sum, j| sum + term(a[j], b[j], dy[j]))
                    }
                };
                dx.add(own_row, total);
            }
        }
    });
}

#[inline(always)]
fn row_sum<T: Float>(x: &[T], dy: &[T], term: impl Fn(T, T) -> T) -> T {
    x.iter().zip(dy).fold(T::ZERO, |sum, (x, dy)| sum + term(*x, *dy))
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

impl<T: Float> Tape<T> {
    /// Appends a function of two operands, entry by entry.
    #[track_caller]
    pub(crate) fn broadcast<B: Binary<T>>(
        &mut self,
        op: &'static Broadcast<B>,
        a: impl Into<Var>,
        b: impl Into<Var>,
    ) -> Var {
        let (a, b) = (a.into(), b.into());
        let (sa, sb) = (self.shape_for(B::NAME, a), self.shape_for(B::NAME, b));
        let Some(shape) = broadcast_shape(sa, sb) else {
            panic!(
                "{}: {a} is {sa} but {b} is {sb} (rows and columns must agree, or be 1 on one side)",
                B::NAME
            )
        };
        self.apply(op, &[a, b], shape, Args::NONE)
    }
}
