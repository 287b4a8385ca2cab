//! [`Optimizer`]: a rule, its rate and decay, groups of parameters, and what is remembered.

use std::fmt;
use std::sync::Arc;

use super::{Rule, Step, check_factor, described};
use crate::linalg::first_not_finite;
use crate::linalg::threads::join;
use crate::tape::{Param, Shape, Tape};
use crate::text::count;
use crate::{Error, Float, Result};

/// Updates the parameters of a tape from their gradients, in one pass over the front of the arena.
///
/// What it remembers lies in one buffer that follows the arena's layout. The first step makes that
/// buffer; the steps after it allocate nothing.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::optim::{Adam, Optimizer};
///
/// let mut tape = Tape::new();
/// let w = tape.param_slice(1, 1, &[3.0]);
/// let mut optimizer = Optimizer::new(Adam::default(), 0.1)?;
/// for _ in 0..200 {
///     let loss = tape.mul(w, w);
///     tape.zero_grad();
///     tape.backward(loss);
///     optimizer.step(&mut tape)?;
///     tape.rewind();
/// }
/// assert!(tape.item(w).abs() < 1e-2);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone)]
pub struct Optimizer<T: Float> {
    rule: Arc<dyn Rule<T>>,
    lr: f64,
    weight_decay: f64,
    groups: Vec<Group>,
    /// What the rule remembers: see [`Optimizer::state`].
    state: Vec<T>,
    /// What the first step found on the tape: the state fits no other.
    slots: Vec<Layout>,
    /// The first parameter of that tape, which no other tape has.
    first: Option<Param>,
    steps: u64,
}

/// A parameter's shape, and the place of its group in the list.
#[derive(Clone, Copy)]
struct Layout {
    shape: Shape,
    group: Option<usize>,
}

/// Parameters with a rate or a weight decay of their own.
///
/// The rate is a multiple of the optimizer's, so that a schedule moves both, or a number that no
/// schedule moves.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::optim::{Group, Optimizer, Sgd};
///
/// let mut tape = Tape::new();
/// let weights = tape.param_slice(1, 2, &[1.0, 1.0]);
/// let bias = tape.param_slice(1, 1, &[1.0]);
/// let mut optimizer = Optimizer::new(Sgd, 0.5)?
///     .with_weight_decay(0.1)?
///     .with_group(Group::new([bias]).with_weight_decay(0.0)?)?;
/// optimizer.step(&mut tape)?; // all gradients are zero
/// assert_eq!(tape.value_slice(weights), [0.95, 0.95]);
/// assert_eq!(tape.value_slice(bias), [1.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Group {
    params: Vec<Param>,
    rate: Rate,
    weight_decay: Option<f64>,
}

/// The rate of a group.
#[derive(Clone, Copy, Debug)]
enum Rate {
    /// That of the optimizer, times this.
    Scaled(f64),
    /// This one.
    Own(f64),
}

impl Group {
    /// A group that differs in nothing yet.
    pub fn new(params: impl IntoIterator<Item = Param>) -> Group {
        Group { params: params.into_iter().collect(), rate: Rate::Scaled(1.0), weight_decay: None }
    }

    /// The rate is `scale` times that of the optimizer, also after [`Optimizer::set_lr`]. Takes the
    /// place of [`with_lr`](Group::with_lr).
    ///
    /// # Errors
    /// [`Error::Setting`] if `scale` is negative or not finite.
    pub fn with_lr_scale(self, scale: f64) -> Result<Group> {
        Ok(Group { rate: Rate::Scaled(check_factor::<f64>("lr_scale", scale)?), ..self })
    }

    /// The rate is `lr`, in place of that of the optimizer: [`Optimizer::set_lr`], and with it every
    /// schedule, leaves it as it is. Takes the place of [`with_lr_scale`](Group::with_lr_scale).
    ///
    /// # Errors
    /// [`Error::Setting`] if `lr` is negative or not finite.
    pub fn with_lr(self, lr: f64) -> Result<Group> {
        Ok(Group { rate: Rate::Own(check_factor::<f64>("lr", lr)?), ..self })
    }

