//! The optimizers: one file each; this is the table of contents, and the table by name.
//!
//! [`Optimizer`] holds what all of them share: the rate, weight decay, groups of parameters, and one
//! buffer for what is remembered. A [`Rule`] is what differs: one pass over a slot of the arena.
//!
//! | name | θ ← | remembers |
//! |---|---|---|
//! | [`Sgd`] | θ − ηg | nothing |
//! | [`Momentum`] | θ − ηv, v ← βv + g | v |
//! | [`Nesterov`] | θ − η(g + βv), v ← βv + g | v |
//! | [`AdaGrad`] | θ − ηg/(√s + ε), s ← s + g² | s |
//! | [`RmsProp`] | θ − ηg/√(v + ε), v ← ρv + (1−ρ)g² | v |
//! | [`Adam`] | θ − ηm̂/(√v̂ + ε) | m, v |
//! | [`AdamW`] | (1 − ηλ)θ − ηm̂/(√v̂ + ε) | m, v |
//! | [`Lbfgs`] | θ + ηd, d = −Hg, H from the last steps; a [`Minimizer`] | s, y of m steps |
//! | [`NewtonCg`] | θ + ηd, d ≈ −(∂²f)⁻¹g by products; a [`Minimizer`] | nothing |
//!
//! Around a step: [`schedule`] says at which rate, [`Clip`] bounds the gradients before it, [`Average`]
//! averages the parameters after it.
//!
//! Weight decay λ is coupled (g ← g + λθ, the gradient of ½λ‖θ‖²) in all of them but AdamW.
//!
//! A [`Minimizer`] may ask for the function as often as it needs, and [`minimize`] goes down with it to a minimum.
//!
//! To add an optimizer, add a file with its [`Rule`], and a line to the table in [`optimizers`].

mod adagrad;
mod adam;
mod adamw;
mod average;
mod clip;
mod minimize;
mod momentum;
mod nesterov;
mod optimizer;
mod rmsprop;
pub mod schedule;
mod sgd;

pub use adagrad::AdaGrad;
pub use adam::Adam;
pub use adamw::AdamW;
pub use average::Average;
pub use clip::{Clip, Clipped, NonFinite};
pub use minimize::{
    Ended, Lbfgs, MinimizeOptions, Minimizer, Minimum, NewtonCg, Point, minimize, minimize_observed,
};
pub use momentum::Momentum;
pub use nesterov::Nesterov;
pub use optimizer::{Group, Optimizer};
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

use crate::settings::{self, Range};
use crate::tape::{Param, Tape};
use crate::{Error, Float, Result};

/// What distinguishes one optimizer from another.
///
/// ```
/// use tapegrad::optim::{Optimizer, Rule, Step};
///
/// /// θ ← θ − η·sign(g).
/// struct SignSgd;
///
/// impl Rule<f64> for SignSgd {
///     fn name(&self) -> &'static str {
///         "sign_sgd"
///     }
///     fn buffers(&self) -> usize {
///         0
///     }
///     fn update(&self, step: &Step, values: &mut [f64], grads: &[f64], _: &mut [f64]) {
///         for (x, g) in values.iter_mut().zip(grads) {
///             *x -= step.lr * g.signum();
///         }
///     }
/// }
///
/// let mut tape = tapegrad::Tape::new();
/// let w = tape.param_slice(1, 1, &[3.0]);
/// let mut optimizer = Optimizer::new(SignSgd, 0.5)?;
/// let square = tape.mul(w, w);
/// tape.backward(square);
/// optimizer.step(&mut tape)?;
/// assert_eq!(tape.item(w), 2.5);
/// # Ok::<(), tapegrad::Error>(())
/// ```
pub trait Rule<T: Float>: Send + Sync {
    /// The name under which the command line and messages know it, such as `adam`.
    fn name(&self) -> &'static str;

