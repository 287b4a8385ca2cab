//! How signals and gradients pass through deep networks: variances at the start, gradients before the first step,
//! and training, each in a file, since each is an experiment of its own size.

mod fates;
mod flow;
mod report;
mod theory;
mod variance;

use flow::{Flow, Run, trained};

use super::prelude::*;
use crate::nn::{Activation, Norm};

pub const EXPERIMENT: Experiment = Experiment {
    name: "gradient-flow",
    title: "Vanishing gradients",
    question: "Where do gradients vanish or explode in deep networks, and does normalisation prevent it?",
    theory: &[
        "In a wide network with weights of variance $σ²/n$ the mean square q of the values before the \
         activation becomes $q′ = σ²·E φ(√q·z)²$ at the next layer, with z from N(0, 1). On the way back \
         the mean square p′ of the gradients becomes $p = σ²·E φ′(√q·z)²·p′$ (Poole et al. 2016; Schoenholz \
         et al. 2017). For ReLU both factors are σ²/2: He's σ² = 2 keeps them, Xavier's σ² = 1 halves them \
         at each layer (Glorot and Bengio 2010; He et al. 2015). The slope of the sigmoid is at most ¼: \
         with Xavier's weights at most 1/16 of p is left at each layer.",
        "Normalisation before φ sets q = 1 and divides the gradient by the standard deviation that it \
         removed. Layer normalisation divides by the root of E φ², so p changes by ${E φ′²}/{E φ²}$ at each \
         layer. Batch normalisation divides by the root of Var φ, so p changes by ${E φ′²}/{Var φ}$. By \
         Poincaré's inequality this factor is never below 1: with batch normalisation gradients do not \
         vanish, but they may explode. For ReLU p grows by ${π}/{π−1} = 1.47$ at each layer (Yang et al. \
         2019).",
        "The gradient of the weights of a layer is the product of the values that go in and the gradients \
         that come back. So its norm is proportional to $√{E φ²·p}$.",
        "Training needs more than gradients that arrive. Layer by layer two inputs become more alike. For \
         ReLU with He's weights, 1 − cos of the angle between their values falls as ${9π²}/{2l²}$ (Hayou, \
         Doucet and Rousseau 2019). After 30 layers that is about 0.05, so the outputs are nearly the same \
         for all images. Batch normalisation removes their common part (Daneshmand et al. 2020).",
    ],
    parts: Parts::of::<GradientFlow>(),
    finding,
};

const DEPTHS: [usize; 3] = [5, 10, 30];
/// Samples in the batch whose gradient is looked at.
const BATCH: usize = 128;
/// Weight layers of the networks in which variances are followed, and of those that are trained.
const DEEP: usize = 30;
const RATE: f64 = 0.05;

/// What stands between the layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Phi {
    Relu,
    Gelu,
    Tanh,
    Sigmoid,
}

impl Phi {
    fn activation(self) -> Activation {
        match self {
            Phi::Relu => Activation::Relu,
            Phi::Gelu => Activation::Gelu,
            Phi::Tanh => Activation::Tanh,
            Phi::Sigmoid => Activation::Sigmoid,
        }
    }

    /// Its name in texts.
    fn name(self) -> &'static str {
        match self {
            Phi::Relu => "ReLU",
            Phi::Gelu => "GELU",
            Phi::Tanh => "tanh",
            Phi::Sigmoid => "sigmoid",
        }
    }
}

/// What stands in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Normalised {
    Not,
    Batch,
    Layer,
}

impl Normalised {
    const ALL: [Normalised; 3] = [Normalised::Not, Normalised::Batch, Normalised::Layer];

    fn norm(self) -> Norm {
        match self {
            Normalised::Not => Norm::None,
            Normalised::Batch => Norm::Batch,
            Normalised::Layer => Norm::Layer,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Normalised::Not => "no norm",
            Normalised::Batch => "batch norm",
            Normalised::Layer => "layer norm",
        }
    }

    /// A colour, and the dash and the width of lines that may lie on each other.
    fn style(self) -> (Color, usize, f64) {
        match self {
            Normalised::Not => (Color::Vermilion, 0, 5.0),
            Normalised::Batch => (Color::Blue, 0, 2.0),
            Normalised::Layer => (Color::Green, 1, 2.0),
        }
    }
}

