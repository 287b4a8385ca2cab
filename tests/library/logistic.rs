//! Logistic regression: the exact optimum, what makes it one, and data that has none.

use nalgebra::{DMatrix, dmatrix};
use serde::Deserialize;
use tapegrad::data::preprocess::Standardize;
use tapegrad::data::{Dataset, synthetic};
use tapegrad::models::{LogisticOptions, LogisticRegression, Mlp, Scheme};
use tapegrad::nn::{Activation, Mode, Module, ModuleExt};
use tapegrad::optim::{Optimizer, Sgd};
use tapegrad::rng::{Purpose, standard_normal, stream};
use tapegrad::{Error, Float, Tape, linalg};

use crate::reference::Matrix;

#[derive(Deserialize)]
struct Reference {
    x: Matrix,
    y: Vec<f64>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    lambda: f64,
    objective: String,
    w: Vec<f64>,
    b: f64,
    loss: f64,
}

fn reference() -> (DMatrix<f64>, Vec<usize>, Vec<Run>) {
    let Reference { x, y, runs } = serde_json::from_str(include_str!("reference/logistic.json")).unwrap();
    let labels = y.iter().map(|y| *y as usize).collect();
    (x.get(), labels, runs)
}

/// The reference's labels, with a third class in every fourth row.
fn three_classes(labels: &[usize]) -> Vec<usize> {
    labels.iter().enumerate().map(|(i, label)| if i % 4 == 3 { 2 } else { *label }).collect()
}

fn options(scheme: Scheme, lambda: f64) -> LogisticOptions {
    LogisticOptions { scheme, lambda, ..Default::default() }
}

#[track_caller]
fn close(found: &DMatrix<f64>, expected: &DMatrix<f64>, tolerance: f64) {
    let error = (found - expected).abs().max();
    assert!(error <= tolerance, "differ by {error:e}: {found}{expected}");
}

#[test]
fn the_optimum_of_the_reference() {
    let (x, labels, runs) = reference();
    assert_eq!(runs.len(), 2);
    for Run { lambda, objective, w, b, loss } in runs {
        assert_eq!(objective, "mean BCE + lambda/2 |w|^2, bias not penalised");
        let model = LogisticRegression::fit(&x, &labels, 2, &options(Scheme::Binary, lambda)).unwrap();
        close(&model.weights(), &DMatrix::from_vec(3, 1, w), 1e-8);
        close(&model.bias(), &dmatrix![b], 1e-8);
        let at = model.derivatives(&x, &labels, lambda).unwrap();
        assert!((at.value - loss).abs() < 1e-12, "{} {loss}", at.value);
        assert!(at.gradient.abs().max() < 1e-14, "{}", at.gradient);
        assert!(model.steps() < 10, "{}", model.steps());
    }
}

/// Figures by scikit-learn and by Newton's method in NumPy, which agree to 2·10⁻¹².
#[test]
fn several_classes() {
    let (x, labels, _) = reference();
    let labels = three_classes(&labels);
    let multinomial = LogisticRegression::fit(&x, &labels, 3, &options(Scheme::Multinomial, 0.02)).unwrap();
    let w = dmatrix![
        -0.37026708423436466, 0.21827592301982102, 0.1519911612145437;
        -0.5694098788456512, 0.41583847103331323, 0.15357140781233683;
        0.6015460347579248, -0.5152767883564217, -0.08626924640150227];
    close(&multinomial.weights(), &w, 1e-10);
    close(
        &multinomial.bias(),
        &dmatrix![-0.15920866443698095, 0.23852984462227886, -0.07932118018529791],
        1e-10,
    );
    let at = multinomial.derivatives(&x, &labels, 0.02).unwrap();
    assert!((at.value - 0.8926976300882955).abs() < 1e-13);

    let rest = LogisticRegression::fit(&x, &labels, 3, &options(Scheme::OneVsRest, 0.02)).unwrap();
    let w = dmatrix![
        -0.5262300798443472, 0.29694286146837434, 0.19841706702971587;
        -0.8186819817274332, 0.5990721453775635, 0.21190476381240256;
        0.879867569052018, -0.7192019539642834, -0.03495234823989189];
    close(&rest.weights(), &w, 1e-10);
    close(&rest.bias(), &dmatrix![-0.9470324751650359, -0.4237320455676456, -1.0587188638860086], 1e-10);
    let at = rest.derivatives(&x, &labels, 0.02).unwrap();
    assert!(at.gradient.abs().max() < 1e-13);
}

