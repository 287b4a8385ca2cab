//! Four optimizers in a bent valley.

use super::prelude::*;
use super::statistics::{self};
use crate::optim::{Momentum, RmsProp};

pub const EXPERIMENT: Experiment = Experiment {
    name: "rosenbrock",
    question: "How do SGD, momentum, RMSProp and Adam find their way through a bent valley?",
    theory: &[
        "The function $(1−x)²+100(y−x²)²$ (Rosenbrock 1960) has its minimum at (1, 1), at the end of a valley \
         that is steep across and flat along. Its second derivatives there have the eigenvalues $λ₁ = 1001.6$ \
         and $λ₂ = 0.3994$: the condition number is 2508.",
        "Close to the minimum the flat direction decides: SGD shrinks the distance by $1−ηλ₂$ a step, and \
         momentum, whose steps add up to ${η}/{1−β}$, as if its rate were that. RMSProp divides by the size \
         of recent gradients, so that its steps do not shrink with them: with a fixed rate it does not come \
         to rest. Adam divides in the same way, but what it divides is an average of gradients, in which \
         steps to and fro across the valley cancel (Kingma and Ba 2015).",
    ],
    parts: Parts::of::<Whole>(),
    finding,
};

super::whole!(run);

const START: (f64, f64) = (-1.2, 1.0);
const STEPS: usize = 30_000;
/// λ₂: the smaller eigenvalue of the second derivatives (802, −400; −400, 200) at (1, 1).
fn flat_curvature() -> f64 {
    let (a, b, c) = (802.0, -400.0, 200.0f64);
    (a + c) / 2.0 - ((a - c) * (a - c) / 4.0 + b * b).sqrt()
}

const SGD_RATE: f64 = 5e-4;
const MOMENTUM_RATE: f64 = 2e-4;
const BETA: f64 = 0.9;
const RMSPROP_RATE: f64 = 1e-2;

fn value(x: f64, y: f64) -> f64 {
    (1.0 - x) * (1.0 - x) + 100.0 * (y - x * x) * (y - x * x)
}

/// The points from the start on, one more than there are steps.
fn path(mut optimizer: Optimizer<f64>) -> Result<Vec<(f64, f64)>> {
    let mut tape = Tape::new();
    let x = tape.param_slice(1, 1, &[START.0]);
    let y = tape.param_slice(1, 1, &[START.1]);
    let mut points = vec![START];
    for _ in 0..STEPS {
        step(&mut tape, &mut optimizer, |tape| {
            let one = tape.scalar(1.0);
            let a = tape.sub(one, x);
            let x2 = tape.mul(x, x);
            let b = tape.sub(y, x2);
            let (a2, b2) = (tape.mul(a, a), tape.mul(b, b));
            let b2 = tape.scale(b2, 100.0);
            tape.add(a2, b2)
        })?;
        points.push((tape.item(x), tape.item(y)));
    }
    Ok(points)
}

fn distance((x, y): (f64, f64)) -> f64 {
    statistics::distance(&[x, y], &[1.0, 1.0])
}

fn run(context: &Context) -> Result<Outcome> {
    let optimizers: [(&str, Optimizer<f64>); 4] = [
        ("SGD, η = 0.0005", Optimizer::new(Sgd, SGD_RATE)?),
        ("momentum, η = 0.0002", Optimizer::new(Momentum::new(BETA)?, MOMENTUM_RATE)?),
        ("RMSProp, η = 0.01", Optimizer::new(RmsProp::default(), RMSPROP_RATE)?),
        ("Adam, η = 0.02", Optimizer::new(Adam::default(), 2e-2)?),
    ];
    let mut runs = Vec::new();
    for (i, (name, optimizer)) in optimizers.into_iter().enumerate() {
        context.at(i, 4, name)?;
        runs.push((name, path(optimizer)?));
    }
    Ok(report(&runs))
}

/// The steps at which the distance is between 10⁻² and 10⁻³, and the slope of ln(distance) over them.
struct Late {
    slope: f64,
    /// Greatest and least distance that there is of that.
    range: Option<(f64, f64)>,
}

fn late(points: &[(f64, f64)]) -> Late {
    let steps = points.iter().enumerate().map(|(t, point)| (t as f64, distance(*point)));
    let late: Vec<(f64, f64)> = steps.filter(|(_, d)| (1e-3..1e-2).contains(d)).collect();
    if late.len() < 2 {
        return Late { slope: f64::NAN, range: None };
    }
    let (near, far) = range(late.iter().map(|(_, d)| *d));
    let logs: Vec<(f64, f64)> = late.into_iter().map(|(t, d)| (t, Float::ln(d))).collect();
    Late { slope: Fit::line(&logs).slope, range: Some((far, near)) }
}

