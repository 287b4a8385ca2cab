//! What is taken from the heap, counted by an allocator of this binary's own.

#![allow(unsafe_code, reason = "an allocator that counts")]

mod files;
mod models;
mod steps;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts what the system's allocator is asked for, by any thread.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes every call on to the system's allocator unchanged. `realloc` is left to the trait, which asks
// for the new block and then gives the old one back: both are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Relaxed);
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Number of allocations so far.
fn calls() -> usize {
    CALLS.load(Relaxed)
}

/// Number of allocations, and most bytes held at once on top of what was held before.
fn measure<R>(f: impl FnOnce() -> R) -> (R, usize, usize) {
    let (before, live) = (calls(), LIVE.load(Relaxed));
    PEAK.store(live, Relaxed);
    let result = f();
    (result, calls() - before, PEAK.load(Relaxed) - live)
}

/// One test: the counters belong to the whole process, and tests run side by side.
#[test]
fn allocations() {
    assert!(calls() > 0, "the counter does not count");
    files::batches();
    files::augmented();
    files::files();
    models::models();
    models::predictions();
    steps::steps();
    steps::sequences();
    steps::images();
}
