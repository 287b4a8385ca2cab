//! Sine and cosine, entry by entry.

use super::Op;
use crate::Float;
use crate::float::sines_and_cosines;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Tape, Var};

/// # Sine and cosine
/// Entry by entry. Backward: dx = f'(x) ∘ dy.
impl<T: Float> Tape<T> {
    /// Sine of x, in radians. The slope is cos x. NaN at ±∞.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.variable_slice(1, 2, &[0.0, std::f64::consts::FRAC_PI_2]);
    /// let y = tape.sin(x);
    /// tape.backward_with(y, |dy| dy.fill(1.0));
    /// assert_eq!(tape.value_slice(y), [0.0, 1.0]);
    /// assert_eq!(tape.grad_slice(x)[0], 1.0);
    /// assert!(tape.grad_slice(x)[1].abs() < 1e-15);
    /// ```
    #[track_caller]
    pub fn sin(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Sin.get(), x, Args::NONE)
    }

    /// Cosine of x, in radians. The slope is −sin x. NaN at ±∞.
    #[track_caller]
    pub fn cos(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(Op::Cos.get(), x, Args::NONE)
    }
}

/// y = sin x and dx = cos x ∘ dy, or y = cos x and dx = −sin x ∘ dy.
///
/// Apart from the other functions of one number, since an entry alone cannot be vector code: a few angles are left to
/// the `libm` crate, whose bits all of them have.
pub(super) struct Circular {
    pub name: &'static str,
    pub cosine: bool,
}

impl Circular {
    #[inline(always)]
    fn value<T>(&self, sin: T, cos: T) -> T {
        if self.cosine { cos } else { sin }
    }

    #[inline(always)]
    fn slope<T: Float>(&self, sin: T, cos: T) -> T {
        if self.cosine { -sin } else { cos }
    }
}

impl<T: Float> Operation<T> for Circular {
    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let x = cx.x(0);
        let y = cx.y();
        if let [x] = x {
            y[0] = if self.cosine { x.cos() } else { x.sin() };
            return;
        }
        sines_and_cosines(
            x,
            #[inline(always)]
            |start, sin, cos| y[start..][..sin.len()].copy_from_slice(self.value(sin, cos)),
        );
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let dy = cx.dy();
        let operand = cx.operand(0);
        if let ([x], [dy]) = (operand.x, dy) {
            if operand.needed {
                let slope = if self.cosine { -x.sin() } else { x.cos() };
                cx.add_to_scalar(&operand, slope * *dy);
            }
            return;
        }
        self.backward_of_many(cx, operand.x);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (x, dy) = (cx.x(0), cx.dy());
        cx.add_with(0, |tape| {
            if self.cosine {
                let sin = tape.sin(x);
                let slope = tape.neg(sin);
                tape.mul(slope, dy)
            } else {
                let slope = tape.cos(x);
                tape.mul(slope, dy)
            }
        });
    }
}

impl Circular {
    /// The general case; beside it that of 1×1 would set up room on the stack that it does not need.
    #[inline(never)]
    fn backward_of_many<T: Float>(&self, mut cx: Backward<'_, T>, x: &[T]) {
        let dy = cx.dy();
        let Some((dx, written)) = cx.dx(0) else { return };
        sines_and_cosines(
            x,
            #[inline(always)]
            |start, sin, cos| {
                let place = start..start + sin.len();
                let terms = sin.iter().zip(cos).zip(&dy[place.clone()]);
                let terms = terms.map(|((sin, cos), dy)| self.slope(*sin, *cos) * *dy);
                if written {
                    dx[place].iter_mut().zip(terms).for_each(|(dx, term)| *dx += term);
                } else {
                    dx[place].iter_mut().zip(terms).for_each(|(dx, term)| *dx = term);
                }
            },
        );
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
        let both: [Op; 2] = [|t, x| t.sin(x), |t, x| t.cos(x)];
        for (m, n) in [(1, 1), (3, 4), (6, 7), (9, 15), (0, 3), (2, 0)] {
            for op in both {
                check_op(&[filled(m, n)], |t, x| op(t, x[0]));
            }
        }
    }

    /// A row of 70 angles, of which some are left to `libm`, has the values and slopes of 70 rows of one.
    #[test]
    fn many_as_one_by_one() {
        let both: [Op; 2] = [|t, x| t.sin(x), |t, x| t.cos(x)];
        let x: Vec<f64> = (0..70).map(|i| if i % 9 == 0 { 1e7 } else { 1.0 } * f64::from(i) * 0.7).collect();
        for op in both {
            let (y, dx) = value_and_grad(&x, op);
            for (i, x) in x.iter().enumerate() {
                assert_eq!((vec![y[i]], vec![dx[i]]), value_and_grad(&[*x], op));
            }
        }
    }

    /// `np.sin` and `np.cos` of NumPy 2.4, in f64.
    #[test]
    fn figures_of_numpy() {
        let x = [0.5, -2.0, 3.0, 1e6];
        let sines = [0.479425538604203, -0.9092974268256817, 0.1411200080598672, -0.34999350217129294];
        let cosines = [0.8775825618903728, -0.4161468365471424, -0.9899924966004454, 0.9367521275331447];
        let check = |(y, dx): (Vec<f64>, Vec<f64>), value: [f64; 4], slope: [f64; 4]| {
            for (found, right) in y.iter().zip(value).chain(dx.iter().zip(slope)) {
                assert!((found - right).abs() < 2e-16, "{found}, not {right}");
            }
        };
        check(value_and_grad(&x, |t, x| t.sin(x)), sines, cosines);
        check(value_and_grad(&x, |t, x| t.cos(x)), cosines, sines.map(|s| -s));
    }
}
