//! The confusion matrix and what follows from it.

use std::fmt;
use std::sync::Arc;

use super::accuracy::check_predicted;
use super::argmax::argmax;
use super::input::{Weights, check_labels, check_pairs};
use crate::linalg::{CompensatedSum, compensated_sum};
use crate::memory::filled;
use crate::text::count;
use crate::{Error, Float, Result};

/// Counts of samples by true class (row) and predicted class (column), and of those that are
/// [undecided](argmax).
///
/// Where samples have weights, shares (accuracy, precision, recall, F1) are of their weights; counts stay
/// counts. Printed, it is a table with a row for each class.
///
/// ```
/// use tapegrad::metrics::ConfusionMatrix;
///
/// let mut matrix = ConfusionMatrix::new(2).with_names(["cat", "dog"])?;
/// matrix.add(0, 0);
/// matrix.add(1, 1);
/// matrix.add(1, 0);
/// matrix.add(1, None);
/// assert_eq!((matrix.accuracy(), matrix.recall(1), matrix.undecided()), (0.5, 1.0 / 3.0, 1));
/// assert_eq!(
///     matrix.to_string(),
///     "true\\predicted  cat  dog  undecided   precision  recall      F1\n           \
///                cat    1    0          0      0.5000  1.0000  0.6667\n           \
///                dog    1    1          1      1.0000  0.3333  0.5000\n\
///      undecided: 1 of 4 samples, counted as wrong\n"
/// );
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionMatrix {
    classes: usize,
    /// A row for each true class: the predicted classes, and behind them the undecided samples.
    counts: Vec<u64>,
    /// The weights of the same; `None` as long as each is 1.
    weights: Option<Vec<CompensatedSum>>,
    names: Option<Arc<[String]>>,
}

impl ConfusionMatrix {
    /// All counts zero.
    pub fn new(classes: usize) -> Self {
        ConfusionMatrix { classes, counts: vec![0; classes * (classes + 1)], weights: None, names: None }
    }

    /// Of predicted classes, `Some` or plain, `None` being undecided, perhaps with weights.
    ///
    /// # Errors
    /// [`Error::Data`] if labels, predictions and weights do not pair, a label or a class is not below
    /// `classes`, or a weight is negative or not finite; [`Error::Memory`] for too many classes. There may be no
    /// samples.
    pub fn of<P>(labels: &[usize], predicted: &[P], classes: usize, weights: Option<&[f64]>) -> Result<Self>
    where
        P: Copy + Into<Option<usize>>,
    {
        let name = "confusion matrix";
        check_pairs(name, labels.len(), predicted.len(), "prediction")?;
        check_labels(name, labels, classes)?;
        check_predicted(name, predicted, classes)?;
        let places = classes.checked_add(1).and_then(|columns| columns.checked_mul(classes));
        let counts = filled(places.unwrap_or(usize::MAX), 0, "the confusion matrix")?;
        let mut matrix = ConfusionMatrix { classes, counts, weights: None, names: None };
        if !labels.is_empty() || weights.is_some_and(|weights| !weights.is_empty()) {
            let weights = Weights::new(name, labels.len(), weights)?;
            for (i, (label, class)) in labels.iter().zip(predicted).enumerate() {
                matrix.add_weighted(*label, *class, weights.of(i));
            }
        }
        Ok(matrix)
    }

