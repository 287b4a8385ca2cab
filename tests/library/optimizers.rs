//! What all optimizers share: groups, decay, the state in the arena's layout, settings, and the table.

use tapegrad::linalg::{norm_squared, with_threads};
use tapegrad::optim::{
    AdaGrad, Adam, AdamW, Group, Momentum, Nesterov, Optimizer, RmsProp, Rule, Sgd, Step, find, optimizers,
};
use tapegrad::{Error, Param, Tape};

use crate::helpers::three_params;

/// Every entry is updated by its own gradient and state only: a slot of 77 gives the same as 77 slots.
#[test]
fn entries_do_not_depend_on_their_neighbours() {
    for entry in optimizers::<f64>() {
        let (mut whole, _) = three_params::<f64>();
        let mut single = Tape::new();
        for x in whole.param_values().to_vec() {
            single.param_slice(1, 1, &[x]);
        }
        let mut on_whole = entry.optimizer(Some(0.05)).unwrap().with_weight_decay(0.2).unwrap();
        let mut on_single = entry.optimizer(Some(0.05)).unwrap().with_weight_decay(0.2).unwrap();
        for step in 0..5 {
            whole.param_grads_mut().iter_mut().for_each(|g| *g = (*g + 0.1 * step as f64).cos());
            single.param_grads_mut().copy_from_slice(whole.param_grads());
            on_whole.step(&mut whole).unwrap();
            on_single.step(&mut single).unwrap();
            assert_eq!(whole.param_values(), single.param_values(), "{} at step {step}", entry.name);
        }
    }
}

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

/// Blocks and threads change nothing: a long slot gives the same as its numbers one by one.
#[test]
fn a_long_slot_is_updated_as_its_numbers_are() {
    for entry in optimizers::<f64>() {
        let (mut whole, _) = long_tape();
        let mut single = Tape::new();
        for x in whole.param_values() {
            single.param_slice(1, 1, &[*x]);
        }
        let mut on_whole = entry.optimizer(Some(0.05)).unwrap().with_weight_decay(0.2).unwrap();
        let mut on_single = entry.optimizer(Some(0.05)).unwrap().with_weight_decay(0.2).unwrap();
        for step in 0..3 {
            whole.param_grads_mut().iter_mut().for_each(|g| *g = (*g + 0.1 * step as f64).cos());
            single.param_grads_mut().copy_from_slice(whole.param_grads());
            with_threads(2, || on_whole.step(&mut whole)).unwrap();
            on_single.step(&mut single).unwrap();
            assert_eq!(whole.param_values(), single.param_values(), "{} at step {step}", entry.name);
        }
    }
}

/// The layout that `Optimizer::state` documents.
#[test]
fn the_state_stands_in_blocks() {
    let (mut tape, _) = long_tape();
    let grads = tape.param_grads().to_vec();
    let mut optimizer = Optimizer::new(Adam::new(0.5, 0.75, 1e-8).unwrap(), 0.1).unwrap();
    optimizer.step(&mut tape).unwrap();
    let mut expected = Vec::new();
    for block in grads.chunks(8192) {
        expected.extend(block.iter().map(|g| 0.5 * g));
        expected.extend(block.iter().map(|g| 0.25 * (g * g)));
    }
    assert_eq!(optimizer.state(), expected);
}

/// θ ← θ − ηg/‖g‖ with the norm over the slot; remembers g, and behind all of them −g.
struct Normalized;

impl Rule<f64> for Normalized {
    fn name(&self) -> &'static str {
        "normalized"
    }

    fn buffers(&self) -> usize {
        2
    }

    fn splits(&self) -> bool {
        false
    }

    fn update(&self, step: &Step, values: &mut [f64], grads: &[f64], state: &mut [f64]) {
        let factor = step.lr / norm_squared(grads).sqrt();
        let (first, second) = state.split_at_mut(values.len());
        for (((x, g), a), b) in values.iter_mut().zip(grads).zip(first).zip(second) {
            *x -= factor * g;
            (*a, *b) = (*g, -g);
        }
    }
}

#[test]
fn a_rule_that_needs_the_whole_slot_gets_it() {
    let (mut tape, _) = long_tape();
    let (before, grads) = (tape.param_values().to_vec(), tape.param_grads().to_vec());
    let factor = 0.5 / norm_squared(&grads).sqrt();
    let mut optimizer = Optimizer::new(Normalized, 0.5).unwrap();
    with_threads(2, || optimizer.step(&mut tape)).unwrap();
    let expected: Vec<f64> = before.iter().zip(&grads).map(|(x, g)| x - factor * g).collect();
    assert_eq!(tape.param_values(), expected);
    let (first, second) = optimizer.state().split_at(LONG);
    assert_eq!(first, grads);
    assert!(second.iter().zip(&grads).all(|(b, g)| *b == -g));
}

