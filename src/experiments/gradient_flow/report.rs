//! What is claimed of gradients before and in training, and shown.

use super::fates::{self, Fate, Learning, flow_of};
use super::flow::{Flow, Run};
use super::{DEEP, Kind, Normalised, Phi, RATE};
use crate::experiments::prelude::*;

fn left(flow: &Flow) -> Estimate {
    Estimate::mean(&flow.left)
}

fn flow_claims(outcome: &mut Outcome, flows: &[Flow]) {
    let claims = [
        (
            "sigmoid-vanishes",
            "Without normalisation the gradients of sigmoid networks vanish",
            Kind { phi: Phi::Sigmoid, norm: Normalised::Not },
            Fate::Vanishes,
        ),
        (
            "batch-norm-cures",
            "Batch normalisation keeps the gradients of sigmoid networks",
            Kind { phi: Phi::Sigmoid, norm: Normalised::Batch },
            Fate::Stays,
        ),
        (
            "layer-norm-does-not",
            "Layer normalisation lets the gradients of sigmoid networks vanish: the sigmoid's mean of ½ is most of what it \
             divides by",
            Kind { phi: Phi::Sigmoid, norm: Normalised::Layer },
            Fate::Vanishes,
        ),
        (
            "he-keeps-gradients",
            "He's weights keep the gradients of ReLU networks",
            Kind { phi: Phi::Relu, norm: Normalised::Not },
            Fate::Stays,
        ),
        (
            "batch-norm-explodes",
            "With batch normalisation the gradients of ReLU networks explode",
            Kind { phi: Phi::Relu, norm: Normalised::Batch },
            Fate::Explodes,
        ),
    ];
    for (id, statement, kind, fate) in claims {
        let Some(flow) = flow_of(flows, kind) else { continue };
        let [factor, factor_in_theory] = flow.factors();
        claim(outcome, statement)
            .named(id)
            .expected(format!(
                "log₁₀ of the gradient of layer 2 over that of layer {}: {}",
                DEEP - 1,
                fixed(log10(flow.theory[0]), 2)
            ))
            .estimated(left(flow))
            .saying(&format!(
                "; that is a factor of {} at each layer against {} by theory",
                fixed(factor, 3),
                fixed(factor_in_theory, 3)
            ))
            .within(
                fate.range(),
                "The theory is for wide networks and single samples. Here the width is not much larger than \
                 the 30 layers, so random deviations add up over the layers. The gradient is that of a \
                 batch, whose samples may add up or cancel.",
            );
    }
}

fn fates_claim(outcome: &mut Outcome, flows: &[Flow]) {
    let all: Vec<&Flow> = flows.iter().filter(|f| f.depth == DEEP).collect();
    let theory = |flow: &Flow| log10(flow.theory[0]);
    let verdict = |flow: &&Flow| match Fate::of(theory(flow)) {
        Some(fate) => {
            let off: Vec<f64> = flow.left.iter().map(|left| left - theory(flow)).collect();
            left(flow).against(&fate.range()).and(Estimate::mean(&off).against(&(-1.0..=1.0)))
        }
        None => Verdict::NotDecided,
    };
    let worst = greatest(&all, |flow| (left(flow).value() - theory(flow)).abs());
    claim(
        outcome,
        format!(
            "The theory tells of all {} networks of {DEEP} layers whether the gradient vanishes, stays or \
             explodes",
            all.len()
        ),
    )
    .named("fates")
    .expected(format!("log₁₀ of the gradient of layer 2 over that of layer {}, whatever it is", DEEP - 1))
    .measured(format!(
        "farthest off is {}: {} against {}",
        worst.name(),
        left(worst),
        fixed(theory(worst), 2)
    ))
    .criterion(
        "for each network the whole 95\u{a0}% interval is on the theory's side of −1 and 1, and within 1 of the \
         theory's figure",
    )
    .judged(
        Verdict::all(all.iter().map(verdict)),
        "A factor that is wrong by a twelfth at each layer is wrong by a factor of ten over all of them. \
         The width is finite, and samples of a batch may add up or cancel.",
    );
}

