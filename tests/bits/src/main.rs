//! Prints the table of hashes.

fn main() {
    print!("{}", tapegrad_bits::table());
}
