//! Variances: over all entries, over the rows, over the columns.

use super::Op;
use super::reduce::Over;
use crate::Float;
use crate::linalg::{centre, centre_columns};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Tape, Var};

/// # Variances
/// Over all entries, the rows, the columns.
impl<T: Float> Tape<T> {
    /// Population variance Σ(x − μ)²/N of all N entries, with their mean μ: 1×1. Of no entries: NaN.
    ///
    /// The biased estimate, as NumPy's `var` and as in normalisation layers; see
    /// [`unbiased_variance`](Tape::unbiased_variance) for the other one. Corrected for the rounding of μ: of
    /// equal entries it is exactly 0.
    /// Backward: dx = 2(x − μ)/N · dy.
    ///
    /// # Panics
    /// If `x` is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.constant_slice(1, 4, &[1.0, 2.0, 3.0, 4.0]);
    /// let population = tape.variance(x);
    /// let sample = tape.unbiased_variance(x);
    /// assert_eq!((tape.item(population), tape.item(sample)), (5.0 / 4.0, 5.0 / 3.0));
    /// ```
    #[track_caller]
    pub fn variance(&mut self, x: impl Into<Var>) -> Var {
        self.variance_over(Op::Variance, Over::All, x)
    }

    /// Population variance of each column of m×n, over its m rows: 1×n. Of no rows: NaN.
    ///
    /// Backward: dxᵢⱼ = 2(xᵢⱼ − μⱼ)/m · dyⱼ.
    #[track_caller]
    pub fn variance_rows(&mut self, x: impl Into<Var>) -> Var {
        self.variance_over(Op::VarianceRows, Over::Rows, x)
    }

    /// Population variance of each row of m×n, over its n columns: m×1. Of no columns: NaN.
    ///
    /// Backward: dxᵢⱼ = 2(xᵢⱼ − μᵢ)/n · dyᵢ.
    #[track_caller]
    pub fn variance_cols(&mut self, x: impl Into<Var>) -> Var {
        self.variance_over(Op::VarianceCols, Over::Cols, x)
    }

    /// Sample variance Σ(x − μ)²/(N − 1) of all N entries: 1×1. Of fewer than two entries: NaN.
    ///
    /// Backward: dx = 2(x − μ)/(N − 1) · dy.
    #[track_caller]
    pub fn unbiased_variance(&mut self, x: impl Into<Var>) -> Var {
        self.variance_over(Op::UnbiasedVariance, Over::All, x)
    }

    /// Sample variance of each column of m×n, over its m rows: 1×n. Of fewer than two rows: NaN.
    ///
    /// Backward: dxᵢⱼ = 2(xᵢⱼ − μⱼ)/(m − 1) · dyⱼ.
    #[track_caller]
    pub fn unbiased_variance_rows(&mut self, x: impl Into<Var>) -> Var {
        self.variance_over(Op::UnbiasedVarianceRows, Over::Rows, x)
    }

    /// Sample variance of each row of m×n, over its n columns: m×1. Of fewer than two columns: NaN.
    ///
    /// Backward: dxᵢⱼ = 2(xᵢⱼ − μᵢ)/(n − 1) · dyᵢ.
    #[track_caller]
    pub fn unbiased_variance_cols(&mut self, x: impl Into<Var>) -> Var {
        self.variance_over(Op::UnbiasedVarianceCols, Over::Cols, x)
    }

    #[track_caller]
    fn variance_over(&mut self, op: Op, over: Over, x: impl Into<Var>) -> Var {
        let (op, x) = (op.get(), x.into());
        let shape = self.shape_under(op, x);
        let to = over.shape(shape);
        self.apply(op, &[x], to, Args::NONE.saving(shape.numel() + to.numel()))
    }
}

/// Saves x − μ, and behind it μ: the difference of large numbers is taken once, and before anything is squared.
pub(super) struct Variance {
    pub name: &'static str,
    pub over: Over,
    pub unbiased: bool,
}

impl Variance {
    fn divisor<T: Float>(&self, count: usize) -> T {
        // Not below 0, so that too few entries give 0/0.
        T::of(count.saturating_sub(usize::from(self.unbiased)) as f64)
    }
}

/// deviations ← x − mean; returns Σ of their squares over `divisor`, which may be finite where Σ is not.
fn deviations<T: Float>(x: &[T], deviations: &mut [T], mean: &mut T, divisor: T) -> T {
    let moments = centre(x, deviations);
    *mean = moments.mean;
    if moments.scale == T::ONE {
        return moments.squares / divisor;
    }
    deviations.iter_mut().for_each(|d| *d /= moments.scale);
    moments.squares / divisor / moments.scale / moments.scale
}

