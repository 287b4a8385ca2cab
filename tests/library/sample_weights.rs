//! A weight of 2 is the sample twice and 0 leaves it out, in every kernel machine and in the preparation.

use std::sync::Arc;

use nalgebra::DMatrix;
use tapegrad::data::preprocess::{MinMax, Pca, Standardize, TargetScale};
use tapegrad::metrics::SeenClasses;
use tapegrad::models::kernel::{
    Centres, FalkonOptions, FourierRidge, IterativeOptions, Kernel, KernelMachine, KernelRidge,
    NystromOptions, Rbf, RidgeOptions, RidgePath, Samples, falkon, iterative_ridge, leverage_scores, nystrom,
};
use tapegrad::models::linear::{LinearOptions, LinearRegression};
use tapegrad::models::ntk::TangentRidge;
use tapegrad::models::{Fitted, Inputs, Mlp};
use tapegrad::nn::Activation;
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Dataset, Error, Float, Tape};

const X: [f64; 12] = [0.0, 1.0, 1.0, 0.5, 2.0, -1.0, -1.5, 0.3, 0.4, 2.0, 3.0, 0.7];
const Y: [f64; 6] = [1.0, -0.5, 2.0, 0.3, -1.2, 0.8];
const WEIGHTS: [f64; 6] = [2.0, 0.5, 1.0, 0.0, 3.0, 1.25];
/// Row 3 is left out, 0 is there twice and 4 three times.
const COUNTS: [f64; 6] = [2.0, 1.0, 1.0, 0.0, 3.0, 1.0];
const ROWS: [usize; 8] = [0, 0, 1, 2, 4, 4, 4, 5];
const COUNTED: [usize; 5] = [0, 1, 2, 4, 5];
const LAMBDA: f64 = 0.05;

fn data() -> Dataset {
    Dataset::new(X.to_vec(), 2).unwrap().with_targets(Y.to_vec(), 1).unwrap()
}

fn weighted(weights: &[f64]) -> Dataset {
    data().with_weights(weights.to_vec()).unwrap()
}

fn of<T: Float>(data: &Dataset) -> (Samples<T>, DMatrix<T>) {
    (Samples::from_dataset(data).unwrap(), data.targets_matrix::<T>())
}

fn kernel<T: Float>() -> Arc<dyn Kernel<T>> {
    Arc::new(Rbf::new(0.5).unwrap())
}

fn asked<T: Float>() -> Samples<T> {
    Samples::new([0.5, 0.5, -1.0, 1.5, 2.5, 0.0].map(T::of).to_vec(), 2).unwrap()
}

/// Predictions of every family for a data set.
fn predictions<T: Float>(data: &Dataset) -> Vec<(&'static str, Vec<T>)> {
    let ((x, y), ridge) = (of::<T>(data), RidgeOptions::new(LAMBDA));
    // All that count: then no draw decides.
    let centres = data.weights().map_or(data.len(), |w| w.iter().filter(|w| **w > 0.0).count());
    let (selection, seed, iterations, tolerance) = (Centres::Uniform, 1, 60, 0.0);
    let options = FalkonOptions { ridge, centres, selection, seed, iterations, tolerance };
    let falkon = falkon(kernel(), &x, &y, options).unwrap().machine;
    let options = IterativeOptions { ridge, pilots: centres, seed, iterations, tolerance };
    let go_on = &mut |_| std::ops::ControlFlow::Continue(());
    let iterative = iterative_ridge(kernel(), &x, &y, options, go_on).unwrap().machine;
    let path = RidgePath::new(&*kernel(), &x, &y, 1 << 30).unwrap();
    let machines: [(&str, Box<dyn KernelMachine<T>>); 6] = [
        ("exact", Box::new(KernelRidge::fit(kernel(), &x, &y, ridge).unwrap())),
        ("path", Box::new(path.at(LAMBDA).unwrap().machine(kernel(), &x))),
        (
            "nystrom",
            Box::new(nystrom(kernel(), &x, &y, NystromOptions { ridge, centres, selection, seed }).unwrap()),
        ),
        ("falkon", Box::new(falkon)),
        ("iterative", Box::new(iterative)),
        ("fourier", Box::new(FourierRidge::fit(&*kernel(), &x, &y, 8, 3, ridge).unwrap())),
    ];
    let mut found: Vec<_> = machines.iter().map(|(name, m)| (*name, m.predict_rows(&asked()))).collect();
    let mut tape = Tape::<T>::default();
    let mlp = Mlp::new(&[2, 6, 1], Activation::Tanh).build(&mut tape, &mut stream(3, Purpose::Init)).unwrap();
    let tangent = TangentRidge::fit(Box::new(mlp), &tape, &x, &y, ridge).unwrap();
    found.push(("tangent", tangent.predict(&asked()).as_slice().to_vec()));
    found
}

