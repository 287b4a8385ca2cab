//! Looks at the gradients of each epoch.

use serde::{Deserialize, Serialize};

use crate::store::{Settings, Store, Stored, lossless};
use crate::train::audit::update_ratio;
use crate::train::{Audit, Observer, Run};
use crate::{Float, Result};

/// Steps of an epoch that are looked at, at most. More of them would cost time and say little more.
const LOOKED_AT: u64 = 32;

/// The audit of each epoch: means over at most 32 of its steps, spread evenly over it and with the last one among them.
/// Steps that were left out do not count. Of an epoch without any there is no audit.
///
/// The last step alone would not do: at the end of a schedule the rate is 0 there, and nothing moves.
#[derive(Clone, Debug, Default)]
pub struct EpochAudited {
    /// Of the step that is going on.
    current: Option<Audit>,
    sums: Option<Sums>,
}

/// Over the steps that were looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sums {
    steps: u64,
    /// Everything that is a number is a sum.
    audit: Audit,
    /// ‖Δθ‖ of each parameter.
    #[serde(with = "lossless")]
    moved: Vec<f64>,
}

impl Sums {
    fn of(audit: Audit) -> Sums {
        Sums { steps: 1, moved: audit.moved().to_vec(), audit: audit.closed() }
    }

    /// Adds another step. Its activations are those of the same network, unless a module changes with the step: then the
    /// first ones, as many as both have.
    fn add(&mut self, other: &Audit) {
        self.steps += 1;
        self.moved.iter_mut().zip(other.moved()).for_each(|(sum, moved)| *sum += moved);
        for (sum, flow) in self.audit.params.iter_mut().zip(&other.params) {
            sum.gradient_norm += flow.gradient_norm;
            sum.weight_norm += flow.weight_norm;
        }
        for (sum, flow) in self.audit.activations.iter_mut().zip(&other.activations) {
            let add = |sum: &mut Option<f64>, share: Option<f64>| *sum = sum.zip(share).map(|(a, b)| a + b);
            add(&mut sum.dead, flow.dead);
            add(&mut sum.saturated, flow.saturated);
        }
    }

    fn means(self) -> Audit {
        let (mut audit, steps) = (self.audit, self.steps as f64);
        for (flow, moved) in audit.params.iter_mut().zip(self.moved) {
            // Of the means, so that a parameter that begins at 0 has a ratio as well.
            flow.update_ratio = update_ratio(moved, flow.weight_norm);
            flow.gradient_norm /= steps;
            flow.weight_norm /= steps;
        }
        for flow in &mut audit.activations {
            flow.dead = flow.dead.map(|share| share / steps);
            flow.saturated = flow.saturated.map(|share| share / steps);
        }
        audit
    }
}

/// Whether step `step` of `steps`, counted from 1, is one of those that are looked at.
fn is_looked_at(step: u64, steps: u64) -> bool {
    let (looked, steps) = (u128::from(LOOKED_AT.min(steps)), u128::from(steps.max(1)));
    let before = |step: u64| u128::from(step) * looked / steps;
    step > 0 && before(step) > before(step - 1)
}

impl<T: Float> Observer<T> for EpochAudited {
    fn gradient(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let looked_at = is_looked_at(run.progress.step as u64, run.progress.steps as u64);
        // Before clipping, which would hide a layer whose gradient explodes.
        self.current = run.total.filter(|_| looked_at).map(|total| Audit::before_step(run.tape, total));
        Ok(())
    }

    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let Some(mut audit) = self.current.take().filter(|_| !run.skip) else { return Ok(()) };
        audit.after_step(run.tape)?;
        match &mut self.sums {
            Some(sums) => sums.add(&audit),
            None => self.sums = Some(Sums::of(audit)),
        }
        Ok(())
    }

    fn epoch(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if let Some(epoch) = run.history.epochs.last_mut() {
            epoch.audit = self.sums.take().map(Sums::means);
        }
        Ok(())
    }

    fn store(&self, _: &mut Store) -> Result<Settings> {
        Ok(Settings::of("audit").with("sums", &self.sums))
    }

    fn restore(&mut self, _: &mut Run<'_, T>, settings: &Settings, _: &Stored) -> Result<()> {
        *self = EpochAudited { current: None, sums: settings.get("sums")? };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_spread_over_the_epoch() {
        for steps in [1, 2, 31, 32, 33, 100, 1875] {
            let looked: Vec<u64> = (1..=steps).filter(|step| is_looked_at(*step, steps)).collect();
            assert_eq!(looked.len() as u64, steps.min(LOOKED_AT), "{steps}");
            assert_eq!(looked.last(), Some(&steps));
            let gaps = looked.windows(2).map(|pair| pair[1] - pair[0]);
            let most = steps.div_ceil(LOOKED_AT);
            assert!(gaps.into_iter().all(|gap| gap <= most && gap + 1 >= most), "{steps}: {looked:?}");
        }
        assert!(!is_looked_at(0, 10) && !is_looked_at(1, 0));
    }

    /// By hand: two steps of descent on relu(w₁) + relu(w₂), at two rates.
    #[test]
    fn an_epoch_has_the_means_of_its_steps() {
        let mut tape = crate::Tape::new();
        let w = tape.param_slice(1, 2, &[3.0, -4.0]);
        let mut sums: Option<Sums> = None;
        for rate in [0.1, 0.2] {
            tape.rewind();
            let h = tape.relu(w);
            let loss = tape.sum(h);
            tape.zero_grad();
            tape.backward(loss);
            let mut audit = Audit::before_step(&tape, loss);
            crate::optim::Optimizer::new(crate::optim::Sgd, rate).unwrap().step(&mut tape).unwrap();
            audit.after_step(&tape).unwrap();
            match &mut sums {
                Some(sums) => sums.add(&audit),
                None => sums = Some(Sums::of(audit)),
            }
        }
        // As it is kept by a checkpoint.
        let kept = serde_json::to_string(&sums).unwrap();
        let audit = serde_json::from_str::<Option<Sums>>(&kept).unwrap().unwrap().means();
        let flow = &audit.params[0];
        let norms = 5.0 + (2.9f64 * 2.9 + 16.0).sqrt();
        assert_eq!((flow.gradient_norm, flow.weight_norm), (1.0, norms / 2.0));
        assert!((flow.update_ratio - 0.3 / norms).abs() < 1e-14, "{flow:?}");
        assert_eq!(audit.activations[0].dead, Some(0.5));
    }
}
