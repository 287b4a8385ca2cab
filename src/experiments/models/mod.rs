//! Logistic regression, a network and kernel ridge regression on the same samples. The data is here, in a file each
//! are how a family is fitted and timed, and what is claimed and shown.

pub(super) mod families;
mod report;

use families::{Chosen, NAMES, Recipe, Row, choose, kernel_ridge, network};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::data::drawn;
use super::prelude::*;
use super::spiral::{self, CELLS, Points, SPAN, classify, places, points};
use crate::models::kernel::{KernelMachine, Samples};
use crate::report::grid;

pub const EXPERIMENT: Experiment = Experiment {
    name: "models",
    title: "Three models compared",
    question: "How do a linear model, a network and a kernel machine compare, on a spiral and on images?",
    theory: &[
        "Three models are compared, each with one output per class. They are logistic regression (one \
         against the rest), a ReLU network on the cross-entropy, and kernel ridge regression with the \
         Gaussian kernel on targets ±1. The boundaries of the first are straight lines. The other two can \
         approximate any shape: networks by Leshno et al. (1993), and the functions of a Gaussian kernel \
         are dense among the continuous ones (Steinwart 2001).",
        "On three spiral arms one expects about 0.60 of new points right for the lines, and about 0.97 and \
         0.95 for the other two. What lines can reach depends on how far the arms turn from one end to the \
         other. Take a wedge of a third of a turn around the centre. It holds ${1}/{3x}$ of an arm that \
         turns x < 1 times, and ${x−2/3}/{x}$ of one that turns 1 to 4/3 times. The Gaussian kernel needs a \
         γ that suits the distances of the arms. On all 60000 images of MNIST a linear classifier has 12.0 \
         % errors, and a network of 300 hidden units 4.7 %. A support vector machine with a Gaussian kernel \
         has 1.4 % (LeCun, Cortes and Burges).",
        "The kernel machine keeps all n samples, and its fit needs an n×n matrix. The network and the lines \
         keep only their weights, for any n. The closed form of leave-one-out chooses γ and λ from a grid: \
         γ upwards from the median heuristic, λ from 10⁻¹² to 1.",
    ],
    parts: Parts::of::<Models>(),
    finding,
};

/// How often the arms of the two spirals turn for each unit of the distance to the centre: as few times as lines that
/// are right in 0.60 of all cases take, which is 0.56 times from one end to the other, and as often as in the experiment
/// `spiral`.
const TURNS: [f64; 2] = [0.59, spiral::TURNS];

/// From one end of an arm to the other, where the distance to the centre goes from 0.05 to 1.
fn between_ends(turns: f64) -> f64 {
    0.95 * turns
}

/// Points that are learned, as many as the document has.
const TRAINING: usize = 600;

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Models {
    spirals: Vec<Spiral>,
    images: Images,
}

/// What came out on one spiral.
#[derive(Serialize, Deserialize)]
struct Spiral {
    turns: f64,
    test_points: usize,
    /// Test points of the first seed that are drawn.
    test: Points,
    chosen: Chosen,
    /// Of the models in the order of their names.
    fits: Vec<Fitted>,
}

/// A model on a spiral.
#[derive(Serialize, Deserialize)]
struct Fitted {
    /// By the first seed, as are the next two.
    row: Row,
    /// The classes of the cells of the drawn plane, and those that the drawn points are given.
    classes: Vec<Option<usize>>,
    found: Vec<Option<usize>>,
    /// Test accuracy, a seed each.
    accuracy: Vec<f64>,
}

/// What came out on images.
#[derive(Serialize, Deserialize)]
struct Images {
    name: String,
    features: usize,
    classes: usize,
    chosen: Chosen,
    /// By the first seed: all models on the same images, and what takes more on all of them.
    rows: Vec<Row>,
    /// Images that each seed draws.
    drawn: usize,
    /// Test accuracy of the three models on these, a seed each.
    accuracy: Vec<[f64; 3]>,
}

impl Study for Models {
    const EDITION: u32 = 4;

    fn measure(context: &Context) -> Result<Models> {
        let seeds = seeds(context);
        let mut spirals = Vec::new();
        for (i, turns) in TURNS.into_iter().enumerate() {
            spirals.push(spiral(context, turns, &seeds, 5 * i)?);
        }
        Ok(Models { spirals, images: images(context, &seeds)? })
    }

    fn report(&self) -> Outcome {
        report::all(self)
    }
}

/// Pieces of work that the bar counts.
const PARTS: usize = 18;