    /// With a name for each class, for the printed table.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not as many names as classes.
    pub fn with_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let names: Arc<[String]> = names.into_iter().map(Into::into).collect();
        if names.len() != self.classes {
            return Err(Error::Data(format!(
                "{} for {}",
                count(names.len(), "name"),
                count(self.classes, "class")
            )));
        }
        self.names = Some(names);
        Ok(self)
    }

    /// Counts one sample; `predicted` is a class, or an `Option` of one that is `None` if it is undecided.
    ///
    /// # Panics
    /// If a class is out of range.
    #[track_caller]
    pub fn add(&mut self, truth: usize, predicted: impl Into<Option<usize>>) {
        self.add_weighted(truth, predicted, 1.0);
    }

    /// The same for one sample with a weight.
    ///
    /// # Panics
    /// If a class is out of range, the weight negative or not finite, or a sum of weights beyond the range.
    #[track_caller]
    pub fn add_weighted(&mut self, truth: usize, predicted: impl Into<Option<usize>>, weight: f64) {
        let (classes, predicted) = (self.classes, predicted.into());
        if truth >= classes || predicted.is_some_and(|predicted| predicted >= classes) {
            let predicted = predicted.map_or("undecided".to_string(), |class| class.to_string());
            panic!("a confusion matrix of {} has no entry ({truth}, {predicted})", count(classes, "class"));
        }
        let valid = weight.is_finite() && weight >= 0.0;
        assert!(valid, "confusion matrix: the weight {weight} is not finite and at least 0");
        let at = truth * (classes + 1) + predicted.unwrap_or(classes);
        if weight != 1.0 && self.weights.is_none() {
            self.weights = Some(self.counts.iter().map(|n| CompensatedSum::from_iter([*n as f64])).collect());
        }
        self.counts[at] += 1;
        if let Some(weights) = &mut self.weights {
            weights[at].add(weight);
            assert!(
                weights[at].value().is_finite(),
                "confusion matrix: the sum of the weights leaves the range"
            );
        }
    }

    /// Counts a batch of row-major scores, one row a sample: the class of [`argmax`]. Where classes are
    /// missing from the training samples, [`SeenClasses`](super::SeenClasses) chooses among the others.
    ///
    /// # Panics
    /// If a label is out of range, or there are not `classes` scores for every label.
    #[track_caller]
    pub fn add_scores<T: Float>(&mut self, labels: &[usize], scores: &[T]) {
        let (rows, classes) = (labels.len(), self.classes);
        if let Some(row) = labels.iter().position(|label| *label >= classes) {
            let label = labels[row];
            panic!("add_scores: row {row}: label {label} is not below the {}", count(classes, "class"));
        }
        assert!(
            rows.checked_mul(classes) == Some(scores.len()),
            "add_scores: {} for {} of {}",
            count(scores.len(), "score"),
            count(rows, "label"),
            count(classes, "class")
        );
        // Without classes there are no rows, and nothing to cut them from.
        for (label, scores) in labels.iter().zip(scores.chunks(classes.max(1))) {
            self.add(*label, argmax(scores));
        }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Samples of class `truth` that were taken for `predicted`.
    ///
    /// # Panics
    /// If a class is out of range.
    #[track_caller]
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.check(predicted);
        self.counts[self.row(truth)][predicted]
    }

    /// Undecided samples.
    pub fn undecided(&self) -> u64 {
        (0..self.classes).map(|truth| self.undecided_of(truth)).sum()
    }

    /// Undecided samples of `class`.
    ///
    /// # Panics
    /// If the class is out of range.
    #[track_caller]
    pub fn undecided_of(&self, class: usize) -> u64 {
        self.counts[self.row(class)][self.classes]
    }

    /// All samples, the undecided ones included.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Samples of `class`, the undecided ones included.
    ///
    /// # Panics
    /// If the class is out of range.
    #[track_caller]
    pub fn support(&self, class: usize) -> u64 {
        self.counts[self.row(class)].iter().sum()
    }

    /// Share of samples whose class was found, from 0 to 1; NaN without samples. An undecided sample is one
    /// that was not found.
    pub fn accuracy(&self) -> f64 {
        let found = compensated_sum((0..self.classes).map(|class| self.weight(class, class)));
        found / compensated_sum((0..self.counts.len()).map(|at| self.weight_at(at)))
    }

    /// Mean of the [recalls](Self::recall) of the classes that occur; NaN without samples.
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls: Vec<f64> =
            (0..self.classes).map(|class| self.recall(class)).filter(|x| !x.is_nan()).collect();
        compensated_sum(recalls.iter().copied()) / recalls.len() as f64
    }

    /// Of the samples taken for `class`, the share that are of it; NaN where none was.
    ///
    /// # Panics
    /// If the class is out of range.
    #[track_caller]
    pub fn precision(&self, class: usize) -> f64 {
        self.weight(class, class) / self.taken(class)
    }

    /// Of the samples of `class`, the share that was found; NaN where there are none.
    ///
    /// # Panics
    /// If the class is out of range.
    #[track_caller]
    pub fn recall(&self, class: usize) -> f64 {
        self.weight(class, class) / self.of_class(class)
    }

    /// Harmonic mean of precision and recall, 2·TP/(2·TP + FP + FN); NaN where the class neither
    /// occurs nor is predicted.
    ///
    /// # Panics
    /// If the class is out of range.
    #[track_caller]
    pub fn f1(&self, class: usize) -> f64 {
        2.0 * self.weight(class, class) / (self.taken(class) + self.of_class(class))
    }

    #[track_caller]
    fn check(&self, class: usize) {
        assert!(
            class < self.classes,
            "class {class} of a confusion matrix of {}",
            count(self.classes, "class")
        );
    }

    /// Where the counts of a true class lie.
    #[track_caller]
    fn row(&self, truth: usize) -> std::ops::Range<usize> {
        self.check(truth);
        truth * (self.classes + 1)..(truth + 1) * (self.classes + 1)
    }

    fn weight_at(&self, at: usize) -> f64 {
        self.weights.as_ref().map_or(self.counts[at] as f64, |weights| weights[at].value())
    }

    #[track_caller]
    fn weight(&self, truth: usize, predicted: usize) -> f64 {
        self.check(predicted);
        self.weight_at(self.row(truth).start + predicted)
    }

    /// The weight of the samples taken for `class`.
    fn taken(&self, class: usize) -> f64 {
        compensated_sum((0..self.classes).map(|truth| self.weight(truth, class)))
    }

    /// The weight of the samples of `class`.
    fn of_class(&self, class: usize) -> f64 {
        compensated_sum(self.row(class).map(|at| self.weight_at(at)))
    }

    /// What stands for a class in the table, at most [`LONGEST_NAME`] characters that can be printed.
    fn name(&self, class: usize) -> String {
        let Some(names) = &self.names else { return class.to_string() };
        let printable: String = names[class]
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect();
        if printable.chars().count() <= LONGEST_NAME {
            return printable;
        }
        printable.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
    }
}

