//! Reading an array.

use std::io::{BufReader, Read};
use std::path::Path;

use super::header::{self, Header};
use super::{NpyArray, NpyValues};
use crate::data::idx::ReadOptions;
use crate::memory::{reserve, with_room};
use crate::text::count;
use crate::{Error, Result, text};

/// Largest header that is read; NumPy itself stops at 10,000 bytes.
const LARGEST_HEADER: usize = 1 << 16;

/// Elements that are read and converted at a time.
const BLOCK: usize = 1 << 13;

/// Longest text of an array, in characters.
const LONGEST_TEXT: usize = 1 << 12;

/// Reads a file of one array.
///
/// Whole numbers of 64 bits must be exact in `f64`. No more memory is used than the file has contents, whatever its
/// header claims.
///
/// # Errors
/// [`Error::Io`] if there is no such file or it cannot be read; [`Error::Data`] if it is none of NumPy's, is cut short,
/// longer than it says, of objects or records, or a number is not exact; [`Error::Memory`] if it takes more memory than
/// the options allow.
pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<NpyArray> {
    let path = path.as_ref();
    let file = crate::file::open(path, "a file of an array")?;
    let mut from = BufReader::new(file);
    read_from(&mut from, &text::path(path), options)
}

/// Reads an array from a stream, up to its end; `what` is what messages call it.
///
/// # Errors
/// As [`read`].
pub fn read_from(from: &mut dyn Read, what: &str, options: &ReadOptions) -> Result<NpyArray> {
    let refuse = |why: String| Error::Data(format!("{what}: {why}"));
    let broken = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => refuse("the array is cut short".into()),
        _ => refuse(format!("cannot be read: {error}")),
    };
    let mut magic = [0; 8];
    let not_one = || refuse("not an array of NumPy: it does not begin as one".into());
    from.read_exact(&mut magic).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => not_one(),
        _ => broken(error),
    })?;
    if !magic.starts_with(b"\x93NUMPY") {
        return Err(not_one());
    }
    let length = match magic[6] {
        1 => {
            let mut length = [0; 2];
            from.read_exact(&mut length).map_err(broken)?;
            usize::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            from.read_exact(&mut length).map_err(broken)?;
            u32::from_le_bytes(length) as usize
        }
        other => {
            return Err(refuse(format!("an array in version {other} of the format, which is not known")));
        }
    };
    if length > LARGEST_HEADER {
        return Err(refuse(format!(
            "its header has {}, and may have {LARGEST_HEADER}",
            text::count(length, "byte")
        )));
    }
    let mut header = vec![0; length];
    from.read_exact(&mut header).map_err(broken)?;
    let header = String::from_utf8_lossy(&header);
    let Header { descr, fortran_order, shape } =
        header::parse(&header).map_err(|why| refuse(format!("its header cannot be read: {why}")))?;
    let kind = Kind::of(&descr).map_err(refuse)?;
    let count = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n));
    let held = count.and_then(|count| count.checked_mul(kind.held()));
    let (Some(count), Some(held)) = (count, held) else {
        return Err(refuse(format!("its shape {shape:?} is of more elements than any memory holds")));
    };
    if held as u64 > options.memory {
        return Err(Error::Memory { what: what.into(), needed: held as u64 });
    }
    let values = elements(from, &kind, count, what).map_err(|error| match error {
        Failure::Io(error) => broken(error),
        Failure::Other(error) => error,
    })?;
    if from.read(&mut [0]).map_err(broken)? > 0 {
        return Err(refuse(format!("there is more behind its {}", text::count(count, "element"))));
    }
    let values = if fortran_order && shape.len() > 1 { row_major(values, &shape, what)? } else { values };
    Ok(NpyArray { shape, descr, values })
}

/// How an element is stored.
struct Kind {
    letter: u8,
    /// In bytes.
    size: usize,
    big_endian: bool,
}

