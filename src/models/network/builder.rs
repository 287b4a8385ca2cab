//! The parts of a network, before it is known how many numbers go in and come out.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;

use super::super::pool::Pool;
use super::Network;
use super::parts::{Making, Part, build};
use crate::data::preprocess::{TargetScale, Transform};
use crate::metrics::SeenClasses;
use crate::models::{Inputs, Task};
use crate::nn::loss::{self, Loss};
use crate::nn::{Activation, Dropout, Init, LayerNorm, Module, ModuleExt, Norm, RmsNorm, Sequential, limits};
use crate::optim::{Adam, Optimizer};
use crate::rng::{Purpose, stream};
use crate::tape::Tape;
use crate::text::count;
use crate::{Dataset, Error, Float, Result};

/// The parts of a [`Network`], in order, until [`outputs_for`](Self::outputs_for) makes it.
///
/// Only there is it known how many numbers go in and come out. A setting out of its range is an error there too.
pub struct NetworkBuilder<T: Float> {
    seed: u64,
    parts: Vec<Part<T>>,
    inputs: Option<Inputs>,
    scale: Option<TargetScale>,
    reconstructs: bool,
    init: Init,
    loss: Option<Arc<dyn Loss<T>>>,
    optimizer: Option<Optimizer<T>>,
}

impl<T: Float> NetworkBuilder<T> {
    pub(super) fn new(seed: u64) -> Self {
        NetworkBuilder {
            seed,
            parts: Vec::new(),
            inputs: None,
            scale: None,
            reconstructs: false,
            init: Init::default(),
            loss: None,
            optimizer: None,
        }
    }

    /// One more part, named by its kind and a number: `make` makes it of what comes to it.
    pub(super) fn part<M: Module<T> + 'static>(
        mut self,
        kind: &'static str,
        make: impl FnOnce(&mut Making<'_, T>) -> Result<M> + 'static,
    ) -> Self {
        self.parts.push(Part::new(kind, make));
        self
    }

    /// Something that is no module, but says what the numbers are from here on.
    pub(super) fn told(mut self, tell: impl FnOnce(&mut Making<'_, T>) -> Result<()> + 'static) -> Self {
        self.parts.push(Part::told(tell));
        self
    }

    /// An affine layer to `outputs` numbers per sample, with a bias.
    pub fn linear(self, outputs: usize) -> Self {
        self.part("linear", move |at| at.linear(outputs, true))
    }

    /// The same without a bias.
    pub fn linear_without_bias(self, outputs: usize) -> Self {
        self.part("linear", move |at| at.linear(outputs, false))
    }

    /// An activation.
    pub fn activation(self, activation: Activation) -> Self {
        self.part(activation.name(), move |_| Ok(activation))
    }

    /// max(x, 0).
    pub fn relu(self) -> Self {
        self.activation(Activation::Relu)
    }

    /// The hyperbolic tangent.
    pub fn tanh(self) -> Self {
        self.activation(Activation::Tanh)
    }

    /// x·σ(1.702x).
    pub fn gelu(self) -> Self {
        self.activation(Activation::Gelu)
    }

    /// [`Dropout`] of each number with probability `p`, in training.
    pub fn dropout(self, p: f64) -> Self {
        self.part("dropout", move |_| Dropout::new::<T>(p))
    }

    /// [Batch normalisation](crate::nn::BatchNorm); of images, [by channel](crate::nn::BatchNorm2d).
    pub fn batch_norm(self) -> Self {
        self.part("norm", |at| at.batch_norm())
    }

    /// [Layer normalisation](crate::nn::LayerNorm), of images over all their numbers.
    pub fn layer_norm(self) -> Self {
        self.part("norm", |at| LayerNorm::new(at.tape, at.shape.cols, Norm::EPSILON))
    }

    /// [`RmsNorm`], of images over all their numbers.
    pub fn rms_norm(self) -> Self {
        self.part("norm", |at| RmsNorm::new(at.tape, at.shape.cols, Norm::EPSILON))
    }

    /// x + f(x), with the parts that `block` adds as f: it must end with as many numbers as come in. Only its parts
    /// count; loss, preparation and the rest are the network's.
    pub fn residual(self, block: impl FnOnce(Self) -> Self) -> Self {
        let inner = block(NetworkBuilder::new(self.seed)).parts;
        self.part("residual", move |at| at.residual(inner))
    }

    /// A module without parameters, or one whose parameters are not to be made here.
    #[expect(clippy::should_implement_trait, reason = "nobody reads a network as a sum")]
    pub fn add(self, module: impl Module<T> + 'static) -> Self {
        self.part("module", move |_| Ok(module))
    }

    /// A module with parameters: `make` gets the tape to make them on, how many numbers per sample go in, and the
    /// random stream of initial values. Its error is that of [`outputs_for`](Self::outputs_for).
    pub fn add_with<M: Module<T> + 'static>(
        self,
        make: impl FnOnce(&mut Tape<T>, usize, &mut ChaCha8Rng) -> Result<M> + 'static,
    ) -> Self {
        self.part("module", move |at| make(at.tape, at.shape.cols, at.rng))
    }