    /// The settings by name, without rate and decay: `[("beta1", 0.9), …]`.
    fn settings(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// Whether the settings are in their ranges in `T` as well: as an `f32`, a β of 0.99999999 is 1. The
    /// [`Optimizer`] asks when it is made.
    ///
    /// # Errors
    /// [`Error::Setting`] that names the setting, its value and `T`.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// How many numbers are remembered for each trainable one.
    fn buffers(&self) -> usize;

    /// Two factors that depend on the number of the step only (the first is 1); worked out once per
    /// step, in `f64`, and handed to [`update`](Rule::update) in [`Step::corrections`].
    fn corrections(&self, count: u64) -> [f64; 2] {
        let _ = count;
        [1.0; 2]
    }

    /// Whether a number's step depends on nothing but its own value, gradient and state. If so, slots
    /// are cut into blocks of 8192 numbers, and [`update`](Rule::update) is called for each block; that
    /// is faster. Say `false` where the step needs all of a slot, such as the norm of its gradient in
    /// LARS and LAMB: `update` then gets the whole slot at once.
    fn splits(&self) -> bool {
        true
    }

    /// One step on a block, in one pass; a rule that does not [split](Rule::splits) has one block a
    /// slot. `values` and `grads` are equally long, `state` is [`buffers`](Rule::buffers) times as long
    /// and holds zeros before the first step: what the block's numbers remember, in an order of the
    /// rule's own; those here hold one buffer behind the other.
    ///
    /// The blocks are the same at every step and at any number of threads. Different blocks may be
    /// updated at the same time, and a block on another thread than in the step before.
    fn update(&self, step: &Step, values: &mut [T], grads: &[T], state: &mut [T]);

    /// [`update`](Rule::update), and whether what the block remembers is still finite, as far as the rule
    /// looks at no cost; this is what the [`Optimizer`] calls. A rule that divides by what it remembers should
    /// look: an infinite sum of squares is a step of zero, for ever. By default nothing is looked at here, and
    /// [`Optimizer::check_finite`] finds it later.
    fn update_watched(&self, step: &Step, values: &mut [T], grads: &[T], state: &mut [T]) -> bool {
        self.update(step, values, grads, state);
        true
    }
}

/// Follows sums of squares, which are never negative, for one that is infinite or NaN: the bits of such
/// numbers are in the order of the numbers, with infinity and NaN above all others.
///
/// As integers, since a vectorised loop may take their maximum in any order.
struct Watch<T: Float>(T::Bits);

impl<T: Float> Watch<T> {
    #[inline(always)]
    fn new() -> Self {
        Watch(T::ZERO.bits())
    }

    #[inline(always)]
    fn see(&mut self, square: T) {
        self.0 = self.0.max(square.bits());
    }

    #[inline(always)]
    fn all_finite(&self) -> bool {
        self.0 < T::INFINITY.bits()
    }
}

/// What a [`Rule`] is told about the step it is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The rate η for this slot.
    pub lr: f64,
    /// The weight decay λ for this slot.
    pub weight_decay: f64,
    /// The number of the step, from 1.
    pub count: u64,
    /// What [`Rule::corrections`] returned for this step.
    pub corrections: [f64; 2],
}

/// A line of the table of optimizers.
pub struct Entry<T: Float> {
    /// The name on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// The rate that it is usually run with.
    pub lr: f64,
    /// The rule with its default settings.
    pub rule: fn() -> Box<dyn Rule<T>>,
}

impl<T: Float> Entry<T> {
    const TABLE: &'static [Self] = &[
        Self { name: "sgd", about: "gradient descent: θ − ηg", lr: 0.1, rule: || Box::new(Sgd) },
        Self {
            name: "momentum",
            about: "heavy ball: θ − ηv, v = βv + g",
            lr: 0.01,
            rule: || Box::new(Momentum::default()),
        },
        Self {
            name: "nesterov",
            about: "accelerated gradient: θ − η(g + βv)",
            lr: 0.01,
            rule: || Box::new(Nesterov::default()),
        },
        Self {
            name: "adagrad",
            about: "rates that fall with all past gradients: θ − ηg/(√Σg² + ε)",
            lr: 0.01,
            rule: || Box::new(AdaGrad::default()),
        },
        Self {
            name: "rmsprop",
            about: "rates by a running mean of squares: θ − ηg/√(v + ε)",
            lr: 0.001,
            rule: || Box::new(RmsProp::default()),
        },
        Self {
            name: "adam",
            about: "running means of gradient and square: θ − ηm̂/(√v̂ + ε)",
            lr: 0.001,
            rule: || Box::new(Adam::default()),
        },
        Self {
            name: "adamw",
            about: "Adam with weight decay apart from the gradient",
            lr: 0.001,
            rule: || Box::new(AdamW::default()),
        },
    ];

    /// The optimizer of this line at rate `lr`; where there is none, at its usual rate.
    ///
    /// # Errors
    /// [`Error::Setting`] if `lr` is negative or not finite.
    pub fn optimizer(&self, lr: Option<f64>) -> Result<Optimizer<T>> {
        Optimizer::from_box((self.rule)(), lr.unwrap_or(self.lr))
    }
}

