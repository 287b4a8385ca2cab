//! Losses with and without weights, against figures computed by hand from their formulas in Python.

use tapegrad::data::Dataset;
use tapegrad::nn::loss::{
    Batch, BinaryCrossEntropy, CrossEntropy, Focal, Hinge, Huber, MeanAbsoluteError, MeanSquaredError,
    OneVsRest,
};
use tapegrad::nn::{Activation, Dropout, Init, Linear, Loss, Mode, Module, ModuleExt, Residual, Sequential};
use tapegrad::rng::{Place, Purpose, stream};
use tapegrad::{Error, Tape, Var, check_gradient};

const OUTPUTS: [f64; 12] = [0.3, -1.2, 2.0, 1.5, 0.1, -0.4, -0.7, 0.9, 0.2, 2.2, -0.5, 1.1];
const WEIGHTS: [f64; 4] = [1.0, 2.0, 0.5, 0.0];

fn classes(labels: &[usize], count: usize) -> Dataset {
    Dataset::new(vec![0.0; labels.len()], 1).unwrap().with_labels(labels, count).unwrap()
}

fn targets() -> Dataset {
    let targets = vec![0.5, 0.0, 1.0, -3.0, 0.0, 2.0, 1.0, 1.0];
    Dataset::new(vec![0.0; 4], 1).unwrap().with_targets(targets, 2).unwrap()
}

/// The first `cols` outputs of each row, as a variable.
fn outputs(tape: &mut Tape, cols: usize) -> Var {
    let rows: Vec<f64> = OUTPUTS.chunks(3).flat_map(|row| row[..cols].to_vec()).collect();
    tape.variable_slice(4, cols, &rows)
}

#[track_caller]
fn check(loss: &dyn Loss<f64>, data: &Dataset, training: bool, expected: f64) {
    let cols = loss.outputs(data).unwrap();
    let (rows, mut labels) = ([0, 1, 2, 3], Vec::new());
    let batch = Batch::new(data, &rows, training, &mut labels);
    let mut tape = Tape::new();
    let output = outputs(&mut tape, cols);
    let found = loss.forward(&mut tape, output, &batch);
    let found = tape.item(found);
    assert!((found - expected).abs() < 1e-14, "{}: {found}, not {expected}", loss.name());
    let start = tape.value(output).to_dmatrix();
    check_gradient(&[start], |tape, x| loss.forward(tape, x[0], &batch)).assert_below(1e-8);
}

#[test]
fn losses_of_classes() {
    let plain = classes(&[0, 2, 1, 2], 3);
    let weighted = plain.clone().with_weights(WEIGHTS.to_vec()).unwrap();
    let cross_entropy = CrossEntropy::default();
    check(&cross_entropy, &plain, true, 1.5254156519393987);
    check(&cross_entropy, &weighted, true, 1.8954279622155423);
    let balanced = CrossEntropy::default().with_class_weights(vec![1.0, 2.0, 3.0]).unwrap();
    check(&balanced, &plain, true, 1.5524345030351538);
    check(&balanced, &weighted, true, 1.9792229637915255);
    let smoothed = CrossEntropy::default().with_smoothing(0.1).unwrap();
    check(&smoothed, &plain, true, 1.5270823186060654);
    check(&smoothed, &weighted, true, 1.858761295548876);
    // Smoothing is for training only.
    check(&smoothed, &plain, false, 1.5254156519393987);
    check(&Focal::new(2.0).unwrap(), &plain, true, 1.0202939277514131);
    check(&Focal::new(2.0).unwrap(), &weighted, true, 1.4235721795955754);
    check(&Focal::new(0.0).unwrap(), &plain, true, 1.5254156519393987);
    check(&Hinge, &plain, true, 0.7916666666666667);
    check(&Hinge, &weighted, true, 1.1095238095238096);
    check(&OneVsRest, &plain, true, 2.7280913338422947);
    check(&OneVsRest, &weighted, true, 2.980987285789044);
    let two = classes(&[0, 1, 1, 0], 2);
    check(&BinaryCrossEntropy, &two, true, 1.1160094727763585);
    check(&BinaryCrossEntropy, &two.with_weights(WEIGHTS.to_vec()).unwrap(), true, 0.516792807107646);
}

/// Loss and slopes in `f32` of one row of outputs, with a weight of 1 for each sample, which is another way to
/// compute them.
fn of_row(loss: &dyn Loss<f32>, row: &[f32], label: usize, classes: usize) -> (f32, Vec<f32>) {
    let data = self::classes(&[label], classes).with_weights(vec![1.0]).unwrap();
    let (rows, mut labels) = ([0], Vec::new());
    let batch = Batch::new(&data, &rows, true, &mut labels);
    let mut tape = Tape::<f32>::default();
    let output = tape.variable_slice(1, row.len(), row);
    let found = loss.forward(&mut tape, output, &batch);
    tape.backward(found);
    (tape.item(found), tape.grad_slice(output).to_vec())
}

