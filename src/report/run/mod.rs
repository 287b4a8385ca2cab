//! The page of a single training run.

mod classes;
mod images;
mod texts;
mod values;
mod words;

use super::{Axis, Chart, Color, Figure, Line, Marker, Page, Section, Table, rounded};
use crate::data::Dataset;
use crate::text::count;
use crate::train::{Epoch, Trace};

pub use images::Reconstructed;
pub use texts::Continued;

/// What the page of a run shows.
#[derive(Clone, Copy, Debug)]
pub struct RunReport<'a> {
    /// Settings, epochs (with audits, if the flow of gradients is to be shown) and results.
    pub trace: &'a Trace,
    /// What the model told of the test set.
    pub told: Told<'a>,
    /// What the data is called; where that is empty, the trace's word for it is shown.
    pub data: &'a str,
    /// The command that made it, to be shown; may be empty.
    pub command: &'a str,
}

/// What a model told of its test set.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// Classes or values of samples.
    Samples(Scored<'a>),
    /// The images themselves.
    Images(Reconstructed<'a>),
    /// How texts go on.
    Texts(&'a [Continued]),
}

/// Test samples, and what the model told of each.
#[derive(Clone, Copy, Debug)]
pub struct Scored<'a> {
    /// What the model was measured on.
    pub test: &'a Dataset,
    /// Its outputs for the test samples, row-major: one number for each class or target.
    pub scores: &'a [f64],
    /// The class that it gives to each test sample; `None` where it is undecided. Empty where values are told.
    pub predicted: &'a [Option<usize>],
    /// What a score is: `probability`, `value`, or `score` where it is none.
    pub unit: &'a str,
}

/// What a page shows besides that which every run has.
trait Shown {
    /// What the loss is called, and how many of these make one of its own.
    fn loss(&self) -> (&'static str, f64);
    /// The results that stand in the title, the first that there is of them: their names, and how they are told.
    fn headline(&self) -> &'static [(&'static str, &'static str)];
    /// What other pages have and this one cannot, in a sentence.
    fn left_out(&self) -> &'static str {
        ""
    }
    fn figures(&self, section: &mut Section);
    fn tables(&self, section: &mut Section);
}

impl Told<'_> {
    fn shown(&self) -> &dyn Shown {
        match self {
            Told::Samples(scored) => scored,
            Told::Images(reconstructed) => reconstructed,
            Told::Texts(texts) => texts,
        }
    }
}

impl Shown for Scored<'_> {
    fn loss(&self) -> (&'static str, f64) {
        // The loss of what puts out probabilities is a cross-entropy by the natural logarithm.
        (if self.unit == "probability" { "loss (nats)" } else { "loss" }, 1.0)
    }

    fn headline(&self) -> &'static [(&'static str, &'static str)] {
        &[("test_accuracy", "accuracy"), ("test_r2", "R²")]
    }

    fn figures(&self, section: &mut Section) {
        let (classes, targets, samples) = (self.test.classes(), self.test.target_width(), self.test.len());
        let (told, what) = if targets > 0 { (targets, "target") } else { (classes, "class") };
        assert!(
            self.scores.len() == samples * told,
            "run report: {} for {} of {}",
            count(self.scores.len(), "score"),
            count(samples, "sample"),
            count(told, what)
        );
        let found = self.predicted.len();
        assert!(
            found == samples || targets > 0,
            "run report: {found} predicted classes for {}",
            count(samples, "sample")
        );
        if targets > 0 {
            section.figure(&self.values());
        } else {
            self.class_figures(section);
        }
    }

    fn tables(&self, section: &mut Section) {
        if self.test.target_width() > 0 {
            section.table(self.largest_errors());
        } else {
            self.class_tables(section);
        }
    }
}

