//! Solving with triangular matrices, and the lower triangle of a square.

use super::gemm::product;
use super::product::Into;
use super::simd::vectorize;
use super::threads::join;
use super::view::{View, ViewMut};
use crate::Float;

/// Up to this size work is done entry by entry; what is larger is halved, so that most of it is products.
const LEAF: usize = 32;

/// Right-hand sides that are solved for side by side.
const SIDES: usize = 16;

/// Which entries of a triangular matrix are there.
#[derive(Clone, Copy, PartialEq)]
enum Triangle {
    Lower,
    Upper,
}

/// B ← L⁻¹·B, L lower triangular.
///
/// In a leaf bᵢ ← (bᵢ − Σₖ lᵢₖ·bₖ)/lᵢᵢ, the sum from the first k on, each product and each difference rounded.
pub fn solve_lower<T: Float>(l: View<'_, T>, b: ViewMut<'_, T>) {
    solve(Triangle::Lower, l, b);
}

/// B ← U⁻¹·B, U upper triangular. As [`solve_lower`], from the last row on.
pub fn solve_upper<T: Float>(u: View<'_, T>, b: ViewMut<'_, T>) {
    solve(Triangle::Upper, u, b);
}

fn solve<T: Float>(which: Triangle, t: View<'_, T>, mut b: ViewMut<'_, T>) {
    let n = t.nrows();
    if n > LEAF {
        let middle = (n / 2).next_multiple_of(16);
        let [t11, t12, t21, t22] = t.split_at(middle, middle);
        let (b1, b2) = b.split_at_row(middle);
        // The half that depends on nothing, what it takes from the other, and that.
        let ((free, mut known), between, (bound, mut rest)) = match which {
            Triangle::Lower => ((t11, b1), t21, (t22, b2)),
            Triangle::Upper => ((t22, b2), t12, (t11, b1)),
        };
        solve(which, free, known.rb_mut());
        product(rest.rb_mut(), Into::Subtract, between, known.rb());
        return solve(which, bound, rest);
    }
    in_strips(
        n,
        b.rb_mut(),
        #[inline(always)]
        |b| {
            for step in 0..n {
                let (i, solved) = match which {
                    Triangle::Lower => (step, 0..step),
                    Triangle::Upper => (n - 1 - step, n - step..n),
                };
                for k in solved {
                    let known = b[k];
                    subtract(&mut b[i], t[(i, k)], &known);
                }
                divide(&mut b[i], t[(i, i)]);
            }
        },
    );
}

/// A row of right-hand sides.
type Row<T> = [T; SIDES];

#[inline(always)]
fn subtract<T: Float>(row: &mut Row<T>, factor: T, other: &Row<T>) {
    for (x, y) in row.iter_mut().zip(other) {
        *x -= factor * *y;
    }
}

#[inline(always)]
fn divide<T: Float>(row: &mut Row<T>, divisor: T) {
    row.iter_mut().for_each(|x| *x /= divisor);
}

/// Copies some right-hand sides at a time to where they lie side by side, and back.
fn in_strips<T: Float>(n: usize, mut b: ViewMut<'_, T>, solve: impl Fn(&mut [Row<T>])) {
    for first in (0..b.ncols()).step_by(SIDES) {
        let columns = SIDES.min(b.ncols() - first);
        let mut strip = [[T::ZERO; SIDES]; LEAF];
        for (i, row) in strip[..n].iter_mut().enumerate() {
            (0..columns).for_each(|j| row[j] = b[(i, first + j)]);
        }
        vectorize(
            n * n * SIDES,
            #[inline(always)]
            || solve(&mut strip[..n]),
        );
        for (i, row) in strip[..n].iter().enumerate() {
            (0..columns).for_each(|j| b[(i, first + j)] = row[j]);
        }
    }
}

/// C ← C + A·Aᵀ or C − A·Aᵀ, the lower triangle; each entry as in a [product](super::product).
pub fn add_square<T: Float>(mut c: ViewMut<'_, T>, into: Into, a: View<'_, T>) {
    let n = c.nrows();
    if n > LEAF {
        let middle = (n / 2).next_multiple_of(16);
        let [c11, _, c21, c22] = c.split_at(middle, middle);
        let (a1, a2) = a.split_at_row(middle);
        let parts = || join(|| add_square(c11, into, a1), || add_square(c22, into, a2));
        return join(|| product(c21, into, a2, a1.transpose()), parts);
    }
    let mut block = [T::ZERO; LEAF * LEAF];
    let mut block = ViewMut::by_columns(&mut block[..n * n], n, n);
    for (j, i) in (0..n).flat_map(|j| (j..n).map(move |i| (j, i))) {
        block[(i, j)] = c[(i, j)];
    }
    product(block.rb_mut(), into, a, a.transpose());
    for (j, i) in (0..n).flat_map(|j| (j..n).map(move |i| (j, i))) {
        c[(i, j)] = block[(i, j)];
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;

    /// Small whole numbers, so that every order of summation gives the same result.
    fn whole(rows: usize, columns: usize, step: usize) -> DMatrix<f64> {
        DMatrix::from_fn(rows, columns, |i, j| (((i * 31 + j) * step) % 17) as f64 - 8.0)
    }

    fn view(a: &DMatrix<f64>) -> View<'_, f64> {
        View::by_columns(a.as_slice(), a.nrows(), a.ncols())
    }

    fn view_mut(a: &mut DMatrix<f64>) -> ViewMut<'_, f64> {
        let (rows, columns) = a.shape();
        ViewMut::by_columns(a.as_mut_slice(), rows, columns)
    }

    #[test]
    fn the_lower_part_leaves_the_upper_one() {
        for n in [0, 1, 31, 33, 70] {
            let a = whole(n, 90, 7);
            let square = &a * a.transpose();
            for (into, sign) in [(Into::Add, 1.0), (Into::Subtract, -1.0)] {
                let mut c = DMatrix::from_element(n, n, 4.0);
                add_square(view_mut(&mut c), into, view(&a));
                let right = |i, j| if i < j { 4.0 } else { 4.0 + sign * square[(i, j)] };
                assert_eq!(c, DMatrix::from_fn(n, n, right));
            }
        }
    }

    #[test]
    fn solves_undo_products() {
        for n in [0, 1, 2, 31, 33, 100, 200] {
            // Unit triangular with small entries: well conditioned.
            let l = DMatrix::from_fn(n, n, |i, j| match i.cmp(&j) {
                std::cmp::Ordering::Less => 0.0,
                std::cmp::Ordering::Equal => 2.0,
                std::cmp::Ordering::Greater => (((i * 7 + j * 3) % 5) as f64 - 2.0) / n as f64,
            });
            for columns in [0, 1, 40] {
                let x = whole(n, columns, 5);
                let mut b = &l * &x;
                solve_lower(view(&l), view_mut(&mut b));
                assert!((&b - &x).iter().all(|e| e.abs() < 1e-12), "{n}");
                let mut b = l.transpose() * &x;
                solve_upper(view(&l).transpose(), view_mut(&mut b));
                assert!((&b - &x).iter().all(|e| e.abs() < 1e-12), "{n}");
                // Right-hand sides that lie in rows.
                let mut b = (&l * &x).transpose();
                solve_lower(view(&l), view_mut(&mut b).transpose());
                assert!((b.transpose() - &x).iter().all(|e| e.abs() < 1e-12), "{n}");
            }
        }
    }
}
