//! `tapegrad train` with every model: results, flags that belong to other models, bad settings, bad data.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tapegrad::data::idx::{self, IdxArray, IdxData};

use crate::program::{self, run, stderr, stdout};
#[cfg(unix)]
use crate::program::{interrupt, tapegrad};

/// `train` on the files in `digits` of `folder`.
fn train(folder: &Path, args: &[&str]) -> Output {
    run(folder, &[&["train", "--data", "digits"], args].concat())
}

/// It fails; the line.
#[track_caller]
fn error(folder: &Path, args: &[&str]) -> String {
    program::error(folder, &[&["train", "--data", "digits"], args].concat())
}

/// It succeeds; the accuracy in the last line.
#[track_caller]
fn accuracy(folder: &Path, args: &[&str]) -> f64 {
    let output = train(folder, args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    let text = stdout(&output);
    let last = text.lines().last().unwrap();
    let number = last.strip_prefix("test accuracy ").unwrap().split(' ').next().unwrap();
    number.parse().unwrap()
}

/// A small set of drawn digits, 1000 for training and 300 for the test.
fn small_set(folder: &Path) {
    let args = ["data", "synth", "digits", "--samples", "1000", "--test", "300", "--out", "digits"];
    let made = run(folder, &args);
    assert!(made.status.success(), "{}", stderr(&made));
}

/// The four files with these images of 2×2, for training and for the test.
fn write_set(folder: &Path, images: IdxData, labels: &[u8]) {
    let digits = folder.join("digits");
    std::fs::create_dir_all(&digits).unwrap();
    let n = labels.len();
    for set in ["train", "t10k"] {
        let images = IdxArray::new(vec![n, 2, 2], images.clone());
        let labels = IdxArray::new(vec![n], IdxData::U8(labels.to_vec().into()));
        idx::write(digits.join(format!("{set}-images-idx3-ubyte")), &images).unwrap();
        idx::write(digits.join(format!("{set}-labels-idx1-ubyte")), &labels).unwrap();
    }
}

/// Every model, with settings for a small set.
const MODELS: [&[&str]; 9] = [
    &["--model", "mlp", "--epochs", "4"],
    &["--model", "logistic", "--epochs", "30"],
    &["--model", "logistic", "--scheme", "one-vs-rest", "--epochs", "30"],
    &["--model", "logistic", "--solver", "newton", "--limit", "300", "--weight-decay", "0.01"],
    &["--model", "krr"],
    &["--model", "nystrom", "--centres", "200", "--selection", "leverage"],
    &["--model", "rff", "--features", "400"],
    &["--model", "falkon", "--centres", "200"],
    &["--model", "cg", "--pilots", "100"],
];

#[test]
fn every_model_learns() {
    let folder = tempfile::tempdir().unwrap();
    small_set(folder.path());
    // Ten classes: chance is 0.1.
    for args in MODELS {
        let accuracy = accuracy(folder.path(), args);
        println!("{args:?}: {accuracy}");
        assert!(accuracy > 0.6, "{args:?}: {accuracy}");
    }
}

#[test]
fn traces_are_the_same_bytes_at_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    small_set(folder.path());
    for model in MODELS {
        let trace = |file: &str, more: &[&str]| {
            let args = [model, &["--validation", "0.1", "--trace", file], more].concat();
            let output = train(folder.path(), &args);
            assert!(output.status.success(), "{args:?}: {}", stderr(&output));
            (stdout(&output), std::fs::read_to_string(folder.path().join(file)).unwrap())
        };
        let (text, one) = trace("one.jsonl", &["--threads", "1"]);
        assert!(text.lines().count() > 10 && text.starts_with("data: IDX files in digits"), "{text}");
        for expected in ["\"validation_samples\":", "validation_accuracy", "test_accuracy", "\"model\":"] {
            assert!(one.contains(expected), "{model:?}, {expected}: {one}");
        }
        let (text, two) = trace("two.jsonl", &["--threads", "2", "--quiet"]);
        assert_eq!(one, two);
        assert!(text.lines().count() == 1 && text.ends_with(" (300 samples)\n"), "{text}");
    }
}

