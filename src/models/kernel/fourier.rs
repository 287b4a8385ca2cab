//! Random Fourier features for the Gaussian kernel.

use nalgebra::DMatrix;

use super::features;
use super::functions::Kernel;
use super::gram::for_rows;
use super::machine::KernelMachine;
use super::options::{RidgeOptions, check_targets};
use super::samples::{Rows, Samples, seen_classes};
use crate::linalg::{Mat, gemm};
use crate::metrics::SeenClasses;
use crate::rng::{Purpose, standard_normal, stream};
use crate::{Error, Float, Result};

/// Ridge regression on z(x) = √(1/F)·[cos ω₁ᵀx, …, cos ω_Fᵀx, sin ω₁ᵀx, …, sin ω_Fᵀx] with ωⱼ ~ N(0, 2γI).
///
/// E⟨z(x), z(y)⟩ = exp(−γ‖x − y‖²), with an error like 1/√F (Rahimi and Recht, "Random features for
/// large-scale kernel machines", 2007; pairs of cosine and sine have the lower variance: Sutherland and
/// Schneider, "On the error of random Fourier features", 2015).
#[derive(Clone, Debug)]
pub struct FourierRidge<T: Float> {
    name: String,
    /// F×d, row-major.
    frequencies: Vec<T>,
    inputs: usize,
    /// 2F×c.
    weights: DMatrix<T>,
    seen: SeenClasses,
}

impl<T: Float> FourierRidge<T> {
    /// Fits with `frequencies` = F pairs of features. Takes 2·nF² multiply-adds and 4F² numbers of memory.
    ///
    /// # Errors
    /// [`Error::Setting`] if the kernel is not Gaussian, λ is negative, F is 0, or the memory is not
    /// enough; [`Error::Data`] for bad targets; [`Error::NotPositiveDefinite`] if λ is too small.
    pub fn fit(
        kernel: &dyn Kernel<T>,
        x: &Samples<T>,
        y: &DMatrix<T>,
        frequencies: usize,
        seed: u64,
        options: RidgeOptions,
    ) -> Result<Self> {
        options.check_lambda()?;
        check_targets(x, y)?;
        let Some(gamma) = kernel.gaussian_gamma() else {
            let why = format!("{}: random Fourier features are drawn for the rbf kernel only", kernel.name());
            return Err(Error::setting("kernel", why));
        };
        let (n, d, c) = (x.len(), x.features(), y.ncols());
        let width = frequencies.saturating_mul(2);
        if frequencies == 0 {
            return Err(Error::setting("frequencies", "0: must be at least 1"));
        }
        // The angles of a block are half of its features.
        let extra = frequencies as u128 * d as u128 + width as u128 * 4096 / 2;
        let what = format!("ridge regression on {width} random features in {}", T::NAME);
        let numbers = features::numbers(n, d, c, width) + extra;
        options.check_memory::<T>(&what, numbers, "take fewer frequencies")?;
        let mut rng = stream(seed, Purpose::Projection);
        let deviation = (2.0 * gamma).sqrt();
        let omega: Vec<T> =
            (0..frequencies * d).map(|_| T::of(deviation * standard_normal(&mut rng))).collect();
        let weights = features::ridge(x, y, width, options.lambda, |rows, phi| fourier(&omega, rows, phi))?;
        let name = format!(
            "random Fourier features, {}, {frequencies} frequencies, λ={:e}",
            kernel.name(),
            options.lambda
        );
        Ok(FourierRidge { name, frequencies: omega, inputs: d, weights, seen: seen_classes(y) })
    }

    /// z(x) of every sample, n×2F.
    ///
    /// # Panics
    /// If the samples have another number of features.
    #[track_caller]
    pub fn features(&self, x: &Samples<T>) -> DMatrix<T> {
        let (d, found) = (self.inputs, x.features());
        assert!(d == found, "FourierRidge: fitted to {d} features, found {found}");
        let mut phi = vec![T::ZERO; x.len() * self.width()];
        fourier(&self.frequencies, x.rows(), &mut phi);
        DMatrix::from_row_slice(x.len(), self.width(), &phi)
    }

    /// The weights of the features, 2F×c.
    pub fn weights(&self) -> &DMatrix<T> {
        &self.weights
    }
}

/// Writes z(x) for some rows.
fn fourier<T: Float>(omega: &[T], x: Rows<'_, T>, phi: &mut [T]) {
    let f = omega.len() / x.features;
    let mut angles = vec![T::ZERO; x.len() * f];
    gemm(&mut angles, false, Mat::new(x.values, x.len(), x.features), Mat::new(omega, f, x.features).t());
    let scale = T::of((1.0 / f as f64).sqrt());
    for_rows(phi, 2 * f, 0, &|i, row: &mut [T]| {
        let (cosines, sines) = row.split_at_mut(f);
        let angles = &angles[i * f..(i + 1) * f];
        for ((cosine, sine), angle) in cosines.iter_mut().zip(sines).zip(angles) {
            *cosine = scale * Float::cos(*angle);
            *sine = scale * Float::sin(*angle);
        }
    });
}

impl<T: Float> KernelMachine<T> for FourierRidge<T> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.weights.ncols()
    }

    fn seen(&self) -> &SeenClasses {
        &self.seen
    }

    fn width(&self) -> usize {
        self.weights.nrows()
    }

    fn predict_block(&self, x: Rows<'_, T>, out: &mut [T]) {
        let mut phi = vec![T::ZERO; x.len() * self.width()];
        fourier(&self.frequencies, x, &mut phi);
        // Column-major weights are their transpose, row-major.
        let weights = Mat::new(self.weights.as_slice(), self.outputs(), self.width()).t();
        gemm(out, false, Mat::new(&phi, x.len(), self.width()), weights);
    }
}
