//! Text from outside (paths, names, arguments) as it may be shown, and as a field of a CSV file.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// What a terminal would act on instead of showing it: control characters, the separators of lines and
/// paragraphs, and the marks that turn the direction of the text.
fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, acts: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// A text on one line, with what a terminal would act on written as `\n`, `\u{1b}` and the like.
///
/// ```
/// assert_eq!(tapegrad::text::printable("a\n\u{1b}[31mb"), r"a\n\u{1b}[31mb");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, acts)
}

/// As [`printable`], of a text of several lines: line feeds and tabs stay.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| acts(c) && c != '\n' && c != '\t')
}

/// A path for a message: [printable], and `""` where it is empty.
pub fn path(path: &Path) -> String {
    match path.to_string_lossy() {
        name if name.is_empty() => "\"\"".into(),
        name => printable(&name).into_owned(),
    }
}

/// A field of a CSV file (RFC 4180): in quotation marks where it holds a comma, a quotation mark, a line
/// break or a `#`, which many readers take for the beginning of a comment.
///
/// ```
/// assert_eq!(tapegrad::text::csv_field("conv,1"), "\"conv,1\"");
/// assert_eq!(tapegrad::text::csv_field("say \"no\""), "\"say \"\"no\"\"\"");
/// ```
pub fn csv_field(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r', '#']) {
        return Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")));
    }
    Cow::Borrowed(text)
}

/// A number with what it counts, in the singular for one: `1 sample`, `3 classes`.
///
/// ```
/// use tapegrad::text::count;
/// assert_eq!([count(0, "class"), count(1, "class"), count(2, "epoch")], ["0 classes", "1 class", "2 epochs"]);
/// assert_eq!([count(1, "entry"), count(2, "entry"), count(2, "array")], ["1 entry", "2 entries", "2 arrays"]);
/// assert_eq!(count(0.5, "pixel"), "0.5 pixels");
/// ```
pub fn count<N: fmt::Display + PartialEq + From<u8>>(n: N, one: &str) -> String {
    if n == N::from(1) {
        return format!("{n} {one}");
    }
    match one.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{n} {stem}ies"),
        None if one.ends_with(['s', 'x']) => format!("{n} {one}es"),
        _ => format!("{n} {one}s"),
    }
}

/// A size in bytes with a unit, such as `12.3 MB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut x = n as f64;
    let mut unit = 0;
    while x >= 999.5 && unit + 1 < UNITS.len() {
        x /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || x >= 99.95 {
        0
    } else if x >= 9.995 {
        1
    } else {
        2
    };
    format!("{x:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_written_out() {
        assert!(matches!(printable("β₁ = 0.9, 日本"), Cow::Borrowed(_)));
        assert_eq!(printable("\u{7f}\u{9b}31m\r\t\0"), r"\u{7f}\u{9b}31m\r\t\u{0}");
        assert_eq!(printable("a\u{202e}b\u{2028}"), r"a\u{202e}b\u{2028}");
        assert_eq!(printable_lines("a\tb\n\u{1b}[2J"), "a\tb\n\\u{1b}[2J");
    }

    #[test]
    fn paths() {
        assert_eq!(path(Path::new("")), "\"\"");
        assert_eq!(path(Path::new("a b/\u{1b}[31m")), r"a b/\u{1b}[31m");
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            assert_eq!(path(Path::new(std::ffi::OsStr::from_bytes(b"a\xff\x1b"))), "a\u{fffd}\\u{1b}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1.00 kB");
        assert_eq!(bytes(12_345), "12.3 kB");
        assert_eq!(bytes(999_600), "1.00 MB");
        assert_eq!(bytes(407_080), "407 kB");
    }
}
