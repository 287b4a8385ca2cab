//! Validates and ends with an average of the parameters.

use crate::optim::Average;
use crate::store::{Settings, Store, Stored};
use crate::train::{Evaluation, Observer, Run};
use crate::{Float, Result};

/// Keeps an exponential average of the parameters, which is validated and in the end put in their place.
pub struct Averaged<T>(Average<T>);

impl<T: Float> Averaged<T> {
    /// With β = `decay` per step: [`Average::exponential`].
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if it is not in its range.
    pub fn new(decay: f64) -> Result<Self> {
        Ok(Averaged(Average::exponential(decay)?))
    }

    fn swap(&mut self, run: &mut Run<'_, T>) {
        if self.0.updates() > 0 {
            self.0.swap(run.tape);
        }
    }
}

impl<T: Float> Observer<T> for Averaged<T> {
    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if !run.skip {
            self.0.update(run.tape);
        }
        Ok(())
    }

    fn before_validation(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.swap(run);
        Ok(())
    }

    fn after_validation(&mut self, run: &mut Run<'_, T>, _: f64, _: Option<&Evaluation>) -> Result<()> {
        self.swap(run);
        Ok(())
    }

    fn end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        // What early stopping has put back was averaged already.
        if run.history.best_epoch.is_none() {
            self.swap(run);
        }
        Ok(())
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        to.put("average", 1, self.0.values().len(), self.0.values());
        Ok(Settings::of("averaged").with("updates", self.0.updates()))
    }

    fn restore(&mut self, run: &mut Run<'_, T>, settings: &Settings, from: &Stored) -> Result<()> {
        self.0.restore(run.tape, settings.get("updates")?, from.matrix("average")?.into_vec())
    }
}
