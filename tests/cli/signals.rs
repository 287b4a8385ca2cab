//! What the system does to a program: requests to end, a limit on files, a full disk.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::program::{data, interrupt, run, stderr, succeeds, tapegrad};

/// A model of iris as `m.st`.
fn trained(folder: &Path) {
    let iris = data("iris");
    succeeds(folder, &["train", "-q", "--epochs=1", "--data", &iris, "--target=species", "--save=m.st"]);
}

/// What lies in the folder, by name.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Starts a command that writes a file, and waits for rows on standard input while the file is open.
#[expect(clippy::zombie_processes, reason = "the callers wait for it")]
fn waiting(folder: &Path, mut command: Command) -> Child {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let header = b"sepal_length,sepal_width,petal_length,petal_width\n";
    child.stdin.as_mut().unwrap().write_all(header).unwrap();
    let start = Instant::now();
    // The same twice: the first of them only tries the folder.
    let mut seen = Vec::new();
    loop {
        let found: Vec<String> = names(folder).into_iter().filter(|name| name.ends_with(".tmp")).collect();
        if !found.is_empty() && found == seen {
            return child;
        }
        seen = found;
        assert!(start.elapsed() < Duration::from_secs(60), "no file was opened");
        std::thread::sleep(Duration::from_millis(50));
    }
}

const PREDICT: [&str; 5] = ["predict", "m.st", "-", "--out", "p.csv"];

#[test]
fn a_request_to_end_leaves_the_old_file_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    fs::write(folder.join("p.csv"), "precious").unwrap();
    for signal in ["-INT", "-TERM"] {
        let mut child = waiting(folder, tapegrad(folder, &PREDICT));
        send(&child, signal);
        // Its input is open to the end: it is no end of the rows that ends it.
        let input = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(input);
        assert_eq!(output.status.code(), Some(130), "{signal}: {}", stderr(&output));
        assert_eq!(stderr(&output), "interrupted\n");
        assert_eq!(names(folder), ["m.st", "p.csv"]);
        assert_eq!(fs::read_to_string(folder.join("p.csv")).unwrap(), "precious");
    }
}

/// A terminal that is closed does not end what was to outlive it.
#[cfg(target_os = "linux")]
#[test]
fn what_nohup_started_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    let mut nohup = Command::new("sh");
    let script = format!("trap '' HUP; exec '{}' {}", env!("CARGO_BIN_EXE_tapegrad"), PREDICT.join(" "));
    nohup.args(["-c", &script]).current_dir(folder);
    let mut child = waiting(folder, nohup);
    send(&child, "-HUP");
    std::thread::sleep(Duration::from_millis(200));
    child.stdin.as_mut().unwrap().write_all(b"5.1,3.5,1.4,0.2\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(folder.join("p.csv")).unwrap().lines().count(), 2);
}

#[test]
fn ctrl_c_ends_a_text_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("text"), "to be or not to be, that is the question. ".repeat(20)).unwrap();
    let form = ["--context=6", "--blocks=1", "--width=16", "--heads=2"];
    let args = ["train", "-q", "--model=gpt", "--data=text", "--epochs=1", "--save=m.st"];
    succeeds(folder, &[&args[..], &form].concat());
    let endless = ["generate", "m.st", "--prompt=to", "--length=18446744073709551615"];
    let mut child = tapegrad(folder, &endless).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 10]).unwrap();
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &stderr(&output)[..]), (Some(130), "interrupted\n"));
}

/// The trace that is kept is that of another run: somebody should know.
#[test]
fn a_first_epoch_that_is_not_finished_says_that_the_trace_is_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("run.csv"), "precious").unwrap();
    // 20,000 steps an epoch.
    let args = ["train", "--batch", "1", "--hidden", "512", "--trace", "run.csv"];
    let mut child =
        tapegrad(folder.path(), &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line.starts_with("optimizer: ")));
    interrupt(&child);
    assert!(lines.map_while(Result::ok).last().unwrap().starts_with("test accuracy "));
    let output = child.wait_with_output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(130), "{message}");
    let lines: Vec<&str> = message.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("interrupted in epoch 1 after step "));
    let next = at.and_then(|at| lines.get(at + 1)).copied();
    assert_eq!(next, Some("no epoch is finished: run.csv is left as it was"), "{message}");
    assert_eq!(fs::read_to_string(folder.path().join("run.csv")).unwrap(), "precious");
}

/// By the shell, with a limit or an output of its own around the program.
fn by_shell(folder: &Path, script: &str) -> Output {
    let script = script.replace("tapegrad", &format!("'{}'", env!("CARGO_BIN_EXE_tapegrad")));
    Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).current_dir(folder).output().unwrap()
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("q")).unwrap();
    let train = format!("train -q --epochs 1 --data '{}' --target species --save q/a.st", data("iris"));
    for (args, file) in [(&train[..], "q/a.st"), ("graph --hidden 8,8,8,8,8,8,8,8 --out q/tape", "q/tape")] {
        let output = by_shell(folder, &format!("ulimit -f 1; exec tapegrad {args}"));
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{args}: {message}");
        assert!(message.ends_with(&format!("error: {file}: File too large (os error 27)\n")), "{message}");
        assert_eq!(names(&folder.join("q")), [""; 0]);
    }
    let output = by_shell(folder, "ulimit -f 1; exec tapegrad graph --hidden 8,8,8,8,8,8,8,8 >out");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "error: standard output: File too large (os error 27)\n");
}

/// What another program reads has the same bytes either way; what a person reads has none that a terminal acts on.
#[test]
fn answers_are_the_same_on_standard_output_and_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows: String =
        (0..20).map(|i| format!("{i},{}\n", if i < 10 { "\u{1b}[31mred" } else { "blue" })).collect();
    fs::write(folder.join("t.csv"), format!("size,colour\n{rows}")).unwrap();
    let args = ["train", "-q", "--model=krr", "--data=t.csv", "--target=colour", "--save=m.st"];
    succeeds(folder, &args);
    for (format, raw) in [("csv", true), ("jsonl", false), ("table", false)] {
        let predict = ["predict", "m.st", "t.csv", "--format", format];
        let shown = succeeds(folder, &predict);
        succeeds(folder, &[&predict[..], &["--out=p"]].concat());
        assert_eq!(shown, fs::read_to_string(folder.join("p")).unwrap(), "{format}");
        assert_eq!(shown.contains('\u{1b}'), raw, "{format}: {shown:?}");
    }
}

/// As of any other result.
#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for args in ["--help", "--version", "help", "train --help", "graph"] {
        let output = by_shell(folder.path(), &format!("exec tapegrad {args} >/dev/full"));
        assert_eq!(output.status.code(), Some(1), "{args}");
        assert_eq!(
            stderr(&output),
            "error: standard output: No space left on device (os error 28)\n",
            "{args}"
        );
    }
    assert!(run(folder.path(), &["--version"]).status.success());
}
