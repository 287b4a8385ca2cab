//! How long something took.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use std::time::Instant as Clock;

/// Bare WebAssembly has no clock, and the standard library panics where it is asked for the time: times are not known
/// there, and are NaN.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
#[derive(Clone, Copy)]
pub struct Clock;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
impl Clock {
    pub fn now() -> Self {
        Clock
    }

    pub fn elapsed(self) -> Unknown {
        Unknown
    }
}

/// A duration that is not known.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub struct Unknown;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
impl Unknown {
    pub fn as_secs_f64(&self) -> f64 {
        f64::NAN
    }
}
