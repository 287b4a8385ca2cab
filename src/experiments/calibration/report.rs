//! What is claimed of the probabilities, and shown.

use super::{BINS, Bin, Calibration, Kind, Model, Probabilities, Run};
use crate::experiments::prelude::*;

fn of(model: &Model, value: impl Fn(&Run) -> f64) -> Vec<f64> {
    model.seeds.iter().map(value).collect()
}

pub(super) fn all(study: &Calibration) -> Outcome {
    let mut outcome = Outcome::default();
    for model in &study.models {
        let name = model.kind.name();
        let sure = of(model, |run| run.before.confidence - run.accuracy);
        let (statement, expected, range, otherwise) = match model.kind {
            Kind::Kernel => (
                format!("Taken for logits, the scores of {name} are not sure enough"),
                "below 0",
                BELOW_0,
                "With fewer classes the softmax of such scores is higher: 0.88 with two classes.",
            ),
            Kind::Logistic | Kind::Network => (
                format!("Trained for long, {name} is too sure"),
                "above 0",
                ABOVE_0,
                "On simple images hardly any answer is wrong, so a model can hardly be too sure.",
            ),
        };
        claim(&mut outcome, statement)
            .named(&format!("{}-confidence", model.kind.id()))
            .expected(expected)
            .estimated(Estimate::mean(&sure))
            .saying(", the mean confidence minus the accuracy")
            .within(range, otherwise);
        outcome.number(format!("{}: confidence less accuracy", model.kind.id()), mean(&sure));
    }
    for model in &study.models {
        claim(&mut outcome, format!("A temperature makes the probabilities of {} better", model.kind.name()))
            .named(&format!("temperature-{}", model.kind.id()))
            .expected("above 0")
            .estimated(Estimate::mean(&of(model, |run| run.before.log_loss - run.after.log_loss)))
            .saying(" nats, by which the log loss on new samples falls")
            .within(ABOVE_0, "A model that is calibrated already cannot gain.");
    }
    for model in study.models.iter().filter(|model| model.kind != Kind::Logistic) {
        claim(&mut outcome, format!("A temperature lowers the calibration error of {}", model.kind.name()))
            .named(&format!("error-{}", model.kind.id()))
            .expected("above 0")
            .estimated(Estimate::mean(&of(model, |run| run.before.error - run.after.error)))
            .saying(", by which the expected calibration error falls")
            .within(ABOVE_0, "The error of a bin with few samples is partly chance, at any temperature.");
    }
    let chart = |title: String, model: &Model| {
        let line = |of: fn(&Run) -> &Probabilities| -> Vec<(f64, f64)> {
            let bins = (0..BINS).map(|b| {
                let add = |a: Bin, b: Bin| Bin {
                    samples: a.samples + b.samples,
                    right: a.right + b.right,
                    confidence: a.confidence + b.confidence,
                };
                model.seeds.iter().map(|run| of(run).bins[b]).fold(Bin::default(), add)
            });
            // A share of so few says nothing.
            let told = bins.filter(|bin| bin.samples >= 20);
            told.map(|bin| {
                let count = bin.samples as f64;
                (bin.confidence / count, bin.right as f64 / count)
            })
            .collect()
        };
        Chart::new(
            Axis::linear("confidence").range(0.0, 1.03),
            Axis::linear("share that is right").range(0.0, 1.03),
        )
        .title(title)
        .line(Line::new([(0.0, 0.0), (1.0, 1.0)]).label("calibrated").color(Color::Muted).dash(1))
        .line(Line::new(line(|run| &run.before)).label("as it is").marker(Marker::Circle))
        .line(Line::new(line(|run| &run.after)).label("with a temperature").marker(Marker::Square))
    };
    outcome.draw(
        "reliability",
        "Confidence and accuracy",
        format!(
            "On {}: {} training samples, {} to fit the temperature, {} to test; {} seeds together. A point \
             is a bin of confidence with at least 20 samples. Below the diagonal a model is too sure, above \
             it not sure enough.",
            study.data,
            study.samples,
            study.held_out,
            study.tested,
            study.models[0].seeds.len()
        ),
        study.models.iter().map(|model| {
            let temperature = mean(&of(model, |run| run.temperature));
            chart(format!("{}, T = {}", model.kind.name(), rounded(temperature, 2)), model)
        }),
    );
    outcome.table(
        Table::of("models", "Means over the seeds, on test samples", &study.models)
            .column("model", |model| model.kind.name())
            .column("accuracy", |model| mean(&of(model, |run| run.accuracy)))
            .column("confidence", |model| mean(&of(model, |run| run.before.confidence)))
            .column("calibration error", |model| mean(&of(model, |run| run.before.error)))
            .column("log loss (nats)", |model| mean(&of(model, |run| run.before.log_loss)))
            .column("temperature", |model| mean(&of(model, |run| run.temperature)))
            .column("calibration error with it", |model| mean(&of(model, |run| run.after.error)))
            .column("log loss with it (nats)", |model| mean(&of(model, |run| run.after.log_loss))),
    );
    for model in &study.models {
        let id = model.kind.id();
        outcome.number(format!("{id}: accuracy"), mean(&of(model, |run| run.accuracy)));
        outcome.number(format!("{id}: confidence"), mean(&of(model, |run| run.before.confidence)));
        outcome.number(format!("{id}: temperature"), mean(&of(model, |run| run.temperature)));
        outcome.number(format!("{id}: calibration error"), mean(&of(model, |run| run.before.error)));
        outcome.number(format!("{id}: calibration error with it"), mean(&of(model, |run| run.after.error)));
    }
    outcome
}
