//! Standard output and error: the one place through which a command's text leaves the program.
//!
//! What a terminal would act on, such as an escape code in the name of a file, is written out here. Whoever
//! reads standard output may leave at any time.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

pub use crate::text::bytes;
use crate::text::printable_lines;

use super::Failure;

/// Writes a line to standard output.
pub fn line(text: impl fmt::Display) -> Result<(), Failure> {
    write(format_args!("{text}\n"))
}

/// Writes to standard output.
pub fn write(text: impl fmt::Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let text = text.to_string();
    out.write_all(printable_lines(&text).as_bytes()).and_then(|()| out.flush()).map_err(failure)
}

/// Writes what is for programs to standard output: byte for byte as to a file, save where it is a terminal.
pub fn data(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        return write(text);
    }
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(failure)
}

/// Why standard output took no more.
pub fn failure(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => crate::Error::io("standard output")(error).into(),
    }
}

/// Writes a line to standard error, if anybody reads it.
pub fn note(text: impl fmt::Display) {
    // `eprintln!` would panic where standard error is closed or full, and there is no one to tell.
    let _ = writeln!(io::stderr(), "{}", printable_lines(&text.to_string()));
}

/// Writes a line to standard error about what a user should know, though it is no error.
pub fn warning(text: impl fmt::Display) {
    note(format_args!("warning: {text}"));
}

/// The first of many names.
pub fn names(names: &[impl AsRef<str>]) -> String {
    const MOST: usize = 20;
    let shown: Vec<&str> = names.iter().take(MOST).map(AsRef::as_ref).collect();
    shown.join(", ") + if names.len() > MOST { ", …" } else { "" }
}

/// Whether two names, one of which may still be without a file, are of the same file: links are followed.
pub fn same_file(a: &Path, b: &Path) -> bool {
    let target = |path: &Path| {
        path.canonicalize().ok().or_else(|| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            Some(folder.unwrap_or(Path::new(".")).canonicalize().ok()?.join(path.file_name()?))
        })
    };
    target(a) == target(b)
}

/// A number in few characters, whatever its size.
pub fn number(x: f64) -> String {
    if x == 0.0 || (1e-4..1e5).contains(&x.abs()) { format!("{x:.4}") } else { format!("{x:.3e}") }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_stay_short() {
        assert_eq!(number(0.123456), "0.1235");
        assert_eq!(number(0.0), "0.0000");
        assert_eq!(number(1.5e30), "1.500e30");
        assert_eq!(number(-2e-7), "-2.000e-7");
        assert_eq!(number(f64::NAN), "NaN");
    }
}
