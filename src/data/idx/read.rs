//! Reading IDX files.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use memmap2::Mmap;

use super::{Bytes, IdxArray, IdxData, elements};
use crate::{Error, Result};

/// Deflate spends at least two bits on a match of at most 258 bytes, so no gzip file unpacks to more
/// than 1032 times its size.
const MOST_UNPACKED_PER_BYTE: u64 = 1032;

/// Reads an IDX file of any element type and rank.
///
/// A gzipped file is recognised by its first two bytes, not by its name, and unpacked. A plain file is
/// mapped into memory; `u8` elements are borrowed from the map without a copy (see [`Bytes`] for the
/// hazard), other types are converted from big-endian.
///
/// No more memory is used than the file truly unpacks to, whatever its header claims.
///
/// # Errors
/// [`Error::Io`] if there is no such regular file or it cannot be read. [`Error::Idx`], with the offset
/// into the unpacked contents, if it is empty, cut short, longer than its header says, not IDX, of an
/// unknown type, of a size that does not fit into memory, or not valid gzip.
pub fn read(path: impl AsRef<Path>) -> Result<IdxArray> {
    let path = path.as_ref();
    // Before opening: to open a named pipe would wait for a writer, perhaps forever.
    let meta = fs::metadata(path).map_err(Error::io(path))?;
    if !meta.is_file() {
        let what = if meta.is_dir() { "a folder" } else { "a device or pipe" };
        let source = io::Error::other(format!("expected an IDX file, found {what}"));
        return Err(Error::io(path)(source));
    }
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut first = [0; 2];
    let got = read_full(&mut file, &mut first).map_err(Error::io(path))?;
    let bytes = file.metadata().map_err(Error::io(path))?.len();
    if got == 2 && first == [0x1f, 0x8b] {
        file.rewind().map_err(Error::io(path))?;
        let limit = bytes.saturating_mul(MOST_UNPACKED_PER_BYTE);
        return read_gzip(path, MultiGzDecoder::new(BufReader::new(file)), limit);
    }
    if bytes == 0 {
        return Err(bad(path, 0, "expected a magic number of 4 bytes, found an empty file"));
    }
    // SAFETY: sound as long as nobody changes the file in place while it is mapped; no program can rule
    // that out. It is taken on, and documented at `Bytes`, since it saves the copy of a file's contents.
    let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
    read_plain(path, map)
}

