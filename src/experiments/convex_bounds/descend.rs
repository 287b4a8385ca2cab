//! The descents.

use rand::Rng;

use super::{APART, FEATURES, MARGIN, OVERLAPPING, Problem, SAMPLES, norm};
use crate::experiments::prelude::*;
use crate::models::{LogisticOptions, LogisticRegression, Scheme};
use crate::optim::Average;
use crate::tape::Param;

/// SGD of one seed, from w = 0.
#[derive(Serialize, Deserialize)]
pub(super) struct Stochastic {
    /// D.
    pub distance: f64,
    /// G.
    pub gradient: f64,
    /// With the rate D/(G√T), a descent for each T.
    pub constant: Vec<Excess>,
    /// With the rate D/(G√t), one descent.
    pub decaying: Vec<Excess>,
}

/// Means over the runs of the loss above the least.
#[derive(Serialize, Deserialize)]
pub(super) struct Excess {
    pub steps: usize,
    /// Of the mean of the iterates.
    pub average: f64,
    /// Of the last one.
    pub last: f64,
}

impl Stochastic {
    /// DG/√T.
    pub fn bound(&self, steps: usize) -> f64 {
        self.distance * self.gradient / (steps as f64).sqrt()
    }
}

/// Gradient descent of one seed, from w = 0, where there is an optimum.
#[derive(Serialize, Deserialize)]
pub(super) struct Descent {
    /// L.
    pub smoothness: f64,
    /// ‖w*‖.
    pub distance: f64,
    /// Steps, and the loss above the least after them.
    pub points: Vec<(usize, f64)>,
}

impl Descent {
    /// L‖w*‖²/2T.
    pub fn bound(&self, steps: usize) -> f64 {
        self.smoothness * self.distance * self.distance / (2 * steps) as f64
    }
}

/// Gradient descent of one seed, from w = 0, where a plane separates the classes.
#[derive(Serialize, Deserialize)]
pub(super) struct Separable {
    pub points: Vec<Separated>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Separated {
    pub steps: usize,
    pub loss: f64,
    /// ‖w‖.
    pub norm: f64,
    /// f(u) + L‖u‖²/2T, the least of 200 points u along the normal of the plane.
    pub bound: f64,
}

/// The loss of some samples on a tape of its own.
struct Loss {
    tape: Tape,
    w: Param,
    targets: Vec<f64>,
}

impl Loss {
    fn new(problem: &Problem) -> Loss {
        let mut tape = Tape::new();
        let w = tape.param_slice(FEATURES, 1, &[0.0; FEATURES]);
        Loss { tape, w, targets: problem.targets() }
    }

    /// Appends the mean over the samples from one to another.
    fn append(tape: &mut Tape, w: Param, x: &[f64], targets: &[f64]) -> Var {
        let x = tape.constant_slice(targets.len(), FEATURES, x);
        let y = tape.constant_slice(targets.len(), 1, targets);
        let logits = tape.matmul(x, w);
        tape.bce_with_logits(logits, y)
    }