impl<T: Float> Operation<T> for Variance {
    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        let count = self.over.count(shape);
        let (y, saved) = cx.y_and_saved();
        let (saved, means) = saved.split_at_mut(shape.numel());
        let divisor = self.divisor::<T>(count);
        match self.over {
            Over::All => y[0] = deviations(x, saved, &mut means[0], divisor),
            Over::Cols => {
                for (i, (y, mean)) in y.iter_mut().zip(means).enumerate() {
                    let row = i * shape.cols..(i + 1) * shape.cols;
                    *y = deviations(&x[row.clone()], &mut saved[row], mean, divisor);
                }
            }
            Over::Rows => centre_columns(x, saved, means, y, divisor),
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (shape, dy) = (cx.shape(0), cx.dy());
        let deviations = &cx.saved()[..shape.numel()];
        let factor = T::of(2.0) / self.divisor::<T>(self.over.count(shape));
        let row = |i: usize| &deviations[i * shape.cols..][..shape.cols];
        match self.over {
            Over::All => cx.add_map(0, deviations, |d| factor * d * dy[0]),
            Over::Rows => cx.add_rows(
                0,
                #[inline(always)]
                |i, mut dx| {
                    dx.add_zip(
                        row(i),
                        dy,
                        #[inline(always)]
                        |d, dy| factor * d * dy,
                    )
                },
            ),
            Over::Cols => cx.add_rows(
                0,
                #[inline(always)]
                |i, mut dx| {
                    dx.add_map(
                        row(i),
                        #[inline(always)]
                        |d| factor * d * dy[i],
                    )
                },
            ),
        }
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let x = cx.x(0);
        let factor = T::of(2.0) / self.divisor::<T>(self.over.count(cx.shape(0)));
        cx.add_slope(0, |tape| {
            let deviation = record_deviations(tape, x, self.over);
            tape.scale(deviation, factor)
        });
    }
}

