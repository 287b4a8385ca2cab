//! `graph` of a model in a file: every network that can be saved, drawn as it is.

use std::fs;
use std::path::Path;

use tapegrad::data::synthetic;
use tapegrad::models::{Network, save};
use tapegrad::nn::{Cell, Init, Recurrent, Tokens};

use crate::program::{data, error, run, stderr, succeeds};

/// Trains for an epoch with those flags, and saves as `m.st`.
#[track_caller]
fn trained(folder: &Path, args: &[&str]) {
    succeeds(folder, &[&["train", "-q", "--epochs", "1", "--save", "m.st"], args].concat());
}

/// The tape of the model in `m.st` for four samples.
#[track_caller]
fn drawn(folder: &Path) -> String {
    succeeds(folder, &["graph", "m.st", "--batch", "4"])
}

/// A model that was trained by flags is the one that is drawn by them.
#[test]
fn a_file_is_drawn_as_what_the_flags_say() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeeds(folder, &["data", "synth", "digits", "--samples", "100", "--test", "20", "--out", "d"]);
    fs::write(folder.join("text"), "to be or not to be, that is the question. ".repeat(20)).unwrap();
    let iris = data("iris");
    let (iris, digits) = (["--data", &iris, "--target", "species"], ["--data", "d"]);
    let sizes = ["--inputs", "4", "--outputs", "3"];
    let form = ["--hidden", "8,6", "--activation", "gelu", "--norm", "batch", "--dropout", "0.1"];
    let trunk = ["--blocks", "1", "--width", "16", "--heads", "2"];
    for (trains, draws) in [
        (&[&iris[..], &form].concat()[..], &[&sizes[..], &form].concat()[..]),
        (&[&digits[..], &["--model", "lenet"]].concat(), &["--model", "lenet"]),
        (&[&digits[..], &["--model", "cnn"]].concat(), &["--model", "cnn"]),
        (
            &[&digits[..], &["--model", "vit", "--patch", "7"], &trunk].concat(),
            &[&["--model", "vit", "--patch", "7"][..], &trunk].concat(),
        ),
        (
            &[&["--data", "text", "--model", "gpt", "--context", "6"], &trunk[..]].concat(),
            &[&["--model", "gpt", "--context", "6"][..], &trunk].concat(),
        ),
    ] {
        trained(folder, trains);
        assert_eq!(
            drawn(folder),
            succeeds(folder, &[&["graph", "--batch", "4"], draws].concat()),
            "{draws:?}"
        );
    }
    let dot = succeeds(folder, &["graph", "m.st", "--batch", "4", "--format", "dot"]);
    assert!(dot.starts_with("digraph tape {") && dot.contains("block1.attention.query.weight"), "{dot}");
    // What it is compared with are the targets of a data set, which the flags have none of.
    for (model, last) in [("autoencoder", "linear v"), ("conv-autoencoder", "conv2d_transpose v")] {
        trained(folder, &[&digits[..], &["--model", model, "--code", "5"]].concat());
        let text = drawn(folder);
        let lines: Vec<&str> = text.lines().rev().take(3).collect();
        assert!(lines[0].contains(": 1×1 = mse v") && lines[1].ends_with(": 4×784 = constant"), "{text}");
        assert!(
            lines[2].contains("4×784 = ") && text.contains(last) && text.contains("code.weight"),
            "{text}"
        );
    }
}

#[test]
fn other_losses_and_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (iris, diabetes) = (data("iris"), data("diabetes"));
    trained(folder, &["--data", &diabetes, "--target", "progression", "--precision", "f64", "--pca", "3"]);
    let text = drawn(folder);
    for part in ["3×128 = param linear1.weight", "4×3 = constant", "4×1 = constant", "1×1 = mse"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let logistic = ["--data", &iris, "--target", "species", "--model", "logistic", "--solver", "steps"];
    trained(folder, &[&logistic[..], &["--scheme", "one-vs-rest"]].concat());
    let text = drawn(folder);
    assert!(
        text.contains("4×3 = param linear1.weight") && text.contains("v3: 4×3 = linear v2 v0 v1"),
        "{text}"
    );
}

