//! How signals and gradients pass through deep networks.

mod fates;
mod report;
mod theory;

use super::{Context, Experiment, Outcome};
use crate::data::Dataset;
use crate::linalg::norm_squared;
use crate::models::Mlp;
use crate::nn::{Activation, Init, Linear, Mode, Module, Norm, loss};
use crate::optim::{Optimizer, Sgd};
use crate::report::Color;
use crate::rng::{Place, Purpose, derive, standard_normal, stream};
use crate::train::{Audit, FitOptions, Observer, Recorder, fit};
use crate::{Error, Float, Result, Tape};
use theory::{Variances, mean_field, predicted};

pub const EXPERIMENT: Experiment = Experiment {
    name: "gradient-flow",
    question: "Where do gradients vanish or explode in deep networks, and does normalisation cure it?",
    theory: &[
        "In a wide network with weights of variance σ²/n the mean square of the values in front of layer l \
         obeys q′ = σ²·E φ(√q·z)², and that of the gradients there p = σ²·E φ′(√q·z)²·p′, with z from N(0, 1) \
         (Poole et al. 2016; Schoenholz et al. 2017). For ReLU both factors are σ²/2: He's σ² = 2 keeps them, \
         Xavier's σ² = 1 halves them at each layer (Glorot and Bengio 2010; He et al. 2015). The slope of \
         the sigmoid is at most ¼: with Xavier's weights at most 1/16 of p is left at each layer.",
        "Normalisation in front of φ sets q = 1 and divides the gradient by the deviation that it removed. \
         Layer normalisation removes the root of E φ², so that p changes by E φ′²/E φ² at each layer; batch \
         normalisation removes that of Var φ, and p changes by E φ′²/Var φ. By Poincaré's inequality the \
         latter is never below 1: with batch normalisation gradients do not vanish, but they may explode, \
         for ReLU by π/(π − 1) = 1.47 at each layer (Yang et al. 2019).",
        "The gradient of the weights of a layer is made of the values that go in and the gradients that come \
         back, so that its norm goes as √(E φ²·p).",
        "That gradients arrive is not all that training needs. Layer by layer two inputs become alike: for ReLU with He's \
         weights 1 − cos of the angle between their values goes as 9π²/(2l²) (Hayou, Doucet and Rousseau 2019), \
         some 0.05 after 30 layers, so that the outputs are nearly the same for all images. Batch normalisation \
         takes their common part away (Daneshmand et al. 2020).",
    ],
    run,
};

const DEPTHS: [usize; 3] = [5, 10, 30];
const ACTIVATIONS: [Activation; 3] = [Activation::Relu, Activation::Gelu, Activation::Sigmoid];
/// With a name and a colour, and the dash and the width of lines that may lie on each other.
const NORMS: [(Norm, &str, Color, (usize, f64)); 3] = [
    (Norm::None, "no norm", Color::Vermilion, (0, 5.0)),
    (Norm::Batch, "batch norm", Color::Blue, (0, 2.0)),
    (Norm::Layer, "layer norm", Color::Green, (1, 2.0)),
];
/// Samples in the batch whose gradient is looked at.
const BATCH: usize = 128;
/// Weight layers of the networks in which variances are followed, and of those that are trained.
const DEEP: usize = 30;
const RATE: f64 = 0.05;

/// An activation with an initialisation, and σ² of the latter in layers of equal widths.
const INITS: [(Activation, Init, f64, &str); 5] = [
    (Activation::Relu, Init::HeNormal, 2.0, "ReLU, He"),
    (Activation::Relu, Init::XavierNormal, 1.0, "ReLU, Xavier"),
    (Activation::Gelu, Init::HeNormal, 2.0, "GELU, He"),
    (Activation::Tanh, Init::XavierNormal, 1.0, "tanh, Xavier"),
    (Activation::Sigmoid, Init::XavierNormal, 1.0, "sigmoid, Xavier"),
];

/// The name of an activation in texts.
fn title(activation: Activation) -> String {
    match activation {
        Activation::Relu => "ReLU".into(),
        Activation::Gelu => "GELU".into(),
        other => other.to_string(),
    }
}

