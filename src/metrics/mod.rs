//! How good predictions are: one number, or a table, from labels and what a model said.
//!
//! | metric | takes | formula |
//! |---|---|---|
//! | [`accuracy`] | classes | share of samples whose class was found |
//! | [`balanced_accuracy`] | classes | mean of the recalls of the classes that occur |
//! | [`top_k_accuracy`] | scores | share of samples with fewer than k other classes at or above their own |
//! | [`ConfusionMatrix`] | classes or scores | samples by true and predicted class; precision, recall, F1 |
//! | [`log_loss`] | probabilities | mean of −ln p of the true class |
//! | [`brier_score`] | probabilities | mean squared distance to the true class |
//! | [`expected_calibration_error`] | probabilities | mean distance of confidence and share right, in bins |
//! | [`roc_auc`], [`roc_auc_by_class`], [`roc_auc_one_vs_rest`] | scores | P(positive above negative) |
//! | [`average_precision`], [`average_precision_by_class`], [`average_precision_one_vs_rest`] | scores | Σ (Rₙ − Rₙ₋₁)·Pₙ |
//! | [`r2`], [`mse`], [`rmse`], [`mae`] | real values | 1 − SS_res/SS_tot, mean r², its root, mean of the magnitudes of r |
//!
//! **Labels** are classes from 0 on, as [`Dataset::labels`](crate::Dataset::labels) has them. **Scores** and
//! probabilities are row-major, a sample a row with one number for each of `classes` classes.
//! **Predicted classes** are what a classifier returns: `Some(class)`, or `None` for a sample that is
//! [undecided](argmax); they may also be given as plain `usize`. An undecided sample is never right.
//!
//! **Weights**, where they are given, count sample i as wᵢ ≥ 0 samples. All means are weighted means then.
//! A sample of weight 0 changes nothing, but must be valid all the same.
//!
//! The figures agree with scikit-learn 1.9.1 to 10⁻¹², ties, absent classes and weights included. Where
//! scikit-learn warns and returns NaN or 0, because a metric is not defined for the data (the area under
//! the curve of a single class, R² of targets that do not vary), there is an [`Error`](crate::Error) here
//! that says why. All sums are compensated.
//!
//! # Errors
//!
//! The functions of this module return [`Error::Data`](crate::Error::Data) if there are no samples; labels,
//! scores, predictions or weights do not pair; a label or a predicted class is out of range; a number is
//! NaN, or infinite where that has no meaning; a weight is negative or all are 0; what should be
//! probabilities are none; or the metric is not defined for this data.
//!
//! ```
//! use tapegrad::metrics::{self, argmax};
//!
//! let labels = [0, 1, 1];
//! let scores = [0.9, 0.1, 0.2, 0.8, 0.5, 0.5];
//! // The last sample has two largest scores: it is undecided, and counts as wrong.
//! let predicted: Vec<_> = scores.chunks(2).map(argmax).collect();
//! assert_eq!(predicted, [Some(0), Some(1), None]);
//! assert_eq!(metrics::accuracy(&labels, &predicted, None)?, 2.0 / 3.0);
//! // The third sample counts for two.
//! assert_eq!(metrics::accuracy(&labels, &predicted, Some(&[1.0, 1.0, 2.0]))?, 0.5);
//! let second: Vec<f64> = scores.chunks(2).map(|row| row[1]).collect();
//! assert_eq!(metrics::roc_auc(&labels, &second, None)?, 1.0);
//! # Ok::<(), tapegrad::Error>(())
//! ```

mod accuracy;
mod argmax;
mod calibration;
mod confusion;
mod evaluation;
mod input;
mod log_loss;
mod ranking;
mod regression;
mod softmax;

pub use accuracy::{accuracy, balanced_accuracy, top_k_accuracy};
pub use argmax::{SeenClasses, argmax};
pub use calibration::{brier_score, expected_calibration_error};
pub use confusion::ConfusionMatrix;
pub use evaluation::{Evaluation, ValueErrors};
pub use log_loss::log_loss;
pub use ranking::{
    Average, average_precision, average_precision_by_class, average_precision_one_vs_rest, roc_auc,
    roc_auc_by_class, roc_auc_one_vs_rest,
};
pub(crate) use regression::r2_or_constant;
pub use regression::{mae, mse, r2, rmse};
pub(crate) use softmax::softmax_in_place;
