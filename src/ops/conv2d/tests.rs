//! Convolutions and their transposes: against central differences, PyTorch, and products of patches.

use nalgebra::DMatrix;

use crate::ops::testing::{check_op, filled};
use crate::ops::{Convolution, ImageShape, Window};
use crate::rng::{Purpose, stream};
use crate::{Float, Tape, linalg};
use rand::RngExt;

type Pair = (usize, usize);

/// Channels, height and width of the image; filters; kernel, stride, padding, dilation; groups.
const fn of(
    (channels, height, width): (usize, usize, usize),
    filters: usize,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: usize,
) -> Convolution {
    let image = ImageShape::new(channels, height, width);
    let window = Window {
        kernel: [kernel.0, kernel.1],
        stride: [stride.0, stride.1],
        padding: [padding.0, padding.1],
        dilation: [dilation.0, dilation.1],
    };
    Convolution { image, filters, window, groups }
}

/// Padding, stride, dilation and groups, odd sizes, 1×1, one channel and many, and depthwise ones.
const FORMS: [Convolution; 12] = [
    of((1, 1, 1), 1, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    of((2, 3, 5), 3, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    of((1, 5, 4), 2, (3, 3), (1, 1), (0, 0), (1, 1), 1),
    of((2, 4, 3), 2, (3, 2), (2, 1), (1, 1), (1, 1), 1),
    of((3, 5, 5), 2, (2, 3), (1, 2), (2, 2), (1, 1), 1),
    of((2, 5, 6), 3, (2, 2), (1, 1), (0, 1), (3, 2), 1),
    of((4, 3, 4), 2, (2, 2), (1, 2), (0, 1), (2, 1), 2),
    of((4, 3, 3), 6, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    of((2, 3, 3), 4, (2, 2), (1, 1), (0, 0), (1, 1), 2),
    of((3, 4, 3), 3, (3, 2), (1, 2), (1, 0), (1, 2), 3),
    of((2, 2, 7), 2, (2, 3), (3, 3), (1, 2), (1, 1), 2),
    // What lies between two windows is seen by none of them.
    of((1, 1, 5), 1, (1, 1), (1, 4), (0, 3), (1, 1), 1),
];

/// Shapes of the batch, the weights and the bias, in either direction.
fn operands(form: &Convolution, transposed: bool, samples: usize) -> [DMatrix<f64>; 3] {
    let ((rows, cols), output) = (form.weights(), form.output().unwrap());
    let (from, to) = if transposed { (output, form.image) } else { (form.image, output) };
    [filled(samples, from.numel()), filled(rows, cols), filled(1, to.channels)]
}

#[test]
fn gradients() {
    for form in FORMS {
        for samples in [0, 1, 2] {
            let with_bias = operands(&form, false, samples);
            check_op(&with_bias, |t, x| t.conv2d(x[0], x[1], Some(x[2]), &form));
            check_op(&with_bias[..2], |t, x| t.conv2d(x[0], x[1], None, &form));
            let with_bias = operands(&form, true, samples);
            check_op(&with_bias, |t, x| t.conv2d_transpose(x[0], x[1], Some(x[2]), &form));
            check_op(&with_bias[..2], |t, x| t.conv2d_transpose(x[0], x[1], None, &form));
            let maps = filled(samples, form.output().unwrap().numel());
            check_op(&[filled(samples, form.image.numel()), maps], |t, x| {
                t.conv2d_weights(x[0], x[1], &form)
            });
        }
    }
    // One value as all operands.
    let form = of((1, 1, 1), 1, (1, 1), (1, 1), (0, 0), (1, 1), 1);
    check_op(&[filled(1, 1)], |t, x| t.conv2d(x[0], x[0], Some(x[0]), &form));
}

/// Which backward pass it is: the same bits.
#[test]
fn gradients_of_weights_are_a_value() {
    for form in FORMS {
        let mut tape = Tape::new();
        let [x, w, _] = operands(&form, false, 2);
        let (x, w) = (tape.constant(&x), tape.variable(&w));
        let y = tape.conv2d(x, w, None, &form);
        let maps = tape.constant(&filled(2, form.output().unwrap().numel()));
        let value = tape.conv2d_weights(x, maps, &form);
        let upstream = tape.value_slice(maps).to_vec();
        tape.backward_slice(y, &upstream);
        assert_eq!(tape.grad_slice(w), tape.value_slice(value), "{form}");
    }
}

#[test]
#[should_panic(expected = "conv2d_weights: the images v0 are 2×1 but the maps v1 are 3×1 (2 ≠ 3 samples)")]
fn other_samples() {
    let mut tape = Tape::new();
    let (x, m) = (tape.constant(&filled(2, 1)), tape.constant(&filled(3, 1)));
    tape.conv2d_weights(x, m, &FORMS[0]);
}

/// `torch.nn.functional.conv2d` and `conv_transpose2d` in `float64` of `filled(1, …)`, with weights `filled(…)` and biases
/// `filled(1, …)`, and the gradients of `backward(0.7·filled(y.shape))`, all turned into this layout.
struct Figures {
    form: Convolution,
    transposed: bool,
    y: &'static [f64],
    dx: &'static [f64],
    dw: &'static [f64],
    db: &'static [f64],
}

#[rustfmt::skip]
const PYTORCH: [Figures; 5] = [
    Figures {
        form: of((2, 4, 3), 2, (3, 2), (2, 1), (1, 1), (1, 1), 1),
        transposed: false,
        y: &[
            0.05018773820876, 1.760011758747, 0.1537676109199, -1.045837254554, -0.9535024895728,
            0.1921195458538, -0.5281539982366, 2.340392483202, -2.395995472902, 1.021609813694,
            -0.6245680139082, 1.078691361459, 0.7106171499498, 0.8521417516679, -0.7790141501295,
            0.8353917108173,
        ],
        dx: &[
            -0.8386979928938, 0.2530906646289, -0.1406018772345, 0.1063607135186, 0.8430196156248,
            0.2451561396082, -1.705243700436, 1.273067971531, -0.3821505035173, 0.2525186909102,
            0.9651915166012, -0.1706923881105, -0.8239608446567, 0.2434740285875, -0.1989637633974,
            0.02364504307708, -0.006885722538085, 0.09798639556672, -0.7670522508802, 0.3003826223639,
            -0.1333594366995, 0.08924936977492, -0.1042281493189, 0.0006439687859096,
        ],
        dw: &[
            -0.1848389944387, 0.7551830475068, -0.3274859593704, -0.5014053393442, 0.4111385872703,
            -0.2012693043842, -0.4556853256228, -0.07101470859664, -0.5748905549684, -0.2966773702774,
            0.4939627625226, -0.111825861625, -0.07748490875047, -0.5837608308594, -0.0927372825822,
            0.4880049170702, 0.4446074127777, 0.757403950837, 0.9124594930687, 0.2343037394894,
            0.5811904982591, -0.8883824868816, 0.0528378528274, -0.3036674933519,
        ],
        db: &[
            0.013864816, -0.064154496,
        ],
    },
    Figures {
        form: of((4, 3, 4), 2, (2, 2), (1, 2), (0, 1), (2, 1), 2),
        transposed: false,
        y: &[
            -1.645362365549, 0.9645144489178, -2.076442424245, 0.5571510895893, -0.6045758418998,
            2.287636417468,
        ],
        dx: &[
            -0.1871956548, 0.3255815178, -0.1672560260655, 0.1876099219883, -0.0384728274, 0.01044203490759,
            -0.4600972155193, 0.3851829762421, 0.05080738001517, -0.08836713607724, 0.1400229598034,
            -0.1570627808352, -0.1871956548, 0.05080738001517, -0.1672560260655, 0.1400229598034, 0.0, 0.0,
            0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.1520869644,
            -0.3008097918, -0.2363864402503, 0.1184795078034, -0.04800179096966, -0.007636445862074,
            -0.4022227972738, 0.4430573944876, 0.04127841644551, 0.0816437615531, 0.197897378049,
            -0.09918836258967, -0.2335603411393, -0.03715634072415, -0.1462173305897, 0.1610616552793,
        ],
        dw: &[
            0.2516540741062, 0.3564415301669, -0.1815953207324, -0.193120054818, 0.09374820903034,
            0.1221346950607, -0.2128858429159, -0.01703982103173, -0.01351955992972, -0.4183462231477,
            -0.4051699203683, 0.1933343312675, 0.1960671163517, 0.01508595270341, -0.1105669355945,
            0.150015917611,
        ],
        db: &[
            0.186485516, -0.087771726,
        ],
    },
    Figures {
        form: of((2, 4, 3), 2, (3, 2), (2, 1), (1, 1), (1, 1), 1),
        transposed: true,
        y: &[
            -1.648139989848, 1.247626072327, -0.6508598246207, 1.038011856455, 0.7543137366068,
            1.236291036583, -2.886062429194, 2.704736510759, -0.9959292907391, 1.246808967015,
            0.928845023716, 0.6422217112707, -1.627086920938, 1.233888020839, -0.7342339477105,
            0.9198466129673, -0.459836746483, 1.026048545095, -1.545788929829, 1.315186011948,
            -0.6405134809993, 1.013567079678, -0.5988973561698, 0.8869879354084,
        ],
        dx: &[
            0.3501314167461, 0.6117606451227, 0.422637327644, -1.352333664188, -0.3524517427009,
            -0.4857639039023, -0.05470779876564, 1.018027152241, -1.362196831031, 0.09487928358587,
            -0.1221976097358, 0.1348363670214, 0.8124320049649, -0.02374835983244, -0.2303099050906,
            -0.03547338842791,
        ],
        dw: &[
            -0.1848389944387, 0.7551830475068, -0.3274859593704, -0.5014053393442, 0.4111385872703,
            -0.2012693043842, -0.4556853256228, -0.07101470859664, -0.5748905549684, -0.2966773702774,
            0.4939627625226, -0.111825861625, -0.07748490875047, -0.5837608308594, -0.0927372825822,
            0.4880049170702, 0.4446074127777, 0.757403950837, 0.9124594930687, 0.2343037394894,
            0.5811904982591, -0.8883824868816, 0.0528378528274, -0.3036674933519,
        ],
        db: &[
            0.252681352, -0.564347616,
        ],
    },
    Figures {
        form: of((4, 3, 4), 2, (2, 2), (1, 2), (0, 1), (2, 1), 2),
        transposed: true,
        y: &[
            -0.717422364, 1.351184434, -0.1168012200936, -0.473781885731, -0.504961182, 0.9009851727251,
            -0.5351457764562, -0.1915346653685, -0.3774180285498, 0.7598292141754, 0.3221687597192,
            -0.9661714611931, -0.717422364, 0.9586499514502, -0.1168012200936, -0.5417632602808, -0.45,
            0.88606798, 0.12213596, -0.74179606, -0.45, 0.88606798, 0.12213596, -0.74179606, -0.45,
            0.88606798, 0.12213596, -0.74179606, -0.45, 0.88606798, 0.12213596, -0.74179606, -0.667267092,
            0.456339706, -0.2155589546434, -0.5725396202808, -0.5185739870995, 0.8751587716256,
            -0.4524680361054, -0.1088569250177, -0.3910308336493, 1.002701925076, 0.4048465000699,
            -0.8834937208424, -0.783657630199, 0.8329874932512, -0.08674594084238, -0.5117079810296,
        ],
        dx: &[
            -0.8367536558844, 0.05491252824249, -1.138509696972, -0.2302418232875, -0.1082030893299,
            0.9810979062273,
        ],
        dw: &[
            0.2516540741062, 0.3564415301669, -0.1815953207324, -0.193120054818, 0.09374820903034,
            0.1221346950607, -0.2128858429159, -0.01703982103173, -0.01351955992972, -0.4183462231477,
            -0.4051699203683, 0.1933343312675, 0.1960671163517, 0.01508595270341, -0.1105669355945,
            0.150015917611,
        ],
        db: &[
            -1.804637296, 0.248333736, 0.831304768, 0.01427580000002,
        ],
    },
    Figures {
        form: of((2, 3, 3), 2, (3, 3), (1, 1), (1, 1), (1, 1), 2),
        transposed: false,
        y: &[
            -0.817473741943, 2.776832906384, -1.081631447488, 0.2764148470028, -1.266272757241,
            -0.005394464914421, 0.01655379171605, 0.05605624620665, 3.109954931925, 4.335230436661,
            0.01655379171605, 0.05605624620666, -1.266272757241, -0.005394464914421, -1.081631447488,
            0.2764148470028, -0.817473741943, 2.776832906384,
        ],
        dx: &[
            0.1769831086455, 0.6467766612138, -0.8996605390483, -1.977092792873, -0.4823935740028,
            0.5936801277958, 0.2933805770731, 0.9607756986937, 1.338827703437, 0.8268382091523,
            0.7496490070372, -1.686126263097, -1.761354637517, -0.332413636458, 0.162719403644,
            0.9432401873556, 0.4095200040164, 0.490980321506,
        ],
        dw: &[
            -0.2572316193601, 1.323535448469, -0.4421420132415, -0.4267571930981, -0.571390930069,
            -0.6240237114401, 0.3265876542012, -0.5810082136553, 2.491968452347, 2.414413719662,
            0.3265876542012, -0.5810082136553, -0.571390930069, -0.6240237114401, -0.4421420132415,
            -0.4267571930981, -0.2572316193601, 1.323535448469,
        ],
        db: &[
            -0.457173808, 0.400054466,
        ],
    },
];

#[test]
fn figures_of_pytorch() {
    for (i, figures) in PYTORCH.iter().enumerate() {
        let mut tape = Tape::new();
        let [x, w, b] = operands(&figures.form, figures.transposed, 1).map(|x| tape.param(&x).var());
        let y = match figures.transposed {
            false => tape.conv2d(x, w, Some(b), &figures.form),
            true => tape.conv2d_transpose(x, w, Some(b), &figures.form),
        };
        let upstream = filled(1, tape.shape(y).cols) * 0.7;
        tape.backward_slice(y, upstream.as_slice());
        let gradients = [x, w, b].map(|v| tape.grad_slice(v).to_vec());
        let found = [tape.value_slice(y), &gradients[0], &gradients[1], &gradients[2]];
        for (found, right) in found.into_iter().zip([figures.y, figures.dx, figures.dw, figures.db]) {
            let error = found.iter().zip(right).fold(0.0f64, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(found.len() == right.len() && error < 1e-10, "{i}: {error:e}: {found:?}, not {right:?}");
        }
    }
}

/// What a filter of a group sees at every pixel, written down: a row for each of them.
fn patches<T: Float>(form: &Convolution, group: usize, image: &[T]) -> Vec<T> {
    let (output, channels) = (form.output().unwrap(), form.image.channels / form.groups);
    let Window { kernel, stride, padding, dilation } = form.window;
    let mut all = Vec::new();
    for sample in image.chunks_exact(form.image.numel()) {
        for pixel in 0..output.pixels() {
            let at = [pixel / output.width, pixel % output.width];
            for tap in 0..form.window.taps() {
                let tap = [tap / kernel[1], tap % kernel[1]];
                let [y, x] =
                    [0, 1].map(|i| (at[i] * stride[i] + tap[i] * dilation[i]).wrapping_sub(padding[i]));
                let pixel = y.wrapping_mul(form.image.width).wrapping_add(x);
                let is_there = y < form.image.height && x < form.image.width;
                all.extend((0..channels).map(|c| match is_there {
                    true => sample[pixel * form.image.channels + group * channels + c],
                    false => T::ZERO,
                }));
            }
        }
    }
    all
}

fn numbers<T: Float>(n: usize, seed: u64) -> Vec<T> {
    let mut rng = stream(seed, Purpose::Data);
    (0..n).map(|_| T::of(rng.random::<f64>() - 0.5)).collect()
}

/// Value, and gradients of the three operands, each of which has one already.
fn run<T: Float>(form: &Convolution, transposed: bool, samples: usize) -> [Vec<T>; 4] {
    let mut tape = Tape::<T>::default();
    let shapes = operands(form, transposed, samples).map(|x| x.shape());
    let mut k = 0;
    let [x, w, b] = shapes.map(|(rows, cols)| {
        k += 1;
        tape.param_with(rows, cols, |to| to.copy_from_slice(&numbers(rows * cols, k))).var()
    });
    for v in [x, w, b] {
        tape.backward_with(v, |dy| dy.fill(T::ONE));
    }
    let y = match transposed {
        false => tape.conv2d(x, w, Some(b), form),
        true => tape.conv2d_transpose(x, w, Some(b), form),
    };
    tape.backward_with(y, |dy| dy.copy_from_slice(&numbers(dy.len(), 4)));
    [
        tape.value_slice(y).to_vec(),
        tape.grad_slice(x).to_vec(),
        tape.grad_slice(w).to_vec(),
        tape.grad_slice(b).to_vec(),
    ]
}

/// Forms whose image gradient is cut in blocks: of pixels of the map, of taps and channels, and of filters.
#[test]
fn gradients_of_the_image_in_blocks() {
    for form in [
        of((8, 30, 31), 5, (3, 3), (1, 1), (1, 1), (1, 1), 1),
        of((12, 41, 20), 6, (3, 2), (2, 3), (2, 1), (2, 1), 2),
        of((70, 9, 8), 300, (3, 3), (1, 1), (1, 1), (1, 1), 1),
        of((3, 33, 9), 4, (5, 1), (3, 1), (2, 0), (1, 1), 1),
        of((2, 6, 7), 4200, (3, 3), (1, 2), (1, 1), (1, 1), 1),
    ] {
        let samples = 2;
        let [y, dx, _, _] = run::<f64>(&form, false, samples);
        let (output, (depth, filters)) = (form.output().unwrap(), form.weights());
        let (w, dy) = (numbers::<f64>(depth * filters, 2), numbers::<f64>(y.len(), 4));
        let (channels, filters_of_group) = (form.image.channels / form.groups, filters / form.groups);
        // By the definition, on top of the gradient of 1 that is there already.
        let mut right = vec![1.0; dx.len()];
        let Window { kernel, stride, padding, dilation } = form.window;
        for (sample, pixel) in (0..samples).flat_map(|s| (0..output.pixels()).map(move |pixel| (s, pixel))) {
            for tap in 0..form.window.taps() {
                let (at, taps) =
                    ([pixel / output.width, pixel % output.width], [tap / kernel[1], tap % kernel[1]]);
                let [line, column] =
                    [0, 1].map(|i| (at[i] * stride[i] + taps[i] * dilation[i]).wrapping_sub(padding[i]));
                if line >= form.image.height || column >= form.image.width {
                    continue;
                }
                for (filter, c) in (0..filters).flat_map(|f| (0..channels).map(move |c| (f, c))) {
                    let channel = filter / filters_of_group * channels + c;
                    let to = sample * form.image.numel()
                        + (line * form.image.width + column) * form.image.channels;
                    let dy = dy[(sample * output.pixels() + pixel) * filters + filter];
                    right[to + channel] += dy * w[(tap * channels + c) * filters + filter];
                }
            }
        }
        let error = dx.iter().zip(&right).fold(0.0f64, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(error < 1e-11, "{form}: {error:e}");
    }
}

/// The sums have the bits of a product of the patches and the weights, and, for the weights, of one for each sample.
fn has_the_bits_of_products<T: Float>(form: &Convolution, samples: usize) {
    let (output, (depth, filters)) = (form.output().unwrap(), form.weights());
    let [y, _, dw, _] = run::<T>(form, false, samples);
    let (x, w) = (numbers::<T>(samples * form.image.numel(), 1), numbers::<T>(depth * filters, 2));
    let (b, dy) = (numbers::<T>(filters, 3), numbers::<T>(y.len(), 4));
    let of_group = filters / form.groups;
    let columns = |m: &[T], group: usize| -> Vec<T> {
        m.chunks_exact(filters).flat_map(|row| row[group * of_group..][..of_group].to_vec()).collect()
    };
    for group in 0..form.groups {
        let rows = samples * output.pixels();
        let seen = patches(form, group, &x);
        let mut right: Vec<T> = b[group * of_group..][..of_group].repeat(rows);
        let (mat, w) = (linalg::Mat::new, columns(&w, group));
        linalg::gemm(&mut right, true, mat(&seen, rows, depth), mat(&w, depth, of_group));
        assert!(columns(&y, group) == right, "{form}: the map of group {group} in {}", T::NAME);
        let mut right = vec![T::ONE; depth * of_group];
        let of_group_dy = columns(&dy, group);
        let of_samples = seen.chunks_exact(output.pixels() * depth);
        for (seen, dy) in of_samples.zip(of_group_dy.chunks_exact(output.pixels() * of_group)) {
            let (seen, dy) = (mat(seen, output.pixels(), depth), mat(dy, output.pixels(), of_group));
            linalg::gemm(&mut right, true, seen.t(), dy);
        }
        assert!(columns(&dw, group) == right, "{form}: the weights of group {group} in {}", T::NAME);
    }
}

#[test]
#[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
fn the_bits_of_products() {
    let large = [
        of((32, 7, 9), 40, (3, 3), (1, 1), (1, 1), (1, 1), 1),
        of((6, 14, 14), 16, (5, 5), (1, 1), (0, 0), (1, 1), 1),
        of((1, 28, 28), 6, (5, 5), (1, 1), (2, 2), (1, 1), 1),
        of((600, 2, 3), 2, (2, 3), (1, 1), (1, 1), (1, 1), 1),
        of((500, 3, 3), 600, (3, 3), (1, 1), (0, 0), (1, 1), 1),
        of((12, 17, 21), 66, (3, 3), (1, 2), (1, 0), (2, 1), 2),
        of((40, 9, 33), 4, (3, 3), (2, 1), (1, 2), (1, 2), 1),
        of((6, 11, 49), 14, (2, 3), (1, 1), (0, 1), (2, 1), 2),
        of((2, 12, 16), 1, (3, 5), (1, 1), (1, 2), (1, 1), 1),
    ];
    for form in
        FORMS.iter().filter(|form| form.groups != form.filters || form.groups == 1).skip(1).chain(&large)
    {
        has_the_bits_of_products::<f32>(form, 3);
        has_the_bits_of_products::<f64>(form, 3);
    }
}

#[test]
#[cfg_attr(miri, ignore = "the thread library's queues are not what is looked at here")]
fn threads_do_not_change_a_bit() {
    for form in [
        of((6, 14, 14), 16, (5, 5), (1, 1), (2, 2), (1, 1), 1),
        of((8, 15, 13), 24, (3, 3), (2, 1), (1, 1), (1, 1), 2),
        of((32, 15, 13), 32, (3, 3), (1, 1), (1, 1), (1, 1), 32),
    ] {
        for transposed in [false, true] {
            let one = run::<f32>(&form, transposed, 9);
            for threads in [1, 2, 3] {
                assert!(
                    linalg::with_threads(threads, || run::<f32>(&form, transposed, 9)) == one,
                    "{form}: {threads} threads, transposed: {transposed}"
                );
            }
        }
    }
}

/// A sample's map and gradient do not depend on its batch.
#[test]
fn samples_are_on_their_own() {
    let form = of((3, 5, 5), 2, (2, 3), (1, 2), (2, 2), (1, 1), 1);
    let [y, dx, ..] = run::<f32>(&form, false, 3);
    let [first, dx_of_first, ..] = run::<f32>(&form, false, 1);
    assert_eq!((&y[..first.len()], &dx[..dx_of_first.len()]), (&*first, &*dx_of_first));
}

#[test]
fn infinities_stay_where_they_are_seen() {
    let form = of((1, 1, 4), 1, (1, 2), (1, 1), (0, 0), (1, 1), 1);
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 4, &[1.0, f64::INFINITY, 2.0, 3.0]);
    let w = tape.constant_slice(2, 1, &[1.0, 1.0]);
    let y = tape.conv2d(x, w, None, &form);
    assert_eq!(tape.value_slice(y), [f64::INFINITY, f64::INFINITY, 5.0]);
    tape.backward_slice(y, &[0.0, 0.0, f64::INFINITY]);
    assert_eq!(tape.grad_slice(x), [0.0, 0.0, f64::INFINITY, f64::INFINITY]);
}

#[test]
fn what_does_not_fit_is_named() {
    let form = of((2, 3, 3), 4, (2, 2), (1, 1), (0, 0), (1, 1), 1);
    let message = |x: usize, w: (usize, usize), b: (usize, usize), form: Convolution, transposed: bool| {
        let run = || {
            let mut tape = Tape::new();
            let (x, w) = (tape.constant(&filled(2, x)), tape.constant(&filled(w.0, w.1)));
            let b = tape.constant(&filled(b.0, b.1));
            match transposed {
                false => tape.conv2d(x, w, Some(b), &form),
                true => tape.conv2d_transpose(x, w, Some(b), &form),
            };
        };
        std::panic::catch_unwind(run).unwrap_err().downcast_ref::<String>().unwrap().clone()
    };
    let weights = form.weights();
    assert_eq!(
        message(17, weights, (1, 4), form, false),
        "conv2d: v0 is 2×17 but an image of 2×3×3 has 18 numbers (17 ≠ 18)"
    );
    assert_eq!(
        message(18, (4, 8), (1, 4), form, false),
        "conv2d: the weights v1 are 4×8 but 2×3×3→4×2×2, 2×2 takes 8×4 (lines, columns and channels of a filter below \
         each other, filters beside each other)"
    );
    assert_eq!(
        message(18, weights, (4, 1), form, false),
        "conv2d: the bias v2 is 4×1 but the result has 4 channels (expected 1×4)"
    );
    assert_eq!(
        message(18, weights, (1, 2), form, true),
        "conv2d_transpose: v0 is 2×18 but an image of 4×2×2 has 16 numbers (18 ≠ 16)"
    );
    assert_eq!(
        message(18, weights, (1, 4), Convolution { window: Window::new(5, 4), ..form }, false),
        "conv2d: kernel: a window of 5×4 is larger than an image of 3×3"
    );
    assert_eq!(
        message(18, weights, (1, 4), form.groups(3), false),
        "conv2d: groups: 3 groups do not divide 2 channels"
    );
}
