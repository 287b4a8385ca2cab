//! The same points with a hidden layer: no longer convex.

use nalgebra::{DMatrix, DVector};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{STARTS, TRAINING, append_targets, draw};
use crate::Param;
use crate::experiments::prelude::*;
use crate::experiments::training;
use crate::linalg::symmetric_eigen;

/// Units of the hidden layer.
const WIDTH: usize = 4;
/// Ridge on all weights and biases: λ‖θ‖².
const RIDGE: f64 = 1e-3;
/// At a rate of 1, as the linear model has it, some descents bounce between the walls of a valley for good.
const RATE: f64 = 0.3;
/// Steps of a descent before Newton's method takes over.
const STEPS: usize = 2000;
/// W₁, b₁, W₂, b₂ of a network 2-4-1.
const SHAPES: [(usize, usize); 4] = [(2, WIDTH), (1, WIDTH), (WIDTH, 1), (1, 1)];
/// Ends that are farther apart than this are different, whatever the order and the signs of their units.
const APART: f64 = 1e-3;
/// The size of a gradient where a descent counts as at rest.
const REST: f64 = 1e-9;

/// Where the descents on one set of points end.
#[derive(Serialize, Deserialize)]
pub(super) struct Ends {
    /// How far the loss rises above the higher end between the two ends where it rises most.
    barrier: f64,
    /// The largest gradient of an end, and the smallest curvature.
    gradient: f64,
    curvature: f64,
    /// The losses of the ends that are different, the lowest first.
    optima: Vec<f64>,
}

impl Ends {
    /// Whether all ends are minima, with no gradient left.
    fn at_rest(&self) -> bool {
        self.gradient <= REST && self.curvature > 0.0
    }
}

/// What is drawn: the descents on one set of points.
#[derive(Serialize, Deserialize)]
pub(super) struct Landscape {
    runs: Vec<Run>,
    barrier: Barrier,
}

/// A descent.
#[derive(Serialize, Deserialize)]
struct Run {
    /// The loss at some of the steps.
    losses: Vec<(f64, f64)>,
    /// All weights where it ends, the loss there, the norm of the gradient, and the smallest curvature.
    end: Vec<f64>,
    loss: f64,
    gradient: f64,
    curvature: f64,
}

/// The loss along the straight line between the ends of two descents.
#[derive(Serialize, Deserialize)]
struct Barrier {
    pair: [usize; 2],
    /// Share of the way, and the loss there.
    line: Vec<(f64, f64)>,
    /// How far it rises above the higher end; 0 if it does not.
    height: f64,
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

/// The descents from each start on the points of each seed; those of the first are drawn.
pub(super) fn measure(context: &Context, seeds: &[u64]) -> Result<(Vec<Ends>, Landscape)> {
    let runs: Vec<Run> = (0..seeds.len() * STARTS)
        .into_par_iter()
        .map(|k| {
            let (seed, start) = (seeds[k / STARTS], k % STARTS);
            let (x, labels) = draw(TRAINING, seed);
            let mut rng = stream(derive(seed, 1 + start as u64), Purpose::Init);
            let count = SHAPES.iter().map(|(rows, cols)| rows * cols).sum();
            let start: Vec<f64> = (0..count).map(|_| standard_normal(&mut rng)).collect();
            descend(context, &x, &labels, &start)
        })
        .collect::<Result<_>>()?;
    let (mut all, mut landscape, mut runs) = (Vec::new(), None, runs.into_iter());
    for seed in seeds {
        context.check()?;
        let (x, labels) = draw(TRAINING, *seed);
        let runs: Vec<Run> = runs.by_ref().take(STARTS).collect();
        let barrier = highest_barrier(&x, &labels, &runs);
        all.push(Ends {
            barrier: barrier.height,
            gradient: range(runs.iter().map(|run| run.gradient)).1,
            curvature: range(runs.iter().map(|run| run.curvature)).0,
            optima: optima(&runs),
        });
        landscape.get_or_insert(Landscape { runs, barrier });
    }
    Ok((all, landscape.expect("there is a seed at least")))
}

/// A network on its points.
struct Problem<'a> {
    tape: Tape,
    params: [Param; 4],
    x: &'a DMatrix<f64>,
    labels: &'a [usize],
}

