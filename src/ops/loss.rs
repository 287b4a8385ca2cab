//! Losses that compare two matrices entry by entry, and take the mean.
//!
//! Operands must have equal shapes. Nothing is broadcast: m×1 predictions against 1×m targets would
//! silently become m×m differences. The mean of no entries is NaN.

use super::elementary::{record_with_sign, with_sign};
use super::{Op, pass_if};
use crate::Float;
use crate::linalg::reduce;
use crate::linalg::simd::fused;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Pointwise losses
/// The mean over all entries.
impl<T: Float> Tape<T> {
    /// Mean squared error, mean of (a − b)² over all entries: 1×1.
    ///
    /// Backward, N entries: da = 2(a − b)/N · dy, db = −da.
    ///
    /// # Panics
    /// If the shapes differ, or an operand is stale.
    #[track_caller]
    pub fn mse(&mut self, prediction: impl Into<Var>, target: impl Into<Var>) -> Var {
        self.mean_of(Op::Mse, prediction, target, Args::NONE)
    }

    /// Mean absolute error, mean of |a − b| over all entries: 1×1. The slope where a = b is 0.
    ///
    /// Backward, N entries: da = sign(a − b)/N · dy, db = −da.
    ///
    /// # Panics
    /// As [`mse`](Tape::mse).
    #[track_caller]
    pub fn mae(&mut self, prediction: impl Into<Var>, target: impl Into<Var>) -> Var {
        self.mean_of(Op::Mae, prediction, target, Args::NONE)
    }

    /// Mean over all entries of ½d² where |d| ≤ δ, and δ(|d| − ½δ) elsewhere, with d = a − b: 1×1.
    ///
    /// Huber, *Robust Estimation of a Location Parameter*, 1964; scaled as PyTorch's `HuberLoss`.
    /// Backward, N entries: da = d clamped to [−δ, δ], /N · dy, db = −da. It is continuous at |d| = δ, and 0
    /// where d = 0, whatever dy is.
    ///
    /// # Panics
    /// If δ is not positive, the shapes differ, or an operand is stale.
    #[track_caller]
    pub fn huber(&mut self, prediction: impl Into<Var>, target: impl Into<Var>, delta: T) -> Var {
        assert!(delta > T::ZERO, "huber: delta is {delta}, not positive");
        self.mean_of(Op::Huber, prediction, target, Args::scalar(delta))
    }

    /// Binary cross-entropy from logits z with targets t: mean of −t·ln σ(z) − (1 − t)·ln(1 − σ(z)) over
    /// all entries: 1×1.
    ///
    /// Computed as max(z, 0) − z·t + ln(1 + e^(−|z|)), which cannot overflow. Targets may be anything in
    /// [0, 1], which is not checked. An infinite logit costs 0 where the target agrees with it, z = ∞ and t = 1
    /// or z = −∞ and t = 0, and ∞ everywhere else; the slope σ(z) − t is finite. Backward, N entries: dz = (σ(z) − t)/N · dy, dt = −z/N · dy.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let logits = tape.variable_slice(2, 1, &[0.0, 0.0]);
    /// let targets = tape.constant_slice(2, 1, &[1.0, 0.0]);
    /// let loss = tape.bce_with_logits(logits, targets);
    /// tape.backward(loss);
    /// assert_eq!(tape.item(loss), std::f64::consts::LN_2);
    /// assert_eq!(tape.grad_slice(logits), [-0.25, 0.25]);
    /// ```
    ///
    /// # Panics
    /// As [`mse`](Tape::mse).
    #[track_caller]
    pub fn bce_with_logits(&mut self, logits: impl Into<Var>, targets: impl Into<Var>) -> Var {
        self.mean_of(Op::BceWithLogits, logits, targets, Args::NONE)
    }

    #[track_caller]
    fn mean_of(&mut self, op: Op, a: impl Into<Var>, b: impl Into<Var>, args: Args<T>) -> Var {
        let (op, a, b) = (op.get(), a.into(), b.into());
        let (sa, sb) = (self.shape_under(op, a), self.shape_under(op, b));
        assert!(sa == sb, "{}: {a} is {sa} but {b} is {sb} (the shapes must be equal)", op.name());
        self.apply(op, &[a, b], Shape::SCALAR, args)
    }
}

