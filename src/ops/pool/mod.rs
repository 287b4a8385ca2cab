//! Pools: one number for each window of an image, channel by channel.

use std::ops::Range;

use super::extremum::{attains, larger};
use super::{ImageShape, Op, Window};
use crate::Float;
use crate::linalg::convolution::{by_samples, samples_beside};
use crate::linalg::simd::vectorize;
use crate::linalg::threads::in_pieces_of;
use crate::tape::{Args, Backward, Forward, Operation, Shape, Tape, Var};

/// # Pools
/// Windows over images, a sample a row, each channel on its own: see [`ImageShape`].
impl<T: Float> Tape<T> {
    /// The largest number of each window: n×(height·width·channels) to an image of the same channels and as many lines
    /// and columns as there are [windows](Window::over).
    ///
    /// What the padding adds is no number and is never the largest. NaN is larger than all, as in
    /// [`max`](Tape::max). Backward: dy goes to the first of the largest, line by line, and to no other.
    ///
    /// # Panics
    /// If the window is larger than the image, has a dilation, or more padding than half of itself; if `x` is stale or
    /// has another number of columns than the image has numbers.
    ///
    /// ```
    /// use tapegrad::ops::{ImageShape, Window};
    ///
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.variable_slice(1, 4, &[1.0, 4.0, 3.0, 2.0]);
    /// let y = tape.max_pool(x, ImageShape::new(1, 2, 2), &Window::new(2, 2));
    /// tape.backward(y);
    /// assert_eq!((tape.item(y), tape.grad_slice(x)), (4.0, &[0.0, 1.0, 0.0, 0.0][..]));
    /// ```
    #[track_caller]
    pub fn max_pool(&mut self, x: impl Into<Var>, image: ImageShape, window: &Window) -> Var {
        self.pool(Op::MaxPool, "max_pool", x.into(), image, window)
    }

    /// The mean of each window, as [`max_pool`](Tape::max_pool) in all else. What lies beyond the edges is not
    /// counted: the sum is divided by the number of pixels of the image in the window.
    ///
    /// Backward: each of these pixels gets dy divided by their number.
    ///
    /// # Panics
    /// As [`max_pool`](Tape::max_pool).
    #[track_caller]
    pub fn avg_pool(&mut self, x: impl Into<Var>, image: ImageShape, window: &Window) -> Var {
        self.pool(Op::AvgPool, "avg_pool", x.into(), image, window)
    }

    /// The mean of all pixels of each channel: n×(height·width·channels) to n×channels.
    ///
    /// # Panics
    /// If the image has no pixels, `x` is stale, or has another number of columns than the image has numbers.
    #[track_caller]
    pub fn global_avg_pool(&mut self, x: impl Into<Var>, image: ImageShape) -> Var {
        let window = Window { kernel: [image.height, image.width], ..Window::new(1, 1) };
        self.pool(Op::GlobalAvgPool, "global_avg_pool", x.into(), image, &window)
    }

    #[track_caller]
    fn pool(&mut self, op: Op, name: &str, x: Var, image: ImageShape, window: &Window) -> Var {
        let output = match op {
            Op::GlobalAvgPool => image.check().map(|()| ImageShape::new(image.channels, 1, 1)),
            _ => window.pooled(image),
        };
        let output = output.unwrap_or_else(|error| panic!("{name}: {error}"));
        let shape = self.shape_for(name, x);
        assert!(
            shape.cols == image.numel(),
            "{name}: {x} is {shape} but an image of {image} has {} numbers ({} ≠ {})",
            image.numel(),
            shape.cols,
            image.numel()
        );
        let args = Args { sizes: window.kernel, ..Args::NONE };
        let form = Pools { image, window: *window, output };
        self.apply_indexed(op.get(), &[x], Shape::new(shape.rows, output.numel()), args, form.to_list())
    }
}

