//! The flags of a training by steps, and the page about a run.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs in a folder without `data/mnist`: on synthetic digits, few of them.
fn train(folder: &Path, flags: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapegrad"));
    command.args(["train", "--limit", "600"]).args(flags.split_whitespace());
    command.current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn succeeds(folder: &Path, flags: &str) -> String {
    let output = train(folder, flags);
    assert!(output.status.success(), "{flags}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and message of a run that fails.
#[track_caller]
fn fails(folder: &Path, flags: &str) -> (Option<i32>, String) {
    let output = train(folder, flags);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("error: ") && !message.contains("panicked"), "{flags}: {message}");
    (output.status.code(), message)
}

#[test]
fn a_scheduled_clipped_early_stopped_run_says_what_it_did_and_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let flags = "--hidden 32 --lr 0.01 --schedule cosine --warmup 5 --clip-norm 1 --validation 0.2 \
                 --early-stopping up:1:1 --epochs 60 --norm batch --dropout 0.1 --label-smoothing 0.05 --audit";
    let text = succeeds(folder.path(), &format!("{flags} --trace a.csv --threads 1"));
    assert!(text.contains("stopped early after epoch") && text.contains("are put back"), "{text}");
    assert!(
        text.contains("gradient flow in the last epoch, means over its steps:") && text.contains("relu1: "),
        "{text}"
    );
    let trace = std::fs::read_to_string(folder.path().join("a.csv")).unwrap();
    for line in [
        "# model = mlp 784-32-10 relu, batch norm, dropout 0.1",
        "# schedule = warmup steps=5, then cosine lr=0.01 min=0.0 steps=",
        "# clip_norm = 1",
        "# label_smoothing = 0.05",
        "# early_stopping = UP times=1 strip=1",
        "# best_epoch = ",
        "dead:relu1",
    ] {
        assert!(trace.contains(line), "{line}: {trace}");
    }
    // With another number of threads, and a report beside it, the same bytes.
    succeeds(folder.path(), &format!("{flags} --trace b.csv --threads 2 --quiet --report run.html"));
    assert_eq!(trace, std::fs::read_to_string(folder.path().join("b.csv")).unwrap());
}

#[test]
fn the_page_about_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let page = |flags: &str| {
        succeeds(folder.path(), &format!("{flags} --quiet --report run.html --trace run.csv"));
        std::fs::read_to_string(folder.path().join("run.html")).unwrap()
    };
    let of_steps = page("--epochs 2 --validation 0.1");
    for figure in ["The run, epoch by epoch", "Confusion matrix", "Worst mistakes", "Gradient flow"] {
        assert!(of_steps.contains(figure), "{figure}");
    }
    // The page's own script is the only one.
    assert!(of_steps.matches("<script").count() == 1 && !of_steps.contains("src=\"http"));
    assert!(of_steps.contains("tapegrad train"), "the command is shown");
    // The audits that the page shows are not in the trace, which does not depend on the page.
    assert!(
        !std::fs::read_to_string(folder.path().join("run.csv"))
            .unwrap()
            .contains("gradient_norm:linear1.weight")
    );
    let of_kernel = page("--model krr");
    assert!(of_kernel.contains("Worst mistakes") && !of_kernel.contains("epoch by epoch"));
    let (code, message) = fails(folder.path(), "--epochs 1 --report no/such/folder.html");
    assert_eq!(code, Some(1), "{message}");
}

