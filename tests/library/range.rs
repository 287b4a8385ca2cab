//! Means whose sums leave the range of the numbers, weights of any unit, sizes that no memory holds.

use nalgebra::{DMatrix, dmatrix};
use tapegrad::metrics::{ConfusionMatrix, SeenClasses, log_loss};
use tapegrad::models::kernel::{lambda_grid, one_vs_rest};
use tapegrad::models::linear::{LinearOptions, LinearRegression, RidgePath};
use tapegrad::models::{LogisticOptions, LogisticRegression};
use tapegrad::nn::loss::Link;
use tapegrad::optim::Average;
use tapegrad::{Dataset, Error, Tape};

#[track_caller]
fn near(found: f32, right: f32) {
    assert!((found / right - 1.0).abs() < 1e-5, "{found:e}, not {right:e}");
}

#[test]
fn means_of_losses_whose_sum_overflows() {
    let mut tape = Tape::<f32>::default();
    let x = tape.constant_slice(2, 2, &[0.0, 3e38, 0.0, 3e38]);
    let loss = tape.cross_entropy(x, &[0, 0]);
    near(tape.item(loss), 3e38);
    let x = tape.constant_slice(1, 3, &[0.0, -3e38, -3e38]);
    let loss = tape.cross_entropy_smoothed(x, &[0], 0.1);
    near(tape.item(loss), 2e37);
    let zeros = tape.constant_with(1, 4, |_| ());
    let x = tape.constant_slice(1, 4, &[2e19, 0.0, 0.0, 0.0]);
    let loss = tape.mse(x, zeros);
    near(tape.item(loss), 1e38);
    let (a, b) = (
        tape.constant_slice(1, 4, &[3e38, 0.0, 0.0, 0.0]),
        tape.constant_slice(1, 4, &[-3e38, 0.0, 0.0, 0.0]),
    );
    let (mae, huber) = (tape.mae(a, b), tape.huber(a, b, 0.1));
    near(tape.item(mae), 1.5e38);
    near(tape.item(huber), 1.5e37);
}

#[test]
fn an_average_of_opposite_ends() {
    let mut tape = Tape::<f32>::default();
    tape.param_slice(1, 2, &[3e38, 1.0]);
    let mut average = Average::uniform();
    average.update(&tape);
    tape.param_values_mut().copy_from_slice(&[-3e38, 3.0]);
    average.update(&tape);
    assert_eq!(average.values(), [0.0, 2.0]);
}

#[test]
fn the_unit_of_weights_is_without_meaning() {
    let p = [0.1, 0.9];
    for weight in [1e308, 1.0, 5e-324] {
        let loss = log_loss(&[0], &p, 2, Some(&[weight])).unwrap();
        assert!((loss - std::f64::consts::LN_10).abs() < 1e-12, "{weight:e}: {loss}");
    }
    let mut tape = Tape::new();
    let module = tapegrad::models::Mlp::new(&[1, 1], tapegrad::nn::Activation::Identity);
    let module =
        module.build(&mut tape, &mut tapegrad::rng::stream(1, tapegrad::rng::Purpose::Init)).unwrap();
    tape.param_values_mut().fill(0.0);
    let data = |unit: f64| {
        let data = Dataset::new(vec![0.0, 1.0], 1).unwrap().with_targets(vec![3.0, 4.0], 1).unwrap();
        data.with_weights(vec![unit, 3.0 * unit]).unwrap()
    };
    for unit in [1.0, 2e307, 1e-320] {
        let found =
            tapegrad::train::evaluate(&module, &tapegrad::nn::loss::MeanSquaredError, &mut tape, &data(unit));
        let loss = found.unwrap().loss;
        assert!((loss - (9.0 + 3.0 * 16.0) / 4.0).abs() < 1e-3, "{unit:e}: {loss}");
    }
}

#[test]
fn linear_models_take_the_weights_of_the_data() {
    let (x, y, weights) = (dmatrix![0.0; 1.0; 2.0], dmatrix![0.0; 1.0; 10.0], vec![1.0, 1.0, 0.0]);
    let data = Dataset::new(vec![0.0, 1.0, 2.0], 1).unwrap().with_targets(vec![0.0, 1.0, 10.0], 1).unwrap();
    let data = data.with_weights(weights.clone()).unwrap();
    let options = LinearOptions { lambda: 0.0, ..Default::default() };
    let of_data = LinearRegression::fit_dataset(&data, &options).unwrap();
    let weighted = LinearRegression::fit_weighted(&x, &y, &weights, &options).unwrap();
    assert_eq!(of_data.weights(), weighted.weights());
    assert!((of_data.weights()[0] - 1.0).abs() < 1e-12, "{}", of_data.weights());
}

