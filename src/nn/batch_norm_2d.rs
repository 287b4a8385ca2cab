//! The layer of batch normalisation of images.

use std::sync::Arc;

use super::norm::shape_of_images;
use super::restore::{Made, Place, check_image, set};
use super::{BatchNorm, Mode, Module};
use crate::ops::ImageShape;
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::{Float, Result};

/// [`BatchNorm`] of images: each channel is normalised over all pixels of all samples, and has one scale γ and one shift β.
///
/// A filter is the same everywhere, and so is what its answers are divided by: Ioffe and Szegedy, *Batch Normalization*,
/// arXiv:1502.03167, section 3.2. [`BatchNorm`] itself, for samples that are no images, would normalise every pixel for
/// itself.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{BatchNorm2d, Mode, Module};
/// use tapegrad::ops::ImageShape;
/// use tapegrad::rng::Place;
///
/// let mut tape = Tape::new();
/// let norm = BatchNorm2d::new(&mut tape, ImageShape::new(1, 1, 2), 0.1, 1e-9)?;
/// let x = tape.constant_slice(2, 2, &[1.0, 3.0, 5.0, 7.0]);
/// let y = norm.forward(&mut tape, x, &mut Mode::training(Place::default()));
/// // The mean of all four is 4, their variance 5.
/// assert!((tape.value(y)[(1, 1)] - 3.0 / 5f64.sqrt()).abs() < 1e-8);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm2d {
    /// That of the channels, with a pixel a row.
    pub channels: BatchNorm,
    image: ImageShape,
}

impl BatchNorm2d {
    /// For such images, with γ = 1 and β = 0 for each channel; momentum 0.1 and ε = 10⁻⁵ are usual.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if the image has no pixels or channels, and as [`BatchNorm::new`].
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(
        tape: &mut Tape<T>,
        image: ImageShape,
        momentum: f64,
        epsilon: f64,
    ) -> Result<BatchNorm2d> {
        image.check()?;
        Ok(BatchNorm2d { channels: BatchNorm::new(tape, image.channels, momentum, epsilon)?, image })
    }
}

impl<T: Float> Module<T> for BatchNorm2d {
    fn describe(&self) -> String {
        format!("batch norm of the channels of {}", self.image)
    }

    /// Normalises m×(h·w·c), as [`BatchNorm`] does m·h·w rows of c columns.
    ///
    /// # Panics
    /// For a single pixel in all in training; if `x` is stale, or its rows are no such images.
    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        let (image, found) = (self.image, shape_of_images(tape, "BatchNorm2d", x, self.image));
        let pixels = tape.reshape(x, found.rows * image.height * image.width, image.channels);
        let pixels = self.channels.forward(tape, pixels, mode);
        tape.reshape(pixels, found.rows, found.cols)
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        Module::<T>::parameters(&self.channels, visit);
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.image.numel())
    }

    fn images(&self) -> Option<(ImageShape, ImageShape)> {
        Some((self.image, self.image))
    }

    fn keeps_width(&self) -> bool {
        true
    }

    fn least_batch(&self) -> usize {
        // One pixel has no variance.
        if self.image.height * self.image.width == 1 { 2 } else { 1 }
    }

    fn store(&self) -> Option<Settings> {
        let channels = Module::<T>::store(&self.channels)?;
        Some(Settings::of("batch_norm_2d").with("image", self.image).with("channels", channels))
    }
}

pub(super) fn restore<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let (image, channels): (ImageShape, Settings) = (settings.get("image")?, settings.get("channels")?);
    check_image(image, width)?;
    // Before room is made for as many.
    from.from.check_shape::<T>("gamma", 1, image.channels)?;
    let norm = BatchNorm2d::new(tape, image, channels.get("momentum")?, channels.get("epsilon")?)?;
    set(tape, &norm, from.from)?;
    Ok((Arc::new(norm), width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Place;

    const IMAGE: ImageShape = ImageShape { channels: 3, height: 2, width: 2 };

    fn numbers(of: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..24).map(|i| of(f64::from(i))).collect()
    }

    #[track_caller]
    fn close(found: &[f64], expected: &[f64]) {
        assert!(found.len() >= expected.len());
        for (x, y) in found.iter().zip(expected) {
            assert!((x - y).abs() < 1e-10, "{found:?} and not {expected:?}");
        }
    }

    /// `torch.nn.BatchNorm2d(3)` of PyTorch 2.15 in f64, the images with the channels last.
    #[test]
    fn figures_of_pytorch() {
        let mut tape = Tape::new();
        let norm = BatchNorm2d::new(&mut tape, IMAGE, 0.1, 1e-5).unwrap();
        tape.set_param(norm.channels.gamma, &[1.5, -0.5, 2.0]);
        tape.set_param(norm.channels.beta, &[0.1, 0.2, -0.3]);
        let x = tape.variable_slice(2, 12, &numbers(|i| i * 7919.0 % 31.0 / 10.0 - 1.0));
        let y = norm.forward(&mut tape, x, &mut Mode::training(Place::default()));
        close(tape.value_slice(y), &[-1.9395718882271453, 0.41665781962852466, 2.2124135249193295]);
        tape.backward_slice(y, &numbers(|i| i * 5.0 % 7.0 / 7.0 - 0.3));
        close(
            tape.grad_slice(x),
            &[-0.5780624449392547, -0.187977963713432, -0.31629961440227233, -0.41312958201085004],
        );
        close(
            tape.grad_slice(norm.channels.gamma),
            &[0.30951117089789226, 1.1910843680070613, 0.9520724936536407],
        );
        close(tape.grad_slice(norm.channels.beta), &[0.6, 1.3142857142857145, 1.0285714285714285]);
        close(
            tape.value_slice(norm.channels.running),
            &[0.01375, 0.07625, 0.06125, 0.9799821428571429, 0.9799821428571429, 1.002125],
        );
        let y = norm.forward(&mut tape, x, &mut Mode::evaluation());
        close(tape.value_slice(y), &[-1.4360693707845402, 0.036480901342706214, 3.1737937024042666]);
    }

    #[test]
    fn few_pixels() {
        let least = |height, width| {
            let mut tape = Tape::<f32>::default();
            let norm = BatchNorm2d::new(&mut tape, ImageShape::new(2, height, width), 0.1, 1e-5).unwrap();
            Module::<f32>::least_batch(&norm)
        };
        assert_eq!((least(1, 1), least(1, 2), least(3, 3)), (2, 1, 1));
        let mut tape = Tape::new();
        let norm = BatchNorm2d::new(&mut tape, IMAGE, 0.1, 1e-5).unwrap();
        let none = tape.constant_with(0, 12, |_| ());
        let y = norm.forward(&mut tape, none, &mut Mode::evaluation());
        assert_eq!(tape.shape(y).to_string(), "0×12");
    }

    #[test]
    #[should_panic(expected = "BatchNorm2d: v3 is 4×3, but an image of 3×2×2 has 12 numbers")]
    fn no_such_image() {
        let mut tape = Tape::new();
        let norm = BatchNorm2d::new(&mut tape, IMAGE, 0.1, 1e-5).unwrap();
        let x = tape.constant_with(4, 3, |_| ());
        norm.forward(&mut tape, x, &mut Mode::evaluation());
    }
}
