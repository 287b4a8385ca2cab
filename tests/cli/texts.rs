//! Texts from the command line: a model learns one, is saved, asked, gone on with, drawn, and continues prompts.

use std::fs;
use std::path::Path;

use crate::program::{RESUMED, error, goes_on_to_the_same_end, misused, run, stderr, stdout, succeeds};

/// Sums in words, of which no two lines are the same: `7 and 12 is 19`.
fn sums(from: usize, to: usize) -> String {
    (from..to).map(|i| format!("{} and {} is {}\n", i % 23, i * 7 % 31, i % 23 + i * 7 % 31)).collect()
}

/// A text to learn from and one to test on.
fn texts(folder: &Path) {
    fs::write(folder.join("sums.txt"), sums(0, 500)).unwrap();
    fs::write(folder.join("others.txt"), sums(500, 560)).unwrap();
}

const SMALL: [&str; 12] = [
    "--model",
    "gpt",
    "--context",
    "24",
    "--blocks",
    "1",
    "--width",
    "24",
    "--heads",
    "2",
    "--expansion",
    "2",
];

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "-q", "--data", "sums.txt"], &SMALL[..], more].concat()
}

/// The number behind `name` in a line of results.
fn number(line: &str, before: &str) -> f64 {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words
        .iter()
        .position(|word| word.trim_end_matches(',') == before)
        .unwrap_or_else(|| panic!("{line}"));
    words[at - 1].parse().unwrap_or_else(|_| words[at + 1].trim_end_matches(',').parse().unwrap())
}

#[test]
fn a_text_is_learnt_and_continued() {
    let folder = tempfile::tempdir().unwrap();
    texts(folder.path());
    let flags = [
        "--epochs",
        "40",
        "--lr",
        "0.005",
        "--test",
        "others.txt",
        "--save",
        "m.st",
        "--trace",
        "t.csv",
        "--report",
        "r.html",
    ];
    let last = succeeds(folder.path(), &train(&flags));
    // Of 13 different bytes, and the words are known after their first letter: the digits cost most.
    assert!(number(&last, "bits") < 1.2, "{last}");
    let trace = fs::read_to_string(folder.path().join("t.csv")).unwrap();
    for part in
        ["model = gpt of 256 tokens, context 24, 1 block of width 24", "stride = 12", "test_bits_per_byte"]
    {
        assert!(trace.contains(part), "{part}: {trace}");
    }
    let report = fs::read_to_string(folder.path().join("r.html")).unwrap();
    for part in [
        "gpt of 256 tokens",
        ": test bits a byte ",
        "as the text goes on",
        "Gradient flow",
        "There is no confusion",
    ] {
        assert!(report.contains(part), "{part}");
    }
    assert!(!report.contains("Worst mistakes") && !report.contains("recall"));
    let evaluated = ["evaluate", "m.st", "--data", "others.txt"];
    assert_eq!(succeeds(folder.path(), &[&evaluated[..], &["-q"]].concat()), last);
    assert!(succeeds(folder.path(), &evaluated).contains(" tokens)\n\ntest loss"));
    let inspected = succeeds(folder.path(), &["inspect", "m.st"]);
    assert!(inspected.contains("tells: the byte that follows\n"), "{inspected}");

    fs::write(folder.path().join("prompt"), "3 and 4 i").unwrap();
    let answer = succeeds(folder.path(), &["predict", "m.st", "prompt", "--format", "csv"]);
    let lines: Vec<&str> = answer.lines().collect();
    assert!(lines.len() == 2 && lines[1].starts_with("s,"), "{answer}");

    let generate = |flags: &[&str]| {
        let output = run(folder.path(), &[&["generate", "m.st"], flags].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        (stdout(&output), stderr(&output))
    };
    let greedy = ["--prompt", "3 and 4 i", "--temperature", "0", "--length", "40"];
    let (text, notes) = generate(&greedy);
    assert!(
        text.starts_with("s ") && text.contains(" and ") && text.len() == 40 && notes.is_empty(),
        "{text}"
    );
    assert_eq!(generate(&[&greedy[..], &["--seed", "9"]].concat()).0, text);
    let one = ["--prompt", "3 and 4 i", "--top-k", "1", "--length", "40"];
    assert_eq!(generate(&one).0, text);
    let drawn =
        |seed| generate(&["--prompt", "1", "--length", "300", "--temperature", "3", "--seed", seed]).0;
    assert_eq!(drawn("4"), drawn("4"));
    assert_ne!(drawn("4"), drawn("5"));
    // What is never seen again makes no difference.
    let long = format!("{}5 and 5 is 10\n", "x".repeat(100));
    let (seen, notes) = generate(&["--prompt", &long, "--length", "60"]);
    assert_eq!(notes, "note: the prompt has 114 bytes, and the model sees the last 24\n");
    assert_eq!(generate(&["--prompt", &long[90..], "--length", "60"]), (seen, String::new()));
    assert_eq!(generate(&["--prompt", "-1", "--length", "0"]).0, "");
}

/// What was interrupted goes on to the same bits, whatever the number of threads.
#[test]
fn a_run_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    texts(folder.path());
    let flags = ["--validation", "0.2", "--dropout", "0.1", "--stride", "10", "--batch", "16"];
    let args = train(&flags);
    goes_on_to_the_same_end(folder.path(), &args, "7");
    fs::write(folder.path().join("sums.txt"), sums(1, 501)).unwrap();
    assert!(error(folder.path(), &RESUMED).contains("the run had other training samples"));
}

