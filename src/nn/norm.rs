//! Normalisation by name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{BatchNorm, BatchNorm2d, LayerNorm, Mode, Module};
use crate::ops::ImageShape;
use crate::store::Settings;
use crate::tape::{Param, Shape, Tape, Var};
use crate::text::count;
use crate::{Error, Float, Result};

/// The shape of `x`, of which each row is to be an image; `name` is the layer that says so otherwise.
///
/// # Panics
/// If it is stale, or has another number of columns than the image has numbers.
#[track_caller]
pub(super) fn shape_of_images<T: Float>(tape: &Tape<T>, name: &str, x: Var, image: ImageShape) -> Shape {
    let (found, numbers) = (tape.shape_for(name, x), image.numel());
    assert!(
        found.cols == numbers,
        "{name}: {x} is {found}, but an image of {image} has {}",
        count(numbers, "number")
    );
    found
}

/// What normalises the values in front of an activation, to be chosen at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Norm {
    /// Nothing.
    #[default]
    None,
    /// [`BatchNorm`], with ε = 10⁻⁵ and momentum 0.1.
    Batch,
    /// [`LayerNorm`], with ε = 10⁻⁵.
    Layer,
}

impl Norm {
    /// All of them with their names.
    pub const TABLE: [(Norm, &str); 3] =
        [(Norm::None, "none"), (Norm::Batch, "batch"), (Norm::Layer, "layer")];

    /// ε of all of them: PyTorch's default.
    pub(crate) const EPSILON: f64 = 1e-5;

    /// The momentum of the running statistics: PyTorch's default.
    pub(crate) const MOMENTUM: f64 = 0.1;

    /// The layer for such images: that of a batch goes by channel, and the other one over all numbers of an image.
    /// `None` where there is none.
    ///
    /// # Errors
    /// As [`BatchNorm2d::new`].
    #[track_caller]
    pub(crate) fn layer_of_images<T: Float>(
        self,
        tape: &mut Tape<T>,
        image: ImageShape,
    ) -> Result<Option<Arc<dyn Module<T>>>> {
        Ok(match self {
            Norm::None => None,
            Norm::Batch => Some(Arc::new(BatchNorm2d::new(tape, image, Self::MOMENTUM, Self::EPSILON)?)),
            Norm::Layer => Some(Arc::new(LayerNorm::new(tape, image.numel(), Self::EPSILON)?)),
        })
    }

    /// The layer for n columns; `None` where there is none.
    ///
    /// # Errors
    /// None with the settings that this has: as [`BatchNorm::new`].
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn layer<T: Float>(self, tape: &mut Tape<T>, columns: usize) -> Result<Option<NormLayer>> {
        Ok(match self {
            Norm::None => None,
            Norm::Batch => {
                Some(NormLayer::Batch(BatchNorm::new(tape, columns, Self::MOMENTUM, Self::EPSILON)?))
            }
            Norm::Layer => Some(NormLayer::Layer(LayerNorm::new(tape, columns, Self::EPSILON)?)),
        })
    }
}

/// One of the two layers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NormLayer {
    /// By column.
    Batch(BatchNorm),
    /// By row.
    Layer(LayerNorm),
}

impl<T: Float> Module<T> for NormLayer {
    fn describe(&self) -> String {
        match self {
            NormLayer::Batch(norm) => Module::<T>::describe(norm),
            NormLayer::Layer(norm) => Module::<T>::describe(norm),
        }
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        match self {
            NormLayer::Batch(norm) => norm.forward(tape, x, mode),
            NormLayer::Layer(norm) => norm.forward(tape, x, mode),
        }
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        match self {
            NormLayer::Batch(norm) => Module::<T>::parameters(norm, visit),
            NormLayer::Layer(norm) => Module::<T>::parameters(norm, visit),
        }
    }

    fn keeps_width(&self) -> bool {
        true
    }

    fn inputs(&self) -> Option<usize> {
        match self {
            NormLayer::Batch(norm) => Module::<T>::inputs(norm),
            NormLayer::Layer(norm) => Module::<T>::inputs(norm),
        }
    }

    fn least_batch(&self) -> usize {
        match self {
            NormLayer::Batch(norm) => Module::<T>::least_batch(norm),
            NormLayer::Layer(norm) => Module::<T>::least_batch(norm),
        }
    }

    fn store(&self) -> Option<Settings> {
        match self {
            NormLayer::Batch(norm) => Module::<T>::store(norm),
            NormLayer::Layer(norm) => Module::<T>::store(norm),
        }
    }
}

/// The name, such as `batch`.
impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::TABLE.iter().find(|(norm, _)| norm == self).map(|(_, name)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

/// The inverse of `Display`.
impl FromStr for Norm {
    type Err = Error;

    fn from_str(s: &str) -> Result<Norm> {
        Self::TABLE.iter().find(|(_, name)| *name == s).map(|(norm, _)| *norm).ok_or_else(|| {
            let names = Self::TABLE.map(|(_, name)| name).join(", ");
            Error::setting("norm", format!("there is no `{s}`; there are {names}"))
        })
    }
}
