//! The autoencoder from the command line: trained on images, saved, asked for images and codes, gone on with, drawn.

use std::fs;
use std::path::Path;

use tapegrad::Dataset;
use tapegrad::data::idx::ReadOptions;
use tapegrad::report::Image;

use crate::program::{data, error, goes_on_to_the_same_end, misused, succeeds};

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
    for (model, form, name) in [
        ("autoencoder", ["--hidden", "64"], "autoencoder 784-64-12-64-784 relu"),
        ("conv-autoencoder", ["--filters", "8"], "conv-autoencoder 1×28×28, filters 8, code 12"),
    ] {
        let args = ["train", "-q", "--data", "d", "--model", model, "--code", "12", "--lr", "1e-2"];
        let more =
            ["--epochs", "12", "--batch", "10", "--save", "a.st", "--trace", "t.csv", "--report", "r.html"];
        let last = succeeds(folder.path(), &[&args[..], &form, &more].concat());
        let rmse: f64 = last.strip_prefix("test RMSE ").unwrap().split(' ').next().unwrap().parse().unwrap();
        assert_eq!(last, format!("test RMSE {rmse:.4} (100 samples)\n"));
        let measured = succeeds(folder.path(), &["evaluate", "a.st", "--data", "d"]);
        assert!(measured.contains(", RMSE 0.") && !measured.contains("R²"), "{measured}");
        assert_eq!(succeeds(folder.path(), &["evaluate", "a.st", "--data", "d", "-q"]), last);
        let inspected = succeeds(folder.path(), &["inspect", "a.st"]);
        assert!(inspected.contains(&format!("model: {name}\n")), "{inspected}");
        assert!(inspected.contains("tells: what it takes\n"), "{inspected}");
        assert!(inspected.contains("code.weight"), "{inspected}");
        let trace = fs::read_to_string(folder.path().join("t.csv")).unwrap();
        assert!(trace.contains(&format!("model = {name}")), "{trace}");
        let report = fs::read_to_string(folder.path().join("r.html")).unwrap();
        for part in
            [name, ": test mean squared error 0.0", "Worst reconstructions", "Gradient flow", "By class"]
        {
            assert!(report.contains(part), "{model}: {part}");
        }
        assert!(!report.contains("Confusion matrix") && !report.contains("Predicted and true values"));

        let rows = |flags: &[&str]| -> Vec<Vec<f64>> {
            let args = [&["predict", "a.st", &images, "--format", "csv"], flags].concat();
            let text = succeeds(folder.path(), &args);
            let row = |line: &str| line.split(',').map(|x| x.parse().unwrap()).collect();
            text.lines().skip(1).map(row).collect()
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
        assert!(rmse < 0.75 * spread, "{model}: RMSE {rmse} beside a spread of {spread}");
    }
}

/// Samples that nothing is told of, in every kind of file.
#[test]
fn images_without_labels_are_measured_on() {
    let folder = tempfile::tempdir().unwrap();
    let images = digits(folder.path());
    let args = ["train", "-q", "--data", "d", "--model", "conv-autoencoder", "--filters", "2", "--code", "2"];
    let last = succeeds(folder.path(), &[&args[..], &["--epochs", "1", "--save", "a.st"]].concat());
    let measured = |data: &str| succeeds(folder.path(), &["evaluate", "a.st", "--data", data, "-q"]);
    assert_eq!(measured(&images), last);
    assert_eq!(measured("d"), last);
    fs::create_dir(folder.path().join("only")).unwrap();
    fs::copy(&images, folder.path().join("only/images.idx.gz")).unwrap();
    assert_eq!(measured("only/images.idx.gz"), last);

    // The same as arrays of one byte a pixel, alone.
    let data = Dataset::from_idx_samples(&images, &ReadOptions::default()).unwrap();
    let pixels: Vec<u8> = (0..data.len()).flat_map(|i| data.bytes(i).unwrap().to_vec()).collect();
    let array = |descr: &str, shape: &str, bytes: &[u8]| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        let len = (header.len() + 1).div_ceil(64) * 64 + 54;
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((len as u16).to_le_bytes());
        file.extend(format!("{header:<width$}\n", width = len - 1).bytes());
        [file, bytes.to_vec()].concat()
    };
    fs::write(folder.path().join("x.npy"), array("|u1", "(100, 28, 28)", &pixels)).unwrap();
    assert_eq!(measured("x.npy"), last);
    assert!(error(folder.path(), &["evaluate", "a.st", "--data", "none.npy"]).contains("none.npy"));
    let few = array("|u1", "(2, 3, 3)", &[0; 18]);
    fs::write(folder.path().join("few.npy"), few).unwrap();
    let refused = error(folder.path(), &["evaluate", "a.st", "--data", "few.npy"]);
    assert!(refused.contains("784") && refused.contains('9'), "{refused}");
    // And as a picture each.
    fs::create_dir(folder.path().join("pictures")).unwrap();
    for (i, pixels) in pixels.chunks(784).enumerate() {
        let grey = |x: usize, y: usize| [pixels[y * 28 + x], pixels[y * 28 + x], pixels[y * 28 + x], 255];
        let file = folder.path().join(format!("pictures/{i:03}.png"));
        fs::write(file, Image::from_fn(28, 28, grey).png()).unwrap();
    }
    assert_eq!(measured("pictures"), last);
    assert!(measured("pictures/000.png").ends_with("(1 sample)\n"));
    // For what tells classes it stays as it was.
    let args = ["train", "-q", "--data", "d", "--hidden", "4", "--epochs", "1", "--save", "m.st"];
    succeeds(folder.path(), &args);
    let refused = error(folder.path(), &["evaluate", "m.st", "--data", "x.npy"]);
    assert!(refused.contains("samples alone"), "{refused}");
}

