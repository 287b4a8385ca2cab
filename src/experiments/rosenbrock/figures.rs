//! The valley, and the ways through it.

use super::walk::{DRAWN, Drawn, Piece, STAGES};
use super::{Kind, Rosenbrock, START, value};
use crate::experiments::prelude::*;

pub(super) fn all(outcome: &mut Outcome, study: &Rosenbrock) {
    let drawn = &study.drawn;
    outcome.figure(&valley(drawn));
    outcome.figure(&paths(drawn));
    outcome.figure(&stepwise(drawn));
    let (closest, near, after) = study.drawn(Kind::Adam).closest;
    outcome.draw(
        "distance",
        "Distance to the minimum",
        format!(
            "Lines are medians over pieces of the run; bands reach from the smallest to the largest \
             distance in each. First panel: on a linear axis of steps a linear rate is a straight falling \
             line. See which optimizers end in one, and which do not come to rest. Second panel: the same \
             on a logarithmic axis, for the early steps. Adam is closest in step {closest}, at {}, and at \
             most {} away after that. Its second moment shrinks with the gradients, until its steps are too \
             long for the steep direction and throw it away.",
            rounded(near, 2),
            rounded(after, 2)
        ),
        [
            distances(drawn, Axis::linear("step"), "Linear steps", |drawn| &drawn.even),
            distances(drawn, Axis::log("step"), "Logarithmic steps", |drawn| &drawn.growing),
        ],
    );
}

const MINIMUM: (f64, f64) = (1.0, 1.0);

/// Steps that are marked, and how.
const MARKED: [(usize, Marker); 3] = [(10, Marker::Circle), (100, Marker::Square), (1000, Marker::Triangle)];

/// The function as it lies, with the heights of some of its contours.
fn ground(title: &str, cells: usize) -> Chart {
    let (xs, ys) = ((-1.6, 1.6), (-0.6, 1.8));
    let levels: Vec<f64> = (-1..7).map(|k| Float::powf(10.0, f64::from(k) / 2.0)).collect();
    // Where the valley leaves the drawing, at a slope of 2√1.8, a level c is √(c/100)/√1.8 wide: narrower than two
    // cells its line would fall into dashes, which look like a path.
    let wide = |level: f64| (level / 180.0).sqrt() > 2.0 * (xs.1 - xs.0) / cells as f64;
    let seen: Vec<f64> = levels.iter().copied().filter(|level| wide(*level)).collect();
    let chart = Chart::new(Axis::linear("x").range(xs.0, xs.1), Axis::linear("y").range(ys.0, ys.1))
        .title(title)
        .filled_contours((240, 180), xs, ys, &levels, value)
        .contours(cells, xs, ys, &seen, Color::Muted, value);
    // Where the contours cross x = 0 above the valley: 1 + 100y² is the height there.
    [10.0, 100.0].into_iter().fold(chart, |chart, height: f64| {
        chart.note((0.0, ((height - 1.0) / 100.0).sqrt()), fixed(height, 0), Color::Ink)
    })
}

/// Purple would be lost on the floor of the valley.
fn color(i: usize) -> Color {
    [Color::Blue, Color::Vermilion, Color::Green, Color::Ink][i % 4]
}

/// A path with marks at some of its steps.
fn walked(chart: Chart, drawn: &Drawn, color: Color, label: &str) -> Chart {
    let points = drawn.path();
    let chart = chart.line(Line::new(points.clone()).label(label).color(color).width(1.4));
    MARKED.into_iter().fold(chart, |chart, (step, marker)| chart.points([points[step]], marker, color, ""))
}

/// The start, the end of the valley, and what the marks are.
fn ends(chart: Chart) -> Chart {
    let chart = chart.points([START], Marker::Cross, Color::Ink, "start");
    let chart = chart.points([MINIMUM], Marker::Star, Color::Ink, "minimum");
    let outside = (f64::NAN, f64::NAN);
    MARKED.into_iter().fold(chart, |chart, (step, marker)| {
        chart.points([outside], marker, Color::Muted, format!("step {step}"))
    })
}

/// All paths in one drawing.
fn valley(all: &[Drawn]) -> Figure {
    // Adam first: its path is the longest, and would hide the others.
    let chart = all
        .iter()
        .enumerate()
        .rev()
        .fold(ground("", 200), |chart, (i, drawn)| walked(chart, drawn, color(i), &drawn.name()));
    Figure::new(
        "valley",
        "Four ways through the valley",
        format!(
            "The first {DRAWN} steps from (−1.2, 1) to the minimum at (1, 1). Numbers are heights of \
             contours; from one to the next the function grows by √10. Compare where each is after 10, 100 \
             and 1000 steps. The rates are chosen to make the paths visible. The title uses other rates: \
             for each optimizer its best."
        ),
    )
    .panel(ends(chart))
}

/// The paths, each by itself.
fn paths(all: &[Drawn]) -> Figure {
    let figure = Figure::new(
        "paths",
        "Each path by itself",
        "The same, one optimizer per panel. See how each moves in the valley: some follow its floor, some \
         cross it and swing, and some jump from side to side.",
    );
    figure.panels(
        all.iter()
            .enumerate()
            .map(|(i, drawn)| ends(walked(ground(&drawn.name(), 120), drawn, color(i), ""))),
    )
}

/// All paths up to some of their steps.
fn stepwise(all: &[Drawn]) -> Figure {
    let figure = Figure::new(
        "steps",
        "Step by step",
        "All four after a given number of steps, each with its own mark, and their paths. After step 3000 \
         only the last 300 steps are drawn.",
    );
    let figure = figure.slider("step", STAGES.map(|step| fixed(step as f64, 0)));
    figure.panels(STAGES.map(|step| {
        let title = match step {
            1 => "After 1 step".into(),
            _ => format!("After {} steps", fixed(step as f64, 0)),
        };
        let chart = ground(&title, 60);
        all.iter()
            .enumerate()
            .fold(chart, |chart, (i, drawn)| {
                let (color, walked) = (color(i), drawn.up_to(step));
                let last = walked[walked.len() - 1];
                // × is the start. Discs differ in colour.
                let marker = [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Circle][i % 4];
                chart.line(Line::new(walked).color(color).width(1.4)).points(
                    [last],
                    marker,
                    color,
                    drawn.name(),
                )
            })
            .points([START], Marker::Cross, Color::Ink, "start")
            .points([MINIMUM], Marker::Star, Color::Ink, "minimum")
    }))
}

/// Distances in pieces of the runs.
fn distances(all: &[Drawn], steps: Axis, title: &str, of: fn(&Drawn) -> &[Piece]) -> Chart {
    let chart = Chart::new(steps, Axis::log("distance to (1, 1)")).title(title);
    // Adam first: where it swings it would hide the others.
    all.iter().enumerate().rev().fold(chart, |chart, (i, drawn)| {
        let lines = of(drawn).iter().map(|piece| (piece.middle, piece.median));
        let bands: Vec<_> = of(drawn).iter().map(|piece| (piece.middle, piece.near, piece.far)).collect();
        chart.band(bands, color(i), "").line(Line::new(lines).label(drawn.name()).color(color(i)))
    })
}
