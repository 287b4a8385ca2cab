//! Normal distributions in the plane.

use rand::RngExt;

use super::{ROWS, plane, source};
use crate::Result;
use crate::data::Dataset;
use crate::memory::with_room;

/// Normal distributions in the plane, one a class, with deviation `noise` and centers uniform on the
/// square from −10 to 10; the class of row i is i mod `classes`.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if `rows` or `classes` is 0, or `noise` is negative or not finite.
pub fn blobs(rows: usize, classes: usize, noise: f64, seed: u64) -> Result<Dataset> {
    let mut rng = source(rows, noise, seed)?;
    crate::settings::at_least_one("classes", classes)?;
    let mut centers = with_room(classes, ROWS)?;
    centers.extend((0..classes).map(|_| [rng.random_range(-10.0..10.0), rng.random_range(-10.0..10.0)]));
    plane(rows, classes, noise, rng, |_, i| (centers[i % classes], i % classes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviation_of_a_class() {
        let data = blobs(8000, 2, 0.5, 1).unwrap();
        for class in 0..2 {
            let rows: Vec<usize> = (0..8000).filter(|i| data.label(*i) == class).collect();
            let x = data.subset(&rows).to_matrix::<f64>();
            for column in x.column_iter() {
                // The standard error of a variance σ² from 4000 rows is σ²·√(2/4000).
                assert!((column.variance() - 0.25).abs() < 4.0 * 0.25 * 0.0224);
            }
        }
        assert!(blobs(10, 0, 0.0, 1).is_err());
    }
}
