//! Pools: against central differences and PyTorch, ties, infinities, and threads.

use super::{Pools, window_shares};
use crate::ops::testing::{check_op, filled};
use crate::ops::{ImageShape, Window};
use crate::{Tape, Var, linalg};

/// A window of that kernel, stride and padding.
const fn of(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Window {
    Window { kernel, stride, padding, dilation: [1; 2] }
}

const FORMS: [(ImageShape, Window); 9] = [
    (ImageShape::new(1, 1, 1), of([1, 1], [1, 1], [0, 0])),
    (ImageShape::new(3, 2, 2), of([2, 2], [2, 2], [0, 0])),
    (ImageShape::new(2, 4, 5), of([3, 2], [2, 1], [1, 1])),
    (ImageShape::new(2, 5, 5), of([2, 2], [3, 3], [0, 0])),
    (ImageShape::new(70, 2, 3), of([2, 2], [1, 1], [1, 0])),
    (ImageShape::new(1, 3, 7), of([3, 3], [1, 2], [1, 1])),
    (ImageShape::new(6, 4, 4), of([2, 2], [2, 2], [0, 0])),
    (ImageShape::new(13, 3, 4), of([2, 2], [1, 2], [0, 0])),
    (ImageShape::new(3, 4, 4), of([2, 3], [2, 1], [1, 0])),
];

#[test]
fn gradients() {
    for (image, window) in FORMS {
        for samples in [0, 1, 2] {
            let x = [filled(samples, image.numel())];
            check_op(&x, |t, x| t.max_pool(x[0], image, &window));
            check_op(&x, |t, x| t.avg_pool(x[0], image, &window));
            check_op(&x, |t, x| t.global_avg_pool(x[0], image));
            let output = window.pooled(image).unwrap();
            let shares = [filled(samples, output.numel())];
            check_op(&shares, |t, x| window_shares(t, x[0], Pools { image, window, output }));
        }
    }
}

/// `torch.nn.functional.max_pool2d` and `avg_pool2d(…, count_include_pad=False)` of `filled(1, 40)` as an image of 2×4×5
/// with the window 3×2, stride 2×1, padding 1×1, and the gradient of `backward(0.7·filled(1, 24))`, in this layout.
#[rustfmt::skip]
const PYTORCH: [(&str, &[f64], &[f64]); 2] = [
    (
        "max_pool",
        &[
            -0.0893202, 0.88606798, 0.48281576, 0.88606798, 0.95495172, 0.1910197, 0.95495172, 0.66315566,
            -0.20077636, 0.77461182, -0.20077636, 0.77461182, 0.7320394, -0.13189262, 0.84349556, 0.44024334,
            0.95495172, 0.9123793, 0.95495172, 1.02383546, 0.62058324, 1.02383546, 0.62058324, -0.24334878,
        ],
        &[
            0.0, 0.100990344, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.05504828, -0.315, 0.0, 0.085495172, 0.0,
            -0.919106216, -0.18876207, 0.0, 0.211733102, -0.455543452, 0.0, 0.0, 0.0, 0.668466204, 0.0, 0.0,
            0.0, 0.0, -1.02009656, 0.0, 0.0, 0.337971032, -0.266781382, 0.0, 0.13371379, 0.0, 0.464208962,
            0.0, 0.0, 0.850398612, 0.055694478,
        ],
    ),
    (
        "avg_pool",
        &[
            -0.2696601, 0.01640788, 0.01640788, -0.27252414, 0.53854384, -0.30038818, -0.0393202, 0.22174778,
            -0.61718424, 0.19388374, -0.38111626, -0.09504828, 0.3380262666667, -0.49257242, 0.2407609133333,
            -0.2231711066667, 0.02956354, 0.2989648533333, -0.1816338333333, 0.43776748, -0.02616454,
            -0.14009656, 0.2265701066667, -0.60402858,
        ],
        &[
            -0.136126207, 0.1803094825, 0.125371379, -0.177004828, -0.076881035, 0.005742758, -0.279133449,
            0.188490344, -0.129516898, -0.1630812085, 0.08794183766667, 0.1136679868333, 0.1582759756667,
            -0.077351036, -0.178811381, -0.02943839266667, -0.259232071, 0.01847425066667, 0.1106240193333,
            -0.2019831648333, 0.2240680446667, -0.06664149566667, 0.03290459666667, 0.099653792,
            -0.101930346, -0.03518115066667, 0.019901378, -0.1700160933333, 0.2401409173333,
            -0.03890195633333, 0.2240680446667, -0.06664149566667, 0.03290459666667, 0.099653792,
            -0.101930346, -0.03518115066667, 0.019901378, -0.1700160933333, 0.2401409173333,
            -0.03890195633333,
        ],
    ),
];

#[test]
fn figures_of_pytorch() {
    let (image, window) = FORMS[2];
    for (name, y, dx) in PYTORCH {
        let mut tape = Tape::new();
        let x = tape.variable(&filled(1, image.numel()));
        let found = match name {
            "max_pool" => tape.max_pool(x, image, &window),
            _ => tape.avg_pool(x, image, &window),
        };
        let upstream = filled(1, tape.shape(found).cols) * 0.7;
        tape.backward_slice(found, upstream.as_slice());
        for (found, right) in [(tape.value_slice(found), y), (tape.grad_slice(x), dx)] {
            let error = found.iter().zip(right).fold(0.0f64, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(found.len() == right.len() && error < 1e-10, "{name}: {error:e}: {found:?}");
        }
    }
}

/// Of one image of 2×2 and a window over all of it: value, and gradient under `dy`.
fn of_four(x: [f64; 4], dy: f64) -> (f64, Vec<f64>) {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 4, &x);
    let y = tape.max_pool(x, ImageShape::new(1, 2, 2), &Window::new(2, 2));
    tape.backward_with(y, |to| to.fill(dy));
    (tape.item(y), tape.grad_slice(x).to_vec())
}

#[test]
fn ties_infinities_and_nan() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    assert_eq!(of_four([1.0, 3.0, 3.0, 3.0], 2.0), (3.0, vec![0.0, 2.0, 0.0, 0.0]));
    assert_eq!(of_four([0.0, -0.0, 0.0, -0.0], 2.0).1, [2.0, 0.0, 0.0, 0.0]);
    assert_eq!(of_four([-inf; 4], 2.0), (-inf, vec![2.0, 0.0, 0.0, 0.0]));
    // What is constant where a gradient is infinite or NaN gets none of it.
    assert_eq!(of_four([1.0, 2.0, 3.0, -inf], inf), (3.0, vec![0.0, 0.0, inf, 0.0]));
    let (_, dx) = of_four([1.0, 2.0, 3.0, inf], nan);
    assert!(dx[..3] == [0.0; 3] && dx[3].is_nan());
    let (y, dx) = of_four([1.0, nan, inf, nan], 2.0);
    assert!(y.is_nan());
    assert_eq!(dx, [0.0, 2.0, 0.0, 0.0]);
}

