//! Exact kernel ridge regression by the Cholesky factor of K + nλI.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::expansion::{expand, store};
use super::functions::Kernel;
use super::gram::{check_kernel, cross_block, gram_diagonal, gram_lower};
use super::machine::KernelMachine;
use super::options::RidgeOptions;
use super::samples::{Rows, Samples, seen_classes};
use super::targets::Scales;
use super::weights::{Counted, RowWeights};
use crate::linalg::Cholesky;
use crate::linalg::threads::join;
use crate::metrics::SeenClasses;
use crate::store::{Settings, Store};
use crate::text::count;
use crate::{Error, Float, Result};

/// f(x) = Σᵢ αᵢ·k(x, xᵢ) with (K + nλI)·α = Y: the minimum of 1/n·Σ(f(xᵢ) − yᵢ)² + λ‖f‖² over the
/// functions of the kernel's space.
///
/// Several columns of Y are fitted by one factor; [`one_vs_rest`](super::one_vs_rest) makes the targets of
/// a classification. Takes n³/6 multiply-adds and n² numbers of memory, which the fit predicts before it
/// allocates.
///
/// ```
/// use std::sync::Arc;
/// use nalgebra::dmatrix;
/// use tapegrad::models::kernel::{KernelMachine, KernelRidge, Rbf, RidgeOptions, Samples};
///
/// let x = Samples::new(vec![0.0, 1.0, 2.0], 1)?;
/// let y = dmatrix![0.0; 1.0; 0.0];
/// let fit = KernelRidge::fit(Arc::new(Rbf::new(1.0)?), &x, &y, RidgeOptions::new(1e-9))?;
/// let at = fit.predict(&Samples::new(vec![1.0, 0.5], 1)?);
/// assert!((at[0] - 1.0f64).abs() < 1e-6 && 0.0 < at[1] && at[1] < 1.0);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct KernelRidge<T: Float> {
    pub(super) kernel: Arc<dyn Kernel<T>>,
    /// Those that count.
    pub(super) x: Samples<T>,
    pub(super) weights: RowWeights<T>,
    /// n×c.
    pub(super) alpha: DMatrix<T>,
    pub(super) factor: Cholesky<T>,
    /// yᵀα of every column.
    pub(super) fit_terms: Vec<f64>,
    pub(super) lambda: f64,
    seen: SeenClasses,
}

impl<T: Float> KernelRidge<T> {
    /// Fits the n×c targets `y`; the weights of the samples count. From here on, n is the number of those whose weight
    /// is not 0.
    ///
    /// # Errors
    /// [`Error::Setting`] if λ is negative or not finite, nλ or a setting of the kernel is beyond `T`, or the
    /// fit takes more memory than allowed; [`Error::Data`] if there is not a row of targets for each sample,
    /// or a target is not finite, or the weights are all 0 or too far apart;
    /// [`Error::NonFinite`] if a kernel value or α leaves the range of `T`;
    /// [`Error::NotPositiveDefinite`] if K + nλI is not, as with duplicated rows and λ = 0: it suggests a λ.
    pub fn fit(
        kernel: Arc<dyn Kernel<T>>,
        x: &Samples<T>,
        y: &DMatrix<T>,
        options: RidgeOptions,
    ) -> Result<Self> {
        T::kernel_ridge(kernel, x, y, options)
    }

    pub(crate) fn fit_of(
        kernel: Arc<dyn Kernel<T>>,
        x: &Samples<T>,
        y: &DMatrix<T>,
        options: RidgeOptions,
    ) -> Result<Self> {
        options.check_lambda::<T>(x.len())?;
        let Counted { x, y, weights } = Counted::new(x, y)?;
        let (n, d, c) = (x.len(), x.features(), y.ncols());
        let way_out = "Nyström, random Fourier features and FALKON take less";
        let what = format!("an exact fit of {} in {}", count(n, "sample"), T::NAME);
        options.check_memory::<T>(&what, Self::numbers(n, d, c), way_out)?;
        check_kernel(kernel.as_ref(), &x)?;
        let mut k = gram_lower(kernel.as_ref(), &x)?;
        weights.scale_both(&mut k);
        let ridge = T::of(options.ridge(n));
        (0..n).for_each(|i| k[(i, i)] += ridge);
        let factor = Cholesky::new(k).map_err(|e| name_lambda(e, options.lambda, n))?;
        let scales = Scales::of(&y);
        let mut alpha = scales.divide(&y);
        weights.scale(&mut alpha);
        factor.solve_in_place(&mut alpha);
        weights.scale(&mut alpha);
        scales.multiply("the coefficients α", &mut alpha)?;
        let fit_terms = y
            .column_iter()
            .zip(alpha.column_iter())
            .map(|(y, a)| y.iter().zip(a.iter()).map(|(y, a)| y.to_f64() * a.to_f64()).sum())
            .collect();
        let seen = seen_classes(&y);
        Ok(KernelRidge { kernel, x, weights, alpha, factor, fit_terms, lambda: options.lambda, seen })
    }

    /// How many numbers a fit holds at once: the matrix with a block of its rows, samples, targets and α.
    pub fn numbers(n: usize, d: usize, c: usize) -> u128 {
        let (n, d, c) = (n as u128, d as u128, c as u128);
        n * n + 256.min(n) * n + n * (d + 1) + 2 * n * c
    }

    /// α, n×c, a row for each sample whose weight is not 0.
    pub fn alpha(&self) -> &DMatrix<T> {
        &self.alpha
    }

    /// The factor of K + nλI; with weights ωᵢ, divided by their mean, that of √ωᵢ·Kᵢⱼ·√ωⱼ + nλI.
    pub fn factor(&self) -> &Cholesky<T> {
        &self.factor
    }

