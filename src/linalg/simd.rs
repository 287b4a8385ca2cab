//! The CPU's vector instructions for plain loops, picked at run time.

/// Runs `f` compiled for the vectors that this CPU has; `work` is about how many numbers it touches.
///
/// `f` must be inlined to profit: write `#[inline(always)]` on the closure, or it is compiled once, for
/// the CPU that every machine has. The bits do not depend on the CPU: the compiler
/// neither fuses a multiply with an add nor reorders a sum by itself.
///
/// Vectors are those of AVX-512 where there are all parts of it, or of AVX2, or what every CPU of the architecture has.
/// Measured, one thread of a Zen 5: the functions of [`Float`](crate::Float) take about half the time in the widest
/// ones, and loops that wait for the memory take the same.
#[inline(always)]
pub(crate) fn vectorize<R>(work: usize, f: impl FnOnce() -> R) -> R {
    // Below some dozens of numbers, finding out about the CPU costs more than it saves; Miri has none. One
    // call, since `f` is compiled for each of them anew: nested in one another, these take long to compile.
    let arch = if cfg!(miri) || work < 32 { pulp::Arch::Scalar } else { pulp::Arch::new() };
    arch.dispatch(f)
}

/// `f` of two numbers in each lane. A loop: a closure of `std::array::from_fn` may be compiled as a function of its own,
/// which is called once a lane, without the vectors.
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
