//! What a run can be told: schedules, clipping, early stopping, averages, normalisation, dropout, audits.

use std::sync::Arc;

use tapegrad::data::{Dataset, synthetic};
use tapegrad::models::Mlp;
use tapegrad::nn::loss::{self, CrossEntropy};
use tapegrad::nn::{Activation, Init, Loss, Mode, Module, ModuleExt, Norm, Sequential};
use tapegrad::optim::schedule::{Cosine, Goal, ReduceOnPlateau, Schedule, Warmup};
use tapegrad::optim::{Adam, Average, Clip, NonFinite, Optimizer, Sgd};
use tapegrad::rng::{Place, Purpose, stream};
use tapegrad::train::{
    Audit, Criterion, FitOptions, History, Observer, Penalty, Rate, Recorder, Run as Training, Stop, Trace,
    TraceFormat, evaluate, fit,
};
use tapegrad::{Result, Tape};

fn digits(n: usize) -> Dataset {
    let set = synthetic::find("digits").unwrap();
    set.generate(n, set.noise, 0).unwrap()
}

/// A run from seed 0, its record, and the tape and network it leaves.
struct Run {
    fitted: Result<History>,
    trace: Trace,
    tape: Tape<f64>,
    model: Sequential<f64>,
    optimizer: Optimizer<f64>,
}

fn run(form: &Mlp, lr: f64, data: &Dataset, validation: Option<&Dataset>, o: &FitOptions) -> Run {
    run_with(form, Optimizer::new(Adam::default(), lr).unwrap(), data, validation, o)
}

fn run_with(
    form: &Mlp,
    optimizer: Optimizer<f64>,
    data: &Dataset,
    validation: Option<&Dataset>,
    options: &FitOptions,
) -> Run {
    run_on(&*loss::suited_to(data).unwrap(), form, optimizer, data, validation, options)
}

fn run_on(
    loss: &dyn Loss<f64>,
    form: &Mlp,
    mut optimizer: Optimizer<f64>,
    data: &Dataset,
    validation: Option<&Dataset>,
    options: &FitOptions,
) -> Run {
    let mut tape = Tape::new();
    let model = form.build(&mut tape, &mut stream(0, Purpose::Init)).unwrap();
    let mut record = Recorder::default();
    let fitted = fit(&model, loss, &mut tape, &mut optimizer, data, validation, options, &mut [&mut record]);
    let trace = Trace { epochs: record.epochs, ..Trace::default() };
    Run { fitted, trace, tape, model, optimizer }
}

fn small() -> Mlp {
    Mlp::new(&[784, 16, 10], Activation::Relu)
}

#[test]
fn a_scheduled_clipped_early_stopped_run() {
    let all = digits(700);
    let (train, validation) = (all.take(200), all.subset(&Vec::from_iter(200..700)));
    let schedule = Warmup::new(5, Cosine::new(0.02, 1e-4, 400).unwrap());
    let options = FitOptions {
        rate: Rate::Schedule(Arc::new(schedule)),
        clip: Clip::none().with_norm(1.0).unwrap(),
        early_stopping: Some(Criterion::GeneralizationLoss { alpha: 2.0 }),
        audit: true,
        ..FitOptions::new(60, 32, 0)
    };
    let loss = CrossEntropy::default().with_smoothing(0.05).unwrap();
    let optimizer = Optimizer::new(Adam::default(), 0.02).unwrap();
    let run = run_on(&loss, &small(), optimizer, &train, Some(&validation), &options);
    let fitted = run.fitted.unwrap();
    let epochs = &run.trace.epochs;
    let Stop::Early { epoch } = fitted.stop else { panic!("{fitted:?}") };
    assert_eq!(epoch, epochs.len());
    // Prechelt's criterion by hand, and the parameters of the best epoch on the tape.
    let losses: Vec<f64> = epochs.iter().map(|e| e.validation_loss.unwrap()).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let first_above = losses.iter().scan(f64::INFINITY, |best, loss| {
        *best = best.min(*loss);
        Some(100.0 * (loss / *best - 1.0) > 2.0)
    });
    assert_eq!(first_above.take_while(|above| !above).count() + 1, epoch);
    assert_eq!(losses[fitted.best_epoch.unwrap() - 1], best);
    let mut tape = run.tape;
    let loss = evaluate(&run.model, &CrossEntropy::default(), &mut tape, &validation).unwrap().loss;
    assert_eq!(loss, best);
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("fit_scheduled_clipped_stopped", run.trace.render(TraceFormat::Text, false));
    });
}

