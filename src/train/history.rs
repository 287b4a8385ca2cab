//! What a run brought.

use super::Epoch;
use crate::tape::Param;

/// What [`fit`](super::fit) returns: every epoch's figures, and how the run ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One record per finished epoch.
    pub epochs: Vec<Epoch>,
    /// How the run ended.
    pub stop: Stop,
    /// With early stopping, the epoch (from 1) whose parameters are on the tape now: that with the least
    /// validation loss. `None` without, or if no epoch was finished.
    pub best_epoch: Option<usize>,
    /// Steps left out because their loss or gradient was not finite.
    pub skipped: u64,
    /// Trained parameters that have not moved by a single bit in all finished epochs: their gradient is zero, or
    /// rate times gradient is too small a part of every number to be seen in it.
    pub unmoved: Vec<Param>,
    /// Finished epochs in which no trained parameter moved at all. Short epochs are looked at together, 16 steps
    /// and more at a time.
    pub idle_epochs: usize,
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// All epochs are done.
    #[default]
    Finished,
    /// Early stopping ended it after this epoch (from 1).
    Early {
        /// The last epoch.
        epoch: usize,
    },
    /// An observer ended it, in this epoch (from 1); the history has the epochs before.
    Interrupted {
        /// The epoch that was not finished.
        epoch: usize,
    },
}
