//! Linear and ridge regression against scikit-learn, certified values, and brute force.
//!
//! `reference/linear.json`: `LinearRegression`, `Ridge(solver="svd")` and `RidgeCV` of scikit-learn 1.9.1; the
//! leave-one-out residuals by refitting in 40 digits, from which `RidgeCV` differs by up to 2·10⁻¹⁰.

use std::path::Path;
use std::sync::Arc;

use crate::reference::Matrix;
use nalgebra::{DMatrix, RowDVector, dmatrix};
use rand::RngExt;
use serde::Deserialize;
use tapegrad::data::table::{ReadOptions, Schema, Table, TableOptions};
use tapegrad::linalg::with_threads;
use tapegrad::models::kernel::{KernelMachine, KernelRidge, LinearKernel, RidgeOptions, Samples};
use tapegrad::models::linear::{LinearOptions, LinearRegression, RidgePath};
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Dataset, Error};

#[derive(Deserialize)]
struct Reference {
    diabetes: Vec<Diabetes>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Diabetes {
    alpha: f64,
    coef: Vec<f64>,
    intercept: f64,
    r2_train: f64,
    r2_test: f64,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    x: Matrix,
    y: Matrix,
    weights: Option<Vec<f64>>,
    intercept: bool,
    runs: Vec<Run>,
    best_alpha: f64,
}

#[derive(Deserialize)]
struct Run {
    alpha: f64,
    coef: Matrix,
    intercept: Vec<f64>,
    leave_one_out: Option<Matrix>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/linear.json")).unwrap()
}

#[track_caller]
fn near<'a>(
    what: &str,
    found: impl IntoIterator<Item = &'a f64>,
    expected: impl IntoIterator<Item = &'a f64>,
    tolerance: f64,
) {
    let (found, expected): (Vec<f64>, Vec<f64>) =
        (found.into_iter().copied().collect(), expected.into_iter().copied().collect());
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).abs() <= tolerance * scale, "{what}: {a} and {b} of {scale}");
    }
}

fn r2(y: &[f64], predictions: &DMatrix<f64>) -> f64 {
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let residual: f64 = y.iter().zip(predictions).map(|(y, p)| (y - p) * (y - p)).sum();
    1.0 - residual / y.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>()
}

fn path(x: &DMatrix<f64>, y: &DMatrix<f64>, weights: Option<&[f64]>, intercept: bool) -> RidgePath {
    match weights {
        None => RidgePath::new(x, y, intercept).unwrap(),
        Some(weights) => RidgePath::weighted(x, y, weights, intercept).unwrap(),
    }
}

#[test]
fn diabetes_from_its_file() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/diabetes.csv");
    let table = Table::read(file, &ReadOptions::default()).unwrap();
    let schema = Schema::fit(&table, &TableOptions::target("progression")).unwrap();
    let data = schema.encode(&table).unwrap().data;
    // Every fifth row is for testing.
    let part =
        |test: bool| data.subset(&(0..data.len()).filter(|i| (i % 5 == 0) == test).collect::<Vec<_>>());
    let (train, test) = (part(false), part(true));
    for run in reference().diabetes {
        let options = LinearOptions { lambda: run.alpha / train.len() as f64, ..Default::default() };
        let model = LinearRegression::fit_dataset(&train, &options).unwrap();
        near("weights", model.weights(), &run.coef, 1e-10);
        near("intercept", model.intercept(), &[run.intercept], 1e-10);
        for (data, expected) in [(&train, run.r2_train), (&test, run.r2_test)] {
            let found = r2(data.targets().unwrap(), &model.predict_dataset(data).unwrap());
            assert!((found - expected).abs() < 1e-12, "α = {}: {found}", run.alpha);
        }
        assert_eq!(model.feature_names().unwrap()[2], "bmi");
        assert_eq!(model.predict_dataset(&test).unwrap(), model.predict(&test.to_matrix()).unwrap());
    }
}

