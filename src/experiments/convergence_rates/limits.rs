//! The largest rate of descent, and Adam's first moment before its correction.

use std::ops::Bound;

use super::conditioning::{DIMENSION, append_quadratic, curvatures};
use crate::experiments::prelude::*;

/// What each of some starts or seeds gave.
#[derive(Serialize, Deserialize)]
pub(super) struct Limits {
    /// The factor of ‖w‖ at each step of descent at [`ABOVE`]/L.
    above: Vec<f64>,
    /// At [`BELOW`]/L.
    below: Vec<f64>,
    /// Adam's first moment after [`STEPS`] steps, of the mean gradient.
    moments: Vec<f64>,
}

/// L of the quadratic; μ is 1.
const STEEPEST: f64 = 100.0;
const ABOVE: f64 = 2.1;
const BELOW: f64 = 1.9;
/// Steps of descent, of which the second half counts.
const DESCENT: usize = 200;
const STEPS: usize = 10;
const BETA: f64 = 0.9;
/// Numbers whose gradients are drawn.
const DRAWN: usize = 1000;

/// The factor of ‖w‖ at each step, on ½·Σ hᵢwᵢ² with curvatures from 1 to L.
fn factor(start: &[f64], rate: f64) -> Result<f64> {
    let curvatures = curvatures(STEEPEST);
    let mut tape = Tape::new();
    let w = tape.param_slice(1, DIMENSION, start);
    let mut optimizer = Optimizer::new(Sgd, rate / STEEPEST)?;
    let mut norms = Vec::new();
    for _ in 0..DESCENT {
        step(&mut tape, &mut optimizer, |tape| append_quadratic(tape, w, &curvatures))?;
        norms.push(distance(tape.value_slice(w), &[0.0; DIMENSION]));
    }
    Ok(Float::powf(norms[DESCENT - 1] / norms[DESCENT / 2 - 1], 2.0 / DESCENT as f64))
}

/// The mean over many numbers of what Adam remembers of gradients of mean 1 and deviation 1.
fn first_moment(rng: &mut impl rand::Rng) -> Result<f64> {
    let mut tape = Tape::new();
    tape.param_with(1, DRAWN, |_| ());
    let mut adam = Optimizer::new(Adam::new(BETA, 0.999, 1e-8)?, 1e-3)?;
    for _ in 0..STEPS {
        tape.param_grads_mut().fill_with(|| 1.0 + standard_normal(rng));
        adam.step(&mut tape)?;
    }
    // So few numbers are one block: their first moments, then their second ones.
    Ok(mean(&adam.state()[..DRAWN]))
}

impl Limits {
    pub fn measure(context: &Context) -> Result<Limits> {
        context.at(9, 10, "limits")?;
        let mut rng = stream(derive(context.seed, 1 << 20), Purpose::Init);
        let (mut above, mut below, mut moments) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..context.pick(5, 10) {
            context.check()?;
            let start: Vec<f64> = (0..DIMENSION).map(|_| standard_normal(&mut rng)).collect();
            above.push(factor(&start, ABOVE)?);
            below.push(factor(&start, BELOW)?);
            moments.push(first_moment(&mut rng)?);
        }
        Ok(Limits { above, below, moments })
    }

    pub fn report(&self, outcome: &mut Outcome) {
        // Beyond nine digits it is the rounding of the steps.
        let above: Vec<f64> = self.above.iter().map(|x| (1e9 * x).round() / 1e9).collect();
        outcome.number("factor of a step above 2/L", mean(&self.above));
        outcome.number("factor of a step below 2/L", mean(&self.below));
        outcome.number("first moment before its correction", mean(&self.moments));
        claim(outcome, "Above 2/L descent diverges, at a rate far below 2/μ")
            .named("descent-limit")
            .expected(format!("above 1: |1 − ηL| = {} at η = {ABOVE}/L", rounded(ABOVE - 1.0, 2)))
            .estimated(Estimate::mean(&above).of("starts"))
            .saying(&format!(
                ", the factor of the distance at each step; at {BELOW}/L it is {}",
                rounded(mean(&self.below), 3)
            ))
            .within(
                (Bound::Excluded(1.0), Bound::Unbounded),
                "This is arithmetic: the steps would be wrong.",
            );
        let expected = 1.0 - BETA.powi(STEPS as i32);
        claim(outcome, format!("After {STEPS} steps Adam's first moment is 1 − β₁ᵗ of the mean gradient"))
            .named("adam-first-moment")
            .expected(rounded(expected, 3).to_string())
            .estimated(Estimate::mean(&self.moments))
            .saying(&format!(" of it, before the correction; β₁ = {BETA}"))
            .within(expected - 0.03..=expected + 0.03, "This is arithmetic: the sums would be wrong.");
    }
}
