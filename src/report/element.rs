//! What a drawing is made of, as data; and its form in SVG.
//!
//! It holds numbers, colours, texts and pixels, and never markup: whatever the numbers and texts are, what is written
//! here is well-formed, draws only, and is as long as its data. The texts may come from anybody: names in a file of data,
//! rows that were kept.

use std::fmt::Write as _;

use super::escape;

/// Units of the canvas in a pixel.
pub const UNIT: i32 = 10;

/// A place, in units.
pub type Place = (i32, i32);

/// One element of a drawing, all lengths in units.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    Rectangle {
        area: Area,
        look: Look,
    },
    Line {
        points: Vec<Place>,
        stroke: Stroke,
    },
    Circle {
        at: Place,
        radius: i32,
        look: Look,
    },
    Polygon {
        points: Vec<Place>,
        fill: Paint,
    },
    /// Many lines in one element, as those of contours.
    Path {
        lines: Vec<Vec<Place>>,
        stroke: Stroke,
    },
    Text(Text),
    /// A text beside a point or across it, with an outline in the colour of the paper, as there may be lines below.
    Note {
        at: Place,
        anchor: Anchor,
        size: i32,
        color: [u8; 3],
        text: String,
    },
    Image {
        area: Area,
        smooth: bool,
        /// A `data:` address: see [`Image::data_url`](super::Image::data_url).
        url: String,
    },
    /// Everything until the [`End`](Element::End) that has to follow is cut off at this rectangle.
    Clip(Area),
    End,
}

/// A rectangle: its upper left corner and its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    at: Place,
    size: (i32, i32),
}

/// A colour, and how much of it covers what lies below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paint {
    pub color: [u8; 3],
    pub alpha: f64,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    pub paint: Paint,
    pub width: i32,
    /// Index of its dashes; 0 is solid.
    pub dash: usize,
}

/// How a shape is drawn: its area or its outline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Look {
    Fill(Paint),
    Outline(Stroke),
}

/// A line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub at: Place,
    pub anchor: Anchor,
    pub rise: Rise,
    /// In degrees.
    pub turn: i32,
    pub size: i32,
    pub paint: Paint,
    pub text: String,
}

/// Which part of a text stands at its place, sideways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn word(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

/// Which part of a text stands at its place, upwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rise {
    Top,
    Center,
    Bottom,
}

/// Values of `stroke-dasharray`: solid, dashes, dots, both.
const DASHES: [&str; 4] = ["", "6 3.5", "1.5 3", "8 3 1.5 3"];

impl Area {
    /// The rectangle between two corners.
    pub fn between((x0, y0): Place, (x1, y1): Place) -> Area {
        Area { at: (x0.min(x1), y0.min(y1)), size: ((x1 - x0).abs(), (y1 - y0).abs()) }
    }
}

/// The elements as the text inside of `<svg>`.
pub fn body(elements: &[Element]) -> String {
    let mut out = String::new();
    for element in elements {
        // Writing into a string cannot fail.
        let _ = element.write(&mut out);
    }
    out
}

