//! Where the data comes from: a folder that was named, the usual folder, or the generator.

#![allow(unsafe_code, reason = "files above half of the memory cannot be read otherwise than mapped")]

use std::io;
use std::path::Path;

use super::table::{TableArgs, is_arrays, is_table};
use super::{memory, output};
use crate::data::idx::ReadOptions;
use crate::data::table::Schema;
use crate::data::{Dataset, Features, synthetic};
use crate::{Error, Result, text};

/// Where `train` looks for MNIST by itself.
pub const USUAL_FOLDER: &str = "data/mnist";

/// Size of the synthetic set that stands in for MNIST.
pub const TRAINING_DIGITS: usize = 20_000;
pub const TEST_DIGITS: usize = 5_000;

/// What `--data` begins with where it names a synthetic set.
pub const SYNTH: &str = "synth:";

/// As many samples as a synthetic set may have; 10 million digits are 8 GB.
pub const MOST_SAMPLES: usize = 10_000_000;

/// Training and test set, and what they are.
pub struct Source {
    pub train: Dataset,
    pub test: Dataset,
    /// For people, such as `MNIST files in data/mnist`.
    pub description: String,
    /// For the trace: the same for the same data, wherever it lies.
    pub name: &'static str,
    /// Whether the features are columns of a table, each on a scale of its own.
    pub is_table: bool,
    /// How rows of a table become samples.
    pub schema: Option<Schema>,
}

/// The usual folder, if it is there. One that may not be looked into, or is a link that leads nowhere, is
/// there: to take synthetic digits in its place would be another run than was asked for.
pub fn usual_folder() -> Result<Option<&'static Path>> {
    let usual = Path::new(USUAL_FOLDER);
    match std::fs::metadata(usual) {
        Ok(_) => Ok(Some(usual)),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && std::fs::symlink_metadata(usual).is_err() =>
        {
            Ok(None)
        }
        // Such as a file of the name `data`.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(Error::io(usual)(error)),
    }
}

/// How IDX files are read: within the memory that there is, and mapped where they hold more than half of it.
pub fn read_options() -> (ReadOptions, memory::Room) {
    let room = memory::available();
    let options = ReadOptions::default().memory(room.bytes);
    // SAFETY: the program cannot rule out that somebody changes a file of the user's while it is mapped. A file
    // of this size cannot be worked on otherwise; the user is told so (`warn_if_mapped`), and a change is
    // noticed after each epoch.
    (unsafe { options.map_above(room.bytes / 2) }, room)
}

/// A share of the samples, and the rest: class by class where there are classes.
pub fn kept_apart(data: &Dataset, share: f64, seed: u64) -> Result<(Dataset, Dataset)> {
    if data.labels().is_some() { data.stratified_split(share, seed) } else { data.split(share, seed) }
}

/// Reads data as far as there is memory for it; an error about that says what there is.
pub fn within_memory<R>(read: impl FnOnce(&ReadOptions) -> Result<R>) -> Result<R> {
    let (options, room) = read_options();
    read(&options).map_err(|error| explain(error, &room))
}

/// An error about memory with what there is of it.
pub fn explain(error: Error, room: &memory::Room) -> Error {
    match error {
        Error::Memory { .. } => Error::Data(format!("{error}; {room}")),
        other => other,
    }
}

/// Tells the user what a mapped file asks of them.
pub fn warn_if_mapped(what: &str, mapped: bool) {
    if mapped {
        output::warning(format_args!(
            "{what} take more than half of the memory and are used where they lie: do not change the files \
             before the command is finished"
        ));
    }
}

impl Source {
    /// The table or the arrays at `path`, or the IDX files in that folder; without one those in `data/mnist`, and where that is
    /// not there either, synthetic digits.
    pub fn open(path: Option<&Path>, table: &TableArgs, seed: u64) -> Result<Source> {
        if let Some(path) = path.filter(|path| is_table(path)) {
            return table.open(path, seed);
        }
        if let Some(path) = path.filter(|path| is_arrays(path)) {
            return table.open_arrays(path, seed);
        }
        if let Some(folder) = path.filter(|folder| Dataset::are_columns(folder)) {
            return table.open_columns(folder, seed);
        }
        table
            .refuse(&[], "it has no meaning for such data, only for a table: --data FILE.csv or FILE.tsv")?;
        if let Some(set) = path.and_then(Path::to_str).and_then(|path| path.strip_prefix(SYNTH)) {
            return Source::synthetic(set, seed);
        }
        let folder = match path {
            Some(folder) => Some(folder),
            None => usual_folder()?,
        };
        match folder {
            Some(folder) => {
                let (train, test) = within_memory(|options| Dataset::mnist_with(folder, options))?;
                let description = format!("IDX files in {}", text::path(folder));
                Ok(Source::of(train, test, description, "idx"))
            }
            None => {
                // One draw cut in two: the test digits differ from all training digits.
                let digits = synthetic::find("digits")?;
                let all = digits.generate(TRAINING_DIGITS + TEST_DIGITS, digits.noise, seed)?;
                let rows: Vec<usize> = (TRAINING_DIGITS..all.len()).collect();
                let description = format!(
                    "synthetic digits, as no folder was named with --data and {USUAL_FOLDER} is not there"
                );
                let (train, test) = (all.take(TRAINING_DIGITS), all.subset(&rows));
                Ok(Source::of(train, test, description, "synthetic digits"))
            }
        }
    }

