//! Sine and cosine of many angles at once: the bits of the `libm` crate, without its branches.
//!
//! **Method**: that of FreeBSD's msun, which `libm` follows: the multiple n·π/2 next to x is taken off, with π/2 in two
//! parts (Cody and Waite), and the rest goes through the polynomial of the sine or of the cosine, as n says. Each step
//! is rounded as there, and where `libm` branches, here both sides are computed and one is selected. So a single call
//! and a vector agree, and random numbers, data and features are those of `libm`.
//!
//! **Where this ends**: from 2²⁰·π/2 on for `f64` and 2²⁸·π/2 for `f32`, and for `f64` where x is so close to a
//! multiple of π/2 that π/2 is needed in more parts, the result is NaN, and `libm` is asked. That is a
//! share of |x|/25,000 of all angles.

use super::Float;
use crate::linalg::simd::{any, vectorize};

/// So many angles are worked on side by side, and looked over together for one that is left to `libm`.
const MANY: usize = 64;

/// x = n·π/2 + y + rest, with n modulo 4 in the lowest two bits of `quadrant`.
struct Reduced {
    quadrant: u64,
    y: f64,
    rest: f64,
}

/// A whole number added to it stands in the lowest bits of the sum.
const SHIFT: f64 = 1.5 / f64::EPSILON;

/// |x| split at `edges`: how many of them it has reached, with the sign of x; beyond the last one, x over π/2 to the
/// nearest whole number.
#[inline(always)]
fn multiple(x: f64, edges: [f64; 5]) -> f64 {
    let size = x.abs();
    let nearest = (x * std::f64::consts::FRAC_2_PI + SHIFT) - SHIFT;
    let reached = edges.iter().fold(0.0f64, |n, edge| n + if size >= *edge { 1.0 } else { 0.0 });
    if size >= edges[4] { nearest } else { reached.copysign(x) }
}

/// The number whose upper 32 bits are these, and the others 0.
const fn above(high: u32) -> f64 {
    f64::from_bits((high as u64) << 32)
}

/// (sin x, cos x), or NaN for both.
#[inline(always)]
pub(super) fn sin_cos_f64(x: f64) -> (f64, f64) {
    // libm looks at the upper half of the bits only: π/4, 3π/4 and so on, rounded up.
    const EDGES: [f64; 5] =
        [above(0x3fe9_21fc), above(0x4002_d97d), above(0x400f_6a7b), above(0x4015_fdbd), above(0x401c_463c)];
    const LIMIT: f64 = above(0x4139_21fb);
    // π/2 to 33 bits, few enough that its product with n is exact, and the rest.
    let (high, low) = (1.570_796_326_734_125_6, 6.077_100_506_506_192e-11);
    let n = multiple(x, EDGES);
    let (r, w) = (x - n * high, n * low);
    let y = r - w;
    let reduced = Reduced { quadrant: (n + SHIFT).to_bits(), y, rest: (r - y) - w };
    let size = x.abs();
    // 2⁻¹⁵, which is twice the share at which libm goes on.
    let known = (size < LIMIT) & ((n == 0.0) | (y.abs() >= size * (1.0 / 32_768.0)));
    let (sin, cos) = quarters(&reduced, sine_f64(&reduced, n == 0.0), cosine_f64(&reduced));
    let sin = if size < 1.0 / 67_108_864.0 { x } else { sin };
    if known { (sin, cos) } else { (f64::NAN, f64::NAN) }
}

/// (sin x, cos x), or NaN for both. All but the last rounding is of `f64`.
#[inline(always)]
pub(super) fn sin_cos_f32(x: f32) -> (f32, f32) {
    const fn edge(bits: u32) -> f64 {
        f32::from_bits(bits) as f64
    }
    const EDGES: [f64; 5] =
        [edge(0x3f49_0fdb), edge(0x4016_cbe4), edge(0x407b_53d2), edge(0x40af_ede0), edge(0x40e2_31d6)];
    const LIMIT: f64 = edge(0x4dc9_0fdb);
    let wide = f64::from(x);
    let n = multiple(wide, EDGES);
    let near = wide - n * std::f64::consts::FRAC_PI_2;
    let far = wide - n * 1.570_796_310_901_641_8 - n * 1.589_325_477_352_819_6e-8;
    let size = wide.abs();
    let reduced =
        Reduced { quadrant: (n + SHIFT).to_bits(), y: if size < EDGES[4] { near } else { far }, rest: 0.0 };
    let (sin, cos) = quarters(&reduced, sine_f32(reduced.y), cosine_f32(reduced.y));
    let sin = if size < 1.0 / 4096.0 { wide } else { sin };
    let known = size < LIMIT;
    if known { (sin as f32, cos as f32) } else { (f32::NAN, f32::NAN) }
}

