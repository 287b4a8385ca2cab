//! The neural tangent kernel of networks of finite width, and training in its light.
//!
//! For a model f with parameters θ, Θ(x, y) = Σ_p ∂f(x)/∂θ_p·∂f(y)/∂θ_p. Gradient flow on the squared error
//! moves the outputs by ḟ = −Θ·(f − y)/n, so that Θ alone says how a network learns while it stays what it
//! is. In the limit of infinite width it does, and is the kernel in closed form
//! [`Ntk`](super::kernel::Ntk), which every kernel machine takes (Jacot et al., "Neural tangent kernel",
//! 2018, arXiv:1806.07572).
//!
//! - [`empirical_ntk`]: Θ of any [`Module`](crate::nn::Module) at the parameters on its tape.
//! - [`Linearization`]: the model that is linear in θ and touches f at θ₀.
//! - [`Dynamics`]: its training by gradient descent or flow, for any time, in closed form.
//! - [`TangentRidge`]: ridge regression with Θ̂, as a [`Predictor`](crate::models::Predictor).
//! - [`NtkMlp`]: a finite network in the parametrisation that has the limit.

mod dynamics;
mod empirical;
mod linearization;
mod network;
mod ridge;

pub use dynamics::Dynamics;
pub use empirical::{NtkOptions, Outputs, empirical_cross_ntk, empirical_ntk, jacobian};
pub use linearization::Linearization;
pub use network::NtkMlp;
pub use ridge::TangentRidge;

/// The bodies of what is [compiled once](super::compiled).
pub(super) mod bodies {
    pub use super::empirical::{empirical_cross_ntk_of, empirical_ntk_of};
}