/// A step in single precision is that in double precision from the same place, up to roundings.
///
/// Values are of size 1 and steps below a tenth of it, which are worked out in some ten roundings: half
/// a unit for the value's own rounding, as much for those; twice that is allowed. The state's numbers
/// are sums of two or three terms of one sign or of their own size.
#[test]
fn single_precision_steps_as_double_precision_does() {
    let unit = f64::from(f32::EPSILON);
    for entry in optimizers::<f64>() {
        let (mut double, _) = three_params::<f64>();
        let (mut single, _) = three_params::<f32>();
        let mut on_double = entry.optimizer(Some(0.01)).unwrap().with_weight_decay(0.1).unwrap();
        let mut on_single =
            find::<f32>(entry.name).unwrap().optimizer(Some(0.01)).unwrap().with_weight_decay(0.1).unwrap();
        for step in 1..=50 {
            // Numbers that both types have.
            let grads: Vec<f32> = (0..80).map(|i| ((i * step) as f32 * 0.37).cos()).collect();
            single.param_grads_mut().copy_from_slice(&grads);
            double.param_grads_mut().iter_mut().zip(&grads).for_each(|(to, g)| *to = f64::from(*g));
            let values = single.param_values().to_vec();
            double.param_values_mut().iter_mut().zip(&values).for_each(|(to, x)| *to = f64::from(*x));
            let state: Vec<f64> = on_single.state().iter().map(|s| f64::from(*s)).collect();
            on_double.restore(&double, step - 1, &state).unwrap();

            on_single.step(&mut single).unwrap();
            on_double.step(&mut double).unwrap();
            for (a, b) in single.param_values().iter().zip(double.param_values()) {
                let error = (f64::from(*a) - b).abs();
                assert!(error <= 2.0 * unit * b.abs().max(1.0), "{}, step {step}: {a} but {b}", entry.name);
            }
            for (a, b) in on_single.state().iter().zip(on_double.state()) {
                let error = (f64::from(*a) - b).abs();
                assert!(error <= 2.0 * unit * b.abs().max(1.0), "{}, step {step}: {a} but {b}", entry.name);
            }
            assert_ne!(values, single.param_values());
        }
    }
}

/// A tape whose parameters are all empty, and one without any.
#[test]
fn nothing_to_do() {
    for entry in optimizers::<f64>() {
        let mut optimizer = entry.optimizer(None).unwrap();
        let mut tape = Tape::new();
        optimizer.step(&mut tape).unwrap();
        assert_eq!((optimizer.steps(), optimizer.state().len()), (1, 0));
        let mut optimizer = entry.optimizer(None).unwrap();
        tape.param_slice(0, 3, &[]);
        tape.param_slice(2, 0, &[]);
        optimizer.step(&mut tape).unwrap();
        optimizer.step(&mut tape).unwrap();
    }
}

/// The first step of AdaGrad is η·sign(g), and with a constant gradient step k is η/√k of it, since
/// s = kg²: all that up to ε = 10⁻¹⁰ against |g| ≥ 0.01.
#[test]
fn adagrad_under_a_constant_gradient() {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 3, &[0.0; 3]);
    tape.param_grads_mut().copy_from_slice(&[3.0, -0.01, 0.0]);
    let mut optimizer = Optimizer::new(AdaGrad::default(), 0.1).unwrap();
    let mut sum = 0.0;
    for k in 1..=50 {
        optimizer.step(&mut tape).unwrap();
        sum += 0.1 / f64::from(k).sqrt();
        for (x, expected) in tape.value_slice(w).iter().zip([-sum, sum, 0.0]) {
            assert!((x - expected).abs() <= 1e-8, "step {k}: {x} but {expected}");
        }
    }
}

/// Adam's first step is ηg/(|g| + ε) for every β: the corrections make the means those of one gradient.
#[test]
fn adam_corrects_its_bias() {
    for (beta1, beta2) in [(0.9, 0.999), (0.0, 0.0), (0.5, 0.99), (0.999, 0.9)] {
        let (mut tape, _) = three_params::<f64>();
        let before = tape.param_values().to_vec();
        let mut optimizer = Optimizer::new(Adam::new(beta1, beta2, 1e-3).unwrap(), 0.1).unwrap();
        optimizer.step(&mut tape).unwrap();
        for ((x, before), g) in tape.param_values().iter().zip(before).zip(tape.param_grads()) {
            let expected = before - 0.1 * g / (g.abs() + 1e-3);
            assert!((x - expected).abs() <= 1e-12, "{x} but {expected} with {beta1}, {beta2}");
        }
    }
}

