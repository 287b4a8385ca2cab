//! The multilayer perceptron.

use std::fmt;

use nalgebra::DMatrix;
use rand::Rng;

use crate::nn::{Activation, Dropout, Init, Linear, ModuleExt, Norm, NormLayer, Sequential};
use crate::settings::{self, Range};
use crate::tape::{Shape, Tape};
use crate::text::count;
use crate::{Error, Float, Result};

/// The form of a multilayer perceptron: affine layers with an activation between each two of them,
/// h ← f(h·Wₖ + bₖ), and the last without f. With normalisation and dropout, h ← dropout(f(norm(h·Wₖ + bₖ))).
/// Two widths make a single layer: with the cross-entropy, logistic regression.
///
/// It is one way to make a [`Sequential`], whose parts are `linear1`, `norm1`, `relu1`, `dropout1`, `linear2`
/// and so on.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::models::Mlp;
/// use tapegrad::nn::{Activation, Mode, Module, Norm};
/// use tapegrad::rng::{Purpose, stream};
///
/// let form = Mlp { norm: Norm::Batch, dropout: 0.2, ..Mlp::new(&[784, 128, 10], Activation::Relu) };
/// let mut tape = Tape::<f32>::default();
/// let mlp = form.build(&mut tape, &mut stream(42, Purpose::Init))?;
/// assert_eq!(mlp.describe(), "mlp 784-128-10 relu, batch norm, dropout 0.2");
/// let x = tape.constant_with(64, 784, |_| ());
/// let logits = mlp.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.shape(logits).to_string(), "64×10");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// Widths of all layers, from the inputs to the outputs.
    pub widths: Vec<usize>,
    /// The function between the layers.
    pub activation: Activation,
    /// What the weights are drawn from.
    pub init: Init,
    /// What normalises the values in front of each activation. With batch normalisation the hidden layers
    /// have no bias, since its shift takes that place.
    pub norm: Norm,
    /// Share of the values behind each activation that a training step drops, in [0, 1).
    pub dropout: f64,
}

impl Mlp {
    /// The plain network: no normalisation, no dropout.
    pub fn new(widths: &[usize], activation: Activation) -> Mlp {
        Mlp { widths: widths.to_vec(), activation, init: Init::default(), norm: Norm::None, dropout: 0.0 }
    }

