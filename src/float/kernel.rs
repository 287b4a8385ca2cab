//! What the kernels need of a number type beyond arithmetic: its bits, and the constants of its width.

use super::{Float, arctangent, exponential, logarithm, normal};
use crate::linalg::Fused;

/// Whether there are CPUs of this architecture that multiply and add in one rounding. Where a loop is compiled for one,
/// [`f64::mul_add`] is that instruction, and elsewhere a call of the C library, whose result IEEE 754 fixes.
const HAS_FUSED: bool = cfg!(any(miri, target_arch = "x86_64", target_arch = "aarch64"));

/// a·b + c, rounded once, in many steps: not to be inlined, a function has a dozen of them.
#[inline(never)]
fn emulated<T: Fused>(a: T, b: T, c: T) -> T {
    a.fused(b, c)
}

/// a/by, by a product with the inverse and what that leaves, for a finite `by`. 0 of 0; NaN of what is not finite.
#[inline(always)]
pub(super) fn quotient<T: Kernel>(a: T, by: T, inverse: T) -> T {
    let q = a * inverse;
    q.fused(-by, a).fused(inverse, q)
}

/// `f32` and `f64` behind one face, so that every kernel is written once for both.
///
/// Nothing in here branches, looks up a table, or asks for an instruction that AVX2 with FMA lacks, so that a
/// loop over a kernel becomes vector code.
pub(super) trait Kernel: Float {
    /// 1.5·2ᵖ with the p bits of the fraction, and twice the exponent's bias. A far smaller number added to it is rounded
    /// to a whole number, which stands in the lowest bits of the sum, with both biases that two powers of two take; the
    /// half above 2ᵖ keeps that so below zero.
    const SHIFT: Self;
    /// log₂ e.
    const LOG2_E: Self;
    /// ln 2, rounded.
    const LN2_HI: Self;
    /// ln 2 − [`LN2_HI`](Kernel::LN2_HI).
    const LN2_LO: Self;
    /// e to this power is ∞, and to minus this power 0.
    const EXP_LIMIT: Self;
    /// An n with 1 ± 2⁻ⁿ = 1, and more than enough.
    const BITS: Self;
    /// 1/π, rounded.
    const INV_PI_HI: Self;
    /// 1/π − [`INV_PI_HI`](Kernel::INV_PI_HI).
    const INV_PI_LO: Self;

    /// Beyond this, the complementary error function is 0.
    const ERFC_LIMIT: Self;
    /// The k of q = (a − k)/(a + k), in which the complementary error function is a polynomial.
    const ERFC_MIDDLE: Self;
    /// Its value at q = 0, rounded.
    const ERFC_HI: Self;
    /// Its value at q = 0 − [`ERFC_HI`](Kernel::ERFC_HI).
    const ERFC_LO: Self;

    /// self·b + c, rounded once.
    fn fused(self, b: Self, c: Self) -> Self;

    /// self².
    #[inline(always)]
    fn square(self) -> Self {
        self * self
    }

    /// The other terms of that polynomial, plus `rest`.
    fn erfc_tail(q: Self, rest: Self) -> Self;

    /// (eʳ − 1 − r)/r² for |r| ≤ ½ ln 2.
    fn exp_tail(r: Self) -> Self;

    /// ln(1 + f) − f + ½f² + rest for √½ ≤ 1 + f < √2.
    fn ln_tail(f: Self, rest: Self) -> Self;

    /// (arctan(q)/π − q/π)/q³ for z = q² ≤ tan² π/8.
    fn atan_tail(z: Self) -> Self;

    /// y·2ⁿ for `shifted` = n + [`SHIFT`](Kernel::SHIFT), rounded once.
    fn scale(y: Self, shifted: Self) -> Self;

    /// The same for n ≤ 0 and at least that of e to minus [`EXP_LIMIT`](Kernel::EXP_LIMIT).
    fn scale_down(y: Self, shifted: Self) -> Self;

    /// 2⁻ⁿ for `shifted` = n + [`SHIFT`](Kernel::SHIFT), within the range of normal numbers.
    fn inverse_power(shifted: Self) -> Self;

    /// (k, m) with x = 2ᵏ·m and √½ ≤ m < √2 for positive finite x; anything finite for other x.
    fn split(self) -> (Self, Self);

    /// 2⁻ᵏ for the k of [`split`](Kernel::split) for normal x, or 0 where that is subnormal.
    fn inverse_scale(self) -> Self;

    /// |x| with the sign of `sign`.
    fn with_sign_of(self, sign: Self) -> Self;
}

