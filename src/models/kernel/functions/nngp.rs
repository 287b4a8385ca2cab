//! The kernel of an infinite network at initialization.

use super::{InfiniteNetwork, Kernel, Pairwise};
use crate::{Float, Result};

/// k(x, y) = K_L, the covariance of the outputs of an [`InfiniteNetwork`] over its random weights: the
/// network is a Gaussian process with this kernel (Lee et al., "Deep neural networks as Gaussian
/// processes", 2018).
///
/// It takes ‖x‖²·‖y‖², which in `f32` is in range for norms between 10⁻⁸ and 10⁸.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nngp(pub InfiniteNetwork);

impl<T: Float> Kernel<T> for Nngp {
    fn name(&self) -> String {
        format!("nngp {}", self.0)
    }

    fn pairwise(&self) -> Pairwise {
        Pairwise::InnerProduct
    }

    fn check(&self) -> Result<()> {
        self.0.check::<T>()
    }

    fn apply(&self, values: &mut [T], x_norm: T, y_norms: &[T]) {
        self.0.apply::<T, false>(values, x_norm, y_norms);
    }
}
