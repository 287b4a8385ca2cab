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
    let radius = |[x, y]: [f64; 2]| x * x + y * y;
    (0..ARMS).fold(plane(title, points, classes, found).bare(), |chart, arm| {
        let of_arm = (0..points.len()).filter(|i| points.arms[*i] == arm).map(|i| points.places[i]);
        // At the edge the name would be cut off.
        let within = of_arm.filter(|place| place.iter().all(|x| x.abs() < 0.9 * SPAN.1));
        match within.max_by(|a, b| radius(*a).total_cmp(&radius(*b))) {
            Some([x, y]) => chart.note((x, y), format!("arm {}", arm + 1), Color::Ink),
            None => chart,
        }
    })
}
