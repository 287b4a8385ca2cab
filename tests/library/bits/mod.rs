//! The table of hashes: what tapegrad computes, as a hash of its bits, entry by entry.
//!
//! `snapshots/bits.txt` holds the promised values. The native test beside this folder, and the small program in
//! `tests/bits` (for WebAssembly), compute the table by this same code. Nothing here may depend on threads,
//! files, clocks or the width of `usize`.
//!
//! Left out: readers and writers of files, and sizes that take long under an emulator.

mod algebra;
mod data;
mod decompositions;
mod models;
pub mod operations;
mod training;

use std::fmt::Write as _;

use tapegrad::Float;

/// The entries of a table: a name, and the hash of what was computed under it.
#[derive(Default)]
pub struct Table(pub Vec<(String, u64)>);

impl Table {
    fn add(&mut self, name: impl Into<String>, hash: Hash) {
        self.0.push((name.into(), hash.0));
    }

    /// A line for each entry: hash and name.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, hash) in &self.0 {
            let _ = writeln!(text, "{hash:016x} {name}");
        }
        text
    }
}

/// What has the same bits on every machine.
pub fn promised() -> Table {
    let mut table = Table::default();
    both(&mut table, algebra::entries::<f32>, algebra::entries::<f64>);
    both(&mut table, operations::entries::<f32>, operations::entries::<f64>);
    both(&mut table, training::entries::<f32>, training::entries::<f64>);
    both(&mut table, models::entries::<f32>, models::entries::<f64>);
    data::entries(&mut table);
    both(&mut table, decompositions::entries::<f32>, decompositions::entries::<f64>);
    decompositions::of_f64(&mut table);
    // Newton's step is by the eigenvalues of the Hessian.
    models::of_f64(&mut table);
    table
}

fn both(table: &mut Table, single: fn(&mut Table), double: fn(&mut Table)) {
    single(table);
    double(table);
}

/// FNV-1a over the bits of numbers.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    fn new() -> Hash {
        Hash(0xCBF2_9CE4_8422_2325)
    }

    fn of<T: Float>(numbers: &[T]) -> Hash {
        Hash::new().and(numbers)
    }

    fn word(self, word: u64) -> Hash {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
        Hash(word.to_le_bytes().into_iter().fold(self.0, step))
    }

    /// Every number as an f64, which tells all f32 apart. A NaN is one value: its sign and payload are not promised, as
    /// WebAssembly leaves them open.
    fn and<T: Float>(self, numbers: &[T]) -> Hash {
        let bits = |x: &T| if x.is_nan() { f64::NAN.to_bits() } else { x.to_f64().to_bits() };
        numbers.iter().fold(self.word(numbers.len() as u64), |hash, x| hash.word(bits(x)))
    }
}

/// Numbers between −1 and 1 with all their bits, by a generator of its own: the library's is in the table itself.
fn numbers<T: Float>(n: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..n).map(|_| T::of(next())).collect()
}
