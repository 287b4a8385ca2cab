//! Minimisation of functions without noise, such as the loss of all of the data: L-BFGS and Newton-CG.
//!
//! An [`Optimizer`](super::Optimizer) gets one gradient for each step, of another batch each time. A [`Minimizer`] may ask
//! for the function as often as it wants: along a line, and for products with its Hessian. So it suits losses of all of the
//! data, without dropout.
//!
//! To add a method, add a file with its [`Minimizer`], and a line to the table in [`optim`](super).

mod lbfgs;
mod line_search;
mod newton_cg;

pub use lbfgs::Lbfgs;
pub use newton_cg::NewtonCg;

use std::ops::ControlFlow;

use self::line_search::{Trial, search};
use crate::linalg::sum;
use crate::settings::{Range, check};
use crate::tape::{Mark, Param, Tape, Var};
use crate::text::count;
use crate::{Error, Float, Result};

/// A method that finds a direction in which a function of a tape's parameters falls.
///
/// Vectors have an entry for each number of each trained parameter, in the order of [`Tape::slots`].
pub trait Minimizer<T: Float>: Send {
    /// The name under which messages know it, such as `lbfgs`.
    fn name(&self) -> &'static str;

    /// Writes a direction d with gᵀd < 0 over `direction`, which may hold anything. The point at d itself, θ + d, is tried
    /// first. Where gᵀd is not below 0, [`minimize`] takes −g/‖g‖.
    ///
    /// # Errors
    /// What the method says; [`minimize`] hands it on.
    fn direction(&mut self, at: &mut Point<'_, T>, direction: &mut [T]) -> Result<()>;

    /// A step was done: θ has changed by `step`, and the gradient by `change`.
    fn moved(&mut self, step: &[T], change: &[T]) {
        let _ = (step, change);
    }

    /// Forgets the steps done so far; [`minimize`] asks for it before the first one, and where a direction led nowhere.
    fn forget(&mut self) {}
}

/// A function of a tape's parameters, at their values now.
pub struct Point<'a, T: Float> {
    tape: &'a mut Tape<T>,
    function: &'a mut dyn FnMut(&mut Tape<T>) -> Var,
    params: Vec<Param>,
    start: Mark,
    /// The function on the tape, at the parameters as they are.
    loss: Option<Var>,
    value: f64,
    gradient: Vec<T>,
    /// The gradient as values on the tape, once a product with the Hessian was asked for.
    recorded: Option<(Mark, Vec<Var>)>,
    evaluations: usize,
    products: usize,
}

impl<T: Float> Point<'_, T> {
    /// The value.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The gradient.
    pub fn gradient(&self) -> &[T] {
        &self.gradient
    }

    /// H·v, with H the Hessian: the gradient of gᵀv.
    ///
    /// # Panics
    /// If `v` or `product` does not have an entry for each number of each trained parameter, or the function has an
    /// operation whose gradient cannot be [recorded](Tape::gradient).
    #[track_caller]
    pub fn hessian_times(&mut self, v: &[T], product: &mut [T]) {
        let len = self.gradient.len();
        assert!(
            v.len() == len && product.len() == len,
            "hessian_times: v has {}, the product {}, and the parameters have {len}",
            count(v.len(), "number"),
            product.len()
        );
        let (mark, gradients) = match self.recorded.take() {
            Some(recorded) => recorded,
            None => {
                let loss = self.loss.expect("go_to has put it on the tape");
                let of: Vec<Var> = self.params.iter().map(|p| p.var()).collect();
                let gradients = self.tape.gradient(loss, &of);
                self.evaluations += 1;
                (self.tape.mark(), gradients)
            }
        };
        let tape = &mut *self.tape;
        tape.rewind_to(mark);
        tape.zero_grad();
        let (mut at, mut along) = (0, tape.scalar(T::ZERO));
        for g in &gradients {
            let shape = tape.shape(*g);
            let part = tape.constant_slice(shape.rows, shape.cols, &v[at..][..shape.numel()]);
            at += shape.numel();
            let product = tape.mul(*g, part);
            let sum = tape.sum(product);
            along = tape.add(along, sum);
        }
        tape.backward(along);
        gather(tape, &self.params, product);
        self.recorded = Some((mark, gradients));
        self.products += 1;
    }

    /// Goes to other values of the parameters.
    fn go_to(&mut self, at: &[T]) {
        (self.recorded, self.loss) = (None, None);
        self.tape.rewind_to(self.start);
        let mut rest = at;
        for slot in self.tape.slots() {
            let (own, behind) = rest.split_at(slot.values.len());
            slot.values.copy_from_slice(own);
            rest = behind;
        }
        let loss = (self.function)(self.tape);
        self.tape.zero_grad();
        self.tape.backward(loss);
        self.value = self.tape.item(loss).to_f64();
        gather(self.tape, &self.params, &mut self.gradient);
        self.loss = Some(loss);
        self.evaluations += 1;
    }

    /// The largest entry of the gradient by magnitude; NaN if one is.
    fn largest(&self) -> f64 {
        self.gradient.iter().fold(0.0, |largest: f64, g| {
            let g = g.to_f64().abs();
            if g > largest || g.is_nan() { g } else { largest }
        })
    }
}

