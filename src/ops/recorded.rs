//! Recorded gradients against those of the backward pass, for every operation, at numbers of every kind: zeros and ties,
//! infinities, NaN, and numbers whose squares or inverses leave the range of the type.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::builtin::METHODS;
use super::pool::{Pools, window_shares};
use super::{Attention, Convolution, ImageShape, Op, Window};
use crate::Tape;
use crate::rng::{Purpose, stream};
use crate::tape::{Param, Var};

/// An operation, the shapes of its operands, and its name, where several cases are of one operation.
type Case = (&'static str, &'static [(usize, usize)], fn(&mut Tape, &[Var]) -> Var);

const IMAGE: ImageShape = ImageShape::new(2, 3, 3);
const POOLS: Window = Window { stride: [2; 2], padding: [1; 2], ..Window::new(2, 2) };

/// Those of one number or two, entry by entry.
const ENTRIES: &[Case] = &[
    ("add", &[(4, 6), (4, 6)], |t, x| t.add(x[0], x[1])),
    ("add", &[(1, 6), (4, 1)], |t, x| t.add(x[0], x[1])),
    ("sub", &[(4, 6), (1, 6)], |t, x| t.sub(x[0], x[1])),
    ("mul", &[(4, 6), (4, 1)], |t, x| t.mul(x[0], x[1])),
    ("div", &[(4, 6), (4, 6)], |t, x| t.div(x[0], x[1])),
    ("div", &[(1, 6), (4, 1)], |t, x| t.div(x[0], x[1])),
    ("maximum", &[(4, 6), (4, 6)], |t, x| t.maximum(x[0], x[1])),
    ("maximum", &[(1, 6), (4, 1)], |t, x| t.maximum(x[0], x[1])),
    ("minimum", &[(4, 6), (4, 6)], |t, x| t.minimum(x[0], x[1])),
    ("select", &[(4, 6), (1, 6), (4, 1)], |t, x| t.select(x[0], x[1], x[2])),
    ("weighted", &[(4, 6), (4, 6)], |t, x| t.broadcast(Op::Weighted.get(), x[0], x[1])),
    ("violation", &[(4, 6), (4, 6)], |t, x| t.broadcast(Op::Violation.get(), x[0], x[1])),
    ("neg", &[(4, 6)], |t, x| t.neg(x[0])),
    ("scale", &[(4, 6)], |t, x| t.scale(x[0], -1.5)),
    ("shift", &[(4, 6)], |t, x| t.shift(x[0], 0.5)),
    ("exp", &[(4, 6)], |t, x| t.exp(x[0])),
    ("expm1", &[(4, 6)], |t, x| t.expm1(x[0])),
    ("ln", &[(4, 6)], |t, x| t.ln(x[0])),
    ("sqrt", &[(4, 6)], |t, x| t.sqrt(x[0])),
    ("square", &[(4, 6)], |t, x| t.square(x[0])),
    ("powi", &[(4, 6)], |t, x| t.powi(x[0], 0)),
    ("powi", &[(4, 6)], |t, x| t.powi(x[0], 1)),
    ("powi", &[(4, 6)], |t, x| t.powi(x[0], 2)),
    ("powi", &[(4, 6)], |t, x| t.powi(x[0], 3)),
    ("powi", &[(4, 6)], |t, x| t.powi(x[0], -1)),
    ("powi", &[(4, 6)], |t, x| t.powi(x[0], i32::MIN)),
    ("powf", &[(4, 6)], |t, x| t.powf(x[0], 0.0)),
    ("powf", &[(4, 6)], |t, x| t.powf(x[0], 1.5)),
    ("powf", &[(4, 6)], |t, x| t.powf(x[0], -0.5)),
    ("erf", &[(4, 6)], |t, x| t.erf(x[0])),
    ("sin", &[(4, 6)], |t, x| t.sin(x[0])),
    ("cos", &[(4, 6)], |t, x| t.cos(x[0])),
    ("abs", &[(4, 6)], |t, x| t.abs(x[0])),
    ("clamp", &[(4, 6)], |t, x| t.clamp(x[0], -1.0, 0.5)),
    ("relu", &[(4, 6)], |t, x| t.relu(x[0])),
    ("leaky_relu", &[(4, 6)], |t, x| t.leaky_relu(x[0], 0.0)),
    ("leaky_relu", &[(4, 6)], |t, x| t.leaky_relu(x[0], 0.1)),
    ("sigmoid", &[(4, 6)], |t, x| t.sigmoid(x[0])),
    ("tanh", &[(4, 6)], |t, x| t.tanh(x[0])),
    ("softplus", &[(4, 6)], |t, x| t.softplus(x[0])),
    ("gelu", &[(4, 6)], |t, x| t.gelu(x[0])),
    ("gelu_tanh", &[(4, 6)], |t, x| t.gelu_tanh(x[0])),
    ("gelu_erf", &[(4, 6)], |t, x| t.gelu_erf(x[0])),
    ("normal_cdf", &[(4, 6)], |t, x| t.elementwise(Op::NormalCdf.get(), x[0], crate::Args::NONE)),
    ("silu", &[(4, 6)], |t, x| t.silu(x[0])),
    ("dropout", &[(4, 6)], |t, x| t.dropout(x[0], 0.5, &mut stream(5, Purpose::Dropout))),
    ("dropout", &[(4, 6)], |t, x| t.dropout(x[0], 0.0, &mut stream(5, Purpose::Dropout))),
];