#[test]
fn settings_that_make_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    for (flags, expected) in [
        ("--early-stopping gl:5", "error: --early-stopping: it needs samples to judge by"),
        ("--schedule plateau --warmup 3", "error: --warmup: plateau follows the epochs"),
        ("--clip-norm 0", "error: --clip-norm: 0 is not positive and finite"),
        ("--clip-value 1e-50", "error: --clip-value: 1e-50 is 0 as f32"),
        ("--clip-norm 1e39", "error: --clip-norm: 1e39 is not positive and finite (as f32)"),
        ("--lr 1e-50", "error: --lr: 1e-50 is 0 as f32"),
        ("--weight-decay 1e-50", "error: --weight-decay: 1e-50 is 0 as f32"),
        ("--l2 1e-50", "error: --l2: 1e-50 is 0 as f32"),
        ("--ema 0.99999999999", "error: --ema: 0.99999999999 is 1 as f32"),
        ("--label-smoothing 0.99999999999", "error: --label-smoothing: 0.99999999999 is 1 as f32"),
        ("--dropout 1e-50", "error: --dropout: 1e-50 is 0 as f32"),
        ("--warmup 18446744073709551615", "error: --warmup: 18446744073709551615 is more than the "),
        ("--clip-value nan", "error: --clip-value: NaN is not positive and finite"),
        ("--ema 1", "error: --ema: 1 is not in the range"),
        ("--l2=-1", "error: --l2: -1 is not finite and at least 0"),
        ("--dropout 1", "error: --dropout: 1 is not in the range"),
        ("--dropout 0.99999999", "error: --dropout: 0.99999999 is 1 as f32"),
        ("--epochs 1 --trace run.txt --report run.txt", "error: --report: run.txt is the trace already"),
        (
            "--epochs 1 --trace run.txt --report sub/../run.txt",
            "error: --report: sub/../run.txt is the trace",
        ),
        ("--label-smoothing 1", "error: --label-smoothing: 1 is not in [0, 1)"),
        ("--norm batch --batch 1", "error: --batch: 1 is too small"),
        ("--model logistic --scheme one-vs-rest --label-smoothing 0.1", "error: --label-smoothing: only the"),
        (
            "--validation 0.1 --early-stopping patience:0",
            "error: --early-stopping: patience: 0 is not at least 1",
        ),
    ] {
        let (code, message) = fails(folder.path(), flags);
        assert_eq!(code, Some(1), "{flags}: {message}");
        assert!(message.starts_with(expected), "{flags}: {message}");
    }
    for (flags, expected) in [
        ("--early-stopping best", "there are gl, pq, up and patience"),
        ("--early-stopping gl:x", "ALPHA is `x`"),
        ("--early-stopping patience", "EPOCHS is missing"),
        ("--schedule never", "possible values: constant"),
        ("--norm group", "possible values: none, batch, layer"),
        ("--model krr --dropout 0.1", "--dropout has no meaning for --model krr"),
        ("--model krr --clip-norm 1", "--clip-norm has no meaning for --model krr"),
    ] {
        let (code, message) = fails(folder.path(), flags);
        assert_eq!(code, Some(2), "{flags}: {message}");
        assert!(message.contains(expected), "{flags}: {message}");
    }
}

/// A link to the trace is the trace.
#[cfg(unix)]
#[test]
fn the_page_does_not_replace_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("run.txt"), "precious").unwrap();
    std::os::unix::fs::symlink("run.txt", folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("here")).unwrap();
    for report in ["link", "here/run.txt"] {
        let (_, message) = fails(folder.path(), &format!("--epochs 1 --trace run.txt --report {report}"));
        assert_eq!(message, format!("error: --report: {report} is the trace already\n"));
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("run.txt")).unwrap(), "precious");
}

/// A rate that makes everything overflow: an error that says where, or steps that are left out.
#[test]
fn gradients_that_are_not_finite() {
    let folder = tempfile::tempdir().unwrap();
    let (code, message) = fails(folder.path(), "--optimizer sgd --lr 1e38 --epochs 2");
    assert_eq!(code, Some(1));
    assert!(message.contains("epoch 1, step "), "{message}");
    let (code, message) = fails(folder.path(), "--optimizer sgd --lr 1e38 --epochs 2 --non-finite skip");
    assert_eq!(code, Some(1));
    assert!(message.contains("no step had a finite gradient"), "{message}");
}

/// A rate that is a number and moves nothing: the run goes on, and says so on stderr and in the trace.
#[test]
fn a_run_in_which_nothing_moves() {
    let folder = tempfile::tempdir().unwrap();
    let flags = "--optimizer sgd --lr 1e-30 --epochs 2 --trace run.txt";
    let output = train(folder.path(), flags);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{message}");
    assert!(
        message.contains(
            "not moved by a single bit in the whole run: linear1.weight, linear2.weight; their grad"
        ),
        "{message}"
    );
    let trace = std::fs::read_to_string(folder.path().join("run.txt")).unwrap();
    assert!(trace.contains("# unmoved_parameters = 2\n"), "{trace}");
}
