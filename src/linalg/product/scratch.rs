//! Room for the copies of blocks, which a thread keeps from product to product.

use std::cell::RefCell;

use super::{COLUMNS, DEPTH, PITCH, ROWS, Rooms};

/// The bytes of a cache line, at which vectors are read fastest, and the words in one.
const LINE: usize = 64;
const WORDS: usize = LINE / size_of::<u64>();

thread_local! {
    static ROOM: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Gives `work` the rooms of this thread.
///
/// The first call of a thread asks for 1.3 megabytes, of which the system gives what is touched.
pub(super) fn with<T, R>(work: impl FnOnce(&Rooms<T>) -> R) -> R {
    let words = |numbers: usize| (numbers * size_of::<f64>() / size_of::<u64>()).next_multiple_of(WORDS);
    let (a, b) = (words(ROWS * PITCH), words(COLUMNS * DEPTH));
    ROOM.with_borrow_mut(|room| {
        if room.is_empty() {
            *room = vec![0; a + b + WORDS];
        }
        let first = (LINE - room.as_ptr().addr() % LINE) % LINE / size_of::<u64>();
        let (a, b) = room[first..].split_at_mut(a);
        work(&Rooms { a: a.as_mut_ptr().cast(), b: b.as_mut_ptr().cast() })
    })
}

/// Takes the memory now, so that no product later does.
pub fn warm_up() {
    with(|_: &Rooms<f64>| ());
}
