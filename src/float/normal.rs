//! The complementary error function, and with it the distribution of the normal law.
//!
//! **Method**: for a ≥ 0, erfc(a) = e^(−a²)·P(q)/(1 + 2a) with q = (a − k)/(a + k), which maps all of [0, ∞) to
//! [−1, 1), where P is smooth (Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x)exp(x²)erfc x in
//! 0 ≤ x < ∞", Mathematics of Computation 36, 1981). Two things would cost digits, and are kept: the rounding
//! of a², which e^(−a²) multiplies by a², and that of the sum 1 + 2a. Nothing is taken from 1 but where the
//! result is near it, so that a tail has all its digits.
//!
//! **Coefficients**: P minimises the largest relative error for a up to where erfc is 0 in the type; by Remez
//! exchange in 50 digits, rounded to the type. That largest error is 2⁻²⁸·⁹ for `f32` (degree 10, k = 3) and
//! 2⁻⁵⁹·⁵ for `f64` (degree 23, k = 4).

use super::exponential::{Reduced, clamp, reduce};
use super::kernel::Kernel;

/// P(q) − P(0) + rest.
#[inline(always)]
pub(super) fn tail_f32(q: f32, rest: f32) -> f32 {
    let z = q.square();
    let zz = z.square();
    let a = z.fused(q.fused(-0.119_270_615, 0.129_646_45), q.fused(-0.047_562_42, -0.135_621_15));
    let b = z.fused(q.fused(0.002_004_846_5, 0.002_565_722_2), q.fused(-0.023_799_537, 0.068_295_75));
    let c = q.fused(-0.000_266_237_4, -0.000_772_681_7);
    q.fused(zz.fused(zz.fused(c, b), a), rest)
}

/// P(q) − P(0) + rest.
#[inline(always)]
pub(super) fn tail_f64(q: f64, rest: f64) -> f64 {
    let z = q.square();
    let zz = z.square();
    let a = z.fused(
        q.fused(-0.101_039_066_036_299_64, 0.068_097_054_254_695_44),
        q.fused(0.015_379_652_102_619_655, -0.139_621_116_840_562_53),
    );
    let b = z.fused(
        q.fused(-0.016_197_734_056_680_23, 0.037_167_515_539_082_85),
        q.fused(-0.066_330_365_812_317_08, 0.093_732_834_998_251_3),
    );
    let c = z.fused(
        q.fused(0.000_150_621_714_457_576_8, -0.000_199_256_617_478_514_15),
        q.fused(-0.000_757_773_296_431_369_4, 0.005_031_969_963_682_627_5),
    );
    let d = z.fused(
        q.fused(2.941_732_512_413_451e-7, 5.710_279_619_364_675e-6),
        q.fused(-1.122_217_090_137_749_9e-5, -2.439_947_519_020_319e-5),
    );
    let e = z.fused(
        q.fused(-1.738_564_062_496_904_8e-8, 1.104_249_343_415_783_3e-7),
        q.fused(7.404_145_073_695_51e-8, -8.260_889_054_171_758e-7),
    );
    let f =
        z.fused(1.187_003_788_497_336_1e-9, q.fused(1.638_450_340_115_739_2e-9, -1.408_762_130_845_049_6e-8));
    let zzzz = zz.square();
    let low = zz.fused(b, a);
    q.fused(zzzz.fused(zzzz.fused(zz.fused(f, e), zz.fused(d, c)), low), rest)
}

/// a·b = hi + lo, exactly where nothing is subnormal.
#[inline(always)]
fn product<T: Kernel>(a: T, b: T) -> (T, T) {
    let hi = a * b;
    (hi, a.fused(b, -hi))
}

/// e^(−hi − lo) = (y + rest)·2ⁿ, for a lo that is the rounding of hi.
#[derive(Clone, Copy)]
struct Bell<T> {
    y: T,
    rest: T,
    /// n + [`SHIFT`](Kernel::SHIFT).
    shifted: T,
}

#[inline(always)]
fn bell<T: Kernel>(hi: T, lo: T) -> Bell<T> {
    let reduced: Reduced<T> = reduce(-hi);
    let (sum, rest) = reduced.add_to(T::ONE);
    let y = sum + rest;
    Bell { y, rest: lo.fused(-y, rest - (y - sum)), shifted: reduced.shifted }
}

