//! The whole of the data: what accuracy each method reaches in what time.

use std::sync::Arc;
use std::time::Instant;

use super::fits::{falkon_options, going_on, gradient_options};
use super::{Setting, root_n_centres};
use crate::experiments::data::kernel_inputs;
use crate::experiments::prelude::*;
use crate::models::kernel::{
    Centres, FourierRidge, KernelMachine, KernelRidge, NystromOptions, Rbf, RidgeOptions, Samples,
    falkon_observed, iterative_ridge, nystrom,
};

#[derive(Serialize, Deserialize)]
pub(super) struct Everything {
    pub samples: usize,
    pub tested: usize,
    pub rows: Vec<Whole>,
}

/// A fit, with the whole machine at work.
#[derive(Serialize, Deserialize)]
pub(super) struct Whole {
    pub method: Method,
    /// Training samples.
    pub samples: usize,
    /// Centres, cosines and sines, or samples.
    pub features: usize,
    pub accuracy: f64,
    pub seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Method {
    Exact,
    Gradients,
    Falkon,
    Nystrom,
    Fourier,
}

impl Method {
    pub const ALL: [Method; 5] =
        [Method::Exact, Method::Gradients, Method::Falkon, Method::Nystrom, Method::Fourier];

    /// Its place among all of them: it has one colour and one mark in all drawings.
    pub fn series(self) -> usize {
        Method::ALL.iter().position(|method| *method == self).expect("all are there")
    }

    pub fn name(self) -> &'static str {
        match self {
            Method::Exact => "exact, on a part",
            Method::Gradients => "conjugate gradients",
            Method::Falkon => "FALKON",
            Method::Nystrom => "Nyström",
            Method::Fourier => "random features",
        }
    }
}

/// The memory of conjugate gradients. Of 60,000 images they hold some half of the kernel matrix's triangle in it, and make the
/// rest anew in each iteration. So with more samples than [`MANY`] there are at most [`FEW_ITERATIONS`], and no more than
/// [`PILOTS`] for the preconditioner, which takes of the same memory.
const MEMORY: u64 = 4 << 30;
const PILOTS: usize = 2000;
const MANY: usize = 12_000;
pub(super) const FEW_ITERATIONS: usize = 20;

/// Sizes of the fits, and the samples that conjugate gradients and the exact fit get.
fn plan(context: &Context, n: usize) -> Vec<(Method, usize, usize)> {
    let exact = context.pick([250, 500, 1000, 2000], [1250, 2500, 5000, 10_000]);
    let features = context.pick([64, 128, 256, 512], [250, 500, 1000, 2000]);
    let root = root_n_centres(n);
    let gradients = [n.min(4000), n.min(MANY), n];
    let all = exact.map(|n| (Method::Exact, n, n)).into_iter();
    let all = all.chain(gradients.map(|n| (Method::Gradients, n, n)));
    let all = all.chain([root / 2, root, 2 * root].map(|m| (Method::Falkon, n, m)));
    let all = all.chain(features.map(|m| (Method::Nystrom, n, m)));
    let all = all.chain(features.map(|m| (Method::Fourier, n, m)));
    let mut all: Vec<_> = all.filter(|(_, samples, m)| *samples <= n && *m <= n).collect();
    all.dedup();
    all
}

pub(super) fn measure(context: &Context, setting: Setting) -> Result<Everything> {
    let (train, test) = (&context.data.train, &context.data.test);
    let (at, labels) = (Samples::<f32>::from_dataset(test)?, test.labels().unwrap_or_default());
    let kernel = Arc::new(Rbf::new(setting.gamma)?);
    let ridge = RidgeOptions::new(setting.lambda);
    let plan = plan(context, train.len());
    let mut rows = Vec::new();
    for (k, (method, samples, features)) in plan.iter().copied().enumerate() {
        context.at(11 * plan.len() + 9 * k, 20 * plan.len(), method.name())?;
        let (x, y) = kernel_inputs::<f32>(&train.take(samples))?;
        let seed = context.seed;
        let start = Instant::now();
        let machine: Box<dyn KernelMachine<f32>> = match method {
            Method::Exact => Box::new(KernelRidge::fit(kernel.clone(), &x, &y, ridge)?),
            Method::Gradients => {
                let mut options = gradient_options(ridge.with_memory(MEMORY), samples, seed);
                if samples > MANY {
                    (options.iterations, options.pilots) = (FEW_ITERATIONS, PILOTS);
                }
                let fit = iterative_ridge(kernel.clone(), &x, &y, options, &mut |_| going_on(context))?;
                Box::new(fit.machine)
            }
            Method::Falkon => {
                let options = falkon_options(ridge, features, seed);
                let fit = falkon_observed(kernel.clone(), &x, &y, options, &mut |_| going_on(context))?;
                Box::new(fit.machine)
            }
            Method::Nystrom => {
                let options = NystromOptions { ridge, centres: features, selection: Centres::Uniform, seed };
                Box::new(nystrom(kernel.clone(), &x, &y, options)?)
            }
            Method::Fourier => {
                Box::new(FourierRidge::fit(kernel.as_ref(), &x, &y, features / 2, seed, ridge)?)
            }
        };
        let seconds = start.elapsed().as_secs_f64();
        context.check()?;
        rows.push(Whole { method, samples, features, accuracy: machine.accuracy(&at, labels), seconds });
    }
    Ok(Everything { samples: train.len(), tested: test.len(), rows })
}
