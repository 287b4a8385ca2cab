//! The CPU's vector instructions for plain loops, picked at run time.

/// Runs `f` compiled for the vectors that this CPU has; `work` is about how many numbers it touches.
///
/// `f` must be inlined to profit: write `#[inline(always)]` on the closure, or it is compiled once, for
/// the CPU that every machine has. The same holds for each closure inside of it that calls a function: a plain `for` has
/// none, and `for_each` has one that the compiler may leave outside. The bits do not depend on the CPU: the compiler
/// neither fuses a multiply with an add nor reorders a sum by itself, and a fused multiply-add is rounded once everywhere.
///
/// Vectors are those of AVX-512 where there are all parts of it, or of AVX2, or what every CPU of the architecture has.
/// Measured, one thread of a Zen 5: the functions of [`Float`](crate::Float) take about half the time in the widest
/// ones, and loops that wait for the memory take the same.
#[inline(always)]
pub(crate) fn vectorize<R>(work: usize, f: impl FnOnce() -> R) -> R {
    // Few numbers need no wide vectors, but the fused multiply-add; Miri has no vectors. One call, since `f` is compiled
    // for each of them anew: nested in one another, these take long to compile.
    let arch = if cfg!(miri) {
        pulp::Arch::Scalar
    } else if work < 32 {
        narrow()
    } else {
        pulp::Arch::new()
    };
    arch.dispatch(f)
}

/// Runs `f`, which computes functions of [`Float`](crate::Float) of a few numbers, with the CPU's fused multiply-add,
/// where it has one. The bits are the same without: each of them is a call then.
#[inline(always)]
pub(crate) fn fused<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if let Some(vectors) = pulp::x86::V3::try_new() {
        return vectors.vectorize(f);
    }
    f()
}

/// Vectors of AVX2, which come with the fused multiply-add, or what every CPU of the architecture has.
#[inline(always)]
fn narrow() -> pulp::Arch {
    #[cfg(target_arch = "x86_64")]
    if let Some(vectors) = pulp::x86::V3::try_new() {
        return pulp::Arch::V3(vectors);
    }
    pulp::Arch::Scalar
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
