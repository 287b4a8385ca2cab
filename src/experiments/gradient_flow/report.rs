//! What is claimed of gradient flow, and shown.

use super::fates::{self, Learning, fate, flow_of};
use super::theory::Variances;
use super::{ACTIVATIONS, DEEP, DEPTHS, Flow, NORMS, RATE, Row, Run, title};
use crate::Float;
use crate::experiments::Outcome;
use crate::nn::Activation;
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table, fixed, rounded};

pub(super) fn variances(outcome: &mut Outcome, all: &[Row], width: usize, seeds: usize) {
    let claims = [
        ("He's initialisation keeps the variances of ReLU networks, forward and backward", 0, 1.0),
        ("Xavier's halves them at each layer of ReLU", 1, 0.5),
    ];
    for (statement, which, expected) in claims {
        let [forward, backward] = all[which].mean.factors();
        let over_all = |factor: f64| Float::powi(factor / expected, DEEP as i32 - 1);
        outcome.claim(
            Claim::that(statement)
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
                    "At a finite width the variance of a network goes up and down by chance from layer to layer, and \
                     few networks with large ones carry the mean: the spread of its logarithm grows as depth over width.",
                ),
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
    let (mean, [f, b], theory) = (row.mean.factors(), row.typical, row.theory.factors());
    outcome.claim(
        Claim::that("Mean-field theory predicts both factors of every activation")
            .expected("the same ten factors")
            .measured(format!("{} % off at most, for {}", rounded(100.0 * error, 3), row.label))
            .criterion("all within 3 %")
            .holds(
                error <= 0.03,
                format!(
                    "For {}, the mean over the networks has the factors {} and {}, the geometric mean over them {} and \
                     {}, the theory {} and {}. It is one of infinite width, and the wider the nearer: at this one the \
                     networks differ, and where a factor depends on the variance itself, as with GELU from ½ near 0 to 1 \
                     far from it, those thrown upwards stay up and carry the mean.",
                    row.label,
                    fixed(mean[0], 3),
                    fixed(mean[1], 3),
                    fixed(f, 3),
                    fixed(b, 3),
                    fixed(theory[0], 3),
                    fixed(theory[1], 3)
                ),
            ),
    );
    let sigmoid = all[all.len() - 1].mean.factors()[1];
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
                "Lines are the theory of infinite width, marks means over {seeds} networks of width {width}. Look for what \
                 stays level both ways: by the theory only He's weights with ReLU, while those of GELU fall, since near 0 it \
                 is x/2. The gradients of the sigmoid, whose slope is at most ¼, are divided by {} at each layer.",
                rounded(1.0 / sigmoid, 3)
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

/// What tells the depths apart.
fn marker(depth: usize) -> Option<Marker> {
    match depth {
        DEEP => None,
        5 => Some(Marker::Circle),
        _ => Some(Marker::Square),
    }
}

pub(super) fn flows(outcome: &mut Outcome, flows: &[Flow]) {
    let deep = |activation: Activation, norm: usize| {
        flows.iter().find(|f| (f.activation, f.norm, f.depth) == (activation, norm, DEEP))
    };
    let claims = [
        (
            "Without normalisation the gradients of sigmoid networks vanish",
            Activation::Sigmoid,
            0,
            "vanishes",
        ),
        ("Batch normalisation cures it", Activation::Sigmoid, 1, "stays"),
        (
            "Layer normalisation does not: the sigmoid's mean of ½ is most of what it divides by",
            Activation::Sigmoid,
            2,
            "vanishes",
        ),
        ("He's weights keep the gradients of ReLU networks", Activation::Relu, 0, "stays"),
        ("With batch normalisation they explode", Activation::Relu, 1, "explodes"),
    ];
    for (statement, activation, norm, expected) in claims {
        let Some(flow) = deep(activation, norm) else { continue };
        let ([measured, theory], [factor, factor_in_theory]) = (flow.ratios(), flow.factors());
        let criterion = match expected {
            "vanishes" => "less than a tenth of it is left",
            "stays" => "between a tenth and ten times of it is left",
            _ => "more than ten times as much arrives",
        };
        outcome.claim(
            Claim::that(statement)
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
                    "The theory takes a wide network and each sample by itself. Here some 30 layers meet a width not \
                     much larger, so that chance adds up over the layers, and the gradient is that of a batch, whose \
                     samples add up or cancel.",
                ),
        );
    }
    let all: Vec<&Flow> = flows.iter().filter(|f| f.depth == DEEP).collect();
    let off = |flow: &Flow| {
        let [measured, theory] = flow.ratios();
        Float::ln(measured / theory).abs()
    };
    let worst = all.iter().fold(all[0], |a, b| if off(b) > off(a) { b } else { a });
    let other: Vec<String> =
        all.iter().filter(|f| fate(f.ratios()[0]) != fate(f.ratios()[1])).map(|f| f.name()).collect();
    let [measured, theory] = worst.ratios();
    outcome.claim(
        Claim::that(format!(
            "The theory tells of all {} networks of {DEEP} layers whether the gradient vanishes, stays or explodes",
            all.len()
        ))
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
            "A factor that is off by a twelfth at each layer is off by ten over all of them; the width is finite, and \
             samples of a batch add up or cancel.",
        ),
    );
    let mut figure = Figure::new(
        "gradient-norms",
        "Gradient norm of each layer before the first step",
        "Layers from the first to the last, whatever the depth. The theory is that for 30 layers, through the last hidden \
         one, in the colour of what it is for. What falls to the left vanishes on its way to the inputs, what rises there explodes: look \
         at which normalisation does what for which activation, and how low all layers of GELU without normalisation lie. The \
         theory takes each sample by itself; what is drawn is the gradient of a batch, whose samples add up or cancel.",
    );
    for activation in ACTIVATIONS {
        let mut chart =
            Chart::new(Axis::linear("layer, as a share of the depth"), Axis::log("norm of the gradient"))
                .title(title(activation));
        for (norm, (_, label, color, _)) in NORMS.into_iter().enumerate() {
            for flow in flows.iter().filter(|f| f.activation == activation && f.norm == norm) {
                let share = |l: usize| l as f64 / (flow.depth - 1) as f64;
                let line = |label: &str| {
                    let points = flow.norms.iter().enumerate().map(|(l, norm)| (share(l), *norm));
                    Line::new(points).label(label).color(color)
                };
                chart = match marker(flow.depth) {
                    Some(marker) => chart.line(line("").width(1.2).marker(marker)),
                    None => {
                        let anchor = flow.norms[flow.depth - 2];
                        let theory = flow.theory.iter().enumerate().map(|(l, x)| (share(l + 1), anchor * x));
                        chart.line(line(label)).line(Line::new(theory).color(color).width(1.2).dash(2))
                    }
                };
            }
        }
        // What marks and dashes mean, whatever their colour.
        let sample = |label: &str| Line::new([]).label(label).color(Color::Muted);
        for depth in DEPTHS {
            let line = sample(&format!("{depth} layers"));
            chart = chart.line(match marker(depth) {
                Some(marker) => line.width(1.2).marker(marker),
                None => line,
            });
        }
        chart = chart.line(sample("theory").width(1.2).dash(2));
        figure = figure.panel(chart);
    }
    outcome.figure(&figure);
    let columns = [
        "network",
        "layer 1",
        "layer 2",
        "last hidden",
        "last layer",
        "factor",
        "theory",
        "ratio",
        "theory ",
    ];
    let caption = "Gradient norms; the factor from a layer to the one before it; the ratio of layer 2 to the last hidden";
    let mut table = Table::new("gradient-norms", caption, columns);
    for flow in flows {
        let ([measured, theory], [ratio, predicted]) = (flow.factors(), flow.ratios());
        let at = |layer: usize| flow.norms[layer - 1];
        let numbers = [at(1), at(2), at(flow.depth - 1), at(flow.depth), measured, theory, ratio, predicted];
        table.row(std::iter::once(flow.name().into()).chain(numbers.map(Into::into)));
        outcome.number(format!("{}: gradient norm of layer 1", flow.name()), at(1));
        outcome.number(format!("{}: factor", flow.name()), measured);
        outcome.number(format!("{}: factor in theory", flow.name()), theory);
    }
    outcome.table(table);
}

