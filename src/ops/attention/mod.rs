//! Scaled dot-product attention, in one node.

mod backward;
mod block;
mod forward;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::Op;
use crate::Float;
use crate::linalg::view::View;
use crate::tape::{Args, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// How the rows of queries, keys and values are cut into sequences and heads, and which keys a query sees.
///
/// ```
/// use tapegrad::ops::Attention;
///
/// // Two sequences, of which the first has three tokens and padding behind them; four heads; no look ahead.
/// let form = Attention::new(2, 4).with_lengths(&[3, 5]).causal();
/// assert!(form.is_causal);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention<'a> {
    /// Sequences, one behind the other, of as many rows each.
    pub sequences: usize,
    /// Heads, side by side, of as many columns each.
    pub heads: usize,
    /// Whether token i sees the tokens up to i only.
    pub is_causal: bool,
    /// How many keys of each sequence there are, from the first on: what stands behind them is padding, and no query
    /// sees it. All of them where this is `None`.
    pub lengths: Option<&'a [usize]>,
    /// What products of queries and keys are multiplied by; 1/√d, where d is the columns of a head, if this is `None`.
    pub scale: Option<f64>,
}

impl<'a> Attention<'a> {
    /// So many sequences and heads, and every query sees every key of its sequence.
    pub const fn new(sequences: usize, heads: usize) -> Self {
        Attention { sequences, heads, is_causal: false, lengths: None, scale: None }
    }

    /// No token sees those behind it.
    pub const fn causal(self) -> Self {
        Attention { is_causal: true, ..self }
    }

    /// So many keys of each sequence count, and the others are padding.
    pub const fn with_lengths(self, lengths: &'a [usize]) -> Self {
        Attention { lengths: Some(lengths), ..self }
    }

    /// With another factor than 1/√d.
    pub const fn with_scale(self, scale: f64) -> Self {
        Attention { scale: Some(scale), ..self }
    }
}