impl Window {
    /// What a pool makes of an image.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) as [`over`](Window::over), and if there is a dilation, or more padding
    /// than half of the window: some window might have no pixel.
    pub fn pooled(&self, image: ImageShape) -> crate::Result<ImageShape> {
        let setting = crate::Error::setting;
        let [height, width] = self.over(image)?;
        if self.dilation != [1, 1] {
            let [down, along] = self.dilation;
            return Err(setting("dilation", format!("a pool has none, and not {down}×{along}")));
        }
        let (kernel, padding) = (self.kernel, self.padding);
        if padding[0] > kernel[0] / 2 || padding[1] > kernel[1] / 2 {
            let why = format!(
                "{}×{} is more than half of the window of {}×{}",
                padding[0], padding[1], kernel[0], kernel[1]
            );
            return Err(setting("padding", why));
        }
        Ok(ImageShape::new(image.channels, height, width))
    }
}

/// What the windows go over, and what comes out.
#[derive(Clone, Copy)]
struct Pools {
    image: ImageShape,
    window: Window,
    output: ImageShape,
}

/// Numbers that are read in the smallest piece that a thread is given.
const GRAIN: usize = 1 << 16;

impl Pools {
    fn to_list(self) -> [u32; 13] {
        let mut list = [0; 13];
        let sides = |shape: ImageShape| [shape.channels, shape.height, shape.width];
        let [channels, height, width] = sides(self.image);
        let numbers = [channels, height, width, self.output.height, self.output.width];
        list.iter_mut().zip(numbers).for_each(|(to, from)| *to = from as u32);
        list[5..].copy_from_slice(&self.window.to_list());
        list
    }

    fn of_list(list: &[u32]) -> Pools {
        let [channels, height, width, lines, columns] = [0, 1, 2, 3, 4].map(|i| list[i] as usize);
        Pools {
            image: ImageShape { channels, height, width },
            window: Window::of_list(&list[5..]),
            output: ImageShape::new(channels, lines, columns),
        }
    }

    /// The pixels of the image that a window has along one side.
    #[inline(always)]
    fn seen(&self, at: usize, side: usize) -> Range<usize> {
        let length = if side == 0 { self.image.height } else { self.image.width };
        let (first, padding) = (at * self.window.stride[side], self.window.padding[side]);
        first.saturating_sub(padding)..(first + self.window.kernel[side] - padding).min(length)
    }

    /// Calls `visit` for each window of a sample, line by line, with where its channels are in what comes out, and the
    /// lines and columns of the image that it has.
    #[inline(always)]
    fn windows(&self, mut visit: impl FnMut(Range<usize>, Range<usize>, Range<usize>)) {
        let channels = self.image.channels;
        for i in 0..self.output.height {
            for j in 0..self.output.width {
                let to = (i * self.output.width + j) * channels;
                visit(to..to + channels, self.seen(i, 0), self.seen(j, 1));
            }
        }
    }

    /// Calls `visit` with where the channels of each pixel of a window are.
    #[inline(always)]
    fn pixels(&self, lines: &Range<usize>, columns: &Range<usize>, mut visit: impl FnMut(Range<usize>)) {
        let channels = self.image.channels;
        for y in lines.clone() {
            for x in columns.clone() {
                let from = (y * self.image.width + x) * channels;
                visit(from..from + channels);
            }
        }
    }

    /// y ← `work` for every sample: its image, and what comes out.
    #[inline(always)]
    fn forward<T: Float>(&self, x: &[T], y: &mut [T], work: impl Fn(&[T], &mut [T]) + Sync) {
        let (from, to) = (self.image.numel(), self.output.numel());
        by_samples(in_pieces_of(GRAIN, x.len()), to, y, &|first, y| {
            let x = samples_beside(x, from, first, y, to);
            vectorize(
                x.len(),
                #[inline(always)]
                || x.chunks_exact(from).zip(y.chunks_exact_mut(to)).for_each(|(x, y)| work(x, y)),
            );
        });
    }

    /// dx ← dx + `work` for every sample: its number, and the gradient of its image.
    #[inline(always)]
    fn backward<T: Float>(&self, add: bool, dx: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
        let numbers = self.image.numel();
        by_samples(in_pieces_of(GRAIN, dx.len()), numbers, dx, &|first, dx| {
            vectorize(
                dx.len(),
                #[inline(always)]
                || {
                    for (i, dx) in dx.chunks_exact_mut(numbers).enumerate() {
                        if !add {
                            dx.fill(T::ZERO);
                        }
                        work(first + i, dx);
                    }
                },
            );
        });
    }
}

/// The index list is the form; so below.
pub(super) struct MaxPool;