/// The layer, from 0, at which each line is marked, and the middle of its name beside that: where the lines are apart, and
/// the name lies on none of them. Of each network its lines, the measured one first; heights are shares of what is drawn.
fn places_of_names(networks: &[Vec<Vec<(f64, f64)>>]) -> Vec<(usize, (f64, f64))> {
    /// Half of what a name takes, in layers, and how far its middle is from the mark.
    const HALF: f64 = 3.4;
    const BESIDE: (f64, f64) = (4.2, 0.08);
    /// What is as far is far enough.
    const ENOUGH: f64 = 0.15;
    let last = networks.first().map_or(0, |lines| lines[0].len()) as f64;
    let all = || networks.iter().enumerate().flat_map(|(k, lines)| lines.iter().map(move |line| (k, line)));
    let mut names: Vec<(f64, f64)> = Vec::new();
    let mut places = Vec::new();
    for (i, own) in networks.iter().enumerate() {
        let room = |mark: (f64, f64), name: (f64, f64)| {
            let mut least = ENOUGH;
            for (k, line) in all() {
                for (at, height) in line {
                    if (at - name.0).abs() <= HALF {
                        least = least.min((height - name.1).abs());
                    }
                    // Its own line has to be alone at the mark.
                    if k != i && *at == mark.0 {
                        least = least.min((height - mark.1).abs());
                    }
                }
            }
            for other in names.iter().filter(|other| (other.0 - name.0).abs() <= 2.0 * HALF) {
                least = least.min(0.5 * (other.1 - name.1).abs());
            }
            least
        };
        let mut free = Vec::new();
        for (l, mark) in own[0].iter().enumerate() {
            for (right, up) in [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)] {
                let name = (mark.0 + right * BESIDE.0, mark.1 + up * BESIDE.1);
                if (1.0 + HALF..=last - HALF).contains(&name.0) && (0.0..=1.1).contains(&name.1) {
                    free.push((l, name, room(*mark, name)));
                }
            }
        }
        let (l, name, _) =
            if free.is_empty() { (0, own[0][0], 0.0) } else { *greatest(&free, |place| place.2) };
        names.push(name);
        places.push((l, name));
    }
    places
}

