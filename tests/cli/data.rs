//! The command line and the world around it: odd files and folders, pairs that do not belong together, little
//! memory, names with escape codes, numbers at the end of their range.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tapegrad::data::idx::{self, IdxArray, IdxData};

use crate::program::{error, run, stderr, stdout, succeeds};
#[cfg(target_os = "linux")]
use crate::program::{interrupt, tapegrad};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tapegrad");

/// Images of 2×2 and labels as the files of a set.
fn write_set(folder: &Path, set: &str, images: IdxData, labels: &[u8]) {
    let images = IdxArray::new(vec![labels.len(), 2, 2], images);
    idx::write(folder.join(format!("{set}-images-idx3-ubyte")), &images).unwrap();
    let labels = IdxArray::new(vec![labels.len()], IdxData::U8(labels.to_vec().into()));
    idx::write(folder.join(format!("{set}-labels-idx1-ubyte")), &labels).unwrap();
}

/// Two classes, told apart by the first pixel.
fn pixels(n: usize) -> Vec<u8> {
    (0..n).flat_map(|i| [if i % 2 == 0 { 255 } else { 0 }, 100, 50, i as u8]).collect()
}

fn labels(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i % 2) as u8).collect()
}

const TRAIN: [&str; 5] = ["train", "--data", ".", "--epochs", "1"];

#[test]
fn training_and_test_images_of_different_scale_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole: Vec<i32> = pixels(20).into_iter().map(i32::from).collect();
    let scaled: Vec<f32> = pixels(20).into_iter().map(|x| f32::from(x) / 255.0).collect();
    let bytes = || IdxData::U8(pixels(20).into());
    for (train, test, fits) in [
        (IdxData::I32(whole.clone()), bytes(), false),
        (bytes(), IdxData::I32(whole.clone()), false),
        (bytes(), IdxData::F64(whole.iter().map(|x| f64::from(*x)).collect()), false),
        (bytes(), IdxData::F32(scaled.clone()), true),
        (IdxData::F32(scaled.clone()), IdxData::F32(whole.iter().map(|x| *x as f32).collect()), false),
        (IdxData::I32(whole.clone()), IdxData::I16(whole.iter().map(|x| *x as i16).collect()), true),
        (bytes(), bytes(), true),
    ] {
        write_set(folder.path(), "train", train.clone(), &labels(20));
        write_set(folder.path(), "t10k", test.clone(), &labels(20));
        if fits {
            let output = run(folder.path(), &TRAIN);
            assert!(output.status.success() && stderr(&output).is_empty(), "{}", stderr(&output));
        } else {
            let message = error(folder.path(), &TRAIN);
            for expected in
                ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte", "differ in scale", " to 255"]
            {
                assert!(message.contains(expected), "{message}");
            }
        }
    }
}

#[test]
fn classes_that_only_one_side_has_are_named() {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path(), "train", IdxData::U8(pixels(20).into()), &[7; 20]);
    let others: Vec<u8> = (0..20).map(|i| i % 7).collect();
    write_set(folder.path(), "t10k", IdxData::U8(pixels(20).into()), &others);
    for more in [&[][..], &["--quiet"], &["--model", "krr"], &["--model", "logistic", "--solver", "newton"]] {
        let args: &[&str] = if more.len() > 1 { &["train", "--data", "."] } else { &TRAIN };
        let output = run(folder.path(), &[args, more].concat());
        let message = stderr(&output);
        assert!(message.contains("warning: class 7 has training samples and no test samples"), "{message}");
        assert!(
            message.contains("classes 0, 1, 2, 3, 4, 5, 6 have test samples and no training"),
            "{message}"
        );
    }
    // Of the samples that are trained on.
    write_set(folder.path(), "train", IdxData::U8(pixels(20).into()), &others);
    let output = run(folder.path(), &[&TRAIN[..], &["--limit", "3"]].concat());
    assert!(stderr(&output).contains("classes 3, 4, 5, 6 have test samples"), "{}", stderr(&output));
    assert!(stderr(&run(folder.path(), &TRAIN)).is_empty());
}

/// A file that is cut off in the middle of a run, and then written over, changes nothing.
#[cfg(unix)]
#[test]
fn a_file_that_is_cut_off_under_a_run_does_it_no_harm() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let n = 4000;
    let bytes: Vec<u8> = (0..n).flat_map(|i| [if i % 2 == 0 { 255 } else { 0 }, 100, 50, 7]).collect();
    for set in ["train", "t10k"] {
        write_set(folder.path(), set, IdxData::U8(bytes.clone().into()), &labels(n));
    }
    let mut child = Command::new(PROGRAM)
        .args(["train", "--data", ".", "--epochs", "30", "--batch", "100"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line.starts_with("optimizer: ")));
    for set in ["train", "t10k"] {
        fs::write(folder.path().join(format!("{set}-images-idx3-ubyte")), [0; 16]).unwrap();
    }
    assert_eq!(lines.last().unwrap(), "test accuracy 1.0000 (4000 samples)");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// As many zeros as a header says, which take no room on the disk.
