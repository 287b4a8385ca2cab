//! The gradient as nodes of the tape, which can be differentiated again.

use std::collections::BTreeMap;

use super::{Args, Shape, Tape, Var};
use crate::Float;

/// What has been found so far on the way back.
struct Found {
    /// The gradient of each node that waits for its turn, by its place on the tape.
    waiting: BTreeMap<usize, Var>,
    /// Whether each node depends on what the gradient is asked for.
    depends: Vec<bool>,
}

impl Found {
    /// Whether the node at `index` depends on what the gradient is asked for.
    fn depends<T: Float>(&mut self, tape: &Tape<T>, index: usize) -> bool {
        while self.depends.len() <= index {
            let node = &tape.nodes[self.depends.len()];
            let found =
                node.differentiable && tape.inputs_of(node).iter().any(|&input| self.depends[input as usize]);
            self.depends.push(found);
        }
        self.depends[index]
    }

    /// The sum of what is there already and `term`.
    fn add<T: Float>(&mut self, tape: &mut Tape<T>, index: usize, term: Var) {
        let sum = match self.waiting.remove(&index) {
            Some(there) => tape.add(there, term),
            None => term,
        };
        self.waiting.insert(index, sum);
    }
}

/// A node, its inputs and its gradient, for [`Operation::record`](super::Operation::record), which appends to the tape
/// what the gradients of the inputs are.
pub struct Recorder<'a, T: Float> {
    tape: &'a mut Tape<T>,
    found: &'a mut Found,
    index: usize,
    dy: Var,
}

/// What a term of a gradient is made of.
#[derive(Clone, Copy)]
pub struct Inputs {
    /// The first four inputs; where there are fewer, the others stand for nothing.
    pub x: [Var; 4],
    /// The value.
    pub y: Var,
    /// Its gradient.
    pub dy: Var,
}

