//! Convolutions as products whose left factor lies where the image is: there is no matrix of patches.
//!
//! **How.** A row of that matrix would be what a filter sees at one pixel: some stretches of the image, at the same
//! distances from one another at every pixel. So a tile is told where each of its rows begins, and of what
//! [stretches](Stretch) they all consist; it keeps its sums in registers for a whole block of k, as that of a product
//! does. The three products of a convolution are tiles over
//!
//! - the map: rows are pixels of the map, k goes over what a filter sees;
//! - the image: rows are pixels of the map, k goes over the filters, and what comes of it, some pixels at a time, is
//!   added to where it was seen;
//! - the weights: rows are rows of the weights, and k goes over the pixels of the map.
//!
//! An image with padding is copied first, one at a time. The other factor is copied into panels, as for a product.
//!
//! **The order** is that of [products](super): blocks of [`DEPTH`] in the order of k, in each a chain of fused
//! multiply-adds that begins at 0. For the map and the image they are counted along k; for the weights from the first
//! pixel of each sample. The terms of a pixel of the image are added in the order of rows of weights, within a
//! [part](COLUMNS_OF_IMAGE) of them and for a [block](ROWS_OF_IMAGE) of pixels, and for each of the [parts](MOST_DEPTH) of
//! the filters. All of these are told by the shapes.
//!
//! Georganas et al., "Anatomy of High-Performance Deep Learning Convolutions on SIMD Architectures" (SC 2018), and
//! Dukhan, "The Indirect Convolution Algorithm" (arXiv:1907.02129), do without the matrix in similar ways.

use std::ops::Range;

use super::kernels::{Kernel, kernel};
use super::vector::Vector;
use super::{COLUMNS, DEPTH, MOST_LANES, PITCH, Place, ROWS, Rooms, scratch};
use crate::Float;
use crate::linalg::image::Convolution;

/// Rows of the largest tile of any CPU.
const MOST_ROWS: usize = 14;

/// Numbers in the room for copies of the right factor.
const ROOM: usize = COLUMNS * DEPTH;

/// Numbers of k for which the right factor is copied at once: a panel of the widest vectors fills the room.
const MOST_DEPTH: usize = ROOM / (2 * MOST_LANES);

/// Rows of weights whose part of an image is computed at a time, at most.
const COLUMNS_OF_IMAGE: usize = 512;

/// Numbers in the room for these.
const ROWS_OF_IMAGE: usize = ROWS * PITCH;

/// Numbers at the same distance from one another, so far behind where a row begins.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    offset: usize,
    length: usize,
}

/// A tile of which each row begins anywhere.
pub(super) struct Tile<'a, T> {
    rows: [*const T; MOST_ROWS],
    stretches: &'a [Stretch],
    /// From one number of a stretch to the next.
    step: usize,
    b: *const T,
    /// From one row of B to the next; the numbers of a row lie side by side, and are as many as `N` vectors have.
    pitch: usize,
    c: *mut T,
    c_pitch: usize,
    columns: usize,
    start: Start<*const T>,
}

/// What the sums of the first block are added to.
#[derive(Clone, Copy)]
pub enum Start<P> {
    /// Nothing.
    Zero,
    /// What is there.
    There,
    /// A row of biases.
    Bias(P),
}

/// Which of the three is computed of the other two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Map,
    Image,
    Weights,
}

/// What a kernel is given: where batches and weights begin. What is not [`Wanted`] is only read.
pub struct Job<T> {
    form: Convolution,
    samples: usize,
    wanted: Wanted,
    image: *mut T,
    map: *mut T,
    weights: *mut T,
    /// Of these rows of the weights, where they are wanted; `weights` is where the first one is.
    rows: Range<usize>,
    start: Start<*const T>,
}

/// The map of every sample: the convolution of its image, after `start`.
///
/// # Panics
/// If the lengths are not those of the form. So for the two below.
pub fn map<T: Float>(form: &Convolution, image: &[T], weights: &[T], start: Start<&[T]>, map: &mut [T]) {
    map_by(kernel::<T>(), form, image, weights, start, map);
}