pub(super) fn flows(outcome: &mut Outcome, flows: &[Flow]) {
    flow_claims(outcome, flows);
    fates_claim(outcome, flows);
    let mut figure = Figure::new(
        "gradient-norms",
        "Gradient norm of each layer before the first step",
        "Networks of 30 layers; those of 5 and 10 are in the table. A line that falls to the left is a \
         gradient that vanishes on its way to the inputs; one that rises explodes. A disc marks the line \
         that the name belongs to. The theory ends at the last hidden layer. It is for single samples; the \
         drawn gradient is that of a batch, whose samples may add up or cancel.",
    );
    for phi in Kind::PHIS {
        let drawn = Normalised::ALL.iter().filter_map(|norm| flow_of(flows, Kind { phi, norm: *norm }));
        let (least, most) = range(drawn.flat_map(|flow| flow.norms.iter().copied()));
        // Room for a name above the highest line.
        let y = Axis::log("norm of the gradient").holding(most * Float::powf(most / least, 0.1));
        let mut chart = Chart::new(Axis::whole("layer"), y).title(phi.name());
        let mut drawn = Vec::new();
        for norm in Normalised::ALL {
            let Some(flow) = flow_of(flows, Kind { phi, norm }) else { continue };
            let (color, ..) = norm.style();
            let layer = |l: usize| (l + 1) as f64;
            let norms = flow.norms.iter().enumerate().map(|(l, norm)| (layer(l), *norm));
            let anchor = flow.norms[flow.depth - 2];
            let theory: Vec<(f64, f64)> =
                flow.theory.iter().enumerate().map(|(l, x)| (layer(l + 1), anchor * x)).collect();
            chart = chart.line(Line::new(norms).named(norm.name()).color(color)).line(
                Line::new(theory.clone())
                    .named(format!("{}, theory", norm.name()))
                    .color(color)
                    .width(1.2)
                    .dash(2),
            );
            drawn.push((norm, flow, theory));
        }
        let logs: Vec<Vec<Vec<(f64, f64)>>> = drawn
            .iter()
            .map(|(_, flow, theory)| {
                let share = |y: f64| log10(y / least) / log10(most / least);
                let norms = (1..).map(f64::from).zip(flow.norms.iter().map(|norm| share(*norm)));
                vec![norms.collect(), theory.iter().map(|(l, y)| (*l, share(*y))).collect()]
            })
            .collect();
        // A disc in the colour of its line shows whose name it is: as text two of the colours are too pale.
        for ((norm, flow, _), (at, name)) in drawn.iter().zip(places_of_names(&logs)) {
            let disc = ((at + 1) as f64, flow.norms[at]);
            let name = (name.0, least * Float::powf(most / least, name.1));
            chart =
                chart.points([disc], Marker::Circle, norm.style().0, "").text(name, norm.name(), Color::Ink);
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
    let caption = "Gradient norms; the factor from a layer to the one before it; the ratio of layer 2 to \
                   the last hidden layer";
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
    learning_claim(outcome, runs, &learning);
    let guess = Float::ln(classes as f64);
    let mut figure = Figure::new(
        "training",
        "The same networks in training",
        format!(
            "Plain gradient descent, rate {RATE}, batches of 50, {DEEP} layers, from one seed. The grey \
             line is the loss of guessing among {classes} classes. See which networks get below it. A \
             training accuracy of {} at the end counts as having learned. {} One rate and so few epochs \
             need not suit every network. Where the outputs for two images are nearly the same (see the \
             table), there is little to learn from.",
            fixed(learning.learned, 2),
            fates::in_words(flows, runs, &learning)
        ),
    );
    let mut rows = Vec::new();
    for phi in Kind::PHIS {
        let axis = Axis::linear("cross-entropy (nats)").holding(0.0).holding(1.1 * guess);
        let mut chart = Chart::new(Axis::whole("epoch"), axis).title(phi.name()).horizontal(
            guess,
            Color::Muted,
            "guessing",
        );
        for run in runs.iter().filter(|run| run.kind.phi == phi) {
            let (color, dash, width) = run.kind.norm.style();
            let losses = (1..).map(f64::from).zip(run.losses.iter().copied());
            let line = Line::new(losses).label(run.kind.norm.name());
            chart = chart.line(line.color(color).dash(dash).width(width));
            let before = flow_of(flows, run.kind);
            let [ratio, likeness] = before.map_or([f64::NAN; 2], |flow| [flow.ratios()[0], flow.likeness]);
            let name = run.kind.name();
            outcome.number(format!("{name}: likeness of two images"), likeness);
            outcome.number(format!("{name}: training accuracy"), run.accuracies[0]);
            rows.push((name, ratio, likeness, run));
        }
        figure = figure.panel(chart);
    }
    outcome.figure(&figure);
    let caption = format!(
        "Training results; before training, the gradient of layer 2 over that of layer {}, and the mean \
         cosine of the angle between the outputs for two images",
        DEEP - 1
    );
    outcome.table(
        Table::of("training", caption, &rows)
            .column("network", |row| row.0.as_str())
            .column("gradient of layer 2", |row| row.1)
            .column("likeness of two images", |row| row.2)
            .column("last loss", |row| row.3.losses.last().copied().unwrap_or(f64::NAN))
            .column("training accuracy", |row| row.3.accuracies[0]),
    );
}

fn learning_claim(outcome: &mut Outcome, runs: &[Run], learning: &Learning) {
    let Learning { chance, learned } = *learning;
    let sigmoid = runs.iter().filter(|run| run.kind.phi == Phi::Sigmoid);
    let all: Vec<(Normalised, Estimate)> =
        sigmoid.map(|run| (run.kind.norm, Estimate::mean(&run.accuracies))).collect();
    let verdict = |(norm, accuracy): &(Normalised, Estimate)| match norm {
        Normalised::Batch => accuracy.against(&(learned..)),
        _ => accuracy.against(&(..=chance)),
    };
    claim(
        outcome,
        format!("Of the sigmoid networks of {DEEP} layers only the one with batch normalisation learns"),
    )
    .named("sigmoid-learns")
    .expected("chance, above it, chance")
    .measured(format!(
        "training accuracy {}",
        list(&all, |(norm, accuracy)| format!("with {} {accuracy}", norm.name()))
    ))
    .criterion(format!(
        "the whole 95\u{a0}% interval is at most {} without and with layer normalisation, at least {} with batch \
         normalisation",
        fixed(chance, 2),
        fixed(learned, 2)
    ))
    .judged(
        Verdict::all(all.iter().map(verdict)),
        "A gradient that reaches the first layer may still point in a useless direction, or be too small or \
         too large for this rate.",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of lines that cross, the names stand where these are apart.
    #[test]
    fn names_stand_where_lines_are_apart() {
        let line =
            |of: fn(f64) -> f64| vec![(1..=30).map(|l| (f64::from(l), of(f64::from(l)))).collect::<Vec<_>>()];
        let networks = [line(|_| 0.5), line(|l| 1.0 - l / 30.0), line(|l| l / 30.0)];
        let places = places_of_names(&networks);
        for (own, (at, name)) in networks.iter().zip(&places) {
            let others = networks.iter().filter(|other| *other != own);
            let apart = |other: &Vec<Vec<(f64, f64)>>| (other[0][*at].1 - own[0][*at].1).abs();
            assert!(others.map(apart).all(|apart| apart > 0.05), "{places:?}");
            let under = |(at, _): &&(f64, f64)| (at - name.0).abs() <= 3.0;
            let mut covered = networks.iter().flat_map(|lines| lines[0].iter().filter(under));
            assert!(covered.all(|(_, height)| (height - name.1).abs() > 0.04), "{places:?}");
        }
        assert!(places_of_names(&[]).is_empty());
    }
}
