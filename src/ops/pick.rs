//! One entry of each row.

use super::Op;
use crate::Float;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// # Single entries
/// One of each row.
impl<T: Float> Tape<T> {
    /// From each row i of m×n the entry in column `columns`ᵢ: m×1. With the logarithms of probabilities and
    /// labels, the log-likelihood of each sample.
    ///
    /// Backward: that entry of dX gets dyᵢ, the others nothing.
    ///
    /// # Panics
    /// If `x` is stale, there is not one column for each row, or a column is not below n.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.variable_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    /// let y = tape.pick_cols(x, &[2, 0]);
    /// assert_eq!(tape.value_slice(y), [3.0, 4.0]);
    /// tape.backward_slice(y, &[10.0, 20.0]);
    /// assert_eq!(tape.grad_slice(x), [0.0, 0.0, 10.0, 20.0, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn pick_cols(&mut self, x: impl Into<Var>, columns: &[usize]) -> Var {
        let x = x.into();
        let shape = self.shape_for("pick_cols", x);
        assert!(
            columns.len() == shape.rows,
            "pick_cols: {x} is {shape}, which takes {}, not {}",
            count(shape.rows, "column"),
            columns.len()
        );
        if let Some(i) = columns.iter().position(|&column| column >= shape.cols) {
            panic!("pick_cols: column {} of row {i} is not below the {} of {x}", columns[i], shape.cols);
        }
        let to = Shape::new(shape.rows, 1);
        self.apply_indexed(
            Op::PickCols.get(),
            &[x],
            to,
            Args::NONE,
            columns.iter().map(|&column| column as u32),
        )
    }
}

pub(super) struct PickCols;
impl<T: Float> Operation<T> for PickCols {
    fn name(&self) -> &'static str {
        "pick_cols"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, cols, picked) = (cx.x(0), cx.shape(0).cols, cx.indices());
        for (i, (y, column)) in cx.y().iter_mut().zip(picked).enumerate() {
            *y = x[i * cols + *column as usize];
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, cols, picked) = (cx.dy(), cx.shape(0).cols, cx.indices());
        cx.add_at(0, |mut dx| {
            for (i, (dy, column)) in dy.iter().zip(picked).enumerate() {
                dx.add(i * cols + *column as usize, *dy);
            }
        });
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        let (Shape { rows, cols }, columns) = (cx.shape(0), cx.indices());
        cx.add_with(0, |tape| {
            let zero = tape.scalar(T::ZERO);
            let picked = tape.constant_with(rows, cols, |to| {
                columns.iter().enumerate().for_each(|(i, column)| to[i * cols + *column as usize] = T::ONE);
            });
            tape.select(picked, dy, zero)
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients() {
        for (m, n) in [(1, 1), (3, 4), (5, 2), (0, 3)] {
            let columns: Vec<usize> = (0..m).map(|i| (7 * i + 1) % n).collect();
            check_op(&[filled(m, n)], |t, x| t.pick_cols(x[0], &columns));
        }
    }

    #[test]
    fn what_is_not_picked_gets_nothing_of_an_infinite_gradient() {
        let mut tape = Tape::new();
        let x = tape.variable_slice(1, 2, &[1.0, f64::INFINITY]);
        let y = tape.pick_cols(x, &[0]);
        tape.backward_with(y, |dy| dy.fill(f64::INFINITY));
        assert_eq!(tape.value_slice(y), [1.0]);
        assert_eq!(tape.grad_slice(x), [f64::INFINITY, 0.0]);
    }

    #[test]
    #[should_panic(expected = "pick_cols: column 3 of row 1 is not below the 3 of v0")]
    fn a_column_that_is_not_there() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 3));
        tape.pick_cols(x, &[0, 3]);
    }

    #[test]
    #[should_panic(expected = "pick_cols: v0 is 2×3, which takes 2 columns, not 1")]
    fn too_few_columns() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 3));
        tape.pick_cols(x, &[0]);
    }
}
