//! A dataset in two parts.

use rand::seq::SliceRandom;

use super::Dataset;
use super::memory::{collected, filled, reserve, with_room};
use crate::rng::{Purpose, stream};
use crate::{Error, Result};

/// What the memory is for.
const SPLIT: &str = "the rows of a split";

impl Dataset {
    /// A random part of round(`fraction`·n) rows and the rest, both in the order of this dataset.
    ///
    /// The same seed makes the same split. Features are shared, not copied.
    ///
    /// # Errors
    /// [`Error::Setting`] if `fraction` is not between 0 and 1; [`Error::Memory`] if there is not enough of it.
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        check_fraction(fraction)?;
        let mut order = collected(0..self.len(), SPLIT)?;
        order.shuffle(&mut stream(seed, Purpose::Split));
        let taken = (fraction * self.len() as f64).round() as usize;
        let mut chosen = filled(self.len(), false, SPLIT)?;
        order[..taken].iter().for_each(|row| chosen[*row] = true);
        self.partition(&chosen)
    }

    /// As [`split`](Self::split), with the share of every class the same in both parts, to within one
    /// row: each class gives ⌊`fraction`·nₖ⌋ rows, and the classes with the largest remainders give one
    /// more, until there are round(`fraction`·n).
    ///
    /// # Errors
    /// As [`split`](Self::split); [`Error::Data`] without class labels.
    pub fn stratified_split(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        check_fraction(fraction)?;
        let Some(labels) = self.labels() else {
            return Err(Error::Data("a stratified split needs class labels".into()));
        };
        let mut of_class = filled(self.classes(), Vec::new(), SPLIT)?;
        for (rows, count) in of_class.iter_mut().zip(self.class_counts()) {
            reserve(rows, count, SPLIT)?;
        }
        for (row, label) in labels.iter().enumerate() {
            of_class[*label as usize].push(row);
        }
        let exact: Vec<f64> = of_class.iter().map(|rows| fraction * rows.len() as f64).collect();
        let mut quota: Vec<usize> = exact.iter().map(|x| x.floor() as usize).collect();
        let wanted = (fraction * self.len() as f64).round() as usize;
        let mut by_remainder: Vec<usize> = (0..self.classes()).collect();
        // Stable: equal remainders go by class index.
        by_remainder.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
        let missing = wanted.saturating_sub(quota.iter().sum());
        by_remainder.iter().take(missing).for_each(|class| quota[*class] += 1);

        let mut rng = stream(seed, Purpose::Split);
        let mut chosen = filled(self.len(), false, SPLIT)?;
        for (rows, quota) in of_class.iter_mut().zip(quota) {
            rows.shuffle(&mut rng);
            rows[..quota].iter().for_each(|row| chosen[*row] = true);
        }
        self.partition(&chosen)
    }

    fn partition(&self, chosen: &[bool]) -> Result<(Dataset, Dataset)> {
        let part = |wanted: bool| {
            let count = chosen.iter().filter(|chosen| **chosen == wanted).count();
            let mut rows = with_room(count, SPLIT)?;
            rows.extend((0..self.len()).filter(|row| chosen[*row] == wanted));
            self.try_subset(&rows)
        };
        Ok((part(true)?, part(false)?))
    }
}

fn check_fraction(fraction: f64) -> Result<()> {
    if fraction > 0.0 && fraction < 1.0 {
        return Ok(());
    }
    Err(Error::setting("fraction", format!("{fraction} is not between 0 and 1")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(labels: &[usize]) -> Dataset {
        let values: Vec<f64> = (0..labels.len()).map(|i| i as f64).collect();
        Dataset::new(values, 1).unwrap().with_labels(labels, 4).unwrap()
    }

    #[test]
    fn both_parts_together_are_the_whole() {
        let labels: Vec<usize> = (0..103).map(|i| i % 7 % 4).collect();
        let data = data(&labels);
        for fraction in [0.001, 0.1, 0.5, 0.8, 0.999] {
            for stratified in [false, true] {
                let split = |seed| {
                    if stratified {
                        data.stratified_split(fraction, seed)
                    } else {
                        data.split(fraction, seed)
                    }
                };
                let (a, b) = split(1).unwrap();
                assert_eq!(a.len(), (fraction * 103.0).round() as usize);
                let mut rows = [a.to_rows::<f64>(), b.to_rows()].concat();
                rows.sort_by(f64::total_cmp);
                assert_eq!(rows, data.to_rows::<f64>());
                // Labels go with their rows.
                for part in [&a, &b] {
                    for (i, row) in part.to_rows::<f64>().into_iter().enumerate() {
                        assert_eq!(part.label(i), labels[row as usize]);
                    }
                }
                assert_eq!(split(1).unwrap().0.to_rows::<f64>(), a.to_rows::<f64>());
            }
        }
        assert_ne!(
            data.split(0.5, 1).unwrap().0.to_rows::<f64>(),
            data.split(0.5, 2).unwrap().0.to_rows::<f64>()
        );
    }

    #[test]
    fn strata_keep_their_shares() {
        let labels = [vec![0; 50], vec![1; 30], vec![2; 7], vec![3; 1]].concat();
        let (a, b) = data(&labels).stratified_split(0.8, 5).unwrap();
        // 40, 24, 5.6 and 0.8 of 88·0.8 = 70.4: one remainder is rounded up.
        assert_eq!(a.class_counts(), [40, 24, 5, 1]);
        assert_eq!(b.class_counts(), [10, 6, 2, 0]);
    }

    #[test]
    fn wrong_settings() {
        let data = data(&[0, 1, 2]);
        for fraction in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(matches!(data.split(fraction, 0), Err(Error::Setting { .. })));
            assert!(matches!(data.stratified_split(fraction, 0), Err(Error::Setting { .. })));
        }
        let plain = Dataset::new(vec![1.0f64], 1).unwrap();
        assert!(matches!(plain.stratified_split(0.5, 0), Err(Error::Data(_))));
    }
}
