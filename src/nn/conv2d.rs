//! The layer of filters over an image.

use rand::Rng;

use super::module::visit_weight_and_bias;
use super::{Init, Mode, Module};
use crate::ops::{Convolution, ImageShape};
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::{Float, Result};

/// Filters over an image, a sample a row: [`Tape::conv2d`].
///
/// The weights are (lines·columns·channels of a filter)×filters, the bias 1×filters: see [`Convolution::weights`]. What
/// comes out is a row again, of an image with the filters as channels; [`Linear`](super::Linear) takes it as it is, and
/// nothing has to be flattened.
///
/// ```
/// use tapegrad::nn::{Conv2d, Init, Mode, Module};
/// use tapegrad::ops::{Convolution, ImageShape};
/// use tapegrad::rng::{Purpose, stream};
///
/// let mut tape = tapegrad::Tape::new();
/// let form = Convolution::new(ImageShape::new(1, 3, 3), 2, 2);
/// let layer = Conv2d::new(&mut tape, form, true, Init::Constant(0.5), &mut stream(0, Purpose::Init))?;
/// let x = tape.constant_slice(1, 9, &[1.0; 9]);
/// let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.value_slice(y), [2.0; 2 * 2 * 2]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// The weights, a filter a column.
    pub weight: Param,
    /// The bias, 1×filters.
    pub bias: Option<Param>,
    form: Convolution,
    output: ImageShape,
}

impl Conv2d {
    /// A layer of that form, with weights drawn from `init` for as many inputs as a filter sees, and as many outputs as
    /// see an input: filters of a group for each pixel of the window. Its bias is as that of
    /// [`Linear`](super::Linear::new).
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) as [`Convolution::output`], and for a constant to begin with that is not
    /// finite in the type of the tape.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(
        tape: &mut Tape<T>,
        form: Convolution,
        bias: bool,
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<Conv2d> {
        let output = form.output()?;
        init.check::<T>()?;
        let (rows, cols) = form.weights();
        let fan_out = form.window.taps() * (cols / form.groups);
        let weight = tape.param_with(rows, cols, |w| init.fill(w, rows, fan_out, rng));
        let bias = bias.then(|| tape.param_with(1, cols, |b| init.fill_bias(b, rows, rng)));
        Ok(Conv2d { weight, bias, form, output })
    }

    /// What it is, but for the weights.
    pub fn form(&self) -> &Convolution {
        &self.form
    }
}

impl<T: Float> Module<T> for Conv2d {
    fn describe(&self) -> String {
        let bias = if self.bias.is_some() { "" } else { " without bias" };
        format!("conv {}{bias}", self.form)
    }

    /// The map of each image, in one node.
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        tape.conv2d(x, self.weight, self.bias.map(Param::var), &self.form)
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit_weight_and_bias(self.weight, self.bias, visit);
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.form.image.numel())
    }

    fn images(&self) -> Option<(ImageShape, ImageShape)> {
        Some((self.form.image, self.output))
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("conv2d").with("form", self.form).with("bias", self.bias.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ModuleExt;
    use crate::rng::{Purpose, stream};

    #[test]
    fn with_and_without_bias() {
        let form = Convolution::new(ImageShape::new(2, 5, 5), 3, 3).stride(2);
        let mut tape = Tape::new();
        let rng = &mut stream(1, Purpose::Init);
        let plain = Conv2d::new(&mut tape, form, false, Init::HeNormal, rng).unwrap();
        let affine = Conv2d::new(&mut tape, form, true, Init::PyTorch, rng).unwrap();
        assert_eq!(Module::<f64>::describe(&plain), "conv 2×5×5→3×2×2, 3×3, stride 2×2 without bias");
        assert_eq!(tape.param_shape(affine.weight).to_string(), "18×3");
        let names: Vec<String> =
            ModuleExt::<f64>::named_parameters(&affine).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["weight", "bias"]);
        // Uniform in ±1/√18, as PyTorch draws both.
        for p in [affine.weight, affine.bias.unwrap()] {
            assert!(tape.value(p).iter().all(|x| *x != 0.0 && x.abs() < 1.0 / 18f64.sqrt()));
        }
        let x = tape.constant_with(4, 50, |x| x.fill(1.0));
        for layer in [plain, affine] {
            let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
            assert_eq!(tape.shape(y).to_string(), "4×12");
            assert_eq!(Module::<f64>::images(&layer).unwrap().1.numel(), 12);
        }
    }

    #[test]
    fn a_form_that_is_none() {
        let form = Convolution::new(ImageShape::new(2, 5, 4), 3, 5);
        let new = |form, init| {
            Conv2d::new(&mut Tape::<f32>::default(), form, true, init, &mut stream(1, Purpose::Init))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(new(form, Init::Zeros), "kernel: a window of 5×5 is larger than an image of 5×4");
        let fits = Convolution::new(form.image, 3, 2);
        assert!(new(fits, Init::Constant(1e300)).starts_with("init: "));
    }
}
