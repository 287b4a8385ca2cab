//! How a network and a kernel machine are fitted, and what that takes.

use std::sync::Arc;
use std::time::Instant;

use crate::experiments::data::kernel_inputs;
use crate::experiments::prelude::*;
use crate::models::kernel::{KernelMachine, KernelRidge, Rbf, RidgeOptions, Samples, median_gamma};
use crate::nn::loss::OneVsRest;
use crate::train::FitOptions;

/// Of the powers of 10 from which λ is chosen.
const EXPONENTS: std::ops::RangeInclusive<i32> = -12..=0;
pub(super) const NAMES: [&str; 4] =
    ["logistic, one-vs-rest", "MLP", "KRR, γ and λ chosen", "KRR, γ = 1 and λ = 10⁻³"];

/// How a model did.
#[derive(Serialize, Deserialize)]
pub(in crate::experiments) struct Row {
    pub model: String,
    /// Samples it was fitted to.
    pub samples: usize,
    #[serde(with = "lossless")]
    pub accuracy: f64,
    pub fit_seconds: f64,
    /// Of choosing γ and λ before that, where there is such a choice.
    pub choice_seconds: Option<f64>,
    /// For one sample.
    pub predict_seconds: f64,
    /// Bytes that the fit holds when it is done: of a network values, gradients and what the optimizer remembers, of a
    /// kernel machine the factor, α and its copy of the samples. Not the data set.
    pub fit_bytes: usize,
    /// Bytes that predictions need.
    pub kept_bytes: usize,
}

/// A network without hidden layers is a linear model.
pub(super) struct Recipe {
    pub model: &'static str,
    pub hidden: &'static [usize],
    pub one_vs_rest: bool,
    pub rate: f64,
    pub epochs: usize,
    pub batch: usize,
}

/// The kernel's γ and the ridge λ.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(in crate::experiments) struct Chosen {
    pub gamma: f64,
    pub lambda: f64,
    remark: Option<Remark>,
    /// What the choice took, where there was one.
    seconds: Option<f64>,
}

/// What is to be said of a choice.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Remark {
    GammaAtEnd,
    LambdaAtEnd,
    LeastDefinite,
    Raised,
}

impl Remark {
    fn words(self) -> &'static str {
        match self {
            Remark::GammaAtEnd => "γ is at an end of its grid",
            Remark::LambdaAtEnd => "λ is at an end of its grid",
            Remark::LeastDefinite => "the smallest λ that leaves the matrix definite",
            Remark::Raised => "raised until the rounded matrix of all samples was definite",
        }
    }
}

impl Chosen {
    /// What was not chosen, but given.
    pub fn given(gamma: f64, lambda: f64) -> Chosen {
        Chosen { gamma, lambda, remark: None, seconds: None }
    }
}

impl std::fmt::Display for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "γ = {} and λ = {}", rounded(self.gamma, 4), rounded(self.lambda, 1))?;
        self.remark.map_or(Ok(()), |remark| write!(f, " ({})", remark.words()))
    }
}

pub(super) fn network<T: Float>(
    context: &Context,
    recipe: &Recipe,
    train: &Dataset,
    test: &Dataset,
    seed: u64,
) -> Result<(Net<T>, Row)> {
    let mut net = Net::<T>::relu(train, recipe.hidden, seed)?;
    if recipe.one_vs_rest {
        net.loss = Arc::new(OneVsRest);
    }
    let mut optimizer = Optimizer::new(Adam::default(), recipe.rate)?;
    let options = FitOptions::new(recipe.epochs, recipe.batch, seed);
    let start = Instant::now();
    net.fit(context, &mut optimizer, (train, None), &options)?;
    let fit_seconds = start.elapsed().as_secs_f64();
    let fit_bytes = net.tape.bytes() + optimizer.bytes();
    let start = Instant::now();
    let evaluation = net.evaluate(test)?;
    let row = Row {
        model: recipe.model.into(),
        samples: train.len(),
        accuracy: evaluation.accuracy().unwrap_or(f64::NAN),
        fit_seconds,
        choice_seconds: None,
        predict_seconds: start.elapsed().as_secs_f64() / test.len() as f64,
        fit_bytes,
        kept_bytes: net.tape.param_numbers() * size_of::<T>(),
    };
    Ok((net, row))
}

