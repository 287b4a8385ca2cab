//! The gated recurrent unit.

use super::{Cell, Token, append};
use crate::Float;
use crate::ops::Op;
use crate::tape::{Tape, Var};

/// # Gated recurrent units
/// A recurrence that chooses what to keep.
impl<T: Float> Tape<T> {
    /// For all tokens of each sequence, with x and U in three parts of h columns for r, z and n:
    /// r = σ(xᵣ + hₜ₋₁·Uᵣ), z = σ(x_z + hₜ₋₁·U_z), n = tanh(xₙ + r∘(hₜ₋₁·Uₙ + b)) and hₜ = (1 − z)∘n + z∘hₜ₋₁.
    /// x of (s·`length`)×3h, U of h×3h, the state before the first token, s×h, and b of 1×h give the states
    /// (s·`length`)×h.
    ///
    /// The rows of x are s sequences, one behind the other; what they are made of, such as tokens·W + b, is one product
    /// for all. With `length` 1 this is one step of the cell. Gates and their order are PyTorch's.
    /// Cho et al., *Learning Phrase Representations using RNN Encoder–Decoder*, arXiv:1406.1078, with the reset gate
    /// behind the product.
    ///
    /// Backward, from the last token to the first, with q = hₜ₋₁·Uₙ + b: aₙ = dhₜ∘(1 − z)∘(1 − n²),
    /// a_z = dhₜ∘(hₜ₋₁ − n)∘z(1 − z), aᵣ = aₙ∘q∘r(1 − r); dxₜ = (aᵣ, a_z, aₙ); with a = (aᵣ, a_z, aₙ∘r):
    /// dhₜ₋₁ = dhₜ∘z + a·Uᵀ, dU = Σₜ hₜ₋₁ᵀ·a, db = Σ aₙ∘r.
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// // The gate z is shut: the state is the new one alone.
    /// let x = tape.constant_slice(1, 3, &[0.0, -99.0, 0.5]);
    /// let (u, state) = (tape.constant_slice(1, 3, &[0.0; 3]), tape.constant_slice(1, 1, &[7.0]));
    /// let b = tape.scalar(0.0);
    /// let y = tape.gru(x, u, state, b, 1);
    /// assert!((tape.item(y) - 0.5f64.tanh()).abs() < 1e-15);
    /// ```
    #[track_caller]
    pub fn gru(
        &mut self,
        x: impl Into<Var>,
        u: impl Into<Var>,
        state: impl Into<Var>,
        bias: impl Into<Var>,
        length: usize,
    ) -> Var {
        let inputs = [x.into(), u.into(), state.into()];
        append::<Gru, T>(self, Op::Gru, inputs, Some(bias.into()), length)
    }
}

/// Saves r and z after their functions, q, and n.
pub struct Gru;

impl Cell for Gru {
    const NAME: &'static str = "gru";
    const GATES: usize = 3;
    const STATE: usize = 1;
    const SAVED: usize = 4;
    /// aᵣ, a_z, aₙ∘r, and aₙ.
    const ROOM: usize = 4;
    const BIAS: bool = true;

    #[inline(always)]
    fn begin<T: Float>(h: usize, x: &[T], bias: &[T], saved: &mut [T]) {
        saved[..2 * h].copy_from_slice(&x[..2 * h]);
        saved[2 * h..3 * h].copy_from_slice(bias);
        saved[3 * h..].copy_from_slice(&x[2 * h..]);
    }

    #[inline(always)]
    fn step<T: Float>(h: usize, _: &[T], before: &[T], saved: &mut [T], state: &mut [T]) {
        let (gates, rest) = saved.split_at_mut(2 * h);
        let (q, n) = rest.split_at_mut(h);
        gates.iter_mut().for_each(|gate| *gate = gate.sigmoid());
        let (r, z) = gates.split_at(h);
        // Cut to h numbers each, so that the loops below need no checks and become vectors.
        let (z, n, before, state) = (&z[..h], &mut n[..h], &before[..h], &mut state[..h]);
        for k in 0..h {
            n[k] += r[k] * q[k];
        }
        n.iter_mut().for_each(|n| *n = n.tanh());
        for k in 0..h {
            state[k] = (T::ONE - z[k]) * n[k] + z[k] * before[k];
        }
    }

    #[inline(always)]
    fn back<T: Float>(h: usize, saved: &[T], before: &[T], _: &[T], dstate: &mut [T], room: &mut [T]) {
        let ((r, z), (q, n)) = (saved[..2 * h].split_at(h), saved[2 * h..].split_at(h));
        let (dr, room) = room.split_at_mut(h);
        let (dz, room) = room.split_at_mut(h);
        let (dq, dn) = room.split_at_mut(h);
        let (z, n, dn) = (&z[..h], &n[..h], &mut dn[..h]);
        let (before, dstate) = (&before[..h], &mut dstate[..h]);
        for k in 0..h {
            let dh = dstate[k];
            dn[k] = dh * (T::ONE - z[k]) * (T::ONE - n[k] * n[k]);
            dz[k] = dh * (before[k] - n[k]) * z[k] * (T::ONE - z[k]);
            dr[k] = dn[k] * q[k] * r[k] * (T::ONE - r[k]);
            dq[k] = dn[k] * r[k];
            dstate[k] = dh * z[k];
        }
    }

    #[inline(always)]
    fn input<T: Float>(h: usize, room: &[T], add: &mut dyn FnMut(usize, &[T])) {
        add(0, &room[..2 * h]);
        add(2 * h, &room[3 * h..]);
    }

    fn bias(h: usize) -> usize {
        2 * h
    }

    fn compose<T: Float>(tape: &mut Tape<T>, h: usize, of: Token) -> Var {
        let part = |tape: &mut Tape<T>, v: Var, k: usize| tape.slice_cols(v, k * h..(k + 1) * h);
        let gate = |tape: &mut Tape<T>, k: usize| {
            let (x, product) = (part(tape, of.x, k), part(tape, of.product, k));
            let sum = tape.add(x, product);
            tape.sigmoid(sum)
        };
        let (reset, keep) = (gate(tape, 0), gate(tape, 1));
        let (x, mut product) = (part(tape, of.x, 2), part(tape, of.product, 2));
        if let Some(bias) = of.bias {
            product = tape.add(product, bias);
        }
        let seen = tape.mul(reset, product);
        let sum = tape.add(x, seen);
        let new = tape.tanh(sum);
        // (1 − z)∘n + z∘h = n + z∘(h − n).
        let difference = tape.sub(of.before, new);
        let kept = tape.mul(keep, difference);
        tape.add(new, kept)
    }
}
