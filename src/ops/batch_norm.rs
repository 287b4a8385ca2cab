//! Batch normalisation, in two operations: the statistics of a batch, and the normalisation by them.

use super::layer_norm::{add_affine, check_epsilon, check_scale_and_shift};
use super::reduce::column_sums;
use crate::tape::{Args, Backward, Forward, Operation, Shape, Tape, Var};
use crate::{Error, Float, Result};

impl<T: Float> Tape<T> {
    /// Mean and population variance of each column of m×n, over its m rows: 2×n, the means above the
    /// variances.
    ///
    /// Backward, with dy of two rows: dxᵢⱼ = dy₁ⱼ/m + 2(xᵢⱼ − μⱼ)/m · dy₂ⱼ.
    ///
    /// # Panics
    /// If m < 2, since one sample has no variance to normalise by: leave a last batch of one sample out,
    /// or join it to the one before. If `x` is stale.
    #[track_caller]
    pub fn batch_statistics(&mut self, x: impl Into<Var>) -> Var {
        let x = x.into();
        let shape = self.shape_for("batch_statistics", x);
        assert!(
            shape.rows >= 2,
            "batch_statistics: {x} is {shape}, but batch normalisation needs at least two samples to train on"
        );
        let args = Args::NONE.saving(shape.len());
        self.apply(&BatchStatistics, &[x], Shape::new(2, shape.cols), args)
    }

    /// γ ∘ x̂ + β with x̂ = (x − μ)/√(σ² + ε) by column, for x of m×n, the means μ and variances σ² in the
    /// rows of `statistics` of 2×n, and γ and β of 1×n: m×n.
    ///
    /// Ioffe and Szegedy, *Batch Normalization*, arXiv:1502.03167. While training, the statistics are
    /// those of the batch, [`batch_statistics`](Tape::batch_statistics), and the gradient flows through
    /// them as well; in evaluation they are constants. [`RunningStatistics`] does both; ε = 10⁻⁵ is usual.
    /// Backward: dx = γ ∘ dy/√(σ² + ε), dγ = Σᵢ dyᵢ ∘ x̂ᵢ, dβ = Σᵢ dyᵢ, dμ = −Σᵢ dxᵢ,
    /// dσ² = −½ Σᵢ dxᵢ ∘ x̂ᵢ/√(σ² + ε).
    ///
    /// # Panics
    /// If the statistics are not 2×n, γ or β is not 1×n, ε is not positive, or an operand is stale.
    #[track_caller]
    pub fn batch_norm(
        &mut self,
        x: impl Into<Var>,
        statistics: impl Into<Var>,
        gamma: impl Into<Var>,
        beta: impl Into<Var>,
        epsilon: T,
    ) -> Var {
        let (x, statistics, gamma, beta) = (x.into(), statistics.into(), gamma.into(), beta.into());
        let shape = self.shape_for("batch_norm", x);
        let found = self.shape_for("batch_norm", statistics);
        let expected = Shape::new(2, shape.cols);
        assert!(
            found == expected,
            "batch_norm: {x} is {shape} but the statistics, {statistics}, are {found} (expected {expected})"
        );
        check_scale_and_shift(self, "batch_norm", x, gamma, beta);
        check_epsilon("batch_norm", epsilon);
        let args = Args::scalar(epsilon).saving(shape.len() + shape.cols);
        self.apply(&BatchNorm, &[x, statistics, gamma, beta], shape, args)
    }
}

/// Saves x − μ, m×n.
struct BatchStatistics;

