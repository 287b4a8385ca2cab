//! Logistic regression, fitted to the exact optimum.
//!
//! On the tape, and with any optimizer, the same model is an [`Mlp`](super::Mlp) of two widths.

mod newton;
mod problem;

use std::fmt;

use nalgebra::DMatrix;

use crate::data::Dataset;
use crate::linalg::first_not_finite;
use crate::linalg::{Mat, gemm};
use crate::memory::{filled, with_room};
use crate::metrics::SeenClasses;
#[cfg(doc)]
use crate::metrics::argmax;
use crate::nn::loss::Link;
use crate::settings::{Range, at_least_one, check};
use crate::store::{Settings, Store, Stored, known};
use crate::text::count;
use crate::{Error, Matrix, Result};
use problem::Problem;

/// Samples that are copied at a time where a whole dataset is looked at.
const BLOCK: usize = 1024;

/// How a linear model tells classes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Two classes, one column of weights: P(class 1) = σ(z).
    Binary,
    /// One binary model per class against all others, each fitted on its own.
    OneVsRest,
    /// One model with a column per class: p = softmax(z).
    Multinomial,
}

impl Scheme {
    /// How the outputs are read.
    pub fn link(self) -> Link {
        match self {
            Scheme::Binary => Link::Binary,
            Scheme::OneVsRest => Link::Sigmoid,
            Scheme::Multinomial => Link::Softmax,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheme::Binary => "binary",
            Scheme::OneVsRest => "one-vs-rest",
            Scheme::Multinomial => "multinomial",
        })
    }
}

/// What [`LogisticRegression::fit`] is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticOptions {
    /// How classes are told apart.
    pub scheme: Scheme,
    /// λ ≥ 0: what is minimised is the mean cross-entropy over the samples plus λ/2·‖W‖². The biases are
    /// not penalised. In terms of n samples, scikit-learn's C is 1/(nλ).
    pub lambda: f64,
    /// Whether there are biases.
    pub intercept: bool,
    /// Newton steps after which to give up; ten are usual.
    pub max_steps: usize,
}

/// Multinomial, λ = 10⁻⁴, with biases.
impl LogisticOptions {
    /// Whether λ is a penalty. The fits ask.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is negative or not finite.
    pub fn check(&self) -> Result<()> {
        check::<f64>("lambda", self.lambda, Range::NOT_NEGATIVE).map(drop)
    }
}

impl Default for LogisticOptions {
    fn default() -> Self {
        LogisticOptions { scheme: Scheme::Multinomial, lambda: 1e-4, intercept: true, max_steps: 100 }
    }
}

/// Logistic regression: z = X·W + b, and the probabilities of the classes from z.
///
/// ```
/// use nalgebra::dmatrix;
/// use tapegrad::models::{LogisticOptions, LogisticRegression, Scheme};
///
/// let x = dmatrix![0.0; 1.0; 2.0; 3.0];
/// let options = LogisticOptions { scheme: Scheme::Binary, lambda: 0.1, ..Default::default() };
/// let model = LogisticRegression::fit(&x, &[0, 0, 1, 1], 2, &options)?;
/// assert_eq!(model.predict(&x)?, [Some(0), Some(0), Some(1), Some(1)]);
/// // By symmetry, 1.5 is on the boundary.
/// let half = model.probabilities(&dmatrix![1.5])?[(0, 1)];
/// assert!((half - 0.5).abs() < 1e-12);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticRegression {
    scheme: Scheme,
    classes: usize,
    /// W above b: (d + 1)×k.
    theta: DMatrix<f64>,
    steps: usize,
}

/// The objective of a fit and its derivatives at a model's parameters Θ, which are W above b, (d + 1)×k:
/// see [`LogisticRegression::derivatives`].
#[derive(Clone, Debug, PartialEq)]
pub struct Derivatives {
    /// Mean cross-entropy plus λ/2·‖W‖²; with one-vs-rest, the sum of those of all classes.
    pub value: f64,
    /// ∂/∂Θ = Xᵀ(p − y)/n, plus λW: (d + 1)×k.
    pub gradient: DMatrix<f64>,
    /// ∂²/∂Θ², in the row-major order of Θ: row and column r·k + c stand for Θ_rc. For one column it is
    /// XᵀSX/n with S = diag(p(1 − p)), plus λ for weights. It is positive semi-definite.
    pub hessian: DMatrix<f64>,
}

