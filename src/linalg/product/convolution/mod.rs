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
//! An image with padding is copied first, one at a time. The other factor is copied into panels, as for a product; but
//! a map of few filters is read where it lies.
//!
//! Of few filters, vectors along them would be nearly empty. Then the map is computed with the [pixels](mod@narrow) of a line
//! in a vector, from a copy of the image that has its channels one behind the other.
//!
//! **The order** is that of [products](super): blocks of [`DEPTH`] in the order of k, in each a chain of fused
//! multiply-adds that begins at 0. For the map and the image they are counted along k; for the weights from the first
//! pixel of each sample. The terms of a pixel of the image are added to it one by one in the order of the pixels of a window,
//! for some pixels of the [window](COLUMNS_OF_IMAGE), of the [map](ROWS_OF_IMAGE) and some [filters](MOST_DEPTH) at a
//! time; how many, is told by the shapes.
//!
//! Georganas et al., "Anatomy of High-Performance Deep Learning Convolutions on SIMD Architectures" (SC 2018), and
//! Dukhan, "The Indirect Convolution Algorithm" (arXiv:1907.02129), do without the matrix in similar ways.

mod layout;
mod narrow;
mod seen;
#[cfg(test)]
mod tests;
mod tile;

use std::ops::Range;

use layout::{Layout, Walk};
use narrow::Planes;
pub(super) use narrow::{Strip, narrow};
pub(super) use seen::{Seen, add_seen};
use tile::{MOST_ROWS, tiles};
pub(super) use tile::{Stretch, Tile, seen_tile};

use super::kernels::{Kernel, kernel};
use super::vector::Vector;
use super::{COLUMNS, DEPTH, MOST_LANES, PITCH, Place, ROWS, Rooms, scratch};
use crate::Float;
use crate::linalg::image::Convolution;

/// Numbers in the room for copies of the right factor.
const ROOM: usize = COLUMNS * DEPTH;

/// Numbers of k for which the right factor is copied at once: a panel of the widest vectors fills the room.
const MOST_DEPTH: usize = ROOM / (2 * MOST_LANES);

/// Rows of weights whose part of an image is computed at a time, at most.
const COLUMNS_OF_IMAGE: usize = 512;

/// Numbers in the room for these.
const ROWS_OF_IMAGE: usize = ROWS * PITCH;

/// Most bytes of a row of a map that is read where it is: the lines of longer rows would displace one another in the nearest
/// cache.
const MOST_IN_PLACE: usize = 128;

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

impl<T> Job<T> {
    /// What the sums of the block that begins at `k` are added to, for the filters from `column` on.
    ///
    /// # Safety
    /// There is such a filter.
    unsafe fn start_of(&self, k: usize, column: usize) -> Start<*const T> {
        match self.start {
            _ if k > 0 => Start::There,
            // SAFETY: as the caller says; there are as many biases as filters.
            Start::Bias(bias) => Start::Bias(unsafe { bias.add(column) }),
            start => start,
        }
    }
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
    let layout = Layout::of(&job.form);
    let padded = match job.wanted {
        Wanted::Map => layout.padded_numbers().max(Planes::of(&layout).numbers()),
        Wanted::Image => 0,
        Wanted::Weights => layout.padded_numbers(),
    };
    // SAFETY: the kernel is one that this CPU can run. By `check` the numbers of the form are there; what is wanted was
    // borrowed for writing, so that it lies apart from the others; and the rooms hold what they say.
    scratch::with(padded, |rooms| unsafe { (kernel.convolve)(&job, rooms) });
}

/// The convolution that is wanted.
///
/// # Safety
/// As [`Kernel::convolve`](super::kernels::Kernel::convolve).
pub(super) unsafe fn convolve<T: Float, V: Vector<T>>(job: &Job<T>, rooms: &Rooms<T>) {
    let layout = Layout::of(&job.form);
    // SAFETY: the room for an image was asked for with that size; the rest is as the caller says.
    unsafe {
        let planes = Planes::of(&layout);
        if job.wanted == Wanted::Map && planes.pay::<T, V>() {
            rooms.image.write_bytes(0, planes.numbers());
            return narrow_map_of::<T, V>(job, &planes, rooms);
        }
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
// into a room stays below its size, by the constants above. Vectors that are read in place may reach beyond their columns, but
// not beyond the map: `weights_of` looks at that.

unsafe fn map_of<T: Float, V: Vector<T>>(job: &Job<T>, at: &Layout, rooms: &Rooms<T>) {
    let width = 2 * V::LANES;
    let in_group = at.filters.div_ceil(width);
    let panels = job.form.groups * in_group;
    // A panel: its group, its first column there, and its columns.
    let panel = |panel: usize| {
        let (group, first) = (panel / in_group, panel % in_group * width);
        (group, first, width.min(at.filters - first))
    };
    let mut stretches = [Stretch::NONE; DEPTH];
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
                            start: unsafe { job.start_of(start, column) },
                        };
                        unsafe { tiles::<T, V>(tile, 0..at.pixels, at.pixels_from(0)) };
                    }
                }
            }
        }
    }
}