/// A network of equal widths on inputs of mean square 1, and noise sent back through it.
fn measure(activation: Activation, init: Init, width: usize, seed: u64) -> Variances {
    const SAMPLES: usize = 16;
    let mut tape = Tape::new();
    let mut rng = stream(seed, Purpose::Init);
    let layers: Vec<Linear> =
        (0..DEEP).map(|_| Linear::new(&mut tape, width, width, false, init, &mut rng)).collect();
    let mut data = stream(seed, Purpose::Data);
    let mut h = tape.constant_with(SAMPLES, width, |to| {
        to.fill_with(|| standard_normal(&mut data));
        for row in to.chunks_mut(width) {
            let scale = (width as f64 / norm_squared(row)).sqrt();
            row.iter_mut().for_each(|x| *x *= scale);
        }
    });
    let mut before = Vec::new();
    for (k, layer) in layers.iter().enumerate() {
        if k > 0 {
            h = activation.apply(&mut tape, h);
        }
        h = layer.forward(&mut tape, h, &mut Mode::evaluation());
        before.push(h);
    }
    tape.zero_grad();
    tape.backward_with(h, |upstream| upstream.fill_with(|| standard_normal(&mut data)));
    let mean_square = |x: &[f64]| norm_squared(x) / x.len() as f64;
    let last = mean_square(tape.grad_slice(h));
    Variances {
        forward: before.iter().map(|z| mean_square(tape.value_slice(*z))).collect(),
        backward: before.iter().map(|z| mean_square(tape.grad_slice(*z)) / last).collect(),
    }
}

/// An entry of [`INITS`], measured.
struct Row {
    label: &'static str,
    /// Means over the networks.
    mean: Variances,
    /// Geometric means over the networks of their factors.
    typical: [f64; 2],
    theory: Variances,
}

/// Gradient norms of all weights of a network before its first step.
struct Flow {
    activation: Activation,
    norm: usize,
    depth: usize,
    /// Geometric means over the seeds.
    norms: Vec<f64>,
    /// From the second layer to the last but one, relative to the latter.
    theory: Vec<f64>,
    /// Mean cosine of the angle between the outputs for two images.
    likeness: f64,
}

impl Flow {
    /// The norm of the second layer over that of the last but one, the ends of those of equal widths: measured, and
    /// by the theory.
    fn ratios(&self) -> [f64; 2] {
        [self.norms[1] / self.norms[self.theory.len()], self.theory[0]]
    }

    /// By which a norm changes from a layer to the one before it, among layers of equal widths.
    fn factors(&self) -> [f64; 2] {
        let steps = self.theory.len() - 1;
        self.ratios().map(|ratio| Float::powf(ratio, 1.0 / steps as f64))
    }

