//! The command line as a user meets it: results, wrong input, an interruption.

use std::path::Path;
use std::process::{Command, Stdio};

#[cfg(unix)]
use crate::program::interrupt;
use crate::program::{error, run, stderr, stdout, tapegrad};

/// A small set of digits as the four files of MNIST.
fn small_set(folder: &Path) -> String {
    let out = folder.join("digits").to_str().unwrap().to_string();
    let made = run(folder, &["data", "synth", "digits", "--samples", "1000", "--test", "300", "--out", &out]);
    assert!(made.status.success(), "{}", stderr(&made));
    assert_eq!(stdout(&made).lines().count(), 4);
    out
}

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in [
        &[][..],
        &["train"],
        &["data"],
        &["data", "synth"],
        &["data", "info"],
        &["graph"],
        &["experiments"],
        &["trace"],
        &["trace", "diff"],
    ] {
        let output = tapegrad(Path::new("."), command).arg("--help").output().unwrap();
        assert!(output.status.success());
        let help = stdout(&output);
        assert!(help.contains("Example") && help.contains("tapegrad "), "{command:?}: {help}");
    }
    let help = stdout(&run(Path::new("."), &["train", "--help"]));
    assert!(help.contains("Kernel machines (krr, nystrom, rff, falkon, cg):"), "{help}");
}

#[test]
fn without_files_it_trains_on_synthetic_digits_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["train", "--epochs", "2", "--threads", "2"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(text.starts_with("data: synthetic digits, as no folder was named with --data"), "{text}");
    assert!(text.contains("101770") && text.contains("precision"), "{text}");
    let last = text.lines().last().unwrap();
    let accuracy: f64 = last.split(' ').nth(2).unwrap().parse().unwrap();
    assert_eq!(last, format!("test accuracy {accuracy:.4} (5000 samples)"));
    assert!(accuracy > 0.8, "{last}");
    assert!(stderr(&output).is_empty(), "no progress bar where there is no terminal");
}

#[test]
fn the_usual_folder_is_taken_where_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let digits = small_set(folder.path());
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::rename(digits, folder.path().join("data/mnist")).unwrap();
    let text = stdout(&run(folder.path(), &["train", "--epochs", "1"]));
    assert!(text.starts_with("data: IDX files in data/mnist (1000 training and 300 test"), "{text}");
}

#[test]
fn traces_are_the_same_bytes_at_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let digits = small_set(folder.path());
    for (ending, precision) in [("csv", "f32"), ("jsonl", "f64"), ("txt", "f32")] {
        let trace = |name: &str, threads: &str, more: &[&str]| {
            let file = folder.path().join(format!("{name}.{ending}"));
            let mut args =
                vec!["train", "--data", &digits, "--epochs", "2", "--batch", "64", "--validation", "0.2"];
            args.extend(["--threads", threads, "--precision", precision, "--trace", file.to_str().unwrap()]);
            args.extend(more);
            let output = run(folder.path(), &args);
            assert!(output.status.success(), "{}", stderr(&output));
            std::fs::read_to_string(file).unwrap()
        };
        let one = trace("one", "1", &[]);
        assert!(one.contains("test_accuracy") && one.contains("validation_loss"), "{one}");
        assert!(!one.contains("seconds") && !one.contains("threads"), "{one}");
        assert_eq!(one, trace("two", "2", &[]));
        assert_eq!(one, trace("three", "3", &["--quiet"]));
        assert_ne!(one, trace("other", "1", &["--seed", "1"]));
        assert!(trace("timed", "1", &["--trace-times"]).contains("seconds"));
    }
}

#[test]
fn quiet_prints_the_last_line_only() {
    let folder = tempfile::tempdir().unwrap();
    let digits = small_set(folder.path());
    let output = run(folder.path(), &["train", "--data", &digits, "--epochs", "1", "--quiet"]);
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("test accuracy 0.") && text.ends_with(" (300 samples)\n"), "{text}");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for args in [
        &["train", "--no-such-flag"][..],
        &["train", "--optimizer", "sdg"],
        &["train", "--activation", "rel"],
        &["train", "--precision", "f16"],
        &["train", "--epochs", "-1"],
        &["train", "--trace", "-1"],
        &["train", "--report", "-1e-3"],
        &["data", "synth", "digits", "--out", "-1"],
        &["train", "--trace-times"],
        &["data", "synth", "no-such-set", "--out", "x"],
        &["frobnicate"],
        &[],
    ] {
        let output = run(Path::new("."), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"));
    }
}

