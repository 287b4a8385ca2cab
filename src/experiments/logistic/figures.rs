//! The descents, and where they end.

use super::{Drawn, Points, STARTS, TEST, best_accuracy};
use crate::experiments::prelude::*;

pub(super) fn convergence(drawn: &Drawn) -> Figure {
    let lines = |of: &dyn Fn(&super::Sample) -> (f64, f64)| -> Vec<Line> {
        let line = |(i, samples): (usize, &Vec<super::Sample>)| {
            Line::new(samples.iter().map(of).collect::<Vec<_>>()).label(format!("start {}", i + 1))
        };
        drawn.descents.iter().enumerate().map(line).collect()
    };
    // Below that the least loss itself is rounded.
    let excess = |sample: &super::Sample| if sample.excess < 1e-15 { f64::NAN } else { sample.excess };
    let excess = Chart::new(Axis::linear("step"), Axis::log("excess loss (nats)").range(1e-15, 30.0))
        .title("Loss")
        .lines(lines(&|sample| (sample.step as f64, excess(sample))));
    let accuracy = Chart::new(Axis::log("step"), Axis::linear("share of new points that are right"))
        .title("Accuracy")
        .lines(lines(&|sample| ((sample.step + 1) as f64, sample.accuracy)))
        .horizontal(best_accuracy(), Color::Ink, "best possible");
    Figure::new(
        "convergence",
        format!("Excess loss and accuracy from {STARTS} starts"),
        format!(
            "Gradient descent on the binary cross-entropy. First: check whether the lines become parallel, \
             with the slope given by the smallest curvature. They end where the minimum of the loss itself \
             is rounded. {} Second: the accuracy on {TEST} new points, over a logarithmic axis that counts \
             the start as 1. The accuracy converges long before the loss: later steps hardly improve the \
             boundary.",
            starts_in_words(drawn)
        ),
    )
    .panel(excess)
    .panel(accuracy)
}

/// Whether the start with the largest loss takes longest.
fn starts_in_words(drawn: &Drawn) -> String {
    let starts: Vec<usize> = (0..drawn.descents.len()).collect();
    let excess = |start: &usize| drawn.descents[*start][0].excess;
    let steps = |start: &usize| drawn.descents[*start].last().map_or(0, |sample| sample.step);
    let (worst, slowest) = (greatest(&starts, excess), greatest(&starts, |start| steps(start) as f64));
    if worst == slowest {
        return format!(
            "Start {}, with the largest excess, takes longest: {} steps to a gradient of 10⁻¹².",
            worst + 1,
            steps(worst)
        );
    }
    format!(
        "A larger loss at the start need not take longer. Start {} has the largest excess, {}, and takes {} \
         steps to a gradient of 10⁻¹². Start {}, with {}, takes {}.",
        worst + 1,
        fixed(excess(worst), 2),
        steps(worst),
        slowest + 1,
        fixed(excess(slowest), 2),
        steps(slowest)
    )
}

pub(super) fn landscape(Points { places, labels }: &Points, drawn: &Drawn) -> Figure {
    let Drawn { best, descents, .. } = drawn;
    let span = (-6.0, 6.0);
    let loss = |w1: f64, w2: f64| {
        let terms = places.iter().zip(labels).map(|(x, label)| {
            let z = w1 * x[0] + w2 * x[1] + best[2];
            Float::softplus(if *label == 1 { -z } else { z })
        });
        terms.sum::<f64>() / places.len() as f64
    };
    let levels: Vec<f64> = (0..12).map(|k| loss(best[0], best[1]) + 0.02 * Float::powi(1.7, k)).collect();
    let mut paths =
        Chart::new(Axis::linear("w₁").range(span.0, span.1), Axis::linear("w₂").range(span.0, span.1))
            .title("The loss over the weights, and the paths")
            .square()
            .contours(60, span, span, &levels, Color::Muted, loss);
    for (i, samples) in descents.iter().enumerate() {
        let path: Vec<(f64, f64)> = samples.iter().map(|sample| (sample.at[0], sample.at[1])).collect();
        paths = paths.points([path[0]], Marker::Circle, Color::series(i), "");
        paths = paths.line(Line::new(path).named(format!("start {}", i + 1)).color(Color::series(i)));
    }
    paths = paths.points([(best[0], best[1])], Marker::Star, Color::Ink, "optimum");

    let plane = (-4.0, 4.0);
    let class = |x: f64, y: f64| usize::from(best[0] * x + best[1] * y + best[2] > 0.0);
    let mut boundary =
        Chart::new(Axis::linear("x₁").range(plane.0, plane.1), Axis::linear("x₂").range(plane.0, plane.1))
            .title("The boundary, and p = 0.1 and 0.9")
            .square()
            .regions(120, plane, plane, class)
            .contours(2, plane, plane, &[-Float::ln(9.0), 0.0, Float::ln(9.0)], Color::Ink, |x, y| {
                best[0] * x + best[1] * y + best[2]
            });
    let height = 0.84 * plane.1;
    for p in [0.1, 0.9] {
        let x = (Float::ln(p / (1.0 - p)) - best[2] - best[1] * height) / best[0];
        if (plane.0..plane.1).contains(&x) {
            boundary = boundary.note((x, height), rounded(p, 1), Color::Ink);
        }
    }
    for k in 0..2 {
        let of_class = places.iter().zip(labels).filter(|(_, label)| **label == k).map(|(x, _)| (x[0], x[1]));
        let marker = [Marker::Dot, Marker::Cross][k];
        boundary =
            boundary.points(of_class.collect::<Vec<_>>(), marker, Color::series(k), format!("class {k}"));
    }
    Figure::new(
        "landscape",
        "One bowl, one boundary",
        format!(
            "First: contours of the loss as a function of the two weights, with the bias at its optimum, \
             and the paths from {STARTS} starts (discs). The paths cross contours at odd angles while their \
             bias is still changing. Second: the points and the boundary in the plane, with the lines where \
             the model says 0.1 and 0.9."
        ),
    )
    .panel(paths)
    .panel(boundary)
}
