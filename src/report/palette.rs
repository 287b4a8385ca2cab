//! Colours: the series, the ink, the maps.

use std::fmt::Write as _;

use super::Image;

/// A colour with a meaning, in a light and a dark form.
///
/// The series are those of Okabe and Ito ("Color Universal Design", 2008), which readers with any of the
/// usual forms of colour blindness tell apart; their yellow is left out, as it is lost on white paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Series 0.
    Blue,
    /// Series 1.
    Vermilion,
    /// Series 2.
    Green,
    /// Series 3.
    Purple,
    /// Series 4.
    Orange,
    /// Series 5.
    Sky,
    /// Text, and series 6: black on light, white on dark.
    Ink,
    /// What stands back: labels of axes, reference lines.
    Muted,
    /// Lines of the grid.
    Grid,
    /// What lies behind everything.
    Paper,
}

/// Colour, light form, dark form. The light forms differ: the dark theme finds a colour by them.
const TABLE: [(Color, u32, u32); 10] = [
    (Color::Blue, 0x0072B2, 0x4BA6E0),
    (Color::Vermilion, 0xD55E00, 0xFF8A4C),
    (Color::Green, 0x009E73, 0x22C79A),
    (Color::Purple, 0xCC79A7, 0xE59CC6),
    (Color::Orange, 0xE69F00, 0xF4B942),
    (Color::Sky, 0x56B4E9, 0xA6DCFF),
    (Color::Ink, 0x1B1B1B, 0xECECEC),
    (Color::Muted, 0x595959, 0xB4B4B4),
    (Color::Grid, 0xE2E2E2, 0x383C42),
    (Color::Paper, 0xFFFFFF, 0x17191D),
];

impl Color {
    /// The colour of series `i`; after seven they come again, to be told apart by dashes.
    pub fn series(i: usize) -> Color {
        TABLE[i % 7].0
    }

    /// Red, green, blue on light paper.
    pub fn rgb(self) -> (u8, u8, u8) {
        let [_, r, g, b] = self.entry().1.to_be_bytes();
        (r, g, b)
    }

    /// Opaque red, green, blue, alpha on light paper: a pixel of an [`Image`].
    pub fn pixel(self, alpha: f64) -> [u8; 4] {
        let (r, g, b) = self.rgb();
        [r, g, b, (alpha.clamp(0.0, 1.0) * 255.0).round() as u8]
    }

    fn entry(self) -> (Color, u32, u32) {
        *TABLE.iter().find(|(color, ..)| *color == self).expect("every colour is in the table")
    }
}

/// The style sheet that exchanges the light colours of drawings below `scope` by the dark ones, where the
/// reader's theme is dark; not on paper.
///
/// A drawing itself holds the light colours as plain attributes, so that it is right in a program that
/// knows no style sheets.
pub fn dark_style(scope: &str) -> String {
    let mut css = String::from("@media screen and (prefers-color-scheme:dark){");
    for (_, light, dark) in TABLE {
        for attribute in ["fill", "stroke"] {
            let _ = write!(css, "{scope}[{attribute}=\"#{light:06X}\"]{{{attribute}:#{dark:06X}}}");
        }
    }
    css.push('}');
    css
}

/// The map from 0 (dark blue) to 1 (yellow): viridis by Smith and van der Walt, by linear interpolation
/// between nine of its colours. Even in lightness, and so readable in grey and to the colour-blind.
///
/// NaN becomes transparent; below 0 and above 1 the ends are taken.
pub fn colormap(x: f64) -> [u8; 4] {
    const VIRIDIS: [[u8; 3]; 9] = [
        [68, 1, 84],
        [71, 45, 123],
        [59, 82, 139],
        [44, 114, 142],
        [33, 145, 140],
        [40, 174, 128],
        [94, 201, 98],
        [173, 220, 48],
        [253, 231, 37],
    ];
    if x.is_nan() {
        return [0; 4];
    }
    let at = x.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let low = (at as usize).min(VIRIDIS.len() - 2);
    let share = at - low as f64;
    let mix = |k: usize| {
        let (a, b) = (f64::from(VIRIDIS[low][k]), f64::from(VIRIDIS[low + 1][k]));
        (a + share * (b - a)).round() as u8
    };
    [mix(0), mix(1), mix(2), 255]
}

/// The strip beside a heat map: the map from its bottom to its top.
pub fn color_strip(levels: usize) -> Image {
    Image::from_fn(1, levels, |_, row| colormap((levels - 1 - row) as f64 / (levels - 1).max(1) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_light_forms_differ() {
        for (i, (color, light, _)) in TABLE.iter().enumerate() {
            assert!(TABLE[i + 1..].iter().all(|(_, other, _)| other != light), "{color:?}");
        }
    }

    #[test]
    fn the_map_is_monotone_in_lightness() {
        let lightness = |x: f64| {
            let [r, g, b, _] = colormap(x).map(f64::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let steps: Vec<f64> = (0..=100).map(|i| lightness(f64::from(i) / 100.0)).collect();
        assert!(steps.windows(2).all(|pair| pair[1] > pair[0] - 1.0), "{steps:?}");
        assert_eq!(colormap(f64::NAN)[3], 0);
        assert_eq!(colormap(-3.0), colormap(0.0));
    }
}