#[test]
fn a_schedule_is_followed_step_by_step() {
    let data = digits(100);
    let schedule = Cosine::new(0.1, 0.0, 12).unwrap();
    let rate = Rate::Schedule(Arc::new(schedule));
    let run = run(&small(), 7.0, &data, None, &FitOptions { rate, ..FitOptions::new(3, 25, 0) });
    let found: Vec<f64> = run.trace.epochs.iter().map(|e| e.lr).collect();
    assert_eq!(found, [3, 7, 11].map(|step| schedule.lr(step)));
}

#[test]
fn a_plateau_reduces_the_rate_for_the_next_epoch() {
    let data = digits(60);
    // No improvement ever counts: the threshold asks for more than there is.
    let plateau = ReduceOnPlateau::new(1e-6, Goal::Small).unwrap().with_patience(0).with_factor(0.5).unwrap();
    let plateau = plateau.with_threshold(0.9).unwrap();
    let options = FitOptions { rate: Rate::Plateau(plateau), ..FitOptions::new(4, 30, 0) };
    // The optimizer's own rate is of no account.
    let run = run(&small(), 0.5, &data, None, &options);
    let found: Vec<f64> = run.trace.epochs.iter().map(|e| e.lr).collect();
    assert_eq!(found, [1e-6, 1e-6, 0.5e-6, 0.25e-6]);
}

/// One step of plain descent moves by no more than η·c.
#[test]
fn clipping_bounds_the_step() {
    let data = digits(50);
    let before = run(&small(), 0.1, &data, None, &FitOptions::new(0, 50, 0)).tape;
    let distance = |clip: Clip| {
        let optimizer = Optimizer::new(Sgd, 0.5).unwrap();
        let options = FitOptions { clip, ..FitOptions::new(1, 50, 0) };
        let run = run_with(&small(), optimizer, &data, None, &options);
        let pairs = run.tape.param_values().iter().zip(before.param_values());
        (pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt(), run.trace.epochs[0].gradient_norm)
    };
    let (free, norm) = distance(Clip::none());
    assert!((free - 0.5 * norm).abs() < 1e-12 * free);
    let (clipped, same_norm) = distance(Clip::none().with_norm(0.01).unwrap());
    // The trace holds the norm before clipping.
    assert_eq!(norm, same_norm);
    assert!((clipped - 0.5 * 0.01).abs() < 1e-12, "{clipped}");
}

#[test]
fn early_stopping_needs_a_validation_set() {
    let data = digits(50);
    let early_stopping = Some(Criterion::Patience { epochs: 2, min_delta: 0.0 });
    let options = FitOptions { early_stopping, ..FitOptions::new(1, 50, 0) };
    let error = run(&small(), 0.1, &data, None, &options).fitted.unwrap_err().to_string();
    assert_eq!(error, "early_stopping: it needs a validation set to judge by");
}

