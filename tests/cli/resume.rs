//! Runs that are ended before their time, and go on from their file.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rand::{RngExt, SeedableRng};

use crate::program::{data, error, interrupt, iris_in_two, stderr, succeeds, tapegrad};

/// A run with all that remembers something: optimizer, dropout, statistics, average, early stopping, plateau.
const RUN: [&str; 12] = [
    "--data=train.csv",
    "--target=species",
    "--test=test.csv",
    "--hidden=16",
    "--norm=batch",
    "--dropout=0.1",
    "--validation=0.2",
    "--ema=0.9",
    "--early-stopping=patience:60",
    "--schedule=plateau",
    "--audit",
    "--epochs=60",
];

/// The whole of a run, as the others must come out: its last line, and what its model tells.
#[track_caller]
fn whole(folder: &Path, run: &[&str]) -> (String, String) {
    let last =
        succeeds(folder, &[&["train", "-q", "--trace", "whole.csv", "--save", "whole.st"], run].concat());
    (last, succeeds(folder, &["predict", "whole.st", "test.csv", "--format", "csv"]))
}

#[track_caller]
fn is_whole(folder: &Path, (last, answers): &(String, String), resumed: &str) {
    assert_eq!(resumed.lines().last(), last.lines().last());
    let trace = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(trace("part.csv"), trace("whole.csv"));
    assert_eq!(succeeds(folder, &["predict", "m.st", "test.csv", "--format", "csv"]), *answers);
}

#[test]
fn what_was_saved_on_the_way_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    iris_in_two(folder.path());
    let whole = whole(folder.path(), &RUN);
    // The same run, ended by its epochs: in the middle of them, what it had saved last is of a step within an epoch.
    let begun: Vec<&str> = RUN.iter().copied().filter(|flag| *flag != "--epochs=60").collect();
    let kept = ["--save=m.st", "--save-every=5", "--keep=2", "--epochs=23"];
    succeeds(folder.path(), &[&["train", "-q"], &kept[..], &begun].concat());
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("m"));
    names.sort();
    // 80 samples for training are 3 steps an epoch.
    assert_eq!(names, ["m-best.st", "m-step60.st", "m-step65.st", "m.st"]);
    succeeds(folder.path(), &["evaluate", "m-best.st", "--data", "test.csv"]);
    for (from, file) in [("m.st", "last.st"), ("m-step65.st", "step.st")] {
        fs::rename(folder.path().join(from), folder.path().join(file)).unwrap();
    }
    for file in ["last.st", "step.st"] {
        let args = [
            "train",
            "--resume",
            file,
            "--epochs",
            "60",
            "--trace",
            "part.csv",
            "--save",
            "m.st",
            "--threads",
            "1",
        ];
        let resumed = succeeds(folder.path(), &args);
        assert!(resumed.contains("goes on after 6"), "{resumed}");
        assert!(resumed.contains("epoch  train loss"), "{resumed}");
        is_whole(folder.path(), &whole, &resumed);
    }
    // A run that is over says what it said; a page may be asked for later.
    let again = succeeds(folder.path(), &["train", "--resume", "m.st", "--report", "page.html", "-q"]);
    assert_eq!(again.lines().last(), whole.0.lines().last());
    assert!(fs::read_to_string(folder.path().join("page.html")).unwrap().contains("</html>"));
    let inspected = succeeds(folder.path(), &["inspect", "m.st"]);
    assert!(inspected.contains("seed: 0") && inspected.contains("run.optimizer"), "{inspected}");
}

/// A run that a version of 27 November 2026 saved after 23 of 60 epochs goes on to the numbers of today's whole run. When the
/// order of sums changes, the file is to be made anew, with the flags below, --epochs=23 and --save-every=5.
#[test]
fn a_run_of_an_earlier_version_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    iris_in_two(folder.path());
    // That version kept other numbers for an audit, so its file has none.
    let asked: Vec<&str> = RUN.iter().copied().filter(|flag| *flag != "--audit").collect();
    let whole = whole(folder.path(), &asked);
    let earlier = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/files/run-2026-11-27.st");
    fs::copy(earlier, folder.path().join("m.st")).unwrap();
    let resumed = succeeds(
        folder.path(),
        &["train", "--resume=m.st", "--epochs=60", "--trace=part.csv", "--threads=1"],
    );
    assert!(resumed.contains("goes on after 69 steps"), "{resumed}");
    is_whole(folder.path(), &whole, &resumed);
}