#[test]
fn two_classes_three_ways() {
    let (x, labels, _) = reference();
    let fit = |scheme, lambda| LogisticRegression::fit(&x, &labels, 2, &options(scheme, lambda)).unwrap();
    let binary = fit(Scheme::Binary, 0.0);
    let p = binary.probabilities(&x).unwrap();
    // Two columns share the penalty: ½λ(‖½w‖² + ‖½w‖²) is that of λ/2.
    for (model, reference) in [
        (fit(Scheme::Multinomial, 0.0), &binary),
        (fit(Scheme::OneVsRest, 0.0), &binary),
        (fit(Scheme::Multinomial, 0.2), &fit(Scheme::Binary, 0.1)),
        (fit(Scheme::OneVsRest, 0.1), &fit(Scheme::Binary, 0.1)),
    ] {
        close(&model.probabilities(&x).unwrap(), &reference.probabilities(&x).unwrap(), 1e-10);
        assert_eq!(model.predict(&x).unwrap(), reference.predict(&x).unwrap());
    }
    let z = binary.logits(&x).unwrap();
    close(&z, &(&x * binary.weights()).add_scalar(binary.bias()[(0, 0)]), 1e-14);
    for (i, class) in binary.predict(&x).unwrap().into_iter().enumerate() {
        assert!((p[(i, 0)] + p[(i, 1)] - 1.0).abs() < 1e-15);
        assert!((p[(i, 1)] - 1.0 / (1.0 + Float::exp(-z[(i, 0)]))).abs() < 1e-15);
        assert_eq!(class, Some(usize::from(z[(i, 0)] > 0.0)));
    }
}

/// ∇ = Xᵀ(p̂ − y)/n: by the tape, by the formula, and by the model at its parameters.
#[test]
fn the_gradient_of_the_tape() {
    let (x, labels, _) = reference();
    let model = LogisticRegression::fit(&x, &labels, 2, &options(Scheme::Binary, 0.5)).unwrap();
    let mut tape = Tape::new();
    let (w, b) = (tape.param(&model.weights()), tape.param(&model.bias()));
    let y = DMatrix::from_fn(60, 1, |i, _| labels[i] as f64);
    let (xs, ys) = (tape.constant(&x), tape.constant(&y));
    let z = tape.linear(xs, w, b);
    let loss = tape.bce_with_logits(z, ys);
    tape.backward(loss);
    let residual = model.probabilities(&x).unwrap().columns(1, 1) - &y;
    let expected = x.transpose() * &residual / 60.0;
    // Not the optimum of the loss without penalty: the gradient is far from zero.
    assert!(expected.abs().max() > 0.01);
    close(&tape.grad(w).to_dmatrix(), &expected, 1e-15);
    assert!((tape.grad(b)[(0, 0)] - residual.mean()).abs() < 1e-15);
    let at = model.derivatives(&x, &labels, 0.0).unwrap();
    close(&at.gradient.rows(0, 3).into_owned(), &expected, 1e-15);
    assert!((at.value - tape.item(loss)).abs() < 1e-15);
}

