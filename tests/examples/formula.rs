//! A formula with two parameters, fitted to measurements by gradient descent.
//!
//! An enzyme works at the rate v = V·c/(K + c) where c is the concentration of what it works on (Michaelis and
//! Menten, 1913). V and K are what the measurements tell: here those of Treloar (1974), as in Bates and Watts,
//! "Nonlinear Regression Analysis", 1988. In [`Tape::scope`] the formula stands as it does on paper.
//!
//! `cargo run --release --example formula`
//!
//! | | V | K | sum of squares |
//! |---|---|---|---|
//! | tapegrad | 212.683743 | 0.064121282 | 1195.448814 |
//! | SciPy, `curve_fit` | 212.683743 | 0.064121281 | 1195.448814 |
//! | PyTorch, the same steps | 212.683743 | 0.064121282 | 1195.448814 |

use tapegrad::optim::{Momentum, Optimizer};
use tapegrad::{Result, Tape};

const CONCENTRATIONS: [f64; 12] = [0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.10, 1.10];
const RATES: [f64; 12] = [76.0, 47.0, 97.0, 107.0, 123.0, 139.0, 159.0, 152.0, 191.0, 201.0, 207.0, 200.0];

/// V, K, and the sum of the squared differences that is left.
pub fn figures() -> Result<[f64; 3]> {
    let mut tape = Tape::new();
    // V = 200a and K = 0.05b: with a and b near 1, one learning rate suits both.
    let a = tape.param_slice(1, 1, &[1.0]);
    let b = tape.param_slice(1, 1, &[1.0]);
    let mut optimizer = Optimizer::new(Momentum::default(), 0.1)?;
    let mut squares = 0.0;
    for _ in 0..2000 {
        let c = tape.constant_slice(12, 1, &CONCENTRATIONS);
        let rates = tape.constant_slice(12, 1, &RATES);
        let loss = tape.scope(|s| {
            let (v, k, c) = (200.0 * s.var(a), 0.05 * s.var(b), s.var(c));
            let predicted = v * c / (k + c);
            (0.01 * (predicted - rates)).square().mean().var()
        });
        squares = tape.item(loss) * 12.0 * 1e4;
        tape.zero_grad();
        tape.backward(loss);
        optimizer.step(&mut tape)?;
        tape.rewind();
    }
    Ok([200.0 * tape.item(a), 0.05 * tape.item(b), squares])
}

fn main() -> Result<()> {
    let [v, k, squares] = figures()?;
    println!("V = {v:.6}, K = {k:.9}, sum of squares {squares:.6}");
    Ok(())
}
