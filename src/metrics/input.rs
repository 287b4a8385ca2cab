//! What all metrics check before they count.

use crate::float::power_below;
use crate::linalg::compensated_sum;
use crate::text::count;
use crate::{Error, Result};

/// An error of the metric `metric`.
pub(super) fn wrong<X>(metric: &str, why: impl std::fmt::Display) -> Result<X> {
    Err(Error::Data(format!("{metric}: {why}")))
}

/// Weights of samples, or 1 for each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights<'a> {
    of: Option<&'a [f64]>,
    total: f64,
}

impl<'a> Weights<'a> {
    /// For `n` samples: at least one, with a sum above 0.
    pub fn new(metric: &str, n: usize, of: Option<&'a [f64]>) -> Result<Self> {
        if n == 0 {
            return wrong(metric, "there are no samples");
        }
        let Some(weights) = of else { return Ok(Weights { of, total: n as f64 }) };
        if weights.len() != n {
            return wrong(metric, format!("{} for {}", count(weights.len(), "weight"), count(n, "sample")));
        }
        if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            let weight = weights[row];
            return wrong(metric, format!("row {row}: the weight {weight} is not finite and at least 0"));
        }
        let total = compensated_sum(weights.iter().copied());
        if !(total > 0.0 && total.is_finite()) {
            let why = format!("the weights sum to {total}, which must be finite and above 0");
            return wrong(metric, why);
        }
        Ok(Weights { of, total })
    }

    pub fn of(&self, row: usize) -> f64 {
        self.of.map_or(1.0, |weights| weights[row])
    }

    pub fn total(&self) -> f64 {
        self.total
    }

    /// Σ wᵢ·value(i)/Σ wᵢ over `n` samples. A sample of weight 0 adds nothing, whatever its value.
    pub fn mean(&self, n: usize, value: impl Fn(usize) -> f64) -> f64 {
        let weighted = (0..n).map(|i| (self.of(i), i)).filter(|(w, _)| *w > 0.0);
        // In the unit of the weights, so that no product leaves the range.
        let unit = power_below(self.total);
        compensated_sum(weighted.map(|(w, i)| w * unit * value(i))) / (self.total * unit)
    }
}

/// An error if there is another number of them, each a `what`, than of labels.
pub(super) fn check_pairs(metric: &str, labels: usize, found: usize, what: &str) -> Result<()> {
    if labels == found {
        return Ok(());
    }
    wrong(metric, format!("{} for {}", count(found, what), count(labels, "label")))
}

/// An error if a label is not below `classes`.
pub(super) fn check_labels(metric: &str, labels: &[usize], classes: usize) -> Result<()> {
    match labels.iter().position(|label| *label >= classes) {
        Some(row) => {
            let label = labels[row];
            wrong(metric, format!("row {row}: label {label} is not below the {}", count(classes, "class")))
        }
        None => Ok(()),
    }
}

/// An error if there are not `classes` scores for each label, or one of them is NaN.
pub(super) fn check_scores(metric: &str, labels: usize, scores: &[f64], classes: usize) -> Result<()> {
    if labels.checked_mul(classes) != Some(scores.len()) {
        let found = scores.len();
        return wrong(
            metric,
            format!(
                "{} for {} of {}",
                count(found, "score"),
                count(labels, "label"),
                count(classes, "class")
            ),
        );
    }
    match scores.iter().position(|score| score.is_nan()) {
        Some(at) => {
            let (row, column) = (at / classes, at % classes);
            wrong(metric, format!("row {row}, column {column}: the score is NaN"))
        }
        None => Ok(()),
    }
}

/// How far the probabilities of a row may be from a sum of 1: those of a softmax in `f32` are not closer.
const SLACK: f64 = 3.5e-4;

/// An error if the rows are not probabilities of `classes` classes for each label.
pub(super) fn check_probabilities(metric: &str, labels: usize, p: &[f64], classes: usize) -> Result<()> {
    check_scores(metric, labels, p, classes)?;
    for (row, p) in p.chunks(classes.max(1)).enumerate() {
        if let Some(column) = p.iter().position(|p| !(0.0..=1.0).contains(p)) {
            let why = format!("row {row}, column {column}: {} is no probability", p[column]);
            return wrong(metric, why);
        }
        let sum = compensated_sum(p.iter().copied());
        if (sum - 1.0).abs() > SLACK {
            return wrong(metric, format!("row {row}: the probabilities sum to {sum}, not to 1"));
        }
    }
    Ok(())
}
