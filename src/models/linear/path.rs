//! All λ from one singular value decomposition.

use nalgebra::{DMatrix, RowDVector};

use super::problem::Problem;
use super::{LinearRegression, product, view};
use crate::data::Dataset;
use crate::float::power_below;
use crate::linalg::{dot, norm_squared, sum, thin_svd};
use crate::settings::{self, Range};
use crate::{Error, Float, Result};

/// Linear regression for every λ: one decomposition, and then O((n + d)·min(n, d)·t) for each.
///
/// ```
/// use nalgebra::{DMatrix, dmatrix};
/// use tapegrad::models::kernel::lambda_grid;
/// use tapegrad::models::linear::RidgePath;
///
/// let x = dmatrix![0.0, 0.1; 1.0, 0.9; 2.0, 2.2; 3.0, 2.8; 4.0, 4.1];
/// let y = dmatrix![0.2; 0.9; 2.1; 2.9; 4.2];
/// let path = RidgePath::new(&x, &y, true)?;
/// let best = path.best(&lambda_grid(1e-6, 1.0, 13)?)?;
/// assert!(best.leave_one_out_error < path.at(1.0)?.leave_one_out_error);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RidgePath {
    /// n×d.
    shape: (usize, usize),
    x_mean: RowDVector<f64>,
    /// √w·(Y − 1ȳᵀ).
    y: DMatrix<f64>,
    y_mean: RowDVector<f64>,
    /// w, with mean 1.
    weights: Option<Vec<f64>>,
    /// The centred features and targets without √w, where there are weights.
    plain: Option<(DMatrix<f64>, DMatrix<f64>)>,
    intercept: bool,
    scale: f64,
    factor: Factor,
    /// For λ = 0, where the scales of the features are too far apart for the other factor.
    apart: Apart,
    names: Option<Vec<String>>,
}

/// A point of the path.
#[derive(Clone, Debug)]
pub struct RidgePoint {
    /// λ.
    pub lambda: f64,
    /// The fit.
    pub model: LinearRegression,
    /// yᵢ − f₋ᵢ(xᵢ), n×t, where f₋ᵢ is fitted to all samples but the i-th, with the same nλ.
    pub leave_one_out_residuals: DMatrix<f64>,
    /// The mean of their squares over samples, by their weights, and targets.
    pub leave_one_out_error: f64,
    /// Σⱼ sⱼ²/(sⱼ² + nλ), and 1 for the intercept: how many parameters the fit has in effect.
    pub effective_dimension: f64,
}

/// The directions of the features that count: singular values above the cut.
#[derive(Clone, Debug)]
struct Factor {
    u: DMatrix<f64>,
    s: Vec<f64>,
    v: DMatrix<f64>,
    /// UᵀY.
    projected: DMatrix<f64>,
    /// What the columns of X were multiplied by before, if by anything.
    columns: Option<Vec<f64>>,
}

/// Whether features of small scale are lost beside those of large scale.
#[derive(Clone, Debug)]
enum Apart {
    No,
    /// They are, and all features are independent, as this factor of the columns brought to one scale shows.
    Independent(Box<Factor>),
    /// They are, and some features depend on others.
    Dependent,
}

impl RidgePath {
    /// Decomposes the n×d features `x`, centred where there is an intercept, for n×t targets `y`.
    ///
    /// # Errors
    /// [`Error::Data`] as [`LinearRegression::fit`].
    pub fn new(x: &DMatrix<f64>, y: &DMatrix<f64>, intercept: bool) -> Result<Self> {
        RidgePath::build(Problem::new(x, y, None, intercept)?, intercept)
    }

    /// The same with a weight ≥ 0 for each sample.
    ///
    /// # Errors
    /// [`Error::Data`] as [`LinearRegression::fit_weighted`].
    pub fn weighted(x: &DMatrix<f64>, y: &DMatrix<f64>, weights: &[f64], intercept: bool) -> Result<Self> {
        RidgePath::build(Problem::new(x, y, Some(weights), intercept)?, intercept)
    }

    /// The same for the features and targets of a data set, with its weights; the features keep their names.
    ///
    /// # Errors
    /// [`Error::Data`] as [`LinearRegression::fit_dataset`].
    pub fn from_dataset(data: &Dataset, intercept: bool) -> Result<Self> {
        if data.target_width() == 0 {
            return Err(Error::Data("linear regression needs targets that are numbers".into()));
        }
        let (x, y) = (data.to_matrix(), data.targets_matrix());
        let path = match data.weights() {
            Some(weights) => RidgePath::weighted(&x, &y, weights, intercept)?,
            None => RidgePath::new(&x, &y, intercept)?,
        };
        Ok(RidgePath { names: data.feature_names().map(<[String]>::to_vec), ..path })
    }

