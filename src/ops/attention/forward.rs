//! The value: block by block, with the largest score and the sum so far of each query.

use super::Sizes;
use super::block::{self, Part, Room, SIDE, blocks, each_head, head_of, is_masked, masked_product, seen};
use crate::Float;
use crate::linalg::product::Into;
use crate::linalg::reduce_within;
use crate::linalg::simd::{self, vectorize};
use crate::linalg::view::{View, ViewMut};
use crate::tape::Forward;

/// The value of some sequences or heads, and what is saved of them.
struct Place<'a, T> {
    y: ViewMut<'a, T>,
    largest: &'a mut [T],
    sums: &'a mut [T],
    /// Rows of a sequence, and columns of a head.
    rows: usize,
    cols: usize,
    /// Heads of each sequence.
    heads: usize,
}

impl<T: Float> Part for Place<'_, T> {
    fn split_at_sequence(self, i: usize) -> (Self, Self) {
        let (y, below) = self.y.split_at_row(i * self.rows);
        let numbers = i * self.heads * self.rows;
        let (largest, others) = self.largest.split_at_mut(numbers);
        let (sums, other_sums) = self.sums.split_at_mut(numbers);
        (Place { y, largest, sums, ..self }, Place { y: below, largest: others, sums: other_sums, ..self })
    }

    fn split_at_head(self, i: usize) -> (Self, Self) {
        let (y, right) = self.y.split_at_col(i * self.cols);
        let (largest, others) = self.largest.split_at_mut(i * self.rows);
        let (sums, other_sums) = self.sums.split_at_mut(i * self.rows);
        (Place { y, largest, sums, ..self }, Place { y: right, largest: others, sums: other_sums, ..self })
    }
}

pub fn run<T: Float>(mut cx: Forward<'_, T>) {
    let shapes = [0, 1, 2].map(|k| cx.shape(k));
    let sizes = Sizes::of(cx.args(), shapes[0], shapes[1], shapes[2]);
    let [q, k, v] = [0, 1, 2].map(|i| View::by_rows(cx.x(i), shapes[i].rows, shapes[i].cols));
    let (lengths, to) = (cx.indices(), cx.y_shape());
    let (y, saved) = cx.y_and_saved();
    // Not one by one: there may be any number of sequences without a row.
    if saved.is_empty() {
        return;
    }
    let (largest, sums) = saved.split_at_mut(saved.len() / 2);
    let Sizes { sequences, heads, queries: rows, out: cols, .. } = sizes;
    let place = Place { y: ViewMut::by_rows(y, to.rows, to.cols), largest, sums, rows, cols, heads };
    each_head((0..sequences, 0..heads), sizes.work(), place, &|s, head, place, [room]: &mut [Room<T>; 1]| {
        sizes.fetch_next(
            s,
            head,
            &[(q, sizes.queries, sizes.width), (k, sizes.keys, sizes.width), (v, sizes.keys, sizes.out)],
        );
        let q = head_of(q, s, sizes.queries, head, sizes.width);
        let keys = sizes.keys_of(lengths, s);
        let k = head_of(k, s, sizes.keys, head, sizes.width).get(..keys, ..);
        let v = head_of(v, s, sizes.keys, head, sizes.out).get(..keys, ..);
        one_head(&sizes, q, k, v, place, room);
    });
}

