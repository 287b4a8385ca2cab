//! Some of the rows or columns of a matrix.

use std::ops::Range;

use super::Op;
use crate::Float;
use crate::linalg::simd::vectorize;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// # Parts
/// Rows and columns, by range or by index.
impl<T: Float> Tape<T> {
    /// The rows `range` of m×n: one row per number in the range.
    ///
    /// Backward: these rows of dX get dY, the others nothing.
    ///
    /// # Panics
    /// If `x` is stale, or the range does not lie in 0..m.
    #[track_caller]
    pub fn slice_rows(&mut self, x: impl Into<Var>, range: Range<usize>) -> Var {
        let x = x.into();
        let shape = self.shape_for("slice_rows", x);
        check_range("slice_rows", x, shape, &range, shape.rows, "row");
        let args = Args { sizes: [range.start, range.end], ..Args::NONE };
        self.apply(Op::SliceRows.get(), &[x], Shape::new(range.len(), shape.cols), args)
    }

    /// The columns `range` of m×n: one column per number in the range.
    ///
    /// Backward: these columns of dX get dY, the others nothing.
    ///
    /// # Panics
    /// If `x` is stale, or the range does not lie in 0..n.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.constant_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    /// let y = tape.slice_cols(x, 1..3);
    /// assert_eq!(tape.value_slice(y), [2.0, 3.0, 5.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn slice_cols(&mut self, x: impl Into<Var>, range: Range<usize>) -> Var {
        let x = x.into();
        let shape = self.shape_for("slice_cols", x);
        check_range("slice_cols", x, shape, &range, shape.cols, "column");
        let args = Args { sizes: [range.start, range.end], ..Args::NONE };
        self.apply(Op::SliceCols.get(), &[x], Shape::new(shape.rows, range.len()), args)
    }

    /// The rows of m×n with the numbers `indices`, k of them: k×n. This is the lookup of an embedding.
    ///
    /// A row may be asked for several times; its gradient is then the sum.
    /// Backward: row indicesᵢ of dX gets row i of dY.
    ///
    /// # Panics
    /// If `x` is stale, or an index is not below m.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let table = tape.param_slice(3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    /// let y = tape.gather_rows(table, &[2, 0, 2]);
    /// assert_eq!(tape.value_slice(y), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
    /// tape.backward_with(y, |dy| dy.fill(1.0));
    /// assert_eq!(tape.grad_slice(table), [1.0, 1.0, 0.0, 0.0, 2.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn gather_rows(&mut self, x: impl Into<Var>, indices: &[usize]) -> Var {
        let x = x.into();
        let shape = self.shape_for("gather_rows", x);
        if let Some(i) = indices.iter().position(|&index| index >= shape.rows) {
            panic!(
                "gather_rows: index {} at {i} is not below the {} of {x}",
                indices[i],
                count(shape.rows, "row")
            );
        }
        let to = Shape::new(indices.len(), shape.cols);
        self.apply_indexed(
            Op::GatherRows.get(),
            &[x],
            to,
            Args::NONE,
            indices.iter().map(|&index| index as u32),
        )
    }

    /// The reverse of [`gather_rows`](Tape::gather_rows): row i of k×n is added to row `indices`ᵢ of `rows`×n, which are
    /// zeros before. A row that nothing is added to is 0.
    ///
    /// Backward: row i of dX is row indicesᵢ of dY.
    ///
    /// # Panics
    /// If `x` is stale, there is not an index for each of its rows, or one is not below `rows`.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.constant_slice(3, 1, &[1.0, 2.0, 3.0]);
    /// let y = tape.scatter_rows(x, &[2, 0, 2], 4);
    /// assert_eq!(tape.value_slice(y), [2.0, 0.0, 4.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn scatter_rows(&mut self, x: impl Into<Var>, indices: &[usize], rows: usize) -> Var {
        let x = x.into();
        let shape = self.shape_for("scatter_rows", x);
        assert!(
            indices.len() == shape.rows,
            "scatter_rows: {x} is {shape}, which takes {} indices, not {}",
            shape.rows,
            indices.len()
        );
        if let Some(i) = indices.iter().position(|&index| index >= rows) {
            panic!(
                "scatter_rows: index {} at {i} is not below the {} of the result",
                indices[i],
                count(rows, "row")
            );
        }
        self.apply_indexed(
            Op::ScatterRows.get(),
            &[x],
            Shape::new(rows, shape.cols),
            Args::NONE,
            indices.iter().map(|&index| index as u32),
        )
    }
}

#[track_caller]
fn check_range(op: &str, x: Var, shape: Shape, range: &Range<usize>, len: usize, what: &str) {
    assert!(
        range.start <= range.end && range.end <= len,
        "{op}: {x} is {shape}, and {range:?} does not lie in its {}",
        count(len, what)
    );
}

