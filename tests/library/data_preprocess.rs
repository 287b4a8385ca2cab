//! Preprocessing against closed forms.

use nalgebra::{DMatrix, SymmetricEigen};
use rand::RngExt;
use tapegrad::data::Dataset;
use tapegrad::data::preprocess::{MinMax, Pca, RandomProjection, Standardize, normalize_rows, smooth_images};
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Error, linalg};

use crate::helpers;

/// 1300 rows, so that there is more than one block and a last one that is not full.
fn correlated(d: usize) -> Dataset {
    let mut rng = stream(1, Purpose::Data);
    let mix = DMatrix::<f64>::from_fn(d, d, |_, _| rng.random_range(-1.0..1.0));
    let source = DMatrix::<f64>::from_fn(1300, d, |_, _| rng.random_range(-1.0..1.0));
    let mut x = source * mix;
    for (j, mut column) in x.column_iter_mut().enumerate() {
        column.add_scalar_mut(10.0 * j as f64);
    }
    let labels: Vec<usize> = (0..1300).map(|i| i % 3).collect();
    Dataset::from_matrix(&x).unwrap().with_labels(&labels, 3).unwrap()
}

/// Means and variances (divided by n) of the columns.
fn moments(x: &DMatrix<f64>) -> Vec<(f64, f64)> {
    x.column_iter().map(|c| (c.mean(), c.variance())).collect()
}

#[test]
fn standardised_columns_have_mean_0_and_variance_1() {
    let data = correlated(9);
    let done = Standardize::fit(&data).unwrap().apply(&data).unwrap();
    for (mean, variance) in moments(&done.to_matrix()) {
        assert!(mean.abs() < 1e-13 && (variance - 1.0).abs() < 1e-13, "{mean} {variance}");
    }
    assert_eq!(done.labels(), data.labels());
}

#[test]
fn standardising_bytes_and_views() {
    let bytes: Vec<u8> = (0..3000u32).map(|i| (i * i % 251) as u8).collect();
    let data = Dataset::new(bytes, 3).unwrap();
    let (train, test) = data.split(0.7, 4).unwrap();
    let fitted = Standardize::fit(&train).unwrap();
    for (mean, variance) in moments(&fitted.apply(&train).unwrap().to_matrix()) {
        assert!(mean.abs() < 1e-13 && (variance - 1.0).abs() < 1e-13);
    }
    // The test part is mapped by the numbers of the training part.
    let (x, z) = (test.to_matrix::<f64>(), fitted.apply(&test).unwrap().to_matrix::<f64>());
    for ((i, j), z) in (0..x.nrows()).flat_map(|i| (0..3).map(move |j| (i, j))).map(|at| (at, z[at])) {
        let expected = (x[(i, j)] - fitted.mean()[j]) / fitted.std()[j];
        assert!((z - expected).abs() < 1e-13);
    }
}

#[test]
fn a_constant_feature_becomes_0() {
    // 0.1 summed and divided again is not exactly 0.1.
    let values: Vec<f64> = (0..1000).flat_map(|i| [0.1, f64::from(i), 0.0]).collect();
    let data = Dataset::new(values, 3).unwrap();
    let z = Standardize::fit(&data).unwrap().apply(&data).unwrap().to_matrix::<f64>();
    assert!(z.column(0).abs().max() == 0.0 && z.column(2).abs().max() == 0.0);
    let z = MinMax::fit(&data).unwrap().apply(&data).unwrap().to_matrix::<f64>();
    assert_eq!((z.column(0).max(), z.column(1).min(), z.column(1).max()), (0.0, 0.0, 1.0));
    let test = Dataset::new(vec![0.6, 2.0, 5.0], 3).unwrap();
    let z = MinMax::fit(&data).unwrap().apply(&test).unwrap().to_rows::<f64>();
    assert_eq!(z, [0.5, 2.0 / 999.0, 5.0]);
}

#[test]
fn pca_of_a_known_plane() {
    // Points ±3 along (3, 4)/5 and ±1 across, around (1, 2).
    let points = [(3.0, 0.0), (-3.0, 0.0), (0.0, 1.0), (0.0, -1.0)];
    let values = points.iter().flat_map(|(a, b)| [1.0 + 0.6 * a - 0.8 * b, 2.0 + 0.8 * a + 0.6 * b]);
    let data = Dataset::new(values.collect::<Vec<f64>>(), 2).unwrap();
    let pca = Pca::fit(&data, 2).unwrap();
    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14);
    assert!(near(pca.mean(), &[1.0, 2.0]));
    assert!(near(pca.explained_variance(), &[6.0, 2.0 / 3.0]));
    assert!(near(pca.components(), &[0.6, 0.8, 0.8, -0.6]));
    assert!(near(&pca.explained_variance_ratio(), &[0.9, 0.1]));
    let z = pca.apply(&data).unwrap().to_rows::<f64>();
    assert!(near(&z, &[3.0, 0.0, -3.0, 0.0, 0.0, -1.0, 0.0, 1.0]));
}

