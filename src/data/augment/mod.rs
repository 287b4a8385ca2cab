//! [`Augment`]: images that are moved, turned, stretched and bent a little, anew each time they are seen.

mod augmenter;
mod elastic;
mod warp;

use std::fmt;
use std::str::FromStr;

pub use augmenter::Augmenter;

use crate::settings::{self, Range, shown};
use crate::text::count;
use crate::{Error, Result};

/// By how much images are changed at random while a network is trained on them.
///
/// An image I becomes I'(p) = I(c + A⁻¹(p − c − t) + d(p)): p is a pixel, c the middle of the image, t a shift,
/// A = s·R(θ)·K a turn by θ of what is stretched by s and slanted by k, and d a smooth random field. Between pixels the
/// four around are joined in proportion ([bilinear](https://en.wikipedia.org/wiki/Bilinear_interpolation)), once for all
/// changes together; outside of the image all is 0, as it is stored. Features are mapped (standardised, say) afterwards.
///
/// What a sample becomes is a function of the seed, the epoch, the step and its row: see
/// [`Place`](crate::rng::Place). Each change has its own draws, so that one more does not move the others.
///
/// As text, it is what was set: `shift=2,rotate=10,elastic=34`.
///
/// ```
/// use tapegrad::data::Augment;
///
/// let augment: Augment = "shift=2,rotate=10".parse()?;
/// assert_eq!(augment, Augment { shift: 2, rotate: 10.0, ..Augment::default() });
/// assert_eq!(augment.to_string(), "shift=2,rotate=10");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augment {
    /// Pixels by which an image is moved along each axis, at most: each whole number from −`shift` to `shift` is as likely.
    pub shift: usize,
    /// Degrees by which it is turned around its middle, at most: uniform from −`rotate` to `rotate`, in [0, 180].
    pub rotate: f64,
    /// It is stretched by a factor that is uniform from 1 − `scale` to 1 + `scale`; in [0, 1).
    pub scale: f64,
    /// A pixel is moved sideways by k times its distance below the middle, where k is uniform from −`shear` to `shear`; in
    /// [0, 1].
    pub shear: f64,
    /// α of the elastic distortion of Simard, Steinkraus and Platt ("Best Practices for Convolutional Neural Networks
    /// Applied to Visual Document Analysis", ICDAR 2003): α times a field of numbers from −1 to 1, smoothed by a Gaussian,
    /// is how far each pixel is moved along each axis, in pixels. They take 34 with a `smooth` of 4, which moves a pixel
    /// by about 1.4 pixels along an axis.
    pub elastic: f64,
    /// σ of that Gaussian, in pixels: positive, and at most the longer side of the image. Small: each pixel shakes by
    /// itself; large: the image is moved as a whole.
    pub smooth: f64,
}

/// Nothing is changed; where `elastic` is set, `smooth` is 4.
impl Default for Augment {
    fn default() -> Self {
        Augment { shift: 0, rotate: 0.0, scale: 0.0, shear: 0.0, elastic: 0.0, smooth: SMOOTH }
    }
}

const SMOOTH: f64 = 4.0;

/// The names of the settings, in their order.
const NAMES: [&str; 6] = ["shift", "rotate", "scale", "shear", "elastic", "smooth"];

impl Augment {
    /// An error if a setting is out of its range for images of `height`×`width` pixels.
    ///
    /// # Errors
    /// [`Error::Setting`] with the number and its bound.
    pub fn check(&self, height: usize, width: usize) -> Result<()> {
        self.check_each(height, width).map_err(|error| match error {
            // The setting of a run is called `augment`; which part of it, stands in front of the reason.
            Error::Setting { name, why } => Error::setting("augment", format!("{name}: {why}")),
            other => other,
        })
    }

