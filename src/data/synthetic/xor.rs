//! The exclusive or of two signs.

use rand::RngExt;

use super::{plane, source};
use crate::Result;
use crate::data::Dataset;

/// Uniform on the square from −1 to 1; class 1 where the signs of the coordinates differ, else 0. The
/// class is that before noise from N(0, `noise`²) is added.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if `rows` is 0, or `noise` is negative or not finite.
pub fn xor(rows: usize, noise: f64, seed: u64) -> Result<Dataset> {
    let rng = source(rows, noise, seed)?;
    plane(rows, 2, noise, rng, |rng, _| {
        let p = [rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0)];
        (p, usize::from((p[0] < 0.0) != (p[1] < 0.0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_tells_the_class() {
        let data = xor(1000, 0.0, 1).unwrap();
        for (i, p) in data.to_rows::<f64>().chunks(2).enumerate() {
            assert_eq!(data.label(i) == 1, p[0] * p[1] < 0.0);
        }
        // Binomial with n = 1000, p = ½: four standard deviations are 63.
        assert!(data.class_counts()[0].abs_diff(500) < 63);
    }
}
