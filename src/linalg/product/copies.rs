//! Blocks of the factors, copied to where the caches keep them.

use super::vector::Vector;
use super::{PITCH, Place, ROWS};
use crate::Float;

/// Copies `length` rows of B from column `from` to column `to` into panels of two vectors, of which the last one may not be
/// full. Rows without gaps are read from end to end, which the CPU foresees. Read panel by panel, they made the products of
/// the gradients of narrow layers take a tenth to a fifth longer.
#[inline(always)]
pub unsafe fn copy_b<T: Float, V: Vector<T>>(
    b: Place<*const T>,
    length: usize,
    from: usize,
    to: usize,
    room: *mut T,
) {
    let width = 2 * V::LANES;
    if b.column == 1 {
        let (panels, last) = ((to - from) / width, (to - from) % width);
        for l in 0..length {
            // SAFETY: a panel is `width`·`length` numbers, and the room holds all of them.
            unsafe {
                let (mut from, mut out) = (b.at.add(l * b.row + from), room.add(l * width));
                for _ in 0..panels {
                    V::load(from).store(out);
                    V::load(from.add(V::LANES)).store(out.add(V::LANES));
                    (from, out) = (from.add(width), out.wrapping_add(width * length));
                }
                if last > V::LANES {
                    V::load(from).store(out);
                    V::load_first(from.add(V::LANES), last - V::LANES).store(out.add(V::LANES));
                } else if last > 0 {
                    V::load_first(from, last).store(out);
                }
            }
        }
        return;
    }
    for (panel, first) in (from..to).step_by(width).enumerate() {
        let columns = width.min(to - first);
        // SAFETY: a panel is `width`·`length` numbers, and the room holds all of them.
        unsafe {
            let out = room.add(panel * width * length);
            let from = b.at.add(first * b.column);
            // What is behind the columns stays as it is: what comes of it is stored nowhere.
            if b.row == 1 {
                transpose::<T, V>(from, b.column, columns, length, out, width);
            } else {
                for (l, j) in (0..length).flat_map(|l| (0..columns).map(move |j| (l, j))) {
                    out.add(l * width + j).write(from.add(l * b.row + j * b.column).read());
                }
            }
        }
    }
}

/// Copies `rows`×`length` numbers of A, so that the rows of a tile lie close to one another; where they are then.
#[inline(always)]
pub unsafe fn copy_a<T: Float>(
    a: Place<*const T>,
    rows: usize,
    length: usize,
    room: *mut T,
) -> Place<*const T> {
    // SAFETY: `rows` is at most `ROWS`, and `length` at most `DEPTH`: the room holds as many in both forms.
    unsafe {
        if a.row == 1 && a.column != 1 {
            for l in 0..length {
                room.add(l * ROWS).copy_from_nonoverlapping(a.at.add(l * a.column), rows);
            }
            return Place { at: room, row: 1, column: ROWS };
        }
        for i in 0..rows {
            let (from, to) = (a.at.add(i * a.row), room.add(i * PITCH));
            if a.column == 1 {
                to.copy_from_nonoverlapping(from, length);
            } else {
                (0..length).for_each(|l| to.add(l).write(from.add(l * a.column).read()));
            }
        }
        Place { at: room, row: PITCH, column: 1 }
    }
}

/// to[l, i] ← from[i, l] of `rows`×`columns` numbers.
#[inline(always)]
unsafe fn transpose<T: Float, V: Vector<T>>(
    from: *const T,
    pitch: usize,
    rows: usize,
    columns: usize,
    to: *mut T,
    to_pitch: usize,
) {
    let (square_rows, square_columns) = (rows / V::SIDE * V::SIDE, columns / V::SIDE * V::SIDE);
    // SAFETY: as the caller promises, all entries of both are there.
    unsafe {
        for l in (0..square_columns).step_by(V::SIDE) {
            for i in (0..square_rows).step_by(V::SIDE) {
                V::transpose(from.add(i * pitch + l), pitch, to.add(l * to_pitch + i), to_pitch);
            }
        }
        for i in 0..rows {
            let done = if i < square_rows { square_columns } else { 0 };
            for l in done..columns {
                to.add(l * to_pitch + i).write(from.add(i * pitch + l).read());
            }
        }
    }
}
