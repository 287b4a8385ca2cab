//! The tape as text and as a drawing.

use std::fmt;

use super::node::Node;
use super::{Shape, Tape};
use crate::Float;
use crate::settings::shown;
use crate::text::printable;

/// A line per node, such as `v12: 64×10 = matmul v9 v3`; a constant of one number is there with it.
///
/// The names are those of the methods. What losses and recorded gradients append besides is `mask`, a constant of zeros and
/// ones; `weighted v3 v4`, the product, and 0 where v4 is 0; `violation v3 v4`, max(0, v3 + v4), and 0 where v4 is 0;
/// `normal_cdf v3`, the probability that a standard normal number is below v3.
impl<T: Float> fmt::Display for Tape<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.nodes.iter().enumerate() {
            write!(f, "v{index}: {} = {}", node.shape(), node.name())?;
            for input in self.inputs_of(node) {
                write!(f, " v{input}")?;
            }
            writeln!(f, "{}", self.remark(index, node))?;
        }
        Ok(())
    }
}

/// The graph in the DOT language of Graphviz: see [`Tape::dot`].
pub struct Dot<'a, T: Float>(&'a Tape<T>);

/// # Printing
/// The graph as text and as a drawing.
impl<T: Float> Tape<T> {
    /// The graph in the DOT language: `dot -Tsvg` draws it. Parameters are boxes, constants and masks are dashed.
    pub fn dot(&self) -> Dot<'_, T> {
        Dot(self)
    }

    /// Constants of an operation, or the name of a parameter, with a blank in front.
    fn remark(&self, index: usize, node: &Node<T>) -> String {
        match self.names.get(index) {
            // A line feed in a name would make a line.
            Some(name) if !name.is_empty() => format!(" {}", printable(name)),
            _ if node.name() == "constant" && node.shape() == Shape::SCALAR => {
                format!(" {}", shown(self.values[node.offset].to_f64()))
            }
            _ => node.op.describe(&self.args[node.args as usize]),
        }
    }

    pub(super) fn inputs_of(&self, node: &Node<T>) -> &[u32] {
        &self.links[node.links as usize..][..node.inputs as usize]
    }
}

impl<T: Float> fmt::Display for Dot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tape = self.0;
        writeln!(f, "digraph tape {{")?;
        writeln!(f, "  rankdir=LR;")?;
        writeln!(f, "  node [fontname=\"sans-serif\", shape=ellipse];")?;
        for (index, node) in tape.nodes.iter().enumerate() {
            let style = match node.name() {
                "param" => ", shape=box, style=bold",
                "constant" | "mask" => ", shape=box, style=dashed",
                "variable" => ", shape=box",
                _ => "",
            };
            let label = format!("v{index} {}{}", node.name(), tape.remark(index, node));
            let label = label.replace('\\', "\\\\").replace('"', "\\\"");
            writeln!(f, "  v{index} [label=\"{label}\\n{}\"{style}];", node.shape())?;
            for input in tape.inputs_of(node) {
                writeln!(f, "  v{input} -> v{index};")?;
            }
        }
        writeln!(f, "}}")
    }
}
