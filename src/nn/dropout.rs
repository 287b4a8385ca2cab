//! The layer of dropout.

use super::Mode;
use super::module::Module;
use crate::tape::{Tape, Var};
use crate::{Error, Float, Result};

/// [`Tape::dropout`] in training, and nothing in evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Drops each entry with probability p.
    ///
    /// # Errors
    /// [`Error::Setting`] if p is not in [0, 1), also when rounded to `f32`.
    pub fn new(p: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&p) || p as f32 >= 1.0 {
            return Err(Error::setting("dropout", format!("{p} is not in the range 0 ≤ p < 1")));
        }
        Ok(Dropout { p })
    }
}

impl<T: Float> Module<T> for Dropout {
    fn describe(&self) -> String {
        format!("dropout {}", self.p)
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        if self.p == 0.0 || !mode.is_training() {
            return x;
        }
        tape.dropout(x, T::of(self.p), &mut mode.rng())
    }
}
