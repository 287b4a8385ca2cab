//! On how many threads the kernels run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::Yield;

use super::product;
use crate::{Error, Result, settings};

/// Runs `work` on a pool of `threads` threads: every product inside may use all of them.
///
/// Outside of such a call the kernels stay on the calling thread, and start none. The number of
/// threads changes how long a result takes and never a bit of it. While `work` goes on, threads without
/// work look for it without pause for two milliseconds, and then every tenth of a millisecond.
///
/// # Panics
/// If `threads` is 0, or the operating system refuses to start them: see [`try_with_threads`].
#[track_caller]
pub fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    try_with_threads(threads, work).unwrap_or_else(|error| panic!("with_threads: {error}"))
}

/// [`with_threads`] for a number that a user chose.
///
/// # Errors
/// [`Error::Setting`] if `threads` is 0, or the operating system refuses to start them.
pub fn try_with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R> {
    let (mut work, mut result) = (Some(work), None);
    on_pool(threads, &mut || result = work.take().map(|work| work()))?;
    Ok(result.expect("the work has run, or its panic has been passed on"))
}

/// What does not depend on the work, compiled once.
fn on_pool(threads: usize, work: &mut (dyn FnMut() + Send)) -> Result<()> {
    settings::at_least_one("threads", threads)?;
    // More watchers than spare processors would only stand in the way of those that work.
    let watchers = threads.min(available_threads()) - 1;
    let done = AtomicBool::new(false);
    let work = Mutex::new(work);
    // A broadcast gives each thread a job of its own that no other can take. A spawned watcher could be
    // picked up by the working thread while it waits for a piece, and would never return from there.
    let ready = Barrier::new(threads);
    // Before there are threads: with the first memory that a thread asks for, glibc reserves 64 MB of addresses for it.
    // Under a limit of the shell nothing may be left of it then.
    let rooms: Mutex<Vec<_>> = Mutex::new((0..threads).map(|_| product::room()).collect());
    let broadcast = |pool: &rayon::ThreadPool| {
        pool.broadcast(|context| {
            // A thread's first product would ask for the memory for its blocks, and its first look for work at others does:
            // here, so that no later one does.
            if let Some(room) = lock(&rooms).pop() {
                product::warm_up(room);
            }
            rayon::yield_now();
            ready.wait();
            if context.index() == 0 {
                let _done = SetOnDrop(&done);
                lock(&work)();
            } else if context.index() <= watchers {
                watch(&done);
            }
        });
    };
    // Scoped: none of the threads is at work when the call returns.
    let built =
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_scoped(|thread| thread.run(), broadcast);
    built.map_err(|e| Error::setting("threads", format!("cannot start {threads} of them: {e}")))
}

/// The lock, whether or not a panic happened under it: what it guards is whole at all times.
fn lock<X>(mutex: &Mutex<X>) -> MutexGuard<'_, X> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many threads the machine runs at once; 1 where it does not tell.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// Both closures, side by side on the pool this is called from, one after the other without a pool.
pub(crate) fn join(a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
    let (mut a, mut b) = (Some(a), Some(b));
    let mut first = || {
        if let Some(a) = a.take() {
            a();
        }
    };
    let mut second = || {
        if let Some(b) = b.take() {
            b();
        }
    };
    join_on_pool(&mut first, &mut second);
}

/// What does not depend on the closures, compiled once.
fn join_on_pool(a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
    // Outside a pool rayon would start its global one, and allocate with every call from there.
    if rayon::current_thread_index().is_some() {
        rayon::join(a, b);
    } else {
        a();
        b();
    }
}

/// Keeps a thread of the pool awake, and doing what there is to do.
///
/// A training step has products of a tenth of a millisecond with about as much in between that one
/// thread does alone. rayon's threads fall asleep in that time, and a virtual machine takes longer to
/// wake one than the product lasts: without this, measured, two threads were no faster than one.
fn watch(done: &AtomicBool) {
    let mut last_work = Instant::now();
    while !done.load(Ordering::Acquire) {
        match rayon::yield_now() {
            Some(Yield::Executed) => last_work = Instant::now(),
            _ if last_work.elapsed() < Duration::from_millis(2) => std::thread::yield_now(),
            _ => std::thread::sleep(Duration::from_micros(100)),
        }
    }
}

/// Pieces of about `grain` steps, where there are threads: enough that one that is late finds another to take its work.
pub(crate) fn in_pieces_of(grain: usize, work: usize) -> usize {
    match of_this_pool() {
        1 => 1,
        threads => (work / grain).clamp(1, PIECES * threads),
    }
}

/// Pieces for each thread.
const PIECES: usize = 4;

/// How many threads the pool has that this is called from; 1 outside of one.
pub(super) fn of_this_pool() -> usize {
    rayon::current_thread_index().map_or(1, |_| rayon::current_num_threads())
}

/// Sets the flag whatever happens, a panic included: the watchers must not watch for ever.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_and_panics_come_through() {
        for threads in [1, 2, 5] {
            assert_eq!(with_threads(threads, rayon::current_num_threads), threads);
            assert!(try_with_threads(0, || ()).is_err());
            let panic = std::panic::catch_unwind(|| with_threads(threads, || panic!("in the work")));
            assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "in the work");
        }
    }

    #[test]
    fn both_closures_run_with_and_without_a_pool() {
        let run = || {
            let (mut a, mut b) = (0, 0);
            join(|| a = 1, || b = 2);
            (a, b)
        };
        assert_eq!(run(), (1, 2));
        assert_eq!(with_threads(2, run), (1, 2));
    }
}
