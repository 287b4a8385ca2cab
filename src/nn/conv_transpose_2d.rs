//! The layer that makes larger images of smaller ones, by the transpose of a convolution.

use rand::Rng;

use super::module::visit_weight_and_bias;
use super::{Init, Mode, Module};
use crate::ops::{Convolution, ImageShape};
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::text::count;
use crate::{Float, Result};

/// The transpose of a convolution, a sample a row: [`Tape::conv2d_transpose`].
///
/// Its form is that of the convolution whose maps it turns into images again. So it knows how large the image is: of a
/// convolution of stride 2, images of 13 and of 14 lines both have maps of 7, and each gets its own size back. (PyTorch's
/// `nn.ConvTranspose2d` asks for the missing line as `output_padding`.)
///
/// The weights are (lines·columns·channels of the image)×filters, as those of the convolution; the bias is 1×channels.
///
/// ```
/// use tapegrad::nn::{ConvTranspose2d, Init, Mode, Module};
/// use tapegrad::ops::{Convolution, ImageShape};
/// use tapegrad::rng::{Purpose, stream};
///
/// let mut tape = tapegrad::Tape::new();
/// let form = Convolution::new(ImageShape::new(1, 4, 4), 1, 2).stride(2);
/// let layer = ConvTranspose2d::new(&mut tape, form, true, Init::Constant(3.0), &mut stream(0, Purpose::Init))?;
/// let x = tape.constant_slice(1, 4, &[0.0, 1.0, 2.0, 0.0]);
/// let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.value_slice(y)[..8], [0.0, 0.0, 3.0, 3.0, 0.0, 0.0, 3.0, 3.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose2d {
    /// The weights, a filter a column.
    pub weight: Param,
    /// The bias, 1×channels of the image.
    pub bias: Option<Param>,
    form: Convolution,
    map: ImageShape,
}

impl ConvTranspose2d {
    /// The layer from the maps of `form` to its images. Weights are drawn from `init` for as many inputs as a pixel of the
    /// image sees in the mean, filters of a group·pixels of the window/pixels of the stride, and for as many outputs as a
    /// number of the map goes to. [`Init::PyTorch`] takes these outputs for the inputs, as PyTorch does. The bias is as that
    /// of [`Linear`](super::Linear::new).
    ///
    /// Any stride is allowed, as in PyTorch. Where it is larger than the window, or misses pixels that the dilation leaves
    /// out, there are pixels that see no number of the map: they are the bias.
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
    ) -> Result<ConvTranspose2d> {
        let map = form.output()?;
        init.check::<T>()?;
        let (rows, cols) = form.weights();
        let [down, along] = form.window.stride;
        let seen = (form.window.taps() * (cols / form.groups)).div_ceil(down * along);
        let fan_in = if init == Init::PyTorch { rows } else { seen };
        let weight = tape.param_with(rows, cols, |w| init.fill(w, fan_in, rows, rng));
        let bias = bias.then(|| tape.param_with(1, form.image.channels, |b| init.fill_bias(b, fan_in, rng)));
        Ok(ConvTranspose2d { weight, bias, form, map })
    }

    /// The convolution that it is the transpose of.
    pub fn form(&self) -> &Convolution {
        &self.form
    }
}

impl<T: Float> Module<T> for ConvTranspose2d {
    fn describe(&self) -> String {
        let bias = if self.bias.is_some() { "" } else { " without bias" };
        let groups = match self.form.groups {
            1 => String::new(),
            groups => format!(", {}", count(groups, "group")),
        };
        format!("transposed conv {}→{}, {}{groups}{bias}", self.map, self.form.image, self.form.window)
    }

