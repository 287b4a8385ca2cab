//! A layer of one's own: a residual block x + W₂·relu(W₁·norm(x)), in a network that reads handwritten digits.
//!
//! A block of parts that are there already is `NetworkBuilder::residual`; this one is written from nothing.
//!
//! `cargo run --release --example residual`
//!
//! Trained on 1348 images, measured on 449 others; medians of seven seeds.
//!
//! | | accuracy |
//! |---|---|
//! | tapegrad | 0.971 |
//! | PyTorch 2.15, the same network and split | 0.971 |

mod common;

use tapegrad::models::{Network, Predictor};
use tapegrad::nn::{Init, LayerNorm, Linear, Mode, Module, visit_part};
use tapegrad::tape::Param;
use tapegrad::train::FitOptions;
use tapegrad::{Dataset, Float, Result, Tape, Var};

/// x + W₂·relu(W₁·norm(x) + b₁) + b₂.
pub struct Block {
    norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl<T: Float> Module<T> for Block {
    fn describe(&self) -> String {
        "residual block".into()
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        let y = self.norm.forward(tape, x, mode);
        let y = self.up.forward(tape, y, mode);
        let y = tape.relu(y);
        let y = self.down.forward(tape, y, mode);
        tape.add(x, y)
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit_part::<T>("norm", &self.norm, visit);
        visit_part::<T>("up", &self.up, visit);
        visit_part::<T>("down", &self.down, visit);
    }
}

/// A trained network with two blocks.
pub fn trained(train: &Dataset, seed: u64) -> Result<Network<f32>> {
    let mut net = Network::<f32>::new(seed).standardize(train)?.linear(64);
    for _ in 0..2 {
        net = net.add_with(|tape, width, rng| {
            Ok(Block {
                norm: LayerNorm::new(tape, width, 1e-5)?,
                up: Linear::new(tape, width, width, true, Init::PyTorch, rng),
                down: Linear::new(tape, width, width, true, Init::PyTorch, rng),
            })
        });
    }
    let mut net = net.outputs_for(train)?;
    net.fit(train, &FitOptions { epochs: 20, seed, ..Default::default() })?;
    Ok(net)
}

/// Accuracy on the test part, the median of seven seeds.
pub fn figures() -> Result<f64> {
    let (train, test) = common::digits()?;
    let [accuracy] = common::medians(|seed| {
        let evaluation = trained(&train, seed)?.evaluate(&test)?;
        Ok([evaluation.accuracy().expect("classes have an accuracy")])
    })?;
    Ok(accuracy)
}

fn main() -> Result<()> {
    let (train, _) = common::digits()?;
    println!("{}", trained(&train, 0)?.summary(32)?);
    println!("accuracy {:.4}, the median of seven seeds", figures()?);
    Ok(())
}
