//! The affine layer.

use nalgebra::DMatrix;
use rand::Rng;

use super::module::visit_weight_and_bias;
use super::{Init, Mode, Module};
use crate::Float;
use crate::store::Settings;
use crate::tape::{Param, Shape, Tape, Var};

/// Y = X·W + b: weights k×n, and a bias 1×n that is added to every row, or none.
///
/// ```
/// use tapegrad::nn::{Init, Linear, Mode, Module};
/// use tapegrad::rng::{Purpose, stream};
///
/// let mut tape = tapegrad::Tape::new();
/// let layer = Linear::new(&mut tape, 3, 2, true, Init::Constant(0.5), &mut stream(0, Purpose::Init));
/// let x = tape.constant_slice(1, 3, &[1.0, 2.0, 3.0]);
/// let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.value_slice(y), [3.0, 3.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    /// The weights W, k×n.
    pub weight: Param,
    /// The bias b, 1×n.
    pub bias: Option<Param>,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// A layer from `inputs` to `outputs` numbers, with weights drawn from `init`; its bias is 0, but for
    /// [`Init::PyTorch`], which draws it as well.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(
        tape: &mut Tape<T>,
        inputs: usize,
        outputs: usize,
        bias: bool,
        init: Init,
        rng: &mut impl Rng,
    ) -> Linear {
        let weight = tape.param_with(inputs, outputs, |w| init.fill(w, inputs, outputs, rng));
        let bias = bias.then(|| tape.param_with(1, outputs, |b| init.fill_bias(b, inputs, rng)));
        Linear { weight, bias, inputs, outputs }
    }

    /// A layer of given weights k×n and a given bias 1×n.
    ///
    /// # Panics
    /// If the bias is not 1×n, or something other than a parameter is on the tape already.
    #[track_caller]
    pub fn from_values<T: Float>(
        tape: &mut Tape<T>,
        weight: &DMatrix<T>,
        bias: Option<&DMatrix<T>>,
    ) -> Linear {
        if let Some(bias) = bias {
            let (w, b) = (Shape::new(weight.nrows(), weight.ncols()), Shape::new(bias.nrows(), bias.ncols()));
            assert!(b == Shape::new(1, w.cols), "Linear: the weights are {w}, but the bias {b}");
        }
        let (inputs, outputs) = weight.shape();
        let weight = tape.param(weight);
        Linear { weight, bias: bias.map(|b| tape.param(b)), inputs, outputs }
    }

    /// A layer of parameters that are on the tape: weights `inputs`×`outputs`.
    pub(super) fn of_parameters(
        weight: Param,
        bias: Option<Param>,
        (inputs, outputs): (usize, usize),
    ) -> Linear {
        Linear { weight, bias, inputs, outputs }
    }
}

impl<T: Float> Module<T> for Linear {
    fn describe(&self) -> String {
        let bias = if self.bias.is_some() { "" } else { " without bias" };
        format!("linear {}→{}{bias}", self.inputs, self.outputs)
    }

    /// X·W + b of m×k: m×n, in one node.
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        match self.bias {
            Some(bias) => tape.linear(x, self.weight, bias),
            None => tape.matmul(x, self.weight),
        }
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit_weight_and_bias(self.weight, self.bias, visit);
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.inputs)
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("linear").with("bias", self.bias.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use nalgebra::dmatrix;

    #[test]
    fn with_and_without_bias() {
        let (w, b) = (dmatrix![1.0, 2.0; 3.0, 4.0; 5.0, 6.0], dmatrix![0.5, -0.5]);
        let x = dmatrix![1.0, 0.0, -1.0; 2.0, 1.0, 0.0];
        let mut tape = Tape::new();
        let plain = Linear::from_values(&mut tape, &w, None);
        let affine = Linear::from_values(&mut tape, &w, Some(&b));
        let vx = tape.constant(&x);
        let (y, z) = (
            plain.forward(&mut tape, vx, &mut Mode::evaluation()),
            affine.forward(&mut tape, vx, &mut Mode::evaluation()),
        );
        assert_eq!(tape.value(y), &x * &w);
        assert_eq!(tape.value(z), &x * &w + DMatrix::from_element(2, 1, 1.0) * &b);
        assert_eq!(plain.bias, None);
    }

    #[test]
    fn a_new_layer() {
        let mut tape = Tape::new();
        let rng = &mut stream(1, Purpose::Init);
        let layer = Linear::new(&mut tape, 3, 2, true, Init::HeNormal, rng);
        assert_eq!(tape.param_shape(layer.weight), Shape::new(3, 2));
        assert!(tape.value(layer.weight).iter().all(|w| *w != 0.0));
        assert_eq!(tape.value(layer.bias.unwrap()), dmatrix![0.0, 0.0]);
    }

    #[test]
    #[should_panic(expected = "Linear: the weights are 3×2, but the bias 1×3")]
    fn a_bias_that_does_not_fit() {
        Linear::from_values(&mut Tape::new(), &DMatrix::zeros(3, 2), Some(&DMatrix::zeros(1, 3)));
    }
}
