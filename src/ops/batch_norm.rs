//! Batch normalisation, in two operations: the statistics of a batch, and the normalisation by them.

use super::Op;
use super::layer_norm::{add_affine, add_epsilon, check_epsilon, check_scale_and_shift, powers_in_range};
use super::reduce::column_sums;
use crate::Float;
use crate::linalg::{self, Huge, centre_columns, dot};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Batch normalisation
/// Column by column.
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
        let args = Args::NONE.saving(shape.numel());
        self.apply(Op::BatchStatistics.get(), &[x], Shape::new(2, shape.cols), args)
    }

    /// γ ∘ x̂ + β with x̂ = (x − μ)/√(σ² + ε) by column, for x of m×n, the means μ and variances σ² in the
    /// rows of `statistics` of 2×n, and γ and β of 1×n: m×n.
    ///
    /// Ioffe and Szegedy, *Batch Normalization*, arXiv:1502.03167. While training, the statistics are
    /// those of the batch, [`batch_statistics`](Tape::batch_statistics), and the gradient flows through
    /// them as well; in evaluation they are constants. [`nn::BatchNorm`](crate::nn::BatchNorm) does both;
    /// ε = 10⁻⁵ is usual.
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
        // The statistics of a batch are rounded, which shows where its numbers are large and close; what they
        // are of can tell. Running statistics are what they are.
        let of_batch = self.nodes_from(statistics.index()).next().is_some_and(|node| {
            node.op == Operation::<T>::name(&BatchStatistics) && node.inputs == [x.index() as u32]
        });
        let sizes = [if of_batch { OF_BATCH } else { 0 }, 0];
        let args = Args { sizes, ..Args::scalar(epsilon) }.saving(shape.numel() + shape.cols);
        self.apply(Op::BatchNorm.get(), &[x, statistics, gamma, beta], shape, args)
    }
}

/// Saves x − μ, m×n.
pub(super) struct BatchStatistics;

impl<T: Float> Operation<T> for BatchStatistics {
    fn name(&self) -> &'static str {
        "batch_statistics"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape) = (cx.x(0), cx.shape(0));
        let m = T::of(shape.rows as f64);
        let (y, saved) = cx.y_and_saved();
        let (means, variances) = y.split_at_mut(shape.cols);
        centre_columns(x, saved, means, variances, m);
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (saved, shape) = (cx.saved(), cx.shape(0));
        let (dmeans, dvariances) = cx.dy().split_at(shape.cols);
        let (weight, two) = (T::ONE / T::of(shape.rows as f64), T::of(2.0));
        cx.add_rows(
            0,
            #[inline(always)]
            |i, mut dx| {
                let deviations = &saved[i * shape.cols..][..shape.cols];
                dx.add_zip3(dmeans, dvariances, deviations, |dmean, dvariance, d| {
                    weight * (dmean + two * d * dvariance)
                });
            },
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        cx.through(|tape, x| {
            let (means, variances) = (tape.mean_rows(x[0]), tape.variance_rows(x[0]));
            tape.concat_rows(&[means, variances])
        });
    }
}

/// In the sizes of a node: the statistics are those of a batch.
const OF_BATCH: usize = 1;

/// Saves x̂, m×n, and behind it 1/√(σ² + ε) of every column.
pub(super) struct BatchNorm;

