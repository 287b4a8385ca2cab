//! Adam on a function times a number.

use super::{D, Problem, append_loss, noise};
use crate::experiments::prelude::*;

/// Distances to the minimum along the way, and the last w.
type ScaledRun = (Vec<(f64, f64)>, Vec<f64>);

/// A run on a loss multiplied by `scale`.
fn scaled_run(
    context: &Context,
    mut optimizer: Optimizer<f64>,
    scale: f64,
    steps: usize,
) -> Result<ScaledRun> {
    let mut rng = noise(context, 0);
    let mut tape = Tape::new();
    let w = tape.param_slice(1, D, &[1.0; D]);
    let mut points = Vec::new();
    for t in 1..=steps {
        let append = |tape: &mut Tape| append_loss(tape, Problem::Quadratic, w, scale, &mut rng);
        // A rate that is too large is part of what is shown.
        unless_diverged(step(&mut tape, &mut optimizer, append))?;
        let distance = tape.value_slice(w).iter().map(|x| x * x).sum::<f64>().sqrt();
        points.push((t as f64, distance));
    }
    Ok((points, tape.value_slice(w).to_vec()))
}

pub(super) fn scale_invariance(context: &Context, outcome: &mut Outcome) -> Result<()> {
    context.at(8, 10, "scale of the loss")?;
    let scales = [1e-2, 1.0, 1e2];
    let labels = ["loss × 0.01", "loss × 1", "loss × 100"];
    let steps = 1000;
    let figure = Figure::new(
        "scale",
        "A loss times a constant",
        "The same problem, noise and rate, with the loss multiplied. See whether the three lines lie on each \
         other, as they should with Adam, which knows no scale; for SGD a factor of the loss is one of the \
         rate, and one that is too large throws it out within a few steps. A line ends where it leaves the \
         axes or the finite numbers; a cross marks a step on the way there.",
    );
    // Where the axes of the figure end.
    const FARTHEST: f64 = 1e4;
    let (mut ends, mut charts) = (Vec::new(), Vec::new());
    for adam in [true, false] {
        let mut chart =
            Chart::new(Axis::log("step"), Axis::log("distance to the minimum").range(1e-2, FARTHEST))
                .title(if adam { "Adam, η = 0.01" } else { "SGD, η = 0.05" });
        for (i, (scale, label)) in scales.iter().zip(labels).enumerate() {
            let optimizer =
                if adam { Optimizer::new(Adam::default(), 0.01)? } else { Optimizer::new(Sgd, 0.05)? };
            let (points, last) = scaled_run(context, optimizer, *scale, steps)?;
            // The first is drawn widest, so that all three are seen where they agree.
            let width = [7.0, 3.5, 1.6][i];
            let leaves = points.iter().position(|(_, distance)| distance.is_nan() || *distance > FARTHEST);
            let line = match leaves {
                Some(end) => Line::new(points[..end].to_vec()).marker(Marker::Cross).width(3.5),
                None => Line::new(points).width(width).dash(i / 2),
            };
            chart = chart.line(line.label(label));
            if adam {
                ends.push(last);
            }
        }
        charts.push(chart);
    }
    let start = (D as f64).sqrt();
    let largest = distance(&ends[0], &ends[1]).max(distance(&ends[2], &ends[1])) / start;
    outcome.number("Adam's ends apart, of the first distance", largest);
    claim(outcome, "Adam does not see the scale of the loss")
        .named("adam-scale")
        .expected("the same path, but for ε")
        .measured(format!("after {steps} steps {} of the first distance apart", rounded(largest, 2)))
        .criterion("at most 10⁻³ of the first distance, for losses from 0.01 to 100 times")
        .holds(
            largest <= 1e-3,
            "ε = 10⁻⁸ stands beside the root of the mean square, and does not scale with the loss: it counts \
             where the gradients of the smallest loss come near it.",
        );
    outcome.figure(&figure.panels(charts));
    Ok(())
}