#[track_caller]
fn near(found: (f32, Vec<f32>), loss: f64, slopes: &[f64]) {
    let close = |a: f32, b: f64| f64::from(a) == b || (f64::from(a) - b).abs() < 1e-5 * b.abs();
    let all = found.1.len() == slopes.len() && found.1.iter().zip(slopes).all(|(a, b)| close(*a, *b));
    assert!(close(found.0, loss) && all, "{found:?}, not {loss:e}, {slopes:?}");
}

/// Weights must not cost digits, nor turn an infinite output that is right into NaN. e⁻²⁰ = 2.06·10⁻⁹.
#[test]
fn weighted_losses_in_the_tails() {
    const INF: f32 = f32::INFINITY;
    const TAIL: f64 = 2.061153622438558e-9;
    near(of_row(&BinaryCrossEntropy, &[20.0], 1, 2), TAIL, &[-TAIL]);
    near(of_row(&BinaryCrossEntropy, &[-20.0], 0, 2), TAIL, &[TAIL]);
    near(of_row(&BinaryCrossEntropy, &[INF], 1, 2), 0.0, &[0.0]);
    near(of_row(&BinaryCrossEntropy, &[-INF], 0, 2), 0.0, &[0.0]);
    near(of_row(&BinaryCrossEntropy, &[-INF], 1, 2), f64::INFINITY, &[-1.0]);
    near(of_row(&OneVsRest, &[20.0, -20.0], 0, 2), 2.0 * TAIL, &[-TAIL, TAIL]);
    near(of_row(&OneVsRest, &[INF, -INF], 0, 2), 0.0, &[0.0, 0.0]);
    let e40 = 4.248354255291589e-18;
    near(of_row(&CrossEntropy::default(), &[-20.0, 20.0], 1, 2), e40, &[e40, -e40]);
    near(of_row(&CrossEntropy::default(), &[INF, 0.0], 0, 2), 0.0, &[0.0, 0.0]);
    // (1 − p)²·(−ln p), about (1 − p)³, whose slope is 3(1 − p)³.
    let cube = TAIL * TAIL * TAIL;
    near(of_row(&Focal::new(2.0).unwrap(), &[20.0, 0.0], 0, 2), cube, &[-3.0 * cube, 3.0 * cube]);
    near(of_row(&Focal::new(2.0).unwrap(), &[-INF, 0.0], 0, 2), f64::INFINITY, &[-1.0, 1.0]);
    near(of_row(&Hinge, &[INF, 0.0, -3.0], 0, 3), 0.0, &[0.0, 0.0, 0.0]);
    let small = f64::from(1.0f32 - (1.0 - f32::EPSILON / 2.0)) / 3.0;
    near(of_row(&Hinge, &[1.0 - f32::EPSILON / 2.0, 0.0, -3.0], 0, 3), small, &[-1.0 / 3.0, 1.0 / 3.0, 0.0]);
}

/// A sample of weight 0 does not count, even if its loss is infinite.
#[test]
fn a_sample_that_does_not_count() {
    let data = classes(&[0, 1], 2).with_weights(vec![1.0, 0.0]).unwrap();
    let (rows, mut labels) = ([0, 1], Vec::new());
    let batch = Batch::new(&data, &rows, true, &mut labels);
    let losses: [&dyn Loss<f64>; 3] = [&CrossEntropy::default(), &OneVsRest, &Hinge];
    for loss in losses {
        let mut tape = Tape::new();
        let output = tape.variable_slice(2, 2, &[1.0, 0.0, f64::INFINITY, 0.0]);
        let found = loss.forward(&mut tape, output, &batch);
        tape.backward(found);
        assert!(tape.item(found).is_finite(), "{}", loss.name());
        assert_eq!(tape.grad_slice(output)[2..], [0.0, 0.0], "{}", loss.name());
    }
    let huge = classes(&[0, 1], 2).with_weights(vec![1e308, 1e308]);
    assert!(huge.unwrap_err().to_string().contains("the sum of the weights is inf"));
}

#[test]
fn losses_of_targets() {
    let plain = targets();
    let weighted = plain.clone().with_weights(WEIGHTS.to_vec()).unwrap();
    check(&MeanSquaredError, &plain, true, 2.09125);
    check(&MeanSquaredError, &weighted, true, 3.15);
    check(&MeanAbsoluteError, &plain, true, 1.1875);
    check(&MeanAbsoluteError, &weighted, true, 1.3571428571428572);
    check(&Huber::new(0.65).unwrap(), &plain, true, 0.5746875);
    check(&Huber::new(0.65).unwrap(), &weighted, true, 0.6885714285714286);
}

