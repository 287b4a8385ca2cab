//! Normalisation by groups of channels.

use super::Op;
use super::layer_norm::{add_affine, check_epsilon, check_row, record_normalized};
use crate::Float;
use crate::linalg::{Moments, centre, sum};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// # Group normalisation
/// Row by row, a group of channels at a time.
impl<T: Float> Tape<T> {
    /// γ ∘ x̂ + β for every row of m×(p·c): a row is p places (pixels, or tokens) of c channels each, the channels of a
    /// place side by side, and x̂ = (x − μ)/√(σ² + ε) with mean and population variance over all places of c/`groups`
    /// neighbouring channels of that row. γ and β are 1×c: m×(p·c).
    ///
    /// Wu and He, *Group Normalization*, arXiv:1803.08494. With one group and one place it is
    /// [`layer_norm`](Tape::layer_norm), and with as many groups as channels instance normalisation. A group of equal
    /// entries gives β, to the bit.
    /// Backward, with g = γ ∘ dy and means over the group: dx = (g − mean g − x̂·mean(g ∘ x̂))/√(σ² + ε),
    /// dγ = Σ dy ∘ x̂ and dβ = Σ dy over rows and places.
    ///
    /// # Panics
    /// If γ and β are not both 1×c, c does not divide the columns of x, the groups do not divide c, ε is not positive,
    /// or an operand is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let gamma = tape.param_slice(1, 2, &[1.0, 1.0]);
    /// let beta = tape.param_slice(1, 2, &[0.0, 5.0]);
    /// // Two places of two channels, each channel a group of its own.
    /// let x = tape.constant_slice(1, 4, &[1.0, -40.0, 3.0, -40.0]);
    /// let y = tape.group_norm(x, gamma, beta, 2, 1e-12);
    /// let expected = [-1.0, 5.0, 1.0, 5.0];
    /// assert!(tape.value_slice(y).iter().zip(expected).all(|(y, e)| (y - e).abs() < 1e-11));
    /// ```
    #[track_caller]
    pub fn group_norm(
        &mut self,
        x: impl Into<Var>,
        gamma: impl Into<Var>,
        beta: impl Into<Var>,
        groups: usize,
        epsilon: T,
    ) -> Var {
        let (x, gamma, beta) = (x.into(), gamma.into(), beta.into());
        let (shape, channels) = (self.shape_for("group_norm", x), self.shape_for("group_norm", gamma).cols);
        check_row(self, "group_norm", x, "gamma", gamma, channels);
        check_row(self, "group_norm", x, "beta", beta, channels);
        let whole = if channels == 0 { shape.cols == 0 } else { shape.cols.is_multiple_of(channels) };
        assert!(
            whole,
            "group_norm: {x} is {shape}, whose columns are no places of {}, as {gamma} has",
            count(channels, "channel")
        );
        assert!(
            groups > 0 && channels.is_multiple_of(groups),
            "group_norm: {} do not divide the {} of {x}",
            count(groups, "group"),
            count(channels, "channel")
        );
        check_epsilon("group_norm", epsilon);
        let args = Args { sizes: [channels, groups], ..Args::scalar(epsilon) };
        let args = args.saving(shape.numel().saturating_add(shape.rows.saturating_mul(groups)));
        self.apply(Op::GroupNorm.get(), &[x, gamma, beta], shape, args)
    }
}

/// Saves x̂, m×(p·c), and behind it 1/√(σ² + ε) of every row and group.
pub(super) struct GroupNorm;

/// The numbers of a group in a row of `cols`: where each stands, and its channel.
#[inline(always)]
fn of_group(
    group: usize,
    cols: usize,
    [channels, groups]: [usize; 2],
) -> impl Iterator<Item = (usize, usize)> {
    let width = channels / groups;
    let own = group * width..(group + 1) * width;
    (0..cols)
        .step_by(channels)
        .flat_map(move |place| own.clone().map(move |channel| (place + channel, channel)))
}

