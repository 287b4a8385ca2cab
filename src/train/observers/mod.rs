//! The observers that [`FitOptions`] stand for, one file each.
//!
//! [`fit`](fn@super::fit) makes them of its options, in a fixed order: what looks at gradients, bounds them, sets the
//! rate, averages, stops. They act before the caller's own. Who wants another order leaves the option out, and hands
//! the observer itself to `fit` in its place.
//!
//! ```
//! use tapegrad::data::synthetic;
//! use tapegrad::models::Network;
//! use tapegrad::train::observers::{Averaged, StopsEarly};
//! use tapegrad::train::{Criterion, FitOptions};
//!
//! let (validation, train) = synthetic::moons(200, 0.1, 7)?.stratified_split(0.3, 7)?;
//! let mut net = Network::<f32>::new(7).linear(8).relu().outputs_for(&train)?;
//! // Judges the parameters themselves; the average has its turn only afterwards.
//! let mut stop = StopsEarly::new(Criterion::Patience { epochs: 2, min_delta: 0.0 })?;
//! let mut average = Averaged::new(0.9)?;
//! let options = FitOptions { epochs: 5, ..FitOptions::default() };
//! net.fit_with(&train, Some(&validation), &options, &mut [&mut stop, &mut average])?;
//! # Ok::<(), tapegrad::Error>(())
//! ```

mod audit;
mod average;
mod checkpoints;
mod clip;
mod early_stopping;
mod hashes;
mod plateau;
mod recorder;
mod schedule;

pub use super::trace::{Hash, Hashes, StepHashes};
pub use audit::EpochAudited;
pub use average::Averaged;
pub use checkpoints::Checkpoints;
pub use clip::Clipping;
pub use early_stopping::StopsEarly;
pub use plateau::OnPlateau;
pub use recorder::Recorder;
pub use schedule::Scheduled;

use super::{FitOptions, Observer, Rate};
use crate::{Float, Result};

/// The observers of a run with these options, in the order in which they act: the audit sees gradients before
/// they are clipped, and early stopping judges what the average has put on the tape.
pub(super) fn of_options<T: Float>(options: &FitOptions) -> Result<Vec<Box<dyn Observer<T>>>> {
    let mut all: Vec<Box<dyn Observer<T>>> = Vec::new();
    if options.audit {
        all.push(Box::new(EpochAudited::default()));
    }
    all.push(Box::new(Clipping(options.clip)));
    match &options.rate {
        Rate::Fixed => (),
        Rate::Schedule(schedule) => all.push(Box::new(Scheduled(schedule.clone()))),
        Rate::Plateau(plateau) => all.push(Box::new(OnPlateau(*plateau))),
    }
    if let Some(decay) = options.average {
        all.push(Box::new(Averaged::new(decay)?));
    }
    if let Some(criterion) = options.early_stopping {
        all.push(Box::new(StopsEarly::new(criterion)?));
    }
    Ok(all)
}