pub(super) fn runs(outcome: &mut Outcome, flows: &[Flow], runs: &[Run], classes: usize) {
    let learning = Learning::of(classes);
    let guess = Float::ln(classes as f64);
    let sigmoid: Vec<f64> =
        runs.iter().filter(|run| run.activation == Activation::Sigmoid).map(|run| run.accuracy).collect();
    let (plain, batch, layer) = (sigmoid[0], sigmoid[1], sigmoid[2]);
    outcome.claim(
        Claim::that(format!(
            "Of the sigmoid networks of {DEEP} layers only the one with batch normalisation learns"
        ))
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
            "That a gradient reaches the first layer says nothing of where it points, nor of how fast a step \
             of this rate goes.",
        ),
    );
    fates::report(outcome, flows, runs, classes);
    let mut figure = Figure::new(
        "training",
        "The same networks in training",
        format!(
            "Plain gradient descent, rate {RATE}, batches of 50, {DEEP} layers. The grey line is the loss of \
             one who guesses among {classes} classes. Look which networks leave it, and in the table whether these are the \
             ones whose gradient stays, or whose outputs for two images are less alike."
        ),
    );
    let columns =
        ["network", "gradient of layer 2", "likeness of two images", "last loss", "training accuracy"];
    let caption = format!(
        "What training comes to; before it, the gradient of layer 2 over that of layer {}, and the mean cosine of the \
         angle between the outputs for two images",
        DEEP - 1
    );
    let mut table = Table::new("training", caption, columns);
    for activation in ACTIVATIONS {
        let name = title(activation);
        let axis = Axis::linear("cross-entropy (nats)").holding(0.0).holding(1.1 * guess);
        let mut chart =
            Chart::new(Axis::whole("epoch"), axis).title(&name).horizontal(guess, Color::Muted, "guessing");
        for run in runs.iter().filter(|run| run.activation == activation) {
            let (_, label, color, (dash, width)) = NORMS[run.norm];
            let losses = run.losses.iter().enumerate().map(|(i, loss)| ((i + 1) as f64, *loss));
            chart = chart.line(Line::new(losses).label(label).color(color).dash(dash).width(width));
            let last = run.losses.last().copied().unwrap_or(f64::NAN);
            let before = flow_of(flows, run);
            let [ratio, likeness] = before.map_or([f64::NAN; 2], |flow| [flow.ratios()[0], flow.likeness]);
            let numbers = [ratio, likeness, last, run.accuracy];
            table.row(std::iter::once(format!("{name}, {label}").into()).chain(numbers.map(Into::into)));
            outcome.number(format!("{name}, {label}: likeness of two images"), likeness);
            outcome.number(format!("{name}, {label}: training accuracy"), run.accuracy);
        }
        figure = figure.panel(chart);
    }
    outcome.figure(&figure);
    outcome.table(table);
}
