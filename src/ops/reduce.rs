//! Sums and means: over all entries, over the rows, over the columns.

use super::Op;
use crate::Float;
use crate::linalg::{self, mean_of, sum};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Sums and means
/// Over all entries, the rows, the columns.
impl<T: Float> Tape<T> {
    /// Σ of all entries: 1×1. Of no entries: 0.
    ///
    /// Backward: dxᵢⱼ = dy.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn sum(&mut self, x: impl Into<Var>) -> Var {
        self.reduce(Op::Sum, Over::All, x)
    }

    /// Mean of all entries: 1×1. Of no entries: NaN, as in NumPy.
    ///
    /// Backward: dxᵢⱼ = dy/mn.
    #[track_caller]
    pub fn mean(&mut self, x: impl Into<Var>) -> Var {
        self.reduce(Op::Mean, Over::All, x)
    }

    /// Σ of the rows of m×n: 1×n, the sum of each column. Of no rows: 0.
    ///
    /// Backward: dxᵢⱼ = dyⱼ.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.constant_slice(2, 3, &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
    /// let over_rows = tape.sum_rows(x);
    /// let over_cols = tape.sum_cols(x);
    /// assert_eq!(tape.value_slice(over_rows), [11.0, 22.0, 33.0]);
    /// assert_eq!(tape.value_slice(over_cols), [6.0, 60.0]);
    /// ```
    #[track_caller]
    pub fn sum_rows(&mut self, x: impl Into<Var>) -> Var {
        self.reduce(Op::SumRows, Over::Rows, x)
    }

    /// Σ of the columns of m×n: m×1, the sum of each row. Of no columns: 0.
    ///
    /// Backward: dxᵢⱼ = dyᵢ.
    #[track_caller]
    pub fn sum_cols(&mut self, x: impl Into<Var>) -> Var {
        self.reduce(Op::SumCols, Over::Cols, x)
    }

    /// Mean of the rows of m×n: 1×n, the mean of each column. Of no rows: NaN, as in NumPy.
    ///
    /// Backward: dxᵢⱼ = dyⱼ/m.
    #[track_caller]
    pub fn mean_rows(&mut self, x: impl Into<Var>) -> Var {
        self.reduce(Op::MeanRows, Over::Rows, x)
    }

    /// Mean of the columns of m×n: m×1, the mean of each row. Of no columns: NaN, as in NumPy.
    ///
    /// Backward: dxᵢⱼ = dyᵢ/n.
    #[track_caller]
    pub fn mean_cols(&mut self, x: impl Into<Var>) -> Var {
        self.reduce(Op::MeanCols, Over::Cols, x)
    }

    #[track_caller]
    fn reduce(&mut self, op: Op, over: Over, x: impl Into<Var>) -> Var {
        let (op, x) = (op.get(), x.into());
        let shape = self.shape_under(op, x);
        self.apply(op, &[x], over.shape(shape), Args::NONE)
    }
}

/// What a reduction runs over.
#[derive(Clone, Copy)]
pub(super) enum Over {
    /// All entries: 1×1.
    All,
    /// The rows, which leaves a number per column: 1×n.
    Rows,
    /// The columns, which leaves a number per row: m×1.
    Cols,
}

impl Over {
    /// Shape of the result.
    pub fn shape(self, x: Shape) -> Shape {
        match self {
            Over::All => Shape::SCALAR,
            Over::Rows => Shape::new(1, x.cols),
            Over::Cols => Shape::new(x.rows, 1),
        }
    }

    /// How many entries go into each number of the result.
    pub fn count(self, x: Shape) -> usize {
        match self {
            Over::All => x.numel(),
            Over::Rows => x.rows,
            Over::Cols => x.cols,
        }
    }
}

/// The rows of a matrix; as many as it has, even where they are empty.
pub(super) fn rows_of<T>(x: &[T], shape: Shape) -> impl Iterator<Item = &[T]> {
    (0..shape.rows).map(move |i| &x[i * shape.cols..][..shape.cols])
}

/// sumsⱼ ← Σᵢ term(xᵢⱼ), in the order of [`linalg::column_sums`].
#[inline(always)]
pub(super) fn column_sums<T: Float>(x: &[T], sums: &mut [T], term: impl Fn(T) -> T + Sync) {
    linalg::column_sums(
        x.len(),
        sums.len(),
        #[inline(always)]
        |start, part| part.iter_mut().zip(&x[start..]).for_each(|(sum, x)| *sum += term(*x)),
        #[inline(always)]
        |column, part| sums[column..][..part.len()].copy_from_slice(part),
    );
}