/// The loss of one entry.
pub(super) trait Pointwise<T: Float>: Sync {
    const NAME: &'static str;
    const SCALARS: usize = 0;
    /// As [`Unary::FUNCTIONS`](super::Unary::FUNCTIONS).
    const FUNCTIONS: bool = false;

    fn value(a: T, b: T, args: &Args<T>) -> T;

    /// value/n, also where the value alone leaves the range of the type.
    #[inline(always)]
    fn share(a: T, b: T, n: T, args: &Args<T>) -> T {
        Self::value(a, b, args) / n
    }

    /// The partial derivatives for a and b, times dy: what [`Unary::backward`](super::Unary::backward) says.
    fn backward_a(a: T, b: T, dy: T, args: &Args<T>) -> T;
    fn backward_b(a: T, b: T, dy: T, args: &Args<T>) -> T;

    /// The same as operations.
    fn record_a(tape: &mut Tape<T>, a: Var, b: Var, dy: Var, args: &Args<T>) -> Var;
    /// By default that for a with the operands exchanged: of a loss that goes by their distance.
    fn record_b(tape: &mut Tape<T>, a: Var, b: Var, dy: Var, args: &Args<T>) -> Var {
        Self::record_a(tape, b, a, dy, args)
    }
}

pub(super) struct MeanOf<L>(pub L);

impl<T: Float, L: Pointwise<T>> Operation<T> for MeanOf<L> {
    fn name(&self) -> &'static str {
        L::NAME
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (a, b, args) = (cx.x(0), cx.x(1), *cx.args());
        let total = match (a, b) {
            ([a], [b]) if L::FUNCTIONS => fused(
                #[inline(always)]
                || L::value(*a, *b, &args),
            ),
            _ => reduce(
                a,
                b,
                #[inline(always)]
                move |a, b| L::value(a, b, &args),
            ),
        };
        let n = T::of(a.len() as f64);
        let mean = total / n;
        // The mean of finite numbers is finite even where their sum overflows: the sum of x/n then.
        let mend = || reduce(a, b, move |a, b| L::share(a, b, n, &args));
        cx.y()[0] = if mean.is_finite() || a.is_empty() { mean } else { mend() };
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (a, b, args) = (cx.x(0), cx.x(1), *cx.args());
        let dy = cx.dy()[0] / T::of(a.len() as f64);
        cx.add_zip(
            0,
            a,
            b,
            #[inline(always)]
            move |a, b| L::backward_a(a, b, dy, &args),
        );
        cx.add_zip(
            1,
            a,
            b,
            #[inline(always)]
            move |a, b| L::backward_b(a, b, dy, &args),
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (a, b, dy, args) = (cx.x(0), cx.x(1), cx.dy(), cx.args());
        let n = T::of(cx.shape(0).numel() as f64);
        let n = cx.tape().scalar(n);
        let dy = cx.tape().div(dy, n);
        cx.add_with(0, |tape| L::record_a(tape, a, b, dy, &args));
        cx.add_with(1, |tape| L::record_b(tape, a, b, dy, &args));
    }

    fn describe(&self, args: &Args<T>) -> String {
        args.scalars[..L::SCALARS].iter().map(|c| format!(" {c}")).collect()
    }
}

pub(super) struct Squared;
impl<T: Float> Pointwise<T> for Squared {
    const NAME: &'static str = "mse";
    #[inline(always)]
    fn value(a: T, b: T, _: &Args<T>) -> T {
        (a - b) * (a - b)
    }
    fn share(a: T, b: T, n: T, _: &Args<T>) -> T {
        let d = a / n.sqrt() - b / n.sqrt();
        d * d
    }
    #[inline(always)]
    fn backward_a(a: T, b: T, dy: T, _: &Args<T>) -> T {
        ((a - b) + (a - b)) * dy
    }
    #[inline(always)]
    fn backward_b(a: T, b: T, dy: T, _: &Args<T>) -> T {
        ((b - a) + (b - a)) * dy
    }

    fn record_a(tape: &mut Tape<T>, a: Var, b: Var, dy: Var, _: &Args<T>) -> Var {
        let difference = tape.sub(a, b);
        let slope = tape.add(difference, difference);
        tape.mul(slope, dy)
    }
}

