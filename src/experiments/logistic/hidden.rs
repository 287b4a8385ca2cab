//! The same points with a hidden layer: no longer convex.

use nalgebra::DMatrix;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{STARTS, append_targets};
use crate::Param;
use crate::experiments::prelude::*;
use crate::experiments::training;

/// Units of the hidden layer.
const WIDTH: usize = 4;
/// Ridge on all weights and biases: λ‖θ‖².
const RIDGE: f64 = 1e-3;
/// At a rate of 1, as the linear model has it, some descents bounce between the walls of a valley for good.
const RATE: f64 = 0.3;
/// W₁, b₁, W₂, b₂ of a network 2-4-1.
const SHAPES: [(usize, usize); 4] = [(2, WIDTH), (1, WIDTH), (WIDTH, 1), (1, 1)];

/// A descent.
pub struct Run {
    /// The loss at some of the steps.
    losses: Vec<(f64, f64)>,
    steps: usize,
    /// All weights, the loss and the norm of the gradient after the last step.
    end: Vec<f64>,
    loss: f64,
    gradient: f64,
}

/// Appends the loss of the network 2-4-1 with tanh, the ridge included.
fn append_network(tape: &mut Tape, params: [Param; 4], x: &DMatrix<f64>, labels: &[usize]) -> Var {
    let [w1, b1, w2, b2] = params;
    let inputs = tape.constant(x);
    let targets = append_targets(tape, labels);
    let hidden = tape.linear(inputs, w1, b1);
    let hidden = tape.tanh(hidden);
    let logits = tape.linear(hidden, w2, b2);
    let loss = tape.bce_with_logits(logits, targets);
    params.into_iter().fold(loss, |loss, param| {
        let square = tape.square(param);
        let sum = tape.sum(square);
        let ridge = tape.scale(sum, RIDGE);
        tape.add(loss, ridge)
    })
}

/// Gradient descent from each start.
pub fn descents(context: &Context, x: &DMatrix<f64>, labels: &[usize], steps: usize) -> Result<Vec<Run>> {
    let mut rng = stream(derive(context.seed, 1), Purpose::Init);
    let starts: Vec<[Vec<f64>; 4]> = (0..STARTS)
        .map(|_| SHAPES.map(|(rows, cols)| (0..rows * cols).map(|_| standard_normal(&mut rng)).collect()))
        .collect();
    starts.into_par_iter().map(|start| descend(context, x, labels, &start, steps)).collect()
}

fn descend(
    context: &Context,
    x: &DMatrix<f64>,
    labels: &[usize],
    start: &[Vec<f64>; 4],
    steps: usize,
) -> Result<Run> {
    let mut tape = Tape::new();
    let params = std::array::from_fn(|k| tape.param_slice(SHAPES[k].0, SHAPES[k].1, &start[k]));
    let mut optimizer = Optimizer::new(Sgd, RATE)?;
    let (mut losses, mut next) = (Vec::new(), 1.0);
    for step in 1..=steps {
        if step % 200 == 0 {
            context.check()?;
        }
        let loss = training::step(&mut tape, &mut optimizer, |tape| append_network(tape, params, x, labels))?;
        // Evenly on a logarithmic axis.
        if step as f64 >= next {
            losses.push((step as f64, loss));
            next *= 1.1;
        }
    }
    tape.rewind();
    let loss = append_network(&mut tape, params, x, labels);
    tape.zero_grad();
    tape.backward(loss);
    let loss = tape.item(loss);
    losses.push(((steps + 1) as f64, loss));
    let gradient = tape.param_grads().iter().map(|g| g * g).sum::<f64>().sqrt();
    Ok(Run { losses, steps, end: tape.param_values().to_vec(), loss, gradient })
}

/// The loss along the straight line between the ends of two descents.
pub struct Barrier {
    pair: [usize; 2],
    /// Share of the way, and the loss there.
    line: Vec<(f64, f64)>,
    /// How far it rises above the higher end; 0 if it does not.
    height: f64,
}

/// The two ends with the highest barrier between them.
pub fn highest_barrier(
    context: &Context,
    x: &DMatrix<f64>,
    labels: &[usize],
    runs: &[Run],
) -> Result<Barrier> {
    const PIECES: usize = 60;
    let mut tape = Tape::new();
    let params = SHAPES.map(|(rows, cols)| tape.param_with(rows, cols, |to| to.fill(0.0)));
    let mut highest = Barrier { pair: [0, 0], line: Vec::new(), height: f64::NEG_INFINITY };
    for i in 0..runs.len() {
        for j in i + 1..runs.len() {
            context.check()?;
            let mut line = Vec::new();
            for piece in 0..=PIECES {
                let share = piece as f64 / PIECES as f64;
                let ends = runs[i].end.iter().zip(&runs[j].end);
                for (to, (a, b)) in tape.param_values_mut().iter_mut().zip(ends) {
                    *to = (1.0 - share) * a + share * b;
                }
                tape.rewind();
                let loss = append_network(&mut tape, params, x, labels);
                line.push((share, tape.item(loss)));
            }
            let top = line.iter().map(|(_, loss)| *loss).fold(f64::NEG_INFINITY, f64::max);
            let height = top - runs[i].loss.max(runs[j].loss);
            if height > highest.height {
                highest = Barrier { pair: [i, j], line, height };
            }
        }
    }
    Ok(highest)
}

