//! Divide and conquer for the eigenvectors of a tridiagonal matrix.

use super::super::gemm::product;
use super::super::norm_squared;
use super::super::product::Into;
use super::super::rotation::{onto_second, rotate};
use super::super::threads::join;
use super::super::view::{View, ViewMut};
use super::iteration::iterate;
use super::secular::{adjusted, root};
use crate::Float;

/// Matrices up to this size are not divided.
const LEAF: usize = 32;

/// Roots that one thread finds at a time.
const ROOTS: usize = 64;

/// Eigenvalues in no order, and the eigenvectors that belong to them, by columns.
pub struct Pairs<T> {
    pub values: Vec<T>,
    pub vectors: Vec<T>,
}

/// Which rows of an eigenvector of the two halves, side by side, are not 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rows {
    Top,
    All,
    Bottom,
}

/// Of the tridiagonal matrix with `d` on the diagonal and `e` beside it. `None` if the iteration for a small part of it
/// does not converge.
///
/// Cuppen, "A divide and conquer method for the symmetric tridiagonal eigenproblem" (1981): two halves and a matrix of
/// rank one that ties them together. At most 4n³/3 multiply-adds, nearly all of them in products; where eigenvalues are
/// close or ties weak, far fewer.
pub fn solve<T: Float>(d: &[T], e: &[T]) -> Option<Pairs<T>> {
    let n = d.len();
    if n <= LEAF {
        let mut values = d.to_vec();
        let vectors = iterate(&mut values, e)?;
        return Some(Pairs { values, vectors });
    }
    let middle = n / 2;
    let tie = e[middle - 1];
    let (mut d1, mut d2) = (d[..middle].to_vec(), d[middle..].to_vec());
    d1[middle - 1] -= tie.abs();
    d2[0] -= tie.abs();
    let (mut top, mut bottom) = (None, None);
    join(|| top = solve(&d1, &e[..middle - 1]), || bottom = solve(&d2, &e[middle..]));
    Some(merge(top?, bottom?, tie))
}

/// The halves put together: T = diag(T₁, T₂) + |t|·u·uᵀ, where u is 1 in the last row of the first half and the sign of
/// the tie t in the first row of the second.
fn merge<T: Float>(top: Pairs<T>, bottom: Pairs<T>, tie: T) -> Pairs<T> {
    let (m, n) = (top.values.len(), top.values.len() + bottom.values.len());
    // z = Qᵀu, made as long as 1, and its factor.
    let sign = if tie < T::ZERO { -T::ONE } else { T::ONE };
    let inverse = Float::sqrt(T::of(0.5));
    let last_row = top.vectors.chunks_exact(m).map(|column| column[m - 1] * inverse);
    let first_row = bottom.vectors.chunks_exact(n - m).map(|column| sign * column[0] * inverse);
    let mut z: Vec<T> = last_row.chain(first_row).collect();
    let factor = T::of(2.0) * tie.abs();

    let mut d = [top.values, bottom.values].concat();
    let mut q = vec![T::ZERO; n * n];
    for (column, from) in q.chunks_exact_mut(n).zip(top.vectors.chunks_exact(m)) {
        column[..m].copy_from_slice(from);
    }
    for (column, from) in q[m * n..].chunks_exact_mut(n).zip(bottom.vectors.chunks_exact(n - m)) {
        column[m..].copy_from_slice(from);
    }
    drop((top.vectors, bottom.vectors));
    let mut rows: Vec<Rows> = (0..n).map(|i| if i < m { Rows::Top } else { Rows::Bottom }).collect();

    let (kept, settled) = deflate(&mut d, &mut z, factor, &mut q, &mut rows);
    let k = kept.len();
    let mut values = Vec::with_capacity(n);
    let mut vectors = vec![T::ZERO; n * n];
    if k > 0 {
        let poles: Vec<T> = kept.iter().map(|i| d[*i]).collect();
        let z: Vec<T> = kept.iter().map(|i| z[*i]).collect();
        let w: Vec<T> = z.iter().map(|z| factor * *z * *z).collect();
        let mut inner = vec![T::ZERO; k * k];
        values.resize(k, T::ZERO);
        roots(0, &poles, &w, &mut values, &mut inner);
        // Rows of the inner vectors in the order of the columns that they multiply: first those of the top half alone.
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by_key(|i| rows[kept[*i]]);
        let z = adjusted(&poles, &z, &inner);
        let mut column_in_order = vec![T::ZERO; k];
        for column in inner.chunks_exact_mut(k) {
            column.iter_mut().zip(&z).for_each(|(gap, z)| *gap = *z / *gap);
            let norm = Float::sqrt(norm_squared(column));
            column_in_order.iter_mut().zip(&order).for_each(|(x, i)| *x = column[*i] / norm);
            column.copy_from_slice(&column_in_order);
        }
        let count = |which: Rows| kept.iter().filter(|i| rows[**i] == which).count();
        let (in_top, in_all) = (count(Rows::Top), count(Rows::All));
        let packed = |part: std::ops::Range<usize>, top: usize, bottom: usize| -> Vec<T> {
            order[part].iter().flat_map(|i| &q[kept[*i] * n + top..kept[*i] * n + bottom]).copied().collect()
        };
        let inner = View::by_columns(&inner, k, k);
        let (upper, lower) = ViewMut::by_columns(&mut vectors[..k * n], n, k).split_at_row(m);
        join(
            || {
                let left = packed(0..in_top + in_all, 0, m);
                let left = View::by_columns(&left, m, in_top + in_all);
                product(upper, Into::Replace, left, inner.get(..in_top + in_all, ..));
            },
            || {
                let left = packed(in_top..k, m, n);
                let left = View::by_columns(&left, n - m, k - in_top);
                product(lower, Into::Replace, left, inner.get(in_top.., ..));
            },
        );
    }
    for (to, i) in vectors[k * n..].chunks_exact_mut(n).zip(&settled) {
        to.copy_from_slice(&q[i * n..(i + 1) * n]);
        values.push(d[*i]);
    }
    Pairs { values, vectors }
}

