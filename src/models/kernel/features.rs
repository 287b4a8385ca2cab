//! Ridge regression on explicit features, made and used in blocks.

use nalgebra::DMatrix;

use super::exact::name_lambda;
use super::machine::block_rows;
use super::samples::{Rows, Samples};
use super::targets::Scales;
use super::weights::RowWeights;
use crate::linalg::{Cholesky, Mat, add_gram, gemm};
use crate::{Float, Result};

/// W with (ΦᵀΦ + nλI)·W = ΦᵀY, W width×c, where `features` writes the rows of Φ for some samples;
/// these and the rows of Y are multiplied by the roots of their weights.
///
/// The columns of W are still divided by the scales that come with it. ΦᵀΦ is summed block by block in a fixed order. Holds width² numbers and a block.
pub(super) fn ridge<T: Float>(
    x: &Samples<T>,
    y: &DMatrix<T>,
    width: usize,
    row_weights: &RowWeights<T>,
    lambda: f64,
    features: impl Fn(Rows<'_, T>, &mut [T]),
) -> Result<(DMatrix<T>, Scales)> {
    let (n, c) = (x.len(), y.ncols());
    let scales = Scales::of(y);
    let mut targets = scales.divide(y);
    row_weights.scale(&mut targets);
    let targets = targets.transpose();
    let mut product = DMatrix::<T>::zeros(width, width);
    let mut weights = DMatrix::<T>::zeros(width, c);
    let block = block_rows(width).min(n);
    let mut phi = vec![T::ZERO; block * width];
    for start in (0..n).step_by(block) {
        let end = n.min(start + block);
        let rows = end - start;
        let phi = &mut phi[..rows * width];
        features(x.rows().range(start..end), phi);
        row_weights.scale_rows(start, width, phi);
        add_gram(&mut product, phi);
        // Column-major: ΦᵀY is the row-major YᵀΦ.
        let y = Mat::new(&targets.as_slice()[start * c..end * c], rows, c);
        gemm(weights.as_mut_slice(), true, y.t(), Mat::new(phi, rows, width));
    }
    let ridge = T::of(lambda * n as f64);
    (0..width).for_each(|i| product[(i, i)] += ridge);
    let factor = Cholesky::new(product).map_err(|e| name_lambda(e, lambda, n))?;
    factor.solve_in_place(&mut weights);
    Ok((weights, scales))
}

/// How many numbers [`ridge`] holds at once, and samples and targets.
pub(super) fn numbers(n: usize, d: usize, c: usize, width: usize) -> u128 {
    let (block, n, d, c) = (block_rows(width).min(n) as u128, n as u128, d as u128, c as u128);
    let width = width as u128;
    // As many features as one may ask for are more than this type holds the square of.
    let own = width.saturating_mul(width.saturating_add(block + c));
    own.saturating_add(n * (d + 1) + 2 * n * c)
}