/// Of every command: the number is wrong, and no flag.
#[test]
fn negative_numbers_are_no_flags() {
    for args in [
        &["train", "--epochs", "-1"][..],
        &["train", "--hidden", "-1"],
        &["train", "--model", "krr", "--degree", "-2"],
        &["data", "synth", "digits", "--out", "x", "--samples", "-1"],
        &["data", "info", "x", "--images", "-1"],
        &["graph", "--batch", "-1"],
        &["experiments", "rosenbrock", "--seed", "-1"],
    ] {
        let message = stderr(&run(Path::new("."), args));
        assert!(message.contains("error: invalid value '-"), "{args:?}: {message}");
    }
    let folder = tempfile::tempdir().unwrap();
    for (args, expected) in [
        (&["data", "synth", "digits", "--out", "x", "--noise", "-.5"][..], "-0.5"),
        (&["graph", "--dropout", "-1e-3"], "--dropout: -0.001"),
    ] {
        assert!(error(folder.path(), args).contains(expected), "{args:?}");
    }
}

#[test]
fn a_share_out_of_range_is_wrong_usage_that_names_the_range() {
    for share in ["-0.1", "1", "2", "nan"] {
        let output = run(Path::new("."), &["train", "--validation", share]);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{share}: {message}");
        assert!(
            message.contains("--validation <SHARE>") && message.contains("not a share in [0, 1)"),
            "{message}"
        );
    }
}

#[test]
fn settings_out_of_range_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for (args, expected) in [
        (&["--lr=-1"][..], "--lr: -1"),
        (&["--lr", "-1"], "--lr: -1"),
        (&["--lr", "-1e-3"], "--lr: -0.001"),
        (&["--lr", "-.5"], "--lr: -0.5"),
        (&["--lr", "-inf"], "--lr: -inf"),
        (&["--lr", "nan"], "lr: NaN"),
        (&["--weight-decay=-0.5"], "--weight-decay: -0.5"),
        (&["--batch", "0"], "--batch: 0"),
        (&["--threads", "0"], "threads: 0"),
        (&["--threads", "99999999"], "threads: 99999999"),
        (&["--limit", "0"], "limit: 0"),
        (&["--validation", "0.00001", "--limit", "50"], "leaves a set without any"),
        (&["--trace", "/dev/stdout"], "not a regular file"),
        (&["--hidden", "0"], "--hidden: [784, 0, 10]"),
        (&["--hidden", "99999999999"], "--hidden: [784, 99999999999, 10]"),
        (&["--hidden", "18446744073709551615,18446744073709551615"], "--hidden: [784,"),
        (&["--hidden", "2000000,2000000"], "--hidden: widths"),
        (&["--trace", "no/such/folder/run.csv"], "no/such/folder/run.csv"),
        (&["--trace", "."], "error: .: is a directory"),
    ] {
        let message = error(folder.path(), &[&["train"][..], args].concat());
        assert!(message.contains(expected), "{args:?}: {message}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was left behind");
}

#[test]
fn a_run_that_diverges_says_so_and_keeps_its_trace() {
    let folder = tempfile::tempdir().unwrap();
    let digits = small_set(folder.path());
    let args =
        ["train", "--data", &digits, "--optimizer", "sgd", "--lr", "1e30", "--quiet", "--trace", "run.csv"];
    // A single step an epoch: it is the second epoch that meets the weights of the first step.
    let message = error(folder.path(), &[&args[..], &["--batch", "1000"]].concat());
    assert!(message.contains("epoch 2, step 1: the loss is"), "{message}");
    let trace = std::fs::read_to_string(folder.path().join("run.csv")).unwrap();
    assert!(
        trace.contains("# optimizer = sgd") && trace.lines().last().unwrap().starts_with("1,"),
        "{trace}"
    );
    let message = error(folder.path(), &[&args[..], &["--detect-anomalies"]].concat());
    assert!(message.contains("called at "), "{message}");
}

/// Its settings alone are worth less than what stood there.
#[test]
fn a_run_without_a_finished_epoch_leaves_the_old_trace() {
    let folder = tempfile::tempdir().unwrap();
    let digits = small_set(folder.path());
    let trace = folder.path().join("run.csv");
    std::fs::write(&trace, "precious").unwrap();
    for (args, expected) in [
        (&["--optimizer", "sgd", "--lr", "1e30"][..], "the loss is"),
        (&["--norm", "batch", "--batch", "1"], "--batch: 1 is too small"),
        (&["--l2", "1e39"], "--l2: 1"),
    ] {
        let message = error(
            folder.path(),
            &[&["train", "--data", &digits, "--trace", "run.csv", "--quiet"], args].concat(),
        );
        assert!(message.contains(expected), "{args:?}: {message}");
        assert_eq!(std::fs::read_to_string(&trace).unwrap(), "precious", "{args:?}");
    }
}

