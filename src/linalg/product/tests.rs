//! Every kernel against the definition.

use super::convolution::Start;
use super::fused::Fused;
use super::*;
use crate::linalg::image::{Convolution, ImageShape};

/// Numbers with all their digits.
pub(super) fn numbers<T: Float>(n: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        T::of((state >> 11) as f64 / (1u64 << 53) as f64 - 0.5)
    };
    (0..n).map(|_| next()).collect()
}

/// The definition, written down.
pub(super) fn defined<T: Fused>(
    c: T,
    into: Into,
    depth: usize,
    a: impl Fn(usize) -> T,
    b: impl Fn(usize) -> T,
) -> T {
    let mut c = if into == Into::Replace { None } else { Some(c) };
    for start in (0..depth).step_by(DEPTH) {
        let chain = (start..depth.min(start + DEPTH)).fold(T::ZERO, |sum, k| a(k).fused(b(k), sum));
        c = Some(match c {
            None => chain,
            Some(c) if into == Into::Subtract => c - chain,
            Some(c) => c + chain,
        });
    }
    c.unwrap_or(T::ZERO)
}

/// A matrix of that shape within `data`, by rows or by columns, with a gap between them.
fn view<T>(data: &[T], rows: usize, columns: usize, by_rows: bool, gap: usize) -> View<'_, T> {
    let (m, n) = if by_rows { (rows, columns + gap) } else { (columns, rows + gap) };
    let whole = View::by_rows(&data[..m * n], m, n);
    if by_rows { whole.get(.., ..columns) } else { whole.get(.., ..rows).transpose() }
}

fn check<T: Float + Fused>((m, k, n): (usize, usize, usize)) {
    let most = (m.max(n) + 3) * (k.max(n).max(m) + 3);
    let (a, b, start) = (numbers::<T>(most, 1), numbers::<T>(most, 2), numbers::<T>(most, 3));
    for kernel in
        T::KERNELS.iter().filter(|kernel| (kernel.available)() && (!cfg!(miri) || kernel.name == "portable"))
    {
        for form in 0..8 {
            let (a_rows, b_rows, c_rows) = (form & 1 == 0, form & 2 == 0, form & 4 == 0);
            let into = [Into::Replace, Into::Add, Into::Subtract][(form + m + n) % 3];
            let (a, b) = (view(&a, m, k, a_rows, form % 3), view(&b, k, n, b_rows, form % 2));
            let mut found = start.clone();
            let (rows, columns) = if c_rows { (m, n + 1) } else { (n, m + 1) };
            let c = ViewMut::by_rows(&mut found[..rows * columns], rows, columns);
            let c = if c_rows { c.get(.., ..n) } else { c.get(.., ..m).transpose() };
            product_by(kernel, c, into, a, b);
            let mut right = start.clone();
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let at = if c_rows { i * columns + j } else { j * columns + i };
                right[at] = defined(start[at], into, k, |l| a[(i, l)], |l| b[(l, j)]);
            }
            let name = kernel.name;
            // Nothing else is written either.
            assert!(found == right, "{name}: {m}×{k}×{n} in {}, form {form}, {into:?}", T::NAME);
            if !c_rows {
                continue;
            }
            // A row added to every row: a C that holds it.
            let (bias, mut found, mut right) = (&start[..n], start.clone(), start.clone());
            affine_by(kernel, ViewMut::by_rows(&mut found[..m * n], m, n), bias, a, b);
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                right[i * n + j] = defined(bias[j], Into::Add, k, |l| a[(i, l)], |l| b[(l, j)]);
            }
            assert!(found == right, "{name}: {m}×{k}×{n} with a bias in {}, form {form}", T::NAME);
        }
    }
}

/// Every kernel of this CPU gives the bits of the definition, whatever the shapes and however matrices lie.
#[test]
fn the_order_is_the_defined_one() {
    let small = [0, 1, 2, 3, 5, 8, 17];
    let cube = |sizes: &[usize]| -> Vec<(usize, usize, usize)> {
        let pairs = sizes.iter().flat_map(|m| sizes.iter().map(move |k| (*m, *k)));
        pairs.flat_map(|(m, k)| sizes.iter().map(move |n| (m, k, *n))).collect()
    };
    let mut shapes = cube(if cfg!(miri) { &small[..4] } else { &small });
    if !cfg!(miri) {
        shapes.extend(cube(&[15, 31, 33]));
        shapes.extend([
            (1, 600, 70),
            (14, 257, 33),
            (29, 513, 1),
            (40, 300, 3),
            (ROWS + 5, DEPTH + 1, 37),
            (3, 2, COLUMNS + 40),
            (16, 40, COLUMNS + 33),
            (70, 2 * DEPTH + 3, 10),
            (ROWS, DEPTH, 16),
            (ROWS + 1, 20, 8),
        ]);
        // Every number of columns of which a vector is not full.
        shapes.extend([4, 6, 7, 9, 11, 12, 13, 14].map(|n| (9, 5, n)));
    }
    for shape in shapes {
        check::<f32>(shape);
        check::<f64>(shape);
    }
}

