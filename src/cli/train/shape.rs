//! The flags that say what a network is, and the networks that they make.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::models::{Autoencoder, Cnn, ConvAutoencoder, Gpt, Mlp, Trunk, Vit};
use crate::nn::{Activation, Norm};
use crate::ops::ImageShape;

/// All of them: a network takes some.
#[derive(Args)]
pub struct ShapeArgs {
    #[command(flatten)]
    widths: MlpArgs,
    #[command(flatten)]
    layers: LayerArgs,
    #[command(flatten)]
    dropout: DropoutArgs,
    #[command(flatten)]
    transformer: TransformerArgs,
    #[command(flatten)]
    patches: PatchArgs,
    #[command(flatten)]
    text: TextArgs,
    #[command(flatten)]
    filters: FilterArgs,
    #[command(flatten)]
    code: CodeArgs,
}

/// The form of a network.
#[derive(Args)]
#[command(next_help_heading = "Form of the network (mlp, autoencoder)")]
struct MlpArgs {
    /// Widths of the hidden layers, separated by commas; those of an autoencoder before its code
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',', default_value = "128")]
    hidden: Vec<usize>,
}

/// What stands behind each layer.
#[derive(Args)]
#[command(next_help_heading = "Form of the network (mlp, autoencoder, conv-autoencoder)")]
struct LayerArgs {
    /// Activation of the hidden layers
    #[arg(long, value_name = "NAME", default_value = "relu", value_parser = activation_names())]
    activation: Activation,
    /// What normalises the values in front of each activation; of images, batch goes by channel
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = norm_names())]
    norm: Norm,
}

/// What is dropped in training.
#[derive(Args)]
#[command(next_help_heading = "Form of the network (mlp, cnn, vit, gpt, autoencoder, conv-autoencoder)")]
struct DropoutArgs {
    /// Share of the values behind each activation that a training step drops; of those behind the pool of a cnn, half as
    /// many; in a transformer, of those behind each half of a block [default: 0; 0.5 for cnn]
    #[arg(long = "dropout", id = "dropout", value_name = "P")]
    share: Option<f64>,
}

/// The blocks of a transformer.
#[derive(Args)]
#[command(next_help_heading = "Blocks of a transformer (vit, gpt)")]
struct TransformerArgs {
    /// Blocks, one behind the other
    #[arg(long, value_name = "N", default_value_t = 2)]
    blocks: usize,
    /// Numbers of a token
    #[arg(long, value_name = "N", default_value_t = 64)]
    width: usize,
    /// Heads of the attention, which divide the width
    #[arg(long, value_name = "N", default_value_t = 4)]
    heads: usize,
    /// Hidden numbers of a block, as a multiple of the width
    #[arg(long, value_name = "N", default_value_t = 4)]
    expansion: usize,
}

/// How a text is cut.
#[derive(Args)]
#[command(next_help_heading = "Windows of a text (gpt)")]
struct TextArgs {
    /// Bytes that are seen at most
    #[arg(long, value_name = "BYTES", default_value_t = 128)]
    context: usize,
    /// Bytes between the beginnings of two windows of the training; those of the test lie side by side [default: half of
    /// the context]
    #[arg(long, value_name = "BYTES")]
    stride: Option<usize>,
}

/// What goes over an image.
#[derive(Args)]
#[command(next_help_heading = "Filters (conv-autoencoder)")]
struct FilterArgs {
    /// Filters of 3×3 of each layer before the code, separated by commas: a layer halves the sides of the image; behind the
    /// code the same in reverse
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "16,32")]
    filters: Vec<usize>,
}

/// What an image is told by.
#[derive(Args)]
#[command(next_help_heading = "Code (autoencoder, conv-autoencoder)")]
struct CodeArgs {
    /// Numbers of the code
    #[arg(long, value_name = "N", default_value_t = 32)]
    code: usize,
}

/// How an image is cut.
#[derive(Args)]
#[command(next_help_heading = "Squares of an image (vit)")]
struct PatchArgs {
    /// Side of the squares that an image is cut into, which divides its sides
    #[arg(long, value_name = "PIXELS", default_value_t = 4)]
    patch: usize,
}

fn activation_names() -> impl TypedValueParser<Value = Activation> {
    PossibleValuesParser::new(Activation::TABLE.map(|(_, name)| name))
        .try_map(|name| name.parse::<Activation>())
}

fn norm_names() -> impl TypedValueParser<Value = Norm> {
    PossibleValuesParser::new(Norm::TABLE.map(|(_, name)| name)).try_map(|name| name.parse::<Norm>())
}

impl ShapeArgs {
    /// The network from the features to the classes.
    pub fn mlp(&self, inputs: usize, outputs: usize) -> Mlp {
        let widths = [&[inputs], &self.widths.hidden[..], &[outputs]].concat();
        Mlp { norm: self.layers.norm, dropout: self.dropped(), ..Mlp::new(&widths, self.layers.activation) }
    }

    /// The network from the features through a code back to them.
    pub fn autoencoder(&self, inputs: usize) -> Autoencoder {
        let LayerArgs { activation, norm } = self.layers;
        let form = Autoencoder::new(inputs, &self.widths.hidden, self.code.code);
        Autoencoder { activation, norm, dropout: self.dropped(), ..form }
    }

    /// The network from an image through filters and a code back to it.
    pub fn conv_autoencoder(&self, image: ImageShape) -> ConvAutoencoder {
        let (LayerArgs { activation, norm }, filters) = (&self.layers, self.filters.filters.clone());
        let form = ConvAutoencoder::new(image, self.code.code);
        ConvAutoencoder { filters, activation: *activation, norm: *norm, dropout: self.dropped(), ..form }
    }

    /// The convolutional network.
    pub fn cnn(&self, image: ImageShape, outputs: usize) -> Cnn {
        let form = Cnn::new(image, outputs);
        Cnn { dropout: self.dropout.share.unwrap_or(form.dropout), ..form }
    }

    /// The vision transformer.
    pub fn vit(&self, image: ImageShape, outputs: usize) -> Vit {
        Vit { patch: self.patches.patch, trunk: self.trunk(), ..Vit::new(image, outputs) }
    }

    /// The transformer of texts.
    pub fn gpt(&self) -> Gpt {
        Gpt { trunk: self.trunk(), ..Gpt::new(self.text.context) }
    }

    /// Bytes of a window of the text, and how far each is behind the one before.
    pub fn windows(&self) -> (usize, usize) {
        let TextArgs { context, stride } = self.text;
        (context, stride.unwrap_or((context / 2).max(1)))
    }

    fn trunk(&self) -> Trunk {
        let TransformerArgs { blocks, width, heads, expansion } = self.transformer;
        Trunk { blocks, width, heads, expansion, dropout: self.dropped() }
    }

    /// The dropout of a model of that name.
    pub fn dropout_of(&self, model: &str) -> f64 {
        match model {
            "cnn" => self.cnn(ImageShape::new(1, 1, 1), 1).dropout,
            _ => self.dropped(),
        }
    }

    fn dropped(&self) -> f64 {
        self.dropout.share.unwrap_or(0.0)
    }
}
