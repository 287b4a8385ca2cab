//! Bounds the gradients of each step, and measures their norm.

use crate::optim::{Clip, Clipped};
use crate::train::{Observer, Progress, Run};
use crate::{Float, Result};

/// Bounds the gradients, leaves out steps where they are not finite if it was told so, and tells the run their norm.
#[derive(Clone, Copy, Debug)]
pub struct Clipping(
    /// What is done.
    pub Clip,
);

impl<T: Float> Observer<T> for Clipping {
    fn gradient(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let Progress { epoch, step, .. } = run.progress;
        let clipped = self
            .0
            .apply(run.tape)
            .map_err(|error| error.in_run(format_args!("epoch {epoch}, step {step}")))?;
        match clipped {
            Clipped::Ready { norm } => run.gradient_norm = norm,
            Clipped::Skip => run.skip = true,
        }
        Ok(())
    }
}
