//! Test images that are moved by whole pixels.

use crate::experiments::prelude::*;

/// For each shift from 0 to `most` pixels: the images moved to the right, to the left, down and up; for 0 once.
pub(super) fn all(data: &Dataset, most: usize) -> Result<Vec<Vec<Dataset>>> {
    let directions = |d: isize| if d == 0 { vec![(0, 0)] } else { vec![(d, 0), (-d, 0), (0, d), (0, -d)] };
    (0..=most as isize)
        .map(|d| directions(d).into_iter().map(|by| moved(data, by)).collect::<Result<Vec<_>>>())
        .collect()
}

/// The images moved to the right and down, with zeros where they were.
fn moved(data: &Dataset, (right, down): (isize, isize)) -> Result<Dataset> {
    let (height, width) =
        data.image_shape().ok_or_else(|| Error::Data("the samples are no images".into()))?;
    let from = data.to_rows::<f32>();
    let mut to = vec![0.0f32; from.len()];
    for (to, from) in to.chunks_exact_mut(height * width).zip(from.chunks_exact(height * width)) {
        for y in 0..height {
            for x in 0..width {
                let place = x.checked_add_signed(-right).zip(y.checked_add_signed(-down));
                let Some((x0, y0)) = place.filter(|(x, y)| *x < width && *y < height) else { continue };
                to[y * width + x] = from[y0 * width + x0];
            }
        }
    }
    Dataset::new(to, data.features())?
        .with_labels(data.labels().unwrap_or_default(), data.classes())?
        .with_image_shape(height, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_whole_pixels_with_zeros_behind() {
        let data = Dataset::new(vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], 6).unwrap();
        let data = data.with_labels(&[0], 1).unwrap().with_image_shape(2, 3).unwrap();
        for (by, expected) in [
            ((1, 0), [0.0, 1.0, 2.0, 0.0, 4.0, 5.0]),
            ((-2, 0), [3.0, 0.0, 0.0, 6.0, 0.0, 0.0]),
            ((0, 1), [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]),
            ((0, -1), [4.0, 5.0, 6.0, 0.0, 0.0, 0.0]),
        ] {
            assert_eq!(moved(&data, by).unwrap().to_rows::<f32>(), expected);
        }
        let all = all(&data, 2).unwrap();
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [1, 4, 4]);
        assert_eq!(all[0][0].to_rows::<f32>(), data.to_rows::<f32>());
    }
}
