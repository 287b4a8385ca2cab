//! What a graph of a certain depth costs.

use std::time::Instant;

use super::statistics::{Fit, median};
use super::{Context, Experiment, Outcome};
use crate::models::{Mlp, Model};
use crate::nn::Activation;
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table};
use crate::rng::{Purpose, stream};
use crate::{Result, Tape, linalg};

pub const EXPERIMENT: Experiment = Experiment {
    name: "graph-size",
    question: "How do the size of the graph and the time of a step grow with the depth of a network?",
    theory: &[
        "A layer appends a fixed number of nodes, and the backward pass visits each node once. So nodes, \
         memory and both times are linear in the depth L: on two logarithmic axes a slope of 1.",
        "The gradient is cheap (Baur and Strassen 1983; Griewank and Walther, \"Evaluating Derivatives\", \
         2008, section 4.6): value and gradient together take at most five times the operations of the \
         value alone, whatever the number of parameters.",
    ],
    run,
};

/// Width of all layers, and samples in the batch.
const WIDTH: usize = 32;
const BATCH: usize = 32;

struct Row {
    depth: usize,
    nodes: usize,
    numbers: usize,
    bytes: usize,
    forward: f64,
    backward: f64,
}

fn run(context: &Context) -> Result<Outcome> {
    let depths: &[usize] =
        context.pick(&[8, 16, 32, 64, 128, 256, 512], &[8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]);
    let mut rows = Vec::new();
    for (i, depth) in depths.iter().enumerate() {
        context.at(i, depths.len(), &format!("{depth} layers"))?;
        // One thread: how work is shared out is another question.
        rows.push(linalg::with_threads(1, || measure(*depth, context.pick(15, 25), context.seed))?);
    }
    Ok(report(&rows))
}

fn measure(depth: usize, repetitions: usize, seed: u64) -> Result<Row> {
    let mut tape = Tape::new();
    let widths = vec![WIDTH; depth + 1];
    let mut rng = stream(seed, Purpose::Init);
    let model = Mlp::new(&mut tape, &widths, Activation::Tanh, None, &mut rng)?;
    let input: Vec<f64> = (0..BATCH * WIDTH).map(|i| (i % 7) as f64 / 7.0 - 0.5).collect();
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    // The first step makes the buffers and is not counted.
    for _ in 0..=repetitions {
        tape.rewind();
        let start = Instant::now();
        let x = tape.constant_slice(BATCH, WIDTH, &input);
        let y = model.forward(&mut tape, x);
        let loss = tape.mean(y);
        forward.push(start.elapsed().as_secs_f64());
        tape.zero_grad();
        let start = Instant::now();
        tape.backward(loss);
        backward.push(start.elapsed().as_secs_f64());
    }
    Ok(Row {
        depth,
        nodes: tape.len(),
        numbers: tape.numbers(),
        bytes: tape.bytes(),
        forward: least(&forward[1..]),
        backward: least(&backward[1..]),
    })
}

/// What others on the machine take only ever makes a time longer.
fn least(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

fn report(rows: &[Row]) -> Outcome {
    let points = |y: &dyn Fn(&Row) -> f64| -> Vec<(f64, f64)> {
        rows.iter().map(|row| (row.depth as f64, y(row))).collect()
    };
    let nodes = points(&|row| row.nodes as f64);
    let bytes = points(&|row| row.bytes as f64);
    let forward = points(&|row| 1e3 * row.forward);
    let backward = points(&|row| 1e3 * row.backward);
    let ratios: Vec<f64> = rows.iter().map(|row| (row.forward + row.backward) / row.forward).collect();
    let mut outcome = Outcome::default();

    let fits = [
        ("The number of nodes is linear in the depth", Fit::power_law(&nodes), 0.05, false),
        ("The memory is linear in the depth", Fit::power_law(&bytes), 0.1, false),
        ("The time of the forward pass is linear in the depth", Fit::power_law(&forward), 0.15, true),
        ("The time of the backward pass is linear in the depth", Fit::power_law(&backward), 0.15, true),
    ];
    for (statement, fit, tolerance, timed) in fits {
        let holds = (fit.slope - 1.0).abs() <= tolerance && fit.r_squared >= 0.99;
        let measured = format!("slope {fit}, R² {:.4}", fit.r_squared);
        let criterion = format!("slope within {tolerance} of 1 and R² at least 0.99");
        let claim = Claim::that(statement)
            .expected("slope 1")
            .measured(measured)
            .criterion(criterion)
            .holds(holds, "");
        outcome.claim(match (timed, statement.contains("memory")) {
            (true, _) if holds => claim.timed(),
            (true, _) => claim.timed().because(
                "The number of operations is linear, see the first claim, but the time of one is not the \
                 same everywhere: a shallow network stays in the caches, a deep one reads from memory. \
                 Other programs on the machine take their share too.",
            ),
            (_, true) => claim.because("Buffers grow by doubling: what is held may be twice what is used."),
            _ => claim,
        });
    }
    let ratio = median(&ratios);
    outcome.claim(
        Claim::that("Value and gradient take at most five times the time of the value")
            .expected("at most 5")
            .measured(format!("{ratio:.2} (median over the depths)"))
            .criterion("the median ratio is at most 5")
            .holds(ratio <= 5.0, "")
            .timed(),
    );

    let depth = || Axis::log("depth L (layers)");
    let size = Chart::new(depth(), Axis::log("size"))
        .title("Size of the graph")
        .line(Line::new(nodes.clone()).label("nodes").marker(Marker::Circle))
        .line(Line::new(bytes.clone()).label("memory held (bytes)").marker(Marker::Square))
        .line(proportional(&nodes));
    let time = Chart::new(depth(), Axis::log("time of a step (ms)"))
        .title("Time on one thread")
        .line(Line::new(forward.clone()).label("forward").marker(Marker::Circle))
        .line(Line::new(backward).label("backward").marker(Marker::Square))
        .line(proportional(&forward));
    outcome.figure(
        &Figure::new(
            "growth",
            "Growth with depth",
            format!(
                "A tanh network of width {WIDTH} on a batch of {BATCH}. Both axes are logarithmic, so that \
                 what is linear in L runs parallel to the dashed line of slope 1."
            ),
        )
        .panel(size)
        .panel(time),
    );

    let columns = ["layers", "nodes", "numbers in use", "bytes held", "forward (s)", "backward (s)"];
    let mut table = Table::new("growth", "What a step takes", columns);
    for row in rows {
        table.row([
            row.depth.into(),
            row.nodes.into(),
            row.numbers.into(),
            row.bytes.into(),
            row.forward.into(),
            row.backward.into(),
        ]);
        outcome.number(format!("nodes at {}", row.depth), row.nodes as f64);
        outcome.number(format!("numbers at {}", row.depth), row.numbers as f64);
    }
    outcome.table(table);
    outcome
}

/// A line of slope 1 through the last point, somewhat below it.
fn proportional(points: &[(f64, f64)]) -> Line {
    let (x, y) = points[points.len() - 1];
    Line::new(points.iter().map(move |(depth, _)| (*depth, 0.5 * y * depth / x)))
        .label("slope 1")
        .color(Color::Muted)
        .dash(1)
        .width(1.2)
}
