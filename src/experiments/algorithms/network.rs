//! The transformer: vectors for tokens and their places, two blocks, and ten numbers for each token.

use super::{Mark, NOTHING, Problems, VOCABULARY};
use crate::experiments::prelude::*;
use crate::metrics::argmax;
use crate::nn::{
    AttentionOptions, Embedding, Init, Linear, Mode, Module, Positions, TransformerBlock, TransformerOptions,
};

pub(super) const WIDTH: usize = 32;
pub(super) const HEADS: usize = 2;
pub(super) const BLOCKS: usize = 2;

pub(super) struct Transformer {
    pub tape: Tape<f32>,
    pub embedding: Embedding,
    pub blocks: Vec<TransformerBlock>,
    pub head: Linear,
}

impl Transformer {
    pub fn new(length: usize, seed: u64) -> Result<Transformer> {
        let (mut tape, rng) = (Tape::default(), &mut stream(seed, Purpose::Init));
        let embedding = Embedding::new(&mut tape, VOCABULARY, length, WIDTH, Positions::Learned, rng)?;
        let attention = AttentionOptions::new(HEADS, length);
        let options = TransformerOptions { attention, hidden: 2 * WIDTH, dropout: 0.0 };
        let mut block = || TransformerBlock::new(&mut tape, WIDTH, options, Init::default(), rng);
        let blocks = (0..BLOCKS).map(|_| block()).collect::<Result<_>>()?;
        let head = Linear::new(&mut tape, WIDTH, 10, true, Init::default(), rng);
        Ok(Transformer { tape, embedding, blocks, head })
    }

    /// Logits on the rewound tape, a token a row.
    fn logits(&mut self, problems: &Problems) -> Var {
        let Transformer { tape, embedding, blocks, head } = self;
        tape.rewind();
        let x: Vec<f32> = problems.tokens.iter().map(|x| *x as f32).collect();
        let x = tape.constant_slice(problems.count(), problems.task.length(), &x);
        let mode = &mut Mode::evaluation();
        let x = embedding.forward(tape, x, mode);
        let x = blocks.iter().fold(x, |x, block| block.forward(tape, x, mode));
        head.forward(tape, x, mode)
    }

    /// The loss of a batch.
    pub fn loss(&mut self, problems: &Problems) -> Var {
        let logits = self.logits(problems);
        self.tape.cross_entropy_ignoring(logits, &problems.labels, NOTHING)
    }

    /// How much of `problems` it gets right.
    pub fn mark(&mut self, problems: &Problems, step: usize) -> Mark {
        let length = problems.task.length();
        let (mut digits, mut all, mut answers) = (0, 0, 0);
        let logits = self.logits(problems);
        let found: Vec<Option<usize>> = self.tape.value_slice(logits).chunks_exact(10).map(argmax).collect();
        for (found, labels) in found.chunks(length).zip(problems.labels.chunks(length)) {
            let counted = found.iter().zip(labels).filter(|(_, label)| **label != NOTHING);
            let right = counted.clone().filter(|(found, label)| **found == Some(**label)).count();
            let count = counted.count();
            (digits, all, answers) = (digits + right, all + count, answers + usize::from(right == count));
        }
        Mark { step, digits: digits as f64 / all as f64, answers: answers as f64 / problems.count() as f64 }
    }

    /// Numbers of all weights.
    pub fn parameters(&self) -> usize {
        self.tape.param_numbers()
    }
}
