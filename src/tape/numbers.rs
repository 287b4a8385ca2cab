//! The arena's numbers, laid out so that vectors read them fast.

#![allow(
    unsafe_code,
    reason = "numbers at cache lines, measured: the sum of 512×512 in 7.1 µs instead of 12.2"
)]

use std::collections::TryReserveError;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::memory::reserve;
use crate::Float;

/// The bytes of a cache line on the machines of today, and of the widest vectors.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; 8]);

/// From how many numbers on a value begins at a line: fewer gain less than the gap before them costs.
const LONG: usize = 32;

/// Numbers of which the first stands at the start of a cache line. There are as many as fill whole lines.
///
/// Allocators put a large block 16 bytes behind the start of a page; of the vectors of 32 bytes that read it every
/// second one then takes two lines.
pub(super) struct Numbers<T> {
    lines: Vec<Line>,
    of: PhantomData<T>,
}

impl<T: Float> Numbers<T> {
    const IN_A_LINE: usize = size_of::<Line>() / size_of::<T>();

    pub const fn new() -> Self {
        Numbers { lines: Vec::new(), of: PhantomData }
    }

    /// None yet, with room for that many.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) if the machine has none for them.
    pub fn with_room(numbers: usize) -> crate::Result<Self> {
        let lines = numbers.div_ceil(Self::IN_A_LINE);
        Ok(Numbers { lines: crate::memory::with_room(lines, "the parameters of a model")?, of: PhantomData })
    }

    /// A copy. The program ends where there is no memory for it, as with every clone.
    pub fn copy_of(numbers: &[T]) -> Self {
        let lines = vec![Line([0; 8]); numbers.len().div_ceil(Self::IN_A_LINE)];
        let mut copy = Numbers { lines, of: PhantomData };
        copy[..numbers.len()].copy_from_slice(numbers);
        copy
    }

    /// Where a value of `len` numbers begins, behind `used` others.
    #[inline]
    pub fn place(used: usize, len: usize) -> usize {
        if len >= LONG { used.next_multiple_of(Self::IN_A_LINE) } else { used }
    }

    /// Zeros behind those that are there, until there are at least `len`.
    ///
    /// # Errors
    /// If the machine has no memory for it; nothing has changed then.
    #[inline]
    pub fn grow(&mut self, len: usize) -> Result<(), TryReserveError> {
        if len > self.len() { self.add_lines(len.div_ceil(Self::IN_A_LINE)) } else { Ok(()) }
    }

    #[cold]
    fn add_lines(&mut self, lines: usize) -> Result<(), TryReserveError> {
        let more = lines - self.lines.len();
        reserve(&mut self.lines, more)?;
        self.lines.resize(lines, Line([0; 8]));
        Ok(())
    }

    /// Memory that is held, in bytes.
    pub fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }
}

// With `T: Float`, which is sealed: it is `f32` or `f64`, for which all bits are a number.
impl<T: Float> Deref for Numbers<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        let len = self.lines.len() * Self::IN_A_LINE;
        // SAFETY: the lines are bytes that have been written, `len` numbers of them, aligned for any number; all bits
        // are a number of `f32` and of `f64`; and they are borrowed as long as `self` is.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), len) }
    }
}

impl<T: Float> DerefMut for Numbers<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        let len = self.lines.len() * Self::IN_A_LINE;
        // SAFETY: as in `deref`; and every number is bits that a line may hold.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps_its_numbers<T: Float>() {
        let mut numbers = Numbers::<T>::new();
        assert!(numbers.is_empty());
        for len in 1..300 {
            numbers.grow(len).unwrap();
            assert_eq!(numbers[len - 1], T::ZERO);
            numbers[len - 1] = T::of(len as f64);
            assert!(numbers.len() >= len && numbers.as_ptr().addr().is_multiple_of(64));
        }
        assert!(numbers[..299].iter().enumerate().all(|(i, x)| *x == T::of(i as f64 + 1.0)));
        let copy = Numbers::copy_of(&numbers[..299]);
        assert!(*copy == *numbers && copy.as_ptr().addr().is_multiple_of(64));
        numbers.grow(3).unwrap();
        assert_eq!(*numbers, *copy);
        assert!(Numbers::<T>::copy_of(&[]).is_empty());
    }

    #[test]
    fn numbers_stay_through_every_move() {
        keeps_its_numbers::<f32>();
        keeps_its_numbers::<f64>();
    }

    #[test]
    fn too_many_are_an_error() {
        let mut numbers = Numbers::<f64>::new();
        numbers.grow(3).unwrap();
        assert!(numbers.grow(usize::MAX / 8).is_err() && numbers.grow(usize::MAX).is_err());
        assert_eq!(*numbers, [0.0; 8]);
    }

    #[test]
    fn long_values_begin_at_a_line() {
        assert_eq!(
            [(0, 99), (3, 31), (3, 32), (16, 99)].map(|(u, n)| Numbers::<f32>::place(u, n)),
            [0, 3, 16, 16]
        );
        assert_eq!(Numbers::<f64>::place(3, 32), 8);
    }
}