/// Samples that nothing is told of, in every kind of file: trained on, reported, gone on with, asked.
#[test]
fn images_without_labels_are_learnt() {
    let folder = tempfile::tempdir().unwrap();
    let images = digits(folder.path());
    let data = Dataset::from_idx_samples(&images, &ReadOptions::default()).unwrap();
    fs::create_dir(folder.path().join("pictures")).unwrap();
    for i in 0..data.len() {
        let pixels = data.bytes(i).unwrap();
        let grey = |x: usize, y: usize| [pixels[y * 28 + x], pixels[y * 28 + x], pixels[y * 28 + x], 255];
        let file = folder.path().join(format!("pictures/{i:03}.png"));
        fs::write(file, Image::from_fn(28, 28, grey).png()).unwrap();
    }
    // The folder of four files without the two of labels.
    fs::create_dir(folder.path().join("only")).unwrap();
    for entry in fs::read_dir(folder.path().join("d")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("images") {
            fs::copy(&path, folder.path().join("only").join(path.file_name().unwrap())).unwrap();
        }
    }
    for (model, form) in [("autoencoder", "--hidden=4"), ("conv-autoencoder", "--filters=2")] {
        let train = |data: &str, more: &[&str]| {
            let args = ["train", "-q", "--model", model, form, "--code", "2", "--data", data];
            let epochs = if more.contains(&"--epochs") { &[][..] } else { &["--epochs", "1"] };
            succeeds(folder.path(), &[&args, epochs, more].concat())
        };
        let labelled = train("d", &["--save", "l.st"]);
        let alone = train("only", &["--save", "a.st", "--save-every", "1", "--report", "r.html"]);
        assert_eq!(alone, labelled);
        let report = fs::read_to_string(folder.path().join("r.html")).unwrap();
        assert!(report.contains("Worst reconstructions") && !report.contains("By class"), "{report}");
        assert_eq!(succeeds(folder.path(), &["evaluate", "a.st", "--data", "only", "-q"]), alone);
        let codes = ["predict", "a.st", &images, "--part", "code", "--format", "csv"];
        assert_eq!(succeeds(folder.path(), &codes).lines().count(), 101);
        succeeds(folder.path(), &["export", "a.st", "--npz", "a.npz"]);
        // The same 100 images, of which 20 are kept apart.
        let cut = train(&images, &[]);
        assert!(cut.ends_with("(20 samples)\n"), "{cut}");
        assert_eq!(train("pictures", &[]), cut);
        assert!(train(&images, &["--test", "0.5"]).ends_with("(50 samples)\n"));
        let resumed = ["train", "-q", "--resume", "a.st", "--epochs", "2", "--trace", "part.csv"];
        let whole = train("only", &["--epochs", "2", "--trace", "whole.csv"]);
        assert_eq!(succeeds(folder.path(), &resumed), whole);
        let trace = |name: &str| fs::read(folder.path().join(name)).unwrap();
        assert_eq!(trace("part.csv"), trace("whole.csv"));
    }
    let refused =
        |args: &[&str]| error(folder.path(), &[&["train", "--model", "autoencoder"], args].concat());
    assert!(
        refused(&["--data", &images, "--target", "x"])
            .contains("--target: it has no meaning for images alone")
    );
    assert!(refused(&["--data", "only", "--test", "0.5"]).contains("which has test images of its own"));
    // What tells classes still needs them.
    assert!(error(folder.path(), &["train", "--data", "only"]).contains("train-labels"));
}

