//! FALKON: preconditioned conjugate gradients on Nyström centres.

use std::ops::ControlFlow;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::super::conjugate_gradients::{IterativeProgress, check_iterations, checked, working};
use super::centres::{Centres, check_count, factor_centres};
use super::expansion::Expansion;
use super::functions::Kernel;
use super::gram::{check_kernel, cross_block};
use super::machine::block_rows;
use super::options::RidgeOptions;
use super::samples::{Samples, seen_classes};
use super::targets::Scales;
use super::weights::Counted;
use crate::linalg::{Cholesky, Into, Mat, View, ViewMut, add_gram, gemm, product};
use crate::text::count;
use crate::{Error, Float, Result};

/// What a FALKON fit is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FalkonOptions {
    /// λ > 0 and memory. What the fit itself leaves of it holds blocks of K_nM from iteration to iteration.
    pub ridge: RidgeOptions,
    /// M, the number of centres.
    pub centres: usize,
    /// How they are drawn. The preconditioner is that of uniform ones; with others it takes more iterations.
    pub selection: Centres,
    /// The seed they are drawn by.
    pub seed: u64,
    /// The most iterations; some 20 are enough as a rule.
    pub iterations: usize,
    /// Stops where the residual of every column is below this part of the first, in the preconditioned norm.
    pub tolerance: f64,
}

/// A FALKON fit and how it went.
#[derive(Clone, Debug)]
pub struct Falkon<T: Float> {
    /// The predictor.
    pub machine: Expansion<T>,
    /// Largest relative residual of any column, after each iteration.
    pub residuals: Vec<f64>,
    /// How many of the n rows of K_nM were held in memory, the others being made anew each iteration.
    pub rows_held: usize,
}

/// The solution that [`nystrom`](super::nystrom) has in closed form, H·α = K_nMᵀ·Y with
/// H = K_nMᵀ·K_nM + nλ·K_MM, by conjugate gradients on Bᵀ·H·B·β = Bᵀ·K_nMᵀ·Y and α = B·β (Rudi, Carratino
/// and Rosasco, "FALKON: an optimal large scale kernel method", 2017).
///
/// B = L⁻ᵀ·G⁻ᵀ with L·Lᵀ = K_MM and G·Gᵀ = n/M·LᵀL + nλI: H with K_nMᵀK_nM replaced by n/M·K_MM², so that
/// few iterations are needed. All columns of Y run side by side. An iteration takes 2nMc multiply-adds, and
/// nMd more for the rows of K_nM that are not held; the preconditioner M³. The memory is 2M² numbers, the
/// samples, and a block.
///
/// With weights ωᵢ, divided by their mean, it is H = K_nMᵀ·Ω·K_nM + nλ·K_MM and K_nMᵀ·Ω·Y, and LᵀL has the weights of
/// the centres between its factors.
///
/// Held or made anew, the numbers are the same: the memory does not change a bit.
///
/// # Errors
/// [`Error::Setting`] if λ is not above 0, nλ or a setting of the kernel is beyond `T`, M is 0 or more than n,
/// `iterations` is 0, `tolerance` is not from 0 to below 1, or the memory is not enough; [`Error::Data`] for
/// bad targets or weights; [`Error::NonFinite`] if a kernel value or α leaves the range of `T`;
/// [`Error::Setting`] or [`Error::NotPositiveDefinite`] if λ is too small for the precision.
pub fn falkon<T: Float>(
    kernel: Arc<dyn Kernel<T>>,
    x: &Samples<T>,
    y: &DMatrix<T>,
    options: FalkonOptions,
) -> Result<Falkon<T>> {
    falkon_observed(kernel, x, y, options, &mut |_| ControlFlow::Continue(()))
}

/// [`falkon`], which calls `observe` after each iteration and before every block of rows of K_nM; `Break`
/// ends the fit there, with the solution of the last iteration that was finished. The factors of M×M are made
/// in one go each.
///
/// # Errors
/// As [`falkon`]; [`Error::Interrupted`] if `observe` breaks before the first iteration is finished.
pub fn falkon_observed<T: Float>(
    kernel: Arc<dyn Kernel<T>>,
    x: &Samples<T>,
    y: &DMatrix<T>,
    options: FalkonOptions,
    observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>,
) -> Result<Falkon<T>> {
    T::falkon(kernel, x, y, options, observe)
}

