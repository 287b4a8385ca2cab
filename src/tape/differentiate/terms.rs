//! The terms of gradients that are found on the way back, and how they are put together.

use std::collections::BTreeMap;

use crate::Float;
use crate::tape::{Shape, Tape, Var};

/// What has been found so far on the way back.
pub(super) struct Found {
    /// The gradient of each node that waits for its turn, by its place on the tape.
    pub waiting: BTreeMap<usize, Terms>,
    /// Whether each node depends on what the gradient is asked for.
    pub depends: Vec<bool>,
}

impl Found {
    /// Whether the node at `index` depends on what the gradient is asked for.
    pub fn depends<T: Float>(&mut self, tape: &Tape<T>, index: usize) -> bool {
        while self.depends.len() <= index {
            let node = &tape.nodes[self.depends.len()];
            let found =
                node.differentiable && tape.inputs_of(node).iter().any(|&input| self.depends[input as usize]);
            self.depends.push(found);
        }
        self.depends[index]
    }

    /// Adds `term` to the gradient of the node at `index`.
    pub fn add<T: Float>(&mut self, tape: &mut Tape<T>, index: usize, term: Var) {
        let terms = self.waiting.entry(index).or_default();
        terms.whole = Some(terms.whole.map_or(term, |there| tape.add(there, term)));
    }
}

/// What a gradient is the sum of. Parts of it are kept until all are there: filled up with zeros one by one, they would take
/// memory that grows with the square of their number.
#[derive(Default)]
pub(super) struct Terms {
    /// Those of its shape, added up.
    pub whole: Option<Var>,
    /// Those of some rows, and the first of these.
    pub rows: Vec<(usize, Var)>,
    /// Those of some columns, and the first of these.
    pub cols: Vec<(usize, Var)>,
}

impl Terms {
    /// The sum, of that shape.
    pub fn sum<T: Float>(self, tape: &mut Tape<T>, shape: Shape) -> Var {
        let Terms { mut whole, rows, cols } = self;
        for (parts, along_rows) in [(rows, true), (cols, false)] {
            for term in wholes(tape, parts, shape, along_rows) {
                whole = Some(whole.map_or(term, |there| tape.add(there, term)));
            }
        }
        whole.unwrap_or_else(|| tape.constant_with(shape.rows, shape.cols, |_| ()))
    }
}

/// The parts, rows or columns of a matrix of that shape, put together to whole ones: to a single one, unless they overlap.
fn wholes<T: Float>(
    tape: &mut Tape<T>,
    mut parts: Vec<(usize, Var)>,
    shape: Shape,
    along_rows: bool,
) -> Vec<Var> {
    let length = |tape: &Tape<T>, v: Var| if along_rows { tape.shape(v).rows } else { tape.shape(v).cols };
    // Where the same rows are asked for again and again, their terms are added as they are.
    parts.sort_by_key(|(start, part)| (*start, length(tape, *part)));
    parts.dedup_by(|(start, part), (start_before, before)| {
        let same = start == start_before && length(tape, *part) == length(tape, *before);
        if same {
            *before = tape.add(*before, *part);
        }
        same
    });
    let end = if along_rows { shape.rows } else { shape.cols };
    let zeros = |tape: &mut Tape<T>, n: usize| {
        let (rows, cols) = if along_rows { (n, shape.cols) } else { (shape.rows, n) };
        tape.constant_with(rows, cols, |_| ())
    };
    let mut found = Vec::new();
    while !parts.is_empty() {
        let (mut layer, mut filled, mut left) = (Vec::new(), 0, Vec::new());
        for (start, part) in parts {
            if start < filled {
                left.push((start, part));
                continue;
            }
            if start > filled {
                layer.push(zeros(tape, start - filled));
            }
            filled = start + length(tape, part);
            layer.push(part);
        }
        if filled < end {
            layer.push(zeros(tape, end - filled));
        }
        found.push(tape.joined(layer, along_rows));
        parts = left;
    }
    found
}
