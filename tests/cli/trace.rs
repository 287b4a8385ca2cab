//! `tapegrad trace diff`, and what `train --deep` adds to it.

use std::fs;
use std::path::Path;

use crate::program::{error, iris_in_two, run, stderr, stdout, succeeds};

/// A short run on iris, 100 samples in steps of 20; of 3 epochs where nothing else is said.
fn train(folder: &Path, trace: &str, more: &[&str]) {
    let epochs: &[&str] =
        if more.iter().any(|flag| flag.starts_with("--epochs")) { &[] } else { &["--epochs=3"] };
    let args = [
        "train",
        "-q",
        "--data=train.csv",
        "--target=species",
        "--test=test.csv",
        "--hidden=8",
        "--batch=20",
    ];
    succeeds(folder, &[&args[..], &["--trace", trace], more, epochs].concat());
}

/// What it says of two traces that differ.
#[track_caller]
fn differ(folder: &Path, a: &str, b: &str) -> Vec<String> {
    let output = run(folder, &["trace", "diff", a, b]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    stdout(&output).lines().map(str::to_string).collect()
}

#[test]
fn runs_that_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    iris_in_two(folder);
    for (name, more) in [
        ("a.csv", &["--threads=1"][..]),
        ("b.csv", &["--threads=2", "--trace-times"]),
        ("c.jsonl", &["--trace-times"]),
        ("d.txt", &[]),
    ] {
        train(folder, name, more);
    }
    for other in ["a.csv", "b.csv", "c.jsonl", "d.txt"] {
        let said = succeeds(folder, &["trace", "diff", "a.csv", other]);
        assert!(said.starts_with(&format!("a.csv and {other} are the same: ")), "{said}");
        assert!(said.contains(" 3 epochs, ") && said.lines().count() == 1, "{said}");
    }
    train(folder, "e.csv", &["--deep", "--threads=1"]);
    train(folder, "f.jsonl", &["--deep", "--threads=2"]);
    let said = succeeds(folder, &["trace", "diff", "e.csv", "f.jsonl"]);
    assert!(said.contains("hashes of 4 parameters in 15 steps"), "{said}");
    // The figures are those of a run without.
    assert_eq!(differ(folder, "a.csv", "e.csv"), ["hashes of the steps: in e.csv only"]);
    let plain = fs::read_to_string(folder.join("e.csv")).unwrap();
    let plain: String =
        plain.lines().filter(|l| !l.starts_with("#hashes")).map(|l| format!("{l}\n")).collect();
    assert_eq!(plain, fs::read_to_string(folder.join("a.csv")).unwrap());
    // A model that takes no steps has a trace as well.
    for name in ["g.csv", "h.jsonl"] {
        let args = ["--target=species", "--test=test.csv", "--model=krr", "--trace-times", "--trace", name];
        succeeds(folder, &[&["train", "-q", "--data=train.csv"], &args[..]].concat());
    }
    assert!(succeeds(folder, &["trace", "diff", "g.csv", "h.jsonl"]).contains(" 0 epochs, "));
}

#[test]
fn another_seed_differs_from_the_first_epoch_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    iris_in_two(folder);
    train(folder, "a.csv", &["--deep"]);
    train(folder, "b.csv", &["--deep", "--seed=1"]);
    let said = differ(folder, "a.csv", "b.csv");
    assert_eq!(said[0], "setting seed: 0 in a.csv, 1 in b.csv");
    assert!(
        said[1].starts_with("first step that differs: before the first step: the value of linear1.weight, ")
    );
    let figure = "first figure that differs: epoch 1, steps 1 to 5: train_loss: ";
    assert!(said[2].starts_with(figure), "{said:?}");
    // By how much, as the columns of the files have it.
    let loss = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let row = text.lines().find(|line| line.starts_with("1,")).unwrap().to_string();
        row.split(',').nth(3).unwrap().parse::<f64>().unwrap()
    };
    let (x, y) = (loss("a.csv"), loss("b.csv"));
    let apart = format!("{x:?} in a.csv, {y:?} in b.csv: {:.3e} apart, ", (x - y).abs());
    assert!(said[2][figure.len()..].starts_with(&apart), "{said:?}");
}

