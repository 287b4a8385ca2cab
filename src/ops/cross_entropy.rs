//! Cross-entropy from logits and class numbers, in one node.

use super::softmax::{RowSum, softmax_rows};
use super::{Op, pass_if};
use crate::Float;
use crate::linalg::mean_of;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// # Cross-entropy
/// From logits and labels.
impl<T: Float> Tape<T> {
    /// Mean over the rows i of −ln pᵢⱼ with p = softmax(x) and j = labelsᵢ, of m×k logits and m labels:
    /// 1×1.
    ///
    /// Of no rows: NaN. A logit of −∞ masks its class: the others have their loss without it. A single logit
    /// of +∞ is certainty: the loss is 0 for that label, and ∞ for the others. An infinite loss (also that of
    /// a label whose logit is −∞) still has finite gradients.
    /// Backward: dxᵢⱼ = (pᵢⱼ − onehot(labelsᵢ)ⱼ)/m · dy, and 0 where the difference is; the forward pass
    /// leaves it behind.
    ///
    /// # Panics
    /// If `logits` is stale, there is not one label per row, or a label is not below k.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let logits = tape.variable_slice(1, 2, &[0.0, 0.0]);
    /// let loss = tape.cross_entropy(logits, &[1]);
    /// tape.backward(loss);
    /// assert_eq!(tape.item(loss), std::f64::consts::LN_2);
    /// assert_eq!(tape.grad_slice(logits), [0.5, -0.5]);
    /// ```
    #[track_caller]
    pub fn cross_entropy(&mut self, logits: impl Into<Var>, labels: &[usize]) -> Var {
        self.cross_entropy_node(Op::CrossEntropy, logits.into(), labels, T::ZERO)
    }

    /// The same against smoothed labels, as in PyTorch: with `smoothing` ε, the target of a row is
    /// (1 − ε)·onehot(label) + ε/k.
    ///
    /// Szegedy et al., *Rethinking the Inception Architecture*, arXiv:1512.00567, section 7.
    /// Backward: dxᵢⱼ = (pᵢⱼ − targetᵢⱼ)/m · dy.
    ///
    /// # Panics
    /// As [`cross_entropy`](Tape::cross_entropy), and if `smoothing` is outside of [0, 1].
    #[track_caller]
    pub fn cross_entropy_smoothed(&mut self, logits: impl Into<Var>, labels: &[usize], smoothing: T) -> Var {
        assert!(
            smoothing >= T::ZERO && smoothing <= T::ONE,
            "cross_entropy_smoothed: the smoothing is {smoothing}, not in [0, 1]"
        );
        self.cross_entropy_node(Op::CrossEntropySmoothed, logits.into(), labels, smoothing)
    }

    #[track_caller]
    fn cross_entropy_node(&mut self, op: Op, logits: Var, labels: &[usize], smoothing: T) -> Var {
        let op = op.get();
        let name = op.name();
        let shape = self.shape_for(name, logits);
        assert!(
            labels.len() == shape.rows,
            "{name}: {logits} is {shape}, which takes {}, not {}",
            count(shape.rows, "label"),
            labels.len()
        );
        if let Some(i) = labels.iter().position(|&label| label >= shape.cols) {
            panic!(
                "{name}: label {} of row {i} is not below the {} of {logits}, {shape}",
                labels[i],
                count(shape.cols, "class")
            );
        }
        let args = Args::scalar(smoothing).saving(shape.numel() + shape.rows);
        self.apply_indexed(op, &[logits], Shape::SCALAR, args, labels.iter().map(|&label| label as u32))
    }
}

/// Saves p − target, m×k, and behind it the loss of every row.
pub(super) struct CrossEntropy {
    pub smoothed: bool,
}

impl<T: Float> Operation<T> for CrossEntropy {
    fn name(&self) -> &'static str {
        if self.smoothed { "cross_entropy_smoothed" } else { "cross_entropy" }
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape, labels, smoothing) = (cx.x(0), cx.shape(0), cx.indices(), cx.args().scalars[0]);
        let classes = T::of(shape.cols as f64);
        let floor = smoothing / classes;
        let (y, saved) = cx.y_and_saved();
        let (deltas, losses) = saved.split_at_mut(shape.numel());
        softmax_rows(x, shape, deltas, |i, row, x, delta| {
            let RowSum { ln, top, rest, .. } = row;
            let label = labels[i] as usize;
            let loss = ln - row.shifted(x[label]);
            // p − 1 for the label, which loses its digits where p is near 1 and can be had without.
            let of_label = if label == top { -rest } else { delta[label] - T::ONE };
            losses[i] = if smoothing > T::ZERO {
                delta.iter_mut().for_each(|delta| *delta -= floor);
                let mean = mean_of(x, |x| row.shifted(x));
                pass_if(smoothing != T::ONE, (T::ONE - smoothing) * loss) + smoothing * (ln - mean)
            } else {
                loss
            };
            delta[label] = of_label + (smoothing - floor);
        });
        y[0] = mean_of(losses, |loss| loss);
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (shape, dy) = (cx.shape(0), cx.dy());
        let deltas = &cx.saved()[..shape.numel()];
        let scale = dy[0] / T::of(shape.rows as f64);
        if scale.is_finite() {
            cx.add_map(0, deltas, |delta| delta * scale);
        } else {
            cx.add_map(0, deltas, |delta| pass_if(delta != T::ZERO, delta * scale));
        }
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (x, dy, shape, smoothing) = (cx.x(0), cx.dy(), cx.shape(0), cx.args().scalars[0]);
        let labels: Vec<usize> = cx.indices().iter().map(|label| *label as usize).collect();
        cx.add_with(0, |tape| {
            let mut delta = record_deltas(tape, x, &labels);
            if smoothing > T::ZERO {
                let floor = smoothing / T::of(shape.cols as f64);
                let shifts = tape.constant_with(shape.rows, shape.cols, |to| {
                    to.fill(-floor);
                    labels
                        .iter()
                        .enumerate()
                        .for_each(|(i, label)| to[i * shape.cols + label] = smoothing - floor);
                });
                delta = tape.add(delta, shifts);
            }
            let rows = tape.scalar(T::of(shape.rows as f64));
            let scale = tape.div(dy, rows);
            tape.slope_times(delta, scale)
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        if self.smoothed { format!(" {}", args.scalars[0]) } else { String::new() }
    }
}

