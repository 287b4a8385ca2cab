//! Reading IDX files.

#![allow(unsafe_code, reason = "a mapped file is a promise of the caller: nobody changes it in place")]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use super::bytes::{Mapped, Stamp};
use super::gzip::Members;
use super::{Bytes, IdxArray, IdxData, elements};
use crate::memory::reserve;
use crate::text::count;
use crate::{Error, Result, text};

/// Deflate spends at least two bits on a match of at most 258 bytes, so no gzip file unpacks to more
/// than 1032 times its size.
const MOST_UNPACKED_PER_BYTE: u64 = 1032;

/// Bytes that are read and converted at a time: whole elements of every type.
const BLOCK: usize = 1 << 16;

/// How files come into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    pub(in crate::data) memory: u64,
    map_above: Option<u64>,
}

impl Default for ReadOptions {
    /// All is read into memory, as far as there is any.
    fn default() -> Self {
        ReadOptions { memory: u64::MAX, map_above: None }
    }
}

impl ReadOptions {
    /// With so many bytes as the most that the elements may take in memory.
    pub fn memory(self, bytes: u64) -> ReadOptions {
        ReadOptions { memory: bytes, ..self }
    }

    /// With plain files mapped if they hold more than so many bytes, of type `u8`, which a map needs no
    /// copy of. A quarter or half of the memory is a sensible bound: below it a copy is safer, and not
    /// slower.
    ///
    /// # Safety
    /// As long as anything that was read with these options lives, nobody may change the files in place:
    /// see the hazard at [`Bytes`]. Renaming another file over one is no such change.
    pub unsafe fn map_above(self, bytes: u64) -> ReadOptions {
        ReadOptions { map_above: Some(bytes), ..self }
    }
}

/// Reads an IDX file of any element type and rank into memory.
///
/// A gzipped file is recognised by its first two bytes, not by its name, and unpacked; zeros behind it are
/// passed over. The elements are converted from big-endian block by block, so that they are in memory once.
/// Whatever becomes of the file afterwards, the array stays as it was read.
///
/// No more memory is used than the file truly unpacks to, whatever its header claims.
///
/// # Errors
/// [`Error::Io`] if there is no such regular file, it cannot be read, or its size or time has changed in the
/// meantime. [`Error::Idx`], with the offset into the unpacked contents, if it is empty, cut short, longer
/// than its header says, not IDX, of an unknown type, of a size that no memory holds, or not valid gzip.
/// [`Error::Memory`] if there is not enough memory for it.
pub fn read(path: impl AsRef<Path>) -> Result<IdxArray> {
    read_with(path, &ReadOptions::default())
}

/// As [`read`], but maps a plain file of `u8` instead of reading it.
///
/// # Safety
/// As long as the array or a clone of its bytes lives, nobody may change the file in place: see the hazard
/// at [`Bytes`].
///
/// # Errors
/// As [`read`].
pub unsafe fn read_mapped(path: impl AsRef<Path>) -> Result<IdxArray> {
    // SAFETY: the caller's.
    read_with(path, &unsafe { ReadOptions::default().map_above(0) })
}

/// As [`read`], with a bound on the memory, and perhaps mapped.
///
/// # Errors
/// As [`read`]; [`Error::Memory`] also if the elements take more than the options allow.
pub fn read_with(path: impl AsRef<Path>, options: &ReadOptions) -> Result<IdxArray> {
    let path = path.as_ref();
    let file = crate::file::open(path, "an IDX file")?;
    let stamp = Stamp::of(path, &file)?;
    let outcome = read_file(path, &file, stamp, options);
    // First: what is wrong with a file that somebody writes to is that.
    stamp.check(path, &file)?;
    outcome
}