pub(super) fn map_by<T: Float>(
    kernel: &Kernel<T>,
    form: &Convolution,
    image: &[T],
    weights: &[T],
    start: Start<&[T]>,
    map: &mut [T],
) {
    let samples = check(form, image, map, weights, 0..form.depth());
    let start = match start {
        Start::Bias(bias) => {
            assert_eq!(bias.len(), form.filters, "convolution: another number of biases");
            Start::Bias(bias.as_ptr())
        }
        Start::Zero => Start::Zero,
        Start::There => Start::There,
    };
    let (image, weights, map) = (image.as_ptr().cast_mut(), weights.as_ptr().cast_mut(), map.as_mut_ptr());
    run(kernel, Job { form: *form, samples, wanted: Wanted::Map, image, map, weights, rows: 0..0, start });
}

/// The image of every sample of which `map` would be the gradient of the map: the transpose of [`map`]; added to what is
/// there, or in its place.
pub fn image<T: Float>(form: &Convolution, map: &[T], weights: &[T], add: bool, image: &mut [T]) {
    image_by(kernel::<T>(), form, map, weights, add, image);
}

pub(super) fn image_by<T: Float>(
    kernel: &Kernel<T>,
    form: &Convolution,
    map: &[T],
    weights: &[T],
    add: bool,
    image: &mut [T],
) {
    let samples = check(form, image, map, weights, 0..form.depth());
    if !add {
        image.fill(T::ZERO);
    }
    let (map, weights, image) = (map.as_ptr().cast_mut(), weights.as_ptr().cast_mut(), image.as_mut_ptr());
    let start = Start::There;
    run(kernel, Job { form: *form, samples, wanted: Wanted::Image, image, map, weights, rows: 0..0, start });
}

/// Some rows of the gradient of the weights, summed over the samples: added to what is there, or in its place.
pub fn weights<T: Float>(
    form: &Convolution,
    image: &[T],
    map: &[T],
    rows: Range<usize>,
    add: bool,
    weights: &mut [T],
) {
    weights_by(kernel::<T>(), form, image, map, rows, add, weights);
}

pub(super) fn weights_by<T: Float>(
    kernel: &Kernel<T>,
    form: &Convolution,
    image: &[T],
    map: &[T],
    rows: Range<usize>,
    add: bool,
    weights: &mut [T],
) {
    let samples = check(form, image, map, weights, rows.clone());
    if samples == 0 && !add {
        weights.fill(T::ZERO);
    }
    let start = if add { Start::There } else { Start::Zero };
    let (image, map, weights) = (image.as_ptr().cast_mut(), map.as_ptr().cast_mut(), weights.as_mut_ptr());
    run(kernel, Job { form: *form, samples, wanted: Wanted::Weights, image, map, weights, rows, start });
}

/// Whether the numbers are there; how many samples they are.
fn check<T>(form: &Convolution, image: &[T], map: &[T], weights: &[T], rows: Range<usize>) -> usize {
    let output = form.output().expect("a form that was looked at before").numel();
    let samples = map.len() / output;
    assert!(
        map.len() == samples * output
            && image.len() == samples * form.image.numel()
            && rows.start <= rows.end
            && rows.end <= form.depth()
            && weights.len() == rows.len() * form.filters,
        "convolution: shapes do not fit"
    );
    samples
}

fn run<T: Float>(kernel: &Kernel<T>, job: Job<T>) {
    let padded = match (job.wanted, Layout::of(&job.form)) {
        (Wanted::Image, _) => 0,
        (_, layout) => layout.padded_numbers(),
    };
    // SAFETY: the kernel is one that this CPU can run. By `check` the numbers of the form are there; what is wanted was
    // borrowed for writing, so that it lies apart from the others; and the rooms hold what they say.
    scratch::with(padded, |rooms| unsafe { (kernel.convolve)(&job, rooms) });
}

/// Where things of one sample are.
struct Layout {
    form: Convolution,
    /// Numbers of the image and of the map, and pixels of the map.
    image: usize,
    map: usize,
    pixels: usize,
    /// Pixels in a line of the map.
    line: usize,
    /// Numbers from one line of the image with its padding to the next.
    pitch: usize,
    /// Numbers in it from one pixel of the map to the next, down and along, and from one pixel of the window to the next.
    steps: [usize; 2],
    taps: [usize; 2],
    /// Channels and filters of a group.
    channels: usize,
    filters: usize,
    /// Rows of the weights.
    depth: usize,
}