    /// The weight decay, in place of that of the optimizer.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is negative or not finite.
    pub fn with_weight_decay(self, weight_decay: f64) -> Result<Group> {
        let weight_decay = check_factor::<f64>("weight_decay", weight_decay)?;
        Ok(Group { weight_decay: Some(weight_decay), ..self })
    }

    /// The rate where the optimizer's is `lr`.
    fn lr(&self, lr: f64) -> f64 {
        match self.rate {
            Rate::Scaled(scale) => scale * lr,
            Rate::Own(lr) => lr,
        }
    }

    /// Whether rate and decay are numbers of the type of the tape: in `f32` fewer are than in `f64`.
    fn check<T: Float>(&self, lr: f64) -> Result<()> {
        let rate = T::of(self.lr(lr));
        let asked_for = match self.rate {
            Rate::Scaled(scale) => lr != 0.0 && scale != 0.0,
            Rate::Own(lr) => lr != 0.0,
        };
        if !rate.is_finite() || (rate == T::ZERO && asked_for) {
            let why = match self.rate {
                Rate::Scaled(scale) => format!("{lr:?} times the group's lr_scale {scale:?}"),
                Rate::Own(lr) => format!("the group's own {lr:?}"),
            };
            let found = if rate == T::ZERO { "0" } else { "not finite" };
            return Err(Error::setting("lr", format!("{why} is {found} as {}", T::NAME)));
        }
        self.weight_decay.map_or(Ok(0.0), |decay| check_factor::<T>("weight_decay", decay))?;
        Ok(())
    }
}

impl<T: Float> Optimizer<T> {
    /// An optimizer with rate `lr` and without weight decay, at step 0.
    ///
    /// # Errors
    /// [`Error::Setting`] if `lr` is negative or not finite, or a setting of the rule is out of its range; also
    /// if it is so in the type of the tape only, where it has become infinite, 0, or, for a β, 1.
    pub fn new(rule: impl Rule<T> + 'static, lr: f64) -> Result<Self> {
        Self::from_box(Box::new(rule), lr)
    }

    /// The same for a rule that is known at run time only.
    ///
    /// # Errors
    /// As [`new`](Optimizer::new).
    pub fn from_box(rule: Box<dyn Rule<T>>, lr: f64) -> Result<Self> {
        rule.check()?;
        Ok(Optimizer {
            rule: rule.into(),
            lr: check_factor::<T>("lr", lr)?,
            weight_decay: 0.0,
            groups: Vec::new(),
            state: Vec::new(),
            slots: Vec::new(),
            first: None,
            steps: 0,
        })
    }

    /// The same with weight decay λ for all parameters but those of groups with their own.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is negative or not finite, or has become infinite or 0 in the type of the tape.
    pub fn with_weight_decay(self, weight_decay: f64) -> Result<Self> {
        Ok(Optimizer { weight_decay: check_factor::<T>("weight_decay", weight_decay)?, ..self })
    }

    /// The same with one more group of parameters.
    ///
    /// # Errors
    /// [`Error::Setting`] if its rate, of its own or as a multiple of the optimizer's, or its decay is not finite as
    /// a `T`, or 0 where it is not 0.
    ///
    /// # Panics
    /// If one of its parameters is in two groups, or a step has been done already.
    #[track_caller]
    pub fn with_group(mut self, group: Group) -> Result<Self> {
        assert!(self.steps == 0, "with_group: the optimizer has done a step already");
        group.check::<T>(self.lr)?;
        let twice = group.params.iter().enumerate().find(|(i, p)| {
            group.params[..*i].contains(p) || self.groups.iter().any(|other| other.params.contains(p))
        });
        if let Some((_, p)) = twice {
            panic!("with_group: {p} is in a group already");
        }
        self.groups.push(group);
        Ok(self)
    }

