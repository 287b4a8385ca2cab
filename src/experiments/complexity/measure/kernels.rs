//! Gram matrices, and kernel machines.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::{Effort, Task, least_seconds, normal};
use crate::experiments::prelude::*;
use crate::experiments::stopwatch::{seconds, seconds_of};
use crate::linalg::Cholesky;
use crate::models::kernel::{KernelMachine, KernelRidge, Rbf, RidgeOptions, Samples, gram};

/// n samples from N(0, 1/d) in each of d coordinates, so that distances are about √2 whatever d is.
fn samples(seed: u64, n: usize, d: usize) -> Result<Samples<f64>> {
    let scale = 1.0 / Float::sqrt(d as f64);
    Samples::new(normal(seed, n * d).into_iter().map(|x| scale * x).collect(), d)
}

/// Samples, and a target for each.
fn problem(context: &Context, n: usize, d: usize) -> Result<(Samples<f64>, DMatrix<f64>)> {
    let y = DMatrix::from_column_slice(n, 1, &normal(derive(context.seed, 1), n));
    Ok((samples(context.seed, n, d)?, y))
}

const LAMBDA: f64 = 1e-6;

pub fn gram_matrix(context: &Context, n: usize, d: usize, size: usize) -> Result<Task> {
    let (x, kernel) = (samples(context.seed, n, d)?, Rbf::new(1.0)?);
    // One half is computed: a product of d, and the distance and the exponential, which are not counted.
    Ok(Task::new(size, (n * n * d) as f64 / 2.0, move || Ok(seconds(|| gram(&kernel, &x)))))
}

/// The factor of K + nλI, and the solution for one right-hand side.
pub fn solve(context: &Context, n: usize) -> Result<Task> {
    let (x, y) = problem(context, n, 16)?;
    let mut k = gram(&Rbf::new(1.0)?, &x);
    (0..n).for_each(|i| k[(i, i)] += n as f64 * LAMBDA);
    let work = move || {
        let (k, mut alpha) = (k.clone(), y.clone());
        seconds_of(|| {
            let factor = Cholesky::new(k)?;
            factor.solve_in_place(&mut alpha);
            Ok(factor)
        })
    };
    let order = n as f64;
    Ok(Task::new(n, order * order * order / 6.0 + order * order, work))
}

/// Predictions for 256 samples.
pub fn predict(context: &Context, n: usize, d: usize, size: usize) -> Result<Task> {
    const TESTS: usize = 256;
    let machine = machine(context, n, d)?;
    let tests = samples(derive(context.seed, 2), TESTS, d)?;
    let operations = (TESTS * n * (d + 1)) as f64;
    Ok(Task::new(size, operations, move || Ok(seconds(|| machine.predict(&tests)))))
}

fn machine(context: &Context, n: usize, d: usize) -> Result<KernelRidge<f64>> {
    let (x, y) = problem(context, n, d)?;
    KernelRidge::fit(Arc::new(Rbf::new(1.0)?), &x, &y, RidgeOptions::new(LAMBDA))
}

/// Numbers that a fitted machine holds: the factor, α, and the samples with their norms.
pub fn machine_numbers(context: &Context, n: usize, d: usize) -> Result<usize> {
    let machine = machine(context, n, d)?;
    Ok(machine.factor().l().len() + machine.alpha().len() + n * (machine.inputs() + 1))
}

/// Seconds of a whole fit: Gram matrix, factor, solution.
pub fn fit_seconds(context: &Context, n: usize, d: usize) -> Result<f64> {
    let (x, y) = problem(context, n, d)?;
    let kernel = Arc::new(Rbf::new(1.0)?);
    least_seconds(context, Effort::Least, || {
        seconds_of(|| KernelRidge::fit(kernel.clone(), &x, &y, RidgeOptions::new(LAMBDA)))
    })
}
