//! Networks of images beside a multilayer perceptron and a kernel machine: accuracy, size and time, what the first
//! layer looks for, and what is left of the accuracy where images are moved. The families and their training are here,
//! in a file each are images that are moved, and what is claimed and shown.

mod filters;
mod report;
mod shifts;

use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::models::families::{choose, kernel_ridge};
use super::prelude::*;
use crate::data::Augment;
use crate::models::kernel::{KernelMachine, Samples};
use crate::models::{Cnn, LeNet, Mlp, Vit};
use crate::nn::{Activation, Sequential, loss};
use crate::ops::ImageShape;
use crate::optim::schedule::Cosine;
use crate::train::{FitOptions, Observer, Rate};

pub const EXPERIMENT: Experiment = Experiment {
    name: "images",
    title: "Networks for images",
    question: "What do image networks gain over models that do not know what an image is, and do they \
               recognise a moved image?",
    theory: &[
        "A convolution has few weights, which are the same at every place. So what it learns at one place \
         it knows at all places. On MNIST, LeNet-5 has 0.95 % errors, or 0.8 % with distorted training \
         images. A perceptron of 300 hidden units has 4.7 % (LeCun, Bottou, Bengio and Haffner, \
         \"Gradient-Based Learning Applied to Document Recognition\", 1998).",
        "Feature maps move with the image: convolution is equivariant, not invariant. Pooling over 2×2 \
         ignores shifts of a pixel or two. The affine layers after it depend on positions again (Azulay and \
         Weiss, \"Why Do Deep Convolutional Networks Generalize So Poorly to Small Image \
         Transformations?\", 2019). If the training images do not contain moved images, augmentation has to \
         add them.",
        "An image transformer is given only the positions of its patches. It has to learn which of them are \
         neighbours, and needs more images for that than a convolutional network (Dosovitskiy et al., \
         arXiv:2010.11929).",
        "First layers of image networks become detectors of edges and strokes. Those of a perceptron see \
         the whole image. After little training they still look like their initial noise.",
    ],
    parts: Parts::of::<Networks>(),
    finding,
};

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Networks {
    data: String,
    /// Test images that are moved.
    moved: usize,
    /// A row for each family and one for the kernel machine, all on the same samples: from every seed, or from the first
    /// alone. Then, where there are more samples, one for each family whose images are not moved, on all of them and from
    /// the first seed.
    rows: Vec<Row>,
}

/// Makes a network for such images and so many classes.
type Build = fn(ImageShape, usize, &mut Tape<f32>, &mut ChaCha8Rng) -> Result<Sequential<f32>>;

/// A family of networks, and how it is trained.
struct Family {
    name: &'static str,
    build: Build,
    rate: f64,
    epochs: Epochs,
    /// Pixels by which training images are moved.
    moved: usize,
    /// Whether a quick run trains it from its first seed alone: on two cores the others would take as long as all else
    /// here.
    slow: bool,
    /// Whether the weights of its first layer are drawn.
    drawn: bool,
}

/// For how many epochs a family is trained.
#[derive(Clone, Copy)]
struct Epochs {
    /// In a quick run.
    quick: usize,
    /// In a full one, on the samples that all share.
    part: usize,
    /// In a full one, on all samples.
    all: usize,
}

const MLP: usize = 0;
const MOVED_MLP: usize = 1;
const LENET: usize = 2;
const MOVED_LENET: usize = 3;
const CNN: usize = 4;
const VIT: usize = 5;
/// The row behind those of the families.
const KERNEL: usize = FAMILIES.len();

const PERCEPTRON: Family = Family {
    name: "MLP",
    build: |image, outputs, tape, rng| {
        Mlp::new(&[image.numel(), 128, outputs], Activation::Relu).build(tape, rng)
    },
    rate: 1e-3,
    epochs: Epochs { quick: 12, part: 20, all: 10 },
    moved: 0,
    slow: false,
    drawn: true,
};

const LENET_5: Family = Family {
    name: "LeNet-5",
    build: |image, outputs, tape, rng| LeNet::new(image, outputs).build(tape, rng),
    rate: 3e-3,
    epochs: Epochs { quick: 8, part: 12, all: 5 },
    moved: 0,
    slow: false,
    drawn: true,
};

/// A network more is an entry more.
const FAMILIES: [Family; 6] = [
    PERCEPTRON,
    Family { name: "MLP, moved", moved: MOVED, drawn: false, ..PERCEPTRON },
    LENET_5,
    Family { name: "LeNet-5, moved", moved: MOVED, drawn: false, ..LENET_5 },
    Family {
        name: "CNN",
        build: |image, outputs, tape, rng| Cnn::new(image, outputs).build(tape, rng),
        rate: 2e-3,
        epochs: Epochs { quick: 2, part: 4, all: 2 },
        moved: 0,
        slow: true,
        drawn: true,
    },
    Family {
        name: "ViT",
        build: vit,
        rate: 2e-3,
        epochs: Epochs { quick: 6, part: 10, all: 4 },
        moved: 0,
        slow: true,
        drawn: false,
    },
];

