//! Spectral decomposition of a symmetric matrix.

mod divide;
mod iteration;
mod secular;
mod tridiagonal;

use nalgebra::{DMatrix, DVector};
use tridiagonal::Tridiagonal;

use super::first_not_finite;
use super::scale::Scale;
use super::view::ViewMut;
use crate::{Error, Float, Result};

/// A = V·diag(λ)·Vᵀ of a symmetric matrix.
#[derive(Clone, Debug)]
pub struct SymmetricEigen<T: Float> {
    /// λ, in ascending order.
    pub values: DVector<T>,
    /// The orthonormal eigenvectors, one a column, in the order of `values`.
    pub vectors: DMatrix<T>,
}

/// Eigenvalues and eigenvectors of a symmetric matrix, of which only the lower triangle is read.
///
/// The sign of each vector is fixed: its entry of largest magnitude is positive. The bits are the same on every machine
/// and at any number of threads.
///
/// By reflections to a tridiagonal matrix, which is divided and conquered; at most 4n³ multiply-adds, most of them in
/// products.
///
/// # Errors
/// [`Error::NonFinite`] if an entry is NaN or infinite, an eigenvalue leaves the range of `T`, or the iteration does
/// not converge.
///
/// # Panics
/// If `a` is not square.
pub fn symmetric_eigen<T: Float>(a: &DMatrix<T>) -> Result<SymmetricEigen<T>> {
    T::symmetric_eigen(a)
}

