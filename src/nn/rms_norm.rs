//! The layer of normalisation by the root of the mean square.

use super::{Mode, Module};
use crate::settings::{self, Range};
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::{Float, Result};

/// RMS normalisation with a scale γ that is learnt: [`Tape::rms_norm`], the same in training and in evaluation.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{Mode, Module, RmsNorm};
///
/// let mut tape = Tape::new();
/// let norm = RmsNorm::new(&mut tape, 2, 1e-12)?;
/// let x = tape.constant_slice(1, 2, &[1.0, 7.0]);
/// let y = norm.forward(&mut tape, x, &mut Mode::evaluation());
/// // The mean of 1 and 49 is 25.
/// assert!((tape.value(y)[(0, 1)] - 7.0 / 5.0).abs() < 1e-12);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsNorm {
    /// The scale γ, 1×n.
    pub gamma: Param,
    epsilon: f64,
    columns: usize,
}

impl RmsNorm {
    /// For n columns, with γ = 1; ε = 10⁻⁵ is usual.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if ε is not positive and finite, as given or in the type of the
    /// tape.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(tape: &mut Tape<T>, columns: usize, epsilon: f64) -> Result<Self> {
        settings::check::<T>("eps", epsilon, Range::POSITIVE)?;
        Ok(RmsNorm { gamma: tape.param_with(1, columns, |to| to.fill(T::ONE)), epsilon, columns })
    }
}

impl<T: Float> Module<T> for RmsNorm {
    fn describe(&self) -> String {
        format!("RMS norm {}", self.columns)
    }

    /// Normalises every row of m×n.
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        tape.rms_norm(x, self.gamma, T::of(self.epsilon))
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit("gamma", self.gamma);
    }

    fn keeps_width(&self) -> bool {
        true
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.columns)
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("rms_norm").with("epsilon", self.epsilon))
    }
}
