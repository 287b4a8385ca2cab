//! Activations of neural networks, entry by entry. Backward everywhere: dx = f'(x) ∘ dy.
//!
//! None of them overflows: for every finite input, value and slope are finite. At ±∞ both are their limits.
//! In the tail towards 0, the values of the gelus, silu, sigmoid and softplus have all the digits that their
//! arguments have; the slopes of `sigmoid` and `tanh` are computed from the value, y(1 − y) and 1 − y², which
//! near |y| = 1 have an error of ε, however small they are (as in PyTorch and JAX).

use super::{Op, Unary, pass_if};
use crate::Float;
use crate::linalg::parts::{Rows, by_rows};
use crate::linalg::simd::{any, vectorize};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Tape, Var};

/// # Activations
/// Entry by entry.
impl<T: Float> Tape<T> {
    /// Rectified linear unit, max(x, 0). The slope at 0 is 0. NaN stays NaN.
    ///
    /// # Panics
    /// If `x` is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.variable_slice(1, 3, &[-2.0, 0.0, 3.0]);
    /// let y = tape.relu(x);
    /// tape.backward_with(y, |dy| dy.fill(1.0));
    /// assert_eq!(tape.value_slice(y), [0.0, 0.0, 3.0]);
    /// assert_eq!(tape.grad_slice(x), [0.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn relu(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Relu.get(), x, Args::NONE)
    }

    /// x above 0, `slope`·x below. The slope at 0 is `slope`, as in PyTorch.
    #[track_caller]
    pub fn leaky_relu(&mut self, x: impl Into<Var>, slope: T) -> Var {
        self.elementwise(Op::LeakyRelu.get(), x, Args::scalar(slope))
    }

    /// Gaussian error linear unit in the sigmoid form, x·σ(1.702x).
    ///
    /// Hendrycks & Gimpel, *Gaussian Error Linear Units*, arXiv:1606.08415, section 2. It differs from
    /// [`gelu_erf`](Tape::gelu_erf) by up to 0.0204.
    #[track_caller]
    pub fn gelu(&mut self, x: impl Into<Var>) -> Var {
        self.gated(Op::Gelu, x)
    }

    /// Gaussian error linear unit in the tanh form, ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))).
    ///
    /// It differs from [`gelu_erf`](Tape::gelu_erf) by up to 5·10⁻⁴.
    #[track_caller]
    pub fn gelu_tanh(&mut self, x: impl Into<Var>) -> Var {
        self.gated(Op::GeluTanh, x)
    }

    /// Logistic function σ(x) = 1/(1 + e⁻ˣ).
    #[track_caller]
    pub fn sigmoid(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Sigmoid.get(), x, Args::NONE)
    }

    /// Hyperbolic tangent.
    #[track_caller]
    pub fn tanh(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Tanh.get(), x, Args::NONE)
    }

    /// ln(1 + eˣ), computed as max(x, 0) + ln(1 + e^(−|x|)).
    #[track_caller]
    pub fn softplus(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Softplus.get(), x, Args::NONE)
    }

    /// x·σ(x), also known as swish.
    #[track_caller]
    pub fn silu(&mut self, x: impl Into<Var>) -> Var {
        self.gated(Op::Silu, x)
    }

    #[track_caller]
    fn gated(&mut self, op: Op, x: impl Into<Var>) -> Var {
        let (op, x) = (op.get(), x.into());
        let shape = self.shape_under(op, x);
        self.apply(op, &[x], shape, Args::NONE.saving(shape.numel()))
    }
}

pub(super) struct Relu;
impl<T: Float> Unary<T> for Relu {
    const NAME: &'static str = "relu";
    const FUNCTIONS: bool = false;
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        // In this form, and not as a maximum, NaN is kept.
        if x < T::ZERO { T::ZERO } else { x }
    }
    #[inline(always)]
    fn backward(x: T, _: T, dy: T, _: &Args<T>) -> T {
        pass_if(x > T::ZERO, dy)
    }

    fn record(mut cx: Recorder<'_, T>) {
        cx.add_where(0, |x| x > T::ZERO);
    }
}

