//! The numbers of every quick experiment, as snapshots; and that two runs share them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use tapegrad::experiments::sentences::SENTENCES;
use tapegrad::experiments::{Context, EXPERIMENTS, Experiment, ExperimentData, Outcome, ReportFolder, find};
use tapegrad::{Error, linalg};

fn run(experiment: &Experiment, threads: usize, seed: u64) -> Outcome {
    let (training, test) = ExperimentData::QUICK;
    linalg::with_threads(threads, || {
        let data = ExperimentData::synthetic(training, test).unwrap();
        let never = AtomicBool::new(false);
        experiment.run(&Context::new(true, seed, &data, &|_, _| (), &never)).unwrap().outcome
    })
}

/// The folder of `experiments --all --quick`, made once for all tests: it takes minutes.
pub fn quick_report() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("quick-report");
        let _ = std::fs::remove_dir_all(&folder);
        let made = Command::new(env!("CARGO_BIN_EXE_tapegrad"))
            .args(["experiments", "--all", "--quick", "--out"])
            .arg(&folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        folder
    })
}

/// What an experiment found: in the report of all of them, or `alone`.
fn outcome(experiment: &Experiment, alone: bool) -> Outcome {
    if alone {
        return run(experiment, linalg::available_threads(), 0);
    }
    let report = ReportFolder::open(quick_report()).unwrap();
    report.finished(experiment.name).unwrap().unwrap().outcome().clone()
}

/// Times, and slopes of times, are in no record. `TAPEGRAD_EXPERIMENT=name` runs a single one.
#[test]
fn numbers_of_the_quick_experiments() {
    let only = std::env::var("TAPEGRAD_EXPERIMENT").ok();
    let chosen = EXPERIMENTS.iter().filter(|e| only.as_ref().is_none_or(|name| name == e.name));
    let mut wrong = Vec::new();
    for experiment in chosen {
        // Six digits: other CPUs may round the last ones of an eigenvalue differently.
        let record = outcome(experiment, only.is_some()).record(6);
        assert!(!record.is_empty(), "{} has no numbers", experiment.name);
        // Numbers that change under the same edition are seen when the change is read: kept rows would still be used.
        let record = format!("edition {}\n{record}", experiment.edition());
        let snapshot = || {
            insta::with_settings!({snapshot_path => "../../snapshots", prepend_module_to_snapshot => false}, {
                insta::assert_snapshot!(format!("experiment_{}", experiment.name), record);
            });
        };
        // All of them are compared before the test fails.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(snapshot)).is_err() {
            wrong.push(experiment.name);
        }
    }
    assert!(wrong.is_empty(), "other numbers than in the snapshots: {}", wrong.join(", "));
}

#[test]
fn every_bit_is_the_same_at_any_number_of_threads() {
    for name in ["spiral", "kernel-ridge-sine", "samples"] {
        let experiment = find(name).unwrap();
        let (one, two) = (run(experiment, 1, 3), run(experiment, 2, 3));
        // Figures and tables included; seventeen digits tell any two numbers apart.
        assert_eq!(one.record(17), two.record(17));
        assert!(one == two, "{name}: the figures or tables differ");
        assert_ne!(one.record(6), run(experiment, 2, 4).record(6), "{name}: the seed does nothing");
    }
}

/// Those that take at most a second or two in a quick run.
const CHEAP: [&str; 10] = [
    "rosenbrock",
    "convergence-rates",
    "samples",
    "convex-bounds",
    "representer",
    "logistic",
    "spiral",
    "regularisation",
    "label-noise",
    "double-descent",
];

/// A verdict that another seed turns is no verdict. `TAPEGRAD_EXPERIMENT=name` tries that one, or `all`.
#[test]
fn no_verdict_turns_between_ten_seeds() {
    let only = std::env::var("TAPEGRAD_EXPERIMENT").ok();
    let chosen = EXPERIMENTS.iter().filter(|e| match only.as_deref() {
        Some(name) => name == "all" || name == e.name,
        None => CHEAP.contains(&e.name),
    });
    let mut turned = Vec::new();
    for experiment in chosen {
        let of = |seed| run(experiment, linalg::available_threads(), seed).section.claims;
        let claims: Vec<_> = (0..10).map(of).collect();
        for (k, first) in claims[0].iter().enumerate() {
            let verdicts: Vec<_> = claims.iter().map(|claims| claims[k].verdict).collect();
            assert!(
                claims.iter().all(|claims| claims[k].criterion == first.criterion),
                "{}",
                first.statement
            );
            if verdicts.iter().any(|verdict| *verdict != first.verdict) {
                let of_seed = |(claims, verdict): (&Vec<tapegrad::report::Claim>, &_)| {
                    format!("\n    {verdict:?}: {}", claims[k].measured)
                };
                let all: String = claims.iter().zip(&verdicts).map(of_seed).collect();
                turned
                    .push(format!("{}: {}\n  [{}]{all}", experiment.name, first.statement, first.criterion));
            }
        }
    }
    assert!(turned.is_empty(), "the seed decides:\n{}", turned.join("\n"));
}

