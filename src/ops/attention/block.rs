//! What both passes have in common: blocks, heads, and what a query sees of a block.

use std::ops::Range;

use crate::Float;
use crate::linalg::first_not_finite;
use crate::linalg::product::Into;
use crate::linalg::threads::join;
use crate::linalg::view::{View, ViewMut};

/// Queries, and keys, of a block: the scores of one are 16 kB of `f32`, half of the nearest cache.
pub const SIDE: usize = 64;

/// Room for the scores of a block, on the stack of the thread that works on it.
pub type Room<T> = [T; SIDE * SIDE];

/// The start and length of each block of `n` rows.
pub fn blocks(from: usize, n: usize) -> impl Iterator<Item = Range<usize>> {
    (from..n).step_by(SIDE).map(move |start| start..n.min(start + SIDE))
}

/// The rows and columns of sequence `s` and head `head`.
pub fn head_of<T>(x: View<'_, T>, s: usize, rows: usize, head: usize, cols: usize) -> View<'_, T> {
    x.get(s * rows..(s + 1) * rows, head * cols..(head + 1) * cols)
}

/// Multiply-adds that are worth a thread of their own: they take about 20 µs.
const GRAIN: usize = 1_000_000;

/// What belongs to some sequences, or to some heads of one of them, and can be halved.
pub trait Part: Sized + Send {
    fn split_at_sequence(self, i: usize) -> (Self, Self);
    fn split_at_head(self, i: usize) -> (Self, Self);
}

/// Sequences and heads.
type Heads = (Range<usize>, Range<usize>);

/// Two halves of the sequences, or of the heads of one sequence, and of their part.
fn halves<P: Part>((sequences, heads): Heads, part: P) -> ((Heads, P), (Heads, P)) {
    if sequences.len() > 1 {
        let middle = sequences.len() / 2;
        let (a, b) = part.split_at_sequence(middle);
        let middle = sequences.start + middle;
        (((sequences.start..middle, heads.clone()), a), ((middle..sequences.end, heads), b))
    } else {
        let middle = heads.len() / 2;
        let (a, b) = part.split_at_head(middle);
        let middle = heads.start + middle;
        (((sequences.clone(), heads.start..middle), a), ((sequences, middle..heads.end), b))
    }
}

/// Calls `work(s, head, part, room)` with the part of each sequence and head, on all threads of the pool. Each is worked on
/// by one thread, so that where it is cut does not change a bit. The `N` rooms are made once for many of them: for short
/// sequences, to clear them takes as long as to fill them.
pub fn each_head<T: Float, P: Part, const N: usize>(
    all: Heads,
    cost: usize,
    part: P,
    work: &(impl Fn(usize, usize, P, &mut [Room<T>; N]) + Sync),
) {
    let count = all.0.len().saturating_mul(all.1.len());
    if count == 0 {
        return;
    }
    if count == 1 || cost.saturating_mul(count) < GRAIN {
        return in_turn(all, part, &mut [[T::ZERO; SIDE * SIDE]; N], work);
    }
    let ((first, a), (second, b)) = halves(all, part);
    join(|| each_head(first, cost, a, work), || each_head(second, cost, b, work));
}

/// The same on the calling thread.
fn in_turn<P: Part, R>(all: Heads, part: P, room: &mut R, work: &impl Fn(usize, usize, P, &mut R)) {
    if all.0.len() == 1 && all.1.len() == 1 {
        return work(all.0.start, all.1.start, part, room);
    }
    let ((first, a), (second, b)) = halves(all, part);
    in_turn(first, a, room, work);
    in_turn(second, b, room, work);
}

/// How many keys of the block `keys` query `i` sees.
#[inline(always)]
pub fn seen(causal: bool, i: usize, keys: &Range<usize>) -> usize {
    if causal { (i + 1).saturating_sub(keys.start).min(keys.len()) } else { keys.len() }
}

/// Whether some query of the block does not see all keys of the block.
pub fn is_masked(causal: bool, queries: &Range<usize>, keys: &Range<usize>) -> bool {
    causal && keys.end > queries.start + 1
}

/// C ← A·B, or what `into` says, where A has zeros outside of the columns `within(i)` of its row i. Entries of B that are
/// infinite or NaN would make NaN of these zeros: then rows are computed one by one, of what is within.
pub fn masked_product<T: Float>(
    mut c: ViewMut<'_, T>,
    into: Into,
    a: View<'_, T>,
    b: View<'_, T>,
    within: Option<&dyn Fn(usize) -> Range<usize>>,
) {
    let finite = |b: View<'_, T>| (0..b.nrows()).all(|i| first_not_finite(b.row(i)).is_none());
    let Some(within) = within.filter(|_| !finite(b)) else { return T::product(c, into, a, b) };
    for i in 0..c.nrows() {
        let columns = within(i);
        T::product(c.rb_mut().get(i..i + 1, ..), into, a.get(i..i + 1, columns.clone()), b.get(columns, ..));
    }
}

/// The scores of a block before they are scaled: Q·Kᵀ, `queries`×`keys`, at the front of the room.
pub fn scores<'r, T: Float>(
    room: &'r mut Room<T>,
    (q, queries): (View<'_, T>, &Range<usize>),
    (k, keys): (View<'_, T>, &Range<usize>),
) -> &'r mut [T] {
    let scores = &mut room[..queries.len() * keys.len()];
    let to = ViewMut::by_rows(scores, queries.len(), keys.len());
    T::product(to, Into::Replace, q.get(queries.clone(), ..), k.get(keys.clone(), ..).transpose());
    scores
}