pub(super) struct Reduce {
    pub name: &'static str,
    pub over: Over,
    pub mean: bool,
}

impl Reduce {
    fn divisor<T: Float>(&self, x: Shape) -> T {
        if self.mean { T::of(self.over.count(x) as f64) } else { T::ONE }
    }

    /// Σ of some numbers, or their mean.
    #[inline(always)]
    fn of<T: Float>(&self, x: &[T]) -> T {
        if self.mean { mean_of(x, |x| x) } else { sum(x) }
    }
}

/// The mean of the columns' sums `y` of m rows; where a sum has overflowed, from the quotients. Only where all numbers
/// are within some roundings of the largest number may that overflow as well.
fn means_of_columns<T: Float>(x: &[T], shape: Shape, y: &mut [T]) {
    let m = T::of(shape.rows as f64);
    y.iter_mut().for_each(|y| *y /= m);
    if !x.is_empty() {
        for (j, y) in y.iter_mut().enumerate().filter(|(_, y)| !y.is_finite()) {
            *y = T::of(rows_of(x, shape).map(|row| (row[j] / m).to_f64()).sum());
        }
    }
}

impl<T: Float> Operation<T> for Reduce {
    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        let y = cx.y();
        match self.over {
            Over::All => y[0] = self.of(x),
            Over::Cols => y.iter_mut().zip(rows_of(x, shape)).for_each(|(y, row)| *y = self.of(row)),
            Over::Rows => {
                column_sums(x, y, |x| x);
                if self.mean {
                    means_of_columns(x, shape, y);
                }
            }
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, n) = (cx.dy(), self.divisor::<T>(cx.shape(0)));
        match self.over {
            Over::All => cx.add_constant(0, dy[0] / n),
            Over::Rows => cx.add_rows(
                0,
                #[inline(always)]
                |_, mut dx| {
                    dx.add_map(
                        dy,
                        #[inline(always)]
                        |dy| dy / n,
                    )
                },
            ),
            Over::Cols => cx.add_rows(
                0,
                #[inline(always)]
                |i, mut dx| dx.add_constant(dy[i] / n),
            ),
        }
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (dy, divisor) = (cx.dy(), self.divisor::<T>(cx.shape(0)));
        // It stands for all entries that it is of.
        cx.add_with(0, |tape| {
            if !self.mean {
                return dy;
            }
            let divisor = tape.scalar(divisor);
            tape.div(dy, divisor)
        });
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use crate::Tape;
    use crate::ops::testing::{check_op, filled};
    use crate::tape::Var;

    type Op = fn(&mut Tape, Var) -> Var;

    const SUMS: [Op; 3] = [|t, x| t.sum(x), |t, x| t.sum_rows(x), |t, x| t.sum_cols(x)];
    const MEANS: [Op; 3] = [|t, x| t.mean(x), |t, x| t.mean_rows(x), |t, x| t.mean_cols(x)];

    #[test]
    fn gradients() {
        for op in SUMS.iter().chain(&MEANS) {
            for (m, n) in [(1, 1), (3, 4), (1, 7), (70, 1), (0, 3), (2, 0), (0, 0)] {
                check_op(&[filled(m, n)], |t, x| op(t, x[0]));
            }
        }
    }

    #[test]
    fn sums_and_means_of_nothing() {
        let value = |op: Op, m, n| -> DMatrix<f64> {
            let mut tape = Tape::new();
            let x = tape.constant(&filled(m, n));
            let y = op(&mut tape, x);
            tape.value(y).to_dmatrix()
        };
        for (m, n) in [(0, 3), (2, 0), (0, 0)] {
            assert_eq!(value(SUMS[0], m, n), DMatrix::zeros(1, 1));
            assert_eq!(value(SUMS[1], m, n), DMatrix::zeros(1, n));
            assert_eq!(value(SUMS[2], m, n), DMatrix::zeros(m, 1));
            assert!(value(MEANS[0], m, n)[0].is_nan());
        }
        let nan = |x: DMatrix<f64>, len| x.len() == len && x.iter().all(|x| x.is_nan());
        assert!(nan(value(MEANS[1], 0, 3), 3));
        assert!(nan(value(MEANS[2], 2, 0), 2));
        assert!(nan(value(MEANS[1], 2, 0), 0));
    }