fn twice_is_two<T: Float>(tolerance: f64) {
    let (counts, rows) = (predictions::<T>(&weighted(&COUNTS)), predictions::<T>(&data().subset(&ROWS)));
    let plain = predictions::<T>(&data().subset(&COUNTED));
    for (((name, a), (_, b)), (_, c)) in counts.iter().zip(&rows).zip(&plain) {
        let error = |a: &[T], b: &[T]| {
            a.iter().zip(b).map(|(a, b)| (a.to_f64() - b.to_f64()).abs()).fold(0.0, f64::max)
        };
        assert!(error(a, b) < tolerance, "{name}, {}: {:e}", T::NAME, error(a, b));
        assert!(error(a, c) > 0.01, "{name}: the weights do not count");
    }
}

#[test]
fn a_weight_of_two_is_the_sample_twice() {
    twice_is_two::<f64>(1e-11);
    twice_is_two::<f32>(1e-4);
}

/// To the bit; and all weights equal is no weights, whatever their scale.
#[test]
fn a_weight_of_zero_leaves_out() {
    let zeros = [7.0, 7.0, 7.0, 0.0, 7.0, 7.0];
    assert_eq!(predictions::<f64>(&weighted(&zeros)), predictions::<f64>(&data().subset(&COUNTED)));
    assert_eq!(predictions::<f32>(&weighted(&zeros)), predictions::<f32>(&data().subset(&COUNTED)));
    assert_eq!(predictions::<f64>(&weighted(&[1e-300; 6])), predictions::<f64>(&data()));
    let mixed: Vec<f64> = COUNTED.iter().map(|i| WEIGHTS[*i]).collect();
    let left = data().subset(&COUNTED).with_weights(mixed).unwrap();
    assert_eq!(predictions::<f64>(&weighted(&WEIGHTS)), predictions::<f64>(&left));
}

/// Only ratios matter: scaled by powers of two at both ends of the range, no bit is another.
#[test]
fn huge_and_tiny_weights() {
    for scale in [2f64.powi(-900), 2f64.powi(900)] {
        let scaled = WEIGHTS.map(|w| w * scale);
        assert_eq!(predictions::<f64>(&weighted(&scaled)), predictions::<f64>(&weighted(&WEIGHTS)));
        let of = |data: &Dataset| Standardize::fit(data).unwrap();
        let (a, b) = (of(&weighted(&scaled)), of(&weighted(&WEIGHTS)));
        assert_eq!((a.mean(), a.std()), (b.mean(), b.std()));
    }
    let apart = [1.0, 1e-60, 1.0, 1.0, 1.0, 1.0];
    let (x, y) = of::<f32>(&weighted(&apart));
    let error = KernelRidge::fit(kernel(), &x, &y, RidgeOptions::new(LAMBDA)).unwrap_err();
    assert!(matches!(&error, Error::Data(why) if why.contains("row 1") && why.contains("f32")), "{error}");
    let (x, y) = of::<f64>(&weighted(&apart));
    let fit = KernelRidge::fit(kernel(), &x, &y, RidgeOptions::new(LAMBDA)).unwrap();
    assert!(fit.leave_one_out_residuals().iter().all(|r| r.is_finite()));
    let (x, y) = of::<f64>(&weighted(&WEIGHTS).subset(&[3]));
    let error = KernelRidge::fit(kernel(), &x, &y, RidgeOptions::new(LAMBDA)).unwrap_err().to_string();
    assert!(error.contains("weights of all samples are 0"), "{error}");
    for wrong in [vec![1.0], vec![-1.0; 3], vec![f64::NAN; 3], vec![0.0; 3]] {
        assert!(matches!(asked::<f64>().with_weights(wrong), Err(Error::Data(_))));
    }
}

