//! How signals and gradients pass through deep networks.

mod theory;

use super::{Context, Experiment, Outcome};
use crate::data::Dataset;
use crate::linalg::norm_squared;
use crate::models::{MlpOptions, Model};
use crate::nn::{Activation, Init, Linear, Mode, Norm};
use crate::optim::{Optimizer, Sgd};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table};
use crate::rng::{Purpose, standard_normal, stream};
use crate::train::{Audit, FitOptions, Loss, Trace, fit};
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
    ],
    run,
};

const DEPTHS: [usize; 3] = [5, 10, 30];
const ACTIVATIONS: [Activation; 3] = [Activation::Relu, Activation::Gelu, Activation::Sigmoid];
const NORMS: [(Norm, &str, Color, Marker); 3] = [
    (Norm::None, "no norm", Color::Vermilion, Marker::Circle),
    (Norm::Batch, "batch norm", Color::Blue, Marker::Square),
    (Norm::Layer, "layer norm", Color::Green, Marker::Triangle),
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
        h = layer.forward(&mut tape, h);
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
}

impl Flow {
    /// By which a norm changes from a layer to the one before it, among layers of equal widths.
    fn factors(&self) -> [f64; 2] {
        let steps = self.theory.len() - 1;
        let root = |x: f64| Float::powf(x, 1.0 / steps as f64);
        [root(self.norms[1] / self.norms[steps + 1]), root(self.theory[0])]
    }

    fn name(&self) -> String {
        format!("{} {}, {} layers", self.activation, NORMS[self.norm].1, self.depth)
    }
}

fn options(
    context: &Context,
    activation: Activation,
    norm: usize,
    depth: usize,
    data: &Dataset,
) -> MlpOptions {
    let mut widths = vec![context.pick(64, 128); depth - 1];
    widths.insert(0, data.features());
    widths.push(data.classes());
    MlpOptions { norm: NORMS[norm].0, ..MlpOptions::new(&widths, activation) }
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
    let mut logs = vec![0.0; depth];
    for seed in (0..seeds).map(|k| context.seed.wrapping_add(k)) {
        context.check()?;
        let mut tape = Tape::new();
        let model = options.build(&mut tape, &mut stream(seed, Purpose::Init))?;
        let x = tape.constant_slice(data.len(), data.features(), &images);
        let mut dropout = stream(seed, Purpose::Dropout);
        let logits = model.append(&mut tape, x, &mut Mode::Training(&mut dropout));
        let loss = tape.cross_entropy(logits, &labels);
        tape.zero_grad();
        tape.backward(loss);
        let audit = Audit::before_step(&tape, loss);
        let weights = audit.params.iter().filter(|flow| flow.name.starts_with('w'));
        logs.iter_mut().zip(weights).for_each(|(log, flow)| *log += Float::ln(flow.gradient_norm));
    }
    let norms = logs.into_iter().map(|log| Float::exp(log / seeds as f64)).collect();

    let width = options.widths[1];
    let (variance, inputs) = match activation.init() {
        Init::HeNormal => (2.0, 2.0 / data.features() as f64),
        _ => (1.0, 2.0 / (data.features() + width) as f64),
    };
    let first = inputs * norm_squared(&images) / data.len() as f64;
    let theory = predicted(activation, norm, variance, first, depth);
    Ok(Flow { activation, norm, depth, norms, theory })
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
    let fit_options = FitOptions::new(context.pick(5, 10), 50, context.seed, Loss::suited_to(&data)?);
    let (mut watch, mut trace) = (context.observer("training"), Trace::default());
    let fitted = fit(&model, &mut tape, &mut optimizer, &data, None, &fit_options, &mut watch, &mut trace);
    context.check()?;
    match fitted {
        // What was recorded before stays.
        Ok(_) | Err(Error::NonFinite(_)) => (),
        Err(error) => return Err(error),
    }
    let accuracy = trace.epochs.last().and_then(|epoch| epoch.train_accuracy).unwrap_or(f64::NAN);
    let accuracy = if fitted.is_ok() { accuracy } else { f64::NAN };
    Ok(Run { activation, norm, losses: trace.epochs.iter().map(|e| e.train_loss).collect(), accuracy })
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
            let one = measure(activation, init, width, context.seed.wrapping_add(k as u64));
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
    report_variances(&mut outcome, &variances, width, seeds);
    report_flows(&mut outcome, &flows);
    report_runs(&mut outcome, &runs);
    Ok(outcome)
}

