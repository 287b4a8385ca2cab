//! The samples of a fit, checked, centred, weighted and scaled.

use nalgebra::{DMatrix, RowDVector};

use crate::data::over_mean;
use crate::float::power_below;
use crate::linalg::first_not_finite;
use crate::linalg::{dot, sum};
use crate::text::count;
use crate::{Error, Float, Result};

/// √w·(X − 1x̄ᵀ)·2⁻ᵏ and √w·(Y − 1ȳᵀ), with the weights' mean made 1.
pub(super) struct Problem {
    pub x: DMatrix<f64>,
    pub y: DMatrix<f64>,
    pub x_mean: RowDVector<f64>,
    pub y_mean: RowDVector<f64>,
    /// w with mean 1; `None` where all are.
    pub weights: Option<Vec<f64>>,
    /// X − 1x̄ᵀ, scaled, and Y − 1ȳᵀ, where there are weights.
    pub plain: Option<(DMatrix<f64>, DMatrix<f64>)>,
    /// 2⁻ᵏ, which makes the largest entry of `x` lie in [1, 2): no square overflows.
    pub scale: f64,
}

impl Problem {
    pub(super) fn new(
        x: &DMatrix<f64>,
        y: &DMatrix<f64>,
        weights: Option<&[f64]>,
        intercept: bool,
    ) -> Result<Problem> {
        check(x, y)?;
        let weights = weights.map(|weights| normalised(weights, x.nrows())).transpose()?;
        let (mut x, mut y) = (x.clone(), y.clone());
        let w = weights.as_deref();
        let centre = |a: &mut DMatrix<f64>| {
            let means =
                a.column_iter_mut().map(|mut c| if intercept { centre(c.as_mut_slice(), w) } else { 0.0 });
            RowDVector::from_iterator(means.len(), means)
        };
        let (x_mean, y_mean) = (centre(&mut x), centre(&mut y));
        let finite = |a: &DMatrix<f64>, means: &RowDVector<f64>| a.iter().chain(means).all(|x| x.is_finite());
        if !(finite(&x, &x_mean) && finite(&y, &y_mean)) {
            return Err(Error::Data(
                "linear: centring leaves the range of the numbers; scale the data".into(),
            ));
        }
        let scale = power_below(x.amax());
        x.iter_mut().for_each(|x| *x *= scale);
        let plain = w.map(|_| (x.clone(), y.clone()));
        if let Some(weights) = w {
            for mut column in x.column_iter_mut().chain(y.column_iter_mut()) {
                column.iter_mut().zip(weights).for_each(|(x, w)| *x *= Float::sqrt(*w));
            }
        }
        Ok(Problem { x, y, x_mean, y_mean, weights, plain, scale })
    }
}

/// Subtracts the weighted mean, whose rounding is corrected, and returns it. What is constant becomes 0
/// exactly: the rounding left otherwise would be taken for a feature.
fn centre(column: &mut [f64], weights: Option<&[f64]>) -> f64 {
    let counts = |i: usize| weights.is_none_or(|w| w[i] > 0.0);
    let first = (0..column.len()).find(|i| counts(*i)).map_or(0.0, |i| column[i]);
    let constant = column.iter().enumerate().all(|(i, x)| *x == first || !counts(i));
    let mean_of = |a: &[f64]| weights.map_or_else(|| sum(a), |w| dot(w, a)) / a.len() as f64;
    let mean = if constant { first } else { mean_of(column) };
    column.iter_mut().for_each(|x| *x -= mean);
    let rest = if constant { 0.0 } else { mean_of(column) };
    column.iter_mut().for_each(|x| *x -= rest);
    mean + rest
}

/// The weights over their mean.
fn normalised(weights: &[f64], rows: usize) -> Result<Vec<f64>> {
    if weights.len() != rows {
        return Err(Error::Data(format!(
            "linear: {} for {}",
            count(weights.len(), "weight"),
            count(rows, "sample")
        )));
    }
    if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        let why = format!("linear: row {row}: the weight is {}; allowed is 0 and above", weights[row]);
        return Err(Error::Data(why));
    }
    over_mean(weights).ok_or_else(|| Error::Data("linear: all weights are 0".into()))
}

fn check(x: &DMatrix<f64>, y: &DMatrix<f64>) -> Result<()> {
    let fail = |why: String| Err(Error::Data(format!("linear: {why}")));
    if x.nrows() != y.nrows() {
        return fail(format!("{} of features and {} of targets", count(x.nrows(), "row"), y.nrows()));
    }
    for (what, a) in [("features", x), ("targets", y)] {
        if a.ncols() == 0 {
            return fail(format!("there are no {what}"));
        }
        if let Some(at) = first_not_finite(a.as_slice()) {
            let (row, column) = (at % a.nrows(), at / a.nrows());
            return fail(format!("row {row}, column {column} of the {what} is {}", a[at]));
        }
    }
    if x.nrows() == 0 {
        return fail("there are no samples".into());
    }
    Ok(())
}
