//! An optimizer of one's own: Lion, which steps by signs alone.
//!
//! Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023 (arXiv:2302.06675), algorithm 2:
//! θ ← θ − η·(sign(β₁m + (1−β₁)g) + λθ), then m ← β₂m + (1−β₂)g.
//!
//! `cargo run --release --example lion`
//!
//! Digits: trained on 1348 images, measured on 449 others; medians of seven seeds.
//!
//! | | accuracy |
//! |---|---|
//! | tapegrad | 0.969 |
//! | PyTorch 2.15 with the paper's algorithm written out, the same network and split | 0.967 |

mod common;

use tapegrad::models::{Network, Predictor};
use tapegrad::optim::{Optimizer, Rule, Step};
use tapegrad::train::FitOptions;
use tapegrad::{Float, Result};

/// Lion with the paper's β₁ = 0.9 and β₂ = 0.99.
pub struct Lion;

impl<T: Float> Rule<T> for Lion {
    fn name(&self) -> &'static str {
        "lion"
    }

    /// One number remembered for each: m.
    fn buffers(&self) -> usize {
        1
    }

    fn update(&self, step: &Step, values: &mut [T], grads: &[T], m: &mut [T]) {
        let (lr, decay) = (T::of(step.lr), T::of(step.lr * step.weight_decay));
        let (beta1, beta2) = (T::of(0.9), T::of(0.99));
        for ((x, g), m) in values.iter_mut().zip(grads).zip(m) {
            let c = beta1 * *m + (T::ONE - beta1) * *g;
            // The sign of 0 is 0: what has no gradient stays, up to the decay.
            let sign = if c > T::ZERO {
                T::ONE
            } else if c < T::ZERO {
                -T::ONE
            } else {
                T::ZERO
            };
            *x = *x - decay * *x - lr * sign;
            *m = beta2 * *m + (T::ONE - beta2) * *g;
        }
    }
}

/// Accuracy on the test part, the median of seven seeds.
pub fn figures() -> Result<f64> {
    let (train, test) = common::digits()?;
    let [accuracy] = common::medians(|seed| {
        let mut net = Network::<f32>::new(seed)
            .standardize(&train)?
            .linear(64)
            .relu()
            .optimizer(Optimizer::new(Lion, 0.0003)?.with_weight_decay(0.1)?)
            .outputs_for(&train)?;
        net.fit(&train, &FitOptions { epochs: 20, seed, ..Default::default() })?;
        Ok([net.evaluate(&test)?.accuracy().expect("classes have an accuracy")])
    })?;
    Ok(accuracy)
}

fn main() -> Result<()> {
    println!("accuracy {:.4}, the median of seven seeds", figures()?);
    Ok(())
}
