//! What an experiment is given.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::ExperimentData;
use crate::train::{Observer, Run, Stop};
use crate::{Error, Float, Result};

/// Called with the share that is done, from 0 to 1, and what is being done.
pub type Progress<'a> = dyn Fn(f64, &str) + Sync + 'a;

/// What an experiment is given: how much to do, from which seed, on which data, and whom to tell.
pub struct Context<'a> {
    /// Whether to do less: some seconds on two cores.
    pub quick: bool,
    /// Seed of everything that is random.
    pub seed: u64,
    /// Images of ten digits: MNIST, or the synthetic ones.
    pub data: &'a ExperimentData,
    progress: &'a Progress<'a>,
    interrupted: &'a AtomicBool,
    /// The part of the whole that [`Context::observer`] divides.
    part: Mutex<(f64, f64)>,
}

impl<'a> Context<'a> {
    /// A context that tells `progress`, and ends the experiment once `interrupted` is true.
    pub fn new(
        quick: bool,
        seed: u64,
        data: &'a ExperimentData,
        progress: &'a Progress<'a>,
        interrupted: &'a AtomicBool,
    ) -> Context<'a> {
        Context { quick, seed, data, progress, interrupted, part: Mutex::new((0.0, 1.0)) }
    }

    /// `quick` where little is to be done, `full` otherwise.
    pub fn pick<X>(&self, quick: X, full: X) -> X {
        if self.quick { quick } else { full }
    }

    /// Says that part `done` of `all` begins; to be called between all pieces of work, each at most some
    /// hundreds of milliseconds.
    ///
    /// # Errors
    /// [`Error::Interrupted`] once somebody has asked for an end.
    pub fn at(&self, done: usize, all: usize, what: &str) -> Result<()> {
        let all = all.max(1) as f64;
        // A lock that a panic has left behind guards two numbers only.
        *self.part.lock().unwrap_or_else(|e| e.into_inner()) = (done as f64 / all, (done + 1) as f64 / all);
        (self.progress)(done as f64 / all, what);
        self.check()
    }

    /// Does the same work for each of the items, such as seeds, several at the same time: a small network has no work
    /// for a second thread, another seed has. The results are in the order of the items. All of it is
    /// `parts` of the `all` pieces that [`at`](Context::at) counts.
    ///
    /// # Errors
    /// That of the work, and [`Error::Interrupted`] once somebody has asked for an end.
    pub(super) fn side_by_side<X: Sync, Y: Send>(
        &self,
        parts: Range<usize>,
        all: usize,
        what: &str,
        items: &[X],
        work: impl Fn(&X) -> Result<Y> + Sync,
    ) -> Result<Vec<Y>> {
        let (start, each) = (parts.start * items.len(), parts.len());
        let at = |done: usize| self.at(start + each * done, all * items.len(), what);
        at(0)?;
        let done = AtomicUsize::new(0);
        let one = |item: &X| {
            let result = work(item)?;
            at(done.fetch_add(1, Ordering::Relaxed) + 1)?;
            Ok(result)
        };
        items.par_iter().map(one).collect()
    }

    /// An error once somebody has asked for an end.
    ///
    /// # Errors
    /// [`Error::Interrupted`] then.
    pub fn check(&self) -> Result<()> {
        if self.interrupted.load(Ordering::SeqCst) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Has a run stop after this step once somebody has asked for an end: for observers. After the fit, call
    /// [`check`](Context::check) before using what it left.
    pub(super) fn stop_if_asked<T: Float>(&self, run: &mut Run<'_, T>) {
        if self.check().is_err() {
            run.stop = Some(Stop::Interrupted { epoch: run.progress.epoch });
        }
    }

    /// An observer for [`fit`](fn@crate::train::fit) that moves the progress through the part begun with
    /// [`at`](Context::at), and ends the run when it should. After the fit, call
    /// [`check`](Context::check) before using what it left.
    pub fn observer(&self, what: &'a str) -> Watch<'a, '_> {
        Watch { context: self, what }
    }
}

/// Gives a test the context of a quick run on hardly any data, which nobody asks to end.
#[cfg(test)]
pub(super) fn on_little_data<X>(test: impl FnOnce(&Context<'_>) -> X) -> X {
    let data = ExperimentData::synthetic(50, 10).expect("there is a sample of each");
    test(&Context::new(true, 0, &data, &|_, _| (), &AtomicBool::new(false)))
}

/// See [`Context::observer`].
pub struct Watch<'a, 'b> {
    context: &'b Context<'a>,
    what: &'a str,
}

impl<T: Float> Observer<T> for Watch<'_, '_> {
    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let progress = run.progress;
        let (from, to) = *self.context.part.lock().unwrap_or_else(|e| e.into_inner());
        let epochs = progress.epoch as f64 - 1.0 + progress.step as f64 / progress.steps.max(1) as f64;
        let share = from + (to - from) * epochs / progress.epochs.max(1) as f64;
        (self.context.progress)(share, self.what);
        self.context.stop_if_asked(run);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_by_side_keeps_the_order_and_tells_how_far_it_is() {
        let data = ExperimentData::synthetic(50, 10).expect("there is a sample of each");
        let (told, interrupted) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        let tell = |share: f64, _: &str| told.lock().unwrap().push(share);
        let context = Context::new(true, 0, &data, &tell, &interrupted);
        let items = [1, 2, 3, 4];
        let squares = context.side_by_side(1..3, 4, "squares", &items, |x| Ok(x * x)).unwrap();
        assert_eq!(squares, [1, 4, 9, 16]);
        let mut shares = told.lock().unwrap().clone();
        shares.sort_by(f64::total_cmp);
        assert_eq!(shares, [0.25, 0.375, 0.5, 0.625, 0.75]);

        let fails = |x: &i32| if *x == 3 { Err(Error::Data("three".into())) } else { Ok(*x) };
        let failed = context.side_by_side(0..1, 1, "work", &items, fails).unwrap_err();
        assert_eq!(failed.to_string(), Error::Data("three".into()).to_string());
        interrupted.store(true, Ordering::SeqCst);
        let stopped = context.side_by_side(0..1, 1, "work", &items, |x| Ok(*x)).unwrap_err();
        assert!(matches!(stopped, Error::Interrupted), "{stopped}");
    }
}
