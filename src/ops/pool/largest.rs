//! The largest of windows.

use std::ops::Range;

use super::super::images::describe_window;
use super::windows::{OfWidth, Pools, by_width, few, few_mut};
use crate::Float;
use crate::linalg::parts::Rows;
use crate::linalg::simd::vectorize;
use crate::tape::{Args, Backward, Forward, Operation, Recorder};

/// The index list is the form. Saves for each entry the number of its pixel among those of the window.
pub struct MaxPool;

impl<T: Float> Operation<T> for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (form, x) = (Pools::of_list(cx.indices()), cx.x(0));
        let (from, to) = (form.image.numel(), form.output.numel());
        let (y, places) = cx.y_and_saved();
        let parts = (Rows { numbers: y, cols: to }, Rows { numbers: places, cols: to });
        form.by_samples(x.len(), parts, &|first, (y, places)| {
            vectorize(
                y.numbers.len(),
                #[inline(always)]
                || {
                    let to = y.numbers.chunks_exact_mut(to).zip(places.numbers.chunks_exact_mut(to));
                    for (x, (y, places)) in x[first * from..].chunks_exact(from).zip(to) {
                        if form.image.channels < MOST && form.are_apart(LINE) {
                            lines_of_windows(&form, x, y, places);
                            continue;
                        }
                        form.windows(
                            #[inline(always)]
                            |to, lines, columns| {
                                by_width(to, &mut Largest { form, x, y, places, lines, columns });
                            },
                        );
                    }
                },
            );
        });
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let form = Pools::of_list(cx.indices());
        let (places, dy) = (cx.saved(), cx.dy());
        let (from, to) = (form.image.numel(), form.output.numel());
        let Some((dx, add)) = cx.dx(0) else { return };
        form.by_samples(dx.len(), Rows { numbers: dx, cols: from }, &|first, dx| {
            let terms = dy[first * to..].chunks_exact(to).zip(places[first * to..].chunks_exact(to));
            if form.are_apart(LINE) {
                return lines_of_samples(&form, dx.numbers, terms, add);
            }
            for (dx, (dy, places)) in dx.numbers.chunks_exact_mut(from).zip(terms) {
                if !add {
                    dx.fill(T::ZERO);
                }
                add_to_places(&form, dx, dy, places);
            }
        });
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        // The pixels that are the largest now.
        let (form, places) = (Pools::of_list(&cx.indices()), cx.saved());
        let (from, to, channels) = (form.image.numel(), form.output.numel(), form.image.channels);
        let mut largest = vec![0; places.len()];
        for (sample, (largest, places)) in largest.chunks_mut(to).zip(places.chunks(to)).enumerate() {
            form.windows(|at, lines, columns| {
                for (channel, at) in at.enumerate() {
                    let place = places[at].to_f64() as usize;
                    let (line, column) =
                        (lines.start + place / columns.len(), columns.start + place % columns.len());
                    largest[at] = sample * from + (line * form.image.width + column) * channels + channel;
                }
            });
        }
        cx.through(|tape, x| {
            let samples = tape.shape(x[0]).rows;
            let numbers = tape.reshape(x[0], samples * from, 1);
            let largest = tape.gather_rows(numbers, &largest);
            tape.reshape(largest, samples, to)
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        describe_window(args)
    }
}

/// y ← the largest, and `places` ← the first pixel that has it.
struct Largest<'a, T> {
    form: Pools,
    x: &'a [T],
    y: &'a mut [T],
    places: &'a mut [T],
    lines: Range<usize>,
    columns: Range<usize>,
}

impl<T: Float> OfWidth for Largest<'_, T> {
    #[inline(always)]
    fn run<const W: usize>(&mut self, to: usize, channel: usize) {
        let Largest { form, x, y, places, lines, columns } = self;
        // Every window has a pixel.
        let first = lines.start * form.image.width + columns.start;
        let (mut largest, mut place): ([T; W], _) =
            (*few(x, first * form.image.channels + channel), [T::ZERO; W]);
        let mut number = T::ZERO;
        form.pixels(
            lines,
            columns,
            #[inline(always)]
            |from| {
                let x: &[T; W] = few(x, from + channel);
                for i in 0..W {
                    let is_it = is_larger(x[i], largest[i]);
                    largest[i] = if is_it { x[i] } else { largest[i] };
                    place[i] = if is_it { number } else { place[i] };
                }
                number += T::ONE;
            },
        );
        *few_mut(y, to) = largest;
        *few_mut(places, to) = place;
    }

    #[inline(always)]
    fn room(&self, to: usize, channel: usize) -> usize {
        (self.y.len() - to).min(self.form.behind(&self.lines, &self.columns, channel))
    }
}

