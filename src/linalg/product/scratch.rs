//! Room for the copies of blocks, which a thread keeps from product to product.

use std::cell::RefCell;

use super::{COLUMNS, DEPTH, PITCH, ROWS, Rooms};

/// The bytes of a cache line, at which vectors are read fastest, and the words in one.
const LINE: usize = 64;
const WORDS: usize = LINE / size_of::<u64>();

thread_local! {
    static ROOM: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Words in the rooms for a block of A and for one of B: a word holds a number of either type.
const A: usize = (ROWS * PITCH).next_multiple_of(WORDS);
const B: usize = (COLUMNS * DEPTH).next_multiple_of(WORDS);

/// Numbers in the room for an image that a thread begins with: those of 64 channels of 90×90 pixels. It is made larger
/// for larger ones.
const IMAGE: usize = 1 << 19;

/// Gives `work` the rooms of this thread, that for an image with as many numbers.
///
/// The first call of a thread asks for 5.5 megabytes, of which the system gives what is touched.
///
/// # Panics
/// If there is no memory for them.
pub(super) fn with<T, R>(image: usize, work: impl FnOnce(&Rooms<T>) -> R) -> R {
    let bytes = image.checked_mul(size_of::<T>());
    let image = bytes.map(|bytes| bytes.div_ceil(size_of::<u64>()).max(IMAGE));
    // What wrapped around would be too small a room: on a machine of 32 bits, an image can be as large as that.
    let image = image.and_then(|words| words.checked_next_multiple_of(WORDS));
    let all = image.and_then(|image| image.checked_add(A + B + WORDS));
    let Some(all) = all else {
        panic!("a product: there are not as many addresses as a copy of the image takes");
    };
    ROOM.with_borrow_mut(|room| {
        if room.len() < all {
            // Given back first, so that both are not there at once; untouched where the system has zeros.
            *room = Vec::new();
            *room = vec![0; all];
        }
        let first = (LINE - room.as_ptr().addr() % LINE) % LINE / size_of::<u64>();
        let (a, rest) = room[first..].split_at_mut(A);
        let (b, image) = rest.split_at_mut(B);
        work(&Rooms { a: a.as_mut_ptr().cast(), b: b.as_mut_ptr().cast(), image: image.as_mut_ptr().cast() })
    })
}

/// The rooms of a thread, as it begins with them.
pub struct Room(Vec<u64>);

/// Asks for the rooms of another thread.
pub fn room() -> Room {
    Room(vec![0; A + B + IMAGE.next_multiple_of(WORDS) + WORDS])
}

/// Gives this thread its rooms, so that no product asks for memory.
pub fn warm_up(room: Room) {
    ROOM.with_borrow_mut(|own| {
        if own.len() < room.0.len() {
            *own = room.0;
        }
    });
}
