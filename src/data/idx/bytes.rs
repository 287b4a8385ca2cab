//! [`Bytes`]: bytes that lie in memory or in a mapped file, shared without copying.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use memmap2::Mmap;

/// Read-only bytes behind an `Arc`; cloning copies nothing, and a memory map lives as long as its last
/// clone.
///
/// **Hazard.** Mapped bytes are the file itself. If another program changes the file in place while it
/// is mapped, the bytes change, and if it makes the file shorter, reading them ends the process with a
/// bus error. Replacing the file by renaming another over it, as [`write`](super::write) does, is safe.
#[derive(Clone)]
pub struct Bytes(Source);

#[derive(Clone)]
enum Source {
    Owned(Arc<Vec<u8>>),
    Mapped(Arc<Mmap>, Range<usize>),
}

impl Bytes {
    /// The bytes of `map` in `range`, which must lie within it.
    pub(super) fn mapped(map: Arc<Mmap>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= map.len());
        Bytes(Source::Mapped(map, range))
    }

    /// Whether the bytes lie in a mapped file.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Source::Mapped(..))
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
            Source::Mapped(map, range) => &map[range.clone()],
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
        write!(f, "Bytes({} bytes{})", self.len(), if self.is_mapped() { ", mapped" } else { "" })
    }
}
