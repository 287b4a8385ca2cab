//! The page of the results in a folder.

use super::{Finished, Settings};
use crate::experiments::findings::Found;
use crate::experiments::sentences::SENTENCES;
use crate::experiments::{EXPERIMENTS, Experiment, find};
use crate::report::{Page, Section, fixed};

/// Experiments whose pictures open the page, and which panel of the headline figure each picture is.
const PICTURES: [(&str, usize); 6] = [
    ("rosenbrock", 0),
    ("spiral", 2),
    ("kernel-ridge-sine", 1),
    ("gradient-flow", 2),
    ("double-descent", 0),
    ("logistic", 0),
];

/// The page of these results.
pub(super) fn of(finished: &[Finished]) -> Page {
    let sections = finished.iter().filter_map(|finished| {
        let experiment = find(&finished.settings.experiment).ok()?;
        Some(section(experiment, finished))
    });
    let whole = finished.len() == EXPERIMENTS.len();
    // On the page of a few experiments the sentences of all others would be in the way.
    let answers = SENTENCES.iter().map(|sentence| sentence.answer(finished));
    let answers = answers.filter(|answer| whole || !answer.measured.is_empty());
    let answers: Vec<_> = answers.collect();
    let document = match (whole, answers.is_empty()) {
        (true, _) => {
            " The source document is the text that tapegrad was built from; § marks its sections. Each of \
             its testable sentences is answered here."
        }
        (false, false) => {
            " The source document is the text that tapegrad was built from; § marks its sections. Those of \
             its sentences that these experiments answer are listed here."
        }
        (false, true) => "",
    };
    Page {
        title: "What the theory claims, and what comes out".into(),
        intro: [
            "Questions of machine learning, each tested with tapegrad, a framework that runs on the CPU. \
             What the theory claims stands next to the measured figure. A claim that does not hold is shown \
             as such. Where a figure was measured several times, its 95 % interval decides. If the interval \
             crosses the bound, the claim is left open."
                .into(),
            made_by(finished) + document,
        ]
        .into_iter()
        .filter(|paragraph| !paragraph.is_empty())
        .collect(),
        pictures: PICTURES.to_vec(),
        answers,
        sections: sections.collect(),
    }
}

/// Which runs these are: of which version, quick or not, from which seeds, on which images.
fn made_by(finished: &[Finished]) -> String {
    if finished.is_empty() {
        return String::new();
    }
    let all = |say: &dyn Fn(&Settings) -> String| {
        let mut different: Vec<String> = Vec::new();
        for Finished { settings, .. } in finished {
            let said = say(settings);
            if !different.contains(&said) {
                different.push(said);
            }
        }
        different.join(" and ")
    };
    format!(
        "This is the report of tapegrad experiments, version {}: {}, seed {}; images are from: {}.",
        all(&|settings| settings.version.clone()),
        all(&|settings| if settings.quick { "the quick run" } else { "the full run" }.into()),
        all(&|settings| settings.seed.to_string()),
        // A dollar would begin a formula.
        all(&|settings| settings.data.replace('$', " "))
    )
}

/// The part of the page on one experiment.
fn section(experiment: &Experiment, finished: &Finished) -> Section {
    let Settings { version, data, .. } = &finished.settings;
    let mut section = finished.outcome.section.clone();
    section.name = experiment.name.into();
    section.short = experiment.title.into();
    section.question = experiment.question.into();
    section.theory = experiment.theory.iter().map(|text| text.to_string()).collect();
    if let Some((headline, title, summary)) = (experiment.finding)(&Found(&finished.outcome)) {
        (section.title, section.summary) = (title, summary);
        if section.has_figure(headline) {
            section.headline(headline);
        }
    }
    let (command, seconds) = (&finished.command, fixed(finished.seconds, 1));
    section.settings = format!("{command} · version {version} · data: {data} · {seconds}\u{a0}s");
    section
}
