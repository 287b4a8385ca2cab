//! Memory whose size data decides: asked for, so that too much of it is an error and not an abort.

use crate::{Error, Result};

/// Room for `n` more values; `what` names them in the error.
pub(crate) fn reserve<X>(values: &mut Vec<X>, n: usize, what: &str) -> Result<()> {
    values.try_reserve_exact(n).map_err(|_| {
        let all = values.len().saturating_add(n);
        Error::Memory { what: what.into(), needed: all.saturating_mul(size_of::<X>()) as u64 }
    })
}

/// An empty vector with room for `n` values.
pub(crate) fn with_room<X>(n: usize, what: &str) -> Result<Vec<X>> {
    let mut values = Vec::new();
    reserve(&mut values, n, what)?;
    Ok(values)
}

/// `n` times the same value.
pub(crate) fn filled<X: Clone>(n: usize, value: X, what: &str) -> Result<Vec<X>> {
    let mut values = with_room(n, what)?;
    values.resize(n, value);
    Ok(values)
}

/// What the iterator yields; it tells itself how much that is.
pub(crate) fn collected<X>(values: impl ExactSizeIterator<Item = X>, what: &str) -> Result<Vec<X>> {
    let mut all = with_room(values.len(), what)?;
    all.extend(values);
    Ok(all)
}

/// As [`collected`], of values that may be errors; the first one counts.
pub(crate) fn try_collected<X>(
    values: impl ExactSizeIterator<Item = Result<X>>,
    what: &str,
) -> Result<Vec<X>> {
    let mut all = with_room(values.len(), what)?;
    for value in values {
        all.push(value?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_an_error_that_says_how_much() {
        let error = with_room::<u64>(1 << 50, "labels").unwrap_err().to_string();
        assert!(error.starts_with("labels: 9007 TB of memory are needed"), "{error}");
        assert!(matches!(filled(usize::MAX, 0u8, "x"), Err(Error::Memory { needed: u64::MAX, .. })));
        assert!(matches!(collected(0..usize::MAX, "x"), Err(Error::Memory { .. })));
        assert_eq!(collected(0..3, "x").unwrap(), [0, 1, 2]);
        assert!(try_collected([Ok(1), Err(Error::Interrupted)].into_iter(), "x").is_err());
    }
}