impl<T: Float> Operation<T> for BatchStatistics {
    fn name(&self) -> &'static str {
        "batch_statistics"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        let m = T::of(shape.rows as f64);
        let (y, saved) = cx.y_and_saved();
        let (means, variances) = y.split_at_mut(shape.cols);
        let deviations = saved;
        column_sums(x, means, |x| x);
        means.iter_mut().for_each(|sum| *sum /= m);
        let cols = shape.cols.max(1);
        for (d, x) in deviations.chunks_mut(cols).zip(x.chunks(cols)) {
            d.iter_mut().zip(x.iter().zip(&*means)).for_each(|(d, (x, mean))| *d = *x - *mean);
        }
        column_sums(deviations, variances, |d| d * d);
        variances.iter_mut().for_each(|sum| *sum /= m);
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (saved, shape) = (cx.saved(), cx.shape(0));
        let (dmeans, dvariances) = cx.dy().split_at(shape.cols);
        let (weight, two) = (T::ONE / T::of(shape.rows as f64), T::of(2.0));
        cx.add_rows(0, |i, mut dx| {
            let deviations = &saved[i * shape.cols..][..shape.cols];
            dx.add_zip3(dmeans, dvariances, deviations, |dmean, dvariance, d| {
                weight * (dmean + two * d * dvariance)
            });
        });
    }
}

/// Saves x̂, m×n, and behind it 1/√(σ² + ε) of every column.
struct BatchNorm;

impl<T: Float> Operation<T> for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, statistics, gamma, beta, shape) = (cx.x(0), cx.x(1), cx.x(2), cx.x(3), cx.shape(0));
        let epsilon = cx.args().scalars[0];
        let (means, variances) = statistics.split_at(shape.cols);
        let (y, saved) = cx.y_and_saved();
        let (normal, scales) = saved.split_at_mut(shape.len());
        scales.iter_mut().zip(variances).for_each(|(s, v)| *s = T::ONE / (*v + epsilon).sqrt());
        let cols = shape.cols.max(1);
        for ((y, normal), x) in y.chunks_mut(cols).zip(normal.chunks_mut(cols)).zip(x.chunks(cols)) {
            for (((d, x), mean), scale) in normal.iter_mut().zip(x).zip(means).zip(&*scales) {
                *d = (*x - *mean) * *scale;
            }
            for (((y, d), gamma), beta) in y.iter_mut().zip(&*normal).zip(gamma).zip(beta) {
                *y = *gamma * *d + *beta;
            }
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (gamma, dy, shape) = (cx.x(2), cx.dy(), cx.y_shape());
        let (normal, scales) = cx.saved().split_at(shape.len());
        let cols = shape.cols;
        cx.add_rows(0, |i, mut dx| {
            dx.add_zip3(&dy[i * cols..][..cols], gamma, scales, |dy, gamma, scale| gamma * dy * scale);
        });
        cx.add_at(1, |mut dstatistics| {
            let half = T::of(0.5);
            for (dy, normal) in dy.chunks(cols.max(1)).zip(normal.chunks(cols.max(1))) {
                dstatistics
                    .part(0, cols)
                    .add_zip3(dy, gamma, scales, |dy, gamma, scale| -(gamma * dy * scale));
                dstatistics.part(cols, cols).add_each(
                    #[inline(always)]
                    |j| -half * (gamma[j] * dy[j] * scales[j]) * normal[j] * scales[j],
                );
            }
        });
        add_affine(&mut cx, normal, 2, 3);
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {:e}", args.scalars[0])
    }
}

/// Means and variances of a layer's inputs over the batches of a training, for evaluation.
///
/// After each batch, r ← (1 − ρ)r + ρs with the batch's statistics s, and the momentum ρ. As in
/// PyTorch, the means begin at 0 and the variances at 1, and the variance that is taken in is the sample
/// variance m/(m − 1)·σ², while the batch is normalised by the population variance σ².
///
/// The statistics are no parameters: no optimizer touches them, and what saves or averages parameters
/// does not know them.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::ops::RunningStatistics;
///
/// let mut tape = Tape::new();
/// let gamma = tape.param_slice(1, 1, &[1.0]);
/// let beta = tape.param_slice(1, 1, &[0.0]);
/// let mut running = RunningStatistics::new(1, 1.0, 1e-9)?;
/// let x = tape.constant_slice(2, 1, &[3.0, 5.0]);
/// let y = running.train(&mut tape, x, gamma, beta);
/// assert!((tape.value(y)[(1, 0)] - 1.0).abs() < 1e-8);
/// // The sample variance of 3 and 5 is 2.
/// assert_eq!((running.means(), running.variances()), (&[4.0][..], &[2.0][..]));
/// let y = running.evaluate(&mut tape, x, gamma, beta);
/// assert!((tape.value(y)[(1, 0)] - 0.5f64.sqrt()).abs() < 1e-8);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RunningStatistics<T> {
    /// The means, and behind them the variances.
    values: Vec<T>,
    momentum: T,
    epsilon: T,
}