fn sparse(path: &Path, code: u8, shape: &[u32], bytes: u64) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    file.write_all(&[0, 0, code, shape.len() as u8]).unwrap();
    shape.iter().for_each(|d| file.write_all(&d.to_be_bytes()).unwrap());
    file.set_len(4 + 4 * shape.len() as u64 + bytes).unwrap();
}

/// Under `ulimit -v` whatever is too large is an error and no abort.
#[cfg(target_os = "linux")]
#[test]
fn too_little_memory_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let small = |set: &str| write_set(folder.path(), set, IdxData::U8(pixels(20).into()), &labels(20));
    let limited = |kilobytes: u32, command: &str| {
        let script = format!("ulimit -v {kilobytes}; exec '{PROGRAM}' {command}");
        let output = Command::new("bash").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{command}: {message}");
        assert!(message.starts_with("error: ") && message.lines().count() == 1, "{command}: {message}");
        message
    };
    for set in ["train", "t10k"] {
        for (code, shape, labels, bytes) in [
            // Bytes, whole numbers that become f64, and numbers.
            (0x08, [1_000_000, 25, 40], 1_000_000, 1_000_000_000),
            (0x09, [40_000, 25, 40], 40_000, 40_000_000),
            (0x0C, [25_000, 20, 50], 25_000, 100_000_000),
            (0x0E, [125_000, 20, 50], 125_000, 1_000_000_000),
            // A byte each: the labels are what is large.
            (0x08, [40_000_000, 1, 1], 40_000_000, 40_000_000),
        ] {
            small("train");
            small("t10k");
            sparse(&folder.path().join(format!("{set}-images-idx3-ubyte")), code, &shape, bytes);
            sparse(&folder.path().join(format!("{set}-labels-idx1-ubyte")), 0x08, &[labels], labels.into());
            let message = limited(250_000, "train --data . --epochs 1 --threads 1");
            assert!(message.contains("memory"), "{message}");
        }
    }
    sparse(&folder.path().join("a.idx"), 0x08, &[1_000_000, 25, 40], 1_000_000_000);
    let message = limited(800_000, "data info a.idx");
    assert!(
        message.contains("a.idx: 1.00 GB of memory are needed") && message.contains("ulimit"),
        "{message}"
    );
    sparse(&folder.path().join("b.idx"), 0x0E, &[125_000_000], 1_000_000_000);
    let message = limited(800_000, "data info b.idx");
    assert!(
        message.contains("b.idx: 1.00 GB of memory are needed") && message.contains("ulimit"),
        "{message}"
    );
    let message = limited(800_000, "data synth digits --samples 1000000 --out digits");
    assert!(message.contains("--samples") && message.contains("ulimit"), "{message}");
}

/// A gzip file of 128 MB of zeros takes some kilobytes.
#[cfg(target_os = "linux")]
#[test]
fn a_gzip_file_that_unpacks_to_too_much_is_an_error() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(fs::File::create(&path).unwrap(), flate2::Compression::fast());
    encoder.write_all(&[0, 0, 8, 1]).unwrap();
    encoder.write_all(&(128u32 << 20).to_be_bytes()).unwrap();
    (0..128).for_each(|_| encoder.write_all(&vec![0; 1 << 20]).unwrap());
    encoder.finish().unwrap();
    let script = format!("ulimit -v 140000; exec '{PROGRAM}' data info a.gz");
    let output = Command::new("bash").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: a.gz: 134 MB of memory are needed"), "{message}");
}

#[cfg(unix)]
#[test]
fn links_that_lead_in_circles_are_told_as_such() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    symlink("circle", folder.path().join("circle")).unwrap();
    for args in [
        &["train", "--data", "circle"][..],
        &["train", "--trace", "circle"],
        &["train", "--report", "circle/run.html"],
        &["data", "info", "circle"],
        &["graph", "--out", "circle"],
        &["experiments", "samples", "--quick", "--data", "circle"],
        &["experiments", "rosenbrock", "--quick", "--out", "circle"],
    ] {
        let message = error(folder.path(), args);
        assert!(message.contains("circle") && message.contains("symbolic links"), "{args:?}: {message}");
    }
    // The usual folder: synthetic digits in its place would be another run than was meant.
    fs::create_dir(folder.path().join("data")).unwrap();
    symlink("mnist", folder.path().join("data/mnist")).unwrap();
    for args in [&["train", "--epochs", "1"][..], &["experiments", "samples"]] {
        let message = error(folder.path(), args);
        assert!(message.contains("data/mnist") && message.contains("symbolic links"), "{message}");
    }
}

