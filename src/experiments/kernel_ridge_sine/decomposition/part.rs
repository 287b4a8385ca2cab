//! Bias, variance and error of one γ and one λ, with their uncertainty.

use nalgebra::DMatrix;

use crate::Float;
use crate::experiments::kernel_ridge_sine::{NOISE, POINTS, SETS};
use crate::experiments::statistics::{mean, mean_and_deviation, mean_and_error};
use crate::store::lossless;
use serde::{Deserialize, Serialize};

/// Sets are also taken in so many groups, of each of which bias and variance are known: claims are judged by these.
pub const GROUPS: usize = 10;

/// What the sets say of one γ and one λ, as means over the places.
#[derive(Serialize, Deserialize)]
pub struct Part {
    pub gamma: f64,
    pub lambda: f64,
    /// Without its own bias, so that it may be below 0.
    #[serde(with = "lossless")]
    pub bias: f64,
    /// Two standard errors of bias², by the jackknife (Efron and Stein 1981): what is below is not resolved.
    #[serde(with = "lossless")]
    pub floor: f64,
    #[serde(with = "lossless")]
    pub variance: f64,
    /// The part of the variance that comes from the noise, at fixed inputs.
    #[serde(with = "lossless")]
    pub from_noise: f64,
    /// Standard error of bias² + variance.
    #[serde(with = "lossless")]
    pub sum_deviation: f64,
    /// On noisy targets, by the other sets; and its standard error.
    #[serde(with = "lossless")]
    pub error: f64,
    #[serde(with = "lossless")]
    pub error_deviation: f64,
}

/// Of one γ and one λ: what each group of the sets says.
#[derive(Clone, Serialize, Deserialize)]
pub struct Grouped {
    pub gamma: f64,
    pub lambda: f64,
    #[serde(with = "lossless")]
    pub bias: Vec<f64>,
    #[serde(with = "lossless")]
    pub from_noise: Vec<f64>,
}

impl Part {
    pub fn resolved(&self) -> bool {
        self.bias > self.floor
    }

    /// bias² + variance + σ².
    pub fn sum(&self) -> f64 {
        self.bias + self.variance + NOISE * NOISE
    }

    /// Error less the sum, in standard errors: those of two independent halves.
    pub fn apart(&self) -> f64 {
        (self.error - self.sum()) / self.tolerance()
    }

    pub fn tolerance(&self) -> f64 {
        Float::sqrt(self.error_deviation * self.error_deviation + self.sum_deviation * self.sum_deviation)
    }
}

/// Standard error of something, from what it is with each set left out.
fn jackknife(without: &[f64]) -> f64 {
    let (_, deviation) = mean_and_deviation(without);
    deviation * (SETS as f64 - 1.0) / (SETS as f64).sqrt()
}

/// What is gathered of one γ and one λ.
#[derive(Clone, Default)]
pub struct Sums {
    /// f − sin at the places, set by set.
    pub distances: Vec<f64>,
    /// Sum over the places of the square of what the noise does, set by set.
    pub from_noise: Vec<f64>,
    /// Of each of the other sets.
    pub errors: Vec<f64>,
}

