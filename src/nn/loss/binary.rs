//! The binary cross-entropy from one logit.

use super::one_vs_rest::binary_mean;
use super::{Batch, Link, Loss, class_labels};
use crate::data::Dataset;
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::{Error, Float, Result};

/// Mean of −ln σ(z) for samples of class 1 and −ln σ(−z) for those of class 0, with one logit z a sample:
/// [`Tape::bce_with_logits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinaryCrossEntropy;

impl<T: Float> Loss<T> for BinaryCrossEntropy {
    fn name(&self) -> &str {
        "binary cross-entropy"
    }

    fn outputs(&self, data: &Dataset) -> Result<usize> {
        match class_labels("the binary cross-entropy", data)? {
            2 => Ok(1),
            n => Err(Error::Data(format!("the binary cross-entropy needs 2 classes, but the data has {n}"))),
        }
    }

    fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var {
        let labels = batch.labels();
        binary_mean(tape, output, batch, |i, _| labels[i] == 1)
    }

    fn link(&self) -> Link {
        Link::Binary
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("binary_cross_entropy"))
    }
}
