//! What everything costs, against what the theory says it should. Which sizes are measured is here; in a file each
//! are how, what is claimed, what is drawn, and the crossing of networks and kernel machines.

mod crossing;
mod figures;
mod measure;
mod report;

use measure::{Held, OptimizerCost, Point, Series, doubling, kernels};

use super::prelude::*;
use crate::linalg;

pub const EXPERIMENT: Experiment = Experiment {
    name: "complexity",
    question: "Do time and memory grow with the exponents of the theory, and when is a kernel machine \
               cheaper?",
    theory: &[
        "Counted in multiply-adds: a graph costs in proportion to its nodes. A step of a network with L \
         layers of width d on n samples costs $(3L−1)·n·d²$, that is exponents 1 in n, 2 in d, 1 in L. A \
         product of matrices costs n³, a step of an optimizer some operations a parameter. A Gram matrix \
         takes ${1}/{2}n²·d$, the factor of $K+nλI$ ${1}/{6}n³$ (Golub and Van Loan, \"Matrix Computations\", \
         section 4.2), and a prediction n·d.",
        "Memory: the graph of a network holds some n·d·L numbers beside its L·d² weights, a kernel machine \
         n². SGD remembers nothing, momentum and RMSProp one number a parameter, Adam two.",
        "E epochs of training cost about $3·n·L·d²·E$ multiply-adds, an exact fit ${1}/{6}n³$: equal at $n² = \
         18·L·d²·E$. Below that the kernel machine is cheaper.",
        "An exponent is the slope of a line through the logarithms, with its 95 % interval. The interval says \
         how straight the points lie, and not whether a limit has been reached: at small sizes calls, loops \
         and caches cost more than the multiply-adds.",
    ],
    parts: Parts::of::<Whole>(),
    finding,
};

super::whole!(run);

const SHORT: [&str; 3] = ["network, n", "network, d", "network, L"];

struct Measured {
    times: Vec<Series>,
    optimizers: Vec<OptimizerCost>,
    held: Vec<Held>,
    widths: Vec<crossing::Width>,
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 1, "one thread")?;
    // How work is shared out is another question.
    let measured = linalg::with_threads(1, || measure_all(context))?;
    Ok(report::all(&measured))
}

fn measure_all(context: &Context) -> Result<Measured> {
    let (mut done, all) = (0, 11 + context.pick(3, 4));
    let mut tell = |what: &str| {
        done += 1;
        context.at(done - 1, all, what)
    };
    let (mut times, mut held) = (Vec::new(), Vec::new());
    let series = |name, short, against, theory, points| Series { name, short, against, theory, points };
    let numbers = |name, against, theory, points| Held { name, against, theory, points };

    tell("graph")?;
    let (mut points, mut nodes) = (Vec::new(), Vec::new());
    for depth in doubling(64, context.pick(8, 11)) {
        let (seconds, count) = measure::chain(context, depth)?;
        points.push(Point { size: depth as f64, seconds, operations: count as f64 });
        nodes.push((depth as f64, count as f64));
    }
    times.push(series("value and gradient of a chain", "chain, depth", "depth", 1.0, points));
    held.push(numbers("nodes of a chain", "depth", 1.0, nodes));

    // Each of the three sizes in turn, at fixed values of the others.
    let sizes: [(&'static str, usize, u32, f64, f64); 3] = [
        ("samples n", 32, context.pick(6, 8), 1.0, 0.0),
        ("width d", 32, context.pick(5, 6), 2.0, 2.0),
        ("depth L", 2, context.pick(6, 7), 1.0, 1.0),
    ];
    for (i, (against, low, count, theory, of_weights)) in sizes.into_iter().enumerate() {
        tell("network")?;
        let (mut points, mut graph, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for size in doubling(low, count) {
            let [n, d, depth] = std::array::from_fn(|k| if k == i { size } else { [64, 64, 3][k] });
            let cost = measure::network(context, n, d, depth, size)?;
            points.push(cost.point);
            graph.push((size as f64, cost.graph as f64));
            weights.push((size as f64, cost.weights as f64));
        }
        times.push(series("network, forward and backward", SHORT[i], against, theory, points));
        held.push(numbers("graph of a network", against, 1.0, graph));
        held.push(numbers("weights of a network", against, of_weights, weights));
    }

    // Times over each of some sizes.
    let timed = |sizes: &[usize], of: &dyn Fn(usize) -> Result<Point>| -> Result<Vec<Point>> {
        sizes.iter().map(|size| of(*size)).collect()
    };
    let sizes = |low: usize, quick: u32, full: u32| Vec::from_iter(doubling(low, context.pick(quick, full)));
    tell("products")?;
    let points = timed(&sizes(64, 4, 5), &|n| measure::product(context, n))?;
    times.push(series("product of matrices", "product, n", "size n", 3.0, points));

    tell("optimizers")?;
    let optimizers = measure::optimizers(context, &sizes(1 << 12, 8, 10))?;

    tell("Gram matrix")?;
    let (samples, features) = (sizes(context.pick(64, 128), 5, 6), sizes(64, 5, 6));
    let points = timed(&samples, &|n| kernels::gram_matrix(context, n, 16, n))?;
    times.push(series("Gram matrix", "Gram matrix, n", "samples n", 2.0, points));
    let count = |n: &usize| Ok((*n as f64, kernels::machine_numbers(context, *n, 16)? as f64));
    let counts = samples.iter().map(count).collect::<Result<_>>()?;
    held.push(numbers("kernel machine", "samples n", 2.0, counts));

    tell("Gram matrix")?;
    let points = timed(&features, &|d| kernels::gram_matrix(context, 512, d, d))?;
    times.push(series("Gram matrix", "Gram matrix, d", "features d", 1.0, points));

    tell("solution")?;
    let points = timed(&samples, &|n| kernels::solve(context, n))?;
    times.push(series("solution of (K + nλI)α = y", "solution, n", "samples n", 3.0, points));

    tell("predictions")?;
    let points = timed(&samples, &|n| kernels::predict(context, n, 16, n))?;
    times.push(series("predictions", "predictions, n", "samples n", 1.0, points));

    tell("predictions")?;
    let points = timed(&features, &|d| kernels::predict(context, 512, d, d))?;
    times.push(series("predictions", "predictions, d", "features d", 1.0, points));

    let widths = crossing::measure(context, tell)?;
    Ok(Measured { times, optimizers, held, widths })
}

fn finding(found: &Found) -> Told {
    let times: Vec<&Claim> =
        found.0.section.claims.iter().filter(|claim| claim.id.starts_with("time-")).collect();
    let held = times.iter().filter(|claim| claim.holds()).count();
    let slope = |id: &str| Some(found.claim(id)?.estimate.as_ref()?.value());
    Some((
        "slopes",
        format!("{held} of {} times grow with the exponent of the theory", times.len()),
        format!(
            "The counts of numbers are exact, times are not: at small sizes calls and caches cost more than \
             multiply-adds. The network grows with the slope {} in its samples, the solution of the kernel machine with \
             {} where the theory has 3 in the limit.",
            fixed(slope("time-network-n")?, 2),
            fixed(slope("time-solution-n")?, 2)
        ),
    ))
}
