//! Normalisation by the root of the mean square.

use super::Op;
use super::layer_norm::{add_epsilon, check_epsilon, check_row, powers_in_range};
use super::reduce::rows_of;
use crate::Float;
use crate::float::power_below;
use crate::linalg::{dot3, norm_squared};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Tape, Var};

/// # RMS normalisation
/// Row by row.
impl<T: Float> Tape<T> {
    /// γ ∘ x̂ᵢ with x̂ᵢ = xᵢ/√(mean xᵢ² + ε) for every row i of m×n, and γ of 1×n: m×n.
    ///
    /// Zhang and Sennrich, *Root Mean Square Layer Normalization*, arXiv:1910.07467: layer normalisation without the
    /// mean and the shift. A row of huge entries, whose squares leave the range of the type, is normalised as any other.
    /// Backward, with g = γ ∘ dyᵢ and the mean over the row: dxᵢ = (g − x̂ᵢ·mean(g ∘ x̂ᵢ))/√(mean xᵢ² + ε),
    /// dγ = Σᵢ dyᵢ ∘ x̂ᵢ.
    ///
    /// # Panics
    /// If γ is not 1×n, ε is not positive, or an operand is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let gamma = tape.param_slice(1, 2, &[1.0, 10.0]);
    /// let x = tape.constant_slice(1, 2, &[1.0, 7.0]);
    /// let y = tape.rms_norm(x, gamma, 1e-12);
    /// // The mean of 1 and 49 is 25.
    /// assert!((tape.value(y)[(0, 0)] - 0.2).abs() < 1e-12 && (tape.value(y)[(0, 1)] - 14.0).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn rms_norm(&mut self, x: impl Into<Var>, gamma: impl Into<Var>, epsilon: T) -> Var {
        let (x, gamma) = (x.into(), gamma.into());
        let shape = self.shape_for("rms_norm", x);
        check_row(self, "rms_norm", x, "gamma", gamma, shape.cols);
        check_epsilon("rms_norm", epsilon);
        let args = Args::scalar(epsilon).saving(shape.numel() + shape.rows);
        self.apply(Op::RmsNorm.get(), &[x, gamma], shape, args)
    }
}

/// Saves x̂, m×n, and behind it 1/√(mean x² + ε) of every row.
pub(super) struct RmsNorm;

/// A power of two, and Σ (x·power)²: 1, unless the numbers are finite and their squares leave the range.
fn squares_in_range<T: Float>(x: &[T]) -> (T, T) {
    let squares = norm_squared(x);
    if squares.is_finite() || !x.iter().all(|x| x.is_finite()) {
        return (T::ONE, squares);
    }
    let largest = x.iter().fold(0.0, |largest, x| f64::max(largest, x.to_f64().abs()));
    let power = power_below(largest);
    (T::of(power), T::of(x.iter().map(|x| (x.to_f64() * power) * (x.to_f64() * power)).sum()))
}

