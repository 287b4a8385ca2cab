//! How well a classifier does: the confusion matrix and what follows from it.

use std::fmt;

use crate::Float;

/// Counts of samples by true class (row) and predicted class (column).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// All counts zero.
    pub fn new(classes: usize) -> Self {
        ConfusionMatrix { classes, counts: vec![0; classes * classes] }
    }

    /// Counts one sample.
    ///
    /// # Panics
    /// If a class is out of range.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        assert!(
            truth < self.classes && predicted < self.classes,
            "a confusion matrix of {} classes has no entry ({truth}, {predicted})",
            self.classes
        );
        self.counts[truth * self.classes + predicted] += 1;
    }

    /// Counts a batch of row-major scores, one row a sample: the largest score is the prediction.
    ///
    /// # Panics
    /// If a label is out of range, or there are not `classes` scores for every label.
    pub fn add_scores<T: Float>(&mut self, labels: &[usize], scores: &[T]) {
        assert_eq!(scores.len(), labels.len() * self.classes, "scores and labels do not pair");
        for (label, scores) in labels.iter().zip(scores.chunks(self.classes)) {
            self.add(*label, argmax(scores));
        }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Samples of class `truth` that were taken for `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts[truth * self.classes + predicted]
    }

    /// All samples.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Share of samples whose class was found, from 0 to 1; NaN without samples.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|c| self.count(c, c)).sum();
        right as f64 / self.total() as f64
    }

    /// Of the samples taken for `class`, the share that are of it; NaN where none was.
    pub fn precision(&self, class: usize) -> f64 {
        let taken: u64 = (0..self.classes).map(|truth| self.count(truth, class)).sum();
        self.count(class, class) as f64 / taken as f64
    }

    /// Of the samples of `class`, the share that was found; NaN where there are none.
    pub fn recall(&self, class: usize) -> f64 {
        self.count(class, class) as f64 / self.support(class) as f64
    }

    /// Harmonic mean of precision and recall, 2·TP/(2·TP + FP + FN); NaN where the class neither
    /// occurs nor is predicted.
    pub fn f1(&self, class: usize) -> f64 {
        let taken: u64 = (0..self.classes).map(|truth| self.count(truth, class)).sum();
        2.0 * self.count(class, class) as f64 / (taken + self.support(class)) as f64
    }

    /// Samples of `class`.
    pub fn support(&self, class: usize) -> u64 {
        (0..self.classes).map(|predicted| self.count(class, predicted)).sum()
    }
}

/// More classes than this are too many for a table.
const MOST_PRINTED: usize = 20;

/// The matrix with a row per true class, and behind it precision, recall and F1 of that class; with
/// more than 20 classes, a line that says so.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.classes > MOST_PRINTED {
            return writeln!(f, "{} classes, too many for a table", self.classes);
        }
        let width = self.counts.iter().max().map_or(1, |n| n.to_string().len()).max(4) + 1;
        let rate = |x: f64| if x.is_nan() { "-".to_string() } else { format!("{x:.4}") };
        write!(f, "true\\predicted")?;
        for class in 0..self.classes {
            write!(f, "{class:>width$}")?;
        }
        writeln!(f, "   precision  recall      F1")?;
        for truth in 0..self.classes {
            write!(f, "{truth:>14}")?;
            for predicted in 0..self.classes {
                write!(f, "{:>width$}", self.count(truth, predicted))?;
            }
            let (p, r, f1) = (self.precision(truth), self.recall(truth), self.f1(truth));
            writeln!(f, "   {:>9}  {:>6}  {:>6}", rate(p), rate(r), rate(f1))?;
        }
        Ok(())
    }
}

/// Index of the largest number, the first of equal ones; NaN is never chosen unless all are.
pub fn argmax<T: Float>(scores: &[T]) -> usize {
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if *score > scores[best] || (scores[best].is_nan() && !score.is_nan()) {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_a_known_matrix() {
        let mut m = ConfusionMatrix::new(3);
        // Scores of five samples; the last one has a NaN that must not win.
        let scores = [9.0, 1.0, 0.0, 0.0, 2.0, 1.0, 3.0, 1.0, 2.0, 0.0, 0.0, 1.0, f64::NAN, 1.0, 0.5];
        m.add_scores(&[0, 1, 1, 2, 1], &scores);
        assert_eq!(m.accuracy(), 0.8);
        assert_eq!((m.precision(0), m.recall(0)), (0.5, 1.0));
        assert_eq!((m.precision(1), m.recall(1)), (1.0, 2.0 / 3.0));
        assert_eq!(m.f1(1), 0.8);
        assert_eq!((m.support(2), m.total()), (1, 5));
    }

    #[test]
    fn nothing_to_count() {
        let m = ConfusionMatrix::new(2);
        assert!(m.accuracy().is_nan() && m.precision(0).is_nan() && m.f1(1).is_nan());
        assert!(m.to_string().contains('-'));
    }
}
