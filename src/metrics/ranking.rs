//! How well scores order samples: the area under the ROC curve, and the average precision.

use super::input::{Weights, check_labels, check_pairs, check_scores, wrong};
use crate::Result;
use crate::linalg::{CompensatedSum, compensated_sum};

/// How the numbers of classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The mean over the classes.
    Macro,
    /// The mean weighted by how frequent each class is.
    Weighted,
}

/// The area under the ROC curve: the probability that a sample of class 1 has a higher score than one of
/// class 0, a tie counting as half.
///
/// Σ wᵢ·wⱼ·hᵢⱼ/(W₁·W₀) over all pairs of a positive i and a negative j, where hᵢⱼ is 1 for sᵢ > sⱼ, ½ for
/// sᵢ = sⱼ, and else 0. It is found by sorting (Hanley and McNeil, "The meaning and use of the area under a
/// receiver operating characteristic (ROC) curve", 1982). `labels` are 0 and 1; `scores` has one number a
/// sample, the higher the more it speaks for class 1: a logit, a probability, or any other; it may be infinite.
///
/// ```
/// use tapegrad::metrics::roc_auc;
///
/// assert_eq!(roc_auc(&[0, 0, 1, 1], &[0.1, 0.4, 0.35, 0.8], None)?, 0.75);
/// let error = roc_auc(&[1, 1], &[0.1, 0.4], None).unwrap_err().to_string();
/// assert_eq!(error, "ROC-AUC: no sample is of class 0, so that it is not defined");
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// # Errors
/// See [the module](super#errors). It is not defined if all samples with a weight are of one class;
/// scikit-learn has NaN there.
pub fn roc_auc(labels: &[usize], scores: &[f64], weights: Option<&[f64]>) -> Result<f64> {
    AREA.binary(labels, scores, weights)
}

/// [`roc_auc`] of each class against all others, by its column of the scores; `None` for one that does not
/// occur, or that all samples are of.
///
/// # Errors
/// See [the module](super#errors).
pub fn roc_auc_by_class(
    labels: &[usize],
    scores: &[f64],
    classes: usize,
    weights: Option<&[f64]>,
) -> Result<Vec<Option<f64>>> {
    AREA.by_class(labels, scores, classes, weights)
}

/// The mean of [`roc_auc_by_class`]: scikit-learn's `roc_auc_score` with `multi_class="ovr"`. The scores need
/// not be probabilities.
///
/// # Errors
/// See [the module](super#errors). It is not defined if a class does not occur.
pub fn roc_auc_one_vs_rest(
    labels: &[usize],
    scores: &[f64],
    classes: usize,
    average: Average,
    weights: Option<&[f64]>,
) -> Result<f64> {
    AREA.one_vs_rest(labels, scores, classes, average, weights)
}

/// The average precision: Σₙ (Rₙ − Rₙ₋₁)·Pₙ over the thresholds n from the highest score down, where Pₙ is
/// the share of class 1 among the samples with a score at or above the threshold, and Rₙ the share of all of
/// class 1 that is among them.
///
/// Labels and scores are as in [`roc_auc`]. Equal scores are one threshold. There is no interpolation, as in
/// scikit-learn's `average_precision_score`; with scores that say nothing it is the share of class 1.
///
/// # Errors
/// See [the module](super#errors). It is not defined if no sample with a weight is of class 1; scikit-learn
/// has 0 there. Where all are, it is 1.
pub fn average_precision(labels: &[usize], scores: &[f64], weights: Option<&[f64]>) -> Result<f64> {
    PRECISION.binary(labels, scores, weights)
}

/// [`average_precision`] of each class against all others, by its column of the scores; `None` for one that
/// does not occur.
///
/// # Errors
/// See [the module](super#errors).
pub fn average_precision_by_class(
    labels: &[usize],
    scores: &[f64],
    classes: usize,
    weights: Option<&[f64]>,
) -> Result<Vec<Option<f64>>> {
    PRECISION.by_class(labels, scores, classes, weights)
}

/// The mean of [`average_precision_by_class`].
///
/// # Errors
/// See [the module](super#errors). It is not defined if a class does not occur.
pub fn average_precision_one_vs_rest(
    labels: &[usize],
    scores: &[f64],
    classes: usize,
    average: Average,
    weights: Option<&[f64]>,
) -> Result<f64> {
    PRECISION.one_vs_rest(labels, scores, classes, average, weights)
}

/// What is made of a ranking of positives and negatives.
struct Metric {
    name: &'static str,
    of: fn(&Ranking) -> f64,
    /// Whether it is defined where there are positives only.
    needs_negatives: bool,
}

