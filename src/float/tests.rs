//! The kernels against references, point by point, and against themselves in vector code.

use std::f64::consts::LN_2;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Float;
use super::reference::{self, Scaled};
use crate::linalg::simd::vectorize;

/// A function, what it is measured by, and the error it is allowed, in units in the last place.
struct Kernel {
    name: &'static str,
    single: fn(f32) -> f32,
    double: fn(f64) -> f64,
    /// By another author, and close to the last digit: what `f32` is measured by.
    libm: fn(f64) -> f64,
    reference: fn(f64) -> Scaled,
    allowed: [f64; 2],
    /// Where the `f64` function is neither 0, ±∞, NaN, nor ±1 for good.
    domain: [f64; 2],
}

/// The rounding of x/√2 is taken out again: the bell multiplies it by x.
fn normal_cdf_by_libm(x: f64) -> f64 {
    let a = -x * std::f64::consts::FRAC_1_SQRT_2;
    let rest = (-x).mul_add(std::f64::consts::FRAC_1_SQRT_2, -a) + x * 4.833_646_656_726_457e-17;
    0.5 * (libm::erfc(a) - std::f64::consts::FRAC_2_SQRT_PI * libm::exp(-a * a) * rest)
}

fn normal_pdf_by_libm(x: f64) -> f64 {
    let square = x * x;
    let rest = if square < f64::INFINITY { x.mul_add(x, -square) } else { 0.0 };
    let bell = libm::exp(-0.5 * square);
    0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2 * (bell - 0.5 * rest * bell)
}

const KERNELS: [Kernel; 10] = [
    Kernel {
        name: "erfc",
        single: Float::erfc,
        double: Float::erfc,
        libm: libm::erfc,
        reference: reference::erfc,
        allowed: [2.0, 2.0],
        domain: [-6.0, 27.3],
    },
    Kernel {
        name: "normal_cdf",
        single: Float::normal_cdf,
        double: Float::normal_cdf,
        libm: normal_cdf_by_libm,
        reference: reference::normal_cdf,
        allowed: [2.0, 2.0],
        domain: [-38.6, 8.3],
    },
    Kernel {
        name: "normal_pdf",
        single: Float::normal_pdf,
        double: Float::normal_pdf,
        libm: normal_pdf_by_libm,
        reference: reference::normal_pdf,
        allowed: [2.0, 2.0],
        domain: [-38.7, 38.7],
    },
    Kernel {
        name: "exp",
        single: Float::exp,
        double: Float::exp,
        libm: libm::exp,
        reference: reference::exp,
        allowed: [1.0, 1.0],
        domain: [-745.2, 709.78],
    },
    Kernel {
        name: "exp_m1",
        single: Float::exp_m1,
        double: Float::exp_m1,
        libm: libm::expm1,
        reference: reference::exp_m1,
        allowed: [2.0, 2.0],
        domain: [-60.0, 709.78],
    },
    Kernel {
        name: "sigmoid",
        single: Float::sigmoid,
        double: Float::sigmoid,
        // As the kernel: the other way round it ends at −709.
        libm: |x| {
            let e = libm::exp(-x.abs());
            if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
        },
        reference: reference::sigmoid,
        allowed: [2.0, 2.0],
        domain: [-745.0, 745.0],
    },
    Kernel {
        name: "softplus",
        single: Float::softplus,
        double: Float::softplus,
        libm: |x| x.max(0.0) + libm::log1p(libm::exp(-x.abs())),
        reference: reference::softplus,
        allowed: [2.0, 2.0],
        domain: [-745.0, f64::MAX],
    },
    Kernel {
        name: "tanh",
        single: Float::tanh,
        double: Float::tanh,
        libm: libm::tanh,
        reference: reference::tanh,
        allowed: [2.0, 2.0],
        domain: [-50.0, 50.0],
    },
    Kernel {
        name: "ln",
        single: Float::ln,
        double: Float::ln,
        libm: libm::log,
        reference: reference::ln,
        allowed: [2.0, 2.0],
        domain: [f64::MIN_POSITIVE / 1e15, f64::MAX],
    },
    Kernel {
        name: "ln_1p",
        single: Float::ln_1p,
        double: Float::ln_1p,
        libm: libm::log1p,
        reference: reference::ln_1p,
        allowed: [2.0, 2.0],
        domain: [-1.0 + f64::EPSILON / 2.0, f64::MAX],
    },
];

