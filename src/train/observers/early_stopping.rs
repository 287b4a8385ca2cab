//! Ends a run by the validation loss, and puts the best parameters back.

use crate::train::{Criterion, EarlyStopping, Evaluation, Observer, Run, Stop};
use crate::{Float, Result};

pub(super) struct Early<T>(EarlyStopping<T>);

impl<T: Float> Early<T> {
    pub fn new(criterion: Criterion) -> Result<Self> {
        Ok(Early(EarlyStopping::new(criterion)?))
    }
}

impl<T: Float> Observer<T> for Early<T> {
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
}