impl Layout {
    fn of(form: &Convolution) -> Layout {
        let output = form.output().expect("a form that was looked at before");
        let window = form.window;
        let pitch = (form.image.width + 2 * window.padding[1]) * form.image.channels;
        let places = |step: [usize; 2]| [step[0] * pitch, step[1] * form.image.channels];
        Layout {
            form: *form,
            image: form.image.numel(),
            map: output.numel(),
            pixels: output.pixels(),
            line: output.width,
            pitch,
            steps: places(window.stride),
            taps: places(window.dilation),
            channels: form.image.channels / form.groups,
            filters: form.filters / form.groups,
            depth: form.depth(),
        }
    }

    /// Numbers of an image with its padding, if it has any.
    fn padded_numbers(&self) -> usize {
        match self.form.window.padding {
            [0, 0] => 0,
            [down, _] => (self.form.image.height + 2 * down) * self.pitch,
        }
    }

    /// Where a pixel of the map begins to see the image with its padding.
    fn pixel(&self, pixel: usize) -> usize {
        pixel / self.line * self.steps[0] + pixel % self.line * self.steps[1]
    }

    /// How far behind it a row of the weights sees it.
    fn row(&self, row: usize) -> usize {
        let (tap, channel) = (row / self.channels, row % self.channels);
        let width = self.form.window.kernel[1];
        tap / width * self.taps[0] + tap % width * self.taps[1] + channel
    }

    /// The stretches that rows of the weights see.
    fn along_rows<'a>(&self, rows: Range<usize>, to: &'a mut [Stretch; DEPTH]) -> &'a [Stretch] {
        // The pixels of a line of the window lie side by side where there is nothing in between.
        let is_line = self.taps[1] == self.channels;
        let run = if is_line { self.form.window.kernel[1] * self.channels } else { self.channels };
        cut(rows, run, to, |row| self.row(row))
    }

    /// The stretches of pixels of the map.
    fn along_pixels<'a>(&self, pixels: Range<usize>, to: &'a mut [Stretch; DEPTH]) -> &'a [Stretch] {
        cut(pixels, self.line, to, |pixel| self.pixel(pixel))
    }

    /// The image of a sample with its padding, of which the room holds the zeros already.
    ///
    /// # Safety
    /// The image is there, and the room holds as many numbers as it has with its padding.
    unsafe fn padded<T: Float>(&self, image: *const T, room: *mut T) -> *const T {
        let [down, along] = self.form.window.padding;
        if [down, along] == [0, 0] {
            return image;
        }
        let channels = self.form.image.channels;
        let line = self.form.image.width * channels;
        for i in 0..self.form.image.height {
            let to = (down + i) * self.pitch + along * channels;
            // SAFETY: as the caller says.
            unsafe { room.add(to).copy_from_nonoverlapping(image.add(i * line), line) };
        }
        room
    }
}

/// Cuts a range into the parts of runs of that length; where a part begins is told by `place`.
fn cut(
    range: Range<usize>,
    run: usize,
    to: &mut [Stretch; DEPTH],
    place: impl Fn(usize) -> usize,
) -> &[Stretch] {
    let (mut first, mut count) = (range.start, 0);
    while first < range.end {
        let length = (run - first % run).min(range.end - first);
        to[count] = Stretch { offset: place(first), length };
        (first, count) = (first + length, count + 1);
    }
    &to[..count]
}

const NO_STRETCH: Stretch = Stretch { offset: 0, length: 0 };

/// The convolution that is wanted.
///
/// # Safety
/// As [`Kernel::convolve`](super::kernels::Kernel::convolve).
pub(super) unsafe fn convolve<T: Float, V: Vector<T>>(job: &Job<T>, rooms: &Rooms<T>) {
    let layout = Layout::of(&job.form);
    // SAFETY: the room for an image was asked for with that size; the rest is as the caller says.
    unsafe {
        if job.wanted != Wanted::Image {
            rooms.image.write_bytes(0, layout.padded_numbers());
        }
        match job.wanted {
            Wanted::Map => map_of::<T, V>(job, &layout, rooms),
            Wanted::Image => image_of::<T, V>(job, &layout, rooms),
            Wanted::Weights => weights_of::<T, V>(job, &layout, rooms),
        }
    }
}

