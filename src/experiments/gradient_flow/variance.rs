//! The variances of values and gradients through depth: measured, claimed and shown.

use std::ops::Bound;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::theory::{Variances, mean_field};
use super::{DEEP, Phi};
use crate::experiments::prelude::*;
use crate::linalg::norm_squared;
use crate::nn::{Init, Linear, Mode, Module};

/// An activation with an initialisation, and σ² of the latter in layers of equal widths.
pub(super) const INITS: [(Phi, Init, f64, &str); 5] = [
    (Phi::Relu, Init::HeNormal, 2.0, "ReLU, He"),
    (Phi::Relu, Init::XavierNormal, 1.0, "ReLU, Xavier"),
    (Phi::Gelu, Init::HeNormal, 2.0, "GELU, He"),
    (Phi::Tanh, Init::XavierNormal, 1.0, "tanh, Xavier"),
    (Phi::Sigmoid, Init::XavierNormal, 1.0, "sigmoid, Xavier"),
];

/// A network of equal widths on inputs of mean square 1, and noise sent back through it.
fn one(phi: Phi, init: Init, width: usize, seed: u64) -> Variances {
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
            h = phi.activation().apply(&mut tape, h);
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
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    phi: Phi,
    label: String,
    /// Means over the networks.
    mean: Variances,
    /// By which values and gradients change at a layer, for each network.
    factors: Vec<[f64; 2]>,
    theory: Variances,
}

impl Row {
    /// Of values (0) or gradients (1): the factor of a network over another one.
    fn over(&self, which: usize, expected: f64) -> Estimate {
        let factors: Vec<f64> = self.factors.iter().map(|factors| factors[which] / expected).collect();
        Estimate::mean(&factors).of("networks")
    }

    /// Means over the networks of their factors.
    fn typical(&self) -> [f64; 2] {
        [0, 1].map(|which| self.over(which, 1.0).value())
    }
}

/// Over so many networks of a width, for each of [`INITS`]; `tell` is called before each of these.
pub(super) fn measure(
    context: &Context,
    width: usize,
    seeds: usize,
    mut tell: impl FnMut(&str) -> Result<()>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (phi, init, variance, label) in INITS {
        let zeros = || vec![0.0; DEEP];
        let mut mean = Variances { forward: zeros(), backward: zeros() };
        let mut factors = Vec::new();
        tell(label)?;
        let all: Vec<Variances> = (0..seeds)
            .into_par_iter()
            .map(|k| context.check().map(|()| one(phi, init, width, derive(context.seed, k as u64))))
            .collect::<Result<_>>()?;
        for one in all {
            let add = |to: &mut [f64], x: &[f64]| {
                to.iter_mut().zip(x).for_each(|(to, x)| *to += x / seeds as f64);
            };
            add(&mut mean.forward, &one.forward);
            add(&mut mean.backward, &one.backward);
            factors.push(one.factors());
        }
        let theory = mean_field(phi, variance, variance, DEEP);
        rows.push(Row { phi, label: label.into(), mean, factors, theory });
    }
    Ok(rows)
}

/// How far a factor may be from what the theory of infinite width has. In a network of ReLUs of width n the logarithm
/// of the mean square wanders by √(5/n) a layer, which takes 5/2n from it on average: a hundredth at a width of 200.
const MARGIN: f64 = 0.05;