/// Without gradients, coupled decay goes through the rule, and decoupled decay does not: AdamW shrinks
/// by the factor 1 − ηλ, Adam takes steps of about η whatever λ is.
#[test]
fn coupled_and_decoupled_decay() {
    let after = |name: &str, decay: f64| {
        let mut tape = Tape::new();
        let w = tape.param_slice(1, 1, &[2.0]);
        let mut optimizer =
            find(name).unwrap().optimizer(Some(0.1)).unwrap().with_weight_decay(decay).unwrap();
        optimizer.step(&mut tape).unwrap();
        tape.item(w)
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-7, "{a} but {b}");
    for decay in [0.5, 0.01] {
        near(after("sgd", decay), 2.0 - 0.1 * decay * 2.0);
        near(after("momentum", decay), 2.0 - 0.1 * decay * 2.0);
        near(after("nesterov", decay), 2.0 - 0.1 * 1.9 * decay * 2.0);
        near(after("adam", decay), 2.0 - 0.1);
        near(after("adagrad", decay), 2.0 - 0.1);
        near(after("adamw", decay), 2.0 * (1.0 - 0.1 * decay));
        let v = 0.1 * (2.0 * decay).powi(2);
        near(after("rmsprop", decay), 2.0 - 0.1 * decay * 2.0 / (v + 1e-8).sqrt());
    }
}

#[test]
fn groups_have_their_own_rate_and_decay() {
    let (mut tape, [a, empty, b]) = three_params::<f64>();
    let before = tape.param_values().to_vec();
    let grads = tape.param_grads().to_vec();
    let group = Group::new([b, empty]).with_lr_scale(0.25).unwrap().with_weight_decay(0.0).unwrap();
    let mut optimizer =
        Optimizer::new(Sgd, 0.1).unwrap().with_weight_decay(0.3).unwrap().with_group(group).unwrap();
    optimizer.set_lr(0.2).unwrap();
    optimizer.step(&mut tape).unwrap();
    for (i, x) in tape.value_slice(a).iter().enumerate() {
        assert_eq!(*x, before[i] - 0.2 * (grads[i] + 0.3 * before[i]));
    }
    for (i, x) in tape.value_slice(b).iter().enumerate() {
        assert_eq!(*x, before[77 + i] - 0.05 * grads[77 + i]);
    }
    // A group that says nothing about decay has the optimizer's.
    let (mut other, [first, ..]) = three_params::<f64>();
    let mut plain = Optimizer::new(Sgd, 0.2).unwrap().with_weight_decay(0.3).unwrap();
    plain = plain.with_group(Group::new([first])).unwrap();
    plain.step(&mut other).unwrap();
    assert_eq!(other.value_slice(first), tape.value_slice(a));
}

/// A group's own rate stays where a schedule moves that of the optimizer; the later setting counts.
#[test]
fn a_rate_of_its_own_is_not_moved() {
    let (mut tape, [a, empty, b]) = three_params::<f64>();
    let (before, grads) = (tape.param_values().to_vec(), tape.param_grads().to_vec());
    let own = Group::new([b, empty]).with_lr_scale(7.0).unwrap().with_lr(0.03).unwrap();
    let scaled = Group::new([a]).with_lr(7.0).unwrap().with_lr_scale(0.5).unwrap();
    let mut optimizer =
        Optimizer::new(Sgd, 0.1).unwrap().with_group(own).unwrap().with_group(scaled).unwrap();
    optimizer.set_lr(0.2).unwrap();
    optimizer.step(&mut tape).unwrap();
    for (i, x) in tape.param_values().iter().enumerate() {
        let lr = if i < 77 { 0.5 * 0.2 } else { 0.03 };
        assert_eq!(*x, before[i] - lr * grads[i]);
    }
}

