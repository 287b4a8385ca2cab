//! What a recurrence remembers: how the gradient of a loss dies away, or grows, through a hundred steps, and over how
//! many steps a bit can be learnt to be kept. The networks are here, in a file each are the gradients, the training,
//! and what is claimed and shown.

mod clipping;
mod flow;
mod memory;
mod report;

use rand::Rng;

use super::prelude::*;
use crate::nn::{Cell, Init, Linear, Mode, Module, Recurrent};
use crate::rng::{Place, at};

pub const EXPERIMENT: Experiment = Experiment {
    name: "recurrence",
    title: "Recurrent networks",
    question: "How far back does a recurrent network reach: what is left of a gradient after 100 steps, and \
               what can be learned?",
    theory: &[
        "The gradient of a loss by the state t steps before it contains a product of t Jacobians Uᵀ·diag \
         φ'. If their norms stay below a bound less than 1, it vanishes geometrically. If the largest \
         eigenvalue is above 1, it may explode. See Bengio, Simard and Frasconi, \"Learning Long-Term \
         Dependencies with Gradient Descent is Difficult\", 1994. See also Pascanu, Mikolov and Bengio, \
         \"On the Difficulty of Training Recurrent Neural Networks\", 2013.",
        "The cell of an LSTM is multiplied only by the forget gate f = σ(b) (Hochreiter and Schmidhuber \
         1997; Gers, Schmidhuber and Cummins 2000). With a bias of 1 that is 0.731 per step, so the \
         gradient vanishes too. A bias of ln(T − 1) makes it 1 − 1/T, and about 1/e is left after T steps \
         (Tallec and Ollivier, \"Can Recurrent Neural Networks Warp Time?\", 2018).",
        "Clipping scales a gradient whose norm is above C down to the norm C and keeps its direction. This \
         is vital where T Jacobians are multiplied, because one step along an exploded gradient destroys \
         what was learned.",
    ],
    parts: Parts::of::<Recurrence>(),
    finding,
};

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Recurrence {
    gradients: Vec<flow::Flow>,
    clipping: Vec<clipping::Pair>,
    memory: memory::Memory,
}

/// Of gradients and of clipping.
const SEEDS: u64 = 30;
/// Steps through which gradients are followed.
const LENGTH: usize = 100;
const UNITS: usize = 24;
/// Numbers of a token: noise, and the bit.
const INPUTS: usize = 2;
const BATCH: usize = 32;

/// A recurrence, and how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    /// tanh(Ux + Wh) with U of Glorot and Bengio times this: about as large as its largest eigenvalue.
    Plain(f64),
    /// With a forget gate's bias of 1.
    Lstm,
    /// With a forget gate's bias of ln(T − 1).
    OpenLstm,
    Gru,
}

impl Kind {
    fn name(self) -> String {
        match self {
            Kind::Plain(1.0) => "plain".into(),
            Kind::Plain(gain) => format!("plain, U·{gain}"),
            Kind::Lstm => "LSTM, bias 1".into(),
            Kind::OpenLstm => "LSTM, bias ln(T − 1)".into(),
            Kind::Gru => "GRU".into(),
        }
    }

    fn cell(self) -> Cell {
        match self {
            Kind::Plain(_) => Cell::Plain,
            Kind::Lstm | Kind::OpenLstm => Cell::Lstm,
            Kind::Gru => Cell::Gru,
        }
    }
}

/// A recurrence over sequences of `length` tokens, whose last state tells two classes apart. Gradients that vanish or
/// explode by thirty powers of ten are followed in `f64`. What is learnt is trained in `f32`, in half the time.
struct Rememberer<T: Float = f64> {
    tape: Tape<T>,
    layer: Recurrent,
    head: Linear,
    kind: Kind,
    length: usize,
}

impl<T: Float> Rememberer<T> {
    fn new(kind: Kind, length: usize, seed: u64) -> Result<Rememberer<T>> {
        let (mut tape, rng) = (Tape::default(), &mut stream(seed, Purpose::Init));
        let layer = Recurrent::new(&mut tape, kind.cell(), INPUTS, UNITS, length, Init::default(), rng)?;
        let head = Linear::new(&mut tape, UNITS, 2, true, Init::default(), rng);
        match kind {
            Kind::Plain(gain) => {
                let gain = T::of(gain);
                let scaled: Vec<T> = tape.value_slice(layer.hidden).iter().map(|u| gain * *u).collect();
                tape.set_param(layer.hidden, &scaled);
            }
            Kind::OpenLstm => {
                let mut bias = tape.value_slice(layer.bias).to_vec();
                bias[UNITS..2 * UNITS].fill(T::of(Float::ln(length as f64 - 1.0)));
                tape.set_param(layer.bias, &bias);
            }
            Kind::Lstm | Kind::Gru => (),
        }
        Ok(Rememberer { tape, layer, head, kind, length })
    }

