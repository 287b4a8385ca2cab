//! eˣ, eˣ − 1 and what follows from them: the hyperbolic tangent and the logistic function.
//!
//! **Method**: additive range reduction, a polynomial, and scaling by a power of two (Muller,
//! *Elementary Functions*, 3rd ed. 2016, chapter 11; ln 2 is split as by Cody and Waite, *Software
//! Manual for the Elementary Functions*, 1980, but a fused multiply-add takes all digits of its leading part).
//! With n = x/ln 2 to the nearest whole number, r = x − n·ln 2 lies within ±½ ln 2, and eˣ = 2ⁿ·eʳ. Sums with r
//! take its two parts, of which the large one is exact: only the small polynomial sees the rounding of r.
//!
//! **Coefficients**: eʳ = 1 + r + r²·P(r), where P begins with ½, and the others minimise the largest
//! |error of r²·P|/eʳ over the interval, made one part in 2000 longer for the rounding of n. They were
//! found by Remez exchange in 60 digits and rounded to the type. That largest error is 2⁻²⁷·⁷ for `f32`
//! and 2⁻⁶⁰·² for `f64`; half a unit in the last place is 2⁻²⁵ and 2⁻⁵⁴ at worst.

use super::kernel::Kernel;

/// P(r).
#[inline(always)]
pub(super) fn tail_f32(r: f32) -> f32 {
    let z = r.square();
    let a = r.fused(0.041_665_554, 0.166_664_88);
    let b = r.fused(0.001_403_560_7, 0.008_372_288);
    r.fused(z.fused(b, a), 0.5)
}

/// P(r), by Estrin's scheme: a short chain of dependent steps counts where calls are few.
#[inline(always)]
pub(super) fn tail_f64(r: f64) -> f64 {
    let z = r.square();
    let zz = z.square();
    let a = z.fused(
        r.fused(0.001_388_888_888_875_669, 0.008_333_333_333_312_902),
        r.fused(0.041_666_666_666_666_845, 0.166_666_666_666_666_88),
    );
    let b = z.fused(
        r.fused(2.755_697_829_008_306e-7, 2.755_722_511_982_528_3e-6),
        r.fused(2.480_158_763_067_438_7e-5, 0.000_198_412_699_063_856_85),
    );
    let c = r.fused(2.101_438_396_643_341_6e-9, 2.511_534_234_424_106_5e-8);
    r.fused(zz.fused(zz.fused(c, b), a), 0.5)
}

/// x = n·ln 2 + r.
pub(super) struct Reduced<T> {
    /// n + [`SHIFT`](Kernel::SHIFT).
    pub shifted: T,
    pub n: T,
    /// x less n times the leading part of ln 2: exact.
    pub high: T,
    /// `high` less n times the rest of ln 2, rounded.
    pub r: T,
}

#[inline(always)]
pub(super) fn reduce<T: Kernel>(x: T) -> Reduced<T> {
    let shifted = x.fused(T::LOG2_E, T::SHIFT);
    let n = shifted - T::SHIFT;
    // Exact: the product is, inside, and the difference because both are close.
    let high = n.fused(-T::LN2_HI, x);
    Reduced { shifted, n, high, r: n.fused(-T::LN2_LO, high) }
}

impl<T: Kernel> Reduced<T> {
    /// a + (eʳ − 1) as a sum and what it drops, where |a| ≥ |r| or a = 0 (Dekker's fast two-sum).
    #[inline(always)]
    pub(super) fn add_to(&self, a: T) -> (T, T) {
        let sum = a + self.high;
        let rest = self.n.fused(-T::LN2_LO, self.high - (sum - a));
        (sum, self.r.square().fused(T::exp_tail(self.r), rest))
    }
}

/// x within the two bounds; NaN stays NaN.
#[inline(always)]
pub(super) fn clamp<T: Kernel>(x: T, low: T, high: T) -> T {
    let x = if x > high { high } else { x };
    if x < low { low } else { x }
}

/// eˣ.
#[inline(always)]
pub(super) fn exp<T: Kernel>(x: T) -> T {
    let reduced = reduce(clamp(x, -T::EXP_LIMIT, T::EXP_LIMIT));
    let (sum, rest) = reduced.add_to(T::ONE);
    T::scale(sum + rest, reduced.shifted)
}

/// eˣ for x ≤ 0, the bits of [`exp`].
#[inline(always)]
pub(super) fn exp_below<T: Kernel>(x: T) -> T {
    let reduced = reduce(if x < -T::EXP_LIMIT { -T::EXP_LIMIT } else { x });
    let (sum, rest) = reduced.add_to(T::ONE);
    T::scale_down(sum + rest, reduced.shifted)
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
    let reduced = reduce(clamp(x, -T::BITS, T::EXP_LIMIT));
    let (sum, rest) = reduced.add_to(T::ONE - inverse_power(reduced.n));
    // The sign of −0 is lost on the way.
    T::scale(sum + rest, reduced.shifted).with_sign_of(x)
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
    let reduced = reduce(if double > T::BITS { T::BITS } else { double });
    let half = inverse_power(reduced.n);
    let power = half + half;
    let (sum, rest) = reduced.add_to(T::ONE - half);
    let y = sum + rest;
    let near = reduced.n <= T::ONE;
    let start = if near { magnitude } else { T::ZERO };
    let correction = magnitude.fused(-y, magnitude.fused(-power, sum)) + rest;
    let numerator = if near { correction } else { y };
    (start + numerator / (y + power)).with_sign_of(x)
}

/// 1/(1 + e⁻ˣ), as e^(−|x|)/(1 + e^(−|x|)) below zero.
#[inline(always)]
pub(super) fn sigmoid<T: Kernel>(x: T) -> T {
    let e = exp_below(-x.abs());
    let sum = T::ONE + e;
    let y = if x >= T::ZERO { T::ONE } else { e } / sum;
    // The sum's rounding error, times 1/sum to within an eighth.
    let dropped = (e - (sum - T::ONE)) * e.fused(T::of(-0.5), T::ONE);
    y.fused(-dropped, y)
}
