//! Models in files: saved, and read again whatever their family.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::kernel::{Expansion, FourierRidge, KernelMachine};
use super::linear::LinearRegression;
use super::{Fitted, Inputs, LogisticRegression, Network, Predictor, Task};
use crate::data::npy::{Written, write_archive};
use crate::data::table::Schema;
use crate::store::{Precision, Settings, Store, Stored, known};
use crate::train::Checkpoint;
use crate::{Error, Float, Result};

/// The version of what stands in a file. It is to rise when an older program could not read a file rightly.
const FORMAT: u32 = 1;

/// Makes a model again of what stands in a file.
type Restore = fn(&Settings, &Stored, Inputs, Task) -> Result<Box<dyn Predictor>>;

/// All families that can be read from a file, by their kind.
const FAMILIES: &[(&str, Restore)] = &[
    ("network", |settings, from, inputs, task| {
        Ok(match settings.precision()? {
            Precision::F32 => Box::new(Network::<f32>::restore(settings, from, inputs, task)?),
            Precision::F64 => Box::new(Network::<f64>::restore(settings, from, inputs, task)?),
        })
    }),
    ("logistic", |settings, from, inputs, task| {
        let model = LogisticRegression::restore(settings, from, task.classes())?;
        Ok(Box::new(Fitted::restored(model, inputs, task)?))
    }),
    ("linear", |settings, from, inputs, task| {
        Ok(Box::new(Fitted::restored(LinearRegression::restore(settings, from)?, inputs, task)?))
    }),
    ("expansion", |settings, from, inputs, task| match settings.precision()? {
        Precision::F32 => machine(Expansion::<f32>::restore(settings, from)?, inputs, task),
        Precision::F64 => machine(Expansion::<f64>::restore(settings, from)?, inputs, task),
    }),
    ("fourier", |settings, from, inputs, task| match settings.precision()? {
        Precision::F32 => machine(FourierRidge::<f32>::restore(settings, from)?, inputs, task),
        Precision::F64 => machine(FourierRidge::<f64>::restore(settings, from)?, inputs, task),
    }),
];

fn machine<T: Float>(
    model: impl KernelMachine<T> + 'static,
    inputs: Inputs,
    task: Task,
) -> Result<Box<dyn Predictor>> {
    let model: Box<dyn KernelMachine<T>> = Box::new(model);
    Ok(Box::new(Fitted::restored(model, inputs, task)?))
}

/// What a file says of its numbers.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    version: String,
    model: Settings,
    inputs: Settings,
    task: Task,
    notes: Notes,
}

/// What goes into a file beside the model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Notes {
    /// How the model came about, for people: name and value.
    pub about: Vec<(String, String)>,
    /// How rows of a table become samples, where the model was trained on one.
    pub schema: Option<Schema>,
    /// The arguments of the command line that lead to it, where it was trained from there.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// What it was trained and measured on: names, and hashes or lists.
    #[serde(default)]
    pub data: Vec<(String, String)>,
    /// What the command line worked out where the arguments say nothing, such as a rate that suits the data: the name of
    /// an argument, and its value.
    #[serde(default)]
    pub worked_out: Vec<(String, String)>,
}

