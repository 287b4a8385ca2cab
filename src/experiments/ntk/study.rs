//! How far networks of finite width are from their limit.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::linalg::norm_squared;
use crate::models::kernel::{InfiniteNetwork, Ntk, Samples, gram};
use crate::models::ntk::{Dynamics, NtkMlp, NtkOptions, Outputs, empirical_cross_ntk, empirical_ntk};
use crate::nn::{Mode, Module};
use crate::optim::{Optimizer, Sgd};
use crate::rng::{Purpose, stream};
use crate::tape::Tape;
use crate::{Error, Float, Result};

/// ‖Θ̂ − Θ‖_F/‖Θ‖_F on `x`: the empirical kernel of a network with one output, drawn by `seed`, against the
/// kernel of its limit.
///
/// The entries of Θ̂ are means over the width, so it falls like width^−½ (Jacot et al., 2018, theorem 1, has
/// the limit; Hanin and Nica, "Finite depth and width corrections to the neural tangent kernel", 2020, the
/// rate, with a factor that grows with the depth).
///
/// # Errors
/// [`Error::Setting`] if the width is 0 or beyond memory.
pub fn kernel_distance(network: &InfiniteNetwork, x: &Samples<f64>, width: usize, seed: u64) -> Result<f64> {
    let limit = gram(&Ntk(*network), x);
    let mut tape = Tape::new();
    let rng = &mut stream(seed, Purpose::Init);
    let mlp = NtkMlp::new(&mut tape, network, x.features(), width, 1, rng)?;
    let theta = empirical_ntk(&mlp, &mut tape, x, NtkOptions::new(Outputs::All))?;
    Ok((theta - &limit).norm() / limit.norm())
}

/// How a network is trained beside its linearization.
#[derive(Clone, Debug, PartialEq)]
pub struct LazyOptions {
    /// Numbers in each hidden layer.
    pub width: usize,
    /// The seed of its weights.
    pub seed: u64,
    /// η, for the loss 1/(2n)·Σ‖f(xᵢ) − yᵢ‖²: below 2n/λ_max of Θ, or it diverges. In NTK parametrisation
    /// one rate suits all widths.
    pub rate: f64,
    /// The steps after which both are compared, ascending; training ends with the last.
    pub steps: Vec<u64>,
}

/// The network and the linear model after some steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LazyPoint {
    /// Steps of gradient descent.
    pub step: u64,
    /// 1/(2n)·Σ‖f(xᵢ) − yᵢ‖² of the network.
    pub loss: f64,
    /// The same of the linear model.
    pub linear_loss: f64,
    /// ‖f − f_lin‖/‖y‖ over the training samples.
    pub train_error: f64,
    /// The root of the mean of ‖f − f_lin‖² over the test samples, over that of ‖y‖² over the training
    /// samples.
    pub test_error: f64,
    /// ‖θ − θ₀‖/‖θ₀‖.
    pub movement: f64,
    /// The same of the linear model.
    pub linear_movement: f64,
}

/// A run of [`lazy_training`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LazyRun {
    /// Numbers in each hidden layer.
    pub width: usize,
    /// One for each of the steps asked for.
    pub points: Vec<LazyPoint>,
    /// ‖Θ̂_T − Θ̂₀‖_F/‖Θ̂₀‖_F: how far training has moved the tangent kernel of the training samples.
    pub kernel_movement: f64,
}

impl LazyRun {
    /// The largest distance of network and linear model on the training samples.
    pub fn train_error(&self) -> f64 {
        self.points.iter().fold(0.0, |m, p| Float::max(m, p.train_error))
    }

    /// The largest distance of network and linear model on the test samples.
    pub fn test_error(&self) -> f64 {
        self.points.iter().fold(0.0, |m, p| Float::max(m, p.test_error))
    }

    /// ‖θ_T − θ₀‖/‖θ₀‖ at the end.
    pub fn movement(&self) -> f64 {
        self.points.last().map_or(0.0, |p| p.movement)
    }
}