/// 10³⁰ and 10²⁰ are numbers of `f32`, their product is none.
#[test]
fn a_rate_that_its_group_makes_infinite() {
    let (mut tape, [a, ..]) = three_params::<f32>();
    let group = || Group::new([a]).with_lr_scale(1e30).unwrap();
    let mut optimizer = Optimizer::<f32>::new(Sgd, 0.0).unwrap().with_group(group()).unwrap();
    let message = optimizer.set_lr(1e20).unwrap_err().to_string();
    assert_eq!(message, "lr: 1e20 times the group's lr_scale 1e30 is not finite as f32");
    assert_eq!(optimizer.lr(), 0.0);
    optimizer.step(&mut tape).unwrap();
    assert!(tape.param_values().iter().all(|x| x.is_finite()));
    // In double precision all of that is finite.
    let (mut tape, [a, ..]) = three_params::<f64>();
    let group = Group::new([a]).with_lr_scale(1e30).unwrap().with_weight_decay(1e-50).unwrap();
    let mut optimizer = Optimizer::<f64>::new(Sgd, 0.0).unwrap().with_group(group).unwrap();
    optimizer.set_lr(1e20).unwrap();
    let large = Group::new([a]).with_lr(1e300).unwrap().with_weight_decay(1e300).unwrap();
    let _ = Optimizer::<f64>::new(Sgd, 0.1).unwrap().with_group(large).unwrap();
    optimizer.step(&mut tape).unwrap();
    assert!(tape.param_values().iter().all(|x| x.is_finite()));
}

#[test]
fn groups_that_are_for_double_precision_only() {
    let scaled = Group::new([]).with_lr_scale(1e20).unwrap();
    let own = Group::new([]).with_lr(1e300).unwrap();
    let decayed = Group::new([]).with_weight_decay(1e300).unwrap();
    for (group, expected) in [
        (scaled, "lr: 1e30 times the group's lr_scale 1e20 is not finite as f32"),
        (own, "lr: the group's own 1e300 is not finite as f32"),
        (decayed, "weight_decay: 1e300 is not finite (as f32) and at least 0"),
    ] {
        let optimizer = Optimizer::<f32>::new(Sgd, 1e30).unwrap();
        assert_eq!(optimizer.with_group(group).map(drop).unwrap_err().to_string(), expected);
    }
}

#[test]
fn state_and_steps_bring_an_optimizer_back() {
    for entry in optimizers::<f32>() {
        let (mut tape, _) = three_params::<f32>();
        let mut first = entry.optimizer(None).unwrap();
        for _ in 0..3 {
            first.step(&mut tape).unwrap();
        }
        let (steps, state, values) = (first.steps(), first.state().to_vec(), tape.param_values().to_vec());
        assert_eq!((steps, state.len()), (3, (entry.rule)().buffers() * 80));
        assert!(first.bytes() >= state.len() * 4);
        first.step(&mut tape).unwrap();
        let expected = tape.param_values().to_vec();

        let mut second = entry.optimizer(None).unwrap();
        tape.param_values_mut().copy_from_slice(&values);
        second.restore(&tape, steps, &state).unwrap();
        second.step(&mut tape).unwrap();
        assert_eq!(tape.param_values(), expected, "{}", entry.name);

        let short = &[0.0; 7];
        assert!(matches!(second.restore(&tape, 3, short), Err(Error::Data(_))));
        // Step 0 has no state yet, and a reset goes back to it.
        second.reset();
        assert_eq!((second.steps(), second.state().len()), (0, 0));
        second.restore(&tape, 0, &[]).unwrap();
        assert!(matches!(second.restore(&tape, 0, short), Err(Error::Data(_))));
    }
}

#[test]
fn settings_outside_their_range() {
    let message = |e: Error| match e {
        Error::Setting { name, .. } => name,
        other => panic!("{other}"),
    };
    for lr in [-1e-9, f64::NAN, f64::INFINITY] {
        assert_eq!(message(Optimizer::<f64>::new(Sgd, lr).unwrap_err()), "lr");
        let mut optimizer = Optimizer::<f64>::new(Sgd, 0.1).unwrap();
        assert_eq!(message(optimizer.set_lr(lr).unwrap_err()), "lr");
        assert_eq!(optimizer.lr(), 0.1);
        assert_eq!(message(optimizer.with_weight_decay(lr).unwrap_err()), "weight_decay");
        assert_eq!(message(Group::new([]).with_lr_scale(lr).unwrap_err()), "lr_scale");
        assert_eq!(message(Group::new([]).with_lr(lr).unwrap_err()), "lr");
        assert_eq!(message(Group::new([]).with_weight_decay(lr).unwrap_err()), "weight_decay");
    }
    // Finite, but not as an f32.
    assert!(Optimizer::<f64>::new(Sgd, 1e300).is_ok());
    assert_eq!(message(Optimizer::<f32>::new(Sgd, 1e300).unwrap_err()), "lr");
    let text = Optimizer::<f32>::new(Sgd, 1e300).unwrap_err().to_string();
    assert_eq!(text, "lr: 1e300 is not finite (as f32) and at least 0");
    assert_eq!(Optimizer::<f64>::new(Sgd, 1e300).unwrap().to_string(), "sgd lr=1e300");
    assert!(Optimizer::<f32>::new(Sgd, 0.0).is_ok());
    for beta in [-0.1, 1.0, f64::NAN] {
        assert_eq!(message(Momentum::new(beta).unwrap_err()), "beta");
        assert_eq!(message(Nesterov::new(beta).unwrap_err()), "beta");
        assert_eq!(message(RmsProp::new(beta, 1e-8).unwrap_err()), "rho");
        assert_eq!(message(Adam::new(beta, 0.9, 1e-8).unwrap_err()), "beta1");
        assert_eq!(message(AdamW::new(0.9, beta, 1e-8).unwrap_err()), "beta2");
    }
    for eps in [0.0, -1e-8, f64::NAN, f64::INFINITY, 1e-45] {
        assert_eq!(message(AdaGrad::new(eps).unwrap_err()), "eps");
        assert_eq!(message(RmsProp::new(0.9, eps).unwrap_err()), "eps");
        assert_eq!(message(Adam::new(0.9, 0.9, eps).unwrap_err()), "eps");
    }
}

