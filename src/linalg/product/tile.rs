//! Tiles of C, whose sums are registers for a whole block of k.

use super::vector::Vector;
use super::{Into, MOST_LANES, Piece, Place, ROWS};
use crate::Float;

/// Length of k from which on a tile's part of C is fetched while its sums are made: its rows lie apart, and the CPU does not
/// foresee them. With AVX2, a quarter of the time of a large product was spent waiting for them. Where k is shorter,
/// fetching takes longer than it saves.
pub const FETCHED: usize = 64;

/// A block of rows and a panel of one or two vectors.
#[inline(always)]
pub unsafe fn panel<T: Float, V: Vector<T>>(strip: Piece<T>) {
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
pub unsafe fn tiles<T: Float, V: Vector<T>, const R: usize, const N: usize>(strip: &Piece<T>) {
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
