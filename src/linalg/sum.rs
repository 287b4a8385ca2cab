//! Sums in a fixed order that vectors can follow.

use super::simd::vectorize;
use crate::Float;

/// Partial sums kept side by side: as many as the widest vectors hold of `f32`, times two.
const LANES: usize = 32;

/// Σ aᵢ in a fixed order: 32 interleaved partial sums, then those, pairwise.
///
/// The rounding error grows like n/32 instead of n, and the order is the same on every machine.
pub fn sum<T: Float>(a: &[T]) -> T {
    reduce(a, a, |x, _| x)
}

/// Σ aᵢ·bᵢ, in the order of [`sum`].
///
/// # Panics
/// If the slices differ in length.
pub fn dot<T: Float>(a: &[T], b: &[T]) -> T {
    assert_eq!(a.len(), b.len(), "dot: the lengths differ");
    reduce(a, b, |x, y| x * y)
}

/// Σ aᵢ², in the order of [`sum`].
pub fn norm_squared<T: Float>(a: &[T]) -> T {
    dot(a, a)
}

/// Σ term(aᵢ, bᵢ), in the order of [`sum`]. The slices must be equally long.
#[inline(always)]
pub(crate) fn reduce<T: Float>(a: &[T], b: &[T], term: impl Fn(T, T) -> T) -> T {
    vectorize(
        a.len(),
        #[inline(always)]
        move || {
            let mut lanes = [T::ZERO; LANES];
            let (a_blocks, a_rest) = a.as_chunks::<LANES>();
            let (b_blocks, b_rest) = b.as_chunks::<LANES>();
            for (x, y) in a_blocks.iter().zip(b_blocks) {
                let mut terms = [T::ZERO; LANES];
                for ((term_i, x), y) in terms.iter_mut().zip(x).zip(y) {
                    *term_i = term(*x, *y);
                }
                // An indexed loop over the lanes stays scalar here, and takes eight times as long.
                lanes = std::array::from_fn(|i| lanes[i] + terms[i]);
            }
            for (lane, (x, y)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
                *lane += term(*x, *y);
            }
            let mut width = LANES / 2;
            while width > 0 {
                for i in 0..width {
                    lanes[i] += lanes[i + width];
                }
                width /= 2;
            }
            lanes[0]
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_every_length() {
        for n in [0usize, 1, 2, 31, 32, 33, 100, 1000] {
            let a: Vec<f64> = (1..=n).map(|i| i as f64).collect();
            assert_eq!(sum(&a), (n * (n + 1) / 2) as f64);
            assert_eq!(norm_squared(&a), (n * (n + 1) * (2 * n + 1) / 6) as f64);
        }
    }

    #[test]
    fn many_small_numbers_keep_their_weight() {
        let a = vec![0.1f32; 1_000_000];
        let exact = 1e6 * f64::from(0.1f32);
        let running = a.iter().fold(0.0f32, |sum, x| sum + x);
        let (error, running_error) = (f64::from(sum(&a)) - exact, f64::from(running) - exact);
        assert!(error.abs() < running_error.abs() / 32.0, "{error} against {running_error}");
    }
}
