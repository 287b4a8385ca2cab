//! A loss that is the same at each step, and how methods go down on it.

use std::ops::ControlFlow;

use super::{PRODUCT, norm_squared};
use crate::experiments::prelude::*;
use crate::experiments::stopwatch::seconds;
use crate::models::Mlp;
use crate::nn::{Activation, Mode, Module, Sequential};
use crate::optim::{MinimizeOptions, Minimizer, Minimum, Point, minimize, minimize_observed};
use crate::tape::{Mark, Param};

/// The cross-entropy of some samples with a penalty, and the network whose weights are looked for.
pub(super) struct Problem {
    tape: Tape,
    model: Sequential<f64>,
    x: Var,
    labels: Vec<usize>,
    params: Vec<Param>,
    penalty: f64,
}

impl Problem {
    /// Without hidden layers it is softmax regression.
    pub fn new(data: &Dataset, hidden: &[usize], penalty: f64, seed: u64) -> Result<Problem> {
        let mut tape = Tape::new();
        let options = Mlp::new(&widths(data, hidden), Activation::Tanh);
        let model = options.build(&mut tape, &mut stream(seed, Purpose::Init))?;
        let params = tape.params().filter(|p| tape.is_trained(*p)).collect();
        let labels = data.labels().unwrap_or_default().to_vec();
        let x = tape.constant_slice(data.len(), data.features(), &data.to_rows::<f64>());
        Ok(Problem { tape, model, x, labels, params, penalty })
    }

    pub fn parameters(&self) -> usize {
        self.params.iter().map(|p| self.tape.param_shape(*p).numel()).sum()
    }

    /// The tape, and the function that appends the loss.
    fn parts(self) -> (Tape, impl Fn(&mut Tape) -> Var) {
        let Problem { tape, model, x, labels, params, penalty } = self;
        let append = move |tape: &mut Tape| {
            let scores = model.forward(tape, x, &mut Mode::evaluation());
            let loss = tape.cross_entropy(scores, &labels);
            params.iter().fold(loss, |total, p| {
                let squares = tape.square(*p);
                let sum = tape.sum(squares);
                let part = tape.scale(sum, 0.5 * penalty);
                tape.add(total, part)
            })
        };
        (tape, append)
    }
}

/// Puts the loss on the tape behind `start`, and its gradient at the parameters.
fn gradient(tape: &mut Tape, start: Mark, append: impl Fn(&mut Tape) -> Var) -> Var {
    tape.rewind_to(start);
    let loss = append(tape);
    tape.zero_grad();
    tape.backward(loss);
    loss
}

/// How the loss falls with the work that is done.
#[derive(Serialize, Deserialize)]
pub(super) struct Course {
    pub method: String,
    /// The work, in gradients, and the loss after it.
    pub points: Vec<(usize, f64)>,
    /// Whether the numbers left the finite range then.
    pub diverged: bool,
}

impl Course {
    fn new(method: &str) -> Course {
        Course { method: method.into(), points: Vec::new(), diverged: false }
    }

    /// Of the points in each quarter of a doubling the last one is kept.
    fn see(&mut self, work: usize, loss: f64) {
        let place = |work: usize| (work as u128).pow(4).ilog2();
        match self.points.last_mut() {
            Some(last) if place(last.0) == place(work) => *last = (work, loss),
            _ => self.points.push((work, loss)),
        }
    }

    /// The loss once so much work was done, or all of it.
    pub fn after(&self, work: usize) -> f64 {
        let until = self.points.iter().take_while(|point| point.0 <= work);
        until.last().map_or(f64::NAN, |point| point.1)
    }

    /// The loss at the end, by which courses are compared: infinite where there is none.
    pub fn outcome(&self) -> f64 {
        if self.diverged { f64::INFINITY } else { self.last() }
    }

    /// The last loss that is a number.
    pub fn last(&self) -> f64 {
        self.points.last().map_or(f64::NAN, |point| point.1)
    }
}

/// One gradient a step.
pub(super) fn first_order(
    context: &Context,
    method: &str,
    problem: Problem,
    mut optimizer: Optimizer<f64>,
    gradients: usize,
) -> Result<Course> {
    let (mut tape, append) = problem.parts();
    let start = tape.mark();
    let mut course = Course::new(method);
    for work in 1..=gradients {
        context.check()?;
        let loss = gradient(&mut tape, start, &append);
        if !tape.item(loss).is_finite() || unless_diverged(optimizer.step(&mut tape))?.is_none() {
            course.diverged = true;
            break;
        }
        course.see(work, tape.item(loss));
    }
    Ok(course)
}

/// The work that a search has done, in gradients.
fn work(now: &Minimum) -> usize {
    now.evaluations + PRODUCT * now.products
}

