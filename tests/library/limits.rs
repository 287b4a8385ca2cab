//! Optimizers and runs at the limits of the numbers, settings that one type has and the other has not, and tapes
//! that are not those of the first step.

use std::sync::Arc;

use tapegrad::data::Dataset;
use tapegrad::linalg::with_threads;
use tapegrad::models::Mlp;
use tapegrad::nn::loss::CrossEntropy;
use tapegrad::nn::{Activation, Init, ModuleExt};
use tapegrad::optim::schedule::{Constant, Schedule, StepDecay};
use tapegrad::optim::{
    AdaGrad, Adam, AdamW, Clip, Group, Momentum, Nesterov, NonFinite, Optimizer, RmsProp, Rule, Sgd, Step,
    find,
};
use tapegrad::rng::{Purpose, stream};
use tapegrad::train::{FitOptions, History, Observer, Rate, Recorder, Stop, fit};
use tapegrad::{Error, Float, Param, Result, Tape};

use crate::helpers::three_params;

/// A slot of more than one block, and the last of one number: 2·8192 + 1.
const LONG: usize = 16_385;

fn long_tape() -> (Tape, Param) {
    let mut tape = Tape::new();
    let w = tape.param_with(1, LONG, |to| {
        to.iter_mut().enumerate().for_each(|(i, x)| *x = (i as f64 * 0.7).sin());
    });
    tape.param_grads_mut().iter_mut().enumerate().for_each(|(i, g)| *g = (i as f64 * 0.3).cos());
    (tape, w)
}

/// Another tape of the same shapes would go on with the momentum of the first.
#[test]
#[should_panic(expected = "momentum: this tape is another than at the first step, whose 1 step it remembers")]
fn another_tape_of_the_same_shapes() {
    let ((mut first, _), (mut second, _)) = (three_params::<f64>(), three_params::<f64>());
    let mut optimizer = Optimizer::new(Momentum::default(), 0.1).unwrap();
    optimizer.step(&mut first).unwrap();
    optimizer.step(&mut second).unwrap();
}

/// Found by its index, a parameter of another tape would be in no group at all.
#[test]
#[should_panic(
    expected = "sgd: the p2 that is in a group belongs to another tape than this one, whose p2 is p2, 1×3"
)]
fn a_group_of_another_tape_of_the_same_shapes() {
    let ((mut first, _), (_, [.., bias])) = (three_params::<f64>(), three_params::<f64>());
    let group = Group::new([bias]).with_weight_decay(0.0).unwrap();
    let mut optimizer = Optimizer::new(Sgd, 0.1).unwrap().with_group(group).unwrap();
    optimizer.step(&mut first).unwrap();
}

#[test]
#[should_panic(expected = "sgd: the p2 that is in a group belongs to another tape")]
fn a_reset_does_not_move_groups_to_another_tape() {
    let ((mut first, [.., bias]), (mut second, _)) = (three_params::<f64>(), three_params::<f64>());
    let group = Group::new([bias]).with_weight_decay(0.0).unwrap();
    let mut optimizer = Optimizer::new(Sgd, 0.1).unwrap().with_group(group).unwrap();
    optimizer.step(&mut first).unwrap();
    optimizer.reset();
    optimizer.step(&mut second).unwrap();
}

#[test]
#[should_panic(expected = "sgd: the p2 that is in a group belongs to another tape")]
fn a_state_does_not_move_groups_to_another_tape() {
    let ((_, [.., bias]), (second, _)) = (three_params::<f64>(), three_params::<f64>());
    let mut optimizer = Optimizer::<f64>::new(Sgd, 0.1).unwrap().with_group(Group::new([bias])).unwrap();
    let _ = optimizer.restore(&second, 3, &[]);
}

/// On its own tape the groups are there after a reset, and without groups any tape will do.
#[test]
fn a_reset_forgets_the_tape_but_not_the_groups() {
    let (mut first, [.., bias]) = three_params::<f64>();
    first.zero_grad();
    let before = first.value_slice(bias).to_vec();
    let group = Group::new([bias]).with_weight_decay(0.0).unwrap();
    let mut optimizer =
        Optimizer::new(Sgd, 0.1).unwrap().with_weight_decay(0.5).unwrap().with_group(group).unwrap();
    for _ in 0..2 {
        optimizer.step(&mut first).unwrap();
        optimizer.reset();
    }
    assert_eq!(first.value_slice(bias), before);
    assert_ne!(first.param_values()[0], three_params::<f64>().0.param_values()[0]);

    let mut optimizer = Optimizer::new(Momentum::default(), 0.1).unwrap();
    let ends = [(); 2].map(|()| {
        let (mut tape, _) = three_params::<f64>();
        optimizer.step(&mut tape).unwrap();
        optimizer.step(&mut tape).unwrap();
        optimizer.reset();
        tape.param_values().to_vec()
    });
    assert_eq!(ends[0], ends[1]);
}

