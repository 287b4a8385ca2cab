//! The observer that makes [`Hashes`].

use crate::store::{Settings, Stored};
use crate::tape::Tape;
use crate::train::trace::{Hash, Hashes, StepHashes};
use crate::train::{Observer, Run};
use crate::{Float, Result};

impl<T: Float> Observer<T> for Hashes {
    fn start(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.steps.clear();
        self.parameters = run
            .tape
            .params()
            .map(|p| match run.tape.name(p) {
                "" => p.to_string(),
                name => name.to_string(),
            })
            .collect();
        note(self, run.tape, 1, 0, false);
        Ok(())
    }

    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let (epoch, step) = (run.progress.epoch, run.progress.step);
        note(self, run.tape, epoch, step, !run.skip);
        Ok(())
    }

    /// What stood on the tape at the start was not of this run.
    fn restore(&mut self, _: &mut Run<'_, T>, _: &Settings, _: &Stored) -> Result<()> {
        self.steps.clear();
        Ok(())
    }
}

fn note<T: Float>(hashes: &mut Hashes, tape: &Tape<T>, epoch: usize, step: usize, moved: bool) {
    let gradient = |p| if tape.is_trained(p) { Hash::of(tape.grad_slice(p)) } else { Hash::of::<T>(&[]) };
    hashes.steps.push(StepHashes {
        epoch,
        step,
        gradients: tape.params().filter(|_| moved).map(gradient).collect(),
        values: tape.params().map(|p| Hash::of(tape.value_slice(p))).collect(),
    });
}
