//! `train --save`, and what is done with the file: `predict`, `evaluate`, `inspect`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::program::{data, error, iris_in_two, run, stderr, stdout, tapegrad};

/// Trains with those flags and saves as `m.safetensors`; the last line.
#[track_caller]
fn trained(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, &[&["train", "-q", "--save", "m.safetensors"], args].concat());
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output).trim_end().to_string()
}

const FAMILIES: [&str; 7] = ["mlp", "logistic", "krr", "nystrom", "rff", "falkon", "cg"];

/// A table of its own for the test: what the file says of it is what the training said.
#[test]
fn every_family_measures_and_answers_as_in_training() {
    let folder = tempfile::tempdir().unwrap();
    let truth = iris_in_two(folder.path());
    for model in FAMILIES {
        let features: &[&str] = if model == "rff" { &["--features", "200"] } else { &[] };
        let args = ["--data", "train.csv", "--target", "species", "--test", "test.csv", "--model", model];
        let last = trained(folder.path(), &[&args[..], features].concat());
        let measured = run(folder.path(), &["evaluate", "m.safetensors", "--data", "test.csv"]);
        assert!(measured.status.success(), "{model}: {}", stderr(&measured));
        assert_eq!(stdout(&measured).lines().last(), Some(&last[..]), "{model}");
        let answers = run(folder.path(), &["predict", "m.safetensors", "test.csv", "--format", "csv"]);
        assert!(answers.status.success(), "{model}: {}", stderr(&answers));
        let answers = stdout(&answers);
        let told: Vec<&str> = answers.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
        assert_eq!(told.len(), truth.len());
        let right = told.iter().zip(&truth).filter(|(a, b)| a == b).count();
        assert_eq!(last, format!("test accuracy {:.4} (50 samples)", right as f64 / 50.0), "{model}");
        let inspected = run(folder.path(), &["inspect", "m.safetensors"]);
        let inspected = stdout(&inspected);
        for part in [
            "tells: 3 classes: setosa, versicolor, virginica",
            "4 features, standardised",
            "seed: 0",
            "classes of the column species",
        ] {
            assert!(inspected.contains(part), "{model}: {inspected}");
        }
    }
}

#[test]
fn answers_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), &["--data", &data("iris"), "--target", "species", "--model", "logistic"]);
    let header = fs::read_to_string(data("iris")).unwrap();
    let header = header.lines().find(|line| !line.starts_with('#')).unwrap().to_string();
    let names: Vec<&str> = header.split(',').take(4).collect();
    let table = format!("{}\n5.1,3.5,1.4,0.2\n6.8,3.0,6.0,2.3\n", names.join(","));
    fs::write(folder.path().join("new.csv"), &table).unwrap();
    let ask = |args: &[&str]| {
        let output = run(folder.path(), &[&["predict", "m.safetensors", "new.csv"], args].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let csv = ask(&["--format", "csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "class,setosa,versicolor,virginica");
    assert!(lines[1].starts_with("setosa,0.9") && lines[2].starts_with("virginica,"), "{csv}");
    let sum: f64 = lines[1].split(',').skip(1).map(|p| p.parse::<f64>().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-12);
    let jsonl = ask(&["--format", "jsonl"]);
    assert!(jsonl.starts_with(r#"{"class":"setosa","probabilities":{"setosa":0.9"#), "{jsonl}");
    assert!(ask(&[]).starts_with("0: setosa ("));
    // To a file, whose ending says the form; and from a stream.
    assert_eq!(ask(&["--out", "answers.csv"]), "");
    assert_eq!(fs::read_to_string(folder.path().join("answers.csv")).unwrap(), csv);
    let mut child = tapegrad(folder.path(), &["predict", "m.safetensors", "-", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(table.as_bytes()).unwrap();
    assert_eq!(stdout(&child.wait_with_output().unwrap()), csv);

    // What is wrong is said in a line.
    fs::write(folder.path().join("short.csv"), "sepal_length\n1\n").unwrap();
    assert!(error(folder.path(), &["predict", "m.safetensors", "short.csv"]).contains("column"));
    assert!(error(folder.path(), &["predict", "m.safetensors", "none.csv"]).contains("none.csv"));
    assert!(error(folder.path(), &["predict", "new.csv", "new.csv"]).contains("not a file of a model"));
    assert!(
        error(folder.path(), &["evaluate", "m.safetensors", "--data", "new.csv"])
            .contains("no column species")
    );
    assert!(error(folder.path(), &["inspect", "new.csv"]).contains("not a file of a model"));
    let same = ["train", "--save", "x", "--trace", "x"];
    assert!(error(folder.path(), &same).contains("is the trace already"));
    let nowhere = ["train", "--save", "nowhere/x"];
    assert!(error(folder.path(), &nowhere).contains("nowhere/x"));
}

#[test]
fn values_and_images() {
    let folder = tempfile::tempdir().unwrap();
    for model in ["mlp", "linear", "krr"] {
        let last = trained(
            folder.path(),
            &["--data", &data("diabetes"), "--target", "progression", "--model", model],
        );
        assert!(last.starts_with("test R2 0."), "{last}");
        let answers = run(folder.path(), &["predict", "m.safetensors", &data("diabetes"), "--format", "csv"]);
        let answers = stdout(&answers);
        assert_eq!((answers.lines().next(), answers.lines().count()), (Some("prediction"), 443));
        assert!(answers.lines().skip(1).all(|x| x.parse::<f64>().unwrap().is_finite()));
        let jsonl = run(folder.path(), &["predict", "m.safetensors", &data("diabetes"), "--format", "jsonl"]);
        assert!(stdout(&jsonl).starts_with("{\"prediction\":"));
    }
    let made =
        run(folder.path(), &["data", "synth", "digits", "--samples", "300", "--test", "50", "--out", "d"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let last = trained(folder.path(), &["--data", "d", "--epochs", "2"]);
    let measured = run(folder.path(), &["evaluate", "m.safetensors", "--data", "d", "-q"]);
    assert_eq!(stdout(&measured).trim_end(), last);
    let mut images = fs::read_dir(folder.path().join("d")).unwrap().map(|entry| entry.unwrap().path());
    let images = images.find(|path| path.to_string_lossy().contains("t10k-images")).unwrap();
    let answers =
        run(folder.path(), &["predict", "m.safetensors", images.to_str().unwrap(), "--format", "csv"]);
    assert_eq!(stdout(&answers).lines().count(), 51, "{}", stderr(&answers));
    assert!(
        error(folder.path(), &["predict", "m.safetensors", &data("iris")]).contains("not trained on a table")
    );
}

#[test]
fn numbers_for_numpy() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), &["--data", "synth:moons,samples=200,test=50", "--epochs", "1", "--hidden", "5"]);
    let exported = run(folder.path(), &["export", "m.safetensors", "--npz", "m.npz"]);
    assert_eq!(stdout(&exported), "6 arrays\n", "{}", stderr(&exported));
    let archive = fs::read(folder.path().join("m.npz")).unwrap();
    assert!(archive.starts_with(b"PK\x03\x04"));
    assert!(error(folder.path(), &["export", "m.npz", "--npz", "x.npz"]).contains("not a file of a model"));
    assert!(!folder.path().join("x.npz").exists());
    let over = ["export", "m.safetensors", "--npz", "m.safetensors"];
    assert!(error(folder.path(), &over).contains("is read by this command"));
}
