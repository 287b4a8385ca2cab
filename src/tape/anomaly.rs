//! Watching for the first NaN or infinity.

use std::fmt;
use std::panic::Location;

use super::node::Holds;
use super::{Shape, Tape, Var};
use crate::{Error, Float};

/// Which way the tape was walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The value of a node.
    Forward,
    /// The gradient that a node sends to one of its inputs.
    Backward,
    /// The gradient that a backward pass was started with.
    Upstream,
}

/// The first number on the tape that was NaN or infinite, and the operation that made it.
#[derive(Clone, Debug)]
pub struct Anomaly {
    /// Value or gradient.
    pub phase: Phase,
    /// Name of the operation, such as `ln`; for a leaf `constant`, `variable` or `param`.
    pub op: &'static str,
    /// Its inputs, by the names of parameters where they have one; of a parameter, its own name.
    pub operands: Vec<String>,
    /// Its node.
    pub node: Var,
    /// The input whose gradient it is, in the backward phase.
    pub input: Option<Var>,
    /// Shape of the value or gradient.
    pub shape: Shape,
    /// Row and column of the first such entry.
    pub position: (usize, usize),
    /// The entry: NaN or an infinity.
    pub value: f64,
    /// The line of the program that called the operation; `None` if that was before the watch was switched
    /// on, as it usually is for a parameter.
    pub caller: Option<&'static Location<'static>>,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (row, col) = self.position;
        let Anomaly { op, node, value, shape, .. } = self;
        let call = [&[op.to_string()], &self.operands[..]].concat().join(" ");
        match (self.phase, self.input) {
            (Phase::Backward, Some(input)) => write!(
                f,
                "{call} ({node}) sent the gradient {value} at ({row}, {col}) to its input {input}, {shape}"
            )?,
            (Phase::Upstream, _) => {
                write!(f, "backward from {call} ({node}, {shape}) began with {value} at ({row}, {col})")?;
            }
            _ if *op == "param" => write!(f, "{call} ({node}, {shape}) holds {value} at ({row}, {col})")?,
            _ => write!(f, "{call} ({node}, {shape}) produced {value} at ({row}, {col})")?,
        }
        self.caller.map_or(Ok(()), |caller| write!(f, "; called at {caller}"))
    }
}

impl From<Anomaly> for Error {
    fn from(anomaly: Anomaly) -> Error {
        Error::NonFinite(anomaly.to_string())
    }
}

/// What a watching tape remembers.
#[derive(Clone, Default)]
pub(super) struct Watch {
    first: Option<Anomaly>,
    /// The lines that made the nodes; `None` for those from before the watch was switched on.
    callers: Vec<Option<&'static Location<'static>>>,
    /// The line that is to blame for what is made now, where that is not the one that calls the operation.
    instead: Option<&'static Location<'static>>,
}

impl Watch {
    /// Remembers which line made the node at `index`.
    pub fn called(&mut self, index: usize, caller: &'static Location<'static>) {
        // What stood there before a rewind is gone; what was made before the watch began is unknown.
        self.callers.resize(index, None);
        self.callers.push(Some(self.instead.unwrap_or(caller)));
    }

    /// From here on nodes are made by that line, whoever calls the operation.
    pub fn made_by(&mut self, caller: Option<&'static Location<'static>>) {
        self.instead = caller;
    }
}

/// # Anomalies
/// Where the first number that is not finite came from.
impl<T: Float> Tape<T> {
    /// Switches the watch for NaN and infinities on or off, and forgets what was found before.
    ///
    /// With the watch on, every value is looked at as it is made, and every gradient each time something
    /// is added to it, which costs about as much as a cheap operation on the whole of it. An infinity in
    /// a constant or variable passes: it may be meant, as in a mask. See [`anomaly`](Tape::anomaly).
    pub fn detect_anomalies(&mut self, on: bool) {
        self.anomalies = on.then(Watch::default);
    }

    /// The first NaN or infinity since the watch was switched on; `None` where there was none.
    ///
    /// ```
    /// use tapegrad::Tape;
    ///
    /// let mut tape = Tape::new();
    /// tape.detect_anomalies(true);
    /// let x = tape.variable_slice(1, 2, &[1.0, -1.0]);
    /// tape.ln(x);
    /// let found = tape.anomaly().unwrap();
    /// assert_eq!((found.op, found.position), ("ln", (0, 1)));
    /// ```
    pub fn anomaly(&self) -> Option<&Anomaly> {
        self.anomalies.as_ref()?.first.as_ref()
    }

    /// Records the first non-finite entry that the node at `index` has made.
    pub(super) fn look_for_anomaly(&mut self, index: usize, phase: Phase) {
        if self.anomaly().is_some() {
            return;
        }
        // Whose numbers they are, and where among them the entry is.
        let find = |owner: usize, numbers: &[T], wrong: fn(&T) -> bool| {
            let at = numbers[self.nodes[owner].range()].iter().position(wrong)?;
            Some((owner, at, numbers[self.nodes[owner].offset + at]))
        };
        let not_finite = |x: &T| !x.is_finite();
        let inputs = || self.inputs_of(&self.nodes[index]).iter().map(|&input| input as usize);
        let leaf = self.nodes[index].inputs == 0;
        let found = match phase {
            Phase::Forward if leaf && index >= self.params => find(index, &self.values, |x| x.is_nan()),
            // An optimizer may have spoilt a parameter since: then it is to blame, and not its first use.
            Phase::Forward => find(index, &self.values, not_finite).map(|found| {
                let spoilt =
                    inputs().filter(|&i| i < self.params).find_map(|i| find(i, &self.values, not_finite));
                spoilt.unwrap_or(found)
            }),
            Phase::Upstream => find(index, &self.grads, not_finite),
            Phase::Backward => inputs()
                .filter(|&i| self.nodes[i].differentiable && self.written[i] != Holds::Nothing)
                .find_map(|i| find(i, &self.grads, not_finite)),
        };
        let Some((owner, at, value)) = found else { return };
        let name = |index: usize| match self.names.get(index) {
            Some(name) if !name.is_empty() => name.clone(),
            _ => format!("v{index}"),
        };
        let culprit = if phase == Phase::Backward { index } else { owner };
        let node = &self.nodes[culprit];
        let shape = self.nodes[owner].shape();
        let watched = self.anomalies.as_ref();
        let anomaly = Anomaly {
            phase,
            op: node.name(),
            operands: match culprit < self.params {
                true => vec![name(culprit)],
                false => self.inputs_of(node).iter().map(|&input| name(input as usize)).collect(),
            },
            node: self.var(culprit),
            input: (phase == Phase::Backward).then(|| self.var(owner)),
            shape,
            position: (at / shape.cols, at % shape.cols),
            value: value.to_f64(),
            caller: watched.and_then(|watch| watch.callers.get(culprit).copied().flatten()),
        };
        if let Some(watch) = &mut self.anomalies {
            watch.first = Some(anomaly);
        }
    }
}
