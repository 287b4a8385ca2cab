//! The map of few filters: the lanes of a vector are pixels of a line. If they were filters, most would be empty.

use std::ops::Range;

use super::super::vector::Vector;
use super::super::{DEPTH, MOST_LANES};
use super::{Layout, Start};
use crate::Float;

/// Filters of a group, at most.
pub const MOST_FILTERS: usize = 8;

/// An image as a copy in which each channel stands on its own, with its padding: where things are in it. The pixels of a
/// line lie side by side there, so that a vector can be read from any of them on.
pub struct Planes<'a> {
    pub at: &'a Layout,
    /// Numbers from one line to the next, and from one channel to the next.
    pub pitch: usize,
    plane: usize,
}

/// The map of a sample by the filters of a group, for a block of k.
pub struct Strip<'a, T> {
    pub at: &'a Layout,
    /// Numbers from one line of the image to the next.
    pub pitch: usize,
    /// Where the pixel of the image is that the first one of the map begins with.
    pub image: *const T,
    /// How far behind it each k is.
    pub offsets: &'a [usize],
    pub b: *const T,
    /// From one row of B to the next.
    pub b_pitch: usize,
    pub map: *mut T,
    pub start: Start<*const T>,
}

impl Planes<'_> {
    pub fn of(at: &Layout) -> Planes<'_> {
        let (image, [down, along]) = (at.form.image, at.form.window.padding);
        let pitch = image.width + 2 * along;
        Planes { at, pitch, plane: (image.height + 2 * down) * pitch }
    }

    /// Whether it takes an eighth less of multiply-adds, at least, than with filters for lanes.
    pub fn pay<T: Float, V: Vector<T>>(&self) -> bool {
        let Layout { filters, line, depth, .. } = *self.at;
        let (of_pixels, of_filters) = (filters * line.div_ceil(V::LANES), line * filters.div_ceil(V::LANES));
        // With few of them, it is the copies that take the time.
        self.are_possible() && depth >= 8 && 8 * of_pixels <= 7 * of_filters
    }

    /// Whether pixels that lie side by side in the map do so in the image, and there are not too many filters.
    fn are_possible(&self) -> bool {
        self.at.filters <= MOST_FILTERS && self.at.form.window.stride[1] == 1
    }

    /// Numbers in the room for the image. A vector is read from its last number on as well: hence some more.
    pub fn numbers(&self) -> usize {
        if !self.are_possible() {
            return 0;
        }
        // Too many addresses are named where room is asked for; a sum that wrapped around would be too small a room.
        (self.at.form.image.channels * self.plane).saturating_add(MOST_LANES)
    }

    /// Copies the image of a sample into the room, which holds the zeros of the padding already.
    ///
    /// # Safety
    /// The image is there, and so is the room.
    pub unsafe fn copy<T: Float>(&self, image: *const T, room: *mut T) {
        let (shape, [down, along]) = (self.at.form.image, self.at.form.window.padding);
        for (channel, line) in (0..shape.channels).flat_map(|c| (0..shape.height).map(move |line| (c, line)))
        {
            // SAFETY: as the caller says.
            unsafe {
                let from = image.add(line * shape.width * shape.channels + channel);
                let to = room.add(channel * self.plane + (down + line) * self.pitch + along);
                if shape.channels == 1 {
                    to.copy_from_nonoverlapping(from, shape.width);
                } else {
                    (0..shape.width).for_each(|x| to.add(x).write(from.add(x * shape.channels).read()));
                }
            }
        }
    }

    /// How far behind the pixel that a window begins with some rows of the weights see the image.
    pub fn offsets<'a>(&self, rows: Range<usize>, to: &'a mut [usize; DEPTH]) -> &'a [usize] {
        let (width, [down, along]) = (self.at.form.window.kernel[1], self.at.form.window.dilation);
        let to = &mut to[..rows.len()];
        for (row, to) in rows.zip(&mut *to) {
            let (tap, channel) = (row / self.at.channels, row % self.at.channels);
            *to = channel * self.plane + tap / width * down * self.pitch + tap % width * along;
        }
        to
    }

    /// Where the copy of the channels of a group begins.
    ///
    /// # Safety
    /// The copy of the image is there.
    pub unsafe fn group<T>(&self, group: usize, room: *const T) -> *const T {
        // SAFETY: as the caller says.
        unsafe { room.add(group * self.at.channels * self.plane) }
    }
}

/// Vectors of pixels at a time: as many as there are registers for them, for their sums, and for a weight.
const fn at_once(filters: usize, tile: usize) -> usize {
    let registers = 2 * tile + 4;
    match (registers - 1) / (filters + 1) {
        0 | 1 => 1,
        2 | 3 => 2,
        _ => 4,
    }
}