/// The gradients of the trained parameters, one behind the other.
fn gather<T: Float>(tape: &Tape<T>, params: &[Param], to: &mut [T]) {
    let mut rest = to;
    for p in params {
        let grads = tape.grad_slice(*p);
        let (own, behind) = rest.split_at_mut(grads.len());
        own.copy_from_slice(grads);
        rest = behind;
    }
}

/// Σ aᵢbᵢ in `f64`, where products of two `f32` are exact and squares of large gradients are finite. In blocks of 256, by
/// eight lanes, whose sums are added pairwise.
fn inner<T: Float>(a: &[T], b: &[T]) -> f64 {
    let of_block = |(a, b): (&[T], &[T])| {
        let mut lanes = [0.0; 8];
        for (a, b) in a.chunks(8).zip(b.chunks(8)) {
            for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
                *lane += a.to_f64() * b.to_f64();
            }
        }
        lanes.iter().sum()
    };
    let blocks: Vec<f64> = a.chunks(256).zip(b.chunks(256)).map(of_block).collect();
    sum(&blocks)
}

/// ‖x‖, which is finite where the numbers are, and 0 for zeros only.
fn norm<T: Float>(x: &[T]) -> f64 {
    let largest = x.iter().fold(0.0f64, |largest, x| largest.max(x.to_f64().abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let squares: Vec<f64> = x.iter().map(|x| x.to_f64() / largest).map(|x| x * x).collect();
    largest * sum(&squares).sqrt()
}

/// direction ← −g/‖g‖: where nothing is known of the scale, a step of length 1 is tried first.
fn against<T: Float>(g: &[T], direction: &mut [T]) {
    let norm = norm(g);
    direction.iter_mut().zip(g).for_each(|(d, g)| *d = T::of(-(g.to_f64() / norm)));
}

/// to ← to + factor·x.
fn add<T: Float>(to: &mut [T], factor: f64, x: &[T]) {
    let factor = T::of(factor);
    to.iter_mut().zip(x).for_each(|(to, x)| *to += factor * *x);
}

/// When [`minimize`] ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinimizeOptions {
    /// Most steps that are done.
    pub iterations: usize,
    /// The search has converged once the largest entry of the gradient by magnitude is at most this, in units of the loss for
    /// each unit of a parameter.
    pub gradient_tolerance: f64,
}

/// 1000 steps, 10⁻⁵.
impl Default for MinimizeOptions {
    fn default() -> Self {
        MinimizeOptions { iterations: 1000, gradient_tolerance: 1e-5 }
    }
}

/// Why [`minimize`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The gradient is within its tolerance.
    Converged,
    /// All steps were done, and it is not.
    Iterations,
    /// No lower point was found, not even along −g: what is left is the rounding of the tape's type. It may also be a kink, or
    /// a function that is random, or a gradient that is wrong.
    Stalled,
    /// The observer asked for an end.
    Observer,
}

/// What [`minimize`] has come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Minimum {
    /// The value of the function.
    pub value: f64,
    /// The largest entry of its gradient by magnitude.
    pub gradient: f64,
    /// Steps done.
    pub iterations: usize,
    /// How often value and gradient were computed, or the gradient was recorded for products with the Hessian.
    pub evaluations: usize,
    /// How many products with the Hessian were.
    pub products: usize,
    /// Why it ended. What an observer sees has [`Ended::Iterations`]: it would be so if no steps were left.
    pub ended: Ended,
}

/// Changes the trained parameters of `tape` until the gradient of `function` is 0 within a tolerance: at the minimum of a
/// convex function, at a local minimum, or rarely a saddle, of another one.
///
/// `function` appends its value, which is 1×1, to the tape. What stood on the tape before and depends on no parameter, such
/// as data, stays; what was appended is gone at the end. It must be the same function each time: no dropout, no other batch.
/// Each step goes along a direction of the method, as far as the strong Wolfe conditions ask.
///
/// # Errors
/// [`Error::NonFinite`] if value or gradient are not finite at the parameters as they are; [`Error::Setting`] if the
/// tolerance is negative or not finite; what the method says. The parameters are at the last step done then.
///
/// # Panics
/// If the tape has no trained parameter, the value is not 1×1 or does not depend on a parameter; also as
/// [`Point::hessian_times`], if the method asks for products with the Hessian.
#[track_caller]
pub fn minimize<T: Float>(
    tape: &mut Tape<T>,
    function: impl FnMut(&mut Tape<T>) -> Var,
    method: &mut dyn Minimizer<T>,
    options: &MinimizeOptions,
) -> Result<Minimum> {
    minimize_observed(tape, function, method, options, |_, _| ControlFlow::Continue(()))
}

