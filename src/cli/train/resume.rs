//! A run that goes on from its file: its arguments, and whether its data is still the same.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};

use super::TrainArgs;
use super::fitting::Stopping;
use crate::data::{Augment, Dataset};
use crate::train::Checkpoint;
use crate::{Error, Result, models, text};

/// A run that goes on.
pub struct Resumed {
    path: PathBuf,
    /// Where it stands.
    pub checkpoint: Checkpoint,
    /// What the data was.
    data: Vec<(String, String)>,
}

/// What data is, so that a run that goes on can be told that it is another: names, and texts that differ where the data
/// does.
pub fn data_of(train: &Dataset, test: &Dataset) -> Vec<(String, String)> {
    let classes: Vec<_> = (0..train.classes()).map(|class| train.class_name(class)).collect();
    let hash = |data: &Dataset| format!("{:016x}", data.fingerprint());
    let mut all = vec![("training samples".to_string(), hash(train)), ("test samples".into(), hash(test))];
    if !classes.is_empty() {
        all.push(("classes".into(), classes.join(", ")));
    }
    all
}

impl Resumed {
    /// An error if the data is another.
    pub fn check(&self, now: &[(String, String)]) -> Result<()> {
        let differs = |(then, now): (&(String, String), &(String, String))| then != now;
        let names = self.data.iter().zip(now).find(|pair| differs(*pair)).map(|(then, _)| &then.0);
        match names {
            Some(name) => Err(Error::Data(format!(
                "{}: the run had other {} than these: name its own data with --data",
                text::path(&self.path),
                text::printable(name)
            ))),
            None => Ok(()),
        }
    }

    /// An error about data that cannot be read, with what it is about.
    pub fn explain(&self, error: Error) -> Error {
        let path = text::path(&self.path);
        match error {
            Error::Io { .. } => {
                Error::Data(format!("{error}; that is the data of the run in {path}: name it with --data"))
            }
            other => other,
        }
    }
}

/// What may be said anew of a run that goes on. All else comes from its file.
const ANEW: [&str; 6] = ["data", "threads", "epochs", "save_every", "keep", "quiet"];

/// What a run writes, and the file that it goes on from: a file of a run says nothing of them.
const FILES: [&str; 6] = ["trace", "trace_times", "deep", "report", "save", "resume"];

/// What was given on the command line, as arguments by the names of their flags.
fn given(command: &clap::Command, matches: &ArgMatches) -> BTreeMap<String, String> {
    let given = command.get_arguments().filter_map(|arg| {
        let (id, long) = (arg.get_id().as_str(), arg.get_long()?);
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            return None;
        }
        let switch = matches!(arg.get_action(), ArgAction::SetTrue);
        Some((
            id.to_string(),
            if switch { format!("--{long}") } else { format!("--{long}={}", raw(matches, id)) },
        ))
    });
    given.collect()
}

/// The values of an argument, as they were given.
fn raw(matches: &ArgMatches, id: &str) -> String {
    let values = matches.get_raw(id).into_iter().flatten();
    values.map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",")
}

/// Whether two values of an argument say the same: 0.1 and 0.10 do, changes of images in another order, and a criterion
/// with the settings that it has anyway. Names have to be the same letters: a column `1` is none of the name `1.0`.
fn is_same(arg: Option<&Arg>, a: &str, b: &str) -> bool {
    fn are_equal<V: FromStr + PartialEq>(a: &str, b: &str) -> bool {
        matches!((a.parse::<V>(), b.parse::<V>()), (Ok(a), Ok(b)) if a == b)
    }
    let is_name = arg.is_some_and(|arg| arg.get_value_parser().type_id() == TypeId::of::<String>());
    let are_numbers = || {
        let (a, b): (Vec<&str>, Vec<&str>) = (a.split(',').collect(), b.split(',').collect());
        // A seed may have more digits than a number with a point.
        let same = |(a, b): (&&str, &&str)| match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a == b,
            _ => are_equal::<f64>(a, b),
        };
        a.len() == b.len() && a.iter().zip(&b).all(same)
    };
    a == b || (!is_name && (are_numbers() || are_equal::<Augment>(a, b) || are_equal::<Stopping>(a, b)))
}

fn command() -> clap::Command {
    TrainArgs::augment_args(clap::Command::new("tapegrad train"))
}

/// The arguments that make a run what it is, for its file.
pub fn arguments(matches: &ArgMatches) -> Vec<String> {
    let mut given = given(&command(), matches);
    FILES.iter().for_each(|id| drop(given.remove(*id)));
    ["threads", "quiet"].iter().for_each(|id| drop(given.remove(*id)));
    given.into_values().collect()
}

/// The run in the file at `path`: its arguments, with those of `matches` that may be said anew, and where it stands.
pub fn resumed(path: &Path, matches: &ArgMatches) -> Result<(TrainArgs, ArgMatches, Resumed)> {
    let checkpoint = Checkpoint::load(path)?;
    let notes = models::notes(path)?;
    let refuse = |why: String| Error::Data(format!("{}: {why}", text::path(path)));
    let parsed = |arguments: &mut dyn Iterator<Item = &String>| {
        let all = ["tapegrad train".to_string()].into_iter().chain(arguments.cloned());
        command().try_get_matches_from(all).map_err(|error| {
            let error = error.to_string();
            let line = error.lines().next().unwrap_or_default().trim_start_matches("error: ");
            refuse(format!("its arguments cannot be read: {}", text::printable(line)))
        })
    };
    let (command, then) = (command(), parsed(&mut notes.arguments.iter())?);
    let (mut all, now) = (given(&command, &then), given(&command, matches));
    if let Some(id) = FILES.iter().find(|id| all.contains_key(**id)) {
        return Err(refuse(format!("its arguments name a file to write: --{}", id.replace('_', "-"))));
    }
    for (id, argument) in now {
        if ANEW.contains(&&*id) || FILES.contains(&&*id) {
            all.insert(id, argument);
            continue;
        }
        // What is said anew is what the run has: nothing is to be changed.
        let worked_out =
            notes.worked_out.iter().find(|(name, _)| *name == id).map(|(_, value)| value.clone());
        let was = if all.contains_key(&id) { raw(&then, &id) } else { worked_out.unwrap_or(raw(&then, &id)) };
        let now = raw(matches, &id);
        let arg = command.get_arguments().find(|arg| arg.get_id() == id.as_str());
        if is_same(arg, &was, &now) {
            continue;
        }
        let (flag, now) = (id.replace('_', "-"), text::printable(&now));
        let was = match &*was {
            "" => "was begun without it".into(),
            was => format!("has {}", text::printable(was)),
        };
        return Err(Error::Data(format!(
            "--{flag} {now} would change the run in {}, which {was}: it is the file that says it",
            text::path(path)
        )));
    }
    let matches = parsed(&mut all.values())?;
    let mut args = TrainArgs::from_arg_matches(&matches).map_err(|error| refuse(error.to_string()))?;
    args.save.get_or_insert_with(|| path.to_path_buf());
    args.resume = Some(path.to_path_buf());
    Ok((args, matches, Resumed { path: path.to_path_buf(), checkpoint, data: notes.data }))
}