/// Reads a file of samples and a file of labels, and checks that there are as many of one as of the
/// other.
///
/// # Errors
/// As [`read`]; and [`Error::Idx`] if the samples have rank 0, the labels do not have rank 1 or are not
/// whole numbers, or the two counts differ.
pub fn read_pair(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<(IdxArray, IdxArray)> {
    let (images_path, labels_path) = (images.as_ref(), labels.as_ref());
    let (images, labels) = (read(images_path)?, read(labels_path)?);
    let Some(&count) = images.shape.first() else {
        return Err(bad(images_path, 3, "expected samples, so a rank of at least 1, found rank 0"));
    };
    if labels.shape.len() != 1 {
        let why = format!("expected labels, so rank 1, found rank {}", labels.shape.len());
        return Err(bad(labels_path, 3, why));
    }
    if matches!(labels.data, IdxData::F32(_) | IdxData::F64(_)) {
        let why = format!("expected labels of a whole-number type, found type 0x{:02x}", labels.data.code());
        return Err(bad(labels_path, 2, why));
    }
    if labels.shape[0] != count {
        let why = format!(
            "expected {count} labels, as many as {} has samples, found {}",
            images_path.display(),
            labels.shape[0]
        );
        return Err(bad(labels_path, 4, why));
    }
    Ok((images, labels))
}

struct Header {
    shape: Vec<usize>,
    code: u8,
    /// Where the elements begin.
    start: u64,
    elements: usize,
    bytes: usize,
}

fn read_plain(path: &Path, map: Mmap) -> Result<IdxArray> {
    let header = read_header(path, &mut &map[..])?;
    let start = header.start as usize;
    let held = map.len() - start;
    if held < header.bytes {
        return Err(cut_short(path, &header, held));
    }
    if held > header.bytes {
        return Err(too_long(path, &header, &format!("{} more", held - header.bytes)));
    }
    let data = if header.code == 0x08 {
        IdxData::U8(Bytes::mapped(Arc::new(map), start..start + header.bytes))
    } else {
        convert(header.code, &map[start..])
    };
    Ok(IdxArray { shape: header.shape, data })
}

/// `limit` is the most bytes that the file can unpack to.
fn read_gzip(path: &Path, mut reader: impl Read, limit: u64) -> Result<IdxArray> {
    let header = read_header(path, &mut reader)?;
    if header.bytes as u64 > limit {
        let why = format!(
            "shape {:?} of type 0x{:02x} takes {} bytes, but this gzip file can unpack to at most {limit}",
            header.shape, header.code, header.bytes
        );
        return Err(bad(path, 4, why));
    }
    // The vector grows with what has been read; the claim of the header only says where to stop.
    let mut packed = Vec::new();
    let outcome = (&mut reader).take(header.bytes as u64).read_to_end(&mut packed);
    outcome.map_err(|e| unpacking(path, header.start + packed.len() as u64, e))?;
    if packed.len() < header.bytes {
        return Err(cut_short(path, &header, packed.len()));
    }
    // Reading on to the end also has the checksum compared.
    let end = header.start + header.bytes as u64;
    if read_full(&mut reader, &mut [0]).map_err(|e| unpacking(path, end, e))? != 0 {
        return Err(too_long(path, &header, "more"));
    }
    let data = if header.code == 0x08 { IdxData::U8(packed.into()) } else { convert(header.code, &packed) };
    Ok(IdxArray { shape: header.shape, data })
}

fn read_header(path: &Path, reader: &mut impl Read) -> Result<Header> {
    let mut magic = [0; 4];
    let got = read_full(reader, &mut magic).map_err(|e| unpacking(path, 0, e))?;
    if got < 4 {
        let why = format!("expected a magic number of 4 bytes, found the end after {got}");
        return Err(bad(path, got as u64, why));
    }
    let [zero, zero_too, code, rank] = magic;
    if (zero, zero_too) != (0, 0) {
        let why = format!(
            "expected an IDX file, which begins with the bytes 00 00, found {zero:02x} {zero_too:02x}"
        );
        return Err(bad(path, 0, why));
    }
    let size = match code {
        0x08 | 0x09 => 1,
        0x0B => 2,
        0x0C | 0x0D => 4,
        0x0E => 8,
        _ => {
            let why = format!("expected a type code of 08, 09, 0b, 0c, 0d or 0e, found {code:02x}");
            return Err(bad(path, 2, why));
        }
    };
    let mut dimensions = [0; 4 * 255];
    let dimensions = &mut dimensions[..4 * usize::from(rank)];
    let got = read_full(reader, dimensions).map_err(|e| unpacking(path, 4, e))?;
    if got < dimensions.len() {
        let why = format!("expected {rank} dimensions of 4 bytes each, found the end after {got} bytes");
        return Err(bad(path, 4 + got as u64, why));
    }
    let (dimensions, _) = dimensions.as_chunks::<4>();
    let too_large = || {
        let dimensions: Vec<u32> = dimensions.iter().map(|d| u32::from_be_bytes(*d)).collect();
        bad(path, 4, format!("shape {dimensions:?} of type 0x{code:02x} is more than a memory can hold"))
    };
    let shape: Vec<usize> = dimensions
        .iter()
        .map(|d| usize::try_from(u32::from_be_bytes(*d)).map_err(|_| too_large()))
        .collect::<Result<_>>()?;
    let elements = elements(&shape).ok_or_else(too_large)?;
    let bytes = elements.checked_mul(size).filter(|b| isize::try_from(*b).is_ok()).ok_or_else(too_large)?;
    Ok(Header { shape, code, start: 4 + 4 * u64::from(rank), elements, bytes })
}

/// From big-endian; `code` has been checked, and `bytes` holds whole elements.
fn convert(code: u8, bytes: &[u8]) -> IdxData {
    macro_rules! big_endian {
        ($t:ty) => {
            bytes.as_chunks().0.iter().map(|x| <$t>::from_be_bytes(*x)).collect()
        };
    }
    match code {
        0x09 => IdxData::I8(big_endian!(i8)),
        0x0B => IdxData::I16(big_endian!(i16)),
        0x0C => IdxData::I32(big_endian!(i32)),
        0x0D => IdxData::F32(big_endian!(f32)),
        _ => IdxData::F64(big_endian!(f64)),
    }
}

/// Fills `buffer` as far as the reader has bytes; returns how many.
fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match reader.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

fn bad(path: &Path, offset: u64, why: impl Into<String>) -> Error {
    Error::Idx { path: path.to_path_buf(), offset, why: why.into() }
}

fn cut_short(path: &Path, header: &Header, held: usize) -> Error {
    let why = format!(
        "shape {:?} has {} elements in {} bytes, found the end after {held}",
        header.shape, header.elements, header.bytes
    );
    bad(path, header.start + held as u64, why)
}

fn too_long(path: &Path, header: &Header, more: &str) -> Error {
    let why = format!(
        "expected the end after the {} elements of shape {:?}, found {more} bytes",
        header.elements, header.shape
    );
    bad(path, header.start + header.bytes as u64, why)
}

/// A reader's error: the gzip stream itself is wrong, or the disk is.
fn unpacking(path: &Path, offset: u64, error: io::Error) -> Error {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error.kind() {
        UnexpectedEof => bad(path, offset, "the gzip stream is cut short"),
        InvalidData | InvalidInput => bad(path, offset, format!("the gzip stream is corrupt: {error}")),
        _ => Error::io(path)(error),
    }
}
