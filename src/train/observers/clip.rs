//! Bounds the gradients of each step, and measures their norm.

use crate::optim::{Clip, Clipped};
use crate::train::{Observer, Run};
use crate::{Error, Float, Result};

pub(super) struct Clipping(pub Clip);

impl<T: Float> Observer<T> for Clipping {
    fn gradient(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let clipped = self.0.apply(run.tape).map_err(|error| match error {
            Error::NonFinite(why) => {
                Error::NonFinite(format!("epoch {}, step {}: {why}", run.progress.epoch, run.progress.step))
            }
            other => other,
        })?;
        match clipped {
            Clipped::Ready { norm } => run.gradient_norm = norm,
            Clipped::Skip => run.skip = true,
        }
        Ok(())
    }
}
