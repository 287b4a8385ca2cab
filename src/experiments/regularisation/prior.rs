//! The penalty as a prior: a test.

use crate::data::synthetic;
use crate::experiments::prelude::*;
use crate::models::Mlp;
use crate::nn::{Activation, Mode, Module, ModuleExt};

/// The mean cross-entropy, appended to the rewound tape.
fn mean_loss(net: &mut Net<f64>, train: &Dataset) -> Var {
    let Net { tape, model, .. } = net;
    tape.rewind();
    let x = tape.constant_slice(train.len(), train.features(), &train.to_rows());
    let logits = model.forward(tape, x, &mut Mode::evaluation());
    tape.cross_entropy(logits, train.labels().unwrap())
}

/// The gradient of n·(L + λ/2·‖w‖²) is that of −ln p(data | w) − Σ ln N(w; 0, 1/(nλ)), and the values are a constant
/// apart: the penalised loss is the posterior with a Gaussian prior.
#[test]
fn the_penalised_loss_is_the_posterior() {
    let train = synthetic::find("digits").unwrap().generate(100, 0.1, 3).unwrap();
    let (lambda, n) = (0.03, train.len() as f64);
    let options = Mlp::new(&widths(&train, &[16]), Activation::Tanh);
    let mut net = Net::new(&options, &train, 1).unwrap();
    let weights = net.model.weights();

    let loss = mean_loss(&mut net, &train);
    let penalty = net.tape.l2_penalty(&weights, lambda);
    let sum = net.tape.add(loss, penalty);
    let penalised = net.tape.scale(sum, n);
    net.tape.zero_grad();
    net.tape.backward(penalised);
    let first = net.tape.param_grads().to_vec();
    let first_value = net.tape.item(penalised);

    // The density of a weight, written out: ½·ln(2πs²) + w²/(2s²) with s² = 1/(nλ).
    let variance = 1.0 / (n * lambda);
    let of_weight = 0.5 * Float::ln(std::f64::consts::TAU * variance);
    let loss = mean_loss(&mut net, &train);
    let mut posterior = net.tape.scale(loss, n);
    let mut numbers = 0;
    for w in &weights {
        numbers += net.tape.value_slice(*w).len();
        let square = net.tape.square(*w);
        let scaled = net.tape.scale(square, 0.5 / variance);
        let term = net.tape.shift(scaled, of_weight);
        let sum = net.tape.sum(term);
        posterior = net.tape.add(posterior, sum);
    }
    net.tape.zero_grad();
    net.tape.backward(posterior);
    let second = net.tape.param_grads();

    let size = first.iter().map(|g| g.abs()).fold(0.0, f64::max);
    let apart = first.iter().zip(second).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / size;
    let value =
        (net.tape.item(posterior) - numbers as f64 * of_weight - first_value).abs() / first_value.abs();
    assert!(size > 0.0 && apart <= 1e-12 && value <= 1e-12, "{apart} {value}");
}
