//! What the page of a run shows where it is told how a text goes on.

use super::Shown;
use crate::data::Dataset;
use crate::models::{Predictor, Sampling, generate};
use crate::report::{Section, Table};
use crate::text::printable;
use crate::{Error, Result};

/// The beginning of a piece of the test text, how the model goes on with it, and how the text does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continued {
    /// What the model was given.
    pub prompt: Vec<u8>,
    /// What it drew.
    pub drawn: Vec<u8>,
    /// What stands in the text.
    pub text: Vec<u8>,
}

/// How many pieces of the test text are shown.
const PIECES: usize = 6;

impl Continued {
    /// Pieces of a test text that lie equally far apart: the model is given the first half of a window, and draws as many
    /// bytes as the rest of it has, by [`Sampling::default`].
    ///
    /// # Errors
    /// [`Error::Data`] if the model is none of text, or the samples are no windows of a text; [`Error::NonFinite`] if a
    /// score is not finite.
    pub fn of_test(model: &dyn Predictor, test: &Dataset) -> Result<Vec<Continued>> {
        let (len, context) = (test.len(), test.features());
        let Some(labels) = test.labels().filter(|_| test.labels_per_row() == context && context > 1) else {
            return Err(Error::Data("samples with one answer each are no windows of a text".into()));
        };
        let mut window = vec![0.0; context];
        let pieces = (0..PIECES.min(len)).map(|k| k * len / PIECES.min(len));
        let continued = pieces.map(|i| {
            test.gather(&[i], &mut window);
            // The bytes of the window, and the one behind it, which is the label of its last.
            let mut text: Vec<u8> = window.iter().map(|byte| *byte as u8).collect();
            text.push(labels[(i + 1) * context - 1] as u8);
            let text_behind = text.split_off(context / 2);
            let drawn = generate(model, &text, Sampling::default())?.take(text_behind.len());
            Ok(Continued { drawn: drawn.collect::<Result<_>>()?, prompt: text, text: text_behind })
        });
        continued.collect()
    }
}

/// Bytes for people, in a line.
fn shown(bytes: &[u8]) -> String {
    printable(&String::from_utf8_lossy(bytes)).into_owned()
}

impl Shown for &[Continued] {
    fn loss(&self) -> (&'static str, f64) {
        // The loss is a cross-entropy by the natural logarithm.
        ("bits a byte", std::f64::consts::LN_2.recip())
    }

    fn headline(&self) -> &'static [(&'static str, &'static str)] {
        &[("test_bits_per_byte", "bits a byte")]
    }

    fn left_out(&self) -> &'static str {
        "There is no confusion matrix: what follows a byte is one of 256 others, and a model that knows the text well \
         takes many of them for each other where either may stand."
    }

    fn figures(&self, _: &mut Section) {}

    fn tables(&self, section: &mut Section) {
        let columns = ["the test text", "as the model goes on", "as the text goes on"];
        let caption = "Pieces of the test text, continued by draws of the model at temperature 1";
        let mut table = Table::new("continued", caption, columns);
        for Continued { prompt, drawn, text } in self.iter() {
            table.row([shown(prompt).into(), shown(drawn).into(), shown(text).into()]);
        }
        section.table(table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Text;
    use crate::models::{Gpt, Network, Trunk};
    use crate::report::{RunReport, Told};
    use crate::train::{Epoch, FitOptions, Trace};

    #[test]
    fn a_page_of_texts() {
        let windows = Text::new("<b>\n".repeat(30)).windows(8, 4).unwrap();
        let form = Gpt { trunk: Trunk { blocks: 1, width: 16, ..Trunk::default() }, ..Gpt::new(8) };
        let net = Network::<f32>::new(1).made_by(&windows, |tape, _, _, rng| form.build(tape, rng));
        let mut net = net.unwrap();
        net.fit(&windows, &FitOptions::new(60, 4, 1)).unwrap();
        let found = Continued::of_test(&net, &windows).unwrap();
        assert_eq!(found.len(), PIECES);
        for piece in &found {
            assert_eq!((&piece.prompt[..], &piece.text[..]), (&b"<b>\n"[..], &b"<b>\n<"[..]));
            // It knows the text by heart.
            assert_eq!(piece.drawn, piece.text);
        }
        let epoch = Epoch {
            epoch: 1,
            steps: 1,
            lr: 0.1,
            train_loss: 8.0 * std::f64::consts::LN_2,
            train_accuracy: Some(0.5),
            gradient_norm: 1.0,
            validation_loss: None,
            validation_accuracy: None,
            audit: None,
            seconds: 1.0,
            samples_per_second: 1.0,
        };
        let results = vec![("test_bits_per_byte".to_string(), 0.25)];
        let trace = Trace { epochs: vec![epoch], results, ..Trace::default() };
        let html =
            RunReport { trace: &trace, told: Told::Texts(&found), data: "", command: "" }.page().html();
        for part in
            ["There is no confusion matrix", "bits a byte 0.2500", "&lt;b&gt;\\n", "as the text goes on"]
        {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("<b>\n"), "{html}");
    }

    #[test]
    fn what_is_no_text_is_named() {
        let windows = Text::new("abcabcabcabc").windows(4, 4).unwrap();
        let rows = Dataset::new(vec![0.0; 8], 4).unwrap().with_labels(&[0, 1], 2).unwrap();
        let net = Network::<f32>::new(1).linear(2).outputs_for(&rows).unwrap();
        let error = |test: &Dataset| Continued::of_test(&net, test).unwrap_err().to_string();
        assert_eq!(error(&rows), "samples with one answer each are no windows of a text");
        assert!(error(&windows).contains("text"), "{}", error(&windows));
    }
}
