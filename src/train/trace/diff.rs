//! What differs between two traces.

use super::{TraceFormat, WrittenTrace};
use crate::linalg::ORDER;
use crate::text;
use crate::text::printable;
use crate::train::trace::{Hashes, StepHashes};

/// What differs between two traces, in lines to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceDiff {
    /// What is good to know, and no difference.
    pub notes: Vec<String>,
    /// The order of sums; every setting; the first step and parameter, the first epoch and figure, and the first result
    /// that differ; and what one of the two has alone. Empty if the traces are the same.
    pub differences: Vec<String>,
}

/// Wall-clock times: no two runs share them.
const TIMES: [&str; 3] = ["seconds", "samples_per_second", "fit_seconds"];

impl WrittenTrace {
    /// Compares two traces, which are called by these names. Numbers are the same if their bits are. Wall-clock times
    /// are not compared. The files may be of two formats; JSON has no numbers that are not finite, and `null` for each of
    /// them.
    pub fn diff(&self, other: &WrittenTrace, names: [&str; 2]) -> TraceDiff {
        let mut diff = TraceDiff::default();
        let both = Both { a: self, b: other, names };
        both.order(&mut diff);
        both.pairs("setting", &self.settings, &other.settings, false, &mut diff.differences);
        both.hashes(&mut diff.differences);
        both.epochs(&mut diff.differences);
        both.pairs("result", &self.results, &other.results, true, &mut diff.differences);
        diff
    }
}

/// Two traces and what they are called.
struct Both<'a> {
    a: &'a WrittenTrace,
    b: &'a WrittenTrace,
    names: [&'a str; 2],
}

