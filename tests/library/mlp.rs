//! The multilayer perceptron: against reference traces, as snapshots, and its summary.

use std::collections::BTreeMap;

use nalgebra::DMatrix;
use serde::Deserialize;
use tapegrad::linalg::norm_squared;
use tapegrad::models::Mlp;
use tapegrad::nn::{Activation, Init, Mode, Module, ModuleExt, Norm, Sequential, Summary};
use tapegrad::optim::{Group, Optimizer, find, optimizers};
use tapegrad::rng::{Place, Purpose, stream};
use tapegrad::{Error, Tape};

use crate::reference::Matrix;

#[derive(Deserialize)]
struct Reference {
    x: Matrix,
    labels: Vec<usize>,
    w1: Matrix,
    b1: Matrix,
    w2: Matrix,
    b2: Matrix,
    runs: BTreeMap<String, Run>,
}

#[derive(Deserialize)]
struct Run {
    loss: Vec<f64>,
    first_gradients: Vec<Matrix>,
    first_gradient_norm: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/mlp_trace.json")).unwrap()
}

/// The reference's 4-6-3 network, on a tape of its own.
fn network(reference: &Reference, activation: Activation) -> (Tape, Sequential<f64>) {
    let mut tape = Tape::new();
    let weights = [(reference.w1.get(), reference.b1.get()), (reference.w2.get(), reference.b2.get())];
    let mlp = Mlp::from_weights(&mut tape, &weights, activation).unwrap();
    (tape, mlp)
}

/// One full-batch step; the loss before it.
fn step(
    reference: &Reference,
    tape: &mut Tape,
    mlp: &Sequential<f64>,
    optimizer: &mut Optimizer<f64>,
) -> f64 {
    tape.rewind();
    let x = tape.constant_slice(reference.x.rows, reference.x.cols, &reference.x.data);
    let logits = mlp.forward(tape, x, &mut Mode::evaluation());
    let loss = tape.cross_entropy(logits, &reference.labels);
    tape.zero_grad();
    tape.backward(loss);
    optimizer.step(tape).unwrap();
    tape.item(loss)
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    let error = (found - expected).abs() / expected.abs().max(1.0);
    assert!(error <= tolerance, "{what}: {found} but the reference says {expected}");
}

#[test]
fn losses_and_first_gradients_of_the_reference() {
    let reference = reference();
    let mut runs = 0;
    for (name, activation) in
        [("relu", Activation::Relu), ("tanh", Activation::Tanh), ("gelu_sigmoid", Activation::Gelu)]
    {
        for (rule, lr) in [("sgd", 0.1), ("adam", 0.01)] {
            let name = format!("{name} / {rule} lr={lr}");
            let run = &reference.runs[&name];
            let (mut tape, mlp) = network(&reference, activation);
            let mut optimizer = find(rule).unwrap().optimizer(Some(lr)).unwrap();
            assert_eq!(run.loss.len(), 50);
            for (i, expected) in run.loss.iter().enumerate() {
                let loss = step(&reference, &mut tape, &mlp, &mut optimizer);
                near(loss, *expected, 1e-8, &format!("{name}, loss {i}"));
                if i == 0 {
                    assert_eq!(run.first_gradients.len(), tape.params().len());
                    for (p, expected) in tape.params().zip(&run.first_gradients) {
                        for (found, expected) in tape.grad_slice(p).iter().zip(&expected.data) {
                            near(*found, *expected, 1e-10, &format!("{name}, gradient of {p}"));
                        }
                    }
                    let norm = norm_squared(tape.param_grads()).sqrt();
                    near(norm, run.first_gradient_norm, 1e-10, &format!("{name}, norm"));
                }
            }
            runs += 1;
        }
    }
    assert_eq!(runs, reference.runs.len());
}

