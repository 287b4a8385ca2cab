//! Tiles whose rows begin anywhere.

use std::ops::Range;

use super::super::vector::Vector;
use super::Start;
use crate::Float;

/// Rows of the largest tile of any CPU.
pub const MOST_ROWS: usize = 14;

/// Numbers at the same distance from one another, so far behind where a row begins.
#[derive(Clone, Copy)]
pub struct Stretch {
    pub offset: usize,
    pub length: usize,
}

/// A tile of which each row begins anywhere.
pub struct Tile<'a, T> {
    pub rows: [*const T; MOST_ROWS],
    pub stretches: &'a [Stretch],
    /// From one number of a stretch to the next.
    pub step: usize,
    pub b: *const T,
    /// From one row of B to the next; the numbers of a row lie side by side, and are as many as `N` vectors have.
    pub pitch: usize,
    pub c: *mut T,
    pub c_pitch: usize,
    pub columns: usize,
    pub start: Start<*const T>,
}

impl Stretch {
    pub const NONE: Stretch = Stretch { offset: 0, length: 0 };
}

// SAFETY, of all below: rows, stretches, B and C are there, as a tile says, and the CPU has the instructions.

/// All tiles of some rows, of about as many rows each. `strip` says where the first row of C is, and to what the place of each
/// row is added.
#[inline(always)]
pub unsafe fn tiles<T: Float, V: Vector<T>>(
    strip: Tile<'_, T>,
    rows: Range<usize>,
    mut places: impl Iterator<Item = usize>,
) {
    let mut tile = strip;
    const { assert!(V::TILE <= MOST_ROWS && V::TILE_OF_ONE <= 12, "a tile of more rows than there are below") };
    let (base, mut first) = (tile.rows[0], rows.start);
    let most = if tile.columns > V::LANES { V::TILE } else { V::TILE_OF_ONE };
    for left in (1..=rows.len().div_ceil(most)).rev() {
        let count = (rows.end - first).div_ceil(left);
        for (row, place) in tile.rows[..count].iter_mut().zip(&mut places) {
            *row = unsafe { base.add(place) };
        }
        macro_rules! tiles {
            ($n:literal, $most:expr; $($rows:literal)*) => {
                match count {
                    // What no tile of this CPU has is not compiled for it.
                    $($rows if const { $rows <= $most } => unsafe { V::seen_tile::<$rows, $n>(&tile) },)*
                    _ => unreachable!("a tile of {count} rows"),
                }
            };
        }
        if tile.columns > V::LANES {
            tiles!(2, V::TILE; 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
        } else {
            tiles!(1, V::TILE_OF_ONE; 1 2 3 4 5 6 7 8 9 10 11 12);
        }
        tile.c = tile.c.wrapping_add(count * tile.c_pitch);
        first += count;
    }
}

/// `$then` for each of `$rows` rows, written out: an index that is not known puts all sums into memory, and loops as long as
/// this are not always unrolled.
macro_rules! each_row {
    ($rows:ident, $i:ident => $then:expr) => {
        each_row!($rows, $i => $then; 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    ($rows:ident, $i:ident => $then:expr; $($n:literal)*) => {{
        $({
            const $i: usize = $n;
            // A block that is not reached is not even compiled.
            if const { $i < $rows } {
                $then
            }
        })*
    }};
}

/// A tile of `R` rows and `N` vectors: its sums are registers for all of its stretches.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "indices are unrolled into registers, and iterators are not")]
pub unsafe fn seen_tile<T: Float, V: Vector<T>, const R: usize, const N: usize>(tile: &Tile<'_, T>) {
    unsafe {
        let mut sums = [[V::splat(T::ZERO); N]; R];
        let mut right = tile.b;
        for stretch in tile.stretches {
            let mut at = stretch.offset;
            for _ in 0..stretch.length {
                let mut vectors = [V::splat(T::ZERO); N];
                for j in 0..N {
                    vectors[j] = V::load(right.add(j * V::LANES));
                }
                for i in 0..R {
                    let x = V::splat(tile.rows[i].add(at).read());
                    for j in 0..N {
                        sums[i][j] = x.fused(vectors[j], sums[i][j]);
                    }
                }
                at += tile.step;
                right = right.wrapping_add(tile.pitch);
            }
        }
        macro_rules! each {
            ($to:ident, $j:ident, $sum:ident => $then:expr) => {
                each_row!(R, I => {
                    let row = tile.c.add(I * tile.c_pitch);
                    for $j in 0..N {
                        let ($sum, $to) = (sums[I % R][$j], row.add($j * V::LANES));
                        $then;
                    }
                })
            };
        }
        if tile.columns == N * V::LANES {
            match tile.start {
                Start::Zero => each!(to, j, sum => sum.store(to)),
                Start::There => each!(to, j, sum => V::load(to).add(sum).store(to)),
                Start::Bias(bias) => each!(to, j, sum => V::load(bias.add(j * V::LANES)).add(sum).store(to)),
            }
            return;
        }
        let last = tile.columns - (N - 1) * V::LANES;
        let there = |j: usize| if j + 1 == N { last } else { V::LANES };
        match tile.start {
            Start::Zero => each!(to, j, sum => sum.store_first(to, there(j))),
            Start::There => {
                each!(to, j, sum => V::load_first(to, there(j)).add(sum).store_first(to, there(j)))
            }
            Start::Bias(bias) => each!(to, j, sum => {
                let from = bias.add(j * V::LANES);
                V::load_first(from, there(j)).add(sum).store_first(to, there(j))
            }),
        }
    }
}