// SAFETY, of all below: samples, pixels, rows and columns stay below those of the job, which are there, and what is copied
// into a room stays below its size, by the constants above.

unsafe fn map_of<T: Float, V: Vector<T>>(job: &Job<T>, at: &Layout, rooms: &Rooms<T>) {
    let width = 2 * V::LANES;
    let in_group = at.filters.div_ceil(width);
    let panels = job.form.groups * in_group;
    // A panel: its group, its first column there, and its columns.
    let panel = |panel: usize| {
        let (group, first) = (panel / in_group, panel % in_group * width);
        (group, first, width.min(at.filters - first))
    };
    let mut stretches = [NO_STRETCH; DEPTH];
    for k in (0..at.depth).step_by(MOST_DEPTH) {
        let length = MOST_DEPTH.min(at.depth - k);
        let at_once = ROOM / (width * length);
        for first_panel in (0..panels).step_by(at_once) {
            let loaded = first_panel..(first_panel + at_once).min(panels);
            let copy = |i: usize| unsafe { rooms.b.add((i - first_panel) * width * length) };
            for i in loaded.clone() {
                let (group, first, columns) = panel(i);
                let from = unsafe {
                    job.weights.add(k * job.form.filters + group * at.filters + first).cast_const()
                };
                let from = Place { at: from, row: job.form.filters, column: 1 };
                unsafe { V::copy_b(from, length, 0, columns, copy(i)) };
            }
            for sample in 0..job.samples {
                let image = unsafe { at.padded(job.image.add(sample * at.image), rooms.image) };
                let map = unsafe { job.map.add(sample * at.map) };
                for i in loaded.clone() {
                    let (group, first, columns) = panel(i);
                    let column = group * at.filters + first;
                    for start in (k..k + length).step_by(DEPTH) {
                        let end = (start + DEPTH).min(k + length);
                        let tile = Tile {
                            rows: [unsafe { image.add(group * at.channels) }; MOST_ROWS],
                            stretches: at.along_rows(start..end, &mut stretches),
                            step: 1,
                            b: unsafe { copy(i).add((start - k) * width) },
                            pitch: width,
                            c: unsafe { map.add(column) },
                            c_pitch: job.form.filters,
                            columns,
                            start: match job.start {
                                _ if start > 0 => Start::There,
                                Start::Bias(bias) => Start::Bias(unsafe { bias.add(column) }),
                                start => start,
                            },
                        };
                        unsafe { tiles::<T, V>(tile, 0..at.pixels, |pixel| at.pixel(pixel)) };
                    }
                }
            }
        }
    }
}

unsafe fn image_of<T: Float, V: Vector<T>>(job: &Job<T>, at: &Layout, rooms: &Rooms<T>) {
    let (width, filters) = (2 * V::LANES, job.form.filters);
    for group in 0..job.form.groups {
        for k in (0..at.filters).step_by(MOST_DEPTH) {
            let length = MOST_DEPTH.min(at.filters - k);
            // Whole panels of any CPU's vectors, so that the order does not depend on it.
            let most = (ROOM / length / (2 * MOST_LANES) * (2 * MOST_LANES)).min(COLUMNS_OF_IMAGE);
            for first in (0..at.depth).step_by(most) {
                let columns = most.min(at.depth - first);
                let weights =
                    unsafe { job.weights.add(first * filters + group * at.filters + k).cast_const() };
                unsafe {
                    V::copy_b(Place { at: weights, row: 1, column: filters }, length, 0, columns, rooms.b)
                };
                let pitch = columns.next_multiple_of(2 * MOST_LANES);
                for sample in 0..job.samples {
                    let map = unsafe { job.map.add(sample * at.map + group * at.filters + k).cast_const() };
                    for pixel in (0..at.pixels).step_by(ROWS_OF_IMAGE / pitch) {
                        let pixels = pixel..(pixel + ROWS_OF_IMAGE / pitch).min(at.pixels);
                        for (panel, column) in (0..columns).step_by(width).enumerate() {
                            for start in (0..length).step_by(DEPTH) {
                                let end = (start + DEPTH).min(length);
                                let tile = Tile {
                                    rows: [unsafe { map.add(start) }; MOST_ROWS],
                                    stretches: &[Stretch { offset: 0, length: end - start }],
                                    step: 1,
                                    b: unsafe { rooms.b.add(panel * width * length + start * width) },
                                    pitch: width,
                                    c: unsafe { rooms.a.add(column) },
                                    c_pitch: pitch,
                                    columns: width.min(columns - column),
                                    start: if start > 0 { Start::There } else { Start::Zero },
                                };
                                unsafe { tiles::<T, V>(tile, pixels.clone(), |pixel| pixel * filters) };
                            }
                        }
                        let seen = Seen {
                            at,
                            group,
                            rows: first..first + columns,
                            pixels,
                            from: rooms.a,
                            pitch,
                            to: unsafe { job.image.add(sample * at.image) },
                        };
                        unsafe { V::add_seen(&seen) };
                    }
                }
            }
        }
    }
}

