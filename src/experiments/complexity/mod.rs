//! What everything costs, against what the theory says it should. Which sizes are measured is here; in a file each
//! are how, what is claimed, what is drawn, and the crossing of networks and kernel machines.

mod crossing;
mod figures;
mod measure;
mod report;

use measure::{Held, OptimizerCost, Series, Task, doubling, kernels};

use super::prelude::*;
use crate::linalg;

pub const EXPERIMENT: Experiment = Experiment {
    name: "complexity",
    title: "Time and memory",
    question: "Do time and memory grow with the exponents of the theory, and when is a kernel machine \
               cheaper?",
    theory: &[
        "Costs are counted in multiply-adds. The cost of a graph is proportional to its nodes. A training \
         step of a network with L layers of width d on n samples costs $(3L−1)·n·d²$: exponent 1 in n, 2 in \
         d and 1 in L. A product of matrices costs n³. A step of an optimizer costs a few operations per \
         parameter. A Gram matrix costs ${1}/{2}n²·d$, the Cholesky factor of $K+nλI$ costs ${1}/{6}n³$ \
         (Golub and Van Loan, \"Matrix Computations\", section 4.2), and a prediction costs n·d.",
        "Memory: the graph of a network holds about n·d·L numbers in addition to its L·d² weights. A kernel \
         machine holds n². SGD keeps no state, momentum and RMSProp keep one number per parameter, Adam \
         keeps two.",
        "E epochs of training cost about $3·n·L·d²·E$ multiply-adds, an exact fit costs ${1}/{6}n³$. They \
         are equal at $n² = 18·L·d²·E$. For smaller n the kernel machine is cheaper.",
        "Exponents are limits for large sizes: at small sizes calls, loops and caches cost more than the \
         multiply-adds. So they are measured between the two largest sizes, several times, with a 95 % \
         interval for the median. Exponents of the theory are whole numbers. A measured exponent agrees \
         with one of them if it is nearer to it than to any other.",
    ],
    parts: Parts::of::<Measured>(),
    finding,
};

const SHORT: [&str; 3] = ["network, n", "network, d", "network, L"];

/// Samples, width and layers of the network whose sizes are changed in turn. In smaller layers reading and writing the numbers
/// takes about as long as the multiply-adds, and the exponent would tell where they leave a cache. Samples and width are
/// equal: a caption says that their lines lie on each other.
const NETWORK: [usize; 3] = [128, 128, 3];

/// Features of the samples of Gram matrices and predictions, where the number of samples changes. So many for the same reason.
const FEATURES: usize = 128;

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Measured {
    times: Vec<Series>,
    optimizers: Vec<OptimizerCost>,
    held: Vec<Held>,
    widths: Vec<crossing::Width>,
}

impl Study for Measured {
    const EDITION: u32 = 6;

    fn measure(context: &Context) -> Result<Measured> {
        context.at(0, 1, "one thread")?;
        // How work is shared out is another question.
        linalg::with_threads(1, || measure_all(context))
    }

    fn report(&self) -> Outcome {
        report::all(self)
    }
}

