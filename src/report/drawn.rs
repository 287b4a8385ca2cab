//! A drawn figure, as a part of a page and as a file.

use std::fmt::Write as _;

use super::escape;
use super::math::prose;
use super::name::Name;
use super::palette::dark_style;
use super::svg::{Drawn, Shape};

/// A figure whose panels are drawn, as data.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnFigure {
    pub name: Name,
    pub title: String,
    pub caption: String,
    pub panels: Vec<Drawn>,
    /// Names and values of its sliders: see [`Figure::slider`].
    pub sliders: Vec<(String, Vec<String>)>,
}

impl DrawnFigure {
    /// The kind of all panels, if they have one.
    pub fn shape(&self) -> Option<Shape> {
        let first = self.panels.first()?.shape;
        self.panels.iter().all(|panel| panel.shape == first).then_some(first)
    }

    /// The figure as an element of a page.
    pub fn html(&self) -> String {
        let sliders = if self.sliders.is_empty() {
            String::new()
        } else {
            format!(" data-sliders=\"{}\"", escape(&serde_json::json!(self.sliders).to_string()))
        };
        let shape = match self.shape() {
            Some(Shape::Bare) => " bare",
            Some(Shape::Square) => " square",
            _ => "",
        };
        let mut html =
            format!("<figure><div class=\"panels n{}{shape}\"{sliders}>", self.panels.len().min(6));
        for panel in &self.panels {
            let _ = write!(
                html,
                "<svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\"{4}{5} role=\"img\" aria-label=\"{2}\">{3}</svg>",
                panel.width,
                panel.height,
                escape(&format!("{}: {}", self.title, panel.alt)),
                panel.body(),
                if panel.shape == Shape::Pictures { " class=\"pictures\"" } else { "" },
                panel.ends()
            );
        }
        let _ = write!(
            html,
            "</div><figcaption><b>{}.</b> {}</figcaption></figure>",
            escape(&self.title),
            prose(&self.caption)
        );
        html
    }

    /// An SVG file with all panels.
    pub fn svg(&self) -> String {
        let n = self.panels.len();
        let columns = if n == 4 { 2 } else { n.clamp(1, 3) };
        let rows: Vec<&[Drawn]> = self.panels.chunks(columns).collect();
        let height = |row: &[Drawn]| row.iter().map(|panel| panel.height).max().unwrap_or(0);
        let widths = rows.iter().map(|row| row.iter().map(|panel| panel.width).sum::<u32>());
        let width = widths.max().unwrap_or(0);
        let total: u32 = rows.iter().map(|row| height(row)).sum();
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{total}\" \
             viewBox=\"0 0 {width} {total}\" font-family=\"sans-serif\">\
             <title>{}</title><desc>{}</desc><style>{}</style>\
             <rect width=\"{width}\" height=\"{total}\" fill=\"#FFFFFF\"/>",
            escape(&self.title),
            escape(&self.caption),
            dark_style("")
        );
        let mut y = 0;
        for row in rows {
            let mut x = 0;
            for panel in row {
                let _ = write!(
                    svg,
                    "<svg x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\">{}</svg>",
                    panel.width,
                    panel.height,
                    panel.body()
                );
                x += panel.width;
            }
            y += height(row);
        }
        svg + "</svg>\n"
    }
}
