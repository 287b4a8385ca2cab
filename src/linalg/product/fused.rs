//! a·b + c rounded once, where the CPU cannot.
//!
//! Boldo and Melquiond, "Emulation of FMA and Correctly Rounded Sums: Proved Algorithms Using Rounding to Odd" (IEEE
//! Transactions on Computers 57, 2008): what is rounded to odd in more digits is rounded right in fewer.

use crate::Float;

/// Numbers that can be multiplied and added in one rounding.
pub trait Fused: Float {
    /// self·b + c, rounded once.
    fn fused(self, b: Self, c: Self) -> Self;
}

/// Whether the compiler has an instruction for it; Miri knows it as well.
const NATIVE: bool = cfg!(any(miri, target_feature = "fma", target_arch = "aarch64"));

impl Fused for f32 {
    #[inline(always)]
    fn fused(self, b: f32, c: f32) -> f32 {
        if NATIVE {
            return self.mul_add(b, c);
        }
        // The product is exact in 53 digits, and only the sum is rounded: to odd, so that 24 digits of it are right.
        sum_to_odd(f64::from(self) * f64::from(b), f64::from(c)) as f32
    }
}

impl Fused for f64 {
    #[inline(always)]
    fn fused(self, b: f64, c: f64) -> f64 {
        if NATIVE {
            return self.mul_add(b, c);
        }
        let product = self * b;
        // Beyond these the exact parts of a product may leave the range.
        let within = |x: f64| (1e-140..1e140).contains(&x.abs());
        if !(within(self) && within(b) && within(product) && (c == 0.0 || within(c))) {
            return libm::fma(self, b, c);
        }
        let rest = rest_of_product(self, b, product);
        let (high, low) = two_sum(c, rest);
        let (sum, error) = two_sum(product, high);
        sum + sum_to_odd(error, low)
    }
}

/// x + y rounded to odd: an inexact sum ends in 1.
#[inline(always)]
fn sum_to_odd(x: f64, y: f64) -> f64 {
    let (sum, error) = two_sum(x, y);
    // An infinite sum has an error that is NaN, which is neither.
    let is_even = sum.to_bits() & 1 == 0;
    if is_even && error != 0.0 && !error.is_nan() {
        // Towards the error: away from zero where both have one sign.
        let away = (error > 0.0) == (sum > 0.0);
        let bits = sum.to_bits();
        return f64::from_bits(if away { bits + 1 } else { bits - 1 });
    }
    sum
}

/// The sum, and what rounding took from it (Knuth).
#[inline(always)]
fn two_sum(x: f64, y: f64) -> (f64, f64) {
    let sum = x + y;
    let y_of = sum - x;
    (sum, (x - (sum - y_of)) + (y - y_of))
}

/// What rounding took from a product (Dekker, with Veltkamp's halves).
#[inline(always)]
fn rest_of_product(a: f64, b: f64, product: f64) -> f64 {
    let halves = |x: f64| {
        let scaled = 134_217_729.0 * x;
        let high = scaled - (scaled - x);
        (high, x - high)
    };
    let ((a, a_low), (b, b_low)) = (halves(a), halves(b));
    a_low * b_low - (((product - a * b) - a_low * b) - a * b_low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use rand::Rng;

    /// Numbers of all sizes, with few digits and with many, and what cancels.
    #[test]
    #[cfg_attr(miri, ignore = "the interpreter has the instruction")]
    fn rounded_once() {
        let mut rng = stream(1, Purpose::Data);
        let mut special =
            [0.0, -0.0, 1.0, -1.5, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::INFINITY, f64::NAN]
                .into_iter()
                .cycle();
        for i in 0..100_000 {
            let mut draw = |spread: i32| {
                let bits = rng.next_u64();
                let mask = if i % 3 == 0 { u64::MAX << 40 } else { u64::MAX };
                let digits = f64::from_bits(0x3FF0_0000_0000_0000 | (bits >> 12 & mask));
                let exponent = (rng.next_u32() as i32).rem_euclid(2 * spread + 1) - spread;
                digits * 2f64.powi(exponent) * if bits & 1 == 0 { 1.0 } else { -1.0 }
            };
            let spread = [3, 60, 400, 1000][i % 4];
            let (a, b, mut c) = (draw(spread), draw(spread), draw(spread));
            match i % 5 {
                0 => c = -(a * b),
                1 => c = -(a * b) * (1.0 + f64::EPSILON),
                2 if i % 10 == 2 => c = special.next().unwrap(),
                _ => (),
            }
            check(a, b, c);
            check(b, special.next().unwrap(), c);
        }
    }

    /// Zeros with their signs, what underflows, and what is not finite, all with each other.
    #[test]
    #[cfg_attr(miri, ignore = "the interpreter has the instruction")]
    fn special_numbers() {
        let some = [0.0, -0.0, 1.0, -1.5, 1e-160, -1e-160, f64::MIN_POSITIVE, 5e-324, f64::MAX];
        let all = || some.into_iter().chain([f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-30, -1e-42]);
        for a in all() {
            for (b, c) in all().flat_map(|b| all().map(move |c| (b, c))) {
                check(a, b, c);
            }
        }
    }

    /// Both types against the instruction.
    fn check(a: f64, b: f64, c: f64) {
        let (found, right) = (a.fused(b, c), a.mul_add(b, c));
        assert!(same(found, right), "{a:e}·{b:e} + {c:e}: {found:e} and not {right:e}");
        let (a, b, c) = (a as f32, b as f32, c as f32);
        let (found, right) = (a.fused(b, c), a.mul_add(b, c));
        assert!(same(f64::from(found), f64::from(right)), "{a:e}·{b:e} + {c:e}: {found:e} and not {right:e}");
    }

    fn same(x: f64, y: f64) -> bool {
        x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan()
    }
}
