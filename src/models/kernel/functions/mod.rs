//! The kernel functions: one file each, and one line in the table [`kernels`].

mod infinite;
mod laplacian;
mod linear;
mod matern32;
mod matern52;
mod nngp;
mod ntk;
mod polynomial;
mod rbf;

use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use infinite::{InfiniteNetwork, Nonlinearity};
pub use laplacian::Laplacian;
pub use linear::LinearKernel;
pub use matern32::Matern32;
pub use matern52::Matern52;
pub use nngp::Nngp;
pub use ntk::Ntk;
pub use polynomial::Polynomial;
pub use rbf::Rbf;

use super::median::{median_distance, median_gamma};
pub use super::pairwise::Pairwise;
use super::samples::Samples;
use crate::linalg::simd::vectorize;
use crate::settings::{Range, check};
use crate::{Error, Float, Result};

/// A positive semi-definite kernel k(x, y).
pub trait Kernel<T: Float>: Debug + Send + Sync {
    /// The name and its settings: `rbf γ=0.03`.
    fn name(&self) -> String;

    /// What [`apply`](Kernel::apply) finds in its slice.
    fn pairwise(&self) -> Pairwise;

    /// One row of a Gram matrix: replaces the pairwise quantity of x and yⱼ in `values[j]` by k(x, yⱼ),
    /// given ‖x‖² and ‖yⱼ‖².
    fn apply(&self, values: &mut [T], x_norm: T, y_norms: &[T]);

    /// An error if a setting is beyond `T`: not finite there, or 0 where it is not. All fits ask.
    ///
    /// # Errors
    /// [`Error::Setting`] with the setting, its value and the type.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// For [`Rbf`], its γ: k(x − y) = exp(−γ‖x − y‖²) is the Fourier transform of the normal distribution
    /// N(0, 2γI), which random features are drawn from. `None` for others.
    fn gaussian_gamma(&self) -> Option<f64> {
        None
    }

    /// Its name in the table of [kernels], and the settings that make it again: what a file holds of it. `None`, by
    /// default, for one that is not in the table.
    fn settings(&self) -> Option<(&'static str, KernelSettings)> {
        None
    }
}

/// Settings of all kernels; each takes those in its formula.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelSettings {
    /// γ > 0.
    pub gamma: f64,
    /// Degree of the polynomial, at least 1.
    pub degree: u32,
    /// c₀ ≥ 0.
    pub offset: f64,
    /// ℓ > 0.
    pub length_scale: f64,
    /// Hidden layers of an infinite network, at least 1.
    pub depth: usize,
    /// Its activation φ.
    pub nonlinearity: Nonlinearity,
    /// σ_w² > 0 of its weights.
    pub weight_variance: f64,
    /// σ_b² ≥ 0 of its biases.
    pub bias_variance: f64,
}

impl KernelSettings {
    fn network(&self) -> Result<InfiniteNetwork> {
        InfiniteNetwork::new(self.depth, self.nonlinearity, self.gamma)?
            .with_variances(self.weight_variance, self.bias_variance)
    }
}

impl Default for KernelSettings {
    /// γ = 1, degree 3, c₀ = 1, ℓ = 1; one hidden layer of ReLU, σ_w² = 2, σ_b² = 0.
    fn default() -> Self {
        KernelSettings {
            gamma: 1.0,
            degree: 3,
            offset: 1.0,
            length_scale: 1.0,
            depth: 1,
            nonlinearity: Nonlinearity::Relu,
            weight_variance: 2.0,
            bias_variance: 0.0,
        }
    }
}

/// Makes a kernel of its settings.
pub type BuildKernel<T> = fn(&KernelSettings) -> Result<Arc<dyn Kernel<T>>>;

/// Settings by the scale of the samples, with a seed.
pub type SuitedSettings<T> = fn(&Samples<T>, u64) -> Result<KernelSettings>;

/// A line of the table of kernels.
#[derive(Clone, Copy, Debug)]
pub struct KernelEntry<T: Float> {
    /// The name on the command line.
    pub name: &'static str,
    /// k(x, y).
    pub formula: &'static str,
    /// The [settings](KernelSettings) in the formula: `gamma`, `degree`, `offset`, `length_scale`, and those
    /// of an infinite network.
    pub settings: &'static [&'static str],
    /// Settings by the scale of the data, to start from; a seed draws the samples that are looked at.
    ///
    /// rbf: γ is 5 times the [median heuristic](median_gamma); a narrower kernel than that classifies
    /// better as a rule. matern: ℓ is the median distance. laplacian: γ is the inverse of the median
    /// ‖x − y‖₁. polynomial: γ is the inverse of the mean ‖x‖², with d = 3 and c₀ = 1. nngp and ntk: γ is
    /// the inverse of the mean ‖x‖², with one hidden layer of ReLU, σ_w² = 2 and σ_b² = 0. All are rounded
    /// to three digits.
    ///
    /// Errors as [`median_gamma`], and [`Error::Data`] if all samples are 0 for the polynomial.
    pub suited: SuitedSettings<T>,
    /// Makes one, its settings checked as those of `T`.
    pub build: BuildKernel<T>,
}

