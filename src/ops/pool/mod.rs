//! Pools: one number for each window of an image, channel by channel.

mod largest;
#[cfg(test)]
mod tests;
mod windows;

use std::ops::Range;

use super::images::describe_window;
use super::{ImageShape, Op, Window};
use crate::Float;
use crate::linalg::simd::lanes;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};
pub(super) use largest::MaxPool;
pub(super) use windows::Pools;
use windows::{OfWidth, by_width, few, few_mut};

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
    /// If the window is larger than the image with its padding, has a dilation, or more padding than half of itself; if `x` is stale or
    /// has another number of columns than the image has numbers; if a window has more than 2²⁴ pixels.
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
        let shape = self.shape_of_images(name, x, image);
        let args = Args { sizes: window.kernel, ..Args::NONE };
        let rows = shape.rows;
        let args = match op {
            // Each place is kept as a number of the tape, which has so many whole numbers.
            Op::MaxPool => {
                let [lines, columns] = window.kernel;
                assert!(
                    lines.saturating_mul(columns) <= 1 << 24,
                    "max_pool: a window of {lines}×{columns} pixels, and at most 16,777,216 can be told apart"
                );
                args.saving(rows.saturating_mul(output.numel()))
            }
            _ => args,
        };
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
        let pooled = ImageShape::new(image.channels, height, width);
        pooled.check()?;
        Ok(pooled)
    }
}

/// Means of windows, or of all pixels. The index list is the form.
pub(super) struct AvgPool {
    pub name: &'static str,
}

impl<T: Float> Operation<T> for AvgPool {
    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        means(Pools::of_list(cx.indices()), cx.x(0), cx.y());
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (form, dy) = (Pools::of_list(cx.indices()), cx.dy());
        let Some((dx, add)) = cx.dx(0) else { return };
        share_out(form, add, dy, dx);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (form, dy) = (Pools::of_list(&cx.indices()), cx.dy());
        cx.add_with(0, |tape| window_shares(tape, dy, form));
    }

    fn describe(&self, args: &Args<T>) -> String {
        describe_window(args)
    }
}

/// What [`AvgPool`] does backward, as an operation: each pixel gets the sum of the means of its windows, each divided by the
/// pixels of the window. The index list is the form. Means and this are the gradients of each other.
pub(super) struct PoolShares;

impl<T: Float> Operation<T> for PoolShares {
    fn name(&self) -> &'static str {
        "pool_shares"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        share_out(Pools::of_list(cx.indices()), false, cx.x(0), cx.y());
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (form, dy) = (Pools::of_list(cx.indices()), cx.dy());
        if !cx.needs(0) {
            return;
        }
        cx.with_zeros(cx.shape(0).numel(), |cx, found| {
            means(form, dy, found);
            cx.add_at(0, |mut dx| dx.add_slice(found));
        });
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (form, dy) = (Pools::of_list(&cx.indices()), cx.dy());
        cx.add_with(0, |tape| window_means(tape, dy, form));
    }

    fn describe(&self, args: &Args<T>) -> String {
        describe_window(args)
    }
}

/// Appends an operation of a form, from and to so large an image.
#[track_caller]
fn append<T: Float>(tape: &mut Tape<T>, op: Op, x: Var, form: Pools, to: ImageShape) -> Var {
    let args = Args { sizes: form.window.kernel, ..Args::NONE };
    let rows = tape.shape(x).rows;
    tape.apply_indexed(op.get(), &[x], Shape::new(rows, to.numel()), args, form.to_list())
}

/// Appends what [`AvgPool`] does backward.
#[track_caller]
pub(super) fn window_shares<T: Float>(tape: &mut Tape<T>, x: Var, form: Pools) -> Var {
    append(tape, Op::PoolShares, x, form, form.image)
}

/// Appends the means. The window is not checked: a factor of [`upsample`](Tape::upsample) may be larger than a window that
/// [`avg_pool`](Tape::avg_pool) takes.
#[track_caller]
pub(super) fn window_means<T: Float>(tape: &mut Tape<T>, x: Var, form: Pools) -> Var {
    append(tape, Op::AvgPool, x, form, form.output)
}

/// y ← the mean of each window.
fn means<T: Float>(form: Pools, x: &[T], y: &mut [T]) {
    form.forward(
        x,
        y,
        #[inline(always)]
        |x, y| {
            form.windows(
                #[inline(always)]
                |to, lines, columns| {
                    let count = T::of((lines.len() * columns.len()) as f64);
                    by_width(to, &mut Mean { form, x, y, lines, columns, count });
                },
            );
        },
    );
}

/// dx ← dx + dy/count, or that alone, for all pixels of each window.
fn share_out<T: Float>(form: Pools, add: bool, dy: &[T], dx: &mut [T]) {
    let to = form.output.numel();
    form.backward(
        add,
        dx,
        #[inline(always)]
        |sample, dx| {
            let dy = &dy[sample * to..][..to];
            form.windows(
                #[inline(always)]
                |at, lines, columns| {
                    let count = T::of((lines.len() * columns.len()) as f64);
                    by_width(at, &mut ToAll { form, dy, dx, lines, columns, count });
                },
            );
        },
    );
}

/// y ← the mean.
struct Mean<'a, T> {
    form: Pools,
    x: &'a [T],
    y: &'a mut [T],
    lines: Range<usize>,
    columns: Range<usize>,
    count: T,
}

impl<T: Float> OfWidth for Mean<'_, T> {
    #[inline(always)]
    fn run<const W: usize>(&mut self, to: usize, channel: usize) {
        let Mean { form, x, y, lines, columns, count } = self;
        let mut sums = [T::ZERO; W];
        // Line by line, so that the sum of a large window keeps its digits.
        for line in lines.clone() {
            let mut of_line = [T::ZERO; W];
            form.pixels(
                &(line..line + 1),
                columns,
                #[inline(always)]
                |from| {
                    of_line = lanes(of_line, few(x, from + channel), |sum, x| sum + x);
                },
            );
            sums = lanes(sums, &of_line, |sum, x| sum + x);
        }
        *few_mut(y, to) = lanes(sums, &[*count; W], |sum, count| sum / count);
    }

    #[inline(always)]
    fn room(&self, to: usize, channel: usize) -> usize {
        (self.y.len() - to).min(self.form.behind(&self.lines, &self.columns, channel))
    }
}

/// dx ← dx + dy/count, for all pixels of the window.
struct ToAll<'a, T> {
    form: Pools,
    dy: &'a [T],
    dx: &'a mut [T],
    lines: Range<usize>,
    columns: Range<usize>,
    count: T,
}

impl<T: Float> OfWidth for ToAll<'_, T> {
    #[inline(always)]
    fn run<const W: usize>(&mut self, at: usize, channel: usize) {
        let ToAll { form, dy, dx, lines, columns, count } = self;
        let share: [T; W] = lanes(*few(dy, at), &[*count; W], |dy, count| dy / count);
        form.pixels(
            lines,
            columns,
            #[inline(always)]
            |from| {
                let dx: &mut [T; W] = few_mut(dx, from + channel);
                *dx = lanes(*dx, &share, |dx, share| dx + share);
            },
        );
    }

    #[inline(always)]
    fn room(&self, _: usize, channel: usize) -> usize {
        // Not beyond the window: a CPU would wait for a number that it has just stored as a part of another vector.
        self.form.image.channels - channel
    }
}
