//! Formulas as MathML, from text as one would type it.
//!
//! `x_0`, `x^2`, `x^{t+1}` and `λₘᵢₙ` are sub- and superscripts, small raised characters as in `x²` stay text, `√x` and
//! `√{…}` are roots, `{a}/{b}` is a fraction, `"…"` are words; braces group and are not seen. Names of functions stand
//! upright, all other letters are variables. Whatever the text is, what comes out is well-formed: a brace that is never
//! closed ends with the text.

use super::escape;

/// Names that are read as one word.
const NAMES: [&str; 15] = [
    "argmin", "log", "ln", "exp", "max", "min", "cos", "tanh", "relu", "diag", "Var", "sign", "lim", "rank",
    "E",
];

/// Text with formulas between two `$`, as HTML. A `$` without a partner is itself.
///
/// Short relations, `p = n`, and percentages stay on one line.
pub fn prose(text: &str) -> String {
    let escape = |text: &str| escape(&together(text));
    let mut html = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        html += &escape(before);
        let Some((formula, after)) = behind.split_once('$') else {
            return html + "$" + &escape(behind);
        };
        // A full stop that begins a line looks lost.
        let stops = after.len() - after.trim_start_matches(['.', ',', ';', ':', ')', '?']).len();
        let (stop, after) = after.split_at(stops);
        let formula = math(formula, false);
        html += &match stop {
            "" => formula,
            stop => format!("<span class=\"whole\">{formula}{stop}</span>"),
        };
        rest = after;
    }
    html + &escape(rest)
}

/// What is read as one word.
fn together(text: &str) -> String {
    const SIGNS: [&str; 9] = ["=", "−", "±", "×", "≤", "≥", "<", ">", "≈"];
    let words: Vec<&str> = text.split(' ').collect();
    // With long words on both sides a narrow page would be too narrow for it.
    let short =
        |at: usize, most: usize| words.get(at).is_some_and(|w| (1..=most).contains(&w.chars().count()));
    let sign = |at: usize| at > 0 && SIGNS.contains(&words[at]) && short(at - 1, 6) && short(at + 1, 8);
    let mut out = String::from(words[0]);
    for (i, word) in words.iter().enumerate().skip(1) {
        let percent = word.starts_with('%') && words[i - 1].ends_with(|c: char| c.is_ascii_digit());
        out.push(if percent || sign(i) || sign(i - 1) { '\u{a0}' } else { ' ' });
        out += word;
    }
    out
}

/// A formula as an element `math`, in the line or, as a `block`, in one of its own.
pub fn math(formula: &str, block: bool) -> String {
    let mut parser = Parser { rest: formula, depth: 0 };
    let mut row = parser.row();
    // A brace that closes nothing ends no formula.
    while !parser.rest.is_empty() {
        parser.rest = &parser.rest[1..];
        row += &parser.row();
    }
    let display = if block { " display=\"block\"" } else { "" };
    format!("<math{display}><mrow>{row}</mrow></math>")
}

struct Parser<'a> {
    rest: &'a str,
    /// Groups, roots and scripts around what is read.
    depth: usize,
}

/// More of them than any formula has. A caption may hold a name out of kept rows, which anybody may have written: without
/// an end, it could ask for more of the stack than there is.
const DEEPEST: usize = 32;

/// A part of a formula; a group in braces may become a part of a fraction.
struct Atom {
    html: String,
    braces: bool,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Everything up to a closing brace or the end.
    fn row(&mut self) -> String {
        let mut html = String::new();
        while let Some(c) = self.peek() {
            match c {
                '}' => break,
                c if c.is_whitespace() => {
                    self.next();
                }
                _ => html += &self.term(),
            }
        }
        html
    }

    /// An atom with its scripts, or a fraction.
    fn term(&mut self) -> String {
        let atom = self.atom();
        let braces = atom.braces;
        let top = self.scripts(atom.html);
        if braces && self.rest.starts_with("/{") {
            self.next();
            let bottom = self.atom();
            let fraction = format!("<mfrac><mrow>{top}</mrow>{}</mfrac>", bottom.html);
            return self.scripts(fraction);
        }
        top
    }

