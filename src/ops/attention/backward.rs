//! The gradients: the scores of each block again, and what they send to queries, keys and values.

use std::ops::Range;

use super::Sizes;
use super::block::{self, Part, Room, SIDE, blocks, each_head, head_of, is_masked, masked_product, seen};
use crate::Float;
use crate::linalg::product::Into;
use crate::linalg::reduce_within;
use crate::linalg::simd::vectorize;
use crate::linalg::view::{View, ViewMut};
use crate::ops::pass_if;
use crate::tape::Backward;

/// The gradients of some sequences or heads.
struct Place<'a, T> {
    dq: ViewMut<'a, T>,
    dk: ViewMut<'a, T>,
    dv: ViewMut<'a, T>,
    sizes: Sizes<T>,
}

impl<T: Float> Part for Place<'_, T> {
    fn split_at_sequence(self, i: usize) -> (Self, Self) {
        let Sizes { queries, keys, .. } = self.sizes;
        let (dq, dq2) = self.dq.split_at_row(i * queries);
        let (dk, dk2) = self.dk.split_at_row(i * keys);
        let (dv, dv2) = self.dv.split_at_row(i * keys);
        (Place { dq, dk, dv, sizes: self.sizes }, Place { dq: dq2, dk: dk2, dv: dv2, sizes: self.sizes })
    }

    fn split_at_head(self, i: usize) -> (Self, Self) {
        let Sizes { width, out, .. } = self.sizes;
        let (dq, dq2) = self.dq.split_at_col(i * width);
        let (dk, dk2) = self.dk.split_at_col(i * width);
        let (dv, dv2) = self.dv.split_at_col(i * out);
        (Place { dq, dk, dv, sizes: self.sizes }, Place { dq: dq2, dk: dk2, dv: dv2, sizes: self.sizes })
    }
}

/// What one head reads.
struct Head<'a, T> {
    q: View<'a, T>,
    k: View<'a, T>,
    v: View<'a, T>,
    y: View<'a, T>,
    dy: View<'a, T>,
    largest: &'a [T],
    sums: &'a [T],
}

pub fn run<T: Float>(mut cx: Backward<'_, T>) {
    let shapes = [0, 1, 2].map(|k| cx.shape(k));
    let sizes = Sizes::of(cx.args(), shapes[0], shapes[1], shapes[2]);
    let [q, k, v] = [0, 1, 2].map(|i| View::by_rows(cx.x(i), shapes[i].rows, shapes[i].cols));
    let out = cx.y_shape();
    let (y, dy) = (View::by_rows(cx.y(), out.rows, out.cols), View::by_rows(cx.dy(), out.rows, out.cols));
    let (lengths, (largest, sums)) = (cx.indices(), cx.saved().split_at(cx.saved().len() / 2));
    let [q_len, k_len, v_len] = shapes.map(|shape| shape.numel());
    // Without queries, keys and values get nothing. Not one by one, as in the forward pass.
    if cx.saved().is_empty() {
        return;
    }
    let all_heads = |dq: &mut [T], dk: &mut [T], dv: &mut [T]| {
        let place = Place {
            dq: ViewMut::by_rows(dq, shapes[0].rows, shapes[0].cols),
            dk: ViewMut::by_rows(dk, shapes[1].rows, shapes[1].cols),
            dv: ViewMut::by_rows(dv, shapes[2].rows, shapes[2].cols),
            sizes,
        };
        let all = (0..sizes.sequences, 0..sizes.heads);
        each_head(all, sizes.work().saturating_mul(3), place, &|s, head, place, rooms: &mut [Room<T>; 2]| {
            let of = |x, rows, cols| head_of(x, s, rows, head, cols);
            let keys = sizes.keys_of(lengths, s);
            let saved = (s * sizes.heads + head) * sizes.queries;
            sizes.fetch_next(
                s,
                head,
                &[
                    (q, sizes.queries, sizes.width),
                    (k, sizes.keys, sizes.width),
                    (v, sizes.keys, sizes.out),
                    (y, sizes.queries, sizes.out),
                    (dy, sizes.queries, sizes.out),
                ],
            );
            one_head(
                &Head {
                    q: of(q, sizes.queries, sizes.width),
                    k: of(k, sizes.keys, sizes.width).get(..keys, ..),
                    v: of(v, sizes.keys, sizes.out).get(..keys, ..),
                    y: of(y, sizes.queries, sizes.out),
                    dy: of(dy, sizes.queries, sizes.out),
                    largest: &largest[saved..][..sizes.queries],
                    sums: &sums[saved..][..sizes.queries],
                },
                place,
                rooms,
            );
        });
    };
    if let Some([dq, dk, dv]) = cx.fresh([0, 1, 2]) {
        return all_heads(dq, dk, dv);
    }
    // Where something is added to, or queries, keys and values are one value, gradients lie apart until all are there.
    cx.with_zeros(q_len + k_len + v_len, |cx, room| {
        let (dq, rest) = room.split_at_mut(q_len);
        let (dk, dv) = rest.split_at_mut(k_len);
        all_heads(dq, dk, dv);
        for (input, terms) in [dq, dk, dv].into_iter().enumerate() {
            cx.add_map(input, terms, |term| term);
        }
    });
}

