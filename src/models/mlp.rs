//! The multilayer perceptron.

use std::fmt;

use nalgebra::DMatrix;
use rand::Rng;

use super::{LayerSummary, Model};
use crate::nn::{Activation, Init, Linear, Mode, Norm, NormLayer};
use crate::settings::{self, Range};
use crate::tape::{Param, Shape, Tape, Var};
use crate::{Error, Float, Result};

/// The form of a multilayer perceptron.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::models::{MlpOptions, Model};
/// use tapegrad::nn::{Activation, Norm};
/// use tapegrad::rng::{Purpose, stream};
///
/// let options = MlpOptions { norm: Norm::Batch, dropout: 0.2, ..MlpOptions::new(&[784, 128, 10], Activation::Relu) };
/// let mut tape = Tape::<f32>::default();
/// let mlp = options.build(&mut tape, &mut stream(42, Purpose::Init))?;
/// assert_eq!(Model::<f32>::name(&mlp), "mlp 784-128-10 relu, batch norm, dropout 0.2");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MlpOptions {
    /// Widths of all layers, from the inputs to the outputs.
    pub widths: Vec<usize>,
    /// The function between the layers.
    pub activation: Activation,
    /// What the weights are drawn from; `None` for what suits the activation behind each layer,
    /// [`Activation::init`], which for the last layer is that of the identity.
    pub init: Option<Init>,
    /// What normalises the values in front of each activation. With batch normalisation the hidden layers
    /// have no bias, since its shift takes that place.
    pub norm: Norm,
    /// Share of the values behind each activation that a training step drops, in [0, 1).
    pub dropout: f64,
}

