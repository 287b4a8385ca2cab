//! Layer normalisation.

use super::Op;
use super::reduce::{Over, rows_of};
use super::variance::record_deviations;
use crate::Float;
use crate::float::power_below;
use crate::linalg::parts::{Rows, by_rows};
use crate::linalg::simd::vectorize;
use crate::linalg::{Moments, centre_within, dot3_within, reduce_within};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Layer normalisation
/// Row by row.
impl<T: Float> Tape<T> {
    /// γ ∘ x̂ᵢ + β with x̂ᵢ = (xᵢ − μᵢ)/√(σᵢ² + ε) for every row i of m×n, with its mean μᵢ and its
    /// population variance σᵢ², and γ and β of 1×n: m×n.
    ///
    /// Ba, Kiros and Hinton, *Layer Normalization*, arXiv:1607.06450. A sample is normalised on its own, in
    /// training and in evaluation alike; ε = 10⁻⁵ is usual. A row of equal entries gives β, to the bit, and one of
    /// huge entries, whose squares leave the range of the type, is normalised as any other.
    /// Backward, with g = γ ∘ dyᵢ and means over the row: dxᵢ = (g − mean g − x̂ᵢ·mean(g ∘ x̂ᵢ))/√(σᵢ² + ε),
    /// dγ = Σᵢ dyᵢ ∘ x̂ᵢ, dβ = Σᵢ dyᵢ.
    ///
    /// # Panics
    /// If γ or β is not 1×n, ε is not positive, or an operand is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let gamma = tape.param_slice(1, 2, &[1.0, 1.0]);
    /// let beta = tape.param_slice(1, 2, &[0.0, 5.0]);
    /// let x = tape.constant_slice(2, 2, &[1.0, 3.0, -40.0, -40.0]);
    /// let y = tape.layer_norm(x, gamma, beta, 1e-12);
    /// let expected = [-1.0, 6.0, 0.0, 5.0];
    /// assert!(tape.value_slice(y).iter().zip(expected).all(|(y, e)| (y - e).abs() < 1e-11));
    /// ```
    #[track_caller]
    pub fn layer_norm(
        &mut self,
        x: impl Into<Var>,
        gamma: impl Into<Var>,
        beta: impl Into<Var>,
        epsilon: T,
    ) -> Var {
        let (x, gamma, beta) = (x.into(), gamma.into(), beta.into());
        let shape = self.shape_for("layer_norm", x);
        check_scale_and_shift(self, "layer_norm", x, gamma, beta);
        check_epsilon("layer_norm", epsilon);
        let args = Args::scalar(epsilon).saving(shape.numel() + shape.rows);
        self.apply(Op::LayerNorm.get(), &[x, gamma, beta], shape, args)
    }
}

/// Whether γ and β are 1×n for x of m×n.
#[track_caller]
pub(super) fn check_scale_and_shift<T: Float>(tape: &Tape<T>, op: &str, x: Var, gamma: Var, beta: Var) {
    let cols = tape.shape_for(op, x).cols;
    check_row(tape, op, x, "gamma", gamma, cols);
    check_row(tape, op, x, "beta", beta, cols);
}

/// Whether `v` is 1×`cols`.
#[track_caller]
pub(super) fn check_row<T: Float>(tape: &Tape<T>, op: &str, x: Var, name: &str, v: Var, cols: usize) {
    let (shape, found, expected) = (tape.shape_for(op, x), tape.shape_for(op, v), Shape::new(1, cols));
    assert!(found == expected, "{op}: {x} is {shape} but {name}, {v}, is {found} (expected {expected})");
}

#[track_caller]
pub(super) fn check_epsilon<T: Float>(op: &str, epsilon: T) {
    assert!(epsilon > T::ZERO && epsilon.is_finite(), "{op}: epsilon is {epsilon}, not positive and finite");
}

/// Saves x̂, m×n, and behind it 1/√(σ² + ε) of every row.
pub(super) struct LayerNorm;

