//! What comes of a map is added to the image.

use std::ops::Range;

use super::super::vector::Vector;
use super::Layout;
use crate::Float;

/// What pixels of the map have seen: for each of them a row of terms, which belong to the pixels of the image.
pub struct Seen<'a, T> {
    pub at: &'a Layout,
    /// The pixels of the window, and the channels of each of them, that the terms are of.
    pub taps: Range<usize>,
    pub channels: Range<usize>,
    pub pixels: Range<usize>,
    pub from: *const T,
    pub pitch: usize,
    /// Where the first of the channels is in the image of the sample, without padding.
    pub to: *mut T,
}

/// Adds each term to its pixel; what is of the padding is left out. The sums of pixels are vectors of their own: to add to the
/// image, a CPU would wait again and again for a number that it has just stored as a part of another vector.
#[inline(always)]
pub unsafe fn add_seen<T: Float, V: Vector<T>>(seen: &Seen<'_, T>) {
    let (image, window) = (seen.at.form.image, seen.at.form.window);
    let side_by_side = window.stride == [1, 1] && window.dilation == [1, 1];
    for y in lines(seen) {
        let line = unsafe { seen.to.add(y * image.width * image.channels) };
        for channel in (0..seen.channels.len()).step_by(V::LANES) {
            let count = V::LANES.min(seen.channels.len() - channel);
            let line = unsafe { line.add(channel) };
            macro_rules! add {
                ($load:expr, $store:expr) => {
                    if side_by_side {
                        add_to_line::<T, V>(seen, (line, y), channel, $load, $store);
                    } else {
                        for x in 0..image.width {
                            let to = line.add(x * image.channels);
                            $store(sum(seen, (y, x), channel, $load(to), $load), to);
                        }
                    }
                };
            }
            unsafe {
                if count == V::LANES {
                    add!(|from| V::load(from), |sum: V, to| sum.store(to));
                } else {
                    add!(|from| V::load_first(from, count), |sum: V, to| sum.store_first(to, count));
                }
            }
        }
    }
}

/// Pixels of a line whose sums are there at a time.
const PIXELS: usize = 64;

/// As [`sum`], for a line of the image where the pixels that a pixel of the window sees lie side by side: for each pixel of the
/// window in turn one loop over a line of the map, whose sums do not wait for each other.
#[inline(always)]
unsafe fn add_to_line<T: Float, V: Vector<T>>(
    seen: &Seen<'_, T>,
    (line, y): (*mut T, usize),
    channel: usize,
    load: impl Fn(*const T) -> V,
    store: impl Fn(V, *mut T),
) {
    let Seen { at, taps, channels, pixels, from, pitch, .. } = seen;
    let (image, window, kernel) = (at.form.image, at.form.window, at.form.window.kernel[1]);
    let mut sums = [unsafe { V::splat(T::ZERO) }; PIXELS];
    for first in (0..image.width).step_by(PIXELS) {
        let behind = (first + PIXELS).min(image.width);
        let pixel = |x: usize| unsafe { line.add(x * image.channels) };
        for x in first..behind {
            sums[x - first] = load(pixel(x));
        }
        for tap in taps.clone() {
            // The line of the map, and its pixels that have seen: pixel x + padding − column of it sees pixel x of the image.
            let (down, column) = (tap / kernel, tap % kernel);
            let Some(of_map) = (y + window.padding[0]).checked_sub(down) else { continue };
            let start = of_map * at.line;
            let there = (pixels.start.max(start), pixels.end.min(start + at.line));
            if there.0 >= there.1 {
                continue;
            }
            let x_of = |pixel: usize| (pixel - start + column).saturating_sub(window.padding[1]);
            let (x, end) = (x_of(there.0).max(first), x_of(there.1).min(behind));
            if x >= end {
                continue;
            }
            let pixel = start + x + window.padding[1] - column - pixels.start;
            let mut term = unsafe { from.add(pixel * pitch + (tap - taps.start) * channels.len() + channel) };
            for sum in &mut sums[x - first..end - first] {
                *sum = unsafe { sum.add(load(term)) };
                term = term.wrapping_add(*pitch);
            }
        }
        for x in first..behind {
            store(sums[x - first], pixel(x));
        }
    }
}

/// The lines of the image that the pixels of the map can have seen.
#[inline(always)]
fn lines<T>(seen: &Seen<'_, T>) -> Range<usize> {
    let (form, line) = (&seen.at.form, seen.at.line);
    let ([stride, _], [padding, _], [dilation, _]) =
        (form.window.stride, form.window.padding, form.window.dilation);
    let line_of_tap = |tap: usize| tap / form.window.kernel[1];
    let place = |pixel: usize, tap: usize| pixel / line * stride + line_of_tap(tap) * dilation;
    let first = place(seen.pixels.start, seen.taps.start).saturating_sub(padding);
    let behind = (place(seen.pixels.end - 1, seen.taps.end - 1) + 1).saturating_sub(padding);
    first..behind.min(form.image.height)
}

/// `sum` and all terms of some channels of a pixel, in the order of the window.
#[inline(always)]
unsafe fn sum<T: Float, V: Vector<T>>(
    seen: &Seen<'_, T>,
    (y, x): (usize, usize),
    channel: usize,
    mut sum: V,
    load: impl Fn(*const T) -> V,
) -> V {
    let Seen { at, taps, channels, pixels, from, pitch, .. } = seen;
    let (window, width) = (at.form.window, at.form.window.kernel[1]);
    let (y, x) = (y + window.padding[0], x + window.padding[1]);
    let (stride, dilation) = (window.stride[1], window.dilation[1]);
    for line in taps.start / width..(taps.end - 1) / width + 1 {
        let Some(line_of_map) = before(y, line * window.dilation[0], window.stride[0]) else { continue };
        // The pixels of the line that are among those that have seen; there may be none.
        let first_of_line = line_of_map * at.line;
        let there = pixels.start.max(first_of_line)..pixels.end.min(first_of_line + at.line);
        if there.is_empty() {
            continue;
        }
        // Of the map, from the last pixel that sees this one to the first: x − tap·dilation is stride·pixel.
        let there = (there.start - first_of_line) * stride..(there.end - 1 - first_of_line) * stride + 1;
        let first =
            x.saturating_sub(there.end - 1).div_ceil(dilation).max(taps.start.saturating_sub(line * width));
        let mut tap = first;
        while tap < width.min(taps.end - line * width) && tap * dilation + there.start <= x {
            if let Some(place) = before(x, tap * dilation, stride) {
                let pixel = first_of_line + place - pixels.start;
                let term = pixel * pitch + (line * width + tap - taps.start) * channels.len() + channel;
                sum = unsafe { sum.add(load(from.add(term))) };
            }
            tap += 1;
        }
    }
    sum
}

/// Which window sees a place, of those that begin a stride after each other, if it is so far from its first; none, if none
/// does.
#[inline(always)]
fn before(place: usize, behind: usize, stride: usize) -> Option<usize> {
    let first = place.checked_sub(behind)?;
    // A division takes longer than all else here.
    if stride == 1 {
        return Some(first);
    }
    first.is_multiple_of(stride).then(|| first / stride)
}
