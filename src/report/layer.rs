//! The layers of a chart, and their samples in the legend.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::Color as _;

use super::axis::{Kind, Scale};
use super::contour;
use super::element::{Anchor, Element, Paint, Stroke, UNIT};
use super::figure::{Chart, Layer};
use super::line::{Line, Marker};
use super::palette::Color;
use super::svg::{Backend, Sink, text_width};

pub type Root = DrawingArea<Backend, Shift>;
pub type Canvas = Rc<RefCell<Sink>>;
pub type Done = Result<(), DrawingAreaErrorKind<Infallible>>;

/// Size of the text of a chart.
pub const TEXT: i32 = 13;

/// Length of the sample of a line in the legend.
pub const SAMPLE: i32 = 24;

pub fn rgb(color: Color) -> RGBColor {
    let (r, g, b) = color.rgb();
    RGBColor(r, g, b)
}

pub fn stroke(color: Color, width: f64) -> ShapeStyle {
    rgb(color).stroke_width((width * f64::from(UNIT)).round() as u32)
}

/// What the legend shows for a layer.
pub enum Sample {
    Line(Color, usize, f64, Option<Marker>),
    Area(Color, f64),
    Point(Color, Marker),
}

pub fn sample(layer: &Layer) -> Option<(&str, Sample)> {
    let (label, sample) = match layer {
        Layer::Line(line) => (&line.label, Sample::Line(color(line), dash(line), line.width, line.marker)),
        Layer::Band { color, label, .. } => (label, Sample::Area(*color, 0.22)),
        Layer::Points { marker, color, label, .. } => (label, Sample::Point(*color, *marker)),
        Layer::Bars { color, label, .. } => (label, Sample::Area(*color, 1.0)),
        Layer::Rule { color, label, .. } => (label, Sample::Line(*color, 1, 1.2, None)),
        _ => return None,
    };
    (!label.is_empty()).then_some((label.as_str(), sample))
}

fn color(line: &Line) -> Color {
    line.color.unwrap_or(Color::Ink)
}

fn dash(line: &Line) -> usize {
    line.dash.unwrap_or(0)
}

pub type Span = std::ops::Range<i32>;

