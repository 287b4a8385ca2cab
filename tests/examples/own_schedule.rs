//! A schedule of one's own: one cycle, up along half a cosine to a high rate, and down along another to nearly 0.
//!
//! Smith and Topin, "Super-Convergence", 2018 (arXiv:1708.07120); the rates are those of PyTorch's `OneCycleLR`.
//!
//! `cargo run --release --example own_schedule`
//!
//! Digits, ten epochs: trained on 1348 images, measured on 449 others; medians of seven seeds.
//!
//! | | accuracy |
//! |---|---|
//! | tapegrad | 0.971 |
//! | PyTorch 2.15, the same network, schedule and split | 0.978 |

mod common;

use std::fmt;
use std::sync::Arc;

use tapegrad::models::{Network, Predictor};
use tapegrad::optim::schedule::Schedule;
use tapegrad::train::{FitOptions, Rate};
use tapegrad::{Float, Result};

/// From a 25th of `highest` up to it in three tenths of the steps, then down to a 250,000th.
pub struct OneCycle {
    /// The rate at the top.
    pub highest: f64,
    /// The steps of the run.
    pub steps: u64,
}

impl Schedule for OneCycle {
    fn lr(&self, step: u64) -> f64 {
        let (first, last) = (self.highest / 25.0, self.highest / 25.0 / 1e4);
        let (end, top) = (self.steps as f64 - 1.0, 0.3 * self.steps as f64 - 1.0);
        // The crate's own cosine has the same bits on every machine; the standard library's need not.
        let between = |from: f64, to: f64, share: f64| {
            to + (from - to) / 2.0 * (1.0 + Float::cos(std::f64::consts::PI * share.min(1.0)))
        };
        let step = step as f64;
        if step <= top {
            between(first, self.highest, step / top)
        } else {
            between(self.highest, last, (step - top) / (end - top))
        }
    }
}

impl fmt::Display for OneCycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one_cycle highest={:?} steps={}", self.highest, self.steps)
    }
}

/// Accuracy on the test part, the median of seven seeds.
pub fn figures() -> Result<f64> {
    let (train, test) = common::digits()?;
    let (epochs, batch) = (10, 32);
    let steps = (epochs * train.len().div_ceil(batch)) as u64;
    let rate = Rate::Schedule(Arc::new(OneCycle { highest: 0.01, steps }));
    let [accuracy] = common::medians(|seed| {
        let mut net = Network::<f32>::new(seed).standardize(&train)?.linear(64).relu().outputs_for(&train)?;
        let options = FitOptions { rate: rate.clone(), ..FitOptions::new(epochs, batch, seed) };
        net.fit(&train, &options)?;
        Ok([net.evaluate(&test)?.accuracy().expect("classes have an accuracy")])
    })?;
    Ok(accuracy)
}

fn main() -> Result<()> {
    println!("accuracy {:.4}, the median of seven seeds", figures()?);
    Ok(())
}