/// (y, n + SHIFT) with erfc(a + a_rest) = y·2ⁿ, for 0 ≤ a, its rounding a_rest, and the bell e^(−a²) of both.
#[inline(always)]
fn complement<T: Kernel>(a: T, a_rest: T, Bell { y: e, rest, shifted }: Bell<T>) -> (T, T) {
    // 1 + 2a = d + d_rest exactly: d − 1 is, as long as 1 is not below the last place of d.
    let twice = a + a;
    let d = T::ONE + twice;
    let d_rest = (twice - (d - T::ONE)) + (a_rest + a_rest);
    // One division for two quotients: that by d is mended by what it leaves, and q need not be right to the last digit.
    let beyond = a + T::ERFC_MIDDLE;
    let inverse = T::ONE / (d * beyond);
    let inverse_d = inverse * beyond;
    // q = 2a/(a + k) − 1. Near a = 0, where that is near −1, a keeps the digits that the difference drops: its
    // rounding times the slope of P, which is about (1 − 1/√π)·k·q⁴ there. For q ≥ −½ nothing is dropped.
    let share = twice * (inverse * d);
    let q = share - T::ONE;
    let (dropped, square) = (share - (q + T::ONE), q.square());
    let slope = T::of(1.0 - 0.5 * std::f64::consts::FRAC_2_SQRT_PI) * T::ERFC_MIDDLE * (square * square);
    let tail = T::erfc_tail(q, slope.fused(dropped, T::ERFC_LO));
    let p = T::ERFC_HI + tail;
    let p_rest = tail - (p - T::ERFC_HI);
    let (numerator, numerator_rest) = product(p, e);
    let y = numerator * inverse_d;
    let rest = p.fused(rest, p_rest.fused(e, numerator_rest));
    let rest = y.fused(-d, numerator) + y.fused(-d_rest, rest);
    (rest.fused(inverse_d, y), shifted)
}

/// 1 − erf(x), with all its digits where that is near 0.
#[inline(always)]
pub(super) fn erfc<T: Kernel>(x: T) -> T {
    let a = clamp(x.abs(), T::ZERO, T::ERFC_LIMIT);
    let (hi, lo) = product(a, a);
    let (y, shifted) = complement(a, T::ZERO, bell(hi, lo));
    let y = T::scale_down(y, shifted);
    if x < T::ZERO { T::of(2.0) - y } else { y }
}

/// The bell e^(−x²/2), and x within the bounds that it is for.
#[inline(always)]
fn normal_bell<T: Kernel>(x: T) -> (T, Bell<T>) {
    let limit = T::ERFC_LIMIT * T::of(std::f64::consts::SQRT_2);
    let x = clamp(x, -limit, limit);
    let (hi, lo) = product(x, x);
    let half = T::of(0.5);
    (x, bell(half * hi, half * lo))
}

/// (y, n + SHIFT) with Φ(−|x|) = y·2ⁿ, from x within the bounds, and its bell.
#[inline(always)]
fn normal_tail<T: Kernel>(x: T, bell: Bell<T>) -> (T, T) {
    let root = T::of(std::f64::consts::FRAC_1_SQRT_2);
    let root_rest = T::of((std::f64::consts::FRAC_1_SQRT_2 - root.to_f64()) - 4.833_646_656_726_457e-17);
    let (a, a_rest) = product(x.abs(), root);
    let (y, shifted) = complement(a, x.abs().fused(root_rest, a_rest), bell);
    (T::of(0.5) * y, shifted)
}

/// Φ(x) = ½·erfc(−x/√2), without the rounding of x/√2, which the bell would multiply.
#[inline(always)]
pub(super) fn normal_cdf<T: Kernel>(x: T) -> T {
    let (within, bell) = normal_bell(x);
    let (y, shifted) = normal_tail(within, bell);
    let y = T::scale_down(y, shifted);
    if x > T::ZERO { T::ONE - y } else { y }
}

/// x·Φ(x), below zero rounded once where it is subnormal, and its slope Φ(x) + x·φ(x).
#[inline(always)]
pub(super) fn gelu_and_slope<T: Kernel>(x: T) -> (T, T) {
    let (within, bell) = normal_bell(x);
    let (y, shifted) = normal_tail(within, bell);
    let tail = T::scale_down(y, shifted);
    let above = x > T::ZERO;
    let share = if above { T::ONE - tail } else { tail };
    // Beyond the bounds both terms are 0: so they are at −∞, where a product with 0 would be NaN.
    let value = if above { x * share } else { T::scale_down(within * y, shifted) };
    (value, within.fused(height(&bell), share))
}

/// φ(x) from its bell.
#[inline(always)]
fn height<T: Kernel>(bell: &Bell<T>) -> T {
    // Half of 2/√π times 1/√2.
    let height = T::of(0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
    T::scale_down(bell.y.fused(height, bell.rest * height), bell.shifted)
}

/// φ(x) = e^(−x²/2)/√(2π).
#[inline(always)]
pub(super) fn normal_pdf<T: Kernel>(x: T) -> T {
    height(&normal_bell(x).1)
}
