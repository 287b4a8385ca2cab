//! Regression: known weights.

use super::{ROWS, normal, source};
use crate::data::Dataset;
use crate::memory::with_room;
use crate::{Error, Result};

/// Regression with known weights: y = w·x + `bias` + N(0, `noise`²), the entries of x from N(0, 1).
///
/// # Errors
/// [`Error::Setting`] if `rows` is 0, `weights` is empty, or `noise` is negative or not finite;
/// [`Error::Data`] if a weight or the bias is not finite.
pub fn linear(rows: usize, weights: &[f64], bias: f64, noise: f64, seed: u64) -> Result<Dataset> {
    let mut rng = source(rows, noise, seed)?;
    if weights.is_empty() {
        return Err(Error::setting("weights", "there are none; there must be at least one"));
    }
    let mut values = with_room(rows.saturating_mul(weights.len()), ROWS)?;
    let mut targets = with_room(rows, ROWS)?;
    for _ in 0..rows {
        let mut y = bias;
        for w in weights {
            let x = normal(&mut rng);
            values.push(x);
            y += w * x;
        }
        targets.push(y + noise * normal(&mut rng));
    }
    Dataset::new(values, weights.len())?.with_targets(targets, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_squares_finds_the_weights() {
        let weights = [1.5, -2.0, 0.5, 0.0, 3.0];
        let data = linear(500, &weights, 1.0, 0.0, 1).unwrap();
        let x = data.to_matrix::<f64>().insert_column(5, 1.0);
        let y = data.targets_matrix::<f64>();
        let found = (x.transpose() * &x).lu().solve(&(x.transpose() * y)).unwrap();
        for (w, expected) in found.iter().zip(weights.iter().chain([&1.0])) {
            assert!((w - expected).abs() < 1e-12);
        }
        assert!(matches!(linear(5, &[], 0.0, 0.0, 1), Err(Error::Setting { .. })));
        assert!(matches!(linear(5, &[f64::NAN], 0.0, 0.0, 1), Err(Error::Data(_))));
    }
}
