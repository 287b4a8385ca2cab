//! Conjugate gradients for several right-hand sides at once.

use std::ops::ControlFlow;

use nalgebra::DMatrix;

use crate::linalg::dot;
use crate::settings::{Range, at_least_one, check};
use crate::{Error, Float, Result};

/// Where an iterative fit stands when it asks its observer whether to go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum IterativeProgress {
    /// Between two blocks of work. `Break` ends the fit with the solution of the last iteration.
    Working,
    /// After an iteration.
    Iteration {
        /// From 1.
        number: usize,
        /// The largest relative residual of any column.
        residual: f64,
    },
}

/// Asks the observer between two blocks of work.
///
/// # Errors
/// [`Error::Interrupted`] if it breaks.
pub(super) fn working(observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>) -> Result<()> {
    if observe(IterativeProgress::Working).is_break() { Err(Error::Interrupted) } else { Ok(()) }
}

/// What conjugate gradients came to.
#[derive(Debug, PartialEq)]
pub(super) struct Found<T: Float> {
    /// The solution.
    pub x: DMatrix<T>,
    /// The largest relative residual √(rᵀP⁻¹r) of any column after every iteration.
    pub residuals: Vec<f64>,
    /// B − A·X, as it was carried along.
    pub left: DMatrix<T>,
    /// Whether rounding has taken positive definiteness from A or P before a column was solved: it stays as it was then.
    pub broken: bool,
}

/// Solves A·X = B for every column of B from X = 0, with `precondition` in place of a product with A⁻¹ (Hestenes and
/// Stiefel, 1952). After each iteration `observe` says whether there is another.
///
/// `apply` is handed the observer for its own work: where it returns [`Error::Interrupted`], the solution is
/// that of the iterations before.
///
/// # Errors
/// [`Error::NonFinite`] if a product is not finite; [`Error::Interrupted`] if `apply` is before the end of
/// the first iteration.
pub(super) fn conjugate_gradients<T: Float>(
    b: DMatrix<T>,
    iterations: usize,
    tolerance: f64,
    mut apply: impl FnMut(&DMatrix<T>, &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>) -> Result<DMatrix<T>>,
    mut precondition: impl FnMut(&DMatrix<T>) -> DMatrix<T>,
    observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>,
) -> Result<Found<T>> {
    let (m, c) = b.shape();
    let mut x = DMatrix::<T>::zeros(m, c);
    let mut r = b;
    let mut z = precondition(&r);
    let mut p = z.clone();
    let first: Vec<f64> = (0..c).map(|j| finite(column_dot(&r, &z, j), 0)).collect::<Result<_>>()?;
    let mut now = first.clone();
    let mut residuals = Vec::new();
    let mut broken = false;
    let epsilon = T::EPSILON.to_f64();
    for iteration in 1..=iterations {
        let q = match apply(&p, observe) {
            // There is a solution to hand back.
            Err(Error::Interrupted) if iteration > 1 => break,
            product => product?,
        };
        let mut active = vec![true; c];
        for j in 0..c {
            let curvature = finite(column_dot(&p, &q, j), iteration)?;
            // A column that is solved, or whose digits are used up, stays as it is: beyond that, quotients of
            // ever smaller numbers grow without bound.
            if curvature <= 0.0 || now[j] <= first[j] * epsilon * epsilon {
                broken |= now[j] > first[j] * epsilon;
                p.column_mut(j).fill(T::ZERO);
                active[j] = false;
                continue;
            }
            let step = T::of(now[j] / curvature);
            x.column_mut(j).zip_apply(&p.column(j), |x, p| *x += step * p);
            r.column_mut(j).zip_apply(&q.column(j), |r, q| *r -= step * q);
        }
        z = precondition(&r);
        for j in (0..c).filter(|j| active[*j]) {
            let next = finite(column_dot(&r, &z, j), iteration)?;
            // Rounding may take it below 0 where little is left. Where much is, that it is 0 would be a lie.
            if next < 0.0 && now[j] > first[j] * epsilon {
                broken = true;
                p.column_mut(j).fill(T::ZERO);
                continue;
            }
            let next = next.max(0.0);
            let share = T::of(next / now[j]);
            p.column_mut(j).zip_apply(&z.column(j), |p, z| *p = z + share * *p);
            now[j] = next;
        }
        let relative =
            now.iter().zip(&first).map(|(now, first)| if *first > 0.0 { now / first } else { 0.0 });
        let largest = relative.fold(0.0, f64::max).sqrt();
        residuals.push(largest);
        let go_on = observe(IterativeProgress::Iteration { number: iteration, residual: largest });
        // Columns that have broken do not move any more.
        let is_stuck = broken && !active.contains(&true);
        if go_on.is_break() || largest <= tolerance || is_stuck {
            break;
        }
    }
    Ok(Found { x, residuals, left: r, broken })
}

