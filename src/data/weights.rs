//! The weights of samples, and how what learns from data counts them.

use crate::float::power_below;
use crate::linalg::sum;
use crate::text::count;
use crate::{Error, Result};

/// How the weights of a data set are used in means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighing {
    /// 1; or, where the weights are so large or so small that products with them leave the range, a power of two that
    /// brings them near 1. In means it cancels.
    pub unit: f64,
    /// The mean of the weights, in that unit; 1 without weights.
    pub mean: f64,
}

/// An error unless there is a weight for each row, and each is finite and at least 0.
pub(crate) fn check_weights(weights: &[f64], rows: usize) -> Result<()> {
    if weights.len() != rows {
        return Err(Error::Data(format!("{} for {}", count(weights.len(), "weight"), count(rows, "row"))));
    }
    if let Some(row) = weights.iter().position(|w| !(*w >= 0.0 && w.is_finite())) {
        let why = format!("row {row}: the weight {} is not finite and at least 0", weights[row]);
        return Err(Error::Data(why));
    }
    if !weights.is_empty() && weights.iter().all(|w| *w == 0.0) {
        return Err(Error::Data("all weights are 0".into()));
    }
    let total: f64 = weights.iter().sum();
    if !total.is_finite() {
        return Err(Error::Data(format!("the sum of the weights is {total}: smaller ones mean the same")));
    }
    Ok(())
}

/// The weights over their mean; `None` where they are all 0.
pub(crate) fn over_mean(weights: &[f64]) -> Option<Vec<f64>> {
    // A power of two first: sums of the largest numbers stay finite, and those of the least keep their digits.
    let scale = power_below(weights.iter().fold(0.0, |a: f64, b| a.max(*b)));
    let scaled: Vec<f64> = weights.iter().map(|w| w * scale).collect();
    let mean = sum(&scaled) / weights.len() as f64;
    (mean > 0.0).then(|| scaled.iter().map(|w| w / mean).collect())
}

/// The same, but `None` where all weights are equal: they mean what no weights mean, to the bit.
pub(crate) fn unequal_over_mean(weights: &[f64]) -> Option<Vec<f64>> {
    if weights.iter().all(|w| *w == weights[0]) { None } else { over_mean(weights) }
}
