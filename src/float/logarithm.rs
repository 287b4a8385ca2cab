//! ln x, ln(1 + x), and the softplus ln(1 + eˣ).
//!
//! **Method**: x = 2ᵏ·m with √½ ≤ m < √2, f = m − 1, and ln x = k·ln 2 + ln(1 + f) (Muller, *Elementary
//! Functions*, 3rd ed. 2016, chapter 11), with ln 2 split as for the exponential. The leading terms
//! f − ½f² are added last: everything else is small against them, and so is its rounding error.
//!
//! **Coefficients**, by Remez exchange in 60 digits, rounded to the type; the errors are relative to
//! ln(1 + f):
//! - `f32`: ln(1 + f) = f − ½f² + f³·Q(f), error below 2⁻²⁸·².
//! - `f64`: with s = f/(2 + f), ln(1 + f) = 2 artanh s = 2s + s³·R(s²), error below 2⁻⁵⁸·⁴. The interval of
//!   s is small and the series is in s², so that 7 coefficients do where a polynomial in f takes twenty;
//!   this pays for the division.

use super::exponential;
use super::kernel::Kernel;

/// f³·Q(f) + rest.
#[inline(always)]
pub(super) fn tail_f32(f: f32, rest: f32) -> f32 {
    let z = f.square();
    let zz = z.square();
    let a = z.fused(f.fused(-0.166_679_96, 0.200_021_19), f.fused(-0.250_000_1, 0.333_333_13));
    let b = z.fused(f.fused(-0.116_756_54, 0.118_881_606), f.fused(-0.124_055_885, 0.142_195_52));
    (f * z).fused(zz.fused(zz.fused(0.067_466_47, b), a), rest)
}

/// s·(½f² + s²·R(s²)) + rest: from f = (2 + f)·s follow 2s = f − s·f and s·f = ½f² − s·½f².
#[inline(always)]
pub(super) fn tail_f64(f: f64, rest: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s.square();
    let zz = z.square();
    let a = zz.fused(
        z.fused(0.222_221_986_054_431_97, 0.285_714_287_420_248_1),
        z.fused(0.399_999_999_994_166_5, 0.666_666_666_666_673_4),
    );
    let b = zz.fused(0.147_956_273_348_029_24, z.fused(0.153_140_854_191_498_2, 0.181_835_628_297_374_62));
    s.fused(z.fused(zz.square().fused(b, a), 0.5 * f * f), rest)
}

/// k·ln 2 + ln(1 + f) + c.
#[inline(always)]
fn assemble<T: Kernel>(k: T, f: T, c: T) -> T {
    let small = T::ln_tail(f, k.fused(T::LN2_LO, c));
    k.fused(T::LN2_HI, f + (T::of(-0.5) * f).fused(f, small))
}

/// Natural logarithm.
#[inline(always)]
pub(super) fn ln<T: Kernel>(x: T) -> T {
    let (k, m) = x.split();
    let y = assemble(k, m - T::ONE, T::ZERO);
    let y = if x < T::INFINITY { y } else { x };
    let outside = if x == T::ZERO { -T::INFINITY } else { T::NAN };
    if x > T::ZERO { y } else { outside }
}

/// ln(1 + x).
#[inline(always)]
pub(super) fn ln_1p<T: Kernel>(x: T) -> T {
    let u = T::ONE + x;
    // 1 + x = u + c exactly (Knuth's two-sum).
    let back = u - T::ONE;
    let c = (T::ONE - (u - back)) + (x - back);
    let (k, m) = u.split();
    // Near 0 there is nothing to scale, and f is x itself, with all of its digits.
    let near = k == T::ZERO;
    let f = if near { x } else { m - T::ONE };
    // ln(u + c) = ln u + c/u; c is at most half a unit in the last place of u, so 1/m may be coarse.
    let c = if near { T::ZERO } else { c * u.inverse_scale() * (T::ONE - (f - f * f)) };
    let y = assemble(k, f, c).with_sign_of(x);
    let y = if u < T::INFINITY { y } else { x };
    let outside = if u == T::ZERO { -T::INFINITY } else { T::NAN };
    if u > T::ZERO { y } else { outside }
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e^(−|x|)).
#[inline(always)]
pub(super) fn softplus<T: Kernel>(x: T) -> T {
    let e = exponential::exp_below(-x.abs());
    // 1 + e lies in [1, 2], which leaves two cases: f = e, and f = (1 + e)/2 − 1 = (e − 1)/2, which drops
    // one bit at most. ln_1p has more to take care of.
    let near = e < T::of(std::f64::consts::SQRT_2 - 1.0);
    let f = if near { e } else { T::of(0.5) * (e - T::ONE) };
    let k = if near { T::ZERO } else { T::ONE };
    x.max(T::ZERO) + assemble(k, f, T::ZERO)
}
