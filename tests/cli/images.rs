//! Networks of images from the command line: trained, saved, asked, gone on with, drawn.

use std::fs;
use std::path::Path;

use crate::program::{data, error, goes_on_to_the_same_end, misused, run, stderr, stdout, succeeds};

/// Synthetic digits in a folder of their own.
fn digits(folder: &Path) {
    succeeds(folder, &["data", "synth", "digits", "--samples", "400", "--test", "100", "--out", "d"]);
}

#[test]
fn every_network_of_images_answers_as_in_training() {
    let folder = tempfile::tempdir().unwrap();
    digits(folder.path());
    let images = fs::read_dir(folder.path().join("d")).unwrap().map(|entry| entry.unwrap().path());
    let images = images.into_iter().find(|path| path.to_string_lossy().contains("t10k-images")).unwrap();
    for (model, name, weight) in [
        ("lenet", "lenet 1×28×28-10", "conv1.weight"),
        ("cnn", "cnn 1×28×28-10", "conv1.weight"),
        ("vit", "vit 1×28×28-10, patches of 4×4, 2 blocks of width 64", "block2.attention.query.weight"),
    ] {
        let args = [
            "train", "-q", "--data", "d", "--model", model, "--epochs", "4", "--batch", "10", "--save",
            "m.st",
        ];
        let last =
            succeeds(folder.path(), &[&args[..], &["--trace", "t.csv", "--report", "r.html"]].concat());
        let accuracy: f64 = last.split_whitespace().nth(2).unwrap().parse().unwrap();
        assert!(accuracy > 0.5, "{model}: {last}");
        assert_eq!(stdout(&run(folder.path(), &["evaluate", "m.st", "--data", "d", "-q"])), last, "{model}");
        let answers = run(folder.path(), &["predict", "m.st", images.to_str().unwrap(), "--format", "csv"]);
        assert_eq!(stdout(&answers).lines().count(), 101, "{}", stderr(&answers));
        assert!(succeeds(folder.path(), &["inspect", "m.st"]).contains(name));
        let trace = fs::read_to_string(folder.path().join("t.csv")).unwrap();
        assert!(trace.contains(&format!("model = {name}")), "{trace}");
        assert!(fs::read_to_string(folder.path().join("r.html")).unwrap().contains(&format!(">{weight}<")));
    }
}

/// What was interrupted goes on to the same bits, whatever the number of threads; its images are changed as before.
#[test]
fn a_run_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    digits(folder.path());
    let vit: &[&str] =
        &["--patch", "7", "--blocks", "1", "--width", "12", "--heads", "3", "--dropout", "0.1"];
    for (model, changes, form) in
        [("lenet", "none", &[][..]), ("cnn", "shift=2,rotate=10,elastic=34", &[]), ("vit", "none", vit)]
    {
        let args = ["train", "-q", "--data", "d", "--limit", "200", "--model", model, "--batch", "64"];
        let args = [&args[..], &["--augment", changes], form].concat();
        let trace = goes_on_to_the_same_end(folder.path(), &args, "2");
        let said = trace.lines().find(|line| line.starts_with("# augment = "));
        let expected = (changes != "none").then(|| format!("# augment = {changes}"));
        assert_eq!(said, expected.as_deref(), "{model}");
    }
}

/// What is said of the images again is compared by what it means, and saying that nothing changes is no change.
#[test]
fn a_run_goes_on_with_its_changes_said_anew() {
    let folder = tempfile::tempdir().unwrap();
    digits(folder.path());
    let train = |more: &[&str]| {
        let args = ["train", "-q", "--data", "d", "--limit", "100", "--hidden", "4", "--batch", "50"];
        succeeds(folder.path(), &[&args, more].concat())
    };
    let first = ["--epochs", "1", "--save", "m.st", "--save-every", "1"];
    for (changes, again, other) in [
        (&[][..], "none", "shift=1"),
        (&["--augment", "none"], "shift=0", "elastic=8"),
        (&["--augment", "shift=2,rotate=10"], "rotate=10.0,shift=2", "none"),
    ] {
        let whole = train(&[changes, &["--epochs", "2", "--trace", "whole.csv"]].concat());
        train(&[changes, &first].concat());
        let resume = ["train", "-q", "--resume", "m.st", "--epochs", "2", "--trace", "part.csv", "--augment"];
        let refused = error(folder.path(), &[&resume[..], &[other]].concat());
        let was = changes.last().unwrap_or(&"none");
        let why = format!(
            "--augment {other} would change the run in m.st, which has {was}: it is the file that says it"
        );
        assert!(refused.contains(&why), "{refused}");
        let last = succeeds(folder.path(), &[&resume[..], &[again]].concat());
        assert_eq!(last, whole, "{changes:?}");
        let trace = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(trace("part.csv"), trace("whole.csv"), "{changes:?}");
    }
    // Where there are no images, none are changed.
    let iris = ["train", "-q", "--data", &data("iris"), "--target", "species", "--epochs", "1"];
    let plain = succeeds(folder.path(), &iris);
    assert_eq!(succeeds(folder.path(), &[&iris[..], &["--augment", "none"]].concat()), plain);
}

