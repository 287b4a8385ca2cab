//! A part of a network that goes over an image, before it is a module.

use std::sync::Arc;

use rand::Rng;

use crate::nn::{Conv2d, Init, Module, Pool};
use crate::ops::{Convolution, ImageShape, Window};
use crate::tape::Tape;
use crate::{Error, Float, Result};

/// What a convolution is to be, once its image is known.
type Form = Box<dyn FnOnce(Convolution) -> Convolution>;

/// A part that goes over an image.
pub(super) enum ImagePart {
    /// What the numbers of a sample stand for from here on.
    Shape(ImageShape),
    Conv {
        filters: usize,
        kernel: usize,
        form: Form,
    },
    MaxPool(Window),
    AvgPool(Window),
    GlobalAvgPool,
}

impl ImagePart {
    /// The module, and what it is called; none where it only says what the numbers stand for. `image` is changed to
    /// what they stand for behind it.
    ///
    /// # Errors
    /// [`Error::Data`] if what goes in is no image, or one of another size; [`Error::Setting`] as those of the modules.
    #[expect(clippy::type_complexity, reason = "a name and a module")]
    pub(super) fn make<T: Float>(
        self,
        width: usize,
        image: &mut Option<ImageShape>,
        tape: &mut Tape<T>,
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<Option<(&'static str, Arc<dyn Module<T>>)>> {
        if let ImagePart::Shape(shape) = self {
            shape.check()?;
            if shape.numel() != width {
                let why = format!(
                    "an image of {shape} has {} numbers, but what goes in has {width}",
                    shape.numel()
                );
                return Err(Error::Data(why));
            }
            *image = Some(shape);
            return Ok(None);
        }
        let Some(taken) = *image else {
            let why = "a convolution or a pool takes an image, and what goes in is none: say with \
                       image(channels, height, width) what it stands for";
            return Err(Error::Data(why.into()));
        };
        let pool = |pool: Result<Pool>| -> Result<Arc<dyn Module<T>>> { Ok(Arc::new(pool?)) };
        Ok(Some(match self {
            ImagePart::Conv { filters, kernel, form } => {
                let form = form(Convolution::new(taken, filters, kernel));
                if form.image != taken {
                    let why = format!("a convolution of images of {} is given {taken}", form.image);
                    return Err(Error::Data(why));
                }
                ("conv", Arc::new(Conv2d::new(tape, form, true, init, rng)?))
            }
            ImagePart::MaxPool(window) => ("pool", pool(Pool::max(taken, window))?),
            ImagePart::AvgPool(window) => ("pool", pool(Pool::avg(taken, window))?),
            ImagePart::GlobalAvgPool => ("pool", pool(Pool::global_avg(taken))?),
            ImagePart::Shape(_) => unreachable!("it was looked at above"),
        }))
    }
}
