//! The functions in double-double arithmetic, some 100 bits, to measure the kernels by. For tests.
//!
//! Dekker, "A floating-point technique for extending the available precision", 1971. Range reduction as
//! in the kernels, but a Taylor series and repeated squaring in place of their polynomials.

use std::ops::{Add, Div, Mul, Neg};

/// The unevaluated sum of two numbers, the second below half a unit in the last place of the first.
#[derive(Clone, Copy, Debug)]
pub struct Double(pub f64, pub f64);

/// a + b, exactly (Knuth).
fn two_sum(a: f64, b: f64) -> Double {
    let s = a + b;
    let back = s - a;
    Double(s, (a - (s - back)) + (b - back))
}

impl Add for Double {
    type Output = Double;
    fn add(self, other: Double) -> Double {
        let (s, t) = (two_sum(self.0, other.0), two_sum(self.1, other.1));
        let s = two_sum(s.0, s.1 + t.0);
        two_sum(s.0, s.1 + t.1)
    }
}

impl Mul for Double {
    type Output = Double;
    fn mul(self, other: Double) -> Double {
        let p = self.0 * other.0;
        let e = self.0.mul_add(other.0, -p);
        two_sum(p, e + (self.0 * other.1 + self.1 * other.0))
    }
}

impl Div for Double {
    type Output = Double;
    fn div(self, other: Double) -> Double {
        let first = Double(self.0 / other.0, 0.0);
        let rest = self + -(first * other);
        let second = Double(rest.0 / other.0, 0.0);
        let rest = rest + -(second * other);
        first + second + Double(rest.0 / other.0, 0.0)
    }
}

impl Neg for Double {
    type Output = Double;
    fn neg(self) -> Double {
        Double(-self.0, -self.1)
    }
}

const ONE: Double = Double(1.0, 0.0);
const LN_2: Double = Double(std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17);

/// x·2ⁿ, exact where the result is normal.
pub fn scale(x: f64, n: i32) -> f64 {
    let power = |n: i32| f64::from_bits(((n + 1023) as u64) << 52);
    x * power(n / 2) * power(n - n / 2)
}

impl Double {
    fn scale(self, n: i32) -> Double {
        Double(scale(self.0, n), scale(self.1, n))
    }
}

/// (m, n) with eˣ = 2ⁿ·(1 + m), and m to its own last digit.
fn reduced_exp(x: f64) -> (Double, i32) {
    if x.abs() < 1e-60 {
        return (Double(x, 0.0), 0);
    }
    let n = (x / std::f64::consts::LN_2).round();
    // A quarter of 1/64 at most, so that twelve terms do.
    let r = (Double(x, 0.0) + -(Double(n, 0.0) * LN_2)).scale(-6);
    let mut m = ONE;
    for k in (2..14).rev() {
        m = ONE + m * r / Double(f64::from(k), 0.0);
    }
    m = m * r;
    for _ in 0..6 {
        m = m + m + m * m;
    }
    (m, n as i32)
}

/// A value v·2ⁿ, whose exponent may be out of range.
pub type Scaled = (Double, i32);

pub fn exp(x: f64) -> Scaled {
    let (m, n) = reduced_exp(x);
    (ONE + m, n)
}

pub fn exp_m1(x: f64) -> Scaled {
    let (m, n) = reduced_exp(x);
    // The 1 is out of sight of the largest powers, and they of it.
    if n > 200 { (ONE + m, n) } else { (m.scale(n) + two_sum(scale(1.0, n), -1.0), 0) }
}

pub fn sigmoid(x: f64) -> Scaled {
    let (e, n) = exp(-x.abs());
    if x >= 0.0 {
        (ONE / (ONE + e.scale(n.max(-200))), 0)
    } else if n < -200 {
        (e, n)
    } else {
        (e.scale(n) / (ONE + e.scale(n)), 0)
    }
}

pub fn tanh(x: f64) -> Scaled {
    let (m, _) = exp_m1((2.0 * x.abs()).min(100.0));
    let t = m / (m + Double(2.0, 0.0));
    (if x < 0.0 { -t } else { t }, 0)
}

