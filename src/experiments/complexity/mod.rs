//! What everything costs, against what the theory says it should.

mod crossing;
mod figures;
mod measure;

use figures::{growth, memory, slopes};
use measure::{Held, OptimizerCost, Point, Series, doubling};

use super::statistics::Fit;
use super::{Context, Experiment, Outcome};
use crate::report::{Claim, Table, fixed, rounded};
use crate::{Result, linalg};

pub const EXPERIMENT: Experiment = Experiment {
    name: "complexity",
    question: "Do time and memory grow with the exponents of the theory, and when is a kernel machine cheaper?",
    theory: &[
        "Counted in multiply-adds: a graph costs in proportion to its nodes. A step of a network with L layers \
         of width d on n samples costs (3L − 1)·n·d², that is exponents 1 in n, 2 in d, 1 in L. A product of \
         matrices costs n³, a step of an optimizer some operations a parameter. A Gram matrix takes n²·d/2, the \
         factor of K + nλI n³/6 (Golub and Van Loan, \"Matrix Computations\", section 4.2), and a prediction n·d.",
        "Memory: the graph of a network holds some n·d·L numbers beside its L·d² weights, a kernel machine n². \
         SGD remembers nothing, momentum and RMSProp one number a parameter, Adam two.",
        "E epochs of training cost about 3·n·L·d²·E multiply-adds, an exact fit n³/6: equal at n² = 18·L·d²·E. \
         Below that the kernel machine is cheaper.",
        "An exponent is the slope of a line through the logarithms, with its 95 % interval. The interval says \
         how straight the points lie, and not whether a limit has been reached: at small sizes calls, loops \
         and caches cost more than the multiply-adds.",
    ],
    run,
};

/// How far the slope of a time may be from the theory's.
const TOLERANCE: f64 = 0.25;

/// How far that of a count may be.
const COUNT_TOLERANCE: f64 = 0.1;

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
    Ok(report(&measured))
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

    tell("products")?;
    let mut points = Vec::new();
    for n in doubling(64, context.pick(4, 5)) {
        points.push(measure::product(context, n)?);
    }
    times.push(series("product of matrices", "product, n", "size n", 3.0, points));

    tell("optimizers")?;
    let sizes: Vec<usize> = doubling(1 << 12, context.pick(8, 10)).collect();
    let optimizers = measure::optimizers(context, &sizes)?;

    tell("Gram matrix")?;
    let kernel_sizes = || doubling(context.pick(64, 128), context.pick(5, 6));
    let features = || doubling(64, context.pick(5, 6));
    let (mut points, mut numbers_held) = (Vec::new(), Vec::new());
    for n in kernel_sizes() {
        points.push(measure::gram_matrix(context, n, 16, n)?);
        numbers_held.push((n as f64, measure::machine_numbers(context, n, 16)? as f64));
    }
    times.push(series("Gram matrix", "Gram matrix, n", "samples n", 2.0, points));
    held.push(numbers("kernel machine", "samples n", 2.0, numbers_held));

    tell("Gram matrix")?;
    let points = features().map(|d| measure::gram_matrix(context, 512, d, d)).collect::<Result<_>>()?;
    times.push(series("Gram matrix", "Gram matrix, d", "features d", 1.0, points));

    tell("solution")?;
    let points = kernel_sizes().map(|n| measure::solve(context, n)).collect::<Result<_>>()?;
    times.push(series("solution of (K + nλI)α = y", "solution, n", "samples n", 3.0, points));

    tell("predictions")?;
    let points = kernel_sizes().map(|n| measure::predict(context, n, 16, n)).collect::<Result<_>>()?;
    times.push(series("predictions", "predictions, n", "samples n", 1.0, points));

    tell("predictions")?;
    let points = features().map(|d| measure::predict(context, 512, d, d)).collect::<Result<_>>()?;
    times.push(series("predictions", "predictions, d", "features d", 1.0, points));

    let widths = crossing::measure(context, tell)?;
    Ok(Measured { times, optimizers, held, widths })
}

impl Series {
    fn seconds(&self) -> Vec<(f64, f64)> {
        self.points.iter().map(|p| (p.size, p.seconds)).collect()
    }

    /// Billions of operations a second at the smallest and at the largest size.
    fn rates(&self) -> [f64; 2] {
        [self.points[0], self.points[self.points.len() - 1]].map(|p| p.operations / p.seconds / 1e9)
    }
}

fn report(measured: &Measured) -> Outcome {
    let mut outcome = Outcome::default();
    let times: Vec<&Series> =
        measured.times.iter().chain(measured.optimizers.iter().map(|cost| &cost.series)).collect();
    let columns =
        ["time of", "against", "theory", "slope", "±", "R²", "10⁹ operations/s, smallest", "largest"];
    let mut table = Table::new(
        "times",
        "Slopes of times on one thread. Operations are nodes of the chain, parameters of an optimizer, and else multiply-adds",
        columns,
    );
    for series in &times {
        let fit = Fit::power_law(&series.seconds());
        let rates = series.rates();
        outcome.claim(time_claim(series, &fit, rates));
        table.row([
            series.name.into(),
            series.against.into(),
            series.theory.into(),
            fit.slope.into(),
            fit.half_width.into(),
            fit.r_squared.into(),
            rates[0].into(),
            rates[1].into(),
        ]);
    }
    let numbers = held_claim(&mut outcome, &measured.held);
    state_claim(&mut outcome, &measured.optimizers);
    outcome.figure(&growth(measured));
    outcome.figure(&memory(&measured.held));
    outcome.figure(&slopes(&times));
    outcome.table(table);
    outcome.table(numbers);
    outcome.table(optimizer_table(&measured.optimizers));
    crossing::report(&mut outcome, &measured.widths);
    outcome
}

