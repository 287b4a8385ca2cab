//! What is claimed of gradients before and in training, and shown.

use super::fates::{self, Learning, fate, flow_of};
use super::flow::{Flow, Run};
use super::{ACTIVATIONS, DEEP, NORMS, RATE, title};
use crate::experiments::prelude::*;
use crate::nn::Activation;

pub(super) fn flows(outcome: &mut Outcome, flows: &[Flow]) {
    let deep = |activation: Activation, norm: usize| {
        flows.iter().find(|f| (f.activation, f.norm, f.depth) == (activation, norm, DEEP))
    };
    let claims = [
        (
            "sigmoid-vanishes",
            "Without normalisation the gradients of sigmoid networks vanish",
            Activation::Sigmoid,
            0,
            "vanishes",
        ),
        ("batch-norm-cures", "Batch normalisation cures it", Activation::Sigmoid, 1, "stays"),
        (
            "layer-norm-does-not",
            "Layer normalisation does not: the sigmoid's mean of ½ is most of what it divides by",
            Activation::Sigmoid,
            2,
            "vanishes",
        ),
        (
            "he-keeps-gradients",
            "He's weights keep the gradients of ReLU networks",
            Activation::Relu,
            0,
            "stays",
        ),
        ("batch-norm-explodes", "With batch normalisation they explode", Activation::Relu, 1, "explodes"),
    ];
    for (id, statement, activation, norm, expected) in claims {
        let Some(flow) = deep(activation, norm) else { continue };
        let ([measured, theory], [factor, factor_in_theory]) = (flow.ratios(), flow.factors());
        let criterion = match expected {
            "vanishes" => "less than a tenth of it is left",
            "stays" => "between a tenth and ten times of it is left",
            _ => "more than ten times as much arrives",
        };
        claim(outcome, statement)
            .named(id)
            .expected(format!(
                "the gradient of layer 2 has {} times the norm of layer {}'s",
                rounded(theory, 2),
                DEEP - 1
            ))
            .measured(format!(
                "{} times, that is {} at each layer against {} by theory",
                rounded(measured, 2),
                fixed(factor, 3),
                fixed(factor_in_theory, 3)
            ))
            .criterion(criterion)
            .holds(
                fate(measured) == expected,
                "The theory takes a wide network and each sample by itself. Here some 30 layers meet a width \
                 not much larger, so that chance adds up over the layers, and the gradient is that of a \
                 batch, whose samples add up or cancel.",
            );
    }
    let all: Vec<&Flow> = flows.iter().filter(|f| f.depth == DEEP).collect();
    let off = |flow: &Flow| {
        let [measured, theory] = flow.ratios();
        Float::ln(measured / theory).abs()
    };
    let worst = greatest(&all, |flow| off(flow));
    let other: Vec<String> =
        all.iter().filter(|f| fate(f.ratios()[0]) != fate(f.ratios()[1])).map(|f| f.name()).collect();
    let [measured, theory] = worst.ratios();
    claim(
        outcome,
        format!(
            "The theory tells of all {} networks of {DEEP} layers whether the gradient vanishes, stays or \
             explodes",
            all.len()
        ),
    )
    .named("fates")
    .expected(format!("the ratio of layer 2 to layer {}, whatever it is", DEEP - 1))
    .measured(format!(
        "another fate for {}; farthest off is {}: {} against {}",
        if other.is_empty() { "none".to_string() } else { other.join(" and ") },
        worst.name(),
        rounded(measured, 2),
        rounded(theory, 2)
    ))
    .criterion("the same fate for each, and every ratio within a factor of 10 of the theory's")
    .holds(
        other.is_empty() && off(worst) <= Float::ln(10.0),
        "A factor that is off by a twelfth at each layer is off by ten over all of them; the width is \
         finite, and samples of a batch add up or cancel.",
    );
    let mut figure = Figure::new(
        "gradient-norms",
        "Gradient norm of each layer before the first step",
        "Networks of 30 layers; those of 5 and 10 are in the table. What falls to the left vanishes on its way to the \
         inputs, what rises there explodes: look at which normalisation does what for which activation. The theory runs \
         through the last hidden layer. It takes each sample by itself; what is drawn is the gradient of a batch, whose \
         samples add up or cancel.",
    );
    for activation in ACTIVATIONS {
        let x = Axis::whole("layer");
        let mut chart = Chart::new(x, Axis::log("norm of the gradient")).title(title(activation));
        for (norm, (_, label, color, _)) in NORMS.into_iter().enumerate() {
            let deep = |f: &&Flow| f.activation == activation && f.norm == norm && f.depth == DEEP;
            let Some(flow) = flows.iter().find(deep) else { continue };
            let layer = |l: usize| (l + 1) as f64;
            let norms = flow.norms.iter().enumerate().map(|(l, norm)| (layer(l), *norm));
            let anchor = flow.norms[flow.depth - 2];
            let theory = flow.theory.iter().enumerate().map(|(l, x)| (layer(l + 1), anchor * x));
            // Side by side, so that names of lines that run together do not lie on each other.
            let at = 2 + 9 * norm;
            chart = chart
                .line(Line::new(norms).color(color))
                .line(Line::new(theory).color(color).width(1.2).dash(2))
                .note((layer(at), flow.norms[at]), label, Color::Ink);
        }
        // What dashes mean, whatever their colour.
        let sample = |label: &str| Line::new([]).label(label).color(Color::Muted);
        chart = chart.line(sample("measured"));
        chart = chart.line(sample("theory").width(1.2).dash(2));
        figure = figure.panel(chart);
    }
    outcome.figure(&figure);
    for flow in flows {
        outcome.number(format!("{}: gradient norm of layer 1", flow.name()), flow.norms[0]);
        outcome.number(format!("{}: factor", flow.name()), flow.factors()[0]);
        outcome.number(format!("{}: factor in theory", flow.name()), flow.factors()[1]);
    }
    let caption = "Gradient norms; the factor from a layer to the one before it; the ratio of layer 2 to the \
                   last hidden";
    outcome.table(
        Table::of("gradient-norms", caption, flows)
            .column("network", Flow::name)
            .column("layer 1", |flow| flow.norms[0])
            .column("layer 2", |flow| flow.norms[1])
            .column("last hidden", |flow| flow.norms[flow.depth - 2])
            .column("last layer", |flow| flow.norms[flow.depth - 1])
            .column("factor", |flow| flow.factors()[0])
            .column("theory", |flow| flow.factors()[1])
            .column("ratio", |flow| flow.ratios()[0])
            .column("theory ", |flow| flow.ratios()[1]),
    );
}

