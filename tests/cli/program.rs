//! The program as a child process, for the tests of all its commands.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The program in that folder, which has no `data/mnist`.
pub fn tapegrad(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapegrad"));
    command.args(args).stdin(Stdio::null()).current_dir(folder);
    command
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

/// The command fails with exit code 1 and one line that begins with `error: `; the line.
#[track_caller]
pub fn error(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
    assert!(message.starts_with("error: ") && message.lines().count() == 1, "{args:?}: {message}");
    message
}

/// Ctrl-C.
#[cfg(unix)]
#[track_caller]
pub fn interrupt(child: &Child) {
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
}
