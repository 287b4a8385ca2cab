//! L-BFGS: what the last steps say of the curvature.

use super::{Minimizer, Point, add, against, inner};
use crate::settings::at_least_one;
use crate::{Float, Result};

/// The quasi-Newton method of limited memory: d = −H·g, where H is the inverse Hessian as the last m steps have it.
///
/// With s = θ′ − θ and y = g′ − g of each of them, newest first, H is built from γI, γ = sᵀy/yᵀy of the newest, by the
/// two loops of Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", Math. Comp. 35 (1980), and of Liu and
/// Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", Math. Prog. 45 (1989). It takes
/// 2m numbers for each parameter, and 4m multiply-adds for each and step.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::optim::{Ended, Lbfgs, MinimizeOptions, minimize};
///
/// let mut tape = Tape::new();
/// let (x, y) = (tape.param_slice(1, 1, &[-1.2]), tape.param_slice(1, 1, &[1.0]));
/// let rosenbrock = |tape: &mut Tape| {
///     tape.scope(|s| {
///         let (x, y) = (s.var(x), s.var(y));
///         ((1.0 - x).square() + (y - x.square()).square() * 100.0).var()
///     })
/// };
/// let found = minimize(&mut tape, rosenbrock, &mut Lbfgs::default(), &MinimizeOptions::default())?;
/// assert!(found.ended == Ended::Converged && found.evaluations < 60);
/// assert!((tape.item(x) - 1.0).abs() < 1e-5 && (tape.item(y) - 1.0).abs() < 1e-5);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lbfgs<T: Float> {
    memory: usize,
    /// The newest last.
    pairs: Vec<Pair<T>>,
}

#[derive(Clone, Debug)]
struct Pair<T> {
    step: Vec<T>,
    change: Vec<T>,
    /// sᵀy.
    curvature: f64,
}

impl<T: Float> Lbfgs<T> {
    /// Remembers `memory` steps.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `memory` is 0.
    pub fn new(memory: usize) -> Result<Self> {
        at_least_one("memory", memory)?;
        Ok(Lbfgs { memory, pairs: Vec::new() })
    }
}

/// m = 10.
impl<T: Float> Default for Lbfgs<T> {
    fn default() -> Self {
        Lbfgs { memory: 10, pairs: Vec::new() }
    }
}

impl<T: Float> Minimizer<T> for Lbfgs<T> {
    fn name(&self) -> &'static str {
        "lbfgs"
    }

    fn direction(&mut self, at: &mut Point<'_, T>, direction: &mut [T]) -> Result<()> {
        if self.pairs.is_empty() {
            // Nothing is known of the scale.
            against(at.gradient(), direction);
            return Ok(());
        }
        direction.iter_mut().zip(at.gradient()).for_each(|(d, g)| *d = -*g);
        let mut shares = vec![0.0; self.pairs.len()];
        for (pair, share) in self.pairs.iter().zip(&mut shares).rev() {
            *share = inner(&pair.step, direction) / pair.curvature;
            add(direction, -*share, &pair.change);
        }
        if let Some(newest) = self.pairs.last() {
            let scale = T::of(newest.curvature / inner(&newest.change, &newest.change));
            direction.iter_mut().for_each(|d| *d *= scale);
        }
        for (pair, share) in self.pairs.iter().zip(&shares) {
            let against = inner(&pair.change, direction) / pair.curvature;
            add(direction, share - against, &pair.step);
        }
        Ok(())
    }

    fn moved(&mut self, step: &[T], change: &[T]) {
        let (curvature, squares) = (inner(step, change), inner(change, change));
        let norm = inner(step, step);
        // The Wolfe conditions make it positive, but for rounding. What is lost in that says nothing.
        if !(curvature > T::EPSILON.to_f64() * (norm * squares).sqrt() && squares > 0.0) {
            return;
        }
        let mut pair = if self.pairs.len() == self.memory {
            self.pairs.remove(0)
        } else {
            Pair { step: step.to_vec(), change: change.to_vec(), curvature }
        };
        pair.step.copy_from_slice(step);
        pair.change.copy_from_slice(change);
        pair.curvature = curvature;
        self.pairs.push(pair);
    }

    fn forget(&mut self) {
        self.pairs.clear();
    }
}