/// As [`minimize`]; `observe` sees the tape and where the search stands, before the first step and after each, and may end
/// it.
///
/// # Errors
/// As [`minimize`].
///
/// # Panics
/// As [`minimize`].
#[track_caller]
pub fn minimize_observed<T: Float>(
    tape: &mut Tape<T>,
    mut function: impl FnMut(&mut Tape<T>) -> Var,
    method: &mut dyn Minimizer<T>,
    options: &MinimizeOptions,
    mut observe: impl FnMut(&Tape<T>, &Minimum) -> ControlFlow<()>,
) -> Result<Minimum> {
    check::<T>("gradient_tolerance", options.gradient_tolerance, Range::NOT_NEGATIVE)?;
    let params: Vec<Param> = tape.params().filter(|p| tape.is_trained(*p)).collect();
    assert!(!params.is_empty(), "{}: the tape has no parameter that is trained", method.name());
    let mut here: Vec<T> = Vec::new();
    params.iter().for_each(|p| here.extend_from_slice(tape.value_slice(*p)));
    let start = tape.mark();
    let mut point = Point {
        tape,
        function: &mut function,
        params,
        start,
        loss: None,
        value: 0.0,
        gradient: vec![T::ZERO; here.len()],
        recorded: None,
        evaluations: 0,
        products: 0,
    };
    method.forget();
    point.go_to(&here);
    let ended = if point.value.is_finite() && point.largest().is_finite() {
        descend(&mut point, &mut here, method, options, &mut observe)
    } else {
        Err(Error::NonFinite(format!(
            "{}: at the parameters as they are, the value is {} and the largest entry of its gradient {}; begin at others, \
             or scale the data",
            method.name(),
            point.value,
            point.largest()
        )))
    };
    point.tape.rewind_to(start);
    ended
}

/// Goes down from `here`, where the point is.
fn descend<T: Float>(
    point: &mut Point<'_, T>,
    here: &mut [T],
    method: &mut dyn Minimizer<T>,
    options: &MinimizeOptions,
    observe: &mut dyn FnMut(&Tape<T>, &Minimum) -> ControlFlow<()>,
) -> Result<Minimum> {
    let len = here.len();
    let (mut direction, mut before, mut there) = (vec![T::ZERO; len], vec![T::ZERO; len], vec![T::ZERO; len]);
    let mut iterations = 0;
    loop {
        let now = Minimum {
            value: point.value,
            gradient: point.largest(),
            iterations,
            evaluations: point.evaluations,
            products: point.products,
            ended: Ended::Iterations,
        };
        if observe(point.tape, &now).is_break() {
            return Ok(Minimum { ended: Ended::Observer, ..now });
        }
        if now.gradient <= options.gradient_tolerance {
            return Ok(Minimum { ended: Ended::Converged, ..now });
        }
        if iterations == options.iterations {
            return Ok(now);
        }
        before.copy_from_slice(&point.gradient);
        method.direction(point, &mut direction)?;
        let mut lower = goes_lower(point, now.value, here, &before, &direction, &mut there);
        if !lower {
            method.forget();
            against(&before, &mut direction);
            lower = goes_lower(point, now.value, here, &before, &direction, &mut there);
        }
        if !lower {
            point.go_to(here);
            let (evaluations, products) = (point.evaluations, point.products);
            return Ok(Minimum { ended: Ended::Stalled, evaluations, products, ..now });
        }
        for ((d, there), here) in direction.iter_mut().zip(&there).zip(here.iter_mut()) {
            *d = *there - *here;
            *here = *there;
        }
        before.iter_mut().zip(&point.gradient).for_each(|(b, g)| *b = *g - *b);
        method.moved(&direction, &before);
        iterations += 1;
    }
}

/// Looks along a direction for a point that is lower than `here`, where `value` and `gradient` are, and goes to it: `there`.
/// Where there is none, the point is anywhere.
fn goes_lower<T: Float>(
    point: &mut Point<'_, T>,
    value: f64,
    here: &[T],
    gradient: &[T],
    direction: &[T],
    there: &mut [T],
) -> bool {
    let slope = inner(gradient, direction);
    if !(slope < 0.0 && slope.is_finite()) {
        return false;
    }
    let noise = 10.0 * T::EPSILON.to_f64() * value.abs();
    let mut at = |length: f64| {
        there.copy_from_slice(here);
        add(there, length, direction);
        if !there.iter().all(|x| x.is_finite()) {
            return Trial { length, value: f64::INFINITY, slope: f64::NAN };
        }
        point.go_to(there);
        Trial { length, value: point.value, slope: inner(&point.gradient, direction) }
    };
    match search(Trial { length: 0.0, value, slope }, 1.0, noise, &mut at) {
        Ok(_) => true,
        // Not as far as the conditions ask, but down.
        Err(lowest) if lowest.value < value => {
            at(lowest.length);
            true
        }
        Err(_) => false,
    }
}