fn one_head<T: Float>(head: &Head<'_, T>, place: Place<'_, T>, [room, other]: &mut [Room<T>; 2]) {
    let Place { mut dq, mut dk, mut dv, sizes } = place;
    // Where one block is all there is, its terms are the gradients.
    let is_one = |rows: usize| (1..=SIDE).contains(&rows);
    let one_block = is_one(head.q.nrows()) && is_one(head.k.nrows()) && head.k.nrows() == dk.nrows();
    let into = if one_block { Into::Replace } else { Into::Add };
    if !one_block {
        // Here, where they are in the nearest cache when they are added to.
        for part in [&mut dq, &mut dk, &mut dv] {
            (0..part.nrows()).for_each(|r| part.row_mut(r).fill(T::ZERO));
        }
    }
    for keys in blocks(0, head.k.nrows()) {
        let (k, v) = (head.k.get(keys.clone(), ..), head.v.get(keys.clone(), ..));
        let mut dk = dk.rb_mut().get(keys.clone(), ..);
        let mut dv = dv.rb_mut().get(keys.clone(), ..);
        for queries in blocks(if sizes.causal { keys.start } else { 0 }, head.q.nrows()) {
            let (q, dy) = (head.q.get(queries.clone(), ..), head.dy.get(queries.clone(), ..));
            let mut dq = dq.rb_mut().get(queries.clone(), ..);
            // What a query sees, and what sees a key.
            let keys_of = |r: usize| 0..seen(sizes.causal, queries.start + r, &keys);
            let queries_of =
                |c: usize| (keys.start + c).saturating_sub(queries.start).min(queries.len())..queries.len();
            let masked = is_masked(sizes.causal, &queries, &keys);
            let by_query: Option<&dyn Fn(usize) -> Range<usize>> = if masked { Some(&keys_of) } else { None };
            let by_key: Option<&dyn Fn(usize) -> Range<usize>> =
                if masked { Some(&queries_of) } else { None };

            let p = block::scores(room, (head.q, &queries), (head.k, &keys));
            let (largest, sums) = (&head.largest[queries.clone()], &head.sums[queries.clone()]);
            probabilities(p, keys.len(), sizes.scale, largest, sums, |r| keys_of(r).end);
            let across = View::by_rows(&*p, queries.len(), keys.len()).transpose();
            masked_product(dv.rb_mut(), into, across, dy, by_key);

            let ds = &mut other[..p.len()];
            let to = ViewMut::by_rows(ds, queries.len(), keys.len());
            T::product(to, Into::Replace, dy, v.transpose());
            let mut along = [T::ZERO; SIDE];
            vectorize(
                queries.len() * sizes.out,
                #[inline(always)]
                || {
                    for (r, along) in along[..queries.len()].iter_mut().enumerate() {
                        *along = reduce_within(
                            dy.row(r),
                            head.y.row(queries.start + r),
                            #[inline(always)]
                            |dy, y| dy * y,
                        );
                    }
                },
            );
            of_scores(ds, p, keys.len(), &along, sizes.scale, |r| keys_of(r).end);
            let ds = View::by_rows(&*ds, queries.len(), keys.len());
            masked_product(dq.rb_mut(), into, ds, k, by_query);
            masked_product(dk.rb_mut(), into, ds.transpose(), q, by_key);
        }
    }
}

/// Rows of scores become e^(scale·score − largest)/sum, and 0 where they are not `seen`.
fn probabilities<T: Float>(
    p: &mut [T],
    cols: usize,
    scale: T,
    largest: &[T],
    sums: &[T],
    seen: impl Fn(usize) -> usize,
) {
    vectorize(
        p.len(),
        #[inline(always)]
        || {
            for r in 0..largest.len() {
                let shift = if largest[r] == -T::INFINITY { T::ZERO } else { largest[r] };
                for p in &mut p[r * cols..(r + 1) * cols] {
                    *p = *p * scale - shift;
                }
            }
            // As in the forward pass, of all rows at once.
            for p in &mut *p {
                *p = p.exp();
            }
            for r in 0..sums.len() {
                let (seen, hidden) = p[r * cols..(r + 1) * cols].split_at_mut(seen(r));
                let sum = sums[r];
                for p in seen {
                    *p /= sum;
                }
                hidden.fill(T::ZERO);
            }
        },
    );
}

/// ds, which is dP, becomes scale·P ∘ (dP − `along`), and 0 where P is.
fn of_scores<T: Float>(
    ds: &mut [T],
    p: &[T],
    cols: usize,
    along: &[T; SIDE],
    scale: T,
    seen: impl Fn(usize) -> usize,
) {
    vectorize(
        ds.len(),
        #[inline(always)]
        || {
            for r in 0..ds.len() / cols {
                let (ds, hidden) = ds[r * cols..(r + 1) * cols].split_at_mut(seen(r));
                let (p, along) = (&p[r * cols..][..ds.len()], along[r]);
                for i in 0..ds.len() {
                    ds[i] = pass_if(p[i] != T::ZERO, p[i] * (ds[i] - along) * scale);
                }
                hidden.fill(T::ZERO);
            }
        },
    );
}
