//! The autoencoder from the command line: trained on images, saved, asked for images and codes, gone on with, drawn.

use std::fs;
use std::path::Path;

use crate::program::{data, error, goes_on_to_the_same_end, succeeds};

/// Synthetic digits in a folder of their own; the images of the test.
fn digits(folder: &Path) -> String {
    succeeds(folder, &["data", "synth", "digits", "--samples", "400", "--test", "100", "--out", "d"]);
    let files = fs::read_dir(folder.join("d")).unwrap().map(|entry| entry.unwrap().path());
    let images = files.into_iter().find(|path| path.to_string_lossy().contains("t10k-images")).unwrap();
    images.to_str().unwrap().to_string()
}

#[test]
fn images_are_told_through_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let images = digits(folder.path());
    let args = ["train", "-q", "--data", "d", "--model", "autoencoder", "--hidden", "64", "--code", "12"];
    let more = ["--epochs", "30", "--batch", "20", "--save", "a.st", "--trace", "t.csv"];
    let last = succeeds(folder.path(), &[&args[..], &more].concat());
    let rmse: f64 = last.strip_prefix("test RMSE ").unwrap().split(',').next().unwrap().parse().unwrap();
    assert!(last.contains("R2 is not defined: a target does not vary (100 samples)"), "{last}");
    assert_eq!(succeeds(folder.path(), &["evaluate", "a.st", "--data", "d", "-q"]), last);
    let inspected = succeeds(folder.path(), &["inspect", "a.st"]);
    assert!(inspected.contains("model: autoencoder 784-64-12-64-784 relu\n"), "{inspected}");
    assert!(inspected.contains("tells: what it takes\n") && inspected.contains("code.weight"), "{inspected}");
    let trace = fs::read_to_string(folder.path().join("t.csv")).unwrap();
    assert!(trace.contains("model = autoencoder 784-64-12-64-784 relu"), "{trace}");

    let rows = |flags: &[&str]| -> Vec<Vec<f64>> {
        let text =
            succeeds(folder.path(), &[&["predict", "a.st", &images, "--format", "csv"], flags].concat());
        text.lines().skip(1).map(|line| line.split(',').map(|x| x.parse().unwrap()).collect()).collect()
    };
    let told = rows(&[]);
    assert!(told.len() == 100 && told.iter().all(|row| row.len() == 784));
    assert!(told.iter().flatten().all(|x| (0.0..=1.0).contains(x)));
    let codes = rows(&["--part", "code"]);
    assert!(codes.len() == 100 && codes.iter().all(|row| row.len() == 12));
    assert!(codes[0] != codes[1]);
    let header =
        succeeds(folder.path(), &["predict", "a.st", &images, "--part", "code", "--format", "jsonl"]);
    assert!(header.starts_with("{\"code_0\":"), "{header}");
    // Better than an image of one grey would be.
    let mean = told.iter().flatten().sum::<f64>() / (100.0 * 784.0);
    let spread =
        (told.iter().flatten().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (100.0 * 784.0)).sqrt();
    assert!(rmse < 0.75 * spread, "RMSE {rmse} beside a spread of {spread}");
}

/// What was interrupted goes on to the same bits, whatever the number of threads.
#[test]
fn a_run_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    digits(folder.path());
    let args =
        ["train", "-q", "--data", "d", "--limit", "200", "--model", "autoencoder", "--validation", "0.2"];
    let args =
        [&args[..], &["--hidden", "16,8", "--code", "3", "--norm", "batch", "--dropout", "0.1"]].concat();
    goes_on_to_the_same_end(folder.path(), &args, "2");
}

#[test]
fn drawn_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(folder.path(), &["graph", "--model", "autoencoder", "--inputs", "64", "--code", "5"]);
    for part in ["code.weight", "128×5", "sigmoid v", "128×64", "mse v"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let refused = |args: &[&str]| error(folder.path(), args);
    assert!(
        refused(&["graph", "--model", "autoencoder", "--outputs", "3"]).contains("--outputs has no meaning")
    );
    assert!(
        refused(&["graph", "--model", "autoencoder", "--code", "0"]).contains("--code: a layer of width 0")
    );
    let iris = ["train", "--data", &data("iris"), "--target", "species", "--model", "autoencoder"];
    assert!(refused(&iris).contains("autoencoder takes images, and the samples are rows of 4 features"));
    let images = digits(folder.path());
    let train =
        |flags: &[&str]| refused(&[&["train", "--data", "d", "--model", "autoencoder"], flags].concat());
    assert!(train(&["--code", "0"]).contains("--code: a layer of width 0 lets nothing through"));
    assert!(train(&["--hidden", "8,0"]).contains("--hidden: a layer of width 0 lets nothing through"));
    assert!(train(&["--report", "r.html"]).contains("--report: it has no meaning for reconstructions"));
    assert!(train(&["--label-smoothing", "0.1"]).contains("values have no labels to smooth"));
    assert!(train(&["--class-weight", "balanced"]).contains("it weighs the classes of a softmax"));
    succeeds(
        folder.path(),
        &["train", "-q", "--data", "d", "--epochs", "1", "--save", "m.st", "--hidden", "4"],
    );
    let part = refused(&["predict", "m.st", &images, "--part", "code"]);
    assert!(part.contains("has no part `code`; there are linear1, relu1, linear2"), "{part}");
    // Whatever network it is.
    let hidden = succeeds(folder.path(), &["predict", "m.st", &images, "--part", "relu1", "--format", "csv"]);
    assert!(hidden.starts_with("relu1_0,relu1_1,relu1_2,relu1_3\n"), "{hidden}");
    succeeds(
        folder.path(),
        &["train", "-q", "--data", "d", "--model", "rff", "--features", "8", "--save", "k.st"],
    );
    let kernel = refused(&["predict", "k.st", &images, "--part", "code"]);
    assert!(kernel.contains("is no network, and has no part `code`"), "{kernel}");
}
