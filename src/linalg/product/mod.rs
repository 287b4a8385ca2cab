//! Products of matrices, of one defined order.
//!
//! **The order** is told in the docs of [`linalg`](crate::linalg): in each block of [`DEPTH`] a chain of fused
//! multiply-adds that begins at 0, and then c ← c + s, or c ← c − s, or for the first block of a product that is not added
//! to anything c ← s.
//!
//! **How.** As in Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (ACM TOMS 34, 2008): blocks
//! of B and of A are copied to where the caches keep them, B in panels of two vectors, and a tile of C is held in
//! registers for a whole block of k. What is read only once or twice is not copied. The vectors of a CPU are one type
//! each, in a file each; all else is written once.

#![allow(
    unsafe_code,
    reason = "tiles of registers, measured: 235 to 255 GFLOPS in f32 with AVX-512, of 268; loops over slices reach a third"
)]

pub mod convolution;
mod fused;
mod kernels;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
mod scratch;
#[cfg(test)]
mod tests;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

use kernels::{Kernel, kernel};
use vector::Vector;

use super::view::{View, ViewMut};
use crate::Float;

pub use fused::Fused;
pub use kernels::{Kernels, kernel_in_use};
pub use scratch::warm_up;

/// The version of the order of sums, and of all roundings that a run's bits rest on. It is to rise when results of products
/// change, or those of a function of [`Float`].
pub const ORDER: u32 = 2;

/// Multiply-adds in a chain.
const DEPTH: usize = 256;

/// Rows of A that are copied at a time: with their block of k, an eighth to a quarter of a megabyte.
const ROWS: usize = 112;

/// Columns of B that are copied at a time.
const COLUMNS: usize = 512;

/// Distance of copied rows of A: 16 more than a block, or all of them would want the same lines of the nearest cache.
const PITCH: usize = DEPTH + 16;

/// Rows and length of k of a product that is small.
const SMALL: usize = 32;

/// Length of k from which on a tile's part of C is fetched while its sums are made: its rows lie apart, and the CPU does not
/// foresee them. With AVX2, a quarter of the time of a large product was spent waiting for them. Where k is shorter,
/// fetching takes longer than it saves.
const FETCHED: usize = 64;

/// Columns of C that are too few for vectors along them.
const FEW: usize = 3;

/// Numbers in the widest vector of any CPU.
const MOST_LANES: usize = 16;

/// What becomes of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Into {
    /// C ← A·B.
    Replace,
    /// C ← C + A·B.
    Add,
    /// C ← C − A·B.
    Subtract,
}

/// A matrix in memory: where entry (0, 0) is, and how far apart rows and columns are.
#[derive(Clone, Copy)]
pub struct Place<P> {
    at: P,
    row: usize,
    column: usize,
}

/// A product that one thread does, or a part of it: C is `rows`×`columns`, and `depth` the length of k.
#[derive(Clone, Copy)]
pub struct Piece<T> {
    c: Place<*mut T>,
    a: Place<*const T>,
    b: Place<*const T>,
    rows: usize,
    columns: usize,
    depth: usize,
    into: Into,
    /// A row that is added to each row of what replaces C; null if there is none.
    bias: *const T,
}

/// Room for a block of A, for one of B, and for an image with its padding.
pub struct Rooms<T> {
    a: *mut T,
    b: *mut T,
    image: *mut T,
}

/// C ← A·B, C + A·B or C − A·B, on the calling thread.
///
/// # Panics
/// If the shapes do not fit.
pub fn product<T: Float>(c: ViewMut<'_, T>, into: Into, a: View<'_, T>, b: View<'_, T>) {
    product_by(kernel::<T>(), c, into, a, b);
}

fn product_by<T: Float>(kernel: &Kernel<T>, c: ViewMut<'_, T>, into: Into, a: View<'_, T>, b: View<'_, T>) {
    // Tiles lie along rows of C. Of a C by columns the transpose is computed, of which each entry is the same, and of one
    // with few columns, whose rows would not fill a vector.
    let by_columns = is_narrow(&c) || c.row_stride() == 1 && c.ncols() > 1 && c.col_stride() != 1;
    let (c, a, b) = if by_columns { (c.transpose(), b.transpose(), a.transpose()) } else { (c, a, b) };
    by_rows(kernel, c, into, None, a, b);
}

/// C ← A·B + `bias`, a row that is added to every row, on the calling thread: the bits of a C that holds these rows, and to
/// which A·B is added. Rows of C are without gaps.
///
/// # Panics
/// If the shapes do not fit.
pub fn affine<T: Float>(c: ViewMut<'_, T>, bias: &[T], a: View<'_, T>, b: View<'_, T>) {
    affine_by(kernel::<T>(), c, bias, a, b);
}

