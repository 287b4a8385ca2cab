//! Points of the arms over the classes that a model gives to the plane.

use super::{ARMS, CELLS, Points, SPAN};
use crate::experiments::prelude::*;

/// Points over the classes that a model gives to the cells of the plane, with those marked that it takes for another
/// class than their own: `found` is what it takes each for.
pub fn plane(title: String, points: &Points, classes: &[Option<usize>], found: &[Option<usize>]) -> Chart {
    let axis = |name: &str| Axis::linear(name).range(SPAN.0, SPAN.1);
    let chart = Chart::new(axis("x"), axis("y")).title(title).square().class_map(CELLS, SPAN, SPAN, classes);
    let drawn = || 0..points.arms.len();
    let place = |i: usize| (points.places[i][0], points.places[i][1]);
    let chart = (0..ARMS).fold(chart, |chart, arm| {
        let of_arm = drawn().filter(|i| points.arms[*i] == arm).map(place);
        chart.points(of_arm, Marker::Dot, Color::series(arm), format!("arm {}", arm + 1))
    });
    let wrong = drawn().filter(|i| found[*i] != Some(points.arms[*i])).map(place);
    chart.points(wrong, Marker::Cross, Color::Ink, "taken for another")
}

/// The same as a small square, which names each arm near its outer end.
pub fn small_plane(
    title: String,
    points: &Points,
    classes: &[Option<usize>],
    found: &[Option<usize>],
) -> Chart {
    (0..ARMS).fold(plane(title, points, classes, found).bare(), |chart, arm| {
        let of_arm = (0..points.len()).filter(|i| points.arms[*i] == arm).map(|i| points.places[i]);
        match of_arm.max_by(|a, b| radius(*a).total_cmp(&radius(*b))) {
            Some(tip) => chart.text(behind(tip), format!("arm {}", arm + 1), Color::Ink),
            None => chart,
        }
    })
}

fn radius([x, y]: [f64; 2]) -> f64 {
    Float::sqrt(x * x + y * y)
}

/// A place for the name of the arm that ends at `tip`: behind its end in the direction in which arms turn, where no arm is,
/// and so far from the edge that a name is not cut off.
fn behind(tip: [f64; 2]) -> (f64, f64) {
    const ANGLE: f64 = 0.36;
    let out = 0.95 * SPAN.1 / radius(tip);
    let (sin, cos) = (Float::sin(ANGLE), Float::cos(ANGLE));
    let (x, y) = (out * (cos * tip[0] - sin * tip[1]), out * (sin * tip[0] + cos * tip[1]));
    (x.clamp(0.83 * SPAN.0, 0.83 * SPAN.1), y.clamp(0.9 * SPAN.0, 0.9 * SPAN.1))
}
