//! What a graph of a certain depth costs.

use super::prelude::*;
use super::stopwatch::Stopwatch;
use crate::linalg;
use crate::models::Mlp;
use crate::nn::{Activation, Mode, Module};

pub const EXPERIMENT: Experiment = Experiment {
    name: "graph-size",
    question: "How do the size of the graph and the time of a step grow with the depth of a network?",
    theory: &[
        "A layer appends a fixed number of nodes, and the backward pass visits each node once. So nodes, \
         memory and both times are linear in the depth L: on two logarithmic axes a slope of 1.",
        "The gradient is cheap: the reverse mode gives it at no more than five times the cost of the value, \
         whatever the number of parameters (Griewank, \"On Automatic Differentiation\", 1989; for arithmetic \
         operations Baur and Strassen 1983). That counts operations of scalars. In a layer the backward pass \
         takes two products of matrices where the forward pass takes one, hence value and gradient three \
         times the multiply-adds of the value; the tanh makes it less, whose derivative costs next to \
         nothing.",
    ],
    parts: Parts::of::<Whole>(),
    finding,
};

super::whole!(run);

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

impl Row {
    /// Bytes that the values take, and the gradients, which are as many.
    fn used(&self) -> usize {
        2 * self.numbers * size_of::<f64>()
    }

    /// The time of value and gradient, over that of the value.
    fn both_to_forward(&self) -> f64 {
        (self.forward + self.backward) / self.forward
    }
}

fn run(context: &Context) -> Result<Outcome> {
    // Also between the powers of two: buffers that double look linear if only these are tried.
    let depths: Vec<usize> = (3..context.pick(9, 12))
        .flat_map(|k| [4, 5, 6, 7].map(|quarters| quarters << (k - 2)))
        .chain([context.pick(512, 4096)])
        .collect();
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
    let model = Mlp::new(&widths, Activation::Tanh).build(&mut tape, &mut rng)?;
    let input: Vec<f64> = (0..BATCH * WIDTH).map(|i| (i % 7) as f64 / 7.0 - 0.5).collect();
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    // The first step makes the buffers and is not counted.
    for _ in 0..=repetitions {
        tape.rewind();
        let watch = Stopwatch::start();
        let x = tape.constant_slice(BATCH, WIDTH, &input);
        let y = model.forward(&mut tape, x, &mut Mode::evaluation());
        let loss = tape.mean(y);
        forward.push(watch.seconds());
        tape.zero_grad();
        let watch = Stopwatch::start();
        tape.backward(loss);
        backward.push(watch.seconds());
    }
    Ok(Row {
        depth,
        nodes: tape.len(),
        numbers: tape.numbers(),
        bytes: tape.bytes(),
        // What others on the machine take of its caches only ever makes a time longer.
        forward: range(forward.into_iter().skip(1)).0,
        backward: range(backward.into_iter().skip(1)).0,
    })
}