/// Infinities and NaN stay in their rows and columns.
#[test]
fn what_is_not_finite_goes_nowhere_else() {
    let (mut a, b) = (numbers::<f32>(20 * 30, 1), numbers::<f32>(30 * 19, 2));
    (a[3 * 30 + 7], a[5 * 30]) = (f32::INFINITY, f32::NAN);
    let mut c = vec![0.0; 20 * 19];
    let view = |data, rows, columns| View::by_rows(data, rows, columns);
    product(ViewMut::by_rows(&mut c, 20, 19), Into::Replace, view(&a, 20, 30), view(&b, 30, 19));
    for (i, row) in c.chunks(19).enumerate() {
        match i {
            3 => assert!(row.iter().all(|x| x.is_infinite())),
            5 => assert!(row.iter().all(|x| x.is_nan())),
            _ => assert!(row.iter().all(|x| x.is_finite())),
        }
    }
}

/// What every kernel computes of a convolution: the map, the image and the weights.
fn convolved<T: Float>(kernel: &Kernel<T>, form: &Convolution, samples: usize) -> [Vec<T>; 3] {
    let (output, depth) = (form.output().unwrap().numel(), form.depth());
    let (x, w) = (numbers(samples * form.image.numel(), 1), numbers(depth * form.filters, 2));
    let (b, dy) = (numbers::<T>(form.filters, 3), numbers(samples * output, 4));
    let mut found = [vec![T::ZERO; samples * output], numbers(x.len(), 5), numbers(w.len(), 6)];
    convolution::map_by(kernel, form, &x, &w, Start::Bias(&b), &mut found[0]);
    convolution::image_by(kernel, form, &dy, &w, true, &mut found[1]);
    convolution::weights_by(kernel, form, &x, &dy, 0..depth, true, &mut found[2]);
    found
}

fn convolutions<T: Float>() {
    let kernels =
        T::KERNELS.iter().filter(|kernel| (kernel.available)() && (!cfg!(miri) || kernel.name == "portable"));
    let form = |channels, side, filters, kernel| {
        Convolution::new(ImageShape::new(channels, side, side + 2), filters, kernel)
    };
    for form in [
        form(1, 1, 1, 1),
        form(2, 3, 5, 2).padding(1),
        form(1, 9, 6, 5).stride(2),
        form(6, 12, 34, 3).padding(1),
        form(70, 5, 20, 3).dilation(2).padding(2),
        form(8, 7, 48, 3).groups(2),
        form(3, 6, 300, 3),
        // Few filters over long lines: pixels are the lanes.
        form(1, 28, 6, 5).padding(2),
        form(2, 30, 8, 3).groups(2),
        form(3, 21, 5, 5).dilation(2),
        form(40, 14, 3, 3).padding(1),
        // Maps that are read where they are, of several panels, and the first that is not.
        form(3, 9, 24, 3),
        form(3, 9, 32, 3),
        form(3, 9, 33, 3),
        form(4, 9, 28, 3).groups(2),
        form(1, 33, 1, 3).padding(1),
        form(1, 14, 7, 3).padding(1),
    ] {
        // An interpreter takes minutes for the large ones.
        if cfg!(miri) && form.work(form.output().unwrap()) > 5000 {
            continue;
        }
        let found: Vec<_> =
            kernels.clone().map(|kernel| (kernel.name, convolved::<T>(kernel, &form, 2))).collect();
        let (_, right) = found.last().unwrap();
        for (name, found) in &found {
            assert!(found == right, "{name}: {form} in {}", T::NAME);
        }
    }
}

/// Every kernel computes the same bits of a convolution; those are held to the definition where the operation is.
#[test]
fn every_kernel_has_the_same_convolutions() {
    convolutions::<f32>();
    convolutions::<f64>();
}
