//! Learning rates against figures computed elsewhere, and what bounds and averages a step.

use proptest::prelude::*;
use serde::Deserialize;
use tapegrad::optim::schedule::{
    Constant, Cosine, Exponential, Goal, InverseSqrt, Linear, ReduceOnPlateau, Schedule, Sequence, StepDecay,
    WarmRestarts, Warmup, find, schedules,
};
use tapegrad::{Error, Result};

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "cosine eta_max=0.1 eta_min=1e-3 T=50")]
    cosine: Vec<f64>,
    #[serde(rename = "warm restarts eta_max=0.1 eta_min=1e-3 T0=10 mult=2")]
    warm_restarts: Vec<f64>,
}

/// The rates of the first steps, to 10⁻¹⁵ of the largest.
#[track_caller]
fn check(schedule: impl Schedule, expected: &[f64]) {
    let scale = expected.iter().fold(0.0f64, |a, b| a.max(*b));
    for (step, expected) in expected.iter().enumerate() {
        let found = schedule.lr(step as u64);
        assert!(
            (found - expected).abs() <= 1e-15 * scale,
            "{schedule}: step {step}: {found}, not {expected}"
        );
    }
}

#[test]
fn the_reference() {
    let reference: Reference = serde_json::from_str(include_str!("reference/schedules.json")).unwrap();
    assert_eq!((reference.cosine.len(), reference.warm_restarts.len()), (51, 80));
    check(Cosine::new(0.1, 1e-3, 50).unwrap(), &reference.cosine);
    check(WarmRestarts::new(0.1, 1e-3, 10, 2).unwrap(), &reference.warm_restarts);
}

#[test]
fn rates_by_hand() {
    let root = |x: f64| x.sqrt();
    check(Constant::new(0.3).unwrap(), &[0.3; 4]);
    check(StepDecay::new(0.8, 0.5, 2).unwrap(), &[0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1]);
    check(Exponential::new(0.8, 0.5).unwrap(), &[0.8, 0.4, 0.2, 0.1]);
    check(Exponential::over(1.0, 0.0625, 2).unwrap(), &[1.0, 0.25, 0.0625]);
    check(Linear::new(0.1, 0.5, 4).unwrap(), &[0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5]);
    check(Linear::new(0.4, 0.0, 4).unwrap(), &[0.4, 0.3, 0.2, 0.1, 0.0, 0.0]);
    check(Cosine::new(0.4, 0.0, 2).unwrap(), &[0.4, 0.2, 0.0, 0.0, 0.0]);
    check(WarmRestarts::new(0.4, 0.0, 2, 1).unwrap(), &[0.4, 0.2, 0.4, 0.2, 0.4, 0.2]);
    check(WarmRestarts::new(0.4, 0.0, 1, 2).unwrap(), &[0.4, 0.4, 0.2, 0.4]);
    check(InverseSqrt::new(0.6, 1).unwrap(), &[0.6, 0.6 / root(2.0), 0.6 / root(3.0), 0.3]);
    check(InverseSqrt::new(0.6, 2).unwrap(), &[0.6, 0.6 * root(2.0 / 3.0), 0.6 * root(0.5)]);
    let warm = Warmup::new(3, Linear::new(0.4, 0.0, 2).unwrap());
    check(warm, &[0.1, 0.2, 0.3, 0.4, 0.2, 0.0, 0.0]);
    check(Warmup::new(0, Constant::new(0.3).unwrap()), &[0.3; 3]);
    let sequence = Sequence::new(Linear::new(0.1, 0.3, 2).unwrap())
        .then(3, Constant::new(0.7).unwrap())
        .unwrap()
        .then(1, Warmup::new(1, StepDecay::new(0.4, 0.5, 1).unwrap()))
        .unwrap();
    assert_eq!(
        sequence.to_string(),
        "linear lr=0.1 last=0.3 steps=2; from step 3: constant lr=0.7; from step 4: warmup steps=1, then \
         step lr=0.4 gamma=0.5 every=1"
    );
    check(sequence, &[0.1, 0.2, 0.3, 0.7, 0.2, 0.4, 0.2, 0.1]);
}

#[test]
fn every_schedule_of_the_table() {
    for entry in schedules() {
        for steps in [0, 1, 2, 100, u64::MAX] {
            let schedule = (entry.schedule)(0.1, steps).unwrap();
            assert!(schedule.to_string().starts_with(entry.name), "{schedule}");
            assert_eq!(schedule.lr(0), 0.1, "{schedule}");
            for step in [1, 2, 50, 99, 100, 101, 1 << 40, u64::MAX - 1, u64::MAX] {
                let lr = schedule.lr(step);
                assert!((0.0..=0.1).contains(&lr), "{schedule}: {lr} in step {step}");
                // Pure: what was asked before changes nothing.
                assert_eq!(lr.to_bits(), schedule.lr(step).to_bits(), "{schedule}");
            }
            assert!(Warmup::new(u64::MAX, schedule).lr(5) > 0.0);
        }
        assert!((entry.schedule)(f64::NAN, 10).is_err() && (entry.schedule)(-0.1, 10).is_err());
        (entry.schedule)(0.0, 10).unwrap();
    }
    for (name, lr) in [("step", 0.001), ("exponential", 0.001), ("linear", 0.0), ("cosine", 0.0)] {
        let found = (find(name).unwrap().schedule)(0.1, 300).unwrap().lr(300);
        let expected = if name == "step" { lr / 10.0 } else { lr };
        assert!((found - expected).abs() < 1e-15, "{name}: {found}");
    }
    let error = find("cosin").unwrap_err().to_string();
    assert!(error.contains("there is no `cosin`; there are constant, step, "), "{error}");
}