/// p − 1 for the label of each row, and p for the other classes, as operations. That for the label is minus the sum of the
/// others, which keeps its digits where p is near 1.
pub(super) fn record_deltas<T: Float>(tape: &mut Tape<T>, x: Var, labels: &[usize]) -> Var {
    let Shape { rows, cols } = tape.shape(x);
    let is_label = tape.mask_with(rows, cols, |to| {
        labels.iter().enumerate().for_each(|(i, label)| to[i * cols + label] = T::ONE);
    });
    let (p, zero) = (tape.softmax(x), tape.scalar(T::ZERO));
    let others = tape.select(is_label, zero, p);
    let rest = tape.sum_cols(others);
    let of_label = tape.neg(rest);
    tape.select(is_label, of_label, p)
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, feasible, filled, value_and_grad};

    fn labels(m: usize, k: usize) -> Vec<usize> {
        (0..m).map(|i| (i * 3 + 1) % k).collect()
    }

    #[test]
    fn gradients() {
        for (m, k) in
            [(1, 1), (1, 4), (5, 3), (4, 40), (0, 3)].into_iter().filter(|(m, k)| feasible(2 * m * k))
        {
            let (x, labels) = (filled(m, k) * 3.0, labels(m, k));
            check_op(std::slice::from_ref(&x), |t, x| t.cross_entropy(x[0], &labels));
            for smoothing in [0.0, 0.1, 1.0] {
                check_op(std::slice::from_ref(&x), |t, x| t.cross_entropy_smoothed(x[0], &labels, smoothing));
            }
        }
    }

    #[test]
    fn is_the_mean_of_log_softmax() {
        let mut tape = Tape::new();
        let x = tape.constant(&(filled(5, 4) * 3.0));
        let labels = labels(5, 4);
        let p = tape.log_softmax(x);
        let p = tape.value(p).to_dmatrix();
        let plain = labels.iter().enumerate().map(|(i, &l)| -p[(i, l)]).sum::<f64>() / 5.0;
        let uniform = -p.mean();
        let loss = tape.cross_entropy(x, &labels);
        assert!((tape.item(loss) - plain).abs() < 1e-15);
        let loss = tape.cross_entropy_smoothed(x, &labels, 0.2);
        assert!((tape.item(loss) - (0.8 * plain + 0.2 * uniform)).abs() < 1e-15);
    }

    #[test]
    fn large_logits() {
        for (x, loss, dx) in [
            ([1e300, -1e300, 0.0], 0.0, [0.0, 0.0, 0.0]),
            ([-1e300, 0.0, -1e300], 1e300, [-1.0, 1.0, 0.0]),
            ([-f64::INFINITY, 0.0, 0.0], f64::INFINITY, [-1.0, 0.5, 0.5]),
            ([0.0, -f64::INFINITY, 0.0], std::f64::consts::LN_2, [-0.5, 0.0, 0.5]),
        ] {
            assert_eq!(value_and_grad(&x, |t, x| t.cross_entropy(x, &[0])), (vec![loss], dx.to_vec()));
        }
    }

    #[test]
    fn a_small_loss_keeps_its_digits() {
        let (y, dx) = value_and_grad(&[50.0, 0.0], |t, x| t.cross_entropy(x, &[0]));
        let tail = libm::exp(-50.0);
        for found in [y[0], -dx[0], dx[1]] {
            assert!((found / tail - 1.0).abs() < 1e-15, "{found} against {tail}");
        }
    }

    #[test]
    fn of_no_rows() {
        let mut tape = Tape::new();
        let x = tape.param(&filled(0, 3));
        let loss = tape.cross_entropy(x, &[]);
        assert!(tape.item(loss).is_nan());
        tape.backward(loss);
    }

    #[test]
    #[should_panic(expected = "cross_entropy: label 3 of row 1 is not below the 3 classes of v0, 2×3")]
    fn label_out_of_range() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 3));
        tape.cross_entropy(x, &[0, 3]);
    }

    #[test]
    #[should_panic(expected = "cross_entropy: v0 is 2×3, which takes 2 labels, not 3")]
    fn wrong_number_of_labels() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 3));
        tape.cross_entropy(x, &[0, 1, 2]);
    }

    #[test]
    #[should_panic(expected = "cross_entropy_smoothed: the smoothing is 1.5, not in [0, 1]")]
    fn smoothing_out_of_range() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(1, 3));
        tape.cross_entropy_smoothed(x, &[0], 1.5);
    }
}