fn measure_all(context: &Context) -> Result<Measured> {
    let (mut done, all) = (0, 11 + context.pick(3, 4));
    let mut tell = |what: &str| {
        done += 1;
        context.at(done - 1, all, what)
    };
    let (mut times, mut held) = (Vec::new(), Vec::new());
    let numbers = |name: &str, against: &str, theory, points| Held {
        name: name.into(),
        against: against.into(),
        theory,
        points,
    };
    let timed = |names, theory: f64, sizes: &[usize], of: &dyn Fn(usize) -> Result<Task>| {
        measure::series(context, names, theory, sizes, of)
    };
    let sizes = |low: usize, quick: u32, full: u32| Vec::from_iter(doubling(low, context.pick(quick, full)));

    tell("graph")?;
    let depths = sizes(64, 8, 11);
    let nodes = depths.iter().map(|depth| (*depth as f64, measure::chain(*depth).operations)).collect();
    times.push(timed(["value and gradient of a chain", "chain, depth", "depth"], 1.0, &depths, &|depth| {
        Ok(measure::chain(depth))
    })?);
    held.push(numbers("nodes of a chain", "depth", 1.0, nodes));

    // Each of the three sizes in turn, at fixed values of the others.
    let all_sizes: [(&'static str, Vec<usize>, f64, f64); 3] = [
        ("samples n", sizes(32, 6, 6), 1.0, 0.0),
        ("width d", sizes(32, 4, 4), 2.0, 2.0),
        ("depth L", sizes(2, 5, 5), 1.0, 1.0),
    ];
    for (i, (against, sizes, theory, of_weights)) in all_sizes.into_iter().enumerate() {
        tell("network")?;
        let shape = |size: usize| std::array::from_fn(|k| if k == i { size } else { NETWORK[k] });
        let cost = |size: usize| measure::network(context, shape(size), size);
        let (mut graph, mut weights) = (Vec::new(), Vec::new());
        for size in &sizes {
            let cost = cost(*size)?;
            graph.push((*size as f64, cost.graph as f64));
            weights.push((*size as f64, cost.weights as f64));
        }
        let names = ["network, forward and backward", SHORT[i], against];
        times.push(timed(names, theory, &sizes, &|size| Ok(cost(size)?.pass))?);
        held.push(numbers("graph of a network", against, 1.0, graph));
        held.push(numbers("weights of a network", against, of_weights, weights));
    }

    tell("products")?;
    times.push(timed(["product of matrices", "product, n", "size n"], 3.0, &sizes(64, 4, 4), &|n| {
        Ok(measure::product(context, n))
    })?);

    // Beyond, numbers leave the caches between one size and the next, which says nothing of the count of operations.
    tell("optimizers")?;
    let optimizers = measure::optimizers(context, &sizes(1 << 9, 5, 5))?;

    tell("Gram matrix")?;
    // A result above 32 MB is fetched from the operating system anew each time.
    let (samples, features) = (sizes(64, 5, 5), sizes(64, 5, 6));
    times.push(timed(["Gram matrix", "Gram matrix, n", "samples n"], 2.0, &samples, &|n| {
        kernels::gram_matrix(context, n, FEATURES, n)
    })?);
    // Few features: the n·d numbers of many would hide the n² where n is small.
    let count = |n: &usize| Ok((*n as f64, kernels::machine_numbers(context, *n, 16)? as f64));
    let counts = samples.iter().map(count).collect::<Result<_>>()?;
    held.push(numbers("kernel machine", "samples n", 2.0, counts));

    tell("Gram matrix")?;
    times.push(timed(["Gram matrix", "Gram matrix, d", "features d"], 1.0, &features, &|d| {
        kernels::gram_matrix(context, 512, d, d)
    })?);

    tell("solution")?;
    // What grows with n² takes half of the time at a thousand samples, and a third at two thousand.
    let orders = sizes(context.pick(192, 128), 5, 6);
    times.push(timed(["solution of (K + nλI)α = y", "solution, n", "samples n"], 3.0, &orders, &|n| {
        kernels::solve(context, n)
    })?);

    tell("predictions")?;
    times.push(timed(["predictions", "predictions, n", "samples n"], 1.0, &samples, &|n| {
        kernels::predict(context, n, FEATURES, n)
    })?);

    tell("predictions")?;
    times.push(timed(["predictions", "predictions, d", "features d"], 1.0, &features, &|d| {
        kernels::predict(context, 512, d, d)
    })?);

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
        format!(
            "Of {} exponents of times, {held} are shown to be nearest to that of the theory",
            times.len()
        ),
        format!(
            "Exponents of the theory are whole numbers, and the whole interval of a measured one has to be \
             nearer to its own than to any other. The counts of numbers are exact, times are not: at small \
             sizes calls and caches cost more than multiply-adds. The network grows with the slope {} in \
             its samples. The solution of the kernel machine grows with {}; in the limit the theory has 3.",
            fixed(slope("time-network-n")?, 2),
            fixed(slope("time-solution-n")?, 2)
        ),
    ))
}
