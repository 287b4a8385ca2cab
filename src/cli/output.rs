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
    use super::bytes;

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