impl Both<'_> {
    fn order(&self, diff: &mut TraceDiff) {
        let [a, b] = self.names;
        match (self.a.order_of_sums, self.b.order_of_sums) {
            (Some(x), Some(y)) if x != y => diff.differences.push(format!(
                "order of sums: {x} in {a}, {y} in {b}: their versions round otherwise, in products or functions, so that \
                 last digits differ whatever else is the same"
            )),
            (Some(x), Some(_)) if x != ORDER => diff.notes.push(format!(
                "the order of sums of both has number {x}, and that of this version has number {ORDER}: its own runs have other last \
                 digits"
            )),
            (Some(_), Some(_)) => (),
            (None, None) => diff.notes.push(
                "neither says in which order sums were taken: both are of versions that did not write it".into(),
            ),
            (x, y) => {
                let said = |x: Option<u32>| x.map_or("not said".into(), |x| x.to_string());
                let (x, y) = (said(x), said(y));
                diff.differences.push(format!(
                    "order of sums: {x} in {a}, {y} in {b}: a version that did not write it may have summed in another \
                     order"
                ));
            }
        }
    }

    /// Settings or results: those that differ, all or the first only, and those that one has alone.
    fn pairs(
        &self,
        what: &str,
        a: &[(String, String)],
        b: &[(String, String)],
        first_only: bool,
        to: &mut Vec<String>,
    ) {
        // A name that is there twice is compared with the one that is as often before it.
        let (a, b) = (&numbered(a)[..], &numbered(b)[..]);
        let value = |of: &[(String, String)], name: &str| {
            of.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
        };
        let names = a.iter().map(|(name, _)| name);
        let more = b.iter().map(|(name, _)| name).filter(|name| value(a, name).is_none());
        let mut differs = false;
        let is_json = |trace: &WrittenTrace| trace.format == TraceFormat::JsonLines;
        let mixed = is_json(self.a) != is_json(self.b);
        for name in names.chain(more).filter(|name| !TIMES.contains(&name.as_str())) {
            let (x, y) = (value(a, name), value(b, name));
            let numbers = number(x.as_deref()).zip(number(y.as_deref()));
            // JSON has other digits than the others: 1.0 for 1, 1e-7 for 0.0000001.
            let is_same = x == y || (mixed && numbers.is_some_and(|(x, y)| x.to_bits() == y.to_bits()));
            // What one has alone is no figure to compare: it is said in any case.
            let is_common = x.is_some() && y.is_some();
            if is_same || (is_common && first_only && std::mem::replace(&mut differs, true)) {
                continue;
            }
            let said = |x: &Option<String>| x.as_ref().map_or("none".into(), |x| printable(x).into_owned());
            let apart =
                numbers.filter(|_| first_only).map_or(String::new(), |(x, y)| format!("{}", Apart(x, y)));
            let [a, b] = self.names;
            to.push(format!("{what} {}: {} in {a}, {} in {b}{apart}", printable(name), said(&x), said(&y)));
        }
    }

    fn hashes(&self, to: &mut Vec<String>) {
        let [a, b] = self.names;
        let (x, y) = match (&self.a.hashes, &self.b.hashes) {
            (Some(x), Some(y)) => (x, y),
            (None, None) => return,
            (x, _) => {
                let name = if x.is_some() { a } else { b };
                to.push(format!("hashes of the steps: in {name} only"));
                return;
            }
        };
        if x.parameters != y.parameters {
            to.push(format!(
                "parameters: {} in {a}, {} in {b}: their hashes are not compared",
                named(&x.parameters),
                named(&y.parameters)
            ));
            return;
        }
        to.extend(self.first_step(x, y));
        for (x, y, name) in [(x, y, a), (y, x, b)] {
            let alone =
                x.steps.iter().map(|s| (s.epoch, s.step)).filter(|place| step_of(y, *place).is_none());
            let alone: Vec<(usize, usize)> = alone.collect();
            if let Some((epoch, step)) = alone.first() {
                let (count, first) = (alone.len(), place(*epoch, *step));
                to.push(format!("hashes: {} in {name} only, the first: {first}", text::count(count, "line")));
            }
        }
    }

    /// Of the steps of both, the first that differs, and in it the first parameter: a gradient comes before the value
    /// that it moves.
    fn first_step(&self, x: &Hashes, y: &Hashes) -> Option<String> {
        let [a, b] = self.names;
        for s in &x.steps {
            let Some(t) = step_of(y, (s.epoch, s.step)) else { continue };
            let place = place(s.epoch, s.step);
            if s.gradients.is_empty() != t.gradients.is_empty() {
                let name = if s.gradients.is_empty() { a } else { b };
                return Some(format!("first step that differs: {place}: it was left out in {name} only"));
            }
            let kinds = [("gradient", &s.gradients, &t.gradients), ("value", &s.values, &t.values)];
            for (kind, s, t) in kinds {
                if let Some(at) = s.iter().zip(t).position(|(s, t)| s != t) {
                    let parameter = printable(&x.parameters[at]);
                    let more = s.iter().zip(t).skip(at + 1).filter(|(s, t)| s != t).count();
                    let more =
                        if more > 0 { format!("; {more} more of its {kind}s differ") } else { String::new() };
                    return Some(format!(
                        "first step that differs: {place}: the {kind} of {parameter}, by its hash {} in {a}, {} in {b}{more}",
                        s[at], t[at]
                    ));
                }
            }
        }
        None
    }

    fn epochs(&self, to: &mut Vec<String>) {
        let [a, b] = self.names;
        to.extend(self.first_figure());
        // A trace in JSON has the names of the figures with its first epoch only.
        if !self.a.epochs.is_empty() && !self.b.epochs.is_empty() {
            for (x, y, name) in [(self.a, self.b, a), (self.b, self.a, b)] {
                let alone: Vec<String> =
                    x.figures.iter().filter(|f| is_compared(f) && !y.figures.contains(f)).cloned().collect();
                if !alone.is_empty() {
                    to.push(format!("figures of the epochs: {} in {name} only", named(&alone)));
                }
            }
        }
        let (n, m) = (self.a.epochs.len(), self.b.epochs.len());
        if n != m {
            to.push(format!("epochs: {n} in {a}, {m} in {b}"));
        }
    }

    fn first_figure(&self) -> Option<String> {
        let [a, b] = self.names;
        let columns = self.a.figures.iter().enumerate().filter(|(_, name)| is_compared(name));
        let columns: Vec<(&String, usize, usize)> = columns
            .filter_map(|(i, name)| Some((name, i, self.b.figures.iter().position(|other| other == name)?)))
            .collect();
        let bits = |x: Option<f64>| x.map(f64::to_bits);
        for (row, (x, y)) in self.a.epochs.iter().zip(&self.b.epochs).enumerate() {
            let differ: Vec<_> = columns.iter().filter(|(_, i, j)| bits(x[*i]) != bits(y[*j])).collect();
            let Some((name, i, j)) = differ.first() else { continue };
            let said = |x: Option<f64>| x.map_or("none".into(), |x| format!("{x:?}"));
            let apart = x[*i].zip(y[*j]).map_or(String::new(), |(x, y)| Apart(x, y).to_string());
            let more = if differ.len() > 1 {
                format!("; {} more of its figures differ", differ.len() - 1)
            } else {
                String::new()
            };
            return Some(format!(
                "first figure that differs: {}: {}: {} in {a}, {} in {b}{apart}{more}",
                self.steps_of(row),
                printable(name),
                said(x[*i]),
                said(y[*j])
            ));
        }
        None
    }

    /// An epoch of the first trace and its steps.
    fn steps_of(&self, row: usize) -> String {
        let figure = |row: usize, name: &str| {
            let column = self.a.figures.iter().position(|figure| figure == name)?;
            self.a.epochs[row][column]
        };
        let epoch = figure(row, "epoch").unwrap_or(f64::NAN);
        let before = if row == 0 { Some(0.0) } else { figure(row - 1, "steps") };
        match before.zip(figure(row, "steps")) {
            Some((before, last)) => format!("epoch {epoch}, steps {} to {last}", before + 1.0),
            None => format!("epoch {epoch}"),
        }
    }
}

