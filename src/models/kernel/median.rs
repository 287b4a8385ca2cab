//! The median heuristic for γ.

use rand::seq::index;

use super::pairwise::Pairwise;
use super::samples::Samples;
use crate::linalg::reduce;
use crate::rng::{Purpose, stream};
use crate::{Error, Float, Result};

/// Samples that are looked at, at most: some 500,000 pairs.
const MOST: usize = 1000;

/// γ = 1/(2·m) with m the median of ‖x − y‖² over all pairs, of at most 1000 samples drawn by `seed`.
///
/// The Gaussian kernel's σ is then the median distance (Garreau, Jitkrittum and Kanagawa, "Large sample
/// analysis of the median heuristic", 2017). The median of an even number is the mean of the middle two.
/// It is a start and seldom the best value: classification mostly wants a larger γ.
///
/// It is a look at the places of the samples: those of weight 0 are left out, and the others count the same.
///
/// # Errors
/// [`Error::Data`] if there is a single sample, more than half of the pairs are duplicates, or the squares of
/// the differences leave the range of `f64`.
pub fn median_gamma<T: Float>(x: &Samples<T>, seed: u64) -> Result<f64> {
    Ok(0.5 / median_distance(x, Pairwise::SquaredDistance, seed)?)
}

/// The median of ‖x − y‖², or of ‖x − y‖₁, in the same way and with the same errors.
pub(super) fn median_distance<T: Float>(x: &Samples<T>, kind: Pairwise, seed: u64) -> Result<f64> {
    if let Some(rows) = x.counted_rows().filter(|rows| !rows.is_empty()) {
        return median_distance(&x.subset(&rows), kind, seed);
    }
    let n = x.len();
    if n < 2 {
        return Err(Error::Data(
            "the median distance needs at least two samples: set the kernel's width".into(),
        ));
    }
    let chosen: Vec<usize> = if n <= MOST {
        (0..n).collect()
    } else {
        index::sample(&mut stream(seed, Purpose::Subsample), n, MOST).into_vec()
    };
    let rows = x.rows();
    let mut distances = Vec::with_capacity(chosen.len() * (chosen.len() - 1) / 2);
    for (k, i) in chosen.iter().enumerate() {
        for j in &chosen[..k] {
            let (a, b) = (rows.row(*i), rows.row(*j));
            let distance = if kind == Pairwise::ManhattanDistance {
                reduce(a, b, |a: T, b: T| (a - b).abs()).to_f64()
            } else {
                let distance = reduce(a, b, |a: T, b: T| (a - b) * (a - b));
                // The squares may be out of range in T, which the differences are not.
                if distance.is_finite() && distance * T::EPSILON > T::ZERO {
                    distance.to_f64()
                } else {
                    a.iter().zip(b).map(|(a, b)| Float::powi(a.to_f64() - b.to_f64(), 2)).sum()
                }
            };
            distances.push(distance);
        }
    }
    let middle = distances.len() / 2;
    let even = distances.len().is_multiple_of(2);
    let (below, upper, _) = distances.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let lower = if even { below.iter().copied().fold(0.0, f64::max) } else { upper };
    let median = 0.5 * (lower + upper);
    if median > 0.0 && median.is_finite() {
        Ok(median)
    } else {
        let why = format!(
            "the median distance is {median}: set the kernel's width, remove duplicated rows or scale the data"
        );
        Err(Error::Data(why))
    }
}
