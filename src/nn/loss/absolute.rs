//! The mean absolute error.

use super::{Batch, Link, Loss, real_targets};
use crate::data::Dataset;
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::{Float, Result};

/// Mean of |f(x) − y| over samples and targets: [`Tape::mae`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeanAbsoluteError;

impl<T: Float> Loss<T> for MeanAbsoluteError {
    fn name(&self) -> &str {
        "mean absolute error"
    }

    fn outputs(&self, data: &Dataset) -> Result<usize> {
        real_targets("the absolute error", data)
    }

    fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var {
        let targets = batch.targets(tape);
        if batch.is_uniform() {
            return tape.mae(output, targets);
        }
        let difference = tape.sub(output, targets);
        let sizes = tape.abs(difference);
        batch.mean(tape, sizes)
    }

    fn link(&self) -> Link {
        Link::Identity
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("absolute_error"))
    }
}
