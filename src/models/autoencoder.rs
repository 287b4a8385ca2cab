//! A network that tells its own input, through a few numbers.

use std::fmt;

use rand::Rng;

use crate::memory::filled;
use crate::nn::{Activation, Dropout, Init, Linear, ModuleExt, Norm, Sequential};
use crate::settings::{self, Range};
use crate::tape::Tape;
use crate::{Dataset, Error, Float, Result};

/// The form of an autoencoder: affine layers to a code of few numbers, and layers of the same widths back to as many
/// numbers as went in, each between 0 and 1 by the logistic function.
///
/// Hinton and Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313, 2006, without their
/// layers that were trained one by one. The code is an affine map of what comes before it, without activation. Its parts
/// are `linear1`, `relu1`, `code`, `linear2`, `relu2`, `linear3`, `sigmoid`.
///
/// ```
/// use tapegrad::data::synthetic;
/// use tapegrad::models::{Autoencoder, Network, Predictor};
///
/// let digits = synthetic::digits(20, 0.1, 1)?;
/// let form = Autoencoder::new(784, &[64], 8);
/// let net = Network::<f32>::new(1).reconstructing().made_by(&digits, |tape, _, _, rng| form.build(tape, rng))?;
/// assert_eq!(net.describe(), "autoencoder 784-64-8-64-784 relu");
/// assert_eq!(net.predict(&digits)?.shape(), (20, 784));
/// assert_eq!(net.behind("code", &digits)?.shape(), (20, 8));
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Autoencoder {
    /// Numbers that go in and come out.
    pub inputs: usize,
    /// Widths of the layers before the code; those behind it are the same in reverse.
    pub hidden: Vec<usize>,
    /// Numbers of the code.
    pub code: usize,
    /// The function behind the hidden layers.
    pub activation: Activation,
    /// What normalises the values in front of each activation.
    pub norm: Norm,
    /// Share of the values behind each activation that a training step drops, in [0, 1).
    pub dropout: f64,
    /// What the weights are drawn from.
    pub init: Init,
}

impl Autoencoder {
    /// With ReLU, and neither normalisation nor dropout.
    pub fn new(inputs: usize, hidden: &[usize], code: usize) -> Autoencoder {
        Autoencoder {
            inputs,
            hidden: hidden.to_vec(),
            code,
            activation: Activation::Relu,
            norm: Norm::None,
            dropout: 0.0,
            init: Init::default(),
        }
    }

    /// An error if a feature of the data is not between 0 and 1: the network could not come near it.
    ///
    /// # Errors
    /// [`Error::Data`] that names row, column and number.
    pub fn check(data: &Dataset) -> Result<()> {
        let mut row = filled(data.features(), 0.0, "a row of features")?;
        for i in 0..data.len() {
            data.gather(&[i], &mut row);
            if let Some(column) = row.iter().position(|x| !(0.0..=1.0).contains(x)) {
                let why = format!(
                    "row {i}, column {column}: the feature is {}, and an autoencoder tells numbers from 0 to 1: scale \
                     the data",
                    row[column]
                );
                return Err(Error::Data(why));
            }
        }
        Ok(())
    }

    /// All widths, from the first numbers to the last.
    fn widths(&self) -> Vec<usize> {
        let back = self.hidden.iter().rev().copied().chain([self.inputs]);
        [self.inputs].into_iter().chain(self.hidden.iter().copied()).chain([self.code]).chain(back).collect()
    }