    /// The initial weights of all affine layers that are listed here; by default [`Init::default`].
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// The loss; by default the cross-entropy for classes and the mean squared error for values.
    pub fn loss(mut self, loss: impl Loss<T> + 'static) -> Self {
        self.loss = Some(Arc::new(loss));
        self
    }

    /// What takes the steps; by default [`Adam`] with the rate 0.001.
    pub fn optimizer(mut self, optimizer: Optimizer<T>) -> Self {
        self.optimizer = Some(optimizer);
        self
    }

    /// With every feature brought to mean 0 and variance 1, fitted on `train`.
    ///
    /// # Errors
    /// As [`Inputs::standardize`].
    pub fn standardize(self, train: &Dataset) -> Result<Self> {
        self.prepared(train, |inputs| inputs.standardize(train))
    }

    /// With every feature brought to the interval from 0 to 1, fitted on `train`.
    ///
    /// # Errors
    /// As [`Inputs::min_max`].
    pub fn min_max(self, train: &Dataset) -> Result<Self> {
        self.prepared(train, |inputs| inputs.min_max(train))
    }

    /// With `k` principal components in place of the features, fitted on `train`.
    ///
    /// # Errors
    /// As [`Inputs::pca`].
    pub fn pca(self, train: &Dataset, k: usize) -> Result<Self> {
        self.prepared(train, |inputs| inputs.pca(train, k))
    }

    /// With a fitted step of preparation, for features such as those of `train`.
    pub fn transform(mut self, train: &Dataset, step: impl Transform + 'static) -> Self {
        self.inputs = Some(self.inputs.unwrap_or_else(|| Inputs::of(train)).then(step));
        self
    }

    /// With a preparation that is fitted already, in place of what was said of it before.
    pub fn inputs(mut self, inputs: Inputs) -> Self {
        self.inputs = Some(inputs);
        self
    }

    fn prepared(mut self, train: &Dataset, step: impl FnOnce(Inputs) -> Result<Inputs>) -> Result<Self> {
        self.inputs = Some(step(self.inputs.unwrap_or_else(|| Inputs::of(train)))?);
        Ok(self)
    }

    /// With targets brought to mean 0 and variance 1 for the training, fitted on `train`; predictions are on the
    /// targets' own scale.
    ///
    /// # Errors
    /// As [`TargetScale::fit`].
    pub fn standardize_targets(mut self, train: &Dataset) -> Result<Self> {
        self.scale = Some(TargetScale::fit(train)?);
        Ok(self)
    }

    /// The network tells the features of its samples themselves, as they come: an autoencoder. Labels and targets of data
    /// do not count.
    pub fn reconstructing(mut self) -> Self {
        self.reconstructs = true;
        self
    }

