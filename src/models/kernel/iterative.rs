//! The exact fit by iteration, for more samples than a factor of K has room for.

use std::ops::ControlFlow;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::super::conjugate_gradients::{IterativeProgress, check_iterations, checked, working};
use super::centres::{Centres, check_count, factor_centres};
use super::expansion::Expansion;
use super::functions::Kernel;
use super::gram::{check_kernel, cross_block, gram, gram_diagonal};
use super::options::RidgeOptions;
use super::samples::{Samples, seen_classes};
use super::targets::Scales;
use super::weights::{Counted, RowWeights};
use crate::linalg::{Cholesky, Into, View, ViewMut, add_gram, norm_squared, product};
use crate::text::count;
use crate::{Error, Float, Result};

/// What an iterative fit is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IterativeOptions {
    /// λ > 0 and memory. What the fit itself leaves of it holds blocks of K from iteration to iteration.
    pub ridge: RidgeOptions,
    /// s, the number of samples that the preconditioner is made of.
    pub pilots: usize,
    /// The seed they are drawn by.
    pub seed: u64,
    /// The most iterations. Stopped early, the fit is smoother than λ alone would make it.
    pub iterations: usize,
    /// Stops where the residual of every column is below this part of the first, in the preconditioned norm.
    pub tolerance: f64,
}

/// An iterative fit and how it went.
#[derive(Clone, Debug)]
pub struct IterativeRidge<T: Float> {
    /// The predictor, on all samples.
    pub machine: Expansion<T>,
    /// Largest relative residual of any column, after each iteration.
    pub residuals: Vec<f64>,
    /// How many of the n rows of K's triangle were held in memory, the others being made anew each iteration.
    pub rows_held: usize,
}

/// The exact fit (K + nλI)·α = Y of [`KernelRidge`](super::KernelRidge), by conjugate gradients with the
/// preconditioner K_nS·K_SS⁻¹·K_Sn + μI: the Nyström approximation of K from s uniformly drawn samples S,
/// and μ = nλ + tr(K − K_nS·K_SS⁻¹·K_Sn)/s for what it leaves out.
///
/// What makes kernel matrices hard to solve is their few large eigenvalues; these the preconditioner takes
/// away (Ma and Belkin, "Diving into the shallows", 2017; Frangella, Tropp and Udell, "Randomized Nyström
/// preconditioning", 2023). Only one triangle of K is made, in blocks of rows, and held as far as the memory
/// reaches: at n = 60,000 in `f32`, 7.2 GB. An iteration takes n²c multiply-adds, and n²d/2 more for what is
/// not held; the preconditioner ns² once. `observe` is called after each iteration, and before every block of
/// 256 rows within it and in the preconditioner; `Break` ends the fit there, with the solution of the last
/// iteration that was finished.
///
/// With weights the system is that of √ωᵢ·Kᵢⱼ·√ωⱼ + nλI, with ωᵢ the weights over their mean.
///
/// Held or made anew, the numbers are the same: the memory does not change a bit.
///
/// # Errors
/// [`Error::Setting`] if λ is not above 0, nλ or a setting of the kernel is beyond `T`, s is 0 or more than n,
/// `iterations` is 0, `tolerance` is not from 0 to below 1, the memory is not enough, or λ is so small that it is lost in
/// the rounding of the kernel matrix; [`Error::Data`] for bad targets or weights; [`Error::NonFinite`] if a kernel
/// value or α leaves the range of `T`; [`Error::NotPositiveDefinite`] if the kernel matrix of S is beyond the precision; [`Error::Interrupted`]
/// if `observe` breaks before the first iteration is finished.
pub fn iterative_ridge<T: Float>(
    kernel: Arc<dyn Kernel<T>>,
    x: &Samples<T>,
    y: &DMatrix<T>,
    options: IterativeOptions,
    observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>,
) -> Result<IterativeRidge<T>> {
    T::iterative_ridge(kernel, x, y, options, observe)
}

