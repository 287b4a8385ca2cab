//! Data that is no table: NumPy's files, IDX files of other shapes than MNIST's, synthetic sets with settings.

use std::fs;
use std::path::Path;

use tapegrad::data::npy::{Written, write_archive};
use tapegrad::data::synthetic;

use crate::program::{error, run, stderr, succeeds};

/// Two moons as `X` and `y`, the classes 3 and 7.
fn moons(folder: &Path) {
    let data = synthetic::moons(300, 0.1, 1).unwrap();
    let x: Vec<u8> = data.to_rows::<f64>().iter().flat_map(|x| x.to_le_bytes()).collect();
    let class = |label: &usize| if *label == 0 { 3i64 } else { 7 };
    let y: Vec<u8> = data.labels().unwrap().iter().flat_map(|label| class(label).to_le_bytes()).collect();
    let x = Written { name: "X", descr: "<f8", shape: &[300, 2], bytes: &x };
    let y = Written { name: "y", descr: "<i8", shape: &[300], bytes: &y };
    fs::write(folder.join("moons.npz"), write_archive([x, y]).unwrap()).unwrap();
    // A file of one array is what an archive has of it.
    for array in [x, y] {
        let archive = write_archive([array]).unwrap();
        let start = archive.windows(6).position(|bytes| bytes == b"\x93NUMPY").unwrap();
        let length = 10 + usize::from(u16::from_le_bytes([archive[start + 8], archive[start + 9]]));
        fs::write(
            folder.join(format!("{}.npy", array.name)),
            &archive[start..][..length + array.bytes.len()],
        )
        .unwrap();
    }
}

#[test]
fn arrays_are_trained_on_measured_and_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    moons(folder.path());
    let train = |args: &[&str]| {
        succeeds(
            folder.path(),
            &[&["train", "--epochs", "30", "--save", "m.st", "--task=classification"], args].concat(),
        )
    };
    let archive = train(&["--data", "moons.npz"]);
    assert!(archive.contains("arrays of moons.npz, 0.2 of them kept apart"), "{archive}");
    assert!(archive.contains("240 training and 60 test samples of 2 features, 2 classes"), "{archive}");
    let files = train(&["--data", "X.npy", "--target", "y.npy"]);
    assert_eq!(archive.lines().last(), files.lines().last());
    let accuracy: f64 = archive.lines().last().unwrap().split(' ').nth(2).unwrap().parse().unwrap();
    assert!(accuracy > 0.9, "{archive}");
    let answers = succeeds(folder.path(), &["predict", "m.st", "X.npy", "--format", "csv"]);
    assert!(answers.starts_with("class,3,7\n") && answers.lines().count() == 301, "{answers}");
    assert_eq!(answers, succeeds(folder.path(), &["predict", "m.st", "moons.npz", "--format", "csv"]));
    let measured = succeeds(folder.path(), &["evaluate", "m.st", "--data", "moons.npz", "-q"]);
    let of_all: f64 = measured.split(' ').nth(2).unwrap().parse().unwrap();
    assert!(of_all > 0.85 && measured.ends_with("(300 samples)\n"), "{measured}");
    let info = succeeds(folder.path(), &["data", "info", "moons.npz"]);
    assert!(info.contains("archive of 2 arrays") && info.contains("<f8 (NumPy)\nshape:    300×2"), "{info}");
    assert!(info.contains("range:    3 to 7"), "{info}");
    // Values are told where that is asked for.
    let values =
        succeeds(folder.path(), &["train", "-q", "--data", "moons.npz", "--task=regression", "--model=krr"]);
    assert!(values.starts_with("test R2 0."), "{values}");
    for (args, why) in [
        (&["--data", "X.npy"][..], "--target y.npy"),
        (&["--data", "moons.npz", "--drop", "x"], "the arrays of an archive have names"),
        (&["--data", "moons.npz", "--test", "1.5"], "is not a share"),
        (&["--data", "X.npz"], "No such file"),
        (&["--data", "X.npy", "--target", "X.npy", "--test", "y.npy"], "is not a share, and only a table"),
    ] {
        let output = run(folder.path(), &[&["train"], args].concat());
        assert!(stderr(&output).contains(why) && !output.status.success(), "{args:?}: {}", stderr(&output));
    }
    assert!(error(folder.path(), &["predict", "m.st", "y.npy"]).contains("two dimensions or more"));
    // No file that is read is written over.
    succeeds(folder.path(), &["data", "synth", "moons", "--samples=50", "--out=moons"]);
    let over = ["train", "--data", "moons", "--save", "moons/labels.idx"];
    assert!(error(folder.path(), &over).contains("is read by this command"));
    for save in ["y.npy", "X.npy"] {
        let args = ["train", "--data", "X.npy", "--target", "y.npy", "--task=classification", "--save", save];
        assert!(error(folder.path(), &args).contains("is read by this command"));
    }
    assert!(
        error(folder.path(), &["evaluate", "m.st", "--data", "X.npy"]).contains("put them into an archive")
    );
}