    fn check_each(&self, height: usize, width: usize) -> Result<()> {
        let (shorter, longer) = (height.min(width), height.max(width));
        if self.shift > 0 && self.shift >= shorter {
            let why = format!(
                "{} is not below the {} of the image's shorter side",
                self.shift,
                count(shorter, "pixel")
            );
            return Err(Error::setting("shift", why));
        }
        let angle = Range { text: "in the range 0 ≤ x ≤ 180", contains: |x| (0.0..=180.0).contains(&x) };
        settings::check::<f64>("rotate", self.rotate, angle)?;
        settings::check::<f64>("scale", self.scale, Range::BELOW_ONE)?;
        settings::check::<f64>("shear", self.shear, Range::SHARE)?;
        // The field is computed in f32, whatever the network is trained in.
        settings::check::<f32>("elastic", self.elastic, Range::NOT_NEGATIVE)?;
        settings::check::<f32>("smooth", self.smooth, Range::POSITIVE)?;
        if self.elastic > 0.0 && self.smooth > longer as f64 {
            let smooth = shown(self.smooth);
            let why = format!("{smooth} is above the {} of the image's longer side", count(longer, "pixel"));
            return Err(Error::setting("smooth", why));
        }
        Ok(())
    }

    /// Whether it changes images at all; `smooth` alone does not.
    pub fn changes(&self) -> bool {
        let Augment { shift, rotate, scale, shear, elastic, smooth: _ } = *self;
        shift > 0 || [rotate, scale, shear, elastic].iter().any(|most| *most != 0.0)
    }
}

/// What is set: `shift=2,rotate=10`; `none` where nothing is. `smooth` is left out where nothing is bent.
impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Augment { shift, rotate, scale, shear, elastic, smooth } = *self;
        let number = |x: f64, usual: f64| (x != usual, shown(x));
        let [rotate, scale, shear, bent] = [rotate, scale, shear, elastic].map(|x| number(x, 0.0));
        let (is_other, smooth) = number(smooth, SMOOTH);
        let smooth = (is_other && elastic != 0.0, smooth);
        // The shift as the whole number that it is: an f64 is not every one of them.
        let all = [(shift > 0, shift.to_string()), rotate, scale, shear, bent, smooth];
        let said = NAMES.iter().zip(all).filter(|(_, (is_set, _))| *is_set);
        let texts: Vec<String> = said.map(|(name, (_, value))| format!("{name}={value}")).collect();
        if texts.is_empty() { f.write_str("none") } else { f.write_str(&texts.join(",")) }
    }
}

