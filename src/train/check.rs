//! What must hold before training, and after each step.

use super::{FitOptions, Penalty};
use crate::linalg::first_not_finite;
use crate::nn::loss::{Link, Loss};
use crate::nn::{Module, ModuleExt};
use crate::settings::{self, Range};
use crate::tape::{Shape, Tape, Var};
use crate::text::count;
use crate::{Dataset, Error, Float, Result};

/// Whether the module, the data and the loss belong together.
pub(crate) fn check_fit<T: Float>(
    module: &dyn Module<T>,
    loss: &dyn Loss<T>,
    tape: &mut Tape<T>,
    data: &Dataset,
) -> Result<()> {
    let needed = loss.outputs(data)?;
    let (features, kind) = (data.features(), if loss.link().classifies() { "class" } else { "target" });
    let of_data = format!("the data has {} and {}", count(features, "feature"), count(needed, kind));
    if let Some(inputs) = module.inputs().filter(|inputs| *inputs != features) {
        return Err(Error::Data(format!(
            "{} takes {}, but {of_data}",
            module.describe(),
            count(inputs, "feature")
        )));
    }
    check_samples(module, data)?;
    let (rows, each) = (module.rows(1), data.labels_per_row());
    if rows != Some(each) {
        let (name, rows) = (module.describe(), rows.unwrap_or(0));
        return Err(Error::Data(if each == 1 {
            format!(
                "{name} gives {} for each sample, and not one: Tokens::join makes one",
                count(rows, "row")
            )
        } else {
            format!(
                "{name} gives {} for each sample, but the data has {} for each",
                count(rows, "row"),
                count(each, "label")
            )
        }));
    }
    let outputs = module.outputs(tape, features);
    // A classifier may know more classes than the data has.
    let enough = match loss.link() {
        Link::Identity | Link::Binary => needed == outputs,
        _ => needed <= outputs,
    };
    if !enough {
        return Err(Error::Data(format!(
            "{} gives {}, but {of_data}",
            module.describe(),
            count(outputs, "output")
        )));
    }
    if data.is_empty() {
        return Err(Error::Data("there are no samples".into()));
    }
    if data.weights().is_some_and(|weights| weights.iter().all(|w| *w == 0.0)) {
        return Err(Error::Data("the weights of all these samples are 0".into()));
    }
    Ok(())
}

/// What is wrong where all that a loss weighs has weighed nothing: there is no mean then.
pub(super) fn no_weight(data: &Dataset) -> Error {
    Error::Data(format!(
        "none of {} has a weight in the loss: the weights of their classes are 0, or all of them are left out",
        count(data.len(), "sample")
    ))
}

/// Whether the samples can go into the module.
pub(super) fn check_samples<T: Float>(module: &dyn Module<T>, data: &Dataset) -> Result<()> {
    let features = data.features();
    if !module.takes(features) {
        let why = format!("{} does not take samples of {}", module.describe(), count(features, "feature"));
        return Err(Error::Data(why));
    }
    if module.rows(1).is_none() {
        let name = module.describe();
        return Err(Error::Data(format!("{name} does not take samples one by one")));
    }
    let Some(vocabulary) = module.vocabulary() else { return Ok(()) };
    let mut sample = vec![T::ZERO; features];
    for row in 0..data.len() {
        data.gather(&[row], &mut sample);
        if let Some(at) = sample.iter().position(|x| !is_token(*x, vocabulary)) {
            let why = format!(
                "row {row}, column {at}: {} is no token, a whole number below {vocabulary}",
                sample[at]
            );
            return Err(Error::Data(why));
        }
    }
    Ok(())
}

/// Whether a number is a token of that many.
pub(crate) fn is_token<T: Float>(x: T, vocabulary: usize) -> bool {
    let row = x.to_f64();
    row >= 0.0 && row < vocabulary as f64 && row == row.trunc()
}

/// Whether a run can be what it is told to be.
pub(super) fn check_settings<T: Float>(
    module: &dyn Module<T>,
    loss: &dyn Loss<T>,
    tape: &mut Tape<T>,
    train: &Dataset,
    validation: Option<&Dataset>,
    options: &FitOptions,
) -> Result<()> {
    for data in [Some(train), validation].into_iter().flatten() {
        check_fit(module, loss, tape, data)?;
        data.check_range::<T>()?;
        data.check_target_range::<T>()?;
    }
    check_batch(module, options.batch)?;
    let least = module.least_batch();
    if train.len() < least {
        let (name, samples) = (module.describe(), train.len());
        return Err(Error::Data(format!(
            "{name} needs {} to train on, not {samples}",
            count(least, "sample")
        )));
    }
    if options.early_stopping.is_some() && validation.is_none() {
        return Err(Error::setting("early_stopping", "it needs a validation set to judge by"));
    }
    if let Some(Penalty { lambda, .. }) = &options.penalty {
        settings::check::<T>("l2", *lambda, Range::NOT_NEGATIVE)?;
    }
    options.clip.check::<T>()
}

/// Whether a module can be trained on batches of that size.
pub(crate) fn check_batch<T: Float>(module: &dyn Module<T>, batch: usize) -> Result<()> {
    settings::at_least_one("batch", batch)?;
    let least = module.least_batch();
    if batch < least {
        let name = module.describe();
        let why = format!("{batch} is too small: {name} trains on batches of at least {least}");
        return Err(Error::setting("batch", why));
    }
    Ok(())
}

/// The number that a loss has come to.
///
/// # Panics
/// If it is not 1×1.
#[track_caller]
pub(super) fn value_of<T: Float>(loss: &dyn Loss<T>, tape: &Tape<T>, value: Var) -> f64 {
    let shape = tape.shape(value);
    assert!(
        shape == Shape::new(1, 1),
        "{}: a loss is 1×1, the mean over the batch, but this one is {shape}",
        loss.name()
    );
    tape.item(value).to_f64()
}

/// Whether all that is kept beside the trained parameters, such as running statistics, is finite.
pub(super) fn check_buffers<T: Float>(tape: &Tape<T>) -> Result<()> {
    for p in tape.params().filter(|p| !tape.is_trained(*p)) {
        if let Some(at) = first_not_finite(tape.value_slice(p)) {
            let (value, cols) = (tape.value_slice(p)[at], tape.param_shape(p).cols);
            let (row, column) = (at / cols, at % cols);
            return Err(Error::NonFinite(format!(
                "{} is {value} at ({row}, {column}): a statistic of the batches leaves the range of {}: scale the \
                 features, or use f64",
                tape.name(p),
                T::NAME
            )));
        }
    }
    Ok(())
}