/// y ← the largest, and `places` ← the first pixel that has it, of windows that lie side by side, for a sample. The same pixel
/// of all windows of a block is looked at together: so it is one long loop, however few channels there are.
#[inline(always)]
fn lines_of_windows<T: Float>(form: &Pools, x: &[T], y: &mut [T], places: &mut [T]) {
    let (channels, width) = (form.image.channels, form.image.width);
    let [kernel_lines, kernel_columns] = form.window.kernel;
    let mut pixels = [T::ZERO; LINE + MOST];
    for block in form.blocks(LINE / channels) {
        let these = block.numbers(form);
        let (y, places) = (&mut y[these.clone()], &mut places[these]);
        for (number, (m, n)) in
            (0..kernel_lines).flat_map(|m| (0..kernel_columns).map(move |n| (m, n))).enumerate()
        {
            for (k, i) in block.lines.clone().enumerate() {
                let start = ((i * kernel_lines + m) * width + block.first * kernel_columns + n) * channels;
                let (from, to) = (&x[start..], &mut pixels[k * block.count * channels..]);
                if channels <= MOST / 2 {
                    gather::<T, { MOST / 2 }>(from, to, channels, kernel_columns, block.count);
                } else {
                    gather::<T, MOST>(from, to, channels, kernel_columns, block.count);
                }
            }
            let (pixels, number) = (&pixels[..y.len()], T::of(number as f64));
            if number == T::ZERO {
                y.copy_from_slice(pixels);
                places.fill(number);
                continue;
            }
            for (pixel, (largest, place)) in pixels.iter().zip(y.iter_mut().zip(&mut *places)) {
                let is_it = is_larger(*pixel, *largest);
                *largest = if is_it { *pixel } else { *largest };
                *place = if is_it { number } else { *place };
            }
        }
    }
}

/// Whether `x` comes in the place of the largest so far: the first NaN stays. Without a branch, so that it is done for many of
/// them side by side.
#[inline(always)]
fn is_larger<T: Float>(x: T, largest: T) -> bool {
    (x > largest) | (x.is_nan() & !largest.is_nan())
}

/// `to` ← the first `channels` numbers, at most `W`, of each group of `step` times as many. Behind the last one there is room
/// for [`MOST`].
#[inline(always)]
fn gather<T: Float, const W: usize>(from: &[T], to: &mut [T], channels: usize, step: usize, count: usize) {
    for group in 0..count {
        let (from, at) = (&from[group * step * channels..], group * channels);
        // What is of the next group is written over by it.
        match from.first_chunk::<W>() {
            Some(whole) => *few_mut(to, at) = *whole,
            None => to[at..][..channels].copy_from_slice(&from[..channels]),
        }
    }
}

/// dx ← dx + dy at the places, of windows that may overlap.
fn add_to_places<T: Float>(form: &Pools, dx: &mut [T], dy: &[T], places: &[T]) {
    let (width, channels) = (form.image.width, form.image.channels);
    form.windows(|at, lines, columns| {
        for (channel, (dy, place)) in dy[at.clone()].iter().zip(&places[at]).enumerate() {
            let place = place.to_f64() as usize;
            let (line, column) = (lines.start + place / columns.len(), columns.start + place % columns.len());
            dx[(line * width + column) * channels + channel] += *dy;
        }
    });
}

