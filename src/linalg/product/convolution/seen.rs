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

/// Adds each term to its pixel; what is of the padding is left out. Pixel by pixel of the image, whose sum is a register: to
/// add to memory, a CPU would wait again and again for a number that it has just stored as a part of another vector.
#[inline(always)]
pub unsafe fn add_seen<T: Float, V: Vector<T>>(seen: &Seen<'_, T>) {
    let (image, window) = (seen.at.form.image, seen.at.form.window);
    let side_by_side = window.stride == [1, 1] && window.dilation == [1, 1] && window.kernel[0] <= LINES;
    for y in lines(seen) {
        let (mut of_map, mut count) = ([LineOfMap::NONE; LINES], 0);
        if side_by_side {
            for line in lines_of_map(seen, y) {
                (of_map[count], count) = (line, count + 1);
            }
        }
        let of_map = &of_map[..count];
        for x in 0..image.width {
            let pixel = unsafe { seen.to.add((y * image.width + x) * image.channels) };
            for channel in (0..seen.channels.len()).step_by(V::LANES) {
                let count = V::LANES.min(seen.channels.len() - channel);
                let to = unsafe { pixel.add(channel) };
                macro_rules! add {
                    ($sum:ident $place:expr) => {
                        if count == V::LANES {
                            let before = V::load(to);
                            $sum(seen, $place, channel, before, |from| V::load(from)).store(to);
                        } else {
                            let before = V::load_first(to, count);
                            $sum(seen, $place, channel, before, |from| V::load_first(from, count))
                                .store_first(to, count);
                        }
                    };
                }
                unsafe {
                    if side_by_side {
                        add!(sum_of_lines(of_map, x));
                    } else {
                        add!(sum(y, x));
                    }
                }
            }
        }
    }
}

/// Lines of a window that are looked at side by side.
const LINES: usize = 16;

/// A line of the map that sees a line of the image, by one line of the window, where the pixels of both lie side by side.
#[derive(Clone, Copy)]
struct LineOfMap {
    /// The number of its first pixel among those that have seen; negative where these begin within it.
    first: isize,
    /// Its first pixel that has seen, and the one behind the last.
    there: [usize; 2],
    /// The line of the window, and the pixels of it that are asked for.
    line: usize,
    taps: [usize; 2],
}

impl LineOfMap {
    const NONE: LineOfMap = LineOfMap { first: 0, there: [0; 2], line: 0, taps: [0; 2] };
}

/// The lines of the map that see line `y` of the image, in the order of the window.
#[inline(always)]
fn lines_of_map<T>(seen: &Seen<'_, T>, y: usize) -> impl Iterator<Item = LineOfMap> {
    let Seen { at, taps, pixels, .. } = seen;
    let (window, width, length) = (at.form.window, at.form.window.kernel[1], at.line);
    (taps.start / width..(taps.end - 1) / width + 1).filter_map(move |line| {
        let start = (y + window.padding[0]).checked_sub(line)? * length;
        let there = pixels.start.max(start)..pixels.end.min(start + length);
        let of_line = |tap: usize| tap.saturating_sub(line * width).min(width);
        (!there.is_empty()).then(|| LineOfMap {
            first: start as isize - pixels.start as isize,
            there: [there.start - start, there.end - start],
            line,
            taps: [of_line(taps.start), of_line(taps.end)],
        })
    })
}

/// As [`sum`], of those lines of the map: each pixel of the window further is one pixel of the map back.
#[inline(always)]
unsafe fn sum_of_lines<T: Float, V: Vector<T>>(
    seen: &Seen<'_, T>,
    (lines, x): (&[LineOfMap], usize),
    channel: usize,
    mut sum: V,
    load: impl Fn(*const T) -> V,
) -> V {
    let (channels, pitch) = (seen.channels.len(), seen.pitch);
    let (window, x) = (seen.at.form.window, x + seen.at.form.window.padding[1]);
    for LineOfMap { first, there, line, taps } in lines {
        let from = (x + 1).saturating_sub(there[1]).max(taps[0]);
        let end = (x + 1).saturating_sub(there[0]).min(taps[1]);
        if from >= end {
            continue;
        }
        let pixel = (*first + (x - from) as isize) as usize;
        let mut term =
            pixel * pitch + (line * window.kernel[1] + from - seen.taps.start) * channels + channel;
        for _ in from..end {
            sum = unsafe { sum.add(load(seen.from.add(term))) };
            term = term.wrapping_sub(pitch - channels);
        }
    }
    sum
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
