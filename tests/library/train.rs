//! Training as a user sees it: what it reaches, and that it comes out the same every time.

use tapegrad::data::{Dataset, synthetic};
use tapegrad::models::Mlp;
use tapegrad::nn::loss::{CrossEntropy, MeanSquaredError};
use tapegrad::nn::{Activation, Loss, loss};
use tapegrad::optim::{Adam, Optimizer, Sgd};
use tapegrad::rng::{Purpose, stream};
use tapegrad::train::{FitOptions, Observer, Recorder, Run, Stop, Trace, TraceFormat, evaluate, fit};
use tapegrad::{Error, Float, Result, Tape, linalg};

fn digits(n: usize) -> Dataset {
    let set = synthetic::find("digits").unwrap();
    set.generate(n, set.noise, 0).unwrap()
}

/// A short training on synthetic digits: its trace, and the weights it ends with.
fn train<T: Float>(threads: usize, seed: u64) -> (Trace, Vec<T>) {
    linalg::with_threads(threads, || {
        let all = digits(1500);
        let (train, validation) = (all.take(1200), all.subset(&Vec::from_iter(1200..1500)));
        let mut tape = Tape::<T>::default();
        let mut rng = stream(seed, Purpose::Init);
        let model = Mlp::new(&[784, 128, 10], Activation::Relu).build(&mut tape, &mut rng).unwrap();
        let mut optimizer = Optimizer::new(Adam::default(), 1e-3).unwrap();
        let loss = loss::suited_to(&train).unwrap();
        let options = FitOptions::new(3, 128, seed);
        let validation = Some(&validation);
        let history =
            fit(&model, &*loss, &mut tape, &mut optimizer, &train, validation, &options, &mut []).unwrap();
        assert_eq!(history.stop, Stop::Finished);
        let trace = Trace { epochs: history.epochs, ..Trace::default() };
        (trace, tape.param_values().to_vec())
    })
}

fn same_bits_at_any_number_of_threads<T: Float>() {
    let (trace, weights) = train::<T>(1, 7);
    for threads in [1, 2, 3] {
        let (again, weights_again) = train::<T>(threads, 7);
        assert_eq!(
            trace.render(TraceFormat::Csv, false),
            again.render(TraceFormat::Csv, false),
            "{} with {threads} threads",
            T::NAME
        );
        assert_eq!(weights, weights_again);
    }
    let (other, _) = train::<T>(1, 8);
    assert_ne!(trace.epochs[0].train_loss, other.epochs[0].train_loss, "the seed does nothing");
}

#[test]
fn same_bits_in_f32() {
    same_bits_at_any_number_of_threads::<f32>();
}

#[test]
fn same_bits_in_f64() {
    same_bits_at_any_number_of_threads::<f64>();
}

#[test]
fn a_short_digits_training() {
    let (trace, _) = train::<f64>(1, 0);
    // Nine digits: the snapshot outlives a change in the order of a sum.
    let lines: Vec<String> = trace
        .epochs
        .iter()
        .map(|e| {
            format!(
                "epoch {} steps {} train {:.9} {:.4} validation {:.9} {:.4} |gradient| {:.9}",
                e.epoch,
                e.steps,
                e.train_loss,
                e.train_accuracy.unwrap(),
                e.validation_loss.unwrap(),
                e.validation_accuracy.unwrap(),
                e.gradient_norm
            )
        })
        .collect();
    insta::with_settings!({snapshot_path => "../../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("train_digits", lines.join("\n"));
    });
}

#[test]
fn a_linear_model_does_clearly_worse_on_digits() {
    let all = digits(5000);
    let (train, test) = (all.take(4000), all.subset(&Vec::from_iter(4000..5000)));
    let accuracy = |widths: &[usize]| {
        let mut tape = Tape::<f32>::default();
        let mut rng = stream(0, Purpose::Init);
        let model = Mlp::new(widths, Activation::Relu).build(&mut tape, &mut rng).unwrap();
        let mut optimizer = Optimizer::new(Adam::default(), 1e-3).unwrap();
        let loss = loss::suited_to(&train).unwrap();
        let options = FitOptions::new(15, 64, 0);
        fit(&model, &*loss, &mut tape, &mut optimizer, &train, None, &options, &mut []).unwrap();
        evaluate(&model, &*loss, &mut tape, &test).unwrap().accuracy().unwrap()
    };
    let (linear, mlp) = (accuracy(&[784, 10]), accuracy(&[784, 128, 10]));
    // Half of the errors of the linear model, and more, are ones that a hidden layer does not make.
    assert!(linear > 0.8 && mlp > 0.94 && 1.0 - mlp < 0.5 * (1.0 - linear), "{linear} and {mlp}");
}