/// Numbers are what they are, whatever their type: only images of bytes are shares of 255.
#[test]
fn the_type_of_an_array_changes_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let bits: Vec<u8> = (0..600).map(|i| u8::from(i * 7919 % 13 < 6)).collect();
    let y: Vec<u8> = bits.chunks(3).flat_map(|x| i64::from(x[0] ^ x[1]).to_le_bytes()).collect();
    let wide: Vec<u8> = bits.iter().flat_map(|x| i64::from(*x).to_le_bytes()).collect();
    for (name, descr, bytes) in [("i8", "<i8", &wide), ("u1", "|u1", &bits), ("b1", "|b1", &bits)] {
        let x = Written { name: "X", descr, shape: &[200, 3], bytes };
        let y = Written { name: "y", descr: "<i8", shape: &[200], bytes: &y };
        fs::write(folder.path().join(format!("{name}.npz")), write_archive([x, y]).unwrap()).unwrap();
    }
    succeeds(folder.path(), &["train", "--data=i8.npz", "--save=m.st", "--epochs=50", "--lr=0.01"]);
    let measured = |name: &str| succeeds(folder.path(), &["evaluate", "m.st", "--data", name]);
    assert!(measured("i8.npz").contains("test accuracy 1.0000"));
    assert_eq!(measured("i8.npz"), measured("u1.npz"));
    assert_eq!(measured("i8.npz"), measured("b1.npz"));
    let info = succeeds(folder.path(), &["data", "info", "synth:moons,samples=200,test=50"]);
    assert!(
        info.contains("200 training and 50 test") && info.contains("classes: 2 different: 0 50.0 %"),
        "{info}"
    );
}

/// Which arrays are meant is not guessed, and those that are not used are named.
#[test]
fn arrays_that_are_doubled_ambiguous_or_of_no_use() {
    let folder = tempfile::tempdir().unwrap();
    let x: Vec<u8> = (0..80).flat_map(|i| f64::from(i * 13 % 7).to_le_bytes()).collect();
    let y: Vec<u8> = (0..40).flat_map(|i| i64::from(i % 2).to_le_bytes()).collect();
    let write = |file: &str, names: &[&str]| {
        let is_told = |name: &str| ["y", "label", "target"].iter().any(|part| name.contains(part));
        let arrays: Vec<Written> = names
            .iter()
            .map(|name| match is_told(name) {
                true => Written { name, descr: "<i8", shape: &[40], bytes: &y },
                false => Written { name, descr: "<f8", shape: &[40, 2], bytes: &x },
            })
            .collect();
        let archive = write_archive(arrays).unwrap();
        fs::write(folder.path().join(file), archive).unwrap();
    };
    write("ok.npz", &["X", "y"]);
    write("more.npz", &["X", "y", "z", "x_train", "\n"]);
    write("one.npz", &["z", "X", "y"]);
    let train = ["train", "-q", "--epochs=1", "--hidden=4", "--save=m.st", "--data"];
    for (file, said) in [
        ("ok.npz", ""),
        ("one.npz", "note: one.npz: the array z is not used\n"),
        ("more.npz", "note: more.npz: the arrays z, x_train, \\n are not used\n"),
    ] {
        let output = run(folder.path(), &[&train[..], &[file]].concat());
        assert!(output.status.success(), "{file}: {}", stderr(&output));
        assert_eq!(stderr(&output), said, "{file}");
    }
    // Asked about are those that it would be trained on.
    succeeds(folder.path(), &["predict", "m.st", "more.npz"]);
    write("twice.npz", &["X", "y", "X"]);
    write("both.npz", &["X", "y", "x_train", "y_train", "x_test", "y_test"]);
    write("told.npz", &["features", "labels", "targets"]);
    write("samples.npz", &["X", "data"]);
    let both = "both.npz: it has x_train, y_train, x_test, y_test as well as X, y: which are meant?";
    let twice = "twice.npz: two arrays are called X: which is meant?";
    for (file, why) in [
        ("twice.npz", twice),
        ("both.npz", both),
        ("told.npz", "told.npz: it has features, labels as well as features, targets: which are meant?"),
        ("samples.npz", "expected the arrays X and y, or x_train, y_train, x_test and y_test, found X, data"),
    ] {
        let message = error(folder.path(), &[&train[..], &[file]].concat());
        assert!(message.contains(why), "{file}: {message}");
    }
    for (file, why) in [
        ("twice.npz", twice),
        ("both.npz", both),
        ("samples.npz", "samples.npz: it has X as well as data: which are the samples?"),
    ] {
        let message = error(folder.path(), &["predict", "m.st", file]);
        assert!(message.contains(why), "{file}: {message}");
    }
    assert!(error(folder.path(), &["evaluate", "m.st", "--data", "both.npz"]).contains(both));
    assert!(error(folder.path(), &["data", "info", "twice.npz"]).contains(twice));
}

