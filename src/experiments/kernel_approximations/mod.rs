//! Kernel machines at scale: Nyström centres, random features, FALKON and conjugate gradients beside the exact fit.
//! What is measured is in a file each: the kernel matrix, fits over seeds, times, and the whole of the data.

mod fits;
mod matrix;
mod report;
mod times;
mod whole;

use rand::seq::index;

use super::models::families::choose;
use super::prelude::*;

pub const EXPERIMENT: Experiment = Experiment {
    name: "kernel-approximations",
    title: "Kernel approximations",
    question: "How good are kernel machines that do not store the whole kernel matrix, and what do they \
               save?",
    theory: &[
        "Random Fourier features replace $k(x, y)$ by a mean over $F$ random frequencies: the error falls \
         as $1/√F$ for any data (Rahimi and Recht, \"Random Features for Large-Scale Kernel Machines\", \
         2007).",
        "Nyström's method projects on $m$ of the samples, so it adapts to the data. Where the spectrum of \
         the kernel matrix falls fast, it is more accurate than the same number of random features. See \
         Yang, Li, Mahdavi, Jin and Zhou, \"Nyström Method vs Random Fourier Features\", 2012. Both cost \
         $O(nm²)$ instead of $O(n³)$.",
        "With $λ = 1/√n$, about $√n·ln n$ centres are enough for the convergence rate of the exact fit \
         (Rudi, Carratino and Rosasco, \"FALKON: An Optimal Large Scale Kernel Method\", 2017). A smaller \
         $λ$ needs more centres: as many as the effective dimension, which grows as $λ$ falls.",
    ],
    parts: Parts::of::<Approximations>(),
    finding: report::finding,
};

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Approximations {
    data: String,
    gamma: f64,
    /// As chosen on a part of the data.
    lambda: f64,
    matrix: matrix::Matrices,
    fits: fits::Fits,
    times: times::Times,
    whole: whole::Everything,
}

/// Settings of all kernels and fits here.
#[derive(Clone, Copy)]
struct Setting {
    gamma: f64,
    lambda: f64,
}

impl Study for Approximations {
    const EDITION: u32 = 4;

    fn measure(context: &Context) -> Result<Self> {
        context.at(0, 20, "the kernel's width and λ")?;
        let n = context.data.train.len();
        if n <= LEAST_SAMPLES {
            let why = format!(
                "{n} training samples are too few: it takes more than {LEAST_SAMPLES} to do with fewer centres"
            );
            return Err(Error::Data(why));
        }
        let chosen = choose::<f32>(context, &context.data.train, context.pick(500, 1000), 4)?;
        // In f32 a smaller ridge is lost in rounding.
        let lambda = Float::max(chosen.lambda, LEAST_LAMBDA);
        let setting = Setting { gamma: chosen.gamma, lambda };
        let seeds = derived_seeds(context, context.pick(5, 10));
        Ok(Approximations {
            data: context.data.name.clone(),
            gamma: setting.gamma,
            lambda: setting.lambda,
            matrix: matrix::measure(context, setting, &seeds)?,
            fits: fits::measure(context, setting, &seeds)?,
            times: times::measure(context)?,
            whole: whole::measure(context, setting)?,
        })
    }

    fn report(&self) -> Outcome {
        report::all(self)
    }
}

const LEAST_LAMBDA: f64 = 1e-6;
/// As many centres, or features, are the fewest that are tried in a fit.
const LEAST_SAMPLES: usize = 64;

/// So many samples of `data`, drawn by the seed, with their labels.
pub(super) fn drawn(data: &Dataset, count: usize, seed: u64) -> Dataset {
    let count = count.min(data.len());
    data.subset(&index::sample(&mut stream(seed, Purpose::Data), data.len(), count).into_vec())
}

/// √n·ln n, for which the theory of FALKON is made.
fn root_n_centres(n: usize) -> usize {
    let n = n as f64;
    (n.sqrt() * Float::ln(n)).round() as usize
}
