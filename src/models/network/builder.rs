//! The parts of a network, before it is known how many numbers go in and come out.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;

use super::super::pool::Pool;
use super::Network;
use super::image_part::ImagePart;
use crate::data::preprocess::{TargetScale, Transform};
use crate::metrics::SeenClasses;
use crate::models::{Inputs, Task};
use crate::nn::image_behind;
use crate::nn::loss::{self, Loss};
use crate::nn::{Activation, Dropout, Init, Linear, Module, ModuleExt, Norm, Residual, Sequential};
use crate::ops::ImageShape;
use crate::optim::{Adam, Optimizer};
use crate::rng::{Purpose, stream};
use crate::tape::{Shape, Tape};
use crate::{Dataset, Error, Float, Result};

/// What makes a module on the tape of the network, for that many numbers per sample.
type Make<T> = Box<dyn FnOnce(&mut Tape<T>, usize, &mut ChaCha8Rng) -> Result<Arc<dyn Module<T>>>>;

/// A part that is still to be made.
pub(super) enum Part<T: Float> {
    Linear { outputs: usize, bias: bool },
    Activation(Activation),
    Dropout(f64),
    Norm(Norm),
    Image(ImagePart),
    Residual(Vec<Part<T>>),
    Module(Arc<dyn Module<T>>),
    Make(Make<T>),
}

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

    pub(super) fn part(mut self, part: Part<T>) -> Self {
        self.parts.push(part);
        self
    }

    /// An affine layer to `outputs` numbers per sample, with a bias.
    pub fn linear(self, outputs: usize) -> Self {
        self.part(Part::Linear { outputs, bias: true })
    }

    /// The same without a bias.
    pub fn linear_without_bias(self, outputs: usize) -> Self {
        self.part(Part::Linear { outputs, bias: false })
    }

    /// An activation.
    pub fn activation(self, activation: Activation) -> Self {
        self.part(Part::Activation(activation))
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
        self.part(Part::Dropout(p))
    }

    /// [Batch normalisation](crate::nn::BatchNorm); of images, [by channel](crate::nn::BatchNorm2d).
    pub fn batch_norm(self) -> Self {
        self.part(Part::Norm(Norm::Batch))
    }

    /// [Layer normalisation](crate::nn::LayerNorm).
    pub fn layer_norm(self) -> Self {
        self.part(Part::Norm(Norm::Layer))
    }

    /// x + f(x), with the parts that `block` adds as f: it must end with as many numbers as come in. Only its parts
    /// count; loss, preparation and the rest are the network's.
    pub fn residual(self, block: impl FnOnce(Self) -> Self) -> Self {
        let inner = block(NetworkBuilder::new(self.seed));
        self.part(Part::Residual(inner.parts))
    }

    /// A module without parameters, or one whose parameters are not to be made here.
    #[expect(clippy::should_implement_trait, reason = "nobody reads a network as a sum")]
    pub fn add(self, module: impl Module<T> + 'static) -> Self {
        self.part(Part::Module(Arc::new(module)))
    }

    /// A module with parameters: `make` gets the tape to make them on, how many numbers per sample go in, and the
    /// random stream of initial values. Its error is that of [`outputs_for`](Self::outputs_for).
    pub fn add_with<M: Module<T> + 'static>(
        self,
        make: impl FnOnce(&mut Tape<T>, usize, &mut ChaCha8Rng) -> Result<M> + 'static,
    ) -> Self {
        self.part(Part::Make(Box::new(move |tape, inputs, rng| Ok(Arc::new(make(tape, inputs, rng)?)))))
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
    /// takes another number of numbers than the part before gives. [`Error::Setting`] if a setting is out of its
    /// range, such as a layer of width 0.
    pub fn outputs_for(mut self, train: &Dataset) -> Result<Network<T>> {
        let (mut parts, init) = (std::mem::take(&mut self.parts), self.init);
        self.made_by(train, |tape, inputs, outputs, rng| {
            parts.push(Part::Linear { outputs, bias: true });
            let (net, given) = build(parts, Shape::new(1, inputs), None, init, tape, rng)?;
            super::check_rows(given.rows, train.labels_per_row())?;
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
                    "{name}: it takes {outputs} outputs, which do not stand for {classes} classes by its link, {link:?}"
                );
                return Err(Error::Data(why));
            }
        }
        if let Task::Values { scale, reconstructs, .. } = &mut task {
            *reconstructs = self.reconstructs;
            let targets = train.target_width();
            if self.scale.is_some() && outputs != targets {
                let why = format!(
                    "{} takes {outputs} outputs for {targets} targets: which of them is on the targets' scale is not \
                     known, so that they cannot be standardised",
                    loss.name()
                );
                return Err(Error::Data(why));
            }
            *scale = self.scale;
        } else if self.scale.is_some() {
            return Err(Error::Data("the targets are scaled, but the loss is of classes".into()));
        }
        let (mut tape, mut rng) = (Tape::default(), stream(self.seed, Purpose::Init));
        let module = make(&mut tape, features, outputs, &mut rng)?;
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

/// The parts one behind the other, and the shape that comes out for the `inputs` of a sample. They are named by what they are
/// and a number: `linear1`, `relu1`, `linear2`. `image` is what the inputs stand for.
fn build<T: Float>(
    parts: Vec<Part<T>>,
    inputs: Shape,
    mut image: Option<ImageShape>,
    init: Init,
    tape: &mut Tape<T>,
    rng: &mut ChaCha8Rng,
) -> Result<(Sequential<T>, Shape)> {
    let (mut net, Shape { mut rows, cols: mut width }) = (Sequential::new(), inputs);
    let mut counts = BTreeMap::new();
    for part in parts {
        let mut given = None;
        let (kind, module): (&str, Arc<dyn Module<T>>) = match part {
            Part::Linear { outputs, bias } => {
                if outputs == 0 {
                    return Err(Error::setting("widths", "a layer of width 0 lets nothing through"));
                }
                init.check::<T>()?;
                given = Some(outputs);
                ("linear", Arc::new(Linear::new(tape, width, outputs, bias, init, rng)))
            }
            Part::Activation(activation) => (activation.name(), Arc::new(activation)),
            Part::Dropout(p) => ("dropout", Arc::new(Dropout::new::<T>(p)?)),
            Part::Norm(norm) => match (norm, image) {
                (Norm::Batch, Some(image)) => ("norm", Arc::new(Norm::batch_2d(tape, image)?)),
                _ => match norm.layer(tape, width)? {
                    Some(layer) => ("norm", Arc::new(layer)),
                    None => continue,
                },
            },
            Part::Image(part) => match part.make(width, &mut image, tape, init, rng)? {
                Some(made) => made,
                None => continue,
            },
            Part::Residual(parts) => {
                let taken = Shape::new(rows, width);
                let (block, given) = build(parts, taken, image, init, tape, rng)?;
                if let Some((takes, gives)) = Module::<T>::images(&block)
                    && takes != gives
                {
                    let why = format!("a residual block takes an image of {takes}, but gives one of {gives}");
                    return Err(Error::Data(why));
                }
                if given.cols != width {
                    let why = format!("a residual block takes {width} numbers, but gives {}", given.cols);
                    return Err(Error::Data(why));
                }
                if given.rows != rows {
                    let why =
                        format!("a residual block takes {rows} rows for a sample, but gives {}", given.rows);
                    return Err(Error::Data(why));
                }
                ("residual", Arc::new(Residual::new(block)))
            }
            Part::Module(module) => ("module", module),
            Part::Make(make) => ("module", make(tape, width, rng)?),
        };
        if let Some(takes) = module.inputs().filter(|takes| *takes != width) {
            let before = net.modules().last().map_or("the data".to_string(), |(_, last)| last.describe());
            let why = format!("{} takes {takes} numbers, but {before} gives {width}", module.describe());
            return Err(Error::Data(why));
        }
        if !module.takes(width) {
            let why = format!("{} does not take the {width} numbers that come to it", module.describe());
            return Err(Error::Data(why));
        }
        if module.vocabulary().is_some() && net.modules().next().is_some() {
            let why = format!("{} takes tokens, and stands behind another module", module.describe());
            return Err(Error::Data(why));
        }
        image = image_behind(&*module, image)?;
        let taken = Shape::new(rows, width);
        rows = module.rows(rows).ok_or_else(|| {
            Error::Data(format!(
                "{} does not take the {rows} rows that there are for a sample",
                module.describe()
            ))
        })?;
        width = given.unwrap_or_else(|| module.output_shape(tape, taken).cols);
        let number: &mut usize = counts.entry(kind).or_default();
        *number += 1;
        net = net.push_shared(format!("{kind}{number}"), module);
    }
    Ok((net, Shape::new(rows, width)))
}
