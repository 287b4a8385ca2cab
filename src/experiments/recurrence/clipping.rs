//! A recurrence whose gradients explode, trained with clipping and without.

use super::{BATCH, Bits, Kind, Rememberer};
use crate::experiments::prelude::*;
use crate::optim::Clip;

/// Steps of a sequence.
pub(super) const LENGTH: usize = 30;
/// Bound on the norm.
pub(super) const BOUND: f64 = 1.0;
const STEPS: usize = 150;
const KIND: Kind = Kind::Plain(2.0);
const RATE: f64 = 0.1;

/// What one seed gave.
#[derive(Serialize, Deserialize)]
pub(super) struct Pair {
    /// Loss of each step without clipping; it may end early, where it is not finite any more.
    #[serde(with = "lossless")]
    pub free: Vec<f64>,
    #[serde(with = "lossless")]
    pub clipped: Vec<f64>,
    /// Norms of the gradients before they were clipped.
    #[serde(with = "lossless")]
    pub norms: Vec<f64>,
}

pub(super) fn measure(context: &Context, seeds: &[u64]) -> Result<Vec<Pair>> {
    context.side_by_side(1..2, 10, "clipping", seeds, |seed| pair(context, *seed))
}

fn pair(context: &Context, seed: u64) -> Result<Pair> {
    let mut pair = Pair { free: vec![], clipped: vec![], norms: vec![] };
    for clips in [false, true] {
        let mut net = Rememberer::<f64>::new(KIND, LENGTH, seed)?;
        let mut clip = if clips { Clip::none().with_norm(BOUND)? } else { Clip::none() };
        let mut optimizer = Optimizer::new(Sgd, RATE)?;
        for step in 0..STEPS {
            context.check()?;
            let (loss, _) = net.forward(&Bits::new(seed, step as u64, BATCH, LENGTH));
            let value = net.tape.item(loss);
            net.tape.zero_grad();
            net.tape.backward(loss);
            if !clips {
                pair.free.push(value);
                // Gone too far for numbers: that is the result.
                if unless_diverged(optimizer.step(&mut net.tape))?.is_none() {
                    break;
                }
                continue;
            }
            pair.norms.push(net.tape.param_grads().iter().map(|g| g * g).sum::<f64>().sqrt());
            clip.apply(&mut net.tape)?;
            pair.clipped.push(value);
            optimizer.step(&mut net.tape)?;
        }
    }
    Ok(pair)
}
