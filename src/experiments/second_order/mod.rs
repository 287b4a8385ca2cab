//! Methods of second order beside those of first order: L-BFGS and the Hessian-free method, on a convex loss and on a
//! network. What is measured is here, losses and descents are in `course`, and what is claimed and shown is in `report`.

mod course;
mod report;

use super::data::drawn;
use super::prelude::*;
use crate::linalg::{norm_squared, symmetric_eigen};
use crate::optim::{Lbfgs, NewtonCg};
use course::{Course, Problem, first_order, least_value, second_order};

pub const EXPERIMENT: Experiment = Experiment {
    name: "second-order",
    title: "Second-order methods",
    question: "What do L-BFGS and products with the Hessian save, where the whole loss is known at each step?",
    theory: &[
        "Let a convex loss have second derivatives between $μ$ and $L$, and $κ = L/μ$. Gradient \
         descent takes about $κ$ steps to divide the distance of the loss to its minimum by $e$, Nesterov's method about \
         $√κ$. In the worst case no method whose steps are combinations of gradients needs fewer, apart from a constant \
         factor (Nesterov 2004). On a given loss one may be faster.",
        "L-BFGS makes an estimate of the inverse Hessian from the last steps: from $s = θ′−θ$ and $y = g′−g$ of each. It \
         needs no constant of the loss. A line search finds the length of its step (Liu and Nocedal 1989).",
        "The Hessian-free method solves $Hd = −g$ by conjugate gradients. They need products $Hv$ only, and $Hv$ is the \
         gradient of $gᵀv$: the tape appends the gradient as values, and differentiates once more (Pearlmutter 1994; \
         Martens 2010). The system is solved to a residual of $√‖g‖·‖g‖$, so that near the optimum a step takes $‖g‖$ to \
         about its power 1.5 (Dembo, Eisenstat and Steihaug 1982).",
    ],
    parts: Parts::of::<SecondOrder>(),
    finding: report::finding,
};

/// ½·PENALTY·‖θ‖² is part of the convex loss, so that it has a least value, and μ is known.
const PENALTY: f64 = 1e-2;
/// The penalty on a network's weights.
const LIGHT: f64 = 1e-4;
/// How many gradients a product with the Hessian counts as.
const PRODUCT: usize = 2;
/// The work, in gradients, after which methods are compared on the convex loss. With more, rounding is all that L-BFGS
/// leaves. It is the end of a stretch of which courses keep one point.
const COMPARED: usize = 90;
/// How often the time of a product is measured.
const MEASUREMENTS: usize = 12;
/// The rates that Adam is tried with on a network; the best one counts.
const RATES: [f64; 4] = [3e-3, 1e-2, 3e-2, 1e-1];

/// What is measured.
#[derive(Serialize, Deserialize)]
struct SecondOrder {
    data: String,
    samples: usize,
    hidden: usize,
    gradients: usize,
    convex: Vec<Convex>,
    networks: Vec<Network>,
    /// A product with the Hessian in times of a gradient, on networks of these numbers of parameters; repeated.
    products: Vec<Product>,
}

/// Softmax regression, for one seed.
#[derive(Serialize, Deserialize)]
struct Convex {
    /// L, a bound on the second derivatives.
    smoothness: f64,
    /// The least value.
    least: f64,
    courses: Vec<Course>,
    /// The norm of the gradient after each of Newton's steps.
    #[serde(with = "lossless")]
    newton: Vec<f64>,
}

/// A network with a hidden layer of tanh, for one seed.
#[derive(Serialize, Deserialize)]
struct Network {
    courses: Vec<Course>,
    /// Which of [`RATES`] was Adam's best.
    rate: f64,
}

#[derive(Serialize, Deserialize)]
struct Product {
    parameters: usize,
    ratios: Vec<f64>,
}

