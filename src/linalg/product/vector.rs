//! What a kernel asks of the vectors of a CPU.

use super::convolution::{Seen, Strip, Tile};
use super::{MOST_LANES, Piece, Place};
use crate::Float;

/// Numbers that a CPU works on side by side. All methods are safe where the CPU has the instructions, and where a
/// pointer points to as many numbers.
pub trait Vector<T: Float>: Copy {
    /// Numbers in a vector.
    const LANES: usize = size_of::<Self>() / size_of::<T>();
    /// Rows of the largest tile: two vectors for each, two of B and one of A fit into the registers.
    const TILE: usize;
    /// Rows of the largest tile of one vector, where each row begins anywhere: at most 12. With AVX-512 207 GFLOPS were measured
    /// with 12 rows, and 117 with 13, whose beginnings do not all fit into registers; with two vectors, 248 with 14. With AVX2,
    /// the sums of six rows are too few to hide the latency of a multiply-add.
    const TILE_OF_ONE: usize = Self::TILE;
    /// The side of the block that [`transpose`](Self::transpose) takes.
    const SIDE: usize = 1;

    unsafe fn splat(x: T) -> Self;
    unsafe fn load(from: *const T) -> Self;
    unsafe fn store(self, to: *mut T);
    /// self·b + c, rounded once.
    unsafe fn fused(self, b: Self, c: Self) -> Self;
    unsafe fn add(self, b: Self) -> Self;
    unsafe fn subtract(self, b: Self) -> Self;

    /// The first `n` numbers, at most as many as there are, and zeros behind them. What is behind is not touched.
    #[inline(always)]
    unsafe fn load_first(from: *const T, n: usize) -> Self {
        let mut numbers = [T::ZERO; MOST_LANES];
        (0..n).for_each(|i| numbers[i] = unsafe { from.add(i).read() });
        unsafe { Self::load(numbers.as_ptr()) }
    }

    /// Stores the first `n` numbers. What is behind is not touched.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, n: usize) {
        let mut numbers = [T::ZERO; MOST_LANES];
        unsafe { self.store(numbers.as_mut_ptr()) };
        (0..n).for_each(|i| unsafe { to.add(i).write(numbers[i]) });
    }

    /// Copies a block of `SIDE`×`SIDE` numbers so that rows become columns; `pitch` is how far rows are apart. The new rows are
    /// written one after the other: where they overlap, the later one stays.
    #[inline(always)]
    unsafe fn transpose(from: *const T, _pitch: usize, to: *mut T, _to_pitch: usize) {
        unsafe { to.write(from.read()) }
    }

    /// Asks for the line of the cache that a number lies in, so that it is there when it is read. Any address is good.
    #[inline(always)]
    fn fetch(_at: *const T) {}

    /// [`tiles`](super::tiles), as a function of its own that is compiled for this CPU: within a larger one the compiler
    /// computes the places of all tiles beforehand, which takes longer than a small product.
    unsafe fn tiles<const R: usize, const N: usize>(strip: &Piece<T>);
    /// [`copy_b`](super::copy_b), likewise.
    unsafe fn copy_b(b: Place<*const T>, length: usize, from: usize, to: usize, room: *mut T);
    /// [`seen_tile`](super::convolution::seen_tile), likewise.
    unsafe fn seen_tile<const R: usize, const N: usize>(tile: &Tile<'_, T>);
    /// [`add_seen`](super::convolution::add_seen), likewise.
    unsafe fn add_seen(seen: &Seen<'_, T>);
    /// [`narrow`](super::convolution::narrow), likewise.
    unsafe fn narrow(strip: &Strip<'_, T>);
}

/// The last methods of a [`Vector`] of `$t`: each calls the function of its name.
macro_rules! compiled_for {
    ($t:ty $(, $features:literal)?) => {
        compiled_for!($t, [$($features)?], copy_b(b: Place<*const $t>, length: usize, from: usize, to: usize, room: *mut $t));
        compiled_for!($t, [$($features)?], tiles<R, N>(strip: &Piece<$t>));
        compiled_for!($t, [$($features)?], seen_tile<R, N>(tile: &Tile<'_, $t>));
        compiled_for!($t, [$($features)?], add_seen(seen: &Seen<'_, $t>));
        compiled_for!($t, [$($features)?], narrow(strip: &Strip<'_, $t>));
    };
    (
        $t:ty, [$($features:literal)?],
        $name:ident $(<$($number:ident),*>)? ($($argument:ident: $type:ty),*)
    ) => {
        #[inline(always)]
        unsafe fn $name $(<$(const $number: usize),*>)? ($($argument: $type),*) {
            $(#[target_feature(enable = $features)])?
            #[inline(never)]
            unsafe fn run<V: Vector<$t> $($(, const $number: usize)*)?>($($argument: $type),*) {
                unsafe { $name::<$t, V $($(, $number)*)?>($($argument),*) }
            }
            unsafe { run::<Self $($(, $number)*)?>($($argument),*) }
        }
    };
}

/// A [`Vector`] that is a register; behind its operations stand the methods that are not the trait's own.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! register {
    (
        $(#[$about:meta])*
        $name:ident($register:ty) of $t:ty, $features:literal, $tile:literal:
        $splat:ident $load:ident $store:ident $fused:ident $add:ident $subtract:ident
        $($own:item)*
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy)]
        pub struct $name($register);

        // SAFETY, of all methods: as the trait says, the CPU has the instructions, and the pointers are good.
        impl Vector<$t> for $name {
            const TILE: usize = $tile;

            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                unsafe { $name($splat(x)) }
            }

            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                unsafe { $name($load(from)) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                unsafe { $store(to, self.0) }
            }

            #[inline(always)]
            unsafe fn fused(self, b: Self, c: Self) -> Self {
                unsafe { $name($fused(self.0, b.0, c.0)) }
            }

            #[inline(always)]
            unsafe fn add(self, b: Self) -> Self {
                unsafe { $name($add(self.0, b.0)) }
            }

            #[inline(always)]
            unsafe fn subtract(self, b: Self) -> Self {
                unsafe { $name($subtract(self.0, b.0)) }
            }

            compiled_for!($t, $features);

            $($own)*
        }
    };
}

pub(super) use compiled_for;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use register;