/// The rate falls at another step: of the step at which it does, the gradients are still the same.
#[test]
fn another_rate_from_a_step_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    iris_in_two(folder);
    let decays = ["--optimizer=sgd", "--schedule=step", "--deep"];
    train(folder, "a.jsonl", &decays);
    train(folder, "b.txt", &[&decays[..], &["--epochs=6"]].concat());
    let said = differ(folder, "a.jsonl", "b.txt");
    let with = |start: &str| said.iter().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
    let first = "first step that differs: epoch 2, step 1: the value of linear1.weight, by its hash ";
    assert_eq!(with(first).len(), 1, "{said:?}");
    assert_eq!(with("first figure that differs: epoch 2, steps 6 to 10: lr: ").len(), 1, "{said:?}");
    assert_eq!(with("hashes: 15 lines in b.txt only, the first: epoch 4, step 1").len(), 1, "{said:?}");
    assert_eq!(with("epochs: 3 in a.jsonl, 6 in b.txt").len(), 1, "{said:?}");
    assert_eq!(with("setting epochs: 3 in a.jsonl, 6 in b.txt").len(), 1, "{said:?}");
}

/// The file of a run says nothing of its trace: what goes on may have hashes of its own.
#[test]
fn a_run_that_goes_on_has_hashes_from_there_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    iris_in_two(folder);
    train(folder, "whole.csv", &["--deep"]);
    train(folder, "part.csv", &["--deep", "--epochs=2", "--save=m.st", "--save-every=5"]);
    succeeds(folder, &["train", "--resume=m.st", "--epochs=3", "--trace=rest.csv", "--deep", "-q"]);
    assert_eq!(
        differ(folder, "whole.csv", "rest.csv"),
        ["hashes: 11 lines in whole.csv only, the first: before the first step"]
    );
}

#[test]
fn another_order_of_sums_and_none_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    iris_in_two(folder);
    train(folder, "a.csv", &[]);
    let text = fs::read_to_string(folder.join("a.csv")).unwrap();
    let head = format!("# order_of_sums = {}\n", tapegrad::linalg::ORDER);
    let rest = text.strip_prefix(&head).expect("the head of a trace says its order");
    for name in ["b.csv", "c.csv"] {
        fs::write(folder.join(name), format!("# order_of_sums = 1000\n{rest}")).unwrap();
    }
    fs::write(folder.join("d.csv"), rest).unwrap();
    for (other, order) in [("b.csv", "1000 in b.csv"), ("d.csv", "not said in d.csv")] {
        let said = differ(folder, "a.csv", other);
        assert!(
            said.len() == 1 && said[0].starts_with("order of sums: ") && said[0].contains(order),
            "{said:?}"
        );
    }
    for (a, b, note) in [("b.csv", "c.csv", "both has number 1000"), ("d.csv", "d.csv", "neither says")] {
        let output = run(folder, &["trace", "diff", a, b]);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            stderr(&output).starts_with("note: ") && stderr(&output).contains(note),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn files_that_are_no_traces() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    iris_in_two(folder);
    train(folder, "a.csv", &["--deep"]);
    let whole = fs::read(folder.join("a.csv")).unwrap();
    fs::write(folder.join("cut.csv"), &whole[..whole.len() / 2]).unwrap();
    fs::write(folder.join("precious.txt"), "precious\u{1b}[2J\n").unwrap();
    fs::write(folder.join("bytes.csv"), [0xFF, 0xFE, 0]).unwrap();
    fs::write(folder.join("a.jsonl"), &whole).unwrap();
    for (file, why) in [
        ("cut.csv", "cut.csv: line "),
        ("precious.txt", "precious.txt: line 1: no trace"),
        ("bytes.csv", "bytes.csv: "),
        ("a.jsonl", "a.jsonl: line 1: no JSON"),
        ("train.csv", "train.csv: line 1: no trace"),
        ("nowhere.csv", "nowhere.csv: "),
        (".", "found a folder"),
    ] {
        for args in [["a.csv", file], [file, "a.csv"]] {
            let said = error(folder, &[&["trace", "diff"], &args[..]].concat());
            assert!(said.contains(why), "{said}");
        }
    }
}

#[test]
fn wrong_usage() {
    for args in [
        &["trace"][..],
        &["trace", "diff"],
        &["trace", "diff", "a.csv"],
        &["trace", "diff", "a.csv", "b.csv", "c.csv"],
        &["trace", "same", "a.csv", "b.csv"],
        &["train", "--deep"],
        &["train", "--model=krr", "--deep", "--trace=a.csv"],
        &["train", "--model=logistic", "--solver=newton", "--deep", "--trace=a.csv"],
    ] {
        let output = run(Path::new("."), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{args:?}");
    }
}
