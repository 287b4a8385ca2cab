//! The program as a child process, for the tests of all its commands.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The program in that folder, which has no `data/mnist`.
pub fn tapegrad(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapegrad"));
    command.args(args).stdin(Stdio::null()).current_dir(folder);
    command
}

/// The path of a table that comes with the crate.
pub fn data(name: &str) -> String {
    format!("{}/data/{name}.csv", env!("CARGO_MANIFEST_DIR"))
}

/// Writes every third row of iris as `test.csv` into that folder and the others as `train.csv`; the species of the
/// first.
pub fn iris_in_two(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(data("iris")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let rows = |test: bool| {
        let rows = lines[1..].iter().enumerate().filter(move |(i, _)| (i % 3 == 2) == test);
        rows.map(|(_, row)| *row).collect::<Vec<_>>()
    };
    for (name, test) in [("train.csv", false), ("test.csv", true)] {
        std::fs::write(folder.join(name), [&[lines[0]], &rows(test)[..]].concat().join("\n")).unwrap();
    }
    rows(true).iter().map(|row| row.rsplit(',').next().unwrap().to_string()).collect()
}

/// Runs it to its end.
pub fn run(folder: &Path, args: &[&str]) -> Output {
    tapegrad(folder, args).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What it prints when it ends well.
#[track_caller]
pub fn succeeds(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

/// A training of two epochs by `args`, and one that is ended after the first and goes on, with other numbers of threads: what
/// both print last, and their traces, which are to be the same. The interrupted run is saved to `m.st` every so many steps.
#[track_caller]
pub fn goes_on_to_the_same_end(folder: &Path, args: &[&str], save_every: &str) -> String {
    let run = |more: &[&str]| succeeds(folder, &[args, more].concat());
    let whole = run(&["--epochs", "2", "--threads", "1", "--trace", "whole.csv"]);
    run(&["--epochs", "1", "--threads", "2", "--save", "m.st", "--save-every", save_every]);
    let last = succeeds(folder, &RESUMED);
    assert_eq!(last.lines().last(), whole.lines().last(), "{args:?}");
    let trace = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(trace("part.csv"), trace("whole.csv"), "{args:?}");
    trace("whole.csv")
}

/// How the run of [`goes_on_to_the_same_end`] goes on.
pub const RESUMED: [&str; 10] =
    ["train", "-q", "--resume", "m.st", "--epochs", "2", "--threads", "3", "--trace", "part.csv"];

/// The command fails with exit code 1 and one line that begins with `error: `; the line.
#[track_caller]
pub fn error(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
    assert!(message.starts_with("error: ") && message.lines().count() == 1, "{args:?}: {message}");
    message
}

/// The command is wrong usage; what it says.
#[track_caller]
pub fn misused(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    message
}

/// Ctrl-C.
#[cfg(unix)]
#[track_caller]
pub fn interrupt(child: &Child) {
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
}
