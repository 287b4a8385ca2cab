//! What a kernel sees of two samples.

/// What a kernel is a function of, besides ‖x‖² and ‖y‖².
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairwise {
    /// ⟨x, y⟩.
    InnerProduct,
    /// ‖x − y‖² = Σ (xᵢ − yᵢ)².
    SquaredDistance,
    /// ‖x − y‖₁ = Σ |xᵢ − yᵢ|.
    ManhattanDistance,
}
