//! [`Archive`]: several arrays by name.

use std::io::Read;
use std::path::Path;

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipSliceArchive};

use super::NpyArray;
use super::read::read_from;
use crate::data::idx::ReadOptions;
use crate::memory::with_room;
use crate::{Error, Result, text};

/// More arrays than this are no data set.
const MOST_ARRAYS: usize = 10_000;

/// A file of several arrays, as `numpy.savez` and `savez_compressed` write them.
pub struct Archive {
    name: String,
    contents: ZipSliceArchive<Vec<u8>>,
    arrays: Vec<String>,
}

impl Archive {
    /// Reads the file; its arrays are unpacked when they are asked for.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Data`] if it is no whole archive; [`Error::Memory`] if it has more bytes
    /// than the options allow.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Archive> {
        let path = path.as_ref();
        let name = text::path(path);
        let mut file = crate::file::open(path, "a file of arrays")?;
        let found = file.metadata().map_err(Error::io(path))?;
        if found.len() > options.memory {
            return Err(Error::Memory { what: name, needed: found.len() });
        }
        let mut bytes = with_room(found.len() as usize, &name)?;
        file.by_ref().take(found.len()).read_to_end(&mut bytes).map_err(Error::io(path))?;
        Archive::new(bytes, name)
    }

    /// An archive in memory; `name` is what messages call it.
    ///
    /// # Errors
    /// [`Error::Data`] if it is no whole archive, or two of its arrays have one name.
    pub fn new(bytes: Vec<u8>, name: String) -> Result<Archive> {
        let broken = |error: rawzip::Error| {
            Error::Data(format!(
                "{name}: not a whole archive of arrays: {}",
                text::printable(&error.to_string())
            ))
        };
        let contents = ZipArchive::from_slice(bytes).map_err(broken)?;
        let (mut arrays, mut entries) = (Vec::new(), contents.entries());
        while let Some(entry) = entries.next_entry().map_err(broken)? {
            let path = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
            if let Some(array) = path.strip_suffix(".npy") {
                arrays.push(array.to_string());
            }
            if arrays.len() > MOST_ARRAYS {
                return Err(Error::Data(format!("{name}: more than {MOST_ARRAYS} arrays")));
            }
        }
        let mut sorted: Vec<&String> = arrays.iter().collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let twice = text::printable(pair[0]);
            return Err(Error::Data(format!(
                "{name}: two arrays are called {twice}: which is meant? remove one"
            )));
        }
        Ok(Archive { name, contents, arrays })
    }

    /// The names of the arrays, in their order.
    pub fn names(&self) -> &[String] {
        &self.arrays
    }

    /// What messages call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The array of that name.
    ///
    /// # Errors
    /// [`Error::Data`] if there is none, it is packed in a way that is not known, or as [`read`](super::read).
    pub fn array(&self, name: &str, options: &ReadOptions) -> Result<NpyArray> {
        let what = format!("{}, array {}", self.name, text::printable(name));
        let broken = |error: rawzip::Error| {
            Error::Data(format!("{what}: cannot be read: {}", text::printable(&error.to_string())))
        };
        let (path, mut entries) = (format!("{name}.npy"), self.contents.entries());
        while let Some(entry) = entries.next_entry().map_err(broken)? {
            if entry.file_path().as_ref() != path.as_bytes() {
                continue;
            }
            let found = self.contents.get_entry(entry.wayfinder()).map_err(broken)?;
            let data = found.data();
            return match entry.compression_method() {
                CompressionMethod::STORE => read_from(&mut found.verifying_reader(data), &what, options),
                CompressionMethod::DEFLATE => {
                    read_from(&mut found.verifying_reader(DeflateDecoder::new(data)), &what, options)
                }
                _ => Err(Error::Data(format!("{what}: packed in a way that is not read"))),
            };
        }
        Err(Error::Data(format!("{}: there is no array `{}`", self.name, text::printable(name))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NpyValues, Written, write_archive};
    use super::*;

    #[test]
    fn arrays_by_name() {
        let numbers = [1.5f64.to_le_bytes(), (-2.5f64).to_le_bytes()].concat();
        let stored =
            write_archive([Written { name: "a", descr: "<f8", shape: &[2], bytes: &numbers }]).unwrap();
        let archive = Archive::new(stored.clone(), "z".into()).unwrap();
        assert_eq!(archive.names(), ["a"]);
        let options = ReadOptions::default();
        assert_eq!(archive.array("a", &options).unwrap().values(), &NpyValues::F64(vec![1.5, -2.5]));
        let error = archive.array("b", &options).unwrap_err().to_string();
        assert_eq!(error, "z: there is no array `b`");
        let array = Written { name: "a", descr: "<f8", shape: &[2], bytes: &numbers };
        let twice = Archive::new(write_archive([array, array]).unwrap(), "z".into()).err().unwrap();
        assert_eq!(twice.to_string(), "z: two arrays are called a: which is meant? remove one");
        // A changed number does not fit its checksum.
        let mut changed = stored.clone();
        let at = changed.windows(16).position(|bytes| bytes == numbers).unwrap();
        changed[at + 3] ^= 1;
        let error = Archive::new(changed, "z".into()).and_then(|z| z.array("a", &options)).unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
        for end in 0..stored.len() {
            let found = Archive::new(stored[..end].to_vec(), "z".into());
            assert!(found.and_then(|archive| archive.array("a", &options)).is_err(), "{end}");
        }
    }
}
