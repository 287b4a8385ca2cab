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

/// A row is answered when it has come in, before the next one is written.
#[test]
fn a_stream_is_answered_row_by_row() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), &["--data", &data("iris"), "--target", "species", "--missing", "drop"]);
    let mut child = tapegrad(folder.path(), &["predict", "m.safetensors", "-", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut to, mut from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut line = || {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        line
    };
    // What stands in columns that the model does not know makes no difference.
    to.write_all(b"note,sepal_length,sepal_width,petal_length,petal_width\n7,5.1,3.5,1.4,0.2\n").unwrap();
    assert_eq!(line(), "class,setosa,versicolor,virginica\n");
    assert!(line().starts_with("setosa,"));
    to.write_all(b"x,6.8,3.0,6.0,2.3\n").unwrap();
    assert!(line().starts_with("virginica,"));
    // A row that the model leaves out is said so; the stream goes on.
    to.write_all(b",6.8,,6.0,2.3\n").unwrap();
    // A row is answered though the next one has begun.
    to.write_all(b"1,5.1,3.5,1.4,0.2\n2,6.8,3").unwrap();
    assert!(line().starts_with("setosa,"));
    // Those before a row that is wrong are answered.
    to.write_all(b".0,6.0,2.3\n6.8,3.0,6.0\n").unwrap();
    assert!(line().starts_with("virginica,"));
    drop(to);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = stderr(&output);
    assert!(message.contains("1 row of standard input left out: a cell is missing"), "{message}");
    assert!(
        message.ends_with("error: standard input: line 7: the row has 3 cells, the header has 5\n"),
        "{message}"
    );
    // Nothing but a header is no table.
    let mut child = tapegrad(folder.path(), &["predict", "m.safetensors", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"a,b\n").unwrap();
    assert!(!child.wait_with_output().unwrap().status.success());
}

/// Each row alone, or all at once: the same bits.
#[test]
fn answers_do_not_depend_on_how_rows_come_in() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(data("wine")).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).take(25).collect();
    fs::write(folder.path().join("w.csv"), rows.join("\n")).unwrap();
    for model in ["mlp", "logistic", "krr"] {
        trained(folder.path(), &["--data", &data("wine"), "--target", "cultivar", "--model", model]);
        let whole = stdout(&run(folder.path(), &["predict", "m.safetensors", "w.csv", "--format", "csv"]));
        let mut child = tapegrad(folder.path(), &["predict", "m.safetensors", "-", "--format", "csv"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut to = child.stdin.take().unwrap();
        for row in &rows {
            writeln!(to, "{row}").unwrap();
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        drop(to);
        assert_eq!(stdout(&child.wait_with_output().unwrap()), whole, "{model}");
    }
}

/// No row is left of a table: an error, and no more.
#[test]
fn a_table_of_gaps() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), &["--data", &data("iris"), "--target", "species", "--missing", "drop"]);
    fs::write(folder.path().join("g.csv"), "sepal_length,sepal_width,petal_length,petal_width\n5,,1,1\n")
        .unwrap();
    let message = error(folder.path(), &["predict", "m.safetensors", "g.csv"]);
    assert!(message.contains("a cell is missing in every row"), "{message}");
    #[cfg(unix)]
    for name in ["p.npz", "p.npy", "p.png", "p.st"] {
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(name)).status().unwrap();
        assert!(made.success());
        error(folder.path(), &["predict", "m.safetensors", name]);
        error(folder.path(), &["inspect", name]);
    }
}

