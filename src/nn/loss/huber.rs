//! Huber's loss.

use super::{Batch, Link, Loss, real_targets};
use crate::data::Dataset;
use crate::settings::{self, Range};
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::{Float, Result};

/// ½d² up to a distance |d| = δ, and δ(|d| − ½δ) beyond, with d = f(x) − y: [`Tape::huber`].
#[derive(Clone, Debug, PartialEq)]
pub struct Huber {
    delta: f64,
    name: String,
}

impl Huber {
    /// With the distance δ from which on the loss is linear; 1 is usual.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if δ is not positive and finite.
    pub fn new(delta: f64) -> Result<Self> {
        settings::check::<f64>("delta", delta, Range::POSITIVE)?;
        Ok(Huber { delta, name: format!("huber, delta {delta}") })
    }
}

impl<T: Float> Loss<T> for Huber {
    fn name(&self) -> &str {
        &self.name
    }

    fn outputs(&self, data: &Dataset) -> Result<usize> {
        settings::check::<T>("delta", self.delta, Range::POSITIVE)?;
        real_targets("Huber's loss", data)
    }

    fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var {
        let (targets, delta) = (batch.targets(tape), T::of(self.delta));
        if batch.is_uniform() {
            return tape.huber(output, targets, delta);
        }
        // With c = d clamped to [−δ, δ]: c·(d − ½c) is ½d² inside, and δ(|d| − ½δ) outside.
        let d = tape.sub(output, targets);
        let c = tape.clamp(d, -delta, delta);
        let half = tape.scale(c, T::of(0.5));
        let rest = tape.sub(d, half);
        let losses = tape.mul(c, rest);
        batch.mean(tape, losses)
    }

    fn link(&self) -> Link {
        Link::Identity
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("huber").with("delta", self.delta))
    }
}
