//! Products, sums, Cholesky factors and solves.

use nalgebra::DMatrix;
use tapegrad::Float;
use tapegrad::linalg::{Cholesky, Mat, dot, gemm, norm_squared, sum};

use super::{Hash, Table, numbers};

/// Rows, depth, columns: vectors and their remainders, and depths about the block of 256.
#[rustfmt::skip]
const SHAPES: [[usize; 3]; 60] = [
    [1, 1, 1], [1, 2, 1], [1, 7, 1], [1, 64, 1], [1, 300, 1], [1, 1, 9], [1, 5, 16], [1, 31, 17], [1, 256, 33],
    [1, 257, 40], [2, 1, 2], [2, 3, 4], [2, 8, 15], [2, 64, 2], [2, 255, 31], [2, 513, 3], [3, 3, 3], [3, 4, 1],
    [3, 17, 32], [3, 256, 8], [4, 4, 4], [4, 9, 47], [4, 100, 2], [4, 257, 16], [5, 4, 4], [5, 5, 5], [5, 33, 65],
    [5, 512, 7], [6, 6, 1], [6, 13, 24], [6, 128, 48], [7, 7, 7], [7, 2, 64], [7, 65, 3], [7, 300, 19], [8, 8, 8],
    [8, 16, 32], [8, 255, 9], [9, 1, 9], [9, 21, 31], [9, 258, 1], [12, 12, 12], [12, 40, 23], [13, 3, 63],
    [13, 256, 2], [15, 15, 15], [16, 16, 16], [16, 77, 10], [17, 17, 17], [17, 257, 5], [24, 7, 33], [31, 31, 31],
    [32, 32, 32], [33, 64, 1], [40, 10, 50], [48, 33, 2], [64, 64, 64], [65, 20, 33], [113, 9, 6], [160, 260, 130],
];

pub fn entries<T: Float>(table: &mut Table) {
    let t = T::NAME;
    for [m, k, n] in SHAPES {
        let (a, b) = (numbers::<T>(m * k, 1), numbers::<T>(k * n, 2));
        let (a_across, b_across) = (Mat::new(&a, k, m).t(), Mat::new(&b, n, k).t());
        let (a, b) = (Mat::new(&a, m, k), Mat::new(&b, k, n));
        let mut hash = Hash::new();
        // The largest is there for pieces of threads, and all forms of it would take long under an emulator.
        let forms = [(a, b), (a, b_across), (a_across, b), (a_across, b_across)];
        for (a, b) in forms.into_iter().take(if m * k * n > 1_000_000 { 1 } else { 4 }) {
            let mut c = numbers::<T>(m * n, 3);
            gemm(&mut c, false, a, b);
            hash = hash.and(&c);
            if m * k * n <= 1_000_000 {
                gemm(&mut c, true, a, b);
                hash = hash.and(&c);
            }
        }
        table.add(format!("product {t} {m}×{k}×{n}"), hash);
    }

    let mut hash = Hash::new();
    for n in [0, 1, 2, 7, 8, 31, 64, 127, 128, 129, 1000, 5000] {
        let (x, y) = (numbers::<T>(n, 4), numbers::<T>(n, 5));
        hash = hash.and(&[sum(&x)]).and(&[dot(&x, &y)]).and(&[norm_squared(&x)]);
    }
    table.add(format!("sums {t}"), hash);

    for n in [1, 2, 5, 16, 33, 70, 130] {
        let mut a = symmetric::<T>(n);
        (0..n).for_each(|i| a[(i, i)] += T::of(n as f64));
        let factor = Cholesky::new(a).expect("the diagonal is large");
        table.add(format!("cholesky {t} {n}"), Hash::of(factor.l().as_slice()));
        let mut hash = Hash::new();
        for columns in [1, 3, 17] {
            let b = DMatrix::from_vec(n, columns, numbers::<T>(n * columns, 6));
            let mut x = b.clone();
            factor.solve_in_place(&mut x);
            let mut lower = b.clone();
            factor.solve_lower_in_place(&mut lower);
            let mut upper = b;
            factor.solve_upper_in_place(&mut upper);
            hash = hash.and(x.as_slice()).and(lower.as_slice()).and(upper.as_slice());
        }
        let hash = hash.and(factor.inverse_diagonal().as_slice()).and(&[factor.log_determinant()]);
        table.add(format!("solves {t} {n}"), hash);
    }
}

/// A symmetric matrix.
pub fn symmetric<T: Float>(n: usize) -> DMatrix<T> {
    let x = numbers::<T>(n * n, 7);
    DMatrix::from_fn(n, n, |i, j| x[i.max(j) * n + i.min(j)])
}
