//! The L2 penalty on parameters.

use super::{Op, pass_if};
use crate::Float;
use crate::linalg::{norm_squared, reduce};
use crate::tape::{Args, Backward, Forward, Operation, Param, Recorder, Shape, Tape, Var};

/// How many parameters go into one node; more make several nodes, which are added.
const GROUP: usize = 32;

/// # Penalties
/// On parameters.
impl<T: Float> Tape<T> {
    /// λ/2 · Σ‖w‖² over all entries of the given parameters: 1×1. Of no parameters: the constant 0.
    ///
    /// With the factor ½ the gradient is λw, which for plain gradient descent is a weight decay of λ.
    /// Biases are usually left out of the list. Backward: dw = λ·w·dy. With λ = 0 both are 0, whatever w and dy
    /// are.
    ///
    /// # Panics
    /// If λ is negative or NaN, or a parameter belongs to another tape and this one has fewer.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let w = tape.param_slice(1, 2, &[3.0, 4.0]);
    /// let penalty = tape.l2_penalty(&[w], 0.1);
    /// tape.backward(penalty);
    /// assert_eq!(tape.item(penalty), 1.25);
    /// assert_eq!(tape.grad_slice(w), [0.1 * 3.0, 0.1 * 4.0]);
    /// ```
    #[track_caller]
    pub fn l2_penalty(&mut self, params: &[Param], lambda: T) -> Var {
        assert!(lambda >= T::ZERO, "l2_penalty: lambda is {lambda}, not at least 0");
        let mut total = None;
        for group in params.chunks(GROUP) {
            let mut inputs = [group[0].var(); GROUP];
            inputs.iter_mut().zip(group).for_each(|(input, p)| *input = p.var());
            let part = self.apply(Op::L2.get(), &inputs[..group.len()], Shape::SCALAR, Args::scalar(lambda));
            total = Some(match total {
                Some(total) => self.add(total, part),
                None => part,
            });
        }
        total.unwrap_or_else(|| self.scalar(T::ZERO))
    }
}

pub(super) struct L2;
impl<T: Float> Operation<T> for L2 {
    fn name(&self) -> &'static str {
        "l2_penalty"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let total: T = (0..cx.inputs()).map(|k| norm_squared(cx.x(k))).sum();
        let lambda = cx.args().scalars[0];
        let mut y = T::of(0.5) * lambda * total;
        if lambda != T::ZERO && !(total.is_finite() && total > T::MIN_POSITIVE / T::EPSILON) {
            // Squares that are out of range where their product with λ is not.
            let root = (T::of(0.5) * lambda).sqrt();
            y = (0..cx.inputs()).map(|k| reduce(cx.x(k), cx.x(k), |w, _| (root * w) * (root * w))).sum();
        }
        cx.y()[0] = pass_if(lambda != T::ZERO, y);
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (lambda, dy) = (cx.args().scalars[0], cx.dy()[0]);
        let scale = lambda * dy;
        for k in 0..cx.inputs() {
            let w = cx.x(k);
            cx.add_map(k, w, |w| pass_if(lambda != T::ZERO, scale * w));
        }
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (lambda, dy) = (cx.args().scalars[0], cx.dy());
        if lambda == T::ZERO {
            return;
        }
        let scale = cx.tape().scale(dy, lambda);
        for k in 0..cx.inputs() {
            let w = cx.x(k);
            cx.add_with(k, |tape| tape.mul(scale, w));
        }
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {}", args.scalars[0])
    }
}

#[cfg(test)]
mod tests {
    use super::GROUP;
    use crate::Tape;
    use crate::ops::testing::filled;

    /// The inputs of `check_op` are variables, so parameters are looked at on their own.
    #[test]
    fn gradients() {
        for (m, n) in [(1, 1), (3, 4), (0, 3), (2, 0)] {
            let mut tape = Tape::new();
            let (a, b) = (filled(m, n), filled(n, m) * 2.0);
            let params = [tape.param(&a), tape.param(&b)];
            tape.param_grads_mut().fill(1.0);
            let y = tape.l2_penalty(&params, 0.3);
            let scaled = tape.scale(y, 2.0);
            tape.backward(scaled);
            assert!((tape.item(y) - 0.15 * (a.norm_squared() + b.norm_squared())).abs() < 1e-14);
            for (p, w) in params.iter().zip([a, b]) {
                let error = tape.grad(*p).to_dmatrix() - (w * 0.6).add_scalar(1.0);
                assert!(error.iter().all(|d| d.abs() < 1e-15));
            }
        }
    }

    #[test]
    fn of_many_parameters_and_of_none() {
        let mut tape = Tape::new();
        let params: Vec<_> = (0..2 * GROUP + 3).map(|i| tape.param_slice(1, 1, &[i as f64])).collect();
        let twice: Vec<_> = params.iter().chain(&params[..1]).copied().collect();
        let y = tape.l2_penalty(&twice, 2.0);
        tape.backward(y);
        assert_eq!(tape.item(y), (0..2 * GROUP + 3).map(|i| (i * i) as f64).sum::<f64>());
        for (i, p) in params.iter().enumerate() {
            assert_eq!(tape.grad(*p)[(0, 0)], 2.0 * i as f64);
        }
        let nothing = tape.l2_penalty(&[], 2.0);
        assert_eq!(tape.item(nothing), 0.0);
    }

    #[test]
    fn squares_out_of_range() {
        let of = |w: f32, lambda: f32| {
            let mut tape = Tape::<f32>::default();
            let w = tape.param_slice(1, 2, &[w, 0.0]);
            let y = tape.l2_penalty(&[w], lambda);
            tape.item(y)
        };
        assert!((of(1e20, 1e-10) / 5e29 - 1.0).abs() < 1e-6);
        assert!((of(1e-25, 1e30) / 5e-21 - 1.0).abs() < 1e-6);
        assert_eq!((of(0.0, 1e30), of(1e30, 1e10)), (0.0, f32::INFINITY));
    }

    #[test]
    fn without_weight_it_is_nothing() {
        let mut tape = Tape::new();
        let w = tape.param_slice(1, 2, &[1e200, f64::INFINITY]);
        let y = tape.l2_penalty(&[w], 0.0);
        tape.backward_with(y, |dy| dy.fill(f64::INFINITY));
        assert_eq!((tape.item(y), tape.grad_slice(w)), (0.0, &[0.0, 0.0][..]));
    }

    #[test]
    #[should_panic(expected = "l2_penalty: lambda is -1, not at least 0")]
    fn a_negative_lambda() {
        let mut tape = Tape::new();
        let w = tape.param(&filled(2, 2));
        tape.l2_penalty(&[w], -1.0);
    }
}
