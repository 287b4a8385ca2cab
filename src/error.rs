//! The one error type of the crate.
//!
//! A mistake in a program (shapes that do not fit, a stale [`Var`](crate::Var)) panics. What depends
//! on the world — files, data, settings, a computation that leaves the finite numbers — comes back as
//! an [`Error`] that says where, and what to do.

use std::path::{Path, PathBuf};

use crate::text;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{}: {source}", text::path(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A file is not the IDX file it should be.
    #[error("{}: byte {offset}: {why}", text::path(path))]
    Idx {
        /// The file.
        path: PathBuf,
        /// Offset into the unpacked contents at which the file stops making sense.
        offset: u64,
        /// What was expected and what was found.
        why: String,
    },

    /// A table of text, such as CSV, that cannot be read, or a cell of it that cannot be used.
    #[error("{file}: line {line}: {why}")]
    Table {
        /// The file, or what stands for it.
        file: String,
        /// The line on which the row begins; the first line of the file is 1.
        line: u64,
        /// The column, what was expected, what was found, and a way out.
        why: String,
    },

    /// Data that can be read but not used: labels out of range, columns that do not pair, NaN.
    #[error("{0}")]
    Data(String),

    /// Memory that data asks for and that cannot be had.
    #[error("{what}: {} of memory are needed, and cannot be had: use less data, or allow more", text::bytes(*needed))]
    Memory {
        /// What it is for.
        what: String,
        /// How much, in bytes, of this one block.
        needed: u64,
    },

    /// A setting outside its range.
    #[error("{name}: {why}")]
    Setting {
        /// Name of the setting as the user wrote it, such as `lr`.
        name: &'static str,
        /// The value, the allowed range and a way out.
        why: String,
    },

    /// A computation produced NaN or infinity.
    #[error("{0}")]
    NonFinite(String),

    /// Somebody asked for an end before it was reached.
    #[error("interrupted")]
    Interrupted,

    /// A symmetric matrix that should be positive definite is not.
    #[error("the matrix is not positive definite: pivot {pivot} is {value:e}; {hint}")]
    NotPositiveDefinite {
        /// Index of the first pivot that is not positive.
        pivot: usize,
        /// Its value.
        value: f64,
        /// What to do, such as a larger ridge.
        hint: String,
    },
}

impl Error {
    /// An [`Error::Io`] at `path`; for `map_err(Error::io(path))`.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, source }
    }

    /// The same with the place in a run in front, where a number was not finite.
    pub(crate) fn in_run(self, place: std::fmt::Arguments<'_>) -> Error {
        match self {
            Error::NonFinite(why) => Error::NonFinite(format!("{place}: {why}")),
            other => other,
        }
    }

    /// An [`Error::Setting`].
    pub fn setting(name: &'static str, why: impl Into<String>) -> Error {
        Error::Setting { name, why: why.into() }
    }
}
