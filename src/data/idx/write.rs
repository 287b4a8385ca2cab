//! Writing IDX files.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{IdxArray, IdxData};
use crate::{Result, file};

/// Writes an IDX file, gzipped if `path` ends in `.gz`.
///
/// It is written to a temporary file in the same folder, which then takes the name `path`: whatever
/// happens, there is the old file or the new one, never half of one. The same array gives the same
/// bytes: the gzip header carries no time and no name.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if the folder does not exist or cannot be written to.
pub fn write(path: impl AsRef<Path>, array: &IdxArray) -> Result<()> {
    write_with(path.as_ref(), &array.shape, array.data.code(), |out| encode(out, &array.data))
}

/// Writes bytes that are not in one piece: as many rows as the first dimension says, one behind the other.
///
/// # Panics
/// If a dimension or the rank is above what the format can say.
pub(in crate::data) fn write_rows<'a>(
    path: &Path,
    shape: &[usize],
    rows: impl Iterator<Item = &'a [u8]>,
) -> Result<()> {
    assert!(shape.len() <= 255 && shape.iter().all(|d| u32::try_from(*d).is_ok()), "shape {shape:?}");
    write_with(path, shape, 0x08, |out| rows.into_iter().try_for_each(|row| out.write_all(row)))
}

fn write_with(
    path: &Path,
    shape: &[usize],
    code: u8,
    elements: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let gzip = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    file::write(path, |file| {
        let all = |out: &mut dyn Write| {
            // Rank and dimensions have been checked.
            out.write_all(&[0, 0, code, shape.len() as u8])?;
            shape.iter().try_for_each(|d| out.write_all(&(*d as u32).to_be_bytes()))?;
            elements(out)
        };
        if gzip {
            let mut encoder = GzEncoder::new(file, Compression::default());
            all(&mut encoder)?;
            encoder.finish().map(drop)
        } else {
            all(file)
        }
    })
}

fn encode(out: &mut dyn Write, data: &IdxData) -> io::Result<()> {
    macro_rules! big_endian {
        ($v:expr) => {{
            // In pieces, so that the converted copy stays small.
            let mut buffer = Vec::new();
            for piece in $v.chunks(8192) {
                buffer.clear();
                buffer.extend(piece.iter().flat_map(|x| x.to_be_bytes()));
                out.write_all(&buffer)?;
            }
            Ok(())
        }};
    }
    match data {
        IdxData::U8(v) => out.write_all(v),
        IdxData::I8(v) => big_endian!(v),
        IdxData::I16(v) => big_endian!(v),
        IdxData::I32(v) => big_endian!(v),
        IdxData::F32(v) => big_endian!(v),
        IdxData::F64(v) => big_endian!(v),
    }
}
