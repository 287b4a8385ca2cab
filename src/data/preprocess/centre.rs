//! What is left of the columns when their means are taken away, block of rows by block of rows.
//!
//! The corrected two-pass algorithm (Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance",
//! The American Statistician 37, 1983): a mean is rounded, and squares of what is left of numbers that are
//! large and close hold the square of its error. The sums of what is left tell that error. What is left is
//! scaled by a power of two to be about 1, so that no square leaves the range of `f64`.

use super::{for_blocks, for_blocks_from};
use crate::data::{Dataset, unequal_over_mean};
use crate::memory::{collected, filled};
use crate::{Float, Result};

/// What the memory is for.
const COLUMNS: &str = "a number for every feature";

/// Exponents below this would need a factor beyond the range of `f64`.
const LEAST: i32 = -1000;

/// The means of the columns but for their rounding, and the scales of what they leave.
pub(super) struct Centre {
    mean: Vec<f64>,
    /// e, with |x − mean| ≤ 2ᵉ⁺¹; the least for a column of equal numbers, which leave 0.
    exponents: Vec<i32>,
    /// 2⁻ᵉ.
    factors: Vec<f64>,
    /// Of the rows it was made of, over their mean; `None` where all are equal.
    weights: Option<Vec<f64>>,
}

impl Centre {
    /// Of at least one row, of which none has the weight 0, in two passes. The mean of equal numbers is exactly theirs.
    pub fn of(data: &Dataset) -> Result<Centre> {
        let (min, max) = ranges(data)?;
        let exponent = |(a, b): (&f64, &f64)| {
            // Halves: the difference of finite numbers may not be finite.
            let half = 0.5 * b - 0.5 * a;
            if a == b { LEAST } else { (libm::ilogb(Float::max(half, f64::MIN_POSITIVE)) + 1).max(LEAST) }
        };
        let exponents = collected(min.iter().zip(&max).map(exponent), COLUMNS)?;
        // From the middle: no difference is out of range. Equal numbers are theirs exactly.
        let middle = |(a, b): (f64, &f64)| if a == *b { a } else { 0.5 * a + 0.5 * b };
        let mean = min.into_iter().zip(&max).map(middle).collect();
        let factors = collected(exponents.iter().map(|e| libm::scalbn(1.0, -e)), COLUMNS)?;
        let weights = data.weights().and_then(unequal_over_mean);
        let mut centre = Centre { mean, exponents, factors, weights };
        let mut sums = filled(data.features(), 0.0, COLUMNS)?;
        for_blocks_from(data, |start, block| {
            centre.subtract(block);
            add_rows(block, centre.weights(start), &mut sums);
        })?;
        centre.correct(&sums, data.len());
        Ok(centre)
    }

    /// The largest of all scales for every column.
    pub fn with_common_scale(mut self) -> Centre {
        let largest = self.exponents.iter().copied().max().unwrap_or(0);
        self.exponents.fill(largest);
        self.factors.fill(libm::scalbn(1.0, -largest));
        self
    }

    /// x ← (x − mean)/2ᵉ in all rows of a block.
    pub fn subtract(&self, block: &mut [f64]) {
        for row in block.chunks_exact_mut(self.mean.len()) {
            for ((x, m), factor) in row.iter_mut().zip(&self.mean).zip(&self.factors) {
                let difference = *x - m;
                // Numbers at both ends of the range: of their parts.
                *x = if difference.is_finite() { difference * factor } else { *x * factor - m * factor };
            }
        }
    }

    /// The weights of the rows from `start` on over the mean of all; `None` where all are equal.
    pub fn weights(&self, start: usize) -> Option<&[f64]> {
        self.weights.as_ref().map(|weights| &weights[start..])
    }

    /// Multiplies every row of a block, of which the first is row `start`, by the root of its weight.
    pub fn multiply_by_roots(&self, start: usize, block: &mut [f64]) {
        let Some(weights) = self.weights(start) else { return };
        for (row, weight) in block.chunks_exact_mut(self.mean.len()).zip(weights) {
            let root = Float::sqrt(*weight);
            row.iter_mut().for_each(|x| *x *= root);
        }
    }

    /// Adds to the means what the sums of what they have left in `n` rows say that they are off.
    pub fn correct(&mut self, sums: &[f64], n: usize) {
        for ((m, e), sum) in self.mean.iter_mut().zip(&self.exponents).zip(sums) {
            *m += libm::scalbn(sum / n as f64, *e);
        }
    }

    /// The mean of every column.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// e of every column.
    pub fn exponents(&self) -> &[i32] {
        &self.exponents
    }
}

/// Smallest and largest value of every column; ∞ and −∞ of no rows.
pub(super) fn ranges(data: &Dataset) -> Result<(Vec<f64>, Vec<f64>)> {
    let d = data.features();
    let (mut min, mut max) = (filled(d, f64::INFINITY, COLUMNS)?, filled(d, f64::NEG_INFINITY, COLUMNS)?);
    for_blocks(data, |block| {
        for row in block.chunks_exact(d) {
            for (j, x) in row.iter().enumerate() {
                min[j] = Float::min(min[j], *x);
                max[j] = Float::max(max[j], *x);
            }
        }
    })?;
    Ok((min, max))
}

/// Adds the rows of a block, by their weights, to `sums`: to each other first, so that rounding grows with the
/// number of blocks.
pub(super) fn add_rows(block: &[f64], weights: Option<&[f64]>, sums: &mut [f64]) {
    let mut of_block = vec![0.0; sums.len()];
    for (i, row) in block.chunks_exact(sums.len()).enumerate() {
        // A product with 1 is exact.
        let weight = weights.map_or(1.0, |weights| weights[i]);
        of_block.iter_mut().zip(row).for_each(|(s, x)| *s += weight * x);
    }
    sums.iter_mut().zip(of_block).for_each(|(s, b)| *s += b);
}
