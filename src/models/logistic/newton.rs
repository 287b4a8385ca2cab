//! Newton's method: iteratively reweighted least squares, to the exact optimum.

use std::ops::ControlFlow;

use nalgebra::DMatrix;

use super::super::conjugate_gradients::{IterativeProgress, conjugate_gradients};
use super::problem::{Point, Problem};
use crate::linalg::{dot, symmetric_eigen};
use crate::{Error, Result};

/// Up to this many parameters, Newton's system is solved by a spectral decomposition; above, by
/// conjugate gradients, which need no matrix of that size. At 300 the decomposition takes some 30 ms.
pub(super) const DIRECT: usize = 300;

/// Scores that change by less than this, relative to 1 + the largest, have converged.
const TOLERANCE: f64 = 1e-9;

/// Relative size of a step below which it may be all rounding: features of very different scales or that
/// depend on each other have a floor above [`TOLERANCE`].
const FLOOR: f64 = 1e-7;

/// Margins that are negative by no more than this share of the largest count as zero.
const SEPARABLE: f64 = 1e-9;

/// The optimum Θ, and the number of Newton steps it took.
///
/// `direct` says how the steps are found.
///
/// # Errors
/// [`Error::Data`] if there is no finite optimum, or none within `max_steps` steps; [`Error::NonFinite`] if
/// the features are so large that products of them overflow.
pub(super) fn minimise(problem: &Problem<'_>, max_steps: usize, direct: bool) -> Result<(Vec<f64>, usize)> {
    let mut theta = vec![0.0; problem.p * problem.k];
    if theta.is_empty() {
        return Ok((theta, 0));
    }
    let mut point = problem.at(&theta);
    let first = dot(&point.gradient, &point.gradient).sqrt();
    let mut last_size = f64::INFINITY;
    for count in 1..=max_steps {
        let norm = dot(&point.gradient, &point.gradient).sqrt();
        check_finite(norm, count)?;
        if norm == 0.0 {
            return Ok((theta, count - 1));
        }
        let step = if direct {
            direct_step(problem, &point)?
        } else {
            // The forcing term of an inexact Newton method that converges superlinearly: Dembo, Eisenstat
            // and Steihaug, "Inexact Newton Methods", SIAM J. Numer. Anal. 19, 1982.
            conjugate_gradient_step(problem, &point, (norm / first).sqrt().min(0.1))?
        };
        check_finite(dot(&step, &step), count)?;
        let change = problem.scores(&step);
        // The sum, since the largest of some numbers passes over a NaN.
        check_finite(change.iter().chain(&point.z).sum(), count)?;
        if problem.lambda == 0.0 {
            check_separable(problem, &point.z, &change)?;
        }
        let largest = |z: &[f64]| z.iter().fold(0.0f64, |a, b| a.max(b.abs()));
        let size = largest(&change) / (1.0 + largest(&point.z));
        // On the floor of the rounding, steps no longer get shorter.
        if size <= TOLERANCE || (size <= FLOOR && size >= last_size) {
            add(&mut theta, 1.0, &step);
            return Ok((theta, count));
        }
        last_size = size;
        let slope = dot(&point.gradient, &step);
        let mut length = 1.0;
        loop {
            let mut next = theta.clone();
            add(&mut next, length, &step);
            let there = problem.at(&next);
            // Armijo's rule. Near the optimum the values differ by their rounding only.
            let rounding = 1e-14 * (1.0 + point.value.abs());
            if there.value <= point.value + 1e-4 * length * slope + rounding {
                (theta, point) = (next, there);
                break;
            }
            length *= 0.5;
            if length < 1e-10 {
                return Err(not_converged(problem, &point, count));
            }
        }
    }
    Err(not_converged(problem, &point, max_steps))
}

/// An error where numbers have left the finite range, before a NaN passes for convergence.
fn check_finite(x: f64, step: usize) -> Result<()> {
    if x.is_finite() {
        return Ok(());
    }
    Err(Error::NonFinite(format!(
        "Newton's method: step {step} has met {x}; scale the features to a common range first"
    )))
}

