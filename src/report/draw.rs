//! From a chart to SVG.

use std::rc::Rc;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::Axis;
use super::alt;
use super::axis::{Kind, Scale};
use super::drawn::DrawnFigure;
use super::element::UNIT;
use super::figure::{Chart, Drawing, Figure, Images, Layer};
use super::frame::{Frame, text};
use super::layer::{Canvas, Done, Root, SAMPLE, Sample, TEXT, sample, stroke};
use super::line::Line;
use super::palette::Color;
use super::svg::{Backend, Drawn, Ends, Shape, text_width};
use crate::text::count;

/// Width of a panel, in pixels.
const WIDTH: i32 = 460;
/// Width of a square panel without a colour bar: wider ones would be high as well.
const SQUARE: i32 = 380;
/// Width of a panel without axes.
const BARE: i32 = 240;
/// Height of the area with the data, where it need not be square.
const HEIGHT: i32 = 262;
/// The same where two panels stand in a row, and where three do: the figure and its words fit on a screen together.
const LOWER: [i32; 2] = [236, 190];
/// Size of titles.
pub const TITLE: i32 = 14;
/// Height of a row of the legend.
pub const ROW: i32 = 19;
/// Room beside the label of the vertical axis: a font may be taller than its size says.
pub const EDGE: i32 = 4;
/// Width of a colour bar with its labels.
pub const BAR: i32 = 78;

impl Figure {
    /// The figure with its panels drawn.
    ///
    /// # Panics
    /// If it has sliders, and not a panel for each of their places.
    #[track_caller]
    pub fn draw(&self) -> DrawnFigure {
        let places: usize = self.sliders.iter().map(|(_, values)| values.len()).product();
        let panels = self.panels.len();
        assert!(
            self.sliders.is_empty() || panels == places,
            "figure {}: {} for {} of its sliders",
            self.name.as_str(),
            count(panels, "panel"),
            count(places, "place")
        );
        let height = match panels {
            // One is seen at a time.
            _ if !self.sliders.is_empty() => HEIGHT,
            0 | 1 => HEIGHT,
            2 | 4 => LOWER[0],
            _ => LOWER[1],
        };
        let panels = self.panels.iter().map(|panel| match panel {
            Drawing::Chart(chart) => draw_chart(chart, height),
            Drawing::Images(images) => draw_images(images),
        });
        DrawnFigure {
            name: self.name.clone(),
            title: self.title.clone(),
            caption: self.caption.clone(),
            panels: panels.collect(),
            sliders: self.sliders.clone(),
        }
    }

    /// The figure as an SVG file of its own.
    pub fn svg(&self) -> String {
        self.draw().svg()
    }
}

/// An area of that size in pixels, and where its elements end up.
fn canvas(width: i32, height: i32) -> (Root, Canvas) {
    let sink = Canvas::default();
    let size = ((width * UNIT) as u32, (height * UNIT) as u32);
    (Backend { sink: Rc::clone(&sink), size }.into_drawing_area(), sink)
}

fn finish(
    width: i32,
    height: i32,
    shape: Shape,
    alt: String,
    axes: [Option<Ends>; 2],
    sink: &Canvas,
) -> Drawn {
    let elements = std::mem::take(&mut sink.borrow_mut().elements);
    Drawn { width: width as u32, height: height as u32, shape, alt, axes, elements }
}

/// Entries of the legend with their places: below each other in rows, never over the data.
fn legend(chart: &Chart, room: i32) -> (Vec<(&str, Sample, i32, i32)>, i32) {
    let (mut x, mut row, mut entries) = (0, 0, Vec::new());
    for (label, sample) in chart.layers.iter().filter_map(sample) {
        let width = SAMPLE + 6 + text_width(label, f64::from(TEXT)) as i32 + 16;
        if x > 0 && x + width > room - 24 {
            (x, row) = (0, row + 1);
        }
        entries.push((label, sample, x, row * ROW));
        x += width;
    }
    let rows = if entries.is_empty() { 0 } else { row + 1 };
    (entries, rows * ROW)
}

