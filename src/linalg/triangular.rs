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

fn solve<T: Float>(which: Triangle, t: View<'_, T>, b: ViewMut<'_, T>) {
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
    assert!(b.nrows() == n, "triangular: {} rows of right-hand sides for {n}", b.nrows());
    let mut triangle = [[T::ZERO; LEAF]; LEAF];
    let in_rows = t.col_stride() == 1;
    let lines = if in_rows { t } else { t.transpose() };
    for i in 0..n {
        // Rows of a lower triangle and columns of an upper one end at the diagonal, the others begin there.
        let there = if (which == Triangle::Lower) == in_rows { 0..i + 1 } else { i..n };
        let line = &lines.row(i)[there.clone()];
        if in_rows {
            triangle[i][there].copy_from_slice(line);
        } else {
            triangle[there].iter_mut().zip(line).for_each(|(row, x)| row[i] = *x);
        }
    }
    // A single right-hand side goes alone: the rest of a strip would be empty.
    if b.ncols() == 1 {
        return solve_sides::<T, 1>(which, &triangle, b);
    }
    solve_sides::<T, SIDES>(which, &triangle, b);
}

/// A leaf, for `W` right-hand sides at a time, which are copied to where they lie side by side, and back.
fn solve_sides<T: Float, const W: usize>(
    which: Triangle,
    triangle: &[[T; LEAF]; LEAF],
    mut b: ViewMut<'_, T>,
) {
    let n = b.nrows();
    let in_rows = b.col_stride() == 1;
    // What is behind the last columns of a strip is computed as well, and goes nowhere.
    let mut strip = [[T::ZERO; W]; LEAF];
    let strip = &mut strip[..n];
    for first in (0..b.ncols()).step_by(W) {
        let columns = W.min(b.ncols() - first);
        let mut sides = b.rb_mut().get(.., first..first + columns);
        if in_rows {
            for (i, row) in strip.iter_mut().enumerate() {
                row[..columns].copy_from_slice(sides.rb().row(i));
            }
        } else {
            for j in 0..columns {
                let column = sides.rb().transpose().row(j);
                strip.iter_mut().zip(column).for_each(|(row, x)| row[j] = *x);
            }
        }
        vectorize(
            n * n * W,
            #[inline(always)]
            || solve_strip(which, triangle, strip),
        );
        if in_rows {
            for (i, row) in strip.iter().enumerate() {
                sides.row_mut(i).copy_from_slice(&row[..columns]);
            }
        } else {
            let mut across = sides.transpose();
            for j in 0..columns {
                strip.iter().zip(across.row_mut(j)).for_each(|(row, x)| *x = row[j]);
            }
        }
    }
}

/// x ← T⁻¹·x for each of the `W` columns x of a strip, side by side.
#[inline(always)]
fn solve_strip<T: Float, const W: usize>(
    which: Triangle,
    triangle: &[[T; LEAF]; LEAF],
    strip: &mut [[T; W]],
) {
    let n = strip.len();
    for step in 0..n {
        let (i, solved) = match which {
            Triangle::Lower => (step, 0..step),
            Triangle::Upper => (n - 1 - step, n - step..n),
        };
        // A copy, so that it stays in registers for the whole sum.
        let mut row = strip[i];
        for (factor, known) in triangle[i][solved.clone()].iter().zip(&strip[solved]) {
            for (x, y) in row.iter_mut().zip(known) {
                *x -= *factor * *y;
            }
        }
        let divisor = triangle[i][i];
        for x in &mut row {
            *x /= divisor;
        }
        strip[i] = row;
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

    /// A leaf as it is defined, to the last bit: one right-hand side, some, and more than go side by side, which lie in
    /// columns or in rows.
    #[test]
    fn a_leaf_takes_its_products_in_order() {
        let number = |i: usize, j: usize| (((i * 37 + j * 11) % 101) as f64 - 50.0) / 17.0;
        for n in [1, 2, 5, 31, LEAF] {
            let lower = DMatrix::from_fn(n, n, |i, j| if i < j { f64::NAN } else { number(i, j) + 3.1 });
            let upper = lower.transpose();
            for columns in [0, 1, 2, SIDES - 1, SIDES, SIDES + 1, 3 * SIDES + 5] {
                let b = DMatrix::from_fn(n, columns, |i, j| number(j, i));
                let solved = |t: &DMatrix<f64>, order: &[usize]| {
                    let mut x = b.clone();
                    for (step, i) in order.iter().enumerate() {
                        let mut known = order[..step].to_vec();
                        known.sort_unstable();
                        for j in 0..columns {
                            known.iter().for_each(|k| x[(*i, j)] -= t[(*i, *k)] * x[(*k, j)]);
                            x[(*i, j)] /= t[(*i, *i)];
                        }
                    }
                    x
                };
                let down: Vec<usize> = (0..n).collect();
                let up: Vec<usize> = (0..n).rev().collect();
                type Solve = fn(View<'_, f64>, ViewMut<'_, f64>);
                for (solve, t, order) in
                    [(solve_lower as Solve, &lower, &down), (solve_upper as Solve, &upper, &up)]
                {
                    let expected = solved(t, order);
                    let across = t.transpose();
                    for t in [view(t), view(&across).transpose()] {
                        let (mut x, mut rows) = (b.clone(), b.transpose());
                        solve(t, view_mut(&mut x));
                        solve(t, view_mut(&mut rows).transpose());
                        assert!(x == expected && rows.transpose() == expected, "{n}×{columns}");
                    }
                }
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
