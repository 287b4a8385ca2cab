//! A model on data it does not learn from.

use super::check::{check_fit, check_samples, no_weight, value_of};
use crate::data::{Batches, Dataset};
use crate::metrics::{ConfusionMatrix, Evaluation, SeenClasses};
use crate::nn::{Batch, Loss, Mode, Module, ModuleExt};
use crate::tape::{Tape, Var};
use crate::text::count;
use crate::{Error, Float, Result};

/// Rows that go through the model at once: enough for the products to run at full speed.
pub const EVALUATION_ROWS: usize = 256;

/// Tokens that go through it at once, where samples have a label for each of theirs.
const EVALUATION_TOKENS: usize = 1024;

/// How many rows of this data go through a model at once.
pub(crate) fn evaluation_rows(data: &Dataset) -> usize {
    match data.labels_per_row() {
        1 => EVALUATION_ROWS,
        each => (EVALUATION_TOKENS / each).clamp(1, EVALUATION_ROWS),
    }
}

/// The outputs of `module` for every sample of `data`, row-major. The tape is rewound before and after.
///
/// A feature beyond `T` is infinite to the module; [`Dataset::check_range`] finds it.
///
/// # Errors
/// [`Error::Data`] if the data is empty or has another number of features.
pub fn predict<T: Float>(module: &dyn Module<T>, tape: &mut Tape<T>, data: &Dataset) -> Result<Vec<T>> {
    check_inputs(module, data)?;
    let mut outputs = Vec::new();
    for_blocks(module, tape, data, |tape, output, _| {
        outputs.extend_from_slice(tape.value_slice(output));
    })?;
    Ok(outputs)
}

/// Loss and confusion matrix of `module` on `data`. The tape is rewound before and after.
///
/// The class of a sample is the output with the largest score, among all of them. Where a class did not occur
/// in training, [`evaluate_seen`] leaves it out.
///
/// A feature beyond `T` is infinite to the module; [`Dataset::check_range`] finds it.
///
/// # Errors
/// [`Error::Data`] if the data is empty or does not fit the module or the loss; [`Error::NonFinite`] if
/// the loss is not finite.
pub fn evaluate<T: Float>(
    module: &dyn Module<T>,
    loss: &dyn Loss<T>,
    tape: &mut Tape<T>,
    data: &Dataset,
) -> Result<Evaluation> {
    tape.rewind();
    check_fit(module, loss, tape, data)?;
    let classes = loss.link().classes(module.outputs(tape, data.features()));
    evaluate_seen(module, loss, tape, data, &SeenClasses::all(classes))
}

/// [`evaluate`], with a choice among the classes that occurred in training only.
///
/// Training with a cross-entropy lowers the score of an absent class where the training samples are; far from
/// them it may be the largest all the same. [`fit`](super::fit()) validates in this way.
///
/// # Errors
/// As [`evaluate`]; [`Error::Data`] if `seen` is of another number of classes than the module knows.
pub fn evaluate_seen<T: Float>(
    module: &dyn Module<T>,
    loss: &dyn Loss<T>,
    tape: &mut Tape<T>,
    data: &Dataset,
    seen: &SeenClasses,
) -> Result<Evaluation> {
    T::evaluate(module, loss, tape, data, seen, &mut |_| {})
}

/// [`evaluate_seen`], and shows the outputs of block after block of the samples.
pub(super) fn evaluate_of<T: Float>(
    module: &dyn Module<T>,
    loss: &dyn Loss<T>,
    tape: &mut Tape<T>,
    data: &Dataset,
    seen: &SeenClasses,
    outputs: &mut dyn FnMut(&[T]),
) -> Result<Evaluation> {
    tape.rewind();
    check_fit(module, loss, tape, data)?;
    let link = loss.link();
    let (mut confusion, mut wrong) = (None, None);
    let mut labels = Vec::with_capacity(evaluation_rows(data) * data.labels_per_row());
    let (mut total, mut weight, weighing) = (0.0, 0.0, data.weighing());
    for_blocks(module, tape, data, |tape, output, rows| {
        let batch = Batch::weighed(data, rows, false, &mut labels, weighing);
        let batch_loss = loss.forward(tape, output, &batch);
        let batch_weight = loss.weight(&batch);
        total += value_of(loss, tape, batch_loss) * batch_weight;
        weight += batch_weight;
        outputs(tape.value_slice(output));
        if link.classifies() {
            let cols = tape.shape(output).cols;
            let (asked, known) = (seen.classes(), link.classes(cols));
            if asked != known {
                wrong =
                    Some(format!("{} to choose among, but the module knows {known}", count(asked, "class")));
                return;
            }
            let confusion =
                confusion.get_or_insert_with(|| named(ConfusionMatrix::new(cols.max(data.classes())), data));
            let scores = tape.value_slice(output).chunks(cols.max(1));
            for (i, (row, label)) in scores.zip(batch.labels()).enumerate() {
                confusion.add_weighted(*label, link.class(row, seen), batch.weight_of_label(i));
            }
        }
    })?;
    if let Some(why) = wrong {
        return Err(Error::Data(why));
    }
    if weight == 0.0 {
        return Err(no_weight(data));
    }
    let mean = total / weight;
    if !mean.is_finite() {
        return Err(Error::NonFinite(format!(
            "evaluation on {}: the mean loss is {mean}: a sample, or an output of the model for one, is too large for \
             {}; in training, a smaller learning rate may help",
            count(data.len(), "sample"),
            T::NAME
        )));
    }
    let loss_name = loss.name().into();
    let tokens = Some(data.labels_per_row()).filter(|each| *each > 1).map(|each| each * data.len());
    Ok(Evaluation { samples: data.len(), tokens, loss: mean, loss_name, confusion, values: None })
}

/// Calls `f` with the output for block after block of the rows.
fn for_blocks<T: Float>(
    module: &dyn Module<T>,
    tape: &mut Tape<T>,
    data: &Dataset,
    mut f: impl FnMut(&mut Tape<T>, Var, &[usize]),
) -> Result<()> {
    let mut batches = Batches::in_order(data.len(), evaluation_rows(data))?;
    for rows in batches.epoch(0) {
        tape.rewind();
        let x = tape.constant_whole(rows.len(), data.features(), |to| data.gather(rows, to));
        let output = module.forward(tape, x, &mut Mode::evaluation());
        f(tape, output, rows);
    }
    tape.rewind();
    Ok(())
}

fn check_inputs<T: Float>(module: &dyn Module<T>, data: &Dataset) -> Result<()> {
    match module.inputs() {
        Some(inputs) if inputs != data.features() => Err(Error::Data(format!(
            "{} takes {}, but the data has {}",
            module.describe(),
            count(inputs, "feature"),
            data.features()
        ))),
        _ => check_samples(module, data),
    }
}

/// With the names of the classes; an output beyond them has its number.
fn named(matrix: ConfusionMatrix, data: &Dataset) -> ConfusionMatrix {
    let name = |class| if class < data.classes() { data.class_name(class).into() } else { class.to_string() };
    let names: Vec<String> = (0..matrix.classes()).map(name).collect();
    matrix.with_names(names).expect("there is a name for each class")
}