/// The first step at a distance below 0.1.
fn reached(points: &[(f64, f64)]) -> Option<usize> {
    points.iter().position(|point| distance(*point) < 0.1)
}

/// The last steps, over which what does not come to rest is judged.
const LAST: usize = 1000;

fn report(runs: &[(&str, Vec<(f64, f64)>)]) -> Outcome {
    let mut outcome = Outcome::default();
    let curvature = flat_curvature();
    let predictions = [
        ("SGD", "sgd-late-rate", 0, SGD_RATE, "ln(1 − ηλ₂)"),
        ("Momentum", "momentum-late-rate", 1, MOMENTUM_RATE / (1.0 - BETA), "ln(1 − ηλ₂/(1−β))"),
    ];
    for (name, id, run, rate, formula) in predictions {
        let Late { slope: measured, range } = late(&runs[run].1);
        let expected = Float::ln_1p(-rate * curvature);
        let over = range.map_or("it has not come to 10⁻²".to_string(), |(from, to)| {
            format!("between the distances {} and {}", scientific(from, 2), scientific(to, 2))
        });
        outcome.number(format!("late rate of {name}"), measured);
        claim(&mut outcome, format!("{name} ends with a linear rate that the flat direction sets"))
            .named(id)
            .expected(format!("{} a step: {formula}", scientific(expected, 4)))
            .measured(format!("{} a step, {over}", scientific(measured, 4)))
            .criterion(
                "within 2 %, by a line through ln(distance) between 10⁻² and 10⁻³, or what the run has of \
                 that",
            )
            .holds(
                (measured / expected - 1.0).abs() <= 0.02,
                "The rate is that of a quadratic, which the function is at (1, 1) only: at a distance of \
                 10⁻² the valley is still bent, and its floor has another slope. A run that has not come to \
                 10⁻² at all has no late rate.",
            );
    }
    let steps: Vec<Option<usize>> = runs.iter().map(|(_, points)| reached(points)).collect();
    claim(&mut outcome, "Adam is the first to come near the minimum")
        .named("adam-first")
        .expected("the fewest steps to a distance of 0.1")
        .measured(list(runs.iter().zip(&steps), |((name, _), steps)| {
            let steps = steps.map_or("not reached".to_string(), |steps| format!("{steps} steps"));
            format!("{} {steps}", name.split(',').next().unwrap_or(name))
        }))
        .criterion("fewer steps than each other optimizer at the rates that are tried")
        .holds(
            steps[3].is_some_and(|adam| steps[..3].iter().flatten().all(|other| adam < *other)),
            "Who is first is a matter of the rates as much as of the rule.",
        );
    let rmsprop = &runs[2].1;
    let lengths: Vec<f64> = rmsprop[rmsprop.len() - LAST - 1..]
        .windows(2)
        .map(|pair| (pair[1].0 - pair[0].0).abs().max((pair[1].1 - pair[0].1).abs()))
        .collect();
    let length = mean(&lengths);
    outcome.number("length of RMSProp's last steps", length);
    claim(&mut outcome, "RMSProp at a fixed rate does not come to rest: its steps stay about as long as η")
        .named("rmsprop-no-rest")
        .expected(format!("about {RMSPROP_RATE}"))
        .measured(format!("{}, mean of the last {LAST} steps", rounded(length, 3)))
        .criterion("between η/10 and 10η")
        .holds(
            (RMSPROP_RATE / 10.0..=RMSPROP_RATE * 10.0).contains(&length),
            "Its step is η times the gradient over the root of the mean of squares: much shorter where the \
             gradients shrink faster than that mean forgets, much longer where they grow faster than it \
             learns of them.",
        );
    let hovers = |run: usize| {
        let points = &runs[run].1;
        median(&points[points.len() - LAST..].iter().map(|point| distance(*point)).collect::<Vec<_>>())
    };
    outcome.number("median of RMSProp's last distances", hovers(2));
    outcome.number("median of Adam's last distances", hovers(3));
    claim(
        &mut outcome,
        "Adam, whose first moment averages opposite steps away, stays closer to (1, 1) than RMSProp",
    )
    .named("adam-closer")
    .expected("a smaller distance")
    .measured(format!("{} against {}", rounded(hovers(3), 3), rounded(hovers(2), 3)))
    .criterion(format!("the median of the distances after each of the last {LAST} steps is smaller"))
    .holds(
        hovers(3) < hovers(2),
        "Adam's rate is twice RMSProp's, and its second moment looks back a hundred times as far: once the \
         gradients have become small, a single larger one throws it far out, and it takes long to come back.",
    );

    outcome.figure(&valley(runs));
    outcome.figure(&paths(runs));
    outcome.figure(&stepwise(runs));
    let adam: Vec<f64> = runs[3].1.iter().map(|point| distance(*point)).collect();
    let closest = (0..adam.len()).min_by(|a, b| adam[*a].total_cmp(&adam[*b])).unwrap_or(0);
    let after = adam[closest..].iter().copied().fold(0.0, f64::max);
    outcome.draw(
        "distance",
        "Distance to the minimum",
        format!(
            "Lines are medians over pieces of the run, bands reach from the least to the greatest distance \
             in each. First panel: on an axis of steps that is linear, a linear rate is a straight fall: see \
             who ends in one, and who hovers. Second panel: the same on a logarithmic axis, for the way \
             there. Adam is closest in step {closest}, at {}, and at most {} away after that: its second \
             moment shrinks with the gradients, until its steps are too long for the steep direction and \
             throw it out.",
            rounded(adam[closest], 2),
            rounded(after, 2)
        ),
        [
            distances(runs, Axis::linear("step"), "Linear steps", |from| from + 1000),
            distances(runs, Axis::log("step"), "Logarithmic steps", |from| from + (from / 10).max(1)),
        ],
    );

    let end = |points: &[(f64, f64)]| *points.last().unwrap_or(&START);
    for (name, points) in runs {
        outcome.number(format!("{name}: distance"), distance(end(points)));
        outcome.number(format!("{name}: steps to 0.1"), reached(points).map_or(f64::NAN, |t| t as f64));
    }
    outcome.table(
        Table::of("ends", format!("After {STEPS} steps from (−1.2, 1)"), runs)
            .column("optimizer", |(name, _)| *name)
            .column("loss at the end", |(_, points)| value(end(points).0, end(points).1))
            .column("distance at the end", |(_, points)| distance(end(points)))
            .column("steps to distance 0.1", |(_, points)| Cell::or(reached(points), "not reached")),
    );
    outcome
}

