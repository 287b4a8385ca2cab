//! Small pixel images inside drawings: heat maps, decision regions, digits.

use std::io::Write as _;

use flate2::{Compression, Crc, write::ZlibEncoder};

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
        // The sides may stand in a file of rows: their product must not run over, nor anything be counted up to them.
        let fits = height.checked_mul(width) == Some(bytes.len());
        assert!(fits, "{} cannot be an image of {height}×{width}", crate::text::count(bytes.len(), "byte"));
        let grey = |byte: &u8| [255 - byte, 255 - byte, 255 - byte, 255];
        Image { width, height, pixels: bytes.iter().map(grey).collect() }
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
        format!("data:image/png;base64,{}", base64(&self.png()))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc() {
        let pairs = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    /// Sides that only claim to be large take neither time nor room.
    #[test]
    fn sides_are_held_against_the_bytes() {
        assert!(Image::from_bytes(&[], usize::MAX, 0).pixels.is_empty());
        let grown = std::panic::catch_unwind(|| Image::from_bytes(&[], usize::MAX / 2 + 1, 2));
        assert!(grown.is_err());
        assert_eq!(Image::from_bytes(&[0, 255], 1, 2).pixels, [[255, 255, 255, 255], [0, 0, 0, 255]]);
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