fn describe_range<T: Float>(args: &Args<T>) -> String {
    format!(" {}..{}", args.sizes[0], args.sizes[1])
}

pub(super) struct SliceRows;
impl<T: Float> Operation<T> for SliceRows {
    fn name(&self) -> &'static str {
        "slice_rows"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let start = cx.args().sizes[0] * cx.y_shape().cols;
        let x = &cx.x(0)[start..][..cx.y_shape().numel()];
        cx.y().copy_from_slice(x);
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let dy = cx.dy();
        let start = cx.args().sizes[0] * cx.y_shape().cols;
        cx.add_at(0, |mut dx| dx.part(start, dy.len()).add_slice(dy));
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        cx.add_to_rows(0, cx.args().sizes[0], dy);
    }

    fn describe(&self, args: &Args<T>) -> String {
        describe_range(args)
    }
}

pub(super) struct SliceCols;
impl<T: Float> Operation<T> for SliceCols {
    fn name(&self) -> &'static str {
        "slice_cols"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, cols, left) = (cx.x(0), cx.shape(0).cols, cx.args().sizes[0]);
        let width = cx.y_shape().cols;
        for (i, y) in cx.y().chunks_mut(width.max(1)).enumerate() {
            y.copy_from_slice(&x[i * cols + left..][..width]);
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, cols, left) = (cx.dy(), cx.shape(0).cols, cx.args().sizes[0]);
        let width = cx.y_shape().cols;
        cx.add_at(0, |mut dx| {
            for (i, dy) in dy.chunks(width.max(1)).enumerate() {
                dx.part(i * cols + left, width).add_slice(dy);
            }
        });
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        cx.add_to_cols(0, cx.args().sizes[0], dy);
    }

    fn describe(&self, args: &Args<T>) -> String {
        describe_range(args)
    }
}

pub(super) struct GatherRows;
impl<T: Float> Operation<T> for GatherRows {
    fn name(&self) -> &'static str {
        "gather_rows"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, indices, cols) = (cx.x(0), cx.indices(), cx.y_shape().cols);
        for (y, &index) in cx.y().chunks_mut(cols.max(1)).zip(indices) {
            y.copy_from_slice(&x[index as usize * cols..][..cols]);
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let indices = cx.indices();
        add_to_rows(&mut cx, indices.len(), |i| indices[i] as usize);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        let (rows, indices) = (cx.shape(0).rows, cx.indices());
        cx.add_with(0, |tape| {
            tape.scatter_rows(dy, &indices.iter().map(|index| *index as usize).collect::<Vec<_>>(), rows)
        });
    }
}

pub(super) struct ScatterRows;
impl<T: Float> Operation<T> for ScatterRows {
    fn name(&self) -> &'static str {
        "scatter_rows"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, indices, cols) = (cx.x(0), cx.indices(), cx.y_shape().cols);
        let y = cx.y();
        y.fill(T::ZERO);
        for (x, &index) in x.chunks(cols.max(1)).zip(indices) {
            let y = &mut y[index as usize * cols..][..cols];
            y.iter_mut().zip(x).for_each(|(y, x)| *y += *x);
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, indices, cols) = (cx.dy(), cx.indices(), cx.y_shape().cols);
        cx.add_rows(
            0,
            #[inline(always)]
            |i, mut dx| dx.add_slice(&dy[indices[i] as usize * cols..][..cols]),
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        let indices: Vec<usize> = cx.indices().iter().map(|index| *index as usize).collect();
        cx.add_with(0, |tape| tape.gather_rows(dy, &indices));
    }
}

/// Row i of dY is added to row `row(i)` of the gradient of input 0, for all `count` of them, in one order.
pub(super) fn add_to_rows<T: Float>(cx: &mut Backward<'_, T>, count: usize, row: impl Fn(usize) -> usize) {
    let (dy, cols) = (cx.dy(), cx.y_shape().cols);
    if cols == 0 {
        return;
    }
    if count <= FEW {
        return cx.add_at(0, |mut dx| {
            for (i, dy) in dy.chunks(cols).enumerate() {
                dx.part(row(i) * cols, cols).add_slice(dy);
            }
        });
    }
    // A row may be asked for many times, and a running sum of so many terms loses its digits: blocks of about
    // √n of them are added up first.
    let Some((mut dx, zeros)) = cx.sum_and_zeros(0) else { return };
    let block = count.isqrt();
    vectorize(
        dy.len(),
        #[inline(always)]
        || {
            for (first, dy) in (0..count).step_by(block).zip(dy.chunks(block * cols)) {
                for (i, dy) in (first..).zip(dy.chunks(cols)) {
                    let sums = &mut zeros[row(i) * cols..][..cols];
                    sums.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += *dy);
                }
                for i in first..count.min(first + block) {
                    let start = row(i) * cols;
                    let sums = &mut zeros[start..][..cols];
                    dx.part(start, cols).add_slice(sums);
                    // A row that comes again in this block adds nothing the second time.
                    sums.fill(T::ZERO);
                }
            }
        },
    );
}

