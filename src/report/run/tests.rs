//! What stands in the page of a run.

use super::{RunReport, Scored, Told};
use crate::data::Dataset;
use crate::metrics::SeenClasses;
use crate::train::{ActivationFlow, Audit, Epoch, Trace, Value};

fn page(scores: &[f64]) -> String {
    page_of(&Trace::default(), scores)
}

fn page_of(trace: &Trace, scores: &[f64]) -> String {
    let labels = [0, 1, 2, 2];
    let test = Dataset::new(vec![0.0; 8], 2).unwrap().with_labels(&labels, 3).unwrap();
    let predicted = SeenClasses::all(3).decide(scores);
    let told = Told::Samples(Scored { test: &test, scores, predicted: &predicted, unit: "score" });
    RunReport { trace, told, data: "", command: "" }.page().html()
}

/// Counts stand in the row of their true class: another class mistaken, another page.
#[test]
fn mistakes_change_the_page_and_hits_do_not() {
    let right = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
    let mut wrong = right;
    wrong[..3].copy_from_slice(&[0.0, 0.0, 1.0]); // a 0 taken for a 2
    let mut mirrored = right;
    mirrored[6..9].copy_from_slice(&[1.0, 0.0, 0.0]); // a 2 taken for a 0
    let pages = [page(&right), page(&wrong), page(&mirrored)];
    assert_ne!(pages[0], pages[1]);
    assert_ne!(pages[1], pages[2]);
    assert!(pages.iter().all(|page| page.contains("Confusion matrix") && page.contains(">1</text>")));
}

/// An undecided sample is neither right nor taken for another class.
#[test]
fn undecided_samples_have_a_column() {
    let mut scores = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
    assert!(!page(&scores).contains("undecided"));
    scores[2] = 1.0;
    let page = page(&scores);
    assert!(page.contains(">undecided</th>"), "{page}");
}

/// Paths, names of parameters and classes come from files and from the command line.
#[test]
fn texts_are_shown_as_they_are() {
    const EVIL: &str = "</td></svg><script>alert(1)</script>\"'&";
    let test = Dataset::new(vec![0.0; 4], 2).unwrap().with_labels(&[0, 1], 2).unwrap();
    let test = test.with_class_names([EVIL, "b"]).unwrap();
    let evil = |name: &str| (name.to_string(), Value::Text(EVIL.to_string()));
    let trace = Trace {
        settings: vec![evil("model"), evil("data"), evil(EVIL)],
        results: vec![(EVIL.to_string(), 1.0)],
        ..Trace::default()
    };
    let scored = Scored { test: &test, scores: &[0.0; 4], unit: EVIL, predicted: &[Some(0); 2] };
    let html =
        RunReport { trace: &trace, told: Told::Samples(scored), data: EVIL, command: EVIL }.page().html();
    assert_eq!(html.matches("<script").count(), 1, "the page has a script of its own");
    assert!(!html.contains("<script>alert") && html.matches("&lt;script&gt;").count() >= 6, "{html}");
}

#[test]
#[should_panic(expected = "run report: 3 scores for 4 samples of 3 classes")]
fn scores_that_do_not_pair() {
    page(&[0.0; 3]);
}

/// The figures of an audit in which one activation of two is missing.
#[test]
fn an_activation_may_be_missing_in_a_later_epoch() {
    let dead = |name: &str| ActivationFlow { name: name.into(), dead: Some(0.5), saturated: None };
    let epoch = |number: usize, names: &[&str]| {
        let mut audit = Audit::default();
        audit.activations = names.iter().copied().map(dead).collect();
        Epoch {
            epoch: number,
            steps: 1,
            lr: 0.1,
            train_loss: 1.0,
            train_accuracy: None,
            gradient_norm: 1.0,
            validation_loss: None,
            validation_accuracy: None,
            audit: Some(audit),
            seconds: 1.0,
            samples_per_second: 1.0,
        }
    };
    let epochs = vec![epoch(1, &["relu1", "relu2"]), epoch(2, &["relu2"])];
    let trace = Trace { epochs, ..Trace::default() };
    let html = page_of(&trace, &[0.0; 12]);
    assert!(html.contains("Dead or saturated units") && html.contains("relu2"), "{html}");
}