pub(super) struct Absolute;
impl<T: Float> Pointwise<T> for Absolute {
    const NAME: &'static str = "mae";
    #[inline(always)]
    fn value(a: T, b: T, _: &Args<T>) -> T {
        (a - b).abs()
    }
    fn share(a: T, b: T, n: T, _: &Args<T>) -> T {
        (a / n - b / n).abs()
    }
    #[inline(always)]
    fn backward_a(a: T, b: T, dy: T, _: &Args<T>) -> T {
        with_sign(a - b, dy)
    }
    #[inline(always)]
    fn backward_b(a: T, b: T, dy: T, _: &Args<T>) -> T {
        with_sign(b - a, dy)
    }

    fn record_a(tape: &mut Tape<T>, a: Var, b: Var, dy: Var, _: &Args<T>) -> Var {
        let difference = tape.sub(a, b);
        record_with_sign(tape, difference, dy)
    }
}

pub(super) struct Huber;
impl Huber {
    #[inline(always)]
    fn backward<T: Float>(d: T, delta: T, dy: T) -> T {
        // In this form, and not as extremes, NaN is kept.
        let slope = if d > delta {
            delta
        } else if d < -delta {
            -delta
        } else {
            d
        };
        pass_if(slope != T::ZERO, slope * dy)
    }
}
impl<T: Float> Pointwise<T> for Huber {
    const NAME: &'static str = "huber";
    const SCALARS: usize = 1;
    #[inline(always)]
    fn value(a: T, b: T, args: &Args<T>) -> T {
        let (d, delta, half) = ((a - b).abs(), args.scalars[0], T::of(0.5));
        if d <= delta { half * d * d } else { delta * (d - half * delta) }
    }
    fn share(a: T, b: T, n: T, args: &Args<T>) -> T {
        let (part, delta) = ((a / n - b / n).abs(), args.scalars[0]);
        if (a - b).abs() <= delta {
            Self::value(a, b, args) / n
        } else {
            delta * (part - T::of(0.5) * delta / n)
        }
    }
    #[inline(always)]
    fn backward_a(a: T, b: T, dy: T, args: &Args<T>) -> T {
        Huber::backward(a - b, args.scalars[0], dy)
    }
    #[inline(always)]
    fn backward_b(a: T, b: T, dy: T, args: &Args<T>) -> T {
        Huber::backward(b - a, args.scalars[0], dy)
    }

    fn record_a(tape: &mut Tape<T>, a: Var, b: Var, dy: Var, args: &Args<T>) -> Var {
        let (difference, delta) = (tape.sub(a, b), args.scalars[0]);
        let slope = tape.clamp(difference, -delta, delta);
        tape.slope_times(slope, dy)
    }
}

pub(super) struct Bce;
impl<T: Float> Pointwise<T> for Bce {
    const NAME: &'static str = "bce_with_logits";
    const FUNCTIONS: bool = true;
    #[inline(always)]
    fn value(z: T, t: T, _: &Args<T>) -> T {
        // max(z, 0) − z·t. An infinite logit that its target agrees with costs nothing, which is ∞·0 here.
        let (size, doubt) = (z.abs(), if z > T::ZERO { T::ONE - t } else { t });
        pass_if(doubt != T::ZERO, size * doubt) + (-size).softplus()
    }
    #[inline(always)]
    fn backward_a(z: T, t: T, dy: T, _: &Args<T>) -> T {
        // σ(z) − t, without the loss of digits where both are near 1.
        let slope = (T::ONE - t) * z.sigmoid() - t * (-z).sigmoid();
        pass_if(slope != T::ZERO, slope * dy)
    }
    #[inline(always)]
    fn backward_b(z: T, _: T, dy: T, _: &Args<T>) -> T {
        -z * dy
    }

    fn record_a(tape: &mut Tape<T>, z: Var, t: Var, dy: Var, _: &Args<T>) -> Var {
        // As in the backward pass: (1 − t)·σ(z) − t·σ(−z).
        let (rest, minus_z) = (tape.one_minus(t), tape.neg(z));
        let (above, below) = (tape.sigmoid(z), tape.sigmoid(minus_z));
        let (a, b) = (tape.mul(rest, above), tape.mul(t, below));
        let slope = tape.sub(a, b);
        tape.slope_times(slope, dy)
    }

