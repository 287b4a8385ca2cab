//! The parts of a network of images, as they are named.

use super::builder::{NetworkBuilder, Part};
use super::image_part::ImagePart;
use crate::Float;
use crate::nn::Pool;
use crate::ops::{Convolution, ImageShape};

/// # Images
/// What goes in is told once, by [`image`](Self::image); what comes out of each of the parts below is an image again, up to
/// the next affine layer, which takes it as it is.
impl<T: Float> NetworkBuilder<T> {
    /// What the numbers of a sample stand for from here on: an image of so many channels, lines, and pixels in a line,
    /// the channels of a pixel side by side.
    pub fn image(self, channels: usize, height: usize, width: usize) -> Self {
        self.image_part(ImagePart::Shape(ImageShape::new(channels, height, width)))
    }

    /// [`Conv2d`](crate::nn::Conv2d) with that many filters of `kernel`×`kernel`, stride 1, no padding and a bias.
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
