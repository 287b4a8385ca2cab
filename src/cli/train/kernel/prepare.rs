//! What a kernel machine starts from: its memory, the samples as the kernel sees them, the kernel.

use std::sync::Arc;

use super::super::super::memory::{self, Room};
use super::super::super::output;
use super::super::{Job, TrainArgs, YesNo};
use super::{Gamma, KernelArgs};
use crate::data::Dataset;
use crate::data::preprocess::{SmoothImages, UnitRows};
use crate::models::Inputs;
use crate::models::kernel::{Kernel, Samples, kernels, median_gamma};
use crate::{Error, Float, Result};

/// Memory that a fit may take.
pub struct Budget {
    pub bytes: u64,
    /// What cut it down, if anything did.
    capped: Option<Room>,
}

/// Where nothing else is asked for.
const USUAL: u64 = 8 << 30;

impl Budget {
    /// What was asked for, or the usual, as far as it is there.
    pub fn new(args: &TrainArgs) -> Result<Budget> {
        let (asked, room) = match args.kernel.memory {
            Some(gib) if gib > 0.0 && gib.is_finite() => {
                ((gib * f64::from(1 << 30)) as u64, memory::allowed())
            }
            Some(gib) => return Err(Error::setting("memory", format!("{gib}: must be finite and above 0"))),
            None => (USUAL, memory::available()),
        };
        let capped = (room.bytes < asked).then_some(room);
        Ok(Budget { bytes: asked.min(room.bytes), capped })
    }

    /// A line where less can be had than was asked for.
    pub fn note(&self, args: &TrainArgs) -> Option<String> {
        let (gib, room) = (args.kernel.memory?, self.capped?);
        Some(format!("memory: less than the {gib} GiB asked for: {room}"))
    }

    /// An error about memory with what has cut it down.
    pub fn explain(&self, error: Error) -> Error {
        match (error, self.capped) {
            (Error::Setting { name: "memory", why }, Some(room)) => {
                Error::setting("memory", format!("{why}; {room}"))
            }
            (error, _) => error,
        }
    }
}

/// An error if the samples and their targets alone are more than the memory allows, before they are copied.
pub fn check_samples<T: Float>(data: &Dataset, budget: &Budget) -> Result<()> {
    let bytes = |numbers: usize| (data.len() as u64 * size_of::<T>() as u64).saturating_mul(numbers as u64);
    let samples = bytes(data.features());
    for (what, needed) in [
        ("the samples alone", samples),
        (
            "the samples and their targets",
            samples.saturating_add(bytes(data.classes() + data.target_width())),
        ),
    ] {
        if needed > budget.bytes {
            let (needed, allowed) = (output::bytes(needed), output::bytes(budget.bytes));
            let why = format!(
                "{what} take {needed} in {}, and {allowed} are allowed: use fewer, with --limit",
                T::NAME
            );
            return Err(budget.explain(Error::setting("memory", why)));
        }
    }
    Ok(())
}

/// Whether samples are brought to length 1: the brightness of an image says little, the numbers of a table much.
pub fn normalizes(job: &Job<'_>) -> bool {
    job.args.kernel.normalize.map_or(!job.source.is_table, |asked| asked == YesNo::Yes)
}

/// What is done to the samples before the kernel sees them.
pub fn inputs<T: Float>(job: &Job<'_>) -> Result<Inputs> {
    let Job { args, train, .. } = job;
    let smooth = args.kernel.smooth;
    let smoothed = |inputs: Inputs| match train.image_shape() {
        _ if smooth == 0.0 => Ok(inputs),
        Some((height, width)) if height * width > 0 => {
            Ok(inputs.then(SmoothImages::<T>::new(height, width, smooth)?))
        }
        // Of what is no image, only the setting is checked.
        _ => SmoothImages::<T>::new(1, 1, smooth).map(|_| inputs),
    };
    let inputs = job.inputs_with(smoothed)?;
    Ok(if normalizes(job) { inputs.then(UnitRows::<T>::default()) } else { inputs })
}

/// The kernel with what was asked for, and for the rest what suits the data.
pub fn kernel<T: Float>(job: &Job<'_>, x: &Samples<T>) -> Result<Arc<dyn Kernel<T>>> {
    let args = job.args;
    let KernelArgs { kernel, gamma, length_scale, degree, offset, depth, nonlinearity, .. } = &args.kernel;
    let KernelArgs { weight_variance, bias_variance, .. } = &args.kernel;
    let Some(entry) = kernels::<T>().into_iter().find(|entry| entry.name == *kernel) else {
        return Err(Error::setting("kernel", format!("there is no `{kernel}`")));
    };
    let given = [
        ("gamma", gamma.is_some()),
        ("length_scale", length_scale.is_some()),
        ("degree", degree.is_some()),
        ("offset", offset.is_some()),
        ("depth", depth.is_some()),
        ("nonlinearity", nonlinearity.is_some()),
        ("weight_variance", weight_variance.is_some()),
        ("bias_variance", bias_variance.is_some()),
    ];
    if let Some((name, _)) = given.iter().find(|(name, given)| *given && !entry.settings.contains(name)) {
        let why = format!("the {kernel} kernel {} has none", entry.formula);
        return Err(Error::setting(name, why));
    }
    // What is asked for in full needs no look at the data, which may have no scale to tell.
    let mut settings = if gamma.is_some() || length_scale.is_some() {
        Default::default()
    } else {
        (entry.suited)(x, args.seed)?
    };
    settings.gamma = match gamma {
        Some(Gamma::Number(gamma)) => *gamma,
        Some(Gamma::Median) => median_gamma(x, args.seed)?,
        // What suits the data by itself suits images.
        None if kernel == "rbf" && job.source.is_table => median_gamma(x, args.seed)?,
        None => settings.gamma,
    };
    settings.length_scale = length_scale.unwrap_or(settings.length_scale);
    settings.degree = degree.unwrap_or(settings.degree);
    settings.offset = offset.unwrap_or(settings.offset);
    settings.depth = depth.unwrap_or(settings.depth);
    settings.nonlinearity = nonlinearity.unwrap_or(settings.nonlinearity);
    settings.weight_variance = weight_variance.unwrap_or(settings.weight_variance);
    settings.bias_variance = bias_variance.unwrap_or(settings.bias_variance);
    (entry.build)(&settings)
}
