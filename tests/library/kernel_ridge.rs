//! Exact kernel ridge regression against figures computed elsewhere, closed forms and brute force.
//!
//! `reference/kernel_ridge.json`: the Gaussian kernel on a noisy sine, in f64 by scikit-learn and SciPy.

use std::sync::Arc;

use crate::reference::Matrix;
use nalgebra::{DMatrix, dmatrix};
use rand::RngExt;
use serde::Deserialize;
use tapegrad::linalg::with_threads;
use tapegrad::models::kernel::{
    Kernel, KernelMachine, KernelRidge, KernelSettings, LinearKernel, Rbf, RidgeOptions, RidgePath, Samples,
    gram, kernels, lambda_grid, one_vs_rest,
};
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Error, Float};

use crate::helpers::random;

#[derive(Deserialize)]
struct Reference {
    x: Matrix,
    y: Vec<f64>,
    z: Matrix,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    gamma: f64,
    lambda: f64,
    alpha: Vec<f64>,
    prediction: Vec<f64>,
    loo_residuals: Vec<f64>,
    effective_dimension: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/kernel_ridge.json")).unwrap()
}

fn samples(m: &Matrix) -> Samples<f64> {
    Samples::from_matrix(&m.get()).unwrap()
}

/// Largest difference relative to the largest expected value.
fn distance(found: impl IntoIterator<Item = f64>, expected: &[f64]) -> f64 {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    difference.fold(0.0, |m, d| if d.is_nan() { d } else { f64::max(m, d) }) / scale
}

#[track_caller]
fn near(what: &str, found: impl IntoIterator<Item = f64>, expected: &[f64], tolerance: f64) {
    let distance = distance(found, expected);
    assert!(distance <= tolerance, "{what}: {distance:e}");
}

fn targets(n: usize, c: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = stream(seed, Purpose::Init);
    DMatrix::from_fn(n, c, |_, _| rng.random_range(-1.0..1.0))
}

fn rbf(gamma: f64) -> Arc<dyn Kernel<f64>> {
    Arc::new(Rbf::new(gamma).unwrap())
}

#[test]
fn agrees_with_the_reference() {
    let reference = reference();
    let (x, z) = (samples(&reference.x), samples(&reference.z));
    let y = DMatrix::from_column_slice(x.len(), 1, &reference.y);
    assert_eq!(reference.runs.len(), 9);
    for run in &reference.runs {
        let name = format!("γ={} λ={}", run.gamma, run.lambda);
        let kernel = rbf(run.gamma);
        let fit = KernelRidge::fit(kernel.clone(), &x, &y, RidgeOptions::new(run.lambda)).unwrap();
        near(&format!("{name} α"), fit.alpha().iter().copied(), &run.alpha, 1e-8);
        near(&format!("{name} f(z)"), fit.predict(&z).iter().copied(), &run.prediction, 1e-8);
        let residuals = fit.leave_one_out_residuals();
        near(&format!("{name} LOO"), residuals.iter().copied(), &run.loo_residuals, 1e-8);
        near(&format!("{name} dim"), [fit.effective_dimension()], &[run.effective_dimension], 1e-8);

        let point = RidgePath::new(kernel.as_ref(), &x, &y, 1 << 30).unwrap().at(run.lambda).unwrap();
        near(&format!("{name} path α"), point.alpha.iter().copied(), &run.alpha, 1e-8);
        let residuals = &point.leave_one_out_residuals;
        near(&format!("{name} path LOO"), residuals.iter().copied(), &run.loo_residuals, 1e-8);
        near(&format!("{name} path dim"), [point.effective_dimension], &[run.effective_dimension], 1e-8);
        let prediction = point.machine(kernel, &x).predict(&z);
        near(&format!("{name} path f(z)"), prediction.iter().copied(), &run.prediction, 1e-8);
    }
}

#[test]
fn leave_one_out_is_what_leaving_one_out_gives() {
    let (x, y) = (random(12, 3, 1), targets(12, 2, 1));
    let fit = KernelRidge::fit(rbf(0.7), &x, &y, RidgeOptions::new(0.01)).unwrap();
    let residuals = fit.leave_one_out_residuals();
    for i in 0..12 {
        let others: Vec<usize> = (0..12).filter(|j| *j != i).collect();
        // The same ridge nλ: 12·0.01 = 11·(0.12/11).
        let part = KernelRidge::fit(
            rbf(0.7),
            &x.subset(&others),
            &y.select_rows(&others),
            RidgeOptions::new(0.12 / 11.0),
        );
        let at = part.unwrap().predict(&x.subset(&[i]));
        for j in 0..2 {
            assert!((y[(i, j)] - at[j] - residuals[(i, j)]).abs() < 1e-12);
        }
    }
}