/// Saves a model with all that it needs to answer, and notes on how it came about.
///
/// The file is in the safetensors format, whole or not at all. Its numbers can be read without this crate.
///
/// ```
/// use tapegrad::models::linear::{LinearOptions, LinearRegression};
/// use tapegrad::models::{Fitted, Inputs, Notes, Predictor, load, save};
/// use tapegrad::Dataset;
///
/// let train = Dataset::new(vec![0.0, 1.0, 2.0], 1)?.with_targets(vec![1.0, 3.0, 5.0], 1)?;
/// let model = LinearRegression::fit_dataset(&train, &LinearOptions::default())?;
/// let model = Fitted::regressor(model, Inputs::of(&train), &train)?;
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("line.safetensors");
/// save(&model, &path, &Notes { about: vec![("data".into(), "three points".into())], ..Default::default() })?;
/// let read = load(&path)?;
/// assert_eq!(read.model.predict(&[10.0])?, model.predict(&[10.0])?);
/// assert_eq!(read.notes.about[0].1, "three points");
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`] if the file cannot be written: an old one is then still there. [`Error::Data`] if the model has a part
/// that a file cannot tell how to make again, such as a module or a loss of one's own.
pub fn save(model: &dyn Predictor, path: impl AsRef<Path>, notes: &Notes) -> Result<()> {
    let mut store = Store::default();
    let header = header(model, notes, &mut store)?;
    store.write(path, &header)
}

/// Saves a model together with the run that trains it: one file to ask, and to go on from with
/// [`Checkpoint::load`].
///
/// # Errors
/// As [`save`].
pub fn save_run(
    model: &dyn Predictor,
    path: impl AsRef<Path>,
    notes: &Notes,
    checkpoint: &Checkpoint,
) -> Result<()> {
    #[derive(Serialize)]
    struct Both<H, C> {
        #[serde(flatten)]
        header: H,
        #[serde(flatten)]
        run: C,
    }
    let mut store = Store::default();
    let header = header(model, notes, &mut store)?;
    let run = checkpoint.store(&mut store)?;
    store.write(path, &Both { header, run })
}

fn header(model: &dyn Predictor, notes: &Notes, store: &mut Store) -> Result<Header> {
    Ok(Header {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        model: model.store(store)?,
        inputs: model.inputs().store(store)?,
        task: model.task().clone(),
        notes: notes.clone(),
    })
}

/// A model that was in a file, and what the file says of it.
pub struct Saved {
    /// The model.
    pub model: Box<dyn Predictor>,
    /// Its family and settings.
    pub settings: Settings,
    /// What [`save`] was told.
    pub notes: Notes,
    /// The version of the crate that saved it.
    pub version: String,
    /// Its numbers.
    pub numbers: Stored,
}

impl Saved {
    /// All its numbers as an archive that `numpy.load` reads; names are as in the file.
    ///
    /// # Errors
    /// [`Error::Data`] if a matrix is of a type that is not written.
    pub fn npz(&self) -> Result<Vec<u8>> {
        let numbers = self.numbers.entries().map(|(name, ..)| self.numbers.bytes(name));
        let numbers = numbers.collect::<Result<Vec<_>>>()?;
        let mut arrays = Vec::new();
        for ((name, number_type, shape), bytes) in self.numbers.entries().zip(&numbers) {
            let descr = match &*number_type {
                "f32" => "<f4",
                "f64" => "<f8",
                other => return Err(Error::Data(format!("numbers of the type {other} are not written"))),
            };
            arrays.push(Written { name, descr, shape, bytes });
        }
        write_archive(arrays)
    }
}

/// Reads a model of any family.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Data`] if it is none of [`save`]'s, is not whole, was written by a
/// newer version, or does not fit together.
pub fn load(path: impl AsRef<Path>) -> Result<Saved> {
    let (numbers, text) = Stored::open_text(path.as_ref())?;
    read(&numbers, &text).map_err(|error| numbers.named(error))
}

/// What is looked at first: the rest may be of another version.
#[derive(Deserialize)]
struct Format {
    format: Option<u32>,
}

/// What [`save`] was told, without making the model again.
///
/// # Errors
/// As [`load`], but for the model itself, which is not looked at.
pub fn notes(path: impl AsRef<Path>) -> Result<Notes> {
    let (numbers, text) = Stored::open_text(path.as_ref())?;
    Ok(header_in(&numbers, &text).map_err(|error| numbers.named(error))?.notes)
}

fn header_in(numbers: &Stored, text: &str) -> Result<Header> {
    match numbers.about::<Format>(text)?.format {
        None => return Err(Error::Data("no file of a model: a checkpoint alone?".into())),
        Some(format) if format > FORMAT => {
            let ours = env!("CARGO_PKG_VERSION");
            let why = format!(
                "written in format {format} by a newer version than this one, {ours}: update the program"
            );
            return Err(Error::Data(why));
        }
        Some(_) => (),
    }
    numbers.about(text)
}

fn read(numbers: &Stored, text: &str) -> Result<Saved> {
    let Header { version, model: settings, inputs, task, notes, .. } = header_in(numbers, text)?;
    let (inputs, task) = (Inputs::restore(&inputs, numbers)?, task.checked()?);
    if let Some(schema) = &notes.schema {
        schema.check(Some(inputs.features()))?;
    }
    let restore = known("model", settings.kind(), FAMILIES.iter().copied())?;
    let model = restore(&settings, numbers, inputs, task)?;
    Ok(Saved { model, settings, notes, version, numbers: numbers.clone() })
}
