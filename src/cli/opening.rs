//! Which data a command works on: the file or folder that was named, the usual folder, or what is generated.

use std::io;
use std::path::Path;

use super::output;
use super::reading::{is_arrays, is_table, within_memory};
use super::source::Source;
use super::table::TableArgs;
use crate::data::npy::{Archive, is_archive};
use crate::data::{Dataset, synthetic};
use crate::text::count;
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

/// The table or the arrays at `path`, or the IDX files in that folder; without one those in `data/mnist`, and where that is
/// not there either, synthetic digits.
pub fn open(path: Option<&Path>, table: &TableArgs, seed: u64) -> Result<Source> {
    if let Some(path) = path.filter(|path| is_table(path)) {
        return table.open(path, seed);
    }
    if let Some(path) = path.filter(|path| is_arrays(path)) {
        let source = table.open_arrays(path, seed)?;
        tell_unused_arrays(path)?;
        return Ok(source);
    }
    if let Some(folder) = path.filter(|folder| Dataset::are_columns(folder)) {
        return table.open_columns(folder, seed);
    }
    table.refuse(&[], "it has no meaning for such data, only for a table: --data FILE.csv or FILE.tsv")?;
    if let Some(set) = path.and_then(Path::to_str).and_then(|path| path.strip_prefix(SYNTH)) {
        return synthetic_set(set, seed);
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
            let digits = synthetic::find("digits")?;
            let all = digits.generate(TRAINING_DIGITS + TEST_DIGITS, digits.noise, seed)?;
            let description = format!(
                "synthetic digits, as no folder was named with --data and {USUAL_FOLDER} is not there"
            );
            let (train, test) = cut(&all, TRAINING_DIGITS);
            Ok(Source::of(train, test, description, "synthetic digits"))
        }
    }
}

/// Tells which arrays of an archive are neither samples nor what is told of them.
fn tell_unused_arrays(path: &Path) -> Result<()> {
    if !is_archive(path) {
        return Ok(());
    }
    // It has been read already: only to look at its names a second time is no reason to fail.
    let Ok(archive) = within_memory(|options| Archive::open(path, options)) else { return Ok(()) };
    let unused: Vec<_> = archive.unused()?.into_iter().map(text::printable).collect();
    let (what, are) = if unused.len() == 1 { ("array", "is") } else { ("arrays", "are") };
    if !unused.is_empty() {
        let (names, path) = (output::names(&unused), text::path(path));
        output::note(format_args!("note: {path}: the {what} {names} {are} not used"));
    }
    Ok(())
}

/// One draw cut in two: the test samples differ from all training samples.
fn cut(all: &Dataset, training: usize) -> (Dataset, Dataset) {
    let rest: Vec<usize> = (training..all.len()).collect();
    (all.take(training), all.subset(&rest))
}

/// A synthetic set by its name, perhaps with settings: `synth:spirals,noise=0.05,samples=3000,test=1000`.
fn synthetic_set(text: &str, seed: u64) -> Result<Source> {
    let wrong = |why: String| Error::setting("data", format!("{SYNTH}{}: {why}", text::printable(text)));
    let mut parts = text.split(',');
    let set = synthetic::find(parts.next().unwrap_or_default())?;
    let (mut samples, mut test, mut noise) = (TRAINING_DIGITS, TEST_DIGITS, set.noise);
    let mut settings: Vec<f64> = set.settings.iter().map(|(_, value)| *value).collect();
    let mut said: Vec<&str> = Vec::new();
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if said.contains(&name) {
            return Err(wrong(format!("{} is said twice", text::printable(name))));
        }
        said.push(name);
        let no_number =
            || wrong(format!("`{}` is not a number for {}", text::printable(value), text::printable(name)));
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
            "{} and {test} to test on; each at least 1, at most {MOST_SAMPLES} in all",
            count(samples, "sample")
        )));
    };
    let all = set.generate_with(rows, noise, &settings, seed).map_err(|error| match error {
        Error::Setting { name, why } => wrong(format!("{name}: {why}")),
        other => other,
    })?;
    let own = set.settings.iter().zip(&settings).map(|((name, _), value)| format!(", {name} {value}"));
    let description = format!("synthetic {}, noise {noise}{}", set.name, own.collect::<String>());
    let (train, test) = cut(&all, samples);
    Ok(Source::of(train, test, description, set.name))
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