/// The Hessian is positive semi-definite, and what differences of gradients say.
#[test]
fn the_hessian() {
    let (x, two, _) = reference();
    let three = three_classes(&two);
    for (scheme, classes, labels) in
        [(Scheme::Binary, 2, &two), (Scheme::OneVsRest, 3, &three), (Scheme::Multinomial, 3, &three)]
    {
        for lambda in [0.0, 0.1] {
            let at = |shift: Option<(usize, usize, f64)>| {
                let model = LogisticRegression::fit(&x, labels, classes, &options(scheme, 0.05)).unwrap();
                let (mut w, mut b) = (model.weights(), model.bias());
                if let Some((r, c, h)) = shift {
                    if r < 3 { w[(r, c)] += h } else { b[(0, c)] += h }
                }
                let model = LogisticRegression::from_parameters(scheme, &w, &b).unwrap();
                model.derivatives(&x, labels, lambda).unwrap()
            };
            let hessian = at(None).hessian;
            let k = hessian.nrows() / 4;
            assert_eq!(hessian, hessian.transpose());
            let eigen = linalg::symmetric_eigen(&hessian).unwrap();
            assert!(eigen.values[0] > -1e-15, "{scheme:?}: {}", eigen.values);
            // The binary one is XᵀSX/n, definite; the multinomial one is flat where all classes rise alike.
            assert_eq!(eigen.values[0] > 1e-6, scheme != Scheme::Multinomial, "{}", eigen.values);
            for r in 0..4 {
                for c in 0..k {
                    let h = 1e-4;
                    let (up, down) = (at(Some((r, c, h))), at(Some((r, c, -h))));
                    let difference = (up.gradient - down.gradient) / (2.0 * h);
                    let expected = hessian.row(r * k + c);
                    for (i, found) in difference.transpose().iter().enumerate() {
                        let error = (found - expected[i]).abs();
                        assert!(error < 1e-8, "{scheme:?} ({r}, {c}) {i}: {found} {}", expected[i]);
                    }
                    let slope = (up.value - down.value) / (2.0 * h);
                    assert!((slope - at(None).gradient[(r, c)]).abs() < 1e-8, "{scheme:?} ({r}, {c})");
                }
            }
        }
    }
    // XᵀSX/n, written out.
    let model = LogisticRegression::fit(&x, &two, 2, &options(Scheme::Binary, 0.1)).unwrap();
    let p = model.probabilities(&x).unwrap();
    let ones = x.clone().insert_column(3, 1.0);
    let s = DMatrix::from_fn(60, 60, |i, j| if i == j { p[(i, 0)] * p[(i, 1)] } else { 0.0 });
    let expected = ones.transpose() * s * &ones / 60.0;
    close(&model.derivatives(&x, &two, 0.0).unwrap().hessian, &expected, 1e-15);
}

/// The cross-entropy is convex: nowhere have the second derivatives a negative eigenvalue, far from the optimum either.
#[test]
fn the_second_derivatives_are_positive_semi_definite_everywhere() {
    let (x, labels, _) = reference();
    let mut rng = stream(1, Purpose::Init);
    for k in 0..200 {
        let size = f64::from(1 + k % 10);
        let w = DMatrix::from_fn(x.ncols(), 1, |_, _| size * standard_normal(&mut rng));
        let b = DMatrix::from_element(1, 1, size * standard_normal(&mut rng));
        let model = LogisticRegression::from_parameters(Scheme::Binary, &w, &b).unwrap();
        let hessian = model.derivatives(&x, &labels, 0.0).unwrap().hessian;
        let least = linalg::symmetric_eigen(&hessian).unwrap().values[0];
        assert!(least >= -1e-14, "{least:e} at {w}{b}");
    }
}

#[test]
fn gradient_descent_finds_the_same_optimum_from_anywhere() {
    let (x, labels, runs) = reference();
    let run = &runs[1];
    let y = DMatrix::from_fn(60, 1, |i, _| labels[i] as f64);
    let mut rng = stream(5, Purpose::Init);
    for scale in [0.0, 1.0, 10.0] {
        let mut tape = Tape::new();
        let w = tape.param_with(3, 1, |w| w.fill_with(|| scale * standard_normal(&mut rng)));
        let b = tape.param_slice(1, 1, &[scale]);
        let mut optimizer = Optimizer::new(Sgd, 1.0).unwrap();
        for _ in 0..2000 {
            let (x, y) = (tape.constant(&x), tape.constant(&y));
            let z = tape.linear(x, w, b);
            let loss = tape.bce_with_logits(z, y);
            let penalty = tape.l2_penalty(&[w], run.lambda);
            let loss = tape.add(loss, penalty);
            tape.zero_grad();
            tape.backward(loss);
            optimizer.step(&mut tape).unwrap();
            tape.rewind();
        }
        close(&tape.value(w).to_dmatrix(), &DMatrix::from_row_slice(3, 1, &run.w), 1e-8);
        assert!((tape.item(b) - run.b).abs() < 1e-8);
    }
}

