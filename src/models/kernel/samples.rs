//! What a kernel is evaluated on: rows of numbers with their squared norms.

use std::ops::Range;
use std::sync::Arc;

use nalgebra::DMatrix;

use crate::data::{Dataset, check_weights};
use crate::linalg::first_not_finite;
use crate::linalg::norm_squared;
use crate::memory::filled;
use crate::metrics::SeenClasses;
use crate::text::count;
use crate::{Error, Float, Result};

/// n samples of d features, row-major, with ‖x‖² of each. At least one sample, at least one feature, all
/// finite. Cloning shares the numbers.
#[derive(Clone, Debug)]
pub struct Samples<T: Float> {
    values: Arc<Vec<T>>,
    norms: Arc<Vec<T>>,
    features: usize,
    /// One for each sample; not all 0 but in a part of all.
    weights: Option<Arc<Vec<f64>>>,
}

impl<T: Float> Samples<T> {
    /// Samples of `features` numbers each, one behind the other.
    ///
    /// # Errors
    /// [`Error::Data`] if there is no sample or no feature, `features` does not divide the number of
    /// values, a value is NaN or infinite, or a squared norm leaves the range of `T`.
    pub fn new(values: Vec<T>, features: usize) -> Result<Self> {
        if features == 0 {
            return Err(Error::Data("the samples have no features: a kernel needs at least one".into()));
        }
        if values.is_empty() {
            return Err(Error::Data("there are no samples".into()));
        }
        if !values.len().is_multiple_of(features) {
            let why = format!(
                "{} cannot be whole samples of {}",
                count(values.len(), "value"),
                count(features, "feature")
            );
            return Err(Error::Data(why));
        }
        if let Some(at) = first_not_finite(&values) {
            let (row, column) = (at / features, at % features);
            return Err(Error::Data(format!("row {row}, column {column}: the feature is {}", values[at])));
        }
        let norms: Vec<T> = values.chunks_exact(features).map(norm_squared).collect();
        if let Some(row) = first_not_finite(&norms) {
            let why = format!("row {row}: the squared norm leaves the range of {}; scale the data", T::NAME);
            return Err(Error::Data(why));
        }
        Ok(Samples { values: Arc::new(values), norms: Arc::new(norms), features, weights: None })
    }

    /// Whether all numbers are 0.
    pub(super) fn are_zero(&self) -> bool {
        self.values.iter().all(|x| *x == T::ZERO)
    }

    /// The rows of a dataset, converted and mapped, and its weights: all are copied.
    ///
    /// # Errors
    /// As [`new`](Self::new), and as [`Dataset::check_range`].
    pub fn from_dataset(data: &Dataset) -> Result<Self> {
        data.check_range::<T>()?;
        let samples = Samples::new(data.try_to_rows::<T>()?, data.features())?;
        Ok(Samples { weights: data.weights().map(|weights| Arc::new(weights.to_vec())), ..samples })
    }

    /// With a weight for each sample, with which a fit counts it: see the [module](super). Predictions do not depend on
    /// weights, nor do kernel matrices.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not as many weights as samples, one is negative, NaN or infinite, all are 0, or
    /// their sum is infinite.
    pub fn with_weights(self, weights: Vec<f64>) -> Result<Self> {
        check_weights(&weights, self.len())?;
        Ok(Samples { weights: Some(Arc::new(weights)), ..self })
    }

    /// The weight of every sample; `None` where all count the same.
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref().map(Vec::as_slice)
    }

    /// The rows of a matrix, copied.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_matrix(x: &DMatrix<T>) -> Result<Self> {
        Samples::new(x.transpose().as_slice().to_vec(), x.ncols())
    }

    /// The rows whose weight is not 0, if some are.
    pub(super) fn counted_rows(&self) -> Option<Vec<usize>> {
        let weights = self.weights().filter(|weights| weights.contains(&0.0))?;
        Some((0..self.len()).filter(|row| weights[*row] > 0.0).collect())
    }

    /// n.
    pub fn len(&self) -> usize {
        self.norms.len()
    }

    /// Always false: there is at least one sample.
    pub fn is_empty(&self) -> bool {
        self.norms.is_empty()
    }

    /// d.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The samples `indices`, copied with their weights, in that order.
    ///
    /// # Panics
    /// If there are none, or no such sample.
    #[track_caller]
    pub fn subset(&self, indices: &[usize]) -> Samples<T> {
        assert!(!indices.is_empty(), "subset: no samples");
        let d = self.features;
        let values = indices.iter().flat_map(|i| &self.values[i * d..(i + 1) * d]).copied().collect();
        let norms = indices.iter().map(|i| self.norms[*i]).collect();
        let weights = self.weights().map(|all| Arc::new(indices.iter().map(|i| all[*i]).collect()));
        Samples { values: Arc::new(values), norms: Arc::new(norms), features: d, weights }
    }

    /// All of them, borrowed.
    pub fn rows(&self) -> Rows<'_, T> {
        Rows { values: &self.values, norms: &self.norms, features: self.features }
    }
}

/// Some samples, borrowed from [`Samples`].
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    /// Row-major.
    pub values: &'a [T],
    /// ‖x‖² of each.
    pub norms: &'a [T],
    /// d.
    pub features: usize,
}

impl<'a, T: Float> Rows<'a, T> {
    /// How many.
    pub fn len(self) -> usize {
        self.norms.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.norms.is_empty()
    }

    /// The `i`-th.
    ///
    /// # Panics
    /// If there is none.
    pub fn row(self, i: usize) -> &'a [T] {
        &self.values[i * self.features..(i + 1) * self.features]
    }

    /// Those from `range.start` up to `range.end`.
    ///
    /// # Panics
    /// If there are none such.
    pub fn range(self, range: Range<usize>) -> Rows<'a, T> {
        Rows {
            values: &self.values[range.start * self.features..range.end * self.features],
            norms: &self.norms[range],
            features: self.features,
        }
    }
}

/// n×classes targets for classification, one against the rest: 1 in the column of a row's class, −1
/// elsewhere.
///
/// A class without samples has a column of −1 and is not [predicted](super::KernelMachine::classify); where
/// there is a single class, it is predicted everywhere.
///
/// # Errors
/// [`Error::Data`] if a label is not below `classes`; [`Error::Memory`] if there is no memory for them.
pub fn one_vs_rest<T: Float>(labels: &[usize], classes: usize) -> Result<DMatrix<T>> {
    if let Some(row) = labels.iter().position(|label| *label >= classes) {
        let label = labels[row];
        return Err(Error::Data(format!(
            "row {row}: label {label} is not below the {}",
            count(classes, "class")
        )));
    }
    let mut targets = filled(labels.len().saturating_mul(classes), -T::ONE, "the targets")?;
    labels.iter().enumerate().for_each(|(i, label)| targets[*label * labels.len() + i] = T::ONE);
    Ok(DMatrix::from_vec(labels.len(), classes, targets))
}

/// The columns that hold the largest target of some row: with targets of [`one_vs_rest`], the classes that
/// occur.
pub(super) fn seen_classes<T: Float>(y: &DMatrix<T>) -> SeenClasses {
    let mut seen = vec![false; y.ncols()];
    for row in y.row_iter() {
        let largest = row.iter().copied().reduce(Float::max);
        seen.iter_mut().zip(row.iter()).for_each(|(seen, y)| *seen |= Some(*y) == largest);
    }
    SeenClasses::from_flags(seen)
}
