//! Bounded gradients, and averaged parameters.

use tapegrad::optim::{Average, Clip, Clipped, NonFinite};
use tapegrad::{Error, Float, Tape};

/// A tape with two parameters, 1×2 and 2×1, whose gradients are `grads`.
fn tape<T: Float>(grads: [f64; 4]) -> Tape<T> {
    let mut tape = Tape::<T>::default();
    let w = tape.param_slice(1, 2, &[T::ONE; 2]);
    tape.set_name(w, "w1");
    tape.param_slice(2, 1, &[T::ONE; 2]);
    tape.param_grads_mut().iter_mut().zip(grads).for_each(|(to, g)| *to = T::of(g));
    tape
}

/// The norm before, and the gradients after, to 10 units in the last place of the largest.
#[track_caller]
fn check<T: Float>(mut clip: Clip, grads: [f64; 4], norm: f64, expected: [f64; 4]) {
    let mut tape = tape::<T>(grads);
    let Clipped::Ready { norm: found } = clip.apply(&mut tape).unwrap() else { panic!("skipped") };
    let eps = 10.0 * T::EPSILON.to_f64();
    assert!((found - norm).abs() <= eps * norm, "norm {found:e}, not {norm:e}");
    let scale = expected.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    for (found, expected) in tape.param_grads().iter().zip(expected) {
        assert!((found.to_f64() - expected).abs() <= eps * scale, "{found:e}, not {expected:e}");
    }
}

fn bounds<T: Float>() {
    let (norm, value) = (Clip::none().with_norm(5.0).unwrap(), Clip::none().with_value(2.0).unwrap());
    let grads = [1.0, -5.0, 7.0, 5.0];
    check::<T>(Clip::none(), grads, 10.0, grads);
    // One norm over both parameters: the direction of the whole stays.
    check::<T>(norm, grads, 10.0, [0.5, -2.5, 3.5, 2.5]);
    check::<T>(value, grads, 10.0, [1.0, -2.0, 2.0, 2.0]);
    let both = value.with_norm(13f64.sqrt() / 2.0).unwrap();
    check::<T>(both, grads, 10.0, [0.5, -1.0, 1.0, 1.0]);
    // Within the bounds nothing changes, at the bound itself neither.
    check::<T>(norm, [1.0, -2.0, 2.0, 4.0], 5.0, [1.0, -2.0, 2.0, 4.0]);
    check::<T>(norm, [0.0; 4], 0.0, [0.0; 4]);
    // Squares that leave the range of the type.
    check::<T>(norm, [3e30, 0.0, -4e30, 0.0], 5e30, [3.0, 0.0, -4.0, 0.0]);
    check::<T>(norm, [3e-30, 0.0, -4e-30, 0.0], 5e-30, [3e-30, 0.0, -4e-30, 0.0]);
    let tiny = Clip::none().with_norm(1e-30).unwrap();
    check::<T>(tiny, [3e-25, 0.0, -4e-25, 0.0], 5e-25, [6e-31, 0.0, -8e-31, 0.0]);
    check::<T>(tiny, [3e30, 0.0, -4e30, 0.0], 5e30, [6e-31, 0.0, -8e-31, 0.0]);
}

#[test]
fn bounds_in_f64() {
    bounds::<f64>();
    let norm = Clip::none().with_norm(5.0).unwrap();
    check::<f64>(norm, [3e300, 0.0, -4e300, 0.0], 5e300, [3.0, 0.0, -4.0, 0.0]);
}

#[test]
fn bounds_in_f32() {
    bounds::<f32>();
}

#[test]
fn gradients_that_are_not_finite() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for (grads, name) in [
            ([1.0, bad, 1.0, 1.0], "w1 (p0), 1×2, is _ at (0, 1)"),
            ([9.0, 9.0, 9.0, bad], "p1, 2×1, is _ at (1, 0)"),
        ] {
            let bits = |tape: &Tape| tape.param_grads().iter().map(|g| g.to_bits()).collect::<Vec<_>>();
            let mut tape = tape::<f64>(grads);
            let before = bits(&tape);
            let mut clip = Clip::none().with_norm(1.0).unwrap().with_value(1.0).unwrap();
            let error = clip.apply(&mut tape).unwrap_err();
            assert!(matches!(error, Error::NonFinite(_)));
            let expected = format!("the gradient of {}", name.replace('_', &bad.to_string()));
            assert!(error.to_string().starts_with(&expected), "{error}");

            let mut clip = clip.with_non_finite(NonFinite::Skip);
            for count in 1..3 {
                assert_eq!(clip.apply(&mut tape).unwrap(), Clipped::Skip);
                assert_eq!(clip.skipped(), count);
            }
            assert_eq!(bits(&tape), before);
        }
    }
}