/// BCE(t, p) = KL(t ‖ p) + H(t) for soft labels t, so that it is least at p = t, and not zero there.
#[test]
fn cross_entropy_is_divergence_and_entropy() {
    let ln = |x: f64| if x == 0.0 { 0.0 } else { Float::ln(x) };
    for t in [0.0, 1e-3, 0.25, 0.5, 0.9, 1.0f64] {
        for z in [-8.0, -1.0, 0.0, 0.3, 5.0f64] {
            let mut tape = Tape::new();
            let (logit, target) = (tape.scalar(z), tape.scalar(t));
            let bce = tape.bce_with_logits(logit, target);
            let (p, q) = (Float::sigmoid(z), Float::sigmoid(-z));
            let divergence = t * (ln(t) - Float::ln(p)) + (1.0 - t) * (ln(1.0 - t) - Float::ln(q));
            let entropy = -t * ln(t) - (1.0 - t) * ln(1.0 - t);
            assert!((tape.item(bce) - (divergence + entropy)).abs() < 1e-14, "t = {t}, z = {z}");
            assert!(divergence >= 0.0 && entropy >= 0.0);
        }
    }
}

#[test]
fn the_bias_is_not_penalised() {
    let (x, labels, _) = reference();
    let fit = |x: &DMatrix<f64>, options| LogisticRegression::fit(x, &labels, 2, &options).unwrap();
    let model = fit(&x, options(Scheme::Binary, 0.1));
    // So features may be shifted: the bias makes up for it.
    let shifted = fit(&x.add_scalar(7.0), options(Scheme::Binary, 0.1));
    close(&shifted.weights(), &model.weights(), 1e-10);
    assert!((shifted.bias()[(0, 0)] + 7.0 * model.weights().sum() - model.bias()[(0, 0)]).abs() < 1e-10);
    // And a huge penalty leaves the share of the classes.
    let p = fit(&x, options(Scheme::Binary, 1e9)).probabilities(&x).unwrap();
    let share = labels.iter().sum::<usize>() as f64 / 60.0;
    assert!(p.column(1).iter().all(|p| (p - share).abs() < 1e-8));

    let plain = LogisticOptions { intercept: false, ..options(Scheme::Binary, 0.1) };
    let plain = fit(&x, plain);
    assert_eq!(plain.bias(), dmatrix![0.0]);
    let gradient = plain.derivatives(&x, &labels, 0.1).unwrap().gradient;
    assert!(gradient.rows(0, 3).abs().max() < 1e-14 && gradient[(3, 0)].abs() > 1e-3, "{gradient}");
}

/// More parameters than are solved for directly: the gradient by the tape is zero there.
#[test]
fn images() {
    let set = synthetic::find("digits").unwrap();
    let data = set.generate(400, set.noise, 0).unwrap();
    let lambda = 1e-3;
    let fit = |threads| {
        let run = || LogisticRegression::fit_dataset(&data, &options(Scheme::Multinomial, lambda)).unwrap();
        linalg::with_threads(threads, run)
    };
    let model = fit(1);
    assert_eq!(model, fit(2));
    let mut tape = Tape::new();
    let weights = [(model.weights(), model.bias())];
    let mlp = Mlp::from_weights(&mut tape, &weights, Activation::Identity).unwrap();
    let x = tape.constant(&data.to_matrix());
    let z = mlp.forward(&mut tape, x, &mut Mode::evaluation());
    let labels: Vec<usize> = (0..data.len()).map(|i| data.label(i)).collect();
    let loss = tape.cross_entropy(z, &labels);
    let penalty = tape.l2_penalty(&mlp.weights(), lambda);
    let loss = tape.add(loss, penalty);
    tape.backward(loss);
    let largest = tape.param_grads().iter().fold(0.0f64, |a, b| a.max(b.abs()));
    assert!(largest < 1e-9, "{largest:e} after {} steps", model.steps());
    let right =
        model.predict_dataset(&data).unwrap().iter().zip(&labels).filter(|(a, b)| **a == Some(**b)).count();
    assert!(right > 390, "{right} of 400");
}

