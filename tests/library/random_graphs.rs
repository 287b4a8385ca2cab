//! Random graphs: values and gradients of the tape against a naive evaluator over nalgebra's matrices, which
//! carries derivatives forwards. The graphs share values, stretch rows and columns, and are built on tapes that
//! were rewound before, by plain calls and by expressions.

use nalgebra::DMatrix;
use proptest::prelude::*;
use tapegrad::{Expr, Param, Shape, Tape, Var};

/// A value and how it moves when all leaves move along their directions: forward-mode differentiation.
#[derive(Clone)]
struct Dual {
    x: DMatrix<f64>,
    dx: DMatrix<f64>,
}

impl Dual {
    fn shape(&self) -> (usize, usize) {
        self.x.shape()
    }

    /// f(x), where `slope` is f'(x).
    fn map(&self, f: impl Fn(f64) -> f64, slope: impl Fn(f64) -> f64) -> Dual {
        Dual { x: self.x.map(f), dx: self.x.map(slope).component_mul(&self.dx) }
    }

    /// f(a, da, b, db) entry by entry, where f returns the value and its motion.
    fn zip(&self, b: &Dual, f: impl Fn(f64, f64, f64, f64) -> (f64, f64)) -> Dual {
        let (rows, cols) = stretched(self.shape(), b.shape()).unwrap();
        let at = |m: &DMatrix<f64>, i: usize, j: usize| m[(i % m.nrows(), j % m.ncols())];
        let entry = |i, j| f(at(&self.x, i, j), at(&self.dx, i, j), at(&b.x, i, j), at(&b.dx, i, j));
        Dual {
            x: DMatrix::from_fn(rows, cols, |i, j| entry(i, j).0),
            dx: DMatrix::from_fn(rows, cols, |i, j| entry(i, j).1),
        }
    }

    /// A linear map.
    fn linear(&self, f: impl Fn(&DMatrix<f64>) -> DMatrix<f64>) -> Dual {
        Dual { x: f(&self.x), dx: f(&self.dx) }
    }

    fn product(&self, b: &Dual) -> Dual {
        Dual { x: &self.x * &b.x, dx: &self.dx * &b.x + &self.x * &b.dx }
    }
}

/// The shape of two operands by NumPy's rule.
fn stretched(a: (usize, usize), b: (usize, usize)) -> Option<(usize, usize)> {
    let side = |a, b| if a == b || b == 1 { Some(a) } else { (a == 1).then_some(b) };
    Some((side(a.0, b.0)?, side(a.1, b.1)?))
}

/// One step of a program: which operation, and which of the values so far are its operands.
type Step = (u8, usize, usize);

/// An operation, decided on and with its operands: places in the list of values.
#[derive(Clone, Copy, Debug)]
enum Op {
    Add(usize, usize),
    Sub(usize, usize),
    Mul(usize, usize),
    /// a/(1 + b²).
    Div(usize, usize),
    Maximum(usize, usize),
    Minimum(usize, usize),
    /// a where b is above 0, and a/2 elsewhere.
    Select(usize, usize),
    Matmul(usize, usize),
    /// A·Aᵀ.
    Gram(usize),
    Tanh(usize),
    /// exp(tanh(a)).
    ExpTanh(usize),
    Sine(usize),
    /// 1 − 3a.
    Affine(usize),
    Square(usize),
    SumRows(usize),
    SumCols(usize),
    Mean(usize),
    CumsumRows(usize),
    CumsumCols(usize),
    Tril(usize),
    Transpose(usize),
}

impl Op {
    /// What a step means where these are the values so far. The operands are those asked for, or others where
    /// their shapes do not fit.
    fn decide((kind, a, b): Step, values: &[Dual]) -> Op {
        let a = a % values.len();
        let other = |fits: &dyn Fn(&Dual) -> bool| {
            (0..values.len()).map(|i| (b + i) % values.len()).find(|b| fits(&values[*b]))
        };
        // A value that is large is made small first, so that no product leaves the range in which the
        // comparison makes sense.
        if values[a].x.amax() > 4.0 {
            return Op::Tanh(a);
        }
        let b =
            other(&|b| b.x.amax() <= 4.0 && stretched(values[a].shape(), b.shape()).is_some()).unwrap_or(a);
        // Where two different values nearly tie, rounding decides which is larger.
        let near =
            |x: &Dual, y: &Dual| x.zip(y, |x, _, y, _| (f64::from((x - y).abs() < 1e-6), 0.0)).x.amax() > 0.0;
        let no_tie = a == b || !near(&values[a], &values[b]);
        match kind % 21 {
            1 => Op::Sub(a, b),
            2 => Op::Mul(a, b),
            3 => Op::Div(a, b),
            4 if no_tie => Op::Maximum(a, b),
            5 if no_tie => Op::Minimum(a, b),
            6 if values[b].x.iter().all(|x| x.abs() > 1e-6) => Op::Select(a, b),
            7 => match other(&|b| b.x.amax() <= 4.0 && b.x.nrows() == values[a].x.ncols()) {
                Some(b) => Op::Matmul(a, b),
                None => Op::Gram(a),
            },
            8 => Op::Gram(a),
            9 => Op::Tanh(a),
            10 => Op::ExpTanh(a),
            11 => Op::Sine(a),
            12 => Op::Affine(a),
            13 => Op::Square(a),
            14 => Op::SumRows(a),
            15 => Op::SumCols(a),
            16 => Op::Mean(a),
            17 => Op::CumsumRows(a),
            18 => Op::CumsumCols(a),
            19 => Op::Tril(a),
            20 => Op::Transpose(a),
            _ => Op::Add(a, b),
        }
    }

