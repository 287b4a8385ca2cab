//! What a module appends, and how much memory training it takes: read off a dry run.

use std::fmt;

use super::buffers::Buffers;
use super::{Mode, Module};
use crate::Float;
use crate::rng::Place;
use crate::tape::{Shape, Tape};
use crate::text::count;

/// A node that a module appends in a step of training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSummary {
    /// The operation, such as `linear`.
    pub op: String,
    /// Shape of its value for one sample.
    pub shape: Shape,
    /// Trainable numbers that it is the first to use.
    pub trainable: usize,
    /// Numbers that it holds for each sample: its value, and what it saves for the backward pass.
    pub per_sample: usize,
    /// Numbers that it holds beside these, whatever the batch.
    pub fixed: usize,
}

/// What a module is made of, and what it takes to train it on the cross-entropy. It prints as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What the module says of itself.
    pub model: String,
    /// Numbers per sample that go in.
    pub inputs: usize,
    /// The nodes of a step, from the input to the output.
    pub nodes: Vec<NodeSummary>,
    /// Samples in a batch.
    pub batch: usize,
    /// Parameters and buffers on the tape, and the numbers in them.
    pub params: usize,
    /// Numbers in all parameters and buffers.
    pub param_numbers: usize,
    /// Bytes of a number: 4 or 8.
    pub number_bytes: usize,
    /// Bytes of a node.
    pub node_bytes: usize,
}

impl Summary {
    /// The summary of `module`, whose parameters are on `tape`, for batches of that size: from two dry runs
    /// of training on a few samples. The tape is rewound; its parameters and buffers stay.
    ///
    /// # Panics
    /// If the module does not take `inputs` numbers per sample.
    pub fn of<T: Float>(module: &dyn Module<T>, tape: &mut Tape<T>, inputs: usize, batch: usize) -> Summary {
        let mut buffers = Buffers::of(tape);
        buffers.keep(tape);
        let few = module.least_batch();
        let mut run = |rows: usize| {
            tape.rewind();
            let x = tape.constant_with(rows, inputs, |_| ());
            module.forward(tape, x, &mut Mode::training(Place::default()));
            tape.nodes_behind(x).map(|node| (node.numbers, node.shape)).collect::<Vec<_>>()
        };
        let (first, second) = (run(few), run(few + 1));
        assert!(
            first.len() == second.len(),
            "{}: a batch of {few} makes {}, one of {} makes {}",
            module.describe(),
            count(first.len(), "node"),
            few + 1,
            second.len()
        );
        let mut used = vec![false; tape.params().len()];
        let sizes: Vec<usize> =
            tape.params().map(|p| if tape.is_trained(p) { tape.param_shape(p).numel() } else { 0 }).collect();
        let input = tape.params().len();
        let nodes = tape
            .nodes_from(input + 1)
            .zip(first.iter().zip(&second))
            .map(|(node, ((few_numbers, _), (numbers, shape)))| {
                let per_sample = numbers - few_numbers;
                let mut trainable = 0;
                for param in node.inputs.iter().map(|i| *i as usize).filter(|i| *i < sizes.len()) {
                    if !std::mem::replace(&mut used[param], true) {
                        trainable += sizes[param];
                    }
                }
                NodeSummary {
                    op: node.op.into(),
                    // What grows with the batch has a row, or rows, for each sample.
                    shape: if per_sample > 0 {
                        Shape::new(shape.rows / (few + 1), shape.cols)
                    } else {
                        *shape
                    },
                    trainable,
                    per_sample,
                    fixed: few_numbers - few * per_sample,
                }
            })
            .collect();
        let summary = Summary {
            model: module.describe(),
            inputs,
            nodes,
            batch,
            params: tape.params().len(),
            param_numbers: tape.param_numbers(),
            number_bytes: size_of::<T>(),
            node_bytes: Tape::<T>::node_bytes(),
        };
        tape.rewind();
        buffers.restore(tape);
        summary
    }

    /// Numbers per sample that come out.
    pub fn outputs(&self) -> usize {
        self.nodes.last().map_or(self.inputs, |last| last.shape.numel())
    }

    /// Trainable numbers in use.
    pub fn trainable(&self) -> usize {
        self.nodes.iter().map(|node| node.trainable).sum()
    }

    /// Numbers on the arena once the output for a batch of training stands there: the parameters, the
    /// batch, and what the module appends. Equal to [`Tape::numbers`] then.
    pub fn forward_numbers(&self) -> usize {
        let per_sample = self.nodes.iter().fold(self.inputs, |sum, node| sum.saturating_add(node.per_sample));
        let fixed = self.nodes.iter().fold(self.param_numbers, |sum, node| sum.saturating_add(node.fixed));
        per_sample.saturating_mul(self.batch).saturating_add(fixed)
    }

    /// The same with the cross-entropy behind, which holds its value, and for the backward pass one
    /// number for each output and each sample.
    pub fn training_numbers(&self) -> usize {
        let loss = self.outputs().saturating_add(1).saturating_mul(self.batch).saturating_add(1);
        self.forward_numbers().saturating_add(loss)
    }

    /// Nodes on the arena during a training step: parameters, batch, those of the module, and the loss.
    pub fn training_nodes(&self) -> usize {
        self.params + self.nodes.len() + 2
    }

    /// Bytes in use on the arena at the peak of a training step: nodes, values, and as many gradients.
    ///
    /// The lists of inputs and labels come on top, with some bytes each; and buffers that grow by
    /// doubling may hold up to twice as much.
    pub fn training_bytes(&self) -> usize {
        let numbers = self.training_numbers().saturating_mul(2 * self.number_bytes);
        numbers.saturating_add(self.training_nodes() * self.node_bytes)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |numbers: usize| numbers.saturating_mul(self.number_bytes);
        writeln!(f, "{}", self.model)?;
        writeln!(f, "{:<16} {:>12} {:>12} {:>14}", "operation", "shape", "parameters", "bytes")?;
        writeln!(f, "{:<16} {:>12} {:>12} {:>14}", "input", Shape::new(1, self.inputs).to_string(), 0, 0)?;
        for NodeSummary { op, shape, trainable, .. } in &self.nodes {
            writeln!(f, "{op:<16} {:>12} {trainable:>12} {:>14}", shape.to_string(), bytes(*trainable))?;
        }
        let trainable = self.trainable();
        writeln!(f, "{:<16} {:>12} {trainable:>12} {:>14}", "total", "", bytes(trainable))?;
        writeln!(
            f,
            "training on batches of {}: {}, {} and as many gradients, {} at the peak",
            self.batch,
            count(self.training_nodes(), "node"),
            count(self.training_numbers(), "number"),
            count(self.training_bytes(), "byte")
        )
    }
}