#[test]
fn drawn() {
    let folder = tempfile::tempdir().unwrap();
    let lenet = succeeds(folder.path(), &["graph", "--model", "lenet", "--batch", "4"]);
    for part in ["conv2d v10 v0 v1 5×5", "max_pool v11 2×2", "conv2.weight", "4×4704", "4×10"] {
        assert!(lenet.contains(part), "{part}: {lenet}");
    }
    let cnn = succeeds(folder.path(), &["graph", "--model", "cnn", "--inputs", "100", "--dropout", "0.25"]);
    assert!(cnn.contains("v1 3×3") && cnn.contains(" 0.125") && cnn.contains(" 0.25\n"), "{cnn}");
    let vit = succeeds(folder.path(), &["graph", "--model", "vit", "--batch", "2", "--patch", "7"]);
    for part in ["positions.table", "16×64", "attention v", "block2.down.weight", "global_avg_pool", "2×10"]
    {
        assert!(vit.contains(part), "{part}: {vit}");
    }
    let error = |args: &[&str]| error(folder.path(), &[&["graph"], args].concat());
    assert!(
        error(&["--model", "vit", "--patch", "5"])
            .contains("--patch: squares of 5×5 do not divide an image of 28×28")
    );
    for (model, flag, value) in
        [("cnn", "--patch", "7"), ("lenet", "--hidden", "3"), ("lenet", "--dropout", "0.1")]
    {
        let message = misused(folder.path(), &["graph", "--model", model, flag, value]);
        assert!(message.contains(&format!("{flag} has no meaning for --model {model}")), "{message}");
    }
    assert!(error(&["--model", "cnn", "--inputs", "99"]).contains("99 pixels are no image"));
    assert!(
        error(&["--model", "lenet", "--inputs", "64"])
            .contains("--inputs: a window of 5×5 is larger than an image of 4×4")
    );
}

#[test]
fn what_is_no_image_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let iris = ["train", "--data", &data("iris"), "--target", "species", "--model", "lenet"];
    assert!(
        error(folder.path(), &iris).contains("lenet takes images, and the samples are rows of 4 features")
    );
    digits(folder.path());
    let prepared = ["train", "--data", "d", "--model", "cnn", "--pca", "16"];
    assert!(
        error(folder.path(), &prepared)
            .contains("cnn takes images, and 16 numbers in place of the pixels cannot be one")
    );
    let dropout = run(folder.path(), &["train", "--data", "d", "--model", "lenet", "--dropout", "0.1"]);
    assert!(stderr(&dropout).contains("--dropout has no meaning for --model lenet"), "{}", stderr(&dropout));
    let vit =
        |flags: &[&str]| error(folder.path(), &[&["train", "--data", "d", "--model", "vit"], flags].concat());
    assert!(vit(&["--patch", "8"]).contains("--patch: squares of 8×8 do not divide an image of 28×28"));
    assert!(vit(&["--heads", "5"]).contains("--heads: 5 heads do not divide a width of 64"));
    assert!(vit(&["--blocks", "0"]).contains("--blocks: 0 is not at least 1"));
    assert!(vit(&["--blocks", "1000000000"]).contains("take about"));
    let changed = |args: &[&str]| error(folder.path(), &[&["train"], args].concat());
    assert!(
        changed(&["--data", &data("iris"), "--target", "species", "--augment", "shift=1"])
            .contains("--augment: it changes images, and the samples are rows of 4 features")
    );
    assert!(
        changed(&["--data", "d", "--augment", "shift=30"])
            .contains("--augment: shift: 30 is not below the 28 pixels of the image's shorter side")
    );
    let unknown = run(folder.path(), &["train", "--data", "d", "--augment", "turn=3"]);
    assert!(stderr(&unknown).contains("there is no `turn`; there are shift, rotate"), "{}", stderr(&unknown));
    let kernel = run(folder.path(), &["train", "--data", "d", "--model", "krr", "--augment", "shift=1"]);
    assert!(stderr(&kernel).contains("--augment has no meaning for --model krr"), "{}", stderr(&kernel));
    let share = ["train", "--data", "d", "--model", "cnn", "--dropout", "1"];
    assert!(error(folder.path(), &share).contains("--dropout: 1 is not in the range 0 ≤ p < 1"));
}