fn affine_by<T: Float>(
    kernel: &Kernel<T>,
    mut c: ViewMut<'_, T>,
    bias: &[T],
    a: View<'_, T>,
    b: View<'_, T>,
) {
    assert_eq!(bias.len(), c.ncols(), "product: another number of biases");
    if is_narrow(&c) || a.ncols() == 0 {
        (0..c.nrows()).for_each(|i| c.row_mut(i).copy_from_slice(bias));
        return product_by(kernel, c, Into::Add, a, b);
    }
    by_rows(kernel, c, Into::Replace, Some(bias), a, b);
}

/// Whether rows of C would not fill a vector, and its columns would.
fn is_narrow<T>(c: &ViewMut<'_, T>) -> bool {
    c.ncols() <= FEW && c.nrows() > MOST_LANES
}

/// As it lies.
fn by_rows<T: Float>(
    kernel: &Kernel<T>,
    mut c: ViewMut<'_, T>,
    into: Into,
    bias: Option<&[T]>,
    a: View<'_, T>,
    b: View<'_, T>,
) {
    let (rows, columns, depth) = (c.nrows(), c.ncols(), a.ncols());
    assert!(a.nrows() == rows && b.ncols() == columns && b.nrows() == depth, "product: shapes do not fit");
    if rows == 0 || columns == 0 {
        return;
    }
    // Where there is one row or column, nothing is apart.
    let distance = |stride: usize, n: usize| if n <= 1 { 1 } else { stride };
    let place = |m: View<'_, T>| Place {
        at: m.as_ptr(),
        row: distance(m.row_stride(), m.nrows()),
        column: distance(m.col_stride(), m.ncols()),
    };
    let (row, column) = (distance(c.row_stride(), rows), distance(c.col_stride(), columns));
    let c = Place { at: c.as_mut_ptr(), row, column };
    // Tiles add a row to what they store along rows of C.
    assert!(bias.is_none_or(|bias| bias.len() == columns && c.column == 1), "product: no place for a bias");
    let bias = bias.map_or(std::ptr::null(), <[T]>::as_ptr);
    let whole = Piece { c, a: place(a), b: place(b), rows, columns, depth, into, bias };
    // SAFETY: the kernel is one that this CPU can run. `c` is borrowed for writing, so that it lies apart from `a`, `b` and
    // the bias; they are as large as the piece says, by the assertions above; and the rooms hold a block each.
    scratch::with(0, |rooms| unsafe { (kernel.run)(&whole, rooms) });
}

/// All blocks of a product.
///
/// # Safety
/// As [`Kernel::run`].
unsafe fn multiply<T: Float, V: Vector<T>>(whole: &Piece<T>, rooms: &Rooms<T>) {
    let Piece { c, a, b, rows, columns, depth, into, bias } = *whole;
    let width = 2 * V::LANES;
    // SAFETY, of all below: indices stay below `rows`, `columns` and `depth`, and in the rooms below a block's size.
    if depth == 0 {
        if into == Into::Replace {
            for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                unsafe { c.at.add(i * c.row + j * c.column).write(T::ZERO) };
            }
        }
        return;
    }
    // Few rows read B once or twice: a copy would take as long. So it would for a small product, such as one of the heads of
    // short sequences, which the nearest cache holds as it is.
    let is_small = rows <= SMALL && depth <= SMALL;
    let b_in_place = (rows <= V::TILE || is_small) && b.column == 1;
    if rows <= ROWS && columns <= width && depth <= DEPTH {
        // One panel, as of a head: nothing is cut. What comes below would take as long as its sums.
        let b = if b_in_place && (columns == width || columns == V::LANES) {
            b
        } else {
            unsafe { V::copy_b(b, depth, 0, columns, rooms.b) };
            Place { at: rooms.b.cast_const(), row: width, column: 1 }
        };
        return unsafe { panel::<T, V>(Piece { b, ..*whole }) };
    }
    // Where k is short, so is the time for which a tile reads a row of A: it is not worth a copy for twice as many panels.
    let few_panels = if depth <= FETCHED && a.column == 1 { 4 } else { 2 };
    let a_in_place = columns <= few_panels * width;
    // A copied panel that few rows read is used at once, while it is in the nearest cache.
    let most_columns = if rows <= V::TILE && !b_in_place { width } else { COLUMNS };
    for first_column in (0..columns).step_by(most_columns) {
        let block_columns = most_columns.min(columns - first_column);
        for start in (0..depth).step_by(DEPTH) {
            let length = DEPTH.min(depth - start);
            let into = match into {
                Into::Replace if start > 0 => Into::Add,
                into => into,
            };
            let bias = if start > 0 { std::ptr::null() } else { bias };
            let b_block = Place { at: unsafe { b.at.add(start * b.row + first_column * b.column) }, ..b };
            // A panel of one vector is read as far as that.
            let whole = block_columns / width + usize::from(block_columns % width == V::LANES);
            let in_place = if b_in_place { whole } else { 0 };
            if in_place * width < block_columns {
                unsafe { V::copy_b(b_block, length, in_place * width, block_columns, rooms.b) };
            }
            for first_row in (0..rows).step_by(ROWS) {
                let block_rows = ROWS.min(rows - first_row);
                let a_block = Place { at: unsafe { a.at.add(first_row * a.row + start * a.column) }, ..a };
                let left = if a_in_place {
                    a_block
                } else {
                    unsafe { copy_a(a_block, block_rows, length, rooms.a) }
                };
                for (k, first) in (0..block_columns).step_by(width).enumerate() {
                    let right = if k < in_place {
                        Place { at: unsafe { b_block.at.add(first) }, row: b.row, column: 1 }
                    } else {
                        let at = unsafe { rooms.b.add((k - in_place) * width * length).cast_const() };
                        Place { at, row: width, column: 1 }
                    };
                    let at = unsafe { c.at.add(first_row * c.row + (first_column + first) * c.column) };
                    let strip = Piece {
                        c: Place { at, ..c },
                        a: left,
                        b: right,
                        rows: block_rows,
                        columns: width.min(block_columns - first),
                        depth: length,
                        into,
                        bias: if bias.is_null() { bias } else { unsafe { bias.add(first_column + first) } },
                    };
                    unsafe { panel::<T, V>(strip) };
                }
            }
        }
    }
}

