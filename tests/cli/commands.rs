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
    for command in
        [&[][..], &["train"], &["data"], &["data", "synth"], &["data", "info"], &["graph"], &["experiments"]]
    {
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
    let message = error(folder.path(), &["data", "info", &digits]);
    assert!(message.contains("found a folder"), "{message}");
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
    assert!(page.contains(">interrupted<") && page.contains(">steps_done<"), "{page}");
}

#[test]
fn experiments_are_listed_with_their_questions() {
    let output = run(Path::new("."), &["experiments", "--list"]);
    let text = stdout(&output);
    assert!(output.status.success() && text.lines().count() >= 2, "{text}");
    assert!(text.lines().all(|line| line.ends_with('?')), "{text}");
    assert!(text.lines().any(|line| line.starts_with("rosenbrock ")), "{text}");
}

#[test]
fn a_report_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = run(folder.path(), &[&["experiments", "--quick"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    };
    let text = run(&["rosenbrock"]);
    assert!(text.starts_with("rosenbrock: ") && text.ends_with("report/index.html\n"), "{text}");
    let report = folder.path().join("report");
    let page = || std::fs::read_to_string(report.join("index.html")).unwrap();
    assert!(page().contains("id=\"rosenbrock\"") && !page().contains("id=\"graph-size\""));
    for file in ["rosenbrock/paths.svg", "rosenbrock/distance.svg", "rosenbrock/ends.csv"] {
        assert!(std::fs::metadata(report.join(file)).unwrap().len() > 100, "{file}");
    }
    // The second run keeps what is there and adds what is not.
    let text = run(&["graph-size", "rosenbrock"]);
    assert!(text.contains("graph-size: ") && text.contains("kept from an earlier run"), "{text}");
    assert!(page().contains("id=\"rosenbrock\"") && page().contains("id=\"graph-size\""));
    // What has been deleted beside a result comes back with it.
    std::fs::remove_file(report.join("rosenbrock/paths.svg")).unwrap();
    assert!(run(&["Rosenbrock"]).contains("kept") && report.join("rosenbrock/paths.svg").is_file());
    // Another seed is another run, and a result that cannot be read is made again.
    assert!(!run(&["rosenbrock", "--seed", "1"]).contains("kept"));
    std::fs::write(report.join("rosenbrock/result.json"), "{ half of it").unwrap();
    assert!(!run(&["rosenbrock", "--seed", "1"]).contains("kept"));
    assert!(page().contains("--seed 1") && page().contains("graph-size --quick --seed 0"));
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("thesis");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("chapter1.txt"), "long work").unwrap();
    let message = error(folder.path(), &["experiments", "rosenbrock", "--quick", "--out", "thesis"]);
    assert!(message.contains("thesis") && message.contains("--out"), "{message}");
    assert_eq!(std::fs::read_dir(&foreign).unwrap().count(), 1);

    std::fs::write(folder.path().join("file"), "").unwrap();
    let message = error(folder.path(), &["experiments", "rosenbrock", "--quick", "--out", "file"]);
    assert!(message.starts_with("error: file: "), "{message}");
    let message = error(folder.path(), &["experiments", "rosenbrock", "--quick", "--out", "file/report"]);
    assert!(message.starts_with("error: file/report: "), "{message}");

    // So is an experiment whose own folder is in the way; those before it are not run for nothing.
    run(folder.path(), &["experiments", "rosenbrock", "--quick", "--out", "report"]);
    std::fs::write(folder.path().join("report/spiral"), "").unwrap();
    let output = run(
        folder.path(),
        &["experiments", "rosenbrock", "spiral", "--quick", "--seed", "1", "--out", "report"],
    );
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(stderr(&output).starts_with("error: report/spiral/result.json: "), "{}", stderr(&output));
    // A figure that cannot be written leaves the earlier result as it was.
    let paths = folder.path().join("report/rosenbrock/paths.svg");
    std::fs::remove_file(&paths).unwrap();
    std::fs::create_dir(&paths).unwrap();
    let before = std::fs::read(folder.path().join("report/rosenbrock/result.json")).unwrap();
    let again = ["experiments", "rosenbrock", "--quick", "--seed", "1", "--out", "report"];
    assert!(error(folder.path(), &again).contains("paths.svg"));
    assert_eq!(std::fs::read(folder.path().join("report/rosenbrock/result.json")).unwrap(), before);
    std::fs::remove_dir_all(folder.path().join("report")).unwrap();

    // Data that is not there is told before a folder is made.
    let missing = ["experiments", "samples", "--data", "nowhere", "--out", "report"];
    assert!(error(folder.path(), &missing).contains("nowhere"));
    assert!(!folder.path().join("report").exists());
}

