//! The metrics against scikit-learn's, and from scores to a class in every family of models.

use std::sync::Arc;

use nalgebra::{DMatrix, dmatrix};
use serde::Deserialize;
use tapegrad::data::Dataset;
use tapegrad::metrics::{self, Average, ConfusionMatrix, SeenClasses};
use tapegrad::models::kernel::*;
use tapegrad::models::{LogisticOptions, LogisticRegression, Mlp, Scheme};
use tapegrad::nn::loss::{CrossEntropy, OneVsRest};
use tapegrad::nn::{Activation, Loss, Sequential};
use tapegrad::optim::{Optimizer, Sgd};
use tapegrad::train::{FitOptions, evaluate, evaluate_seen, fit};
use tapegrad::{Error, Float, Tape};

#[derive(Deserialize)]
struct Reference {
    binary: Vec<Binary>,
    multiclass: Vec<Multiclass>,
    regression: Vec<Regression>,
}

#[derive(Deserialize)]
struct Binary {
    name: String,
    labels: Vec<usize>,
    scores: Vec<f64>,
    weights: Option<Vec<f64>>,
    roc_auc: f64,
    average_precision: f64,
}

#[derive(Deserialize)]
struct Multiclass {
    name: String,
    classes: usize,
    labels: Vec<usize>,
    predicted: Vec<usize>,
    scores: Vec<f64>,
    weights: Option<Vec<f64>>,
    accuracy: f64,
    balanced_accuracy: f64,
    log_loss: f64,
    brier: f64,
    ece_10: f64,
    ece_7: f64,
    confusion: Vec<u64>,
    precision: Vec<Option<f64>>,
    recall: Vec<Option<f64>>,
    f1: Vec<Option<f64>>,
    roc_auc_by_class: Vec<Option<f64>>,
    average_precision_by_class: Vec<Option<f64>>,
    roc_auc_macro: Option<f64>,
    roc_auc_weighted: Option<f64>,
    average_precision_macro: Option<f64>,
    average_precision_weighted: Option<f64>,
    distinct: Option<Vec<f64>>,
    top_2: Option<f64>,
}

#[derive(Deserialize)]
struct Regression {
    name: String,
    width: usize,
    targets: Vec<f64>,
    predictions: Vec<f64>,
    weights: Option<Vec<f64>>,
    r2: f64,
    rmse: f64,
    mae: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/metrics.json")).unwrap()
}

/// Within 10⁻¹², relative to numbers above 1.
#[track_caller]
fn close(found: f64, expected: f64, what: &str) {
    let error = (found - expected).abs() / expected.abs().max(1.0);
    assert!(error <= 1e-12, "{what}: {found}, scikit-learn has {expected}");
}

#[track_caller]
fn close_each(found: &[Option<f64>], expected: &[Option<f64>], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (class, pair) in found.iter().zip(expected).enumerate() {
        match pair {
            (Some(found), Some(expected)) => close(*found, *expected, &format!("{what} of class {class}")),
            (found, expected) => assert_eq!(found, expected, "{what} of class {class}"),
        }
    }
}

#[test]
fn rankings_are_scikit_learns() {
    let cases = reference().binary;
    assert!(cases.len() >= 12);
    for case in cases {
        let weights = case.weights.as_deref();
        let what = |metric: &str| format!("{}, weights {}: {metric}", case.name, weights.is_some());
        close(metrics::roc_auc(&case.labels, &case.scores, weights).unwrap(), case.roc_auc, &what("AUC"));
        let found = metrics::average_precision(&case.labels, &case.scores, weights).unwrap();
        close(found, case.average_precision, &what("average precision"));
    }
}

