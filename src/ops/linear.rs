//! The affine map of a layer, in one node.

use super::Op;
use crate::Float;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Affine maps
/// A product and a row of biases.
impl<T: Float> Tape<T> {
    /// X·W + b of m×k, k×n and the row b, 1×n, which is added to every row: m×n.
    ///
    /// The same as `matmul` and `add`, without the value in between.
    /// Backward: dX = dY·Wᵀ, dW = Xᵀ·dY, db = Σ of the rows of dY.
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    #[track_caller]
    pub fn linear(&mut self, x: impl Into<Var>, w: impl Into<Var>, b: impl Into<Var>) -> Var {
        let (x, w, b) = (x.into(), w.into(), b.into());
        let (sx, sw) = (self.shape_for("linear", x), self.shape_for("linear", w));
        let sb = self.shape_for("linear", b);
        assert!(
            sx.cols == sw.rows && sb == Shape::new(1, sw.cols),
            "linear: {x} is {sx}, the weights {w} are {sw}, the bias {b} is {sb} (expected m×k, k×n, 1×n)"
        );
        self.apply(Op::Linear.get(), &[x, w, b], Shape::new(sx.rows, sw.cols), Args::NONE)
    }
}

pub(super) struct Linear;
impl<T: Float> Operation<T> for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, w, b) = (cx.x_mat(0), cx.x_mat(1), cx.x(2));
        if b.is_empty() {
            return;
        }
        cx.affine(b, x, w);
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (x, w, dy) = (cx.x_mat(0), cx.x_mat(1), cx.dy_mat());
        cx.add_matmul(0, dy, w.t());
        cx.add_matmul(1, x.t(), dy);
        let dy = cx.dy();
        cx.add_column_sums(
            2,
            dy.len(),
            #[inline(always)]
            |start, part| part.iter_mut().zip(&dy[start..]).for_each(|(sum, dy)| *sum += *dy),
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (a, b, dy) = (cx.x(0), cx.x(1), cx.dy());
        cx.add_with(0, |tape| tape.matmul_nt(dy, b));
        cx.add_with(1, |tape| tape.matmul_tn(a, dy));
        cx.add_with(2, |tape| tape.sum_rows(dy));
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients() {
        for (m, k, n) in [(1, 1, 1), (4, 3, 2), (0, 2, 3), (3, 0, 2), (2, 3, 0)] {
            check_op(&[filled(m, k), filled(k, n), filled(1, n)], |t, x| t.linear(x[0], x[1], x[2]));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn the_bias_of_many_rows_keeps_its_digits() {
        // So many rows side by side; see the test of the same kind in arithmetic.rs.
        for (m, n, side_by_side) in [(1_000_000, 1, 128), (100_000, 3, 42), (10_000, 200, 1)] {
            let additions = 64 + side_by_side + m / (64 * side_by_side);
            let bound = additions as f32 * f32::EPSILON / 2.0;
            let mut tape = Tape::<f32>::default();
            let (x, w) = (tape.constant_with(m, 1, |_| ()), tape.constant_with(1, n, |_| ()));
            let b = tape.variable_slice(1, n, &vec![0.0; n]);
            let y = tape.linear(x, w, b);
            tape.backward_with(y, |dy| dy.fill(0.1));
            for db in tape.grad_slice(b) {
                assert!((db / (0.1 * m as f32) - 1.0).abs() < bound, "{m}×{n}: {db}");
            }
        }
    }

    #[test]
    fn is_matmul_and_add() {
        let mut tape = Tape::new();
        let (x, w, b) = (filled(4, 3), filled(3, 2), filled(1, 2));
        let (x, w, b) = (tape.constant(&x), tape.constant(&w), tape.constant(&b));
        let fused = tape.linear(x, w, b);
        let product = tape.matmul(x, w);
        let plain = tape.add(product, b);
        assert!((tape.value(fused).to_dmatrix() - tape.value(plain).to_dmatrix()).abs().max() < 1e-15);
    }

    #[test]
    #[should_panic(expected = "linear: v0 is 4×3, the weights v1 are 3×2, the bias v2 is 2×1")]
    fn shapes_that_do_not_fit() {
        let mut tape = Tape::new();
        let (x, w, b) = (filled(4, 3), filled(3, 2), filled(2, 1));
        let (x, w, b) = (tape.constant(&x), tape.constant(&w), tape.constant(&b));
        tape.linear(x, w, b);
    }
}