/// More classes than this are too many for a table.
const MOST_PRINTED: usize = 20;

/// Longer names of classes are cut.
const LONGEST_NAME: usize = 16;

/// The matrix with a row per true class, and behind it precision, recall and F1 of that class; with
/// more than 20 classes, a line that says so. Undecided samples have a column and a line where there are any.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let undecided = self.undecided();
        if self.classes > MOST_PRINTED {
            writeln!(f, "{}, too many for a table", count(self.classes, "class"))?;
        } else {
            self.table(f, undecided > 0)?;
        }
        if undecided > 0 {
            writeln!(
                f,
                "undecided: {undecided} of {}, counted as wrong",
                count(self.total() as usize, "sample")
            )?;
        }
        Ok(())
    }
}

impl ConfusionMatrix {
    fn table(&self, f: &mut fmt::Formatter<'_>, undecided: bool) -> fmt::Result {
        const CORNER: &str = "true\\predicted";
        let names: Vec<String> = (0..self.classes).map(|class| self.name(class)).collect();
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let digits = self.counts.iter().max().map_or(1, |n| n.to_string().len());
        let (first, width) = (CORNER.len().max(longest), digits.max(longest).max(4) + 1);
        let rate = |x: f64| if x.is_nan() { "-".to_string() } else { format!("{x:.4}") };
        write!(f, "{CORNER:>first$}")?;
        for name in &names {
            write!(f, "{name:>width$}")?;
        }
        let last = if undecided { width.max("  undecided".len()) } else { 0 };
        if undecided {
            write!(f, "{:>last$}", "undecided")?;
        }
        writeln!(f, "   precision  recall      F1")?;
        for (truth, name) in names.iter().enumerate() {
            write!(f, "{name:>first$}")?;
            for predicted in 0..self.classes {
                write!(f, "{:>width$}", self.count(truth, predicted))?;
            }
            if undecided {
                write!(f, "{:>last$}", self.undecided_of(truth))?;
            }
            let (p, r, f1) = (self.precision(truth), self.recall(truth), self.f1(truth));
            writeln!(f, "   {:>9}  {:>6}  {:>6}", rate(p), rate(r), rate(f1))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_a_known_matrix() {
        let mut m = ConfusionMatrix::new(3);
        // Scores of five samples; the last one has a NaN, and is undecided.
        let scores = [9.0, 1.0, 0.0, 0.0, 2.0, 1.0, 3.0, 1.0, 2.0, 0.0, 0.0, 1.0, f64::NAN, 1.0, 0.5];
        m.add_scores(&[0, 1, 1, 2, 1], &scores);
        assert_eq!(m.accuracy(), 0.6);
        assert_eq!((m.precision(0), m.recall(0)), (0.5, 1.0));
        assert_eq!((m.precision(1), m.recall(1)), (1.0, 1.0 / 3.0));
        assert_eq!(m.f1(1), 0.5);
        assert_eq!((m.support(1), m.support(2), m.total()), (3, 1, 5));
        assert_eq!((m.undecided(), m.undecided_of(1), m.undecided_of(0)), (1, 1, 0));
        assert!((m.balanced_accuracy() - 7.0 / 9.0).abs() < 1e-15);
        assert!(m.to_string().ends_with("undecided: 1 of 5 samples, counted as wrong\n"), "{m}");
    }

    /// All scores equal: before, every sample of class 0 counted as right.
    #[test]
    fn a_tie_is_not_class_0() {
        let mut m = ConfusionMatrix::new(2);
        m.add_scores(&[0, 0, 1], &[0.5f32; 6]);
        assert_eq!((m.accuracy(), m.undecided(), m.count(0, 0)), (0.0, 3, 0));
        assert!(m.precision(0).is_nan());
        assert_eq!((m.recall(0), m.f1(0)), (0.0, 0.0));
    }

    #[test]
    fn nothing_to_count() {
        let m = ConfusionMatrix::new(2);
        assert!(m.accuracy().is_nan() && m.precision(0).is_nan() && m.f1(1).is_nan());
        assert!(m.balanced_accuracy().is_nan());
        assert!(m.to_string().contains('-'));
        let mut none = ConfusionMatrix::new(0);
        none.add_scores::<f64>(&[], &[]);
        assert!((none.total(), none.undecided()) == (0, 0) && none.accuracy().is_nan());
        assert_eq!(none.to_string(), "true\\predicted   precision  recall      F1\n");
        let mut some = ConfusionMatrix::new(3);
        some.add_scores::<f32>(&[], &[]);
        assert_eq!(some, ConfusionMatrix::new(3));
        assert_eq!(ConfusionMatrix::of::<usize>(&[], &[], 3, None).unwrap(), some);
        assert_eq!(ConfusionMatrix::of::<usize>(&[], &[], 0, None).unwrap(), none);
    }

    #[test]
    fn what_does_not_pair_is_named() {
        let message = |labels: &[usize], scores: &[f64], classes| {
            let add = || ConfusionMatrix::new(classes).add_scores(labels, scores);
            *std::panic::catch_unwind(add).unwrap_err().downcast::<String>().unwrap()
        };
        assert_eq!(message(&[0], &[], 0), "add_scores: row 0: label 0 is not below the 0 classes");
        assert_eq!(message(&[], &[1.0], 0), "add_scores: 1 score for 0 labels of 0 classes");
        assert_eq!(message(&[0, 1], &[1.0; 5], 2), "add_scores: 5 scores for 2 labels of 2 classes");
        assert_eq!(message(&[0, 2], &[1.0; 4], 2), "add_scores: row 1: label 2 is not below the 2 classes");
        let message = |labels: &[usize], predicted: &[usize], classes, weights| {
            ConfusionMatrix::of(labels, predicted, classes, weights).unwrap_err().to_string()
        };
        let of = "confusion matrix: ";
        assert_eq!(message(&[0], &[], 2, None), format!("{of}0 predictions for 1 label"));
        assert_eq!(
            message(&[0, 3], &[0, 0], 2, None),
            format!("{of}row 1: label 3 is not below the 2 classes")
        );
        assert_eq!(
            message(&[0, 1], &[0, 2], 2, None),
            format!("{of}row 1: class 2 is not below the 2 classes")
        );
        assert_eq!(message(&[0], &[0], 1, Some(&[])), format!("{of}0 weights for 1 sample"));
        assert!(message(&[], &[], 1, Some(&[1.0])).starts_with(of));
        let why = "row 0: the weight -1 is not finite and at least 0";
        assert_eq!(message(&[0], &[0], 1, Some(&[-1.0])), format!("{of}{why}"));
        assert_eq!(
            ConfusionMatrix::new(2).with_names(["a"]).unwrap_err().to_string(),
            "1 name for 2 classes"
        );
    }

    #[test]
    #[should_panic(expected = "a confusion matrix of 2 classes has no entry (1, 2)")]
    fn no_such_class() {
        ConfusionMatrix::new(2).add(1, 2);
    }

    #[test]
    #[should_panic(expected = "class 3 of a confusion matrix of 3 classes")]
    fn no_such_column() {
        ConfusionMatrix::new(3).count(0, 3);
    }

    #[test]
    fn a_weight_that_comes_late_leaves_the_others() {
        let mut m = ConfusionMatrix::new(2);
        m.add(0, 0);
        m.add(0, 1);
        m.add_weighted(1, 1, 2.5);
        assert_eq!((m.accuracy(), m.precision(1), m.count(1, 1)), (3.5 / 4.5, 2.5 / 3.5, 1));
    }

    #[test]
    fn the_table_is_aligned() {
        let mut m =
            ConfusionMatrix::new(3).with_names(["ångström", "b\u{1b}[31m", "a name far too long"]).unwrap();
        m.add(0, 0);
        (0..12_345).for_each(|_| m.add(1, 2));
        let text = m.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{text}");
        assert!(text.contains("a name far too …") && text.contains(r"b\u{1b}[31m"), "{text}");
        let mut m = ConfusionMatrix::new(21);
        m.add(0, None);
        let lines = "21 classes, too many for a table\nundecided: 1 of 1 sample, counted as wrong\n";
        assert_eq!(m.to_string(), lines);
    }
}
