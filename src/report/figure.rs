//! Figures as data: what is drawn, not how.

use super::name::Name;
use super::{Axis, Color, Image, Line, Marker};
use crate::text::count;

/// A figure: its panels stand side by side where there is room, and below each other where there is not.
///
/// ```
/// use tapegrad::report::{Axis, Chart, Figure, Line};
///
/// let loss = (1..50).map(|t| (f64::from(t), 1.0 / f64::from(t)));
/// let chart = Chart::new(Axis::linear("step"), Axis::log("loss")).line(Line::new(loss).label("sgd"));
/// let figure = Figure::new("loss", "Loss per step", "It falls as 1/t.").panel(chart);
/// assert!(figure.svg().contains("loss"));
/// ```
#[derive(Clone, Debug)]
pub struct Figure {
    pub(super) name: Name,
    pub(super) title: String,
    pub(super) caption: String,
    pub(super) panels: Vec<Drawing>,
    pub(super) sliders: Vec<(String, Vec<String>)>,
}

/// What a panel holds.
#[derive(Clone, Debug)]
pub enum Drawing {
    /// Axes with layers.
    Chart(Box<Chart>),
    /// Pictures in rows.
    Images(Images),
}

impl Figure {
    /// A figure without panels. Its `name` becomes that of a file: small letters, digits, hyphens. The
    /// `caption` says what to see.
    ///
    /// # Panics
    /// If the name has other characters or none.
    #[track_caller]
    pub fn new(name: &str, title: impl Into<String>, caption: impl Into<String>) -> Figure {
        Figure {
            name: Name::new(name),
            title: title.into(),
            caption: caption.into(),
            panels: Vec::new(),
            sliders: Vec::new(),
        }
    }

    /// The same with one more panel: a [`Chart`] or [`Images`].
    pub fn panel(mut self, panel: impl Into<Drawing>) -> Figure {
        self.panels.push(panel.into());
        self
    }

    /// The same as a figure of which one panel is seen at a time, where the reader has a script: a slider of this name
    /// goes through these values, a panel for each. Of several sliders the last one goes fastest. On paper, and without
    /// a script, all panels are there.
    pub fn slider(mut self, name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Figure {
        self.sliders.push((name.into(), values.into_iter().map(Into::into).collect()));
        self
    }

    /// The same with more panels, in their order.
    pub fn panels<P: Into<Drawing>>(self, panels: impl IntoIterator<Item = P>) -> Figure {
        panels.into_iter().fold(self, Figure::panel)
    }
}

impl From<Chart> for Drawing {
    fn from(chart: Chart) -> Drawing {
        Drawing::Chart(Box::new(chart))
    }
}

impl From<Images> for Drawing {
    fn from(images: Images) -> Drawing {
        Drawing::Images(images)
    }
}

/// Pictures in rows, each with a line of text below it.
#[derive(Clone, Debug)]
pub struct Images {
    pub(super) title: String,
    pub(super) columns: usize,
    pub(super) images: Vec<(Image, String)>,
}

impl Images {
    /// Pictures with `columns` in a row.
    pub fn new(columns: usize, images: impl IntoIterator<Item = (Image, String)>) -> Images {
        Images { title: String::new(), columns: columns.max(1), images: images.into_iter().collect() }
    }

    /// The same with a title.
    pub fn title(mut self, title: impl Into<String>) -> Images {
        self.title = title.into();
        self
    }
}

/// Two axes, and layers drawn in the order in which they were added.
///
/// Points that an axis cannot show (NaN, infinity, what is not positive on a scale of powers of ten)
/// are left out, and a line has a gap there: a run that diverges is drawn up to where it does.
#[derive(Clone, Debug)]
pub struct Chart {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) layers: Vec<Layer>,
    pub(super) square: bool,
    pub(super) bare: bool,
    pub(super) scale: Option<(String, f64, f64)>,
    /// Series that have taken a colour of their own accord.
    series: usize,
}

/// One layer of a chart.
#[derive(Clone, Debug)]
pub(super) enum Layer {
    Line(Line),
    Band { points: Vec<(f64, f64, f64)>, color: Color, label: String },
    Points { points: Vec<(f64, f64)>, marker: Marker, color: Color, label: String },
    Bars { bars: Vec<(f64, f64)>, shift: f64, width: f64, color: Color, label: String },
    Errors { points: Vec<(f64, f64, f64)>, color: Color },
    Raster { image: Image, x: (f64, f64), y: (f64, f64), smooth: bool },
    Segments { segments: Vec<[(f64, f64); 2]>, color: Color, width: f64 },
    Rule { at: f64, vertical: bool, color: Color, label: String },
    Note { at: (f64, f64), text: String, color: Color, across: bool },
}

