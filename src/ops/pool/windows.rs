//! The windows of a pool, and their channels some at a time.

use std::ops::Range;

use super::super::{ImageShape, Window};
use crate::Float;
use crate::linalg::convolution::samples_beside;
use crate::linalg::parts::{Parts, Rows, by_samples};
use crate::linalg::simd::vectorize;
use crate::linalg::threads::in_pieces_of;

/// What the windows go over, and what comes out.
#[derive(Clone, Copy)]
pub struct Pools {
    pub image: ImageShape,
    pub window: Window,
    pub output: ImageShape,
}

/// Numbers that are read in the smallest piece that a thread is given.
const GRAIN: usize = 1 << 16;

/// Windows in some lines: `count` of them in each, from the window `first` on. Where there is more than one line, they are all
/// windows of each.
pub struct Block {
    pub lines: Range<usize>,
    pub first: usize,
    pub count: usize,
}

impl Block {
    /// Where they are in what comes out.
    #[inline(always)]
    pub fn numbers(&self, form: &Pools) -> Range<usize> {
        let ImageShape { channels, width, .. } = form.output;
        let start = (self.lines.start * width + self.first) * channels;
        start..start + self.lines.len() * self.count * channels
    }
}

impl Pools {
    pub fn to_list(self) -> [u32; 13] {
        let mut list = [0; 13];
        let sides = |shape: ImageShape| [shape.channels, shape.height, shape.width];
        let [channels, height, width] = sides(self.image);
        let numbers = [channels, height, width, self.output.height, self.output.width];
        list.iter_mut().zip(numbers).for_each(|(to, from)| *to = from as u32);
        list[5..].copy_from_slice(&self.window.to_list());
        list
    }

    pub fn of_list(list: &[u32]) -> Pools {
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

    /// Whether windows lie side by side, each within the image, and the columns of one fit into a room of `most` numbers.
    pub fn are_apart(&self, most: usize) -> bool {
        let Window { kernel, stride, padding, .. } = self.window;
        kernel == stride && padding == [0, 0] && kernel[1] * self.image.channels <= most
    }

    /// Calls `visit` for each window of a sample, line by line, with where its channels are in what comes out, and the
    /// lines and columns of the image that it has.
    #[inline(always)]
    pub fn windows(&self, mut visit: impl FnMut(Range<usize>, Range<usize>, Range<usize>)) {
        let channels = self.image.channels;
        for i in 0..self.output.height {
            for j in 0..self.output.width {
                let to = (i * self.output.width + j) * channels;
                visit(to..to + channels, self.seen(i, 0), self.seen(j, 1));
            }
        }
    }

    /// Numbers of the image from a channel of the last pixel of a window on.
    #[inline(always)]
    pub fn behind(&self, lines: &Range<usize>, columns: &Range<usize>, channel: usize) -> usize {
        let last = (lines.end - 1) * self.image.width + columns.end - 1;
        self.image.numel() - last * self.image.channels - channel
    }

    /// All windows in blocks of at most `most`, which is not 0: whole lines, or parts of one where a line has more.
    #[inline(always)]
    pub fn blocks(&self, most: usize) -> impl Iterator<Item = Block> {
        let ImageShape { height, width, .. } = self.output;
        let (count, lines) = (most.min(width), (most / width).max(1));
        (0..height).step_by(lines).flat_map(move |line| {
            (0..width).step_by(count).map(move |first| Block {
                lines: line..(line + lines).min(height),
                first,
                count: count.min(width - first),
            })
        })
    }

    /// Calls `visit` with where the channels of each pixel of a window begin.
    #[inline(always)]
    pub fn pixels(&self, lines: &Range<usize>, columns: &Range<usize>, mut visit: impl FnMut(usize)) {
        for y in lines.clone() {
            for x in columns.clone() {
                visit((y * self.image.width + x) * self.image.channels);
            }
        }
    }

    /// `work` for some samples at a time, on the threads of the pool: the number of the first one, and their part. `numbers`
    /// are those of all images.
    pub fn by_samples<P: Parts>(&self, numbers: usize, part: P, work: &(dyn Fn(usize, P) + Sync)) {
        by_samples(in_pieces_of(GRAIN, numbers), numbers / self.image.numel(), part, work);
    }

    /// y ← `work` for every sample: its image, and what comes out.
    #[inline(always)]
    pub fn forward<T: Float>(&self, x: &[T], y: &mut [T], work: impl Fn(&[T], &mut [T]) + Sync) {
        let (from, to) = (self.image.numel(), self.output.numel());
        self.by_samples(x.len(), Rows { numbers: y, cols: to }, &|first, Rows { numbers: y, .. }| {
            let x = samples_beside(x, from, first, y, to);
            vectorize(
                x.len(),
                #[inline(always)]
                || {
                    for (x, y) in x.chunks_exact(from).zip(y.chunks_exact_mut(to)) {
                        work(x, y);
                    }
                },
            );
        });
    }

    /// dx ← dx + `work` for every sample: its number, and the gradient of its image.
    #[inline(always)]
    pub fn backward<T: Float>(&self, add: bool, dx: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
        let cols = self.image.numel();
        self.by_samples(dx.len(), Rows { numbers: dx, cols }, &|first, Rows { numbers: dx, .. }| {
            vectorize(
                dx.len(),
                #[inline(always)]
                || {
                    for (i, dx) in dx.chunks_exact_mut(cols).enumerate() {
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

/// What is done to some channels of a window at a time: as many as a type says, so that they are vectors.
pub trait OfWidth {
    /// `to` is where they are in what comes out, `channel` the first of them.
    fn run<const W: usize>(&mut self, to: usize, channel: usize);

    /// How many numbers there are from these on, in all that is read and written. They may be more than the channels of the
    /// window: what is written behind these is written anew by the next window.
    fn room(&self, to: usize, channel: usize) -> usize;
}

/// Does it for all channels of a window, which are at `to` in what comes out. Where there is room, the last of them are
/// one vector, and not some shorter ones.
#[inline(always)]
pub fn by_width(to: Range<usize>, work: &mut impl OfWidth) {
    let (mut channel, channels) = (0, to.len());
    while channels - channel >= 16 {
        work.run::<16>(to.start + channel, channel);
        channel += 16;
    }
    if channel == channels {
        return;
    }
    let behind = channel + work.room(to.start + channel, channel);
    macro_rules! rest {
        ($($width:literal)*) => {
            $(if channels - channel > $width / 2 && behind - channel >= $width {
                work.run::<$width>(to.start + channel, channel);
                channel += $width.min(channels - channel);
            })*
        };
    }
    rest!(16 8 4 2 1);
    debug_assert_eq!(channel, channels);
}

/// The numbers from `at` on.
#[inline(always)]
pub fn few<T, const W: usize>(x: &[T], at: usize) -> &[T; W] {
    x[at..].first_chunk().expect("as many channels are there")
}

/// The same, to be changed.
#[inline(always)]
pub fn few_mut<T, const W: usize>(x: &mut [T], at: usize) -> &mut [T; W] {
    x[at..].first_chunk_mut().expect("as many channels are there")
}