#[test]
fn classifications_are_scikit_learns() {
    let cases = reference().multiclass;
    assert!(cases.iter().any(|case| case.recall.contains(&None)) && cases.len() >= 10);
    for case in cases {
        let (labels, scores, k) = (&case.labels[..], &case.scores[..], case.classes);
        let weights = case.weights.as_deref();
        let what = |metric: &str| format!("{}, weights {}: {metric}", case.name, weights.is_some());
        let check = |metric: &str, found: tapegrad::Result<f64>, expected: f64| {
            close(found.unwrap(), expected, &what(metric));
        };
        check("accuracy", metrics::accuracy(labels, &case.predicted, weights), case.accuracy);
        let found = metrics::balanced_accuracy(labels, &case.predicted, weights);
        check("balanced accuracy", found, case.balanced_accuracy);
        check("log-loss", metrics::log_loss(labels, scores, k, weights), case.log_loss);
        check("Brier score", metrics::brier_score(labels, scores, k, weights), case.brier);
        let calibration = |bins| metrics::expected_calibration_error(labels, scores, k, bins, weights);
        check("calibration, 10 bins", calibration(10), case.ece_10);
        check("calibration, 7 bins", calibration(7), case.ece_7);

        let matrix = ConfusionMatrix::of(labels, &case.predicted, k, weights).unwrap();
        let counts: Vec<u64> = (0..k * k).map(|at| matrix.count(at / k, at % k)).collect();
        assert_eq!(counts, case.confusion, "{}", case.name);
        let each = |rate: fn(&ConfusionMatrix, usize) -> f64| -> Vec<Option<f64>> {
            (0..k).map(|class| Some(rate(&matrix, class)).filter(|x| !x.is_nan())).collect()
        };
        close_each(&each(ConfusionMatrix::precision), &case.precision, &what("precision"));
        close_each(&each(ConfusionMatrix::recall), &case.recall, &what("recall"));
        close_each(&each(ConfusionMatrix::f1), &case.f1, &what("F1"));
        close(matrix.accuracy(), case.accuracy, &what("accuracy of the matrix"));
        close(matrix.balanced_accuracy(), case.balanced_accuracy, &what("balanced accuracy of the matrix"));

        let found = metrics::roc_auc_by_class(labels, scores, k, weights).unwrap();
        close_each(&found, &case.roc_auc_by_class, &what("AUC"));
        let found = metrics::average_precision_by_class(labels, scores, k, weights).unwrap();
        close_each(&found, &case.average_precision_by_class, &what("average precision"));
        let averages = [
            (Average::Macro, case.roc_auc_macro, case.average_precision_macro),
            (Average::Weighted, case.roc_auc_weighted, case.average_precision_weighted),
        ];
        for (average, auc, precision) in averages {
            let found = metrics::roc_auc_one_vs_rest(labels, scores, k, average, weights);
            let precisions = metrics::average_precision_one_vs_rest(labels, scores, k, average, weights);
            if let (Some(auc), Some(precision)) = (auc, precision) {
                check("AUC, one against the rest", found, auc);
                check("average precision, one against the rest", precisions, precision);
            } else if case.recall.contains(&None) {
                for error in [found.unwrap_err(), precisions.unwrap_err()] {
                    assert!(error.to_string().contains("no sample is of class"), "{error}");
                }
            }
        }
        if let (Some(distinct), Some(top_2)) = (&case.distinct, case.top_2) {
            check("top 2", metrics::top_k_accuracy(labels, distinct, k, 2, weights), top_2);
        }
        // Without weights, those of 1; and a sample of weight 2 is two samples.
        if weights.is_none() {
            let (twice, ones) = (labels.repeat(2), vec![1.0; labels.len()]);
            let loss = metrics::log_loss(&twice, &scores.repeat(2), k, None).unwrap();
            close(loss, case.log_loss, &what("log-loss of all samples twice"));
            check("weights of 1", metrics::log_loss(labels, scores, k, Some(&ones)), case.log_loss);
        }
    }
}

#[test]
fn regressions_are_scikit_learns() {
    let cases = reference().regression;
    assert!(cases.len() >= 8);
    for case in cases {
        let (y, p, weights) = (&case.targets, &case.predictions, case.weights.as_deref());
        let what = |metric: &str| format!("{}, weights {}: {metric}", case.name, weights.is_some());
        close(metrics::r2(y, p, case.width, weights).unwrap(), case.r2, &what("R²"));
        close(metrics::rmse(y, p, case.width, weights).unwrap(), case.rmse, &what("RMSE"));
        close(metrics::mae(y, p, case.width, weights).unwrap(), case.mae, &what("MAE"));
    }
}

