//! Modules made again of what a file holds.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;

use super::conv_transpose_2d::ConvTranspose2d;
use super::conv2d::Conv2d;
use super::image_pool::{Pool, PoolKind};
use super::limits::{Room, check_padding, deeper, of_part};
use super::module::image_behind;
use super::{
    Activation, BatchNorm, Dropout, Init, LayerNorm, Linear, Module, ModuleExt, Residual, RmsNorm,
    Sequential, attention, batch_norm_2d, embedding, group_norm, position_embedding, recurrent, tokens,
    transformer, upsample,
};
use crate::ops::{Convolution, ImageShape};
use crate::rng::{Purpose, stream};
use crate::store::{Settings, Stored, known};
use crate::tape::{Param, Shape, Tape};
use crate::text::count;
use crate::{Error, Float, Result};

/// A module, and how many numbers per sample it gives.
pub(super) type Made<T> = (Arc<dyn Module<T>>, usize);

/// Makes a module on the tape, with the parameters that the file has for it, for that many numbers per sample.
type Restore<T> = fn(&mut Tape<T>, &Settings, &Place<'_>, usize) -> Result<Made<T>>;

/// Where the numbers of a module are, and where it stands.
pub(crate) struct Place<'a> {
    pub from: &'a Stored,
    /// How deep it is nested in others.
    depth: usize,
    /// The rows that a sample has there.
    rows: usize,
    room: &'a Room,
}

impl Place<'_> {
    fn deeper(&self) -> Result<Place<'_>> {
        Ok(Place { depth: deeper(self.depth)?, ..*self })
    }
}

/// The whole network of a file, for samples of that many numbers; what it gives for one, in rows and columns.
///
/// # Errors
/// As those of its parts; [`Error::Data`] if they give far more numbers than the file and a sample have.
pub(crate) fn network<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Stored,
    inputs: usize,
) -> Result<(Sequential<T>, Shape)> {
    let room = Room::of(inputs, from.numbers());
    let (net, cols) = sequential(tape, settings, &Place { from, depth: 0, rows: 1, room: &room }, inputs)?;
    let rows = net.rows(1).ok_or_else(|| Error::Data("tokens are no whole number of samples".into()))?;
    Ok((net, Shape::new(rows, cols)))
}

/// All modules that can be read from a file, by their kind.
fn table<T: Float>() -> [(&'static str, Restore<T>); 22] {
    [
        ("linear", linear),
        ("activation", activation),
        ("dropout", |_, settings, _, width| Ok((Arc::new(Dropout::new::<T>(settings.get("p")?)?), width))),
        ("batch_norm", |tape, settings, from, width| {
            let (momentum, epsilon) = (settings.get("momentum")?, settings.get("epsilon")?);
            norm(tape, from, width, |tape| BatchNorm::new(tape, width, momentum, epsilon))
        }),
        ("batch_norm_2d", batch_norm_2d::restore),
        ("layer_norm", |tape, settings, from, width| {
            let epsilon = settings.get("epsilon")?;
            norm(tape, from, width, |tape| LayerNorm::new(tape, width, epsilon))
        }),
        ("rms_norm", |tape, settings, from, width| {
            let epsilon = settings.get("epsilon")?;
            norm(tape, from, width, |tape| RmsNorm::new(tape, width, epsilon))
        }),
        ("group_norm", group_norm::restore),
        ("conv2d", conv2d),
        ("conv2d_transpose", conv2d_transpose),
        ("max_pool", |_, settings, _, width| pool(settings, width)),
        ("avg_pool", |_, settings, _, width| pool(settings, width)),
        ("global_avg_pool", |_, settings, _, width| pool(settings, width)),
        ("upsample", upsample::restore),
        ("embedding", embedding::restore),
        ("position_embedding", position_embedding::restore),
        ("tokens", tokens::restore),
        ("attention", attention::restore),
        ("transformer_block", transformer::restore),
        ("recurrent", recurrent::restore),
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
    known("module", settings.kind(), table())?(tape, settings, from, width)
}

/// The parts one behind the other; see [`restore`].
fn sequential<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    mut width: usize,
) -> Result<(Sequential<T>, usize)> {
    if settings.kind() != "sequential" {
        return Err(Error::Data(format!("a network is no `{}`", crate::text::printable(settings.kind()))));
    }
    let (mut net, mut image, mut rows) = (Sequential::new(), None, from.rows);
    if let Some(name) = settings.get::<Option<String>>("name")? {
        net = net.named(name);
    }
    for (name, settings) in settings.get::<Vec<(String, Settings)>>("parts")? {
        let known = net.modules().any(|(other, _)| other == name);
        if known || name.is_empty() || name.contains('.') {
            return Err(Error::Data(format!("`{}` is no name of a module", crate::text::printable(&name))));
        }
        let part = from.from.part(&name);
        let place = Place { from: &part, rows, ..from.deeper()? };
        let made = restore(tape, &settings, &place, width);
        let made = made.and_then(|(module, given)| {
            image = image_behind(&*module, image)?;
            if module.vocabulary().is_some() && net.modules().next().is_some() {
                return Err(Error::Data("it takes tokens, and stands behind another module".into()));
            }
            rows = module.rows(rows).ok_or_else(|| {
                Error::Data(format!("it does not take the {} of a sample", count(rows, "row")))
            })?;
            from.room.take(&*module, rows, given)?;
            Ok((module, given))
        });
        let (module, given) = made.map_err(|error| of_part(&name, error))?;
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
    let (inputs, outputs) = from.from.shape::<T>("weight")?;
    if inputs != width || outputs == 0 {
        return Err(Error::Data(format!(
            "weights of {inputs}×{outputs} for {} per sample",
            count(width, "number")
        )));
    }
    let mut read = |name, rows, cols| -> Result<Param> {
        from.from.check_shape::<T>(name, rows, cols)?;
        let mut failed = Ok(());
        let param = tape.param_with(rows, cols, |to| failed = from.from.read(name, to));
        failed.map(|()| param)
    };
    let weight = read("weight", inputs, outputs)?;
    let bias = if settings.get("bias")? { Some(read("bias", 1, outputs)?) } else { None };
    Ok((Arc::new(Linear::of_parameters(weight, bias, (inputs, outputs))), outputs))
}

/// Whether a layer takes as many numbers as come to it.
pub(super) fn check_image(image: ImageShape, width: usize) -> Result<()> {
    image.check().map_err(|error| Error::Data(error.to_string()))?;
    match image.numel() == width {
        true => Ok(()),
        false => Err(Error::Data(format!("an image of {image} for {} per sample", count(width, "number")))),
    }
}

fn conv2d<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let (form, output) = convolution::<T>(settings, from)?;
    of_filters(tape, settings, from, width, form, [form.image, output], Conv2d::new)
}

fn conv2d_transpose<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let (form, output) = convolution::<T>(settings, from)?;
    of_filters(tape, settings, from, width, form, [output, form.image], ConvTranspose2d::new)
}