/// The least ε still keeps a number without gradients where it is, in single precision too.
#[test]
fn no_gradient_is_no_step() {
    let eps = f64::from(f32::MIN_POSITIVE);
    let optimizers: [Optimizer<f32>; 4] = [
        Optimizer::new(AdaGrad::new(eps).unwrap(), 0.1).unwrap(),
        Optimizer::new(RmsProp::new(0.9, eps).unwrap(), 0.1).unwrap(),
        Optimizer::new(Adam::new(0.9, 0.999, eps).unwrap(), 0.1).unwrap(),
        Optimizer::new(AdamW::new(0.9, 0.999, eps).unwrap(), 0.1).unwrap(),
    ];
    for mut optimizer in optimizers {
        let mut tape = Tape::<f32>::default();
        let w = tape.param_slice(1, 2, &[1.5, -0.5]);
        optimizer.step(&mut tape).unwrap();
        assert_eq!(tape.value_slice(w), [1.5, -0.5], "{optimizer}");
    }
}

#[test]
fn the_table() {
    for entry in optimizers::<f64>() {
        assert_eq!((entry.rule)().name(), entry.name);
        assert_eq!(find::<f64>(entry.name).unwrap().about, entry.about);
        assert_eq!(entry.optimizer(None).unwrap().lr(), entry.lr);
        assert_eq!(optimizers::<f64>().iter().filter(|other| other.name == entry.name).count(), 1);
    }
    let error = find::<f64>("adan").err().unwrap().to_string();
    assert_eq!(
        error,
        "optimizer: there is no `adan`; there are sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw"
    );
}

#[test]
#[should_panic(expected = "adam: the tape has 4 parameters, but had 3 at the first step")]
fn a_parameter_added_late() {
    let (mut tape, _) = three_params::<f64>();
    let mut optimizer = Optimizer::new(Adam::default(), 0.1).unwrap();
    optimizer.step(&mut tape).unwrap();
    tape.param_slice(1, 1, &[0.0]);
    optimizer.step(&mut tape).unwrap();
}

#[test]
#[should_panic(expected = "sgd: p0 is 11×7, but was 7×11 at the first step")]
fn another_tape() {
    let (mut tape, _) = three_params::<f64>();
    let mut optimizer = Optimizer::new(Sgd, 0.1).unwrap();
    optimizer.step(&mut tape).unwrap();
    let mut other = Tape::new();
    other.param_slice(11, 7, &[0.0; 77]);
    other.param_slice(0, 5, &[]);
    other.param_slice(1, 3, &[0.0; 3]);
    optimizer.step(&mut other).unwrap();
}

#[test]
#[should_panic(expected = "with_group: p2 is in a group already")]
fn a_parameter_in_two_groups() {
    let (_, [a, b, c]) = three_params::<f64>();
    let optimizer = Optimizer::<f64>::new(Sgd, 0.1).unwrap();
    let _ = optimizer.with_group(Group::new([a, c])).unwrap().with_group(Group::new([b, c]));
}

#[test]
#[should_panic(expected = "sgd: p2 is in a group but the tape has 1 parameter only")]
fn a_group_of_another_tape() {
    let (_, [.., c]) = three_params::<f64>();
    let mut optimizer = Optimizer::<f64>::new(Sgd, 0.1).unwrap().with_group(Group::new([c])).unwrap();
    let mut other = Tape::new();
    other.param_slice(1, 1, &[0.0]);
    optimizer.step(&mut other).unwrap();
}
