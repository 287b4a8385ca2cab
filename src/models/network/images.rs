//! The parts of a network of images.

use std::sync::Arc;

use rand::Rng;

use super::builder::{NetworkBuilder, Part};
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

/// # Images
/// What goes in is told once, by [`image`](Self::image); what comes out of each of the parts below is an image again, up to the next affine
/// layer, which takes it as it is.
impl<T: Float> NetworkBuilder<T> {
    /// What the numbers of a sample stand for from here on: an image of so many channels, lines, and pixels in a line,
    /// the channels of a pixel side by side.
    pub fn image(self, channels: usize, height: usize, width: usize) -> Self {
        self.image_part(ImagePart::Shape(ImageShape::new(channels, height, width)))
    }

    /// [`Conv2d`] with that many filters of `kernel`×`kernel`, stride 1, no padding and a bias.
    pub fn conv(self, filters: usize, kernel: usize) -> Self {
        self.conv_with(filters, kernel, |form| form)
    }

    /// The same with what `form` makes of it: `.conv_with(32, 3, |form| form.padding(1))`.
    pub fn conv_with(
        self,
        filters: usize,
        kernel: usize,
        form: impl FnOnce(Convolution) -> Convolution + 'static,
    ) -> Self {
        self.image_part(ImagePart::Conv { filters, kernel, form: Box::new(form) })
    }

    /// The largest of each window of `side`×`side`, which moves on by as much.
    pub fn max_pool(self, side: usize) -> Self {
        self.image_part(ImagePart::MaxPool(Pool::whole(side)))
    }

    /// The mean of each window of `side`×`side`, which moves on by as much.
    pub fn avg_pool(self, side: usize) -> Self {
        self.image_part(ImagePart::AvgPool(Pool::whole(side)))
    }

    /// The mean of all pixels of each channel.
    pub fn global_avg_pool(self) -> Self {
        self.image_part(ImagePart::GlobalAvgPool)
    }

    fn image_part(self, part: ImagePart) -> Self {
        self.part(Part::Image(part))
    }
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

#[cfg(test)]
mod tests {
    use crate::data::synthetic;
    use crate::models::{Network, Predictor};
    use crate::nn::Activation;
    use crate::ops::ImageShape;
    use crate::optim::{Adam, Optimizer};
    use crate::train::FitOptions;
    use crate::{Dataset, Error};

    /// Digits of 8×8, in two classes.
    fn data() -> Dataset {
        let features: Vec<f64> =
            (0..40 * 64).map(|i| ((i * 37 % 101) as f64 / 101.0) + (i / 64 % 2) as f64 * 0.5).collect();
        Dataset::new(features, 64).unwrap().with_labels(&[0, 1].repeat(20), 2).unwrap()
    }

    #[test]
    fn parts_of_images() {
        let train = data();
        let mut net = Network::<f32>::new(1)
            .image(1, 8, 8)
            .conv(4, 3)
            .relu()
            .max_pool(2)
            .conv_with(6, 3, |form| form.padding(1).stride(2))
            .dropout(0.1)
            .avg_pool(2)
            .linear(16)
            .optimizer(Optimizer::new(Adam::default(), 1e-2).unwrap())
            .outputs_for(&train)
            .unwrap();
        let names: Vec<&str> = net.module().modules().map(|(name, _)| name).collect();
        assert_eq!(names, ["conv1", "relu1", "pool1", "conv2", "dropout1", "pool2", "linear1", "linear2"]);
        let first = net.module().modules().next().unwrap().1.describe();
        assert_eq!(first, "conv 1×8×8→4×6×6, 3×3");
        net.fit(&train, &FitOptions::new(60, 8, 1)).unwrap();
        assert_eq!(net.evaluate(&train).unwrap().accuracy(), Some(1.0));
    }

    #[test]
    fn a_saved_network_of_images_is_the_same() {
        let train = data();
        let mut net = Network::<f32>::new(1)
            .image(1, 8, 8)
            .conv(4, 3)
            .max_pool(2)
            .residual(|block| block.conv_with(4, 3, |form| form.padding(1).groups(2)).relu())
            .avg_pool(2)
            .conv(8, 1)
            .global_avg_pool()
            .outputs_for(&train)
            .unwrap();
        net.fit(&train, &FitOptions::new(1, 8, 1)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        crate::models::save(&net, &path, &Default::default()).unwrap();
        let read = crate::models::load(&path).unwrap().model;
        assert_eq!(read.describe(), net.describe());
        assert_eq!(read.probabilities(&train).unwrap(), net.probabilities(&train).unwrap());
    }

    fn error(make: impl FnOnce(super::NetworkBuilder<f32>) -> super::NetworkBuilder<f32>) -> Error {
        make(Network::<f32>::new(1)).outputs_for(&data()).expect_err("it does not fit")
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert_eq!(
            error(|net| net.image(1, 8, 9)).to_string(),
            "an image of 1×8×9 has 72 numbers, but what goes in has 64"
        );
        assert!(error(|net| net.conv(3, 3)).to_string().contains("say with image(channels, height, width)"));
        assert!(error(|net| net.image(1, 8, 8).linear(64).max_pool(2)).to_string().contains("is none"));
        assert_eq!(
            error(|net| net.image(1, 8, 8).conv(3, 9)).to_string(),
            "kernel: a window of 9×9 is larger than an image of 8×8"
        );
        assert_eq!(
            error(|net| net.image(4, 4, 4).conv_with(6, 3, |form| form.groups(3))).to_string(),
            "groups: 3 groups do not divide 4 channels"
        );
        // As many numbers, but another image.
        let pool = crate::nn::Pool::max(ImageShape::new(4, 4, 4), crate::nn::Pool::whole(2)).unwrap();
        assert_eq!(
            error(|net| net.image(1, 8, 8).activation(Activation::Relu).add(pool)).to_string(),
            "max pool 4×4×4→4×2×2, 2×2, stride 2×2 takes an image of 4×4×4, but gets one of 1×8×8"
        );
        assert_eq!(
            error(|net| net.image(1, 8, 8).residual(|block| block.conv(64, 8))).to_string(),
            "a residual block takes an image of 1×8×8, but gives one of 64×1×1"
        );
    }

    /// A network of images is asked about one sample as about many.
    #[test]
    fn one_sample_is_as_one_of_many() {
        let train = synthetic::digits(60, 0.1, 1).unwrap();
        let (height, width) = train.image_shape().unwrap();
        let net = Network::<f32>::new(1)
            .image(1, height, width)
            .conv(3, 3)
            .relu()
            .max_pool(2)
            .outputs_for(&train)
            .unwrap();
        let all = net.probabilities(&train).unwrap();
        for i in [0, 17] {
            let one = net.probabilities(&train.subset(&[i])).unwrap();
            assert_eq!(one.row(0), all.row(i));
        }
    }
}