    fn record_b(tape: &mut Tape<T>, z: Var, _: Var, dy: Var, _: &Args<T>) -> Var {
        let minus = tape.neg(z);
        tape.mul(minus, dy)
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use crate::Tape;
    use crate::ops::testing::{check_op, filled, value_and_grad};
    use crate::tape::Var;

    type Op = fn(&mut Tape, Var, Var) -> Var;

    const ALL: [Op; 5] = [
        |t, a, b| t.mse(a, b),
        |t, a, b| t.mae(a, b),
        |t, a, b| t.huber(a, b, 0.3),
        |t, a, b| t.huber(a, b, f64::INFINITY),
        |t, a, b| t.bce_with_logits(a, b),
    ];

    #[test]
    fn gradients() {
        for op in ALL {
            for (m, n) in [(1, 1), (3, 4), (8, 9), (0, 3), (2, 0)] {
                // Differences away from 0 and ±0.3.
                let b = DMatrix::from_fn(m, n, |i, j| {
                    filled(m, n)[(i, j)] + [0.11, -0.73, 0.52, -0.2][(i + j) % 4]
                });
                check_op(&[filled(m, n), b], |t, x| op(t, x[0], x[1]));
            }
        }
        check_op(&[filled(3, 2)], |t, x| t.mse(x[0], x[0]));
    }

    #[test]
    fn kinks() {
        let against_one = |op: Op, a: f64| {
            value_and_grad(&[a], |t, x| {
                let one = t.scalar(1.0);
                op(t, x, one)
            })
        };
        assert_eq!(against_one(|t, a, b| t.mae(a, b), 1.0), (vec![0.0], vec![0.0]));
        assert_eq!(against_one(|t, a, b| t.huber(a, b, 0.5), 1.5), (vec![0.125], vec![0.5]));
        assert_eq!(against_one(|t, a, b| t.huber(a, b, 0.5), 3.0), (vec![0.875], vec![0.5]));
        assert_eq!(against_one(|t, a, b| t.huber(a, b, 0.5), -1.0), (vec![0.875], vec![-0.5]));
        assert_eq!(against_one(|t, a, b| t.huber(a, b, 0.5), 1.25), (vec![0.03125], vec![0.25]));
    }

    #[test]
    fn large_logits() {
        let bce = |z: f64, t: f64| {
            let (y, dz) = value_and_grad(&[z], |tape, z| {
                let t = tape.scalar(t);
                tape.bce_with_logits(z, t)
            });
            (y[0], dz[0])
        };
        assert_eq!(bce(1e300, 1.0), (0.0, 0.0));
        assert_eq!(bce(1e300, 0.0), (1e300, 1.0));
        assert_eq!(bce(-1e300, 1.0), (1e300, -1.0));
        assert_eq!(bce(-1e300, 0.0), (0.0, 0.0));
        for (z, t) in [(50.0, 1.0), (-50.0, 0.0)] {
            let (tail, (y, dz)) = (libm::exp(-50.0), bce(z, t));
            assert!((y / tail - 1.0).abs() < 1e-15 && (dz.abs() / tail - 1.0).abs() < 1e-15, "{y} {dz}");
        }
    }

    #[test]
    fn soft_targets() {
        let (z, t) = (0.7, 0.25);
        let p = 1.0 / (1.0 + libm::exp(-z));
        let (y, _) = value_and_grad(&[z], |tape, z| {
            let t = tape.scalar(t);
            tape.bce_with_logits(z, t)
        });
        assert!((y[0] + t * libm::log(p) + (1.0 - t) * libm::log(1.0 - p)).abs() < 1e-15);
    }

    #[test]
    fn of_nothing() {
        for op in ALL {
            let mut tape = Tape::new();
            let x = tape.constant(&filled(0, 3));
            let y = op(&mut tape, x, x);
            assert!(tape.item(y).is_nan());
        }
    }

    #[test]
    #[should_panic(expected = "mse: v0 is 4×1 but v1 is 1×4 (the shapes must be equal)")]
    fn shapes_that_differ() {
        let mut tape = Tape::new();
        let (a, b) = (tape.constant(&filled(4, 1)), tape.constant(&filled(1, 4)));
        tape.mse(a, b);
    }

    #[test]
    #[should_panic(expected = "huber: delta is 0, not positive")]
    fn delta_out_of_range() {
        let mut tape = Tape::new();
        let x = tape.scalar(1.0);
        tape.huber(x, x, 0.0);
    }
}
