//! A transformer that continues texts, byte by byte.

use std::path::Path;

use super::super::source::Source;
use super::super::{Failure, memory, output};
use super::mlp::{Classes, by_steps};
use super::{Done, Job, TrainArgs, Uses, YesNo, direct};
use crate::data::Text;
use crate::text::count;
use crate::{Error, Result, text};

/// The share of a text that is kept apart for the test where nothing else is said: its end.
const SHARE: f64 = 0.1;

/// What a byte of a window takes with its label.
const WINDOW_BYTES: u64 = 9;

/// The flags.
pub fn uses() -> Uses {
    Uses {
        measures_when_interrupted: true,
        open,
        ..direct(&[
            "TransformerArgs",
            "TextArgs",
            "DropoutArgs",
            "StepArgs",
            "FitArgs",
            "KeepArgs",
            "PenaltyArgs",
        ])
    }
}

/// The text of a file, if there is memory for it.
pub fn read(path: &Path) -> Result<Text> {
    let (room, len) = (memory::available(), std::fs::metadata(path).map_or(0, |meta| meta.len()));
    // The text itself, and its windows side by side.
    if len.saturating_mul(1 + WINDOW_BYTES) > room.bytes {
        let why = format!("{}: a text of {}, and {room}", text::path(path), output::bytes(len));
        return Err(Error::Data(why));
    }
    Text::read(path)
}

/// The windows of the text, and those of its end or of another text for the test.
fn open(args: &TrainArgs) -> Result<Source> {
    let Some(path) = &args.data else {
        return Err(Error::setting("data", "which text? gpt reads the bytes of any file: --data FILE"));
    };
    let why =
        "it has no meaning for a text; it is read byte by byte, and kept apart is its end or --test FILE";
    args.table.refuse(&["test"], why)?;
    let (all, (context, stride)) = (read(path)?, args.shape.windows());
    let mut worked_out = vec![("stride", stride.to_string())];
    let (train, test, from) = match args.table.test_file() {
        Some(file) => (all, read(file)?, format!("tested on {}", text::path(file))),
        None => {
            let share = args.table.test_share().unwrap_or(SHARE);
            worked_out.push(("test", share.to_string()));
            let (train, test) = all.split(share)?;
            let from = format!("its last {} kept apart for the test", text::count(test.len(), "byte"));
            (train, test, from)
        }
    };
    let part = |what: &str, error: Error| match error {
        Error::Data(why) => Error::Data(format!("{what}: {why}")),
        other => other,
    };
    let (room, windows) = (memory::available(), (train.len() / stride.max(1)) as u64);
    let needed = windows.saturating_mul(context as u64).saturating_mul(WINDOW_BYTES);
    if needed > room.bytes {
        let needed = output::bytes(needed);
        let why = format!(
            "{} of {} would take about {needed}, and {room}: take a larger one",
            count(windows, "window"),
            count(context, "byte")
        );
        return Err(Error::setting("stride", why));
    }
    let description =
        format!("text {} of {} to learn from, {from}", text::path(path), text::count(train.len(), "byte"));
    let train = train.windows(context, stride).map_err(|error| part("training part", error))?;
    let test = test.windows(context, context).map_err(|error| part("test part", error))?;
    let source = Source::of(train, test, description, "text");
    Ok(Source { stride: Some(stride), is_table: false, worked_out, ..source })
}

/// Trains it.
pub fn fit(job: &Job<'_>) -> Result<Option<Done>, Failure> {
    let args = job.args;
    let given = [
        ("standardize", args.standardize == Some(YesNo::Yes)),
        ("pca", args.pca.is_some()),
        ("project", args.project.is_some()),
    ];
    if let Some((name, _)) = given.iter().find(|(_, given)| *given) {
        return Err(Error::setting(name, "it has no meaning for a text").into());
    }
    let form = args.shape.gpt();
    form.numbers()?;
    by_steps(job, &form, None, Classes::Softmax)
}
