//! Early stopping: Prechelt's criteria on curves worked out by hand, and the best parameters.

use serde::Deserialize;
use tapegrad::train::{Criterion, EarlyStopping};
use tapegrad::{Error, Tape};

#[derive(Deserialize)]
struct Reference {
    validation_loss: Vec<f64>,
    generalization_loss: Vec<f64>,
}

/// A tape whose parameters are the number of the epoch.
fn tape(epoch: usize) -> Tape {
    let mut tape = Tape::new();
    tape.param_slice(2, 1, &[epoch as f64, -(epoch as f64)]);
    tape
}

/// Runs the whole curve: the epochs that meet the criterion, and the best one, which must come back.
#[track_caller]
fn check(criterion: Criterion, train: &[f64], validation: &[f64], stops: &[usize], best: usize) {
    let mut stopping = EarlyStopping::new(criterion).unwrap();
    let mut found = Vec::new();
    for (i, validation) in validation.iter().enumerate() {
        let train = train[i % train.len()];
        if stopping.observe(&tape(i + 1), train, *validation).unwrap().stop {
            found.push(i + 1);
        }
    }
    assert_eq!(found, stops, "{criterion}");
    let mut last = tape(99);
    assert_eq!(stopping.restore(&mut last), Some(best), "{criterion}");
    assert_eq!(last.param_values(), tape(best).param_values());
    assert_eq!((stopping.best(), stopping.best_epoch()), (validation[best - 1], Some(best)));
    assert_eq!(stopping.parameters(), tape(best).param_values());
}

#[test]
fn generalization_loss_of_the_reference() {
    let reference: Reference = serde_json::from_str(include_str!("reference/schedules.json")).unwrap();
    let Reference { validation_loss, generalization_loss } = reference;
    assert_eq!((validation_loss.len(), generalization_loss.len()), (10, 10));
    let mut stopping = EarlyStopping::new(Criterion::GeneralizationLoss { alpha: 5.0 }).unwrap();
    let mut least = f64::INFINITY;
    for (loss, expected) in validation_loss.iter().zip(&generalization_loss) {
        let verdict = stopping.observe(&tape(1), 1.0, *loss).unwrap();
        assert!((verdict.generalization_loss - expected).abs() < 1e-12, "{verdict:?}, not {expected}");
        assert_eq!(verdict.stop, *expected > 5.0);
        assert_eq!(verdict.improved, *loss < least);
        least = least.min(*loss);
    }
    for (alpha, stops) in
        [(0.0, vec![5, 7, 8, 9, 10]), (5.0, vec![8, 9, 10]), (25.0, vec![]), (24.9, vec![10])]
    {
        check(Criterion::GeneralizationLoss { alpha }, &[1.0], &validation_loss, &stops, 6);
    }
}

#[test]
fn progress_quotient() {
    let pq = |alpha, strip| Criterion::ProgressQuotient { alpha, strip };
    // GL at the ends of the strips: 0, 10, 20. Progress: 1000·(1.1/1 − 1) = 100, then 1000·(0.51/0.5 − 1)
    // = 20, then none.
    let train = [1.2, 1.0, 0.52, 0.5, 0.4, 0.4];
    let validation = [2.0, 1.0, 0.9, 1.1 * 0.9, 0.95, 1.2 * 0.9];
    check(pq(0.49, 2), &train, &validation, &[4, 6], 3);
    check(pq(0.51, 2), &train, &validation, &[6], 3);
    // A strip of one epoch has no progress: any loss ends it.
    check(pq(3.0, 1), &train, &validation, &[4, 5, 6], 3);
    // In the middle of a strip nothing is judged, and the best validation error has no loss.
    check(pq(0.0, 7), &train, &validation, &[], 3);
    check(pq(0.0, 1), &[1.0], &[3.0, 2.0, 1.0, 0.0, 0.0, 0.1], &[6], 4);
    // Training errors of zero: progress without end while they fall to it, none after.
    check(pq(1.0, 2), &[1.0, 0.0, 0.0, 0.0], &[1.0, 1.0, 1.5, 1.5], &[4], 1);
}

