//! Writes checkpoints.

use std::path::PathBuf;

use crate::train::{Checkpoint, Observer, Run};
use crate::{Float, Result};

/// Writes a [checkpoint](Checkpoint) every so many steps, over the one before, and also those that other observers asked
/// for.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// The file.
    pub path: PathBuf,
    /// Steps of the optimizer between two of them, at least 1. One that falls on the last step of an epoch is written
    /// when the epoch is finished.
    pub steps: u64,
}

impl<T: Float> Observer<T> for Checkpoints {
    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if !run.skip && run.optimizer.steps().is_multiple_of(self.steps.max(1)) {
            run.checkpoint = true;
        }
        Ok(())
    }

    fn checkpoint(&mut self, _: &mut Run<'_, T>, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.save(&self.path)
    }
}