/// As long as its work is at most that many gradients.
pub(super) fn second_order(
    context: &Context,
    name: &str,
    problem: Problem,
    method: &mut dyn Minimizer<f64>,
    gradients: usize,
) -> Result<Course> {
    let (mut tape, append) = problem.parts();
    let mut course = Course::new(name);
    let options = MinimizeOptions { iterations: gradients, gradient_tolerance: 0.0 };
    minimize_observed(&mut tape, append, method, &options, |_, now| {
        if work(now) <= gradients {
            course.see(work(now), now.value);
        }
        let goes_on = context.check().is_ok() && work(now) < gradients;
        if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    context.check()?;
    Ok(course)
}

/// The least value, and the norms of the gradients on Newton's way to it.
pub(super) fn least_value(context: &Context, problem: Problem) -> Result<(f64, Vec<f64>)> {
    let (mut tape, append) = problem.parts();
    let options = MinimizeOptions { iterations: 100, gradient_tolerance: 1e-12 };
    let mut norms = Vec::new();
    let found =
        minimize_observed(&mut tape, append, &mut super::NewtonCg::new(1000)?, &options, |tape, _| {
            norms.push(norm_squared(tape.param_grads()).sqrt());
            if context.check().is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
    context.check()?;
    if found.gradient > 1e-9 {
        let why =
            format!("the minimum was not found: the largest entry of the gradient is {:e}", found.gradient);
        return Err(Error::Data(why));
    }
    Ok((found.value, norms))
}

/// Hands the point to a look at it, and ends there.
struct Look<F>(F);

impl<F: FnMut(&mut Point<'_, f64>) -> Result<()> + Send> Minimizer<f64> for Look<F> {
    fn name(&self) -> &'static str {
        "look"
    }

    fn direction(&mut self, at: &mut Point<'_, f64>, direction: &mut [f64]) -> Result<()> {
        (self.0)(at)?;
        direction.iter_mut().zip(at.gradient()).for_each(|(d, g)| *d = -g);
        Ok(())
    }
}

/// Looks at the point where a problem begins.
fn look(problem: Problem, look: impl FnMut(&mut Point<'_, f64>) -> Result<()> + Send) -> Result<()> {
    let (mut tape, append) = problem.parts();
    let once = MinimizeOptions { iterations: 1, gradient_tolerance: 0.0 };
    minimize(&mut tape, append, &mut Look(look), &once)?;
    Ok(())
}

/// Times of a product with the Hessian, each divided by that of a gradient just before it, on a tape of its own.
pub(super) fn product_ratios(
    context: &Context,
    [one, other]: [Problem; 2],
    times: usize,
) -> Result<Vec<f64>> {
    let mut ratios = Vec::new();
    let (mut tape, append) = one.parts();
    let start = tape.mark();
    let mut gradient = || gradient(&mut tape, start, &append);
    gradient();
    look(other, |at| {
        let v = at.gradient().to_vec();
        let mut product = vec![0.0; v.len()];
        // The first product records the gradient; the others are those that conjugate gradients ask for.
        at.hessian_times(&v, &mut product);
        for _ in 0..times {
            context.check()?;
            let gradient = seconds(&mut gradient);
            ratios.push(seconds(|| at.hessian_times(&v, &mut product)) / gradient);
        }
        Ok(())
    })?;
    Ok(ratios)
}

/// The largest second derivative where a problem begins, by thirty steps of the power method.
#[cfg(test)]
pub(super) fn steepest(problem: Problem) -> f64 {
    let mut largest = 0.0;
    look(problem, |at| {
        let mut v = at.gradient().to_vec();
        let mut product = v.clone();
        for _ in 0..30 {
            let norm = norm_squared(&v).sqrt();
            v.iter_mut().for_each(|v| *v /= norm);
            at.hessian_times(&v, &mut product);
            largest = norm_squared(&product).sqrt();
            v.copy_from_slice(&product);
        }
        Ok(())
    })
    .unwrap();
    largest
}

#[cfg(test)]
mod tests {
    use super::super::COMPARED;
    use super::*;

    #[test]
    fn the_last_point_of_each_quarter_of_a_doubling_is_kept() {
        let mut course = Course::new("each");
        (1..=128).for_each(|work| course.see(work, work as f64));
        let kept: Vec<usize> = course.points.iter().map(|point| point.0).collect();
        assert_eq!(kept[..8], [1, 2, 3, 4, 5, 6, 7, 9]);
        assert!(kept.contains(&COMPARED) && course.after(COMPARED) == 90.0, "{kept:?}");
        // One that comes by in large steps is compared where it was before.
        let mut course = Course::new("few");
        [1, 17, 40, 84, 92, 110].iter().for_each(|work| course.see(*work, *work as f64));
        assert_eq!((course.after(COMPARED), course.last()), (84.0, 110.0));
    }
}