/// The networks whose gradients are followed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Kind {
    phi: Phi,
    norm: Normalised,
}

impl Kind {
    const PHIS: [Phi; 3] = [Phi::Relu, Phi::Gelu, Phi::Sigmoid];

    fn all() -> impl Iterator<Item = Kind> {
        Kind::PHIS.into_iter().flat_map(|phi| Normalised::ALL.map(|norm| Kind { phi, norm }))
    }

    fn name(self) -> String {
        format!("{}, {}", self.phi.name(), self.norm.name())
    }
}

/// What is measured.
#[derive(Serialize, Deserialize)]
struct GradientFlow {
    variances: Vec<variance::Row>,
    /// Of the networks in which these were followed.
    width: usize,
    flows: Vec<Flow>,
    runs: Vec<Run>,
    classes: usize,
}

impl Study for GradientFlow {
    const EDITION: u32 = 4;

    fn measure(context: &Context) -> Result<GradientFlow> {
        let (networks, width) = context.pick((12, 200), (40, 400));
        let all_seeds = seeds(context);
        // Of the sigmoid something is claimed; the others are drawn.
        let seeds_of = |kind: Kind| if kind.phi == Phi::Sigmoid { &all_seeds[..] } else { &all_seeds[..1] };
        let jobs: Vec<(Kind, u64)> =
            Kind::all().flat_map(|kind| seeds_of(kind).iter().map(move |seed| (kind, *seed))).collect();
        let before = variance::INITS.len() + Kind::all().count() * DEPTHS.len();
        let all = before + jobs.len();
        let mut done = 0;
        let mut tell = |what: &str| {
            done += 1;
            context.at(done - 1, all, what)
        };
        let variances = variance::measure(context, width, networks, &mut tell)?;
        let batch = context.data.train.take(BATCH);
        if batch.len() < 2 {
            return Err(Error::Data("batch normalisation needs at least two samples".into()));
        }
        let mut flows = Vec::new();
        for kind in Kind::all() {
            for depth in DEPTHS {
                tell("gradients before the first step")?;
                flows.push(Flow::measure(context, kind, depth, &batch)?);
            }
        }
        let one = |(kind, seed): &(Kind, u64)| trained(context, *kind, *seed);
        let mut learnt = context.side_by_side(before..all, all, "training", &jobs, one)?.into_iter();
        let run = |kind: Kind| {
            let (mut losses, accuracies): (Vec<_>, Vec<_>) =
                learnt.by_ref().take(seeds_of(kind).len()).unzip();
            Run { kind, losses: losses.swap_remove(0), accuracies }
        };
        let runs = Kind::all().map(run).collect();
        // Labels may be fewer than the data set has room for.
        let classes = context.data.train.class_counts().into_iter().filter(|count| *count > 0).count();
        Ok(GradientFlow { variances, width, flows, runs, classes })
    }

    fn report(&self) -> Outcome {
        let mut outcome = Outcome::default();
        variance::report(&mut outcome, &self.variances, self.width);
        report::flows(&mut outcome, &self.flows);
        report::runs(&mut outcome, &self.flows, &self.runs, self.classes);
        outcome
    }
}

fn finding(found: &Found) -> Told {
    let factor = |name: &str| found.number(&format!("{name}, 30 layers: factor"));
    let [sigmoid, normalised] = [factor("sigmoid, no norm")?, factor("sigmoid, batch norm")?];
    let relu = factor("ReLU, batch norm")?;
    let mean_field = found.by(
        "mean-field-factors",
        [
            "Mean-field theory predicts the factors of ReLU, tanh and sigmoid.",
            "Mean-field theory predicts most of the factors; where it does not, the claim below says why.",
            "This run does not decide whether mean-field theory predicts the factors.",
        ],
    )?;
    Some((
        "gradient-norms",
        format!(
            "A layer of sigmoids leaves {} of the gradient, and with batch normalisation {}",
            fixed(sigmoid, 2),
            fixed(normalised, 2)
        ),
        format!(
            "Through 30 layers of sigmoids almost nothing of the gradient is left; with batch normalisation \
             it stays. For ReLU it is the other way round: He's weights alone keep the gradient, and batch \
             normalisation makes it grow by a factor of {} per layer. The product of the norms of the \
             layers is only an upper bound. {mean_field}",
            fixed(relu, 2)
        ),
    ))
}