    fn naive(self, v: &[Dual]) -> Dual {
        let sum_rows = |m: &DMatrix<f64>| DMatrix::from_fn(1, m.ncols(), |_, j| m.column(j).sum());
        let half = |which: bool| if which { 1.0 } else { 0.5 };
        match self {
            Op::Add(a, b) => v[a].zip(&v[b], |a, da, b, db| (a + b, da + db)),
            Op::Sub(a, b) => v[a].zip(&v[b], |a, da, b, db| (a - b, da - db)),
            Op::Mul(a, b) => v[a].zip(&v[b], |a, da, b, db| (a * b, da * b + a * db)),
            Op::Div(a, b) => v[a].zip(&v[b], |a, da, b, db| {
                let d = 1.0 + b * b;
                (a / d, da / d - a * 2.0 * b * db / (d * d))
            }),
            Op::Maximum(a, b) => v[a].zip(&v[b], |a, da, b, db| (a.max(b), if a >= b { da } else { db })),
            Op::Minimum(a, b) => v[a].zip(&v[b], |a, da, b, db| (a.min(b), if a <= b { da } else { db })),
            Op::Select(a, b) => v[a].zip(&v[b], |a, da, b, _| (a * half(b > 0.0), da * half(b > 0.0))),
            Op::Matmul(a, b) => v[a].product(&v[b]),
            Op::Gram(a) => v[a].product(&v[a].linear(|m| m.transpose())),
            Op::Tanh(a) => v[a].map(f64::tanh, |x| 1.0 - x.tanh().powi(2)),
            Op::ExpTanh(a) => v[a].map(|x| x.tanh().exp(), |x| x.tanh().exp() * (1.0 - x.tanh().powi(2))),
            Op::Sine(a) => v[a].map(f64::sin, f64::cos),
            Op::Affine(a) => v[a].map(|x| 1.0 - 3.0 * x, |_| -3.0),
            Op::Square(a) => v[a].map(|x| x * x, |x| 2.0 * x),
            Op::SumRows(a) => v[a].linear(sum_rows),
            Op::SumCols(a) => v[a].linear(|m| sum_rows(&m.transpose()).transpose()),
            Op::Mean(a) => v[a].linear(|m| DMatrix::from_element(1, 1, m.mean())),
            Op::CumsumRows(a) => v[a].linear(cumsum_rows),
            Op::CumsumCols(a) => v[a].linear(|m| cumsum_rows(&m.transpose()).transpose()),
            Op::Tril(a) => v[a].linear(|m| m.lower_triangle()),
            Op::Transpose(a) => v[a].linear(|m| m.transpose()),
        }
    }

    fn by_calls(self, t: &mut Tape, v: &[Var]) -> Var {
        match self {
            Op::Add(a, b) => t.add(v[a], v[b]),
            Op::Sub(a, b) => t.sub(v[a], v[b]),
            Op::Mul(a, b) => t.mul(v[a], v[b]),
            Op::Div(a, b) => {
                let square = t.square(v[b]);
                let divisor = t.shift(square, 1.0);
                t.div(v[a], divisor)
            }
            Op::Maximum(a, b) => t.maximum(v[a], v[b]),
            Op::Minimum(a, b) => t.minimum(v[a], v[b]),
            Op::Select(a, b) => {
                let condition = t.relu(v[b]);
                let half = t.scale(v[a], 0.5);
                t.select(condition, v[a], half)
            }
            Op::Matmul(a, b) => t.matmul(v[a], v[b]),
            Op::Gram(a) => t.matmul_nt(v[a], v[a]),
            Op::Tanh(a) => t.tanh(v[a]),
            Op::ExpTanh(a) => {
                let bounded = t.tanh(v[a]);
                t.exp(bounded)
            }
            Op::Sine(a) => t.sin(v[a]),
            Op::Affine(a) => {
                let scaled = t.scale(v[a], 3.0);
                let minus = t.neg(scaled);
                t.shift(minus, 1.0)
            }
            Op::Square(a) => t.square(v[a]),
            Op::SumRows(a) => t.sum_rows(v[a]),
            Op::SumCols(a) => t.sum_cols(v[a]),
            Op::Mean(a) => t.mean(v[a]),
            Op::CumsumRows(a) => t.cumsum_rows(v[a]),
            Op::CumsumCols(a) => t.cumsum_cols(v[a]),
            Op::Tril(a) => t.tril(v[a], 0, 0.0),
            Op::Transpose(a) => t.transpose(v[a]),
        }
    }

