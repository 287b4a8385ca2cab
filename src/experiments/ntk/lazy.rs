//! Networks of finite width beside their linear models in training.

use nalgebra::DMatrix;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::study::{LazyOptions, LazyPoint, LazyRun, lazy_training};
use super::{D, network, repetition, sphere};
use crate::experiments::prelude::*;

/// Seed of the points, which are the same in every run: what is compared is networks. Where points with different
/// targets lie close together, training takes longer and moves the weights farther, so that other points would give
/// other distances.
const POINTS: u64 = 0;

const STEPS: [u64; 12] = [0, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300];

/// The runs at a width.
#[derive(Serialize, Deserialize)]
pub(super) struct Lazy {
    width: usize,
    runs: Vec<LazyRun>,
}

impl Lazy {
    fn all(&self, of: fn(&LazyRun) -> f64) -> Vec<f64> {
        self.runs.iter().map(of).collect()
    }

    /// The mean over the runs.
    fn mean(&self, of: fn(&LazyRun) -> f64) -> f64 {
        mean(&self.all(of))
    }
}

/// Something that is measured of a run.
type Measure = (&'static str, fn(&LazyRun) -> f64);

const MEASURES: [Measure; 4] = [
    ("movement of the weights", LazyRun::movement),
    ("distance, training points", LazyRun::train_error),
    ("distance, test points", LazyRun::test_error),
    ("movement of the kernel", |run| run.kernel_movement),
];

pub(super) fn measure(context: &Context) -> Result<Vec<Lazy>> {
    let (x, test) = (sphere(12, derive(POINTS, 1))?, sphere(20, derive(POINTS, 2))?);
    let y = DMatrix::from_fn(x.len(), 1, |i, _| {
        let row = x.rows().row(i);
        (row[0] + row[1] * row[2]).signum()
    });
    let network = network(2, D, 0.1)?;
    let widths = context.pick(&[32, 128, 512][..], &[32, 64, 128, 256, 512]);
    // Narrow networks scatter more, and cost less.
    let runs = |width: usize| context.pick(16, 20) * if width < 200 { 2 } else { 1 };
    let at_width = |width: &usize| -> Result<Lazy> {
        let run = |k: u64| {
            context.check()?;
            let seed = repetition(context, *width, k);
            let options = LazyOptions { width: *width, seed, rate: 0.3, steps: STEPS.to_vec() };
            lazy_training(&network, &x, &y, &test, &options)
        };
        Ok(Lazy { width: *width, runs: (0..runs(*width)).into_par_iter().map(run).collect::<Result<_>>()? })
    };
    widths.iter().map(at_width).collect()
}

/// Of a claim that some slopes are at most −0.4: which are above it, and whether draws alone may do that.
fn slow(narrow: &Lazy, wide: &Lazy, measures: &[Measure], fits: &[Fit]) -> String {
    let above = measures.iter().zip(fits).filter(|(_, fit)| fit.slope + fit.half_width > -0.4);
    let text = above.map(|((name, of), fit)| {
        let [from, to] = [narrow, wide].map(|lazy| rounded(lazy.mean(*of), 2));
        let (low, high) = (fixed(fit.slope - fit.half_width, 2), fixed(fit.slope + fit.half_width, 2));
        let verdict = match fit.slope - fit.half_width <= -0.5 {
            true => "which contains −½, so this may be chance",
            false => "which does not contain −½: at these widths the bound for m → ∞ is not yet reached",
        };
        format!(
            "The {name} falls from {from} at width {} to {to} at width {}. The interval of its slope is \
             {low} to {high}, {verdict}.",
            narrow.width, wide.width
        )
    });
    text.collect::<Vec<_>>().join(" ")
}

pub(super) fn report(outcome: &mut Outcome, all: &[Lazy]) {
    let fits = MEASURES.map(|(_, of)| {
        let runs = all.iter().flat_map(|lazy| lazy.runs.iter().map(|run| (lazy.width as f64, of(run))));
        Fit::power_law(&runs.collect::<Vec<_>>())
    });
    claim(outcome, "Training moves the weights less, the wider the network")
        .named("weights-move-less")
        .expected("‖θ − θ₀‖/‖θ₀‖ with slope −1")
        .estimated(Estimate::from(&fits[0]).of("runs"))
        .saying(", the slope")
        .within(
            -1.15..=-0.85,
            "The rule is for m → ∞. In narrow networks the kernel changes together with the weights. So \
             within its fixed number of steps, training gets less far or farther than in wide ones.",
        );
    claim(
        outcome,
        "The distance to the linear model, and the movement of the kernel, fall as the root of the width or \
         faster",
    )
    .named("lazy-distance")
    .expected("slopes of −½ or below")
    .measured(format!("{}, {}, and {} of the kernel", fits[1], fits[2], fits[3]))
    .criterion("the 95 % intervals of all three are at most −0.4")
    .judged(
        Verdict::all(fits[1..].iter().map(|fit| Estimate::from(fit).against(&(..=-0.4)))),
        slow(&all[0], &all[all.len() - 1], &MEASURES[1..], &fits[1..]),
    );
    let Some(widest) = all.last() else { return };
    claim(outcome, format!("A network of width {} trains as its linear model does", widest.width))
        .named("linear-model")
        .expected("the same outputs at all steps")
        .estimated(Estimate::mean(&widest.all(LazyRun::train_error)).of("networks"))
        .saying(&format!(
            ", the largest distance of all steps as a share of ‖y‖; {} at width {}",
            fixed(all[0].mean(LazyRun::train_error), 3),
            all[0].width
        ))
        .within(
            ..=0.03,
            format!(
                "It is still too narrow: with a slope of {}, the distance halves with {} times as many \
                 units.",
                fixed(fits[1].slope, 2),
                fixed(Float::powf(2.0, -1.0 / fits[1].slope), 1)
            ),
        );

    let mut chart = Chart::new(Axis::log("width m"), Axis::log("relative change")).title("Lazy training");
    for (i, ((name, of), fit)) in MEASURES.iter().zip(&fits).enumerate() {
        let line = all.iter().map(|lazy| (lazy.width as f64, fit.power_at(lazy.width as f64)));
        let points = all.iter().map(|lazy| (lazy.width as f64, lazy.mean(*of)));
        chart = chart.line(Line::new(line).color(Color::series(i)).width(1.2)).points(
            points,
            Marker::series(i),
            Color::series(i),
            format!("{name}: {}", fixed(fit.slope, 2)),
        );
    }
    let figure = Figure::new(
        "lazy",
        "Networks and their linear models in training",
        "Gradient descent on 12 points, the same in every run. First panel: what training changes, with \
         fitted slopes. Next: the distance of the network's outputs from those of its linear model, which \
         has a closed form. Then: the losses of both, for a narrow network and a wide one. Look when each \
         leaves its linear model.",
    )
    .panel(chart);
    let lines = all.iter().filter(|lazy| [32, 128, 512].contains(&lazy.width)).map(|lazy| {
        let points = STEPS.iter().enumerate().skip(1).map(|(i, step)| {
            let errors: Vec<f64> = lazy.runs.iter().map(|run| run.points[i].train_error).collect();
            (*step as f64, mean(&errors))
        });
        Line::new(points).label(format!("width {}", lazy.width))
    });
    let distance = Chart::new(Axis::log("step"), Axis::log("‖network − linear model‖/‖y‖"))
        .title("Distance, training points")
        .lines(lines);
    let losses = [&all[0], widest].map(|lazy| {
        let at = |of: fn(&LazyPoint) -> f64| {
            Line::new(lazy.runs[0].points.iter().skip(1).map(move |p| (p.step as f64, of(p))))
        };
        Chart::new(Axis::log("step"), Axis::log("loss"))
            .title(format!("Width {}", lazy.width))
            .line(at(|p| p.loss).label("network").color(Color::Blue))
            .line(at(|p| p.linear_loss).label("linear model").color(Color::Ink).dash(1))
    });
    outcome.figure(&figure.panel(distance).panels(losses));
    for lazy in all {
        for (name, of) in MEASURES {
            outcome.number(format!("{name} at width {}", lazy.width), lazy.mean(of));
        }
    }
    let caption = "Means over the networks; distances are the largest over the steps";
    let table = Table::of("lazy", caption, all)
        .column("width", |lazy| lazy.width)
        .column("networks", |lazy| lazy.runs.len());
    outcome
        .table(MEASURES.iter().fold(table, |table, (name, of)| table.column(*name, |lazy| lazy.mean(*of))));
}