/// A large set is looked at in blocks, which change no bit.
/// A constant added to the biases of all classes meets no curvature: rounding along it must not keep the fit from ending.
#[test]
fn more_classes_and_pixels_than_a_direct_solution_takes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits.csv");
    let digits = Dataset::read_csv(path, "digit").unwrap();
    for seed in [0, 1, 5] {
        let (train, _) = digits.stratified_split(0.2, seed).unwrap();
        let train = Standardize::fit(&train).unwrap().apply(&train).unwrap();
        let options = LogisticOptions { lambda: 1e-4, ..Default::default() };
        let model = LogisticRegression::fit_dataset(&train, &options).unwrap();
        assert!(model.steps() < 30, "{} steps", model.steps());
        let sums = model.bias().sum();
        assert!(sums.abs() < 1e-12, "the biases sum to {sums}");
    }
}

#[test]
fn probabilities_of_a_dataset_are_those_of_its_matrix_to_the_bit() {
    let data = tapegrad::data::synthetic::find("digits").unwrap().generate(2100, 0.1, 3).unwrap();
    for scheme in [Scheme::Multinomial, Scheme::OneVsRest] {
        let model = LogisticRegression::fit_dataset(&data.take(150), &options(scheme, 1e-2)).unwrap();
        let whole = model.probabilities(&data.to_matrix()).unwrap();
        assert_eq!(model.probabilities_dataset(&data).unwrap(), whole.transpose().as_slice());
    }
}

#[test]
fn classes_that_are_separable() {
    let line = |n: usize| DMatrix::from_fn(n, 1, |i, _| i as f64);
    let message = |x: &DMatrix<f64>, labels: &[usize], classes, scheme, intercept| {
        let options = LogisticOptions { intercept, ..options(scheme, 0.0) };
        match LogisticRegression::fit(x, labels, classes, &options) {
            Err(Error::Data(message)) => message,
            other => panic!("{scheme:?} {labels:?}: {other:?}"),
        }
    };
    use Scheme::{Binary, Multinomial, OneVsRest};
    for (scheme, labels, classes) in [
        (Binary, vec![0, 0, 1, 1], 2),
        (Binary, vec![1, 0], 2),
        (Multinomial, vec![0, 0, 1, 1, 2, 2], 3),
        (OneVsRest, vec![0, 1, 1], 2),
    ] {
        let found = message(&line(labels.len()), &labels, classes, scheme, true);
        assert!(
            found.contains("separable by a linear function") && found.contains("lambda above 0"),
            "{found}"
        );
    }
    // Both classes at 2: the optimum is at infinity all the same.
    let quasi = dmatrix![0.0; 1.0; 2.0; 2.0; 3.0; 4.0];
    for scheme in [Binary, Multinomial, OneVsRest] {
        let found = message(&quasi, &[0, 0, 0, 1, 1, 1], 2, scheme, true);
        assert!(found.contains("but for samples on the boundary, by a linear function"), "{found}");
    }
    // A feature that is there in one class only, beside one that overlaps.
    let rare = DMatrix::from_fn(12, 2, |i, j| [(i * 5 % 12) as f64, f64::from(i == 7)][j]);
    let labels: Vec<usize> = (0..12).map(|i| i % 2).collect();
    let found = message(&rare, &labels, 2, Binary, true);
    assert!(found.contains("boundary"), "{found}");
    let found = message(&line(4), &[0, 1, 1, 2], 3, OneVsRest, true);
    assert!(found.starts_with("class 0 against the rest: "), "{found}");
    let found = message(&dmatrix![-1.0; 2.0], &[0, 1], 2, Binary, false);
    assert!(found.contains("separable"), "{found}");

    // The middle one of three classes on a line is not separable from the rest. Nor are classes that
    // overlap by as little as one sample in a thousand.
    let mut labels = vec![0; 500];
    labels.extend([1; 500]);
    labels.swap(499, 500);
    let model = LogisticRegression::fit(&line(1000), &labels, 2, &options(Binary, 0.0)).unwrap();
    let at = model.derivatives(&line(1000), &labels, 0.0).unwrap();
    assert!(at.gradient.abs().max() < 1e-10 && model.weights()[(0, 0)] > 0.5, "{at:?} {model:?}");
    // With a penalty, separable classes are as good as any.
    for lambda in [1.0, 1e-3, 1e-8] {
        let labels = [0, 0, 1, 1];
        let model = LogisticRegression::fit(&line(4), &labels, 2, &options(Binary, lambda)).unwrap();
        let at = model.derivatives(&line(4), &labels, lambda).unwrap();
        assert!(at.gradient.abs().max() < 1e-12, "{lambda}: {}", at.gradient);
    }
}