/// A model of points, which came from no table, takes one with columns of their names.
#[test]
fn points_are_asked_about_by_a_table() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), &["--data", "synth:moons,samples=300,test=50"]);
    fs::write(folder.path().join("p.csv"), "y,x,note\n0.5,-1,a\n-0.4,1.9,b\n").unwrap();
    let answers = run(folder.path(), &["predict", "m.safetensors", "p.csv", "--format", "csv"]);
    assert_eq!(stdout(&answers).lines().count(), 3, "{}", stderr(&answers));
    fs::write(folder.path().join("q.csv"), "x\n1\n").unwrap();
    assert!(error(folder.path(), &["predict", "m.safetensors", "q.csv"]).contains("there is no column"));
    let message = error(folder.path(), &["evaluate", "m.safetensors", "--data", "p.csv"]);
    assert!(message.contains("was not trained on a table"), "{message}");
}

/// Images as a drawing program saves them.
#[test]
fn images_are_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), &["--data", "synth:digits,samples=3000,test=100", "--epochs", "5"]);
    let digits = tapegrad::data::synthetic::find("digits").unwrap().generate(3000, 0.2, 0).unwrap();
    fs::create_dir(folder.path().join("d")).unwrap();
    let write = |path: &Path, pixels: &[u8], width: u32| {
        let mut encoder =
            png::Encoder::new(fs::File::create(path).unwrap(), width, pixels.len() as u32 / width);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    };
    for i in 0..5 {
        write(&folder.path().join(format!("d/{i}.png")), digits.bytes(i).unwrap(), 28);
    }
    let answers = run(folder.path(), &["predict", "m.safetensors", "d", "--format", "csv"]);
    let answers = stdout(&answers);
    let told: Vec<&str> = answers.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    let truth: Vec<String> = digits.labels().unwrap()[..5].iter().map(usize::to_string).collect();
    assert_eq!(told, truth);
    let one = run(folder.path(), &["predict", "m.safetensors", "d/3.png", "--format", "csv"]);
    assert_eq!(stdout(&one).lines().nth(1), answers.lines().nth(4));
    write(&folder.path().join("small.png"), &[0; 100], 10);
    let message = error(folder.path(), &["predict", "m.safetensors", "small.png"]);
    assert!(message.contains("an image of 10×10 has 100 pixels, and the model takes 784"), "{message}");
    fs::write(folder.path().join("no.png"), "no").unwrap();
    assert!(error(folder.path(), &["predict", "m.safetensors", "no.png"]).contains("cannot be read"));
    fs::create_dir(folder.path().join("none")).unwrap();
    assert!(
        error(folder.path(), &["predict", "m.safetensors", "none"]).contains("a folder without an image")
    );
}

/// As many pixels in another shape are other images; a row of numbers has no shape.
#[test]
fn images_of_another_shape_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = run(folder, &["data", "synth", "digits", "--samples", "60", "--test", "20", "--out", "d"]);
    assert!(made.status.success(), "{}", stderr(&made));
    fs::create_dir(folder.join("wide")).unwrap();
    for entry in fs::read_dir(folder.join("d")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".gz").to_string();
        let mut array = tapegrad::data::idx::read(&path).unwrap();
        if let [n, 28, 28] = array.shape()[..] {
            array = tapegrad::data::idx::IdxArray::new(vec![n, 14, 56], array.data().clone());
        }
        tapegrad::data::idx::write(folder.join("wide").join(name), &array).unwrap();
    }
    for model in ["mlp", "lenet", "krr"] {
        let epochs: &[&str] = if model == "krr" { &[] } else { &["--epochs", "1"] };
        trained(folder, &[&["--data", "d", "--model", model], epochs].concat());
        let why = "the model takes images 28 high and 28 wide, but these are 14 high and 56 wide";
        let message = error(folder, &["evaluate", "m.safetensors", "--data", "wide"]);
        assert!(message.contains(why), "{model}: {message}");
        let images = fs::read_dir(folder.join("wide")).unwrap().map(|entry| entry.unwrap().path());
        let images = { images }.find(|path| path.to_string_lossy().contains("t10k-images")).unwrap();
        let message = error(folder, &["predict", "m.safetensors", images.to_str().unwrap()]);
        assert!(message.contains(why), "{model}: {message}");
    }
}
