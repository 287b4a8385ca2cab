//! Lines of equal height: marching squares (Maple, "Geometric Design and Space Planning Using the Marching
//! Squares and Marching Cube Algorithms", 2003).

use std::collections::BTreeMap;

/// Pieces of the lines `value(x, y) = level`, each by linear interpolation inside of one cell of a grid.
pub fn segments(
    cells: usize,
    x: (f64, f64),
    y: (f64, f64),
    levels: &[f64],
    value: impl Fn(f64, f64) -> f64,
) -> Vec<[(f64, f64); 2]> {
    let at = |i: usize, (low, high): (f64, f64)| low + i as f64 / cells as f64 * (high - low);
    let side = cells + 1;
    let heights: Vec<f64> = (0..side * side).map(|k| value(at(k % side, x), at(k / side, y))).collect();
    let mut found = Vec::new();
    for level in levels {
        for row in 0..cells {
            for column in 0..cells {
                // Counter-clockwise from the lower left corner.
                let corners = [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(i, j)| {
                    let (column, row) = (column + i, row + j);
                    (at(column, x), at(row, y), heights[row * side + column] - level)
                });
                cell(corners, &mut found);
            }
        }
    }
    found
}

/// The pieces joined where their ends meet: a point that several lines share is written once.
pub fn join(segments: &[[(i32, i32); 2]]) -> Vec<Vec<(i32, i32)>> {
    let mut ends: BTreeMap<(i32, i32), Vec<usize>> = BTreeMap::new();
    for (i, segment) in segments.iter().enumerate() {
        segment.iter().for_each(|end| ends.entry(*end).or_default().push(i));
    }
    let mut used = vec![false; segments.len()];
    let mut chains = Vec::new();
    for start in 0..segments.len() {
        if std::mem::replace(&mut used[start], true) {
            continue;
        }
        let mut chain = std::collections::VecDeque::from(segments[start]);
        for front in [false, true] {
            loop {
                let end = if front { chain[0] } else { chain[chain.len() - 1] };
                let next = ends[&end].iter().find(|i| !used[**i]);
                let Some(i) = next else { break };
                used[*i] = true;
                let [a, b] = segments[*i];
                let other = if a == end { b } else { a };
                if front { chain.push_front(other) } else { chain.push_back(other) }
            }
        }
        chains.push(chain.into());
    }
    chains
}

fn cell(corners: [(f64, f64, f64); 4], found: &mut Vec<[(f64, f64); 2]>) {
    let mut crossings = Vec::with_capacity(4);
    for k in 0..4 {
        let (a, b) = (corners[k], corners[(k + 1) % 4]);
        if (a.2 < 0.0) != (b.2 < 0.0) && a.2.is_finite() && b.2.is_finite() {
            let share = a.2 / (a.2 - b.2);
            crossings.push((a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1)));
        }
    }
    match crossings[..] {
        [a, b] => found.push([a, b]),
        [a, b, c, d] => {
            // A saddle: the mean height says which two corners the middle belongs to.
            let middle = corners.iter().map(|c| c.2).sum::<f64>();
            let together = (middle < 0.0) == (corners[0].2 < 0.0);
            found.extend(if together { [[a, b], [c, d]] } else { [[d, a], [b, c]] });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{join, segments};

    #[test]
    fn pieces_of_a_ring_make_one_line() {
        let corners = [(0, 0), (10, 0), (10, 10), (0, 10)];
        let piece = |k: usize| [corners[k], corners[(k + 1) % 4]];
        let chains = join(&[piece(2), piece(0), piece(3), piece(1), [(50, 50), (60, 60)]]);
        assert_eq!(chains.iter().map(Vec::len).collect::<Vec<_>>(), [5, 2]);
        assert_eq!(chains[0][0], chains[0][4]);
    }

    #[test]
    fn a_circle_is_found_where_it_is() {
        let lines = segments(64, (-2.0, 2.0), (-2.0, 2.0), &[1.0], |x, y| x * x + y * y);
        assert!(lines.len() > 50);
        let length: f64 = lines.iter().map(|[a, b]| (a.0 - b.0).hypot(a.1 - b.1)).sum();
        assert!((length - std::f64::consts::TAU).abs() < 0.01, "{length}");
        for (x, y) in lines.as_flattened() {
            assert!((x.hypot(*y) - 1.0).abs() < 1e-3, "({x}, {y})");
        }
    }

    #[test]
    fn nothing_where_the_level_is_not_met_or_heights_are_not_finite() {
        assert!(segments(4, (0.0, 1.0), (0.0, 1.0), &[5.0], |x, y| x + y).is_empty());
        assert!(segments(4, (0.0, 1.0), (0.0, 1.0), &[5.0], |_, _| f64::NAN).is_empty());
    }
}
