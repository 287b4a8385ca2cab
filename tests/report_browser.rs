//! The page of a report in a real browser: every figure is there, and nothing is fetched.
//!
//! Skipped, and said so, where there is no Chromium on the PATH.

use std::path::Path;
use std::process::{Command, Stdio};

/// The page as the browser sees it once it has loaded; `None` where there is no browser.
fn dump_dom(page: &Path, profile: &Path) -> Option<String> {
    for browser in ["chromium", "chromium-browser", "google-chrome"] {
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            // A resolver that knows no names: what the page tried to fetch would be missing.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND")
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("file://{}", page.display()))
            .stderr(Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => {
                return Some(String::from_utf8(output.stdout).unwrap());
            }
            Ok(output) => panic!("{browser} failed: {}", output.status),
            Err(_) => continue,
        }
    }
    eprintln!("SKIPPED: there is no chromium, chromium-browser or google-chrome on the PATH");
    None
}

/// The parts of `text` from `begin` to the next `end` behind it.
fn parts<'a>(text: &'a str, begin: &'a str, end: &'a str) -> Vec<&'a str> {
    text.match_indices(begin)
        .map(|(at, _)| {
            let rest = &text[at..];
            &rest[..rest.find(end).unwrap_or(rest.len())]
        })
        .collect()
}

/// What the page would fetch: any address but one within it, or one that holds its contents.
fn fetched(page: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for attribute in [" href=\"", " src=\"", " srcset=\"", "url(", "@import"] {
        for (at, _) in page.match_indices(attribute) {
            let rest = &page[at + attribute.len()..];
            let address = &rest[..rest.find(['"', ')', ';']).unwrap_or(rest.len())];
            if !address.starts_with('#') && !address.starts_with("data:") {
                found.push(&rest[..address.len().min(60)]);
            }
        }
    }
    found
}

#[test]
fn every_figure_renders_and_nothing_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let made = Command::new(env!("CARGO_BIN_EXE_tapegrad"))
        .args(["experiments", "graph-size", "rosenbrock", "samples", "spiral", "--quick", "--out"])
        .arg(&report)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let page = report.join("index.html");
    let written = std::fs::read_to_string(&page).unwrap();
    assert_eq!(fetched(&written), Vec::<&str>::new());
    assert!(!written.contains("<script") && !written.contains("<link") && !written.contains("<iframe"));

    let Some(dom) = dump_dom(&page, &folder.path().join("profile")) else { return };
    assert_eq!(fetched(&dom), Vec::<&str>::new());
    let figures = parts(&dom, "<figure", "</figure>");
    assert_eq!(figures.len(), parts(&written, "<figure", "</figure>").len());
    assert!(figures.len() >= 7, "{} figures", figures.len());
    for figure in figures {
        let name = parts(figure, "<figcaption><b>", "</b>")[0];
        let drawings = parts(figure, "<svg viewBox", "aria-label").len();
        // A browser that stumbled over the markup would have closed elements where it did.
        let marks = ["<polyline", "<polygon", "<path", "<rect", "<circle", "<image"];
        let drawn: usize = marks.iter().map(|mark| figure.matches(mark).count()).sum();
        assert!(drawings >= 1 && drawn > 5 * drawings, "{name}: {drawn} marks in {drawings} drawings");
        assert!(figure.contains("<text"), "{name} has no text");
        assert!(
            !figure.contains("NaN") && !figure.contains("inf,"),
            "{name} has coordinates that are no numbers"
        );
        assert!(figure.contains("<figcaption>"), "{name} has no caption");
    }
}