#[test]
fn wrong_files_are_errors_with_path_and_byte() {
    let folder = tempfile::tempdir().unwrap();
    let digits = small_set(folder.path());
    let images = Path::new(&digits).join("train-images-idx3-ubyte.gz");
    let labels = Path::new(&digits).join("train-labels-idx1-ubyte.gz");
    let (images, labels) = (images.to_str().unwrap(), labels.to_str().unwrap());

    let message = error(folder.path(), &["train", "--data", "nowhere"]);
    assert!(message.contains("nowhere"), "{message}");
    let message = error(folder.path(), &["train", "--data", images]);
    assert!(message.contains("train-images"), "{message}");
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let message = error(folder.path(), &["data", "info", "empty"]);
    assert!(message.contains("expected a file named train-images-idx3-ubyte"), "{message}");
    error(folder.path(), &["data", "info", "nowhere"]);

    let whole = std::fs::read(images).unwrap();
    for (contents, expected) in
        [(&whole[..whole.len() / 2], "byte "), (&[][..], "byte 0"), (b"not an idx file at all", "byte 0")]
    {
        std::fs::write(images, contents).unwrap();
        let message = error(folder.path(), &["train", "--data", &digits]);
        assert!(message.contains(images) && message.contains(expected), "{message}");
        let message = error(folder.path(), &["data", "info", images]);
        assert!(message.contains(expected), "{message}");
    }
    std::fs::write(images, std::fs::read(labels).unwrap()).unwrap();
    let message = error(folder.path(), &["train", "--data", &digits]);
    assert!(message.contains("train-"), "{message}");
}

#[test]
fn info_tells_what_a_file_holds() {
    let folder = tempfile::tempdir().unwrap();
    let digits = small_set(folder.path());
    let images = format!("{digits}/train-images-idx3-ubyte.gz");
    let text = stdout(&run(folder.path(), &["data", "info", &images, "--images", "2"]));
    assert!(text.contains("unsigned bytes (0x08)") && text.contains("1000×28×28"), "{text}");
    assert!(text.contains("image 1:") && !text.contains("image 2:") && text.contains('@'), "{text}");
    let labels = format!("{digits}/train-labels-idx1-ubyte.gz");
    let text = stdout(&run(folder.path(), &["data", "info", &labels]));
    assert!(text.contains("counts:") && text.contains("range:    0 to 9"), "{text}");
}

#[test]
fn synthetic_sets_without_images_become_columns() {
    let folder = tempfile::tempdir().unwrap();
    for (set, second) in [("spirals", "labels.idx"), ("sine", "targets.idx")] {
        let out = folder.path().join(set);
        let args = ["data", "synth", set, "--samples", "50", "--out", out.to_str().unwrap()];
        assert!(run(folder.path(), &args).status.success());
        for file in ["features.idx", second] {
            let text = stdout(&run(folder.path(), &["data", "info", out.join(file).to_str().unwrap()]));
            assert!(text.contains("shape:    50"), "{text}");
        }
    }
}

#[test]
fn the_graph_as_text_and_as_a_drawing() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&run(folder.path(), &["graph", "--hidden", "32", "--batch", "64"]));
    assert!(text.contains("784×32 = param linear1.weight") && text.contains("64×10 = linear"), "{text}");
    let args = ["graph", "--format", "dot", "--out", "tape.dot"];
    let output = run(folder.path(), &args);
    assert!(output.status.success() && output.stdout.is_empty());
    let dot = std::fs::read_to_string(folder.path().join("tape.dot")).unwrap();
    assert!(dot.starts_with("digraph tape {") && dot.trim_end().ends_with('}'));
    error(folder.path(), &["graph", "--batch", "0"]);
    error(folder.path(), &["graph", "--out", "no/such/folder/tape.dot"]);
}

#[test]
fn a_command_that_fails_leaves_the_old_trace() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("run.csv");
    std::fs::write(&trace, "precious").unwrap();
    for args in [&["--batch", "0"][..], &["--lr=-1"], &["--hidden", "0"]] {
        error(folder.path(), &[&["train", "--trace", "run.csv"][..], args].concat());
        assert_eq!(std::fs::read_to_string(&trace).unwrap(), "precious");
    }
}

