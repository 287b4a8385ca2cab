//! The angle of a point in half-turns: the function atan2Pi of IEEE 754-2008.
//!
//! **Method**: the quotient of the smaller coordinate and the larger is an angle of at most an eighth of a
//! turn; above half of that, (a − b)/(a + b) is what remains to the diagonal. For |q| ≤ tan π/8,
//! arctan(q)/π = q/π + q³·P(q²), with 1/π in two parts. One division, and no branch.
//!
//! In half-turns all angles that are added are powers of two, so that the axes and the diagonals come out
//! exactly, where a multiple of π would not.
//!
//! **Coefficients** by Remez exchange in 60 digits, rounded to the type; the errors are relative to
//! arctan(q)/π: 2⁻²⁸·⁴ for `f32` and 2⁻⁵⁷·⁹ for `f64`. With all roundings, the largest error found for
//! `f32` is 2.1 units in the last place.

use super::kernel::Kernel;

/// P(z).
#[inline(always)]
pub(super) fn tail_f32(z: f32) -> f32 {
    let zz = z * z;
    let high = (-0.045_338_213 + 0.033_718_36 * z) - zz * 0.019_340_163;
    (-0.106_103_234 + 0.063_657_1 * z) + zz * high
}

/// P(z), by Estrin's scheme.
#[inline(always)]
pub(super) fn tail_f64(z: f64) -> f64 {
    let zz = z * z;
    let z4 = zz * zz;
    let a = (-0.106_103_295_394_596_45 + 0.063_661_977_236_607_94 * z)
        + zz * (-0.045_472_840_865_594_71 + 0.035_367_764_076_892_745 * z);
    let b = (-0.028_937_225_977_987_938 + 0.024_484_582_419_099_944 * z)
        + zz * (-0.021_209_255_471_563_052 + 0.018_613_956_238_353_87 * z);
    let c = (-0.016_038_592_546_432_237 + 0.012_111_281_095_766_991 * z) - zz * 0.005_694_582_290_971_958;
    a + z4 * (b + z4 * c)
}

/// The angle of the point (x, y) over π, in [−1, 1].
#[inline(always)]
pub(super) fn atan2_pi<T: Kernel>(y: T, x: T) -> T {
    let (a, b) = (y.abs(), x.abs());
    let steep = a > b;
    let low = if steep { b } else { a };
    let high = if steep { a } else { b };
    // The sum of both must not overflow; two infinities lie on a diagonal, and the origin on the axis.
    let scale = if high > T::of(1e30) { T::of(0.25) } else { T::ONE };
    let corner = (low == high) & (low == T::INFINITY);
    let low = if corner { T::ONE } else { low * scale };
    let high = if corner { T::ONE } else { high * scale };
    let high = if high == T::ZERO { T::ONE } else { high };
    let beyond = low > T::of(TAN_PI_8) * high;
    let numerator = if beyond { low - high } else { low };
    let q = numerator / if beyond { low + high } else { high };
    let r = q * T::INV_PI_HI + q * (T::INV_PI_LO + q * q * T::atan_tail(q * q));
    let r = if beyond { T::of(0.25) + r } else { r };
    let r = if steep { T::of(0.5) - r } else { r };
    let r = if T::ONE.with_sign_of(x) < T::ZERO { T::ONE - r } else { r };
    r.with_sign_of(y)
}

const TAN_PI_8: f64 = std::f64::consts::SQRT_2 - 1.0;

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use crate::Float;
    use crate::linalg::simd::vectorize;

    /// Points on all sides, of every magnitude, near the axes, the diagonals and the seam at π/8.
    fn points(n: usize) -> Vec<(f64, f64)> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut points = Vec::new();
        for _ in 0..n {
            let size = Float::exp(rng.random_range(-60.0..60.0));
            let seam = f64::from(rng.random_range(0..16u8)) * PI / 8.0;
            let near = rng.random_range(-1.0..1.0) * Float::exp(rng.random_range(-40.0..0.0));
            for angle in [rng.random_range(-PI..PI), seam + near] {
                points.push((size * Float::sin(angle), size * Float::cos(angle)));
            }
            points.push((Float::exp(rng.random_range(-60.0..60.0)), size));
        }
        points
    }

    /// By libm, whose error is below 1 unit in the last place of `f64`, and that of the division half of one.
    #[test]
    fn errors() {
        let (mut worst_f64, mut worst_f32) = (0f64, 0f64);
        for (y, x) in points(300_000) {
            let expected = libm::atan2(y, x) / PI;
            let ulp = f64::from_bits(expected.abs().to_bits() + 1) - expected.abs();
            worst_f64 = worst_f64.max(((y.atan2_pi(x) - expected) / ulp).abs());
            let (y, x) = (y as f32, x as f32);
            let expected = libm::atan2(y.into(), x.into()) / PI;
            let ulp = f32::from_bits((expected.abs() as f32).to_bits() + 1) - expected.abs() as f32;
            worst_f32 = worst_f32.max(((f64::from(y.atan2_pi(x)) - expected) / f64::from(ulp)).abs());
        }
        println!("f64 {worst_f64:.3} ulp with those of libm, f32 {worst_f32:.3} ulp");
        assert!(worst_f64 < 3.5 && worst_f32 < 2.5, "{worst_f64} and {worst_f32} ulp");
    }

    fn special<T: Float>(smallest: T, largest: T) {
        let (zero, one, inf, nan) = (T::ZERO, T::ONE, T::INFINITY, T::NAN);
        let quarters = |n: f64| T::of(n / 4.0);
        let cases = [
            (zero, one, 0.0),
            (one, one, 1.0),
            (one, zero, 2.0),
            (one, -one, 3.0),
            (zero, -one, 4.0),
            (-zero, -one, -4.0),
            (-one, -one, -3.0),
            (-one, -zero, -2.0),
            (zero, zero, 0.0),
            (zero, -zero, 4.0),
            (inf, inf, 1.0),
            (-inf, -inf, -3.0),
            (inf, one, 2.0),
            (one, inf, 0.0),
            (one, -inf, 4.0),
            (largest, largest, 1.0),
            (largest, -largest, 3.0),
            (smallest, smallest, 1.0),
            (smallest, largest, 0.0),
            (largest, smallest, 2.0),
        ];
        for (y, x, n) in cases {
            assert!(y.atan2_pi(x) == quarters(n), "{} ({y:e}, {x:e}): {:e}", T::NAME, y.atan2_pi(x));
        }
        assert!(T::ONE / (-zero).atan2_pi(one) == -inf);
        for (y, x) in [(nan, one), (one, nan), (nan, nan), (inf, nan), (nan, inf)] {
            assert!(y.atan2_pi(x).is_nan());
        }
    }

    #[test]
    fn axes_diagonals_and_extremes() {
        special(f32::from_bits(1), f32::MAX);
        special(f64::from_bits(1), f64::MAX);
    }

    #[test]
    fn vectors_give_the_same_bits() {
        let points = points(10_000);
        let mut angles = vec![0.0; points.len()];
        vectorize(
            points.len(),
            #[inline(always)]
            || angles.iter_mut().zip(&points).for_each(|(a, (y, x))| *a = y.atan2_pi(*x)),
        );
        for ((y, x), angle) in points.iter().zip(&angles) {
            let alone = std::hint::black_box(<f64 as Float>::atan2_pi)(*y, *x);
            assert!(alone.to_bits() == angle.to_bits(), "({y:e}, {x:e}): {alone:e} alone, {angle:e}");
        }
    }
}
