//! Standardisation and scaling to the unit interval.

use super::centre::{Centre, add_rows, ranges};
use super::{check_rows, for_blocks_from};
use crate::data::{Affine, Dataset};
use crate::memory::filled;
use crate::store::Stored;
use crate::{Error, Float, Result};

/// Mean 0 and variance 1: z = (x − μ)/σ for each feature.
///
/// σ² = Σ(x − μ)²/n, over the rows it was fitted on; with weights μ = Σwx/Σw and σ² = Σw(x − μ)²/Σw. A
/// feature that is constant there has σ = 0 and is divided by 1: it becomes 0 there, and a change elsewhere keeps its
/// size.
///
/// ```
/// use tapegrad::data::{Dataset, preprocess::Standardize};
///
/// let train = Dataset::new(vec![1.0, 3.0], 1)?;
/// let test = Dataset::new(vec![4.0], 1)?;
/// let fitted = Standardize::fit(&train)?;
/// assert_eq!(fitted.apply(&test)?.to_rows::<f64>(), [2.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Standardize {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Standardize {
    /// What a file holds of it.
    pub(super) fn restore(from: &Stored) -> Result<Self> {
        let mean = from.matrix("mean")?;
        let std = from.shaped("std", 1, mean.ncols())?;
        let fitted = Standardize { mean: mean.into_vec(), std: std.into_vec() };
        if fitted.mean.is_empty() || fitted.std.iter().any(|s| *s < 0.0) {
            return Err(Error::Data("the scale of the features in the file is none".into()));
        }
        fitted.map()?;
        Ok(fitted)
    }

    /// μ and σ of every feature of `train`: the squares are summed after the mean is known, without what its
    /// rounding adds to them. Constant is what has one value.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if there are no rows, or the weights of all are 0.
    pub fn fit(train: &Dataset) -> Result<Standardize> {
        check_rows("standardisation", train, 1)?;
        let train = &*train.counted()?;
        let (n, d) = (train.len() as f64, train.features());
        let mut centre = Centre::of(train)?;
        let mut sums = filled(d, 0.0, "sums of the features")?;
        let mut squares = sums.clone();
        for_blocks_from(train, |start, block| {
            centre.subtract(block);
            add_rows(block, centre.weights(start), &mut sums);
            block.iter_mut().for_each(|x| *x *= *x);
            add_rows(block, centre.weights(start), &mut squares);
        })?;
        centre.correct(&sums, train.len());
        let deviation = |((square, sum), e): ((&f64, &f64), &i32)| {
            let variance = (square - sum * sum / n) / n;
            libm::scalbn(Float::sqrt(variance), *e)
        };
        let std = squares.iter().zip(&sums).zip(centre.exponents()).map(deviation).collect();
        let fitted = Standardize { mean: centre.mean().to_vec(), std };
        fitted.map()?;
        Ok(fitted)
    }

    /// μ of every feature.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// σ of every feature; 0 where it is constant.
    pub fn std(&self) -> &[f64] {
        &self.std
    }

    /// The map from x to z.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn map(&self) -> Result<Affine> {
        let spread = |s: &f64| if *s == 0.0 { 1.0 } else { *s };
        Affine::columns(self.mean.clone(), self.std.iter().map(spread).collect())
    }

    /// The same rows, standardised; features are shared, not copied.
    ///
    /// # Errors
    /// As [`Dataset::mapped`].
    ///
    /// # Panics
    /// If `data` has another number of features.
    #[track_caller]
    pub fn apply(&self, data: &Dataset) -> Result<Dataset> {
        data.mapped(&self.map()?)
    }
}

/// The interval from 0 to 1: z = (x − min)/(max − min) for each feature.
///
/// A constant feature is divided by 1. Rows that it was not fitted on may lie outside.
#[derive(Clone, Debug)]
pub struct MinMax {
    min: Vec<f64>,
    max: Vec<f64>,
}

impl MinMax {
    /// What a file holds of it.
    pub(super) fn restore(from: &Stored) -> Result<Self> {
        let min = from.matrix("min")?;
        let max = from.shaped("max", 1, min.ncols())?;
        let fitted = MinMax { min: min.into_vec(), max: max.into_vec() };
        if fitted.min.is_empty() || fitted.min.iter().zip(&fitted.max).any(|(a, b)| a > b) {
            return Err(Error::Data("the scale of the features in the file is none".into()));
        }
        fitted.map()?;
        Ok(fitted)
    }

    /// Minimum and maximum of every feature of `train`, over the rows whose weight is not 0.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if there are no rows, the weights of all are 0, or max − min leaves the
    /// range of `f64`.
    pub fn fit(train: &Dataset) -> Result<MinMax> {
        check_rows("scaling to the unit interval", train, 1)?;
        let train = &*train.counted()?;
        let (min, max) = ranges(train)?;
        let fitted = MinMax { min, max };
        fitted.map()?;
        Ok(fitted)
    }

    /// The smallest value of every feature.
    pub fn min(&self) -> &[f64] {
        &self.min
    }

    /// The largest value of every feature.
    pub fn max(&self) -> &[f64] {
        &self.max
    }

    /// The map from x to z.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn map(&self) -> Result<Affine> {
        let spread = |(a, b): (&f64, &f64)| if a == b { 1.0 } else { b - a };
        Affine::columns(self.min.clone(), self.min.iter().zip(&self.max).map(spread).collect())
    }

    /// The same rows, scaled; features are shared, not copied.
    ///
    /// # Errors
    /// As [`Dataset::mapped`].
    ///
    /// # Panics
    /// If `data` has another number of features.
    #[track_caller]
    pub fn apply(&self, data: &Dataset) -> Result<Dataset> {
        data.mapped(&self.map()?)
    }
}
