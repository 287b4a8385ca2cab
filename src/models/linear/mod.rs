//! Linear and ridge regression, exact, with all λ from one factorisation.
//!
//! [`LinearRegression`] minimises Σᵢ wᵢ‖yᵢ − xᵢW − b‖²/Σᵢ wᵢ + λ‖W‖². The intercept b is not penalised, and
//! λ = 0 is least squares. [`RidgePath`] has the solution for every λ from one singular value decomposition,
//! with the leave-one-out residuals in closed form, and chooses λ by them.
//!
//! **λ** is that of a mean, as everywhere in this crate: K + nλI in [kernel ridge
//! regression](super::kernel) with the linear kernel and no intercept gives the same function. What
//! scikit-learn calls `alpha` in `Ridge` and `RidgeCV` is nλ for n samples, and λ·Σᵢ wᵢ with weights.
//!
//! **How it is solved.** The features are centred (with an intercept), multiplied by √wᵢ, and decomposed as
//! U·diag(s)·Vᵀ; then W = V·diag(s/(s² + nλ))·UᵀY. No XᵀX is formed, so the condition number of X is not
//! squared. More features than samples take no more than their transpose would. Singular values of at most
//! 16·min(n, d)·ε·s₁ count as 0: where features depend on each other, as one-hot columns with an intercept
//! do, W is the solution of least norm.

mod path;
mod problem;

pub use path::{RidgePath, RidgePoint};

use nalgebra::{DMatrix, RowDVector};

use crate::data::Dataset;
use crate::linalg::{Mat, Matrix, first_not_finite, gemm};
use crate::store::{Settings, Store, Stored};
use crate::text::count;
use crate::{Error, Result};

/// Samples that are copied at a time where a whole dataset is looked at.
const BLOCK: usize = 1024;

/// What [`LinearRegression::fit`] is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearOptions {
    /// λ ≥ 0: see the [module](self) for how it relates to other programs' `alpha`.
    pub lambda: f64,
    /// Whether there is an intercept.
    pub intercept: bool,
}

/// Least squares with an intercept.
impl Default for LinearOptions {
    fn default() -> Self {
        LinearOptions { lambda: 0.0, intercept: true }
    }
}

/// A fitted linear map: ŷ = x·W + b, for d features and t targets.
///
/// ```
/// use nalgebra::dmatrix;
/// use tapegrad::models::linear::{LinearOptions, LinearRegression};
///
/// let x = dmatrix![0.0; 1.0; 2.0; 3.0];
/// let y = dmatrix![1.0; 3.0; 5.0; 7.0];
/// let model = LinearRegression::fit(&x, &y, &LinearOptions::default())?;
/// assert!((model.weights()[0] - 2.0).abs() < 1e-14 && (model.intercept()[0] - 1.0).abs() < 1e-14);
/// assert!((model.predict(&dmatrix![10.0])?[0] - 21.0).abs() < 1e-13);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LinearRegression {
    weights: DMatrix<f64>,
    intercept: RowDVector<f64>,
    names: Option<Vec<String>>,
}

impl LinearRegression {
    pub(crate) fn store(&self, to: &mut Store) -> Settings {
        to.put_matrix("weights", &self.weights);
        to.put("intercept", 1, self.intercept.len(), self.intercept.as_slice());
        Settings::of("linear").with("names", &self.names)
    }

    /// What a file holds of it.
    pub(crate) fn restore(settings: &Settings, from: &Stored) -> Result<Self> {
        let weights = from.dmatrix::<f64>("weights")?;
        let (features, targets) = weights.shape();
        let intercept = RowDVector::from_vec(from.shaped("intercept", 1, targets)?.into_vec());
        let names: Option<Vec<String>> = settings.get("names")?;
        if features == 0 || targets == 0 || names.as_ref().is_some_and(|names| names.len() != features) {
            return Err(Error::Data(format!(
                "weights of {features}×{targets} in the file do not fit their names"
            )));
        }
        Ok(LinearRegression { weights, intercept, names })
    }

    /// Fits the n×t targets `y` to the n×d features `x`, a sample a row.
    ///
    /// # Errors
    /// [`Error::Setting`] if λ is negative or not finite. [`Error::Data`] if there are no samples, features or
    /// targets, the numbers of rows differ, a number is not finite, the numbers leave the range of `f64`, or
    /// the features differ so much in scale that it cannot be told which of them depend on others.
    pub fn fit(x: &DMatrix<f64>, y: &DMatrix<f64>, options: &LinearOptions) -> Result<Self> {
        RidgePath::new(x, y, options.intercept)?.model(options.lambda)
    }

    /// The same with a weight ≥ 0 for each sample. A weight of 2 counts as the sample twice, and only the
    /// ratios of the weights matter.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`Error::Data`] if there is not a weight for each sample, one is negative or
    /// not finite, or all are 0.
    pub fn fit_weighted(
        x: &DMatrix<f64>,
        y: &DMatrix<f64>,
        weights: &[f64],
        options: &LinearOptions,
    ) -> Result<Self> {
        RidgePath::weighted(x, y, weights, options.intercept)?.model(options.lambda)
    }