#[test]
fn targets_shrink_along_the_eigenvectors() {
    let x = random(30, 2, 2);
    let k = gram(rbf(2.0).as_ref(), &x);
    let (n, lambda) = (30.0, 1e-3);
    let path = RidgePath::new(rbf(2.0).as_ref(), &x, &targets(30, 1, 3), 1 << 30).unwrap();
    let shrinkage = path.shrinkage(lambda).unwrap();
    let eigen = path.eigen();
    for (i, d) in eigen.values.iter().enumerate() {
        // Fitted to the eigenvector itself, the fit returns it, shrunk by d/(d + nλ).
        let q = DMatrix::from_column_slice(30, 1, eigen.vectors.column(i).as_slice());
        let fit = KernelRidge::fit(rbf(2.0), &x, &q, RidgeOptions::new(lambda)).unwrap();
        let expected = &q * (d / (d + n * lambda));
        assert!((&k * fit.alpha() - &expected).abs().max() < 1e-11, "{i}");
        assert!((fit.predict(&x) - expected).abs().max() < 1e-11, "{i}");
        assert!((shrinkage[i] - d / (d + n * lambda)).abs() < 1e-15);
    }
}

#[test]
fn the_path_finds_the_noise() {
    // y = sin 3x + noise: neither the least nor the largest λ leaves the smallest error.
    let x = random(80, 1, 4);
    let noise = targets(80, 1, 5);
    let y = DMatrix::from_fn(80, 1, |i, _| Float::sin(3.0 * x.rows().row(i)[0]) + 0.3 * noise[i]);
    let path = RidgePath::new(rbf(3.0).as_ref(), &x, &y, 1 << 30).unwrap();
    let grid = lambda_grid(1e-10, 10.0, 23).unwrap();
    assert!((grid[0] / 1e-10 - 1.0).abs() < 1e-12 && (grid[22] / 10.0 - 1.0).abs() < 1e-12);
    let best = path.best(&grid).unwrap();
    assert!(best.lambda > 1e-7 && best.lambda < 1.0, "{}", best.lambda);
    for lambda in &grid {
        let point = path.at(*lambda).unwrap();
        assert!(point.leave_one_out_error >= best.leave_one_out_error);
        let mean = point.leave_one_out_residuals.iter().map(|r| r * r).sum::<f64>() / 80.0;
        assert!((mean / point.leave_one_out_error - 1.0).abs() < 1e-12);
    }
    let clean = (0..80).map(|i| (x.rows().row(i)[0] * 3.0).sin()).collect::<Vec<_>>();
    let fitted = best.machine(rbf(3.0), &x).predict(&x);
    assert!(distance(fitted.iter().copied(), &clean) < 0.2);
}

#[test]
fn the_gaussian_process_against_its_formulas() {
    let (x, z, y) = (random(25, 2, 6), random(7, 2, 7), targets(25, 2, 8));
    for entry in kernels::<f64>() {
        let kernel = (entry.build)(&KernelSettings::default()).unwrap();
        let (n, lambda) = (25.0, 0.02);
        let fit = KernelRidge::fit(kernel.clone(), &x, &y, RidgeOptions::new(lambda)).unwrap();
        let a = gram(kernel.as_ref(), &x) + DMatrix::identity(25, 25) * (n * lambda);
        let inverse = a.clone().try_inverse().unwrap();
        let all = tapegrad::models::kernel::cross_gram(kernel.as_ref(), &z, &x);
        let own = gram(kernel.as_ref(), &z);
        let expected: Vec<f64> =
            (0..7).map(|i| own[(i, i)] - (all.row(i) * &inverse * all.row(i).transpose())[0]).collect();
        near(entry.name, fit.posterior_variance(&z), &expected, 1e-10);
        let likelihood: Vec<f64> = (0..2)
            .map(|j| {
                let y = y.column(j);
                let quadratic = (y.transpose() * &inverse * y)[0];
                -0.5 * (quadratic + a.determinant().ln() + n * std::f64::consts::TAU.ln())
            })
            .collect();
        near(entry.name, fit.log_marginal_likelihood(), &likelihood, 1e-10);
    }
    // Certain at a training sample, the prior far away.
    let fit = KernelRidge::fit(rbf(1.0), &x, &y, RidgeOptions::new(1e-12)).unwrap();
    assert!(fit.posterior_variance(&x).iter().all(|v| *v < 1e-9));
    let far = Samples::new(vec![100.0, 100.0], 2).unwrap();
    assert_eq!(fit.posterior_variance(&far), [1.0]);
}