unsafe fn narrow_map_of<T: Float, V: Vector<T>>(job: &Job<T>, planes: &Planes<'_>, rooms: &Rooms<T>) {
    let (at, filters) = (planes.at, job.form.filters);
    let mut offsets = [0; DEPTH];
    for sample in 0..job.samples {
        unsafe { planes.copy(job.image.add(sample * at.image), rooms.image) };
        for start in (0..at.depth).step_by(DEPTH) {
            let offsets = planes.offsets(start..(start + DEPTH).min(at.depth), &mut offsets);
            for group in 0..job.form.groups {
                let column = group * at.filters;
                let strip = Strip {
                    at,
                    pitch: planes.pitch,
                    image: unsafe { planes.group(group, rooms.image) },
                    offsets,
                    b: unsafe { job.weights.add(start * filters + column) },
                    b_pitch: filters,
                    map: unsafe { job.map.add(sample * at.map + column) },
                    start: unsafe { job.start_of(start, column) },
                };
                unsafe { V::narrow(&strip) };
            }
        }
    }
}

unsafe fn image_of<T: Float, V: Vector<T>>(job: &Job<T>, at: &Layout, rooms: &Rooms<T>) {
    let (width, filters) = (2 * V::LANES, job.form.filters);
    for group in 0..job.form.groups {
        for k in (0..at.filters).step_by(MOST_DEPTH) {
            let length = MOST_DEPTH.min(at.filters - k);
            // Whole pixels of a window, or some channels of one. No CPU's vectors have a say in it, nor so in the order.
            let most = (ROOM / (2 * MOST_LANES) / length * (2 * MOST_LANES)).min(COLUMNS_OF_IMAGE);
            let channels_at_once = most.min(at.channels);
            let taps_at_once = most / channels_at_once;
            let taps = (0..job.form.window.taps()).step_by(taps_at_once);
            let parts =
                taps.flat_map(|tap| (0..at.channels).step_by(channels_at_once).map(move |c| (tap, c)));
            for (tap, channel) in parts {
                let taps = tap..(tap + taps_at_once).min(job.form.window.taps());
                let channels = channel..(channel + channels_at_once).min(at.channels);
                let (first, columns) = (tap * at.channels + channel, taps.len() * channels.len());
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
                                unsafe {
                                    tiles::<T, V>(
                                        tile,
                                        pixels.clone(),
                                        Walk::evenly(pixels.start * filters, filters),
                                    )
                                };
                            }
                        }
                        let to = sample * at.image + group * at.channels + channel;
                        let seen = Seen {
                            at,
                            taps: taps.clone(),
                            channels: channels.clone(),
                            pixels,
                            from: rooms.a,
                            pitch,
                            to: unsafe { job.image.add(to) },
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
    let mut stretches = [Stretch::NONE; DEPTH];
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
                    // Short rows are read where they are, if whole vectors can be read: in the last sample, a vector may reach
                    // beyond the end of the map.
                    let numbers_left = (job.samples - sample) * at.map - pixel * filters - column;
                    let numbers_read = (pixels.len() - 1) * filters + columns.next_multiple_of(V::LANES);
                    let in_place = filters * size_of::<T>() <= MOST_IN_PLACE && numbers_read <= numbers_left;
                    if !in_place {
                        let map = Place { at: map, row: filters, column: 1 };
                        unsafe { V::copy_b(map, pixels.len(), 0, columns, rooms.b) };
                    }
                    for (panel, from) in (0..columns).step_by(width).enumerate() {
                        let (b, pitch) = if in_place {
                            (unsafe { map.add(from) }, filters)
                        } else {
                            (unsafe { rooms.b.add(panel * width * pixels.len()).cast_const() }, width)
                        };
                        let tile = Tile {
                            rows: [unsafe { image.add(group * at.channels) }; MOST_ROWS],
                            stretches,
                            step: at.steps[1],
                            b,
                            pitch,
                            c: unsafe { job.weights.add(column + from) },
                            c_pitch: filters,
                            columns: width.min(columns - from),
                            start: if sample > 0 || pixel > 0 { Start::There } else { job.start },
                        };
                        unsafe { tiles::<T, V>(tile, job.rows.clone(), at.rows_from(job.rows.start)) };
                    }
                }
            }
        }
    }
}