#[test]
fn times_are_in_the_trace_on_request() {
    let folder = tempfile::tempdir().unwrap();
    small_set(folder.path());
    let args = ["--model", "krr", "--limit", "100", "--trace", "t.csv"];
    for (more, expected) in [(&[][..], false), (&["--trace-times"], true)] {
        accuracy(folder.path(), &[&args[..], more].concat());
        let text = std::fs::read_to_string(folder.path().join("t.csv")).unwrap();
        assert_eq!(text.contains("fit_seconds"), expected, "{text}");
    }
}

#[test]
fn flags_of_other_models_are_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, args) in [
        ("--gamma", &["--model", "mlp", "--gamma", "1"][..]),
        ("--solver", &["--solver", "newton"]),
        ("--hidden", &["--model", "logistic", "--hidden", "10"]),
        ("--epochs", &["--model", "logistic", "--solver", "newton", "--epochs", "3"]),
        ("--weight-decay", &["--model", "krr", "--weight-decay", "0.1"]),
        ("--centres", &["--model", "krr", "--centres", "10"]),
        ("--features", &["--model", "nystrom", "--features", "10"]),
        ("--selection", &["--model", "rff", "--selection", "leverage"]),
        ("--pilots", &["--model", "falkon", "--pilots", "10"]),
        ("--tolerance", &["--model", "nystrom", "--tolerance", "0"]),
        ("--detect-anomalies", &["--model", "falkon", "--detect-anomalies"]),
    ] {
        let output = train(folder.path(), args);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        let first = message.lines().next().unwrap();
        assert!(first.contains(&format!("{flag} has no meaning for --model")), "{args:?}: {message}");
    }
    for args in [
        &["--model", "svm"][..],
        &["--model", "krr", "--kernel", "sigmoid"],
        &["--model", "krr", "--gamma", "mean"],
        &["--model", "logistic", "--scheme", "binary"],
        &["--model", "falkon", "--iterations=-1"],
        &["--model", "krr", "--degree", "2.5"],
    ] {
        let output = train(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn settings_out_of_range_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    small_set(folder.path());
    for (args, expected) in [
        (&["krr", "--gamma", "0"][..], "--gamma: 0"),
        (&["krr", "--gamma=-1"], "--gamma: -1"),
        (&["krr", "--gamma", "nan"], "--gamma: NaN"),
        (&["krr", "--ridge=-1e-3"], "--ridge: -0.001"),
        (&["krr", "--ridge", "inf"], "--ridge: inf"),
        (&["krr", "--smooth", "-1"], "--smooth: -1 is not in the range 0 < σ ≤ 1e6"),
        (&["krr", "--gamma", "-1e-3"], "--gamma: -0.001"),
        (&["krr", "--kernel", "matern32", "--gamma", "1"], "--gamma: the matern32 kernel"),
        (&["krr", "--kernel", "matern32", "--length-scale", "0"], "--length-scale: 0"),
        (&["krr", "--degree", "2"], "--degree: the rbf kernel"),
        (&["krr", "--kernel", "polynomial", "--degree", "0"], "--degree: 0"),
        (&["krr", "--kernel", "polynomial", "--offset=-1"], "--offset: -1"),
        (&["krr", "--memory", "0"], "--memory: 0"),
        (&["krr", "--memory", "nan"], "--memory: NaN"),
        (&["krr", "--limit", "0"], "--limit: 0"),
        (&["krr", "--validation", "0.00001"], "leaves a set without any"),
        (&["nystrom", "--memory", "0.01"], "take fewer centres"),
        (&["rff", "--memory", "0.01"], "take fewer"),
        (&["cg", "--memory", "0.01"], "take fewer pilots"),
        (&["nystrom", "--centres", "0"], "--centres: 0"),
        (&["nystrom", "--centres", "1001"], "--centres: 1001"),
        (&["rff", "--features", "0"], "--features: 0"),
        (&["rff", "--features", "7"], "--features: 7"),
        (&["rff", "--kernel", "laplacian"], "--kernel: laplacian"),
        (&["falkon", "--ridge", "0"], "--ridge: 0"),
        (&["falkon", "--iterations", "0"], "--iterations: 0"),
        (&["cg", "--ridge", "0"], "--ridge: 0"),
        (&["cg", "--pilots", "1001"], "--pilots: 1001"),
        (&["falkon", "--tolerance=-1"], "--tolerance: -1"),
        (&["falkon", "--tolerance", "inf"], "--tolerance: inf is not in the range 0 ≤ x < 1"),
        (&["cg", "--tolerance", "inf"], "--tolerance: inf is not in the range 0 ≤ x < 1"),
        (&["nystrom", "--selection", "leverage", "--ridge", "0"], "--ridge: 0"),
        (&["logistic", "--weight-decay=-1"], "--weight-decay: -1"),
        (&["logistic", "--solver", "newton", "--weight-decay=-1"], "--weight-decay: -1"),
        (&["logistic", "--solver", "newton", "--precision", "f32"], "--precision: f32"),
    ] {
        std::fs::write(folder.path().join("old.csv"), "precious").unwrap();
        let message =
            error(folder.path(), &[&["--trace", "old.csv", "--quiet", "--model"][..], args].concat());
        assert!(message.contains(expected), "{args:?}: {message}");
        let old = std::fs::read_to_string(folder.path().join("old.csv")).unwrap();
        assert_eq!(old, "precious", "{args:?}");
    }
}

/// Fails at once, before the memory is taken: the exact fit of 10,000,000 samples would be 800 TB.
#[test]
fn memory_is_predicted_and_the_way_out_named() {
    let folder = tempfile::tempdir().unwrap();
    small_set(folder.path());
    let message = error(folder.path(), &["--model", "krr", "--memory", "0.01"]);
    assert!(
        message.contains("1000 samples in f64") && message.contains("--model nystrom, rff, falkon or cg")
    );
    let message = error(folder.path(), &["--model", "falkon", "--memory", "0.005"]);
    assert!(message.contains("1000 centres") && message.contains("take fewer centres"), "{message}");
    let message = error(folder.path(), &["--model", "rff", "--features", "20000000"]);
    assert!(message.contains("take fewer"), "{message}");
    let message = error(folder.path(), &["--model", "krr", "--memory", "0.001"]);
    assert!(message.contains("the samples alone take 6.27 MB"), "{message}");
}

#[test]
fn data_that_says_little_is_told_or_fitted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut pixels: Vec<u8> = (0..80).map(|i| (i * 37 % 251) as u8).collect();
    // A single class: everything is taken for it, and Newton's method has nothing to tell apart.
    write_set(folder, IdxData::U8(pixels.clone().into()), &[3; 20]);
    for model in [&["mlp"][..], &["logistic"], &["krr"], &["nystrom"], &["falkon"], &["rff"], &["cg"]] {
        let args = [&["--epochs", "200", "--lr", "0.1", "--model"][..], model].concat();
        let steps = matches!(model[0], "mlp" | "logistic");
        let found = accuracy(folder, if steps { &args } else { &args[4..] });
        assert_eq!(found, 1.0, "{model:?}");
    }
    // Two samples of one class of ten to learn from: whatever the scores of the others are, it is the answer.
    let mut mixed: Vec<u8> = (0..20).map(|i| i % 10).collect();
    (mixed[0], mixed[1]) = (3, 3);
    write_set(folder, IdxData::U8(pixels.clone().into()), &mixed);
    for model in ["mlp", "logistic", "krr", "nystrom", "falkon", "rff", "cg"] {
        let more: &[&str] = match model {
            "mlp" | "logistic" => &[],
            "rff" => &["--features", "20"],
            _ => &["--kernel", "linear"],
        };
        let found = accuracy(folder, &[&["--limit", "2", "--model", model], more].concat());
        assert_eq!(found, 0.2, "{model}");
    }
    write_set(folder, IdxData::U8(pixels.clone().into()), &[3; 20]);
    std::fs::write(folder.join("old.csv"), "precious").unwrap();
    let newton = ["--model", "logistic", "--solver", "newton", "--trace", "old.csv"];
    assert!(error(folder, &newton).contains("class 0 has no samples"));
    assert_eq!(std::fs::read_to_string(folder.join("old.csv")).unwrap(), "precious");

    // A single sample: no distance to take the median of.
    for model in ["krr", "nystrom", "falkon", "cg"] {
        let message = error(folder, &["--model", model, "--limit", "1"]);
        assert!(message.contains("at least two samples: set the kernel's width"), "{message}");
        assert_eq!(accuracy(folder, &["--model", model, "--limit", "1", "--gamma", "1"]), 1.0);
    }
    accuracy(folder, &["--model", "mlp", "--limit", "1", "--batch", "1000"]);
    accuracy(folder, &["--model", "logistic", "--batch", "1000"]);

    // Duplicated rows: only a ridge tells which of the fits it is.
    pixels.copy_within(0..40, 40);
    let labels: Vec<u8> = (0..20).map(|i| i % 10).collect();
    write_set(folder, IdxData::U8(pixels.into()), &labels);
    std::fs::write(folder.join("old.csv"), "precious").unwrap();
    let message = error(folder, &["--model", "krr", "--ridge", "0", "--trace", "old.csv"]);
    assert!(message.contains("not positive definite: pivot") && message.contains("λ = 0"), "{message}");
    assert_eq!(std::fs::read_to_string(folder.join("old.csv")).unwrap(), "precious");
    assert_eq!(accuracy(folder, &["--model", "krr", "--kernel", "laplacian"]), 1.0);

    // The same sample throughout has no scale.
    write_set(folder, IdxData::U8(vec![9; 80].into()), &labels);
    assert!(error(folder, &["--model", "krr"]).contains("remove duplicated rows"));
    assert_eq!(accuracy(folder, &["--model", "krr", "--gamma", "1"]), 0.1);
    // Nor have zeros a direction, which is no trouble to the scaling of rows.
    write_set(folder, IdxData::U8(vec![0; 80].into()), &labels);
    assert_eq!(accuracy(folder, &["--model", "krr", "--gamma", "1"]), 0.1);
    // To the linear kernel all scores of zeros are 0: no sample has a class, and none is taken for a 0.
    let args = ["--model", "krr", "--kernel", "linear", "--trace", "run.csv", "--report", "run.html"];
    let output = train(folder, &args);
    let text = stdout(&output);
    let last = "undecided: 20 of 20 samples, counted as wrong\n\n\
                test accuracy 0.0000 (20 samples, 20 of them undecided)\n";
    assert!(text.ends_with(last), "{text}{}", stderr(&output));
    let trace = std::fs::read_to_string(folder.join("run.csv")).unwrap();
    assert!(trace.contains("# test_accuracy = 0\n# test_undecided = 20\n"), "{trace}");
    assert!(std::fs::read_to_string(folder.join("run.html")).unwrap().contains(">undecided</th>"));
}