pub fn ln(x: f64) -> Scaled {
    (newton(Double(x, 0.0), libm::log(x)), 0)
}

pub fn ln_1p(x: f64) -> Scaled {
    (newton(two_sum(1.0, x), libm::log1p(x)), 0)
}

pub fn softplus(x: f64) -> Scaled {
    if x > 700.0 {
        return (Double(x, 0.0), 0);
    }
    let (e, n) = exp(-x.abs());
    if n < -30 {
        // ln(1 + e) = e·(1 − e/2 + e²/3), with e below 2⁻³⁰.
        let small = e.scale(n.max(-200));
        let y = e * (ONE + small * (Double(-0.5, 0.0) + small / Double(3.0, 0.0)));
        return if x < 0.0 { (y, n) } else { (Double(x, 0.0) + y.scale(n.max(-900)), 0) };
    }
    let e = e.scale(n);
    (Double(x.max(0.0), 0.0) + newton(ONE + e, libm::log1p(e.0)), 0)
}

const SQRT_HALF: Double = Double(std::f64::consts::FRAC_1_SQRT_2, -4.833_646_656_726_457e-17);
const TWO_OVER_SQRT_PI: Double = Double(std::f64::consts::FRAC_2_SQRT_PI, 1.533_545_961_316_588e-17);

pub fn erfc(x: f64) -> Scaled {
    complement(Double(x, 0.0))
}

pub fn normal_cdf(x: f64) -> Scaled {
    let (y, n) = complement(Double(-x, 0.0) * SQRT_HALF);
    (y, n - 1)
}

pub fn normal_pdf(x: f64) -> Scaled {
    let (y, n) = bell(Double(x, 0.0) * SQRT_HALF);
    (y * TWO_OVER_SQRT_PI * SQRT_HALF, n - 1)
}

/// e^(−a²).
fn bell(a: Double) -> Scaled {
    let square = a * a;
    let (y, n) = exp(-square.0);
    (y * (ONE + Double(-square.1, 0.0)), n)
}

/// 1 − erf(a), by the series of the error function near 0, all of whose terms are positive, and by the
/// continued fraction of Laplace farther out.
fn complement(a: Double) -> Scaled {
    let magnitude = if a.0 < 0.0 { -a } else { a };
    let square = magnitude * magnitude;
    if magnitude.0 < 4.0 {
        // erf(a) = 2/√π·e^(−a²)·Σ (2a²)ᵏ·a/(1·3·…·(2k + 1))
        let (mut term, mut sum) = (magnitude, magnitude);
        for k in 1..160 {
            term = term * (square + square) / Double(f64::from(2 * k + 1), 0.0);
            sum = sum + term;
            if term.0 < 1e-33 * sum.0 {
                break;
            }
        }
        let (bell, n) = bell(magnitude);
        let erf = TWO_OVER_SQRT_PI * bell.scale(n) * sum;
        return (ONE + if a.0 < 0.0 { erf } else { -erf }, 0);
    }
    // √π·e^(a²)·erfc(a) = 1/(a + ½/(a + 1/(a + 3/2/(a + …))))
    let mut tail = magnitude;
    for k in (1..80).rev() {
        tail = magnitude + Double(0.5 * f64::from(k), 0.0) / tail;
    }
    let (bell, n) = bell(magnitude);
    let y = bell * TWO_OVER_SQRT_PI * Double(0.5, 0.0) / tail;
    if a.0 < 0.0 { (Double(2.0, 0.0) + -y.scale(n.max(-300)), 0) } else { (y, n) }
}

/// ln a from an approximation y: y + ln(1 + d) with d = a·e⁻ʸ − 1.
fn newton(a: Double, y: f64) -> Double {
    let (m, n) = reduced_exp(-y);
    let a = a.scale(n);
    let d = (a + -ONE) + a * m;
    Double(y, 0.0) + d + -(d * d * Double(0.5, 0.0))
}
