//! Recurrence over sequences, in one node: what the cells have in common. The cells stand in a file each.
//!
//! A node goes through all tokens of its sequences, one position after the other: for position t, the states before it
//! times the weights U, added to what the input has for it, and the cell's functions of the sums. A sequence of one
//! token is the cell itself.

mod gru;
mod lstm;
mod rnn;
#[cfg(test)]
mod tests;

pub(super) use gru::Gru;
pub(super) use lstm::Lstm;
pub(super) use rnn::Rnn;

use super::Op;
use super::positions::check_sequences;
use crate::Float;
use crate::linalg::product::Into;
use crate::linalg::simd::vectorize;
use crate::linalg::view::{View, ViewMut};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// A cell: its functions for one token, of a state of h units. Widths are in units of h.
trait Cell: Sync + 'static {
    const NAME: &'static str;
    /// Columns of the input, and of U.
    const GATES: usize;
    /// Columns of the state, of which the first h are what U is multiplied with.
    const STATE: usize;
    /// Numbers that are saved of a token: the sums, which become the gates, come first.
    const SAVED: usize;
    /// Columns of a token's gradient during the backward pass: those of the sums come first.
    const ROOM: usize;
    /// Whether there is a bias of h numbers within the cell.
    const BIAS: bool = false;

    /// The state behind a token, as operations: of the columns of the input for it, the part of the state `before` that U
    /// is multiplied with times U, the state before, and the bias.
    fn compose<T: Float>(tape: &mut Tape<T>, h: usize, of: Token) -> Var;

    /// What the product with U is added to, of the input `x`.
    fn begin<T: Float>(h: usize, x: &[T], bias: &[T], saved: &mut [T]);

    /// The state of a token from the sums, which stand in `saved`, and the state `before`.
    fn step<T: Float>(h: usize, x: &[T], before: &[T], saved: &mut [T], state: &mut [T]);

    /// The gradient of the token's sums and input goes to `room`. `dstate` is the gradient of its state, and becomes that
    /// of the state before, but for what goes through U.
    fn back<T: Float>(h: usize, saved: &[T], before: &[T], state: &[T], dstate: &mut [T], room: &mut [T]);

    /// The gradient of the input out of `room`: by default, all of it.
    #[inline(always)]
    fn input<T: Float>(h: usize, room: &[T], add: &mut dyn FnMut(usize, &[T])) {
        let _ = h;
        add(0, room);
    }

    /// Where the gradient of the bias stands in `room`.
    fn bias(h: usize) -> usize {
        unreachable!("{}: of {h} numbers, none is a bias within the cell", Self::NAME)
    }
}

/// What [`Cell::compose`] makes a state of, a sequence a row.
#[derive(Clone, Copy)]
struct Token {
    x: Var,
    product: Var,
    before: Var,
    bias: Option<Var>,
}

/// The node of a cell.
pub(super) struct Recurrence<C>(std::marker::PhantomData<fn() -> C>);

impl<C> Recurrence<C> {
    pub const NEW: Self = Recurrence(std::marker::PhantomData);
}

/// Appends the node: `x` of (s·length)×(GATES·h), `u` of h×(GATES·h), `state` of s×(STATE·h).
#[track_caller]
fn append<C: Cell, T: Float>(
    tape: &mut Tape<T>,
    op: Op,
    [x, u, state]: [Var; 3],
    bias: Option<Var>,
    length: usize,
) -> Var {
    let shape = |v: Var| tape.shape_for(C::NAME, v);
    let (sx, su, ss) = (shape(x), shape(u), shape(state));
    let h = su.rows;
    assert!(
        su.cols == C::GATES * h && sx.cols == su.cols && ss.cols == C::STATE * h,
        "{}: {x} is {sx}, the weights {u} are {su}, the state {state} is {ss} (expected m×{gates}, h×{gates}, s×{own})",
        C::NAME,
        gates = times(C::GATES),
        own = times(C::STATE),
    );
    check_sequences(C::NAME, x, sx, length);
    // Without tokens, as many sequences as there are states.
    let sequences = sx.rows.checked_div(length).unwrap_or(ss.rows);
    assert!(
        ss.rows == sequences,
        "{}: {x} is {sx}, which are {} of {}, but the state {state} is {ss}",
        C::NAME,
        count(sequences, "sequence"),
        count(length, "token")
    );
    if let Some(bias) = bias {
        let (found, expected) = (shape(bias), Shape::new(1, h));
        assert!(found == expected, "{}: the bias {bias} is {found} (expected {expected})", C::NAME);
    }
    let to = Shape::new(sx.rows, ss.cols);
    let args = Args::size(length).saving(sx.rows * C::SAVED * h);
    match bias {
        Some(bias) => tape.apply(op.get(), &[x, u, state, bias], to, args),
        None => tape.apply(op.get(), &[x, u, state], to, args),
    }
}

/// `h`, or `3h`.
fn times(n: usize) -> String {
    if n == 1 { "h".into() } else { format!("{n}h") }
}