fn claims(outcome: &mut Outcome, all: &[Row]) {
    let finite = "At a finite width the variance of a network varies randomly from layer to layer. The \
                  variance of its logarithm is proportional to depth over width.";
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
        let [forward, backward] = [0, 1].map(|way| all[which].over(way, 1.0));
        let range = expected * (1.0 - MARGIN)..=expected * (1.0 + MARGIN);
        claim(outcome, statement)
            .named(id)
            .expected(format!("a factor of {expected} at each layer"))
            .measured(format!("forward {forward}; backward {backward}"))
            .criterion(format!(
                "both whole 95\u{a0}% intervals are between {} and {}",
                rounded(*range.start(), 4),
                rounded(*range.end(), 4)
            ))
            .judged(forward.against(&range).and(backward.against(&range)), finite);
    }
    let of = |phi: Phi| all.iter().find(|row| row.phi == phi);
    if let Some(tanh) = of(Phi::Tanh) {
        let [forward, backward] = [0, 1].map(|way| tanh.over(way, 1.0));
        let below = (Bound::Unbounded, Bound::Excluded(1.0));
        claim(
            outcome,
            "With Xavier's initialisation the variances of tanh networks fall, forward and backward",
        )
        .named("xavier-tanh")
        .expected("a factor below 1 at each layer")
        .measured(format!("forward {forward}; backward {backward}"))
        .criterion("both whole 95\u{a0}% intervals are below 1")
        .judged(forward.against(&below).and(backward.against(&below)), finite);
    }
    if let Some(sigmoid) = of(Phi::Sigmoid) {
        claim(outcome, "With Xavier's initialisation the gradients of sigmoid networks keep at most 1/16 of their variance at each layer")
            .named("xavier-sigmoid")
            .expected("a factor of at most 1/16 = 0.0625")
            .estimated(sigmoid.over(1, 1.0))
            .saying(", the factor of the variance of the gradients at each layer")
            .within(..=1.0 / 16.0, finite);
    }
    let told: Vec<(&Row, usize, Estimate)> = all
        .iter()
        .filter(|row| row.phi != Phi::Gelu)
        .flat_map(|row| [0, 1].map(|way| (row, way, row.over(way, row.theory.factors()[way]))))
        .collect();
    let (row, way, worst) = greatest(&told, |(.., estimate)| (estimate.value() - 1.0).abs());
    let range = 1.0 - MARGIN..=1.0 + MARGIN;
    claim(outcome, "Mean-field theory predicts both factors of networks of ReLU, tanh and sigmoid")
        .named("mean-field-factors")
        .expected("the same eight factors")
        .measured(format!(
            "farthest off is {}, {}: {worst} times the theory's",
            row.label,
            ["forward", "backward"][*way]
        ))
        .criterion(format!(
            "all whole 95\u{a0}% intervals are within {} % of the theory's factor",
            rounded(100.0 * MARGIN, 2)
        ))
        .judged(Verdict::all(told.iter().map(|(.., estimate)| estimate.against(&range))), finite);
}

pub(super) fn report(outcome: &mut Outcome, all: &[Row], width: usize) {
    claims(outcome, all);
    let gelu = all.iter().find(|row| row.phi == Phi::Gelu);
    let gelu = gelu.map_or(String::new(), |row| {
        let both =
            |[forward, backward]: [f64; 2]| format!("{} and {}", fixed(forward, 2), fixed(backward, 2));
        format!(
            " For GELU the marks, which are means over the networks, have the factors {} forward and \
             backward. The typical network has {}, and the theory {}. The factor depends on the variance \
             itself: ½ near 0, 1 far from it. Networks that happen to get a large variance keep it, and \
             they dominate the mean.",
            both(row.mean.factors()),
            both(row.typical()),
            both(row.theory.factors())
        )
    });
    let sigmoid = all[all.len() - 1].mean.factors()[1];
    let chart = |title: &str, y: &str, of: fn(&Variances) -> &[f64]| {
        let chart = Chart::new(Axis::linear("layer"), Axis::log(y)).title(title);
        all.iter().enumerate().fold(chart, |chart, (i, Row { label, mean, theory, .. })| {
            let points = |v: &Variances| (1..).map(f64::from).zip(of(v).to_vec());
            let line = Line::new(points(theory)).named(format!("{label}, theory"));
            chart.line(line.color(Color::series(i)).width(1.2)).points(
                points(mean),
                Marker::series(i),
                Color::series(i),
                label,
            )
        })
    };
    outcome.draw(
        "variance",
        "Variance through depth",
        format!(
            "Lines are the theory of infinite width, marks are means over {} networks of width {width}. \
             Look for lines that stay level both ways. By the theory only ReLU with He's weights does. GELU \
             falls, because near 0 it is x/2. The gradients of the sigmoid, whose slope is at most ¼, are \
             divided by {} at each layer.{gelu}",
            all[0].factors.len(),
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
    let caption = "Factor at each layer: of the means over all networks, mean over the networks, theory";
    outcome.table(
        Table::of("variance", caption, all)
            .column("network", |row| row.label.as_str())
            .column("forward", |row| row.mean.factors()[0])
            .column("typical", |row| row.typical()[0])
            .column("theory", |row| row.theory.factors()[0])
            .column("backward", |row| row.mean.factors()[1])
            .column("typical ", |row| row.typical()[1])
            .column("theory ", |row| row.theory.factors()[1]),
    );
}
