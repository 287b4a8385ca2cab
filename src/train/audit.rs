//! The audit of gradient flow: whether every layer learns, and at what pace.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::store::lossless;
use crate::tape::{Param, Tape, Var};
use crate::text::printable;
use crate::{Error, Float, Result};

/// A saturated entry has less than this share of the activation's steepest slope.
const FLAT: f64 = 0.01;

/// What one training step did to each parameter, and what its activations looked like. That of an epoch has means over
/// some of its steps, and the ratio of the means: see [`EpochAudited`](super::observers::EpochAudited).
///
/// Gradients that fall from layer to layer towards the inputs vanish; ratios of update to weight around
/// 10⁻³ are usual, and those of layers should not lie orders of magnitude apart. Glorot and Bengio,
/// *Understanding the difficulty of training deep feedforward neural networks*, AISTATS 2010.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::optim::{Optimizer, Sgd};
/// use tapegrad::train::Audit;
///
/// let mut tape = Tape::new();
/// let w = tape.param_slice(1, 2, &[3.0, -4.0]);
/// tape.set_name(w, "w");
/// let mut optimizer = Optimizer::new(Sgd, 0.1)?;
/// let h = tape.relu(w);
/// let loss = tape.sum(h);
/// tape.zero_grad();
/// tape.backward(loss);
/// let mut audit = Audit::before_step(&tape, loss);
/// optimizer.step(&mut tape)?;
/// audit.after_step(&tape)?;
/// assert_eq!(audit.params[0].gradient_norm, 1.0);
/// assert!((audit.params[0].update_ratio - 0.1 / 5.0).abs() < 1e-12);
/// assert_eq!(audit.activations[0].dead, Some(0.5));
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Every trained parameter, in the order of the arena.
    pub params: Vec<ParamFlow>,
    /// Every activation that can die or saturate, in the order of the tape.
    pub activations: Vec<ActivationFlow>,
    /// Names of the trained parameters with no path to the loss: nothing ever moves them.
    pub without_path: Vec<String>,
    /// Values before the step.
    #[serde(skip)]
    before: Vec<f64>,
    /// ‖Δθ‖₂ of every parameter, after the step.
    #[serde(skip)]
    moved: Vec<f64>,
    /// The first parameter of the tape that was looked at, which no other tape has.
    #[serde(skip)]
    first: Option<Param>,
}

/// One parameter in an [`Audit`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParamFlow {
    /// Its name, or `p3` where it has none.
    pub name: String,
    /// ‖g‖₂.
    #[serde(with = "lossless")]
    pub gradient_norm: f64,
    /// ‖θ‖₂ before the step.
    #[serde(with = "lossless")]
    pub weight_norm: f64,
    /// ‖Δθ‖₂/‖θ‖₂: 0 where nothing moves, ∞ where a parameter of zeros does. NaN before
    /// [`after_step`](Audit::after_step).
    #[serde(with = "lossless")]
    pub update_ratio: f64,
}

/// One activation in an [`Audit`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivationFlow {
    /// The operation, and its number among those of its name: `relu2`.
    pub name: String,
    /// Of `relu`: the share of units (columns) that are 0 for every sample of the batch.
    #[serde(with = "lossless")]
    pub dead: Option<f64>,
    /// Of `sigmoid` and `tanh`: the share of entries whose slope is below a hundredth of the steepest.
    #[serde(with = "lossless")]
    pub saturated: Option<f64>,
}

impl Audit {
    /// Without what only [`after_step`](Self::after_step) needs.
    pub(super) fn closed(self) -> Audit {
        Audit { before: Vec::new(), moved: Vec::new(), first: None, ..self }
    }

    /// ‖Δθ‖₂ of every trained parameter; empty before [`after_step`](Self::after_step).
    pub(super) fn moved(&self) -> &[f64] {
        &self.moved
    }

    /// Looks at the gradients and the activations that stand on `tape` after a backward pass from `loss`.
    ///
    /// # Panics
    /// If `loss` is stale.
    #[track_caller]
    pub fn before_step<T: Float>(tape: &Tape<T>, loss: Var) -> Audit {
        let name = |p| match tape.name(p) {
            "" => p.to_string(),
            name => name.to_string(),
        };
        let params = tape.params().filter(|p| tape.is_trained(*p)).map(|p| ParamFlow {
            name: name(p),
            gradient_norm: norm(tape.grad_slice(p)),
            weight_norm: norm(tape.value_slice(p)),
            update_ratio: f64::NAN,
        });
        let mut activations = Vec::new();
        let mut counts = [("relu", 0), ("sigmoid", 0), ("tanh", 0)];
        for v in tape.vars() {
            let Some((op, count)) = counts.iter_mut().find(|(op, _)| *op == tape.op_name(v)) else {
                continue;
            };
            *count += 1;
            let (y, shape) = (tape.value_slice(v), tape.shape(v));
            activations.push(ActivationFlow {
                name: format!("{op}{count}"),
                dead: (*op == "relu").then(|| dead(y, shape.cols)),
                saturated: (*op != "relu").then(|| saturated(y, *op == "tanh")),
            });
        }
        Audit {
            params: params.collect(),
            activations,
            without_path: tape.params_without_path(loss).into_iter().map(name).collect(),
            before: tape.param_values().iter().map(|x| x.to_f64()).collect(),
            moved: Vec::new(),
            first: tape.params().next(),
        }
    }

