//! The page of a single training run.

mod values;

use super::{Axis, Cell, Chart, Color, Figure, Image, Images, Line, Marker, Page, Section, Table};
use crate::data::Dataset;
use crate::metrics::ConfusionMatrix;
use crate::train::{Epoch, Trace};

/// What the page of a run shows.
#[derive(Clone, Copy, Debug)]
pub struct RunReport<'a> {
    /// Settings, epochs (with audits, if the flow of gradients is to be shown) and results.
    pub trace: &'a Trace,
    /// What the model was measured on.
    pub test: &'a Dataset,
    /// Its outputs for the test samples, row-major: one number for each class or target.
    pub scores: &'a [f64],
    /// The class that it gives to each test sample; `None` where it is undecided. Empty where values are told.
    pub predicted: &'a [Option<usize>],
    /// The command that made it, to be shown; may be empty.
    pub command: &'a str,
    /// What a score is: `probability`, `value`, or `score` where it is none.
    pub unit: &'a str,
}

/// With more classes than this, a matrix cannot be read.
const MOST_CLASSES: usize = 40;

/// With more classes than this, there are no counts in the cells of the drawing.
const MOST_COUNTED: usize = 12;

/// How many of the worst mistakes are shown.
const MISTAKES: usize = 20;

impl RunReport<'_> {
    /// One page: settings and results, curves over the epochs, the confusion matrix and the mistakes with the highest
    /// scores, or predicted against true values and the largest errors, and the flow of gradients.
    ///
    /// # Panics
    /// If the scores are not one for each class or target of each test sample, the predicted classes are not one
    /// for each sample, or one of them is no class of the data.
    pub fn page(&self) -> Page {
        let (classes, targets, samples) = (self.test.classes(), self.test.target_width(), self.test.len());
        let (told, what) = if targets > 0 { (targets, "targets") } else { (classes, "classes") };
        assert!(
            self.scores.len() == samples * told,
            "run report: {} scores for {samples} samples of {told} {what}",
            self.scores.len(),
        );
        let found = self.predicted.len();
        assert!(
            found == samples || targets > 0,
            "run report: {found} predicted classes for {samples} samples"
        );
        let mut section = Section::default();
        section.name = "result".into();
        section.open = true;
        section.question = self.title();
        section.settings = self.command.into();
        if !self.trace.epochs.is_empty() {
            section.figure(&self.curves());
        }
        if (1..=MOST_CLASSES).contains(&classes) {
            section.figure(&self.confusion());
        }
        if targets > 0 {
            section.figure(&self.values());
        }
        let mistakes = if targets > 0 { Vec::new() } else { self.mistakes() };
        if !mistakes.is_empty() {
            section.figure(&mistakes_figure(mistakes, self.unit));
        }
        if self.trace.epochs.iter().any(|epoch| epoch.audit.is_some()) {
            section.figure(&self.gradient_flow());
        }
        let settings: Vec<(String, String)> =
            self.trace.settings.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
        section.table(pairs("settings", "Settings", &settings));
        section.table(pairs("results", "Results", &self.trace.results));
        if targets > 0 {
            section.table(self.largest_errors());
        } else {
            section.table(self.by_class());
        }
        if (1..=MOST_CLASSES).contains(&classes) {
            section.table(self.counts());
        }
        Page { title: "Training run".into(), sections: vec![section], ..Page::default() }
    }

    fn title(&self) -> String {
        let setting = |name: &str| {
            let found = self.trace.settings.iter().find(|(key, _)| key == name);
            found.map_or(String::new(), |(_, value)| value.to_string())
        };
        let result = |name: &str, shown: &str| {
            let found = self.trace.results.iter().find(|(key, _)| key == name);
            found.map(|(_, x)| format!(": test {shown} {x:.4}"))
        };
        let found =
            result("test_accuracy", "accuracy").or_else(|| result("test_r2", "R²")).unwrap_or_default();
        format!("{} on {}{found}", setting("model"), setting("data"))
    }

    fn matrix(&self) -> ConfusionMatrix {
        let classes = self.test.classes();
        let mut matrix = ConfusionMatrix::new(classes);
        let predicted = self.predicted.iter().enumerate();
        predicted.for_each(|(i, class)| matrix.add(self.test.label(i), *class));
        matrix
    }

    fn curves(&self) -> Figure {
        let epochs = &self.trace.epochs;
        let series = |value: fn(&Epoch) -> Option<f64>| -> Vec<(f64, f64)> {
            epochs.iter().filter_map(|e| Some((e.epoch as f64, value(e)?))).collect()
        };
        let epoch = || Axis::whole("epoch");
        let two = |chart: Chart, train: Vec<(f64, f64)>, validation: Vec<(f64, f64)>| {
            let chart = chart.line(by_epoch(train).label("training"));
            if validation.is_empty() {
                return chart;
            }
            chart.line(by_epoch(validation).label("validation").dash(1))
        };
        let best = self.trace.results.iter().find(|(name, _)| name == "best_epoch").map(|(_, epoch)| *epoch);
        let marked = |chart: Chart| match best {
            Some(epoch) => chart.vertical(epoch, Color::Muted, "weights put back"),
            None => chart,
        };
        // The loss of what puts out probabilities is a cross-entropy by the natural logarithm.
        let loss = if self.unit == "probability" { "loss (nats)" } else { "loss" };
        let losses = two(
            Chart::new(epoch(), Axis::log(loss)).title("Loss"),
            series(|e| Some(e.train_loss)),
            series(|e| e.validation_loss),
        );
        let accuracies = two(
            Chart::new(epoch(), Axis::linear("accuracy")).title("Accuracy"),
            series(|e| e.train_accuracy),
            series(|e| e.validation_accuracy),
        );
        let tells_classes = epochs.iter().any(|epoch| epoch.train_accuracy.is_some());
        let figure = Figure::new(
            "curves",
            "The run, epoch by epoch",
            "Training figures are means over the steps of an epoch, each with the weights of its step; \
             validation is after the epoch. The gradient norm is the mean over the steps, before clipping.",
        )
        .panel(marked(losses));
        let figure = if tells_classes { figure.panel(marked(accuracies)) } else { figure };
        figure
            .panel(
                Chart::new(epoch(), Axis::linear("learning rate").holding(0.0))
                    .title("Rate of the epoch's last step")
                    .line(by_epoch(series(|e| Some(e.lr)))),
            )
            .panel(
                Chart::new(epoch(), Axis::log("‖∇L‖₂"))
                    .title("Gradient norm")
                    .line(by_epoch(series(|e| Some(e.gradient_norm)))),
            )
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
            cells.fold(chart, |chart, (truth, predicted)| match matrix.count(truth, predicted) {
                0 => chart,
                n => chart.text((predicted as f64, truth as f64), n.to_string(), Color::Ink),
            })
        };
        let most = off_diagonal.map(|(t, p)| share(t, p)).fold(0.0f64, f64::max).max(1e-9);
        Figure::new(
            "confusion",
            "Confusion matrix",
            "How many test samples of each class (a row) were taken for which class (a column). The colour is the share of \
             the row, in percent. The diagonal, what is right, has none: it would outshine the rest.",
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

    /// The test images with the highest score for a wrong class.
    fn mistakes(&self) -> Vec<(Image, String)> {
        let Some((height, width)) = self.test.image_shape() else { return Vec::new() };
        let mut wrong: Vec<(usize, usize, f64)> = Vec::new();
        for (i, scores) in self.scores.chunks(self.test.classes().max(1)).enumerate() {
            // An undecided sample is taken for no class.
            if let Some(chosen) = self.predicted[i].filter(|class| *class != self.test.label(i)) {
                wrong.push((i, chosen, scores[chosen]));
            }
        }
        wrong.sort_by(|a, b| b.2.total_cmp(&a.2));
        let image = |(i, chosen, score): &(usize, usize, f64)| {
            let image = Image::from_bytes(self.test.bytes(*i)?, height, width);
            let (truth, taken) = (self.test.class_name(self.test.label(*i)), self.test.class_name(*chosen));
            Some((image, format!("{truth} as {taken}, {score:.2}")))
        };
        wrong.iter().filter_map(image).take(MISTAKES).collect()
    }

    fn gradient_flow(&self) -> Figure {
        let audits: Vec<(f64, _)> =
            self.trace.epochs.iter().filter_map(|e| Some((e.epoch as f64, e.audit.as_ref()?))).collect();
        let names: Vec<&str> = audits
            .first()
            .map_or(Vec::new(), |(_, audit)| audit.params.iter().map(|p| p.name.as_str()).collect());
        let mut gradients = Chart::new(Axis::whole("epoch"), Axis::log("‖∂L/∂θ‖₂")).title("Gradients");
        let mut updates = Chart::new(Axis::whole("epoch"), Axis::log("‖Δθ‖₂ / ‖θ‖₂")).title("Updates");
        // Weights tell the story; with the biases a legend of a deep network would fill the page.
        let is_weight = |name: &str| name.rsplit('.').next() == Some("weight");
        let weights = names.iter().enumerate().filter(|(_, name)| is_weight(name));
        for (i, name) in weights {
            let line = |value: fn(&crate::train::ParamFlow) -> f64| {
                let points: Vec<(f64, f64)> =
                    audits.iter().map(|(epoch, audit)| (*epoch, value(&audit.params[i]))).collect();
                by_epoch(points).label(*name)
            };
            gradients = gradients.line(line(|p| p.gradient_norm));
            updates = updates.line(line(|p| p.update_ratio));
        }
        let mut figure = Figure::new(
            "gradient-flow",
            "Gradient flow",
            "Means over up to 32 steps of each epoch: the norm of each weight matrix's gradient, and how far a step \
             moves it, relative to its own norm. Layers should stay within an order of magnitude or two of \
             each other; updates of about a thousandth are usual.",
        )
        .panel(gradients)
        .panel(updates);
        let activations: Vec<(String, Vec<(f64, f64)>)> = audits.first().map_or(Vec::new(), |(_, first)| {
            let shares = |name: &str| {
                // A module that changes over time need not have all of its activations in every epoch.
                let flow = |(epoch, audit): &(f64, &crate::train::Audit)| {
                    let flow = audit.activations.iter().find(|flow| flow.name == name)?;
                    Some((*epoch, 100.0 * flow.dead.or(flow.saturated)?))
                };
                audits.iter().filter_map(flow).collect()
            };
            first.activations.iter().map(|flow| (flow.name.clone(), shares(&flow.name))).collect()
        });
        if !activations.is_empty() {
            let mut chart = Chart::new(Axis::whole("epoch"), Axis::linear("percent").holding(0.0))
                .title("Dead or saturated units");
            for (name, points) in activations {
                chart = chart.line(by_epoch(points).label(name));
            }
            figure = figure.panel(chart);
        }
        figure
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

/// A line over epochs; where they are few, each is marked, and a single one is seen at all.
fn by_epoch(points: Vec<(f64, f64)>) -> Line {
    let few = points.len() <= 12;
    let line = Line::new(points);
    if few { line.marker(Marker::Circle) } else { line }
}

fn mistakes_figure(mistakes: Vec<(Image, String)>, unit: &str) -> Figure {
    Figure::new(
        "mistakes",
        "Worst mistakes",
        format!("The test images with the highest {unit} for a wrong class: the true class, the one taken for it, and its {unit}."),
    )
    .panel(Images::new(5, mistakes))
}

fn pairs<X: Clone + Into<Cell>>(name: &str, caption: &str, entries: &[(String, X)]) -> Table {
    let mut table = Table::new(name, caption, ["name", "value"]);
    for (name, value) in entries {
        table.row([name.clone().into(), value.clone().into()]);
    }
    table
}

#[cfg(test)]
mod tests;
