//! Random Fourier features for the Gaussian kernel.

use nalgebra::DMatrix;

use super::features;
use super::functions::Kernel;
use super::gram::{check_kernel, for_rows};
use super::machine::KernelMachine;
use super::options::RidgeOptions;
use super::samples::{Rows, Samples, seen_classes};
use super::weights::Counted;
use crate::float::sines_and_cosines;
use crate::linalg::{Mat, gemm, norm_squared};
use crate::metrics::SeenClasses;
use crate::rng::{Purpose, standard_normal, stream};
use crate::settings::{Range, at_least_one, check};
use crate::store::{Settings, Store, Stored};
use crate::text::count;
use crate::{Error, Float, Result};

/// Ridge regression on z(x) = √(1/F)·[cos ω₁ᵀx, …, cos ω_Fᵀx, sin ω₁ᵀx, …, sin ω_Fᵀx] with ωⱼ ~ N(0, 2γI).
///
/// E⟨z(x), z(y)⟩ = exp(−γ‖x − y‖²), with an error like 1/√F (Rahimi and Recht, "Random features for
/// large-scale kernel machines", 2007; pairs of cosine and sine have the lower variance: Sutherland and
/// Schneider, "On the error of random Fourier features", 2015).
///
/// An angle of many turns has few digits left of its place in the last. Where the mean of the samples is that
/// far from the origin, 2γ‖mean‖² > 256, it is subtracted from all samples, here and in a prediction: the
/// kernel depends on differences only.
#[derive(Clone, Debug)]
pub struct FourierRidge<T: Float> {
    name: String,
    /// F×d, row-major.
    frequencies: Vec<T>,
    /// What is subtracted from each sample; nothing if it is empty.
    centre: Vec<T>,
    inputs: usize,
    /// 2F×c.
    weights: DMatrix<T>,
    seen: SeenClasses,
}

impl<T: Float> FourierRidge<T> {
    /// What a file holds of it.
    pub(crate) fn restore(settings: &Settings, from: &Stored) -> Result<Self> {
        let frequencies = from.matrix::<T>("frequencies")?;
        let (f, inputs) = frequencies.shape();
        let weights = from.dmatrix::<T>("weights")?;
        if f == 0 || inputs == 0 || weights.nrows() != 2 * f {
            let why = format!(
                "{} of {}, but {} in the file",
                count(f, "frequency"),
                count(inputs, "feature"),
                count(weights.nrows(), "weight")
            );
            return Err(Error::Data(why));
        }
        let centred: bool = settings.get("centred")?;
        let centre = if centred { from.shaped("centre", 1, inputs)?.into_vec() } else { Vec::new() };
        let seen = SeenClasses::all(weights.ncols());
        let name = settings.get("name")?;
        Ok(FourierRidge { name, frequencies: frequencies.into_vec(), centre, inputs, weights, seen })
    }

    /// Fits with `frequencies` = F pairs of features. Takes 2·nF² multiply-adds and 4F² numbers of memory.
    ///
    /// # Errors
    /// [`Error::Setting`] if the kernel is not Gaussian, λ is negative, nλ or γ is beyond `T`, F is 0, or the
    /// memory is not enough; [`Error::Data`] for bad targets or weights; [`Error::NonFinite`] if the weights leave the
    /// range of `T`; [`Error::NotPositiveDefinite`] if λ is too small.
    pub fn fit(
        kernel: &dyn Kernel<T>,
        x: &Samples<T>,
        y: &DMatrix<T>,
        frequencies: usize,
        seed: u64,
        options: RidgeOptions,
    ) -> Result<Self> {
        T::fourier_ridge(kernel, x, y, frequencies, seed, options)
    }

    pub(crate) fn fit_of(
        kernel: &dyn Kernel<T>,
        x: &Samples<T>,
        y: &DMatrix<T>,
        frequencies: usize,
        seed: u64,
        options: RidgeOptions,
    ) -> Result<Self> {
        options.check_lambda::<T>(x.len())?;
        let Counted { x, y, weights: row_weights } = Counted::new(x, y)?;
        check_kernel(kernel, &x)?;
        let Some(gamma) = kernel.gaussian_gamma() else {
            let why = format!("{}: random Fourier features are drawn for the rbf kernel only", kernel.name());
            return Err(Error::setting("kernel", why));
        };
        let (n, d, c) = (x.len(), x.features(), y.ncols());
        let width = frequencies.saturating_mul(2);
        at_least_one("frequencies", frequencies)?;
        // The angles of a block are half of its features; and it may be copied to be centred.
        let extra = (frequencies as u128 + 4096.min(n) as u128) * d as u128 + width as u128 * 4096 / 2;
        let what = format!("ridge regression on {width} random features in {}", T::NAME);
        let numbers = features::numbers(n, d, c, width).saturating_add(extra);
        options.check_memory::<T>(&what, numbers, "take fewer frequencies")?;
        let mut rng = stream(seed, Purpose::Projection);
        let deviation = (2.0 * gamma).sqrt();
        check::<T>("gamma", deviation, Range::POSITIVE)?;
        let omega: Vec<T> =
            (0..frequencies * d).map(|_| T::of(deviation * standard_normal(&mut rng))).collect();
        let centre = centre(&x, gamma);
        let (mut weights, scales) =
            features::ridge(&x, &y, width, &row_weights, options.lambda, |rows, phi| {
                fourier(&omega, &centre, rows, phi)
            })?;
        scales.multiply("the weights", &mut weights)?;
        let name = format!(
            "random Fourier features, {}, {}, λ={:e}",
            kernel.name(),
            count(frequencies, "frequency"),
            options.lambda
        );
        Ok(FourierRidge { name, frequencies: omega, centre, inputs: d, weights, seen: seen_classes(&y) })
    }

