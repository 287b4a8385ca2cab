//! Least values of functions that are the same at every step: methods of second order.
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

    /// The settings by name.
    fn settings(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// Writes a direction d with gᵀd < 0 to `direction`. Where it has none, [`minimize`] takes −g.
    ///
    /// # Errors
    /// What the method says; [`minimize`] hands it on.
    fn direction(&mut self, at: &mut Point<'_, T>, direction: &mut [T]) -> Result<()>;

    /// The multiple of the direction that is tried first; 1 for a method that knows the scale.
    fn first_length(&self, gradient: &[T]) -> f64 {
        let _ = gradient;
        1.0
    }

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
                self.tape.rewind_to(self.start);
                let loss = (self.function)(self.tape);
                let of: Vec<Var> = self.params.iter().map(|p| p.var()).collect();
                let gradients = self.tape.gradient(loss, &of);
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
        self.recorded = None;
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
    /// The largest entry of the gradient by magnitude, in units of the loss for each unit of a parameter, at or below which
    /// the point counts as the least one.
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
    /// No point along the direction of steepest descent is lower by more than rounding: this is as near to the least value
    /// as numbers of the tape's type come. Otherwise the function is not smooth here, or not the same each time.
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
    /// How often value and gradient were computed.
    pub evaluations: usize,
    /// How many products with the Hessian were.
    pub products: usize,
    /// Why it ended; what an observer sees has [`Ended::Iterations`], as it has not ended yet.
    pub ended: Ended,
}

/// Changes the trained parameters of `tape` until the value of `function` is a least one; they are left there.
///
/// `function` appends its value, which is 1×1, to the tape. What stood on the tape before, such as data, stays, if it does
/// not depend on parameters. It must be the same function each time: no dropout, no other batch. Each step goes along a
/// direction of the method, as far as the strong Wolfe conditions ask.
///
/// # Errors
/// [`Error::NonFinite`] if value or gradient are not finite at the parameters as they are; [`Error::Setting`] if the
/// tolerance is negative or not finite; what the method says. The parameters are at the last step done then.
///
/// # Panics
/// If the tape has no trained parameter, the value is not 1×1, or does not depend on a parameter.
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
    let mut here: Vec<T> = params.iter().flat_map(|p| tape.value_slice(*p).to_vec()).collect();
    let len = here.len();
    let (start, function) = (tape.mark(), &mut function);
    let mut point = Point {
        tape,
        function,
        params,
        start,
        value: 0.0,
        gradient: vec![T::ZERO; len],
        recorded: None,
        evaluations: 0,
        products: 0,
    };
    method.forget();
    point.go_to(&here);
    if !(point.value.is_finite() && point.largest().is_finite()) {
        return Err(Error::NonFinite(format!(
            "{}: at the parameters as they are, the value is {} and the largest entry of its gradient {}; begin at others, \
             or scale the data",
            method.name(),
            point.value,
            point.largest()
        )));
    }
    let (mut direction, mut before, mut there) = (vec![T::ZERO; len], vec![T::ZERO; len], here.clone());
    let mut iterations = 0;
    let mut steepest = true;
    let ended = loop {
        let (value, gradient) = (point.value, point.largest());
        let (evaluations, products) = (point.evaluations, point.products);
        let now = Minimum { value, gradient, iterations, evaluations, products, ended: Ended::Iterations };
        if observe(point.tape, &now).is_break() {
            break Ended::Observer;
        }
        if gradient <= options.gradient_tolerance {
            break Ended::Converged;
        }
        if iterations == options.iterations {
            break Ended::Iterations;
        }
        before.copy_from_slice(&point.gradient);
        let found = loop {
            method.direction(&mut point, &mut direction)?;
            let mut slope = inner(&before, &direction);
            if !(slope < 0.0 && slope.is_finite()) {
                direction.iter_mut().zip(&before).for_each(|(d, g)| *d = -*g);
                slope = inner(&before, &direction);
                method.forget();
                steepest = true;
            }
            let first = Trial { length: 0.0, value, slope };
            let noise = 10.0 * T::EPSILON.to_f64() * value.abs();
            let found = search(first, method.first_length(&before), noise, |length| {
                there.copy_from_slice(&here);
                add(&mut there, length, &direction);
                point.go_to(&there);
                Trial { length, value: point.value, slope: inner(&point.gradient, &direction) }
            });
            match found {
                Ok(_) => break true,
                Err(lowest) if lowest.value < value => {
                    there.copy_from_slice(&here);
                    add(&mut there, lowest.length, &direction);
                    point.go_to(&there);
                    break true;
                }
                Err(_) => {
                    point.go_to(&here);
                    if steepest {
                        break false;
                    }
                    method.forget();
                    steepest = true;
                }
            }
        };
        if !found {
            break Ended::Stalled;
        }
        for ((d, there), here) in direction.iter_mut().zip(&there).zip(&mut here) {
            *d = *there - *here;
            *here = *there;
        }
        before.iter_mut().zip(&point.gradient).for_each(|(b, g)| *b = *g - *b);
        method.moved(&direction, &before);
        steepest = false;
        iterations += 1;
    };
    let (value, gradient) = (point.value, point.largest());
    Ok(Minimum {
        value,
        gradient,
        iterations,
        evaluations: point.evaluations,
        products: point.products,
        ended,
    })
}
