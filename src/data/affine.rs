//! [`Affine`]: a shift and a scale per feature, applied when a batch is gathered.

use crate::float::Numbers;
use crate::linalg::simd::vectorize;
use crate::memory::with_room;
use crate::settings::shown;
use crate::text::count;
use crate::{Error, Float, Result};

/// z = (x − center)/scale, with one pair for all features or one for each.
///
/// A division, not a product with 1/scale: byte 255 becomes 1 exactly, and the bits are those of the
/// formula as it stands in books.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine(pub(super) Map);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Map {
    Uniform { center: f64, scale: f64 },
    Columns { center: Vec<f64>, scale: Vec<f64> },
}

impl Affine {
    /// z = x.
    pub const IDENTITY: Affine = Affine(Map::Uniform { center: 0.0, scale: 1.0 });

    /// z = x/255: bytes to the interval from 0 to 1.
    pub const PIXELS: Affine = Affine(Map::Uniform { center: 0.0, scale: 255.0 });

    /// z = (x − center)/scale for every feature.
    ///
    /// # Errors
    /// [`Error::Data`] if a number is not finite or `scale` is 0.
    pub fn uniform(center: f64, scale: f64) -> Result<Affine> {
        check(center, scale, || "".into())?;
        Ok(Affine(Map::Uniform { center, scale }))
    }

    /// zⱼ = (xⱼ − centerⱼ)/scaleⱼ.
    ///
    /// # Errors
    /// [`Error::Data`] if a number is not finite or a scale is 0.
    ///
    /// # Panics
    /// If the lengths differ.
    #[track_caller]
    pub fn columns(center: Vec<f64>, scale: Vec<f64>) -> Result<Affine> {
        let (c, s) = (center.len(), scale.len());
        assert!(c == s, "Affine::columns: {} but {}", count(c, "center"), count(s, "scale"));
        for (j, (c, s)) in center.iter().zip(&scale).enumerate() {
            check(*c, *s, || format!("column {j}: "))?;
        }
        Ok(Affine(Map::Columns { center, scale }))
    }

    /// Center and scale of feature `j`.
    ///
    /// # Panics
    /// If there are pairs for fewer features.
    #[track_caller]
    pub fn column(&self, j: usize) -> (f64, f64) {
        match &self.0 {
            Map::Uniform { center, scale } => (*center, *scale),
            Map::Columns { center, scale } => (center[j], scale[j]),
        }
    }

    /// How many features it is made for; `None` if any number will do.
    pub fn features(&self) -> Option<usize> {
        match &self.0 {
            Map::Uniform { .. } => None,
            Map::Columns { center, .. } => Some(center.len()),
        }
    }

    /// z of the features of one sample, in `T`: what [`Dataset::gather`](super::Dataset::gather) makes of a row of such
    /// numbers, to the bit.
    ///
    /// # Panics
    /// If there is not a place in `to` for each feature, or the map is made for another number of them.
    #[track_caller]
    pub(crate) fn apply<T: Float>(&self, sample: Numbers<'_>, to: &mut [T]) {
        let (found, places) = (sample.len(), to.len());
        assert!(
            found == places,
            "Affine::apply: {}, but {}",
            count(found, "feature"),
            count(places, "place")
        );
        if let Some(n) = self.features() {
            assert!(
                n == found,
                "Affine::apply: a map of {}, but the sample has {found}",
                count(n, "feature")
            );
        }
        match sample {
            Numbers::F32(x) => self.apply_to(x, to),
            Numbers::F64(x) => self.apply_to(x, to),
        }
    }

    #[inline(always)]
    fn apply_to<S: Float, T: Float>(&self, sample: &[S], to: &mut [T]) {
        let map = |x: S, c: f64, s: f64| T::of((x.to_f64() - c) / s);
        vectorize(
            to.len(),
            #[inline(always)]
            || match &self.0 {
                Map::Uniform { center: 0.0, scale: 1.0 } => {
                    to.iter_mut().zip(sample).for_each(|(z, x)| *z = T::of(x.to_f64()));
                }
                Map::Uniform { center, scale } => {
                    let (center, scale) = (*center, *scale);
                    to.iter_mut().zip(sample).for_each(|(z, x)| *z = map(*x, center, scale));
                }
                Map::Columns { center, scale } => {
                    for (((z, x), c), s) in to.iter_mut().zip(sample).zip(center).zip(scale) {
                        *z = map(*x, *c, *s);
                    }
                }
            },
        );
    }

    /// First this map, then `next`: ((x − c₁)/s₁ − c₂)/s₂ = (x − (c₁ + s₁c₂))/(s₁s₂).
    ///
    /// # Errors
    /// [`Error::Data`] if a product of scales leaves the range of the numbers.
    ///
    /// # Panics
    /// If the two are made for different numbers of features.
    #[track_caller]
    pub fn then(&self, next: &Affine) -> Result<Affine> {
        let features = match (self.features(), next.features()) {
            (Some(a), Some(b)) => {
                assert!(a == b, "Affine::then: a map of {} before one of {b}", count(a, "feature"));
                Some(a)
            }
            (a, b) => a.or(b),
        };
        let compose = |j| {
            let ((c1, s1), (c2, s2)) = (self.column(j), next.column(j));
            (c1 + s1 * c2, s1 * s2)
        };
        match features {
            None => {
                let (center, scale) = compose(0);
                Affine::uniform(center, scale)
            }
            Some(n) => {
                let (mut center, mut scale) =
                    (with_room(n, "centers of columns")?, with_room(n, "scales of columns")?);
                for (c, s) in (0..n).map(compose) {
                    center.push(c);
                    scale.push(s);
                }
                Affine::columns(center, scale)
            }
        }
    }
}

fn check(center: f64, scale: f64, place: impl Fn() -> String) -> Result<()> {
    if !center.is_finite() || !scale.is_finite() || scale == 0.0 {
        let why = format!("{}cannot map x to (x − {})/{}", place(), shown(center), shown(scale));
        return Err(Error::Data(why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composition() {
        let a = Affine::columns(vec![1.0, 2.0], vec![2.0, 4.0]).unwrap();
        let b = Affine::uniform(3.0, 0.5).unwrap();
        let apply = |m: &Affine, j, x: f64| {
            let (c, s) = m.column(j);
            (x - c) / s
        };
        for (first, second) in [(&a, &b), (&b, &a), (&b, &b), (&a, &a)] {
            let both = first.then(second).unwrap();
            for j in 0..2 {
                assert_eq!(apply(&both, j, 20.0), apply(second, j, apply(first, j, 20.0)));
            }
        }
        assert_eq!(b.then(&b).unwrap().features(), None);
    }

    #[test]
    fn a_scale_of_zero_is_an_error() {
        let error = Affine::columns(vec![0.0, 1.0], vec![1.0, 0.0]).unwrap_err();
        assert_eq!(error.to_string(), "column 1: cannot map x to (x − 1)/0");
        assert!(Affine::uniform(f64::NAN, 1.0).is_err());
    }
}
