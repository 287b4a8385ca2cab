//! The sentences of the source document that can be tested, with the claims that answer them. The table of them is a
//! file of its own.

mod table;

pub use table::SENTENCES;

use super::{Finished, find};
use crate::report::{Answer, Figured, Right, Standing, Verdict};

/// How the verdict of the claims answers a sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answers {
    /// They say what the sentence says: if they hold, it is confirmed.
    AsItStands,
    /// They say the opposite: if they hold, it is contradicted.
    Against,
    /// They say what is right in its place.
    Instead(Right),
    /// No run measures it: the library's tests show it at each change, as the remark says.
    Tested,
}

/// A claim that answers a sentence: its experiment, its name there, and what its figure is, in short.
pub type Evidence = (&'static str, &'static str, &'static str);

/// A sentence of the document. Texts may hold formulas between two `$`.
#[derive(Clone, Copy, Debug)]
pub struct Sentence {
    /// Its section.
    pub place: &'static str,
    /// What it says, in short.
    pub text: &'static str,
    /// The claims that answer it; none where no experiment does.
    pub claims: &'static [Evidence],
    /// What these say of it.
    pub answers: Answers,
    /// What else is to be known; may be empty.
    pub remark: &'static str,
}

impl Sentence {
    const fn new(
        place: &'static str,
        text: &'static str,
        claims: &'static [Evidence],
        answers: Answers,
    ) -> Sentence {
        Sentence { place, text, claims, answers, remark: "" }
    }

    const fn remark(self, remark: &'static str) -> Sentence {
        Sentence { remark, ..self }
    }

    /// The answer that these results give.
    pub(super) fn answer(&self, finished: &[Finished]) -> Answer {
        let mut found: Vec<Figured> = self
            .claims
            .iter()
            .filter_map(|(experiment, id, name)| {
                let section = find(experiment).ok()?.title;
                let of = finished.iter().find(|finished| finished.settings.experiment == *experiment)?;
                let claim = of.outcome().section.claims.iter().find(|claim| claim.id == *id)?.clone();
                Some(Figured { link: format!("{experiment}.{id}"), section, name, claim })
            })
            .collect();
        let whole = !found.is_empty() && found.len() == self.claims.len();
        let verdict = Verdict::all(found.iter().map(|figure| figure.claim.verdict));
        // What decides stands first: it is what the folded line shows.
        found.sort_by_key(|figure| figure.claim.verdict != verdict);
        let standing = match (verdict, self.answers) {
            // Nothing to measure: the right statement is proven beside it.
            (_, Answers::Instead(_)) if self.claims.is_empty() => Standing::Corrected,
            (_, Answers::Tested) => Standing::Confirmed,
            _ if !whole => Standing::NotMeasured,
            (Verdict::NotDecided, _) => Standing::NotDecided,
            (Verdict::Holds, Answers::AsItStands) => Standing::Confirmed,
            (Verdict::Holds, Answers::Instead(_)) => Standing::Corrected,
            (Verdict::Holds, Answers::Against) | (Verdict::DoesNotHold, Answers::AsItStands) => {
                Standing::Contradicted
            }
            // That the opposite, or what is right instead, has not come out says nothing for the sentence.
            (Verdict::DoesNotHold, _) => Standing::NotDecided,
        };
        Answer {
            place: self.place,
            sentence: self.text,
            standing,
            measured: found,
            remark: self.remark,
            right: match self.answers {
                Answers::Instead(right) => Some(right),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::table::right;
    use super::*;
    use crate::experiments::{Measured, Outcome, Rows, Settings};
    use crate::report::Claim;

    fn finished(verdicts: &[(&str, Verdict)]) -> Finished {
        let mut outcome = Outcome::default();
        for (id, verdict) in verdicts {
            let claim = Claim::that("a claim").named(id).expected("1").measured("2").criterion("less");
            outcome.claim(claim.judged(*verdict, "why"));
        }
        let settings = Settings {
            experiment: "rosenbrock".into(),
            version: String::new(),
            edition: 1,
            quick: true,
            seed: 0,
            data: String::new(),
            checksum: 0,
        };
        Finished::new(settings, String::new(), 1.0, Measured { rows: Rows::of(&()), outcome })
    }

    #[test]
    fn a_sentence_stands_as_its_claims_do() {
        use Verdict::{DoesNotHold, Holds, NotDecided};
        const RIGHT: Answers = right("r", &["1", "2", "3"]);
        let cases = [
            (Answers::AsItStands, &[Holds, Holds][..], Standing::Confirmed),
            (Answers::AsItStands, &[Holds, DoesNotHold], Standing::Contradicted),
            (Answers::AsItStands, &[Holds, NotDecided], Standing::NotDecided),
            (Answers::AsItStands, &[Holds], Standing::NotMeasured),
            (Answers::Against, &[Holds, Holds], Standing::Contradicted),
            (Answers::Against, &[Holds, DoesNotHold], Standing::NotDecided),
            (RIGHT, &[Holds, Holds], Standing::Corrected),
            (RIGHT, &[DoesNotHold, Holds], Standing::NotDecided),
        ];
        for (answers, verdicts, standing) in cases {
            const BOTH: &[Evidence] = &[("rosenbrock", "a", "one"), ("rosenbrock", "b", "other")];
            let sentence = Sentence::new("1", "text", BOTH, answers);
            let named: Vec<(&str, Verdict)> = ["a", "b"].into_iter().zip(verdicts.iter().copied()).collect();
            let answer = sentence.answer(&[finished(&named)]);
            assert_eq!(answer.standing, standing, "{verdicts:?} {answers:?}");
            assert_eq!(answer.right.is_some(), answers == RIGHT);
            assert!(answer.measured.iter().all(|figure| figure.link.starts_with("rosenbrock.")));
            let first = answer.measured[0].claim.verdict;
            assert_eq!(first, Verdict::all(verdicts.iter().copied()), "what decides stands first");
        }
    }

    /// Whether the claims exist is tested on a whole report.
    #[test]
    fn every_line_is_whole() {
        for sentence in SENTENCES {
            for (experiment, _, name) in sentence.claims {
                find(experiment).unwrap();
                assert!(!name.is_empty() && name.chars().count() <= 50, "{}: {name:?}", sentence.text);
            }
            let texts = [sentence.text, sentence.remark];
            assert!(texts.iter().all(|text| text.matches('$').count() % 2 == 0), "{}", sentence.text);
            assert!(sentence.text.ends_with('.'), "{}", sentence.text);
            if sentence.answers == Answers::Tested {
                assert!(sentence.claims.is_empty() && sentence.remark.contains("tests"), "{}", sentence.text);
            }
            if let Answers::Instead(right) = sentence.answers {
                assert_eq!(right.derivation.len(), 3, "{}", sentence.text);
                for line in right.derivation.iter().chain([&right.statement]) {
                    assert!(
                        line.matches('$').count() % 2 == 0
                            && line.matches('{').count() == line.matches('}').count()
                    );
                }
            }
        }
    }
}