    /// One step on every parameter of `tape`, from the gradients that stand there.
    ///
    /// Gradients stay as they are: call [`Tape::zero_grad`] before the next backward pass.
    ///
    /// # Errors
    /// [`Error::NonFinite`] that names the parameter, if what a rule divides by is no longer finite: in `f32`,
    /// gradients above 10¹⁹ do that to a sum of squares, and with it every later step would be zero. In every
    /// 64th step all is looked at, as by [`check_finite`](Optimizer::check_finite). The step has been done: go
    /// back to what was saved and [`restore`](Optimizer::restore), or [`reset`](Optimizer::reset).
    ///
    /// # Panics
    /// If the parameters are not those of the first step: another number, other shapes, or another tape. If a
    /// group names a parameter that the tape does not have.
    #[track_caller]
    pub fn step(&mut self, tape: &mut Tape<T>) -> Result<()> {
        self.bind(tape);
        self.steps = self.steps.saturating_add(1);
        let corrections = self.rule.corrections(self.steps);
        let buffers = self.rule.buffers();
        let mut finite = true;
        for slot in tape.slots() {
            let group = self.slots[slot.param.index()].group.map(|g| &self.groups[g]);
            let step = Step {
                lr: group.map_or(self.lr, |g| g.lr(self.lr)),
                weight_decay: group.and_then(|g| g.weight_decay).unwrap_or(self.weight_decay),
                count: self.steps,
                corrections,
            };
            let state = &mut self.state[buffers * slot.offset..][..buffers * slot.values.len()];
            finite &= update(&*self.rule, &step, slot.values, slot.grads, state);
        }
        if finite && !self.steps.is_multiple_of(LOOK) {
            return Ok(());
        }
        self.check_finite(tape)
    }

    /// Whether the parameters, and what is remembered about them, are finite after the steps done so far. What
    /// is not, stays so: it can be looked for at the end.
    ///
    /// # Errors
    /// [`Error::NonFinite`] that names the first parameter that is not, or of which something that is not is
    /// remembered.
    ///
    /// # Panics
    /// As [`step`](Optimizer::step), once there was one.
    #[track_caller]
    pub fn check_finite(&self, tape: &Tape<T>) -> Result<()> {
        if self.steps == 0 {
            return Ok(());
        }
        self.check_tape(tape);
        let (buffers, mut start) = (self.rule.buffers(), 0);
        for p in tape.params() {
            let (values, len) = (tape.value_slice(p), tape.param_shape(p).numel());
            let state = &self.state[buffers * start..][..buffers * len];
            start += len;
            if tape.is_trained(p) && !(all_finite(values) && all_finite(state)) {
                return Err(self.report(tape, p, state));
            }
        }
        Ok(())
    }

    #[cold]
    fn report(&self, tape: &Tape<T>, p: Param, state: &[T]) -> Error {
        let (rule, step, name) = (self.rule.name(), self.steps, described(tape, p));
        let (values, grads) = (tape.value_slice(p), tape.grad_slice(p));
        let cols = tape.param_shape(p).cols;
        let first = |numbers: &[T]| first_not_finite(numbers);
        let place = |at: usize| format!("at ({}, {})", at / cols, at % cols);
        let found = if let Some(at) = first(grads) {
            format!("the gradient of {name}, was {} {}", grads[at], place(at))
        } else if let Some(at) = first(values) {
            format!("{name}, is {} {}", values[at], place(at))
        } else {
            let worst = first(state).map_or(T::NAN, |at| state[at]);
            format!("what it remembers of {name}, is {worst}, and stays so: it would not be trained any more")
        };
        Error::NonFinite(format!(
            "{rule}: after step {step}, {found}; a smaller learning rate, clipped gradients or scaled features \
             may help, or f64"
        ))
    }

