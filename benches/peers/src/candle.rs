//! candle's side of the harness: its tensors, its own backward pass, its AdamW without decay.

mod side;

use candle_core::{D, DType, Device, Result as Candle, Tensor, Var};
use candle_nn::optim::{AdamW, Optimizer, ParamsAdamW};
use candle_nn::{loss, ops};
use side::{Answer, Clock, Row, SIDE, SMALL_BATCH, STEPS, filled, sizes, small_labels, weights, widths};

const ROWS: &[(&str, Row)] = &[
    ("gemm", |words, clock| text(product(words, clock))),
    ("op", |words, clock| text(operation(words, clock))),
    ("step", |words, clock| text(step(words, clock))),
    ("predict", |words, clock| text(predict(words, clock))),
];

fn main() {
    // The threads come by RAYON_NUM_THREADS.
    side::serve(ROWS, |_, work| work());
}

fn text(result: Candle<Option<Answer>>) -> Result<Option<Answer>, String> {
    result.map_err(|e| e.to_string())
}

fn kind(word: &str) -> Candle<DType> {
    match word {
        "f32" => Ok(DType::F32),
        "f64" => Ok(DType::F64),
        _ => candle_core::bail!("{word:?} is no type"),
    }
}

/// Stream `k` as a matrix.
fn matrix(rows: usize, cols: usize, k: usize, range: (f64, f64), kind: DType) -> Candle<Tensor> {
    Tensor::from_vec(filled(rows * cols, k, range, |x| x), (rows, cols), &Device::Cpu)?.to_dtype(kind)
}

fn number(x: &Tensor) -> Candle<f64> {
    x.to_dtype(DType::F64)?.mean_all()?.to_scalar()
}

fn product(words: &[&str], clock: &Clock) -> Candle<Option<Answer>> {
    let [of, size, form] = words else { return Ok(None) };
    let [m, k, n] = sizes(size).map_err(candle_core::Error::msg)?;
    let of = kind(of)?;
    let unit = (0.0, 1.0);
    let (a, b) = match *form {
        "nn" => (matrix(m, k, 1, unit, of)?, matrix(k, n, 2, unit, of)?),
        "nt" => (matrix(m, k, 1, unit, of)?, matrix(n, k, 2, unit, of)?.t()?),
        "tn" => (matrix(k, m, 1, unit, of)?.t()?, matrix(k, n, 2, unit, of)?),
        _ => return Ok(None),
    };
    let check = number(&a.matmul(&b)?)?;
    Ok(Some(Answer { seconds: clock.time(|| a.matmul(&b)), check }))
}

fn operation(words: &[&str], clock: &Clock) -> Candle<Option<Answer>> {
    let [of, name, direction] = words else { return Ok(None) };
    let f: fn(&Tensor) -> Candle<Tensor> = match *name {
        "exp" => Tensor::exp,
        "relu" => Tensor::relu,
        "sigmoid" => ops::sigmoid,
        "tanh" => Tensor::tanh,
        "gelu_tanh" => Tensor::gelu,
        "gelu_erf" => Tensor::gelu_erf,
        "softmax" => |x| ops::softmax(x, D::Minus1),
        "log_softmax" => |x| ops::log_softmax(x, D::Minus1),
        _ => return Ok(None),
    };
    let x = Var::from_tensor(&matrix(SIDE, SIDE, 1, (-3.0, 3.0), kind(of)?)?)?;
    let y = f(&x)?;
    match *direction {
        "forward" => Ok(Some(Answer { seconds: clock.time(|| f(&x)), check: number(&y)? })),
        // Its backward pass begins with ones, always.
        _ => Ok(None),
    }
}

/// Weights and biases as variables, layer by layer.
fn network(widths: &[usize], kind: DType) -> Candle<Vec<Var>> {
    let mut vars = Vec::new();
    for (w, pair) in weights(widths, |x| x).into_iter().zip(widths.windows(2)) {
        let w = Tensor::from_vec(w, (pair[0], pair[1]), &Device::Cpu)?.to_dtype(kind)?;
        vars.push(Var::from_tensor(&w)?);
        vars.push(Var::zeros((1, pair[1]), kind, &Device::Cpu)?);
    }
    Ok(vars)
}

fn logits(net: &[Var], x: &Tensor) -> Candle<Tensor> {
    let mut x = x.clone();
    for (k, layer) in net.chunks_exact(2).enumerate() {
        x = x.matmul(&layer[0])?.broadcast_add(&layer[1])?;
        if 2 * (k + 1) < net.len() {
            x = x.relu()?;
        }
    }
    Ok(x)
}

fn step(words: &[&str], clock: &Clock) -> Candle<Option<Answer>> {
    let [of, shape] = words else { return Ok(None) };
    let (of, widths) = (kind(of)?, widths(shape).map_err(candle_core::Error::msg)?);
    let [inputs, .., classes] = widths[..] else { return Ok(None) };
    let x = matrix(SMALL_BATCH, inputs, 1, (-1.0, 1.0), of)?;
    let labels = small_labels(classes).into_iter().map(|label| label as u32).collect();
    let labels = Tensor::from_vec(labels, SMALL_BATCH, &Device::Cpu)?;
    let net = network(&widths, of)?;
    let settings = ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut adam = AdamW::new(net.clone(), settings)?;
    let mut one = || -> Candle<f64> {
        let loss = loss::cross_entropy(&logits(&net, &x)?, &labels)?;
        adam.backward_step(&loss)?;
        number(&loss)
    };
    let mut check = f64::NAN;
    for _ in 0..STEPS {
        check = one()?;
    }
    Ok(Some(Answer { seconds: clock.time(|| one().expect("it went well before")), check }))
}

fn predict(words: &[&str], clock: &Clock) -> Candle<Option<Answer>> {
    let [of, shape, rows] = words else { return Ok(None) };
    let (of, widths) = (kind(of)?, widths(shape).map_err(candle_core::Error::msg)?);
    let [rows, ..] = sizes(rows).map_err(candle_core::Error::msg)?;
    let net = network(&widths, of)?;
    let x = matrix(rows, widths[0], 1, (0.0, 1.0), of)?;
    let ask = || ops::softmax(&logits(&net, &x)?, D::Minus1);
    let check = ask()?.get(0)?.get(0)?.to_dtype(DType::F64)?.to_scalar()?;
    Ok(Some(Answer { seconds: clock.time(ask), check }))
}
