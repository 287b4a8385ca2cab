//! Networks of images: LeNet-5, and a convolutional network of two layers.

use std::fmt;

use rand::Rng;

use crate::nn::{Activation, Conv2d, Dropout, Init, Linear, ModuleExt, Pool, Sequential};
use crate::ops::{Convolution, ImageShape};
use crate::settings::{self, Range};
use crate::tape::Tape;
use crate::{Error, Float, Result};

/// The form of LeNet-5: six filters of 5×5 with a padding of 2, sixteen of 5×5, each followed by a pool of 2×2 and an
/// activation, and affine layers of 120, 84 and as many numbers as come out.
///
/// LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition" (Proceedings of the
/// IEEE 86, 1998), in the form that is usual now: ReLU in place of tanh, the largest of a window in place of its mean,
/// all of the first six maps for each of the sixteen filters, and the softmax at the end. The activation comes behind the
/// pool: as the activation rises, the result is the same, and only a quarter of the numbers is computed.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::models::LeNet;
/// use tapegrad::nn::{Mode, Module};
/// use tapegrad::ops::ImageShape;
/// use tapegrad::rng::{Purpose, stream};
///
/// let form = LeNet::new(ImageShape::new(1, 28, 28), 10);
/// let mut tape = Tape::<f32>::default();
/// let net = form.build(&mut tape, &mut stream(42, Purpose::Init))?;
/// assert_eq!((net.describe(), tape.param_numbers()), ("lenet 1×28×28-10".into(), 61_706));
/// let x = tape.constant_with(64, 784, |_| ());
/// let logits = net.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.shape(logits).to_string(), "64×10");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LeNet {
    /// What goes in.
    pub image: ImageShape,
    /// How many numbers come out.
    pub outputs: usize,
    /// What the weights are drawn from.
    pub init: Init,
}

impl LeNet {
    /// For such images, and that many numbers that come out.
    pub fn new(image: ImageShape, outputs: usize) -> LeNet {
        LeNet { image, outputs, init: Init::default() }
    }

    /// Makes the network. Its biases are zero, unless [`Init::PyTorch`] draws them.
    ///
    /// # Errors
    /// [`Error::Setting`] if the image is smaller than 12×12, nothing is to come out, or a constant to begin with is not
    /// finite in the type of the tape.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn build<T: Float>(&self, tape: &mut Tape<T>, rng: &mut impl Rng) -> Result<Sequential<T>> {
        let layers = self.layers();
        build(&layers, self.to_string(), (self.image, self.init), tape, rng)
    }

    fn layers(&self) -> [Layer; 11] {
        let [conv1, conv2] =
            [(6, 2), (16, 0)].map(|(filters, padding)| Layer::Conv { filters, kernel: 5, padding });
        let linear = Layer::Linear;
        [
            conv1,
            Layer::Pool,
            Layer::Relu,
            conv2,
            Layer::Pool,
            Layer::Relu,
            linear(120),
            Layer::Relu,
            linear(84),
            Layer::Relu,
            linear(self.outputs),
        ]
    }

    /// Numbers of all weights and biases, and those of one sample on the tape, without making the network.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn numbers(&self) -> Result<(usize, usize)> {
        numbers(&self.layers(), self.image)
    }
}

/// The name of the network: `lenet 1×28×28-10`.
impl fmt::Display for LeNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lenet {}-{}", self.image, self.outputs)
    }
}

/// The form of a convolutional network that reaches 99 of 100 digits: 32 and 64 filters of 3×3, a pool of 2×2, and affine
/// layers of 128 numbers and as many as come out, with ReLU and dropout.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::models::Cnn;
/// use tapegrad::nn::Module;
/// use tapegrad::ops::ImageShape;
/// use tapegrad::rng::{Purpose, stream};
///
/// let form = Cnn::new(ImageShape::new(1, 28, 28), 10);
/// let mut tape = Tape::<f32>::default();
/// let net = form.build(&mut tape, &mut stream(42, Purpose::Init))?;
/// assert_eq!((net.describe(), tape.param_numbers()), ("cnn 1×28×28-10, dropout 0.5".into(), 1_199_882));
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cnn {
    /// What goes in.
    pub image: ImageShape,
    /// How many numbers come out.
    pub outputs: usize,
    /// What the weights are drawn from.
    pub init: Init,
    /// Share of the 128 numbers that a training step drops, and of half as many behind the pool, in [0, 1).
    pub dropout: f64,
}

