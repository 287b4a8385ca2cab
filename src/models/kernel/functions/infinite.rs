//! Fully-connected networks of infinite width, and the recursion that their kernels come from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::KernelSettings;
use crate::linalg::simd::{any, vectorize};
use crate::settings::{Range, check};
use crate::{Error, Float, Result};

/// The activation φ of an infinite network: one whose Gaussian expectations have a closed form.
///
/// With u and v of mean 0, variances a and b and covariance c:
///
/// | φ | E φ(u)φ(v) | E φ'(u)φ'(v) |
/// |---|---|---|
/// | relu | (s + (π − θ)·c)/2π | (π − θ)/2π |
/// | erf | 2/π·arcsin(2c/√((1+2a)(1+2b))) | 4/π/√((1+2a)(1+2b) − 4c²) |
///
/// with s = √(ab − c²) and θ the angle of the point (c, s): the arc-cosine kernels of degree 1 and 0 (Cho
/// and Saul, "Kernel methods for deep learning", 2009), and those of Williams, "Computing with infinite
/// networks" (1997).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nonlinearity {
    /// max(x, 0).
    Relu,
    /// The error function.
    Erf,
}

impl Nonlinearity {
    /// All of them with their names.
    pub const TABLE: [(Nonlinearity, &str); 2] = [(Nonlinearity::Relu, "relu"), (Nonlinearity::Erf, "erf")];
}

/// The name: `relu` or `erf`.
impl fmt::Display for Nonlinearity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::TABLE[*self as usize].1)
    }
}

/// The inverse of `Display`.
impl FromStr for Nonlinearity {
    type Err = Error;

    fn from_str(s: &str) -> Result<Nonlinearity> {
        Self::TABLE
            .iter()
            .find(|(_, name)| *name == s)
            .map(|(nonlinearity, _)| *nonlinearity)
            .ok_or_else(|| Error::setting("nonlinearity", format!("there is no `{s}`; there are relu, erf")))
    }
}

/// A fully-connected network of infinite width, its weights and biases drawn from N(0, 1).
///
/// In the parametrisation of Jacot et al., "Neural tangent kernel" (2018), a layer of n inputs is
/// z = σ_w/√n·W·φ(h) + σ_b·b, so that its kernels have a limit; the first is z = √γ·W·x + σ_b·b. The kernels
/// are, from K₀ = Θ₀ = γ⟨x, y⟩ + σ_b² on, one step for each of the hidden layers,
///
/// Kₗ₊₁ = σ_w²·E φ(u)φ(v) + σ_b², Θₗ₊₁ = Kₗ₊₁ + σ_w²·E φ'(u)φ'(v)·Θₗ, (u, v) ~ N(0, Kₗ).
///
/// K is the covariance of the outputs at initialization ([`Nngp`](super::Nngp)), Θ the kernel of training by
/// gradient descent ([`Ntk`](super::Ntk)): Lee et al., "Wide neural networks of any depth evolve as linear
/// models" (2019). For inputs of d features, γ = 1/d is the usual choice. For ReLU, σ_w² = 2 keeps the
/// variance from layer to layer; and without biases, γ is no more than a factor of both kernels.
///
/// A finite network of this kind is [`NtkMlp`](crate::models::ntk::NtkMlp).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InfiniteNetwork {
    depth: usize,
    nonlinearity: Nonlinearity,
    input_scale: f64,
    weight_variance: f64,
    bias_variance: f64,
}

/// More layers than any kernel is told apart by.
const MOST_LAYERS: usize = 1024;

impl InfiniteNetwork {
    /// As settings of a kernel.
    pub(super) fn settings(&self) -> KernelSettings {
        KernelSettings {
            gamma: self.input_scale,
            depth: self.depth,
            nonlinearity: self.nonlinearity,
            weight_variance: self.weight_variance,
            bias_variance: self.bias_variance,
            ..KernelSettings::default()
        }
    }

    /// With `depth` hidden layers, γ = `input_scale` > 0, σ_w² = 2 and σ_b² = 0.
    ///
    /// # Errors
    /// [`Error::Setting`] if the depth is not from 1 to 1024, or γ not finite and above 0.
    pub fn new(depth: usize, nonlinearity: Nonlinearity, input_scale: f64) -> Result<Self> {
        if depth == 0 || depth > MOST_LAYERS {
            let why = format!("{depth}: must be from 1 to {MOST_LAYERS} hidden layers");
            return Err(Error::setting("depth", why));
        }
        let input_scale = check::<f64>("gamma", input_scale, Range::POSITIVE)?;
        Ok(InfiniteNetwork { depth, nonlinearity, input_scale, weight_variance: 2.0, bias_variance: 0.0 })
    }

