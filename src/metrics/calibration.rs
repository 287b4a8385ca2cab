//! Whether probabilities are right as such.

use std::collections::BTreeMap;

use super::argmax::argmax;
use super::input::{Weights, check_labels, check_probabilities};
use crate::linalg::{CompensatedSum, compensated_sum};
use crate::{Error, Result};

/// The mean squared distance of the probabilities to the truth.
///
/// With three classes and more, the mean over the samples of Σₖ (pₖ − tₖ)², where t is 1 for the true class
/// and else 0; from 0 to 2 (Brier, "Verification of forecasts expressed in terms of probability", 1950). With
/// two it is half of that, (p₁ − y)², from 0 to 1. So does scikit-learn's `brier_score_loss` by default. A
/// row's probabilities are to sum to 1, as in [`log_loss`](super::log_loss).
///
/// # Errors
/// See [the module](super#errors).
pub fn brier_score(
    labels: &[usize],
    probabilities: &[f64],
    classes: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let name = "Brier score";
    let weights = Weights::new(name, labels.len(), weights)?;
    check_labels(name, labels, classes)?;
    check_probabilities(name, labels.len(), probabilities, classes)?;
    let scale = if classes == 2 { 0.5 } else { 1.0 };
    let distance = |i: usize| {
        let row = probabilities[i * classes..][..classes].iter().enumerate();
        let truth = labels[i];
        compensated_sum(row.map(|(k, p)| if k == truth { (p - 1.0) * (p - 1.0) } else { p * p }))
    };
    Ok(scale * weights.mean(labels.len(), distance))
}

/// How far confidence is from the share that is right: Σₘ Wₘ/W·|accₘ − confₘ| over M bins.
///
/// A sample's confidence is its largest probability. Bin m of M holds those with a confidence in
/// ((m − 1)/M, m/M], all bins being equally wide; Wₘ is the weight of its samples, accₘ the share of them that
/// is right, and confₘ their mean confidence (Guo et al., "On calibration of modern neural networks", 2017).
/// An [undecided](super::argmax) sample is not right. The number depends on M: 10 and 15 are usual.
///
/// # Errors
/// [`Error::Setting`] if `bins` is 0; else see [the module](super#errors).
pub fn expected_calibration_error(
    labels: &[usize],
    probabilities: &[f64],
    classes: usize,
    bins: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let name = "expected calibration error";
    if bins == 0 {
        return Err(Error::setting("bins", "0: there must be at least one"));
    }
    let weights = Weights::new(name, labels.len(), weights)?;
    check_labels(name, labels, classes)?;
    check_probabilities(name, labels.len(), probabilities, classes)?;
    // Only those with samples: their number is bounded, that of all is not.
    let mut gaps: BTreeMap<usize, CompensatedSum> = BTreeMap::new();
    for (i, (label, row)) in labels.iter().zip(probabilities.chunks(classes.max(1))).enumerate() {
        let confidence = row.iter().copied().fold(0.0, f64::max);
        let right = f64::from(u8::from(argmax(row) == Some(*label)));
        // Wₘ·(confₘ − accₘ) is one sum.
        gaps.entry(bin(confidence, bins)).or_default().add(weights.of(i) * (confidence - right));
    }
    Ok(compensated_sum(gaps.into_values().map(|gap| gap.value().abs())) / weights.total())
}

/// The least m in 1..=M with p ≤ m/M.
fn bin(p: f64, bins: usize) -> usize {
    let edge = |m: usize| m as f64 / bins as f64;
    // As good as the product is rounded.
    let mut m = ((p * bins as f64).ceil() as usize).clamp(1, bins);
    while m > 1 && p <= edge(m - 1) {
        m -= 1;
    }
    while m < bins && p > edge(m) {
        m += 1;
    }
    m
}

#[cfg(test)]
mod tests {
    use super::bin;

    #[test]
    fn an_edge_belongs_to_the_bin_below() {
        for bins in [1, 2, 3, 7, 10, 15, 100] {
            for m in 1..=bins {
                let edge = m as f64 / bins as f64;
                assert_eq!(bin(edge, bins), m);
                assert_eq!(bin(edge.next_up().min(1.0), bins), (m + 1).min(bins));
                assert_eq!(bin(edge.next_down(), bins), m);
            }
            assert_eq!(bin(0.0, bins), 1);
        }
        assert_eq!(bin(1.0, 1 << 53), 1 << 53);
    }
}