pub(super) struct LeakyRelu;
impl<T: Float> Unary<T> for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    const SCALARS: usize = 1;
    const FUNCTIONS: bool = false;
    #[inline(always)]
    fn value(x: T, args: &Args<T>) -> T {
        // With a slope of 0 it is constant below zero, down to −∞.
        let slope = args.scalars[0];
        if x < T::ZERO { pass_if(slope != T::ZERO, slope * x) } else { x }
    }
    #[inline(always)]
    fn backward(x: T, _: T, dy: T, args: &Args<T>) -> T {
        let slope = args.scalars[0];
        if x > T::ZERO { dy } else { pass_if(slope != T::ZERO, slope * dy) }
    }

    fn record(mut cx: Recorder<'_, T>) {
        let (x, dy, slope) = (cx.x(0), cx.dy(), cx.args().scalars[0]);
        if slope == T::ZERO {
            return cx.add_where(0, |x| x > T::ZERO);
        }
        cx.add_with(0, |tape| {
            let below = tape.scale(dy, slope);
            tape.chosen(x, |x| x > T::ZERO, dy, below)
        });
    }
}

/// A gate g between 0 and 1, of a function x·g(x).
pub(super) trait Gate<T: Float>: Sync {
    const NAME: &'static str;

    /// Below it g(x) may be subnormal, in either type of numbers.
    const TAIL: f64;

    /// g(x).
    fn gate(x: T) -> T;

    /// x·g'(x), where g = g(x) is known already; finite for finite x, however large g'/g may be.
    fn slope(x: T, g: T) -> T;

    /// What the gate is the logistic function of, as operations.
    fn argument(tape: &mut Tape<T>, x: Var) -> Var;

    /// part·u'(x) for the argument u, as operations.
    fn times_slope_of_argument(tape: &mut Tape<T>, part: Var, x: Var) -> Var;

    /// x·g(x) for finite x < 0 where g(x) is subnormal, or 0, and has lost digits that the product has.
    fn tail(x: T) -> T;
}

/// y = x·g, dx = (g + x·g') ∘ dy. Saves g + x·g': to compute the gate again costs ten times as much as to read a number.
pub(super) struct Gated<G>(pub G);

impl<T: Float, G: Gate<T>> Operation<T> for Gated<G> {
    fn name(&self) -> &'static str {
        G::NAME
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let x = cx.x(0);
        let (y, slopes) = cx.y_and_saved();
        let parts = (Rows { numbers: y, cols: 1 }, Rows { numbers: slopes, cols: 1 });
        by_rows(x.len(), x.len(), parts, &|first, (y, slopes)| {
            let (y, slopes) = (y.numbers, slopes.numbers);
            let x = &x[first..][..y.len()];
            let to = &mut *y;
            let in_the_tail = vectorize(
                x.len(),
                #[inline(always)]
                move || {
                    for ((y, slope), x) in to.iter_mut().zip(slopes).zip(x) {
                        let gate = G::gate(*x);
                        *y = *x * gate;
                        // At ±∞ the other term is 0 in the limit, but ∞·0 here.
                        let other = if x.abs() == T::INFINITY { T::ZERO } else { G::slope(*x, gate) };
                        *slope = gate + other;
                    }
                    // Looked for apart: beside the loop above, nothing of it would be done side by side.
                    any(x, |x| x < T::of(G::TAIL))
                },
            );
            if in_the_tail {
                mend_tail::<T, G>(x, y);
            }
        });
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (slopes, dy) = (cx.saved(), cx.dy());
        cx.add_zip(
            0,
            slopes,
            dy,
            #[inline(always)]
            |slope, dy| slope * dy,
        );
    }

    fn record(&self, cx: Recorder<'_, T>) {
        record_slope(cx, |tape, x| {
            let argument = G::argument(tape, x);
            let gate = tape.sigmoid(argument);
            let rest = tape.one_minus(gate);
            let product = tape.mul(gate, rest);
            let part = tape.mul(product, x);
            let other = G::times_slope_of_argument(tape, part, x);
            tape.add(gate, other)
        });
    }
}

