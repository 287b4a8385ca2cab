//! What is claimed of the methods of second order, and shown.

use super::course::Course;
use super::{COMPARED, Convex, Network, PRODUCT, SecondOrder};
use crate::experiments::prelude::*;

/// Norms of the gradient between which the order of convergence is taken.
const NEAR: f64 = 1e-2;
const ROUNDED: f64 = 1e-14;

pub(super) fn all(study: &SecondOrder) -> Outcome {
    let mut outcome = Outcome::default();
    convex_claims(&mut outcome, study);
    network_claims(&mut outcome, study);
    product_claim(&mut outcome, study);
    courses_figure(&mut outcome, study);
    newton_figure(&mut outcome, study);
    table(&mut outcome, study);
    outcome
}

/// What is left above the least value once a method has done the work at which they are compared.
fn excess(convex: &Convex, method: &str) -> f64 {
    let course = convex.courses.iter().find(|course| course.method == method);
    course.map_or(f64::NAN, |course| course.after(COMPARED)) - convex.least
}

/// The loss of a network at the end, by a method.
fn loss(network: &Network, method: &str) -> f64 {
    network.courses.iter().find(|course| course.method == method).map_or(f64::NAN, Course::last)
}

fn convex_claims(outcome: &mut Outcome, study: &SecondOrder) {
    let compared = |method: &str, with: &str| -> Vec<f64> {
        study.convex.iter().map(|convex| log10(excess(convex, method) / excess(convex, with))).collect()
    };
    for (id, statement, method, why) in [
        (
            "lbfgs-nesterov",
            "On a convex loss L-BFGS comes nearer to the least value than Nesterov's method, for the same work",
            "L-BFGS",
            "What its estimate of the curvature saves is less than what the search along a line costs.",
        ),
        (
            "newton-nesterov",
            "The Hessian-free method comes nearer than Nesterov's method as well, for the same work",
            "Hessian-free",
            "What conjugate gradients save is less than what products with the Hessian cost.",
        ),
    ] {
        let ratios = compared(method, "Nesterov");
        outcome.number(format!("{id}: log10 of the ratio"), mean(&ratios));
        claim(outcome, statement)
            .named(id)
            .expected("below 0, though Nesterov's method is told the two constants of the loss")
            .estimated(Estimate::mean(&ratios))
            .saying(&format!(", log₁₀ of the ratio of what is left after {COMPARED} gradients"))
            .within(BELOW_0, why);
    }
    for method in ["L-BFGS", "Hessian-free"] {
        outcome.number(
            format!("{method} by gradient descent: log10 of the ratio"),
            mean(&compared(method, "gradient descent")),
        );
    }
    let orders: Vec<f64> = study.convex.iter().map(order).collect();
    outcome.number("order of Newton's steps", mean(&orders));
    claim(outcome, "Near the optimum a step of the Hessian-free method takes the gradient to a power of 1.5")
        .named("newton-order")
        .expected("1.5 or some more: conjugate gradients end once their residual is below √‖g‖·‖g‖")
        .estimated(Estimate::mean(&orders))
        .saying(", the exponent of the norm after a step over that before it")
        .within(1.3..=2.0, "The steps are few, or the numbers are rounded.");
}

/// The exponent q of ‖g′‖ ∝ ‖g‖^q over the last steps, where numbers are not rounded yet.
fn order(convex: &Convex) -> f64 {
    let late = convex.newton.windows(2).filter(|two| two[0] < NEAR && two[1] > ROUNDED);
    let pairs: Vec<(f64, f64)> = late.map(|two| (two[0], two[1])).collect();
    if pairs.len() < 2 { f64::NAN } else { Fit::power_law(&pairs).slope }
}

fn network_claims(outcome: &mut Outcome, study: &SecondOrder) {
    let ratios: Vec<f64> =
        study.networks.iter().map(|network| log10(loss(network, "L-BFGS") / loss(network, "Adam"))).collect();
    outcome.number("network: log10 of L-BFGS by Adam", mean(&ratios));
    for method in ["Adam", "L-BFGS", "Hessian-free"] {
        let losses: Vec<f64> = study.networks.iter().map(|network| loss(network, method)).collect();
        outcome.number(format!("network: loss of {method}"), mean(&losses));
    }
    claim(outcome, "On the whole loss of a small network L-BFGS comes lower than Adam at its best rate")
        .named("lbfgs-network")
        .expected("below 0")
        .estimated(Estimate::mean(&ratios))
        .saying(&format!(", log₁₀ of the ratio of the losses after {} gradients", study.gradients))
        .within(BELOW_0, "No theorem says so: the loss is not convex.");
}

