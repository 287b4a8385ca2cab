//! Preprocessing: what is fitted on the training part and then applied to every part.
//!
//! [`Standardize`] and [`MinMax`] only add an [`Affine`](super::Affine) map to a dataset, so nothing is
//! copied. [`RandomProjection`] and [`Pca`] make new features. These read the data in blocks of
//! rows, so that a mapped file of bytes never lies in memory as numbers. [`smooth_images`] and
//! [`normalize_rows`] are fitted to nothing and work on numbers in place.
//!
//! Weights of the rows count in all that is fitted: a weight of 2 is the row twice, and a row of weight 0 is not there.

mod centre;
mod pca;
mod projection;
mod rows;
mod scale;
mod transform;

pub use pca::Pca;
pub use projection::RandomProjection;
pub use rows::{normalize_rows, smooth_images};
pub use scale::{MinMax, Standardize};
pub(crate) use transform::restore;
pub use transform::{SmoothImages, TargetScale, Transform, UnitRows};

use super::Dataset;
use crate::linalg::{Mat, gemm};
use crate::memory::filled;
use crate::text::count;
use crate::{Error, Result};

/// Rows of a block: at 784 features it takes 3 MB, and a product over it still runs at full speed.
const BLOCK: usize = 512;

/// Numbers of a block at most: with more than 32,768 features it has fewer rows, and 128 MB.
const NUMBERS: usize = 1 << 24;

/// Calls `f` with block after block of rows, mapped, in `f64`. An error if there is not enough memory for a
/// block.
fn for_blocks(data: &Dataset, mut f: impl FnMut(&mut [f64])) -> Result<()> {
    for_blocks_from(data, |_, block| f(block))
}

/// The same, with the number of the first row.
fn for_blocks_from(data: &Dataset, mut f: impl FnMut(usize, &mut [f64])) -> Result<()> {
    let rows = (NUMBERS / data.features()).clamp(1, BLOCK);
    let mut indices: Vec<usize> = (0..rows.min(data.len())).collect();
    let mut block = filled(indices.len().saturating_mul(data.features()), 0.0, "a block of samples")?;
    for start in (0..data.len()).step_by(rows) {
        indices.truncate(data.len() - start);
        indices.iter_mut().enumerate().for_each(|(i, row)| *row = start + i);
        let block = &mut block[..indices.len() * data.features()];
        data.gather(&indices, block);
        f(start, block);
    }
    Ok(())
}

/// The dataset with features (X − 1·centerᵀ)·Wᵀ, where `w` is `k`×d, row-major.
fn project(data: &Dataset, center: Option<&[f64]>, w: &[f64], k: usize) -> Result<Dataset> {
    let d = data.features();
    let mut values = filled(data.len().saturating_mul(k), 0.0, "the new features")?;
    let mut done = 0;
    for_blocks(data, |block| {
        let rows = block.len() / d;
        if let Some(center) = center {
            for row in block.chunks_exact_mut(d) {
                row.iter_mut().zip(center).for_each(|(x, c)| *x -= c);
            }
        }
        let out = &mut values[done * k..(done + rows) * k];
        gemm(out, false, Mat::new(block, rows, d), Mat::new(w, k, d).t());
        done += rows;
    })?;
    data.with_features(values, k)
}

/// `k` new features out of `d`.
fn check_k(k: usize, d: usize) -> Result<()> {
    if (1..=d).contains(&k) {
        return Ok(());
    }
    Err(Error::setting(
        "k",
        format!("{} of {}; allowed is 1 to {d}", count(k, "dimension"), count(d, "feature")),
    ))
}

fn check_rows(what: &str, data: &Dataset, least: usize) -> Result<()> {
    if data.len() >= least {
        return Ok(());
    }
    Err(Error::Data(format!("{what} needs at least {}, found {}", count(least, "row"), data.len())))
}