macro_rules! implement {
    ($t:ident, $bits:ident, ln_2_lo: $lo:literal, exp_limit: $limit:literal, inv_pi_lo: $pi_lo:literal,
     erfc: ($erfc_limit:literal, $erfc_middle:literal, $erfc_hi:literal + $erfc_lo:literal),
     $exp_tail:path, $ln_tail:path, $atan_tail:path, $erfc_tail:path) => {
        const _: () = {
            const FRACTION: $bits = $t::MANTISSA_DIGITS as $bits - 1;
            const FRACTION_MASK: $bits = (1 << FRACTION) - 1;
            const BIAS: $bits = $t::MAX_EXP as $bits - 1;
            const SQRT_HALF: $bits = std::$t::consts::FRAC_1_SQRT_2.to_bits();
            /// 2ᵖ with the p bits of the fraction: whole numbers below it stand in its lowest bits.
            const WHOLE: $t = 1.0 / $t::EPSILON;

            /// The bits of a positive normal number, moved so that the exponent steps at √½, not at 1.
            #[inline(always)]
            fn centred(x: $t) -> $bits {
                x.to_bits().wrapping_add((BIAS << FRACTION) - SQRT_HALF)
            }

            impl Kernel for $t {
                const SHIFT: $t = 1.5 * WHOLE + (2 * BIAS) as $t;
                const LOG2_E: $t = std::$t::consts::LOG2_E;
                const LN2_HI: $t = std::$t::consts::LN_2;
                const LN2_LO: $t = $lo;
                const EXP_LIMIT: $t = $limit;
                const BITS: $t = $t::MANTISSA_DIGITS as $t + 4.0;
                const INV_PI_HI: $t = std::$t::consts::FRAC_1_PI;
                const INV_PI_LO: $t = $pi_lo;
                const ERFC_LIMIT: $t = $erfc_limit;
                const ERFC_MIDDLE: $t = $erfc_middle;
                const ERFC_HI: $t = $erfc_hi;
                const ERFC_LO: $t = $erfc_lo;

                #[inline(always)]
                fn fused(self, b: $t, c: $t) -> $t {
                    if HAS_FUSED { self.mul_add(b, c) } else { emulated(self, b, c) }
                }
                #[inline(always)]
                fn erfc_tail(q: $t, rest: $t) -> $t {
                    $erfc_tail(q, rest)
                }

                #[inline(always)]
                fn exp_tail(r: $t) -> $t {
                    $exp_tail(r)
                }
                #[inline(always)]
                fn ln_tail(f: $t, rest: $t) -> $t {
                    $ln_tail(f, rest)
                }
                #[inline(always)]
                fn atan_tail(z: $t) -> $t {
                    $atan_tail(z)
                }
                #[inline(always)]
                fn scale(y: $t, shifted: $t) -> $t {
                    // In two steps, since 2ⁿ alone may be out of range. The first product is exact, so a
                    // subnormal result is rounded once. Both biases are in before the halving, which is
                    // then of a positive number: a logical shift, the only one AVX2 has for 64 bits. What stands
                    // above the lowest bits is shifted out.
                    let n = shifted.to_bits();
                    let half = n >> 1;
                    y * $t::from_bits(half << FRACTION) * $t::from_bits((n - half) << FRACTION)
                }
                #[inline(always)]
                fn scale_down(y: $t, shifted: $t) -> $t {
                    // Likewise, by 2ⁿ⁺ᵏ and 2⁻ᵏ for the k with which both are normal.
                    y * $t::from_bits((shifted.to_bits() - 1) << FRACTION) * $t::MIN_POSITIVE
                }
                #[inline(always)]
                fn inverse_power(shifted: $t) -> $t {
                    let exponent = (Self::SHIFT.to_bits() + BIAS).wrapping_sub(shifted.to_bits());
                    $t::from_bits(exponent << FRACTION)
                }
                #[inline(always)]
                fn split(self) -> ($t, $t) {
                    // A subnormal number is made normal first, times 2ᵖ.
                    let tiny = self < $t::MIN_POSITIVE;
                    let bits = centred(if tiny { self * WHOLE } else { self });
                    let bias = BIAS as $t + if tiny { WHOLE + FRACTION as $t } else { WHOLE };
                    // A float without a conversion, which AVX2 lacks for 64 bits.
                    let k = $t::from_bits((bits >> FRACTION) | WHOLE.to_bits()) - bias;
                    (k, $t::from_bits((bits & FRACTION_MASK) + SQRT_HALF))
                }
                #[inline(always)]
                fn inverse_scale(self) -> $t {
                    // 2·2⁻ᵏ, whose biased exponent is never negative; for the largest k it is that of 0.
                    let twice = (2 * BIAS + 1).wrapping_sub(centred(self) >> FRACTION);
                    0.5 * $t::from_bits(twice << FRACTION)
                }
                #[inline(always)]
                fn with_sign_of(self, sign: $t) -> $t {
                    self.copysign(sign)
                }
            }
        };
    };
}

implement!(
    f32, u32, ln_2_lo: -1.904_654_3e-9, exp_limit: 120.0, inv_pi_lo: 1.284_127_6e-8,
    erfc: (10.3, 3.0, 1.253_008 + 5.130_488_6e-8),
    exponential::tail_f32, logarithm::tail_f32, arctangent::tail_f32, normal::tail_f32
);
implement!(
    f64, u64, ln_2_lo: 2.319_046_813_846_299_6e-17, exp_limit: 800.0, inv_pi_lo: -1.967_867_667_518_248_6e-17,
    erfc: (27.4, 4.0, 1.232_995_118_625_552_6 + -4.525_487_409_380_777_5e-17),
    exponential::tail_f64, logarithm::tail_f64, arctangent::tail_f64, normal::tail_f64
);
