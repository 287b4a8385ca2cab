//! Where a token stands in its sequence, as an angle.

use super::Op;
use super::positions::{check_sequences, frequency};
use crate::Float;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// # Rotary positions
/// For the queries and keys of attention.
impl<T: Float> Tape<T> {
    /// Turns each pair of columns 2i, 2i + 1 of each head by the angle t/`base`^(2i/d), where t is the position of the
    /// row in its sequence, and d the columns of a head: m×n. The rows of x are sequences of `length` tokens, one behind
    /// the other, and the columns `heads` heads side by side.
    ///
    /// Scores of queries and keys that were turned depend on how far apart the tokens are, and not on where they stand.
    /// Su et al., *RoFormer*, arXiv:2104.09864, section 3.2.2, with `base` 10,000. The angles are computed in `f64`.
    /// Backward: dX is dY, turned back.
    ///
    /// # Panics
    /// If m is no multiple of `length`, the heads do not divide n or have an odd number of columns, `base` is not
    /// positive and finite, or `x` is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.constant_slice(2, 2, &[1.0, 0.0, 1.0, 0.0]);
    /// let y = tape.rotary(x, 1, 2, 10_000.0);
    /// assert_eq!(tape.value_slice(y), [1.0, 0.0, 1f64.cos(), 1f64.sin()]);
    /// ```
    #[track_caller]
    pub fn rotary(&mut self, x: impl Into<Var>, heads: usize, length: usize, base: T) -> Var {
        let x = x.into();
        let shape = self.shape_for("rotary", x);
        check_sequences("rotary", x, shape, length);
        assert!(
            heads > 0 && heads.checked_mul(2).is_some_and(|halves| shape.cols.is_multiple_of(halves)),
            "rotary: {x} is {shape}, which are no {} of an even number of columns",
            count(heads, "head")
        );
        assert!(base > T::ZERO && base.is_finite(), "rotary: the base is {base}, not positive and finite");
        let args = Args { sizes: [length, shape.cols / heads], ..Args::scalar(base) };
        // Of no tokens, sequences may be of any length.
        let positions = if shape.rows == 0 { 0 } else { length };
        self.apply(Op::Rotary.get(), &[x], shape, args.saving(positions * (shape.cols / heads)))
    }
}

/// Saves cosine and sine of the angle of each position and pair.
pub(super) struct Rotary;

/// A stretch of tokens, all positions once, and where each of its pairs has its angle.
#[inline(always)]
fn pairs(stretch: usize, cols: usize, width: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..stretch).step_by(2).map(move |at| {
        let (t, column) = (at / cols, at % cols);
        (at, t * width + column % width)
    })
}