impl Cnn {
    /// For such images, and that many numbers that come out, with a dropout of 0.5.
    pub fn new(image: ImageShape, outputs: usize) -> Cnn {
        Cnn { image, outputs, init: Init::default(), dropout: 0.5 }
    }

    /// Makes the network. Its biases are zero, unless [`Init::PyTorch`] draws them.
    ///
    /// # Errors
    /// [`Error::Setting`] if the image is smaller than 6×6, nothing is to come out, or the dropout is not in [0, 1) or a
    /// constant to begin with not finite, as given or in the type of the tape.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn build<T: Float>(&self, tape: &mut Tape<T>, rng: &mut impl Rng) -> Result<Sequential<T>> {
        let range = Range { text: "in the range 0 ≤ p < 1", ..Range::BELOW_ONE };
        settings::check::<T>("dropout", self.dropout, range)?;
        let layers = self.layers();
        build(&layers, self.to_string(), (self.image, self.init), tape, rng)
    }

    fn layers(&self) -> [Layer; 10] {
        let conv = |filters| Layer::Conv { filters, kernel: 3, padding: 0 };
        [
            conv(32),
            Layer::Relu,
            conv(64),
            Layer::Pool,
            Layer::Relu,
            Layer::Dropout(self.dropout / 2.0),
            Layer::Linear(128),
            Layer::Relu,
            Layer::Dropout(self.dropout),
            Layer::Linear(self.outputs),
        ]
    }

    /// As [`LeNet::numbers`].
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn numbers(&self) -> Result<(usize, usize)> {
        numbers(&self.layers(), self.image)
    }
}

/// The name of the network: `cnn 1×28×28-10, dropout 0.5`.
impl fmt::Display for Cnn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cnn {}-{}", self.image, self.outputs)?;
        if self.dropout > 0.0 {
            write!(f, ", dropout {}", self.dropout)?;
        }
        Ok(())
    }
}

/// A layer of these networks.
#[derive(Clone, Copy)]
enum Layer {
    Conv {
        filters: usize,
        kernel: usize,
        padding: usize,
    },
    /// The largest of 2×2.
    Pool,
    Relu,
    /// None, where the share is 0.
    Dropout(f64),
    Linear(usize),
}

impl Layer {
    /// What it makes of an image; an affine layer gives its numbers as the channels of one pixel.
    fn output(self, image: ImageShape) -> Result<ImageShape> {
        match self {
            Layer::Conv { filters, kernel, padding } => {
                Convolution::new(image, filters, kernel).padding(padding).output()
            }
            Layer::Pool => Pool::whole(2).pooled(image),
            Layer::Relu | Layer::Dropout(_) => Ok(image),
            Layer::Linear(0) => Err(Error::setting("outputs", "a layer of width 0 lets nothing through")),
            Layer::Linear(outputs) if u32::try_from(outputs).is_err() => {
                Err(Error::setting("outputs", format!("{outputs} are more than a matrix has columns")))
            }
            Layer::Linear(outputs) => Ok(ImageShape::new(outputs, 1, 1)),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Layer::Conv { .. } => "conv",
            Layer::Pool => "pool",
            Layer::Relu => "relu",
            Layer::Dropout(_) => "dropout",
            Layer::Linear(_) => "linear",
        }
    }
}

