//! How wide networks come to be kernel machines: at the start, in training, and on few images, a file each; and
//! the measurements of the first two, which the tests of the library use as well.

mod distance;
mod few;
mod lazy;
pub mod study;

use super::prelude::*;
use crate::models::kernel::{InfiniteNetwork, Nonlinearity, Samples};

pub const EXPERIMENT: Experiment = Experiment {
    name: "ntk",
    title: "Wide networks (NTK)",
    question: "From which width on does a network train like the kernel machine of its limit?",
    theory: &[
        "Let the tangent kernel at the start of a network of width m be $Θ̂(x,x′) = Σ_p \
         {∂f(x)}/{∂θ_p}·{∂f(x′)}/{∂θ_p}$. It tends to a fixed kernel Θ as m → ∞ (Jacot, Gabriel and Hongler \
         2018). Its entries are means over the width, so the distance falls as $m^{−1/2}$. The factor grows \
         with the depth (Hanin and Nica 2020).",
        "In training each weight of a wide network hardly moves. With hidden layers in a row, m² weights \
         together move by O(1), and their norm is about m. So $‖θ−θ₀‖/‖θ₀‖$ falls as 1/m. The network stays \
         near the linear model $f₀+∇f₀·(θ−θ₀)$. The outputs of that model on n samples have a closed form, \
         $f_t = y+(I−ηΘ/n)^t·(f₀−y)$. The distance is O($m^{−1/2}$) or less (Chizat, Oyallon and Bach 2019; \
         Lee et al. 2019, theorem 2.1).",
        "Trained on the squared error, the infinitely wide network comes to kernel regression with Θ, apart \
         from its output at the start. Here a small ridge is added. On few samples this kernel does at \
         least as well as a trained network (Arora et al., \"Harnessing the power of infinitely wide deep \
         nets on small-data tasks\", 2020).",
    ],
    parts: Parts::of::<Wide>(),
    finding,
};

/// Dimension of the points of the first two parts.
const D: usize = 5;

/// n points on the sphere of radius √d.
fn sphere(n: usize, seed: u64) -> Result<Samples<f64>> {
    let mut rng = stream(seed, Purpose::Data);
    let mut values: Vec<f64> = (0..n * D).map(|_| standard_normal(&mut rng)).collect();
    for row in values.chunks_mut(D) {
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter_mut().for_each(|v| *v *= (D as f64).sqrt() / norm);
    }
    Samples::new(values, D)
}

fn network(depth: usize, inputs: usize, bias: f64) -> Result<InfiniteNetwork> {
    InfiniteNetwork::new(depth, Nonlinearity::Relu, 1.0 / inputs as f64)?.with_variances(2.0, bias)
}

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Wide {
    distances: Vec<distance::Distances>,
    lazy: Vec<lazy::Lazy>,
    few: few::FewImages,
}

impl Study for Wide {
    const EDITION: u32 = 3;

    fn measure(context: &Context) -> Result<Wide> {
        context.at(0, 3, "kernels at the start")?;
        let distances = distance::measure(context)?;
        context.at(1, 3, "training beside the linear model")?;
        let lazy = lazy::measure(context)?;
        context.at(2, 3, "few images")?;
        Ok(Wide { distances, lazy, few: few::measure(context)? })
    }

    fn report(&self) -> Outcome {
        let mut outcome = Outcome::default();
        distance::report(&mut outcome, &self.distances);
        lazy::report(&mut outcome, &self.lazy);
        few::report(&mut outcome, &self.few);
        outcome
    }
}

/// The seed of a repetition at a width. Draws of different widths share nothing, as a fit through all of them takes for
/// granted; those of different depths are pairs.
fn repetition(context: &Context, width: usize, k: u64) -> u64 {
    derive(derive(context.seed, width as u64), k)
}

fn finding(found: &Found) -> Told {
    let slopes: Vec<f64> = found.all("slope at depth ", "").map(|(_, slope)| slope).collect();
    let moved: Vec<(&str, f64)> = found.all("movement of the weights at width ", "").collect();
    let ((narrow, most), (wide, least)) = (moved.first()?, moved.last()?);
    let slope = mean(&slopes);
    Some((
        "distance",
        format!("The kernel of a network comes to its limit as the width to the power {}", fixed(slope, 2)),
        format!(
            "The wider a network, the less its weights move in training: {} of their norm at width \
             {narrow}, {} at {wide}. So the network trains like its linear model at the start. At the \
             largest width the two differ by at most {} of the targets: training is lazy there.",
            percent(*most),
            percent(*least),
            percent(found.number(&format!("distance, training points at width {wide}"))?)
        ),
    ))
}
