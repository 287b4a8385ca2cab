//! Two half circles.

use std::f64::consts::PI;

use rand::RngExt;

use super::{plane, source};
use crate::data::Dataset;
use crate::{Float, Result};

/// Two interleaved half circles; the class of row i is i mod 2.
///
/// At t uniform on [0, π]: (cos t, sin t) for class 0, (1 − cos t, ½ − sin t) for class 1, plus
/// N(0, `noise`²).
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if `rows` is 0, or `noise` is negative or not finite.
pub fn moons(rows: usize, noise: f64, seed: u64) -> Result<Dataset> {
    let rng = source(rows, noise, seed)?;
    plane(rows, 2, noise, rng, |rng, i| {
        let t = rng.random_range(0.0..PI);
        let (sin, cos) = (Float::sin(t), Float::cos(t));
        if i % 2 == 0 { ([cos, sin], 0) } else { ([1.0 - cos, 0.5 - sin], 1) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_on_the_half_circles() {
        let data = moons(200, 0.0, 1).unwrap();
        for (i, p) in data.to_rows::<f64>().chunks(2).enumerate() {
            let (center, side) = if data.label(i) == 0 { ((0.0, 0.0), 1.0) } else { ((1.0, 0.5), -1.0) };
            assert!(((p[0] - center.0).hypot(p[1] - center.1) - 1.0).abs() < 1e-12);
            assert!(side * (p[1] - center.1) >= -1e-12);
        }
    }
}
