//! tapegrad's side of the harness: rows by the public interface only. `tapegrad-side FOLDER` answers questions, with the
//! four files of MNIST, or of what looks like it, in FOLDER; `tapegrad-side --digits FOLDER` draws such files;
//! `tapegrad-side --about` says which vectors compute the products.

mod side;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use side::{Answer, Clock, Row, SIDE, SMALL_BATCH, STEPS, filled, sizes, small_labels, weights, widths};
use tapegrad::data::{synthetic, write_mnist};
use tapegrad::linalg::{Cholesky, Mat, Matrix, gemm};
use tapegrad::models::kernel::{
    FourierRidge, Kernel, KernelRidge, Matern52, Rbf, RidgeOptions, Samples, gram,
};
use tapegrad::models::{Cnn, LeNet, Mlp, Network, Predictor, Vit};
use tapegrad::nalgebra::DMatrix;
use tapegrad::nn::{Activation, Mode, Module, Sequential};
use tapegrad::ops::ImageShape;
use tapegrad::optim::{Adam, Optimizer};
use tapegrad::train::FitOptions;
use tapegrad::{Dataset, Float, Param, Tape, Var, linalg};

/// Samples in a step of an epoch.
const BATCH_ROWS: usize = 128;

/// For both types of numbers: the first word says which.
macro_rules! of_type {
    ($row:ident) => {
        |words, clock| match words {
            ["f32", rest @ ..] => $row::<f32>(rest, clock).map(Some),
            ["f64", rest @ ..] => $row::<f64>(rest, clock).map(Some),
            _ => Err(format!("{words:?} does not begin with a type")),
        }
    };
}

const ROWS: &[(&str, Row)] = &[
    ("gemm", of_type!(product)),
    ("cholesky", of_type!(cholesky)),
    ("op", of_type!(operation)),
    ("chain", of_type!(chain)),
    ("step", of_type!(step)),
    ("epoch", of_type!(epoch)),
    ("predict", of_type!(predict)),
    ("gram", of_type!(gram_matrix)),
    ("features", of_type!(features)),
    ("krr", of_type!(kernel_ridge)),
    ("load", |_, clock| load(clock).map(Some)),
];

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--digits", folder] => {
            std::fs::create_dir_all(folder)?;
            write_mnist(&synthetic::digits(60_000, 0.1, 1)?, &synthetic::digits(10_000, 0.1, 2)?, folder)?;
        }
        ["--about"] => println!("{}", linalg::kernel_in_use()?),
        [folder] => {
            FOLDER.get_or_init(|| folder.into());
            side::serve(ROWS, |threads, work| linalg::with_threads(threads, work));
        }
        _ => return Err("tapegrad-side FOLDER | --digits FOLDER | --about".into()),
    }
    Ok(())
}

fn text(error: tapegrad::Error) -> String {
    error.to_string()
}

fn unknown(words: &[&str]) -> String {
    format!("no such row: {words:?}")
}

fn mean<T: Float>(numbers: impl ExactSizeIterator<Item = T>) -> f64 {
    let n = numbers.len() as f64;
    numbers.map(T::to_f64).sum::<f64>() / n
}

/// C ← A·B, with B or A transposed for `nt` and `tn`.
fn product<T: Float>(words: &[&str], clock: &Clock) -> Result<Answer, String> {
    let [size, form] = words else { return Err(unknown(words)) };
    let [m, k, n] = sizes(size)?;
    let (a, b) = (filled(m * k, 1, (0.0, 1.0), T::of), filled(k * n, 2, (0.0, 1.0), T::of));
    let (a, b) = match *form {
        "nn" => (Mat::new(&a, m, k), Mat::new(&b, k, n)),
        "nt" => (Mat::new(&a, m, k), Mat::new(&b, n, k).t()),
        "tn" => (Mat::new(&a, k, m).t(), Mat::new(&b, k, n)),
        _ => return Err(unknown(words)),
    };
    let mut c = vec![T::ZERO; m * n];
    let seconds = clock.time(|| gemm(&mut c, false, a, b));
    Ok(Answer { seconds, check: mean(c.iter().copied()) })
}

