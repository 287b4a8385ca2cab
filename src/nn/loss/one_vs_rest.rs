//! A binary cross-entropy for each class.

use super::{Batch, Link, Loss, class_labels};
use crate::data::Dataset;
use crate::store::Settings;
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
        let mean = binary_mean(tape, output, batch, |i, class| labels[i] == class);
        // The mean over all entries is that over the samples, divided by the number of classes.
        tape.scale(mean, T::of(classes as f64))
    }

    fn link(&self) -> Link {
        Link::Sigmoid
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("one_vs_rest"))
    }
}

/// The mean over all entries of the binary cross-entropy of logits z, weighted by sample; `is_one(i, j)` tells
/// whether the target of an entry is 1, or else 0.
pub(super) fn binary_mean<T: Float>(
    tape: &mut Tape<T>,
    z: Var,
    batch: &Batch<'_>,
    is_one: impl Fn(usize, usize) -> bool,
) -> Var {
    let cols = tape.shape(z).cols;
    let constant = |tape: &mut Tape<T>, one: T, zero: T| {
        tape.constant_whole(batch.len(), cols, |to| {
            for (at, to) in to.iter_mut().enumerate() {
                *to = if is_one(at / cols, at % cols) { one } else { zero };
            }
        })
    };
    if batch.is_uniform() {
        let targets = constant(tape, T::ONE, T::ZERO);
        return tape.bce_with_logits(z, targets);
    }
    // −ln σ(z) where the target is 1, and −ln σ(−z) where it is 0. The other form, softplus(z) − z·t, takes
    // infinity from infinity, and loses the digits of small losses.
    let signs = constant(tape, -T::ONE, T::ONE);
    let against = tape.mul(z, signs);
    let losses = tape.softplus(against);
    batch.mean(tape, losses)
}