impl<T: Float> RunningStatistics<T> {
    /// For n columns; momentum ρ = 0.1 and ε = 10⁻⁵ are usual.
    ///
    /// # Errors
    /// [`Error::Setting`] if ρ is not in [0, 1], or ε not positive and finite.
    pub fn new(columns: usize, momentum: f64, epsilon: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&momentum) {
            return Err(Error::setting("momentum", format!("{momentum} is not in the range 0 to 1")));
        }
        let small = T::of(epsilon);
        if !(small > T::ZERO && small.is_finite()) {
            let why = format!("{epsilon} is not positive and finite (as {})", T::NAME);
            return Err(Error::setting("eps", why));
        }
        let mut values = vec![T::ZERO; columns];
        values.resize(2 * columns, T::ONE);
        Ok(RunningStatistics { values, momentum: T::of(momentum), epsilon: small })
    }

    /// Normalises the batch `x` by its own statistics, and takes these in.
    ///
    /// # Panics
    /// As [`Tape::batch_statistics`] for a single sample, as [`Tape::batch_norm`], and if `x` has another
    /// number of columns than this.
    #[track_caller]
    pub fn train(
        &mut self,
        tape: &mut Tape<T>,
        x: impl Into<Var>,
        gamma: impl Into<Var>,
        beta: impl Into<Var>,
    ) -> Var {
        let x = x.into();
        self.check(tape, x);
        let statistics = tape.batch_statistics(x);
        self.take_in(tape.value_slice(statistics), tape.shape(x).rows);
        tape.batch_norm(x, statistics, gamma, beta, self.epsilon)
    }

    /// Normalises `x`, of any number of samples, by what has been taken in.
    ///
    /// # Panics
    /// As [`Tape::batch_norm`], and if `x` has another number of columns than this.
    #[track_caller]
    pub fn evaluate(
        &self,
        tape: &mut Tape<T>,
        x: impl Into<Var>,
        gamma: impl Into<Var>,
        beta: impl Into<Var>,
    ) -> Var {
        let x = x.into();
        self.check(tape, x);
        let statistics = tape.constant_slice(2, self.values.len() / 2, &self.values);
        tape.batch_norm(x, statistics, gamma, beta, self.epsilon)
    }

    /// The running means.
    pub fn means(&self) -> &[T] {
        &self.values[..self.values.len() / 2]
    }

    /// The running variances.
    pub fn variances(&self) -> &[T] {
        &self.values[self.values.len() / 2..]
    }

    /// The means, and behind them the variances: to save them.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The same, to change: to restore what was saved.
    pub fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    fn take_in(&mut self, statistics: &[T], rows: usize) {
        let unbiased = T::of(rows as f64 / (rows as f64 - 1.0));
        let (keep, momentum) = (T::ONE - self.momentum, self.momentum);
        let columns = self.values.len() / 2;
        for (j, (value, new)) in self.values.iter_mut().zip(statistics).enumerate() {
            let new = if j < columns { *new } else { unbiased * *new };
            *value = keep * *value + momentum * new;
        }
    }

    #[track_caller]
    fn check(&self, tape: &Tape<T>, x: Var) {
        let (shape, columns) = (tape.shape_for("RunningStatistics", x), self.values.len() / 2);
        assert!(
            shape.cols == columns,
            "RunningStatistics: {x} is {shape}, but the statistics are of {columns} columns"
        );
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{DMatrix, dmatrix};

    use super::RunningStatistics;
    use crate::ops::testing::{check_op, filled};
    use crate::{Error, Param, Tape};

    #[test]
    fn gradients() {
        for (m, n) in [(2, 1), (2, 4), (5, 3), (33, 2), (2, 0)] {
            let inputs = [filled(m, n) * 2.0, filled(1, n) * 1.5, filled(1, n) * -0.7];
            check_op(&inputs, |t, x| {
                let statistics = t.batch_statistics(x[0]);
                t.batch_norm(x[0], statistics, x[1], x[2], 1e-2)
            });
            check_op(&inputs[..1], |t, x| t.batch_statistics(x[0]));
        }
        for (m, n) in [(1, 1), (4, 3), (0, 3)] {
            let statistics = filled(2, n).abs();
            let inputs = [filled(m, n), statistics, filled(1, n), filled(1, n)];
            check_op(&inputs, |t, x| t.batch_norm(x[0], x[1], x[2], x[3], 1e-2));
        }
    }

    #[track_caller]
    fn close(found: &[f64], expected: &[f64]) {
        let error = found.iter().zip(expected).fold(0.0f64, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(found.len() == expected.len() && error < 1e-12, "{error:e}: {found:?}");
    }

    /// x and the scale and shift of the figures below.
    fn operands(tape: &mut Tape) -> [Param; 3] {
        let x = tape.param(&filled(4, 3));
        [x, tape.param(&dmatrix![1.5, -0.5, 2.0]), tape.param(&dmatrix![0.1, -0.2, 0.3])]
    }

    const UPSTREAM: [f64; 12] = [
        0.5900000000000001,
        -0.746068,
        0.11786400000000015,
        0.8817960000000002,
        -0.45427199999999973,
        0.40965999999999986,
        -0.9264079999999997,
        -0.162476,
        0.7014560000000005,
        -0.634612,
        0.22932000000000058,
        0.9932520000000011,
    ];

    #[test]
    fn figures_of_pytorch() {
        let mut tape = Tape::new();
        let [x, gamma, beta] = operands(&mut tape);
        let mut running = RunningStatistics::new(3, 0.1, 1e-5).unwrap();
        let y = running.train(&mut tape, x, gamma, beta);
        tape.backward_with(y, |dy| dy.copy_from_slice(&UPSTREAM));
        close(
            tape.value_slice(y),
            &[
                -0.09026814099032128,
                -0.8411460874574875,
                3.141720410702262,
                -0.7261872200595393,
                -0.4368100342251881,
                0.9701040760284413,
                -1.3621062991287562,
                -0.032473980992889735,
                -0.6472401369007541,
                2.5785616601786168,
                0.5104301026755653,
                -2.264584349829949,
            ],
        );
        close(
            tape.grad_slice(x),
            &[
                1.2856144100812563,
                4.923697305370481e-05,
                0.13573860830170556,
                1.75843044717187,
                1.819037761754731e-05,
                -0.20458644391401054,
                -2.3453405541141104,
                -1.2856217819052492e-05,
                -0.045246202767235344,
                -0.6987043031390157,
                -5.457113285229578e-05,
                0.11409403837953985,
            ],
        );
        close(tape.grad_slice(gamma), &[-0.7061365260066073, -1.4432232414522783, -1.3011372209171663]);
        close(tape.grad_slice(beta), &[-0.0892239999999993, -1.1334959999999992, 2.2222320000000018]);
        close(running.means(), &[-0.036269408999999975, 0.042337389, -0.03905581299999999]);
        close(running.variances(), &[0.9631636508385872, 0.9173587840385873, 0.9173587840385873]);

        let other = tape.constant(&(filled(4, 3) * 2.0).add_scalar(1.0));
        running.train(&mut tape, other, gamma, beta);
        close(running.means(), &[-0.005181286099999929, 0.2227784281, -0.01326185769999996]);
        close(running.variances(), &[1.1195018891090773, 0.8950580417890778, 0.8950580417890777]);

        tape.zero_grad();
        let before = running.clone();
        let y = running.evaluate(&mut tape, x, gamma, beta);
        tape.backward_with(y, |dy| dy.copy_from_slice(&UPSTREAM));
        close(
            tape.value_slice(y),
            &[
                -0.530608694241009,
                -0.5505460963405046,
                0.586229000965262,
                -0.9442808861502688,
                -0.3963329484512687,
                -0.24202212405952406,
                -1.3579530780595281,
                -0.24211980056203322,
                -0.8588747156164659,
                1.2054937597036683,
                -0.03505701930583648,
                -1.4757273071734076,
            ],
        );
        close(
            tape.grad_slice(x),
            &[
                0.8364286797651193,
                0.394294202668214,
                0.2491627674865371,
                1.250100786613836,
                0.24008108648875817,
                0.8660152322043595,
                -1.3133461362099055,
                0.08586797030930257,
                1.482867696922184,
                -0.8996740293611893,
                -0.12119477923711387,
                2.099720161640008,
            ],
        );
        close(tape.grad_slice(gamma), &[-0.4292013657200345, -0.7907759344246496, -1.3824765050972614]);
        close(tape.grad_slice(beta), &[-0.0892239999999993, -1.1334959999999992, 2.2222320000000018]);
        assert_eq!(running, before);
    }

    #[test]
    fn columns_have_mean_zero_and_variance_one() {
        let mut tape = Tape::new();
        // Far from zero: the mean is taken away before anything is squared.
        let x = tape.constant(&filled(50, 6).map(|x| 1e6 + x));
        let gamma = tape.constant(&DMatrix::from_element(1, 6, 1.0));
        let beta = tape.constant(&DMatrix::zeros(1, 6));
        let mut running = RunningStatistics::new(6, 0.1, 1e-12).unwrap();
        let y = running.train(&mut tape, x, gamma, beta);
        for column in tape.value(y).column_iter() {
            assert!(column.mean().abs() < 1e-8 && (column.variance() - 1.0).abs() < 1e-9, "{column}");
        }
        // The same batch over and over: what is taken in converges to its statistics.
        for _ in 0..400 {
            running.train(&mut tape, x, gamma, beta);
        }
        let again = running.evaluate(&mut tape, x, gamma, beta);
        let shrunk = tape.value(y).clone_owned() * (49.0f64 / 50.0).sqrt();
        assert!((tape.value(again) - shrunk).abs().max() < 1e-7);
    }

    #[test]
    fn one_sample_in_evaluation() {
        let mut tape = Tape::new();
        let (x, one) = (tape.constant(&filled(1, 1)), tape.scalar(1.0));
        let y = RunningStatistics::new(1, 0.1, 1e-5).unwrap().evaluate(&mut tape, x, one, one);
        assert!(tape.item(y).is_finite());
    }

    #[test]
    #[should_panic(
        expected = "batch_statistics: v0 is 1×3, but batch normalisation needs at least two samples"
    )]
    fn one_sample_in_training() {
        let mut tape = Tape::new();
        let (x, gamma) = (tape.constant(&filled(1, 3)), tape.constant(&filled(1, 3)));
        RunningStatistics::new(3, 0.1, 1e-5).unwrap().train(&mut tape, x, gamma, gamma);
    }

    #[test]
    #[should_panic(expected = "RunningStatistics: v0 is 2×3, but the statistics are of 4 columns")]
    fn statistics_of_another_layer() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 3));
        RunningStatistics::new(4, 0.1, 1e-5).unwrap().train(&mut tape, x, x, x);
    }

    #[test]
    #[should_panic(expected = "batch_norm: v0 is 2×3 but the statistics, v1, are 2×2 (expected 2×3)")]
    fn statistics_that_do_not_fit() {
        let mut tape = Tape::new();
        let (x, s) = (tape.constant(&filled(2, 3)), tape.constant(&filled(2, 2)));
        tape.batch_norm(x, s, x, x, 1e-5);
    }

    #[test]
    fn settings_out_of_range() {
        for (momentum, epsilon, expected) in [
            (-0.1, 1e-5, "momentum"),
            (1.5, 1e-5, "momentum"),
            (f64::NAN, 1e-5, "momentum"),
            (0.1, 0.0, "eps"),
            (0.1, 1e-60, "eps"),
        ] {
            match RunningStatistics::<f32>::new(3, momentum, epsilon) {
                Err(Error::Setting { name, .. }) => assert_eq!(name, expected),
                other => panic!("{other:?}"),
            }
        }
    }
}
