//! Every operation, forward and backward. That none is missing is a test of its own: see `same_bits`.

use tapegrad::ops::Attention;
use tapegrad::ops::{Convolution, ImageShape, Window};
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Float, Param, Tape, Var};

use super::{Hash, Table, numbers};

type Op<T> = fn(&mut Tape<T>, &[Var]) -> Var;
type Function<T> = fn(T) -> T;

/// Rows and columns of the inputs.
const R: usize = 6;
const C: usize = 37;

/// Numbers that functions are asked for at each of several scales.
const WIDE: usize = 160;

/// Six filters of 2×2 over images of four channels and 3×3 pixels.
const FORM: Convolution = Convolution::new(ImageShape::new(4, 3, 3), 6, 2);

/// A batch of images of so many numbers, weights of that shape, and six biases.
fn images<T: Float>(
    t: &mut Tape<T>,
    x: &[Var],
    numbers: usize,
    (rows, cols): (usize, usize),
) -> (Var, Var, Var) {
    let w = t.reshape(x[1], 1, R * C);
    let w = t.slice_cols(w, 0..rows * cols);
    let w = t.reshape(w, rows, cols);
    let b = t.slice_rows(x[0], 1..2);
    (t.slice_cols(x[0], 0..numbers), w, t.slice_cols(b, 0..6))
}

