//! Numbers in sentences.

use crate::report::fixed;

/// What is said of each, with commas between.
pub fn list<X>(all: impl IntoIterator<Item = X>, say: impl FnMut(X) -> String) -> String {
    all.into_iter().map(say).collect::<Vec<_>>().join(", ")
}

/// A number with what it is uncertain by: `1.02 ± 0.03`.
pub fn plus_minus((x, error): (f64, f64), decimals: usize) -> String {
    format!("{} ± {}", fixed(x, decimals), fixed(error, decimals))
}