#[test]
fn snapshot_of_the_tape() {
    let reference = reference();
    let (mut tape, mlp) = network(&reference, Activation::Relu);
    let x = tape.constant(&reference.x.get());
    let logits = mlp.forward(&mut tape, x, &mut Mode::evaluation());
    tape.cross_entropy(logits, &reference.labels);
    snapshot("mlp_tape", tape.to_string());
}

/// Twenty losses of every optimizer at its usual rate; AdamW decays the weights and not the biases.
#[test]
fn snapshot_of_the_traces() {
    let reference = reference();
    let mut text = String::new();
    for entry in optimizers::<f64>() {
        let mut optimizer = entry.optimizer(None).unwrap();
        let (mut tape, mlp) = network(&reference, Activation::Relu);
        if entry.name == "adamw" {
            let biases = Group::new(mlp.biases(&tape)).with_weight_decay(0.0).unwrap();
            optimizer = optimizer.with_weight_decay(1.0).unwrap().with_group(biases).unwrap();
        }
        text += &format!("{optimizer}\n");
        for i in 0..20 {
            text += &format!("{i:>3} {:.10}\n", step(&reference, &mut tape, &mlp, &mut optimizer));
        }
    }
    snapshot("mlp_traces", text);
}

#[test]
fn snapshot_of_the_summary() {
    let mut tape = Tape::<f32>::default();
    let form = Mlp::new(&[784, 128, 10], Activation::Relu);
    let mlp = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
    snapshot("mlp_summary", Summary::of(&mlp, &mut tape, 784, 64).to_string());
}

