//! Conjugate gradients for several right-hand sides at once.

use nalgebra::DMatrix;

use crate::linalg::dot;
use crate::{Error, Float, Result};

/// Solves A·X = B for every column of B from X = 0, with `precondition` in place of a product with A⁻¹; the
/// solution, and the largest relative residual √(rᵀP⁻¹r) of any column after every iteration (Hestenes and
/// Stiefel, 1952), after which `go_on` says whether there is another.
pub(super) fn conjugate_gradients<T: Float>(
    b: DMatrix<T>,
    iterations: usize,
    mut apply: impl FnMut(&DMatrix<T>) -> DMatrix<T>,
    mut precondition: impl FnMut(&DMatrix<T>) -> DMatrix<T>,
    mut go_on: impl FnMut(usize, f64) -> bool,
) -> (DMatrix<T>, Vec<f64>) {
    let (m, c) = b.shape();
    let mut x = DMatrix::<T>::zeros(m, c);
    let mut r = b;
    let mut z = precondition(&r);
    let mut p = z.clone();
    let first: Vec<f64> = (0..c).map(|j| column_dot(&r, &z, j)).collect();
    let mut now = first.clone();
    let mut residuals = Vec::new();
    for iteration in 1..=iterations {
        let q = apply(&p);
        let mut active = vec![true; c];
        for j in 0..c {
            let curvature = column_dot(&p, &q, j);
            // A column that is solved, or whose digits are used up, stays as it is.
            if curvature.is_nan() || curvature <= 0.0 || now[j] <= 0.0 {
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
            // Rounding may take it below 0 where little is left.
            let next = column_dot(&r, &z, j).max(0.0);
            let share = T::of(next / now[j]);
            p.column_mut(j).zip_apply(&z.column(j), |p, z| *p = z + share * *p);
            now[j] = next;
        }
        let relative =
            now.iter().zip(&first).map(|(now, first)| if *first > 0.0 { now / first } else { 0.0 });
        let largest = relative.fold(0.0, f64::max).sqrt();
        residuals.push(largest);
        if !go_on(iteration, largest) {
            break;
        }
    }
    (x, residuals)
}

/// At least one iteration, and a tolerance that is a number not below 0.
pub(super) fn check_iterations(iterations: usize, tolerance: f64) -> Result<()> {
    if iterations == 0 {
        return Err(Error::setting("iterations", "0: must be at least 1"));
    }
    if tolerance.is_nan() || tolerance < 0.0 {
        return Err(Error::setting("tolerance", format!("{tolerance}: must not be below 0")));
    }
    Ok(())
}

fn column_dot<T: Float>(a: &DMatrix<T>, b: &DMatrix<T>, j: usize) -> f64 {
    let m = a.nrows();
    dot(&a.as_slice()[j * m..(j + 1) * m], &b.as_slice()[j * m..(j + 1) * m]).to_f64()
}
