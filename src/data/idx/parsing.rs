//! Files of a few bytes, of every type and every length: small enough for Miri.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{IdxArray, IdxData, read};
use crate::text::count;

/// The six types with three elements each, and their bytes.
fn samples() -> Vec<(IdxData, Vec<u8>)> {
    vec![
        (IdxData::U8(vec![0, 7, 255].into()), vec![0, 7, 255]),
        (IdxData::I8(vec![-128, 0, 127]), vec![0x80, 0, 0x7f]),
        (IdxData::I16(vec![-2, 0, 258]), vec![0xff, 0xfe, 0, 0, 1, 2]),
        (IdxData::I32(vec![-2, 1, 66_051]), vec![0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 1, 0, 1, 2, 3]),
        (IdxData::F32(vec![1.0, -2.5, 0.0]), vec![0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0, 0, 0, 0, 0]),
        (
            IdxData::F64(vec![1.0, -2.5, 0.0]),
            [[0x3f, 0xf0, 0, 0, 0, 0, 0, 0], [0xc0, 0x04, 0, 0, 0, 0, 0, 0], [0; 8]].concat(),
        ),
    ]
}

/// A file of `shape` with these elements, unpacked.
fn file(shape: &[u32], code: u8, elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, shape.len() as u8];
    shape.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

/// What comes of the bytes, gzipped and plain.
fn parse(folder: &Path, bytes: &[u8]) -> Result<IdxArray, String> {
    let path = folder.join("file");
    let parsed = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        read(&path).map_err(|error| error.to_string())
    };
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    packed.write_all(bytes).unwrap();
    let from_gzip = parsed(&packed.finish().unwrap());
    // Miri maps no files.
    if cfg!(not(miri)) {
        assert_eq!(parsed(bytes).ok(), from_gzip.clone().ok());
    }
    from_gzip
}

#[test]
fn every_type_and_every_length() {
    let folder = tempfile::tempdir().unwrap();
    let parse = |bytes: &[u8]| parse(folder.path(), bytes);
    for (data, elements) in samples() {
        let shapes = [&[3][..], &[1, 3], &[3, 1, 1]];
        for shape in &shapes[..if cfg!(miri) { 1 } else { 3 }] {
            let bytes = file(shape, data.code(), &elements);
            let array = parse(&bytes).unwrap();
            assert!(array.shape().iter().map(|d| *d as u32).eq(shape.iter().copied()));
            assert_eq!(*array.data(), data);
        }
        let whole = file(&[3], data.code(), &elements);
        for length in (0..whole.len()).step_by(if cfg!(miri) { 9 } else { 1 }) {
            assert!(parse(&whole[..length]).is_err(), "{} of {}", count(length, "byte"), whole.len());
        }
        let longer = [&whole[..], &[0]].concat();
        assert!(parse(&longer).unwrap_err().contains("expected the end"), "a byte too many");
    }
    for (shape, elements) in [(&[][..], &[5][..]), (&[0], &[]), (&[0, 9], &[]), (&[9, 0], &[])] {
        let array = parse(&file(shape, 0x08, elements)).unwrap();
        assert_eq!(*array.data(), IdxData::U8(elements.to_vec().into()));
    }
}

#[test]
fn headers_that_claim_what_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    for (shape, code) in [
        (&[4][..], 0x08),
        (&[u32::MAX], 0x08),
        (&[u32::MAX; 2], 0x0E),
        (&[u32::MAX; 9], 0x08),
        (&[1; 255], 0x0D),
        (&[3], 0x0A),
        (&[3], 0xff),
    ] {
        let result = parse(folder.path(), &file(shape, code, &[1, 2, 3]));
        assert!(result.is_err(), "{shape:?} of type {code:02x}: {result:?}");
    }
}