    fn scripts(&mut self, base: String) -> String {
        let (mut below, mut above, mut small) = (None, None, String::new());
        loop {
            match self.peek() {
                Some('_') if below.is_none() => {
                    self.next();
                    below = Some(self.atom().html);
                }
                Some('^') if above.is_none() => {
                    self.next();
                    above = Some(self.atom().html);
                }
                Some(c) if below.is_none() && lowered(c).is_some() => below = Some(self.lowered()),
                // Not as a script of MathML: without a mathematical font browsers raise that by half a line.
                Some(c) if RAISED.contains(c) => {
                    small.push(c);
                    self.next();
                }
                _ => break,
            }
        }
        let small = if small.is_empty() { small } else { format!("<mtext>{small}</mtext>") };
        let scripts = match (below, above) {
            (None, None) => base,
            (Some(below), None) => format!("<msub><mrow>{base}</mrow>{below}</msub>"),
            (None, Some(above)) => format!("<msup><mrow>{base}</mrow>{above}</msup>"),
            (Some(below), Some(above)) => format!("<msubsup><mrow>{base}</mrow>{below}{above}</msubsup>"),
        };
        scripts + &small
    }

    /// Small letters and digits in a row, as a row of their usual forms.
    fn lowered(&mut self) -> String {
        let mut text = String::new();
        while let Some(c) = self.peek().and_then(lowered) {
            text.push(c);
            self.next();
        }
        let inner = if NAMES.contains(&text.as_str()) {
            word(&text)
        } else {
            Parser { rest: &text, depth: self.depth + 1 }.row()
        };
        format!("<mrow>{inner}</mrow>")
    }

    fn atom(&mut self) -> Atom {
        let plain = |html: String| Atom { html, braces: false };
        if self.depth == DEEPEST {
            let shown = self.next().map_or(String::new(), |c| escape(&c.to_string()));
            return plain(format!("<mo>{shown}</mo>"));
        }
        self.depth += 1;
        let atom = self.deeper();
        self.depth -= 1;
        atom
    }

    fn deeper(&mut self) -> Atom {
        let plain = |html: String| Atom { html, braces: false };
        if let Some(name) = NAMES.iter().find(|name| self.begins_with(name)) {
            self.rest = &self.rest[name.len()..];
            return plain(word(name));
        }
        let Some(c) = self.next() else { return plain("<mrow></mrow>".into()) };
        match c {
            '{' => {
                let html = format!("<mrow>{}</mrow>", self.row());
                // Past the closing brace, if there is one.
                self.next();
                Atom { html, braces: true }
            }
            '"' => {
                let (text, rest) = self.rest.split_once('"').unwrap_or((self.rest, ""));
                self.rest = rest;
                plain(format!("<mtext>{}</mtext>", escape(text)))
            }
            '√' => {
                let under = self.atom().html;
                // A hat leans into the hook of the root.
                let room =
                    if under.starts_with("<mover") { "<mspace width=\"0.15em\"></mspace>" } else { "" };
                plain(format!("<msqrt>{room}{under}</msqrt>"))
            }
            c if c.is_ascii_digit() => {
                let mut number = String::from(c);
                while let Some(c) =
                    self.peek().filter(|c| c.is_ascii_digit() || *c == '.' || *c == '\u{2009}')
                {
                    // A full stop behind a number ends the sentence.
                    if c == '.' && !self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
                        break;
                    }
                    number.push(c);
                    self.next();
                }
                plain(format!("<mn>{number}</mn>"))
            }
            c if c.is_alphabetic() => {
                let letter = format!("<mi>{}</mi>", escape(&c.to_string()));
                let over = self.peek().and_then(accent);
                plain(match over {
                    Some(sign) => {
                        self.next();
                        format!("<mover accent=\"true\">{letter}<mo>{sign}</mo></mover>")
                    }
                    None => letter,
                })
            }
            '-' => plain("<mo>−</mo>".into()),
            // Bars are no brackets that stretch: which of two opens is not known.
            '‖' | '|' => plain(format!("<mo stretchy=\"false\" lspace=\"0\" rspace=\"0\">{c}</mo>")),
            '(' | ')' | '[' | ']' => plain(format!("<mo stretchy=\"false\">{c}</mo>")),
            c => plain(format!("<mo>{}</mo>", escape(&c.to_string()))),
        }
    }

    /// Whether the name stands next, and not as the beginning of a longer word.
    fn begins_with(&self, name: &str) -> bool {
        self.rest
            .strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic() || accent(c).is_some()))
    }
}

fn word(name: &str) -> String {
    // Of a single letter, upright has to be said.
    let variant = if name.len() == 1 { " mathvariant=\"normal\"" } else { "" };
    format!("<mi{variant}>{name}</mi>")
}

const RAISED: &str = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀᵗⁿᵏ";
const LOWERED: &str = "₀₁₂₃₄₅₆₇₈₉₊₋ᵢⱼₙₘₐₖₜₚₗ";
const LOWERED_USUAL: &str = "0123456789+−ijnmaktpl";

fn lowered(c: char) -> Option<char> {
    LOWERED.chars().zip(LOWERED_USUAL.chars()).find(|(small, _)| *small == c).map(|(_, usual)| usual)
}