pub(super) fn runs(outcome: &mut Outcome, flows: &[Flow], runs: &[Run], classes: usize) {
    let learning = Learning::of(classes);
    let guess = Float::ln(classes as f64);
    let sigmoid: Vec<f64> =
        runs.iter().filter(|run| run.activation == Activation::Sigmoid).map(|run| run.accuracy).collect();
    let (plain, batch, layer) = (sigmoid[0], sigmoid[1], sigmoid[2]);
    claim(
        outcome,
        format!("Of the sigmoid networks of {DEEP} layers only the one with batch normalisation learns"),
    )
    .named("sigmoid-learns")
    .expected("chance, above it, chance")
    .measured(format!(
        "training accuracy {} without, {} with batch, {} with layer norm",
        fixed(plain, 3),
        fixed(batch, 3),
        fixed(layer, 3)
    ))
    .criterion(format!(
        "at most {} without and with layer normalisation, at least {} with batch normalisation",
        fixed(learning.chance, 2),
        fixed(learning.learned, 2)
    ))
    .holds(
        plain <= learning.chance && layer <= learning.chance && batch >= learning.learned,
        "That a gradient reaches the first layer says nothing of where it points, nor of how fast a step of \
         this rate goes.",
    );
    fates::report(outcome, flows, runs, classes);
    let mut figure = Figure::new(
        "training",
        "The same networks in training",
        format!(
            "Plain gradient descent, rate {RATE}, batches of 50, {DEEP} layers. The grey line is the loss of \
             one who guesses among {classes} classes. Look which networks leave it, and in the table whether \
             these are the ones whose gradient stays, or whose outputs for two images are less alike."
        ),
    );
    let mut rows = Vec::new();
    for activation in ACTIVATIONS {
        let name = title(activation);
        let axis = Axis::linear("cross-entropy (nats)").holding(0.0).holding(1.1 * guess);
        let mut chart =
            Chart::new(Axis::whole("epoch"), axis).title(&name).horizontal(guess, Color::Muted, "guessing");
        for run in runs.iter().filter(|run| run.activation == activation) {
            let (_, label, color, (dash, width)) = NORMS[run.norm];
            let losses = (1..).map(f64::from).zip(run.losses.iter().copied());
            chart = chart.line(Line::new(losses).label(label).color(color).dash(dash).width(width));
            let before = flow_of(flows, run);
            let [ratio, likeness] = before.map_or([f64::NAN; 2], |flow| [flow.ratios()[0], flow.likeness]);
            outcome.number(format!("{name}, {label}: likeness of two images"), likeness);
            outcome.number(format!("{name}, {label}: training accuracy"), run.accuracy);
            rows.push((format!("{name}, {label}"), ratio, likeness, run));
        }
        figure = figure.panel(chart);
    }
    outcome.figure(&figure);
    let caption = format!(
        "What training comes to; before it, the gradient of layer 2 over that of layer {}, and the mean \
         cosine of the angle between the outputs for two images",
        DEEP - 1
    );
    outcome.table(
        Table::of("training", caption, &rows)
            .column("network", |row| row.0.as_str())
            .column("gradient of layer 2", |row| row.1)
            .column("likeness of two images", |row| row.2)
            .column("last loss", |row| row.3.losses.last().copied().unwrap_or(f64::NAN))
            .column("training accuracy", |row| row.3.accuracy),
    );
}