#[test]
fn scikit_learn_says_the_same() {
    let grid: Vec<f64> = (0..15).map(|i| 10f64.powf(-4.0 + i as f64 / 2.0)).collect();
    for case in reference().cases {
        let (x, y, name) = (case.x.get(), case.y.get(), &case.name);
        let weights = case.weights.as_deref();
        let path = path(&x, &y, weights, case.intercept);
        let total = weights.map_or(x.nrows() as f64, |w| w.iter().sum());
        for run in case.runs {
            let what = format!("{name}, α = {}", run.alpha);
            let lambda = run.alpha / total;
            let point = path.at(lambda).unwrap();
            near(&what, point.model.weights(), &run.coef.get(), 1e-10);
            let size = run.coef.data.iter().fold(1.0f64, |m, w| m.max(w.abs()));
            for (b, expected) in point.model.intercept().iter().zip(&run.intercept) {
                assert!((b - expected).abs() < 1e-10 * size * x.amax(), "{what}: {b} {expected}");
            }
            if let Some(expected) = run.leave_one_out {
                near(&what, &point.leave_one_out_residuals, &expected.get(), 1e-11);
            }
            let options = LinearOptions { lambda, intercept: case.intercept };
            let direct = match weights {
                None => LinearRegression::fit(&x, &y, &options).unwrap(),
                Some(w) => LinearRegression::fit_weighted(&x, &y, w, &options).unwrap(),
            };
            assert_eq!(direct, point.model);
        }
        let lambdas: Vec<f64> = grid.iter().map(|alpha| alpha / total).collect();
        let best = path.best(&lambdas).unwrap().lambda * total;
        assert!((best / case.best_alpha - 1.0).abs() < 1e-9, "{name}: {best} {}", case.best_alpha);
    }
}

/// Longley's data, whose features nearly depend on each other: the values are certified by NIST (Statistical
/// Reference Datasets), and were computed again here in 60 digits.
#[test]
fn longley() {
    let rows: [[f64; 7]; 16] = [
        [60323.0, 83.0, 234289.0, 2356.0, 1590.0, 107608.0, 1947.0],
        [61122.0, 88.5, 259426.0, 2325.0, 1456.0, 108632.0, 1948.0],
        [60171.0, 88.2, 258054.0, 3682.0, 1616.0, 109773.0, 1949.0],
        [61187.0, 89.5, 284599.0, 3351.0, 1650.0, 110929.0, 1950.0],
        [63221.0, 96.2, 328975.0, 2099.0, 3099.0, 112075.0, 1951.0],
        [63639.0, 98.1, 346999.0, 1932.0, 3594.0, 113270.0, 1952.0],
        [64989.0, 99.0, 365385.0, 1870.0, 3547.0, 115094.0, 1953.0],
        [63761.0, 100.0, 363112.0, 3578.0, 3350.0, 116219.0, 1954.0],
        [66019.0, 101.2, 397469.0, 2904.0, 3048.0, 117388.0, 1955.0],
        [67857.0, 104.6, 419180.0, 2822.0, 2857.0, 118734.0, 1956.0],
        [68169.0, 108.4, 442769.0, 2936.0, 2798.0, 120445.0, 1957.0],
        [66513.0, 110.8, 444546.0, 4681.0, 2637.0, 121950.0, 1958.0],
        [68655.0, 112.6, 482704.0, 3813.0, 2552.0, 123366.0, 1959.0],
        [69564.0, 114.2, 502601.0, 3931.0, 2514.0, 125368.0, 1960.0],
        [69331.0, 115.7, 518173.0, 4806.0, 2572.0, 127852.0, 1961.0],
        [70551.0, 116.9, 554894.0, 4007.0, 2827.0, 130081.0, 1962.0],
    ];
    let x = DMatrix::from_fn(16, 6, |i, j| rows[i][j + 1]);
    let y = DMatrix::from_fn(16, 1, |i, _| rows[i][0]);
    let model = LinearRegression::fit(&x, &y, &LinearOptions::default()).unwrap();
    let certified = [
        15.061_872_271_373_295,
        -0.035_819_179_292_591_02,
        -2.020_229_803_816_825,
        -1.033_226_867_173_592,
        -0.051_104_105_653_580_71,
        1_829.151_464_613_551_8,
    ];
    for (found, expected) in model.weights().iter().zip(certified) {
        assert!((found / expected - 1.0).abs() < 1e-10, "{found} {expected}");
    }
    assert!((model.intercept()[0] / -3_482_258.634_595_818_3 - 1.0).abs() < 1e-11);
}

fn random(rows: usize, cols: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = stream(seed, Purpose::Data);
    DMatrix::from_fn(rows, cols, |_, _| rng.random_range(-2.0..2.0))
}

