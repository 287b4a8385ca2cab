//! Kernel machines: ridge regression in the space of a kernel, exact and at scale.
//!
//! [`KernelRidge`] solves (K + nλI)·α = Y and knows what follows in closed form: leave-one-out residuals,
//! the effective dimension, the posterior of the Gaussian process. [`RidgePath`] has all λ from one
//! spectral decomposition.
//!
//! Where n² numbers are too many, three approximations predict by the same trait, [`KernelMachine`]:
//! [`nystrom`] solves on M centres directly, [`falkon`] on more of them by iteration, and [`FourierRidge`]
//! on random features of the Gaussian kernel. All work in blocks, and predict their memory before they
//! take it. [`iterative_ridge`] reaches the exact fit itself without a factor of K.
//!
//! **λ** is that of K + nλI everywhere; other programs call nλ the ridge.
//!
//! **Weights.** Where the [`Samples`] have weights, a fit minimises Σᵢ wᵢ‖f(xᵢ) − yᵢ‖²/Σᵢ wᵢ + λ‖f‖²: a weight of 2 is
//! the sample twice, only the ratios of the weights matter, and samples of weight 0 are left out, as if they were not
//! there. The ridge of other programs is then λ·Σᵢ wᵢ. All weights equal is no weights, to the bit; only the log marginal
//! likelihood counts samples by their weights. A weight below √`T::MIN_POSITIVE` beside the mean of all is an error.

mod centres;
mod exact;
mod expansion;
mod falkon;
mod features;
mod fourier;
mod functions;
mod gaussian_process;
mod gram;
mod iterative;
mod machine;
mod median;
mod nystrom;
mod options;
mod pairwise;
mod path;
mod samples;
mod targets;
mod weights;

pub use super::conjugate_gradients::IterativeProgress;
pub use centres::{Centres, leverage_scores};
pub use exact::KernelRidge;
pub use expansion::Expansion;
pub use falkon::{Falkon, FalkonOptions, falkon, falkon_observed};
pub use fourier::FourierRidge;
pub use functions::{
    BuildKernel, InfiniteNetwork, Kernel, KernelEntry, KernelSettings, Laplacian, LinearKernel, Matern32,
    Matern52, Nngp, Nonlinearity, Ntk, Pairwise, Polynomial, Rbf, SuitedSettings, kernels,
};
pub use gram::{cross_gram, gram};
pub use iterative::{IterativeOptions, IterativeRidge, iterative_ridge};
pub use machine::KernelMachine;
pub use median::median_gamma;
pub use nystrom::{NystromOptions, nystrom};
pub use options::RidgeOptions;

pub use path::{PathPoint, RidgePath, lambda_grid};
pub use samples::{Rows, Samples, one_vs_rest};
pub(in crate::models) use weights::Counted;

/// The bodies of what is [compiled once](super::compiled).
pub(super) mod bodies {
    pub use super::centres::leverage_scores_of;
    pub use super::falkon::falkon_of;
    pub use super::gram::{cross_block_of, gram_lower_of};
    pub use super::iterative::iterative_ridge_of;
    pub use super::nystrom::nystrom_of;
}