unsafe fn weights_of<T: Float, V: Vector<T>>(job: &Job<T>, at: &Layout, rooms: &Rooms<T>) {
    let (width, filters) = (2 * V::LANES, job.form.filters);
    let mut stretches = [NO_STRETCH; DEPTH];
    for sample in 0..job.samples {
        let image = unsafe { at.padded(job.image.add(sample * at.image), rooms.image) };
        for pixel in (0..at.pixels).step_by(DEPTH) {
            let pixels = pixel..(pixel + DEPTH).min(at.pixels);
            let stretches = at.along_pixels(pixels.clone(), &mut stretches);
            for group in 0..job.form.groups {
                for first in (0..at.filters).step_by(COLUMNS) {
                    let columns = COLUMNS.min(at.filters - first);
                    let column = group * at.filters + first;
                    let map = unsafe { job.map.add(sample * at.map + pixel * filters + column).cast_const() };
                    let map = Place { at: map, row: filters, column: 1 };
                    unsafe { V::copy_b(map, pixels.len(), 0, columns, rooms.b) };
                    for (panel, from) in (0..columns).step_by(width).enumerate() {
                        let tile = Tile {
                            rows: [unsafe { image.add(group * at.channels) }; MOST_ROWS],
                            stretches,
                            step: at.steps[1],
                            b: unsafe { rooms.b.add(panel * width * pixels.len()) },
                            pitch: width,
                            c: unsafe { job.weights.add(column + from) },
                            c_pitch: filters,
                            columns: width.min(columns - from),
                            start: if sample > 0 || pixel > 0 { Start::There } else { job.start },
                        };
                        unsafe { tiles::<T, V>(tile, job.rows.clone(), |row| at.row(row)) };
                    }
                }
            }
        }
    }
}