pub fn draw_layer(
    layer: &Layer,
    chart: &Chart,
    root: &Root,
    sink: &Canvas,
    place: &dyn Fn(f64, f64) -> Option<(i32, i32)>,
    (wide, high): (&Span, &Span),
    (x, y): (&Scale, &Scale),
) -> Done {
    match layer {
        Layer::Line(line) => {
            sink.borrow_mut().dash = dash(line);
            let mut pieces = vec![Vec::new()];
            for (x, y) in &line.points {
                match place(*x, *y) {
                    Some(at) => pieces.last_mut().expect("there is a first piece").push(at),
                    None => pieces.push(Vec::new()),
                }
            }
            let style = stroke(color(line), line.width);
            for piece in pieces.iter().filter(|piece| piece.len() > 1) {
                root.draw(&PathElement::new(thin(piece), style))?;
            }
            sink.borrow_mut().dash = 0;
            // A single point would be no line at all.
            let alone = pieces.iter().filter(|piece| piece.len() == 1 && line.marker.is_none());
            for at in alone.flatten() {
                draw_marker(Marker::Dot, color(line), root, *at)?;
            }
            if let Some(marker) = line.marker {
                for at in pieces.iter().flatten() {
                    draw_marker(marker, color(line), root, *at)?;
                }
            }
            Ok(())
        }
        Layer::Band { points, color, .. } => {
            let upper = points.iter().filter_map(|(x, _, high)| place(*x, *high));
            let lower = points.iter().rev().filter_map(|(x, low, _)| place(*x, *low));
            let outline: Vec<(i32, i32)> = upper.chain(lower).collect();
            root.draw(&Polygon::new(outline, rgb(*color).mix(0.22)))
        }
        Layer::Points { points, marker, color, .. } => {
            for (x, y) in points {
                if let Some(at) = place(*x, *y) {
                    draw_marker(*marker, *color, root, at)?;
                }
            }
            Ok(())
        }
        Layer::Bars { bars, shift, width, color, .. } => {
            let lying = matches!(chart.y.kind, Kind::Categories(_));
            let foot = |scale: &Scale, kind: &Kind| match kind {
                Kind::Log => scale.ends().0,
                _ => 0.0,
            };
            for (category, length) in bars {
                let (from, to) = (category + shift - width / 2.0, category + shift + width / 2.0);
                let corners = if lying {
                    (place(foot(x, &chart.x.kind), from), place(*length, to))
                } else {
                    (place(from, foot(y, &chart.y.kind)), place(to, *length))
                };
                if let (Some(a), Some(b)) = corners {
                    root.draw(&Rectangle::new([a, b], rgb(*color).filled()))?;
                }
            }
            Ok(())
        }
        Layer::Errors { points, color } => {
            for (x, low, high) in points {
                let (Some(a), Some(b)) = (place(*x, *low), place(*x, *high)) else { continue };
                let cap = 3 * UNIT;
                let lines =
                    [[a, b], [(a.0 - cap, a.1), (a.0 + cap, a.1)], [(b.0 - cap, b.1), (b.0 + cap, b.1)]];
                for line in lines {
                    root.draw(&PathElement::new(line.to_vec(), stroke(*color, 1.2)))?;
                }
            }
            Ok(())
        }
        Layer::Raster { image, x, y, smooth } => {
            if let (Some(a), Some(b)) = (place(x.0, y.0), place(x.1, y.1)) {
                sink.borrow_mut().image(image, a, b, *smooth);
            }
            Ok(())
        }
        Layer::Segments { segments, color, width } => {
            // One path: an element for each piece would take several times the room.
            let placed = segments.iter().filter_map(|[a, b]| Some([place(a.0, a.1)?, place(b.0, b.1)?]));
            let placed: Vec<[(i32, i32); 2]> = placed.filter(|[a, b]| a != b).collect();
            let lines = contour::join(&placed).iter().map(|chain| thin(chain)).collect();
            let paint = Paint { color: color.rgb().into(), alpha: 0.55 };
            let width = (width * f64::from(UNIT)).round() as i32;
            let stroke = Stroke { paint, width, dash: 0 };
            sink.borrow_mut().elements.push(Element::Path { lines, stroke });
            Ok(())
        }
        Layer::Rule { at, vertical, color, .. } => {
            let ((x0, _), (y0, _)) = (x.ends(), y.ends());
            let Some((px, py)) = (if *vertical { place(*at, y0) } else { place(x0, *at) }) else {
                return Ok(());
            };
            let ends = if *vertical {
                vec![(px, high.start), (px, high.end)]
            } else {
                vec![(wide.start, py), (wide.end, py)]
            };
            sink.borrow_mut().dash = 1;
            root.draw(&PathElement::new(ends, stroke(*color, 1.2)))?;
            sink.borrow_mut().dash = 0;
            Ok(())
        }
        Layer::Note { at, text, color, across } => {
            if let Some((x, y)) = place(at.0, at.1) {
                // To the left of the point where the text would not fit to its right.
                let room = wide.end - x > text_width(text, f64::from(TEXT * UNIT)) as i32 + 8 * UNIT;
                let (dx, anchor) = match (across, room) {
                    (true, _) => (0, Anchor::Middle),
                    (false, true) => (7, Anchor::Start),
                    (false, false) => (-7, Anchor::End),
                };
                sink.borrow_mut().elements.push(Element::Note {
                    at: (x + dx * UNIT, y),
                    anchor,
                    size: TEXT,
                    color: color.rgb().into(),
                    text: text.clone(),
                });
            }
            Ok(())
        }
    }
}

