//! Training of a linear model under the squared error, in closed form.

use nalgebra::{DMatrix, DVector};

use crate::linalg::{SymmetricEigen, symmetric_eigen};
use crate::settings::{Range, check};
use crate::text::count;
use crate::{Error, Float, Result};

/// The outputs of a model with a constant tangent kernel Θ while it is trained.
///
/// The loss is 1/(2n)·Σᵢ‖f(xᵢ) − yᵢ‖², and with r₀ = f₀ − y, on the training samples
///
/// - after t steps of gradient descent with the rate η: f_t = y + (I − ηΘ/n)ᵗ·r₀;
/// - at time t of gradient flow, θ̇ = −∇L: f_t = y + e^(−tΘ/n)·r₀;
///
/// and on other samples f_t(X*) = f₀(X*) − Θ(X*, X)·Θ⁻¹·(I − S_t)·r₀, with S_t the factor of r₀ above (Lee et
/// al., "Wide neural networks of any depth evolve as linear models under gradient descent", 2019, equations
/// 10 and 11). Θ⁻¹·(I − S_t) is taken as one function of the eigenvalues, which is finite at 0: Θ may be
/// singular. All times cost one spectral decomposition.
///
/// [`Tape::mse`](crate::Tape::mse) of k outputs is 2/k times this loss: to step along, take k/2·η for it.
///
/// Θ is that of all outputs, nk×nk, as [`Outputs::All`](super::Outputs::All) orders them; or n×n for the
/// same kernel for every output and none between them, as in an infinite network.
///
/// ```
/// use nalgebra::dmatrix;
/// use tapegrad::models::ntk::Dynamics;
///
/// let theta = dmatrix![2.0, 0.0; 0.0, 4.0];
/// let dynamics = Dynamics::new(&theta, &dmatrix![0.0; 0.0], &dmatrix![1.0; 1.0])?;
/// // Rates 1 − ½·2/2 and 1 − ½·4/2.
/// assert_eq!(dynamics.descent(0.5, 1)?, dmatrix![0.5; 1.0]);
/// assert_eq!(dynamics.largest_rate(), 1.0);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dynamics<T: Float> {
    eigen: SymmetricEigen<T>,
    /// f₀, n×k.
    start: DMatrix<T>,
    /// y, n×k.
    targets: DMatrix<T>,
    /// Qᵀr₀: n×k, or nk×1.
    projected: DMatrix<T>,
}

/// How long a model is trained, and by what.
#[derive(Clone, Copy)]
enum Training {
    Descent { rate: f64, steps: u64 },
    Flow { time: f64 },
}

impl<T: Float> Dynamics<T> {
    /// From Θ(X, X), of which the lower triangle is read, the outputs f₀ at the start and the targets, both
    /// n×k. Takes some 9·N³ multiply-adds for N rows of Θ.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if a number is not finite.
    ///
    /// # Panics
    /// If Θ is neither n×n nor nk×nk, or `start` and `targets` differ in shape.
    #[track_caller]
    pub fn new(theta: &DMatrix<T>, start: &DMatrix<T>, targets: &DMatrix<T>) -> Result<Self> {
        assert!(
            start.shape() == targets.shape(),
            "Dynamics: outputs {:?}, but targets {:?}",
            start.shape(),
            targets.shape()
        );
        let (n, k) = targets.shape();
        let rows = theta.nrows();
        assert!(
            theta.is_square() && (rows == n || rows == n * k),
            "Dynamics: a kernel of {:?} for {} of {}",
            theta.shape(),
            count(n, "sample"),
            count(k, "output")
        );
        if let Some(at) = start.iter().chain(targets.iter()).position(|v| !v.is_finite()) {
            let what = if at < start.len() { "an output" } else { "a target" };
            return Err(Error::NonFinite(format!("dynamics: {what} is NaN or infinite")));
        }
        let mut eigen = symmetric_eigen(theta)?;
        // Θ is positive semi-definite: what is below zero is rounding, and would grow without limit.
        eigen.values.iter_mut().for_each(|v| *v = v.max(T::ZERO));
        let residual = in_rows_of(&eigen, &(start - targets));
        let projected = eigen.vectors.tr_mul(&residual);
        Ok(Dynamics { eigen, start: start.clone(), targets: targets.clone(), projected })
    }

    /// Eigenvalues λ of Θ, ascending, and eigenvectors. Along each the residual falls by 1 − ηλ/n a step.
    pub fn eigen(&self) -> &SymmetricEigen<T> {
        &self.eigen
    }

