//! Elementary functions, entry by entry. Backward everywhere: dx = f'(x) ∘ dy.

use super::{Op, Unary, pass_if};
use crate::Float;
use crate::tape::{Args, Recorder, Tape, Var};

/// # Elementary functions
/// Entry by entry.
impl<T: Float> Tape<T> {
    /// −x.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn neg(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Neg.get(), x, Args::NONE)
    }

    /// c·x with a constant c.
    #[track_caller]
    pub fn scale(&mut self, x: impl Into<Var>, c: T) -> Var {
        self.elementwise(Op::Scale.get(), x, Args::scalar(c))
    }

    /// x + c with a constant c.
    #[track_caller]
    pub fn shift(&mut self, x: impl Into<Var>, c: T) -> Var {
        self.elementwise(Op::Shift.get(), x, Args::scalar(c))
    }

    /// eˣ.
    #[track_caller]
    pub fn exp(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Exp.get(), x, Args::NONE)
    }

    /// eˣ − 1, with all its digits where x is near 0.
    ///
    /// Backward: dx = eˣ·dy; 0 where that is too small for the type, whatever dy is.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn expm1(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Expm1.get(), x, Args::NONE)
    }

    /// Natural logarithm. NaN below zero, −∞ at zero.
    #[track_caller]
    pub fn ln(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Ln.get(), x, Args::NONE)
    }

    /// √x. NaN below zero; the slope at zero is ∞.
    ///
    /// Backward: dx = dy/2y, which is NaN at zero for dy = 0, as in PyTorch. So a length made of it,
    /// `sqrt(sum(square(x)))`, has NaN for its gradient at the origin, where `sum` sends ∞ and `square` 0 times
    /// that: use [`norm`](Tape::norm), whose gradient there is 0.
    #[track_caller]
    pub fn sqrt(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Sqrt.get(), x, Args::NONE)
    }

    /// x². The slope is 2x, and at x = 0 under an infinite gradient 0·∞, NaN, as in PyTorch.
    #[track_caller]
    pub fn square(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Square.get(), x, Args::NONE)
    }

    /// Error function 2/√π ∫₀ˣ e^(−t²) dt. The slope is 2/√π·e^(−x²).
    #[track_caller]
    pub fn erf(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Erf.get(), x, Args::NONE)
    }

    /// |x|. The slope at 0 is 0.
    #[track_caller]
    pub fn abs(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Abs.get(), x, Args::NONE)
    }

    /// x where it lies in [`low`, `high`], or the nearer of the two bounds. NaN stays NaN.
    ///
    /// The slope is 1 inside and on both bounds, as in PyTorch, and 0 outside.
    ///
    /// # Panics
    /// If `x` is stale, or `low` is not at most `high`.
    #[track_caller]
    pub fn clamp(&mut self, x: impl Into<Var>, low: T, high: T) -> Var {
        assert!(low <= high, "clamp: the lower bound {low} is not at most the upper bound {high}");
        self.elementwise(Op::Clamp.get(), x, Args::scalars(low, high))
    }
}

pub(super) struct Neg;
impl<T: Float> Unary<T> for Neg {
    const NAME: &'static str = "neg";
    const FUNCTIONS: bool = false;
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        -x
    }
    #[inline(always)]
    fn backward(_: T, _: T, dy: T, _: &Args<T>) -> T {
        -dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        cx.add_with(0, |tape| tape.neg(dy));
    }
}

pub(super) struct Scale;
impl<T: Float> Unary<T> for Scale {
    const NAME: &'static str = "scale";
    const SCALARS: usize = 1;
    const FUNCTIONS: bool = false;
    #[inline(always)]
    fn value(x: T, args: &Args<T>) -> T {
        args.scalars[0] * x
    }
    #[inline(always)]
    fn backward(_: T, _: T, dy: T, args: &Args<T>) -> T {
        args.scalars[0] * dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        let factor = cx.args().scalars[0];
        cx.add_with(0, |tape| tape.scale(dy, factor));
    }
}

pub(super) struct Shift;
impl<T: Float> Unary<T> for Shift {
    const NAME: &'static str = "shift";
    const SCALARS: usize = 1;
    const FUNCTIONS: bool = false;
    #[inline(always)]
    fn value(x: T, args: &Args<T>) -> T {
        x + args.scalars[0]
    }
    #[inline(always)]
    fn backward(_: T, _: T, dy: T, _: &Args<T>) -> T {
        dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        cx.add(0, dy);
    }
}

