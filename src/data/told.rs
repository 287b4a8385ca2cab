//! What is told of a row where that is neither one class nor a few values: a class for each token, or the row itself.

use super::Dataset;
use super::dataset::Labels;
use crate::text::count;
use crate::{Error, Result};

impl Dataset {
    /// With `each` class indices for each row, row-major: one for each of its tokens, such as the token that follows it in
    /// a text. A network that is trained on them gives as many rows for a sample.
    ///
    /// Only the [cross-entropy](crate::nn::loss::CrossEntropy) without weights takes several labels a row.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not as many labels, `each` is 0, a label is not below `classes`, or the rows have
    /// weights.
    pub fn with_token_labels(self, labels: Vec<usize>, each: usize, classes: usize) -> Result<Dataset> {
        if each == 0 || self.len().checked_mul(each) != Some(labels.len()) {
            let why = format!(
                "{} cannot be {each} for each of {}",
                count(labels.len(), "label"),
                count(self.len(), "row")
            );
            return Err(Error::Data(why));
        }
        if let Some(at) = labels.iter().position(|label| *label >= classes) {
            let (row, label) = (at / each, labels[at]);
            return Err(Error::Data(format!(
                "row {row}: label {label} is not below the {}",
                count(classes, "class")
            )));
        }
        if self.weights().is_some() && each > 1 {
            return Err(Error::Data(format!(
                "{} for each row, and rows that have weights",
                count(each, "label")
            )));
        }
        Ok(self.with_checked_labels(labels, each, classes))
    }

    /// With its own features as the targets of every row: what a model that reconstructs them is trained on.
    ///
    /// # Errors
    /// [`Error::Memory`] if there is not enough of it for as many numbers.
    pub fn with_own_targets(&self) -> Result<Dataset> {
        let targets = self.try_to_rows::<f64>()?;
        self.clone().with_targets(targets, self.features())
    }

    /// Number of class indices of a row, as [`with_token_labels`](Self::with_token_labels) was told; 1 as a rule, and
    /// without class labels too.
    pub fn labels_per_row(&self) -> usize {
        if let Labels::Classes { each, .. } = self.labels { each } else { 1 }
    }

    /// An error if the rows have several labels each, for what takes one.
    pub(crate) fn check_one_label(&self, what: &str) -> Result<()> {
        match self.labels_per_row() {
            1 => Ok(()),
            each => {
                Err(Error::Data(format!("{what} take one label for each sample, and the data has {each}")))
            }
        }
    }
}