/// A chart whose area with the data is of that height, unless it is square or has lying bars.
fn draw_chart(chart: &Chart, height: i32) -> Drawn {
    let (xs, ys) = values(chart);
    // A picture fills the area.
    let tight = chart.layers.iter().any(|layer| matches!(layer, Layer::Raster { .. }));
    let x = chart.x.resolve(xs.into_iter(), tight);
    let mut y = chart.y.resolve(ys.into_iter(), tight);
    if matches!(chart.y.kind, Kind::Categories(_)) {
        // Names are read from the top.
        y = y.reversed();
    }
    let (shape, width) = match () {
        () if chart.bare => (Shape::Bare, BARE),
        () if chart.square && chart.scale.is_none() => (Shape::Square, SQUARE),
        () => (Shape::Wide, WIDTH),
    };
    let (entries, legend_height) = if chart.bare { Default::default() } else { legend(chart, width) };
    let title_height = if chart.title.is_empty() { 4 } else { 26 };
    let top = title_height + legend_height + 6;
    let widest = y.ticks.iter().map(|(_, label)| text_width(label, f64::from(TEXT))).fold(0.0, f64::max);
    let named = |axis: &Axis| if axis.label.is_empty() { 0 } else { TEXT + 6 };
    let (left, bottom) = match shape {
        Shape::Bare => (EDGE, 0),
        _ => (EDGE + widest as i32 + 14 + named(&chart.y), TEXT + 14 + named(&chart.x)),
    };
    let right = match shape {
        Shape::Bare => EDGE,
        _ if chart.scale.is_some() => BAR,
        _ => 16,
    };
    let inner = match &chart.y.kind {
        _ if chart.square => width - left - right,
        // Lying bars take the room they need.
        Kind::Categories(names) => (names.len() as i32 * 26).max(60),
        _ => height,
    };
    let height = top + inner + bottom + 6;
    let (root, sink) = canvas(width, height);
    let ends = |axis: &Axis, scale: &Scale| {
        let (low, high, log) = scale.ends_drawn();
        (!matches!(axis.kind, Kind::Categories(_))).then_some(Ends { low, high, log })
    };
    let axes = [ends(&chart.x, &x), ends(&chart.y, &y)];
    // Drawing into a string cannot fail, and every area above has room.
    let frame = Frame { chart, width, left, top, right, inner, bottom };
    frame.draw(&root, &sink, x, y, &entries).expect("drawing into memory does not fail");
    drop(root);
    finish(width, height, shape, alt::chart(chart), axes, &sink)
}

/// All x and all y that the range of an axis should cover.
fn values(chart: &Chart) -> (Vec<f64>, Vec<f64>) {
    let (mut xs, mut ys) = (Vec::new(), Vec::new());
    for layer in &chart.layers {
        match layer {
            Layer::Line(Line { points, .. }) | Layer::Points { points, .. } => {
                // A point that one axis cannot show must not stretch the other.
                let seen = points.iter().filter(|(x, y)| chart.x.shows(*x) && chart.y.shows(*y));
                for (x, y) in seen {
                    xs.push(*x);
                    ys.push(*y);
                }
            }
            Layer::Band { points, .. } | Layer::Errors { points, .. } => {
                for (x, low, high) in points {
                    xs.push(*x);
                    ys.extend([low, high]);
                }
            }
            Layer::Bars { bars, .. } => {
                // On the axis of categories what is pushed is not looked at.
                let lengths = if matches!(chart.y.kind, Kind::Categories(_)) { &mut xs } else { &mut ys };
                lengths.extend(bars.iter().map(|(_, length)| *length));
            }
            Layer::Raster { x, y, .. } => {
                xs.extend([x.0, x.1]);
                ys.extend([y.0, y.1]);
            }
            Layer::Segments { .. } | Layer::Note { .. } => {}
            Layer::Rule { at, vertical, .. } => if *vertical { &mut xs } else { &mut ys }.push(*at),
        }
    }
    (xs, ys)
}

