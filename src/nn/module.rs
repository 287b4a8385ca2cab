//! [`Module`]: the one contract of layers, blocks and networks.

use std::collections::HashSet;
use std::sync::Arc;

use super::Mode;
use crate::ops::ImageShape;
use crate::store::Settings;
use crate::tape::{Param, Shape, Tape, Var};
use crate::{Error, Float, Result};

/// A map from a batch to a batch, with parameters on a tape: a layer, a block or a whole network.
///
/// A module holds handles only; the numbers are the tape's. It belongs to the tape that it was made on, and to
/// that tape's clones.
///
/// An own layer is one `impl`:
///
/// ```
/// use tapegrad::nn::{Mode, Module};
/// use tapegrad::tape::Param;
/// use tapegrad::{Float, Tape, Var};
///
/// /// y = x ∘ s, with a factor for each column that is learnt.
/// struct Scale {
///     factors: Param,
/// }
///
/// impl<T: Float> Module<T> for Scale {
///     fn describe(&self) -> String {
///         "scale".into()
///     }
///     fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
///         tape.mul(x, self.factors)
///     }
///     fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
///         visit("factors", self.factors);
///     }
/// }
///
/// let mut tape = Tape::new();
/// let scale = Scale { factors: tape.param_slice(1, 2, &[2.0, 3.0]) };
/// let x = tape.constant_slice(1, 2, &[1.0, 10.0]);
/// let y = scale.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.value_slice(y), [2.0, 30.0]);
/// ```
pub trait Module<T: Float>: Send + Sync {
    /// What it is, in a line: `linear 784→128`.
    fn describe(&self) -> String;

    /// Appends the output for the batch `x`, a sample (or token) a row.
    ///
    /// # Panics
    /// If `x` is stale, or has another number of columns than the module takes.
    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var;

    /// Calls `visit` with its parameters and buffers by name, always in the same order: `weight`, `bias`,
    /// `running`. A container puts its own name for a part before, by [`visit_part`]: `0.weight`, `block.0.bias`.
    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        let _ = visit;
    }

    /// Numbers per sample that go in; `None` where any number does.
    fn inputs(&self) -> Option<usize> {
        None
    }

    /// The image that it takes, and the one that it gives; `None` where a sample is no image to it.
    fn images(&self) -> Option<(ImageShape, ImageShape)> {
        None
    }

    /// Whether samples of so many numbers can go in: by default, [those](Self::inputs) that it takes.
    fn takes(&self, width: usize) -> bool {
        self.inputs().is_none_or(|inputs| inputs == width)
    }

    /// How many tokens there are, where tokens go in: whole numbers from 0 to below it. `None` where any numbers do.
    fn vocabulary(&self) -> Option<usize> {
        None
    }

    /// Whether it surely gives as many numbers per sample as it takes, as an activation does: what stands behind it
    /// then tells what goes in.
    fn keeps_width(&self) -> bool {
        false
    }

    /// How many rows come out for each sample where so many go in: as many, but for a module that makes tokens of
    /// samples, or samples of tokens. `None` where it does not take that many.
    fn rows(&self, rows: usize) -> Option<usize> {
        Some(rows)
    }

    /// The fewest samples that a training step makes sense with: 2 with batch normalisation.
    fn least_batch(&self) -> usize {
        1
    }

    /// The modules that it is made of, one behind the other, by their names; none, by default, where it is one piece.
    fn parts(&self) -> Vec<(&str, &dyn Module<T>)> {
        Vec::new()
    }

    /// What it is and how it was set, for a file, in which its parameters stand under their names. `None`, by default,
    /// for a module of your own: a file cannot tell how to make it again, but its parameters can be
    /// [read](crate::models::Network::load_parameters) into a network that has been made already.
    fn store(&self) -> Option<Settings> {
        None
    }
}

/// A module that others hold as well, or that is known at run time only.
impl<T: Float, M: Module<T> + ?Sized> Module<T> for Arc<M> {
    fn describe(&self) -> String {
        (**self).describe()
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        (**self).forward(tape, x, mode)
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        (**self).parameters(visit);
    }

    fn inputs(&self) -> Option<usize> {
        (**self).inputs()
    }

    fn images(&self) -> Option<(ImageShape, ImageShape)> {
        (**self).images()
    }

    fn takes(&self, width: usize) -> bool {
        (**self).takes(width)
    }

    fn vocabulary(&self) -> Option<usize> {
        (**self).vocabulary()
    }

    fn keeps_width(&self) -> bool {
        (**self).keeps_width()
    }