#[test]
fn labels_without_end_are_an_error() {
    use tapegrad::data::idx::{self, IdxArray, IdxData};
    let folder = tempfile::tempdir().unwrap();
    for set in ["train", "t10k"] {
        let images = IdxArray::new(vec![5, 4, 4], IdxData::U8(vec![7; 80].into()));
        let labels = IdxArray::new(vec![5], IdxData::I32(vec![0, 1, 2, 3, 65_535]));
        idx::write(folder.path().join(format!("{set}-images-idx3-ubyte")), &images).unwrap();
        idx::write(folder.path().join(format!("{set}-labels-idx1-ubyte")), &labels).unwrap();
    }
    let message = error(folder.path(), &["train", "--data", "."]);
    assert!(message.contains("byte 24: expected a class from 0 to 999, found 65535"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_closed_or_full_standard_error_is_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_tapegrad");
    for to in ["2>&-", "2>/dev/full"] {
        let script = format!("'{program}' train --data nowhere {to}");
        let status = Command::new("sh").arg("-c").arg(script).current_dir(folder.path()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{to}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("'{}' graph --hidden 8,8,8,8 | head -n 1", env!("CARGO_BIN_EXE_tapegrad"));
    let output = Command::new("sh").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
    assert_eq!(stderr(&output), "");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_with_what_it_has() {
    use std::io::{BufRead, BufReader, Read};

    let folder = tempfile::tempdir().unwrap();
    let digits = small_set(folder.path());
    let mut child =
        tapegrad(folder.path(), &["train", "--data", &digits, "--epochs", "1000000", "--trace", "run.csv"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The first row of the table of epochs: the run is under way, with a finished epoch.
    let under_way = lines.by_ref().map_while(Result::ok).find(|line| line.trim_start().starts_with("1  "));
    assert!(under_way.is_some());
    interrupt(&child);
    let last = lines.map_while(Result::ok).last().unwrap();
    let mut message = String::new();
    child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{message}");
    assert!(
        last.starts_with("test accuracy ") && message.contains("interrupted in epoch"),
        "{last} {message}"
    );

    let trace = std::fs::read_to_string(folder.path().join("run.csv")).unwrap();
    let rows: Vec<&str> = trace.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(rows.len() > 1 && trace.ends_with('\n'), "{trace}");
    assert!(
        trace.contains("# interrupted = 1\n# steps_done = ") && !trace.contains("test_accuracy"),
        "{trace}"
    );
    assert!(rows.iter().all(|row| row.matches(',').count() == rows[0].matches(',').count()), "{trace}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "only the data and the trace are there");
}

/// In the first epoch: the page tells what there is, and the trace has nothing to tell yet.
#[cfg(unix)]
#[test]
fn ctrl_c_in_the_first_epoch_leaves_the_old_trace() {
    use std::io::{BufRead, BufReader};

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("run.csv"), "precious").unwrap();
    // 20,000 steps an epoch.
    let args = ["train", "--batch", "1", "--hidden", "512", "--trace", "run.csv", "--report", "run.html"];
    let mut child =
        tapegrad(folder.path(), &args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let under_way = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with("optimizer: "));
    assert!(under_way.is_some());
    interrupt(&child);
    assert!(lines.map_while(Result::ok).last().unwrap().starts_with("test accuracy "));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(std::fs::read_to_string(folder.path().join("run.csv")).unwrap(), "precious");
    let page = std::fs::read_to_string(folder.path().join("run.html")).unwrap();
    assert!(page.contains(">interrupted<") && page.contains(">steps done<"), "{page}");
}

/// Whichever vectors compute the products, a run is the same; one that this CPU has not is an error.
#[test]
fn runs_are_the_same_by_every_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let train = |kernel: &str, precision: &str, model: &str| {
        let arguments =
            ["train", "--data", "synth:moons,samples=300,test=100", "--trace", "t", "--seed", "3"];
        let output = tapegrad(folder.path(), &arguments)
            .args(["--precision", precision, "--model", model])
            .env("TAPEGRAD_CPU", kernel)
            .output()
            .unwrap();
        (output, std::fs::read(folder.path().join("t")).unwrap_or_default())
    };
    let (output, _) = train("abacus", "f32", "mlp");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    let says = message.starts_with("error: TAPEGRAD_CPU: `abacus` is no kernel of this CPU: it has ");
    assert!(says && message.trim_end().ends_with("portable"), "{message}");
    let there: Vec<&str> = message.trim_end().rsplit_once("has ").unwrap().1.split(", ").collect();
    for (precision, model) in [("f32", "mlp"), ("f64", "mlp"), ("f64", "krr"), ("f32", "falkon")] {
        let right = train("portable", precision, model).1;
        assert!(!right.is_empty());
        for kernel in &there {
            assert!(train(kernel, precision, model).1 == right, "{kernel} {precision} {model}");
        }
    }
}