    /// The same weights in another precision.
    fn copied<U: Float>(&self) -> Result<Rememberer<U>> {
        let mut copy = Rememberer::new(self.kind, self.length, 0)?;
        for (to, from) in copy.tape.param_values_mut().iter_mut().zip(self.tape.param_values()) {
            *to = U::of(from.to_f64());
        }
        Ok(copy)
    }

    /// The loss of a batch on the rewound tape, and the logits.
    fn forward(&mut self, batch: &Bits) -> (Var, Var) {
        let Rememberer { tape, layer, head, length, .. } = self;
        tape.rewind();
        let tokens: Vec<T> = batch.tokens.iter().map(|x| T::of(*x)).collect();
        let tokens = tape.constant_slice(batch.labels.len() * *length, INPUTS, &tokens);
        let states = layer.forward(tape, tokens, &mut Mode::evaluation());
        let last: Vec<usize> = (1..=batch.labels.len()).map(|row| row * *length - 1).collect();
        let last = tape.gather_rows(states, &last);
        let logits = head.forward(tape, last, &mut Mode::evaluation());
        (tape.cross_entropy(logits, &batch.labels), logits)
    }
}

/// Sequences whose first token has a bit, ±1, as its second number. The first number of every token is noise, N(0, 1).
struct Bits {
    /// A token a row, a sequence after the other.
    tokens: Vec<f64>,
    labels: Vec<usize>,
}

impl Bits {
    /// Batch number `step` of a run.
    fn new(seed: u64, step: u64, sequences: usize, length: usize) -> Bits {
        let rng = &mut at(Place { seed, epoch: 0, step }, Purpose::Data, 0);
        let mut bits =
            Bits { tokens: vec![0.0; sequences * length * INPUTS], labels: Vec::with_capacity(sequences) };
        for sequence in bits.tokens.chunks_exact_mut(length * INPUTS) {
            let bit = rng.next_u32() % 2;
            bits.labels.push(bit as usize);
            sequence.chunks_exact_mut(INPUTS).for_each(|token| token[0] = standard_normal(rng));
            sequence[1] = 2.0 * f64::from(bit) - 1.0;
        }
        bits
    }
}

impl Study for Recurrence {
    const EDITION: u32 = 3;

    fn measure(context: &Context) -> Result<Recurrence> {
        // Products of a hundred random factors differ by powers of ten from seed to seed, and so do the losses that
        // follow from them: these take more seeds than what is learnt.
        let seeds = derived_seeds(context, SEEDS);
        Ok(Recurrence {
            gradients: flow::measure(context, &seeds)?,
            clipping: clipping::measure(context, &seeds)?,
            memory: memory::measure(context, &seeds[..context.pick(8, 10)])?,
        })
    }

    fn report(&self) -> Outcome {
        report::all(self)
    }
}

fn finding(found: &Found) -> Told {
    let left = |name: &str| found.number(&format!("{name}: log10 of what is left"));
    let power = |x: f64| rounded(Float::powf(10.0, x), 2);
    let [plain, closed, open] = [left("plain")?, left("LSTM, bias 1")?, left("LSTM, bias ln(T − 1)")?];
    let kept = found.by(
        "open-beats-closed",
        [
            "Over the longest sequences an LSTM with an open gate is right more often than one with that \
             bias.",
            "Over the longest sequences an LSTM with an open gate is not right more often than one with that bias.",
            "This run does not decide whether an LSTM with an open gate is right more often over the \
             longest sequences.",
        ],
    )?;
    let clipped = found.by(
        "clipping-vital",
        [
            "with clipping the training ends at a lower loss",
            "clipping does not lower the loss",
            "this run does not decide whether clipping lowers the loss",
        ],
    )?;
    Some((
        "gradients",
        format!(
            "100 steps of a plain recurrence multiply a gradient by {}, of an LSTM with an open gate by {}",
            power(plain),
            power(open)
        ),
        format!(
            "The open gate keeps the gradient, not the LSTM as such: with the usual forget bias of 1 the \
             factor is {}. {kept} What is left before training tells only in part what is learned, because \
             training moves the weights. Large weights do the opposite. The largest gradient of a training \
             is {}, the geometric mean over the seeds, and {clipped}.",
            power(closed),
            power(found.number("log10 of the largest gradient")?)
        ),
    ))
}
