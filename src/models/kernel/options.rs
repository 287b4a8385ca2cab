//! What all fits are told, and the memory they may take.

use super::samples::Samples;
use crate::{Error, Float, Result};

/// λ and the memory that a fit may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeOptions {
    /// λ ≥ 0 of K + nλI.
    pub lambda: f64,
    /// Bytes that the fit may hold at once, the samples included.
    pub memory: u64,
}

impl RidgeOptions {
    /// λ, and 8 GiB of memory.
    pub fn new(lambda: f64) -> Self {
        RidgeOptions { lambda, memory: 8 << 30 }
    }

    /// With another limit of memory, in bytes.
    pub fn with_memory(self, memory: u64) -> Self {
        RidgeOptions { memory, ..self }
    }

    /// nλ.
    pub(super) fn ridge(&self, n: usize) -> f64 {
        self.lambda * n as f64
    }

    pub(super) fn check_lambda(&self) -> Result<()> {
        check_lambda(self.lambda)
    }

    /// An error if `numbers` of type `T` are more than the memory allows.
    pub(super) fn check_memory<T: Float>(&self, what: &str, numbers: u128, way_out: &str) -> Result<()> {
        let bytes = numbers.saturating_mul(size_of::<T>() as u128);
        if bytes <= u128::from(self.memory) {
            return Ok(());
        }
        let gib = |bytes: f64| bytes / f64::from(1 << 30);
        let (needed, allowed) = (gib(bytes as f64), gib(self.memory as f64));
        let why = format!("{what} takes {needed:.3} GiB, and {allowed:.3} GiB are allowed; {way_out}");
        Err(Error::setting("memory", why))
    }
}

pub(crate) fn check_lambda(lambda: f64) -> Result<()> {
    if lambda.is_finite() && lambda >= 0.0 {
        return Ok(());
    }
    Err(Error::setting("lambda", format!("{lambda}: must be finite and not below 0")))
}

/// An error unless there is a finite row of targets for each sample, and one column at least.
pub(super) fn check_targets<T: Float>(x: &Samples<T>, y: &nalgebra::DMatrix<T>) -> Result<()> {
    if y.nrows() != x.len() {
        return Err(Error::Data(format!("{} rows of targets for {} samples", y.nrows(), x.len())));
    }
    if y.ncols() == 0 {
        return Err(Error::Data("there are no targets".into()));
    }
    if let Some(at) = y.iter().position(|v| !v.is_finite()) {
        let (row, column) = (at % y.nrows(), at / y.nrows());
        return Err(Error::Data(format!("row {row}, column {column}: the target is {}", y[at])));
    }
    Ok(())
}
