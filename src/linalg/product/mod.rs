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
mod copies;
mod fused;
mod kernels;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
mod scratch;
#[cfg(test)]
mod tests;
mod tile;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

use copies::{copy_a, copy_b};
use kernels::{Kernel, kernel};
use tile::{FETCHED, panel, tiles};
use vector::Vector;

use super::view::{View, ViewMut};
use crate::Float;

pub use fused::Fused;
pub use kernels::{Kernels, kernel_in_use};
pub use scratch::{room, warm_up};

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
