//! The hinge loss of several classes.

use super::{Batch, Link, Loss, class_labels};
use crate::data::Dataset;
use crate::ops::Op;
use crate::store::Settings;
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
        let (classes, labels) = (tape.shape(output).cols, batch.labels());
        let own = tape.pick_cols(output, labels);
        let apart = tape.sub(output, own);
        let margins = tape.constant_with(labels.len(), classes, |to| {
            to.fill(T::ONE);
            labels.iter().enumerate().for_each(|(i, label)| to[i * classes + label] = T::ZERO);
        });
        let above = tape.broadcast(Op::Violation.get(), apart, margins);
        let sums = tape.sum_cols(above);
        let losses = tape.scale(sums, T::of(1.0 / classes as f64));
        batch.mean(tape, losses)
    }

    fn link(&self) -> Link {
        Link::Scores
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("hinge"))
    }
}
