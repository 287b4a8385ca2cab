//! [`Bytes`]: bytes that lie in memory or in a mapped file, shared without copying.

#![allow(unsafe_code, reason = "a mapped file is a promise of the caller: nobody changes it in place")]

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use memmap2::Mmap;

use crate::text::count;
use crate::{Error, Result, text};

/// Read-only bytes behind an `Arc`; cloning copies nothing, and a memory map lives as long as its last
/// clone.
///
/// Bytes are mapped only where the caller has asked for it, with
/// [`ReadOptions::map_above`](super::ReadOptions::map_above) or [`read_mapped`](super::read_mapped).
///
/// **Hazard.** Mapped bytes are the file itself. If another program changes the file in place while it
/// is mapped, the bytes change, and if it makes the file shorter, reading them ends the process with a
/// bus error. Replacing the file by renaming another over it, as [`write`](super::write) does, is safe.
/// [`check_unchanged`](Self::check_unchanged) notices a change, but only afterwards.
#[derive(Clone)]
pub struct Bytes(Source);

#[derive(Clone)]
enum Source {
    Owned(Arc<Vec<u8>>),
    Mapped(Arc<Mapped>, Range<usize>),
}

/// A mapped file, open, and what it was when it was mapped.
pub(super) struct Mapped {
    map: Mmap,
    file: File,
    path: PathBuf,
    stamp: Stamp,
}

impl Mapped {
    /// Maps the whole file.
    ///
    /// # Safety
    /// As long as the result lives, nobody may change the file in place.
    pub(super) unsafe fn new(path: &Path, file: File, stamp: Stamp) -> Result<Mapped> {
        // SAFETY: the caller's.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| match error.kind() {
            // Addresses count as memory where a limit of the process is on them.
            io::ErrorKind::OutOfMemory => Error::Memory { what: text::path(path), needed: stamp.len },
            _ => Error::io(path)(error),
        })?;
        Ok(Mapped { map, file, path: path.to_path_buf(), stamp })
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }
}

/// Size and time of a file: what tells that it has been changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stamp {
    pub len: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// Of the open file, whatever has become of its name.
    pub(super) fn of(path: &Path, file: &File) -> Result<Stamp> {
        let meta = file.metadata().map_err(Error::io(path))?;
        Ok(Stamp { len: meta.len(), modified: meta.modified().ok() })
    }

    /// An error if the file is not what it was.
    pub(super) fn check(&self, path: &Path, file: &File) -> Result<()> {
        let now = Stamp::of(path, file)?;
        if now == *self {
            return Ok(());
        }
        let what = if now.len == self.len {
            "it was written to".to_string()
        } else {
            format!("it had {} and has {}", count(self.len, "byte"), now.len)
        };
        let why =
            format!("the file was changed while it was read: {what}; read it again when it is finished");
        Err(Error::io(path)(io::Error::other(why)))
    }
}

impl Bytes {
    /// The bytes of `map` in `range`, which must lie within it.
    pub(super) fn mapped(map: Arc<Mapped>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= map.len());
        Bytes(Source::Mapped(map, range))
    }

    /// Whether the bytes lie in a mapped file.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Source::Mapped(..))
    }

    /// An error if the bytes lie in a mapped file whose size or time of change is not what it was.
    ///
    /// # Errors
    /// [`Error::Io`] that names the file.
    pub fn check_unchanged(&self) -> Result<()> {
        match &self.0 {
            Source::Owned(_) => Ok(()),
            Source::Mapped(mapped, _) => mapped.stamp.check(&mapped.path, &mapped.file),
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(Source::Owned(Arc::new(bytes)))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::Owned(bytes) => bytes,
            Source::Mapped(mapped, range) => &mapped.map[range.clone()],
        }
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the contents: a failing test would print 47 million numbers.
        write!(f, "Bytes({}{})", count(self.len(), "byte"), if self.is_mapped() { ", mapped" } else { "" })
    }
}