// SAFETY, of all below: what a strip points to is there, and the CPU has the instructions.

/// The map of the strip.
#[inline(always)]
pub unsafe fn narrow<T: Float, V: Vector<T>>(strip: &Strip<'_, T>) {
    macro_rules! of_filters {
        ($($filters:literal)*) => {
            match strip.at.filters {
                $($filters => unsafe {
                    match const { at_once($filters, V::TILE) } {
                        1 => by_vectors::<T, V, $filters, 1>(strip),
                        2 => by_vectors::<T, V, $filters, 2>(strip),
                        _ => by_vectors::<T, V, $filters, 4>(strip),
                    }
                },)*
                filters => unreachable!("{filters} filters in lanes"),
            }
        };
    }
    of_filters!(1 2 3 4 5 6 7 8);
}

#[inline(always)]
unsafe fn by_vectors<T: Float, V: Vector<T>, const F: usize, const N: usize>(strip: &Strip<'_, T>) {
    let Layout { line, pixels, form, .. } = *strip.at;
    let down = form.window.stride[0] * strip.pitch;
    let (mut at, mut y, mut x) = ([strip.image; N], 0, 0);
    let (mut to, mut counts) = ([0; N], [0; N]);
    let lines = pixels / line;
    while y < lines {
        let mut vectors = 0;
        while vectors < N && y < lines {
            at[vectors] = unsafe { strip.image.add(y * down + x) };
            (to[vectors], counts[vectors]) = (y * line + x, V::LANES.min(line - x));
            vectors += 1;
            x += V::LANES;
            if x >= line {
                (x, y) = (0, y + 1);
            }
        }
        // Where there are no more of them, those before are computed once more, and left.
        let sums = unsafe { sums::<T, V, F, N>(strip, &at) };
        for j in 0..vectors {
            unsafe { put::<T, V, F, N>(strip, &sums, j, to[j], counts[j]) };
        }
    }
}

/// The sums of `F` filters for `N` vectors of pixels.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "indices are unrolled into registers, and iterators are not")]
unsafe fn sums<T: Float, V: Vector<T>, const F: usize, const N: usize>(
    strip: &Strip<'_, T>,
    at: &[*const T; N],
) -> [[V; N]; F] {
    unsafe {
        let mut sums = [[V::splat(T::ZERO); N]; F];
        let mut weights = strip.b;
        for offset in strip.offsets {
            let mut x = [V::splat(T::ZERO); N];
            for j in 0..N {
                x[j] = V::load(at[j].add(*offset));
            }
            for f in 0..F {
                let weight = V::splat(weights.add(f).read());
                for j in 0..N {
                    sums[f][j] = x[j].fused(weight, sums[f][j]);
                }
            }
            weights = weights.wrapping_add(strip.b_pitch);
        }
        sums
    }
}

/// The sums of a vector of pixels are put into the map.
#[inline(always)]
unsafe fn put<T: Float, V: Vector<T>, const F: usize, const N: usize>(
    strip: &Strip<'_, T>,
    sums: &[[V; N]; F],
    vector: usize,
    pixel: usize,
    count: usize,
) {
    let mut rows = [[T::ZERO; MOST_LANES]; MOST_FILTERS];
    let filters = strip.at.form.filters;
    unsafe {
        for f in 0..F {
            let sum = match strip.start {
                Start::Bias(bias) => V::splat(bias.add(f).read()).add(sums[f][vector]),
                _ => sums[f][vector],
            };
            sum.store(rows[f].as_mut_ptr());
        }
        let to = strip.map.add(pixel * filters);
        // Whole blocks are quicker to store, but they reach into the pixels behind these: with more rows than there are
        // filters, and with more pixels than are left of the line. These are written later, since pixels come in their
        // order; only behind the end of the sample nothing is. Where sums are added, they would be lost.
        let behind = (pixel + V::LANES) * F + V::SIDE;
        if F == filters && behind <= strip.at.map && !matches!(strip.start, Start::There) {
            // A pointer to all rows, as a block is of several.
            let rows = rows.as_ptr().cast::<T>();
            for x in (0..V::LANES).step_by(V::SIDE) {
                for f in (0..F).step_by(V::SIDE).rev() {
                    V::transpose(rows.add(f * MOST_LANES + x), MOST_LANES, to.add(x * F + f), F);
                }
            }
            return;
        }
        for (x, f) in (0..count).flat_map(|x| (0..F).map(move |f| (x, f))) {
            let to = to.add(x * filters + f);
            to.write(match strip.start {
                Start::There => to.read() + rows[f][x],
                _ => rows[f][x],
            });
        }
    }
}
