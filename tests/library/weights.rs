//! Weights of samples and classes: what they mean in training, in evaluation, and at the ends of the range.

use tapegrad::models::{Fitted, Inputs, LogisticOptions, LogisticRegression, Network, Predictor};
use tapegrad::nn::loss::{CrossEntropy, MeanSquaredError};
use tapegrad::optim::{Optimizer, Sgd};
use tapegrad::train::FitOptions;
use tapegrad::{Dataset, Error, metrics};

use crate::helpers::random;

/// A constant feature and values of two kinds, one with weight 9 and one with weight 1, in turn.
fn two_values(n: usize) -> Dataset {
    let y = (0..n).map(|i| (i % 2) as f64).collect();
    let weights = (0..n).map(|i| if i % 2 == 0 { 9.0 } else { 1.0 }).collect();
    Dataset::new(vec![1.0; n], 1).unwrap().with_targets(y, 1).unwrap().with_weights(weights).unwrap()
}

/// The weighted mean is 0.1, and steps of any size lead there: a batch does not forget how heavy it is.
#[test]
fn the_size_of_a_batch_changes_no_weights() {
    let data = two_values(64);
    for batch in [1, 2, 4, 64] {
        let mut net = Network::<f64>::new(1)
            .loss(MeanSquaredError)
            .optimizer(Optimizer::new(Sgd, 0.005).unwrap())
            .outputs_for(&data)
            .unwrap();
        net.fit(&data, &FitOptions { epochs: 50 * batch.max(8), batch, ..Default::default() }).unwrap();
        let found = net.predict(&[1.0]).unwrap()[(0, 0)];
        assert!((found - 0.1).abs() < 0.03, "batch {batch}: {found}");
    }
}

/// Accuracies of a network are weighted as its loss and those of other families are.
#[test]
fn accuracies_are_weighted() {
    let x = random(90, 2, 3);
    let labels: Vec<usize> = (0..90).map(|i| i % 3).collect();
    let weights: Vec<f64> = labels.iter().map(|l| if *l == 0 { 100.0 } else { 1.0 }).collect();
    let data = Dataset::new(x.rows().values.to_vec(), 2).unwrap().with_labels(&labels, 3).unwrap();
    let data = data.with_weights(weights.clone()).unwrap();
    let mut net =
        Network::<f64>::new(1).optimizer(Optimizer::new(Sgd, 1e-12).unwrap()).outputs_for(&data).unwrap();
    let options = FitOptions { epochs: 1, batch: 7, ..Default::default() };
    let history = net.fit_with(&data, Some(&data), &options, &mut []).unwrap();
    let classes = net.classify(&data).unwrap();
    let right = metrics::accuracy(&labels, &classes, Some(&weights)).unwrap();
    let epoch = history.epochs.last().unwrap();
    for found in [net.evaluate(&data).unwrap().accuracy(), epoch.train_accuracy, epoch.validation_accuracy] {
        assert!((found.unwrap() - right).abs() < 1e-9, "{found:?}, not {right}");
    }
    // And the recorded loss is that of the data.
    assert!((epoch.train_loss - net.evaluate(&data).unwrap().loss).abs() < 1e-9);
}

/// The loss of a data set does not depend on which rows are evaluated together.
#[test]
fn blocks_with_class_weights_are_joined_by_them() {
    let n = 512;
    let evaluate = |labels: Vec<usize>| {
        let x: Vec<f64> = labels.iter().map(|l| *l as f64).collect();
        let data = Dataset::new(x, 1).unwrap().with_labels(&labels, 2).unwrap();
        let loss = CrossEntropy::default().with_class_weights(vec![1.0, 9.0]).unwrap();
        let mut net = Network::<f64>::new(5)
            .loss(loss)
            .optimizer(Optimizer::new(Sgd, 1e-12).unwrap())
            .outputs_for(&data)
            .unwrap();
        let history = net.fit(&data, &FitOptions { epochs: 1, batch: 4, ..Default::default() }).unwrap();
        (net.evaluate(&data).unwrap().loss, history.epochs[0].train_loss)
    };
    let sorted = evaluate((0..n).map(|i| i / 256).collect());
    let mixed = evaluate((0..n).map(|i| i % 2).collect());
    assert!((sorted.0 - mixed.0).abs() < 1e-9, "{sorted:?} {mixed:?}");
    assert!((sorted.1 - sorted.0).abs() < 1e-6 && (mixed.1 - sorted.0).abs() < 1e-6, "{sorted:?} {mixed:?}");
}

