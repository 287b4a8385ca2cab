//! Gradients of gradients against figures of PyTorch 2.15, in f64: `reference/second_order.py` made them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tapegrad::nn::{
    Activation, AttentionOptions, BatchNorm, Cell, Conv2d, Init, LayerNorm, Linear, Mode, Module, Pool,
    Recurrent, Sequential, TransformerBlock, TransformerOptions,
};
use tapegrad::ops::{Attention, Convolution, ImageShape, Window};
use tapegrad::rng::{Place, Purpose, stream};
use tapegrad::{Param, Tape, Var};

use super::reference::Matrix;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    inputs: Vec<Matrix>,
    upstream: Matrix,
    factors: Vec<Matrix>,
    first: Vec<Matrix>,
    second: Vec<Matrix>,
}

type Op = fn(&mut Tape, &[Var]) -> Var;

const POOLS: Window = Window { stride: [2; 2], padding: [1; 2], ..Window::new(3, 3) };

fn operations() -> Vec<(&'static str, Op)> {
    vec![
        ("conv2d", |t, x| {
            let form = Convolution::new(ImageShape::new(2, 5, 4), 3, 3).stride(2).padding(1);
            let window = Window { kernel: [3, 2], dilation: [1, 2], ..form.window };
            t.conv2d(x[0], x[1], Some(x[2]), &Convolution { window, ..form })
        }),
        ("conv2d_groups", |t, x| {
            let form = Convolution::new(ImageShape::new(4, 3, 3), 6, 2).groups(2);
            t.conv2d(x[0], x[1], Some(x[2]), &form)
        }),
        ("conv2d_depthwise", |t, x| {
            let form = Convolution::new(ImageShape::new(3, 3, 3), 3, 2).padding(1).groups(3);
            t.conv2d(x[0], x[1], Some(x[2]), &form)
        }),
        ("conv2d_transpose", |t, x| {
            let form = Convolution::new(ImageShape::new(2, 4, 5), 3, 3).stride(2).padding(1);
            t.conv2d_transpose(x[0], x[1], Some(x[2]), &form)
        }),
        ("max_pool", |t, x| t.max_pool(x[0], ImageShape::new(2, 5, 4), &POOLS)),
        ("avg_pool", |t, x| t.avg_pool(x[0], ImageShape::new(2, 5, 4), &POOLS)),
        ("global_avg_pool", |t, x| t.global_avg_pool(x[0], ImageShape::new(3, 2, 2))),
        ("upsample", |t, x| t.upsample(x[0], ImageShape::new(2, 2, 3), 2)),
        ("attention", |t, x| t.attention(x[0], x[1], x[2], Attention::new(2, 2))),
        ("attention_causal", |t, x| t.attention(x[0], x[1], x[2], Attention::new(2, 2).causal())),
        ("layer_norm", |t, x| t.layer_norm(x[0], x[1], x[2], 1e-2)),
        ("rms_norm", |t, x| t.rms_norm(x[0], x[1], 1e-2)),
        ("group_norm", |t, x| t.group_norm(x[0], x[1], x[2], 2, 1e-2)),
        ("batch_norm", |t, x| {
            let statistics = t.batch_statistics(x[0]);
            t.batch_norm(x[0], statistics, x[1], x[2], 1e-2)
        }),
        ("embedding", |t, x| {
            let tokens = t.constant_slice(1, 5, &[2.0, 0.0, 2.0, 1.0, 2.0]);
            t.embedding(x[0], tokens)
        }),
        ("cross_entropy", |t, x| t.cross_entropy(x[0], &[3, 0, 1])),
        ("gelu_erf", |t, x| t.gelu_erf(x[0])),
        ("gelu_tanh", |t, x| t.gelu_tanh(x[0])),
        ("silu", |t, x| t.silu(x[0])),
        ("norm", |t, x| t.norm_cols(x[0])),
        ("logsumexp", |t, x| t.logsumexp(x[0])),
        ("variance", |t, x| t.unbiased_variance_rows(x[0])),
    ]
}

/// Numbers that are 0 in the file are among them: of a bias, on which no gradient depends.
#[track_caller]
fn assert_close(found: &[f64], expected: &Matrix) {
    assert_eq!(found.len(), expected.data.len());
    for (i, (found, expected)) in found.iter().zip(&expected.data).enumerate() {
        let error = (found - expected).abs() / expected.abs().max(1.0);
        assert!(error < 1e-10, "number {i}: {found:e}, expected {expected:e}");
    }
}