fn report(rows: &[Row]) -> Outcome {
    let points = |y: &dyn Fn(&Row) -> f64| -> Vec<(f64, f64)> {
        rows.iter().map(|row| (row.depth as f64, y(row))).collect()
    };
    let nodes = points(&|row| row.nodes as f64);
    let used = points(&|row| 1e-6 * row.used() as f64);
    let held = points(&|row| 1e-6 * row.bytes as f64);
    let forward = points(&|row| 1e3 * row.forward);
    let backward = points(&|row| 1e3 * row.backward);
    let mut outcome = Outcome::default();

    outcome.claim(linear(
        "nodes-linear",
        "The number of nodes is linear in the depth",
        &nodes,
        0.05,
        "Some nodes belong to the batch and the loss, however many layers there are: they weigh most in \
         the shallow networks.",
    ));
    outcome.claim(linear(
        "memory-linear",
        "The memory that values and gradients take is linear in the depth",
        &used,
        0.05,
        "The batch is a value too, however many layers there are: it weighs most in the shallow networks.",
    ));
    outcome.claim(memory_held(rows));
    let passes = [
        ("forward-linear", "The time of the forward pass is linear in the depth", &forward),
        ("backward-linear", "The time of the backward pass is linear in the depth", &backward),
    ];
    for (id, statement, points) in passes {
        outcome.claim(linear(id, statement, points, 0.15, &why_not_linear(points)).timed());
    }
    let (smallest, largest) = range(rows.iter().map(Row::both_to_forward));
    outcome.claim(
        Claim::that("Value and gradient take at most five times the time of the value")
            .named("both-five-times")
            .expected("at most 5")
            .measured(format!("{} to {}, over the depths", fixed(smallest, 2), fixed(largest, 2)))
            .criterion("at no depth more than 5")
            .holds(
                largest <= 5.0,
                "The bound counts operations; the backward pass also reads all values again and writes as \
                 many gradients, which takes longer than the operations where neither fits into the caches.",
            )
            .timed(),
    );

    let chart = |y: &str, title: &str| Chart::new(Axis::log("depth L (layers)"), Axis::log(y)).title(title);
    let marked = |points: &[(f64, f64)]| Line::new(points.to_vec()).marker(Marker::Circle);
    outcome.draw(
        "growth",
        "Growth with depth",
        format!(
            "A tanh network of width {WIDTH} on a batch of {BATCH}. Both axes are logarithmic, so that what \
             is linear in L runs parallel to the dashed line of slope 1. The memory that is held grows in \
             steps, because a buffer that is full is doubled: see that it stays between one and two times \
             what values and gradients take."
        ),
        [
            chart("nodes", "Nodes of the graph").line(marked(&nodes)).line(proportional(&nodes)),
            chart("memory (MB)", "Its memory")
                .line(marked(&held).label("held").marker(Marker::Square))
                .line(marked(&used).label("values and gradients"))
                .line(proportional(&used)),
            chart("processor time (ms)", "Time of a step on one thread")
                .line(marked(&forward).label("forward"))
                .line(marked(&backward).label("backward").marker(Marker::Square))
                .line(proportional(if forward.last() < backward.last() { &forward } else { &backward })),
        ],
    );

    for row in rows {
        outcome.number(format!("nodes at {}", row.depth), row.nodes as f64);
        outcome.number(format!("numbers at {}", row.depth), row.numbers as f64);
    }
    let caption = "What a step takes on one thread: the least of repeated processor times";
    outcome.table(
        Table::of("growth", caption, rows)
            .column("layers", |row| row.depth)
            .column("nodes", |row| row.nodes)
            .column("numbers in use", |row| row.numbers)
            .column("bytes of values and gradients", Row::used)
            .column("bytes held", |row| row.bytes)
            .column("forward (s)", |row| row.forward)
            .column("backward (s)", |row| row.backward)
            .column("both to forward", Row::both_to_forward),
    );
    outcome
}

/// Capacities, over what is in use of them.
fn memory_held(rows: &[Row]) -> Claim {
    let (smallest, largest) = range(rows.iter().map(|row| row.bytes as f64 / row.used() as f64));
    Claim::that("The memory that is held is at most about twice what values and gradients take")
        .named("memory-held")
        .expected("1 to 2 times: a buffer that is full is doubled")
        .measured(format!("{} to {} times, over the depths", fixed(smallest, 3), fixed(largest, 3)))
        .criterion("at no depth less than 1 or more than 2.1 times, the rest for the nodes themselves")
        .holds(
            smallest >= 1.0 && largest <= 2.1,
            "A layer has few nodes and thousands of numbers, so that the nodes are a few hundredths at most: \
             more than that means that a buffer grows by more than doubling, or that something else is kept.",
        )
}

fn linear(id: &str, statement: &str, points: &[(f64, f64)], tolerance: f64, otherwise: &str) -> Claim {
    let fit = Fit::power_law(points);
    Claim::that(statement)
        .named(id)
        .expected("slope 1")
        .measured(format!("slope {fit}, R² {}", fixed(fit.r_squared, 4)))
        .criterion(format!("slope within {tolerance} of 1 and R² at least 0.99"))
        .holds((fit.slope - 1.0).abs() <= tolerance && fit.r_squared >= 0.99, otherwise)
}

/// In which direction the times (in ms) are off, and what does that.
fn why_not_linear(times: &[(f64, f64)]) -> String {
    let (first, last) = (times[0], times[times.len() - 1]);
    let [shallow, deep] = [first, last].map(|(depth, time)| 1e3 * time / depth);
    let reason = if deep > shallow {
        "The operations of a layer are the same, see the first claim: but a shallow network stays in the \
         caches, and a deep one comes from memory."
    } else {
        "What is done once a step, whatever the depth, weighs most in the shallow networks."
    };
    format!(
        "A layer takes {} µs where there are {}, and {} µs where there are {}. {reason}",
        rounded(shallow, 3),
        first.0,
        rounded(deep, 3),
        last.0
    )
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

fn finding(found: &Found) -> Told {
    let (depth, nodes) = found.all("nodes at ", "").last()?;
    let times = found.by(
        "backward-linear",
        ["and so does the time", "the time grows otherwise", "of the time this run does not decide"],
    )?;
    Some((
        "growth",
        "Graph and memory grow in proportion to the depth of a network".to_string(),
        format!(
            "A network of {depth} layers makes a graph of {} nodes, and twice as many layers make twice as many. Memory \
             follows, {times}. Value and gradient together take {} times as long as the value alone.",
            fixed(nodes, 0),
            found.claim("both-five-times")?.measured.split(',').next()?
        ),
    ))
}
