//! The nodes as data: for summaries and drawings.

use super::node::Node;
use super::{Shape, Tape, Var};
use crate::Float;

/// A node, as it can be looked at.
pub(crate) struct NodeView<'a> {
    /// The operation's name.
    pub op: &'static str,
    pub shape: Shape,
    /// Numbers that it holds: its value and what it saves.
    pub numbers: usize,
    /// Positions of its inputs.
    pub inputs: &'a [u32],
}

/// # Inspection
/// What stands on the tape, node by node.
impl<T: Float> Tape<T> {
    /// Bytes that a node takes, without its numbers.
    pub(crate) fn node_bytes() -> usize {
        size_of::<Node<T>>()
    }

    /// The nodes from position `start` on, in order.
    pub(crate) fn nodes_from(&self, start: usize) -> impl Iterator<Item = NodeView<'_>> {
        self.nodes[start.min(self.nodes.len())..].iter().map(|node| {
            let links = node.links as usize;
            NodeView {
                op: node.name(),
                shape: node.shape(),
                numbers: node.shape().numel() + self.args[node.args as usize].saved,
                inputs: &self.links[links..links + node.inputs as usize],
            }
        })
    }

    /// The nodes behind `v`, in order.
    pub(crate) fn nodes_behind(&self, v: Var) -> impl Iterator<Item = NodeView<'_>> {
        self.nodes_from(v.index() + 1)
    }
}