#[test]
fn gradients_of_gradients_of_pytorch() {
    let mut cases: BTreeMap<String, Case> =
        serde_json::from_str(include_str!("reference/second_order.json")).unwrap();
    for (name, op) in operations() {
        let case = cases.remove(name).unwrap_or_else(|| panic!("{name} is not in the file"));
        println!("{name}");
        let mut tape = Tape::new();
        let x: Vec<Var> = case.inputs.iter().map(|x| tape.variable(&x.get())).collect();
        let mut inputs = x.clone();
        inputs[0] = tape.tanh(x[0]);
        let y = op(&mut tape, &inputs);
        let upstream = tape.constant(&case.upstream.get());
        let first = tape.gradient_with(y, upstream, &x);
        let mut total = tape.scalar(0.0);
        for ((gradient, expected), factors) in first.iter().zip(&case.first).zip(&case.factors) {
            assert_close(tape.value_slice(*gradient), expected);
            let factors = tape.constant(&factors.get());
            let product = tape.mul(*gradient, factors);
            let sum = tape.sum(product);
            total = tape.add(total, sum);
        }
        let second = tape.gradient(total, &x);
        tape.backward(total);
        for (k, expected) in case.second.iter().enumerate() {
            assert_close(tape.grad_slice(x[k]), expected);
            assert_close(tape.value_slice(second[k]), expected);
        }
    }
    assert!(cases.is_empty(), "not compared: {:?}", cases.keys());
}