/// The gradient of a function that goes to 0 on the left and to x on the right, by its slope as operations, which have no
/// limits at ±∞ but ∞·0.
pub(super) fn record_slope<T: Float>(mut cx: Recorder<'_, T>, slope: impl FnOnce(&mut Tape<T>, Var) -> Var) {
    let (x, dy) = (cx.x(0), cx.dy());
    let is_infinite = |x: T| x.abs() == T::INFINITY;
    cx.add_with(0, |tape| {
        if !tape.some(x, is_infinite) {
            let slope = slope(tape, x);
            return tape.mul(slope, dy);
        }
        let finite = tape.kept(x, |x| !is_infinite(x), x);
        let (slope, limit) = (slope(tape, finite), tape.mask(x, |x| x == T::INFINITY));
        let slope = tape.chosen(x, is_infinite, limit, slope);
        tape.mul(slope, dy)
    });
}

/// The values where the gate has lost digits.
#[cold]
fn mend_tail<T: Float, G: Gate<T>>(x: &[T], y: &mut [T]) {
    for (y, x) in y.iter_mut().zip(x).filter(|(_, x)| **x < T::of(G::TAIL)) {
        if G::gate(*x) < T::MIN_POSITIVE {
            *y = if *x == -T::INFINITY { T::ZERO } else { G::tail(*x) };
        }
    }
}

/// x·e^z for z < 0, in two halves, so that nothing but the product can be subnormal.
fn times_exp<T: Float>(x: T, z: T) -> T {
    let half = (T::of(0.5) * z).exp();
    x * half * half
}

pub(super) struct Gelu;
impl<T: Float> Gate<T> for Gelu {
    const NAME: &'static str = "gelu";
    // 1.702·51 = 86.8, and e^−87.3 is the least normal number of `f32`.
    const TAIL: f64 = -51.0;
    #[inline(always)]
    fn gate(x: T) -> T {
        (T::of(1.702) * x).sigmoid()
    }
    #[inline(always)]
    fn slope(x: T, g: T) -> T {
        // g·(1 − g) first: it is 0 where x is so large that 1.702x overflows.
        g * (T::ONE - g) * x * T::of(1.702)
    }
    fn tail(x: T) -> T {
        times_exp(x, T::of(1.702) * x)
    }

    fn argument(tape: &mut Tape<T>, x: Var) -> Var {
        tape.scale(x, T::of(1.702))
    }

    fn times_slope_of_argument(tape: &mut Tape<T>, part: Var, _: Var) -> Var {
        tape.scale(part, T::of(1.702))
    }
}

/// √(2/π).
const SQRT_2_OVER_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;

pub(super) struct GeluTanh;
impl GeluTanh {
    /// 2u with ½(1 + tanh u) = σ(2u), which keeps its digits for negative u.
    #[inline(always)]
    fn twice_u<T: Float>(x: T) -> T {
        T::of(2.0 * SQRT_2_OVER_PI) * (x + T::of(0.044715) * x * x * x)
    }
}
impl<T: Float> Gate<T> for GeluTanh {
    const NAME: &'static str = "gelu_tanh";
    // 2√(2/π)·(9.9 + 0.044715·9.9³) = 85.0.
    const TAIL: f64 = -9.9;
    #[inline(always)]
    fn gate(x: T) -> T {
        GeluTanh::twice_u(x).sigmoid()
    }
    #[inline(always)]
    fn slope(x: T, g: T) -> T {
        // From the left, so that no x² overflows before it meets the 0 of g·(1 − g).
        let s = g * (T::ONE - g) * x;
        T::of(2.0 * SQRT_2_OVER_PI) * (s + T::of(3.0 * 0.044715) * s * x * x)
    }
    fn tail(x: T) -> T {
        times_exp(x, GeluTanh::twice_u(x))
    }

    fn argument(tape: &mut Tape<T>, x: Var) -> Var {
        let cube = tape.powi(x, 3);
        let part = tape.scale(cube, T::of(0.044715));
        let sum = tape.add(x, part);
        tape.scale(sum, T::of(2.0 * SQRT_2_OVER_PI))
    }

    fn times_slope_of_argument(tape: &mut Tape<T>, part: Var, x: Var) -> Var {
        let line = tape.mul(part, x);
        let square = tape.mul(line, x);
        let bent = tape.scale(square, T::of(3.0 * 0.044715));
        let sum = tape.add(part, bent);
        tape.scale(sum, T::of(2.0 * SQRT_2_OVER_PI))
    }
}