/// `done` of the pieces of work are behind.
fn spiral(context: &Context, turns: f64, seeds: &[u64], done: usize) -> Result<Spiral> {
    let recipes = [
        Recipe { model: NAMES[0], hidden: &[], one_vs_rest: true, rate: 1e-2, epochs: 100, batch: 32 },
        Recipe { model: NAMES[1], hidden: &[64, 64], one_vs_rest: false, rate: 3e-3, epochs: 250, batch: 32 },
    ];
    let plane = grid(CELLS, SPAN, SPAN);
    context.at(done, PARTS, NAMES[0])?;
    let (train, test) = points(TRAINING, turns, seeds[0])?;
    let drawn = Points::of(&test);
    let drawn_places = places(&test.take(spiral::POINTS));
    let mut fits = Vec::new();
    for (i, recipe) in recipes.iter().enumerate() {
        context.at(done + i, PARTS, recipe.model)?;
        let (mut net, row) = network::<f64>(context, recipe, &train, &test, seeds[0])?;
        let classes = classify(&net.model, &mut net.tape, &plane);
        let found = classify(&net.model, &mut net.tape, &drawn_places);
        fits.push(Fitted { accuracy: vec![row.accuracy], row, classes, found });
    }
    context.at(done + 2, PARTS, "KRR: γ and λ")?;
    let chosen = choose::<f64>(context, &train, 600, 8)?;
    let mut kernels = [chosen, Chosen::given(1.0, 1e-3)];
    context.at(done + 3, PARTS, "KRR")?;
    for chosen in &mut kernels {
        let (machine, row) = kernel_ridge::<f64>(context, chosen, &train, &test)?;
        let class = |places: &[[f64; 2]]| -> Result<_> {
            Ok(machine.classify(&Samples::new(places.as_flattened().to_vec(), 2)?))
        };
        let (classes, found) = (class(&plane)?, class(&drawn_places)?);
        fits.push(Fitted { accuracy: vec![row.accuracy], row, classes, found });
    }
    context.at(done + 4, PARTS, "other seeds")?;
    let of_seed = |seed: &u64| -> Result<Vec<f64>> {
        let (train, test) = points(TRAINING, turns, *seed)?;
        let mut accuracy = Vec::new();
        for recipe in &recipes {
            accuracy.push(network::<f64>(context, recipe, &train, &test, *seed)?.1.accuracy);
        }
        for mut chosen in kernels {
            accuracy.push(kernel_ridge::<f64>(context, &mut chosen, &train, &test)?.1.accuracy);
        }
        Ok(accuracy)
    };
    let others: Vec<Vec<f64>> = seeds[1..].par_iter().map(of_seed).collect::<Result<_>>()?;
    for (k, fit) in fits.iter_mut().enumerate() {
        fit.accuracy.extend(others.iter().map(|accuracy| accuracy[k]));
    }
    Ok(Spiral { turns, test_points: test.len(), test: drawn, chosen: kernels[0], fits })
}

fn images(context: &Context, seeds: &[u64]) -> Result<Images> {
    let (all, test) = (&context.data.train, &context.data.test);
    let train = all.take(10_000);
    let epochs = 30;
    let recipes = [
        Recipe { model: NAMES[0], hidden: &[], one_vs_rest: true, rate: 1e-3, epochs, batch: 128 },
        Recipe { model: NAMES[1], hidden: &[128], one_vs_rest: false, rate: 1e-3, epochs, batch: 128 },
    ];
    let mut rows = Vec::new();
    for (i, recipe) in recipes.iter().enumerate() {
        context.at(10 + i, PARTS, recipe.model)?;
        rows.push(network::<f32>(context, recipe, &train, test, seeds[0])?.1);
    }
    context.at(12, PARTS, "KRR: γ and λ")?;
    let mut chosen = choose::<f32>(context, &train, context.pick(500, 1000), 4)?;
    context.at(13, PARTS, "KRR")?;
    rows.push(kernel_ridge::<f32>(context, &mut chosen, &train, test)?.1);
    // An exact fit to all of MNIST would take 14 GB; the other two take any number.
    if all.len() > train.len() {
        for (i, recipe) in recipes.iter().enumerate() {
            context.at(14 + i, PARTS, recipe.model)?;
            rows.push(network::<f32>(context, recipe, all, test, seeds[0])?.1);
        }
    }
    context.at(16, PARTS, "images drawn by other seeds")?;
    // Draws from too few would be nearly the same.
    let count = context.pick(1000, 4000).min(all.len() / 3).max(1);
    let of_seed = |seed: &u64| -> Result<[f64; 3]> {
        let [train] = drawn(all, [count], *seed);
        let mut accuracy = [f64::NAN; 3];
        for (accuracy, recipe) in accuracy.iter_mut().zip(&recipes) {
            *accuracy = network::<f32>(context, recipe, &train, test, *seed)?.1.accuracy;
        }
        // What one draw needs is not for the others.
        let mut own = chosen;
        accuracy[2] = kernel_ridge::<f32>(context, &mut own, &train, test)?.1.accuracy;
        Ok(accuracy)
    };
    let accuracy = seeds.par_iter().map(of_seed).collect::<Result<_>>()?;
    let (name, features, classes) = (context.data.name.clone(), all.features(), all.classes());
    Ok(Images { name, features, classes, chosen, rows, drawn: count, accuracy })
}

fn finding(found: &Found) -> Told {
    let of = |part: &str, model: &str| found.number(&format!("{part}, {model}: mean test accuracy"));
    let spiral = |model: usize| of("0.59 turns", NAMES[model]);
    let (lines, mlp, chosen, given) = (spiral(0)?, spiral(1)?, spiral(2)?, spiral(3)?);
    Some((
        "boundaries",
        format!(
            "On the spiral lines get {} right, a network {}, a kernel machine {}",
            percent(lines),
            percent(mlp),
            percent(chosen)
        ),
        format!(
            "Lines cut the plane into wedges: they get {} right on arms of 0.59 turns, and {} on arms of \
             1.25 turns. The other two follow the arms, the network with straight pieces, the kernel \
             machine smoothly. With γ = 1 and λ = 10⁻³ instead of chosen values it gets {} and {}.",
            percent(lines),
            percent(of("1.25 turns", NAMES[0])?),
            percent(given),
            percent(of("1.25 turns", NAMES[3])?)
        ),
    ))
}
