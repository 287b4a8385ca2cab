//! Times of the work of one thread.

use std::hint::black_box;
use std::time::Instant;

use crate::Result;

/// Measures the work of this thread.
///
/// Others on the machine interrupt whatever takes longer than a slice of the scheduler, so that even the least
/// of many wall-clock times is too long. Where the system counts the processor time of a thread, that is taken
/// if it is less. Work that other threads do is not in it: measure on one thread.
pub struct Stopwatch {
    processor: Option<f64>,
    wall: Instant,
}

impl Stopwatch {
    /// Starts a new one.
    pub fn start() -> Stopwatch {
        Stopwatch { processor: processor_seconds(), wall: Instant::now() }
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        let wall = self.wall.elapsed().as_secs_f64();
        let processor = self.processor.zip(processor_seconds()).map(|(start, end)| end - start);
        // A clock that counts in coarse ticks says nothing of a short time.
        processor.filter(|seconds| *seconds > 0.05 * wall).map_or(wall, |seconds| seconds.min(wall))
    }
}

#[cfg(target_os = "linux")]
fn processor_seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Some(time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64)
}

#[cfg(not(target_os = "linux"))]
fn processor_seconds() -> Option<f64> {
    None
}

/// The seconds that `work` takes.
pub fn seconds<R>(work: impl FnOnce() -> R) -> f64 {
    let watch = Stopwatch::start();
    black_box(work());
    watch.seconds()
}

/// The seconds of work that may fail. What it makes is dropped behind them.
pub fn seconds_of<R>(work: impl FnOnce() -> Result<R>) -> Result<f64> {
    let watch = Stopwatch::start();
    let made = black_box(work())?;
    let seconds = watch.seconds();
    drop(made);
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_no_work() {
        // Where the system does not count processor time, the wall clock runs on.
        let (Some(start), wall) = (processor_seconds(), Instant::now()) else { return };
        std::thread::sleep(std::time::Duration::from_millis(60));
        let worked = processor_seconds().unwrap_or(f64::NAN) - start;
        assert!(worked < 0.05 && wall.elapsed().as_secs_f64() >= 0.06, "{worked} s");
    }

    #[test]
    fn work_takes_time_and_no_more_than_passes() {
        let (wall, watch) = (Instant::now(), Stopwatch::start());
        let mut sum = 0.0f64;
        while watch.seconds() < 0.02 {
            sum += black_box(1.0);
        }
        let worked = watch.seconds();
        assert!(sum > 0.0 && worked >= 0.02 && worked <= wall.elapsed().as_secs_f64(), "{worked} s");
    }
}