    fn rows(&self, rows: usize) -> Option<usize> {
        (**self).rows(rows)
    }

    fn least_batch(&self) -> usize {
        (**self).least_batch()
    }

    fn parts(&self) -> Vec<(&str, &dyn Module<T>)> {
        (**self).parts()
    }

    fn store(&self) -> Option<Settings> {
        (**self).store()
    }
}

/// Calls `visit` with the parameters and buffers of a part of a module, behind the part's name: `up.weight`.
pub fn visit_part<T: Float>(name: &str, part: &dyn Module<T>, visit: &mut dyn FnMut(&str, Param)) {
    part.parameters(&mut |own, param| visit(&format!("{name}.{own}"), param));
}

/// Visits the parameters of a layer that has a weight, and a bias or none.
pub(super) fn visit_weight_and_bias(weight: Param, bias: Option<Param>, visit: &mut dyn FnMut(&str, Param)) {
    visit("weight", weight);
    if let Some(bias) = bias {
        visit("bias", bias);
    }
}

/// What becomes of an image in a module: an image as well, or nothing that is known to be one.
///
/// # Errors
/// [`Error::Data`] if it takes another.
pub(crate) fn image_behind<T: Float>(
    module: &dyn Module<T>,
    image: Option<ImageShape>,
) -> Result<Option<ImageShape>> {
    match (module.images(), image) {
        (Some((takes, _)), Some(given)) if takes != given => {
            let why = format!("{} takes an image of {takes}, but gets one of {given}", module.describe());
            Err(Error::Data(why))
        }
        (Some((_, gives)), _) => Ok(Some(gives)),
        (None, image) => Ok(image.filter(|_| module.keeps_width())),
    }
}

/// What follows from the contract, for every module.
pub trait ModuleExt<T: Float>: Module<T> {
    /// Names and handles of all parameters and buffers, in order.
    fn named_parameters(&self) -> Vec<(String, Param)> {
        let mut all = Vec::new();
        self.parameters(&mut |name, param| all.push((name.to_string(), param)));
        all
    }

    /// The parameters whose own name is `weight`, each once: what a penalty or weight decay is usually meant for.
    fn weights(&self) -> Vec<Param> {
        self.chosen(|name| name == "weight")
    }

    /// All other parameters, buffers left out: biases, scales and shifts of normalisations.
    fn biases(&self, tape: &Tape<T>) -> Vec<Param> {
        let mut others = self.chosen(|name| name != "weight");
        others.retain(|param| tape.is_trained(*param));
        others
    }

    /// The parameters whose name, without that of the containers, is chosen; one that several modules share is there once.
    fn chosen(&self, choose: impl Fn(&str) -> bool) -> Vec<Param> {
        let (mut chosen, mut seen) = (Vec::new(), HashSet::new());
        self.parameters(&mut |name, param| {
            if choose(name.rsplit('.').next().unwrap_or(name)) && seen.insert(param) {
                chosen.push(param);
            }
        });
        chosen
    }

    /// Numbers per sample that come out where `inputs` go in, read off a dry run on one sample. Everything
    /// behind the parameters of the tape stays as it is.
    ///
    /// # Panics
    /// If the module does not take that many.
    fn outputs(&self, tape: &mut Tape<T>, inputs: usize) -> usize {
        self.output_shape(tape, Shape::new(1, inputs)).cols
    }

    /// The shape that comes out where zeros of the shape `x` go in, in evaluation.
    fn output_shape(&self, tape: &mut Tape<T>, x: Shape) -> Shape {
        let mark = tape.mark();
        let x = tape.constant_with(x.rows, x.cols, |_| ());
        let y = self.forward(tape, x, &mut Mode::evaluation());
        let shape = tape.shape(y);
        tape.rewind_to(mark);
        shape
    }

    /// The columns that come out where a sample of that shape goes in; a dry run where nothing else tells them.
    ///
    /// # Panics
    /// If the module does not take it.
    fn columns_behind(&self, tape: &mut Tape<T>, x: Shape) -> usize {
        match self.images() {
            Some((_, gives)) => gives.numel(),
            None if self.keeps_width() => x.cols,
            None => self.output_shape(tape, x).cols,
        }
    }

    /// Gives every parameter its name on the tape, where it is printed, drawn and blamed.
    fn name_parameters(&self, tape: &mut Tape<T>) {
        self.parameters(&mut |name, param| tape.set_name(param, name));
    }
}

impl<T: Float, M: Module<T> + ?Sized> ModuleExt<T> for M {}
