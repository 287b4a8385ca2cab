//! The observers that [`FitOptions`](super::FitOptions) stand for, one file each.

mod audit;
mod average;
mod clip;
mod early_stopping;
mod plateau;
mod recorder;
mod schedule;

pub use recorder::Recorder;

use super::{FitOptions, Observer, Rate};
use crate::{Float, Result};

/// The observers of a run with these options, in the order in which they act: the audit sees gradients before
/// they are clipped, and early stopping judges what the average has put on the tape.
pub(super) fn of_options<T: Float>(options: &FitOptions) -> Result<Vec<Box<dyn Observer<T>>>> {
    let mut all: Vec<Box<dyn Observer<T>>> = Vec::new();
    if options.audit {
        all.push(Box::new(audit::LastStep::default()));
    }
    all.push(Box::new(clip::Clipping(options.clip)));
    match &options.rate {
        Rate::Fixed => (),
        Rate::Schedule(schedule) => all.push(Box::new(schedule::Scheduled(schedule.clone()))),
        Rate::Plateau(plateau) => all.push(Box::new(plateau::OnPlateau(*plateau))),
    }
    if let Some(decay) = options.average {
        all.push(Box::new(average::Averaged::new(decay)?));
    }
    if let Some(criterion) = options.early_stopping {
        all.push(Box::new(early_stopping::Early::new(criterion)?));
    }
    Ok(all)
}
