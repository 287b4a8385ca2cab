//! The variances of values and gradients through depth: measured, claimed and shown.

use super::DEEP;
use super::theory::{Variances, mean_field};
use crate::experiments::prelude::*;
use crate::linalg::norm_squared;
use crate::nn::{Activation, Init, Linear, Mode, Module};

/// An activation with an initialisation, and σ² of the latter in layers of equal widths.
pub(super) const INITS: [(Activation, Init, f64, &str); 5] = [
    (Activation::Relu, Init::HeNormal, 2.0, "ReLU, He"),
    (Activation::Relu, Init::XavierNormal, 1.0, "ReLU, Xavier"),
    (Activation::Gelu, Init::HeNormal, 2.0, "GELU, He"),
    (Activation::Tanh, Init::XavierNormal, 1.0, "tanh, Xavier"),
    (Activation::Sigmoid, Init::XavierNormal, 1.0, "sigmoid, Xavier"),
];

/// A network of equal widths on inputs of mean square 1, and noise sent back through it.
fn one(activation: Activation, init: Init, width: usize, seed: u64) -> Variances {
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
pub(super) struct Row {
    label: &'static str,
    /// Means over the networks.
    mean: Variances,
    /// Geometric means over the networks of their factors.
    typical: [f64; 2],
    theory: Variances,
}

/// Means over so many networks of a width, for each of [`INITS`]; `tell` is called before each network.
pub(super) fn measure(
    context: &Context,
    width: usize,
    seeds: usize,
    mut tell: impl FnMut(&str) -> Result<()>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (activation, init, variance, label) in INITS {
        let zeros = || vec![0.0; DEEP];
        let mut mean = Variances { forward: zeros(), backward: zeros() };
        let mut logs = [0.0; 2];
        for k in 0..seeds {
            tell(label)?;
            let one = one(activation, init, width, derive(context.seed, k as u64));
            let add = |to: &mut [f64], x: &[f64]| {
                to.iter_mut().zip(x).for_each(|(to, x)| *to += x / seeds as f64);
            };
            add(&mut mean.forward, &one.forward);
            add(&mut mean.backward, &one.backward);
            logs.iter_mut().zip(one.factors()).for_each(|(log, factor)| *log += Float::ln(factor));
        }
        let theory = mean_field(activation, variance, variance, DEEP);
        rows.push(Row { label, mean, typical: logs.map(|log| Float::exp(log / seeds as f64)), theory });
    }
    Ok(rows)
}

pub(super) fn report(outcome: &mut Outcome, all: &[Row], width: usize, seeds: usize) {
    let claims = [
        (
            "he-keeps-variances",
            "He's initialisation keeps the variances of ReLU networks, forward and backward",
            0,
            1.0,
        ),
        ("xavier-halves", "Xavier's halves them at each layer of ReLU", 1, 0.5),
    ];
    for (id, statement, which, expected) in claims {
        let [forward, backward] = all[which].mean.factors();
        let over_all = |factor: f64| Float::powi(factor / expected, DEEP as i32 - 1);
        claim(outcome, statement)
            .named(id)
            .expected(format!("a factor of {expected} at each layer"))
            .measured(format!(
                "{} forward, {} backward; over all {DEEP} layers {} and {} times what it should be",
                fixed(forward, 4),
                fixed(backward, 4),
                rounded(over_all(forward), 3),
                rounded(over_all(backward), 3)
            ))
            .criterion(format!(
                "both within 3 % of it, which over all layers is a factor of {}",
                fixed(Float::powi(1.03f64, DEEP as i32 - 1), 1)
            ))
            .holds(
                [forward, backward].iter().all(|factor| (factor / expected - 1.0).abs() <= 0.03),
                "At a finite width the variance of a network goes up and down by chance from layer to layer, \
                 and few networks with large ones carry the mean: the spread of its logarithm grows as depth \
                 over width.",
            );
    }
    let off = |row: &Row| {
        let factors = row.mean.factors().into_iter().zip(row.theory.factors());
        factors.map(|(measured, theory)| (measured / theory - 1.0).abs()).fold(0.0, f64::max)
    };
    let row = greatest(all, off);
    let error = off(row);
    let (mean, [f, b], theory) = (row.mean.factors(), row.typical, row.theory.factors());
    claim(outcome, "Mean-field theory predicts both factors of every activation")
        .named("mean-field-factors")
        .expected("the same ten factors")
        .measured(format!("{} % off at most, for {}", rounded(100.0 * error, 3), row.label))
        .criterion("all within 3 %")
        .holds(
            error <= 0.03,
            format!(
                "For {}, the mean over the networks has the factors {} and {}, the geometric mean over them \
                 {} and {}, the theory {} and {}. It is one of infinite width, and the wider the nearer: at \
                 this one the networks differ, and where a factor depends on the variance itself, as with \
                 GELU from ½ near 0 to 1 far from it, those thrown upwards stay up and carry the mean.",
                row.label,
                fixed(mean[0], 3),
                fixed(mean[1], 3),
                fixed(f, 3),
                fixed(b, 3),
                fixed(theory[0], 3),
                fixed(theory[1], 3)
            ),
        );
    let sigmoid = all[all.len() - 1].mean.factors()[1];
    let chart = |title: &str, y: &str, of: fn(&Variances) -> &[f64]| {
        let chart = Chart::new(Axis::linear("layer"), Axis::log(y)).title(title);
        all.iter().enumerate().fold(chart, |chart, (i, Row { label, mean, theory, .. })| {
            let points = |v: &Variances| (1..).map(f64::from).zip(of(v).to_vec());
            chart.line(Line::new(points(theory)).color(Color::series(i)).width(1.2)).points(
                points(mean),
                Marker::series(i),
                Color::series(i),
                *label,
            )
        })
    };
    outcome.draw(
        "variance",
        "Variance through depth",
        format!(
            "Lines are the theory of infinite width, marks means over {seeds} networks of width {width}. \
             Look for what stays level both ways: by the theory only He's weights with ReLU, while those of \
             GELU fall, since near 0 it is x/2. The gradients of the sigmoid, whose slope is at most ¼, are \
             divided by {} at each layer.",
            rounded(1.0 / sigmoid, 3)
        ),
        [
            chart("Forward", "mean square of the values", |v| &v.forward),
            chart("Backward", "mean square of the gradients", |v| &v.backward),
        ],
    );
    for Row { label, mean, theory, .. } in all {
        let ([forward, backward], [f, b]) = (mean.factors(), theory.factors());
        outcome.number(format!("{label}: forward factor"), forward);
        outcome.number(format!("{label}: forward factor in theory"), f);
        outcome.number(format!("{label}: backward factor"), backward);
        outcome.number(format!("{label}: backward factor in theory"), b);
    }
    let caption =
        "Factor at each layer: of the means over all networks, geometric mean of each network's, theory";
    outcome.table(
        Table::of("variance", caption, all)
            .column("network", |row| row.label)
            .column("forward", |row| row.mean.factors()[0])
            .column("typical", |row| row.typical[0])
            .column("theory", |row| row.theory.factors()[0])
            .column("backward", |row| row.mean.factors()[1])
            .column("typical ", |row| row.typical[1])
            .column("theory ", |row| row.theory.factors()[1]),
    );
}
