//! Losses: what training makes small. One file each.
//!
//! A loss gives the mean over the samples of a batch, so that batches of any size have the same scale; where
//! the data has sample weights w, the weighted mean of [`Batch::mean`].

mod absolute;
mod batch;
mod binary;
mod cross_entropy;
mod focal;
mod hinge;
mod huber;
mod one_vs_rest;
mod squared;

pub use absolute::MeanAbsoluteError;
pub use batch::Batch;
pub use binary::BinaryCrossEntropy;
pub use cross_entropy::CrossEntropy;
pub use focal::Focal;
pub use hinge::Hinge;
pub use huber::Huber;
pub use one_vs_rest::OneVsRest;
pub use squared::MeanSquaredError;

use crate::metrics::softmax_in_place;
use crate::text::count;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::Dataset;
use crate::linalg::simd::vectorize;
use crate::metrics::SeenClasses;
use crate::store::{Settings, known};
use crate::tape::{Tape, Var};
use crate::{Error, Float, Result};

/// What training makes small.
///
/// An own loss is one `impl`:
///
/// ```
/// use tapegrad::data::Dataset;
/// use tapegrad::nn::loss::{Batch, Link, Loss, real_targets};
/// use tapegrad::{Float, Result, Tape, Var};
///
/// /// Mean of ln cosh of the difference: smooth, and linear far away.
/// struct LogCosh;
///
/// impl<T: Float> Loss<T> for LogCosh {
///     fn name(&self) -> &str {
///         "log-cosh"
///     }
///     fn outputs(&self, data: &Dataset) -> Result<usize> {
///         real_targets("log-cosh", data)
///     }
///     fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var {
///         let targets = batch.targets(tape);
///         let d = tape.sub(output, targets);
///         // ln cosh d = d + softplus(−2d) − ln 2.
///         let m = tape.scale(d, T::of(-2.0));
///         let m = tape.softplus(m);
///         let sum = tape.add(d, m);
///         let each = tape.shift(sum, T::of(-std::f64::consts::LN_2));
///         batch.mean(tape, each)
///     }
///     fn link(&self) -> Link {
///         Link::Identity
///     }
/// }
/// # let data = Dataset::new(vec![0.0], 1)?.with_targets(vec![0.0], 1)?;
/// # assert_eq!(Loss::<f64>::outputs(&LogCosh, &data)?, 1);
/// # Ok::<(), tapegrad::Error>(())
/// ```
pub trait Loss<T: Float>: Send + Sync {
    /// Its name in a line, settings included: `cross-entropy, smoothing 0.1`.
    fn name(&self) -> &str;

    /// How many outputs a module must give for a sample of this data.
    ///
    /// # Errors
    /// [`Error::Data`] that says what the data lacks, such as class labels.
    fn outputs(&self, data: &Dataset) -> Result<usize>;

    /// Appends the loss of the batch whose module output is `output`, m×[`outputs`](Loss::outputs): 1×1, the
    /// mean over the samples, weighted where there are weights. What is meant for training only, such as label
    /// smoothing, is left out where the batch [is not for training](Batch::is_training).
    ///
    /// # Panics
    /// If `output` is stale or has another shape, or the data of the batch lacks what the loss compares with.
    fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var;

    /// How an output row is read.
    fn link(&self) -> Link;

    /// How much the batch counts in a mean over batches: with what its mean was divided by. A loss that has weights
    /// of its own, such as those of classes, has to say.
    fn weight(&self, batch: &Batch<'_>) -> f64 {
        batch.total_weight()
    }

    /// What it is and how it was set, for a file. `None`, by default, for a loss of your own.
    fn store(&self) -> Option<Settings> {
        None
    }
}

/// Makes a loss again of what stands in a file.
type Restore<T> = fn(&Settings) -> Result<Arc<dyn Loss<T>>>;

/// The loss of those settings.
///
/// # Errors
/// [`Error::Data`] if there is no such loss, or a setting of it is missing or out of its range.
pub(crate) fn restore<T: Float>(settings: &Settings) -> Result<Arc<dyn Loss<T>>> {
    let table: [(&str, Restore<T>); 8] = [
        ("cross_entropy", |settings| Ok(Arc::new(CrossEntropy::restore(settings)?))),
        ("binary_cross_entropy", |_| Ok(Arc::new(BinaryCrossEntropy))),
        ("one_vs_rest", |_| Ok(Arc::new(OneVsRest))),
        ("focal", |settings| Ok(Arc::new(Focal::new(settings.get("gamma")?)?))),
        ("hinge", |_| Ok(Arc::new(Hinge))),
        ("squared_error", |_| Ok(Arc::new(MeanSquaredError))),
        ("absolute_error", |_| Ok(Arc::new(MeanAbsoluteError))),
        ("huber", |settings| Ok(Arc::new(Huber::new(settings.get("delta")?)?))),
    ];
    known("loss", settings.kind(), table)?(settings)
}