/// dx ← dx + dy at the places, of windows that lie side by side, for some samples: each number of dx is written once, line by
/// line. For that, what belongs to a window stands beside each of its columns first: a line is one long loop then.
fn lines_of_samples<'a, T: Float>(
    form: &Pools,
    dx: &mut [T],
    terms: impl Iterator<Item = (&'a [T], &'a [T])>,
    add: bool,
) {
    let (channels, width) = (form.image.channels, form.image.width);
    let [kernel_lines, kernel_columns] = form.window.kernel;
    let at_once = LINE / (kernel_columns * channels);
    let (mut dys, mut places_of) = ([T::ZERO; LINE + MOST], [T::ZERO; LINE + MOST]);
    // The number of each column within its window.
    let mut own = [T::ZERO; LINE];
    let longest = at_once.min(form.output.width) * kernel_columns * channels;
    for (column, own) in own[..longest].chunks_exact_mut(channels).enumerate() {
        own.fill(T::of((column % kernel_columns) as f64));
    }
    vectorize(
        dx.len(),
        #[inline(always)]
        || {
            for (dx, (dy, places)) in dx.chunks_exact_mut(form.image.numel()).zip(terms) {
                if !add {
                    clear_rest(form, dx);
                }
                for block in form.blocks(at_once) {
                    let these = block.numbers(form);
                    spread(&dy[these.clone()], &mut dys, channels, kernel_columns);
                    spread(&places[these], &mut places_of, channels, kernel_columns);
                    let numbers = block.count * kernel_columns * channels;
                    for (line, i) in block.lines.clone().enumerate() {
                        let of_line = line * numbers..(line + 1) * numbers;
                        let (places, dys) = (&places_of[of_line.clone()], &dys[of_line]);
                        for m in 0..kernel_lines {
                            let before = T::of((m * kernel_columns) as f64);
                            let start =
                                ((i * kernel_lines + m) * width + block.first * kernel_columns) * channels;
                            let (own, dx) = (&own[..numbers], &mut dx[start..][..numbers]);
                            let term = |k: usize| if own[k] + before == places[k] { dys[k] } else { T::ZERO };
                            if add {
                                dx.iter_mut().enumerate().for_each(|(k, dx)| *dx += term(k));
                            } else {
                                // Added to 0: so −0 becomes 0, as in all sums.
                                dx.iter_mut().enumerate().for_each(|(k, dx)| *dx = T::ZERO + term(k));
                            }
                        }
                    }
                }
            }
        },
    );
}

/// Numbers that are worked on at a time: some lines of windows, or a part of a long one. They are stored in pieces that
/// overlap, and read again as other vectors. Read at once, the CPU would wait for the stores; so many others come in between.
const LINE: usize = 2048;

/// Numbers that are copied at a time, at most.
const MOST: usize = 16;

/// Zeros where an image has pixels that no window has.
fn clear_rest<T: Float>(form: &Pools, dx: &mut [T]) {
    let [lines, columns] = form.window.kernel;
    let pitch = form.image.width * form.image.channels;
    let (in_windows, below) = dx.split_at_mut(form.output.height * lines * pitch);
    below.fill(T::ZERO);
    let right = form.output.width * columns * form.image.channels;
    if right < pitch {
        in_windows.chunks_exact_mut(pitch).for_each(|line| line[right..].fill(T::ZERO));
    }
}

/// `to` ← each group of `channels` numbers, `times` times in a row. Behind the last one there is room for [`MOST`].
#[inline(always)]
fn spread<T: Float>(from: &[T], to: &mut [T], channels: usize, times: usize) {
    if channels <= MOST / 2 {
        spread_by::<T, { MOST / 2 }>(from, to, channels, times);
    } else {
        spread_by::<T, MOST>(from, to, channels, times);
    }
}

#[inline(always)]
fn spread_by<T: Float, const W: usize>(from: &[T], to: &mut [T], channels: usize, times: usize) {
    for first in (0..channels).step_by(W) {
        let mut at = first;
        for group in (first..from.len()).step_by(channels) {
            // What is of the next group is written over by it. Of a group of more than W, the last part may not reach beyond
            // it: its first part stands there already.
            let count = W.min(channels - first);
            let mut numbers = [T::ZERO; W];
            match from[group..].first_chunk() {
                Some(whole) => numbers = *whole,
                None => numbers[..count].copy_from_slice(&from[group..][..count]),
            }
            for _ in 0..times {
                if channels <= W {
                    *few_mut(to, at) = numbers;
                } else {
                    to[at..][..count].copy_from_slice(&numbers[..count]);
                }
                at += channels;
            }
        }
    }
}
