//! Bias, variance and error of one γ and one λ, with their uncertainty.

use nalgebra::DMatrix;

use crate::Float;
use crate::experiments::kernel_ridge_sine::{NOISE, POINTS, SETS};
use crate::experiments::statistics::{differences, mean_and_deviation, mean_and_error};
use crate::report::rounded;

/// What the sets say of one γ and one λ, as means over the places.
pub struct Part {
    pub gamma: f64,
    pub lambda: f64,
    /// Without its own bias, so that it may be below 0.
    pub bias: f64,
    /// The same with one set left out, for each of them.
    pub without: Vec<f64>,
    pub variance: f64,
    /// The part of the variance that comes from the noise, at fixed inputs.
    pub from_noise: f64,
    /// Standard error of bias² + variance.
    pub sum_deviation: f64,
    /// On noisy targets, by the other sets; and its standard error.
    pub error: f64,
    pub error_deviation: f64,
}

impl Part {
    /// Two standard errors of bias², by the jackknife (Efron and Stein 1981): what is below is not resolved.
    pub fn floor(&self) -> f64 {
        2.0 * jackknife(&self.without)
    }

    pub fn resolved(&self) -> bool {
        self.bias > self.floor()
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
    pub from_noise: f64,
    /// Of each of the other sets.
    pub errors: Vec<f64>,
}

impl Sums {
    pub fn part(self, gamma: f64, lambda: f64) -> Part {
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
pub(super) fn largest_fall(parts: &[&Part]) -> f64 {
    let resolved = parts.windows(2).filter(|pair| pair.iter().all(|part| part.resolved()));
    let falls = resolved.map(|pair| {
        (pair[0].bias - pair[1].bias) / jackknife(&differences(&pair[0].without, &pair[1].without))
    });
    falls.fold(f64::NEG_INFINITY, f64::max)
}

/// The largest fall in words.
pub(super) fn steps(fall: f64) -> String {
    match fall > 0.0 {
        true => format!("one step goes the other way, by {} standard errors", rounded(fall, 2)),
        false => format!("each step between resolved ones is at least {} standard errors", rounded(-fall, 2)),
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
