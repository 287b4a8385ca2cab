//! What this CPU can run.

use std::sync::LazyLock;

/// The kernel that the environment variable `TAPEGRAD_CPU` asks for; an empty name asks for none.
pub fn asked() -> Option<&'static str> {
    static ASKED: LazyLock<Option<String>> = LazyLock::new(|| {
        let name = std::env::var_os("TAPEGRAD_CPU")?.to_string_lossy().into_owned();
        (!name.is_empty()).then_some(name)
    });
    ASKED.as_deref()
}

/// Whether this CPU has the instructions that faer's kernels take for granted once they have seen one of
/// them. Where it has not, [`portable`](super::portable) does the work.
///
/// On x86 the crates below faer ask for less than they use:
/// - `gemm` asks for FMA and then fails where there is no AVX2 (AMD Piledriver);
/// - `nano-gemm` asks for AVX2 and then runs FMA, which is an illegal instruction where a virtual machine
///   hides it;
/// - `private-gemm-x86` asks for AVX-512F and then uses masks of the extensions DQ and VL, and 256-bit FMA,
///   which the first CPUs with AVX-512F (Knights Landing) do not have.
///
/// With AVX2 and FMA, or with neither, all of them are right.
pub fn kernels_are_safe() -> bool {
    static SAFE: LazyLock<bool> = LazyLock::new(detect);
    *SAFE
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn detect() -> bool {
    use std::is_x86_feature_detected as has;
    safe(Features {
        avx2: has!("avx2"),
        fma: has!("fma"),
        avx512: has!("avx512f"),
        extensions: has!("avx512dq") && has!("avx512vl") && has!("avx512bw"),
        // On 64 bits no kernel is reached that asks pulp for its third level, and fails without.
        level3: cfg!(target_arch = "x86_64") || pulp::x86::V3::is_available(),
    })
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn detect() -> bool {
    // NEON is a part of every aarch64, and elsewhere there are plain loops.
    true
}

/// What an x86 CPU has of that on which the choice depends.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[derive(Clone, Copy)]
struct Features {
    avx2: bool,
    fma: bool,
    avx512: bool,
    extensions: bool,
    level3: bool,
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn safe(cpu: Features) -> bool {
    match (cpu.avx2, cpu.fma) {
        (true, true) => cpu.level3 && (!cpu.avx512 || cpu.extensions),
        (false, false) => !cpu.avx512,
        _ => false,
    }
}

#[cfg(all(test, any(target_arch = "x86", target_arch = "x86_64")))]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_that_lacks_a_part_is_not_trusted() {
        let new = Features { avx2: true, fma: true, avx512: true, extensions: true, level3: true };
        let old = Features { avx2: false, fma: false, avx512: false, extensions: false, level3: false };
        assert!(safe(new) && safe(old));
        assert!(safe(Features { avx512: false, extensions: false, ..new }));
        for cpu in [
            Features { avx2: false, ..new },
            Features { fma: false, ..new },
            Features { extensions: false, ..new },
            Features { level3: false, ..new },
            Features { avx2: true, ..old },
            Features { fma: true, ..old },
            Features { avx512: true, ..old },
        ] {
            assert!(!safe(cpu));
        }
    }
}