    /// Looks at how far the optimizer's step has moved every parameter.
    ///
    /// # Errors
    /// [`Error::Data`] if the parameters are not those of [`before_step`](Audit::before_step).
    pub fn after_step<T: Float>(&mut self, tape: &Tape<T>) -> Result<()> {
        let trained: Vec<_> = tape.params().filter(|p| tape.is_trained(*p)).collect();
        let same = tape.params().next() == self.first && tape.param_numbers() == self.before.len();
        if trained.len() != self.params.len() || !same {
            return Err(Error::Data("audit: the parameters are not those of before the step".into()));
        }
        let mut offset = 0;
        self.moved.clear();
        let mut flows = self.params.iter_mut();
        for p in tape.params() {
            let now = tape.value_slice(p);
            let before = &self.before[offset..][..now.len()];
            offset += now.len();
            if !tape.is_trained(p) {
                continue;
            }
            let moved = || now.iter().zip(before).map(|(x, b)| x.to_f64() - b);
            let squares: f64 = moved().map(|d| d * d).sum();
            let moved = if squares.is_normal() { squares.sqrt() } else { scaled_norm(moved) };
            self.moved.push(moved);
            if let Some(flow) = flows.next() {
                flow.update_ratio = update_ratio(moved, flow.weight_norm);
            }
        }
        self.before = Vec::new();
        Ok(())
    }

    /// Names and values, as a row of a table: `gradient_norm:w1`, `update_ratio:w1`, `dead:relu1`,
    /// `saturated:tanh1`.
    pub fn figures(&self) -> Vec<(String, f64)> {
        let mut figures = Vec::new();
        for flow in &self.params {
            figures.push((format!("gradient_norm:{}", flow.name), flow.gradient_norm));
            figures.push((format!("update_ratio:{}", flow.name), flow.update_ratio));
        }
        for flow in &self.activations {
            for (what, share) in [("dead", flow.dead), ("saturated", flow.saturated)] {
                figures.extend(share.map(|share| (format!("{what}:{}", flow.name), share)));
            }
        }
        figures
    }
}

/// ‖Δθ‖/‖θ‖: see [`ParamFlow::update_ratio`].
pub(super) fn update_ratio(moved: f64, weight_norm: f64) -> f64 {
    if moved == 0.0 { 0.0 } else { moved / weight_norm }
}

/// In f64 and by its largest entry, so that gradients that all but vanish still have a norm.
fn norm<T: Float>(x: &[T]) -> f64 {
    scaled_norm(|| x.iter().map(|x| x.to_f64()))
}

/// The root of the sum of squares, where the squares may be no numbers.
fn scaled_norm<I: Iterator<Item = f64>>(numbers: impl Fn() -> I) -> f64 {
    let largest = numbers().fold(0.0f64, |largest, x| largest.max(x.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return numbers().map(|x| x * x).sum::<f64>().sqrt();
    }
    largest * numbers().map(|x| (x / largest) * (x / largest)).sum::<f64>().sqrt()
}

/// Share of the columns that are 0 in every row; 0 where there are none.
fn dead<T: Float>(y: &[T], cols: usize) -> f64 {
    let mut alive = vec![false; cols];
    for row in y.chunks(cols.max(1)) {
        alive.iter_mut().zip(row).for_each(|(alive, y)| *alive |= *y != T::ZERO);
    }
    share(alive.iter().filter(|alive| !**alive).count(), cols)
}

/// Share of the entries of y = tanh x or y = σ(x) where the slope is small; 0 where there are none.
fn saturated<T: Float>(y: &[T], tanh: bool) -> f64 {
    // tanh' = 1 − y², at most 1; σ' = y(1 − y), at most ¼.
    let slope = |y: f64| if tanh { 1.0 - y * y } else { 4.0 * y * (1.0 - y) };
    share(y.iter().filter(|y| slope(y.to_f64()) < FLAT).count(), y.len())
}

fn share(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

/// A table: a line for each parameter, and one for each activation.
impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |flow: &ParamFlow| printable(&flow.name).chars().count();
        let wide = self.params.iter().map(shown).max().unwrap_or(0).max(9);
        writeln!(
            f,
            "{:<wide$}  {:>10}  {:>10}  {:>13}",
            "parameter", "|gradient|", "|weights|", "update/weight"
        )?;
        for flow in &self.params {
            let ParamFlow { name, gradient_norm, weight_norm, update_ratio } = flow;
            let name = printable(name);
            writeln!(
                f,
                "{name:<wide$}  {gradient_norm:>10.3e}  {weight_norm:>10.3e}  {update_ratio:>13.3e}"
            )?;
        }
        for ActivationFlow { name, dead, saturated } in &self.activations {
            for (what, share) in [("dead units", dead), ("saturated entries", saturated)] {
                if let Some(share) = share {
                    writeln!(f, "{name}: {:.1} % {what}", 100.0 * share)?;
                }
            }
        }
        for name in &self.without_path {
            writeln!(f, "{} has no path to the loss: nothing moves it", printable(name))?;
        }
        Ok(())
    }
}