impl LogisticRegression {
    pub(crate) fn store(&self, to: &mut Store) -> Settings {
        to.put_matrix("theta", &self.theta);
        Settings::of("logistic").with("scheme", self.scheme.to_string()).with("steps", self.steps)
    }

    /// What a file holds of it, for that many classes.
    pub(crate) fn restore(settings: &Settings, from: &Stored, classes: usize) -> Result<Self> {
        let (name, theta) = (settings.get::<String>("scheme")?, from.dmatrix::<f64>("theta")?);
        let schemes = [Scheme::Binary, Scheme::OneVsRest, Scheme::Multinomial];
        let scheme = known("logistic regression", &name, schemes.map(|scheme| (scheme.to_string(), scheme)))?;
        let columns = if scheme == Scheme::Binary { 1 } else { classes };
        if theta.nrows() < 2 || columns == 0 || theta.ncols() != columns {
            let (rows, found) = theta.shape();
            let why =
                format!("parameters of {rows}×{found} in the file do not fit {}", count(classes, "class"));
            return Err(Error::Data(why));
        }
        Ok(LogisticRegression { scheme, classes, theta, steps: settings.get("steps")? })
    }

    /// Fits by Newton's method, that is iteratively reweighted least squares, with damped steps: to the
    /// optimum, as good as rounding allows.
    ///
    /// x is n×d, a sample a row, with labels below `classes`. Where the optimum is not unique, one of them
    /// is found: features that depend on each other without a penalty; and in the multinomial model,
    /// whose weights and biases are made to sum to 0 over the classes. Up to 300 parameters a step is
    /// solved for directly, above by conjugate gradients (Lin, Weng and Keerthi, *Trust Region Newton
    /// Method for Large-Scale Logistic Regression*, JMLR 9, 2008), and the memory is some copies of x. These
    /// reach the optimum all the same, but images with thousands of parameters and a small λ take minutes:
    /// where near is good enough, train on the tape.
    ///
    /// # Errors
    /// [`Error::Setting`] if λ is negative or not finite, `max_steps` is 0, or the scheme is binary and there are not two
    /// classes. [`Error::Data`] if there are no samples or fewer than two classes; a label is out of range
    /// or missing, or a class without samples; a feature is NaN or infinite. The same where no finite
    /// optimum exists, because λ = 0 and the classes are separable, or where there is no convergence.
    pub fn fit(
        x: &DMatrix<f64>,
        labels: &[usize],
        classes: usize,
        options: &LogisticOptions,
    ) -> Result<Self> {
        Rows::from_matrix(x, options.intercept)?.fit(labels, None, classes, options)
    }

    /// The same for the labels and features of a data set, and its weights: the mean of the losses is weighted, and
    /// samples of weight 0 are left out.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`Error::Data`] if it has no labels.
    pub fn fit_dataset(data: &Dataset, options: &LogisticOptions) -> Result<Self> {
        let data = &*data.counted()?;
        let Some(labels) = data.labels() else {
            return Err(Error::Data("logistic regression needs class labels".into()));
        };
        data.check_one_label("logistic regressions")?;
        let rows = Rows::new(&data.to_rows(), data.len(), data.features(), options.intercept)?;
        // Divided by the largest first, so that no sum overflows.
        let weights = data.weights().map(|weights| {
            let largest = weights.iter().copied().fold(0.0, f64::max);
            let total: f64 = weights.iter().map(|w| w / largest).sum();
            weights.iter().map(|w| w / largest / total * weights.len() as f64).collect::<Vec<_>>()
        });
        rows.fit(labels, weights.as_deref(), data.classes(), options)
    }

    /// The model of given weights d×k and biases 1×k, with k = 1 for the binary scheme and the number of
    /// classes otherwise.
    ///
    /// # Errors
    /// [`Error::Data`] if the biases do not fit the weights, there are too few or too many columns for the
    /// scheme, or a number is not finite.
    pub fn from_parameters(scheme: Scheme, weights: &DMatrix<f64>, bias: &DMatrix<f64>) -> Result<Self> {
        let (w, b) = (weights.shape(), bias.shape());
        if b != (1, w.1) || (w.1 == 1) != (scheme == Scheme::Binary) || w.1 == 0 {
            return Err(Error::Data(format!(
                "logistic: weights {}×{} and biases {}×{} are no {scheme:?} model",
                w.0, w.1, b.0, b.1
            )));
        }
        if weights.iter().chain(bias).any(|x| !x.is_finite()) {
            return Err(Error::Data("logistic: a weight or bias is not finite".into()));
        }
        let mut theta = DMatrix::zeros(w.0 + 1, w.1);
        theta.rows_mut(0, w.0).copy_from(weights);
        theta.rows_mut(w.0, 1).copy_from(bias);
        Ok(LogisticRegression { scheme, classes: w.1.max(2), theta, steps: 0 })
    }

