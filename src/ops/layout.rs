//! The same entries in another shape.

use super::Op;
use crate::Float;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// # Shapes
/// The same entries in another shape or order.
impl<T: Float> Tape<T> {
    /// The transpose of m×n: n×m, yⱼᵢ = xᵢⱼ. Before a product, [`matmul_nt`](Tape::matmul_nt) and
    /// [`matmul_tn`](Tape::matmul_tn) do without the copy.
    ///
    /// Backward: dX = dYᵀ.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn transpose(&mut self, x: impl Into<Var>) -> Var {
        let x = x.into();
        let shape = self.shape_for("transpose", x);
        self.apply(Op::Transpose.get(), &[x], shape.t(), Args::NONE)
    }

    /// The entries of `x` in the same order, row by row, as `rows`×`cols`.
    ///
    /// Backward: dY in the shape of x.
    ///
    /// # Panics
    /// If `x` is stale, or the number of entries differs.
    #[track_caller]
    pub fn reshape(&mut self, x: impl Into<Var>, rows: usize, cols: usize) -> Var {
        let x = x.into();
        let (from, to) = (self.shape_for("reshape", x), Shape::new(rows, cols));
        assert!(
            from.numel() == to.numel(),
            "reshape: {x} is {from} but the new shape is {to} ({} ≠ {})",
            from.numel(),
            count(to.numel(), "entry")
        );
        self.apply(Op::Reshape.get(), &[x], to, Args::NONE)
    }
}

/// Visits all entries in squares of 16×16, so that of both matrices a few cache lines are in use.
#[inline(always)]
fn in_tiles(shape: Shape, mut visit: impl FnMut(usize, usize)) {
    const TILE: usize = 16;
    for top in (0..shape.rows).step_by(TILE) {
        for left in (0..shape.cols).step_by(TILE) {
            for i in top..(top + TILE).min(shape.rows) {
                for j in left..(left + TILE).min(shape.cols) {
                    visit(i, j);
                }
            }
        }
    }
}

pub(super) struct Transpose;
impl<T: Float> Operation<T> for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        let y = cx.y();
        in_tiles(shape, |i, j| y[j * shape.rows + i] = x[i * shape.cols + j]);
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, shape) = (cx.dy(), cx.shape(0));
        cx.add_at(0, |mut dx| {
            in_tiles(shape, |i, j| dx.add(i * shape.cols + j, dy[j * shape.rows + i]));
        });
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        cx.add_with(0, |tape| tape.transpose(dy));
    }
}

pub(super) struct Reshape;
impl<T: Float> Operation<T> for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let x = cx.x(0);
        cx.y().copy_from_slice(x);
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let dy = cx.dy();
        cx.add_map(0, dy, |dy| dy);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        let Shape { rows, cols } = cx.shape(0);
        cx.add_with(0, |tape| tape.reshape(dy, rows, cols));
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients() {
        for (m, n) in [(1, 1), (3, 4), (17, 5), (2, 33), (0, 3), (2, 0)] {
            check_op(&[filled(m, n)], |t, x| t.transpose(x[0]));
            check_op(&[filled(m, n)], |t, x| t.reshape(x[0], n, m));
        }
        check_op(&[filled(4, 3)], |t, x| t.reshape(x[0], 2, 6));
    }

    #[test]
    fn values() {
        let mut tape = Tape::new();
        let matrix = filled(37, 18);
        let x = tape.constant(&matrix);
        let y = tape.transpose(x);
        assert_eq!(tape.value(y), matrix.transpose());
        let y = tape.reshape(x, 18, 37);
        assert_eq!(tape.value_slice(y), tape.value_slice(x));
    }

    #[test]
    #[should_panic(expected = "reshape: v0 is 2×3 but the new shape is 2×2 (6 ≠ 4 entries)")]
    fn other_number_of_entries() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 3));
        tape.reshape(x, 2, 2);
    }
}