fn is_compared(figure: &str) -> bool {
    !TIMES.contains(&figure)
}

fn step_of(hashes: &Hashes, place: (usize, usize)) -> Option<&StepHashes> {
    let at = hashes.steps.binary_search_by_key(&place, |step| (step.epoch, step.step)).ok()?;
    Some(&hashes.steps[at])
}

fn place(epoch: usize, step: usize) -> String {
    match step {
        0 => "before the first step".into(),
        step => format!("epoch {epoch}, step {step}"),
    }
}

fn number(text: Option<&str>) -> Option<f64> {
    text?.parse().ok()
}

/// The names, with a number behind those that were there before.
fn numbered(pairs: &[(String, String)]) -> Vec<(String, String)> {
    let name = |(i, (name, value)): (usize, &(String, String))| {
        let before = pairs[..i].iter().filter(|(other, _)| other == name).count();
        let name = if before == 0 { name.clone() } else { format!("{name} ({})", before + 1) };
        (name, value.clone())
    };
    pairs.iter().enumerate().map(name).collect()
}

/// The first of many names.
fn named(names: &[String]) -> String {
    const MOST: usize = 8;
    let shown: Vec<_> = names.iter().take(MOST).map(|name| printable(name)).collect();
    let more = if names.len() > MOST { format!(" and {} more", names.len() - MOST) } else { String::new() };
    shown.join(", ") + &more
}

/// How far two numbers are from one another, where that can be said.
struct Apart(f64, f64);

impl std::fmt::Display for Apart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Apart(x, y) = *self;
        let (apart, size) = ((x - y).abs(), x.abs().max(y.abs()));
        match apart.is_finite() && size > 0.0 {
            true => write!(f, ": {apart:.3e} apart, relative {:.1e}", apart / size),
            false => Ok(()),
        }
    }
}