fn product_claim(outcome: &mut Outcome, study: &SecondOrder) {
    let most = greatest(&study.products, |product| median(&product.ratios));
    let claim = Claim::that(
        "A product with the Hessian costs a small multiple of a gradient, at any number of parameters",
    )
    .named("product-cost")
    .expected("about 2: a walk through the values, and one through their gradients")
    .estimated(Estimate::median(&most.ratios))
    .saying(&format!(", times of a gradient, with {} parameters, where it is most", most.parameters))
    .within(..=3.0, "What is recorded of the gradient costs more than the gradient.")
    .timed();
    outcome.claim(claim);
}

fn courses_figure(outcome: &mut Outcome, study: &SecondOrder) {
    let (convex, network) = (&study.convex[0], &study.networks[0]);
    let markers = [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Cross];
    let mut left = Chart::new(Axis::log("work, in gradients"), Axis::log("loss above the least value"))
        .title("softmax regression: convex");
    for (course, marker) in convex.courses.iter().zip(markers) {
        let above = course.points.iter().map(|(work, loss)| (*work as f64, loss - convex.least));
        let above = above.filter(|(_, above)| *above > 1e-14);
        left = left.line(Line::new(above).label(course.method.as_str()).marker(marker));
    }
    let mut right =
        Chart::new(Axis::log("work, in gradients"), Axis::log("loss")).title("network with a hidden layer");
    for (course, marker) in network.courses.iter().zip(markers) {
        let points = course.points.iter().map(|(work, loss)| (*work as f64, *loss));
        right = right.line(Line::new(points).label(course.method.as_str()).marker(marker));
    }
    outcome.draw(
        "courses",
        "How far each method comes with the same work",
        format!(
            "{} images, the whole loss at each step, one seed. √κ is {}: in about as many steps Nesterov's method \
             divides what is left by e. The work is counted in gradients; a product with the Hessian counts as {PRODUCT}. \
             Gradient descent and Nesterov's method have the rate 1/L. Adam has the best of {} rates, \
             here {}.",
            study.samples,
            rounded((convex.smoothness / super::PENALTY).sqrt(), 2),
            super::RATES.len(),
            network.rate
        ),
        [left, right],
    );
}

fn newton_figure(outcome: &mut Outcome, study: &SecondOrder) {
    let mut chart = Chart::new(Axis::linear("step"), Axis::log("‖g‖")).title("softmax regression");
    for (k, convex) in study.convex.iter().enumerate().take(5) {
        let points = convex.newton.iter().enumerate().map(|(step, norm)| (step as f64, *norm));
        let line =
            Line::new(points.filter(|(_, norm)| *norm > 0.0)).marker(Marker::Circle).color(Color::Blue);
        chart = chart.line(if k == 0 { line.label("a seed each") } else { line });
    }
    outcome.draw(
        "newton",
        "What is left of the gradient after each Newton step",
        "The norm of the gradient after each step of the Hessian-free method, five seeds. A factor for each step would give \
         straight lines. Look whether they bend down, as long as the numbers are not rounded.",
        [chart],
    );
}

fn table(outcome: &mut Outcome, study: &SecondOrder) {
    outcome.table(
        Table::of(
            "products",
            "What a product with the Hessian takes, in times of a gradient",
            &study.products,
        )
        .column("parameters", |product| product.parameters)
        .column("median", |product| median(&product.ratios))
        .column("least", |product| range(product.ratios.iter().copied()).0)
        .column("largest", |product| range(product.ratios.iter().copied()).1),
    );
}

pub(super) fn finding(found: &Found) -> Told {
    let times = |method: &str| {
        let log = found.number(&format!("{method} by gradient descent: log10 of the ratio"))?;
        Some(rounded(Float::powf(10.0, -log), 1))
    };
    let lbfgs = found.by(
        "lbfgs-nesterov",
        ["comes nearer to the optimum than", "stays farther from the optimum than", "comes about as far as"],
    )?;
    Some((
        "courses",
        format!("Where the whole loss is known, L-BFGS {lbfgs} Nesterov's method"),
        format!(
            "After {COMPARED} gradients, gradient descent is {} times as far above the least value as L-BFGS, and {} \
             times as far as the Hessian-free method. Neither needs a rate. On a small network L-BFGS comes to a loss of {}, \
             and Adam at its best rate to {}. All this needs the whole loss at each step. With batches the next gradient is \
             that of another function.",
            times("L-BFGS")?,
            times("Hessian-free")?,
            rounded(found.number("network: loss of L-BFGS")?, 2),
            rounded(found.number("network: loss of Adam")?, 2)
        ),
    ))
}