impl<T: Float> Operation<T> for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, statistics, gamma, beta, shape) = (cx.x(0), cx.x(1), cx.x(2), cx.x(3), cx.shape(0));
        let (epsilon, of_batch) = (cx.args().scalars[0], cx.args().sizes[0] == OF_BATCH);
        let (means, variances) = statistics.split_at(shape.cols);
        let (y, saved) = cx.y_and_saved();
        let (normal, scales) = saved.split_at_mut(shape.numel());
        scales.iter_mut().zip(variances).for_each(|(s, v)| *s = T::ONE / (*v + epsilon).sqrt());
        let cols = shape.cols.max(1);
        for (normal, x) in normal.chunks_mut(cols).zip(x.chunks(cols)) {
            normal.iter_mut().zip(x.iter().zip(means)).for_each(|(d, (x, mean))| *d = *x - *mean);
        }
        if of_batch {
            take_rounding(normal, means, &mut y[..shape.cols]);
        }
        for normal in normal.chunks_mut(cols) {
            normal.iter_mut().zip(&*scales).for_each(|(d, scale)| *d *= *scale);
        }
        if of_batch && variances.contains(&T::INFINITY) {
            normalize_huge(x, variances, normal, scales);
        }
        for (y, normal) in y.chunks_mut(cols).zip(normal.chunks(cols)) {
            for (((y, d), gamma), beta) in y.iter_mut().zip(normal).zip(gamma).zip(beta) {
                *y = *gamma * *d + *beta;
            }
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (gamma, dy, shape) = (cx.x(2), cx.dy(), cx.y_shape());
        let (normal, scales) = cx.saved().split_at(shape.numel());
        let cols = shape.cols;
        cx.add_rows(
            0,
            #[inline(always)]
            |i, mut dx| {
                dx.add_zip3(
                    &dy[i * cols..][..cols],
                    gamma,
                    scales,
                    #[inline(always)]
                    |dy, gamma, scale| gamma * dy * scale,
                );
            },
        );
        let variances = &cx.x(1)[cols..];
        // Of a variance that left the range of the type the gradient, with 1/σ² in it, leaves it at the other end.
        let is_huge = |j: usize| variances[j] == T::INFINITY;
        if cx.args().sizes[0] == OF_BATCH && variances.contains(&T::INFINITY) {
            cx.add_at(0, |mut dx| {
                let rows = T::of(shape.rows as f64);
                for j in (0..cols).filter(|j| is_huge(*j)) {
                    let column =
                        |numbers: &[T]| -> Vec<T> { numbers[j..].iter().step_by(cols).copied().collect() };
                    let normal = column(normal);
                    let along = dot(&column(dy), &normal) / rows;
                    for (i, normal) in normal.into_iter().enumerate() {
                        dx.add(i * cols + j, -(gamma[j] * along * normal * scales[j]));
                    }
                }
            });
        }
        if let Some(mut dstatistics) = cx.sum(1) {
            linalg::column_sums(
                dy.len(),
                cols,
                #[inline(always)]
                |start, part| part.iter_mut().zip(&dy[start..]).for_each(|(sum, dy)| *sum += *dy),
                #[inline(always)]
                |j, sums| {
                    let factors = (&gamma[j..][..sums.len()], &scales[j..][..sums.len()]);
                    dstatistics.part(j, sums.len()).add_zip3(
                        sums,
                        factors.0,
                        factors.1,
                        |sum, gamma, scale| -(gamma * sum * scale),
                    );
                },
            );
            let half = T::of(0.5);
            linalg::column_sums(
                dy.len(),
                cols,
                #[inline(always)]
                |start, part| {
                    let terms = dy[start..].iter().zip(&normal[start..]);
                    part.iter_mut().zip(terms).for_each(|(sum, (dy, normal))| *sum += *dy * *normal);
                },
                #[inline(always)]
                |j, sums: &[T]| {
                    for (j, sum) in (j..).zip(sums).filter(|(j, _)| !is_huge(*j)) {
                        dstatistics.add(cols + j, -half * (gamma[j] * *sum * scales[j]) * scales[j]);
                    }
                },
            );
        }
        add_affine(&mut cx, normal, 2, 3);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (epsilon, of_batch) = (cx.args().scalars[0], cx.args().sizes[0] == OF_BATCH);
        cx.through(|tape, inputs| {
            let (mut x, statistics) = (inputs[0], inputs[1]);
            let (mut mean, mut variance) =
                (tape.slice_rows(statistics, 0..1), tape.slice_rows(statistics, 1..2));
            let is_huge = |variance: T| variance == T::INFINITY;
            let shifted = if of_batch && tape.some(variance, is_huge) {
                // The gradient of such a column goes to x, and not by its variance, as in the backward pass.
                let columns = tape.transpose(x);
                let squares = tape.transpose(variance);
                let powers = match powers_in_range(tape, columns, squares) {
                    Some(powers) => tape.transpose(powers),
                    None => tape.scalar(T::ONE),
                };
                (x, mean) = (tape.mul(x, powers), tape.mul(mean, powers));
                let own = tape.variance_rows(x);
                variance = tape.chosen(variance, is_huge, own, variance);
                add_epsilon(tape, variance, powers, epsilon)
            } else {
                if tape.some(variance, is_huge) {
                    let fixed = tape.detach(variance);
                    variance = tape.chosen(variance, is_huge, fixed, variance);
                }
                tape.shift(variance, epsilon)
            };
            let mut deviation = tape.sub(x, mean);
            if of_batch {
                // The rounding of the mean, as in the forward pass: a constant.
                let rounding = tape.mean_rows(deviation);
                let rounding = tape.detach(rounding);
                deviation = tape.sub(deviation, rounding);
            }
            let length = tape.sqrt(shifted);
            let normal = tape.div(deviation, length);
            let scaled = tape.mul(normal, inputs[2]);
            tape.add(scaled, inputs[3])
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {:e}", args.scalars[0])
    }
}

/// Takes away from x − μ what the rounding of the means left in it: the mean of each column, which is within
/// the last digits of μ. `corrections` is room for as many numbers as there are columns.
fn take_rounding<T: Float>(normal: &mut [T], means: &[T], corrections: &mut [T]) {
    column_sums(normal, corrections, |d| d);
    let m = T::of((normal.len() / means.len().max(1)) as f64);
    for (correction, mean) in corrections.iter_mut().zip(means) {
        *correction /= m;
        // Of other numbers than those that the statistics are of, it is no rounding, and stays.
        if correction.abs() > T::of(4.0) * T::EPSILON * mean.abs() {
            *correction = T::ZERO;
        }
    }
    for normal in normal.chunks_mut(means.len().max(1)) {
        normal.iter_mut().zip(&*corrections).for_each(|(d, correction)| *d -= *correction);
    }
}

/// x̂ and 1/σ of the columns whose variance leaves the range of the type, though all of x is finite.
#[cold]
fn normalize_huge<T: Float>(x: &[T], variances: &[T], normal: &mut [T], scales: &mut [T]) {
    let cols = variances.len();
    for j in (0..cols).filter(|j| variances[*j] == T::INFINITY) {
        let column = x[j..].iter().step_by(cols).copied();
        let Some(huge) = Huge::of(column.clone()) else { continue };
        let deviation = Float::sqrt(huge.squares / (x.len() / cols) as f64);
        scales[j] = T::of(huge.scale / deviation);
        for (d, x) in normal[j..].iter_mut().step_by(cols).zip(column) {
            *d = T::of(huge.centred(x) / deviation);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, feasible, filled};

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

    /// Columns in `f32`, with γ = 1 and β = 0: the statistics, the value, and the gradient under 1, 2, 3, … by
    /// row.
    fn of_columns(rows: usize, x: &[f32]) -> [Vec<f32>; 3] {
        let cols = x.len() / rows;
        let mut tape = Tape::<f32>::default();
        let ones = tape.constant_with(1, cols, |to| to.fill(1.0));
        let zeros = tape.constant_with(1, cols, |_| ());
        let x = tape.variable_slice(rows, cols, x);
        let statistics = tape.batch_statistics(x);
        let y = tape.batch_norm(x, statistics, ones, zeros, 1e-5);
        tape.backward_with(y, |dy| {
            dy.chunks_mut(cols).enumerate().for_each(|(i, dy)| dy.fill((i + 1) as f32));
        });
        [statistics, y, x].map(|v| if v == x { tape.grad_slice(v) } else { tape.value_slice(v) }.to_vec())
    }

    #[track_caller]
    fn close(found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        for (a, b) in found.iter().zip(expected) {
            assert!((f64::from(*a) - b).abs() <= 2e-6 * largest, "{found:?}, not {expected:?}");
        }
    }

    #[test]
    fn a_column_of_equal_entries_is_the_shift() {
        let shapes = [(5, 1), (1000, 1), (1000, 3), (5000, 40)];
        for (rows, cols) in shapes.into_iter().filter(|(m, n)| feasible(m * n)) {
            for x in [54_321.12f32, 525_029.94, -1e20] {
                let [statistics, y, _] = of_columns(rows, &vec![x; rows * cols]);
                assert!(y.iter().all(|y| *y == 0.0), "{rows}×{cols} of {x}");
                assert_eq!(statistics, [vec![x; cols], vec![0.0; cols]].concat());
            }
        }
    }

    /// Figures in exact arithmetic, of the entries as `f32` rounds them.
    #[test]
    fn columns_that_are_large_and_close() {
        let x = [54_321.12f32, 54_321.13, 54_321.14];
        let columns: Vec<f32> = x.iter().flat_map(|x| [*x, -*x]).collect();
        let [statistics, y, _] = of_columns(3, &columns);
        close(&statistics[2..], &[6.442599826388889e-5; 2]);
        let right = [-1.0565121254151681, -0.1509303036307383, 1.2074424290459065];
        close(&y, &right.iter().flat_map(|y| [*y, -*y]).collect::<Vec<_>>());
    }

    #[test]
    fn columns_of_huge_entries() {
        let right = [0.4472135954999579, -1.3416407864998738, 1.3416407864998738, -0.4472135954999579];
        let sizes = [1e20f32, 1e15, 1e18, 1e19, 1e25, 1e30, 1e37];
        for s in sizes.into_iter().take(if cfg!(miri) { 1 } else { 7 }) {
            let [_, y, dx] = of_columns(4, &[s, 1.0, -s, -1.0, 2.0 * s, 2.0, 0.0, 0.0]);
            close(&y.iter().copied().step_by(2).collect::<Vec<_>>(), &right);
            // As of the same numbers s times as small, s times as small.
            let small: Vec<f64> = dx[1..].iter().step_by(2).map(|dx| f64::from(*dx)).collect();
            let scaled: Vec<f32> =
                dx.iter().step_by(2).map(|dx| (f64::from(*dx) * f64::from(s)) as f32).collect();
            for (found, right) in scaled.iter().zip(&small) {
                // The small column has an ε, and below 10⁻³⁸ digits are lost.
                let tolerance = if s > 1e31 { 1e-2 } else { 2e-5 };
                assert!((f64::from(*found) - right).abs() < tolerance, "{s:e}: {found:e}, not {right:e}");
            }
        }
    }

    /// Statistics of other numbers than those that are normalised, whose mean is no rounding.
    #[test]
    fn statistics_of_another_batch() {
        let mut tape = Tape::new();
        let (x, other) = (tape.constant(&filled(4, 1)), tape.constant(&filled(4, 1).map(|x| x + 3.0)));
        let (one, zero) = (tape.scalar(1.0), tape.scalar(0.0));
        let statistics = tape.batch_statistics(other);
        let y = tape.batch_norm(x, statistics, one, zero, 1e-5);
        let s = tape.value_slice(statistics);
        for (y, x) in tape.value_slice(y).iter().zip(tape.value_slice(x)) {
            assert!((y - (x - s[0]) / (s[1] + 1e-5).sqrt()).abs() < 1e-14);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn gradients_of_many_rows_keep_their_digits() {
        let rows = 60_000;
        let mut tape = Tape::<f32>::default();
        let x = tape.constant_with(rows, 1, |x| x.chunks_mut(2).for_each(|x| x[1] = 2.0));
        let statistics = tape.variable_slice(2, 1, &[1.0, 1.0]);
        let (gamma, beta) = (tape.variable_slice(1, 1, &[1.0]), tape.variable_slice(1, 1, &[0.0]));
        let y = tape.batch_norm(x, statistics, gamma, beta, 1e-12);
        tape.backward_with(y, |dy| dy.chunks_mut(2).for_each(|dy| dy[1] = 0.2));
        let half = 0.2 * rows as f64 / 2.0;
        close(tape.grad_slice(gamma), &[half]);
        close(tape.grad_slice(beta), &[half]);
        close(tape.grad_slice(statistics), &[-half, -0.5 * half]);
    }

    #[test]
    #[should_panic(
        expected = "batch_statistics: v0 is 1×3, but batch normalisation needs at least two samples"
    )]
    fn one_sample() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(1, 3));
        tape.batch_statistics(x);
    }

    #[test]
    #[should_panic(expected = "batch_norm: v0 is 2×3 but the statistics, v1, are 2×2 (expected 2×3)")]
    fn statistics_that_do_not_fit() {
        let mut tape = Tape::new();
        let (x, s) = (tape.constant(&filled(2, 3)), tape.constant(&filled(2, 2)));
        tape.batch_norm(x, s, x, x, 1e-5);
    }
}
