//! The mean squared error.

use super::{Batch, Link, Loss, real_targets};
use crate::data::Dataset;
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::{Float, Result};

/// Mean of (f(x) − y)² over samples and targets: [`Tape::mse`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeanSquaredError;

impl<T: Float> Loss<T> for MeanSquaredError {
    fn name(&self) -> &str {
        "mean squared error"
    }

    fn outputs(&self, data: &Dataset) -> Result<usize> {
        real_targets("the squared error", data)
    }

    fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var {
        let targets = batch.targets(tape);
        if batch.is_uniform() {
            return tape.mse(output, targets);
        }
        let difference = tape.sub(output, targets);
        batch.mean_of_squares(tape, difference)
    }

    fn link(&self) -> Link {
        Link::Identity
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("squared_error"))
    }
}