/// |y − exact| in units in the last place of `exact`.
fn error_f64(y: f64, (exact, n): Scaled) -> f64 {
    let top = reference::scale(exact.0, n).abs();
    if top < 2.0 * f64::MIN_POSITIVE && n < 0 {
        // Scaled up, where nothing is subnormal.
        let ulp = reference::scale(f64::from_bits(1), -n);
        return ((reference::scale(y, -n) - exact.0) - exact.1).abs() / ulp;
    }
    let ulp = f64::from_bits(top.to_bits() + 1) - top;
    // Exact for neighbours; far ones are wrong anyway.
    ((y - reference::scale(exact.0, n)) - reference::scale(exact.1, n)).abs() / ulp
}

fn error_f32(y: f32, exact: f64) -> f64 {
    let top = (exact as f32).abs();
    if top.is_infinite() || y.is_infinite() || exact.is_nan() {
        return if y == exact as f32 || (y.is_nan() && exact.is_nan()) { 0.0 } else { f64::INFINITY };
    }
    let ulp = f64::from(f32::from_bits(top.to_bits() + 1)) - f64::from(top);
    let ulp = if ulp.is_finite() { ulp } else { libm::exp2(104.0) };
    (f64::from(y) - exact).abs() / ulp
}

/// Some 8·`even` numbers, evenly and at random over [a, b], of every magnitude in it, and the neighbours
/// of `near`.
fn samples([a, b]: [f64; 2], near: &[f64], even: usize) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (low, high) = (a.max(-800.0), b.min(800.0));
    let mut x: Vec<f64> = (0..=even).map(|i| low + (high - low) * (i as f64 / even as f64)).collect();
    x.extend((0..even).map(|i| -3.0 + 6.0 * (i as f64 + 0.3) / even as f64));
    x.extend((0..3 * even).map(|_| f64::from_bits(rng.next_u64())));
    // Magnitudes from 2⁻⁶⁴ to 2⁶⁴ again, since few random bits fall there.
    x.extend(
        (0..3 * even)
            .map(|_| f64::from_bits((rng.next_u64() & !(0x7ff << 52)) | (rng.next_u64() % 128 + 959) << 52)),
    );
    for near in near {
        for step in 0..200 {
            x.extend(
                [near.to_bits().wrapping_add(step), near.to_bits().wrapping_sub(step)].map(f64::from_bits),
            );
        }
    }
    x.retain(|x| (a..=b).contains(x));
    x
}

/// Where a kernel changes what it does.
fn seams() -> Vec<f64> {
    let mut near =
        vec![0.0, -0.0, 1.0, -1.0, f64::MIN_POSITIVE, f64::EPSILON, -708.4, -745.13, 709.782, 19.06, 36.7];
    near.extend([0.5f64, 2.0].map(f64::sqrt));
    near.extend([26.54, -5.9, -8.2, 38.4, -38.4, 4.0, 3.0, 10.06, 14.2, -14.2]);
    near.extend([0.5f64, 2.0].map(|x| x.sqrt() - 1.0));
    // The halves of ln 2, where the whole number steps.
    near.extend((-20..20).map(|i| (f64::from(i) + 0.5) * LN_2));
    near.extend((-20..20).map(|i| (f64::from(i) + 0.5) * 0.5 * LN_2));
    near
}

const EVEN: usize = 60_000;

fn errors_of_f64(even: usize) {
    for k in &KERNELS {
        let mut worst = (0.0, 0.0);
        for x in samples(k.domain, &seams(), even) {
            let error = error_f64((k.double)(x), (k.reference)(x));
            if error > worst.0 || error.is_nan() {
                worst = (error, x);
            }
        }
        println!("f64 {:10} {:.3} ulp at {:e}", k.name, worst.0, worst.1);
        assert!(worst.0 <= k.allowed[1], "{}({:e}) is {} ulp off", k.name, worst.1, worst.0);
    }
}

#[test]
fn errors_of_f64_at_some_arguments() {
    errors_of_f64(EVEN);
}

#[test]
#[ignore = "takes minutes"]
fn errors_of_f64_at_many_arguments() {
    errors_of_f64(50 * EVEN);
}

#[test]
fn references_agree_with_libm() {
    for k in &KERNELS {
        for x in samples(k.domain, &seams(), EVEN) {
            let error = error_f64((k.libm)(x), (k.reference)(x));
            // The sigmoid has two roundings more.
            assert!(error < 3.0, "{}({x:e}): {error}", k.name);
        }
    }
}