fn report_variances(outcome: &mut Outcome, all: &[Row], width: usize, seeds: usize) {
    let claims = [
        ("He's initialisation keeps the variances of ReLU networks, forward and backward", 0, 1.0),
        ("Xavier's halves them at each layer of ReLU", 1, 0.5),
    ];
    for (statement, which, expected) in claims {
        let [forward, backward] = all[which].mean.factors();
        outcome.claim(
            Claim::that(statement)
                .expected(format!("a factor of {expected} at each layer"))
                .measured(format!("{forward:.4} forward, {backward:.4} backward, over {DEEP} layers"))
                .criterion("both within 3 % of it")
                .holds([forward, backward].iter().all(|factor| (factor / expected - 1.0).abs() <= 0.03), ""),
        );
    }
    let mut worst = (0.0, &all[0]);
    for row in all {
        for (measured, theory) in row.mean.factors().into_iter().zip(row.theory.factors()) {
            let error = (measured / theory - 1.0).abs();
            worst = if error > worst.0 { (error, row) } else { worst };
        }
    }
    let (error, row) = worst;
    let claim = Claim::that("Mean-field theory predicts both factors of every activation")
        .expected("the same ten factors")
        .measured(format!("{:.2} % off at most, for {}", 100.0 * error, row.label))
        .criterion("all within 3 %")
        .holds(error <= 0.03, "");
    outcome.claim(if claim.holds {
        claim
    } else {
        let (mean, [f, b], theory) = (row.mean.factors(), row.typical, row.theory.factors());
        claim.because(format!(
            "For {}, the mean over the networks has the factors {:.3} and {:.3}, the geometric mean over them {f:.3} and \
             {b:.3}, the theory {:.3} and {:.3}. It is one of infinite width, and the wider the nearer: at this one the networks differ, and \
             where a factor depends on the variance itself, as with GELU from ½ near 0 to 1 far from it, those thrown \
             upwards stay up and carry the mean.",
            row.label, mean[0], mean[1], theory[0], theory[1]
        ))
    });
    let chart = |title: &str, y: &str, of: fn(&Variances) -> &[f64]| {
        let mut chart = Chart::new(Axis::linear("layer"), Axis::log(y)).title(title);
        for (i, Row { label, mean, theory, .. }) in all.iter().enumerate() {
            let points = |v: &Variances| -> Vec<(f64, f64)> {
                of(v).iter().enumerate().map(|(l, v)| ((l + 1) as f64, *v)).collect()
            };
            chart = chart.line(Line::new(points(theory)).color(Color::series(i)).width(1.2)).points(
                points(mean),
                Marker::series(i),
                Color::series(i),
                *label,
            );
        }
        chart
    };
    outcome.figure(
        &Figure::new(
            "variance",
            "Variance through depth",
            format!(
                "Lines are the theory of infinite width, marks means over {seeds} networks of width {width}. Only He's \
                 weights with ReLU stay level both ways; by the theory those of GELU fall, since near 0 it is x/2. The \
                 values of the sigmoid stay near ¼, yet its gradients lose a factor of 18 at each layer."
            ),
        )
        .panel(chart("Forward", "mean square of the values", |v| &v.forward))
        .panel(chart("Backward", "mean square of the gradients", |v| &v.backward)),
    );
    let columns = ["network", "forward", "typical", "theory", "backward", "typical ", "theory "];
    let caption =
        "Factor at each layer: of the means over all networks, geometric mean of each network's, theory";
    let mut table = Table::new("variance", caption, columns);
    for Row { label, mean, typical, theory } in all {
        let ([forward, backward], [f, b]) = (mean.factors(), theory.factors());
        let numbers = [forward, typical[0], f, backward, typical[1], b];
        table.row(std::iter::once((*label).into()).chain(numbers.map(Into::into)));
        outcome.number(format!("{label}: forward factor"), forward);
        outcome.number(format!("{label}: forward factor in theory"), f);
        outcome.number(format!("{label}: backward factor"), backward);
        outcome.number(format!("{label}: backward factor in theory"), b);
    }
    outcome.table(table);
}

fn plain(x: f64) -> String {
    if (0.01..1000.0).contains(&x) { format!("{x:.2}") } else { format!("{x:.1e}") }
}