impl<'a> Problem<'a> {
    /// All weights are 0.
    fn new(x: &'a DMatrix<f64>, labels: &'a [usize]) -> Problem<'a> {
        let mut tape = Tape::new();
        let params = SHAPES.map(|(rows, cols)| tape.param_with(rows, cols, |to| to.fill(0.0)));
        Problem { tape, params, x, labels }
    }

    /// Appends the loss at some weights to the rewound tape.
    fn append(&mut self, weights: &[f64]) -> Var {
        self.tape.param_values_mut().copy_from_slice(weights);
        self.tape.rewind();
        append_network(&mut self.tape, self.params, self.x, self.labels)
    }

    /// The loss at some weights.
    fn loss(&mut self, weights: &[f64]) -> f64 {
        let loss = self.append(weights);
        self.tape.item(loss)
    }

    /// The gradient at some weights.
    fn gradient(&mut self, weights: &[f64]) -> DVector<f64> {
        let loss = self.append(weights);
        self.tape.zero_grad();
        self.tape.backward(loss);
        DVector::from_column_slice(self.tape.param_grads())
    }

    /// The second derivatives, by difference quotients of the gradient.
    fn hessian(&mut self, weights: &[f64]) -> DMatrix<f64> {
        const H: f64 = 1e-4;
        let mut shifted = weights.to_vec();
        let columns: Vec<DVector<f64>> = (0..weights.len())
            .map(|k| {
                shifted[k] = weights[k] + H;
                let up = self.gradient(&shifted);
                shifted[k] = weights[k] - H;
                let down = self.gradient(&shifted);
                shifted[k] = weights[k];
                (up - down) / (2.0 * H)
            })
            .collect();
        let hessian = DMatrix::from_columns(&columns);
        0.5 * (&hessian + hessian.transpose())
    }

    /// A step of Newton's method with the sizes of all curvatures, so that it leads downhill wherever it is; halved
    /// until the loss falls. `None` where no step makes it fall: what is left of the gradient is rounding.
    fn newton(&mut self, at: &[f64], gradient: &DVector<f64>) -> Result<Option<Vec<f64>>> {
        // The ridge alone has a curvature of 2λ.
        const LEAST: f64 = 0.1 * RIDGE;
        let eigen = symmetric_eigen(&self.hessian(at))?;
        let along = eigen.vectors.tr_mul(gradient);
        let scaled = along.zip_map(&eigen.values, |g, curvature| g / Float::max(curvature.abs(), LEAST));
        let step = &eigen.vectors * &scaled;
        let (loss, slope) = (self.loss(at), step.dot(gradient));
        for halvings in 0..40 {
            let share = Float::powi(0.5, halvings);
            let there: Vec<f64> = at.iter().zip(step.iter()).map(|(x, step)| x - share * step).collect();
            let then = self.loss(&there);
            let falls = then < loss - 1e-4 * share * slope;
            // At the bottom the loss is flat to the last digit, and only the gradient tells.
            if falls || (slope < 1e-12 * loss && self.gradient(&there).norm() < 0.5 * gradient.norm()) {
                return Ok(Some(there));
            }
        }
        Ok(None)
    }
}

/// Gradient descent, and from where it has come to Newton's method, to where no gradient is left: descent itself would
/// take very many steps along a flat valley.
fn descend(context: &Context, x: &DMatrix<f64>, labels: &[usize], start: &[f64]) -> Result<Run> {
    const ROUNDS: usize = 500;
    let mut problem = Problem::new(x, labels);
    problem.tape.param_values_mut().copy_from_slice(start);
    let params = problem.params;
    let mut optimizer = Optimizer::new(Sgd, RATE)?;
    let (mut losses, mut next) = (Vec::new(), 1.0);
    for step in 1..=STEPS {
        let append = |tape: &mut Tape| append_network(tape, params, x, labels);
        let loss = training::step(&mut problem.tape, &mut optimizer, append)?;
        // Evenly on a logarithmic axis.
        if step as f64 >= next {
            losses.push((step as f64, loss));
            next *= 1.1;
        }
    }
    let mut at = problem.tape.param_values().to_vec();
    let mut gradient = problem.gradient(&at);
    for _ in 0..ROUNDS {
        context.check()?;
        if gradient.norm() <= 0.01 * REST {
            break;
        }
        let Some(there) = problem.newton(&at, &gradient)? else { break };
        gradient = problem.gradient(&there);
        at = there;
    }
    let curvature = symmetric_eigen(&problem.hessian(&at))?.values[0];
    Ok(Run { losses, loss: problem.loss(&at), end: at, gradient: gradient.norm(), curvature })
}

/// The two ends with the highest barrier between them.
fn highest_barrier(x: &DMatrix<f64>, labels: &[usize], runs: &[Run]) -> Barrier {
    const PIECES: usize = 60;
    let mut problem = Problem::new(x, labels);
    let mut highest = Barrier { pair: [0, 0], line: Vec::new(), height: f64::NEG_INFINITY };
    for i in 0..runs.len() {
        for j in i + 1..runs.len() {
            let at = |piece: usize| {
                let share = piece as f64 / PIECES as f64;
                let ends = runs[i].end.iter().zip(&runs[j].end);
                let weights: Vec<f64> = ends.map(|(a, b)| (1.0 - share) * a + share * b).collect();
                (share, problem.loss(&weights))
            };
            let line: Vec<(f64, f64)> = (0..=PIECES).map(at).collect();
            let top = range(line.iter().map(|(_, loss)| *loss)).1;
            let height = top - runs[i].loss.max(runs[j].loss);
            if height > highest.height {
                highest = Barrier { pair: [i, j], line, height };
            }
        }
    }
    highest
}

