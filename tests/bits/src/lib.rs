//! The table of hashes as text, for a program that has no tests: the code is that of `tests/library/bits`.

#[path = "../../library/bits/mod.rs"]
mod bits;

/// The table of what is promised.
pub fn table() -> String {
    bits::promised().text()
}

/// The same for WebAssembly: where the text is in memory. Its length stands in the four bytes before it.
#[unsafe(no_mangle)]
pub extern "C" fn table_of_bits() -> *const u8 {
    let text = table();
    let length = u32::try_from(text.len()).expect("a table of some kilobytes");
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    // Read by the caller, who ends with it.
    bytes.leak()[4..].as_ptr()
}
