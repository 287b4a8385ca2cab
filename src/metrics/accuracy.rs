//! Shares of samples whose class was found.

use std::collections::BTreeMap;

use super::input::{Weights, check_labels, check_pairs, check_scores, wrong};
use crate::linalg::{CompensatedSum, compensated_sum};
use crate::text::count;
use crate::{Error, Result};

/// The share of samples whose class was found: Σ wᵢ·hᵢ/Σ wᵢ with hᵢ = 1 where ŷᵢ = yᵢ and else 0; from 0 to 1.
///
/// # Errors
/// See [the module](super#errors).
pub fn accuracy<P>(labels: &[usize], predicted: &[P], weights: Option<&[f64]>) -> Result<f64>
where
    P: Copy + Into<Option<usize>>,
{
    let name = "accuracy";
    let weights = Weights::new(name, labels.len(), weights)?;
    check_pairs(name, labels.len(), predicted.len(), "prediction")?;
    Ok(weights.mean(labels.len(), |i| f64::from(u8::from(right(labels[i], predicted[i])))))
}

/// The mean over the classes of the share of each that was found, from 0 to 1: 1/K·Σ recallₖ.
///
/// K are the classes that occur among the labels with a weight above 0, as in scikit-learn's
/// `balanced_accuracy_score`. Where classes are equally frequent it is the [`accuracy`]; a model that always
/// gives the same class has 1/K, however frequent that class is (Brodersen et al., "The balanced accuracy
/// and its posterior distribution", 2010).
///
/// # Errors
/// See [the module](super#errors).
pub fn balanced_accuracy<P>(labels: &[usize], predicted: &[P], weights: Option<&[f64]>) -> Result<f64>
where
    P: Copy + Into<Option<usize>>,
{
    let name = "balanced accuracy";
    let weights = Weights::new(name, labels.len(), weights)?;
    check_pairs(name, labels.len(), predicted.len(), "prediction")?;
    // By the labels that there are: the largest may be far above their number.
    let mut classes: BTreeMap<usize, (CompensatedSum, CompensatedSum)> = BTreeMap::new();
    for (i, label) in labels.iter().enumerate() {
        let (found, all) = classes.entry(*label).or_default();
        all.add(weights.of(i));
        if right(*label, predicted[i]) {
            found.add(weights.of(i));
        }
    }
    let recalls = classes.values().map(|(found, all)| (found.value(), all.value()));
    let recalls: Vec<f64> = recalls.filter(|(_, all)| *all > 0.0).map(|(found, all)| found / all).collect();
    Ok(compensated_sum(recalls.iter().copied()) / recalls.len() as f64)
}

/// The share of samples whose class is among the k with the largest scores.
///
/// It is where fewer than k other classes have a score at or above its own: a tie at the edge of the k counts
/// against it, so that with k = 1 this is the [`accuracy`] of the classes of [`argmax`](super::argmax).
///
/// # Errors
/// [`Error::Setting`] if k is 0; else see [the module](super#errors).
pub fn top_k_accuracy(
    labels: &[usize],
    scores: &[f64],
    classes: usize,
    k: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let name = "top-k accuracy";
    if k == 0 {
        return Err(Error::setting("k", "0: no class is among the first 0"));
    }
    let weights = Weights::new(name, labels.len(), weights)?;
    check_labels(name, labels, classes)?;
    check_scores(name, labels.len(), scores, classes)?;
    Ok(weights.mean(labels.len(), |i| {
        let (row, own) = (&scores[i * classes..][..classes], labels[i]);
        // Its own score is among those that are at or above it.
        let rivals = row.iter().filter(|score| **score >= row[own]).count() - 1;
        f64::from(u8::from(rivals < k))
    }))
}

/// An error if a predicted class is not below `classes`.
pub(super) fn check_predicted<P: Copy + Into<Option<usize>>>(
    metric: &str,
    predicted: &[P],
    classes: usize,
) -> Result<()> {
    for (row, class) in predicted.iter().enumerate() {
        if let Some(class) = (*class).into().filter(|class| *class >= classes) {
            return wrong(
                metric,
                format!("row {row}: class {class} is not below the {}", count(classes, "class")),
            );
        }
    }
    Ok(())
}

fn right(label: usize, predicted: impl Into<Option<usize>>) -> bool {
    predicted.into() == Some(label)
}
