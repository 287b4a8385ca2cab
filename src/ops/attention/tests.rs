use nalgebra::DMatrix;

use super::Attention;
use crate::linalg::with_threads;
use crate::ops::testing::{check_op, feasible, filled};
use crate::{Float, Tape, Var};

/// The same of many nodes: for each sequence and head its part, all scores, what is masked at −∞, and softmax.
fn of_parts<T: Float>(t: &mut Tape<T>, [q, k, v]: [Var; 3], form: Attention<'_>) -> Var {
    let Attention { sequences, heads, is_causal, lengths, scale } = form;
    let mut rows = Vec::new();
    for s in 0..sequences {
        let mut of_heads = Vec::new();
        for h in 0..heads {
            let mut part = |x: Var, limit: Option<usize>| {
                let shape = t.shape(x);
                let (n, c) = (shape.rows / sequences, shape.cols / heads);
                let x = t.slice_rows(x, s * n..s * n + limit.unwrap_or(n));
                t.slice_cols(x, h * c..(h + 1) * c)
            };
            let keys = lengths.map(|lengths| lengths[s]);
            let (q, k, v) = (part(q, None), part(k, keys), part(v, keys));
            let width = t.shape(q).cols as f64;
            let scores = t.matmul_nt(q, k);
            let scores = t.scale(scores, T::of(scale.unwrap_or(1.0 / width.sqrt())));
            let scores = if is_causal { t.tril(scores, 0, -T::INFINITY) } else { scores };
            let p = t.softmax(scores);
            of_heads.push(t.matmul(p, v));
        }
        rows.push(t.concat_cols(&of_heads));
    }
    t.concat_rows(&rows)
}

/// Value and gradients of attention, or of its parts, on parameters of the given shapes.
fn run<T: Float>(inputs: &[DMatrix<f64>; 3], form: Attention<'_>, parts: bool) -> Vec<Vec<f64>> {
    let mut tape = Tape::<T>::default();
    let params = inputs.each_ref().map(|x| tape.param(&x.map(T::of)));
    let [q, k, v] = params.map(|p| p.var());
    let y = if parts { of_parts(&mut tape, [q, k, v], form) } else { tape.attention(q, k, v, form) };
    tape.param_grads_mut().fill(T::of(0.25));
    tape.backward_with(y, |dy| {
        dy.iter_mut().enumerate().for_each(|(i, dy)| *dy = T::of((0.7 * i as f64).sin()));
    });
    let numbers = |x: &[T]| x.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
    let mut all = vec![numbers(tape.value_slice(y))];
    all.extend(params.iter().map(|p| numbers(tape.grad_slice(*p))));
    all
}

#[track_caller]
fn assert_close(found: &[Vec<f64>], expected: &[Vec<f64>], tolerance: f64) {
    for (what, (found, expected)) in ["y", "dq", "dk", "dv"].iter().zip(found.iter().zip(expected)) {
        assert_eq!(found.len(), expected.len(), "{what}");
        for (i, (a, b)) in found.iter().zip(expected).enumerate() {
            assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what} at {i}: {a:e}, expected {b:e}");
        }
    }
}

/// Queries, keys and values of `s` sequences of `l` and `n` rows, with `h` heads of `c` and `e` columns.
fn inputs(s: usize, [l, n]: [usize; 2], h: usize, [c, e]: [usize; 2]) -> [DMatrix<f64>; 3] {
    [
        filled(s * l, h * c) * 2.0,
        filled(s * n, h * c) * 1.5 + DMatrix::from_element(s * n, h * c, 0.1),
        filled(s * n, h * e),
    ]
}

#[test]
fn gradients() {
    for (s, l, n, h, c, e) in [
        (1, 1, 1, 1, 1, 1),
        (2, 3, 2, 2, 2, 3),
        (1, 4, 4, 3, 1, 2),
        (0, 3, 3, 2, 2, 2),
        (2, 0, 3, 1, 2, 2),
        (2, 3, 3, 2, 0, 1),
    ] {
        let inputs = inputs(s, [l, n], h, [c, e]);
        check_op(&inputs, |t, x| t.attention(x[0], x[1], x[2], Attention::new(s, h)));
        let lengths: Vec<usize> = (0..s).map(|s| (s + 1) % (n + 1)).collect();
        let padded = Attention::new(s, h).with_lengths(&lengths).with_scale(0.3);
        check_op(&inputs, |t, x| t.attention(x[0], x[1], x[2], padded));
        if l == n {
            check_op(&inputs, |t, x| t.attention(x[0], x[1], x[2], Attention::new(s, h).causal()));
            check_op(&inputs, |t, x| t.attention(x[0], x[1], x[2], padded.causal()));
        }
    }
    // One value as all three operands.
    check_op(&[filled(4, 4)], |t, x| t.attention(x[0], x[0], x[0], Attention::new(2, 2).causal()));
}

