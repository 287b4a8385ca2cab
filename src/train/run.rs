//! [`Run`], what an observer of a training sees, and [`Observer`] itself.

use super::{Checkpoint, Evaluation, History, Stop};
use crate::metrics::SeenClasses;
use crate::nn::{Loss, Module};
use crate::optim::Optimizer;
use crate::store::{Settings, Store, Stored};
use crate::tape::{Tape, Var};
use crate::{Float, Result};

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// From 1.
    pub epoch: usize,
    /// Of how many.
    pub epochs: usize,
    /// Step within the epoch, from 1.
    pub step: usize,
    /// Of how many.
    pub steps: usize,
    /// Samples of this epoch that have been seen.
    pub samples: usize,
    /// Of how many.
    pub epoch_samples: usize,
    /// Loss of this step's batch, without penalties.
    pub loss: f64,
}

/// A run of [`fit`](super::fit) as its observers see it, and may change it.
pub struct Run<'a, T: Float> {
    /// What is trained.
    pub module: &'a dyn Module<T>,
    /// What is made small.
    pub loss: &'a dyn Loss<T>,
    /// The arena: the parameters, and during a step all that the step computed.
    pub tape: &'a mut Tape<T>,
    /// What takes the steps.
    pub optimizer: &'a mut Optimizer<T>,
    /// Where the run stands.
    pub progress: Progress,
    /// The value that this step's gradient is of: loss and penalties.
    pub total: Option<Var>,
    /// Norm of the gradient of all parameters in this step, before clipping; set by what clips.
    pub gradient_norm: f64,
    /// Whether this step is left out, and the parameters stay; an observer may set it.
    pub skip: bool,
    /// What has been found so far; during [`Observer::epoch`], the last record is that of the epoch.
    pub history: &'a mut History,
    /// Set to end the run: after this step, or after this epoch.
    pub stop: Option<Stop>,
    /// Set to have a [checkpoint](Checkpoint) made, which every observer is then [given](Observer::checkpoint): after this
    /// step, or where that is the last of its epoch, after the epoch.
    pub checkpoint: bool,
    /// The classes among the training samples.
    pub(crate) seen: SeenClasses,
}

/// Looks on while a module is trained; may act on tape and optimizer, and end the run.
///
/// Several observers are called in the order in which they are given; after a validation and at the end in
/// reverse, as what was opened last is closed first.
///
/// ```
/// use tapegrad::train::{Observer, Run, Stop};
/// use tapegrad::{Float, Result};
///
/// /// Ends a run as soon as a batch's loss is small.
/// struct GoodEnough(f64);
///
/// impl<T: Float> Observer<T> for GoodEnough {
///     fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
///         if run.progress.loss < self.0 {
///             run.stop = Some(Stop::Interrupted { epoch: run.progress.epoch });
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// Whatever error a method returns ends the run, and [`fit`](super::fit) returns it.
#[allow(unused_variables)] // The names tell an implementor what comes.
pub trait Observer<T: Float> {
    /// Before the first step.
    ///
    /// # Errors
    /// The observer's own; every method of an observer may end the run with an error.
    fn start(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// The gradients of a step stand on the tape, and the optimizer has not used them yet. Not called where
    /// the step is left out already.
    fn gradient(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// After each step, also one that was left out.
    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// An epoch's steps are done, and validation comes next, with the parameters that this leaves on the tape.
    fn before_validation(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// Validation is done; called in reverse order. `evaluation` is `None` where it failed.
    fn after_validation(
        &mut self,
        run: &mut Run<'_, T>,
        train_loss: f64,
        evaluation: Option<&Evaluation>,
    ) -> Result<()> {
        Ok(())
    }

    /// After each finished epoch, the last of [`History::epochs`].
    fn epoch(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// A [checkpoint](Checkpoint) was asked for, by [`Run::checkpoint`]. Parameters and optimizer are still those of the run.
    ///
    /// # Errors
    /// Its own.
    fn checkpoint(&mut self, run: &mut Run<'_, T>, checkpoint: &Checkpoint) -> Result<()> {
        Ok(())
    }

    /// What it remembers from step to step, for a [checkpoint](Checkpoint); its numbers go to `to`. By default
    /// nothing: [`Settings::nothing`].
    ///
    /// # Errors
    /// Its own: then no checkpoint is written, and the run ends.
    fn store(&self, to: &mut Store) -> Result<Settings> {
        Ok(Settings::nothing())
    }

    /// Puts back what [`store`](Self::store) gave, after [`start`](Self::start), where a run goes on. Tape, optimizer and
    /// history are those of the checkpoint already.
    ///
    /// # Errors
    /// Its own.
    fn restore(&mut self, run: &mut Run<'_, T>, settings: &Settings, from: &Stored) -> Result<()> {
        Ok(())
    }

    /// The run is over, also after an error; called in reverse order.
    fn end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }
}