#[test]
fn settings_out_of_range() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(Clip::none().with_norm(bad), Err(Error::Setting { name: "clip_norm", .. })));
        assert!(matches!(Clip::none().with_value(bad), Err(Error::Setting { name: "clip_value", .. })));
    }
    for bad in [-0.1, 1.0, f64::NAN] {
        assert!(matches!(Average::<f64>::exponential(bad), Err(Error::Setting { name: "decay", .. })));
    }
}

#[test]
fn averages() {
    let run = |mut average: Average<f64>| {
        let mut tape = tape::<f64>([0.0; 4]);
        for k in 1..=4 {
            let x = f64::from(k * k);
            tape.param_values_mut().copy_from_slice(&[x, -x, 2.0 * x, 0.0]);
            average.update(&tape);
        }
        assert_eq!(average.updates(), 4);
        average.swap(&mut tape);
        assert_eq!(average.values(), [16.0, -16.0, 32.0, 0.0]);
        tape.param_values().to_vec()
    };
    // ((1·½ + 4·½)·½ + 9·½)·½ + 16·½.
    assert_eq!(run(Average::exponential(0.5).unwrap()), [10.875, -10.875, 21.75, 0.0]);
    assert_eq!(run(Average::exponential(0.0).unwrap()), [16.0, -16.0, 32.0, 0.0]);
    for (found, expected) in run(Average::uniform()).iter().zip([7.5, -7.5, 15.0, 0.0]) {
        assert!((found - expected).abs() < 1e-14, "{found}");
    }
}

#[test]
#[should_panic(expected = "Average::swap: there is no average before the first update")]
fn no_average_yet() {
    Average::uniform().swap(&mut tape::<f64>([0.0; 4]));
}

#[test]
#[should_panic(expected = "Average::update: the parameters hold 1 number, but held 4 at the first update")]
fn an_average_of_another_tape() {
    let mut average = Average::uniform();
    average.update(&tape::<f64>([0.0; 4]));
    let mut other = Tape::new();
    other.param_slice(1, 1, &[0.0]);
    average.update(&other);
}

#[test]
#[should_panic(expected = "Average::update: this tape is another than at the first update")]
fn an_average_of_another_tape_of_the_same_shapes() {
    let mut average = Average::uniform();
    average.update(&tape::<f64>([0.0; 4]));
    average.update(&tape::<f64>([0.0; 4]));
}

#[test]
#[should_panic(expected = "Average::swap: this tape is another than at the first update")]
fn an_average_for_another_tape() {
    let mut average = Average::uniform();
    average.update(&tape::<f64>([0.0; 4]));
    average.swap(&mut tape::<f64>([0.0; 4]));
}

/// Bounds that are 0 or infinite as an `f32`: an error, and the gradients as they were.
#[test]
fn bounds_in_the_type_of_the_tape() {
    let cases: [(Clip, &str); 4] = [
        (Clip::none().with_value(1e-50).unwrap(), "clip_value: 1e-50 is 0 as f32"),
        (Clip::none().with_norm(1e-50).unwrap(), "clip_norm: 1e-50 is 0 as f32"),
        (Clip::none().with_value(1e39).unwrap(), "clip_value: 1e39 is not positive and finite (as f32)"),
        (Clip::none().with_norm(1e300).unwrap(), "clip_norm: 1e300 is not positive and finite (as f32)"),
    ];
    for (mut clip, expected) in cases {
        let mut single = tape::<f32>([1.0, -2.0, 3.0, -4.0]);
        let message = clip.apply(&mut single).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
        assert_eq!(single.param_grads(), [1.0, -2.0, 3.0, -4.0]);
        clip.apply(&mut tape::<f64>([1.0, -2.0, 3.0, -4.0])).unwrap();
    }
    let message = Average::<f32>::exponential(0.99999999999).unwrap_err().to_string();
    assert!(message.starts_with("decay: 0.99999999999 is 1 as f32"), "{message}");
    Average::<f64>::exponential(0.99999999999).unwrap();
}

/// A norm beyond `f64` of entries that are not: 1.5·10³⁰⁸·2.
#[test]
fn a_norm_beyond_all_numbers() {
    let mut tape = tape::<f64>([1.5e308, -1.5e308, 1.5e308, 1.5e308]);
    let mut clip = Clip::none().with_norm(1.0).unwrap();
    assert_eq!(clip.apply(&mut tape).unwrap(), Clipped::Ready { norm: f64::INFINITY });
    for (found, expected) in tape.param_grads().iter().zip([0.5, -0.5, 0.5, 0.5]) {
        assert!((found - expected).abs() < 1e-15, "{found}");
    }
}