/// What was interrupted goes on to the same bits, whatever the number of threads.
#[test]
fn a_run_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    digits(folder.path());
    let args = ["train", "-q", "--data", "d", "--limit", "200", "--validation", "0.2", "--code", "3"];
    for (model, form) in [
        ("autoencoder", &["--hidden", "16,8", "--norm", "batch", "--dropout", "0.1"][..]),
        (
            "conv-autoencoder",
            &["--filters", "3,2", "--norm", "batch", "--activation", "tanh", "--dropout", "0.1"],
        ),
    ] {
        let args = [&args[..], &["--model", model], form].concat();
        goes_on_to_the_same_end(folder.path(), &args, "2");
    }
}

/// 8×8 pixels, and sides that 2 does not divide.
#[test]
fn images_of_other_sizes_are_told_by_filters() {
    let folder = tempfile::tempdir().unwrap();
    for (height, width) in [(8, 8), (7, 5), (1, 9)] {
        for (name, images) in [("train", 40u32), ("t10k", 10)] {
            let list = [0x803, images, height, width].map(u32::to_be_bytes).concat();
            let pixels = (0..images * height * width).map(|i| (i * i % 251) as u8);
            fs::write(
                folder.path().join(format!("{name}-images-idx3-ubyte")),
                [list, pixels.collect()].concat(),
            )
            .unwrap();
            let list = [0x801, images].map(u32::to_be_bytes).concat();
            let labels = (0..images).map(|i| (i % 10) as u8);
            fs::write(
                folder.path().join(format!("{name}-labels-idx1-ubyte")),
                [list, labels.collect()].concat(),
            )
            .unwrap();
        }
        let args = ["train", "--data", ".", "--model", "conv-autoencoder", "--epochs", "1", "--save", "a.st"];
        let text = succeeds(folder.path(), &args);
        assert!(text.contains(&format!("conv-autoencoder 1×{height}×{width}, filters 16-32")), "{text}");
        let images = folder.path().join("t10k-images-idx3-ubyte");
        let told = succeeds(folder.path(), &["predict", "a.st", images.to_str().unwrap(), "--format", "csv"]);
        assert_eq!(told.lines().count(), 11);
        assert_eq!(told.lines().last().unwrap().split(',').count() as u32, height * width);
    }
}

#[test]
fn drawn_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(folder.path(), &["graph", "--model", "autoencoder", "--inputs", "64", "--code", "5"]);
    for part in ["code.weight", "128×5", "sigmoid v", "128×64", "mse v"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let refused = |args: &[&str]| error(folder.path(), args);
    let outputs = misused(folder.path(), &["graph", "--model", "autoencoder", "--outputs", "3"]);
    assert!(outputs.contains("--outputs has no meaning"), "{outputs}");
    assert!(
        refused(&["graph", "--model", "autoencoder", "--code", "0"]).contains("--code: a layer of width 0")
    );
    fn conv<'a>(flags: &[&'a str]) -> Vec<&'a str> {
        [&["graph", "--model", "conv-autoencoder"], flags].concat()
    }
    let flags = ["--norm", "batch", "--dropout", "0.2", "--activation", "gelu"];
    let form = ["--inputs", "81", "--filters", "4,6", "--batch", "2"];
    let text = succeeds(folder.path(), &conv(&[&form[..], &flags].concat()));
    for part in ["gelu v", "dropout v", "batch_norm v", "norm4.gamma", "transpose2.bias"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("conv1.bias"), "{text}");
    let text = succeeds(folder.path(), &conv(&form));
    for part in
        ["conv2d_transpose v", "transpose2.weight", "code.weight", "54×32", "sigmoid v", "2×81", "mse v"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    for flag in ["--outputs", "--hidden"] {
        let message = misused(folder.path(), &conv(&[flag, "3"]));
        assert!(
            message.contains(&format!("{flag} has no meaning for --model conv-autoencoder")),
            "{message}"
        );
    }
    assert!(refused(&conv(&["--inputs", "80"])).contains("80 pixels are no image"));
    assert!(refused(&conv(&["--filters", "3,0"])).contains("--filters: 0 filters let nothing through"));
    assert!(refused(&conv(&["--code", "0"])).contains("--code: a layer of width 0"));
    assert!(refused(&conv(&["--batch", "1000000000"])).contains("take about"));
    let iris = ["train", "--data", &data("iris"), "--target", "species", "--model", "autoencoder"];
    assert!(refused(&iris).contains("autoencoder takes images, and the samples are rows of 4 features"));
    let images = digits(folder.path());
    let train =
        |flags: &[&str]| refused(&[&["train", "--data", "d", "--model", "autoencoder"], flags].concat());
    assert!(train(&["--code", "0"]).contains("--code: a layer of width 0 lets nothing through"));
    assert!(train(&["--hidden", "8,0"]).contains("--hidden: a layer of width 0 lets nothing through"));
    assert!(train(&["--augment", "shift=1"]).contains("--augment: a network that tells its own features"));
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