#[test]
fn numbers_that_are_none_are_errors_that_name_the_row() {
    let folder = tempfile::tempdir().unwrap();
    for bad in [f32::NAN, f32::INFINITY] {
        let mut values: Vec<f32> = (0..80).map(|i| i as f32).collect();
        values[4 * 7 + 2] = bad;
        write_set(folder.path(), IdxData::F32(values), &[1; 20]);
        for model in ["mlp", "logistic", "krr", "nystrom", "rff", "falkon", "cg"] {
            let message = error(folder.path(), &["--model", model]);
            assert!(message.contains("row 7, column 2"), "{model}: {message}");
        }
    }
}

/// A number that f64 holds and f32 does not.
#[test]
fn numbers_beyond_f32_are_errors_that_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut values: Vec<f64> = (0..80).map(f64::from).collect();
    values[4 * 7 + 2] = -1e300;
    write_set(folder.path(), IdxData::F64(values), &[1; 20]);
    for model in ["mlp", "logistic", "krr", "nystrom", "rff", "falkon", "cg"] {
        let message = error(folder.path(), &["--model", model, "--precision", "f32"]);
        let expected =
            "row 7, column 2: the feature is -1e300, which is beyond f32: scale the data or take f64";
        assert!(message.contains(expected), "{model}: {message}");
    }
}