/// Numbers that a sum of squares loses, and targets whose deviations are nothing beside them.
#[test]
fn regressions_at_the_ends_of_the_numbers() {
    for scale in [1e-320, 1e-200, 1.0, 1e200, 4e307] {
        let (y, p) = ([0.0, 2.0 * scale, 4.0 * scale], [scale, 2.0 * scale, 4.0 * scale]);
        // SS_res/SS_tot = 1/8; subnormal numbers have few digits.
        assert!(
            (metrics::r2(&y, &p, 1, None).unwrap() - 0.875).abs()
                < 1e-3_f64.min(1e-15 * (1.0 / scale).max(1.0))
        );
        let relative =
            |found: f64, of: f64| (found / scale - of).abs() < if scale < 1e-300 { 1e-3 } else { 1e-15 };
        assert!(relative(metrics::rmse(&y, &p, 1, None).unwrap(), 1.0 / 3.0f64.sqrt()), "{scale}");
        assert!(relative(metrics::mae(&y, &p, 1, None).unwrap(), 1.0 / 3.0), "{scale}");
    }
    // y = 10¹⁴ + {0, 1, 2}: the variance is 2/3, and an error of 1 in one of three leaves 1 − (1/3)/(2/3).
    assert_eq!(
        metrics::r2(&[1e14, 1e14 + 1.0, 1e14 + 2.0], &[1e14 + 1.0, 1e14 + 1.0, 1e14 + 2.0], 1, None).unwrap(),
        0.5
    );
    // From one end of the numbers to the other.
    let most = f64::MAX;
    assert_eq!(metrics::r2(&[-most, most], &[-most, most], 1, None).unwrap(), 1.0);
    let error = metrics::rmse(&[-most], &[most], 1, None).unwrap_err().to_string();
    assert_eq!(error, "RMSE: row 0, column 0: the error is beyond the range of f64");
}

