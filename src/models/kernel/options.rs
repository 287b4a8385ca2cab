//! What all fits are told, and the memory they may take.

use super::gram::gram_diagonal;
use super::{Kernel, Samples};
use crate::settings::{Range, check};
use crate::text::count;
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
    pub(crate) fn ridge(&self, n: usize) -> f64 {
        self.lambda * n as f64
    }

    /// Whether λ, and nλ for n samples, is a number of `T`. All fits ask.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is negative or not finite, as given or in the type.
    pub fn check_lambda<T: Float>(&self, n: usize) -> Result<()> {
        check_lambda::<T>(self.lambda, n)
    }

    /// Whether λ is about as small as the rounding of k(x, x), so that K + nλI need not be positive definite in `T`:
    /// the rounding of n×n entries is a matrix of a norm of up to n times that of one.
    pub(super) fn may_be_lost<T: Float>(&self, kernel: &dyn Kernel<T>, x: &Samples<T>) -> bool {
        let largest = gram_diagonal(kernel, x.rows()).into_iter().fold(T::ZERO, Float::max);
        self.lambda <= 8.0 * T::EPSILON.to_f64() * largest.to_f64()
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

/// An error unless λ ≥ 0 and `T` holds nλ.
pub(super) fn check_lambda<T: Float>(lambda: f64, n: usize) -> Result<()> {
    check::<f64>("lambda", lambda, Range::NOT_NEGATIVE)?;
    check::<T>("lambda", lambda * n as f64, Range::NOT_NEGATIVE).map(drop).map_err(|error| match error {
        Error::Setting { name, why } => Error::setting(
            name,
            format!("{lambda:e} for {} makes a ridge nλ that is out of range: {why}", count(n, "sample")),
        ),
        other => other,
    })
}
