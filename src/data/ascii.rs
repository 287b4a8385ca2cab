//! An image as text, for a look at the data from a terminal.

/// Characters from no ink to full ink.
const SHADES: &[u8; 10] = b" .:-=+*#%@";

/// A grey image as text: one character for each two rows, since a terminal's cells are twice as high as
/// wide; ink is the mean of the two. `height`/2 lines, rounded up, each of `width` characters.
///
/// # Panics
/// If `pixels` does not hold `height * width` bytes.
///
/// ```
/// let text = tapegrad::data::ascii_image(&[0, 255, 0, 255, 100, 0], 3, 2);
/// assert_eq!(text, " @\n= \n");
/// ```
#[track_caller]
pub fn ascii_image(pixels: &[u8], height: usize, width: usize) -> String {
    let n = pixels.len();
    assert!(
        height.checked_mul(width) == Some(n),
        "ascii_image: {} cannot be an image of {height}×{width}",
        crate::text::count(n, "pixel")
    );
    let mut text = String::with_capacity(height.div_ceil(2) * (width + 1));
    for row in (0..height).step_by(2) {
        for col in 0..width {
            let top = u32::from(pixels[row * width + col]);
            // A last single row stands for both halves.
            let bottom = if row + 1 < height { u32::from(pixels[(row + 1) * width + col]) } else { top };
            // Rounded to the nearest of the shades: 0 and 510 land on the first and the last.
            let shade = ((top + bottom) * 9 + 255) / 510;
            text.push(char::from(SHADES[shade as usize]));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::ascii_image;

    #[test]
    fn every_shade() {
        let pixels: Vec<u8> = (0..10).map(|i| (i * 255 / 9) as u8).collect();
        assert_eq!(ascii_image(&pixels, 1, 10), " .:-=+*#%@\n");
        assert_eq!(ascii_image(&[], 0, 0), "");
    }

    #[test]
    #[should_panic(expected = "3 pixels cannot be an image of 2×2")]
    fn a_wrong_size_panics() {
        ascii_image(&[1, 2, 3], 2, 2);
    }
}