impl Sums {
    pub fn part(self, gamma: f64, lambda: f64) -> (Part, Grouped) {
        let (sets, points) = (SETS as f64, POINTS as f64);
        // ⟨dₛ, dₜ⟩ of the distances d of two sets, as a mean over the places: for s ≠ t it has the mean bias².
        let distances = DMatrix::from_vec(POINTS, SETS, self.distances);
        let products = distances.tr_mul(&distances) / points;
        let squares: Vec<f64> = products.diagonal().iter().copied().collect();
        let rows: Vec<f64> = products.row_iter().zip(&squares).map(|(row, own)| row.sum() - own).collect();
        let total: f64 = rows.iter().sum();
        let bias = total / (sets * (sets - 1.0));
        let without: Vec<f64> =
            rows.iter().map(|row| (total - 2.0 * row) / ((sets - 1.0) * (sets - 2.0))).collect();
        let (square, sum_deviation) = mean_and_error(&squares);
        let (error, error_deviation) = mean_and_error(&self.errors);
        let size = SETS / GROUPS;
        let group = |k: usize| {
            let own = products.view((k * size, k * size), (size, size));
            (own.sum() - own.trace()) / (size * (size - 1)) as f64
        };
        let grouped = Grouped {
            gamma,
            lambda,
            bias: (0..GROUPS).map(group).collect(),
            from_noise: self.from_noise.chunks(size).map(|group| mean(group) / points).collect(),
        };
        let part = Part {
            gamma,
            lambda,
            bias,
            floor: 2.0 * jackknife(&without),
            variance: square - bias,
            from_noise: mean(&self.from_noise) / points,
            sum_deviation,
            error,
            error_deviation,
        };
        (part, grouped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, standard_normal, stream};

    /// Distances of all sets to the sine: the same bias of ½ at every place, and noise of deviation 2.
    fn distances(seed: u64) -> Vec<f64> {
        let mut rng = stream(seed, Purpose::Data);
        (0..SETS * POINTS).map(|_| 0.5 + 2.0 * standard_normal(&mut rng)).collect()
    }

    #[test]
    fn bias_and_variance_by_products_are_those_by_means() {
        let distances = distances(1);
        let from_noise = Vec::from_iter((0..SETS).map(|set| (set / (SETS / GROUPS)) as f64));
        let sums = Sums { distances: distances.clone(), from_noise, errors: vec![1.0; SETS] };
        let (part, grouped) = sums.part(1.0, 1.0);
        let (mut bias, mut variance) = (0.0, 0.0);
        for place in 0..POINTS {
            let values: Vec<f64> = distances.iter().skip(place).step_by(POINTS).copied().collect();
            let (mean, deviation) = mean_and_deviation(&values);
            bias += (mean * mean - deviation * deviation / SETS as f64) / POINTS as f64;
            variance += deviation * deviation / POINTS as f64;
        }
        assert!((part.bias - bias).abs() < 1e-12 && (part.variance - variance).abs() < 1e-12);
        // Without the correction bias² would be 0.25 + 4/100.
        assert!((part.bias - 0.25).abs() < part.floor && part.floor < 0.04, "{} {}", part.bias, part.floor);
        assert!(part.resolved() && (part.variance - 4.0).abs() < 0.2);
        // Groups have parts of the same products, and each its own noise.
        assert!(grouped.bias.len() == GROUPS && (mean(&grouped.bias) - 0.25).abs() < 0.05);
        assert!(
            grouped.from_noise.iter().enumerate().all(|(k, v)| (v * POINTS as f64 - k as f64).abs() < 1e-12)
        );
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

    /// Errors of other sets on targets of their own noise are bias² + variance + σ², within what chance allows.
    #[test]
    fn the_parts_add_up_to_the_error() {
        let mut noise = stream(3, Purpose::Data);
        let squares =
            |set: &[f64]| set.iter().map(|d| (d + NOISE * standard_normal(&mut noise)).powi(2)).sum::<f64>();
        let errors: Vec<f64> =
            distances(4).chunks(POINTS).map(squares).map(|sum| sum / POINTS as f64).collect();
        let sums = |errors| Sums { distances: distances(5), from_noise: vec![0.0; SETS], errors };
        let part = sums(errors.clone()).part(1.0, 1.0).0;
        assert!(
            (part.sum() - 4.34).abs() < 0.2 && part.apart().abs() < 4.0,
            "{} {}",
            part.sum(),
            part.apart()
        );
        // Without the noise of the targets the parts are too many.
        let bare = sums(errors.iter().map(|error| error - 0.3).collect()).part(1.0, 1.0).0;
        assert!(bare.apart() < -4.0, "{}", bare.apart());
    }
}
