//! L-BFGS and the Hessian-free method: known optima, counts beside SciPy's, products with the Hessian against differences.

use std::ops::ControlFlow;

use nalgebra::DMatrix;
use rand::RngExt;
use tapegrad::linalg::with_threads;
use tapegrad::models::{LogisticOptions, LogisticRegression, Scheme};
use tapegrad::optim::{
    Ended, Lbfgs, MinimizeOptions, Minimizer, Minimum, NewtonCg, Point, minimize, minimize_observed,
};
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Error, Float, Param, Result, Tape, Var};

fn numbers(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = stream(seed, Purpose::Data);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn methods<T: Float>() -> Vec<Box<dyn Minimizer<T>>> {
    vec![Box::new(Lbfgs::default()), Box::new(NewtonCg::default())]
}

fn options(gradient_tolerance: f64) -> MinimizeOptions {
    MinimizeOptions { gradient_tolerance, ..MinimizeOptions::default() }
}

/// Σ 100(y − x²)² + (1 − x)² over pairs (x, y), from (−1.2, 1).
fn rosenbrock<T: Float>(pairs: usize) -> (Tape<T>, impl Fn(&mut Tape<T>) -> Var) {
    let mut tape = Tape::<T>::default();
    let x = tape.param_with(1, pairs, |to| to.fill(T::of(-1.2)));
    let y = tape.param_with(1, pairs, |to| to.fill(T::ONE));
    let function = move |tape: &mut Tape<T>| {
        tape.scope(|s| {
            let (x, y) = (s.var(x), s.var(y));
            (((y - x.square()).square() * T::of(100.0)) + (x - T::ONE).square()).sum().var()
        })
    };
    (tape, function)
}

/// SciPy 1.17: L-BFGS-B 38 steps and 46 evaluations for one pair, 37 and 49 for 50; Newton-CG 86, 107 and 146 products.
#[test]
fn as_many_steps_as_elsewhere() {
    for (pairs, of_scipy) in [(1, 46), (50, 49)] {
        let (mut tape, f) = rosenbrock::<f64>(pairs);
        let found = minimize(&mut tape, f, &mut Lbfgs::default(), &options(1e-8)).unwrap();
        assert_eq!(found.ended, Ended::Converged);
        assert!(found.evaluations <= of_scipy * 5 / 4, "{found:?}");
        assert!(tape.param_values().iter().all(|x| (x - 1.0).abs() < 1e-7));
        let (mut tape, f) = rosenbrock::<f64>(pairs);
        let found = minimize(&mut tape, f, &mut NewtonCg::default(), &options(1e-8)).unwrap();
        assert!(
            found.ended == Ended::Converged && found.iterations <= 86 && found.products <= 146,
            "{found:?}"
        );
        assert!(tape.param_values().iter().all(|x| (x - 1.0).abs() < 1e-7));
    }
}

/// ½xᵀAx − bᵀx with A = MMᵀ + I: the optimum solves Ax = b. H·v is A·v, and conjugate gradients end after n products.
#[test]
fn a_quadratic_is_a_linear_system() {
    let n = 12;
    let m = DMatrix::from_row_slice(n, n, &numbers(n * n, 3));
    let a = &m * m.transpose() + DMatrix::identity(n, n);
    let b = DMatrix::from_fn(n, 1, |i, _| (i as f64).sin());
    let solution = a.clone().cholesky().unwrap().solve(&b);
    for method in &mut methods::<f64>() {
        let mut tape = Tape::new();
        let x = tape.param_with(n, 1, |_| ());
        // Data that stands on the tape before outlives every step.
        let (a_on_tape, b_on_tape) = (tape.constant(&a), tape.constant(&b));
        let before = tape.len();
        let f = |tape: &mut Tape| {
            let ax = tape.matmul(a_on_tape, x);
            let half = tape.scale(ax, 0.5);
            let rest = tape.sub(half, b_on_tape);
            let product = tape.mul(x, rest);
            tape.sum(product)
        };
        let found = minimize(&mut tape, f, &mut **method, &options(1e-10)).unwrap();
        assert_eq!(found.ended, Ended::Converged, "{}", method.name());
        let error = (tape.value(x).to_dmatrix() - &solution).amax();
        assert!(error < 1e-9, "{} {error}", method.name());
        assert!(tape.value(a_on_tape).to_dmatrix() == a && tape.len() == before);
        if method.name() == "newton-cg" {
            assert!(found.products <= n * found.iterations && found.iterations <= 10, "{found:?}");
        }
    }
}

/// Logistic regression with ½·0.01‖w‖²: SciPy's BFGS and five steps of Newton in NumPy, to the last digits.
#[test]
fn logistic_regression() {
    let expected = [2.205884133179593, -0.2216547819491396, -2.148766136602742, -0.14868021007334184];
    let (n, d) = (40, 3);
    let x = DMatrix::from_row_iterator(n, d, (0..n * d).map(|i| (1.7 * i as f64 + 0.3).sin()));
    let labels: Vec<usize> =
        (0..n).map(|i| usize::from(x[(i, 0)] + 0.5 * (3.0 * i as f64).cos() > 0.0)).collect();
    let fit = LogisticOptions { scheme: Scheme::Binary, lambda: 0.01, intercept: true, max_steps: 50 };
    let exact = LogisticRegression::fit(&x, &labels, 2, &fit).unwrap();
    for method in &mut methods::<f64>() {
        let mut tape = Tape::new();
        let (w, b) = (tape.param_with(d, 1, |_| ()), tape.param_with(1, 1, |_| ()));
        let y: Vec<f64> = labels.iter().map(|label| *label as f64).collect();
        let (x, y) = (tape.constant(&x), tape.constant_slice(n, 1, &y));
        let f = |tape: &mut Tape| {
            let logits = tape.linear(x, w, b);
            let loss = tape.bce_with_logits(logits, y);
            let squares = tape.square(w);
            let squares = tape.sum(squares);
            let penalty = tape.scale(squares, 0.005);
            tape.add(loss, penalty)
        };
        let found = minimize(&mut tape, f, &mut **method, &options(1e-12)).unwrap();
        assert!((found.value - 0.22446229751089947).abs() < 1e-15, "{} {found:?}", method.name());
        for (found, expected) in tape.param_values().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-10, "{} {found} {expected}", method.name());
        }
        let off = (tape.value(w).to_dmatrix() - exact.weights().clone()).amax();
        assert!(off < 1e-8, "{off}");
    }
}

