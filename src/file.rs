//! Files that are there as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::{Error, Result};

/// Has `fill` write a temporary file beside `path`, and renames it to `path` if all went well.
///
/// Whatever happens, there is the old file or the new one, never half of one. A link is followed. What
/// is no regular file, such as a terminal or `/dev/null`, is written to directly.
///
/// ```
/// use std::io::Write;
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("note.txt");
/// tapegrad::file::write(&path, |out| writeln!(out, "four words, no more"))?;
/// assert_eq!(std::fs::read_to_string(path).unwrap(), "four words, no more\n");
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`] if the folder does not exist or cannot be written to, `path` is a folder, or `fill`
/// fails.
pub fn write(path: impl AsRef<Path>, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let path = path.as_ref();
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if target.is_dir() {
        return Err(Error::io(path)(io::ErrorKind::IsADirectory.into()));
    }
    if target.exists() && !target.is_file() {
        // Renaming would put a regular file in the place of the device.
        let mut device = File::options().write(true).open(&target).map_err(Error::io(path))?;
        return fill(&mut device).map_err(Error::io(path));
    }
    // The folder of a bare name is "", which no system call takes.
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::metadata(folder).map_err(Error::io(path))?;
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; the result should be as readable as any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // The error's own text would name the temporary file.
    let file = builder.tempfile_in(folder).map_err(|e| Error::io(path)(e.kind().into()))?;
    let mut writer = BufWriter::new(file.as_file());
    fill(&mut writer).and_then(|()| writer.flush()).map_err(Error::io(path))?;
    drop(writer);
    // Without this a crash of the machine could leave the new name on empty contents.
    file.as_file().sync_all().map_err(Error::io(path))?;
    file.persist(&target).map_err(|e| Error::io(path)(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, |out| out.write_all(b"old")).unwrap();
        let error = write(&path, |out| {
            out.write_all(b"half of the ne")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(error.unwrap_err().to_string().starts_with(path.to_str().unwrap()));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_or_in_the_way_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(folder.path(), |_| Ok(())).unwrap_err().to_string().contains("is a directory"));
        let path = folder.path().join("no/such/file");
        let error = write(&path, |_| Ok(())).unwrap_err().to_string();
        assert_eq!(error, format!("{}: No such file or directory (os error 2)", path.display()));
    }

    #[cfg(unix)]
    #[test]
    fn devices_stay_devices_and_links_stay_links() {
        use std::os::unix::fs::FileTypeExt;
        write("/dev/null", |out| out.write_all(b"gone")).unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());

        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, b"old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