#[test]
fn validation_error_going_up() {
    let up = |times, strip| Criterion::Up { times, strip };
    let validation = [5.0, 4.0, 3.0, 3.5, 3.6, 3.4, 3.5, 3.6, 3.7];
    check(up(1, 1), &[1.0], &validation, &[4, 5, 7, 8, 9], 3);
    check(up(2, 1), &[1.0], &validation, &[5, 8, 9], 3);
    check(up(3, 1), &[1.0], &validation, &[9], 3);
    // At the ends of strips of two: 4.0, 3.5, 3.4, 3.6; of three: 3.0, 3.4, 3.7.
    check(up(1, 2), &[1.0], &validation, &[8], 3);
    check(up(2, 3), &[1.0], &validation, &[9], 3);
    // Equal is not up.
    check(up(1, 1), &[1.0], &[1.0, 1.0, 1.0], &[], 1);
}

#[test]
fn patience() {
    let patience = |epochs, min_delta| Criterion::Patience { epochs, min_delta };
    let validation = [1.0, 0.9, 0.95, 0.89, 0.9, 0.89, 0.88, 0.95];
    check(patience(1, 0.0), &[1.0], &validation, &[3, 5, 6, 8], 7);
    check(patience(2, 0.0), &[1.0], &validation, &[6], 7);
    check(patience(3, 0.0), &[1.0], &validation, &[], 7);
    // Small gains do not count, yet the best parameters are kept.
    check(patience(5, 0.05), &[1.0], &validation, &[7, 8], 7);
    check(patience(1, 0.0), &[-1.0], &[-1.0, -2.0, -1.5], &[3], 2);
}

#[test]
fn errors_that_are_no_numbers() {
    for criterion in
        [Criterion::GeneralizationLoss { alpha: 5.0 }, Criterion::Patience { epochs: 1, min_delta: 0.0 }]
    {
        let mut stopping = EarlyStopping::new(criterion).unwrap();
        assert_eq!(stopping.restore(&mut tape(7)), None);
        stopping.observe(&tape(1), 1.0, 1.0).unwrap();
        for (train, validation, name) in [(f64::NAN, 0.5, "training"), (0.5, f64::INFINITY, "validation")] {
            let error = stopping.observe(&tape(2), train, validation).unwrap_err();
            assert!(matches!(error, Error::NonFinite(_)));
            assert!(error.to_string().starts_with(&format!("epoch 2: the {name} error is ")), "{error}");
        }
        assert_eq!(stopping.best_epoch(), Some(1));
    }
    let mut stopping = EarlyStopping::new(Criterion::Up { times: 1, strip: 1 }).unwrap();
    let error = stopping.observe(&tape(1), 1.0, -0.5).unwrap_err();
    assert!(matches!(error, Error::Data(_)) && error.to_string().contains("stop by patience"), "{error}");
}

#[test]
fn settings_out_of_range() {
    for (criterion, expected) in [
        (Criterion::GeneralizationLoss { alpha: -1.0 }, "alpha"),
        (Criterion::GeneralizationLoss { alpha: f64::NAN }, "alpha"),
        (Criterion::ProgressQuotient { alpha: f64::INFINITY, strip: 5 }, "alpha"),
        (Criterion::ProgressQuotient { alpha: 1.0, strip: 0 }, "strip"),
        (Criterion::Up { times: 0, strip: 5 }, "times"),
        (Criterion::Up { times: 1, strip: 0 }, "strip"),
        (Criterion::Patience { epochs: 0, min_delta: 0.0 }, "patience"),
        (Criterion::Patience { epochs: 1, min_delta: -0.1 }, "min_delta"),
    ] {
        match EarlyStopping::<f64>::new(criterion) {
            Err(Error::Setting { name, .. }) => assert_eq!(name, expected),
            _ => panic!("{criterion}"),
        }
    }
}

#[test]
#[should_panic(expected = "EarlyStopping::restore: it kept 2 numbers, but the parameters hold 0")]
fn another_tape() {
    let mut stopping = EarlyStopping::new(Criterion::Up { times: 1, strip: 1 }).unwrap();
    stopping.observe(&tape(1), 1.0, 1.0).unwrap();
    stopping.restore(&mut Tape::new());
}

/// As many numbers, in other shapes.
#[test]
#[should_panic(expected = "EarlyStopping::restore: p0 is 1×2, but was 2×1 when it was kept")]
fn a_tape_of_other_shapes() {
    let mut stopping = EarlyStopping::new(Criterion::Up { times: 1, strip: 1 }).unwrap();
    stopping.observe(&tape(1), 1.0, 1.0).unwrap();
    let mut other = Tape::new();
    other.param_slice(1, 2, &[0.0; 2]);
    stopping.restore(&mut other);
}