impl<T: Float> Operation<T> for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, gamma, beta, shape) = (cx.x(0), cx.x(1), cx.x(2), cx.shape(0));
        let (epsilon, n) = (cx.args().scalars[0], T::of(shape.cols as f64));
        let (y, saved) = cx.y_and_saved();
        let (normal, scales) = saved.split_at_mut(shape.numel());
        let cols = shape.cols;
        let parts =
            (Rows { numbers: y, cols }, Rows { numbers: normal, cols }, Rows { numbers: scales, cols: 1 });
        by_rows(2 * x.len(), shape.rows, parts, &|first, (y, normal, scales)| {
            let (y, normal, scales) = (y.numbers, normal.numbers, scales.numbers);
            vectorize(
                y.len(),
                #[inline(always)]
                || {
                    for (i, scale) in scales.iter_mut().enumerate() {
                        let row = i * cols..(i + 1) * cols;
                        let (y, normal) = (&mut y[row.clone()], &mut normal[row]);
                        let x = &x[(first + i) * cols..][..cols];
                        let Moments { scale: shrunk, squares, .. } = centre_within(x, normal);
                        let unit = T::ONE / (squares / n + epsilon * shrunk * shrunk).sqrt();
                        *scale = shrunk * unit;
                        let affine = gamma.iter().zip(beta);
                        for ((y, d), (gamma, beta)) in y.iter_mut().zip(normal).zip(affine) {
                            *d *= unit;
                            *y = *gamma * *d + *beta;
                        }
                    }
                },
            );
        });
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (gamma, dy, shape) = (cx.x(1), cx.dy(), cx.y_shape());
        let (normal, scales) = cx.saved().split_at(shape.numel());
        let n = T::of(shape.cols as f64);
        cx.add_rows(
            0,
            #[inline(always)]
            |i, mut dx| {
                let row = i * shape.cols..(i + 1) * shape.cols;
                let (normal, dy, scale) = (&normal[row.clone()], &dy[row], scales[i]);
                let mean = reduce_within(
                    gamma,
                    dy,
                    #[inline(always)]
                    |gamma, dy| gamma * dy,
                ) / n;
                let along = dot3_within(gamma, dy, normal) / n;
                dx.add_zip3(
                    gamma,
                    dy,
                    normal,
                    #[inline(always)]
                    |gamma, dy, normal| scale * (gamma * dy - mean - normal * along),
                );
            },
        );
        add_affine(&mut cx, normal, 1, 2);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let epsilon = cx.args().scalars[0];
        cx.through(|tape, x| {
            let normal = record_normalized(tape, x[0], epsilon);
            let scaled = tape.mul(normal, x[1]);
            tape.add(scaled, x[2])
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {:e}", args.scalars[0])
    }
}

/// (x − μ)/√(σ² + ε) of every row, as operations.
pub(super) fn record_normalized<T: Float>(tape: &mut Tape<T>, x: Var, epsilon: T) -> Var {
    let variance = tape.variance_cols(x);
    let Some(powers) = powers_in_range(tape, x, variance) else {
        let (deviation, shifted) = (record_deviations(tape, x, Over::Cols), tape.shift(variance, epsilon));
        let length = tape.sqrt(shifted);
        return tape.div(deviation, length);
    };
    let x = tape.mul(x, powers);
    let (deviation, variance) = (record_deviations(tape, x, Over::Cols), tape.variance_cols(x));
    let shifted = add_epsilon(tape, variance, powers, epsilon);
    let length = tape.sqrt(shifted);
    tape.div(deviation, length)
}

/// For each row of x a power of two: 1, unless its numbers are finite and the mean of their squares, which is given, is
/// not. None where all are 1.
pub(super) fn powers_in_range<T: Float>(tape: &mut Tape<T>, x: Var, squares: Var) -> Option<Var> {
    let (shape, numbers) = (tape.shape(x), tape.value_slice(x));
    let power = |(row, squares): (&[T], &T)| -> T {
        if squares.is_finite() || !row.iter().all(|x| x.is_finite()) {
            return T::ONE;
        }
        T::of(power_below(row.iter().fold(0.0, |largest, x| f64::max(largest, x.to_f64().abs()))))
    };
    let powers: Vec<T> = rows_of(numbers, shape).zip(tape.value_slice(squares)).map(power).collect();
    powers.iter().any(|power| *power != T::ONE).then(|| tape.constant_slice(powers.len(), 1, &powers))
}

/// σ² + ε for numbers that were multiplied with `powers`, and that ε as well.
pub(super) fn add_epsilon<T: Float>(tape: &mut Tape<T>, variance: Var, powers: Var, epsilon: T) -> Var {
    let squares = tape.square(powers);
    let epsilon = tape.scale(squares, epsilon);
    tape.add(variance, epsilon)
}

