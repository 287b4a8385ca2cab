//! Colours: the series, the ink, the maps.

use std::fmt::Write as _;

use super::Image;

/// A colour with a meaning, in a light and a dark form.
///
/// The first four series are those of Okabe and Ito ("Color Universal Design", 2008), which readers with any of the
/// usual forms of colour blindness tell apart. Of their others the yellow, the orange and the sky blue are too pale: on
/// white paper they have a contrast of 1.3, 2.3 and 2.3 to 1, where WCAG 2.2 (criterion 1.4.11) asks 3 to 1 of
/// graphics. In their place stand a brown and an indigo. Between the lightness of the first four and black there was
/// room, and lightness is what every reader sees.
///
/// By distances in Oklab, of colours as they are and as seen with protanopia, deuteranopia and tritanopia (Machado, Oliveira
/// and Fernandes 2009), any two series are at least 0.076 apart on light paper and 0.084 on dark; 0.02 is just noticed.
/// The nearest are green and purple. The two new ones are at least 0.15 from every other on light, 0.13 on dark paper.
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
    Brown,
    /// Series 5.
    Indigo,
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
    (Color::Blue, 0x0072B2, 0x4199D8),
    (Color::Vermilion, 0xD55E00, 0xFF8A4C),
    (Color::Green, 0x009E73, 0x22C79A),
    (Color::Purple, 0xCC79A7, 0xEFB4D6),
    (Color::Brown, 0x723C00, 0xA65C10),
    (Color::Indigo, 0x1A22A0, 0x5C60CC),
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

    /// Red, green, blue as amounts of light.
    fn light(color: u32) -> [f64; 3] {
        let [_, rgb @ ..] = color.to_be_bytes();
        rgb.map(|x| {
            let x = f64::from(x) / 255.0;
            if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn times(matrix: &[[f64; 3]; 3], x: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum())
    }

    /// WCAG 2.2, by relative luminance.
    fn contrast(a: u32, b: u32) -> f64 {
        let luminance = |color: u32| times(&[[0.2126, 0.7152, 0.0722]; 3], light(color))[0] + 0.05;
        let (a, b) = (luminance(a), luminance(b));
        a.max(b) / a.min(b)
    }

    /// Ottosson, "A perceptual color space for image processing", 2020.
    fn oklab(light: [f64; 3]) -> [f64; 3] {
        const CONES: [[f64; 3]; 3] = [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ];
        const LAB: [[f64; 3]; 3] = [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ];
        times(&LAB, times(&CONES, light).map(f64::cbrt))
    }

    /// As they are seen: by all cones, and without those for long, middle and short waves. Machado, Oliveira and
    /// Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, severity 1.
    const SEEN: [[[f64; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ];

    /// The least distance over all ways of seeing.
    fn apart(a: u32, b: u32) -> f64 {
        let distance = |seen: &[[f64; 3]; 3]| {
            let [a, b] = [a, b].map(|color| oklab(times(seen, light(color)).map(|x| x.clamp(0.0, 1.0))));
            a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
        };
        SEEN.iter().map(distance).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn series_stand_out_from_the_paper_and_from_each_other() {
        // Black on white is 21 to 1 by definition; a colour that was given up is one that fails.
        assert!((contrast(0x000000, 0xFFFFFF) - 21.0).abs() < 1e-9 && contrast(0xE69F00, 0xFFFFFF) < 2.3);
        let (_, paper, dark_paper) = Color::Paper.entry();
        let series = &TABLE[..7];
        for (color, light, dark) in series {
            for (form, paper) in [(*light, paper), (*dark, dark_paper)] {
                let contrast = contrast(form, paper);
                assert!(contrast >= 3.0, "{color:?} #{form:06X}: {contrast}");
            }
        }
        let new = [Color::Brown, Color::Indigo];
        let mut least = [f64::INFINITY; 4];
        for (i, (a, light_a, dark_a)) in series.iter().enumerate() {
            for (b, light_b, dark_b) in &series[i + 1..] {
                let both = [apart(*light_a, *light_b), apart(*dark_a, *dark_b)];
                let of_new = new.contains(a) || new.contains(b);
                for (k, distance) in both.into_iter().enumerate() {
                    least[k] = least[k].min(distance);
                    if of_new {
                        least[2 + k] = least[2 + k].min(distance);
                    }
                }
            }
        }
        // The figures of the documentation of `Color`.
        let told = [0.076, 0.084, 0.15, 0.13];
        assert!(least.iter().zip(told).all(|(least, told)| *least >= told), "{least:?}");
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
