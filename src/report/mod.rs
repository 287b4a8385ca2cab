//! Figures, tables and the page that shows them.
//!
//! A [`Figure`] is data: panels with axes and layers. [`Figure::draw`] turns it into SVG, through
//! plotters, whose only backend here is a writer of SVG text: no font, no pixel, nothing of the machine
//! gets into the result. A [`Page`] puts figures, tables, claims and formulas into one HTML file that
//! fetches nothing and follows the reader's light or dark theme; on paper it is light. It reads without a script; with
//! its own, a few dozen lines without a library, there are sliders and values under the pointer.
//!
//! Deliberately absent: animation, three dimensions.

mod alt;
mod answer;
mod axis;
mod brief;
mod claim;
mod contour;
mod draw;
mod drawn;
mod element;
mod estimate;
mod figure;
mod frame;
mod html;
mod image;
mod layer;
mod line;
mod math;
mod name;
mod number;
mod page;
mod palette;
mod run;
mod section;
mod svg;
mod table;

pub use answer::{Answer, Figured, Right, Standing};
pub use axis::Axis;
pub use claim::{Claim, Criterion, Estimated, Measurement, Prediction, Statement};
pub(crate) use estimate::student_95;
pub use estimate::{Estimate, Verdict};
pub use figure::{Chart, Drawing, Figure, Images, grid};
pub use html::escape;
pub use image::Image;
pub use line::{Line, Marker};
pub use number::{fixed, rounded, scientific};
pub use page::Page;
pub use palette::{Color, colormap};
pub use run::{Continued, Reconstructed, RunReport, Scored, Told};
pub use section::Section;
pub use svg::Drawn;
pub use table::{Cell, Columns, Table};