    fn name(&self) -> String {
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
    let mut widths = vec![context.pick(64, 128); depth - 1];
    widths.insert(0, data.features());
    widths.push(data.classes());
    Mlp { norm: NORMS[norm].0, init: suited(activation), ..Mlp::new(&widths, activation) }
}

fn flow(
    context: &Context,
    activation: Activation,
    norm: usize,
    depth: usize,
    data: &Dataset,
) -> Result<Flow> {
    let options = options(context, activation, norm, depth, data);
    let labels: Vec<usize> = (0..data.len()).map(|i| data.label(i)).collect();
    let rows: Vec<usize> = (0..data.len()).collect();
    let mut images = vec![0.0; data.len() * data.features()];
    data.gather(&rows, &mut images);
    let seeds = context.pick(5, 10);
    let (mut logs, mut likeness) = (vec![0.0; depth], 0.0);
    for seed in (0..seeds).map(|k| derive(context.seed, k)) {
        context.check()?;
        let mut tape = Tape::new();
        let model = options.build(&mut tape, &mut stream(seed, Purpose::Init))?;
        let x = tape.constant_slice(data.len(), data.features(), &images);
        let place = Place { seed, epoch: 0, step: 0 };
        let logits = model.forward(&mut tape, x, &mut Mode::training(place));
        likeness += cosine(tape.value_slice(logits), data.classes()) / seeds as f64;
        let loss = tape.cross_entropy(logits, &labels);
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
struct Run {
    activation: Activation,
    norm: usize,
    losses: Vec<f64>,
    accuracy: f64,
}

fn train(context: &Context, activation: Activation, norm: usize) -> Result<Run> {
    let data = context.data.train.take(context.pick(2000, 5000));
    let mut tape = Tape::<f32>::default();
    let options = options(context, activation, norm, DEEP, &data);
    let model = options.build(&mut tape, &mut stream(context.seed, Purpose::Init))?;
    let mut optimizer = Optimizer::new(Sgd, RATE)?;
    let fit_options = FitOptions::new(context.pick(5, 10), 50, context.seed);
    let loss = loss::suited_to(&data)?;
    let (mut watch, mut record) = (context.observer("training"), Recorder::default());
    let observers: &mut [&mut dyn Observer<f32>] = &mut [&mut record, &mut watch];
    let fitted = fit(&model, &*loss, &mut tape, &mut optimizer, &data, None, &fit_options, observers);
    context.check()?;
    match fitted {
        // What was recorded before stays.
        Ok(_) | Err(Error::NonFinite(_)) => (),
        Err(error) => return Err(error),
    }
    let accuracy = record.epochs.last().and_then(|epoch| epoch.train_accuracy).unwrap_or(f64::NAN);
    let accuracy = if fitted.is_ok() { accuracy } else { f64::NAN };
    Ok(Run { activation, norm, losses: record.epochs.iter().map(|e| e.train_loss).collect(), accuracy })
}

fn run(context: &Context) -> Result<Outcome> {
    let (seeds, width) = context.pick((8, 200), (16, 400));
    let all = INITS.len() * seeds + 9 * DEPTHS.len() + 9;
    let mut done = 0;
    let mut variances = Vec::new();
    for (activation, init, variance, label) in INITS {
        let zeros = || vec![0.0; DEEP];
        let mut mean = Variances { forward: zeros(), backward: zeros() };
        let mut logs = [0.0; 2];
        for k in 0..seeds {
            context.at(done, all, label)?;
            done += 1;
            let one = measure(activation, init, width, derive(context.seed, k as u64));
            let add = |to: &mut [f64], x: &[f64]| {
                to.iter_mut().zip(x).for_each(|(to, x)| *to += x / seeds as f64);
            };
            add(&mut mean.forward, &one.forward);
            add(&mut mean.backward, &one.backward);
            logs.iter_mut().zip(one.factors()).for_each(|(log, factor)| *log += Float::ln(factor));
        }
        let theory = mean_field(activation, variance, variance, DEEP);
        variances.push(Row { label, mean, typical: logs.map(|log| Float::exp(log / seeds as f64)), theory });
    }
    let batch = context.data.train.take(BATCH);
    if batch.len() < 2 {
        return Err(Error::Data("batch normalisation needs two samples at least".into()));
    }
    let (mut flows, mut runs) = (Vec::new(), Vec::new());
    for activation in ACTIVATIONS {
        for norm in 0..NORMS.len() {
            for depth in DEPTHS {
                context.at(done, all, "gradients before the first step")?;
                done += 1;
                flows.push(flow(context, activation, norm, depth, &batch)?);
            }
        }
    }
    for activation in ACTIVATIONS {
        for norm in 0..NORMS.len() {
            context.at(done, all, "training")?;
            done += 1;
            runs.push(train(context, activation, norm)?);
        }
    }
    let mut outcome = Outcome::default();
    report::variances(&mut outcome, &variances, width, seeds);
    report::flows(&mut outcome, &flows);
    // Labels may be fewer than the data set has room for.
    let classes = context.data.train.class_counts().into_iter().filter(|count| *count > 0).count();
    report::runs(&mut outcome, &flows, &runs, classes);
    Ok(outcome)
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
