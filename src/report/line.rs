//! Lines, and the forms of points.

use super::Color;

/// A line through points, by default solid, without markers, and in the next colour of the chart.
#[derive(Clone, Debug)]
pub struct Line {
    pub(super) points: Vec<(f64, f64)>,
    pub(super) label: String,
    pub(super) name: String,
    pub(super) color: Option<Color>,
    pub(super) dash: Option<usize>,
    pub(super) width: f64,
    pub(super) marker: Option<Marker>,
}

impl Line {
    /// A line through `points`, in their order.
    pub fn new(points: impl IntoIterator<Item = (f64, f64)>) -> Line {
        let points = points.into_iter().collect();
        Line {
            points,
            label: String::new(),
            name: String::new(),
            color: None,
            dash: None,
            width: 1.8,
            marker: None,
        }
    }

    /// The name in the legend; without one the line is not in it.
    pub fn label(mut self, label: impl Into<String>) -> Line {
        self.label = label.into();
        self
    }

    /// What the line is, for those who do not see it: to be said where it has no name in the legend.
    pub fn named(mut self, name: impl Into<String>) -> Line {
        self.name = name.into();
        self
    }

    /// What the line is called where it is told in words.
    pub(super) fn told(&self) -> &str {
        match (&self.label[..], &self.name[..]) {
            ("", "") => "a line",
            (label, "") => label,
            (_, name) => name,
        }
    }

    /// The colour.
    pub fn color(mut self, color: Color) -> Line {
        self.color = Some(color);
        self
    }

    /// Broken in one of three ways: 1 dashes, 2 dots, 3 both; 0 is solid.
    pub fn dash(mut self, kind: usize) -> Line {
        self.dash = Some(kind);
        self
    }

    /// The width in pixels; the usual one is 1.8.
    pub fn width(mut self, width: f64) -> Line {
        self.width = width;
        self
    }

    /// A marker at every point.
    pub fn marker(mut self, marker: Marker) -> Line {
        self.marker = Some(marker);
        self
    }
}

/// The form of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// A small disc, for many points.
    Dot,
    /// A disc.
    Circle,
    /// A square.
    Square,
    /// A triangle.
    Triangle,
    /// A cross ×.
    Cross,
    /// A five-pointed star, for the one point to see.
    Star,
}

impl Marker {
    /// The form of series `i`, so that classes differ in more than their colour.
    pub fn series(i: usize) -> Marker {
        [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Cross][i % 4]
    }
}