fn report_flows(outcome: &mut Outcome, flows: &[Flow]) {
    let deep = |activation: Activation, norm: usize| {
        flows.iter().find(|f| (f.activation, f.norm, f.depth) == (activation, norm, DEEP))
    };
    let claims = [
        ("Without normalisation the gradients of sigmoid networks vanish", Activation::Sigmoid, 0),
        ("Batch normalisation cures it", Activation::Sigmoid, 1),
        (
            "Layer normalisation does not: the sigmoid's mean of ½ is most of what it divides by",
            Activation::Sigmoid,
            2,
        ),
        ("He's weights keep the gradients of ReLU networks", Activation::Relu, 0),
        ("With batch normalisation they explode, slowly", Activation::Relu, 1),
    ];
    for (statement, activation, norm) in claims {
        let Some(flow) = deep(activation, norm) else { continue };
        let [measured, theory] = flow.factors();
        let layers = flow.theory.len();
        outcome.claim(
            Claim::that(statement)
                .expected(format!("a norm {theory:.3} times as large at each layer towards the inputs"))
                .measured(format!(
                    "{measured:.3}; layer 2 has {} of layer {}'s, by theory {}",
                    plain(flow.norms[1] / flow.norms[layers]),
                    layers + 1,
                    plain(flow.theory[0])
                ))
                .criterion("the factor is within 10 % of the theory's")
                .holds((measured / theory - 1.0).abs() <= 0.1, ""),
        );
    }
    let mut figure = Figure::new(
        "gradient-norms",
        "Gradient norm of each layer before the first step",
        "Networks of 5 layers (circles), 10 (squares) and 30 (no marks). Dashed: the theory for 30 layers, through the \
         last hidden one. What falls to the left vanishes on its way to the inputs: the sigmoid's, unless batch \
         normalisation keeps it. For ReLU and GELU that makes gradients grow towards the inputs. Without \
         normalisation GELU's are level too, but the deeper the network, the smaller in all layers. The theory takes each sample by \
         itself; what is drawn is the gradient of a batch, whose samples add up or cancel.",
    );
    for activation in ACTIVATIONS {
        let name =
            ["ReLU", "GELU", "sigmoid"][ACTIVATIONS.iter().position(|a| *a == activation).unwrap_or(0)];
        let mut chart = Chart::new(Axis::linear("layer"), Axis::log("norm of the gradient")).title(name);
        for (norm, (_, label, color, _)) in NORMS.into_iter().enumerate() {
            for flow in flows.iter().filter(|f| f.activation == activation && f.norm == norm) {
                let at = |(l, norm): (usize, &f64)| ((l + 1) as f64, *norm);
                let label = if flow.depth == DEEP { label } else { "" };
                let points = flow.norms.iter().enumerate().map(at);
                let line = Line::new(points).label(label).color(color);
                chart = chart.line(match flow.depth {
                    DEEP => line,
                    5 => line.width(1.2).marker(Marker::Circle),
                    _ => line.width(1.2).marker(Marker::Square),
                });
                if flow.depth == DEEP {
                    let anchor = flow.norms[DEEP - 2];
                    let theory = flow.theory.iter().enumerate().map(|(l, x)| ((l + 2) as f64, anchor * x));
                    chart = chart.line(Line::new(theory).color(Color::Muted).dash(1));
                }
            }
        }
        figure = figure.panel(chart);
    }
    outcome.figure(&figure);
    let columns = ["network", "layer 1", "layer 2", "last hidden layer", "last layer", "factor", "theory"];
    let caption = "Gradient norms, and the factor from a layer to the one before it";
    let mut table = Table::new("gradient-norms", caption, columns);
    for flow in flows {
        let [measured, theory] = flow.factors();
        let at = |layer: usize| flow.norms[layer - 1];
        let numbers = [at(1), at(2), at(flow.depth - 1), at(flow.depth), measured, theory];
        table.row(std::iter::once(flow.name().into()).chain(numbers.map(Into::into)));
        outcome.number(format!("{}: gradient norm of layer 1", flow.name()), at(1));
        outcome.number(format!("{}: factor", flow.name()), measured);
        outcome.number(format!("{}: factor in theory", flow.name()), theory);
    }
    outcome.table(table);
}

fn report_runs(outcome: &mut Outcome, runs: &[Run]) {
    let sigmoid: Vec<f64> =
        runs.iter().filter(|run| run.activation == Activation::Sigmoid).map(|run| run.accuracy).collect();
    let (plain, batch, layer) = (sigmoid[0], sigmoid[1], sigmoid[2]);
    let claim = Claim::that(format!(
        "Of the sigmoid networks of {DEEP} layers only the one with batch normalisation learns"
    ))
    .expected("chance, above it, chance")
    .measured(format!(
        "training accuracy {plain:.3} without, {batch:.3} with batch, {layer:.3} with layer norm"
    ))
    .criterion("at most 0.2 without and with layer normalisation, at least 0.5 with batch normalisation")
    .holds(plain <= 0.2 && layer <= 0.2 && batch >= 0.5, "");
    outcome.claim(if claim.holds {
        claim
    } else {
        claim.because(
            "That a gradient reaches the first layer says nothing of where it points, nor of how fast a step \
             of this rate goes.",
        )
    });
    let mut figure = Figure::new(
        "training",
        "The same networks in training",
        format!(
            "Plain gradient descent, rate {RATE}, batches of 50, {DEEP} layers. The dashed line is the loss of \
             one who guesses: sigmoid networks in which no gradient gets through stay on it."
        ),
    );
    let columns = ["network", "last loss", "training accuracy"];
    let mut table = Table::new("training", "What training comes to", columns);
    for (activation, name) in ACTIVATIONS.into_iter().zip(["ReLU", "GELU", "sigmoid"]) {
        let axis = Axis::linear("cross-entropy (nats)").holding(0.0).holding(2.5);
        let mut chart = Chart::new(Axis::linear("epoch"), axis).title(name).horizontal(
            Float::ln(10.0),
            Color::Muted,
            "guessing",
        );
        for run in runs.iter().filter(|run| run.activation == activation) {
            let (_, label, color, marker) = NORMS[run.norm];
            let losses = run.losses.iter().enumerate().map(|(i, loss)| ((i + 1) as f64, *loss));
            chart = chart.line(Line::new(losses).label(label).color(color).marker(marker));
            let last = run.losses.last().copied().unwrap_or(f64::NAN);
            table.row([format!("{name}, {label}").into(), last.into(), run.accuracy.into()]);
            outcome.number(format!("{name}, {label}: training accuracy"), run.accuracy);
        }
        figure = figure.panel(chart);
    }
    outcome.figure(&figure);
    outcome.table(table);
}