    fn build(problem: Problem, intercept: bool) -> Result<Self> {
        let Problem { x, y, x_mean, y_mean, weights, plain, scale } = problem;
        let factor = Factor::new(&x, &y, None)?;
        let mut apart = Apart::No;
        if factor.s.len() < x.nrows().min(x.ncols()) {
            let mut even = x.clone();
            let scale_of = |column: &[f64]| power_below(Float::sqrt(norm_squared(column)));
            let columns: Vec<f64> = even.column_iter().map(|column| scale_of(column.as_slice())).collect();
            for (mut column, scale) in even.column_iter_mut().zip(&columns) {
                column *= *scale;
            }
            let of_even = Factor::new(&even, &y, Some(columns))?;
            if of_even.s.len() == x.ncols() {
                apart = Apart::Independent(Box::new(of_even));
            } else if of_even.s.len() > factor.s.len() {
                apart = Apart::Dependent;
            }
        }
        let shape = x.shape();
        Ok(RidgePath {
            shape,
            x_mean,
            y,
            y_mean,
            weights,
            plain,
            intercept,
            scale,
            factor,
            apart,
            names: None,
        })
    }

    /// The singular values of the centred and weighted features that count, in descending order.
    pub fn singular_values(&self) -> Vec<f64> {
        self.factor.s.iter().map(|s| s / self.scale).collect()
    }

    /// How many features, of those beside the intercept, do not depend on others.
    pub fn rank(&self) -> usize {
        if let Apart::Independent(factor) = &self.apart { factor.s.len() } else { self.factor.s.len() }
    }

    /// The fit at λ.
    ///
    /// # Errors
    /// [`Error::Setting`] if λ is negative or not finite. [`Error::Data`] if a weight leaves the range of
    /// `f64`, or λ is 0, or almost, and the features differ so much in scale that it cannot be told which of
    /// them depend on others.
    pub fn model(&self, lambda: f64) -> Result<LinearRegression> {
        let (factor, alpha) = self.factor_at(lambda)?;
        let scaled = scale_rows(&factor.projected, |k| 1.0 / (factor.s[k] + alpha / factor.s[k]));
        let mut weights = product(view(&factor.v), view(&scaled));
        for (j, mut row) in weights.row_iter_mut().enumerate() {
            row *= self.scale * factor.columns.as_ref().map_or(1.0, |columns| columns[j]);
        }
        let mut intercept = self.y_mean.clone();
        for (b, column) in intercept.iter_mut().zip(weights.column_iter()) {
            *b -= dot(self.x_mean.as_slice(), column.as_slice());
        }
        LinearRegression { weights, intercept, names: self.names.clone() }.finite()
    }

    /// The fit at λ and what is known about it.
    ///
    /// The residuals follow from those of the fit, eᵢ/(1 − hᵢᵢ) with hᵢᵢ the diagonal of the hat matrix, the
    /// intercept included. Where the other samples leave xᵢ no freedom, as with more features than samples and
    /// λ = 0, both are 0, and their ratio is taken in the limit λ → 0: the fits are then those of least norm.
    ///
    /// # Errors
    /// As [`model`](Self::model), and [`Error::Data`] if there is only one sample with a weight above 0.
    pub fn at(&self, lambda: f64) -> Result<RidgePoint> {
        let model = self.model(lambda)?;
        let (factor, alpha) = self.factor_at(lambda)?;
        let residuals = self.leave_one_out(factor, alpha, &model)?;
        let (n, t) = residuals.shape();
        let squares = self.weighted_squares(&residuals, 1.0);
        let shrinkage = factor.s.iter().map(|s| s / (s + alpha / s)).sum::<f64>();
        Ok(RidgePoint {
            lambda,
            model,
            leave_one_out_residuals: residuals,
            leave_one_out_error: squares / (n * t) as f64,
            effective_dimension: shrinkage + f64::from(u8::from(self.intercept)),
        })
    }

    /// The point of least leave-one-out error among `lambdas`; the first of equals.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are none; as [`at`](Self::at).
    pub fn best(&self, lambdas: &[f64]) -> Result<RidgePoint> {
        // In the unit of the targets: the squares themselves may all be 0, or infinite.
        let unit = power_below(self.y.amax());
        let mut best: Option<(f64, RidgePoint)> = None;
        for lambda in lambdas {
            let point = self.at(*lambda)?;
            let error = self.weighted_squares(&point.leave_one_out_residuals, unit);
            if best.as_ref().is_none_or(|(least, _)| error < *least) {
                best = Some((error, point));
            }
        }
        best.map(|(_, point)| point)
            .ok_or_else(|| Error::setting("lambda", "there is no value to choose from"))
    }

    /// Values of λ to choose [the best](Self::best) from where nothing is known: nλ from 10⁻⁶ to 10⁶, two to each power of
    /// ten. Meant for features of variance 1 or so.
    pub fn usual_lambdas(&self) -> Vec<f64> {
        let (n, step) = (self.shape.0 as f64, 0.5 * std::f64::consts::LN_10);
        (-12..=12).map(|half| Float::exp(step * f64::from(half)) / n).collect()
    }

