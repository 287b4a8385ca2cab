//! Answers written into a buffer of the caller's: the bits of those that are returned, for whatever is asked.

use tapegrad::data::{preprocess::MinMax, preprocess::Standardize, preprocess::Transform, synthetic};
use tapegrad::models::linear::{LinearOptions, LinearRegression};
use tapegrad::models::{Fitted, Inputs, LogisticOptions, LogisticRegression, Network, Predictor, Rows};
use tapegrad::nn::loss::{BinaryCrossEntropy, CrossEntropy, Hinge, OneVsRest};
use tapegrad::train::FitOptions;
use tapegrad::{Dataset, Float, Matrix, Result};

/// Without the way that allocates nothing.
struct Long<'a>(&'a dyn Rows);

impl Rows for Long<'_> {
    fn to_dataset(&self) -> Result<Dataset> {
        self.0.to_dataset()
    }
}

#[track_caller]
fn same(expected: Result<Matrix<f64>>, found: impl FnOnce(&mut [f64]) -> Result<()>, places: usize) {
    let mut to = vec![f64::NAN; expected.as_ref().map_or(places, |all| all.as_slice().len())];
    match (expected, found(&mut to)) {
        (Ok(expected), Ok(())) => {
            let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(expected.as_slice()), bits(&to));
        }
        (Err(expected), Err(found)) => assert_eq!(expected.to_string(), found.to_string()),
        (expected, found) => panic!("returned: {expected:?}; written: {found:?}"),
    }
}

/// All three questions, to the same answers or to the same errors.
#[track_caller]
fn check(model: &dyn Predictor, rows: &dyn Rows) {
    let (long, scores) = (Long(rows), model.task().outputs());
    same(model.scores(&long), |to| model.scores_into(rows, to), scores);
    same(model.predict(&long), |to| model.predict_into(rows, to), scores);
    same(model.probabilities(&long), |to| model.probabilities_into(rows, to), model.task().classes());
    if let Ok(found) = model.scores(rows) {
        let classes: Vec<_> = found.rows().map(|row| model.task().class_of(row)).collect();
        match model.classify(rows) {
            Ok(expected) => assert_eq!(expected, classes),
            Err(_) => assert!(classes.iter().all(Option::is_none)),
        }
    }
}

/// One sample in every form, two, none, and such as are errors.
#[track_caller]
fn check_all(model: &dyn Predictor) {
    let (single, double) = ([0.3f32, -1.7], [0.1f64, 2.3]);
    check(model, &single);
    check(model, &&single[..]);
    check(model, &single.to_vec());
    check(model, &double);
    check(model, &[-0.0f64, 1e-310]);
    check(model, &Matrix::new(double.to_vec(), 1, 2));
    check(model, &nalgebra::DMatrix::from_row_slice(1, 2, &double));
    check(model, &Matrix::new(vec![0.1, 2.3, -4.0, 0.5], 2, 2));
    check(model, &nalgebra::DMatrix::from_row_slice(2, 2, &[0.1, 2.3, -4.0, 0.5]));
    check(model, &Matrix::<f64>::zeros(0, 2));
    check(model, &synthetic::moons(20, 0.1, 3).unwrap());
    check(model, &[0.0, f64::NAN]);
    check(model, &[f32::INFINITY, 0.0]);
    check(model, &[1e300, -1e300]);
    check(model, &[0.0]);
    check(model, &[0.0f32; 3]);
    check(model, &Vec::<f64>::new());
}

fn classes() -> Dataset {
    synthetic::moons(60, 0.1, 3).unwrap()
}

fn values() -> Dataset {
    let x = classes();
    let targets = x.to_rows::<f64>().iter().map(|x| 100.0 + 7.0 * x).collect();
    Dataset::new(x.to_rows::<f64>(), 2).unwrap().with_targets(targets, 2).unwrap()
}

