//! Softmax of one row of scores.

use crate::Float;
use crate::linalg::simd::vectorize;

/// zᵢ ← e^(zᵢ)/Σⱼ e^(zⱼ); the largest z, and Σⱼ e^(zⱼ − max).
///
/// Beside a single +∞ all others are 0; beside a second one all are NaN.
pub(crate) fn softmax_in_place(z: &mut [f64]) -> (f64, f64) {
    let max = z.iter().fold(f64::NEG_INFINITY, |max, z| Float::max(max, *z));
    vectorize(
        z.len(),
        #[inline(always)]
        || {
            for z in z.iter_mut() {
                *z = if *z == max { 1.0 } else { Float::exp(*z - max) };
            }
        },
    );
    let several = max == f64::INFINITY && z.iter().filter(|z| **z == 1.0).count() > 1;
    let total = if several { f64::NAN } else { z.iter().sum() };
    z.iter_mut().for_each(|z| *z /= total);
    (max, total)
}