    /// Makes the network. The biases are zero.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are fewer than two widths, one is zero, the weights are more than
    /// memory has addresses for, or the dropout is not in [0, 1) or a constant to begin with not finite, as given
    /// or in the type of the tape.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn build<T: Float>(&self, tape: &mut Tape<T>, rng: &mut impl Rng) -> Result<Sequential<T>> {
        self.check::<T>()?;
        let (mut layers, mut norms) = (Vec::new(), Vec::new());
        for (k, pair) in self.widths.windows(2).enumerate() {
            let hidden = k + 2 < self.widths.len();
            let bias = !hidden || self.norm != Norm::Batch;
            layers.push(Linear::new(tape, pair[0], pair[1], bias, self.init, rng));
            norms.push(if hidden { self.norm.layer(tape, pair[1])? } else { None });
        }
        self.assemble(tape, layers, norms)
    }

    /// The network of given weights k×n and biases 1×n, from the first layer to the last.
    ///
    /// # Errors
    /// [`Error::Data`] if a bias does not fit its weights, or a layer the one before it;
    /// [`Error::Setting`] as [`build`](Mlp::build).
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn from_weights<T: Float>(
        tape: &mut Tape<T>,
        weights: &[(DMatrix<T>, DMatrix<T>)],
        activation: Activation,
    ) -> Result<Sequential<T>> {
        let mut widths: Vec<usize> = weights.iter().take(1).map(|(w, _)| w.nrows()).collect();
        for (k, (w, b)) in weights.iter().enumerate() {
            let (k, before) = (k + 1, widths[k]);
            let (w, b) = (Shape::new(w.nrows(), w.ncols()), Shape::new(b.nrows(), b.ncols()));
            if w.rows != before || b != Shape::new(1, w.cols) {
                return Err(Error::Data(format!(
                    "mlp: w{k} is {w} and b{k} is {b}, but the layer takes {} \
                     (expected {before}×n and 1×n)",
                    count(before, "number")
                )));
            }
            widths.push(w.cols);
        }
        let form = Mlp::new(&widths, activation);
        form.check::<T>()?;
        let layers: Vec<Linear> =
            weights.iter().map(|(w, b)| Linear::from_values(tape, w, Some(b))).collect();
        let norms = vec![None; layers.len()];
        form.assemble(tape, layers, norms)
    }

    fn assemble<T: Float>(
        &self,
        tape: &mut Tape<T>,
        layers: Vec<Linear>,
        norms: Vec<Option<NormLayer>>,
    ) -> Result<Sequential<T>> {
        let (last, mut net) = (layers.len(), Sequential::new().named(self.to_string()));
        for (k, (layer, norm)) in layers.into_iter().zip(norms).enumerate() {
            let k = k + 1;
            net = net.push(format!("linear{k}"), layer);
            if k == last {
                break;
            }
            if let Some(norm) = norm {
                net = net.push(format!("norm{k}"), norm);
            }
            if self.activation != Activation::Identity {
                net = net.push(format!("{}{k}", self.activation), self.activation);
            }
            if self.dropout > 0.0 {
                net = net.push(format!("dropout{k}"), Dropout::new::<T>(self.dropout)?);
            }
        }
        net.name_parameters(tape);
        Ok(net)
    }

    /// Trainable numbers of the network, without making it.
    ///
    /// # Errors
    /// As [`build`](Mlp::build).
    pub fn trainable(&self) -> Result<usize> {
        self.check::<f64>()?;
        let hidden = self.widths.len() - 2;
        Ok(self
            .widths
            .windows(2)
            .enumerate()
            .map(|(k, pair)| {
                // With batch normalisation two numbers a column, and no bias.
                let beside = match self.norm {
                    _ if k >= hidden => 1,
                    Norm::None => 1,
                    Norm::Batch => 2,
                    Norm::Layer => 3,
                };
                (pair[0] + beside) * pair[1]
            })
            .sum())
    }

    /// At least two widths, none of them zero, and no more weights than memory could hold; numbers in range.
    fn check<T: Float>(&self) -> Result<()> {
        let widths = &self.widths;
        let wrong = |why: String| Err(Error::setting("widths", why));
        if widths.len() < 2 {
            return wrong(format!("{widths:?} are fewer than two: give those of the inputs and the outputs"));
        }
        if widths.contains(&0) {
            return wrong(format!("{widths:?} have a zero among them"));
        }
        let range = Range { text: "in the range 0 ≤ p < 1", ..Range::BELOW_ONE };
        settings::check::<T>("dropout", self.dropout, range)?;
        self.init.check::<T>()?;
        let layer = |pair: &[usize]| pair[0].checked_add(1)?.checked_mul(pair[1]);
        let numbers = widths.windows(2).try_fold(0, |sum: usize, pair| sum.checked_add(layer(pair)?));
        // Values, gradients and two numbers of an optimizer, of eight bytes.
        let bytes = numbers.and_then(|n| n.checked_mul(4 * 8)).filter(|n| isize::try_from(*n).is_ok());
        if bytes.is_none() || widths.iter().any(|w| u32::try_from(*w).is_err()) {
            return wrong(format!("{widths:?} make more weights than memory has addresses for"));
        }
        Ok(())
    }
}
/// The name of the network: `mlp 784-128-10 relu`.
impl fmt::Display for Mlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<_> = self.widths.iter().map(usize::to_string).collect();
        write!(f, "mlp {}", widths.join("-"))?;
        // A single layer has nothing between layers.
        if self.widths.len() <= 2 {
            return Ok(());
        }
        write!(f, " {}", self.activation)?;
        if self.norm != Norm::None {
            write!(f, ", {} norm", self.norm)?;
        }
        if self.dropout > 0.0 {
            write!(f, ", dropout {}", self.dropout)?;
        }
        Ok(())
    }
}