#[test]
fn regression_by_squared_error() {
    let set = synthetic::find("linear").unwrap();
    let data = set.generate(400, 0.0, 3).unwrap();
    let mut tape = Tape::new();
    let mut rng = stream(0, Purpose::Init);
    let model = Mlp::new(&[5, 1], Activation::Identity).build(&mut tape, &mut rng).unwrap();
    let mut optimizer = Optimizer::new(Sgd, 0.1).unwrap();
    let loss = loss::suited_to(&data).unwrap();
    assert_eq!(loss.name(), "mean squared error");
    let options = FitOptions::new(40, 20, 0);
    let history = fit(&model, &*loss, &mut tape, &mut optimizer, &data, None, &options, &mut []).unwrap();
    assert!(history.epochs.last().unwrap().train_loss < 1e-10);
    assert_eq!(history.epochs[0].train_accuracy, None);
    let evaluation = evaluate(&model, &*loss, &mut tape, &data).unwrap();
    assert!(evaluation.loss < 1e-10 && evaluation.accuracy().is_none());
    // y = 1.5x₁ − 2x₂ + 0.5x₃ + 3x₅ + 1 is what the set was made with.
    let expected = [1.5, -2.0, 0.5, 0.0, 3.0, 1.0];
    for (found, expected) in tape.param_values().iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
    }
}

/// Ends a run after so many steps.
struct After(usize);

impl<T: Float> Observer<T> for After {
    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.0 -= 1;
        if self.0 == 0 {
            run.stop = Some(Stop::Interrupted { epoch: run.progress.epoch });
        }
        Ok(())
    }
}

#[test]
fn an_interrupted_run_keeps_finished_epochs() {
    let data = digits(300);
    let mut tape = Tape::<f32>::default();
    let mut rng = stream(0, Purpose::Init);
    let model = Mlp::new(&[784, 16, 10], Activation::Relu).build(&mut tape, &mut rng).unwrap();
    let mut optimizer = Optimizer::new(Adam::default(), 1e-3).unwrap();
    let options = FitOptions::new(5, 100, 0);
    let loss = CrossEntropy::default();
    let observers: &mut [&mut dyn Observer<f32>] = &mut [&mut After(7)];
    let history = fit(&model, &loss, &mut tape, &mut optimizer, &data, None, &options, observers).unwrap();
    assert_eq!(
        (history.stop, history.epochs.len(), optimizer.steps()),
        (Stop::Interrupted { epoch: 3 }, 2, 7)
    );
}

#[test]
fn a_run_that_diverges_is_an_error_that_says_where() {
    let data = digits(300);
    let run = |watch: bool| {
        let mut tape = Tape::<f32>::default();
        tape.detect_anomalies(watch);
        let mut rng = stream(0, Purpose::Init);
        let model = Mlp::new(&[784, 16, 10], Activation::Relu).build(&mut tape, &mut rng).unwrap();
        let mut optimizer = Optimizer::new(Sgd, 1e30).unwrap();
        let options = FitOptions::new(5, 100, 0);
        let (loss, mut record) = (CrossEntropy::default(), Recorder::default());
        let observers: &mut [&mut dyn Observer<f32>] = &mut [&mut record];
        fit(&model, &loss, &mut tape, &mut optimizer, &data, None, &options, observers).unwrap_err()
    };
    let plain = run(false).to_string();
    assert!(plain.starts_with("epoch 1, step ") && plain.contains("learning rate"), "{plain}");
    let watched = run(true).to_string();
    assert!(watched.contains("called at src/"), "{watched}");
}

#[test]
fn data_that_does_not_fit_is_an_error() {
    let data = digits(20);
    let mut tape = Tape::<f32>::default();
    let mut rng = stream(0, Purpose::Init);
    let model = Mlp::new(&[4, 16, 3], Activation::Relu).build(&mut tape, &mut rng).unwrap();
    let tape = std::cell::RefCell::new(tape);
    let message = |data: &Dataset, loss: &dyn Loss<f32>, batch: usize| {
        let mut optimizer = Optimizer::new(Sgd, 0.1).unwrap();
        let options = FitOptions::new(1, batch, 0);
        fit(&model, loss, &mut tape.borrow_mut(), &mut optimizer, data, None, &options, &mut []).unwrap_err()
    };
    let cross_entropy = &CrossEntropy::default();
    let error = message(&data, cross_entropy, 10);
    assert_eq!(
        error.to_string(),
        "mlp 4-16-3 relu takes 4 features, but the data has 784 features and 10 classes"
    );
    let small = Dataset::new(vec![0.0; 8], 4).unwrap();
    assert!(matches!(message(&small, cross_entropy, 10), Error::Data(_)));
    assert!(matches!(message(&small, &MeanSquaredError, 10), Error::Data(_)));
    let labelled = small.clone().with_labels(&[0, 2], 3).unwrap();
    assert!(matches!(message(&labelled, cross_entropy, 0), Error::Setting { .. }));
    assert!(matches!(
        CrossEntropy::default().with_smoothing(1.0),
        Err(Error::Setting { name: "smoothing", .. })
    ));
}