pub fn claims(outcome: &mut Outcome, runs: &[Run], barrier: &Barrier) {
    let [from, to] = barrier.pair;
    outcome.number("barrier between two ends with a hidden layer", barrier.height);
    claim(outcome, "A hidden layer takes convexity away: between two ends the loss rises above both")
        .named("hidden-barrier")
        .expected("a barrier above 0")
        .measured(format!(
            "{} nats above the higher end, between the ends of starts {} and {}",
            rounded(barrier.height, 3),
            from + 1,
            to + 1
        ))
        .criterion("at least 0.01 nats between some two of the ends")
        .holds(
            barrier.height >= 0.01,
            "All descents may have ended in one valley, where the loss is convex as far as they lie apart: \
             that proves nothing about the rest of the landscape.",
        );
    let low = least(runs, |run| run.loss);
    // Of several that are as high, the last, which is then another run than the lowest.
    let high = runs.iter().max_by(|a, b| a.loss.total_cmp(&b.loss)).unwrap_or(low);
    outcome.number("least loss with a hidden layer", low.loss);
    outcome.number("largest loss with a hidden layer", high.loss);
    let gap = high.loss - low.loss;
    let gradient = runs.iter().map(|run| run.gradient).fold(0.0, f64::max);
    let half = high.losses.iter().find(|(step, _)| 2.0 * step >= high.steps as f64);
    let fallen = half.map_or(f64::NAN, |(_, loss)| loss - high.loss);
    claim(outcome, "With a hidden layer, at which loss descent comes to rest depends on the start")
        .named("hidden-ends")
        .expected("different losses, and no gradient left")
        .measured(format!(
            "losses from {} to {} and gradients of norm {} at most, after {} steps from {STARTS} starts",
            fixed(low.loss, 5),
            fixed(high.loss, 5),
            scientific(gradient, 2),
            high.steps
        ))
        .criterion("losses more than 10⁻³ apart, and no gradient above 10⁻⁴")
        .holds(
            gap > 1e-3 && gradient <= 1e-4,
            format!(
                "The losses are {} apart, and the highest fell by {} in the second half of the steps. The \
                 ends are up to {} apart as they are, and up to {} with the hidden units in one order and \
                 their outgoing weights positive, which the loss does not see as tanh is odd: what differs \
                 by that alone is one optimum {} times over.",
                scientific(gap, 2),
                scientific(fallen, 2),
                rounded(farthest(runs.iter().map(|run| run.end.clone())), 2),
                rounded(farthest(runs.iter().map(|run| one_of_its_copies(&run.end))), 2),
                (1..=WIDTH).product::<usize>() << WIDTH
            ),
        );
}

/// The same network with its hidden units in the order of their outgoing weights, which are not negative.
fn one_of_its_copies(end: &[f64]) -> Vec<f64> {
    let mut units: Vec<[f64; 4]> = (0..WIDTH)
        .map(|j| {
            // Into the unit, its bias, and out of it, in the order of `SHAPES`.
            let unit = [0, 1, 2, 3].map(|k| end[k * WIDTH + j]);
            if unit[3] < 0.0 { unit.map(|x| -x) } else { unit }
        })
        .collect();
    units.sort_by(|a, b| a[3].total_cmp(&b[3]));
    units.into_iter().flatten().chain(end.last().copied()).collect()
}

/// The largest distance between two points.
fn farthest(points: impl Iterator<Item = Vec<f64>>) -> f64 {
    let points: Vec<Vec<f64>> = points.collect();
    points.iter().flat_map(|a| points.iter().map(|b| distance(a, b))).fold(0.0, f64::max)
}

pub fn figure(runs: &[Run], barrier: &Barrier) -> Figure {
    let lowest = least(runs, |run| run.loss).loss;
    let lines = runs.iter().enumerate().map(|(i, run)| {
        let above = run.losses.iter().map(|(step, loss)| (*step, loss - lowest));
        Line::new(above).label(format!("start {}", i + 1))
    });
    let losses = Chart::new(Axis::log("step"), Axis::log("loss above the lowest end").range(1e-12, 3.0))
        .title(format!("Descents from {STARTS} starts"))
        .lines(lines);
    let [from, to] = barrier.pair;
    let title = format!("From the end of start {} to that of start {}", from + 1, to + 1);
    let higher = runs[from].loss.max(runs[to].loss);
    let between = Chart::new(Axis::linear("share of the way"), Axis::linear("loss with the ridge (nats)"))
        .title(title)
        .line(Line::new(barrier.line.iter().copied()).label("loss"))
        .horizontal(higher, Color::Muted, "the higher end");
    Figure::new(
        "hidden",
        "What a hidden layer changes",
        format!(
            "The same points, and a network 2-{WIDTH}-1 with tanh and a ridge of {RIDGE} on all weights. \
             First: how far each descent is above the lowest loss that one of them came to; one that rests \
             at another optimum stays at its height. Second: the loss along the straight line between two \
             ends. That of a convex loss never rises above the higher of them."
        ),
    )
    .panel(losses)
    .panel(between)
}

pub fn table(runs: &[Run]) -> Table {
    Table::of("hidden", "From each start, with a hidden layer", &Vec::from_iter(runs.iter().enumerate()))
        .column("start", |(i, _)| i + 1)
        .column("loss at the end, with the ridge", |(_, run)| run.loss)
        .column("norm of its gradient", |(_, run)| run.gradient)
        .into()
}
