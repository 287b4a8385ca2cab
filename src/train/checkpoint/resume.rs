//! A checkpoint is made of a run, and a run put back to where one stands.

use super::records::{COLUMNS, row_of};
use super::{Checkpoint, FIRST_EPOCH, FORMAT, PART, Settled, Standing, State, Sums};
use crate::data::Dataset;
use crate::linalg::ORDER;
use crate::nn::ModuleExt;
use crate::store::{Settings, Store, Stored};
use crate::train::check::check_buffers;
use crate::train::motion::Motion;
use crate::train::{FitOptions, Observer, Run, Stop};
use crate::{Error, Float, Result, text};

/// Kinds of observers that only look on: a run is the same with them and without.
const LOOKS_ON: &str = "audit";

/// How images are changed.
const AUGMENTATION: &str = "augmentation";

/// What must be the same where a run goes on.
pub(in crate::train) fn settled<T: Float>(
    run: &Run<'_, T>,
    train: &Dataset,
    validation: Option<&Dataset>,
    options: &FitOptions,
) -> Settled {
    let mut optimizer = run.optimizer.name().to_string();
    for (name, value) in run.optimizer.settings() {
        optimizer += &format!(" {name}={value:?}");
    }
    optimizer +=
        &format!(" weight_decay={:?}{}", run.optimizer.weight_decay(), run.optimizer.groups_in_text());
    let penalty =
        options.penalty.as_ref().map_or("none".into(), |p| format!("{:?} of {}", p.lambda, p.params.len()));
    let mut settled = [
        ("type of numbers", T::NAME.to_string()),
        ("training data", format!("{:016x}", train.fingerprint())),
        ("validation data", validation.map_or("none".into(), |data| format!("{:016x}", data.fingerprint()))),
        // What follows may be so because of the data.
        ("module", run.module.describe()),
        ("settings of the module", format!("{:?}", run.module.store())),
        ("loss", run.loss.name().to_string()),
        ("optimizer", optimizer),
        ("batch", options.batch.to_string()),
        ("seed", options.seed.to_string()),
        (FIRST_EPOCH, options.first_epoch.to_string()),
        ("rate", format!("{:?}", options.rate)),
        ("clipping", format!("{:?}", options.clip)),
        ("early stopping", format!("{:?}", options.early_stopping)),
        ("average", format!("{:?}", options.average)),
        ("penalty", penalty),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .to_vec();
    // Not where there is none: files of runs from before there was any stay what they are.
    settled.extend(options.augmentation().map(|augment| (AUGMENTATION.to_string(), augment.to_string())));
    settled
}

impl Checkpoint {
    /// A run as it stands.
    pub(in crate::train) fn of<T: Float>(
        run: &Run<'_, T>,
        settled: &Settled,
        place: Standing,
        sums: &Sums,
        motion: &Motion<T>,
        observers: &[&mut (dyn Observer<T> + '_)],
    ) -> Result<Checkpoint> {
        // It may be written over the one before, which can be read: what is not finite could not.
        run.optimizer.check_finite(run.tape)?;
        check_buffers(run.tape)?;
        let mut store = Store::default();
        for (name, param) in run.module.named_parameters() {
            let shape = run.tape.param_shape(param);
            store.put(&name, shape.rows, shape.cols, run.tape.value_slice(param.var()));
        }
        let (motion, observers) = store.within(PART, |to| -> Result<_> {
            // Parameters of the tape that are not the module's move as well.
            let all = run.tape.param_values();
            to.put("parameters", 1, all.len(), all);
            let state = run.optimizer.state();
            to.put("optimizer", 1, state.len(), state);
            let epochs: Vec<f64> = run.history.epochs.iter().flat_map(row_of).collect();
            to.put("epochs", run.history.epochs.len(), COLUMNS, &epochs);
            let motion = to.within("motion", |to| motion.store(to));
            let each = |(i, observer): (usize, &&mut (dyn Observer<T> + '_))| {
                to.within("observers", |to| to.within(&i.to_string(), |to| observer.store(to)))
            };
            Ok((motion, observers.iter().enumerate().map(each).collect::<Result<Vec<_>>>()?))
        })?;
        let audits = run.history.epochs.iter().enumerate();
        let state = State {
            checkpoint: FORMAT,
            settled: settled.clone(),
            place,
            sums: sums.clone(),
            optimizer_steps: run.optimizer.steps(),
            lr: run.optimizer.lr(),
            audits: audits.filter_map(|(i, epoch)| Some((i, epoch.audit.clone()?))).collect(),
            skipped: run.history.skipped,
            stopped: if let Some(Stop::Early { epoch }) = run.stop { Some(epoch) } else { None },
            motion,
            observers,
            order_of_sums: ORDER,
        };
        Ok(Checkpoint { state, epochs: run.history.epochs.clone(), numbers: Stored::of(store, "checkpoint") })
    }
}

/// Puts a run of `count` steps an epoch back to where it stood.
pub(in crate::train) fn restore<T: Float>(
    checkpoint: &Checkpoint,
    run: &mut Run<'_, T>,
    now: &Settled,
    count: usize,
    motion: &mut Motion<T>,
    observers: &mut [&mut (dyn Observer<T> + '_)],
) -> Result<(Standing, Sums)> {
    let Checkpoint { state, epochs, numbers } = checkpoint;
    // Of a run that was told so, where nothing is said now: older files have it.
    let then = || state.settled.iter().filter(|(name, then)| name != AUGMENTATION || then != "none");
    for (name, then) in then() {
        match now.iter().find(|(other, _)| other == name) {
            Some((_, now)) if now == then => (),
            found => {
                let (name, then) = (text::printable(name), text::printable(then));
                let now = found.map_or("nothing", |(_, now)| now);
                return Err(Error::Data(format!(
                    "a run that goes on has another {name}: it was {then}, and is {now}"
                )));
            }
        }
    }
    // What a run does now and did not do then.
    let is_new = |(name, _): &&(String, String)| then().all(|(other, _)| other != name);
    if let Some((name, now)) = now.iter().find(is_new) {
        return Err(Error::Data(format!(
            "a run that goes on has another {name}: it was nothing, and is {now}"
        )));
    }
    if state.place.step > count {
        return Err(Error::Data(format!("{} of an epoch of {count}", text::count(state.place.step, "step"))));
    }
    let from = numbers.part(PART);
    let values = from.shaped::<T>("parameters", 1, run.tape.param_numbers())?;
    let optimizer = from.matrix::<T>("optimizer")?;
    motion.restore(&state.motion, &from.part("motion"))?;
    run.optimizer.restore(run.tape, state.optimizer_steps, optimizer.as_slice())?;
    run.optimizer.follow(state.lr)?;
    run.tape.param_values_mut().copy_from_slice(values.as_slice());
    run.tape.rewind();
    run.history.epochs.clone_from(epochs);
    run.history.skipped = state.skipped;
    put_back(state, run, &from.part("observers"), observers)?;
    run.stop = state.stopped.map(|epoch| Stop::Early { epoch });
    Ok((state.place, state.sums.clone()))
}

/// What an observer does not find may have another name in another version, or not be kept there.
fn of_another_version(error: Error) -> Error {
    match error {
        Error::Data(why) => Error::Data(format!(
            "{why}; if another version of the program wrote the file, resume with that version, or train again"
        )),
        other => other,
    }
}

/// Gives each observer what one of its kind remembered, in order.
fn put_back<T: Float>(
    state: &State,
    run: &mut Run<'_, T>,
    from: &Stored,
    observers: &mut [&mut (dyn Observer<T> + '_)],
) -> Result<()> {
    let matters = |settings: &Settings| !settings.is_nothing() && settings.kind() != LOOKS_ON;
    let mut then = state.observers.iter().enumerate().filter(|(_, settings)| matters(settings));
    for observer in observers {
        let now = observer.store(&mut Store::default())?;
        let found = if matters(&now) {
            let Some((i, settings)) = then.next() else {
                return Err(Error::Data(format!(
                    "a run that goes on has an observer more, `{}`",
                    now.kind()
                )));
            };
            if settings.kind() != now.kind() {
                let (now, then) = (now.kind(), text::printable(settings.kind()));
                return Err(Error::Data(format!("an observer was of the kind `{then}`, and is of `{now}`")));
            }
            Some((i, settings))
        } else {
            state.observers.iter().enumerate().find(|(_, settings)| settings.kind() == now.kind())
        };
        match found {
            Some((i, settings)) => {
                let same = settings.values().map(|(name, _)| name).eq(now.values().map(|(name, _)| name));
                let restored = observer.restore(run, settings, &from.part(&i.to_string()));
                if same { restored? } else { restored.map_err(of_another_version)? }
            }
            // It may still want to know where the run stands.
            None if now.is_nothing() => observer.restore(run, &now, from)?,
            None => (),
        }
    }
    match then.next() {
        Some((_, settings)) => {
            let kind = text::printable(settings.kind());
            Err(Error::Data(format!("a run that goes on lacks an observer, `{kind}`")))
        }
        None => Ok(()),
    }
}
