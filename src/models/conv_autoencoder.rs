//! A network that tells its own image through a few numbers, by filters.

use std::fmt;

use rand::Rng;

use crate::nn::{Activation, Conv2d, ConvTranspose2d, Dropout, Init, Linear, ModuleExt, Norm, Sequential};
use crate::ops::{Convolution, ImageShape};
use crate::settings::{self, Range};
use crate::tape::Tape;
use crate::{Error, Float, Result};

/// The form of a convolutional autoencoder: layers of filters of 3×3 with a stride of 2, each followed by ReLU, to a code
/// of few numbers; and the same way back, by transposed convolutions, to the image, each number between 0 and 1 by the
/// logistic function.
///
/// Each layer halves the sides of the image: a side of s becomes ⌈s/2⌉, as there is a padding of 1. A transposed
/// convolution knows the size of the image that its maps would be made of, so that images of any size come back as large as
/// they went in. The code is an affine map of the last maps, without activation. Masci, Meier, Cireşan and Schmidhuber, "Stacked
/// Convolutional Auto-Encoders for Hierarchical Feature Extraction" (ICANN 2011), with strides in place of pools. Its parts
/// are `conv1`, `relu1`, `conv2`, `relu2`, `code`, `linear`, `relu3`, `transpose1`, `relu4`, `transpose2`, `sigmoid`.
///
/// ```
/// use tapegrad::data::synthetic;
/// use tapegrad::models::{ConvAutoencoder, Network, Predictor};
/// use tapegrad::ops::ImageShape;
///
/// let digits = synthetic::digits(20, 0.1, 1)?;
/// let form = ConvAutoencoder { filters: vec![4, 8], ..ConvAutoencoder::new(ImageShape::new(1, 28, 28), 16) };
/// let net = Network::<f32>::new(1).reconstructing().made_by(&digits, |tape, _, _, rng| form.build(tape, rng))?;
/// assert_eq!(net.describe(), "conv-autoencoder 1×28×28, filters 4-8, code 16");
/// assert_eq!(net.predict(&digits)?.shape(), (20, 784));
/// assert_eq!(net.behind("code", &digits)?.shape(), (20, 16));
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConvAutoencoder {
    /// What goes in and comes out.
    pub image: ImageShape,
    /// Filters of each layer before the code; those behind it are the same in reverse.
    pub filters: Vec<usize>,
    /// Numbers of the code.
    pub code: usize,
    /// The function behind the hidden layers.
    pub activation: Activation,
    /// What normalises the values in front of each activation: of a batch by channel, of a layer over the whole image.
    pub norm: Norm,
    /// Share of the values behind each activation that a training step drops, in [0, 1).
    pub dropout: f64,
    /// What the weights are drawn from.
    pub init: Init,
}

impl ConvAutoencoder {
    /// With 16 and 32 filters and ReLU, and neither normalisation nor dropout.
    pub fn new(image: ImageShape, code: usize) -> ConvAutoencoder {
        ConvAutoencoder {
            image,
            filters: vec![16, 32],
            code,
            activation: Activation::Relu,
            norm: Norm::None,
            dropout: 0.0,
            init: Init::default(),
        }
    }

    /// The convolutions in front of the code, and the maps of the last.
    fn forms(&self) -> Result<(Vec<Convolution>, ImageShape)> {
        self.image.check()?;
        if self.filters.is_empty() {
            return Err(Error::setting("filters", "an empty list: there is to be at least one layer"));
        }
        let (mut forms, mut image) = (Vec::new(), self.image);
        for filters in &self.filters {
            let form = Convolution::new(image, *filters, 3).stride(2).padding(1);
            // What is too large is an image of filters, which nobody asked for by that name.
            image = form.output().map_err(|error| match error {
                Error::Setting { why, .. } => Error::setting("filters", why),
                other => other,
            })?;
            forms.push(form);
        }
        if self.code == 0 {
            return Err(Error::setting("code", "a layer of width 0 lets nothing through"));
        }
        if u32::try_from(self.code).is_err() {
            return Err(Error::setting("code", format!("{} are more than a matrix has columns", self.code)));
        }
        Ok((forms, image))
    }