/// What a user may not look into is not missing. Root may look into everything, and is not tested.
#[cfg(unix)]
#[test]
fn folders_that_may_not_be_looked_into_are_told_as_such() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    write_set(&closed, "train", IdxData::U8(pixels(4).into()), &labels(4));
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&closed).is_ok() {
        eprintln!("skipped: this user may look into everything");
        return;
    }
    for args in [&["train", "--data", "closed"][..], &["data", "info", "closed/train-images-idx3-ubyte"]] {
        let message = error(folder.path(), args);
        assert!(message.contains("Permission denied"), "{message}");
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}

/// Neither in messages nor in results, whoever has made them.
#[cfg(unix)]
#[test]
fn escape_codes_do_not_reach_the_terminal() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let evil = "\u{1b}[31m\u{7}\r\u{9b}2Jevil";
    let inside = folder.path().join(evil);
    fs::create_dir(&inside).unwrap();
    write_set(&inside, "train", IdxData::U8(pixels(20).into()), &labels(20));
    write_set(&inside, "t10k", IdxData::U8(pixels(20).into()), &labels(20));
    let missing = "\u{1b}]0;title\u{7}";
    for args in [
        &["train", "--epochs", "1", "--data", evil][..],
        &["train", "--data", missing],
        &["train", "--epochs", missing],
        &["train", "--model", missing],
        &["train", "--gamma", missing, "--model", "krr"],
        &["train", missing],
        &[missing],
        &["train", "--trace", "\u{1b}[2J/x.csv"],
        &["data", "info", evil],
        &["data", "info", missing],
        &["data", "synth", "xor", "--samples", "3", "--out", evil],
        &["data", "synth", missing, "--out", "x"],
        &["graph", "--out", "\u{1b}[2J/x"],
        &["experiments", missing],
        &["experiments", "rosenbrock", "--quick", "--out", evil],
        &["experiments", "samples", "--quick", "--data", missing],
    ] {
        let output = run(folder.path(), args);
        for text in [stdout(&output), stderr(&output)] {
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{args:?}: {text:?}");
        }
        let text = stdout(&output) + &stderr(&output);
        assert!(text.contains(r"\u{1b}"), "{args:?}: {text}");
    }
    // A line feed in a name makes no line, and bytes that are no text are shown as such.
    let message = error(folder.path(), &["data", "info", "a\nerror: b"]);
    assert!(message.starts_with(r"error: a\nerror: b: No such file"), "{message}");
    let name = std::ffi::OsStr::from_bytes(b"\xff\x1b[31m");
    let output = Command::new(PROGRAM).args(["data", "info"]).arg(name).output().unwrap();
    assert!(stderr(&output).starts_with("error: \u{fffd}\\u{1b}[31m: No such file"), "{}", stderr(&output));
}

