//! Distances of real-valued predictions from their targets.

use super::input::{Weights, wrong};
use crate::Result;
use crate::linalg::compensated_sum;
use crate::linalg::first_not_finite;
use crate::text::count;

/// The share of the targets' variance that is explained: R² = 1 − Σ wᵢ(yᵢ − ŷᵢ)²/Σ wᵢ(yᵢ − ȳ)².
///
/// 1 is perfect, 0 as good as the mean ȳ, which is the weighted one; it may be negative. Targets and
/// predictions are row-major, `width` numbers a sample; of several columns it is the mean over them.
///
/// # Errors
/// See [the module](super#errors). It is not defined where a column of the targets does not vary, so that
/// there must be two samples at least; scikit-learn has 1 or 0 there, or NaN for a single sample.
pub fn r2(targets: &[f64], predictions: &[f64], width: usize, weights: Option<&[f64]>) -> Result<f64> {
    r2_or_constant(targets, predictions, width, weights)?.or_else(|constant| {
        let why = format!("the targets of column {} do not vary, so that it is not defined", constant[0]);
        wrong("R²", why)
    })
}

/// [`r2`], or the columns of the targets that do not vary.
pub(crate) fn r2_or_constant(
    targets: &[f64],
    predictions: &[f64],
    width: usize,
    weights: Option<&[f64]>,
) -> Result<Result<f64, Vec<usize>>> {
    let errors = Errors::new("R²", targets, predictions, width, weights)?;
    let (mut shares, mut constant) = (Vec::new(), Vec::new());
    for column in 0..width {
        match errors.unexplained(column) {
            Some(share) => shares.push(share),
            None => constant.push(column),
        }
    }
    if constant.is_empty() {
        return errors.mean_of_columns(|column| Ok(1.0 - shares[column])).map(Ok);
    }
    Ok(Err(constant))
}

/// The mean squared error, Σ wᵢ(yᵢ − ŷᵢ)²/Σ wᵢ; of several columns the mean over them.
///
/// # Errors
/// See [the module](super#errors), and where it is beyond the range of `f64`.
pub fn mse(targets: &[f64], predictions: &[f64], width: usize, weights: Option<&[f64]>) -> Result<f64> {
    let errors = Errors::new("mean squared error", targets, predictions, width, weights)?;
    errors.mean_of_columns(|column| {
        let (scale, mean) = errors.mean_square(column);
        let found = mean * scale * scale;
        if !found.is_finite() {
            let why =
                format!("column {column}: the squares of errors of {scale:e} are beyond the range of f64");
            return wrong("mean squared error", why);
        }
        Ok(found)
    })
}

/// The root of the mean squared error, √(Σ wᵢ(yᵢ − ŷᵢ)²/Σ wᵢ), in the unit of the targets.
///
/// Targets and predictions are row-major, `width` numbers a sample; of several columns it is the mean of their
/// roots, as in scikit-learn's `root_mean_squared_error`.
///
/// # Errors
/// See [the module](super#errors).
pub fn rmse(targets: &[f64], predictions: &[f64], width: usize, weights: Option<&[f64]>) -> Result<f64> {
    let errors = Errors::new("RMSE", targets, predictions, width, weights)?;
    errors.mean_of_columns(|column| {
        let (scale, mean) = errors.mean_square(column);
        Ok(scale * mean.sqrt())
    })
}

/// The mean absolute error, Σ wᵢ|yᵢ − ŷᵢ|/Σ wᵢ, in the unit of the targets.
///
/// Targets and predictions are row-major, `width` numbers a sample; of several columns it is the mean over
/// them.
///
/// # Errors
/// See [the module](super#errors).
pub fn mae(targets: &[f64], predictions: &[f64], width: usize, weights: Option<&[f64]>) -> Result<f64> {
    let errors = Errors::new("MAE", targets, predictions, width, weights)?;
    errors.mean_of_columns(|column| {
        let scale = errors.largest(|i| errors.error(i, column));
        if scale == 0.0 {
            return Ok(0.0);
        }
        Ok(scale * errors.weights.mean(errors.n, |i| errors.error(i, column).abs() / scale))
    })
}

