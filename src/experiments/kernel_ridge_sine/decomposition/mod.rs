//! Bias and variance from resampled sets, and the error from others. What a γ and a λ come to has a file of its own,
//! for its tests; so have the claims and the figures.

mod claims;
mod maps;
mod part;

use claims::{bias_claims, noise_claims};
use maps::{lines, maps, table};
use part::{Grouped, Part, Sums};

use nalgebra::DMatrix;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::grid::{Cell, Grid};
use super::{N, NOISE, POINTS, SEEDS, SETS, draw, places, truth};
use crate::experiments::prelude::*;
use crate::models::kernel::{Rbf, RidgePath, Samples, cross_gram};

/// A set: its inputs, and in columns the targets to fit.
struct Set {
    x: Samples<f64>,
    y: DMatrix<f64>,
}

/// Through these go the lines along λ and along γ: about where fits of such sets are best.
const MIDDLE: (f64, f64) = (2.15, 1e-4);

/// Bias and variance over the grid.
#[derive(Serialize, Deserialize)]
pub(super) struct Decomposition {
    /// For every γ, and for every λ of it.
    parts: Vec<Part>,
    /// Along λ and along γ, group by group.
    along_lambda: Vec<Grouped>,
    along_gamma: Vec<Grouped>,
}

/// The place of the number that is nearest to another as a ratio.
fn nearest(all: &[f64], to: f64) -> usize {
    let places = Vec::from_iter(0..all.len());
    *least(&places, |i| Float::ln(all[*i] / to).abs())
}

pub(super) fn measure(context: &Context, grid: &Grid) -> Result<Decomposition> {
    context.at(2, 10, "resampled sets")?;
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
    let of_gamma = |gamma: &f64| -> Result<Vec<(Part, Grouped)>> {
        let kernel = Rbf::new(*gamma)?;
        let mut sums = vec![Sums::default(); grid.lambdas.len()];
        for (own, (other, targets)) in sets.iter().zip(others.iter().zip(&targets)) {
            context.check()?;
            let values = fitted(&kernel, own, &at, &grid.lambdas)?;
            let other = fitted(&kernel, other, &at, &grid.lambdas)?;
            for (k, sums) in sums.iter_mut().enumerate() {
                let (noisy, clean) = (values.column(2 * k), values.column(2 * k + 1));
                sums.distances.extend(noisy.iter().zip(&truths).map(|(f, t)| f - t));
                sums.from_noise.push((noisy - clean).norm_squared());
                let fitted = other.column(k);
                let squares = fitted.iter().zip(targets).map(|(f, y)| (y - f) * (y - f));
                sums.errors.push(squares.sum::<f64>() / POINTS as f64);
            }
        }
        let all = grid.lambdas.iter().zip(sums);
        Ok(all.map(|(lambda, sums)| sums.part(*gamma, *lambda)).collect())
    };
    let all: Vec<Vec<(Part, Grouped)>> = grid.gammas.par_iter().map(of_gamma).collect::<Result<_>>()?;
    let (column, row) = (nearest(&grid.gammas, MIDDLE.0), nearest(&grid.lambdas, MIDDLE.1));
    let (mut parts, mut along_lambda, mut along_gamma) = (Vec::new(), Vec::new(), Vec::new());
    for (i, of_gamma) in all.into_iter().enumerate() {
        for (k, (part, grouped)) in of_gamma.into_iter().enumerate() {
            parts.push(part);
            if k == row {
                along_gamma.push(grouped.clone());
            }
            if i == column {
                along_lambda.push(grouped);
            }
        }
    }
    Ok(Decomposition { parts, along_lambda, along_gamma })
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

pub(super) fn report(outcome: &mut Outcome, grid: &Grid, measured: &Decomposition, chosen: &Cell) {
    let Decomposition { parts, along_lambda, along_gamma } = measured;
    noise_claims(outcome, along_lambda, along_gamma);
    bias_claims(outcome, along_lambda, along_gamma);
    maps(outcome, grid, parts, chosen);
    let (gamma, lambda) = (along_lambda[0].gamma, along_gamma[0].lambda);
    let of_gamma: Vec<&Part> = parts.iter().filter(|part| part.gamma == gamma).collect();
    let of_lambda: Vec<&Part> = parts.iter().filter(|part| part.lambda == lambda).collect();
    lines(outcome, &of_gamma, &of_lambda);
    outcome.table(table("bias-variance-lambda", "λ", &of_gamma, |part| part.lambda));
    outcome.table(table("bias-variance-gamma", "γ", &of_lambda, |part| part.gamma));
    // Below, where fits go far beyond the samples, rounding is amplified: another processor gives other digits.
    let stable: Vec<&&Part> = of_gamma.iter().filter(|part| part.lambda > 0.99e-8).collect();
    for part in [stable[0], stable[stable.len() / 2], stable[stable.len() - 1]] {
        outcome.number(format!("bias² at λ = {}", rounded(part.lambda, 2)), part.bias);
        outcome.number(format!("variance at λ = {}", rounded(part.lambda, 2)), part.variance);
        outcome.number(format!("error at λ = {}", rounded(part.lambda, 2)), part.error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At fixed inputs the noise gives the fit at x the variance σ²·‖(K + nλI)⁻¹k(x)‖², and every eigenvalue of that
    /// falls with λ: at each place, not only in the mean.
    #[test]
    fn the_variance_from_the_noise_falls_with_the_ridge() {
        let (x, _) = draw(1).unwrap();
        let (at, kernel) = (Samples::new(places(), 1).unwrap(), Rbf::new(2.0).unwrap());
        let identity = DMatrix::identity(N, N);
        let path = RidgePath::new(&kernel, &x, &identity, 1 << 30).unwrap();
        let variances = |lambda: f64| -> Vec<f64> {
            let rows = cross_gram(&kernel, &at, &x) * path.at(lambda).unwrap().alpha;
            rows.row_iter().map(|row| row.norm_squared()).collect()
        };
        let all: Vec<Vec<f64>> = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0].map(variances).into();
        for pair in all.windows(2) {
            assert!(pair[0].iter().zip(&pair[1]).all(|(more, less)| less < more));
        }
    }
}
