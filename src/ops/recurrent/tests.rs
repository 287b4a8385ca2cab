use crate::linalg::with_threads;
use crate::ops::testing::{check_op, filled};
use crate::{Float, Tape, Var};

type Build<T> = fn(&mut Tape<T>, &[Var], usize) -> Var;

/// Name, columns of the input and of the state in units of h, and the operation.
fn cells<T: Float>() -> [(&'static str, usize, usize, Build<T>); 3] {
    [
        ("rnn", 1, 1, |t, x, length| t.rnn(x[0], x[1], x[2], length)),
        ("lstm", 4, 2, |t, x, length| t.lstm(x[0], x[1], x[2], length)),
        ("gru", 3, 1, |t, x, length| t.gru(x[0], x[1], x[2], x[3], length)),
    ]
}

/// Input, weights, state and bias.
fn inputs(s: usize, length: usize, h: usize, gates: usize, own: usize) -> [nalgebra::DMatrix<f64>; 4] {
    [filled(s * length, gates * h) * 1.5, filled(h, gates * h), filled(s, own * h) * 0.8, filled(1, h) * 0.5]
}

#[test]
fn gradients() {
    for (name, gates, own, build) in cells() {
        for (s, length, h) in [(1, 1, 1), (2, 3, 2), (1, 4, 3), (0, 2, 2), (2, 0, 2), (2, 2, 0)] {
            let inputs = inputs(s, length, h, gates, own);
            let used = if name == "gru" { &inputs[..] } else { &inputs[..3] };
            if length == 0 {
                // The state has no part in an empty value, but it has a gradient, of zeros.
                let mut tape = Tape::new();
                let x: Vec<Var> = used.iter().map(|x| tape.variable(x)).collect();
                let y = build(&mut tape, &x, 0);
                assert_eq!(tape.shape(y).to_string(), format!("0×{}", own * h));
                tape.backward_with(y, |_| ());
                assert!(tape.grad_slice(x[2]).iter().all(|dx| *dx == 0.0));
                continue;
            }
            check_op(used, |t, x| build(t, x, length));
        }
    }
    // One value as weights and as state.
    check_op(&[filled(4, 2), filled(2, 2)], |t, x| t.rnn(x[0], x[1], x[1], 2));
}

/// A sequence is its tokens, one step after the other.
#[test]
fn a_sequence_is_steps_of_the_cell() {
    for (name, gates, own, build) in cells::<f64>() {
        let (s, length, h) = (3, 4, 5);
        let mut tape = Tape::new();
        let params = inputs(s, length, h, gates, own).map(|x| tape.param(&x));
        let [x, u, state, bias] = params.map(|p| p.var());
        let whole = build(&mut tape, &[x, u, state, bias], length);
        let by_token = tape.reshape(x, s, length * gates * h);
        let (mut before, mut states) = (state, Vec::new());
        for t in 0..length {
            let x = tape.slice_cols(by_token, t * gates * h..(t + 1) * gates * h);
            before = build(&mut tape, &[x, u, before, bias], 1);
            states.push(before);
        }
        let beside = tape.concat_cols(&states);
        let steps = tape.reshape(beside, s * length, own * h);
        assert_eq!(tape.value_slice(whole), tape.value_slice(steps), "{name}");
        let mut gradients = Vec::new();
        for y in [whole, steps] {
            tape.zero_grad();
            tape.backward_with(y, |dy| dy.iter_mut().enumerate().for_each(|(i, dy)| *dy = (i as f64).sin()));
            gradients.push(tape.param_grads().to_vec());
        }
        for (a, b) in gradients[0].iter().zip(&gradients[1]) {
            assert!((a - b).abs() < 1e-13, "{name}: {a} against {b}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "the thread library's queues are not what is looked at here")]
fn threads_do_not_change_a_bit() {
    for (name, gates, own, build) in cells::<f32>() {
        let run = |threads: usize| {
            with_threads(threads, || {
                let mut tape = Tape::<f32>::default();
                let params = inputs(70, 3, 150, gates, own).map(|x| tape.param(&x.map(|x| x as f32 * 0.3)));
                let y = build(&mut tape, &params.map(|p| p.var()), 3);
                tape.backward_with(y, |dy| dy.fill(0.1));
                (tape.value_slice(y).to_vec(), tape.param_grads().to_vec())
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3), "{name}");
    }
}

/// Sums far out: the gates are 0 and 1, and nothing is NaN.
#[test]
fn gates_that_are_shut_and_open() {
    for (name, gates, own, build) in cells::<f32>() {
        let mut tape = Tape::<f32>::default();
        let x = tape.variable_with(2, gates, |x| {
            (0..2 * gates).for_each(|i| x[i] = if i % 2 == 0 { 3e38 } else { -3e38 })
        });
        let u = tape.variable_with(1, gates, |u| u.fill(1.0));
        let state = tape.variable_with(2, own, |state| state.fill(0.5));
        let bias = tape.variable_with(1, 1, |bias| bias.fill(0.5));
        let y = build(&mut tape, &[x, u, state, bias], 1);
        tape.backward_with(y, |dy| dy.fill(1.0));
        let all = [y, x, u, state].map(|v| if v == y { tape.value_slice(v) } else { tape.grad_slice(v) });
        assert!(all.into_iter().flatten().all(|x| x.is_finite()), "{name}");
    }
}

fn fails(build: impl FnOnce(&mut Tape) -> Var + std::panic::UnwindSafe, expected: &str) {
    let run = || {
        build(&mut Tape::new());
    };
    let panic = std::panic::catch_unwind(run).unwrap_err();
    assert_eq!(*panic.downcast::<String>().unwrap(), expected);
}

#[test]
fn what_does_not_fit_is_named() {
    fails(
        |t| {
            let [x, u, state] = [(4, 8), (2, 8), (2, 2)].map(|(m, n)| t.constant(&filled(m, n)));
            t.lstm(x, u, state, 2)
        },
        "lstm: v0 is 4×8, the weights v1 are 2×8, the state v2 is 2×2 (expected m×4h, h×4h, s×2h)",
    );
    fails(
        |t| {
            let [x, u, state] = [(4, 2), (2, 2), (3, 2)].map(|(m, n)| t.constant(&filled(m, n)));
            t.rnn(x, u, state, 2)
        },
        "rnn: v0 is 4×2, which are 2 sequences of 2 tokens, but the state v2 is 3×2",
    );
    fails(
        |t| {
            let [x, u, state, b] = [(3, 6), (2, 6), (1, 2), (1, 2)].map(|(m, n)| t.constant(&filled(m, n)));
            t.gru(x, u, state, b, 2)
        },
        "gru: v0 is 3×6, which are no sequences of 2 tokens each",
    );
    fails(
        |t| {
            let [x, u, state, b] = [(2, 6), (2, 6), (1, 2), (2, 2)].map(|(m, n)| t.constant(&filled(m, n)));
            t.gru(x, u, state, b, 2)
        },
        "gru: the bias v3 is 2×2 (expected 1×2)",
    );
}

#[test]
fn any_length_of_no_sequences() {
    for (name, gates, own, build) in cells::<f64>() {
        let mut tape = Tape::new();
        let x = inputs(0, 0, 2, gates, own).map(|x| tape.variable(&x));
        let y = build(&mut tape, &x, usize::MAX);
        tape.backward_with(y, |_| ());
        assert_eq!(tape.shape(y).to_string(), format!("0×{}", 2 * own), "{name}");
        assert!(tape.grad_slice(x[1]).iter().all(|dx| *dx == 0.0), "{name}");
    }
}