#[test]
fn errors_of_f32_at_some_arguments() {
    for k in &KERNELS {
        let mut worst = (0.0, 0.0);
        for bits in (0..=u32::MAX).step_by(4099) {
            let x = f32::from_bits(bits);
            let error = error_f32((k.single)(x), (k.libm)(x.into()));
            if error > worst.0 || error.is_nan() {
                worst = (error, x);
            }
        }
        println!("f32 {:10} {:.3} ulp at {:e}", k.name, worst.0, worst.1);
        assert!(worst.0 <= k.allowed[0], "{}({:e}) is {} ulp off", k.name, worst.1, worst.0);
    }
}

/// The largest error over all 2³² arguments. Measured by the `f64` function, whose own errors are some
/// 2⁻²⁸ of a unit, and which takes a tenth of the time that others take.
fn error_everywhere(single: impl Fn(f32) -> f32, double: impl Fn(f64) -> f64) -> (f64, f32) {
    const BLOCK: usize = 1 << 12;
    let mut worst = (0.0, 0.0);
    let (mut x, mut y, mut exact) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    for start in (0..=u32::MAX).step_by(BLOCK) {
        vectorize(
            BLOCK,
            #[inline(always)]
            || {
                for (i, x) in x.iter_mut().enumerate() {
                    *x = f32::from_bits(start + i as u32);
                }
                y.iter_mut().zip(&x).for_each(|(y, x)| *y = single(*x));
                exact.iter_mut().zip(&x).for_each(|(y, x)| *y = double(f64::from(*x)));
            },
        );
        for i in 0..BLOCK {
            let error = error_f32(y[i], exact[i]);
            if error > worst.0 || error.is_nan() {
                worst = (error, x[i]);
            }
        }
    }
    worst
}

/// For each of the functions, as closures that are compiled anew for the CPU.
macro_rules! check_everywhere {
    ($($f:ident)*) => {
        $({
            let (error, x) =
                error_everywhere(#[inline(always)] |x| Float::$f(x), #[inline(always)] |x| Float::$f(x));
            println!("f32 {:10} {error:.3} ulp at {x:e}", stringify!($f));
            let k = KERNELS.iter().find(|k| k.name == stringify!($f)).unwrap();
            assert!(error <= k.allowed[0], "{}({x:e}) is {error} ulp off", k.name);
        })*
    };
}

#[test]
#[ignore = "takes minutes"]
fn errors_of_f32_at_all_arguments() {
    check_everywhere!(exp exp_m1 sigmoid softplus tanh ln ln_1p erfc normal_cdf normal_pdf);
}

/// The same bits, or NaN for NaN, whose bits are nobody's business.
fn same<T: Float>(a: T, b: T) -> bool {
    (a.is_nan() && b.is_nan()) || (a == b && (T::ONE / a == T::ONE / b))
}

#[track_caller]
fn check_vectors<T: Float>(x: &[T], f: impl Fn(T) -> T + Copy, scalar: fn(T) -> T) {
    let check = |y: &[T], what| {
        for (x, y) in x.iter().zip(y) {
            let alone = std::hint::black_box(scalar)(*x);
            assert!(same(alone, *y), "{x:e}: {alone:e} alone, {y:e} in {what}");
        }
    };
    let mut y = vec![T::ZERO; x.len()];
    let fill = |y: &mut [T]| y.iter_mut().zip(x).for_each(|(y, x)| *y = f(*x));
    vectorize(
        x.len(),
        #[inline(always)]
        || fill(&mut y),
    );
    check(&y, "vectors");
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! check_those_of {
            ($vectors:ident) => {
                if let Some(vectors) = pulp::x86::$vectors::try_new() {
                    y.fill(T::ZERO);
                    vectors.vectorize(
                        #[inline(always)]
                        || fill(&mut y),
                    );
                    check(&y, stringify!($vectors));
                }
            };
        }
        // AVX2, and AVX-512.
        check_those_of!(V3);
        check_those_of!(V4);
    }
}

