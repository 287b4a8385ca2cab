//! Matrix products, with either side transposed.

use super::Op;
use crate::Float;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Products of matrices
/// With either side transposed.
impl<T: Float> Tape<T> {
    /// A·B of m×k and k×n: m×n.
    ///
    /// Backward: dA = dY·Bᵀ, dB = Aᵀ·dY.
    ///
    /// # Panics
    /// If the inner dimensions differ, or an operand is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let a = tape.constant_slice(1, 2, &[1.0, 2.0]);
    /// let b = tape.constant_slice(2, 1, &[3.0, 4.0]);
    /// let y = tape.matmul(a, b);
    /// assert_eq!(tape.item(y), 11.0);
    /// ```
    #[track_caller]
    pub fn matmul(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        let (a, b) = (a.into(), b.into());
        let (sa, sb) = (self.shape_for("matmul", a), self.shape_for("matmul", b));
        assert!(sa.cols == sb.rows, "matmul: {a} is {sa} but {b} is {sb} ({} ≠ {})", sa.cols, sb.rows);
        self.apply(Op::Matmul.get(), &[a, b], Shape::new(sa.rows, sb.cols), Args::NONE)
    }

    /// A·Bᵀ of m×k and n×k: m×n. Nothing is copied to transpose.
    ///
    /// Backward: dA = dY·B, dB = dYᵀ·A.
    ///
    /// # Panics
    /// If the inner dimensions differ, or an operand is stale.
    #[track_caller]
    pub fn matmul_nt(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        let (a, b) = (a.into(), b.into());
        let (sa, sb) = (self.shape_for("matmul_nt", a), self.shape_for("matmul_nt", b));
        assert!(
            sa.cols == sb.cols,
            "matmul_nt: {a} is {sa} but {b}, to be transposed, is {sb} ({} ≠ {})",
            sa.cols,
            sb.cols
        );
        self.apply(Op::MatmulNt.get(), &[a, b], Shape::new(sa.rows, sb.rows), Args::NONE)
    }

    /// Aᵀ·B of k×m and k×n: m×n. Nothing is copied to transpose.
    ///
    /// Backward: dA = B·dYᵀ, dB = A·dY.
    ///
    /// # Panics
    /// If the inner dimensions differ, or an operand is stale.
    #[track_caller]
    pub fn matmul_tn(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        let (a, b) = (a.into(), b.into());
        let (sa, sb) = (self.shape_for("matmul_tn", a), self.shape_for("matmul_tn", b));
        assert!(
            sa.rows == sb.rows,
            "matmul_tn: {a}, to be transposed, is {sa} but {b} is {sb} ({} ≠ {})",
            sa.rows,
            sb.rows
        );
        self.apply(Op::MatmulTn.get(), &[a, b], Shape::new(sa.cols, sb.cols), Args::NONE)
    }
}

pub(super) struct Matmul;
impl<T: Float> Operation<T> for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        cx.matmul(false, cx.x_mat(0), cx.x_mat(1));
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (a, b, dy) = (cx.x_mat(0), cx.x_mat(1), cx.dy_mat());
        cx.add_matmul(0, dy, b.t());
        cx.add_matmul(1, a.t(), dy);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (a, b, dy) = (cx.x(0), cx.x(1), cx.dy());
        cx.add_with(0, |tape| tape.matmul_nt(dy, b));
        cx.add_with(1, |tape| tape.matmul_tn(a, dy));
    }
}

pub(super) struct MatmulNt;
impl<T: Float> Operation<T> for MatmulNt {
    fn name(&self) -> &'static str {
        "matmul_nt"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        cx.matmul(false, cx.x_mat(0), cx.x_mat(1).t());
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (a, b, dy) = (cx.x_mat(0), cx.x_mat(1), cx.dy_mat());
        cx.add_matmul(0, dy, b);
        cx.add_matmul(1, dy.t(), a);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (a, b, dy) = (cx.x(0), cx.x(1), cx.dy());
        cx.add_with(0, |tape| tape.matmul(dy, b));
        cx.add_with(1, |tape| tape.matmul_tn(dy, a));
    }
}

pub(super) struct MatmulTn;
impl<T: Float> Operation<T> for MatmulTn {
    fn name(&self) -> &'static str {
        "matmul_tn"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        cx.matmul(false, cx.x_mat(0).t(), cx.x_mat(1));
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (a, b, dy) = (cx.x_mat(0), cx.x_mat(1), cx.dy_mat());
        cx.add_matmul(0, b, dy.t());
        cx.add_matmul(1, a, dy);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (a, b, dy) = (cx.x(0), cx.x(1), cx.dy());
        cx.add_with(0, |tape| tape.matmul_nt(b, dy));
        cx.add_with(1, |tape| tape.matmul(a, dy));
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients() {
        for (m, k, n) in [(1, 1, 1), (2, 3, 4), (5, 1, 2), (0, 3, 2), (3, 2, 0), (2, 0, 3)] {
            check_op(&[filled(m, k), filled(k, n)], |t, x| t.matmul(x[0], x[1]));
            check_op(&[filled(m, k), filled(n, k)], |t, x| t.matmul_nt(x[0], x[1]));
            check_op(&[filled(k, m), filled(k, n)], |t, x| t.matmul_tn(x[0], x[1]));
        }
        check_op(&[filled(3, 3)], |t, x| t.matmul(x[0], x[0]));
        check_op(&[filled(3, 2)], |t, x| t.matmul_nt(x[0], x[0]));
        check_op(&[filled(3, 2)], |t, x| t.matmul_tn(x[0], x[0]));
    }

    #[test]
    fn transposed_forms_agree_with_transposing() {
        let (a, b) = (filled(4, 3), filled(5, 3));
        let mut tape = Tape::new();
        let (va, vb) = (tape.constant(&a), tape.constant(&b));
        let y = tape.matmul_nt(va, vb);
        assert!((tape.value(y).to_dmatrix() - &a * b.transpose()).abs().max() < 1e-15);
        let y = tape.matmul_tn(va, va);
        assert!((tape.value(y).to_dmatrix() - a.transpose() * &a).abs().max() < 1e-15);
    }

    #[test]
    #[should_panic(expected = "matmul: v1 is 64×784 but v0 is 128×10 (784 ≠ 128)")]
    fn shapes_that_do_not_fit() {
        let mut tape = Tape::new();
        let w = tape.param(&filled(128, 10));
        let x = tape.constant(&filled(64, 784));
        tape.matmul(x, w);
    }
}
