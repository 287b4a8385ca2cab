//! Householder's reflections, one at a time and many at once.

use super::gemm::product;
use super::product::Into;
use super::simd::vectorize;
use super::view::{View, ViewMut};
use super::{dot, norm_squared};
use crate::Float;

/// Reflections that are applied at once: with fewer, products are too thin; with more, making them takes longer.
pub const PANEL: usize = 32;

/// Makes H = I − τ·v·vᵀ with H·x = (β, 0, …, 0)ᵀ and v₀ = 1; `x` becomes v. Returns τ, and β. Where x is (β, 0, …, 0)ᵀ
/// already, τ is 0.
///
/// The sign of β is the one without cancellation. Entries must be so small that their squares are in range.
pub fn reflect<T: Float>(x: &mut [T]) -> (T, T) {
    let Some((first, rest)) = x.split_first_mut() else { return (T::ZERO, T::ZERO) };
    let mut largest = rest.iter().fold(T::ZERO, |m, x| Float::max(m, x.abs()));
    if largest < T::MIN_POSITIVE {
        // As good as zeros: nothing can be divided by them.
        rest.fill(T::ZERO);
        return (T::ZERO, std::mem::replace(first, T::ONE));
    }
    largest = Float::max(largest, first.abs());
    // Squares of small numbers would lose their digits, or vanish. H is the same for any multiple of x.
    let scale = if largest < Float::sqrt(T::MIN_POSITIVE) / T::EPSILON { largest } else { T::ONE };
    if scale != T::ONE {
        rest.iter_mut().for_each(|x| *x /= scale);
        *first /= scale;
    }
    let norm = Float::sqrt(*first * *first + norm_squared(rest));
    let beta = if *first > T::ZERO { -norm } else { norm };
    let tau = (beta - *first) / beta;
    let divisor = *first - beta;
    rest.iter_mut().for_each(|x| *x /= divisor);
    *first = T::ONE;
    (tau, beta * scale)
}

/// y ← y + factor·x. The slices must be equally long.
pub fn add_multiple<T: Float>(y: &mut [T], factor: T, x: &[T]) {
    vectorize(
        y.len(),
        #[inline(always)]
        || y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * *x),
    );
}

/// H₁·H₂·…·Hₖ = I − V·T·Vᵀ, T upper triangular (Schreiber and Van Loan, "A storage-efficient WY representation for
/// products of Householder transformations", 1989).
pub struct Reflections<T> {
    /// m×k by columns: vᵢ begins with its 1 in row i.
    v: Vec<T>,
    /// k×k by columns.
    t: Vec<T>,
    /// m.
    rows: usize,
}

impl<T: Float> Reflections<T> {
    /// Of the vectors below the diagonal of the m×k matrix `below`, m ≥ k; what is on it and above is not read.
    pub fn new(below: View<'_, T>, taus: &[T]) -> Self {
        let (rows, k) = (below.nrows(), taus.len());
        let mut v = vec![T::ZERO; rows * k];
        for (j, column) in v.chunks_exact_mut(rows.max(1)).enumerate() {
            column[j] = T::ONE;
            for (i, x) in column.iter_mut().enumerate().skip(j + 1) {
                *x = below[(i, j)];
            }
        }
        let mut t = vec![T::ZERO; k * k];
        let view = View::by_columns(&v, rows, k);
        product(ViewMut::by_columns(&mut t, k, k), Into::Replace, view.transpose(), view);
        // Column i: −τᵢ·T·Vᵀvᵢ, with what has been made of T.
        for (i, tau) in taus.iter().enumerate() {
            let (made, column) = t.split_at_mut(i * k);
            for row in 0..i {
                // T is upper triangular: entries of the column above `row` are needed no more.
                let sum = (row..i).fold(T::ZERO, |sum, l| sum + made[l * k + row] * column[l]);
                column[row] = -*tau * sum;
            }
            column[i] = *tau;
            column[i + 1..k].fill(T::ZERO);
        }
        Reflections { v, t, rows }
    }

    /// C ← H₁·…·Hₖ·C.
    pub fn apply(&self, c: ViewMut<'_, T>) {
        self.multiply(c, false);
    }

    /// C ← (H₁·…·Hₖ)ᵀ·C.
    pub fn apply_transposed(&self, c: ViewMut<'_, T>) {
        self.multiply(c, true);
    }

    fn multiply(&self, mut c: ViewMut<'_, T>, transposed: bool) {
        let (k, n) = (self.v.len() / self.rows.max(1), c.ncols());
        let v = View::by_columns(&self.v, self.rows, k);
        let t = View::by_columns(&self.t, k, k);
        let t = if transposed { t.transpose() } else { t };
        let mut room = vec![T::ZERO; 2 * k * n];
        let (inner, outer) = room.split_at_mut(k * n);
        product(ViewMut::by_rows(inner, k, n), Into::Replace, v.transpose(), c.rb());
        product(ViewMut::by_rows(outer, k, n), Into::Replace, t, View::by_rows(inner, k, n));
        product(c.rb_mut(), Into::Subtract, v, View::by_rows(outer, k, n));
    }
}

