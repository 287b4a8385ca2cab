//! A model's first-order expansion in its parameters.

use nalgebra::DMatrix;

use super::empirical::{check_inputs, for_gradients};
use crate::Float;
use crate::linalg::dot;
use crate::models::kernel::Samples;
use crate::nn::{Module, ModuleExt};
use crate::tape::Tape;
use crate::text::count;

/// f_lin(x; θ) = f(x; θ₀) + Σ_p ∂f(x; θ₀)/∂θ_p·(θ − θ₀)_p.
///
/// Where training leaves θ near θ₀, this is the network (Lee et al., "Wide neural networks of any depth
/// evolve as linear models under gradient descent", 2019).
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::models::Mlp;
/// use tapegrad::models::kernel::Samples;
/// use tapegrad::models::ntk::Linearization;
/// use tapegrad::nn::Activation;
/// use tapegrad::rng::{Purpose, stream};
///
/// let mut tape = Tape::new();
/// let rng = &mut stream(1, Purpose::Init);
/// let mlp = Mlp::new(&[1, 20, 1], Activation::Tanh).build(&mut tape, rng)?;
/// let linear = Linearization::new(&mlp, &tape);
/// let x = Samples::new(vec![0.5], 1)?;
/// let theta = tape.param_values().to_vec();
/// let moved: Vec<f64> = theta.iter().map(|t| t + 1e-4).collect();
/// let here = linear.predict(&mut tape, &theta, &x)[0];
/// let there = linear.predict(&mut tape, &moved, &x)[0];
/// tape.param_values_mut().copy_from_slice(&moved);
/// let model = Linearization::new(&mlp, &tape).predict(&mut tape, &moved, &x)[0];
/// assert!((model - there).abs() < 0.01 * (there - here).abs());
/// # Ok::<(), tapegrad::Error>(())
/// ```
pub struct Linearization<'a, T: Float> {
    model: &'a dyn Module<T>,
    origin: Vec<T>,
}

impl<'a, T: Float> Linearization<'a, T> {
    /// At the parameters θ₀ that are on `tape` now.
    pub fn new(model: &'a dyn Module<T>, tape: &Tape<T>) -> Self {
        Linearization { model, origin: tape.param_values().to_vec() }
    }

    /// θ₀.
    pub fn origin(&self) -> &[T] {
        &self.origin
    }

    /// f_lin(x; θ), n×k, whatever parameters are on the tape, which keeps them and is rewound; the gradients
    /// on it are zero after. A sample takes k backward passes, and the Jacobian is not stored.
    ///
    /// # Panics
    /// If `theta` has another length than θ₀, the tape another number of parameters, or the samples another
    /// number of features than the model has inputs.
    #[track_caller]
    pub fn predict(&self, tape: &mut Tape<T>, theta: &[T], x: &Samples<T>) -> DMatrix<T> {
        check_inputs(self.model, x);
        let (p, found) = (self.origin.len(), theta.len());
        assert!(p == found, "linearization: {} at the origin, but {found} are given", count(p, "parameter"));
        assert!(p == tape.param_numbers(), "linearization: another tape's parameters");
        let step: Vec<T> = theta.iter().zip(&self.origin).map(|(t, o)| *t - *o).collect();
        let kept = tape.param_values().to_vec();
        tape.rewind();
        tape.param_values_mut().copy_from_slice(&self.origin);
        let out = outputs_after(self.model, tape, &step, x);
        tape.param_values_mut().copy_from_slice(&kept);
        out
    }
}

/// f(x; θ₀) + Σ_p ∂f(x; θ₀)/∂θ_p·step_p, n×k, at the parameters θ₀ on the tape, which is rewound.
pub(super) fn outputs_after<T: Float>(
    model: &dyn Module<T>,
    tape: &mut Tape<T>,
    step: &[T],
    x: &Samples<T>,
) -> DMatrix<T> {
    let mut out = DMatrix::<T>::zeros(x.len(), model.outputs(tape, x.features()));
    for i in 0..x.len() {
        for_gradients(model, tape, x.rows().row(i), |o, value, gradient| {
            out[(i, o)] = value + dot(gradient, step);
        });
    }
    tape.rewind();
    out
}
