//! [`Text`]: bytes of any file, as windows that a model learns to continue.

use std::io::Read;
use std::path::Path;

use super::Dataset;
use super::affine::Affine;
use crate::memory::{reserve, with_room};
use crate::{Error, Result, file, settings, text};

/// A text, byte by byte: any file is one.
///
/// ```
/// use tapegrad::data::Text;
///
/// let text = Text::new("to be or not to be");
/// let (train, test) = text.split(0.5)?;
/// assert_eq!((train.bytes(), test.bytes()), (&b"to be or "[..], &b"not to be"[..]));
/// // Four bytes, and for each of them the one that follows it.
/// let windows = train.windows(4, 2)?;
/// assert_eq!((windows.len(), windows.features(), windows.labels_per_row()), (3, 4, 4));
/// assert_eq!(windows.to_rows::<f32>()[..4], [116.0, 111.0, 32.0, 98.0]);
/// assert_eq!(windows.labels().unwrap()[..4], [111, 32, 98, 101]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    bytes: Vec<u8>,
}

/// How many different bytes there are.
pub const BYTES: usize = 256;

impl Text {
    /// These bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Text {
        Text { bytes: bytes.into() }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Data`] if it is empty; [`Error::Memory`] if it is larger than that.
    pub fn read(path: impl AsRef<Path>) -> Result<Text> {
        let path = path.as_ref();
        let mut from = file::open(path, "the file of a text")?;
        let len = from.metadata().map_err(Error::io(path))?.len();
        let what = text::path(path);
        let mut bytes = with_room(usize::try_from(len).unwrap_or(usize::MAX), &what)?;
        // A file may grow while it is read: no more of it than there is room for.
        from.by_ref().take(len).read_to_end(&mut bytes).map_err(Error::io(path))?;
        if bytes.is_empty() {
            return Err(Error::Data(format!("{what}: an empty file is no text")));
        }
        Ok(Text { bytes })
    }

    /// What it is made of.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What comes first, and that share of the text with which it ends.
    ///
    /// # Errors
    /// [`Error::Setting`] if the share is not between 0 and 1.
    pub fn split(&self, share: f64) -> Result<(Text, Text)> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::setting("share", format!("{share} is not a share between 0 and 1")));
        }
        let last = (share * self.len() as f64).round() as usize;
        let (first, last) = self.bytes.split_at(self.len() - last);
        Ok((Text::new(first), Text::new(last)))
    }

    /// Windows of `context` bytes, each `stride` behind the one before, as samples of tokens; the labels of a window are
    /// the bytes that follow each of its bytes. With a stride as long as the window every byte but the first is told
    /// once. What stands behind the last whole window is left out.
    ///
    /// Bytes are numbers from 0 to 255, and the names of the classes are printable characters or `0x0A`. They take
    /// 9/`stride` · `context` times the memory of the text.
    ///
    /// # Errors
    /// [`Error::Setting`] if the context is below 2, or the stride 0; [`Error::Data`] if the text is not longer than a
    /// window; [`Error::Memory`] if there is not enough of it.
    pub fn windows(&self, context: usize, stride: usize) -> Result<Dataset> {
        if context < 2 {
            return Err(Error::setting("context", format!("{context} is not at least 2")));
        }
        settings::at_least_one("stride", stride)?;
        let len = self.len();
        let Some(count) =
            len.checked_sub(context).filter(|rest| *rest > 0).map(|rest| (rest - 1) / stride + 1)
        else {
            let why = format!(
                "a text of {} is shorter than a window of {context} and the byte behind it: take a smaller \
                 context",
                text::count(len, "byte")
            );
            return Err(Error::Data(why));
        };
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        reserve(&mut rows, count.saturating_mul(context), "the windows of a text")?;
        reserve(&mut labels, count.saturating_mul(context), "the labels of a text")?;
        for start in (0..count).map(|i| i * stride) {
            rows.extend_from_slice(&self.bytes[start..start + context]);
            labels.extend(self.bytes[start + 1..=start + context].iter().map(|byte| usize::from(*byte)));
        }
        let data = Dataset::new(rows, context)?.with_map(Affine::IDENTITY);
        data.with_token_labels(labels, context, BYTES)?.with_class_names((0..=255).map(byte_name))
    }
}

/// A byte, for people: a printable character of ASCII, or `0x0A`.
fn byte_name(byte: u8) -> String {
    if byte.is_ascii_graphic() { char::from(byte).to_string() } else { format!("0x{byte:02X}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_once_where_windows_do_not_overlap() {
        let text = Text::new((0..=200u8).collect::<Vec<_>>());
        for context in [2, 3, 10, 199, 200] {
            let windows = text.windows(context, context).unwrap();
            let told = windows.labels().unwrap();
            assert!(told.iter().copied().eq(1..=windows.len() * context), "{context}");
            assert!(201 - windows.len() * context <= context);
            // The bytes themselves, and no shares of 255.
            let rows = windows.to_rows::<f64>();
            assert!(rows.iter().zip(told).all(|(x, label)| *x + 1.0 == *label as f64));
        }
        assert_eq!(text.windows(100, 1).unwrap().len(), 101);
        assert_eq!(text.windows(100, 1000).unwrap().len(), 1);
    }

    #[test]
    fn names_of_bytes() {
        let windows = Text::new("abc").windows(2, 1).unwrap();
        let name = |byte: u8| windows.class_name(usize::from(byte)).into_owned();
        assert_eq!([name(b'a'), name(b' '), name(b'\n'), name(0xFF)], ["a", "0x20", "0x0A", "0xFF"]);
    }

    #[test]
    fn what_is_no_text_is_named() {
        let short = |context| Text::new("abcd").windows(context, 1).map(drop);
        assert!(short(3).is_ok());
        assert_eq!(
            short(4).unwrap_err().to_string(),
            "a text of 4 bytes is shorter than a window of 4 and the byte behind it: take a smaller context"
        );
        assert_eq!(short(1).unwrap_err().to_string(), "context: 1 is not at least 2");
        assert_eq!(Text::new("abc").windows(2, 0).unwrap_err().to_string(), "stride: 0 is not at least 1");
        assert!(Text::new("").windows(2, 1).is_err());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        std::fs::write(&path, "").unwrap();
        assert!(Text::read(&path).unwrap_err().to_string().ends_with("empty: an empty file is no text"));
        assert!(Text::read(folder.path()).unwrap_err().to_string().contains("found a folder"));
        assert!(matches!(Text::read(folder.path().join("none")), Err(Error::Io { .. })));
        for share in [0.0, 1.0, f64::NAN] {
            assert!(Text::new("abc").split(share).is_err());
        }
    }
}