impl<T: Float> Recorder<'_, T> {
    /// The tape, to append to.
    pub fn tape(&mut self) -> &mut Tape<T> {
        self.tape
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.tape.nodes[self.index].inputs as usize
    }

    /// Input `k`.
    pub fn x(&self, k: usize) -> Var {
        let node = &self.tape.nodes[self.index];
        self.tape.var(node.input(self.tape.inputs_of(node), k))
    }

    /// The value.
    pub fn y(&self) -> Var {
        self.tape.var(self.index)
    }

    /// The gradient of the value, of its shape.
    pub fn dy(&self) -> Var {
        self.dy
    }

    /// Shape of input `k`.
    pub fn shape(&self, k: usize) -> Shape {
        self.tape.nodes[self.x(k).index()].shape()
    }

    /// The node's constants.
    pub fn args(&self) -> Args<T> {
        self.tape.args[self.tape.nodes[self.index].args as usize]
    }

    /// The node's index list.
    pub fn indices(&self) -> Vec<u32> {
        let node = &self.tape.nodes[self.index];
        let end = self.tape.nodes.get(self.index + 1).map_or(self.tape.linked, |next| next.links as usize);
        self.tape.links[node.links as usize + node.inputs as usize..end].to_vec()
    }

    /// What the forward pass saved.
    pub fn saved(&self) -> Vec<T> {
        let node = &self.tape.nodes[self.index];
        self.tape.values[node.range().end..][..self.args().saved].to_vec()
    }

    /// Whether input `k` needs a gradient: whether work for it is worth starting.
    pub fn needs(&mut self, k: usize) -> bool {
        let index = self.x(k).index();
        self.found.depends(self.tape, index)
    }

    /// dx += `term` for input `k`. Along a dimension in which the input has one row or column, the term is summed; along one
    /// in which the term has a single one, that stands for all.
    ///
    /// # Panics
    /// If the shapes differ in another way.
    #[track_caller]
    pub fn add(&mut self, k: usize, mut term: Var) {
        if !self.needs(k) {
            return;
        }
        let to = self.shape(k);
        if to.rows == 1 && self.tape.shape(term).rows != 1 {
            term = self.tape.sum_rows(term);
        }
        if to.cols == 1 && self.tape.shape(term).cols != 1 {
            term = self.tape.sum_cols(term);
        }
        if self.tape.shape(term) != to {
            let zeros = self.tape.constant_with(to.rows, to.cols, |_| ());
            term = self.tape.add(zeros, term);
        }
        let index = self.x(k).index();
        self.found.add(self.tape, index, term);
    }

    /// The same, if input `k` needs a gradient: `term` makes it on the tape, of the inputs, the value and its gradient.
    #[track_caller]
    pub fn add_of(&mut self, k: usize, term: impl FnOnce(&mut Tape<T>, Inputs) -> Var) {
        if !self.needs(k) {
            return;
        }
        let x = std::array::from_fn(|k| if k < self.inputs() { self.x(k) } else { self.dy });
        let of = Inputs { x, y: self.y(), dy: self.dy };
        let term = term(self.tape, of);
        self.add(k, term);
    }

    /// The same for an operation that passes some entries on: dy where `passes` holds of an entry of the first input, and
    /// 0 elsewhere, also where dy is infinite or NaN.
    #[track_caller]
    pub fn add_where(&mut self, k: usize, passes: impl Fn(T) -> bool) {
        self.add_of(k, |tape, Inputs { x, dy, .. }| {
            let one = |x: &T| if passes(*x) { T::ONE } else { T::ZERO };
            let keep: Vec<T> = tape.value_slice(x[0]).iter().map(one).collect();
            tape.kept(&keep, dy)
        });
    }

    /// The gradients of the inputs are those of the value that `build` makes of them by other operations, which must be
    /// the same.
    ///
    /// # Panics
    /// If it has another shape.
    #[track_caller]
    pub fn through(&mut self, build: impl FnOnce(&mut Tape<T>, &[Var]) -> Var) {
        let inputs: Vec<Var> = (0..self.inputs()).map(|k| self.x(k)).collect();
        let (name, shape) = (self.tape.op_name(self.y()), self.tape.shape(self.y()));
        let y = build(self.tape, &inputs);
        let found = self.tape.shape(y);
        assert!(found == shape, "gradient: {name} gives {shape}, but what stands for it gives {found}");
        if self.found.depends(self.tape, y.index()) {
            self.found.add(self.tape, y.index(), self.dy);
        }
    }

    /// There is no gradient that can be recorded: what an operation says by default.
    ///
    /// # Panics
    /// Always.
    #[track_caller]
    pub fn none(self) -> ! {
        let (y, name) = (self.y(), self.tape.op_name(self.y()));
        panic!(
            "gradient: {y} ({name}) has no gradient that can be recorded: backward goes through it, and so does gradient \
             once Operation::record is written for it"
        )
    }
}