/// The factor of a symmetric matrix, diagonally dominant. The copy that each call overwrites is part of the time, as it is
/// with the peers.
fn cholesky<T: Float>(words: &[&str], clock: &Clock) -> Result<Answer, String> {
    let [n] = words else { return Err(unknown(words)) };
    let [n, ..] = sizes(n)?;
    let half = filled(n * n, 1, (0.0, 1.0), T::of);
    let at = |i: usize, j: usize| half[i.max(j) * n + i.min(j)];
    let a = DMatrix::from_fn(n, n, |i, j| if i == j { T::of(n as f64) } else { at(i, j) });
    let factor = Cholesky::new(a.clone()).map_err(text)?;
    let seconds = clock.time(|| Cholesky::new(a.clone()));
    Ok(Answer { seconds, check: factor.log_determinant() })
}

/// An operation of a matrix of a million entries, in one direction.
fn operation<T: Float>(words: &[&str], clock: &Clock) -> Result<Answer, String> {
    let [name, direction] = words else { return Err(unknown(words)) };
    let build: fn(&mut Tape<T>, Var) -> Var = match *name {
        "exp" => |t, x| t.exp(x),
        "relu" => |t, x| t.relu(x),
        "sigmoid" => |t, x| t.sigmoid(x),
        "tanh" => |t, x| t.tanh(x),
        "gelu_tanh" => |t, x| t.gelu_tanh(x),
        "gelu_erf" => |t, x| t.gelu_erf(x),
        "softmax" => |t, x| t.softmax(x),
        "log_softmax" => |t, x| t.log_softmax(x),
        _ => return Err(unknown(words)),
    };
    let mut tape = Tape::<T>::default();
    // A variable: its gradient is written, as it is with the peers, and not added to one of before.
    let x = tape.variable_slice(SIDE, SIDE, &filled(SIDE * SIDE, 1, (-3.0, 3.0), T::of));
    let mark = tape.mark();
    match *direction {
        "forward" => {
            let y = build(&mut tape, x);
            let check = mean(tape.value_slice(y).iter().copied());
            tape.rewind_to(mark);
            let seconds = clock.time(|| {
                build(&mut tape, x);
                tape.rewind_to(mark);
            });
            Ok(Answer { seconds, check })
        }
        "backward" => {
            let upstream = filled(SIDE * SIDE, 2, (0.0, 1.0), T::of);
            let y = build(&mut tape, x);
            tape.backward_slice(y, &upstream);
            let check = mean(tape.grad_slice(x).iter().map(|g| g.abs()).collect::<Vec<_>>().into_iter());
            // The copy of the upstream gradient is part of the time.
            let seconds = clock.time(|| tape.backward_slice(y, &upstream));
            Ok(Answer { seconds, check })
        }
        _ => Err(unknown(words)),
    }
}

/// A chain of products and sums of 1×1 and the walk back: the time of one of them. From 1, as from a smaller number the
/// gradients of a long chain would be subnormal on their way to 0, which takes a CPU many times as long.
fn chain<T: Float>(words: &[&str], clock: &Clock) -> Result<Answer, String> {
    let [length] = words else { return Err(unknown(words)) };
    let [length, ..] = sizes(length)?;
    let mut tape = Tape::<T>::default();
    let x = tape.param_slice(1, 1, &[T::of(1.0)]);
    let mut check = f64::NAN;
    let seconds = clock.time(|| {
        tape.zero_grad();
        let mut y = x.var();
        for i in 0..length {
            y = if i % 2 == 0 { tape.mul(y, x) } else { tape.add(y, x) };
        }
        tape.backward(y);
        check = tape.item(y).to_f64();
        tape.rewind();
    });
    Ok(Answer { seconds: seconds / length as f64, check })
}