    /// Makes the network for data such as `train`, with one more affine layer at the end that gives the outputs
    /// that the loss needs: one for each class or value.
    ///
    /// # Errors
    /// [`Error::Data`] if `train` is not what the loss needs, has other features than the preparation, or a part
    /// takes another number of numbers than the part before gives; or if a file of the network could not be read again,
    /// such as one whose parts give thousands of times more numbers than it has. [`Error::Setting`] if a setting is out of its
    /// range, such as a layer of width 0.
    pub fn outputs_for(mut self, train: &Dataset) -> Result<Network<T>> {
        let (mut parts, init) = (std::mem::take(&mut self.parts), self.init);
        self.made_by(train, |tape, inputs, outputs, rng| {
            parts.push(Part::new("linear", move |at| at.linear(outputs, true)));
            let mut at = Making::new(tape, inputs, init, rng);
            let net = build(parts, &mut at)?;
            super::check_rows(at.shape.rows, train.labels_per_row())?;
            Ok(net)
        })
    }

    /// Makes the network for data such as `train` of a module such as [`Mlp`](crate::models::Mlp) gives: `make` gets
    /// the tape to make it on, how many numbers per sample go in and come out, and the random stream of initial
    /// values.
    ///
    /// # Errors
    /// As [`outputs_for`](Self::outputs_for), and those of `make`.
    ///
    /// # Panics
    /// If layers were listed as well.
    #[track_caller]
    pub fn made_by(
        self,
        train: &Dataset,
        make: impl FnOnce(&mut Tape<T>, usize, usize, &mut ChaCha8Rng) -> Result<Sequential<T>>,
    ) -> Result<Network<T>> {
        assert!(
            self.parts.is_empty(),
            "made_by: layers were listed, and a module is made as well: give one of them"
        );
        let told;
        let train = if self.reconstructs {
            // One is enough: what is looked at is what the data tells, and how much of it.
            told = train.try_take(1)?.with_own_targets()?;
            &told
        } else {
            train
        };
        let loss = match self.loss {
            Some(loss) => loss,
            None => loss::suited_to(train)?,
        };
        let inputs = self.inputs.unwrap_or_else(|| Inputs::of(train));
        let features = inputs.prepare(&train.take(1))?.features();
        // First: a loss that does not fit the data says so by its name.
        let outputs = loss.outputs(train)?;
        let mut task = Task::of(train, loss.link())?;
        if let Task::Classes { names, .. } = &task {
            let (known, classes) = (loss.link().classes(outputs), names.len());
            if known != classes {
                let (name, link) = (loss.name(), loss.link());
                let why = format!(
                    "{name}: it takes {}, which cannot stand for {} by its link, {link:?}",
                    count(outputs, "output"),
                    count(classes, "class")
                );
                return Err(Error::Data(why));
            }
        }
        if let Task::Values { scale, reconstructs, .. } = &mut task {
            *reconstructs = self.reconstructs;
            let targets = train.target_width();
            if self.scale.is_some() && outputs != targets {
                let why = format!(
                    "{} takes {} for {}: which of them is on the targets' scale is not \
                     known, so that they cannot be standardised",
                    loss.name(),
                    count(outputs, "output"),
                    count(targets, "target")
                );
                return Err(Error::Data(why));
            }
            *scale = self.scale;
        } else if self.scale.is_some() {
            return Err(Error::Data("the targets are scaled, but the loss is of classes".into()));
        }
        let (mut tape, mut rng) = (Tape::default(), stream(self.seed, Purpose::Init));
        let module = make(&mut tape, features, outputs, &mut rng)?;
        limits::check(&module, &mut tape, features)?;
        module.name_parameters(&mut tape);
        let optimizer = match self.optimizer {
            Some(optimizer) => optimizer,
            None => Optimizer::new(Adam::default(), 1e-3)?,
        };
        // Before the training no class is out of the question.
        if let Task::Classes { names, seen, .. } = &mut task {
            *seen = SeenClasses::all(names.len());
        }
        Ok(Network {
            module,
            tape,
            loss,
            optimizer,
            inputs,
            task,
            trained: false,
            epochs: 0,
            pool: Pool::default(),
        })
    }
}
