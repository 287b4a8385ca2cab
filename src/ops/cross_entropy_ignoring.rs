//! Cross-entropy of the rows whose label counts.

use super::softmax::{RowSum, softmax_rows};
use super::{Op, pass_if};
use crate::Float;
use crate::linalg::mean_of;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// # Cross-entropy of some rows
/// Padding does not count.
impl<T: Float> Tape<T> {
    /// [`cross_entropy`](Tape::cross_entropy) of the rows whose label is not `ignored`: the mean over these of
    /// −ln pᵢⱼ with p = softmax(x) and j = labelsᵢ, of m×k logits and m labels: 1×1.
    ///
    /// `ignored` may be any number, also one below k, such as the token that fills sequences up. Where no row is left it
    /// is NaN, as the mean of no rows is.
    /// Backward: dxᵢⱼ = (pᵢⱼ − onehot(labelsᵢ)ⱼ)/n · dy for the n rows that count, and 0 for the others.
    ///
    /// # Panics
    /// If `logits` is stale, there is not one label per row, or a label is neither `ignored` nor below k.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let logits = tape.variable_slice(2, 2, &[0.0, 0.0, 5.0, -3.0]);
    /// let loss = tape.cross_entropy_ignoring(logits, &[1, 99], 99);
    /// tape.backward(loss);
    /// assert_eq!(tape.item(loss), std::f64::consts::LN_2);
    /// assert_eq!(tape.grad_slice(logits), [0.5, -0.5, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn cross_entropy_ignoring(
        &mut self,
        logits: impl Into<Var>,
        labels: &[usize],
        ignored: usize,
    ) -> Var {
        let logits = logits.into();
        let shape = self.shape_for("cross_entropy_ignoring", logits);
        assert!(
            labels.len() == shape.rows,
            "cross_entropy_ignoring: {logits} is {shape}, which takes {}, not {}",
            count(shape.rows, "label"),
            labels.len()
        );
        if let Some(i) = labels.iter().position(|&label| label >= shape.cols && label != ignored) {
            panic!(
                "cross_entropy_ignoring: label {} of row {i} is not below the {} of {logits}, {shape}, nor is it \
                 {ignored}, which is ignored",
                labels[i],
                count(shape.cols, "class")
            );
        }
        let args = Args::NONE.saving(shape.numel() + shape.rows);
        let labels = labels.iter().map(|&label| if label == ignored { NONE } else { label as u32 });
        self.apply_indexed(Op::CrossEntropyIgnoring.get(), &[logits], Shape::SCALAR, args, labels)
    }
}

/// Of a row that does not count. No class has this number: a matrix has at most 2³² − 1 columns.
const NONE: u32 = u32::MAX;

/// Saves p − target, m×k, with zeros where the row does not count, and behind it the losses of those that do.
pub(super) struct CrossEntropyIgnoring;