/// Killed at random moments, as often as `TAPEGRAD_KILLS` says: the file is whole each time, or not there yet.
#[cfg(unix)]
#[test]
fn killed_at_any_moment_it_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    iris_in_two(folder.path());
    let start = std::time::Instant::now();
    let whole = whole(folder.path(), &RUN);
    // Such a run and its question; a part of the kills comes after its end.
    let most = start.elapsed().as_micros() as u64;
    let kills = std::env::var("TAPEGRAD_KILLS").map_or(12, |kills| kills.parse().unwrap());
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let file = folder.path().join("m.st");
    let mut whole_files = 0;
    for _ in 0..kills {
        let begin = [&["train", "--save=m.st", "--save-every=1"], &RUN[..]].concat();
        let go_on = vec!["train", "--resume=m.st", "--save-every=1"];
        let args = if file.exists() { go_on } else { begin };
        let mut child =
            tapegrad(folder.path(), &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(rng.random_range(most / 50..most)));
        let _ = child.kill();
        child.wait().unwrap();
        if file.exists() {
            succeeds(folder.path(), &["inspect", "m.st"]);
            whole_files += 1;
        }
    }
    if kills > 1 {
        assert!(whole_files > 0, "no run had come to a file");
    }
    let args = if file.exists() { vec!["train", "--resume=m.st"] } else { [&["train"], &RUN[..]].concat() };
    let resumed = succeeds(folder.path(), &[&args[..], &["--trace=part.csv", "--save=m.st"]].concat());
    is_whole(folder.path(), &whole, &resumed);
}