    fn by_expressions<'s>(self, v: &[Expr<'s>]) -> Expr<'s> {
        match self {
            Op::Add(a, b) => v[a] + v[b],
            Op::Sub(a, b) => v[a] - v[b],
            Op::Mul(a, b) => v[a] * v[b],
            Op::Div(a, b) => v[a] / (1.0 + v[b].square()),
            Op::Maximum(a, b) => v[a].maximum(v[b]),
            Op::Minimum(a, b) => v[a].minimum(v[b]),
            Op::Select(a, b) => v[b].relu().select(v[a], 0.5 * v[a]),
            Op::Matmul(a, b) => v[a].matmul(v[b]),
            Op::Gram(a) => v[a].matmul_nt(v[a]),
            Op::Tanh(a) => v[a].tanh(),
            Op::ExpTanh(a) => v[a].tanh().exp(),
            Op::Sine(a) => v[a].sin(),
            Op::Affine(a) => 1.0 - v[a] * 3.0,
            Op::Square(a) => v[a].square(),
            Op::SumRows(a) => v[a].sum_rows(),
            Op::SumCols(a) => v[a].sum_cols(),
            Op::Mean(a) => v[a].mean(),
            Op::CumsumRows(a) => v[a].cumsum_rows(),
            Op::CumsumCols(a) => v[a].cumsum_cols(),
            Op::Tril(a) => v[a].tril(0, 0.0),
            Op::Transpose(a) => v[a].transpose(),
        }
    }
}

fn cumsum_rows(m: &DMatrix<f64>) -> DMatrix<f64> {
    DMatrix::from_fn(m.nrows(), m.ncols(), |i, j| m.view((0, j), (i + 1, 1)).sum())
}

/// The two parameters, the variable and the constant that a program starts from; the constant does not move.
fn leaves(shapes: &[(usize, usize)], seed: usize) -> Vec<Dual> {
    let entry = |k: usize| ((k * 31 + seed) as f64 * 0.618_033_988_75).fract() * 3.0 - 1.5;
    let matrix = |(rows, cols), k: usize| DMatrix::from_fn(rows, cols, |i, j| entry(k * 100 + i * 10 + j));
    let dual = |(k, shape)| {
        let moves = if k == CONSTANT { 0.0 } else { 1.0 };
        Dual { x: matrix(shape, k), dx: matrix(shape, k + 50) * moves }
    };
    shapes.iter().copied().enumerate().map(dual).collect()
}

/// The last of the leaves.
const CONSTANT: usize = 3;

/// What the naive evaluator finds: the operations, and all values, leaves first.
fn evaluate(leaves: &[Dual], steps: &[Step]) -> (Vec<Op>, Vec<Dual>) {
    let mut values = leaves.to_vec();
    let mut ops = Vec::new();
    for step in steps {
        let op = Op::decide(*step, &values);
        values.push(op.naive(&values));
        ops.push(op);
    }
    (ops, values)
}

/// The values on a tape: the leaves, of which the parameters are there already, and the operations.
fn build(
    tape: &mut Tape,
    params: &[Param],
    leaves: &[Dual],
    ops: &[Op],
    expressions: bool,
) -> (Vec<Var>, Var) {
    let mut values: Vec<Var> = params.iter().map(|p| p.var()).collect();
    values.push(tape.variable(&leaves[2].x));
    values.push(tape.constant(&leaves[CONSTANT].x));
    if expressions {
        let loss = tape.scope(|s| {
            let mut exprs: Vec<_> = values.iter().map(|v| s.var(*v)).collect();
            for op in ops {
                exprs.push(op.by_expressions(&exprs));
            }
            let loss = exprs.iter().map(|x| x.mean()).reduce(|a, b| a + b).unwrap();
            values = exprs.into_iter().map(Expr::var).collect();
            loss.var()
        });
        return (values, loss);
    }
    for op in ops {
        values.push(op.by_calls(tape, &values));
    }
    let means: Vec<_> = values.iter().map(|v| tape.mean(*v)).collect();
    let loss = means.into_iter().reduce(|a, b| tape.add(a, b)).unwrap();
    (values, loss)
}