    /// λ.
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// yᵢ − f₋ᵢ(xᵢ), n×c, with f₋ᵢ fitted to all samples but the i-th, with the same ridge nλ. A sample is left out
    /// with all its weight, and one of weight 0 has no row.
    ///
    /// In closed form: αᵢ/((K + nλI)⁻¹)ᵢᵢ, with weights αᵢ/(ωᵢ·(the inverse of the [factored](Self::factor)
    /// matrix)ᵢᵢ) (Rifkin and Lippert, "Notes on regularized least squares", 2007). Takes n³/6 multiply-adds.
    pub fn leave_one_out_residuals(&self) -> DMatrix<T> {
        let inverse = self.factor.inverse_diagonal();
        DMatrix::from_fn(self.alpha.nrows(), self.alpha.ncols(), |i, j| {
            let root = self.weights.root(i);
            self.alpha[(i, j)] / root / inverse[i] / root
        })
    }

    /// tr K(K + nλI)⁻¹ = n − nλ·tr (K + nλI)⁻¹, how many parameters the fit has in effect; with weights, K is that of
    /// the [factor](Self::factor).
    ///
    /// Where little of n is left, the difference cancels, and Σᵢⱼ Kᵢⱼ·((K + nλI)⁻¹)ᵢⱼ takes its place if its
    /// terms are small: for large λ all digits are right. Takes n³/6 multiply-adds, or n³/2.
    pub fn effective_dimension(&self) -> f64 {
        let n = self.x.len() as f64;
        let inverse = self.factor.inverse_diagonal();
        let difference = n - n * self.lambda * inverse.iter().map(|x| x.to_f64()).sum::<f64>();
        let little = 0.25 * n;
        if difference >= little {
            return difference;
        }
        let (sum, magnitude) = self.trace_of_product(0, self.x.len());
        // ε times the size of the terms is what either loses.
        if magnitude < little { sum } else { difference }
    }

    /// Σ Kᵢⱼ·((K + nλI)⁻¹)ᵢⱼ and Σ |…| over the lower triangle's columns from `start` to `end`, entries below
    /// the diagonal twice.
    fn trace_of_product(&self, start: usize, end: usize) -> (f64, f64) {
        if end - start > COLUMNS {
            let middle = start + ((end - start) / 2).next_multiple_of(16);
            let (mut a, mut b) = ((0.0, 0.0), (0.0, 0.0));
            join(|| a = self.trace_of_product(start, middle), || b = self.trace_of_product(middle, end));
            return (a.0 + b.0, a.1 + b.1);
        }
        let (n, kernel) = (self.x.len(), self.kernel.as_ref());
        let (here, below) = (self.x.rows().range(start..end), self.x.rows().range(start..n));
        let inverse = self.factor.inverse_columns(start, end);
        let mut k = vec![T::ZERO; inverse.len()];
        cross_block(kernel, here, below, &mut k);
        let mut diagonal = gram_diagonal(kernel, here);
        for (j, (row, own)) in k.chunks_exact_mut(n - start).zip(&mut diagonal).enumerate() {
            self.weights.scale_rows(start, 1, row);
            self.weights.scale_rows(start + j, row.len(), row);
            self.weights.scale_rows(start + j, 1, std::slice::from_mut(own));
            self.weights.scale_rows(start + j, 1, std::slice::from_mut(own));
        }
        let (mut sum, mut magnitude) = (0.0, 0.0);
        for (j, (k, inverse)) in k.chunks_exact(n - start).zip(inverse.chunks_exact(n - start)).enumerate() {
            let own = diagonal[j].to_f64() * inverse[j].to_f64();
            let (mut rest, mut rest_magnitude) = (0.0, 0.0);
            for (k, inverse) in k[j + 1..].iter().zip(&inverse[j + 1..]) {
                let term = k.to_f64() * inverse.to_f64();
                rest += term;
                rest_magnitude += term.abs();
            }
            sum += own + 2.0 * rest;
            magnitude += own.abs() + 2.0 * rest_magnitude;
        }
        (sum, magnitude)
    }
}

impl<T: Float> KernelMachine<T> for KernelRidge<T> {
    fn name(&self) -> String {
        format!("exact kernel ridge, {}, n={}, λ={:e}", self.kernel.name(), self.x.len(), self.lambda)
    }

    fn inputs(&self) -> usize {
        self.x.features()
    }

    fn outputs(&self) -> usize {
        self.alpha.ncols()
    }

    fn seen(&self) -> &SeenClasses {
        &self.seen
    }

    fn width(&self) -> usize {
        self.x.len()
    }

    /// As an [expansion](super::Expansion) on the samples: the matrix is not kept.
    fn store(&self, to: &mut Store) -> Result<Settings> {
        store(&KernelMachine::name(self), &*self.kernel, &self.x, &self.alpha, to)
    }

    fn predict_block(&self, x: Rows<'_, T>, out: &mut [T]) {
        expand(self.kernel.as_ref(), x, self.x.rows(), &self.alpha, out);
    }
}

/// Columns of (K + nλI)⁻¹ that are made together.
const COLUMNS: usize = 128;

/// The same error with a λ to try.
pub(super) fn name_lambda(error: Error, lambda: f64, n: usize) -> Error {
    match error {
        // Of a pivot that is not finite, no λ is the cause, and none helps.
        Error::NotPositiveDefinite { pivot, value, hint } if value.is_finite() => {
            let hint = format!("λ = {lambda:e} is too small for {}: {hint}", count(n, "sample"));
            Error::NotPositiveDefinite { pivot, value, hint }
        }
        other => other,
    }
}
