//! One part of a page: an experiment, or a run.

use std::fmt::Write as _;

use super::drawn::DrawnFigure;
use super::math::prose;
use super::svg::Shape;
use super::{Claim, Figure, Table, Verdict, escape};
use crate::text::count;

/// One part of a page: an experiment, or a run.
///
/// A reader sees its title, a headline figure, a paragraph and the claims; theory, other figures and tables are folded,
/// unless the section is [`open`](Section::open). Title, summary and theory may hold formulas between two `$`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Its name, which is also what links go to: small letters, digits, hyphens.
    pub name: String,
    /// What links to it say, in a few words. Empty where the name says it.
    pub short: String,
    /// What came out, as a sentence made from what was measured. Empty where there is none: then the question is
    /// the title.
    pub title: String,
    /// The same in a paragraph.
    pub summary: String,
    /// The question, in a line.
    pub question: String,
    /// What the theory says, in paragraphs.
    pub theory: Vec<String>,
    /// How it was run, in a line.
    pub settings: String,
    /// What was claimed and what came out.
    pub claims: Vec<Claim>,
    /// Whether all figures are shown at once.
    pub open: bool,
    /// Index of the figure to open with.
    headline: usize,
    figures: Vec<DrawnFigure>,
    tables: Vec<Table>,
}

impl Section {
    /// Names the figure that the section opens with; without that it is the first.
    ///
    /// # Panics
    /// If no figure of that name has been added.
    #[track_caller]
    pub fn headline(&mut self, figure: &str) {
        let Some(index) = self.find(figure) else {
            panic!("section {:?}: there is no figure `{figure}` to open with", self.name);
        };
        self.headline = index;
    }

    /// Whether a figure of that name has been added.
    pub fn has_figure(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, figure: &str) -> Option<usize> {
        self.figures.iter().position(|other| other.name.as_str() == figure)
    }

    /// How many claims have that verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.claims.iter().filter(|claim| claim.verdict == verdict).count()
    }

    /// Draws a figure and adds it.
    pub fn figure(&mut self, figure: &Figure) {
        self.figures.push(figure.draw());
    }

    /// Adds a table.
    pub fn table(&mut self, table: Table) {
        self.tables.push(table);
    }

    /// The figures as files of their own: name and contents.
    pub fn figure_files(&self) -> impl Iterator<Item = (String, String)> {
        self.figures.iter().map(|figure| (figure.name.file("svg"), figure.svg()))
    }

    /// The tables as files of their own: name and contents.
    pub fn table_files(&self) -> impl Iterator<Item = (String, String)> {
        self.tables.iter().map(|table| (table.name.file("csv"), table.csv()))
    }

    /// The title, or what stands for it.
    pub(super) fn heading(&self) -> &str {
        if self.title.is_empty() { &self.question } else { &self.title }
    }

    /// What links to it say.
    pub(super) fn label(&self) -> &str {
        if self.short.is_empty() { &self.name } else { &self.short }
    }

    fn first(&self) -> Option<&DrawnFigure> {
        self.figures.get(self.headline)
    }

    /// The data of a panel of the headline figure, without axes and texts: a picture that can be small.
    pub(super) fn picture(&self, panel: usize) -> Option<String> {
        self.first()?.panels.get(panel)?.inside()
    }

    pub(super) fn html(&self) -> String {
        let name = escape(&self.name);
        let mut html = format!("<section id=\"{name}\">");
        let _ = write!(
            html,
            "<h2>{}\u{a0}<a class=\"link\" href=\"#{name}\" aria-label=\"Link to this section\">#</a></h2>",
            prose(self.heading())
        );
        if self.open {
            let text = |text: &String| format!("<p>{}</p>", prose(text));
            html.extend(self.theory.iter().map(text));
            html += &self.words();
            html += &claims_html(&self.name, &self.claims, 1);
            html.extend(self.figures.iter().map(DrawnFigure::html));
            html.extend(self.tables.iter().map(|table| table.folded()));
        } else {
            html += &self.lead();
            html += &self.rest();
        }
        if self.open && !self.settings.is_empty() {
            html += &self.settings_html();
        }
        html + "</section>"
    }

    /// The question, where it is not the title, and the paragraph that answers it.
    fn words(&self) -> String {
        let question = match (&self.title[..], &self.question[..]) {
            ("", _) | (_, "") => String::new(),
            (_, question) => format!("<span class=\"question\">{}</span> ", escape(question)),
        };
        let words = question + &prose(&self.summary);
        if words.is_empty() { words } else { format!("<p>{words}</p>") }
    }

    fn settings_html(&self) -> String {
        format!("<p class=\"settings\">{}</p>", escape(&self.settings))
    }

    /// Headline, paragraph and claims. How they stand depends on how wide the figure is: words beside it, and the claims
    /// below them or below both; or all of it below.
    fn lead(&self) -> String {
        let (first, many) = (self.first(), self.claims.len());
        // Rows of two where in rows of three one would be left alone.
        let across = if many < 3 || many % 3 == 1 { 2 } else { 3 };
        let (class, columns) = match first.map_or(0, |figure| figure.panels.len()) {
            0 => ("none", across),
            1 => ("one", 2),
            2 => ("two", across),
            3 if first.and_then(DrawnFigure::shape) == Some(Shape::Bare) => ("two", across),
            _ => ("wide", across),
        };
        let mut html = format!("<div class=\"lead {class}\">");
        html.extend(first.map(DrawnFigure::html));
        html += "<div class=\"words\">";
        html + &self.words() + &claims_html(&self.name, &self.claims, columns) + "</div></div>"
    }

    /// Everything else, folded.
    fn rest(&self) -> String {
        let others: Vec<&DrawnFigure> =
            self.figures.iter().enumerate().filter(|(i, _)| *i != self.headline).map(|(_, f)| f).collect();
        let counted = |n: usize, what: &str| (n > 0).then(|| count(n, what));
        let parts = [
            (!self.theory.is_empty()).then(|| "the theory".to_string()),
            counted(others.len(), "more figure"),
            counted(self.tables.len(), "table"),
            (!self.settings.is_empty()).then(|| "how it was run".to_string()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            return String::new();
        }
        let mut html = format!(
            "<details class=\"more\"><summary>More on {}: {}</summary>",
            escape(self.label()),
            escape(&parts.join(", "))
        );
        if !self.theory.is_empty() {
            html += "<h3>What the theory says</h3>";
            html.extend(self.theory.iter().map(|text| format!("<p>{}</p>", prose(text))));
        }
        html.extend(others.into_iter().map(DrawnFigure::html));
        html.extend(self.tables.iter().map(|table| table.folded()));
        if !self.settings.is_empty() {
            html += &self.settings_html();
        }
        html + "</details>"
    }
}

