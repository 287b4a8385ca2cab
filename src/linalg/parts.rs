//! Loops over numbers or rows that nothing ties together, on the threads of the pool that they are called from.
//!
//! Each number is computed by one thread, from what it would be computed of anyway: where the loop is cut does not change a
//! bit. A loop of few numbers stays on its thread. Measured, a million of `f32`: two threads take 0.58 of the time of one for a
//! sum of two, which waits for the memory, and 0.51 for `gelu_erf`.

use std::ops::Range;

use super::threads::{in_pieces_of, join};

/// What belongs to some rows, and can be cut between two of them.
pub(crate) trait Parts: Sized + Send {
    /// The first `rows` of them, and the others.
    fn cut(self, rows: usize) -> (Self, Self);
}

/// Rows of that many numbers each.
pub(crate) struct Rows<'a, T> {
    pub numbers: &'a mut [T],
    pub cols: usize,
}

impl<T: Send> Parts for Rows<'_, T> {
    fn cut(self, rows: usize) -> (Self, Self) {
        let (above, below) = self.numbers.split_at_mut(rows * self.cols);
        (Rows { numbers: above, ..self }, Rows { numbers: below, ..self })
    }
}

impl<A: Parts, B: Parts> Parts for (A, B) {
    fn cut(self, rows: usize) -> (Self, Self) {
        let ((a1, a2), (b1, b2)) = (self.0.cut(rows), self.1.cut(rows));
        ((a1, b1), (a2, b2))
    }
}

impl<A: Parts, B: Parts, C: Parts> Parts for (A, B, C) {
    fn cut(self, rows: usize) -> (Self, Self) {
        let ((a1, a2), (b1, b2), (c1, c2)) = (self.0.cut(rows), self.1.cut(rows), self.2.cut(rows));
        ((a1, b1, c1), (a2, b2, c2))
    }
}

/// Numbers of the smallest pieces: a loop over them takes about 5 µs, and much longer with functions such as `exp`.
const GRAIN: usize = 1 << 15;

/// Rows between two cuts are a multiple of this, so that parts are whole vectors and cache lines.
const ROUND: usize = 16;

/// Calls `work` with the number of the first row and the part, for parts that are all of `rows` together; `numbers` is about
/// how many numbers the loop touches.
pub(crate) fn by_rows<P: Parts>(numbers: usize, rows: usize, part: P, work: &(dyn Fn(usize, P) + Sync)) {
    let pieces = if numbers < 2 * GRAIN { 1 } else { in_pieces_of(GRAIN, numbers) };
    halve(ROUND, pieces, 0..rows, part, work);
}

/// The same in about as many pieces as are asked for, of few long rows, between any two of which there may be a cut.
pub(crate) fn by_samples<P: Parts>(pieces: usize, rows: usize, part: P, work: &(dyn Fn(usize, P) + Sync)) {
    halve(1, pieces, 0..rows, part, work);
}

fn halve<P: Parts>(
    round: usize,
    pieces: usize,
    rows: Range<usize>,
    part: P,
    work: &(dyn Fn(usize, P) + Sync),
) {
    let middle = (rows.len() / 2).next_multiple_of(round);
    if pieces < 2 || middle == 0 || middle >= rows.len() {
        return work(rows.start, part);
    }
    let (above, below) = part.cut(middle);
    let middle = rows.start + middle;
    join(
        || halve(round, pieces / 2, rows.start..middle, above, work),
        || halve(round, pieces / 2, middle..rows.end, below, work),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::with_threads;

    #[test]
    #[cfg_attr(miri, ignore = "the thread library's queues are not what is looked at here")]
    fn every_row_is_met_once() {
        for (rows, cols) in [(0, 3), (1, 1), (7, 0), (17, 5000), (100_001, 1), (300, 700)] {
            for threads in [1, 3] {
                let (mut a, mut b) = (vec![0usize; rows * cols], vec![0usize; rows]);
                with_threads(threads, || {
                    let parts = (Rows { numbers: &mut a, cols }, Rows { numbers: &mut b, cols: 1 });
                    by_rows(rows * cols, rows, parts, &|first, (a, b)| {
                        assert_eq!(a.numbers.len(), b.numbers.len() * cols);
                        a.numbers.iter_mut().enumerate().for_each(|(i, x)| *x += first * cols + i);
                        b.numbers.iter_mut().enumerate().for_each(|(i, x)| *x += first + i);
                    });
                });
                assert!(a.iter().enumerate().all(|(i, x)| i == *x), "{rows}×{cols}");
                assert!(b.iter().enumerate().all(|(i, x)| i == *x), "{rows}×{cols}");
            }
        }
    }
}
