//! `tapegrad trace`: two traces beside one another.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Outcome, output};
use crate::text;
use crate::train::WrittenTrace;

/// Compare the records of two runs
#[derive(Args)]
#[command(after_help = "Example:\n  tapegrad trace diff a.csv b.csv")]
pub struct TraceArgs {
    #[command(subcommand)]
    command: TraceCommand,
}

#[derive(Subcommand)]
enum TraceCommand {
    Diff(DiffArgs),
}

/// Name the first epoch, step and figure in which two traces differ, and by how much
///
/// Every digit counts; wall-clock times do not. If both were written with `train --deep`, the first step and
/// parameter that differ are named as well, a gradient before a value. Exit code: 0 if they are the same, 1 if not.
#[derive(Args)]
#[command(after_help = "\
Example:
  tapegrad train --threads 1 --trace a.csv --deep
  tapegrad train --threads 2 --trace b.csv --deep
  tapegrad trace diff a.csv b.csv")]
struct DiffArgs {
    /// A file of `train --trace`
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Another; it may be of another format
    #[arg(value_name = "B")]
    b: PathBuf,
}

/// Runs the command.
pub fn run(args: &TraceArgs) -> Outcome {
    match &args.command {
        TraceCommand::Diff(args) => diff(args),
    }
}

fn diff(args: &DiffArgs) -> Outcome {
    let (a, b) = (WrittenTrace::read(&args.a)?, WrittenTrace::read(&args.b)?);
    let names = [text::path(&args.a), text::path(&args.b)];
    let found = a.diff(&b, [&names[0], &names[1]]);
    for note in &found.notes {
        output::note(format_args!("note: {note}"));
    }
    for difference in &found.differences {
        output::line(difference)?;
    }
    if !found.differences.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let hashes = a.hashes.as_ref().map_or(String::new(), |hashes| {
        let (steps, parameters) =
            (hashes.steps.iter().filter(|s| s.step > 0).count(), hashes.parameters.len());
        format!(", hashes of {} in {}", text::count(parameters, "parameter"), text::count(steps, "step"))
    });
    output::line(format_args!(
        "{} and {} are the same: {}, {}{hashes}, {}",
        names[0],
        names[1],
        text::count(a.settings.len(), "setting"),
        text::count(a.epochs.len(), "epoch"),
        text::count(a.results.len(), "result")
    ))?;
    Ok(ExitCode::SUCCESS)
}