/// x − μ, as operations, without the rounding of the mean.
pub(super) fn record_deviations<T: Float>(tape: &mut Tape<T>, x: Var, over: Over) -> Var {
    let mean_of = |tape: &mut Tape<T>, x: Var| match over {
        Over::All => tape.mean(x),
        Over::Rows => tape.mean_rows(x),
        Over::Cols => tape.mean_cols(x),
    };
    let mean = mean_of(tape, x);
    let deviation = tape.sub(x, mean);
    // What is left of the mean is 0 but for rounding, and so is its derivative.
    let rounding = mean_of(tape, deviation);
    let rounding = tape.detach(rounding);
    tape.sub(deviation, rounding)
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use crate::Tape;
    use crate::ops::testing::{check_op, feasible, filled};
    use crate::tape::Var;

    type Op = fn(&mut Tape, Var) -> Var;

    const BIASED: [Op; 3] = [|t, x| t.variance(x), |t, x| t.variance_rows(x), |t, x| t.variance_cols(x)];
    const UNBIASED: [Op; 3] = [
        |t, x| t.unbiased_variance(x),
        |t, x| t.unbiased_variance_rows(x),
        |t, x| t.unbiased_variance_cols(x),
    ];

    #[test]
    fn gradients() {
        for op in BIASED {
            for (m, n) in [(1, 1), (3, 4), (70, 2), (2, 70), (0, 3), (2, 0)] {
                check_op(&[filled(m, n)], |t, x| op(t, x[0]));
            }
        }
        for op in UNBIASED {
            for (m, n) in [(2, 2), (3, 4), (0, 3), (2, 0)] {
                check_op(&[filled(m, n)], |t, x| op(t, x[0]));
            }
        }
    }

    fn value(op: Op, x: &DMatrix<f64>) -> DMatrix<f64> {
        let mut tape = Tape::new();
        let x = tape.constant(x);
        let y = op(&mut tape, x);
        tape.value(y).to_dmatrix()
    }

    #[test]
    fn values() {
        let x = filled(4, 3);
        let close = |a: DMatrix<f64>, b: DMatrix<f64>| assert!((&a - &b).abs().max() < 1e-15, "{a} {b}");
        close(value(BIASED[0], &x), DMatrix::from_element(1, 1, x.variance()));
        close(value(BIASED[1], &x), DMatrix::from_fn(1, 3, |_, j| x.column(j).variance()));
        close(value(BIASED[2], &x), DMatrix::from_fn(4, 1, |i, _| x.row(i).variance()));
        for (biased, unbiased, n) in
            [(BIASED[0], UNBIASED[0], 12.0), (BIASED[1], UNBIASED[1], 4.0), (BIASED[2], UNBIASED[2], 3.0)]
        {
            close(value(unbiased, &x), value(biased, &x) * (n / (n - 1.0)));
        }
    }

    #[test]
    fn a_large_mean_costs_no_digits() {
        let x = filled(40, 2).map(|x| x * 2f64.powi(-20)).map(|x| 1e6 + x);
        let centred = x.map(|x| x - 1e6);
        for op in BIASED {
            let (far, near) = (value(op, &x), value(op, &centred));
            // What is left is the rounding of the means, 1e-10, squared.
            assert!((far - near).abs().max() < 1e-19);
        }
    }

    /// Figures in exact arithmetic, of the entries as the type rounds them.
    #[test]
    fn large_and_close_entries() {
        let of = |op: fn(&mut Tape<f32>, Var) -> Var, rows, x: &[f32]| {
            let mut tape = Tape::<f32>::default();
            let x = tape.variable_slice(rows, x.len() / rows, x);
            let y = op(&mut tape, x);
            tape.backward_with(y, |dy| dy.fill(1.0));
            (f64::from(tape.value_slice(y)[0]), tape.grad_slice(x).to_vec())
        };
        let x = [54_321.12f32, 54_321.13, 54_321.14];
        let close =
            |found: f64, right: f64| assert!((found / right - 1.0).abs() < 1e-6, "{found:e}, {right:e}");
        for (found, right) in [
            (of(|t, x| t.variance(x), 1, &x), 6.442599826388889e-5),
            (of(|t, x| t.variance_cols(x), 1, &x), 6.442599826388889e-5),
            (of(|t, x| t.variance_rows(x), 3, &x), 6.442599826388889e-5),
            (of(|t, x| t.unbiased_variance(x), 1, &x), 9.663899739583333e-5),
            (of(|t, x| t.unbiased_variance_cols(x), 1, &x), 9.663899739583333e-5),
            (of(|t, x| t.unbiased_variance_rows(x), 3, &x), 9.663899739583333e-5),
        ] {
            close(found.0, right);
            let divisor = if right > 9e-5 { 2.0 } else { 3.0 };
            for (dx, d) in
                found.1.iter().zip([-0.009114583333333334, -0.0013020833333333333, 0.010416666666666666])
            {
                assert!((f64::from(*dx) - 2.0 * d / divisor).abs() < 1e-8, "{dx}");
            }
        }
        for n in [2, 5, 1000].into_iter().filter(|n| feasible(*n)) {
            for rows in [1, n] {
                let along: fn(&mut Tape<f32>, Var) -> Var =
                    if rows == 1 { |t, x| t.variance_cols(x) } else { |t, x| t.variance_rows(x) };
                let all: fn(&mut Tape<f32>, Var) -> Var = |t, x| t.variance(x);
                for op in [all, along] {
                    let (y, dx) = of(op, rows, &vec![525_029.94; n]);
                    assert!(y == 0.0 && dx.iter().all(|dx| *dx == 0.0), "{n}: {y:e}");
                }
            }
        }
        // Beyond the type, and not NaN.
        let (y, dx) = of(|t, x| t.variance(x), 1, &[1e20, -1e20, 2e20, 0.0]);
        assert_eq!(y, f64::INFINITY);
        assert!((dx[2] / 7.5e19 - 1.0).abs() < 1e-6, "{dx:?}");
        assert_eq!(of(|t, x| t.variance_rows(x), 2, &[3e38, -3e38]).0, f64::INFINITY);
        // Only the sum of the squares is beyond it.
        let x = [1e19, -1e19, 1e19, -1e19];
        close(of(|t, x| t.variance(x), 1, &x).0, 1e38);
        close(of(|t, x| t.variance_cols(x), 1, &x).0, 1e38);
        close(of(|t, x| t.variance_rows(x), 4, &x).0, 1e38);
        let x = DMatrix::from_row_slice(1, 2, &[1e14, 1e14 + 1.0]);
        assert_eq!((value(BIASED[0], &x)[0], value(BIASED[2], &x)[0]), (0.25, 0.25));
        assert_eq!(value(BIASED[1], &x.transpose())[0], 0.25);
    }

    #[test]
    fn of_too_few_entries() {
        let nan = |op: Op, m, n, len| {
            let y = value(op, &filled(m, n));
            assert!(y.len() == len && y.iter().all(|y| y.is_nan()), "{y}");
        };
        for ops in [BIASED, UNBIASED] {
            nan(ops[0], 0, 3, 1);
            nan(ops[1], 0, 3, 3);
            nan(ops[2], 2, 0, 2);
        }
        nan(UNBIASED[0], 1, 1, 1);
        nan(UNBIASED[1], 1, 3, 3);
        nan(UNBIASED[2], 2, 1, 2);
        assert_eq!(value(BIASED[0], &filled(1, 1)), DMatrix::zeros(1, 1));
    }
}
