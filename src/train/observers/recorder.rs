//! Keeps the records of a run's epochs, also where the run ends in an error.

use crate::store::{Settings, Stored};
use crate::train::{Epoch, Observer, Run};
use crate::{Float, Result};

/// Keeps the records of a run's epochs: [`fit`](fn@crate::train::fit) returns them only where it succeeds.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// One record per finished epoch.
    pub epochs: Vec<Epoch>,
}

impl<T: Float> Observer<T> for Recorder {
    fn epoch(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.epochs.extend(run.history.epochs.last().cloned());
        Ok(())
    }

    fn restore(&mut self, run: &mut Run<'_, T>, _: &Settings, _: &Stored) -> Result<()> {
        self.epochs.clone_from(&run.history.epochs);
        Ok(())
    }
}
