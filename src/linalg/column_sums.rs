//! Sums of columns in a fixed order, by blocks of rows.

use super::simd::vectorize;
use super::sum::{Pairwise, running};
use super::threads::{in_pieces_of, join, of_this_pool};
use crate::Float;

/// Numbers that [`column_sums`] adds up side by side: they stay in the nearest cache, and few enough to
/// be zeroed in no time.
pub(crate) const PIECE: usize = 128;

/// The same where rows are longer than that: of long stretches the memory sends more ahead.
pub(crate) const WIDE: usize = 512;

/// At the start of a cache line: across two of them, as the stack would have it in every second run, the sums take
/// 1.7 times as long.
#[repr(align(64))]
struct Piece<T, const N: usize>([T; N]);

/// How many rows are added up before they go to a total. Of those, a quarter of what [`running`] says are added
/// before the totals are added pairwise: 4096 rows in `f32`, 2²⁰ in `f64`.
const BLOCK: usize = 64;

/// How many numbers of an m×`cols` matrix, row-major, are worked on as one row: several rows of it
/// where they are short, since a loop over two or three numbers costs as much as one over thirty.
#[inline(always)]
pub(crate) fn row_or_rows(cols: usize) -> usize {
    if cols <= PIECE / 4 { PIECE / cols * cols } else { cols }
}

/// The sum of each column of an m×`cols` matrix of `len` terms, in a fixed order: blocks of 64 rows, some of
/// those blocks, and these pairwise; where there are few columns, several rows side by side first.
///
/// `add(start, part)` is to add the terms from number `start` on, row-major, to `part`, which has at most
/// [`WIDE`] numbers: a part of one row, or whole rows, at most [`PIECE`] numbers of them, if the matrix has few columns.
/// `store(column, sums)` gets the sums of the columns from `column` on. Of many terms, each thread of the pool adds up some
/// columns.
#[inline(always)]
pub(crate) fn column_sums<T: Float>(
    len: usize,
    cols: usize,
    add: impl Fn(usize, &mut [T]) + Sync,
    mut store: impl FnMut(usize, &[T]),
) {
    if cols > 0 {
        let rows = |from: usize, end: usize, part: &mut [T]| add_rows(len, cols, (from, end), part, &add);
        add_blocks(len, cols, Rows::SideBySide(&rows), &mut store);
    }
}

/// [`column_sums`] on the calling thread, of an `add` that changes something as it goes.
#[inline(always)]
pub(crate) fn column_sums_in_turn<T: Float>(
    len: usize,
    cols: usize,
    mut add: impl FnMut(usize, &mut [T]),
    mut store: impl FnMut(usize, &[T]),
) {
    if cols > 0 {
        let mut rows = |from: usize, end: usize, part: &mut [T]| {
            add_rows(len, cols, (from, end), part, &mut add);
        };
        add_blocks(len, cols, Rows::InTurn(&mut rows), &mut store);
    }
}

#[inline(always)]
fn add_rows<T: Float>(
    len: usize,
    cols: usize,
    (from, end): (usize, usize),
    part: &mut [T],
    mut add: impl FnMut(usize, &mut [T]),
) {
    vectorize(
        len,
        #[inline(always)]
        || {
            for start in (from..end).step_by(row_or_rows(cols)) {
                let width = part.len().min(len - start);
                add(start, &mut part[..width]);
            }
        },
    );
}