/// The sign over a letter that a combining character stands for.
fn accent(c: char) -> Option<char> {
    match c {
        '\u{302}' => Some('^'),
        '\u{303}' => Some('~'),
        '\u{304}' | '\u{305}' => Some('¯'),
        '\u{307}' => Some('˙'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(formula: &str) -> String {
        let html = math(formula, false);
        html.strip_prefix("<math><mrow>").unwrap().strip_suffix("</mrow></math>").unwrap().into()
    }

    #[test]
    fn scripts_roots_and_fractions() {
        assert_eq!(row("x²"), "<mi>x</mi><mtext>²</mtext>");
        assert_eq!(
            row("{x_0}⁻¹"),
            "<mrow><msub><mrow><mi>x</mi></mrow><mn>0</mn></msub></mrow><mtext>⁻¹</mtext>"
        );
        assert_eq!(row("x^2"), "<msup><mrow><mi>x</mi></mrow><mn>2</mn></msup>");
        assert_eq!(row("λₘᵢₙ"), "<msub><mrow><mi>λ</mi></mrow><mrow><mi>min</mi></mrow></msub>");
        assert_eq!(
            row("w_{t+1}^T"),
            "<msubsup><mrow><mi>w</mi></mrow><mrow><mi>t</mi><mo>+</mo><mn>1</mn></mrow><mi>T</mi></msubsup>"
        );
        assert_eq!(row("√κ"), "<msqrt><mi>κ</mi></msqrt>");
        let hat = "<mover accent=\"true\"><mi>v</mi><mo>^</mo></mover>";
        assert_eq!(row("v\u{302}"), hat);
        assert_eq!(row("√v\u{302}"), format!("<msqrt><mspace width=\"0.15em\"></mspace>{hat}</msqrt>"));
        assert_eq!(
            row("{μ}/{L}"),
            "<mfrac><mrow><mrow><mi>μ</mi></mrow></mrow><mrow><mi>L</mi></mrow></mfrac>"
        );
        assert_eq!(row("0.5x"), "<mn>0.5</mn><mi>x</mi>");
        assert_eq!(row("max \"of <a>\""), "<mi>max</mi><mtext>of &lt;a&gt;</mtext>");
    }

    #[test]
    fn formulas_in_a_text() {
        assert_eq!(prose("a < $b$ c"), "a &lt; <math><mrow><mi>b</mi></mrow></math> c");
        let whole =
            "<span class=\"whole\"><math><mrow><mi>b</mi></mrow></math>.</span> <math><mrow></mrow></math>";
        assert_eq!(prose("$b$. $$"), whole);
        assert_eq!(
            prose("by 5 % at p = n, as $b$"),
            format!("by 5\u{a0}% at p\u{a0}=\u{a0}n, as {}", math("b", false))
        );
        assert_eq!(prose("where accuracies ≤ guesses"), "where accuracies ≤ guesses");
        assert_eq!(prose("5 $ and <b>"), "5 $ and &lt;b&gt;");
    }

    /// Every element that is opened is closed, in the right order, and has as many children as it needs.
    fn check(html: &str) {
        let mut open: Vec<(String, usize)> = Vec::new();
        for part in html.split('<').skip(1) {
            let (tag, _) = part.split_once('>').unwrap();
            match tag.strip_prefix('/') {
                Some(name) => {
                    let (opened, children) = open.pop().unwrap();
                    assert_eq!(opened, name, "{html}");
                    let wanted = match name {
                        "msub" | "msup" | "mfrac" | "mover" => 2,
                        "msubsup" => 3,
                        _ => continue,
                    };
                    assert_eq!(children, wanted, "{name} in {html}");
                }
                None => {
                    if let Some(parent) = open.last_mut() {
                        parent.1 += 1;
                    }
                    open.push((tag.split(' ').next().unwrap().into(), 0));
                }
            }
        }
        assert!(open.is_empty(), "{html}");
    }

    #[test]
    fn groups_without_end_take_no_stack() {
        for piece in ["{", "√", "x^", "x_{", "{a}/{", "ᵢ"] {
            check(&math(&piece.repeat(100_000), false));
        }
    }

    #[test]
    fn whatever_the_text_is_it_is_well_formed() {
        let pieces =
            ["{", "}", "^", "_", "/", "√", "\"", "x", "²", "ᵢ", "<script>", "&", "‖", "3.", "θ̂", "$", " "];
        for a in pieces {
            for b in pieces {
                for c in pieces {
                    for d in ["", "{a}/{", "x_"] {
                        let html = math(&format!("{d}{a}{b}{c}"), true);
                        assert!(!html.contains("<script"));
                        check(&html);
                    }
                }
            }
        }
    }
}
