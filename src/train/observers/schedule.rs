//! Sets the learning rate of each step by a schedule.

use std::sync::Arc;

use crate::optim::schedule::Schedule;
use crate::train::{Observer, Run};
use crate::{Float, Result};

/// Sets the rate of each step, by the number of steps that the optimizer has done.
#[derive(Clone)]
pub struct Scheduled(
    /// The schedule.
    pub Arc<dyn Schedule>,
);

impl<T: Float> Observer<T> for Scheduled {
    fn start(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        // The first rate was asked for; those that follow from it may become smaller than any number.
        run.optimizer.set_lr(self.0.lr(run.optimizer.steps()))
    }

    fn gradient(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if !run.skip {
            run.optimizer.follow(self.0.lr(run.optimizer.steps()))?;
        }
        Ok(())
    }
}