#[test]
#[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
fn many_blocks_are_what_the_parts_give() {
    for (s, l, n) in [(1, 64, 64), (2, 65, 65), (1, 200, 130), (2, 131, 131), (1, 3, 150)] {
        let inputs = inputs(s, [l, n], 2, [5, 7]);
        let lengths: Vec<usize> = (0..s).map(|s| n - 1 - 60 * s % n).collect();
        let plain = Attention::new(s, 2);
        let mut forms = vec![plain, plain.with_lengths(&lengths), plain.with_scale(2.5)];
        if l == n {
            forms.extend([plain.causal(), plain.causal().with_lengths(&lengths)]);
        }
        for form in forms {
            assert_close(&run::<f64>(&inputs, form, false), &run::<f64>(&inputs, form, true), 1e-13);
            assert_close(&run::<f32>(&inputs, form, false), &run::<f64>(&inputs, form, true), 2e-5);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "the thread library's queues are not what is looked at here")]
fn threads_do_not_change_a_bit() {
    let inputs = inputs(3, [150, 150], 4, [16, 16]);
    for form in [Attention::new(3, 4), Attention::new(3, 4).causal().with_lengths(&[150, 7, 64])] {
        let one = run::<f32>(&inputs, form, false);
        for threads in [1, 2, 3] {
            assert_eq!(with_threads(threads, || run::<f32>(&inputs, form, false)), one, "{threads} threads");
        }
    }
}

#[test]
fn a_sequence_is_the_same_whatever_stands_beside_it() {
    let [q, k, v] = inputs(3, [5, 5], 2, [3, 3]);
    let all = run::<f64>(&[q.clone(), k.clone(), v.clone()], Attention::new(3, 2).causal(), false);
    let part = |x: &DMatrix<f64>| x.rows(5, 5).into_owned();
    let alone = run::<f64>(&[part(&q), part(&k), part(&v)], Attention::new(1, 2).causal(), false);
    assert_eq!(all[0][5 * 6..10 * 6], alone[0]);
}

/// What is not seen may be anything: of later tokens, and of padding. The length is above a block.
#[test]
fn nothing_of_what_is_hidden_comes_through() {
    let l = if feasible(1000) { 70 } else { 5 };
    let good = inputs(1, [l, l], 1, [2, 2]);
    for wild in [f64::NAN, f64::INFINITY, -1e300] {
        // Padding behind the last two keys.
        let mut bad = good.clone();
        for x in &mut bad[1..] {
            x.rows_mut(l - 2, 2).fill(wild);
        }
        let length = [l - 2];
        let form = Attention::new(1, 1).with_lengths(&length);
        assert_eq!(run::<f64>(&bad, form, false), run::<f64>(&good, form, false), "{wild}");

        // The last token of a causal sequence: only its own row is touched.
        let mut bad = good.clone();
        bad.iter_mut().for_each(|x| x.rows_mut(l - 1, 1).fill(wild));
        let form = Attention::new(1, 1).causal();
        let (found, expected) = (run::<f64>(&bad, form, false), run::<f64>(&good, form, false));
        assert_eq!(found[0][..2 * (l - 1)], expected[0][..2 * (l - 1)], "{wild}");

        // An infinite gradient of the first row: no key but the first is seen by it.
        let mut tape = Tape::new();
        let [q, k, v] = good.each_ref().map(|x| tape.variable(x));
        let y = tape.attention(q, k, v, Attention::new(1, 1).causal());
        tape.backward_with(y, |dy| dy[..2].fill(wild));
        for x in [k, v] {
            assert!(tape.grad_slice(x)[2..].iter().all(|dx| *dx == 0.0), "{wild}");
        }
        assert!(tape.grad_slice(q)[2..].iter().all(|dx| *dx == 0.0), "{wild}");
    }
}

#[test]
fn without_keys_the_value_is_zero() {
    let inputs = inputs(2, [3, 2], 1, [2, 2]);
    let all = run::<f64>(&inputs, Attention::new(2, 1).with_lengths(&[0, 2]), false);
    assert!(all[0][..6].iter().all(|y| *y == 0.0) && all[0][6..].iter().all(|y| *y != 0.0));
    // The gradients began at 0.25.
    assert!(all[1][..6].iter().chain(&all[2][..4]).chain(&all[3][..4]).all(|dx| *dx == 0.25));
}

/// The gradients of one block are written, not added to what is there: on a tape that is used again, that is of another step.
#[test]
fn nothing_of_another_step_is_left() {
    for (l, n) in [(1, 1), (3, 3), (2, 5), (5, 2), (64, 64), (3, 65), (65, 3)] {
        if !feasible(l * n) {
            continue;
        }
        let inputs = inputs(2, [l, n], 2, [2, 3]);
        let plain = Attention::new(2, 2);
        for lengths in [[n, n], [n - 1, 0]] {
            // A causal one has as many queries as keys.
            let causal = (l == n).then(|| plain.causal());
            for form in causal.into_iter().chain([plain]) {
                let form = form.with_lengths(&lengths);
                let mut tape = Tape::new();
                let mut step = |wild: bool| {
                    tape.rewind();
                    let [q, k, v] = inputs.each_ref().map(|x| tape.variable(x));
                    let y = tape.attention(q, k, v, form);
                    tape.backward_with(y, |dy| {
                        let dy = dy.iter_mut().enumerate();
                        dy.for_each(|(i, dy)| *dy = if wild { f64::NAN } else { (0.7 * i as f64).sin() });
                    });
                    // There they began at 0.25.
                    [q, k, v].map(|x| tape.grad_slice(x).iter().map(|dx| dx + 0.25).collect::<Vec<_>>())
                };
                step(true);
                let expected = run::<f64>(&inputs, form, false);
                assert_eq!(step(false)[..], expected[1..], "{l} queries, {lengths:?} of {n} keys");
            }
        }
    }
}

#[test]
fn large_scores() {
    let mut tape = Tape::<f32>::default();
    let q = tape.variable_slice(1, 1, &[1e4]);
    let k = tape.variable_slice(3, 1, &[1.0, 1.0001, -1.0]);
    let v = tape.variable_slice(3, 1, &[1.0, 2.0, 3.0]);
    let y = tape.attention(q, k, v, Attention::new(1, 1));
    // The scores are 10000, 10001 and −10000, as f32 rounds them.
    let step = f64::from(1e4f32 * 1.0001) - 1e4;
    let p = 1.0 / (1.0 + (-step).exp());
    assert!((f64::from(tape.item(y)) - 1.0 - p).abs() < 1e-6, "{}", tape.item(y));
    tape.backward(y);
    let dv = tape.grad_slice(v);
    assert!((f64::from(dv[1]) - p).abs() < 1e-6 && dv[2] == 0.0, "{dv:?}");
}

/// The scores of 4000 tokens would be 16 million numbers.
#[test]
#[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
fn memory_is_linear_in_the_length() {
    let numbers = |l: usize| {
        let mut tape = Tape::<f32>::default();
        let x =
            tape.variable_with(l, 2, |x| x.iter_mut().enumerate().for_each(|(i, x)| *x = (i as f32).sin()));
        let y = tape.attention(x, x, x, Attention::new(1, 1).causal());
        tape.backward_with(y, |dy| dy.fill(1.0));
        tape.bytes()
    };
    // Value, what is saved, gradients and room, of a row: 2·2 values, 2 saved, as many gradients, 6 in the room.
    let (short, long) = (numbers(1000), numbers(4000));
    assert!(long < 5 * short && long < 4000 * 30 * 4, "{short} bytes, and {long}");
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
    let of = |[q, k, v]: [(usize, usize); 3], form: Attention<'static>| {
        move |t: &mut Tape| {
            let [q, k, v] = [q, k, v].map(|(m, n)| t.constant(&filled(m, n)));
            t.attention(q, k, v, form)
        }
    };
    let plain = Attention::new(2, 2);
    fails(
        of([(4, 4), (4, 6), (4, 4)], plain),
        "attention: the queries v0 are 4×4, the keys v1 are 4×6, the values v2 are 4×4 (expected m×c, n×c, n×e)",
    );
    fails(
        of([(5, 4), (4, 4), (4, 4)], plain),
        "attention: the queries v0 are 5×4, whose rows are no 2 sequences of one length",
    );
    fails(
        of([(4, 4), (4, 4), (4, 5)], plain),
        "attention: the values v2 are 4×5, which 2 heads do not divide",
    );
    fails(
        of([(2, 4), (4, 4), (4, 4)], plain.causal()),
        "attention: the queries v0 are 2×4 and the keys v1 are 4×4: where no token sees those behind it, the rows must \
         be the same",
    );
    fails(of([(4, 4), (4, 4), (4, 4)], plain.with_lengths(&[1])), "attention: 1 length for 2 sequences");
    fails(
        of([(4, 4), (4, 4), (4, 4)], plain.with_lengths(&[1, 3])),
        "attention: sequence 1 has the length 3, but v1 has 2 keys for it",
    );
    fails(
        of([(4, 4), (4, 4), (4, 4)], plain.with_scale(f64::INFINITY)),
        "attention: the scale is inf, which is not finite",
    );
}

/// None of them is visited, as there may be more of them than can be.
#[test]
fn any_number_of_sequences_without_a_row() {
    let mut tape = Tape::new();
    let x = tape.variable(&DMatrix::zeros(0, 4));
    let y = tape.attention(x, x, x, Attention::new(usize::MAX, 2));
    tape.backward_with(y, |_| ());
    assert_eq!(tape.shape(y).to_string(), "0×4");
}