fn networks<T: Float>() {
    let (classes, values) = (classes(), values());
    let inputs = Inputs::of(&classes);
    let twice = inputs.clone().standardize(&classes).unwrap().min_max(&classes).unwrap();
    let others = inputs.clone().standardize(&classes).unwrap().pca(&classes, 2).unwrap();
    for prepared in [
        inputs.clone(),
        inputs.clone().standardize(&classes).unwrap(),
        inputs.clone().min_max(&classes).unwrap(),
        twice,
        others,
        inputs.project(2, 5).unwrap(),
    ] {
        let new = || Network::<T>::new(1).inputs(prepared.clone()).linear(9).relu().batch_norm().dropout(0.2);
        let options = FitOptions { epochs: 1, ..Default::default() };
        for mut net in [
            new().loss(CrossEntropy::default()).outputs_for(&classes).unwrap(),
            new().loss(BinaryCrossEntropy).outputs_for(&classes).unwrap(),
            new().loss(OneVsRest).outputs_for(&classes).unwrap(),
            new().loss(Hinge).outputs_for(&classes).unwrap(),
        ] {
            net.fit(&classes, &options).unwrap();
            check_all(&net);
            // The tapes that are kept are not those of before the training.
            net.fit(&classes, &options).unwrap();
            check_all(&net);
        }
        check_all(&new().outputs_for(&values).unwrap());
        let mut net = new().standardize_targets(&values).unwrap().outputs_for(&values).unwrap();
        net.fit(&values, &options).unwrap();
        check_all(&net);
    }
}

#[test]
fn networks_of_both_types() {
    networks::<f32>();
    networks::<f64>();
}

#[test]
fn other_families() {
    let (classes, values) = (classes(), values());
    let inputs = Inputs::of(&classes).standardize(&classes).unwrap();
    let options = LogisticOptions { lambda: 0.1, ..Default::default() };
    let model = LogisticRegression::fit_dataset(&inputs.prepare(&classes).unwrap(), &options).unwrap();
    check_all(&Fitted::classifier(model, inputs.clone(), &classes).unwrap());
    let prepared = inputs.prepare(&values).unwrap();
    let model = LinearRegression::fit_dataset(&prepared, &LinearOptions::default()).unwrap();
    check_all(&Fitted::regressor(model, inputs, &values).unwrap());
}

/// Steps that do not fit together stay the errors that they are.
#[test]
fn steps_of_other_widths() {
    let (data, wide) = (classes(), Dataset::new(vec![1.0, 2.0, 3.0, 5.0, 7.0, 9.0], 3).unwrap());
    let net = Network::<f32>::new(1).linear(3).outputs_for(&data).unwrap();
    let inputs = Inputs::of(&data).then(MinMax::fit(&wide).unwrap());
    let error = inputs.prepare(&data).unwrap_err().to_string();
    assert!(error.contains("takes 3 features, but there are 2"), "{error}");
    let step = Standardize::fit(&wide).unwrap();
    assert_eq!(step.affine().unwrap(), step.map().unwrap());
    check(&net, &[1.0f64, 2.0, 3.0]);
}

#[test]
#[should_panic(expected = "probabilities_into: the answer is 1×2, but there is room for 3 numbers")]
fn a_place_too_many() {
    let net = Network::<f32>::new(1).outputs_for(&classes()).unwrap();
    let _ = net.probabilities_into(&[0.0, 1.0], &mut [0.0; 3]);
}

#[test]
#[should_panic(expected = "scores_into: the answer is 1×2, but there is room for 1 number")]
fn a_place_too_few() {
    let net = Network::<f32>::new(1).outputs_for(&classes()).unwrap();
    let _ = net.predict_into(&[0.0, 1.0], &mut []).unwrap_err();
    let _ = net.scores_into(&[0.0, 1.0], &mut [0.0]);
}

#[test]
#[should_panic(expected = "Task::class_of: the model gives 2 scores, but there are 3")]
fn a_score_too_many() {
    let net = Network::<f32>::new(1).outputs_for(&classes()).unwrap();
    net.task().class_of(&[0.0; 3]);
}
