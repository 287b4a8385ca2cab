//! Numbers as NumPy's archives have them.
//!
//! An archive is a zip file, here without compression, with a file of the npy format for each array. The formats:
//! PKWARE, *APPNOTE.TXT*, 4.3; NumPy Enhancement Proposal 1, version 1.0 of the npy format.

use super::Stored;
use crate::{Error, Result};

/// All matrices as an archive that `numpy.load` reads; names are as in the file.
///
/// # Errors
/// [`Error::Data`] if a matrix is of a type that is not written, or the archive would have more than 4 GiB.
pub fn npz(stored: &Stored) -> Result<Vec<u8>> {
    let (mut archive, mut directory, mut count) = (Vec::new(), Vec::new(), 0u16);
    let large = || Error::Data("an archive without 64-bit sizes has at most 4 GiB and 65,535 arrays".into());
    for (name, number_type, shape) in stored.entries() {
        let array = npy(&number_type, shape, stored.bytes(name))?;
        let (mut crc, name) = (flate2::Crc::new(), format!("{name}.npy"));
        crc.update(&array);
        let offset = u32::try_from(archive.len()).map_err(|_| large())?;
        let (size, name_size) = (u32::try_from(array.len()), u16::try_from(name.len()));
        let (Ok(size), Ok(name_size)) = (size, name_size) else { return Err(large()) };
        // Of version 2.0, names in UTF-8, stored as it is, at the first moment that the format knows.
        let mut common = Vec::new();
        common.extend(20u16.to_le_bytes());
        common.extend((1u16 << 11).to_le_bytes());
        common.extend([0, 0, 0, 0, 0x21, 0]);
        common.extend(crc.sum().to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend(name_size.to_le_bytes());
        common.extend([0, 0]);
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(name.as_bytes());
        archive.extend(&array);
        directory.extend(b"PK\x01\x02");
        directory.extend(20u16.to_le_bytes());
        directory.extend(&common);
        // No comment, on the first disk, without attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
        count = count.checked_add(1).ok_or_else(large)?;
    }
    let start = u32::try_from(archive.len()).map_err(|_| large())?;
    let size = u32::try_from(directory.len()).map_err(|_| large())?;
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend(size.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0, 0]);
    Ok(archive)
}

/// An array as a file of its own.
fn npy(number_type: &str, shape: &[usize], numbers: &[u8]) -> Result<Vec<u8>> {
    let code = match number_type {
        "f32" => "<f4",
        "f64" => "<f8",
        other => return Err(Error::Data(format!("numbers of the type {other} are not written"))),
    };
    let sizes: String = shape.iter().map(|n| format!("{n},")).collect();
    let mut header = format!("{{'descr': '{code}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // The numbers begin at a multiple of 64 bytes.
    let rest =
        (MAGIC.len() + 2 + header.len() + 1).next_multiple_of(64) - (MAGIC.len() + 2 + header.len() + 1);
    header.extend(std::iter::repeat_n(' ', rest));
    header.push('\n');
    let size =
        u16::try_from(header.len()).map_err(|_| Error::Data("an array of too many dimensions".into()))?;
    let mut out = Vec::with_capacity(MAGIC.len() + 2 + header.len() + numbers.len());
    out.extend(MAGIC);
    out.extend(size.to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(numbers);
    Ok(out)
}

/// What a file of version 1.0 begins with.
const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
