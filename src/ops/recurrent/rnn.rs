//! The plain recurrence.

use super::{Cell, Token, append};
use crate::Float;
use crate::ops::Op;
use crate::tape::{Tape, Var};

/// # Recurrence
/// States that go from token to token.
impl<T: Float> Tape<T> {
    /// hₜ = tanh(xₜ + hₜ₋₁·U) for all tokens t of each sequence: x of (s·`length`)×h, U of h×h and the state before the
    /// first token, s×h, give (s·`length`)×h. The rows of x are s sequences, one behind the other; what they are made of,
    /// such as tokens·W + b, is one product for all.
    ///
    /// Elman, *Finding Structure in Time*, Cognitive Science 14, 1990. With `length` 1 this is one step of the cell.
    /// Backward, from the last token to the first, with aₜ = dhₜ ∘ (1 − hₜ²): dxₜ = aₜ, dhₜ₋₁ += aₜ·Uᵀ,
    /// dU = Σₜ hₜ₋₁ᵀ·aₜ.
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let (x, u) = (tape.constant_slice(2, 1, &[0.5, 0.0]), tape.constant_slice(1, 1, &[2.0]));
    /// let state = tape.scalar(0.0);
    /// let y = tape.rnn(x, u, state, 2);
    /// assert_eq!(tape.value_slice(y)[0], 0.5f64.tanh());
    /// assert!((tape.value_slice(y)[1] - (2.0 * 0.5f64.tanh()).tanh()).abs() < 1e-15);
    /// ```
    #[track_caller]
    pub fn rnn(&mut self, x: impl Into<Var>, u: impl Into<Var>, state: impl Into<Var>, length: usize) -> Var {
        append::<Rnn, T>(self, Op::Rnn, [x.into(), u.into(), state.into()], None, length)
    }
}

pub struct Rnn;

impl Cell for Rnn {
    const NAME: &'static str = "rnn";
    const GATES: usize = 1;
    const STATE: usize = 1;
    const SAVED: usize = 1;
    const ROOM: usize = 1;

    #[inline(always)]
    fn begin<T: Float>(_: usize, x: &[T], _: &[T], saved: &mut [T]) {
        saved.copy_from_slice(x);
    }

    #[inline(always)]
    fn step<T: Float>(_: usize, _: &[T], _: &[T], saved: &mut [T], state: &mut [T]) {
        state.iter_mut().zip(saved).for_each(|(h, sum)| *h = sum.tanh());
    }

    #[inline(always)]
    fn back<T: Float>(_: usize, _: &[T], _: &[T], state: &[T], dstate: &mut [T], room: &mut [T]) {
        for ((h, dh), d) in state.iter().zip(dstate).zip(room) {
            *d = *dh * (T::ONE - *h * *h);
            *dh = T::ZERO;
        }
    }

    fn compose<T: Float>(tape: &mut Tape<T>, _: usize, of: Token) -> Var {
        let sum = tape.add(of.x, of.product);
        tape.tanh(sum)
    }
}