/// Reads what [`Display`](fmt::Display) writes, in any order; what is read is printed so that the same is read again, unless a
/// number is NaN. Whether it suits the images is not looked at: [`check`](Augment::check).
impl FromStr for Augment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Augment> {
        let mut augment = Augment::default();
        if text == "none" {
            return Ok(augment);
        }
        let refuse = |why: String| Error::setting("augment", why);
        let mut said = [false; NAMES.len()];
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or_else(|| {
                refuse(format!("`{}` is not NAME=NUMBER, as shift=2 is", crate::text::printable(part)))
            })?;
            let Some(at) = NAMES.iter().position(|known| *known == name) else {
                let name = crate::text::printable(name);
                return Err(refuse(format!("there is no `{name}`; there are {}", NAMES.join(", "))));
            };
            if std::mem::replace(&mut said[at], true) {
                return Err(refuse(format!("{name} is said twice")));
            }
            let wrong = |what: &str| {
                refuse(format!("{name} is `{}`, which is no {what}", crate::text::printable(value)))
            };
            let number = || value.parse::<f64>().map_err(|_| wrong("number"));
            match name {
                "shift" => {
                    augment.shift = value.parse().map_err(|_| wrong("whole number of pixels"))?;
                }
                "rotate" => augment.rotate = number()?,
                "scale" => augment.scale = number()?,
                "shear" => augment.shear = number()?,
                "elastic" => augment.elastic = number()?,
                _ => augment.smooth = number()?,
            }
        }
        if said[5] && augment.elastic == 0.0 {
            let elastic = if said[4] { "0" } else { "not set" };
            return Err(refuse(format!("smooth is a setting of elastic, which is {elastic}")));
        }
        Ok(augment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for text in
            ["none", "shift=2", "rotate=12.5,elastic=34", "shift=1,scale=0.1,shear=0.2,elastic=8,smooth=3"]
        {
            assert_eq!(text.parse::<Augment>().unwrap().to_string(), text);
        }
        let augment: Augment = "elastic=34,smooth=4.0,shift=2".parse().unwrap();
        assert_eq!(augment.to_string(), "shift=2,elastic=34");
        let farthest = format!("shift={},scale=1e300", usize::MAX);
        for text in [&*farthest, "rotate=-3,elastic=inf,smooth=-inf"] {
            assert_eq!(text.parse::<Augment>().unwrap().to_string(), text);
        }
        assert_eq!("rotate=-0,elastic=0,shift=+0".parse::<Augment>().unwrap().to_string(), "none");
    }

    #[test]
    fn what_changes_nothing() {
        for (text, changes) in
            [("none", false), ("shift=0,scale=0", false), ("elastic=0", false), ("shear=1", true)]
        {
            assert_eq!(text.parse::<Augment>().unwrap().changes(), changes, "{text}");
        }
        let smooth = Augment { smooth: 5.0, ..Augment::default() };
        assert_eq!((smooth.changes(), smooth.to_string()), (false, "none".into()));
        assert!(Augment { rotate: f64::NAN, ..Augment::default() }.changes());
    }

    #[test]
    fn what_cannot_be_read() {
        for (text, why) in [
            ("", "`` is not NAME=NUMBER, as shift=2 is"),
            ("shift", "`shift` is not NAME=NUMBER, as shift=2 is"),
            ("turn=3", "there is no `turn`; there are shift, rotate, scale, shear, elastic, smooth"),
            ("shift=1.5", "shift is `1.5`, which is no whole number of pixels"),
            ("shift=-1", "shift is `-1`, which is no whole number of pixels"),
            ("rotate=ten", "rotate is `ten`, which is no number"),
            ("shift=1,shift=1", "shift is said twice"),
            ("smooth=3", "smooth is a setting of elastic, which is not set"),
            ("smooth=3,elastic=0", "smooth is a setting of elastic, which is 0"),
        ] {
            let error = text.parse::<Augment>().unwrap_err();
            assert_eq!(error.to_string(), format!("augment: {why}"));
        }
    }

    #[test]
    fn ranges_with_both_numbers() {
        for (text, why) in [
            ("shift=20", "shift: 20 is not below the 20 pixels of the image's shorter side"),
            ("rotate=181", "rotate: 181 is not in the range 0 ≤ x ≤ 180"),
            ("rotate=NaN", "rotate: NaN is not in the range 0 ≤ x ≤ 180"),
            ("scale=1", "scale: 1 is not in the range 0 ≤ x < 1"),
            ("shear=-0.1", "shear: -0.1 is not in the range 0 ≤ x ≤ 1"),
            ("elastic=inf", "elastic: inf is not finite and at least 0"),
            ("elastic=1e39", "elastic: 1e39 is not finite (as f32) and at least 0"),
            ("elastic=1,smooth=0", "smooth: 0 is not positive and finite"),
            ("elastic=1,smooth=29", "smooth: 29 is above the 28 pixels of the image's longer side"),
        ] {
            let error = text.parse::<Augment>().unwrap().check(20, 28).unwrap_err();
            assert_eq!(error.to_string(), format!("augment: {why}"));
        }
        "shift=19,rotate=180,scale=0.9,shear=1,elastic=1000,smooth=28"
            .parse::<Augment>()
            .unwrap()
            .check(20, 28)
            .unwrap();
        Augment::default().check(1, 1).unwrap();
    }
}
