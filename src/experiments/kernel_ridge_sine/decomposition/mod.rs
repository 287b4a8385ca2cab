//! Bias and variance from resampled sets, and the error from others. What a γ and a λ come to has a file of its own,
//! for its tests; so have the claims and the figures.

mod claims;
mod maps;
mod part;

use claims::{bias_claims, noise_claims, sum_claim, variance_claim};
use maps::{lines, maps, table};
use part::{Part, Sums};

use nalgebra::DMatrix;

use super::grid::Grid;
use super::{N, NOISE, POINTS, SEEDS, SETS, draw, places, truth};
use crate::experiments::prelude::*;
use crate::models::kernel::{Rbf, RidgePath, Samples, cross_gram};

/// A set: its inputs, and in columns the targets to fit.
struct Set {
    x: Samples<f64>,
    y: DMatrix<f64>,
}

/// For every γ, and for every λ of it.
pub(super) fn measure(context: &Context, grid: &Grid) -> Result<Vec<Part>> {
    let seed = |kind: u64, set: usize| derive(context.seed, kind + set as u64);
    let (mut sets, mut others, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for set in 0..SETS {
        let (x, y) = draw(seed(SEEDS.parts, set))?;
        // Beside the noisy targets those without noise: the difference of the fits is what the noise does.
        let clean = DMatrix::from_fn(N, 1, |i, _| truth(x.rows().row(i)[0]));
        sets.push(Set { y: DMatrix::from_columns(&[y.column(0), clean.column(0)]), x });
        let (x, y) = draw(seed(SEEDS.error, set))?;
        others.push(Set { x, y });
        let mut noise = stream(seed(SEEDS.noise, set), Purpose::Data);
        targets.push(
            places().iter().map(|x| truth(*x) + NOISE * standard_normal(&mut noise)).collect::<Vec<_>>(),
        );
    }
    let at = Samples::new(places(), 1)?;
    let truths: Vec<f64> = places().into_iter().map(truth).collect();
    let mut parts = Vec::new();
    for (column, gamma) in grid.gammas.iter().enumerate() {
        context.at(1 + 8 * column / grid.gammas.len(), 10, "resampled sets")?;
        let kernel = Rbf::new(*gamma)?;
        let mut sums = vec![Sums::default(); grid.lambdas.len()];
        for (own, (other, targets)) in sets.iter().zip(others.iter().zip(&targets)) {
            context.check()?;
            let values = fitted(&kernel, own, &at, &grid.lambdas)?;
            let other = fitted(&kernel, other, &at, &grid.lambdas)?;
            for (k, sums) in sums.iter_mut().enumerate() {
                let (noisy, clean) = (values.column(2 * k), values.column(2 * k + 1));
                sums.distances.extend(noisy.iter().zip(&truths).map(|(f, t)| f - t));
                sums.from_noise += (noisy - clean).norm_squared();
                let fitted = other.column(k);
                let squares = fitted.iter().zip(targets).map(|(f, y)| (y - f) * (y - f));
                sums.errors.push(squares.sum::<f64>() / POINTS as f64);
            }
        }
        let all = grid.lambdas.iter().zip(sums);
        parts.extend(all.map(|(lambda, sums)| sums.part(*gamma, *lambda)));
    }
    Ok(parts)
}

/// Values at the places, a column for each λ and each column of targets: the λ one after another.
fn fitted(kernel: &Rbf, set: &Set, at: &Samples<f64>, lambdas: &[f64]) -> Result<DMatrix<f64>> {
    let path = RidgePath::new(kernel, &set.x, &set.y, 1 << 30)?;
    let targets = set.y.ncols();
    let mut alphas = DMatrix::zeros(N, lambdas.len() * targets);
    for (k, lambda) in lambdas.iter().enumerate() {
        alphas.columns_mut(k * targets, targets).copy_from(&path.at(*lambda)?.alpha);
    }
    Ok(cross_gram(kernel, at, &set.x) * alphas)
}

pub(super) fn report(outcome: &mut Outcome, grid: &Grid, parts: &[Part], chosen: usize) {
    let rows = grid.lambdas.len();
    let along_lambda: Vec<&Part> = parts[chosen / rows * rows..][..rows].iter().collect();
    let along_gamma: Vec<&Part> = parts.iter().skip(chosen % rows).step_by(rows).collect();
    noise_claims(outcome, parts, rows, &along_gamma);
    variance_claim(outcome, &along_lambda);
    bias_claims(outcome, &along_lambda, &along_gamma);
    sum_claim(outcome, parts);
    maps(outcome, grid, parts, chosen);
    lines(outcome, &along_lambda, &along_gamma);
    outcome.table(table("bias-variance-lambda", "λ", &along_lambda, |part| part.lambda));
    outcome.table(table("bias-variance-gamma", "γ", &along_gamma, |part| part.gamma));
    // Below, where fits go far beyond the samples, rounding is amplified: another processor gives other digits.
    let stable: Vec<&&Part> = along_lambda.iter().filter(|part| part.lambda > 0.99e-8).collect();
    for part in [stable[0], stable[stable.len() / 2], stable[stable.len() - 1]] {
        outcome.number(format!("bias² at λ = {}", rounded(part.lambda, 2)), part.bias);
        outcome.number(format!("variance at λ = {}", rounded(part.lambda, 2)), part.variance);
        outcome.number(format!("error at λ = {}", rounded(part.lambda, 2)), part.error);
    }
}
