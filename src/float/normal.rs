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

use super::exponential::{Reduced, clamp, reduce, two_sum};
use super::kernel::Kernel;

/// P(q) − P(0).
#[inline(always)]
pub(super) fn tail_f32(q: f32) -> f32 {
    let z = q * q;
    let zz = z * z;
    let a = (-0.135_621_15 - 0.047_562_42 * q) + z * (0.129_646_45 - 0.119_270_615 * q);
    let b = (0.068_295_75 - 0.023_799_537 * q) + z * (0.002_565_722_2 + 0.002_004_846_5 * q);
    let c = -0.000_772_681_7 - 0.000_266_237_4 * q;
    q * ((a + zz * b) + zz * zz * c)
}

/// P(q) − P(0).
#[inline(always)]
pub(super) fn tail_f64(q: f64) -> f64 {
    let z = q * q;
    let zz = z * z;
    let a = (-0.139_621_116_840_562_53 + 0.015_379_652_102_619_655 * q)
        + z * (0.068_097_054_254_695_44 - 0.101_039_066_036_299_64 * q);
    let b = (0.093_732_834_998_251_3 - 0.066_330_365_812_317_08 * q)
        + z * (0.037_167_515_539_082_85 - 0.016_197_734_056_680_23 * q);
    let c = (0.005_031_969_963_682_627_5 - 0.000_757_773_296_431_369_4 * q)
        + z * (-0.000_199_256_617_478_514_15 + 0.000_150_621_714_457_576_8 * q);
    let d = (-2.439_947_519_020_319e-5 - 1.122_217_090_137_749_9e-5 * q)
        + z * (5.710_279_619_364_675e-6 + 2.941_732_512_413_451e-7 * q);
    let e = (-8.260_889_054_171_758e-7 + 7.404_145_073_695_51e-8 * q)
        + z * (1.104_249_343_415_783_3e-7 - 1.738_564_062_496_904_8e-8 * q);
    let f = (-1.408_762_130_845_049_6e-8 + 1.638_450_340_115_739_2e-9 * q) + z * 1.187_003_788_497_336_1e-9;
    let zzzz = zz * zz;
    q * ((a + zz * b) + zzzz * ((c + zz * d) + zzzz * (e + zz * f)))
}

/// a·b = hi + lo, but for the rounding of lo (Dekker).
#[inline(always)]
fn product<T: Kernel>(a: T, b: T) -> (T, T) {
    let (hi, a_hi, b_hi) = (a * b, a.upper_half(), b.upper_half());
    let (a_lo, b_lo) = (a - a_hi, b - b_hi);
    (hi, ((a_hi * b_hi - hi) + (a_hi * b_lo + a_lo * b_hi)) + a_lo * b_lo)
}

/// e^(−hi − lo) = (y + rest)·2ⁿ, for a lo that is the rounding of hi.
struct Bell<T> {
    y: T,
    rest: T,
    /// n + [`SHIFT`](Kernel::SHIFT).
    shifted: T,
}

#[inline(always)]
fn bell<T: Kernel>(hi: T, lo: T) -> Bell<T> {
    let Reduced { shifted, r, c, .. } = reduce(-hi);
    let (sum, rest) = two_sum(T::ONE, r, T::exp_tail(r) + c);
    let y = sum + rest;
    Bell { y, rest: (rest - (y - sum)) - lo * y, shifted }
}

/// (y, n + SHIFT) with erfc(a + a_rest) = y·2ⁿ, for 0 ≤ a, its rounding a_rest, and the bell e^(−a²) of both.
#[inline(always)]
fn complement<T: Kernel>(a: T, a_rest: T, Bell { y: e, rest, shifted }: Bell<T>) -> (T, T) {
    // q = 2a/(a + k) − 1. Near a = 0, where that is near −1, a keeps the digits that the difference drops: its
    // rounding times the slope of P, which is about (1 − 1/√π)·k·q⁴ there. For q ≥ −½ nothing is dropped.
    let share = (a + a) / (a + T::ERFC_MIDDLE);
    let q = share - T::ONE;
    let (dropped, square) = (share - (q + T::ONE), q * q);
    let slope = T::of(1.0 - 0.5 * std::f64::consts::FRAC_2_SQRT_PI) * T::ERFC_MIDDLE * (square * square);
    let (p, p_rest) = two_sum(T::ERFC_HI, T::erfc_tail(q), T::ERFC_LO + slope * dropped);
    // 1 + 2a = d + d_rest exactly (Knuth's two-sum).
    let twice = a + a;
    let d = T::ONE + twice;
    let back = d - T::ONE;
    let d_rest = (T::ONE - (d - back)) + (twice - back) + (a_rest + a_rest);
    let (numerator, numerator_rest) = product(p, e);
    let y = numerator / d;
    let (back, back_rest) = product(y, d);
    let rest = ((numerator - back) - back_rest) + (numerator_rest + ((p * rest + p_rest * e) - y * d_rest));
    (y + rest / d, shifted)
}

/// 1 − erf(x), with all its digits where that is near 0.
#[inline(always)]
pub(super) fn erfc<T: Kernel>(x: T) -> T {
    let a = clamp(x.abs(), T::ZERO, T::ERFC_LIMIT);
    let (hi, lo) = product(a, a);
    let (y, shifted) = complement(a, T::ZERO, bell(hi, lo));
    let y = T::scale(y, shifted);
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

/// (y, n + SHIFT) with Φ(−|x|) = y·2ⁿ.
#[inline(always)]
fn normal_tail<T: Kernel>(x: T) -> (T, T) {
    let (x, bell) = normal_bell(x);
    let root = T::of(std::f64::consts::FRAC_1_SQRT_2);
    let root_rest = T::of((std::f64::consts::FRAC_1_SQRT_2 - root.to_f64()) - 4.833_646_656_726_457e-17);
    let (a, a_rest) = product(x.abs(), root);
    let (y, shifted) = complement(a, a_rest + x.abs() * root_rest, bell);
    (T::of(0.5) * y, shifted)
}

/// Φ(x) = ½·erfc(−x/√2), without the rounding of x/√2, which the bell would multiply.
#[inline(always)]
pub(super) fn normal_cdf<T: Kernel>(x: T) -> T {
    let (y, shifted) = normal_tail(x);
    let y = T::scale(y, shifted);
    if x > T::ZERO { T::ONE - y } else { y }
}

/// x·Φ(x) for x < 0, rounded once where it is subnormal.
pub(super) fn times_normal_cdf<T: Kernel>(x: T) -> T {
    let (y, shifted) = normal_tail(x);
    T::scale(x * y, shifted)
}

/// φ(x) = e^(−x²/2)/√(2π).
#[inline(always)]
pub(super) fn normal_pdf<T: Kernel>(x: T) -> T {
    // Half of 2/√π times 1/√2.
    let height = T::of(0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
    let (_, Bell { y, rest, shifted }) = normal_bell(x);
    T::scale(y * height + rest * height, shifted)
}
