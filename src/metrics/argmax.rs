//! From scores to a class: the one place where that is done.

use serde::{Deserialize, Serialize};

use crate::memory::filled;
use crate::text::count;
use crate::{Error, Float, Result};

/// The index of the largest score; `None` where that is undecided.
///
/// Undecided is a row whose largest score stands there more than once, one with a NaN, and one without
/// scores. Others take the first of equal ones (NumPy, scikit-learn, PyTorch as a rule), which counts
/// every tie for a low class: a model that says the same of all classes would be right for class 0.
///
/// ```
/// use tapegrad::metrics::argmax;
///
/// assert_eq!(argmax(&[0.1, 0.7, 0.2]), Some(1));
/// assert_eq!(argmax(&[0.4, 0.4, 0.2]), None);
/// assert_eq!(argmax(&[0.4, 0.2, 0.2]), Some(0));
/// assert_eq!(argmax(&[f64::NAN, 0.7, 0.2]), None);
/// assert_eq!(argmax::<f64>(&[]), None);
/// ```
pub fn argmax<T: Float>(scores: &[T]) -> Option<usize> {
    largest(scores.iter().enumerate())
}

fn largest<'a, T: Float>(scores: impl Iterator<Item = (usize, &'a T)>) -> Option<usize> {
    let mut best: Option<(usize, T)> = None;
    let mut tied = false;
    for (class, score) in scores {
        if score.is_nan() {
            return None;
        }
        match best {
            Some((_, top)) if *score < top => (),
            Some((_, top)) if *score == top => tied = true,
            _ => (best, tied) = (Some((class, *score)), false),
        }
    }
    best.filter(|_| !tied).map(|(class, _)| class)
}

/// The classes that occurred in training, and among which a classifier therefore chooses.
///
/// A class without samples has a score too, which far from the training samples may be the largest. It is
/// left out of the choice, whatever its score: the largest of the others decides, and a tie or NaN of a
/// class that is left out does not matter.
///
/// ```
/// use tapegrad::metrics::SeenClasses;
///
/// let seen = SeenClasses::of_labels(&[1, 1, 2], 3)?;
/// assert_eq!(seen.argmax(&[9.0, 0.5, 0.3]), Some(1));
/// let rows = [9.0, 0.5, 0.3, 0.0, 0.2, 0.2];
/// assert_eq!(seen.decide(&rows), [Some(1), None]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeenClasses {
    seen: Vec<bool>,
}

impl SeenClasses {
    /// All of so many classes.
    pub fn all(classes: usize) -> SeenClasses {
        SeenClasses { seen: vec![true; classes] }
    }

    /// Those of `classes` classes that are among the labels of rows whose weight is not 0.
    ///
    /// # Errors
    /// As [`of_labels`](Self::of_labels); [`Error::Data`] if there is not a weight for each label.
    pub fn of_weighted(labels: &[usize], weights: Option<&[f64]>, classes: usize) -> Result<SeenClasses> {
        let Some(weights) = weights else { return SeenClasses::of_labels(labels, classes) };
        if weights.len() != labels.len() {
            return Err(Error::Data(format!(
                "{} for {}",
                count(weights.len(), "weight"),
                count(labels.len(), "label")
            )));
        }
        let mut found = SeenClasses::of_labels(labels, classes)?;
        found.seen.fill(false);
        labels.iter().zip(weights).for_each(|(label, weight)| found.seen[*label] |= *weight > 0.0);
        Ok(found)
    }

    /// Those of `classes` classes that are among the labels.
    ///
    /// # Errors
    /// [`Error::Data`] if a label is not below `classes`; [`Error::Memory`] for too many classes.
    pub fn of_labels(labels: &[usize], classes: usize) -> Result<SeenClasses> {
        let mut seen = filled(classes, false, "the classes")?;
        for (row, label) in labels.iter().enumerate() {
            let Some(seen) = seen.get_mut(*label) else {
                let why = format!("row {row}: label {label} is not below the {}", count(classes, "class"));
                return Err(Error::Data(why));
            };
            *seen = true;
        }
        Ok(SeenClasses { seen })
    }

    /// One for each class, whether it occurred.
    pub fn from_flags(seen: Vec<bool>) -> SeenClasses {
        SeenClasses { seen }
    }

    /// How many classes there are, those that did not occur included.
    pub fn classes(&self) -> usize {
        self.seen.len()
    }

