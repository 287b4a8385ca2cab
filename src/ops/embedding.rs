//! Rows of a table by token.

use super::Op;
use super::select::add_to_rows;
use crate::Float;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Embedding
/// Vectors for tokens.
impl<T: Float> Tape<T> {
    /// The rows of the table, v×d, whose numbers stand in `tokens`, m×l: (m·l)×d, a token a row, in the order of the
    /// tokens row by row. So a batch of m texts of l tokens becomes what attention takes.
    ///
    /// Where the numbers are a list in Rust, [`gather_rows`](Tape::gather_rows) does the same.
    /// Backward: row tokenᵢ of the table's gradient gets row i of dY, for all i in order; up to 4096 tokens one after
    /// the other, and of more of them blocks of √(m·l) first. The tokens get no gradient: they are numbers of rows.
    ///
    /// # Panics
    /// If a token is no whole number from 0 to v − 1, or an operand is stale. In `f32`, not every whole number above
    /// 16,777,216 can be written.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let table = tape.param_slice(3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    /// let tokens = tape.constant_slice(1, 3, &[2.0, 0.0, 2.0]);
    /// let y = tape.embedding(table, tokens);
    /// assert_eq!(tape.value_slice(y), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
    /// tape.backward_with(y, |dy| dy.fill(1.0));
    /// assert_eq!(tape.grad_slice(table), [1.0, 1.0, 0.0, 0.0, 2.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn embedding(&mut self, table: impl Into<Var>, tokens: impl Into<Var>) -> Var {
        let (table, tokens) = (table.into(), tokens.into());
        let (rows, counts) = (self.shape_for("embedding", table), self.shape_for("embedding", tokens));
        let values = self.value_slice(tokens);
        let good =
            |token: T| token >= T::ZERO && row_of(token) < rows.rows && T::of(row_of(token) as f64) == token;
        if let Some(at) = values.iter().position(|token| !good(*token)) {
            panic!(
                "embedding: token {} in row {}, column {} of {tokens} is no whole number below {}, the rows of {table}",
                values[at],
                at / counts.cols,
                at % counts.cols,
                rows.rows
            );
        }
        let to = Shape::new(counts.numel(), rows.cols);
        self.apply(Op::Embedding.get(), &[table, tokens], to, Args::NONE)
    }
}

#[inline]
fn row_of<T: Float>(token: T) -> usize {
    token.to_f64() as usize
}

pub(super) struct Embedding;
impl<T: Float> Operation<T> for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (table, tokens, cols) = (cx.x(0), cx.x(1), cx.y_shape().cols);
        for (y, token) in cx.y().chunks_mut(cols.max(1)).zip(tokens) {
            y.copy_from_slice(&table[row_of(*token) * cols..][..cols]);
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let tokens = cx.x(1);
        add_to_rows(&mut cx, tokens.len(), |i| row_of(tokens[i]));
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (tokens, dy) = (cx.x(1), cx.dy());
        let rows = cx.shape(0).rows;
        cx.add_with(0, |tape| {
            let tokens: Vec<usize> = tape.value_slice(tokens).iter().map(|token| row_of(*token)).collect();
            tape.scatter_rows(dy, &tokens, rows)
        });
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use crate::Tape;
    use crate::ops::testing::{check_op, feasible, filled};

    #[test]
    fn gradients() {
        for (m, l, v, d) in [(1, 1, 1, 1), (2, 3, 5, 4), (3, 5, 2, 3), (0, 3, 4, 2), (2, 2, 3, 0)] {
            let tokens = DMatrix::from_fn(m, l, |i, j| ((7 * i + 3 * j) % v) as f64);
            check_op(&[filled(v, d)], |t, x| {
                let tokens = t.constant(&tokens);
                t.embedding(x[0], tokens)
            });
        }
    }

    #[test]
    fn is_gathered_rows() {
        // Few tokens, and so many that blocks are added up.
        for n in [7, 5000].into_iter().filter(|n| feasible(*n)) {
            let list: Vec<usize> = (0..n).map(|i| i * i % 5).collect();
            let run = |by_list: bool| {
                let mut tape = Tape::<f32>::default();
                let table = tape.param_with(5, 3, |to| (0..15).for_each(|i| to[i] = 0.1 + i as f32));
                let y = if by_list {
                    tape.gather_rows(table, &list)
                } else {
                    let fill = |to: &mut [f32]| to.iter_mut().zip(&list).for_each(|(to, i)| *to = *i as f32);
                    let tokens = tape.constant_with(1, n, fill);
                    tape.embedding(table, tokens)
                };
                tape.param_grads_mut().fill(0.5);
                tape.backward_with(y, |dy| {
                    dy.iter_mut().enumerate().for_each(|(i, dy)| *dy = 0.1 * (i as f32))
                });
                (tape.value_slice(y).to_vec(), tape.grad_slice(table).to_vec())
            };
            assert_eq!(run(true), run(false));
        }
    }

    #[test]
    fn figures_of_pytorch() {
        // torch.nn.functional.embedding(tokens, table) of filled(4, 2) under (1, 2, …, 8).
        let mut tape = Tape::new();
        let table = tape.param(&filled(4, 2));
        let tokens = tape.constant_slice(2, 2, &[3.0, 1.0, 3.0, 0.0]);
        let y = tape.embedding(table, tokens);
        tape.backward_with(y, |dy| dy.iter_mut().enumerate().for_each(|(i, dy)| *dy = (i + 1) as f64));
        assert_eq!(tape.grad_slice(table), [7.0, 8.0, 3.0, 4.0, 0.0, 0.0, 6.0, 8.0]);
    }

    #[track_caller]
    fn fails(token: f64, expected: &str) {
        let run = || {
            let mut tape = Tape::new();
            let table = tape.param(&filled(5, 2));
            let tokens = tape.constant_slice(2, 2, &[0.0, 4.0, token, 1.0]);
            tape.embedding(table, tokens);
        };
        let panic = std::panic::catch_unwind(run).unwrap_err();
        let expected = format!(
            "embedding: token {expected} in row 1, column 0 of v1 is no whole number below 5, the rows of v0"
        );
        assert_eq!(*panic.downcast::<String>().unwrap(), expected);
    }

    #[test]
    fn a_token_out_of_range() {
        fails(5.0, "5");
        fails(-1.0, "-1");
        fails(1.5, "1.5");
        fails(f64::NAN, "NaN");
        fails(f64::INFINITY, "inf");
    }
}
