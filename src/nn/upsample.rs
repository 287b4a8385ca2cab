//! The layer that makes images larger, by repetition.

use std::sync::Arc;

use super::restore::{Made, Place, check_image};
use super::{Mode, Module};
use crate::ops::{ImageShape, upsampled};
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::{Error, Float, Result};

/// Each pixel of an image `factor` times down and `factor` times along: [`Tape::upsample`].
///
/// ```
/// use tapegrad::nn::{Mode, Module, Upsample};
/// use tapegrad::ops::ImageShape;
///
/// let mut tape = tapegrad::Tape::new();
/// let layer = Upsample::new(ImageShape::new(1, 1, 2), 2)?;
/// let x = tape.constant_slice(1, 2, &[3.0, 4.0]);
/// let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.value_slice(y), [3.0, 3.0, 4.0, 4.0, 3.0, 3.0, 4.0, 4.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upsample {
    image: ImageShape,
    factor: usize,
    larger: ImageShape,
}

impl Upsample {
    /// For such images.
    ///
    /// # Errors
    /// [`Error::Setting`] if the image has no pixels, the factor is 0, or there would be more numbers than a matrix has
    /// columns.
    pub fn new(image: ImageShape, factor: usize) -> Result<Upsample> {
        Ok(Upsample { image, factor, larger: upsampled(image, factor)? })
    }
}

impl<T: Float> Module<T> for Upsample {
    fn describe(&self) -> String {
        format!("upsample {}→{}", self.image, self.larger)
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        tape.upsample(x, self.image, self.factor)
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.image.numel())
    }

    fn images(&self) -> Option<(ImageShape, ImageShape)> {
        Some((self.image, self.larger))
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("upsample").with("image", self.image).with("factor", self.factor))
    }
}

/// What a file holds of it.
pub(super) fn restore<T: Float>(
    _: &mut Tape<T>,
    settings: &Settings,
    _: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let image = settings.get("image")?;
    check_image(image, width)?;
    let layer =
        Upsample::new(image, settings.get("factor")?).map_err(|error| Error::Data(error.to_string()))?;
    Ok((Arc::new(layer), layer.larger.numel()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_is() {
        let image = ImageShape::new(2, 3, 1);
        let layer = Upsample::new(image, 3).unwrap();
        assert_eq!(Module::<f64>::describe(&layer), "upsample 2×3×1→2×9×3");
        assert_eq!(Module::<f64>::images(&layer), Some((image, ImageShape::new(2, 9, 3))));
        assert_eq!(Upsample::new(image, 0).unwrap_err().to_string(), "factor: 0 times an image is none");
        let huge = Upsample::new(image, usize::MAX).unwrap_err().to_string();
        assert!(huge.ends_with("has more than 2³² − 1 numbers"), "{huge}");
    }
}
