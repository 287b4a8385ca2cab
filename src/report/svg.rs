//! The backend of plotters that collects the elements of an SVG picture.
//!
//! Plotters knows whole pixels only, so that it draws on a canvas [`UNIT`](super::element::UNIT) times as
//! large, and what is written has one more digit. On top of what plotters asks for there are dashes, pixel images and a part
//! that is cut off at its edge.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
    text_anchor::{HPos, VPos},
};

use super::Image;
use super::element::{Anchor, Area, Element, Look, Paint, Place, Rise, Stroke, Text, body};

/// A finished drawing: what it is made of, as data.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Its kind, which decides how much room it takes on a page.
    pub(super) shape: Shape,
    /// What is seen, in words, for those who do not see it.
    pub alt: String,
    /// The ends of both axes, where these are numbers.
    pub(super) axes: [Option<Ends>; 2],
    pub(super) elements: Vec<Element>,
}

/// The kind of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Axes, wider than high.
    Wide,
    /// Axes as high as they are wide.
    Square,
    /// A square without axes.
    Bare,
    /// A group of pictures, which need not stand on a common axis with its neighbours.
    Pictures,
}

/// The ends of an axis as it is drawn; logarithms to base 10 where it is one of powers of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ends {
    pub low: f64,
    pub high: f64,
    pub log: bool,
}

impl Drawn {
    /// The ends of its axes as attributes, by which a script tells the values under the pointer.
    pub(super) fn ends(&self) -> String {
        let attribute = |name: &str, ends: &Option<Ends>| match ends {
            Some(Ends { low, high, log }) => format!(" data-{name}=\"{low} {high} {}\"", u8::from(*log)),
            None => String::new(),
        };
        let [x, y] = &self.axes;
        attribute("x", x) + &attribute("y", y)
    }

    /// The elements inside of `<svg>`.
    pub fn body(&self) -> String {
        body(&self.elements)
    }

    /// What lies within the axes as an element of its own, which fills whatever room there is; `None` where there are
    /// no axes. It is a picture beside a text, so that it has no words.
    pub(super) fn inside(&self) -> Option<String> {
        let from = self.elements.iter().position(|element| matches!(element, Element::Clip(_)))?;
        let Element::Clip(area) = &self.elements[from] else { return None };
        let length =
            self.elements[from + 1..].iter().take_while(|element| !matches!(element, Element::End)).count();
        let inside: Vec<Element> = self.elements[from + 1..=from + length]
            .iter()
            .filter(|element| !matches!(element, Element::Text(_) | Element::Note { .. } | Element::Clip(_)))
            .cloned()
            .collect();
        Some(format!(
            "<svg viewBox=\"{}\" preserveAspectRatio=\"xMidYMid slice\" aria-hidden=\"true\">{}</svg>",
            area.view(),
            body(&inside)
        ))
    }
}

/// Where the elements go: shared by plotters, which owns a [`Backend`], and the code that draws.
#[derive(Default)]
pub struct Sink {
    pub elements: Vec<Element>,
    /// Dashes of the lines to come.
    pub dash: usize,
}

impl Sink {
    /// A pixel image between two corners, given in units.
    pub fn image(&mut self, image: &Image, from: Place, to: Place, smooth: bool) {
        let (area, url) = (Area::between(from, to), image.data_url());
        self.elements.push(Element::Image { area, smooth, url });
    }
}

/// What plotters draws on.
pub struct Backend {
    pub sink: Rc<RefCell<Sink>>,
    /// Size in units.
    pub size: (u32, u32),
}

fn paint(color: BackendColor) -> Paint {
    let (r, g, b) = color.rgb;
    Paint { color: [r, g, b], alpha: color.alpha }
}

type Drawing = Result<(), DrawingErrorKind<Infallible>>;

impl Backend {
    fn stroke(&self, style: &impl BackendStyle) -> Stroke {
        let (paint, width) = (paint(style.color()), style.stroke_width() as i32);
        Stroke { paint, width, dash: self.sink.borrow().dash }
    }

    fn look(&self, style: &impl BackendStyle, fill: bool) -> Look {
        if fill { Look::Fill(paint(style.color())) } else { Look::Outline(self.stroke(style)) }
    }

    fn put(&mut self, element: Element) -> Drawing {
        self.sink.borrow_mut().elements.push(element);
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
        let area = Area::between((x, y), (x + 1, y + 1));
        self.put(Element::Rectangle { area, look: Look::Fill(paint(color)) })
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawing {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawing {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        let look = self.look(style, fill);
        self.put(Element::Rectangle { area: Area::between(from, to), look })
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawing {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        let stroke = self.stroke(style);
        self.put(Element::Line { points: path.into_iter().collect(), stroke })
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        at: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawing {
        let look = self.look(style, fill);
        self.put(Element::Circle { at, radius: radius as i32, look })
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vertices: I,
        style: &S,
    ) -> Drawing {
        self.put(Element::Polygon { points: vertices.into_iter().collect(), fill: paint(style.color()) })
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawing {
        // An axis without a name.
        if text.is_empty() {
            return Ok(());
        }
        let anchor = match style.anchor().h_pos {
            HPos::Left => Anchor::Start,
            HPos::Center => Anchor::Middle,
            HPos::Right => Anchor::End,
        };
        let rise = match style.anchor().v_pos {
            VPos::Top => Rise::Top,
            VPos::Center => Rise::Center,
            VPos::Bottom => Rise::Bottom,
        };
        let turn = match style.transform() {
            FontTransform::None => 0,
            FontTransform::Rotate90 => 90,
            FontTransform::Rotate180 => 180,
            FontTransform::Rotate270 => 270,
        };
        let (size, paint) = (style.size().round() as i32, paint(style.color()));
        self.put(Element::Text(Text { at, anchor, rise, turn, size, paint, text: text.into() }))
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
