//! Larger images, by repetition.

use super::pool::{Pools, window_means};
use super::{ImageShape, Op, Window};
use crate::Float;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Larger images
/// Of images, a sample a row: see [`ImageShape`].
impl<T: Float> Tape<T> {
    /// Each pixel `factor` times down and `factor` times along: the nearest pixel. n×(height·width·channels) to an
    /// image of factor·height and factor·width.
    ///
    /// Backward: dx is the sum of the factor² pixels of dy that came of it.
    ///
    /// # Panics
    /// If the factor is 0, the image has no pixels or would have more than a matrix has columns, `x` is stale, or has
    /// another number of columns than the image has numbers.
    #[track_caller]
    pub fn upsample(&mut self, x: impl Into<Var>, image: ImageShape, factor: usize) -> Var {
        let x = x.into();
        let larger = upsampled(image, factor).unwrap_or_else(|error| panic!("upsample: {error}"));
        let shape = self.shape_of_images("upsample", x, image);
        let list = [image.channels, image.height, image.width].map(|side| side as u32);
        let shape = Shape::new(shape.rows, larger.numel());
        self.apply_indexed(Op::Upsample.get(), &[x], shape, Args::size(factor), list)
    }
}

/// The larger image.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if there is none.
pub(crate) fn upsampled(image: ImageShape, factor: usize) -> crate::Result<ImageShape> {
    image.check()?;
    let side = |side: usize| side.saturating_mul(factor);
    let larger = ImageShape::new(image.channels, side(image.height), side(image.width));
    if factor == 0 {
        return Err(crate::Error::setting("factor", "0 times an image is none"));
    }
    larger.check().map(|()| larger)
}

/// The size is the factor, the index list the shape of the smaller image.
pub(super) struct Upsample;

/// Calls `visit` with where the channels of each pixel of the larger image are, and those of the pixel that it is a copy
/// of, for all samples.
#[inline(always)]
fn pixels(list: &[u32], factor: usize, numbers: usize, mut visit: impl FnMut(usize, usize)) {
    let [channels, height, width] = [0, 1, 2].map(|i| list[i] as usize);
    let samples = numbers / (channels * height * width);
    let mut to = 0;
    for line in 0..samples * height {
        for _ in 0..factor {
            for x in 0..width * factor {
                visit(to, (line * width + x / factor) * channels);
                to += channels;
            }
        }
    }
}

impl<T: Float> Operation<T> for Upsample {
    fn name(&self) -> &'static str {
        "upsample"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, list, factor) = (cx.x(0), cx.indices(), cx.args().sizes[0]);
        let (channels, y) = (list[0] as usize, cx.y());
        pixels(list, factor, x.len(), |to, from| {
            y[to..to + channels].copy_from_slice(&x[from..from + channels]);
        });
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, list, factor) = (cx.dy(), cx.indices(), cx.args().sizes[0]);
        let channels = list[0] as usize;
        cx.add_at(
            0,
            #[inline(always)]
            |mut dx| {
                let numbers = dx.len();
                pixels(list, factor, numbers, |from, to| {
                    dx.part(to, channels).add_slice(&dy[from..from + channels]);
                });
            },
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        let (list, factor) = (cx.indices(), cx.args().sizes[0]);
        let [channels, height, width] = [0, 1, 2].map(|i| list[i] as usize);
        let output = ImageShape::new(channels, height, width);
        let image = ImageShape::new(channels, height * factor, width * factor);
        let window = Window { stride: [factor; 2], ..Window::new(factor, factor) };
        cx.add_with(0, |tape| {
            let means = window_means(tape, dy, Pools { image, window, output });
            let pixels = factor as f64 * factor as f64;
            tape.scale(means, T::of(pixels))
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {}", args.sizes[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients() {
        for ((channels, height, width), factor) in [((1, 1, 1), 1), ((2, 2, 3), 2), ((3, 1, 2), 3)] {
            let image = ImageShape::new(channels, height, width);
            for samples in [0, 1, 2] {
                check_op(&[filled(samples, image.numel())], |t, x| t.upsample(x[0], image, factor));
            }
        }
    }

    #[test]
    fn pixels_are_repeated() {
        let mut tape = Tape::new();
        let x = tape.variable_slice(1, 4, &[1.0, 10.0, 2.0, 20.0]);
        let y = tape.upsample(x, ImageShape::new(2, 1, 2), 2);
        let line = [1.0, 10.0, 1.0, 10.0, 2.0, 20.0, 2.0, 20.0];
        assert_eq!(tape.value_slice(y), [line, line].concat());
        tape.backward_with(y, |dy| dy.iter_mut().enumerate().for_each(|(i, dy)| *dy = i as f64));
        assert_eq!(tape.grad_slice(x), [0.0 + 2.0 + 8.0 + 10.0, 24.0, 4.0 + 6.0 + 12.0 + 14.0, 40.0]);
    }

    #[test]
    #[should_panic(expected = "upsample: v0 is 1×4 but an image of 1×2×3 has 6 numbers (4 ≠ 6)")]
    fn another_image() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(1, 4));
        tape.upsample(x, ImageShape::new(1, 2, 3), 2);
    }

    #[test]
    #[should_panic(expected = "upsample: factor: 0 times an image is none")]
    fn no_factor() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(1, 4));
        tape.upsample(x, ImageShape::new(1, 2, 2), 0);
    }
}