#[test]
fn a_loss_that_does_not_fit_the_data_says_what_is_missing() {
    let message = |loss: &dyn Loss<f64>, data: &Dataset| loss.outputs(data).unwrap_err().to_string();
    assert_eq!(message(&CrossEntropy::default(), &targets()), "cross-entropy needs class labels");
    let three = classes(&[0, 1, 2], 3);
    assert_eq!(message(&MeanSquaredError, &three), "the squared error needs real-valued targets");
    assert_eq!(
        message(&BinaryCrossEntropy, &three),
        "the binary cross-entropy needs 2 classes, but the data has 3"
    );
    let two = CrossEntropy::default().with_class_weights(vec![1.0, 2.0]).unwrap();
    assert_eq!(message(&two, &three), "class_weights: 2 weights for 3 classes");
    for wrong in [vec![], vec![0.0, 0.0], vec![1.0, -1.0], vec![f64::NAN]] {
        assert!(CrossEntropy::default().with_class_weights(wrong).is_err());
    }
    for wrong in [vec![1.0], vec![1.0, 2.0, -1.0], vec![0.0; 3], vec![1.0, f64::INFINITY, 1.0]] {
        assert!(matches!(three.clone().with_weights(wrong), Err(Error::Data(_))));
    }
    for gamma in [0.5, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Focal::new(gamma).is_err());
    }
}

/// A mask is a function of its place in the run, and of how many were drawn before it in the step.
#[test]
fn dropout_is_a_function_of_the_place() {
    let mut tape = Tape::new();
    let net = Sequential::new()
        .push("first", Dropout::new::<f64>(0.5).unwrap())
        .push("second", Dropout::new::<f64>(0.5).unwrap());
    let x = tape.constant_with(10, 20, |x| x.fill(1.0));
    let mut run = |place: Place| {
        let y = net.forward(&mut tape, x, &mut Mode::training(place));
        tape.value_slice(y).to_vec()
    };
    let place = Place { seed: 3, epoch: 2, step: 5 };
    let masked = run(place);
    assert_eq!(run(place), masked);
    for other in [Place { step: 6, ..place }, Place { epoch: 3, ..place }, Place { seed: 4, ..place }] {
        assert_ne!(run(other), masked);
    }
    // Two masks of their own: a quarter of the entries passes both, and not a half.
    let kept = masked.iter().filter(|x| **x > 0.0).count();
    assert!((25..=75).contains(&kept), "{kept} of 200");
    let y = net.forward(&mut tape, x, &mut Mode::evaluation());
    assert_eq!(y, x);
}

#[test]
fn a_residual_block_of_other_widths_names_both() {
    let mut tape = Tape::new();
    let rng = &mut stream(1, Purpose::Init);
    let good = Residual::new(
        Sequential::new()
            .push("linear", Linear::new(&mut tape, 3, 3, true, Init::Zeros, rng))
            .push("tanh", Activation::Tanh),
    );
    let bad = Residual::new(Linear::new(&mut tape, 3, 2, true, Init::Zeros, rng));
    let names: Vec<String> =
        ModuleExt::<f64>::named_parameters(&good).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["linear.weight", "linear.bias"]);
    let x = tape.constant_slice(1, 3, &[1.0, -2.0, 3.0]);
    let y = good.forward(&mut tape, x, &mut Mode::evaluation());
    assert_eq!(tape.value_slice(y), [1.0, -2.0, 3.0]);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        bad.forward(&mut tape, x, &mut Mode::evaluation());
    }));
    let message = *panic.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(message, "Residual: the block takes 1×3 but gives 1×2; both must be the same");
}

/// scikit-learn 1.7, compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 1, 2, 2]): 2/3, 2, 1.
#[test]
fn balanced_classes_count_alike() {
    let features = vec![0.0; 6];
    let data = Dataset::new(features.clone(), 1).unwrap().with_labels(&[0, 0, 0, 1, 2, 2], 3).unwrap();
    let balanced = CrossEntropy::default().with_balanced_classes(&data).unwrap();
    let given = CrossEntropy::default().with_class_weights(vec![6.0 / 9.0, 2.0, 1.0]).unwrap();
    assert_eq!(balanced, given);
    // A class that does not occur has no part in it.
    let more = Dataset::new(features.clone(), 1).unwrap().with_labels(&[0, 0, 0, 1, 2, 2], 4).unwrap();
    let balanced = CrossEntropy::default().with_balanced_classes(&more).unwrap();
    assert_eq!(balanced, CrossEntropy::default().with_class_weights(vec![6.0 / 9.0, 2.0, 1.0, 0.0]).unwrap());
    let values = Dataset::new(features, 1).unwrap().with_targets(vec![0.0; 6], 1).unwrap();
    let error = CrossEntropy::default().with_balanced_classes(&values).unwrap_err().to_string();
    assert!(error.contains("balanced classes"), "{error}");
}