/// Copies `length` rows of B from column `from` to column `to` into panels of two vectors, of which the last one may not be
/// full.
#[inline(always)]
unsafe fn copy_b<T: Float, V: Vector<T>>(
    b: Place<*const T>,
    length: usize,
    from: usize,
    to: usize,
    room: *mut T,
) {
    let width = 2 * V::LANES;
    for (panel, first) in (from..to).step_by(width).enumerate() {
        let columns = width.min(to - first);
        // SAFETY: a panel is `width`·`length` numbers, and the room holds all of them.
        unsafe {
            let out = room.add(panel * width * length);
            let from = b.at.add(first * b.column);
            if b.column == 1 {
                for l in 0..length {
                    let (from, out) = (from.add(l * b.row), out.add(l * width));
                    if columns == width {
                        V::load(from).store(out);
                        V::load(from.add(V::LANES)).store(out.add(V::LANES));
                    } else if columns > V::LANES {
                        V::load(from).store(out);
                        V::load_first(from.add(V::LANES), columns - V::LANES).store(out.add(V::LANES));
                    } else {
                        V::load_first(from, columns).store(out);
                    }
                }
                continue;
            }
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
unsafe fn copy_a<T: Float>(a: Place<*const T>, rows: usize, length: usize, room: *mut T) -> Place<*const T> {
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

/// A block of rows and a panel of one or two vectors.
#[inline(always)]
unsafe fn panel<T: Float, V: Vector<T>>(strip: Piece<T>) {
    // SAFETY: as the caller promises.
    unsafe {
        if strip.columns > V::LANES {
            strip_of_tiles::<T, V, 2>(strip)
        } else {
            strip_of_tiles::<T, V, 1>(strip)
        }
    }
}

/// How strips of 0 to [`ROWS`] rows are cut into tiles of at most so many: the rows of a tile, how many tiles have a row
/// more, and how many have not. Two divisions would take as long as a small tile.
const fn cuts(most: usize) -> [[u8; 3]; ROWS + 1] {
    let (mut cuts, mut n) = ([[0; 3]; ROWS + 1], 1);
    while n <= ROWS {
        let tiles = n.div_ceil(most);
        cuts[n] = [(n / tiles) as u8, (n % tiles) as u8, (tiles - n % tiles) as u8];
        n += 1;
    }
    cuts
}

/// A strip in tiles of `N` vectors, of about as many rows each: first those that have a row more.
unsafe fn strip_of_tiles<T: Float, V: Vector<T>, const N: usize>(strip: Piece<T>) {
    let [rows, longer, others] = const { &cuts(V::TILE) }[strip.rows].map(usize::from);
    for (rows, first, tiles) in [(rows + 1, 0, longer), (rows, longer * (rows + 1), others)] {
        if tiles == 0 {
            continue;
        }
        // SAFETY: the rows from `first` on are there.
        unsafe {
            let c = Place { at: strip.c.at.add(first * strip.c.row), ..strip.c };
            let a = Place { at: strip.a.at.add(first * strip.a.row), ..strip.a };
            let part = Piece { c, a, rows: tiles * rows, ..strip };
            macro_rules! tiles {
                ($($n:literal)*) => {
                    match rows {
                        // What no tile of this CPU has is not compiled for it.
                        $($n if const { $n <= V::TILE } => V::tiles::<$n, N>(&part),)*
                        _ => unreachable!("a tile of {rows} rows"),
                    }
                };
            }
            tiles!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
        }
    }
}

/// Tiles of `R` rows and `N` vectors, one below the other.
#[inline(always)]
unsafe fn tiles<T: Float, V: Vector<T>, const R: usize, const N: usize>(strip: &Piece<T>) {
    let Piece { mut c, mut a, .. } = *strip;
    for _ in 0..strip.rows / R {
        // SAFETY: these rows are there.
        unsafe { tile::<T, V, R, N>(&Piece { c, a, ..*strip }) };
        c.at = c.at.wrapping_add(R * c.row);
        a.at = a.at.wrapping_add(R * a.row);
    }
}

/// A tile of `R` rows and `N` vectors: its sums are registers for all of a block.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "indices are unrolled into registers, and iterators are not")]
unsafe fn tile<T: Float, V: Vector<T>, const R: usize, const N: usize>(piece: &Piece<T>) {
    let Piece { c, a, b, columns, depth, into, bias, .. } = *piece;
    // SAFETY: rows of `b` are followed by as many numbers as `N` vectors have, and `c` has `columns` in each of `R` rows.
    unsafe {
        if depth >= FETCHED && c.column == 1 {
            for i in 0..R {
                V::fetch(c.at.wrapping_add(i * c.row));
                V::fetch(c.at.wrapping_add(i * c.row + columns - 1));
            }
        }
        let mut sums = [[V::splat(T::ZERO); N]; R];
        let (mut left, mut right) = (a.at, b.at);
        for _ in 0..depth {
            let mut vectors = [V::splat(T::ZERO); N];
            for j in 0..N {
                vectors[j] = V::load(right.add(j * V::LANES));
            }
            for i in 0..R {
                let x = V::splat(left.add(i * a.row).read());
                for j in 0..N {
                    sums[i][j] = x.fused(vectors[j], sums[i][j]);
                }
            }
            left = left.wrapping_add(a.column);
            right = right.wrapping_add(b.row);
        }
        // Loops so small that they are unrolled: an index that is not known puts all sums into memory.
        macro_rules! each {
            ($row:ident, $j:ident, $sum:ident => $then:expr) => {
                for i in 0..R {
                    let $row = c.at.add(i * c.row);
                    for $j in 0..N {
                        let $sum = sums[i][$j];
                        $then;
                    }
                }
            };
        }
        if c.column != 1 {
            let mut rows = [[T::ZERO; 2 * MOST_LANES]; R];
            for i in 0..R {
                for j in 0..N {
                    sums[i][j].store(rows[i].as_mut_ptr().add(j * V::LANES));
                }
            }
            for (i, row) in rows.iter().enumerate() {
                for (j, sum) in row[..columns].iter().enumerate() {
                    let to = c.at.add(i * c.row + j * c.column);
                    to.write(match into {
                        Into::Replace => *sum,
                        Into::Add => to.read() + *sum,
                        Into::Subtract => to.read() - *sum,
                    });
                }
            }
            return;
        }
        if columns == N * V::LANES {
            match into {
                Into::Replace if !bias.is_null() => each!(row, j, sum => {
                    V::load(bias.add(j * V::LANES)).add(sum).store(row.add(j * V::LANES))
                }),
                Into::Replace => each!(row, j, sum => sum.store(row.add(j * V::LANES))),
                Into::Add => each!(row, j, sum => {
                    let to = row.add(j * V::LANES);
                    V::load(to).add(sum).store(to)
                }),
                Into::Subtract => each!(row, j, sum => {
                    let to = row.add(j * V::LANES);
                    V::load(to).subtract(sum).store(to)
                }),
            }
            return;
        }
        let last = columns - (N - 1) * V::LANES;
        let there = |j: usize| if j + 1 == N { last } else { V::LANES };
        match into {
            Into::Replace if !bias.is_null() => each!(row, j, sum => {
                let from = bias.add(j * V::LANES);
                V::load_first(from, there(j)).add(sum).store_first(row.add(j * V::LANES), there(j))
            }),
            Into::Replace => each!(row, j, sum => sum.store_first(row.add(j * V::LANES), there(j))),
            Into::Add => each!(row, j, sum => {
                let to = row.add(j * V::LANES);
                V::load_first(to, there(j)).add(sum).store_first(to, there(j))
            }),
            Into::Subtract => each!(row, j, sum => {
                let to = row.add(j * V::LANES);
                V::load_first(to, there(j)).subtract(sum).store_first(to, there(j))
            }),
        }
    }
}
