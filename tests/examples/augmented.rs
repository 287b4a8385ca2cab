//! A convolutional network of six layers that sees every image of MNIST moved, turned, stretched and slanted in another way
//! each time.
//!
//! `cargo run --release --example augmented -- FOLDER [EPOCHS] [SEED]`, where the folder holds the four files of MNIST.
//! The run stands in `augmented.safetensors` after each epoch, and goes on from there if that file is there.

use std::path::Path;
use std::sync::Arc;

use tapegrad::data::Augment;
use tapegrad::linalg::{available_threads, with_threads};
use tapegrad::models::{Network, Predictor};
use tapegrad::nn::Init;
use tapegrad::optim::schedule::{Cosine, Warmup};
use tapegrad::train::observers::Checkpoints;
use tapegrad::train::{Checkpoint, FitOptions, Observer, Rate, Run};
use tapegrad::{Dataset, Error, Float, Result};

const BATCH: usize = 128;

/// Pairs of layers of 32, 64 and 128 filters of 3×3, each layer with its normalisation, and a pool of 2×2 behind the first
/// and the last pair.
pub fn network(train: &Dataset, seed: u64) -> Result<Network<f32>> {
    let (height, width) =
        train.image_shape().ok_or_else(|| Error::Data("the samples are no images".into()))?;
    Network::<f32>::new(seed)
        .init(Init::HeNormal)
        .image(1, height, width)
        .conv(32, 3)
        .batch_norm()
        .relu()
        .conv(32, 3)
        .batch_norm()
        .relu()
        .max_pool(2)
        .conv(64, 3)
        .batch_norm()
        .relu()
        .conv(64, 3)
        .batch_norm()
        .relu()
        .dropout(0.2)
        .conv(128, 3)
        .batch_norm()
        .relu()
        .conv(128, 3)
        .batch_norm()
        .relu()
        .max_pool(2)
        .dropout(0.4)
        .outputs_for(train)
}

/// How it is trained: the rate rises for 300 steps, and falls with the cosine to 0 at the end of the run.
pub fn options(samples: usize, epochs: usize, seed: u64) -> Result<FitOptions> {
    let steps = (samples.div_ceil(BATCH) * epochs) as u64;
    let warmup = 300.min(steps / 4);
    let cosine = Cosine::new(2e-3, 0.0, steps - warmup)?;
    Ok(FitOptions {
        rate: Rate::Schedule(Arc::new(Warmup::new(warmup, cosine))),
        augment: Some(Augment { shift: 2, rotate: 10.0, scale: 0.1, shear: 0.1, ..Augment::default() }),
        ..FitOptions::new(epochs, BATCH, seed)
    })
}

/// Says where the run stands.
struct Lines;

impl<T: Float> Observer<T> for Lines {
    fn epoch(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if let Some(epoch) = run.history.epochs.last() {
            let accuracy = epoch.train_accuracy.unwrap_or(f64::NAN);
            println!(
                "epoch {}: loss {:.4}, accuracy {accuracy:.4}, {:.1} s",
                epoch.epoch, epoch.train_loss, epoch.seconds
            );
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or_else(|| Error::Data("which folder holds MNIST?".into()))?;
    let mut number = |usual: u64, name: &'static str| match args.next() {
        Some(text) => text.parse().map_err(|_| Error::setting(name, format!("`{text}` is no whole number"))),
        None => Ok(usual),
    };
    let (epochs, seed) = (number(45, "epochs")? as usize, number(42, "seed")?);
    with_threads(available_threads(), || {
        let (train, test) = Dataset::mnist(&folder)?;
        let mut net = network(&train, seed)?;
        println!("{}", net.summary(BATCH)?);
        let path = Path::new("augmented.safetensors");
        let resume = if path.exists() { Some(Checkpoint::load(path)?) } else { None };
        let options = FitOptions { resume, ..options(train.len(), epochs, seed)? };
        let per_epoch = train.len().div_ceil(BATCH) as u64;
        let mut saves = Checkpoints { path: path.into(), steps: per_epoch };
        net.fit_with(&train, None, &options, &mut [&mut Lines, &mut saves])?;
        let accuracy = net.evaluate(&test)?.accuracy().unwrap_or(f64::NAN);
        println!("test accuracy {accuracy:.4} ({} images)", test.len());
        Ok(())
    })
}