fn time_claim(series: &Series, fit: &Fit, [smallest, largest]: [f64; 2]) -> Claim {
    let (name, against, theory) = (series.name, series.against, series.theory);
    let why = if fit.slope < theory {
        "small sizes do not reach the speed of large ones, as calls, loops and what is done once for each entry \
         weigh more there, and so the time grows more slowly than the operations"
    } else {
        "what fits into the caches at small sizes comes from memory at large ones, and a large result has to be \
         fetched from the operating system first"
    };
    let claim = Claim::that(format!("Time of the {name} against {against}"))
        .expected(format!("slope {theory}"))
        .measured(format!("slope {fit}"))
        .criterion(format!("within {TOLERANCE} of {theory}"))
        .holds(
            (fit.slope - theory).abs() <= TOLERANCE,
            format!(
                "The operations grow as they should, but {} billion of them are done in a second at the smallest \
                 size and {} billion at the largest: {why}.",
                rounded(smallest, 3),
                rounded(largest, 3)
            ),
        )
        .timed();
    with_doubt(claim, fit, theory, TOLERANCE)
}

/// The claim that a slope is within a tolerance, with a remark where its interval lies on both sides of the bound.
fn with_doubt(claim: Claim, fit: &Fit, theory: f64, tolerance: f64) -> Claim {
    let margin = ((fit.slope - theory).abs() - tolerance).abs();
    match fit.half_width > margin {
        true => claim.remark(
            "The interval reaches over the bound of the criterion: times of another run may come to the other verdict.",
        ),
        false => claim,
    }
}

/// One claim for all counts, and the table of their slopes.
fn held_claim(outcome: &mut Outcome, held: &[Held]) -> Table {
    let columns = ["numbers held by the", "against", "theory", "slope", "±", "at the largest size"];
    let mut table = Table::new("memory", "Slopes of counts, which are the same in every run", columns);
    let mut farthest = (0.0, String::new());
    for held in held {
        let fit = Fit::power_law(&held.points);
        let off = (fit.slope - held.theory).abs();
        if off >= farthest.0 {
            farthest = (
                off,
                format!(
                    "{} for {}, {} against {}",
                    fixed(fit.slope, 3),
                    held.theory,
                    held.name,
                    held.against
                ),
            );
        }
        table.row([
            held.name.into(),
            held.against.into(),
            held.theory.into(),
            digits(fit.slope).into(),
            digits(fit.half_width).into(),
            held.points[held.points.len() - 1].1.into(),
        ]);
        for (size, count) in &held.points {
            outcome.number(format!("{}, {} = {size}", held.name, held.against), *count);
        }
    }
    outcome.claim(
        Claim::that(
            "The numbers that graphs, weights and kernel machines hold grow with the exponents of the \
             theory",
        )
        .expected("see the table of counts")
        .measured(format!("the slope that is furthest off: {}", farthest.1))
        .criterion(format!("all slopes within {COUNT_TOLERANCE}"))
        .holds(
            farthest.0 <= COUNT_TOLERANCE,
            "Terms of lower order still count at small sizes: biases, the batch, the samples and α.",
        ),
    );
    table
}

/// Without the rounding errors of a fit: the slope of a constant is 0.
fn digits(x: f64) -> f64 {
    (1e9 * x).round() / 1e9
}

fn state_claim(outcome: &mut Outcome, optimizers: &[OptimizerCost]) {
    let found: Vec<String> = optimizers.iter().map(|cost| format!("{} {}", cost.name, cost.state)).collect();
    for cost in optimizers {
        outcome.number(format!("{}: numbers remembered for a parameter", cost.name), cost.state);
    }
    outcome.claim(
        Claim::that("For each parameter momentum and RMSProp remember a number, Adam two, and SGD none")
            .expected("SGD 0, momentum 1, RMSProp 1, Adam 2")
            .measured(found.join(", "))
            .criterion("exactly these")
            .holds(
                optimizers.iter().map(|cost| cost.state).eq([0.0, 1.0, 1.0, 2.0]),
                "An optimizer that remembers more than the theory names keeps something that it could compute, \
                 one that remembers less has lost something.",
            ),
    );
}

fn optimizer_table(optimizers: &[OptimizerCost]) -> Table {
    let columns =
        ["optimizer", "numbers remembered for a parameter", "smallest: ns a parameter", "largest: ns"];
    let mut table = Table::new("optimizers", "What a step of an optimizer takes", columns);
    for cost in optimizers {
        let [smallest, largest] = cost.series.rates().map(|rate| 1.0 / rate);
        table.row([cost.name.into(), cost.state.into(), smallest.into(), largest.into()]);
    }
    table
}
