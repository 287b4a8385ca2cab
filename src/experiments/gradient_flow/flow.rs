//! The gradients of deep networks before the first step, and what becomes of these networks in training.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::theory::predicted;
use super::{DEEP, Kind, Phi, RATE};
use crate::experiments::prelude::*;
use crate::linalg::norm_squared;
use crate::models::Mlp;
use crate::nn::{Init, Mode, Module};
use crate::rng::Place;
use crate::train::{Audit, FitOptions, Recorder};

/// Gradient norms of all weights of networks before their first step.
#[derive(Serialize, Deserialize)]
pub(super) struct Flow {
    pub kind: Kind,
    pub depth: usize,
    /// Geometric means over the seeds.
    #[serde(with = "lossless")]
    pub norms: Vec<f64>,
    /// For each seed, log₁₀ of the norm of the second layer over that of the last but one, the ends of those of equal
    /// widths.
    #[serde(with = "lossless")]
    pub left: Vec<f64>,
    /// From the second layer to the last but one, relative to the latter.
    pub theory: Vec<f64>,
    /// Mean cosine of the angle between the outputs for two images.
    #[serde(with = "lossless")]
    pub likeness: f64,
}

impl Flow {
    /// The norm of the second layer over that of the last but one: measured, and by the theory.
    pub fn ratios(&self) -> [f64; 2] {
        [self.norms[1] / self.norms[self.theory.len()], self.theory[0]]
    }

    /// By which a norm changes from a layer to the one before it, among layers of equal widths.
    pub fn factors(&self) -> [f64; 2] {
        let steps = self.theory.len() - 1;
        self.ratios().map(|ratio| Float::powf(ratio, 1.0 / steps as f64))
    }

    pub fn name(&self) -> String {
        format!("{}, {} layers", self.kind.name(), self.depth)
    }
}

/// The initial weights that theory has for an activation.
fn suited(phi: Phi) -> Init {
    if matches!(phi, Phi::Relu | Phi::Gelu) { Init::HeNormal } else { Init::XavierUniform }
}

fn options(context: &Context, kind: Kind, depth: usize, data: &Dataset) -> Mlp {
    let widths = widths(data, &vec![context.pick(64, 128); depth - 1]);
    let mlp = Mlp::new(&widths, kind.phi.activation());
    Mlp { norm: kind.norm.norm(), init: suited(kind.phi), ..mlp }
}

impl Flow {
    pub fn measure(context: &Context, kind: Kind, depth: usize, data: &Dataset) -> Result<Flow> {
        let options = options(context, kind, depth, data);
        let (images, labels) = (data.to_rows::<f64>(), data.labels().unwrap_or_default());
        let seeds = context.pick(10, 20u64);
        let one = |seed: u64| -> Result<(Vec<f64>, f64)> {
            context.check()?;
            let Net { mut tape, model, .. } = Net::new(&options, data, seed)?;
            let x = tape.constant_slice(data.len(), data.features(), &images);
            let place = Place { seed, epoch: 0, step: 0 };
            let logits = model.forward(&mut tape, x, &mut Mode::training(place));
            let likeness = cosine(tape.value_slice(logits), data.classes());
            let loss = tape.cross_entropy(logits, labels);
            tape.zero_grad();
            tape.backward(loss);
            let audit = Audit::before_step(&tape, loss);
            let weights = audit.params.iter().filter(|flow| flow.name.ends_with("weight"));
            Ok((weights.map(|flow| Float::ln(flow.gradient_norm)).collect(), likeness))
        };
        let all: Vec<(Vec<f64>, f64)> =
            (0..seeds).into_par_iter().map(|k| one(derive(context.seed, k))).collect::<Result<_>>()?;
        let (mut sums, mut left, mut likeness) = (vec![0.0; depth], Vec::new(), 0.0);
        for (logs, like) in all {
            likeness += like / seeds as f64;
            left.push((logs[1] - logs[depth - 2]) / std::f64::consts::LN_10);
            sums.iter_mut().zip(logs).for_each(|(sum, log)| *sum += log);
        }
        let norms = sums.into_iter().map(|sum| Float::exp(sum / seeds as f64)).collect();

        let width = options.widths[1];
        let (variance, inputs) = match suited(kind.phi) {
            Init::HeNormal => (2.0, 2.0 / data.features() as f64),
            _ => (1.0, 2.0 / (data.features() + width) as f64),
        };
        let first = inputs * norm_squared(&images) / data.len() as f64;
        let theory = predicted(kind, variance, first, depth);
        Ok(Flow { kind, depth, norms, left, theory, likeness })
    }
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
#[derive(Serialize, Deserialize)]
pub(super) struct Run {
    pub kind: Kind,
    /// Mean loss of each epoch, from the first seed.
    #[serde(with = "lossless")]
    pub losses: Vec<f64>,
    /// Training accuracy in the last epoch, for each seed; 0 if the run has left the finite numbers.
    pub accuracies: Vec<f64>,
}

/// A network of these, trained from a seed: its mean loss of each epoch, and its accuracy in the last one.
pub(super) fn trained(context: &Context, kind: Kind, seed: u64) -> Result<(Vec<f64>, f64)> {
    let data = context.data.train.take(context.pick(1500, 3000));
    let mut net = Net::<f32>::new(&options(context, kind, DEEP, &data), &data, seed)?;
    let mut optimizer = Optimizer::new(Sgd, RATE)?;
    let options = FitOptions::new(context.pick(3, 6), 50, seed);
    let mut record = Recorder::default();
    let fitted = net.fit_observed(context, &mut optimizer, (&data, None), &options, Some(&mut record));
    // What was recorded before it diverged stays.
    let finite = unless_diverged(fitted)?.is_some();
    let last = record.epochs.last().filter(|_| finite);
    let accuracy = last.and_then(|epoch| epoch.train_accuracy).unwrap_or(0.0);
    Ok((record.epochs.iter().map(|epoch| epoch.train_loss).collect(), accuracy))
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
