//! Writing IDX files.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{IdxArray, IdxData};
use crate::{Error, Result};

/// Writes an IDX file, gzipped if `path` ends in `.gz`.
///
/// It is written to a temporary file in the same folder, which then takes the name `path`: whatever
/// happens, there is the old file or the new one, never half of one. The same array gives the same
/// bytes: the gzip header carries no time and no name.
///
/// # Errors
/// [`Error::Io`] if the folder does not exist or cannot be written to.
pub fn write(path: impl AsRef<Path>, array: &IdxArray) -> Result<()> {
    let path = path.as_ref();
    let gzip = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    atomically(path, |file| {
        if gzip {
            let mut encoder = GzEncoder::new(file, Compression::default());
            encode(&mut encoder, array)?;
            encoder.finish().map(drop)
        } else {
            encode(file, array)
        }
    })
}

/// Has `fill` write a temporary file beside `path`, and renames it to `path` if all went well.
fn atomically(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&std::fs::File>) -> io::Result<()>,
) -> Result<()> {
    // The folder of a bare name is "", which no system call takes.
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; the result should be as readable as any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder).map_err(Error::io(folder))?;
    let mut writer = BufWriter::new(file.as_file());
    fill(&mut writer).and_then(|()| writer.flush()).map_err(Error::io(path))?;
    drop(writer);
    // Without this a crash of the machine could leave the new name on empty contents.
    file.as_file().sync_all().map_err(Error::io(path))?;
    file.persist(path).map_err(|e| Error::io(path)(e.error))?;
    Ok(())
}

fn encode(out: &mut impl Write, array: &IdxArray) -> io::Result<()> {
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
