//! The folder of a report: what is finished, and the page made of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{EXPERIMENTS, Experiment, ExperimentData, Outcome};
use crate::report::{Page, Section, fixed};
use crate::{Error, Result, file};

/// What a result depends on: an experiment with the same settings need not run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Name of the experiment.
    pub experiment: String,
    /// Version of this library.
    pub version: String,
    /// Whether it was a quick run.
    pub quick: bool,
    /// The seed.
    pub seed: u64,
    /// What the data was.
    pub data: String,
    /// Checksum of the data.
    pub checksum: u32,
}

impl Settings {
    /// The settings of a run with this version of the library.
    pub fn new(experiment: &Experiment, quick: bool, seed: u64, data: &ExperimentData) -> Settings {
        Settings {
            experiment: experiment.name.into(),
            version: env!("CARGO_PKG_VERSION").into(),
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
    /// What came out.
    pub outcome: Outcome,
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

impl ReportFolder {
    /// The folder at `path`, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Data`] if something lies there that is not a report of this program, and is not empty;
    /// [`Error::Io`] if it cannot be made or written to. Then nothing has been changed.
    pub fn open(path: impl AsRef<Path>) -> Result<ReportFolder> {
        let path = path.as_ref();
        match fs::read_dir(path) {
            Ok(entries) => {
                let ours = fs::read_to_string(path.join(MARKER)).is_ok_and(|text| text == MARKER_TEXT);
                if !ours && entries.count() > 0 {
                    return Err(Error::Data(format!(
                        "{}: there are files that are not a report of this program; name another folder \
                         with --out",
                        crate::text::path(path)
                    )));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path).map_err(Error::io(path))?;
            }
            Err(error) => return Err(Error::io(path)(error)),
        }
        let folder = ReportFolder { path: path.to_path_buf() };
        file::check_writable(folder.page())?;
        if !path.join(MARKER).exists() {
            file::write(path.join(MARKER), |out| out.write_all(MARKER_TEXT.as_bytes()))?;
        }
        Ok(folder)
    }

    /// Whether a result of that experiment could be kept, found out before it is there.
    ///
    /// # Errors
    /// [`Error::Io`] if not.
    pub fn check(&self, experiment: &str) -> Result<()> {
        let folder = self.path.join(experiment);
        match fs::symlink_metadata(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            _ => file::check_writable(folder.join(RESULT)),
        }
    }

    /// The page.
    pub fn page(&self) -> PathBuf {
        self.path.join("index.html")
    }

    /// The result of that experiment, if there is a whole one.
    pub fn finished(&self, experiment: &str) -> Option<Finished> {
        // A file that does not parse is from another version, or has been edited: it is made again.
        let text = fs::read_to_string(self.path.join(experiment).join(RESULT)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Keeps a result: its figures and tables, then itself, then the page of all results. What an earlier
    /// result of the same experiment left is removed.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be written; an earlier result is then still there, with its figures.
    pub fn keep(&self, finished: &Finished) -> Result<()> {
        let name = &finished.settings.experiment;
        let folder = self.path.join(name);
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let old = self.finished(name).map_or(Vec::new(), |old| files(&old));
        let new = files(finished);
        let stage = |name: &str, contents: &str| {
            file::Staged::new(folder.join(name), |out| out.write_all(contents.as_bytes()))
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
        self.write_page()
    }

    /// Writes those figures and tables of a result that are not there any more.
    ///
    /// # Errors
    /// [`Error::Io`] if one cannot be written.
    pub fn restore(&self, finished: &Finished) -> Result<()> {
        let folder = self.path.join(&finished.settings.experiment);
        for (name, contents) in files(finished) {
            let path = folder.join(name);
            if !path.exists() {
                file::write(path, |out| out.write_all(contents.as_bytes()))?;
            }
        }
        Ok(())
    }

    /// Writes the page of all results in the folder.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn write_page(&self) -> Result<()> {
        let sections = EXPERIMENTS.iter().filter_map(|experiment| {
            let finished = self.finished(experiment.name)?;
            Some(section(experiment, &finished))
        });
        let page = Page {
            title: "What the theory claims, and what comes out".into(),
            intro: vec![
                "Each experiment states a claim of the theory, the figure that was measured, and whether the \
                 claim holds by a criterion that was fixed before. A claim that does not hold is shown as \
                 such."
                    .into(),
                "Every figure lies beside this page as an SVG file, every table as CSV, in a folder named \
                 after the experiment."
                    .into(),
            ],
            sections: sections.collect(),
        };
        let html = page.html();
        file::write(self.page(), |out| out.write_all(html.as_bytes()))
    }
}

/// Figures and tables as files: name and contents.
fn files(finished: &Finished) -> Vec<(String, String)> {
    let section = &finished.outcome.section;
    section.figure_files().chain(section.table_files()).collect()
}

/// The part of the page on one experiment.
fn section(experiment: &Experiment, finished: &Finished) -> Section {
    let Settings { version, data, .. } = &finished.settings;
    let mut section = finished.outcome.section.clone();
    section.name = experiment.name.into();
    section.question = experiment.question.into();
    section.theory = experiment.theory.iter().map(|text| text.to_string()).collect();
    let (command, seconds) = (&finished.command, fixed(finished.seconds, 1));
    section.settings = format!("{command} · version {version} · data: {data} · {seconds}\u{a0}s");
    section
}
