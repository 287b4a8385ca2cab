//! The gradients of deep networks before the first step, and what becomes of these networks in training.

use super::theory::predicted;
use super::{DEEP, NORMS, RATE, title};
use crate::experiments::prelude::*;
use crate::linalg::norm_squared;
use crate::models::Mlp;
use crate::nn::{Activation, Init, Mode, Module};
use crate::rng::Place;
use crate::train::{Audit, FitOptions, Recorder};

/// Gradient norms of all weights of a network before its first step.
pub(super) struct Flow {
    pub activation: Activation,
    pub norm: usize,
    pub depth: usize,
    /// Geometric means over the seeds.
    pub norms: Vec<f64>,
    /// From the second layer to the last but one, relative to the latter.
    pub theory: Vec<f64>,
    /// Mean cosine of the angle between the outputs for two images.
    pub likeness: f64,
}

impl Flow {
    /// The norm of the second layer over that of the last but one, the ends of those of equal widths: measured, and
    /// by the theory.
    pub fn ratios(&self) -> [f64; 2] {
        [self.norms[1] / self.norms[self.theory.len()], self.theory[0]]
    }

    /// By which a norm changes from a layer to the one before it, among layers of equal widths.
    pub fn factors(&self) -> [f64; 2] {
        let steps = self.theory.len() - 1;
        self.ratios().map(|ratio| Float::powf(ratio, 1.0 / steps as f64))
    }

    pub fn name(&self) -> String {
        format!("{}, {}, {} layers", title(self.activation), NORMS[self.norm].1, self.depth)
    }
}

/// The initial weights that theory has for an activation.
fn suited(activation: Activation) -> Init {
    if matches!(activation, Activation::Relu | Activation::Gelu) {
        Init::HeNormal
    } else {
        Init::XavierUniform
    }
}

fn options(context: &Context, activation: Activation, norm: usize, depth: usize, data: &Dataset) -> Mlp {
    let widths = widths(data, &vec![context.pick(64, 128); depth - 1]);
    Mlp { norm: NORMS[norm].0, init: suited(activation), ..Mlp::new(&widths, activation) }
}

pub(super) fn flow(
    context: &Context,
    activation: Activation,
    norm: usize,
    depth: usize,
    data: &Dataset,
) -> Result<Flow> {
    let options = options(context, activation, norm, depth, data);
    let (images, labels) = (data.to_rows::<f64>(), data.labels().unwrap_or_default());
    let seeds = context.pick(5, 10);
    let (mut logs, mut likeness) = (vec![0.0; depth], 0.0);
    for seed in (0..seeds).map(|k| derive(context.seed, k)) {
        context.check()?;
        let Net { mut tape, model, .. } = Net::new(&options, data, seed)?;
        let x = tape.constant_slice(data.len(), data.features(), &images);
        let place = Place { seed, epoch: 0, step: 0 };
        let logits = model.forward(&mut tape, x, &mut Mode::training(place));
        likeness += cosine(tape.value_slice(logits), data.classes()) / seeds as f64;
        let loss = tape.cross_entropy(logits, labels);
        tape.zero_grad();
        tape.backward(loss);
        let audit = Audit::before_step(&tape, loss);
        let weights = audit.params.iter().filter(|flow| flow.name.ends_with("weight"));
        logs.iter_mut().zip(weights).for_each(|(log, flow)| *log += Float::ln(flow.gradient_norm));
    }
    let norms = logs.into_iter().map(|log| Float::exp(log / seeds as f64)).collect();

    let width = options.widths[1];
    let (variance, inputs) = match suited(activation) {
        Init::HeNormal => (2.0, 2.0 / data.features() as f64),
        _ => (1.0, 2.0 / (data.features() + width) as f64),
    };
    let first = inputs * norm_squared(&images) / data.len() as f64;
    let theory = predicted(activation, norm, variance, first, depth);
    Ok(Flow { activation, norm, depth, norms, theory, likeness })
}

/// Mean over all pairs of rows of the cosine of the angle between them.
fn cosine(values: &[f64], columns: usize) -> f64 {
    let mut sum = vec![0.0; columns];
    for row in values.chunks(columns) {
        let size = norm_squared(row).sqrt();
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x / size);
    }
    let rows = (values.len() / columns) as f64;
    (norm_squared(&sum) - rows) / (rows * (rows - 1.0))
}

/// A network of 30 layers in training.
pub(super) struct Run {
    pub activation: Activation,
    pub norm: usize,
    pub losses: Vec<f64>,
    pub accuracy: f64,
}

pub(super) fn train(context: &Context, activation: Activation, norm: usize) -> Result<Run> {
    let data = context.data.train.take(context.pick(2000, 5000));
    let mut net = Net::<f32>::new(&options(context, activation, norm, DEEP, &data), &data, context.seed)?;
    let mut optimizer = Optimizer::new(Sgd, RATE)?;
    let options = FitOptions::new(context.pick(5, 10), 50, context.seed);
    let mut record = Recorder::default();
    let fitted = net.fit(context, "training", &mut optimizer, (&data, None), &options, Some(&mut record));
    // What was recorded before it diverged stays.
    let finite = unless_diverged(fitted)?.is_some();
    let accuracy = record.epochs.last().filter(|_| finite).and_then(|epoch| epoch.train_accuracy);
    let losses = record.epochs.iter().map(|epoch| epoch.train_loss).collect();
    Ok(Run { activation, norm, losses, accuracy: accuracy.unwrap_or(f64::NAN) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_of_all_pairs() {
        // Of three rows one pair is alike, and two are at right angles.
        assert!((cosine(&[1.0, 0.0, 0.0, 3.0, 2.0, 0.0], 2) - 1.0 / 3.0).abs() < 1e-15);
        assert!((cosine(&[1.0, 1.0, -2.0, -2.0], 2) + 1.0).abs() < 1e-15);
    }
}
