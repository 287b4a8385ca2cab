//! The layer of recurrence.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rand::Rng;

use super::restore::{Made, Place, set};
use super::tokens::sequences_of;
use super::{Init, Mode, Module};
use crate::memory::filled;
use crate::rng::{Purpose, stream};
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::text::count;
use crate::{Error, Float, Result, settings};

/// What a recurrence does with a token and the state before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cell {
    /// tanh of their sum: [`Tape::rnn`].
    Plain,
    /// [`Tape::lstm`].
    #[default]
    Lstm,
    /// [`Tape::gru`].
    Gru,
}

impl Cell {
    /// All of them with their names.
    pub const TABLE: [(Cell, &str); 3] = [(Cell::Plain, "rnn"), (Cell::Lstm, "lstm"), (Cell::Gru, "gru")];

    /// Columns of the weights for each unit.
    pub(super) fn gates(self) -> usize {
        match self {
            Cell::Plain => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }
}

/// The name, such as `lstm`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::TABLE.iter().find(|(cell, _)| cell == self).map(|(_, name)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

/// The inverse of `Display`.
impl FromStr for Cell {
    type Err = Error;

    fn from_str(s: &str) -> Result<Cell> {
        Self::TABLE.iter().find(|(_, name)| *name == s).map(|(cell, _)| *cell).ok_or_else(|| {
            let names = Self::TABLE.map(|(_, name)| name).join(", ");
            Error::setting("cell", format!("there is no `{s}`; there are {names}"))
        })
    }
}

/// A recurrence over the tokens of each sequence, from states of zeros: (m·l)×k gives the states (m·l)×h, a token a row.
///
/// What the tokens give to the sums, X·W + b, is one product for all; the steps follow in one node.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{Cell, Init, Mode, Module, Recurrent};
/// use tapegrad::rng::{Purpose, stream};
///
/// let mut tape = Tape::new();
/// let rng = &mut stream(1, Purpose::Init);
/// let layer = Recurrent::new(&mut tape, Cell::Gru, 3, 8, 5, Init::default(), rng)?;
/// // Two sequences of five tokens.
/// let x = tape.constant_with(10, 3, |_| ());
/// let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.shape(y).to_string(), "10×8");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrent {
    /// The weights W of the tokens, k×(g·h), for the g sums of the cell.
    pub weight: Param,
    /// The bias b of the sums, 1×(g·h).
    pub bias: Param,
    /// The weights U of the state before, h×(g·h).
    pub hidden: Param,
    /// The bias within a GRU, 1×h.
    pub hidden_bias: Option<Param>,
    cell: Cell,
    inputs: usize,
    outputs: usize,
    length: usize,
}