/// dγ += Σᵢ dyᵢ ∘ x̂ᵢ and dβ += Σᵢ dyᵢ, for those two inputs.
pub(super) fn add_affine<T: Float>(cx: &mut Backward<'_, T>, normal: &[T], gamma: usize, beta: usize) {
    let dy = cx.dy();
    cx.add_column_sums(
        gamma,
        dy.len(),
        #[inline(always)]
        |start, part| {
            let terms = dy[start..].iter().zip(&normal[start..]);
            part.iter_mut().zip(terms).for_each(|(sum, (dy, normal))| *sum += *dy * *normal);
        },
    );
    cx.add_column_sums(
        beta,
        dy.len(),
        #[inline(always)]
        |start, part| part.iter_mut().zip(&dy[start..]).for_each(|(sum, dy)| *sum += *dy),
    );
}

#[cfg(test)]
mod tests {
    use nalgebra::{DMatrix, dmatrix};

    use crate::Tape;
    use crate::ops::testing::{UPSTREAM, check_op, feasible, filled};

    #[test]
    fn gradients() {
        for (m, n) in [(1, 1), (1, 4), (5, 3), (3, 40), (0, 3), (2, 0)] {
            let inputs = [filled(m, n) * 2.0, filled(1, n) * 1.5, filled(1, n) * -0.7];
            check_op(&inputs, |t, x| t.layer_norm(x[0], x[1], x[2], 1e-2));
        }
        // One value as all three operands.
        check_op(&[filled(1, 4)], |t, x| t.layer_norm(x[0], x[0], x[0], 1e-2));
    }

