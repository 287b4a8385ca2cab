//! The eigenvalues of D + z·zᵀ: roots of the secular equation 1 + Σ zᵢ²/(dᵢ − λ) = 0.

use super::super::simd::vectorize;
use super::super::sum;
use crate::Float;

/// More evaluations than any root takes; what is there then is within a rounding or two.
const EVALUATIONS: usize = 100;

/// Terms that are added side by side.
const LANES: usize = 16;

/// Σ wᵢ/(dᵢ − λ) and Σ wᵢ/(dᵢ − λ)² over some poles: a part of the equation, and of its slope.
#[derive(Clone, Copy)]
struct Part<T> {
    value: T,
    slope: T,
}

/// w/(d − λ) and w/(d − λ)².
#[inline(always)]
fn term<T: Float>(d: T, w: T, origin: T, offset: T) -> (T, T) {
    let inverse = T::ONE / ((d - origin) - offset);
    let term = w * inverse;
    (term, term * inverse)
}

/// The part of the poles `d`, with weights `w`, at λ = `origin` + `offset`.
fn part<T: Float>(d: &[T], w: &[T], origin: T, offset: T) -> Part<T> {
    vectorize(
        d.len(),
        #[inline(always)]
        || {
            let (mut values, mut slopes) = ([T::ZERO; LANES], [T::ZERO; LANES]);
            let ((d_blocks, d_rest), (w_blocks, w_rest)) = (d.as_chunks::<LANES>(), w.as_chunks::<LANES>());
            for (d, w) in d_blocks.iter().zip(w_blocks) {
                for l in 0..LANES {
                    let (term, slope) = term(d[l], w[l], origin, offset);
                    values[l] += term;
                    slopes[l] += slope;
                }
            }
            for (l, (d, w)) in d_rest.iter().zip(w_rest).enumerate() {
                let (term, slope) = term(*d, *w, origin, offset);
                values[l] += term;
                slopes[l] += slope;
            }
            Part { value: sum(&values), slope: sum(&slopes) }
        },
    )
}

/// Root `j`: the one between dⱼ and dⱼ₊₁, or above the last d. In `gaps` are left dᵢ − λ, each with nearly all of its
/// digits, which λ alone would not give; what is returned is λ.
///
/// The poles `d` ascend, none equal to the next, and the weights `w` = z² are above 0. The function is interpolated by
/// one with the same two poles and slopes on each side, "the middle way" of Li, "Solving secular equations stably and
/// efficiently" (1993), within bounds that only shrink.
pub fn root<T: Float>(j: usize, d: &[T], w: &[T], gaps: &mut [T]) -> T {
    let k = d.len();
    if k == 1 {
        gaps[0] = -w[0];
        return d[0] + w[0];
    }
    let half = T::of(0.5);
    // Poles below the root on one side, and above it on the other. Above the last root there are none: its own pole
    // stands alone there.
    let last = j + 1 == k;
    let split = if last { j } else { j + 1 };
    let ((d1, d2), (w1, w2)) = (d.split_at(split), w.split_at(split));
    let at = |origin: T, offset: T| (part(d1, w1, origin, offset), part(d2, w2, origin, offset));
    let total = |(left, right): &(Part<T>, Part<T>)| T::ONE + (left.value + right.value);

    // λ is kept as its distance from the closer pole.
    let (mut low, mut high, origin, mut offset);
    if last {
        (low, high, origin) = (T::ZERO, sum(w), d[j]);
        offset = half * high;
    } else {
        let middle = half * (d[j + 1] - d[j]);
        if total(&at(d[j], middle)) >= T::ZERO {
            (low, high, origin, offset) = (T::ZERO, middle, d[j], middle);
        } else {
            (low, high, origin, offset) = (-middle, T::ZERO, d[j + 1], -middle);
        }
    }
    // What rounding leaves of a sum of so many terms.
    let rounding = T::EPSILON * (T::of(2.0) + Float::sqrt(T::of(k as f64)));
    for _ in 0..EVALUATIONS {
        let parts = at(origin, offset);
        let value = total(&parts);
        let (left, right) = parts;
        if value.abs() <= rounding * (T::ONE + left.value.abs() + right.value.abs()) {
            break;
        }
        if value < T::ZERO {
            low = offset;
        } else {
            high = offset;
        }
        let (lower, upper) = if last { (j.saturating_sub(1), j) } else { (j, j + 1) };
        let gap1 = (d[lower] - origin) - offset;
        let gap2 = (d[upper] - origin) - offset;
        let step = step(value, left, right, gap1, gap2, last);
        let mut next = offset + step;
        if !(next > low && next < high) {
            next = between(low, high);
        }
        if next == offset {
            break;
        }
        offset = next;
    }
    for (gap, d) in gaps.iter_mut().zip(d) {
        *gap = (*d - origin) - offset;
    }
    origin + offset
}