pub(super) struct Silu;
impl<T: Float> Gate<T> for Silu {
    const NAME: &'static str = "silu";
    const TAIL: f64 = -87.0;
    #[inline(always)]
    fn gate(x: T) -> T {
        x.sigmoid()
    }
    #[inline(always)]
    fn slope(x: T, g: T) -> T {
        g * (T::ONE - g) * x
    }
    fn tail(x: T) -> T {
        times_exp(x, x)
    }

    fn argument(_: &mut Tape<T>, x: Var) -> Var {
        x
    }

    fn times_slope_of_argument(_: &mut Tape<T>, part: Var, _: Var) -> Var {
        part
    }
}

pub(super) struct Sigmoid;
impl<T: Float> Unary<T> for Sigmoid {
    const NAME: &'static str = "sigmoid";
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.sigmoid()
    }
    #[inline(always)]
    fn backward(_: T, y: T, dy: T, _: &Args<T>) -> T {
        y * (T::ONE - y) * dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let y = cx.y();
        cx.add_slope(0, |tape| {
            // Not y − y², which has no digits where y is near 1.
            let rest = tape.one_minus(y);
            tape.mul(y, rest)
        });
    }
}

pub(super) struct Tanh;
impl<T: Float> Unary<T> for Tanh {
    const NAME: &'static str = "tanh";
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.tanh()
    }
    #[inline(always)]
    fn backward(_: T, y: T, dy: T, _: &Args<T>) -> T {
        (T::ONE - y * y) * dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let y = cx.y();
        cx.add_slope(0, |tape| {
            let square = tape.square(y);
            tape.one_minus(square)
        });
    }
}

pub(super) struct Softplus;
impl<T: Float> Unary<T> for Softplus {
    const NAME: &'static str = "softplus";
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.softplus()
    }
    #[inline(always)]
    fn backward(x: T, _: T, dy: T, _: &Args<T>) -> T {
        x.sigmoid() * dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let x = cx.x(0);
        cx.add_slope(0, |tape| tape.sigmoid(x));
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled, value_and_grad};
    use crate::tape::Var;

    type Op = fn(&mut Tape, Var) -> Var;

    const ALL: [Op; 9] = [
        |t, x| t.relu(x),
        |t, x| t.leaky_relu(x, 0.2),
        |t, x| t.gelu(x),
        |t, x| t.gelu_tanh(x),
        |t, x| t.gelu_erf(x),
        |t, x| t.sigmoid(x),
        |t, x| t.tanh(x),
        |t, x| t.softplus(x),
        |t, x| t.silu(x),
    ];

    #[test]
    fn gradients() {
        for op in ALL {
            for (m, n) in [(1, 1), (3, 4), (7, 9), (0, 3), (2, 0)] {
                check_op(&[filled(m, n)], |t, x| op(t, x[0]));
                check_op(&[filled(m, n) * 5.0], |t, x| op(t, x[0]));
            }
        }
    }

    #[test]
    fn slopes_at_zero() {
        let at_zero: Vec<f64> = ALL.iter().map(|op| value_and_grad(&[0.0], op).1[0]).collect();
        assert_eq!(at_zero, [0.0, 0.2, 0.5, 0.5, 0.5, 0.25, 1.0, 0.5, 0.5]);
    }

    #[test]
    fn large_inputs_stay_finite() {
        let x = [-f64::MAX, -1e200, -1e100, -800.0, 800.0, 1e100, 1e200, f64::MAX];
        for op in ALL {
            let (y, dx) = value_and_grad(&x, op);
            assert!(y.iter().chain(&dx).all(|v| v.is_finite()), "{y:?} {dx:?}");
            // So far out every slope has reached its limit.
            assert!(dx[..4].iter().all(|&d| d == 0.0 || d == 0.2), "{dx:?}");
            assert!(dx[4..].iter().all(|&d| d == 1.0 || d == 0.0), "{dx:?}");
        }
    }

    #[test]
    fn softplus_keeps_its_digits_in_the_tail() {
        let (y, _) = value_and_grad(&[-50.0], |t, x| t.softplus(x));
        let expected = libm::exp(-50.0);
        assert!((y[0] / expected - 1.0).abs() < 1e-15, "{} against {expected}", y[0]);
    }

    #[test]
    fn nan_stays_nan() {
        for op in ALL {
            assert!(value_and_grad(&[f64::NAN], op).0[0].is_nan());
        }
    }
}
