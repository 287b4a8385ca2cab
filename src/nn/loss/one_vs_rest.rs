//! A binary cross-entropy for each class.

use super::{Batch, Link, Loss, class_labels};
use crate::data::Dataset;
use crate::tape::{Tape, Var};
use crate::{Float, Result};

/// A binary cross-entropy from logits for each class, that class against the rest, summed over the classes.
///
/// On a linear model it trains a logistic regression per class at once: they share no weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OneVsRest;

impl<T: Float> Loss<T> for OneVsRest {
    fn name(&self) -> &str {
        "one-vs-rest"
    }

    fn outputs(&self, data: &Dataset) -> Result<usize> {
        class_labels("one-vs-rest", data)
    }

    fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var {
        let (labels, classes) = (batch.labels(), tape.shape(output).cols);
        let targets = tape.constant_with(labels.len(), classes, |to| {
            labels.iter().enumerate().for_each(|(i, label)| to[i * classes + label] = T::ONE);
        });
        let mean = binary_mean(tape, output, targets, batch);
        // The mean over all entries is that over the samples, divided by the number of classes.
        tape.scale(mean, T::of(classes as f64))
    }

    fn link(&self) -> Link {
        Link::Sigmoid
    }
}

/// The mean over all entries of the binary cross-entropy of logits z with targets t, weighted by sample.
pub(super) fn binary_mean<T: Float>(tape: &mut Tape<T>, z: Var, t: Var, batch: &Batch<'_>) -> Var {
    if batch.is_uniform() {
        return tape.bce_with_logits(z, t);
    }
    // softplus(z) − z·t.
    let soft = tape.softplus(z);
    let linear = tape.mul(z, t);
    let losses = tape.sub(soft, linear);
    batch.mean(tape, losses)
}