    /// A synthetic set by its name, perhaps with settings: `synth:spirals,noise=0.05,samples=3000,test=1000`.
    fn synthetic(text: &str, seed: u64) -> Result<Source> {
        let wrong = |why: String| Error::setting("data", format!("{SYNTH}{}: {why}", text::printable(text)));
        let mut parts = text.split(',');
        let set = synthetic::find(parts.next().unwrap_or_default())?;
        let (mut samples, mut test, mut noise) = (TRAINING_DIGITS, TEST_DIGITS, set.noise);
        let mut settings: Vec<f64> = set.settings.iter().map(|(_, value)| *value).collect();
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let no_number = || {
                wrong(format!("`{}` is not a number for {}", text::printable(value), text::printable(name)))
            };
            match name {
                "samples" => samples = value.parse().map_err(|_| no_number())?,
                "test" => test = value.parse().map_err(|_| no_number())?,
                "noise" => noise = value.parse().map_err(|_| no_number())?,
                _ => {
                    let Some(at) = set.settings.iter().position(|(setting, _)| *setting == name) else {
                        let own: String = set.settings.iter().map(|(name, _)| format!(", {name}")).collect();
                        let name = text::printable(name);
                        return Err(wrong(format!(
                            "there is no setting `{name}`; there are samples, test, noise{own}"
                        )));
                    };
                    settings[at] = value.parse().map_err(|_| no_number())?;
                }
            }
        }
        let rows = samples.checked_add(test).filter(|rows| *rows <= MOST_SAMPLES && samples > 0 && test > 0);
        let Some(rows) = rows else {
            return Err(wrong(format!(
                "{samples} samples and {test} to test on; each at least 1, at most {MOST_SAMPLES} in all"
            )));
        };
        // One draw cut in two: the test samples differ from all training samples.
        let all = set.generate_with(rows, noise, &settings, seed).map_err(|error| match error {
            Error::Setting { name, why } => wrong(format!("{name}: {why}")),
            other => other,
        })?;
        let last: Vec<usize> = (samples..rows).collect();
        let own = set.settings.iter().zip(&settings).map(|((name, _), value)| format!(", {name} {value}"));
        let description = format!("synthetic {}, noise {noise}{}", set.name, own.collect::<String>());
        let (train, test) = (all.take(samples), all.subset(&last));
        Ok(Source::of(train, test, description, set.name))
    }

    /// Images, or what is no table and like one.
    pub fn of(train: Dataset, test: Dataset, description: String, name: &'static str) -> Source {
        // Points and values are columns, as those of a table are.
        let is_table = train.image_shape().is_none();
        Source { train, test, description, name, is_table, schema: None }
    }

    /// Keeps the first `limit` training samples.
    pub fn limit(&mut self, limit: Option<usize>) -> Result<()> {
        match limit {
            Some(0) => Err(Error::setting("limit", "0 leaves no training samples")),
            Some(n) => {
                self.train = self.train.try_take(n)?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Tells on standard error what is odd about the data. To be called once all settings are known to be
    /// right: an error about one of them stands alone.
    pub fn warn(&self) {
        let mapped = |data: &Dataset| matches!(data.stored(), Features::U8(bytes) if bytes.is_mapped());
        warn_if_mapped("the images", mapped(&self.train) || mapped(&self.test));
        for difference in self.train.differences(&self.test) {
            output::warning(difference);
        }
    }

    /// An error if the files have been changed under a run that uses them where they lie.
    pub fn check_unchanged(&self) -> Result<()> {
        self.train.check_unchanged()?;
        self.test.check_unchanged()
    }

    /// One line on what there is.
    pub fn summary(&self) -> String {
        let shape = match self.train.image_shape() {
            Some((height, width)) => format!("images of {height}×{width}"),
            None => format!("samples of {} features", self.train.features()),
        };
        let told = match self.train.classes() {
            0 => "values to tell".into(),
            classes => format!("{classes} classes"),
        };
        format!(
            "data: {} ({} training and {} test {shape}, {told})",
            self.description,
            self.train.len(),
            self.test.len(),
        )
    }
}