/// γ from 1 to 2^`octaves` times that of the median distance, and λ from 10⁻¹² to 1, with the least mean squared
/// leave-one-out residual on at most so many samples.
///
/// Where a smaller ridge does no more, errors differ by rounding: the largest λ is taken of those whose error is within
/// 10⁻⁴ of the least, as a share of it.
pub(in crate::experiments) fn choose<T: Float>(
    context: &Context,
    train: &Dataset,
    most: usize,
    octaves: i32,
) -> Result<Chosen> {
    let part = train.take(most);
    let (x, y) = kernel_inputs::<T>(&part)?;
    let start = Instant::now();
    let median = median_gamma(&x, context.seed)?;
    let mut tried = Vec::new();
    for octave in 0..=octaves {
        let kernel = Arc::new(Rbf::new(median * Float::powi(2.0f64, octave))?);
        for exponent in EXPONENTS {
            context.check()?;
            let options = RidgeOptions::new(Float::powi(10.0f64, exponent));
            let fit = match KernelRidge::<T>::fit(kernel.clone(), &x, &y, options) {
                Ok(fit) => fit,
                // Too small a ridge for this kernel in this precision.
                Err(Error::NotPositiveDefinite { .. }) => continue,
                Err(error) => return Err(error),
            };
            let residuals = fit.leave_one_out_residuals();
            let squares = residuals.iter().map(|r| r.to_f64() * r.to_f64()).sum::<f64>();
            tried.push((squares / residuals.len() as f64, octave, exponent));
        }
    }
    let least = tried.iter().copied().reduce(|a, b| if b.0 < a.0 { b } else { a });
    let (error, octave, _) =
        least.ok_or_else(|| Error::Data("no ridge up to 1 makes the kernel definite".into()))?;
    let of_gamma = || tried.iter().filter(|t| t.1 == octave).map(|t| (t.0, t.2));
    let close = of_gamma().filter(|t| t.0 <= error * (1.0 + 1e-4)).map(|t| t.1);
    let exponent = close.max().unwrap_or(*EXPONENTS.end());
    let remark = match (octave == 0 || octave == octaves, exponent) {
        (true, _) => Some(Remark::GammaAtEnd),
        (_, e) if e == *EXPONENTS.start() || e == *EXPONENTS.end() => Some(Remark::LambdaAtEnd),
        (_, e) if of_gamma().all(|t| t.1 >= e) => Some(Remark::LeastDefinite),
        _ => None,
    };
    let seconds = Some(start.elapsed().as_secs_f64());
    Ok(Chosen {
        gamma: median * Float::powi(2.0f64, octave),
        lambda: Float::powi(10.0f64, exponent),
        remark,
        seconds,
    })
}

/// A fit and its seconds. Raises λ tenfold where rounding makes the matrix of all samples indefinite: it was chosen on
/// a part of them.
pub(in crate::experiments) fn fit_kernel<T: Float>(
    context: &Context,
    chosen: &mut Chosen,
    train: &Dataset,
) -> Result<(KernelRidge<T>, f64)> {
    let (x, y) = kernel_inputs::<T>(train)?;
    let kernel = Arc::new(Rbf::new(chosen.gamma)?);
    loop {
        context.check()?;
        let start = Instant::now();
        match KernelRidge::fit(kernel.clone(), &x, &y, RidgeOptions::new(chosen.lambda)) {
            Ok(machine) => return Ok((machine, start.elapsed().as_secs_f64())),
            Err(Error::NotPositiveDefinite { .. }) if chosen.lambda < 1.0 => {
                chosen.lambda *= 10.0;
                chosen.remark = Some(Remark::Raised);
            }
            Err(error) => return Err(error),
        }
    }
}

/// A fit by [`fit_kernel`], and how it did.
pub(in crate::experiments) fn kernel_ridge<T: Float>(
    context: &Context,
    chosen: &mut Chosen,
    train: &Dataset,
    test: &Dataset,
) -> Result<(KernelRidge<T>, Row)> {
    let (machine, fit_seconds) = fit_kernel(context, chosen, train)?;
    context.check()?;
    let start = Instant::now();
    let accuracy = machine.accuracy(&Samples::from_dataset(test)?, test.labels().unwrap_or_default());
    // The samples with their norms, and α; for predictions nothing else is needed.
    let kept = train.len() * (train.features() + 1) + machine.alpha().len();
    let row = Row {
        model: NAMES[if chosen.seconds.is_some() { 2 } else { 3 }].into(),
        samples: train.len(),
        accuracy,
        fit_seconds,
        choice_seconds: chosen.seconds,
        predict_seconds: start.elapsed().as_secs_f64() / test.len() as f64,
        fit_bytes: (machine.factor().l().len() + kept) * size_of::<T>(),
        kept_bytes: kept * size_of::<T>(),
    };
    Ok((machine, row))
}