fn draw_images(images: &Images) -> Drawn {
    let columns = images.columns as i32;
    let cell = WIDTH / columns;
    let side = cell - 8;
    let line = TEXT + 8;
    let top = if images.title.is_empty() { 4 } else { 28 };
    let rows = (images.images.len() as i32 + columns - 1) / columns;
    let captioned = images.images.iter().any(|(_, text)| !text.is_empty());
    let step = side + if captioned { line } else { 6 };
    let height = top + rows * step + 4;
    let (root, sink) = canvas(WIDTH, height);
    let drawn = (|| -> Done {
        let style = text(TITLE, Color::Ink, HPos::Left, VPos::Top);
        root.draw_text(&images.title, &style, (4 * UNIT, 5 * UNIT))?;
        for (i, (image, label)) in images.images.iter().enumerate() {
            let (x, y) = (i as i32 % columns * cell + 4, top + i as i32 / columns * step);
            let corner = ((x + side) * UNIT, (y + side) * UNIT);
            sink.borrow_mut().image(image, (x * UNIT, y * UNIT), corner, false);
            let frame = Rectangle::new([(x * UNIT, y * UNIT), corner], stroke(Color::Grid, 1.0));
            root.draw(&frame)?;
            let style = text(TEXT - 1, Color::Ink, HPos::Center, VPos::Top);
            root.draw_text(label, &style, ((x + side / 2) * UNIT, (y + side + 3) * UNIT))?;
        }
        Ok(())
    })();
    drawn.expect("drawing into memory does not fail");
    drop(root);
    finish(WIDTH, height, Shape::Pictures, alt::images(images), [None; 2], &sink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::layer::thin;
    use crate::report::{Image, Marker};

    fn plane() -> Chart {
        Chart::new(Axis::linear("x").range(0.0, 10.0), Axis::linear("y").range(0.0, 10.0))
    }

    fn body(chart: Chart) -> String {
        draw_chart(&chart, HEIGHT).body()
    }

    #[test]
    fn a_line_has_a_gap_where_a_number_is_missing() {
        let points = [(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0), (4.0, f64::INFINITY), (5.0, 3.0)];
        let before = body(plane()).matches("<polyline").count();
        let drawn = body(plane().line(Line::new(points)));
        // The first piece is a line; the two points that stand alone are dots.
        assert_eq!(drawn.matches("<polyline").count(), before + 1);
        assert_eq!(drawn.matches("<circle").count(), 2);
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
    }

    #[test]
    fn an_axis_of_powers_of_ten_leaves_out_what_it_cannot_show() {
        let points = [(1.0, 1.0), (2.0, 0.0), (3.0, -5.0), (4.0, 100.0), (5.0, 10.0)];
        let chart = Chart::new(Axis::linear("x"), Axis::log("y"));
        let drawn = body(chart.points(points, Marker::Circle, Color::Blue, ""));
        assert_eq!(drawn.matches("<circle").count(), 3);
    }

    #[test]
    fn every_layer_draws() {
        let image = Image::from_fn(2, 2, |_, _| [0, 0, 0, 255]);
        let charts = [
            plane().band([(0.0, 1.0, 2.0), (5.0, 1.0, 3.0)], Color::Blue, "band"),
            plane().points([(1.0, 1.0)], Marker::Star, Color::Ink, "star"),
            plane().errors([(1.0, 2.0, 3.0)], Color::Ink),
            plane().raster(image, (0.0, 10.0), (0.0, 10.0), false),
            plane().regions(4, (0.0, 10.0), (0.0, 10.0), |x, _| usize::from(x > 5.0)),
            plane().heat((3, 3), (0.0, 10.0), (0.0, 10.0), "unit", (0.0, 9.0), |i, j| (i * j) as f64),
            plane().contours(8, (0.0, 10.0), (0.0, 10.0), &[5.0], Color::Ink, |x, y| x + y),
            plane().horizontal(5.0, Color::Muted, "rule"),
            plane().vertical(5.0, Color::Muted, "rule"),
            plane().note((5.0, 5.0), "here", Color::Ink),
        ];
        let empty = body(plane()).len();
        for (i, chart) in charts.into_iter().enumerate() {
            assert!(body(chart).len() > empty + 20, "layer {i}");
        }
        let names = ["sgd", "adam"];
        let bars =
            |x: Axis, y: Axis| Chart::new(x, y).bars([(0.0, 3.0), (1.0, 30.0)], (0, 1), Color::Blue, "");
        let upright = bars(Axis::categories("", names), Axis::linear("time (s)").holding(0.0));
        let lying = bars(Axis::log("time (s)").range(1.0, 100.0), Axis::categories("", names));
        for drawn in [body(upright), body(lying)] {
            assert_eq!(drawn.matches("<rect").count(), 2, "{drawn}");
            assert!(drawn.contains(">sgd<") && drawn.contains(">adam<"));
        }
    }

    #[test]
    fn a_bare_chart_has_its_title_and_its_data_only() {
        let chart =
            plane().title("two points").points([(1.0, 1.0), (2.0, 3.0)], Marker::Dot, Color::Blue, "few");
        let with_axes = body(chart.clone().square());
        let bare = draw_chart(&chart.bare(), HEIGHT);
        let body = bare.body();
        assert_eq!((body.matches("<circle").count(), body.matches("<text").count()), (2, 1), "{body}");
        assert!(body.contains(">two points<") && with_axes.contains(">few<") && with_axes.contains(">10<"));
        assert_eq!((bare.shape, bare.width), (Shape::Bare, BARE as u32));
    }

    #[test]
    fn text_is_escaped() {
        let evil = "</svg><script>alert(1)</script>&\"";
        let chart = Chart::new(Axis::linear(evil), Axis::linear(evil))
            .title(evil)
            .line(Line::new([(0.0, 0.0), (1.0, 1.0)]).label(evil))
            .note((0.5, 0.5), evil, Color::Ink);
        let svg = Figure::new("evil", evil, evil).panel(chart).svg();
        assert!(!svg.contains("<script>") && svg.matches("&lt;script&gt;").count() == 7, "{svg}");
    }

    #[test]
    fn an_empty_chart_and_a_single_point_are_drawn() {
        assert!(body(Chart::new(Axis::linear(""), Axis::log(""))).contains("<text"));
        let one = Chart::new(Axis::log("x"), Axis::log("y")).line(Line::new([(3.0, 3.0)]).label("one"));
        assert!(body(one).contains("<circle"));
    }

    #[test]
    fn a_long_line_keeps_its_extremes() {
        let points: Vec<(i32, i32)> =
            (0..100_000).map(|i| (i / 20, if i == 50_123 { 9_000 } else { 100 * (i % 2) })).collect();
        let thinned = thin(&points);
        assert!(thinned.len() < 3_000, "{}", thinned.len());
        assert!(thinned.iter().any(|p| p.1 == 9_000));
        assert_eq!((thinned[0], thinned[thinned.len() - 1]), (points[0], points[99_999]));
    }
}