/// Looks at products with the Hessian, and goes down the gradient.
struct Products(Vec<f64>, Vec<Vec<f64>>);

impl Minimizer<f64> for Products {
    fn name(&self) -> &'static str {
        "products"
    }

    fn direction(&mut self, at: &mut Point<'_, f64>, direction: &mut [f64]) -> Result<()> {
        // Twice: the second product is on the tape of the first.
        for _ in 0..2 {
            let mut product = vec![f64::NAN; self.0.len()];
            at.hessian_times(&self.0, &mut product);
            self.1.push(product);
        }
        direction.iter_mut().zip(at.gradient()).for_each(|(d, g)| *d = -g);
        Ok(())
    }
}

/// A network with a buffer among its parameters, a hidden layer, and cross-entropy.
fn network() -> (Tape, Vec<Param>, impl Fn(&mut Tape) -> Var) {
    let mut tape = Tape::new();
    let w1 = tape.param_with(3, 5, |to| to.copy_from_slice(&numbers(15, 1)));
    let buffer = tape.buffer_with(1, 5, |to| to.fill(0.5));
    let b1 = tape.param_with(1, 5, |to| to.copy_from_slice(&numbers(5, 2)));
    let w2 = tape.param_with(5, 4, |to| to.copy_from_slice(&numbers(20, 4)));
    let x = tape.constant_slice(7, 3, &numbers(21, 5));
    let f = move |tape: &mut Tape| {
        let z = tape.linear(x, w1, b1);
        let moved = tape.add(z, buffer);
        let h = tape.tanh(moved);
        let scores = tape.matmul(h, w2);
        tape.cross_entropy(scores, &[0, 1, 2, 3, 0, 1, 2])
    };
    (tape, vec![w1, b1, w2], f)
}