    /// Makes the network. Its biases are zero, unless [`Init::PyTorch`] draws them.
    ///
    /// # Errors
    /// [`Error::Setting`] if a width is 0 or more than a matrix has columns, or the dropout is not in [0, 1) or a constant
    /// to begin with not finite, as given or in the type of the tape.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn build<T: Float>(&self, tape: &mut Tape<T>, rng: &mut impl Rng) -> Result<Sequential<T>> {
        let range = Range { text: "in the range 0 ≤ p < 1", ..Range::BELOW_ONE };
        settings::check::<T>("dropout", self.dropout, range)?;
        self.numbers()?;
        self.init.check::<T>()?;
        let (widths, mut net) = (self.widths(), Sequential::new().named(self.to_string()));
        let (code, last) = (self.hidden.len() + 1, widths.len() - 1);
        // Hidden layers are counted, and the code is none of them.
        let mut k = 0;
        for (i, pair) in widths.windows(2).enumerate().map(|(i, pair)| (i + 1, pair)) {
            let hidden = i != code && i != last;
            let bias = !hidden || self.norm != Norm::Batch;
            let layer = Linear::new(tape, pair[0], pair[1], bias, self.init, rng);
            if i == code {
                net = net.push("code", layer);
                continue;
            }
            k += 1;
            net = net.push(format!("linear{k}"), layer);
            if !hidden {
                continue;
            }
            if let Some(norm) = self.norm.layer(tape, pair[1])? {
                net = net.push(format!("norm{k}"), norm);
            }
            if self.activation != Activation::Identity {
                net = net.push(format!("{}{k}", self.activation), self.activation);
            }
            if self.dropout > 0.0 {
                net = net.push(format!("dropout{k}"), Dropout::new::<T>(self.dropout)?);
            }
        }
        // A name that no hidden layer has: these are counted.
        net = net.push("sigmoid", Activation::Sigmoid);
        net.name_parameters(tape);
        Ok(net)
    }

    /// Numbers of all weights and biases, and those that a step holds for a sample, without making the network.
    ///
    /// # Errors
    /// [`Error::Setting`] if a width is 0 or more than a matrix has columns.
    pub fn numbers(&self) -> Result<(usize, usize)> {
        let hidden = self.hidden.iter().map(|width| ("hidden", *width));
        for (name, width) in [("inputs", self.inputs), ("code", self.code)].into_iter().chain(hidden) {
            if width == 0 {
                return Err(Error::setting(name, "a layer of width 0 lets nothing through"));
            }
            if u32::try_from(width).is_err() {
                return Err(Error::setting(name, format!("{width} are more than a matrix has columns")));
            }
        }
        let widths = self.widths();
        let (code, last) = (self.hidden.len() + 1, widths.len() - 1);
        let weights = widths.windows(2).enumerate().map(|(i, pair)| {
            let hidden = i + 1 != code && i + 1 != last;
            // With batch normalisation scale, shift and the statistics, and no bias.
            let beside = match self.norm {
                Norm::Batch if hidden => 5,
                Norm::Layer if hidden => 3,
                _ => 1,
            };
            pair[0].saturating_add(beside).saturating_mul(pair[1])
        });
        let weights = weights.fold(0, usize::saturating_add);
        // The sample and its targets, and behind each layer up to six numbers for each of its own: norm and activation save
        // as many as they give.
        let sample =
            widths.iter().fold(self.inputs, |sum, width| sum.saturating_add(width.saturating_mul(6)));
        Ok((weights, sample))
    }
}

/// The name of the network: `autoencoder 784-128-32-128-784 relu`.
impl fmt::Display for Autoencoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<String> = self.widths().iter().map(usize::to_string).collect();
        write!(f, "autoencoder {} {}", widths.join("-"), self.activation)?;
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

    #[test]
    fn parts_and_their_numbers() {
        for norm in [Norm::None, Norm::Batch, Norm::Layer] {
            let form = Autoencoder { norm, dropout: 0.1, ..Autoencoder::new(12, &[7, 5], 3) };
            let mut tape = Tape::<f64>::default();
            let net = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
            let names = net.modules().map(|(name, _)| name).filter(|name| !name.starts_with("norm"));
            assert_eq!(
                names.collect::<Vec<_>>().join(" "),
                "linear1 relu1 dropout1 linear2 relu2 dropout2 code linear3 relu3 dropout3 linear4 relu4 dropout4 \
                 linear5 sigmoid"
            );
            let (weights, sample) = form.numbers().unwrap();
            assert!(weights >= tape.param_numbers() && weights <= tape.param_numbers() + 24, "{norm}");
            let found = Summary { batch: 1, ..Summary::of(&net, &mut tape, 12, 3) };
            assert!(sample >= found.forward_numbers() - tape.param_numbers(), "{norm}");
            assert_eq!(net.outputs(&mut tape, 12), 12);
        }
        let plain = Autoencoder::new(4, &[], 2);
        assert_eq!(plain.to_string(), "autoencoder 4-2-4 relu");
        let net = plain.build(&mut Tape::<f32>::default(), &mut stream(1, Purpose::Init)).unwrap();
        assert_eq!(Module::<f32>::describe(&net), plain.to_string());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let why = |form: Autoencoder| {
            let mut tape = Tape::<f32>::default();
            form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap_err().to_string()
        };
        assert_eq!(why(Autoencoder::new(4, &[3], 0)), "code: a layer of width 0 lets nothing through");
        assert_eq!(why(Autoencoder::new(4, &[0], 1)), "hidden: a layer of width 0 lets nothing through");
        assert_eq!(
            why(Autoencoder::new(4, &[3], 1 << 32)),
            "code: 4294967296 are more than a matrix has columns"
        );
        let dropout = Autoencoder { dropout: 1.0, ..Autoencoder::new(4, &[3], 1) };
        assert_eq!(why(dropout), "dropout: 1 is not in the range 0 ≤ p < 1");
    }
}