/// scikit-learn 1.9.1: `KernelRidge(alpha=λ·Σw, kernel="rbf", gamma=0.5)`, `Ridge(alpha=λ·Σw)` and `StandardScaler`,
/// each with `sample_weight`.
#[test]
fn as_scikit_learn() {
    let close = |found: &[f64], expected: &[f64]| {
        let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(found.len() == expected.len() && error < 1e-13, "{found:?}, {error:e}");
    };
    let data = weighted(&WEIGHTS);
    let (x, y) = of::<f64>(&data);
    let fit = KernelRidge::fit(kernel(), &x, &y, RidgeOptions::new(LAMBDA)).unwrap();
    close(&fit.predict_rows(&asked()), &[0.45343866408485234, 0.41135170766188767, 0.954520034401445]);
    let scale = Standardize::fit(&data).unwrap();
    close(scale.mean(), &[0.9612903225806452, 1.0483870967741935]);
    close(scale.std(), &[1.0817182923940485, 0.9651578402560383]);
    let ridge =
        LinearRegression::fit_dataset(&data, &LinearOptions { lambda: LAMBDA, intercept: true }).unwrap();
    close(ridge.weights().as_slice(), &[-0.06878297168244346, -1.0704304725939107]);
    close(ridge.intercept().as_slice(), &[1.336732997272223]);
}

#[test]
fn the_gaussian_process_counts_samples_as_often() {
    let fit = |data: &Dataset| {
        let (x, y) = of::<f64>(data);
        KernelRidge::fit(kernel(), &x, &y, RidgeOptions::new(LAMBDA)).unwrap()
    };
    let (a, b) = (fit(&weighted(&COUNTS)), fit(&data().subset(&ROWS)));
    let (likely, twice) = (a.log_marginal_likelihood()[0], b.log_marginal_likelihood()[0]);
    assert!((likely - twice).abs() < 1e-11, "{likely}, {twice}");
    assert!((a.effective_dimension() - b.effective_dimension()).abs() < 1e-12);
    let variances = a.posterior_variance(&asked()).into_iter().zip(b.posterior_variance(&asked()));
    variances.for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{a}, {b}"));
    let all = weighted(&COUNTS).subset(&COUNTED);
    let (x, twice) = (of::<f64>(&all).0, of::<f64>(&data().subset(&ROWS)).0);
    let scores = leverage_scores(&*kernel(), &x, LAMBDA, 5, 1).unwrap();
    let of_rows = leverage_scores(&*kernel(), &twice, LAMBDA, 8, 1).unwrap();
    assert!((scores[0] - 2.0 * of_rows[0]).abs() < 1e-12 && (scores[3] - 3.0 * of_rows[4]).abs() < 1e-12);
    let with_zero = leverage_scores(&*kernel(), &of::<f64>(&weighted(&COUNTS)).0, LAMBDA, 5, 1).unwrap();
    assert_eq!((with_zero[3], with_zero[4]), (0.0, scores[3]));
    // For large λ, where the trace of the product is taken.
    let large = |data: &Dataset| {
        let (x, y) = of::<f64>(data);
        KernelRidge::fit(kernel(), &x, &y, RidgeOptions::new(100.0)).unwrap().effective_dimension()
    };
    let (a, b) = (large(&weighted(&COUNTS)), large(&data().subset(&ROWS)));
    assert!((a - b).abs() < 1e-14 && a < 0.02, "{a}, {b}");
}

/// Against fits without each sample, with the same nλ; by the factor and by the path.
#[test]
fn leave_one_out_is_a_fit_without_the_sample() {
    let data = weighted(&WEIGHTS);
    let (x, y) = of::<f64>(&data);
    let by_factor =
        KernelRidge::fit(kernel(), &x, &y, RidgeOptions::new(LAMBDA)).unwrap().leave_one_out_residuals();
    let point = RidgePath::new(&*kernel(), &x, &y, 1 << 30).unwrap().at(LAMBDA).unwrap();
    let (mut squares, total) = (0.0, WEIGHTS.iter().sum::<f64>());
    for (at, row) in COUNTED.into_iter().enumerate() {
        let mut weights = WEIGHTS;
        weights[row] = 0.0;
        let (others, y) = of::<f64>(&weighted(&weights));
        let options = RidgeOptions::new(LAMBDA * total / (total - WEIGHTS[row]));
        let fit = KernelRidge::fit(kernel(), &others, &y, options).unwrap();
        let expected = Y[row] - fit.predict_rows(&x.subset(&[row]))[0];
        assert!((by_factor[at] - expected).abs() < 1e-13, "{row}");
        assert!((point.leave_one_out_residuals[at] - expected).abs() < 1e-13, "{row}");
        squares += WEIGHTS[row] * expected * expected;
    }
    assert!((point.leave_one_out_error - squares / total).abs() < 1e-13);
}

