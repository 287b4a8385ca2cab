//! The layer of layer normalisation.

use super::{Mode, Module};
use crate::settings::{self, Range};
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::{Float, Result};

/// Layer normalisation with a scale γ and a shift β that are learnt: [`Tape::layer_norm`], the same in
/// training and in evaluation.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{LayerNorm, Mode, Module};
///
/// let mut tape = Tape::new();
/// let norm = LayerNorm::new(&mut tape, 2, 1e-12)?;
/// let x = tape.constant_slice(1, 2, &[1.0, 3.0]);
/// let y = norm.forward(&mut tape, x, &mut Mode::evaluation());
/// assert!((tape.value(y)[(0, 1)] - 1.0).abs() < 1e-11);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNorm {
    /// The scale γ, 1×n.
    pub gamma: Param,
    /// The shift β, 1×n.
    pub beta: Param,
    epsilon: f64,
    columns: usize,
}

impl LayerNorm {
    /// For n columns, with γ = 1 and β = 0; ε = 10⁻⁵ is usual.
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
        let (gamma, beta) = ones_and_zeros(tape, columns);
        Ok(LayerNorm { gamma, beta, epsilon, columns })
    }
}

impl<T: Float> Module<T> for LayerNorm {
    fn describe(&self) -> String {
        format!("layer norm {}", self.columns)
    }

    /// Normalises every row of m×n.
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        tape.layer_norm(x, self.gamma, self.beta, T::of(self.epsilon))
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit("gamma", self.gamma);
        visit("beta", self.beta);
    }

    fn keeps_width(&self) -> bool {
        true
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.columns)
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("layer_norm").with("epsilon", self.epsilon))
    }
}

/// γ and β of a normalisation of n columns, as it begins.
#[track_caller]
pub(super) fn ones_and_zeros<T: Float>(tape: &mut Tape<T>, columns: usize) -> (Param, Param) {
    (tape.param_with(1, columns, |to| to.fill(T::ONE)), tape.param_with(1, columns, |_| ()))
}