/// # Gradients that are values
/// Which can be differentiated again.
impl<T: Float> Tape<T> {
    /// The gradient of `loss` for each value in `of`, appended to the tape as values of their shapes: ∂`loss`/∂v.
    ///
    /// [`backward`](Tape::backward) is the fast way to a gradient. This one is for what is computed of a gradient: its
    /// norm as a penalty, a product with the Hessian, a derivative of second or higher order. The gradient of a gradient is
    /// asked for in the same way, or by `backward`. The values are those of `backward` up to rounding: sums are taken in
    /// another order. A value that `loss` does not depend on gets zeros.
    ///
    /// # Panics
    /// If `loss` is not 1×1, a handle is stale, a value in `of` depends on no parameter and no variable, or an operation on
    /// the way has no gradient that can be recorded, as one of your own without
    /// [`Operation::record`](super::Operation::record).
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
    /// dy is taken as constant.
    ///
    /// # Panics
    /// As [`gradient`](Tape::gradient), and if `dy` has another shape than `y`.
    #[track_caller]
    pub fn gradient_with(&mut self, y: Var, dy: Var, of: &[Var]) -> Vec<Var> {
        let (shape, upstream) = (self.shape_for("gradient", y), self.shape_for("gradient", dy));
        assert!(shape == upstream, "gradient: {y} is {shape}, but its upstream gradient {dy} is {upstream}");
        let mut last = y.index();
        for v in of {
            let node = self.node("gradient", *v);
            let name = node.name();
            assert!(node.differentiable, "gradient: {v} ({name}) depends on no parameter and no variable");
            last = last.max(v.index());
        }
        let mut found = Found { waiting: BTreeMap::new(), depends: Vec::new() };
        for index in 0..=last {
            found.depends(self, index);
            found.depends[index] |= of.iter().any(|v| v.index() == index);
        }
        let mut gradients = vec![None; of.len()];
        if found.depends[y.index()] {
            found.waiting.insert(y.index(), dy);
        }
        // Always the last one: all that it feeds has had its turn.
        while let Some((index, dy)) = found.waiting.pop_last() {
            let places = gradients.iter_mut().zip(of).filter(|(_, v)| v.index() == index);
            places.for_each(|(gradient, _)| *gradient = Some(dy));
            let node = self.nodes[index];
            if self.inputs_of(&node).iter().any(|&input| found.depends[input as usize]) {
                node.op.record(Recorder { tape: self, found: &mut found, index, dy });
            }
        }
        let or_zeros = |(found, v): (Option<Var>, &Var)| {
            found.unwrap_or_else(|| {
                let Shape { rows, cols } = self.shape(*v);
                self.constant_with(rows, cols, |_| ())
            })
        };
        gradients.into_iter().zip(of).map(or_zeros).collect()
    }

    /// `x` where the number of `keep`, which has as many, is not 0, and 0 elsewhere.
    pub(crate) fn kept(&mut self, keep: &[T], x: Var) -> Var {
        let Shape { rows, cols } = self.shape(x);
        let (keep, zero) = (self.constant_slice(rows, cols, keep), self.scalar(T::ZERO));
        self.select(keep, x, zero)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Convolution, ImageShape};
    use crate::{Backward, Forward, Operation};

    /// d/dx of sin x, again and again.
    #[test]
    fn higher_orders() {
        let mut tape = Tape::new();
        let x = tape.variable_slice(1, 1, &[0.7]);
        let mut y = tape.sin(x);
        for expected in [0.7f64.cos(), -0.7f64.sin(), -0.7f64.cos(), 0.7f64.sin(), 0.7f64.cos()] {
            y = tape.gradient(y, &[x])[0];
            assert!((tape.item(y) - expected).abs() < 1e-15, "{} and not {expected}", tape.item(y));
        }
    }

    /// Values on the way, what is asked for twice, and what there is no way to.
    #[test]
    fn values_on_the_way() {
        let mut tape = Tape::new();
        let x = tape.variable_slice(1, 2, &[1.0, 2.0]);
        let square = tape.square(x);
        let other = tape.variable_slice(1, 1, &[1.0]);
        let product = tape.mul(square, x);
        let y = tape.sum(product);
        let found = tape.gradient(y, &[x, square, x, other, y]);
        let values: Vec<&[f64]> = found.iter().map(|v| tape.value_slice(*v)).collect();
        assert_eq!(values, [&[3.0, 12.0][..], &[1.0, 2.0], &[3.0, 12.0], &[0.0], &[1.0]]);
        let constant = tape.scalar(1.0);
        let zero = tape.gradient(constant, &[x])[0];
        assert_eq!(tape.value_slice(zero), [0.0; 2]);
    }

