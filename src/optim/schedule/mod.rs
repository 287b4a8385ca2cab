//! Schedules: the learning rate as a function of the step; this is the table of contents, and the
//! table by name.
//!
//! | name | rate of step t, from 0 |
//! |---|---|
//! | [`Constant`] | η |
//! | [`StepDecay`] | η·γ^⌊t/s⌋ |
//! | [`Exponential`] | η·γᵗ |
//! | [`Linear`] | η₀ + (η₁ − η₀)·t/T, then η₁ |
//! | [`Cosine`] | η₁ + ½(η₀ − η₁)(1 + cos πt/T), then η₁ |
//! | [`WarmRestarts`] | the cosine over and over, in cycles of T, mT, m²T, … |
//! | [`InverseSqrt`] | η·√(k/(k + t)) |
//! | [`Warmup`] | rising in a line to the first rate of any of these, which follows |
//! | [`Sequence`] | one after the other |
//!
//! At their ends they are exact: the first rate has the bits of the one that was asked for, and so has the
//! last; no rate between is outside of the two.
//!
//! These are pure functions of the step. [`ReduceOnPlateau`] is not: it follows a metric.
//!
//! ```
//! use tapegrad::Tape;
//! use tapegrad::optim::schedule::{Cosine, Schedule, Warmup};
//! use tapegrad::optim::{Optimizer, Sgd};
//!
//! let schedule = Warmup::new(4, Cosine::new(0.1, 0.0, 20)?);
//! let mut tape = Tape::new();
//! let w = tape.param_slice(1, 1, &[3.0]);
//! let mut optimizer = Optimizer::new(Sgd, schedule.lr(0))?;
//! for step in 0..24 {
//!     optimizer.set_lr(schedule.lr(step))?;
//!     let loss = tape.mul(w, w);
//!     tape.zero_grad();
//!     tape.backward(loss);
//!     optimizer.step(&mut tape)?;
//!     tape.rewind();
//! }
//! assert_eq!(schedule.to_string(), "warmup steps=4, then cosine lr=0.1 min=0.0 steps=20");
//! # Ok::<(), tapegrad::Error>(())
//! ```
//!
//! To add a schedule, add a file, and a line to the table in [`schedules`].

mod constant;
mod cosine;
mod exponential;
mod inverse_sqrt;
mod linear;
mod plateau;
mod sequence;
mod step_decay;
mod warm_restarts;
mod warmup;

pub use constant::Constant;
pub use cosine::Cosine;
pub use exponential::Exponential;
pub use inverse_sqrt::InverseSqrt;
pub use linear::Linear;
pub use plateau::{Goal, ReduceOnPlateau};
pub use sequence::Sequence;
pub use step_decay::StepDecay;
pub use warm_restarts::WarmRestarts;
pub use warmup::Warmup;

use std::fmt::Display;

use crate::settings::{self, Range};
use crate::{Error, Result};

/// A learning rate that depends on the number of the step only.
///
/// It prints as its name and its settings.
pub trait Schedule: Display + Send + Sync {
    /// The rate η of step `step`, from 0: finite and not negative. Allocates nothing.
    fn lr(&self, step: u64) -> f64;
}

impl<S: Schedule + ?Sized> Schedule for Box<S> {
    fn lr(&self, step: u64) -> f64 {
        (**self).lr(step)
    }
}

/// A line of the table of schedules.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// The schedule from a first rate, for a run of so many steps, with its usual settings.
    pub schedule: fn(lr: f64, steps: u64) -> Result<Box<dyn Schedule>>,
}

/// All schedules by name: what a command line lists.
///
/// Those that end, end with the run of `steps` steps. A run of 0 steps counts as one of 1.
pub fn schedules() -> &'static [Entry] {
    &[
        Entry {
            name: "constant",
            about: "the same rate throughout",
            schedule: |lr, _| Ok(Box::new(Constant::new(lr)?)),
        },
        Entry {
            name: "step",
            about: "a tenth after each third of the run",
            schedule: |lr, steps| Ok(Box::new(StepDecay::new(lr, 0.1, steps.div_ceil(3).max(1))?)),
        },
        Entry {
            name: "exponential",
            about: "evenly on a logarithmic scale to a hundredth",
            schedule: |lr, steps| Ok(Box::new(Exponential::over(lr, lr / 100.0, steps.max(1))?)),
        },
        Entry {
            name: "linear",
            about: "in a line to zero",
            schedule: |lr, steps| Ok(Box::new(Linear::new(lr, 0.0, steps.max(1))?)),
        },
        Entry {
            name: "cosine",
            about: "half a cosine to zero",
            schedule: |lr, steps| Ok(Box::new(Cosine::new(lr, 0.0, steps.max(1))?)),
        },
        Entry {
            name: "sgdr",
            about: "three cosines with warm restarts, each twice as long as the one before",
            schedule: |lr, steps| Ok(Box::new(WarmRestarts::new(lr, 0.0, steps.div_ceil(7).max(1), 2)?)),
        },
        Entry {
            name: "inverse_sqrt",
            about: "like 1/√t, half the rate after a tenth of the run",
            // √(k/(k + steps/10)) = ½ at k = steps/30.
            schedule: |lr, steps| Ok(Box::new(InverseSqrt::new(lr, steps.div_ceil(30).max(1))?)),
        },
    ]
}

/// The schedule of that name.
///
/// ```
/// let entry = tapegrad::optim::schedule::find("cosine")?;
/// let schedule = (entry.schedule)(0.1, 1000)?;
/// assert_eq!((schedule.lr(0), schedule.lr(500), schedule.lr(1000)), (0.1, 0.05, 0.0));
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// # Errors
/// [`Error::Setting`] with all the names there are, if `name` is none of them.
pub fn find(name: &str) -> Result<&'static Entry> {
    schedules().iter().find(|entry| entry.name == name).ok_or_else(|| {
        let names: Vec<_> = schedules().iter().map(|entry| entry.name).collect();
        Error::setting("schedule", format!("there is no `{name}`; there are {}", names.join(", ")))
    })
}

/// A learning rate: finite and not negative.
fn check_lr(name: &'static str, lr: f64) -> Result<f64> {
    super::check_factor::<f64>(name, lr)
}

/// A number of steps: at least 1.
fn check_steps(name: &'static str, steps: u64) -> Result<u64> {
    crate::settings::at_least_one(name, steps)?;
    Ok(steps)
}

/// What a rate is multiplied with to make it smaller: 0 < γ ≤ 1.
fn check_decay(name: &'static str, x: f64) -> Result<f64> {
    settings::check::<f64>(name, x, Range::FACTOR)
}

/// A final or least rate: a rate, and not above the first one.
fn check_min(min: f64, lr: f64) -> Result<f64> {
    if check_lr("min", min)? <= lr {
        return Ok(min);
    }
    Err(Error::setting("min", format!("{min:?} is above the first rate, {lr:?}")))
}
