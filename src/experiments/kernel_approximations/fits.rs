//! Fits over seeds: accuracy against the number of features, and what FALKON and conjugate gradients lose.

use std::ops::ControlFlow;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::{Setting, drawn, root_n_centres};
use crate::experiments::data::kernel_inputs;
use crate::experiments::prelude::*;
use crate::models::kernel::{
    Centres, FalkonOptions, FourierRidge, IterativeOptions, KernelMachine, KernelRidge, NystromOptions, Rbf,
    RidgeOptions, Samples, falkon_observed, iterative_ridge, nystrom,
};

/// Iterations of FALKON and of conjugate gradients at most, and where it may stop before.
const ITERATIONS: usize = 50;
const TOLERANCE: f64 = 1e-4;

/// Of each seed, with its own training samples.
#[derive(Serialize, Deserialize)]
pub(super) struct Fits {
    pub samples: usize,
    pub tested: usize,
    /// Test accuracy of the exact fit.
    pub exact: Vec<f64>,
    /// Of conjugate gradients on the same system.
    pub gradients: Vec<f64>,
    pub rows: Vec<Accuracies>,
    /// √n·ln n.
    pub centres: usize,
    /// Of FALKON with so many.
    pub falkon: Vec<f64>,
    /// At λ = 1/√n, for several n.
    pub smooth: Vec<Smooth>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Accuracies {
    /// Centres, or cosines and sines.
    pub features: usize,
    pub nystrom: Vec<f64>,
    pub fourier: Vec<f64>,
}

/// FALKON with √n·ln n centres beside the exact fit.
#[derive(Serialize, Deserialize)]
pub(super) struct Smooth {
    pub samples: usize,
    pub centres: usize,
    pub exact: Vec<Score>,
    pub falkon: Vec<Score>,
}

/// On the test samples.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Score {
    pub accuracy: f64,
    /// Mean square of the scores' distance to ±1.
    pub square: f64,
}

/// Test samples with their labels and targets.
struct Test {
    x: Samples<f32>,
    labels: Vec<usize>,
    /// Row-major.
    targets: Vec<f32>,
}

impl Test {
    fn new(data: &Dataset) -> Result<Test> {
        let (x, y) = kernel_inputs::<f32>(data)?;
        let labels = data.labels().unwrap_or_default().to_vec();
        Ok(Test { x, labels, targets: y.transpose().as_slice().to_vec() })
    }

    fn accuracy(&self, machine: &dyn KernelMachine<f32>) -> f64 {
        machine.accuracy(&self.x, &self.labels)
    }

    fn score(&self, machine: &dyn KernelMachine<f32>) -> Score {
        let found = machine.predict_rows(&self.x);
        let squares = found.iter().zip(&self.targets).map(|(f, y)| f64::from(f - y) * f64::from(f - y));
        let right =
            machine.seen().decide(&found).iter().zip(&self.labels).filter(|(f, y)| **f == Some(**y)).count();
        Score {
            accuracy: right as f64 / self.labels.len() as f64,
            square: squares.sum::<f64>() / found.len() as f64,
        }
    }
}

pub(super) fn measure(context: &Context, setting: Setting, seeds: &[u64]) -> Result<Fits> {
    let train = &context.data.train;
    let n = context.pick(1500, 5000).min(train.len());
    let sizes = context.pick(vec![64, 128, 256, 512], vec![64, 128, 256, 512, 1024, 2048]);
    let test = Test::new(&context.data.test)?;
    let kernel = Arc::new(Rbf::new(setting.gamma)?);
    let centres = root_n_centres(n).min(n);
    let smooth = |part: usize| {
        let samples = n / part;
        Smooth { samples, centres: root_n_centres(samples).min(samples), exact: vec![], falkon: vec![] }
    };
    let sizes = sizes.into_iter().filter(|m| *m < n);
    let mut fits = Fits {
        samples: n,
        tested: test.labels.len(),
        exact: vec![],
        gradients: vec![],
        rows: sizes.map(|features| Accuracies { features, nystrom: vec![], fourier: vec![] }).collect(),
        centres,
        falkon: vec![],
        smooth: [8, 4, 2, 1].map(smooth).into(),
    };
    let falkon = |x: &Samples<f32>, y: &DMatrix<f32>, lambda: f64, centres: usize, seed: u64| {
        context.check()?;
        let options = falkon_options(RidgeOptions::new(lambda), centres, seed);
        let fit = falkon_observed(kernel.clone(), x, y, options, &mut |_| going_on(context))?;
        context.check()?;
        Ok::<_, Error>(fit.machine)
    };
    for (k, seed) in seeds.iter().enumerate() {
        context.at(2 * seeds.len() + 8 * k, 20 * seeds.len(), "fits of some samples")?;
        let all = drawn(train, n, *seed);
        let (x, y) = kernel_inputs::<f32>(&all)?;
        let ridge = RidgeOptions::new(setting.lambda);
        fits.exact.push(test.accuracy(&KernelRidge::fit(kernel.clone(), &x, &y, ridge)?));
        let options = gradient_options(ridge, n, *seed);
        let fit = iterative_ridge(kernel.clone(), &x, &y, options, &mut |_| going_on(context))?;
        fits.gradients.push(test.accuracy(&fit.machine));
        fits.falkon.push(test.accuracy(&falkon(&x, &y, setting.lambda, centres, *seed)?));
        for row in &mut fits.rows {
            context.check()?;
            let options =
                NystromOptions { ridge, centres: row.features, selection: Centres::Uniform, seed: *seed };
            row.nystrom.push(test.accuracy(&nystrom(kernel.clone(), &x, &y, options)?));
            context.check()?;
            let machine = FourierRidge::fit(kernel.as_ref(), &x, &y, row.features / 2, *seed, ridge)?;
            row.fourier.push(test.accuracy(&machine));
        }
        for row in &mut fits.smooth {
            context.check()?;
            let (x, y) = kernel_inputs::<f32>(&all.take(row.samples))?;
            let lambda = 1.0 / (row.samples as f64).sqrt();
            let exact = KernelRidge::fit(kernel.clone(), &x, &y, RidgeOptions::new(lambda))?;
            row.exact.push(test.score(&exact));
            row.falkon.push(test.score(&falkon(&x, &y, lambda, row.centres, *seed)?));
        }
    }
    Ok(fits)
}

/// Of conjugate gradients on all of n samples.
pub(super) fn gradient_options(ridge: RidgeOptions, n: usize, seed: u64) -> IterativeOptions {
    let (iterations, tolerance) = (ITERATIONS, TOLERANCE);
    IterativeOptions { ridge, pilots: (n / 10).max(1), seed, iterations, tolerance }
}

pub(super) fn falkon_options(ridge: RidgeOptions, centres: usize, seed: u64) -> FalkonOptions {
    let (iterations, tolerance) = (ITERATIONS, TOLERANCE);
    FalkonOptions { ridge, centres, selection: Centres::Uniform, seed, iterations, tolerance }
}

/// Whether an iteration is to go on.
pub(super) fn going_on(context: &Context) -> ControlFlow<()> {
    if context.check().is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