impl MlpOptions {
    /// The plain network: no normalisation, no dropout.
    pub fn new(widths: &[usize], activation: Activation) -> MlpOptions {
        MlpOptions { widths: widths.to_vec(), activation, init: None, norm: Norm::None, dropout: 0.0 }
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
    pub fn build<T: Float>(&self, tape: &mut Tape<T>, rng: &mut impl Rng) -> Result<Mlp> {
        self.check::<T>()?;
        let (mut layers, mut norms) = (Vec::new(), Vec::new());
        for (k, pair) in self.widths.windows(2).enumerate() {
            let hidden = k + 2 < self.widths.len();
            let follows = if hidden { self.activation } else { Activation::Identity };
            let (init, bias) = (self.init.unwrap_or(follows.init()), !hidden || self.norm != Norm::Batch);
            layers.push(Linear::new(tape, pair[0], pair[1], bias, init, rng));
            if hidden {
                norms.push(self.norm.layer(tape, pair[1])?);
            }
        }
        Ok(self.named(tape, layers, norms))
    }

    fn named<T: Float>(&self, tape: &mut Tape<T>, layers: Vec<Linear>, norms: Vec<Option<NormLayer>>) -> Mlp {
        for (k, layer) in layers.iter().enumerate() {
            tape.set_name(layer.weight, format!("w{}", k + 1));
            if let Some(bias) = layer.bias {
                tape.set_name(bias, format!("b{}", k + 1));
            }
        }
        for (k, norm) in norms.iter().enumerate() {
            if let Some([gamma, beta]) = norm.as_ref().map(NormLayer::params) {
                tape.set_name(gamma, format!("gamma{}", k + 1));
                tape.set_name(beta, format!("beta{}", k + 1));
            }
            if let Some(NormLayer::Batch(norm)) = norm {
                tape.set_name(norm.running, format!("running{}", k + 1));
            }
        }
        Mlp { name: self.to_string(), options: self.clone(), layers, norms }
    }

    /// The layers of the network, without making one: see [`Summary`](super::Summary).
    ///
    /// # Errors
    /// As [`build`](MlpOptions::build).
    pub fn plan(&self) -> Result<Vec<LayerSummary>> {
        self.check::<f64>()?;
        Ok(self.layers())
    }

    fn layers(&self) -> Vec<LayerSummary> {
        let mut layers = Vec::new();
        for (k, pair) in self.widths.windows(2).enumerate() {
            let (hidden, width) = (k + 2 < self.widths.len(), pair[1]);
            let shape = Shape::new(1, width);
            let layer = |name: String, per_sample| LayerSummary {
                name,
                shape,
                numbers: 0,
                params: 0,
                nodes: 1,
                per_sample,
                fixed: 0,
            };
            let bias = !hidden || self.norm != Norm::Batch;
            layers.push(LayerSummary {
                numbers: (pair[0] + usize::from(bias)) * width,
                params: 1 + usize::from(bias),
                ..layer(format!("linear{}", k + 1), width)
            });
            if !hidden {
                break;
            }
            match self.norm {
                Norm::None => (),
                // The statistics save the deviations, the normalisation x̂ and a scale a column; the buffer
                // and the statistics are two numbers a column each.
                Norm::Batch => layers.push(LayerSummary {
                    numbers: 2 * width,
                    params: 3,
                    nodes: 2,
                    fixed: 5 * width,
                    ..layer(format!("batch_norm{}", k + 1), width.saturating_mul(3))
                }),
                // It saves x̂, and a scale a row.
                Norm::Layer => layers.push(LayerSummary {
                    numbers: 2 * width,
                    params: 2,
                    ..layer(format!("layer_norm{}", k + 1), width.saturating_mul(2).saturating_add(1))
                }),
            }
            if self.activation != Activation::Identity {
                let per_sample = width.saturating_mul(self.activation.numbers_per_entry());
                layers.push(layer(format!("{}{}", self.activation, k + 1), per_sample));
            }
            if self.dropout > 0.0 {
                layers.push(layer(format!("dropout{}", k + 1), width));
            }
        }
        layers
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
        self.init.map_or(Ok(()), Init::check::<T>)?;
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
impl fmt::Display for MlpOptions {
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

/// Affine layers with an activation between each two of them: h ← f(h·Wₖ + bₖ), and the last without f.
///
/// With normalisation and dropout, h ← dropout(f(norm(h·Wₖ + bₖ))). Two widths make a single layer: with
/// the cross-entropy, logistic regression. The parameters are named `w1`, `b1`, `w2`, …; those of
/// normalisations `gamma1`, `beta1`, and `running1` for the running statistics.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::models::{Mlp, Model};
/// use tapegrad::nn::Activation;
/// use tapegrad::rng::{Purpose, stream};
///
/// let mut tape = Tape::<f32>::default();
/// let rng = &mut stream(42, Purpose::Init);
/// let mlp = Mlp::new(&mut tape, &[784, 128, 10], Activation::Relu, None, rng)?;
/// assert_eq!(tape.param_numbers(), 101_770);
/// let x = tape.constant_with(64, 784, |_| ());
/// let logits = mlp.forward(&mut tape, x);
/// assert_eq!(tape.shape(logits).to_string(), "64×10");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mlp {
    name: String,
    options: MlpOptions,
    layers: Vec<Linear>,
    /// Of the hidden layers.
    norms: Vec<Option<NormLayer>>,
}

impl Mlp {
    /// A plain network through layers of these widths, from the inputs to the outputs. For normalisation
    /// and dropout, see [`MlpOptions`].
    ///
    /// # Errors
    /// As [`MlpOptions::build`].
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(
        tape: &mut Tape<T>,
        widths: &[usize],
        activation: Activation,
        init: Option<Init>,
        rng: &mut impl Rng,
    ) -> Result<Mlp> {
        MlpOptions { init, ..MlpOptions::new(widths, activation) }.build(tape, rng)
    }

    /// The network of given weights k×n and biases 1×n, from the first layer to the last.
    ///
    /// # Errors
    /// [`Error::Data`] if a bias does not fit its weights, or a layer the one before it;
    /// [`Error::Setting`] as [`new`](Mlp::new).
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn from_weights<T: Float>(
        tape: &mut Tape<T>,
        weights: &[(DMatrix<T>, DMatrix<T>)],
        activation: Activation,
    ) -> Result<Mlp> {
        let mut widths: Vec<usize> = weights.iter().take(1).map(|(w, _)| w.nrows()).collect();
        for (k, (w, b)) in weights.iter().enumerate() {
            let (k, before) = (k + 1, widths[k]);
            let (w, b) = (Shape::new(w.nrows(), w.ncols()), Shape::new(b.nrows(), b.ncols()));
            if w.rows != before || b != Shape::new(1, w.cols) {
                return Err(Error::Data(format!(
                    "mlp: w{k} is {w} and b{k} is {b}, but the layer takes {before} numbers \
                     (expected {before}×n and 1×n)"
                )));
            }
            widths.push(w.cols);
        }
        let options = MlpOptions::new(&widths, activation);
        options.check::<T>()?;
        let layers: Vec<Linear> =
            weights.iter().map(|(w, b)| Linear::from_values(tape, w, Some(b))).collect();
        let norms = vec![None; layers.len() - 1];
        Ok(options.named(tape, layers, norms))
    }

    /// Its form.
    pub fn options(&self) -> &MlpOptions {
        &self.options
    }

    /// The widths, from the inputs to the outputs.
    pub fn widths(&self) -> &[usize] {
        &self.options.widths
    }

    /// The function between the layers.
    pub fn activation(&self) -> Activation {
        self.options.activation
    }

    /// The weights of all layers.
    pub fn weights(&self) -> Vec<Param> {
        self.layers.iter().map(|layer| layer.weight).collect()
    }

    /// The biases of all layers, and scales and shifts of the normalisations: a group without decay, for
    /// instance.
    pub fn biases(&self) -> Vec<Param> {
        let biases = self.layers.iter().filter_map(|layer| layer.bias);
        biases.chain(self.norms.iter().flatten().flat_map(NormLayer::params)).collect()
    }
}

impl<T: Float> Model<T> for Mlp {
    fn name(&self) -> &str {
        &self.name
    }

    fn inputs(&self) -> usize {
        self.options.widths[0]
    }

    fn outputs(&self) -> usize {
        self.options.widths[self.options.widths.len() - 1]
    }

    // Not `#[track_caller]`: through `dyn Model` it would name the line of this function's head.
    fn append(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode<'_>) -> Var {
        let (last, hidden) = self.layers.split_last().expect("an mlp has at least one layer");
        let mut h = x;
        for (layer, norm) in hidden.iter().zip(&self.norms) {
            h = layer.forward(tape, h);
            if let Some(norm) = norm {
                h = norm.append(tape, h, mode);
            }
            h = self.options.activation.apply(tape, h);
            if let Mode::Training(rng) = mode {
                h = tape.dropout(h, T::of(self.options.dropout), *rng);
            }
        }
        last.forward(tape, h)
    }

    fn least_batch(&self) -> usize {
        if self.norms.iter().any(|norm| matches!(norm, Some(NormLayer::Batch(_)))) { 2 } else { 1 }
    }

    fn layers(&self) -> Vec<LayerSummary> {
        self.options.layers()
    }
}