    /// W, d×k; k is 1 for the binary scheme, and the number of classes otherwise.
    pub fn weights(&self) -> DMatrix<f64> {
        self.theta.rows(0, self.features()).into_owned()
    }

    /// b, 1×k; zeros if there are none.
    pub fn bias(&self) -> DMatrix<f64> {
        self.theta.rows(self.features(), 1).into_owned()
    }

    /// How it tells classes apart.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Number of features d.
    pub fn features(&self) -> usize {
        self.theta.nrows() - 1
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Newton steps that the fit took; with one-vs-rest, those of all classes together.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// z = X·W + b, n×k.
    ///
    /// # Errors
    /// [`Error::Data`] if x does not have d columns, or has an entry that is NaN or infinite.
    pub fn logits(&self, x: &DMatrix<f64>) -> Result<DMatrix<f64>> {
        Ok(DMatrix::from_row_slice(x.nrows(), self.theta.ncols(), &self.scores(x)?))
    }

    /// z of the samples of a data set, whose rows are used as they lie.
    pub(crate) fn scores_of(&self, data: &Dataset) -> Result<Matrix<f64>> {
        self.check_features(data.features())?;
        let rows = Rows::new(&data.try_to_rows()?, data.len(), data.features(), true)?;
        Ok(Matrix::new(self.scores_of_rows(&rows)?, data.len(), self.theta.ncols()))
    }

    /// z, row-major.
    fn scores(&self, x: &DMatrix<f64>) -> Result<Vec<f64>> {
        self.scores_of_rows(&self.rows_of(x)?)
    }

    fn scores_of_rows(&self, rows: &Rows) -> Result<Vec<f64>> {
        let k = self.theta.ncols();
        let mut z = filled(rows.n.saturating_mul(k), 0.0, "logits")?;
        gemm(&mut z, false, rows.matrix(), Mat::new(&row_major(&self.theta), rows.p, k));
        Ok(z)
    }

    /// The probability of each class, n×classes; rows sum to 1.
    ///
    /// Binary: 1 − σ(z) and σ(z). Multinomial: softmax(z). One-vs-rest: σ(z) divided by its sum over the
    /// classes.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn probabilities(&self, x: &DMatrix<f64>) -> Result<DMatrix<f64>> {
        let mut p = DMatrix::zeros(self.classes, x.nrows());
        for (z, mut p) in self.scores(x)?.chunks(self.theta.ncols()).zip(p.column_iter_mut()) {
            self.scheme.link().probabilities(z, p.as_mut_slice());
        }
        Ok(p.transpose())
    }

