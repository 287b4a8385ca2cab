//! The folder of a report: what is finished, and the page made of it.
//!
//! What is kept of an experiment is its settings and its rows. Claims, figures, tables and the page are never read from a
//! file: they are made of the rows, anew each time.
//!
//! What lies in a folder may come from anybody. A result is read as data, checked as it is read, and used
//! only as the result of the experiment whose folder it lies in. Nothing is written, read or removed through a link.

mod page;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{EXPERIMENTS, Experiment, ExperimentData, Measured, Outcome, Rows, find};
use crate::{Error, Result, file, text};

/// What a result depends on: an experiment with the same settings need not run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Name of the experiment.
    pub experiment: String,
    /// Version of this library.
    pub version: String,
    /// Edition of the code that measured: see [`Experiment::edition`]. Rows of another edition are refused when they are
    /// read, those of another version of the library with the same edition are not.
    pub edition: u32,
    /// Whether it was a quick run.
    pub quick: bool,
    /// The seed.
    pub seed: u64,
    /// What the data was.
    pub data: String,
    /// Checksum of the data, by which other images of the same number are told from these: see
    /// [`ExperimentData::checksum`].
    pub checksum: u32,
}

impl Settings {
    /// The settings of a run with this version of the library.
    pub fn new(experiment: &Experiment, quick: bool, seed: u64, data: &ExperimentData) -> Settings {
        Settings {
            experiment: experiment.name.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            edition: experiment.edition(),
            quick,
            seed,
            data: data.summary(),
            checksum: data.checksum,
        }
    }
}

/// A finished experiment, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// What it depends on.
    pub settings: Settings,
    /// The command that made it, to be shown beside it.
    pub command: String,
    /// How long it took.
    pub seconds: f64,
    /// What was measured.
    rows: Rows,
    /// CRC-32 of the rows as JSON without blanks. It finds an edit by hand and a file that was damaged. It is no seal:
    /// whoever makes up rows can write the right sum beside them, so that reading does not rest on it.
    checksum: u32,
    /// What came out. Not kept: it is made of the rows when they are read.
    #[serde(skip)]
    outcome: Outcome,
}

impl Finished {
    /// With what a run handed back.
    pub fn new(settings: Settings, command: String, seconds: f64, measured: Measured) -> Finished {
        let Measured { rows, outcome } = measured;
        Finished { settings, command, seconds, checksum: rows.checksum(), rows, outcome }
    }

    /// What came out.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

/// The folder of a report: `index.html`, and for each experiment a folder with its result, its figures as
/// SVG and its tables as CSV.
#[derive(Clone, Debug)]
pub struct ReportFolder {
    path: PathBuf,
}

/// The file that tells a folder of ours from all others, and what stands in it.
const MARKER: &str = ".tapegrad-report";
const MARKER_TEXT: &str = "Made by `tapegrad experiments`, which writes over what it finds here.\n";
const RESULT: &str = "result.json";

/// Largest result that is read. Those of the experiments take about a megabyte.
const LARGEST: u64 = 32 << 20;

impl ReportFolder {
    /// The folder at `path`, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Data`] if something lies there that is not a report of this program, and is not empty;
    /// [`Error::Io`] if it cannot be made or written to. Then nothing has been changed.
    pub fn open(path: impl AsRef<Path>) -> Result<ReportFolder> {
        let path = path.as_ref();
        let mut ours = false;
        match fs::read_dir(path) {
            Ok(entries) => {
                let marker = read_file(&path.join(MARKER), MARKER_TEXT.len() as u64);
                ours = marker.is_ok_and(|text| text.as_deref() == Some(MARKER_TEXT));
                if !ours && entries.count() > 0 {
                    return Err(Error::Data(format!(
                        "{}: there are files that are not a report of this program; name another folder \
                         with --out",
                        text::path(path)
                    )));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path).map_err(Error::io(path))?;
            }
            Err(error) => return Err(Error::io(path)(error)),
        }
        let folder = ReportFolder { path: path.to_path_buf() };
        check_place(&folder.page())?;
        if !ours {
            file::write(path.join(MARKER), |out| out.write_all(MARKER_TEXT.as_bytes()))?;
        }
        Ok(folder)
    }

    /// Whether a result of that experiment could be kept, found out before it is there.
    ///
    /// # Errors
    /// [`Error::Io`] if not; [`Error::Data`] if a link lies where its folder should be; [`Error::Setting`]
    /// if there is no such experiment.
    pub fn check(&self, experiment: &str) -> Result<()> {
        let folder = self.folder(experiment)?;
        match fs::symlink_metadata(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            _ => check_place(&folder.join(RESULT)),
        }
    }

    /// The page.
    pub fn page(&self) -> PathBuf {
        self.path.join("index.html")
    }

    /// The result of that experiment, if there is one.
    ///
    /// # Errors
    /// [`Error::Data`] if there is one that cannot be used, and why: it is not whole, or has been edited, or
    /// is of another edition, or of a version that kept something else, or of another experiment. A new run replaces
    /// it. [`Error::Io`] if it cannot be read; [`Error::Setting`] if there is no such experiment.
    pub fn finished(&self, experiment: &str) -> Result<Option<Finished>> {
        let path = self.folder(experiment)?.join(RESULT);
        let Some(text) = read_file(&path, LARGEST)? else { return Ok(None) };
        let refuse = |why: &str| Error::Data(format!("{}: {why}; a new run replaces it", text::path(&path)));
        let mut finished: Finished =
            serde_json::from_str(&text).map_err(|error| refuse(&printable(&error)))?;
        if finished.settings.experiment != experiment {
            return Err(refuse("it is the result of another experiment"));
        }
        let experiment = find(experiment)?;
        if finished.settings.edition != experiment.edition() {
            let (kept, ours) = (finished.settings.edition, experiment.edition());
            let why = format!(
                "it was measured by edition {kept} of the experiment, and this version has edition {ours}"
            );
            return Err(refuse(&why));
        }
        if finished.checksum != finished.rows.checksum() {
            return Err(refuse("what was measured has been edited, or the file was damaged"));
        }
        if !(0.0..1e9).contains(&finished.seconds) {
            return Err(refuse("no experiment takes so many seconds"));
        }
        finished.outcome = experiment.report(&finished.rows).map_err(|error| refuse(&printable(&error)))?;
        Ok(Some(finished))
    }