    /// At other weights.
    fn at(&mut self, problem: &Problem, w: &[f64]) -> f64 {
        self.tape.rewind();
        self.tape.set_param(self.w, w);
        let loss = Loss::append(&mut self.tape, self.w, &problem.x, &self.targets);
        self.tape.item(loss)
    }
}

/// Weights and loss of the optimum.
fn optimum(problem: &Problem) -> Result<(Vec<f64>, f64)> {
    let options = LogisticOptions { scheme: Scheme::Binary, lambda: 0.0, intercept: false, max_steps: 100 };
    let fit = LogisticRegression::fit(&problem.matrix(), &problem.labels, 2, &options)?;
    let w: Vec<f64> = fit.weights().iter().copied().collect();
    let least = Loss::new(problem).at(problem, &w);
    Ok((w, least))
}

pub(super) fn stochastic(context: &Context, seed: u64, runs: usize, doublings: u32) -> Result<Stochastic> {
    let problem = Problem::new(OVERLAPPING, None, seed);
    let (optimal, least) = optimum(&problem)?;
    let (distance, gradient) = (norm(&optimal), problem.gradient_bound());
    let mut whole = Loss::new(&problem);
    let at: Vec<usize> = (2..=doublings).map(|k| 1 << k).collect();
    let none = |steps: &usize| Excess { steps: *steps, average: 0.0, last: 0.0 };
    let mut constant: Vec<Excess> = at.iter().map(none).collect();
    let mut decaying: Vec<Excess> = at.iter().map(none).collect();
    for run in 0..runs {
        for k in 0..at.len() {
            context.check()?;
            let rate = distance / (gradient * (at[k] as f64).sqrt());
            let place = derive(seed, (run * at.len() + k) as u64);
            let part = std::slice::from_mut(&mut constant[k]);
            sgd(&problem, &mut whole, place, |_| rate, part)?;
        }
        context.check()?;
        let rate = |t: usize| distance / (gradient * (t as f64).sqrt());
        sgd(&problem, &mut whole, derive(seed, (1 << 32) + run as u64), rate, &mut decaying)?;
    }
    for excess in constant.iter_mut().chain(&mut decaying) {
        excess.average = excess.average / runs as f64 - least;
        excess.last = excess.last / runs as f64 - least;
    }
    Ok(Stochastic { distance, gradient, constant, decaying })
}

/// One descent, which adds its losses after some numbers of steps to `at`.
fn sgd(
    problem: &Problem,
    whole: &mut Loss,
    seed: u64,
    rate: impl Fn(usize) -> f64,
    at: &mut [Excess],
) -> Result<()> {
    let mut rng = stream(seed, Purpose::Shuffle);
    let mut loss = Loss::new(problem);
    let mut optimizer = Optimizer::new(Sgd, rate(1))?;
    let mut average = Average::uniform();
    let mut next = 0;
    for t in 1..=at[at.len() - 1].steps {
        // The mean is that of the points at which gradients are taken.
        average.update(&loss.tape);
        let i = rng.next_u32() as usize % SAMPLES;
        let (x, y) = (&problem.x[i * FEATURES..][..FEATURES], [loss.targets[i]]);
        optimizer.set_lr(rate(t))?;
        let w = loss.w;
        step(&mut loss.tape, &mut optimizer, |tape| Loss::append(tape, w, x, &y))?;
        if t == at[next].steps {
            at[next].average += whole.at(problem, average.values());
            at[next].last += whole.at(problem, loss.tape.param_values());
            next += 1;
        }
    }
    Ok(())
}

/// Calls `see` with the weights after 1, 2, 4, … steps of descent at 1/L.
fn descend(
    context: &Context,
    problem: &Problem,
    smoothness: f64,
    doublings: u32,
    mut see: impl FnMut(usize, &[f64]),
) -> Result<()> {
    let mut loss = Loss::new(problem);
    let mut optimizer = Optimizer::new(Sgd, 1.0 / smoothness)?;
    for t in 1..=1usize << doublings {
        context.check()?;
        let (w, targets) = (loss.w, &loss.targets);
        step(&mut loss.tape, &mut optimizer, |tape| Loss::append(tape, w, &problem.x, targets))?;
        if t.is_power_of_two() {
            see(t, loss.tape.param_values());
        }
    }
    Ok(())
}

pub(super) fn descent(context: &Context, seed: u64, doublings: u32) -> Result<Descent> {
    let problem = Problem::new(OVERLAPPING, None, seed);
    let (optimal, least) = optimum(&problem)?;
    let (smoothness, distance) = (problem.smoothness()?, norm(&optimal));
    let (mut whole, mut points) = (Loss::new(&problem), Vec::new());
    descend(context, &problem, smoothness, doublings, |t, w| {
        points.push((t, whole.at(&problem, w) - least))
    })?;
    Ok(Descent { smoothness, distance, points })
}

pub(super) fn separable(context: &Context, seed: u64, doublings: u32) -> Result<Separable> {
    let problem = Problem::new(APART, Some(MARGIN), seed);
    let smoothness = problem.smoothness()?;
    let mut whole = Loss::new(&problem);
    // f along the normal of the plane, which is the first axis.
    let mut along = Vec::new();
    for k in 0..200 {
        let mut u = [0.0; FEATURES];
        u[0] = 0.1 * f64::from(k);
        along.push((u[0], whole.at(&problem, &u)));
    }
    let mut points = Vec::new();
    descend(context, &problem, smoothness, doublings, |steps, w| {
        let of = |(length, loss): &(f64, f64)| loss + smoothness * length * length / (2 * steps) as f64;
        let bound = range(along.iter().map(of)).0;
        points.push(Separated { steps, loss: whole.at(&problem, w), norm: norm(w), bound });
    })?;
    Ok(Separable { points })
}