/// Every sample left out by a fit of its own, with the same ridge in all.
#[test]
fn leaving_one_out_by_brute_force() {
    let (tall, wide) = (random(15, 4, 1), random(8, 20, 2));
    let mut dependent = random(14, 5, 3);
    for i in 0..14 {
        dependent[(i, 3)] = 2.0 * dependent[(i, 0)] - dependent[(i, 1)];
        dependent[(i, 4)] = 3.0;
    }
    // Row 2 alone has the last feature: without it the feature is 0 everywhere.
    let mut alone = random(12, 3, 4);
    (0..12).filter(|i| *i != 2).for_each(|i| alone[(i, 2)] = 0.0);
    for (name, x) in [("tall", tall), ("wide", wide), ("dependent", dependent), ("alone", alone)] {
        let n = x.nrows();
        let y = random(n, 2, 5);
        // Next to no weight where the other rows determine the fit: its residual keeps its digits.
        let least = if name == "tall" || name == "dependent" { 1e-9 } else { 0.2 };
        let some: Vec<f64> = (0..n).map(|i| [0.5, 2.0, 0.0, 1.0, least][i % 5]).collect();
        for (weights, intercept) in [(None, true), (None, false), (Some(&some), true), (Some(&some), false)] {
            let path = path(&x, &y, weights.map(Vec::as_slice), intercept);
            let w = weights.cloned().unwrap_or_else(|| vec![1.0; n]);
            let total: f64 = w.iter().sum();
            for lambda in [0.0, 1e-6, 0.01, 2.0] {
                let point = path.at(lambda).unwrap();
                let mut error = 0.0;
                for i in 0..n {
                    let left = |a: &DMatrix<f64>| a.clone().remove_row(i);
                    let mut rest = w.clone();
                    rest.remove(i);
                    let same = lambda * total / (total - w[i]);
                    let options = LinearOptions { lambda: same, intercept };
                    let model =
                        LinearRegression::fit_weighted(&left(&x), &left(&y), &rest, &options).unwrap();
                    let expected = y.row(i) - model.predict(&x.rows(i, 1).into_owned()).unwrap();
                    let found = point.leave_one_out_residuals.row(i);
                    assert!(
                        (found - &expected).amax() < 1e-9 * (1.0 + expected.amax()),
                        "{name}, λ = {lambda}, {intercept}, row {i}, weight {}: {found} {expected}",
                        w[i]
                    );
                    error += w[i] * expected.norm_squared() / total / 2.0;
                }
                assert!((point.leave_one_out_error - error).abs() < 1e-9 * error, "{name} {lambda}");
            }
        }
    }
}

#[test]
fn a_weight_of_two_is_the_sample_twice() {
    let (x, y) = (random(10, 3, 6), random(10, 1, 7));
    let weights: Vec<f64> = (0..10).map(|i| f64::from(i % 3)).collect();
    let rows: Vec<usize> = (0..10).flat_map(|i| std::iter::repeat_n(i, i % 3)).collect();
    let (twice_x, twice_y) = (x.select_rows(&rows), y.select_rows(&rows));
    for lambda in [0.0, 0.1] {
        let options = LinearOptions { lambda, ..Default::default() };
        let one = LinearRegression::fit_weighted(&x, &y, &weights, &options).unwrap();
        let two = LinearRegression::fit(&twice_x, &twice_y, &options).unwrap();
        near("weights", one.weights(), two.weights(), 1e-13);
        near("intercept", one.intercept(), two.intercept(), 1e-13);
        // Only ratios matter, from the least numbers to the largest.
        for scale in [1e-300, 1e300] {
            let scaled: Vec<f64> = weights.iter().map(|w| w * scale).collect();
            let model = LinearRegression::fit_weighted(&x, &y, &scaled, &options).unwrap();
            near("scaled", model.weights(), one.weights(), 1e-13);
        }
    }
}

/// λ is that of the kernel machines.
#[test]
fn the_linear_kernel_gives_the_same_function() {
    let (x, y, z) = (random(20, 4, 8), random(20, 2, 9), random(5, 4, 10));
    let samples = Samples::from_matrix(&x).unwrap();
    let kernel = KernelRidge::fit(Arc::new(LinearKernel), &samples, &y, RidgeOptions::new(0.05)).unwrap();
    let path = RidgePath::new(&x, &y, false).unwrap();
    let point = path.at(0.05).unwrap();
    let expected = kernel.predict(&Samples::from_matrix(&z).unwrap());
    near("predictions", &point.model.predict(&z).unwrap(), &expected, 1e-12);
    near("residuals", &point.leave_one_out_residuals, &kernel.leave_one_out_residuals(), 1e-11);
    assert!((point.effective_dimension - kernel.effective_dimension()).abs() < 1e-11);
}