    /// Makes the state for the tape's parameters, or checks that it fits them.
    #[track_caller]
    fn bind(&mut self, tape: &Tape<T>) {
        if self.steps == 0 {
            let (name, found) = (self.rule.name(), tape.params().len());
            for p in self.groups.iter().flat_map(|g| &g.params) {
                match tape.params().nth(p.index()) {
                    None => panic!(
                        "{name}: {p} is in a group but the tape has {} only",
                        count(found, "parameter")
                    ),
                    Some(own) => assert!(
                        own == *p,
                        "{name}: the {p} that is in a group belongs to another tape than this one, whose {own} \
                         is {}: name the parameters of the tape that is trained",
                        described(tape, own)
                    ),
                }
            }
            let group = |p: Param| self.groups.iter().position(|g| g.params.contains(&p));
            self.slots =
                tape.params().map(|p| Layout { shape: tape.param_shape(p), group: group(p) }).collect();
            self.state = vec![T::ZERO; self.rule.buffers() * tape.param_numbers()];
            self.first = tape.params().next();
        }
        self.check_tape(tape);
    }

    /// Whether the tape is that of the first step.
    #[track_caller]
    fn check_tape(&self, tape: &Tape<T>) {
        let (name, found) = (self.rule.name(), tape.params().len());
        assert!(
            self.slots.len() == found,
            "{name}: the tape has {}, but had {} at the first step: add all of them \
             before it, and use an optimizer on one tape only",
            count(found, "parameter"),
            self.slots.len()
        );
        for (p, layout) in tape.params().zip(&self.slots) {
            let (shape, first) = (tape.param_shape(p), layout.shape);
            assert!(shape == first, "{name}: {p} is {shape}, but was {first} at the first step");
        }
        assert!(
            tape.params().next() == self.first,
            "{name}: this tape is another than at the first step, whose {} it remembers; its parameters \
             have the same shapes: use an optimizer on one tape only, or reset it",
            count(self.steps, "step")
        );
    }

    /// The rule's name, such as `adam`.
    pub fn name(&self) -> &'static str {
        self.rule.name()
    }

    /// The rule's settings by name, without rate and decay.
    pub fn settings(&self) -> Vec<(&'static str, f64)> {
        self.rule.settings()
    }

    /// The rate η of the next step.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Sets the rate of the next steps: what a schedule does. What is remembered stays, and so do the
    /// rates of groups [with their own](Group::with_lr); those that are a multiple of it follow.
    ///
    /// # Errors
    /// [`Error::Setting`] if `lr` is negative or not finite, or is not finite (as a `T`) times a group's
    /// factor; also if one of them has become 0 as a `T`. The rate is what it was before.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        let lr = check_factor::<T>("lr", lr)?;
        self.groups.iter().try_for_each(|group| group.check::<T>(lr))?;
        self.lr = lr;
        Ok(())
    }

    /// Sets the rate to what a schedule has come to: it may be smaller than any number of `T`, and is 0 then, and
    /// so may be a group's multiple of it.
    pub(crate) fn follow(&mut self, lr: f64) -> Result<()> {
        let holds = |lr: f64| lr >= 0.0 && T::of(lr).is_finite();
        if !holds(lr) || !self.groups.iter().all(|group| holds(group.lr(lr))) {
            return self.set_lr(lr);
        }
        self.lr = if T::of(lr) == T::ZERO { 0.0 } else { lr };
        Ok(())
    }

    /// The weight decay λ of parameters in no group with its own.
    pub fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    /// Number of steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What is remembered; empty before the first step.
    ///
    /// The part of a parameter begins at the number of [`buffers`](Rule::buffers) times its place in the
    /// arena. There stand its blocks, one behind the other: one for every 8192 of its numbers, row-major,
    /// and one for the rest; or one for all where the rule does not [split](Rule::splits). Each block
    /// holds its buffers one behind the other. So Adam remembers about 10,000 numbers m of the first
    /// 8192, v of the first 8192, m of the other 1808, v of the other 1808.
    pub fn state(&self) -> &[T] {
        &self.state
    }

    /// Memory of what is remembered, in bytes.
    pub fn bytes(&self) -> usize {
        self.state.capacity() * size_of::<T>() + self.slots.capacity() * size_of::<Layout>()
    }

    /// Puts back what [`steps`](Optimizer::steps) and [`state`](Optimizer::state) returned: the next
    /// step on `tape` comes out as it would have then.
    ///
    /// # Errors
    /// [`Error::Data`] if the state is not of the length that the tape's parameters need; [`Error::NonFinite`] if
    /// a number in it is infinite or NaN. Nothing has changed then.
    ///
    /// # Panics
    /// As [`step`](Optimizer::step).
    #[track_caller]
    pub fn restore(&mut self, tape: &Tape<T>, steps: u64, state: &[T]) -> Result<()> {
        let needed = if steps == 0 { 0 } else { self.rule.buffers() * tape.param_numbers() };
        if state.len() != needed {
            return Err(Error::Data(format!(
                "{}: the state after {} holds {}, not {needed}",
                self.rule.name(),
                count(steps, "step"),
                count(state.len(), "number")
            )));
        }
        if let Some(at) = first_not_finite(state) {
            let (name, found) = (self.rule.name(), state[at]);
            return Err(Error::NonFinite(format!(
                "{name}: the state to restore holds {found} at number {at}"
            )));
        }
        self.reset();
        if steps > 0 {
            self.bind(tape);
            self.state.copy_from_slice(state);
            self.steps = steps;
        }
        Ok(())
    }

    /// The settings of the groups, and of how many parameters each is.
    pub(crate) fn groups_in_text(&self) -> String {
        let one = |group: &Group| {
            let Group { params, rate, weight_decay } = group;
            // The same for one of them: checkpoints hold this text, and one of before is compared with it.
            format!("; {} parameters: {rate:?}, weight_decay={weight_decay:?}", params.len())
        };
        self.groups.iter().map(one).collect()
    }

    /// Forgets everything but the settings: the next step is the first again, on any tape. Groups are
    /// settings, and name parameters of their tape: with them it is that one, or the next step panics.
    pub fn reset(&mut self) {
        self.state = Vec::new();
        self.slots = Vec::new();
        self.first = None;
        self.steps = 0;
    }
}

