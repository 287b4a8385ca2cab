//! Ctrl-C: the first one asks a run to end, the second one ends the program. Where a run has nothing to
//! measure before its end, the first one does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    // Where no handler can be set, Ctrl-C ends the program at once, which is no reason not to run.
    let _ = ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::exit(EXIT_CODE.into());
        }
    });
    asked
}

/// Ends the program with the first Ctrl-C; what it returns stays false.
pub fn end_at_once() -> Arc<AtomicBool> {
    let _ = ctrlc::set_handler(|| {
        super::output::note("interrupted");
        std::process::exit(EXIT_CODE.into());
    });
    Arc::default()
}