#[test]
fn an_average_takes_the_place_of_the_parameters() {
    let (data, validation) = (digits(100), digits(60));
    let options = FitOptions { average: Some(0.9), ..FitOptions::new(3, 20, 0) };
    let averaged = run(&small(), 0.01, &data, Some(&validation), &options);
    // The same steps by hand.
    let plain = FitOptions::new(3, 20, 0);
    let mut average = Average::<f64>::exponential(0.9).unwrap();
    let mut tape = Tape::new();
    let model = small().build(&mut tape, &mut stream(0, Purpose::Init)).unwrap();
    let mut optimizer = Optimizer::new(Adam::default(), 0.01).unwrap();
    let mut batches = tapegrad::Batches::shuffled(100, 20, 0).unwrap();
    for epoch in 0..3 {
        for indices in batches.epoch(epoch) {
            tape.rewind();
            let x = tape.constant_with(indices.len(), 784, |to| data.gather(indices, to));
            let logits = model.forward(&mut tape, x, &mut Mode::evaluation());
            let labels: Vec<usize> = indices.iter().map(|i| data.labels().unwrap()[*i]).collect();
            let loss = tape.cross_entropy(logits, &labels);
            tape.zero_grad();
            tape.backward(loss);
            optimizer.step(&mut tape).unwrap();
            average.update(&tape);
        }
    }
    assert_eq!(averaged.tape.param_values(), average.values());
    // The steps themselves are those of a run without.
    let other = run(&small(), 0.01, &data, Some(&validation), &plain);
    assert_eq!(other.trace.epochs[2].train_loss, averaged.trace.epochs[2].train_loss);
    assert_ne!(other.trace.epochs[2].validation_loss, averaged.trace.epochs[2].validation_loss);
    let mut tape = averaged.tape;
    let after = evaluate(&averaged.model, &CrossEntropy::default(), &mut tape, &validation).unwrap();
    assert_eq!(Some(after.loss), averaged.trace.epochs[2].validation_loss);
}

/// With plain descent, λ/2·‖w‖² in the loss is a weight decay of λ.
#[test]
fn a_penalty_is_weight_decay_to_plain_descent() {
    let data = digits(100);
    let weights = small().build(&mut Tape::<f64>::new(), &mut stream(0, Purpose::Init)).unwrap();
    let count = weights.weights().len();
    let mut tape = Tape::<f64>::new();
    let model = small().build(&mut tape, &mut stream(0, Purpose::Init)).unwrap();
    let penalty = Some(Penalty { lambda: 0.1, params: model.weights() });
    assert_eq!(count, 2);
    let options = FitOptions { penalty, ..FitOptions::new(2, 20, 0) };
    let mut optimizer = Optimizer::new(Sgd, 0.05).unwrap();
    let loss = CrossEntropy::default();
    let history = fit(&model, &loss, &mut tape, &mut optimizer, &data, None, &options, &mut []).unwrap();

    let mut other = Tape::<f64>::new();
    let model = small().build(&mut other, &mut stream(0, Purpose::Init)).unwrap();
    let no_decay = tapegrad::optim::Group::new(model.biases(&other)).with_weight_decay(0.0).unwrap();
    let optimizer = Optimizer::new(Sgd, 0.05).unwrap().with_weight_decay(0.1).unwrap();
    let mut optimizer = optimizer.with_group(no_decay).unwrap();
    let options = FitOptions::new(2, 20, 0);
    let again = fit(&model, &loss, &mut other, &mut optimizer, &data, None, &options, &mut []).unwrap();
    let pairs = tape.param_values().iter().zip(other.param_values());
    assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) < 1e-13);
    assert!((history.epochs[1].train_loss - again.epochs[1].train_loss).abs() < 1e-12);
}

/// Features of which one sample overflows what it touches.
fn with_an_infinite_sample() -> Dataset {
    let mut x: Vec<f64> = (0..40).map(|i| f64::from(i % 7) - 3.0).collect();
    x[12] = 1e308;
    x[13] = 1e308;
    let labels: Vec<usize> = (0..20).map(|i| i % 2).collect();
    Dataset::new(x, 2).unwrap().with_labels(&labels, 2).unwrap()
}

#[test]
fn steps_without_a_finite_gradient_are_skipped_and_counted() {
    let data = with_an_infinite_sample();
    for norm in [Norm::None, Norm::Batch] {
        let form = Mlp { norm, init: Init::HeNormal, ..Mlp::new(&[2, 4, 2], Activation::Relu) };
        let mut options = FitOptions::new(3, 4, 0);
        let error = run(&form, 0.01, &data, None, &options).fitted.unwrap_err().to_string();
        assert!(error.starts_with("epoch 1, step "), "{error}");
        options.clip = Clip::none().with_non_finite(NonFinite::Skip);
        let run = run(&form, 0.01, &data, None, &options);
        assert_eq!(run.fitted.unwrap().skipped, 3, "{norm}");
        assert_eq!(run.optimizer.steps(), 12);
        assert!(run.tape.param_values().iter().all(|x| x.is_finite()), "{norm}");
    }
}

