//! Ridge regression on a subset of centres, solved directly.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::centres::{Centres, check_count, factor_centres};
use super::expansion::Expansion;
use super::features;
use super::functions::Kernel;
use super::gram::{check_kernel, cross_block};
use super::options::RidgeOptions;
use super::samples::{Samples, seen_classes};
use super::weights::Counted;
use crate::text::count;
use crate::{Float, Result};

/// What a Nyström fit is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NystromOptions {
    /// λ and memory.
    pub ridge: RidgeOptions,
    /// M, the number of centres.
    pub centres: usize,
    /// How they are drawn.
    pub selection: Centres,
    /// The seed they are drawn by.
    pub seed: u64,
}

/// f(x) = Σⱼ αⱼ·k(x, cⱼ) with (K_nMᵀ·K_nM + nλ·K_MM)·α = K_nMᵀ·Y: the ridge solution among the functions
/// on M centres drawn from the n samples.
///
/// Solved as ridge regression on the features Φ = K_nM·L⁻ᵀ with L·Lᵀ = K_MM, whose Gram matrix is the
/// Nyström approximation of K; the normal equations in α themselves lose twice as many digits. Takes
/// 3/2·nM² multiply-adds and 2M² numbers of memory (Williams and Seeger, "Using the Nyström method to
/// speed up kernel machines", 2001; Rudi, Camoriano and Rosasco, "Less is more: Nyström computational
/// regularization", 2015).
///
/// With weights it is K_nMᵀ·W·K_nM + λ·Σᵢwᵢ·K_MM and K_nMᵀ·W·Y.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if λ is negative, nλ or a setting of the kernel is beyond `T`, M
/// is 0 or more than n, or the memory is not enough; [`Error::Data`](crate::Error::Data) for bad targets or weights;
/// [`Error::NonFinite`](crate::Error::NonFinite) if a kernel value or α leaves the range of `T`;
/// [`Error::NotPositiveDefinite`](crate::Error::NotPositiveDefinite) if λ is too small.
pub fn nystrom<T: Float>(
    kernel: Arc<dyn Kernel<T>>,
    x: &Samples<T>,
    y: &DMatrix<T>,
    options: NystromOptions,
) -> Result<Expansion<T>> {
    T::nystrom(kernel, x, y, options)
}

pub fn nystrom_of<T: Float>(
    kernel: Arc<dyn Kernel<T>>,
    x: &Samples<T>,
    y: &DMatrix<T>,
    options: NystromOptions,
) -> Result<Expansion<T>> {
    let NystromOptions { ridge, centres: m, selection, seed } = options;
    ridge.check_lambda::<T>(x.len())?;
    let Counted { x, y, weights } = Counted::new(x, y)?;
    let (n, d, c) = (x.len(), x.features(), y.ncols());
    check_count("centres", m, n)?;
    let numbers = features::numbers(n, d, c, m) + (m as u128) * (m as u128 + d as u128 + 1);
    let what = format!("Nyström with {} in {}", count(m, "centre"), T::NAME);
    ridge.check_memory::<T>(&what, numbers, "take fewer centres")?;
    check_kernel(kernel.as_ref(), &x)?;
    let centres = x.subset(&selection.choose(&kernel, &x, m, ridge.lambda, seed)?);
    let factor = factor_centres(kernel.as_ref(), &centres)?;
    let (mut alpha, scales) = features::ridge(&x, &y, m, &weights, ridge.lambda, |rows, phi| {
        cross_block(kernel.as_ref(), rows, centres.rows(), phi);
        // Row-major K_bM is column-major K_Mb: L⁻¹·K_Mb is Φᵀ.
        factor.forward(phi);
    })?;
    factor.solve_upper_in_place(&mut alpha);
    scales.multiply("the coefficients α", &mut alpha)?;
    let name = format!("Nyström, {}, {}, λ={:e}", kernel.name(), count(m, "centre"), ridge.lambda);
    Ok(Expansion::new(name, kernel, centres, alpha).with_seen(seen_classes(&y)))
}
