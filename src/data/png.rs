//! Images in the PNG format, as samples.

use std::io::BufReader;
use std::path::Path;

use png::{ColorType, Decoder, Limits, Transformations};

use super::Dataset;
use crate::memory::{reserve, with_room};
use crate::{Error, Result, text};

/// Pixels of an image at most.
const MOST_PIXELS: usize = 1 << 24;

/// Memory that a decoder may take.
const MEMORY: usize = 1 << 28;

impl Dataset {
    /// A sample of each image, all of one size, in the order given: grey values, read as x/255. Of colours, the luminance
    /// 0.299 r + 0.587 g + 0.114 b (ITU-R BT.601); what is transparent stands on black.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read; [`Error::Data`] if there is none, one is no PNG image, has more than 2²⁴
    /// pixels, or another size than the first.
    pub fn from_png<P: AsRef<Path>>(paths: &[P]) -> Result<Dataset> {
        let mut size = None;
        let mut pixels = Vec::new();
        for path in paths {
            let path = path.as_ref();
            let (found, image) = read(path)?;
            let (width, height) = *size.get_or_insert(found);
            if found != (width, height) {
                let (path, (w, h)) = (text::path(path), found);
                let why = format!("{path}: an image of {w}×{h}, and the first one has {width}×{height}");
                return Err(Error::Data(why));
            }
            reserve(&mut pixels, image.len(), "the images")?;
            pixels.extend(image);
        }
        let Some((width, height)) = size else { return Err(Error::Data("there are no images".into())) };
        Dataset::new(pixels, width * height)?.with_image_shape(height, width)
    }
}

/// Width, height and grey values.
fn read(path: &Path) -> Result<((usize, usize), Vec<u8>)> {
    let refuse = |why: String| Error::Data(format!("{}: {why}", text::path(path)));
    let broken = |error: png::DecodingError| {
        let why = error.to_string();
        refuse(format!("the image cannot be read: {}", text::printable(&why)))
    };
    let file = crate::file::open(path, "an image")?;
    let limits = Limits { bytes: MEMORY };
    let mut decoder = Decoder::new_with_limits(BufReader::new(file), limits);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(broken)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    // The decoder looks up colours of three bytes each, and panics where one is cut off.
    if reader.info().palette.as_ref().is_some_and(|palette| palette.is_empty() || palette.len() % 3 != 0) {
        return Err(refuse("the image cannot be read: its palette is not of whole colours".into()));
    }
    let (color, _) = reader.output_color_type();
    let pixels = width.saturating_mul(height);
    let Some(bytes) = reader.output_buffer_size().filter(|_| pixels <= MOST_PIXELS) else {
        return Err(refuse(format!("an image of {width}×{height} pixels, and {MOST_PIXELS} are the most")));
    };
    let mut image = with_room(bytes, "an image")?;
    image.resize(bytes, 0u8);
    reader.next_frame(&mut image).map_err(broken)?;
    let luminance = |c: &[u8]| {
        let sum = 299 * u32::from(c[0]) + 587 * u32::from(c[1]) + 114 * u32::from(c[2]);
        ((sum + 500) / 1000) as u8
    };
    let on_black = |grey: u8, alpha: u8| ((u32::from(grey) * u32::from(alpha) + 127) / 255) as u8;
    let grey = match color {
        ColorType::Grayscale => image,
        ColorType::GrayscaleAlpha => image.chunks_exact(2).map(|c| on_black(c[0], c[1])).collect(),
        ColorType::Rgb => image.chunks_exact(3).map(luminance).collect(),
        ColorType::Rgba => image.chunks_exact(4).map(|c| on_black(luminance(c), c[3])).collect(),
        ColorType::Indexed => return Err(refuse("its colours cannot be read".into())),
    };
    Ok(((width, height), grey))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn written(path: &Path, color: ColorType, width: u32, pixels: &[u8]) {
        let height = pixels.len() as u32 / (width * color.samples() as u32);
        let mut encoder = png::Encoder::new(File::create(path).unwrap(), width, height);
        encoder.set_color(color);
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    }

    #[test]
    fn grey_values_of_every_kind_of_image() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let names = ["grey", "alpha", "rgb", "rgba"].map(path);
        written(&names[0], ColorType::Grayscale, 2, &[0, 255, 128, 7]);
        written(&names[1], ColorType::GrayscaleAlpha, 2, &[200, 255, 200, 0, 100, 128, 1, 255]);
        written(&names[2], ColorType::Rgb, 2, &[255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]);
        written(&names[3], ColorType::Rgba, 2, &[9, 9, 9, 255, 9, 9, 9, 0, 255, 255, 255, 51, 0, 0, 0, 255]);
        let data = Dataset::from_png(&names).unwrap();
        assert_eq!((data.len(), data.image_shape()), (4, Some((2, 2))));
        let expected = [[0u8, 255, 128, 7], [200, 0, 50, 1], [76, 150, 29, 255], [9, 0, 51, 0]];
        for (i, expected) in expected.iter().enumerate() {
            assert_eq!(data.bytes(i).unwrap(), expected, "{i}");
        }
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (small, wide, none) =
            (folder.path().join("a"), folder.path().join("b"), folder.path().join("none"));
        written(&small, ColorType::Grayscale, 2, &[0; 4]);
        written(&wide, ColorType::Grayscale, 4, &[0; 8]);
        let error = |paths: &[&Path]| Dataset::from_png(paths).unwrap_err().to_string();
        assert!(error(&[&small, &wide]).contains("an image of 4×2, and the first one has 2×2"));
        assert!(error(&[]).contains("there are no images"));
        assert!(error(&[&none]).contains("none"));
        let whole = std::fs::read(&small).unwrap();
        for end in 0..whole.len() - 12 {
            std::fs::write(&wide, &whole[..end]).unwrap();
            assert!(error(&[&wide]).contains("cannot be read"), "{end}");
        }
        // A size that no file of these bytes has.
        let mut large = whole.clone();
        large[16..24].fill(0x7f);
        std::fs::write(&wide, &large).unwrap();
        assert!(Dataset::from_png(&[&wide]).is_err());
    }
}