/// The losses of the ends that are different, the lowest first.
fn optima(runs: &[Run]) -> Vec<f64> {
    let mut sorted: Vec<&Run> = runs.iter().collect();
    sorted.sort_by(|a, b| a.loss.total_cmp(&b.loss));
    let mut found: Vec<(f64, Vec<f64>)> = Vec::new();
    for run in sorted {
        let end = one_of_its_copies(&run.end);
        if found.iter().all(|(_, other)| distance(other, &end) > APART) {
            found.push((run.loss, end));
        }
    }
    found.into_iter().map(|(loss, _)| loss).collect()
}

/// The same network with its hidden units in the order of their outgoing weights, which are not negative: the loss does
/// not see either, as tanh is odd.
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

pub(super) fn claims(outcome: &mut Outcome, sets: &[&Ends]) {
    let barriers: Vec<f64> = sets.iter().map(|ends| ends.barrier).collect();
    outcome.number("barrier between two ends with a hidden layer", mean(&barriers));
    outcome.number("optima with a hidden layer", mean(&optima_of(sets)));
    outcome.number("least loss with a hidden layer", sets[0].optima[0]);
    claim(outcome, "A hidden layer takes convexity away: between two ends the loss rises above both")
        .named("hidden-barrier")
        .expected("a barrier above 0")
        .estimated(Estimate::mean(&barriers).of("sets of points"))
        .saying(&format!(" nats above the higher end, between the two of {STARTS} ends where it rises most"))
        .within(
            0.01..,
            "All descents may have ended in one valley, and the loss may be convex between them. That \
             proves nothing about the rest of the landscape.",
        );
}

/// How many different optima there are on each set of points.
fn optima_of(sets: &[&Ends]) -> Vec<f64> {
    sets.iter().map(|ends| ends.optima.len() as f64).collect()
}

/// What the ends are, over all sets of points.
fn ends_in_words(sets: &[&Ends]) -> String {
    let one = sets.iter().filter(|ends| ends.optima.len() == 1).count();
    let gap = range(sets.iter().map(|ends| ends.optima[ends.optima.len() - 1] - ends.optima[0])).1;
    let rest = match sets.iter().filter(|ends| !ends.at_rest()).count() {
        0 => {
            format!("There the gradient is at most {}, and all curvatures are above 0.", scientific(REST, 0))
        }
        n => format!("On {n} of the sets an end is not at rest, and need not be an optimum."),
    };
    let most = range(optima_of(sets)).1;
    let several = match sets.len() - one {
        0 => String::new(),
        1 => format!(", and {most} on the other, whose losses are {} apart", scientific(gap, 1)),
        _ => format!(", and up to {most} on the others, whose losses are up to {} apart", scientific(gap, 1)),
    };
    format!(
        "Each descent of {STEPS} steps is followed downhill to its end by Newton's method. {rest} The order \
         and the signs of the units do not matter, so each optimum has {} copies. Apart from these copies \
         the {STARTS} ends are one optimum on {one} of {} sets of points{several}.",
        (1..=WIDTH).product::<usize>() << WIDTH,
        sets.len()
    )
}

pub(super) fn figure(Landscape { runs, barrier }: &Landscape, sets: &[&Ends]) -> Figure {
    let lowest = least(runs, |run| run.loss).loss;
    let lines = runs.iter().enumerate().map(|(i, run)| {
        let above = run.losses.iter().map(|(step, loss)| (*step, loss - lowest));
        Line::new(above).label(format!("start {}", i + 1))
    });
    let losses = Chart::new(Axis::log("step"), Axis::log("loss above the lowest end").range(1e-5, 3.0))
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
             First: how far each descent is above the lowest loss reached by any of them. Second: the loss \
             along the straight line between two ends. A convex loss never rises above the higher end. {}",
            ends_in_words(sets)
        ),
    )
    .panel(losses)
    .panel(between)
}

pub(super) fn table(Landscape { runs, .. }: &Landscape) -> Table {
    Table::of(
        "hidden",
        "The end from each start, with a hidden layer",
        &Vec::from_iter(runs.iter().enumerate()),
    )
    .column("start", |(i, _)| i + 1)
    .column("loss at the end, with the ridge", |(_, run)| run.loss)
    .column("norm of its gradient", |(_, run)| run.gradient)
    .column("smallest curvature", |(_, run)| run.curvature)
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units in another order and with other signs are the same network.
    #[test]
    fn copies_of_a_network_are_one() {
        let one: Vec<f64> = (0..17).map(|k| 0.3 * f64::from(k) - 1.0).collect();
        let order = [2, 0, 3, 1];
        let mut other = one.clone();
        for (j, from) in order.into_iter().enumerate() {
            let sign = if j % 2 == 0 { -1.0 } else { 1.0 };
            (0..4).for_each(|k| other[k * WIDTH + j] = sign * one[k * WIDTH + from]);
        }
        assert_ne!(one, other);
        assert_eq!(one_of_its_copies(&one), one_of_its_copies(&other));
        let (x, labels) = draw(20, 3);
        let mut problem = Problem::new(&x, &labels);
        assert!((problem.loss(&one) - problem.loss(&other)).abs() < 1e-14);
        other[16] += 1.0;
        assert!(distance(&one_of_its_copies(&one), &one_of_its_copies(&other)) > APART);
    }
}
