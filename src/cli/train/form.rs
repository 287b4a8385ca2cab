//! What networks have in common that are trained by steps: how one is made, and how much memory it takes.

use rand_chacha::ChaCha8Rng;

use super::super::{memory, output};
use crate::models::{Autoencoder, Cnn, ConvAutoencoder, Gpt, LeNet, Mlp, Vit};
use crate::nn::Sequential;
use crate::{Error, Float, Result, Tape};

/// The form of a network.
pub trait Form {
    /// Makes it.
    fn build<T: Float>(&self, tape: &mut Tape<T>, rng: &mut ChaCha8Rng) -> Result<Sequential<T>>;
    /// Numbers of all weights, and those that a step holds for each sample, without their gradients.
    fn numbers(&self) -> Result<(usize, usize)>;
    /// What it is called where it is too large, and the flag to blame, for batches of that size.
    fn blame(&self, batch: usize) -> (String, &'static str);
}

impl Form for Mlp {
    fn build<T: Float>(&self, tape: &mut Tape<T>, rng: &mut ChaCha8Rng) -> Result<Sequential<T>> {
        Mlp::build(self, tape, rng)
    }

    fn numbers(&self) -> Result<(usize, usize)> {
        // Up to four nodes behind each layer.
        let add = |sum: usize, width: &usize| sum.saturating_add(width.saturating_mul(4));
        Ok((self.trainable()?, self.widths.iter().fold(0, add)))
    }

    fn blame(&self, batch: usize) -> (String, &'static str) {
        let widths = &self.widths;
        let widest = widths[1..widths.len() - 1].iter().copied().max().unwrap_or(0);
        (format!("widths {widths:?}"), if widest >= batch { "hidden" } else { "batch" })
    }
}

/// A form whose own methods say it all.
macro_rules! forms {
    ($($form:ty),*) => {$(
        impl Form for $form {
            fn build<T: Float>(&self, tape: &mut Tape<T>, rng: &mut ChaCha8Rng) -> Result<Sequential<T>> {
                <$form>::build(self, tape, rng)
            }

            fn numbers(&self) -> Result<(usize, usize)> {
                <$form>::numbers(self)
            }

            fn blame(&self, _: usize) -> (String, &'static str) {
                (self.to_string(), "batch")
            }
        }
    )*};
}

forms!(LeNet, Cnn, Vit, Gpt, Autoencoder, ConvAutoencoder);

/// An error if the network is beyond the machine, before it takes the memory.
pub fn check_memory<T: Float>(form: &impl Form, batch: usize) -> Result<()> {
    // Values, gradients and two numbers of an optimizer for each weight; for each sample of a batch values and gradients.
    // The arena's buffers may hold twice what is in use.
    let (weights, sample) = form.numbers()?;
    let numbers = weights.saturating_mul(6).saturating_add(sample.saturating_mul(4).saturating_mul(batch));
    let (needed, room) = (numbers.saturating_mul(size_of::<T>()) as u64, memory::available());
    if needed <= room.bytes {
        return Ok(());
    }
    let (what, name) = form.blame(batch);
    let needed = output::bytes(needed);
    let why = format!("{what} at batch {batch} take about {needed}, and {room}: use smaller ones");
    Err(Error::setting(name, why))
}
