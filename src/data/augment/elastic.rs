//! [`Elastic`]: the random field of an elastic distortion.

use rand::Rng;

use crate::Float;
use crate::linalg::simd::vectorize;

/// Noise that is smoothed by a Gaussian: how far each pixel is moved.
///
/// Simard, Steinkraus and Platt 2003: d = α·G_σ ∗ u, with u uniform in [−1, 1) at every pixel, for each axis. The Gaussian
/// is cut off at 3σ and its weights sum to 1; outside of the image, u is 0, so that edges move less. In `f32` for every
/// network: seven digits of a pixel are more than enough.
#[derive(Clone, Debug)]
pub(super) struct Elastic {
    alpha: f32,
    /// Of the Gaussian, from the middle to one side.
    weights: Vec<f32>,
    height: usize,
    width: usize,
}

impl Elastic {
    pub fn new(alpha: f64, sigma: f64, height: usize, width: usize) -> Elastic {
        let reach = (3.0 * sigma).ceil();
        let gaussian: Vec<f64> = (0..=reach as usize)
            .map(|i| Float::exp(-0.5 * (i as f64 / sigma) * (i as f64 / sigma)))
            .collect();
        let sum = gaussian[0] + 2.0 * gaussian[1..].iter().sum::<f64>();
        let weights = gaussian.iter().map(|g| (g / sum) as f32).collect();
        Elastic { alpha: alpha as f32, weights, height, width }
    }

    /// Numbers that [`draw`](Self::draw) needs.
    pub fn room(&self) -> usize {
        3 * self.height * self.width
    }

    /// Draws a field into the first two thirds of `room`: the moves to the right, then those down.
    pub fn draw<'a>(&self, rng: &mut impl Rng, room: &'a mut [f32]) -> (&'a [f32], &'a [f32]) {
        let pixels = self.height * self.width;
        let (fields, between) = room[..3 * pixels].split_at_mut(2 * pixels);
        for u in &mut *fields {
            // 24 bits, which f32 holds.
            *u = (rng.next_u32() >> 8) as f32 / (1u32 << 23) as f32 - 1.0;
        }
        for field in fields.chunks_exact_mut(pixels) {
            self.smooth(field, between);
        }
        fields.split_at(pixels)
    }

    /// field ← α·G ∗ field: along the rows, then along the columns, the sums from the middle outwards.
    fn smooth(&self, field: &mut [f32], between: &mut [f32]) {
        let (weights, width, alpha) = (&self.weights[..], self.width, self.alpha);
        vectorize(
            field.len(),
            #[inline(always)]
            || {
                for (to, row) in between.chunks_exact_mut(width).zip(field.chunks_exact(width)) {
                    weigh(to, row, weights[0]);
                    for (i, w) in weights.iter().enumerate().skip(1).take(width - 1) {
                        add(&mut to[i..], &row[..width - i], *w);
                        add(&mut to[..width - i], &row[i..], *w);
                    }
                }
                // A row further down or up is `width` numbers away.
                let len = field.len();
                weigh(field, between, alpha * weights[0]);
                for (i, w) in weights.iter().enumerate().skip(1).take(len / width - 1) {
                    add(&mut field[i * width..], &between[..len - i * width], alpha * *w);
                    add(&mut field[..len - i * width], &between[i * width..], alpha * *w);
                }
            },
        );
    }
}

#[inline(always)]
fn weigh(to: &mut [f32], from: &[f32], weight: f32) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = weight * from;
    }
}

#[inline(always)]
fn add(to: &mut [f32], from: &[f32], weight: f32) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += weight * from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    /// The definition, in f64.
    #[test]
    fn it_is_the_convolution_with_a_gaussian() {
        for (height, width, sigma) in [(9, 14, 1.5), (3, 2, 4.0), (1, 1, 0.3), (1, 8, 2.0), (8, 1, 2.0)] {
            let elastic = Elastic::new(5.0, sigma, height, width);
            let mut room = vec![f32::NAN; elastic.room()];
            let (right, down) = elastic.draw(&mut stream(3, Purpose::Data), &mut room);
            let mut noise = stream(3, Purpose::Data);
            let reach = (3.0f64 * sigma).ceil() as i64;
            let g = |i: i64| (-(i * i) as f64 / (2.0 * sigma * sigma)).exp();
            let sum: f64 = (-reach..=reach).map(g).sum();
            for field in [right, down] {
                let u: Vec<f64> = field
                    .iter()
                    .map(|_| f64::from(noise.next_u32() >> 8) / f64::from(1 << 23) - 1.0)
                    .collect();
                for (at, found) in field.iter().enumerate() {
                    let (x, y) = ((at % width) as i64, (at / width) as i64);
                    let mut expected = 0.0;
                    for (from, u) in u.iter().enumerate() {
                        let (dx, dy) = ((from % width) as i64 - x, (from / width) as i64 - y);
                        if dx.abs() <= reach && dy.abs() <= reach {
                            expected += 5.0 * u * g(dx) * g(dy) / (sum * sum);
                        }
                    }
                    assert!(
                        (f64::from(*found) - expected).abs() < 1e-5,
                        "{height}×{width}: {found}, {expected}"
                    );
                }
            }
        }
    }

    /// With σ = 4 and α = 34, as the paper has it, a pixel in the middle is moved by 34/√3·Σw², about 1.38.
    #[test]
    fn how_far_a_pixel_is_moved() {
        let elastic = Elastic::new(34.0, 4.0, 28, 28);
        let both_sides = |w: &[f32]| w[1..].iter().map(|w| 2.0 * f64::from(*w).powi(2)).sum::<f64>();
        let squares = f64::from(elastic.weights[0]).powi(2) + both_sides(&elastic.weights);
        let expected = 34.0 / 3f64.sqrt() * squares;
        assert!((expected - 1.38).abs() < 0.02, "{expected}");
        let (mut rng, mut room) = (stream(5, Purpose::Data), vec![0.0; elastic.room()]);
        let (mut sum, mut square) = (0.0, 0.0);
        const FIELDS: usize = 1000;
        for _ in 0..FIELDS {
            let (right, down) = elastic.draw(&mut rng, &mut room);
            for d in [right[14 * 28 + 14], down[14 * 28 + 14]] {
                sum += f64::from(d);
                square += f64::from(d).powi(2);
            }
        }
        let n = (2 * FIELDS) as f64;
        // Five standard errors: 2,000 draws that are almost normal; the cut at the edge takes 1 of 1000 away.
        assert!((sum / n).abs() < 5.0 * expected / n.sqrt(), "{sum}");
        assert!(((square / n).sqrt() / expected - 1.0).abs() < 5.0 / (2.0 * n).sqrt(), "{square}");
    }
}
