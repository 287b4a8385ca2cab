//! The layer of dropout.

use super::Mode;
use super::module::Module;
use crate::settings::{self, Range};
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::{Float, Result};

/// [`Tape::dropout`] in training, and nothing in evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Drops each entry with probability p.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if p is not in [0, 1), as given or in `T`.
    pub fn new<T: Float>(p: f64) -> Result<Self> {
        let range = Range { text: "in the range 0 ≤ p < 1", ..Range::BELOW_ONE };
        Ok(Dropout { p: settings::check::<T>("dropout", p, range)? })
    }
}

impl<T: Float> Module<T> for Dropout {
    fn describe(&self) -> String {
        format!("dropout {}", self.p)
    }

    fn keeps_width(&self) -> bool {
        true
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        if self.p == 0.0 || !mode.is_training() {
            return x;
        }
        tape.dropout(x, T::of(self.p), &mut mode.rng())
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("dropout").with("p", self.p))
    }
}