/// Where scikit-learn raises, or warns and returns NaN or 0.
#[test]
fn what_is_not_defined_says_why() {
    let half = [0.5; 4];
    let cases: [(tapegrad::Result<f64>, &str); 28] = [
        (
            metrics::roc_auc(&[1, 1], &half[..2], None),
            "ROC-AUC: no sample is of class 0, so that it is not defined",
        ),
        (
            metrics::roc_auc(&[0, 0], &half[..2], None),
            "ROC-AUC: no sample is of class 1, so that it is not defined",
        ),
        (
            metrics::roc_auc(&[0, 1], &half[..2], Some(&[1.0, 0.0])),
            "ROC-AUC: no sample is of class 1, so that it is not defined",
        ),
        (metrics::roc_auc(&[0, 2], &half[..2], None), "ROC-AUC: row 1: label 2 is not below the 2 classes"),
        (metrics::roc_auc(&[0, 1], &[0.5, f64::NAN], None), "ROC-AUC: row 1, column 0: the score is NaN"),
        (metrics::roc_auc(&[0, 1], &half, None), "ROC-AUC: 4 scores for 2 labels"),
        (metrics::roc_auc(&[], &[], None), "ROC-AUC: there are no samples"),
        (
            metrics::average_precision(&[0, 0], &half[..2], None),
            "average precision: no sample is of class 1, so that it is not defined",
        ),
        (
            metrics::average_precision(&[0, 1], &half[..2], Some(&[1.0])),
            "average precision: 1 weight for 2 samples",
        ),
        (
            metrics::roc_auc_one_vs_rest(&[0, 0], &half, 2, Average::Macro, None),
            "ROC-AUC: no sample is not of class 0, so that the mean over the classes is not defined; see the numbers by class",
        ),
        (
            metrics::average_precision_one_vs_rest(&[0, 0], &half, 2, Average::Weighted, None),
            "average precision: no sample is of class 1, so that the mean over the classes is not defined; see the numbers by class",
        ),
        (metrics::accuracy::<usize>(&[], &[], None), "accuracy: there are no samples"),
        (metrics::accuracy(&[0, 1], &[0usize], None), "accuracy: 1 prediction for 2 labels"),
        (
            metrics::accuracy(&[0], &[0usize], Some(&[-1.0])),
            "accuracy: row 0: the weight -1 is not finite and at least 0",
        ),
        (
            metrics::accuracy(&[0], &[0usize], Some(&[f64::NAN])),
            "accuracy: row 0: the weight NaN is not finite and at least 0",
        ),
        (
            metrics::accuracy(&[0], &[0usize], Some(&[0.0])),
            "accuracy: the weights sum to 0, which must be finite and above 0",
        ),
        (
            metrics::accuracy(&[0; 2], &[0usize; 2], Some(&[f64::MAX; 2])),
            "accuracy: the weights sum to inf, which must be finite and above 0",
        ),
        (metrics::balanced_accuracy::<usize>(&[], &[], None), "balanced accuracy: there are no samples"),
        (metrics::top_k_accuracy(&[0], &half[..2], 2, 0, None), "k: 0: no class is among the first 0"),
        (metrics::log_loss(&[0, 1], &half[..3], 2, None), "log-loss: 3 scores for 2 labels of 2 classes"),
        (metrics::log_loss(&[0], &[], 0, None), "log-loss: row 0: label 0 is not below the 0 classes"),
        (metrics::log_loss(&[0], &[1.5, -0.5], 2, None), "log-loss: row 0, column 0: 1.5 is no probability"),
        (
            metrics::brier_score(&[0, 1], &[1.0, 0.0, 0.5, 0.75], 2, None),
            "Brier score: row 1: the probabilities sum to 1.25, not to 1",
        ),
        (
            metrics::expected_calibration_error(&[0], &half[..2], 2, 0, None),
            "bins: 0: there must be at least one",
        ),
        (
            metrics::r2(&[3.0; 4], &half, 1, None),
            "R²: the targets of column 0 do not vary, so that it is not defined",
        ),
        (
            metrics::r2(&[1.0, 2.0], &[1.0, 2.0], 1, Some(&[0.0, 1.0])),
            "R²: the targets of column 0 do not vary, so that it is not defined",
        ),
        (metrics::rmse(&[1.0, 2.0, 3.0], &[1.0; 3], 2, None), "RMSE: 3 targets cannot be whole rows of 2"),
        (metrics::mae(&[1.0, f64::INFINITY], &[1.0; 2], 1, None), "MAE: row 1, column 0: the target is inf"),
    ];
    for (found, expected) in cases {
        assert_eq!(found.unwrap_err().to_string(), expected);
    }
    let rest: [tapegrad::Result<f64>; 5] = [
        metrics::r2(&[], &[], 1, None),
        metrics::r2(&[], &[], 0, None),
        metrics::r2(&[1.0], &[1.0], 1, None),
        metrics::rmse(&[1.0], &[1.0, 2.0], 1, None),
        metrics::mae(&[1.0], &[f64::NAN], 1, None),
    ];
    assert!(rest.iter().all(|found| matches!(found, Err(Error::Data(_)))), "{rest:?}");
    // 0.1 + 0.2 + 0.7 in f32, as a softmax in single precision has it.
    let single = [0.1f32, 0.2, 0.7].map(f64::from);
    assert!(metrics::log_loss(&[2], &single, 3, None).is_ok());
}

