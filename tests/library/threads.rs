//! Operations that are done on all threads where there are many numbers: the same bits with any number of them.

use tapegrad::Tape;
use tapegrad::linalg::with_threads;

const ROWS: usize = 301;
const COLS: usize = 517;

fn numbers(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| (((i * 7919 + seed * 104_729) % 2003) as f32 - 1001.0) / 333.0).collect()
}

/// Values and gradients of operations on 155617 numbers, and of a recurrence of 150 sequences.
fn run() -> Vec<f32> {
    let mut tape = Tape::<f32>::default();
    let x = tape.param_slice(ROWS, COLS, &numbers(ROWS * COLS, 1));
    let z = tape.param_slice(ROWS, COLS, &numbers(ROWS * COLS, 2));
    let [gamma, beta] = [3, 4].map(|seed| tape.param_slice(1, COLS, &numbers(COLS, seed)));
    let w = tape.param_slice(COLS, 40, &numbers(COLS * 40, 5));
    let b = tape.param_slice(1, 40, &numbers(40, 6));
    let tokens = tape.param_slice(150 * 5, 4 * 9, &numbers(150 * 5 * 36, 7));
    let u = tape.param_slice(9, 36, &numbers(9 * 36, 8));
    let state = tape.param_slice(150, 18, &numbers(150 * 18, 9));
    let mut found = Vec::new();
    let norm = tape.layer_norm(x, gamma, beta, 1e-5);
    let (gelu, erf) = (tape.gelu(norm), tape.gelu_erf(norm));
    let sum = tape.add(gelu, erf);
    let product = tape.mul(sum, z);
    let relu = tape.relu(product);
    let tanh = tape.tanh(relu);
    let p = tape.softmax(tanh);
    let y = tape.linear(p, w, b);
    let states = tape.lstm(tokens, u, state, 5);
    for (y, others) in [(y, [norm, gelu, erf, sum, product, tanh, p]), (states, [states; 7])] {
        tape.backward_with(y, |dy| dy.iter_mut().enumerate().for_each(|(i, dy)| *dy = (i % 13) as f32 - 6.0));
        found.extend(others.into_iter().chain([y]).flat_map(|v| tape.value_slice(v).to_vec()));
    }
    found.extend(tape.param_grads());
    found
}

#[test]
fn threads_do_not_change_a_bit() {
    let one = run();
    for threads in [1, 2, 3, 5] {
        let found = with_threads(threads, run);
        assert_eq!(found.len(), one.len());
        let differs = found.iter().zip(&one).position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(differs, None, "{threads} threads");
    }
}
