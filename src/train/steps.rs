//! The steps of an epoch.

use super::check::{check_settings, value_of};
use super::checkpoint::{Checkpoint, Settled, Standing, Sums, resume};
use super::motion::Motion;
use super::{FitOptions, Observer, Penalty, Progress, Run};
use crate::data::{Augmenter, Batches, Dataset, Weighing};
use crate::metrics::SeenClasses;
use crate::nn::buffers::Buffers;
use crate::nn::{Batch, Loss, Mode, Module, ModuleExt};
use crate::rng::Place;
use crate::tape::{Tape, Var};
use crate::{Error, Float, Result};

/// All observers of a run.
pub(super) struct Observers<'a, T: Float>(pub Vec<&'a mut (dyn Observer<T> + 'a)>);

impl<'a, T: Float> Observers<'a, T> {
    pub fn in_order(&mut self, mut f: impl FnMut(&mut (dyn Observer<T> + 'a)) -> Result<()>) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| f(&mut **observer))
    }

    /// All of them, whatever one of them returns; then the first error.
    pub fn reversed(&mut self, mut f: impl FnMut(&mut (dyn Observer<T> + 'a)) -> Result<()>) -> Result<()> {
        let mut result = Ok(());
        for observer in self.0.iter_mut().rev() {
            result = result.and(f(&mut **observer));
        }
        result
    }
}

/// What the steps of a run are made of.
pub(super) struct Steps<'a, T: Float> {
    pub train: &'a Dataset,
    validation: Option<&'a Dataset>,
    pub options: &'a FitOptions,
    batches: Batches,
    augmenter: Option<Augmenter>,
    labels: Vec<usize>,
    /// The classes among the training samples: no other is an answer.
    pub seen: SeenClasses,
    weighing: Weighing,
    /// Where steps may be left out.
    buffers: Option<Buffers<T>>,
    pub motion: Motion<T>,
    /// Steps in an epoch.
    count: usize,
    /// Of the epoch with which a run goes on.
    sums: Sums,
    /// What must be the same where the run goes on; made when it is first needed.
    settled: Option<Settled>,
    pub progress: Progress,
}

impl<'a, T: Float> Steps<'a, T> {
    pub fn new(
        module: &dyn Module<T>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
        train: &'a Dataset,
        validation: Option<&'a Dataset>,
        options: &'a FitOptions,
    ) -> Result<Self> {
        let FitOptions { epochs, batch, seed, .. } = *options;
        check_settings(module, loss, tape, train, validation, options)?;
        let classes = loss.link().classes(module.outputs(tape, train.features()));
        let batches = Batches::shuffled(train.len(), batch, seed)?;
        let augmenter = options.augmentation().map(|augment| Augmenter::new(augment, train)).transpose()?;
        augmenter.as_ref().map_or(Ok(()), |augmenter| augmenter.check_range::<T>(train))?;
        // All batches are full but the last, which may be too short to train on.
        let short = train.len() % batch;
        // A block of one's own may not pass on what its parts need; buffers are statistics of batches, as a rule. Networks
        // on tokens keep positions there.
        let has_buffers = module.vocabulary().is_none()
            && module.named_parameters().iter().any(|(_, p)| !tape.is_trained(*p));
        let least = if has_buffers { module.least_batch().max(2) } else { module.least_batch() };
        let count = batches.per_epoch() - usize::from((1..least).contains(&short));
        Ok(Steps {
            train,
            validation,
            options,
            batches,
            augmenter,
            labels: Vec::with_capacity(batch.min(train.len()).saturating_mul(train.labels_per_row())),
            seen: SeenClasses::of_weighted(
                train.labels().unwrap_or_default(),
                train.weights().filter(|_| train.labels().is_some()),
                classes,
            )?,
            weighing: train.weighing(),
            buffers: options.clip.skips().then(|| Buffers::of(tape)),
            motion: Motion::of(tape),
            count,
            sums: Sums::default(),
            settled: None,
            progress: Progress {
                epoch: 1,
                epochs,
                step: 0,
                steps: count,
                samples: 0,
                epoch_samples: train.len(),
                loss: 0.0,
            },
        })
    }

    /// Puts the run back to where its checkpoint stands, if it has one; where it begins.
    pub fn resume(&mut self, run: &mut Run<'_, T>, all: &mut Observers<'_, T>) -> Result<Standing> {
        let Some(checkpoint) = &self.options.resume else { return Ok(Standing { epoch: 1, step: 0 }) };
        checkpoint.check_epochs(self.options.epochs)?;
        let made = || resume::settled(run, self.train, self.validation, self.options);
        let now = self.settled.get_or_insert_with(made);
        let found = resume::restore(checkpoint, run, now, self.count, &mut self.motion, &mut all.0);
        let (place, sums) = found.map_err(|error| checkpoint.named(error))?;
        let (epoch, step) = (place.epoch, place.step);
        run.progress = Progress { epoch, step, samples: sums.seen, ..self.progress };
        self.sums = sums;
        Ok(place)
    }

    /// The steps of an epoch from `place` on, until the last or until an observer ends the run.
    pub fn epoch(
        &mut self,
        place: Standing,
        run: &mut Run<'_, T>,
        all: &mut Observers<'_, T>,
    ) -> Result<Sums> {
        let epoch = place.epoch;
        let mut sums = std::mem::take(&mut self.sums);
        // The epoch of the random draws; that of the record is of this run alone.
        let drawn = self.options.first_epoch.saturating_add(epoch as u64 - 1);
        self.batches.draw(drawn);
        for step in place.step..self.count {
            run.tape.rewind();
            if let Some(buffers) = &mut self.buffers {
                buffers.keep(run.tape);
            }
            let rows = self.batches.batch(step);
            let batch = Batch::weighed(self.train, rows, true, &mut self.labels, self.weighing);
            let place = Place { seed: self.options.seed, epoch: drawn, step: step as u64 };
            let x =
                run.tape.constant_whole(rows.len(), self.train.features(), |to| match &mut self.augmenter {
                    Some(augmenter) => augmenter.gather(self.train, rows, place, to),
                    None => self.train.gather(rows, to),
                });
            let output = run.module.forward(run.tape, x, &mut Mode::training(place));
            let loss = run.loss.forward(run.tape, output, &batch);
            let value = value_of(run.loss, run.tape, loss);
            sums.seen += rows.len();
            run.progress =
                Progress { epoch, step: step + 1, samples: sums.seen, loss: value, ..self.progress };
            // A loss that is not finite may have a finite gradient; it is none to follow.
            run.skip = !value.is_finite();
            if run.skip && !self.options.clip.skips() {
                return Err(diverged(run.tape, epoch, step + 1, value));
            }
            if !run.skip {
                backward(run, loss, self.options.penalty.as_ref());
                all.in_order(|observer| if run.skip { Ok(()) } else { observer.gradient(run) })?;
            }
            if run.skip {
                run.history.skipped += 1;
                if let Some(buffers) = &self.buffers {
                    buffers.restore(run.tape);
                }
            } else {
                add(&mut sums, run, &batch, output, &self.seen);
                run.optimizer
                    .step(run.tape)
                    .map_err(|error| error.in_run(format_args!("epoch {epoch}, step {}", step + 1)))?;
            }
            all.in_order(|observer| observer.step(run))?;
            // With the last step there is an epoch to finish first, unless the run ends here.
            if run.stop.is_some() || step + 1 < self.count {
                self.hand_over(run, all, Standing { epoch, step: step + 1 }, &sums)?;
            }
            if run.stop.is_some() {
                return Ok(sums);
            }
        }
        run.tape.rewind();
        run.total = None;
        if sums.steps == 0 {
            return Err(Error::NonFinite(format!(
                "epoch {epoch}: no step had a finite gradient, so all were skipped; a smaller learning rate \
                 may help"
            )));
        }
        Ok(sums)
    }

    /// Makes a checkpoint for the observers, if one of them asked for it.
    pub fn hand_over(
        &mut self,
        run: &mut Run<'_, T>,
        all: &mut Observers<'_, T>,
        place: Standing,
        sums: &Sums,
    ) -> Result<()> {
        if !std::mem::take(&mut run.checkpoint) {
            return Ok(());
        }
        let settled = || resume::settled(run, self.train, self.validation, self.options);
        let settled = self.settled.get_or_insert_with(settled);
        let made = Checkpoint::of(run, settled, place, sums, &self.motion, &all.0)?;
        all.in_order(|observer| observer.checkpoint(run, &made))
    }
}

/// The gradient of the loss and the penalty.
fn backward<T: Float>(run: &mut Run<'_, T>, loss: Var, penalty: Option<&Penalty>) {
    let total = match penalty {
        Some(Penalty { lambda, params }) => {
            let penalty = run.tape.l2_penalty(params, T::of(*lambda));
            run.tape.add(loss, penalty)
        }
        None => loss,
    };
    run.total = Some(total);
    run.tape.zero_grad();
    run.tape.backward(total);
}

/// Counts a step in: its loss, its gradient, and the samples whose class was found.
fn add<T: Float>(sums: &mut Sums, run: &Run<'_, T>, batch: &Batch<'_>, output: Var, seen: &SeenClasses) {
    let (link, weight) = (run.loss.link(), run.loss.weight(batch));
    sums.steps += 1;
    sums.samples += batch.len();
    sums.weight += weight;
    sums.norm += run.gradient_norm;
    sums.loss += run.progress.loss * weight;
    if link.classifies() {
        let scores = run.tape.value_slice(output).chunks(run.tape.shape(output).cols);
        for (i, (row, label)) in scores.zip(batch.labels()).enumerate() {
            let weight = batch.weight_of_label(i);
            sums.counted += weight;
            sums.right += if link.class(row, seen) == Some(*label) { weight } else { 0.0 };
        }
    }
}

fn diverged<T: Float>(tape: &Tape<T>, epoch: usize, step: usize, loss: f64) -> Error {
    let place = format!("epoch {epoch}, step {step}: the loss is {loss}");
    Error::NonFinite(match tape.anomaly() {
        Some(anomaly) => format!("{place}; first: {anomaly}"),
        None => format!(
            "{place}; a smaller learning rate may help, and detecting anomalies names the operation at fault"
        ),
    })
}
