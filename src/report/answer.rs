//! The sentences of a source, each beside what was measured of it.

use std::fmt::Write as _;

use super::escape;
use super::math::prose;

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
    /// The figures that were measured, each with the place in the page that it links to.
    pub measured: Vec<(String, String)>,
    /// What else is to be known; may be empty.
    pub remark: &'static str,
    /// The right statement, where the sentence is wrong.
    pub right: Option<Right>,
}

/// The right statement, and why it is right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Right {
    /// The statement.
    pub statement: &'static str,
    /// Its derivation, in lines.
    pub derivation: &'static [&'static str],
}

/// The table of answers, with how many there are of each kind.
pub fn html(answers: &[Answer]) -> String {
    let mut html = String::from(
        "<section id=\"document\"><h2><a href=\"#document\">What the source document says, and what came out</a></h2>\
         <p>Every sentence that can be tested, in its order. A figure leads to the claim that it was measured for; where \
         the document is wrong, the right statement is derived beside it.</p><p class=\"totals\">",
    );
    for standing in Standing::ALL {
        let count = answers.iter().filter(|answer| answer.standing == standing).count();
        let (class, sign) = standing.sign();
        if count > 0 {
            let _ =
                write!(html, "<span class=\"{class}\"><b>{sign} {count}</b> {}</span> ", standing.words());
        }
    }
    html += "</p><table class=\"answers\"><thead><tr><th>§</th><th>The document says</th><th>Verdict</th>\
             <th>Measured</th></tr></thead><tbody>";
    for answer in answers {
        let (class, sign) = answer.standing.sign();
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}{}</td><td class=\"{class}\">{sign}\u{a0}{}</td><td>",
            escape(answer.place),
            prose(answer.sentence),
            answer.right.map_or(String::new(), |right| right.html()),
            answer.standing.words()
        );
        for (link, figure) in &answer.measured {
            let _ = write!(html, "<a href=\"#{}\">{}</a> ", escape(link), escape(figure));
        }
        if !answer.remark.is_empty() {
            let _ = write!(html, "<span class=\"remark\">{}</span>", prose(answer.remark));
        }
        html += "</td></tr>";
    }
    html + "</tbody></table></section>\n"
}

impl Right {
    fn html(self) -> String {
        let mut html = format!(
            "<details class=\"right\"><summary>The right statement</summary><p>{}</p><ol>",
            prose(self.statement)
        );
        for line in self.derivation {
            let _ = write!(html, "<li>{}</li>", prose(line));
        }
        html + "</ol></details>"
    }
}
