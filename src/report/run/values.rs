//! What the page of a run shows where values are told.

use super::Scored;
use crate::report::{Axis, Chart, Color, Figure, Line, Marker, Table, rounded};

/// Points of a chart at most; of more samples, every so many are drawn.
const MOST_POINTS: usize = 2000;

/// Targets that are drawn at most.
const MOST_TARGETS: usize = 4;

/// How many of the largest errors are shown.
const LARGEST: usize = 20;

impl Scored<'_> {
    /// Pairs of the true and the predicted value of a target.
    fn pairs_of(&self, target: usize) -> impl Iterator<Item = (f64, f64)> {
        let width = self.test.target_width();
        let truth = self.test.targets().unwrap_or_default().iter().skip(target).step_by(width);
        truth.zip(self.scores.iter().skip(target).step_by(width)).map(|(y, found)| (*y, *found))
    }

    /// How far predictions are off, over all targets.
    fn errors(&self) -> String {
        let off = (0..self.test.target_width()).flat_map(|target| self.pairs_of(target)).map(|(y, x)| x - y);
        let (squares, largest, n) = off
            .fold((0.0, 0.0f64, 0.0), |(sum, most, n), off| (sum + off * off, most.max(off.abs()), n + 1.0));
        if n == 0.0 {
            return String::new();
        }
        let rms = rounded((squares / n).sqrt(), 3);
        format!(
            "Predictions are off by {rms} (root of the mean square), and by {} at most. ",
            rounded(largest, 3)
        )
    }

    /// Predicted against true values, and how far they are apart.
    pub(super) fn values(&self) -> Figure {
        let (width, every) = (self.test.target_width(), self.test.len().div_ceil(MOST_POINTS).max(1));
        let some = if every > 1 { format!(" Every {every}th sample is drawn.") } else { String::new() };
        let mut figure = Figure::new(
            "values",
            "Predicted and true values",
            format!(
                "{}Each point is a test sample. On the dashed line a prediction is right; what lies beside it in a pattern \
                 is something that the model does not see.{some}",
                self.errors()
            ),
        );
        for target in 0..width.min(MOST_TARGETS) {
            let name = if width == 1 { String::new() } else { format!(", target {target}") };
            let points: Vec<(f64, f64)> = self.pairs_of(target).step_by(every).collect();
            let ends = points.iter().flat_map(|(y, found)| [*y, *found]);
            let (low, high) =
                ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
            let right = Line::new([(low, low), (high, high)]).color(Color::Muted).dash(1);
            figure = figure.panel(
                Chart::new(Axis::linear("true value"), Axis::linear("predicted value"))
                    .title(format!("Predictions{name}"))
                    .line(right)
                    .points(points.iter().copied(), Marker::Circle, Color::Blue, "test samples"),
            );
            let off = points.iter().map(|(y, found)| (*found, found - y));
            figure = figure.panel(
                Chart::new(Axis::linear("predicted value"), Axis::linear("predicted − true").holding(0.0))
                    .title(format!("Residuals{name}"))
                    .horizontal(0.0, Color::Muted, "")
                    .points(off, Marker::Circle, Color::Blue, "test samples"),
            );
        }
        figure
    }

    /// The test samples whose prediction is farthest off.
    pub(super) fn largest_errors(&self) -> Table {
        let width = self.test.target_width();
        let mut all: Vec<(usize, usize, f64, f64)> = (0..width)
            .flat_map(|target| self.pairs_of(target).enumerate().map(move |(i, (y, x))| (i, target, y, x)))
            .collect();
        all.sort_by(|a, b| (b.2 - b.3).abs().total_cmp(&(a.2 - a.3).abs()).then(a.0.cmp(&b.0)));
        let columns = ["test sample", "target", "true value", "predicted value", "predicted − true"];
        let mut table = Table::new("errors", "Largest errors", columns);
        for (i, target, y, found) in all.into_iter().take(LARGEST) {
            table.row([i.into(), target.into(), y.into(), found.into(), (found - y).into()]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::Scored;
    use crate::data::Dataset;
    use crate::report::run::{RunReport, Told};
    use crate::train::Trace;

    fn page(test: &Dataset, scores: &[f64]) -> String {
        let told = Told::Samples(Scored { test, scores, predicted: &[], unit: "value" });
        RunReport { trace: &Trace::default(), told, data: "", command: "" }.page().html()
    }

    #[test]
    fn a_page_of_values() {
        let test = Dataset::new(vec![0.0; 3], 1).unwrap().with_targets(vec![1.0, 2.0, 3.0], 1).unwrap();
        let html = page(&test, &[1.5, 2.0, -4.0]);
        for part in ["Predicted and true values", "Residuals", "Largest errors"] {
            assert!(html.contains(part), "{part}");
        }
        assert!(!html.contains("Confusion") && !html.contains("recall"));
        // The sample that is farthest off comes first.
        let rows = html.split("Largest errors").last().unwrap();
        assert!(rows.find("-7").or(rows.find("−7")) < rows.find("0.5"), "{rows}");
        assert_ne!(html, page(&test, &[1.5, 2.0, 3.0]));
        // Nothing to draw between, and nothing at all.
        page(&test, &[2.0, 2.0, 2.0]);
        let none = Dataset::new(vec![0.0; 0], 1).unwrap().with_targets(Vec::new(), 1).unwrap();
        page(&none, &[]);
    }
}