#[track_caller]
pub(super) fn symmetric_eigen_of<T: Float>(a: &DMatrix<T>) -> Result<SymmetricEigen<T>> {
    assert!(a.is_square(), "symmetric_eigen: the matrix is {}×{}", a.nrows(), a.ncols());
    if let Some(at) = first_not_finite(a.as_slice()) {
        let (row, col) = (at % a.nrows(), at / a.nrows());
        return Err(Error::NonFinite(format!("symmetric_eigen: entry ({row}, {col}) is {}", a[at])));
    }
    let n = a.nrows();
    if n == 0 {
        return Ok(SymmetricEigen { values: DVector::zeros(0), vectors: DMatrix::zeros(0, 0) });
    }
    let lower = (0..n).flat_map(|j| a.as_slice()[j * n + j..(j + 1) * n].iter());
    let scale = Scale::of(lower);
    let mut reduced = Tridiagonal::new(scale.apply(a).into_owned().data.into(), n);
    if let Some(at) = first_not_finite(&reduced.diagonal).or(first_not_finite(&reduced.beside)) {
        return Err(Error::NonFinite(format!(
            "symmetric_eigen: row {at} of the tridiagonal form leaves the range"
        )));
    }
    // What is negligible beside vectors of length 1 is told by itself: a matrix of small norm must not be.
    let inner = Scale::of(reduced.diagonal.iter().chain(&reduced.beside));
    inner.apply_to(&mut reduced.diagonal);
    inner.apply_to(&mut reduced.beside);
    let Some(pairs) = divide::solve(&reduced.diagonal, &reduced.beside) else {
        return Err(Error::NonFinite(format!("symmetric_eigen: no convergence at n = {n}")));
    };
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| pairs.values[*i].to_f64().total_cmp(&pairs.values[*j].to_f64()));
    let mut values = DVector::from_fn(n, |i, _| pairs.values[order[i]]);
    let mut vectors = Vec::with_capacity(n * n);
    for i in &order {
        vectors.extend_from_slice(&pairs.vectors[i * n..(i + 1) * n]);
    }
    drop(pairs);
    reduced.apply(ViewMut::by_columns(&mut vectors, n, n));
    let mut vectors = DMatrix::from_vec(n, n, vectors);
    inner.undo("symmetric_eigen: an eigenvalue", &mut values)?;
    scale.undo("symmetric_eigen: an eigenvalue", &mut values)?;
    for mut column in vectors.column_iter_mut() {
        let largest = column.iter().fold(T::ZERO, |m, x| if x.abs() > m.abs() { *x } else { m });
        if largest < T::ZERO {
            column.iter_mut().for_each(|x| *x = -*x);
        }
    }
    Ok(SymmetricEigen { values, vectors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rebuilds_the_matrix() {
        for n in [0, 1, 2, 7, 33, 40, 100] {
            let b = DMatrix::<f64>::from_fn(n, n, |i, j| ((i * 31 + j * 17) % 13) as f64 - 6.0);
            let a = &b + b.transpose();
            let SymmetricEigen { values, vectors } = symmetric_eigen(&a).unwrap();
            let rebuilt = &vectors * DMatrix::from_diagonal(&values) * vectors.transpose();
            assert!((rebuilt - &a).abs().max() < 1e-11 || n == 0);
            assert!((vectors.transpose() * &vectors - DMatrix::identity(n, n)).abs().max() < 1e-12 || n == 0);
            assert!(values.as_slice().is_sorted());
        }
    }

    /// Whole numbers in no order.
    fn whole(n: usize) -> DMatrix<f64> {
        let b = DMatrix::from_fn(n, n, |i, j| (((i * 31 + j) * 7) % 17) as f64 - 8.0);
        &b + b.transpose()
    }

    fn check_pairs<T: Float>(name: &str, a: &DMatrix<f64>) {
        let n = a.nrows();
        // What lies above the diagonal is not read.
        let lower = DMatrix::from_fn(n, n, |i, j| if i < j { T::of(7.0) } else { T::of(a[(i, j)]) });
        let a = DMatrix::from_fn(n, n, |i, j| lower[(i.max(j), i.min(j))].to_f64());
        let SymmetricEigen { values, vectors } = symmetric_eigen(&lower).unwrap();
        assert!(values.iter().zip(values.iter().skip(1)).all(|(a, b)| a <= b), "{name}");
        let (values, vectors) = (values.map(|x| x.to_f64()), vectors.map(|x| x.to_f64()));
        let error = |x: &DMatrix<f64>| x.iter().fold(0.0f64, |m, x| Float::max(m, x.abs()));
        let size = Float::max(error(&a), f64::MIN_POSITIVE);
        let noise = 8.0 * T::EPSILON.to_f64() * (n as f64).sqrt().max(4.0);
        // Divided before the product, which would leave the range.
        let rebuilt = &vectors * DMatrix::from_diagonal(&values.map(|x| x / size)) * vectors.transpose();
        // By how much the matrix is larger than its entries.
        let norm = values.iter().fold(1.0f64, |m, x| Float::max(m, (x / size).abs()));
        let off = error(&(rebuilt - a.map(|x| x / size)));
        assert!(off < noise * norm, "{name}, {}: {off:e} of {norm}", T::NAME);
        let off = error(&(vectors.transpose() * &vectors - DMatrix::identity(n, n)));
        assert!(off < noise, "{name}, {}: {off:e} from orthonormal", T::NAME);
    }

    /// Clusters, weak ties, grades and blocks: what is divided, and where nothing is left to be tied together.
    #[test]
    fn matrices_of_many_kinds() {
        let n = 150;
        let banded = |diagonal: &dyn Fn(usize) -> f64, beside: &dyn Fn(usize) -> f64| {
            DMatrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
                0 => diagonal(i),
                1 => beside(i.min(j)),
                _ => 0.0,
            })
        };
        let middle = (n / 2) as f64;
        let kinds = [
            ("zero", DMatrix::zeros(n, n)),
            ("identity", DMatrix::identity(n, n)),
            ("ones", DMatrix::from_element(n, n, 1.0)),
            ("whole", whole(n)),
            (
                "spread",
                DMatrix::from_fn(n, n, |i, j| if i == j { 10f64.powi(i as i32 / 5 - 15) } else { 0.0 }),
            ),
            ("hilbert", DMatrix::from_fn(n, n, |i, j| 1.0 / (i + j + 1) as f64)),
            // Pairs of eigenvalues that agree in all digits (Wilkinson).
            ("wilkinson", banded(&|i| (i as f64 - middle).abs(), &|_| 1.0)),
            ("glued", banded(&|i| (i % 21) as f64, &|i| if i % 21 == 20 { 1e-9 } else { 1.0 })),
            ("second differences", banded(&|_| 2.0, &|_| -1.0)),
            ("graded", banded(&|i| 0.5f64.powi(i as i32), &|i| 0.5f64.powi(i as i32 + 2))),
            ("negative ties", banded(&|i| i as f64, &|i| if i % 2 == 0 { -1.0 } else { 1e-8 })),
            (
                "two values",
                DMatrix::identity(n, n)
                    + DMatrix::from_fn(n, n, |i, j| if i + j == n - 1 { 1e-7 } else { 0.0 }),
            ),
            ("rank two", DMatrix::from_fn(n, n, |i, j| (i * j) as f64 * 1e-3 + 1.0)),
            ("tiny", whole(n) * 1e-300),
            ("huge", whole(n) * 1e300),
        ];
        for (name, a) in &kinds {
            check_pairs::<f64>(name, a);
            if !["tiny", "huge"].contains(name) {
                check_pairs::<f32>(name, a);
            }
        }
        for n in [1, 2, 31, 32, 33, 64, 65, 67] {
            check_pairs::<f64>("a size", &whole(n));
        }
    }

    /// A power of two changes nothing but the size of the eigenvalues.
    #[test]
    fn matrices_of_any_size_of_numbers() {
        fn check<T: Float>(exponents: &[i32]) {
            let unit = whole(70).map(T::of);
            let right = symmetric_eigen(&unit).unwrap();
            for e in exponents {
                let factor = libm::scalbn(1.0, *e);
                let found = symmetric_eigen(&unit.map(|x| T::of(x.to_f64() * factor))).unwrap();
                assert!(found.vectors == right.vectors, "{} 2^{e}", T::NAME);
                let same = |(a, b): (&T, &T)| *a == T::of(b.to_f64() * factor);
                assert!(found.values.iter().zip(&right.values).all(same), "{} 2^{e}", T::NAME);
            }
        }
        check::<f64>(&[-900, -310, -290, -100, -50, -20, 3, 200, 900]);
        check::<f32>(&[-90, -28, -20, -10, 5, 40, 100]);
        let few = symmetric_eigen(&whole(40).map(|x| x * 1e-310)).unwrap().values;
        let right = symmetric_eigen(&whole(40)).unwrap().values;
        let off =
            few.iter().zip(&right).fold(0.0f64, |m, (a, b)| Float::max(m, (a * 1e300 * 1e10 - b).abs()));
        assert!(off < 1e-9 * right.amax(), "{off:e}");
    }

    /// 2 − 2·cos(πk/(n + 1)), in closed form.
    #[test]
    fn eigenvalues_of_second_differences() {
        let n = 200;
        let a = DMatrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        });
        let values = symmetric_eigen(&a).unwrap().values;
        for (k, value) in values.iter().enumerate() {
            let right = 2.0 - 2.0 * libm::cos(std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64);
            assert!((value - right).abs() < 1e-14 * 4.0, "{k}: {value} {right}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "the thread library's queues are not what is looked at here")]
    fn threads_do_not_change_a_bit() {
        let a = whole(300);
        let run = |threads| crate::linalg::with_threads(threads, || symmetric_eigen(&a).unwrap());
        let (one, three) = (run(1), run(3));
        assert!(one.values == three.values && one.vectors == three.vectors);
    }

    #[test]
    fn huge_and_tiny_numbers() {
        for scale in [1e-200, 1e200] {
            let a = DMatrix::from_row_slice(2, 2, &[2.0 * scale, scale, scale, 2.0 * scale]);
            let SymmetricEigen { values, vectors } = symmetric_eigen(&a).unwrap();
            assert!((values[0] / scale - 1.0).abs() < 1e-14 && (values[1] / scale / 3.0 - 1.0).abs() < 1e-14);
            assert!((vectors[(0, 1)] - 0.5f64.sqrt()).abs() < 1e-14, "{vectors}");
        }
        let SymmetricEigen { values, vectors } = symmetric_eigen(&DMatrix::from_element(1, 1, -3.0)).unwrap();
        assert_eq!((values[0], vectors[0]), (-3.0, 1.0));
    }

    #[test]
    fn at_the_ends_of_the_range() {
        fn check<T: Float>(entries: [f64; 3], expected: [f64; 2], tolerance: f64) {
            let [a, b, c] = entries.map(T::of);
            let found = symmetric_eigen(&DMatrix::from_row_slice(2, 2, &[a, b, b, c])).unwrap().values;
            for (found, right) in found.iter().zip(expected) {
                let error = (found.to_f64() - right).abs() / expected[1];
                assert!(error < tolerance, "{found:e}, not {right:e}");
            }
        }
        check::<f32>([2e-38, 1e-38, 2e-38], [1e-38, 3e-38], 1e-6);
        check::<f64>([2e-310, 1e-310, 2e-310], [1e-310, 3e-310], 1e-12);
        check::<f32>([1.7e38, 1.7e38, 1.7e38], [0.0, 3.4e38], 1e-6);
        for n in [2, 3] {
            let error = symmetric_eigen(&DMatrix::from_element(n, n, 3e38f32)).unwrap_err().to_string();
            assert!(error.contains("leaves the range of f32"), "{error}");
            let tiny = symmetric_eigen(&DMatrix::from_element(n, n, 1e-40f32)).unwrap();
            assert!((tiny.values[n - 1] / (n as f32 * 1e-40) - 1.0).abs() < 1e-3, "{}", tiny.values);
        }
    }

    /// Falling in size from the top left, from the bottom right, and towards the middle: the small entries stand where the
    /// iteration does not expect them.
    #[test]
    fn matrices_that_fall_in_size() {
        fn check<T: Float>(ratio: f64) {
            for n in [3, 12, 20, 31] {
                let places: [&dyn Fn(usize) -> usize; 4] =
                    [&|i| i, &|i| n - 1 - i, &|i| i.min(n - 1 - i), &|i| i.abs_diff(n / 2)];
                for place in places {
                    let size = |i| libm::pow(ratio, place(i) as f64);
                    let a = DMatrix::from_fn(n, n, |i, j| size(i) * size(j) * if i == j { 2.0 } else { 1.0 });
                    check_pairs::<T>("falling", &a);
                }
            }
        }
        for ratio in [0.5, 0.2, 0.05] {
            check::<f32>(ratio);
            check::<f64>(ratio);
        }
        check::<f64>(1e-10);
    }

    #[test]
    fn a_nan_is_an_error() {
        let a = DMatrix::from_element(2, 2, f64::NAN);
        assert!(matches!(symmetric_eigen(&a), Err(Error::NonFinite(_))));
    }
}