    /// The most probable class of each row, by its logits; `None` where that is [undecided](argmax), as at
    /// z = 0 in the binary scheme, and where a logit is beyond the range of `f64`. There is no class without
    /// training samples to choose: the fit refuses it.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn predict(&self, x: &DMatrix<f64>) -> Result<Vec<Option<usize>>> {
        let (link, all) = (self.scheme.link(), SeenClasses::all(self.classes));
        Ok(self.scores(x)?.chunks(self.theta.ncols()).map(|z| class_of(link, z, &all)).collect())
    }

    /// The same for the features of a data set.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn predict_dataset(&self, data: &Dataset) -> Result<Vec<Option<usize>>> {
        let (link, all) = (self.scheme.link(), SeenClasses::all(self.classes));
        let mut classes = with_room(data.len(), "classes")?;
        self.each_row(data, |z| classes.push(class_of(link, z, &all)))?;
        Ok(classes)
    }

    /// [`probabilities`](Self::probabilities) of all samples of a dataset, row-major: those of a sample side
    /// by side. Never more than a block of the samples is copied.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn probabilities_dataset(&self, data: &Dataset) -> Result<Vec<f64>> {
        let link = self.scheme.link();
        let mut probabilities = filled(data.len().saturating_mul(self.classes), 0.0, "probabilities")?;
        let mut rows = probabilities.chunks_exact_mut(self.classes);
        self.each_row(data, |z| rows.next().into_iter().for_each(|p| link.probabilities(z, p)))?;
        Ok(probabilities)
    }

    /// Calls `each` with z of sample after sample.
    fn each_row(&self, data: &Dataset, mut each: impl FnMut(&[f64])) -> Result<()> {
        let indices: Vec<usize> = (0..data.len()).collect();
        for block in indices.chunks(BLOCK) {
            self.scores_of(&data.subset(block))?.rows().for_each(&mut each);
        }
        Ok(())
    }

    /// The objective with penalty λ on the samples x and labels, at the parameters of this model: its
    /// value, gradient and Hessian. After a fit the gradient is zero to rounding. Without an intercept
    /// the derivatives for the biases are there all the same.
    ///
    /// The Hessian takes ((d + 1)k)² numbers.
    ///
    /// # Errors
    /// [`Error::Data`] if x or the labels are not as [`fit`](Self::fit) needs them, save that a class may
    /// be without samples; [`Error::Setting`] for λ.
    pub fn derivatives(&self, x: &DMatrix<f64>, labels: &[usize], lambda: f64) -> Result<Derivatives> {
        let rows = self.rows_of(x)?;
        check::<f64>("lambda", lambda, Range::NOT_NEGATIVE)?;
        check_labels(labels, rows.n, self.classes)?;
        let (p, k) = (rows.p, self.theta.ncols());
        let one = |labels: &[usize], theta: &DMatrix<f64>| {
            let k = theta.ncols();
            let problem = Problem { x: &rows.x, labels, weights: None, p, k, d: p - 1, lambda };
            let point = problem.at(&row_major(theta));
            let hessian = DMatrix::from_vec(p * k, p * k, problem.hessian(&point.probabilities)?);
            let gradient = DMatrix::from_row_slice(p, k, &point.gradient);
            Ok(Derivatives { value: point.value, gradient, hessian })
        };
        if self.scheme != Scheme::OneVsRest {
            return one(labels, &self.theta);
        }
        let (mut value, mut gradient) = (0.0, DMatrix::zeros(p, k));
        let mut hessian = DMatrix::zeros(p * k, p * k);
        for class in 0..k {
            let part = one(&against(labels, class), &self.theta.columns(class, 1).into_owned())?;
            value += part.value;
            gradient.set_column(class, &part.gradient.column(0));
            for r in 0..p {
                for s in 0..p {
                    hessian[(r * k + class, s * k + class)] = part.hessian[(r, s)];
                }
            }
        }
        Ok(Derivatives { value, gradient, hessian })
    }

    /// x with a column of ones for the bias, checked.
    fn rows_of(&self, x: &DMatrix<f64>) -> Result<Rows> {
        self.check_features(x.ncols())?;
        Rows::from_matrix(x, true)
    }

    fn check_features(&self, found: usize) -> Result<()> {
        let d = self.features();
        if found == d {
            return Ok(());
        }
        Err(Error::Data(format!("logistic: the model takes {}, the data has {found}", count(d, "feature"))))
    }
}

/// The class that the logits tell. Of finite weights and features an infinite one is an overflow, which may hide any sum.
fn class_of(link: Link, z: &[f64], classes: &SeenClasses) -> Option<usize> {
    if first_not_finite(z).is_some() { None } else { link.class(z, classes) }
}

/// Finite samples, row-major, each followed by a 1 if there is an intercept.
struct Rows {
    x: Vec<f64>,
    n: usize,
    /// Numbers in a row, the 1 included.
    p: usize,
    /// Features.
    d: usize,
}

impl Rows {
    fn new(values: &[f64], n: usize, d: usize, intercept: bool) -> Result<Self> {
        if let Some(at) = first_not_finite(values) {
            let why = format!("row {}, column {}: the feature is {}", at / d, at % d, values[at]);
            return Err(Error::Data(why));
        }
        let p = d + usize::from(intercept);
        let mut x = with_room(n.saturating_mul(p), "the samples of a logistic regression")?;
        for i in 0..n {
            x.extend_from_slice(&values[i * d..][..d]);
            x.extend(intercept.then_some(1.0));
        }
        Ok(Rows { x, n, p, d })
    }

