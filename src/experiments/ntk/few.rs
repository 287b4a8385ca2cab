//! Ridge regression with the tangent kernel against a network, on few images.

use std::sync::Arc;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::network;
use crate::experiments::data::{drawn, kernel_inputs};
use crate::experiments::prelude::*;
use crate::models::kernel::{Kernel, KernelMachine, KernelRidge, Ntk, RidgeOptions, Samples};
use crate::train::FitOptions;

/// Share of the mean of the kernel's diagonal that is added to all of it.
const RIDGE: f64 = 1e-3;
/// Units of the networks on images.
const HIDDEN: usize = 256;

/// What is measured.
#[derive(Serialize, Deserialize)]
pub(super) struct FewImages {
    features: usize,
    classes: usize,
    test: usize,
    all: Vec<Few>,
}

/// What comes of so many training images: test accuracies, a seed each, with images of its own.
#[derive(Serialize, Deserialize)]
pub(super) struct Few {
    n: usize,
    ridge: Vec<f64>,
    #[serde(with = "lossless")]
    network: Vec<f64>,
}

impl Few {
    /// By how much the kernel does better, pair by pair.
    fn leads(&self) -> Vec<f64> {
        differences(&self.ridge, &self.network)
    }

    fn lead(&self) -> Estimate {
        Estimate::mean(&self.leads())
    }
}

pub(super) fn measure(context: &Context) -> Result<FewImages> {
    let counts = context.pick(&[100, 300, 1000][..], &[100, 300, 1000, 3000]);
    let (all, test) = (&context.data.train, &context.data.test);
    let mut rows: Vec<Few> = Vec::new();
    for n in counts {
        // Of fewer images than asked for there are all, once.
        let n = (*n).min(all.len());
        if rows.last().is_some_and(|few| few.n == n) {
            break;
        }
        let of_seed = |seed: &u64| -> Result<(f64, f64)> {
            context.check()?;
            let [train] = drawn(all, [n], *seed);
            Ok((ridge(&train, test)?, trained(context, &train, test, *seed)?))
        };
        let found: Vec<(f64, f64)> = seeds(context).par_iter().map(of_seed).collect::<Result<_>>()?;
        let (ridge, network) = found.into_iter().unzip();
        rows.push(Few { n, ridge, network });
    }
    Ok(FewImages { features: all.features(), classes: all.classes(), test: test.len(), all: rows })
}

/// Test accuracy of ridge regression with the kernel of a hidden layer of ReLU.
fn ridge(train: &Dataset, test: &Dataset) -> Result<f64> {
    let kernel: Arc<dyn Kernel<f64>> = Arc::new(Ntk(network(1, train.features(), 0.0)?));
    let ((x, y), z) = (kernel_inputs(train)?, Samples::from_dataset(test)?);
    let mut diagonal = 0.0;
    for norm in x.rows().norms {
        let mut value = [*norm];
        kernel.apply(&mut value, *norm, &[*norm]);
        diagonal += value[0] / x.len() as f64;
    }
    let machine = KernelRidge::fit(kernel, &x, &y, RidgeOptions::new(RIDGE * diagonal / x.len() as f64))?;
    Ok(machine.accuracy(&z, test.labels().unwrap_or_default()))
}

/// Test accuracy of a finite network, trained for the same number of steps whatever the number of images.
fn trained(context: &Context, train: &Dataset, test: &Dataset, seed: u64) -> Result<f64> {
    let mut net = Net::<f32>::relu(train, &[HIDDEN], seed)?;
    let mut optimizer = Optimizer::new(Adam::default(), 1e-3)?;
    let steps: usize = context.pick(600, 2000);
    let options = FitOptions::new(steps.div_ceil(train.len().div_ceil(32).max(1)), 32, seed);
    net.fit(context, &mut optimizer, (train, None), &options)?;
    Ok(net.evaluate(test)?.accuracy().unwrap_or(f64::NAN))
}

pub(super) fn report(outcome: &mut Outcome, measured: &FewImages) {
    let FewImages { features, classes, test, all } = measured;
    let runs = 0..all.first().map_or(0, |few| few.ridge.len());
    let leads: Vec<f64> = runs.map(|k| mean_of(all, |few| few.leads()[k])).collect();
    claim(outcome, "On few images the kernel machine of the infinite network rivals a finite one")
        .named("few-images")
        .expected("a test accuracy that is not below")
        .estimated(Estimate::mean(&leads))
        .saying(&format!(
            ", the lead of the kernel in test accuracy, a mean over the numbers of images. Kernel: {}. \
             Network: {}. Images: {}",
            list(all, |few| fixed(mean(&few.ridge), 3)),
            list(all, |few| fixed(mean(&few.network), 3)),
            list(all, |few| few.n.to_string())
        ))
        .within(
            -0.03..,
            "The network also learns features; the kernel has those of the start. The losses differ too: \
             squared error for the kernel, cross-entropy for the network.",
        );
    let spread = all.iter().map(|few| {
        let (mean, deviation) = mean_and_deviation(&few.network);
        (few.n as f64, mean - deviation, mean + deviation)
    });
    let points = |of: &dyn Fn(&Few) -> f64| all.iter().map(|few| (few.n as f64, of(few))).collect::<Vec<_>>();
    let images = || Axis::log("training images");
    let accuracies = Chart::new(images(), Axis::linear("test accuracy"))
        .title("Accuracy")
        .band(spread, Color::Vermilion, "")
        .line(
            Line::new(points(&|few| mean(&few.ridge)))
                .label("NTK ridge")
                .color(Color::Blue)
                .marker(Marker::Circle),
        )
        .line(
            Line::new(points(&|few| mean(&few.network)))
                .label(format!("network {features}-{HIDDEN}-{classes}"))
                .color(Color::Vermilion)
                .marker(Marker::Square),
        );
    let errors = all.iter().map(|few| {
        let (low, high) = few.lead().interval();
        (few.n as f64, low, high)
    });
    let leads = Chart::new(images(), Axis::linear("lead of the kernel in accuracy").holding(0.0))
        .title("Difference")
        .horizontal(0.0, Color::Muted, "")
        .errors(errors, Color::Blue)
        .points(points(&|few| few.lead().value()), Marker::Circle, Color::Blue, "kernel − network");
    outcome.draw(
        "few-images",
        "Ridge regression with the tangent kernel, and a network",
        format!(
            "Both have one hidden layer of ReLU: infinitely wide, or of {HIDDEN} units trained by Adam. \
             Means over {} seeds, each with its own training images, tested on {test} images. The band is a \
             standard deviation to each side. In the second panel the bars are 95 % intervals of the paired \
             difference. Where a bar crosses 0, these seeds do not decide.",
            all.first().map_or(0, |few| few.ridge.len())
        ),
        [accuracies, leads],
    );
    for few in all {
        outcome.number(format!("accuracy of the kernel with {}", few.n), mean(&few.ridge));
        outcome.number(format!("accuracy of the network with {}", few.n), mean(&few.network));
        outcome.number(format!("standard error of the lead with {}", few.n), mean_and_error(&few.leads()).1);
    }
    outcome.table(
        Table::of("few-images", "Test accuracy, and the lead of the kernel", all)
            .column("training images", |few| few.n)
            .column("NTK ridge", |few| mean(&few.ridge))
            .column("network", |few| mean(&few.network))
            .column("network, standard deviation", |few| mean_and_deviation(&few.network).1)
            .column("lead", |few| few.lead().value())
            .column("standard error", |few| mean_and_error(&few.leads()).1),
    );
}