    /// z(x) of every sample, n×2F.
    ///
    /// # Panics
    /// If the samples have another number of features.
    #[track_caller]
    pub fn features(&self, x: &Samples<T>) -> DMatrix<T> {
        let (d, found) = (self.inputs, x.features());
        assert!(d == found, "FourierRidge: fitted to {}, found {found}", count(d, "feature"));
        let mut phi = vec![T::ZERO; x.len() * self.width()];
        fourier(&self.frequencies, &self.centre, x.rows(), &mut phi);
        DMatrix::from_row_slice(x.len(), self.width(), &phi)
    }

    /// The weights of the features, 2F×c.
    pub fn weights(&self) -> &DMatrix<T> {
        &self.weights
    }
}

/// Squared angles, typical of the mean sample, from which on the samples are centred.
const FAR: f64 = 256.0;

/// The mean of the samples if it is far from the origin for the frequencies, or else nothing.
fn centre<T: Float>(x: &Samples<T>, gamma: f64) -> Vec<T> {
    let (n, d) = (x.len() as f64, x.features());
    let mut mean = vec![0.0; d];
    for block in x.rows().values.chunks(64 * d) {
        let mut of_block = vec![0.0; d];
        for row in block.chunks_exact(d) {
            of_block.iter_mut().zip(row).for_each(|(sum, x)| *sum += x.to_f64());
        }
        mean.iter_mut().zip(of_block).for_each(|(sum, b)| *sum += b);
    }
    mean.iter_mut().for_each(|sum| *sum /= n);
    let far = 2.0 * gamma * norm_squared(&mean) > FAR;
    if far { mean.into_iter().map(T::of).collect() } else { Vec::new() }
}

/// Writes z(x) for some rows.
fn fourier<T: Float>(omega: &[T], centre: &[T], x: Rows<'_, T>, phi: &mut [T]) {
    let (f, d) = (omega.len() / x.features, x.features);
    let mut angles = vec![T::ZERO; x.len() * f];
    let mut centred = Vec::new();
    if !centre.is_empty() {
        centred.extend_from_slice(x.values);
        for row in centred.chunks_exact_mut(d) {
            row.iter_mut().zip(centre).for_each(|(x, c)| *x -= *c);
        }
    }
    let values = if centre.is_empty() { x.values } else { &centred };
    gemm(&mut angles, false, Mat::new(values, x.len(), d), Mat::new(omega, f, d).t());
    let scale = T::of((1.0 / f as f64).sqrt());
    for_rows(phi, 2 * f, 0, &|i, row: &mut [T]| {
        let (cosines, sines) = row.split_at_mut(f);
        let angles = &angles[i * f..(i + 1) * f];
        sines_and_cosines(
            angles,
            #[inline(always)]
            |start, sin, cos| {
                let multiply = |to: &mut [T], from: &[T]| {
                    to[start..].iter_mut().zip(from).for_each(|(to, from)| *to = scale * *from);
                };
                multiply(cosines, cos);
                multiply(sines, sin);
            },
        );
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

    fn store(&self, to: &mut Store) -> Result<Settings> {
        let (f, d) = (self.frequencies.len() / self.inputs, self.inputs);
        to.put("frequencies", f, d, &self.frequencies);
        to.put_matrix("weights", &self.weights);
        if !self.centre.is_empty() {
            to.put("centre", 1, d, &self.centre);
        }
        let settings =
            Settings::of("fourier").with("name", &self.name).with("centred", !self.centre.is_empty());
        Ok(settings.with("precision", T::NAME))
    }

    fn predict_block(&self, x: Rows<'_, T>, out: &mut [T]) {
        let mut phi = vec![T::ZERO; x.len() * self.width()];
        fourier(&self.frequencies, &self.centre, x, &mut phi);
        // Column-major weights are their transpose, row-major.
        let weights = Mat::new(self.weights.as_slice(), self.outputs(), self.width()).t();
        gemm(out, false, Mat::new(&phi, x.len(), self.width()), weights);
    }
}