fn add(theta: &mut [f64], length: f64, step: &[f64]) {
    theta.iter_mut().zip(step).for_each(|(t, s)| *t += length * s);
}

/// −H⁺g by the spectral decomposition of D⁻¹HD⁻¹, with D² the diagonal of H.
///
/// D makes the scales of the features equal. Directions in which the objective is flat (features that
/// depend on each other, a constant added to the scores of all classes) are left alone.
fn direct_step(problem: &Problem<'_>, point: &Point) -> Result<Vec<f64>> {
    let side = problem.p * problem.k;
    let mut hessian = DMatrix::from_vec(side, side, problem.hessian(&point.probabilities)?);
    let scale: Vec<f64> =
        (0..side).map(|i| hessian[(i, i)].sqrt()).map(|d| if d > 0.0 { d } else { 1.0 }).collect();
    for (j, mut column) in hessian.column_iter_mut().enumerate() {
        column.iter_mut().zip(&scale).for_each(|(h, d)| *h /= d * scale[j]);
    }
    let eigen = symmetric_eigen(&hessian)?;
    let largest = eigen.values.iter().fold(0.0f64, |a, b| a.max(*b));
    let cut = side as f64 * 4.0 * f64::EPSILON * largest;
    let mut step = vec![0.0; side];
    let gradient = centred(problem.k, point.gradient.clone());
    let right: Vec<f64> = gradient.iter().zip(&scale).map(|(g, d)| -g / d).collect();
    for (value, vector) in eigen.values.iter().zip(eigen.vectors.column_iter()).filter(|(v, _)| **v > cut) {
        let along = dot(vector.as_slice(), &right) / value;
        add(&mut step, along, vector.as_slice());
    }
    step.iter_mut().zip(&scale).for_each(|(s, d)| *s /= d);
    Ok(centred(problem.k, step))
}

/// Without the mean over the `k` classes of each row. Θ begins at 0, and an exact step sums to 0 over the classes, for so
/// does the gradient. What rounding leaves of it along a constant that is added to all classes meets next to no curvature
/// there, and would grow to any size.
fn centred(k: usize, mut values: Vec<f64>) -> Vec<f64> {
    for row in values.chunks_mut(k).filter(|_| k > 1) {
        let mean = row.iter().sum::<f64>() / k as f64;
        row.iter_mut().for_each(|x| *x -= mean);
    }
    values
}

/// −H⁻¹g by conjugate gradients with the diagonal of H as preconditioner, to a residual of `tolerance`
/// times the gradient.
///
/// # Errors
/// [`Error::NonFinite`] if a product with H overflows.
fn conjugate_gradient_step(problem: &Problem<'_>, point: &Point, tolerance: f64) -> Result<Vec<f64>> {
    let diagonal = problem.hessian_diagonal(&point.probabilities);
    let side = diagonal.len();
    let vector = |numbers: Vec<f64>| DMatrix::from_vec(side, 1, centred(problem.k, numbers));
    let target = vector(point.gradient.iter().map(|g| -g).collect());
    let apply = |p: &DMatrix<f64>, _: &mut dyn FnMut(_) -> _| {
        Ok(DMatrix::from_vec(side, 1, problem.hessian_times(&point.probabilities, p.as_slice())))
    };
    let precondition = |r: &DMatrix<f64>| {
        vector(r.iter().zip(&diagonal).map(|(r, d)| if *d > 0.0 { r / d } else { 0.0 }).collect())
    };
    let mut last = f64::NAN;
    let go_on = &mut |progress| match progress {
        // Where curvature is lost in rounding, nothing moves any more.
        IterativeProgress::Iteration { residual, .. } if residual == last => ControlFlow::Break(()),
        IterativeProgress::Iteration { residual, .. } => {
            last = residual;
            ControlFlow::Continue(())
        }
        IterativeProgress::Working => ControlFlow::Continue(()),
    };
    let found = conjugate_gradients(target, 10 * side, tolerance, apply, precondition, go_on)?;
    Ok(found.x.as_slice().to_vec())
}