/// About so many letters tell what was measured in the line of a claim.
const LETTERS: usize = 40;

/// Class and sign of a verdict: colour alone does not reach everybody.
fn sign(verdict: Verdict) -> (&'static str, char) {
    match verdict {
        Verdict::Holds => ("yes", '✓'),
        Verdict::DoesNotHold => ("no", '✗'),
        Verdict::NotDecided => ("open", '?'),
    }
}

/// How many of the claims have which verdict.
pub fn totals<'a>(claims: impl Iterator<Item = &'a Claim> + Clone) -> String {
    let verdicts = [
        (Verdict::Holds, "hold", "holds"),
        (Verdict::DoesNotHold, "do not hold", "does not hold"),
        (Verdict::NotDecided, "are not decided by this run", "is not decided by this run"),
    ];
    let parts = verdicts.into_iter().filter_map(|(verdict, many, one)| {
        let (class, sign) = sign(verdict);
        let count = claims.clone().filter(|claim| claim.verdict == verdict).count();
        let words = if count == 1 { one } else { many };
        (count > 0).then(|| format!("<span class=\"{class}\"><b>{sign} {count}</b> {words}</span>"))
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// A few lines for each claim: its verdict, what it says, and the measured figure; the rest of it is folded.
fn claims_html(section: &str, claims: &[Claim], columns: usize) -> String {
    if claims.is_empty() {
        return String::new();
    }
    let mut html = format!("<ul class=\"claims in{columns}\">");
    for (i, claim) in claims.iter().enumerate() {
        let (class, sign) = sign(claim.verdict);
        let id = if claim.id.is_empty() { format!("claim-{}", i + 1) } else { claim.id.clone() };
        let link = escape(&format!("{section}.{id}"));
        let _ = write!(
            html,
            "<li id=\"{link}\"><details><summary><span class=\"{class}\">{sign}<span class=\"unseen\"> {}:</span></span> \
             <span class=\"claim\">{} <b>{}</b></span></summary><dl>",
            claim.verdict.words(),
            escape(&claim.statement),
            escape(&claim.brief(LETTERS))
        );
        let verdict = claim.verdict.words();
        let rows = [
            ("Expected", claim.expected.as_str(), ""),
            ("Measured", &claim.measured, ""),
            ("Criterion", &claim.criterion, ""),
            ("Verdict", verdict, class),
            ("Why", &claim.explanation, ""),
        ];
        for (name, text, class) in rows.into_iter().filter(|(_, text, _)| !text.is_empty()) {
            // What explains a verdict may be a remark on one that holds.
            let name = if name == "Why" && claim.holds() { "Remark" } else { name };
            let _ = write!(html, "<dt>{name}</dt><dd class=\"{class}\">{}</dd>", escape(text));
        }
        let _ = write!(html, "</dl><a class=\"link\" href=\"#{link}\">Link to this claim</a></details></li>");
    }
    html + "</ul>"
}