impl RunReport<'_> {
    /// One page: settings and results, curves over the epochs, what the model told of the test set, and the flow of
    /// gradients. Of classes these are the confusion matrix and the mistakes with the highest scores; of values, predicted
    /// against true ones and the largest errors; of images, what came back of them; of texts, how the model goes on with
    /// them.
    ///
    /// # Panics
    /// If the scores are not one for each class or target of each test sample, the predicted classes are not one
    /// for each sample, or one of them is no class of the data; if there is not one number for each pixel of each image.
    pub fn page(&self) -> Page {
        let shown = self.told.shown();
        let mut section = Section::default();
        section.name = "result".into();
        section.open = true;
        section.question = self.title();
        section.summary = shown.left_out().into();
        if !self.command.is_empty() {
            section.settings = format!("Made by: {}", self.command);
        }
        if !self.trace.epochs.is_empty() {
            section.figure(&self.curves());
        }
        shown.figures(&mut section);
        if self.trace.epochs.iter().any(|epoch| epoch.audit.is_some()) {
            section.figure(&self.gradient_flow());
        }
        let settings = self.trace.settings.iter().map(|(name, value)| match name.as_str() {
            "data" => (words::of_key(name), self.data()),
            _ => (words::of_key(name), words::of_value(&value.to_string())),
        });
        section.table(pairs("settings", "Settings", settings));
        let results = self.trace.results.iter().map(|(name, x)| (words::of_key(name), words::of_number(*x)));
        section.table(pairs("results", "Results", results));
        shown.tables(&mut section);
        Page { title: "Training run".into(), sections: vec![section], ..Page::default() }
    }

    fn setting(&self, name: &str) -> String {
        let found = self.trace.settings.iter().find(|(key, _)| key == name);
        found.map_or(String::new(), |(_, value)| value.to_string())
    }

    fn result(&self, name: &str) -> Option<f64> {
        self.trace.results.iter().find(|(key, _)| key == name).map(|(_, x)| *x)
    }

    fn data(&self) -> String {
        if self.data.is_empty() { self.setting("data") } else { self.data.to_string() }
    }

    fn title(&self) -> String {
        let told = |(name, told): &(&str, &str)| Some(format!(": test {told} {:.4}", self.result(name)?));
        let found = self.told.shown().headline().iter().find_map(told).unwrap_or_default();
        format!("{} on {}{found}", self.setting("model"), self.data())
    }

    /// Where losses and accuracies began and came to, and what of them is drawn.
    fn course(&self, unit: f64) -> String {
        let epochs = &self.trace.epochs;
        let (Some(first), Some(last)) = (epochs.first(), epochs.last()) else { return String::new() };
        let way = |from: f64, to: f64| match epochs.len() {
            1 => format!("is {}", rounded(to, 3)),
            _ => format!(
                "goes from {} in epoch {} to {} in epoch {}",
                rounded(from, 3),
                first.epoch,
                rounded(to, 3),
                last.epoch
            ),
        };
        let mut text = format!("The training loss {}", way(unit * first.train_loss, unit * last.train_loss));
        if let Some((from, to)) = first.train_accuracy.zip(last.train_accuracy) {
            text += &format!(", and the accuracy {}", way(from, to));
        }
        text += ". Training figures are means over the steps of an epoch, each with the weights of its step";
        let validated = epochs.iter().filter_map(|epoch| Some((epoch.epoch, unit * epoch.validation_loss?)));
        // A loss that is not a number is not the least.
        match validated.filter(|(_, loss)| !loss.is_nan()).min_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((epoch, loss)) => {
                let loss = rounded(loss, 3);
                text += &format!(
                    "; validation is after the epoch. Its least loss is {loss}, after epoch {epoch}."
                );
            }
            None => text += ".",
        }
        let clips = self
            .trace
            .settings
            .iter()
            .any(|(name, value)| name.contains("clip") || value.to_string().contains("clip"));
        text + " The gradient norm is the mean over the steps"
            + if clips { ", before clipping." } else { "." }
    }

    fn curves(&self) -> Figure {
        let epochs = &self.trace.epochs;
        let series = |value: fn(&Epoch) -> Option<f64>| -> Vec<(f64, f64)> {
            epochs.iter().filter_map(|e| Some((e.epoch as f64, value(e)?))).collect()
        };
        let scaled = |points: Vec<(f64, f64)>, unit: f64| {
            points.into_iter().map(move |(x, y)| (x, y * unit)).collect()
        };
        let epoch = || Axis::whole("epoch");
        let two = |chart: Chart, train: Vec<(f64, f64)>, validation: Vec<(f64, f64)>| {
            let chart = chart.line(by_epoch(train).label("training"));
            if validation.is_empty() {
                return chart;
            }
            chart.line(by_epoch(validation).label("validation").dash(1))
        };
        let marked = |chart: Chart| match self.result("best_epoch") {
            Some(epoch) => chart.vertical(epoch, Color::Muted, "weights put back"),
            None => chart,
        };
        let (loss, unit) = self.told.shown().loss();
        let losses = two(
            Chart::new(epoch(), Axis::log(loss)).title("Loss"),
            scaled(series(|e| Some(e.train_loss)), unit),
            scaled(series(|e| e.validation_loss), unit),
        );
        let accuracies = two(
            Chart::new(epoch(), Axis::linear("accuracy")).title("Accuracy"),
            series(|e| e.train_accuracy),
            series(|e| e.validation_accuracy),
        );
        let tells_classes = epochs.iter().any(|epoch| epoch.train_accuracy.is_some());
        let figure =
            Figure::new("curves", "The run, epoch by epoch", self.course(unit)).panel(marked(losses));
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
        // What a drawing of the last epoch shows, in words.
        let reach = |value: fn(&crate::train::ParamFlow) -> f64| {
            let of = |(_, audit): &(f64, &crate::train::Audit)| -> Option<String> {
                let flows = audit.params.iter().filter(|flow| is_weight(&flow.name));
                let low = flows.clone().min_by(|a, b| value(a).total_cmp(&value(b)))?;
                let high = flows.max_by(|a, b| value(a).total_cmp(&value(b)))?;
                let told =
                    |flow: &crate::train::ParamFlow| format!("{} ({})", rounded(value(flow), 2), flow.name);
                Some(match low.name == high.name {
                    true => told(low),
                    false => format!("{} to {}", told(low), told(high)),
                })
            };
            audits.last().and_then(of)
        };
        let last = reach(|flow| flow.gradient_norm).zip(reach(|flow| flow.update_ratio));
        let last = last.map_or(String::new(), |(gradients, updates)| {
            format!(" In the last epoch gradients are {gradients}, and updates {updates}.")
        });
        let mut figure = Figure::new(
            "gradient-flow",
            "Gradient flow",
            format!(
                "Means over up to 32 steps of each epoch: the norm of each weight matrix's gradient, and how far a step \
                 moves it, relative to its own norm.{last} Layers should stay within an order of magnitude or two of \
                 each other; updates of about a thousandth are usual."
            ),
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
}

/// A line over epochs; where they are few, each is marked, and a single one is seen at all.
fn by_epoch(points: Vec<(f64, f64)>) -> Line {
    let few = points.len() <= 12;
    let line = Line::new(points);
    if few { line.marker(Marker::Circle) } else { line }
}

fn pairs(name: &str, caption: &str, entries: impl Iterator<Item = (String, String)>) -> Table {
    let mut table = Table::new(name, caption, ["name", "value"]);
    entries.for_each(|(name, value)| table.row([name.into(), value.into()]));
    table
}

#[cfg(test)]
mod tests;
