//! What a drawing shows, in words, for those who do not see it.

use super::axis::Kind;
use super::figure::{Chart, Images, Layer};
use super::{Axis, Line, rounded};
use crate::text::count;

/// How many series are told in numbers.
const MOST: usize = 8;

/// A chart: its axes, and of each named series where it begins and ends and how far it reaches.
pub fn chart(chart: &Chart) -> String {
    let mut parts: Vec<String> = intervals(chart).into_iter().collect();
    parts.extend(chart.layers.iter().filter_map(|layer| series(layer, chart)));
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

/// A number on an axis: on one of even steps, what is left of 0 by rounding is 0.
fn say(axis: &Axis, x: f64) -> String {
    let zero = axis.kind != Kind::Log && x.abs() < 1e-12;
    rounded(if zero { 0.0 } else { x }, 3)
}

/// Lying lines between names: from where to where each of them reaches.
fn intervals(chart: &Chart) -> Option<String> {
    let Kind::Categories(names) = &chart.y.kind else { return None };
    let told = chart.layers.iter().filter_map(|layer| {
        let [from, to] = lying(layer)?;
        let name = names.get(from.1 as usize)?;
        Some(format!("{name}: {} to {}", say(&chart.x, from.0), say(&chart.x, to.0)))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("intervals: {}", told.join("; ")))
}

/// The ends of a line at one height.
fn lying(layer: &Layer) -> Option<[(f64, f64); 2]> {
    match layer {
        Layer::Line(Line { points, .. }) => match points[..] {
            [from, to] if from.1 == to.1 => Some([from, to]),
            _ => None,
        },
        _ => None,
    }
}

fn series(layer: &Layer, chart: &Chart) -> Option<String> {
    let (say_x, say_y) = (|x: f64| say(&chart.x, x), |y: f64| say(&chart.y, y));
    let categories = match &chart.y.kind {
        Kind::Categories(names) => names.as_slice(),
        _ => &[],
    };
    match layer {
        Layer::Line(_) if !categories.is_empty() && lying(layer).is_some() => None,
        Layer::Line(line @ Line { points, .. }) => {
            // Of a path in the plane, height says nothing.
            let seen: Vec<(f64, f64)> =
                points.iter().copied().filter(|(x, y)| chart.x.shows(*x) && chart.y.shows(*y)).collect();
            let (first, last) = (seen.first()?, seen.last()?);
            let name = line.told();
            Some(if chart.square {
                format!(
                    "{name} from ({}, {}) to ({}, {})",
                    say_x(first.0),
                    say_y(first.1),
                    say_x(last.0),
                    say_y(last.1)
                )
            } else {
                let turning = turning(&seen).map_or(String::new(), |y| format!(" by way of {}", say_y(y)));
                format!("{name} goes from {}{turning} to {}", say_y(first.1), say_y(last.1))
            })
        }
        Layer::Points { points, label, .. } if !label.is_empty() => {
            // A sample of the legend has no place.
            let seen: Vec<&(f64, f64)> =
                points.iter().filter(|(x, y)| chart.x.shows(*x) && chart.y.shows(*y)).collect();
            match seen.as_slice() {
                [] => None,
                [(x, y)] if categories.is_empty() => {
                    Some(format!("{label} at ({}, {})", say_x(*x), say_y(*y)))
                }
                seen if categories.is_empty() => Some(format!("{label}, {}", count(seen.len(), "point"))),
                seen => {
                    let at = |(x, y): &&(f64, f64)| {
                        Some(format!("{}: {}", categories.get(*y as usize)?, say_x(*x)))
                    };
                    Some(format!("{label}: {}", seen.iter().filter_map(at).collect::<Vec<_>>().join("; ")))
                }
            }
        }
        Layer::Bars { bars, label, .. } => {
            // Lying bars have their lengths along the other axis.
            let along = if categories.is_empty() { &chart.y } else { &chart.x };
            let values: Vec<String> = bars.iter().map(|(_, length)| say(along, *length)).collect();
            let name = if label.is_empty() { "bars" } else { label };
            Some(format!("{name}: {}", values.join(", ")))
        }
        Layer::Rule { at, vertical, label, .. } if !label.is_empty() => {
            let axis = if *vertical { &chart.x } else { &chart.y };
            Some(format!("{label} at {}", say(axis, *at)))
        }
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
    use crate::report::{Color, Marker};

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

    /// Nobody hears of what is not there, and every line has a name.
    #[test]
    fn samples_of_the_legend_and_rounding_are_left_out() {
        let plane = Chart::new(Axis::linear("x"), Axis::linear("y"))
            .line(Line::new([(0.0, 2e-16), (1.0, -2e-16)]).named("the sine"))
            .points([(f64::NAN, f64::NAN)], Marker::Star, Color::Ink, "step 10");
        assert_eq!(chart(&plane), "y over x: the sine goes from 0 to 0.");
        let excess =
            Chart::new(Axis::linear("x"), Axis::log("y")).line(Line::new([(0.0, 1e-15), (1.0, 1e-14)]));
        assert_eq!(chart(&excess), "y (logarithmic) over x: a line goes from 10⁻¹⁵ to 10⁻¹⁴.");
        let lying = Chart::new(Axis::linear("exponent"), Axis::categories("", ["n", "d"]))
            .line(Line::new([(0.9, 0.0), (1.1, 0.0)]))
            .line(Line::new([(1.9, 1.0), (2.1, 1.0)]))
            .points([(1.0, 0.0), (2.0, 1.0)], Marker::Circle, Color::Blue, "measured");
        assert_eq!(
            chart(&lying),
            "n, d over exponent: intervals: n: 0.9 to 1.1; d: 1.9 to 2.1; measured: n: 1; d: 2."
        );
    }

    #[test]
    fn nothing_to_see_is_said_too() {
        assert_eq!(chart(&Chart::new(Axis::linear("x"), Axis::linear("y"))), "y over x.");
        assert_eq!(images(&Images::new(2, []).title("Digits")), "Digits: 0 pictures.");
    }
}
