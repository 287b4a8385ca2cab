//! The sentences of a source, each beside what was measured of it.

use std::fmt::Write as _;

use super::math::prose;
use super::{Claim, escape};

/// What the measurements say of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// What it says came out.
    Confirmed,
    /// It is wrong as it stands; the right statement came out, or is proven beside it.
    Corrected,
    /// Something else came out.
    Contradicted,
    /// What was measured leaves it open.
    NotDecided,
    /// This run has measured nothing of it.
    NotMeasured,
}

impl Standing {
    /// All, in the order in which they are counted.
    pub const ALL: [Standing; 5] = [
        Standing::Confirmed,
        Standing::Corrected,
        Standing::Contradicted,
        Standing::NotDecided,
        Standing::NotMeasured,
    ];

    /// In words, as the page has it.
    pub fn words(self) -> &'static str {
        match self {
            Standing::Confirmed => "confirmed",
            Standing::Corrected => "corrected",
            Standing::Contradicted => "contradicted",
            Standing::NotDecided => "not decided by this run",
            Standing::NotMeasured => "not measured in this run",
        }
    }

    /// The same in a line among others.
    fn word(self) -> &'static str {
        match self {
            Standing::NotDecided => "not decided",
            Standing::NotMeasured => "not measured",
            _ => self.words(),
        }
    }

    /// Its class in the style sheet, and a sign: colour alone does not reach everybody.
    fn sign(self) -> (&'static str, char) {
        match self {
            Standing::Confirmed => ("yes", '✓'),
            Standing::Corrected => ("mended", '✎'),
            Standing::Contradicted => ("no", '✗'),
            Standing::NotDecided => ("open", '?'),
            Standing::NotMeasured => ("open", '–'),
        }
    }
}

/// A sentence and its answer. Texts may hold formulas between two `$`, but for what was measured.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Where it stands in the source.
    pub place: &'static str,
    /// The sentence, in words.
    pub sentence: &'static str,
    /// What the measurements say.
    pub standing: Standing,
    /// What was measured of it; what decides first.
    pub measured: Vec<Figured>,
    /// What else is to be known; may be empty.
    pub remark: &'static str,
    /// The right statement, where the sentence is wrong.
    pub right: Option<Right>,
}

/// A claim whose figure answers a sentence.
#[derive(Clone, Debug)]
pub struct Figured {
    /// The place in the page that it links to.
    pub link: String,
    /// What links to its section say.
    pub section: &'static str,
    /// What the figure is, in short.
    pub name: &'static str,
    /// The claim.
    pub claim: Claim,
}

impl Figured {
    /// Its name and what was measured, in the room of a line.
    fn brief(&self) -> String {
        let room = LETTERS.saturating_sub(self.name.chars().count());
        escape(&format!("{}: {}", self.name, self.claim.brief(room)))
    }
}

/// The right statement, and why it is right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Right {
    /// The statement.
    pub statement: &'static str,
    /// Its derivation, in lines.
    pub derivation: &'static [&'static str],
}

/// About so many letters tell what was measured in the line of an answer.
const LETTERS: usize = 74;

/// The list of answers, with how many there are of each kind.
pub fn html(answers: &[Answer]) -> String {
    let mut html = String::from(
        "<section id=\"document\"><h2><a href=\"#document\">What the source document says, and what came out</a></h2>\
         <p>Every sentence that can be tested, in its order, with the figure that decides and its 95\u{a0}% \
         interval. An open line shows all figures, each with a link to its claim. Where a sentence is corrected, it shows \
         the right statement and its derivation.</p><p class=\"totals\">",
    );
    for standing in Standing::ALL {
        let count = answers.iter().filter(|answer| answer.standing == standing).count();
        let (class, sign) = standing.sign();
        if count > 0 {
            let _ =
                write!(html, "<span class=\"{class}\"><b>{sign} {count}</b> {}</span> ", standing.words());
        }
    }
    html += "</p><p class=\"heads\" aria-hidden=\"true\"><span>§</span><span>The document says</span>\
             <span>Verdict</span><span>Measured</span><span>Experiment</span></p><ul class=\"answers\">";
    html.extend(answers.iter().map(Answer::html));
    html + "</ul></section>\n"
}

impl Answer {
    /// A line, which unfolds where there is more to tell, and the links beside it.
    fn html(&self) -> String {
        let (class, sign) = self.standing.sign();
        let line = format!(
            "<span class=\"place\">{}</span><span class=\"says\">{}</span>\
             <span class=\"verdict {class}\">{sign}\u{a0}{}</span><span class=\"short\">{}</span>",
            escape(self.place),
            prose(self.sentence),
            self.standing.word(),
            self.short()
        );
        let more = self.more();
        let line = if more.is_empty() {
            format!("<div class=\"line\">{line}</div>")
        } else {
            format!(
                "<details><summary class=\"line\">{line}</summary><div class=\"rest\">{more}</div></details>"
            )
        };
        format!("<li>{line}<span class=\"to\">{}</span></li>", self.links())
    }

