//! The weights of samples in a fit.
//!
//! A fit minimises Σᵢ wᵢ‖f(xᵢ) − yᵢ‖²/Σᵢ wᵢ + λ‖f‖². With ωᵢ = wᵢ over the mean of all weights and S = diag(√ωᵢ),
//! that is the fit without weights of S·y with S·K·S in place of K, whose α is S⁻¹ times the one wanted. So nothing
//! is divided by a weight, and nλ is what it is without weights.

use std::borrow::Cow;

use nalgebra::DMatrix;

use super::gram::for_rows;
use super::samples::Samples;
use super::targets::check_targets;
use crate::data::unequal_over_mean;
use crate::{Error, Float, Result};

/// What a fit counts: the samples whose weight is above 0, their targets and weights.
pub(in crate::models) struct Counted<'a, T: Float> {
    pub x: Samples<T>,
    pub y: Cow<'a, DMatrix<T>>,
    pub weights: RowWeights<T>,
}

impl<'a, T: Float> Counted<'a, T> {
    /// # Errors
    /// [`Error::Data`] for bad targets, where all weights are 0, or one is too small for `T` beside the others.
    pub fn new(x: &Samples<T>, y: &'a DMatrix<T>) -> Result<Self> {
        check_targets(x, y)?;
        let (counted, weights) = count(x)?;
        let y = match &counted {
            Some(rows) => Cow::Owned(y.select_rows(rows)),
            None => Cow::Borrowed(y),
        };
        let x = counted.map_or_else(|| x.clone(), |rows| x.subset(&rows));
        Ok(Counted { x, y, weights })
    }
}

/// Leaves samples of weight 0 out.
pub(super) fn only_counted<T: Float>(x: &Samples<T>) -> Result<(Samples<T>, RowWeights<T>)> {
    let (counted, weights) = count(x)?;
    Ok((counted.map_or_else(|| x.clone(), |rows| x.subset(&rows)), weights))
}

/// The rows that count, if some do not, and the weights of those that do.
fn count<T: Float>(x: &Samples<T>) -> Result<(Option<Vec<usize>>, RowWeights<T>)> {
    let Some(all) = x.weights() else {
        return Ok((None, RowWeights { total: x.len() as f64, roots: None }));
    };
    let counted = x.counted_rows();
    let rows = counted.clone().unwrap_or_else(|| (0..x.len()).collect());
    if rows.is_empty() {
        return Err(Error::Data("the weights of all samples are 0".into()));
    }
    let kept: Vec<f64> = rows.iter().map(|row| all[*row]).collect();
    let relative = unequal_over_mean(&kept);
    // A weight that is lost beside the others would leave its sample out, and nobody would know.
    // Its square root is taken twice, and what is divided by it must keep its digits.
    let least = T::MIN_POSITIVE.to_f64().sqrt();
    if let Some(at) = relative.iter().flatten().position(|w| *w < least) {
        let why = format!(
            "row {}: the weight {:e} is too small beside the others for {}: give it 0 to leave the sample out, or take weights \
             that are less far apart",
            rows[at],
            kept[at],
            T::NAME
        );
        return Err(Error::Data(why));
    }
    let roots = relative.map(|w| w.into_iter().map(|w| T::of(Float::sqrt(w))).collect());
    let weights = RowWeights { total: kept.iter().sum(), roots };
    Ok((counted, weights))
}

/// √ω of every sample that counts; none where all are equal: then no bit is other than without weights.
#[derive(Clone, Debug)]
pub(in crate::models) struct RowWeights<T> {
    /// Σ w; of [some](Self::of) of all, Σ ω.
    pub total: f64,
    roots: Option<Vec<T>>,
}

impl<T: Float> RowWeights<T> {
    /// Whether there are any.
    pub fn are_some(&self) -> bool {
        self.roots.is_some()
    }

    /// √ωᵢ.
    pub fn root(&self, i: usize) -> T {
        self.roots.as_ref().map_or(T::ONE, |roots| roots[i])
    }

    /// Those of the samples `chosen`, in that order.
    pub fn of(&self, chosen: &[usize]) -> Self {
        let Some(all) = &self.roots else {
            return RowWeights { total: chosen.len() as f64, roots: None };
        };
        let roots: Vec<T> = chosen.iter().map(|i| all[*i]).collect();
        RowWeights { total: roots.iter().map(|root| root.to_f64() * root.to_f64()).sum(), roots: Some(roots) }
    }

    /// S·A, in place.
    pub fn scale(&self, a: &mut DMatrix<T>) {
        let Some(roots) = &self.roots else { return };
        for mut column in a.column_iter_mut() {
            column.iter_mut().zip(roots).for_each(|(a, root)| *a *= *root);
        }
    }

    /// S·A·S of a symmetric matrix of which the lower triangle counts.
    pub fn scale_both(&self, a: &mut DMatrix<T>) {
        let Some(roots) = &self.roots else { return };
        let n = a.nrows();
        for_rows(a.as_mut_slice(), n, 0, &|j, column: &mut [T]| {
            column[j..].iter_mut().zip(&roots[j..]).for_each(|(a, root)| *a *= *root * roots[j]);
        });
    }

    /// S times the row-major `rows` of `width` numbers, of which the first is row `start`.
    pub fn scale_rows(&self, start: usize, width: usize, rows: &mut [T]) {
        let Some(roots) = &self.roots else { return };
        for (row, root) in rows.chunks_exact_mut(width.max(1)).zip(&roots[start..]) {
            row.iter_mut().for_each(|x| *x *= *root);
        }
    }

    /// A·S for row-major rows, a number in each for each sample.
    pub fn scale_columns(&self, rows: &mut [T]) {
        let Some(roots) = &self.roots else { return };
        for row in rows.chunks_exact_mut(roots.len()) {
            row.iter_mut().zip(roots).for_each(|(x, root)| *x *= *root);
        }
    }
}