    /// With σ_w² > 0 and σ_b² ≥ 0.
    ///
    /// # Errors
    /// [`Error::Setting`] if one is outside its range or not finite.
    pub fn with_variances(self, weight_variance: f64, bias_variance: f64) -> Result<Self> {
        check::<f64>("bias_variance", bias_variance, Range::NOT_NEGATIVE)?;
        let weight_variance = check::<f64>("weight_variance", weight_variance, Range::POSITIVE)?;
        Ok(InfiniteNetwork { weight_variance, bias_variance, ..self })
    }

    /// An error if a setting is beyond `T`: not finite there, or 0 where it is not.
    ///
    /// # Errors
    /// [`Error::Setting`] with the setting, its value and the type.
    pub fn check<T: Float>(&self) -> Result<()> {
        check::<T>("gamma", self.input_scale, Range::POSITIVE)?;
        check::<T>("weight_variance", self.weight_variance, Range::POSITIVE)?;
        check::<T>("bias_variance", self.bias_variance, Range::NOT_NEGATIVE).map(drop)
    }

    /// Hidden layers.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// φ.
    pub fn nonlinearity(&self) -> Nonlinearity {
        self.nonlinearity
    }

    /// γ.
    pub fn input_scale(&self) -> f64 {
        self.input_scale
    }

    /// σ_w².
    pub fn weight_variance(&self) -> f64 {
        self.weight_variance
    }

    /// σ_b².
    pub fn bias_variance(&self) -> f64 {
        self.bias_variance
    }

    /// Replaces ⟨x, yⱼ⟩ by K, or by Θ.
    pub(super) fn apply<T: Float, const TANGENT: bool>(&self, values: &mut [T], x_norm: T, y_norms: &[T]) {
        // Products of two variances are taken. Where one may leave the range of the type, every pair is brought to
        // a scale of its own.
        let a = self.input_scale * x_norm.to_f64() + self.bias_variance;
        let outside = |least: f64, most: f64| {
            any(y_norms, |norm| {
                let b = self.input_scale * norm.to_f64() + self.bias_variance;
                b != 0.0 && !(least..most).contains(&b)
            })
        };
        let reach = reach::<T>();
        vectorize(
            values.len(),
            #[inline(always)]
            || match self.nonlinearity {
                Nonlinearity::Relu => {
                    // All of it is homogeneous in (a, b, c, σ_b²): with a near 1, only b can be far, and both
                    // can go far from layer to layer.
                    let exponent = if a > 0.0 { libm::ilogb(a).clamp(-reach, reach) } else { 0 };
                    let growth = (self.depth - 1) as f64 * libm::log2(0.5 * self.weight_variance).abs();
                    let room = f64::from(reach / 2) - growth;
                    if outside(
                        libm::ldexp(libm::exp2(-room), exponent),
                        libm::ldexp(libm::exp2(room), exponent),
                    ) {
                        self.layers::<T, TANGENT>(values, x_norm, y_norms, 0, relu_of_any_scale);
                    } else {
                        self.layers::<T, TANGENT>(values, x_norm, y_norms, exponent, relu);
                    }
                }
                Nonlinearity::Erf => {
                    let most = libm::scalbn(1.0, reach / 2);
                    if a.max(self.weight_variance + self.bias_variance) >= most || outside(0.0, most) {
                        self.layers::<T, TANGENT>(values, x_norm, y_norms, 0, erf_of_any_scale);
                    } else {
                        self.layers::<T, TANGENT>(values, x_norm, y_norms, 0, erf);
                    }
                }
            },
        );
    }

    /// All layers, for few pairs at a time: these stay in the nearest cache, and each layer is one loop that
    /// vectors can follow.
    #[inline(always)]
    fn layers<T: Float, const TANGENT: bool>(
        &self,
        values: &mut [T],
        x_norm: T,
        y_norms: &[T],
        exponent: i32,
        pair: impl Fn(T, T, T) -> Moments<T>,
    ) {
        // By a power of two smaller here, larger again at the end: no bit changes.
        let gamma = T::of(libm::scalbn(self.input_scale, -exponent));
        let bias = T::of(libm::scalbn(self.bias_variance, -exponent));
        let back = T::of(libm::scalbn(1.0, exponent));
        let weight = T::of(self.weight_variance);
        for (values, y_norms) in values.chunks_mut(PAIRS).zip(y_norms.chunks(PAIRS)) {
            let mut a = gamma * x_norm + bias;
            let (mut b, mut theta) = ([T::ZERO; PAIRS], [T::ZERO; PAIRS]);
            for ((v, norm), (b, theta)) in values.iter_mut().zip(y_norms).zip(b.iter_mut().zip(&mut theta)) {
                *b = gamma * *norm + bias;
                *v = gamma * *v + bias;
                *theta = *v;
            }
            for _ in 0..self.depth {
                for ((c, b), theta) in values.iter_mut().zip(&mut b).zip(&mut theta) {
                    let moments = pair(a, *b, *c);
                    *c = weight * moments.values + bias;
                    *b = weight * moments.variance + bias;
                    if TANGENT {
                        *theta = *c + weight * moments.slopes * *theta;
                    }
                }
                a = weight * pair(a, a, a).variance + bias;
            }
            if TANGENT {
                values.iter_mut().zip(&theta).for_each(|(v, theta)| *v = *theta);
            }
            values.iter_mut().for_each(|v| *v *= back);
        }
    }
}

