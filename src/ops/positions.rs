//! Where a token stands in its sequence: vectors that are added.

use super::Op;
use crate::Float;
use crate::linalg::column_sums;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// # Positions
/// What tells tokens of a sequence apart that are equal.
impl<T: Float> Tape<T> {
    /// To each token of the sequences in x, m×d, the row of the table, p×d, for its position is added: m×d. The rows of
    /// x are sequences of `length` tokens, one behind the other; a table of more positions serves shorter ones.
    ///
    /// With a parameter as the table these are learnt positions (Gehring et al., *Convolutional Sequence to Sequence
    /// Learning*, arXiv:1705.03122, section 3.1).
    /// Backward: dX = dY, and row t of the table's gradient is the sum of dY over all sequences at position t.
    ///
    /// # Panics
    /// If the widths differ, m is no multiple of `length`, `length` is above p, or an operand is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let table = tape.param_slice(3, 1, &[10.0, 20.0, 30.0]);
    /// let x = tape.constant_slice(4, 1, &[1.0, 2.0, 3.0, 4.0]);
    /// let y = tape.add_positions(x, table, 2);
    /// assert_eq!(tape.value_slice(y), [11.0, 22.0, 13.0, 24.0]);
    /// ```
    #[track_caller]
    pub fn add_positions(&mut self, x: impl Into<Var>, table: impl Into<Var>, length: usize) -> Var {
        let (x, table) = (x.into(), table.into());
        let (shape, positions) = (self.shape_for("add_positions", x), self.shape_for("add_positions", table));
        assert!(
            shape.cols == positions.cols,
            "add_positions: {x} is {shape} but the table {table} is {positions}: the columns differ"
        );
        assert!(
            length <= positions.rows,
            "add_positions: a sequence of {} is longer than the {} of {table}",
            count(length, "token"),
            count(positions.rows, "position")
        );
        check_sequences("add_positions", x, shape, length);
        self.apply(Op::AddPositions.get(), &[x, table], shape, Args::size(length))
    }

    /// Appends a constant of `length`×`width`: row t holds sin(t/10000^(2i/width)) in column 2i, and the cosine of the
    /// same angle in column 2i + 1.
    ///
    /// Vaswani et al., *Attention Is All You Need*, arXiv:1706.03762, section 3.5. The angles are computed in `f64`.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let table = tape.sinusoidal_positions(2, 2);
    /// assert_eq!(tape.value_slice(table), [0.0, 1.0, 1f64.sin(), 1f64.cos()]);
    /// ```
    #[track_caller]
    pub fn sinusoidal_positions(&mut self, length: usize, width: usize) -> Var {
        self.constant_with(length, width, |to| fill_sinusoidal(to, width))
    }
}

/// The rows of [`Tape::sinusoidal_positions`].
pub(crate) fn fill_sinusoidal<T: Float>(to: &mut [T], width: usize) {
    for column in 0..width {
        let frequency = frequency(10_000.0, column / 2, width);
        for (t, row) in to.chunks_mut(width).enumerate() {
            let angle = t as f64 * frequency;
            row[column] = T::of(if column % 2 == 0 { Float::sin(angle) } else { Float::cos(angle) });
        }
    }
}

/// `base`^(−2i/width).
pub(super) fn frequency(base: f64, i: usize, width: usize) -> f64 {
    Float::powf(base, -2.0 * i as f64 / width as f64)
}

/// Whether the rows of x are sequences of `length` tokens.
#[track_caller]
pub(super) fn check_sequences(op: &str, x: Var, shape: Shape, length: usize) {
    let whole = if length == 0 { shape.rows == 0 } else { shape.rows.is_multiple_of(length) };
    assert!(whole, "{op}: {x} is {shape}, which are no sequences of {} each", count(length, "token"));
}

pub(super) struct AddPositions;
impl<T: Float> Operation<T> for AddPositions {
    fn name(&self) -> &'static str {
        "add_positions"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let stretch = cx.args().sizes[0] * cx.y_shape().cols;
        if stretch == 0 {
            return;
        }
        let (x, table) = (cx.x(0), &cx.x(1)[..stretch]);
        for (y, x) in cx.y().chunks_mut(stretch).zip(x.chunks(stretch)) {
            y.iter_mut().zip(x).zip(table).for_each(|((y, x), table)| *y = *x + *table);
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, stretch) = (cx.dy(), cx.args().sizes[0] * cx.y_shape().cols);
        cx.add_map(0, dy, |dy| dy);
        let Some(mut dtable) = cx.sum(1) else { return };
        column_sums(
            dy.len(),
            stretch,
            #[inline(always)]
            |start, part| part.iter_mut().zip(&dy[start..]).for_each(|(sum, dy)| *sum += *dy),
            |column, sums| dtable.part(column, sums.len()).add_slice(sums),
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (length, rows) = (cx.args().sizes[0], cx.shape(0).rows);
        let places: Vec<usize> = (0..rows).map(|row| row % length).collect();
        cx.through(|tape, x| {
            let added = tape.gather_rows(x[1], &places);
            tape.add(x[0], added)
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {}", args.sizes[0])
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients() {
        for (m, length, p, d) in
            [(1, 1, 1, 1), (6, 3, 3, 4), (6, 2, 5, 3), (0, 3, 4, 2), (0, 0, 0, 2), (4, 2, 2, 0)]
        {
            check_op(&[filled(m, d), filled(p, d)], |t, x| t.add_positions(x[0], x[1], length));
        }
        check_op(&[filled(3, 2)], |t, x| t.add_positions(x[0], x[0], 3));
    }

    #[test]
    fn sines_and_cosines() {
        // NumPy: sin and cos of 7/10000**(2*i/6) for i in 0, 1, 2.
        let mut tape = Tape::new();
        let table = tape.sinusoidal_positions(8, 6);
        let expected = [
            0.6569865987187891,
            0.7539022543433046,
            0.31922465060631494,
            0.9476790714399449,
            0.015080471170057421,
            0.9998862832288925,
        ];
        let close = |found: &[f64]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15);
        assert!(close(&tape.value_slice(table)[7 * 6..]), "{:?}", &tape.value_slice(table)[42..]);
        let odd = tape.sinusoidal_positions(3, 5);
        let angle = 2.0 / 10_000f64.powf(0.8);
        assert!((tape.value(odd)[(2, 4)] - angle.sin()).abs() < 1e-15);
        let none = tape.sinusoidal_positions(3, 0);
        assert_eq!(tape.shape(none).to_string(), "3×0");
    }

    #[test]
    #[should_panic(expected = "add_positions: a sequence of 4 tokens is longer than the 3 positions of v1")]
    fn a_sequence_longer_than_the_positions() {
        let mut tape = Tape::new();
        let (x, table) = (tape.constant(&filled(4, 2)), tape.constant(&filled(3, 2)));
        tape.add_positions(x, table, 4);
    }

    #[test]
    #[should_panic(expected = "add_positions: v0 is 5×2, which are no sequences of 3 tokens each")]
    fn rows_that_are_no_sequences() {
        let mut tape = Tape::new();
        let (x, table) = (tape.constant(&filled(5, 2)), tape.constant(&filled(3, 2)));
        tape.add_positions(x, table, 3);
    }

    #[test]
    #[should_panic(expected = "add_positions: v0 is 3×2 but the table v1 is 3×4: the columns differ")]
    fn widths_that_differ() {
        let mut tape = Tape::new();
        let (x, table) = (tape.constant(&filled(3, 2)), tape.constant(&filled(3, 4)));
        tape.add_positions(x, table, 3);
    }
}