#[test]
fn errors_about_sizes_name_the_flag_that_is_to_blame() {
    let folder = tempfile::tempdir().unwrap();
    const HUGE: &str = "18446744073709551615";
    for (args, expected) in [
        (&["graph", "--inputs", "0"][..], "error: --inputs: 0"),
        (&["graph", "--outputs", "0"], "error: --outputs: 0"),
        (&["graph", "--hidden", "0"], "error: --hidden: [784, 0, 10]"),
        (&["graph", "--batch", "0"], "error: --batch: 0"),
        (&["graph", "--inputs", HUGE], "error: --inputs: "),
        (&["graph", "--outputs", HUGE], "error: --outputs: "),
        (&["graph", "--hidden", HUGE], "error: --hidden: "),
        (&["graph", "--batch", HUGE], "error: --batch: "),
        (&["graph", "--inputs", "100000000000"], "error: --inputs: "),
        (&["graph", "--inputs", "4000000000"], "error: --inputs: "),
        (&["graph", "--batch", "4000000000"], "error: --batch: "),
        (&["data", "synth", "digits", "--out", "x", "--samples", HUGE], "error: --samples: "),
        (&["data", "synth", "digits", "--out", "x", "--test", HUGE], "error: --test: "),
        (&["data", "synth", "digits", "--out", "x", "--samples", "0"], "error: --samples: "),
        (&["data", "synth", "xor", "--out", "x", "--samples", "0"], "error: --samples: "),
        (&["data", "synth", "digits", "--out", "x", "--noise", "inf"], "error: --noise: inf"),
        (&["data", "synth", "digits", "--out", "x", "--noise", "nan"], "error: --noise: NaN"),
    ] {
        let message = error(folder.path(), args);
        assert!(message.starts_with(expected), "{args:?}: {message}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was left behind");
    for set in ["train", "t10k"] {
        write_set(folder.path(), set, IdxData::U8(pixels(20).into()), &labels(20));
    }
    for (memory, expected) in [("inf", "inf"), ("nan", "NaN"), ("0", "0"), ("-1", "-1")] {
        let args = ["train", "--data", ".", "--model", "krr", "--memory", memory];
        assert!(error(folder.path(), &args).starts_with(&format!("error: --memory: {expected}")));
    }
    // The largest of numbers where any will do.
    for args in [&["--limit", HUGE][..], &["--batch", HUGE], &["--seed", HUGE]] {
        assert!(run(folder.path(), &[&TRAIN[..], args].concat()).status.success(), "{args:?}");
    }
}

/// As SIGKILL leaves it; the next run that writes there removes it, once it is old.
#[test]
fn what_a_killed_run_left_is_removed_by_a_later_one() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join(".tapegrad-AbCdEfGhIj.tmp");
    let foreign = folder.path().join(".tmpAbCdEf");
    for path in [&left, &foreign] {
        fs::write(path, "half").unwrap();
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
        fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    assert!(run(folder.path(), &["graph", "--out", "tape.txt"]).status.success());
    assert!(!left.exists() && foreign.exists());
}

/// The setting decides on the type: a number is one whatever its value.
#[test]
fn settings_in_json_lines_keep_their_type() {
    let folder = tempfile::tempdir().unwrap();
    for set in ["train", "t10k"] {
        write_set(folder.path(), set, IdxData::U8(pixels(20).into()), &labels(20));
    }
    for (l2, expected) in [("1", 1.0), ("0.5", 0.5), ("1e-9", 1e-9)] {
        let args = [&TRAIN[..], &["--l2", l2, "--trace", "run.jsonl", "--quiet"]].concat();
        assert!(run(folder.path(), &args).status.success());
        let text = fs::read_to_string(folder.path().join("run.jsonl")).unwrap();
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first["settings"]["l2"].as_f64(), Some(expected), "{text}");
        assert_eq!(first["settings"]["epochs"].as_u64(), Some(1));
        assert!(first["settings"]["model"].is_string());
    }
    let args = ["train", "--data", ".", "--model", "krr", "--ridge", "1", "--trace", "run.jsonl", "--quiet"];
    assert!(run(folder.path(), &args).status.success());
    let text = fs::read_to_string(folder.path().join("run.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["settings"]["ridge"].as_f64(), Some(1.0), "{text}");
    assert_eq!(first["settings"]["normalize"].as_bool(), Some(true));
}

#[test]
fn what_a_table_holds() {
    let folder = tempfile::tempdir().unwrap();
    let text = "size,colour,none\n1.5,red,\n,blue,\n-3,red,\n4,red,\n";
    std::fs::write(folder.path().join("t.csv"), text).unwrap();
    let output = run(folder.path(), &["data", "info", "t.csv"]);
    let expected = "table: 4 rows of 3 columns\n  size    numbers from -3 to 4; 1 missing\n  colour  text, 2 different: \
                    blue 25.0 %, red 75.0 %\n  none    numbers, all of them missing; 4 missing\n";
    assert_eq!(stdout(&output), expected, "{}", stderr(&output));
    std::fs::write(folder.path().join("t.csv"), "a,b\n1,2\n3\n").unwrap();
    assert!(error(folder.path(), &["data", "info", "t.csv"]).contains("line 3"));
}

/// A name is one line, whatever stands in it.
#[test]
fn names_and_texts_of_a_table_make_no_lines() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..8).map(|i| format!("{i},{}\n", ["\"a\nb\"", "c"][i % 2])).collect();
    fs::write(folder.path().join("t.csv"), format!("\"x\ny\",kind\n{rows}")).unwrap();
    let output = run(folder.path(), &["data", "info", "t.csv"]);
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("  x\\ny  numbers from 0 to 7\n"), "{text}");
    assert!(text.contains(r"a\nb 50.0 %, c 50.0 %"), "{text}");
}