/// w² from 5 with one gradient that is `spike` times too large, in the fourth step: w after each step.
fn with_a_spike(mut optimizer: Optimizer<f32>, spike: f32, steps: usize) -> Vec<f64> {
    let mut tape = Tape::<f32>::default();
    let w = tape.param_slice(1, 1, &[5.0]);
    let mut found = Vec::new();
    for step in 1..=steps {
        tape.param_grads_mut()[0] = 2.0 * tape.item(w) * if step == 4 { spike } else { 1.0 };
        optimizer.step(&mut tape).unwrap();
        found.push(f64::from(tape.item(w)));
    }
    found
}

/// A square that is no `f32` and a mean of squares that is one: training goes on. Figures of the formulas in
/// `f64`; PyTorch's Adam, whose products are in an order that holds them, comes to 4.1773386.
#[test]
fn a_gradient_whose_square_is_no_number() {
    let check = |optimizer: Optimizer<f32>, spike: f32, expected: &[(usize, f64)]| {
        let name = optimizer.to_string();
        let found = with_a_spike(optimizer, spike, expected[expected.len() - 1].0);
        for (step, expected) in expected {
            let found = found[step - 1];
            assert!((found - expected).abs() < 2e-5, "{name}: {found} after step {step}, not {expected}");
        }
    };
    let adam = [
        (3, 4.700213291333392),
        (4, 4.642100455114196),
        (20, 4.273512709690055),
        (100, 4.177376232129732),
        (1000, 4.177337040480975),
    ];
    check(Optimizer::new(Adam::default(), 0.1).unwrap(), 1e19, &adam);
    let adamw =
        [(3, 4.685539907506529), (4, 4.622741531379827), (100, 3.772719177598474), (300, 3.0884997166907064)];
    let optimizer = Optimizer::new(AdamW::default(), 0.1).unwrap();
    check(optimizer.with_weight_decay(0.01).unwrap(), 1e19, &adamw);
    let rmsprop = [(3, 4.279288725609528), (4, 3.9630609595926902), (500, 3.9630605358162536)];
    check(Optimizer::new(RmsProp::default(), 0.1).unwrap(), 3e18, &rmsprop);
}

/// The powers of two that hold the squares change no bit of an ordinary step.
#[test]
fn ordinary_steps_have_the_bits_of_the_formulas() {
    let (lr, rho, beta1, beta2, eps) = (0.01f32, 0.9f32, 0.9f32, 0.999f32, 1e-8f32);
    let mut tape = Tape::<f32>::default();
    let w = tape.param_with(1, 100, |to| to.fill(1.0));
    let mut other = Tape::<f32>::default();
    let u = other.param_with(1, 100, |to| to.fill(1.0));
    let mut adam = Optimizer::new(Adam::default(), 0.01).unwrap();
    let mut rmsprop = Optimizer::new(RmsProp::default(), 0.01).unwrap();
    let mut state = [[1.0f32, 0.0, 0.0, 1.0, 0.0]; 100];
    for step in 1..=3000 {
        let [c1, c2] = [0.9f64, 0.999].map(|beta| (1.0 / (1.0 - Float::powf(beta, f64::from(step)))) as f32);
        for (i, [x, m, v, y, r]) in state.iter_mut().enumerate() {
            // From 10⁻¹² to 10¹², of both signs.
            let g = 10f32.powf(i as f32 * 0.24 - 12.0) * ((i * 7 + step as usize) as f32 * 0.3).sin();
            (tape.param_grads_mut()[i], other.param_grads_mut()[i]) = (g, g);
            *m = beta1 * *m + (1.0 - 0.9f64) as f32 * g;
            *v = beta2 * *v + (1.0 - 0.999f64) as f32 * (g * g);
            *x -= lr * (c1 * *m) / ((c2 * *v).sqrt() + eps);
            *r = rho * *r + (1.0 - 0.9f64) as f32 * (g * g);
            *y -= lr * g / (*r + eps).sqrt();
        }
        adam.step(&mut tape).unwrap();
        rmsprop.step(&mut other).unwrap();
        for (i, [x, _, v, y, r]) in state.iter().enumerate() {
            assert_eq!((tape.value_slice(w)[i], adam.state()[100 + i]), (*x, *v), "adam, step {step}, {i}");
            assert_eq!((other.value_slice(u)[i], rmsprop.state()[i]), (*y, *r), "rmsprop, step {step}, {i}");
        }
    }
}