/// Targets and predictions, checked.
struct Errors<'a> {
    name: &'static str,
    targets: &'a [f64],
    predictions: &'a [f64],
    n: usize,
    width: usize,
    weights: Weights<'a>,
}

impl<'a> Errors<'a> {
    fn new(
        name: &'static str,
        targets: &'a [f64],
        predictions: &'a [f64],
        width: usize,
        weights: Option<&'a [f64]>,
    ) -> Result<Self> {
        let (found, of) = (targets.len(), predictions.len());
        if found != of {
            return wrong(name, format!("{} for {}", count(of, "prediction"), count(found, "target")));
        }
        if found.checked_rem(width) != Some(0) {
            return wrong(name, format!("{} cannot be whole rows of {width}", count(found, "target")));
        }
        let n = found / width;
        let weights = Weights::new(name, n, weights)?;
        for (values, what) in [(targets, "target"), (predictions, "prediction")] {
            if let Some(at) = first_not_finite(values) {
                let (row, column, x) = (at / width, at % width, values[at]);
                return wrong(name, format!("row {row}, column {column}: the {what} is {x}"));
            }
        }
        let errors = Errors { name, targets, predictions, n, width, weights };
        if let Some(at) = (0..found).find(|at| !(targets[*at] - predictions[*at]).is_finite()) {
            let (row, column) = (at / width, at % width);
            let why = format!("row {row}, column {column}: the error is beyond the range of f64");
            return wrong(name, why);
        }
        Ok(errors)
    }

    fn target(&self, row: usize, column: usize) -> f64 {
        self.targets[row * self.width + column]
    }

    fn error(&self, row: usize, column: usize) -> f64 {
        let at = row * self.width + column;
        self.targets[at] - self.predictions[at]
    }

    /// The largest magnitude of those samples that have a weight.
    fn largest(&self, value: impl Fn(usize) -> f64) -> f64 {
        (0..self.n).filter(|i| self.weights.of(*i) > 0.0).fold(0.0, |m, i| m.max(value(i).abs()))
    }

    /// The largest error s of a column, and the mean of the squares of its errors as shares of s, which neither
    /// overflow nor vanish.
    fn mean_square(&self, column: usize) -> (f64, f64) {
        let scale = self.largest(|i| self.error(i, column));
        if scale == 0.0 {
            return (0.0, 0.0);
        }
        (scale, self.weights.mean(self.n, |i| square(self.error(i, column) / scale)))
    }

    /// SS_res/SS_tot of a column; `None` where the second is 0.
    fn unexplained(&self, column: usize) -> Option<f64> {
        // Deviations from one of the targets, so that a large common part of them takes no digits, as a share
        // of the largest.
        let first = (0..self.n).find(|i| self.weights.of(*i) > 0.0)?;
        // Their differences may be beyond f64.
        let unit = if self.largest(|i| self.target(i, column)) > 0.5 * f64::MAX { 0.5 } else { 1.0 };
        let from_first = |i: usize| unit * self.target(i, column) - unit * self.target(first, column);
        let scale = self.largest(from_first);
        if scale == 0.0 {
            return None;
        }
        let mean = self.weights.mean(self.n, |i| from_first(i) / scale);
        let deviation = |i: usize| from_first(i) / scale - mean;
        // What rounding has left of the mean is taken out.
        let rest = self.weights.mean(self.n, deviation);
        let variance = self.weights.mean(self.n, |i| square(deviation(i))) - rest * rest;
        let residual = self.weights.mean(self.n, |i| square(unit * self.error(i, column) / scale));
        Some(residual / variance)
    }

    fn mean_of_columns(&self, of: impl Fn(usize) -> Result<f64>) -> Result<f64> {
        let columns = (0..self.width).map(of).collect::<Result<Vec<f64>>>()?;
        let mean = compensated_sum(columns.into_iter().map(|x| x / self.width as f64));
        if mean.is_finite() {
            return Ok(mean);
        }
        wrong(self.name, "the result is beyond the range of f64")
    }
}

fn square(x: f64) -> f64 {
    x * x
}