/// Those of rows, columns, or all.
const REDUCTIONS: &[Case] = &[
    ("sum", &[(4, 3)], |t, x| t.sum(x[0])),
    ("sum_rows", &[(4, 3)], |t, x| t.sum_rows(x[0])),
    ("sum_cols", &[(4, 3)], |t, x| t.sum_cols(x[0])),
    ("mean", &[(4, 3)], |t, x| t.mean(x[0])),
    ("mean_rows", &[(4, 3)], |t, x| t.mean_rows(x[0])),
    ("mean_cols", &[(4, 3)], |t, x| t.mean_cols(x[0])),
    ("max", &[(4, 3)], |t, x| t.max(x[0])),
    ("max_rows", &[(4, 3)], |t, x| t.max_rows(x[0])),
    ("max_cols", &[(4, 3)], |t, x| t.max_cols(x[0])),
    ("norm", &[(2, 3)], |t, x| t.norm(x[0])),
    ("norm_rows", &[(2, 5)], |t, x| t.norm_rows(x[0])),
    ("norm_cols", &[(5, 2)], |t, x| t.norm_cols(x[0])),
    ("norm_cols", &[(5, 1)], |t, x| t.norm_cols(x[0])),
    ("variance", &[(2, 3)], |t, x| t.variance(x[0])),
    ("variance_rows", &[(2, 5)], |t, x| t.variance_rows(x[0])),
    ("variance_cols", &[(5, 2)], |t, x| t.variance_cols(x[0])),
    ("unbiased_variance", &[(2, 3)], |t, x| t.unbiased_variance(x[0])),
    ("unbiased_variance_rows", &[(3, 4)], |t, x| t.unbiased_variance_rows(x[0])),
    ("unbiased_variance_rows", &[(1, 4)], |t, x| t.unbiased_variance_rows(x[0])),
    ("unbiased_variance_cols", &[(4, 3)], |t, x| t.unbiased_variance_cols(x[0])),
    ("cumsum_rows", &[(4, 3)], |t, x| t.cumsum_rows(x[0])),
    ("cumsum_cols", &[(4, 3)], |t, x| t.cumsum_cols(x[0])),
    ("softmax", &[(5, 3)], |t, x| t.softmax(x[0])),
    ("log_softmax", &[(5, 3)], |t, x| t.log_softmax(x[0])),
    ("logsumexp", &[(5, 3)], |t, x| t.logsumexp(x[0])),
    ("logsumexp", &[(5, 1)], |t, x| t.logsumexp(x[0])),
    ("cross_entropy", &[(5, 3)], |t, x| t.cross_entropy(x[0], &[0, 1, 2, 2, 0])),
    ("cross_entropy_smoothed", &[(5, 3)], |t, x| t.cross_entropy_smoothed(x[0], &[0, 1, 2, 2, 0], 0.1)),
    ("cross_entropy_ignoring", &[(5, 3)], |t, x| t.cross_entropy_ignoring(x[0], &[0, 9, 2, 2, 9], 9)),
    ("cross_entropy_ignoring", &[(2, 3)], |t, x| t.cross_entropy_ignoring(x[0], &[9, 9], 9)),
    ("mse", &[(4, 3), (4, 3)], |t, x| t.mse(x[0], x[1])),
    ("mae", &[(4, 3), (4, 3)], |t, x| t.mae(x[0], x[1])),
    ("huber", &[(4, 3), (4, 3)], |t, x| t.huber(x[0], x[1], 0.5)),
    ("bce_with_logits", &[(4, 3), (4, 3)], |t, x| t.bce_with_logits(x[0], x[1])),
    ("l2_penalty", &[(2, 3), (1, 4)], |t, _| {
        let params: Vec<Param> = t.params().collect();
        t.l2_penalty(&params, 0.3)
    }),
    ("l2_penalty", &[(2, 3), (1, 4)], |t, _| {
        let params: Vec<Param> = t.params().collect();
        t.l2_penalty(&params, 0.0)
    }),
    ("layer_norm", &[(5, 3), (1, 3), (1, 3)], |t, x| t.layer_norm(x[0], x[1], x[2], 1e-2)),
    ("rms_norm", &[(5, 3), (1, 3)], |t, x| t.rms_norm(x[0], x[1], 1e-2)),
    ("group_norm", &[(3, 8), (1, 4), (1, 4)], |t, x| t.group_norm(x[0], x[1], x[2], 2, 1e-2)),
    ("batch_statistics", &[(4, 3)], |t, x| t.batch_statistics(x[0])),
    ("batch_norm", &[(4, 3), (2, 3), (1, 3), (1, 3)], |t, x| t.batch_norm(x[0], x[1], x[2], x[3], 1e-2)),
    ("batch_norm", &[(4, 3), (1, 3), (1, 3)], |t, x| {
        let statistics = t.batch_statistics(x[0]);
        t.batch_norm(x[0], statistics, x[1], x[2], 1e-2)
    }),
];