#[test]
fn weights_at_the_ends_of_the_range() {
    let data = |weight: f64| {
        let data =
            Dataset::new(vec![1.0, 2.0], 1).unwrap().with_targets(vec![3.0, -4.0, 1.0, 2.0], 2).unwrap();
        data.with_weights(vec![weight; 2]).unwrap()
    };
    let loss = |weight: f64| {
        let mut net = Network::<f64>::new(1).outputs_for(&data(weight)).unwrap();
        let before = net.evaluate(&data(weight)).unwrap().loss;
        let history = net.fit(&data(weight), &FitOptions { epochs: 1, ..Default::default() }).unwrap();
        assert!(history.unmoved.is_empty());
        before
    };
    let right = loss(1.0);
    for weight in [8e307, 1e-300] {
        assert!((loss(weight) / right - 1.0).abs() < 1e-12, "{weight:e}");
    }
    // Squares beyond the type whose mean is not.
    let y: Vec<f64> = (0..32).map(|i| if i == 0 { 2e19 } else { 0.0 }).collect();
    let plain = Dataset::new(vec![0.0], 1).unwrap().with_targets(y, 32).unwrap();
    let losses = [plain.clone(), plain.with_weights(vec![1.0]).unwrap()].map(|data| {
        let mut net = Network::<f32>::new(1).outputs_for(&data).unwrap();
        net.fit(&data, &FitOptions { epochs: 1, ..Default::default() }).unwrap().epochs[0].train_loss
    });
    assert!(
        (losses[0] / 1.25e37 - 1.0).abs() < 1e-5 && (losses[1] / losses[0] - 1.0).abs() < 1e-5,
        "{losses:?}"
    );
    // Tiny weights of samples beside tiny ones of classes.
    let labels = Dataset::new(vec![1.0, 2.0], 1).unwrap().with_labels(&[0, 1], 2).unwrap();
    let tiny = labels.with_weights(vec![1e-300; 2]).unwrap();
    let weighted = CrossEntropy::default().with_class_weights(vec![1e-100, 1.0]).unwrap();
    let net = Network::<f64>::new(1).loss(weighted).outputs_for(&tiny).unwrap();
    let p = net.probabilities(&tiny.take(1)).unwrap()[(0, 0)];
    assert!((net.evaluate(&tiny.take(1)).unwrap().loss + p.ln()).abs() < 1e-12);
}

#[test]
fn samples_that_all_weigh_nothing_are_an_error() {
    let data = two_values(8).with_weights(vec![0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]).unwrap();
    let mut net = Network::<f64>::new(1).outputs_for(&data).unwrap();
    let nothing = data.take(4);
    for error in [
        net.fit(&nothing, &FitOptions::default()).map(drop).unwrap_err(),
        net.evaluate(&nothing).map(drop).unwrap_err(),
    ] {
        assert!(error.to_string().contains("weights of all these samples are 0"), "{error}");
    }
}

/// Of one model, a network and another family measure the same.
#[test]
fn one_evaluation_for_all_families() {
    let x = random(40, 2, 9);
    let labels: Vec<usize> = (0..40).map(|i| i % 3).collect();
    let weights: Vec<f64> = (0..40).map(|i| 1.0 + (i % 5) as f64).collect();
    let data = Dataset::new(x.rows().values.to_vec(), 2).unwrap().with_labels(&labels, 3).unwrap();
    let data = data.with_weights(weights).unwrap();
    let model =
        LogisticRegression::fit_dataset(&data, &LogisticOptions { lambda: 1e-3, ..Default::default() });
    let model = Fitted::classifier(model.unwrap(), Inputs::of(&data), &data).unwrap();
    let net = Network::<f64>::new(1).outputs_for(&data).unwrap();
    for found in [model.evaluate(&data).unwrap(), net.evaluate(&data).unwrap()] {
        assert_eq!(found.confusion.as_ref().map(|c| c.classes()), Some(3));
    }
    let error = Fitted::classifier(model.model().clone(), Inputs::of(&data), &data.take(1)).map(drop);
    assert!(error.is_ok());
    let two = Dataset::new(x.rows().values.to_vec(), 2).unwrap();
    let two = two.with_labels(&labels.iter().map(|l| l % 2).collect::<Vec<_>>(), 2).unwrap();
    let error = Fitted::classifier(model.model().clone(), Inputs::of(&two), &two).unwrap_err();
    assert!(
        matches!(&error, Error::Data(why) if why.contains("3 numbers") && why.contains("2 classes")),
        "{error}"
    );
}

/// Where no label has a weight there is no mean, and a rate has nothing to do with it.
#[test]
fn classes_whose_weights_are_all_zero_are_an_error() {
    let x: Vec<f64> = (0..20).map(|i| f64::from(i * 7 % 20)).collect();
    let data = |label: usize| Dataset::new(x.clone(), 1).unwrap().with_labels(&[label; 20], 3).unwrap();
    let loss = CrossEntropy::default().with_class_weights(vec![0.0, 1.0, 0.0]).unwrap();
    let mut net = Network::<f64>::new(1).loss(loss).outputs_for(&data(0)).unwrap();
    let options = FitOptions::new(2, 8, 1);
    let expected = "none of 20 samples has a weight in the loss";
    for error in [net.fit(&data(0), &options).unwrap_err(), net.evaluate(&data(2)).unwrap_err()] {
        assert!(matches!(error, Error::Data(_)) && error.to_string().contains(expected), "{error}");
    }
    net.fit(&data(1), &options).unwrap();
    let error = net.fit_with(&data(1), Some(&data(0)), &options, &mut []).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
}