/// A small network on fixed samples, and what a step of it takes; the check is its loss after some steps.
fn step<T: Float>(words: &[&str], clock: &Clock) -> Result<Answer, String> {
    let [network] = words else { return Err(unknown(words)) };
    let widths = widths(network)?;
    let [inputs, .., classes] = widths[..] else { return Err(unknown(words)) };
    let (samples, labels) = (filled(SMALL_BATCH * inputs, 1, (-1.0, 1.0), T::of), small_labels(classes));
    let mut tape = Tape::<T>::default();
    let module = from_weights(&mut tape, &widths).map_err(text)?;
    let mut optimizer = Optimizer::new(Adam::default(), 1e-3).map_err(text)?;
    let mut one = || -> tapegrad::Result<f64> {
        let x = tape.constant_slice(SMALL_BATCH, inputs, &samples);
        let logits = module.forward(&mut tape, x, &mut Mode::evaluation());
        let loss = tape.cross_entropy(logits, &labels);
        tape.zero_grad();
        tape.backward(loss);
        optimizer.step(&mut tape)?;
        let loss = tape.item(loss).to_f64();
        tape.rewind();
        Ok(loss)
    };
    let mut check = f64::NAN;
    for _ in 0..STEPS {
        check = one().map_err(text)?;
    }
    let seconds = clock.time(|| one().expect("it went well before"));
    Ok(Answer { seconds, check })
}

fn from_weights<T: Float>(tape: &mut Tape<T>, widths: &[usize]) -> tapegrad::Result<Sequential<T>> {
    let layers = weights(widths, T::of).into_iter().zip(widths.windows(2));
    let layers: Vec<_> = layers
        .map(|(w, pair)| {
            (DMatrix::from_row_slice(pair[0], pair[1], &w), DMatrix::from_element(1, pair[1], T::ZERO))
        })
        .collect();
    Mlp::from_weights(tape, &layers, Activation::Relu)
}

fn data() -> Result<(Dataset, Dataset), String> {
    Dataset::mnist(FOLDER.get().expect("set at the start")).map_err(text)
}

/// A network of the given widths behind the inputs of `train`.
fn network<T: Float>(widths: &[usize], train: &Dataset) -> tapegrad::Result<Network<T>> {
    let hidden = &widths[1..widths.len() - 1];
    let parts = hidden.iter().fold(Network::new(0), |parts, width| parts.linear(*width).relu());
    parts.optimizer(Optimizer::new(Adam::default(), 1e-3)?).outputs_for(train)
}

/// A network of the images in `train`, by its name.
fn of_images<T: Float>(name: &str, train: &Dataset) -> Option<tapegrad::Result<Network<T>>> {
    let image = ImageShape::new(1, 28, 28);
    let parts = Network::new(0);
    Some(match name {
        "lenet" => parts.made_by(train, |tape, _, outputs, rng| LeNet::new(image, outputs).build(tape, rng)),
        "cnn" => parts.made_by(train, |tape, _, outputs, rng| Cnn::new(image, outputs).build(tape, rng)),
        // Sixteen tokens, as the peers have them.
        "vit" => parts.made_by(train, |tape, _, outputs, rng| {
            Vit { patch: 7, ..Vit::new(image, outputs) }.build(tape, rng)
        }),
        _ => return None,
    })
}

/// An epoch with its evaluation on the test set; the check is the accuracy there.
fn epoch<T: Float>(words: &[&str], clock: &Clock) -> Result<Answer, String> {
    let [shape] = words else { return Err(unknown(words)) };
    let (train, test) = data()?;
    let mut net = match of_images(shape, &train) {
        Some(net) => net,
        None => network::<T>(&side::widths(shape)?, &train),
    }
    .map_err(text)?;
    let options = FitOptions::new(1, BATCH_ROWS, 0);
    let mut check = f64::NAN;
    let seconds = clock.time(|| {
        let history = net.fit_with(&train, Some(&test), &options, &mut []).expect("finite numbers");
        // The first epoch's: how many follow depends on the clock.
        if check.is_nan() {
            check = history.epochs[0].validation_accuracy.expect("there is a test set");
        }
    });
    Ok(Answer { seconds, check })
}