/// One feature, 20 samples, of which one has a loss beyond the numbers and a finite gradient.
fn with_an_infinite_loss() -> Dataset {
    let mut x = vec![0.0; 20];
    x[6] = 1e200;
    Dataset::new(x, 1).unwrap().with_targets(vec![0.0; 20], 1).unwrap()
}

fn a_line() -> Mlp {
    let plain = Mlp::new(&[1, 1], Activation::Relu);
    Mlp { init: Init::Constant(1.0), ..plain }
}

/// Counts the steps that it is shown.
struct Steps(usize);

impl Observer<f64> for Steps {
    fn step(&mut self, _: &mut Training<'_, f64>) -> Result<()> {
        self.0 += 1;
        Ok(())
    }
}

#[test]
fn a_step_whose_loss_is_not_finite_is_skipped_too() {
    let clip = Clip::none().with_non_finite(NonFinite::Skip);
    let options = FitOptions { clip, ..FitOptions::new(1, 4, 0) };
    let mut tape = Tape::<f64>::new();
    let model = a_line().build(&mut tape, &mut stream(0, Purpose::Init)).unwrap();
    let mut optimizer = Optimizer::new(Sgd, 0.0).unwrap();
    let mut steps = Steps(0);
    let data = with_an_infinite_loss();
    let loss = loss::MeanSquaredError;
    let observers: &mut [&mut dyn Observer<f64>] = &mut [&mut steps];
    let history = fit(&model, &loss, &mut tape, &mut optimizer, &data, None, &options, observers).unwrap();
    assert_eq!(history.skipped, 1);
    // Shown all the same, so that a run of such steps can be ended.
    assert_eq!((steps.0, optimizer.steps()), (5, 4));
    assert_eq!(history.epochs[0].train_loss, 0.0);
}

/// What a batch normalisation has taken in from a step is taken back with the step.
#[test]
fn a_skipped_step_leaves_the_statistics_as_they_were() {
    // Every batch of ones has mean 1 and variance 0; the one with the other sample has not.
    let (mut x, mut targets) = (vec![1.0; 20], vec![0.0; 20]);
    (x[6], targets[6]) = (1000.0, 1e200);
    let data = Dataset::new(x, 1).unwrap().with_targets(targets, 1).unwrap();
    let plain = Mlp::new(&[1, 3, 1], Activation::Relu);
    let form = Mlp { norm: Norm::Batch, init: Init::Constant(1.0), ..plain };
    let clip = Clip::none().with_non_finite(NonFinite::Skip);
    for (batch, taken) in [(4, 4), (20, 0)] {
        let options = FitOptions { clip, ..FitOptions::new(1, batch, 0) };
        let run = run_with(&form, Optimizer::new(Sgd, 0.0).unwrap(), &data, None, &options);
        assert_eq!(run.fitted.ok().map(|fitted| fitted.skipped), (taken > 0).then_some(1));
        let running = run.tape.params().find(|p| !run.tape.is_trained(*p)).unwrap();
        let kept = 0.9f64.powi(taken);
        for (i, found) in run.tape.value_slice(running).iter().enumerate() {
            let expected = if i < 3 { 1.0 - kept } else { kept };
            assert!((found - expected).abs() < 1e-12, "batches of {batch}: {found} at {i}, not {expected}");
        }
    }
}

/// The epoch is finished when its validation fails: it stays in the trace.
#[test]
fn an_epoch_whose_validation_fails_is_in_the_trace() {
    let train = Dataset::new(vec![0.0; 8], 1).unwrap().with_targets(vec![0.0; 8], 1).unwrap();
    let options = FitOptions::new(3, 4, 0);
    let run = run(&a_line(), 0.1, &train, Some(&with_an_infinite_loss()), &options);
    assert!(run.fitted.unwrap_err().to_string().contains("evaluation on 20 samples"));
    assert_eq!(run.trace.epochs.len(), 1);
    assert_eq!((run.trace.epochs[0].train_loss, run.trace.epochs[0].validation_loss), (0.0, None));
}

