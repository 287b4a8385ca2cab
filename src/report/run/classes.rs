//! What the page of a run shows where classes are told.

use super::Scored;
use crate::metrics::ConfusionMatrix;
use crate::report::{Axis, Chart, Color, Figure, Image, Images, Section, Table, rounded};
use crate::text::count;

/// With more classes than this, a matrix cannot be read.
const MOST_CLASSES: usize = 40;

/// With more classes than this, there are no counts in the cells of the drawing.
const MOST_COUNTED: usize = 12;

/// How many of the worst mistakes are shown.
const MISTAKES: usize = 20;

impl Scored<'_> {
    /// The confusion matrix, and the mistakes with the highest scores.
    pub(super) fn class_figures(&self, section: &mut Section) {
        if (1..=MOST_CLASSES).contains(&self.test.classes()) {
            section.figure(&self.confusion());
        }
        if let Some(mistakes) = self.mistakes() {
            section.figure(&mistakes);
        }
    }

    pub(super) fn class_tables(&self, section: &mut Section) {
        section.table(self.by_class());
        if (1..=MOST_CLASSES).contains(&self.test.classes()) {
            section.table(self.counts());
        }
    }

    fn matrix(&self) -> ConfusionMatrix {
        let classes = self.test.classes();
        let mut matrix = ConfusionMatrix::new(classes);
        let predicted = self.predicted.iter().enumerate();
        predicted.for_each(|(i, class)| matrix.add(self.test.label(i), *class));
        matrix
    }

    fn confusion(&self) -> Figure {
        let (matrix, classes) = (self.matrix(), self.test.classes());
        let names: Vec<String> = (0..classes).map(|class| self.test.class_name(class).into_owned()).collect();
        let share = |truth: usize, predicted: usize| {
            let count = matrix.count(truth, predicted) as f64;
            100.0 * count / matrix.support(truth).max(1) as f64
        };
        let off_diagonal =
            (0..classes).flat_map(|t| (0..classes).map(move |p| (t, p))).filter(|(t, p)| t != p);
        // With more classes than this, a number has no room in its cell.
        let shown = if classes <= MOST_COUNTED { classes } else { 0 };
        let counted = |chart: Chart| {
            let cells = (0..shown).flat_map(|truth| (0..shown).map(move |predicted| (truth, predicted)));
            cells.fold(chart, |chart, (truth, predicted)| {
                let count = matrix.count(truth, predicted).to_string();
                chart.text((predicted as f64, truth as f64), count, Color::Ink)
            })
        };
        let most = off_diagonal.map(|(t, p)| share(t, p)).fold(0.0f64, f64::max);
        // Where nothing was mistaken, any scale will do.
        let most = if most > 0.0 { most } else { 1.0 };
        Figure::new(
            "confusion",
            "Confusion matrix",
            format!(
                "{} How many test samples of each class (a row) were taken for which class (a column). The colour is the \
                 share of the row, in percent. The diagonal, what is right, has none: it would outshine the rest.",
                self.confused(&matrix)
            ),
        )
        .panel(counted(
            Chart::new(
                Axis::categories("predicted class", names.clone()),
                Axis::categories("true class", names),
            )
            .heat(
                (classes, classes),
                (-0.5, classes as f64 - 0.5),
                (-0.5, classes as f64 - 0.5),
                "percent of the class",
                (0.0, most),
                // An axis of categories runs downwards, like the rows.
                |column, row| if row == column { f64::NAN } else { share(row, column) },
            )
            .square(),
        ))
    }

    /// How many were taken for another class, and which for which most often.
    fn confused(&self, matrix: &ConfusionMatrix) -> String {
        let (classes, samples, undecided) = (self.test.classes(), self.test.len(), matrix.undecided());
        let others = (0..classes).flat_map(|t| (0..classes).map(move |p| (t, p))).filter(|(t, p)| t != p);
        let wrong: u64 = others.clone().map(|(t, p)| matrix.count(t, p)).sum();
        let none = if undecided > 0 { format!("; for none: {undecided}") } else { String::new() };
        let mut text =
            format!("Taken for another class: {wrong} of {}{none}.", count(samples, "test sample"));
        // Of equal ones, the first.
        if let Some((t, p)) = others.rev().max_by_key(|(t, p)| matrix.count(*t, *p)).filter(|_| wrong > 0) {
            let (truth, taken) = (self.test.class_name(t), self.test.class_name(p));
            let (found, all) = (matrix.count(t, p), matrix.support(t));
            text += &format!(" Most often {truth} is taken for {taken}: {found} of {all}.");
        }
        text
    }

    /// The test images with the highest score for a wrong class, if there are any.
    fn mistakes(&self) -> Option<Figure> {
        let (height, width) = self.test.image_shape()?;
        let mut wrong: Vec<(usize, usize, f64)> = Vec::new();
        for (i, scores) in self.scores.chunks(self.test.classes().max(1)).enumerate() {
            // An undecided sample is taken for no class.
            if let Some(chosen) = self.predicted[i].filter(|class| *class != self.test.label(i)) {
                wrong.push((i, chosen, scores[chosen]));
            }
        }
        wrong.sort_by(|a, b| b.2.total_cmp(&a.2));
        let shown = &wrong[..wrong.len().min(MISTAKES)];
        let (highest, lowest) = (shown.first()?.2, shown.last()?.2);
        let image = |(i, chosen, score): &(usize, usize, f64)| {
            let image = Image::from_bytes(self.test.bytes(*i)?, height, width);
            let (truth, taken) = (self.test.class_name(self.test.label(*i)), self.test.class_name(*chosen));
            Some((image, format!("{truth} as {taken}, {score:.2}")))
        };
        let images: Vec<(Image, String)> = shown.iter().filter_map(image).collect();
        let unit = self.unit;
        let figure = Figure::new(
            "mistakes",
            "Worst mistakes",
            match (shown.len(), wrong.len()) {
                (_, 1) => format!("The only mistake: the true class, the one taken for it, and its {unit}."),
                (some, all) => format!(
                    "{some} of {all} mistakes, those with the highest {unit} for the wrong class, from {} down to {}: the \
                     true class, the one taken for it, and its {unit}.",
                    rounded(highest, 3),
                    rounded(lowest, 3)
                ),
            },
        );
        (!images.is_empty()).then(|| figure.panel(Images::new(5, images)))
    }

    fn counts(&self) -> Table {
        let (matrix, classes) = (self.matrix(), self.test.classes());
        let name = |class: usize| self.test.class_name(class).into_owned();
        let undecided = matrix.undecided() > 0;
        let columns = std::iter::once("true class".to_string()).chain((0..classes).map(name));
        let columns = columns.chain(undecided.then(|| "undecided".to_string()));
        let mut table = Table::new("confusion", "Confusion matrix: samples, by predicted class", columns);
        for truth in 0..classes {
            let counts = (0..classes).map(|predicted| (matrix.count(truth, predicted) as usize).into());
            let none = undecided.then(|| (matrix.undecided_of(truth) as usize).into());
            table.row(std::iter::once(name(truth).into()).chain(counts).chain(none));
        }
        table
    }

    fn by_class(&self) -> Table {
        let matrix = self.matrix();
        let columns = ["class", "test samples", "precision", "recall", "F1"];
        let mut table = Table::new("classes", "By class", columns);
        for class in 0..matrix.classes() {
            let name = self.test.class_name(class).into_owned();
            let (support, f1) = (matrix.support(class) as usize, matrix.f1(class));
            table.row([
                name.into(),
                support.into(),
                matrix.precision(class).into(),
                matrix.recall(class).into(),
                f1.into(),
            ]);
        }
        table
    }
}
