//! Softmax, its logarithm, and log-sum-exp, per row.

use super::reduce::rows_of;
use crate::Float;
use crate::linalg::{dot, sum};
use crate::tape::{Args, Backward, Forward, Operation, Shape, Tape, Var};

impl<T: Float> Tape<T> {
    /// pᵢⱼ = e^(xᵢⱼ) / Σₗ e^(xᵢₗ) in every row i of m×n: m×n.
    ///
    /// An entry of −∞ gets probability 0; a row of nothing but −∞ has no distribution and gives NaN.
    /// Backward: dxᵢ = pᵢ ∘ (dyᵢ − ⟨pᵢ, dyᵢ⟩).
    ///
    /// # Panics
    /// If `x` is stale; so for all methods of this file.
    #[track_caller]
    pub fn softmax(&mut self, x: impl Into<Var>) -> Var {
        let x = x.into();
        let shape = self.shape_for("softmax", x);
        self.apply(&Softmax, &[x], shape, Args::NONE)
    }

    /// ln softmax in every row of m×n: m×n, exact also where the probability is near 0 or 1.
    ///
    /// An entry of −∞ stays −∞; a row of nothing but −∞ gives NaN.
    /// Backward: dxᵢ = dyᵢ − pᵢ·Σⱼ dyᵢⱼ.
    #[track_caller]
    pub fn log_softmax(&mut self, x: impl Into<Var>) -> Var {
        let x = x.into();
        let shape = self.shape_for("log_softmax", x);
        self.apply(&LogSoftmax, &[x], shape, Args::NONE.saving(shape.len()))
    }

    /// ln Σⱼ e^(xᵢⱼ) of every row i of m×n: m×1.
    ///
    /// A row without entries, or with nothing but −∞, gives −∞ and gets the gradient 0.
    /// Backward: dxᵢ = pᵢ·dyᵢ, with the softmax p.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.constant_slice(1, 2, &[1000.0, 1000.0]);
    /// let y = tape.logsumexp(x);
    /// assert_eq!(tape.item(y), 1000.0 + std::f64::consts::LN_2);
    /// ```
    #[track_caller]
    pub fn logsumexp(&mut self, x: impl Into<Var>) -> Var {
        let x = x.into();
        let shape = self.shape_for("logsumexp", x);
        self.apply(&LogSumExp, &[x], Shape::new(shape.rows, 1), Args::NONE.saving(shape.len()))
    }
}

/// What [`softmax_row`] knows about a row besides its softmax.
pub(super) struct RowSum<T> {
    /// The largest entry, or 0 where that is not finite.
    pub shift: T,
    /// ln Σ e^(x − shift).
    pub ln: T,
    /// Position of the first of the largest entries.
    pub top: usize,
    /// Probability of all other entries together: exact, where 1 − p would not be.
    pub rest: T,
}

/// p ← softmax(x) for one row.
pub(super) fn softmax_row<T: Float>(x: &[T], p: &mut [T]) -> RowSum<T> {
    let mut top = 0;
    for (j, value) in x.iter().enumerate() {
        if *value > x[top] {
            top = j;
        }
    }
    let Some(&max) = x.get(top) else {
        return RowSum { shift: T::ZERO, ln: -T::INFINITY, top, rest: T::ZERO };
    };
    let shift = if max.is_finite() { max } else { T::ZERO };
    p.iter_mut().zip(x).for_each(|(p, x)| *p = (*x - shift).exp());
    // The largest term is 1 and stands apart, so that ln(1 + rest) keeps the digits of a small rest.
    let peak = std::mem::replace(&mut p[top], T::ZERO);
    let others = sum(p);
    p[top] = peak;
    let total = peak + others;
    p.iter_mut().for_each(|p| *p /= total);
    let ln = if peak == T::ONE { others.ln_1p() } else { total.ln() };
    RowSum { shift, ln, top, rest: others / total }
}

struct Softmax;
impl<T: Float> Operation<T> for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let cols = cx.y_shape().cols.max(1);
        let x = cx.x(0);
        for (x, y) in x.chunks(cols).zip(cx.y().chunks_mut(cols)) {
            softmax_row(x, y);
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (y, dy, cols) = (cx.y(), cx.dy(), cx.y_shape().cols);
        cx.add_rows(0, |i, mut dx| {
            let (y, dy) = (&y[i * cols..][..cols], &dy[i * cols..][..cols]);
            let mean = dot(y, dy);
            dx.add_zip(y, dy, |y, dy| y * (dy - mean));
        });
    }
}