impl<T: Float> Operation<T> for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, gamma, beta, shape) = (cx.x(0), cx.x(1), cx.x(2), cx.shape(0));
        let (sizes, epsilon) = (cx.args().sizes, cx.args().scalars[0]);
        let [channels, groups] = sizes;
        let (y, saved) = cx.y_and_saved();
        let (normal, scales) = saved.split_at_mut(shape.numel());
        let (cols, size) = (shape.cols, shape.cols / groups);
        if size == 0 {
            return scales.fill(T::ZERO);
        }
        let rows = y.chunks_mut(cols).zip(normal.chunks_mut(cols)).zip(x.chunks(cols));
        for (((y, normal), x), scales) in rows.zip(scales.chunks_mut(groups)) {
            // Group by group in `y`, and normalised in `normal`; then back to where they came from.
            for (group, y) in y.chunks_mut(size).enumerate() {
                y.iter_mut().zip(of_group(group, cols, sizes)).for_each(|(y, (at, _))| *y = x[at]);
            }
            for ((x, normal), scale) in y.chunks(size).zip(normal.chunks_mut(size)).zip(scales) {
                let Moments { scale: shrunk, squares, .. } = centre(x, normal);
                let unit = T::ONE / (squares / T::of(size as f64) + epsilon * shrunk * shrunk).sqrt();
                *scale = shrunk * unit;
                normal.iter_mut().for_each(|d| *d *= unit);
            }
            for (group, normal) in normal.chunks(size).enumerate() {
                normal.iter().zip(of_group(group, cols, sizes)).for_each(|(normal, (at, _))| y[at] = *normal);
            }
            normal.copy_from_slice(y);
            for y in y.chunks_mut(channels) {
                y.iter_mut().zip(gamma).zip(beta).for_each(|((y, gamma), beta)| *y = *gamma * *y + *beta);
            }
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (gamma, dy, shape, sizes) = (cx.x(1), cx.dy(), cx.y_shape(), cx.args().sizes);
        let (normal, scales) = cx.saved().split_at(shape.numel());
        let (cols, groups) = (shape.cols, sizes[1]);
        let (size, n) = (cols / groups, T::of((cols / groups) as f64));
        if size == 0 {
            return;
        }
        cx.with_zeros(size, |cx, terms| {
            // Not by `add_rows`: the room is one for all rows.
            cx.add_at(0, |mut dx| {
                for (i, row) in (0..shape.rows).map(|i| (i, i * cols..(i + 1) * cols)) {
                    let (normal, dy, mut dx) =
                        (&normal[row.clone()], &dy[row.clone()], dx.part(row.start, cols));
                    for group in 0..groups {
                        let scale = scales[i * groups + group];
                        let numbers = || of_group(group, cols, sizes);
                        terms
                            .iter_mut()
                            .zip(numbers())
                            .for_each(|(g, (at, channel))| *g = gamma[channel] * dy[at]);
                        let mean = sum(terms) / n;
                        terms.iter_mut().zip(numbers()).for_each(|(g, (at, _))| *g *= normal[at]);
                        let along = sum(terms) / n;
                        for (at, channel) in numbers() {
                            dx.add(at, scale * (gamma[channel] * dy[at] - mean - normal[at] * along));
                        }
                    }
                }
            });
        });
        add_affine(&mut cx, normal, 1, 2);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let ([channels, groups], epsilon, Shape { rows, cols }) =
            (cx.args().sizes, cx.args().scalars[0], cx.shape(0));
        let width = channels / groups;
        let places = cols.checked_div(channels).unwrap_or(0);
        if cols == 0 {
            return;
        }
        // Of each sample group by group, where it is place by place; and back.
        let by_group: Vec<usize> = (0..rows * groups * places)
            .map(|at| {
                let (row, group, place) = (at / (groups * places), at / places % groups, at % places);
                (row * places + place) * groups + group
            })
            .collect();
        let mut by_place = vec![0; by_group.len()];
        by_group.iter().enumerate().for_each(|(to, from)| by_place[*from] = to);
        cx.through(|tape, x| {
            let parts = tape.reshape(x[0], rows * places * groups, width);
            let parts = tape.gather_rows(parts, &by_group);
            let parts = tape.reshape(parts, rows * groups, places * width);
            let normal = record_normalized(tape, parts, epsilon);
            let parts = tape.reshape(normal, rows * groups * places, width);
            let parts = tape.gather_rows(parts, &by_place);
            let pixels = tape.reshape(parts, rows * places, channels);
            let scaled = tape.mul(pixels, x[1]);
            let shifted = tape.add(scaled, x[2]);
            tape.reshape(shifted, rows, cols)
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {} {:e}", args.sizes[1], args.scalars[0])
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients() {
        // Rows, places, channels, groups.
        for (m, p, c, groups) in [
            (1, 1, 1, 1),
            (3, 1, 4, 2),
            (2, 3, 4, 2),
            (2, 5, 3, 3),
            (2, 3, 6, 1),
            (0, 2, 4, 2),
            (2, 0, 4, 2),
            (2, 3, 0, 2),
        ] {
            let inputs = [filled(m, p * c) * 2.0, filled(1, c) * 1.5, filled(1, c) * -0.7];
            check_op(&inputs, |t, x| t.group_norm(x[0], x[1], x[2], groups, 1e-2));
        }
    }

    #[test]
    fn one_group_of_one_place_is_layer_norm() {
        let mut tape = Tape::new();
        let x = tape.param(&filled(4, 37));
        let (gamma, beta) = (tape.param(&filled(1, 37)), tape.constant(&filled(1, 37)));
        let (one, other) = (tape.group_norm(x, gamma, beta, 1, 1e-5), tape.layer_norm(x, gamma, beta, 1e-5));
        assert_eq!(tape.value_slice(one), tape.value_slice(other));
        let mut grads = Vec::new();
        for y in [one, other] {
            tape.zero_grad();
            tape.backward_with(y, |dy| dy.iter_mut().enumerate().for_each(|(i, dy)| *dy = (i % 7) as f64));
            grads.push(tape.param_grads().to_vec());
        }
        assert!(grads[0].iter().zip(&grads[1]).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn a_group_of_equal_entries_is_the_shift() {
        let mut tape = Tape::<f32>::default();
        let x = tape.constant_slice(1, 4, &[525_029.94, 1.0, 525_029.94, 1.0]);
        let (gamma, beta) = (tape.constant_slice(1, 2, &[3.0, 4.0]), tape.constant_slice(1, 2, &[0.5, -0.5]));
        let y = tape.group_norm(x, gamma, beta, 2, 1e-5);
        assert_eq!(tape.value_slice(y), [0.5, -0.5, 0.5, -0.5]);
    }

    #[test]
    #[should_panic(expected = "group_norm: 3 groups do not divide the 4 channels of v0")]
    fn groups_that_do_not_divide() {
        let mut tape = Tape::new();
        let (x, gamma) = (tape.constant(&filled(2, 8)), tape.constant(&filled(1, 4)));
        tape.group_norm(x, gamma, gamma, 3, 1e-5);
    }

    #[test]
    #[should_panic(expected = "group_norm: v0 is 2×7, whose columns are no places of 4 channels, as v1 has")]
    fn channels_that_do_not_divide() {
        let mut tape = Tape::new();
        let (x, gamma) = (tape.constant(&filled(2, 7)), tape.constant(&filled(1, 4)));
        tape.group_norm(x, gamma, gamma, 2, 1e-5);
    }

    #[test]
    #[should_panic(expected = "group_norm: v0 is 2×8 but beta, v2, is 1×3 (expected 1×4)")]
    fn a_shift_that_does_not_fit() {
        let mut tape = Tape::new();
        let (x, gamma) = (tape.constant(&filled(2, 8)), tape.constant(&filled(1, 4)));
        let beta = tape.constant(&filled(1, 3));
        tape.group_norm(x, gamma, beta, 2, 1e-5);
    }

    #[test]
    fn any_number_of_groups_of_nothing() {
        let mut tape = Tape::new();
        let [x, gamma] = [0, 1].map(|rows| tape.variable(&nalgebra::DMatrix::zeros(rows, 0)));
        let y = tape.group_norm(x, gamma, gamma, usize::MAX, 1e-5);
        tape.backward_with(y, |_| ());
        assert_eq!(tape.shape(y).to_string(), "0×0");
    }
}
