//! One-sided Jacobi rotations.

use nalgebra::DMatrix;

use super::super::dot;
use super::super::eigen::symmetric_eigen;
use super::super::gemm::product;
use super::super::norm_squared;
use super::super::product::Into;
use super::super::reflector::Qr;
use super::super::rotation::{diagonalizing, rotate};
use super::super::simd::vectorize;
use super::super::triangular::add_square;
use super::super::view::{View, ViewMut};
use crate::{Error, Float, Result};

/// Rounds over all pairs of columns; two or three are usual.
const ROUNDS: usize = 40;

/// U by columns, the singular values in descending order, and V by columns, of an m×n matrix by columns, m ≥ n, with
/// entries near 1. An error if it does not converge.
///
/// A = Q·R; the eigenvectors of RᵀR make the columns of R·V orthogonal but for roundings that are as large as ε·‖R‖²;
/// rotations of pairs of columns do the rest (Hestenes, "Inversion of matrices by biorthogonalization", 1958; Drmač and
/// Veselić, "New fast and accurate Jacobi SVD algorithm", 2008, for the start from a good guess).
pub fn decompose<T: Float>(a: Vec<T>, m: usize, n: usize) -> Result<[Vec<T>; 3]> {
    if n == 0 {
        return Ok([Vec::new(), Vec::new(), Vec::new()]);
    }
    let qr = Qr::new(a, m, n);
    let r = DMatrix::from_fn(n, n, |i, j| qr.r(i, j));
    let mut gram = DMatrix::zeros(n, n);
    let view = View::by_columns(r.as_slice(), n, n);
    add_square(ViewMut::by_columns(gram.as_mut_slice(), n, n), Into::Add, view.transpose());
    let eigen = symmetric_eigen(&gram)?;
    // From the largest on: fewer rotations then.
    let mut v: Vec<T> = eigen.vectors.as_slice().chunks_exact(n).rev().flatten().copied().collect();
    let mut w = vec![T::ZERO; n * n];
    product(ViewMut::by_columns(&mut w, n, n), Into::Replace, view, View::by_columns(&v, n, n));
    if orthogonalize(&mut w, &mut v, n).is_none() {
        return Err(Error::NonFinite(format!("thin_svd: no convergence for {m}×{n}")));
    }

    let norms: Vec<T> = w.chunks_exact(n).map(|column| Float::sqrt(norm_squared(column))).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| norms[*j].to_f64().total_cmp(&norms[*i].to_f64()));
    let values: Vec<T> = order.iter().map(|i| norms[*i]).collect();
    let v: Vec<T> = order.iter().flat_map(|i| &v[i * n..(i + 1) * n]).copied().collect();
    let mut u: Vec<T> = order.iter().flat_map(|i| &w[i * n..(i + 1) * n]).copied().collect();
    let rank = values.iter().take_while(|s| **s > T::ZERO).count();
    for (column, norm) in u.chunks_exact_mut(n).zip(&values[..rank]) {
        column.iter_mut().for_each(|x| *x /= *norm);
    }
    complete(&mut u, n, rank);
    // U = Q·(U of R, and zeros below).
    let mut tall = vec![T::ZERO; m * n];
    for (to, from) in tall.chunks_exact_mut(m).zip(u.chunks_exact(n)) {
        to[..n].copy_from_slice(from);
    }
    qr.apply(ViewMut::by_columns(&mut tall, m, n));
    Ok([tall, values, v])
}

/// Rotates columns of `w`, and those of `v` alike, until all pairs are orthogonal. Columns that are as good as 0 become 0.
fn orthogonalize<T: Float>(w: &mut [T], v: &mut [T], n: usize) -> Option<()> {
    let tolerance = T::EPSILON * Float::sqrt(T::of(n as f64));
    // Below, a square has lost its digits; the matrix has entries near 1.
    let nothing = T::MIN_POSITIVE / T::EPSILON;
    let mut squares: Vec<T> = w.chunks_exact(n).map(norm_squared).collect();
    for _ in 0..ROUNDS {
        let mut turned = false;
        for i in 0..n {
            for j in i + 1..n {
                if squares[i] <= nothing || squares[j] <= nothing {
                    continue;
                }
                let (before, after) = w.split_at_mut(j * n);
                let (a, b) = (&mut before[i * n..(i + 1) * n], &mut after[..n]);
                let along = dot(a, b);
                if along.abs() <= tolerance * Float::sqrt(squares[i]) * Float::sqrt(squares[j]) {
                    continue;
                }
                turned = true;
                let (c, tangent) = diagonalizing(squares[i], along, squares[j]);
                let s = -c * tangent;
                turn(a, b, c, s);
                let (before, after) = v.split_at_mut(j * n);
                turn(&mut before[i * n..(i + 1) * n], &mut after[..n], c, s);
                (squares[i], squares[j]) = (norm_squared(a), norm_squared(b));
            }
        }
        if !turned {
            for (column, square) in w.chunks_exact_mut(n).zip(&squares) {
                if *square <= nothing {
                    column.fill(T::ZERO);
                }
            }
            return Some(());
        }
    }
    None
}

/// (a, b) ← (c·a + s·b, c·b − s·a).
fn turn<T: Float>(a: &mut [T], b: &mut [T], c: T, s: T) {
    vectorize(
        a.len(),
        #[inline(always)]
        || rotate(a, b, c, s),
    );
}

/// Fills the columns from number `rank` on so that all are orthonormal, as the first are.
fn complete<T: Float>(u: &mut [T], n: usize, rank: usize) {
    if rank == n {
        return;
    }
    // The first columns of Q span what is there; the others are orthogonal to it.
    let qr = Qr::new(u[..rank * n].to_vec(), n, rank);
    let (_, rest) = u.split_at_mut(rank * n);
    rest.fill(T::ZERO);
    for (j, column) in rest.chunks_exact_mut(n).enumerate() {
        column[rank + j] = T::ONE;
    }
    qr.apply(ViewMut::by_columns(rest, n, n - rank));
}