/// The bits of the loss and of the gradients of all leaves that have one.
fn gradients(tape: &mut Tape, values: &[Var], loss: Var) -> Vec<u64> {
    tape.zero_grad();
    tape.backward(loss);
    let grads = values[..CONSTANT].iter().flat_map(|v| tape.grad_slice(*v).to_vec());
    grads.chain([tape.item(loss)]).map(f64::to_bits).collect()
}

fn with_parameters(leaves: &[Dual]) -> (Tape, Vec<Param>) {
    let mut tape = Tape::new();
    let params = leaves[..2].iter().map(|leaf| tape.param(&leaf.x)).collect();
    (tape, params)
}

fn shapes() -> impl Strategy<Value = Vec<(usize, usize)>> {
    // Sides of which one in two is 1 or equal to another one: most pairs fit by stretching.
    let side = || prop::sample::select(vec![1, 1, 3, 3, 2]);
    prop::collection::vec((side(), side()), 4)
}

fn program() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((any::<u8>(), 0usize..64, 0usize..64), 1..16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 400 }))]

    /// The sum over all leaves of gradient times direction is how fast the loss moves along the directions, and
    /// every value is what the naive evaluator says.
    #[test]
    fn values_and_gradients(shapes in shapes(), seed in 0usize..1000, steps in program()) {
        let leaves = leaves(&shapes, seed);
        let (ops, naive) = evaluate(&leaves, &steps);
        let (mut tape, params) = with_parameters(&leaves);
        let (values, loss) = build(&mut tape, &params, &leaves, &ops, false);
        for ((v, right), op) in values.iter().zip(&naive).skip(leaves.len()).zip(&ops) {
            let Shape { rows, cols } = tape.shape(*v);
            prop_assert_eq!((rows, cols), right.shape());
            let off = (tape.value(*v).to_dmatrix() - &right.x).amax();
            prop_assert!(off <= 1e-9 * (1.0 + right.x.amax()), "{:?} is off by {:e}", op, off);
        }
        let motion: f64 = naive.iter().map(|value| value.dx.mean()).sum();
        tape.backward(loss);
        let (mut found, mut size) = (0.0, 1.0);
        for (v, leaf) in values[..CONSTANT].iter().zip(&leaves) {
            let terms = tape.grad(*v).to_dmatrix().component_mul(&leaf.dx);
            found += terms.sum();
            size += terms.abs().sum();
        }
        // The motion of each value may be large where that of their sum is not.
        size += naive.iter().map(|value| value.dx.amax()).sum::<f64>();
        prop_assert!((found - motion).abs() <= 1e-9 * size, "{found:e}, not {motion:e}: {ops:?}");
    }

    /// A program gives the same bits on a new tape, on one that held another program before, behind a mark, and
    /// written as expressions.
    #[test]
    fn rewinds_marks_and_expressions(
        shapes in shapes(), seed in 0usize..1000, steps in program(), earlier in program(),
    ) {
        let leaves = leaves(&shapes, seed);
        let ((ops, _), (earlier, _)) = (evaluate(&leaves, &steps), evaluate(&leaves, &earlier));
        let (mut tape, params) = with_parameters(&leaves);
        let (values, loss) = build(&mut tape, &params, &leaves, &ops, false);
        let right = gradients(&mut tape, &values, loss);

        let (mut tape, params) = with_parameters(&leaves);
        let (old, old_loss) = build(&mut tape, &params, &leaves, &earlier, true);
        let before = gradients(&mut tape, &old, old_loss);
        tape.rewind();
        let (values, loss) = build(&mut tape, &params, &leaves, &ops, false);
        prop_assert_eq!(&gradients(&mut tape, &values, loss), &right);

        // What stands before the mark stays, and can be differentiated again.
        tape.rewind();
        let (old, old_loss) = build(&mut tape, &params, &leaves, &earlier, false);
        let mark = tape.mark();
        for expressions in [false, true] {
            let (values, loss) = build(&mut tape, &params, &leaves, &ops, expressions);
            prop_assert_eq!(&gradients(&mut tape, &values, loss), &right);
            tape.rewind_to(mark);
            prop_assert_eq!(&gradients(&mut tape, &old, old_loss), &before);
        }
    }
}