    /// A product of the Hessian and a vector, of a network of filters, against differences of gradients.
    #[test]
    fn the_hessian_of_a_network() {
        let form = Convolution::new(ImageShape::new(2, 4, 4), 3, 3).padding(1);
        let fill = |x: &mut [f64], shift: f64| {
            x.iter_mut().enumerate().for_each(|(i, x)| *x = ((i as f64 + shift) * 0.618_034).fract() - 0.5);
        };
        let gradient = |step: f64| -> (Vec<f64>, Vec<f64>) {
            let mut tape = Tape::new();
            let w = tape.param_with(18, 3, |w| fill(w, 0.0));
            let u = tape.param_with(48, 2, |u| fill(u, 5.0));
            let mut v = vec![0.0; 18 * 3 + 48 * 2];
            fill(&mut v, 9.0);
            tape.param_values_mut().iter_mut().zip(&v).for_each(|(x, v)| *x += step * v);
            let x = tape.constant_with(3, 32, |x| fill(x, 2.0));
            let y = tape.conv2d(x, w, None, &form);
            let y = tape.tanh(y);
            let y = tape.matmul(y, u);
            let loss = tape.cross_entropy(y, &[0, 1, 1]);
            let gradients = tape.gradient(loss, &[w.var(), u.var()]);
            let flat: Vec<f64> = gradients.iter().flat_map(|g| tape.value_slice(*g).to_vec()).collect();
            let mut along = tape.scalar(0.0);
            for (gradient, v) in gradients.iter().zip([&v[..54], &v[54..]]) {
                let shape = tape.shape(*gradient);
                let v = tape.constant_slice(shape.rows, shape.cols, v);
                let product = tape.mul(*gradient, v);
                let sum = tape.sum(product);
                along = tape.add(along, sum);
            }
            tape.backward(along);
            (flat, tape.param_grads().to_vec())
        };
        let (_, hessian) = gradient(0.0);
        let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(|steps| gradient(steps * 1e-3).0);
        assert!(hessian.iter().any(|x| x.abs() > 1e-3));
        for (i, found) in hessian.iter().enumerate() {
            let numeric = (a[i] - 8.0 * b[i] + 8.0 * c[i] - d[i]) / 12e-3;
            assert!((found - numeric).abs() < 1e-9, "{i}: {found} and {numeric}");
        }
    }

    struct Twice;

    impl Operation<f64> for Twice {
        fn name(&self) -> &'static str {
            "twice"
        }
        fn forward(&self, mut cx: Forward<'_, f64>) {
            cx.map(|x| 2.0 * x);
        }
        fn backward(&self, mut cx: Backward<'_, f64>) {
            let dy = cx.dy();
            cx.add_map(0, dy, |dy| 2.0 * dy);
        }
    }

    #[test]
    #[should_panic(expected = "gradient: v1 (twice) has no gradient that can be recorded")]
    fn an_operation_without_one_is_named() {
        let mut tape = Tape::new();
        let x = tape.variable_slice(1, 1, &[0.7]);
        let y = tape.apply(&Twice, &[x], Shape::SCALAR, Args::NONE);
        tape.gradient(y, &[x]);
    }

    #[test]
    #[should_panic(expected = "gradient: v1 (constant) depends on no parameter and no variable")]
    fn for_a_constant() {
        let mut tape = Tape::new();
        let x = tape.variable_slice(1, 1, &[0.7]);
        let c = tape.scalar(1.0);
        let y = tape.mul(x, c);
        tape.gradient(y, &[c]);
    }

    #[test]
    #[should_panic(expected = "gradient: v1 is 1×2, not a scalar")]
    fn no_scalar() {
        let mut tape = Tape::new();
        let x = tape.variable_slice(1, 2, &[0.7, 0.1]);
        let y = tape.exp(x);
        tape.gradient(y, &[x]);
    }

    #[test]
    #[should_panic(expected = "gradient: v1 is 1×2, but its upstream gradient v2 is 1×1")]
    fn another_upstream() {
        let mut tape = Tape::new();
        let x = tape.variable_slice(1, 2, &[0.7, 0.1]);
        let y = tape.exp(x);
        let one = tape.scalar(1.0);
        tape.gradient_with(y, one, &[x]);
    }
}
