//! The flags of transformers.

use clap::Args;

use super::mlp::DropoutArgs;
use crate::models::Trunk;

/// The blocks of a transformer.
#[derive(Args)]
#[command(next_help_heading = "Blocks of a transformer (vit, gpt)")]
pub struct TransformerArgs {
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

impl TransformerArgs {
    /// What was asked for.
    pub fn trunk(&self, dropout: &DropoutArgs) -> Trunk {
        let TransformerArgs { blocks, width, heads, expansion } = *self;
        Trunk { blocks, width, heads, expansion, dropout: dropout.share.unwrap_or(0.0) }
    }
}

/// What an image is told by.
#[derive(Args)]
#[command(next_help_heading = "Code (autoencoder)")]
pub struct CodeArgs {
    /// Numbers of the code
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub code: usize,
}

/// How an image is cut.
#[derive(Args)]
#[command(next_help_heading = "Squares of an image (vit)")]
pub struct PatchArgs {
    /// Side of the squares that an image is cut into, which divides its sides
    #[arg(long, value_name = "PIXELS", default_value_t = 4)]
    pub patch: usize,
}