#[test]
fn products_with_the_hessian_are_differences_of_gradients() {
    let (mut tape, _, f) = network();
    let v: Vec<f64> = numbers(40, 6);
    let mut method = Products(v.clone(), Vec::new());
    let start = tape.param_values().to_vec();
    let one = MinimizeOptions { iterations: 1, gradient_tolerance: 0.0 };
    minimize(&mut tape, &f, &mut method, &one).unwrap();
    let gradient = |at: f64| {
        let (mut tape, params, f) = network();
        let mut k = 0;
        for slot in tape.slots() {
            for x in slot.values {
                *x += at * v[k];
                k += 1;
            }
        }
        assert_eq!(k, v.len());
        let loss = f(&mut tape);
        tape.zero_grad();
        tape.backward(loss);
        params.iter().flat_map(|p| tape.grad_slice(*p).to_vec()).collect::<Vec<f64>>()
    };
    let (up, down) = (gradient(1e-5), gradient(-1e-5));
    assert_eq!(method.1[0], method.1[1]);
    for ((product, up), down) in method.1[0].iter().zip(&up).zip(&down) {
        assert!((product - (up - down) / 2e-5).abs() < 1e-9, "{product}");
    }
    // A buffer is no parameter: it stays as it was.
    let buffer = |values: &[f64]| values.iter().filter(|x| **x == 0.5).count();
    assert!(buffer(tape.param_values()) == 5 && buffer(&start) == 5);
    assert_ne!(tape.param_values(), start);
}

/// The loss of a network has no single optimum; it is followed to a gradient of zero, with the same bits on two threads.
#[test]
fn a_network_is_followed_to_a_point_without_slope() {
    for k in 0..2 {
        let run = |threads| {
            let (mut tape, _, f) = network();
            // A penalty, since samples that a network tells apart have their least loss at infinity.
            let penalised = |tape: &mut Tape| {
                let loss = f(tape);
                let squares: Vec<Var> =
                    tape.params().filter(|p| tape.is_trained(*p)).map(|p| p.var()).collect();
                squares.into_iter().fold(loss, |total, p| {
                    let square = tape.square(p);
                    let sum = tape.sum(square);
                    let part = tape.scale(sum, 1e-3);
                    tape.add(total, part)
                })
            };
            let method = &mut methods()[k];
            let found =
                with_threads(threads, || minimize(&mut tape, penalised, &mut **method, &options(1e-9)));
            (found.unwrap(), tape.param_values().to_vec())
        };
        let (found, at) = run(1);
        assert!(found.ended == Ended::Converged && found.value < 0.3, "{found:?}");
        assert!((found, at) == run(2));
    }
}

/// x⁴ − x² near 0 bends down: the way to ±1/√2 begins along a direction of negative curvature.
#[test]
fn negative_curvature() {
    for method in &mut methods::<f64>() {
        let mut tape = Tape::new();
        let x = tape.param_slice(1, 1, &[0.1]);
        let f = |tape: &mut Tape| {
            let (fourth, square) = (tape.powi(x, 4), tape.square(x));
            tape.sub(fourth, square)
        };
        let found = minimize(&mut tape, f, &mut **method, &options(1e-10)).unwrap();
        assert!((found.value + 0.25).abs() < 1e-15 && found.ended == Ended::Converged, "{found:?}");
        assert!((tape.item(x) - 0.5f64.sqrt()).abs() < 1e-9);
    }
}

/// In f32 rounding ends what no tolerance does, and the point is as near as it can be told.
#[test]
fn single_precision_goes_as_far_as_its_rounding() {
    for method in &mut methods::<f32>() {
        let (mut tape, f) = rosenbrock::<f32>(3);
        let found = minimize(&mut tape, f, &mut **method, &options(0.0)).unwrap();
        assert!(found.value < 1e-9 && found.iterations < 200, "{} {found:?}", method.name());
        assert!(tape.param_values().iter().all(|x| (x - 1.0).abs() < 1e-3));
    }
    // Squares of such gradients are beyond f32, or below it.
    for scale in [1e25, 1e-25] {
        let mut tape = Tape::<f32>::default();
        let x = tape.param_slice(1, 2, &[3.0, -4.0]);
        let f = move |tape: &mut Tape<f32>| {
            let square = tape.square(x);
            let sum = tape.sum(square);
            tape.scale(sum, scale as f32)
        };
        for method in &mut methods::<f32>() {
            tape.param_values_mut().copy_from_slice(&[3.0, -4.0]);
            let found = minimize(&mut tape, f, &mut **method, &options(scale * 1e-4)).unwrap();
            assert!(found.ended == Ended::Converged, "{} {scale:e} {found:?}", method.name());
        }
    }
}

