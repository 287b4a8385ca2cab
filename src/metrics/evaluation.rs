//! How a model does on a set of samples.

use std::fmt;

use super::ConfusionMatrix;
use crate::text::count;

/// How a model does on a set; printed: loss, accuracy and the confusion matrix, or loss and errors of the values; of
/// tokens, loss and accuracy without the matrix.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Number of samples.
    pub samples: usize,
    /// Number of tokens in them, where each of these was told apart, as in a text; `None` where a sample is one answer.
    pub tokens: Option<usize>,
    /// Mean loss over the samples, weighted where they have weights; over the tokens, where these are told apart.
    pub loss: f64,
    /// Which loss that is, such as "cross-entropy", "log-loss" or "mean squared error".
    pub loss_name: String,
    /// True against predicted class; `None` for regression.
    pub confusion: Option<ConfusionMatrix>,
    /// For regression, where it was asked for the values themselves.
    pub values: Option<ValueErrors>,
}

/// How far predicted values are off, over all samples and targets, on the targets' own scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueErrors {
    /// R², the share of the variance that is predicted: [`r2`](super::r2()). `None` where a target does not vary, as
    /// of a single sample; and where the samples themselves are told, as by an autoencoder: of images, pixels at the border
    /// hardly vary, and each of them would count as much as any other.
    pub r2: Option<f64>,
    /// Number of targets that do not vary: as long as there is one, R² is not defined. 0 where it was not asked for.
    pub constant: usize,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
}

impl ValueErrors {
    /// Why R² is not defined, in words; `None` where it is there, or was not asked for.
    pub(crate) fn why_no_r2(&self) -> Option<String> {
        let does = if self.constant == 1 { "does" } else { "do" };
        (self.constant > 0).then(|| format!("{} {does} not vary", count(self.constant, "target")))
    }
}

impl Evaluation {
    /// Share of samples classified right, from 0 to 1; `None` for regression. A sample that is
    /// [undecided](Self::undecided) is not.
    pub fn accuracy(&self) -> Option<f64> {
        self.confusion.as_ref().map(ConfusionMatrix::accuracy)
    }

    /// The cross-entropy of a token in bits, loss/ln 2; `None` where a sample is one answer.
    pub fn bits_per_token(&self) -> Option<f64> {
        self.tokens.map(|_| self.loss / std::f64::consts::LN_2)
    }

    /// Samples without a class, because their largest score stands there twice or a score is NaN: see
    /// [`argmax`](crate::metrics::argmax()). 0 for regression.
    pub fn undecided(&self) -> u64 {
        self.confusion.as_ref().map_or(0, ConfusionMatrix::undecided)
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (samples, loss, name) = (count(self.samples, "sample"), self.loss, &self.loss_name);
        if let (Some(tokens), Some(bits), Some(accuracy)) =
            (self.tokens, self.bits_per_token(), self.accuracy())
        {
            let tokens = count(tokens, "token");
            return writeln!(f, "{name} {loss:.6}, {bits:.6} bits, accuracy {accuracy:.4} ({tokens})");
        }
        match (&self.confusion, self.values) {
            (Some(confusion), _) => {
                let accuracy = confusion.accuracy();
                write!(f, "{name} {loss:.6}, accuracy {accuracy:.4} ({samples})\n{confusion}")
            }
            (None, Some(errors)) => {
                let ValueErrors { r2, rmse, mae, .. } = errors;
                write!(f, "{name} {loss:.6}, ")?;
                match (r2, errors.why_no_r2()) {
                    (Some(r2), _) => write!(f, "R² {r2:.4}, ")?,
                    (None, Some(why)) => write!(f, "no R² as {why}, ")?,
                    (None, None) => {}
                }
                writeln!(f, "RMSE {rmse:.4}, MAE {mae:.4} ({samples})")
            }
            (None, None) => writeln!(f, "{name} {loss:.6} ({samples})"),
        }
    }
}