#[test]
fn the_trace_of_the_exact_optimum_names_the_scheme() {
    let folder = tempfile::tempdir().unwrap();
    small_set(folder.path());
    for scheme in ["multinomial", "one-vs-rest"] {
        let args = ["--model", "logistic", "--solver", "newton", "--limit", "200", "--trace", "t.csv"];
        accuracy(folder.path(), &[&args[..], &["--scheme", scheme]].concat());
        let trace = std::fs::read_to_string(folder.path().join("t.csv")).unwrap();
        assert!(trace.contains(&format!("# model = logistic 784-10 {scheme}, exact optimum")), "{trace}");
    }
}

/// What each thread's region of the heap reserves is no reason to refuse a fit that has room beside it, nor
/// is a large set to measure on, of which a block is looked at after the other.
#[cfg(target_os = "linux")]
#[test]
fn what_fits_runs_within_a_limit_of_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["data", "synth", "digits", "--samples", "500", "--test", "30000", "--out", "digits"];
    let made = run(folder.path(), &args);
    assert!(made.status.success(), "{}", stderr(&made));
    for (limit, args) in [
        (230_000, "--limit 2000 --epochs 2"),
        (300_000, "--limit 500 --model krr"),
        (300_000, "--model krr --validation 0.99"),
        (380_000, "--data digits --model krr"),
        (380_000, "--data digits --model logistic --solver newton --limit 100"),
    ] {
        let program = env!("CARGO_BIN_EXE_tapegrad");
        let script = format!("ulimit -v {limit}; '{program}' train --threads 2 --quiet {args}");
        let output = Command::new("sh").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{limit} {args}: {}", stderr(&output));
    }
}

