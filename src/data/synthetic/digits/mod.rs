//! Images that look like handwritten digits, drawn by a pen that trembles.

mod glyphs;

use std::f32::consts::TAU;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use self::glyphs::{GLYPHS, Point};
use super::{ROWS, normal, source};
use crate::data::Dataset;
use crate::memory::filled;
use crate::{Float, Result};

/// Height and width of an image.
const SIDE: usize = 28;
const PIXELS: usize = SIDE * SIDE;
/// Pieces of the curve between two points of a skeleton.
const STEPS: usize = 5;

/// Handwritten digits: grey images of 28×28 bytes, ten classes, about as hard as MNIST at `noise` 1.
///
/// A digit is a skeleton, one of three a class, whose points are moved at random; a smooth curve through
/// them is stretched, slanted, turned and bent, scaled into a box of about 20×20 pixels and drawn with
/// an anti-aliased pen of random and varying width. `noise` scales all of these distortions; at 0 each
/// skeleton has one image.
///
/// Image i is a function of (seed, i) alone. Uses the threads of the pool it is called from.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if `rows` is 0, or `noise` is negative or not finite.
pub fn digits(rows: usize, noise: f64, seed: u64) -> Result<Dataset> {
    let start = source(rows, noise, seed)?;
    let mut pixels = filled(rows.saturating_mul(PIXELS), 0, ROWS)?;
    let mut labels = filled(rows, 0, ROWS)?;
    // A piece is what one thread draws at a time; images do not depend on it.
    const PIECE: usize = 256;
    let piece = |(at, (pixels, labels)): (usize, (&mut [u8], &mut [usize]))| {
        let mut pen = Pen::default();
        for (i, (image, label)) in pixels.chunks_exact_mut(PIXELS).zip(labels).enumerate() {
            let mut rng = start.clone();
            // 2¹⁶ words for each image; it takes some hundreds.
            rng.set_word_pos(((at * PIECE + i) as u128) << 16);
            *label = rng.random_range(0..10);
            pen.draw(*label, noise as f32, &mut rng, image);
        }
    };
    // Outside a pool rayon would start its global one.
    if rayon::current_thread_index().is_some() {
        let pieces = pixels.par_chunks_mut(PIECE * PIXELS).zip(labels.par_chunks_mut(PIECE));
        pieces.enumerate().for_each(piece);
    } else {
        pixels.chunks_mut(PIECE * PIXELS).zip(labels.chunks_mut(PIECE)).enumerate().for_each(piece);
    }
    Dataset::new(pixels, PIXELS)?.with_labels(&labels, 10)?.with_image_shape(SIDE, SIDE)
}

/// Memory used again from image to image.
#[derive(Default)]
struct Pen {
    /// Points of the skeleton: as written, and where they were moved to.
    moved: Vec<(Point, Point)>,
    stroke: Vec<Point>,
    /// The drawn lines: a point, half the width there, and whether a line leads on to the next.
    line: Vec<(Point, f32, bool)>,
}

impl Pen {
    fn draw(&mut self, digit: usize, noise: f32, rng: &mut ChaCha8Rng, image: &mut [u8]) {
        let variants = GLYPHS[digit];
        let glyph = variants[rng.random_range(0..variants.len())];
        let mut normal = |deviation: f32| noise * deviation * normal(rng) as f32;

        // Stretched, slanted, turned, and bent by a slow wave.
        let width = 0.82 * Float::exp(normal(0.16));
        let (slant, angle) = (0.12 + normal(0.22), normal(0.10));
        let (sin, cos) = (Float::sin(angle), Float::cos(angle));
        let (bend_x, bend_y) = (normal(0.045), normal(0.045));
        let (phase_x, phase_y) = (normal(2.0), normal(2.0));
        let place = |(x, y): Point| {
            let (x, y) = ((x - 0.5) * width, y - 0.5);
            let (x, y) =
                (x + bend_x * Float::sin(TAU * y + phase_x), y + bend_y * Float::sin(TAU * x + phase_y));
            let x = x - slant * y;
            (cos * x - sin * y, sin * x + cos * y)
        };
        let radius = f32::clamp(1.15 + normal(0.30), 0.65, 2.0);
        let (pressure, pressure_phase) = (normal(0.15), normal(2.0));

        self.moved.clear();
        self.line.clear();
        for stroke in glyph {
            self.stroke.clear();
            for point in *stroke {
                let known = self.moved.iter().find(|(raw, _)| raw == point).map(|(_, moved)| *moved);
                let moved = known.unwrap_or_else(|| {
                    let moved = place((point.0 + normal(0.03), point.1 + normal(0.028)));
                    self.moved.push((*point, moved));
                    moved
                });
                self.stroke.push(moved);
            }
            let mut along = pressure_phase;
            smooth(&self.stroke, |point, more| {
                along += 0.25;
                let width = radius * (1.0 + pressure * Float::sin(along));
                self.line.push((point, width, more));
            });
        }

        self.fit(20.0 * Float::exp(-Float::abs(normal(0.08))), (normal(1.0), normal(1.0)));
        self.ink(image, f32::clamp(250.0 + normal(15.0), 170.0, 255.0), |pixel| {
            // Paper stays white; ink is uneven.
            pixel + noise * rng.random_range(-0.06..0.06)
        });
    }

