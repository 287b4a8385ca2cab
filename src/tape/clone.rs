//! Copies of a tape, on which the handles of the original are good.

use super::Tape;
use super::numbers::Numbers;
use crate::Float;

/// All handles made so far are good on the clone as well, each for the clone's own copy. What is appended to one of
/// them afterwards is unknown to the other.
impl<T: Float> Clone for Tape<T> {
    fn clone(&self) -> Self {
        Tape {
            nodes: self.nodes.clone(),
            values: Numbers::copy_of(&self.values[..self.used]),
            grads: Numbers::copy_of(&self.grads[..self.used.min(self.grads.len())]),
            used: self.used,
            links: self.links.clone(),
            linked: self.linked,
            args: self.args.clone(),
            params: self.params,
            lean: self.lean,
            names: self.names.clone(),
            generations: self.generations.fork(self.nodes.len(), self.params),
            changed_at: self.changed_at,
            written: self.written.clone(),
            scratch: Vec::new(),
            walking: self.walking,
            passed: self.passed,
            anomalies: self.anomalies.clone(),
        }
    }
}

impl<T: Float> Tape<T> {
    /// An empty tape for parameters of that many numbers in all, without their gradients: enough to compute outputs.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) if the machine has none for them.
    pub(crate) fn with_room(numbers: usize) -> crate::Result<Self> {
        Ok(Tape { values: Numbers::with_room(numbers)?, lean: true, ..Tape::default() })
    }

    /// A clone of the parameters and buffers alone, without their gradients: enough to compute outputs.
    pub(crate) fn clone_parameters(&self) -> Self {
        let numbers = self.nodes[..self.params].last().map_or(0, |last| last.range().end);
        let linked = self.nodes.get(self.params).map_or(self.linked, |first| first.links as usize);
        let mut generations = self.generations.fork(self.nodes.len(), self.params);
        generations.rewind(self.params, self.params);
        Tape {
            nodes: self.nodes[..self.params].to_vec(),
            values: Numbers::copy_of(&self.values[..numbers]),
            used: numbers,
            links: self.links[..linked].to_vec(),
            linked,
            params: self.params,
            lean: true,
            names: self.names.clone(),
            generations,
            ..Tape::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::tape::tests::panics;

    /// Handles from before the cloning are good on both; what one makes afterwards is unknown to the other.
    #[test]
    fn a_clone_knows_what_was_there_and_nothing_later() {
        let mut tape = Tape::new();
        let w = tape.param_slice(1, 2, &[2.0, 3.0]);
        let buffer = tape.buffer_with(1, 1, |to| to[0] = 7.0);
        let x = tape.constant_slice(1, 2, &[10.0, 100.0]);
        let scaled = tape.scale(x, 0.5);
        let y = tape.mul(w, scaled);
        tape.backward_with(y, |dy| dy.fill(1.0));
        let mark = tape.mark();

        let mut clone = tape.clone();
        for tape in [&tape, &clone] {
            assert_eq!(tape.value_slice(y), [10.0, 150.0]);
            assert_eq!(tape.grad_slice(w), [5.0, 50.0]);
            assert_eq!(tape.item(buffer), 7.0);
        }
        // Each goes on by itself.
        clone.param_values_mut()[..2].fill(1.0);
        let ours = tape.square(y);
        let theirs = clone.exp(x);
        assert_eq!((ours.index(), tape.value_slice(w)), (theirs.index(), &[2.0, 3.0][..]));
        assert!(panics(|| tape.value_slice(theirs).len()).contains("stale"));
        assert!(panics(|| clone.value_slice(ours).len()).contains("stale"));
        // A mark of before is good on both as well, and so are further rewinds.
        clone.rewind_to(mark);
        clone.rewind();
        tape.rewind_to(mark);
        assert_eq!(tape.value_slice(y), [10.0, 150.0]);
        assert!(panics(|| clone.value_slice(y).len()).contains("stale"));
        let z = clone.scale(w, 2.0);
        assert_eq!(clone.value_slice(z), [2.0, 2.0]);
        assert!(panics(|| tape.value_slice(z).len()).contains("stale"));
        assert_eq!(tape.value_slice(scaled), [5.0, 50.0]);
    }

    #[test]
    fn a_clone_of_the_parameters_alone() {
        let mut tape = Tape::<f32>::default();
        let w = tape.param_slice(2, 1, &[2.0, 3.0]);
        tape.set_name(w, "weight");
        let x = tape.constant_slice(1, 2, &[10.0, 100.0]);
        let y = tape.matmul(x, w);
        tape.backward(y);
        let mut lean = tape.clone_parameters();
        assert!(panics(|| lean.value_slice(x).len()).contains("stale"));
        let x = lean.constant_slice(1, 2, &[1.0, 1.0]);
        let y = lean.matmul(x, w);
        assert_eq!(lean.item(y), 5.0);
        lean.backward(y);
        assert_eq!((lean.grad_slice(w), lean.name(w)), (&[1.0, 1.0][..], "weight"));
        assert_eq!(tape.grad_slice(w), [10.0, 100.0]);
        assert_eq!(Tape::<f32>::default().clone_parameters().clone().len(), 0);
    }
}
