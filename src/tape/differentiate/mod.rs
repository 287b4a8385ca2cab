//! The gradient as nodes of the tape, which can be differentiated again.

mod recorder;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::Location;

use super::{Shape, Tape, Var};
use crate::Float;
pub use recorder::Recorder;
use terms::Found;

/// # Gradients that are values
/// Which can be differentiated again.
impl<T: Float> Tape<T> {
    /// The gradient of `loss` for each value in `of`, appended to the tape as values of their shapes: ∂`loss`/∂v.
    ///
    /// [`backward`](Tape::backward) is the fast way to a gradient. This one is for what is computed of a gradient: its
    /// norm as a penalty, a product with the Hessian, a derivative of second or higher order. The gradient of a gradient is
    /// asked for in the same way, or by `backward`. The values are those of `backward` up to rounding, as sums are taken in
    /// another order, at kinks, at infinities and behind masks as well; only an infinite gradient may become NaN, on its way through
    /// attention or a gated recurrent unit. A value that `loss` does not depend on gets zeros.
    ///
    /// Each gradient depends on a parameter or a variable, so that it can be differentiated again. Where it does not depend on
    /// the v that it is the gradient for, its own gradient for v is 0.
    ///
    /// What an operation decides by comparing numbers, such as which entry is the largest, counts as constant. So the second
    /// derivative of a function that is linear on both sides of a kink is 0, also at the kink, and that of
    /// [`norm`](Tape::norm) is 0 at the origin.
    ///
    /// # Panics
    /// If `loss` is not 1×1, a handle is stale, a value in `of` depends on no parameter and no variable, something on the way
    /// was computed before the parameters changed, or an operation on the way has no gradient that can be recorded, as one
    /// of your own without [`Operation::record`](crate::Operation::record).
    ///
    /// ```
    /// use tapegrad::Tape;
    ///
    /// let mut tape = Tape::new();
    /// let x = tape.param_slice(1, 2, &[2.0, -1.0]);
    /// let cubes = tape.powi(x, 3);
    /// let y = tape.sum(cubes);
    /// let slope = tape.gradient(y, &[x.var()])[0];
    /// assert_eq!(tape.value_slice(slope), [12.0, 3.0]);
    /// // A penalty on the gradient: ½‖3x²‖² has the gradient 18x³.
    /// let squares = tape.square(slope);
    /// let sum = tape.sum(squares);
    /// let penalty = tape.scale(sum, 0.5);
    /// tape.backward(penalty);
    /// assert_eq!(tape.grad_slice(x), [144.0, -18.0]);
    /// ```
    #[track_caller]
    pub fn gradient(&mut self, loss: Var, of: &[Var]) -> Vec<Var> {
        let shape = self.shape_for("gradient", loss);
        assert!(
            shape == Shape::SCALAR,
            "gradient: {loss} is {shape}, not a scalar: reduce it with sum or mean, or give its upstream gradient with \
             gradient_with"
        );
        let one = self.scalar(T::ONE);
        self.gradient_with(loss, one, of)
    }

    /// The same of a value of any shape, with its upstream gradient `dy`: for each v in `of` the gradient of Σ dyᵢ·yᵢ, where
    /// dy stands for numbers, whatever it depends on. What is found depends on dy again, so that it can be differentiated
    /// for that as well.
    ///
    /// # Panics
    /// As [`gradient`](Tape::gradient), and if `dy` has another shape than `y`.
    #[track_caller]
    pub fn gradient_with(&mut self, y: Var, dy: Var, of: &[Var]) -> Vec<Var> {
        let (shape, upstream) = (self.shape_for("gradient", y), self.shape_for("gradient", dy));
        assert!(shape == upstream, "gradient: {y} is {shape}, but its upstream gradient {dy} is {upstream}");
        for v in of {
            let node = self.node("gradient", *v);
            let name = node.name();
            assert!(node.differentiable, "gradient: {v} ({name}) depends on no parameter and no variable");
        }
        let caller = Location::caller();
        if let Some(watch) = &mut self.anomalies {
            // To a reader the line that asked for the gradient says more than one of this crate.
            watch.made_by(Some(caller));
        }
        Blamed(self).0.append_gradients(y, dy, of)
    }

    #[track_caller]
    fn append_gradients(&mut self, y: Var, dy: Var, of: &[Var]) -> Vec<Var> {
        let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, v) in of.iter().enumerate() {
            places.entry(v.index()).or_default().push(place);
        }
        let mut found = Found { waiting: BTreeMap::new(), depends: Vec::new() };
        // In order, so that each is known when something behind it asks.
        for index in places.keys() {
            found.depends(self, *index);
            found.depends[*index] = true;
        }
        if found.depends(self, y.index()) {
            found.add(self, y.index(), dy);
        }
        let mut gradients = vec![None; of.len()];
        // Always the last one: all that it feeds has had its turn.
        while let Some((index, terms)) = found.waiting.pop_last() {
            let node = self.nodes[index];
            let dy = terms.sum(self, node.shape());
            for place in places.get(&index).into_iter().flatten() {
                gradients[*place] = Some(dy);
            }
            if self.inputs_of(&node).iter().any(|&input| found.depends[input as usize]) {
                assert!(
                    index >= self.changed_at,
                    "gradient: v{index} ({}) was computed before the parameters changed: rewind the tape after an \
                     optimizer's step, and compute anew",
                    node.name()
                );
                node.op.record(Recorder { tape: self, found: &mut found, index, dy });
            }
        }
        let whole = |(found, v): (Option<Var>, &Var)| {
            let gradient = found.unwrap_or_else(|| {
                let Shape { rows, cols } = self.shape(*v);
                self.constant_with(rows, cols, |_| ())
            });
            if self.nodes[gradient.index()].differentiable {
                return gradient;
            }
            // Chosen, not v times 0: v may be infinite. A batch in which nothing counts has a gradient as well.
            let never = self.scalar(T::ZERO);
            self.select(never, *v, gradient)
        };
        gradients.into_iter().zip(of).map(whole).collect()
    }
}

/// A tape on which another line is to blame for new nodes, until this is dropped, be it by a panic.
struct Blamed<'a, T: Float>(&'a mut Tape<T>);

impl<T: Float> Drop for Blamed<'_, T> {
    fn drop(&mut self) {
        if let Some(watch) = &mut self.0.anomalies {
            watch.made_by(None);
        }
    }
}
