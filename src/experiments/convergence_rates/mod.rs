//! Rates of convergence, where the theory knows them.

mod conditioning;
mod limits;
mod scaling;
mod stochastic;

use conditioning::{Conditioning, Polyak};
use limits::Limits;
use scaling::Scaling;
use stochastic::Decay;

use rand_chacha::ChaCha8Rng;

use super::prelude::*;

pub const EXPERIMENT: Experiment = Experiment {
    name: "convergence-rates",
    title: "Convergence rates",
    question: "Do SGD, momentum and Adam converge at the rates of the theory?",
    theory: &[
        "Convex loss, noisy gradients, $η = c/√t$, bounded set: the mean of the iterates is within \
         $O(1/√T)$ of the optimum (Zinkevich 2003). The last iterate is within $O(log T/√T)$ (Shamir and \
         Zhang 2013). Smooth and strongly convex with constant μ, $η = {1}/{μt}$: $O(1/T)$ (Rakhlin, Shamir \
         and Sridharan 2012).",
        "On a quadratic with condition number κ, gradient descent at its best rate needs a number of steps \
         proportional to κ. The heavy ball of Polyak (1964) at its best rate needs a number proportional to \
         $√κ$, apart from a logarithm.",
        "The PL condition ${1}/{2}‖∇f‖² ≥ μ(f−f*)$ gives a linear rate without convexity. At $η = 1/L$ each \
         step leaves at most $1−μ/L$ of the excess (Polyak 1963; Karimi, Nutini and Schmidt 2016). Least \
         squares with more unknowns than equations satisfies the condition, but is not strongly convex.",
        "Adam divides the mean gradient by the root of the mean square. So a loss multiplied by c gives the \
         same steps, apart from ε (Kingma and Ba 2015).",
    ],
    parts: Parts::of::<Rates>(),
    finding,
};

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Rates {
    stochastic: Vec<Decay>,
    conditioning: Conditioning,
    polyak: Polyak,
    scaling: Scaling,
    limits: Limits,
}

impl Study for Rates {
    const EDITION: u32 = 2;

    fn measure(context: &Context) -> Result<Rates> {
        context.at(0, 10, "SGD on a convex problem")?;
        Ok(Rates {
            stochastic: stochastic::measure(context)?,
            conditioning: Conditioning::measure(context)?,
            polyak: Polyak::measure(context)?,
            scaling: Scaling::measure(context)?,
            limits: Limits::measure(context)?,
        })
    }

    fn report(&self) -> Outcome {
        let mut outcome = Outcome::default();
        stochastic::report(&mut outcome, &self.stochastic);
        self.conditioning.report(&mut outcome);
        self.polyak.report(&mut outcome);
        self.scaling.report(&mut outcome);
        self.limits.report(&mut outcome);
        outcome
    }
}

/// Dimension of the stochastic problems.
const D: usize = 10;

/// Deviation of the noise in each entry of a gradient.
const NOISE: f64 = 1.0;

/// Which stochastic problem: both have their minimum 0 at w = 0.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Problem {
    /// ‖w‖₁.
    Absolute,
    /// ½·Σ hᵢwᵢ² with h from μ = 1 to L = 2.
    Quadratic,
}

fn curvature(i: usize) -> f64 {
    1.0 + i as f64 / (D - 1) as f64
}

fn excess(problem: Problem, w: &[f64]) -> f64 {
    match problem {
        Problem::Absolute => w.iter().map(|x| x.abs()).sum(),
        Problem::Quadratic => w.iter().enumerate().map(|(i, x)| 0.5 * curvature(i) * x * x).sum(),
    }
}

/// The loss c·(f(w) + ξᵀw) with noise ξ from N(0, σ²I): its mean over ξ is c·f(w).
fn append_loss(
    tape: &mut Tape,
    problem: Problem,
    w: impl Into<Var>,
    scale: f64,
    rng: &mut ChaCha8Rng,
) -> Var {
    let w = w.into();
    let noise = tape.constant_with(1, D, |to| to.fill_with(|| NOISE * standard_normal(rng)));
    let f = match problem {
        Problem::Absolute => tape.abs(w),
        Problem::Quadratic => {
            let h = tape.constant_with(1, D, |to| {
                to.iter_mut().enumerate().for_each(|(i, h)| *h = 0.5 * curvature(i));
            });
            let square = tape.square(w);
            tape.mul(h, square)
        }
    };
    let linear = tape.mul(noise, w);
    let total = tape.add(f, linear);
    let sum = tape.sum(total);
    tape.scale(sum, scale)
}

/// The noise of run `i`.
fn noise(context: &Context, run: usize) -> ChaCha8Rng {
    stream(derive(context.seed, run as u64), Purpose::Data)
}

fn finding(found: &Found) -> Told {
    let (descent, momentum) =
        (found.number("exponent of κ, gradient descent")?, found.number("exponent of κ, momentum")?);
    let steps = |name: &str| found.number(&format!("steps at the largest κ, {name}"));
    Some((
        "conditioning",
        format!(
            "Steps grow as the condition number to the power {} for descent, {} for momentum",
            fixed(descent, 2),
            fixed(momentum, 2)
        ),
        format!(
            "At the largest condition number momentum needs {} steps and gradient descent {}: the condition \
             number is replaced by its square root, as the theory says. Under the PL condition no step of \
             the drawn run left more than {} of the loss; at most {} is proven. Adam takes the same path \
             whatever factor the loss is multiplied by.",
            fixed(steps("momentum")?, 0),
            fixed(steps("gradient descent")?, 0),
            fixed(found.number("largest ratio of losses")?, 3),
            fixed(found.number("PL bound on the ratio")?, 3)
        ),
    ))
}