/// What is kept says the same as what was measured.
#[test]
fn rows_that_were_kept_make_the_same_report() {
    let report = ReportFolder::open(quick_report()).unwrap();
    for name in ["rosenbrock", "spiral", "samples", "label-noise", "representer"] {
        let experiment = find(name).unwrap();
        let made = run(experiment, linalg::available_threads(), 0);
        let kept = report.finished(name).unwrap().unwrap();
        assert!(*kept.outcome() == made, "{name}");
    }
}

/// The table of the source's sentences links to claims by names; a claim that is gone would be silence.
#[test]
fn every_sentence_is_answered_by_claims_that_exist() {
    for sentence in SENTENCES {
        for (experiment, id, _) in sentence.claims {
            let outcome = outcome(find(experiment).unwrap(), false);
            let there = outcome.section.claims.iter().filter(|claim| claim.id == *id).count();
            assert_eq!(there, 1, "{}, {}: claims `{id}` of {experiment}", sentence.place, sentence.text);
        }
    }
    let page = std::fs::read_to_string(quick_report().join("index.html")).unwrap();
    assert!(page.contains("id=\"document\""));
    for link in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(page.contains(&format!("id=\"{link}\"")), "{link} leads nowhere");
    }
}

/// Only a section with a finding has its question before what answers it.
#[test]
fn every_section_has_a_finding_for_its_title() {
    let page = std::fs::read_to_string(quick_report().join("index.html")).unwrap();
    for experiment in EXPERIMENTS {
        let section = page.split(&format!("<section id=\"{}\">", experiment.name)).nth(1).unwrap();
        let section = section.split("</section>").next().unwrap();
        assert!(section.contains("<p><span class=\"question\">"), "{} has no finding", experiment.name);
    }
}

/// Few images, or images of one class, are no mistake of the program: it says what it takes.
#[test]
fn too_little_data_is_an_error() {
    let never = AtomicBool::new(false);
    let says = |data: &ExperimentData, name: &str, what: &str| {
        let context = Context::new(true, 0, data, &|_, _| (), &never);
        let error = find(name).unwrap().run(&context).unwrap_err();
        assert!(matches!(&error, Error::Data(why) if why.contains(what)), "{name}: {error}");
    };
    let few = ExperimentData::synthetic(64, 9).unwrap();
    for name in ["kernel-approximations", "regularisation", "schedule-early-stopping"] {
        says(&few, name, "are too few");
    }
    let mut alike = few;
    alike.train = alike.train.with_labels(&[0; 64], 1).unwrap();
    says(&alike, "label-noise", "at least two classes");
}

#[test]
fn the_table_is_in_order() {
    for (i, experiment) in EXPERIMENTS.iter().enumerate() {
        let others = &EXPERIMENTS[i + 1..];
        assert!(others.iter().all(|other| other.name != experiment.name && other.title != experiment.title));
        // A link of more letters would take two lines in the table of sentences.
        assert!((4..=22).contains(&experiment.title.chars().count()), "{}", experiment.title);
        assert!(experiment.question.ends_with('?') && !experiment.question.contains('\n'));
        assert!(!experiment.theory.is_empty());
        assert_eq!(find(experiment.name).unwrap().question, experiment.question);
    }
    assert!(find("rosenbrok").unwrap_err().to_string().contains("rosenbrock"));
}

#[test]
fn an_experiment_ends_when_it_is_asked_to() {
    let data = ExperimentData::synthetic(50, 10).unwrap();
    let asked = AtomicBool::new(true);
    for experiment in EXPERIMENTS {
        let start = std::time::Instant::now();
        let context = Context::new(true, 0, &data, &|_, _| (), &asked);
        let result = linalg::with_threads(1, || experiment.run(&context));
        assert!(matches!(result, Err(Error::Interrupted)), "{}", experiment.name);
        assert!(start.elapsed().as_secs() < 5, "{} does work before it looks", experiment.name);
    }
}