/// A folder from somebody else: what it says is read as data, and nothing outside of it is touched.
#[test]
fn a_crafted_report_writes_nothing_outside_and_puts_no_markup_into_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["experiments", "rosenbrock", "--quick", "--out", "a/report"];
    assert!(run(folder.path(), &args).status.success());
    std::fs::write(folder.path().join("a/victim.csv"), "precious").unwrap();
    let report = folder.path().join("a/report");
    let path = report.join("rosenbrock/result.json");
    let json = std::fs::read_to_string(&path).unwrap();
    let evil = "</table></section><script>alert(1)</script>";
    let edits = [
        ("\"name\":\"paths\"", "\"name\":\"../../evil\""),
        ("\"name\":\"paths\"", "\"name\":\"/tmp/evil\""),
        ("\"name\":\"ends\"", "\"name\":\"../../victim\""),
        ("\"elements\":[", &format!("\"elements\":[\"{evil}\",")),
    ];
    for (old, new) in edits {
        assert!(json.contains(old), "{old}");
        std::fs::write(&path, json.replace(old, new)).unwrap();
        let output = run(folder.path(), &args);
        let message = stderr(&output);
        assert!(output.status.success(), "{message}");
        assert!(
            message.starts_with("note: the kept result of rosenbrock cannot be used, so it is run again: ")
                && message.contains("result.json: ")
                && message.lines().count() == 1,
            "{message}"
        );
        assert!(!stdout(&output).contains("kept"));
    }
    // Texts are shown as they are, in a result that is otherwise sound.
    std::fs::write(&path, json.replace("\"command\":\"", &format!("\"command\":\"{evil}"))).unwrap();
    assert!(stdout(&run(folder.path(), &args)).contains("kept from an earlier run"));
    let page = std::fs::read_to_string(report.join("index.html")).unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
    // Another one of the folder that cannot be used is named, and is not in the page.
    std::fs::create_dir(report.join("spiral")).unwrap();
    std::fs::copy(&path, report.join("spiral/result.json")).unwrap();
    let message = stderr(&run(folder.path(), &args));
    assert!(message.starts_with("note: spiral is left out of the page: "), "{message}");
    assert!(message.contains("the result of another experiment"), "{message}");
    // Another version of the program may keep other figures.
    let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    std::fs::write(&path, json.replace(&version, "\"version\":\"0.0.1\"")).unwrap();
    let output = run(folder.path(), &args);
    assert!(stderr(&output).contains("rosenbrock is of another version, so it is run again"));
    assert!(!stdout(&output).contains("kept"));

    assert_eq!(std::fs::read_to_string(folder.path().join("a/victim.csv")).unwrap(), "precious");
    assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn an_unknown_experiment_is_answered_with_the_nearest() {
    let output = run(Path::new("."), &["experiments", "rosenbrok"]);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(message.contains("rosenbrok") && message.contains("'rosenbrock'"), "{message}");
    for args in [&["experiments"][..], &["experiments", "--quick"]] {
        let output = run(Path::new("."), args);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
    let message = stderr(&run(Path::new("."), &["experiments", "--quick"]));
    assert!(message.contains("--all") && message.contains("--list"), "{message}");
}

#[test]
fn an_experiment_that_fails_does_not_end_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let made = run(folder.path(), &["data", "synth", "digits", "--samples", "40", "--out", "tiny"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let args = ["experiments", "schedule-early-stopping", "rosenbrock", "--quick", "--data", "tiny"];
    let output = run(folder.path(), &args);
    let (text, message) = (stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(1), "{text}{message}");
    assert!(message.starts_with("error: schedule-early-stopping: "), "{message}");
    assert!(
        message
            .ends_with("error: not finished: schedule-early-stopping; run the same command to try again\n")
    );
    assert!(text.starts_with("rosenbrock: ") && text.ends_with("report/index.html\n"), "{text}");
    let page = std::fs::read_to_string(folder.path().join("report/index.html")).unwrap();
    assert!(page.contains("tapegrad experiments rosenbrock --quick --data tiny --seed 0"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_report_keeps_what_is_finished() {
    use std::io::{BufRead, BufReader, Read};

    let folder = tempfile::tempdir().unwrap();
    let args = ["experiments", "rosenbrock", "learning-rate", "--quick"];
    let mut child =
        tapegrad(folder.path(), &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Once this is printed, the other one, which takes seconds, is under way.
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("rosenbrock: "), "{first}");
    interrupt(&child);
    let mut message = String::new();
    child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{message}");

    let page = std::fs::read_to_string(folder.path().join("report/index.html")).unwrap();
    assert!(page.ends_with("</html>\n") && page.contains("id=\"rosenbrock\""));
    assert!(!page.contains("id=\"learning-rate\""));
    let text = stdout(&run(folder.path(), &args));
    let mut lines = text.lines();
    assert!(lines.next().unwrap().ends_with("kept from an earlier run"), "{text}");
    assert!(lines.next().unwrap().starts_with("learning-rate: "), "{text}");
}