/// A layer with the weights of a convolution, made by `new`; what it takes, and what it gives.
fn of_filters<T: Float, M: Module<T> + 'static>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
    form: Convolution,
    [takes, gives]: [ImageShape; 2],
    new: impl FnOnce(&mut Tape<T>, Convolution, bool, Init, &mut ChaCha8Rng) -> Result<M>,
) -> Result<Made<T>> {
    check_image(takes, width)?;
    let rng = &mut stream(0, Purpose::Init);
    let layer = new(tape, form, settings.get("bias")?, Init::Zeros, rng)
        .map_err(|error| Error::Data(error.to_string()))?;
    set(tape, &layer, from.from)?;
    Ok((Arc::new(layer), gives.numel()))
}

/// The form of a convolution for which the file has the weights, and its map. A few bytes of a file could ask for any
/// amount of memory: nothing is made before it has been checked.
fn convolution<T: Float>(settings: &Settings, from: &Place<'_>) -> Result<(Convolution, ImageShape)> {
    let form: Convolution = settings.get("form")?;
    let output = form.output().map_err(|error| Error::Data(error.to_string()))?;
    check_padding(&form)?;
    let (rows, cols) = form.weights();
    from.from.check_shape::<T>("weight", rows, cols)?;
    Ok((form, output))
}

fn pool<T: Float>(settings: &Settings, width: usize) -> Result<Made<T>> {
    let image: ImageShape = settings.get("image")?;
    check_image(image, width)?;
    let kind = known("pool", settings.kind(), PoolKind::TABLE)?;
    let pool =
        Pool::new(kind, image, settings.get("window")?).map_err(|error| Error::Data(error.to_string()))?;
    let given = Module::<T>::images(&pool).map_or(width, |(_, gives)| gives.numel());
    Ok((Arc::new(pool), given))
}

fn activation<T: Float>(
    _: &mut Tape<T>,
    settings: &Settings,
    _: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let name: String = settings.get("name")?;
    let table = Activation::TABLE.map(|(activation, name)| (name, activation));
    Ok((Arc::new(known("activation", &name, table)?), width))
}

/// Sets the parameters of a module that has just been made to what the file has for them.
pub(super) fn set<T: Float>(tape: &mut Tape<T>, module: &impl Module<T>, from: &Stored) -> Result<()> {
    for (name, param) in module.named_parameters() {
        let shape = tape.param_shape(param);
        tape.set_param(param, from.shaped::<T>(&name, shape.rows, shape.cols)?.as_slice());
    }
    Ok(())
}

/// A normalisation, which `make` makes for that many columns.
fn norm<T: Float, M: Module<T> + 'static>(
    tape: &mut Tape<T>,
    from: &Place<'_>,
    columns: usize,
    make: impl FnOnce(&mut Tape<T>) -> Result<M>,
) -> Result<Made<T>> {
    // Before room is made for as many.
    from.from.check_shape::<T>("gamma", 1, columns)?;
    let norm = make(tape)?;
    set(tape, &norm, from.from)?;
    Ok((Arc::new(norm), columns))
}

fn residual<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let (block, given) = restore(tape, &settings.get("block")?, &from.deeper()?, width)?;
    if given != width {
        return Err(Error::Data(format!(
            "a residual block takes {}, but gives {given}",
            count(width, "number")
        )));
    }
    if block.vocabulary().is_some() {
        return Err(Error::Data("a residual block of tokens".into()));
    }
    if let Some((takes, gives)) = block.images()
        && takes != gives
    {
        return Err(Error::Data(format!(
            "a residual block takes an image of {takes}, but gives one of {gives}"
        )));
    }
    Ok((Arc::new(Residual::new(block)), width))
}
