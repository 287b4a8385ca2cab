//! The gradient of the loss by the state at each step.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{BATCH, Bits, INPUTS, Kind, LENGTH, Rememberer, UNITS};
use crate::experiments::prelude::*;

/// What is followed at the start of training.
pub(super) const KINDS: [Kind; 6] =
    [Kind::Plain(0.5), Kind::Plain(1.0), Kind::Plain(2.0), Kind::Lstm, Kind::OpenLstm, Kind::Gru];

/// Of one kind: norms by the distance to the loss, 0 to T − 1, for each seed.
#[derive(Serialize, Deserialize)]
pub(super) struct Flow {
    pub kind: Kind,
    #[serde(with = "lossless")]
    pub norms: Vec<Vec<f64>>,
}

impl Flow {
    /// log₁₀ of what is left at the first step, as a share of what there is at the last.
    pub fn left(&self) -> Vec<f64> {
        self.norms.iter().map(|norms| log10(norms[norms.len() - 1] / norms[0])).collect()
    }

    /// The factor a step, from the slope of the logarithm of the norm over the distance.
    pub fn factors(&self) -> Vec<f64> {
        let factor = |norms: &Vec<f64>| {
            let logs: Vec<(f64, f64)> = norms
                .iter()
                .enumerate()
                .filter(|(_, n)| **n > 0.0)
                .map(|(t, n)| (t as f64, Float::ln(*n)))
                .collect();
            Float::exp(Fit::line(&logs).slope)
        };
        self.norms.iter().map(factor).collect()
    }

    /// The geometric mean over the seeds at each distance.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        (0..self.norms[0].len())
            .map(|t| {
                let logs: Vec<f64> = self.norms.iter().map(|norms| Float::ln(norms[t])).collect();
                (t as f64, Float::exp(mean(&logs)))
            })
            .filter(|(_, norm)| *norm > 0.0)
            .collect()
    }
}

/// Norms of the gradient by the states, by their distance to the loss. A node for each step: in the one node of a whole
/// recurrence, what goes from state to state is not to be seen.
pub(super) fn norms(net: &mut Rememberer, batch: &Bits) -> Vec<f64> {
    let Rememberer { tape, layer, head, kind, length } = net;
    tape.rewind();
    let sequences = batch.labels.len();
    let columns = if matches!(kind, Kind::Lstm | Kind::OpenLstm) { 2 * UNITS } else { UNITS };
    let mut state = tape.constant_with(sequences, columns, |_| ());
    let mut states = Vec::with_capacity(*length);
    for t in 0..*length {
        let token = |s: usize| &batch.tokens[(s * *length + t) * INPUTS..][..INPUTS];
        let tokens: Vec<f64> = (0..sequences).flat_map(token).copied().collect();
        let x = tape.constant_slice(sequences, INPUTS, &tokens);
        let sums = tape.linear(x, layer.weight, layer.bias);
        state = match layer.hidden_bias {
            Some(bias) => tape.gru(sums, layer.hidden, state, bias, 1),
            None if columns == UNITS => tape.rnn(sums, layer.hidden, state, 1),
            None => tape.lstm(sums, layer.hidden, state, 1),
        };
        states.push(state);
    }
    let last = tape.slice_cols(state, 0..UNITS);
    let logits = crate::nn::Module::forward(head, tape, last, &mut crate::nn::Mode::evaluation());
    let loss = tape.cross_entropy(logits, &batch.labels);
    tape.zero_grad();
    tape.backward(loss);
    let norm = |v: &Var| tape.grad_slice(*v).iter().map(|g| g * g).sum::<f64>().sqrt();
    states.iter().rev().map(norm).collect()
}

pub(super) fn measure(context: &Context, seeds: &[u64]) -> Result<Vec<Flow>> {
    context.at(0, 10, "gradients through 100 steps")?;
    let of_kind = |kind: Kind| -> Result<Flow> {
        let of_seed = |seed: &u64| -> Result<Vec<f64>> {
            let mut net = Rememberer::new(kind, LENGTH, *seed)?;
            Ok(norms(&mut net, &Bits::new(*seed, 0, BATCH, LENGTH)))
        };
        Ok(Flow { kind, norms: seeds.iter().map(of_seed).collect::<Result<_>>()? })
    };
    KINDS.into_par_iter().map(of_kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Step by step it is the same network as in one node, and the sum of the gradients by its weights the same.
    #[test]
    fn step_by_step_as_in_one_node() {
        for kind in [Kind::Plain(1.0), Kind::OpenLstm, Kind::Gru] {
            let mut net = Rememberer::new(kind, 7, 3).unwrap();
            let batch = Bits::new(3, 0, 4, 7);
            let (loss, _) = net.forward(&batch);
            net.tape.zero_grad();
            net.tape.backward(loss);
            let expected = net.tape.param_grads().to_vec();
            let norms = norms(&mut net, &batch);
            assert_eq!(norms.len(), 7);
            let differs = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-12 * b.abs().max(1e-3);
            assert!(!net.tape.param_grads().iter().zip(&expected).any(differs), "{kind:?}");
            // A copy has the same weights, and so the same gradients to the last bit; by way of f32, nearly so.
            assert_eq!(super::norms(&mut net.copied().unwrap(), &batch), norms, "{kind:?}");
            let rounded = super::norms(&mut net.copied::<f32>().unwrap().copied().unwrap(), &batch);
            let near = |(a, b): (&f64, &f64)| a != b && (a - b).abs() < 1e-5 * b;
            assert!(rounded.iter().zip(&norms).all(near), "{kind:?}: {rounded:?} {norms:?}");
        }
    }
}
