//! The Gaussian error linear unit by the error function.

use super::activation::record_slope;
use super::{Op, Unary};
use crate::Float;
use crate::linalg::parts::{Rows, by_rows};
use crate::linalg::simd::vectorize;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Tape, Var};

/// # Activations
/// Entry by entry.
impl<T: Float> Tape<T> {
    /// Gaussian error linear unit, x·Φ(x) = ½x·(1 + erf(x/√2)).
    ///
    /// In the tail towards 0 it has all the digits that x has. Backward: dx = (Φ(x) + x·φ(x)) ∘ dy.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn gelu_erf(&mut self, x: impl Into<Var>) -> Var {
        let (op, x) = (Op::GeluErf.get(), x.into());
        let shape = self.shape_under(op, x);
        self.apply(op, &[x], shape, Args::NONE.saving(shape.numel()))
    }
}

/// Saves the slope: value and slope share the exponential and all that is done for it, which to compute again takes three
/// times as long as to read what is saved.
pub(super) struct GeluErf;

impl<T: Float> Operation<T> for GeluErf {
    fn name(&self) -> &'static str {
        "gelu_erf"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let x = cx.x(0);
        let (y, slopes) = cx.y_and_saved();
        let parts = (Rows { numbers: y, cols: 1 }, Rows { numbers: slopes, cols: 1 });
        by_rows(x.len(), x.len(), parts, &|first, (y, slopes)| {
            let (y, slopes) = (y.numbers, slopes.numbers);
            let x = &x[first..][..y.len()];
            vectorize(
                x.len(),
                #[inline(always)]
                move || {
                    for ((y, slope), x) in y.iter_mut().zip(slopes).zip(x) {
                        (*y, *slope) = x.gelu_and_slope();
                    }
                },
            );
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
            let below = tape.elementwise(Op::NormalCdf.get(), x, Args::NONE);
            let density = normal_pdf(tape, x);
            let other = tape.mul(x, density);
            tape.add(below, other)
        });
    }
}

/// φ(x), as operations.
fn normal_pdf<T: Float>(tape: &mut Tape<T>, x: Var) -> Var {
    let square = tape.square(x);
    let exponent = tape.scale(square, T::of(-0.5));
    let bell = tape.exp(exponent);
    tape.scale(bell, T::of(0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2))
}

/// Φ(x), of which the slope of this gelu is made: (1 + erf)/2 has no digits on the left.
pub(super) struct NormalCdf;

impl<T: Float> Unary<T> for NormalCdf {
    const NAME: &'static str = "normal_cdf";
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.normal_cdf()
    }
    #[inline(always)]
    fn backward(x: T, _: T, dy: T, _: &Args<T>) -> T {
        x.normal_pdf() * dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let x = cx.x(0);
        cx.add_slope(0, |tape| normal_pdf(tape, x));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where 1 − erf would have lost all digits, and where Φ(x) is subnormal and the product is not.
    #[test]
    fn the_tail_has_its_digits() {
        let values = |x: &[f64]| {
            let mut tape = Tape::new();
            let x = tape.constant_slice(1, x.len(), x);
            let y = tape.gelu_erf(x);
            tape.value_slice(y).to_vec()
        };
        for x in [-9.0, -20.0, -37.0] {
            let right = 0.5 * x * libm::erfc(-x / std::f64::consts::SQRT_2);
            let found = values(&[x])[0];
            assert!((found / right - 1.0).abs() < 1e-13, "{x}: {found:e} and not {right:e}");
        }
        // Φ(−37.6) = 1.1·10⁻³⁰⁹, by Laplace's continued fraction.
        let (x, tail) = (37.6f64, (1..60).rev().fold(37.6, |t, k| 37.6 + f64::from(k) / t));
        let right = -x * libm::exp(-0.25 * x * x) / tail * libm::exp(-0.25 * x * x) * 0.398_942_280_401_432_7;
        let found = values(&[-x])[0];
        assert!((found / right - 1.0).abs() < 1e-12, "{found:e} and not {right:e}");
        assert_eq!(values(&[-1e3, -1e200, f64::NEG_INFINITY, f64::INFINITY]), [0.0, 0.0, 0.0, f64::INFINITY]);
    }
}
