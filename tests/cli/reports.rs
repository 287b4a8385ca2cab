//! `experiments` as a user meets it: what it lists, the folder of its report, an interruption.

use std::path::Path;
use std::process::Stdio;

#[cfg(unix)]
use crate::program::interrupt;
use crate::program::{error, run, stderr, stdout, tapegrad};

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
        ("\"kind\":\"Adam\"", "\"kind\":\"../../victim\""),
        ("\"kind\":\"Adam\"", &format!("\"kind\":\"{evil}\"")),
        ("\"end\":[", "\"end\":[7,"),
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
    assert!(page.contains("&lt;script&gt;") && page.matches("<script").count() == 1, "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
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
