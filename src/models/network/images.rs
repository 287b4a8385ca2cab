//! The parts of a network of images, as they are named.

use super::builder::NetworkBuilder;
use crate::nn::{Conv2d, ConvTranspose2d, GroupNorm, Norm, Pool, Upsample};
use crate::ops::{Convolution, ImageShape, Window};
use crate::{Error, Float, Result};

/// # Images
/// What goes in is told once, by [`image`](Self::image); what comes out of each of the parts below is an image again, up to
/// the next affine layer, which takes it as it is.
///
/// ```
/// # use tapegrad::data::synthetic;
/// use tapegrad::models::Network;
///
/// let digits = synthetic::digits(20, 0.1, 1)?;
/// let net = Network::<f32>::new(1)
///     .image(1, 28, 28)
///     .conv_with(8, 3, |form| form.padding(1).stride(2)).group_norm(4).relu()
///     .conv_transpose_with(4, 2, |form| form.stride(2)).relu()
///     .max_pool(2).upsample(2).avg_pool(4)
///     .outputs_for(&digits)?;
/// let names: Vec<&str> = net.module().modules().map(|(name, _)| name).collect();
/// assert_eq!(names.join(" "), "conv1 norm1 relu1 transpose1 relu2 pool1 upsample1 pool2 linear1");
/// assert_eq!(net.module().modules().nth(3).unwrap().1.describe(), "transposed conv 8×14×14→4×28×28, 2×2, stride 2×2");
/// # Ok::<(), tapegrad::Error>(())
/// ```
impl<T: Float> NetworkBuilder<T> {
    /// What the numbers of a sample stand for from here on: an image of so many channels, lines, and pixels in a line,
    /// the channels of a pixel side by side.
    pub fn image(self, channels: usize, height: usize, width: usize) -> Self {
        self.told(move |at| at.tell_image(ImageShape::new(channels, height, width)))
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
        self.part("conv", move |at| {
            let form = over(at.image()?, form(Convolution::new(at.image()?, filters, kernel)))?;
            Conv2d::new(at.tape, form, true, at.init, at.rng)
        })
    }

    /// [`ConvTranspose2d`] to images of so many channels, with windows of `kernel`×`kernel`, stride 1, no padding and a
    /// bias: each side grows by `kernel` − 1.
    pub fn conv_transpose(self, channels: usize, kernel: usize) -> Self {
        self.conv_transpose_with(channels, kernel, |form| form)
    }

    /// The same with what `form` makes of it: `.conv_transpose_with(16, 2, |form| form.stride(2))` doubles the sides.
    ///
    /// Of the images whose maps by that form would be as large as what goes in, it gives the smallest: a side of s becomes
    /// (s − 1)·stride + dilation·(kernel − 1) + 1 − 2·padding.
    pub fn conv_transpose_with(
        self,
        channels: usize,
        kernel: usize,
        form: impl FnOnce(Convolution) -> Convolution + 'static,
    ) -> Self {
        self.transpose(channels, kernel, None, form)
    }

    /// The same to images of that height and width, where a stride leaves open which of some it is: the maps of a 3×3
    /// with a stride of 2 and a padding of 1 are 14×14 for images of 27×27 and for those of 28×28.
    pub fn conv_transpose_to(
        self,
        image: [usize; 2],
        channels: usize,
        kernel: usize,
        form: impl FnOnce(Convolution) -> Convolution + 'static,
    ) -> Self {
        self.transpose(channels, kernel, Some(image), form)
    }

    fn transpose(
        self,
        channels: usize,
        kernel: usize,
        image: Option<[usize; 2]>,
        form: impl FnOnce(Convolution) -> Convolution + 'static,
    ) -> Self {
        self.part("transpose", move |at| {
            let map = at.image()?;
            // What it gives is known when the form is: so far it stands for what goes in.
            let before = ImageShape { channels, ..map };
            let form = over(before, form(Convolution::new(before, map.channels, kernel)))?;
            let [height, width] = match image {
                Some(sides) => sides,
                None => form.window.under([map.height, map.width])?,
            };
            let form = Convolution { image: ImageShape::new(channels, height, width), ..form };
            let takes = form.output()?;
            if takes != map {
                let why = format!(
                    "a transposed convolution to images of {} by {} takes maps of {takes}, but gets one of {map}",
                    form.image, form.window
                );
                return Err(Error::Data(why));
            }
            ConvTranspose2d::new(at.tape, form, true, at.init, at.rng)
        })
    }

    /// The largest of each window of `side`×`side`, which moves on by as much.
    pub fn max_pool(self, side: usize) -> Self {
        self.max_pool_with(Pool::whole(side))
    }