#[test]
fn what_would_change_the_run_is_named() {
    let folder = tempfile::tempdir().unwrap();
    iris_in_two(folder.path());
    let run = ["train", "-q", "--data=train.csv", "--target=species", "--epochs=3", "--schedule=cosine"];
    succeeds(folder.path(), &[&run[..], &["--save=m.st", "--save-every=4"]].concat());
    succeeds(folder.path(), &[&run[..], &["--save=alone.st"]].concat());
    let fails = |args: &[&str], why: &str| {
        let message = error(folder.path(), &[&["train", "--resume"], args].concat());
        assert!(message.contains(why), "{args:?}: {message}");
    };
    fails(
        &["m.st", "--lr", "0.5"],
        "--lr 0.5 would change the run in m.st, which has 0.003: it is the file that says it",
    );
    fails(&["m.st", "--seed", "1"], "--seed 1 would change the run in m.st, which has 0");
    fails(&["m.st", "--model", "krr"], "--model krr would change the run in m.st, which has mlp");
    fails(&["m.st", "--hidden", "5,6"], "--hidden 5,6 would change the run in m.st, which has 128");
    fails(
        &["m.st", "--data", "test.csv"],
        "m.st: the run had other training samples than these: name its own data with --data",
    );
    fails(&["m.st", "--data", "none.csv"], "that is the data of the run in m.st");
    fails(
        &["m.st", "--clip-norm", "1"],
        "--clip-norm 1 would change the run in m.st, which was begun without it",
    );
    // What was worked out: said with another value, and with the same one.
    for (flag, other, why, same) in [
        ("--batch", "33", "which has 32", "32"),
        ("--precision", "f64", "which has f32", "f32"),
        ("--standardize", "no", "which has yes", "yes"),
        ("--dropout", "0.5", "which has 0:", "0"),
        ("--task", "regression", "which has classification", "classification"),
        ("--missing", "drop", "which has error", "error"),
    ] {
        fails(&["m.st", flag, other], &format!("{flag} {other} would change the run in m.st, {why}"));
        // The flags are looked at in their order.
        fails(&["m.st", flag, same, "--width", "7"], "--width 7 would change the run in m.st, which has 64");
    }
    // One of the numbers of training samples, some 80.
    let decay = error(folder.path(), &["train", "--resume", "m.st", "--weight-decay", "0"]);
    let decay = decay.split("which has ").nth(1).and_then(|rest| rest.split(':').next()).unwrap().to_string();
    assert!(decay.starts_with("0.012"), "{decay}");
    fails(&["m.st", "--weight-decay", &decay, "--width", "7"], "--width 7 would change the run in m.st");
    // What the test samples are as well: 0.2 of the table, which is cut before anything is trained.
    fails(&["m.st", "--test", "0.25"], "--test 0.25 would change the run in m.st, which has 0.2:");
    fails(&["m.st", "--test", "test.csv"], "--test test.csv would change the run in m.st, which has 0.2:");
    fails(&["m.st", "--test", "0.20", "--width", "7"], "--width 7 would change the run in m.st");
    // Said with its default, and without a meaning all the same.
    let output = tapegrad(folder.path(), &["train", "--resume", "m.st", "--width", "64"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("--width has no meaning for --model mlp"), "{}", stderr(&output));
    // The schedule was made for three epochs.
    fails(&["m.st", "--epochs", "4"], "a run that goes on has another rate");
    fails(&["alone.st"], "alone.st: the file has no run to go on from");
    fails(&["train.csv"], "not a file of a model");
    fails(&["m.st", "--trace", "m.st"], "is the trace already");
    fails(&["m.st", "--save", "n.st", "--trace", "m.st"], "is read by this command");
    fails(&["m.st", "--save", "nowhere/m.st"], "nowhere/m.st");
    fails(&["m.st", "--epochs", "2"], "--epochs: 2 is too few: the run has come to epoch 4 already");
    // Said again, what the file says is no change.
    succeeds(
        folder.path(),
        &["train", "--resume", "m.st", "--seed", "00", "--hidden", "128", "--lr", "3e-3", "--keep", "1"],
    );
    let message = error(folder.path(), &[&run[..], &["--save-every=4"]].concat());
    assert!(message.contains("--save-every: where to?"), "{message}");
    let other = tapegrad(folder.path(), &["train", "--model", "krr", "--save", "k.st", "--save-every", "4"]);
    assert_eq!({ other }.output().unwrap().status.code(), Some(2));
    let iris = data("iris");
    let message = error(folder.path(), &["train", "--data", &iris, "--target", "species", "--save", &iris]);
    assert!(message.contains("is read by this command"), "{message}");
    fs::rename(folder.path().join("train.csv"), folder.path().join("old.csv")).unwrap();
    let text = fs::read_to_string(folder.path().join("old.csv")).unwrap();
    fs::write(folder.path().join("train.csv"), text.replace("setosa", "asetosa")).unwrap();
    fails(&["m.st"], "the run had other classes");
    let keep =
        error(folder.path(), &["train", "--data=old.csv", "--target=species", "--save=k.st", "--keep=2"]);
    assert!(keep.contains("--keep: of which saves? --save-every N"), "{keep}");
}

/// Whatever a run had without saying it may be said, for data of every kind.
#[test]
fn what_was_worked_out_may_be_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    iris_in_two(folder);
    fs::write(folder.join("text"), "to be or not to be, that is the question. ".repeat(20)).unwrap();
    succeeds(folder, &["data", "synth", "spirals", "--samples", "60", "--out", "points"]);
    succeeds(folder, &["data", "synth", "digits", "--samples", "60", "--test", "20", "--out", "d"]);
    let images = fs::read_dir(folder.join("d")).unwrap().map(|entry| entry.unwrap().path());
    let images = images.into_iter().find(|path| path.to_string_lossy().contains("t10k-images")).unwrap();
    let images = images.to_str().unwrap();
    let array = |name: &str, descr: &str, shape: &str, bytes: &[u8]| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        let header = format!("{header:<117}\n");
        let start = [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes()].concat();
        fs::write(folder.join(name), [&start[..], header.as_bytes(), bytes].concat()).unwrap();
    };
    let x: Vec<u8> = (0..120).flat_map(|i| f64::from(i * 37 % 101).to_le_bytes()).collect();
    array("X.npy", "<f8", "(60, 2)", &x);
    array("y.npy", "<i8", "(60,)", &(0..60i64).flat_map(|i| (i % 2).to_le_bytes()).collect::<Vec<u8>>());
    let table = ["--data=train.csv", "--target=species", "--early-stopping=gl", "--validation=0.2"];
    for (begins, again, changed) in [
        (
            &[&table[..], &["--hidden=8,4", "--warmup=2"]].concat()[..],
            &[
                "--test=0.20",
                "--task=classification",
                "--missing=error",
                "--schedule=constant",
                "--hidden=08,4",
                "--early-stopping=gl:5.0",
                "--standardize",
                "--optimizer=adam",
                "--dropout=0",
                "--batch=32",
            ][..],
            ("--early-stopping=gl:4", "which has gl:"),
        ),
        (
            &["--data=X.npy", "--target=y.npy"],
            &["--test=.2", "--task=classification", "--target=y.npy"],
            ("--task=regression", "which has classification:"),
        ),
        (&["--data=points"], &["--test=0.2"], ("--test=0.3", "which has 0.2:")),
        (
            &["--data", images, "--model=autoencoder"],
            &["--test=0.2", "--code=32"],
            ("--test=0.1", "which has 0.2:"),
        ),
        (
            &["--data=text", "--model=gpt", "--blocks=1", "--width=8", "--heads=2", "--context=6"],
            &["--test=0.1", "--stride=3", "--blocks=1", "--expansion=4"],
            ("--test=0.2", "which has 0.1:"),
        ),
    ] {
        succeeds(folder, &[&["train", "-q", "--epochs=1", "--save=m.st", "--save-every=1"], begins].concat());
        let resumed = ["train", "-q", "--resume=m.st"];
        succeeds(folder, &[&resumed[..], again].concat());
        let message = error(folder, &[&resumed[..], &[changed.0]].concat());
        assert!(message.contains(changed.1), "{changed:?}: {message}");
    }
    // Test images of their own leave nothing to say.
    succeeds(folder, &["train", "-q", "--data=d", "--epochs=1", "--save=m.st", "--save-every=1"]);
    let message = error(folder, &["train", "--resume=m.st", "--test=0.2"]);
    assert!(
        message.contains("--test 0.2 would change the run in m.st, which was begun without it"),
        "{message}"
    );
}