#[test]
fn features_that_depend_on_each_other() {
    let (x, labels, _) = reference();
    let twice = x.clone().insert_column(3, 0.0);
    let twice = DMatrix::from_fn(60, 5, |i, j| if j == 4 { 2.0 * x[(i, 1)] } else { twice[(i, j)] });
    for scheme in [Scheme::Binary, Scheme::Multinomial] {
        let fit = |x: &DMatrix<f64>| {
            let model = LogisticRegression::fit(x, &labels, 2, &options(scheme, 0.0)).unwrap();
            model.logits(x).unwrap()
        };
        close(&fit(&twice), &fit(&x), 1e-9);
    }
}

#[test]
fn bad_input() {
    let x = dmatrix![0.0, 1.0; 1.0, 0.0; 2.0, 2.0];
    let check = |x: &DMatrix<f64>, labels: &[usize], classes, options: LogisticOptions, expected: &str| {
        let error = LogisticRegression::fit(x, labels, classes, &options).unwrap_err();
        assert!(matches!(error, Error::Data(_) | Error::Setting { .. }));
        assert!(error.to_string().contains(expected), "{error}");
    };
    let good = options(Scheme::Binary, 0.1);
    for bad in [f64::NAN, f64::INFINITY] {
        let mut wrong = x.clone();
        wrong[(1, 0)] = bad;
        check(&wrong, &[0, 1, 1], 2, good, &format!("row 1, column 0: the feature is {bad}"));
        let model = LogisticRegression::fit(&x, &[0, 1, 1], 2, &good).unwrap();
        assert!(matches!(model.predict(&wrong), Err(Error::Data(_))));
    }
    check(&x, &[0, 1], 2, good, "2 labels for 3 rows");
    check(&x, &[0, 1, 2], 2, good, "row 2: label 2 is not below the 2 classes");
    check(&x, &[1, 1, 1], 2, good, "class 0 has no samples");
    check(&x, &[0, 1, 1], 3, options(Scheme::Multinomial, 0.1), "class 2 has no samples");
    check(&x, &[0, 0, 0], 1, options(Scheme::Multinomial, 0.1), "nothing to tell apart in 1 class");
    check(&x, &[0, 1, 2], 3, good, "the binary scheme is for 2 classes, not 3");
    check(&dmatrix![1.0], &[0], 2, good, "class 1 has no samples");
    check(&DMatrix::zeros(0, 2), &[], 2, good, "there are no samples");
    for lambda in [-0.1, f64::NAN, f64::INFINITY] {
        check(&x, &[0, 1, 1], 2, options(Scheme::Binary, lambda), "lambda: ");
    }
    check(&x, &[0, 1, 1], 2, LogisticOptions { max_steps: 1, ..good }, "no convergence in 1 Newton steps");
    let data = Dataset::new(vec![0.0; 4], 2).unwrap();
    assert!(LogisticRegression::fit_dataset(&data, &good).is_err());
    let model = LogisticRegression::fit(&x, &[0, 1, 1], 2, &good).unwrap();
    let error = model.logits(&DMatrix::zeros(1, 3)).unwrap_err().to_string();
    assert_eq!(error, "logistic: the model takes 2 features, the data has 3");
}

/// Without features the biases say how frequent the classes are; without biases either, nothing is said.
#[test]
fn no_features() {
    let none = DMatrix::zeros(6, 0);
    let labels = [0, 1, 2, 2, 2, 1];
    for scheme in [Scheme::Multinomial, Scheme::OneVsRest] {
        let model = LogisticRegression::fit(&none, &labels, 3, &options(scheme, 0.1)).unwrap();
        let p = model.probabilities(&none).unwrap();
        close(&p.rows(0, 1).into_owned(), &dmatrix![1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0], 1e-12);
        assert_eq!(model.predict(&none).unwrap(), [Some(2); 6]);
    }
    let nothing = LogisticOptions { intercept: false, ..options(Scheme::Multinomial, 0.1) };
    let model = LogisticRegression::fit(&none, &labels, 3, &nothing).unwrap();
    close(&model.probabilities(&none).unwrap(), &DMatrix::from_element(6, 3, 1.0 / 3.0), 1e-15);
}