pub fn iterative_ridge_of<T: Float>(
    kernel: Arc<dyn Kernel<T>>,
    x: &Samples<T>,
    y: &DMatrix<T>,
    options: IterativeOptions,
    observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>,
) -> Result<IterativeRidge<T>> {
    let IterativeOptions { ridge, pilots, iterations, tolerance, .. } = options;
    ridge.check_lambda::<T>(x.len())?;
    if ridge.lambda == 0.0 {
        return Err(Error::setting("lambda", "0: an iterative fit needs a ridge above 0"));
    }
    check_iterations(iterations, tolerance)?;
    let Counted { x, y, weights } = Counted::new(x, y)?;
    let x = &x;
    let (n, d, c) = (x.len(), x.features(), y.ncols());
    check_count("pilots", pilots, n)?;
    let numbers = fixed_numbers(n, d, c, pilots);
    let what = format!("an iterative fit of {} in {}", count(n, "sample"), T::NAME);
    ridge.check_memory::<T>(&what, numbers, "take fewer pilots, or Nyström or FALKON")?;
    let left = u128::from(ridge.memory) / size_of::<T>() as u128 - numbers;

    check_kernel(kernel.as_ref(), x)?;
    let n_lambda = ridge.ridge(n);
    let preconditioner = Preconditioner::new(&kernel, x, &weights, &options, observe)?;
    let mut triangle = Triangle { kernel: kernel.as_ref(), x, left, held: Vec::new() };
    let apply = |p: &DMatrix<T>, observe: &mut dyn FnMut(_) -> _| {
        let mut scaled = p.clone();
        weights.scale(&mut scaled);
        let mut out = triangle.times(&scaled, observe)?;
        weights.scale(&mut out);
        out.zip_apply(p, |o, p| *o += T::of(n_lambda) * p);
        Ok(out)
    };
    let precondition = |r: &DMatrix<T>| preconditioner.solve(r);
    let scales = Scales::of(&y);
    let mut right = scales.divide(&y);
    weights.scale(&mut right);
    let lambda = (ridge.lambda, ridge.may_be_lost(kernel.as_ref(), x));
    let (mut alpha, residuals) =
        checked(right, (iterations, tolerance), lambda, apply, precondition, observe)?;
    weights.scale(&mut alpha);
    scales.multiply("the coefficients α", &mut alpha)?;
    let rows_held = (triangle.held.len() * ROWS).min(n);
    let name = format!("iterative kernel ridge, {}, n={n}, λ={:e}", kernel.name(), ridge.lambda);
    let machine = Expansion::new(name, kernel, x.clone(), alpha).with_seen(seen_classes(&y));
    Ok(IterativeRidge { machine, residuals, rows_held })
}

/// Rows of a block.
const ROWS: usize = 256;

/// What a fit holds besides the blocks it may keep: a block, the features and factors of the
/// preconditioner, samples, and ten vectors per column.
fn fixed_numbers(n: usize, d: usize, c: usize, s: usize) -> u128 {
    let (n, d, c, s) = (n as u128, d as u128, c as u128, s as u128);
    2 * (ROWS as u128) * n + n * s + 2 * s * s + n * (d + 1) + 10 * n * c
}

/// One triangle of K by blocks of rows, the first ones held from the first visit on.
struct Triangle<'a, T: Float> {
    kernel: &'a dyn Kernel<T>,
    x: &'a Samples<T>,
    /// Numbers that may still be held.
    left: u128,
    held: Vec<Block<T>>,
}

/// Rows r to r + b of the upper triangle: the b×b square on the diagonal, and what is right of it.
#[derive(Default)]
struct Block<T> {
    square: Vec<T>,
    right: Vec<T>,
}