impl<T: Float> Operation<T> for CrossEntropyIgnoring {
    fn name(&self) -> &'static str {
        "cross_entropy_ignoring"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape, labels) = (cx.x(0), cx.shape(0), cx.indices());
        let (y, saved) = cx.y_and_saved();
        let (deltas, losses) = saved.split_at_mut(shape.numel());
        losses.fill(T::ZERO);
        let mut counted = 0;
        softmax_rows(x, shape, deltas, |i, row, x, delta| {
            if labels[i] == NONE {
                // Chosen, not multiplied by 0: the softmax may be NaN.
                return delta.fill(T::ZERO);
            }
            let RowSum { ln, top, rest, .. } = row;
            let label = labels[i] as usize;
            losses[counted] = ln - row.shifted(x[label]);
            counted += 1;
            // p − 1 for the label, which loses its digits where p is near 1 and can be had without.
            delta[label] = if label == top { -rest } else { delta[label] - T::ONE };
        });
        y[0] = mean_of(&losses[..counted], |loss| loss);
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let deltas = &cx.saved()[..cx.shape(0).numel()];
        let counted = cx.indices().iter().filter(|label| **label != NONE).count();
        let scale = cx.dy()[0] / T::of(counted as f64);
        cx.add_map(0, deltas, |delta| pass_if(delta != T::ZERO, delta * scale));
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let labels = cx.indices();
        let (rows, labels): (Vec<usize>, Vec<usize>) = labels
            .iter()
            .enumerate()
            .filter(|(_, label)| **label != NONE)
            .map(|(row, label)| (row, *label as usize))
            .unzip();
        if rows.is_empty() {
            return;
        }
        cx.through(|tape, x| {
            let counted = tape.gather_rows(x[0], &rows);
            tape.cross_entropy(counted, &labels)
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled, value_and_grad};

    #[test]
    fn gradients() {
        for (m, k, ignored) in [(1, 1, 9), (1, 4, 9), (5, 3, 1), (6, 40, 999)] {
            let x = filled(m, k) * 3.0;
            let labels: Vec<usize> =
                (0..m).map(|i| if i % 3 == 1 { ignored } else { (i * 3 + 2) % k }).collect();
            check_op(std::slice::from_ref(&x), |t, x| t.cross_entropy_ignoring(x[0], &labels, ignored));
        }
    }

    #[test]
    fn is_the_cross_entropy_of_the_rows_that_count() {
        let mut tape = Tape::new();
        let x = tape.param(&(filled(5, 4) * 3.0));
        let some = tape.gather_rows(x, &[0, 3, 4]);
        let expected = tape.cross_entropy(some, &[3, 1, 2]);
        let found = tape.cross_entropy_ignoring(x, &[3, 0, 0, 1, 2], 0);
        assert_eq!(tape.item(found), tape.item(expected));
        tape.backward(expected);
        let gradient = tape.grad_slice(x).to_vec();
        tape.zero_grad();
        tape.backward(found);
        assert_eq!(tape.grad_slice(x), gradient);
        let all = tape.cross_entropy_ignoring(x, &[3, 0, 0, 1, 2], 7);
        let plain = tape.cross_entropy(x, &[3, 0, 0, 1, 2]);
        assert_eq!(tape.item(all), tape.item(plain));
    }

    #[test]
    fn nothing_of_a_row_that_does_not_count_comes_through() {
        let mut tape = Tape::new();
        let x = tape.param_slice(2, 2, &[0.0, 0.0, f64::NAN, f64::INFINITY]);
        let loss = tape.cross_entropy_ignoring(x, &[0, 5], 5);
        assert_eq!(tape.item(loss), std::f64::consts::LN_2);
        tape.backward_with(loss, |dy| dy[0] = f64::INFINITY);
        assert_eq!(tape.grad_slice(x), [-f64::INFINITY, f64::INFINITY, 0.0, 0.0]);
    }

    #[test]
    fn where_no_row_is_left() {
        let (y, dx) = value_and_grad(&[1.0, 2.0], |t, x| t.cross_entropy_ignoring(x, &[3], 3));
        assert!(y[0].is_nan());
        assert_eq!(dx, [0.0, 0.0]);
        let mut tape = Tape::new();
        let x = tape.param(&filled(0, 3));
        let loss = tape.cross_entropy_ignoring(x, &[], 0);
        assert!(tape.item(loss).is_nan());
        tape.backward(loss);
    }

    #[test]
    #[should_panic(
        expected = "cross_entropy_ignoring: label 4 of row 1 is not below the 3 classes of v0, 2×3, nor is it 5, which is ignored"
    )]
    fn label_out_of_range() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 3));
        tape.cross_entropy_ignoring(x, &[5, 4], 5);
    }

    #[test]
    #[should_panic(expected = "cross_entropy_ignoring: v0 is 2×3, which takes 2 labels, not 1")]
    fn wrong_number_of_labels() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 3));
        tape.cross_entropy_ignoring(x, &[0], 5);
    }
}