/// A weight of 2 is a sample that stands there twice, and one of 0 a sample that does not.
#[test]
fn logistic_regression_takes_the_weights_of_the_data() {
    let x = [0.3, -1.0, 0.8, 1.5, -0.4, 0.1, 2.0, -2.0];
    let (labels, weights) = ([0usize, 1, 1, 0, 2, 1, 2, 0], [1.0, 2.0, 1.0, 1.0, 1.0, 0.0, 2.0, 1.0]);
    let one = |rows: &[usize]| {
        let data = Dataset::new(rows.iter().map(|i| x[*i]).collect::<Vec<f64>>(), 1).unwrap();
        data.with_labels(&rows.iter().map(|i| labels[*i]).collect::<Vec<_>>(), 3).unwrap()
    };
    let all: Vec<usize> = (0..8).collect();
    for scheme in [tapegrad::models::Scheme::Multinomial, tapegrad::models::Scheme::OneVsRest] {
        let options = LogisticOptions { lambda: 0.1, scheme, ..Default::default() };
        let twice = LogisticRegression::fit_dataset(&one(&[0, 1, 1, 2, 3, 4, 6, 6, 7]), &options).unwrap();
        for unit in [1.0, 1e300] {
            let data = one(&all).with_weights(weights.iter().map(|w| w * unit).collect()).unwrap();
            let weighted = LogisticRegression::fit_dataset(&data, &options).unwrap();
            let error = (weighted.weights() - twice.weights()).amax();
            assert!(error < 1e-8, "{scheme:?}: {error:e}");
        }
    }
}

#[test]
fn the_best_lambda_does_not_depend_on_the_unit_of_the_targets() {
    let x = DMatrix::from_fn(12, 2, |i, j| ((i * 7 + j * 5) % 11) as f64 - 5.0);
    let y = DMatrix::from_fn(12, 1, |i, _| x[(i, 0)] - 0.5 * x[(i, 1)] + ((i * 3) % 5) as f64 * 0.1);
    let lambdas = [100.0, 1.0, 0.01];
    let best = |unit: f64| RidgePath::new(&x, &(&y * unit), true).unwrap().best(&lambdas).unwrap().lambda;
    assert_eq!([1.0, 1e-170, 1e160].map(best), [0.01; 3]);
}

#[test]
fn grids_meet_both_ends() {
    for (from, to, n) in [(1e-6, 1.0, 13), (0.3, 7.0, 4), (1e-9, 1e-3, 7), (5.0, 5.0, 1)] {
        let grid = lambda_grid(from, to, n).unwrap();
        assert_eq!((grid[0], grid.len()), (from, n));
        assert!(n == 1 || grid[n - 1] == to, "{grid:?}");
    }
    assert!(lambda_grid(1.0, 2.0, 0).unwrap().is_empty());
}

#[test]
fn an_infinite_logit_is_sure() {
    let mut p = [0.0; 2];
    Link::Softmax.probabilities(&[f64::INFINITY, 0.0], &mut p);
    assert_eq!(p, [1.0, 0.0]);
    Link::Binary.probabilities(&[f64::INFINITY], &mut p);
    assert_eq!(p, [0.0, 1.0]);
    Link::Softmax.probabilities(&[f64::INFINITY; 2], &mut p);
    assert!(p.iter().all(|p| p.is_nan()));
}

#[test]
fn sizes_that_no_memory_holds_are_errors() {
    let memory = |found: Result<(), Error>| assert!(matches!(found, Err(Error::Memory { .. })), "{found:?}");
    for classes in [1 << 30, 1 << 32, usize::MAX] {
        memory(ConfusionMatrix::of(&[0], &[Some(0)], classes, None).map(drop));
    }
    memory(SeenClasses::of_labels(&[0], 1 << 50).map(drop));
    memory(one_vs_rest::<f64>(&[0, 1], 1 << 50).map(drop));
    memory(lambda_grid(1.0, 2.0, 1 << 50).map(drop));
}