/// All optimizers: what a command line lists.
pub fn optimizers<T: Float>() -> &'static [Entry<T>] {
    Entry::TABLE
}

/// The optimizer of that name.
///
/// ```
/// let adam = tapegrad::optim::find::<f32>("adam")?.optimizer(None)?;
/// assert_eq!(adam.to_string(), "adam lr=0.001 beta1=0.9 beta2=0.999 eps=1e-8");
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// # Errors
/// [`Error::Setting`] with all the names there are, if `name` is none of them.
pub fn find<T: Float>(name: &str) -> Result<&'static Entry<T>> {
    optimizers().iter().find(|entry| entry.name == name).ok_or_else(|| {
        let names: Vec<_> = optimizers::<T>().iter().map(|entry| entry.name).collect();
        Error::setting("optimizer", format!("there is no `{name}`; there are {}", names.join(", ")))
    })
}

/// A parameter in a message: `w1 (p0), 784×128`, or `p0, 784×128` where it has no name.
fn described<T: Float>(tape: &Tape<T>, p: Param) -> String {
    let (name, shape) = (tape.name(p), tape.param_shape(p));
    if name.is_empty() { format!("{p}, {shape}") } else { format!("{name} ({p}), {shape}") }
}

/// A decay rate of a running mean or sum: 0 ≤ x < 1.
fn check_beta<T: Float>(name: &'static str, x: f64) -> Result<f64> {
    settings::check::<T>(name, x, Range::BELOW_ONE)
}

/// An ε that keeps a denominator from zero.
fn check_eps<T: Float>(x: f64) -> Result<f64> {
    // Less would be zero, or nearly so, as an f32, and 0/0 the step of a number without gradients.
    let least = Range {
        text: "finite and at least 1.1754943508222875e-38",
        contains: |x| x >= f64::from(f32::MIN_POSITIVE) && x.is_finite(),
    };
    settings::check::<T>("eps", x, least)
}

/// A rate or weight decay: finite and not negative.
fn check_factor<T: Float>(name: &'static str, x: f64) -> Result<f64> {
    settings::check::<T>(name, x, Range::NOT_NEGATIVE)
}

/// x > 0 as r·q² with q a power of two: r in [1, 4) for x < 1, in (¼, 1] for x > 1.
///
/// (1−β)g² may be a number of the type where g² alone is none, and so is √(cv) for c > 1 where cv is none. As
/// r(qg)² and q√(rv) nothing on the way is larger than what comes out; and since q is a power of two, that has
/// the bits that it has without, unless something on the way is subnormal.
fn split<T: Float>(x: f64) -> (T, T) {
    let (mut r, mut q) = (x, 1.0);
    while r > 0.0 && r < 1.0 && x < 1.0 {
        r *= 4.0;
        q *= 0.5;
    }
    while r > 1.0 && x > 1.0 && r.is_finite() {
        r *= 0.25;
        q *= 2.0;
    }
    (T::of(r), T::of(q))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_factor_and_a_power_of_two() {
        for x in [1.0, 0.1, 1.0 - 0.999, 0.25, 0.7, 1e-12, f64::EPSILON, 1.001, 4.0, 1000.5, 1e16] {
            let (r, q) = split::<f64>(x);
            assert_eq!(r * q * q, x);
            assert!(if x < 1.0 { (1.0..4.0).contains(&r) } else { 0.25 < r && r <= 1.0 }, "{x}: {r}");
            let (single, root) = split::<f32>(x);
            assert_eq!(single * root * root, x as f32);
        }
        // What no correction is.
        assert_eq!(split::<f64>(0.0), (0.0, 1.0));
        assert_eq!(split::<f64>(f64::INFINITY), (f64::INFINITY, 1.0));
    }
}
