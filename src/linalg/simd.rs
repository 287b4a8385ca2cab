//! The CPU's vector instructions for plain loops, picked at run time.

/// Runs `f` compiled for the vectors that this CPU has; `work` is about how many numbers it touches.
///
/// `f` must be inlined to profit: write `#[inline(always)]` on the closure, or it is compiled once, for
/// the CPU that every machine has. The bits do not depend on the CPU: the compiler
/// neither fuses a multiply with an add nor reorders a sum by itself.
#[inline(always)]
pub(crate) fn vectorize<R>(work: usize, f: impl FnOnce() -> R) -> R {
    // Below some dozens of numbers, finding out about the CPU costs more than it saves; Miri has none. One
    // call, since `f` is compiled for each of them anew: nested in one another, these take long to compile.
    let arch = if cfg!(miri) || work < 32 { pulp::Arch::Scalar } else { pulp::Arch::new() };
    arch.dispatch(f)
}

/// One number for each lane, written out of line by no compiler: a closure of `std::array::from_fn` may become a call of
/// its own there, for each lane, and without the vectors.
#[inline(always)]
pub(crate) fn lanes<T: Copy, const N: usize>(
    mut from: [T; N],
    other: &[T; N],
    f: impl Fn(T, T) -> T,
) -> [T; N] {
    let mut i = 0;
    while i < N {
        from[i] = f(from[i], other[i]);
        i += 1;
    }
    from
}

/// Whether one of the numbers is as `is` says. Without a way out at the first of them, as `Iterator::any` has it, so
/// that many are looked at side by side.
#[inline(always)]
pub(crate) fn any<T: Copy>(x: &[T], is: impl Fn(T) -> bool) -> bool {
    x.iter().fold(0u32, |found, x| found | u32::from(is(*x))) != 0
}
