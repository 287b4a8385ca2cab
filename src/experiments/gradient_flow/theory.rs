//! What the theory of wide networks says about the variance of values and gradients, layer by layer.

use super::{Kind, Normalised, Phi};
use crate::experiments::prelude::*;

/// Means over z from N(0, q) of φ(z), φ(z)² and φ′(z)².
pub(super) struct Moments {
    pub mean: f64,
    pub square: f64,
    pub slope: f64,
}

/// By the midpoint rule, which is as good as exact for smooth functions; a kink at 0 lies between two nodes.
pub(super) fn moments(phi: Phi, q: f64) -> Moments {
    const NODES: usize = 4000;
    const REACH: f64 = 10.0;
    let step = 2.0 * REACH / NODES as f64;
    let nodes: Vec<f64> = (0..NODES).map(|i| (i as f64 + 0.5) * step - REACH).collect();
    let mut tape = Tape::new();
    let z = tape.variable_with(1, NODES, |to| {
        to.iter_mut().zip(&nodes).for_each(|(to, node)| *to = q.sqrt() * node);
    });
    let y = phi.activation().apply(&mut tape, z);
    tape.backward_with(y, |upstream| upstream.fill(1.0));
    let (values, slopes) = (tape.value_slice(y), tape.grad_slice(z));
    let mut moments = Moments { mean: 0.0, square: 0.0, slope: 0.0 };
    for ((node, value), slope) in nodes.iter().zip(values).zip(slopes) {
        let density = step * Float::exp(-0.5 * node * node) / std::f64::consts::TAU.sqrt();
        moments.mean += density * value;
        moments.square += density * value * value;
        moments.slope += density * slope * slope;
    }
    moments
}

/// Mean squares in front of each layer's activation: of the values, and of the gradients relative to the last.
#[derive(Serialize, Deserialize)]
pub(super) struct Variances {
    pub forward: Vec<f64>,
    pub backward: Vec<f64>,
}

impl Variances {
    /// By which both change at a layer: values from the first to the last, gradients from the last to the first.
    pub fn factors(&self) -> [f64; 2] {
        let last = self.forward.len() - 1;
        let root = |x: f64| Float::powf(x, 1.0 / last as f64);
        [root(self.forward[last] / self.forward[0]), root(self.backward[0] / self.backward[last])]
    }
}

/// What the theory says for weights of variance σ²/n, if the first layer makes values of mean square `first`.
pub(super) fn mean_field(phi: Phi, variance: f64, first: f64, depth: usize) -> Variances {
    let (mut forward, mut slopes) = (vec![first], Vec::new());
    for layer in 1..depth {
        let moments = moments(phi, forward[layer - 1]);
        forward.push(variance * moments.square);
        slopes.push(variance * moments.slope);
    }
    let mut backward = vec![1.0; depth];
    for layer in (0..depth - 1).rev() {
        backward[layer] = slopes[layer] * backward[layer + 1];
    }
    Variances { forward, backward }
}

/// √(E φ²·p) of the hidden layers of equal widths, relative to the last of them.
pub(super) fn predicted(Kind { phi, norm }: Kind, variance: f64, first: f64, depth: usize) -> Vec<f64> {
    let hidden = depth - 1;
    if norm == Normalised::Not {
        let Variances { forward, backward } = mean_field(phi, variance, first, depth);
        // Layer l, from 1, takes σ(√q of the layer before): E φ² = q/σ² of its own values.
        let size = |layer: usize| (forward[layer - 1] * backward[layer - 1]).sqrt();
        return (2..=hidden).map(|layer| size(layer) / size(hidden)).collect();
    }
    let Moments { mean, square, slope } = moments(phi, 1.0);
    let removed = if norm == Normalised::Batch { square - mean * mean } else { square };
    (2..=hidden).map(|layer| Float::powi((slope / removed).sqrt(), (hidden - layer) as i32)).collect()
}
