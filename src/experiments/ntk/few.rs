//! Ridge regression with the tangent kernel against a network, on few images.

use std::sync::Arc;

use super::{at, network};
use crate::experiments::prelude::*;
use crate::metrics::SeenClasses;
use crate::models::kernel::{Kernel, KernelMachine, KernelRidge, Ntk, RidgeOptions, Samples, one_vs_rest};
use crate::train::{FitOptions, predict};

/// Share of the mean of the kernel's diagonal that is added to all of it.
const RIDGE: f64 = 1e-3;
/// Units of the networks on images.
const HIDDEN: usize = 256;

/// What comes of so many training images. Of each test image, 1 if it is classified right, and 0 if not.
pub(super) struct Few {
    n: usize,
    ridge: Vec<f64>,
    /// One for each start.
    networks: Vec<Vec<f64>>,
}

impl Few {
    /// Accuracies of the networks.
    fn accuracies(&self) -> Vec<f64> {
        self.networks.iter().map(|right| mean(right)).collect()
    }

    fn ridge(&self) -> f64 {
        mean(&self.ridge)
    }

    fn network(&self) -> f64 {
        mean(&self.accuracies())
    }

    /// By how much the kernel does better, with the standard error over the test images, each of which is a pair.
    fn lead(&self) -> (f64, f64) {
        let share =
            |i: usize| self.networks.iter().map(|right| right[i]).sum::<f64>() / self.networks.len() as f64;
        mean_and_error(&differences(&self.ridge, &Vec::from_iter((0..self.ridge.len()).map(share))))
    }
}

pub(super) fn measure(context: &Context) -> Result<Vec<Few>> {
    let counts = context.pick(&[100, 300, 1000][..], &[100, 300, 1000, 3000]);
    let seeds = context.pick(2, 5);
    let test = &context.data.test;
    let mut all = Vec::new();
    for (i, n) in counts.iter().enumerate() {
        let train = context.data.train.take(*n);
        // Of fewer images than asked for there are all, once.
        if all.last().is_some_and(|few: &Few| few.n == train.len()) {
            break;
        }
        at(context, 2, i * (seeds + 1), counts.len() * (seeds + 1), "kernel ridge")?;
        let mut row = Few { n: train.len(), ridge: ridge(&train, test)?, networks: Vec::new() };
        for k in 0..seeds {
            at(context, 2, i * (seeds + 1) + k + 1, counts.len() * (seeds + 1), "network")?;
            row.networks.push(trained(context, &train, test, derive(context.seed, k as u64))?);
        }
        all.push(row);
    }
    Ok(all)
}

/// 1 for each test sample whose class is found, and 0 for the others.
fn right(test: &Dataset, classes: &[Option<usize>]) -> Vec<f64> {
    let classes = classes.iter().enumerate();
    classes.map(|(i, class)| f64::from(u8::from(*class == Some(test.label(i))))).collect()
}

/// Which test samples ridge regression with the kernel of a hidden layer of ReLU gets right.
fn ridge(train: &Dataset, test: &Dataset) -> Result<Vec<f64>> {
    let kernel: Arc<dyn Kernel<f64>> = Arc::new(Ntk(network(1, train.features(), 0.0)?));
    let (x, z) = (Samples::from_dataset(train)?, Samples::from_dataset(test)?);
    let y = one_vs_rest(train.labels().unwrap_or_default(), train.classes())?;
    let mut diagonal = 0.0;
    for norm in x.rows().norms {
        let mut value = [*norm];
        kernel.apply(&mut value, *norm, &[*norm]);
        diagonal += value[0] / x.len() as f64;
    }
    let machine = KernelRidge::fit(kernel, &x, &y, RidgeOptions::new(RIDGE * diagonal / x.len() as f64))?;
    Ok(right(test, &machine.classify(&z)))
}

/// Which test samples a finite network gets right, trained for the same number of steps whatever the number of images.
fn trained(context: &Context, train: &Dataset, test: &Dataset, seed: u64) -> Result<Vec<f64>> {
    let mut net = Net::<f32>::relu(train, &[HIDDEN], seed)?;
    let mut optimizer = Optimizer::new(Adam::default(), 1e-3)?;
    let steps: usize = context.pick(600, 2000);
    let options = FitOptions::new(steps.div_ceil(train.len().div_ceil(32).max(1)), 32, seed);
    net.fit(context, "network", &mut optimizer, (train, None), &options, None)?;
    let outputs = predict(&net.model, &mut net.tape, test)?;
    let seen = SeenClasses::of_labels(train.labels().unwrap_or_default(), train.classes())?;
    Ok(right(test, &seen.decide(&outputs)))
}

