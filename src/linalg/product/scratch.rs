//! Room for the copies of blocks, which a thread keeps from product to product.

use std::cell::RefCell;

use super::{COLUMNS, DEPTH, PITCH, ROWS};

/// The bytes of a cache line, at which vectors are read fastest.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; 8]);

thread_local! {
    static ROOM: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Gives `work` room for a block of A and one of B.
///
/// The first call of a thread takes the memory, some three megabytes, of which the system gives what is touched.
pub(super) fn with<T, R>(work: impl FnOnce(*mut T, *mut T) -> R) -> R {
    let lines = |numbers: usize| (numbers * size_of::<f64>()).div_ceil(size_of::<Line>());
    let (a, b) = (lines(ROWS * PITCH), lines(COLUMNS * DEPTH));
    ROOM.with_borrow_mut(|room| {
        if room.is_empty() {
            room.resize(a + b, Line([0; 8]));
        }
        let (a, b) = room.split_at_mut(a);
        work(a.as_mut_ptr().cast(), b.as_mut_ptr().cast())
    })
}

/// Takes the memory now, so that no product later does.
pub fn warm_up() {
    with(|_: *mut f64, _: *mut f64| ());
}