/// All tiles of some rows, of about as many rows each. `strip` says where the first row of C is, and what is added to
/// where each row begins, which is told by `place`.
#[inline(always)]
unsafe fn tiles<T: Float, V: Vector<T>>(
    strip: Tile<'_, T>,
    rows: Range<usize>,
    place: impl Fn(usize) -> usize,
) {
    let mut tile = strip;
    let (base, mut first) = (tile.rows[0], rows.start);
    for left in (1..=rows.len().div_ceil(V::TILE)).rev() {
        let count = (rows.end - first).div_ceil(left);
        for (i, row) in tile.rows[..count].iter_mut().enumerate() {
            *row = unsafe { base.add(place(first + i)) };
        }
        macro_rules! tiles {
            ($n:literal: $($rows:literal)*) => {
                match count {
                    // What no tile of this CPU has is not compiled for it.
                    $($rows if const { $rows <= V::TILE } => unsafe { V::seen_tile::<$rows, $n>(&tile) },)*
                    _ => unreachable!("a tile of {count} rows"),
                }
            };
        }
        if tile.columns > V::LANES {
            tiles!(2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
        } else {
            tiles!(1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
        }
        tile.c = tile.c.wrapping_add(count * tile.c_pitch);
        first += count;
    }
}

/// A tile of `R` rows and `N` vectors: its sums are registers for all of its stretches.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "indices are unrolled into registers, and iterators are not")]
pub(super) unsafe fn seen_tile<T: Float, V: Vector<T>, const R: usize, const N: usize>(tile: &Tile<'_, T>) {
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
        let last = tile.columns - (N - 1) * V::LANES;
        // Loops so small that they are unrolled: an index that is not known puts all sums into memory.
        macro_rules! each {
            ($row:ident, $j:ident, $sum:ident => $whole:expr, $part:expr) => {
                for i in 0..R {
                    let $row = tile.c.add(i * tile.c_pitch);
                    for $j in 0..N {
                        let $sum = sums[i][$j];
                        let $row = $row.add($j * V::LANES);
                        if $j + 1 < N || last == V::LANES { $whole } else { $part }
                    }
                }
            };
        }
        match tile.start {
            Start::Zero => each!(to, j, sum => sum.store(to), sum.store_first(to, last)),
            Start::There => each!(
                to, j, sum => V::load(to).add(sum).store(to),
                V::load_first(to, last).add(sum).store_first(to, last)
            ),
            Start::Bias(bias) => {
                let mut biases = [V::splat(T::ZERO); N];
                for j in 0..N {
                    let from = bias.add(j * V::LANES);
                    biases[j] = if j + 1 < N { V::load(from) } else { V::load_first(from, last) };
                }
                each!(
                    to, j, sum => biases[j].add(sum).store(to),
                    biases[j].add(sum).store_first(to, last)
                )
            }
        }
    }
}

/// What pixels of the map have seen: for each of them a row of terms, which belong to the pixels of the image.
pub(super) struct Seen<'a, T> {
    at: &'a Layout,
    group: usize,
    /// Rows of the weights, which are the columns of the terms.
    rows: Range<usize>,
    pixels: Range<usize>,
    from: *const T,
    pitch: usize,
    /// The image of the sample, without padding.
    to: *mut T,
}

/// Adds each term to its pixel; what is of the padding is left out. Row of weights by row of weights, since the terms of
/// neighbouring pixels overlap: a CPU waits for a number that it has just stored as a part of another vector.
#[inline(always)]
pub(super) unsafe fn add_seen<T: Float, V: Vector<T>>(seen: &Seen<'_, T>) {
    let Seen { at, group, rows, pixels, from, pitch, to } = seen;
    let (window, image) = (at.form.window, at.form.image);
    for tap in rows.start / at.channels..=(rows.end - 1) / at.channels {
        let first = (tap * at.channels).max(rows.start);
        let count = ((tap + 1) * at.channels).min(rows.end) - first;
        let channel = group * at.channels + first - tap * at.channels;
        let (down, along) = (tap / window.kernel[1], tap % window.kernel[1]);
        // Of the pixels of a line of the map, those that see the image here.
        let (offset, stride) = (along * window.dilation[1], window.stride[1]);
        let sees_from = window.padding[1].saturating_sub(offset).div_ceil(stride);
        let sees_to = (image.width + window.padding[1]).saturating_sub(offset).div_ceil(stride);
        let mut pixel = pixels.start;
        while pixel < pixels.end {
            let (line, x) = (pixel / at.line, pixel % at.line);
            let end = at.line.min(x + pixels.end - pixel);
            let y = line * window.stride[0] + down * window.dilation[0];
            if (window.padding[0]..window.padding[0] + image.height).contains(&y) {
                let line = (y - window.padding[0]) * image.width;
                for x_of_map in x.max(sees_from)..end.min(sees_to) {
                    let x_of_image = x_of_map * stride + offset - window.padding[1];
                    let term = (pixel + x_of_map - x - pixels.start) * pitch + first - rows.start;
                    unsafe {
                        let from = from.add(term);
                        let to = to.add((line + x_of_image) * image.channels + channel);
                        let whole = count / V::LANES * V::LANES;
                        for i in (0..whole).step_by(V::LANES) {
                            V::load(to.add(i)).add(V::load(from.add(i))).store(to.add(i));
                        }
                        if whole < count {
                            let (to, from, rest) = (to.add(whole), from.add(whole), count - whole);
                            V::load_first(to, rest).add(V::load_first(from, rest)).store_first(to, rest);
                        }
                    }
                }
            }
            pixel += end - x;
        }
    }
}
