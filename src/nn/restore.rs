//! Modules made again of what a file holds.

use std::sync::Arc;

use super::norm::NormLayer;
use super::{Activation, BatchNorm, Dropout, LayerNorm, Linear, Mode, Module, Residual, Sequential};
use crate::store::{Settings, Stored};
use crate::tape::{Param, Tape, Var};
use crate::{Error, Float, Matrix, Result};

/// A module, and how many numbers per sample it gives.
type Made<T> = (Arc<dyn Module<T>>, usize);

/// Makes a module on the tape, with the parameters that the file has for it, for that many numbers per sample.
type Restore<T> = fn(&mut Tape<T>, &Settings, &Place<'_>, usize) -> Result<Made<T>>;

/// Where the numbers of a module are, and how deep it is nested in others.
pub(crate) struct Place<'a> {
    pub from: &'a Stored,
    pub depth: usize,
}

impl Place<'_> {
    fn deeper(&self) -> Result<Place<'_>> {
        if self.depth == DEEPEST {
            return Err(Error::Data(format!("blocks are nested more than {DEEPEST} deep")));
        }
        Ok(Place { from: self.from, depth: self.depth + 1 })
    }
}

/// Blocks within blocks, at most: each level reads anew what is within.
const DEEPEST: usize = 8;

/// All modules that can be read from a file, by their kind.
fn table<T: Float>() -> [(&'static str, Restore<T>); 7] {
    [
        ("linear", linear),
        ("activation", activation),
        ("dropout", |_, settings, _, width| Ok((Arc::new(Dropout::new::<T>(settings.get("p")?)?), width))),
        ("batch_norm", batch_norm),
        ("layer_norm", layer_norm),
        ("residual", residual),
        ("sequential", |tape, settings, from, width| {
            let (module, width) = sequential(tape, settings, from, width)?;
            Ok((Arc::new(module), width))
        }),
    ]
}

/// The module of those settings.
///
/// # Errors
/// [`Error::Data`] if there is no such module, or something of it is missing or does not fit `width`.
fn restore<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let known = table::<T>().into_iter().find(|(kind, _)| *kind == settings.kind());
    let Some((_, restore)) = known else {
        let kind = crate::text::printable(settings.kind());
        return Err(Error::Data(format!("this version knows no module `{kind}`")));
    };
    restore(tape, settings, from, width)
}

/// The parts one behind the other; see [`restore`].
pub(crate) fn sequential<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    mut width: usize,
) -> Result<(Sequential<T>, usize)> {
    if settings.kind() != "sequential" {
        return Err(Error::Data(format!("a network is no `{}`", crate::text::printable(settings.kind()))));
    }
    let mut net = Sequential::new();
    if let Some(name) = settings.get::<Option<String>>("name")? {
        net = net.named(name);
    }
    for (name, settings) in settings.get::<Vec<(String, Settings)>>("parts")? {
        let known = net.modules().any(|(other, _)| other == name);
        if known || name.is_empty() || name.contains('.') {
            return Err(Error::Data(format!("`{}` is no name of a module", crate::text::printable(&name))));
        }
        let part = from.from.part(&name);
        let place = Place { from: &part, ..from.deeper()? };
        let (module, given) = restore(tape, &settings, &place, width).map_err(|error| match error {
            Error::Data(why) => Error::Data(format!("{}: {why}", crate::text::printable(&name))),
            other => other,
        })?;
        (net, width) = (net.push_shared(name, module), given);
    }
    Ok((net, width))
}

fn linear<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let weight = from.from.matrix::<T>("weight")?;
    let (inputs, outputs) = weight.shape();
    if inputs != width || outputs == 0 {
        return Err(Error::Data(format!("weights of {inputs}×{outputs} for {width} numbers per sample")));
    }
    let bias = if settings.get("bias")? { Some(from.from.shaped::<T>("bias", 1, outputs)?) } else { None };
    let bias = bias.as_ref().map(Matrix::to_dmatrix);
    Ok((Arc::new(Linear::from_values(tape, &weight.to_dmatrix(), bias.as_ref())), outputs))
}

fn activation<T: Float>(
    _: &mut Tape<T>,
    settings: &Settings,
    _: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let name: String = settings.get("name")?;
    match Activation::TABLE.iter().find(|(_, known)| *known == name) {
        Some((activation, _)) => Ok((Arc::new(*activation), width)),
        None => {
            Err(Error::Data(format!("this version knows no activation `{}`", crate::text::printable(&name))))
        }
    }
}

/// Sets a parameter that has just been made to what the file has for it.
fn set<T: Float>(tape: &mut Tape<T>, param: Param, from: &Stored, name: &str) -> Result<()> {
    let shape = tape.param_shape(param);
    let values = from.shaped::<T>(name, shape.rows, shape.cols)?;
    tape.set_param(param, values.as_slice());
    Ok(())
}

fn batch_norm<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    // Before room is made for it.
    from.from.shaped::<T>("gamma", 1, width)?;
    let norm = BatchNorm::new(tape, width, settings.get("momentum")?, settings.get("epsilon")?)?;
    set(tape, norm.gamma, from.from, "gamma")?;
    set(tape, norm.beta, from.from, "beta")?;
    set(tape, norm.running, from.from, "running")?;
    Ok((Arc::new(NormLayer::Batch(norm)), width))
}

fn layer_norm<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    from.from.shaped::<T>("gamma", 1, width)?;
    let norm = LayerNorm::new(tape, width, settings.get("epsilon")?)?;
    set(tape, norm.gamma, from.from, "gamma")?;
    set(tape, norm.beta, from.from, "beta")?;
    Ok((Arc::new(NormLayer::Layer(norm)), width))
}

fn residual<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let (block, given) = restore(tape, &settings.get("block")?, &from.deeper()?, width)?;
    if given != width {
        return Err(Error::Data(format!("a residual block takes {width} numbers, but gives {given}")));
    }
    Ok((Arc::new(Residual::new(Shared(block))), width))
}

/// A module whose type is not known.
struct Shared<T: Float>(Arc<dyn Module<T>>);

impl<T: Float> Module<T> for Shared<T> {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        self.0.forward(tape, x, mode)
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        self.0.parameters(visit);
    }

    fn inputs(&self) -> Option<usize> {
        self.0.inputs()
    }

    fn keeps_width(&self) -> bool {
        self.0.keeps_width()
    }

    fn least_batch(&self) -> usize {
        self.0.least_batch()
    }

    fn store(&self) -> Option<Settings> {
        self.0.store()
    }
}
