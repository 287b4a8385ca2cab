//! Small pixel images inside drawings: heat maps, decision regions, digits.

use std::io::Write as _;

use flate2::{Compression, Crc, write::ZlibEncoder};
use serde::{Deserialize, Serialize};

/// Pixels: red, green, blue, alpha, from the top row to the bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
}

impl Image {
    /// The image with `pixel(column, row)` at each place, row 0 at the top.
    pub fn from_fn(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 4]) -> Image {
        let pixel = &pixel;
        let pixels = (0..height).flat_map(|row| (0..width).map(move |column| pixel(column, row))).collect();
        Image { width, height, pixels }
    }

    /// A picture in grey, dark strokes on light: byte 0 is white, 255 black.
    ///
    /// # Panics
    /// If there are not `height`·`width` bytes.
    pub fn from_bytes(bytes: &[u8], height: usize, width: usize) -> Image {
        assert!(bytes.len() == height * width, "{} bytes are not an image of {height}×{width}", bytes.len());
        Image::from_fn(width, height, |column, row| {
            let grey = 255 - bytes[row * width + column];
            [grey, grey, grey, 255]
        })
    }

    /// Columns of pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The picture as a PNG file (ISO/IEC 15948): colour type 6, no filter.
    pub fn png(&self) -> Vec<u8> {
        let mut header = Vec::new();
        header.extend((self.width as u32).to_be_bytes());
        header.extend((self.height as u32).to_be_bytes());
        header.extend(FORMAT);
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
        for row in self.pixels.chunks(self.width.max(1)) {
            // Writing into a vector cannot fail.
            let _ = packed.write_all(&[0]);
            let _ = packed.write_all(row.as_flattened());
        }
        let mut png = SIGNATURE.to_vec();
        chunk(&mut png, b"IHDR", &header);
        chunk(&mut png, b"IDAT", &packed.finish().unwrap_or_default());
        chunk(&mut png, b"IEND", &[]);
        png
    }

    /// The picture as a `data:` address, which lies in the page itself.
    pub fn data_url(&self) -> String {
        self.picture().data_url()
    }

    /// The picture as it is kept.
    pub(super) fn picture(&self) -> Picture {
        Picture(base64(&self.png()))
    }
}

/// A PNG file in base 64, of the form that [`Image::png`] writes. One that is read from a file is checked
/// to be that: no other address, no markup, no size that only the header claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Picture(String);

/// Most columns and rows of a picture that is read; the experiments draw a few hundred.
const LARGEST: u32 = 4096;

impl Picture {
    /// The picture as a `data:` address.
    pub fn data_url(&self) -> String {
        format!("data:image/png;base64,{}", self.0)
    }
}

impl From<Picture> for String {
    fn from(picture: Picture) -> String {
        picture.0
    }
}

impl TryFrom<String> for Picture {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Picture, &'static str> {
        let png = from_base64(&text).ok_or("a picture is not in base 64")?;
        check_png(&png).ok_or("a picture is not a PNG file as this program writes them")?;
        Ok(Picture(text))
    }
}

/// Whether these are the three chunks that [`Image::png`] writes, with the right sums.
fn check_png(png: &[u8]) -> Option<()> {
    let rest = png.strip_prefix(SIGNATURE)?;
    let (header, rest) = take_chunk(rest, b"IHDR")?;
    let (width, height) = (header.first_chunk::<4>()?, header.get(4..)?.first_chunk::<4>()?);
    let fits = [width, height].iter().all(|size| u32::from_be_bytes(**size) <= LARGEST);
    let (_, rest) = take_chunk(rest, b"IDAT")?;
    let (end, rest) = take_chunk(rest, b"IEND")?;
    (fits && header.get(8..)? == FORMAT && end.is_empty() && rest.is_empty()).then_some(())
}