    /// The figure that decides; where nothing was, the right statement or the remark.
    fn short(&self) -> String {
        match (&self.measured[..], self.right) {
            ([], Some(right)) => prose(right.statement),
            ([], None) => format!("<span class=\"remark\">{}</span>", prose(self.remark)),
            ([only], _) => only.brief(),
            ([first, others @ ..], _) => {
                let first = first.brief();
                format!("{first} <span class=\"remark\">and\u{a0}{}\u{a0}more</span>", others.len())
            }
        }
    }

    /// What the line leaves out.
    fn more(&self) -> String {
        let mut html = String::new();
        if !self.measured.is_empty() {
            html += "<ul>";
            for Figured { link, name, claim, .. } in &self.measured {
                let (link, name, figure) = (escape(link), escape(name), escape(&claim.measured));
                let _ = write!(html, "<li>{name}: <a href=\"#{link}\">{figure}</a></li>");
            }
            html += "</ul>";
        }
        // Where nothing else is known, the line itself has the remark.
        let alone = self.measured.is_empty() && self.right.is_none();
        if !self.remark.is_empty() && !alone {
            let _ = write!(html, "<p class=\"remark\">{}</p>", prose(self.remark));
        }
        if let Some(right) = self.right {
            // Where nothing was measured, the line itself has the statement.
            if !self.measured.is_empty() {
                let _ = write!(html, "<p><b>Right is:</b> {}</p>", prose(right.statement));
            }
            html += "<ol>";
            for line in right.derivation {
                let _ = write!(html, "<li>{}</li>", prose(line));
            }
            html += "</ol>";
        }
        html
    }

    /// The sections that have measured it.
    fn links(&self) -> String {
        let mut sections: Vec<(&str, &str)> = Vec::new();
        for Figured { link, section, .. } in &self.measured {
            let name = link.split('.').next().unwrap_or(link);
            if !sections.contains(&(name, *section)) {
                sections.push((name, *section));
            }
        }
        let links = sections
            .iter()
            .map(|(name, section)| format!("<a href=\"#{}\">{}</a>", escape(name), escape(section)));
        links.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(measured: &[(&str, &str)], remark: &'static str, right: Option<Right>) -> String {
        let claim =
            |figure: &str| Claim::that("").expected("").measured(figure).criterion("").holds(true, "");
        let figured = |(link, figure): &(&str, &str)| Figured {
            link: link.to_string(),
            section: if link.starts_with("ntk.") { "Wide networks" } else { "Logistic regression" },
            name: "Slope",
            claim: claim(figure),
        };
        let measured = measured.iter().map(figured).collect();
        let standing = Standing::Confirmed;
        html(&[Answer { place: "1.2", sentence: "It falls.", standing, measured, remark, right }])
    }

    #[test]
    fn a_line_leads_to_its_sections_and_unfolds_to_its_claims() {
        let right = Right { statement: "It rises.", derivation: &["As $x > 0$."] };
        let page = answer(
            &[
                ("logistic.one", "0.5 (95\u{a0}%: 0.4 to 0.6; 5 seeds)"),
                ("logistic.two", "0.7"),
                ("ntk.one", "1"),
            ],
            "For once.",
            Some(right),
        );
        let (line, rest) = page.split_once("</summary>").unwrap();
        assert!(line.contains("Slope: 0.5 (0.4 to 0.6)") && line.contains("and\u{a0}2\u{a0}more"), "{line}");
        for part in
            ["#logistic.one\">0.5 (95", "#logistic.two", "#ntk.one", "For once.", "It rises.", "<ol><li>As "]
        {
            assert!(rest.contains(part), "{part}: {rest}");
        }
        let links = rest.split_once("class=\"to\">").unwrap().1;
        let both = "<a href=\"#logistic\">Logistic regression</a> <a href=\"#ntk\">Wide networks</a></span>";
        assert!(links.starts_with(both), "{links}");
    }

    /// A fold with nothing in it would promise something.
    #[test]
    fn a_line_that_says_all_does_not_unfold() {
        let page = answer(&[], "A convention.", None);
        assert!(page.contains("A convention.") && !page.contains("<details>"), "{page}");
        assert!(answer(&[("ntk.one", "1")], "", None).contains("<details>"));
    }
}
