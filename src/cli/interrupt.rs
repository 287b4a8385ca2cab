//! Ctrl-C: the first one asks a run to end, the second one ends the program. Where a run has nothing to
//! measure before its end, the first one does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::file;

/// Whether somebody has asked, as an end to what a command does in several steps.
pub fn check(asked: &AtomicBool) -> Option<std::process::ExitCode> {
    asked.load(Ordering::SeqCst).then(|| std::process::ExitCode::from(EXIT_CODE))
}

/// Exit code of a program ended by Ctrl-C, as shells have it.
pub const EXIT_CODE: u8 = 130;

/// Becomes true with the first Ctrl-C (or a request to terminate).
pub fn watch() -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    on_request(move || {
        if seen.swap(true, Ordering::SeqCst) {
            file::exit(EXIT_CODE);
        }
    });
    asked
}

/// Ends the program with the first Ctrl-C; what it returns stays false.
pub fn end_at_once() -> Arc<AtomicBool> {
    on_request(|| {
        super::output::note("interrupted");
        file::exit(EXIT_CODE);
    });
    Arc::default()
}

/// Has a thread of its own do this with each request. Where that cannot be set up, Ctrl-C ends the program at once, which
/// is no reason not to run.
#[cfg(unix)]
fn on_request(act: impl Fn() + Send + 'static) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    // In the thread, so that without it no signal is taken: nobody would act on it.
    let waits = move || {
        if let Ok(mut signals) = signal_hook::iterator::Signals::new(signals) {
            signals.forever().for_each(|_| act());
        }
    };
    let _ = std::thread::Builder::new().name("interrupt".into()).spawn(waits);
}

#[cfg(not(unix))]
fn on_request(act: impl Fn() + Send + 'static) {
    let _ = ctrlc::set_handler(act);
}

/// Whether the program was started to go on in spite of the signal, as by nohup. Only Linux tells.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    ignored.is_some_and(|set| (set >> (signal - 1)) & 1 == 1)
}

/// Has a file that grows beyond the limit of the shell (`ulimit -f`) fail as any other that cannot be written, where the
/// system would kill the program.
pub fn limits_are_errors() {
    // A signal that somebody handles does not kill; the flag says no more than the error of the write.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
}
