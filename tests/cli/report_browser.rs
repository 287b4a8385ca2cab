//! The page of a report in a real browser: every figure is there, and nothing is fetched.
//!
//! Skipped, and said so, where there is no Chromium on the PATH.

use std::path::Path;
use std::process::{Command, Stdio};

use tapegrad::experiments::EXPERIMENTS;

use crate::experiments::quick_report;

/// The page as the browser has it once it has loaded; `None` where there is none.
fn dump_dom(page: &Path, profile: &Path) -> Option<String> {
    for browser in ["chromium", "chromium-browser", "google-chrome"] {
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom"])
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

/// Put into a copy of the page, this tells what the browser has laid out on that many pixels: for each
/// drawing the least of its size and the extent of what is drawn, and the texts that leave it; for the page,
/// how far it runs over. (A window can be no narrower than 500 pixels, an element can.)
const MEASURE: &str = r#"<script>
const root = document.documentElement, main = document.querySelector('main');
root.style.width = 'WIDTHpx';
for (const svg of document.querySelectorAll('figure svg')) {
  const box = svg.getBoundingClientRect();
  // Within the axes lines may lie as flat as the data is: their window counts, not what is drawn in it.
  const scale = svg.getScreenCTM().a;
  const inner = {width: scale * svg.width.baseVal.value, height: scale * svg.height.baseVal.value};
  const nested = svg.ownerSVGElement !== null;
  const sizes = nested ? [inner] : [box, svg.getBBox()];
  const over = text => {
    const t = text.getBoundingClientRect();
    return Math.max(box.left - t.left, t.right - box.right, box.top - t.top, t.bottom - box.bottom);
  };
  const outside = [...svg.querySelectorAll('text')].filter(text => over(text) > 1);
  svg.setAttribute('data-size', Math.min(...sizes.flatMap(size => [size.width, size.height])));
  svg.setAttribute('data-outside', outside.map(text => `${text.textContent} by ${over(text)}`).join('; '));
}
root.setAttribute('data-width', main.getBoundingClientRect().width);
root.setAttribute('data-over', main.scrollWidth - main.clientWidth);
</script>"#;

/// The value of each attribute of that name.
fn values<'a>(text: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!("{attribute}=\"");
    let from = text.match_indices(&begin).map(|(at, _)| &text[at + begin.len()..]);
    from.map(|rest| &rest[..rest.find('"').unwrap_or(rest.len())]).collect()
}

#[test]
fn every_figure_renders_and_nothing_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    // A copy of the page: other tests read the report.
    let report = quick_report();
    let page = report.join("index.html");
    let written = std::fs::read_to_string(&page).unwrap();
    assert_eq!(fetched(&written), Vec::<&str>::new());
    assert!(!written.contains("<script") && !written.contains("<link") && !written.contains("<iframe"));

    for (window, width) in [("1280", "992"), ("420", "420")] {
        let measure = MEASURE.replace("WIDTH", window);
        let measured = folder.path().join("measured.html");
        std::fs::write(&measured, written.replace("</body>", &format!("{measure}</body>"))).unwrap();
        let Some(dom) = dump_dom(&measured, &folder.path().join("profile")) else { return };
        assert_eq!(fetched(&dom), Vec::<&str>::new());
        assert_eq!(values(&dom, "data-width"), [width]);
        assert_eq!(values(&dom, "data-over"), ["0"], "the page is wider than {window} pixels");
        let figures = parts(&dom, "<figure", "</figure>");
        assert_eq!(figures.len(), parts(&written, "<figure", "</figure>").len());
        assert!(figures.len() >= EXPERIMENTS.len(), "{} figures", figures.len());
        for figure in figures {
            check_figure(figure);
        }
    }
}

fn check_figure(figure: &str) {
    let name = parts(figure, "<figcaption><b>", "</b>")[0];
    let sizes = values(figure, "data-size");
    assert!(!sizes.is_empty(), "{name} has no drawing");
    for size in &sizes {
        assert!(size.parse::<f64>().unwrap() > 30.0, "{name} is laid out {size} pixels small");
    }
    for outside in values(figure, "data-outside") {
        assert_eq!(outside, "", "{name}: text leaves its drawing");
    }
    // A browser that stumbled over the markup would have closed elements where it did.
    let marks = ["<polyline", "<polygon", "<path", "<rect", "<circle", "<image"];
    let drawn: usize = marks.iter().map(|mark| figure.matches(mark).count()).sum();
    assert!(drawn > 5 * sizes.len(), "{name}: {drawn} marks in {} drawings", sizes.len());
    assert!(figure.contains("<text"), "{name} has no text");
    assert!(
        !figure.contains("NaN") && !figure.contains("inf,"),
        "{name} has coordinates that are no numbers"
    );
}
