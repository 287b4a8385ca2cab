//! What a drawing shows, in words, for those who do not see it.

use super::axis::Kind;
use super::figure::{Chart, Images, Layer};
use super::{Axis, Line, rounded};
use crate::text::count;

/// How many series are told in numbers.
const MOST: usize = 8;

/// A chart: its axes, and of each named series where it begins and ends and how far it reaches.
pub fn chart(chart: &Chart) -> String {
    let mut parts: Vec<String> = chart.layers.iter().filter_map(|layer| series(layer, chart)).collect();
    let more = parts.len().saturating_sub(MOST);
    parts.truncate(MOST);
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    if let Some((label, low, high)) = &chart.scale {
        let (low, high) = (rounded(*low, 3), rounded(*high, 3));
        parts.push(format!("colours for {label} from {low} to {high}"));
    }
    let title = if chart.title.is_empty() { String::new() } else { format!("{}. ", chart.title) };
    let axes = match (axis(&chart.y), axis(&chart.x)) {
        (y, x) if x.is_empty() => y,
        (y, x) if y.is_empty() => x,
        (y, x) => format!("{y} over {x}"),
    };
    let what = if parts.is_empty() { String::new() } else { format!(": {}", parts.join("; ")) };
    format!("{title}{axes}{what}.")
}

/// Pictures: how many, and what stands below them.
pub fn images(images: &Images) -> String {
    let labels: Vec<&str> =
        images.images.iter().map(|(_, label)| label.as_str()).filter(|label| !label.is_empty()).collect();
    let what = if labels.is_empty() { String::new() } else { format!(": {}", labels.join("; ")) };
    format!("{}: {}{what}.", images.title, count(images.images.len(), "picture"))
}

fn axis(axis: &Axis) -> String {
    match &axis.kind {
        Kind::Log if !axis.label.is_empty() => format!("{} (logarithmic)", axis.label),
        Kind::Categories(names) if axis.label.is_empty() => names.join(", "),
        _ => axis.label.clone(),
    }
}

fn series(layer: &Layer, chart: &Chart) -> Option<String> {
    let say = |x: f64| rounded(x, 3);
    match layer {
        Layer::Line(Line { points, label, .. }) => {
            // Of a path in the plane, height says nothing.
            let seen: Vec<(f64, f64)> =
                points.iter().copied().filter(|(x, y)| chart.x.shows(*x) && chart.y.shows(*y)).collect();
            let (first, last) = (seen.first()?, seen.last()?);
            let name = if label.is_empty() { "a line" } else { label };
            Some(if chart.square {
                format!(
                    "{name} from ({}, {}) to ({}, {})",
                    say(first.0),
                    say(first.1),
                    say(last.0),
                    say(last.1)
                )
            } else {
                let turning = turning(&seen).map_or(String::new(), |y| format!(" by way of {}", say(y)));
                format!("{name} goes from {}{turning} to {}", say(first.1), say(last.1))
            })
        }
        Layer::Points { points, label, .. } if !label.is_empty() => Some(match points.as_slice() {
            [(x, y)] => format!("{label} at ({}, {})", say(*x), say(*y)),
            points => format!("{label}, {}", count(points.len(), "point")),
        }),
        Layer::Bars { bars, label, .. } => {
            let values: Vec<String> = bars.iter().map(|(_, y)| say(*y)).collect();
            let name = if label.is_empty() { "bars" } else { label };
            Some(format!("{name}: {}", values.join(", ")))
        }
        Layer::Rule { at, label, .. } if !label.is_empty() => Some(format!("{label} at {}", say(*at))),
        Layer::Note { text, across: false, .. } => Some(format!("marked: {text}")),
        _ => None,
    }
}

/// The height of a line where it is farthest outside of the heights of its ends; `None` if it stays between them.
fn turning(points: &[(f64, f64)]) -> Option<f64> {
    let (first, last) = (points.first()?.1, points.last()?.1);
    let (low, high) = (first.min(last), first.max(last));
    let outside = |y: f64| (low - y).max(y - high);
    let farthest = points.iter().map(|(_, y)| *y).max_by(|a, b| outside(*a).total_cmp(&outside(*b)))?;
    (outside(farthest) > 0.0).then_some(farthest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Color;

    #[test]
    fn lines_are_told_by_their_ends_and_turning() {
        let loss = Line::new([(1.0, 2.0), (2.0, 0.5), (3.0, 1.0)]).label("test");
        let chart_of = Chart::new(Axis::linear("epoch"), Axis::log("loss")).title("Loss").line(loss);
        assert_eq!(
            chart(&chart_of.vertical(2.0, Color::Ink, "restored")),
            "Loss. loss (logarithmic) over epoch: test goes from 2 by way of 0.5 to 1; restored at 2."
        );
        let names = Axis::categories("", ["a", "b"]);
        let bars =
            Chart::new(names, Axis::linear("time")).bars([(0.0, 3.0), (1.0, 4.0)], (0, 1), Color::Blue, "");
        assert_eq!(chart(&bars), "time over a, b: bars: 3, 4.");
    }

    #[test]
    fn nothing_to_see_is_said_too() {
        assert_eq!(chart(&Chart::new(Axis::linear("x"), Axis::linear("y"))), "y over x.");
        assert_eq!(images(&Images::new(2, []).title("Digits")), "Digits: 0 pictures.");
    }
}
