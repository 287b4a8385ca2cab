//! A sum of kernel functions at given centres.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::functions::{Kernel, kernels};
use super::gram::cross_block;
use super::machine::KernelMachine;
use super::samples::{Rows, Samples};
use crate::linalg::{Mat, gemm};
use crate::metrics::SeenClasses;
use crate::store::{Settings, Store, Stored, known};
use crate::text::count;
use crate::{Error, Float, Result};

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
            "Expansion: {}, but {} of α",
            count(centres.len(), "centre"),
            count(alpha.nrows(), "row")
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
        assert!(
            classes == columns,
            "Expansion: {}, but {} of α",
            count(classes, "class"),
            count(columns, "column")
        );
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

    fn store(&self, to: &mut Store) -> Result<Settings> {
        store(&self.name, &*self.kernel, &self.centres, &self.alpha, to)
    }

    fn predict_block(&self, x: Rows<'_, T>, out: &mut [T]) {
        expand(self.kernel.as_ref(), x, self.centres.rows(), &self.alpha, out);
    }
}

/// K(X, C)·α into `out`, row-major.
pub(super) fn expand<T: Float>(
    kernel: &dyn Kernel<T>,
    x: Rows<'_, T>,
    centres: Rows<'_, T>,
    alpha: &DMatrix<T>,
    out: &mut [T],
) {
    let mut k = vec![T::ZERO; x.len() * centres.len()];
    cross_block(kernel, x, centres, &mut k);
    // Column-major α is row-major αᵀ.
    let alpha = Mat::new(alpha.as_slice(), alpha.ncols(), alpha.nrows()).t();
    gemm(out, false, Mat::new(&k, x.len(), centres.len()), alpha);
}

/// What a file holds of Σⱼ αⱼ·k(x, cⱼ). Which classes occurred in training is known to the [task](crate::models::Task).
pub(super) fn store<T: Float>(
    name: &str,
    kernel: &dyn Kernel<T>,
    centres: &Samples<T>,
    alpha: &DMatrix<T>,
    to: &mut Store,
) -> Result<Settings> {
    let Some((known, settings)) = kernel.settings() else {
        return Err(Error::Data(format!(
            "{name} cannot be saved: its kernel is not in the table of kernels"
        )));
    };
    to.put("centres", centres.len(), centres.features(), centres.rows().values);
    to.put_matrix("alpha", alpha);
    let settings =
        Settings::of("expansion").with("name", name).with("kernel", known).with("settings", settings);
    Ok(settings.with("precision", T::NAME))
}

impl<T: Float> Expansion<T> {
    /// What a file holds of it; see [`store`].
    pub(crate) fn restore(settings: &Settings, from: &Stored) -> Result<Self> {
        let kernel: String = settings.get("kernel")?;
        let entry = known("kernel", &kernel, kernels::<T>().map(|entry| (entry.name, entry)))?;
        let kernel = (entry.build)(&settings.get("settings")?)?;
        let centres = from.matrix("centres")?;
        let (rows, features) = centres.shape();
        let centres = Samples::new(centres.into_vec(), features)?;
        let alpha = from.dmatrix::<T>("alpha")?;
        if alpha.nrows() != rows {
            let why =
                format!("{}, but {} of α in the file", count(rows, "centre"), count(alpha.nrows(), "row"));
            return Err(Error::Data(why));
        }
        Ok(Expansion::new(settings.get("name")?, kernel, centres, alpha))
    }
}
