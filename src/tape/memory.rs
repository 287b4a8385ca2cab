//! Memory for the arena's buffers.

#![allow(unsafe_code, reason = "large pages, measured: 73 ns a node of a long tape instead of 107")]

use std::collections::TryReserveError;

/// Buffers below this many bytes have nothing to gain from large pages.
const LARGE: usize = 8 << 20;

/// Makes room for `more` elements behind those that are there.
///
/// Grows by doubling, as `Vec` does, and asks the operating system for large pages where the buffer is
/// large. A long tape is read and written from end to end, and with pages of 4 KiB a third of that time
/// goes into looking up where they lie.
///
/// # Errors
/// If the machine has no memory for it.
#[inline]
pub(super) fn reserve<E>(buffer: &mut Vec<E>, more: usize) -> Result<(), TryReserveError> {
    if buffer.capacity() - buffer.len() < more { grow(buffer, more) } else { Ok(()) }
}

#[cold]
fn grow<E>(buffer: &mut Vec<E>, more: usize) -> Result<(), TryReserveError> {
    buffer.try_reserve(more)?;
    if buffer.capacity() * size_of::<E>() >= LARGE {
        ask_for_large_pages(buffer);
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn ask_for_large_pages<E>(buffer: &mut Vec<E>) {
    use rustix::mm::{Advice, madvise};

    let page = rustix::param::page_size();
    // Rounded outwards: a mapping of which a page is left out falls in two, and what is in two pieces
    // cannot be moved as a whole when the buffer grows, but is copied.
    let start = buffer.as_mut_ptr().addr() / page * page;
    let end = (buffer.as_mut_ptr().addr() + buffer.capacity() * size_of::<E>()).next_multiple_of(page);
    let pages = buffer.as_mut_ptr().with_addr(start).cast();
    // Measured: a chain of 10,000,000 nodes takes 73 ns a node instead of 107.
    // SAFETY: the advice changes no byte of these pages, nor who may use them, even where the first and the
    // last of them are shared with others. It may be refused, and then nothing is lost.
    let _ = unsafe { madvise(pages, end - start, Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages<E>(_: &mut Vec<E>) {}
