//! Rotations in a plane: those of Givens and of Jacobi.

use crate::Float;

/// √(a² + b²), without a square that leaves the range.
pub fn length<T: Float>(a: T, b: T) -> T {
    let (a, b) = (a.abs(), b.abs());
    let (large, small) = if a < b { (b, a) } else { (a, b) };
    if large == T::ZERO {
        return T::ZERO;
    }
    let ratio = small / large;
    large * Float::sqrt(T::ONE + ratio * ratio)
}

/// (x, y) ← (c·x + s·y, c·y − s·x), number by number.
#[inline(always)]
pub fn rotate<T: Float>(x: &mut [T], y: &mut [T], c: T, s: T) {
    for (x, y) in x.iter_mut().zip(y) {
        (*x, *y) = (c * *x + s * *y, c * *y - s * *x);
    }
}

/// c and s of the rotation that takes (a, b) to (0, √(a² + b²)), and that length.
pub fn onto_second<T: Float>(a: T, b: T) -> (T, T, T) {
    let length = length(a, b);
    (b / length, -a / length, length)
}

/// The rotation of Jacobi for the symmetric matrix (a, b; b, d) with b ≠ 0: c and t = s/c, |t| ≤ 1, so that it is
/// diagonal, with a − t·b and d + t·b, when [`rotate`] has turned both sides by c and −s.
pub fn diagonalizing<T: Float>(a: T, b: T, d: T) -> (T, T) {
    let half = (d - a) / (T::of(2.0) * b);
    // The smaller angle of the two.
    let root = half.abs() + length(half, T::ONE);
    let t = if half < T::ZERO { -T::ONE / root } else { T::ONE / root };
    (T::ONE / length(T::ONE, t), t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_of_two_rows_becomes_diagonal() {
        for (a, b, d) in
            [(1.0, 1.0, 1.0), (2.0, -0.5, 7.0), (7.0, 1e-9, 2.0), (0.0, 3.0, 0.0), (1.0, 1e-300, 1e300)]
        {
            let (c, t) = diagonalizing::<f64>(a, b, d);
            assert!(t.abs() <= 1.0 && (c * c * (1.0 + t * t) - 1.0).abs() < 1e-15);
            // Rows, then columns.
            let (mut x, mut y) = ([a, b], [b, d]);
            rotate(&mut x, &mut y, c, -t * c);
            let (mut left, mut right) = ([x[0], y[0]], [x[1], y[1]]);
            rotate(&mut left, &mut right, c, -t * c);
            let size = a.abs() + b.abs() + d.abs();
            assert!(left[1].abs() <= 1e-15 * size && right[0].abs() <= 1e-15 * size, "{left:?} {right:?}");
            assert!(
                (left[0] - (a - t * b)).abs() <= 1e-15 * size
                    && (right[1] - (d + t * b)).abs() <= 1e-15 * size
            );
        }
    }

    #[test]
    fn one_of_two_numbers_becomes_zero() {
        for (a, b) in [(3.0, 4.0), (-1e-200, 1e-200), (1e300, 1e300), (0.0, -2.0)] {
            let (c, s, size) = onto_second::<f64>(a, b);
            assert!((c * a + s * b).abs() <= 1e-15 * size && ((c * b - s * a) / size - 1.0).abs() < 1e-15);
        }
    }
}
