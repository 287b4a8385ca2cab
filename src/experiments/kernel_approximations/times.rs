//! How the time of an approximate fit grows with the number of samples.

use std::sync::Arc;

use nalgebra::DMatrix;

use crate::experiments::prelude::*;
use crate::experiments::stopwatch::seconds_of;
use crate::linalg;
use crate::models::kernel::{
    Centres, FourierRidge, NystromOptions, Rbf, RidgeOptions, Samples, nystrom, one_vs_rest,
};

/// Measurements of each time. Of 15, three on each side may be off without the interval of the median noticing.
const REPEATED: usize = 15;
/// Centres, or cosines and sines.
const FEATURES: usize = 256;
/// Few samples and many: with fewer, what does not depend on them counts as well.
const SAMPLES: [usize; 2] = [8000, 32_000];
/// Numbers of a sample.
const INPUTS: usize = 32;
const CLASSES: usize = 10;

#[derive(Serialize, Deserialize)]
pub(super) struct Times {
    pub features: usize,
    pub samples: [usize; 2],
    /// Seconds for few and for many, of each measurement.
    pub nystrom: Vec<[f64; 2]>,
    pub fourier: Vec<[f64; 2]>,
}

impl Times {
    /// The power of n by which the time grows, from each measurement.
    pub fn exponents(&self, times: &[[f64; 2]]) -> Vec<f64> {
        let [few, many] = self.samples.map(|n| n as f64);
        times.iter().map(|[a, b]| Float::ln(b / a) / Float::ln(many / few)).collect()
    }
}

/// A time depends on the shapes alone: the samples are random. On one thread, where the clock counts this work alone.
pub(super) fn measure(context: &Context) -> Result<Times> {
    context.at(10, 20, "times")?;
    let mut times = Times { features: FEATURES, samples: SAMPLES, nystrom: vec![], fourier: vec![] };
    // About 1/e for two random samples.
    let kernel = Arc::new(Rbf::new(0.5 / INPUTS as f64)?);
    let ridge = RidgeOptions::new(1e-4);
    let data = [random(SAMPLES[0], context.seed)?, random(SAMPLES[1], context.seed)?];
    let options =
        NystromOptions { ridge, centres: FEATURES, selection: Centres::Uniform, seed: context.seed };
    for k in 0..REPEATED {
        let (mut of_nystrom, mut of_fourier) = ([0.0; 2], [0.0; 2]);
        for (i, (x, y)) in data.iter().enumerate() {
            context.at(10 * REPEATED + k, 20 * REPEATED, "times")?;
            (of_nystrom[i], of_fourier[i]) = linalg::with_threads(1, || {
                let centres = || nystrom(kernel.clone(), x, y, options);
                let random = || FourierRidge::fit(kernel.as_ref(), x, y, FEATURES / 2, context.seed, ridge);
                Ok::<_, Error>((seconds_of(centres)?, seconds_of(random)?))
            })?;
        }
        times.nystrom.push(of_nystrom);
        times.fourier.push(of_fourier);
    }
    Ok(times)
}

fn random(n: usize, seed: u64) -> Result<(Samples<f32>, DMatrix<f32>)> {
    let mut rng = stream(seed, Purpose::Data);
    let values: Vec<f32> = (0..n * INPUTS).map(|_| standard_normal(&mut rng) as f32).collect();
    let labels: Vec<usize> = (0..n).map(|i| i % CLASSES).collect();
    Ok((Samples::new(values, INPUTS)?, one_vs_rest(&labels, CLASSES)?))
}
