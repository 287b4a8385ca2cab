//! The implicit QL iteration, for small tridiagonal matrices.

use super::super::rotation::{diagonalizing, length, rotate};
use crate::Float;

/// Steps for each eigenvalue; two or three are usual.
const STEPS: usize = 60;

/// Eigenvalues, in no order, of the tridiagonal matrix with `d` on the diagonal and `e` beside it, in `d`; and the
/// eigenvectors by columns. `None` if it does not converge.
///
/// The iteration goes from the last row to the first, and wants the small entries first: where the matrix falls in size from
/// the top left, rounding hides them for ever. Then it is turned about, and last of all what is small beside the whole
/// matrix is taken for 0, which is an error as that of the reduction to a tridiagonal matrix.
pub fn iterate<T: Float>(d: &mut [T], e: &[T]) -> Option<Vec<T>> {
    let (n, whole) = (d.len(), d.to_vec());
    let backwards = |x: &[T]| x.iter().rev().copied().collect::<Vec<T>>();
    if let Some(vectors) = from_last(d, e, T::ZERO) {
        return Some(vectors);
    }
    d.copy_from_slice(&backwards(&whole));
    if let Some(mut vectors) = from_last(d, &backwards(e), T::ZERO) {
        vectors.chunks_exact_mut(n).for_each(<[T]>::reverse);
        return Some(vectors);
    }
    let largest = whole.iter().chain(e).fold(T::ZERO, |a, b| Float::max(a, b.abs()));
    d.copy_from_slice(&whole);
    from_last(d, e, T::EPSILON * largest)
}

/// See [`iterate`]; entries beside the diagonal that are at most `floor` count as 0.
///
/// Bowdler, Martin, Reinsch and Wilkinson, "The QR and QL algorithms for symmetric matrices" (1968), with implicit
/// shifts.
fn from_last<T: Float>(d: &mut [T], e: &[T], floor: T) -> Option<Vec<T>> {
    let n = d.len();
    let mut vectors = vec![T::ZERO; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = T::ONE);
    // One place more, for what the rotations push out.
    let mut e = [e, &[T::ZERO]].concat();
    for first in 0..n {
        for step in 0.. {
            let negligible =
                |i: usize| e[i].abs() <= T::EPSILON * (d[i].abs() + d[i + 1].abs()) + T::MIN_POSITIVE + floor;
            let last = (first..n - 1).find(|i| negligible(*i)).unwrap_or(n - 1);
            if last == first {
                break;
            }
            if last == first + 1 {
                // Two rows at once, so that of a singular pair one value is 0 to the last digit.
                let (c, tangent) = diagonalizing(d[first], e[first], d[last]);
                let (left, right) = vectors[first * n..(first + 2) * n].split_at_mut(n);
                rotate(left, right, c, -tangent * c);
                d[first] -= tangent * e[first];
                d[last] += tangent * e[first];
                e[first] = T::ZERO;
                break;
            }
            if step == STEPS {
                return None;
            }
            // The eigenvalue of the leading 2×2 block that is closer to its first entry.
            let half = (d[first + 1] - d[first]) / (T::of(2.0) * e[first]);
            let root = length(half, T::ONE);
            let shift = d[first] - e[first] / (half + if half < T::ZERO { -root } else { root });
            let (mut g, mut s, mut c, mut p) = (d[last] - shift, T::ONE, T::ONE, T::ZERO);
            let mut whole = true;
            for i in (first..last).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = length(f, g);
                e[i + 1] = r;
                if r == T::ZERO {
                    // The matrix falls apart here.
                    d[i + 1] -= p;
                    e[last] = T::ZERO;
                    whole = false;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                let r = (d[i] - g) * s + T::of(2.0) * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
                let (left, right) = vectors[i * n..(i + 2) * n].split_at_mut(n);
                rotate(right, left, c, s);
            }
            if whole {
                d[first] -= p;
                e[first] = g;
                e[last] = T::ZERO;
            }
        }
    }
    Some(vectors)
}