/// Pixels by which images are moved in the training of some.
const MOVED: usize = 4;
/// Pixels by which test images are moved, at most.
const SHIFTS: usize = 6;
/// Samples on which all are compared: as many as all networks learn from ten seeds in some minutes.
const SHARED_SAMPLES: usize = 3000;

/// Squares of 7×7, where they divide the image: sixteen tokens of a digit.
fn vit(
    image: ImageShape,
    outputs: usize,
    tape: &mut Tape<f32>,
    rng: &mut ChaCha8Rng,
) -> Result<Sequential<f32>> {
    let divides = |p: &usize| image.height.is_multiple_of(*p) && image.width.is_multiple_of(*p);
    let patch = [7, 8, 5, 4, 3, 2].into_iter().find(divides).unwrap_or(1);
    Vit { patch, ..Vit::new(image, outputs) }.build(tape, rng)
}

/// What came out of a family.
#[derive(Serialize, Deserialize)]
struct Row {
    name: String,
    parameters: usize,
    samples: usize,
    /// Through the samples; of the kernel machine, none.
    epochs: usize,
    /// Test accuracy for each seed; of the kernel machine, once.
    accuracy: Vec<f64>,
    /// Test accuracy for each seed where test images are moved by 0 to [`SHIFTS`] pixels.
    moved: Vec<Vec<f64>>,
    /// Of the training from the first seed, on all threads.
    seconds: f64,
    /// Of the network of the first seed, where they are drawn.
    filters: Option<filters::Filters>,
}

impl Row {
    /// What is lost for each seed by a shift of `pixels`.
    fn lost(&self, pixels: usize) -> Vec<f64> {
        self.moved.iter().map(|by_shift| by_shift[0] - by_shift[pixels]).collect()
    }
}

fn measure(context: &Context) -> Result<Networks> {
    let ExperimentData { train, test, .. } = context.data;
    let (train, moved) = (train.take(context.pick(1000, usize::MAX)), test.take(context.pick(100, 500)));
    let moved = shifts::all(&moved, SHIFTS)?;
    let few = train.take(SHARED_SAMPLES);
    let seeds = derived_seeds(context, context.pick(5, 10));
    let parts = 2 * FAMILIES.len() + 1;
    let mut rows = Vec::new();
    for (k, family) in FAMILIES.iter().enumerate() {
        context.at(k, parts, family.name)?;
        let epochs = context.pick(family.epochs.quick, family.epochs.part);
        let seeds = if context.quick && family.slow { &seeds[..1] } else { &seeds };
        rows.push(network(context, family, epochs, &few, &moved, seeds)?);
    }
    context.at(FAMILIES.len(), parts, "kernel ridge regression")?;
    let mut chosen = choose::<f32>(context, &few, 500, 4)?;
    let (machine, fitted) = kernel_ridge::<f32>(context, &mut chosen, &few, test)?;
    let labels = test.labels().unwrap_or_default();
    let accuracy = |data: &Dataset| -> Result<f64> {
        Ok(machine.accuracy(&Samples::from_dataset(data)?, &labels[..data.len()]))
    };
    rows.push(Row {
        name: "kernel ridge".into(),
        parameters: few.len() * few.classes(),
        samples: few.len(),
        epochs: 0,
        accuracy: vec![fitted.accuracy],
        moved: vec![by_shift(context, &moved, accuracy)?],
        seconds: fitted.fit_seconds,
        filters: None,
    });
    if few.len() < train.len() {
        // Those of the networks on all samples are drawn.
        rows.iter_mut().for_each(|row| row.filters = None);
        for (k, family) in FAMILIES.iter().enumerate().filter(|(_, family)| family.moved == 0) {
            context.at(FAMILIES.len() + 1 + k, parts, family.name)?;
            rows.push(network(context, family, family.epochs.all, &train, &moved, &seeds[..1])?);
        }
    }
    Ok(Networks { data: context.data.name.clone(), moved: moved[0][0].len(), rows })
}

impl Study for Networks {
    const EDITION: u32 = 5;

    fn measure(context: &Context) -> Result<Networks> {
        measure(context)
    }

    fn report(&self) -> Outcome {
        report::all(self)
    }
}