/// Whether there are parameters that separate the classes, so that without a penalty the objective falls
/// for ever along them.
///
/// Complete separation: the scores z, or those of the step, have a positive margin for every sample; making
/// such parameters larger makes the loss smaller without end. Quasi-complete: so has the step, but for
/// margins of zero, and it does not get shorter. Albert and Anderson, "On the Existence of Maximum Likelihood
/// Estimates in Logistic Regression Models", Biometrika 71, 1984.
fn check_separable(problem: &Problem<'_>, z: &[f64], change: &[f64]) -> Result<()> {
    let (least, largest) = problem.margins(z);
    let mut complete = least > SEPARABLE * largest;
    let (least, largest) = problem.margins(change);
    complete |= least > SEPARABLE * largest;
    // Along a direction of recession the loss is like e^(−m), on which Newton's steps have length 1.
    let quasi = largest > 0.5 && least >= -SEPARABLE * largest;
    if complete || quasi {
        return Err(Error::Data(format!(
            "logistic: the classes are {} by a linear function, so that without a penalty the weights grow \
             for ever; give a lambda above 0",
            if complete { "separable" } else { "separable, but for samples on the boundary," }
        )));
    }
    Ok(())
}

fn not_converged(problem: &Problem<'_>, point: &Point, steps: usize) -> Error {
    let (_, largest) = problem.margins(&point.z);
    let norm = dot(&point.gradient, &point.gradient).sqrt();
    Error::Data(format!(
        "logistic: no convergence in {steps} Newton steps: the norm of the gradient is {norm:e}, the largest \
         difference of logits {largest:.1}; a larger lambda, or features of equal scale around 0, may help"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, standard_normal, stream};

    /// Both ways to find a step lead to the same optimum, with and without columns that depend on each
    /// other, and at scales of the features that differ by eight orders.
    #[test]
    fn both_solvers_agree() {
        let mut rng = stream(3, Purpose::Data);
        let (n, d) = (80, 4);
        for (k, lambda, twice) in [
            (1, 0.0, false),
            (1, 0.01, true),
            (1, 0.0, true),
            (3, 0.0, false),
            (3, 0.01, true),
            (3, 0.0, true),
        ] {
            let p = d + 1 + usize::from(twice);
            let mut x = Vec::new();
            for _ in 0..n {
                let row: Vec<f64> = (0..d).map(|_| standard_normal(&mut rng)).collect();
                x.extend(row.iter().zip([1.0, 1e4, 1e-4, 1.0]).map(|(x, scale)| x * scale));
                if twice {
                    x.push(row[0]);
                }
                x.push(1.0);
            }
            let labels: Vec<usize> =
                (0..n).map(|i| usize::from(x[i * p] + standard_normal(&mut rng) > 0.0)).collect();
            let labels: Vec<usize> =
                labels.iter().enumerate().map(|(i, l)| if k == 3 && i % 3 == 0 { 2 } else { *l }).collect();
            let problem = Problem { x: &x, labels: &labels, weights: None, p, k, d: p - 1, lambda };
            let scores = |direct| {
                let (theta, steps) = minimise(&problem, 100, direct).unwrap();
                assert!(steps < 30, "{steps}");
                let z = problem.scores(&theta);
                // A constant added to all classes changes nothing.
                let centre = |row: &[f64]| if k == 1 { 0.0 } else { row.iter().sum::<f64>() / k as f64 };
                z.chunks(k).flat_map(|row| row.iter().map(|z| z - centre(row)).collect::<Vec<_>>()).collect()
            };
            let (direct, iterative): (Vec<f64>, Vec<f64>) = (scores(true), scores(false));
            for (a, b) in direct.iter().zip(&iterative) {
                assert!((a - b).abs() < 1e-8, "{a} {b}, k = {k}, lambda = {lambda}, twice: {twice}");
            }
        }
    }
}