/// All kernels by name.
///
/// ```
/// use tapegrad::models::kernel::{KernelSettings, kernels};
///
/// let settings = KernelSettings { gamma: 0.03, ..Default::default() };
/// let rbf = kernels::<f64>().into_iter().find(|k| k.name == "rbf").unwrap();
/// assert_eq!((rbf.build)(&settings)?.name(), "rbf γ=0.03");
/// # Ok::<(), tapegrad::Error>(())
/// ```
pub fn kernels<T: Float>() -> [KernelEntry<T>; 8] {
    let base = |name, formula, build: BuildKernel<T>| KernelEntry {
        name,
        formula,
        settings: &["length_scale"],
        suited: median_length_scale,
        build,
    };
    let with_gamma = |name, formula, suited: SuitedSettings<T>, build| KernelEntry {
        settings: &["gamma"],
        suited,
        ..base(name, formula, build)
    };
    let network = |name, formula, build| KernelEntry {
        settings: &["gamma", "depth", "nonlinearity", "weight_variance", "bias_variance"],
        ..with_gamma(name, formula, norm_gamma, build)
    };
    [
        with_gamma("rbf", "exp(−γ‖x−y‖²)", narrow_gamma, |s| checked(Rbf::new(s.gamma)?)),
        with_gamma("laplacian", "exp(−γ‖x−y‖₁)", manhattan_gamma, |s| {
            checked(Laplacian::new(s.gamma)?)
        }),
        KernelEntry {
            settings: &["gamma", "degree", "offset"],
            ..with_gamma("polynomial", "(γ⟨x,y⟩+c₀)^d", norm_gamma, |s| {
                checked(Polynomial::new(s.degree, s.gamma, s.offset)?)
            })
        },
        KernelEntry {
            settings: &[],
            suited: |_, _| Ok(KernelSettings::default()),
            ..base("linear", "⟨x,y⟩", |_| Ok(Arc::new(LinearKernel)))
        },
        base("matern32", "(1+√3r/ℓ)·exp(−√3r/ℓ), r = ‖x−y‖", |s| {
            checked(Matern32::new(s.length_scale)?)
        }),
        base("matern52", "(1+√5r/ℓ+5r²/3ℓ²)·exp(−√5r/ℓ), r = ‖x−y‖", |s| {
            checked(Matern52::new(s.length_scale)?)
        }),
        network("nngp", "K_L(γ⟨x,y⟩+σ_b²), an infinite network's covariance", |s| {
            checked(Nngp(s.network()?))
        }),
        network("ntk", "Θ_L(γ⟨x,y⟩+σ_b²), an infinite network's tangent kernel", |s| {
            checked(Ntk(s.network()?))
        }),
    ]
}

fn checked<T: Float>(kernel: impl Kernel<T> + 'static) -> Result<Arc<dyn Kernel<T>>> {
    kernel.check()?;
    Ok(Arc::new(kernel))
}

/// How much narrower than the median heuristic the Gaussian kernel is to start with.
const NARROW: f64 = 5.0;

/// To three digits: a start is no more exact than that, and reads better.
fn rounded(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

fn narrow_gamma<T: Float>(x: &Samples<T>, seed: u64) -> Result<KernelSettings> {
    Ok(KernelSettings { gamma: rounded(NARROW * median_gamma(x, seed)?), ..Default::default() })
}

fn median_length_scale<T: Float>(x: &Samples<T>, seed: u64) -> Result<KernelSettings> {
    let length_scale = rounded(median_distance(x, Pairwise::SquaredDistance, seed)?.sqrt());
    Ok(KernelSettings { length_scale, ..Default::default() })
}

fn manhattan_gamma<T: Float>(x: &Samples<T>, seed: u64) -> Result<KernelSettings> {
    let gamma = rounded(1.0 / median_distance(x, Pairwise::ManhattanDistance, seed)?);
    Ok(KernelSettings { gamma, ..Default::default() })
}

fn norm_gamma<T: Float>(x: &Samples<T>, _: u64) -> Result<KernelSettings> {
    let n = x.len() as f64;
    let mean = x.rows().norms.iter().map(|norm| norm.to_f64() / n).sum::<f64>();
    if mean == 0.0 {
        let zero = x.rows().values.iter().all(|v| *v == T::ZERO);
        let what = if zero { "are 0" } else { "have squares of 0: scale the data" };
        return Err(Error::Data(format!("all samples {what}: a polynomial kernel sees no difference")));
    }
    Ok(KernelSettings { gamma: rounded(1.0 / mean), ..Default::default() })
}

/// p(s)·exp(−s) with s = scale·√v, for squared distances v: the Matérn kernels, by their polynomials.
#[inline(always)]
fn matern<T: Float>(values: &mut [T], scale: T, polynomial: impl Fn(T) -> T) {
    vectorize(
        values.len(),
        #[inline(always)]
        move || {
            for v in values {
                let s = scale * v.sqrt();
                // Selected: far away this is ∞·0.
                let fall = (-s).exp();
                *v = if fall == T::ZERO { T::ZERO } else { polynomial(s) * fall };
            }
        },
    );
}

/// An error unless `T` holds ℓ, and ℓ² with all its digits: distances of that size are looked at squared.
fn check_length_scale<T: Float>(length_scale: f64) -> Result<()> {
    check::<T>("length_scale", length_scale, Range::POSITIVE)?;
    let last_digit = length_scale * length_scale * T::EPSILON.to_f64();
    if T::of(last_digit) > T::ZERO {
        return Ok(());
    }
    let why = format!("{length_scale:?} has no square as {}: scale the features, or take f64", T::NAME);
    Err(Error::setting("length_scale", why))
}
