//! Tapes to compute outputs on, one for each thread that asks at the same time.

use std::sync::{Mutex, PoisonError};

use crate::Float;
use crate::tape::Tape;

/// Tapes with a copy of the parameters each, made when they are needed and kept.
///
/// Who changes the parameters must begin with an empty pool.
pub(super) struct Pool<T: Float>(Mutex<Vec<Tape<T>>>);

impl<T: Float> Default for Pool<T> {
    fn default() -> Self {
        Pool(Mutex::new(Vec::new()))
    }
}

impl<T: Float> Pool<T> {
    /// Runs `f` on a tape of its own with the parameters of `original`. If `f` panics, that tape is dropped.
    pub fn with<R>(&self, original: &Tape<T>, f: impl FnOnce(&mut Tape<T>) -> R) -> R {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut tape = kept.unwrap_or_else(|| original.clone_parameters());
        let result = f(&mut tape);
        tape.rewind();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(tape);
        result
    }
}