/// Those that move numbers, and products.
const LAYOUTS: &[Case] = &[
    ("tril", &[(4, 3)], |t, x| t.tril(x[0], 0, 0.0)),
    ("triu", &[(4, 3)], |t, x| t.triu(x[0], 1, f64::NEG_INFINITY)),
    ("transpose", &[(4, 3)], |t, x| t.transpose(x[0])),
    ("reshape", &[(4, 3)], |t, x| t.reshape(x[0], 2, 6)),
    ("slice_rows", &[(4, 3)], |t, x| t.slice_rows(x[0], 1..3)),
    ("slice_cols", &[(4, 3)], |t, x| t.slice_cols(x[0], 0..2)),
    ("gather_rows", &[(4, 3)], |t, x| t.gather_rows(x[0], &[2, 0, 2])),
    ("scatter_rows", &[(3, 3)], |t, x| t.scatter_rows(x[0], &[2, 0, 2], 4)),
    ("pick_cols", &[(4, 3)], |t, x| t.pick_cols(x[0], &[2, 0, 2, 1])),
    ("concat_rows", &[(1, 3), (2, 3)], |t, x| t.concat_rows(&[x[0], x[1], x[0]])),
    ("concat_cols", &[(3, 1), (3, 2)], |t, x| t.concat_cols(&[x[0], x[1], x[0]])),
    ("embedding", &[(4, 3)], |t, x| {
        let tokens = t.constant_slice(1, 3, &[2.0, 0.0, 2.0]);
        t.embedding(x[0], tokens)
    }),
    ("add_positions", &[(4, 3), (2, 3)], |t, x| t.add_positions(x[0], x[1], 2)),
    ("rotary", &[(4, 4)], |t, x| t.rotary(x[0], 1, 2, 100.0)),
    ("matmul", &[(3, 2), (2, 4)], |t, x| t.matmul(x[0], x[1])),
    ("matmul_nt", &[(3, 2), (4, 2)], |t, x| t.matmul_nt(x[0], x[1])),
    ("matmul_tn", &[(2, 3), (2, 4)], |t, x| t.matmul_tn(x[0], x[1])),
    ("linear", &[(3, 2), (2, 4), (1, 4)], |t, x| t.linear(x[0], x[1], x[2])),
    ("conv2d", &[(2, 18), (18, 3), (1, 3)], |t, x| {
        t.conv2d(x[0], x[1], Some(x[2]), &Convolution::new(IMAGE, 3, 3).padding(1))
    }),
    ("conv2d_transpose", &[(2, 27), (18, 3), (1, 2)], |t, x| {
        t.conv2d_transpose(x[0], x[1], Some(x[2]), &Convolution::new(IMAGE, 3, 3).padding(1))
    }),
    ("conv2d_weights", &[(2, 18), (2, 27)], |t, x| {
        t.conv2d_weights(x[0], x[1], &Convolution::new(IMAGE, 3, 3).padding(1))
    }),
    ("conv2d", &[(2, 18), (9, 2)], |t, x| {
        t.conv2d(x[0], x[1], None, &Convolution::new(IMAGE, 2, 3).padding(1).groups(2))
    }),
    ("max_pool", &[(2, 18)], |t, x| t.max_pool(x[0], IMAGE, &POOLS)),
    ("avg_pool", &[(2, 18)], |t, x| t.avg_pool(x[0], IMAGE, &POOLS)),
    ("global_avg_pool", &[(2, 18)], |t, x| t.global_avg_pool(x[0], IMAGE)),
    ("pool_shares", &[(2, 8)], |t, x| {
        window_shares(t, x[0], Pools { image: IMAGE, window: POOLS, output: ImageShape::new(2, 2, 2) })
    }),
    ("upsample", &[(2, 18)], |t, x| t.upsample(x[0], IMAGE, 2)),
    ("attention", &[(6, 2), (6, 2), (6, 2)], |t, x| t.attention(x[0], x[1], x[2], Attention::new(2, 1))),
    ("attention", &[(6, 2), (6, 2), (6, 4)], |t, x| {
        t.attention(x[0], x[1], x[2], Attention::new(2, 2).causal())
    }),
    ("attention", &[(6, 2), (6, 2), (6, 2)], |t, x| {
        t.attention(x[0], x[1], x[2], Attention { lengths: Some(&[0, 2]), ..Attention::new(2, 1) })
    }),
    ("rnn", &[(4, 2), (2, 2), (2, 2)], |t, x| t.rnn(x[0], x[1], x[2], 2)),
    ("lstm", &[(4, 4), (1, 4), (2, 2)], |t, x| t.lstm(x[0], x[1], x[2], 2)),
    ("gru", &[(4, 3), (1, 3), (2, 1), (1, 1)], |t, x| t.gru(x[0], x[1], x[2], x[3], 2)),
];