    /// The largest of each such window.
    pub fn max_pool_with(self, window: Window) -> Self {
        self.part("pool", move |at| Pool::max(at.image()?, window))
    }

    /// The mean of each window of `side`×`side`, which moves on by as much.
    pub fn avg_pool(self, side: usize) -> Self {
        self.avg_pool_with(Pool::whole(side))
    }

    /// The mean of each such window.
    pub fn avg_pool_with(self, window: Window) -> Self {
        self.part("pool", move |at| Pool::avg(at.image()?, window))
    }

    /// The mean of all pixels of each channel.
    pub fn global_avg_pool(self) -> Self {
        self.part("pool", |at| Pool::global_avg(at.image()?))
    }

    /// Each pixel `factor` times down and `factor` times along: [`Upsample`].
    pub fn upsample(self, factor: usize) -> Self {
        self.part("upsample", move |at| Upsample::new(at.image()?, factor))
    }

    /// [`GroupNorm`] of the channels in so many groups: all in one, or each in a group of its own (instance
    /// normalisation), or between.
    pub fn group_norm(self, groups: usize) -> Self {
        self.part("norm", move |at| GroupNorm::new(at.tape, at.image()?, groups, Norm::EPSILON))
    }
}

/// The form, if it still is one of such images.
fn over(image: ImageShape, form: Convolution) -> Result<Convolution> {
    if form.image != image {
        return Err(Error::Data(format!("a convolution of images of {} is given {image}", form.image)));
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use crate::data::synthetic;
    use crate::models::{Network, Predictor};
    use crate::nn::{Activation, Init, Linear, Pool, Sequential, Upsample};
    use crate::ops::{ImageShape, Window};
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
            .batch_norm()
            .max_pool(2)
            .residual(|block| block.conv_with(4, 3, |form| form.padding(1).groups(2)).relu())
            .group_norm(2)
            .conv_transpose_with(3, 3, |form| form.stride(2).padding(1).dilation(2))
            .rms_norm()
            .conv_transpose_to([14, 13], 2, 3, |form| form.stride(2).padding(1))
            .upsample(2)
            .max_pool_with(Window { padding: [1, 0], ..Window::new(3, 2) })
            .conv_transpose(2, 2)
            .avg_pool_with(Window { stride: [2, 3], ..Window::new(2, 3) })
            .conv(8, 1)
            .global_avg_pool()
            .outputs_for(&train)
            .unwrap();
        net.fit(&train, &FitOptions::new(1, 8, 1)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        crate::models::save(&net, &path, &Default::default()).unwrap();
        let read = crate::models::load(&path).unwrap().model;
        let about = net.describe();
        for part in ["transposed conv 4×3×3→3×7×7, ", "transposed conv 3×7×7→2×14×13, ", "2×14×13→2×28×26"]
        {
            assert!(about.contains(part), "{about}");
        }
        assert_eq!(read.describe(), about);
        assert_eq!(read.probabilities(&train).unwrap(), net.probabilities(&train).unwrap());
    }

    /// Filters are few, however large the image is.
    #[test]
    fn a_file_with_fewer_numbers_than_a_sample_has() {
        let train = data();
        let net = Network::<f32>::new(1).image(1, 8, 8).conv(2, 3).global_avg_pool();
        let net = net.outputs_for(&train).unwrap();
        assert!(net.tape().param_numbers() < 64);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        crate::models::save(&net, &path, &Default::default()).unwrap();
        let read = crate::models::load(&path).unwrap().model;
        assert_eq!(read.probabilities(&train).unwrap(), net.probabilities(&train).unwrap());
    }

    const FAR_LARGER: &str = "upsample2: upsample 1×800×800→1×2400×2400 gives 5760000 numbers for a sample, 7680000 with \
                              those of all parts before: a network of so few parameters may have 4194304";

    /// What could not be read again is not made, and so not saved.
    #[test]
    fn what_a_file_may_not_ask_for_is_refused_before_it_is_trained() {
        let refused = |make: fn(super::NetworkBuilder<f32>) -> super::NetworkBuilder<f32>| {
            error(|net| make(net.image(1, 8, 8)).global_avg_pool()).to_string()
        };
        let why = refused(|net| net.upsample(100).residual(|block| block.relu()).upsample(3));
        assert_eq!(why, FAR_LARGER);
        let why = refused(|net| net.residual(|block| block.upsample(300).avg_pool(300)));
        assert!(
            why.starts_with("residual1: upsample1: upsample 1×8×8→1×2400×2400 gives 5760000 numbers"),
            "{why}"
        );
        let why = refused(|net| net.conv_transpose_with(1, 2, |form| form.dilation(2100)));
        assert!(why.contains("gives 4443664 numbers for a sample"), "{why}");
        let why = refused(|net| net.conv_transpose_with(1, 2, |form| form.stride(400)));
        assert!(why.contains("gives 7851204 numbers for a sample"), "{why}");
        assert_eq!(
            refused(|net| net.relu().conv_with(1, 3, |form| form.padding(73))),
            "conv1: a padding of 73×73 around an image of 1×8×8 is more than 64 beyond its sides"
        );
        let deep = refused(|net| {
            net.residual(|a| a.residual(|b| b.residual(|c| c.residual(|d| d.residual(|e| e.relu())))))
        });
        assert!(deep.ends_with("residual1: blocks are nested more than 8 deep"), "{deep}");
        // Modules that were made in one piece are looked at as well.
        let made = Network::<f32>::new(1).made_by(&data(), |tape, _, classes, rng| {
            let upsample = Upsample::new(ImageShape::new(1, 8, 8), 300)?;
            let pool = Pool::global_avg(ImageShape::new(1, 2400, 2400))?;
            let out = Linear::new(tape, 1, classes, true, Init::default(), rng);
            Ok(Sequential::new().push("large", upsample).push("mean", pool).push("out", out))
        });
        assert!(
            made.expect_err("too large").to_string().starts_with("large: upsample 1×8×8→1×2400×2400 gives")
        );
    }

    /// As large as it may be, it is read; a few bytes more could ask for memory without end.
    #[test]
    fn a_file_that_asks_for_far_larger_images_is_refused() {
        let train = data();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        let net = Network::<f32>::new(1).image(1, 8, 8).upsample(100).residual(|block| block.relu());
        let net = net.upsample(1).global_avg_pool().outputs_for(&train).unwrap();
        crate::models::save(&net, &path, &Default::default()).unwrap();
        let read = crate::models::load(&path).unwrap().model;
        assert_eq!(read.probabilities(&train).unwrap(), net.probabilities(&train).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        let factor = br#"\"factor\":1}"#;
        let at = bytes.windows(factor.len()).position(|part| part == factor).unwrap();
        bytes[at + factor.len() - 2] = b'3';
        std::fs::write(&path, bytes).unwrap();
        let why = crate::models::load(&path).err().expect("too large").to_string();
        assert!(why.contains(FAR_LARGER), "{why}");
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
        assert!(
            error(|net| net.image(1, 8, 8).linear(64).max_pool(2))
                .to_string()
                .contains("numbers that are none")
        );
        assert_eq!(
            error(|net| net.image(1, 8, 8).conv(3, 9)).to_string(),
            "kernel: a window of 9×9 is larger than an image of 8×8"
        );
        assert_eq!(
            error(|net| net.image(4, 4, 4).conv_with(6, 3, |form| form.groups(3))).to_string(),
            "groups: 3 groups do not divide 4 channels"
        );
        let image = |make: fn(super::NetworkBuilder<f32>) -> super::NetworkBuilder<f32>| {
            error(|net| make(net.image(1, 8, 8))).to_string()
        };
        assert_eq!(image(|net| net.group_norm(3)), "groups: 3 groups do not divide 1 channel");
        assert_eq!(image(|net| net.upsample(0)), "factor: 0 times an image is none");
        assert_eq!(
            image(|net| net.conv_transpose_with(1, 3, |form| form.padding(5))),
            "padding: 5×5 takes away all of an image of 10×10"
        );
        assert_eq!(
            image(|net| net.conv_transpose_to([17, 16], 1, 3, |form| form.stride(2).padding(1))),
            "a transposed convolution to images of 1×17×16 by 3×3, stride 2×2, padding 1×1 takes maps of 1×9×8, but \
             gets one of 1×8×8"
        );
        assert_eq!(
            image(|net| net.conv_transpose_with(1, 3, |mut form| {
                form.image.height = 9;
                form
            })),
            "a convolution of images of 1×9×8 is given 1×8×8"
        );
        for without in [
            error(|net| net.upsample(2)),
            error(|net| net.group_norm(1)),
            error(|net| net.conv_transpose(1, 2)),
            error(|net| net.global_avg_pool()),
        ] {
            assert!(without.to_string().contains("say with image(channels, height, width)"), "{without}");
        }
        // As many numbers, but another image.
        let pool = Pool::max(ImageShape::new(4, 4, 4), Pool::whole(2)).unwrap();
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