    /// Σ wᵢ·(unit·rᵢⱼ)² over samples i and targets j.
    fn weighted_squares(&self, residuals: &DMatrix<f64>, unit: f64) -> f64 {
        let n = residuals.nrows();
        let weight = |i: usize| self.weights.as_ref().map_or(1.0, |w| w[i]);
        let terms = residuals.iter().map(|r| r * unit).enumerate();
        sum(&terms.map(|(at, r)| weight(at % n) * r * r).collect::<Vec<f64>>())
    }

    /// The factor to use for λ, and nλ in the scale of the decomposed matrix.
    fn factor_at(&self, lambda: f64) -> Result<(&Factor, f64)> {
        settings::check::<f64>("lambda", lambda, Range::NOT_NEGATIVE)?;
        // Beyond the numbers the weights are 0 as well.
        let alpha = (lambda * self.shape.0 as f64 * self.scale * self.scale).min(f64::MAX / 4.0);
        // A ridge as small as the squares of what was cut off would act on them.
        let largest = self.factor.s.first().copied().unwrap_or(0.0);
        let cut = cut(self.shape) * largest;
        match &self.apart {
            Apart::Independent(factor) if lambda == 0.0 => return Ok((factor, 0.0)),
            Apart::No => {}
            _ if alpha > cut * cut => {}
            _ => {
                let why = "linear: the features differ so much in scale that it cannot be told which depend on \
                           others; standardise them, or take a larger λ";
                return Err(Error::Data(why.into()));
            }
        }
        Ok((&self.factor, alpha))
    }

    fn leave_one_out(&self, factor: &Factor, alpha: f64, model: &LinearRegression) -> Result<DMatrix<f64>> {
        let (n, d) = self.shape;
        let (u, s) = (&factor.u, &factor.s);
        let least = s.last().copied().unwrap_or(0.0);
        // α/(s² + α), the share that the ridge leaves of a direction, and the same over that of the weakest.
        let share: Vec<f64> =
            s.iter().map(|s| if alpha == 0.0 { 0.0 } else { 1.0 / (1.0 + s / alpha * s) }).collect();
        let relative: Vec<f64> = s.iter().map(|s| (least * least + alpha) / (s * s + alpha)).collect();
        let combine = |shares: &[f64]| product(view(u), view(&scale_rows(&factor.projected, |k| shares[k])));
        let (kept, limit) = (combine(&share), combine(&relative));
        let outside = &self.y - product(view(u), view(&factor.projected));
        let direct =
            self.plain.as_ref().map(|(x, y)| y - product(view(x), view(&(model.weights() / self.scale))));
        let noise = 16.0 * (n.min(d) + 1) as f64 * f64::EPSILON;
        let whole = vec![1.0; s.len()];
        let mut residuals = DMatrix::zeros(n, self.y.ncols());
        for i in 0..n {
            let weight = self.weights.as_ref().map_or(1.0, |w| w[i]);
            let squares =
                |shares: &[f64]| -> f64 { (0..s.len()).map(|k| u[(i, k)] * u[(i, k)] * shares[k]).sum() };
            let of_mean = if self.intercept { weight / n as f64 } else { 0.0 };
            let free = 1.0 - of_mean - squares(&whole);
            // With no freedom left, what rounding leaves of it counts as 0.
            let (free, shares, inside) =
                if free > noise { (free, &share, &kept) } else { (0.0, &relative, &limit) };
            let rest = free + squares(shares);
            if rest == 0.0 {
                let why = "linear: leaving the only sample with a weight out leaves none to fit";
                return Err(Error::Data(why.into()));
            }
            for c in 0..self.y.ncols() {
                residuals[(i, c)] = match &direct {
                    // Where the weight is small, the weighted residual has few digits, or none.
                    Some(direct) if free > 0.5 => direct[(i, c)] / rest,
                    _ => {
                        let outside = if free > 0.0 { outside[(i, c)] } else { 0.0 };
                        (outside + inside[(i, c)]) / rest / Float::sqrt(weight)
                    }
                };
            }
        }
        Ok(residuals)
    }
}

impl Factor {
    fn new(x: &DMatrix<f64>, y: &DMatrix<f64>, columns: Option<Vec<f64>>) -> Result<Factor> {
        let svd = thin_svd(x)?;
        let values = svd.values.as_slice();
        let cut = cut(x.shape()) * values.first().copied().unwrap_or(0.0);
        let rank = values.iter().filter(|s| **s > cut).count();
        let (u, v) = (svd.u.columns(0, rank).into_owned(), svd.v.columns(0, rank).into_owned());
        let projected = product(view(&u).t(), view(y));
        Ok(Factor { s: values[..rank].to_vec(), u, v, projected, columns })
    }
}

/// Singular values up to this share of the largest are rounding.
fn cut((n, d): (usize, usize)) -> f64 {
    16.0 * n.min(d) as f64 * f64::EPSILON
}

/// Row k of `a` times `factor(k)`.
fn scale_rows(a: &DMatrix<f64>, factor: impl Fn(usize) -> f64) -> DMatrix<f64> {
    let factors: Vec<f64> = (0..a.nrows()).map(factor).collect();
    DMatrix::from_fn(a.nrows(), a.ncols(), |k, c| a[(k, c)] * factors[k])
}