    #[test]
    fn figures_of_pytorch() {
        let mut tape = Tape::new();
        let x = tape.param(&filled(4, 3));
        let gamma = tape.param(&dmatrix![1.5, -0.5, 2.0]);
        let beta = tape.param(&dmatrix![0.1, -0.2, 0.3]);
        let y = tape.layer_norm(x, gamma, beta, 1e-5);
        tape.backward_slice(y, &UPSTREAM);
        for (found, expected) in [
            (
                tape.value_slice(y),
                &[
                    -1.6432035538678038,
                    -0.8394717368141806,
                    0.0663844579003493,
                    -1.534257737457019,
                    -0.8627878900292343,
                    -0.1721412435075781,
                    -1.534257737457019,
                    -0.8627878900292343,
                    -0.17214124350757826,
                    1.9735362858532426,
                    -0.1749372709384401,
                    -2.097797464891417,
                ][..],
            ),
            (
                tape.grad_slice(x),
                &[
                    0.29746782856005693,
                    0.2227589778087642,
                    -0.5202268063688212,
                    0.088073237686767,
                    0.04808129959173968,
                    -0.1361545372785069,
                    -1.72166879282597,
                    -0.9408374312128762,
                    2.662506224038847,
                    0.33929388122059817,
                    -0.7231074305709637,
                    0.383813549350366,
                ],
            ),
            (tape.grad_slice(gamma), &[-1.4297008000243137, -1.783219780739258, -1.466877839886766]),
            (tape.grad_slice(beta), &[-0.0892239999999993, -1.1334959999999992, 2.2222320000000018]),
        ] {
            let error = found.iter().zip(expected).fold(0.0f64, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(found.len() == expected.len() && error < 1e-12, "{error:e}: {found:?}");
        }
    }

    #[test]
    fn rows_have_mean_zero_and_variance_one() {
        let mut tape = Tape::new();
        // Far from zero: the mean is taken away before anything is squared.
        let x = tape.constant(&filled(6, 50).map(|x| 1e6 + x));
        let (gamma, beta) =
            (tape.constant(&DMatrix::from_element(1, 50, 1.0)), tape.constant(&DMatrix::zeros(1, 50)));
        let y = tape.layer_norm(x, gamma, beta, 1e-12);
        for row in tape.value(y).to_dmatrix().row_iter() {
            assert!(row.mean().abs() < 1e-9 && (row.variance() - 1.0).abs() < 1e-9, "{row}");
        }
    }

    /// Of one row in `f32`, with γ = 1 and β = 0: the value, and the gradient under 1, 2, 3, …
    fn of_row(x: &[f32], epsilon: f32) -> (Vec<f32>, Vec<f32>) {
        let mut tape = Tape::<f32>::default();
        let ones = tape.constant_with(1, x.len(), |to| to.fill(1.0));
        let zeros = tape.constant_with(1, x.len(), |_| ());
        let x = tape.variable_slice(1, x.len(), x);
        let y = tape.layer_norm(x, ones, zeros, epsilon);
        tape.backward_with(y, |dy| dy.iter_mut().enumerate().for_each(|(i, dy)| *dy = (i + 1) as f32));
        (tape.value_slice(y).to_vec(), tape.grad_slice(x).to_vec())
    }

    #[track_caller]
    fn close(found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        for (a, b) in found.iter().zip(expected) {
            assert!((f64::from(*a) - b).abs() < 1e-6 * largest, "{found:?}, not {expected:?}");
        }
    }

    #[test]
    fn a_row_of_equal_entries_is_the_shift() {
        for n in [1, 5, 1000, 9000].into_iter().filter(|n| feasible(*n)) {
            for x in [525_029.94f32, 54_321.12, -1e20, 3e38, 1e-30] {
                assert!(of_row(&vec![x; n], 1e-5).0.iter().all(|y| *y == 0.0), "{n} times {x}");
            }
        }
    }

    /// Figures in exact arithmetic, of the entries as `f32` rounds them.
    #[test]
    fn a_row_that_is_large_and_close() {
        let (y, _) = of_row(&[54_321.12, 54_321.13, 54_321.14], 1e-5);
        close(&y, &[-1.0565121254151681, -0.1509303036307383, 1.2074424290459065]);
    }

    #[test]
    fn a_row_of_huge_entries() {
        let (y, dx) = of_row(&[1e20, -1e20, 2e20, 0.0], 1e-5);
        close(&y, &[0.4472135954999579, -1.3416407864998738, 1.3416407864998738, -0.4472135954999579]);
        // As of the same numbers 10²⁰ times as small, 10²⁰ times as small.
        let of_small = of_row(&[1.0, -1.0, 2.0, 0.0], 1e-30);
        close(&y, &of_small.0.iter().map(|y| f64::from(*y)).collect::<Vec<_>>());
        close(&dx, &of_small.1.iter().map(|dx| f64::from(*dx) * 1e-20).collect::<Vec<_>>());
        close(&of_row(&[3e38, -3e38, 3e38, -3e38], 1e-5).0, &[1.0, -1.0, 1.0, -1.0]);
        let mut tape = Tape::new();
        let x = tape.constant_slice(1, 2, &[1e300, -1e300]);
        let (ones, zeros) = (tape.constant_slice(1, 2, &[1.0; 2]), tape.constant_slice(1, 2, &[0.0; 2]));
        let y = tape.layer_norm(x, ones, zeros, 1e-5);
        assert_eq!(tape.value_slice(y), [1.0, -1.0]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn scale_and_shift_of_many_rows_keep_their_digits() {
        for rows in [60_000, 300_000] {
            let mut tape = Tape::<f32>::default();
            let x = tape.constant_with(rows, 2, |x| x.chunks_mut(2).for_each(|x| x[1] = 2.0));
            let (gamma, beta) = (tape.variable_slice(1, 2, &[1.0; 2]), tape.variable_slice(1, 2, &[0.0; 2]));
            let y = tape.layer_norm(x, gamma, beta, 1e-12);
            tape.backward_with(y, |dy| dy.fill(0.1));
            let total = 0.1 * rows as f32;
            for v in [beta, gamma] {
                // A running sum is off by 6·10⁻⁴ and more.
                assert!(tape.grad_slice(v).iter().all(|d| (d.abs() / total - 1.0).abs() < 4e-6));
            }
            assert!(tape.grad_slice(gamma)[0] < 0.0 && tape.grad_slice(gamma)[1] > 0.0);
        }
    }

    #[test]
    #[should_panic(expected = "layer_norm: v0 is 2×3 but beta, v2, is 3×1 (expected 1×3)")]
    fn a_shift_that_does_not_fit() {
        let mut tape = Tape::new();
        let (x, gamma) = (tape.constant(&filled(2, 3)), tape.constant(&filled(1, 3)));
        let beta = tape.constant(&filled(3, 1));
        tape.layer_norm(x, gamma, beta, 1e-5);
    }

    #[test]
    #[should_panic(expected = "layer_norm: epsilon is 0, not positive and finite")]
    fn epsilon_out_of_range() {
        let mut tape = Tape::new();
        let (x, gamma) = (tape.constant(&filled(2, 3)), tape.constant(&filled(1, 3)));
        tape.layer_norm(x, gamma, gamma, 0.0);
    }
}
