//! All λ from one spectral decomposition.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};

use super::functions::Kernel;
use super::gram::{check_kernel, gram_lower};
use super::options::{RidgeOptions, check_lambda};
use super::samples::{Samples, seen_classes};
use super::targets::Scales;
use super::weights::{Counted, RowWeights};
use crate::linalg::{SymmetricEigen, symmetric_eigen};
use crate::memory::collected;
use crate::metrics::SeenClasses;
use crate::settings::{Range, check};
use crate::text::count;
use crate::{Error, Float, Result};

/// K = Q·diag(d)·Qᵀ, from which the fit for any λ follows in O(n²c).
///
/// With weights ωᵢ, divided by their mean, √ωᵢ·Kᵢⱼ·√ωⱼ is decomposed; n is the number of samples whose weight is not 0.
///
/// Along the eigenvector qᵢ the fitted values are the targets shrunk by dᵢ/(dᵢ + nλ).
#[derive(Clone, Debug)]
pub struct RidgePath<T: Float> {
    eigen: SymmetricEigen<T>,
    /// QᵀY, n×c, its columns divided by their scales.
    projected: DMatrix<T>,
    scales: Scales,
    /// The exponent of the largest scale.
    largest: i32,
    weights: RowWeights<T>,
    seen: SeenClasses,
}

/// A point of the path.
#[derive(Clone, Debug)]
pub struct PathPoint<T: Float> {
    /// λ.
    pub lambda: f64,
    /// α = Q·(d + nλ)⁻¹·QᵀY, a row for each sample whose weight is not 0.
    pub alpha: DMatrix<T>,
    /// yᵢ − f₋ᵢ(xᵢ), n×c, where a sample is left out with all its weight.
    pub leave_one_out_residuals: DMatrix<T>,
    /// Σ dᵢ/(dᵢ + nλ).
    pub effective_dimension: f64,
    /// Mean of the squared leave-one-out residuals over samples, by their weights, and columns; ∞ or 0 where it leaves the
    /// range of `f64`, which [`best`](RidgePath::best) does not depend on.
    pub leave_one_out_error: f64,
    seen: SeenClasses,
}

impl<T: Float> RidgePath<T> {
    /// Decomposes K(X, X). Takes at most 4·n³ multiply-adds and 6·n² numbers of memory; `memory` is the limit
    /// in bytes.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting of the kernel is beyond `T`, or it takes more memory than allowed;
    /// [`Error::Data`] as [`KernelRidge::fit`](super::KernelRidge::fit); [`Error::NonFinite`] if a kernel
    /// value is not finite.
    pub fn new(kernel: &dyn Kernel<T>, x: &Samples<T>, y: &DMatrix<T>, memory: u64) -> Result<Self> {
        T::ridge_path(kernel, x, y, memory)
    }

    pub(crate) fn new_of(
        kernel: &dyn Kernel<T>,
        x: &Samples<T>,
        y: &DMatrix<T>,
        memory: u64,
    ) -> Result<Self> {
        let Counted { x, y, weights } = Counted::new(x, y)?;
        let (n, d, c) = (x.len() as u128, x.features() as u128, y.ncols() as u128);
        let what = format!("the spectral decomposition for {}", count(n, "sample"));
        let way_out = "choose λ on fewer samples, or fit one λ by KernelRidge";
        let options = RidgeOptions::new(0.0).with_memory(memory);
        options.check_memory::<T>(&what, 6 * n * n + n * (d + 1) + 2 * n * c, way_out)?;
        check_kernel(kernel, &x)?;
        let mut k = gram_lower(kernel, &x)?;
        weights.scale_both(&mut k);
        let mut eigen = symmetric_eigen(&k)?;
        // K is positive semi-definite: what is below zero is rounding.
        eigen.values.iter_mut().for_each(|v| *v = v.max(T::ZERO));
        let scales = Scales::of(&y);
        let mut scaled = scales.divide(&y);
        weights.scale(&mut scaled);
        let projected = eigen.vectors.tr_mul(&scaled);
        let largest = scales.largest(&y);
        Ok(RidgePath { eigen, projected, scales, largest, weights, seen: seen_classes(&y) })
    }

    /// d, ascending, and Q.
    pub fn eigen(&self) -> &SymmetricEigen<T> {
        &self.eigen
    }

    /// dᵢ/(dᵢ + nλ), in the order of the eigenvalues.
    ///
    /// # Errors
    /// [`Error::Setting`] if λ is negative or not finite, nλ is beyond `T`, or λ is 0 and K singular.
    pub fn shrinkage(&self, lambda: f64) -> Result<DVector<T>> {
        let denominators = self.denominators(lambda)?;
        Ok(self.eigen.values.component_div(&denominators))
    }