#[test]
fn it_ends_as_it_is_told() {
    let (mut tape, f) = rosenbrock::<f64>(1);
    let mut seen: Vec<Minimum> = Vec::new();
    let observe = |tape: &Tape, now: &Minimum| {
        assert_eq!(tape.param_values().len(), 2);
        seen.push(*now);
        if now.iterations == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let found = minimize_observed(&mut tape, &f, &mut Lbfgs::default(), &MinimizeOptions::default(), observe)
        .unwrap();
    assert_eq!((found.ended, found.iterations, seen.len()), (Ended::Observer, 3, 4));
    assert!(
        seen.windows(2).all(|two| two[1].value < two[0].value && two[1].evaluations > two[0].evaluations)
    );
    let few = MinimizeOptions { iterations: 2, gradient_tolerance: 0.0 };
    assert_eq!(minimize(&mut tape, &f, &mut Lbfgs::default(), &few).unwrap().ended, Ended::Iterations);
    let none = MinimizeOptions { iterations: 0, gradient_tolerance: 0.0 };
    let found = minimize(&mut tape, &f, &mut NewtonCg::default(), &none).unwrap();
    assert_eq!((found.iterations, found.evaluations, found.products), (0, 1, 0));
}

/// On both sides of its kink the function is steep: no point nearby has a small slope.
#[test]
fn a_kink_stalls() {
    for method in &mut methods::<f64>() {
        let mut tape = Tape::new();
        let x = tape.param_slice(1, 2, &[0.7, 3.0]);
        // max(3u, −2u) of u = x − 0.25, which is 0 at the kink, for both numbers.
        let f = |tape: &mut Tape| {
            let u = tape.shift(x, -0.25);
            let (left, right) = (tape.scale(u, -2.0), tape.scale(u, 3.0));
            let larger = tape.maximum(left, right);
            tape.sum(larger)
        };
        let found = minimize(&mut tape, f, &mut **method, &options(1e-8)).unwrap();
        assert!(found.ended == Ended::Stalled && found.value < 1e-3, "{} {found:?}", method.name());
        let at = tape.param_values().to_vec();
        let again = f(&mut tape);
        assert_eq!(tape.item(again), found.value);
        assert_eq!(tape.param_values(), at);
    }
}

/// A method whose directions are of no use, until it has none.
struct Useless(f64, usize);

impl Minimizer<f64> for Useless {
    fn name(&self) -> &'static str {
        "useless"
    }

    fn direction(&mut self, _: &mut Point<'_, f64>, direction: &mut [f64]) -> Result<()> {
        if self.1 == 0 {
            return Err(Error::Data("no direction is left".into()));
        }
        self.1 -= 1;
        direction.fill(self.0);
        Ok(())
    }
}

/// Where a direction rises, is 0 or no number, the way down is that of the gradient; and an error leaves the last point.
#[test]
fn directions_of_no_use() {
    for direction in [1.0, 0.0, f64::NAN, f64::INFINITY] {
        let mut tape = Tape::new();
        let x = tape.param_slice(1, 2, &[3.0, 4.0]);
        let f = |tape: &mut Tape| {
            let square = tape.square(x);
            tape.sum(square)
        };
        let found = minimize(&mut tape, f, &mut Useless(direction, 1000), &options(1e-9)).unwrap();
        assert!(found.ended == Ended::Converged && found.value < 1e-17, "{direction}: {found:?}");
        tape.param_values_mut().copy_from_slice(&[3.0, 4.0]);
        let error = minimize(&mut tape, f, &mut Useless(direction, 1), &options(1e-12)).unwrap_err();
        assert_eq!(error.to_string(), "no direction is left");
        let length = tape.param_values().iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!(length < 5.0 && length > 0.0 && tape.len() == 1, "{length}");
    }
}