/// The matrix of 8000 samples is 512 MB, as much as the shell lets the whole program have.
#[cfg(target_os = "linux")]
#[test]
fn a_limit_of_the_shell_is_an_error_and_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["data", "synth", "digits", "--samples", "8000", "--test", "10", "--out", "digits"];
    let made = run(folder.path(), &args);
    assert!(made.status.success(), "{}", stderr(&made));
    for limit in ["-v", "-d"] {
        for memory in ["", "--memory 4"] {
            let program = env!("CARGO_BIN_EXE_tapegrad");
            let run = format!("'{program}' train --data digits --threads 1 --model krr {memory}");
            let script = format!("ulimit {limit} 500000; {run}");
            let output =
                Command::new("sh").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
            let message = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{limit} {memory}: {message}");
            // Ten test images have not all of the digits, which is told before.
            assert!(message.starts_with("error: --memory: an exact fit of 8000 samples in f64"), "{message}");
            assert!(message.contains("the limits of the process (as by ulimit) leave "), "{message}");
        }
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_fit() {
    use std::io::{BufRead, BufReader, Read};
    let folder = tempfile::tempdir().unwrap();
    small_set(folder.path());
    // What iterates stops there and measures; a direct fit has nothing to measure.
    let falkon = ["--model", "falkon", "--centres", "100", "--iterations", "100000000", "--tolerance", "0"];
    let cg = ["--model", "cg", "--pilots", "100", "--iterations", "100000000", "--tolerance", "0"];
    let long = ["--model", "logistic", "--solver", "newton", "--weight-decay", "1e-9"];
    for (args, measures) in [(&falkon[..], true), (&cg[..], true), (&long[..], false)] {
        for file in ["t.csv", "r.html"] {
            std::fs::write(folder.path().join(file), "precious").unwrap();
        }
        let files = ["train", "--data", "digits", "--trace", "t.csv", "--report", "r.html"];
        let mut child = tapegrad(folder.path(), &[&files[..], args].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The second line is printed just before the fit.
        assert!(lines.next().unwrap().unwrap().starts_with("data: "));
        lines.next().unwrap().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        interrupt(&child);
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        let mut message = String::new();
        child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{message}");
        assert!(message.starts_with("interrupted"), "{message}");
        let measured = rest.last().is_some_and(|line| line.starts_with("test accuracy "));
        assert_eq!(measured, measures, "{rest:?}");
        let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
        let (trace, report) = (read("t.csv"), read("r.html"));
        if !measures {
            assert_eq!((&trace[..], &report[..]), ("precious", "precious"));
            continue;
        }
        // How far it came, but no result of a run that is not finished; the page shows what there is.
        let expected = trace.contains("# interrupted = ") && trace.contains("# iterations_done = ");
        assert!(expected && trace.contains("residual = ") && !trace.contains("test_accuracy"), "{trace}");
        assert!(report.contains("<html") && report.contains("Confusion"), "{report}");
        assert!(report.contains(">interrupted<"), "{report}");
    }
}
