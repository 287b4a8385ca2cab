//! Tests of what all operations have in common at the edges: slopes of 0 under gradients that are infinite or
//! NaN, tiny divisors, infinite inputs, and tails.

use crate::rng::{Purpose, stream};
use crate::tape::Var;
use crate::{Float, Tape};

type Op<T> = fn(&mut Tape<T>, Var) -> Var;

const INF: f64 = f64::INFINITY;

/// Value and gradient of an operation on a row, under the same gradient for each of its entries.
fn run<T: Float>(x: &[T], dy: T, f: impl Fn(&mut Tape<T>, Var) -> Var) -> (Vec<T>, Vec<T>) {
    let mut tape = Tape::default();
    let x = tape.variable_slice(1, x.len(), x);
    let y = f(&mut tape, x);
    tape.backward_with(y, |to| to.fill(dy));
    (tape.value_slice(y).to_vec(), tape.grad_slice(x).to_vec())
}

/// ∞, −∞ and NaN: nothing of them may come through where an operation is constant.
const WILD: [f64; 3] = [INF, -INF, f64::NAN];

#[test]
fn where_an_operation_is_constant_no_gradient_comes_through() {
    let cases: [(&str, f64, Op<f64>); 23] = [
        ("relu", -1.0, |t, x| t.relu(x)),
        ("relu", 0.0, |t, x| t.relu(x)),
        ("leaky_relu", -1.0, |t, x| t.leaky_relu(x, 0.0)),
        ("clamp", -2.0, |t, x| t.clamp(x, -1.0, 1.0)),
        ("clamp", 2.0, |t, x| t.clamp(x, -1.0, 1.0)),
        ("abs", 0.0, |t, x| t.abs(x)),
        ("powi", 0.0, |t, x| t.powi(x, 0)),
        ("powf", 0.0, |t, x| t.powf(x, 0.0)),
        ("dropout", 1.0, |t, x| t.dropout(x, 0.999_999_999, &mut stream(1, Purpose::Dropout))),
        ("maximum", -1.0, |t, x| {
            let zero = t.scalar(0.0);
            t.maximum(x, zero)
        }),
        ("maximum", -1.0, |t, x| {
            let zeros = t.constant_slice(3, 1, &[0.0; 3]);
            t.maximum(zeros, x)
        }),
        ("minimum", 1.0, |t, x| {
            let zeros = t.constant_slice(1, 1, &[0.0]);
            t.minimum(zeros, x)
        }),
        ("mae", 1.0, |t, x| {
            let one = t.scalar(1.0);
            t.mae(x, one)
        }),
        ("huber", 1.0, |t, x| {
            let one = t.scalar(1.0);
            t.huber(one, x, 0.5)
        }),
        ("bce_with_logits", 1e300, |t, x| {
            let one = t.scalar(1.0);
            t.bce_with_logits(x, one)
        }),
        ("cross_entropy", 1.0, |t, x| t.cross_entropy(x, &[0])),
        ("norm", 0.0, |t, x| t.norm(x)),
        ("expm1", -INF, |t, x| t.expm1(x)),
        ("tril", 1.0, |t, x| t.tril(x, -1, 0.0)),
        ("triu", 1.0, |t, x| t.triu(x, 1, INF)),
        ("select", 1.0, |t, x| {
            let zeros = t.constant_slice(3, 1, &[0.0; 3]);
            t.select(zeros, x, zeros)
        }),
        ("select", 1.0, |t, x| {
            let ones = t.constant_slice(3, 1, &[1.0; 3]);
            t.select(ones, ones, x)
        }),
        ("select", 0.5, |t, x| {
            let one = t.scalar(1.0);
            t.select(x, one, one)
        }),
    ];
    for (name, x, op) in cases {
        for dy in WILD {
            let (_, dx) = run(&[x], dy, op);
            assert_eq!(dx, [0.0], "{name} at {x} under {dy}");
        }
    }
    // The chain of the issue: the square root sends ∞ to where relu is flat.
    let root_of_relu: Op<f64> = |t, x| {
        let positive = t.relu(x);
        t.sqrt(positive)
    };
    assert_eq!(run(&[-1.0, 4.0], 1.0, root_of_relu), (vec![0.0, 2.0], vec![0.0, 0.25]));
    let root_of_relu: Op<f32> = |t, x| {
        let positive = t.relu(x);
        t.sqrt(positive)
    };
    assert_eq!(run(&[-1.0f32, 4.0], 1.0, root_of_relu), (vec![0.0, 2.0], vec![0.0, 0.25]));
}