impl Element {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        match self {
            Element::Rectangle { area, look } => {
                write!(out, "<rect {} {}/>", area.attributes(), look.attributes())
            }
            Element::Line { points, stroke } => write!(
                out,
                r#"<polyline points="{}" {} stroke-linejoin="round"/>"#,
                list(points),
                stroke.attributes()
            ),
            Element::Circle { at, radius, look } => write!(
                out,
                r#"<circle cx="{}" cy="{}" r="{}" {}/>"#,
                px(at.0),
                px(at.1),
                px(*radius),
                look.attributes()
            ),
            Element::Polygon { points, fill } => {
                write!(out, r#"<polygon points="{}" {}/>"#, list(points), fill.attributes("fill"))
            }
            Element::Path { lines, stroke } => {
                out.push_str("<path d=\"");
                for line in lines {
                    for (i, (x, y)) in line.iter().enumerate() {
                        write!(out, "{}{} {}", if i == 0 { 'M' } else { 'L' }, px(*x), px(*y))?;
                    }
                }
                let (color, width) = (hex(stroke.paint.color), px(stroke.width));
                let alpha = stroke.paint.alpha;
                write!(
                    out,
                    r#"" fill="none" stroke="{color}" stroke-width="{width}" stroke-opacity="{alpha}"/>"#
                )
            }
            Element::Text(text) => text.write(out),
            Element::Note { at, anchor, size, color, text } => write!(
                out,
                "<text x=\"{}\" y=\"{}\" dy=\"{}\" text-anchor=\"{}\" font-size=\"{size}\" \
                 fill=\"{}\" stroke=\"#FFFFFF\" stroke-width=\"3\" stroke-linejoin=\"round\" \
                 paint-order=\"stroke\">{}</text>",
                px(at.0),
                px(at.1),
                // Across the point in its middle, above it at its side.
                if *anchor == Anchor::Middle { "0.35em" } else { "-0.5em" },
                anchor.word(),
                hex(*color),
                escape(text)
            ),
            Element::Image { area, smooth, url } => {
                let rendering = if *smooth { "" } else { r#" style="image-rendering:pixelated""# };
                write!(
                    out,
                    r#"<image {} preserveAspectRatio="none"{rendering} href="{url}"/>"#,
                    area.attributes()
                )
            }
            // A nested picture cuts off by itself; a clip path would need a name that no other drawing has.
            Element::Clip(area) => {
                write!(out, r#"<svg {} viewBox="{}">"#, area.attributes(), area.view())
            }
            Element::End => out.write_str("</svg>"),
        }
    }
}

impl Area {
    /// Its corner and size, as `viewBox` takes them.
    pub fn view(&self) -> String {
        let Area { at, size } = self;
        [at.0, at.1, size.0, size.1].map(px).join(" ")
    }

    fn attributes(&self) -> String {
        let Area { at, size } = self;
        let (x, y, w, h) = (px(at.0), px(at.1), px(size.0), px(size.1));
        format!(r#"x="{x}" y="{y}" width="{w}" height="{h}""#)
    }
}

impl Paint {
    fn attributes(&self, kind: &str) -> String {
        let opacity =
            if self.alpha < 1.0 { format!(r#" {kind}-opacity="{:.2}""#, self.alpha) } else { String::new() };
        format!(r#"{kind}="{}"{opacity}"#, hex(self.color))
    }
}

impl Stroke {
    fn attributes(&self) -> String {
        let dash = DASHES[self.dash % DASHES.len()];
        let dash = if dash.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dash}""#) };
        format!(r#"fill="none" {} stroke-width="{}"{dash}"#, self.paint.attributes("stroke"), px(self.width))
    }
}

impl Look {
    fn attributes(&self) -> String {
        match self {
            Look::Fill(paint) => paint.attributes("fill"),
            Look::Outline(stroke) => stroke.attributes(),
        }
    }
}

impl Text {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let anchor = self.anchor.word();
        // Shares of the font size that put the line above, across or below the point.
        let dy = match self.rise {
            Rise::Top => "0.76em",
            Rise::Center => "0.35em",
            Rise::Bottom => "-0.25em",
        };
        let (x, y, size) = (px(self.at.0), px(self.at.1), px(self.size));
        let turn = match self.turn {
            0 => String::new(),
            angle => format!(r#" transform="rotate({angle} {x} {y})""#),
        };
        write!(
            out,
            r#"<text x="{x}" y="{y}" dy="{dy}" text-anchor="{anchor}" font-size="{size}" {}{turn}>{}</text>"#,
            self.paint.attributes("fill"),
            escape(&self.text)
        )
    }
}

/// A length in units as pixels, with as many digits as it needs.
fn px(units: i32) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let (whole, rest) = (units.unsigned_abs() / UNIT as u32, units.unsigned_abs() % UNIT as u32);
    if rest == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

fn list(points: &[Place]) -> String {
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", px(*x), px(*y))).collect();
    points.join(" ")
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_never_markup() {
        let evil = "</text></svg><script>alert(1)</script>";
        let paint = Paint { color: [1, 2, 3], alpha: 0.0 };
        let text = Text {
            at: (i32::MIN, i32::MAX),
            anchor: Anchor::End,
            rise: Rise::Top,
            turn: -7,
            size: 1,
            paint,
            text: evil.into(),
        };
        let note =
            Element::Note { at: (0, 0), anchor: Anchor::End, size: 3, color: [0, 0, 0], text: evil.into() };
        let svg = body(&[Element::Text(text), note]);
        assert!(!svg.contains("<script") && svg.matches("&lt;script&gt;").count() == 2, "{svg}");
        assert!(svg.contains("x=\"-214748364.8\"") && svg.contains("fill-opacity=\"0.00\""), "{svg}");
    }
}