#[test]
fn pca_against_the_covariance() {
    let data = correlated(12);
    let x = data.to_matrix::<f64>();
    let mean = x.row_mean();
    let centered = DMatrix::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] - mean[j]);
    let covariance = centered.transpose() * &centered / 1299.0;
    // Eigenvalues by another library.
    let mut expected: Vec<f64> =
        SymmetricEigen::new(covariance.clone()).eigenvalues.iter().copied().collect();
    expected.sort_by(|a, b| b.total_cmp(a));
    for k in [1, 5, 12] {
        let pca = Pca::fit(&data, k).unwrap();
        let z = pca.apply(&data).unwrap();
        assert_eq!((z.features(), z.labels()), (k, data.labels()));
        let z_matrix = z.to_matrix::<f64>();
        // Cov(Z) = diag(λ): the variances are the eigenvalues, and the columns are uncorrelated.
        let cov_z = z_matrix.transpose() * &z_matrix / 1299.0;
        for i in 0..k {
            for j in 0..k {
                let lambda = if i == j { expected[i] } else { 0.0 };
                assert!((cov_z[(i, j)] - lambda).abs() < 1e-11, "({i}, {j})");
            }
            assert!((pca.explained_variance()[i] - expected[i]).abs() < 1e-11);
        }
        // ‖X − X̂‖²/(n − 1) is the sum of the eigenvalues left out.
        let residual = pca.invert(&z).unwrap().to_matrix::<f64>() - &x;
        let left_out: f64 = expected[k..].iter().sum();
        assert!((residual.norm_squared() / 1299.0 - left_out).abs() < 1e-10);
    }
}

#[test]
fn projections_keep_distances() {
    let data = correlated(400);
    let k = 100;
    let projection = RandomProjection::new(400, k, 3).unwrap();
    let z = projection.apply(&data).unwrap().to_matrix::<f64>();
    let x = data.to_matrix::<f64>();
    let r = DMatrix::from_row_slice(k, 400, projection.weights());
    let expected = &x * r.transpose();
    assert!((&z - expected).abs().max() < 1e-9);
    let ratios: Vec<f64> = (0..600)
        .map(|i| (z.row(i) - z.row(i + 600)).norm_squared() / (x.row(i) - x.row(i + 600)).norm_squared())
        .collect();
    // Each has mean 1 and standard deviation √(2/k) = 0.14. They share R, so their mean strays too.
    assert!(ratios.iter().all(|r| (r - 1.0).abs() < 5.0 * 0.1414));
    assert!((ratios.iter().sum::<f64>() / 600.0 - 1.0).abs() < 0.1);
    // Entries from N(0, 1/k): standard errors are 0.1/200 for the mean and 0.01·√2/200 for the variance.
    let n = projection.weights().len() as f64;
    let (mean, square) = (r.sum() / n, r.norm_squared() / n);
    assert!(mean.abs() < 4.0 * 0.0005 && (square - 0.01).abs() < 4.0 * 0.00007, "{mean} {square}");
    assert_eq!(RandomProjection::new(400, k, 3).unwrap().weights(), projection.weights());
}