    /// 2n/λ_max: gradient descent converges for rates below, and diverges above. ∞ for Θ = 0 and for n = 0.
    pub fn largest_rate(&self) -> f64 {
        let largest = self.eigen.values.iter().fold(0.0, |m, v| Float::max(m, v.to_f64()));
        if largest == 0.0 { f64::INFINITY } else { 2.0 * self.targets.nrows() as f64 / largest }
    }

    /// f_t on the training samples, n×k, after `steps` of gradient descent with rate η.
    ///
    /// # Errors
    /// [`Error::Setting`] if the rate, or its product with the steps, is negative or not finite;
    /// [`Error::NonFinite`] if an output is beyond `T`.
    pub fn descent(&self, rate: f64, steps: u64) -> Result<DMatrix<T>> {
        finite(self.trained(descent(rate, steps)?))
    }

    /// f_t on the training samples, n×k, at time t of gradient flow.
    ///
    /// # Errors
    /// [`Error::Setting`] if the time is negative or not finite; [`Error::NonFinite`] if an output is beyond `T`.
    pub fn flow(&self, time: f64) -> Result<DMatrix<T>> {
        finite(self.trained(flow(time)?))
    }

    /// f_t on m other samples (there may be none), m×k, after `steps` of gradient descent, from the outputs
    /// there at the start, m×k, and the kernel Θ(X*, X), m×n or mk×nk.
    ///
    /// # Errors
    /// As [`descent`](Self::descent).
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn descent_at(
        &self,
        cross: &DMatrix<T>,
        start: &DMatrix<T>,
        rate: f64,
        steps: u64,
    ) -> Result<DMatrix<T>> {
        finite(self.elsewhere(cross, start, descent(rate, steps)?))
    }

    /// f_t on m other samples at time t of gradient flow: see [`descent_at`](Self::descent_at).
    ///
    /// # Errors
    /// As [`flow`](Self::flow).
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn flow_at(&self, cross: &DMatrix<T>, start: &DMatrix<T>, time: f64) -> Result<DMatrix<T>> {
        finite(self.elsewhere(cross, start, flow(time)?))
    }

    /// ‖θ_t − θ₀‖ after `steps` of gradient descent: with g = Θ⁻¹·(I − S_t)·r₀ it is √(gᵀΘg), since
    /// θ_t − θ₀ = −Jᵀg.
    ///
    /// # Errors
    /// As [`descent`](Self::descent).
    pub fn descent_distance(&self, rate: f64, steps: u64) -> Result<f64> {
        finite_number(self.distance(descent(rate, steps)?))
    }

    /// ‖θ_t − θ₀‖ at time t of gradient flow.
    ///
    /// # Errors
    /// As [`flow`](Self::flow).
    pub fn flow_distance(&self, time: f64) -> Result<f64> {
        finite_number(self.distance(flow(time)?))
    }

    fn trained(&self, training: Training) -> DMatrix<T> {
        let n = self.targets.nrows() as f64;
        // From the end that is nearer: what little has moved since the start would drown in y, and what little
        // is left at the end in f₀.
        let farthest = self.eigen.values.iter().map(|v| moved(v.to_f64() / n, training).abs());
        if farthest.fold(0.0, Float::max) < 0.5 {
            let way = self.scale_modes(|x| moved(x / n, training));
            &self.start - to_outputs(&way, self.targets.shape())
        } else {
            let residual = self.scale_modes(|x| remaining(x / n, training));
            &self.targets + to_outputs(&residual, self.targets.shape())
        }
    }

    #[track_caller]
    fn elsewhere(&self, cross: &DMatrix<T>, start: &DMatrix<T>, training: Training) -> DMatrix<T> {
        let ((n, k), m) = (self.targets.shape(), start.nrows());
        let rows = self.eigen.values.len();
        assert!(
            start.ncols() == k && cross.shape() == (m * (rows / n.max(1)), rows),
            "Dynamics: a kernel of {:?} and outputs {:?}, for one of {rows}×{rows} and {}",
            cross.shape(),
            start.shape(),
            count(k, "output")
        );
        start - to_outputs(&(cross * self.scale_modes(|x| self.absorbed(x, training))), (m, k))
    }