/// Reads a file of samples and a file of labels, and checks that there are as many of one as of the
/// other.
///
/// # Errors
/// As [`read`]; and [`Error::Idx`] if the samples have rank 0, the labels do not have rank 1 or are not
/// whole numbers, or the two counts differ.
pub fn read_pair(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<(IdxArray, IdxArray)> {
    read_pair_with(images, labels, &ReadOptions::default())
}

/// As [`read_pair`], with a bound on the memory of each, and perhaps mapped.
///
/// # Errors
/// As [`read_pair`] and [`read_with`].
pub fn read_pair_with(
    images: impl AsRef<Path>,
    labels: impl AsRef<Path>,
    options: &ReadOptions,
) -> Result<(IdxArray, IdxArray)> {
    let (images_path, labels_path) = (images.as_ref(), labels.as_ref());
    let (images, labels) = (read_with(images_path, options)?, read_with(labels_path, options)?);
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
            "expected {}, as many as {} has samples, found {}",
            text::count(count, "label"),
            text::path(images_path),
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

fn read_file(path: &Path, file: &File, stamp: Stamp, options: &ReadOptions) -> Result<IdxArray> {
    let mut reader = file;
    let mut first = [0; 2];
    let (got, outcome) = read_full(&mut reader, &mut first);
    outcome.map_err(Error::io(path))?;
    if got == 0 {
        return Err(bad(path, 0, "expected a magic number of 4 bytes, found an empty file"));
    }
    let reader = BufReader::new((&first[..got]).chain(file));
    if first == [0x1f, 0x8b] {
        let limit = stamp.len.saturating_mul(MOST_UNPACKED_PER_BYTE);
        return read_gzip(path, Members::new(reader), limit, options);
    }
    read_plain(path, reader, file, stamp, options)
}

fn read_plain(
    path: &Path,
    mut reader: impl BufRead,
    file: &File,
    stamp: Stamp,
    options: &ReadOptions,
) -> Result<IdxArray> {
    let header = read_header(path, &mut reader)?;
    let held = stamp.len.saturating_sub(header.start);
    if held < header.bytes as u64 {
        return Err(cut_short(path, &header, held));
    }
    if held > header.bytes as u64 {
        return Err(too_long(path, &header, &count(held - header.bytes as u64, "more byte")));
    }
    if header.code == 0x08 && options.map_above.is_some_and(|bound| header.bytes as u64 > bound) {
        let file = file.try_clone().map_err(Error::io(path))?;
        // SAFETY: whoever set the bound has promised that nobody changes the file in place.
        let map = unsafe { Mapped::new(path, file, stamp) }?;
        let (start, end) = (header.start as usize, header.start as usize + header.bytes);
        if map.len() < end {
            return Err(cut_short(path, &header, map.len().saturating_sub(start) as u64));
        }
        return Ok(IdxArray {
            shape: header.shape,
            data: IdxData::U8(Bytes::mapped(Arc::new(map), start..end)),
        });
    }
    let data = read_elements(path, &header, &mut reader, header.elements, options)?;
    Ok(IdxArray { shape: header.shape, data })
}

/// `limit` is the most bytes that the file can unpack to.
fn read_gzip(path: &Path, mut reader: impl Read, limit: u64, options: &ReadOptions) -> Result<IdxArray> {
    let header = read_header(path, &mut reader)?;
    if header.bytes as u64 > limit {
        let why = format!(
            "shape {:?} of type 0x{:02x} takes {}, but this gzip file can unpack to at most {limit}",
            header.shape,
            header.code,
            count(header.bytes, "byte")
        );
        return Err(bad(path, 4, why));
    }
    // The memory grows with what has been read; the claim of the header only says where to stop.
    let data = read_elements(path, &header, &mut reader, 0, options)?;
    // Reading on to the end also has the checksum compared.
    let (more, outcome) = read_full(&mut reader, &mut [0]);
    outcome.map_err(|e| unpacking(path, header.start + header.bytes as u64, e))?;
    if more != 0 {
        return Err(too_long(path, &header, "more bytes"));
    }
    Ok(IdxArray { shape: header.shape, data })
}

/// The elements, with room for `sure` of them from the beginning.
fn read_elements(
    path: &Path,
    header: &Header,
    reader: &mut impl Read,
    sure: usize,
    options: &ReadOptions,
) -> Result<IdxData> {
    if header.bytes as u64 > options.memory {
        return Err(Error::Memory { what: text::path(path), needed: header.bytes as u64 });
    }
    macro_rules! big_endian {
        ($kind:ident, $t:ty) => {{
            let append = |values: &mut Vec<$t>, block: &[u8]| {
                values.extend(block.as_chunks().0.iter().map(|x| <$t>::from_be_bytes(*x)));
            };
            Ok(IdxData::$kind(read_values(path, header, reader, sure, append)?))
        }};
    }
    match header.code {
        0x08 => {
            let append = |values: &mut Vec<u8>, block: &[u8]| values.extend_from_slice(block);
            Ok(IdxData::U8(read_values(path, header, reader, sure, append)?.into()))
        }
        0x09 => big_endian!(I8, i8),
        0x0B => big_endian!(I16, i16),
        0x0C => big_endian!(I32, i32),
        0x0D => big_endian!(F32, f32),
        _ => big_endian!(F64, f64),
    }
}

fn read_values<X>(
    path: &Path,
    header: &Header,
    reader: &mut impl Read,
    sure: usize,
    append: impl Fn(&mut Vec<X>, &[u8]),
) -> Result<Vec<X>> {
    let (mut values, what) = (Vec::new(), text::path(path));
    reserve(&mut values, sure, &what)?;
    let mut block = [0; BLOCK];
    let mut done = 0;
    while done < header.bytes {
        let block = &mut block[..BLOCK.min(header.bytes - done)];
        let (got, outcome) = read_full(reader, block);
        done += got;
        outcome.map_err(|e| unpacking(path, header.start + done as u64, e))?;
        if got < block.len() {
            return Err(cut_short(path, header, done as u64));
        }
        let new = got / size_of::<X>();
        if values.capacity() - values.len() < new {
            // Doubled, as vectors are, but never beyond what there will be.
            let more = new.max(values.len()).min(header.elements - values.len());
            reserve(&mut values, more, &what)?;
        }
        append(&mut values, block);
    }
    Ok(values)
}

fn read_header(path: &Path, reader: &mut impl Read) -> Result<Header> {
    let mut magic = [0; 4];
    let (got, outcome) = read_full(reader, &mut magic);
    outcome.map_err(|e| unpacking(path, 0, e))?;
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
    let (got, outcome) = read_full(reader, dimensions);
    outcome.map_err(|e| unpacking(path, 4, e))?;
    if got < dimensions.len() {
        let why = format!(
            "expected {} of 4 bytes each, found the end after {}",
            count(rank, "dimension"),
            count(got, "byte")
        );
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

/// Fills `buffer` as far as the reader has bytes; returns how many, and what stopped it before the end.
fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> (usize, io::Result<()>) {
    let mut got = 0;
    while got < buffer.len() {
        match reader.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (got, Err(e)),
        }
    }
    (got, Ok(()))
}

fn bad(path: &Path, offset: u64, why: impl Into<String>) -> Error {
    Error::Idx { path: path.to_path_buf(), offset, why: why.into() }
}

fn cut_short(path: &Path, header: &Header, held: u64) -> Error {
    let why = format!(
        "shape {:?} has {} in {}, found the end after {held}",
        header.shape,
        count(header.elements, "element"),
        count(header.bytes, "byte")
    );
    bad(path, header.start + held, why)
}

fn too_long(path: &Path, header: &Header, more: &str) -> Error {
    let why = format!(
        "expected the end after the {} of shape {:?}, found {more}",
        count(header.elements, "element"),
        header.shape,
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
