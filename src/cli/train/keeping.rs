//! Files of a run, written on the way.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::output;
use super::super::reading::refuse_input;
use super::TrainArgs;
use crate::models::{self, Network, Notes};
use crate::store::{Settings, Stored};
use crate::train::{Checkpoint, Evaluation, Observer, Run, Stop};
use crate::{Error, Float, Result, text};

/// Files on the way.
#[derive(Args)]
#[command(next_help_heading = "Files on the way (networks, logistic)")]
pub struct KeepArgs {
    /// Every N steps, save the model and how its run stands: --resume goes on from there. The best one by validation is
    /// kept beside it, as NAME-best
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    save_every: Option<u64>,
    /// Of those saves, keep the last K in files of their own, as NAME-step500; those before them are removed
    #[arg(long, value_name = "K", default_value_t = 0)]
    keep: usize,
}

impl KeepArgs {
    /// An error if there is no file to write, before anything is done.
    pub fn check(&self, args: &TrainArgs) -> Result<()> {
        match self.save_every {
            Some(_) if args.save.is_none() => Err(Error::setting("save_every", "where to? --save FILE")),
            None if self.keep > 0 => Err(Error::setting("keep", "of which saves? --save-every N")),
            _ => Ok(()),
        }
    }

    /// Whether the run may write that file on the way, or remove it.
    fn writes(&self, save: &Path, path: &Path) -> bool {
        let is_copy = || {
            let name = path.file_name().unwrap_or_default();
            step_of(save, name).is_some() && output::same_file(&save.with_file_name(name), path)
        };
        self.save_every.is_some()
            && (output::same_file(&beside(save, "best"), path) || self.keep > 0 && is_copy())
    }

    /// What writes the files of a run, where there are any.
    pub fn keeper<T: Float>(
        &self,
        args: &TrainArgs,
        network: &Network<T>,
        notes: Notes,
        resumed: Option<&Checkpoint>,
    ) -> Result<Option<Keeper<T>>> {
        let Some(path) = &args.save else { return Ok(None) };
        let mut copies = match resumed {
            Some(checkpoint) if self.keep > 0 => copies(path, checkpoint.steps()),
            _ => Vec::new(),
        };
        // What the run goes on from is not its own to remove.
        copies.retain(|copy| !args.resume.as_ref().is_some_and(|resumed| output::same_file(copy, resumed)));
        let best = beside(path, "best");
        if resumed.is_some() && self.save_every.is_some() && args.validation > 0.0 && !best.exists() {
            output::note(format_args!(
                "note: {} is not there: it will be, when validation finds a model better than all before",
                text::path(&best)
            ));
        }
        let (network, every, last) = (network.clone(), self.save_every, resumed.cloned());
        Ok(Some(Keeper {
            network,
            path: path.clone(),
            notes,
            every,
            keep: self.keep,
            copies,
            best: f64::INFINITY,
            last,
            due: false,
        }))
    }
}

/// Writes the files of a run, and holds what the last one is made of.
pub struct Keeper<T: Float> {
    /// A network such as that of the run.
    network: Network<T>,
    path: PathBuf,
    notes: Notes,
    every: Option<u64>,
    keep: usize,
    /// Files of their own, from the oldest.
    copies: Vec<PathBuf>,
    /// The least validation loss.
    best: f64,
    last: Option<Checkpoint>,
    due: bool,
}

impl<T: Float> Keeper<T> {
    /// The run as it stands, where it can be gone on from.
    pub fn last(self) -> Option<Checkpoint> {
        self.last
    }
}

/// `path` with something put between its name and its ending.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{what}"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

/// What an earlier part of the run has left, up to that step, from the oldest.
fn copies(path: &Path, steps: u64) -> Vec<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<u64> = found.filter_map(|entry| step_of(path, &entry.file_name())).collect();
    found.retain(|step| *step <= steps);
    found.sort_unstable();
    found.iter().map(|step| beside(path, &format!("step{step}"))).collect()
}

/// The step of a copy that has this name beside `path`.
fn step_of(path: &Path, name: &OsStr) -> Option<u64> {
    let (before, after) = (beside(path, "step"), path.extension().map_or(0, |ending| ending.len() + 1));
    // A name need not be text.
    let whole = before.file_name().unwrap_or_default().as_encoded_bytes();
    let (start, end) = whole.split_at(whole.len() - after);
    let name = name.as_encoded_bytes();
    std::str::from_utf8(name.strip_prefix(start)?.strip_suffix(end)?).ok()?.parse().ok()
}