/// A parameter without numbers, and one method for problems of two sizes.
#[test]
fn one_method_for_several_problems() {
    for method in &mut methods::<f64>() {
        for n in [3, 1, 5] {
            let mut tape = Tape::new();
            let (none, x) = (tape.param_with(0, 4, |_| ()), tape.param_with(1, n, |x| x.fill(2.0)));
            let f = |tape: &mut Tape| {
                let (empty, fourth) = (tape.sum(none), tape.powi(x, 4));
                let (sum, square) = (tape.sum(fourth), tape.square(x));
                let (squares, total) = (tape.sum(square), tape.add(sum, empty));
                tape.add(total, squares)
            };
            let found = minimize(&mut tape, f, &mut **method, &options(1e-10)).unwrap();
            assert!(found.ended == Ended::Converged && found.value < 1e-19, "{} {found:?}", method.name());
        }
    }
}

/// A gradient whose square is beyond f64, and one below it.
#[test]
fn gradients_of_any_size() {
    for scale in [1e200, 1e-200] {
        for method in &mut methods::<f64>() {
            let mut tape = Tape::new();
            let x = tape.param_slice(1, 2, &[3.0, -4.0]);
            let f = |tape: &mut Tape| {
                let square = tape.square(x);
                let sum = tape.sum(square);
                tape.scale(sum, scale)
            };
            let found = minimize(&mut tape, f, &mut **method, &options(scale * 1e-9)).unwrap();
            assert!(found.ended == Ended::Converged, "{} {scale:e} {found:?}", method.name());
        }
    }
}

/// Without a minimum there is none to find, and nothing becomes infinite.
#[test]
fn without_a_minimum() {
    for method in &mut methods::<f64>() {
        let mut tape = Tape::new();
        let x = tape.param_slice(1, 1, &[0.0]);
        let found = minimize(&mut tape, |tape| tape.scale(x, -2.0), &mut **method, &options(1e-8)).unwrap();
        assert!(
            found.ended != Ended::Converged && found.value.is_finite() && found.value < -1e20,
            "{found:?}"
        );
    }
}

#[test]
fn settings_and_numbers_that_do_not_serve() {
    assert!(Lbfgs::<f64>::new(0).is_err() && NewtonCg::new(0).is_err());
    let (mut tape, f) = rosenbrock::<f64>(1);
    for tolerance in [-1.0, f64::NAN, f64::INFINITY] {
        let error = minimize(&mut tape, &f, &mut Lbfgs::default(), &options(tolerance)).unwrap_err();
        assert!(error.to_string().contains("gradient_tolerance"), "{error}");
    }
    tape.param_values_mut()[0] = f64::INFINITY;
    let error = minimize(&mut tape, &f, &mut NewtonCg::default(), &options(0.0)).unwrap_err();
    assert!(matches!(&error, Error::NonFinite(why) if why.contains("newton-cg")), "{error}");
}

#[test]
#[should_panic(expected = "lbfgs: the tape has no parameter that is trained")]
fn no_parameter() {
    let mut tape = Tape::new();
    let x = tape.scalar(1.0);
    let _ = minimize(&mut tape, |tape| tape.square(x), &mut Lbfgs::default(), &options(0.0));
}

#[test]
#[should_panic(expected = "hessian_times: v has 2 numbers, the product 40, and the parameters have 40")]
fn a_vector_of_another_length() {
    struct Short;
    impl Minimizer<f64> for Short {
        fn name(&self) -> &'static str {
            "short"
        }
        fn direction(&mut self, at: &mut Point<'_, f64>, direction: &mut [f64]) -> Result<()> {
            at.hessian_times(&[1.0, 2.0], direction);
            Ok(())
        }
    }
    let (mut tape, _, f) = network();
    let _ = minimize(&mut tape, f, &mut Short, &options(0.0));
}