/// # Attention
/// What tokens tell each other.
impl<T: Float> Tape<T> {
    /// softmax(c·Q·Kᵀ)·V, for each sequence and head on its own, with c = 1/√d: queries q of (s·l)×(h·d), keys of
    /// (s·n)×(h·d) and values of (s·n)×(h·e), for s sequences and h heads, give (s·l)×(h·e).
    ///
    /// A token is a row. The softmax is over the keys that a query sees; what it does not see changes nothing, even if it
    /// is infinite or NaN. Where there is no key at all the value is 0. Products qᵢ·kⱼ or scores c·qᵢ·kⱼ that are not
    /// finite make the row of that head NaN, unless they are −∞ beside finite ones. `lengths` are of keys only: a query
    /// of the padding takes part in the backward pass, and must be finite.
    ///
    /// Vaswani et al., *Attention Is All You Need*, arXiv:1706.03762, section 3.2. The scores are never all there at a
    /// time: blocks of 64 queries and 64 keys, with the largest score and the sum so far of each row, as in Dao et al.,
    /// *FlashAttention*, arXiv:2205.14135, and Dao, *FlashAttention-2*, arXiv:2307.08691. So the memory is linear in the
    /// length: two numbers for each row and head are kept beside the value, and the backward pass computes the scores anew.
    ///
    /// Backward, with P the softmax, dP = dY·Vᵀ and dS = P ∘ (dP − Σⱼ dyᵢⱼyᵢⱼ): dQ = c·dS·K, dK = c·dSᵀ·Q,
    /// dV = Pᵀ·dY. Blocks of keys are taken from first to last, and for each the blocks of queries from first to last.
    ///
    /// # Panics
    /// If an operand is stale; the columns of q and k differ, or the rows of k and v; the rows are no whole number of
    /// sequences, or the columns no whole number of heads; with `is_causal`, the rows of q and k differ; there is not a
    /// length for each sequence, or one is above n; the scale is not finite.
    ///
    /// ```
    /// use tapegrad::ops::Attention;
    ///
    /// let mut tape = tapegrad::Tape::new();
    /// let q = tape.constant_slice(2, 1, &[0.0, 0.0]);
    /// let v = tape.constant_slice(2, 1, &[1.0, 3.0]);
    /// // Equal scores: means over what each of the two tokens sees.
    /// let y = tape.attention(q, q, v, Attention::new(1, 1).causal());
    /// assert_eq!(tape.value_slice(y), [1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn attention(
        &mut self,
        q: impl Into<Var>,
        k: impl Into<Var>,
        v: impl Into<Var>,
        form: Attention<'_>,
    ) -> Var {
        let (q, k, v) = (q.into(), k.into(), v.into());
        let shape = |x: Var| self.shape_for("attention", x);
        let (sq, sk, sv) = (shape(q), shape(k), shape(v));
        assert!(
            sq.cols == sk.cols && sk.rows == sv.rows,
            "attention: the queries {q} are {sq}, the keys {k} are {sk}, the values {v} are {sv} (expected m×c, n×c, n×e)"
        );
        let Attention { sequences, heads, is_causal, lengths, scale } = form;
        for (name, x, shape) in [("queries", q, sq), ("keys", k, sk), ("values", v, sv)] {
            let whole = |n: usize, parts: usize| if parts == 0 { n == 0 } else { n.is_multiple_of(parts) };
            assert!(
                whole(shape.rows, sequences),
                "attention: the {name} {x} are {shape}, whose rows are no {} of one length",
                count(sequences, "sequence")
            );
            assert!(
                heads > 0 && whole(shape.cols, heads),
                "attention: the {name} {x} are {shape}, which {} do not divide",
                count(heads, "head")
            );
        }
        assert!(
            !is_causal || sq.rows == sk.rows,
            "attention: the queries {q} are {sq} and the keys {k} are {sk}: where no token sees those behind it, the \
             rows must be the same"
        );
        let keys = sk.rows.checked_div(sequences).unwrap_or(0);
        if let Some(lengths) = lengths {
            assert!(
                lengths.len() == sequences,
                "attention: {} for {}",
                count(lengths.len(), "length"),
                count(sequences, "sequence")
            );
            if let Some(s) = lengths.iter().position(|length| *length > keys) {
                panic!(
                    "attention: sequence {s} has the length {}, but {k} has {keys} keys for it",
                    lengths[s]
                );
            }
        }
        // Of heads without columns all scores are 0, whatever the factor.
        let scale = T::of(scale.unwrap_or_else(|| 1.0 / ((sq.cols / heads).max(1) as f64).sqrt()));
        assert!(scale.is_finite(), "attention: the scale is {scale}, which is not finite");
        let causal = if is_causal { T::ONE } else { T::ZERO };
        let args = Args { sizes: [sequences, heads], ..Args::scalars(scale, causal) };
        // Of rows without columns, there may be more heads than a machine has numbers: that there is no memory, the tape says.
        let args = args.saving(sq.rows.saturating_mul(heads).saturating_mul(2));
        let lengths = lengths.unwrap_or_default().iter().map(|&length| length as u32);
        self.apply_indexed(Op::Attention.get(), &[q, k, v], Shape::new(sq.rows, sv.cols), args, lengths)
    }
}

/// Saves, for each sequence, head and query, the largest score and the sum of e^(score − largest).
pub(super) struct ScaledDotProduct;

/// Bytes of a head, of queries, keys, values and what comes out, up to which it is fetched while the one before is computed.
const FETCHED: usize = 1 << 14;

/// The sizes of a node, worked out again from its operands.
#[derive(Clone, Copy)]
struct Sizes<T> {
    sequences: usize,
    heads: usize,
    /// Rows of a sequence, of queries and of keys.
    queries: usize,
    keys: usize,
    /// Columns of a head, of queries and keys, and of values.
    width: usize,
    out: usize,
    scale: T,
    causal: bool,
}

impl<T: Float> Sizes<T> {
    fn of(args: &Args<T>, q: Shape, k: Shape, v: Shape) -> Self {
        let [sequences, heads] = args.sizes;
        let rows = |shape: Shape| shape.rows.checked_div(sequences).unwrap_or(0);
        Sizes {
            sequences,
            heads,
            queries: rows(q),
            keys: rows(k),
            width: q.cols / heads,
            out: v.cols / heads,
            scale: args.scalars[0],
            causal: args.scalars[1] != T::ZERO,
        }
    }

