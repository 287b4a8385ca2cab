//! What a model is handed, and what is done to it first.

use std::sync::Arc;

use nalgebra::DMatrix;

use crate::data::Features;
use crate::data::preprocess::{MinMax, Pca, Standardize, Transform};
use crate::{Dataset, Error, Float, Matrix, MatrixRef, Result};

/// What goes into a model: the number and names of the features as they come, and the fitted steps of
/// preparation.
///
/// ```
/// use tapegrad::Dataset;
/// use tapegrad::models::Inputs;
///
/// let train = Dataset::new(vec![1.0, 10.0, 3.0, 30.0], 2)?;
/// let inputs = Inputs::of(&train).standardize(&train)?;
/// assert_eq!(inputs.describe(), "2 features, standardised");
/// assert_eq!(inputs.prepare(&train)?.to_rows::<f64>(), [-1.0, -1.0, 1.0, 1.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Inputs {
    features: usize,
    names: Option<Vec<String>>,
    steps: Vec<Arc<dyn Transform>>,
}

impl Inputs {
    /// The features of this data, as they are.
    pub fn of(data: &Dataset) -> Inputs {
        let names = data.feature_names().map(<[String]>::to_vec);
        Inputs { features: data.features(), names, steps: Vec::new() }
    }

    /// With one more step, which takes what the steps before it give.
    pub fn then(mut self, step: impl Transform + 'static) -> Inputs {
        self.steps.push(Arc::new(step));
        self
    }

    /// With every feature brought to mean 0 and variance 1, fitted on `train`: [`Standardize`].
    ///
    /// # Errors
    /// As [`Standardize::fit`] and [`prepare`](Self::prepare).
    pub fn standardize(self, train: &Dataset) -> Result<Inputs> {
        let step = Standardize::fit(&self.prepare(train)?)?;
        Ok(self.then(step))
    }

    /// With every feature brought to the interval from 0 to 1, fitted on `train`: [`MinMax`].
    ///
    /// # Errors
    /// As [`MinMax::fit`] and [`prepare`](Self::prepare).
    pub fn min_max(self, train: &Dataset) -> Result<Inputs> {
        let step = MinMax::fit(&self.prepare(train)?)?;
        Ok(self.then(step))
    }

    /// With `k` principal components in place of the features, fitted on `train`: [`Pca`].
    ///
    /// # Errors
    /// As [`Pca::fit`] and [`prepare`](Self::prepare).
    pub fn pca(self, train: &Dataset, k: usize) -> Result<Inputs> {
        let step = Pca::fit(&self.prepare(train)?, k)?;
        Ok(self.then(step))
    }

    /// How many features come in.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Their names, where the training data had them.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The steps of preparation, in order.
    pub fn steps(&self) -> &[Arc<dyn Transform>] {
        &self.steps
    }

    /// In a line: `4 features, standardised`.
    pub fn describe(&self) -> String {
        let steps = self.steps.iter().map(|step| format!(", {}", step.describe()));
        format!("{} features{}", self.features, steps.collect::<String>())
    }

    /// The data as the model itself takes it.
    ///
    /// # Errors
    /// [`Error::Data`] if `data` has another number of features, or names them otherwise; that of a step.
    pub fn prepare(&self, data: &Dataset) -> Result<Dataset> {
        let (expected, found) = (self.features, data.features());
        if expected != found {
            return Err(Error::Data(format!("the model takes {expected} features, but there are {found}")));
        }
        if let (Some(ours), Some(theirs)) = (self.names(), data.feature_names())
            && let Some(at) = (0..expected).find(|at| ours[*at] != theirs[*at])
        {
            let (ours, theirs) = (&ours[at], &theirs[at]);
            let why = format!("feature {at} is `{ours}` for the model, but `{theirs}` in the data");
            return Err(Error::Data(why));
        }
        let mut data = data.clone();
        for step in &self.steps {
            let (takes, found) = (step.inputs(), data.features());
            if let Some(takes) = takes.filter(|takes| *takes != found) {
                let why = format!("{} takes {takes} features, but there are {found}", step.describe());
                return Err(Error::Data(why));
            }
            data = step.apply(&data)?;
        }
        Ok(data)
    }
}

/// Samples in any form in which a model is asked about them: a data set, a matrix with a sample a row, or the
/// features of one sample.
pub trait Rows {
    /// As a data set.
    ///
    /// # Errors
    /// [`Error::Data`] if a number is NaN or infinite, or there are no features.
    fn to_dataset(&self) -> Result<Dataset>;
}

impl Rows for Dataset {
    fn to_dataset(&self) -> Result<Dataset> {
        Ok(self.clone())
    }
}

impl<T: Float> Rows for Matrix<T> {
    fn to_dataset(&self) -> Result<Dataset> {
        Dataset::new(Features::of(self.as_slice().to_vec()), self.ncols())
    }
}

impl<T: Float> Rows for MatrixRef<'_, T> {
    fn to_dataset(&self) -> Result<Dataset> {
        Dataset::new(Features::of(self.as_slice().to_vec()), self.ncols())
    }
}

impl<T: Float> Rows for DMatrix<T> {
    fn to_dataset(&self) -> Result<Dataset> {
        Dataset::from_matrix(self)
    }
}

/// One sample.
impl<T: Float> Rows for &[T] {
    fn to_dataset(&self) -> Result<Dataset> {
        Dataset::new(Features::of(self.to_vec()), self.len())
    }
}

/// One sample.
impl<T: Float, const N: usize> Rows for [T; N] {
    fn to_dataset(&self) -> Result<Dataset> {
        self.as_slice().to_dataset()
    }
}

/// One sample.
impl<T: Float> Rows for Vec<T> {
    fn to_dataset(&self) -> Result<Dataset> {
        self.as_slice().to_dataset()
    }
}
