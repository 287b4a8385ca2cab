//! Powers with a constant exponent, entry by entry. Backward: dx = p·xᵖ⁻¹ ∘ dy.

use super::{Op, pass_if};
use crate::Float;
use crate::linalg::simd::{any, vectorize};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Tape, Var};

/// # Powers
/// Entry by entry.
impl<T: Float> Tape<T> {
    /// xᵖ for an integer p, by repeated multiplication. x⁰ is 1 with the slope 0, also at x = 0.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn powi(&mut self, x: impl Into<Var>, p: i32) -> Var {
        // Not a scalar: an f32 does not hold every i32.
        self.elementwise(Op::Powi.get(), x, Args::size(p as u32 as usize))
    }

    /// xᵖ for a constant real p. NaN for x below zero, unless p is a whole number; x⁰ is 1 with the
    /// slope 0, also at x = 0.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn powf(&mut self, x: impl Into<Var>, p: T) -> Var {
        self.elementwise(Op::Powf.get(), x, Args::scalar(p))
    }
}

/// The exponent, as the operation's constants hold it.
#[derive(Clone, Copy)]
enum Exponent<T> {
    Whole(i32),
    Real(T),
}

use Exponent::{Real, Whole};

impl<T: Float> Exponent<T> {
    fn value(self) -> T {
        match self {
            Whole(p) => T::of(p.into()),
            Real(p) => p,
        }
    }

    /// xᵖ.
    fn power(self, x: T) -> T {
        match self {
            Whole(p) => x.powi(p),
            Real(p) => x.powf(p),
        }
    }

    /// xᵖ⁻¹, where y = xᵖ.
    fn power_below(self, x: T, y: T) -> T {
        match self {
            // p − 1 is no i32.
            Whole(i32::MIN) => y / x,
            Whole(p) => x.powi(p - 1),
            Real(p) => x.powf(p - T::ONE),
        }
    }
}

/// So many numbers are worked on side by side.
const MANY: usize = 64;

/// y ← xᵖ: [`Float::powi`] of each of at most [`MANY`] numbers, with the same bits. The loop over the digits of p
/// is the outer one, so that vectors can do the inner one.
#[inline(always)]
fn powers<T: Float>(x: &[T], p: i32, y: &mut [T]) {
    let mut bases = [T::ONE; MANY];
    bases[..x.len()].copy_from_slice(x);
    if p < 0 {
        bases.iter_mut().for_each(|base| *base = T::ONE / *base);
    }
    let (mut results, mut exponent) = ([T::ONE; MANY], p.unsigned_abs());
    while exponent > 0 {
        if exponent & 1 == 1 {
            results.iter_mut().zip(&bases).for_each(|(result, base)| *result *= *base);
        }
        bases.iter_mut().for_each(|base| *base *= *base);
        exponent >>= 1;
    }
    y.copy_from_slice(&results[..x.len()]);
}

/// p·xᵖ⁻¹·dy, where y = xᵖ and `below` = xᵖ⁻¹ are known already.
fn backward<T: Float>(x: T, y: T, dy: T, p: T, below: T) -> T {
    let slope = p * below;
    if slope.is_finite() || x == T::ZERO || x.abs() == T::INFINITY {
        slope * dy
    } else {
        // Out of range in the type, not in truth: with dy it may be within, and with dy = 0 it is 0.
        pass_if(dy != T::ZERO, p * (y * dy / x))
    }
}

/// The general case; beside it that of 1×1 would set up room on the stack that it does not need.
#[inline(never)]
fn backward_of_many<T: Float>(mut cx: Backward<'_, T>, x: &[T], exponent: Exponent<T>) {
    let (y, dy, p) = (cx.y(), cx.dy(), exponent.value());
    cx.add_at(
        0,
        #[inline(always)]
        |mut dx| {
            let mut room = [T::ZERO; MANY];
            for start in (0..x.len()).step_by(MANY) {
                let part = start..x.len().min(start + MANY);
                let (x, y, dy) = (&x[part.clone()], &y[part.clone()], &dy[part]);
                let below = &mut room[..x.len()];
                match exponent {
                    Whole(p) if p > i32::MIN => powers(x, p - 1, below),
                    _ => below
                        .iter_mut()
                        .zip(x.iter().zip(y))
                        .for_each(|(below, (x, y))| *below = exponent.power_below(*x, *y)),
                }
                let mut dx = dx.part(start, x.len());
                if any(below, |below| !(p * below).is_finite()) {
                    dx.add_each(
                        #[inline(always)]
                        |i| backward(x[i], y[i], dy[i], p, below[i]),
                    );
                } else {
                    dx.add_zip(
                        below,
                        dy,
                        #[inline(always)]
                        |below, dy| p * below * dy,
                    );
                }
            }
        },
    );
}

pub(super) struct Power {
    pub name: &'static str,
    /// Whether the exponent is an integer.
    pub whole: bool,
}

impl Power {
    #[inline]
    fn exponent<T: Float>(&self, args: &Args<T>) -> Exponent<T> {
        if self.whole { Whole(args.sizes[0] as u32 as i32) } else { Real(args.scalars[0]) }
    }
}

