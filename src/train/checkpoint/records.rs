//! The records of the epochs, as rows of numbers.

use crate::Result;
use crate::store::Stored;
use crate::train::{Audit, Epoch};

/// Columns of the matrix of epochs: which of the numbers that an epoch may lack there are, its number and steps, and the
/// numbers.
pub(super) const COLUMNS: usize = 11;

pub(super) fn row_of(epoch: &Epoch) -> [f64; COLUMNS] {
    let may_lack = [epoch.train_accuracy, epoch.validation_loss, epoch.validation_accuracy];
    let there = may_lack.iter().rev().fold(0u32, |bits, x| 2 * bits + u32::from(x.is_some()));
    let [accuracy, validation_loss, validation_accuracy] = may_lack.map(|x| x.unwrap_or(0.0));
    [
        f64::from(there),
        epoch.epoch as f64,
        epoch.steps as f64,
        epoch.lr,
        epoch.train_loss,
        accuracy,
        epoch.gradient_norm,
        validation_loss,
        validation_accuracy,
        epoch.seconds,
        epoch.samples_per_second,
    ]
}

/// The records of a file's epochs.
pub(super) fn epochs_of(from: &Stored, audits: &[(usize, Audit)]) -> Result<Vec<Epoch>> {
    // A loss that has grown beyond every number is a record too.
    let rows = from.any_numbers::<f64>("epochs")?;
    let (rows, rest) = rows.as_slice().as_chunks::<COLUMNS>();
    let mut epochs: Vec<Epoch> = rows
        .iter()
        .map(|row| {
            let [there, epoch, steps, lr, train_loss, accuracy, gradient_norm, loss, found, seconds, rate] =
                *row;
            let has = |bit: u32, x: f64| (there as u32 >> bit & 1 == 1).then_some(x);
            Epoch {
                epoch: epoch as usize,
                steps: steps as u64,
                lr,
                train_loss,
                train_accuracy: has(0, accuracy),
                gradient_norm,
                validation_loss: has(1, loss),
                validation_accuracy: has(2, found),
                audit: None,
                seconds,
                samples_per_second: rate,
            }
        })
        .collect();
    for (i, audit) in audits {
        match epochs.get_mut(*i) {
            Some(epoch) => epoch.audit = Some(audit.clone()),
            None => return Err(from.refused(format!("an audit of epoch {}, of {}", i + 1, epochs.len()))),
        }
    }
    if !rest.is_empty() || epochs.iter().enumerate().any(|(i, epoch)| epoch.epoch != i + 1) {
        return Err(from.refused("its epochs do not fit together".into()));
    }
    Ok(epochs)
}