pub(super) fn report(context: &Context, outcome: &mut Outcome, all: &[Few]) {
    let lead = |few: &Few| plus_minus(few.lead(), 4);
    let below: Vec<&Few> = all.iter().filter(|few| few.lead().0 < 0.0).collect();
    let close: Vec<&Few> = all.iter().filter(|few| few.lead().0.abs() < 2.0 * few.lead().1).collect();
    let claim = Claim::that(
        "On few images the kernel machine of the infinite network does at least as well as a finite one",
    )
    .named("few-images")
    .expected("a test accuracy that is not below")
    .measured(format!(
        "{} by the kernel, {} by the network, for {} images: a lead of {} (± a standard error over the test \
         images)",
        list(all, |few| fixed(few.ridge(), 4)),
        list(all, |few| fixed(few.network(), 4)),
        list(all, |few| few.n.to_string()),
        list(all, lead)
    ))
    .criterion("at each number of images not below the mean of the networks")
    .holds(
        below.is_empty(),
        format!(
            "It is below {}. The network also learns features, the kernel has those of the start; and the \
             losses are not the same, the squared error for the kernel and the cross-entropy for the \
             network.",
            list(&below, |few| format!("with {} images by {}", few.n, lead(few)))
        ),
    );
    let remark = format!(
        "With {} images the lead is less than two standard errors: other test images may turn it round.",
        list(&close, |few| few.n.to_string())
    );
    outcome.claim(if close.is_empty() { claim } else { claim.remark(&remark) });
    let spread = all.iter().map(|few| {
        let (mean, deviation) = mean_and_deviation(&few.accuracies());
        (few.n as f64, mean - deviation, mean + deviation)
    });
    let points = |of: &dyn Fn(&Few) -> f64| all.iter().map(|few| (few.n as f64, of(few))).collect::<Vec<_>>();
    let images = || Axis::log("training images");
    let (features, classes) = (context.data.train.features(), context.data.train.classes());
    let accuracies = Chart::new(images(), Axis::linear("test accuracy"))
        .title("Accuracy")
        .band(spread, Color::Vermilion, "")
        .line(Line::new(points(&Few::ridge)).label("NTK ridge").color(Color::Blue).marker(Marker::Circle))
        .line(
            Line::new(points(&Few::network))
                .label(format!("network {features}-{HIDDEN}-{classes}"))
                .color(Color::Vermilion)
                .marker(Marker::Square),
        );
    let errors = all.iter().map(|few| {
        let (lead, error) = few.lead();
        (few.n as f64, lead - 2.0 * error, lead + 2.0 * error)
    });
    let leads = Chart::new(images(), Axis::linear("lead of the kernel in accuracy").holding(0.0))
        .title("Difference")
        .horizontal(0.0, Color::Muted, "")
        .errors(errors, Color::Blue)
        .points(points(&|few| few.lead().0), Marker::Circle, Color::Blue, "kernel − network");
    outcome.draw(
        "few-images",
        "Ridge regression with the tangent kernel, and a network",
        format!(
            "Both have one hidden layer of ReLU: infinitely wide, and of {HIDDEN} units trained by Adam. The \
             band is a standard deviation over the seeds to each side; on the right the bars are two \
             standard errors of the paired difference over the {} test images. Look where a bar crosses 0: \
             there these images do not tell.",
            context.data.test.len()
        ),
        [accuracies, leads],
    );
    for few in all {
        outcome.number(format!("accuracy of the kernel with {}", few.n), few.ridge());
        outcome.number(format!("accuracy of the network with {}", few.n), few.network());
        outcome.number(format!("standard error of the lead with {}", few.n), few.lead().1);
    }
    outcome.table(
        Table::of("few-images", "Test accuracy, and the lead of the kernel", all)
            .column("training images", |few| few.n)
            .column("NTK ridge", Few::ridge)
            .column("network, mean", Few::network)
            .column("network, standard deviation", |few| mean_and_deviation(&few.accuracies()).1)
            .column("lead", |few| few.lead().0)
            .column("standard error", |few| few.lead().1),
    );
}