    /// The fit at λ.
    ///
    /// # Errors
    /// As [`shrinkage`](Self::shrinkage); [`Error::NonFinite`] if α leaves the range of `T`.
    pub fn at(&self, lambda: f64) -> Result<PathPoint<T>> {
        Ok(self.measured(lambda)?.0)
    }

    /// The fit at λ, and its leave-one-out error over the square of the largest scale.
    fn measured(&self, lambda: f64) -> Result<(PathPoint<T>, f64)> {
        let denominators = self.denominators(lambda)?;
        let (n, q) = (denominators.len(), &self.eigen.vectors);
        let mut scaled = self.projected.clone();
        for mut column in scaled.column_iter_mut() {
            column.component_div_assign(&denominators);
        }
        let mut alpha = q * scaled;
        let mut inverse = DVector::<T>::zeros(n);
        for (column, denominator) in q.column_iter().zip(&denominators) {
            inverse.zip_apply(&column, |sum, v| *sum += v * v / *denominator);
        }
        let root = |i| self.weights.root(i);
        let mut residuals = DMatrix::from_fn(n, alpha.ncols(), |i, j| alpha[(i, j)] / inverse[i] / root(i));
        self.weights.scale(&mut alpha);
        let mut squares = 0.0;
        for (column, exponent) in residuals.column_iter().zip(self.scales.exponents()) {
            for (i, r) in column.iter().enumerate() {
                let r = libm::scalbn(r.to_f64(), exponent - self.largest) * root(i).to_f64();
                squares += r * r;
            }
        }
        let error = squares / residuals.len() as f64;
        self.scales.multiply("the coefficients α", &mut alpha)?;
        self.scales.multiply("the leave-one-out residuals", &mut residuals)?;
        let shrinkage = self.eigen.values.component_div(&denominators);
        let point = PathPoint {
            lambda,
            alpha,
            effective_dimension: shrinkage.iter().map(|s| s.to_f64()).sum(),
            leave_one_out_error: libm::scalbn(error, 2 * self.largest),
            leave_one_out_residuals: residuals,
            seen: self.seen.clone(),
        };
        Ok((point, error))
    }

    /// The point of least leave-one-out error among `lambdas`; the first of equals.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are none; as [`shrinkage`](Self::shrinkage).
    pub fn best(&self, lambdas: &[f64]) -> Result<PathPoint<T>> {
        let mut best: Option<(PathPoint<T>, f64)> = None;
        for lambda in lambdas {
            let found = self.measured(*lambda)?;
            if best.as_ref().is_none_or(|(_, error)| found.1 < *error) {
                best = Some(found);
            }
        }
        best.map(|(point, _)| point)
            .ok_or_else(|| Error::setting("lambda", "there is no value to choose from"))
    }

    /// dᵢ + nλ.
    fn denominators(&self, lambda: f64) -> Result<DVector<T>> {
        let n = self.eigen.values.len();
        check_lambda::<T>(lambda, n)?;
        let largest = self.eigen.values[n - 1];
        let sums = self.eigen.values.add_scalar(T::of(lambda * n as f64));
        let noise = T::of(n as f64) * T::EPSILON * largest;
        // Ascending: the first is the least. A path may go lower than a factor, K ≥ 0 being known here.
        if sums[0] > T::ZERO && (lambda > 0.0 || sums[0] > noise) {
            return Ok(sums);
        }
        let least = noise.to_f64() / n as f64;
        let why = format!("{lambda}: the matrix is singular without a ridge; take more than {least:.1e}");
        Err(Error::setting("lambda", why))
    }
}

/// `count` values of λ from `from` to `to`, evenly on the logarithmic scale.
///
/// # Errors
/// [`Error::Setting`] unless both are finite and above 0; [`Error::Memory`] for too many values.
pub fn lambda_grid(from: f64, to: f64, count: usize) -> Result<Vec<f64>> {
    check::<f64>("lambda", from, Range::POSITIVE)?;
    check::<f64>("lambda", to, Range::POSITIVE)?;
    let (a, b) = (Float::ln(from), Float::ln(to));
    let last = count.saturating_sub(1);
    let at = |i: usize| match i {
        0 => from,
        i if i == last => to,
        i => Float::exp(a + (b - a) * i as f64 / last as f64),
    };
    collected((0..count).map(at), "the values of lambda")
}

impl<T: Float> PathPoint<T> {
    /// The predictor of this point, on the samples the path was made of.
    ///
    /// # Panics
    /// If `x` has another number of samples whose weight is not 0.
    #[track_caller]
    pub fn machine(&self, kernel: Arc<dyn Kernel<T>>, x: &Samples<T>) -> super::Expansion<T> {
        let counted = x.counted_rows().map(|rows| x.subset(&rows));
        super::Expansion::new(
            format!("kernel ridge λ={:e}", self.lambda),
            kernel,
            counted.unwrap_or_else(|| x.clone()),
            self.alpha.clone(),
        )
        .with_seen(self.seen.clone())
    }
}