const AREA: Metric = Metric { name: "ROC-AUC", of: Ranking::area, needs_negatives: true };
const PRECISION: Metric =
    Metric { name: "average precision", of: Ranking::average_precision, needs_negatives: false };

impl Metric {
    /// Its value, or the class whose absence leaves it undefined.
    fn value(&self, ranking: &Ranking) -> Result<f64, usize> {
        if ranking.positive == 0.0 {
            return Err(1);
        }
        if self.needs_negatives && ranking.negative == 0.0 {
            return Err(0);
        }
        Ok((self.of)(ranking))
    }

    fn binary(&self, labels: &[usize], scores: &[f64], weights: Option<&[f64]>) -> Result<f64> {
        let weights = Weights::new(self.name, labels.len(), weights)?;
        check_pairs(self.name, labels.len(), scores.len(), "score")?;
        check_labels(self.name, labels, 2)?;
        check_scores(self.name, labels.len(), scores, 1)?;
        let ranking = Ranking::new(labels, 1, &weights, |i| scores[i]);
        self.value(&ranking).or_else(|class| {
            wrong(self.name, format!("no sample is of class {class}, so that it is not defined"))
        })
    }

    fn by_class(
        &self,
        labels: &[usize],
        scores: &[f64],
        classes: usize,
        weights: Option<&[f64]>,
    ) -> Result<Vec<Option<f64>>> {
        let rankings = self.rankings(labels, scores, classes, weights)?;
        Ok(rankings.map(|ranking| self.value(&ranking).ok()).collect())
    }

    fn one_vs_rest(
        &self,
        labels: &[usize],
        scores: &[f64],
        classes: usize,
        average: Average,
        weights: Option<&[f64]>,
    ) -> Result<f64> {
        let (mut sum, mut all) = (CompensatedSum::default(), CompensatedSum::default());
        for (class, ranking) in self.rankings(labels, scores, classes, weights)?.enumerate() {
            let value = self.value(&ranking).or_else(|missing| {
                let of =
                    if missing == 1 { format!("of class {class}") } else { format!("not of class {class}") };
                let why = "so that the mean over the classes is not defined; see the numbers by class";
                wrong(self.name, format!("no sample is {of}, {why}"))
            })?;
            let weight = if average == Average::Macro { 1.0 } else { ranking.positive };
            sum.add(weight * value);
            all.add(weight);
        }
        Ok(sum.value() / all.value())
    }

    /// Of each class against the rest.
    fn rankings<'a>(
        &self,
        labels: &'a [usize],
        scores: &'a [f64],
        classes: usize,
        weights: Option<&'a [f64]>,
    ) -> Result<impl Iterator<Item = Ranking> + use<'a>> {
        let weights = Weights::new(self.name, labels.len(), weights)?;
        check_labels(self.name, labels, classes)?;
        check_scores(self.name, labels.len(), scores, classes)?;
        Ok((0..classes)
            .map(move |class| Ranking::new(labels, class, &weights, |i| scores[i * classes + class])))
    }
}

/// Samples from the highest score to the lowest: weights of positives and negatives, equal scores together.
struct Ranking {
    groups: Vec<(f64, f64)>,
    positive: f64,
    negative: f64,
}

impl Ranking {
    fn new(labels: &[usize], class: usize, weights: &Weights<'_>, score: impl Fn(usize) -> f64) -> Ranking {
        let mut order: Vec<usize> = (0..labels.len()).filter(|i| weights.of(*i) > 0.0).collect();
        order.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
        // −0 and 0 stand side by side, and are equal.
        let groups = order.chunk_by(|a, b| score(*a) == score(*b)).map(|group| {
            let side = |positive: bool| {
                let of_side = group.iter().filter(move |i| (labels[**i] == class) == positive);
                compensated_sum(of_side.map(|i| weights.of(*i)))
            };
            (side(true), side(false))
        });
        let groups: Vec<(f64, f64)> = groups.collect();
        let (positive, negative) =
            (compensated_sum(groups.iter().map(|g| g.0)), compensated_sum(groups.iter().map(|g| g.1)));
        Ranking { groups, positive, negative }
    }

    fn area(&self) -> f64 {
        let mut above = CompensatedSum::default();
        let terms = self.groups.iter().map(|(positive, negative)| {
            let higher = above.value() + 0.5 * positive;
            above.add(*positive);
            (higher / self.positive) * (negative / self.negative)
        });
        compensated_sum(terms)
    }

    fn average_precision(&self) -> f64 {
        let (mut positives, mut all) = (CompensatedSum::default(), CompensatedSum::default());
        let terms = self.groups.iter().map(|(positive, negative)| {
            positives.add(*positive);
            all.add(*positive);
            all.add(*negative);
            (positive / self.positive) * (positives.value() / all.value())
        });
        compensated_sum(terms)
    }
}
