//! What is measured: times of the library's own functions on one thread, and counts of numbers held. Kernel machines
//! have a file of their own, as they share samples and fits.

pub mod kernels;

use std::time::Instant;

use crate::experiments::prelude::*;
use crate::experiments::stopwatch::{seconds, seconds_of};
use crate::linalg::{Mat, gemm};
use crate::models::Mlp;
use crate::nn::{Activation, Mode, Module};
use crate::optim::{Momentum, RmsProp};

/// A size, and the seconds and the operations that it took.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Point {
    pub size: f64,
    pub seconds: f64,
    pub operations: f64,
}

/// Times over one size.
#[derive(Serialize, Deserialize)]
pub struct Series {
    pub name: String,
    /// The name in a figure.
    pub short: String,
    /// The size.
    pub against: String,
    /// The exponent of the theory.
    pub theory: f64,
    pub points: Vec<Point>,
    /// The two sizes between which the exponent is measured.
    pub ends: [usize; 2],
    /// That exponent, by one time of each after the other.
    pub exponents: Vec<f64>,
}

/// Numbers held over one size.
#[derive(Serialize, Deserialize)]
pub struct Held {
    pub name: String,
    pub against: String,
    pub theory: f64,
    pub points: Vec<(f64, f64)>,
}

/// What an optimizer costs.
#[derive(Serialize, Deserialize)]
pub struct OptimizerCost {
    pub name: String,
    /// Numbers remembered for every parameter.
    pub state: f64,
    pub series: Series,
}

/// How a time is taken.
#[derive(Clone, Copy, PartialEq)]
pub enum Effort {
    /// As the least of many.
    Least,
    /// As the least of a few, or as one alone where that takes long, since it is one of several that are compared.
    Few,
}

/// How often the exponent between two sizes is measured: of 15 the interval leaves out three at each end.
const ROUNDS: usize = 15;

/// Work whose time is taken again and again. What it needs is there already.
pub struct Task {
    size: f64,
    /// Multiply-adds, or what the series counts in their place.
    pub operations: f64,
    /// Does it once, and gives the seconds.
    work: Box<dyn FnMut() -> Result<f64>>,
}

impl Task {
    fn new(size: usize, operations: f64, work: impl FnMut() -> Result<f64> + 'static) -> Task {
        Task { size: size as f64, operations, work: Box::new(work) }
    }

    fn time(&mut self, context: &Context, effort: Effort) -> Result<Point> {
        let seconds = least_seconds(context, effort, &mut self.work)?;
        Ok(Point { size: self.size, seconds, operations: self.operations })
    }
}

/// Times of some sizes, and the exponent between the last two, by times of one after the other: what the machine does
/// beside falls on both. Their memory is the same in all rounds: what another place in it would do to the times is not in
/// the interval.
pub fn series(
    context: &Context,
    [name, short, against]: [&str; 3],
    theory: f64,
    sizes: &[usize],
    of: &dyn Fn(usize) -> Result<Task>,
) -> Result<Series> {
    let (before, ends) = sizes.split_at(sizes.len() - 2);
    let once = |size: &usize| of(*size)?.time(context, Effort::Least);
    let mut points: Vec<Point> = before.iter().map(once).collect::<Result<_>>()?;
    let mut tasks = [of(ends[0])?, of(ends[1])?];
    let (mut least, mut exponents) = ([None; 2], Vec::new());
    for _ in 0..ROUNDS {
        context.check()?;
        let [few, many] = &mut tasks;
        let round = [few.time(context, Effort::Few)?, many.time(context, Effort::Few)?];
        exponents
            .push(Float::ln(round[1].seconds / round[0].seconds) / Float::ln(round[1].size / round[0].size));
        for (least, point) in least.iter_mut().zip(round) {
            let best = least.unwrap_or(point);
            *least = Some(if point.seconds < best.seconds { point } else { best });
        }
    }
    points.extend(least.into_iter().flatten());
    let [name, short, against] = [name, short, against].map(String::from);
    Ok(Series { name, short, against, theory, points, ends: [ends[0], ends[1]], exponents })
}

/// The least of repeated times, which `work` returns. The first is not counted, as it fills the caches.
fn least_seconds(context: &Context, effort: Effort, mut work: impl FnMut() -> Result<f64>) -> Result<f64> {
    let first = work()?;
    // What takes that long does not gain by caches that are full.
    if effort == Effort::Few && first > 0.05 {
        return Ok(first);
    }
    let budget = if effort == Effort::Few { 0.01 } else { context.pick(0.015, 0.3) };
    let start = Instant::now();
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

/// Value and gradient of a chain of `depth` pairs of a product and a tanh, on scalars: almost nothing but the graph
/// itself. Its operations are the nodes.
///
/// With a weight below 1 the values of a deep chain, or its gradients, would fall as a power of it until they are
/// subnormal, and on those a CPU computes ten times as slowly: with 0.9 a depth of 65,536 took five times as long for
/// each node as one of 4,096. With 1 values fall as 1/√depth and gradients as depth^(−3/2).
pub fn chain(depth: usize) -> Task {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 1, &[1.0]);
    let pass = move |tape: &mut Tape| {
        tape.rewind();
        let mut y = tape.scalar(0.5);
        for _ in 0..depth {
            let z = tape.mul(y, w);
            y = tape.tanh(z);
        }
        tape.zero_grad();
        tape.backward(y);
    };
    pass(&mut tape);
    Task::new(depth, tape.len() as f64, move || Ok(seconds(|| pass(&mut tape))))
}