impl<T: Float> Operation<T> for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let form = Pools::of_list(cx.indices());
        let x = cx.x(0);
        form.forward(
            x,
            cx.y(),
            #[inline(always)]
            |x, y| {
                form.windows(|to, lines, columns| {
                    let y = &mut y[to];
                    let mut is_first = true;
                    form.pixels(&lines, &columns, |from| {
                        if std::mem::take(&mut is_first) {
                            y.copy_from_slice(&x[from]);
                        } else {
                            y.iter_mut().zip(&x[from]).for_each(|(y, x)| *y = larger(*y, *x));
                        }
                    });
                });
            },
        );
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let form = Pools::of_list(cx.indices());
        let (x, y, dy) = (cx.x(0), cx.y(), cx.dy());
        let (from, to) = (form.image.numel(), form.output.numel());
        let Some((dx, add)) = cx.dx(0) else { return };
        form.backward(
            add,
            dx,
            #[inline(always)]
            |sample, dx| {
                let (x, y, dy) =
                    (&x[sample * from..][..from], &y[sample * to..][..to], &dy[sample * to..][..to]);
                form.windows(|at, lines, columns| {
                    for start in (0..at.len()).step_by(TOGETHER) {
                        let count = TOGETHER.min(at.len() - start);
                        let y = &y[at.start + start..][..count];
                        // What has not gone to a pixel yet.
                        let mut rest = [T::ZERO; TOGETHER];
                        rest[..count].copy_from_slice(&dy[at.start + start..][..count]);
                        form.pixels(&lines, &columns, |from| {
                            let (x, dx) =
                                (&x[from.start + start..][..count], &mut dx[from.start + start..][..count]);
                            for (((dx, x), y), rest) in dx.iter_mut().zip(x).zip(y).zip(&mut rest) {
                                let is_it = attains(*x, *y);
                                *dx += if is_it { *rest } else { T::ZERO };
                                *rest = if is_it { T::ZERO } else { *rest };
                            }
                        });
                    }
                });
            },
        );
    }

    fn describe(&self, args: &Args<T>) -> String {
        let [height, width] = args.sizes;
        format!(" {height}×{width}")
    }
}

/// Channels that are worked on side by side.
const TOGETHER: usize = 64;

/// Means of windows, or of all pixels.
pub(super) struct AvgPool {
    pub name: &'static str,
}

impl<T: Float> Operation<T> for AvgPool {
    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let form = Pools::of_list(cx.indices());
        let x = cx.x(0);
        form.forward(
            x,
            cx.y(),
            #[inline(always)]
            |x, y| {
                form.windows(|to, lines, columns| {
                    let count = T::of((lines.len() * columns.len()) as f64);
                    for start in (0..to.len()).step_by(TOGETHER) {
                        let y = &mut y[to.start + start..to.end.min(to.start + start + TOGETHER)];
                        y.fill(T::ZERO);
                        // Line by line, so that the sum of a large window keeps its digits.
                        for line in lines.clone() {
                            let mut sums = [T::ZERO; TOGETHER];
                            form.pixels(&(line..line + 1), &columns, |from| {
                                let x = &x[from.start + start..][..y.len()];
                                sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += *x);
                            });
                            y.iter_mut().zip(&sums).for_each(|(y, sum)| *y += *sum);
                        }
                        y.iter_mut().for_each(|y| *y /= count);
                    }
                });
            },
        );
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let form = Pools::of_list(cx.indices());
        let (dy, to) = (cx.dy(), form.output.numel());
        let Some((dx, add)) = cx.dx(0) else { return };
        form.backward(
            add,
            dx,
            #[inline(always)]
            |sample, dx| {
                let dy = &dy[sample * to..][..to];
                form.windows(|at, lines, columns| {
                    let (dy, count) = (&dy[at], T::of((lines.len() * columns.len()) as f64));
                    form.pixels(&lines, &columns, |from| {
                        dx[from].iter_mut().zip(dy).for_each(|(dx, dy)| *dx += *dy / count);
                    });
                });
            },
        );
    }

    fn describe(&self, args: &Args<T>) -> String {
        let [height, width] = args.sizes;
        format!(" {height}×{width}")
    }
}

#[cfg(test)]
mod tests;
