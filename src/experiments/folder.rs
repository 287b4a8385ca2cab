//! The folder of a report: what is finished, and the page made of it.
//!
//! What lies in a folder may come from anybody. A result is read as data, checked as it is read, and used
//! only as the result of the experiment whose folder it lies in; the page and all files are made from it
//! anew. Nothing is written, read or removed through a link.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{EXPERIMENTS, Experiment, ExperimentData, Outcome, find};
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
    /// is of a version that kept something else, or of another experiment. [`Error::Io`] if it cannot be
    /// read; [`Error::Setting`] if there is no such experiment.
    pub fn finished(&self, experiment: &str) -> Result<Option<Finished>> {
        let path = self.folder(experiment)?.join(RESULT);
        let Some(text) = read_file(&path, LARGEST)? else { return Ok(None) };
        let refuse = |why: &str| Error::Data(format!("{}: {why}", path.display()));
        let finished: Finished = serde_json::from_str(&text).map_err(|error| refuse(&printable(&error)))?;
        if finished.settings.experiment != experiment {
            return Err(refuse("it is the result of another experiment"));
        }
        if !(0.0..1e9).contains(&finished.seconds) {
            return Err(refuse("no experiment takes so many seconds"));
        }
        Ok(Some(finished))
    }

    /// Keeps a result: its figures and tables, then itself, then the page of all results. What an earlier
    /// result of the same experiment left is removed.
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
        self.write_page()
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
        let sections = EXPERIMENTS.iter().filter_map(|experiment| {
            let finished = self.finished(experiment.name).ok()??;
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
        remove_link(&self.page())?;
        file::write(self.page(), |out| out.write_all(html.as_bytes()))
    }

    /// The folder of an experiment, which need not be there.
    fn folder(&self, experiment: &str) -> Result<PathBuf> {
        // Only a name from the table may become a part of a path.
        let folder = self.path.join(find(experiment)?.name);
        if is_link(&folder) {
            let why = "a link, which a report does not have: remove it, or name another folder with --out";
            return Err(Error::Data(format!("{}: {why}", folder.display())));
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
    let refuse = |why: String| Err(Error::Data(format!("{}: {why}", path.display())));
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
fn printable(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let line = text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c });
    format!("not a result of this program: {}", line.take(200).collect::<String>())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Axis, Chart, Claim, Color, Figure, Image, Images, Line, Table};

    const EVIL: &str = "</svg></section><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";

    /// A result of `rosenbrock` with every kind of thing in it, every text being `text`.
    fn result(text: &str) -> Finished {
        let mut outcome = Outcome::default();
        let image = Image::from_fn(2, 2, |_, _| [1, 2, 3, 255]);
        let chart = Chart::new(Axis::linear(text), Axis::categories(text, [text]))
            .title(text)
            .line(Line::new([(0.0, 0.0), (1.0, 0.0)]).label(text).dash(1))
            .raster(image.clone(), (0.0, 1.0), (0.0, 1.0), true)
            .contours(4, (0.0, 1.0), (0.0, 1.0), &[0.5], Color::Ink, |x, _| x)
            .note((0.5, 0.0), text, Color::Blue);
        let pictures = Images::new(1, [(image, text.into())]).title(text);
        outcome.figure(&Figure::new("paths", text, text).panel(chart).panel(pictures));
        let mut table = Table::new("ends", text, [text, "x"]);
        table.row([text.into(), f64::NAN.into()]);
        outcome.table(table);
        outcome.claim(Claim::that(text).expected(text).measured(text).criterion(text).holds(false, text));
        outcome.number(text, f64::INFINITY);
        let settings = Settings {
            experiment: "rosenbrock".into(),
            version: text.into(),
            quick: true,
            seed: 1,
            data: text.into(),
            checksum: 7,
        };
        Finished { settings, command: text.into(), seconds: 1.5, outcome }
    }

    /// A folder with that result, inside of another one.
    fn kept(finished: &Finished) -> (tempfile::TempDir, ReportFolder) {
        let parent = tempfile::tempdir().unwrap();
        let folder = ReportFolder::open(parent.path().join("report")).unwrap();
        folder.keep(finished).unwrap();
        (parent, folder)
    }

    fn page(folder: &ReportFolder) -> String {
        fs::read_to_string(folder.page()).unwrap()
    }

    #[test]
    fn what_is_kept_is_read_again_to_the_last_bit() {
        let finished = result("plain");
        let (_parent, folder) = kept(&finished);
        let again = folder.finished("rosenbrock").unwrap().unwrap();
        assert_eq!(again, finished);
        assert_eq!(files(&again), files(&finished));
        assert_eq!(folder.finished("spiral").unwrap(), None);
    }

    #[test]
    fn nothing_that_is_kept_is_markup() {
        let (_parent, folder) = kept(&result(EVIL));
        let path = folder.path.join("rosenbrock");
        let svg = fs::read_to_string(path.join("paths.svg")).unwrap();
        for text in [page(&folder), svg] {
            assert!(text.contains("&lt;script&gt;"), "{text}");
            // `<image` is an element of a drawing.
            assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
        }
        let json = fs::read_to_string(path.join(RESULT)).unwrap();
        for tag in ["<svg", "<text", "<polyline", "<image", "<path"] {
            assert!(!json.contains(tag), "{tag}");
        }
    }

    /// A name in the file that is a path: nothing outside is written, nothing is removed.
    #[test]
    fn names_that_are_paths_are_refused() {
        let (parent, folder) = kept(&result("plain"));
        let path = folder.path.join("rosenbrock").join(RESULT);
        let json = fs::read_to_string(&path).unwrap();
        let victim = parent.path().join("victim.csv");
        fs::write(&victim, "precious").unwrap();
        let absolute = parent.path().join("absolute").to_str().unwrap().to_string();
        for (name, evil) in [
            ("paths", "../../evil"),
            ("paths", &absolute),
            ("paths", "..\\\\evil"),
            ("paths", "c:evil"),
            ("paths", "evil\\u0000"),
            ("paths", ""),
            ("ends", "../../victim"),
            ("ends", "../result"),
        ] {
            let old = format!("\"name\":\"{name}\"");
            assert_eq!(json.matches(&old).count(), 1);
            fs::write(&path, json.replace(&old, &format!("\"name\":\"{evil}\""))).unwrap();
            let error = folder.finished("rosenbrock").unwrap_err().to_string();
            assert!(error.contains("result.json: not a result of this program: "), "{evil}: {error}");
            assert!(!error.contains(|c: char| c.is_control()), "{error:?}");
            // Another result takes its place, and the page goes without it until then.
            folder.write_page().unwrap();
            assert!(!page(&folder).contains("id=\"rosenbrock\""));
            folder.keep(&result("other")).unwrap();
            assert_eq!(folder.finished("rosenbrock").unwrap().unwrap(), result("other"));
            let mut there: Vec<_> =
                fs::read_dir(parent.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            there.sort();
            assert_eq!(there, ["report", "victim.csv"], "{evil}");
            assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        }
    }

    #[test]
    fn markup_in_the_place_of_a_drawing_is_refused() {
        let (_parent, folder) = kept(&result("plain"));
        let path = folder.path.join("rosenbrock").join(RESULT);
        let json = fs::read_to_string(&path).unwrap();
        let evil = EVIL.replace('"', "\\\"");
        let start = json.find("\"elements\":[").unwrap() + "\"elements\":".len();
        let before = &json[..start];
        for (what, edited) in [
            ("elements", format!("{before}\"{evil}\"{}", &json[start..])),
            ("an element", format!("{before}[\"{evil}\",{}", &json[start + 1..])),
            ("a body", json.replace("\"pictures\":", &format!("\"body\":\"{evil}\",\"pictures\":"))),
            ("a picture", json.replace("\"picture\":\"", "\"picture\":\"javascript:alert(1)//")),
        ] {
            assert_ne!(edited, json, "{what}");
            fs::write(&path, edited).unwrap();
            let read = folder.finished("rosenbrock");
            // What it does not know it does not read.
            assert!(read.is_err() || what == "a body", "{what}");
            folder.write_page().unwrap();
            assert!(!page(&folder).contains("<script") && !page(&folder).contains("javascript:"), "{what}");
        }
    }

    #[test]
    fn a_result_that_is_none_is_refused_with_the_reason() {
        let (_parent, folder) = kept(&result("plain"));
        let path = folder.path.join("rosenbrock").join(RESULT);
        let json = fs::read_to_string(&path).unwrap();
        let nested = "[".repeat(1 << 20);
        for (text, why) in [
            ("", "EOF"),
            (&json[..json.len() - 1], "EOF"),
            (&nested, "line 1 column"),
            (&format!("{{\"more\":{nested}"), "EOF"),
            (&json.replacen('{', "{\"command\":\"a\",", 1), "duplicate field"),
            (&json.replace("\"seconds\":1.5", "\"seconds\":1e300"), "seconds"),
            (&json.replace("\"seconds\":1.5", "\"seconds\":-1"), "seconds"),
            (&json.replace("\"seconds\":1.5", "\"seconds\":1e999"), "out of range"),
            (&json.replace("\"seed\":1", "\"seed\":\"\\u001b[31m\""), "invalid type"),
            (
                &json.replace("\"experiment\":\"rosenbrock\"", "\"experiment\":\"spiral\""),
                "another experiment",
            ),
            (
                &json.replace("\"experiment\":\"rosenbrock\"", "\"experiment\":\"../spiral\""),
                "another experiment",
            ),
        ] {
            fs::write(&path, text).unwrap();
            let error = folder.finished("rosenbrock").unwrap_err().to_string();
            assert!(error.contains(why) && error.len() < 500, "{why}: {error}");
            assert!(!error.contains(|c: char| c.is_control()), "{error:?}");
        }
        // It claims to be larger than anything that is read, and takes no room.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(folder.finished("rosenbrock").unwrap_err().to_string().contains("more than"));
        for name in ["../report", "", "rosenbrock/..", "/", "nonsense"] {
            assert!(matches!(folder.finished(name), Err(Error::Setting { .. })), "{name}");
            assert!(folder.check(name).is_err(), "{name}");
            let mut foreign = result("plain");
            foreign.settings.experiment = name.into();
            assert!(folder.keep(&foreign).is_err() && folder.restore(&foreign).is_err(), "{name}");
        }
    }

    #[test]
    fn files_beside_a_result_become_its_own_again() {
        let finished = result("plain");
        let (_parent, folder) = kept(&finished);
        let svg = folder.path.join("rosenbrock/paths.svg");
        let right = fs::read(&svg).unwrap();
        fs::write(&svg, "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>").unwrap();
        fs::remove_file(folder.path.join("rosenbrock/ends.csv")).unwrap();
        folder.restore(&finished).unwrap();
        assert_eq!(fs::read(&svg).unwrap(), right);
        assert!(folder.path.join("rosenbrock/ends.csv").is_file());
    }

    #[cfg(unix)]
    #[test]
    fn links_in_the_folder_are_not_followed() {
        use std::os::unix::fs::symlink;
        let finished = result("plain");
        let (parent, folder) = kept(&finished);
        let victim = parent.path().join("victim");
        let inside = folder.path.join("rosenbrock");
        let places = [folder.page(), inside.join(RESULT), inside.join("paths.svg"), inside.join("ends.csv")];
        for target in [victim.clone(), parent.path().join("nowhere"), "/dev/zero".into()] {
            fs::write(&victim, "precious").unwrap();
            let link_all = || {
                for place in &places {
                    fs::remove_file(place).unwrap();
                    symlink(&target, place).unwrap();
                }
            };
            link_all();
            let error = folder.finished("rosenbrock").unwrap_err().to_string();
            assert!(error.contains("not a regular file"), "{error}");
            folder.check("rosenbrock").unwrap();
            let folder = ReportFolder::open(&folder.path).unwrap();
            folder.restore(&finished).unwrap();
            link_all();
            folder.keep(&finished).unwrap();
            for place in &places {
                assert!(fs::symlink_metadata(place).unwrap().is_file(), "{}", place.display());
            }
            assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
            assert!(!parent.path().join("nowhere").exists());
        }
        // A marker that is a link tells nothing about the folder.
        fs::write(&victim, MARKER_TEXT).unwrap();
        fs::remove_file(folder.path.join(MARKER)).unwrap();
        symlink(&victim, folder.path.join(MARKER)).unwrap();
        assert!(ReportFolder::open(&folder.path).is_err());

        let elsewhere = parent.path().join("elsewhere");
        fs::rename(&inside, &elsewhere).unwrap();
        let there = || fs::read_dir(&elsewhere).unwrap().count();
        let before = there();
        symlink(&elsewhere, &inside).unwrap();
        for result in [
            folder.check("rosenbrock"),
            folder.finished("rosenbrock").map(drop),
            folder.keep(&result("other")),
            folder.restore(&finished),
        ] {
            assert!(result.unwrap_err().to_string().contains("rosenbrock: a link"));
        }
        assert_eq!(there(), before);
    }
}
