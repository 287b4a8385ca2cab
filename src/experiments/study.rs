//! What an experiment measures, apart from what is said of it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Context, Outcome};
use crate::{Error, Result};

/// The rows that an experiment measures, as data. Claims, figures and tables are made of them alone, so that a changed
/// sentence or figure needs no new run: the rows are kept, and the page is made of what was kept.
///
/// A number that may not be finite is written by [`lossless`](crate::store::lossless): JSON has no word for it.
pub(super) trait Study: Sized + Serialize + DeserializeOwned {
    /// Which edition of the code that measures this is: to be raised by one when the same settings give other rows.
    /// Rows of another edition are not used.
    const EDITION: u32 = 1;

    /// Runs the experiment.
    fn measure(context: &Context) -> Result<Self>;

    /// What the rows say.
    fn report(&self) -> Outcome;
}

/// The edition and the functions of a [`Study`], without its type: so all of them fit into one table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub edition: u32,
    pub run: fn(&Context) -> Result<Measured>,
    pub report: fn(&Rows) -> Result<Outcome>,
}

impl Parts {
    pub const fn of<S: Study>() -> Parts {
        Parts { edition: S::EDITION, run: run::<S>, report: report::<S> }
    }
}

/// What an experiment measured, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Rows(serde_json::Value);

impl Rows {
    #[cfg(test)]
    pub(super) fn of<X: Serialize>(rows: &X) -> Rows {
        Rows(serde_json::to_value(rows).expect("rows are plain data"))
    }

    /// CRC-32 of the rows as they are written: as JSON without blanks.
    pub(super) fn checksum(&self) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(self.0.to_string().as_bytes());
        crc.sum()
    }
}

/// What a run hands back.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What is kept.
    pub rows: Rows,
    /// What they say.
    pub outcome: Outcome,
}

fn run<S: Study>(context: &Context) -> Result<Measured> {
    let study = S::measure(context)?;
    let rows = serde_json::to_value(&study);
    let rows = rows.map_err(|error| Error::Data(format!("the rows cannot be written: {error}")))?;
    Ok(Measured { rows: Rows(rows), outcome: study.report() })
}

fn report<S: Study>(rows: &Rows) -> Result<Outcome> {
    // The text is kept out of the message: it may hold anything.
    let wrong = |why: String| Error::Data(format!("not rows of this experiment: {why}"));
    let study = S::deserialize(&rows.0).map_err(|error| wrong(error.to_string()))?;
    // Rows are drawn on the promise that they were measured. A file that was made up breaks it, and that is no fault of
    // the program that reads it.
    let report = std::panic::AssertUnwindSafe(|| study.report());
    std::panic::catch_unwind(report).map_err(|_| wrong("no report can be made of them".into()))
}