/// Forward and backward pass of a network of `depth` layers of width `d` on a batch of n.
pub struct Network {
    pub pass: Task,
    /// Numbers of the graph behind the parameters: the batch, and what the layers append.
    pub graph: usize,
    pub weights: usize,
}

/// See [`Network`]; `size` is the one of the three that the series is over.
pub fn network(context: &Context, [n, d, depth]: [usize; 3], size: usize) -> Result<Network> {
    let mut tape = Tape::new();
    let mut rng = stream(context.seed, Purpose::Init);
    let model = Mlp::new(&vec![d; depth + 1], Activation::Relu).build(&mut tape, &mut rng)?;
    let input = normal(context.seed, n * d);
    let pass = move |tape: &mut Tape| {
        tape.rewind();
        let x = tape.constant_slice(n, d, &input);
        let y = model.forward(tape, x, &mut Mode::evaluation());
        let loss = tape.mean(y);
        tape.zero_grad();
        tape.backward(loss);
    };
    pass(&mut tape);
    let weights = tape.param_numbers();
    let graph = tape.numbers() - weights;
    // Forward, and backward to the weights and to the values; the first layer's inputs need no gradient.
    let operations = (n * d * d * (3 * depth - 1)) as f64;
    let pass = Task::new(size, operations, move || Ok(seconds(|| pass(&mut tape))));
    Ok(Network { pass, graph, weights })
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
    let step = least_seconds(context, Effort::Least, || {
        seconds_of(|| {
            tape.rewind();
            let x = tape.constant_slice(BATCH, d, &input);
            let y = model.forward(&mut tape, x, &mut Mode::evaluation());
            let target = tape.constant_slice(BATCH, d, &target);
            let loss = tape.mse(y, target);
            tape.zero_grad();
            tape.backward(loss);
            optimizer.step(&mut tape)
        })
    })?;
    Ok(step / BATCH as f64)
}

pub fn product(context: &Context, n: usize) -> Task {
    let (a, b) = (normal(context.seed, n * n), normal(derive(context.seed, 1), n * n));
    let mut c = vec![0.0; n * n];
    let work = move || Ok(seconds(|| gemm(&mut c, false, Mat::new(&a, n, n), Mat::new(&b, n, n))));
    Task::new(n, (n * n * n) as f64, work)
}

/// One step of each optimizer on so many parameters.
pub fn optimizers(context: &Context, sizes: &[usize]) -> Result<Vec<OptimizerCost>> {
    let make = |k: usize| match k {
        0 => Optimizer::new(Sgd, 1e-3),
        1 => Optimizer::new(Momentum::default(), 1e-3),
        2 => Optimizer::new(RmsProp::default(), 1e-3),
        _ => Optimizer::new(Adam::default(), 1e-3),
    };
    let mut costs = Vec::new();
    for (k, name) in ["SGD", "momentum", "RMSProp", "Adam"].into_iter().enumerate() {
        let step = |size: usize| -> Result<(Task, f64)> {
            let mut tape = Tape::new();
            tape.param_with(1, size, |values| values.fill(1.0));
            tape.param_grads_mut().fill(1e-3);
            let mut optimizer: Optimizer<f64> = make(k)?;
            optimizer.step(&mut tape)?;
            let state = optimizer.state().len() as f64 / size as f64;
            let work = move || seconds_of(|| optimizer.step(&mut tape));
            Ok((Task::new(size, size as f64, work), state))
        };
        let (state, what) = (step(sizes[0])?.1, format!("step of {name}"));
        let series = series(context, [&what, &what, "parameters"], 1.0, sizes, &|size| Ok(step(size)?.0))?;
        costs.push(OptimizerCost { name: name.into(), state, series });
    }
    Ok(costs)
}

fn normal(seed: u64, count: usize) -> Vec<f64> {
    let mut rng = stream(seed, Purpose::Data);
    (0..count).map(|_| standard_normal(&mut rng)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::context::on_little_data;

    /// Counted, not timed: the numbers that graphs, weights and kernel machines hold, and what optimizers remember.
    #[test]
    fn numbers_that_are_held() {
        on_little_data(check_numbers);
    }

    fn check_numbers(context: &Context) {
        // The weight and the start, and two nodes for each pair.
        assert_eq!(chain(5).operations, f64::from(2 + 2 * 5));
        let cost = network(context, [7, 3, 4], 7).unwrap();
        // The batch, a sum and a ReLU for each layer but the last, which has no ReLU, and the mean.
        assert_eq!((cost.graph, cost.weights), (7 * 3 * (1 + 4 + 3) + 1, 4 * (3 * 3 + 3)));
        // The factor, α, and the samples with their norms.
        assert_eq!(kernels::machine_numbers(context, 9, 4).unwrap(), 9 * 9 + 9 + 9 * (4 + 1));
        let states = optimizers(context, &[64, 128]).unwrap();
        assert!(states.iter().map(|cost| cost.state).eq([0.0, 1.0, 1.0, 2.0]));
        assert!(states.iter().all(|cost| cost.series.exponents.len() == ROUNDS));
    }
}
