//! What the page of a run shows where the images themselves are told.

use super::Shown;
use crate::data::Dataset;
use crate::report::{Figure, Image, Images, Section, Table, rounded};
use crate::text::count;

/// Test images, and what the model made of each.
#[derive(Clone, Copy, Debug)]
pub struct Reconstructed<'a> {
    /// What the model was measured on; where its samples are no images, none are drawn.
    pub test: &'a Dataset,
    /// What came back, row-major: a number for each number of each sample, where 0 is white and 1 is black.
    pub told: &'a [f64],
}

/// Images in a line, above what came back of them.
const COLUMNS: usize = 10;

/// How many of the largest errors stand in the table.
const LARGEST: usize = 20;

/// A sample and the mean squared error of what came back of it.
type Found = (usize, f64);

impl Reconstructed<'_> {
    /// All numbers of a sample.
    fn sample(&self, i: usize) -> Vec<f64> {
        let mut row = vec![0.0; self.test.features()];
        self.test.gather(&[i], &mut row);
        row
    }

    fn told_of(&self, i: usize) -> &[f64] {
        &self.told[i * self.test.features()..][..self.test.features()]
    }

    /// The samples in their order with their errors.
    fn errors(&self) -> Vec<Found> {
        let error = |i: usize| mean_square(self.sample(i).iter().zip(self.told_of(i)).map(|(x, y)| x - y));
        (0..self.test.len()).map(|i| (i, error(i))).collect()
    }

    /// The same with the largest first, and of equal ones the first sample.
    fn worst(&self) -> Vec<Found> {
        let mut errors = self.errors();
        errors.sort_by(|a, b| b.1.total_cmp(&a.1));
        errors
    }

    /// The mean squared error of who gives their mean for every sample.
    fn error_of_mean(&self) -> f64 {
        let mut mean = vec![0.0; self.test.features()];
        let samples = || (0..self.test.len()).map(|i| self.sample(i));
        samples().for_each(|x| mean.iter_mut().zip(x).for_each(|(sum, x)| *sum += x));
        mean.iter_mut().for_each(|sum| *sum /= self.test.len() as f64);
        mean_square(samples().flat_map(|x| x.into_iter().zip(&mean).map(|(x, m)| x - m).collect::<Vec<_>>()))
    }

    /// Each of these samples, and below it what came back and its error.
    fn pairs(&self, (height, width): (usize, usize), found: &[Found]) -> Images {
        let image = |numbers: &[f64]| {
            let bytes: Vec<u8> = numbers.iter().map(|x| (x.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
            Image::from_bytes(&bytes, height, width)
        };
        let class = |i: usize| match self.test.labels() {
            Some(_) => self.test.class_name(self.test.label(i)).into_owned(),
            None => String::new(),
        };
        // Where the last line is not full, those below begin at its left all the same.
        let columns = COLUMNS.min(found.len());
        let lines = found.chunks(columns.max(1)).flat_map(|line| {
            let above = line.iter().map(|(i, _)| (image(&self.sample(*i)), class(*i)));
            let below = line.iter().map(|(i, error)| (image(self.told_of(*i)), format!("{error:.3}")));
            above.chain(below).collect::<Vec<_>>()
        });
        Images::new(columns, lines)
    }
}

/// NaN where there are none.
fn mean_square(numbers: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), x| (sum + x * x, count + 1.0));
    sum / count
}

