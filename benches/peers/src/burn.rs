//! burn's side of the harness, on Flex, its backend for CPUs in Rust. Rows without the gradient only: its backward pass
//! uses the graph up, so that it cannot be timed without the forward pass.

mod side;

use burn::tensor::{DType, Device, Tensor, TensorData, activation};
use side::{Answer, Clock, Row, SIDE, filled, sizes};

const ROWS: &[(&str, Row)] = &[("gemm", product), ("op", operation)];

fn main() {
    // The threads come by RAYON_NUM_THREADS.
    side::serve(ROWS, |_, work| work());
}

fn kind(word: &str) -> Result<DType, String> {
    match word {
        "f32" => Ok(DType::F32),
        "f64" => Ok(DType::F64),
        _ => Err(format!("{word:?} is no type")),
    }
}

/// Stream `k` as a matrix.
fn matrix(rows: usize, cols: usize, k: usize, range: (f64, f64), kind: DType) -> Tensor<2> {
    let data = TensorData::new(filled(rows * cols, k, range, |x| x), [rows, cols]);
    Tensor::from_data(data, (&Device::flex(), kind))
}

fn number(x: Tensor<2>) -> f64 {
    x.cast(DType::F64).mean().into_scalar::<f64>()
}

fn product(words: &[&str], clock: &Clock) -> Result<Option<Answer>, String> {
    let [of, size, form] = words else { return Ok(None) };
    let ([m, k, n], of) = (sizes(size)?, kind(of)?);
    let unit = (0.0, 1.0);
    let (a, b) = match *form {
        "nn" => (matrix(m, k, 1, unit, of), matrix(k, n, 2, unit, of)),
        "nt" => (matrix(m, k, 1, unit, of), matrix(n, k, 2, unit, of).transpose()),
        "tn" => (matrix(k, m, 1, unit, of).transpose(), matrix(k, n, 2, unit, of)),
        _ => return Ok(None),
    };
    let check = number(a.clone().matmul(b.clone()));
    Ok(Some(Answer { seconds: clock.time(|| a.clone().matmul(b.clone())), check }))
}

fn operation(words: &[&str], clock: &Clock) -> Result<Option<Answer>, String> {
    let [of, name, "forward"] = words else { return Ok(None) };
    let f: fn(Tensor<2>) -> Tensor<2> = match *name {
        "exp" => Tensor::exp,
        "relu" => activation::relu,
        "sigmoid" => activation::sigmoid,
        "tanh" => Tensor::tanh,
        "gelu_tanh" => activation::gelu_approximate,
        "gelu_erf" => activation::gelu,
        "softmax" => |x| activation::softmax(x, 1),
        "log_softmax" => |x| activation::log_softmax(x, 1),
        _ => return Ok(None),
    };
    let x = matrix(SIDE, SIDE, 1, (-3.0, 3.0), kind(of)?);
    let check = number(f(x.clone()));
    // A tensor of which there is another handle is not written over.
    Ok(Some(Answer { seconds: clock.time(|| f(x.clone())), check }))
}