#[test]
fn dependent_features_have_the_solution_of_least_norm() {
    let base = random(30, 2, 11);
    let y = DMatrix::from_fn(30, 1, |i, _| 1.0 + 3.0 * base[(i, 0)] - 2.0 * base[(i, 1)]);
    // The first feature three times, a constant, and the second.
    let x = DMatrix::from_fn(30, 5, |i, j| {
        [base[(i, 0)], base[(i, 0)], base[(i, 0)], 1e6 + 0.1, base[(i, 1)]][j]
    });
    let path = RidgePath::new(&x, &y, true).unwrap();
    assert_eq!((path.rank(), path.singular_values().len()), (2, 2));
    let model = path.model(0.0).unwrap();
    near("weights", model.weights(), &[1.0, 1.0, 1.0, 0.0, -2.0], 1e-13);
    assert!((model.intercept()[0] - 1.0).abs() < 1e-13);
    assert!((path.at(0.0).unwrap().effective_dimension - 3.0).abs() < 1e-13);
    // The limit of small ridges.
    near("limit", path.model(1e-13).unwrap().weights(), model.weights(), 1e-11);
    // All features constant: the mean.
    let flat =
        LinearRegression::fit(&dmatrix![5.0; 5.0; 5.0], &dmatrix![1.0; 2.0; 6.0], &LinearOptions::default());
    let flat = flat.unwrap();
    assert_eq!((flat.weights()[0], flat.intercept()[0]), (0.0, 3.0));
}

#[test]
fn features_of_any_scale() {
    let (x, b) = (random(25, 3, 12), [2.0, -3.0, 0.5]);
    let y = DMatrix::from_fn(25, 1, |i, _| 4.0 + (0..3).map(|j| b[j] * x[(i, j)]).sum::<f64>());
    for scales in [[1.0, 1.0, 1.0], [1e-12, 1.0, 1e12], [1e-150, 1e-150, 1e-150], [1e200, 1e200, 1e200]] {
        let scaled = DMatrix::from_fn(25, 3, |i, j| x[(i, j)] * scales[j]);
        let path = RidgePath::new(&scaled, &y, true).unwrap();
        let model = path.model(0.0).unwrap();
        for j in 0..3 {
            let found = model.weights()[j] * scales[j];
            assert!((found / b[j] - 1.0).abs() < 1e-12, "{scales:?}: {found}");
        }
        assert_eq!(path.rank(), 3);
        let residuals = path.at(0.0).unwrap().leave_one_out_residuals;
        assert!(residuals.amax() < 1e-12, "{scales:?}");
    }
    // A large level is no large spread.
    let shifted = x.map(|x| 1e9 + x);
    let model = LinearRegression::fit(&shifted, &y, &LinearOptions::default()).unwrap();
    near("shifted", model.weights(), &b, 1e-6);
    // Both at once: which features depend on others cannot be told.
    let both = DMatrix::from_fn(25, 4, |i, j| x[(i, j % 3)] * [1e-12, 1.0, 1e12, 1e-12][j]);
    let path = RidgePath::new(&both, &y, true).unwrap();
    let error = path.model(0.0).unwrap_err().to_string();
    assert!(error.contains("differ so much in scale"), "{error}");
    assert!(path.model(1e-3).is_ok());
}

