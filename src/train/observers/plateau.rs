//! Reduces the learning rate when the loss has not improved.

use crate::optim::schedule::ReduceOnPlateau;
use crate::store::{Settings, Store, Stored};
use crate::train::{Observer, Run};
use crate::{Float, Result};

/// Sets the rate by a plateau of the validation loss, or without a validation set of the training loss.
#[derive(Clone, Copy, Debug)]
pub struct OnPlateau(
    /// The plateau, which begins with its own rate.
    pub ReduceOnPlateau,
);

impl<T: Float> Observer<T> for OnPlateau {
    fn start(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        run.optimizer.set_lr(self.0.lr())
    }

    fn epoch(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let Some(epoch) = run.history.epochs.last() else { return Ok(()) };
        let loss = epoch.validation_loss.unwrap_or(epoch.train_loss);
        run.optimizer.follow(self.0.observe(loss))
    }

    fn store(&self, _: &mut Store) -> Result<Settings> {
        Ok(Settings::of("plateau").with("state", self.0.state()))
    }

    fn restore(&mut self, _: &mut Run<'_, T>, settings: &Settings, _: &Stored) -> Result<()> {
        self.0.restore(settings.get("state")?);
        Ok(())
    }
}