    /// The image of each map, in one node.
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        tape.conv2d_transpose(x, self.weight, self.bias.map(Param::var), &self.form)
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit_weight_and_bias(self.weight, self.bias, visit);
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.map.numel())
    }

    fn images(&self) -> Option<(ImageShape, ImageShape)> {
        Some((self.map, self.form.image))
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("conv2d_transpose").with("form", self.form).with("bias", self.bias.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ModuleExt;
    use crate::ops::Window;
    use crate::rng::{Purpose, stream};

    #[test]
    fn with_and_without_bias() {
        let form = Convolution::new(ImageShape::new(2, 6, 5), 3, 3).stride(2).padding(1);
        let mut tape = Tape::new();
        let rng = &mut stream(1, Purpose::Init);
        let plain = ConvTranspose2d::new(&mut tape, form, false, Init::HeNormal, rng).unwrap();
        let affine = ConvTranspose2d::new(&mut tape, form, true, Init::PyTorch, rng).unwrap();
        let about = "transposed conv 3×3×3→2×6×5, 3×3, stride 2×2, padding 1×1 without bias";
        assert_eq!(Module::<f64>::describe(&plain), about);
        let in_groups = Convolution::new(ImageShape::new(2, 4, 4), 6, 2).groups(2);
        let parted = ConvTranspose2d::new(&mut tape, in_groups, true, Init::HeNormal, rng).unwrap();
        assert_eq!(Module::<f64>::describe(&parted), "transposed conv 6×3×3→2×4×4, 2×2, 2 groups");
        assert_eq!(tape.param_shape(affine.weight).to_string(), "18×3");
        let names: Vec<String> =
            ModuleExt::<f64>::named_parameters(&affine).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["weight", "bias"]);
        // Uniform in ±1/√18: PyTorch counts 2 channels of 3×3, not the filters.
        for p in [affine.weight, affine.bias.unwrap()] {
            assert!(tape.value(p).iter().all(|x| *x != 0.0 && x.abs() < 1.0 / 18f64.sqrt()));
        }
        let x = tape.constant_with(4, 27, |x| x.fill(1.0));
        for layer in [plain, affine] {
            let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
            assert_eq!(tape.shape(y).to_string(), "4×60");
            assert_eq!(Module::<f64>::images(&layer).unwrap().1, form.image);
        }
    }

    /// He's weights give twice the mean square of what goes in, half of which ReLU would have taken, to every pixel but
    /// those at the edges. Of 12,800 weights the mean square is known to 0.0125 of itself.
    #[test]
    fn the_size_of_numbers_is_kept() {
        let form = Convolution::new(ImageShape::new(20, 20, 20), 40, 4).stride(2).padding(1);
        let mut tape = Tape::<f32>::default();
        let rng = &mut stream(3, Purpose::Init);
        let layer = ConvTranspose2d::new(&mut tape, form, false, Init::HeNormal, rng).unwrap();
        let x = tape.constant_with(10, 40 * 10 * 10, |x| {
            x.iter_mut().for_each(|x| *x = crate::rng::standard_normal(rng) as f32);
        });
        let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
        let lines = tape.value_slice(y).chunks(20 * 20).enumerate();
        let inner = lines.filter(|(i, _)| (1..19).contains(&(i % 20))).flat_map(|(_, line)| &line[20..380]);
        let (sum, n) = inner.fold((0.0, 0.0), |(sum, n), y| (sum + f64::from(y * y), n + 1.0));
        assert!((sum / n - 2.0).abs() < 0.1, "{}", sum / n);
    }

    #[test]
    fn a_form_that_is_none() {
        let form = Convolution::new(ImageShape::new(2, 5, 4), 3, 5);
        let new = |form, init| {
            let rng = &mut stream(1, Purpose::Init);
            ConvTranspose2d::new(&mut Tape::<f32>::default(), form, true, init, rng).unwrap_err().to_string()
        };
        assert_eq!(new(form, Init::Zeros), "kernel: a window of 5×5 is larger than an image of 5×4");
        let fits = Convolution::new(form.image, 3, 2);
        assert!(new(fits, Init::Constant(1e300)).starts_with("init: "));
    }

    /// `torch.nn.ConvTranspose2d(1, 1, (1, 2), stride=(1, 3))` and `(1, 1, (1, 3), stride=(1, 4), dilation=(1, 2))`, all
    /// weights 1 and the bias 10: what no window reaches is the bias.
    #[test]
    fn pixels_that_see_nothing_are_the_bias() {
        let form = |width, taps, stride, dilation| Convolution {
            image: ImageShape::new(1, 1, width),
            window: Window {
                kernel: [1, taps],
                stride: [1, stride],
                dilation: [1, dilation],
                ..Window::new(1, 1)
            },
            ..Convolution::new(ImageShape::new(1, 1, 1), 1, 1)
        };
        for (form, expected) in [
            (form(5, 2, 3, 1), &[11.0, 11.0, 10.0, 12.0, 12.0][..]),
            (form(9, 3, 4, 2), &[11.0, 10.0, 11.0, 10.0, 13.0, 10.0, 12.0, 10.0, 12.0]),
        ] {
            let mut tape = Tape::new();
            let rng = &mut stream(1, Purpose::Init);
            let layer = ConvTranspose2d::new(&mut tape, form, true, Init::Constant(1.0), rng).unwrap();
            tape.set_param(layer.bias.unwrap(), &[10.0]);
            let x = tape.constant_slice(1, 2, &[1.0, 2.0]);
            let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
            assert_eq!(tape.value_slice(y), expected);
        }
    }
}