impl<T: Float> Operation<T> for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, gamma, shape) = (cx.x(0), cx.x(1), cx.shape(0));
        let (epsilon, n) = (cx.args().scalars[0], T::of(shape.cols as f64));
        let (y, saved) = cx.y_and_saved();
        let (normal, scales) = saved.split_at_mut(shape.numel());
        for (i, (x, scale)) in rows_of(x, shape).zip(scales).enumerate() {
            let row = i * shape.cols..(i + 1) * shape.cols;
            let (power, squares) = squares_in_range(x);
            // What is not finite makes the whole row NaN, as in the other norms.
            let unit = if squares.is_finite() {
                T::ONE / (squares / n + epsilon * power * power).sqrt()
            } else {
                T::of(f64::NAN)
            };
            *scale = power * unit;
            for (((y, normal), x), gamma) in y[row.clone()].iter_mut().zip(&mut normal[row]).zip(x).zip(gamma)
            {
                *normal = *x * power * unit;
                *y = *gamma * *normal;
            }
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (gamma, dy, shape) = (cx.x(1), cx.dy(), cx.y_shape());
        let (normal, scales) = cx.saved().split_at(shape.numel());
        let n = T::of(shape.cols as f64);
        cx.add_rows(0, |i, mut dx| {
            let row = i * shape.cols..(i + 1) * shape.cols;
            let (normal, dy, scale) = (&normal[row.clone()], &dy[row], scales[i]);
            let along = dot3(gamma, dy, normal) / n;
            dx.add_zip3(gamma, dy, normal, |gamma, dy, normal| scale * (gamma * dy - normal * along));
        });
        cx.add_column_sums(
            1,
            dy.len(),
            #[inline(always)]
            |start, part| {
                let terms = dy[start..].iter().zip(&normal[start..]);
                part.iter_mut().zip(terms).for_each(|(sum, (dy, normal))| *sum += *dy * *normal);
            },
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let epsilon = cx.args().scalars[0];
        cx.through(|tape, inputs| {
            let mean_square = |tape: &mut Tape<T>, x: Var| {
                let squares = tape.square(x);
                tape.mean_cols(squares)
            };
            let (mut x, mean) = (inputs[0], mean_square(tape, inputs[0]));
            let shifted = match powers_in_range(tape, x, mean) {
                None => tape.shift(mean, epsilon),
                Some(powers) => {
                    x = tape.mul(x, powers);
                    let mean = mean_square(tape, x);
                    add_epsilon(tape, mean, powers, epsilon)
                }
            };
            let length = tape.sqrt(shifted);
            if tape.some(length, |length| !length.is_finite()) {
                // What is not finite makes the whole row NaN, as in the forward pass.
                let unknown = tape.scalar(T::NAN);
                x = tape.chosen(length, T::is_finite, x, unknown);
            }
            let normal = tape.div(x, length);
            tape.mul(normal, inputs[1])
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {:e}", args.scalars[0])
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients() {
        for (m, n) in [(1, 1), (1, 4), (5, 3), (3, 40), (0, 3), (2, 0)] {
            check_op(&[filled(m, n) * 2.0, filled(1, n) * 1.5], |t, x| t.rms_norm(x[0], x[1], 1e-2));
        }
        // One value as both operands.
        check_op(&[filled(1, 4)], |t, x| t.rms_norm(x[0], x[0], 1e-2));
    }

    /// Of one row with γ = 1: the value, and the gradient under 1, 2, 3, …
    fn of_row(x: &[f32], epsilon: f32) -> (Vec<f32>, Vec<f32>) {
        let mut tape = Tape::<f32>::default();
        let ones = tape.constant_with(1, x.len(), |to| to.fill(1.0));
        let x = tape.variable_slice(1, x.len(), x);
        let y = tape.rms_norm(x, ones, epsilon);
        tape.backward_with(y, |dy| dy.iter_mut().enumerate().for_each(|(i, dy)| *dy = (i + 1) as f32));
        (tape.value_slice(y).to_vec(), tape.grad_slice(x).to_vec())
    }

    #[test]
    fn a_row_of_huge_entries() {
        let (y, dx) = of_row(&[1e20, -1e20, 2e20, 0.0], 1e-5);
        let (of_small, dx_of_small) = of_row(&[1.0, -1.0, 2.0, 0.0], 1e-30);
        for i in 0..4 {
            assert!((y[i] - of_small[i]).abs() < 1e-6, "{y:?}, not {of_small:?}");
            assert!((dx[i] * 1e20 - dx_of_small[i]).abs() < 1e-6, "{dx:?}, not {dx_of_small:?}");
        }
        assert_eq!(of_row(&[3e38, -3e38], 1e-5).0, [1.0, -1.0]);
        assert!(of_row(&[f32::INFINITY, 1.0], 1e-5).0[0].is_nan());
    }

    #[test]
    fn a_row_of_zeros_is_zeros() {
        assert_eq!(of_row(&[0.0; 3], 1e-4), (vec![0.0; 3], vec![100.0, 200.0, 300.0]));
    }

    #[test]
    #[should_panic(expected = "rms_norm: v0 is 2×3 but gamma, v1, is 1×2 (expected 1×3)")]
    fn a_scale_that_does_not_fit() {
        let mut tape = Tape::new();
        let (x, gamma) = (tape.constant(&filled(2, 3)), tape.constant(&filled(1, 2)));
        tape.rms_norm(x, gamma, 1e-5);
    }

    #[test]
    #[should_panic(expected = "rms_norm: epsilon is -1, not positive and finite")]
    fn epsilon_out_of_range() {
        let mut tape = Tape::new();
        let (x, gamma) = (tape.constant(&filled(2, 3)), tape.constant(&filled(1, 3)));
        tape.rms_norm(x, gamma, -1.0);
    }
}