#[test]
fn a_folder_of_two_data_sets_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["data", "synth", "moons", "--samples", "40", "--out", "."]);
    let args = ["train", "-q", "--data", ".", "--epochs", "1", "--hidden", "4", "--save", "m.st"];
    succeeds(folder.path(), &args);
    for set in ["train", "t10k"] {
        write_set(folder.path(), set, IdxData::U8(pixels(20).into()), &labels(20));
    }
    let expected = "there are features.idx and train-images-idx3-ubyte: which data set is meant? remove one";
    for args in [&args[..], &["data", "info", "."], &["evaluate", "m.st", "--data", "."]] {
        let message = error(folder.path(), args);
        assert!(message.contains(expected), "{args:?}: {message}");
    }
    fs::remove_file(folder.path().join("features.idx")).unwrap();
    succeeds(folder.path(), &args);
}

#[test]
fn test_samples_of_a_set_without_images_are_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["data", "synth", "moons", "--test", "9", "--out", "m"]);
    assert_eq!(output.status.code(), Some(2));
    let why = "error: --test has no meaning for moons: only images become a training and a test set";
    assert!(stderr(&output).starts_with(why), "{}", stderr(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_set_is_written_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["data", "synth", "digits", "--samples", "40000", "--out", "d"];
    let mut child =
        tapegrad(folder.path(), &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Until it listens: bit 1 of the signals that are caught.
    let status = format!("/proc/{}/status", child.id());
    let listens = || {
        let status = fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & 2 != 0
    };
    while !listens() {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(message.starts_with("interrupted") && message.lines().count() == 1, "{message}");
    let left = fs::read_dir(folder.path().join("d")).map_or(0, |entries| entries.count());
    assert_eq!(left, if message.contains("nothing was written") { 0 } else { 4 }, "{message}");
}

#[test]
fn as_many_components_as_rows_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String =
        (0..10).map(|i| format!("{i},{},{},{},{},{}\n", i % 3, i % 4, i % 5, i % 7, i % 2)).collect();
    fs::write(folder.path().join("t.csv"), format!("a,b,c,d,e,y\n{rows}")).unwrap();
    let train =
        ["train", "-q", "--data", "t.csv", "--target", "y", "--test", "0.5", "--epochs", "1", "--pca"];
    assert!(succeeds(folder.path(), &[&train[..], &["3"]].concat()).starts_with("test "));
    let message = error(folder.path(), &[&train[..], &["5"]].concat());
    assert!(message.starts_with("error: --pca: 5 dimensions of 5 rows; allowed is 1 to 4"), "{message}");
}

/// Advice for a table that a model is asked about is such as can be followed there.
#[test]
fn a_missing_cell_of_a_later_table() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..20).map(|i| format!("{i},{}\n", ["no", "yes"][i / 10])).collect();
    fs::write(folder.path().join("t.csv"), format!("x,y\n{rows}")).unwrap();
    fs::write(folder.path().join("later.csv"), "x,y\n1,no\n,yes\n").unwrap();
    let args = ["train", "-q", "--data", "t.csv", "--target", "y", "--epochs", "1", "--save", "m.st"];
    succeeds(folder.path(), &args);
    let expected = "error: later.csv: line 3: column \"x\": the cell is missing; fill it, leave the \
                    row out, or train with missing cells allowed\n";
    for args in [&["predict", "m.st", "later.csv"][..], &["evaluate", "m.st", "--data", "later.csv"]] {
        assert_eq!(error(folder.path(), args), expected);
    }
}

#[test]
fn files_beside_the_images_of_a_folder_are_told() {
    let folder = tempfile::tempdir().unwrap();
    for set in ["train", "t10k"] {
        write_set(folder.path(), set, IdxData::U8(pixels(20).into()), &labels(20));
    }
    succeeds(
        folder.path(),
        &["train", "-q", "--data", ".", "--epochs", "1", "--hidden", "4", "--save", "m.st"],
    );
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    let image = tapegrad::report::Image::from_fn(2, 2, |_, _| [9, 9, 9, 255]).png();
    ["a.png", "B.PNG"].iter().for_each(|name| fs::write(pictures.join(name), &image).unwrap());
    let asked = || {
        let output = run(folder.path(), &["predict", "m.st", "pictures"]);
        assert_eq!(stdout(&output).lines().count(), 2, "{}", stderr(&output));
        stderr(&output)
    };
    assert_eq!(asked(), "");
    fs::write(pictures.join("notes.txt"), "").unwrap();
    assert_eq!(asked(), "1 file of pictures left out, no .png: notes.txt\n");
    fs::write(pictures.join("b.jpg"), "").unwrap();
    assert_eq!(asked(), "2 files of pictures left out, no .png: b.jpg, …\n");
}