/// A loss that is known at run time only.
impl<T: Float, L: Loss<T> + ?Sized> Loss<T> for Arc<L> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn outputs(&self, data: &Dataset) -> Result<usize> {
        (**self).outputs(data)
    }

    fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var {
        (**self).forward(tape, output, batch)
    }

    fn link(&self) -> Link {
        (**self).link()
    }

    fn weight(&self, batch: &Batch<'_>) -> f64 {
        (**self).weight(batch)
    }

    fn store(&self) -> Option<Settings> {
        (**self).store()
    }
}

/// How the numbers that a module gives for a sample are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// A logit for each class; the softmax of the row are the probabilities.
    Softmax,
    /// A logit for each class on its own; the logistic function of each is its probability.
    Sigmoid,
    /// One logit, of class 1 against class 0.
    Binary,
    /// A score for each class, of which the largest counts; there are no probabilities.
    Scores,
    /// The predicted values themselves.
    Identity,
}

impl Link {
    /// Whether the outputs stand for classes, so that there is an accuracy.
    pub fn classifies(self) -> bool {
        self != Link::Identity
    }

    /// Whether the outputs tell probabilities of classes.
    pub fn has_probabilities(self) -> bool {
        matches!(self, Link::Softmax | Link::Sigmoid | Link::Binary)
    }

    /// The probability of each class from an output row; they sum to 1. Of a logit each, p = σ(z)/Σσ(z), which
    /// does not fail where all σ(z) are tiny.
    ///
    /// # Panics
    /// If there are no [probabilities](Self::has_probabilities), or `to` has not a place for each class.
    #[track_caller]
    pub fn probabilities(self, row: &[f64], to: &mut [f64]) {
        let (classes, places) = (self.classes(row.len()), to.len());
        assert!(self.has_probabilities(), "Link::probabilities: {self:?} has none");
        assert!(
            places == classes,
            "Link::probabilities: {}, but {}",
            count(classes, "class"),
            count(places, "place")
        );
        to[..row.len()].copy_from_slice(row);
        self.probabilities_in_place(to);
    }

    /// The same of outputs that stand at the front of `to`, which has a place for each class.
    pub(crate) fn probabilities_in_place(self, to: &mut [f64]) {
        match self {
            Link::Binary => to.copy_from_slice(&[0.0, to[0]]),
            // ln σ(z).
            Link::Sigmoid => {
                vectorize(
                    to.len(),
                    #[inline(always)]
                    || {
                        for p in to.iter_mut() {
                            *p = f64::min(*p, 0.0) - Float::ln_1p(Float::exp(-p.abs()));
                        }
                    },
                );
            }
            _ => (),
        }
        softmax_in_place(to);
    }

    /// How many classes so many outputs stand for; 0 for none.
    pub(crate) fn classes(self, outputs: usize) -> usize {
        match self {
            Link::Identity => 0,
            Link::Binary => 2 * usize::from(outputs == 1),
            Link::Softmax | Link::Sigmoid | Link::Scores => outputs,
        }
    }

    /// The class that an output row stands for, among those that occurred in training: that of the largest
    /// number, and with one logit class 1 where it is positive. `None` where that is undecided, as in
    /// [`argmax`](crate::metrics::argmax()).
    ///
    /// # Panics
    /// If there is not an output for each class.
    pub fn class<T: Float>(self, row: &[T], seen: &SeenClasses) -> Option<usize> {
        if self == Link::Binary {
            let z = *row.first()?;
            return seen.argmax(&[T::ZERO, z]);
        }
        seen.argmax(row)
    }
}

/// Cross-entropy where the data has class labels, mean squared error where it has targets.
///
/// # Errors
/// [`Error::Data`] if it has neither.
pub fn suited_to<T: Float>(data: &Dataset) -> Result<Arc<dyn Loss<T>>> {
    match (data.labels(), data.targets()) {
        (Some(_), _) => Ok(Arc::new(CrossEntropy::default())),
        (_, Some(_)) => Ok(Arc::new(MeanSquaredError)),
        _ => Err(Error::Data("the data has neither labels nor targets to train on".into())),
    }
}

/// The number of classes, for [`Loss::outputs`] of the loss `name`.
///
/// # Errors
/// [`Error::Data`] if the data has no class labels, or several for each sample.
pub fn class_labels(name: &str, data: &Dataset) -> Result<usize> {
    if data.labels_per_row() > 1 {
        let each = data.labels_per_row();
        return Err(Error::Data(format!("{name} takes one label for each sample, and the data has {each}")));
    }
    match data.labels() {
        Some(_) => Ok(data.classes()),
        None => Err(Error::Data(format!("{name} needs class labels"))),
    }
}

/// The number of real-valued targets of a sample, for [`Loss::outputs`] of the loss `name`.
///
/// # Errors
/// [`Error::Data`] if the data has no targets.
pub fn real_targets(name: &str, data: &Dataset) -> Result<usize> {
    match data.targets() {
        Some(_) => Ok(data.target_width()),
        None => Err(Error::Data(format!("{name} needs real-valued targets"))),
    }
}