/// For each of the functions, as a closure that is compiled anew for the CPU.
macro_rules! check_all {
    ($x:expr, $($f:ident)*) => {
        $(check_vectors($x, #[inline(always)] |x| Float::$f(x), Float::$f);)*
    };
}

#[test]
fn vectors_give_the_same_bits() {
    let mut x = samples([-f64::INFINITY, f64::INFINITY], &seams(), EVEN);
    x.extend([f64::NAN, f64::INFINITY, -f64::INFINITY]);
    check_all!(&x, exp exp_m1 sigmoid softplus tanh ln ln_1p erfc normal_cdf normal_pdf);
    let x: Vec<f32> = (0..=u32::MAX).step_by(8209).map(f32::from_bits).collect();
    check_all!(&x, exp exp_m1 sigmoid softplus tanh ln ln_1p erfc normal_cdf normal_pdf);
}

/// eˣ of numbers below zero, in its own form, has the bits of the other one.
#[test]
fn an_exponential_below_zero_is_the_same() {
    fn check<T: Float>(x: impl Iterator<Item = T>) {
        let x: Vec<T> = x.filter(|x| *x <= T::ZERO || x.is_nan()).collect();
        assert!(x.len() > 100_000);
        check_vectors(
            &x,
            #[inline(always)]
            |x| x.exp_below_zero(),
            T::exp,
        );
    }
    check((0..=u32::MAX).step_by(8209).map(f32::from_bits));
    check(samples([-f64::INFINITY, 0.0], &seams(), EVEN).into_iter().chain([f64::NAN, -f64::INFINITY]));
}

/// Against the division, for sums of exponentials: the last digit at most, and seldom.
#[test]
fn many_quotients_by_one_number() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut other, n) = (0, 100_000);
    for _ in 0..n {
        let unit = |bits: u64| (bits >> 11) as f64 / (1u64 << 53) as f64;
        let (a, by) = (unit(rng.next_u64()), 1.0 + 1000.0 * unit(rng.next_u64()));
        let (found, right) = (a.over(by, 1.0 / by), a / by);
        assert!(found.to_bits().abs_diff(right.to_bits()) <= 1, "{a}/{by} is {found}, not {right}");
        let (a, by) = (a as f32, by as f32);
        let (found, right) = (a.over(by, 1.0 / by), a / by);
        assert!(found.to_bits().abs_diff(right.to_bits()) <= 1, "{a}/{by} is {found}, not {right}");
        other += usize::from(found != right);
    }
    assert!(other < n / 1000, "{other} of {n} differ");
    assert_eq!((0.0.over(3.0, 1.0 / 3.0), 3.0.over(3.0, 1.0 / 3.0)), (0.0, 1.0));
    assert!(f64::NAN.over(3.0, 1.0 / 3.0).is_nan() && 1.0.over(f64::NAN, f64::NAN).is_nan());
}

/// A function with arguments and what it must return for them, to the bit.
type Special<'a, T> = (&'a str, fn(T) -> T, &'a [(T, T)]);

fn specials<T: Float>(smallest: T, largest: T) {
    let (inf, nan, one, zero) = (T::INFINITY, T::NAN, T::ONE, T::ZERO);
    let cases: [Special<'_, T>; 10] = [
        (
            "erfc",
            Float::erfc,
            &[
                (zero, one),
                (-zero, one),
                (inf, zero),
                (-inf, T::of(2.0)),
                (largest, zero),
                (-largest, T::of(2.0)),
                (smallest, one),
            ],
        ),
        (
            "normal_cdf",
            Float::normal_cdf,
            &[
                (zero, T::of(0.5)),
                (-zero, T::of(0.5)),
                (inf, one),
                (-inf, zero),
                (largest, one),
                (-largest, zero),
                (smallest, T::of(0.5)),
            ],
        ),
        (
            "normal_pdf",
            Float::normal_pdf,
            &[
                (inf, zero),
                (-inf, zero),
                (largest, zero),
                (-largest, zero),
                (zero, T::of(0.398_942_280_401_432_7)),
            ],
        ),
        (
            "exp",
            Float::exp,
            &[
                (zero, one),
                (-zero, one),
                (inf, inf),
                (-inf, zero),
                (largest, inf),
                (-largest, zero),
                (smallest, one),
            ],
        ),
        (
            "exp_m1",
            Float::exp_m1,
            &[
                (zero, zero),
                (-zero, -zero),
                (inf, inf),
                (-inf, -one),
                (largest, inf),
                (-largest, -one),
                (smallest, smallest),
                (-smallest, -smallest),
            ],
        ),
        (
            "sigmoid",
            Float::sigmoid,
            &[(zero, T::of(0.5)), (inf, one), (-inf, zero), (largest, one), (-largest, zero)],
        ),
        (
            "softplus",
            Float::softplus,
            &[(inf, inf), (-inf, zero), (largest, largest), (-largest, zero), (zero, T::of(LN_2))],
        ),
        (
            "tanh",
            Float::tanh,
            &[
                (zero, zero),
                (-zero, -zero),
                (inf, one),
                (-inf, -one),
                (largest, one),
                (-largest, -one),
                (smallest, smallest),
                (-smallest, -smallest),
            ],
        ),
        (
            "ln",
            Float::ln,
            &[
                (one, zero),
                (zero, -inf),
                (-zero, -inf),
                (inf, inf),
                (-inf, nan),
                (-one, nan),
                (-smallest, nan),
                (-largest, nan),
            ],
        ),
        (
            "ln_1p",
            Float::ln_1p,
            &[
                (zero, zero),
                (-zero, -zero),
                (-one, -inf),
                (inf, inf),
                (-inf, nan),
                (-one - T::EPSILON, nan),
                (-largest, nan),
                (smallest, smallest),
                (-smallest, -smallest),
            ],
        ),
    ];
    for (name, f, points) in cases {
        assert!(f(nan).is_nan(), "{name}");
        for &(x, y) in points {
            assert!(same(f(x), y), "{} {name}({x:e}) is {:e}, not {y:e}", T::NAME, f(x));
        }
    }
}

