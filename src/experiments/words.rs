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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_none_and_of_some() {
        assert_eq!(list([0.5, -1.0], |x| fixed(x, 1)), "0.5, −1.0");
        assert_eq!(list([0.0; 0], |x| fixed(x, 1)), "");
        assert_eq!(plus_minus((-0.25, 0.125), 3), "−0.250 ± 0.125");
    }
}