#[test]
fn the_preparation_counts_weights() {
    let (counts, rows) = (weighted(&COUNTS), data().subset(&ROWS));
    let close = |a: &[f64], b: &[f64]| {
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14), "{a:?}, {b:?}");
    };
    let of = |data: &Dataset| (Standardize::fit(data).unwrap(), TargetScale::fit(data).unwrap());
    let ((a, at), (b, bt)) = (of(&counts), of(&rows));
    close(a.mean(), b.mean());
    close(a.std(), b.std());
    close(at.mean(), bt.mean());
    close(at.std(), bt.std());
    let of = |data: &Dataset| Pca::fit(data, 2).unwrap();
    let (a, b) = (of(&counts), of(&rows));
    close(a.mean(), b.mean());
    close(a.explained_variance(), b.explained_variance());
    close(a.components(), b.components());
    let of = |data: &Dataset| MinMax::fit(data).unwrap();
    let (a, b) = (of(&counts), of(&rows));
    assert_eq!((a.min(), a.max()), (b.min(), b.max()));
    assert!(a.min()[0] > -1.5, "the row without weight counts");
    let error = Pca::fit(&weighted(&[0.1; 6]), 1).unwrap_err().to_string();
    assert!(error.contains("the weights sum to 0.6"), "{error}");
    // Weights that are made to sum to 1 do so but for roundings, here 1 + 2⁻⁵².
    for n in [9usize, 10, 20, 21] {
        let rows: Vec<f64> = (0..2 * n).map(|i| ((i * 7) % 5) as f64).collect();
        let data = Dataset::new(rows, 2).unwrap();
        let data = data.with_weights(vec![1.0 / n as f64; n]).unwrap();
        assert!(matches!(Pca::fit(&data, 1), Err(Error::Data(_))), "{n}");
    }
    assert!(matches!(Standardize::fit(&counts.subset(&[3])), Err(Error::Data(_))));
}

/// A class whose samples all have weight 0 did not occur.
#[test]
fn a_class_without_weight_is_not_seen() {
    let train = Dataset::new(vec![0.0, 1.0, 5.0], 1).unwrap().with_labels(&[0, 1, 2], 3).unwrap();
    let train = train.with_weights(vec![1.0, 2.0, 0.0]).unwrap();
    let seen = SeenClasses::of_weighted(train.labels().unwrap(), train.weights(), 3).unwrap();
    assert_eq!([0, 1, 2].map(|class| seen.contains(class)), [true, true, false]);
    assert!(SeenClasses::of_weighted(&[0, 1], Some(&[1.0]), 2).is_err());
    let x = Samples::<f64>::from_dataset(&train).unwrap();
    let y = tapegrad::models::kernel::one_vs_rest(&[0, 1, 2], 3).unwrap();
    let fit = KernelRidge::fit(kernel(), &x, &y, RidgeOptions::new(LAMBDA)).unwrap();
    assert!(!fit.seen().contains(2));
    // Class 2 is not found, and counts for nothing.
    assert_eq!(fit.accuracy(&x, &[0, 1, 2]), 1.0);
    assert_eq!(fit.accuracy(&x, &[1, 1, 2]), 2.0 / 3.0);
    let fit: Box<dyn KernelMachine<f64>> = Box::new(fit);
    let model = Fitted::classifier(fit, Inputs::of(&train), &train).unwrap();
    let tapegrad::models::Task::Classes { seen, .. } = tapegrad::models::Predictor::task(&model) else {
        panic!("a classifier tells classes");
    };
    assert!(!seen.contains(2));
}