    /// Scales the lines to `size` pixels, in height or in width, whichever is more, and moves their
    /// middle to that of the image, plus `shift`.
    fn fit(&mut self, size: f32, shift: Point) {
        let (mut low, mut high) = ((f32::INFINITY, f32::INFINITY), (f32::NEG_INFINITY, f32::NEG_INFINITY));
        for ((x, y), ..) in &self.line {
            low = (Float::min(low.0, *x), Float::min(low.1, *y));
            high = (Float::max(high.0, *x), Float::max(high.1, *y));
        }
        let scale = size / Float::max(Float::max(high.0 - low.0, high.1 - low.1), 0.1);
        let middle = (0.5 * (low.0 + high.0), 0.5 * (low.1 + high.1));
        let center = 0.5 * (SIDE as f32 - 1.0);
        for ((x, y), ..) in &mut self.line {
            *x = (*x - middle.0) * scale + center + shift.0;
            *y = (*y - middle.1) * scale + center + shift.1;
        }
    }

    /// Covers each pixel by how far it lies within the nearest line: anti-aliasing by distance.
    fn ink(&self, image: &mut [u8], strength: f32, mut uneven: impl FnMut(f32) -> f32) {
        let mut cover = [0.0f32; PIXELS];
        for pair in self.line.windows(2) {
            let [((x0, y0), r0, true), ((x1, y1), r1, _)] = *pair else { continue };
            let (dx, dy) = (x1 - x0, y1 - y0);
            let per_length = 1.0 / Float::max(dx * dx + dy * dy, 1e-6);
            let reach = Float::max(r0, r1) + 0.5;
            let range = |a: f32, b: f32| {
                let (low, high) = (Float::min(a, b) - reach, Float::max(a, b) + reach);
                // A cast saturates: what lies outside the image is cut off.
                (low.ceil() as usize)..((high.floor() + 1.0) as usize).min(SIDE)
            };
            for row in range(y0, y1) {
                for col in range(x0, x1) {
                    let (px, py) = (col as f32 - x0, row as f32 - y0);
                    let t = f32::clamp((px * dx + py * dy) * per_length, 0.0, 1.0);
                    let (ex, ey) = (px - t * dx, py - t * dy);
                    let inside = r0 + t * (r1 - r0) + 0.5 - Float::sqrt(ex * ex + ey * ey);
                    let pixel = &mut cover[row * SIDE + col];
                    *pixel = Float::max(*pixel, f32::clamp(inside, 0.0, 1.0));
                }
            }
        }
        for (byte, cover) in image.iter_mut().zip(cover) {
            *byte = if cover > 0.0 { (strength * uneven(cover)).round() as u8 } else { 0 };
        }
    }
}

/// A Catmull–Rom curve through the points: calls `f` with points on it and whether more follow.
fn smooth(points: &[Point], mut f: impl FnMut(Point, bool)) {
    let at = |i: usize| points[i.min(points.len() - 1)];
    for i in 0..points.len() - 1 {
        let (a, b, c, d) = (at(i.saturating_sub(1)), at(i), at(i + 1), at(i + 2));
        for step in 0..STEPS {
            let t = step as f32 / STEPS as f32;
            let spline = |a: f32, b: f32, c: f32, d: f32| {
                b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
            };
            f((spline(a.0, b.0, c.0, d.0), spline(a.1, b.1, c.1, d.1)), true);
        }
    }
    f(at(points.len() - 1), false);
}
