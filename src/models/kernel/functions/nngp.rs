//! The kernel of an infinite network at initialization.

use super::{InfiniteNetwork, Kernel, KernelSettings, Pairwise};
use crate::{Float, Result};

/// k(x, y) = K_L, the covariance of the outputs of an [`InfiniteNetwork`] over its random weights: the
/// network is a Gaussian process with this kernel (Lee et al., "Deep neural networks as Gaussian
/// processes", 2018).
///
/// With ReLU it takes ‖y‖²/‖x‖², with erf γ²‖x‖²‖y‖², which is to be below the largest number: in `f32` where
/// γ‖x‖² is below 10¹⁹.
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

    fn settings(&self) -> Option<(&'static str, KernelSettings)> {
        Some(("nngp", self.0.settings()))
    }
}