    fn distance(&self, training: Training) -> f64 {
        // Squares of the residuals leave the range before the residuals do: divided by a power of two.
        let largest = self.projected.iter().fold(0.0, |m, r| Float::max(m, r.to_f64().abs()));
        let exponent = if largest > 0.0 { libm::ilogb(largest) } else { 0 };
        let mut sum = 0.0;
        for column in self.projected.column_iter() {
            for (r, value) in column.iter().zip(&self.eigen.values) {
                let r = libm::scalbn(r.to_f64(), -exponent);
                if r == 0.0 {
                    continue; // also where the share of it is infinite
                }
                let g = self.absorbed(value.to_f64(), training) * r;
                sum += value.to_f64() * g * g;
            }
        }
        libm::scalbn(sum.sqrt(), exponent)
    }

    /// (1 − remaining)/λ.
    fn absorbed(&self, value: f64, training: Training) -> f64 {
        let n = self.targets.nrows() as f64;
        let limit = match training {
            Training::Descent { rate, steps } => rate * steps as f64 / n,
            Training::Flow { time } => time / n,
        };
        if value == 0.0 { limit } else { moved(value / n, training) / value }
    }

    /// Q·diag(f(λ))·Qᵀr₀.
    fn scale_modes(&self, f: impl Fn(f64) -> f64) -> DMatrix<T> {
        let factors: DVector<T> = self.eigen.values.map(|v| T::of(f(v.to_f64())));
        let mut scaled = self.projected.clone();
        for mut column in scaled.column_iter_mut() {
            column.component_mul_assign(&factors);
        }
        &self.eigen.vectors * scaled
    }
}

fn descent(rate: f64, steps: u64) -> Result<Training> {
    check::<f64>("rate", rate, Range::NOT_NEGATIVE)?;
    if !(rate * steps as f64).is_finite() {
        return Err(Error::setting("rate", format!("{rate:e} times {} is not finite", count(steps, "step"))));
    }
    Ok(Training::Descent { rate, steps })
}

fn flow(time: f64) -> Result<Training> {
    check::<f64>("time", time, Range::NOT_NEGATIVE)?;
    Ok(Training::Flow { time })
}

/// An error where training has left the range of the numbers.
fn finite<T: Float>(outputs: DMatrix<T>) -> Result<DMatrix<T>> {
    if outputs.iter().all(|v| v.is_finite()) {
        return Ok(outputs);
    }
    let why = format!("dynamics: an output leaves the range of {}: the rate is above largest_rate", T::NAME);
    Err(Error::NonFinite(why))
}

/// The same for the distance; 0 times what grew without limit is no number either.
fn finite_number(distance: f64) -> Result<f64> {
    if distance.is_finite() {
        return Ok(distance);
    }
    Err(Error::NonFinite("dynamics: the distance leaves the range: the rate is above largest_rate".into()))
}

/// The share of a residual that is left, for the eigenvalue x of Θ/n.
fn remaining(x: f64, training: Training) -> f64 {
    match training {
        Training::Flow { time } => Float::exp(-time * x),
        Training::Descent { steps: 0, .. } => 1.0,
        Training::Descent { rate, steps } => {
            let factor = 1.0 - rate * x;
            let size = Float::exp(steps as f64 * log_magnitude(rate * x));
            if factor < 0.0 && steps % 2 == 1 { -size } else { size }
        }
    }
}

/// 1 − [`remaining`], with its digits where little has moved.
fn moved(x: f64, training: Training) -> f64 {
    match training {
        Training::Flow { time } => -Float::exp_m1(-time * x),
        Training::Descent { steps: 0, .. } => 0.0,
        Training::Descent { rate, steps } if rate * x < 1.0 => {
            -Float::exp_m1(steps as f64 * log_magnitude(rate * x))
        }
        Training::Descent { .. } => 1.0 - remaining(x, training),
    }
}

/// ln|1 − x|.
fn log_magnitude(x: f64) -> f64 {
    if x < 1.0 { Float::ln_1p(-x) } else { Float::ln(x - 1.0) }
}

/// An n×k matrix as the rows of the kernel are: itself, or nk×1 with the outputs of a sample together.
fn in_rows_of<T: Float>(eigen: &SymmetricEigen<T>, x: &DMatrix<T>) -> DMatrix<T> {
    if eigen.values.len() == x.nrows() {
        x.clone()
    } else {
        DMatrix::from_column_slice(x.len(), 1, x.transpose().as_slice())
    }
}

/// The inverse of [`in_rows_of`] for n samples of k outputs, where n may be 0.
fn to_outputs<T: Float>(x: &DMatrix<T>, (n, k): (usize, usize)) -> DMatrix<T> {
    if x.shape() == (n, k) { x.clone() } else { DMatrix::from_row_slice(n, k, x.as_slice()) }
}