/// Rounding errors of an inner product of some hundred numbers, and its norms, in units of ε.
const NOISE: f64 = 32.0;

/// The largest exponent e with 2ᵉ and 2⁻ᵉ in the range of `T`, and some room.
fn reach<T: Float>() -> i32 {
    if T::EPSILON.to_f64() > 1e-10 { 120 } else { 1000 }
}

/// Pairs that go through the layers together.
const PAIRS: usize = 64;

/// Expectations over (u, v) ~ N(0, [a c; c b]).
struct Moments<T> {
    /// E φ(u)φ(v).
    values: T,
    /// E φ(v)².
    variance: T,
    /// E φ'(u)φ'(v).
    slopes: T,
}

/// ab − c², and 0 where that is no more than rounding: kernels that fall like the angle from where it is 0
/// would take its root, tell equal rows apart, and hide that a matrix is singular.
#[inline(always)]
fn determinant<T: Float>(a: T, b: T, c: T) -> T {
    let product = a * b;
    let difference = product - c * c;
    if difference > T::of(NOISE) * T::EPSILON * product { difference } else { T::ZERO }
}

#[inline(always)]
fn relu<T: Float>(a: T, b: T, c: T) -> Moments<T> {
    let half = T::of(0.5);
    let s = determinant(a, b, c).sqrt();
    // (π − θ)/π, exactly 1 for equal inputs and 0 for opposite ones.
    let share = T::ONE - s.atan2_pi(c);
    let inv_pi = T::of(std::f64::consts::FRAC_1_PI);
    Moments { values: half * (s * inv_pi + share * c), variance: half * b, slopes: half * share }
}

/// The arcsine as the arctangent of 2c/√(1 + 2a + 2b + 4(ab − c²)): well-conditioned also near equal inputs
/// of large variance, and never outside its domain.
#[inline(always)]
fn erf<T: Float>(a: T, b: T, c: T) -> Moments<T> {
    let (two, four) = (T::of(2.0), T::of(4.0));
    let root = (T::ONE + two * (a + b) + four * determinant(a, b, c)).sqrt();
    let own = (T::ONE + four * b).sqrt();
    Moments {
        values: two * (two * c).atan2_pi(root),
        variance: two * (two * b).atan2_pi(own),
        slopes: T::of(4.0 * std::f64::consts::FRAC_1_PI) / root,
    }
}

/// A power of two r with v/r² about 1.
fn root_of_scale<T: Float>(v: T) -> T {
    let exponent = if v > T::ZERO && v.is_finite() { libm::ilogb(v.to_f64()) } else { 0 };
    T::of(libm::scalbn(1.0, exponent.div_euclid(2)))
}

/// [`relu`], where a·b may be out of range: of a/p², b/q² and c/pq.
fn relu_of_any_scale<T: Float>(a: T, b: T, c: T) -> Moments<T> {
    let (p, q) = (root_of_scale(a), root_of_scale(b));
    let moments = relu(a / p / p, b / q / q, c / p / q);
    Moments { values: moments.values * p * q, variance: T::of(0.5) * b, ..moments }
}

/// [`erf`], where a·b may be too large: with a/p², b/q² and c/pq, and 1/p² and 1/q² where it has a 1.
fn erf_of_any_scale<T: Float>(a: T, b: T, c: T) -> Moments<T> {
    let (two, four) = (T::of(2.0), T::of(4.0));
    let (p, q) = (root_of_scale(a).max(T::ONE), root_of_scale(b).max(T::ONE));
    let (one_a, one_b) = (T::ONE / p / p, T::ONE / q / q);
    let (a, b, c) = (a / p / p, b / q / q, c / p / q);
    let root = (one_a * one_b + two * (a * one_b + b * one_a) + four * determinant(a, b, c)).sqrt();
    let own = (one_b + four * b).sqrt();
    Moments {
        values: two * (two * c).atan2_pi(root),
        variance: two * (two * b * q).atan2_pi(own),
        slopes: T::of(4.0 * std::f64::consts::FRAC_1_PI) / root / p / q,
    }
}

/// The settings as they stand in a kernel's name.
impl fmt::Display for InfiniteNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InfiniteNetwork { depth, nonlinearity, input_scale, weight_variance, bias_variance } = self;
        write!(f, "{nonlinearity} depth={depth} γ={input_scale} σ_w²={weight_variance} σ_b²={bias_variance}")
    }
}