pub(super) struct Exp;
impl<T: Float> Unary<T> for Exp {
    const NAME: &'static str = "exp";
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.exp()
    }
    #[inline(always)]
    fn backward(_: T, y: T, dy: T, _: &Args<T>) -> T {
        y * dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let y = cx.y();
        cx.add_slope(0, |_| y);
    }
}

pub(super) struct Expm1;
impl<T: Float> Unary<T> for Expm1 {
    const NAME: &'static str = "expm1";
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.exp_m1()
    }
    #[inline(always)]
    fn backward(x: T, _: T, dy: T, _: &Args<T>) -> T {
        let slope = x.exp();
        pass_if(slope != T::ZERO, slope * dy)
    }

    fn record(mut cx: Recorder<'_, T>) {
        let (x, dy) = (cx.x(0), cx.dy());
        cx.add_with(0, |tape| {
            let slope = tape.exp(x);
            tape.slope_times(slope, dy)
        });
    }
}

pub(super) struct Ln;
impl<T: Float> Unary<T> for Ln {
    const NAME: &'static str = "ln";
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.ln()
    }
    #[inline(always)]
    fn backward(x: T, _: T, dy: T, _: &Args<T>) -> T {
        dy / x
    }

    fn record(mut cx: Recorder<'_, T>) {
        let (x, dy) = (cx.x(0), cx.dy());
        cx.add_with(0, |tape| tape.div(dy, x));
    }
}

pub(super) struct Sqrt;
impl<T: Float> Unary<T> for Sqrt {
    const NAME: &'static str = "sqrt";
    const FUNCTIONS: bool = false;
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.sqrt()
    }
    #[inline(always)]
    fn backward(_: T, y: T, dy: T, _: &Args<T>) -> T {
        dy / (y + y)
    }

    fn record(mut cx: Recorder<'_, T>) {
        let (y, dy) = (cx.y(), cx.dy());
        cx.add_with(0, |tape| {
            let twice = tape.add(y, y);
            tape.div(dy, twice)
        });
    }
}

pub(super) struct Square;
impl<T: Float> Unary<T> for Square {
    const NAME: &'static str = "square";
    const FUNCTIONS: bool = false;
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x * x
    }
    #[inline(always)]
    fn backward(x: T, _: T, dy: T, _: &Args<T>) -> T {
        (x + x) * dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let x = cx.x(0);
        cx.add_slope(0, |tape| tape.add(x, x));
    }
}

pub(super) struct Erf;
impl<T: Float> Unary<T> for Erf {
    const NAME: &'static str = "erf";
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.erf()
    }
    #[inline(always)]
    fn backward(x: T, _: T, dy: T, _: &Args<T>) -> T {
        T::of(std::f64::consts::FRAC_2_SQRT_PI) * (-x * x).exp() * dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let x = cx.x(0);
        cx.add_slope(0, |tape| {
            let square = tape.square(x);
            let minus = tape.neg(square);
            let bell = tape.exp(minus);
            tape.scale(bell, T::of(std::f64::consts::FRAC_2_SQRT_PI))
        });
    }
}

pub(super) struct Abs;
impl<T: Float> Unary<T> for Abs {
    const NAME: &'static str = "abs";
    const FUNCTIONS: bool = false;
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.abs()
    }
    #[inline(always)]
    fn backward(x: T, _: T, dy: T, _: &Args<T>) -> T {
        with_sign(x, dy)
    }

    fn record(mut cx: Recorder<'_, T>) {
        let (x, dy) = (cx.x(0), cx.dy());
        cx.add_with(0, |tape| record_with_sign(tape, x, dy));
    }
}

/// dy, 0 or −dy where x is above, at or below 0. Of NaN: 0.
#[inline(always)]
pub(super) fn with_sign<T: Float>(x: T, dy: T) -> T {
    pass_if(x.abs() > T::ZERO, if x < T::ZERO { -dy } else { dy })
}

/// The same as operations.
pub(super) fn record_with_sign<T: Float>(tape: &mut Tape<T>, x: Var, dy: Var) -> Var {
    let minus = tape.neg(dy);
    let either = tape.chosen(x, |x| x < T::ZERO, minus, dy);
    tape.kept(x, |x| x.abs() > T::ZERO, either)
}