/// Numbers of a slot that are updated, and remembered about, together: long enough for a thread to be
/// worth asking, some 5 µs. Saved states are laid out by it, and it stands in the docs.
const BLOCK: usize = 8192;

/// In every so many steps everything is looked at, which takes about a quarter of Adam's step.
const LOOK: u64 = 64;

/// Whether no number is infinite or NaN.
fn all_finite<T: Float>(numbers: &[T]) -> bool {
    first_not_finite(numbers).is_none()
}

/// Updates a slot block by block, on all threads there are, or at once where the rule does not split; and
/// whether the rule saw that what it remembers is finite.
fn update<T: Float>(rule: &dyn Rule<T>, step: &Step, values: &mut [T], grads: &[T], state: &mut [T]) -> bool {
    let blocks = values.len().div_ceil(BLOCK);
    if blocks <= 1 || !rule.splits() {
        return rule.update_watched(step, values, grads, state);
    }
    let middle = blocks / 2 * BLOCK;
    let (values1, values2) = values.split_at_mut(middle);
    let (grads1, grads2) = grads.split_at(middle);
    let (state1, state2) = state.split_at_mut(rule.buffers() * middle);
    let (mut finite1, mut finite2) = (true, true);
    join(
        || finite1 = update(rule, step, values1, grads1, state1),
        || finite2 = update(rule, step, values2, grads2, state2),
    );
    finite1 && finite2
}

/// Name, rate, settings, and the decay if there is any: `adam lr=0.001 beta1=0.9 …`.
impl<T: Float> fmt::Display for Optimizer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lr={:?}", self.name(), self.lr)?;
        for (name, value) in self.settings() {
            write!(f, " {name}={value:?}")?;
        }
        if self.weight_decay > 0.0 {
            write!(f, " weight_decay={:?}", self.weight_decay)?;
        }
        Ok(())
    }
}

impl<T: Float> fmt::Debug for Optimizer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Optimizer({self}, {})", count(self.steps, "step"))
    }
}