/// Sums of squares that are no `f32` at all: an error in that step, and in each after it, and not a parameter
/// that stays where it is for ever.
#[test]
fn a_state_that_cannot_be_held_is_an_error() {
    for name in ["adagrad", "rmsprop", "adam", "adamw"] {
        let (mut tape, [a, ..]) = three_params::<f32>();
        tape.set_name(a, "w1");
        let mut optimizer = find::<f32>(name).unwrap().optimizer(None).unwrap();
        for _ in 0..2 {
            optimizer.step(&mut tape).unwrap();
            optimizer.check_finite(&tape).unwrap();
        }
        tape.param_grads_mut()[40] = -1e25;
        let message = optimizer.step(&mut tape).unwrap_err().to_string();
        let expected = format!(
            "{name}: after step 3, what it remembers of w1 (p0), 7×11, is inf, and stays so: it would"
        );
        assert!(message.starts_with(&expected) && message.contains("f64"), "{message}");
        tape.param_grads_mut().fill(0.5);
        assert!(matches!(optimizer.step(&mut tape), Err(Error::NonFinite(_))), "{name}");
        assert!(matches!(optimizer.check_finite(&tape), Err(Error::NonFinite(_))), "{name}");
        // In double precision it is nothing special.
        let (mut tape, _) = three_params::<f64>();
        tape.param_grads_mut()[40] = -1e25;
        find::<f64>(name).unwrap().optimizer(None).unwrap().step(&mut tape).unwrap();
    }
}

/// The same in a long slot, whose blocks two threads look at.
#[test]
fn a_state_that_cannot_be_held_in_any_block() {
    for at in [0, 8191, 8192, LONG - 1] {
        let (mut tape, _) = long_tape();
        tape.param_grads_mut()[at] = 1e160;
        let mut optimizer = Optimizer::new(Adam::default(), 0.1).unwrap();
        let message = with_threads(2, || optimizer.step(&mut tape)).unwrap_err().to_string();
        assert!(message.contains("remembers of p0, 1×16385, is inf"), "{message}");
    }
}

/// Where the parameters themselves leave the numbers that is seen without: it is told when one asks, and every
/// 64 steps.
#[test]
fn parameters_that_leave_the_numbers() {
    for name in ["sgd", "momentum", "nesterov"] {
        let (mut tape, _) = three_params::<f32>();
        tape.param_grads_mut().fill(3e38);
        let mut optimizer = find::<f32>(name).unwrap().optimizer(Some(1.0)).unwrap();
        let first = (1..=64).find(|_| optimizer.step(&mut tape).is_err());
        assert_eq!(first, Some(64), "{name}");
        let message = optimizer.check_finite(&tape).unwrap_err().to_string();
        let expected = format!("{name}: after step 64, p0, 7×11, is NaN at (0, 0); a smaller");
        assert!(message.starts_with(&expected), "{message}");
    }
    let (mut tape, _) = three_params::<f32>();
    let mut optimizer = Optimizer::new(Adam::default(), 0.1).unwrap();
    tape.param_grads_mut()[12] = f32::NAN;
    let message = optimizer.step(&mut tape).unwrap_err().to_string();
    assert!(
        message.starts_with("adam: after step 1, the gradient of p0, 7×11, was NaN at (1, 1)"),
        "{message}"
    );
}

/// Divides by what it remembers, and does not look at it.
struct Careless;

impl Rule<f32> for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn buffers(&self) -> usize {
        1
    }

    fn update(&self, step: &Step, values: &mut [f32], grads: &[f32], state: &mut [f32]) {
        for ((x, g), s) in values.iter_mut().zip(grads).zip(state) {
            *s += g * g;
            *x -= step.lr as f32 * g / s.sqrt();
        }
    }
}

#[test]
fn the_state_of_a_rule_of_ones_own_is_looked_at_now_and_then() {
    let mut tape = Tape::<f32>::default();
    tape.param_slice(1, 2, &[1.0; 2]);
    tape.param_grads_mut().fill(1e30);
    let mut optimizer = Optimizer::new(Careless, 0.1).unwrap();
    optimizer.step(&mut tape).unwrap();
    assert!(optimizer.check_finite(&tape).is_err());
    let message = (0..63).find_map(|_| optimizer.step(&mut tape).err()).unwrap().to_string();
    assert!(
        message.starts_with("careless: after step 64, what it remembers of p0, 1×2, is inf"),
        "{message}"
    );
}