#[test]
fn an_epoch_of_which_every_step_is_skipped_is_an_error() {
    let data = with_an_infinite_sample();
    let clip = Clip::none().with_non_finite(NonFinite::Skip);
    let form = Mlp { init: Init::HeNormal, ..Mlp::new(&[2, 4, 2], Activation::Relu) };
    let options = FitOptions { clip, ..FitOptions::new(3, 20, 0) };
    let error = run(&form, 0.01, &data, None, &options).fitted.unwrap_err().to_string();
    assert!(error.starts_with("epoch 1: no step had a finite gradient"), "{error}");
}

#[test]
fn normalised_networks_learn_and_leave_out_a_last_batch_of_one() {
    let data = digits(401);
    for norm in [Norm::Batch, Norm::Layer] {
        let form = Mlp { norm, dropout: 0.1, ..Mlp::new(&[784, 32, 32, 10], Activation::Relu) };
        let run = run(&form, 0.01, &data, None, &FitOptions::new(8, 50, 0));
        run.fitted.unwrap();
        let steps = if norm == Norm::Batch { 8 * 8 } else { 8 * 9 };
        assert_eq!(run.optimizer.steps(), steps);
        // Chance is 0.1.
        assert!(run.trace.epochs[7].train_accuracy.unwrap() > 0.9, "{norm}");
        let mut tape = run.tape;
        let evaluation = evaluate(&run.model, &CrossEntropy::default(), &mut tape, &data).unwrap();
        assert!(evaluation.accuracy().unwrap() > 0.95, "{norm}: {:?}", evaluation.accuracy());
    }
}

#[test]
fn batch_norm_with_one_sample() {
    let form = Mlp { norm: Norm::Batch, ..small() };
    let options = FitOptions::new(1, 1, 0);
    let error = run(&form, 0.01, &digits(20), None, &options).fitted.unwrap_err().to_string();
    assert!(error.starts_with("batch: 1 is too small:") && error.ends_with("at least 2"), "{error}");
    let options = FitOptions::new(1, 10, 0);
    let error = run(&form, 0.01, &digits(1), None, &options).fitted.unwrap_err().to_string();
    assert!(error.ends_with("needs 2 samples to train on, not 1"), "{error}");
}

/// The same seed, the same masks; another one, others.
#[test]
fn dropout_comes_from_the_seed() {
    let data = digits(100);
    let form = Mlp { dropout: 0.5, ..small() };
    let losses = |seed| {
        let run = run(&form, 0.01, &data, None, &FitOptions::new(2, 100, seed));
        run.trace.epochs.iter().map(|e| e.train_loss).collect::<Vec<_>>()
    };
    // One batch holds all, so that the order is of no account but for rounding.
    assert_eq!(losses(3), losses(3));
    assert!((losses(3)[0] - losses(4)[0]).abs() > 1e-3);
}

/// The audit of two layers by hand, with a parameter that nothing reaches.
#[test]
fn an_audit_by_hand() {
    let mut tape = Tape::new();
    let w = tape.param_slice(2, 3, &[1.0, -1.0, -1.0, 2.0, -2.0, 30.0]);
    let lost = tape.param_slice(1, 1, &[1.0]);
    tape.set_name(w, "w");
    let mut optimizer = Optimizer::new(Sgd, 0.5).unwrap();
    let x = tape.constant_slice(2, 2, &[1.0, 1.0, 1.0, 0.0]);
    let h = tape.matmul(x, w); // 3 −3 29; 1 −1 −1
    let y = tape.relu(h);
    let s = tape.sigmoid(y); // 29 is flat; 0 is steep, 3 has 0.18 of the steepest
    let loss = tape.sum(s);
    tape.zero_grad();
    tape.backward(loss);
    let mut audit = Audit::before_step(&tape, loss);
    optimizer.step(&mut tape).unwrap();
    audit.after_step(&tape).unwrap();
    let slope = |x: f64| 1.0 / (1.0 + (-x).exp()) / (1.0 + x.exp());
    let (a, b) = (slope(3.0), slope(1.0));
    let norm = ((a + b).powi(2) + a * a).sqrt();
    let flow = &audit.params[0];
    assert!((flow.gradient_norm - norm).abs() < 1e-12, "{flow:?}");
    assert!((flow.update_ratio - 0.5 * norm / 911f64.sqrt()).abs() < 1e-12, "{flow:?}");
    assert_eq!(audit.without_path, [lost.to_string()]);
    let [relu, sigmoid] = &audit.activations[..] else { panic!("{audit:?}") };
    assert_eq!((relu.name.as_str(), relu.dead, relu.saturated), ("relu1", Some(1.0 / 3.0), None));
    assert_eq!((sigmoid.name.as_str(), sigmoid.dead, sigmoid.saturated), ("sigmoid1", None, Some(1.0 / 6.0)));
    let text = audit.to_string();
    assert!(
        text.contains("relu1: 33.3 % dead units") && text.contains("p1 has no path to the loss"),
        "{text}"
    );
}