#[test]
fn settings_out_of_range() {
    fn name<S>(result: Result<S>) -> &'static str {
        match result {
            Err(Error::Setting { name, .. }) => name,
            _ => "none",
        }
    }
    let plateau = || ReduceOnPlateau::new(0.1, Goal::Small).unwrap();
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(name(Constant::new(bad)), "lr");
        assert_eq!(name(StepDecay::new(bad, 0.5, 1)), "lr");
        assert_eq!(name(Exponential::new(0.1, bad)), "gamma");
        assert_eq!(name(Exponential::over(0.1, bad, 1)), "last");
        assert_eq!(name(Linear::new(0.1, bad, 1)), "last");
        assert_eq!(name(Cosine::new(0.1, bad, 1)), "min");
        assert_eq!(name(WarmRestarts::new(0.1, bad, 1, 1)), "min");
        assert_eq!(name(InverseSqrt::new(bad, 1)), "lr");
        assert_eq!(name(ReduceOnPlateau::new(bad, Goal::Small)), "lr");
        assert_eq!(name(plateau().with_factor(bad)), "factor");
        assert_eq!(name(plateau().with_threshold(bad)), "threshold");
        assert_eq!(name(plateau().with_min(bad)), "min");
    }
    assert_eq!(name(StepDecay::new(0.1, 0.0, 1)), "gamma");
    assert_eq!(name(StepDecay::new(0.1, 0.5, 0)), "every");
    assert_eq!(name(Exponential::over(0.1, 0.0, 1)), "last");
    assert_eq!(name(Exponential::over(0.1, 0.1, 0)), "steps");
    assert_eq!(name(Linear::new(0.1, 0.0, 0)), "steps");
    assert_eq!(name(Cosine::new(0.1, 0.2, 5)), "min");
    assert_eq!(name(WarmRestarts::new(0.1, 0.0, 0, 1)), "first");
    assert_eq!(name(WarmRestarts::new(0.1, 0.0, 1, 0)), "multiplier");
    assert_eq!(name(InverseSqrt::new(0.1, 0)), "scale");
    assert_eq!(name(plateau().with_min(0.2)), "min");
    assert_eq!(name(plateau().with_factor(1.5)), "factor");
    let constant = || Constant::new(0.1).unwrap();
    assert_eq!(name(Sequence::new(constant()).then(0, constant())), "steps");
}

/// Figures of PyTorch's `ReduceLROnPlateau`.
#[test]
fn plateaus() {
    let metrics = [
        1.0, 0.8, 0.79, 0.81, 0.8, 0.82, 0.7999, 0.9, 0.6, 0.61, 0.62, 0.63, 0.64, 0.65, 0.66, 0.67, 0.5,
        0.51, 0.52, 0.53, 0.54,
    ];
    // How many times each rate comes up.
    let check = |mut schedule: ReduceOnPlateau, metric: fn(f64) -> f64, expected: &[(f64, usize)]| {
        let expected = expected.iter().flat_map(|(lr, times)| std::iter::repeat_n(*lr, *times));
        for (i, (m, expected)) in metrics.iter().zip(expected).enumerate() {
            let lr = schedule.observe(metric(*m));
            assert!((lr - expected).abs() < 1e-15 && lr == schedule.lr(), "{schedule} at {i}: {expected}");
        }
    };
    let small = || ReduceOnPlateau::new(0.5, Goal::Small).unwrap().with_factor(0.5).unwrap();
    let strict = small().with_patience(2).with_threshold(0.01).unwrap();
    check(strict, |m| m, &[(0.5, 5), (0.25, 6), (0.125, 3), (0.0625, 5), (0.03125, 2)]);
    let patient = small().with_patience(1).with_cooldown(2).with_min(0.1).unwrap();
    check(patient, |m| m, &[(0.5, 4), (0.25, 6), (0.125, 4), (0.1, 7)]);
    let large = ReduceOnPlateau::new(0.5, Goal::Large).unwrap().with_factor(0.3).unwrap().with_patience(2);
    let large = large.with_threshold(0.02).unwrap().with_cooldown(1);
    check(large, |m| 1.0 - m / 2.0, &[(0.5, 4), (0.15, 7), (0.045, 4), (0.0135, 4), (0.00405, 2)]);
}

