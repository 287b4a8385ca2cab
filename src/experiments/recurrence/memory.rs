//! Over how many steps a bit is learnt to be kept, and what training makes of the gradients.

use super::flow::{Flow, norms};
use super::{BATCH, Bits, INPUTS, Kind, Rememberer};
use crate::experiments::prelude::*;
use crate::metrics::argmax;
use crate::optim::Clip;

pub(super) const KINDS: [Kind; 4] = [Kind::Plain(1.0), Kind::Lstm, Kind::OpenLstm, Kind::Gru];
const RATE: f64 = 3e-3;
const TESTED: usize = 500;

/// Of one kind and length: test accuracy for each seed, and the gradients before and after training.
#[derive(Serialize, Deserialize)]
pub(super) struct Learnt {
    pub kind: Kind,
    pub length: usize,
    pub accuracy: Vec<f64>,
    pub before: Flow,
    pub after: Flow,
}

/// What was learnt, and how long it was trained.
#[derive(Serialize, Deserialize)]
pub(super) struct Memory {
    pub lengths: Vec<usize>,
    pub steps: usize,
    /// Kind by kind, each over all lengths.
    pub all: Vec<Learnt>,
}

impl Memory {
    /// Those of a kind, by length.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Learnt> {
        self.all.iter().filter(move |learnt| learnt.kind == kind)
    }
}

struct One {
    accuracy: f64,
    before: Vec<f64>,
    after: Vec<f64>,
}

pub(super) fn measure(context: &Context, seeds: &[u64]) -> Result<Memory> {
    let lengths = context.pick(vec![5, 20, 100], vec![5, 10, 20, 50, 100, 200]);
    let steps = context.pick(60, 400);
    let forms: Vec<(Kind, usize)> =
        KINDS.iter().flat_map(|kind| lengths.iter().map(|length| (*kind, *length))).collect();
    let jobs: Vec<(Kind, usize, u64)> =
        forms.iter().flat_map(|(kind, length)| seeds.iter().map(|seed| (*kind, *length, *seed))).collect();
    let ones =
        context.side_by_side(2..10, 10, "a bit to be kept", &jobs, |job| learn(context, *job, steps))?;
    let learnt = |((kind, length), ones): (&(Kind, usize), &[One])| Learnt {
        kind: *kind,
        length: *length,
        accuracy: ones.iter().map(|one| one.accuracy).collect(),
        before: Flow { kind: *kind, norms: ones.iter().map(|one| one.before.clone()).collect() },
        after: Flow { kind: *kind, norms: ones.iter().map(|one| one.after.clone()).collect() },
    };
    let all = forms.iter().zip(ones.chunks(seeds.len())).map(learnt).collect();
    Ok(Memory { lengths, steps, all })
}

fn learn(context: &Context, (kind, length, seed): (Kind, usize, u64), steps: usize) -> Result<One> {
    let mut start = Rememberer::new(kind, length, seed)?;
    let seen = Bits::new(seed, u64::MAX, BATCH, length);
    let before = norms(&mut start, &seen);
    let mut net = start.copied::<f32>()?;
    let mut optimizer = Optimizer::new(Adam::default(), RATE)?;
    let mut clip = Clip::none().with_norm(1.0)?;
    for k in 0..steps {
        context.check()?;
        let (loss, _) = net.forward(&Bits::new(seed, k as u64, BATCH, length));
        net.tape.zero_grad();
        net.tape.backward(loss);
        clip.apply(&mut net.tape)?;
        optimizer.step(&mut net.tape)?;
    }
    let right = right(&mut net, &Bits::new(seed, u64::MAX - 1, TESTED, length));
    let after = norms(&mut net.copied()?, &seen);
    Ok(One { accuracy: right as f64 / TESTED as f64, before, after })
}

/// How many sequences it tells right. They go through in batches as large as those of training, for which the tape has
/// room: all at once would take fresh memory, and that costs more than what is computed.
fn right(net: &mut Rememberer<f32>, test: &Bits) -> usize {
    let tokens = test.tokens.chunks(BATCH * net.length * INPUTS);
    let of_batch = |(tokens, labels): (&[f64], &[usize])| {
        let (_, logits) = net.forward(&Bits { tokens: tokens.to_vec(), labels: labels.to_vec() });
        let answers = net.tape.value_slice(logits).chunks_exact(2).map(argmax);
        answers.zip(labels).filter(|(answer, label)| *answer == Some(**label)).count()
    };
    tokens.zip(test.labels.chunks(BATCH)).map(of_batch).sum()
}
