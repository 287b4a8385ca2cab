//! On how many threads the kernels run.

/// Runs `work` on a pool of `threads` threads: every product inside may use all of them.
///
/// Outside of such a call the kernels stay on the calling thread, and start none. The number of
/// threads changes how long a result takes and never a bit of it.
///
/// # Panics
/// If `threads` is 0, or the operating system refuses to start them.
pub fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    assert!(threads > 0, "with_threads: the number of threads must be at least 1");
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap_or_else(|e| panic!("with_threads: cannot start {threads} threads: {e}"));
    pool.install(work)
}

/// How many threads the machine runs at once; 1 where it does not tell.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// Both closures, side by side on the pool this is called from, one after the other without a pool.
pub(crate) fn join(a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
    // Outside a pool rayon would start its global one, and allocate with every call from there.
    if rayon::current_thread_index().is_some() {
        rayon::join(a, b);
    } else {
        a();
        b();
    }
}