    /// Makes the network. Its biases are zero, unless [`Init::PyTorch`] draws them.
    ///
    /// # Errors
    /// [`Error::Setting`] if the image has no pixels, there is no layer of filters or one without any, the code has no numbers
    /// or more than a matrix has columns, the dropout is not in [0, 1), or a constant to begin with is not finite, as given
    /// or in the type of the tape.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn build<T: Float>(&self, tape: &mut Tape<T>, rng: &mut impl Rng) -> Result<Sequential<T>> {
        let range = Range { text: "in the range 0 ≤ p < 1", ..Range::BELOW_ONE };
        settings::check::<T>("dropout", self.dropout, range)?;
        let (forms, map) = self.forms()?;
        let (init, last) = (self.init, forms.len());
        init.check::<T>()?;
        // A normalisation by channel takes away what a bias of the channel adds.
        let bias = self.norm != Norm::Batch;
        let mut net = Sequential::new().named(self.to_string());
        for (k, form) in forms.iter().enumerate().map(|(i, form)| (i + 1, *form)) {
            net = net.push(format!("conv{k}"), Conv2d::new(tape, form, bias, init, rng)?);
            net = self.behind(net, k, form.output()?, tape)?;
        }
        net = net.push("code", Linear::new(tape, map.numel(), self.code, true, init, rng));
        net = net.push("linear", Linear::new(tape, self.code, map.numel(), true, init, rng));
        for (k, form) in forms.iter().rev().enumerate().map(|(i, form)| (i + 1, *form)) {
            net = self.behind(net, last + k, form.output()?, tape)?;
            let bias = bias || k == last;
            net = net.push(format!("transpose{k}"), ConvTranspose2d::new(tape, form, bias, init, rng)?);
        }
        net = net.push("sigmoid", Activation::Sigmoid);
        net.name_parameters(tape);
        Ok(net)
    }

    /// What stands behind hidden layer k, which gives that image.
    #[track_caller]
    fn behind<T: Float>(
        &self,
        mut net: Sequential<T>,
        k: usize,
        image: ImageShape,
        tape: &mut Tape<T>,
    ) -> Result<Sequential<T>> {
        if let Some(norm) = self.norm.layer_of_images(tape, image)? {
            net = net.push_shared(format!("norm{k}"), norm);
        }
        if self.activation != Activation::Identity {
            net = net.push(format!("{}{k}", self.activation), self.activation);
        }
        if self.dropout > 0.0 {
            net = net.push(format!("dropout{k}"), Dropout::new::<T>(self.dropout)?);
        }
        Ok(net)
    }

    /// Numbers of all weights and biases, and those that a step holds for a sample, without making the network.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn numbers(&self) -> Result<(usize, usize)> {
        let (forms, map) = self.forms()?;
        let affine = |inputs: usize, outputs: usize| inputs.saturating_add(1).saturating_mul(outputs);
        let mut weights = affine(map.numel(), self.code).saturating_add(affine(self.code, map.numel()));
        // Of each number of a layer: itself, what the activation gives, what it saves if it is no ReLU; a norm that goes
        // by pixels of channels, and back; what is dropped.
        let mut held: usize = if self.activation == Activation::Relu { 2 } else { 3 };
        held += match self.norm {
            Norm::None => 0,
            Norm::Batch => 4,
            Norm::Layer => 3,
        };
        held += if self.dropout > 0.0 { 2 } else { 0 };
        // The sample and what it is compared to, the code, and the maps as they come from it.
        let of_map = map.numel().saturating_mul(held);
        let mut sample = (2 * self.image.numel()).saturating_add(self.code).saturating_add(of_map);
        for (i, form) in forms.iter().enumerate() {
            let ((rows, filters), map) = (form.weights(), form.output()?);
            // Scale, shift and the statistics, in place of a bias; behind the code it has one all the same.
            let of_norms = match self.norm {
                Norm::None => 0,
                Norm::Batch if i + 1 == forms.len() => 7 * filters,
                Norm::Batch => 6 * filters,
                Norm::Layer => map.numel().saturating_mul(4),
            };
            weights = weights.saturating_add(affine(2 * rows, filters)).saturating_add(form.image.channels);
            weights = weights.saturating_add(of_norms);
            // On either side.
            let both = map.numel().saturating_add(form.image.numel());
            sample = sample.saturating_add(both.saturating_mul(held));
        }
        Ok((weights, sample))
    }
}

