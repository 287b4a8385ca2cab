//! Random projection: fewer features that keep distances.

use super::{check_k, project};
use crate::data::Dataset;
use crate::memory::with_room;
use crate::rng::{Purpose, standard_normal, stream};
use crate::store::Stored;
use crate::text::count;
use crate::{Float, Result};

/// Z = X·R with R d×k and independent entries from N(0, 1/k).
///
/// E‖Rᵀx‖² = ‖x‖²: lengths and distances stay as they are, up to a relative error of about √(2/k)
/// (W. Johnson, J. Lindenstrauss, *Extensions of Lipschitz mappings into a Hilbert space*, 1984).
#[derive(Clone, Debug)]
pub struct RandomProjection {
    /// k×d, row-major: the transpose of R.
    weights: Vec<f64>,
    k: usize,
}

impl RandomProjection {
    /// What a file holds of it.
    pub(super) fn restore(from: &Stored) -> Result<RandomProjection> {
        let weights = from.matrix("weights")?;
        let (k, d) = weights.shape();
        check_k(k, d)?;
        Ok(RandomProjection { weights: weights.into_vec(), k })
    }

    /// From `features` to `k` features. The same seed gives the same R.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `k` is not between 1 and `features`;
    /// [`Error::Memory`](crate::Error::Memory) if there is not enough of it for k×`features` numbers.
    pub fn new(features: usize, k: usize, seed: u64) -> Result<RandomProjection> {
        check_k(k, features)?;
        let (mut rng, scale) = (stream(seed, Purpose::Projection), 1.0 / Float::sqrt(k as f64));
        let mut normal = || standard_normal(&mut rng);
        let numbers = k.saturating_mul(features);
        let mut weights = with_room(numbers, "the weights of a random projection")?;
        weights.extend((0..numbers).map(|_| scale * normal()));
        Ok(RandomProjection { weights, k })
    }

    /// Rᵀ, k×d, row-major.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// How many features it takes.
    pub fn inputs(&self) -> usize {
        self.weights.len() / self.k
    }

    /// How many features it gives.
    pub fn outputs(&self) -> usize {
        self.k
    }

    /// The same rows and labels with `k` features, which are new numbers in `f64`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if a result leaves the range of `f64`.
    ///
    /// # Panics
    /// If `data` has another number of features.
    #[track_caller]
    pub fn apply(&self, data: &Dataset) -> Result<Dataset> {
        let d = self.inputs();
        assert!(
            d == data.features(),
            "RandomProjection: made for {}, found {}",
            count(d, "feature"),
            data.features()
        );
        project(data, None, &self.weights, self.k)
    }
}