impl<T: Float> Observer<T> for Keeper<T> {
    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let steps = run.optimizer.steps();
        self.due = !run.skip && self.every.is_some_and(|every| steps.is_multiple_of(every));
        run.checkpoint |= self.due || run.stop.is_some();
        Ok(())
    }

    /// The parameters that were validated, such as an average, are on the tape.
    fn after_validation(
        &mut self,
        run: &mut Run<'_, T>,
        _: f64,
        evaluation: Option<&Evaluation>,
    ) -> Result<()> {
        let Some(loss) = evaluation.map(|found| found.loss).filter(|loss| *loss < self.best) else {
            return Ok(());
        };
        self.best = loss;
        if self.every.is_none() {
            return Ok(());
        }
        let mut notes = self.notes.clone();
        notes.about.push(("epoch".into(), run.progress.epoch.to_string()));
        notes.about.push(("validation_loss".into(), loss.to_string()));
        models::save(&self.network.within(run), beside(&self.path, "best"), &notes)
    }

    fn epoch(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let ends = run.stop.is_some() || run.progress.epoch == run.progress.epochs;
        run.checkpoint |= ends && (self.every.is_some() || self.last.is_some());
        Ok(())
    }

    fn checkpoint(&mut self, run: &mut Run<'_, T>, checkpoint: &Checkpoint) -> Result<()> {
        self.last = Some(checkpoint.clone());
        // What a run ends with is written once it has been measured; but whoever is impatient may end that as well.
        let interrupted = matches!(run.stop, Some(Stop::Interrupted { .. }));
        let due = std::mem::take(&mut self.due);
        if !due && !interrupted {
            return Ok(());
        }
        let network = self.network.within(run);
        models::save_run(&network, &self.path, &self.notes, checkpoint)?;
        if due && self.keep > 0 {
            let copy = beside(&self.path, &format!("step{}", run.optimizer.steps()));
            models::save_run(&network, &copy, &self.notes, checkpoint)?;
            self.copies.retain(|other| *other != copy);
            self.copies.push(copy);
            while self.copies.len() > self.keep {
                let oldest = self.copies.remove(0);
                std::fs::remove_file(&oldest).or_else(|error| match error.kind() {
                    std::io::ErrorKind::NotFound => Ok(()),
                    _ => Err(Error::io(&oldest)(error)),
                })?;
            }
        }
        Ok(())
    }

    fn restore(&mut self, run: &mut Run<'_, T>, _: &Settings, _: &Stored) -> Result<()> {
        let losses = run.history.epochs.iter().filter_map(|epoch| epoch.validation_loss);
        self.best = losses.fold(f64::INFINITY, f64::min);
        Ok(())
    }
}

/// An error if a file that the run reads would be written over.
pub fn refuse_inputs(args: &TrainArgs, outputs: &[(&'static str, &PathBuf)]) -> Result<()> {
    let resumed = args.resume.as_deref();
    if let Some(save) = &args.save {
        let on_the_way = |path: &Path| args.keeping.writes(save, path);
        if let Some((flag, path)) = outputs.iter().find(|(flag, path)| *flag != "save" && on_the_way(path)) {
            let why = format!("{} is a file of --save-every already: name another file", text::path(path));
            return Err(Error::setting(flag, why));
        }
        let read = [args.data.as_deref(), args.table.test_file(), args.table.target_file()];
        if let Some(path) = read.into_iter().flatten().find(|path| on_the_way(path)) {
            let why = format!(
                "{} is read by this command, and would be written over by --save-every: name another file",
                text::path(path)
            );
            return Err(Error::setting("save", why));
        }
    }
    for (flag, path) in outputs {
        let data = args.data.as_deref();
        // That of the run itself may be replaced by what comes of it.
        let read =
            [data, args.table.test_file(), args.table.target_file(), resumed.filter(|_| *flag != "save")];
        let read: Vec<&Path> = read.into_iter().flatten().filter(|path| path.is_file()).collect();
        refuse_input(flag, path, &read)?;
        // A file of a folder of data.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(folder) = data.filter(|data| data.is_dir())
            && (name.contains("-ubyte") || name.ends_with(".idx"))
            && output::same_file(&folder.join(path.file_name().unwrap_or_default()), path)
        {
            refuse_input(flag, path, &[path])?;
        }
    }
    Ok(())
}
