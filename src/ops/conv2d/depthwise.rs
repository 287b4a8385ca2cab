//! Convolutions in which each channel has one filter of its own: products of numbers at the same place, channel by
//! channel, and no product of matrices.

use std::ops::Range;

use super::super::Convolution;
use crate::Float;
use crate::linalg::convolution::samples_beside;
use crate::linalg::parts::{Rows, by_samples};
use crate::linalg::product::convolution::Start;
use crate::linalg::simd::vectorize;
use crate::linalg::threads::{in_pieces_of, join};

/// Multiply-adds of the smallest piece that a thread is given.
const GRAIN: usize = 1 << 18;

/// Whether it is one.
pub fn is(form: &Convolution) -> bool {
    form.image.channels == form.groups && form.filters == form.groups
}

/// Sizes of what is read and written.
struct Sizes {
    image: usize,
    map: usize,
    lines: usize,
    line: usize,
}

impl Sizes {
    fn of(form: &Convolution) -> Sizes {
        let output = form.output().expect("a form that was looked at before");
        Sizes { image: form.image.numel(), map: output.numel(), lines: output.height, line: output.width }
    }

    fn pieces(&self, form: &Convolution, samples: usize) -> usize {
        in_pieces_of(GRAIN, samples.saturating_mul(self.map).saturating_mul(form.window.taps()))
    }
}

/// Calls `visit` with the number of a pixel of the map, and that of the pixel of the image that its window has at `tap`,
/// for all that have one; `lines` of the map.
#[inline(always)]
fn seen(
    form: &Convolution,
    lines: Range<usize>,
    line: usize,
    tap: usize,
    mut visit: impl FnMut(usize, usize),
) {
    let (window, image) = (form.window, form.image);
    let (down, along) = (tap / window.kernel[1], tap % window.kernel[1]);
    let place = |at: usize, step: usize, dim: usize, side: usize| {
        let beyond = at * window.stride[dim] + step * window.dilation[dim];
        beyond.checked_sub(window.padding[dim]).filter(|at| *at < side)
    };
    for i in lines {
        let Some(y) = place(i, down, 0, image.height) else { continue };
        for j in 0..line {
            if let Some(x) = place(j, along, 1, image.width) {
                visit(i * line + j, y * image.width + x);
            }
        }
    }
}

/// map ← `start` + the convolution of every image: the terms of a pixel are added in the order of the window.
pub fn map<T: Float>(form: &Convolution, image: &[T], weights: &[T], start: Start<&[T]>, map: &mut [T]) {
    let (sizes, channels) = (Sizes::of(form), form.image.channels);
    let samples = map.len() / sizes.map;
    let maps = Rows { numbers: map, cols: sizes.map };
    by_samples(sizes.pieces(form, samples), samples, maps, &|first, Rows { numbers: map, .. }| {
        let image = samples_beside(image, sizes.image, first, map, sizes.map);
        vectorize(
            map.len(),
            #[inline(always)]
            || {
                match start {
                    Start::Zero => map.fill(T::ZERO),
                    Start::There => (),
                    Start::Bias(bias) => {
                        map.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(bias));
                    }
                }
                for (image, map) in image.chunks_exact(sizes.image).zip(map.chunks_exact_mut(sizes.map)) {
                    for (tap, weights) in weights.chunks_exact(channels).enumerate() {
                        seen(
                            form,
                            0..sizes.lines,
                            sizes.line,
                            tap,
                            #[inline(always)]
                            |to, from| {
                                let to = &mut map[to * channels..][..channels];
                                add_products(to, &image[from * channels..][..channels], weights);
                            },
                        );
                    }
                }
            },
        );
    });
}

/// image ← the transpose of that map, applied to every map; added to it with `add`.
pub fn image<T: Float>(form: &Convolution, map: &[T], weights: &[T], add: bool, image: &mut [T]) {
    let (sizes, channels) = (Sizes::of(form), form.image.channels);
    let samples = map.len() / sizes.map;
    let images = Rows { numbers: image, cols: sizes.image };
    by_samples(sizes.pieces(form, samples), samples, images, &|first, Rows { numbers: image, .. }| {
        let map = samples_beside(map, sizes.map, first, image, sizes.image);
        vectorize(
            map.len(),
            #[inline(always)]
            || {
                if !add {
                    image.fill(T::ZERO);
                }
                for (map, image) in map.chunks_exact(sizes.map).zip(image.chunks_exact_mut(sizes.image)) {
                    for (tap, weights) in weights.chunks_exact(channels).enumerate() {
                        seen(
                            form,
                            0..sizes.lines,
                            sizes.line,
                            tap,
                            #[inline(always)]
                            |from, to| {
                                let to = &mut image[to * channels..][..channels];
                                add_products(to, &map[from * channels..][..channels], weights);
                            },
                        );
                    }
                }
            },
        );
    });
}

/// sum ← sum + a ∘ b.
#[inline(always)]
fn add_products<T: Float>(sums: &mut [T], a: &[T], b: &[T]) {
    for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
        *sum += *a * *b;
    }
}

/// weights ← Σ over samples and pixels of what a weight saw times the gradient of its result; added with `add`. The terms
/// of a line of the map are added first, then the lines of a sample, then the samples.
pub fn weights<T: Float>(form: &Convolution, image: &[T], map: &[T], add: bool, weights: &mut [T]) {
    let sizes = Sizes::of(form);
    let samples = map.len() / sizes.map;
    taps(sizes.pieces(form, samples), form, image, map, 0..form.window.taps(), add, weights);
}

fn taps<T: Float>(
    pieces: usize,
    form: &Convolution,
    image: &[T],
    map: &[T],
    taps_of_piece: Range<usize>,
    add: bool,
    weights: &mut [T],
) {
    let (half, count) = (pieces / 2, taps_of_piece.len());
    let channels = form.image.channels;
    if half > 0 && count > 1 {
        let (first, second) = weights.split_at_mut(count / 2 * channels);
        let middle = taps_of_piece.start + count / 2;
        return join(
            || taps(half, form, image, map, taps_of_piece.start..middle, add, first),
            || taps(half, form, image, map, middle..taps_of_piece.end, add, second),
        );
    }
    if !add {
        weights.fill(T::ZERO);
    }
    let sizes = Sizes::of(form);
    // As many channels at a time as there is room for their sums: of a line, and of a sample.
    for (tap, weights) in taps_of_piece.zip(weights.chunks_exact_mut(channels)) {
        for (first, weights) in (0..channels).step_by(SUMS).zip(weights.chunks_mut(SUMS)) {
            for (image, map) in image.chunks_exact(sizes.image).zip(map.chunks_exact(sizes.map)) {
                let count = weights.len();
                let (mut line, mut sample) = ([T::ZERO; SUMS], [T::ZERO; SUMS]);
                vectorize(
                    map.len(),
                    #[inline(always)]
                    || {
                        for i in 0..sizes.lines {
                            line[..count].fill(T::ZERO);
                            seen(
                                form,
                                i..i + 1,
                                sizes.line,
                                tap,
                                #[inline(always)]
                                |y, x| {
                                    let y = &map[y * channels + first..][..count];
                                    let x = &image[x * channels + first..][..count];
                                    add_products(&mut line, y, x);
                                },
                            );
                            sample.iter_mut().zip(&line[..count]).for_each(|(sum, x)| *sum += *x);
                        }
                        weights.iter_mut().zip(&sample).for_each(|(sum, x)| *sum += *x);
                    },
                );
            }
        }
    }
}

/// Channels whose sums are taken side by side.
const SUMS: usize = 64;