/// `rows(from, end, part)` adds the rows of one block to `part`.
enum Rows<'a, T> {
    SideBySide(&'a (dyn Fn(usize, usize, &mut [T]) + Sync)),
    InTurn(&'a mut dyn FnMut(usize, usize, &mut [T])),
}

/// Terms that are worth a thread of their own: they take about 10 µs.
const GRAIN: usize = 1 << 16;

/// Columns that a thread is given are a multiple of this: whole vectors, and a cache line.
const ROUND: usize = 16;

/// [`column_sums_in_turn`] of a function that adds a block at once.
pub(crate) fn add_blocks_in_turn<T: Float>(
    len: usize,
    cols: usize,
    rows: &mut dyn FnMut(usize, usize, &mut [T]),
    store: &mut dyn FnMut(usize, &[T]),
) {
    add_blocks(len, cols, Rows::InTurn(rows), store);
}

/// What all of these do alike, compiled once.
#[inline(never)]
fn add_blocks<T: Float>(len: usize, cols: usize, rows: Rows<'_, T>, store: &mut dyn FnMut(usize, &[T])) {
    let stride = row_or_rows(cols);
    if len > running::<T>() / 4 * BLOCK * stride {
        add_to_totals::<T, PIECE>(len, cols, rows, many_blocks, store);
    } else if stride <= PIECE {
        add_to_totals::<T, PIECE>(len, cols, rows, few_blocks::<T, PIECE>, store);
    } else {
        add_to_totals::<T, WIDE>(len, cols, rows, few_blocks::<T, WIDE>, store);
    }
}

/// The totals of the columns from `column` on.
type Blocks<T> = fn(&Matrix, column: usize, totals: &mut [T], rows: &mut dyn FnMut(usize, usize, &mut [T]));

/// How many terms there are, and how many of them are worked on as one row.
struct Matrix {
    len: usize,
    stride: usize,
}

fn add_to_totals<T: Float, const N: usize>(
    len: usize,
    cols: usize,
    mut rows: Rows<'_, T>,
    blocks: Blocks<T>,
    store: &mut dyn FnMut(usize, &[T]),
) {
    let matrix = Matrix { len, stride: row_or_rows(cols) };
    let mut totals = Piece([T::ZERO; N]);
    for column in (0..matrix.stride).step_by(N) {
        let totals = &mut totals.0[..N.min(matrix.stride - column)];
        match &mut rows {
            Rows::InTurn(rows) => blocks(&matrix, column, totals, rows),
            Rows::SideBySide(rows) => {
                let work = |column: usize, totals: &mut [T]| {
                    blocks(&matrix, column, totals, &mut |from, end, part| rows(from, end, part));
                };
                in_columns(in_pieces_of(GRAIN, len).min(of_this_pool()), column, totals, &work);
            }
        }
        store(column, add_side_by_side(totals, len, cols));
    }
}

/// Calls `work` with the first column and the totals of some columns each, on the threads of the pool: a sum is of one
/// thread, so that where they are cut does not change a bit. There are no more pieces than threads: each reads a part of
/// every row.
fn in_columns<T: Float>(
    pieces: usize,
    column: usize,
    totals: &mut [T],
    work: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    let middle = (totals.len() / 2).next_multiple_of(ROUND);
    if pieces < 2 || middle >= totals.len() {
        return work(column, totals);
    }
    let (left, right) = totals.split_at_mut(middle);
    join(
        || in_columns(pieces / 2, column, left, work),
        || in_columns(pieces / 2, column + middle, right, work),
    );
}

fn few_blocks<T: Float, const N: usize>(
    matrix: &Matrix,
    column: usize,
    totals: &mut [T],
    rows: &mut dyn FnMut(usize, usize, &mut [T]),
) {
    let mut part = Piece([T::ZERO; N]);
    let part = &mut part.0[..totals.len()];
    totals.fill(T::ZERO);
    add_run(matrix, (column, matrix.len), totals, part, rows);
}

fn many_blocks<T: Float>(
    matrix: &Matrix,
    column: usize,
    totals: &mut [T],
    rows: &mut dyn FnMut(usize, usize, &mut [T]),
) {
    let many = running::<T>() / 4 * BLOCK * matrix.stride;
    let (mut total, mut part) = (Piece([T::ZERO; PIECE]), Piece([T::ZERO; PIECE]));
    let (width, mut all) = (totals.len(), Pairwise::<T, PIECE>::new());
    for start in (column..matrix.len).step_by(many) {
        total.0.fill(T::ZERO);
        let end = matrix.len.min(start + many);
        add_run(matrix, (start, end), &mut total.0[..width], &mut part.0[..width], rows);
        all.add(&mut total.0);
    }
    totals.copy_from_slice(&all.total()[..width]);
}

/// total ← total + the sums of blocks one after the other; `part` is room for one.
fn add_run<T: Float>(
    matrix: &Matrix,
    (start, end): (usize, usize),
    total: &mut [T],
    part: &mut [T],
    rows: &mut dyn FnMut(usize, usize, &mut [T]),
) {
    for block in (start..end).step_by(BLOCK * matrix.stride) {
        part.fill(T::ZERO);
        rows(block, matrix.len.min(block + BLOCK * matrix.stride), part);
        total.iter_mut().zip(&*part).for_each(|(total, part)| *total += *part);
    }
}

/// Adds up the rows that stand side by side in `total`; of a matrix of `len` numbers.
fn add_side_by_side<T: Float>(total: &mut [T], len: usize, cols: usize) -> &[T] {
    // Rows that there are none of need no adding up.
    let (width, used) = (total.len(), total.len().min(len.max(cols)));
    let (sums, other_rows) = total[..used].split_at_mut(width.min(cols));
    for row in other_rows.chunks(cols) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += *x);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_sums_of_every_shape() {
        for cols in [0, 1, 2, 3, 31, 32, 33, 127, 128, 129, 300, 512, 1030] {
            for rows in [0, 1, 2, 63, 64, 65, 200] {
                if cfg!(miri) && rows * cols > 200 {
                    continue;
                }
                let x: Vec<f64> = (0..rows * cols).map(|i| (i * 7 % 101) as f64).collect();
                let mut sums = vec![f64::NAN; cols];
                let add = |start: usize, part: &mut [f64]| {
                    part.iter_mut().zip(&x[start..]).for_each(|(sum, x)| *sum += x);
                };
                let store = |column: usize, part: &[f64]| sums[column..][..part.len()].copy_from_slice(part);
                column_sums(x.len(), cols, add, store);
                // Whole numbers: every order of summation gives the same result.
                let expected: Vec<f64> =
                    (0..cols).map(|j| (0..rows).map(|i| x[i * cols + j]).sum()).collect();
                assert_eq!(sums, expected, "{rows}×{cols}");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn columns_of_many_small_numbers_keep_their_weight() {
        for (rows, cols) in [(17_000_000, 1), (1_000_000, 3), (70_000, 33), (200_000, 129)] {
            let mut sums = vec![f32::NAN; cols];
            let add = |_: usize, part: &mut [f32]| part.iter_mut().for_each(|sum| *sum += 0.1);
            let store = |column: usize, part: &[f32]| sums[column..][..part.len()].copy_from_slice(part);
            column_sums(rows * cols, cols, add, store);
            for sum in sums {
                let error = f64::from(sum) / (rows as f64 * f64::from(0.1f32)) - 1.0;
                assert!(error.abs() < 2e-6, "{rows}×{cols}: {error:e}");
            }
        }
    }

    /// Few columns and many, of few rows and of many, each in several parts.
    #[test]
    #[cfg_attr(miri, ignore = "the thread library's queues are not what is looked at here")]
    fn threads_do_not_change_a_bit() {
        for (rows, cols) in [(70_000, 6), (9_000, 33), (3_000, 700)] {
            let x: Vec<f32> = (0..rows * cols).map(|i| (i * 7919 % 10_007) as f32 / 10_007.0).collect();
            let run = |threads: usize| {
                crate::linalg::with_threads(threads, || {
                    let mut sums = vec![f32::NAN; cols];
                    let add = |start: usize, part: &mut [f32]| {
                        part.iter_mut().zip(&x[start..]).for_each(|(sum, x)| *sum += x);
                    };
                    let store =
                        |column: usize, part: &[f32]| sums[column..][..part.len()].copy_from_slice(part);
                    column_sums(x.len(), cols, add, store);
                    sums
                })
            };
            let one = run(1);
            for threads in [2, 3, 5] {
                assert_eq!(run(threads), one, "{rows}×{cols}, {threads} threads");
            }
        }
    }
}