#[track_caller]
fn snapshot(name: &str, text: String) {
    insta::with_settings!({
        snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

/// The summary, read off a dry run on a few samples, says what the arena then holds.
#[test]
fn the_summary_predicts_the_arena() {
    let networks: [(&[usize], Activation); 5] = [
        (&[784, 128, 10], Activation::Relu),
        (&[5, 3], Activation::Relu),
        (&[1, 1, 1, 1], Activation::GeluTanh),
        (&[20, 30, 40, 7], Activation::Identity),
        (&[3, 64, 64, 64, 2], Activation::LeakyRelu),
    ];
    for (widths, activation) in networks {
        let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
        let form = Mlp::new(widths, activation);
        let mut tape = Tape::<f32>::default();
        let mlp = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
        assert_eq!((mlp.inputs(), mlp.outputs(&mut tape, inputs)), (Some(inputs), outputs));
        assert_eq!(form.trainable().unwrap(), tape.param_numbers());
        for batch in [0, 1, 64] {
            let mut tape = Tape::<f32>::default();
            let mlp = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
            let plan = Summary::of(&mlp, &mut tape, inputs, batch);
            assert_eq!(tape.len(), tape.params().len());
            assert_eq!((plan.outputs(), plan.trainable()), (outputs, tape.param_numbers()));

            let x = tape.constant_with(batch, inputs, |_| ());
            let logits = mlp.forward(&mut tape, x, &mut Mode::evaluation());
            assert_eq!(tape.numbers(), plan.forward_numbers(), "{form}, {batch}");
            let loss = tape.cross_entropy(logits, &vec![0; batch]);
            tape.backward(loss);
            assert_eq!(tape.numbers(), plan.training_numbers(), "{form}, {batch}");
            assert_eq!(tape.len(), plan.training_nodes(), "{form}, {batch}");
            // The buffers hold at least that, and growing by doubling no more than twice that; the
            // lists of inputs and labels, four bytes an entry, and short lists' least sizes on top.
            let lists = 4096 + 8 * batch;
            let (found, peak) = (tape.bytes(), plan.training_bytes());
            assert!(found >= peak && found <= 2 * peak + lists, "{found} bytes, predicted {peak}");
        }
    }
}

#[test]
fn the_summary_predicts_normalisation_and_dropout() {
    for (norm, dropout) in [(Norm::Batch, 0.0), (Norm::Layer, 0.0), (Norm::Batch, 0.5), (Norm::None, 0.5)] {
        let form = Mlp { norm, dropout, ..Mlp::new(&[5, 7, 6, 3], Activation::Gelu) };
        let mut tape = Tape::<f32>::default();
        let mlp = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
        let before = tape.param_values().to_vec();
        let plan = Summary::of(&mlp, &mut tape, 5, 16);
        assert_eq!(tape.param_values(), before, "a dry run changes no statistics");
        let x = tape.constant_with(16, 5, |x| x.iter_mut().enumerate().for_each(|(i, x)| *x = i as f32));
        let logits = mlp.forward(&mut tape, x, &mut Mode::training(Place::default()));
        tape.cross_entropy(logits, &[0; 16]);
        assert_eq!(tape.numbers(), plan.training_numbers(), "{form}");
        assert_eq!(tape.len(), plan.training_nodes(), "{form}");
        let trained: usize = tape.slots().map(|slot| slot.values.len()).sum();
        assert_eq!((plan.trainable(), form.trainable().unwrap()), (trained, trained), "{form}");
    }
}

/// Dropout and the batch's statistics belong to training: a prediction depends on its own sample only,
/// and changes nothing.
#[test]
fn evaluation_is_a_function_of_the_sample() {
    for norm in [Norm::None, Norm::Batch, Norm::Layer] {
        let options = Mlp { norm, dropout: 0.5, ..Mlp::new(&[2, 8, 3], Activation::Relu) };
        let mut tape = Tape::new();
        let mlp = options.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
        let both = [1.0, -2.0, 0.5, 3.0];
        let x = tape.constant_slice(2, 2, &both);
        let (a, b) = (
            mlp.forward(&mut tape, x, &mut Mode::training(Place::default())),
            mlp.forward(&mut tape, x, &mut Mode::training(Place { step: 1, ..Place::default() })),
        );
        assert_ne!(tape.value(a), tape.value(b), "{options}");
        let kept = tape.param_values().to_vec();
        let together = mlp.forward(&mut tape, x, &mut Mode::evaluation());
        let alone = tape.constant_slice(1, 2, &both[2..]);
        let alone = mlp.forward(&mut tape, alone, &mut Mode::evaluation());
        assert_eq!(tape.value(together).row(1), tape.value(alone).row(0), "{options}");
        assert_eq!(tape.param_values(), kept);
    }
}

#[test]
fn with_batch_norm_hidden_layers_have_no_bias() {
    let options = Mlp { norm: Norm::Batch, ..Mlp::new(&[2, 4, 3], Activation::Relu) };
    let mut tape = Tape::new();
    let mlp = options.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
    let names: Vec<&str> = tape.params().map(|p| tape.name(p)).collect();
    assert_eq!(
        names,
        ["linear1.weight", "norm1.gamma", "norm1.beta", "norm1.running", "linear2.weight", "linear2.bias"]
    );
    assert_eq!(
        mlp.biases(&tape).iter().map(|p| tape.name(*p)).collect::<Vec<_>>(),
        ["norm1.gamma", "norm1.beta", "linear2.bias"]
    );
    assert_eq!(mlp.least_batch(), 2);
}

#[test]
fn a_dropout_out_of_range() {
    for dropout in [-0.1, 1.0, f64::NAN] {
        let options = Mlp { dropout, ..Mlp::new(&[2, 4, 3], Activation::Relu) };
        let error = options.trainable().unwrap_err().to_string();
        assert_eq!(error, format!("dropout: {dropout} is not in the range 0 ≤ p < 1"));
    }
}

#[test]
fn a_single_layer_is_logistic_regression() {
    let mut tape = Tape::new();
    let (w, b) =
        (DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 3.0, 4.0]), DMatrix::from_row_slice(1, 2, &[0.5, 0.0]));
    let mlp = Mlp::from_weights(&mut tape, &[(w, b)], Activation::Relu).unwrap();
    let x = tape.constant_slice(1, 2, &[-1.0, 0.0]);
    let y = mlp.forward(&mut tape, x, &mut Mode::evaluation());
    // Negative logits: no activation behind the last layer.
    assert_eq!(tape.value_slice(y), [-0.5, -2.0]);
    assert_eq!(mlp.describe(), "mlp 2-2");
}

#[test]
fn names_and_lists_of_parameters() {
    let mut tape = Tape::<f32>::default();
    let mlp =
        Mlp::new(&[4, 5, 6, 2], Activation::Tanh).build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
    let names: Vec<_> = tape.params().map(|p| tape.name(p).to_string()).collect();
    assert_eq!(
        names,
        [
            "linear1.weight",
            "linear1.bias",
            "linear2.weight",
            "linear2.bias",
            "linear3.weight",
            "linear3.bias"
        ]
    );
    let names = |list: Vec<_>| list.into_iter().map(|p| tape.name(p).to_string()).collect::<Vec<_>>();
    assert_eq!(names(mlp.weights()), ["linear1.weight", "linear2.weight", "linear3.weight"]);
    assert_eq!(names(mlp.biases(&tape)), ["linear1.bias", "linear2.bias", "linear3.bias"]);
    assert_eq!(mlp.describe(), "mlp 4-5-6-2 tanh");
}

#[test]
fn initial_weights() {
    let widths = [4, 300, 2];
    let make = |init| {
        let mut tape = Tape::new();
        let rng = &mut stream(9, Purpose::Init);
        let mlp = Mlp { init, ..Mlp::new(&widths, Activation::Relu) }.build(&mut tape, rng).unwrap();
        let weights: Vec<_> = mlp.weights().iter().map(|w| tape.value_slice(*w).to_vec()).collect();
        assert!(mlp.biases(&tape).iter().all(|b| tape.value_slice(*b).iter().all(|b| *b == 0.0)));
        weights
    };
    let by_hand = |init: Init| {
        let rng = &mut stream(9, Purpose::Init);
        let mut weights = vec![vec![0.0; 4 * 300], vec![0.0; 300 * 2]];
        init.fill(&mut weights[0], 4, 300, rng);
        init.fill(&mut weights[1], 300, 2, rng);
        weights
    };
    assert_eq!(make(Init::default()), by_hand(Init::XavierUniform));
    assert_eq!(make(Init::HeNormal), by_hand(Init::HeNormal));
}

#[test]
fn widths_that_make_no_network() {
    let cases: [&[usize]; 6] = [&[], &[3], &[3, 0, 2], &[0, 2], &[usize::MAX, 2], &[1 << 31, 1 << 31]];
    for widths in cases {
        let mut tape = Tape::new();
        let made = Mlp::new(widths, Activation::Relu).build(&mut tape, &mut stream(1, Purpose::Init));
        assert!(matches!(made, Err(Error::Setting { name: "widths", .. })), "{widths:?}");
        assert!(Mlp::new(widths, Activation::Relu).trainable().is_err());
        assert!(tape.is_empty());
    }
}

#[test]
fn weights_that_make_no_network() {
    let zeros = DMatrix::<f64>::zeros;
    let cases = [
        vec![(zeros(3, 2), zeros(1, 3))],
        vec![(zeros(3, 2), zeros(2, 2))],
        vec![(zeros(3, 2), zeros(1, 2)), (zeros(3, 2), zeros(1, 2))],
    ];
    for weights in cases {
        let mut tape = Tape::new();
        let made = Mlp::from_weights(&mut tape, &weights, Activation::Relu);
        assert!(matches!(made, Err(Error::Data(_))));
        assert!(tape.is_empty());
    }
    assert!(matches!(
        Mlp::from_weights::<f64>(&mut Tape::new(), &[], Activation::Relu),
        Err(Error::Setting { .. })
    ));
}