/// A network, and the shape of its input.
type Network = (&'static str, (usize, usize), fn(&mut Tape) -> Sequential<f64>);

fn networks() -> Vec<Network> {
    vec![
        ("mlp", (5, 3), |tape| {
            let rng = &mut stream(1, Purpose::Init);
            Sequential::new()
                .push("0", Linear::new(tape, 3, 6, true, Init::default(), rng))
                .push("1", Activation::Tanh)
                .push("2", Linear::new(tape, 6, 4, true, Init::default(), rng))
                .push("3", Activation::Softplus)
                .push("4", Linear::new(tape, 4, 3, true, Init::default(), rng))
        }),
        ("normalised", (6, 4), |tape| {
            let rng = &mut stream(2, Purpose::Init);
            Sequential::new()
                .push("0", Linear::new(tape, 4, 6, true, Init::default(), rng))
                .push("1", BatchNorm::new(tape, 6, 0.1, 1e-2).unwrap())
                .push("2", Activation::Silu)
                .push("3", LayerNorm::new(tape, 6, 1e-2).unwrap())
                .push("4", Linear::new(tape, 6, 3, true, Init::default(), rng))
        }),
        ("transformer block", (8, 4), |tape| {
            let attention = AttentionOptions { causal: true, ..AttentionOptions::new(2, 4) };
            let options = TransformerOptions { attention, hidden: 6, dropout: 0.0 };
            let rng = &mut stream(3, Purpose::Init);
            Sequential::new()
                .push("0", TransformerBlock::new(tape, 4, options, Init::default(), rng).unwrap())
                .push("1", Linear::new(tape, 4, 3, true, Init::default(), rng))
        }),
        ("lstm", (8, 2), |tape| {
            let rng = &mut stream(4, Purpose::Init);
            Sequential::new()
                .push("0", Recurrent::new(tape, Cell::Lstm, 2, 3, 4, Init::default(), rng).unwrap())
                .push("1", Linear::new(tape, 3, 3, true, Init::default(), rng))
        }),
        ("gru", (8, 2), |tape| {
            let rng = &mut stream(5, Purpose::Init);
            Sequential::new()
                .push("0", Recurrent::new(tape, Cell::Gru, 2, 3, 4, Init::default(), rng).unwrap())
                .push("1", Linear::new(tape, 3, 3, true, Init::default(), rng))
        }),
    ]
}

fn fill(x: &mut [f64], shift: f64) {
    x.iter_mut().enumerate().for_each(|(i, x)| *x = ((i as f64 + shift) * 0.618_034).fract() - 0.5);
}

/// A tape with the loss of a network whose parameters are moved by `step` times the direction.
fn loss_of(network: &Network, direction: &[f64], step: f64) -> (Tape, Var, Vec<Var>) {
    let (_, (rows, cols), build) = network;
    let mut tape = Tape::new();
    let net = build(&mut tape);
    let trained: Vec<Param> = tape.params().filter(|p| tape.is_trained(*p)).collect();
    let mut rest = direction.iter();
    for p in &trained {
        // None is left where there is no direction.
        let values: Vec<f64> =
            tape.value_slice(*p).iter().map(|x| x + step * rest.next().copied().unwrap_or(0.0)).collect();
        tape.set_param(*p, &values);
    }
    let x = tape.constant_with(*rows, *cols, |x| fill(x, 2.0));
    let y = net.forward(&mut tape, x, &mut Mode::training(Place { seed: 1, epoch: 0, step: 0 }));
    let labels: Vec<usize> = (0..*rows).map(|i| i % 3).collect();
    let loss = tape.cross_entropy(y, &labels);
    (tape, loss, trained.iter().map(|p| p.var()).collect())
}

/// Σ of the entries of some values times a direction that runs through all of them.
fn along(tape: &mut Tape, values: &[Var], direction: &[f64]) -> Var {
    let (mut total, mut rest) = (tape.scalar(0.0), direction);
    for value in values {
        let shape = tape.shape(*value);
        let (own, behind) = rest.split_at(shape.numel());
        rest = behind;
        let own = tape.constant_slice(shape.rows, shape.cols, own);
        let product = tape.mul(*value, own);
        let sum = tape.sum(product);
        total = tape.add(total, sum);
    }
    total
}

/// H·v by the gradient of ⟨gradient, v⟩, and by differences of the gradients of the backward pass; and H is symmetric.
#[test]
fn hessians_of_networks() {
    for network in networks() {
        let numbers = {
            let (tape, _, of) = loss_of(&network, &[], 0.0);
            of.iter().map(|v| tape.shape(*v).numel()).sum::<usize>()
        };
        let [mut v, mut u] = [vec![0.0; numbers], vec![0.0; numbers]];
        fill(&mut v, 9.0);
        fill(&mut u, 4.3);
        let product = |direction: &[f64]| {
            let (mut tape, loss, of) = loss_of(&network, &[], 0.0);
            let gradients = tape.gradient(loss, &of);
            let total = along(&mut tape, &gradients, direction);
            let recorded = tape.gradient(total, &of);
            tape.zero_grad();
            tape.backward(total);
            for (v, recorded) in of.iter().zip(recorded) {
                for (a, b) in tape.grad_slice(*v).iter().zip(tape.value_slice(recorded)) {
                    assert!((a - b).abs() < 1e-11, "{}: {a:e} and {b:e}", network.0);
                }
            }
            of.iter().flat_map(|v| tape.grad_slice(*v).to_vec()).collect::<Vec<f64>>()
        };
        let hessian_v = product(&v);
        let walked = |step: f64| {
            let (mut tape, loss, of) = loss_of(&network, &v, step);
            tape.zero_grad();
            tape.backward(loss);
            of.iter().flat_map(|v| tape.grad_slice(*v).to_vec()).collect::<Vec<f64>>()
        };
        let [a, b, c, d] = [-2e-3, -1e-3, 1e-3, 2e-3].map(walked);
        assert!(hessian_v.iter().any(|x| x.abs() > 1e-2), "{}", network.0);
        for (i, found) in hessian_v.iter().enumerate() {
            let numeric = (a[i] - 8.0 * b[i] + 8.0 * c[i] - d[i]) / 12e-3;
            assert!((found - numeric).abs() < 1e-8, "{} at {i}: {found:e} and {numeric:e}", network.0);
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (left, right) = (dot(&u, &hessian_v), dot(&v, &product(&u)));
        assert!((left - right).abs() < 1e-10, "{}: {left:e} and {right:e}", network.0);
    }
}

/// A reader finds every node of a recorded gradient, and of the gradient of that, with a name, a shape, and what it is made of.
#[test]
fn recorded_gradients_are_printed_and_drawn() {
    for (name, shape, build) in networks().into_iter().chain([filters()]) {
        let (mut tape, loss, of) = loss_of(&(name, shape, build), &[], 0.0);
        let forward = tape.to_string().lines().count();
        let first = tape.gradient(loss, &of);
        let direction = vec![0.5; of.iter().map(|v| tape.shape(*v).numel()).sum()];
        let total = along(&mut tape, &first, &direction);
        let second = tape.gradient(total, &of);
        for (v, gradients) in of.iter().zip(first.iter().zip(&second)) {
            assert_eq!([tape.shape(*gradients.0), tape.shape(*gradients.1)], [tape.shape(*v); 2], "{name}");
        }
        let (text, dot) = (tape.to_string(), tape.dot().to_string());
        assert!(text.lines().count() > 3 * forward, "{name}: {text}");
        let edges: BTreeSet<&str> = dot.lines().filter(|line| line.contains(" -> ")).collect();
        let mut nodes = dot.lines().filter(|line| line.contains(" [label=\""));
        let mut inputs = BTreeSet::new();
        for (index, line) in text.lines().enumerate() {
            let (shape, rest) = line.strip_prefix(&format!("v{index}: ")).unwrap().split_once(" = ").unwrap();
            let sides: Vec<usize> = shape.split('×').map(|side| side.parse().unwrap()).collect();
            assert!(sides.len() == 2 && sides.iter().all(|side| *side > 0), "{name}: {line}");
            let mut words = rest.split(' ');
            let op = words.next().unwrap();
            assert!(op.starts_with(|c: char| c.is_ascii_lowercase()), "{name}: {line}");
            assert!(
                op.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
                "{name}: {line}"
            );
            let from: Vec<usize> =
                words.map_while(|word| word.strip_prefix('v')).map_while(|word| word.parse().ok()).collect();
            let is_leaf = ["param", "buffer", "constant", "mask"].contains(&op);
            assert!(from.is_empty() == is_leaf && from.iter().all(|from| *from < index), "{name}: {line}");
            let node = nodes.next().unwrap();
            assert!(node.starts_with(&format!("  v{index} [label=\"v{index} {op}")), "{name}: {node}");
            assert!(node.contains(&format!("\\n{shape}\"")), "{name}: {node}");
            inputs.extend(from.iter().map(|from| format!("  v{from} -> v{index};")));
        }
        assert_eq!(edges, inputs.iter().map(String::as_str).collect(), "{name}");
        // The upstream gradient of the loss, and the place of each label.
        assert!(text.contains(": 1×1 = constant 1\n") && text.contains(" = mask\n"), "{name}: {text}");
    }
}

/// Of images of 4×4, with a pool that selects.
fn filters() -> Network {
    ("filters", (3, 16), |tape| {
        let rng = &mut stream(7, Purpose::Init);
        let form = Convolution::new(ImageShape::new(1, 4, 4), 2, 3).padding(1);
        Sequential::new()
            .push("0", Conv2d::new(tape, form, true, Init::default(), rng).unwrap())
            .push("1", Activation::Relu)
            .push("2", Pool::max(ImageShape::new(2, 4, 4), Pool::whole(2)).unwrap())
            .push("3", Linear::new(tape, 8, 3, true, Init::default(), rng))
    })
}

/// The gradient penalty of Gulrajani et al., *Improved Training of Wasserstein GANs*, arXiv:1704.00028: the mean of
/// (‖∂D/∂x‖ − 1)² over the samples. Its gradient against differences of penalties that the backward pass has found.
#[test]
fn gradient_penalty_of_a_critic() {
    let image = ImageShape::new(1, 4, 4);
    let build = |tape: &mut Tape| {
        let rng = &mut stream(6, Purpose::Init);
        let form = Convolution::new(image, 3, 3).padding(1);
        Sequential::<f64>::new()
            .push("0", Conv2d::new(tape, form, true, Init::default(), rng).unwrap())
            .push("1", Activation::Gelu)
            .push("2", Linear::new(tape, 48, 1, true, Init::default(), rng))
    };
    let critic = |step: Option<(usize, f64)>| {
        let mut tape = Tape::new();
        let net = build(&mut tape);
        if let Some((at, step)) = step {
            tape.param_values_mut()[at] += step;
        }
        let x = tape.variable_with(3, 16, |x| fill(x, 1.0));
        let scores = net.forward(&mut tape, x, &mut Mode::evaluation());
        let total = tape.sum(scores);
        (tape, x, total)
    };
    let walked = |at: usize, step: f64| {
        let (mut tape, x, total) = critic(Some((at, step)));
        tape.backward(total);
        let norms = tape.grad_slice(x).chunks(16).map(|row| row.iter().map(|x| x * x).sum::<f64>().sqrt());
        norms.map(|norm| (norm - 1.0) * (norm - 1.0)).sum::<f64>() / 3.0
    };
    let (mut tape, x, total) = critic(None);
    let slopes = tape.gradient(total, &[x])[0];
    let penalty = tape.scope(|s| (s.var(slopes).norm_cols() - 1.0).square().mean().var());
    tape.zero_grad();
    tape.backward(penalty);
    let found = tape.param_grads().to_vec();
    assert!(found.iter().filter(|x| x.abs() > 1e-3).count() > found.len() / 2);
    for (at, found) in found.iter().enumerate() {
        let [a, b, c, d] = [-2e-3, -1e-3, 1e-3, 2e-3].map(|step| walked(at, step));
        let numeric = (a - 8.0 * b + 8.0 * c - d) / 12e-3;
        assert!((found - numeric).abs() < 1e-9, "{at}: {found:e} and {numeric:e}");
    }
}
