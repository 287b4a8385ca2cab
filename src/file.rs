//! Files that are there as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Has `fill` write a temporary file beside `path`, and renames it to `path` if all went well.
///
/// Whatever happens, there is the old file or the new one, never half of one. A link is followed, and
/// the permissions of an old file stay.
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
/// [`Error::Io`] if the folder does not exist or cannot be written to, an old file is write-protected,
/// `path` is a folder, a device, a pipe or a link that leads nowhere, or `fill` fails.
pub fn write(path: impl AsRef<Path>, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    Staged::new(path, fill)?.commit()
}

/// A file that is written, but not there yet: [`write()`] in two steps, for several files that should come
/// all together or, as long as that can be told, not at all. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    target: PathBuf,
    file: NamedTempFile,
}

impl Staged {
    /// Has `fill` write a temporary file beside `path`.
    ///
    /// # Errors
    /// As [`write()`].
    pub fn new(
        path: impl AsRef<Path>,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Staged> {
        let path = path.as_ref();
        let (target, file) = prepare(path).map_err(Error::io(path))?;
        let mut writer = BufWriter::new(file.as_file());
        fill(&mut writer).and_then(|()| writer.flush()).map_err(Error::io(path))?;
        drop(writer);
        // Without this a crash of the machine could leave the new name on empty contents.
        file.as_file().sync_all().map_err(Error::io(path))?;
        Ok(Staged { path: path.to_path_buf(), target, file })
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// [`Error::Io`] if the name has become that of a folder, or the folder has been made read-only since.
    pub fn commit(self) -> Result<()> {
        self.file.persist(self.target).map_err(|e| Error::io(&self.path)(e.error))?;
        Ok(())
    }
}

/// Whether [`write()`] could write to `path`, found out without touching it.
///
/// # Errors
/// As [`write()`].
pub fn check_writable(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    prepare(path).map(drop).map_err(Error::io(path))
}

/// The file that `path` leads to, and a temporary file in the same folder.
fn prepare(path: &Path) -> io::Result<(PathBuf, NamedTempFile)> {
    let refuse = |why: &str| Err(io::Error::other(why));
    // What lies there may lead to the program's own output, which a renamed file would cut off.
    if ["/dev", "/proc"].iter().any(|special| path.starts_with(special)) {
        return refuse("not a regular file: name one to write to");
    }
    let link = fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink());
    let target = if link { fs::canonicalize(path)? } else { path.to_path_buf() };
    let mut mode = 0o666;
    if let Ok(old) = fs::metadata(&target) {
        if old.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !old.is_file() {
            return refuse("not a regular file: name one to write to");
        }
        // A renamed file would get around the protection of the old one.
        File::options().write(true).open(&target)?;
        #[cfg(unix)]
        {
            mode = std::os::unix::fs::PermissionsExt::mode(&old.permissions()) & 0o7777;
        }
    }
    // The folder of a bare name is "", which no system call takes.
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::metadata(folder)?;
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; the result should be as readable as any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    // The error's own text would name the temporary file.
    let file = builder.tempfile_in(folder).map_err(|e| io::Error::from(e.kind()))?;
    Ok((target, file))
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
    fn what_is_staged_is_there_once_it_is_committed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let staged = |text: &'static str| Staged::new(&path, |out| out.write_all(text.as_bytes())).unwrap();
        drop(staged("never"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let new = staged("new");
        assert!(!path.exists());
        new.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
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
    fn links_stay_links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, b"old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&file, &link).unwrap();
        write(&link, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        let nowhere = folder.path().join("nowhere");
        symlink(folder.path().join("gone"), &nowhere).unwrap();
        assert!(write(&nowhere, |_| Ok(())).is_err());
        assert!(fs::symlink_metadata(&nowhere).unwrap().is_symlink());
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_pipes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [Path::new("/dev/stdout"), Path::new("/dev/null"), Path::new("/proc/self/fd/1"), &pipe] {
            let error = write(path, |_| Ok(())).unwrap_err().to_string();
            assert!(error.ends_with("not a regular file: name one to write to"), "{error}");
            assert!(check_writable(path).is_err());
        }
    }

    #[test]
    fn checking_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        check_writable(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(&path, b"old").unwrap();
        check_writable(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }
}