/// An undecided sample is wrong, in every metric of classes.
#[test]
fn undecided_samples_are_wrong() {
    let predicted = [Some(0), None, Some(1), None];
    let labels = [0, 0, 1, 1];
    assert_eq!(metrics::accuracy(&labels, &predicted, None).unwrap(), 0.5);
    assert_eq!(metrics::accuracy(&labels, &predicted, Some(&[3.0, 1.0, 0.0, 0.0])).unwrap(), 0.75);
    assert_eq!(metrics::balanced_accuracy(&labels, &predicted, None).unwrap(), 0.5);
    let matrix = ConfusionMatrix::of(&labels, &predicted, 2, None).unwrap();
    assert_eq!(
        (matrix.undecided(), matrix.accuracy(), matrix.precision(0), matrix.recall(0)),
        (2, 0.5, 1.0, 0.5)
    );
    // Confidence ½, and never right: |0 − ½|.
    assert_eq!(metrics::expected_calibration_error(&[0, 1], &[0.5; 4], 2, 10, None).unwrap(), 0.5);
    // All scores equal: with k below the number of classes no class is among the first k.
    let top = |k| metrics::top_k_accuracy(&[0, 1, 2], &[0.0; 9], 3, k, None).unwrap();
    assert_eq!([top(1), top(2), top(3)], [0.0, 0.0, 1.0]);
}

fn samples(values: &[f64]) -> Samples<f64> {
    Samples::new(values.to_vec(), 1).unwrap()
}

/// Every kernel machine, fitted to 1 and 2 with these labels.
fn machines(labels: &[usize; 2], classes: usize) -> Vec<Box<dyn KernelMachine<f64>>> {
    let (x, y) = (samples(&[1.0, 2.0]), one_vs_rest(labels, classes).unwrap());
    let ridge = RidgeOptions::new(0.1);
    let linear: Arc<dyn Kernel<f64>> = Arc::new(LinearKernel);
    let (selection, seed, centres) = (Centres::Uniform, 1, 2);
    let falkon_options = FalkonOptions { ridge, centres: 1, selection, seed, iterations: 20, tolerance: 0.0 };
    let iterative = IterativeOptions { ridge, pilots: 1, seed, iterations: 20, tolerance: 0.0 };
    let path = RidgePath::new(linear.as_ref(), &x, &y, 1 << 20).unwrap();
    let limit = InfiniteNetwork::new(1, Nonlinearity::Relu, 1.0).unwrap();
    let rbf = Rbf::new(0.1).unwrap();
    vec![
        Box::new(KernelRidge::fit(linear.clone(), &x, &y, ridge).unwrap()),
        Box::new(KernelRidge::fit(Arc::new(Ntk(limit)), &x, &y, ridge).unwrap()),
        Box::new(KernelRidge::fit(Arc::new(Nngp(limit)), &x, &y, ridge).unwrap()),
        Box::new(
            nystrom(linear.clone(), &x, &y, NystromOptions { ridge, centres: 1, selection, seed }).unwrap(),
        ),
        Box::new(nystrom(Arc::new(rbf), &x, &y, NystromOptions { ridge, centres, selection, seed }).unwrap()),
        Box::new(falkon(linear.clone(), &x, &y, falkon_options).unwrap().machine),
        Box::new(
            iterative_ridge(linear.clone(), &x, &y, iterative, &mut |_| std::ops::ControlFlow::Continue(()))
                .unwrap()
                .machine,
        ),
        Box::new(path.at(0.1).unwrap().machine(linear, &x)),
        Box::new(FourierRidge::fit(&rbf, &x, &y, 8, 1, ridge).unwrap()),
    ]
}

