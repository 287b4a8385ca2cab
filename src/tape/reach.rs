//! Which parameters a value depends on.

use super::{Param, Tape, Var};
use crate::Float;

/// # Reach
/// What depends on what.
impl<T: Float> Tape<T> {
    /// The trained parameters that `loss` does not depend on: no backward pass from it gives them a
    /// gradient, and no optimizer moves them. Time and memory are linear in the number of nodes.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let used = tape.param_slice(1, 1, &[1.0]);
    /// let forgotten = tape.param_slice(1, 1, &[1.0]);
    /// let loss = tape.square(used);
    /// assert_eq!(tape.params_without_path(loss), [forgotten]);
    /// ```
    ///
    /// # Panics
    /// If `loss` is stale.
    #[track_caller]
    pub fn params_without_path(&self, loss: Var) -> Vec<Param> {
        self.node("params_without_path", loss);
        let mut reached = vec![false; loss.index() + 1];
        reached[loss.index()] = true;
        for index in (0..=loss.index()).rev() {
            let node = &self.nodes[index];
            if reached[index] && node.differentiable {
                self.inputs_of(node).iter().for_each(|&input| reached[input as usize] = true);
            }
        }
        let missed = |p: &Param| self.is_trained(*p) && !reached.get(p.index()).copied().unwrap_or(false);
        self.params().filter(missed).collect()
    }

    /// All values on the tape in order, parameters first.
    pub fn vars(&self) -> impl ExactSizeIterator<Item = Var> + '_ {
        (0..self.nodes.len()).map(|index| self.var(index))
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;

    #[test]
    fn only_what_leads_to_the_loss_counts() {
        let mut tape = Tape::new();
        let a = tape.param_slice(1, 1, &[1.0]);
        let buffer = tape.buffer_with(1, 1, |_| ());
        let b = tape.param_slice(1, 1, &[1.0]);
        let c = tape.param_slice(1, 1, &[1.0]);
        let x = tape.scalar(2.0);
        let loss = tape.mul(a, x);
        let cut = tape.detach(b);
        let both = tape.add(loss, cut);
        tape.mul(c, both);
        assert_eq!(tape.params_without_path(both), [b, c]);
        assert_eq!(tape.params_without_path(a.var()), [b, c]);
        assert!(!tape.is_trained(buffer));
        assert_eq!(tape.vars().nth(4), Some(x));
        assert_eq!(tape.vars().len(), tape.len());
    }
}
