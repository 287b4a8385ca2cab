//! Ends a run by the validation loss, and puts the best parameters back.

use crate::store::{Settings, Store, Stored};
use crate::train::{Criterion, EarlyStopping, Evaluation, Observer, Run, Stop};
use crate::{Float, Result};

/// Ends a run by a criterion on the validation loss, and puts the best parameters back.
pub struct StopsEarly<T>(EarlyStopping<T>);

impl<T: Float> StopsEarly<T> {
    /// By this criterion. It needs a validation set: without one it never ends a run.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if a number of the criterion is out of its range.
    pub fn new(criterion: Criterion) -> Result<Self> {
        Ok(StopsEarly(EarlyStopping::new(criterion)?))
    }
}

impl<T: Float> Observer<T> for StopsEarly<T> {
    fn after_validation(
        &mut self,
        run: &mut Run<'_, T>,
        train_loss: f64,
        evaluation: Option<&Evaluation>,
    ) -> Result<()> {
        if let Some(evaluation) = evaluation
            && self.0.observe(run.tape, train_loss, evaluation.loss)?.stop
        {
            run.stop = Some(Stop::Early { epoch: run.progress.epoch });
        }
        Ok(())
    }

    fn end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        run.history.best_epoch = self.0.restore(run.tape);
        Ok(())
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        Ok(self.0.store(to))
    }

    fn restore(&mut self, run: &mut Run<'_, T>, settings: &Settings, from: &Stored) -> Result<()> {
        self.0.load(run.tape, settings, from)
    }
}