/// So many terms may be a running sum.
const FEW: usize = 4096;

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients_of_slices() {
        for range in [0..4, 0..1, 1..3, 3..4, 2..2, 4..4] {
            for n in [1, 3, 0] {
                check_op(&[filled(4, n)], |t, x| t.slice_rows(x[0], range.clone()));
                check_op(&[filled(n, 4)], |t, x| t.slice_cols(x[0], range.clone()));
            }
        }
        check_op(&[filled(0, 3)], |t, x| t.slice_rows(x[0], 0..0));
        // Overlapping slices of one matrix add up.
        check_op(&[filled(4, 3)], |t, x| {
            let (a, b) = (t.slice_rows(x[0], 0..3), t.slice_rows(x[0], 1..4));
            t.mul(a, b)
        });
    }

    #[test]
    fn gradients_of_gathered_rows() {
        for indices in [&[0usize, 2, 1][..], &[2, 2, 2, 0], &[1], &[]] {
            check_op(&[filled(3, 4)], |t, x| t.gather_rows(x[0], indices));
            check_op(&[filled(3, 1)], |t, x| t.gather_rows(x[0], indices));
            check_op(&[filled(3, 0)], |t, x| t.gather_rows(x[0], indices));
        }
        check_op(&[filled(0, 3)], |t, x| t.gather_rows(x[0], &[]));
    }

    #[test]
    fn gradients_of_scattered_rows() {
        for (indices, rows) in [(&[0usize, 2, 1][..], 3), (&[2, 2, 2, 0], 5), (&[1], 2), (&[], 2), (&[], 0)] {
            for cols in [4, 1, 0] {
                check_op(&[filled(indices.len(), cols)], |t, x| t.scatter_rows(x[0], indices, rows));
            }
        }
        // What is gathered and scattered is the number of times that each row was asked for, times the row.
        let mut tape = Tape::new();
        let x = tape.constant_slice(3, 1, &[1.0, 10.0, 100.0]);
        let gathered = tape.gather_rows(x, &[2, 0, 2]);
        let y = tape.scatter_rows(gathered, &[2, 0, 2], 3);
        assert_eq!(tape.value_slice(y), [1.0, 0.0, 200.0]);
    }

    #[test]
    #[should_panic(expected = "scatter_rows: index 3 at 1 is not below the 3 rows of the result")]
    fn scattered_out_of_range() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 2));
        tape.scatter_rows(x, &[0, 3], 3);
    }

    #[test]
    #[should_panic(expected = "scatter_rows: v0 is 2×2, which takes 2 indices, not 1")]
    fn scattered_without_an_index() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 2));
        tape.scatter_rows(x, &[0], 3);
    }

    #[test]
    fn the_range_is_shown() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(4, 2));
        tape.slice_rows(x, 1..3);
        assert!(tape.to_string().contains("v1: 2×2 = slice_rows v0 1..3\n"), "{tape}");
    }

    #[test]
    #[should_panic(expected = "slice_rows: v0 is 4×2, and 3..5 does not lie in its 4 rows")]
    fn rows_out_of_range() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(4, 2));
        tape.slice_rows(x, 3..5);
    }

    #[test]
    #[should_panic(expected = "slice_cols: v0 is 4×2, and 2..1 does not lie in its 2 columns")]
    #[expect(clippy::reversed_empty_ranges, reason = "the mistake under test")]
    fn a_reversed_range() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(4, 2));
        tape.slice_cols(x, 2..1);
    }

    #[test]
    #[should_panic(expected = "gather_rows: index 4 at 1 is not below the 4 rows of v0")]
    fn index_out_of_range() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(4, 2));
        tape.gather_rows(x, &[0, 4]);
    }

    /// One row asked for by all: a running sum in `f32` is off by 6 per cent at 2²³ terms.
    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn a_row_that_is_gathered_often_keeps_its_digits() {
        for n in [60_000, 1 << 22] {
            let mut tape = Tape::<f32>::default();
            let x = tape.variable_slice(2, 2, &[0.0; 4]);
            let mut indices = vec![1; n];
            indices[n / 2] = 0;
            let y = tape.gather_rows(x, &indices);
            for _ in 0..2 {
                tape.backward_with(y, |dy| dy.fill(0.1));
                let right = 0.1f32 as f64 * (n - 1) as f64;
                assert_eq!(tape.grad_slice(x)[..2], [0.1, 0.1]);
                for found in &tape.grad_slice(x)[2..] {
                    let error = f64::from(*found) / right - 1.0;
                    assert!(error.abs() < 1e-4, "{n}: {error:e}");
                }
            }
        }
    }
}