/// From where the function is `value` to the root of its interpolation.
fn step<T: Float>(value: T, left: Part<T>, right: Part<T>, gap1: T, gap2: T, last: bool) -> T {
    let (two, four) = (T::of(2.0), T::of(4.0));
    // A quadratic c·η² − a·η + b = 0.
    let a = (gap1 + gap2) * value - gap1 * gap2 * (left.slope + right.slope);
    let b = gap1 * gap2 * value;
    let c = value - gap1 * left.slope - gap2 * right.slope;
    let root = Float::sqrt((a * a - four * b * c).abs());
    let step = if c == T::ZERO {
        b / a
    } else if last {
        if a >= T::ZERO { (a + root) / (two * c) } else { two * b / (a - root) }
    } else if a <= T::ZERO {
        (a - root) / (two * c)
    } else {
        two * b / (a + root)
    };
    // The function rises: a step that does not go towards the root is the work of roundings.
    if step * value < T::ZERO { step } else { -value / (left.slope + right.slope) }
}

/// A number between two of the same sign, or 0 and another, that halves the digits that are in question.
fn between<T: Float>(low: T, high: T) -> T {
    let (near, far) = (Float::min(low.abs(), high.abs()), Float::max(low.abs(), high.abs()));
    let size = if near == T::ZERO {
        far * T::of(0.0625)
    } else if far > T::of(4.0) * near {
        Float::sqrt(near) * Float::sqrt(far)
    } else {
        T::of(0.5) * (near + far)
    };
    if low < T::ZERO { -size } else { size }
}

/// Numbers ẑ with the signs of `z` for which the roots that were found are exact: for j over the columns of `gaps`,
/// dᵢ − λⱼ, their squares are Π (dᵢ − λⱼ) / Π (dᵢ − dⱼ), but for the sign.
///
/// Vectors that are made of them are orthogonal however close eigenvalues are: Gu and Eisenstat, "A stable and efficient
/// algorithm for the rank-one modification of the symmetric eigenproblem" (1994), by a formula of Löwner.
pub fn adjusted<T: Float>(d: &[T], z: &[T], gaps: &[T]) -> Vec<T> {
    let k = d.len();
    let mut squares = vec![T::ONE; k];
    for (j, column) in gaps.chunks_exact(k).enumerate() {
        squares[j] *= column[j];
        let pole = d[j];
        let (above, rest) = squares.split_at_mut(j);
        let sides = [(above, &d[..j], &column[..j]), (&mut rest[1..], &d[j + 1..], &column[j + 1..])];
        for (squares, d, column) in sides {
            vectorize(
                k,
                #[inline(always)]
                || {
                    for ((square, d), gap) in squares.iter_mut().zip(d).zip(column) {
                        *square *= *gap / (*d - pole);
                    }
                },
            );
        }
    }
    let root = |(square, z): (&T, &T)| {
        let root = Float::sqrt(square.abs());
        if *z < T::ZERO { -root } else { root }
    };
    squares.iter().zip(z).map(root).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_lie_between_the_poles() {
        // Poles close to one another, weights of all sizes, the last pole alone.
        for (d, w) in [
            (vec![0.0, 1.0], vec![0.5, 0.5]),
            (vec![-1.0, -1.0 + 1e-14, 0.5, 3.0], vec![1e-20, 0.3, 1e-12, 0.7]),
            (vec![1.0], vec![0.25]),
            ((0..40).map(|i| f64::from(i * i) * 1e-3).collect(), vec![1.0 / 40.0; 40]),
        ] {
            let k = d.len();
            let mut gaps = vec![0.0; k * k];
            let roots: Vec<f64> = (0..k).map(|j| root(j, &d, &w, &mut gaps[j * k..(j + 1) * k])).collect();
            for j in 0..k {
                let gaps = &gaps[j * k..(j + 1) * k];
                assert!(
                    gaps[..=j].iter().all(|g| *g < 0.0) && gaps[j + 1..].iter().all(|g| *g > 0.0),
                    "{j}: {gaps:?}"
                );
                let terms = w.iter().zip(gaps).map(|(w, gap)| w / gap);
                let (value, size) = terms.fold((1.0, 1.0), |(v, s), t| (v + t, s + f64::abs(t)));
                assert!(f64::abs(value) < 1e-14 * size, "{j} of {k}: {value:e} of {size:e}");
                assert!(f64::abs(roots[j] - (d[0] - gaps[0])) <= 1e-14 * roots[j].abs().max(1.0));
            }
            // The trace of D + z·zᵀ.
            let trace = d.iter().sum::<f64>() + w.iter().sum::<f64>();
            assert!((roots.iter().sum::<f64>() - trace).abs() < 1e-12);
            let z: Vec<f64> = w.iter().map(|w| f64::sqrt(*w)).collect();
            for (found, z) in adjusted(&d, &z, &gaps).iter().zip(&z) {
                assert!((found - z).abs() < 1e-12 * z.max(1e-10), "{found} {z}");
            }
        }
    }
}
