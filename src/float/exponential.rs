//! eˣ, eˣ − 1 and what follows from them: the hyperbolic tangent and the logistic function.
//!
//! **Method**: additive range reduction, a polynomial, and scaling by a power of two (Muller,
//! *Elementary Functions*, 3rd ed. 2016, chapter 11; the split of ln 2 is Cody and Waite's, *Software
//! Manual for the Elementary Functions*, 1980). With n = x/ln 2 to the nearest whole number,
//! r = x − n·ln 2 lies within ±½ ln 2, and eˣ = 2ⁿ·eʳ. What the rounding of r drops is kept, and added
//! back where sums are small.
//!
//! **Coefficients**: eʳ = 1 + r + r²·P(r), where P begins with ½, and the others minimise the largest
//! |error of r²·P|/eʳ over the interval, made one part in 2000 longer for the rounding of n. They were
//! found by Remez exchange in 60 digits and rounded to the type. That largest error is 2⁻²⁷·⁷ for `f32`
//! and 2⁻⁶⁰·² for `f64`; half a unit in the last place is 2⁻²⁵ and 2⁻⁵⁴ at worst.

use super::kernel::Kernel;

/// r²·P(r).
#[inline(always)]
pub(super) fn tail_f32(r: f32) -> f32 {
    let z = r * r;
    let p = (0.166_664_88 + 0.041_665_554 * r) + z * (0.008_372_288 + 0.001_403_560_7 * r);
    z * (0.5 + r * p)
}

/// r²·P(r), by Estrin's scheme: a short chain of dependent steps counts where calls are few.
#[inline(always)]
pub(super) fn tail_f64(r: f64) -> f64 {
    let z = r * r;
    let zz = z * z;
    let a = (0.166_666_666_666_666_88 + 0.041_666_666_666_666_845 * r)
        + z * (0.008_333_333_333_312_902 + 0.001_388_888_888_875_669 * r);
    let b = (0.000_198_412_699_063_856_85 + 2.480_158_763_067_438_7e-5 * r)
        + z * (2.755_722_511_982_528_3e-6 + 2.755_697_829_008_306e-7 * r);
    let c = 2.511_534_234_424_106_5e-8 + 2.101_438_396_643_341_6e-9 * r;
    z * (0.5 + r * ((a + zz * b) + zz * zz * c))
}

/// x = n·ln 2 + r + c.
pub(super) struct Reduced<T> {
    /// n + [`SHIFT`](Kernel::SHIFT).
    pub shifted: T,
    pub n: T,
    pub r: T,
    /// What the rounding of r dropped.
    pub c: T,
}

#[inline(always)]
pub(super) fn reduce<T: Kernel>(x: T) -> Reduced<T> {
    let shifted = x * T::LOG2_E + T::SHIFT;
    let n = shifted - T::SHIFT;
    // Exact: the product by the shortness of LN2_HI, the difference because both are close.
    let high = x - n * T::LN2_HI;
    let low = n * T::LN2_LO;
    let r = high - low;
    Reduced { shifted, n, r, c: (high - r) - low }
}

/// x within the two bounds; NaN stays NaN.
#[inline(always)]
pub(super) fn clamp<T: Kernel>(x: T, low: T, high: T) -> T {
    let x = if x > high { high } else { x };
    if x < low { low } else { x }
}

/// a + r and `rest` with what that sum drops, where |a| ≥ |r| or a = 0 (Dekker's fast two-sum).
#[inline(always)]
pub(super) fn two_sum<T: Kernel>(a: T, r: T, rest: T) -> (T, T) {
    let sum = a + r;
    (sum, (r - (sum - a)) + rest)
}

/// a + (r + rest), likewise.
#[inline(always)]
fn add_to<T: Kernel>(a: T, r: T, rest: T) -> T {
    let (sum, rest) = two_sum(a, r, rest);
    sum + rest
}

/// eˣ.
#[inline(always)]
pub(super) fn exp<T: Kernel>(x: T) -> T {
    let Reduced { shifted, r, c, .. } = reduce(clamp(x, -T::EXP_LIMIT, T::EXP_LIMIT));
    T::scale(add_to(T::ONE, r, T::exp_tail(r) + c), shifted)
}

/// 2⁻ⁿ, or a number that 1 swallows where n is larger than that takes.
#[inline(always)]
fn inverse_power<T: Kernel>(n: T) -> T {
    T::inverse_power(if n > T::BITS { T::BITS } else { n } + T::SHIFT)
}

/// eˣ − 1 = 2ⁿ·((1 − 2⁻ⁿ) + (eʳ − 1)).
#[inline(always)]
pub(super) fn exp_m1<T: Kernel>(x: T) -> T {
    // It is −1 well before the lower bound.
    let Reduced { shifted, n, r, c } = reduce(clamp(x, -T::BITS, T::EXP_LIMIT));
    let y = add_to(T::ONE - inverse_power(n), r, T::exp_tail(r) + c);
    // The sign of −0 is lost on the way.
    T::scale(y, shifted).with_sign_of(x)
}

/// tanh |x| = (e²ˣ − 1)/(e²ˣ + 1) = y/(y + 2·2⁻ⁿ), with y = (e²ˣ − 1)/2ⁿ as in [`exp_m1`]: in this form
/// an error of y matters the less the nearer the quotient is to 1.
///
/// For n ≤ 1 there is |x| to start from: y/(y + p) = |x| + ((y − p|x|) − |x|·y)/(y + p) with p = 2·2⁻ⁿ, a
/// small correction, in which y − p|x| loses nothing, since both are close.
#[inline(always)]
pub(super) fn tanh<T: Kernel>(x: T) -> T {
    let magnitude = x.abs();
    let double = magnitude + magnitude;
    // It is 1 well before the bound.
    let Reduced { n, r, c, .. } = reduce(if double > T::BITS { T::BITS } else { double });
    let half = inverse_power(n);
    let power = half + half;
    let (sum, rest) = two_sum(T::ONE - half, r, T::exp_tail(r) + c);
    let y = sum + rest;
    let near = n <= T::ONE;
    let start = if near { magnitude } else { T::ZERO };
    let correction = ((sum - power * magnitude) - magnitude * y) + rest;
    let numerator = if near { correction } else { y };
    (start + numerator / (y + power)).with_sign_of(x)
}

/// 1/(1 + e⁻ˣ), as e^(−|x|)/(1 + e^(−|x|)) below zero.
#[inline(always)]
pub(super) fn sigmoid<T: Kernel>(x: T) -> T {
    let e = exp(-x.abs());
    let sum = T::ONE + e;
    let y = if x >= T::ZERO { T::ONE } else { e } / sum;
    // The sum's rounding error, times 1/sum to within an eighth.
    let dropped = (e - (sum - T::ONE)) * (T::ONE - T::of(0.5) * e);
    y - y * dropped
}