/// A linear kernel's predictions change their sign with x: at −1 the class that never occurs has the largest.
#[test]
fn kernel_machines_never_predict_a_class_that_did_not_occur() {
    let at = samples(&[-1.0, -3.0, 5.0]);
    let mut masked = 0;
    for machine in machines(&[1, 1], 2) {
        let name = machine.name();
        assert_eq!(machine.classify(&at), [Some(1); 3], "{name}");
        assert_eq!(machine.accuracy(&at, &[1, 1, 0]), 2.0 / 3.0, "{name}");
        let scores = machine.predict(&at);
        masked += usize::from(scores[(0, 0)] > scores[(0, 1)]);
    }
    assert!(masked >= 5, "the largest prediction was that of class 0 in {masked} machines only");
    // Of three classes, that in the middle did not occur.
    for machine in machines(&[0, 2], 3) {
        let classes = machine.classify(&samples(&[-2.0, 0.5, 1.0, 2.0, 9.0, 100.0]));
        assert!(!classes.contains(&Some(1)), "{}: {classes:?}", machine.name());
        let seen: Vec<bool> = (0..3).map(|class| machine.seen().contains(class)).collect();
        assert_eq!(seen, [true, false, true], "{}", machine.name());
    }
    // A machine of a user's own weights may choose any, until it is told which there were.
    let own = Expansion::new("own".into(), Arc::new(LinearKernel), samples(&[1.0]), dmatrix![-1.0, 1.0]);
    assert_eq!(own.classify(&samples(&[-1.0, 1.0])), [Some(0), Some(1)]);
    let own = own.with_seen(SeenClasses::of_labels(&[1], 2).unwrap());
    assert_eq!(own.classify(&samples(&[-1.0, 1.0])), [Some(1), Some(1)]);
}

#[test]
fn kernel_machines_say_where_they_are_undecided() {
    // f(0) = 0 for a linear kernel, whatever the class.
    let (x, y) = (samples(&[-1.0, 1.0]), one_vs_rest(&[0, 1], 2).unwrap());
    let machine = KernelRidge::fit(Arc::new(LinearKernel), &x, &y, RidgeOptions::new(0.1)).unwrap();
    let at = samples(&[-2.0, 0.0, 2.0]);
    assert_eq!(machine.classify(&at), [Some(0), None, Some(1)]);
    assert_eq!(machine.accuracy(&at, &[0, 0, 1]), 2.0 / 3.0);
    // Other codes of the same classes; and targets that are no classes at all.
    let zero_one = KernelRidge::fit(
        Arc::new(LinearKernel),
        &x,
        &dmatrix![1.0, 0.0, 0.0; 0.0, 1.0, 0.0],
        RidgeOptions::new(0.1),
    )
    .unwrap();
    assert_eq!(zero_one.classify(&at), [Some(0), None, Some(1)]);
    let nothing =
        KernelRidge::fit(Arc::new(LinearKernel), &x, &DMatrix::zeros(2, 2), RidgeOptions::new(0.1)).unwrap();
    assert_eq!(nothing.classify(&at), [None; 3]);
}

#[test]
fn logistic_regression_says_where_it_is_undecided() {
    let model = |scheme, weights, bias| LogisticRegression::from_parameters(scheme, &weights, &bias).unwrap();
    let at = dmatrix![-1.0; 0.0; 1.0];
    let binary = model(Scheme::Binary, dmatrix![2.0], dmatrix![0.0]);
    assert_eq!(binary.predict(&at).unwrap(), [Some(0), None, Some(1)]);
    for scheme in [Scheme::Multinomial, Scheme::OneVsRest] {
        let three = model(scheme, dmatrix![-1.0, 0.0, 1.0], dmatrix![0.0, 0.0, 0.0]);
        assert_eq!(three.predict(&at).unwrap(), [Some(0), None, Some(2)]);
        // A tie below the largest is none.
        let three = model(scheme, dmatrix![0.0, 0.0, 0.0], dmatrix![1.0, 1.0, 2.0]);
        assert_eq!(three.predict(&at).unwrap(), [Some(2); 3]);
    }
    // ln σ(50) and ln σ(60) are equal to 10⁻²¹, so that the probabilities are ½ each: the logits decide.
    let sure = model(Scheme::OneVsRest, dmatrix![50.0, 60.0], dmatrix![0.0, 0.0]);
    assert_eq!(sure.probabilities(&dmatrix![1.0]).unwrap(), dmatrix![0.5, 0.5]);
    assert_eq!(sure.predict(&dmatrix![1.0]).unwrap(), [Some(1)]);
    // Beyond the range, of finite weights and features: the true sum is 0.
    let far = model(Scheme::Binary, dmatrix![1e300; -1e300], dmatrix![0.0]);
    assert_eq!(far.predict(&dmatrix![1e300, 1e300]).unwrap(), [None]);
    // ∞ − ∞, sums of two blocks.
    let weights = DMatrix::from_fn(512, 1, |i, _| if i < 256 { 1e300 } else { -1e300 });
    let far = model(Scheme::Binary, weights, dmatrix![0.0]);
    assert_eq!(far.predict(&DMatrix::from_element(1, 512, 1e300)).unwrap(), [None]);
    // A class without samples is refused, so that there is none to choose by mistake.
    let options = LogisticOptions::default();
    let error = LogisticRegression::fit(&at, &[1, 2, 1], 3, &options).unwrap_err().to_string();
    assert!(error.contains("class 0 has no samples"), "{error}");
}

