//! A sum of kernel functions at given centres.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::exact::expand;
use super::functions::Kernel;
use super::machine::KernelMachine;
use super::samples::{Rows, Samples};
use crate::Float;
use crate::metrics::SeenClasses;

/// f(x) = Σⱼ αⱼ·k(x, cⱼ): what remains of every fit but the one by random features.
#[derive(Clone, Debug)]
pub struct Expansion<T: Float> {
    name: String,
    kernel: Arc<dyn Kernel<T>>,
    centres: Samples<T>,
    alpha: DMatrix<T>,
    seen: SeenClasses,
}

impl<T: Float> Expansion<T> {
    /// With M centres and α, M×c. All columns count as [seen](Self::with_seen).
    ///
    /// # Panics
    /// If there is not a row of α for each centre.
    #[track_caller]
    pub fn new(name: String, kernel: Arc<dyn Kernel<T>>, centres: Samples<T>, alpha: DMatrix<T>) -> Self {
        assert!(
            centres.len() == alpha.nrows(),
            "Expansion: {} centres, but {} rows of α",
            centres.len(),
            alpha.nrows()
        );
        let seen = SeenClasses::all(alpha.ncols());
        Expansion { name, kernel, centres, alpha, seen }
    }

    /// With the classes that occurred in training, among which [`classify`](KernelMachine::classify) chooses.
    ///
    /// # Panics
    /// If there is not one for each column of α.
    #[track_caller]
    pub fn with_seen(self, seen: SeenClasses) -> Self {
        let (classes, columns) = (seen.classes(), self.alpha.ncols());
        assert!(classes == columns, "Expansion: {classes} classes, but {columns} columns of α");
        Expansion { seen, ..self }
    }

    /// c₁, …, c_M.
    pub fn centres(&self) -> &Samples<T> {
        &self.centres
    }

    /// α, M×c.
    pub fn alpha(&self) -> &DMatrix<T> {
        &self.alpha
    }
}

impl<T: Float> KernelMachine<T> for Expansion<T> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn inputs(&self) -> usize {
        self.centres.features()
    }

    fn outputs(&self) -> usize {
        self.alpha.ncols()
    }

    fn seen(&self) -> &SeenClasses {
        &self.seen
    }

    fn width(&self) -> usize {
        self.centres.len()
    }

    fn predict_block(&self, x: Rows<'_, T>, out: &mut [T]) {
        expand(self.kernel.as_ref(), x, self.centres.rows(), &self.alpha, out);
    }
}
