//! Early stopping where some labels are wrong.

use rand::RngExt;

use super::{HIDDEN, RATE, Run, Sets, curve, train};
use crate::experiments::data::drawn;
use crate::experiments::prelude::*;
use crate::optim::schedule::Cosine;
use crate::train::Criterion;

/// α of GL, in percent.
const ALPHA: f64 = 5.0;
/// Share of the training labels that are wrong.
const WRONG: f64 = 0.2;
const EPOCHS: usize = 100;
const BATCH: usize = 30;
/// Training samples.
const N: usize = 300;
/// Epochs in which the short cosine comes to its end, and the share of the first rate that is left there.
const ANNEALED: usize = 5;
const LEFT: f64 = 0.1;

/// What is measured.
#[derive(Serialize, Deserialize)]
pub(super) struct Stopping {
    features: usize,
    classes: usize,
    runs: Vec<Three>,
}

/// The runs of one seed.
#[derive(Serialize, Deserialize)]
struct Three {
    /// A cosine over all epochs, with the criterion.
    stopped: Run,
    /// The same without.
    free: Run,
    /// A cosine that is at its end after a few epochs, with the criterion.
    annealed: Run,
}

/// One of the runs.
type Which = fn(&Three) -> &Run;

pub(super) fn measure(context: &Context, seeds: &[u64]) -> Result<Stopping> {
    let all = &context.data.train;
    if all.len() <= N {
        let why = format!(
            "{} training images are too few: {N} are needed to train on, and some to validate",
            all.len()
        );
        return Err(Error::Data(why));
    }
    let runs = context.side_by_side(0..1, 3, "early stopping", seeds, |seed| three(context, *seed))?;
    Ok(Stopping { features: all.features(), classes: all.classes(), runs })
}

fn three(context: &Context, seed: u64) -> Result<Three> {
    let all = &context.data.train;
    let [right, validation] = drawn(all, [N, 500], seed);
    let (classes, mut rng) = (all.classes(), stream(derive(seed, 1), Purpose::Subsample));
    let labels: Vec<usize> = (0..N)
        .map(|i| match rng.random::<f64>() < WRONG && classes > 1 {
            true => (right.label(i) + rng.random_range(1..classes)) % classes,
            false => right.label(i),
        })
        .collect();
    let sets = Sets { train: right.with_labels(&labels, classes)?, validation, test: &context.data.test };
    let per_epoch = N.div_ceil(BATCH);
    let long = Cosine::new(RATE, 0.0, (EPOCHS * per_epoch) as u64)?;
    let short = Cosine::new(RATE, LEFT * RATE, (ANNEALED * per_epoch) as u64)?;
    let criterion = Some(Criterion::GeneralizationLoss { alpha: ALPHA });
    Ok(Three {
        stopped: train(context, &sets, long, criterion, (EPOCHS, BATCH), seed)?,
        free: train(context, &sets, long, None, (EPOCHS, BATCH), seed)?,
        annealed: train(context, &sets, short, criterion, (EPOCHS, BATCH), seed)?,
    })
}