/// A path with fewer points that looks the same: at this size no one sees tenths of a pixel, nor more
/// than the extremes of what falls into one column of pixels.
pub fn thin(points: &[(i32, i32)]) -> Vec<(i32, i32)> {
    let mut kept: Vec<(i32, i32)> = Vec::new();
    for (i, (x, y)) in points.iter().enumerate() {
        let near = kept.last().is_some_and(|(a, b)| (x - a).abs().max((y - b).abs()) < UNIT / 2);
        if !near || i + 1 == points.len() {
            kept.push((*x, *y));
        }
    }
    let forward = kept.windows(2).all(|pair| pair[0].0 <= pair[1].0);
    if !forward || kept.len() < 1000 {
        return kept;
    }
    let mut out = Vec::new();
    for column in kept.chunk_by(|a, b| a.0 / UNIT == b.0 / UNIT) {
        let (first, last) = (0, column.len() - 1);
        let low = (0..column.len()).min_by_key(|i| column[*i].1).unwrap_or(first);
        let high = (0..column.len()).max_by_key(|i| column[*i].1).unwrap_or(first);
        let mut places = [first, low, high, last];
        places.sort_unstable();
        out.extend(places.map(|i| column[i]));
    }
    out.dedup();
    out
}

fn draw_marker(marker: Marker, color: Color, root: &Root, (x, y): (i32, i32)) -> Done {
    let fill = rgb(color).filled();
    let polygon = |points: &[(f64, f64)]| {
        let place = |(dx, dy): &(f64, f64)| {
            let unit = f64::from(UNIT);
            (x + (dx * unit).round() as i32, y + (dy * unit).round() as i32)
        };
        root.draw(&Polygon::new(points.iter().map(place).collect::<Vec<_>>(), fill))
    };
    match marker {
        Marker::Dot => root.draw(&Circle::new((x, y), 17, fill)),
        Marker::Circle => root.draw(&Circle::new((x, y), 35, fill)),
        Marker::Square => polygon(&[(-3.2, -3.2), (3.2, -3.2), (3.2, 3.2), (-3.2, 3.2)]),
        // The page's script takes the mean of the corners for the place.
        Marker::Triangle => polygon(&[(0.0, -4.8), (4.0, 2.4), (-4.0, 2.4)]),
        Marker::Cross => {
            let r = 32;
            for d in [-r, r] {
                let line = vec![(x - r, y - d), (x + r, y + d)];
                root.draw(&PathElement::new(line, stroke(color, 1.7)))?;
            }
            Ok(())
        }
        Marker::Star => {
            let points: Vec<(f64, f64)> = (0..10)
                .map(|k| {
                    let angle = f64::from(k) * std::f64::consts::PI / 5.0;
                    let radius = if k % 2 == 0 { 8.0 } else { 3.3 };
                    (radius * libm::sin(angle), -radius * libm::cos(angle))
                })
                .collect();
            polygon(&points)
        }
    }
}

pub fn draw_sample(sample: &Sample, root: &Root, sink: &Canvas, (x, y): (i32, i32)) -> Done {
    let (end, middle) = (x + SAMPLE * UNIT, x + SAMPLE * UNIT / 2);
    match sample {
        Sample::Line(color, dash, width, marker) => {
            sink.borrow_mut().dash = *dash;
            root.draw(&PathElement::new(vec![(x, y), (end, y)], stroke(*color, width.max(1.2))))?;
            sink.borrow_mut().dash = 0;
            marker.map_or(Ok(()), |marker| draw_marker(marker, *color, root, (middle, y)))
        }
        Sample::Area(color, alpha) => {
            let corners = [(x + 5 * UNIT, y - 5 * UNIT), (end - 4 * UNIT, y + 5 * UNIT)];
            root.draw(&Rectangle::new(corners, rgb(*color).mix(*alpha).filled()))
        }
        Sample::Point(color, marker) => draw_marker(*marker, *color, root, (middle, y)),
    }
}
