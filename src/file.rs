//! Files that are there as a whole or not at all.
//!
//! A program that is killed in the middle of writing leaves its temporary file behind, `.tapegrad-` and
//! some letters and `.tmp`. Whoever writes into that folder later removes what is old and nobody's any more.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Opens a regular file to read; `what` is what a message calls such a file.
pub(crate) fn open(path: &Path, what: &str) -> Result<File> {
    // Before opening: to open a named pipe would wait for a writer, perhaps forever.
    let meta = fs::metadata(path).map_err(Error::io(path))?;
    if !meta.is_file() {
        let found = if meta.is_dir() { "a folder" } else { "a device or pipe" };
        return Err(Error::io(path)(io::Error::other(format!("expected {what}, found {found}"))));
    }
    File::open(path).map_err(Error::io(path))
}

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
/// `path` is empty, a folder, a device, a pipe, a link that leads nowhere or no name that a file can have, or
/// `fill` fails.
pub fn write(path: impl AsRef<Path>, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    Staged::new(path, fill)?.commit()
}

/// A file that is written, but not there yet: [`write()`] in two steps, for several files that should come
/// all together or, as long as that can be told, not at all. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    target: PathBuf,
    temporary: Temporary,
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
        let (target, temporary) = prepare(path).map_err(Error::io(path))?;
        let file = temporary.file.as_file();
        let mut writer = BufWriter::new(file);
        fill(&mut writer).and_then(|()| writer.flush()).map_err(Error::io(path))?;
        drop(writer);
        // Without this a crash of the machine could leave the new name on empty contents.
        file.sync_all().map_err(Error::io(path))?;
        Ok(Staged { path: path.to_path_buf(), target, temporary })
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// [`Error::Io`] if the name has become that of a folder, or the folder has been made read-only since.
    pub fn commit(self) -> Result<()> {
        let Staged { path, target, temporary: Temporary { file, listed: _listed } } = self;
        let folder = folder_of(&target).to_path_buf();
        let list = open_files();
        let renamed = file.persist(target);
        drop(list);
        renamed.map_err(|e| Error::io(&path)(e.error))?;
        // The name is the folder's: only when that has reached the disk is the new file there after a power failure.
        // Some file systems cannot be asked for it; the file is whole nevertheless.
        #[cfg(unix)]
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        #[cfg(not(unix))]
        drop(folder);
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
fn prepare(path: &Path) -> io::Result<(PathBuf, Temporary)> {
    let refuse = |why: &str| Err(io::Error::other(why));
    // What lies there may lead to the program's own output, which a renamed file would cut off.
    if ["/dev", "/proc"].iter().any(|special| path.starts_with(special)) {
        return refuse("not a regular file: name one to write to");
    }
    if path.as_os_str().is_empty() {
        return refuse("an empty path names no file");
    }
    // `a/` and `a/.` would be renamed to in the end only, and that fails.
    let whole = path.as_os_str().as_encoded_bytes();
    if !path.file_name().is_some_and(|name| whole.ends_with(name.as_encoded_bytes())) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // A missing file is to be made. One whose name is too long, or whose folder may not be looked into, is not.
    let there = |found: io::Result<fs::Metadata>| match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    };
    let link = there(fs::symlink_metadata(path))?.is_some_and(|found| found.is_symlink());
    let target = if link { fs::canonicalize(path)? } else { path.to_path_buf() };
    #[cfg(unix)]
    let mut mode = 0o666;
    if let Some(old) = there(fs::metadata(&target))? {
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
    let folder = folder_of(&target);
    fs::metadata(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(LETTERS);
    // Temporary files are private by default; the result should be as readable as any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    let mut list = open_files();
    // The error's own text would name the temporary file.
    let file = builder.tempfile_in(folder).map_err(|e| io::Error::from(e.kind()))?;
    let listed = Listed(file.path().to_path_buf());
    list.push(listed.0.clone());
    drop(list);
    // Held until the file is closed, however this process ends: see `clean`. Where a file system has no locks,
    // age alone decides.
    let _ = file.as_file().try_lock();
    clean(folder, &file);
    Ok((target, Temporary { file, listed }))
}

/// The temporary files of this process. A signal ends the process as a whole, wherever it is, and runs no destructor:
/// what removes them then has nothing else to know them by. Nothing but [`exit`] reads the list.
static OPEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn open_files() -> MutexGuard<'static, Vec<PathBuf>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Temporary {
    file: NamedTempFile,
    // Behind the file: it is off the list once it is gone.
    listed: Listed,
}

/// A temporary file's place on the list.
#[derive(Debug)]
struct Listed(PathBuf);

impl Drop for Listed {
    fn drop(&mut self) {
        open_files().retain(|path| *path != self.0);
    }
}

/// Ends the program from any thread, and leaves no temporary file behind.
#[cfg(feature = "cli")]
pub(crate) fn exit(code: u8) -> ! {
    // Held to the end: no other thread begins a file any more, or finds that the one it is to rename has gone.
    let list = open_files();
    for path in list.iter() {
        let _ = fs::remove_file(path);
    }
    std::process::exit(code.into())
}

/// The folder that a file is in; that of a bare name is "", which no system call takes.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The name of a temporary file: these two, and letters and digits between them.
const PREFIX: &str = ".tapegrad-";
const SUFFIX: &str = ".tmp";
const LETTERS: usize = 10;

/// From this age on a temporary file that nobody holds a lock on is taken for left behind. A new one may not be
/// locked yet.
const OLD: Duration = Duration::from_secs(600);

/// The same where the file system has no locks.
const VERY_OLD: Duration = Duration::from_secs(24 * 3600);

/// Removes what programs that were killed have left in the folder: temporary files with a name of ours, of the
/// same user, that are old and that no process holds. What cannot be removed stays.
fn clean(folder: &Path, own: &NamedTempFile) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if is_ours(&entry.file_name()) && entry.file_name() != own.path().file_name().unwrap_or_default() {
            let _ = remove_if_left(&entry.path(), own.as_file());
        }
    }
}