pub(super) fn report(outcome: &mut Outcome, measured: &Stopping) {
    let runs = &measured.runs;
    let of = |f: &dyn Fn(&Three) -> f64| -> Vec<f64> { runs.iter().map(f).collect() };
    claim(outcome, format!("With {:.0} % wrong labels GL stops the run before its end", 100.0 * WRONG))
        .named("gl-stops")
        .expected("in the first half of the epochs: what is common is learned first, wrong labels later")
        .estimated(Estimate::mean(&of(&|run| run.stopped.epochs() as f64 / EPOCHS as f64)))
        .saying(&format!(", the share of the {EPOCHS} epochs that are done"))
        .within(
            ..=0.5,
            format!("A validation loss that never rises to {ALPHA} % above its minimum stops nothing."),
        );
    claim(outcome, format!("With {:.0} % wrong labels stopping pays", 100.0 * WRONG))
        .named("stopping-pays")
        .expected("a smaller test loss than at the end")
        .estimated(Estimate::mean(&of(&|run| 1.0 - run.stopped.test_loss / run.free.test_loss)))
        .saying(&format!(
            ", the share of the test loss that it removes: {} restored, {} after {EPOCHS} epochs",
            fixed(mean(&of(&|run| run.stopped.test_loss)), 3),
            fixed(mean(&of(&|run| run.free.test_loss)), 3)
        ))
        .within(
            0.05..,
            "With a falling rate the network may not get far enough to memorise the wrong labels.",
        );
    claim(outcome, format!("A cosine of {ANNEALED} epochs has come to its end before GL stops the run"))
        .named("annealed-stops")
        .expected(format!("{LEFT} of the first rate is left"))
        .estimated(Estimate::mean(&of(&|run| {
            run.annealed.rates.last().map_or(f64::NAN, |rate| rate / RATE)
        })))
        .saying(&format!(
            ", the share of the first rate at which the run ends, after {} epochs on average; the test loss is {}",
            fixed(mean(&of(&|run| run.annealed.epochs() as f64)), 1),
            fixed(mean(&of(&|run| run.annealed.test_loss)), 3)
        ))
        .within(
            ..=2.0 * LEFT,
            "With a large rate the validation loss goes up and down. It may reach the threshold above its \
             minimum before the rate is small.",
        );

    let first = &runs[0];
    outcome.figure(&figure(
        "early-stopping",
        "A cosine with early stopping",
        format!(
            "A network {}-{HIDDEN}-{} on {N} samples, {:.0} % of them with a wrong label, with stopping and \
             without; first seed.{} See where GL first exceeds α. After that, check whether the training \
             loss goes to zero while the validation loss rises: then the wrong labels are memorised.{} The \
             test loss, which is not drawn, is {} with the restored parameters. It is {} at the end of the \
             run without stopping. The title has its means over the seeds.",
            measured.features,
            measured.classes,
            100.0 * WRONG,
            shown(&first.stopped, &first.free).map_or(String::new(), |epochs| {
                format!(" Losses and GL are shown for the first {epochs} epochs, the rate for all.")
            }),
            missed(&first.stopped, &first.free),
            fixed(first.stopped.test_loss, 2),
            fixed(first.free.test_loss, 2)
        ),
        &first.stopped,
        Some(&first.free),
    ));
    outcome.figure(&figure(
        "annealed",
        "The rate has come down before the run is stopped",
        format!(
            "The same with a cosine that falls to a tenth of the first rate in {ANNEALED} epochs and then \
             stays there. Compare how much smoother the validation loss is, and at which rate the run ends. \
             The source document's figure shows both working together like this."
        ),
        &first.annealed,
        None,
    ));
    let all: [(&str, Which); 3] = [
        ("stopped", |run| &run.stopped),
        ("not stopped", |run| &run.free),
        ("annealed, stopped", |run| &run.annealed),
    ];
    for (name, run) in all {
        outcome.number(format!("{name}: epochs"), run(first).epochs() as f64);
        outcome.number(format!("{name}: epoch of the parameters"), run(first).left as f64);
        outcome.number(format!("{name}: mean epochs"), mean(&of(&|three| run(three).epochs() as f64)));
        outcome.number(format!("{name}: test loss"), mean(&of(&|three| run(three).test_loss)));
        outcome.number(format!("{name}: test accuracy"), mean(&of(&|three| run(three).test_accuracy)));
    }
    let caption = format!("The three runs: means over {} seeds", runs.len());
    outcome.table(
        Table::of("early-stopping", caption, &all)
            .column("run", |(name, _)| *name)
            .column("epochs", |(_, run)| mean(&of(&|three| run(three).epochs() as f64)))
            .column("epoch of the parameters", |(_, run)| mean(&of(&|three| run(three).left as f64)))
            .column("last rate", |(_, run)| {
                mean(&of(&|three| run(three).rates.last().copied().unwrap_or(f64::NAN)))
            })
            .column("validation loss", |(_, run)| mean(&of(&|three| run(three).left_validation)))
            .column("test loss", |(_, run)| mean(&of(&|three| run(three).test_loss)))
            .column("test accuracy", |(_, run)| mean(&of(&|three| run(three).test_accuracy))),
    );
}

/// What stopping missed.
fn missed(stopped: &Run, free: &Run) -> String {
    let Some(end) = stopped.stopped else { return " Nothing has stopped it.".into() };
    let later = curve(&free.validation).into_iter().skip(end);
    later.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(String::new(), |(epoch, loss)| {
        format!(
            " The smallest validation loss after the stop is {}, in epoch {epoch}; the restored parameters \
             have {}.",
            fixed(loss, 3),
            fixed(stopped.left_validation, 3)
        )
    })
}

/// So many epochs of the losses are drawn for each until a run is stopped.
const BEYOND: usize = 8;

/// The epochs of the losses that are drawn of a run that is stopped early, which would be lost among all.
fn shown(run: &Run, whole: &Run) -> Option<usize> {
    run.stopped.map(|end| BEYOND * end).filter(|epochs| *epochs < whole.validation.len())
}

/// Losses, GL and rate of a run, and what follows if it goes on.
fn figure(name: &str, title: &str, caption: String, run: &Run, free: Option<&Run>) -> Figure {
    let whole = free.unwrap_or(run);
    let least = whole.validation.iter().scan(f64::INFINITY, |least, loss| {
        *least = least.min(*loss);
        Some(100.0 * (loss / *least - 1.0))
    });
    let generalization: Vec<f64> = least.collect();
    let mark = |chart: Chart| {
        let chart = chart.vertical(run.left as f64, Color::Green, "restored");
        match run.stopped {
            Some(end) => chart.vertical(end as f64, Color::Ink, "stopped"),
            None => chart,
        }
    };
    let x = || Axis::whole("epoch");
    let first = || match shown(run, whole) {
        Some(epochs) => x().range(0.0, epochs as f64),
        None => x(),
    };
    let loss = Chart::new(first(), Axis::linear("cross-entropy (nats)").holding(0.0))
        .title("Losses")
        .line(Line::new(curve(&whole.train)).label("training").color(Color::Blue))
        .line(Line::new(curve(&whole.validation)).label("validation").color(Color::Vermilion));
    let gl = Chart::new(first(), Axis::linear("GL (%)"))
        .title("Loss above its least so far")
        .line(Line::new(curve(&generalization)).label("GL").color(Color::Vermilion))
        .horizontal(ALPHA, Color::Muted, format!("α = {ALPHA} %"));
    let rate = Chart::new(x(), Axis::linear("learning rate η").holding(0.0)).title("Rate");
    let rate = free.into_iter().fold(rate, |chart, free| {
        chart.line(Line::new(curve(&free.rates)).label("if it goes on").color(Color::Muted))
    });
    let rate = rate.line(Line::new(curve(&run.rates)).label("until it stops").color(Color::Blue).width(3.0));
    Figure::new(name, title, caption).panels([mark(loss), mark(gl), mark(rate)])
}
