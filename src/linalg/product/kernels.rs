//! Which kernels there are, and which of them this CPU is given.

use super::convolution::{Job, convolve};
use super::plain::Plain;
use super::vector::Vector;
use super::{Piece, Rooms, multiply};
use crate::linalg::cpu::asked;
use crate::{Error, Float, Result};

/// A way to do it on some CPU.
pub struct Kernel<T> {
    /// What it is called in `TAPEGRAD_CPU`.
    pub name: &'static str,
    /// Whether this CPU has the instructions.
    pub available: fn() -> bool,
    /// # Safety
    /// This CPU must have the instructions, and the piece and the rooms be what they say.
    pub(super) run: unsafe fn(&Piece<T>, &Rooms<T>),
    /// # Safety
    /// This CPU must have the instructions, and the job and the rooms be what they say.
    pub(super) convolve: unsafe fn(&Job<T>, &Rooms<T>),
}

/// The two types of numbers have kernels.
pub trait Kernels: Sized + 'static {
    /// From the fastest on; the last one is for every CPU.
    const KERNELS: &'static [Kernel<Self>];
}

/// The kernel of those vectors.
const fn of_vectors<T: Float, V: Vector<T>>(name: &'static str, available: fn() -> bool) -> Kernel<T> {
    Kernel { name, available, run: multiply::<T, V>, convolve: convolve::<T, V> }
}

/// The kernels of a type: those of vectors on this architecture, and that of plain loops.
macro_rules! kernels {
    ($t:ty: $($name:literal, $vector:ty, $available:expr;)*) => {
        impl Kernels for $t {
            const KERNELS: &'static [Kernel<$t>] = &[
                $(of_vectors::<$t, $vector>($name, || $available),)*
                of_vectors::<$t, Plain<$t>>("portable", || true),
            ];
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod here {
    use super::super::x86::{F32x8, F32x16, F64x4, F64x8, has_avx2, has_avx512};
    use super::*;

    kernels! { f32: "avx512", F32x16, has_avx512(); "avx2", F32x8, has_avx2(); }
    kernels! { f64: "avx512", F64x8, has_avx512(); "avx2", F64x4, has_avx2(); }
}

#[cfg(target_arch = "aarch64")]
mod here {
    use super::super::neon::{F32x4, F64x2};
    use super::*;

    kernels! { f32: "neon", F32x4, true; }
    kernels! { f64: "neon", F64x2, true; }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod here {
    use super::*;

    kernels! { f32: }
    kernels! { f64: }
}

/// The kernel for this CPU, or the one that `TAPEGRAD_CPU` names if this CPU can run it.
pub(super) fn kernel<T: Float>() -> &'static Kernel<T> {
    // Miri knows no vector instructions.
    let usable = |kernel: &&Kernel<T>| (kernel.available)() && (!cfg!(miri) || kernel.name == "portable");
    let mut usable = T::KERNELS.iter().filter(usable);
    match asked() {
        None => usable.next().expect("the last kernel is for every CPU"),
        Some(name) => usable
            .find(|kernel| kernel.name == name)
            .unwrap_or_else(|| panic!("TAPEGRAD_CPU: {}", no_kernel(name))),
    }
}

/// Why there is no kernel of that name.
fn no_kernel(name: &str) -> String {
    let there = <f64 as Kernels>::KERNELS.iter().filter(|kernel| (kernel.available)());
    let there: Vec<&str> = there.map(|kernel| kernel.name).collect();
    format!("`{}` is no kernel of this CPU: it has {}", crate::text::printable(name), there.join(", "))
}

/// The name of the kernel that computes products on this CPU: `avx512`, `avx2`, `neon` or `portable`. The environment
/// variable `TAPEGRAD_CPU` asks for one of them; results are the same bits.
///
/// # Errors
/// [`Error::Data`] if the variable asks for one that this CPU cannot run. Products panic then.
pub fn kernel_in_use() -> Result<&'static str> {
    if let Some(name) = asked()
        && !<f64 as Kernels>::KERNELS.iter().any(|kernel| kernel.name == name && (kernel.available)())
    {
        return Err(Error::Data(format!("TAPEGRAD_CPU: {}", no_kernel(name))));
    }
    Ok(kernel::<f64>().name)
}