    /// Keeps a result: its figures and tables, then itself. What an earlier result of the same experiment left is
    /// removed. The page does not show it until it is [written](ReportFolder::write_page) again.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be written; an earlier result is then still there, with its figures.
    /// [`Error::Data`] and [`Error::Setting`] as [`check`](ReportFolder::check).
    pub fn keep(&self, finished: &Finished) -> Result<()> {
        let name = &finished.settings.experiment;
        self.check(name)?;
        let folder = self.folder(name)?;
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        // One that cannot be used has no files that are known to be its own.
        let old = self.finished(name).ok().flatten().map_or(Vec::new(), |old| files(&old));
        let new = files(finished);
        let stage = |name: &str, contents: &str| {
            let path = folder.join(name);
            remove_link(&path)?;
            file::Staged::new(path, |out| out.write_all(contents.as_bytes()))
        };
        let mut staged = Vec::new();
        for (name, contents) in &new {
            staged.push(stage(name, contents)?);
        }
        let json = serde_json::to_string(finished).map_err(|e| Error::io(&folder)(e.into()))?;
        let result = stage(RESULT, &json)?;
        // The result goes first and comes last: while it is there, the figures beside it are its own.
        match fs::remove_file(folder.join(RESULT)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io(folder.join(RESULT))(error));
            }
            _ => {}
        }
        for file in staged {
            file.commit()?;
        }
        result.commit()?;
        for (name, _) in old.iter().filter(|(name, _)| new.iter().all(|(other, _)| other != name)) {
            // One that is gone already is as good.
            let _ = fs::remove_file(folder.join(name));
        }
        Ok(())
    }

    /// Writes those figures and tables of a result that are not there any more, or are not its own.
    ///
    /// # Errors
    /// As [`keep`](ReportFolder::keep).
    pub fn restore(&self, finished: &Finished) -> Result<()> {
        let folder = self.folder(&finished.settings.experiment)?;
        for (name, contents) in files(finished) {
            let path = folder.join(name);
            let there = read_file(&path, contents.len() as u64);
            if !there.is_ok_and(|text| text.as_ref() == Some(&contents)) {
                remove_link(&path)?;
                file::write(path, |out| out.write_all(contents.as_bytes()))?;
            }
        }
        Ok(())
    }

    /// Writes the page of all results in the folder that can be used.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn write_page(&self) -> Result<()> {
        let there = EXPERIMENTS.iter().filter_map(|experiment| self.finished(experiment.name).ok()?);
        let finished: Vec<Finished> = there.collect();
        let html = page::of(&finished).html();
        remove_link(&self.page())?;
        file::write(self.page(), |out| out.write_all(html.as_bytes()))
    }

    /// The folder of an experiment, which need not be there.
    fn folder(&self, experiment: &str) -> Result<PathBuf> {
        // Only a name from the table may become a part of a path.
        let folder = self.path.join(find(experiment)?.name);
        if is_link(&folder) {
            let why = "a link, which a report does not have: remove it, or name another folder with --out";
            return Err(Error::Data(format!("{}: {why}", text::path(&folder))));
        }
        Ok(folder)
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

/// Removes what lies at `path` if it is a link, which a file is to take the place of: written through it,
/// the file would land where it points to.
fn remove_link(path: &Path) -> Result<()> {
    if is_link(path) { fs::remove_file(path).map_err(Error::io(path)) } else { Ok(()) }
}

/// Whether a file could be written at `path`, where a link would be replaced.
fn check_place(path: &Path) -> Result<()> {
    if is_link(path) { file::check_writable(path.with_extension("new")) } else { file::check_writable(path) }
}

/// The text of a regular file of at most that many bytes, if there is one. Links, pipes and devices are
/// none: some have no end.
fn read_file(path: &Path, most: u64) -> Result<Option<String>> {
    let refuse = |why: String| Err(Error::Data(format!("{}: {why}", text::path(path))));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path)(error)),
        Ok(found) if !found.is_file() => return refuse("not a regular file".into()),
        Ok(found) if found.len() > most => return refuse(format!("more than {most} bytes")),
        Ok(_) => {}
    }
    let mut text = String::new();
    let file = File::open(path).map_err(Error::io(path))?;
    file.take(most).read_to_string(&mut text).map_err(Error::io(path))?;
    Ok(Some(text))
}

/// What is wrong with a text, which may quote it: in a line, and without signs that a terminal obeys.
fn printable(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let line = text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c });
    format!("not a result as this version keeps it: {}", line.take(200).collect::<String>())
}

/// Figures and tables as files: name and contents.
fn files(finished: &Finished) -> Vec<(String, String)> {
    let section = &finished.outcome.section;
    section.figure_files().chain(section.table_files()).collect()
}

#[cfg(test)]
mod tests;
