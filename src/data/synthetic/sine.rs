//! Regression: a sine.

use std::f64::consts::TAU;

use rand::RngExt;

use super::{ROWS, normal, source};
use crate::data::Dataset;
use crate::memory::with_room;
use crate::{Float, Result};

/// Regression: y = sin(2πx) + N(0, `noise`²) with x uniform on [−1, 1].
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if `rows` is 0, or `noise` is negative or not finite.
pub fn sine(rows: usize, noise: f64, seed: u64) -> Result<Dataset> {
    let mut rng = source(rows, noise, seed)?;
    let mut values = with_room(rows, ROWS)?;
    let mut targets = with_room(rows, ROWS)?;
    for _ in 0..rows {
        let x = rng.random_range(-1.0..1.0);
        values.push(x);
        targets.push(Float::sin(TAU * x) + noise * normal(&mut rng));
    }
    Dataset::new(values, 1)?.with_targets(targets, 1)?.with_feature_names(["x"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_follow_the_sine() {
        let data = sine(4000, 0.2, 1).unwrap();
        let x = data.to_rows::<f64>();
        let residuals = x.iter().zip(data.targets().unwrap()).map(|(x, y)| y - (TAU * x).sin());
        let variance = residuals.map(|r| r * r).sum::<f64>() / 4000.0;
        assert!((variance - 0.04).abs() < 4.0 * 0.04 * 0.0224, "{variance}");
    }
}