#[test]
fn special_arguments() {
    specials(f32::from_bits(1), f32::MAX);
    specials(f64::from_bits(1), f64::MAX);
}

/// All angles in parts, as [`sines_and_cosines`] gives them, against the single calls; how many it does not know.
fn check_circular<T: Float>(x: &[T]) -> usize {
    let mut seen = 0;
    super::sines_and_cosines(x, |start, sines, cosines| {
        assert_eq!(start, seen);
        for ((x, sin), cos) in x[start..].iter().zip(sines).zip(cosines) {
            assert!(same(x.sin(), *sin), "sin {x:e} is {:e}, {sin:e} in vectors", x.sin());
            assert!(same(x.cos(), *cos), "cos {x:e} is {:e}, {cos:e} in vectors", x.cos());
        }
        seen += sines.len();
    });
    assert_eq!(seen, x.len());
    check_vectors(
        x,
        #[inline(always)]
        |x| x.sin_cos_or_nan().0,
        |x| x.sin_cos_or_nan().0,
    );
    check_vectors(
        x,
        #[inline(always)]
        |x| x.sin_cos_or_nan().1,
        |x| x.sin_cos_or_nan().1,
    );
    x.iter().filter(|x| x.sin_cos_or_nan().0.is_nan()).count()
}

/// Angles up to 2²¹·π/2, the multiples of π/4 and the numbers next to them, and where `libm` branches.
#[test]
fn many_angles_at_once_have_the_bits_of_one() {
    let mut near = seams();
    near.extend((-2000..=2000).map(|i| f64::from(i) * std::f64::consts::FRAC_PI_4));
    let edges =
        [0x3fe921fb, 0x3e500000, 0x3e46a09e, 0x4002d97c, 0x400f6a7a, 0x4015fdbc, 0x401c463b, 0x413921fb];
    near.extend(edges.iter().flat_map(|high: &u64| {
        let low = f64::from_bits(high << 32);
        let high = f64::from_bits((high + 1) << 32);
        [low, -low, high, -high]
    }));
    let everywhere = [-f64::INFINITY, f64::INFINITY];
    let mut x = samples(everywhere, &near, EVEN);
    x.extend((0..EVEN).map(|i| (i as f64 / EVEN as f64 - 0.5) * 4e6));
    x.extend([f64::NAN, f64::INFINITY, -f64::INFINITY]);
    check_circular(&x);
    let up_to = |most: f64| (0..EVEN).map(move |i| (i as f64 / EVEN as f64 - 0.5) * 2.0 * most);
    // |x|/25,000 of the angles are left to libm: some 23 of these.
    let unknown = check_circular(&up_to(20.0).collect::<Vec<f64>>());
    assert!(unknown < 60, "{unknown}");

    let mut x: Vec<f32> = (0..=u32::MAX).step_by(4099).map(f32::from_bits).collect();
    for edge in [0x3f490fdau32, 0x39800000, 0x4016cbe3, 0x407b53d1, 0x40afeddf, 0x40e231d5, 0x4dc90fdb] {
        x.extend((edge - 300..edge + 300).flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)]));
    }
    x.extend(near.iter().map(|x| *x as f32));
    check_circular(&x);
    assert_eq!(check_circular(&up_to(1000.0).map(|x| x as f32).collect::<Vec<f32>>()), 0);
}

#[test]
#[ignore = "takes minutes"]
fn many_angles_at_once_have_the_bits_of_one_for_all_of_f32() {
    let mut x = vec![0.0; 1 << 16];
    for start in (0..=u32::MAX).step_by(x.len()) {
        x.iter_mut().enumerate().for_each(|(i, x)| *x = f32::from_bits(start + i as u32));
        super::sines_and_cosines(&x, |at, sines, cosines| {
            for ((x, sin), cos) in x[at..].iter().zip(sines).zip(cosines) {
                assert!(same(x.sin(), *sin) && same(x.cos(), *cos), "{x:e}: {sin:e} and {cos:e}");
            }
        });
    }
}