struct LogSoftmax;
impl<T: Float> Operation<T> for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let cols = cx.y_shape().cols.max(1);
        let x = cx.x(0);
        let (y, p) = cx.y_and_saved();
        for ((x, y), p) in x.chunks(cols).zip(y.chunks_mut(cols)).zip(p.chunks_mut(cols)) {
            let RowSum { shift, ln, .. } = softmax_row(x, p);
            y.iter_mut().zip(x).for_each(|(y, x)| *y = (*x - shift) - ln);
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (p, dy, cols) = (cx.saved(), cx.dy(), cx.y_shape().cols);
        cx.add_rows(0, |i, mut dx| {
            let (p, dy) = (&p[i * cols..][..cols], &dy[i * cols..][..cols]);
            let total = sum(dy);
            dx.add_zip(p, dy, |p, dy| dy - p * total);
        });
    }
}

struct LogSumExp;
impl<T: Float> Operation<T> for LogSumExp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        let (y, p) = cx.y_and_saved();
        for (i, (x, y)) in rows_of(x, shape).zip(y).enumerate() {
            let p = &mut p[i * shape.cols..][..shape.cols];
            let RowSum { shift, ln, .. } = softmax_row(x, p);
            *y = shift + ln;
            if *y == -T::INFINITY {
                p.fill(T::ZERO);
            }
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (p, dy, cols) = (cx.saved(), cx.dy(), cx.shape(0).cols);
        cx.add_rows(0, |i, mut dx| dx.add_map(&p[i * cols..][..cols], |p| p * dy[i]));
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled, value_and_grad};
    use crate::tape::Var;

    type Op = fn(&mut Tape, Var) -> Var;

    const ALL: [Op; 3] = [|t, x| t.softmax(x), |t, x| t.log_softmax(x), |t, x| t.logsumexp(x)];

    #[test]
    fn gradients() {
        for op in ALL {
            for (m, n) in [(1, 1), (3, 4), (2, 40), (0, 3), (2, 0)] {
                check_op(&[filled(m, n) * 2.0], |t, x| op(t, x[0]));
            }
        }
    }

    #[test]
    fn large_inputs_stay_finite() {
        let x = [1e300, -1e300, 1e300, 0.0];
        let (p, dp) = value_and_grad(&x, |t, x| t.softmax(x));
        assert_eq!(p, [0.5, 0.0, 0.5, 0.0]);
        assert_eq!(dp, [0.0; 4]);
        let (_, dx) = value_and_grad(&x, |t, x| t.log_softmax(x));
        assert_eq!(dx, [-1.0, 1.0, -1.0, 1.0]);
        let (y, dx) = value_and_grad(&x, |t, x| t.logsumexp(x));
        assert_eq!((y[0], dx), (1e300, vec![0.5, 0.0, 0.5, 0.0]));
    }

    #[test]
    fn a_near_certain_class_keeps_its_digits() {
        let (y, _) = value_and_grad(&[50.0, 0.0], |t, x| t.log_softmax(x));
        assert!((y[0] / -libm::exp(-50.0) - 1.0).abs() < 1e-15, "{}", y[0]);
        assert_eq!(y[1], -50.0);
    }

    #[test]
    fn minus_infinity_is_probability_zero() {
        let inf = f64::INFINITY;
        let (p, dp) = value_and_grad(&[-inf, 1.0, 1.0], |t, x| t.softmax(x));
        assert_eq!((p, dp), (vec![0.0, 0.5, 0.5], vec![0.0; 3]));
        let (y, dx) = value_and_grad(&[-inf, 1.0, 1.0], |t, x| t.log_softmax(x));
        assert_eq!((y[0], dx), (-inf, vec![1.0, -0.5, -0.5]));
        let (y, dx) = value_and_grad(&[-inf, 2.0], |t, x| t.logsumexp(x));
        assert_eq!((y, dx), (vec![2.0], vec![0.0, 1.0]));
        let (y, dx) = value_and_grad(&[-inf, -inf], |t, x| t.logsumexp(x));
        assert_eq!((y, dx), (vec![-inf], vec![0.0, 0.0]));
        let (p, _) = value_and_grad(&[-inf, -inf], |t, x| t.softmax(x));
        assert!(p.iter().all(|p| p.is_nan()));
    }

    #[test]
    fn rows_without_entries() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 0));
        let y = tape.logsumexp(x);
        assert_eq!(tape.value_slice(y), [-f64::INFINITY; 2]);
    }
}
