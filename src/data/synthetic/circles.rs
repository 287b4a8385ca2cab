//! Two concentric circles.

use std::f64::consts::TAU;

use rand::RngExt;

use super::{plane, source};
use crate::data::Dataset;
use crate::{Float, Result};

/// Two concentric circles, of radius 1 (class 0) and ½ (class 1); the class of row i is i mod 2.
///
/// At φ uniform on [0, 2π): (r·cos φ, r·sin φ), plus N(0, `noise`²).
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if `rows` is 0, or `noise` is negative or not finite.
pub fn circles(rows: usize, noise: f64, seed: u64) -> Result<Dataset> {
    let rng = source(rows, noise, seed)?;
    plane(rows, 2, noise, rng, |rng, i| {
        let (class, angle) = (i % 2, rng.random_range(0.0..TAU));
        let radius = if class == 0 { 1.0 } else { 0.5 };
        ([radius * Float::cos(angle), radius * Float::sin(angle)], class)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radii_tell_the_classes() {
        let data = circles(200, 0.0, 1).unwrap();
        for (i, p) in data.to_rows::<f64>().chunks(2).enumerate() {
            assert!((p[0].hypot(p[1]) - [1.0, 0.5][data.label(i)]).abs() < 1e-12);
        }
    }
}