/// Trains a network of finite width by gradient descent on all samples of `x` with targets `y`, n×k, and
/// compares it with its linearization at the start, whose outputs are known in closed form: [`Dynamics`]
/// with the empirical kernel.
///
/// In wide networks no weight moves much and all add up: the movement relative to the weights falls with the
/// width, and so does the distance to the linear model (Chizat, Oyallon and Bach, "On lazy training in
/// differentiable programming", 2019; Lee et al., 2019, theorem 2.1).
///
/// # Errors
/// [`Error::Data`] if there is not a row of targets for each sample, or all are 0; [`Error::Setting`] if a
/// setting is outside its range, or the kernel beyond memory; [`Error::NonFinite`] if training diverges.
///
/// # Panics
/// If `x` and `test` differ in features. (Neither can be empty: there are no [`Samples`] without a sample.)
#[track_caller]
pub fn lazy_training(
    network: &InfiniteNetwork,
    x: &Samples<f64>,
    y: &DMatrix<f64>,
    test: &Samples<f64>,
    options: &LazyOptions,
) -> Result<LazyRun> {
    let LazyOptions { width, seed, rate, steps } = options;
    let ((n, k), size) = (y.shape(), y.norm());
    if n != x.len() || k == 0 || !(size > 0.0 && size.is_finite()) {
        let why = format!("targets of {n}×{k} and norm {size} for {} samples", x.len());
        return Err(Error::Data(why));
    }
    if !steps.is_sorted() {
        return Err(Error::setting("steps", format!("{steps:?}: must ascend")));
    }
    let mut tape = Tape::new();
    let rng = &mut stream(*seed, Purpose::Init);
    let mlp = NtkMlp::new(&mut tape, network, x.features(), *width, k, rng)?;
    let origin = tape.param_values().to_vec();
    let origin_norm = norm_squared(&origin).sqrt();
    let kernel = NtkOptions::new(Outputs::All);
    let theta = empirical_ntk(&mlp, &mut tape, x, kernel)?;
    let cross = empirical_cross_ntk(&mlp, &mut tape, test, x, kernel)?;
    let (start, test_start) = (outputs(&mlp, &mut tape, x), outputs(&mlp, &mut tape, test));
    let linear = Dynamics::new(&theta, &start, y)?;
    let mut optimizer = Optimizer::new(Sgd, *rate)?;

    let loss = |f: &DMatrix<f64>| 0.5 * (f - y).norm_squared() / n as f64;
    let per_test_sample = (n as f64 / test.len() as f64).sqrt();
    let (mut points, mut done) = (Vec::new(), 0);
    for step in steps {
        while done < *step {
            descend(&mlp, &mut tape, &mut optimizer, x, y)?;
            done += 1;
        }
        let (f, g) = (outputs(&mlp, &mut tape, x), outputs(&mlp, &mut tape, test));
        let expected = linear.descent(*rate, *step)?;
        let expected_test = linear.descent_at(&cross, &test_start, *rate, *step)?;
        if [&f, &g, &expected, &expected_test].iter().any(|m| m.iter().any(|v| !v.is_finite())) {
            let largest = linear.largest_rate();
            let why =
                format!("lazy training: not finite after {step} steps; {rate} ≥ {largest:.3}, see rate");
            return Err(Error::NonFinite(why));
        }
        let moved: Vec<f64> = tape.param_values().iter().zip(&origin).map(|(t, o)| t - o).collect();
        points.push(LazyPoint {
            step: *step,
            loss: loss(&f),
            linear_loss: loss(&expected),
            train_error: (&f - &expected).norm() / size,
            test_error: (&g - &expected_test).norm() / size * per_test_sample,
            movement: norm_squared(&moved).sqrt() / origin_norm,
            linear_movement: linear.descent_distance(*rate, *step)? / origin_norm,
        });
    }
    let end = empirical_ntk(&mlp, &mut tape, x, kernel)?;
    let kernel_movement = (end - &theta).norm() / theta.norm();
    Ok(LazyRun { width: *width, points, kernel_movement })
}

/// One step on the loss 1/(2n)·Σ‖f(xᵢ) − yᵢ‖².
fn descend(
    mlp: &NtkMlp,
    tape: &mut Tape<f64>,
    optimizer: &mut Optimizer<f64>,
    x: &Samples<f64>,
    y: &DMatrix<f64>,
) -> Result<()> {
    tape.rewind();
    let input = tape.constant_slice(x.len(), x.features(), x.rows().values);
    let output = mlp.forward(tape, input, &mut Mode::evaluation());
    let residual = (tape.value(output).to_dmatrix() - y) / x.len() as f64;
    tape.zero_grad();
    // Row-major, as the columns of the transpose are.
    tape.backward_slice(output, residual.transpose().as_slice());
    match optimizer.step(tape) {
        // The outputs are not finite either, and whoever looks at them knows the largest rate.
        Err(Error::NonFinite(_)) => Ok(()),
        other => other,
    }
}

/// f(X), a sample a row.
fn outputs(mlp: &NtkMlp, tape: &mut Tape<f64>, x: &Samples<f64>) -> DMatrix<f64> {
    tape.rewind();
    let input = tape.constant_slice(x.len(), x.features(), x.rows().values);
    let output = mlp.forward(tape, input, &mut Mode::evaluation());
    let f = tape.value(output).to_dmatrix();
    tape.rewind();
    f
}
