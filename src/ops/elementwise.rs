//! What all functions of one number have in common: y = f(x), entry by entry.
//!
//! **A slope of 0.** Where a function is constant, its gradient is 0, whatever comes from above: `relu` at −1
//! under a square root gets ∞, and 0·∞ would be NaN. So an operation is asked for f'(x)·dy and not for f'(x),
//! and one with branches selects, with [`pass_if`], and never multiplies by 0. A smooth function multiplies:
//! where its slope is 0 at a point, or too small for the type, 0·∞ is NaN, as in PyTorch and JAX.

use crate::Float;
use crate::linalg::simd::fused;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Tape, Var};

/// A function of one number and its gradient; [`Elementwise`] makes an operation of it.
///
/// ```
/// use tapegrad::ops::{Elementwise, Unary};
/// use tapegrad::{Args, Recorder, Tape};
///
/// /// y = x³.
/// struct Cube;
///
/// impl Unary<f64> for Cube {
///     const NAME: &'static str = "cube";
///     fn value(x: f64, _: &Args<f64>) -> f64 {
///         x * x * x
///     }
///     fn backward(x: f64, _: f64, dy: f64, _: &Args<f64>) -> f64 {
///         3.0 * x * x * dy
///     }
///     // Only for gradients of gradients.
///     fn record(mut cx: Recorder<'_, f64>) {
///         let (x, dy) = (cx.x(0), cx.dy());
///         cx.add_with(0, |tape| tape.scope(|s| (3.0 * s.var(x).square() * dy).var()));
///     }
/// }
///
/// let mut tape = Tape::new();
/// let x = tape.variable_slice(1, 2, &[2.0, -1.0]);
/// let y = tape.elementwise(&Elementwise(Cube), x, Args::NONE);
/// assert_eq!(tape.value_slice(y), [8.0, -1.0]);
/// tape.backward_with(y, |dy| dy.fill(2.0));
/// assert_eq!(tape.grad_slice(x), [24.0, 6.0]);
///
/// let sum = tape.sum(y);
/// let slopes = tape.gradient(sum, &[x])[0];
/// tape.backward_with(slopes, |dy| dy.fill(1.0));
/// assert_eq!(tape.grad_slice(x), [12.0, -6.0]);
/// ```
pub trait Unary<T: Float>: Sync {
    /// The name in messages: that of the method.
    const NAME: &'static str;
    /// How many of the two scalars of [`Args`] are in use, and shown when the tape is printed.
    const SCALARS: usize = 0;
    /// Whether value or gradient take a function of [`Float`], such as `exp`. Where they do not, `false` saves a 1×1 value
    /// the way to the CPU's fused multiply-add, a nanosecond.
    const FUNCTIONS: bool = true;

    /// f(x).
    fn value(x: T, args: &Args<T>) -> T;

    /// f'(x)·dy, where y = f(x) is known already, and dy may be infinite or NaN.
    ///
    /// On a branch where f is constant it is 0: select with [`pass_if`], and do not multiply by 0. Where f'
    /// is a quotient, divide dy, and do not multiply by a reciprocal, which may be infinite.
    fn backward(x: T, y: T, dy: T, args: &Args<T>) -> T;

    /// f'(x) ∘ dy as operations: see [`Operation::record`].
    fn record(cx: Recorder<'_, T>) {
        cx.none()
    }

    /// The constants as the printed tape shows them, a space before each: the scalars in use.
    fn describe(args: &Args<T>) -> String {
        args.scalars[..Self::SCALARS].iter().map(|c| format!(" {c}")).collect()
    }
}

/// The operation that applies a [`Unary`] function to every entry: y = f(x), dx = f'(x) ∘ dy.
pub struct Elementwise<U>(pub U);

impl<T: Float, U: Unary<T>> Operation<T> for Elementwise<U> {
    fn name(&self) -> &'static str {
        U::NAME
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let args = *cx.args();
        if let [x] = cx.x(0) {
            // Nothing to set up: that is most of the time where every value is 1×1.
            cx.y()[0] = single::<U, T>(
                #[inline(always)]
                || U::value(*x, &args),
            );
            return;
        }
        cx.map(
            #[inline(always)]
            move |x| U::value(x, &args),
        );
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (args, y, dy) = (*cx.args(), cx.y(), cx.dy());
        let operand = cx.operand(0);
        let x = operand.x;
        if let ([x], [y], [dy]) = (x, y, dy) {
            if operand.needed {
                let term = single::<U, T>(
                    #[inline(always)]
                    || U::backward(*x, *y, *dy, &args),
                );
                cx.add_to_scalar(&operand, term);
            }
            return;
        }
        backward_of_many::<T, U>(cx, x);
    }

    fn record(&self, cx: Recorder<'_, T>) {
        U::record(cx);
    }

    fn describe(&self, args: &Args<T>) -> String {
        U::describe(args)
    }
}

/// What `f` computes of one number, by functions of `U`.
#[inline(always)]
fn single<U: Unary<T>, T: Float>(f: impl FnOnce() -> T) -> T {
    if U::FUNCTIONS { fused(f) } else { f() }
}

/// The general case; beside it that of 1×1 would set up room on the stack that it does not need.
#[inline(never)]
fn backward_of_many<T: Float, U: Unary<T>>(mut cx: Backward<'_, T>, x: &[T]) {
    let (args, y, dy) = (*cx.args(), cx.y(), cx.dy());
    cx.add_zip3(
        0,
        x,
        y,
        dy,
        #[inline(always)]
        move |x, y, dy| U::backward(x, y, dy, &args),
    );
}

/// `dy` where `condition` holds, and 0 elsewhere, also where `dy` is infinite or NaN.
///
/// ```
/// use tapegrad::ops::pass_if;
///
/// assert_eq!(pass_if(true, 3.0), 3.0);
/// assert_eq!(pass_if(false, f64::INFINITY), 0.0);
/// ```
#[inline(always)]
pub fn pass_if<T: Float>(condition: bool, dy: T) -> T {
    if condition { dy } else { T::ZERO }
}

/// # Functions of one number
/// For operations of your own.
impl<T: Float> Tape<T> {
    /// Appends an operation of one operand whose result has the same shape, such as [`Elementwise`] of a
    /// function of your own.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn elementwise(&mut self, op: &'static dyn Operation<T>, x: impl Into<Var>, args: Args<T>) -> Var {
        let x = x.into();
        let (shape, differentiable) = self.operand(op, x);
        self.append(op, &[x], differentiable, shape, args, [])
    }
}