impl<T: Float> Operation<T> for Power {
    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, exponent) = (cx.x(0), self.exponent(cx.args()));
        let y = cx.y();
        match exponent {
            Whole(p) if x.len() > 1 => vectorize(
                x.len(),
                #[inline(always)]
                || x.chunks(MANY).zip(y.chunks_mut(MANY)).for_each(|(x, y)| powers(x, p, y)),
            ),
            _ => y.iter_mut().zip(x).for_each(|(y, x)| *y = exponent.power(*x)),
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (y, dy, exponent) = (cx.y(), cx.dy(), self.exponent(cx.args()));
        let (operand, p) = (cx.operand(0), exponent.value());
        if p == T::ZERO || !operand.needed {
            // Constant, although at x = 0 the formula has 0·∞.
            return;
        }
        let x = operand.x;
        if let ([x], [y], [dy]) = (x, y, dy) {
            return cx.add_to_scalar(&operand, backward(*x, *y, *dy, p, exponent.power_below(*x, *y)));
        }
        backward_of_many(cx, x, exponent);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let exponent = self.exponent::<T>(&cx.args());
        let (x, y, dy, p) = (cx.x(0), cx.y(), cx.dy(), exponent.value());
        if p == T::ZERO {
            return;
        }
        cx.add_with(0, |tape| {
            let below = match exponent {
                Whole(i32::MIN) => tape.div(y, x),
                Whole(p) => tape.powi(x, p - 1),
                Real(p) => tape.powf(x, p - T::ONE),
            };
            let slope = tape.scale(below, p);
            let term = tape.mul(slope, dy);
            if !tape.some(slope, |slope| !slope.is_finite()) {
                return term;
            }
            // As in the backward pass, where the slope is out of range: p·(y·dy/x), and 0 for dy = 0.
            let product = tape.mul(y, dy);
            let quotient = tape.div(product, x);
            let scaled = tape.scale(quotient, p);
            let other = tape.kept(dy, |dy| dy != T::ZERO, scaled);
            let other = tape.chosen(x, |x| x == T::ZERO || x.abs() == T::INFINITY, term, other);
            tape.chosen(slope, T::is_finite, term, other)
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        match self.exponent(args) {
            Whole(p) => format!(" {p}"),
            Real(p) => format!(" {p}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{check_op, filled, value_and_grad};

    type Op = fn(&mut Tape, Var) -> Var;

    #[test]
    fn gradients() {
        let anywhere: [Op; 3] = [|t, x| t.powi(x, 3), |t, x| t.powi(x, 1), |t, x| t.powi(x, 0)];
        let above_zero: [Op; 4] =
            [|t, x| t.powi(x, -2), |t, x| t.powf(x, 1.7), |t, x| t.powf(x, -0.5), |t, x| t.powf(x, 0.0)];
        for (m, n) in [(1, 1), (3, 4), (6, 7), (9, 15), (0, 3), (2, 0)] {
            for op in anywhere {
                check_op(&[filled(m, n)], |t, x| op(t, x[0]));
            }
            for op in above_zero {
                check_op(&[filled(m, n).map(|x| x.abs() + 0.4)], |t, x| op(t, x[0]));
            }
        }
    }

    #[test]
    fn edges() {
        let inf = f64::INFINITY;
        assert_eq!(value_and_grad(&[0.0], |t, x| t.powi(x, 0)), (vec![1.0], vec![0.0]));
        assert_eq!(value_and_grad(&[0.0], |t, x| t.powf(x, 0.0)), (vec![1.0], vec![0.0]));
        assert_eq!(value_and_grad(&[0.0], |t, x| t.powf(x, 1.0)), (vec![0.0], vec![1.0]));
        assert_eq!(value_and_grad(&[0.0, -2.0], |t, x| t.powi(x, 1)), (vec![0.0, -2.0], vec![1.0; 2]));
        assert_eq!(value_and_grad(&[-1.0], |t, x| t.powi(x, i32::MAX)).0, [-1.0]);
        let least = f64::from(i32::MIN);
        assert_eq!(
            value_and_grad(&[-1.0, 1.0, 0.0], |t, x| t.powi(x, i32::MIN)),
            (vec![1.0, 1.0, inf], vec![-least, least, -inf])
        );
        assert_eq!(value_and_grad(&[-1.0], |t, x| t.powi(x, i32::MIN + 1)).1, [least + 1.0]);
    }

    /// Of many at a time as of each alone, to the last bit.
    #[test]
    fn many_are_as_one() {
        fn check<T: Float>() {
            let x: Vec<T> = (0..MANY).map(|i| T::of((i as f64 - 20.0) * 0.37)).collect();
            for p in [0, 1, 2, 3, 7, 12, -1, -2, -5, i32::MAX, i32::MIN] {
                for n in [1, 2, 31, MANY] {
                    let mut y = vec![T::ZERO; n];
                    powers(&x[..n], p, &mut y);
                    let alone = x.iter().map(|x| x.powi(p).bits());
                    assert!(y.iter().map(|y| y.bits()).eq(alone.take(n)), "{p}");
                }
            }
        }
        check::<f32>();
        check::<f64>();
    }

    /// A slope that the type cannot hold, beside others that it can.
    #[test]
    fn slopes_out_of_range() {
        for n in [1, 100] {
            let mut tape = Tape::<f32>::default();
            let mut x = vec![2.0f32; n];
            x[n / 2] = 1e-20;
            let x = tape.variable_slice(1, n, &x);
            let y = tape.powi(x, -1);
            tape.backward_with(y, |dy| dy[n / 2] = 1e-10);
            let found = tape.grad_slice(x)[n / 2];
            assert!((found / -1e30 - 1.0).abs() < 1e-6, "{found}");
            assert!(tape.grad_slice(x).iter().enumerate().all(|(i, dx)| i == n / 2 || *dx == 0.0));
        }
    }
}