/// Steps that are drawn: what comes later hardly moves, or swings around the minimum.
const DRAWN: usize = 3000;
/// Steps that are marked, and how.
const MARKED: [(usize, Marker); 3] = [(10, Marker::Circle), (100, Marker::Square), (1000, Marker::Triangle)];

/// The function as it lies, with the heights of some of its contours.
fn ground(title: &str, cells: usize) -> Chart {
    let (xs, ys) = ((-1.6, 1.6), (-0.6, 1.8));
    let levels: Vec<f64> = (-1..7).map(|k| Float::powf(10.0, f64::from(k) / 2.0)).collect();
    let chart = Chart::new(Axis::linear("x").range(xs.0, xs.1), Axis::linear("y").range(ys.0, ys.1))
        .title(title)
        .filled_contours((240, 180), xs, ys, &levels, value)
        .contours(cells, xs, ys, &levels, Color::Muted, value);
    // Where the contours cross x = 0 above the valley: 1 + 100y² is the height there.
    [10.0, 100.0].into_iter().fold(chart, |chart, height: f64| {
        chart.note((0.0, ((height - 1.0) / 100.0).sqrt()), fixed(height, 0), Color::Ink)
    })
}

/// A path with marks at some of its steps.
fn walked(chart: Chart, points: &[(f64, f64)], color: Color, label: &str) -> Chart {
    let drawn = points.iter().copied().take(DRAWN + 1);
    let chart = chart.line(Line::new(drawn).label(label).color(color).width(1.4));
    MARKED.into_iter().fold(chart, |chart, (step, marker)| chart.points([points[step]], marker, color, ""))
}

/// The start, the end of the valley, and what the marks are.
fn ends(chart: Chart) -> Chart {
    let chart = chart.points([START], Marker::Cross, Color::Ink, "start");
    let chart = chart.points([(1.0, 1.0)], Marker::Star, Color::Ink, "minimum");
    let outside = (f64::NAN, f64::NAN);
    MARKED.into_iter().fold(chart, |chart, (step, marker)| {
        chart.points([outside], marker, Color::Muted, format!("step {step}"))
    })
}

