//! Long short-term memory.

use super::{Cell, Token, append};
use crate::Float;
use crate::ops::Op;
use crate::tape::{Tape, Var};

/// # Long short-term memory
/// A recurrence whose memory is added to.
impl<T: Float> Tape<T> {
    /// For all tokens of each sequence, with (i, f, g, o)ₜ = xₜ + hₜ₋₁·U in four parts of h columns:
    /// cₜ = σ(f)∘cₜ₋₁ + σ(i)∘tanh(g) and hₜ = σ(o)∘tanh(cₜ). x of (s·`length`)×4h, U of h×4h and the state before the
    /// first token, s×2h with h in its left half and c in its right one, give the states (s·`length`)×2h.
    ///
    /// The rows of x are s sequences, one behind the other; what they are made of, such as tokens·W + b, is one product
    /// for all. With `length` 1 this is one step of the cell, and its value the state for the next. The order of the
    /// gates is PyTorch's.
    /// Hochreiter and Schmidhuber, *Long Short-Term Memory*, Neural Computation 9, 1997, with the forget gate of Gers,
    /// Schmidhuber and Cummins (2000).
    ///
    /// Backward, from the last token to the first, with a the gradient of the sums and gates after their functions:
    /// dcₜ += dhₜ∘o∘(1 − tanh²cₜ); aᵢ = dcₜ∘g∘i(1 − i), a_f = dcₜ∘cₜ₋₁∘f(1 − f), a_g = dcₜ∘i∘(1 − g²),
    /// aₒ = dhₜ∘tanh cₜ∘o(1 − o); dxₜ = a, dcₜ₋₁ = dcₜ∘f, dhₜ₋₁ = a·Uᵀ, dU = Σₜ hₜ₋₁ᵀ·a.
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// // The gates are open, and the memory takes in tanh 1 with each token.
    /// let x = tape.constant_slice(2, 4, &[99.0, 99.0, 1.0, 99.0, 99.0, 99.0, 1.0, 99.0]);
    /// let (u, state) = (tape.constant_slice(1, 4, &[0.0; 4]), tape.constant_slice(1, 2, &[0.0; 2]));
    /// let y = tape.lstm(x, u, state, 2);
    /// assert_eq!(tape.value(y)[(1, 1)], 2.0 * 1f64.tanh());
    /// ```
    #[track_caller]
    pub fn lstm(
        &mut self,
        x: impl Into<Var>,
        u: impl Into<Var>,
        state: impl Into<Var>,
        length: usize,
    ) -> Var {
        append::<Lstm, T>(self, Op::Lstm, [x.into(), u.into(), state.into()], None, length)
    }
}

/// Saves the gates i, f, g, o after their functions, and tanh c.
pub struct Lstm;

impl Cell for Lstm {
    const NAME: &'static str = "lstm";
    const GATES: usize = 4;
    const STATE: usize = 2;
    const SAVED: usize = 5;
    const ROOM: usize = 4;

    #[inline(always)]
    fn begin<T: Float>(h: usize, x: &[T], _: &[T], saved: &mut [T]) {
        saved[..4 * h].copy_from_slice(x);
        saved[4 * h..].fill(T::ZERO);
    }

    #[inline(always)]
    fn step<T: Float>(h: usize, _: &[T], before: &[T], saved: &mut [T], state: &mut [T]) {
        let (gates, tanh_c) = saved.split_at_mut(4 * h);
        gates[..2 * h].iter_mut().for_each(|gate| *gate = gate.sigmoid());
        gates[2 * h..3 * h].iter_mut().for_each(|gate| *gate = gate.tanh());
        gates[3 * h..].iter_mut().for_each(|gate| *gate = gate.sigmoid());
        let [i, f, g, o] = quarters(gates, h);
        let (out, c) = state.split_at_mut(h);
        // Cut to h numbers each, so that the loops below need no checks and become vectors.
        let (c, before) = (&mut c[..h], &before[h..][..h]);
        for k in 0..h {
            c[k] = f[k] * before[k] + i[k] * g[k];
        }
        tanh_c.iter_mut().zip(&*c).for_each(|(tanh, c)| *tanh = c.tanh());
        out.iter_mut().zip(o).zip(tanh_c).for_each(|((out, o), tanh)| *out = *o * *tanh);
    }

    #[inline(always)]
    fn back<T: Float>(h: usize, saved: &[T], before: &[T], _: &[T], dstate: &mut [T], room: &mut [T]) {
        let [i, f, g, o] = quarters(saved, h);
        let (tanh_c, before) = (&saved[4 * h..][..h], &before[h..][..h]);
        let (dh, dc) = dstate.split_at_mut(h);
        let (di, room) = room.split_at_mut(h);
        let (df, room) = room.split_at_mut(h);
        let (dg, d_o) = room.split_at_mut(h);
        let (dc, d_o) = (&mut dc[..h], &mut d_o[..h]);
        for k in 0..h {
            let d = dc[k] + dh[k] * o[k] * (T::ONE - tanh_c[k] * tanh_c[k]);
            di[k] = d * g[k] * i[k] * (T::ONE - i[k]);
            df[k] = d * before[k] * f[k] * (T::ONE - f[k]);
            dg[k] = d * i[k] * (T::ONE - g[k] * g[k]);
            d_o[k] = dh[k] * tanh_c[k] * o[k] * (T::ONE - o[k]);
            dc[k] = d * f[k];
        }
        dh.fill(T::ZERO);
    }

    fn compose<T: Float>(tape: &mut Tape<T>, h: usize, of: Token) -> Var {
        let sums = tape.add(of.x, of.product);
        let gates = [0, 1, 2, 3].map(|k| tape.slice_cols(sums, k * h..(k + 1) * h));
        let (input, forget, output) =
            (tape.sigmoid(gates[0]), tape.sigmoid(gates[1]), tape.sigmoid(gates[3]));
        let (new, cell) = (tape.tanh(gates[2]), tape.slice_cols(of.before, h..2 * h));
        let (kept, added) = (tape.mul(forget, cell), tape.mul(input, new));
        let cell = tape.add(kept, added);
        let shown = tape.tanh(cell);
        let state = tape.mul(output, shown);
        tape.concat_cols(&[state, cell])
    }
}

/// The gates, of h numbers each.
#[inline(always)]
fn quarters<T>(gates: &[T], h: usize) -> [&[T]; 4] {
    [0, 1, 2, 3].map(|k| &gates[k * h..][..h])
}