impl Kind {
    fn of(descr: &str) -> Result<Kind, String> {
        let shown = || text::printable(descr);
        let unknown = || format!("its elements are of the type `{}`, which is not read", shown());
        let &[order, letter, ..] = descr.as_bytes() else { return Err(unknown()) };
        let digits = descr.get(2..).ok_or_else(unknown)?;
        if letter == b'O' {
            return Err(
                "its elements are objects of Python, which are programs: store numbers or texts".into()
            );
        }
        let number: usize = digits.parse().map_err(|_| unknown())?;
        let big_endian = match order {
            b'<' | b'|' | b'=' => false,
            b'>' => true,
            _ => return Err(unknown()),
        };
        let size = match (letter, number) {
            (b'b' | b'u' | b'i', 1) | (b'u' | b'i' | b'f', 2 | 4 | 8) => number,
            (b'U' | b'S', 1..=LONGEST_TEXT) => number * if letter == b'U' { 4 } else { 1 },
            (b'U' | b'S', _) => {
                return Err(format!(
                    "its texts have {}, and may have 1 to {LONGEST_TEXT}",
                    count(number, "character")
                ));
            }
            _ => return Err(unknown()),
        };
        Ok(Kind { letter, size, big_endian })
    }

    /// Bytes that an element takes in memory.
    fn held(&self) -> usize {
        match (self.letter, self.size) {
            (b'b' | b'u', 1) => 1,
            (b'f', 4) => 4,
            (b'U' | b'S', size) => size + size_of::<String>(),
            _ => 8,
        }
    }
}

enum Failure {
    Io(std::io::Error),
    Other(Error),
}

fn elements(from: &mut dyn Read, kind: &Kind, count: usize, what: &str) -> Result<NpyValues, Failure> {
    fn all<X>(
        from: &mut dyn Read,
        kind: &Kind,
        count: usize,
        what: &str,
        convert: impl Fn(&[u8]) -> Result<X, String>,
    ) -> Result<Vec<X>, Failure> {
        // Nobody's claim of a number of elements is believed: memory follows what has been read.
        let (mut values, mut block) = (Vec::new(), vec![0; BLOCK.min(count) * kind.size.max(1)]);
        while values.len() < count {
            let n = BLOCK.min(count - values.len());
            let bytes = &mut block[..n * kind.size];
            from.read_exact(bytes).map_err(Failure::Io)?;
            if kind.big_endian {
                let unit = if kind.letter == b'U' { 4 } else { kind.size };
                bytes.chunks_mut(unit.max(1)).for_each(|element| element.reverse());
            }
            if values.len() + n > values.capacity() {
                let more = (values.len() + n).next_power_of_two().min(count) - values.len();
                reserve(&mut values, more, what).map_err(Failure::Other)?;
            }
            for i in 0..n {
                let element = &bytes[i * kind.size..(i + 1) * kind.size];
                let at = values.len();
                values.push(convert(element).map_err(|why| {
                    Failure::Other(Error::Data(format!("{what}: element {at}, counted from 0: {why}")))
                })?);
            }
        }
        Ok(values)
    }
    fn bytes<const N: usize>(element: &[u8]) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(element);
        bytes
    }
    macro_rules! numbers {
        ($type:ty) => {
            NpyValues::F64(all(from, kind, count, what, |e| Ok(f64::from(<$type>::from_le_bytes(bytes(e)))))?)
        };
    }
    let exact = |x: i128| {
        let near = x as f64;
        if near as i128 == x { Ok(near) } else { Err(format!("{x} is not exact as a number of 64 bits")) }
    };
    Ok(match (kind.letter, kind.size) {
        (b'b' | b'u', 1) => NpyValues::U8(all(from, kind, count, what, |e| Ok(e[0]))?),
        (b'i', 1) => numbers!(i8),
        (b'u', 2) => numbers!(u16),
        (b'i', 2) => numbers!(i16),
        (b'u', 4) => numbers!(u32),
        (b'i', 4) => numbers!(i32),
        (b'u', 8) => {
            NpyValues::F64(all(from, kind, count, what, |e| exact(u64::from_le_bytes(bytes(e)).into()))?)
        }
        (b'i', 8) => {
            NpyValues::F64(all(from, kind, count, what, |e| exact(i64::from_le_bytes(bytes(e)).into()))?)
        }
        (b'f', 2) => {
            NpyValues::F64(all(from, kind, count, what, |e| Ok(half(u16::from_le_bytes(bytes(e)))))?)
        }
        (b'f', 4) => NpyValues::F32(all(from, kind, count, what, |e| Ok(f32::from_le_bytes(bytes(e))))?),
        (b'f', _) => numbers!(f64),
        (b'U', _) => NpyValues::Text(all(from, kind, count, what, |e| {
            let points = e.as_chunks::<4>().0.iter().map(|c| u32::from_le_bytes(*c));
            let text: Option<String> = points.map(char::from_u32).collect();
            text.map(|text| text.trim_end_matches('\0').to_string()).ok_or_else(|| "it is no text".into())
        })?),
        _ => NpyValues::Text(all(from, kind, count, what, |e| {
            let text = std::str::from_utf8(e).map_err(|_| "it is no text in UTF-8")?;
            Ok(text.trim_end_matches('\0').to_string())
        })?),
    })
}

