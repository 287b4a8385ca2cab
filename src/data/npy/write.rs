//! Writing arrays.

use std::io::Write;

use rawzip::ZipArchiveWriter;

use crate::{Error, Result};

/// An array that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// Its name in the archive.
    pub name: &'a str,
    /// Its type as NumPy calls it, such as `<f8`.
    pub descr: &'a str,
    /// Length of each dimension.
    pub shape: &'a [usize],
    /// The elements, row-major, as the type has them.
    pub bytes: &'a [u8],
}

/// An archive that `numpy.load` reads, without compression.
///
/// # Errors
/// [`Error::Data`] if an array has more dimensions than a header holds, or a name that an archive cannot have.
pub fn write_archive<'a>(arrays: impl IntoIterator<Item = Written<'a>>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut out);
    for array in arrays {
        let header = header(&array)?;
        let broken = |error: rawzip::Error| {
            Error::Data(format!("array {}: {error}", crate::text::printable(array.name)))
        };
        let io = |error: std::io::Error| {
            Error::Data(format!("array {}: {error}", crate::text::printable(array.name)))
        };
        let path = format!("{}.npy", array.name);
        let (mut entry, config) = archive.new_file(&path).start().map_err(broken)?;
        let mut writer = config.wrap(&mut entry);
        writer.write_all(&header).and_then(|()| writer.write_all(array.bytes)).map_err(io)?;
        let (_, descriptor) = writer.finish().map_err(broken)?;
        entry.finish(descriptor).map_err(broken)?;
    }
    archive.finish().map_err(|error| Error::Data(format!("an archive of arrays: {error}")))?;
    Ok(out)
}

/// What a file of version 1.0 begins with.
const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";

/// All that stands before the elements.
fn header(array: &Written<'_>) -> Result<Vec<u8>> {
    let sizes: String = array.shape.iter().map(|n| format!("{n},")).collect();
    let mut header = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({sizes}), }}", array.descr);
    // The numbers begin at a multiple of 64 bytes.
    let length = MAGIC.len() + 2 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', length.next_multiple_of(64) - length));
    header.push('\n');
    let size =
        u16::try_from(header.len()).map_err(|_| Error::Data("an array of too many dimensions".into()))?;
    Ok([MAGIC, &size.to_le_bytes(), header.as_bytes()].concat())
}
