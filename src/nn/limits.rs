//! How far a network may go that is in a file: asked when one is read, and before one is trained that could not be.

use std::cell::Cell;

use super::{Module, ModuleExt, Sequential};
use crate::ops::Convolution;
use crate::store::Settings;
use crate::tape::{Shape, Tape};
use crate::text::{count, printable};
use crate::{Error, Float, Result};

/// Whether a network for samples of that many numbers, whose parameters are on the tape, can be read again once it is saved:
/// from a file of these parameters, which may hold more than them. One with modules that no file tells how to make is not
/// saved at all.
///
/// # Errors
/// [`Error::Data`] as [`restore::network`](super::restore::network) would say it of the file.
pub(crate) fn check<T: Float>(module: &Sequential<T>, tape: &mut Tape<T>, inputs: usize) -> Result<()> {
    let Some(settings) = module.store() else { return Ok(()) };
    check_settings(&settings, 0)?;
    let held: usize =
        module.named_parameters().iter().map(|(_, param)| tape.param_shape(*param).numel()).sum();
    // The reader counts four bytes as a number.
    let held = held.saturating_mul(size_of::<T>()) / size_of::<f32>();
    Room::of(inputs, held).take_parts(module, tape, Shape::new(1, inputs)).map(drop)
}

/// Whether nothing of a module is beyond what is read from a file.
fn check_settings(settings: &Settings, depth: usize) -> Result<()> {
    match settings.kind() {
        "sequential" => {
            let depth = deeper(depth)?;
            settings.get::<Vec<(String, Settings)>>("parts")?.iter().try_for_each(|(name, part)| {
                check_settings(part, depth).map_err(|error| of_part(name, error))
            })
        }
        "residual" => check_settings(&settings.get("block")?, deeper(depth)?),
        "conv2d" | "conv2d_transpose" => check_padding(&settings.get("form")?),
        _ => Ok(()),
    }
}

/// How many numbers the parts of a network may give for a sample, all in all. A few bytes of a file can ask for images of
/// any size, by a padding, a stride, a dilation or a factor, and again by each part behind another: they are not to take
/// memory that neither a sample nor the file comes near.
pub(super) struct Room {
    most: usize,
    given: Cell<usize>,
}

/// For each number of a sample and of the file: a thousand maps as large as the image that goes in.
const MOST_FOR_EACH: usize = 1024;

/// As many there may be in any case: 16 MB in `f32`.
const ALWAYS: usize = 1 << 22;

impl Room {
    /// For samples of so many numbers, and a file of so many.
    pub fn of(inputs: usize, held: usize) -> Room {
        let numbers = inputs.saturating_add(held);
        Room { most: numbers.saturating_mul(MOST_FOR_EACH).max(ALWAYS), given: Cell::new(0) }
    }

    /// # Errors
    /// [`Error::Data`] if there is no room for as many rows of as many numbers.
    pub fn take<T: Float>(&self, module: &dyn Module<T>, rows: usize, width: usize) -> Result<()> {
        let numbers = rows.saturating_mul(width);
        let given = self.given.get().saturating_add(numbers);
        self.given.set(given);
        if given <= self.most {
            return Ok(());
        }
        Err(Error::Data(format!(
            "{} gives {} for a sample, {given} with those of all parts before: a network of so few \
             parameters may have {}",
            module.describe(),
            count(numbers, "number"),
            self.most
        )))
    }

    /// Takes what the parts of a module give, and those of its parts, for a sample of that shape; what the module gives.
    /// `None` if one does not take what comes: that is named where data meets it.
    fn take_parts<T: Float>(
        &self,
        module: &dyn Module<T>,
        tape: &mut Tape<T>,
        x: Shape,
    ) -> Result<Option<Shape>> {
        let (takes, rows, parts) = (module.takes(x.cols), module.rows(x.rows), module.parts());
        let Some(rows) = rows.filter(|_| takes) else { return Ok(None) };
        if parts.is_empty() {
            return Ok(Some(Shape::new(rows, module.columns_behind(tape, x))));
        }
        let mut at = x;
        for (name, part) in parts {
            let given = self.take_parts(part, tape, at).and_then(|given| {
                given.iter().try_for_each(|given| self.take(part, given.rows, given.cols))?;
                Ok(given)
            });
            let Some(given) = given.map_err(|error| of_part(name, error))? else { return Ok(None) };
            at = given;
        }
        Ok(Some(at))
    }
}

/// Blocks within blocks, at most: each level reads anew what is within.
const DEEPEST: usize = 8;

/// One deeper, if that is not too deep.
pub(super) fn deeper(depth: usize) -> Result<usize> {
    if depth == DEEPEST {
        return Err(Error::Data(format!("blocks are nested more than {DEEPEST} deep")));
    }
    Ok(depth + 1)
}

/// How much wider than its image a padding may be.
const MOST_PADDING: usize = 64;

pub(super) fn check_padding(form: &Convolution) -> Result<()> {
    let ([down, along], image) = (form.window.padding, form.image);
    if down > image.height.saturating_add(MOST_PADDING) || along > image.width.saturating_add(MOST_PADDING) {
        let why = format!(
            "a padding of {down}×{along} around an image of {image} is more than {MOST_PADDING} beyond its sides"
        );
        return Err(Error::Data(why));
    }
    Ok(())
}

/// An error with the name of the part before it.
pub(super) fn of_part(name: &str, error: Error) -> Error {
    match error {
        Error::Data(why) => Error::Data(format!("{}: {why}", printable(name))),
        other => other,
    }
}
