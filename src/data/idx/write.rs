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
    let path = path.as_ref();
    let gzip = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    file::write(path, |file| {
        if gzip {
            let mut encoder = GzEncoder::new(file, Compression::default());
            encode(&mut encoder, array)?;
            encoder.finish().map(drop)
        } else {
            encode(file, array)
        }
    })
}

fn encode(out: &mut (impl Write + ?Sized), array: &IdxArray) -> io::Result<()> {
    // `IdxArray::new` has checked that rank and dimensions fit.
    out.write_all(&[0, 0, array.data.code(), array.shape.len() as u8])?;
    for d in &array.shape {
        out.write_all(&(*d as u32).to_be_bytes())?;
    }
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
    match &array.data {
        IdxData::U8(v) => out.write_all(v),
        IdxData::I8(v) => big_endian!(v),
        IdxData::I16(v) => big_endian!(v),
        IdxData::I32(v) => big_endian!(v),
        IdxData::F32(v) => big_endian!(v),
        IdxData::F64(v) => big_endian!(v),
    }
}
