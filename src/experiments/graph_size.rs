//! What a graph of a certain depth costs.

use super::prelude::*;
use super::stopwatch::Stopwatch;
use crate::linalg;
use crate::models::Mlp;
use crate::nn::{Activation, Mode, Module};

pub const EXPERIMENT: Experiment = Experiment {
    name: "graph-size",
    title: "Graph size and depth",
    question: "How do the size of the graph and the time of a step grow with the depth of a network?",
    theory: &[
        "A layer adds a fixed number of nodes, and the backward pass visits each node once. So nodes, \
         memory and both times are linear in the depth L: slope 1 on two logarithmic axes. Slopes of the \
         theory are whole numbers. A measured slope agrees with 1 if it is nearer to 1 than to 0 or 2.",
        "The gradient is cheap. Reverse mode gives it at no more than five times the cost of the value, for \
         any number of parameters (Griewank, \"On Automatic Differentiation\", 1989). For arithmetic \
         operations this is due to Baur and Strassen (1983). That bound counts operations on scalars. In a \
         layer the backward pass needs two products of matrices where the forward pass needs one. So value \
         and gradient together cost three times the multiply-adds of the value. The tanh lowers this \
         factor: its derivative costs almost nothing.",
    ],
    parts: Parts::of::<GraphSize>(),
    finding,
};

/// Width of all layers, and samples in the batch.
const WIDTH: usize = 64;
const BATCH: usize = 64;

/// From this depth on times are judged: what a graph takes there, 38 MB and more, is beyond the caches of most machines.
/// Where a graph fits into a cache a layer takes less time, and across that edge no time is linear in the depth.
const LARGE: usize = 192;

/// What is measured: a row for each depth.
#[derive(Serialize, Deserialize)]
struct GraphSize(Vec<Row>);

#[derive(Serialize, Deserialize)]
struct Row {
    depth: usize,
    nodes: usize,
    numbers: usize,
    bytes: usize,
    /// Seconds of the passes in each round.
    forward: Vec<f64>,
    backward: Vec<f64>,
}

impl Row {
    /// Bytes that the values take, and the gradients, which are as many.
    fn used(&self) -> usize {
        2 * self.numbers * size_of::<f64>()
    }

    /// The time of value and gradient, over that of the value, in one round.
    fn both_to_forward(&self, round: usize) -> f64 {
        (self.forward[round] + self.backward[round]) / self.forward[round]
    }
}

impl Study for GraphSize {
    const EDITION: u32 = 3;

    fn measure(context: &Context) -> Result<GraphSize> {
        // Also between the powers of two: buffers that double look linear if only these are tried.
        let depths: Vec<usize> = (3..context.pick(9, 10))
            .flat_map(|k| [2, 3].map(|halves| halves << (k - 1)))
            .chain([context.pick(512, 1024)])
            .collect();
        // All depths in each round: what else runs on the machine changes from second to second, and would slow down a
        // single depth.
        let mut rows: Vec<Row> = Vec::new();
        for round in 0..ROUNDS {
            for (i, depth) in depths.iter().enumerate() {
                context.at(round * depths.len() + i, ROUNDS * depths.len(), &format!("{depth} layers"))?;
                // One thread: how work is shared out is another question.
                let row = linalg::with_threads(1, || measure(context, *depth))?;
                match rows.get_mut(i) {
                    None => rows.push(row),
                    Some(all) => {
                        all.forward.extend(row.forward);
                        all.backward.extend(row.backward);
                    }
                }
            }
        }
        Ok(GraphSize(rows))
    }

    fn report(&self) -> Outcome {
        report(&self.0)
    }
}

/// Rounds: of ten, the second least and the second greatest hold the median with more than 95 %.
const ROUNDS: usize = 10;