/// Vanishing gradients, and their cure: at 30 layers of sigmoids the first layer's gradient all but
/// vanishes beside the last one's, and with batch normalisation it does not.
#[test]
fn gradients_vanish_through_sigmoids_and_normalisation_cures_it() {
    let ratio = |activation: Activation, depth: usize, norm: Norm| {
        let widths: Vec<usize> = [784].into_iter().chain([64].repeat(depth - 1)).chain([10]).collect();
        let mut tape = Tape::<f64>::new();
        let init = if activation == Activation::Relu { Init::HeNormal } else { Init::XavierUniform };
        let form = Mlp { norm, init, ..Mlp::new(&widths, activation) };
        let model = form.build(&mut tape, &mut stream(0, Purpose::Init)).unwrap();
        let data = digits(128);
        let rows: Vec<usize> = (0..128).collect();
        let x = tape.constant_with(128, 784, |to| data.gather(&rows, to));
        let logits = model.forward(&mut tape, x, &mut Mode::training(Place::default()));
        let labels: Vec<usize> = data.labels().unwrap().to_vec();
        let loss = tape.cross_entropy(logits, &labels);
        tape.backward(loss);
        let audit = Audit::before_step(&tape, loss);
        let of = |name: &str| audit.params.iter().find(|p| p.name == name).unwrap().gradient_norm;
        of("linear2.weight") / of(&format!("linear{depth}.weight"))
    };
    // σ' ≤ ¼: through every layer that widths keep, the gradient shrinks at least fourfold.
    let (five, ten, thirty) = (
        ratio(Activation::Sigmoid, 5, Norm::None),
        ratio(Activation::Sigmoid, 10, Norm::None),
        ratio(Activation::Sigmoid, 30, Norm::None),
    );
    assert!(ten < five * 0.25f64.powi(4) && thirty < ten * 0.25f64.powi(15), "{five:e} {ten:e} {thirty:e}");
    assert!(ratio(Activation::Sigmoid, 30, Norm::Batch) > 1e-3);
    // He's initialisation keeps ReLU networks within an order of magnitude or two without.
    assert!(ratio(Activation::Relu, 30, Norm::None) > 1e-2);
}

/// Weights that the very last step throws out have no loss to show it any more.
#[test]
fn weights_that_are_infinite_in_the_end() {
    let data = Dataset::new(vec![1.0; 4], 1).unwrap().with_targets(vec![1e30; 4], 1).unwrap();
    let options = FitOptions::new(1, 4, 0);
    let optimizer = Optimizer::new(Sgd, 1e290).unwrap();
    let message = run_with(&a_line(), optimizer, &data, None, &options).fitted.unwrap_err().to_string();
    assert!(
        message.starts_with("epoch 1: sgd: after step 1, linear1.weight (p0), 1×1, is inf at (0, 0)"),
        "{message}"
    );
}