#[test]
fn drawn() {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(folder.path(), &["graph", "--model", "gpt", "--context", "6", "--batch", "2"]);
    for part in
        ["embedding.positions", "12×64", "attention v", "block2.down.weight", "12×256", "cross_entropy v"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let inputs = misused(folder.path(), &["graph", "--model", "gpt", "--inputs", "6"]);
    assert!(inputs.contains("--inputs has no meaning for --model gpt"), "{inputs}");
    let patch = misused(folder.path(), &["graph", "--model", "gpt", "--patch", "2"]);
    assert!(patch.contains("--patch has no meaning for --model gpt"), "{patch}");
}

#[test]
fn what_does_not_fit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    texts(folder.path());
    let folder = folder.path();
    fs::write(folder.join("empty"), "").unwrap();
    fs::write(folder.join("short"), "abcdefghij").unwrap();
    let gpt = |flags: &[&str]| error(folder, &[&["train", "--model", "gpt"], flags].concat());
    assert!(gpt(&[]).contains("--data: which text?"));
    assert!(gpt(&["--data", "empty"]).contains("empty: an empty file is no text"));
    assert!(gpt(&["--data", "."]).contains("expected the file of a text, found a folder"));
    assert!(gpt(&["--data", "none"]).contains("none"));
    assert!(
        gpt(&["--data", "short"]).contains(
            "training part: a text of 9 bytes is shorter than a window of 128 and the byte behind it"
        )
    );
    assert!(
        gpt(&["--data", "short", "--context", "4"])
            .contains("test part: a text of 1 byte is shorter than a window of 4")
    );
    assert!(gpt(&["--data", "sums.txt", "--context", "1"]).contains("--context: 1 is not at least 2"));
    // A file of zeros, and windows that overlap a hundred thousand times.
    fs::File::create(folder.join("long")).unwrap().set_len(40_000_000).unwrap();
    let many = gpt(&["--data", "long", "--context", "100000", "--stride", "1"]);
    assert!(many.contains("--stride: 36000000 windows of 100000 bytes would take about"), "{many}");
    assert!(gpt(&["--data", "sums.txt", "--stride", "0"]).contains("--stride: 0 is not at least 1"));
    assert!(
        gpt(&["--data", "sums.txt", "--heads", "7"]).contains("--heads: 7 heads do not divide a width of 64")
    );
    assert!(gpt(&["--data", "sums.txt", "--pca", "3"]).contains("--pca: it has no meaning for a text"));
    assert!(gpt(&["--data", "sums.txt", "--target", "x"]).contains("--target: it has no meaning for a text"));
    assert!(gpt(&["--data", "sums.txt", "--width", "4000000000", "--heads", "1"]).contains("--expansion: "));
    assert!(gpt(&["--data", "sums.txt", "--class-weight", "balanced"]).contains("one label for each sample"));
    assert!(gpt(&["--data", "sums.txt", "--save", "sums.txt"]).contains("is read by this command"));

    succeeds(folder, &train(&["--epochs", "1", "--save", "m.st"]));
    let generate = |flags: &[&str]| error(folder, &[&["generate", "m.st"], flags].concat());
    assert!(generate(&["--prompt", ""]).contains("--prompt: it is empty"));
    assert!(generate(&["--prompt", "a", "--temperature", "-1"]).contains("--temperature: -1 is not"));
    assert!(
        generate(&["--prompt", "a", "--top-k", "0"])
            .contains("--top-k: 0 of 256 tokens; allowed is 1 to 256")
    );
    assert!(generate(&["--prompt", "a", "--top-k", "999"]).contains("--top-k: 999 of 256 tokens"));
    let evaluated = error(folder, &["evaluate", "m.st", "--data", "short"]);
    assert!(
        evaluated.contains("short: a text of 10 bytes is too short: the model needs the 24"),
        "{evaluated}"
    );
    assert!(error(folder, &["predict", "m.st", "empty"]).contains("an empty file is no text"));
    let moons = "synth:moons,samples=60,test=20";
    succeeds(folder, &["train", "-q", "--data", moons, "--epochs", "1", "--save", "moons.st"]);
    let other = error(folder, &["generate", "moons.st", "--prompt", "a"]);
    assert!(other.contains("moons.st: mlp 2-128-2 relu is no model of text, byte by byte"), "{other}");
    let resumed = error(folder, &["train", "--resume", "moons.st", "--model", "gpt"]);
    assert!(resumed.contains("moons.st"), "{resumed}");
}
