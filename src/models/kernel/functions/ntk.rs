//! The neural tangent kernel of an infinite network.

use super::{InfiniteNetwork, Kernel, KernelSettings, Pairwise};
use crate::{Float, Result};

/// k(x, y) = Θ_L, the limit of Σ_p ∂f(x)/∂θ_p·∂f(y)/∂θ_p for an [`InfiniteNetwork`]: gradient descent on the
/// squared error moves its outputs as ridgeless regression with this kernel does (Jacot et al., "Neural
/// tangent kernel", 2018).
///
/// For ReLU it falls from its diagonal like the angle between the inputs, as the Laplacian kernel does, and
/// an inner product gives the angle to √ε: inputs at less than √(32ε), 8·10⁻⁸ in `f64` and 0.002 in `f32`,
/// count as parallel. The diagonal is exact. The range is that of [`Nngp`](super::Nngp).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ntk(pub InfiniteNetwork);

impl<T: Float> Kernel<T> for Ntk {
    fn name(&self) -> String {
        format!("ntk {}", self.0)
    }

    fn pairwise(&self) -> Pairwise {
        Pairwise::InnerProduct
    }

    fn check(&self) -> Result<()> {
        self.0.check::<T>()
    }

    fn apply(&self, values: &mut [T], x_norm: T, y_norms: &[T]) {
        self.0.apply::<T, true>(values, x_norm, y_norms);
    }

    fn settings(&self) -> Option<(&'static str, KernelSettings)> {
        Some(("ntk", self.0.settings()))
    }
}
