//! Bias and variance from resampled sets, and the error from others.

mod claims;
mod maps;

use claims::{bias_claims, noise_claims, sum_claim, variance_claim};
use maps::{lines, maps, table};

use nalgebra::DMatrix;

use super::grid::Grid;
use super::{N, NOISE, POINTS, SEEDS, SETS, draw, places, truth};
use crate::experiments::statistics::{differences, mean_and_deviation, mean_and_error};
use crate::experiments::{Context, Outcome};
use crate::models::kernel::{Rbf, RidgePath, Samples, cross_gram};
use crate::report::rounded;
use crate::rng::{Purpose, derive, standard_normal, stream};
use crate::{Float, Result};

/// What the sets say of one γ and one λ, as means over the places.
pub(super) struct Part {
    gamma: f64,
    lambda: f64,
    /// Without its own bias, so that it may be below 0.
    bias: f64,
    /// The same with one set left out, for each of them.
    without: Vec<f64>,
    variance: f64,
    /// The part of the variance that comes from the noise, at fixed inputs.
    from_noise: f64,
    /// Standard error of bias² + variance.
    sum_deviation: f64,
    /// On noisy targets, by the other sets; and its standard error.
    error: f64,
    error_deviation: f64,
}

impl Part {
    /// Two standard errors of bias², by the jackknife (Efron and Stein 1981): what is below is not resolved.
    fn floor(&self) -> f64 {
        2.0 * jackknife(&self.without)
    }

    fn resolved(&self) -> bool {
        self.bias > self.floor()
    }

    /// bias² + variance + σ².
    fn sum(&self) -> f64 {
        self.bias + self.variance + NOISE * NOISE
    }

    /// Error less the sum, in standard errors: those of two independent halves.
    fn apart(&self) -> f64 {
        (self.error - self.sum()) / self.tolerance()
    }

    fn tolerance(&self) -> f64 {
        Float::sqrt(self.error_deviation * self.error_deviation + self.sum_deviation * self.sum_deviation)
    }
}

/// Standard error of something, from what it is with each set left out.
fn jackknife(without: &[f64]) -> f64 {
    let (_, deviation) = mean_and_deviation(without);
    deviation * (SETS as f64 - 1.0) / (SETS as f64).sqrt()
}

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

/// What is gathered of one γ and one λ.
#[derive(Clone, Default)]
struct Sums {
    /// f − sin at the places, set by set.
    distances: Vec<f64>,
    from_noise: f64,
    /// Of each of the other sets.
    errors: Vec<f64>,
}

impl Sums {
    fn part(self, gamma: f64, lambda: f64) -> Part {
        let (sets, points) = (SETS as f64, POINTS as f64);
        // ⟨dₛ, dₜ⟩ of the distances d of two sets, as a mean over the places: for s ≠ t it has the mean bias².
        let distances = DMatrix::from_vec(POINTS, SETS, self.distances);
        let products = distances.tr_mul(&distances) / points;
        let squares: Vec<f64> = products.diagonal().iter().copied().collect();
        let rows: Vec<f64> = products.row_iter().zip(&squares).map(|(row, own)| row.sum() - own).collect();
        let total: f64 = rows.iter().sum();
        let bias = total / (sets * (sets - 1.0));
        let without = rows.iter().map(|row| (total - 2.0 * row) / ((sets - 1.0) * (sets - 2.0))).collect();
        let (square, sum_deviation) = mean_and_error(&squares);
        let (error, error_deviation) = mean_and_error(&self.errors);
        Part {
            gamma,
            lambda,
            bias,
            without,
            variance: square - bias,
            from_noise: self.from_noise / (sets * points),
            sum_deviation,
            error,
            error_deviation,
        }
    }
}

/// How far bias² falls at most from one of some settings to the next, in standard errors of the difference, and
/// where it is resolved; there, the paired sets tell more than the two standard errors would.
fn largest_fall(parts: &[&Part]) -> f64 {
    let resolved = parts.windows(2).filter(|pair| pair.iter().all(|part| part.resolved()));
    let falls = resolved.map(|pair| {
        (pair[0].bias - pair[1].bias) / jackknife(&differences(&pair[0].without, &pair[1].without))
    });
    falls.fold(f64::NEG_INFINITY, f64::max)
}

/// The largest fall in words.
fn steps(fall: f64) -> String {
    match fall > 0.0 {
        true => format!("one step goes the other way, by {} standard errors", rounded(fall, 2)),
        false => format!("each step between resolved ones is at least {} standard errors", rounded(-fall, 2)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Distances of all sets to the sine: the same bias of ½ at every place, and noise of deviation 2.
    fn distances(seed: u64) -> Vec<f64> {
        let mut rng = stream(seed, Purpose::Data);
        (0..SETS * POINTS).map(|_| 0.5 + 2.0 * standard_normal(&mut rng)).collect()
    }

    #[test]
    fn bias_and_variance_by_products_are_those_by_means() {
        let distances = distances(1);
        let sums = Sums { distances: distances.clone(), from_noise: 0.0, errors: vec![1.0; SETS] };
        let part = sums.part(1.0, 1.0);
        let (mut bias, mut variance) = (0.0, 0.0);
        for place in 0..POINTS {
            let values: Vec<f64> = distances.iter().skip(place).step_by(POINTS).copied().collect();
            let (mean, deviation) = mean_and_deviation(&values);
            bias += (mean * mean - deviation * deviation / SETS as f64) / POINTS as f64;
            variance += deviation * deviation / POINTS as f64;
        }
        assert!((part.bias - bias).abs() < 1e-12 && (part.variance - variance).abs() < 1e-12);
        // Without the correction bias² would be 0.25 + 4/100.
        assert!(
            (part.bias - 0.25).abs() < part.floor() && part.floor() < 0.04,
            "{} {}",
            part.bias,
            part.floor()
        );
        assert!(part.resolved() && (part.variance - 4.0).abs() < 0.2);
    }

    #[test]
    fn the_jackknife_of_a_mean_is_its_standard_error() {
        let mut rng = stream(2, Purpose::Data);
        let values: Vec<f64> = (0..SETS).map(|_| standard_normal(&mut rng)).collect();
        let total: f64 = values.iter().sum();
        let without: Vec<f64> = values.iter().map(|value| (total - value) / (SETS as f64 - 1.0)).collect();
        let (_, deviation) = mean_and_deviation(&values);
        assert!((jackknife(&without) - deviation / (SETS as f64).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_fall_counts_where_both_are_resolved() {
        let part = |seed: u64, shift: f64| {
            let distances = distances(seed).into_iter().map(|d| d + shift).collect();
            Sums { distances, from_noise: 0.0, errors: vec![1.0; SETS] }.part(1.0, 1.0)
        };
        let (low, high, none) = (part(3, 0.5), part(3, 1.0), part(4, -0.5));
        assert!(!none.resolved(), "{} {}", none.bias, none.floor());
        assert!(largest_fall(&[&low, &high]) < -3.0 && largest_fall(&[&high, &low]) > 3.0);
        assert_eq!(largest_fall(&[&high, &none, &low]), f64::NEG_INFINITY);
    }
}