impl<T: Float> Operation<T> for Rotary {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, cols) = (cx.x(0), cx.y_shape().cols);
        let ([length, width], base) = (cx.args().sizes, cx.args().scalars[0].to_f64());
        let (y, turns) = cx.y_and_saved();
        for i in 0..width / 2 {
            let frequency = frequency(base, i, width);
            for (t, turns) in turns.chunks_mut(width).enumerate() {
                let angle = t as f64 * frequency;
                (turns[2 * i], turns[2 * i + 1]) = (T::of(Float::cos(angle)), T::of(Float::sin(angle)));
            }
        }
        let stretch = length.saturating_mul(cols);
        for (y, x) in y.chunks_mut(stretch.max(1)).zip(x.chunks(stretch.max(1))) {
            for (at, turn) in pairs(stretch, cols, width) {
                let (a, b, cos, sin) = (x[at], x[at + 1], turns[turn], turns[turn + 1]);
                (y[at], y[at + 1]) = (a * cos - b * sin, a * sin + b * cos);
            }
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, turns, cols) = (cx.dy(), cx.saved(), cx.y_shape().cols);
        let [length, width] = cx.args().sizes;
        let stretch = length.saturating_mul(cols);
        cx.add_at(0, |mut dx| {
            for (start, dy) in (0..).step_by(stretch.max(1)).zip(dy.chunks(stretch.max(1))) {
                let mut dx = dx.part(start, stretch);
                for (at, turn) in pairs(stretch, cols, width) {
                    let (a, b, cos, sin) = (dy[at], dy[at + 1], turns[turn], turns[turn + 1]);
                    dx.add(at, a * cos + b * sin);
                    dx.add(at + 1, b * cos - a * sin);
                }
            }
        });
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        // x ∘ cos + the other one of each pair ∘ ±sin.
        let ([length, width], turns, Shape { rows, cols }) = (cx.args().sizes, cx.saved(), cx.shape(0));
        let turn = |at: usize| (at / cols % length) * width + at % cols % width / 2 * 2;
        let cos: Vec<T> = (0..rows * cols).map(|at| turns[turn(at)]).collect();
        let sin: Vec<T> = (0..rows * cols)
            .map(|at| if at % 2 == 0 { -turns[turn(at) + 1] } else { turns[turn(at) + 1] })
            .collect();
        cx.through(|tape, x| {
            let pairs = tape.reshape(x[0], rows * cols / 2, 2);
            let (second, first) = (tape.slice_cols(pairs, 1..2), tape.slice_cols(pairs, 0..1));
            let exchanged = tape.concat_cols(&[second, first]);
            let exchanged = tape.reshape(exchanged, rows, cols);
            let (cos, sin) = (tape.constant_slice(rows, cols, &cos), tape.constant_slice(rows, cols, &sin));
            let (along, across) = (tape.mul(x[0], cos), tape.mul(exchanged, sin));
            tape.add(along, across)
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {} {}", args.sizes[0], args.scalars[0])
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients() {
        for (m, n, heads, length) in
            [(1, 2, 1, 1), (6, 4, 1, 3), (6, 8, 2, 2), (4, 6, 3, 4), (0, 4, 2, 3), (0, 4, 2, 0), (3, 0, 2, 3)]
        {
            check_op(&[filled(m, n)], |t, x| t.rotary(x[0], heads, length, 100.0));
        }
    }

    #[test]
    fn scores_depend_on_the_distance_alone() {
        let mut tape = Tape::new();
        // The same query and key at every position.
        let (q, k) = (filled(1, 6), filled(2, 6));
        let repeated = |row: &[f64]| -> Vec<f64> { row.iter().copied().cycle().take(9 * 6).collect() };
        let row = |m: &nalgebra::DMatrix<f64>, i: usize| -> Vec<f64> { m.row(i).iter().copied().collect() };
        let (q, k) = (repeated(&row(&q, 0)), repeated(&row(&k, 1)));
        let (q, k) = (tape.constant_slice(9, 6, &q), tape.constant_slice(9, 6, &k));
        let (q, k) = (tape.rotary(q, 1, 9, 50.0), tape.rotary(k, 1, 9, 50.0));
        let scores = tape.matmul_nt(q, k);
        let scores = tape.value(scores).to_dmatrix();
        for i in 1..9 {
            for j in 1..9 {
                assert!((scores[(i, j)] - scores[(i - 1, j - 1)]).abs() < 1e-14);
            }
        }
        assert!((scores[(0, 0)] - scores[(0, 3)]).abs() > 0.01);
    }

    #[test]
    fn pairs_are_complex_numbers_that_turn() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(4, 4));
        let y = tape.rotary(x, 1, 2, 10_000.0);
        let x = filled(4, 4);
        let found = tape.value(y).to_dmatrix();
        for row in 0..4 {
            for pair in 0..2 {
                let z = nalgebra::Complex::new(x[(row, 2 * pair)], x[(row, 2 * pair + 1)]);
                let angle = (row % 2) as f64 * 10_000f64.powf(-(pair as f64) / 2.0);
                let turned = z * nalgebra::Complex::from_polar(1.0, angle);
                assert!((found[(row, 2 * pair)] - turned.re).abs() < 1e-15);
                assert!((found[(row, 2 * pair + 1)] - turned.im).abs() < 1e-15);
            }
        }
    }

    #[test]
    #[should_panic(expected = "rotary: v0 is 2×6, which are no 2 heads of an even number of columns")]
    fn an_odd_head() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 6));
        tape.rotary(x, 2, 2, 10_000.0);
    }

    /// Twice as many are no number of theirs.
    #[test]
    #[should_panic(expected = "heads of an even number of columns")]
    fn more_heads_than_half_of_what_there_can_be() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 4));
        tape.rotary(x, usize::MAX / 2 + 2, 2, 10_000.0);
    }

    #[test]
    #[should_panic(expected = "rotary: v0 is 3×4, which are no sequences of 2 tokens each")]
    fn rows_that_are_no_sequences() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(3, 4));
        tape.rotary(x, 2, 2, 10_000.0);
    }

    #[test]
    #[should_panic(expected = "rotary: the base is 0, not positive and finite")]
    fn base_out_of_range() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 4));
        tape.rotary(x, 2, 2, 0.0);
    }

    #[test]
    fn any_length_of_no_tokens() {
        let mut tape = Tape::new();
        let x = tape.variable(&nalgebra::DMatrix::zeros(0, 4));
        let y = tape.rotary(x, 2, usize::MAX, 100.0);
        tape.backward_with(y, |_| ());
        assert_eq!(tape.shape(y).to_string(), "0×4");
    }
}