/// What stays where it is to the last bit is named, and epochs in which all of it does are counted, whatever the
/// reason, and however short they are.
#[test]
fn what_does_not_move() {
    let data = digits(60);
    let unmoved = |lr: f64, epochs: usize, batch: usize, rate: Rate| {
        let options = FitOptions { rate, ..FitOptions::new(epochs, batch, 0) };
        let run = run_with(&small(), Optimizer::new(Sgd, lr).unwrap(), &data, None, &options);
        let fitted = run.fitted.unwrap();
        let names: Vec<String> = fitted.unmoved.iter().map(|p| run.tape.name(*p).to_string()).collect();
        (names.join(" "), fitted.idle_epochs)
    };
    for (epochs, batch) in [(5, 30), (20, 60), (3, 2)] {
        assert_eq!(unmoved(0.1, epochs, batch, Rate::Fixed), (String::new(), 0));
        // Biases begin at 0, and go to 10⁻³¹.
        assert_eq!(unmoved(1e-30, epochs, batch, Rate::Fixed), ("linear1.weight linear2.weight".into(), 0));
        assert_eq!(
            unmoved(0.0, epochs, batch, Rate::Fixed),
            ("linear1.weight linear1.bias linear2.weight linear2.bias".into(), epochs)
        );
    }
    assert_eq!(unmoved(0.0, 0, 30, Rate::Fixed), (String::new(), 0));
    // 30 steps an epoch: the first with a rate, the others without.
    let linear = tapegrad::optim::schedule::Linear::new(0.1, 0.0, 30).unwrap();
    assert_eq!(unmoved(0.1, 4, 2, Rate::Schedule(Arc::new(linear))), (String::new(), 3));
}

/// Settings of a run that are numbers of `f64` and none of `f32`, before the first step.
#[test]
fn settings_of_a_run_in_the_type_of_the_tape() {
    let data = digits(20);
    let plain = || FitOptions::new(1, 10, 0);
    let cases: [(FitOptions, &str); 5] = [
        (
            FitOptions { clip: Clip::none().with_value(1e-50).unwrap(), ..plain() },
            "clip_value: 1e-50 is 0 as f32",
        ),
        (
            FitOptions { clip: Clip::none().with_norm(1e39).unwrap(), ..plain() },
            "clip_norm: 1e39 is not positive",
        ),
        (FitOptions { average: Some(0.99999999999), ..plain() }, "decay: 0.99999999999 is 1 as f32"),
        (
            FitOptions { penalty: Some(Penalty { lambda: 1e-50, params: vec![] }), ..plain() },
            "l2: 1e-50 is 0 as f32",
        ),
        (
            FitOptions { penalty: Some(Penalty { lambda: 1e39, params: vec![] }), ..plain() },
            "l2: 1e39 is not finite (as f32) and at least 0",
        ),
    ];
    for (options, expected) in cases {
        let mut tape = Tape::<f32>::default();
        let model = small().build(&mut tape, &mut stream(0, Purpose::Init)).unwrap();
        let mut optimizer = Optimizer::<f32>::new(Sgd, 0.1).unwrap();
        let loss = CrossEntropy::default();
        let fitted = fit(&model, &loss, &mut tape, &mut optimizer, &data, None, &options, &mut []);
        let message = fitted.unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
        assert_eq!(optimizer.steps(), 0);
        // And none of these is a matter of f64.
        run(&small(), 0.1, &data, None, &options).fitted.unwrap();
    }
    let loss = CrossEntropy::default().with_smoothing(0.99999999999).unwrap();
    let message = Loss::<f32>::outputs(&loss, &data).unwrap_err().to_string();
    assert!(message.starts_with("smoothing: 0.99999999999 is 1 as f32"), "{message}");
    assert_eq!(Loss::<f64>::outputs(&loss, &data).unwrap(), 10);
    for (form, expected) in [
        (Mlp { dropout: 1e-50, ..small() }, "dropout: 1e-50 is 0 as f32"),
        (Mlp { init: Init::Constant(1e39), ..small() }, "init: 1e39 is not finite (as f32)"),
        (Mlp { init: Init::Constant(1e-50), ..small() }, "init: 1e-50 is 0 as f32"),
    ] {
        let rng = &mut stream(0, Purpose::Init);
        let message = form.build(&mut Tape::<f32>::default(), rng).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
        form.build(&mut Tape::<f64>::default(), rng).unwrap();
    }
}
