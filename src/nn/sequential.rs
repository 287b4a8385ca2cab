//! Modules one behind the other, and beside an identity.

use std::fmt;
use std::sync::Arc;

use super::module::image_behind;
use super::{Mode, Module, visit_part};
use crate::Float;
use crate::ops::ImageShape;
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};

/// Modules one behind the other: what one gives is what the next one takes.
///
/// Cloning it copies no parameter.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{Activation, Init, Linear, Mode, Module, ModuleExt, Sequential};
/// use tapegrad::rng::{Purpose, stream};
///
/// let mut tape = Tape::new();
/// let rng = &mut stream(1, Purpose::Init);
/// let net = Sequential::new()
///     .push("hidden", Linear::new(&mut tape, 4, 8, true, Init::HeNormal, rng))
///     .push("relu", Activation::Relu)
///     .push("out", Linear::new(&mut tape, 8, 3, true, Init::HeNormal, rng));
/// let names: Vec<String> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]);
/// let x = tape.constant_with(5, 4, |_| ());
/// let y = net.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.shape(y).to_string(), "5×3");
/// ```
pub struct Sequential<T: Float> {
    name: Option<String>,
    modules: Vec<(String, Arc<dyn Module<T>>)>,
}

impl<T: Float> Clone for Sequential<T> {
    fn clone(&self) -> Self {
        Sequential { name: self.name.clone(), modules: self.modules.clone() }
    }
}

/// Its description, and in the longer form what each part is.
impl<T: Float> fmt::Debug for Sequential<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return f.write_str(&self.describe());
        }
        f.debug_map().entries(self.modules().map(|(name, module)| (name, module.describe()))).finish()
    }
}

impl<T: Float> Default for Sequential<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> Sequential<T> {
    /// Nothing yet: the output is the input.
    pub fn new() -> Self {
        Sequential { name: None, modules: Vec::new() }
    }

    /// With a name for the whole, in place of the list of its parts.
    pub fn named(self, name: impl Into<String>) -> Self {
        Sequential { name: Some(name.into()), ..self }
    }

    /// With one more module at the end. Its name stands before those of its parameters.
    ///
    /// # Panics
    /// If there is a module of that name already, or the name is empty or has a dot: names would not tell
    /// parameters apart. If it takes another image than the modules before it give.
    #[track_caller]
    pub fn push(self, name: impl Into<String>, module: impl Module<T> + 'static) -> Self {
        self.push_shared(name, Arc::new(module))
    }

    /// The same for a module that others hold as well.
    ///
    /// # Panics
    /// As [`push`](Self::push).
    #[track_caller]
    pub fn push_shared(mut self, name: impl Into<String>, module: Arc<dyn Module<T>>) -> Self {
        let name = name.into();
        assert!(!name.is_empty() && !name.contains('.'), "Sequential: `{name}` is no name of a module");
        assert!(
            self.modules.iter().all(|(other, _)| *other != name),
            "Sequential: there is a module `{name}` already"
        );
        if let Some((_, last)) = self.images() {
            image_behind(&*module, Some(last))
                .unwrap_or_else(|error| panic!("Sequential: `{name}`: {error}"));
        }
        self.modules.push((name, module));
        self
    }

    /// Names and modules, in order.
    pub fn modules(&self) -> impl ExactSizeIterator<Item = (&str, &dyn Module<T>)> {
        self.modules.iter().map(|(name, module)| (name.as_str(), &**module))
    }

    /// The modules up to that of this name, and no more; `None` if there is none of it.
    pub(crate) fn until(&self, name: &str) -> Option<Self> {
        let at = self.modules.iter().position(|(other, _)| other == name)?;
        Some(Sequential { name: None, modules: self.modules[..=at].to_vec() })
    }

    /// Number of modules.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there are no modules.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }
}

impl<T: Float> Module<T> for Sequential<T> {
    fn describe(&self) -> String {
        let parts = || self.modules.iter().map(|(_, module)| module.describe()).collect::<Vec<_>>();
        self.name.clone().unwrap_or_else(|| parts().join(", "))
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        self.modules.iter().fold(x, |x, (_, module)| module.forward(tape, x, mode))
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        for (name, module) in &self.modules {
            visit_part(name, &**module, visit);
        }
    }