impl Study for SecondOrder {
    fn measure(context: &Context) -> Result<SecondOrder> {
        let samples = context.pick(200, 500).min(context.data.train.len());
        let (hidden, gradients) = (context.pick(16, 32), context.pick(128, 512));
        let seeds = derived_seeds(context, context.pick(5, 10));
        let part = |seed: u64| drawn(&context.data.train, [samples], seed);
        let convex = |seed: &u64| {
            let [part] = part(*seed);
            of_convex(context, &part, gradients)
        };
        let network = |seed: &u64| {
            let [part] = part(*seed);
            of_network(context, &part, hidden, gradients, *seed)
        };
        let convex = context.side_by_side(0..1, 6, "convex losses", &seeds, convex)?;
        let networks = context.side_by_side(1..5, 6, "networks", &seeds, network)?;
        context.at(5, 6, "products with the Hessian")?;
        let [few] = part(seeds[0]);
        let products = [8, 32, 128].map(|hidden| of_product(context, &few, hidden, seeds[0]));
        let products = products.into_iter().collect::<Result<_>>()?;
        Ok(SecondOrder {
            data: context.data.name.clone(),
            samples,
            hidden,
            gradients,
            convex,
            networks,
            products,
        })
    }

    fn report(&self) -> Outcome {
        report::all(self)
    }
}

/// L ≤ ½·λmax(XᵀX/n) + penalty, with a column of ones for the biases: the Hessian of softmax regression is at most that
/// (Böhning 1992).
fn smoothness(data: &Dataset) -> Result<f64> {
    let x = nalgebra::DMatrix::from_row_slice(data.len(), data.features(), &data.to_rows::<f64>());
    let mut gram = &x * x.transpose();
    gram.add_scalar_mut(1.0);
    let largest = range(symmetric_eigen(&gram)?.values.iter().copied()).1;
    Ok(0.5 * largest / data.len() as f64 + PENALTY)
}

fn of_convex(context: &Context, data: &Dataset, gradients: usize) -> Result<Convex> {
    let problem = || Problem::new(data, &[], PENALTY, 0);
    let smoothness = smoothness(data)?;
    let root = (smoothness / PENALTY).sqrt();
    let beta = (root - 1.0) / (root + 1.0);
    let nesterov = Optimizer::new(crate::optim::Nesterov::new(beta)?, 1.0 / smoothness)?;
    let courses = vec![
        first_order(
            context,
            "gradient descent",
            problem()?,
            Optimizer::new(Sgd, 1.0 / smoothness)?,
            gradients,
        )?,
        first_order(context, "Nesterov", problem()?, nesterov, gradients)?,
        second_order(context, "L-BFGS", problem()?, &mut Lbfgs::default(), gradients)?,
        second_order(context, "Hessian-free", problem()?, &mut NewtonCg::default(), gradients)?,
    ];
    let (least, newton) = least_value(context, problem()?)?;
    Ok(Convex { smoothness, least, courses, newton })
}

fn of_network(
    context: &Context,
    data: &Dataset,
    hidden: usize,
    gradients: usize,
    seed: u64,
) -> Result<Network> {
    let problem = || Problem::new(data, &[hidden], LIGHT, seed);
    let mut adam: Vec<(f64, Course)> = Vec::new();
    for rate in RATES {
        let optimizer = Optimizer::new(Adam::default(), rate)?;
        adam.push((rate, first_order(context, "Adam", problem()?, optimizer, gradients)?));
    }
    adam.sort_by(|a, b| a.1.outcome().total_cmp(&b.1.outcome()));
    let (rate, best) = adam.swap_remove(0);
    let courses = vec![
        best,
        second_order(context, "L-BFGS", problem()?, &mut Lbfgs::default(), gradients)?,
        second_order(context, "Hessian-free", problem()?, &mut NewtonCg::default(), gradients)?,
    ];
    Ok(Network { courses, rate })
}

/// A product with the Hessian, beside a gradient.
fn of_product(context: &Context, data: &Dataset, hidden: usize, seed: u64) -> Result<Product> {
    let problem = || Problem::new(data, &[hidden], LIGHT, seed);
    let parameters = problem()?.parameters();
    let ratios = course::product_ratios(context, [problem()?, problem()?], MEASUREMENTS)?;
    Ok(Product { parameters, ratios })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::context::on_little_data;

    /// The constant bounds the second derivatives at random points, along the steepest direction there.
    #[test]
    fn no_second_derivative_is_beyond_its_bound() {
        on_little_data(|context| {
            let data = context.data.train.take(20);
            let bound = smoothness(&data).unwrap();
            for seed in 0..3 {
                let steepest = course::steepest(Problem::new(&data, &[], PENALTY, seed).unwrap());
                assert!(steepest <= bound && steepest > 0.02 * bound, "{steepest} {bound}");
            }
        });
    }
}
