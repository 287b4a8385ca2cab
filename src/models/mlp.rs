//! The multilayer perceptron.

use nalgebra::DMatrix;
use rand::Rng;

use super::{LayerSummary, Model};
use crate::nn::{Activation, Init, Linear};
use crate::tape::{Param, Shape, Tape, Var};
use crate::{Error, Float, Result};

/// Affine layers with an activation between each two of them: h ← f(h·Wₖ + bₖ), and the last without f.
///
/// Two widths make a single layer: with the cross-entropy, logistic regression. The parameters are
/// named `w1`, `b1`, `w2`, …
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
    widths: Vec<usize>,
    layers: Vec<Linear>,
    activation: Activation,
}

impl Mlp {
    /// A network through layers of these widths, from the inputs to the outputs.
    ///
    /// The weights are drawn from `init`; where there is none, from what suits the activation behind
    /// each layer: [`Activation::init`], which for the last layer is that of the identity. The biases
    /// are zero.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are fewer than two widths, one is zero, or the weights are more than
    /// memory has addresses for.
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
        check(widths)?;
        let mut layers = Vec::new();
        for (k, pair) in widths.windows(2).enumerate() {
            let follows = if k + 2 < widths.len() { activation } else { Activation::Identity };
            let init = init.unwrap_or(follows.init());
            layers.push(Linear::new(tape, pair[0], pair[1], true, init, rng));
        }
        Ok(Self::named(tape, widths.to_vec(), layers, activation))
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
        check(&widths)?;
        let layers = weights.iter().map(|(w, b)| Linear::from_values(tape, w, Some(b))).collect();
        Ok(Self::named(tape, widths, layers, activation))
    }

    fn named<T: Float>(
        tape: &mut Tape<T>,
        widths: Vec<usize>,
        layers: Vec<Linear>,
        activation: Activation,
    ) -> Mlp {
        for (k, layer) in layers.iter().enumerate() {
            tape.set_name(layer.weight, format!("w{}", k + 1));
            if let Some(bias) = layer.bias {
                tape.set_name(bias, format!("b{}", k + 1));
            }
        }
        Mlp { name: name(&widths, activation), widths, layers, activation }
    }

    /// The layers of such a network, without making one: see [`Summary`](super::Summary).
    ///
    /// # Errors
    /// As [`new`](Mlp::new).
    pub fn plan(widths: &[usize], activation: Activation) -> Result<Vec<LayerSummary>> {
        check(widths)?;
        Ok(plan(widths, activation))
    }

    /// The widths, from the inputs to the outputs.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The function between the layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The weights of all layers.
    pub fn weights(&self) -> Vec<Param> {
        self.layers.iter().map(|layer| layer.weight).collect()
    }

    /// The biases of all layers: a group without decay, for instance.
    pub fn biases(&self) -> Vec<Param> {
        self.layers.iter().filter_map(|layer| layer.bias).collect()
    }
}

impl<T: Float> Model<T> for Mlp {
    fn name(&self) -> &str {
        &self.name
    }

    fn inputs(&self) -> usize {
        self.widths[0]
    }

    fn outputs(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    // Not `#[track_caller]`: through `dyn Model` it would name the line of this function's head.
    fn forward(&self, tape: &mut Tape<T>, x: Var) -> Var {
        let (last, hidden) = self.layers.split_last().expect("an mlp has at least one layer");
        let mut h = x;
        for layer in hidden {
            h = layer.forward(tape, h);
            h = self.activation.apply(tape, h);
        }
        last.forward(tape, h)
    }

    fn layers(&self) -> Vec<LayerSummary> {
        plan(&self.widths, self.activation)
    }
}

fn name(widths: &[usize], activation: Activation) -> String {
    let widths: Vec<_> = widths.iter().map(usize::to_string).collect();
    // A single layer has no activation.
    let activation = if widths.len() > 2 { format!(" {activation}") } else { String::new() };
    format!("mlp {}{activation}", widths.join("-"))
}

fn plan(widths: &[usize], activation: Activation) -> Vec<LayerSummary> {
    let mut layers = Vec::new();
    for (k, pair) in widths.windows(2).enumerate() {
        let shape = Shape::new(1, pair[1]);
        layers.push(LayerSummary {
            name: format!("linear{}", k + 1),
            shape,
            numbers: (pair[0] + 1) * pair[1],
            params: 2,
            nodes: 1,
            per_sample: pair[1],
        });
        if k + 2 < widths.len() && activation != Activation::Identity {
            let name = format!("{activation}{}", k + 1);
            let per_sample = pair[1].saturating_mul(activation.numbers_per_entry());
            layers.push(LayerSummary { name, shape, numbers: 0, params: 0, nodes: 1, per_sample });
        }
    }
    layers
}

/// At least two widths, none of them zero, and no more weights than memory could hold.
fn check(widths: &[usize]) -> Result<()> {
    let wrong = |why: String| Err(Error::setting("widths", why));
    if widths.len() < 2 {
        return wrong(format!("{widths:?} are fewer than two: give those of the inputs and the outputs"));
    }
    if widths.contains(&0) {
        return wrong(format!("{widths:?} have a zero among them"));
    }
    let layer = |pair: &[usize]| pair[0].checked_add(1)?.checked_mul(pair[1]);
    let numbers = widths.windows(2).try_fold(0, |sum: usize, pair| sum.checked_add(layer(pair)?));
    // Values, gradients and two numbers of an optimizer, of eight bytes.
    let bytes = numbers.and_then(|n| n.checked_mul(4 * 8)).filter(|n| isize::try_from(*n).is_ok());
    if bytes.is_none() || widths.iter().any(|w| u32::try_from(*w).is_err()) {
        return wrong(format!("{widths:?} make more weights than memory has addresses for"));
    }
    Ok(())
}