impl Recurrent {
    /// From tokens of `inputs` numbers to states of `outputs`, for sequences of `length` tokens; a single one may be
    /// shorter. The weights of each sum are drawn from `init` on their own. Biases are 0, but for [`Init::PyTorch`], and
    /// for the forget gate of an LSTM, which begins open with a bias that is larger by 1 (Jozefowicz, Zaremba and
    /// Sutskever, *An Empirical Exploration of Recurrent Network Architectures*, ICML 2015).
    ///
    /// # Errors
    /// [`Error::Setting`] if there are no inputs, no outputs or no tokens, or more numbers than can be addressed;
    /// [`Error::Memory`] if there is not enough of it for the weights of one gate.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(
        tape: &mut Tape<T>,
        cell: Cell,
        inputs: usize,
        outputs: usize,
        length: usize,
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<Self> {
        settings::at_least_one("inputs", inputs)?;
        settings::at_least_one("outputs", outputs)?;
        settings::at_least_one("length", length)?;
        init.check::<T>()?;
        let (gates, larger) = (cell.gates(), inputs.max(outputs));
        let room = larger.checked_mul(outputs).filter(|room| room.checked_mul(gates).is_some());
        let Some(room) = room else {
            let why = format!(
                "a matrix of {larger}×{outputs} for each gate has more numbers than a computer can address: take fewer, \
                 for the sake of memory"
            );
            return Err(Error::setting("outputs", why));
        };
        let mut one = filled(room, T::ZERO, "the weights of a gate")?;
        // Of one sum after the other: side by side, they would count as so many more outputs.
        let mut draw = |to: &mut [T], rows: usize, rng: &mut dyn FnMut(&mut [T])| {
            for gate in 0..gates {
                let one = &mut one[..rows * outputs];
                rng(one);
                for (to, from) in to.chunks_mut(gates * outputs).zip(one.chunks(outputs)) {
                    to[gate * outputs..][..outputs].copy_from_slice(from);
                }
            }
        };
        let weight = tape.param_with(inputs, gates * outputs, |w| {
            draw(w, inputs, &mut |one| init.fill(one, inputs, outputs, rng));
        });
        let bias = tape.param_with(1, gates * outputs, |b| {
            init.fill_bias(b, outputs, rng);
            if cell == Cell::Lstm {
                b[outputs..2 * outputs].iter_mut().for_each(|b| *b += T::ONE);
            }
        });
        let hidden = tape.param_with(outputs, gates * outputs, |w| {
            draw(w, outputs, &mut |one| init.fill(one, outputs, outputs, rng));
        });
        let hidden_bias =
            (cell == Cell::Gru).then(|| tape.param_with(1, outputs, |b| init.fill_bias(b, outputs, rng)));
        Ok(Recurrent { weight, bias, hidden, hidden_bias, cell, inputs, outputs, length })
    }
}

impl<T: Float> Module<T> for Recurrent {
    fn describe(&self) -> String {
        // The same for one of them: checkpoints hold this text, and one of before is compared with it.
        format!("{} {}→{} over {} tokens", self.cell, self.inputs, self.outputs, self.length)
    }

    /// # Panics
    /// If x has another number of columns, or its rows are no sequences.
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        let (sequences, length) = sequences_of(tape, "Recurrent", x, self.length);
        let x = tape.linear(x, self.weight, self.bias);
        let mut zeros = |cols| tape.constant_with(sequences, cols, |_| ());
        match self.cell {
            Cell::Plain => {
                let state = zeros(self.outputs);
                tape.rnn(x, self.hidden, state, length)
            }
            Cell::Lstm => {
                let state = zeros(2 * self.outputs);
                let states = tape.lstm(x, self.hidden, state, length);
                tape.slice_cols(states, 0..self.outputs)
            }
            Cell::Gru => {
                let state = zeros(self.outputs);
                let bias = self.hidden_bias.expect("a GRU is made with it");
                tape.gru(x, self.hidden, state, bias, length)
            }
        }
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit("input.weight", self.weight);
        visit("input.bias", self.bias);
        visit("hidden.weight", self.hidden);
        if let Some(bias) = self.hidden_bias {
            visit("hidden.bias", bias);
        }
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.inputs)
    }

    fn rows(&self, rows: usize) -> Option<usize> {
        rows.is_multiple_of(self.length).then_some(rows)
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("recurrent").with("cell", self.cell.to_string()).with("length", self.length))
    }
}

/// What a file holds of it.
pub(super) fn restore<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let (cell, length): (Cell, usize) = (settings.get::<String>("cell")?.parse()?, settings.get("length")?);
    // Before room is made for as many.
    let (outputs, columns) = from.from.shape::<T>("hidden.weight")?;
    if outputs.checked_mul(cell.gates()) != Some(columns) {
        return Err(Error::Data(format!(
            "weights of {outputs}×{columns} in a {cell} of {}",
            count(outputs, "unit")
        )));
    }
    from.from.check_shape::<T>("input.weight", width, columns)?;
    let rng = &mut stream(0, Purpose::Init);
    let layer = Recurrent::new(tape, cell, width, outputs, length, Init::Zeros, rng)?;
    set(tape, &layer, from.from)?;
    Ok((Arc::new(layer), outputs))
}