/// Features whose squares overflow: no optimum is reported that was not found.
#[test]
fn features_beyond_the_numbers_are_an_error() {
    let x =
        DMatrix::from_fn(40, 3, |i, j| if j == 0 { 1e200 * (i as f64 - 20.0) } else { (i * j % 7) as f64 });
    let labels: Vec<usize> = (0..40).map(|i| i % 3).collect();
    for scheme in [Scheme::Multinomial, Scheme::OneVsRest] {
        let options = LogisticOptions { scheme, ..LogisticOptions::default() };
        let found = LogisticRegression::fit(&x, &labels, 3, &options);
        assert!(found.is_err(), "{scheme:?}: {found:?}");
    }
}

/// The same scores at features of any size, or an error that names the column.
#[test]
fn features_at_every_scale() {
    let labels: Vec<usize> = (0..40).map(|i| usize::from(i * 7 % 11 > 4)).collect();
    let x = |scale: f64| DMatrix::from_fn(40, 2, |i, j| scale * ((i * 5 + j * 3) % 13) as f64);
    let options = LogisticOptions { scheme: Scheme::Binary, lambda: 0.0, ..Default::default() };
    let fit = |scale| LogisticRegression::fit(&x(scale), &labels, 2, &options);
    let expected = fit(1.0).unwrap().logits(&x(1.0)).unwrap();
    for scale in [1e-100, 1e-25, 1e25, 1e100] {
        let found = fit(scale).unwrap().logits(&x(scale)).unwrap();
        assert!((found - &expected).amax() < 1e-7, "{scale:e}");
    }
    let error = fit(1e-200).unwrap_err();
    assert!(matches!(error, Error::Data(_)) && error.to_string().contains("column 0"), "{error}");
    assert!(matches!(fit(1e200), Err(Error::NonFinite(_))));
    // With a penalty such features have no say, and the biases are those of none.
    let options = LogisticOptions { lambda: 1e-3, ..options };
    let model = LogisticRegression::fit(&x(1e-200), &labels, 2, &options).unwrap();
    let ones = labels.iter().sum::<usize>() as f64;
    assert!((model.bias()[0] - (ones / (40.0 - ones)).ln()).abs() < 1e-12);
    for (name, options) in [
        ("lambda", LogisticOptions { lambda: f64::INFINITY, ..options }),
        ("lambda", LogisticOptions { lambda: f64::NAN, ..options }),
        ("lambda", LogisticOptions { lambda: -1.0, ..options }),
        ("max_steps", LogisticOptions { max_steps: 0, ..options }),
    ] {
        let Err(Error::Setting { name: found, .. }) = LogisticRegression::fit(&x(1.0), &labels, 2, &options)
        else {
            panic!("{name}")
        };
        assert_eq!(found, name);
    }
}

/// The constant that may be added to all classes has next to no curvature there, and rounding must not walk along it.
#[test]
fn several_classes_at_large_scales_and_small_penalties() {
    for seed in 0..20 {
        let mut rng = stream(seed, Purpose::Data);
        let x = DMatrix::from_fn(30, 2, |_, _| standard_normal(&mut rng));
        let labels: Vec<usize> = (0..30).map(|i| (i * 7 + seed as usize) % 3).collect();
        for (scale, lambda) in [(1e4, 1e-4), (1e5, 1e-4), (1e6, 1.0), (1.0, 1e-12), (1.0, 1e-14)] {
            let x = &x * scale;
            let options = options(Scheme::Multinomial, lambda);
            let model = LogisticRegression::fit(&x, &labels, 3, &options).unwrap();
            assert!(model.steps() < 30, "{seed}, {scale:e}, {lambda:e}: {} steps", model.steps());
            // What is best does not depend on a constant: the mean over the classes is 0.
            let (weights, logits) = (model.weights(), model.logits(&x).unwrap());
            let mean = weights.iter().sum::<f64>().abs() / weights.amax();
            assert!(mean < 1e-9 && logits.iter().all(|z| z.abs() < 1e3), "{seed}, {scale:e}: {mean:e}");
        }
    }
}
