//! What the linear algebra library asks of a number type.

/// Supertrait of [`Float`](crate::Float); it seals it, and carries faer's own trait along.
pub trait Backend: faer::traits::RealField {}

impl Backend for f32 {}
impl Backend for f64 {}
