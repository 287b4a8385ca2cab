//! A symmetric matrix as Q·T·Qᵀ with T tridiagonal.

use super::super::gemm::product;
use super::super::product::Into;
use super::super::reflector::{PANEL, Reflections, add_multiple, reflect};
use super::super::simd::vectorize;
use super::super::threads::join;
use super::super::view::{View, ViewMut};
use super::super::{dot, sum};
use crate::Float;

/// Numbers of a column whose sums are kept apart, and columns that are read side by side.
const LANES: usize = 16;
const SIDE: usize = 2;

/// A = Q·T·Qᵀ.
pub struct Tridiagonal<T> {
    /// n×n by columns: the vectors of the reflections lie below the first diagonal under the main one.
    a: Vec<T>,
    taus: Vec<T>,
    /// The n numbers on the diagonal of T.
    pub diagonal: Vec<T>,
    /// The n − 1 numbers beside it.
    pub beside: Vec<T>,
}

impl<T: Float> Tridiagonal<T> {
    /// Of the n×n matrix by columns of which only the lower triangle is read, n > 0.
    ///
    /// Takes 2n³/3 multiply-adds. A panel of columns at a time; the other columns are brought up to date by products
    /// (Dongarra, Sorensen and Hammarling, "Block reduction of matrices to condensed forms for eigenvalue
    /// computations", 1989).
    pub fn new(mut a: Vec<T>, n: usize) -> Self {
        let (mut diagonal, mut beside, mut taus) =
            (vec![T::ZERO; n], vec![T::ZERO; n - 1], vec![T::ZERO; n - 1]);
        let mut w = vec![T::ZERO; n * PANEL];
        for start in (0..n).step_by(PANEL) {
            let end = n.min(start + PANEL);
            for c in start..end {
                let (made, others) = a.split_at_mut((c + 1) * n);
                let (vs, column) = made[start * n..].split_at_mut((c - start) * n);
                // The column, as the reflections of this panel leave it.
                for (v, w) in vs.chunks_exact(n).zip(w.chunks_exact(n)) {
                    add_multiple(&mut column[c..], -w[c], &v[c..]);
                    add_multiple(&mut column[c..], -v[c], &w[c..]);
                }
                diagonal[c] = column[c];
                if c + 1 == n {
                    break;
                }
                let v = &mut column[c + 1..];
                (taus[c], beside[c]) = reflect(v);
                let v = &*v;
                let (before, own) = w.split_at_mut((c - start) * n);
                let own = &mut own[c + 1..n];
                multiply(own, &others[c + 1..], n, v);
                for (v2, w2) in vs.chunks_exact(n).zip(before.chunks_exact(n)) {
                    let (v2, w2) = (&v2[c + 1..], &w2[c + 1..]);
                    add_multiple(own, -dot(w2, v), v2);
                    add_multiple(own, -dot(v2, v), w2);
                }
                own.iter_mut().for_each(|w| *w *= taus[c]);
                let half = T::of(0.5) * taus[c] * dot(own, v);
                add_multiple(own, -half, v);
            }
            if end < n {
                let (panel, others) = a.split_at_mut(end * n);
                let others = ViewMut::by_columns(others, n, n - end).get(end.., ..);
                let v = View::by_columns(&panel[start * n..], n, end - start).get(end.., ..);
                let w = View::by_columns(&w, n, PANEL).get(end.., ..);
                subtract_both(others, v, w);
            }
        }
        Tridiagonal { a, taus, diagonal, beside }
    }

    /// Z ← Q·Z, for n rows.
    pub fn apply(&self, mut z: ViewMut<'_, T>) {
        let (n, k) = (self.diagonal.len(), self.taus.len());
        let a = View::by_columns(&self.a, n, n);
        for start in (0..k).step_by(PANEL).rev() {
            let end = k.min(start + PANEL);
            let made = Reflections::new(a.get(start + 1.., start..end), &self.taus[start..end]);
            made.apply(z.rb_mut().get(start + 1.., ..));
        }
    }
}

/// y ← A·x, for the lower triangle of a symmetric matrix whose columns are `pitch` numbers apart; `a` begins with its
/// first entry. Each number of A is read once.
fn multiply<T: Float>(y: &mut [T], a: &[T], pitch: usize, x: &[T]) {
    let n = x.len();
    y.fill(T::ZERO);
    vectorize(
        n * n,
        #[inline(always)]
        || {
            let mut j = 0;
            while j + SIDE <= n {
                let column = |l: usize| &a[(j + l) * pitch..][j + SIDE..n];
                let columns: [&[T]; SIDE] = [column(0), column(1)];
                let factors: [T; SIDE] = [x[j], x[j + 1]];
                // The square on the diagonal.
                for l in 0..SIDE {
                    y[j + l] += a[(j + l) * pitch + j + l] * factors[l];
                    for row in l + 1..SIDE {
                        let entry = a[(j + l) * pitch + j + row];
                        y[j + row] += entry * factors[l];
                        y[j + l] += entry * factors[row];
                    }
                }
                let along = below(&mut y[j + SIDE..], columns, factors, &x[j + SIDE..]);
                (0..SIDE).for_each(|l| y[j + l] += along[l]);
                j += SIDE;
            }
            if j < n {
                y[j] += a[j * pitch + j] * x[j];
            }
        },
    );
}

/// y ← y + Σ factorₗ·columnₗ, and the products of the columns with x.
#[inline(always)]
fn below<T: Float>(y: &mut [T], columns: [&[T]; SIDE], factors: [T; SIDE], x: &[T]) -> [T; SIDE] {
    let [a, b] = columns;
    let [fa, fb] = factors;
    let (mut along_a, mut along_b) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    let (x_blocks, x_rest) = x.as_chunks::<LANES>();
    let (y_blocks, y_rest) = y.as_chunks_mut::<LANES>();
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (((y, a), b), x) in y_blocks.iter_mut().zip(a_blocks).zip(b_blocks).zip(x_blocks) {
        for l in 0..LANES {
            y[l] += fa * a[l] + fb * b[l];
        }
        for l in 0..LANES {
            along_a[l] += a[l] * x[l];
        }
        for l in 0..LANES {
            along_b[l] += b[l] * x[l];
        }
    }
    for (l, (((y, a), b), x)) in y_rest.iter_mut().zip(a_rest).zip(b_rest).zip(x_rest).enumerate() {
        *y += fa * *a + fb * *b;
        along_a[l] += *a * *x;
        along_b[l] += *b * *x;
    }
    [sum(&along_a), sum(&along_b)]
}

/// C ← C − V·Wᵀ − W·Vᵀ, the lower triangle; above it, something else.
fn subtract_both<T: Float>(mut c: ViewMut<'_, T>, v: View<'_, T>, w: View<'_, T>) {
    let n = c.nrows();
    if n <= 2 * PANEL {
        product(c.rb_mut(), Into::Subtract, v, w.transpose());
        return product(c, Into::Subtract, w, v.transpose());
    }
    let middle = (n / 2).next_multiple_of(16);
    let [c11, _, mut c21, c22] = c.split_at(middle, middle);
    let ((v1, v2), (w1, w2)) = (v.split_at_row(middle), w.split_at_row(middle));
    join(
        || {
            product(c21.rb_mut(), Into::Subtract, v2, w1.transpose());
            product(c21, Into::Subtract, w2, v1.transpose());
        },
        || join(|| subtract_both(c11, v1, w1), || subtract_both(c22, v2, w2)),
    );
}