#[test]
fn what_is_wrong_is_named() {
    let (x, y) = (random(4, 2, 13), random(4, 1, 14));
    let fit = |x: &DMatrix<f64>, y: &DMatrix<f64>| {
        LinearRegression::fit(x, y, &LinearOptions::default()).unwrap_err().to_string()
    };
    assert_eq!(fit(&x, &random(3, 1, 1)), "linear: 4 rows of features and 3 of targets");
    assert_eq!(fit(&DMatrix::zeros(4, 0), &y), "linear: there are no features");
    assert_eq!(fit(&x, &DMatrix::zeros(4, 0)), "linear: there are no targets");
    assert_eq!(fit(&DMatrix::zeros(0, 2), &DMatrix::zeros(0, 1)), "linear: there are no samples");
    let with = |a: &DMatrix<f64>, value| {
        let mut a = a.clone();
        a[(2, 0)] = value;
        a
    };
    assert_eq!(fit(&with(&x, f64::NAN), &y), "linear: row 2, column 0 of the features is NaN");
    assert_eq!(fit(&x, &with(&y, f64::INFINITY)), "linear: row 2, column 0 of the targets is inf");
    let far = dmatrix![1.7e308; -1.7e308; 1.7e308];
    assert!(fit(&far, &dmatrix![1.0; 2.0; 3.0]).contains("scale the data"));
    for (weights, expected) in [
        (vec![1.0; 3], "linear: 3 weights for 4 samples"),
        (vec![1.0, -1.0, 1.0, 1.0], "linear: row 1: the weight is -1; allowed is 0 and above"),
        (vec![1.0, 1.0, f64::NAN, 1.0], "linear: row 2: the weight is NaN; allowed is 0 and above"),
        (vec![0.0; 4], "linear: all weights are 0"),
    ] {
        let error = LinearRegression::fit_weighted(&x, &y, &weights, &LinearOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    for lambda in [-1.0, f64::NAN, f64::INFINITY] {
        let options = LinearOptions { lambda, ..Default::default() };
        assert!(matches!(
            LinearRegression::fit(&x, &y, &options),
            Err(Error::Setting { name: "lambda", .. })
        ));
    }
    let path = RidgePath::new(&x, &y, true).unwrap();
    // The largest ridge of all leaves the mean.
    let mean = path.at(f64::MAX).unwrap();
    assert!(mean.model.weights().amax() < 1e-300 && (mean.model.intercept()[0] - y.mean()).abs() < 1e-15);
    let left_out = (y[0] - y.mean()) * 4.0 / 3.0;
    assert!((mean.leave_one_out_residuals[0] - left_out).abs() < 1e-14);
    let usual = path.usual_lambdas();
    let n = x.nrows() as f64;
    assert_eq!((usual.len(), usual[12]), (25, 1.0 / n));
    assert!((usual[0] * n * 1e6 - 1.0).abs() < 1e-14 && (usual[24] * n / 1e6 - 1.0).abs() < 1e-14);
    assert!(matches!(path.best(&[]), Err(Error::Setting { name: "lambda", .. })));
    let one = RidgePath::new(&dmatrix![1.0, 2.0], &dmatrix![3.0], true).unwrap();
    assert_eq!(one.model(0.0).unwrap().intercept()[0], 3.0);
    assert!(one.at(0.0).unwrap_err().to_string().contains("leaving the only sample"));
    let model = path.model(0.1).unwrap();
    let error = model.predict(&random(2, 3, 1)).unwrap_err().to_string();
    assert_eq!(error, "linear: the model was fitted to 2 features, found 3");
    assert!(matches!(model.predict(&dmatrix![f64::NAN, 1.0]), Err(Error::NonFinite(_))));
    let labelled = Dataset::new(vec![1.0, 2.0], 1).unwrap().with_labels(&[0, 1], 2).unwrap();
    let error = LinearRegression::fit_dataset(&labelled, &LinearOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "linear regression needs targets that are numbers");
    let weights = dmatrix![1.0; 2.0];
    let model = LinearRegression::from_parameters(&weights, &RowDVector::from_element(1, 0.5)).unwrap();
    assert_eq!(model.predict(&dmatrix![1.0, 1.0]).unwrap()[0], 3.5);
    assert!(LinearRegression::from_parameters(&weights, &RowDVector::from_element(2, 0.5)).is_err());
}

#[test]
fn threads_do_not_change_a_bit() {
    let (x, y) = (random(300, 60, 15), random(300, 3, 16));
    let run = |threads| {
        with_threads(threads, || {
            let point = RidgePath::new(&x, &y, true).unwrap().at(0.01).unwrap();
            (point.model.predict(&x).unwrap(), point.leave_one_out_residuals, point.model)
        })
    };
    assert_eq!(run(1), run(3));
}

/// One product in either order of the numbers: a row by itself, all rows, and a column-major matrix have the same bits.
#[test]
fn a_row_is_predicted_as_among_many() {
    use tapegrad::models::{Fitted, Inputs, Predictor};
    let x = DMatrix::from_fn(70, 37, |i, j| number(i * 37 + j));
    let y = DMatrix::from_fn(70, 3, |i, j| number(7 * i + j + 5));
    let options = LinearOptions { lambda: 0.1, intercept: true };
    let fit = LinearRegression::fit(&x, &y, &options).unwrap();
    let rows: Vec<f64> = x.transpose().as_slice().to_vec();
    let data = tapegrad::Dataset::new(rows.clone(), 37).unwrap();
    let data = data.with_targets(y.transpose().as_slice().to_vec(), 3).unwrap();
    let model = Fitted::regressor(fit.clone(), Inputs::of(&data), &data).unwrap();
    let (all, columns) = (model.predict(&data).unwrap(), fit.predict(&x).unwrap());
    for (i, row) in rows.chunks_exact(37).enumerate() {
        assert_eq!(model.predict(&row).unwrap().as_slice(), all.row(i));
        assert_eq!(columns.row(i).iter().copied().collect::<Vec<_>>(), all.row(i));
    }
}

/// Numbers of no pattern between −1 and 1.
fn number(i: usize) -> f64 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
    mixed as f64 / (1u64 << 52) as f64 - 1.0
}