    /// Whether a class occurred; false for one that there is not.
    pub fn contains(&self, class: usize) -> bool {
        self.seen.get(class).copied().unwrap_or(false)
    }

    /// The class with the largest score among those that occurred; `None` where that is undecided, as in
    /// [`argmax`], or none occurred.
    ///
    /// # Panics
    /// If there is not a score for each class.
    #[track_caller]
    pub fn argmax<T: Float>(&self, scores: &[T]) -> Option<usize> {
        let (found, classes) = (scores.len(), self.seen.len());
        assert!(found == classes, "argmax: {} for {}", count(found, "score"), count(classes, "class"));
        largest(scores.iter().enumerate().filter(|(class, _)| self.seen[*class]))
    }

    /// The same for each row of row-major scores.
    ///
    /// # Panics
    /// If the scores are not whole rows of one for each class.
    #[track_caller]
    pub fn decide<T: Float>(&self, scores: &[T]) -> Vec<Option<usize>> {
        let (found, classes) = (scores.len(), self.seen.len());
        // No classes make no scores, of however many rows.
        assert!(
            found.checked_rem(classes).unwrap_or(found) == 0,
            "decide: {} cannot be whole rows of {}",
            count(found, "score"),
            count(classes, "class")
        );
        scores.chunks(classes.max(1)).map(|row| self.argmax(row)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;
    const INF: f64 = f64::INFINITY;

    #[test]
    fn ties_and_nan_are_undecided_wherever_they_stand() {
        let check = |scores: &[f64], expected: Option<usize>| {
            assert_eq!(argmax(scores), expected, "{scores:?}");
            let single: Vec<f32> = scores.iter().map(|x| *x as f32).collect();
            assert_eq!(argmax(&single), expected, "{scores:?} in f32");
        };
        check(&[1.0, 2.0, 2.0], None);
        check(&[2.0, 1.0, 2.0], None);
        check(&[2.0, 2.0, 3.0], Some(2));
        check(&[3.0, 2.0, 2.0], Some(0));
        check(&[0.0, 0.0], None);
        check(&[-0.0, 0.0], None);
        check(&[NAN, 1.0], None);
        check(&[1.0, NAN], None);
        check(&[NAN], None);
        check(&[-INF, -INF], None);
        check(&[-INF], Some(0));
        check(&[INF, INF, 0.0], None);
        check(&[INF, 1.0], Some(0));
        check(&[-INF, -1.0], Some(1));
        check(&[], None);
    }

    #[test]
    fn classes_that_did_not_occur_have_no_say() {
        let seen = SeenClasses::of_labels(&[1, 3, 3], 4).unwrap();
        assert_eq!((0..5).map(|c| seen.contains(c)).collect::<Vec<_>>(), [false, true, false, true, false]);
        assert_eq!(seen.argmax(&[9.0, 0.0, 9.0, 1.0]), Some(3));
        assert_eq!(seen.argmax(&[NAN, 0.5, INF, 0.25]), Some(1));
        assert_eq!(seen.argmax(&[0.0, 0.5, 0.0, 0.5]), None);
        assert_eq!(seen.argmax(&[0.0, 0.5, 0.0, NAN]), None);
        // A single class is the answer everywhere, but not to a NaN.
        let one = SeenClasses::from_flags(vec![false, true]);
        assert_eq!(one.decide(&[1.0, -1.0, -INF, -INF, 0.0, NAN]), [Some(1), Some(1), None]);
        assert_eq!(SeenClasses::of_labels(&[], 2).unwrap().argmax(&[1.0, 2.0]), None);
        assert_eq!(SeenClasses::all(0).decide::<f32>(&[]), []);
        assert_eq!(SeenClasses::all(2).decide::<f64>(&[]), []);
        let error = SeenClasses::of_labels(&[0, 4], 4).unwrap_err().to_string();
        assert_eq!(error, "row 1: label 4 is not below the 4 classes");
    }

    #[test]
    #[should_panic(expected = "decide: 3 scores cannot be whole rows of 2 classes")]
    fn scores_that_are_not_whole_rows() {
        SeenClasses::all(2).decide(&[1.0, 2.0, 3.0]);
    }

    #[test]
    #[should_panic(expected = "decide: 1 score cannot be whole rows of 0 classes")]
    fn scores_of_no_classes() {
        SeenClasses::all(0).decide(&[1.0]);
    }
}