/// What is largest in several windows gets the gradients of all.
#[test]
fn windows_that_overlap() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 3, &[1.0, 5.0, 2.0]);
    let image = ImageShape::new(1, 1, 3);
    let y = tape.max_pool(x, image, &Window::new(1, 2));
    tape.backward_slice(y, &[10.0, 100.0]);
    assert_eq!((tape.value_slice(y), tape.grad_slice(x)), (&[5.0, 5.0][..], &[0.0, 110.0, 0.0][..]));
}

/// Windows side by side against the definition: some channels and many, lines that are worked on some at a time, or in parts, or
/// have too many channels for that, pixels that no window has, ties; and a gradient that is added to another one.
#[test]
fn windows_side_by_side() {
    let forms = [
        (1, [5, 7], [2, 3]),
        (6, [4, 9], [2, 2]),
        (8, [3, 3], [1, 3]),
        (9, [4, 5], [2, 1]),
        (15, [2, 301], [2, 2]),
        (6, [31, 81], [2, 2]),
        (15, [10, 62], [2, 2]),
        (20, [4, 5], [2, 2]),
        (64, [3, 41], [3, 2]),
        (700, [2, 7], [2, 3]),
    ];
    for (channels, [height, width], kernel) in forms {
        if cfg!(miri) && (channels > 20 || height > 9) {
            continue;
        }
        let image = ImageShape::new(channels, height, width);
        let (lines, columns) = (height / kernel[0], width / kernel[1]);
        let (from, to) = (image.numel(), lines * columns * channels);
        let x: Vec<f64> = (0..2 * from).map(|i| (i * 7919 % 11) as f64).collect();
        let dy: Vec<f64> = (0..2 * to).map(|i| (i % 13) as f64 - 4.0).collect();
        let (mut y, mut dx) = (vec![0.0; 2 * to], vec![0.0; 2 * from]);
        for k in 0..2 * to {
            let (sample, place, channel) = (k / to, k % to / channels, k % channels);
            let (i, j) = (place / columns * kernel[0], place % columns * kernel[1]);
            let pixels = (0..kernel[0]).flat_map(|m| (0..kernel[1]).map(move |n| (i + m, j + n)));
            let mut at = pixels.map(|(i, j)| sample * from + (i * width + j) * channels + channel);
            let first = at.next().unwrap();
            let largest = at.fold(first, |best, at| if x[at] > x[best] { at } else { best });
            (y[k], dx[largest]) = (x[largest], dy[k]);
        }
        for other in [0.0, 0.5] {
            let mut tape = Tape::new();
            let v = tape.variable_slice(2, from, &x);
            let pooled = tape.max_pool(v, image, &of(kernel, kernel, [0, 0]));
            assert_eq!(tape.value_slice(pooled), y, "{image}");
            let weights = tape.constant_slice(2, to, &dy);
            let terms = tape.mul(pooled, weights);
            let mut loss = tape.sum(terms);
            if other != 0.0 {
                // Behind the pool, and so before it on the way back.
                let scaled = tape.scale(v, other);
                let sum = tape.sum(scaled);
                loss = tape.add(loss, sum);
            }
            tape.backward(loss);
            let right: Vec<f64> = dx.iter().map(|dx| dx + other).collect();
            assert_eq!(tape.grad_slice(v), right, "{image} with {other}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
fn the_mean_of_many_pixels_keeps_its_digits() {
    let (image, mut tape) = (ImageShape::new(1, 1000, 1000), Tape::<f32>::default());
    let x = tape.constant_with(1, image.numel(), |x| x.fill(0.1));
    let y = tape.global_avg_pool(x, image);
    // 1000 additions, twice.
    assert!((tape.item(y) / 0.1 - 1.0).abs() < 2000.0 * f32::EPSILON / 2.0, "{}", tape.item(y));
}

#[test]
#[cfg_attr(miri, ignore = "the thread library's queues are not what is looked at here")]
fn threads_do_not_change_a_bit() {
    let (image, window) = (ImageShape::new(6, 28, 28), of([3, 3], [2, 2], [1, 1]));
    let run = || {
        let mut tape = Tape::<f32>::default();
        let x = tape.variable(&filled(67, image.numel()).map(|x| x as f32));
        let pools: [Var; 3] = [
            tape.max_pool(x, image, &window),
            tape.max_pool(x, image, &of([2, 2], [2, 2], [0, 0])),
            tape.avg_pool(x, image, &window),
        ];
        pools.map(|y| {
            tape.backward_with(y, |dy| dy.iter_mut().enumerate().for_each(|(i, dy)| *dy = (i % 7) as f32));
            (tape.value_slice(y).to_vec(), tape.grad_slice(x).to_vec())
        })
    };
    let one = run();
    for threads in [1, 2, 3] {
        assert!(linalg::with_threads(threads, run) == one, "{threads} threads");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let message = |columns: usize, window: Window| {
        let run = || {
            let mut tape = Tape::new();
            let x = tape.constant(&filled(1, columns));
            tape.max_pool(x, ImageShape::new(2, 3, 4), &window);
        };
        std::panic::catch_unwind(run).unwrap_err().downcast_ref::<String>().unwrap().clone()
    };
    let plain = of([2, 2], [2, 2], [0, 0]);
    assert_eq!(message(23, plain), "max_pool: v0 is 1×23 but an image of 2×3×4 has 24 numbers (23 ≠ 24)");
    assert_eq!(
        message(24, of([4, 2], [2, 2], [0, 0])),
        "max_pool: kernel: a window of 4×2 is larger than an image of 3×4"
    );
    assert_eq!(
        message(24, of([2, 2], [2, 2], [1, 2])),
        "max_pool: padding: 1×2 is more than half of the window of 2×2"
    );
    assert_eq!(
        message(24, Window { dilation: [2, 1], ..plain }),
        "max_pool: dilation: a pool has none, and not 2×1"
    );
}
