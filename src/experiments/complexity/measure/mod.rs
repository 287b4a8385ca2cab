//! What is measured: times of the library's own functions on one thread, and counts of numbers held. Kernel machines
//! have a file of their own, as they share samples and fits.

pub mod kernels;

use std::time::Instant;

use crate::experiments::prelude::*;
use crate::experiments::stopwatch::seconds;
use crate::linalg::{Mat, gemm};
use crate::models::Mlp;
use crate::nn::{Activation, Mode, Module};
use crate::optim::{Momentum, RmsProp};

/// A size, and the seconds and the operations that it took.
#[derive(Clone, Copy)]
pub struct Point {
    pub size: f64,
    pub seconds: f64,
    pub operations: f64,
}

/// Times over one size.
pub struct Series {
    pub name: &'static str,
    /// The name in a figure.
    pub short: &'static str,
    /// The size.
    pub against: &'static str,
    /// The exponent of the theory.
    pub theory: f64,
    pub points: Vec<Point>,
}

/// Numbers held over one size.
pub struct Held {
    pub name: &'static str,
    pub against: &'static str,
    pub theory: f64,
    pub points: Vec<(f64, f64)>,
}

/// What an optimizer costs.
pub struct OptimizerCost {
    pub name: &'static str,
    /// Numbers remembered for every parameter.
    pub state: f64,
    pub series: Series,
}

/// The least of repeated times, which `work` returns. The first is not counted, as it makes the buffers.
fn least_seconds(context: &Context, mut work: impl FnMut() -> Result<f64>) -> Result<f64> {
    work()?;
    let (start, budget) = (Instant::now(), context.pick(0.015, 0.3));
    let (mut best, mut count) = (f64::INFINITY, 0);
    // Counted by the least time, so that what others take leaves no fewer repetitions.
    while count < 3
        || (count < 1000 && f64::from(count) * best < budget && start.elapsed().as_secs_f64() < 2.0 * budget)
    {
        context.check()?;
        best = best.min(work()?);
        count += 1;
    }
    Ok(best)
}

/// Sizes from `low` on, each twice the one before.
pub fn doubling(low: usize, count: u32) -> impl Iterator<Item = usize> {
    (0..count).map(move |k| low << k)
}

/// A chain of `depth` pairs of a product and a tanh, on scalars: almost nothing but the graph itself. Seconds
/// for value and gradient, and nodes.
pub fn chain(context: &Context, depth: usize) -> Result<(f64, usize)> {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 1, &[0.9]);
    let seconds = least_seconds(context, || {
        Ok(seconds(|| {
            tape.rewind();
            let mut y = tape.scalar(0.5);
            for _ in 0..depth {
                let z = tape.mul(y, w);
                y = tape.tanh(z);
            }
            tape.zero_grad();
            tape.backward(y);
        }))
    })?;
    Ok((seconds, tape.len()))
}

/// What a network of `depth` layers of width `d` costs on a batch of n.
pub struct NetworkCost {
    pub point: Point,
    /// Numbers of the graph behind the parameters: the batch, and what the layers append.
    pub graph: usize,
    pub weights: usize,
}

/// Forward and backward pass. `size` is for the caller to choose.
pub fn network(context: &Context, n: usize, d: usize, depth: usize, size: usize) -> Result<NetworkCost> {
    let mut tape = Tape::new();
    let mut rng = stream(context.seed, Purpose::Init);
    let model = Mlp::new(&vec![d; depth + 1], Activation::Relu).build(&mut tape, &mut rng)?;
    let input = normal(context.seed, n * d);
    let seconds = least_seconds(context, || {
        Ok(seconds(|| {
            tape.rewind();
            let x = tape.constant_slice(n, d, &input);
            let y = model.forward(&mut tape, x, &mut Mode::evaluation());
            let loss = tape.mean(y);
            tape.zero_grad();
            tape.backward(loss);
        }))
    })?;
    // Forward, and backward to the weights and to the values; the first layer's inputs need no gradient.
    let operations = (n * d * d * (3 * depth - 1)) as f64;
    let point = Point { size: size as f64, seconds, operations };
    Ok(NetworkCost { point, graph: tape.numbers() - tape.param_numbers(), weights: tape.param_numbers() })
}

/// Samples in a batch of training.
pub const BATCH: usize = 64;

/// Seconds that training takes for each sample in an epoch: those of a step of Adam by the samples of its
/// batch. Sorting the samples into batches is not in it.
pub fn training_seconds(context: &Context, d: usize, depth: usize) -> Result<f64> {
    let mut tape = Tape::new();
    let mut rng = stream(context.seed, Purpose::Init);
    let model = Mlp::new(&vec![d; depth + 1], Activation::Relu).build(&mut tape, &mut rng)?;
    let mut optimizer = Optimizer::new(Adam::default(), 1e-3)?;
    let (input, target) = (normal(context.seed, BATCH * d), normal(derive(context.seed, 1), BATCH * d));
    let step = least_seconds(context, || {
        Ok(seconds(|| {
            tape.rewind();
            let x = tape.constant_slice(BATCH, d, &input);
            let y = model.forward(&mut tape, x, &mut Mode::evaluation());
            let target = tape.constant_slice(BATCH, d, &target);
            let loss = tape.mse(y, target);
            tape.zero_grad();
            tape.backward(loss);
            optimizer.step(&mut tape)
        }))
    })?;
    Ok(step / BATCH as f64)
}

pub fn product(context: &Context, n: usize) -> Result<Point> {
    let (a, b) = (normal(context.seed, n * n), normal(derive(context.seed, 1), n * n));
    let mut c = vec![0.0; n * n];
    let work = || Ok(seconds(|| gemm(&mut c, false, Mat::new(&a, n, n), Mat::new(&b, n, n))));
    let seconds = least_seconds(context, work)?;
    Ok(Point { size: n as f64, seconds, operations: (n * n * n) as f64 })
}

/// One step of each optimizer on so many parameters.
pub fn optimizers(context: &Context, sizes: &[usize]) -> Result<Vec<OptimizerCost>> {
    let mut costs = Vec::new();
    for (k, name) in ["SGD", "momentum", "RMSProp", "Adam"].into_iter().enumerate() {
        let (mut points, mut state) = (Vec::new(), f64::NAN);
        for size in sizes {
            let mut tape = Tape::new();
            tape.param_with(1, *size, |values| values.fill(1.0));
            tape.param_grads_mut().fill(1e-3);
            let mut optimizer = match k {
                0 => Optimizer::new(Sgd, 1e-3)?,
                1 => Optimizer::new(Momentum::default(), 1e-3)?,
                2 => Optimizer::new(RmsProp::default(), 1e-3)?,
                _ => Optimizer::new(Adam::default(), 1e-3)?,
            };
            let seconds = least_seconds(context, || Ok(seconds(|| optimizer.step(&mut tape))))?;
            points.push(Point { size: *size as f64, seconds, operations: *size as f64 });
            state = optimizer.state().len() as f64 / *size as f64;
        }
        let step = ["step of SGD", "step of momentum", "step of RMSProp", "step of Adam"][k];
        let series = Series { name: step, short: step, against: "parameters", theory: 1.0, points };
        costs.push(OptimizerCost { name, state, series });
    }
    Ok(costs)
}

fn normal(seed: u64, count: usize) -> Vec<f64> {
    let mut rng = stream(seed, Purpose::Data);
    (0..count).map(|_| standard_normal(&mut rng)).collect()
}
