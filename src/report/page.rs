//! The page: one HTML file with everything in it.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::draw::DrawnFigure;
use super::name::Name;
use super::palette::dark_style;
use super::{Claim, Figure, Table, Verdict, escape};

/// One part of a page: an experiment, or a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Its name, which is also what links go to: small letters, digits, hyphens.
    pub name: String,
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
    /// The figure to open with.
    headline: Option<Name>,
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
        let name = Name::new(figure);
        let there = self.figures.iter().any(|figure| figure.name == name);
        assert!(there, "section {:?}: there is no figure `{figure}` to open with", self.name);
        self.headline = Some(name);
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

    fn html(&self) -> String {
        let mut html = format!(
            "<section id=\"{0}\"><h2><a href=\"#{0}\">{0}</a></h2><p class=\"question\">{1}</p>",
            escape(&self.name),
            escape(&self.question)
        );
        for paragraph in &self.theory {
            let _ = write!(html, "<p>{}</p>", escape(paragraph));
        }
        if !self.claims.is_empty() {
            html += &claims_html(&self.claims);
        }
        for figure in &self.figures {
            html += &figure_html(figure);
        }
        for table in &self.tables {
            let _ = write!(html, "<h3>{}</h3>{}", escape(&table.caption), table.html());
        }
        if !self.settings.is_empty() {
            let _ = write!(html, "<p class=\"settings\">{}</p>", escape(&self.settings));
        }
        html + "</section>"
    }
}

fn claims_html(claims: &[Claim]) -> String {
    let mut html = String::from(
        "<table class=\"claims\"><thead><tr><th>Claim</th><th>Expected</th>\
         <th>Measured</th><th>Criterion</th><th>Verdict</th></tr></thead><tbody>",
    );
    for claim in claims {
        // A mark and a word besides the colour: colour alone does not reach everybody.
        let verdict = match claim.verdict {
            Verdict::Holds => "<td class=\"yes\">✓ holds</td>",
            Verdict::DoesNotHold => "<td class=\"no\">✗ does not hold</td>",
            Verdict::NotDecided => "<td class=\"open\">? not decided by this run</td>",
        };
        // The remark has a row of its own: in a column it would be a narrow tower.
        let (class, remark) = match claim.explanation.as_str() {
            "" => ("", String::new()),
            text => (
                " class=\"remarked\"",
                format!("<tr class=\"remark\"><td colspan=\"5\">{}</td></tr>", escape(text)),
            ),
        };
        let _ = write!(
            html,
            "<tr{class}><td>{}</td><td data-name=\"Expected\">{}</td><td data-name=\"Measured\">{}</td>\
             <td data-name=\"Criterion\">{}</td>{verdict}</tr>{remark}",
            escape(&claim.statement),
            escape(&claim.expected),
            escape(&claim.measured),
            escape(&claim.criterion)
        );
    }
    html + "</tbody></table>"
}

fn figure_html(figure: &DrawnFigure) -> String {
    let kind = if figure.panels.len() == 1 { "single" } else { "several" };
    let mut html = format!("<figure class=\"{kind}\"><div class=\"panels\">");
    for panel in &figure.panels {
        let _ = write!(
            html,
            "<svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\"{4} role=\"img\" aria-label=\"{2}\">{3}</svg>",
            panel.width,
            panel.height,
            escape(&figure.title),
            panel.body(),
            if panel.pictures { " class=\"pictures\"" } else { "" }
        );
    }
    let _ = write!(
        html,
        "</div><figcaption><b>{}.</b> {}</figcaption></figure>",
        escape(&figure.title),
        escape(&figure.caption)
    );
    html
}

/// A page of sections.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Title of the page.
    pub title: String,
    /// What it is, in paragraphs.
    pub intro: Vec<String>,
    /// Its parts, in order.
    pub sections: Vec<Section>,
}

impl Page {
    /// The page as one HTML file: no script, nothing that is fetched.
    pub fn html(&self) -> String {
        let title = escape(&self.title);
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>{}{}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
            include_str!("page.css"),
            dark_style("svg ")
        );
        for paragraph in &self.intro {
            let _ = writeln!(html, "<p>{}</p>", escape(paragraph));
        }
        if self.sections.len() > 1 {
            html += &self.contents();
        }
        for section in &self.sections {
            html += &section.html();
            html.push('\n');
        }
        html + "</main>\n</body>\n</html>\n"
    }

    /// The list of sections, with how many of their claims hold.
    fn contents(&self) -> String {
        let mut html = String::from(
            "<nav><table><thead><tr><th>Experiment</th><th>Question</th><th>Claims that hold</th></tr>\
             </thead><tbody>",
        );
        for section in &self.sections {
            let (all, held) = (section.claims.len(), section.count(Verdict::Holds));
            let _ = write!(
                html,
                "<tr><td><a href=\"#{0}\">{0}</a></td><td>{1}</td><td>{held} of {all}</td></tr>",
                escape(&section.name),
                escape(&section.question)
            );
        }
        html + "</tbody></table></nav>\n"
    }
}
