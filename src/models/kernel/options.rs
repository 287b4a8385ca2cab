//! What all fits are told, and the memory they may take.

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

    pub(super) fn check_lambda<T: Float>(&self, n: usize) -> Result<()> {
        check_lambda::<T>(self.lambda, n)
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
    if !(lambda.is_finite() && lambda >= 0.0) {
        return Err(Error::setting("lambda", format!("{lambda}: must be finite and not below 0")));
    }
    let ridge = T::of(lambda * n as f64);
    if ridge.is_finite() && (ridge > T::ZERO || lambda == 0.0) {
        return Ok(());
    }
    let why = format!("{lambda:e}: times {n} samples it is {ridge} as {}", T::NAME);
    Err(Error::setting("lambda", why))
}

/// An error unless `value` is finite and above 0 as a `T`.
pub(in crate::models) fn positive_in<T: Float>(name: &'static str, value: f64) -> Result<()> {
    let held = T::of(value);
    if held.is_finite() && held > T::ZERO {
        return Ok(());
    }
    Err(Error::setting(name, format!("{value:e} is not finite and above 0 as {}", T::NAME)))
}

/// An error unless `value` is 0, or finite and above 0 as a `T`.
pub(in crate::models) fn not_negative_in<T: Float>(name: &'static str, value: f64) -> Result<()> {
    if value == 0.0 { Ok(()) } else { positive_in::<T>(name, value) }
}