impl<T: Float> Triangle<'_, T> {
    /// K·P for an n×c matrix P.
    fn times(
        &mut self,
        p: &DMatrix<T>,
        observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>,
    ) -> Result<DMatrix<T>> {
        let (n, c) = p.shape();
        let p = View::by_columns(p.as_slice(), n, c);
        let mut found = DMatrix::zeros(n, c);
        let mut out = ViewMut::by_columns(found.as_mut_slice(), n, c);
        let mut scratch = Block::default();
        for (index, start) in (0..n).step_by(ROWS).enumerate() {
            working(observe)?;
            let end = n.min(start + ROWS);
            if index >= self.held.len() {
                self.fill(&mut scratch, start, end);
            }
            let block = self.held.get(index).unwrap_or(&scratch);
            let (rows, rest) = (end - start, n - end);
            let (mut here, behind) = out.rb_mut().get(start.., ..).split_at_row(rows);
            let own = p.get(start..end, ..);
            product(here.rb_mut(), Into::Add, View::by_rows(&block.square, rows, rows), own);
            if rest > 0 {
                let right = View::by_rows(&block.right, rows, rest);
                product(here, Into::Add, right, p.get(end.., ..));
                product(behind, Into::Add, right.transpose(), own);
            }
            let size = (block.square.len() + block.right.len()) as u128;
            if index == self.held.len() && size <= self.left {
                self.left -= size;
                self.held.push(std::mem::take(&mut scratch));
            }
        }
        Ok(found)
    }

    fn fill(&self, block: &mut Block<T>, start: usize, end: usize) {
        let n = self.x.len();
        // Exactly symmetric, and right on the diagonal.
        let rows: Vec<usize> = (start..end).collect();
        block.square.clear();
        block.square.extend_from_slice(gram(self.kernel, &self.x.subset(&rows)).as_slice());
        block.right.resize((end - start) * (n - end), T::ZERO);
        let (here, rest) = (self.x.rows().range(start..end), self.x.rows().range(end..n));
        cross_block(self.kernel, here, rest, &mut block.right);
    }
}

/// P = ΦΦᵀ + μI with Φ = K_nS·L⁻ᵀ and L·Lᵀ = K_SS.
struct Preconditioner<T: Float> {
    /// Φ, n×s, row-major.
    phi: Vec<T>,
    /// The factor of ΦᵀΦ + μI.
    inner: Cholesky<T>,
    mu: T,
}

impl<T: Float> Preconditioner<T> {
    fn new(
        kernel: &Arc<dyn Kernel<T>>,
        x: &Samples<T>,
        weights: &RowWeights<T>,
        options: &IterativeOptions,
        observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>,
    ) -> Result<Self> {
        let IterativeOptions { ridge, pilots: s, seed, .. } = *options;
        let n = x.len();
        let chosen = x.subset(&Centres::Uniform.choose(kernel, x, s, ridge.lambda, seed)?);
        let factor = factor_centres(kernel.as_ref(), &chosen)?;
        let mut phi = vec![T::ZERO; n * s];
        let mut product = DMatrix::<T>::zeros(s, s);
        let mut diagonal = gram_diagonal(kernel.as_ref(), x.rows());
        // Of S·K·S.
        (0..2).for_each(|_| weights.scale_rows(0, 1, &mut diagonal));
        let mut left_out = 0.0;
        for (index, phi) in phi.chunks_mut(ROWS * s).enumerate() {
            working(observe)?;
            let start = index * ROWS;
            let rows = start..start + phi.len() / s;
            cross_block(kernel.as_ref(), x.rows().range(rows.clone()), chosen.rows(), phi);
            // Row-major K_bS is column-major K_Sb: L⁻¹·K_Sb is Φᵀ.
            factor.forward(phi);
            weights.scale_rows(start, s, phi);
            add_gram(&mut product, phi);
            for (own, phi) in diagonal[rows].iter().zip(phi.chunks_exact(s)) {
                left_out += (*own - norm_squared(phi)).max(T::ZERO).to_f64();
            }
        }
        let mu = T::of(ridge.ridge(n) + left_out / s as f64);
        (0..s).for_each(|i| product[(i, i)] += mu);
        Ok(Preconditioner { phi, inner: Cholesky::new(product)?, mu })
    }

    /// P⁻¹·R = (R − Φ·(ΦᵀΦ + μI)⁻¹·ΦᵀR)/μ, n×c.
    fn solve(&self, r: &DMatrix<T>) -> DMatrix<T> {
        let (n, c) = r.shape();
        let s = self.inner.size();
        let phi = View::by_rows(&self.phi, n, s);
        let mut weights = DMatrix::<T>::zeros(s, c);
        let right = View::by_columns(r.as_slice(), n, c);
        product(ViewMut::by_columns(weights.as_mut_slice(), s, c), Into::Replace, phi.transpose(), right);
        self.inner.solve_in_place(&mut weights);
        let mut out = DMatrix::zeros(n, c);
        let weights = View::by_columns(weights.as_slice(), s, c);
        product(ViewMut::by_columns(out.as_mut_slice(), n, c), Into::Replace, phi, weights);
        out.zip_apply(r, |explained, r| *explained = (r - *explained) / self.mu);
        out
    }
}
