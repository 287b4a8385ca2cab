//! What a model has learnt to tell.

use serde::{Deserialize, Serialize};

use crate::data::preprocess::TargetScale;
use crate::metrics::SeenClasses;
use crate::nn::loss::Link;
use crate::text::count;
use crate::{Dataset, Error, Matrix, Result};

/// What a model has learnt to tell: classes, or values.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Classes by their scores.
    Classes {
        /// Their names, which are numbers where the data had none.
        names: Vec<String>,
        /// Those that occurred in training: no other is an answer.
        seen: SeenClasses,
        /// How scores are read.
        link: Link,
        /// How many are told of a sample: 1 as a rule, and one for each token of a text.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        each: usize,
    },
    /// Real values.
    Values {
        /// How many for a sample.
        width: usize,
        /// The scale on which the model knows them, if it is not their own.
        scale: Option<TargetScale>,
        /// Whether they are the features themselves: data then needs no targets, and what else it tells does not count.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reconstructs: bool,
    },
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(each: &usize) -> bool {
    *each == 1
}

impl Task {
    /// What a model that was trained on this data has learnt to tell; `link` says how its outputs are read.
    ///
    /// # Errors
    /// [`Error::Data`] if the link stands for classes and the data has none, or for values and it has no targets.
    pub fn of(train: &Dataset, link: Link) -> Result<Task> {
        if !link.classifies() {
            let width = train.target_width();
            if width == 0 {
                return Err(Error::Data("a model of values needs real-valued targets".into()));
            }
            return Ok(Task::Values { width, scale: None, reconstructs: false });
        }
        let Some(labels) = train.labels() else {
            return Err(Error::Data("a model of classes needs class labels".into()));
        };
        let names = (0..train.classes()).map(|class| train.class_name(class).into_owned()).collect();
        Ok(Task::Classes {
            names,
            seen: SeenClasses::of_weighted(labels, train.weights(), train.classes())?,
            link,
            each: train.labels_per_row(),
        })
    }

    /// An error if it does not fit together, as in a file that was changed.
    pub(crate) fn checked(self) -> Result<Task> {
        let (names, width) = (self.class_names().len(), self.outputs());
        let good = match &self {
            Task::Classes { seen, link, each, .. } => {
                names > 0
                    && *each > 0
                    && seen.classes() == names
                    && link.classifies()
                    && (*link != Link::Binary || names == 2)
            }
            Task::Values { scale: Some(scale), .. } => scale.fits(width),
            Task::Values { scale: None, .. } => width > 0,
        };
        if good {
            Ok(self)
        } else {
            Err(Error::Data("what the file says that the model tells does not fit together".into()))
        }
    }

    /// Number of classes; 0 where values are told.
    pub fn classes(&self) -> usize {
        if let Task::Classes { names, .. } = self { names.len() } else { 0 }
    }

    /// Whether the features themselves are told.
    pub fn reconstructs(&self) -> bool {
        matches!(self, Task::Values { reconstructs: true, .. })
    }

    /// The data with what is told of it: its own features where these are reconstructed.
    pub(crate) fn told(&self, data: &Dataset) -> Result<Dataset> {
        if self.reconstructs() { data.with_own_targets() } else { Ok(data.clone()) }
    }

    /// How many classes are told of a sample: 1 as a rule, one for each token of a text, and 0 where values are told.
    pub fn labels_per_row(&self) -> usize {
        if let Task::Classes { each, .. } = self { *each } else { 0 }
    }

    /// How many numbers a model gives for a sample, or for each token of a text.
    pub fn outputs(&self) -> usize {
        match self {
            Task::Classes { link: Link::Binary, .. } => 1,
            Task::Classes { names, .. } => names.len(),
            Task::Values { width, .. } => *width,
        }
    }

    /// The names of the classes; none where values are told.
    pub fn class_names(&self) -> &[String] {
        if let Task::Classes { names, .. } = self { names } else { &[] }
    }

    /// The class of every row of scores; none where values are told.
    pub fn classes_of(&self, scores: &Matrix<f64>) -> Vec<Option<usize>> {
        let Task::Classes { seen, link, .. } = self else { return Vec::new() };
        scores.rows().map(|row| link.class(row, seen)).collect()
    }

    /// The class of one sample by its scores, such as [`scores_into`](super::Predictor::scores_into) writes; `None`
    /// where it is undecided, and where values are told. Allocates nothing.
    ///
    /// # Panics
    /// If there is not a score for each class.
    #[track_caller]
    pub fn class_of(&self, scores: &[f64]) -> Option<usize> {
        let Task::Classes { seen, link, .. } = self else { return None };
        let (expected, found) = (self.outputs(), scores.len());
        assert!(
            expected == found,
            "Task::class_of: the model gives {}, but there are {found}",
            count(expected, "score")
        );
        link.class(scores, seen)
    }

    /// The probabilities of the classes, by their scores; `None` where there are none.
    pub fn probabilities_of(&self, scores: &Matrix<f64>) -> Option<Matrix<f64>> {
        let Task::Classes { names, link, .. } = self else { return None };
        link.has_probabilities().then(|| {
            let mut probabilities = Matrix::zeros(scores.nrows(), names.len());
            scores.rows().enumerate().for_each(|(i, row)| link.probabilities(row, probabilities.row_mut(i)));
            probabilities
        })
    }

    /// Whether the labels or targets of `data` mean what they meant in training.
    ///
    /// # Errors
    /// [`Error::Data`] that names both sides: labels where values are told or the reverse, more classes than the
    /// model knows, other names for them, or another number of targets.
    pub fn check(&self, data: &Dataset) -> Result<()> {
        match self {
            Task::Classes { names, each, .. } => {
                let found = data.classes();
                if data.labels().is_none() {
                    return Err(Error::Data("the model tells classes, but the data has no labels".into()));
                }
                let labels = data.labels_per_row();
                if labels != *each {
                    let why = format!(
                        "the model tells {} of each sample, but the data has {labels}",
                        count(*each, "class")
                    );
                    return Err(Error::Data(why));
                }
                if found > names.len() {
                    let known = names.len();
                    return Err(Error::Data(format!(
                        "the model knows {}, the data {found}",
                        count(known, "class")
                    )));
                }
                let other = |class: &usize| data.class_name(*class) != names[*class];
                if let Some(class) = (0..found).find(other) {
                    let (ours, theirs) = (&names[class], data.class_name(class));
                    let why = format!("class {class} is `{ours}` for the model, but `{theirs}` in the data");
                    return Err(Error::Data(why));
                }
            }
            Task::Values { width, .. } => {
                let found = data.target_width();
                if found != *width {
                    return Err(Error::Data(format!(
                        "the model tells {}, the data {found}",
                        count(*width, "value")
                    )));
                }
            }
        }
        Ok(())
    }
}