/// (sin x, cos x) from those of the rest.
#[inline(always)]
fn quarters(reduced: &Reduced, sin: f64, cos: f64) -> (f64, f64) {
    const SIGN: u64 = 1 << 63;
    let quadrant = reduced.quadrant;
    let odd = quadrant & 1 != 0;
    let signed = |y: f64, quadrant: u64| f64::from_bits(y.to_bits() ^ (quadrant << 62 & SIGN));
    let (first, second) = if odd { (cos, sin) } else { (sin, cos) };
    (signed(first, quadrant), signed(second, quadrant.wrapping_add(1)))
}

#[inline(always)]
fn sine_f64(reduced: &Reduced, plain: bool) -> f64 {
    let Reduced { y, rest, .. } = *reduced;
    let first = -0.166_666_666_666_666_32;
    let z = y * y;
    let w = z * z;
    let r = 0.008_333_333_333_322_49
        + z * (-0.000_198_412_698_298_579_5 + z * 2.755_731_370_707_006_8e-6)
        + z * w * (-2.505_076_025_340_686_3e-8 + z * 1.589_690_995_211_55e-10);
    let v = z * y;
    let whole = y + v * (first + z * r);
    let both = y - ((z * (0.5 * rest - v * r) - rest) - v * first);
    if plain { whole } else { both }
}

#[inline(always)]
fn cosine_f64(reduced: &Reduced) -> f64 {
    let Reduced { y, rest, .. } = *reduced;
    let z = y * y;
    let w = z * z;
    let r = z * (0.041_666_666_666_666_6 + z * (-0.001_388_888_888_887_411 + z * 2.480_158_728_947_673e-5))
        + w * w
            * (-2.755_731_435_139_066_3e-7
                + z * (2.087_572_321_298_175e-9 + z * -1.135_964_755_778_819_5e-11));
    let half = 0.5 * z;
    let w = 1.0 - half;
    w + (((1.0 - w) - half) + (z * r - y * rest))
}

#[inline(always)]
fn sine_f32(y: f64) -> f64 {
    let z = y * y;
    let w = z * z;
    let r = -0.000_198_393_348_360_966_32 + z * 2.718_311_493_989_822e-6;
    let s = z * y;
    (y + s * (-0.166_666_666_416_265_24 + z * 0.008_333_329_385_889_463)) + s * w * r
}

#[inline(always)]
fn cosine_f32(y: f64) -> f64 {
    let z = y * y;
    let w = z * z;
    let r = -0.001_388_676_377_460_993 + z * 2.439_044_879_627_741e-5;
    ((1.0 + z * -0.499_999_997_251_031) + w * 0.041_666_623_323_739_06) + (w * z) * r
}

/// Calls `each` with parts of `x`, one after the other: the start of a part, its sines and its cosines.
#[inline(always)]
pub(crate) fn sines_and_cosines<T: Float>(x: &[T], mut each: impl FnMut(usize, &[T], &[T])) {
    vectorize(
        x.len(),
        #[inline(always)]
        move || {
            let (mut sines, mut cosines) = ([T::ZERO; MANY], [T::ZERO; MANY]);
            for (part, x) in x.chunks(MANY).enumerate() {
                let (sines, cosines) = (&mut sines[..x.len()], &mut cosines[..x.len()]);
                for ((sin, cos), x) in sines.iter_mut().zip(&mut *cosines).zip(x) {
                    (*sin, *cos) = x.sin_cos_or_nan();
                }
                if any(sines, T::is_nan) {
                    ask_libm(x, sines, cosines);
                }
                each(part * MANY, sines, cosines);
            }
        },
    );
}

#[cold]
#[inline(never)]
fn ask_libm<T: Float>(x: &[T], sines: &mut [T], cosines: &mut [T]) {
    for ((sin, cos), x) in sines.iter_mut().zip(cosines).zip(x) {
        if sin.is_nan() {
            (*sin, *cos) = (x.sin(), x.cos());
        }
    }
}
