//! Where things of one sample are.

use std::ops::Range;

use super::super::DEPTH;
use super::Stretch;
use crate::Float;
use crate::linalg::image::Convolution;

/// Where things of one sample are.
pub struct Layout {
    pub form: Convolution,
    /// Numbers of the image and of the map, and pixels of the map.
    pub image: usize,
    pub map: usize,
    pub pixels: usize,
    /// Pixels in a line of the map.
    pub line: usize,
    /// Numbers from one line of the image with its padding to the next.
    pub pitch: usize,
    /// Numbers in it from one pixel of the map to the next, down and along, and from one pixel of the window to the next.
    pub steps: [usize; 2],
    pub taps: [usize; 2],
    /// Channels and filters of a group.
    pub channels: usize,
    pub filters: usize,
    /// Rows of the weights.
    pub depth: usize,
}

impl Layout {
    pub fn of(form: &Convolution) -> Layout {
        let output = form.output().expect("a form that was looked at before");
        let window = form.window;
        let pitch = (form.image.width + 2 * window.padding[1]) * form.image.channels;
        let places = |step: [usize; 2]| [step[0] * pitch, step[1] * form.image.channels];
        Layout {
            form: *form,
            image: form.image.numel(),
            map: output.numel(),
            pixels: output.pixels(),
            line: output.width,
            pitch,
            steps: places(window.stride),
            taps: places(window.dilation),
            channels: form.image.channels / form.groups,
            filters: form.filters / form.groups,
            depth: form.depth(),
        }
    }

    /// Numbers of an image with its padding, if it has any.
    pub fn padded_numbers(&self) -> usize {
        match self.form.window.padding {
            [0, 0] => 0,
            [down, _] => (self.form.image.height + 2 * down) * self.pitch,
        }
    }

    /// Where a pixel of the map begins to see the image with its padding.
    pub fn pixel(&self, pixel: usize) -> usize {
        pixel / self.line * self.steps[0] + pixel % self.line * self.steps[1]
    }

    /// How far behind it a row of the weights sees it.
    pub fn row(&self, row: usize) -> usize {
        let (tap, channel) = (row / self.channels, row % self.channels);
        let width = self.form.window.kernel[1];
        tap / width * self.taps[0] + tap % width * self.taps[1] + channel
    }

    /// The places of pixels of the map, from one of them on.
    pub fn pixels_from(&self, pixel: usize) -> Walk {
        let (line, x) = (pixel / self.line, pixel % self.line);
        Walk {
            at: [x, line, 0],
            counts: [self.line, usize::MAX],
            steps: [self.steps[1], self.steps[0], 0],
            place: self.pixel(pixel),
        }
    }

    /// The places of rows of the weights, from one of them on.
    pub fn rows_from(&self, row: usize) -> Walk {
        let (tap, channel, width) = (row / self.channels, row % self.channels, self.form.window.kernel[1]);
        Walk {
            at: [channel, tap % width, tap / width],
            counts: [self.channels, width],
            steps: [1, self.taps[1], self.taps[0]],
            place: self.row(row),
        }
    }

    /// The stretches that rows of the weights see.
    pub fn along_rows<'a>(&self, rows: Range<usize>, to: &'a mut [Stretch; DEPTH]) -> &'a [Stretch] {
        // The pixels of a line of the window lie side by side where there is nothing in between.
        let is_line = self.taps[1] == self.channels;
        let run = if is_line { self.form.window.kernel[1] * self.channels } else { self.channels };
        cut(rows, run, to, |row| self.row(row))
    }

    /// The stretches of pixels of the map.
    pub fn along_pixels<'a>(&self, pixels: Range<usize>, to: &'a mut [Stretch; DEPTH]) -> &'a [Stretch] {
        cut(pixels, self.line, to, |pixel| self.pixel(pixel))
    }

    /// The image of a sample with its padding, of which the room holds the zeros already.
    ///
    /// # Safety
    /// The image is there, and the room holds as many numbers as it has with its padding.
    pub unsafe fn padded<T: Float>(&self, image: *const T, room: *mut T) -> *const T {
        let [down, along] = self.form.window.padding;
        if [down, along] == [0, 0] {
            return image;
        }
        let channels = self.form.image.channels;
        let line = self.form.image.width * channels;
        for i in 0..self.form.image.height {
            let to = (down + i) * self.pitch + along * channels;
            // SAFETY: as the caller says.
            unsafe { room.add(to).copy_from_nonoverlapping(image.add(i * line), line) };
        }
        room
    }
}

/// Cuts a range into the parts of runs of that length; where a part begins is told by `place`.
fn cut(
    range: Range<usize>,
    run: usize,
    to: &mut [Stretch; DEPTH],
    place: impl Fn(usize) -> usize,
) -> &[Stretch] {
    let (mut first, mut count) = (range.start, 0);
    while first < range.end {
        let length = (run - first % run).min(range.end - first);
        to[count] = Stretch { offset: place(first), length };
        (first, count) = (first + length, count + 1);
    }
    &to[..count]
}

/// Places one after the other, without a division for each of them.
pub struct Walk {
    /// How far along the inner, the middle and the outer side, and the lengths of the first two.
    at: [usize; 3],
    counts: [usize; 2],
    steps: [usize; 3],
    place: usize,
}

impl Walk {
    /// Places that are so far apart.
    pub fn evenly(first: usize, step: usize) -> Walk {
        Walk { at: [0; 3], counts: [usize::MAX; 2], steps: [step, 0, 0], place: first }
    }
}

impl Iterator for Walk {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let place = self.place;
        let [inner, middle, outer] = &mut self.at;
        let [step, middle_step, outer_step] = self.steps;
        *inner += 1;
        self.place += step;
        if *inner == self.counts[0] {
            *inner = 0;
            *middle += 1;
            if *middle == self.counts[1] {
                *middle = 0;
                *outer += 1;
            }
            self.place = *middle * middle_step + *outer * outer_step;
        }
        Some(place)
    }
}