    /// A head of a sequence, made of other operations: all scores of some queries at a time, which see the first `keys`.
    fn head(
        &self,
        tape: &mut Tape<T>,
        x: &[Var],
        at: (usize, usize),
        queries: Range<usize>,
        keys: usize,
    ) -> Var {
        if keys == 0 {
            return tape.constant_with(queries.len(), self.out, |_| ());
        }
        let (s, head) = at;
        let mut part = |x: Var, start: usize, count: usize, cols: usize| {
            let rows = tape.slice_rows(x, start..start + count);
            tape.slice_cols(rows, head * cols..(head + 1) * cols)
        };
        let (q, k, v) = (
            part(x[0], s * self.queries + queries.start, queries.len(), self.width),
            part(x[1], s * self.keys, keys, self.width),
            part(x[2], s * self.keys, keys, self.out),
        );
        let products = tape.matmul_nt(q, k);
        let mut scores = tape.scale(products, self.scale);
        if self.causal && queries.len() > 1 {
            // No infinity, unless there is one: it would be taken for an anomaly, and this has the exponential 0 as well.
            let lowest = -(T::of(2.0) / T::MIN_POSITIVE);
            let fill = if tape.some(scores, |x| !x.is_finite()) { -T::INFINITY } else { lowest };
            scores = tape.tril(scores, 0, fill);
        }
        let weights = tape.softmax(scores);
        tape.matmul(weights, v)
    }

    /// Fetches the head behind one, in this sequence or in the next: of each value its part, which is so many rows of a
    /// sequence and so many columns. Not where heads are long: the nearest cache holds what the present one reads, and no more.
    fn fetch_next(&self, s: usize, head: usize, values: &[(View<'_, T>, usize, usize)]) {
        let numbers = (self.queries.saturating_add(self.keys)).saturating_mul(self.width + self.out);
        let (s, head) = if head + 1 < self.heads { (s, head + 1) } else { (s + 1, 0) };
        if s < self.sequences && numbers.saturating_mul(size_of::<T>()) <= FETCHED {
            values.iter().for_each(|(x, rows, cols)| block::head_of(*x, s, *rows, head, *cols).fetch());
        }
    }

    /// Multiply-adds for one sequence and head, about.
    fn work(&self) -> usize {
        self.queries.saturating_mul(self.keys).saturating_mul(self.width + self.out)
    }

    /// Keys of sequence `s` that are no padding.
    fn keys_of(&self, lengths: &[u32], s: usize) -> usize {
        lengths.get(s).map_or(self.keys, |length| *length as usize)
    }
}

impl<T: Float> Operation<T> for ScaledDotProduct {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn forward(&self, cx: crate::tape::Forward<'_, T>) {
        forward::run(cx);
    }

    fn backward(&self, cx: crate::tape::Backward<'_, T>) {
        backward::run(cx);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        let sizes = Sizes::of(&cx.args(), cx.shape(0), cx.shape(1), cx.shape(2));
        let lengths = cx.indices();
        if sizes.sequences == 0 || sizes.queries == 0 {
            return;
        }
        // Behind a mask, numbers that are not finite must not meet its zeros: then each query is on its own, with what it sees.
        let one_by_one = sizes.causal
            && [cx.x(0), cx.x(1), cx.x(2), dy].iter().any(|x| cx.tape().some(*x, |x| !x.is_finite()));
        cx.through(|tape, x| {
            let mut sequences = Vec::new();
            for s in 0..sizes.sequences {
                let keys = sizes.keys_of(&lengths, s);
                let mut heads = Vec::new();
                for head in 0..sizes.heads {
                    heads.push(if one_by_one {
                        let rows = (0..sizes.queries)
                            .map(|i| sizes.head(tape, x, (s, head), i..i + 1, keys.min(i + 1)))
                            .collect();
                        tape.joined(rows, true)
                    } else {
                        sizes.head(tape, x, (s, head), 0..sizes.queries, keys)
                    });
                }
                sequences.push(tape.joined(heads, false));
            }
            tape.joined(sequences, true)
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        let causal = if args.scalars[1] == T::ZERO { "" } else { ", causal" };
        format!(" {}, {}{causal}", count(args.sizes[0], "sequence"), count(args.sizes[1], "head"))
    }
}
