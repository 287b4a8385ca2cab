//! Several matrices below or beside each other.

use std::ops::Range;

use super::Op;
use crate::Float;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// # Joining
/// Several matrices below or beside each other.
impl<T: Float> Tape<T> {
    /// The operands below each other: m₁×n, m₂×n, … give (m₁ + m₂ + …)×n.
    ///
    /// Backward: each operand gets its rows of dY.
    ///
    /// # Panics
    /// If there is no operand, or more than 65 535, one is stale, or their columns differ.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let a = tape.constant_slice(1, 2, &[1.0, 2.0]);
    /// let b = tape.constant_slice(2, 2, &[3.0, 4.0, 5.0, 6.0]);
    /// let y = tape.concat_rows(&[a, b]);
    /// assert_eq!(tape.value_slice(y), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn concat_rows(&mut self, parts: &[Var]) -> Var {
        let cols = self.first_shape("concat_rows", parts).cols;
        let mut rows = 0;
        for part in parts {
            let shape = self.shape_for("concat_rows", *part);
            assert!(
                shape.cols == cols,
                "concat_rows: {} has {} but {part} is {shape}",
                parts[0],
                count(cols, "column")
            );
            rows += shape.rows;
        }
        self.apply(Op::ConcatRows.get(), parts, Shape::new(rows, cols), Args::NONE)
    }

    /// The operands beside each other: m×n₁, m×n₂, … give m×(n₁ + n₂ + …).
    ///
    /// Backward: each operand gets its columns of dY.
    ///
    /// # Panics
    /// If there is no operand, or more than 65 535, one is stale, or their rows differ.
    #[track_caller]
    pub fn concat_cols(&mut self, parts: &[Var]) -> Var {
        let rows = self.first_shape("concat_cols", parts).rows;
        let mut cols = 0;
        for part in parts {
            let shape = self.shape_for("concat_cols", *part);
            assert!(
                shape.rows == rows,
                "concat_cols: {} has {} but {part} is {shape}",
                parts[0],
                count(rows, "row")
            );
            cols += shape.cols;
        }
        self.apply(Op::ConcatCols.get(), parts, Shape::new(rows, cols), Args::NONE)
    }

    #[track_caller]
    fn first_shape(&self, op: &str, parts: &[Var]) -> Shape {
        let Some(first) = parts.first() else { panic!("{op}: there is nothing to concatenate") };
        self.shape_for(op, *first)
    }
}

pub(super) struct ConcatRows;
impl<T: Float> Operation<T> for ConcatRows {
    fn name(&self) -> &'static str {
        "concat_rows"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let mut start = 0;
        for k in 0..cx.inputs() {
            let x = cx.x(k);
            cx.y()[start..start + x.len()].copy_from_slice(x);
            start += x.len();
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let mut rest = cx.dy();
        for k in 0..cx.inputs() {
            let (dy, behind) = rest.split_at(cx.shape(k).numel());
            cx.add_map(k, dy, |dy| dy);
            rest = behind;
        }
    }

    fn record(&self, cx: Recorder<'_, T>) {
        record_parts(cx, |shape| shape.rows, |tape, dy, part| tape.slice_rows(dy, part));
    }
}

pub(super) struct ConcatCols;
impl<T: Float> Operation<T> for ConcatCols {
    fn name(&self) -> &'static str {
        "concat_cols"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let cols = cx.y_shape().cols;
        let mut left = 0;
        for k in 0..cx.inputs() {
            let (x, width) = (cx.x(k), cx.shape(k).cols);
            if width == 0 {
                continue;
            }
            for (y, x) in cx.y().chunks_mut(cols).zip(x.chunks(width)) {
                y[left..left + width].copy_from_slice(x);
            }
            left += width;
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, cols) = (cx.dy(), cx.y_shape().cols);
        let mut left = 0;
        for k in 0..cx.inputs() {
            let width = cx.shape(k).cols;
            cx.add_rows(
                k,
                #[inline(always)]
                |i, mut dx| dx.add_slice(&dy[i * cols + left..][..width]),
            );
            left += width;
        }
    }

    fn record(&self, cx: Recorder<'_, T>) {
        record_parts(cx, |shape| shape.cols, |tape, dy, part| tape.slice_cols(dy, part));
    }
}

/// Each operand gets its part of dy.
fn record_parts<T: Float>(
    mut cx: Recorder<'_, T>,
    length: impl Fn(Shape) -> usize,
    slice: impl Fn(&mut Tape<T>, Var, Range<usize>) -> Var,
) {
    let (dy, mut start) = (cx.dy(), 0);
    for k in 0..cx.inputs() {
        let part = start..start + length(cx.shape(k));
        start = part.end;
        cx.add_with(k, |tape| slice(tape, dy, part));
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients() {
        for (m, n) in [(1, 1), (3, 4), (0, 3), (2, 0)] {
            check_op(&[filled(m, n)], |t, x| t.concat_rows(x));
            check_op(&[filled(m, n)], |t, x| t.concat_cols(x));
            for other in [0, 1, 5] {
                check_op(&[filled(m, n), filled(other, n)], |t, x| t.concat_rows(x));
                check_op(&[filled(m, n), filled(m, other), filled(m, 2)], |t, x| t.concat_cols(x));
            }
            check_op(&[filled(m, n)], |t, x| t.concat_rows(&[x[0], x[0]]));
            check_op(&[filled(m, n)], |t, x| t.concat_cols(&[x[0], x[0]]));
        }
    }

    #[test]
    fn values() {
        let mut tape = Tape::new();
        let a = tape.constant_slice(2, 1, &[1.0, 2.0]);
        let b = tape.constant_slice(2, 2, &[3.0, 4.0, 5.0, 6.0]);
        let y = tape.concat_cols(&[a, b]);
        assert_eq!(tape.value_slice(y), [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
    }

    #[test]
    #[should_panic(expected = "concat_rows: v0 has 3 columns but v1 is 3×2")]
    fn columns_that_differ() {
        let mut tape = Tape::new();
        let parts = [tape.constant(&filled(2, 3)), tape.constant(&filled(3, 2))];
        tape.concat_rows(&parts);
    }

    #[test]
    #[should_panic(expected = "concat_cols: v0 has 2 rows but v1 is 3×2")]
    fn rows_that_differ() {
        let mut tape = Tape::new();
        let parts = [tape.constant(&filled(2, 3)), tape.constant(&filled(3, 2))];
        tape.concat_cols(&parts);
    }

    #[test]
    #[should_panic(expected = "concat_cols: there is nothing to concatenate")]
    fn no_operands() {
        Tape::new().concat_cols(&[]);
    }
}
