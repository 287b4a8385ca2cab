//! What a model is made of, and how much memory it takes, without making it.

use std::fmt;

use crate::Float;
use crate::tape::Shape;

/// A layer of a model, as the tape sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// Its name, such as `linear1`.
    pub name: String,
    /// Shape of its result for one sample.
    pub shape: Shape,
    /// Trainable numbers.
    pub numbers: usize,
    /// Parameters that these are in: 2 for weights and bias.
    pub params: usize,
    /// Nodes that it appends.
    pub nodes: usize,
    /// Numbers per sample that these nodes hold, with all that the backward pass needs.
    pub per_sample: usize,
    /// Numbers beside these, whatever the batch: buffers, statistics.
    pub fixed: usize,
}

/// What a model is made of, and what it takes to train it. It prints as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Name of the model.
    pub model: String,
    /// Numbers per sample that go in.
    pub inputs: usize,
    /// The layers, from input to output.
    pub layers: Vec<LayerSummary>,
    /// Samples in a batch.
    pub batch: usize,
    /// Bytes of a number: 4 or 8.
    pub number_bytes: usize,
}

/// Bytes of a node of the arena.
const NODE_BYTES: usize = 48;

impl Summary {
    /// The summary of a model of `T` for batches of that size.
    pub fn new<T: Float>(model: &str, inputs: usize, layers: Vec<LayerSummary>, batch: usize) -> Summary {
        Summary { model: model.to_string(), inputs, layers, batch, number_bytes: size_of::<T>() }
    }

    /// Numbers per sample that come out.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(self.inputs, |last| last.shape.len())
    }

    /// Trainable numbers.
    pub fn trainable(&self) -> usize {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.numbers))
    }

    /// Numbers on the arena once the predictions for a batch of training stand there: the parameters, the
    /// batch, and what the layers append. Equal to [`Tape::numbers`](crate::Tape::numbers) then.
    pub fn forward_numbers(&self) -> usize {
        let per_sample =
            self.layers.iter().fold(self.inputs, |sum, layer| sum.saturating_add(layer.per_sample));
        let fixed = self.layers.iter().fold(self.trainable(), |sum, layer| sum.saturating_add(layer.fixed));
        per_sample.saturating_mul(self.batch).saturating_add(fixed)
    }

    /// The same with the cross-entropy behind, which holds its value, and for the backward pass one
    /// number for each prediction and each sample.
    pub fn training_numbers(&self) -> usize {
        let loss = self.outputs().saturating_add(1).saturating_mul(self.batch).saturating_add(1);
        self.forward_numbers().saturating_add(loss)
    }

    /// Nodes on the arena during a training step: parameters, batch, layers and loss.
    pub fn training_nodes(&self) -> usize {
        self.layers.iter().map(|layer| layer.params + layer.nodes).sum::<usize>() + 2
    }

    /// Bytes in use on the arena at the peak of a training step: nodes, values, and as many gradients.
    ///
    /// The lists of inputs and labels come on top, with some bytes each; and buffers that grow by
    /// doubling may hold up to twice as much.
    pub fn training_bytes(&self) -> usize {
        let numbers = self.training_numbers().saturating_mul(2 * self.number_bytes);
        numbers.saturating_add(self.training_nodes() * NODE_BYTES)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |numbers: usize| numbers.saturating_mul(self.number_bytes);
        writeln!(f, "{}", self.model)?;
        writeln!(f, "{:<16} {:>12} {:>12} {:>14}", "layer", "shape", "parameters", "bytes")?;
        writeln!(f, "{:<16} {:>12} {:>12} {:>14}", "input", Shape::new(1, self.inputs).to_string(), 0, 0)?;
        for LayerSummary { name, shape, numbers, .. } in &self.layers {
            writeln!(f, "{name:<16} {:>12} {numbers:>12} {:>14}", shape.to_string(), bytes(*numbers))?;
        }
        let trainable = self.trainable();
        writeln!(f, "{:<16} {:>12} {trainable:>12} {:>14}", "total", "", bytes(trainable))?;
        writeln!(
            f,
            "training on batches of {}: {} nodes, {} numbers and as many gradients, {} bytes at the peak",
            self.batch,
            self.training_nodes(),
            self.training_numbers(),
            self.training_bytes()
        )
    }
}