/// The same for an A that is positive definite but for rounding, as K + nλI with a small λ is; `near` says that λ is so small
/// that it may not be. The solution and its residuals.
///
/// In exact arithmetic ½xᵀAx − bᵀx falls from 0 with every iteration. Where λ is lost in the rounding of K it rises, while
/// the residuals that are carried along fall as if all were well. So where that can be, both are computed anew, at the price
/// of one product, and the last residual is the true one.
///
/// # Errors
/// As [`conjugate_gradients`]; [`Error::Setting`] for `lambda` if the solution would be worse than none, or what is carried
/// along as the rest is off by as much as all of B.
pub(super) fn checked<T: Float>(
    b: DMatrix<T>,
    (iterations, tolerance): (usize, f64),
    (lambda, near): (f64, bool),
    mut apply: impl FnMut(&DMatrix<T>, &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>) -> Result<DMatrix<T>>,
    mut precondition: impl FnMut(&DMatrix<T>) -> DMatrix<T>,
    observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>,
) -> Result<(DMatrix<T>, Vec<f64>)> {
    let found =
        conjugate_gradients(b.clone(), iterations, tolerance, &mut apply, &mut precondition, observe)?;
    let Found { x, mut residuals, left, broken } = found;
    let Some(last) = residuals.last_mut().filter(|last| near || broken || **last > 1.0) else {
        return Ok((x, residuals));
    };
    // Whoever has ended the iterations waits for what they came to.
    let product = apply(&x, &mut |_| ControlFlow::Continue(()))?;
    let r = &b - &product;
    for j in (0..b.ncols()).filter(|j| column_dot(&b, &b, *j) > 0.0) {
        let value = 0.5 * column_dot(&x, &product, j) - column_dot(&b, &x, j);
        // Where coefficients are so large that the value is lost as well: how far what is left has gone astray. And where
        // positive definiteness is lost, nothing holds of the value, and what is left is to be less than all.
        let size =
            |off: &dyn Fn(usize) -> T| (0..b.nrows()).map(|i| off(i).to_f64()).map(|x| x * x).sum::<f64>();
        let astray = size(&|i| r[(i, j)] - left[(i, j)]);
        let rest = if broken { size(&|i| r[(i, j)]) } else { 0.0 };
        // So that a NaN is an error too.
        if !(value < 0.0 && Float::max(astray, rest) < column_dot(&b, &b, j)) {
            let why = format!(
                "{lambda:e} is too small for {}: conjugate gradients lose it in the rounding of the kernel matrix, and end \
                 further from the solution than they began; take a larger one{}",
                T::NAME,
                if size_of::<T>() < size_of::<f64>() { ", or f64" } else { "" }
            );
            return Err(Error::setting("lambda", why));
        }
    }
    let (z, first) = (precondition(&r), precondition(&b));
    let share = |j: usize| match (column_dot(&r, &z, j), column_dot(&b, &first, j)) {
        (rest, size) if rest >= 0.0 && size > 0.0 => rest / size,
        // In a preconditioner that is not positive definite there are no lengths.
        _ => match column_dot(&b, &b, j) {
            size if size > 0.0 => column_dot(&r, &r, j) / size,
            _ => 0.0,
        },
    };
    *last = last.max((0..b.ncols()).map(share).fold(0.0, f64::max).sqrt());
    Ok((x, residuals))
}

