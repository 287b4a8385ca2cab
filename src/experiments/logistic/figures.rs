//! The descents, and where they end.

use nalgebra::DMatrix;

use super::{Descent, STARTS};
use crate::experiments::prelude::*;

pub(super) fn convergence(descents: &[Descent], best: f64) -> Figure {
    let lines = descents.iter().enumerate().map(|(i, descent)| {
        let excess = descent.losses.iter().enumerate().map(|(t, loss)| (t as f64, loss - best));
        Line::new(excess).label(format!("start {}", i + 1))
    });
    let chart =
        Chart::new(Axis::linear("step"), Axis::log("excess loss (nats)").range(1e-15, 30.0)).lines(lines);
    Figure::new(
        "convergence",
        format!("Excess loss from {STARTS} starts"),
        "Gradient descent on the binary cross-entropy. See whether the lines become parallel, with the slope \
         that the smallest curvature gives, until they reach the rounding. Bad starts lie where the loss is \
         nearly linear, and take longer.",
    )
    .panel(chart)
}

pub(super) fn landscape(x: &DMatrix<f64>, labels: &[usize], descents: &[Descent], best: [f64; 3]) -> Figure {
    let span = (-6.0, 6.0);
    let loss = |w1: f64, w2: f64| {
        let terms = (0..x.nrows()).map(|i| {
            let z = w1 * x[(i, 0)] + w2 * x[(i, 1)] + best[2];
            Float::softplus(if labels[i] == 1 { -z } else { z })
        });
        terms.sum::<f64>() / x.nrows() as f64
    };
    let levels: Vec<f64> = (0..12).map(|k| loss(best[0], best[1]) + 0.02 * Float::powi(1.7, k)).collect();
    let mut paths =
        Chart::new(Axis::linear("w₁").range(span.0, span.1), Axis::linear("w₂").range(span.0, span.1))
            .title("The loss over the weights, and the paths")
            .square()
            .contours(60, span, span, &levels, Color::Muted, loss);
    for (i, descent) in descents.iter().enumerate() {
        let path = descent.points.iter().map(|p| (p[0], p[1]));
        paths = paths.line(Line::new(path).color(Color::series(i)));
        paths = paths.points(
            [(descent.points[0][0], descent.points[0][1])],
            Marker::Circle,
            Color::series(i),
            "",
        );
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
    for k in 0..2 {
        let of_class = (0..x.nrows()).filter(|i| labels[*i] == k).map(|i| (x[(i, 0)], x[(i, 1)]));
        let marker = [Marker::Dot, Marker::Cross][k];
        boundary =
            boundary.points(of_class.collect::<Vec<_>>(), marker, Color::series(k), format!("class {k}"));
    }
    Figure::new(
        "landscape",
        "One bowl, one boundary",
        format!(
            "First: the loss as a function of the two weights (the bias at its optimum), and where the paths \
             from {STARTS} starts end; they cross contours at odd angles where their bias is still on its \
             way. Second: the boundary in the plane, with the lines on which the model says 0.1 and 0.9."
        ),
    )
    .panel(paths)
    .panel(boundary)
}