    fn from_matrix(x: &DMatrix<f64>, intercept: bool) -> Result<Self> {
        Rows::new(&row_major(x), x.nrows(), x.ncols(), intercept)
    }

    /// An error where the square of a feature that is not 0 is: without a penalty that counters it, its weight
    /// is as large as the feature is small, and what the fit looks at are products.
    fn check_scale(&self, lambda: f64) -> Result<()> {
        let mut largest = vec![0.0f64; self.d];
        for row in self.x.chunks_exact(self.p.max(1)) {
            largest.iter_mut().zip(row).for_each(|(m, x)| *m = m.max(x.abs()));
        }
        let least = f64::MIN_POSITIVE / f64::EPSILON;
        if lambda >= least {
            return Ok(());
        }
        match largest.iter().position(|m| *m > 0.0 && m * m < least) {
            None => Ok(()),
            Some(column) => Err(Error::Data(format!(
                "column {column}: no feature is above {:e}, and products of them leave the range of f64: scale \
                 the features, or give a lambda above 0",
                largest[column]
            ))),
        }
    }

    fn matrix(&self) -> Mat<'_, f64> {
        Mat::new(&self.x, self.n, self.p)
    }

    fn fit(
        &self,
        labels: &[usize],
        weights: Option<&[f64]>,
        classes: usize,
        options: &LogisticOptions,
    ) -> Result<LogisticRegression> {
        let LogisticOptions { scheme, lambda, max_steps, .. } = *options;
        options.check()?;
        at_least_one("max_steps", max_steps)?;
        self.check_scale(lambda)?;
        if scheme == Scheme::Binary && classes != 2 {
            let why = format!("the binary scheme is for 2 classes, not {classes}: take another");
            return Err(Error::setting("scheme", why));
        }
        check_labels(labels, self.n, classes)?;
        if classes < 2 {
            return Err(Error::Data(format!(
                "logistic: there is nothing to tell apart in {}",
                count(classes, "class")
            )));
        }
        if let Some(class) = (0..classes).find(|class| !labels.contains(class)) {
            let why = "its probability has no finite optimum";
            return Err(Error::Data(format!("logistic: class {class} has no samples, so that {why}")));
        }
        let one = |labels: &[usize], k: usize| {
            let problem = Problem { x: &self.x, labels, weights, p: self.p, k, d: self.d, lambda };
            newton::minimise(&problem, max_steps, self.p * k <= newton::DIRECT)
        };
        let k = if scheme == Scheme::Binary { 1 } else { classes };
        let mut theta = DMatrix::zeros(self.d + 1, k);
        let mut steps = 0;
        if scheme == Scheme::OneVsRest {
            for class in 0..classes {
                let (column, count) = one(&against(labels, class), 1)
                    .map_err(|e| Error::Data(format!("class {class} against the rest: {e}")))?;
                theta.view_mut((0, class), (self.p, 1)).copy_from_slice(&column);
                steps += count;
            }
        } else {
            let (values, count) = one(labels, k)?;
            theta.rows_mut(0, self.p).copy_from(&DMatrix::from_row_slice(self.p, k, &values));
            steps = count;
        }
        if scheme == Scheme::Multinomial {
            // The same number added to the scores of all classes changes nothing: this is the optimum of
            // least norm.
            for mut row in theta.row_iter_mut() {
                let mean = row.mean();
                row.add_scalar_mut(-mean);
            }
        }
        Ok(LogisticRegression { scheme, classes, theta, steps })
    }
}

/// 1 for the samples of `class`, 0 for the others.
fn against(labels: &[usize], class: usize) -> Vec<usize> {
    labels.iter().map(|label| usize::from(*label == class)).collect()
}

fn row_major(x: &DMatrix<f64>) -> Vec<f64> {
    // The transpose's columns are the rows, one behind the other.
    x.transpose().as_slice().to_vec()
}

fn check_labels(labels: &[usize], n: usize, classes: usize) -> Result<()> {
    if labels.len() != n {
        return Err(Error::Data(format!("{} for {}", count(labels.len(), "label"), count(n, "row"))));
    }
    if n == 0 {
        return Err(Error::Data("there are no samples".into()));
    }
    match labels.iter().position(|label| *label >= classes) {
        Some(row) => {
            let label = labels[row];
            Err(Error::Data(format!("row {row}: label {label} is not below the {}", count(classes, "class"))))
        }
        None => Ok(()),
    }
}