/// Probabilities of so many samples by a network that is there.
fn predict<T: Float>(words: &[&str], clock: &Clock) -> Result<Answer, String> {
    let [widths, rows] = words else { return Err(unknown(words)) };
    let (widths, [rows, ..]) = (side::widths(widths)?, sizes(rows)?);
    let [inputs, .., classes] = widths[..] else { return Err(unknown(words)) };
    let labels: Vec<usize> = (0..classes).collect();
    let like = Dataset::new(vec![0f32; inputs * classes], inputs)
        .and_then(|data| data.with_labels(&labels, classes));
    let mut net = network::<T>(&widths, &like.map_err(text)?).map_err(text)?;
    let params: Vec<Param> = net.tape().params().collect();
    let weights = weights(&widths, T::of);
    for (k, p) in params.into_iter().enumerate() {
        // A weight and a bias in turn; biases are 0 from the start.
        if k % 2 == 0 {
            net.tape_mut().set_param(p, &weights[k / 2]);
        }
    }
    let x = filled(rows * inputs, 1, (0.0, 1.0), T::of);
    let matrix = Matrix::new(x.clone(), rows, inputs);
    let ask = || if rows == 1 { net.probabilities(&&x[..]) } else { net.probabilities(&matrix) };
    let check = ask().map_err(text)?[(0, 0)];
    Ok(Answer { seconds: clock.time(|| ask().expect("it went well before")), check })
}

fn samples<T: Float>(n: usize, d: usize) -> Result<Samples<T>, String> {
    Samples::new(filled(n * d, 1, (0.0, 1.0), T::of), d).map_err(text)
}

/// The kernel of all pairs of so many samples of 64 features.
fn gram_matrix<T: Float>(words: &[&str], clock: &Clock) -> Result<Answer, String> {
    let [kernel, n] = words else { return Err(unknown(words)) };
    let [n, ..] = sizes(n)?;
    let kernel: Box<dyn Kernel<T>> = match *kernel {
        "rbf" => Box::new(Rbf::new(0.1).map_err(text)?),
        "matern52" => Box::new(Matern52::new(3.0).map_err(text)?),
        _ => return Err(unknown(words)),
    };
    let x = samples(n, 64)?;
    let check = mean(gram(&*kernel, &x).iter().copied());
    Ok(Answer { seconds: clock.time(|| gram(&*kernel, &x)), check })
}

/// Cosines and sines of 1,000 random projections of so many samples of 64 features. They are drawn, so that nothing but
/// the mean square, 1/2F, could be compared, which no mistake in the angles would move: there is no check.
fn features<T: Float>(words: &[&str], clock: &Clock) -> Result<Answer, String> {
    let [n] = words else { return Err(unknown(words)) };
    let [n, ..] = sizes(n)?;
    let x = samples(n, 64)?;
    let few = x.subset(&(0..100).collect::<Vec<_>>());
    let targets = DMatrix::from_fn(100, 1, |i, _| T::of(i as f64 / 100.0));
    let kernel = Rbf::new(0.1).map_err(text)?;
    let fit = FourierRidge::fit(&kernel, &few, &targets, 1000, 0, RidgeOptions::new(1e-3)).map_err(text)?;
    Ok(Answer { seconds: clock.time(|| fit.features(&x)), check: f64::NAN })
}

/// (K + nλI)·α = y of an RBF kernel on so many samples of 64 features, λ = 10⁻⁶.
fn kernel_ridge<T: Float>(words: &[&str], clock: &Clock) -> Result<Answer, String> {
    let [n] = words else { return Err(unknown(words)) };
    let [n, ..] = sizes(n)?;
    let (x, y) = (samples::<T>(n, 64)?, filled(n, 2, (-1.0, 1.0), T::of));
    let y = DMatrix::from_row_slice(n, 1, &y);
    let fit = || KernelRidge::fit(Arc::new(Rbf::new(0.1)?), &x, &y, RidgeOptions::new(1e-6));
    let mut check = f64::NAN;
    let seconds = clock.time(|| {
        let fit = fit().expect("positive definite");
        check = mean(fit.alpha().iter().map(|a| a.abs()).collect::<Vec<_>>().into_iter());
    });
    Ok(Answer { seconds, check })
}

/// Images and labels from their files; the check is the sum of the labels.
fn load(clock: &Clock) -> Result<Answer, String> {
    let (train, test) = data()?;
    let sum = |set: &Dataset| set.labels().expect("it has labels").iter().sum::<usize>();
    let check = (sum(&train) + sum(&test)) as f64;
    Ok(Answer { seconds: clock.time(|| data().expect("it went well before")), check })
}
