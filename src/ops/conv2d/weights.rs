//! What weights of filters get from images and maps: the third one beside a convolution and its transpose.

use super::depthwise;
use crate::Float;
use crate::linalg::convolution::{convolve, convolve_transposed, convolve_weights};
use crate::linalg::product::convolution::Start;
use crate::ops::images::describe_window;
use crate::ops::{Convolution, Op};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
use crate::text::count;

/// # Gradients of filters
/// For gradients that are differentiated again.
impl<T: Float> Tape<T> {
    /// The gradient of the weights of a [convolution](Tape::conv2d) of the images x under the gradient m of its maps:
    /// y\[(l, n, c), f\] = Σ x\[i·stride − padding + l·dilation, j·stride − padding + n·dilation, c\] · m\[i, j, f\] over
    /// samples and pixels i, j.
    ///
    /// `x` is n×[`Convolution::image`], `m` n×[`Convolution::output`], and the result has the shape
    /// [`Convolution::weights`]. Convolution, transpose and this one are three parts of one form that is linear in images,
    /// weights and maps: the gradients of each are the other two.
    ///
    /// Backward: dx is [the transpose](Tape::conv2d_transpose) of m under the weights dy, and dm is the convolution of x
    /// under them.
    ///
    /// # Panics
    /// As [`conv2d`](Tape::conv2d).
    ///
    /// ```
    /// use tapegrad::ops::{Convolution, ImageShape};
    ///
    /// let mut tape = tapegrad::Tape::new();
    /// let form = Convolution::new(ImageShape::new(1, 2, 2), 1, 1);
    /// let x = tape.constant_slice(1, 4, &[1.0, 2.0, 3.0, 4.0]);
    /// let m = tape.constant_slice(1, 4, &[1.0, 10.0, 100.0, 1000.0]);
    /// let y = tape.conv2d_weights(x, m, &form);
    /// assert_eq!(tape.item(y), 4321.0);
    /// ```
    #[track_caller]
    pub fn conv2d_weights(&mut self, x: impl Into<Var>, m: impl Into<Var>, form: &Convolution) -> Var {
        let (x, m, name) = (x.into(), m.into(), "conv2d_weights");
        let output = form.output().unwrap_or_else(|error| panic!("{name}: {error}"));
        let (sx, sm) = (self.shape_of_images(name, x, form.image), self.shape_of_images(name, m, output));
        assert!(
            sx.rows == sm.rows,
            "{name}: the images {x} are {sx} but the maps {m} are {sm} ({} ≠ {})",
            sx.rows,
            count(sm.rows, "sample")
        );
        let (rows, cols) = form.weights();
        let args = Args { sizes: form.window.kernel, ..Args::NONE };
        self.apply_indexed(Op::Conv2dWeights.get(), &[x, m], Shape::new(rows, cols), args, form.to_list())
    }
}

/// The index list is the form.
pub(in crate::ops) struct Conv2dWeights;

impl<T: Float> Operation<T> for Conv2dWeights {
    fn name(&self) -> &'static str {
        "conv2d_weights"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let form = Convolution::of_list(cx.indices());
        let (x, m) = (cx.x(0), cx.x(1));
        let of = if depthwise::is(&form) { depthwise::weights } else { convolve_weights };
        of(&form, x, m, false, cx.y());
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let form = Convolution::of_list(cx.indices());
        let (x, m, dy) = (cx.x(0), cx.x(1), cx.dy());
        let is_depthwise = depthwise::is(&form);
        if let Some((dx, add)) = cx.dx(0) {
            let of = if is_depthwise { depthwise::image } else { convolve_transposed };
            of(&form, m, dy, add, dx);
        }
        if let Some((dm, add)) = cx.dx(1) {
            let start = if add { Start::There } else { Start::Zero };
            let of = if is_depthwise { depthwise::map } else { convolve };
            of(&form, x, dy, start, dm);
        }
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (x, m, dy) = (cx.x(0), cx.x(1), cx.dy());
        let form = Convolution::of_list(&cx.indices());
        cx.add_with(0, |tape| tape.conv2d_transpose(m, dy, None, &form));
        cx.add_with(1, |tape| tape.conv2d(x, dy, None, &form));
    }

    fn describe(&self, args: &Args<T>) -> String {
        describe_window(args)
    }
}