/// Each operation by the name of its method, on two inputs of R×C, of which the second is positive.
fn operations<T: Float>() -> Vec<(&'static str, Op<T>)> {
    vec![
        ("add", |t, x| t.add(x[0], x[1])),
        ("add", |t, x| {
            let row = t.sum_rows(x[1]);
            t.add(x[0], row)
        }),
        ("sub", |t, x| t.sub(x[0], x[1])),
        ("mul", |t, x| t.mul(x[0], x[1])),
        ("mul", |t, x| {
            let column = t.sum_cols(x[1]);
            t.mul(column, x[0])
        }),
        ("div", |t, x| t.div(x[0], x[1])),
        ("maximum", |t, x| t.maximum(x[0], x[1])),
        ("minimum", |t, x| t.minimum(x[0], x[1])),
        ("select", |t, x| {
            let condition = t.relu(x[0]);
            t.select(condition, x[0], x[1])
        }),
        ("neg", |t, x| t.neg(x[0])),
        ("scale", |t, x| t.scale(x[0], T::of(-1.3))),
        ("shift", |t, x| t.shift(x[0], T::of(0.7))),
        ("exp", |t, x| t.exp(x[0])),
        ("expm1", |t, x| t.expm1(x[0])),
        ("ln", |t, x| t.ln(x[1])),
        ("sqrt", |t, x| t.sqrt(x[1])),
        ("square", |t, x| t.square(x[0])),
        ("powi", |t, x| t.powi(x[0], 3)),
        ("powi", |t, x| t.powi(x[1], -2)),
        ("powf", |t, x| t.powf(x[1], T::of(1.7))),
        ("erf", |t, x| t.erf(x[0])),
        ("sin", |t, x| t.sin(x[0])),
        ("cos", |t, x| t.cos(x[0])),
        ("abs", |t, x| t.abs(x[0])),
        ("clamp", |t, x| t.clamp(x[0], T::of(-0.4), T::of(0.6))),
        ("relu", |t, x| t.relu(x[0])),
        ("leaky_relu", |t, x| t.leaky_relu(x[0], T::of(0.1))),
        ("sigmoid", |t, x| t.sigmoid(x[0])),
        ("tanh", |t, x| t.tanh(x[0])),
        ("softplus", |t, x| t.softplus(x[0])),
        ("gelu", |t, x| t.gelu(x[0])),
        ("gelu_tanh", |t, x| t.gelu_tanh(x[0])),
        ("gelu_erf", |t, x| t.gelu_erf(x[0])),
        ("silu", |t, x| t.silu(x[0])),
        ("sum", |t, x| t.sum(x[0])),
        ("sum_rows", |t, x| t.sum_rows(x[0])),
        ("sum_cols", |t, x| t.sum_cols(x[0])),
        ("mean", |t, x| t.mean(x[0])),
        ("mean_rows", |t, x| t.mean_rows(x[0])),
        ("mean_cols", |t, x| t.mean_cols(x[0])),
        ("max", |t, x| t.max(x[0])),
        ("max_rows", |t, x| t.max_rows(x[0])),
        ("max_cols", |t, x| t.max_cols(x[0])),
        ("norm", |t, x| t.norm(x[0])),
        ("norm_rows", |t, x| t.norm_rows(x[0])),
        ("norm_cols", |t, x| t.norm_cols(x[0])),
        ("variance", |t, x| t.variance(x[0])),
        ("variance_rows", |t, x| t.variance_rows(x[0])),
        ("variance_cols", |t, x| t.variance_cols(x[0])),
        ("unbiased_variance", |t, x| t.unbiased_variance(x[0])),
        ("unbiased_variance_rows", |t, x| t.unbiased_variance_rows(x[0])),
        ("unbiased_variance_cols", |t, x| t.unbiased_variance_cols(x[0])),
        ("matmul", |t, x| {
            let across = t.transpose(x[1]);
            t.matmul(x[0], across)
        }),
        ("matmul_nt", |t, x| t.matmul_nt(x[0], x[1])),
        ("matmul_tn", |t, x| t.matmul_tn(x[0], x[1])),
        ("linear", |t, x| {
            let (w, b) = (t.transpose(x[1]), t.slice_rows(x[0], 1..2));
            let b = t.slice_cols(b, 0..R);
            t.linear(x[0], w, b)
        }),
        ("cumsum_rows", |t, x| t.cumsum_rows(x[0])),
        ("cumsum_cols", |t, x| t.cumsum_cols(x[0])),
        ("tril", |t, x| t.tril(x[0], 1, T::of(-2.0))),
        ("triu", |t, x| t.triu(x[0], -1, T::of(0.5))),
        ("transpose", |t, x| t.transpose(x[0])),
        ("reshape", |t, x| t.reshape(x[0], 2, R * C / 2)),
        ("slice_rows", |t, x| t.slice_rows(x[0], 1..3)),
        ("slice_cols", |t, x| t.slice_cols(x[0], 1..30)),
        ("gather_rows", |t, x| t.gather_rows(x[0], &[2, 0, 2, 2])),
        ("pick_cols", |t, x| t.pick_cols(x[0], &[3, 0, 1, 36, 20, 5])),
        ("softmax", |t, x| t.softmax(x[0])),
        ("log_softmax", |t, x| t.log_softmax(x[0])),
        ("logsumexp", |t, x| t.logsumexp(x[0])),
        ("layer_norm", |t, x| {
            let (gamma, beta) = (t.slice_rows(x[1], 0..1), t.slice_rows(x[1], 1..2));
            t.layer_norm(x[0], gamma, beta, T::of(1e-5))
        }),
        ("batch_statistics", |t, x| t.batch_statistics(x[0])),
        ("batch_norm", |t, x| {
            let (gamma, beta) = (t.slice_rows(x[1], 0..1), t.slice_rows(x[1], 1..2));
            let statistics = t.batch_statistics(x[0]);
            t.batch_norm(x[0], statistics, gamma, beta, T::of(1e-2))
        }),
        ("dropout", |t, x| t.dropout(x[0], T::of(0.25), &mut stream(5, Purpose::Dropout))),
        ("cross_entropy", |t, x| t.cross_entropy(x[0], &[3, 0, 1, 36, 20, 5])),
        ("cross_entropy_smoothed", |t, x| t.cross_entropy_smoothed(x[0], &[3, 0, 1, 36, 20, 5], T::of(0.1))),
        ("mse", |t, x| t.mse(x[0], x[1])),
        ("mae", |t, x| t.mae(x[0], x[1])),
        ("huber", |t, x| t.huber(x[0], x[1], T::of(0.9))),
        ("bce_with_logits", |t, x| {
            let targets = t.sigmoid(x[1]);
            let targets = t.detach(targets);
            t.bce_with_logits(x[0], targets)
        }),
        ("concat_rows", |t, x| t.concat_rows(&[x[0], x[1], x[0]])),
        ("concat_cols", |t, x| t.concat_cols(&[x[0], x[1], x[0]])),
        ("l2_penalty", |t, _| {
            let params: Vec<Param> = t.params().collect();
            t.l2_penalty(&params, T::of(0.3))
        }),
        ("conv2d", |t, x| {
            let form = FORM.padding(1);
            let (x, w, b) = images(t, x, form.image.numel(), form.weights());
            t.conv2d(x, w, Some(b), &form)
        }),
        ("conv2d", |t, x| {
            let form = FORM.stride(2).padding(2).dilation(2).groups(2);
            let (x, w, _) = images(t, x, form.image.numel(), form.weights());
            t.conv2d(x, w, None, &form)
        }),
        ("conv2d", |t, x| {
            // A filter for each channel.
            let form = Convolution { filters: 4, ..FORM.padding(1).groups(4) };
            let (x, w, b) = images(t, x, form.image.numel(), form.weights());
            let b = t.slice_cols(b, 0..4);
            t.conv2d(x, w, Some(b), &form)
        }),
        ("conv2d_transpose", |t, x| {
            let form = FORM.stride(2);
            let (x, w, b) = images(t, x, 6, form.weights());
            let b = t.slice_cols(b, 0..4);
            t.conv2d_transpose(x, w, Some(b), &form)
        }),
        ("max_pool", |t, x| {
            let x = t.slice_cols(x[0], 0..36);
            t.max_pool(x, FORM.image, &Window { padding: [1, 0], ..Window::new(2, 2) })
        }),
        ("avg_pool", |t, x| {
            let x = t.slice_cols(x[0], 0..36);
            t.avg_pool(x, FORM.image, &Window { padding: [1, 0], ..Window::new(2, 2) })
        }),
        ("global_avg_pool", |t, x| {
            let x = t.slice_cols(x[0], 0..36);
            t.global_avg_pool(x, FORM.image)
        }),
        ("upsample", |t, x| {
            let x = t.slice_cols(x[0], 0..36);
            t.upsample(x, FORM.image, 2)
        }),
        ("cross_entropy_ignoring", |t, x| t.cross_entropy_ignoring(x[0], &[3, 0, 1, 36, 0, 5], 0)),
        ("rms_norm", |t, x| {
            let gamma = t.slice_rows(x[1], 0..1);
            t.rms_norm(x[0], gamma, T::of(1e-5))
        }),
        ("group_norm", |t, x| {
            let (gamma, beta) = (t.slice_rows(x[1], 0..1), t.slice_rows(x[1], 1..2));
            let (gamma, beta) = (t.slice_cols(gamma, 0..4), t.slice_cols(beta, 0..4));
            let x = t.slice_cols(x[0], 0..36);
            t.group_norm(x, gamma, beta, 2, T::of(1e-5))
        }),
        ("embedding", |t, x| {
            let tokens = t.constant_slice(2, 2, &[T::of(5.0), T::ZERO, T::of(5.0), T::ONE]);
            t.embedding(x[0], tokens)
        }),
        ("add_positions", |t, x| t.add_positions(x[0], x[1], 3)),
        ("rotary", |t, x| {
            let x = t.slice_cols(x[0], 0..36);
            t.rotary(x, 3, 3, T::of(100.0))
        }),
        // Long enough for several blocks.
        ("attention", |t, x| {
            let [q, k] = [x[0], x[1]].map(|x| t.reshape(x, R * C, 1));
            t.attention(q, k, q, Attention::new(2, 1).causal())
        }),
        ("attention", |t, x| {
            let [q, k] = [x[0], x[1]].map(|x| t.slice_cols(x, 0..36));
            t.attention(q, k, q, Attention::new(2, 4).with_lengths(&[2, 3]))
        }),
        ("rnn", |t, x| {
            let u = t.matmul_tn(x[1], x[0]);
            let (u, state) = (t.scale(u, T::of(0.02)), t.slice_rows(x[1], 0..2));
            t.rnn(x[0], u, state, 3)
        }),
        ("lstm", |t, x| {
            let (u, state) = (t.slice_cols(x[1], 0..24), t.slice_cols(x[1], 0..12));
            let (x, state) = (t.slice_cols(x[0], 0..24), t.slice_rows(state, 0..2));
            t.lstm(x, u, state, 3)
        }),
        ("gru", |t, x| {
            let (u, state) = (t.slice_cols(x[1], 0..18), t.slice_cols(x[1], 0..6));
            let (x, state, bias) =
                (t.slice_cols(x[0], 0..18), t.slice_rows(state, 0..2), t.slice_rows(state, 2..3));
            t.gru(x, u, state, bias, 3)
        }),
        ("scatter_rows", |t, x| t.scatter_rows(x[0], &[2, 0, 2, 7, 0, 1], 8)),
        ("conv2d_weights", |t, x| {
            let maps = FORM.output().unwrap().numel();
            let (images, maps) = (t.slice_cols(x[0], 0..FORM.image.numel()), t.slice_cols(x[1], 0..maps));
            t.conv2d_weights(images, maps, &FORM)
        }),
    ]
}