#[test]
fn threads_do_not_change_a_bit() {
    let data = correlated(200);
    let run = |threads| {
        linalg::with_threads(threads, || {
            let pca = Pca::fit(&data, 20).unwrap();
            pca.apply(&data).unwrap().to_rows::<f64>()
        })
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn wrong_settings_and_data() {
    let data = correlated(3);
    for k in [0, 4] {
        assert!(matches!(Pca::fit(&data, k), Err(Error::Setting { .. })));
        assert!(matches!(RandomProjection::new(3, k, 0), Err(Error::Setting { .. })));
    }
    assert!(matches!(Pca::fit(&data.take(1), 1), Err(Error::Data(_))));
    assert!(matches!(Standardize::fit(&data.take(0)), Err(Error::Data(_))));
    assert!(matches!(MinMax::fit(&data.take(0)), Err(Error::Data(_))));
    // σ is in range, and the variance is not.
    let huge = Dataset::new(vec![1e300, -1e300], 1).unwrap();
    assert_eq!(Standardize::fit(&huge).unwrap().std(), [1e300]);
    assert!(matches!(Pca::fit(&huge, 1), Err(Error::NonFinite(_))));
    // All rows the same: no variance, and no division by it.
    let same = Dataset::new(vec![2.0; 10], 2).unwrap();
    assert_eq!(Pca::fit(&same, 2).unwrap().explained_variance_ratio(), [0.0, 0.0]);
}

/// Right values by exact rational arithmetic.
#[test]
fn moments_lose_nothing_to_the_rounding_of_the_mean() {
    // In each column the numbers a and a + b alternate: the mean is a + b/2, σ is b/2.
    for rows in [2, 1000, 1300] {
        let columns = [(1e14, 1.0), (525_029.94, 1e-6), (1e200, 1e190), (1e-200, 1e-200), (-1e308, 2e307)];
        let values: Vec<f64> =
            (0..rows).flat_map(|i| columns.map(|(a, b)| if i % 2 == 0 { a } else { a + b })).collect();
        let data = Dataset::new(values, columns.len()).unwrap();
        let fitted = Standardize::fit(&data).unwrap();
        for (j, (a, b)) in columns.into_iter().enumerate() {
            // b as it is left after rounding.
            let b = a + b - a;
            let (mean, std) = (fitted.mean()[j], fitted.std()[j]);
            assert!((mean / (a + 0.5 * b) - 1.0).abs() < 1e-15, "{rows} {a:e}: {mean:e}");
            assert!((std / (0.5 * b) - 1.0).abs() < 1e-14, "{rows} {a:e} + {b:e}: {std:e}");
        }
        let z = fitted.apply(&data).unwrap().to_matrix::<f64>();
        assert!(z.iter().all(|z| (z.abs() - 1.0).abs() < 0.05), "{}", z.rows(0, 2));
    }
    // One of 1000 numbers is off by one unit in the last place: σ = √0.000999·2⁻³³.
    let mut values = vec![525_029.937_5; 1000];
    values[700] += f64::powi(2.0, -33);
    let std = Standardize::fit(&Dataset::new(values, 1).unwrap()).unwrap().std()[0];
    assert!((std / (0.031_606_961_258_558_22 * f64::powi(2.0, -33)) - 1.0).abs() < 1e-12, "{std:e}");
    // Single precision: stored as it is, and looked at in f64.
    let values: Vec<f32> = (0..900).map(|i| [54_321.12f32, 54_321.13, 54_321.14][i % 3]).collect();
    let fitted = Standardize::fit(&Dataset::new(values, 1).unwrap()).unwrap();
    let variance = fitted.std()[0] * fitted.std()[0];
    assert!((variance / (0.000_193_277_994_791_666_66 / 3.0) - 1.0).abs() < 1e-9, "{variance:e}");
    let large: Vec<f32> = vec![1e20, -1e20, 2e20, 0.0];
    let fitted = Standardize::fit(&Dataset::new(large, 1).unwrap()).unwrap();
    assert!((fitted.std()[0] / 1.118_033_988_749_895e20 - 1.0).abs() < 1e-6);
}

#[test]
fn a_column_of_one_value_has_no_variance_at_all() {
    for value in [0.1, 1e14 + 0.3, 525_029.94, 1e200, 1e308, 1e-300, 54_321.123, -0.7] {
        for rows in [1, 3, 1000] {
            let data = Dataset::new(vec![value; rows], 1).unwrap();
            let fitted = Standardize::fit(&data).unwrap();
            assert_eq!((fitted.mean()[0], fitted.std()[0]), (value, 0.0), "{value:e} {rows}");
            assert!(fitted.apply(&data).unwrap().to_rows::<f64>().iter().all(|z| *z == 0.0));
            if rows > 1 {
                let pca = Pca::fit(&data, 1).unwrap();
                let found = (pca.mean()[0], pca.explained_variance()[0], pca.explained_variance_ratio()[0]);
                assert_eq!(found, (value, 0.0, 0.0), "{value:e} {rows}");
            }
        }
    }
}

/// Beside a constant column, one that varies by very little, or far from the origin, is all there is.
#[test]
fn components_do_not_follow_constant_columns() {
    for (offset, scale) in [(0.0, 1e-14), (0.0, 1e-200), (1e14, 1.0), (1e200, 1e190)] {
        let values: Vec<f64> =
            (0..1000).flat_map(|i| [0.1, offset + if i % 2 == 0 { 0.0 } else { scale }, 1e5]).collect();
        let data = Dataset::new(values, 3).unwrap();
        let fitted = Pca::fit(&data, 3);
        if offset == 1e200 {
            assert!(matches!(fitted, Err(Error::NonFinite(_))));
            continue;
        }
        let pca = fitted.unwrap();
        assert_eq!(pca.components()[..3], [0.0, 1.0, 0.0], "{scale:e}");
        let ratio = pca.explained_variance_ratio();
        assert!((ratio[0] - 1.0).abs() < 1e-15 && ratio[1..] == [0.0, 0.0], "{ratio:?}");
        // n/(n − 1)·(scale/2)².
        let expected = 1000.0 / 999.0 * 0.25 * scale * scale;
        let found = pca.explained_variance()[0];
        assert!(found == expected || (found / expected - 1.0).abs() < 1e-12, "{found:e} {expected:e}");
        assert_eq!((pca.mean()[0], pca.mean()[2]), (0.1, 1e5));
    }
    // Two columns that vary together by 10⁻²⁰⁰: their variance is 0 in f64, and its share is not.
    let values: Vec<f64> = (0..6).flat_map(|i| [1e-200 * f64::from(i), 2e-200 * f64::from(i)]).collect();
    let pca = Pca::fit(&Dataset::new(values, 2).unwrap(), 2).unwrap();
    assert!((pca.explained_variance_ratio()[0] - 1.0).abs() < 1e-15);
    assert!((pca.components()[1] / pca.components()[0] - 2.0).abs() < 1e-14);
}

#[test]
fn mnist() {
    let Some((train, test)) = helpers::mnist() else { return };
    let start = std::time::Instant::now();
    let pca = Pca::fit(&train, 50).unwrap();
    println!("PCA of 60,000×784: {:?}", start.elapsed());
    // scikit-learn: PCA(50).fit(X/255).explained_variance_ratio_
    let ratio = pca.explained_variance_ratio();
    assert!((ratio[0] - 0.09704664).abs() < 5e-9);
    assert!((ratio.iter().sum::<f64>() - 0.824646863333519).abs() < 1e-12);
    assert_eq!(pca.apply(&test).unwrap().features(), 50);
}

/// A bright pixel becomes the bell, which is a product of two; what is over the border is lost.
#[test]
fn smoothing_is_a_convolution_with_a_gaussian() {
    let (height, width, sigma) = (21, 17, 1.2);
    for (row, column) in [(10, 8), (0, 3), (20, 16)] {
        let mut images = vec![0.0f64; 2 * height * width];
        let second = height * width;
        images[second + row * width + column] = 2.0;
        smooth_images(&mut images, height, width, sigma).unwrap();
        assert!(images[..second].iter().all(|x| *x == 0.0));
        let weight = |i: usize, j: usize| {
            let d = i.abs_diff(j) as f64;
            if d > 5.0 { 0.0 } else { (-0.5 * d * d / (sigma * sigma)).exp() }
        };
        let total: f64 = (0..11).map(|i| weight(i, 5)).sum();
        for i in 0..height {
            for j in 0..width {
                let expected = 2.0 * weight(i, row) * weight(j, column) / (total * total);
                let found = images[second + i * width + j];
                assert!((found - expected).abs() < 1e-14, "({i}, {j}): {found} {expected}");
            }
        }
    }
    // Wider than the image, and a single pixel.
    let mut image = [1.0f32];
    smooth_images(&mut image, 1, 1, 50.0).unwrap();
    assert!(image[0] > 0.0 && image[0] < 0.01);
    // The middle of a bell is 1/(σ·√2π) of it, less what is cut off.
    let mut image = [1.0f64];
    smooth_images(&mut image, 1, 1, 1e6).unwrap();
    let expected = 1.0 / (std::f64::consts::TAU * 1e12);
    assert!((image[0] / expected - 1.0).abs() < 2e-4, "{:e}", image[0]);
    for sigma in [0.0, -1.0, f64::NAN, f64::INFINITY, 2e6] {
        assert!(matches!(smooth_images(&mut image, 1, 1, sigma), Err(Error::Setting { .. })));
    }
}

#[test]
fn normalised_rows_have_length_1_whatever_their_size() {
    let mut rows = [3.0f64, 4.0, 0.0, 0.0, 3e200, -4e200, 3e-200, 4e-200];
    normalize_rows(&mut rows, 2);
    assert_eq!(rows[2..4], [0.0, 0.0]);
    for (found, expected) in rows.iter().zip([0.6, 0.8, 0.0, 0.0, 0.6, -0.8, 0.6, 0.8]) {
        assert!((found - expected).abs() < 1e-15, "{found}");
    }
}
