//! The hinge loss of several classes.

use super::{Batch, Link, Loss, class_labels};
use crate::data::Dataset;
use crate::tape::{Tape, Var};
use crate::{Float, Result};

/// Mean over samples of Σ_{j≠y} max(0, 1 − f_y(x) + f_j(x))/k for k classes: the score of the true class y
/// should be larger than every other one by 1. PyTorch's `MultiMarginLoss`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hinge;

impl<T: Float> Loss<T> for Hinge {
    fn name(&self) -> &str {
        "hinge"
    }

    fn outputs(&self, data: &Dataset) -> Result<usize> {
        class_labels("the hinge loss", data)
    }

    fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var {
        let classes = tape.shape(output).cols;
        let own = tape.pick_cols(output, batch.labels());
        let apart = tape.sub(output, own);
        let apart = tape.shift(apart, T::ONE);
        let above = tape.relu(apart);
        let sums = tape.sum_cols(above);
        // The true class itself gives exactly 1, which does not belong to the sum.
        let sums = tape.shift(sums, -T::ONE);
        let losses = tape.scale(sums, T::of(1.0 / classes as f64));
        batch.mean(tape, losses)
    }

    fn link(&self) -> Link {
        Link::Scores
    }
}