/// The operations that are in the table.
#[allow(dead_code)] // The programs that only print the table do not ask.
pub fn names() -> Vec<&'static str> {
    operations::<f64>().into_iter().map(|(name, _)| name).collect()
}

pub fn entries<T: Float>(table: &mut Table) {
    for (i, (name, op)) in operations::<T>().into_iter().enumerate() {
        let mut tape = Tape::<T>::default();
        let (mut x, mut y) = (numbers::<T>(R * C, 11), numbers::<T>(R * C, 12));
        x.iter_mut().for_each(|x| *x *= T::of(4.0));
        y.iter_mut().for_each(|y| *y = y.abs() * T::of(2.0) + T::of(0.01));
        let (x, y) = (tape.param_slice(R, C, &x), tape.param_slice(R, C, &y));
        let z = op(&mut tape, &[x.var(), y.var()]);
        let upstream = numbers::<T>(tape.value_slice(z).len(), 13);
        tape.backward_slice(z, &upstream);
        let hash = Hash::of(tape.value_slice(z)).and(tape.grad_slice(x)).and(tape.grad_slice(y));
        table.add(format!("operation {} {i} {name}", T::NAME), hash);
    }
    functions::<T>(table);
}

/// The functions of one number over many magnitudes.
fn functions<T: Float>(table: &mut Table) {
    let functions: [(&str, Function<T>); 16] = [
        ("exp", Float::exp),
        ("exp_m1", Float::exp_m1),
        ("ln", Float::ln),
        ("ln_1p", Float::ln_1p),
        ("sqrt", Float::sqrt),
        ("sigmoid", Float::sigmoid),
        ("softplus", Float::softplus),
        ("tanh", Float::tanh),
        ("erf", Float::erf),
        ("erfc", Float::erfc),
        ("normal_cdf", Float::normal_cdf),
        ("gelu", |x| x.gelu_and_slope().0),
        ("gelu_slope", |x| x.gelu_and_slope().1),
        ("sin", Float::sin),
        ("cos", Float::cos),
        ("powf", |x| x.abs().powf(x)),
    ];
    // ±r·2ᵉ: by exact steps, so that the arguments need no function.
    let mut scale = 2f64.powi(-40);
    let mut arguments = vec![T::ZERO, T::ONE, -T::ONE, T::INFINITY, -T::INFINITY, T::of(f64::NAN)];
    for x in numbers::<f64>(WIDE, 14) {
        arguments.extend([T::of(x * scale), T::of(-x * scale), T::of(x)]);
        scale *= if scale > 512.0 { 2f64.powi(-50) } else { 1.5 };
    }
    for (name, function) in functions {
        let values: Vec<T> = arguments.iter().map(|x| function(*x)).collect();
        table.add(format!("function {} {name}", T::NAME), Hash::of(&values));
    }
}