/// An error where numbers have left the finite range: a NaN must not pass for a solved column.
fn finite(x: f64, iteration: usize) -> Result<f64> {
    if x.is_finite() {
        return Ok(x);
    }
    Err(Error::NonFinite(format!(
        "conjugate gradients: iteration {iteration} has met {x}; values are beyond the number type: scaled \
         features, another kernel setting or f64 may help"
    )))
}

/// At least one iteration, and a tolerance from 0 to below 1, with which nothing would be solved.
pub(super) fn check_iterations(iterations: usize, tolerance: f64) -> Result<()> {
    at_least_one("iterations", iterations)?;
    check::<f64>("tolerance", tolerance, Range::BELOW_ONE).map(drop)
}

fn column_dot<T: Float>(a: &DMatrix<T>, b: &DMatrix<T>, j: usize) -> f64 {
    let m = a.nrows();
    dot(&a.as_slice()[j * m..(j + 1) * m], &b.as_slice()[j * m..(j + 1) * m]).to_f64()
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use nalgebra::{DMatrix, dmatrix};

    use super::{IterativeProgress, checked, conjugate_gradients, working};
    use crate::{Error, Float, Result};

    /// A·X = B without a preconditioner, to the end.
    fn solve<T: Float>(
        b: &DMatrix<T>,
        iterations: usize,
        apply: impl Fn(&DMatrix<T>) -> DMatrix<T>,
    ) -> Result<(DMatrix<T>, Vec<f64>)> {
        let go_on = &mut |_| ControlFlow::Continue(());
        // No residual is below it.
        let found =
            conjugate_gradients(b.clone(), iterations, -1.0, |p, _| Ok(apply(p)), DMatrix::clone, go_on)?;
        assert!(!found.broken);
        Ok((found.x, found.residuals))
    }

    /// A matrix that is not positive definite, or a preconditioner that is not: nothing passes for solved.
    #[test]
    fn what_is_not_positive_definite_is_said() {
        let a = dmatrix![1.0, 2.0; 2.0, 1.0];
        let b = dmatrix![1.0; -1.5];
        let go_on = &mut |_| ControlFlow::Continue(());
        let apply = |p: &DMatrix<f64>, _: &mut dyn FnMut(_) -> _| Ok(&a * p);
        let found = conjugate_gradients(b.clone(), 9, 0.0, apply, DMatrix::clone, go_on).unwrap();
        assert!(found.broken && found.residuals.iter().all(|r| *r > 0.1), "{found:?}");
        let mut checks = |near| checked(b.clone(), (9, 0.0), (1e-20, near), apply, DMatrix::clone, go_on);
        for near in [false, true] {
            let error = checks(near).unwrap_err().to_string();
            assert!(error.contains("lambda: 1e-20 is too small for f64: conj"), "{error}");
        }
    }

    /// A small λ alone is no fault: wherever such a fit is stopped, by a number or by somebody, it is told as it is.
    #[test]
    fn a_checked_solution_may_be_stopped_at_any_time() {
        let a = DMatrix::from_fn(8, 8, |i, j| 1.0 / (1 + i + j) as f64 + if i == j { 1e-6 } else { 0.0 });
        let b = DMatrix::from_fn(8, 1, |i, _| if i % 2 == 0 { 1.0 } else { -1.0 });
        let apply = |p: &DMatrix<f64>, observe: &mut dyn FnMut(_) -> _| {
            working(observe)?;
            Ok(&a * p)
        };
        for iterations in 1..12 {
            let go_on = &mut |_| ControlFlow::Continue(());
            let (x, _) =
                checked(b.clone(), (iterations, 0.0), (1e-6, true), apply, DMatrix::clone, go_on).unwrap();
            let mut done = 0;
            let stop = &mut |progress| {
                done += usize::from(matches!(progress, IterativeProgress::Iteration { .. }));
                if done >= iterations { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let (stopped, _) =
                checked(b.clone(), (99, 0.0), (1e-6, true), apply, DMatrix::clone, stop).unwrap();
            assert_eq!(x, stopped);
        }
    }

    /// The residual that is carried along says that all is well; the true one is told.
    #[test]
    fn the_last_residual_of_a_checked_solution_is_the_true_one() {
        let a = dmatrix![4.0, 1.0; 1.0, 3.0];
        let b = dmatrix![1.0; 2.0];
        let go_on = &mut |_| ControlFlow::Continue(());
        let mut asked = 0;
        // From the third product on another matrix.
        let apply = |p: &DMatrix<f64>, _: &mut dyn FnMut(_) -> _| {
            asked += 1;
            Ok(&a * p * if asked > 2 { 1.5 } else { 1.0 })
        };
        let (_, residuals) = checked(b.clone(), (2, 0.0), (1.0, true), apply, DMatrix::clone, go_on).unwrap();
        assert_eq!(residuals.len(), 2);
        assert!((residuals[1] - 0.5).abs() < 1e-12, "{residuals:?}");
    }

    #[test]
    fn a_small_system_in_as_many_steps_as_it_has_unknowns() {
        let a = dmatrix![4.0, 1.0; 1.0, 3.0];
        let b = dmatrix![1.0, 0.0; 2.0, 0.0];
        let (x, residuals) = solve(&b, 2, |p| &a * p).unwrap();
        assert!((&a * &x - b).amax() < 1e-14, "{x}");
        assert!(residuals[1] < 1e-14);
    }

    /// Long after there is nothing left to gain, nothing is lost either.
    #[test]
    fn iterations_without_end_stay_at_the_solution() {
        let a =
            DMatrix::from_fn(5, 5, |i, j| 1.0f32 / (1.0 + (i + j) as f32) + if i == j { 0.5 } else { 0.0 });
        let b = DMatrix::from_fn(5, 2, |i, j| (i + 1) as f32 * if j == 0 { 1.0 } else { -0.3 });
        let (x, residuals) = solve(&b, 5000, |p| &a * p).unwrap();
        assert!((&a * &x - b).amax() < 1e-5, "{x}");
        assert!(residuals[4999] < 1e-6, "{}", residuals[4999]);
    }

    /// A NaN must not pass for a column that is solved.
    #[test]
    fn numbers_that_are_not_finite_are_an_error() {
        for bad in [f64::NAN, f64::INFINITY] {
            let found = solve(&dmatrix![1.0; 2.0], 3, |p| p * bad);
            assert!(matches!(found, Err(Error::NonFinite(_))), "{found:?}");
        }
    }
    /// Asked twice in each product: an end in the third one leaves the solution of two iterations.
    #[test]
    fn an_end_within_an_iteration_leaves_what_the_last_one_had() {
        let a = DMatrix::from_fn(6, 6, |i, j| 1.0 / (1 + i + j) as f64 + if i == j { 0.1 } else { 0.0 });
        let b = dmatrix![1.0; 2.0; 3.0; 4.0; 5.0; 6.0];
        let run = |last: usize| {
            let (mut asked, mut finished) = (0, 0);
            let mut observe = |progress| {
                match progress {
                    IterativeProgress::Working => asked += 1,
                    IterativeProgress::Iteration { number, .. } => finished = number,
                }
                if asked > last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let apply = |p: &DMatrix<f64>, observe: &mut dyn FnMut(_) -> _| {
                working(observe)?;
                working(observe)?;
                Ok(&a * p)
            };
            let found = conjugate_gradients(b.clone(), 6, -1.0, apply, DMatrix::clone, &mut observe);
            (found, finished)
        };
        for last in [4, 5] {
            let (found, finished) = run(last);
            let found = found.unwrap();
            assert_eq!((found.residuals.len(), finished), (2, 2));
            assert_eq!((found.x, found.residuals), solve(&b, 2, |p| &a * p).unwrap());
        }
        for last in [0, 1] {
            assert!(matches!(run(last).0, Err(Error::Interrupted)));
        }
    }
}
