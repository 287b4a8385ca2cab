//! Newton's method without the Hessian.

use super::{Minimizer, Point, add, against, inner, norm};
use crate::settings::at_least_one;
use crate::{Error, Float, Result};

/// The Hessian-free method: d ≈ −H⁻¹g by conjugate gradients, which need products with the Hessian H only.
///
/// A product with H is the gradient of gᵀv ([`Point::hessian_times`]); it costs a few gradients, and H itself is never
/// there (Pearlmutter, "Fast Exact Multiplication by the Hessian", Neural Comput. 6, 1994; Martens, "Deep Learning via
/// Hessian-free Optimization", ICML 2010). The system is solved to a residual of min(½, √‖g‖)·‖g‖, which makes the method
/// converge superlinearly, and left at a direction of negative curvature (Nocedal and Wright, "Numerical Optimization",
/// 2nd ed., algorithm 7.1). The gradient of each operation of the function must be one that can be
/// [recorded](crate::Tape::gradient).
#[derive(Clone, Copy, Debug)]
pub struct NewtonCg {
    products: usize,
}

impl NewtonCg {
    /// With at most `products` products with the Hessian for each step.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `products` is 0.
    pub fn new(products: usize) -> Result<Self> {
        at_least_one("products", products)?;
        Ok(NewtonCg { products })
    }
}

/// At most 200 products for each step.
impl Default for NewtonCg {
    fn default() -> Self {
        NewtonCg { products: 200 }
    }
}

impl<T: Float> Minimizer<T> for NewtonCg {
    fn name(&self) -> &'static str {
        "newton-cg"
    }

    fn direction(&mut self, at: &mut Point<'_, T>, direction: &mut [T]) -> Result<()> {
        // For a gradient of length 1, with whose products no number type is left.
        let length = norm(at.gradient());
        let mut left = vec![T::ZERO; direction.len()];
        against(at.gradient(), &mut left);
        let mut towards = left.clone();
        let mut product = vec![T::ZERO; left.len()];
        let mut now = inner(&left, &left);
        let enough = length.sqrt().min(0.5);
        direction.fill(T::ZERO);
        for count in 0..self.products {
            at.hessian_times(&towards, &mut product);
            let curvature = inner(&towards, &product);
            if !curvature.is_finite() {
                return Err(Error::NonFinite(format!(
                    "newton-cg: a product with the Hessian gave {curvature}; scale the data, or use f64"
                )));
            }
            if curvature <= 0.0 {
                if count == 0 {
                    direction.copy_from_slice(&left);
                    return Ok(());
                }
                break;
            }
            let step = now / curvature;
            add(direction, step, &towards);
            add(&mut left, -step, &product);
            let next = inner(&left, &left);
            if next.sqrt() <= enough {
                break;
            }
            let share = T::of(next / now);
            towards.iter_mut().zip(&left).for_each(|(p, r)| *p = *r + share * *p);
            now = next;
        }
        let length = T::of(length);
        direction.iter_mut().for_each(|d| *d *= length);
        Ok(())
    }
}
