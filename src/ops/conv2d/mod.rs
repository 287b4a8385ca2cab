//! Convolution of images, and its transpose.

mod depthwise;
#[cfg(test)]
mod tests;
mod weights;

use super::images::describe_window;
use super::{Convolution, Op};
use crate::Float;
use crate::linalg::convolution::{convolve, convolve_transposed, convolve_weights};
use crate::linalg::product::convolution::Start;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text;
pub(super) use weights::Conv2dWeights;

/// # Convolutions
/// Filters over images, a sample a row: see [`Convolution`].
impl<T: Float> Tape<T> {
    /// The map of every image under filters w and biases b:
    /// y\[i, j, f\] = b\[f\] + Σ x\[i·stride − padding + m·dilation, j·stride − padding + n·dilation, c\] · w\[(m, n, c), f\]
    /// over the lines m, the columns n and the channels c of a filter. What lies beyond the edges is 0.
    ///
    /// `x` is n×(height·width·channels), the channels of a pixel side by side; `w` has the shape
    /// [`Convolution::weights`], a filter a column; `b`, if there is one, is 1×filters. The result is an image of the
    /// shape [`Convolution::output`] for each sample. With groups, c goes over the channels of the filter's own group
    /// only. It is a correlation, as everywhere in machine learning: no filter is turned round.
    ///
    /// Sums are taken in the order of a product of the patches and w: see [`linalg`](crate::linalg); where each channel
    /// is a group and has one filter (a depthwise convolution), they are plain sums over m and n.
    ///
    /// Backward: dx is [the transpose](Tape::conv2d_transpose) of dy; dw\[(m, n, c), f\] = Σ of what a weight saw times
    /// dy, over samples and pixels; db = Σ of the pixels of dy.
    ///
    /// # Panics
    /// If the form is none, such as with a kernel that is larger than the image; if the shapes do not fit, or an operand
    /// is stale.
    ///
    /// ```
    /// use tapegrad::ops::{Convolution, ImageShape};
    ///
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.constant_slice(1, 4, &[1.0, 2.0, 3.0, 4.0]);
    /// let w = tape.constant_slice(2, 1, &[1.0, 10.0]);
    /// let mut form = Convolution::new(ImageShape::new(1, 2, 2), 1, 1);
    /// form.window.kernel = [1, 2];
    /// let y = tape.conv2d(x, w, None, &form);
    /// assert_eq!(tape.value_slice(y), [21.0, 43.0]);
    /// ```
    #[track_caller]
    pub fn conv2d(
        &mut self,
        x: impl Into<Var>,
        w: impl Into<Var>,
        b: Option<Var>,
        form: &Convolution,
    ) -> Var {
        self.convolution(Op::Conv2d, "conv2d", [x.into(), w.into()], b, form)
    }

    /// The transpose of the convolution that `form` is: from its maps to its images, with the same weights.
    /// y\[p\] = b + Σ of w·x over all places that would see the pixel p.
    ///
    /// `x` is n×[`Convolution::output`], the result n×[`Convolution::image`], and `b`, if there is one, 1×channels of
    /// the image. With a stride it makes images larger. What a filter would see beyond the edges is dropped.
    ///
    /// Backward: dx is the [convolution](Tape::conv2d) of dy; dw as there, with x and dy exchanged; db = Σ of the pixels
    /// of dy.
    ///
    /// # Panics
    /// As [`conv2d`](Tape::conv2d).
    #[track_caller]
    pub fn conv2d_transpose(
        &mut self,
        x: impl Into<Var>,
        w: impl Into<Var>,
        b: Option<Var>,
        form: &Convolution,
    ) -> Var {
        self.convolution(Op::Conv2dTranspose, "conv2d_transpose", [x.into(), w.into()], b, form)
    }

    #[track_caller]
    fn convolution(
        &mut self,
        op: Op,
        name: &'static str,
        [x, w]: [Var; 2],
        b: Option<Var>,
        form: &Convolution,
    ) -> Var {
        let output = form.output().unwrap_or_else(|error| panic!("{name}: {error}"));
        let (from, to) = match op {
            Op::Conv2d => (form.image, output),
            _ => (output, form.image),
        };
        let (sx, sw) = (self.shape_of_images(name, x, from), self.shape_for(name, w));
        let (rows, cols) = form.weights();
        assert!(
            sw == Shape::new(rows, cols),
            "{name}: the weights {w} are {sw} but {form} takes {} (lines, columns and channels of a filter below each \
             other, filters beside each other)",
            Shape::new(rows, cols)
        );
        let mut operands = [x, w, x];
        let mut count = 2;
        if let Some(b) = b {
            let sb = self.shape_for(name, b);
            assert!(
                sb == Shape::new(1, to.channels),
                "{name}: the bias {b} is {sb} but the result has {} (expected {})",
                text::count(to.channels, "channel"),
                Shape::new(1, to.channels)
            );
            (operands[2], count) = (b, 3);
        }
        let args = Args { sizes: form.window.kernel, ..Args::NONE };
        let shape = Shape::new(sx.rows, to.numel());
        self.apply_indexed(op.get(), &operands[..count], shape, args, form.to_list())
    }
}