/// The layers one behind the other, named by what they are and a number.
#[track_caller]
fn build<T: Float>(
    layers: &[Layer],
    name: String,
    (mut image, init): (ImageShape, Init),
    tape: &mut Tape<T>,
    rng: &mut impl Rng,
) -> Result<Sequential<T>> {
    // Before room is made for any.
    numbers(layers, image)?;
    init.check::<T>()?;
    let mut net = Sequential::new().named(name);
    for (i, layer) in layers.iter().enumerate() {
        let number = 1 + layers[..i].iter().filter(|other| other.kind() == layer.kind()).count();
        let name = format!("{}{number}", layer.kind());
        net = match *layer {
            Layer::Conv { filters, kernel, padding } => {
                let form = Convolution::new(image, filters, kernel).padding(padding);
                net.push(name, Conv2d::new(tape, form, true, init, rng)?)
            }
            Layer::Pool => net.push(name, Pool::max(image, Pool::whole(2))?),
            Layer::Relu => net.push(name, Activation::Relu),
            Layer::Dropout(0.0) => net,
            Layer::Dropout(p) => net.push(name, Dropout::new::<T>(p)?),
            Layer::Linear(outputs) => {
                net.push(name, Linear::new(tape, image.numel(), outputs, true, init, rng))
            }
        };
        image = layer.output(image)?;
    }
    net.name_parameters(tape);
    Ok(net)
}

/// Numbers of all weights and biases, and of one sample behind every layer.
fn numbers(layers: &[Layer], mut image: ImageShape) -> Result<(usize, usize)> {
    image.check()?;
    let (mut weights, mut sample) = (0usize, image.numel());
    for layer in layers {
        let output = layer.output(image)?;
        let inputs = match *layer {
            Layer::Conv { kernel, .. } => Some(kernel * kernel * image.channels),
            Layer::Linear(_) => Some(image.numel()),
            _ => None,
        };
        if let Some(inputs) = inputs {
            weights = weights.saturating_add((inputs + 1).saturating_mul(output.channels));
        }
        // A pool saves the place of each number.
        let kept = if matches!(layer, Layer::Pool) { 2 } else { 1 };
        sample = sample.saturating_add(output.numel().saturating_mul(kept));
        image = output;
    }
    Ok((weights, sample))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Module;
    use crate::rng::{Purpose, stream};

    #[test]
    fn layers_and_their_numbers() {
        let image = ImageShape::new(1, 28, 28);
        let mut tape = Tape::<f32>::default();
        let net = LeNet::new(image, 10).build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
        let names: Vec<&str> = net.modules().map(|(name, _)| name).collect();
        assert_eq!(
            names.join(" "),
            "conv1 pool1 relu1 conv2 pool2 relu2 linear1 relu3 linear2 relu4 linear3"
        );
        assert_eq!(tape.param_numbers(), LeNet::new(image, 10).numbers().unwrap().0);
        let mut tape = Tape::<f32>::default();
        let cnn = Cnn { dropout: 0.0, ..Cnn::new(ImageShape::new(3, 9, 12), 7) };
        let net = cnn.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
        assert_eq!(net.describe(), "cnn 3×9×12-7");
        assert_eq!(net.len(), 8);
        assert_eq!(tape.param_numbers(), cnn.numbers().unwrap().0);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let rng = &mut stream(1, Purpose::Init);
        let mut why = |image, outputs| {
            LeNet::new(image, outputs).build(&mut Tape::<f32>::default(), rng).unwrap_err().to_string()
        };
        assert_eq!(
            why(ImageShape::new(1, 8, 9), 10),
            "kernel: a window of 5×5 is larger than an image of 4×4"
        );
        assert_eq!(why(ImageShape::new(1, 12, 12), 0), "outputs: a layer of width 0 lets nothing through");
        let cnn = Cnn { dropout: 1.0, ..Cnn::new(ImageShape::new(1, 8, 8), 2) };
        let error = cnn.build(&mut Tape::<f32>::default(), &mut stream(1, Purpose::Init)).unwrap_err();
        assert_eq!(error.to_string(), "dropout: 1 is not in the range 0 ≤ p < 1");
    }
}