pub fn falkon_of<T: Float>(
    kernel: Arc<dyn Kernel<T>>,
    x: &Samples<T>,
    y: &DMatrix<T>,
    options: FalkonOptions,
    observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>,
) -> Result<Falkon<T>> {
    let FalkonOptions { ridge, centres: m, selection, seed, .. } = options;
    check::<T>(&options, x.len())?;
    let Counted { x, y, weights } = Counted::new(x, y)?;
    let x = &x;
    let (n, d, c) = (x.len(), x.features(), y.ncols());
    check_count("centres", m, n)?;
    let block = block_rows(m).min(n);
    let numbers = fixed_numbers(n, d, c, m, block);
    let what = format!("FALKON with {} in {}", count(m, "centre"), T::NAME);
    ridge.check_memory::<T>(&what, numbers, "take fewer centres")?;
    let left = u128::from(ridge.memory) / size_of::<T>() as u128 - numbers;
    let held = (left / (block as u128 * m as u128)).min(n.div_ceil(block) as u128) as usize;

    check_kernel(kernel.as_ref(), x)?;
    let chosen = selection.choose(&kernel, x, m, ridge.lambda, seed)?;
    let centres = x.subset(&chosen);
    let first = factor_centres(kernel.as_ref(), &centres)?;
    working(observe)?;
    let (n_lambda, per_centre) = (T::of(ridge.ridge(n)), T::of(n as f64 / m as f64));
    let mut inner = if weights.are_some() {
        // Each centre stands for samples of its weight: n/M·LᵀΩL.
        let mut l = first.l().clone();
        weights.of(&chosen).scale(&mut l);
        let mut inner = DMatrix::zeros(m, m);
        add_gram(&mut inner, l.transpose().as_slice());
        inner
    } else {
        first.transposed_product()
    };
    inner.as_mut_slice().iter_mut().for_each(|v| *v *= per_centre);
    (0..m).for_each(|i| inner[(i, i)] += n_lambda);
    let second = Cholesky::new(inner)?;

    let mut blocks = Blocks { kernel: kernel.as_ref(), x, centres: &centres, block, held: Vec::new() };
    let scales = Scales::of(&y);
    let mut targets = scales.divide(&y);
    // Twice: K_nMᵀ·Ω·Y.
    (0..2).for_each(|_| weights.scale(&mut targets));
    let targets = View::by_columns(targets.as_slice(), n, c);
    let mut right = DMatrix::<T>::zeros(m, c);
    blocks.visit(held, observe, |start, k| {
        let rows = k.len() / m;
        let (to, k) = (ViewMut::by_columns(right.as_mut_slice(), m, c), View::by_rows(k, rows, m));
        product(to, Into::Add, k.transpose(), targets.get(start..start + rows, ..));
    })?;
    first.solve_lower_in_place(&mut right);
    second.solve_lower_in_place(&mut right);

    let mut values = vec![T::ZERO; block * c];
    let apply = |p: &DMatrix<T>, observe: &mut dyn FnMut(_) -> _| {
        let mut u = p.clone();
        second.solve_upper_in_place(&mut u);
        let mut v = u.clone();
        first.solve_upper_in_place(&mut v);
        let mut out = DMatrix::<T>::zeros(m, c);
        blocks.visit(held, observe, |start, k| {
            let rows = k.len() / m;
            let (k, values) = (Mat::new(k, rows, m), &mut values[..rows * c]);
            gemm(values, false, k, Mat::new(v.as_slice(), c, m).t());
            (0..2).for_each(|_| weights.scale_rows(start, c, values));
            gemm(out.as_mut_slice(), true, Mat::new(values, rows, c).t(), k);
        })?;
        first.solve_lower_in_place(&mut out);
        out.zip_apply(&u, |o, u| *o += n_lambda * u);
        second.solve_lower_in_place(&mut out);
        Ok(out)
    };
    let FalkonOptions { iterations, tolerance, .. } = options;
    let lambda = (ridge.lambda, ridge.may_be_lost(kernel.as_ref(), &centres));
    let (mut alpha, residuals) =
        checked(right, (iterations, tolerance), lambda, apply, DMatrix::clone, observe)?;
    second.solve_upper_in_place(&mut alpha);
    first.solve_upper_in_place(&mut alpha);
    scales.multiply("the coefficients α", &mut alpha)?;
    let name = format!("FALKON, {}, {}, λ={:e}", kernel.name(), count(m, "centre"), ridge.lambda);
    let rows_held = (held * block).min(n);
    let machine = Expansion::new(name, kernel, centres, alpha).with_seen(seen_classes(&y));
    Ok(Falkon { machine, residuals, rows_held })
}

fn check<T: Float>(options: &FalkonOptions, n: usize) -> Result<()> {
    options.ridge.check_lambda::<T>(n)?;
    if options.ridge.lambda == 0.0 {
        return Err(Error::setting("lambda", "0: FALKON needs a ridge above 0"));
    }
    check_iterations(options.iterations, options.tolerance)
}

/// What a fit holds besides the rows of K_nM it may keep.
fn fixed_numbers(n: usize, d: usize, c: usize, m: usize, block: usize) -> u128 {
    let (n, d, c, m, block) = (n as u128, d as u128, c as u128, m as u128, block as u128);
    2 * m * m + block.max(256) * m + n * (d + 1) + 2 * n * c + m * (d + 1) + 8 * m * c + block * c
}

/// K_nM block by block, the first ones held from the first visit on.
struct Blocks<'a, T: Float> {
    kernel: &'a dyn Kernel<T>,
    x: &'a Samples<T>,
    centres: &'a Samples<T>,
    /// Rows of a block.
    block: usize,
    held: Vec<Vec<T>>,
}

impl<T: Float> Blocks<'_, T> {
    /// Calls `work` with first row and contents of every block; the first `hold` blocks stay in memory.
    fn visit(
        &mut self,
        hold: usize,
        observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>,
        mut work: impl FnMut(usize, &[T]),
    ) -> Result<()> {
        let (n, m) = (self.x.len(), self.centres.len());
        let mut scratch = Vec::new();
        for (index, start) in (0..n).step_by(self.block).enumerate() {
            working(observe)?;
            if let Some(k) = self.held.get(index) {
                work(start, k);
                continue;
            }
            let end = n.min(start + self.block);
            scratch.resize((end - start) * m, T::ZERO);
            let rows = self.x.rows().range(start..end);
            cross_block(self.kernel, rows, self.centres.rows(), &mut scratch);
            work(start, &scratch);
            if index < hold {
                self.held.push(std::mem::take(&mut scratch));
            }
        }
        Ok(())
    }
}
