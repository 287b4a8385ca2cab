//! The penalty as a prior: a test.

use crate::data::synthetic;
use crate::experiments::prelude::*;
use crate::models::Mlp;
use crate::nn::{Activation, Mode, Module, ModuleExt, Sequential};

/// A small network in f64.
struct Small {
    tape: Tape,
    model: Sequential<f64>,
}

impl Small {
    /// The mean cross-entropy, appended to a rewound tape.
    fn loss(&mut self, train: &Dataset) -> Var {
        let Small { tape, model } = self;
        tape.rewind();
        let x = tape.constant_slice(train.len(), train.features(), &train.to_rows());
        let logits = model.forward(tape, x, &mut Mode::evaluation());
        tape.cross_entropy(logits, train.labels().unwrap())
    }
}

/// The gradient of n·(L + λ/2·‖w‖²) is that of −ln p(data | w) − Σ ln N(w; 0, 1/(nλ)), and the values are a constant
/// apart: the penalised loss is the posterior with a Gaussian prior.
#[test]
fn the_penalised_loss_is_the_posterior() {
    let train = synthetic::find("digits").unwrap().generate(100, 0.1, 3).unwrap();
    let (lambda, n) = (0.03, train.len() as f64);
    let options = Mlp::new(&widths(&train, &[16]), Activation::Tanh);
    let Net { tape, model, .. } = Net::new(&options, &train, 1).unwrap();
    let mut small = Small { tape, model };
    let weights = small.model.weights();

    let loss = small.loss(&train);
    let penalty = small.tape.l2_penalty(&weights, lambda);
    let sum = small.tape.add(loss, penalty);
    let penalised = small.tape.scale(sum, n);
    small.tape.zero_grad();
    small.tape.backward(penalised);
    let first = small.tape.param_grads().to_vec();
    let first_value = small.tape.item(penalised);

    // The density of a weight, written out: ½·ln(2πs²) + w²/(2s²) with s² = 1/(nλ).
    let variance = 1.0 / (n * lambda);
    let of_weight = 0.5 * Float::ln(std::f64::consts::TAU * variance);
    let loss = small.loss(&train);
    let mut posterior = small.tape.scale(loss, n);
    let mut numbers = 0;
    for w in &weights {
        numbers += small.tape.value_slice(*w).len();
        let square = small.tape.square(*w);
        let scaled = small.tape.scale(square, 0.5 / variance);
        let term = small.tape.shift(scaled, of_weight);
        let sum = small.tape.sum(term);
        posterior = small.tape.add(posterior, sum);
    }
    small.tape.zero_grad();
    small.tape.backward(posterior);
    let second = small.tape.param_grads();

    let size = first.iter().map(|g| g.abs()).fold(0.0, f64::max);
    let apart = first.iter().zip(second).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / size;
    let value =
        (small.tape.item(posterior) - numbers as f64 * of_weight - first_value).abs() / first_value.abs();
    assert!(size > 0.0 && apart <= 1e-12 && value <= 1e-12, "{apart} {value}");
}