/// The index list is the form.
pub(super) struct Conv2d;

impl<T: Float> Operation<T> for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let form = Convolution::of_list(cx.indices());
        let (x, w) = (cx.x(0), cx.x(1));
        let start = if cx.inputs() == 3 { Start::Bias(cx.x(2)) } else { Start::Zero };
        if depthwise::is(&form) {
            depthwise::map(&form, x, w, start, cx.y());
        } else {
            convolve(&form, x, w, start, cx.y());
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let form = Convolution::of_list(cx.indices());
        let (x, w, dy) = (cx.x(0), cx.x(1), cx.dy());
        let is_depthwise = depthwise::is(&form);
        if let Some((dx, add)) = cx.dx(0) {
            let of = if is_depthwise { depthwise::image } else { convolve_transposed };
            of(&form, dy, w, add, dx);
        }
        if let Some((dw, add)) = cx.dx(1) {
            let of = if is_depthwise { depthwise::weights } else { convolve_weights };
            of(&form, x, dy, add, dw);
        }
        add_to_bias(&mut cx);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (x, w, dy) = (cx.x(0), cx.x(1), cx.dy());
        let form = Convolution::of_list(&cx.indices());
        cx.add_with(0, |tape| tape.conv2d_transpose(dy, w, None, &form));
        cx.add_with(1, |tape| tape.conv2d_weights(x, dy, &form));
        record_bias(cx, form.filters);
    }

    fn describe(&self, args: &Args<T>) -> String {
        describe_window(args)
    }
}

/// The index list is the form of the convolution that it is the transpose of.
pub(super) struct Conv2dTranspose;

impl<T: Float> Operation<T> for Conv2dTranspose {
    fn name(&self) -> &'static str {
        "conv2d_transpose"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let form = Convolution::of_list(cx.indices());
        let (x, w) = (cx.x(0), cx.x(1));
        let bias = (cx.inputs() == 3).then(|| cx.x(2));
        let y = cx.y();
        if let Some(bias) = bias {
            y.chunks_exact_mut(bias.len()).for_each(|pixel| pixel.copy_from_slice(bias));
        }
        let of = if depthwise::is(&form) { depthwise::image } else { convolve_transposed };
        of(&form, x, w, bias.is_some(), y);
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let form = Convolution::of_list(cx.indices());
        let (x, w, dy) = (cx.x(0), cx.x(1), cx.dy());
        let is_depthwise = depthwise::is(&form);
        if let Some((dx, add)) = cx.dx(0) {
            let start = if add { Start::There } else { Start::Zero };
            let of = if is_depthwise { depthwise::map } else { convolve };
            of(&form, dy, w, start, dx);
        }
        if let Some((dw, add)) = cx.dx(1) {
            let of = if is_depthwise { depthwise::weights } else { convolve_weights };
            of(&form, dy, x, add, dw);
        }
        add_to_bias(&mut cx);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (x, w, dy) = (cx.x(0), cx.x(1), cx.dy());
        let form = Convolution::of_list(&cx.indices());
        cx.add_with(0, |tape| tape.conv2d(dy, w, None, &form));
        cx.add_with(1, |tape| tape.conv2d_weights(dy, x, &form));
        record_bias(cx, form.image.channels);
    }

    fn describe(&self, args: &Args<T>) -> String {
        describe_window(args)
    }
}

/// The gradient of the bias, where there is one, of so many channels: the sum of the pixels.
fn record_bias<T: Float>(mut cx: Recorder<'_, T>, channels: usize) {
    let dy = cx.dy();
    if cx.inputs() == 3 {
        cx.add_with(2, |tape| {
            let pixels = tape.shape(dy).numel() / channels;
            let pixels = tape.reshape(dy, pixels, channels);
            tape.sum_rows(pixels)
        });
    }
}

/// db += Σ of the pixels of dy, where there is a bias.
fn add_to_bias<T: Float>(cx: &mut Backward<'_, T>) {
    if cx.inputs() < 3 {
        return;
    }
    let dy = cx.dy();
    cx.add_column_sums(
        2,
        dy.len(),
        #[inline(always)]
        |start, part| part.iter_mut().zip(&dy[start..]).for_each(|(sum, dy)| *sum += *dy),
    );
}
