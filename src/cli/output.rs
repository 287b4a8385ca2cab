//! Standard output, whose reader may leave at any time.

use std::fmt;
use std::io::{self, Write};

use super::Failure;

/// Writes a line to standard output.
pub fn line(text: impl fmt::Display) -> Result<(), Failure> {
    write(format_args!("{text}\n"))
}

/// Writes to standard output.
pub fn write(text: impl fmt::Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    write!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => tapegrad::Error::io("standard output")(error).into(),
    })
}

/// Writes a line to standard error, if anybody reads it.
pub fn note(text: impl fmt::Display) {
    // `eprintln!` would panic where standard error is closed or full, and there is no one to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// A number in few characters, whatever its size.
pub fn number(x: f64) -> String {
    if x == 0.0 || (1e-4..1e5).contains(&x.abs()) { format!("{x:.4}") } else { format!("{x:.3e}") }
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
    use super::{bytes, number};

    #[test]
    fn numbers_stay_short() {
        assert_eq!(number(0.123456), "0.1235");
        assert_eq!(number(0.0), "0.0000");
        assert_eq!(number(1.5e30), "1.500e30");
        assert_eq!(number(-2e-7), "-2.000e-7");
        assert_eq!(number(f64::NAN), "NaN");
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