/// One class, one value, no sample: there is nothing to learn.
#[test]
fn nothing_to_tell_apart() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: usize, y: &[i64]| {
        let (x, y): (Vec<u8>, Vec<u8>) =
            (vec![1; 16 * rows], y.iter().flat_map(|x| x.to_le_bytes()).collect());
        let x = Written { name: "X", descr: "<f8", shape: &[rows, 2], bytes: &x };
        let y = Written { name: "y", descr: "<i8", shape: &[rows], bytes: &y };
        fs::write(folder.path().join(name), write_archive([x, y]).unwrap()).unwrap();
    };
    write("one.npz", 9, &[3; 9]);
    write("none.npz", 0, &[]);
    write("single.npz", 5, &[0, 0, 1, 1, 2]);
    for (name, why) in [
        ("one.npz", "3 is told of all samples: there is nothing to tell apart"),
        ("none.npz", "there are no samples"),
    ] {
        let message = error(folder.path(), &["train", "--data", name]);
        assert!(message.contains(why), "{name}: {message}");
    }
    let message = error(folder.path(), &["train", "--data", "single.npz", "--task=classification"]);
    assert!(message.contains("class 2 has one sample only"), "{message}");
}

/// Whatever `data synth` writes, `train` reads.
#[test]
fn every_synthetic_set_goes_through_files() {
    let folder = tempfile::tempdir().unwrap();
    for set in synthetic::SYNTHETIC {
        let is_of_images = set.generate(1, set.noise, 1).unwrap().image_shape().is_some();
        let test: &[&str] = if is_of_images { &["--test", "40"] } else { &[] };
        let args = [&["data", "synth", set.name, "--samples", "200", "--out", set.name], test].concat();
        let made = succeeds(folder.path(), &args);
        assert!(made.contains(set.name));
        let args = ["train", "--data", set.name, "--epochs", "2", "--save", "m.st"];
        let trained = succeeds(folder.path(), &args);
        let last = trained.lines().last().unwrap().to_string();
        let measures = if set.name == "sine" || set.name == "linear" { "test R2 " } else { "test accuracy " };
        assert!(last.starts_with(measures) && last.ends_with("(40 samples)"), "{}: {trained}", set.name);
        let measured = succeeds(folder.path(), &["evaluate", "m.st", "--data", set.name, "-q"]);
        assert!(measured.starts_with(measures), "{measured}");
    }
    fs::remove_file(folder.path().join("moons/labels.idx")).unwrap();
    assert!(
        error(folder.path(), &["train", "--data", "moons"]).contains("neither labels.idx nor targets.idx")
    );
    assert!(
        error(folder.path(), &["train", "--data", "sine", "--target", "y"])
            .contains("it has no meaning for such data")
    );
}

#[test]
fn images_of_any_number_of_classes() {
    let folder = tempfile::tempdir().unwrap();
    let digits = synthetic::find("digits").unwrap().generate(400, 1.0, 1).unwrap();
    let of_three: Vec<usize> = (0..400).filter(|row| digits.labels().unwrap()[*row] < 3).collect();
    let data = digits.subset(&of_three);
    let (test, train) = data.stratified_split(0.3, 1).unwrap();
    tapegrad::data::write_mnist(&train, &test, folder.path().join("three")).unwrap();
    let trained = succeeds(folder.path(), &["train", "--data", "three", "--epochs", "3"]);
    assert!(trained.contains("3 classes") && trained.contains("784-128-3"), "{trained}");
}

#[test]
fn settings_of_synthetic_sets() {
    let folder = tempfile::tempdir().unwrap();
    let trained = succeeds(
        folder.path(),
        &["train", "--data", "synth:spirals,turns=0.56,noise=0.05,samples=300,test=50"],
    );
    assert!(trained.contains("synthetic spirals, noise 0.05, arms 3, turns 0.56"), "{trained}");
    let two = succeeds(
        folder.path(),
        &["train", "--data", "synth:spirals,arms=2,samples=100,test=50", "--epochs=1"],
    );
    assert!(two.contains("2 classes"), "{two}");
    for (data, why) in [
        ("synth:spirals,turn=1", "there is no setting `turn`; there are samples, test, noise, arms, turns"),
        ("synth:moons,turns=1", "there is no setting `turns`; there are samples, test, noise"),
        ("synth:spirals,turns=x", "`x` is not a number for turns"),
        ("synth:spirals,turns=-1", "--data: synth:spirals,turns=-1: turns: -1 is not in the range"),
        ("synth:spirals,arms=2.5", "arms: 2.5 is not a whole number"),
        (
            "synth:moons,samples=5,test=9,samples=6",
            "--data: synth:moons,samples=5,test=9,samples=6: samples is said twice",
        ),
        ("synth:spirals,arms=2,arms=2", "arms is said twice"),
    ] {
        let message = error(folder.path(), &["train", "--data", data]);
        assert!(message.contains(why), "{data}: {message}");
    }
}
