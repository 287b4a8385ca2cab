//! Adam on a function times a number.

use super::{D, Problem, append_loss, noise};
use crate::experiments::prelude::*;

/// Adam and SGD on losses that are multiplied.
#[derive(Serialize, Deserialize)]
pub(super) struct Scaling {
    /// For each of [`SCALES`] the distances to the minimum, step by step, up to where they leave the axes.
    adam: Vec<Vec<f64>>,
    sgd: Vec<Vec<f64>>,
    /// For each seed, how far apart Adam's ends are on the scaled losses, of the first distance.
    apart: Vec<f64>,
}

const SCALES: [f64; 3] = [1e-2, 1.0, 1e2];
const LABELS: [&str; 3] = ["loss × 0.01", "loss × 1", "loss × 100"];
const STEPS: usize = 1000;
const ADAM_RATE: f64 = 0.01;
const SGD_RATE: f64 = 0.05;
/// Where the axes of the figure end.
const FARTHEST: f64 = 1e4;

/// A run on a loss multiplied by `scale`: the distances, and the last w.
fn scaled_run(
    context: &Context,
    seed: usize,
    mut optimizer: Optimizer<f64>,
    scale: f64,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut rng = noise(context, seed);
    let mut tape = Tape::new();
    let w = tape.param_slice(1, D, &[1.0; D]);
    let mut distances = Vec::new();
    for _ in 0..STEPS {
        let append = |tape: &mut Tape| append_loss(tape, Problem::Quadratic, w, scale, &mut rng);
        // A rate that is too large is part of what is shown.
        let finite = unless_diverged(step(&mut tape, &mut optimizer, append))?.is_some();
        let far = distance(tape.value_slice(w), &[0.0; D]);
        if !finite || far > FARTHEST {
            break;
        }
        distances.push(far);
    }
    Ok((distances, tape.value_slice(w).to_vec()))
}

impl Scaling {
    pub fn measure(context: &Context) -> Result<Scaling> {
        context.at(8, 10, "scale of the loss")?;
        let mut all = Scaling { adam: Vec::new(), sgd: Vec::new(), apart: Vec::new() };
        for seed in 0..context.pick(5, 10) {
            context.check()?;
            let mut ends = Vec::new();
            for scale in SCALES {
                let adam = Optimizer::new(Adam::default(), ADAM_RATE)?;
                let (distances, end) = scaled_run(context, seed, adam, scale)?;
                ends.push(end);
                if seed == 0 {
                    all.adam.push(distances);
                    all.sgd.push(scaled_run(context, seed, Optimizer::new(Sgd, SGD_RATE)?, scale)?.0);
                }
            }
            let farthest = range(ends.iter().map(|end| distance(end, &ends[1]))).1;
            all.apart.push(farthest / (D as f64).sqrt());
        }
        Ok(all)
    }

    pub fn report(&self, outcome: &mut Outcome) {
        outcome.number("Adam's ends apart, of the first distance", mean(&self.apart));
        claim(outcome, "Adam does not see the scale of the loss")
            .named("adam-scale")
            .expected("the same path, but for ε")
            .estimated(Estimate::mean(&self.apart))
            .saying(&format!(
                " of the first distance apart after {STEPS} steps, for losses from 0.01 to 100 times"
            ))
            .within(
                ..=1e-3,
                "ε = 10⁻⁸ is added to the root of the mean square and does not scale with the loss. It \
                 matters when the gradients of the smallest loss come near it.",
            );
        let panel = |title: String, lines: &[Vec<f64>]| {
            let chart =
                Chart::new(Axis::log("step"), Axis::log("distance to the minimum").range(1e-2, FARTHEST));
            lines.iter().zip(LABELS).enumerate().fold(chart.title(title), |chart, (i, (distances, label))| {
                let line = Line::new((1..).map(f64::from).zip(distances.iter().copied())).label(label);
                chart.line(match distances.len() == STEPS {
                    // The first is drawn widest, so that all three are seen where they agree.
                    true => line.width([7.0, 3.5, 1.6][i]).dash(i / 2),
                    false => line.marker(Marker::Cross).width(3.5),
                })
            })
        };
        outcome.draw(
            "scale",
            "A loss times a constant",
            "The same problem, noise and rate; the loss is multiplied by a constant. Check whether the \
             three lines coincide: they should with Adam, which does not depend on the scale. For SGD a \
             factor of the loss acts like a factor of the rate, and too large a rate diverges within a few \
             steps. A line ends where it leaves the axes or the finite numbers. A cross marks a step before \
             that.",
            [
                panel(format!("Adam, η = {ADAM_RATE}"), &self.adam),
                panel(format!("SGD, η = {SGD_RATE}"), &self.sgd),
            ],
        );
    }
}