/// The name of the network: `conv-autoencoder 1×28×28, filters 16-32, code 32`, and what is not as usual.
impl fmt::Display for ConvAutoencoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filters: Vec<String> = self.filters.iter().map(usize::to_string).collect();
        write!(f, "conv-autoencoder {}, filters {}, code {}", self.image, filters.join("-"), self.code)?;
        if self.activation != Activation::Relu {
            write!(f, ", {}", self.activation)?;
        }
        if self.norm != Norm::None {
            write!(f, ", {} norm", self.norm)?;
        }
        if self.dropout > 0.0 {
            write!(f, ", dropout {}", self.dropout)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Module, Summary};
    use crate::rng::{Purpose, stream};

    /// Odd sides, a single line, a single pixel: each comes back as large as it went in.
    #[test]
    fn parts_and_their_numbers_for_images_of_any_size() {
        for (channels, height, width) in [(1, 28, 28), (1, 8, 8), (2, 7, 13), (1, 1, 9), (3, 1, 1), (1, 2, 3)]
        {
            let image = ImageShape::new(channels, height, width);
            for filters in [vec![3], vec![3, 5], vec![2, 3, 4, 1]] {
                let form = ConvAutoencoder { filters, ..ConvAutoencoder::new(image, 4) };
                let mut tape = Tape::<f64>::default();
                let net = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
                assert_eq!(Module::images(&net), Some((image, image)), "{form}");
                assert_eq!(net.outputs(&mut tape, image.numel()), image.numel(), "{form}");
                let (weights, sample) = form.numbers().unwrap();
                assert_eq!(weights, tape.param_numbers(), "{form}");
                let found = Summary { batch: 1, ..Summary::of(&net, &mut tape, image.numel(), 3) };
                let held = found.forward_numbers() - tape.param_numbers() + image.numel();
                assert!(sample >= held && sample <= 2 * held, "{form}: {sample} for {held}");
            }
        }
    }

    #[test]
    fn what_stands_behind_the_layers_and_its_numbers() {
        for norm in [Norm::None, Norm::Batch, Norm::Layer] {
            for (activation, dropout) in
                [(Activation::Relu, 0.0), (Activation::Gelu, 0.25), (Activation::Identity, 0.0)]
            {
                let form = ConvAutoencoder::new(ImageShape::new(2, 7, 9), 4);
                let form = ConvAutoencoder { filters: vec![3, 5], activation, norm, dropout, ..form };
                let mut tape = Tape::<f64>::default();
                let net = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
                assert_eq!(net.describe(), form.to_string());
                let (weights, sample) = form.numbers().unwrap();
                assert_eq!(weights, tape.param_numbers(), "{form}");
                let found = Summary { batch: 1, ..Summary::of(&net, &mut tape, 126, 3) };
                let held = found.forward_numbers() - tape.param_numbers() + 126;
                assert!(sample >= held && sample <= 2 * held, "{form}: {sample} for {held}");
            }
        }
        let form = ConvAutoencoder::new(ImageShape::new(1, 8, 8), 4);
        let form = ConvAutoencoder { activation: Activation::Tanh, norm: Norm::Batch, dropout: 0.5, ..form };
        let name = "conv-autoencoder 1×8×8, filters 16-32, code 4, tanh, batch norm, dropout 0.5";
        assert_eq!(form.to_string(), name);
        let net = form.build(&mut Tape::<f32>::default(), &mut stream(1, Purpose::Init)).unwrap();
        let names: Vec<&str> = net.modules().map(|(name, _)| name).collect();
        assert_eq!(
            names.join(" "),
            "conv1 norm1 tanh1 dropout1 conv2 norm2 tanh2 dropout2 code linear norm3 tanh3 dropout3 transpose1 norm4 \
             tanh4 dropout4 transpose2 sigmoid"
        );
    }

    #[test]
    fn names() {
        let form = ConvAutoencoder::new(ImageShape::new(1, 28, 28), 32);
        let mut tape = Tape::<f32>::default();
        let net = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
        assert_eq!(net.describe(), "conv-autoencoder 1×28×28, filters 16-32, code 32");
        let names: Vec<&str> = net.modules().map(|(name, _)| name).collect();
        assert_eq!(
            names.join(" "),
            "conv1 relu1 conv2 relu2 code linear relu3 transpose1 relu4 transpose2 sigmoid"
        );
        assert_eq!(tape.param_numbers(), 111_521);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let why = |form: ConvAutoencoder| {
            let mut tape = Tape::<f32>::default();
            form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap_err().to_string()
        };
        let form = ConvAutoencoder::new(ImageShape::new(1, 4, 4), 3);
        let filters = |filters: &[usize]| ConvAutoencoder { filters: filters.to_vec(), ..form.clone() };
        assert_eq!(why(filters(&[])), "filters: an empty list: there is to be at least one layer");
        assert_eq!(why(filters(&[4, 0])), "filters: 0 filters let nothing through");
        let many = why(filters(&[100_000, 100_000]));
        assert_eq!(many, "filters: an image of 100000×900000×1 has more than 2³² − 1 numbers");
        let code = |code| ConvAutoencoder { code, ..form.clone() };
        assert_eq!(why(code(0)), "code: a layer of width 0 lets nothing through");
        assert_eq!(why(code(1 << 32)), "code: 4294967296 are more than a matrix has columns");
        let empty = ConvAutoencoder { image: ImageShape::new(1, 0, 4), ..form.clone() };
        assert_eq!(why(empty), "image: an image of 1×0×4 has no pixels");
        let dropout = ConvAutoencoder { dropout: 1.0, ..form.clone() };
        assert_eq!(why(dropout), "dropout: 1 is not in the range 0 ≤ p < 1");
        let init = ConvAutoencoder { init: Init::Constant(1e300), ..form.clone() };
        assert!(why(init).starts_with("init: "));
    }
}
