//! A dataset in two parts, and in many.

use rand::seq::SliceRandom;

use super::Dataset;
use crate::memory::{collected, filled, reserve, with_room};
use crate::rng::{Purpose, stream};
use crate::text::count;
use crate::{Error, Result};

/// What the memory is for.
const SPLIT: &str = "the rows of a split";
const FOLDS: &str = "the rows of folds";

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
        self.partition(|row| chosen[row])
    }

    /// As [`split`](Self::split), with the share of every class the same in both parts, to within one
    /// row: each class gives ⌊`fraction`·nₖ⌋ rows, and the classes with the largest remainders give one
    /// more, until there are round(`fraction`·n).
    ///
    /// # Errors
    /// As [`split`](Self::split); [`Error::Data`] without class labels.
    pub fn stratified_split(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        check_fraction(fraction)?;
        let mut of_class = self.rows_of_classes("a stratified split needs class labels", SPLIT)?;
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
        self.partition(|row| chosen[row])
    }

    /// k pairs of a training and a test part for cross-validation: every row is in exactly one test part, and in
    /// the training parts of all other pairs. The sizes of the test parts differ by at most one row.
    ///
    /// Rows are in the order of this dataset; the same seed makes the same folds.
    ///
    /// ```
    /// use tapegrad::Dataset;
    ///
    /// let data = Dataset::new(vec![0.0, 1.0, 2.0, 3.0, 4.0], 1)?;
    /// let folds = data.folds(2, 1)?;
    /// assert_eq!((folds[0].0.len(), folds[0].1.len()), (2, 3));
    /// assert_eq!((folds[1].0.len(), folds[1].1.len()), (3, 2));
    /// # Ok::<(), tapegrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] if k is below 2 or above the number of rows; [`Error::Memory`] if there is not enough of
    /// it.
    pub fn folds(&self, k: usize, seed: u64) -> Result<Vec<(Dataset, Dataset)>> {
        self.check_folds(k)?;
        let mut order = collected(0..self.len(), FOLDS)?;
        order.shuffle(&mut stream(seed, Purpose::Split));
        self.dealt(&order, k)
    }

    /// As [`folds`](Self::folds), with the share of every class the same in all test parts, to within one row.
    ///
    /// # Errors
    /// As [`folds`](Self::folds); [`Error::Data`] without class labels.
    pub fn stratified_folds(&self, k: usize, seed: u64) -> Result<Vec<(Dataset, Dataset)>> {
        self.check_folds(k)?;
        let mut rng = stream(seed, Purpose::Split);
        let mut of_class = self.rows_of_classes("stratified folds need class labels", FOLDS)?;
        let mut order = with_room(self.len(), FOLDS)?;
        for rows in &mut of_class {
            rows.shuffle(&mut rng);
            order.append(rows);
        }
        self.dealt(&order, k)
    }

    fn check_folds(&self, k: usize) -> Result<()> {
        if (2..=self.len()).contains(&k) {
            return Ok(());
        }
        let why = format!(
            "{} of {}; allowed is 2 up to the number of rows",
            count(k, "fold"),
            count(self.len(), "row")
        );
        Err(Error::setting("folds", why))
    }

    /// The folds of rows that are dealt out in this order, like cards: the neighbours go to different folds.
    fn dealt(&self, order: &[usize], k: usize) -> Result<Vec<(Dataset, Dataset)>> {
        let mut fold_of = filled(self.len(), 0, FOLDS)?;
        order.iter().enumerate().for_each(|(at, row)| fold_of[*row] = at % k);
        let folds = (0..k).map(|fold| {
            let (test, train) = self.partition(|row| fold_of[row] == fold)?;
            Ok((train, test))
        });
        folds.collect()
    }

    /// The rows of each class, in their order.
    fn rows_of_classes(&self, otherwise: &str, what: &str) -> Result<Vec<Vec<usize>>> {
        let Some(labels) = self.labels() else {
            return Err(Error::Data(otherwise.into()));
        };
        self.check_one_label("strata")?;
        let mut of_class = filled(self.classes(), Vec::new(), what)?;
        for (rows, count) in of_class.iter_mut().zip(self.class_counts()) {
            reserve(rows, count, what)?;
        }
        for (row, label) in labels.iter().enumerate() {
            of_class[*label].push(row);
        }
        Ok(of_class)
    }

    fn partition(&self, chosen: impl Fn(usize) -> bool) -> Result<(Dataset, Dataset)> {
        let part = |wanted: bool| {
            let wanted = || (0..self.len()).filter(|row| chosen(*row) == wanted);
            let mut rows = with_room(wanted().count(), SPLIT)?;
            rows.extend(wanted());
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
    fn every_row_is_tested_once() {
        let labels: Vec<usize> = (0..53).map(|i| [0, 0, 0, 1, 1, 2][i % 6]).collect();
        let data = data(&labels);
        for (k, stratified) in [(2, false), (5, false), (53, false), (2, true), (5, true), (53, true)] {
            let folds = if stratified { data.stratified_folds(k, 3) } else { data.folds(k, 3) }.unwrap();
            assert_eq!(folds.len(), k);
            let mut tested = Vec::new();
            for (train, test) in &folds {
                assert_eq!(train.len() + test.len(), 53);
                assert!(test.len() == 53 / k || test.len() == 53 / k + 1);
                if stratified {
                    for (count, all) in test.class_counts().iter().zip(data.class_counts()) {
                        assert!(*count == all / k || *count == all / k + 1, "{count} of {all} in {k}");
                    }
                }
                let places = |part: &Dataset| (0..part.len()).map(|i| part.place(i)).collect::<Vec<_>>();
                assert!(places(train).is_sorted() && places(test).is_sorted());
                assert!(places(train).iter().all(|place| !places(test).contains(place)));
                // The features are the places.
                assert!(places(test).iter().map(|place| *place as f64).eq(test.to_rows::<f64>()));
                tested.extend(places(test));
            }
            tested.sort_unstable();
            assert!(tested.into_iter().eq(0..53));
        }
        let rows = |seed| data.folds(5, seed).unwrap()[0].1.to_rows::<f64>();
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
    }

    /// A subset of a subset, with features that were computed anew.
    #[test]
    fn places_outlive_subsets_and_preparation() {
        let data = data(&[0, 1, 2, 3, 0, 1]).subset(&[5, 1, 3, 2]);
        let projected =
            crate::data::preprocess::RandomProjection::new(1, 1, 0).unwrap().apply(&data).unwrap();
        let part = projected.subset(&[2, 0]);
        assert_eq!((part.place(0), part.place(1)), (3, 5));
        assert_eq!((part.label(0), part.label(1)), (3, 1));
    }

    #[test]
    fn wrong_settings() {
        let data = data(&[0, 1, 2]);
        for fraction in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(matches!(data.split(fraction, 0), Err(Error::Setting { .. })));
            assert!(matches!(data.stratified_split(fraction, 0), Err(Error::Setting { .. })));
        }
        for k in [0, 1, 4, usize::MAX] {
            let error = data.folds(k, 0).unwrap_err().to_string();
            let folds = count(k, "fold");
            assert_eq!(error, format!("folds: {folds} of 3 rows; allowed is 2 up to the number of rows"));
            assert!(matches!(data.stratified_folds(k, 0), Err(Error::Setting { .. })));
        }
        let plain = Dataset::new(vec![1.0f64], 1).unwrap();
        assert!(matches!(plain.stratified_folds(2, 0), Err(Error::Setting { .. })));
        let plain = plain.subset(&[0, 0]);
        assert!(matches!(plain.stratified_folds(2, 0), Err(Error::Data(_))));
        assert!(matches!(plain.stratified_split(0.5, 0), Err(Error::Data(_))));
    }
}
