//! The layer of group normalisation.

use std::sync::Arc;

use super::layer_norm::ones_and_zeros;
use super::norm::shape_of_images;
use super::restore::{Made, Place, check_image, set};
use super::{Mode, Module};
use crate::ops::ImageShape;
use crate::settings::{self, Range};
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::text::count;
use crate::{Error, Float, Result};

/// Group normalisation of images with a scale γ and a shift β for each channel, which are learnt: [`Tape::group_norm`], the
/// same in training and in evaluation, whatever the batch is.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{GroupNorm, Mode, Module};
/// use tapegrad::ops::ImageShape;
///
/// let mut tape = Tape::new();
/// let norm = GroupNorm::new(&mut tape, ImageShape::new(2, 1, 2), 2, 1e-12)?;
/// // Two pixels of two channels, each channel a group of its own.
/// let x = tape.constant_slice(1, 4, &[1.0, -40.0, 3.0, -60.0]);
/// let y = norm.forward(&mut tape, x, &mut Mode::evaluation());
/// assert!(tape.value_slice(y).iter().zip([-1.0, 1.0, 1.0, -1.0]).all(|(y, e)| (y - e).abs() < 1e-11));
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNorm {
    /// The scale γ, 1×channels.
    pub gamma: Param,
    /// The shift β, 1×channels.
    pub beta: Param,
    image: ImageShape,
    groups: usize,
    epsilon: f64,
}

impl GroupNorm {
    /// For such images, their channels in so many groups of neighbours, with γ = 1 and β = 0; ε = 10⁻⁵ is usual.
    ///
    /// # Errors
    /// [`Error::Setting`] if the image has no pixels, the groups do not divide its channels, or ε is not positive and finite,
    /// as given or in the type of the tape.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(
        tape: &mut Tape<T>,
        image: ImageShape,
        groups: usize,
        epsilon: f64,
    ) -> Result<GroupNorm> {
        image.check()?;
        let channels = image.channels;
        if groups == 0 || !channels.is_multiple_of(groups) {
            let why = format!("{} do not divide {}", count(groups, "group"), count(channels, "channel"));
            return Err(Error::setting("groups", why));
        }
        settings::check::<T>("eps", epsilon, Range::POSITIVE)?;
        let (gamma, beta) = ones_and_zeros(tape, channels);
        Ok(GroupNorm { gamma, beta, image, groups, epsilon })
    }
}

impl<T: Float> Module<T> for GroupNorm {
    fn describe(&self) -> String {
        format!("group norm of the channels of {} in {}", self.image, self.groups)
    }

    /// # Panics
    /// If `x` is stale, or its rows are no such images.
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        shape_of_images(tape, "GroupNorm", x, self.image);
        tape.group_norm(x, self.gamma, self.beta, self.groups, T::of(self.epsilon))
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit("gamma", self.gamma);
        visit("beta", self.beta);
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

    fn store(&self) -> Option<Settings> {
        let settings = Settings::of("group_norm").with("image", self.image);
        Some(settings.with("groups", self.groups).with("epsilon", self.epsilon))
    }
}

/// What a file holds of it.
pub(super) fn restore<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let image: ImageShape = settings.get("image")?;
    check_image(image, width)?;
    // Before room is made for as many.
    from.from.check_shape::<T>("gamma", 1, image.channels)?;
    let norm = GroupNorm::new(tape, image, settings.get("groups")?, settings.get("epsilon")?)
        .map_err(|error| Error::Data(error.to_string()))?;
    set(tape, &norm, from.from)?;
    Ok((Arc::new(norm), width))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: ImageShape = ImageShape { channels: 4, height: 2, width: 1 };

    #[test]
    fn settings_that_cannot_be() {
        let why = |image, groups, epsilon| {
            GroupNorm::new(&mut Tape::<f32>::default(), image, groups, epsilon).unwrap_err().to_string()
        };
        assert_eq!(why(IMAGE, 3, 1e-5), "groups: 3 groups do not divide 4 channels");
        assert_eq!(why(IMAGE, 0, 1e-5), "groups: 0 groups do not divide 4 channels");
        assert!(why(IMAGE, 2, 1e-300).starts_with("eps: "));
        assert!(why(ImageShape::new(4, 0, 1), 2, 1e-5).contains("has no pixels"));
    }

    /// As many numbers in other pixels would be normalised as something else.
    #[test]
    #[should_panic(expected = "GroupNorm: v2 is 1×4, but an image of 4×2×1 has 8 numbers")]
    fn no_such_image() {
        let mut tape = Tape::new();
        let norm = GroupNorm::new(&mut tape, IMAGE, 2, 1e-5).unwrap();
        assert_eq!(Module::<f64>::describe(&norm), "group norm of the channels of 4×2×1 in 2");
        let x = tape.constant_with(1, 4, |_| ());
        norm.forward(&mut tape, x, &mut Mode::evaluation());
    }
}