impl Chart {
    /// A chart without layers.
    pub fn new(x: Axis, y: Axis) -> Chart {
        Chart {
            title: String::new(),
            x,
            y,
            layers: Vec::new(),
            square: false,
            bare: false,
            scale: None,
            series: 0,
        }
    }

    /// The same with a title above it.
    pub fn title(mut self, title: impl Into<String>) -> Chart {
        self.title = title.into();
        self
    }

    /// The same with a drawing area as high as it is wide: for the plane.
    pub fn square(mut self) -> Chart {
        self.square = true;
        self
    }

    /// The same as a small square without axes and legend: for the plane, where several drawings are compared and the
    /// numbers on the axes say nothing. What is in it is named by notes or by the caption.
    pub fn bare(self) -> Chart {
        Chart { bare: true, ..self.square() }
    }

    /// Adds a line. Without a colour it takes the next one, and after seven also a dash.
    pub fn line(mut self, mut line: Line) -> Chart {
        if line.color.is_none() {
            line.color = Some(Color::series(self.series));
            line.dash = line.dash.or(Some(self.series / 7));
            self.series += 1;
        }
        self.layers.push(Layer::Line(line));
        self
    }

    /// Adds lines, in their order, each as by [`line`](Chart::line).
    pub fn lines(self, lines: impl IntoIterator<Item = Line>) -> Chart {
        lines.into_iter().fold(self, Chart::line)
    }

    /// Adds the area between `low` and `high` over x, from points (x, low, high): a spread, an interval.
    pub fn band(
        mut self,
        points: impl IntoIterator<Item = (f64, f64, f64)>,
        color: Color,
        label: impl Into<String>,
    ) -> Chart {
        self.layers.push(Layer::Band { points: points.into_iter().collect(), color, label: label.into() });
        self
    }

    /// Adds points.
    pub fn points(
        mut self,
        points: impl IntoIterator<Item = (f64, f64)>,
        marker: Marker,
        color: Color,
        label: impl Into<String>,
    ) -> Chart {
        let points = points.into_iter().collect();
        self.layers.push(Layer::Points { points, marker, color, label: label.into() });
        self
    }

    /// Adds bars from 0, or from the low end of a scale of powers of ten: pairs of category and value.
    ///
    /// They stand upright where x is an axis of categories, and lie where y is. For several series side
    /// by side this is series `part.0` of `part.1`.
    ///
    /// # Panics
    /// If `part.0` is not below `part.1`.
    #[track_caller]
    pub fn bars(
        mut self,
        bars: impl IntoIterator<Item = (f64, f64)>,
        part: (usize, usize),
        color: Color,
        label: impl Into<String>,
    ) -> Chart {
        assert!(part.0 < part.1, "bars: there is no series {} of {}", part.0, part.1);
        let width = 0.76 / part.1 as f64;
        let shift = (part.0 as f64 + 0.5) * width - 0.38;
        let bars = bars.into_iter().collect();
        self.layers.push(Layer::Bars { bars, shift, width, color, label: label.into() });
        self
    }

    /// Adds upright error bars: (x, low, high).
    pub fn errors(mut self, points: impl IntoIterator<Item = (f64, f64, f64)>, color: Color) -> Chart {
        self.layers.push(Layer::Errors { points: points.into_iter().collect(), color });
        self
    }

    /// Adds a picture that fills x and y between the given ends; its first row is the upper one.
    pub fn raster(mut self, image: Image, x: (f64, f64), y: (f64, f64), smooth: bool) -> Chart {
        self.layers.push(Layer::Raster { image, x, y, smooth });
        self
    }

    /// Adds decision regions: `class` at the centre of each cell of a grid of `cells`×`cells`, in the
    /// colours of the series.
    pub fn regions(
        self,
        cells: usize,
        x: (f64, f64),
        y: (f64, f64),
        class: impl Fn(f64, f64) -> usize,
    ) -> Chart {
        let classes: Vec<_> = grid(cells, x, y).iter().map(|[x, y]| Some(class(*x, *y))).collect();
        self.class_map(cells, x, y, &classes)
    }