/// Operands of every shape that stretches, the loser of every pair.
#[test]
fn the_smaller_of_two_stretched_operands_gets_nothing() {
    let shapes = [(3, 40), (1, 40), (3, 1), (1, 1), (3, 4), (1, 4)];
    for a in shapes {
        for b in shapes {
            if [(a.0, b.0), (a.1, b.1)].iter().any(|(a, b)| a != b && *a != 1 && *b != 1) {
                continue;
            }
            for dy in WILD {
                let mut tape = Tape::new();
                let x = tape.variable_slice(a.0, a.1, &vec![-1.0; a.0 * a.1]);
                let y = tape.variable_slice(b.0, b.1, &vec![1.0; b.0 * b.1]);
                for loser_last in [false, true] {
                    let z = if loser_last { tape.minimum(x, y) } else { tape.maximum(x, y) };
                    tape.backward_with(z, |to| to.fill(dy));
                    let (loser, winner) = if loser_last { (y, x) } else { (x, y) };
                    assert!(tape.grad_slice(loser).iter().all(|dx| *dx == 0.0), "{a:?} {b:?}");
                    assert!(tape.grad_slice(winner).iter().all(|dx| !dx.is_finite()), "{a:?} {b:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_not_the_maximum_gets_nothing() {
    let ops: [Op<f64>; 2] = [|t, x| t.max(x), |t, x| t.max_cols(x)];
    for op in ops {
        assert_eq!(run(&[1.0, 3.0, 2.0, 3.0], INF, op).1, [0.0, INF, 0.0, 0.0]);
    }
    let mut tape = Tape::new();
    let x = tape.variable_slice(2, 2, &[1.0, 5.0, 2.0, 4.0]);
    let y = tape.max_rows(x);
    tape.backward_with(y, |dy| dy.fill(INF));
    assert_eq!(tape.grad_slice(x), [0.0, INF, INF, 0.0]);
}

#[test]
fn a_running_sum_sends_nothing_to_what_comes_after_it() {
    let ops: [(usize, usize, Op<f64>); 2] =
        [(3, 1, |t, x| t.cumsum_rows(x)), (1, 3, |t, x| t.cumsum_cols(x))];
    for (rows, cols, op) in ops {
        for dy in WILD {
            let mut tape = Tape::new();
            let x = tape.variable_slice(rows, cols, &[1.0, 2.0, 3.0]);
            let y = op(&mut tape, x);
            tape.backward_slice(y, &[1.0, dy, 0.5]);
            let dx = tape.grad_slice(x);
            assert!(!dx[0].is_finite() && !dx[1].is_finite() && dx[2] == 0.5, "{dx:?}");
        }
    }
}

#[test]
fn sine_and_cosine_have_no_limit_at_infinity() {
    let ops: [Op<f64>; 2] = [|t, x| t.sin(x), |t, x| t.cos(x)];
    for op in ops {
        let (y, dx) = run(&[INF, -INF, f64::NAN], 1.0, op);
        assert!(y.iter().chain(&dx).all(|x| x.is_nan()), "{y:?} {dx:?}");
    }
}

#[test]
fn what_a_mask_has_excluded_gets_nothing() {
    // An infinite gradient of an excluded entry, such as that of the logarithm of its probability 0.
    let under = |op: Op<f64>, dy: [f64; 3]| {
        let mut tape = Tape::new();
        let x = tape.variable_slice(1, 3, &[-INF, 1.0, 1.0]);
        let y = op(&mut tape, x);
        tape.backward_with(y, |to| to.copy_from_slice(&dy[..to.len()]));
        tape.grad_slice(x).to_vec()
    };
    assert_eq!(under(|t, x| t.softmax(x), [INF, 1.0, 3.0]), [0.0, -0.5, 0.5]);
    assert_eq!(under(|t, x| t.softmax(x), [f64::NAN, 1.0, 3.0]), [0.0, -0.5, 0.5]);
    assert_eq!(under(|t, x| t.log_softmax(x), [0.0, INF, 1.0])[0], 0.0);
    assert_eq!(under(|t, x| t.logsumexp(x), [INF; 3]), [0.0, INF, INF]);
    assert_eq!(under(|t, x| t.cross_entropy(x, &[1]), [INF; 3]), [0.0, -INF, INF]);
}

#[test]
fn tiny_divisors() {
    // 1/b is infinite, and the gradient that comes from above 0.
    for b in [1e-39f32, -1e-40, f32::from_bits(1)] {
        for a in [1.0f32, 0.0, -3e38] {
            let mut tape = Tape::<f32>::default();
            let (x, y) = (tape.variable_slice(1, 1, &[a]), tape.variable_slice(1, 1, &[b]));
            let z = tape.div(x, y);
            tape.backward_with(z, |dy| dy.fill(0.0));
            assert_eq!((tape.grad_slice(x)[0], tape.grad_slice(y)[0]), (0.0, 0.0), "{a:e}/{b:e}");
        }
        assert_eq!(run(&[b.abs()], 0.0, |t, x| t.ln(x)).1, [0.0]);
        assert_eq!(run(&[b.abs()], 0.0, |t, x| t.sqrt(x)).1, [0.0]);
        assert_eq!(run(&[b], 0.0, |t, x| t.powi(x, -1)).1, [0.0]);
        assert_eq!(run(&[b.abs()], 0.0, |t, x| t.powf(x, -1.5)).1, [0.0]);
    }
    // Where the gradient is small as well, the quotient is an ordinary number.
    let mut tape = Tape::<f32>::default();
    let (x, y) = (tape.variable_slice(1, 1, &[1e-39]), tape.variable_slice(1, 1, &[1e-39]));
    let z = tape.div(x, y);
    tape.backward_with(z, |dy| dy.fill(1e-39));
    assert_eq!((tape.grad_slice(x), tape.grad_slice(y)), (&[1.0f32][..], &[-1.0f32][..]));
    // One of the two quotients leaves the range, and the gradient does not.
    for (a, b, dy, right) in [
        (0.0f32, 1e-39f32, 1.0f32, 0.0f64),
        (0.0, 1e-20, 1e20, 0.0),
        (0.0, 1e-30, 1e30, 0.0),
        (1e-45, 1e-39, 1.0, -1.4e33),
        (1.0, 1e-39, 1e-45, -1.4e33),
        (1e-30, -1e-20, 1e20, -1e30),
    ] {
        let mut tape = Tape::<f32>::default();
        let (x, y) = (tape.variable_slice(1, 1, &[a]), tape.variable_slice(1, 1, &[b]));
        let z = tape.div(x, y);
        tape.backward_with(z, |to| to.fill(dy));
        let found = f64::from(tape.grad_slice(y)[0]);
        assert!(
            (found - right).abs() <= 0.01 * right.abs(),
            "{a:e}, {b:e}, {dy:e}: {found:e}, not {right:e}"
        );
    }
    assert_eq!(run(&[1e-39f32], 1e-39, |t, x| t.ln(x)).1, [1.0]);
    let (_, dx) = run(&[1e-25f32], 1e-20, |t, x| t.powi(x, -1));
    assert!((dx[0] / -1e30 - 1.0).abs() < 1e-6, "{}", dx[0]);
}

#[test]
fn activations_have_their_limits_at_infinity() {
    let at_infinity: [(&str, Op<f64>, [f64; 2]); 9] = [
        ("relu", |t, x| t.relu(x), [0.0, 1.0]),
        ("leaky_relu", |t, x| t.leaky_relu(x, 0.0), [0.0, 1.0]),
        ("gelu", |t, x| t.gelu(x), [0.0, 1.0]),
        ("gelu_tanh", |t, x| t.gelu_tanh(x), [0.0, 1.0]),
        ("gelu_erf", |t, x| t.gelu_erf(x), [0.0, 1.0]),
        ("silu", |t, x| t.silu(x), [0.0, 1.0]),
        ("softplus", |t, x| t.softplus(x), [0.0, 1.0]),
        ("sigmoid", |t, x| t.sigmoid(x), [0.0, 0.0]),
        ("tanh", |t, x| t.tanh(x), [0.0, 0.0]),
    ];
    for (name, op, slopes) in at_infinity {
        let (y, dx) = run(&[-INF, INF], 1.0, op);
        assert_eq!(dx, slopes, "{name}");
        match name {
            "sigmoid" => assert_eq!(y, [0.0, 1.0]),
            "tanh" => assert_eq!(y, [-1.0, 1.0]),
            _ => assert_eq!(y, [0.0, INF], "{name}"),
        }
        assert!(run(&[f64::NAN], 1.0, op).0[0].is_nan(), "{name}");
    }
    let silu: Op<f32> = |t, x| t.silu(x);
    assert_eq!(run(&[-f32::INFINITY, f32::INFINITY], 1.0, silu), (vec![0.0, f32::INFINITY], vec![0.0, 1.0]));
}

/// Argument, value and slope, in 60 digits.
type Tail = (f64, f64, f64);

#[track_caller]
fn check_tail<T: Float>(name: &str, op: Op<T>, tail: &[Tail], tolerance: f64, slopes: bool) {
    for &(x, value, slope) in tail {
        let (y, dx) = run(&[T::of(x)], T::ONE, op);
        let smallest = T::MIN_POSITIVE.to_f64() * T::EPSILON.to_f64();
        let off = |found: T, right: f64| {
            // A subnormal number has no more digits than it has.
            assert!(
                (found.to_f64() - right).abs() <= (tolerance * right.abs()).max(smallest),
                "{name} at {x}: {found:e}, not {right:e}"
            );
        };
        off(y[0], value);
        if slopes {
            off(dx[0], slope);
        }
    }
}

#[test]
fn tails_keep_their_digits() {
    let gelu_erf = [
        (-5.5, -1.0444259356238245e-7, -5.733472398739924e-7),
        (-6.0, -5.9195258702261885e-9, -3.5468709453902015e-8),
        (-8.0, -4.976768459417427e-15, -3.979607261086796e-14),
        (-10.0, -7.619853024160526e-23, -7.618400096464814e-22),
        (-13.0, -7.952313719414843e-38, -1.0337304440113355e-36),
        (-0.5, -0.15426876936299344, 0.13250487534383715),
        (3.0, 2.99595030590511, 1.011945647204184),
        (5.5, 5.499999895557407, 1.00000057334724),
    ];
    check_tail::<f32>("gelu_erf", |t, x| t.gelu_erf(x), &gelu_erf, 5e-7, true);
    check_tail::<f64>("gelu_erf", |t, x| t.gelu_erf(x), &gelu_erf, 2e-15, true);
    let subnormal = [
        (-13.75, -3.501404934464191e-42, -4.81416926408389e-41),
        (-14.0, -1.091095154686992e-43, -1.527455646325367e-42),
    ];
    check_tail::<f32>("gelu_erf", |t, x| t.gelu_erf(x), &subnormal, 1e-7, false);
    let far = [
        (-20.0, -5.507248237212468e-88, -1.1014360483133464e-86),
        (-37.0, -2.1184613523340935e-298, -7.838298669418516e-297),
    ];
    check_tail::<f64>("gelu_erf", |t, x| t.gelu_erf(x), &far, 2e-15, true);
    check_tail::<f64>("gelu_erf", |t, x| t.gelu_erf(x), &[(-38.25, -7.9548e-319, 0.0)], 1e-15, false);

    // The rounding of 1.702x, up to 2⁻¹⁹, is that much of the exponential; so it is for the others.
    let gelu = [(-20.0, -3.2934102413993715e-14, -5.440713718791753e-14)];
    check_tail::<f32>("gelu", |t, x| t.gelu(x), &gelu, 3e-6, false);
    check_tail::<f64>("gelu", |t, x| t.gelu(x), &gelu, 1e-14, true);
    let gelu = [(-55.0, -1.2191474609882345e-39, 0.0), (-60.0, -2.679160665528767e-43, 0.0)];
    check_tail::<f32>("gelu", |t, x| t.gelu(x), &gelu, 8e-6, false);
    let silu = [
        (-20.0, -4.122307236380407e-8, -3.9161918660646786e-8),
        (-90.0, -7.374611361591464e-38, 0.0),
        (-100.0, -3.720075976020836e-42, 0.0),
    ];
    check_tail::<f32>("silu", |t, x| t.silu(x), &silu, 5e-7, false);
    let gelu_tanh = [
        (-5.0, -2.291796196629506e-7, -1.5463619875325946e-6),
        (-8.0, -3.1077829375011112e-21, -4.7147845041068414e-20),
        (-9.75, -3.232048641398919e-35, -7.059669046503061e-34),
        (-10.0, -1.204092348209806e-37, -2.7576380638540315e-36),
    ];
    check_tail::<f32>("gelu_tanh", |t, x| t.gelu_tanh(x), &gelu_tanh, 4e-5, true);
    check_tail::<f64>("gelu_tanh", |t, x| t.gelu_tanh(x), &gelu_tanh, 1e-13, true);
}

#[test]
fn infinite_logits() {
    let bce = |z: f64, t: f64| {
        let (y, dz) = run(&[z], 1.0, |tape, z| {
            let t = tape.scalar(t);
            tape.bce_with_logits(z, t)
        });
        (y[0], dz[0])
    };
    assert_eq!(bce(INF, 1.0), (0.0, 0.0));
    assert_eq!(bce(INF, 0.0), (INF, 1.0));
    assert_eq!(bce(-INF, 1.0), (INF, -1.0));
    assert_eq!(bce(-INF, 0.0), (0.0, 0.0));
    assert_eq!(bce(INF, 0.25), (INF, 0.75));
    assert_eq!(bce(-INF, 0.25), (INF, -0.25));
    assert!(bce(f64::NAN, 1.0).0.is_nan() && bce(INF, f64::NAN).0.is_nan());

    // One of +∞ is certain.
    assert_eq!(run(&[1.0, INF, -INF], 1.0, |t, x| t.softmax(x)), (vec![0.0, 1.0, 0.0], vec![0.0; 3]));
    assert_eq!(run(&[1.0, INF, -INF], 1.0, |t, x| t.logsumexp(x)), (vec![INF], vec![0.0, 1.0, 0.0]));
    assert_eq!(run(&[1.0, INF], 1.0, |t, x| t.log_softmax(x)), (vec![-INF, 0.0], vec![1.0, -1.0]));
    assert_eq!(run(&[1.0, INF], 1.0, |t, x| t.cross_entropy(x, &[1])), (vec![0.0], vec![0.0, 0.0]));
    assert_eq!(run(&[1.0, INF], 1.0, |t, x| t.cross_entropy(x, &[0])), (vec![INF], vec![-1.0, 1.0]));
    // Of two there is no telling which.
    let (p, dp) = run(&[INF, 0.0, INF], 1.0, |t, x| t.softmax(x));
    assert!(p.iter().chain(&dp).all(|p| p.is_nan()));
    assert_eq!(run(&[INF, 0.0, INF], 1.0, |t, x| t.logsumexp(x)).0, [INF]);
    assert!(run(&[INF, 0.0, INF], 1.0, |t, x| t.cross_entropy(x, &[0])).0[0].is_nan());
    assert!(run(&[INF, f64::NAN], 1.0, |t, x| t.logsumexp(x)).0[0].is_nan());
    // A masked class, with and without smoothed labels, which give it a share.
    assert_eq!(run(&[0.0, -INF, 0.0], 1.0, |t, x| t.cross_entropy(x, &[0])).0, [std::f64::consts::LN_2]);
    for smoothing in [0.1, 1.0] {
        let (y, dx) = run(&[0.0, -INF, 0.0], 1.0, |t, x| t.cross_entropy_smoothed(x, &[1], smoothing));
        assert!(y[0] == INF && dx.iter().all(|dx| dx.is_finite()));
    }

    let ends = [INF, -INF];
    let huber = run(&ends, 1.0, against_zero(|t, a, b| t.huber(a, b, 0.5)));
    assert_eq!(huber, (vec![INF], vec![0.25, -0.25]));
    assert_eq!(run(&ends, 1.0, against_zero(|t, a, b| t.mae(a, b))), (vec![INF], vec![0.5, -0.5]));
    assert_eq!(run(&ends, 1.0, against_zero(|t, a, b| t.mse(a, b))), (vec![INF], ends.to_vec()));
}

/// A loss against zeros.
fn against_zero(op: fn(&mut Tape, Var, Var) -> Var) -> impl Fn(&mut Tape, Var) -> Var {
    move |t, x| {
        let shape = t.shape(x);
        let zeros = t.constant_slice(shape.rows, shape.cols, &vec![0.0; shape.numel()]);
        op(t, x, zeros)
    }
}
