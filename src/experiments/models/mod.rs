//! Logistic regression, a network and kernel ridge regression on the same samples. The data is here, in a file each
//! are how a family is fitted and timed, and what is claimed and shown.

pub(super) mod families;
mod report;

use std::f64::consts::TAU;

use families::{Chosen, NAMES, Recipe, Row, choose, kernel_ridge, network};

use super::prelude::*;
use super::spiral::{CELLS, SPAN, classify, places, points};
use crate::models::kernel::{KernelMachine, Samples};
use crate::report::grid;

pub const EXPERIMENT: Experiment = Experiment {
    name: "models",
    question: "How do a linear model, a network and a kernel machine compare, on a spiral and on images?",
    theory: &[
        "Three models, each with one output a class: logistic regression one against the rest, a network of \
         ReLUs on the cross-entropy, and kernel ridge regression with the Gaussian kernel on targets ±1. The \
         first draws lines only. The other two can take any form: networks by Leshno et al. (1993), and the \
         functions of a Gaussian kernel lie dense among the continuous ones (Steinwart 2001).",
        "On three spiral arms one expects about 0.60 of new points right for the lines, and about 0.97 and \
         0.95 for the other two. On all 60000 images of MNIST, LeCun, Cortes and Burges list 12.0 % wrong \
         for a linear classifier, 4.7 % for a network of 300 hidden units, and 1.4 % for a support vector \
         machine with a Gaussian kernel.",
        "The kernel machine keeps all n samples, and its fit an n×n matrix; the network and the lines keep \
         their weights, whatever n is. γ and λ come from a grid by the closed form of leaving one out: γ \
         upwards from the median heuristic, λ from 10⁻¹² to 1.",
    ],
    parts: Parts::of::<Whole>(),
    finding,
};

super::whole!(run);

/// A share of the turns, so that the arms turn 5/9 times between their ends.
const UNWOUND: f64 = 5.0 / 9.0 / (0.95 * 1.25);

/// What came out on the spiral, with the classes of the drawn plane for every model.
struct Spiral {
    test: Dataset,
    rows: Vec<Row>,
    classes: Vec<Vec<Option<usize>>>,
    /// The classes that the test points are given, by every model.
    found: Vec<Vec<Option<usize>>>,
    chosen: Chosen,
    unwound: Unwound,
}

/// The linear model on arms that turn less.
struct Unwound {
    test: Dataset,
    accuracy: f64,
    classes: Vec<Option<usize>>,
    found: Vec<Option<usize>>,
}

struct Images {
    rows: Vec<Row>,
    chosen: Chosen,
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 8, "spiral")?;
    let spiral = spiral(context)?;
    let images = images(context)?;
    Ok(report::all(context, &spiral, &images))
}

fn spiral(context: &Context) -> Result<Spiral> {
    let (train, test) = points(context)?;
    let recipes = [
        Recipe { model: NAMES[0], hidden: &[], one_vs_rest: true, rate: 1e-2, epochs: 100, batch: 32 },
        Recipe { model: NAMES[1], hidden: &[64, 64], one_vs_rest: false, rate: 3e-3, epochs: 250, batch: 32 },
    ];
    let plane = grid(CELLS, SPAN, SPAN);
    let (mut rows, mut classes, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for (i, recipe) in recipes.iter().enumerate() {
        context.at(i, 8, recipe.model)?;
        let (mut net, row) = network::<f64>(context, recipe, &train, &test)?;
        classes.push(classify(&net.model, &mut net.tape, &plane));
        found.push(classify(&net.model, &mut net.tape, &places(&test)));
        rows.push(row);
    }
    context.at(2, 8, "KRR: γ and λ")?;
    let mut chosen = choose::<f64>(context, &train, 1000, 8)?;
    let (machine, row) = kernel_ridge::<f64>(context, &mut chosen, &train, &test)?;
    classes.push(machine.classify(&Samples::new(plane.as_flattened().to_vec(), 2)?));
    found.push(machine.classify(&Samples::from_dataset(&test)?));
    rows.push(row);
    let (less, turned) = (unwind(&train)?, unwind(&test)?);
    let (mut net, row) = network::<f64>(context, &recipes[0], &less, &turned)?;
    let lines = classify(&net.model, &mut net.tape, &plane);
    let right = classify(&net.model, &mut net.tape, &places(&turned));
    let unwound = Unwound { test: turned, accuracy: row.accuracy, classes: lines, found: right };
    Ok(Spiral { test, rows, classes, found, chosen, unwound })
}

/// Every point turned back around the centre, the more the further out it is.
fn unwind(data: &Dataset) -> Result<Dataset> {
    let mut points = data.to_rows::<f64>();
    for point in points.chunks_exact_mut(2) {
        let radius = Float::sqrt(point[0] * point[0] + point[1] * point[1]);
        let angle = -TAU * 1.25 * (1.0 - UNWOUND) * radius;
        let (sin, cos) = (Float::sin(angle), Float::cos(angle));
        (point[0], point[1]) = (cos * point[0] - sin * point[1], sin * point[0] + cos * point[1]);
    }
    Dataset::new(points, 2)?.with_labels(data.labels().unwrap_or_default(), data.classes())
}

fn images(context: &Context) -> Result<Images> {
    let (all, test) = (&context.data.train, &context.data.test);
    let train = all.take(10_000);
    let epochs = 30;
    let recipes = [
        Recipe { model: NAMES[0], hidden: &[], one_vs_rest: true, rate: 1e-3, epochs, batch: 128 },
        Recipe { model: NAMES[1], hidden: &[128], one_vs_rest: false, rate: 1e-3, epochs, batch: 128 },
    ];
    let mut rows = Vec::new();
    for (i, recipe) in recipes.iter().enumerate() {
        context.at(3 + i, 8, recipe.model)?;
        rows.push(network::<f32>(context, recipe, &train, test)?.1);
    }
    context.at(5, 8, "KRR: γ and λ")?;
    let mut chosen = choose::<f32>(context, &train, context.pick(500, 1000), 4)?;
    rows.push(kernel_ridge::<f32>(context, &mut chosen, &train, test)?.1);
    // An exact fit to all of MNIST would take 14 GB; the other two take any number.
    if all.len() > train.len() {
        for (i, recipe) in recipes.iter().enumerate() {
            context.at(6 + i, 8, recipe.model)?;
            rows.push(network::<f32>(context, recipe, all, test)?.1);
        }
    }
    Ok(Images { rows, chosen })
}

fn finding(found: &Found) -> Told {
    let of = |part: &str| -> Vec<f64> {
        let begin = format!("{part}, ");
        found.all(&begin, ": test accuracy").map(|(_, accuracy)| accuracy).collect()
    };
    let (spiral, images) = (of("spiral"), of("images"));
    let ([lines, mlp, krr, ..], [image_lines, image_mlp, image_krr, ..]) = (&spiral[..], &images[..]) else {
        return None;
    };
    Some((
        "boundaries",
        format!(
            "On the spiral lines get {} right, a network {}, a kernel machine {}",
            percent(*lines),
            percent(*mlp),
            percent(*krr)
        ),
        format!(
            "Lines cut the plane into wedges, which these arms cross. The other two follow them: the network by \
             straight pieces, the kernel machine smoothly. On images the three get {}, {} and {}; the kernel machine \
             pays with an n×n matrix, the network with epochs.",
            percent(*image_lines),
            percent(*image_mlp),
            percent(*image_krr)
        ),
    ))
}
