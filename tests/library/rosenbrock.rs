//! Every optimizer on Rosenbrock's function (1−x)² + 100(y−x²)², from (−1.2, 1): against reference
//! trajectories, and as a snapshot.

use serde::Deserialize;
use std::collections::BTreeMap;
use tapegrad::Tape;
use tapegrad::optim::{AdaGrad, Adam, AdamW, Momentum, Nesterov, Optimizer, RmsProp, Rule, Sgd, optimizers};

/// The points after each of `steps` steps.
fn path(mut optimizer: Optimizer<f64>, steps: usize) -> Vec<[f64; 2]> {
    let mut tape = Tape::new();
    let x = tape.param_slice(1, 1, &[-1.2]);
    let y = tape.param_slice(1, 1, &[1.0]);
    let mut points = Vec::new();
    for _ in 0..steps {
        tape.rewind();
        let one = tape.scalar(1.0);
        let a = tape.sub(one, x);
        let x2 = tape.mul(x, x);
        let b = tape.sub(y, x2);
        let (a2, b2) = (tape.mul(a, a), tape.mul(b, b));
        let b2 = tape.scale(b2, 100.0);
        let loss = tape.add(a2, b2);
        tape.zero_grad();
        tape.backward(loss);
        optimizer.step(&mut tape).unwrap();
        points.push([tape.item(x), tape.item(y)]);
    }
    points
}

#[derive(Deserialize)]
struct Reference {
    start: [f64; 2],
    steps: usize,
    #[serde(default = "every_step")]
    every: usize,
    runs: BTreeMap<String, Run>,
}

#[derive(Deserialize)]
struct Run {
    settings: String,
    trajectory: Vec<[f64; 2]>,
}

fn every_step() -> usize {
    1
}

/// Runs each of `optimizers` for as long as the reference does, and compares every point it holds.
fn check(reference: &str, optimizers: Vec<(&str, &str, Optimizer<f64>)>) {
    let reference: Reference = serde_json::from_str(reference).unwrap();
    assert_eq!(reference.start, [-1.2, 1.0]);
    assert_eq!(optimizers.len(), reference.runs.len());
    for (name, settings, optimizer) in optimizers {
        let run = &reference.runs[name];
        assert!(run.settings.starts_with(settings), "{name}: {} is not {settings}", run.settings);
        assert_eq!(run.trajectory.len() * reference.every, reference.steps);
        let path = path(optimizer, reference.steps);
        let points = path.iter().skip(reference.every - 1).step_by(reference.every);
        for (i, (found, expected)) in points.zip(&run.trajectory).enumerate() {
            for (a, b) in found.iter().zip(expected) {
                let error = (a - b).abs() / b.abs().max(1.0);
                let step = (i + 1) * reference.every;
                assert!(error <= 1e-8, "{name} after {step} steps: {found:?} but the reference {expected:?}");
            }
        }
    }
}

fn make(rule: impl Rule<f64> + 'static, lr: f64, weight_decay: f64) -> Optimizer<f64> {
    Optimizer::new(rule, lr).unwrap().with_weight_decay(weight_decay).unwrap()
}

/// RMSProp takes steps of about η wherever it is, jumps across the valley, and is chaotic here: moving
/// the start by 10⁻¹² moves the point after 100 steps by 10⁻². Its rounding is part of the reference.
#[test]
fn trajectories_of_the_reference() {
    check(
        include_str!("reference/rosenbrock.json"),
        vec![
            ("sgd", "lr=5e-4", make(Sgd, 5e-4, 0.0)),
            ("momentum", "lr=2e-4 beta=0.9", make(Momentum::new(0.9).unwrap(), 2e-4, 0.0)),
            ("nesterov", "lr=2e-4 beta=0.9", make(Nesterov::new(0.9).unwrap(), 2e-4, 0.0)),
            (
                "adam",
                "lr=2e-2 beta1=0.9 beta2=0.999 eps=1e-8 (outside the root)",
                make(Adam::new(0.9, 0.999, 1e-8).unwrap(), 2e-2, 0.0),
            ),
            (
                "adamw",
                "as adam, weight_decay=1e-2 decoupled",
                make(AdamW::new(0.9, 0.999, 1e-8).unwrap(), 2e-2, 1e-2),
            ),
            (
                "rmsprop",
                "lr=1e-2 rho=0.9 eps=1e-8 (inside the root)",
                make(RmsProp::new(0.9, 1e-8).unwrap(), 1e-2, 0.0),
            ),
        ],
    );
}

/// AdaGrad, and the weight decay of all of them, against `torch.optim`.
///
/// PyTorch's RMSProp has ε outside of the root, so that this one is run with an ε that cannot be felt.
#[test]
fn weight_decay_as_in_pytorch() {
    check(
        include_str!("reference/optimizers_torch.json"),
        vec![
            ("adagrad", "lr=0.5 eps=1e-10", make(AdaGrad::new(1e-10).unwrap(), 0.5, 0.0)),
            ("sgd_decay", "lr=5e-4 weight_decay=0.5", make(Sgd, 5e-4, 0.5)),
            (
                "momentum_decay",
                "lr=2e-4 beta=0.9 weight_decay=0.5",
                make(Momentum::new(0.9).unwrap(), 2e-4, 0.5),
            ),
            (
                "nesterov_decay",
                "lr=2e-4 beta=0.9 weight_decay=0.5",
                make(Nesterov::new(0.9).unwrap(), 2e-4, 0.5),
            ),
            (
                "adagrad_decay",
                "lr=0.5 eps=1e-10 weight_decay=0.5",
                make(AdaGrad::new(1e-10).unwrap(), 0.5, 0.5),
            ),
            (
                "rmsprop_decay",
                "lr=1e-2 rho=0.9 eps=1e-30 weight_decay=0.5",
                make(RmsProp::new(0.9, 1e-30).unwrap(), 1e-2, 0.5),
            ),
            (
                "adam_decay",
                "lr=2e-2 beta1=0.8 beta2=0.99 eps=1e-3 weight_decay=0.5",
                make(Adam::new(0.8, 0.99, 1e-3).unwrap(), 2e-2, 0.5),
            ),
            (
                "adamw_decay",
                "lr=2e-2 beta1=0.8 beta2=0.99 eps=1e-3 weight_decay=0.5",
                make(AdamW::new(0.8, 0.99, 1e-3).unwrap(), 2e-2, 0.5),
            ),
        ],
    );
}

/// Rates that suit the function; the settings are the defaults, but AdamW decays.
const RATES: [(&str, f64); 7] = [
    ("sgd", 5e-4),
    ("momentum", 2e-4),
    ("nesterov", 2e-4),
    ("adagrad", 0.5),
    ("rmsprop", 1e-2),
    ("adam", 2e-2),
    ("adamw", 2e-2),
];

#[test]
fn snapshot_of_the_paths() {
    let mut text = String::new();
    assert_eq!(optimizers::<f64>().len(), RATES.len());
    for (entry, (name, lr)) in optimizers::<f64>().iter().zip(RATES) {
        assert_eq!(entry.name, name);
        let decay = if name == "adamw" { 0.1 } else { 0.0 };
        let optimizer = entry.optimizer(Some(lr)).unwrap().with_weight_decay(decay).unwrap();
        text += &format!("{optimizer}\n");
        for (i, [x, y]) in path(optimizer, 200).iter().enumerate().skip(9).step_by(10) {
            text += &format!("{:>4} {x:>14.10} {y:>14.10}\n", i + 1);
        }
    }
    insta::with_settings!({
        snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true,
    }, { insta::assert_snapshot!("rosenbrock", text) });
}
