//! Principal component analysis.

use nalgebra::{DMatrix, DVector};

use super::centre::{Centre, add_rows};
use super::{check_k, check_rows, for_blocks_from, project};
use crate::data::Dataset;
use crate::linalg::{Mat, gemm, symmetric_eigen};
use crate::memory::{filled, with_room};
use crate::store::{Store, Stored};
use crate::text::count;
use crate::{Error, Float, Result};

/// The `k` directions of largest variance: Z = (X − 1μᵀ)·Wᵀ, W k×d with orthonormal rows.
///
/// W holds the leading eigenvectors of the covariance C = (X − 1μᵀ)ᵀ(X − 1μᵀ)/(n − 1), the eigenvalues
/// are the variances of the columns of Z, and W's rows have a fixed sign: the entry of largest magnitude
/// is positive. With weights, C = Σw(x − μ)(x − μ)ᵀ/(Σw − 1): a weight of 2 is the row twice. The means lose
/// nothing to their rounding: a feature of one value has no variance at all.
#[derive(Clone, Debug)]
pub struct Pca {
    mean: Vec<f64>,
    /// k×d, row-major.
    components: Vec<f64>,
    variance: Vec<f64>,
    /// Of the variance of all features.
    ratio: Vec<f64>,
}

impl Pca {
    pub(super) fn store(&self, to: &mut Store) {
        let (k, d) = (self.variance.len(), self.mean.len());
        to.put("mean", 1, d, &self.mean);
        to.put("components", k, d, &self.components);
        to.put("variance", 1, k, &self.variance);
        to.put("ratio", 1, k, &self.ratio);
    }

    /// What a file holds of it.
    pub(super) fn restore(from: &Stored) -> Result<Pca> {
        let components = from.matrix("components")?;
        let (k, d) = components.shape();
        check_k(k, d)?;
        let (mean, variance) =
            (from.shaped("mean", 1, d)?.into_vec(), from.shaped("variance", 1, k)?.into_vec());
        let ratio = from.shaped("ratio", 1, k)?.into_vec();
        Ok(Pca { mean, components: components.into_vec(), variance, ratio })
    }

    /// Fits `k` components to `train`. Takes O(d²) memory and O(nd² + d³) time.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `k` is not between 1 and the number of features, or above n − 1: n rows
    /// less their mean have no more directions;
    /// [`Error::Data`](crate::Error::Data) if there are fewer than two rows, or
    /// the weights sum to 1 or less;
    /// [`Error::NonFinite`](crate::Error::NonFinite) if a variance leaves the range of `f64`.
    pub fn fit(train: &Dataset, k: usize) -> Result<Pca> {
        let train = &*train.counted()?;
        let (n, d) = (train.len(), train.features());
        check_k(k, d)?;
        // A row of weight 2 is two, which have a direction, though without variance.
        check_rows("principal component analysis", train, if train.weights().is_some() { 1 } else { 2 })?;
        let directions = (n - 1).max(1);
        if k > directions {
            let why =
                format!("{} of {}; allowed is 1 to {directions}", count(k, "dimension"), count(n, "row"));
            return Err(Error::setting("k", why));
        }
        let freedom = match train.weights() {
            None => (n - 1) as f64,
            Some(weights) => weights.iter().sum::<f64>() - 1.0,
        };
        // Weights that are made to sum to 1 do so but for roundings.
        if freedom <= n as f64 * f64::EPSILON * (freedom + 1.0) {
            let why = format!(
                "principal component analysis: the weights sum to {}, and a variance needs more than one sample: scale \
                 the weights so that 1 is one sample",
                freedom + 1.0
            );
            return Err(Error::Data(why));
        }
        let mut centre = Centre::of(train)?.with_common_scale();
        let mut covariance = filled(d.saturating_mul(d), 0.0, "the covariance of the features")?;
        let mut sums = filled(d, 0.0, "sums of the features")?;
        for_blocks_from(train, |start, block| {
            // Centered before the product: Σxxᵀ − nμμᵀ would cancel.
            centre.subtract(block);
            add_rows(block, centre.weights(start), &mut sums);
            centre.multiply_by_roots(start, block);
            let block = Mat::new(block, block.len() / d, d);
            // Symmetric, so that row-major and column-major are the same.
            gemm(&mut covariance, true, block.t(), block);
        })?;
        let mut covariance = DMatrix::from_vec(d, d, covariance);
        // What the rounding of the mean has added.
        let sums = DVector::from_vec(sums);
        covariance.ger(-1.0 / n as f64, &sums, &sums, 1.0);
        centre.correct(sums.as_slice(), n);
        // The sums are those of weights with mean 1.
        match train.weights() {
            None => covariance /= freedom,
            Some(weights) => covariance *= weights.iter().sum::<f64>() / n as f64 / freedom,
        }
        let total: f64 = covariance.trace();
        let eigen = symmetric_eigen(&covariance)?;
        // Ascending there, descending here. Rounding may leave a zero slightly below zero.
        let scaled: Vec<f64> = (0..k).map(|i| Float::max(eigen.values[d - 1 - i], 0.0)).collect();
        let exponent = 2 * centre.exponents()[0];
        let variance: Vec<f64> = scaled.iter().map(|v| libm::scalbn(*v, exponent)).collect();
        if !variance[0].is_finite() {
            let why = "principal component analysis: a variance leaves the range of f64; scale the features";
            return Err(Error::NonFinite(why.into()));
        }
        let ratio = scaled.iter().map(|v| if total > 0.0 { v / total } else { 0.0 }).collect();
        let components =
            (0..k).flat_map(|i| eigen.vectors.column(d - 1 - i).iter().copied().collect::<Vec<_>>());
        Ok(Pca { mean: centre.mean().to_vec(), components: components.collect(), variance, ratio })
    }

