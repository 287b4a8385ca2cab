//! Convolutions of batches of images, on the threads of the pool that they are called from.
//!
//! A batch is a matrix: see [`super::image`]. The weights are a matrix too, a filter a column: see
//! [`Convolution::weights`]. Maps and images are computed sample by sample and the weights row by row, so that no sum is
//! cut where threads are: see [`super::product::convolution`] for their order.

use super::gemm::GRAIN;
use super::image::Convolution;
use super::parts::{Rows, by_samples};
use super::product::convolution::{self as kernel, Start};
use super::threads::{in_pieces_of, join, of_this_pool};
use crate::Float;

/// Rows of the weights that are worth a piece: each piece reads the whole batch.
const ROWS: usize = 8;

/// map ← `start` + the convolution of every image.
pub fn convolve<T: Float>(form: &Convolution, image: &[T], weights: &[T], start: Start<&[T]>, map: &mut [T]) {
    let output = form.output().expect("a form that was looked at before");
    let (from, to) = (form.image.numel(), output.numel());
    let samples = map.len() / to;
    let pieces = in_pieces_of(GRAIN, form.work(output).saturating_mul(samples));
    by_samples(pieces, samples, Rows { numbers: map, cols: to }, &|first, Rows { numbers: map, .. }| {
        kernel::map(form, samples_beside(image, from, first, map, to), weights, start, map)
    });
}

/// image ← the transpose of that map, applied to every map; added to it with `add`.
pub fn convolve_transposed<T: Float>(
    form: &Convolution,
    map: &[T],
    weights: &[T],
    add: bool,
    image: &mut [T],
) {
    let output = form.output().expect("a form that was looked at before");
    let (from, to) = (output.numel(), form.image.numel());
    let samples = map.len() / from;
    let pieces = in_pieces_of(GRAIN, form.work(output).saturating_mul(samples));
    by_samples(pieces, samples, Rows { numbers: image, cols: to }, &|first, Rows { numbers: image, .. }| {
        kernel::image(form, samples_beside(map, from, first, image, to), weights, add, image)
    });
}

/// weights ← Σ over the samples of what a filter sees times the gradient of its result; added with `add`.
pub fn convolve_weights<T: Float>(form: &Convolution, image: &[T], map: &[T], add: bool, weights: &mut [T]) {
    let work = form.depth().saturating_mul(map.len());
    let pieces = in_pieces_of(GRAIN, work).min(of_this_pool()).min(form.depth() / ROWS).max(1);
    rows_of_weights(pieces, form, image, map, 0..form.depth(), add, weights);
}

fn rows_of_weights<T: Float>(
    pieces: usize,
    form: &Convolution,
    image: &[T],
    map: &[T],
    rows: std::ops::Range<usize>,
    add: bool,
    weights: &mut [T],
) {
    let half = pieces / 2;
    if half == 0 {
        return kernel::weights(form, image, map, rows, add, weights);
    }
    let middle = rows.len() * half / pieces;
    let (above, below) = weights.split_at_mut(middle * form.filters);
    let (first, second) = (rows.start..rows.start + middle, rows.start + middle..rows.end);
    join(
        || rows_of_weights(half, form, image, map, first, add, above),
        || rows_of_weights(pieces - half, form, image, map, second, add, below),
    );
}

/// The numbers of as many samples as there are in `beside`, from number `first` on.
pub(crate) fn samples_beside<'a, T>(
    batch: &'a [T],
    numbers: usize,
    first: usize,
    beside: &[T],
    of_one: usize,
) -> &'a [T] {
    &batch[first * numbers..][..beside.len() / of_one * numbers]
}