impl Shown for Reconstructed<'_> {
    fn loss(&self) -> (&'static str, f64) {
        ("loss", 1.0)
    }

    fn headline(&self) -> &'static [(&'static str, &'static str)] {
        &[("test_mean_squared_error", "mean squared error"), ("test_rmse", "RMSE")]
    }

    fn left_out(&self) -> &'static str {
        "The images themselves are told, and no classes: there is neither an accuracy nor a confusion matrix."
    }

    fn figures(&self, section: &mut Section) {
        let (samples, features, told) = (self.test.len(), self.test.features(), self.told.len());
        assert!(
            samples.checked_mul(features) == Some(told),
            "run report: {} came back of {} of {features}",
            count(told, "number"),
            count(samples, "sample")
        );
        let Some(shape) = self.test.image_shape().filter(|_| samples > 0) else { return };
        let (errors, worst) = (self.errors(), self.worst());
        let mean = errors.iter().map(|(_, error)| error).sum::<f64>() / samples as f64;
        let of_mean = self.error_of_mean();
        let shares = match samples {
            1 => format!("There is one image, and its error is {mean:.4}."),
            _ => format!(
                "Over all {} that error is {mean:.4}; that of their mean, told of every one, would be \
                 {of_mean:.4}.",
                count(samples, "image")
            ),
        };
        let first = Figure::new(
            "reconstructions",
            "Images and what came back",
            format!(
                "The first test images, and below each what the model made of its code, with its mean squared error. \
                 {shares}"
            ),
        );
        section.figure(&first.panel(self.pairs(shape, &errors[..samples.min(COLUMNS)])));
        let last = Figure::new(
            "worst",
            "Worst reconstructions",
            match samples {
                1 => "The same image.".into(),
                _ => format!(
                    "Of {} those with the largest errors, from {} down to {}, likewise.",
                    count(samples, "test image"),
                    rounded(worst[0].1, 3),
                    rounded(worst[samples.min(COLUMNS) - 1].1, 3)
                ),
            },
        );
        section.figure(&last.panel(self.pairs(shape, &worst[..samples.min(COLUMNS)])));
    }

    fn tables(&self, section: &mut Section) {
        let mut table = Table::new("errors", "Largest errors", ["test sample", "mean squared error"]);
        self.worst().iter().take(LARGEST).for_each(|(i, error)| table.row([(*i).into(), (*error).into()]));
        section.table(table);
        if self.test.labels().is_none() || self.test.labels_per_row() != 1 {
            return;
        }
        let columns = ["class", "test samples", "mean squared error"];
        let (mut table, errors) = (Table::new("classes", "By class", columns), self.errors());
        for class in 0..self.test.classes() {
            let of_class = errors.iter().filter(|(i, _)| self.test.label(*i) == class);
            let (sum, count) = of_class.fold((0.0, 0usize), |(sum, n), (_, error)| (sum + error, n + 1));
            let name = self.test.class_name(class).into_owned();
            table.row([name.into(), count.into(), (sum / count as f64).into()]);
        }
        section.table(table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{RunReport, Told};
    use crate::train::Trace;

    fn page(test: &Dataset, told: &[f64]) -> String {
        let told = Told::Images(Reconstructed { test, told });
        RunReport { trace: &Trace::default(), told, data: "", command: "" }.page().html()
    }

    /// Twelve images of one grey each: more than stand in a line.
    fn greys() -> (Dataset, Vec<f64>) {
        let pixels: Vec<f64> = (0..48).map(|i| f64::from(i / 4) / 12.0).collect();
        let test = Dataset::new(pixels.clone(), 4).unwrap().with_image_shape(2, 2).unwrap();
        (test.with_labels(&[0, 1].repeat(6), 2).unwrap(), pixels)
    }

    #[test]
    fn a_page_of_images() {
        let (test, same) = greys();
        let right = page(&test, &same);
        // Mean of (k/12 − 5.5/12)² over k from 0 to 11.
        let shares = "Over all 12 images that error is 0.0000; that of their mean, told of every one, would be 0.0828.";
        assert!(right.contains(shares), "{right}");
        assert!(right.contains("nor a confusion matrix.") && !right.contains(">recall<"), "{right}");
        let mut other = same.clone();
        // The last of all: it is among the worst, but not among the first.
        other[44..].fill(0.25);
        let wrong = page(&test, &other);
        let error = (11.0f64 / 12.0 - 0.25).powi(2);
        assert!(wrong.contains(&format!("{error:.3}<")), "{wrong}");
        assert_eq!(right.matches("data:image/png").count(), wrong.matches("data:image/png").count());
        assert_eq!(right.matches("data:image/png").count(), 40);
        let table = wrong.split("Largest errors").last().unwrap();
        assert!(table.find(">11<") < table.find(">0<"), "{table}");
        assert!(wrong.contains("By class") && wrong.contains("Worst reconstructions"));
    }

    #[test]
    fn samples_that_are_no_images_or_none_at_all() {
        let rows = Dataset::new(vec![0.5; 6], 3).unwrap();
        let html = page(&rows, &[0.5; 6]);
        assert!(
            html.contains("Largest errors") && !html.contains("data:image/png") && !html.contains("By class")
        );
        let none = Dataset::new(Vec::<f64>::new(), 4).unwrap().with_image_shape(2, 2).unwrap();
        assert!(!page(&none, &[]).contains("data:image/png"));
    }

    #[test]
    #[should_panic(expected = "run report: 47 numbers came back of 12 samples of 4")]
    fn numbers_that_do_not_pair() {
        page(&greys().0, &[0.0; 47]);
    }
}
