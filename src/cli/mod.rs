//! The commands, one file each.
//!
//! Results go to standard output, everything else (progress, notes on an interruption, errors) to
//! standard error. Exit codes: 0, 1 for an error, 2 for wrong usage, 130 after Ctrl-C, 141 where the
//! reader of the output has gone.

mod data;
mod evaluate;
mod experiments;
mod export;
mod generate;
mod graph;
mod inspect;
mod interrupt;
mod memory;
mod opening;
mod output;
mod predict;
mod reading;
mod source;
mod table;
mod trace;
mod train;

use std::any::TypeId;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::text;

/// Machine learning on the CPU, reproducible to the last bit.
#[derive(Parser)]
#[command(version, about, after_help = "Example:\n  tapegrad train --epochs 3")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(Box<train::TrainArgs>),
    Predict(predict::PredictArgs),
    Generate(generate::GenerateArgs),
    Evaluate(evaluate::EvaluateArgs),
    Inspect(inspect::InspectArgs),
    Export(export::ExportArgs),
    Data(data::DataArgs),
    Graph(graph::GraphArgs),
    Trace(trace::TraceArgs),
    Experiments(experiments::ExperimentsArgs),
}

/// What a command came to: its exit code, or the message that follows `error: `.
type Outcome = Result<ExitCode, Failure>;

/// Why a command ended early.
enum Failure {
    /// Something to tell the user.
    Error(crate::Error),
    /// Whoever read the output has gone, such as `head`: no one is left to be told.
    OutputClosed,
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        Failure::Error(error)
    }
}

/// Exit code of a program whose reader has gone, as shells have it.
const OUTPUT_CLOSED: u8 = 141;

/// Settings of the library, and their flags where these have another name.
const FLAGS: [(&str, &str); 3] = [("widths", "hidden"), ("lambda", "ridge"), ("frequencies", "features")];

/// The error, with a setting named by its flag.
fn message(error: &crate::Error) -> String {
    match error {
        crate::Error::Setting { name, why } => {
            let flag = FLAGS.iter().find(|(setting, _)| setting == name).map_or(*name, |(_, flag)| flag);
            format!("--{}: {why}", flag.replace('_', "-"))
        }
        other => other.to_string(),
    }
}

/// The command whose numbers may be negative, so that `--lr -1e-3` is told that this is no rate, and not that
/// there is no flag `-1`.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| if is_number(&arg) { arg.allow_hyphen_values(true) } else { arg })
        .mut_subcommands(with_negative_numbers)
}

/// Whether the values of a flag are numbers.
fn is_number(arg: &clap::Arg) -> bool {
    let numbers = [TypeId::of::<f64>(), TypeId::of::<u32>(), TypeId::of::<u64>(), TypeId::of::<usize>()];
    numbers.iter().any(|number| arg.get_value_parser().type_id() == *number)
}

/// Ends the program as wrong usage of that command.
fn misused(mut command: clap::Command, why: String) -> ! {
    command.error(clap::error::ErrorKind::ArgumentConflict, why).exit()
}

/// Prints what clap has to say: help and version, or that the usage is wrong, which ends the program. That quotes the
/// arguments: if a terminal would act on one, clap is asked again with all of them as they may be shown.
fn answer(error: &clap::Error) -> Outcome {
    if !error.use_stderr() {
        // Not by `exit`: it keeps to itself that nothing could be written.
        error.print().and_then(|()| std::io::stdout().flush()).map_err(output::failure)?;
        return Ok(ExitCode::SUCCESS);
    }
    let args: Vec<OsString> = std::env::args_os().collect();
    let shown: Vec<OsString> =
        args.iter().map(|arg| text::printable(&arg.to_string_lossy()).into_owned().into()).collect();
    if args != shown
        && let Err(error) = with_negative_numbers(Cli::command()).try_get_matches_from(shown)
    {
        error.exit();
    }
    error.exit()
}

/// Parses the command line, runs the command, and turns whatever happens into an exit code.
pub fn run() -> ExitCode {
    // A defect must not greet the user with a backtrace either.
    std::panic::set_hook(Box::new(|panic| {
        output::note(format_args!("error: internal error, please report it: {panic}"));
    }));
    interrupt::limits_are_errors();
    let outcome = std::panic::catch_unwind(|| {
        let matches = match with_negative_numbers(Cli::command()).try_get_matches() {
            Ok(matches) => matches,
            Err(error) => return answer(&error),
        };
        let cli = match Cli::from_arg_matches(&matches) {
            Ok(cli) => cli,
            Err(error) => return answer(&error),
        };
        // Before anything is done: a product could only panic.
        crate::linalg::kernel_in_use()?;
        // The others go about it in their own ways.
        if !matches!(cli.command, Command::Train(_) | Command::Data(_) | Command::Experiments(_)) {
            interrupt::end_at_once();
        }
        match cli.command {
            Command::Train(args) => {
                train::run(&args, matches.subcommand_matches("train").unwrap_or(&matches))
            }
            Command::Predict(args) => predict::run(&args),
            Command::Generate(args) => generate::run(&args),
            Command::Evaluate(args) => evaluate::run(&args),
            Command::Inspect(args) => inspect::run(&args),
            Command::Export(args) => export::run(&args),
            Command::Data(args) => data::run(&args),
            Command::Graph(args) => {
                graph::run(&args, matches.subcommand_matches("graph").unwrap_or(&matches))
            }
            Command::Trace(args) => trace::run(&args),
            Command::Experiments(args) => experiments::run(&args),
        }
    });
    match outcome {
        Ok(Ok(code)) => code,
        Ok(Err(Failure::OutputClosed)) => ExitCode::from(OUTPUT_CLOSED),
        Ok(Err(Failure::Error(error))) => {
            output::note(format_args!("error: {}", message(&error)));
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_./:=@%+,-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_with_signs_of_the_shell_is_quoted() {
        assert_eq!(quoted("/data/mnist-2"), "/data/mnist-2");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("my $d's"), r"'my $d'\''s'");
    }
}
