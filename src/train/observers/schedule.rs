//! Sets the learning rate of each step by a schedule.

use std::sync::Arc;

use crate::optim::schedule::Schedule;
use crate::train::{Observer, Run};
use crate::{Float, Result};

pub(super) struct Scheduled(pub Arc<dyn Schedule>);

impl<T: Float> Observer<T> for Scheduled {
    fn gradient(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if !run.skip {
            run.optimizer.set_lr(self.0.lr(run.optimizer.steps()))?;
        }
        Ok(())
    }
}
