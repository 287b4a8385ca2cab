//! Looks at the gradients of each epoch's last step.

use crate::store::{Settings, Store, Stored};
use crate::train::{Audit, Observer, Run};
use crate::{Float, Result};

/// The audit of the epoch's last step, unless that step was left out.
#[derive(Clone, Debug, Default)]
pub struct LastStepAudited(Option<Audit>);

impl<T: Float> Observer<T> for LastStepAudited {
    fn gradient(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let last = run.progress.step == run.progress.steps;
        // Before clipping, which would hide a layer whose gradient explodes.
        self.0 = run.total.filter(|_| last).map(|total| Audit::before_step(run.tape, total));
        Ok(())
    }

    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        match &mut self.0 {
            Some(_) if run.skip => self.0 = None,
            Some(audit) => audit.after_step(run.tape)?,
            None => (),
        }
        Ok(())
    }

    fn epoch(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if let Some(epoch) = run.history.epochs.last_mut() {
            epoch.audit = self.0.take().map(Audit::closed);
        }
        Ok(())
    }

    fn store(&self, _: &mut Store) -> Result<Settings> {
        Ok(Settings::of("audit").with("audit", &self.0))
    }

    fn restore(&mut self, _: &mut Run<'_, T>, settings: &Settings, _: &Stored) -> Result<()> {
        self.0 = settings.get("audit")?;
        Ok(())
    }
}
