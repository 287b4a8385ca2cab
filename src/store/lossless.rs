//! Numbers that may not be finite, in JSON: `#[serde(with = "lossless")]` on a field writes a number, and `"inf"`,
//! `"-inf"` or `"nan"` where it is none.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What consists of such numbers.
pub(crate) trait Lossless: Sized {
    type Kept: Serialize + for<'a> Deserialize<'a>;

    fn keep(&self) -> Self::Kept;
    fn back(kept: Self::Kept) -> Option<Self>;
}

/// A number, or its name.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Number {
    /// A whole number without a point, which is never written: format 1 of checkpoints had the bits of the number.
    Bits(u64),
    Finite(f64),
    Named(String),
}

impl Lossless for f64 {
    type Kept = Number;

    fn keep(&self) -> Number {
        if self.is_finite() { Number::Finite(*self) } else { Number::Named(self.to_string().to_lowercase()) }
    }

    fn back(kept: Number) -> Option<f64> {
        match kept {
            Number::Bits(bits) => Some(f64::from_bits(bits)),
            Number::Finite(x) => Some(x),
            Number::Named(name) => match &name[..] {
                "inf" => Some(f64::INFINITY),
                "-inf" => Some(f64::NEG_INFINITY),
                "nan" => Some(f64::NAN),
                _ => None,
            },
        }
    }
}

impl<X: Lossless> Lossless for Vec<X> {
    type Kept = Vec<X::Kept>;

    fn keep(&self) -> Self::Kept {
        self.iter().map(X::keep).collect()
    }

    fn back(kept: Self::Kept) -> Option<Self> {
        kept.into_iter().map(X::back).collect()
    }
}

impl<X: Lossless> Lossless for Option<X> {
    type Kept = Option<X::Kept>;

    fn keep(&self) -> Self::Kept {
        self.as_ref().map(X::keep)
    }

    fn back(kept: Self::Kept) -> Option<Self> {
        match kept {
            Some(kept) => X::back(kept).map(Some),
            None => Some(None),
        }
    }
}

impl<X: Lossless, Y: Lossless> Lossless for (X, Y) {
    type Kept = (X::Kept, Y::Kept);

    fn keep(&self) -> Self::Kept {
        (self.0.keep(), self.1.keep())
    }

    fn back(kept: Self::Kept) -> Option<Self> {
        Some((X::back(kept.0)?, Y::back(kept.1)?))
    }
}

impl<X: Lossless, const N: usize> Lossless for [X; N] {
    type Kept = Vec<X::Kept>;

    fn keep(&self) -> Self::Kept {
        self.iter().map(X::keep).collect()
    }

    fn back(kept: Self::Kept) -> Option<Self> {
        let back: Option<Vec<X>> = kept.into_iter().map(X::back).collect();
        back?.try_into().ok()
    }
}

pub(crate) fn serialize<X: Lossless, S: Serializer>(x: &X, to: S) -> Result<S::Ok, S::Error> {
    x.keep().serialize(to)
}

pub(crate) fn deserialize<'a, X: Lossless, D: Deserializer<'a>>(from: D) -> Result<X, D::Error> {
    X::back(X::Kept::deserialize(from)?).ok_or_else(|| {
        D::Error::custom("not as many numbers as belong here, each finite, \"inf\", \"-inf\" or \"nan\"")
    })
}

#[cfg(test)]
mod tests {
    use super::super::lossless;
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Row {
        #[serde(with = "lossless")]
        losses: Vec<(f64, Option<f64>)>,
        #[serde(with = "lossless")]
        ends: [f64; 3],
    }

    fn ends_of(ends: &str) -> serde_json::Result<[f64; 3]> {
        serde_json::from_str(&format!("{{\"losses\":[],\"ends\":{ends}}}")).map(|row: Row| row.ends)
    }

    #[test]
    fn every_number_comes_back_to_the_last_bit() {
        let losses = vec![(0.1 + 0.2, None), (f64::INFINITY, Some(-0.0)), (5e-324, Some(f64::NEG_INFINITY))];
        let row = Row { losses: losses.clone(), ends: [f64::NAN, f64::MAX, 1.0] };
        let json = serde_json::to_string(&row).unwrap();
        assert!(json.contains("[\"inf\",-0.0]") && json.contains(",1.0]"), "{json}");
        let back: Row = serde_json::from_str(&json).unwrap();
        assert_eq!(format!("{:?}", back.losses), format!("{losses:?}"));
        assert!(back.ends[0].is_nan() && back.ends[1..] == [f64::MAX, 1.0]);
        let bits = ends_of(&format!("[{},{},0]", f64::NEG_INFINITY.to_bits(), 0.1f64.to_bits()));
        assert_eq!(bits.unwrap(), [f64::NEG_INFINITY, 0.1, 0.0]);
        for bad in ["[\"infinite\",1.0,2.0]", "[1.0,2.0]", "[1.0,2.0,null]"] {
            assert!(ends_of(bad).is_err(), "{bad}");
        }
    }
}
