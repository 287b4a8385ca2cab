//! The same fit seen as a Gaussian process: f ~ GP(0, k), y = f(x) + noise of variance nλ.

use super::exact::KernelRidge;
use super::gram::{cross_block, gram_diagonal};
use super::machine::{KernelMachine, block_rows};
use super::samples::Samples;
use crate::Float;
use crate::linalg::norm_squared;

impl<T: Float> KernelRidge<T> {
    /// Var f(x) given the training targets: k(x, x) − kₓᵀ(K + nλI)⁻¹kₓ, without the noise; not below 0.
    ///
    /// It does not depend on the targets. What is left of the difference has an error of some ε·k(x, x): a
    /// variance below that is rounding, and where it would be negative it is 0. Rasmussen and Williams, "Gaussian Processes for Machine
    /// Learning", 2006, algorithm 2.1.
    ///
    /// # Panics
    /// If the samples have another number of features.
    #[track_caller]
    pub fn posterior_variance(&self, x: &Samples<T>) -> Vec<T> {
        let n = self.x.len();
        let mut variance = gram_diagonal(self.kernel.as_ref(), x.rows());
        let block = block_rows(self.width());
        let mut k = vec![T::ZERO; block.min(x.len()) * n];
        for start in (0..x.len()).step_by(block) {
            let end = x.len().min(start + block);
            let k = &mut k[..(end - start) * n];
            cross_block(self.kernel.as_ref(), x.rows().range(start..end), self.x.rows(), k);
            self.factor.forward(k);
            for (variance, explained) in variance[start..end].iter_mut().zip(k.chunks_exact(n)) {
                *variance = (*variance - norm_squared(explained)).max(T::ZERO);
            }
        }
        variance
    }

    /// ln p(y | X) = −½·yᵀα − ½·ln det(K + nλI) − n/2·ln 2π of every column of targets.
    pub fn log_marginal_likelihood(&self) -> Vec<f64> {
        let constant = self.x.len() as f64 * Float::ln(std::f64::consts::TAU);
        let determinant = self.factor.log_determinant();
        self.fit_terms.iter().map(|fit| -0.5 * (fit + determinant + constant)).collect()
    }
}