fn cases() -> impl Iterator<Item = &'static Case> {
    [ENTRIES, REDUCTIONS, LAYOUTS].into_iter().flatten()
}

#[test]
fn every_operation_is_here() {
    let here: BTreeSet<&str> = cases().map(|(name, ..)| *name).collect();
    let of_lists =
        ["concat_rows", "concat_cols", "l2_penalty", "weighted", "violation", "normal_cdf", "pool_shares"];
    let all: BTreeSet<&str> = METHODS.iter().map(|(_, name)| *name).chain(of_lists).collect();
    assert_eq!(here, all);
}

/// What stands among ordinary numbers.
const EDGES: [f64; 12] = [
    0.0,
    1.0,
    -0.5,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    1e160,
    -1e160,
    1e300,
    1e-170,
    1e-300,
    5e-324,
];

/// Numbers that depend on `seed` alone: every fifth or so is the edge.
fn fill(to: &mut [f64], edge: f64, seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1;
    for to in to {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = state >> 33;
        *to = if draw.is_multiple_of(5) { edge } else { (draw >> 4) as f64 / f64::from(1 << 26) - 1.0 };
    }
}

/// What sums several terms where the backward pass has one: ∞ may become ∞ − ∞.
const MORE_TERMS: [&str; 3] = ["attention", "batch_norm", "gru"];

/// The first number for which the two gradients differ.
fn difference((name, shapes, op): &Case, edge: f64, dy_edge: f64, seed: u64) -> Option<String> {
    let mut tape = Tape::new();
    let mut seeds = (0..).map(|i| seed * 100 + i);
    let params: Vec<Param> = shapes
        .iter()
        .map(|(rows, cols)| tape.param_with(*rows, *cols, |x| fill(x, edge, seeds.next().unwrap())))
        .collect();
    let x: Vec<Var> = params.iter().map(|p| p.var()).collect();
    let y = op(&mut tape, &x);
    let shape = tape.shape(y);
    let dy = tape.constant_with(shape.rows, shape.cols, |dy| fill(dy, dy_edge, seeds.next().unwrap()));
    let recorded = tape.gradient_with(y, dy, &x);
    let upstream = tape.value_slice(dy).to_vec();
    tape.backward_slice(y, &upstream);
    // Where a value is NaN already, its gradient is not always: a softmax has a limit at ∞. And of numbers as large as some
    // here, the rounding of a weight of attention is large as well.
    let is_unknown = tape.some(y, f64::is_nan);
    for (k, (x, recorded)) in x.iter().zip(&recorded).enumerate() {
        let walked = tape.grad_slice(*x);
        // Of sums, the rounding is that of their largest term; those of a normalisation cancel.
        let least = if name.ends_with("_norm") { 1.0 } else { 0.0 };
        let largest = walked.iter().filter(|x| x.is_finite()).fold(least, |a, x| f64::max(a, x.abs()));
        for (i, (walked, recorded)) in walked.iter().zip(tape.value_slice(*recorded)).enumerate() {
            let same = walked == recorded
                || walked.is_nan() && recorded.is_nan()
                || (walked - recorded).abs() <= 1e-11 * walked.abs().max(1e-3 * largest)
                || MORE_TERMS.contains(name) && !walked.is_finite() && !recorded.is_finite()
                || *name == "attention"
                    && (walked.is_nan() && is_unknown || edge.abs() > 1e100 && walked.is_finite());
            if !same {
                return Some(format!("operand {k}, number {i}: {walked:e}, but recorded {recorded:e}"));
            }
        }
    }
    None
}