/// What is measured on is part of the run as well.
#[test]
fn another_test_set_is_named() {
    let folder = tempfile::tempdir().unwrap();
    iris_in_two(folder.path());
    let run = ["train", "-q", "--data=train.csv", "--target=species", "--test=test.csv", "--epochs=2"];
    succeeds(folder.path(), &[&run[..], &["--save=m.st", "--save-every=4"]].concat());
    let text = fs::read_to_string(folder.path().join("test.csv")).unwrap();
    let half: Vec<&str> = text.lines().take(20).collect();
    fs::write(folder.path().join("test.csv"), half.join("\n")).unwrap();
    let message = error(folder.path(), &["train", "--resume", "m.st"]);
    assert!(message.contains("m.st: the run had other test samples"), "{message}");
}

/// A file that cannot be written whole, as on a full disk, is an error, and the old one stays.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    iris_in_two(folder.path());
    let args = ["train", "-q", "--data=train.csv", "--target=species", "--epochs=3"];
    succeeds(folder.path(), &[&args[..], &["--save=m.st", "--save-every=4", "--hidden=4"]].concat());
    let old = fs::read(folder.path().join("m.st")).unwrap();
    // A file may have 40 or 80 kB: a write beyond is an error, as its signal is turned off.
    let script = format!(
        "trap '' XFSZ; ulimit -f 80; exec {} train -q --data train.csv --target species --save m.st --save-every 4 \
         --hidden 2000",
        env!("CARGO_BIN_EXE_tapegrad")
    );
    let output =
        std::process::Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).starts_with("error: m.st: File too large"), "{}", stderr(&output));
    assert_eq!(fs::read(folder.path().join("m.st")).unwrap(), old);
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")));
}