/// Corrections at the largest number of steps, and one more.
#[test]
fn the_last_step_that_can_be_counted() {
    let (mut tape, _) = three_params::<f64>();
    let mut optimizer = Optimizer::new(Adam::default(), 0.1).unwrap();
    optimizer.restore(&tape, u64::MAX - 1, &[1.0; 160]).unwrap();
    for _ in 0..2 {
        optimizer.step(&mut tape).unwrap();
        assert_eq!(optimizer.steps(), u64::MAX);
    }
    optimizer.check_finite(&tape).unwrap();
}

/// Settings that are numbers of `f64` and, as an `f32`, 0, 1 or infinite.
#[test]
fn settings_in_the_type_of_the_tape() {
    fn both(rule: impl Rule<f32> + Rule<f64> + Clone + 'static, lr: f64) -> String {
        Optimizer::<f64>::new(rule.clone(), lr).unwrap();
        Optimizer::<f32>::new(rule, lr).unwrap_err().to_string()
    }
    let starts = |message: String, expected: &str| assert!(message.starts_with(expected), "{message}");
    starts(both(Sgd, 1e-50), "lr: 1e-50 is 0 as f32");
    starts(both(Sgd, 1e39), "lr: 1e39 is not finite (as f32)");
    starts(both(Momentum::new(0.99999999999).unwrap(), 0.1), "beta: 0.99999999999 is 1 as f32");
    starts(both(Nesterov::new(0.99999999999).unwrap(), 0.1), "beta: 0.99999999999 is 1 as f32");
    starts(both(Momentum::new(1e-50).unwrap(), 0.1), "beta: 1e-50 is 0 as f32");
    starts(both(RmsProp::new(0.99999999, 1e-8).unwrap(), 0.1), "rho: 0.99999999 is 1 as f32");
    starts(both(RmsProp::new(0.9, 1e39).unwrap(), 0.1), "eps: 1e39 is not finite (as f32)");
    starts(both(AdaGrad::new(1e300).unwrap(), 0.1), "eps: 1e300 is not finite (as f32)");
    starts(both(Adam::new(0.99999999999, 0.999, 1e-8).unwrap(), 0.1), "beta1: 0.99999999999 is 1 as f32");
    starts(both(Adam::new(0.9, 0.99999999999, 1e-8).unwrap(), 0.1), "beta2: 0.99999999999 is 1 as f32");
    starts(both(AdamW::new(0.9, 0.99999999999, 1e-8).unwrap(), 0.1), "beta2: 0.99999999999 is 1 as f32");
    starts(both(AdamW::new(0.9, 0.999, 1e39).unwrap(), 0.1), "eps: 1e39 is not finite (as f32)");

    let optimizer = || Optimizer::<f32>::new(Sgd, 0.1).unwrap();
    starts(optimizer().with_weight_decay(1e-50).unwrap_err().to_string(), "weight_decay: 1e-50 is 0 as f32");
    let mut moved = optimizer();
    starts(moved.set_lr(1e-50).unwrap_err().to_string(), "lr: 1e-50 is 0 as f32");
    assert_eq!(moved.lr(), 0.1);
    let (_, [a, ..]) = three_params::<f32>();
    let mut scaled = optimizer().with_group(Group::new([a]).with_lr_scale(1e-30).unwrap()).unwrap();
    let message = scaled.set_lr(1e-30).unwrap_err().to_string();
    assert_eq!(message, "lr: 1e-30 times the group's lr_scale 1e-30 is 0 as f32");
    // A zero that is meant is none to complain of.
    moved.set_lr(0.0).unwrap();
    scaled.set_lr(0.0).unwrap();
    let _ = optimizer().with_group(Group::new([a]).with_lr_scale(0.0).unwrap()).unwrap();
}

#[test]
#[should_panic(expected = "lr\", why: \"the group's own 1e-50 is 0 as f32")]
fn a_rate_of_a_group_that_is_zero() {
    let _ =
        Optimizer::<f32>::new(Sgd, 0.1).unwrap().with_group(Group::new([]).with_lr(1e-50).unwrap()).unwrap();
}

/// Two classes on either side of a line, with features of size `scale`.
fn line(scale: f64) -> Dataset {
    let x: Vec<f64> = (0..80).map(|i| scale * (f64::from(i % 7) - 3.0)).collect();
    let labels: Vec<usize> = (0..40).map(|i| usize::from(x[2 * i] > x[2 * i + 1])).collect();
    Dataset::new(x, 2).unwrap().with_labels(&labels, 2).unwrap()
}