/// The data of the chunk that `bytes` begin with, if it is of that kind and whole; and what follows it.
fn take_chunk<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<(&'a [u8], &'a [u8])> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let (named, rest) = bytes.get(4..)?.split_at_checked(length.checked_add(4)?)?;
    let data = named.strip_prefix(kind)?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let mut crc = Crc::new();
    crc.update(named);
    (crc.sum().to_be_bytes() == *sum).then_some((data, rest))
}

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Eight bits, red green blue alpha, the only compression, the only filter set, not interlaced.
const FORMAT: [u8; 5] = [8, 6, 0, 0, 0];

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    png.extend((data.len() as u32).to_be_bytes());
    png.extend(kind);
    png.extend(data);
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    png.extend(crc.sum().to_be_bytes());
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base 64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for k in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * k)) as usize & 63];
            text.push(if k <= three.len() { digit as char } else { '=' });
        }
    }
    text
}

/// The bytes, if the text is base 64 with padding and nothing else.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let padding = digits.iter().rev().take_while(|digit| **digit == b'=').count();
    let digits = &digits[..digits.len() - padding];
    if padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for four in digits.chunks(4) {
        let mut bits = 0u32;
        for (k, digit) in four.iter().enumerate() {
            bits |= (VALUES[usize::from(*digit)]? as u32) << (18 - 6 * k);
        }
        bytes.extend(&bits.to_be_bytes()[1..four.len()]);
    }
    Some(bytes)
}

/// The value of each digit of base 64.
const VALUES: [Option<u8>; 256] = {
    let mut values = [None; 256];
    let mut k = 0;
    while k < 64 {
        values[DIGITS[k] as usize] = Some(k as u8);
        k += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc() {
        let pairs = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
            assert_eq!(from_base64(coded).as_deref(), Some(plain.as_bytes()));
        }
        for bad in ["Z", "Zg", "Zg=", "Zg==\n", "=", "====", "Zg==Zg==", "Zm9\"", "Zm9é"] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_a_picture_of_ours_is_read() {
        let image = Image::from_fn(3, 2, |column, row| [column as u8, row as u8, 7, 255]);
        let good = image.png();
        let read = |png: &[u8]| Picture::try_from(base64(png));
        assert_eq!(read(&good), Ok(image.picture()));
        for at in 0..good.len() {
            // The data itself is a matter of its checksum: a picture that is broken, and no more.
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(read(&bad).is_err(), "byte {at}");
            assert!(read(&good[..at]).is_err(), "{at} bytes");
        }
        let mut huge = SIGNATURE.to_vec();
        chunk(
            &mut huge,
            b"IHDR",
            &[[0, 0, 16, 1], [0, 0, 0, 1]].concat().into_iter().chain(FORMAT).collect::<Vec<_>>(),
        );
        chunk(&mut huge, b"IDAT", &[]);
        chunk(&mut huge, b"IEND", &[]);
        assert!(read(&huge).is_err());
    }

    #[test]
    fn a_png_unpacks_to_its_pixels() {
        let image = Image::from_fn(3, 2, |column, row| [column as u8, row as u8, 7, 255]);
        let png = image.png();
        assert_eq!(png[16..24], [0, 0, 0, 3, 0, 0, 0, 2]);
        let length = u32::from_be_bytes(png[33..37].try_into().unwrap()) as usize;
        assert_eq!(png[37..41], *b"IDAT");
        let mut rows = Vec::new();
        let mut reader = flate2::read::ZlibDecoder::new(&png[41..41 + length]);
        std::io::Read::read_to_end(&mut reader, &mut rows).unwrap();
        let expected: Vec<u8> = (0..2u8)
            .flat_map(|row| [vec![0], (0..3u8).flat_map(|column| [column, row, 7, 255]).collect()].concat())
            .collect();
        assert_eq!(rows, expected);
        // The checksum of an empty IEND chunk stands in the standard's every example.
        assert!(png.ends_with(b"IEND\xae\x42\x60\x82"));
    }
}