    /// The same for the features and targets of a data set, with its weights; the features keep their names.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`Error::Data`] if it has no targets.
    pub fn fit_dataset(data: &Dataset, options: &LinearOptions) -> Result<Self> {
        RidgePath::from_dataset(data, options.intercept)?.model(options.lambda)
    }

    /// The model of given weights, d×t, and intercept, 1×t.
    ///
    /// # Errors
    /// [`Error::Data`] if the intercept does not fit the weights, there are none, or a number is not finite.
    pub fn from_parameters(weights: &DMatrix<f64>, intercept: &RowDVector<f64>) -> Result<Self> {
        let (w, b) = (weights.shape(), intercept.shape());
        if w.0 == 0 || w.1 == 0 || b.1 != w.1 {
            let why =
                format!("linear: weights {}×{} and an intercept {}×{} are no model", w.0, w.1, b.0, b.1);
            return Err(Error::Data(why));
        }
        LinearRegression { weights: weights.clone(), intercept: intercept.clone(), names: None }.finite()
    }

    /// W, d×t: a feature a row, a target a column.
    pub fn weights(&self) -> &DMatrix<f64> {
        &self.weights
    }

    /// b, 1×t; zeros if there is none.
    pub fn intercept(&self) -> &RowDVector<f64> {
        &self.intercept
    }

    /// d.
    pub fn features(&self) -> usize {
        self.weights.nrows()
    }

    /// t.
    pub fn targets(&self) -> usize {
        self.weights.ncols()
    }

    /// The names of the features, where the data had them.
    pub fn feature_names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// ŷ = X·W + b for m×d features: m×t.
    ///
    /// # Errors
    /// [`Error::Data`] if `x` has another number of features than the fit had; [`Error::NonFinite`] if a
    /// prediction leaves the range of `f64`, or `x` is not finite.
    pub fn predict(&self, x: &DMatrix<f64>) -> Result<DMatrix<f64>> {
        let d = self.features();
        if x.ncols() != d {
            let why = format!("linear: the model was fitted to {}, found {}", count(d, "feature"), x.ncols());
            return Err(Error::Data(why));
        }
        let mut out = product(view(x), view(&self.weights));
        for (mut column, b) in out.column_iter_mut().zip(&self.intercept) {
            column.add_scalar_mut(*b);
        }
        if let Some(at) = out.iter().position(|y| !y.is_finite()) {
            let (row, column) = (at % out.nrows(), at / out.nrows());
            let why = format!("linear: row {row}, target {column}: the prediction is {}", out[at]);
            return Err(Error::NonFinite(why));
        }
        Ok(out)
    }

    /// The same for row-major features, row-major: nothing is transposed.
    pub(crate) fn predict_rows(&self, x: &[f64], rows: usize, features: usize) -> Result<Matrix<f64>> {
        let (d, t) = self.weights.shape();
        if features != d {
            let why = format!("linear: the model was fitted to {}, found {features}", count(d, "feature"));
            return Err(Error::Data(why));
        }
        let mut out = Matrix::zeros(rows, t);
        gemm(out.as_mut_slice(), false, Mat::new(x, rows, d), view(&self.weights));
        for row in out.as_mut_slice().chunks_exact_mut(t) {
            row.iter_mut().zip(&self.intercept).for_each(|(y, b)| *y += b);
        }
        if let Some(at) = first_not_finite(out.as_slice()) {
            let (row, column) = (at / t, at % t);
            let why = format!("linear: row {row}, target {column}: the prediction is {}", out.as_slice()[at]);
            return Err(Error::NonFinite(why));
        }
        Ok(out)
    }

    /// The same for the features of a data set, of which never more than a block is copied.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_dataset(&self, data: &Dataset) -> Result<DMatrix<f64>> {
        let mut out = DMatrix::zeros(data.len(), self.targets());
        let indices: Vec<usize> = (0..data.len()).collect();
        for block in indices.chunks(BLOCK) {
            let predictions = self.predict(&data.subset(block).to_matrix())?;
            out.rows_mut(block[0], block.len()).copy_from(&predictions);
        }
        Ok(out)
    }

    fn finite(self) -> Result<Self> {
        if self.weights.iter().chain(&self.intercept).all(|x| x.is_finite()) {
            return Ok(self);
        }
        Err(Error::Data("linear: a weight leaves the range of the numbers; scale the data".into()))
    }
}

/// A matrix as the products take it; nothing is copied.
fn view(a: &DMatrix<f64>) -> Mat<'_, f64> {
    Mat::new(a.as_slice(), a.ncols(), a.nrows()).t()
}

/// A·B, by the products of this crate: the same bits at any number of threads.
fn product(a: Mat<'_, f64>, b: Mat<'_, f64>) -> DMatrix<f64> {
    let (rows, cols) = (a.rows(), b.cols());
    // Column-major A·B is row-major Bᵀ·Aᵀ.
    let mut out = DMatrix::zeros(rows, cols);
    gemm(out.as_mut_slice(), false, b.t(), a.t());
    out
}