/// A line through features of size `scale`, in `f32`: how the run ends, its trace, and whether it moved.
fn large_features(scale: f64, optimizer: &str, options: &FitOptions) -> (Result<History>, Recorder, bool) {
    let data = line(scale);
    let mut tape = Tape::<f32>::default();
    let form = Mlp { init: Init::Zeros, ..Mlp::new(&[2, 2], Activation::Relu) };
    let model = form.build(&mut tape, &mut stream(0, Purpose::Init)).unwrap();
    let before = tape.value_slice(model.weights()[0]).to_vec();
    let mut optimizer = find::<f32>(optimizer).unwrap().optimizer(None).unwrap();
    let (loss, mut trace) = (CrossEntropy::default(), Recorder::default());
    let observers: &mut [&mut dyn Observer<f32>] = &mut [&mut trace];
    let fitted = fit(&model, &loss, &mut tape, &mut optimizer, &data, None, options, observers);
    let moved = tape.value_slice(model.weights()[0]) != before;
    (fitted, trace, moved)
}

/// Squares of 10²⁰ are no `f32`: Adam trains all the same, and whatever cannot says so.
#[test]
fn features_whose_squares_are_no_numbers() {
    let options = FitOptions::new(20, 10, 0);
    for name in ["adam", "adamw"] {
        let (fitted, trace, moved) = large_features(1e20, name, &options);
        assert_eq!(fitted.unwrap().stop, Stop::Finished, "{name}");
        assert!(moved, "{name}");
        assert!(trace.epochs.last().unwrap().train_accuracy.unwrap() > 0.9, "{name}");
    }
    for (scale, name) in [(1e20, "adagrad"), (1e22, "rmsprop"), (1e25, "adam"), (1e25, "adamw")] {
        let (fitted, trace, _) = large_features(scale, name, &options);
        let message = fitted.unwrap_err().to_string();
        let expected = format!(
            "epoch 1, step 1: {name}: after step 1, what it remembers of linear1.weight (p0), 2×2, is inf"
        );
        assert!(message.starts_with(&expected), "{message}");
        assert!(trace.epochs.is_empty());
        // Skipping steps does not mend what is remembered.
        let clip = Clip::none().with_non_finite(NonFinite::Skip);
        let skipping = FitOptions { clip, ..FitOptions::new(20, 10, 0) };
        assert!(large_features(scale, name, &skipping).0.is_err());
        // Clipping does: its norm is worked out where it is a number.
        let clip = Clip::none().with_norm(1.0).unwrap();
        let clipped = FitOptions { clip, ..FitOptions::new(20, 10, 0) };
        let (fitted, _, moved) = large_features(scale, name, &clipped);
        assert!(fitted.is_ok() && moved, "{name}");
    }
}

/// A rate that was asked for and is 0 as an `f32` is an error; one that a schedule comes to is 0.
#[test]
fn rates_that_are_too_small_for_the_type() {
    let data = line(1.0);
    let fitted = |schedule: Arc<dyn Schedule>| {
        let mut tape = Tape::<f32>::default();
        let model =
            Mlp::new(&[2, 2], Activation::Relu).build(&mut tape, &mut stream(0, Purpose::Init)).unwrap();
        let mut optimizer = Optimizer::<f32>::new(Sgd, 0.1).unwrap();
        let options = FitOptions { rate: Rate::Schedule(schedule), ..FitOptions::new(2, 1, 0) };
        let (loss, mut trace) = (CrossEntropy::default(), Recorder::default());
        let observers: &mut [&mut dyn Observer<f32>] = &mut [&mut trace];
        let fitted = fit(&model, &loss, &mut tape, &mut optimizer, &data, None, &options, observers);
        (fitted, trace)
    };
    let message = fitted(Arc::new(Constant::new(1e-50).unwrap())).0.unwrap_err().to_string();
    assert!(message.starts_with("lr: 1e-50 is 0 as f32"), "{message}");
    let (fitted, trace) = fitted(Arc::new(StepDecay::new(0.1, 1e-3, 1).unwrap()));
    assert_eq!(fitted.unwrap().idle_epochs, 1);
    assert_eq!(trace.epochs[0].lr, 0.0);
}

#[test]
fn a_state_that_is_not_finite_is_not_put_back() {
    let (tape, _) = three_params::<f64>();
    let mut optimizer = Optimizer::<f64>::new(Momentum::default(), 0.1).unwrap();
    let mut state = vec![0.0; 80];
    state[7] = f64::INFINITY;
    let error = optimizer.restore(&tape, 3, &state).unwrap_err();
    assert!(matches!(error, Error::NonFinite(_)));
    assert_eq!(error.to_string(), "momentum: the state to restore holds inf at number 7");
    assert_eq!(optimizer.steps(), 0);
}
