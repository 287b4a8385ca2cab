//! The page: one HTML file with everything in it.

use std::fmt::Write as _;

use super::math::prose;
use super::palette::dark_style;
use super::section::totals;
use super::{Answer, Section, answer, escape};
use crate::text::count;

/// A page of sections.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Title of the page.
    pub title: String,
    /// What it is, in paragraphs.
    pub intro: Vec<String>,
    /// Sections whose headline figures stand above all others, as pictures that lead there: the name, and which panel.
    pub pictures: Vec<(&'static str, usize)>,
    /// The sentences of a source with their answers; none for a page that answers nobody.
    pub answers: Vec<Answer>,
    /// Its parts, in order.
    pub sections: Vec<Section>,
}

impl Page {
    /// The page as one HTML file: nothing in it is fetched, and it reads without its script.
    ///
    /// The order is from what is seen at a glance to the details: what it is, totals and pictures; the answers to a
    /// source; then the sections, in each of which all but the headline is folded.
    pub fn html(&self) -> String {
        let title = escape(&self.title);
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>{}{}</style>\n</head>\n<body>\n",
            include_str!("page.css"),
            dark_style("svg ")
        );
        let several = self.sections.len() > 1;
        if several {
            html += "<a class=\"skip\" href=\"#sections\">Skip to the sections</a>\n";
        }
        let _ = write!(html, "<main>\n<header><h1>{title}</h1>");
        for paragraph in &self.intro {
            let _ = write!(html, "<p>{}</p>", prose(paragraph));
        }
        if several {
            html += &self.totals();
        }
        html += &self.gallery();
        html += "</header>\n";
        if several {
            html += &self.navigation();
        }
        if !self.answers.is_empty() {
            html += &answer::html(&self.answers);
        }
        html += "<div id=\"sections\">\n";
        for section in &self.sections {
            html += &section.html();
            html.push('\n');
        }
        html += "</div>\n</main>\n<script>";
        html += include_str!("page.js");
        html + "</script>\n</body>\n</html>\n"
    }

    /// How many claims there are of each verdict.
    fn totals(&self) -> String {
        let all = self.sections.iter().flat_map(|section| &section.claims);
        format!(
            "<p class=\"totals\">{}. Of the claims: {}</p>",
            count(self.sections.len(), "experiment"),
            totals(all)
        )
    }

    /// The pictures that lead to sections.
    fn gallery(&self) -> String {
        let pictures = self.pictures.iter().filter_map(|(name, panel)| {
            let section = self.sections.iter().find(|section| section.name == *name)?;
            let picture = section.picture(*panel)?;
            Some(format!(
                "<li><a href=\"#{}\">{picture}<span>{}</span></a></li>",
                escape(&section.name),
                prose(section.heading())
            ))
        });
        let pictures: String = pictures.collect();
        if pictures.is_empty() { pictures } else { format!("<ul class=\"gallery\">{pictures}</ul>") }
    }

    /// Links to all sections, with how many of their claims hold.
    fn navigation(&self) -> String {
        let mut html = String::from("<nav aria-label=\"Sections\"><ul>");
        if !self.answers.is_empty() {
            html += "<li><a href=\"#document\">Source document</a></li>";
        }
        for section in &self.sections {
            let held = section.claims.iter().filter(|claim| claim.holds()).count();
            let _ = write!(
                html,
                "<li><a href=\"#{}\">{}</a> <span title=\"claims that hold\">{held}/{}</span></li>",
                escape(&section.name),
                escape(section.label()),
                section.claims.len()
            );
        }
        html + "</ul></nav>\n"
    }
}