fn one_head<T: Float>(
    sizes: &Sizes<T>,
    q: View<'_, T>,
    k: View<'_, T>,
    v: View<'_, T>,
    place: Place<'_, T>,
    room: &mut Room<T>,
) {
    let Place { mut y, largest, sums, .. } = place;
    largest.fill(-T::INFINITY);
    sums.fill(T::ZERO);
    for queries in blocks(0, q.nrows()) {
        let mut y = y.rb_mut().get(queries.clone(), ..);
        let (largest, sums) = (&mut largest[queries.clone()], &mut sums[queries.clone()]);
        let last = if sizes.causal { queries.end.min(k.nrows()) } else { k.nrows() };
        for keys in blocks(0, last) {
            let scores = block::scores(room, (q, &queries), (k, &keys));
            let mut shrink = [T::ONE; SIDE];
            exponentials(scores, keys.len(), sizes.scale, largest, sums, &mut shrink, |r| {
                seen(sizes.causal, queries.start + r, &keys)
            });
            let first = keys.start == 0;
            if !first {
                for (r, shrink) in shrink[..queries.len()].iter().enumerate().filter(|(_, by)| **by != T::ONE)
                {
                    y.row_mut(r).iter_mut().for_each(|y| *y *= *shrink);
                }
            }
            let into = if first { Into::Replace } else { Into::Add };
            let within = |r: usize| 0..seen(sizes.causal, queries.start + r, &keys);
            let masked: Option<&dyn Fn(usize) -> _> =
                if is_masked(sizes.causal, &queries, &keys) { Some(&within) } else { None };
            let p = View::by_rows(scores, queries.len(), keys.len());
            masked_product(y.rb_mut(), into, p, v.get(keys.clone(), ..), masked);
        }
        for (r, sum) in sums.iter_mut().enumerate() {
            let y = y.row_mut(r);
            if last == 0 {
                (largest[r], *sum) = (T::ZERO, T::ONE);
                y.fill(T::ZERO);
            }
        }
        vectorize(
            y.nrows() * y.ncols(),
            #[inline(always)]
            || {
                for (r, sum) in sums.iter().enumerate() {
                    let sum = *sum;
                    for y in y.row_mut(r) {
                        *y /= sum;
                    }
                }
            },
        );
    }
}

/// Rows of scores become e^(scale·score − largest), and 0 where they are not `seen`; `largest` and `sums` go on, and `shrink`
/// says what is to become of the sums of the blocks before.
fn exponentials<T: Float>(
    scores: &mut [T],
    cols: usize,
    scale: T,
    largest: &mut [T],
    sums: &mut [T],
    shrink: &mut [T; SIDE],
    seen: impl Fn(usize) -> usize,
) {
    vectorize(
        scores.len(),
        #[inline(always)]
        || {
            for score in &mut *scores {
                *score *= scale;
            }
            for r in 0..largest.len() {
                let scores = &mut scores[r * cols..(r + 1) * cols];
                let before = largest[r];
                let top = largest_of(before, &scores[..seen(r)]);
                // Of −∞ alone nothing is taken away: they stay −∞, and not NaN.
                let shift = if top == -T::INFINITY { T::ZERO } else { top };
                for score in scores {
                    *score -= shift;
                }
                shrink[r] = if before == top {
                    T::ONE
                } else if before == -T::INFINITY {
                    // Of what there is not yet, as in the first block of every row: no exponential for that.
                    T::ZERO
                } else {
                    (before - shift).exp()
                };
                largest[r] = top;
            }
            // Of all rows at once: a row may be too short for vectors. What is not seen is put right below.
            for score in &mut *scores {
                *score = score.exp();
            }
            for r in 0..sums.len() {
                let (seen, hidden) = scores[r * cols..(r + 1) * cols].split_at_mut(seen(r));
                hidden.fill(T::ZERO);
                let sum = reduce_within(
                    seen,
                    seen,
                    #[inline(always)]
                    |x, _| x,
                );
                sums[r] = sums[r] * shrink[r] + sum;
            }
        },
    );
}

/// The largest of the numbers and of `from`. NaN is passed over: the exponentials find it.
#[inline(always)]
fn largest_of<T: Float>(from: T, x: &[T]) -> T {
    const LANES: usize = 16;
    // No lane is NaN: of two numbers it keeps the first, unless the other one is larger.
    let larger = |a: T, b: T| if b > a { b } else { a };
    let mut lanes = [from; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        lanes = simd::lanes(lanes, block, larger);
    }
    for i in 0..rest.len() {
        lanes[i] = larger(lanes[i], rest[i]);
    }
    // In halves: one after the other, each would wait for the one before.
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = larger(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}
