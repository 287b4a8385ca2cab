//! The operations on sequences against figures of PyTorch 2, in f64: `reference/sequences.py` made them.

use std::collections::BTreeMap;

use serde::Deserialize;
use tapegrad::ops::Attention;
use tapegrad::{Tape, Var};

use super::helpers::assert_near;
use super::reference::Matrix;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    inputs: Vec<Matrix>,
    upstream: Matrix,
    output: Matrix,
    gradients: Vec<Matrix>,
}

type Op = fn(&mut Tape, &[Var]) -> Var;

fn operations() -> Vec<(&'static str, Op)> {
    vec![
        ("embedding", |t, x| {
            let tokens = t.constant_slice(2, 3, &[2.0, 0.0, 2.0, 1.0, 4.0, 2.0]);
            t.embedding(x[0], tokens)
        }),
        ("add_positions", |t, x| t.add_positions(x[0], x[1], 3)),
        ("rotary", |t, x| t.rotary(x[0], 2, 3, 100.0)),
        ("rms_norm", |t, x| t.rms_norm(x[0], x[1], 1e-5)),
        ("group_norm", |t, x| t.group_norm(x[0], x[1], x[2], 2, 1e-5)),
        ("cross_entropy_ignoring", |t, x| t.cross_entropy_ignoring(x[0], &[3, 0, 1, 0, 2], 0)),
        ("attention", |t, x| t.attention(x[0], x[1], x[2], Attention::new(2, 2))),
        ("attention_causal", |t, x| t.attention(x[0], x[1], x[2], Attention::new(2, 2).causal())),
        ("attention_padded", |t, x| {
            t.attention(x[0], x[1], x[2], Attention::new(2, 2).with_lengths(&[2, 3]))
        }),
        ("attention_long", |t, x| t.attention(x[0], x[1], x[2], Attention::new(2, 1).causal())),
        ("rnn", |t, x| t.rnn(x[0], x[1], x[2], 3)),
        // The memory is no output there.
        ("lstm", |t, x| {
            let states = t.lstm(x[0], x[1], x[2], 3);
            t.slice_cols(states, 0..3)
        }),
        ("gru", |t, x| t.gru(x[0], x[1], x[2], x[3], 3)),
    ]
}

#[test]
fn values_and_gradients_of_pytorch() {
    let mut cases: BTreeMap<String, Case> =
        serde_json::from_str(include_str!("reference/sequences.json")).unwrap();
    for (name, op) in operations() {
        let case = cases.remove(name).unwrap_or_else(|| panic!("{name} is not in the file"));
        // The second run finds an operation that overwrites a gradient.
        for before in [0.0, -2.75] {
            let mut tape = Tape::new();
            let params: Vec<_> = case.inputs.iter().map(|x| tape.param(&x.get())).collect();
            let inputs: Vec<Var> = params.iter().map(|p| p.var()).collect();
            tape.param_grads_mut().fill(before);
            let y = op(&mut tape, &inputs);
            tape.backward_slice(y, &case.upstream.data);
            println!("{name}, on top of {before}");
            assert_near(&tape.value(y).to_dmatrix(), &case.output.get(), 1e-10);
            assert_eq!(case.gradients.len(), params.len());
            for (p, expected) in params.iter().zip(&case.gradients) {
                assert_near(&tape.grad(*p).to_dmatrix().add_scalar(-before), &expected.get(), 1e-10);
            }
        }
    }
    assert!(cases.is_empty(), "not compared: {:?}", cases.keys());
}