/// The columns whose eigenvalues the tie changes, in the order of those, and the others: the tie does not reach them, or
/// they were turned within the plane of two close eigenvalues so that it does not.
fn deflate<T: Float>(
    d: &mut [T],
    z: &mut [T],
    factor: T,
    q: &mut [T],
    rows: &mut [Rows],
) -> (Vec<usize>, Vec<usize>) {
    let n = d.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| d[*i].to_f64().total_cmp(&d[*j].to_f64()));
    let largest = |x: &[T]| x.iter().fold(T::ZERO, |m, x| Float::max(m, x.abs()));
    let noise = T::of(8.0) * T::EPSILON * Float::max(largest(d), largest(z));
    let (mut kept, mut settled) = (Vec::with_capacity(n), Vec::new());
    let mut open: Option<usize> = None;
    for j in order {
        if factor * z[j].abs() <= noise {
            settled.push(j);
            continue;
        }
        if let Some(i) = open {
            let (c, s, length) = onto_second(z[i], z[j]);
            let apart = d[j] - d[i];
            if (apart * c * s).abs() <= noise {
                (z[i], z[j]) = (T::ZERO, length);
                if rows[i] != rows[j] {
                    (rows[i], rows[j]) = (Rows::All, Rows::All);
                }
                let (low, high) = (i.min(j), i.max(j));
                let (before, after) = q.split_at_mut(high * n);
                let (a, b) = (&mut before[low * n..(low + 1) * n], &mut after[..n]);
                let (x, y) = if i < j { (a, b) } else { (b, a) };
                rotate(x, y, c, s);
                (d[i], d[j]) = (d[i] * c * c + d[j] * s * s, d[i] * s * s + d[j] * c * c);
                settled.push(i);
            } else {
                kept.push(i);
            }
        }
        open = Some(j);
    }
    kept.extend(open);
    (kept, settled)
}

/// Roots from number `first` on, and the distances of the poles from them, by columns.
fn roots<T: Float>(first: usize, d: &[T], w: &[T], values: &mut [T], gaps: &mut [T]) {
    let (count, k) = (values.len(), d.len());
    if count > ROOTS {
        let middle = count / 2;
        let (values1, values2) = values.split_at_mut(middle);
        let (gaps1, gaps2) = gaps.split_at_mut(middle * k);
        return join(|| roots(first, d, w, values1, gaps1), || roots(first + middle, d, w, values2, gaps2));
    }
    for (j, (value, gaps)) in values.iter_mut().zip(gaps.chunks_exact_mut(k)).enumerate() {
        *value = root(first + j, d, w, gaps);
    }
}