pub(super) struct Clamp;
impl<T: Float> Unary<T> for Clamp {
    const NAME: &'static str = "clamp";
    const SCALARS: usize = 2;
    const FUNCTIONS: bool = false;
    #[inline(always)]
    fn value(x: T, args: &Args<T>) -> T {
        let [low, high] = args.scalars;
        if x < low {
            low
        } else if x > high {
            high
        } else {
            x
        }
    }
    #[inline(always)]
    fn backward(x: T, _: T, dy: T, args: &Args<T>) -> T {
        pass_if(x >= args.scalars[0] && x <= args.scalars[1], dy)
    }

    fn record(mut cx: Recorder<'_, T>) {
        let [low, high] = cx.args().scalars;
        cx.add_where(0, |x| x >= low && x <= high);
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled, value_and_grad};
    use crate::tape::Var;

    type Op = fn(&mut Tape, Var) -> Var;

    #[test]
    fn gradients() {
        let anywhere: [Op; 9] = [
            |t, x| t.neg(x),
            |t, x| t.scale(x, -1.7),
            |t, x| t.shift(x, 0.4),
            |t, x| t.exp(x),
            |t, x| t.expm1(x),
            |t, x| t.square(x),
            |t, x| t.abs(x),
            |t, x| t.erf(x),
            |t, x| t.clamp(x, -0.42, 0.61),
        ];
        let above_zero: [Op; 2] = [|t, x| t.ln(x), |t, x| t.sqrt(x)];
        for (m, n) in [(1, 1), (3, 4), (6, 7), (0, 3), (2, 0)] {
            for op in anywhere {
                check_op(&[filled(m, n)], |t, x| op(t, x[0]));
            }
            for op in above_zero {
                check_op(&[filled(m, n).map(|x| x.abs() + 0.4)], |t, x| op(t, x[0]));
            }
        }
    }

    #[test]
    fn kinks_and_edges() {
        let slopes = |x: &[f64], op: Op| value_and_grad(x, op).1;
        let inf = f64::INFINITY;
        assert_eq!(slopes(&[-0.0, 0.0, 2.0, -2.0], |t, x| t.abs(x)), [0.0, 0.0, 1.0, -1.0]);
        assert_eq!(
            slopes(&[-1.1, -1.0, 0.0, 2.0, 2.1], |t, x| t.clamp(x, -1.0, 2.0)),
            [0.0, 1.0, 1.0, 1.0, 0.0]
        );
        assert_eq!(value_and_grad(&[0.0], |t, x| t.sqrt(x)), (vec![0.0], vec![inf]));
        assert!(value_and_grad(&[-1.0], |t, x| t.ln(x)).0[0].is_nan());
        assert_eq!(value_and_grad(&[-inf, 0.0], |t, x| t.erf(x)).0, [-1.0, 0.0]);
        assert_eq!(slopes(&[-40.0, 0.0], |t, x| t.erf(x)), [0.0, std::f64::consts::FRAC_2_SQRT_PI]);
        assert!(value_and_grad(&[f64::NAN], |t, x| t.clamp(x, -1.0, 1.0)).0[0].is_nan());
    }

    /// Near 0 the power series says x + x²/2 + x³/6.
    #[test]
    fn an_exponential_less_one_keeps_its_digits() {
        for x in [1e-10, -1e-6, 1e-4f64] {
            let series = x + x * x / 2.0 + x * x * x / 6.0;
            let (y, dx) = value_and_grad(&[x], |t, x| t.expm1(x));
            assert!((y[0] / series - 1.0).abs() < 1e-13, "{x}: {}", y[0]);
            assert!((dx[0] - (1.0 + series)).abs() < 1e-15, "{x}: {}", dx[0]);
        }
        assert_eq!(value_and_grad(&[-800.0], |t, x| t.expm1(x)).0, [-1.0]);
    }

    #[test]
    fn constants_are_shown() {
        let mut tape = Tape::<f32>::default();
        let x = tape.scalar(0.5);
        tape.powi(x, -3);
        tape.clamp(x, -1.0, 2.5);
        tape.powi(x, 16_777_217);
        let text = tape.to_string();
        assert!(text.contains("v1: 1×1 = powi v0 -3\n"), "{text}");
        assert!(text.contains("v2: 1×1 = clamp v0 -1 2.5\n"), "{text}");
        // Not a number of f32.
        assert!(text.contains("v3: 1×1 = powi v0 16777217\n"), "{text}");
    }

    #[test]
    #[should_panic(expected = "clamp: the lower bound 2 is not at most the upper bound 1")]
    fn bounds_in_the_wrong_order() {
        let mut tape = Tape::new();
        let x = tape.scalar(0.5);
        tape.clamp(x, 2.0, 1.0);
    }
}
