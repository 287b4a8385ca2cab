//! What several of the programs begin and end with.

#![allow(dead_code, reason = "a program uses a part of it")]

use tapegrad::{Dataset, Result};

/// 8×8 images of handwritten digits: training and test part, 1348 and 449.
pub fn digits() -> Result<(Dataset, Dataset)> {
    let (test, train) = Dataset::read_csv("data/digits.csv", "digit")?.stratified_split(0.25, 1)?;
    Ok((train, test))
}

/// The median of each figure over seven seeds, since weights are drawn at random.
pub fn medians<const N: usize>(run: impl Fn(u64) -> Result<[f64; N]>) -> Result<[f64; N]> {
    let runs = (0..7).map(run).collect::<Result<Vec<_>>>()?;
    Ok(std::array::from_fn(|figure| {
        let mut all: Vec<f64> = runs.iter().map(|run| run[figure]).collect();
        all.sort_by(f64::total_cmp);
        all[3]
    }))
}
