//! [`Warp`]: where in an image the pixels of the changed one come from, and what is there.

use crate::Float;

/// The map from a pixel to its origin: c + A⁻¹(p − c − t).
///
/// Whole shifts and quarter turns are exact: all that is added then are halves of whole numbers, and the weights of the
/// four pixels around are 1 and 0.
pub(super) struct Warp {
    middle: [f64; 2],
    shift: [f64; 2],
    /// A⁻¹, row by row.
    inverse: [f64; 4],
}

impl Warp {
    /// Of images of `height`×`width` pixels: turned by `degrees`, stretched by `scale` and slanted by `shear`, then moved
    /// by `shift` to the right and down.
    pub fn new(
        (height, width): (usize, usize),
        shift: [f64; 2],
        degrees: f64,
        scale: f64,
        shear: f64,
    ) -> Warp {
        let middle = [width, height].map(|side| (side as f64 - 1.0) / 2.0);
        let (sin, cos) = turn(degrees);
        // A⁻¹ = K⁻¹·R(−θ)/s, where K⁻¹ takes k times the second row from the first.
        let inverse = [cos + shear * sin, sin - shear * cos, -sin, cos].map(|x| x / scale);
        Warp { middle, shift, inverse }
    }

    /// The origin of the pixel in column `x` of row `y`.
    #[inline(always)]
    pub fn origin(&self, x: usize, y: usize) -> [f64; 2] {
        let [a, b, c, d] = self.inverse;
        let u = x as f64 - self.middle[0] - self.shift[0];
        let v = y as f64 - self.middle[1] - self.shift[1];
        [self.middle[0] + (a * u + b * v), self.middle[1] + (c * u + d * v)]
    }
}

/// Sine and cosine of an angle in degrees, exact for quarter turns.
fn turn(degrees: f64) -> (f64, f64) {
    let quarters = (degrees / 90.0).round();
    let rest = (degrees - 90.0 * quarters).to_radians();
    let (sin, cos) = (Float::sin(rest), Float::cos(rest));
    match (quarters as i64).rem_euclid(4) {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

/// What an image of rows of `width` pixels holds at a place: the four pixels around it, joined in proportion, where
/// those outside are 0.
#[inline(always)]
pub(super) fn at<S: Copy>(image: &[S], width: usize, [x, y]: [f64; 2], number: impl Fn(S) -> f64) -> f64 {
    let height = image.len() / width;
    // Not the other way round: NaN, which an infinite place could come to, is outside.
    if !(x > -1.0 && x < width as f64 && y > -1.0 && y < height as f64) {
        return 0.0;
    }
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = (x - left, y - top);
    let (left, top) = (left as isize, top as isize);
    let pixel = |column: isize, row: isize| {
        let inside = column >= 0 && (column as usize) < width && row >= 0 && (row as usize) < height;
        if inside { number(image[row as usize * width + column as usize]) } else { 0.0 }
    };
    // a·(1 − f) + b·f, not a + f·(b − a): the difference of two large numbers could be infinite.
    let row = |row| pixel(left, row) * (1.0 - right_share) + pixel(left + 1, row) * right_share;
    row(top) * (1.0 - bottom_share) + row(top + 1) * bottom_share
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: (usize, usize) = (5, 7);

    fn image(height: usize, width: usize) -> Vec<f64> {
        (0..height * width).map(|i| ((i * 37 + 11) % 101) as f64).collect()
    }

    fn warped(image: &[f64], (height, width): (usize, usize), warp: &Warp) -> Vec<f64> {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        places.map(|(x, y)| at(image, width, warp.origin(x, y), |x| x)).collect()
    }

    #[test]
    fn whole_shifts_are_exact_and_bring_in_zeros() {
        let (height, width) = SHAPE;
        let from = image(height, width);
        for (right, down) in [(0, 0), (2, 0), (-3, 1), (6, -4), (7, 0)] {
            let to = warped(&from, SHAPE, &Warp::new(SHAPE, [right as f64, down as f64], 0.0, 1.0, 0.0));
            for y in 0..height as isize {
                for x in 0..width as isize {
                    let (x0, y0) = (x - right, y - down);
                    let inside = (0..width as isize).contains(&x0) && (0..height as isize).contains(&y0);
                    let expected = if inside { from[(y0 * width as isize + x0) as usize] } else { 0.0 };
                    assert_eq!(to[(y * width as isize + x) as usize], expected, "{right}, {down}: {x}, {y}");
                }
            }
        }
    }

    #[test]
    fn quarter_turns_are_exact() {
        let square = (6, 6);
        let from = image(6, 6);
        let quarter = Warp::new(square, [0.0; 2], 90.0, 1.0, 0.0);
        let mut to = from.clone();
        for turns in 1..=4 {
            to = warped(&to, square, &quarter);
            let at_once =
                warped(&from, square, &Warp::new(square, [0.0; 2], 90.0 * f64::from(turns), 1.0, 0.0));
            assert_eq!(to, at_once);
            assert_eq!(to == from, turns == 4);
        }
        // From the right to down: what was at the end of the first row is at the end of the last.
        let to = warped(&from, square, &quarter);
        assert_eq!((to[35], to[30]), (from[5], from[35]));
        assert_eq!(warped(&image(5, 7), SHAPE, &Warp::new(SHAPE, [0.0; 2], -360.0, 1.0, 0.0)), image(5, 7));
    }

    /// An image that is a linear function stays one under every affine map, and bilinear interpolation is exact for it.
    #[test]
    fn a_slope_is_mapped_as_its_formula() {
        let (height, width) = (21, 21);
        let slope = |x: f64, y: f64| 3.0 + 2.0 * x - 0.5 * y;
        let from: Vec<f64> =
            (0..height * width).map(|i| slope((i % width) as f64, (i / width) as f64)).collect();
        let (shift, degrees, scale, shear) = ([1.25, -0.5], 20.0f64, 1.2, 0.3);
        let to = warped(&from, (height, width), &Warp::new((height, width), shift, degrees, scale, shear));
        // Forward: where a pixel of the first image goes to.
        let (sin, cos) = degrees.to_radians().sin_cos();
        for (u, v) in [(0.0, 0.0), (3.0, 1.0), (-4.0, 2.0), (1.0, -5.0)] {
            let (slanted_u, slanted_v) = (scale * (u + shear * v), scale * v);
            let (x, y) = (cos * slanted_u - sin * slanted_v, sin * slanted_u + cos * slanted_v);
            let found = at(&to, width, [10.0 + x + shift[0], 10.0 + y + shift[1]], |x| x);
            assert!((found - slope(10.0 + u, 10.0 + v)).abs() < 1e-9, "{u}, {v}: {found}");
        }
    }

    #[test]
    fn beyond_the_edge_it_fades_to_zero() {
        let from = [8.0, 4.0];
        for (x, expected) in [(-1.0, 0.0), (-0.75, 2.0), (0.0, 8.0), (0.5, 6.0), (1.25, 3.0), (2.0, 0.0)] {
            assert_eq!(at(&from, 2, [x, 0.0], |x| x), expected, "{x}");
        }
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert_eq!(at(&from, 2, [x, 0.0], |x| x), 0.0);
            assert_eq!(at(&from, 2, [0.0, x], |x| x), 0.0);
        }
        assert_eq!(at(&[f64::MAX, -f64::MAX], 2, [0.5, 0.0], |x| x), 0.0);
    }
}
