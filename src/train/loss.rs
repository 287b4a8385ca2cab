//! Which loss a model is trained on.

use crate::data::Dataset;
use crate::settings::{self, Range};
use crate::tape::{Tape, Var};
use crate::{Error, Float, Result};

/// The loss of a batch: a mean over its samples, so that batches of any size have the same scale.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Loss {
    /// Cross-entropy from logits against class labels, with label smoothing (0 for none).
    CrossEntropy {
        /// Probability taken from the true class and spread evenly over all, in [0, 1).
        smoothing: f64,
    },
    /// A binary cross-entropy from logits for each class, that class against the rest, summed over the
    /// classes. On a linear model it trains a logistic regression per class at once: they share no weights.
    OneVsRest,
    /// Mean squared error against real-valued targets.
    MeanSquaredError,
}

impl Loss {
    /// Cross-entropy where the data has class labels, mean squared error where it has targets.
    ///
    /// # Errors
    /// [`Error::Data`] if it has neither.
    pub fn suited_to(data: &Dataset) -> Result<Loss> {
        match (data.labels(), data.targets()) {
            (Some(_), _) => Ok(Loss::CrossEntropy { smoothing: 0.0 }),
            (_, Some(_)) => Ok(Loss::MeanSquaredError),
            _ => Err(Error::Data("the data has neither labels nor targets to train on".into())),
        }
    }

    /// How many outputs a model needs for this loss on this data.
    ///
    /// # Errors
    /// [`Error::Data`] if the data lacks what the loss compares with; [`Error::Setting`] for a
    /// smoothing outside [0, 1).
    pub fn outputs(self, data: &Dataset) -> Result<usize> {
        self.check::<f64>()?;
        match self {
            Loss::CrossEntropy { .. } | Loss::OneVsRest if data.labels().is_some() => Ok(data.classes()),
            Loss::MeanSquaredError if data.targets().is_some() => Ok(data.target_width()),
            Loss::CrossEntropy { .. } | Loss::OneVsRest => {
                Err(Error::Data("cross-entropy needs class labels".into()))
            }
            Loss::MeanSquaredError => Err(Error::Data("the squared error needs real-valued targets".into())),
        }
    }

    /// Whether its settings are in their ranges in `T`: as an `f32`, a smoothing of 0.99999999 is 1.
    ///
    /// # Errors
    /// [`Error::Setting`] that names the setting, its value and `T`.
    pub fn check<T: Float>(self) -> Result<()> {
        let range = Range { text: "in [0, 1)", ..Range::BELOW_ONE };
        match self {
            Loss::CrossEntropy { smoothing } => {
                settings::check::<T>("smoothing", smoothing, range).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// The same without label smoothing, which is for training only.
    pub fn for_evaluation(self) -> Loss {
        match self {
            Loss::CrossEntropy { .. } => Loss::CrossEntropy { smoothing: 0.0 },
            other => other,
        }
    }

    /// Appends the loss of the rows `indices` of `data`, whose model output is `output`. `labels` is
    /// filled with their labels, where there are any.
    pub(crate) fn append<T: Float>(
        self,
        tape: &mut Tape<T>,
        output: Var,
        data: &Dataset,
        indices: &[usize],
        labels: &mut Vec<usize>,
    ) -> Var {
        match self {
            Loss::CrossEntropy { smoothing } => {
                data.gather_labels(indices, labels);
                if smoothing == 0.0 {
                    tape.cross_entropy(output, labels)
                } else {
                    tape.cross_entropy_smoothed(output, labels, T::of(smoothing))
                }
            }
            Loss::OneVsRest => {
                data.gather_labels(indices, labels);
                let classes = tape.shape(output).cols;
                let targets = tape.constant_with(indices.len(), classes, |to| {
                    labels.iter().enumerate().for_each(|(i, label)| to[i * classes + label] = T::ONE);
                });
                // The mean over all entries is that over the samples, divided by the number of classes.
                let mean = tape.bce_with_logits(output, targets);
                tape.scale(mean, T::of(classes as f64))
            }
            Loss::MeanSquaredError => {
                let targets = tape.constant_with(indices.len(), data.target_width(), |to| {
                    data.gather_targets(indices, to);
                });
                tape.mse(output, targets)
            }
        }
    }

    /// Whether it compares with classes, so that there is an accuracy.
    pub(crate) fn classifies(self) -> bool {
        matches!(self, Loss::CrossEntropy { .. } | Loss::OneVsRest)
    }
}