fn is_ours(name: &std::ffi::OsStr) -> bool {
    let letters = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
    letters.is_some_and(|letters| {
        letters.len() == LETTERS && letters.bytes().all(|letter| letter.is_ascii_alphanumeric())
    })
}

fn remove_if_left(path: &Path, own: &File) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    // A time in the future is no age.
    let age = SystemTime::now().duration_since(found.modified()?).unwrap_or_default();
    #[cfg(unix)]
    let same_user = {
        use std::os::unix::fs::MetadataExt;
        found.uid() == own.metadata()?.uid()
    };
    #[cfg(not(unix))]
    let same_user = own.metadata().is_ok();
    if !found.is_file() || !same_user || age < OLD {
        return Ok(());
    }
    let left = match File::options().write(true).open(path)?.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => age > VERY_OLD,
    };
    if left { fs::remove_file(path) } else { Ok(()) }
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

    /// Makes a file look older than it is.
    fn age(path: &Path, age: Duration) {
        File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn what_a_killed_program_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let left = path(".tapegrad-0123456789.tmp");
        let others = [
            ".tapegrad-012345678.tmp",
            ".tapegrad-01234567-9.tmp",
            ".tapegrad-report",
            ".tmpAbCdEf",
            "tapegrad-0123456789.tmp",
            ".tapegrad-0123456789.tmp.old",
        ];
        for name in others.iter().map(|name| path(name)).chain([left.clone()]) {
            fs::write(&name, b"half").unwrap();
            age(&name, OLD + Duration::from_secs(60));
        }
        fs::create_dir(path(".tapegrad-abcdefghij.tmp")).unwrap();
        let new = path(".tapegrad-9876543210.tmp");
        fs::write(&new, b"of a program that has just begun").unwrap();
        // As old, and another process is at work on it: locks are of open files, not of processes.
        let held = path(".tapegrad-ABCDEFGHIJ.tmp");
        let holder = File::create(&held).unwrap();
        holder.lock().unwrap();
        age(&held, OLD + Duration::from_secs(60));
        write(path("file"), |out| out.write_all(b"new")).unwrap();
        assert!(!left.exists());
        assert!(new.exists() && held.exists() && path(".tapegrad-abcdefghij.tmp").is_dir());
        assert!(others.iter().all(|name| path(name).exists()));
        drop(holder);
        check_writable(path("file")).unwrap();
        assert!(!held.exists());
    }

    #[test]
    fn a_staged_file_is_nobody_elses_to_remove() {
        let folder = tempfile::tempdir().unwrap();
        let staged = Staged::new(folder.path().join("a"), |out| out.write_all(b"a")).unwrap();
        age(staged.temporary.file.path(), OLD * 2);
        assert!(is_ours(staged.temporary.file.path().file_name().unwrap()));
        write(folder.path().join("b"), |out| out.write_all(b"b")).unwrap();
        staged.commit().unwrap();
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"a");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn names_that_no_file_can_have_are_refused_before_anything_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: PathBuf| check_writable(path).unwrap_err().to_string();
        assert_eq!(error(PathBuf::new()), "\"\": an empty path names no file");
        assert!(error(folder.path().join("a/")).contains("is a directory"));
        assert!(error(folder.path().join("a/.")).contains("is a directory"));
        assert!(error(folder.path().join("a".repeat(300))).contains("too long"));
        assert!(error(folder.path().join("..")).contains("is a directory"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
            assert!(error(folder.path().join("loop")).contains("symbolic links"));
            assert!(error(folder.path().join("loop/file")).contains("symbolic links"));
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
