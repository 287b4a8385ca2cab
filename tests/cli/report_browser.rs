//! The page of a report in a real browser: every figure is there, nothing is fetched, all but the headlines is folded,
//! the keyboard reaches folds and sliders, which move, and whatever is written can be read, in light and dark.
//!
//! Skipped, and said so, where there is no Chromium on the PATH.

use std::path::Path;
use std::process::{Command, Stdio};

use tapegrad::experiments::EXPERIMENTS;
use tapegrad::experiments::sentences::SENTENCES;

use crate::experiments::quick_report;

/// The page as the browser has it once it has loaded; `None` where there is none.
fn dump_dom(page: &Path, profile: &Path, (width, dark): (&str, bool)) -> Option<String> {
    for browser in ["chromium", "chromium-browser", "google-chrome"] {
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom"])
            // A resolver that knows no names: what the page tried to fetch would be missing.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND")
            .arg(format!("--blink-settings=preferredColorScheme={}", if dark { 0 } else { 1 }))
            .arg(format!("--window-size={width},900"))
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

/// Put into a copy of the page, this tells what the browser has laid out on that many pixels: of the page as it comes,
/// its height, what is unfolded, whether sliders leave one drawing, the last at their end, and what of both the
/// keyboard cannot reach; how many sentences of the source lack their links, which texts are cut off, and what values the
/// pointer is told. Then, with everything unfolded: for each drawing the least of its size and the extent of what is
/// drawn, the texts that leave it, and those that lie on each other; for the page, how far it runs over; and texts that
/// are too pale or too small. (A window can be no narrower than 500 pixels, an element can.)
const MEASURE: &str = r#"<script>
const root = document.documentElement, main = document.querySelector('main');
root.style.width = 'WIDTHpx';
root.setAttribute('data-unfolded', document.querySelectorAll('details[open]').length);
root.setAttribute('data-height', root.scrollHeight);
const sliders = [...document.querySelectorAll('.sliders')];
const stuck = sliders.filter(form => {
  for (const input of form.querySelectorAll('input')) {
    input.value = input.max;
    input.dispatchEvent(new Event('input'));
  }
  const frames = [...form.nextElementSibling.children];
  const seen = frames.filter(frame => frame.style.display !== 'none');
  return seen.length !== 1 || seen[0] !== frames[frames.length - 1];
});
root.setAttribute('data-moved', `${sliders.length} sliders, ${stuck.length} stuck`);
for (const form of sliders) {
  const panels = form.nextElementSibling;
  panels.classList.remove('one');
  [...panels.children].forEach(frame => { frame.style.display = ''; });
}
// What takes the focus takes keys, and a click is what Enter does.
const reached = element => {
  element.focus({preventScroll: true});
  return document.activeElement === element;
};
const inputs = sliders.flatMap(form => [...form.querySelectorAll('input')]);
const mute = inputs.filter(input => !input.labels.length || !input.getAttribute('aria-valuetext'));
const turns = (details, summary) => {
  summary.click();
  const other = details.open;
  summary.click();
  return other && !details.open;
};
// Of a folded line of the table of sentences: a link for what was measured, which the line itself does not swallow.
const lines = [...document.querySelectorAll('.answers>li')];
const astray = lines.filter(line => {
  const links = [...line.querySelectorAll('.to a')];
  const measured = line.querySelector('.rest a') !== null;
  return measured !== links.length > 0 || line.querySelector('summary a') || !links.every(reached);
});
root.setAttribute('data-answers', `${lines.length} sentences, ${astray.length} without their links`);
const hidden = [...main.querySelectorAll('*')].filter(element => {
  const clips = ['hidden', 'clip'].includes(getComputedStyle(element).overflowY);
  return clips && !element.closest('svg, .unseen') && element.scrollHeight > element.clientHeight + 1;
});
root.setAttribute('data-hidden', hidden.map(element => element.textContent.slice(0, 40)).join('; '));
// From the outside to the inside: what is folded away can have no focus.
const folds = [...document.querySelectorAll('details')];
const stiff = folds.filter(details => {
  const summary = details.firstElementChild;
  const good = reached(summary) && turns(details, summary);
  details.open = true;
  return !good;
});
const lost = inputs.filter(input => !reached(input));
root.setAttribute('data-folds', folds.length);
root.setAttribute('data-keys', `${stiff.length} folds, ${lost.length} sliders, ${mute.length} without a name or value`);
// Near a point of a line the pointer is told the point's own values: on this line these are whole epochs.
const line = document.querySelector('#optimizers svg[data-x] svg polyline'), chart = line.closest('svg[data-x]');
const tell = (chart, x, y) => {
  const scale = chart.getScreenCTM();
  const pointer = {clientX: scale.e + scale.a * x, clientY: scale.f + scale.d * y, bubbles: true};
  chart.dispatchEvent(new PointerEvent('pointermove', pointer));
  const tip = document.querySelector('.tip');
  return tip.style.display === 'block' ? tip.textContent : 'nothing';
};
const told = [...line.points].map(point => tell(chart, point.x + 2, point.y - 2));
const broken = told.filter(text => !/^\([1-9]\d*, \d[\d.e−]*\)$/.test(text));
root.setAttribute('data-told', `${told.length > 2 ? 'points' : 'too few points'}, ${broken.length} without whole epochs ${broken}`);
// And near the middle of a mark those of the middle.
const some = chart => [...chart.querySelectorAll('svg :is(circle, polygon)')].slice(0, 3);
const marked = [...document.querySelectorAll('svg[data-x]')].flatMap(some).filter(mark => {
  const {x, y, width, height} = mark.getBBox();
  const near = off => tell(mark.closest('svg[data-x]'), x + width / 2 + off, y + height / 2 + off);
  return width < 20 && near(0) !== 'nothing' && near(0) === near(1.5);
});
root.setAttribute('data-marked', ['circle', 'polygon'].filter(name => marked.some(mark => mark.tagName === name)));

// WCAG 2.2, 1.4.3.
const light = color => {
  const [r, g, b] = color.match(/[\d.]+/g).slice(0, 3).map(x => x / 255)
    .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const paper = getComputedStyle(document.body).backgroundColor;
const contrast = color => {
  const [a, b] = [light(color), light(paper)].sort((a, b) => b - a);
  return (a + 0.05) / (b + 0.05);
};
const pale = new Set(), small = new Set();
const judge = (element, color, size, least) => {
  const text = element.textContent.trim().slice(0, 40);
  if (contrast(color) < 4.5) pale.add(`${text}: ${contrast(color).toFixed(2)}`);
  if (size < least) small.add(`${text}: ${size.toFixed(1)}`);
};
for (const element of main.querySelectorAll('*')) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || element.closest('svg, .unseen')) continue;
  const style = getComputedStyle(element);
  // Indices of formulas are small by nature.
  const size = element.closest('math') ? Infinity : parseFloat(style.fontSize);
  judge(element, style.color, size, 12.5);
}
for (const text of main.querySelectorAll('figure text')) {
  const style = getComputedStyle(text);
  judge(text, style.fill, parseFloat(style.fontSize) * Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b), 9.5);
}
root.setAttribute('data-paper', light(paper) > 0.5 ? 'light' : 'dark');
root.setAttribute('data-pale', [...pale].join('; '));
root.setAttribute('data-small', [...small].join('; '));

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
  const texts = nested ? [] : [...svg.querySelectorAll('text')].map(text => [text, text.getBoundingClientRect()]);
  const both = ([, a], [, b]) => Math.min(
    Math.min(a.right, b.right) - Math.max(a.left, b.left),
    // Lines of text have some room above and below their letters.
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) - 2,
  );
  const pairs = texts.flatMap((a, i) => texts.slice(0, i).filter(b => both(a, b) > 1).map(b => [a[0], b[0]]));
  svg.setAttribute('data-overlap', pairs.map(pair => pair.map(text => text.textContent).join(' on ')).join('; '));
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
    assert_eq!(written.matches("<script").count(), 1);
    assert!(!written.contains("<link") && !written.contains("<iframe"));
    assert!(written.len() < 6 << 20, "{} bytes", written.len());

    let windows =
        [("1280", "1216", false), ("1280", "1216", true), ("420", "420", false), ("420", "420", true)];
    for (window, width, dark) in windows {
        let measure = MEASURE.replace("WIDTH", window);
        let measured = folder.path().join("measured.html");
        std::fs::write(&measured, written.replace("</body>", &format!("{measure}</body>"))).unwrap();
        let profile = folder.path().join("profile");
        let Some(dom) = dump_dom(&measured, &profile, (window, dark)) else { return };
        assert_eq!(fetched(&dom), Vec::<&str>::new());
        assert_eq!(values(&dom, "data-width"), [width]);
        assert_eq!(values(&dom, "data-over"), ["0"], "the page is wider than {window} pixels");
        assert_eq!(values(&dom, "data-paper"), [if dark { "dark" } else { "light" }]);
        assert_eq!(values(&dom, "data-pale"), [""], "contrast below 4.5");
        assert_eq!(values(&dom, "data-small"), [""], "too small at {window} pixels");
        assert_eq!(values(&dom, "data-unfolded"), ["0"]);
        assert_eq!(values(&dom, "data-moved"), ["3 sliders, 0 stuck"]);
        assert_eq!(values(&dom, "data-keys"), ["0 folds, 0 sliders, 0 without a name or value"]);
        assert_eq!(values(&dom, "data-told"), ["points, 0 without whole epochs "]);
        assert_eq!(values(&dom, "data-marked"), ["circle,polygon"]);
        let folds: usize = values(&dom, "data-folds")[0].parse().unwrap();
        assert!(folds > 3 * EXPERIMENTS.len(), "{folds} folds");
        let answers = format!("{} sentences, 0 without their links", SENTENCES.len());
        assert_eq!(values(&dom, "data-answers"), [answers]);
        assert_eq!(values(&dom, "data-hidden"), [""], "cut off at {window} pixels");
        let height: usize = values(&dom, "data-height")[0].parse().unwrap();
        assert!(window != "1280" || height <= 15_000, "the folded page is {height} pixels tall");
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
    for overlap in values(figure, "data-overlap") {
        assert_eq!(overlap, "", "{name}: texts lie on each other");
    }
    // A browser that stumbled over the markup would have closed elements where it did.
    let marks = ["<polyline", "<polygon", "<path", "<rect", "<circle", "<image"];
    let drawn: usize = marks.iter().map(|mark| figure.matches(mark).count()).sum();
    assert!(drawn > 5 * sizes.len(), "{name}: {drawn} marks in {} drawings", sizes.len());
    assert!(figure.contains("<text"), "{name} has no text");
    // The letters of a picture's bytes may spell anything.
    let pictures = parts(figure, "base64,", "\"");
    let drawn = pictures.iter().fold(figure.to_string(), |figure, picture| figure.replace(picture, ""));
    assert!(!drawn.contains("NaN") && !drawn.contains("inf,"), "{name} has coordinates that are no numbers");
}

/// On a narrow page panels stand below each other; and a drawing knows no typesetting.
#[test]
fn words_of_figures_are_true_of_any_width() {
    let page = std::fs::read_to_string(quick_report().join("index.html")).unwrap();
    let figures = parts(&page, "<figure", "</figure>");
    assert!(figures.len() >= EXPERIMENTS.len(), "{} figures", figures.len());
    for figure in figures {
        let (name, caption) =
            parts(figure, "<figcaption><b>", "</figcaption>")[0].split_once("</b> ").unwrap();
        // A symbol may begin a sentence.
        assert!(
            !caption.starts_with(|c: char| c.is_ascii_lowercase()),
            "{name} begins in the middle: {caption}"
        );
        for place in ["On the left", "On the right", "left panel", "right panel"] {
            assert!(!caption.contains(place), "{name}: `{place}` is not there on a narrow page: {caption}");
        }
        for text in parts(figure, "<text", "</text>") {
            let text = text.split_once('>').unwrap().1;
            assert!(!text.contains(['^', '_']), "{name}: `{text}` is no formula");
        }
    }
}