#[test]
fn plateaus_of_odd_metrics() {
    let mut schedule = ReduceOnPlateau::new(1.0, Goal::Small).unwrap().with_patience(1);
    let mut rates = |metrics: &[f64]| metrics.iter().map(|m| schedule.observe(*m)).collect::<Vec<_>>();
    // Below zero a worse loss is worse, and NaN never better.
    assert_eq!(rates(&[f64::NAN, -1.0, -0.99995, f64::NAN]), [1.0, 1.0, 1.0, 0.1]);
    assert_eq!(rates(&[f64::INFINITY, -2.0, -2.0001]), [0.1; 3]);
    assert_eq!(schedule.best(), -2.0);
}

/// Rates of every size, among them those that people write.
fn rates() -> impl Strategy<Value = f64> {
    prop_oneof![
        1e-300..1e300f64,
        (1..1000u32, -12..3i32).prop_map(|(digits, power)| f64::from(digits) * 10f64.powi(power)),
        any::<u64>().prop_map(f64::from_bits).prop_filter("a rate", |x| *x >= 0.0 && x.is_finite()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// First and last rates to the bit, and none outside of the two.
    #[test]
    fn schedules_are_exact_at_their_ends(a in rates(), b in rates(), steps in 1..5000u64, at in 0..5000u64) {
        let (lr, min) = (a.max(b), a.min(b));
        let bits = |schedule: &dyn Schedule, step: u64| schedule.lr(step).to_bits();
        let ends = |schedule: &dyn Schedule, first: f64, last: f64| {
            prop_assert_eq!(bits(schedule, 0), first.to_bits(), "{}: {} first", schedule, schedule.lr(0));
            prop_assert_eq!(bits(schedule, steps), last.to_bits(), "{}: {} last", schedule, schedule.lr(steps));
            let (now, next) = (schedule.lr(at % steps), schedule.lr(at % steps + 1));
            let range = first.min(last)..=first.max(last);
            prop_assert!(range.contains(&now) && range.contains(&next), "{}: {} at {}", schedule, now, at);
            Ok(())
        };
        let cosine = Cosine::new(lr, min, steps).unwrap();
        ends(&cosine, lr, min)?;
        ends(&Linear::new(lr, min, steps).unwrap(), lr, min)?;
        ends(&Linear::new(min, lr, steps).unwrap(), min, lr)?;
        ends(&Linear::new(lr, lr, steps).unwrap(), lr, lr)?;
        ends(&Cosine::new(lr, lr, steps).unwrap(), lr, lr)?;
        if min > 0.0 && min / lr > 1e-300 {
            ends(&Exponential::over(lr, min, steps).unwrap(), lr, min)?;
            ends(&Exponential::over(lr, lr, steps).unwrap(), lr, lr)?;
        }
        prop_assert_eq!(bits(&Exponential::new(lr, 0.9).unwrap(), 0), lr.to_bits());
        prop_assert_eq!(bits(&StepDecay::new(lr, 0.9, steps).unwrap(), steps - 1), lr.to_bits());
        prop_assert_eq!(bits(&InverseSqrt::new(lr, steps).unwrap(), 0), lr.to_bits());
        // The rate behind a warmup, at each restart, and where another schedule follows.
        prop_assert_eq!(bits(&Warmup::new(at, cosine), at), lr.to_bits());
        prop_assert_eq!(bits(&Warmup::new(at, cosine), at + steps), min.to_bits());
        let restarts = WarmRestarts::new(lr, min, steps, 2).unwrap();
        for start in [0, steps, 3 * steps, 7 * steps] {
            prop_assert_eq!(bits(&restarts, start), lr.to_bits());
            prop_assert!((min..=lr).contains(&restarts.lr(start + at)));
        }
        let sequence = Sequence::new(cosine).then(steps, cosine).unwrap();
        prop_assert_eq!(bits(&sequence, steps), lr.to_bits());
        prop_assert_eq!(bits(&sequence, 2 * steps), min.to_bits());
    }
}

/// Pairs whose first rate came out a bit off.
#[test]
fn a_cosine_begins_at_its_rate() {
    for (lr, min) in [(0.02, 1e-4), (0.1, 1e-3), (0.3, 0.1), (1e-3, 1e-5), (0.7, 1e-6)] {
        assert_eq!(Cosine::new(lr, min, 7).unwrap().lr(0), lr);
        assert_eq!(Cosine::new(lr, min, 7).unwrap().lr(7), min);
        assert_eq!(WarmRestarts::new(lr, min, 7, 1).unwrap().lr(70), lr);
    }
}

#[test]
fn steps_beyond_all_counting() {
    let constant = || Constant::new(0.1).unwrap();
    let sequence = Sequence::new(constant()).then(u64::MAX, constant()).unwrap();
    let error = sequence.then(1, constant()).err().unwrap().to_string();
    assert_eq!(error, "steps: 1 after 18446744073709551615 are more than there are numbers for");
    let error = Exponential::over(1e300, 1e-300, 1).unwrap_err().to_string();
    assert_eq!(error, "last: 1e-300 is too small a part of 1e300 to be reached in 1 step");
}
