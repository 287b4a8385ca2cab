//! Activations by name.

use std::fmt;
use std::str::FromStr;

use super::{Mode, Module};
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::{Error, Float, Result};

/// The function between two layers, to be chosen at run time.
///
/// ```
/// use tapegrad::nn::Activation;
///
/// let mut tape = tapegrad::Tape::new();
/// let x = tape.constant_slice(1, 2, &[-1.0, 2.0]);
/// let y = "relu".parse::<Activation>()?.apply(&mut tape, x);
/// assert_eq!(tape.value_slice(y), [0.0, 2.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// max(x, 0): [`Tape::relu`].
    Relu,
    /// x, or x/100 where x is negative: [`Tape::leaky_relu`].
    LeakyRelu,
    /// x·σ(1.702x): [`Tape::gelu`].
    Gelu,
    /// x·Φ(x) with Φ through tanh: [`Tape::gelu_tanh`].
    GeluTanh,
    /// x·Φ(x): [`Tape::gelu_erf`].
    GeluErf,
    /// 1/(1 + e⁻ˣ): [`Tape::sigmoid`].
    Sigmoid,
    /// tanh x: [`Tape::tanh`].
    Tanh,
    /// ln(1 + eˣ): [`Tape::softplus`].
    Softplus,
    /// x·σ(x): [`Tape::silu`].
    Silu,
    /// x. It adds no node.
    Identity,
}

/// The slope of [`Activation::LeakyRelu`] below zero: that of Maas, Hannun and Ng, "Rectifier
/// Nonlinearities Improve Neural Network Acoustic Models" (2013), and PyTorch's default.
const LEAK: f64 = 0.01;

impl Activation {
    /// All of them with their names.
    pub const TABLE: [(Activation, &str); 10] = [
        (Activation::Relu, "relu"),
        (Activation::LeakyRelu, "leaky_relu"),
        (Activation::Gelu, "gelu"),
        (Activation::GeluTanh, "gelu_tanh"),
        (Activation::GeluErf, "gelu_erf"),
        (Activation::Sigmoid, "sigmoid"),
        (Activation::Tanh, "tanh"),
        (Activation::Softplus, "softplus"),
        (Activation::Silu, "silu"),
        (Activation::Identity, "identity"),
    ];

    /// Its name in [`TABLE`](Self::TABLE).
    pub fn name(self) -> &'static str {
        let (_, name) =
            Self::TABLE.iter().find(|(activation, _)| *activation == self).expect("all are in it");
        name
    }

    /// Appends the function of every entry of `x`; returns `x` itself for the identity.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn apply<T: Float>(self, tape: &mut Tape<T>, x: impl Into<Var>) -> Var {
        match self {
            Activation::Relu => tape.relu(x),
            Activation::LeakyRelu => tape.leaky_relu(x, T::of(LEAK)),
            Activation::Gelu => tape.gelu(x),
            Activation::GeluTanh => tape.gelu_tanh(x),
            Activation::GeluErf => tape.gelu_erf(x),
            Activation::Sigmoid => tape.sigmoid(x),
            Activation::Tanh => tape.tanh(x),
            Activation::Softplus => tape.softplus(x),
            Activation::Silu => tape.silu(x),
            Activation::Identity => x.into(),
        }
    }
}

impl<T: Float> Module<T> for Activation {
    fn describe(&self) -> String {
        self.to_string()
    }

    fn keeps_width(&self) -> bool {
        true
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        self.apply(tape, x)
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("activation").with("name", self.name()))
    }
}

/// The name, such as `relu`.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The inverse of `Display`.
impl FromStr for Activation {
    type Err = Error;

    fn from_str(s: &str) -> Result<Activation> {
        Self::TABLE.iter().find(|(_, name)| *name == s).map(|(activation, _)| *activation).ok_or_else(|| {
            let names = Self::TABLE.map(|(_, name)| name).join(", ");
            Error::setting("activation", format!("there is no `{s}`; there are {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names are those of the operations: what is appended says so.
    #[test]
    fn names_are_those_of_the_operations() {
        for (activation, name) in Activation::TABLE {
            assert_eq!(activation.to_string(), name);
            assert_eq!(name.parse::<Activation>().unwrap(), activation);
            let mut tape = Tape::new();
            let x = tape.constant_slice(1, 1, &[-2.0]);
            let y = activation.apply(&mut tape, x);
            if activation == Activation::Identity {
                assert_eq!(y, x);
            } else {
                assert_eq!(tape.op_name(y), name);
            }
        }
        let error = "relu6".parse::<Activation>().unwrap_err().to_string();
        assert!(error.starts_with("activation: there is no `relu6`; there are relu, leaky_relu,"));
    }

    #[test]
    fn the_leak() {
        let mut tape = Tape::new();
        let x = tape.constant_slice(1, 1, &[-2.0]);
        let y = Activation::LeakyRelu.apply(&mut tape, x);
        assert_eq!(tape.item(y), -0.02);
    }
}
