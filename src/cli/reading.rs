//! What all commands that read files have in common: kinds of files, the memory that there is, warnings.

#![allow(unsafe_code, reason = "files above half of the memory cannot be read otherwise than mapped")]

use std::path::Path;

use super::{memory, output};
use crate::data::idx::ReadOptions;
use crate::data::npy::is_archive;
use crate::{Error, Result, text};

/// Whether a file of that name is read as a table.
pub fn is_table(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    matches!(ending.as_deref(), Some("csv" | "tsv" | "tab"))
}

/// Whether a file of that name is of NumPy's arrays.
pub fn is_arrays(path: &Path) -> bool {
    is_archive(path) || has_ending(path, "npy")
}

pub fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

/// How IDX files are read: within the memory that there is, and mapped where they hold more than half of it.
pub fn read_options() -> (ReadOptions, memory::Room) {
    let room = memory::available();
    let options = ReadOptions::default().memory(room.bytes);
    // SAFETY: the program cannot rule out that somebody changes a file of the user's while it is mapped. A file
    // of this size cannot be worked on otherwise; the user is told so (`warn_if_mapped`), and a change is
    // noticed after each epoch.
    (unsafe { options.map_above(room.bytes / 2) }, room)
}

/// Reads data as far as there is memory for it; an error about that says what there is.
pub fn within_memory<R>(read: impl FnOnce(&ReadOptions) -> Result<R>) -> Result<R> {
    let (options, room) = read_options();
    read(&options).map_err(|error| explain(error, &room))
}

/// An error about memory with what there is of it.
pub fn explain(error: Error, room: &memory::Room) -> Error {
    match error {
        Error::Memory { .. } => Error::Data(format!("{error}; {room}")),
        other => other,
    }
}

/// Tells the user what a mapped file asks of them.
pub fn warn_if_mapped(what: &str, mapped: bool) {
    if mapped {
        output::warning(format_args!(
            "{what} take more than half of the memory and are used where they lie: do not change the files \
             before the command is finished"
        ));
    }
}

/// Tells that there are no answers to some rows.
pub fn warn_if_left_out(of: &str, rows: usize) {
    if rows > 0 {
        output::note(format_args!("{} of {of} left out: a cell is missing", text::count(rows, "row")));
    }
}

/// An error if a file that is read would be written over.
pub fn refuse_input(flag: &'static str, out: &Path, inputs: &[&Path]) -> Result<()> {
    match inputs.iter().find(|input| output::same_file(out, input)) {
        Some(_) => Err(Error::setting(
            flag,
            format!("{} is read by this command: name another file", text::path(out)),
        )),
        None => Ok(()),
    }
}
