//! How good a predictor is.

use super::Task;
use crate::metrics::{ConfusionMatrix, Evaluation, ValueErrors, log_loss, mae, mse, r2_or_constant, rmse};
use crate::{Dataset, Error, Matrix, Result};

/// The figures for these scores of `data`, whose labels or targets were [checked](Task::check).
///
/// The loss is the log-loss where the model has probabilities, and the mean squared error of the scores to 1 for
/// the true class and −1 for the others where it has none; of values, the mean squared error.
pub(crate) fn evaluation(task: &Task, scores: &Matrix<f64>, data: &Dataset) -> Result<Evaluation> {
    let (samples, weights) = (data.len(), data.weights());
    if samples == 0 {
        return Err(Error::Data("there are no samples to evaluate on".into()));
    }
    match task {
        Task::Values { width, reconstructs, .. } => {
            let (y, found) = (data.targets().unwrap_or_default(), scores.as_slice());
            let values = errors(y, found, *width, weights, *reconstructs)?;
            let (loss, loss_name) = (mse(y, found, *width, weights)?, "mean squared error".into());
            Ok(Evaluation { samples, tokens: None, loss, loss_name, confusion: None, values: Some(values) })
        }
        Task::Classes { names, .. } => {
            let labels = data.labels().unwrap_or_default();
            let predicted = task.classes_of(scores);
            let confusion = ConfusionMatrix::of(labels, &predicted, names.len(), weights)?;
            let (loss, name) = if let Some(p) = task.probabilities_of(scores) {
                (log_loss(labels, p.as_slice(), names.len(), weights)?, "log-loss")
            } else {
                let mut targets = Matrix::zeros(samples, scores.ncols());
                for (i, label) in labels.iter().enumerate() {
                    targets.row_mut(i).fill(-1.0);
                    targets[(i, *label)] = 1.0;
                }
                (mse(targets.as_slice(), scores.as_slice(), scores.ncols(), weights)?, "mean squared error")
            };
            let confusion = confusion.with_names(names.clone())?;
            Ok(Evaluation {
                samples,
                tokens: None,
                loss,
                loss_name: name.into(),
                confusion: Some(confusion),
                values: None,
            })
        }
    }
}

/// How far values are off; `reconstructs` says that they are the samples themselves.
pub(crate) fn errors(
    targets: &[f64],
    found: &[f64],
    width: usize,
    weights: Option<&[f64]>,
    reconstructs: bool,
) -> Result<ValueErrors> {
    let (r2, constant) = if reconstructs {
        (None, 0)
    } else {
        match r2_or_constant(targets, found, width, weights)? {
            Ok(r2) => (Some(r2), 0),
            Err(constant) => (None, constant.len()),
        }
    };
    Ok(ValueErrors {
        r2,
        constant,
        rmse: rmse(targets, found, width, weights)?,
        mae: mae(targets, found, width, weights)?,
    })
}