/// One linear layer from 1 feature to the scores (−x, x, 0).
fn network<T: Float>(tape: &mut Tape<T>) -> Sequential<T> {
    let weights = (dmatrix![-T::ONE, T::ONE, T::ZERO], DMatrix::zeros(1, 3));
    Mlp::from_weights(tape, &[weights], Activation::Identity).unwrap()
}

fn labelled(x: &[f64], labels: &[usize]) -> Dataset {
    Dataset::new(x.to_vec(), 1).unwrap().with_labels(labels, 3).unwrap()
}

fn networks<T: Float>(loss: &dyn Loss<T>) {
    let mut tape = Tape::<T>::default();
    let model = network(&mut tape);
    // At −1 class 0 has the largest score, at 1 class 1; at 0 all are equal.
    let test = labelled(&[-1.0, 0.0, 1.0, 1.0], &[0, 0, 1, 2]).with_class_names(["a", "b", "c"]).unwrap();
    let all = evaluate(&model, loss, &mut tape, &test).unwrap();
    assert_eq!((all.accuracy(), all.undecided(), all.samples), (Some(0.5), 1, 4));
    let text = all.to_string();
    assert!(
        text.contains("accuracy 0.5000 (4 samples)\n") && text.contains("undecided: 1 of 4 samples"),
        "{text}"
    );
    assert!(text.contains("   a    b    c  undecided"), "{text}");
    // Class 0 did not occur: at −1 the best of the others is class 2, at 0 they are equal.
    let seen = SeenClasses::of_labels(&[1, 2], 3).unwrap();
    let some = evaluate_seen(&model, loss, &mut tape, &test, &seen).unwrap();
    assert_eq!((some.accuracy(), some.undecided(), some.loss), (Some(0.25), 1, all.loss));
    let matrix = some.confusion.unwrap();
    assert_eq!((matrix.count(0, 2), matrix.count(0, 0), matrix.undecided_of(0)), (1, 0, 1));
    let wrong = evaluate_seen(&model, loss, &mut tape, &test, &SeenClasses::all(2)).unwrap_err();
    assert_eq!(wrong.to_string(), "2 classes to choose among, but the module knows 3");

    // So does training: with a rate of next to nothing the scores stay as they are.
    let train = labelled(&[-1.0, -1.0, 1.0, -1.0], &[2, 2, 1, 1]);
    let mut optimizer = Optimizer::new(Sgd, 1e-30).unwrap();
    let options = FitOptions::new(1, 4, 1);
    let history =
        fit(&model, loss, &mut tape, &mut optimizer, &train, Some(&test), &options, &mut []).unwrap();
    let epoch = &history.epochs[0];
    assert_eq!((epoch.train_accuracy, epoch.validation_accuracy), (Some(0.75), Some(0.25)));
}

#[test]
fn networks_choose_among_the_classes_that_occurred() {
    networks::<f32>(&CrossEntropy::default());
    networks::<f64>(&CrossEntropy::default());
    networks::<f32>(&OneVsRest);
    networks::<f64>(&OneVsRest);
}

#[test]
fn nothing_to_evaluate_on() {
    let mut tape = Tape::<f64>::default();
    let model = network(&mut tape);
    let error =
        evaluate(&model, &CrossEntropy::default(), &mut tape, &labelled(&[], &[])).unwrap_err().to_string();
    assert_eq!(error, "there are no samples");
}