/// A number of 16 bits: one for the sign, five for the exponent, ten for the digits (IEEE 754, binary16).
fn half(bits: u16) -> f64 {
    let (exponent, digits) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => digits * 2f64.powi(-24),
        31 if digits == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + digits) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// Elements whose first index runs fastest, in the order in which the last one does.
fn row_major(values: NpyValues, shape: &[usize], what: &str) -> Result<NpyValues> {
    fn order<X: Clone>(values: &[X], shape: &[usize], what: &str) -> Result<Vec<X>> {
        let mut strides = Vec::with_capacity(shape.len());
        let mut stride = 1;
        for n in shape {
            strides.push(stride);
            stride *= n;
        }
        let mut ordered = with_room(values.len(), what)?;
        let (mut index, mut at) = (vec![0; shape.len()], 0);
        for _ in 0..values.len() {
            ordered.push(values[at].clone());
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                at += strides[axis];
                if index[axis] < shape[axis] {
                    break;
                }
                at -= strides[axis] * shape[axis];
                index[axis] = 0;
            }
        }
        Ok(ordered)
    }
    Ok(match values {
        NpyValues::U8(v) => NpyValues::U8(order(&v, shape, what)?),
        NpyValues::F32(v) => NpyValues::F32(order(&v, shape, what)?),
        NpyValues::F64(v) => NpyValues::F64(order(&v, shape, what)?),
        NpyValues::Text(v) => NpyValues::Text(order(&v, shape, what)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(descr: &str, order: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let size = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &size[..], header.as_bytes(), elements].concat()
    }

    fn found(bytes: &[u8]) -> Result<NpyArray> {
        read_from(&mut &bytes[..], "a", &ReadOptions::default())
    }

    #[test]
    fn every_type_is_read() {
        let values = |descr: &str, elements: &[u8], n: usize| {
            found(&file(descr, "False", &format!("({n},)"), elements)).unwrap().into_parts().1
        };
        assert_eq!(values("|u1", &[1, 255], 2), NpyValues::U8(vec![1, 255]));
        assert_eq!(values("|b1", &[1, 0], 2), NpyValues::U8(vec![1, 0]));
        assert_eq!(values("|i1", &[1, 255], 2), NpyValues::F64(vec![1.0, -1.0]));
        assert_eq!(values("<i2", &[1, 0, 254, 255], 2), NpyValues::F64(vec![1.0, -2.0]));
        assert_eq!(values(">i2", &[0, 1, 255, 254], 2), NpyValues::F64(vec![1.0, -2.0]));
        assert_eq!(values("<u2", &[255, 255], 1), NpyValues::F64(vec![65535.0]));
        assert_eq!(values("<i8", &(-5i64).to_le_bytes(), 1), NpyValues::F64(vec![-5.0]));
        assert_eq!(values(">f4", &1.5f32.to_be_bytes(), 1), NpyValues::F32(vec![1.5]));
        assert_eq!(values("<f8", &(-0.1f64).to_le_bytes(), 1), NpyValues::F64(vec![-0.1]));
        // 1, −2, the least and the largest number of 16 bits.
        let halves: Vec<u8> = [0x3c00u16, 0xc000, 1, 0x7bff].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(values("<f2", &halves, 4), NpyValues::F64(vec![1.0, -2.0, 2f64.powi(-24), 65504.0]));
        let text: Vec<u8> =
            ['a', 'é', '\0', 'b', '\0', '\0'].iter().flat_map(|c| (*c as u32).to_le_bytes()).collect();
        assert_eq!(values("<U3", &text, 2), NpyValues::Text(vec!["aé".into(), "b".into()]));
        assert_eq!(values("|S2", b"ab\0\0", 2), NpyValues::Text(vec!["ab".into(), "".into()]));
        let big = (1u64 << 53) + 1;
        let error = found(&file("<u8", "False", "(1,)", &big.to_le_bytes())).unwrap_err().to_string();
        assert!(error.contains("element 0") && error.contains("is not exact"), "{error}");
    }

    #[test]
    fn columns_first_become_rows_first() {
        let array = found(&file("|u1", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(array.values(), &NpyValues::U8(vec![1, 2, 3, 4, 5, 6]));
        // The element (i, j, k) of 2×3×2 is i + 10j + 100k.
        let mut elements = Vec::new();
        for k in 0..2u8 {
            for j in 0..3u8 {
                elements.extend([10 * j + 100 * k, 1 + 10 * j + 100 * k]);
            }
        }
        let array = found(&file("|u1", "True", "(2, 3, 2)", &elements)).unwrap();
        let expected = vec![0, 100, 10, 110, 20, 120, 1, 101, 11, 111, 21, 121];
        assert_eq!(array.values(), &NpyValues::U8(expected));
        assert_eq!(found(&file("|u1", "True", "(0, 3)", &[])).unwrap().values().len(), 0);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for (bytes, why) in [
            (b"PK\x03\x04....".to_vec(), "does not begin as one"),
            (b"\x93NUM".to_vec(), "does not begin as one"),
            (b"\x93NUMPY\x09\x00..".to_vec(), "version 9"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(), "its header has 4294967295 bytes"),
            (file("<f8", "False", "(2,)", &[0; 12]), "cut short"),
            (file("<f8", "False", "(1,)", &[0; 12]), "more behind its 1 element"),
            (file("<f8", "False", "(1000000000000,)", &[0; 8]), "cut short"),
            (file("<f8", "False", "(10000000000, 10000000000)", &[]), "more elements than any memory holds"),
            (file("|O", "False", "(1,)", &[0; 8]), "objects of Python"),
            (file("|O8", "False", "(1,)", &[0; 8]), "objects of Python"),
            (file("<c16", "False", "(1,)", &[0; 16]), "the type `<c16`"),
            (file("<U99999", "False", "(1,)", &[]), "may have 1 to 4096"),
            (file("<U0", "False", "(20000000,)", &[]), "may have 1 to 4096"),
            (file("<U1", "False", "(1,)", &[255; 4]), "it is no text"),
            (file("é", "False", "(1,)", &[]), "is not read"),
        ] {
            let error = found(&bytes).unwrap_err().to_string();
            assert!(error.starts_with("a: ") && error.contains(why), "{why}: {error}");
        }
        let small = ReadOptions::default().memory(15);
        let error = read_from(&mut &file("<f8", "False", "(2,)", &[0; 16])[..], "a", &small).unwrap_err();
        assert!(matches!(error, Error::Memory { needed: 16, .. }), "{error}");
    }
}