/// Trains a family from each of its seeds: from the first one alone, on all threads, which is timed; from the others side by
/// side, a thread each.
fn network(
    context: &Context,
    family: &Family,
    epochs: usize,
    train: &Dataset,
    moved: &[Vec<Dataset>],
    seeds: &[u64],
) -> Result<Row> {
    let (mut first, seconds) = trained(context, family, epochs, train, seeds[0], Some(family.name))?;
    let seen = |net: &mut Net<f32>| -> Result<(f64, Vec<f64>)> {
        let mut accuracy = |data: &Dataset| Ok(net.evaluate(data)?.accuracy().unwrap_or(f64::NAN));
        Ok((accuracy(&context.data.test)?, by_shift(context, moved, accuracy)?))
    };
    let mut all = vec![seen(&mut first)?];
    let other = |seed: &u64| seen(&mut trained(context, family, epochs, train, *seed, None)?.0);
    all.extend(seeds[1..].par_iter().map(other).collect::<Result<Vec<_>>>()?);
    let (accuracy, moved) = all.into_iter().unzip();
    Ok(Row {
        name: family.name.into(),
        parameters: first.tape.param_numbers(),
        samples: train.len(),
        epochs,
        accuracy,
        moved,
        seconds,
        filters: if family.drawn { filters::of(&first) } else { None },
    })
}

/// A network of the family, trained from that seed, and the seconds that this took; the bar tells `what` is being
/// done, if it is the only one.
fn trained(
    context: &Context,
    family: &Family,
    epochs: usize,
    train: &Dataset,
    seed: u64,
    what: Option<&str>,
) -> Result<(Net<f32>, f64)> {
    let (height, width) =
        train.image_shape().ok_or_else(|| Error::Data("the samples are no images".into()))?;
    let (mut tape, rng) = (Tape::default(), &mut stream(seed, Purpose::Init));
    let model = (family.build)(ImageShape::new(1, height, width), train.classes(), &mut tape, rng)?;
    let mut net = Net { tape, model, loss: loss::suited_to(train)? };
    // Large batches of few samples would be few steps.
    let batch = if train.len() < 10_000 { 32 } else { 128 };
    let steps = (train.len().div_ceil(batch) * epochs) as u64;
    let augment = Augment { shift: family.moved, ..Augment::default() };
    let options = FitOptions {
        rate: Rate::Schedule(std::sync::Arc::new(Cosine::new(family.rate, 0.0, steps)?)),
        augment: (family.moved > 0).then_some(augment),
        ..FitOptions::new(epochs, batch, seed)
    };
    let (mut optimizer, start) = (Optimizer::new(Adam::default(), family.rate)?, Instant::now());
    let mut watch = what.map(|what| context.observer(what));
    let watch = watch.as_mut().map(|watch| watch as &mut dyn Observer<f32>);
    net.fit_observed(context, &mut optimizer, (train, None), &options, watch)?;
    Ok((net, start.elapsed().as_secs_f64()))
}

/// For each shift the accuracy on the images that are moved by it, as a mean over the directions.
fn by_shift(
    context: &Context,
    moved: &[Vec<Dataset>],
    mut accuracy: impl FnMut(&Dataset) -> Result<f64>,
) -> Result<Vec<f64>> {
    let mut each = |data: &Dataset| {
        context.check()?;
        accuracy(data)
    };
    let mut of_shift =
        |shift: &Vec<Dataset>| Ok(mean(&shift.iter().map(&mut each).collect::<Result<Vec<_>>>()?));
    moved.iter().map(&mut of_shift).collect()
}

fn finding(found: &Found) -> Told {
    let accuracies = |name: &'static str| found.all(name, ": test accuracy");
    let accuracy = |name| accuracies(name).next().map(|(_, x)| percent(x));
    let more = match (accuracies("LeNet-5 on ").nth(1), accuracies("MLP on ").nth(1)) {
        (Some((samples, lenet)), Some((_, mlp))) => format!(
            " Trained on all {samples} images, from one seed, LeNet-5 gets {} of new digits right and a perceptron {}.",
            percent(lenet),
            percent(mlp)
        ),
        _ => String::new(),
    };
    let lost = |name: &str| found.all(name, ": lost by a shift of 3").next().map(|(_, x)| points(x));
    Some((
        "shifts",
        format!(
            "Trained on {} images, LeNet-5 gets {} of new digits right, a perceptron {}; both get worse \
             when images move",
            accuracies("LeNet-5 on ").next()?.0,
            accuracy("LeNet-5 on ")?,
            accuracy("MLP on ")?
        ),
        format!(
            "The weights of a filter are the same at every place of an image. Where images move by three \
             pixels, LeNet-5 still loses {} and a perceptron {}: the affine layers behind the filters \
             depend on positions. Trained on moved images, they lose {} and {}.{more}",
            lost("LeNet-5 on ")?,
            lost("MLP on ")?,
            lost("LeNet-5, moved on ")?,
            lost("MLP, moved on ")?
        ),
    ))
}