/// Ctrl-C saves before it ends, whether or not anything was saved on the way.
#[cfg(unix)]
#[test]
fn interrupted_it_saves_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    iris_in_two(folder.path());
    let run = ["--data=train.csv", "--target=species", "--test=test.csv", "--hidden=8", "--epochs=3000"];
    succeeds(folder.path(), &[&["train", "-q", "--trace=whole.csv"], &run[..]].concat());
    for flags in [&["--save=m.st", "--save-every=40"][..], &["--save=m.st"]] {
        let args = [&["train", "--trace=part.csv"], flags, &run].concat();
        let child =
            tapegrad(folder.path(), &args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // The first epochs are over once there is a trace.
        while !folder.path().join("part.csv").exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        interrupt(&child);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
        let message = stderr(&output);
        assert!(message.ends_with("saved; to go on: tapegrad train --resume m.st\n"), "{message}");
        succeeds(folder.path(), &["predict", "m.st", "test.csv"]);
        succeeds(folder.path(), &["train", "-q", "--resume=m.st", "--trace=part.csv"]);
        let trace = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(trace("part.csv"), trace("whole.csv"));
        fs::remove_file(folder.path().join("part.csv")).unwrap();
    }
}

#[test]
fn a_file_of_another_version_is_named() {
    let folder = tempfile::tempdir().unwrap();
    iris_in_two(folder.path());
    let run = [
        "train",
        "-q",
        "--data=train.csv",
        "--target=species",
        "--epochs=1",
        "--save=m.st",
        "--save-every=1",
    ];
    succeeds(folder.path(), &run);
    let bytes = fs::read(folder.path().join("m.st")).unwrap();
    for (old, new, why) in [
        (&b"\\\"checkpoint\\\":2"[..], &b"\\\"checkpoint\\\":9"[..], ["newer version", "update the program"]),
        (b"\\\"format\\\":1", b"\\\"format\\\":9", ["newer version", "update the program"]),
        (
            b"\\\"order_of_sums\\\":2",
            b"\\\"order_of_sums\\\":0",
            ["order of sums has number 0", "other bits"],
        ),
    ] {
        let at = bytes.windows(old.len()).position(|part| part == old).unwrap();
        let mut later = bytes.clone();
        later[at..at + new.len()].copy_from_slice(new);
        fs::write(folder.path().join("later.st"), later).unwrap();
        let message = error(folder.path(), &["train", "--resume", "later.st"]);
        assert!(why.iter().all(|why| message.contains(why)), "{message}");
    }
}

/// The files on the way have names that nobody said: none of them is data, a trace or a report.
#[test]
fn files_on_the_way_write_nothing_else_over() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    iris_in_two(folder);
    let text = fs::read(folder.join("train.csv")).unwrap();
    for name in ["z-best.csv", "z-step2.csv", "z-step12.csv"] {
        fs::write(folder.join(name), &text).unwrap();
    }
    let every = ["--target=species", "--epochs=2", "-q", "--validation=0.2", "--save-every=2", "--keep=1"];
    let train = |args: &[&str]| error(folder, &[&["train"], &every[..], args].concat());
    for name in ["z-best.csv", "z-step2.csv", "./z-step12.csv"] {
        let message = train(&["--save=z.csv", "--data", name]);
        assert!(
            message.contains("--save: ") && message.contains("written over by --save-every"),
            "{message}"
        );
        let message = train(&["--save=z.csv", "--data=train.csv", "--test", name]);
        assert!(message.contains("written over by --save-every"), "{message}");
        for flag in ["--trace", "--report"] {
            let message = train(&["--save=z.csv", "--data=train.csv", flag, name]);
            assert!(message.contains("is a file of --save-every already"), "{message}");
        }
        assert_eq!(fs::read(folder.join(name)).unwrap(), text);
    }
    // What only looks like one.
    let other = ["--save=z.csv", "--data=train.csv", "--trace=z-steps.csv", "--report=zz-best.csv"];
    succeeds(folder, &[&["train"], &every[..], &other].concat());
}