/// A = Q·R of an m×n matrix, m ≥ n.
pub struct Qr<T> {
    /// By columns: R on and above the diagonal, the vectors of the reflections below.
    a: Vec<T>,
    taus: Vec<T>,
    rows: usize,
}

impl<T: Float> Qr<T> {
    /// Of a matrix by columns, with m rows, m ≥ n. Takes m·n² − n³/3 multiply-adds.
    pub fn new(mut a: Vec<T>, rows: usize, columns: usize) -> Self {
        let mut taus = vec![T::ZERO; columns];
        for start in (0..columns).step_by(PANEL) {
            let end = columns.min(start + PANEL);
            let panel = &mut a[start * rows..end * rows];
            for j in 0..end - start {
                let (made, others) = panel.split_at_mut((j + 1) * rows);
                let x = &mut made[j * rows + start + j..];
                let (tau, beta) = reflect(x);
                for other in others.chunks_exact_mut(rows) {
                    let other = &mut other[start + j..];
                    let along = tau * dot(x, other);
                    add_multiple(other, -along, x);
                }
                x[0] = beta;
                taus[start + j] = tau;
            }
            if end < columns {
                let (panel, others) = a.split_at_mut(end * rows);
                let panel = View::by_columns(&panel[start * rows..], rows, end - start).get(start.., ..);
                let others = ViewMut::by_columns(others, rows, columns - end).get(start.., ..);
                Reflections::new(panel, &taus[start..end]).apply_transposed(others);
            }
        }
        Qr { a, taus, rows }
    }

    /// Entry (i, j) of R.
    pub fn r(&self, i: usize, j: usize) -> T {
        if i > j { T::ZERO } else { self.a[j * self.rows + i] }
    }

    /// C ← Q·C, for m rows: Q is m×m here, and its first n columns span those of A.
    pub fn apply(&self, mut c: ViewMut<'_, T>) {
        let columns = self.taus.len();
        let a = View::by_columns(&self.a, self.rows, columns);
        for start in (0..columns).step_by(PANEL).rev() {
            let end = columns.min(start + PANEL);
            let made = Reflections::new(a.get(start.., start..end), &self.taus[start..end]);
            made.apply(c.rb_mut().get(start.., ..));
        }
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;

    #[test]
    fn a_reflection_of_numbers_of_any_size() {
        fn check<T: Float>(scales: &[f64]) {
            for scale in scales {
                let x = [3.0, -4.0, 12.0].map(|x| T::of(x * scale));
                let mut v = x;
                let (tau, beta) = reflect(&mut v);
                let near = |a: T, b: f64| (a.to_f64() - b).abs() <= 64.0 * T::EPSILON.to_f64() * scale;
                assert!(near(beta, -13.0 * scale), "{scale:e}: {beta}");
                let along = v.iter().zip(&x).fold(T::ZERO, |sum, (v, x)| sum + *v * *x);
                let image: Vec<T> = v.iter().zip(&x).map(|(v, x)| *x - tau * along * *v).collect();
                assert!(
                    near(image[0], -13.0 * scale) && near(image[1], 0.0) && near(image[2], 0.0),
                    "{scale:e}"
                );
                let square = v.iter().fold(T::ZERO, |sum, v| sum + *v * *v);
                assert!(
                    (tau * square - T::of(2.0)).abs() < T::of(8.0) * T::EPSILON,
                    "{scale:e}: not orthogonal"
                );
            }
        }
        check::<f64>(&[1.0, 1e100, 1e-100, 1e-200, 1e-290]);
        check::<f32>(&[1.0, 1e10, 1e-10, 1e-20, 1e-35]);
        let mut x = [5.0, 0.0, 0.0];
        assert_eq!((reflect(&mut x), x), ((0.0, 5.0), [1.0, 0.0, 0.0]));
        assert_eq!(reflect(&mut [-2.0f32]), (0.0, -2.0));
        assert_eq!(reflect::<f64>(&mut []), (0.0, 0.0));
    }

    #[test]
    fn q_and_r_give_the_matrix() {
        for (m, n) in [(1, 1), (5, 1), (7, 7), (40, 33), (100, 70), (70, 0)] {
            let a = DMatrix::from_fn(m, n, |i, j| ((i * 31 + j * 17 + i * j) % 13) as f64 - 6.0);
            let qr = Qr::new(a.as_slice().to_vec(), m, n);
            let mut product = DMatrix::from_fn(m, n, |i, j| if i < n { qr.r(i, j) } else { 0.0 });
            qr.apply(ViewMut::by_columns(product.as_mut_slice(), m, n));
            assert!((product - &a).iter().all(|e| e.abs() < 1e-12), "{m}×{n}");
            let mut q = DMatrix::<f64>::identity(m, m);
            qr.apply(ViewMut::by_columns(q.as_mut_slice(), m, m));
            assert!(
                (q.transpose() * &q - DMatrix::identity(m, m)).iter().all(|e| e.abs() < 1e-13),
                "{m}×{n}"
            );
        }
    }
}