#[test]
fn recorded_gradients_are_those_of_the_backward_pass_at_every_edge() {
    let (mut found, mut count) = (String::new(), 0);
    for case in cases() {
        for edge in EDGES {
            for dy_edge in EDGES {
                let seeds = if cfg!(miri) { 0..1 } else { 1..5 };
                let different = seeds.into_iter().find_map(|seed| difference(case, edge, dy_edge, seed));
                if let Some(difference) = different {
                    count += 1;
                    let _ = writeln!(found, "{} with {edge:e} under {dy_edge:e}: {difference}", case.0);
                }
            }
        }
    }
    assert!(count == 0, "{count} differences:\n{found}");
}

/// What has no finite derivative at 0.
const SINGULAR_AT_ZERO: [&str; 5] = ["div", "ln", "sqrt", "powi", "powf"];

/// Where a first derivative is finite, so is the second one: no mask, no kink and no origin makes NaN of it.
#[test]
fn second_derivatives_at_kinks_and_behind_masks_are_finite() {
    let masks = [
        ("softmax", f64::NEG_INFINITY),
        ("log_softmax", f64::NEG_INFINITY),
        ("logsumexp", f64::NEG_INFINITY),
        ("cross_entropy_ignoring", f64::NEG_INFINITY),
        ("gelu", f64::NEG_INFINITY),
        ("gelu_tanh", f64::INFINITY),
        ("gelu_erf", f64::NEG_INFINITY),
        ("silu", f64::INFINITY),
        ("norm", 1e300),
        ("norm_cols", 1e160),
        ("layer_norm", 1e300),
        ("rms_norm", -1e160),
        ("group_norm", 1e300),
        ("batch_norm", 1e160),
    ];
    for (name, shapes, op) in cases() {
        let is_mask = |edge: f64| masks.contains(&(*name, edge));
        let edges = [0.0, 1.0, -0.5, f64::INFINITY, f64::NEG_INFINITY, 1e160, -1e160, 1e300];
        for edge in edges.into_iter().filter(|edge| edge.abs() <= 1.0 || is_mask(*edge)) {
            if edge == 0.0 && SINGULAR_AT_ZERO.contains(name) {
                continue;
            }
            let mut tape = Tape::new();
            // Of a normalisation or a mask the first operand alone holds the edge.
            let params: Vec<Param> = shapes
                .iter()
                .enumerate()
                .map(|(k, (rows, cols))| {
                    let edge = if k == 0 || edge.abs() <= 1.0 { edge } else { 0.7 };
                    tape.param_with(*rows, *cols, |x| fill(x, edge, 7 + k as u64))
                })
                .collect();
            let x: Vec<Var> = params.iter().map(|p| p.var()).collect();
            let y = op(&mut tape, &x);
            if edge.abs() <= 1.0 && tape.some(y, |y| !y.is_finite()) {
                continue; // such as 0.4 to the power of −2³¹, and the unbiased variance of one number
            }
            let shape = tape.shape(y);
            let dy = tape.constant_with(shape.rows, shape.cols, |dy| fill(dy, 0.3, 3));
            let first = tape.gradient_with(y, dy, &x);
            let mut total = tape.scalar(0.0);
            for gradient in first {
                let finite = tape.kept(gradient, f64::is_finite, gradient);
                let sines = tape.sin(finite);
                let sum = tape.sum(sines);
                total = tape.add(total, sum);
            }
            for (k, second) in tape.gradient(total, &x).into_iter().enumerate() {
                let (first, second) = (tape.value_slice(x[k]), tape.value_slice(second));
                for (i, (x, second)) in first.iter().zip(second).enumerate() {
                    let may_be_nan = name.starts_with("ln") || *x < 0.0 && SINGULAR_AT_ZERO.contains(name);
                    assert!(
                        second.is_finite() || may_be_nan,
                        "{name} with {edge:e}: operand {k}, number {i}: {second}"
                    );
                }
            }
        }
    }
}