#[test]
fn the_linear_kernel_is_ridge_regression() {
    let (x, z, y) = (random(20, 4, 9), random(5, 4, 10), targets(20, 3, 11));
    let fit = KernelRidge::fit(Arc::new(LinearKernel), &x, &y, RidgeOptions::new(0.1)).unwrap();
    let design = DMatrix::from_row_slice(20, 4, x.rows().values);
    let primal = design.tr_mul(&design) + DMatrix::identity(4, 4) * 2.0;
    let weights = primal.try_inverse().unwrap() * design.tr_mul(&y);
    let expected = DMatrix::from_row_slice(5, 4, z.rows().values) * weights;
    assert!((fit.predict(&z) - expected).abs().max() < 1e-12);
}

#[test]
fn the_same_bits_at_any_number_of_threads_and_in_any_block() {
    let (x, z, y) = (random(700, 30, 12), random(300, 30, 13), targets(700, 4, 14));
    let run = |threads| {
        with_threads(threads, || {
            let fit = KernelRidge::fit(rbf(0.1), &x, &y, RidgeOptions::new(1e-6)).unwrap();
            (fit.predict(&z), fit.leave_one_out_residuals(), fit.posterior_variance(&z))
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn single_precision_follows_double() {
    let (x, y) = (random(100, 5, 15), targets(100, 2, 16));
    let x32 = Samples::new(x.rows().values.iter().map(|v| *v as f32).collect(), 5).unwrap();
    let fit = KernelRidge::fit(rbf(0.5), &x, &y, RidgeOptions::new(1e-3)).unwrap();
    let kernel = Arc::new(Rbf::new(0.5).unwrap());
    let fit32 = KernelRidge::fit(kernel, &x32, &y.map(|v| v as f32), RidgeOptions::new(1e-3)).unwrap();
    let expected = fit.predict(&x);
    near("f32", fit32.predict(&x32).iter().map(|v| f64::from(*v)), expected.as_slice(), 1e-4);
}

#[test]
fn single_samples_and_single_classes() {
    let x = Samples::new(vec![3.0, 4.0], 2).unwrap();
    // n = 1: f(x) = k(x, x₁)·y/(k(x₁, x₁) + λ).
    let fit = KernelRidge::fit(rbf(1.0), &x, &dmatrix![5.0], RidgeOptions::new(0.25)).unwrap();
    assert_eq!(fit.predict(&x), dmatrix![4.0]);
    assert!((fit.leave_one_out_residuals()[0] - 5.0f64).abs() < 1e-14);
    assert!((fit.effective_dimension() - 0.8).abs() < 1e-15);
    // One class of three has samples: it is predicted everywhere, the nearer ones and the far ones.
    let x = random(6, 2, 17);
    let y = one_vs_rest(&[1; 6], 3).unwrap();
    let fit = KernelRidge::fit(rbf(1.0), &x, &y, RidgeOptions::new(1e-6)).unwrap();
    assert_eq!(fit.classify(&x), [Some(1); 6]);
    assert_eq!(fit.accuracy(&x, &[1, 1, 1, 0, 0, 0]), 0.5);
    let y = one_vs_rest(&[0; 6], 1).unwrap();
    let fit = KernelRidge::fit(rbf(1.0), &x, &y, RidgeOptions::new(1e-6)).unwrap();
    assert_eq!(fit.classify(&random(4, 2, 18)), [Some(0); 4]);
    assert!(matches!(one_vs_rest::<f64>(&[0, 3], 3), Err(Error::Data(why)) if why.contains("row 1")));
}

#[test]
fn duplicated_rows_need_a_ridge() {
    let mut values = random(20, 3, 19).rows().values.to_vec();
    let copy = values[..3].to_vec();
    values[30..33].copy_from_slice(&copy);
    let (x, y) = (Samples::new(values, 3).unwrap(), targets(20, 1, 20));
    let error = KernelRidge::fit(rbf(5.0), &x, &y, RidgeOptions::new(0.0)).unwrap_err();
    let Error::NotPositiveDefinite { pivot, hint, .. } = error else { panic!("{error}") };
    assert!(pivot == 10 && hint.contains("λ = 0e0 is too small") && hint.contains("λ ≥ "), "{pivot} {hint}");
    // The λ that it suggests is enough.
    let suggested: f64 = hint.rsplit("λ ≥ ").next().unwrap().trim_end_matches(')').parse().unwrap();
    KernelRidge::fit(rbf(5.0), &x, &y, RidgeOptions::new(suggested)).unwrap();
    let path = RidgePath::new(rbf(5.0).as_ref(), &x, &y, 1 << 30).unwrap();
    assert!(matches!(path.at(0.0), Err(Error::Setting { name: "lambda", .. })));
    // Without duplicates λ = 0 interpolates.
    let x = random(20, 3, 19);
    let fit = KernelRidge::fit(rbf(5.0), &x, &y, RidgeOptions::new(0.0)).unwrap();
    assert!((fit.predict(&x) - &y).abs().max() < 1e-12);
    let point = RidgePath::new(rbf(5.0).as_ref(), &x, &y, 1 << 30).unwrap().at(0.0).unwrap();
    assert!((point.alpha - fit.alpha()).abs().max() < 1e-10);
    assert!((point.effective_dimension - 20.0).abs() < 1e-12);
}

#[test]
fn bad_input_is_an_error() {
    let (x, y) = (random(5, 2, 21), targets(5, 1, 22));
    for lambda in [-1e-9, f64::NAN, f64::INFINITY] {
        let result = KernelRidge::fit(rbf(1.0), &x, &y, RidgeOptions::new(lambda));
        assert!(matches!(result, Err(Error::Setting { name: "lambda", .. })), "{lambda}");
        let path = RidgePath::new(rbf(1.0).as_ref(), &x, &y, 1 << 30).unwrap();
        assert!(matches!(path.at(lambda), Err(Error::Setting { name: "lambda", .. })), "{lambda}");
    }
    for y in [targets(4, 1, 0), targets(5, 0, 0), DMatrix::from_element(5, 1, f64::NAN)] {
        let result = KernelRidge::fit(rbf(1.0), &x, &y, RidgeOptions::new(0.1));
        assert!(matches!(result, Err(Error::Data(_))));
    }
    for (values, features) in [(vec![], 0), (vec![1.0], 0), (vec![], 2), (vec![1.0; 3], 2), (vec![1e200], 1)]
    {
        assert!(matches!(Samples::new(values, features), Err(Error::Data(_))), "{features}");
    }
    let error = Samples::new(vec![0.0, 1.0, 2.0, f64::NAN], 2).unwrap_err();
    assert_eq!(error.to_string(), "row 1, column 1: the feature is NaN");
    for (from, to) in [(0.0, 1.0), (1.0, f64::NAN)] {
        assert!(matches!(lambda_grid(from, to, 3), Err(Error::Setting { .. })));
    }
}

#[test]
fn memory_is_predicted() {
    let (x, y) = (random(100, 2, 23), targets(100, 1, 24));
    // 100² entries twice over, 200 + 100 for the samples, 200 for targets and α: 20,500 numbers.
    let fit = |bytes| KernelRidge::fit(rbf(1.0), &x, &y, RidgeOptions::new(0.1).with_memory(bytes));
    assert!(fit(8 * 20_500).is_ok());
    let error = fit(8 * 20_500 - 1).unwrap_err().to_string();
    for part in ["memory:", "100 samples in f64", "Nyström", "FALKON"] {
        assert!(error.contains(part), "{error}");
    }
    // No fit of this size is tried: it would be 800 TB.
    let many = Samples::new(vec![0.0f64; 10_000_000], 1).unwrap();
    let y = DMatrix::zeros(10_000_000, 1);
    let result = KernelRidge::fit(rbf(1.0), &many, &y, RidgeOptions::new(0.1));
    assert!(matches!(result, Err(Error::Setting { name: "memory", .. })));
    let result = RidgePath::new(rbf(1.0).as_ref(), &many, &y, 1 << 33);
    assert!(matches!(result, Err(Error::Setting { name: "memory", .. })));
}

/// What the command line rests on, where all samples at once would not fit into memory.
#[test]
fn samples_block_by_block_have_the_same_predictions_to_the_bit() {
    // So many training samples that a block is short of one that the matrix products would choose.
    let (x, z) = (random(1500, 3, 5), random(3001, 3, 6));
    let y = DMatrix::from_fn(1500, 2, |i, j| ((i * 7 + j * 3) % 11) as f64);
    let options = RidgeOptions::new(1e-3);
    let fit = KernelRidge::fit(Arc::new(Rbf::new(1.0).unwrap()), &x, &y, options).unwrap();
    let whole = fit.predict(&z);
    let block = fit.block();
    assert!(block < z.len() && !z.len().is_multiple_of(block), "{block}");
    for start in (0..z.len()).step_by(block) {
        let rows: Vec<usize> = (start..z.len().min(start + block)).collect();
        assert_eq!(fit.predict(&z.subset(&rows)), whole.rows(start, rows.len()));
    }
}
