//! The backend of plotters that writes SVG text.
//!
//! Plotters knows whole pixels only, so that it draws on a canvas [`UNIT`] times as large, and what is
//! written has one more digit. On top of what plotters asks for there are dashes, pixel images and a part
//! that is cut off at its edge.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::rc::Rc;

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
    text_anchor::{HPos, VPos},
};

use super::{Image, escape};

/// Units of the canvas in a pixel.
pub const UNIT: i32 = 10;

/// A finished drawing.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Drawn {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Whether it is a group of pictures, which need not stand on a common axis with its neighbours.
    pub pictures: bool,
    /// The elements inside of `<svg>`.
    pub body: String,
}

/// Where the elements go: shared by plotters, which owns a [`Backend`], and the code that draws.
#[derive(Default)]
pub struct Sink {
    pub out: String,
    /// Value of `stroke-dasharray` for the paths to come.
    pub dash: &'static str,
}

impl Sink {
    /// Everything until [`end`](Sink::end) is cut off at this rectangle, given in units.
    pub fn begin_clip(&mut self, (x0, y0): (i32, i32), (x1, y1): (i32, i32)) {
        let (x, y, w, h) = (px(x0), px(y0), px(x1 - x0), px(y1 - y0));
        // A nested picture cuts off by itself; a clip path would need a name that no other drawing has.
        let _ =
            write!(self.out, r#"<svg x="{x}" y="{y}" width="{w}" height="{h}" viewBox="{x} {y} {w} {h}">"#);
    }

    /// Ends what [`begin_clip`](Sink::begin_clip) began.
    pub fn end(&mut self) {
        self.out.push_str("</svg>");
    }

    /// A pixel image between two corners, given in units.
    pub fn image(&mut self, image: &Image, (x0, y0): (i32, i32), (x1, y1): (i32, i32), smooth: bool) {
        let (x, y, w, h) = (px(x0.min(x1)), px(y0.min(y1)), px((x1 - x0).abs()), px((y1 - y0).abs()));
        let rendering = if smooth { "" } else { r#" style="image-rendering:pixelated""# };
        let _ = write!(
            self.out,
            r#"<image x="{x}" y="{y}" width="{w}" height="{h}" preserveAspectRatio="none"{rendering} href="{}"/>"#,
            image.data_url()
        );
    }
}

/// What plotters draws on.
pub struct Backend {
    pub sink: Rc<RefCell<Sink>>,
    /// Size in units.
    pub size: (u32, u32),
}

/// A length in units as pixels, with as many digits as it needs.
pub fn px(units: i32) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let (whole, rest) = (units.abs() / UNIT, units.abs() % UNIT);
    if rest == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

fn paint(kind: &str, color: BackendColor) -> String {
    let (r, g, b) = color.rgb;
    let opacity =
        if color.alpha < 1.0 { format!(r#" {kind}-opacity="{:.2}""#, color.alpha) } else { String::new() };
    format!(r##"{kind}="#{r:02X}{g:02X}{b:02X}"{opacity}"##)
}

type Drawing = Result<(), DrawingErrorKind<Infallible>>;

impl Backend {
    fn stroke(&self, style: &impl BackendStyle) -> String {
        let dash = self.sink.borrow().dash;
        let dash = if dash.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dash}""#) };
        let width = px(style.stroke_width() as i32);
        format!(r#"fill="none" {} stroke-width="{width}"{dash}"#, paint("stroke", style.color()))
    }

    fn put(&mut self, element: String) -> Drawing {
        self.sink.borrow_mut().out.push_str(&element);
        Ok(())
    }
}

impl DrawingBackend for Backend {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawing {
        Ok(())
    }

    fn present(&mut self) -> Drawing {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawing {
        let paint = paint("fill", color);
        self.put(format!(r#"<rect x="{}" y="{}" width="0.1" height="0.1" {paint}/>"#, px(x), px(y)))
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawing {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (x0, y0): BackendCoord,
        (x1, y1): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawing {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        let (x, y, w, h) = (px(x0.min(x1)), px(y0.min(y1)), px((x1 - x0).abs()), px((y1 - y0).abs()));
        let look = if fill { paint("fill", style.color()) } else { self.stroke(style) };
        self.put(format!(r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" {look}/>"#))
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawing {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        let points: Vec<String> = path.into_iter().map(|(x, y)| format!("{},{}", px(x), px(y))).collect();
        let look = self.stroke(style);
        self.put(format!(r#"<polyline points="{}" {look} stroke-linejoin="round"/>"#, points.join(" ")))
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawing {
        let look = if fill { paint("fill", style.color()) } else { self.stroke(style) };
        self.put(format!(r#"<circle cx="{}" cy="{}" r="{}" {look}/>"#, px(x), px(y), px(radius as i32)))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vertices: I,
        style: &S,
    ) -> Drawing {
        let points: Vec<String> = vertices.into_iter().map(|(x, y)| format!("{},{}", px(x), px(y))).collect();
        self.put(format!(r#"<polygon points="{}" {}/>"#, points.join(" "), paint("fill", style.color())))
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawing {
        // An axis without a name.
        if text.is_empty() {
            return Ok(());
        }
        let anchor = match style.anchor().h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        // Shares of the font size that put the line above, across or below the point.
        let dy = match style.anchor().v_pos {
            VPos::Top => "0.76em",
            VPos::Center => "0.35em",
            VPos::Bottom => "-0.25em",
        };
        let angle = match style.transform() {
            FontTransform::None => 0,
            FontTransform::Rotate90 => 90,
            FontTransform::Rotate180 => 180,
            FontTransform::Rotate270 => 270,
        };
        let (x, y) = (px(x), px(y));
        let turn =
            if angle == 0 { String::new() } else { format!(r#" transform="rotate({angle} {x} {y})""#) };
        let size = px(style.size().round() as i32);
        let paint = paint("fill", style.color());
        self.put(format!(
            r#"<text x="{x}" y="{y}" dy="{dy}" text-anchor="{anchor}" font-size="{size}" {paint}{turn}>{}</text>"#,
            escape(text)
        ))
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = style.size();
        Ok((text_width(text, size) as u32, size as u32))
    }

    fn blit_bitmap(&mut self, at: BackendCoord, (width, height): (u32, u32), bytes: &[u8]) -> Drawing {
        let (w, h) = (width as usize, height as usize);
        let image = Image::from_fn(w, h, |column, row| {
            let at = 3 * (row * w + column);
            [bytes[at], bytes[at + 1], bytes[at + 2], 255]
        });
        let corner = (at.0 + width as i32, at.1 + height as i32);
        self.sink.borrow_mut().image(&image, at, corner, true);
        Ok(())
    }
}

/// About how wide a text will be in a sans-serif font of that size; there is no font to ask.
pub fn text_width(text: &str, size: f64) -> f64 {
    let width = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | ':' | ';' | '|' | '\'' | ' ' | '(' | ')' => 0.33,
        'm' | 'w' | 'M' | 'W' | '→' | '—' => 0.9,
        '⁰' | '¹' | '²' | '³' | '⁴'..='⁹' | '⁻' => 0.4,
        c if c.is_uppercase() => 0.7,
        _ => 0.61,
    };
    text.chars().map(width).sum::<f64>() * size
}
