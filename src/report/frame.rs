//! A chart in its panel: axes, layers, legend, colour bar.

use plotters::prelude::*;
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Axis;
use super::axis::Scale;
use super::draw::{BAR, EDGE, ROW, TITLE};
use super::element::{Area, Element, UNIT};
use super::figure::Chart;
use super::layer::{Canvas, Done, Root, SAMPLE, Sample, TEXT, draw_layer, draw_sample, rgb, stroke};
use super::palette::{Color, color_strip};

/// Where things stand in a panel, in pixels.
pub struct Frame<'a> {
    pub chart: &'a Chart,
    pub width: i32,
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub inner: i32,
    pub bottom: i32,
}

impl Frame<'_> {
    /// Draws axes, layers, legend and colour bar.
    pub fn draw(
        &self,
        root: &Root,
        sink: &Canvas,
        x: Scale,
        y: Scale,
        entries: &[(&str, Sample, i32, i32)],
    ) -> Done {
        let chart = self.chart;
        if !chart.title.is_empty() {
            let style = text(TITLE, Color::Ink, HPos::Left, VPos::Top);
            root.draw_text(&chart.title, &style, (self.left * UNIT, 5 * UNIT))?;
        }
        let mut context = ChartBuilder::on(root)
            .margin_top(self.top * UNIT)
            .margin_left(EDGE * UNIT)
            .margin_right(self.right * UNIT)
            .margin_bottom(6 * UNIT)
            .x_label_area_size(self.bottom * UNIT)
            .y_label_area_size((self.left - EDGE) * UNIT)
            .build_cartesian_2d(x.clone(), y.clone())?;
        if !chart.bare {
            let grid = if chart.square { rgb(Color::Grid).mix(0.0) } else { rgb(Color::Grid).to_rgba() };
            context
                .configure_mesh()
                .bold_line_style(grid.stroke_width(9))
                .light_line_style(grid.stroke_width(4))
                .axis_style(stroke(Color::Muted, 1.0))
                .label_style(text(TEXT, Color::Muted, HPos::Center, VPos::Center))
                .axis_desc_style(text(TEXT, Color::Ink, HPos::Center, VPos::Center))
                .x_desc(&chart.x.label)
                .y_desc(&chart.y.label)
                .set_all_tick_mark_size(4 * UNIT)
                .draw()?;
        }

        let area = context.plotting_area();
        let (wide, high) = area.get_pixel_range();
        let edge = UNIT;
        let corners = [(wide.start - edge, high.start - edge), (wide.end + edge, high.end + edge)];
        sink.borrow_mut().elements.push(Element::Clip(Area::between(corners[0], corners[1])));
        let place =
            |x: f64, y: f64| (chart.x.shows(x) && chart.y.shows(y)).then(|| area.map_coordinate(&(x, y)));
        for layer in &chart.layers {
            draw_layer(layer, chart, root, sink, &place, (&wide, &high), (&x, &y))?;
        }
        sink.borrow_mut().elements.push(Element::End);

        for (label, sample, dx, dy) in entries {
            let (x, y) = (12 + dx, self.top - 6 - legend_rows(entries) + dy + ROW / 2);
            draw_sample(sample, root, sink, (x * UNIT, y * UNIT))?;
            let style = text(TEXT, Color::Ink, HPos::Left, VPos::Center);
            root.draw_text(label, &style, ((x + SAMPLE + 6) * UNIT, y * UNIT))?;
        }
        if let Some((label, low, high)) = &chart.scale {
            self.color_bar(root, sink, label, *low, *high)?;
        }
        Ok(())
    }

    /// The strip of colours to the right, with its ticks.
    fn color_bar(&self, root: &Root, sink: &Canvas, label: &str, low: f64, high: f64) -> Done {
        let x = self.width - BAR + 12;
        let (top, bottom) = (self.top * UNIT, (self.top + self.inner) * UNIT);
        sink.borrow_mut().image(&color_strip(64), (x * UNIT, top), ((x + 12) * UNIT, bottom), true);
        let scale = Axis::linear("").range(low, high).resolve(std::iter::empty(), true);
        for (at, label) in &scale.ticks {
            let y = plotters::coord::ranged1d::Ranged::map(&scale, at, (bottom, top));
            let ends = vec![((x + 12) * UNIT, y), ((x + 15) * UNIT, y)];
            root.draw(&PathElement::new(ends, stroke(Color::Muted, 1.0)))?;
            let style = text(TEXT - 1, Color::Muted, HPos::Left, VPos::Center);
            root.draw_text(label, &style, ((x + 17) * UNIT, y))?;
        }
        let style =
            text(TEXT - 1, Color::Ink, HPos::Center, VPos::Bottom).transform(FontTransform::Rotate270);
        root.draw_text(label, &style, ((self.width - 1) * UNIT, (top + bottom) / 2))
    }
}

fn legend_rows(entries: &[(&str, Sample, i32, i32)]) -> i32 {
    entries.last().map_or(0, |(_, _, _, y)| y + ROW)
}

/// The look of a text of that size.
pub fn text(size: i32, color: Color, h: HPos, v: VPos) -> TextStyle<'static> {
    ("sans-serif", size * UNIT).into_font().color(&rgb(color)).pos(Pos::new(h, v))
}
