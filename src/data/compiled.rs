//! What is compiled once for each type of numbers.

use super::Dataset;
use crate::Result;
use crate::compiled::compiled_once;

compiled_once! {
    /// The way from the data to the arena.
    Compiled:
    fn gather(data: &Dataset, indices: &[usize], out: &mut [Self]) = Dataset::gather_part;
    fn check_range(data: &Dataset) -> Result<()> = Dataset::check_range_of::<Self>;
    fn check_target_range(data: &Dataset) -> Result<()> = Dataset::check_target_range_of::<Self>;
}