    #[test]
    fn means_of_numbers_whose_sum_is_out_of_range() {
        let x = [3e38f32, 3e38, -3e38, 3e38, 3e38, 1.0];
        let mut tape = Tape::<f32>::default();
        let x = tape.variable_slice(3, 2, &x);
        let (all, rows, cols) = (tape.mean(x), tape.mean_rows(x), tape.mean_cols(x));
        let near = |found: &[f32], expected: &[f32]| {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e32), "{found:?}");
        };
        near(tape.value_slice(all), &[1.5e38]);
        near(tape.value_slice(rows), &[1e38, 2e38]);
        near(tape.value_slice(cols), &[3e38, 0.0, 1.5e38]);
    }

    /// A running sum of so many numbers of `f32` is off by 10⁻³ and more.
    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn many_entries_keep_their_digits() {
        type Op = fn(&mut Tape<f32>, Var) -> Var;
        const MANY: usize = 2_000_000;
        let x = f64::from(0.1f32);
        let zeros = |t: &mut Tape<f32>, x| {
            let shape = t.shape(x);
            t.constant_with(shape.rows, shape.cols, |_| ())
        };
        let losses: [(Op, f64); 4] = [
            (|t, x| t.mse(x, x), 0.0),
            (|t, x| t.variance(x), 0.0),
            (|t, x| t.logsumexp(x), x + libm::log(MANY as f64)),
            (|t, x| t.norm(x), x * libm::sqrt(MANY as f64)),
        ];
        let sums: [(Op, f64); 4] = [
            (|t, x| t.sum(x), x * MANY as f64),
            (|t, x| t.sum_cols(x), x * MANY as f64),
            (|t, x| t.mean(x), x),
            (|t, x| t.mean_cols(x), x),
        ];
        let check = |found: f32, right: f64, what: &str| {
            let error = if right == 0.0 { f64::from(found) } else { f64::from(found) / right - 1.0 };
            assert!(error.abs() < 4e-6, "{what}: {found:e}, not {right:e}");
        };
        let mut tape = Tape::<f32>::default();
        let row = tape.constant_with(1, MANY, |x| x.fill(0.1));
        for (op, right) in sums.into_iter().chain(losses) {
            let y = op(&mut tape, row);
            check(tape.item(y), right, tape.op_name(y));
        }
        let zero = zeros(&mut tape, row);
        let one_half = tape.constant_with(1, MANY, |x| x.fill(0.5));
        for (y, right) in [
            (tape.mse(row, zero), x * x),
            (tape.mae(row, zero), x),
            (tape.huber(row, zero, 1.0), 0.5 * x * x),
            (tape.bce_with_logits(zero, one_half), std::f64::consts::LN_2),
        ] {
            check(tape.item(y), right, tape.op_name(y));
        }
        tape.rewind();
        let column = tape.constant_with(MANY, 1, |x| x.fill(0.1));
        for (op, right) in sums {
            let y = op(&mut tape, column);
            if tape.shape(y).rows == 1 {
                check(tape.item(y), right, tape.op_name(y));
            }
        }
        for (y, right) in [
            (tape.sum_rows(column), x * MANY as f64),
            (tape.mean_rows(column), x),
            (tape.norm_rows(column), x * libm::sqrt(MANY as f64)),
        ] {
            check(tape.item(y), right, tape.op_name(y));
        }
        let y = tape.cross_entropy(column, &vec![0; MANY]);
        check(tape.item(y), 0.0, "cross_entropy");
        tape.rewind();
        let rows = tape.constant_with(200_000, 2, |_| ());
        let y = tape.cross_entropy(rows, &vec![1; 200_000]);
        check(tape.item(y), std::f64::consts::LN_2, "cross_entropy");
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn many_rows_keep_their_digits() {
        let mut tape = Tape::<f32>::default();
        let x = tape.constant_with(100_000, 2, |x| x.fill(0.1));
        let y = tape.mean_rows(x);
        for mean in tape.value_slice(y) {
            assert!((mean - 0.1).abs() < 3e-7, "{mean}");
        }
    }
}
