//! Watching for the first NaN or infinity.

use std::fmt;
use std::panic::Location;

use super::{Shape, Tape, Var};
use crate::{Error, Float};

/// Which way the tape was walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The value of a node.
    Forward,
    /// The gradient that a node sends to one of its inputs.
    Backward,
}

/// The first number on the tape that was NaN or infinite, and the operation that made it.
#[derive(Clone, Debug)]
pub struct Anomaly {
    /// Value or gradient.
    pub phase: Phase,
    /// Name of the operation, such as `ln`; for a leaf `constant`, `variable` or `param`.
    pub op: &'static str,
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
    /// The line of the program that called the operation.
    pub caller: &'static Location<'static>,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (row, col) = self.position;
        let (op, node, value, shape) = (self.op, self.node, self.value, self.shape);
        match self.input {
            None => write!(f, "{op} ({node}, {shape}) produced {value} at ({row}, {col})")?,
            Some(input) => write!(
                f,
                "{op} ({node}) sent the gradient {value} at ({row}, {col}) to its input {input}, {shape}"
            )?,
        }
        write!(f, "; called at {}", self.caller)
    }
}

impl From<Anomaly> for Error {
    fn from(anomaly: Anomaly) -> Error {
        Error::NonFinite(anomaly.to_string())
    }
}

/// What a watching tape remembers.
#[derive(Default)]
pub(super) struct Watch {
    first: Option<Anomaly>,
}

impl<T: Float> Tape<T> {
    /// Switches the watch for NaN and infinities on or off, and forgets what was found before.
    ///
    /// With the watch on, every value and every gradient is looked at as it is made, which costs about
    /// as much as a cheap operation on it. See [`anomaly`](Tape::anomaly).
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
        let node = &self.nodes[index];
        let find = |owner: usize, numbers: &[T]| {
            let owner = &self.nodes[owner];
            let at = numbers[owner.range()].iter().position(|x| !x.is_finite())?;
            Some((owner.shape(), at, numbers[owner.offset + at]))
        };
        let (input, found) = match phase {
            Phase::Forward => (None, find(index, &self.values)),
            Phase::Backward => self.links[node.links..][..node.inputs as usize]
                .iter()
                .map(|&input| input as usize)
                .filter(|&input| self.nodes[input].differentiable && self.written[input])
                .find_map(|input| find(input, &self.grads).map(|found| (Some(input), Some(found))))
                .unwrap_or((None, None)),
        };
        let Some((shape, at, value)) = found else { return };
        let var = |index: usize| Var { index: index as u32, generation: self.nodes[index].generation };
        let anomaly = Anomaly {
            phase,
            op: node.name(),
            node: var(index),
            input: input.map(var),
            shape,
            position: (at / shape.cols, at % shape.cols),
            value: value.to_f64(),
            caller: node.caller,
        };
        if let Some(watch) = &mut self.anomalies {
            watch.first = Some(anomaly);
        }
    }
}