/// All paths in one drawing.
fn valley(runs: &[(&str, Vec<(f64, f64)>)]) -> Figure {
    let chart = runs.iter().enumerate().fold(ground("", 200), |chart, (i, (name, points))| {
        walked(chart, points, Color::series(i), name.split(',').next().unwrap_or(name))
    });
    Figure::new(
        "valley",
        "Four ways through the valley",
        format!(
            "The first {DRAWN} steps from (−1.2, 1) to the minimum at (1, 1). Numbers are heights of contours; from one \
             to the next the function grows by √10. Compare where each is after 10, 100 and 1000 steps."
        ),
    )
    .panel(ends(chart))
}

/// The paths, each by itself.
fn paths(runs: &[(&str, Vec<(f64, f64)>)]) -> Figure {
    let figure = Figure::new(
        "paths",
        "Each path by itself",
        "The same, one optimizer a panel. See what each makes of the valley: who drops to its floor and follows it, who \
         shoots across and swings, and who jumps from side to side on the way.",
    );
    figure.panels(
        runs.iter()
            .enumerate()
            .map(|(i, (name, points))| ends(walked(ground(name, 120), points, Color::series(i), ""))),
    )
}

/// All paths up to some of their steps.
fn stepwise(runs: &[(&str, Vec<(f64, f64)>)]) -> Figure {
    const STEPS_SHOWN: [usize; 10] = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000];
    let figure = Figure::new(
        "steps",
        "Step by step",
        "Where all four are after so many steps, and how they came there; of more than 3000 steps the last 300.",
    );
    let figure = figure.slider("step", STEPS_SHOWN.map(|step| fixed(step as f64, 0)));
    figure.panels(STEPS_SHOWN.map(|step| {
        let from = if step > DRAWN { step - 300 } else { 0 };
        let chart = ground(&format!("After {} steps", fixed(step as f64, 0)), 60);
        runs.iter().enumerate().fold(chart, |chart, (i, (name, points))| {
            let (color, label) = (Color::series(i), name.split(',').next().unwrap_or(name));
            let walked = points[from..=step].iter().copied();
            chart.line(Line::new(walked).label(label).color(color).width(1.4)).points(
                [points[step]],
                Marker::series(i),
                color,
                "",
            )
        })
    }))
}

/// Distances in pieces of the run, each of which ends before `next` of the step that it begins with.
fn distances(runs: &[(&str, Vec<(f64, f64)>)], steps: Axis, title: &str, next: fn(usize) -> usize) -> Chart {
    let mut chart = Chart::new(steps, Axis::log("distance to (1, 1)")).title(title);
    // Adam first: where it swings it would hide the others.
    for (i, (name, points)) in runs.iter().enumerate().rev() {
        let (mut lines, mut bands, mut from) = (Vec::new(), Vec::new(), 1);
        while from < points.len() {
            let to = next(from).min(points.len());
            let piece: Vec<f64> = points[from..to].iter().map(|point| distance(*point)).collect();
            let middle = 0.5 * (from + to - 1) as f64;
            let (near, far) = range(piece.iter().copied());
            lines.push((middle, median(&piece)));
            bands.push((middle, near, far));
            from = to;
        }
        chart = chart.band(bands, Color::series(i), "");
        chart = chart.line(Line::new(lines).label(*name).color(Color::series(i)));
    }
    chart
}

fn finding(found: &Found) -> Told {
    let steps = |name: &str| found.number(&format!("{name}: steps to 0.1"));
    let end = |name: &str| found.number(&format!("{name}: distance"));
    let [sgd, momentum, adam] = ["SGD, η = 0.0005", "momentum, η = 0.0002", "Adam, η = 0.02"];
    let title = match found.claim("adam-first")?.holds() {
        true => format!(
            "Adam is first in the valley, after {} steps; momentum ends closest, at {}",
            fixed(steps(adam)?, 0),
            scientific(end(momentum)?, 1)
        ),
        false => {
            format!("Adam is not first in the valley; momentum ends at {}", scientific(end(momentum)?, 1))
        }
    };
    Some((
        "valley",
        title,
        format!(
            "SGD is not stuck. It creeps along the floor at the rate that the flat direction sets, comes within 0.1 \
             after {} steps and goes on. Momentum adds up its steps and needs {}. RMSProp and Adam divide by the size \
             of recent gradients: fast at first, and without rest at a fixed rate.",
            fixed(steps(sgd)?, 0),
            fixed(steps(momentum)?, 0)
        ),
    ))
}