    /// μ, the mean of every feature.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// W, k×d, row-major: a component a row, the largest variance first.
    pub fn components(&self) -> &[f64] {
        &self.components
    }

    /// The variance along each component, in descending order.
    pub fn explained_variance(&self) -> &[f64] {
        &self.variance
    }

    /// The share of each component in the variance of all features; 0 if they are all constant.
    pub fn explained_variance_ratio(&self) -> Vec<f64> {
        self.ratio.clone()
    }

    /// The same rows and labels with the `k` coordinates Z as features.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if a result leaves the range of `f64`.
    ///
    /// # Panics
    /// If `data` has another number of features.
    #[track_caller]
    pub fn apply(&self, data: &Dataset) -> Result<Dataset> {
        let (d, found) = (self.mean.len(), data.features());
        assert!(d == found, "Pca: fitted to {}, found {found}", count(d, "feature"));
        project(data, Some(&self.mean), &self.components, self.variance.len())
    }

    /// Back to d features: X̂ = Z·W + 1μᵀ, the nearest points in the span of the components.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if a result leaves the range of `f64`.
    ///
    /// # Panics
    /// If `coordinates` does not have `k` features.
    #[track_caller]
    pub fn invert(&self, coordinates: &Dataset) -> Result<Dataset> {
        let (n, k, d) = (coordinates.len(), self.variance.len(), self.mean.len());
        let found = coordinates.features();
        assert!(k == found, "Pca: {}, but {}", count(k, "component"), count(found, "coordinate"));
        let mut values = with_room(n.saturating_mul(d), "the features")?;
        values.extend(self.mean.iter().copied().cycle().take(n * d));
        let z = coordinates.to_rows::<f64>();
        gemm(&mut values, true, Mat::new(&z, n, k), Mat::new(&self.components, k, d));
        coordinates.with_features(values, d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_fewer_directions_than_they_are() {
        let rows = |n: usize| {
            let values: Vec<f64> = (0..5 * n).map(|i| ((i * i * 7 + i) % 11) as f64).collect();
            Dataset::new(values, 5).unwrap()
        };
        let ratio = Pca::fit(&rows(4), 3).unwrap().explained_variance_ratio();
        assert!((ratio.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{ratio:?}");
        for (n, k, why) in [
            (4, 4, "4 dimensions of 4 rows; allowed is 1 to 3"),
            (2, 5, "5 dimensions of 2 rows; allowed is 1 to 1"),
            (9, 6, "6 dimensions of 5 features; allowed is 1 to 5"),
        ] {
            let found = Pca::fit(&rows(n), k);
            assert!(
                matches!(&found, Err(Error::Setting { name: "k", why: found }) if found == why),
                "{found:?}"
            );
        }
        let weighted = |weight: f64| Pca::fit(&rows(1).with_weights(vec![weight]).unwrap(), 1);
        assert_eq!(weighted(2.0).unwrap().explained_variance(), [0.0]);
    }
}
