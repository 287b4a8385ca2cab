//! Whether training moves anything at all.

use crate::store::{Settings, Store, Stored};
use crate::tape::{Param, Tape};
use crate::text::count;
use crate::{Error, Float, Result};

/// Steps that are looked at together: beside as many, a copy of the parameters costs next to nothing.
const STEPS: usize = 16;

/// Finds parameters that stay where they are to the last bit, and epochs in which all of them do.
///
/// With a rate that is far too small for the type, gradients that are zero, or sums of squares that dwarf them, a
/// run would otherwise pass for one that has trained.
pub(super) struct Motion<T> {
    /// The parameters as they were `epochs` epochs and `steps` steps ago.
    before: Vec<T>,
    /// Those that have moved, by their place.
    moved: Vec<bool>,
    epochs: usize,
    steps: usize,
    /// Epochs in which nothing moved, of those that were looked at.
    pub idle: usize,
    looked: bool,
}

impl<T: Float> Motion<T> {
    pub fn of(tape: &Tape<T>) -> Self {
        let (before, moved) = (tape.param_values().to_vec(), vec![false; tape.params().len()]);
        Motion { before, moved, epochs: 0, steps: 0, idle: 0, looked: false }
    }

    /// Takes in an epoch of so many steps. Allocates nothing.
    pub fn look(&mut self, tape: &Tape<T>, steps: usize) {
        self.epochs = self.epochs.saturating_add(1);
        self.steps = self.steps.saturating_add(steps);
        if self.steps >= STEPS {
            self.compare(tape);
        }
    }

    /// Takes in what is left, once there are no more epochs. What a checkpoint keeps is from before: a run that goes on
    /// looks at the same epochs together.
    pub fn finish(&mut self, tape: &Tape<T>) {
        if self.epochs > 0 {
            self.compare(tape);
        }
    }

    fn compare(&mut self, tape: &Tape<T>) {
        let (mut start, mut any) = (0, false);
        for p in tape.params() {
            let now = tape.value_slice(p);
            // Mostly the first number is another, and the look a short one.
            let moved = *now != self.before[start..][..now.len()];
            start += now.len();
            self.moved[p.index()] |= moved;
            // Buffers move without training.
            any |= moved && tape.is_trained(p);
        }
        if !any {
            self.idle += self.epochs;
        }
        self.before.copy_from_slice(tape.param_values());
        (self.epochs, self.steps, self.looked) = (0, 0, true);
    }

    /// What it remembers, for a file.
    pub fn store(&self, to: &mut Store) -> Settings {
        to.put("before", 1, self.before.len(), &self.before);
        let settings = Settings::of("motion").with("moved", &self.moved).with("epochs", self.epochs);
        settings.with("steps", self.steps).with("idle", self.idle).with("looked", self.looked)
    }

    /// Puts it back.
    pub fn restore(&mut self, settings: &Settings, from: &Stored) -> Result<()> {
        let before = from.shaped::<T>("before", 1, self.before.len())?.into_vec();
        let moved: Vec<bool> = settings.get("moved")?;
        if moved.len() != self.moved.len() {
            let (found, needed) = (moved.len(), self.moved.len());
            return Err(Error::Data(format!(
                "the run followed {}, and not {needed}",
                count(found, "parameter")
            )));
        }
        (self.before, self.moved) = (before, moved);
        (self.epochs, self.steps) = (settings.get("epochs")?, settings.get("steps")?);
        (self.idle, self.looked) = (settings.get("idle")?, settings.get("looked")?);
        Ok(())
    }

    /// Trained parameters with any numbers, none of which has moved.
    pub fn unmoved(&self, tape: &Tape<T>) -> Vec<Param> {
        let stays =
            |p: &Param| tape.is_trained(*p) && !tape.param_shape(*p).is_empty() && !self.moved[p.index()];
        tape.params().filter(|p| self.looked && stays(p)).collect()
    }
}
