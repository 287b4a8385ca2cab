//! A logistic regression on few samples: the posterior, and weight decay.

use super::RATE;
use crate::experiments::prelude::*;
use crate::models::Mlp;
use crate::nn::{Activation, Mode, Module, ModuleExt, Sequential};
use crate::optim::Group;

/// A small network in f64 with the cross-entropy of all samples, for the two equalities.
struct Small {
    tape: Tape,
    model: Sequential<f64>,
}

impl Small {
    fn new(context: &Context, train: &Dataset) -> Result<Small> {
        let options = Mlp::new(&widths(train, &[16]), Activation::Tanh);
        let Net { tape, model, .. } = Net::new(&options, train, context.seed)?;
        Ok(Small { tape, model })
    }

    /// The mean cross-entropy, appended to a rewound tape.
    fn loss(&mut self, train: &Dataset) -> Var {
        let Small { tape, model } = self;
        tape.rewind();
        let x = tape.constant_slice(train.len(), train.features(), &train.to_rows());
        let logits = model.forward(tape, x, &mut Mode::evaluation());
        tape.cross_entropy(logits, train.labels().unwrap_or_default())
    }
}

/// The gradient of n·(L + λ/2·‖w‖²), and that of −ln p(data | w) − Σ ln N(w; 0, 1/(nλ)).
pub(super) fn posterior_claim(outcome: &mut Outcome, context: &Context, train: &Dataset) -> Result<()> {
    context.check()?;
    let lambda = 0.03;
    let n = train.len() as f64;
    let mut small = Small::new(context, train)?;
    let weights = small.model.weights();

    let loss = small.loss(train);
    let penalty = small.tape.l2_penalty(&weights, lambda);
    let sum = small.tape.add(loss, penalty);
    let penalised = small.tape.scale(sum, n);
    small.tape.zero_grad();
    small.tape.backward(penalised);
    let first = small.tape.param_grads().to_vec();
    let first_value = small.tape.item(penalised);

    // The density of a weight, written out: ½·ln(2πs²) + w²/(2s²) with s² = 1/(nλ).
    let variance = 1.0 / (n * lambda);
    let loss = small.loss(train);
    let mut posterior = small.tape.scale(loss, n);
    let mut numbers = 0;
    for w in &weights {
        numbers += small.tape.value_slice(*w).len();
        let square = small.tape.square(*w);
        let scaled = small.tape.scale(square, 0.5 / variance);
        let term = small.tape.shift(scaled, 0.5 * Float::ln(std::f64::consts::TAU * variance));
        let sum = small.tape.sum(term);
        posterior = small.tape.add(posterior, sum);
    }
    small.tape.zero_grad();
    small.tape.backward(posterior);
    let second = small.tape.param_grads();
    let constant = numbers as f64 * 0.5 * Float::ln(std::f64::consts::TAU * variance);

    let size = first.iter().map(|g| g.abs()).fold(0.0, f64::max);
    let apart = first.iter().zip(second).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / size;
    let value = (small.tape.item(posterior) - constant - first_value).abs() / first_value.abs();
    claim(outcome, "The penalised loss is the posterior with a Gaussian prior: equal but for a constant")
        .named("map")
        .expected("equal gradients, values a constant apart")
        .measured(format!("gradients {} apart, values {}, relative", rounded(apart, 2), rounded(value, 2)))
        .criterion("both at most 10⁻¹²")
        .holds(
            apart <= 1e-12 && value <= 1e-12,
            format!(
                "The constant is a sum over {numbers} weights and large beside the loss: what is left after \
                 it is taken away has lost as many digits. A larger difference is a mistake in one of the \
                 two."
            ),
        );
    Ok(())
}

/// Steps with the optimizer's weight decay against steps on the penalised loss.
pub(super) fn decay_claim(outcome: &mut Outcome, context: &Context, train: &Dataset) -> Result<()> {
    context.check()?;
    let lambda = 0.1;
    let ends: Vec<Vec<f64>> = [true, false]
        .into_iter()
        .map(|decay| -> Result<Vec<f64>> {
            let mut small = Small::new(context, train)?;
            let weights = small.model.weights();
            let mut optimizer = Optimizer::new(Sgd, RATE)?
                .with_weight_decay(if decay { lambda } else { 0.0 })?
                .with_group(Group::new(small.model.biases(&small.tape)).with_weight_decay(0.0)?)?;
            for _ in 0..50 {
                let mut loss = small.loss(train);
                if !decay {
                    let penalty = small.tape.l2_penalty(&weights, lambda);
                    loss = small.tape.add(loss, penalty);
                }
                small.tape.zero_grad();
                small.tape.backward(loss);
                optimizer.step(&mut small.tape)?;
            }
            Ok(small.tape.param_values().to_vec())
        })
        .collect::<Result<_>>()?;
    let apart = ends[0].iter().zip(&ends[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    claim(outcome, "For plain gradient descent weight decay is the gradient of the penalty")
        .named("decay")
        .expected("the same weights")
        .measured(format!("at most {} apart after 50 steps", rounded(apart, 2)))
        .criterion("at most 10⁻¹²")
        .holds(
            apart <= 1e-12,
            "Both are rounded at every step, and what they differ by grows where the loss curves downwards: \
             after 50 steps it may be more than rounding alone.",
        );
    Ok(())
}