    /// The same from the classes of the points of [`grid`], for a model that takes them all at once. Where a
    /// class is `None`, undecided, the cell is grey.
    ///
    /// # Panics
    /// If there are not `cells`² classes.
    #[track_caller]
    pub fn class_map(self, cells: usize, x: (f64, f64), y: (f64, f64), classes: &[Option<usize>]) -> Chart {
        assert!(
            classes.len() == cells * cells,
            "{} for a grid of {cells}×{cells}",
            count(classes.len(), "class")
        );
        let image = Image::from_fn(cells, cells, |column, row| {
            classes[row * cells + column].map_or(Color::Muted, Color::series).pixel(0.28)
        });
        self.raster(image, x, y, false)
    }

    /// Adds a heat map of `value` on a grid, with a colour bar named `label`. Values from `low` to `high`
    /// take the map's colours in `levels` even steps.
    pub fn heat(
        mut self,
        (columns, rows): (usize, usize),
        x: (f64, f64),
        y: (f64, f64),
        label: impl Into<String>,
        (low, high): (f64, f64),
        value: impl Fn(usize, usize) -> f64,
    ) -> Chart {
        self.scale = Some((label.into(), low, high));
        let image = Image::from_fn(columns, rows, |column, row| {
            super::colormap((value(column, row) - low) / (high - low))
        });
        self.raster(image, x, y, false)
    }

    /// Adds the areas between the lines on which `value` is one of `levels`, which rise: each in a colour of the map,
    /// pale, so that what is drawn over it is seen in light and dark.
    pub fn filled_contours(
        self,
        (columns, rows): (usize, usize),
        x: (f64, f64),
        y: (f64, f64),
        levels: &[f64],
        value: impl Fn(f64, f64) -> f64,
    ) -> Chart {
        let at =
            |i: usize, of: usize, (low, high): (f64, f64)| low + (i as f64 + 0.5) / of as f64 * (high - low);
        let image = Image::from_fn(columns, rows, |column, row| {
            let height = value(at(column, columns, x), at(rows - 1 - row, rows, y));
            let band = levels.iter().filter(|level| height >= **level).count();
            let [r, g, b, a] = super::colormap(band as f64 / levels.len().max(1) as f64);
            [r, g, b, a / 3]
        });
        self.raster(image, x, y, true)
    }

    /// Adds the lines on which `value` is one of `levels`, found on a grid of `cells`×`cells`.
    pub fn contours(
        mut self,
        cells: usize,
        x: (f64, f64),
        y: (f64, f64),
        levels: &[f64],
        color: Color,
        value: impl Fn(f64, f64) -> f64,
    ) -> Chart {
        let segments = super::contour::segments(cells, x, y, levels, value);
        self.layers.push(Layer::Segments { segments, color, width: 0.7 });
        self
    }

    /// Adds a dashed line across the chart at `y = at`.
    pub fn horizontal(mut self, at: f64, color: Color, label: impl Into<String>) -> Chart {
        self.layers.push(Layer::Rule { at, vertical: false, color, label: label.into() });
        self
    }

    /// Adds a dashed line across the chart at `x = at`.
    pub fn vertical(mut self, at: f64, color: Color, label: impl Into<String>) -> Chart {
        self.layers.push(Layer::Rule { at, vertical: true, color, label: label.into() });
        self
    }

    /// Adds a short text at a point.
    pub fn note(mut self, at: (f64, f64), text: impl Into<String>, color: Color) -> Chart {
        self.layers.push(Layer::Note { at, text: text.into(), color, across: false });
        self
    }

    /// Adds a short text across a point: a number in a cell.
    pub fn text(mut self, at: (f64, f64), text: impl Into<String>, color: Color) -> Chart {
        self.layers.push(Layer::Note { at, text: text.into(), color, across: true });
        self
    }
}

/// Centres (x, y) of the cells of a grid of `cells`×`cells`, row by row, the upper one first.
pub fn grid(cells: usize, x: (f64, f64), y: (f64, f64)) -> Vec<[f64; 2]> {
    let at = |i: usize, (low, high): (f64, f64)| low + (i as f64 + 0.5) / cells as f64 * (high - low);
    (0..cells * cells).map(|k| [at(k % cells, x), at(cells - 1 - k / cells, y)]).collect()
}