    fn inputs(&self) -> Option<usize> {
        let first =
            self.modules.iter().find(|(_, module)| module.inputs().is_some() || !module.keeps_width());
        first.and_then(|(_, module)| module.inputs())
    }

    fn images(&self) -> Option<(ImageShape, ImageShape)> {
        let first =
            self.modules.iter().find(|(_, module)| module.images().is_some() || !module.keeps_width());
        let (first, _) = first?.1.images()?;
        let gives = |image, (_, module): &(String, Arc<dyn Module<T>>)| match module.images() {
            Some((_, gives)) => Some(gives),
            None => image,
        };
        let last =
            self.modules.iter().rposition(|(_, module)| module.images().is_none() && !module.keeps_width());
        let gives = self.modules[last.map_or(0, |last| last + 1)..].iter().fold(None, gives);
        Some((first, gives?))
    }

    fn takes(&self, width: usize) -> bool {
        let first = self.modules.iter().find(|(_, module)| !module.keeps_width());
        first.is_none_or(|(_, module)| module.takes(width))
            && Module::<T>::inputs(self).is_none_or(|inputs| inputs == width)
    }

    fn vocabulary(&self) -> Option<usize> {
        self.modules.first().and_then(|(_, module)| module.vocabulary())
    }

    fn keeps_width(&self) -> bool {
        self.modules.iter().all(|(_, module)| module.keeps_width())
    }

    fn rows(&self, rows: usize) -> Option<usize> {
        self.modules.iter().try_fold(rows, |rows, (_, module)| module.rows(rows))
    }

    fn least_batch(&self) -> usize {
        self.modules.iter().map(|(_, module)| module.least_batch()).max().unwrap_or(1)
    }

    fn parts(&self) -> Vec<(&str, &dyn Module<T>)> {
        self.modules().collect()
    }

    fn store(&self) -> Option<Settings> {
        let part = |(name, module): &(String, Arc<dyn Module<T>>)| Some((name.clone(), module.store()?));
        let parts = self.modules.iter().map(part).collect::<Option<Vec<_>>>()?;
        Some(Settings::of("sequential").with("name", &self.name).with("parts", parts))
    }
}

/// x + f(x): a module beside an identity. The names of the parameters are those of f.
///
/// He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv:1512.03385).
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{Activation, Mode, Module, Residual};
///
/// let mut tape = Tape::new();
/// let block = Residual::new(Activation::Relu);
/// let x = tape.constant_slice(1, 2, &[-1.0, 2.0]);
/// let y = block.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.value_slice(y), [-1.0, 4.0]);
/// ```
pub struct Residual<M>(M);

impl<M> Residual<M> {
    /// The block around `module`, which must give as many numbers per sample as it takes.
    pub fn new(module: M) -> Self {
        Residual(module)
    }
}

impl<T: Float, M: Module<T>> Module<T> for Residual<M> {
    fn describe(&self) -> String {
        format!("residual({})", self.0.describe())
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        let y = self.0.forward(tape, x, mode);
        let (from, to) = (tape.shape(x), tape.shape(y));
        // Broadcasting would add them all the same.
        assert!(from == to, "Residual: the block takes {from} but gives {to}; both must be the same");
        tape.add(x, y)
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        self.0.parameters(visit);
    }

    fn inputs(&self) -> Option<usize> {
        self.0.inputs()
    }

    fn images(&self) -> Option<(ImageShape, ImageShape)> {
        self.0.images()
    }

    fn keeps_width(&self) -> bool {
        true
    }

    fn rows(&self, rows: usize) -> Option<usize> {
        self.0.rows(rows).filter(|given| *given == rows)
    }

    fn least_batch(&self) -> usize {
        self.0.least_batch()
    }

    fn parts(&self) -> Vec<(&str, &dyn Module<T>)> {
        self.0.parts()
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("residual").with("block", self.0.store()?))
    }
}