/// Networks that no flag makes, with parts by names of their own.
#[test]
fn what_was_built_in_a_program() {
    let folder = tempfile::tempdir().unwrap();
    let moons = synthetic::moons(20, 0.1, 1).unwrap();
    let net = Network::<f64>::new(1)
        .linear(6)
        .residual(|block| block.linear(6).tanh())
        .add(Tokens::split(2).unwrap())
        .add_with(|tape, width, rng| Recurrent::new(tape, Cell::Lstm, width, 4, 2, Init::default(), rng))
        .add(Tokens::join(2).unwrap())
        .outputs_for(&moons)
        .unwrap();
    save(&net, folder.path().join("m.st"), &Default::default()).unwrap();
    let text = drawn(folder.path());
    assert_eq!(text, net.training_tape(4).unwrap().to_string());
    assert!(text.contains("residual1.linear1.weight") && text.contains("lstm v"), "{text}");
    assert!(net.training_tape(0).is_err());
}

/// It is refused as `train` refuses a flag that its model does not take.
#[track_caller]
fn wrong_usage(folder: &Path, args: &[&str], why: &str) {
    let output = run(folder, &[&["graph"], args].concat());
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    let flag = args.iter().rfind(|arg| arg.starts_with("--")).unwrap();
    let expected = format!("error: {} {why}\n\nUsage: ", flag.split('=').next().unwrap());
    assert!(message.starts_with(&expected), "{args:?}: {message}");
}

#[test]
fn a_flag_that_the_network_does_not_take_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (args, why) in [
        (&["--stride=3"][..], "has no meaning for --model mlp"),
        (&["--patch=3"], "has no meaning for --model mlp"),
        (&["--model=gpt", "--patch=3"], "has no meaning for --model gpt"),
        (&["--model=gpt", "--inputs=5"], "has no meaning for --model gpt: --context says what goes in"),
        (&["--model=gpt", "--outputs=5"], "has no meaning for --model gpt: --context says what goes in"),
        (
            &["--model=autoencoder", "--outputs=3"],
            "has no meaning for --model autoencoder: what goes in comes out",
        ),
    ] {
        wrong_usage(folder, args, why);
    }
}

#[test]
fn what_cannot_be_drawn_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (iris, diabetes) = (data("iris"), data("diabetes"));
    let classes = ["--data", &iris, "--target", "species"];
    trained(folder, &[&classes[..], &["--norm", "batch"]].concat());
    let refused = |flags: &[&str]| error(folder, &[&["graph", "m.st"], flags].concat());
    for flag in
        ["--hidden=8", "--model=mlp", "--inputs=4", "--outputs=3", "--context=4", "--dropout=0", "--code=2"]
    {
        let why = "has no meaning for the model of a file: m.st says what it is";
        wrong_usage(folder, &["m.st", flag], why);
    }
    assert!(
        refused(&["--batch", "1"])
            .starts_with("error: --batch: 1 is too small: mlp 4-128-3 relu, batch norm")
    );
    assert!(
        refused(&["--batch", "99999999999"])
            .starts_with("error: --batch: mlp 4-128-3 relu, batch norm at batch")
    );
    assert!(refused(&["--batch", "18446744073709551615"]).starts_with("error: --batch: mlp"));
    assert!(refused(&["--out", "m.st"]).contains("m.st is read by this command"));
    assert!(error(folder, &["graph", "none.st"]).contains("none.st"));
    assert!(error(folder, &["graph", &iris]).contains("not a file of a model"));
    let values = ["--data", &diabetes, "--target", "progression"];
    for (trains, name) in [
        ([&classes[..], &["--model", "logistic"]].concat(), "m.st: logistic regression"),
        ([&values[..], &["--model", "linear"]].concat(), "m.st: linear regression"),
        ([&classes[..], &["--model", "krr"]].concat(), "m.st: "),
    ] {
        succeeds(folder, &[&["train", "-q", "--save", "m.st"], &trains[..]].concat());
        let message = refused(&[]);
        let why = "was not trained on a tape. What is drawn is a network, or logistic regression by --solver steps\n";
        assert!(message.starts_with(&format!("error: {name}")) && message.ends_with(why), "{message}");
    }
}