/// The rows at position t of all sequences, as columns of a matrix with a sequence a row.
fn at<T>(x: View<'_, T>, t: usize, cols: usize, part: usize) -> View<'_, T> {
    x.get(.., t * cols..t * cols + part)
}

/// Row `t` of sequence `s`.
fn token(s: usize, t: usize, length: usize, cols: usize) -> std::ops::Range<usize> {
    (s * length + t) * cols..(s * length + t + 1) * cols
}

impl<C: Cell, T: Float> Operation<T> for Recurrence<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, u, state) = (cx.x(0), cx.x(1), cx.x(2));
        let bias = if C::BIAS { cx.x(3) } else { &[] };
        let (h, length, sequences) = (cx.shape(1).rows, cx.args().sizes[0], cx.shape(2).rows);
        let [gates, own, kept] = [C::GATES, C::STATE, C::SAVED].map(|n| n * h);
        let (y, saved) = cx.y_and_saved();
        // Of no sequences, the length may be any.
        if h == 0 || sequences == 0 {
            return;
        }
        for (x, saved) in x.chunks(gates).zip(saved.chunks_mut(kept)) {
            C::begin(h, x, bias, saved);
        }
        let u = View::by_rows(u, h, gates);
        for t in 0..length {
            {
                let sums = ViewMut::by_rows(saved, sequences, length * kept);
                let sums = sums.get(.., t * kept..t * kept + gates);
                let before = match t.checked_sub(1) {
                    None => View::by_rows(state, sequences, own).get(.., ..h),
                    Some(t) => at(View::by_rows(&*y, sequences, length * own), t, own, h),
                };
                T::product(sums, Into::Add, before, u);
            }
            vectorize(
                sequences * kept,
                #[inline(always)]
                || {
                    for s in 0..sequences {
                        let (done, now) = y.split_at_mut(token(s, t, length, own).start);
                        let before = match t {
                            0 => &state[s * own..][..own],
                            _ => &done[done.len() - own..],
                        };
                        let x = &x[token(s, t, length, gates)];
                        C::step(h, x, before, &mut saved[token(s, t, length, kept)], &mut now[..own]);
                    }
                },
            );
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (y, dy, saved, u, state) = (cx.y(), cx.dy(), cx.saved(), cx.x(1), cx.x(2));
        let (h, length, sequences) = (cx.shape(1).rows, cx.args().sizes[0], cx.shape(2).rows);
        let [gates, own, kept, wide] = [C::GATES, C::STATE, C::SAVED, C::ROOM].map(|n| n * h);
        // Of no sequences, the length may be any.
        if h == 0 || sequences == 0 {
            return;
        }
        let tokens = sequences * length;
        let u = View::by_rows(u, h, gates);
        cx.with_zeros(tokens * wide + sequences * own, |cx, room| {
            let (room, dstate) = room.split_at_mut(tokens * wide);
            for t in (0..length).rev() {
                let of_sums = &mut *room;
                vectorize(
                    sequences * kept,
                    #[inline(always)]
                    || {
                        for (s, dstate) in dstate.chunks_exact_mut(own).enumerate() {
                            let now = token(s, t, length, own);
                            dstate.iter_mut().zip(&dy[now.clone()]).for_each(|(sum, dy)| *sum += *dy);
                            let before = match t {
                                0 => &state[s * own..][..own],
                                _ => &y[token(s, t - 1, length, own)],
                            };
                            let saved = &saved[token(s, t, length, kept)];
                            C::back(
                                h,
                                saved,
                                before,
                                &y[now],
                                dstate,
                                &mut of_sums[token(s, t, length, wide)],
                            );
                        }
                    },
                );
                let before = ViewMut::by_rows(dstate, sequences, own).get(.., ..h);
                let dsums = at(View::by_rows(&*room, sequences, length * wide), t, wide, gates);
                T::product(before, Into::Add, dsums, u.transpose());
            }
            let room = &*room;
            if let Some(mut dx) = cx.sum(0) {
                for (token, room) in room.chunks_exact(wide).enumerate() {
                    C::input(h, room, &mut |from, terms| {
                        dx.part(token * gates + from, terms.len()).add_slice(terms)
                    });
                }
            }
            if let Some((du, written)) = cx.dx(1) {
                if !written {
                    du.fill(T::ZERO);
                }
                for t in 0..length {
                    let before = match t.checked_sub(1) {
                        None => View::by_rows(state, sequences, own).get(.., ..h),
                        Some(t) => at(View::by_rows(y, sequences, length * own), t, own, h),
                    };
                    let dsums = at(View::by_rows(room, sequences, length * wide), t, wide, gates);
                    T::product(ViewMut::by_rows(du, h, gates), Into::Add, before.transpose(), dsums);
                }
            }
            cx.add_map(2, dstate, |dstate| dstate);
            if C::BIAS {
                let first = C::bias(h);
                cx.add_column_sums(3, tokens * h, |start, part| {
                    for (i, sum) in (start..).zip(part) {
                        *sum += room[i / h * wide + first + i % h];
                    }
                });
            }
        });
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (length, sequences, h) = (cx.args().sizes[0], cx.shape(2).rows, cx.shape(1).rows);
        if length == 0 || sequences == 0 {
            return;
        }
        // Position by position, where the value is sequence by sequence; and back.
        let by_position: Vec<usize> =
            (0..sequences * length).map(|row| row % sequences * length + row / sequences).collect();
        let back: Vec<usize> =
            (0..sequences * length).map(|row| row % length * sequences + row / length).collect();
        cx.through(|tape, inputs| {
            let all = tape.gather_rows(inputs[0], &by_position);
            let (mut before, mut states) = (inputs[2], Vec::with_capacity(length));
            for t in 0..length {
                let x = tape.slice_rows(all, t * sequences..(t + 1) * sequences);
                let own = tape.slice_cols(before, 0..h);
                let product = tape.matmul(own, inputs[1]);
                before = C::compose(tape, h, Token { x, product, before, bias: inputs.get(3).copied() });
                states.push(before);
            }
            let all = tape.joined(states, true);
            tape.gather_rows(all, &back)
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {}", args.sizes[0])
    }
}
