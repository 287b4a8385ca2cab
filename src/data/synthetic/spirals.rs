//! Interleaved spirals.

use std::f64::consts::TAU;

use rand::RngExt;

use super::{plane, source};
use crate::data::Dataset;
use crate::{Error, Float, Result};

/// Interleaved spirals: row i lies on arm a = i mod `arms`, which is its class.
///
/// At t uniform on [0.05, 1]: (t·cos φ, t·sin φ) with φ = 2π(a/`arms` + 1.25·t), plus N(0, `noise`²).
///
/// # Errors
/// [`Error::Setting`] if `rows` or `arms` is 0, or `noise` is negative or not finite.
pub fn spirals(rows: usize, arms: usize, noise: f64, seed: u64) -> Result<Dataset> {
    wound_spirals(rows, arms, 1.25, noise, seed)
}

/// The same with another number of turns than 1.25: the fewer, the easier they are told apart.
///
/// # Errors
/// As [`spirals`]; [`Error::Setting`] also if `turns` is negative, or above 100.
pub fn wound_spirals(rows: usize, arms: usize, turns: f64, noise: f64, seed: u64) -> Result<Dataset> {
    let rng = source(rows, noise, seed)?;
    crate::settings::at_least_one("arms", arms)?;
    if !(0.0..=100.0).contains(&turns) {
        return Err(Error::setting("turns", format!("{turns} is not in the range 0 ≤ x ≤ 100")));
    }
    plane(rows, arms, noise, rng, |rng, i| {
        let (arm, t) = (i % arms, rng.random_range(0.05..1.0));
        let angle = TAU * (arm as f64 / arms as f64 + turns * t);
        ([t * Float::cos(angle), t * Float::sin(angle)], arm)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_on_their_arm() {
        let data = spirals(300, 3, 0.0, 1).unwrap();
        let x = data.to_rows::<f64>();
        for (i, p) in x.chunks(2).enumerate() {
            let t = p[0].hypot(p[1]);
            let arm = 3.0 * (p[1].atan2(p[0]) / TAU - 1.25 * t);
            let turns = (arm - data.label(i) as f64) / 3.0;
            assert!((turns - turns.round()).abs() < 1e-12, "{i}: {turns}");
        }
        assert!(spirals(10, 0, 0.0, 1).is_err());
        assert!(wound_spirals(10, 3, f64::NAN, 0.0, 1).is_err());
        // Without turns an arm is a line from the centre.
        let lines = wound_spirals(30, 3, 0.0, 0.0, 1).unwrap().to_rows::<f64>();
        assert!(lines.chunks(2).step_by(3).all(|p| p[1] == 0.0));
    }
}
