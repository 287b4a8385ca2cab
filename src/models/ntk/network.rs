//! A network of finite width in NTK parametrisation.

use rand::Rng;

use crate::models::kernel::{InfiniteNetwork, Nonlinearity};
use crate::nn::{Mode, Module, ModuleExt};
use crate::rng::standard_normal;
use crate::settings::{self, Range};
use crate::tape::{Param, Tape, Var};
use crate::{Error, Float, Result};

/// A fully-connected network of finite width whose limit is a given [`InfiniteNetwork`].
///
/// z₁ = √γ·x·W₁ + σ_b·b₁, zₗ₊₁ = σ_w/√n·φ(zₗ)·Wₗ₊₁ + σ_b·bₗ₊₁ for hidden layers of width n, with all
/// weights and biases drawn from N(0, 1); without biases where σ_b = 0. The same functions as in the usual
/// parametrisation, with other learning rates: here a gradient does not grow with the width (Jacot et al.,
/// "Neural tangent kernel", 2018, section 3). The parameters are named `linear1.weight`,
/// `linear1.bias`, `linear2.weight`, …
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::models::kernel::{InfiniteNetwork, Nonlinearity};
/// use tapegrad::models::ntk::NtkMlp;
/// use tapegrad::nn::Module;
/// use tapegrad::rng::{Purpose, stream};
///
/// let limit = InfiniteNetwork::new(2, Nonlinearity::Relu, 1.0 / 3.0)?;
/// let mut tape = Tape::new();
/// let network = NtkMlp::new(&mut tape, &limit, 3, 100, 1, &mut stream(1, Purpose::Init))?;
/// assert_eq!(Module::<f64>::describe(&network), "ntk-mlp 3-100-100-1 relu");
/// assert_eq!(tape.param_numbers(), 3 * 100 + 100 * 100 + 100);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NtkMlp {
    name: String,
    network: InfiniteNetwork,
    widths: Vec<usize>,
    layers: Vec<Layer>,
}

#[derive(Clone, Copy, Debug)]
struct Layer {
    weight: Param,
    bias: Option<Param>,
}

impl NtkMlp {
    /// A network with hidden layers of `width` numbers, its parameters drawn from `rng`.
    ///
    /// # Errors
    /// [`Error::Setting`] if a width is 0, the factor that a setting of the network makes of it is beyond `T`,
    /// or the weights are more than memory has addresses for.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(
        tape: &mut Tape<T>,
        network: &InfiniteNetwork,
        inputs: usize,
        width: usize,
        outputs: usize,
        rng: &mut impl Rng,
    ) -> Result<NtkMlp> {
        let hidden = vec![width; network.depth()];
        let widths = [&[inputs], &hidden[..], &[outputs]].concat();
        check(&widths)?;
        for (name, factor) in [
            ("gamma", network.input_scale().sqrt()),
            ("weight_variance", (network.weight_variance() / width as f64).sqrt()),
        ] {
            settings::check::<T>(name, factor, Range::POSITIVE)?;
        }
        settings::check::<T>("bias_variance", network.bias_variance().sqrt(), Range::NOT_NEGATIVE)?;
        let mut layers = Vec::new();
        for pair in widths.windows(2) {
            let mut draw =
                |rows, cols| tape.param_with(rows, cols, |w| w.fill_with(|| T::of(standard_normal(rng))));
            let weight = draw(pair[0], pair[1]);
            let bias = (network.bias_variance() > 0.0).then(|| draw(1, pair[1]));
            layers.push(Layer { weight, bias });
        }
        let text: Vec<_> = widths.iter().map(usize::to_string).collect();
        let name = format!("ntk-mlp {} {}", text.join("-"), network.nonlinearity());
        let net = NtkMlp { name, network: *network, widths, layers };
        ModuleExt::<T>::name_parameters(&net, tape);
        Ok(net)
    }

    /// The network of infinite width that this one is a draw of.
    pub fn limit(&self) -> &InfiniteNetwork {
        &self.network
    }

    /// The widths, from the inputs to the outputs.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The factor of the weights of layer `k`.
    fn scale(&self, k: usize) -> f64 {
        let hidden = self.network.weight_variance() / self.widths[k] as f64;
        if k == 0 { self.network.input_scale().sqrt() } else { hidden.sqrt() }
    }
}

impl<T: Float> Module<T> for NtkMlp {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        let bias_scale = self.network.bias_variance().sqrt();
        let mut h = x;
        for (k, layer) in self.layers.iter().enumerate() {
            if k > 0 {
                h = match self.network.nonlinearity() {
                    Nonlinearity::Relu => tape.relu(h),
                    Nonlinearity::Erf => tape.erf(h),
                };
            }
            h = tape.scale(h, T::of(self.scale(k)));
            h = match layer.bias {
                Some(bias) => {
                    let bias = tape.scale(bias, T::of(bias_scale));
                    tape.linear(h, layer.weight, bias)
                }
                None => tape.matmul(h, layer.weight),
            };
        }
        h
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        for (k, layer) in self.layers.iter().enumerate() {
            visit(&format!("linear{}.weight", k + 1), layer.weight);
            if let Some(bias) = layer.bias {
                visit(&format!("linear{}.bias", k + 1), bias);
            }
        }
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.widths[0])
    }
}

/// No width of zero, and no more weights than memory could hold.
fn check(widths: &[usize]) -> Result<()> {
    let wrong = |why: String| Err(Error::setting("widths", why));
    if widths.contains(&0) {
        return wrong(format!("{widths:?} have a zero among them"));
    }
    let layer = |pair: &[usize]| pair[0].checked_add(1)?.checked_mul(pair[1]);
    let numbers = widths.windows(2).try_fold(0, |sum: usize, pair| sum.checked_add(layer(pair)?));
    // Values and gradients of eight bytes.
    let bytes = numbers.and_then(|n| n.checked_mul(2 * 8)).filter(|n| isize::try_from(*n).is_ok());
    if bytes.is_none() || widths.iter().any(|w| u32::try_from(*w).is_err()) {
        return wrong(format!("{widths:?} make more weights than memory has addresses for"));
    }
    Ok(())
}