/// One round of a depth.
fn measure(context: &Context, depth: usize) -> Result<Row> {
    let mut tape = Tape::new();
    let widths = vec![WIDTH; depth + 1];
    let mut rng = stream(context.seed, Purpose::Init);
    let model = Mlp::new(&widths, Activation::Tanh).build(&mut tape, &mut rng)?;
    let input: Vec<f64> = (0..BATCH * WIDTH).map(|i| (i % 7) as f64 / 7.0 - 0.5).collect();
    let (mut forward, mut backward) = (0.0, 0.0);
    // The first step makes the buffers; the second one counts.
    for _ in 0..2 {
        context.check()?;
        tape.rewind();
        let watch = Stopwatch::start();
        let x = tape.constant_slice(BATCH, WIDTH, &input);
        let y = model.forward(&mut tape, x, &mut Mode::evaluation());
        let loss = tape.mean(y);
        forward = watch.seconds();
        tape.zero_grad();
        let watch = Stopwatch::start();
        tape.backward(loss);
        backward = watch.seconds();
    }
    let (forward, backward) = (vec![forward], vec![backward]);
    Ok(Row { depth, nodes: tape.len(), numbers: tape.numbers(), bytes: tape.bytes(), forward, backward })
}

fn report(rows: &[Row]) -> Outcome {
    let points = |y: &dyn Fn(&Row) -> f64| -> Vec<(f64, f64)> {
        rows.iter().map(|row| (row.depth as f64, y(row))).collect()
    };
    let nodes = points(&|row| row.nodes as f64);
    let used = points(&|row| 1e-6 * row.used() as f64);
    let held = points(&|row| 1e-6 * row.bytes as f64);
    let forward = points(&|row| 1e3 * median(&row.forward));
    let backward = points(&|row| 1e3 * median(&row.backward));
    let rounds = 0..rows[0].forward.len();
    let mut outcome = Outcome::default();
    outcome.claim(time_claim(rows, "forward", |row| &row.forward));
    outcome.claim(time_claim(rows, "backward", |row| &row.backward));
    let over_depths =
        |round: usize| mean(&rows.iter().map(|row| row.both_to_forward(round)).collect::<Vec<_>>());
    let ratios: Vec<f64> = rounds.map(over_depths).collect();
    outcome.claim(
        Claim::that("Value and gradient take at most five times the time of the value")
            .named("both-five-times")
            .expected("at most 5 times, about 3 by the count of multiply-adds")
            .estimated(Estimate::median(&ratios).of("rounds"))
            .saying(" times, the mean over the depths")
            .within(
                ..=5.0,
                "The bound counts operations. The backward pass also reads all values again and writes as \
                 many gradients. Outside the caches that takes longer than the operations.",
            )
            .timed(),
    );

    let chart = |y: &str, title: &str| Chart::new(Axis::log("depth L (layers)"), Axis::log(y)).title(title);
    let marked = |points: &[(f64, f64)]| Line::new(points.to_vec()).marker(Marker::Circle);
    outcome.draw(
        "growth",
        "Growth with depth",
        format!(
            "A tanh network of width {WIDTH} on a batch of {BATCH}; times are medians of {} rounds. What is \
             linear in L is parallel to the dashed line of slope 1. The allocated memory grows in steps, \
             because a full buffer is doubled. In the backward pass a layer takes {}{}.",
            rows[0].forward.len(),
            layers_in_words(&backward),
            caches_in_words(&backward)
        ),
        [
            chart("nodes", "Nodes of the graph")
                .line(marked(&nodes).named("nodes"))
                .line(proportional(&nodes)),
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
    let caption = "Processor times of a step on one thread: medians over the rounds";
    outcome.table(
        Table::of("growth", caption, rows)
            .column("layers", |row| row.depth)
            .column("nodes", |row| row.nodes)
            .column("numbers in use", |row| row.numbers)
            .column("bytes of values and gradients", Row::used)
            .column("bytes held", |row| row.bytes)
            .column("forward (s)", |row| median(&row.forward))
            .column("backward (s)", |row| median(&row.backward)),
    );
    outcome
}

/// The claim about the times of one of the passes.
fn time_claim(rows: &[Row], pass: &str, times: fn(&Row) -> &[f64]) -> Claim {
    let large: Vec<&Row> = rows.iter().filter(|row| row.depth >= LARGE).collect();
    let slope = |round: usize| {
        Fit::power_law(&large.iter().map(|row| (row.depth as f64, times(row)[round])).collect::<Vec<_>>())
            .slope
    };
    let slopes: Vec<f64> = (0..times(large[0]).len()).map(slope).collect();
    let medians: Vec<(f64, f64)> =
        large.iter().map(|row| (row.depth as f64, 1e3 * median(times(row)))).collect();
    Claim::that(format!("The time of the {pass} pass is linear in the depth"))
        .named(&format!("{pass}-linear"))
        .expected("slope 1 on two logarithmic axes: nearer to 1 than to 0 or 2")
        .estimated(Estimate::median(&slopes).of("rounds"))
        .saying(&format!(
            ", the slope from {LARGE} layers on, which take {} MB",
            fixed(1e-6 * large[0].used() as f64, 0)
        ))
        .within(
            0.5..=1.5,
            format!(
                "A layer takes {}. Each layer does the same operations. The rest comes from the machine: \
                 its caches, its memory, and other programs.",
                layers_in_words(&medians)
            ),
        )
        .timed()
}

/// What a layer takes in a shallow network and in a deep one, of times in ms.
fn layers_in_words(times: &[(f64, f64)]) -> String {
    let (first, last) = (times[0], times[times.len() - 1]);
    let [shallow, deep] = [first, last].map(|(depth, time)| 1e3 * time / depth);
    format!(
        "{} µs in a network of {} layers and {} µs in one of {}",
        rounded(shallow, 3),
        first.0,
        rounded(deep, 3),
        last.0
    )
}

/// What the caches do to these times, where a layer of the deep network is dearer by a tenth: the shallow one fits into
/// them.
fn caches_in_words(times: &[(f64, f64)]) -> &'static str {
    let [shallow, deep] = [times[0], times[times.len() - 1]].map(|(depth, time)| time / depth);
    if deep > 1.1 * shallow { ": what fits into the caches is faster" } else { "" }
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
        [
            "and the time beyond the caches grows with a slope nearest to 1",
            "but the time grows otherwise",
            "this run does not decide whether the time does",
        ],
    )?;
    let both = found.claim("both-five-times")?.estimate.as_ref()?.value();
    Some((
        "growth",
        "Graph and memory grow in proportion to the depth of a network".to_string(),
        format!(
            "A network of {depth} layers makes a graph of {} nodes, and twice as many layers make twice as \
             many. Memory follows, {times}. Value and gradient together take {} times as long as the value \
             alone.",
            fixed(nodes, 0),
            fixed(both, 1)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::context::on_little_data;

    /// A layer makes as many nodes and numbers wherever it stands, and a buffer that is full is doubled.
    #[test]
    fn nodes_and_memory_are_linear_in_the_depth() {
        let rows =
            [8, 9, 10, 13, 23, 40].map(|depth| on_little_data(|context| measure(context, depth).unwrap()));
        let layer = |of: fn(&Row) -> usize| of(&rows[1]) - of(&rows[0]);
        for row in &rows {
            for of in [|row: &Row| row.nodes, |row: &Row| row.numbers] {
                assert_eq!(of(row), of(&rows[0]) + layer(of) * (row.depth - 8), "{} layers", row.depth);
            }
            // A hundredth for the nodes themselves, which are few.
            let held = row.bytes as f64 / row.used() as f64;
            assert!((1.0..=2.1).contains(&held), "{} layers hold {held} times what is used", row.depth);
        }
        // Weights, bias, product with bias, tanh; of each value a number, and of the two weights as well.
        assert_eq!(layer(|row| row.numbers), WIDTH * WIDTH + WIDTH + 2 * BATCH * WIDTH);
    }
}
